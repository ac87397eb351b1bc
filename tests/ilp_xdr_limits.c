/* Limits of XDR at run time: lengths, budget, memory, depth. The types are those of tests/xdr/standard.x and
 * ledger.x. */
#include "ledger.h"
#include "standard.h"
#include "tests/xdr/check.h"

#include <pthread.h>

START_TEST(lengths_have_limits)
{
	int32_t four[4] = {0};
	const arrays v = { .few = { 4, four }, .levels = { LOW } };
	struct ilp_xdr_out out = ilp_xdr_out(buffer, sizeof buffer);
	uint8_t bytes[64] = {0};
	struct ilp_xdr_in in;
	arrays a;

	ck_assert_int_eq(arrays_encode(&v, &out), -EMSGSIZE);
	ck_assert_uint_eq(arrays_wire_size(&v), SIZE_MAX);
	bytes[19] = 4; /* few */
	in = ilp_xdr_in(bytes, sizeof bytes);
	ck_assert_int_eq(arrays_decode(&a, &in), -EMSGSIZE);
	check_refused("opaques", "00000000 0000000000000000 00000000 00000008 0000000000000000 00000000 00000000", -EMSGSIZE);
	check_refused("opaques", "00000000 0000000000000000 00000000 00000000 00000000 00000004 61616161", -EMSGSIZE);
}
END_TEST

/* Lengths of elements that are not there: nothing is allocated for them, so a budget of 0 is enough to say so. */
START_TEST(lengths_are_hostile)
{
	static const char *const texts[] = { "ffffffff", "ffffffff 00000000", "40000000 00000000", "00000002 00000000",
		"7fffffff 00000000 00000000" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		uint8_t bytes[64];
		const size_t n = hex(texts[i], bytes);
		struct ilp_xdr_in in = ilp_xdr_in(bytes, n);
		numbers v;
		fives f;

		in.budget = 0;
		ck_assert_int_eq(numbers_decode(&v, &in), -EBADMSG);
		ck_assert_int_eq(fives_decode(&f, &in), -EBADMSG);
		check_refused("numbers", texts[i], -EBADMSG);
	}
}
END_TEST

START_TEST(budget_is_kept)
{
	uint8_t bytes[4 + 4 * 100] = { 0, 0, 0, 100 };
	struct ilp_xdr_in in = ilp_xdr_in(bytes, sizeof bytes);
	numbers v;

	in.budget = 415;
	ck_assert_int_eq(numbers_decode(&v, &in), -EMSGSIZE);
	ck_assert_uint_eq(in.budget, 415);
	in.budget = 416;
	ck_assert_uint_eq(ILP_XDR_COST(400), 416);
	ck_assert_int_eq(numbers_decode(&v, &in), 0);
	ck_assert_uint_eq(in.budget, 0);
	numbers_free(&v);

	/* Entries of a list are more in memory than on the wire: what the budget stops is freed. */
	const size_t n = hex("00000001 00000001 61000000 00000001 00000001 62000000 00000000", bytes);
	for (size_t budget = 0; budget < 2 * ILP_XDR_COST(sizeof(stringentry)) + 2 * ILP_XDR_COST(2); budget++) {
		stringlist list;

		in = ilp_xdr_in(bytes, n);
		in.budget = budget;
		const long before = in_use;
		const int e = stringlist_decode(&list, &in);
		const long after = in_use;
		ck_assert_int_eq(e, -EMSGSIZE);
		ck_assert_uint_eq(in.budget, budget);
		ck_assert_int_eq(before, after);
	}
}
END_TEST

/* Many small pieces of memory are more than their bytes. */
START_TEST(budget_counts_what_malloc_takes)
{
	for (const struct ilp_xdr_type *t = standard_types; t->name; t++) {
		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct random r = { .state = seed, .left = ILP_XDR_RANDOM_FEW };
			struct ilp_xdr_out out = ilp_xdr_out(buffer, sizeof buffer);
			void *v = calloc(1, t->size);

			ck_assert_ptr_nonnull(v);
			t->fill(v, &r);
			ck_assert_int_eq(t->encode(v, &out), 0);
			t->free(v);
			struct ilp_xdr_in in = ilp_xdr_in(buffer, (size_t)(out.at - buffer));
			const size_t before = taken;
			const int e = t->decode(v, &in);
			const size_t after = taken;
			ck_assert_int_eq(e, 0);
			ck_assert_uint_le(after - before, ILP_XDR_BUDGET - in.budget);
			t->free(v);
			free(v);
		}
	}
}
END_TEST

/* Decodes n bytes, of which each allocation fails in turn: how many there were. */
static long without_memory(const struct ilp_xdr_type *t, size_t n)
{
	static uint8_t back[1 << 16];

	ck_assert_uint_le(t->size, sizeof back);
	for (long k = 0;; k++) {
		struct ilp_xdr_in in = ilp_xdr_in(buffer, n);

		memset(back, 0x55, sizeof back);
		const long before = in_use;
		given = k;
		const int e = t->decode(back, &in);
		given = -1;
		const long after = in_use;
		if (e == 0) {
			t->free(back);
			ck_assert_int_eq(in_use - before, 0);
			return k;
		}
		ck_assert_int_eq(e, -ENOMEM);
		ck_assert_int_eq(before, after);
		ck_assert_ptr_eq(in.at, buffer);
		ck_assert_uint_eq(in.budget, ILP_XDR_BUDGET);
		check_zeros(back, t->size);
	}
}

START_TEST(memory_may_end_anywhere)
{
	long allocations = 0;

	for (const struct ilp_xdr_type *t = standard_types; t->name; t++) {
		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct random r = { .state = seed, .left = ILP_XDR_RANDOM_FEW };
			struct ilp_xdr_out out = ilp_xdr_out(buffer, sizeof buffer);
			void *v = calloc(1, t->size);

			ck_assert_ptr_nonnull(v);
			t->fill(v, &r);
			ck_assert_int_eq(t->encode(v, &out), 0);
			t->free(v);
			free(v);
			allocations += without_memory(t, (size_t)(out.at - buffer));
		}
	}
	ck_assert_int_gt(allocations, 1000);
}
END_TEST

/* A tree that goes to the left alone. */
static size_t left_tree(uint8_t *to, unsigned deep)
{
	uint8_t *at = to;

	for (unsigned i = 0; i < deep; i++, at += 8) /* value, left */
		memcpy(at, (uint8_t[8]){ 0, 0, 0, 1, 0, 0, 0, i + 1 < deep }, 8);
	memset(at, 0, 4 * (size_t)deep); /* right */
	return (size_t)(at - to) + 4 * (size_t)deep;
}

START_TEST(depth_is_bounded)
{
	struct ilp_xdr_in in = ilp_xdr_in(buffer, left_tree(buffer, ILP_XDR_DEPTH));
	tree v;

	ck_assert_int_eq(tree_decode(&v, &in), 0);
	struct ilp_xdr_out out = ilp_xdr_out(buffer, sizeof buffer);
	ck_assert_int_eq(tree_encode(&v, &out), 0);
	tree top = { .left = &v };
	ck_assert_int_eq(tree_encode(&top, &out), -EMSGSIZE);
	ck_assert_uint_eq(tree_wire_size(&top), SIZE_MAX);
	out.depth++;
	ck_assert_int_eq(tree_encode(&top, &out), 0);
	tree_free(&v);
	in = ilp_xdr_in(buffer, left_tree(buffer, ILP_XDR_DEPTH + 1));
	ck_assert_int_eq(tree_decode(&v, &in), -EMSGSIZE);
	ck_assert_uint_eq(in.depth, ILP_XDR_DEPTH);
	refused_bytes(type("tree"), buffer, left_tree(buffer, 5000), -EMSGSIZE);
	/* by way of one another */
	memset(buffer, 0, sizeof buffer);
	for (size_t i = 3; i < 4000; i += 4)
		buffer[i] = 1;
	even e;
	in = ilp_xdr_in(buffer, sizeof buffer);
	ck_assert_int_eq(even_decode(&e, &in), -EMSGSIZE);
}
END_TEST

#define ENTRIES 1000000

/* A list of a million entries. */
static void *long_list(void *unused)
{
	const size_t size = 12 * (size_t)ENTRIES;
	uint8_t *bytes = malloc(size), *again = malloc(size);
	struct ilp_xdr_in in = ilp_xdr_in(bytes, size);
	struct ilp_xdr_out out = ilp_xdr_out(again, size);
	notes_Chain v;
	FILE *null = fopen("/dev/null", "w");

	ck_assert(bytes && again && null);
	for (uint32_t i = 0; i < ENTRIES; i++)
		memcpy(bytes + 12 * (size_t)i, (uint8_t[12]){ 0, 0, 0, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i,
			0, 0, 0, i + 1 < ENTRIES }, 12);
	ck_assert_int_eq(notes_Chain_decode(&v, &in), 0);
	ck_assert_uint_eq(v.next->next->number, 2);
	ck_assert_uint_eq(notes_Chain_wire_size(&v), size);
	ck_assert_int_eq(notes_Chain_encode(&v, &out), 0);
	ck_assert_int_eq(memcmp(bytes, again, size), 0);
	ck_assert_int_eq(notes_Chain_print(&v, null), 0);
	in = ilp_xdr_in(bytes, size - 1);
	const long before = in_use;
	notes_Chain_free(&v);
	const long between = in_use;
	const int e = notes_Chain_decode(&v, &in);
	const long after = in_use;
	ck_assert_int_eq(before - between, ENTRIES - 1);
	ck_assert_int_eq(e, -EBADMSG);
	ck_assert_int_eq(between, after);
	fclose(null);
	free(bytes);
	free(again);
	return unused;
}

/* Runs f on a stack on which a call for each entry would have no room. */
static void on_small_stack(void *(*f)(void *))
{
	pthread_attr_t small;
	pthread_t thread;

	pthread_attr_init(&small);
	ck_assert_int_eq(pthread_attr_setstacksize(&small, 128 << 10), 0);
	/* f counts what is in use: no assertion beside it. */
	const int made = pthread_create(&thread, &small, f, NULL), joined = made ? made : pthread_join(thread, NULL);
	ck_assert_int_eq(joined, 0);
	pthread_attr_destroy(&small);
}

START_TEST(lists_are_walked_in_loops)
{
	on_small_stack(long_list);
}
END_TEST

/* Branches as a list, the last one with such a list below it but at the bottom: the next ones count for nothing, those
 * below for one each. */
static uint8_t *grow(uint8_t *at, unsigned deep, unsigned wide)
{
	for (unsigned i = 0; i < wide; i++) {
		at = memset(at, 0, 8);
		at[7] = deep > 1 && i + 1 == wide;
		at = at[7] ? grow(at + 8, deep - 1, wide) : at + 8;
		at = memset(at, 0, 4);
		at[3] = i + 1 < wide;
		at += 4;
	}
	return at;
}

static void *long_and_deep(void *unused)
{
	enum { WIDE = 100000 / ILP_XDR_DEPTH };
	const size_t room = 12 * (size_t)WIDE * (ILP_XDR_DEPTH + 1);
	uint8_t *bytes = malloc(room), *again = malloc(room);
	FILE *null = fopen("/dev/null", "w");
	branch v;

	ck_assert(bytes && again && null);
	for (unsigned deep = ILP_XDR_DEPTH; deep <= ILP_XDR_DEPTH + 1; deep++) {
		const size_t size = (size_t)(grow(bytes, deep, WIDE) - bytes);
		struct ilp_xdr_in in = ilp_xdr_in(bytes, size);
		struct ilp_xdr_out out = ilp_xdr_out(again, size);
		const long before = in_use;
		const int e = branch_decode(&v, &in), refused = deep > ILP_XDR_DEPTH ? -EMSGSIZE : 0;
		const bool same = e || (branch_wire_size(&v) == size && branch_encode(&v, &out) == 0 &&
			memcmp(bytes, again, size) == 0 && branch_print(&v, null) == 0);
		branch_free(&v);
		const long after = in_use;
		ck_assert_int_eq(e, refused);
		ck_assert(same);
		ck_assert_int_eq(after, before);
	}
	fclose(null);
	free(bytes);
	free(again);
	return unused;
}

START_TEST(lists_in_lists_are_as_deep_as_they_are_below)
{
	on_small_stack(long_and_deep);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("limits");
	tcase_set_timeout(c, 60);
	tcase_add_test(c, lengths_have_limits);
	tcase_add_test(c, lengths_are_hostile);
	tcase_add_test(c, budget_is_kept);
	tcase_add_test(c, budget_counts_what_malloc_takes);
	tcase_add_test(c, memory_may_end_anywhere);
	tcase_add_test(c, depth_is_bounded);
	tcase_add_test(c, lists_are_walked_in_loops);
	tcase_add_test(c, lists_in_lists_are_as_deep_as_they_are_below);
	Suite *s = suite_create("ilp/xdr limits");
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

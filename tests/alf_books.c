/* What the books of alf/ are made of, against plain models: tables, heaps of what is due, sets of ranges. */
#include "alf/conn.h"
#include "tests/property.h"
#include "tests/run.h"

#define KEYS 300

static struct random dice;

/* Keys that lie close, far apart, and at the ends. */
static uint64_t key(void)
{
	const uint64_t k = rnd(&dice, KEYS);

	return k % 3 == 0 ? k : k % 3 == 1 ? k << 32 : UINT64_MAX - k;
}

START_TEST(table)
{
	static struct { uint64_t key; int there; } model[KEYS * 3];
	struct alf_table t = { 0 };
	unsigned used = 0, count = 0;

	dice = random_seed(_i);
	ck_assert_ptr_null(alf_table_find(&t, 7));
	for (int step = 0; step < 4000; step++) {
		const uint64_t k = key();
		unsigned at = 0;
		while (at < used && model[at].key != k)
			at++;
		if (at == used)
			model[used++].key = k, model[at].there = 0;
		must(alf_table_find(&t, k) == (model[at].there ? &model[at] : NULL));
		/* It grows for a while, and shrinks. */
		if (model[at].there && rnd(&dice, 3) < (step / 500 % 2 ? 3 : 1)) {
			alf_table_remove(&t, k);
			model[at].there = 0;
			count--;
		} else if (!model[at].there && rnd(&dice, 3) < (step / 500 % 2 ? 1 : 3)) {
			must(alf_table_add(&t, k, &model[at]) == 0);
			model[at].there = 1;
			count++;
		}
		must(t.count == count && 2 * t.count <= t.max + !t.max);
	}
	for (unsigned i = 0; i < used; i++)
		must(alf_table_find(&t, model[i].key) == (model[i].there ? &model[i] : NULL));
	alf_table_free(&t);
	ck_assert_ptr_null(t.slot);
}
END_TEST

START_TEST(dues)
{
	static struct alf_due due[KEYS];
	struct alf_dues d = { 0 };

	dice = random_seed(_i);
	memset(due, 0, sizeof due);
	for (int step = 0; step < 4000; step++) {
		struct alf_due *one = &due[rnd(&dice, KEYS)], *least = NULL;
		if (one->at && rnd(&dice, 2))
			alf_due_remove(&d, one);
		else if (!one->at)
			must(alf_due_add(&d, one, rnd(&dice, 100)) == 0);
		if (rnd(&dice, 50) == 0 && alf_due_first(&d))
			alf_due_remove(&d, alf_due_first(&d));
		for (int i = 0; i < KEYS; i++)
			if (due[i].at && (!least || due[i].us < least->us))
				least = &due[i];
		must(!least == !alf_due_first(&d));
		must(!least || alf_due_first(&d)->us == least->us);
	}
	alf_dues_free(&d);
}
END_TEST

#define PLACES 200

START_TEST(ranges)
{
	static bool in[PLACES + 1];
	struct alf_ranges r = { 0 };

	dice = random_seed(_i);
	memset(in, 0, sizeof in);
	for (int step = 0; step < 600; step++) {
		const uint64_t begin = rnd(&dice, PLACES), end = begin + 1 + rnd(&dice, (uint32_t)(PLACES - begin)) % 9;
		struct range first = { 0 }, met = { 0 };
		uint64_t low = 0, count = 0, touched = begin;
		if (rnd(&dice, 3) == 0) {
			must(alf_ranges_add(&r, begin, end) == 0);
			memset(in + begin, true, end - begin);
		}
		while (low < PLACES && !in[low])
			low++;
		must(alf_ranges_first(&r, &first) == (low < PLACES));
		must(low == PLACES || (first.begin == low && !in[first.end] && memchr(in + low, false, PLACES) == in + first.end));
		while (touched < end && !in[touched])
			touched++;
		must(alf_ranges_find(&r, begin, end, &met) == (touched < end));
		must(touched == end || (met.begin <= touched && touched < met.end));
		for (unsigned i = 0; i < PLACES; i++)
			count += in[i] && !in[i + 1];
		must(alf_ranges_count(&r) == count);
		if (low < PLACES && rnd(&dice, step / 100 % 2 ? 2 : 20) == 0) {
			alf_ranges_pop(&r);
			memset(in + first.begin, false, first.end - first.begin);
		}
	}
	alf_ranges_free(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("books");
	TCase *tc = tcase_create("books");

	property_add(tc, table, 20);
	property_add(tc, dues, 20);
	property_add(tc, ranges, 50);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

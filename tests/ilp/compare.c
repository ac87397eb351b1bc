/* Compares the loops of a chain with its vectors. Buffers stand between guard bytes, and each input also ends, once,
 * where readable memory ends: what is read or written beyond is seen. */
#include "tests/ilp/compare.h"
#include "tests/ilp/vec.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD 128
#define ROOM 8192 /* the longest ADU, rounded up */
#define PATTERN 0xa5

static const struct ilp_chain *chain;
static struct vec vec;
static unsigned long *compared; /* shared with the children that Check forks */

/* A loop under test. */
struct subject {
	enum ilp_direction direction;
	enum ilp_schedule schedule;
	enum ilp_isa isa;
	ilp_loop *loop;
};

struct buffer {
	uint8_t *memory, *at;
	size_t len;
};

static const char *name_of(const struct subject *x)
{
	static char text[96];
	snprintf(text, sizeof text, "%s %s %s %s", chain->name, x->direction == ILP_SEND ? "send" : "recv",
		 ilp_schedule_name(x->schedule), ilp_isa_name(x->isa));
	return text;
}

#define EXPECT(x, ok, ...) \
	do { \
		__atomic_fetch_add(compared, 1, __ATOMIC_RELAXED); \
		if (!(ok)) { \
			char where_[160]; \
			snprintf(where_, sizeof where_, __VA_ARGS__); \
			ck_abort_msg("%s: %s: not %s", name_of(x), where_, #ok); \
		} \
	} while (0)

static uint32_t random_below(uint32_t n)
{
	static uint64_t seed = 2023;
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % n);
}

/* len bytes at that offset from an aligned place, between guards. */
static struct buffer guarded(size_t len, size_t offset)
{
	struct buffer b = { .memory = aligned_alloc(64, ROOM + 4 * GUARD), .len = len };

	ck_assert_ptr_nonnull(b.memory);
	memset(b.memory, PATTERN, ROOM + 4 * GUARD);
	b.at = b.memory + GUARD + offset;
	return b;
}

static void check_guards(const struct subject *x, const struct buffer *b, const char *which, size_t n)
{
	const uint8_t *end = b->memory + ROOM + 4 * GUARD;

	for (const uint8_t *p = b->memory; p < end; p++)
		if ((p < b->at || p >= b->at + b->len) && *p != PATTERN)
			EXPECT(x, *p == PATTERN, "length %zu: %s: byte %td was written", n, which, p - b->at);
	EXPECT(x, b->memory, "guards");
}

/* The same bytes, ending where readable memory ends; free with munmap(). */
static const uint8_t *fenced(const uint8_t *bytes, size_t len, void **map, size_t *map_len)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (ROOM + page - 1) / page * page;
	uint8_t *p = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(p != MAP_FAILED);
	ck_assert_int_eq(mprotect(p + whole, page, PROT_NONE), 0);
	*map = p;
	*map_len = whole + page;
	memcpy(p + whole - len, bytes, len);
	return p + whole - len;
}

static void set_up(struct ilp_any *s)
{
	memset(s, PATTERN, sizeof *s);
	for (size_t i = 0; i < vec.params_len; i++)
		ck_assert_int_eq(ilp_set(chain, s, vec.params[i].name, vec.params[i].value, vec.params[i].size), 0);
	chain->begin(s);
}

static void check_bytes(const struct subject *x, const uint8_t *got, const uint8_t *want, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		if (got[i] != want[i])
			EXPECT(x, got[i] == want[i], "length %zu: %s: byte %zu is %02x, expected %02x", n, what, i,
			       got[i], want[i]);
	EXPECT(x, got, "bytes");
}

static void check_sum(const struct subject *x, struct ilp_any *s, uint16_t want, size_t n, const char *what)
{
	if (!chain->sum)
		return;
	const uint16_t got = chain->sum(s);
	EXPECT(x, got == want, "length %zu: sum of %s is %04x, expected %04x", n, what, got, want);
}

/* What is carried after in[0 .. done) went in: the place, and the bytes beyond the last whole unit. */
static void check_state(const struct subject *x, const struct ilp_any *s, const uint8_t *in, size_t done, uint32_t held)
{
	const struct ilp_state *state = (const struct ilp_state *)s;

	EXPECT(x, state->pos == done, "after %zu bytes: pos %lu", done, (unsigned long)state->pos);
	EXPECT(x, state->held_len == held, "after %zu bytes: held_len %u", done, state->held_len);
	EXPECT(x, memcmp(state->held, in + done - held, held) == 0, "after %zu bytes: held", done);
	for (size_t i = chain->state_size; i < sizeof *s; i++)
		if (s->bytes[i] != PATTERN)
			EXPECT(x, s->bytes[i] == PATTERN, "after %zu bytes: state written at %zu", done, i);
	EXPECT(x, s, "state");
}

/* One call of the loop, with scratch memory of just the size it asks for. */
static size_t call(const struct subject *x, struct ilp_any *s, uint8_t *dst, const uint8_t *src, size_t n)
{
	const size_t room = ilp_scratch(chain, x->direction, x->schedule, n);
	struct buffer tmp = guarded(room, random_below(64));

	if (room == 0)
		tmp.at = NULL;
	const size_t written = x->loop(s, dst, src, n, tmp.at);
	if (room > 0)
		check_guards(x, &tmp, "tmp", n);
	free(tmp.memory);
	return written;
}

static void run_whole(const struct subject *x, const struct vec_adu *adu, const uint8_t *src, size_t offset)
{
	struct buffer dst = guarded(adu->len, offset);
	struct ilp_any s;
	const uint32_t held = (uint32_t)(adu->len % chain->unit);

	set_up(&s);
	size_t n = call(x, &s, dst.at, src, adu->len);
	EXPECT(x, n == adu->len - held, "length %zu: %zu bytes written", adu->len, n);
	check_state(x, &s, src, adu->len, held);
	n += chain->end[x->direction](&s, dst.at + n);
	EXPECT(x, n == adu->len, "length %zu: %zu bytes written with the end", adu->len, n);
	check_state(x, &s, src, adu->len, 0);
	check_bytes(x, dst.at, adu->out, adu->len, "at once");
	check_sum(x, &s, adu->sum, adu->len, "the whole");
	check_sum(x, &s, 0, adu->len, "nothing");
	check_guards(x, &dst, "dst", adu->len);
	free(dst.memory);
}

static void run_pieces(const struct subject *x, const struct vec_cut *cut, size_t offset)
{
	struct buffer dst = guarded(cut->adu.len, offset);
	struct ilp_any s, before;
	size_t in = 0, out = 0;

	set_up(&s);
	for (size_t i = 0; i < cut->pieces_len; i++) {
		const struct vec_piece *p = &cut->pieces[i];
		memcpy(&before, &s, sizeof s);
		size_t n = call(x, &s, dst.at + out, cut->adu.in + in, p->len);
		if (i % 3 == 0) { /* A snapshot undoes a call. */
			memcpy(&s, &before, sizeof s);
			n = call(x, &s, dst.at + out, cut->adu.in + in, p->len);
		}
		EXPECT(x, n == p->written, "length %zu, piece %zu of %zu bytes: %zu written", cut->adu.len, i, p->len,
		       n);
		in += p->len;
		out += n;
		check_state(x, &s, cut->adu.in, in, p->held);
		check_sum(x, &s, p->sum, p->len, "a piece");
	}
	out += chain->end[x->direction](&s, dst.at + out);
	EXPECT(x, out == cut->adu.len, "length %zu in pieces: %zu written", cut->adu.len, out);
	check_sum(x, &s, cut->end.sum, cut->adu.len, "the end");
	check_bytes(x, dst.at, cut->adu.out, cut->adu.len, "in pieces");
	check_guards(x, &dst, "dst", cut->adu.len);
	free(dst.memory);
}

/* Without asking for sums between, the sum of the pieces is that of the whole. */
static void run_pieces_one_sum(const struct subject *x, const struct vec_adu *adu)
{
	struct buffer dst = guarded(adu->len, 0);
	struct ilp_any s;
	size_t in = 0, out = 0;

	set_up(&s);
	while (in < adu->len) {
		const size_t left = adu->len - in, piece = 1 + random_below(in % 2 ? 700 : 37);
		const size_t n = piece < left ? piece : left;
		out += call(x, &s, dst.at + out, adu->in + in, n);
		in += n;
	}
	out += chain->end[x->direction](&s, dst.at + out);
	check_bytes(x, dst.at, adu->out, adu->len, "in pieces with one sum");
	check_sum(x, &s, adu->sum, adu->len, "all pieces");
	free(dst.memory);
}

/* Subject number i of all; false when it cannot run here. */
static bool subject(int i, struct subject *x)
{
	x->isa = (enum ilp_isa)(i % ILP_ISAS);
	x->schedule = (enum ilp_schedule)(i / ILP_ISAS % ILP_SCHEDULES);
	x->direction = (enum ilp_direction)(i / ILP_ISAS / ILP_SCHEDULES);
	x->loop = chain->loop[x->direction][x->schedule][x->isa];
	return x->loop && ilp_isa_here(x->isa);
}
#define SUBJECTS (ILP_ISAS * ILP_SCHEDULES * ILP_DIRECTIONS)

START_TEST(whole)
{
	struct subject x;

	if (!subject(_i, &x))
		return;
	for (size_t i = 0; i < vec.adus_len[x.direction]; i++) {
		const struct vec_adu *adu = &vec.adus[x.direction][i];
		struct buffer src = guarded(adu->len, random_below(64));
		void *map;
		size_t map_len;
		memcpy(src.at, adu->in, adu->len);
		run_whole(&x, adu, src.at, random_below(64));
		check_guards(&x, &src, "src", adu->len);
		check_bytes(&x, src.at, adu->in, adu->len, "src");
		run_whole(&x, adu, fenced(adu->in, adu->len, &map, &map_len), 0);
		munmap(map, map_len);
		free(src.memory);
	}
}
END_TEST

START_TEST(alignments)
{
	struct subject x;
	static const size_t lengths[] = { 3, 16, 67, 129, 260, 512 };

	if (!subject(_i, &x))
		return;
	for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
		const struct vec_adu *adu = &vec.adus[x.direction][lengths[k]];
		ck_assert_uint_eq(adu->len, lengths[k]);
		for (size_t offset = 0; offset < 64; offset++) {
			struct buffer src = guarded(adu->len, offset);
			memcpy(src.at, adu->in, adu->len);
			run_whole(&x, adu, src.at, offset * 37 % 64);
			free(src.memory);
		}
	}
}
END_TEST

START_TEST(pieces)
{
	struct subject x;

	if (!subject(_i, &x))
		return;
	for (size_t i = 0; i < vec.cuts_len[x.direction]; i++)
		run_pieces(&x, &vec.cuts[x.direction][i], random_below(64));
	for (size_t i = 1; i < vec.adus_len[x.direction]; i += 7)
		run_pieces_one_sum(&x, &vec.adus[x.direction][i]);
}
END_TEST

/* Every loop of a direction leaves the same state, all folds included, as the first does, wherever the cut. */
START_TEST(same_state)
{
	struct subject x, first;

	if (!subject(_i, &x) || !subject((int)x.direction * ILP_SCHEDULES * ILP_ISAS, &first))
		return;
	for (size_t i = 3; i < vec.adus_len[x.direction]; i += 5) {
		const struct vec_adu *adu = &vec.adus[x.direction][i];
		const size_t half = random_below((uint32_t)adu->len + 1);
		struct buffer dst = guarded(adu->len, 0);
		struct ilp_any s, want;
		set_up(&s);
		set_up(&want);
		const size_t n = call(&x, &s, dst.at, adu->in, half), m = call(&first, &want, dst.at, adu->in, half);
		EXPECT(&x, n == m && memcmp(&s, &want, sizeof s) == 0, "length %zu: state after %zu", adu->len, half);
		call(&x, &s, dst.at + n, adu->in + half, adu->len - half);
		call(&first, &want, dst.at + m, adu->in + half, adu->len - half);
		EXPECT(&x, memcmp(&s, &want, sizeof s) == 0, "length %zu: state at the end", adu->len);
		free(dst.memory);
	}
}
END_TEST

/* What any loop sends, any loop of the other direction brings back. */
START_TEST(there_and_back)
{
	struct subject x, y;
	struct ilp_any s;

	if (!subject(_i, &x) || x.direction != ILP_SEND)
		return;
	for (int j = 0; j < SUBJECTS; j++) {
		if (!subject(j, &y) || y.direction != ILP_RECV)
			continue;
		for (size_t i = (size_t)j; i < vec.adus_len[ILP_SEND]; i += 11) {
			const struct vec_adu *adu = &vec.adus[ILP_SEND][i];
			struct buffer wire = guarded(adu->len, 0), back = guarded(adu->len, 0);
			set_up(&s);
			size_t n = call(&x, &s, wire.at, adu->in, adu->len);
			chain->end[ILP_SEND](&s, wire.at + n);
			const uint16_t sum = chain->sum ? chain->sum(&s) : 0;
			set_up(&s);
			n = call(&y, &s, back.at, wire.at, adu->len);
			chain->end[ILP_RECV](&s, back.at + n);
			check_bytes(&y, back.at, adu->in, adu->len, "there and back");
			check_sum(&y, &s, sum, adu->len, "what was sent");
			free(wire.memory);
			free(back.memory);
		}
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create(chain->name);
	TCase *t = tcase_create("loops");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, whole, 0, SUBJECTS);
	tcase_add_loop_test(t, alignments, 0, SUBJECTS);
	tcase_add_loop_test(t, pieces, 0, SUBJECTS);
	tcase_add_loop_test(t, same_state, 0, SUBJECTS);
	tcase_add_loop_test(t, there_and_back, 0, SUBJECTS);
	suite_add_tcase(all, t);
	return all;
}

int compare_main(const struct ilp_chain *c, int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE.vec\n", argv[0]);
		return 2;
	}
	chain = c;
	compared = mmap(NULL, sizeof *compared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (compared == MAP_FAILED)
		return 2;
	vec_read(&vec, argv[1]);
	SRunner *runner = srunner_create(suite());
	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	printf("%s: %lu comparisons\n", chain->name, *compared);
	srunner_free(runner);
	vec_free(&vec);
	return failed > 0;
}

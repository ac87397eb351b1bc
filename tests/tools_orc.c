/* The baseline by Orc computes what plain code does, and what the loops do: it is a fair comparison. */
#include "core/cksum.h"
#include "ilp/ilp.h"
#include "tests/run.h"
#include "tools/orc.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Three times what one call of Orc's program takes, and some; and 64 in front and behind for guards and offsets. */
#define MAX ((3UL << 18) + 4099)
#define ROOM (MAX + 128)
#define GUARD 0xa5

static uint8_t src_room[ROOM], dst_room[ROOM];

static void setup(void)
{
	srand(1);
	for (size_t i = 0; i < sizeof src_room; i++)
		src_room[i] = (uint8_t)rand();
}

static void swapped_copy(uint8_t *dst, const uint8_t *src, size_t n, bool swap)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = src[swap && i / 4 * 4 + 4 <= n ? i ^ 3 : i];
}

/* RFC 1071 in the plainest way: words in memory order, an odd byte alone at an even place. */
static uint16_t plain_sum(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < n; i += 2) {
		uint8_t pair[2] = { p[i], i + 1 < n ? p[i + 1] : 0 };

		memcpy(&word, pair, 2);
		sum += word;
	}
	return (uint16_t)(sum % 0xffff);
}

/* One piece in one direction, bytes, sum and what stands around them. wire_is_dst: which side's sum. */
static void check_piece(struct orc_baseline *b, bool send, bool swap, bool wire_is_dst, size_t from, size_t to,
	size_t n)
{
	static uint8_t expected[MAX];
	const uint8_t *src = src_room + from;
	uint8_t *dst = dst_room + 64 + to;

	ck_assert_uint_le(n, MAX);
	swapped_copy(expected, src, n, swap);
	memset(dst - 16, GUARD, n + 32);
	uint16_t sum = (send ? orc_baseline_send : orc_baseline_recv)(b, dst, src, n);
	ck_assert_msg(!memcmp(dst, expected, n), "bytes differ: send %d, swap %d, offsets %zu %zu, %zu bytes", send, swap,
		from, to, n);
	ck_assert_msg(sum % 0xffff == plain_sum(wire_is_dst ? expected : src, n),
		"sum differs: send %d, swap %d, offsets %zu %zu, %zu bytes", send, swap, from, to, n);
	for (size_t i = 1; i <= 16; i++)
		ck_assert_msg(dst[-(ptrdiff_t)i] == GUARD && dst[n + i - 1] == GUARD, "writes outside: %zu bytes", n);
}

static const struct {
	const char *stages;
	bool swap, sum_last;
} programs[] = {
	{ "xdr_u32 copy inet_checksum", true, true },
	{ "copy inet_checksum", false, true },
	{ "inet_checksum copy xdr_u32", true, false }, /* the sum of what is not yet converted */
};

static void each(void (*with)(struct orc_baseline *, bool send, bool swap, bool wire_is_dst))
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		struct orc_baseline *b = orc_baseline_open(programs[i].stages);

		ck_assert_ptr_nonnull(b);
		with(b, true, programs[i].swap, programs[i].sum_last);
		with(b, false, programs[i].swap, !programs[i].sum_last);
		orc_baseline_close(b);
	}
}

static void lengths(struct orc_baseline *b, bool send, bool swap, bool wire_is_dst)
{
	static const size_t lengths_long[] = { 1023, 1024, 1460, 4095, 4096, 4097, 4160, 65535, (1 << 18) - 1, 1 << 18,
		(1 << 18) + 4, (1 << 18) + 67, 1 << 19, MAX };

	for (size_t n = 0; n <= 300; n++)
		check_piece(b, send, swap, wire_is_dst, 0, 0, n);
	for (size_t i = 0; i < sizeof lengths_long / sizeof *lengths_long; i++)
		check_piece(b, send, swap, wire_is_dst, 0, 0, lengths_long[i]);
}

START_TEST(every_length)
{
	each(lengths);
}
END_TEST

/* Orc aligns its stores by single words first, where dst is at a multiple of 4, and faults where it is not. */
static void offsets(struct orc_baseline *b, bool send, bool swap, bool wire_is_dst)
{
	static const size_t some[] = { 3, 4, 31, 64, 100, 147, 255, 4099, 4240 };

	for (size_t from = 0; from < 17; from++)
		for (size_t to = 0; to < 33; to++)
			for (size_t i = 0; i < sizeof some / sizeof *some; i++)
				check_piece(b, send, swap, wire_is_dst, from, to, some[i]);
}

START_TEST(every_offset)
{
	each(offsets);
}
END_TEST

/* The largest sums: all ones, and all ones in one half of each word. */
static void limits(struct orc_baseline *b, bool send, bool swap, bool wire_is_dst)
{
	static const size_t near[] = { (1 << 18) - 4, 1 << 18, (1 << 18) + 4, (1 << 18) + 8, 1 << 19, MAX };

	for (size_t i = 0; i < sizeof near / sizeof *near; i++)
		check_piece(b, send, swap, wire_is_dst, 0, 0, near[i]);
}

START_TEST(near_the_accumulators_limit)
{
	static const uint8_t patterns[3][4] = { { 0xff, 0xff, 0xff, 0xff }, { 0xff, 0xff, 0, 0 }, { 0, 0, 0xff, 0xff } };

	for (size_t p = 0; p < 3; p++) {
		for (size_t i = 0; i < sizeof src_room; i++)
			src_room[i] = patterns[p][i % 4];
		each(limits);
	}
	for (size_t i = 0; i < sizeof src_room; i++) /* no sum of 0 mod 0xffff, as that of all ones is */
		src_room[i] = i % 4096 == 1 ? 0xfd : 0xff;
	each(limits);
}
END_TEST

START_TEST(without_a_sum)
{
	struct orc_baseline *b = orc_baseline_open("xdr_u32 copy");
	uint8_t back[100];

	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(orc_baseline_send(b, dst_room, src_room, sizeof back), 0);
	ck_assert_uint_eq(orc_baseline_recv(b, back, dst_room, sizeof back), 0);
	ck_assert_mem_eq(back, src_room, sizeof back);
	orc_baseline_close(b);
}
END_TEST

START_TEST(stages_that_orc_has_not)
{
	static const char *const stages[] = { "copy rot13", "chacha20 copy inet_checksum", "xdr_u32 xdr_u32 copy",
		"copy inet_checksum inet_checksum", "cop" };

	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
		errno = 0;
		ck_assert_ptr_null(orc_baseline_open(stages[i]));
		ck_assert_int_eq(errno, ENOTSUP);
	}
}
END_TEST

/* What liborc runs instead of code for this CPU is not measured. */
START_TEST(emulation_is_refused)
{
	setenv("ORC_CODE", "emulate", 1); /* read by the first call of liborc's in a process */
	errno = 0;
	ck_assert_ptr_null(orc_baseline_open("copy inet_checksum"));
	ck_assert_int_eq(errno, ENOEXEC);
}
END_TEST

START_TEST(same_as_the_fused_loop)
{
	unsigned chains = 0;

	for (unsigned c = 0; ilp_chains[c]; c++) {
		const struct ilp_chain *chain = ilp_chains[c];
		struct orc_baseline *b = orc_baseline_open(chain->stages);
		struct ilp_any state;

		if (!b)
			continue;
		chains++;
		memset(&state, 0, sizeof state);
		for (unsigned d = 0; d < ILP_DIRECTIONS; d++)
			for (size_t n = 0; n <= 6000; n += n < 300 ? 1 : 97) {
				uint8_t ours[6000 + ILP_HELD_MAX], theirs[6000];

				chain->begin(&state);
				size_t done = ilp_pick(chain, (enum ilp_direction)d, ILP_FUSED)(&state, ours, src_room, n, NULL);
				done += (size_t)chain->end[d](&state, ours + done);
				ck_assert_uint_eq(done, n);
				uint16_t sum = (d == ILP_SEND ? orc_baseline_send : orc_baseline_recv)(b, theirs, src_room, n);
				ck_assert_mem_eq(ours, theirs, n);
				if (chain->sum)
					ck_assert_uint_eq(chain->sum(&state) % 0xffff, sum % 0xffff);
			}
		orc_baseline_close(b);
	}
	ck_assert_uint_ge(chains, 2);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("orc");
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, every_length);
	tcase_add_test(c, every_offset);
	tcase_add_test(c, near_the_accumulators_limit);
	tcase_add_test(c, without_a_sum);
	tcase_add_test(c, stages_that_orc_has_not);
	tcase_add_test(c, same_as_the_fused_loop);
	if (!getenv("CK_FORK")) /* in one process with the others it would come too late */
		tcase_add_test(c, emulation_is_refused);
	Suite *s = suite_create("tools/orc");
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

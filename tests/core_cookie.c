/* SYN cookies: what was made is accepted, for a while, and nothing else. */
#include "core/cookie.h"
#include "tests/run.h"

#include <math.h>
#include <stdlib.h>

#define S 1000000ull
#define PERIOD (64 * S)

static const uint8_t secret[16] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3 };

static uint64_t rng = 1;
static uint32_t rnd(void)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 32);
}

/* A SYN that came, and when. */
struct syn {
	struct link_addr local, remote;
	uint32_t irs;
	uint16_t mss;
	uint64_t now_us;
};

static struct syn any_syn(void)
{
	return (struct syn){
		.local = { rnd(), (uint16_t)rnd() }, .remote = { rnd(), (uint16_t)rnd() }, .irs = rnd(),
		.mss = (uint16_t)(48 + rnd() % (65535 - 48 + 1)), .now_us = ((uint64_t)rnd() << 20) + rnd(),
	};
}

static uint32_t cookie_of(const struct syn *s)
{
	return cookie_make(secret, s->local, s->remote, s->irs, s->mss, s->now_us);
}

/* The MSS that an ACK with that cookie brings so much later; 0: refused. */
static uint16_t mss_of(const struct syn *s, uint32_t cookie, uint64_t later_us)
{
	uint16_t mss = 0;
	bool good = cookie_check(secret, s->local, s->remote, s->irs, cookie, s->now_us + later_us, &mss);

	ck_assert(good == (mss != 0));
	return mss;
}

START_TEST(what_was_made_is_accepted)
{
	for (int i = 0; i < 20000; i++) {
		struct syn s = any_syn();
		uint32_t cookie = cookie_of(&s);
		uint16_t mss = mss_of(&s, cookie, 0);

		ck_assert_uint_ge(mss, 48);
		ck_assert_uint_le(mss, s.mss);
		ck_assert_uint_eq(mss_of(&s, cookie, rnd() % (128 * S)), mss);
	}
}
END_TEST

START_TEST(the_largest_mss_that_fits)
{
	static const uint16_t sizes[] = { 48, 536, 1220, 1360, 1400, 1440, 1460, 8960 };
	struct syn s = any_syn();

	for (uint32_t mss = 48, i = 0; mss <= 65535; mss++) {
		uint16_t got;

		if (i + 1 < sizeof sizes / sizeof *sizes && mss == sizes[i + 1])
			i++;
		s.mss = (uint16_t)mss;
		got = mss_of(&s, cookie_of(&s), 0);
		if (got != sizes[i])
			ck_abort_msg("MSS %u becomes %u", mss, got);
	}
	s.mss = 1; /* the caller's floor is ours as well */
	ck_assert_uint_eq(mss_of(&s, cookie_of(&s), 0), 48);
}
END_TEST

START_TEST(no_bit_may_be_another)
{
	for (int i = 0; i < 2000; i++) {
		struct syn s = any_syn();
		uint32_t cookie = cookie_of(&s);

		for (int bit = 0; bit < 32; bit++) {
			struct syn other = s;

			ck_assert_uint_eq(mss_of(&s, cookie ^ 1u << bit, 0), 0);
			other.irs ^= 1u << bit;
			ck_assert_uint_eq(mss_of(&other, cookie, 0), 0);
			other = s;
			other.local.ip ^= 1u << bit;
			ck_assert_uint_eq(mss_of(&other, cookie, 0), 0);
			other = s;
			other.remote.ip ^= 1u << bit;
			ck_assert_uint_eq(mss_of(&other, cookie, 0), 0);
			other = s;
			*(bit & 16 ? &other.local.port : &other.remote.port) ^= (uint16_t)(1 << (bit & 15));
			ck_assert_uint_eq(mss_of(&other, cookie, 0), 0);
		}
	}
}
END_TEST

START_TEST(nobody_else_s)
{
	for (int i = 0; i < 1000; i++) {
		struct syn s = any_syn(), turned = s;
		uint32_t cookie = cookie_of(&s);
		uint8_t other[16];
		uint16_t mss = 7;

		for (int bit = 0; bit < 128; bit++) {
			for (int at = 0; at < 16; at++)
				other[at] = secret[at];
			other[bit / 8] ^= (uint8_t)(1 << bit % 8);
			ck_assert(!cookie_check(other, s.local, s.remote, s.irs, cookie, s.now_us, &mss));
		}
		ck_assert_uint_eq(mss, 7);
		turned.local = s.remote;
		turned.remote = s.local;
		ck_assert_uint_eq(mss_of(&turned, cookie, 0), 0);
		turned.local.port = s.local.port;
		turned.remote.port = s.remote.port;
		ck_assert_uint_eq(mss_of(&turned, cookie, 0), 0);
	}
}
END_TEST

START_TEST(it_grows_old)
{
	for (int i = 0; i < 1000; i++) {
		struct syn s = any_syn();
		uint64_t left = PERIOD - s.now_us % PERIOD; /* of this counter */
		uint32_t cookie = cookie_of(&s);

		ck_assert_uint_ne(mss_of(&s, cookie, left + 2 * PERIOD - 1), 0);
		/* Nor when the counter's low bits come around. */
		for (uint64_t later = left + 2 * PERIOD; later < 3000 * S; later += PERIOD)
			ck_assert_uint_eq(mss_of(&s, cookie, later), 0);
		ck_assert_uint_eq(mss_of(&s, cookie, (1ull << 32) * PERIOD), 0);
		/* It was not made yet. */
		s.now_us -= PERIOD;
		ck_assert_uint_eq(mss_of(&s, cookie, 0), 0);
	}
}
END_TEST

/* 24 of 2^32: of a million none, or one in 179 runs; this seed's number is known. */
START_TEST(forgeries_at_random)
{
	struct syn s = any_syn();
	unsigned accepted = 0;

	for (int i = 0; i < 1000000; i++) {
		uint16_t mss;

		accepted += cookie_check(secret, s.local, s.remote, s.irs, rnd(), s.now_us, &mss);
	}
	ck_assert_uint_eq(accepted, 0);
}
END_TEST

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* A million cookies, of which only the 27 bits of the hash may differ: as many alike as of random numbers, n^2 / 2^28
 * pairs, and each bit set in half of them; six standard deviations. The same when all that differs is a count. */
START_TEST(hashes_are_as_good_as_random)
{
	enum { N = 1000000 };
	uint32_t *hash = malloc(N * sizeof *hash), alike;

	for (int counted = 0; counted < 2; counted++) {
		struct syn s = any_syn();
		unsigned set[32] = { 0 };

		for (uint32_t i = 0; i < N; i++) {
			uint64_t now = s.now_us;

			if (!counted)
				s = any_syn();
			s.irs = counted ? i : s.irs;
			s.now_us = now;
			s.mss = 1460;
			hash[i] = cookie_of(&s);
			for (int bit = 0; bit < 32; bit++)
				set[bit] += hash[i] >> bit & 1;
		}
		for (int bit = 5; bit < 32; bit++)
			ck_assert_double_le(fabs(set[bit] - N / 2.0), 6 * sqrt(N / 4.0));
		qsort(hash, N, sizeof *hash, by_value);
		alike = 0;
		for (uint32_t i = 1; i < N; i++)
			alike += hash[i] == hash[i - 1];
		ck_assert_double_le(fabs(alike - (double)N * N / (1 << 28)), 6 * sqrt((double)N * N / (1 << 28)));
	}
	free(hash);
}
END_TEST

START_TEST(timestamps_carry_what_was_offered)
{
	static const uint32_t clocks[] = { 0, 1, 63, 64, 1000, 0x7fffffff, 0x80000000, UINT32_MAX - 63, UINT32_MAX };

	for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
		for (uint32_t n = 0; n < 64; n++) {
			uint32_t clock = clocks[i] + n;

			for (uint8_t scale = 0; scale <= COOKIE_NO_SCALE; scale++)
				for (int flags = 0; flags < 4; flags++) {
					bool sack = flags & 1, ecn = flags & 2;
					uint32_t timestamp = cookie_timestamp(clock, scale, sack, ecn);
					struct cookie_options got = cookie_options(timestamp);

					if (got.scale != scale || got.sack != sack || got.ecn != ecn || clock - timestamp > 63)
						ck_abort_msg("clock %u, scale %d, flags %d: %u", clock, scale, flags, timestamp);
				}
		}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("SYN cookies");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_was_made_is_accepted);
	tcase_add_test(t, the_largest_mss_that_fits);
	tcase_add_test(t, no_bit_may_be_another);
	tcase_add_test(t, nobody_else_s);
	tcase_add_test(t, it_grows_old);
	tcase_add_test(t, forgeries_at_random);
	tcase_add_test(t, hashes_are_as_good_as_random);
	tcase_add_test(t, timestamps_carry_what_was_offered);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

/* The digest of xfer: every byte, every order, every place counts; ADUs add up in any order. */
/* An example is a program: its functions are in no library. */
#include "adu-examples/xfer/digest.c" // NOLINT(bugprone-suspicious-include)

#include "tests/run.h"

#include <check.h>

enum { LEN = 300 };

static void bytes_of(uint32_t seed, void *to, size_t n)
{
	uint8_t *at = to;

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223; /* Knuth's */
		at[i] = (uint8_t)(seed >> 24);
	}
}

START_TEST(every_byte_counts)
{
	uint8_t data[LEN];

	bytes_of(1, data, LEN);
	for (size_t len = 1; len <= LEN; len++) {
		uint64_t right = digest(0, data, len);
		ck_assert(digest(4096, data, len) != right);
		ck_assert(digest(0, data, len - 1) != right);
		for (size_t at = 0; at < len; at++) {
			data[at] ^= 0x80;
			if (digest(0, data, len) == right)
				ck_abort_msg("byte %zu of %zu does not count", at, len);
			data[at] ^= 0x80;
		}
	}
}
END_TEST

/* Words that change places, within a lane too. */
START_TEST(order_counts)
{
	uint32_t words[LEN / 4];

	bytes_of(2, words, sizeof words);
	for (unsigned i = 0; i < LEN / 4; i++) {
		for (unsigned k = 0; k < i; k++) {
			uint64_t right = digest(0, words, sizeof words);
			uint32_t w = words[i];
			words[i] = words[k];
			words[k] = w;
			if (digest(0, words, sizeof words) == right)
				ck_abort_msg("words %u and %u change places unseen", i, k);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xfer_digest");
	TCase *tc = tcase_create("xfer_digest");

	tcase_add_test(tc, every_byte_counts);
	tcase_add_test(tc, order_counts);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* The baseline by libraries computes what the chains compute: it is a fair comparison, and an oracle from outside. */
#include "ilp/ilp.h"
#include "tests/run.h"
#include "tools/library.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX 1500

static uint8_t key[32], nonce[12], data[MAX];

static void setup(void)
{
	srand(1);
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)i; /* RFC 8439 (2.4.2) */
	memset(nonce, 0, sizeof nonce);
	nonce[7] = 0x4a;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)rand();
}

START_TEST(rfc8439_2_4_2)
{
	static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
		"future, sunscreen would be it.";
	static const uint8_t expected[16] = { 0x6e, 0x2e, 0x35, 0x9a, 0x25, 0x68, 0xf9, 0x80, 0x41, 0xba, 0x07, 0x28, 0xdd,
		0x0d, 0x69, 0x81 };
	uint8_t out[sizeof text], back[sizeof text];
	struct library *l = library_open("chacha20", key, nonce, sizeof text);

	ck_assert_ptr_nonnull(l);
	ck_assert_uint_eq(library_send(l, out, (const uint8_t *)text, sizeof text), 0);
	ck_assert_mem_eq(out, expected, sizeof expected);
	library_recv(l, back, out, sizeof text);
	ck_assert_mem_eq(back, text, sizeof text);
	library_close(l);
}
END_TEST

START_TEST(xdr_is_big_endian)
{
	uint32_t words[2] = { 0x01020304, 0xfffefdfc };
	static const uint8_t wire[8] = { 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc };
	uint8_t out[8];
	struct library *l = library_open("xdr_u32 copy inet_checksum", key, nonce, sizeof words);

	ck_assert_ptr_nonnull(l);
	uint16_t sum = library_send(l, out, (const uint8_t *)words, sizeof words);
	ck_assert_mem_eq(out, wire, sizeof wire);
	/* 0102 + 0304 + fffe + fdfc = 20200 -> 0202, in memory order */
	ck_assert_mem_eq(&sum, ((uint8_t[]){ 0x02, 0x02 }), 2);
	library_close(l);
}
END_TEST

START_TEST(unknown_stage)
{
	errno = 0;
	ck_assert_ptr_null(library_open("copy rot13", key, nonce, 64));
	ck_assert_int_eq(errno, ENOTSUP);
}
END_TEST

/* Every chain that libraries can do, every length, both directions: same bytes, same sum. */
START_TEST(same_as_the_fused_loop)
{
	unsigned chains = 0;
	static const uint8_t counter[4] = { 1 };

	for (unsigned c = 0; ilp_chains[c]; c++) {
		const struct ilp_chain *chain = ilp_chains[c];
		struct library *l = library_open(chain->stages, key, nonce, MAX);
		struct ilp_any state;

		if (!l)
			continue;
		chains++;
		memset(&state, 0, sizeof state);
		for (const struct ilp_param *p = chain->params; p->name; p++) {
			const char *of = strchr(p->name, '.');
			static const uint8_t big[4] = { 0, 0, 0, 1 }, none[4];
			uint8_t longer[64] = { 0 };
			memcpy(longer, key, sizeof key);
			const void *value = strcmp(of, ".key") == 0 ? longer : strcmp(of, ".nonce") == 0 ? nonce
				: strcmp(of, ".before") == 0 ? none : strncmp(p->name, "aes", 3) == 0 ? big : counter;
			ck_assert_int_eq(ilp_set(chain, &state, p->name, value, p->size), 0);
		}
		for (unsigned d = 0; d < ILP_DIRECTIONS; d++)
			for (size_t n = 0; n <= MAX; n += n < 300 ? 1 : 97) {
				uint8_t ours[MAX + ILP_HELD_MAX], theirs[MAX + LIBRARY_VALUE], wire[MAX + ILP_HELD_MAX];
				const size_t tag = chain->associate ? 16 : strstr(chain->stages, "(tail)") ? LIBRARY_VALUE : 0;
				const uint8_t *in = data;
				size_t len = n, out = d == ILP_SEND ? n + tag : n;

				if (d == ILP_RECV && tag) { /* what a tag is right for */
					len = n + tag;
					chain->begin(&state);
					in = wire;
					out = ilp_pick(chain, ILP_SEND, ILP_FUSED)(&state, wire, data, n, NULL);
					out += (size_t)chain->end[ILP_SEND](&state, wire + out) - tag;
				}
				chain->begin(&state);
				size_t done = ilp_pick(chain, (enum ilp_direction)d, ILP_FUSED)(&state, ours, in, len, NULL);
				done += (size_t)chain->end[d](&state, ours + done);
				ck_assert_uint_eq(done, out);
				uint16_t sum = (d == ILP_SEND ? library_send : library_recv)(l, theirs, in, len);
				ck_assert_mem_eq(ours, theirs, out);
				uint8_t got[LIBRARY_VALUE], value[LIBRARY_VALUE];
				const size_t size = library_value(l, value);
				if (size > 0) {
					ck_assert_int_eq(ilp_value(chain, &state, size == 4 ? "crc32c" : "hmac_sha256", got, size), 0);
					ck_assert_mem_eq(got, value, size);
				}
				if (chain->sum)
					ck_assert_uint_eq(chain->sum(&state) % 0xffff, sum % 0xffff);
			}
		library_close(l);
	}
	ck_assert_uint_ge(chains, 3);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("library");
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, rfc8439_2_4_2);
	tcase_add_test(c, xdr_is_big_endian);
	tcase_add_test(c, unknown_stage);
	tcase_add_test(c, same_as_the_fused_loop);
	Suite *s = suite_create("tools/library");
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

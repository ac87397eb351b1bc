/* Stages that are kept for what they were: historic_safer against plain code, and with six rounds against the example
 * that Massey's paper gives of SAFER K-64; historic_xor. Every way and instruction set that this CPU has. */
#include "ilp/ilp.h"
#include "tests/load_place.h"
#include "tests/run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 1000
#define ROOM 8192

static uint8_t data[LONGEST], want[ROOM], got[ROOM], back[ROOM], tmp[8 * ROOM];

static void fill(void)
{
	uint64_t x = 93;

	for (size_t i = 0; i < LONGEST; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		data[i] = (uint8_t)(x >> 56);
	}
}

/* Plain SAFER K-64, without a table: 45^x modulo 257 is multiplied out, and looked for. */
static uint8_t power(unsigned x)
{
	unsigned y = 1;

	while (x-- > 0)
		y = y * 45 % 257;
	return (uint8_t)y;
}

static uint8_t logarithm(uint8_t y)
{
	unsigned x = 0;

	while (power(x) != y)
		x++;
	return (uint8_t)x;
}

static void add_key(uint8_t b[8], const uint8_t key[8], unsigned i, bool xor_first)
{
	for (unsigned j = 0; j < 8; j++) {
		uint8_t k = key[j];
		for (unsigned turn = 1; turn < i; turn++)
			k = (uint8_t)(k << 3 | k >> 5);
		if (i > 1)
			k = (uint8_t)(k + power(power(9 * i + j + 1)));
		b[j] = (uint8_t)((j == 0 || j == 3 || j == 4 || j == 7) == xor_first ? b[j] ^ k : b[j] + k);
	}
}

static void spread(uint8_t *a, uint8_t *b)
{
	*b = (uint8_t)(*a + *b);
	*a = (uint8_t)(*a + *b);
}

static void safer(uint8_t b[8], const uint8_t key[8], unsigned rounds)
{
	for (unsigned r = 1; r <= rounds; r++) {
		uint8_t t[8];
		add_key(b, key, 2 * r - 1, true);
		for (int j = 0; j < 8; j++)
			b[j] = j == 0 || j == 3 || j == 4 || j == 7 ? power(b[j]) : logarithm(b[j]);
		add_key(b, key, 2 * r, false);
		/* Thrice; between, the first of all pairs go before the second of all. */
		for (int level = 0; level < 3; level++) {
			for (int j = 0; j < 8; j += 2)
				spread(b + j, b + j + 1);
			for (int j = 0; j < 4 && level < 2; j++) {
				t[j] = b[2 * j];
				t[j + 4] = b[2 * j + 1];
			}
			if (level < 2)
				memcpy(b, t, 8);
		}
	}
	add_key(b, key, 2 * rounds + 1, true);
}

/* Converted, padded and enciphered. */
static size_t sent(uint8_t *to, const uint8_t *from, size_t n, const uint8_t key[8], unsigned rounds, bool xdr)
{
	const size_t len = n / 16 * 16 + 16;

	for (size_t i = 0; i < n; i++)
		to[i] = xdr && i < n / 4 * 4 ? from[i - i % 4 + 3 - i % 4] : from[i];
	memset(to + n, (int)(len - n), len - n);
	for (size_t i = 0; i < len; i += 8)
		safer(to + i, key, rounds);
	return len;
}

static size_t through(const struct ilp_chain *c, enum ilp_direction d, ilp_loop *loop, const char *name,
	const uint8_t *key, uint8_t *to, const uint8_t *from, size_t n)
{
	struct ilp_any s = {0};

	ck_assert_int_eq(ilp_set(c, &s, name, key, 8), 0);
	c->begin(&s);
	const size_t out = loop(&s, to, from, n, tmp);
	const int more = c->end[d](&s, to + out);
	ck_assert_int_ge(more, 0);
	return out + (size_t)more;
}

/* Every loop makes len bytes in want of n in from, and back. */
static void check_loops(const struct ilp_chain *c, const char *name, const uint8_t *key, const uint8_t *from, size_t n,
	size_t len)
{
	for (unsigned w = 0; w < c->way_count[ILP_SEND]; w++)
		for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++) {
			ilp_loop *out = c->ways[ILP_SEND][w].loop[isa];
			if (!out || !ilp_isa_here(isa))
				continue;
			ck_assert_uint_eq(through(c, ILP_SEND, out, name, key, got, from, n), len);
			ck_assert_mem_eq(got, want, len);
			if (w >= c->way_count[ILP_RECV])
				continue;
			ck_assert_uint_eq(through(c, ILP_RECV, c->ways[ILP_RECV][w].loop[isa], name, key, back, got, len), n);
			ck_assert_mem_eq(back, from, n);
		}
}

static const uint8_t own_key[8] = { 8, 7, 6, 5, 4, 3, 2, 1 };

START_TEST(one_round)
{
	const struct ilp_chain *c = ilp_find("historic_safer_copy_sum");

	ck_assert_ptr_nonnull(c);
	ck_assert(c->keyed);
	for (size_t n = 0; n < 300; n += n < 40 ? 1 : 29)
		check_loops(c, "historic_safer.key", own_key, data, n, sent(want, data, n, own_key, 1, true));
}
END_TEST

START_TEST(xored)
{
	const struct ilp_chain *c = ilp_find("historic_xor_copy_sum");

	ck_assert_ptr_nonnull(c);
	for (size_t n = 0; n < LONGEST; n += n < 80 ? 1 : 57) {
		for (size_t i = 0; i < n; i++)
			want[i] = (uint8_t)((i < n / 4 * 4 ? data[i - i % 4 + 3 - i % 4] : data[i]) ^ own_key[i % 8]);
		check_loops(c, "historic_xor.key", own_key, data, n, n);
	}
}
END_TEST

/* The stage's text, but for its rounds: what the paper describes. */
static void six_rounds(char *text, size_t room)
{
	FILE *file = fopen("ilp/stages/historic_safer.lua", "r");

	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, room - 1, file)] = 0;
	fclose(file);
	char *rounds = strstr(text, "\nlocal ROUNDS = 1\n");
	ck_assert_ptr_nonnull(rounds);
	rounds[16] = '6';
}

START_TEST(massey)
{
	static const uint8_t plain[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, cipher[8] = { 200, 242, 156, 221, 135, 120, 62, 217 };
	static char text[16384];

	memcpy(want, plain, 8);
	safer(want, own_key, 6);
	ck_assert_mem_eq(want, cipher, 8); /* the plain code is right */
	six_rounds(text, sizeof text);
	place_write("stages/historic_safer.lua", text);
	place_write("six.lua", "return chain { name = \"six\", stages = { \"pkcs7_pad\", \"historic_safer\", \"copy\" },\n"
		"insecure = true }\n");
	const struct ilp_chain *c = place_load("six");
	sent(want, plain, 8, own_key, 6, false);
	ck_assert_mem_eq(want, cipher, 8);
	check_loops(c, "historic_safer.key", own_key, plain, 8, 16);
	for (size_t n = 0; n < 200; n += 7)
		check_loops(c, "historic_safer.key", data + 500, data, n, sent(want, data, n, data + 500, 6, false));
}
END_TEST

int main(void)
{
	Suite *all = suite_create("ilp historic");
	TCase *t = tcase_create("stages"), *loaded = tcase_create("loaded");

	fill();
	tcase_set_timeout(t, 120);
	tcase_add_test(t, one_round);
	tcase_add_test(t, xored);
	suite_add_tcase(all, t);
	tcase_set_timeout(loaded, 120);
	tcase_add_checked_fixture(loaded, place_setup, place_teardown);
	tcase_add_test(loaded, massey);
	suite_add_tcase(all, loaded);
	return run_tests(srunner_create(all));
}

/* HMAC-SHA-256 against what RFC 4231 prints, Wycheproof's vectors and OpenSSL: each instruction set that this CPU has,
 * in pieces of many lengths; beside AES in counter mode, before and after it, and what is forged is refused. */
#include "ilp/ilp.h"
#include "tests/hex.h"
#include "tests/run.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 1024
#define TAG 32
#define KEY 64 /* what the stage takes; shorter ones are filled up with zeros */

struct mac {
	uint8_t key[KEY], data[ROOM], tag[TAG];
	size_t len;
};

static uint64_t seed = 20651;
static uint32_t next(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

static void fill(uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)next(256);
}

/* The chain's first row that is here, from that one on; ILP_ISAS: there is no more. */
static enum ilp_isa row_from(const struct ilp_chain *c, unsigned isa)
{
	while (isa < ILP_ISAS && !(c->once[ILP_SEND][isa] && ilp_isa_here((enum ilp_isa)isa)))
		isa++;
	return (enum ilp_isa)isa;
}

/* The value of the data, which goes in pieces of up to that length. */
static void value_of(const struct mac *x, enum ilp_isa isa, size_t piece, uint8_t value[TAG])
{
	const struct ilp_chain *c = ilp_find("copy_hmac_sha256");
	static uint8_t tmp[1 << 14];
	uint8_t dst[ROOM + 256];
	struct ilp_any s = { 0 };
	size_t out = 0;

	ck_assert_int_eq(ilp_set(c, &s, "hmac_sha256.key", x->key, KEY), 0);
	((struct ilp_state *)&s)->row = 1 + isa;
	c->begin(&s);
	for (size_t i = 0, now; i < x->len; i += now) {
		now = x->len - i < piece ? x->len - i : piece;
		out += c->ways[ILP_SEND][ILP_FUSED].loop[isa](&s, dst + out, x->data + i, now, tmp);
	}
	const int more = c->end[ILP_SEND](&s, dst + out);
	ck_assert_int_eq((int)out + more, (int)x->len);
	ck_assert_mem_eq(dst, x->data, x->len);
	for (int k = 0; k < 2; k++) /* asking changes nothing */
		ck_assert_int_eq(ilp_value(c, &s, "hmac_sha256", value, TAG), 0);
}

/* size: of its value, how many bytes go along. */
static void expect(const struct mac *x, size_t size, bool good)
{
	const struct ilp_chain *c = ilp_find("copy_hmac_sha256");

	for (enum ilp_isa isa = row_from(c, 0); isa < ILP_ISAS; isa = row_from(c, isa + 1)) {
		const size_t pieces[] = { ROOM, 1, 64, 63, 65, 1 + next(200) };

		for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
			uint8_t got[TAG];

			value_of(x, isa, pieces[k], got);
			ck_assert_msg((memcmp(got, x->tag, size) == 0) == good, "%zu bytes in pieces of %zu by %s: %s", x->len,
				pieces[k], ilp_isa_name(isa), good ? "another value" : "its value, which is wrong");
		}
	}
}

/* Printed --------------------------------------------------------------------------------------------------------- */

static void expect_text(const char *key, const char *data, const char *tag, bool good)
{
	struct mac x = { 0 };

	unhex(x.key, KEY, key);
	x.len = unhex(x.data, ROOM, data);
	expect(&x, unhex(x.tag, TAG, tag), good);
}

/* RFC 4231 (4.2) to (4.6); its other keys are longer than a unit. */
static const struct { const char *key, *data, *tag; } printed[] = {
	{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
		"dddddddddddddddddddddddddddddddd",
		"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
	{ "0102030405060708090a0b0c0d0e0f10111213141516171819", "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
		"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
		"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
	{ "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "546573742057697468205472756e636174696f6e",
		"a3b6167473100ee06e0c796c2955552b" },
};

START_TEST(standard)
{
	for (size_t k = 0; k < sizeof printed / sizeof printed[0]; k++)
		expect_text(printed[k].key, printed[k].data, printed[k].tag, true);
	printf("RFC 4231: %zu passed; not offered: 2 with keys of more than 64 bytes\n", sizeof printed / sizeof printed[0]);
}
END_TEST

static const char *text(const json_t *test, const char *name)
{
	const char *value = json_string_value(json_object_get(test, name));

	ck_assert_msg(value, "no '%s'", name);
	return value;
}

START_TEST(wycheproof)
{
	json_error_t error;
	size_t i, k;
	json_t *group, *test;
	unsigned passed = 0, keys = 0;

	json_t *all = json_load_file("../shared/vectors/hmac_sha256_test.json", 0, &error);
	if (!all) {
		printf("skipped, because %s\n", error.text);
		return;
	}
	json_array_foreach(json_object_get(all, "testGroups"), i, group) {
		json_array_foreach(json_object_get(group, "tests"), k, test) {
			if (json_integer_value(json_object_get(group, "keySize")) > 8 * KEY) {
				keys++;
				continue;
			}
			expect_text(text(test, "key"), text(test, "msg"), text(test, "tag"), !strcmp(text(test, "result"), "valid"));
			passed++;
		}
	}
	printf("hmac_sha256_test.json: %u passed; not offered: %u with keys of more than 64 bytes\n", passed, keys);
	ck_assert_uint_eq(passed, 168);
	json_decref(all);
}
END_TEST

/* OpenSSL --------------------------------------------------------------------------------------------------------- */

START_TEST(openssl)
{
	for (size_t len = 0; len < 400; len++) {
		struct mac x = { .len = len < 300 ? len : next(ROOM) };
		unsigned n = TAG;
		const size_t key = next(KEY + 1);

		fill(x.key, key), fill(x.data, x.len);
		ck_assert(HMAC(EVP_sha256(), x.key, (int)key, x.data, x.len, x.tag, &n) && n == TAG);
		expect(&x, TAG, true);
		x.tag[next(TAG)] ^= (uint8_t)(1 << next(8));
		expect(&x, TAG, false);
	}
}
END_TEST

struct sealed {
	struct mac mac;
	uint8_t key[16], iv[16], wire[ROOM + TAG];
};

static void ctr(const struct sealed *x, uint8_t *to, const uint8_t *from, size_t n)
{
	EVP_CIPHER_CTX *e = EVP_CIPHER_CTX_new();
	int some = 0;

	ck_assert(EVP_EncryptInit_ex(e, EVP_aes_128_ctr(), NULL, x->key, x->iv) == 1);
	ck_assert(EVP_EncryptUpdate(e, to, &some, from, (int)n) == 1 && some == (int)n);
	EVP_CIPHER_CTX_free(e);
}

static void begin(const struct ilp_chain *c, struct ilp_any *s, const struct sealed *x, enum ilp_isa isa)
{
	memset(s, 0, sizeof *s);
	ck_assert_int_eq(ilp_set(c, s, "hmac_sha256.key", x->mac.key, KEY), 0);
	ck_assert_int_eq(ilp_set(c, s, "aes128_ctr.key", x->key, 16), 0);
	ck_assert_int_eq(ilp_set(c, s, "aes128_ctr.nonce", x->iv, 12), 0);
	ck_assert_int_eq(ilp_set(c, s, "aes128_ctr.counter", x->iv + 12, 4), 0);
	((struct ilp_state *)s)->row = 1 + isa;
}

static void expect_wire_by(const struct ilp_chain *c, const struct sealed *x, enum ilp_isa isa)
{
	uint8_t dst[ROOM + 256], bad[ROOM + TAG];
	const size_t len = x->mac.len;
	struct ilp_any s;

	begin(c, &s, x, isa);
	ck_assert_int_eq(c->once[ILP_SEND][isa](&s, dst, x->mac.data, len, NULL, 0, NULL), (ptrdiff_t)len + TAG);
	ck_assert_mem_eq(dst, x->wire, len + TAG);
	begin(c, &s, x, isa);
	ck_assert_int_eq(c->once[ILP_RECV][isa](&s, dst, x->wire, len + TAG, NULL, 0, NULL), (ptrdiff_t)len);
	ck_assert_mem_eq(dst, x->mac.data, len);
	memcpy(bad, x->wire, len + TAG);
	bad[next((uint32_t)(len + TAG))] ^= (uint8_t)(1 << next(8));
	memset(dst, 0xaa, sizeof dst);
	begin(c, &s, x, isa);
	ck_assert_int_eq(c->once[ILP_RECV][isa](&s, dst, bad, len + TAG, NULL, 0, NULL), -EBADMSG);
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(dst[i] == 0 || dst[i] == 0xaa, "byte %zu of what was forged is still there", i);
}

static void expect_wire(const struct ilp_chain *c, const struct sealed *x)
{
	for (enum ilp_isa isa = row_from(c, 0); isa < ILP_ISAS; isa = row_from(c, isa + 1))
		expect_wire_by(c, x, isa);
}

START_TEST(sealed)
{
	const struct ilp_chain *of_wire = ilp_find("encrypt_then_hmac"), *of_data = ilp_find("hmac_then_encrypt");

	for (size_t len = 0; len < 300; len++) {
		struct sealed x = { .mac.len = len < 200 ? len : next(ROOM) };
		unsigned n = TAG;
		uint8_t both[ROOM + TAG];

		fill(x.mac.key, KEY), fill(x.mac.data, x.mac.len), fill(x.key, 16), fill(x.iv, 12);
		ctr(&x, x.wire, x.mac.data, x.mac.len);
		ck_assert(HMAC(EVP_sha256(), x.mac.key, KEY, x.wire, x.mac.len, x.wire + x.mac.len, &n));
		expect_wire(of_wire, &x);
		memcpy(both, x.mac.data, x.mac.len);
		ck_assert(HMAC(EVP_sha256(), x.mac.key, KEY, both, x.mac.len, both + x.mac.len, &n));
		ctr(&x, x.wire, both, x.mac.len + TAG);
		expect_wire(of_data, &x);
	}
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	Suite *all = suite_create("ilp hmac");
	TCase *t = tcase_create("hmac");
	tcase_add_test(t, standard);
	tcase_add_test(t, wycheproof);
	tcase_add_test(t, openssl);
	tcase_add_test(t, sealed);
	tcase_set_timeout(t, 60);
	suite_add_tcase(all, t);
	return run_tests(srunner_create(all));
}

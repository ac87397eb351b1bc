/* Stages against what their standards print, and against other code that does the same: adler32 (RFC 1950), fletcher32
 * (RFC 1146), crc32c (RFC 3720 B.4), poly1305 (RFC 8439 2.5.2, OpenSSL) in both orders with chacha20, xdr_u64 (RFC
 * 4506), xdr_record (libtirpc), packed_arrays (plain code), guid (RFC 9562), ws_mask (RFC 6455 5.7), mpa_marker (RFC
 * 5044 4.3), pkcs7_pad (RFC 5652 6.3). Every way and instruction set that this CPU has. tests/ilp_vectors.c has the
 * older ones. */
#include "ilp/ilp.h"
#include "tests/run.h"

#include <check.h>
#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <rpc/xdr.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 3000
#define ROOM (2 * LONGEST + 4096)

struct given {
	const char *name;
	const void *value;
	size_t size;
};

static uint8_t data[LONGEST], wire[ROOM], want[ROOM], tmp[8 * ROOM];

static void fill(void)
{
	uint64_t x = 42;

	for (size_t i = 0; i < LONGEST; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		data[i] = (uint8_t)(x >> 56);
	}
}

static void begin(const struct ilp_chain *c, struct ilp_any *s, const struct given *given)
{
	memset(s, 0, sizeof *s);
	for (; given && given->name; given++)
		ck_assert_int_eq(ilp_set(c, s, given->name, given->value, given->size), 0);
	c->begin(s);
}

/* A whole ADU; returns what end() does, or the bytes that came out. */
static int through(const struct ilp_chain *c, enum ilp_direction d, ilp_loop *loop, struct ilp_any *s,
	const struct given *given, uint8_t *dst, const uint8_t *src, size_t n)
{
	begin(c, s, given);
	const size_t out = loop(s, dst, src, n, tmp);
	const int more = c->end[d](s, dst + out);
	return more < 0 ? more : (int)out + more;
}

/* What a chain is to make of data[0 .. n): the bytes that are sent, returning how many, and its value. */
typedef size_t expected(uint8_t *to, const uint8_t *from, size_t n, uint8_t value[16]);

static size_t lengths(size_t i)
{
	static const size_t more[] = { 507, 508, 509, 512, 1016, 1017, 1024, 1460, 2047, 2048, 2999, 3000 };

	return i < 300 ? i : i - 300 < sizeof more / sizeof more[0] ? more[i - 300] : SIZE_MAX;
}

static void compare(const char *name, const char *fold, size_t size, const struct given *given, expected *f)
{
	const struct ilp_chain *c = ilp_find(name);
	struct ilp_any s;
	unsigned tried = 0;

	ck_assert_ptr_nonnull(c);
	for (size_t i = 0, n; (n = lengths(i)) != SIZE_MAX; i++) {
		uint8_t value[16], got[ILP_VALUE_MAX];
		const size_t len = f(want, data, n, value);
		for (enum ilp_direction d = 0; d < ILP_DIRECTIONS; d++)
			for (unsigned w = 0; w < c->way_count[d]; w++)
				for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++) {
					ilp_loop *loop = c->ways[d][w].loop[isa];
					const bool send = d == ILP_SEND;
					if (!loop || !ilp_isa_here(isa))
						continue;
					ck_assert_int_eq(through(c, d, loop, &s, given, wire, send ? data : want, send ? n : len),
						(int)(send ? len : n));
					ck_assert_msg(memcmp(wire, send ? want : data, send ? len : n) == 0, "%s, %s %s %s, %zu bytes", name,
						send ? "send" : "recv", c->ways[d][w].name, ilp_isa_name(isa), n);
					if (fold) {
						ck_assert_int_eq(ilp_value(c, &s, fold, got, size), 0);
						ck_assert_mem_eq(got, value, size);
					}
					tried++;
				}
	}
	ck_assert_uint_gt(tried, 300 * 8);
}

static void big32(uint8_t *to, uint32_t x)
{
	x = htobe32(x);
	memcpy(to, &x, 4);
}

/* RFC 1950 (9): as its sample code has it. */
static uint32_t adler(const uint8_t *p, size_t n)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < n; i++) {
		a = (a + p[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

static size_t of_adler32(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	memcpy(to, from, n);
	big32(value, adler(from, n));
	return n;
}

static size_t of_fletcher32(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	uint32_t a = 0, b = 0;

	for (size_t i = 0; i < n; i += 2) {
		a = (a + (uint32_t)(from[i] << 8) + (i + 1 < n ? from[i + 1] : 0)) % 65535;
		b = (b + a) % 65535;
	}
	memcpy(to, from, n);
	big32(value, b << 16 | a);
	return n;
}

/* RFC 3720 (12.1), bit by bit. */
static uint32_t crc(const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
	}
	return ~c;
}

static void words(uint8_t *to, const uint8_t *from, size_t n)
{
	memcpy(to, from, n);
	for (size_t i = 0; i + 4 <= n; i += 4) {
		uint32_t w;
		memcpy(&w, from + i, 4);
		big32(to + i, w);
	}
}

static size_t of_xdr_crc32c(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	words(to, from, n);
	const uint32_t c = htole32(crc(to, n));
	memcpy(value, &c, 4);
	memcpy(to + n, &c, 4);
	return n + 4;
}

static size_t of_xdr_u64(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	(void)value;
	memcpy(to, from, n);
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t w;
		memcpy(&w, from + i, 8);
		w = htobe64(w);
		memcpy(to + i, &w, 8);
	}
	return n;
}

/* Whole records, a call of libtirpc for each of their fields. */
static size_t of_xdr_record(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	XDR x;

	(void)value;
	memcpy(to, from, n);
	xdrmem_create(&x, (char *)to, (u_int)n, XDR_ENCODE);
	for (size_t i = 0; i + 28 <= n; i += 28) {
		uint32_t first, third, last;
		uint64_t second;
		char text[8];
		memcpy(&first, from + i, 4);
		memcpy(&second, from + i + 4, 8);
		memcpy(&third, from + i + 12, 4);
		memcpy(text, from + i + 16, 8);
		memcpy(&last, from + i + 24, 4);
		ck_assert(xdr_uint32_t(&x, &first) && xdr_uint64_t(&x, &second) && xdr_uint32_t(&x, &third) &&
			xdr_opaque(&x, text, 8) && xdr_uint32_t(&x, &last));
	}
	xdr_destroy(&x);
	return n;
}

/* Blocks of 16 records, field by field. */
static size_t of_packed_arrays(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	(void)value;
	memcpy(to, from, n);
	for (size_t i = 0; i + 256 <= n; i += 256)
		for (size_t k = 0; k < 16; k++) {
			struct {
				uint32_t first;
				uint16_t second, third;
				uint64_t fourth;
			} r;
			_Static_assert(sizeof r == 16, "as packed_arrays.lua has it");
			memcpy(&r, from + i + 16 * k, 16);
			r.first = htole32(r.first);
			r.second = htole16(r.second);
			r.third = htole16(r.third);
			r.fourth = htole64(r.fourth);
			memcpy(to + i + 4 * k, &r.first, 4);
			memcpy(to + i + 64 + 2 * k, &r.second, 2);
			memcpy(to + i + 96 + 2 * k, &r.third, 2);
			memcpy(to + i + 128 + 8 * k, &r.fourth, 8);
		}
	return n;
}

/* RFC 5044 (4.3): at every 512 bytes of the stream a marker, of 16 bits that are zero and the way back to the FPDU. */
static size_t of_marker(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	static uint8_t converted[LONGEST];
	size_t out = 0;

	(void)value;
	words(converted, from, n);
	for (size_t i = 0; i < n;) {
		if (out % 512 == 0) {
			big32(to + out, (uint32_t)out & 0xffff);
			out += 4;
		}
		to[out++] = converted[i++];
	}
	return out;
}

static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
static size_t of_pad_guid_mask(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	static uint8_t padded[LONGEST + 16];
	const size_t len = n / 16 * 16 + 16;

	(void)value;
	memcpy(padded, from, n);
	memset(padded + n, (int)(len - n), len - n);
	for (size_t i = 0; i < len; i++)
		to[i] = padded[i / 16 * 16 + order[i % 16]] ^ mask[i % 4];
	return len;
}

START_TEST(plain)
{
	static const struct given masked[] = { { "ws_mask.key", mask, 4 }, { NULL, NULL, 0 } };

	static const uint8_t hello[5] = { 0x7f, 0x9f, 0x4d, 0x51, 0x58 };

	/* The plain code is right. */
	ck_assert_uint_eq(adler((const uint8_t *)"Wikipedia", 9), 0x11e60398);
	for (int i = 0; i < 5; i++) /* RFC 6455 (5.7) */
		ck_assert_uint_eq((uint8_t)("Hello"[i] ^ mask[i % 4]), hello[i]);
	compare("copy_adler32", "adler32", 4, NULL, of_adler32);
	compare("copy_fletcher32", "fletcher32", 4, NULL, of_fletcher32);
	compare("xdr_crc32c_copy", "crc32c", 4, NULL, of_xdr_crc32c);
	compare("xdr_marker_copy_sum", NULL, 0, NULL, of_marker);
	compare("pad_guid_mask_copy", NULL, 0, masked, of_pad_guid_mask);
	compare("xdr64_copy_sum", NULL, 0, NULL, of_xdr_u64);
	compare("xdr_record_copy_sum", NULL, 0, NULL, of_xdr_record);
	compare("packed_arrays_copy_sum", NULL, 0, NULL, of_packed_arrays);
}
END_TEST

/* What RFC 3720 (B.4) prints, which the plain code must give. */
START_TEST(rfc3720)
{
	static const uint32_t wanted[] = { 0x8a9136aa, 0x62a8ab43, 0x46dd794e, 0x113fdb5c };
	uint8_t bytes[4][32];

	for (unsigned i = 0; i < 32; i++) {
		bytes[0][i] = 0;
		bytes[1][i] = 0xff;
		bytes[2][i] = (uint8_t)i;
		bytes[3][i] = (uint8_t)(31 - i);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(crc(bytes[i], 32), wanted[i]);
}
END_TEST

/* Authentication ------------------------------------------------------------------------------------------------- */

static uint8_t key[32], nonce[12], once[32];
static const uint32_t counter = 1;
static const struct given keys[] = { { "chacha20.key", key, 32 }, { "chacha20.nonce", nonce, 12 },
	{ "chacha20.counter", &counter, 4 }, { "poly1305.key", once, 32 }, { NULL, NULL, 0 } };

static void set_keys(void)
{
	for (unsigned i = 0; i < 32; i++) {
		key[i] = (uint8_t)(i * 7 + 3);
		once[i] = (uint8_t)(255 - i * 5);
		nonce[i % 12] = (uint8_t)(i * 11);
	}
}

static void openssl_mac(uint8_t tag[16], const uint8_t *with, const uint8_t *p, size_t n)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t len;

	ck_assert(EVP_MAC_init(ctx, with, 32, NULL) && EVP_MAC_update(ctx, p, n) && EVP_MAC_final(ctx, tag, &len, 16));
	ck_assert_uint_eq(len, 16);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void openssl_cipher(uint8_t *to, const uint8_t *from, size_t n)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t iv[16] = { 1 };
	int len;

	memcpy(iv + 4, nonce, 12);
	ck_assert(EVP_EncryptInit_ex(ctx, EVP_chacha20(), NULL, key, iv) && EVP_EncryptUpdate(ctx, to, &len, from, (int)n));
	EVP_CIPHER_CTX_free(ctx);
}

static size_t of_encrypt_then_mac(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	openssl_cipher(to, from, n);
	openssl_mac(value, once, to, n);
	memcpy(to + n, value, 16);
	return n + 16;
}

static size_t of_mac_then_encrypt(uint8_t *to, const uint8_t *from, size_t n, uint8_t *value)
{
	static uint8_t both[LONGEST + 16];

	openssl_mac(value, once, from, n);
	memcpy(both, from, n);
	memcpy(both + n, value, 16);
	openssl_cipher(to, both, n + 16);
	return n + 16;
}

START_TEST(both_orders)
{
	set_keys();
	compare("encrypt_then_mac", "poly1305", 16, keys, of_encrypt_then_mac);
	compare("mac_then_encrypt", "poly1305", 16, keys, of_mac_then_encrypt);
}
END_TEST

/* RFC 8439 (2.5.2), and numbers near 2^130 - 5 (A.3, 7 to 11), by the value of mac_then_encrypt's fold. */
START_TEST(rfc8439)
{
	static const struct {
		uint8_t key[32], text[64], tag[16];
		size_t len;
	} cases[] = {
		{ { 0x85, 0xd6, 0xbe, 0x78, 0x57, 0x55, 0x6d, 0x33, 0x7f, 0x44, 0x52, 0xfe, 0x42, 0xd5, 0x06, 0xa8, 0x01, 0x03, 0x80,
			  0x8a, 0xfb, 0x0d, 0xb2, 0xfd, 0x4a, 0xbf, 0xf6, 0xaf, 0x41, 0x49, 0xf5, 0x1b },
		  "Cryptographic Forum Research Group",
		  { 0xa8, 0x06, 0x1d, 0xc1, 0x30, 0x51, 0x36, 0xc6, 0xc2, 0x2b, 0x8b, 0xaf, 0x0c, 0x01, 0x27, 0xa9 }, 34 },
		{ { 2 }, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		  { 3 }, 16 },
		{ { [0] = 2, [16] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		  { 2 }, { 3 }, 16 },
		{ { 2 }, { 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		  { 0xfa, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 16 },
	};
	const struct ilp_chain *c = ilp_find("mac_then_encrypt");
	struct ilp_any s;
	uint8_t got[16];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (unsigned w = 0; w < c->way_count[ILP_SEND]; w++)
			for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++)
				if (c->ways[ILP_SEND][w].loop[isa] && ilp_isa_here(isa)) {
					const struct given given[] = { { "poly1305.key", cases[i].key, 32 }, { NULL, NULL, 0 } };
					through(c, ILP_SEND, c->ways[ILP_SEND][w].loop[isa], &s, given, wire, cases[i].text, cases[i].len);
					ck_assert_int_eq(ilp_value(c, &s, "poly1305", got, 16), 0);
					ck_assert_mem_eq(got, cases[i].tag, 16);
				}
}
END_TEST

/* One bit of what was sent is another: EBADMSG, in whatever byte; and so is what is cut short. */
START_TEST(forged)
{
	static const char *const names[] = { "encrypt_then_mac", "mac_then_encrypt" };
	struct ilp_any s;

	set_keys();
	for (int k = 0; k < 2; k++) {
		const struct ilp_chain *c = ilp_find(names[k]);
		ilp_loop *out = ilp_pick(c, ILP_SEND, ILP_FUSED), *in = ilp_pick(c, ILP_RECV, ILP_FUSED);
		const int n = through(c, ILP_SEND, out, &s, keys, wire, data, 100);
		ck_assert_int_eq(n, 116);
		for (int i = 0; i < n; i++) {
			wire[i] ^= (uint8_t)(1 << i % 8);
			ck_assert_int_eq(through(c, ILP_RECV, in, &s, keys, want, wire, 116), -ILP_EBADMSG);
			wire[i] ^= (uint8_t)(1 << i % 8);
			ck_assert_int_eq(through(c, ILP_RECV, in, &s, keys, want, wire, (size_t)i), -ILP_EBADMSG);
		}
		ck_assert_int_eq(through(c, ILP_RECV, in, &s, keys, want, wire, 116), 100);
		ck_assert_mem_eq(want, data, 100);
	}
}
END_TEST

int main(void)
{
	Suite *all = suite_create("ilp stages");
	TCase *t = tcase_create("stages");

	fill();
	tcase_set_timeout(t, 300);
	tcase_add_test(t, plain);
	tcase_add_test(t, rfc3720);
	tcase_add_test(t, both_orders);
	tcase_add_test(t, rfc8439);
	tcase_add_test(t, forged);
	suite_add_tcase(all, t);
	return run_tests(srunner_create(all));
}

/* The stages against what their standards print and against other implementations: RFC 8439 (2.3.2), (2.4.2),
 * (A.1), (A.2) and OpenSSL for chacha20; RFC 1071 (3) and a sum of bytes for inet_checksum; RFC 4506 for xdr_u32. Every
 * schedule and instruction set that this CPU has. And for every chain, where memory ends. */
#include "ilp/ilp.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 16384

static unsigned long *compared; /* shared with the children that Check forks */

static void expect_mem(const char *what, const void *got, const void *want, size_t n)
{
	__atomic_fetch_add(compared, 1, __ATOMIC_RELAXED);
	ck_assert_msg(memcmp(got, want, n) == 0, "%s: %zu bytes differ", what, n);
}

static void expect_sum(const char *what, uint16_t got, uint16_t want)
{
	__atomic_fetch_add(compared, 1, __ATOMIC_RELAXED);
	ck_assert_msg(got == want, "%s: sum %04x, expected %04x", what, got, want);
}

/* Bytes of hexadecimal text, blanks ignored. */
static size_t unhex(uint8_t *to, const char *text)
{
	size_t n = 0;
	unsigned byte;

	while (sscanf(text, "%2x", &byte) == 1) {
		to[n++] = (uint8_t)byte;
		text += strspn(text, " ") + 2;
		text += strspn(text, " ");
	}
	return n;
}

/* One's-complement sum as RFC 1071 (1) words it, in network order. */
static uint16_t plain_sum(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Whole words to or from network order; the two are the same. */
static void plain_xdr(uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 4 <= n; i += 4) {
		uint32_t w;
		memcpy(&w, p + i, 4);
		w = htonl(w);
		memcpy(p + i, &w, 4);
	}
}

/* Calls check with every loop that runs here. */
typedef void check(const struct ilp_chain *, enum ilp_direction, unsigned, ilp_loop *);
static void each_loop(const char *chain, check *f)
{
	const struct ilp_chain *c = ilp_find(chain);

	ck_assert_ptr_nonnull(c);
	for (int d = 0; d < ILP_DIRECTIONS; d++)
		for (unsigned k = 0; k < c->way_count[d]; k++)
			for (int isa = 0; isa < ILP_ISAS; isa++)
				if (c->ways[d][k].loop[isa] && ilp_isa_here((enum ilp_isa)isa))
					f(c, (enum ilp_direction)d, k, c->ways[d][k].loop[isa]);
}

/* A whole ADU through a loop; returns the sum. */
static uint16_t adu(const struct ilp_chain *c, enum ilp_direction d, ilp_loop *loop, struct ilp_any *s, uint8_t *dst,
		    const uint8_t *src, size_t n)
{
	static uint8_t tmp[ROOM];

	c->begin(s);
	const size_t done = loop(s, dst, src, n, tmp);
	const int more = c->end[d](s, dst + done);
	ck_assert_int_ge(more, 0);
	ck_assert_uint_eq(done + (size_t)more, n);
	return c->sum(s);
}

/* Memory ----------------------------------------------------------------------------------------------------- */

/* Memory that ends where no byte may be touched; never unmapped. */
static uint8_t *fence(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(p != MAP_FAILED);
	ck_assert_int_eq(mprotect(p + ROOM, page, PROT_NONE), 0);
	return p + ROOM;
}

/* Neither what is read, nor what is written, nor scratch memory is touched beyond its end: not even by a stage in the
 * middle of a chain, which reads what the one before has written. Lengths about the turns of every loop. */
static void check_ends(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	static uint8_t *src, *dst, *tmp;
	struct ilp_any s = {0};

	if (!src)
		src = fence(), dst = fence(), tmp = fence();
	for (size_t n = 0; n <= 4 * 1024 + 64; n += n < 160 ? 1 : 32) {
		const size_t room = ilp_scratch(c, d, k, n);
		uint8_t *to = dst - (c->keeps ? n : ilp_room(c, d, n));
		c->begin(&s);
		to += loop(&s, to, src - n, n, room ? tmp - room : NULL);
		c->end[d](&s, to);
	}
	/* In two pieces, anywhere: the second may be just what an incomplete unit lacks. */
	for (size_t n = 0; n <= 72 && !c->whole[d]; n++)
		for (size_t cut = 0; cut <= n; cut++) {
			uint8_t *to = dst - (c->keeps ? n : ilp_room(c, d, n));
			c->begin(&s);
			to += loop(&s, to, src - n, cut, tmp - ROOM);
			to += loop(&s, to, src - n + cut, n - cut, tmp - ROOM);
			c->end[d](&s, to);
		}
	__atomic_fetch_add(compared, 1, __ATOMIC_RELAXED);
}

START_TEST(ends)
{
	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		each_loop((*c)->name, check_ends);
}
END_TEST

/* ChaCha20 --------------------------------------------------------------------------------------------------- */

struct cipher {
	const char *where, *key, *nonce;
	uint32_t counter;
	const char *in, *out; /* in NULL: zeros, out is the keystream */
};

#define Z16 "00000000000000000000000000000000"
#define KEY_0_TO_31 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
static const struct cipher ciphers[] = {
	{ "RFC 8439 (2.3.2)", KEY_0_TO_31, "000000090000004a00000000", 1, NULL,
	  "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
	  "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e" },
	{ "RFC 8439 (2.4.2)", KEY_0_TO_31, "000000000000004a00000000", 1,
	  "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
	  "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
	  "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
	  "637265656e20776f756c642062652069742e",
	  "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b"
	  "f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8"
	  "07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736"
	  "5af90bbf74a35be6b40b8eedf2785e42874d" },
	{ "RFC 8439 (A.1) 1", Z16 Z16, "000000000000000000000000", 0, NULL,
	  "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
	  "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586" },
	{ "RFC 8439 (A.1) 2", Z16 Z16, "000000000000000000000000", 1, NULL,
	  "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
	  "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f" },
	{ "RFC 8439 (A.1) 3", Z16 "00000000000000000000000000000001", "000000000000000000000000", 1, NULL,
	  "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
	  "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0" },
	{ "RFC 8439 (A.1) 4", "00ff0000000000000000000000000000" Z16, "000000000000000000000000", 2, NULL,
	  "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
	  "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096" },
	{ "RFC 8439 (A.1) 5", Z16 Z16, "000000000000000000000002", 0, NULL,
	  "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
	  "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d" },
	{ "RFC 8439 (A.2) 1", Z16 Z16, "000000000000000000000000", 0, Z16 Z16 Z16 Z16,
	  "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
	  "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586" },
	{ "RFC 8439 (A.2) 3", "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
	  "000000000000000000000002", 42,
	  "2754776173206272696c6c69672c20616e642074686520736c6974687920746f"
	  "7665730a446964206779726520616e642067696d626c6520696e207468652077"
	  "6162653a0a416c6c206d696d737920776572652074686520626f726f676f7665"
	  "732c0a416e6420746865206d6f6d65207261746873206f757467726162652e",
	  "62e6347f95ed87a45ffae7426f27a1df5fb69110044c0d73118effa95b01e5cf"
	  "166d3df2d721caf9b21e5fb14c616871fd84c54f9d65b283196c7fe4f60553eb"
	  "f39c6402c42234e32a356b3e764312a61a5532055716ead6962568f87d3f3f77"
	  "04c6a8d1bcd1bf4d50d6154b6da731b187b58dfd728afa36757a797ac188d1" },
};

static void set_cipher(const struct ilp_chain *c, struct ilp_any *s, const uint8_t *key, const uint8_t *nonce,
		       uint32_t counter)
{
	ck_assert_int_eq(ilp_set(c, s, "chacha20.key", key, 32), 0);
	ck_assert_int_eq(ilp_set(c, s, "chacha20.nonce", nonce, 12), 0);
	ck_assert_int_eq(ilp_set(c, s, "chacha20.counter", &counter, 4), 0);
}

static void check_ciphers(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	(void)k;
	for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
		uint8_t key[32], nonce[12], in[512] = {0}, out[512], got[512];
		struct ilp_any s = {0};
		ck_assert_uint_eq(unhex(key, ciphers[i].key), 32);
		ck_assert_uint_eq(unhex(nonce, ciphers[i].nonce), 12);
		const size_t n = unhex(out, ciphers[i].out);
		if (ciphers[i].in)
			ck_assert_uint_eq(unhex(in, ciphers[i].in), n);
		set_cipher(c, &s, key, nonce, ciphers[i].counter);
		const uint16_t sum = adu(c, d, loop, &s, got, in, n);
		expect_mem(ciphers[i].where, got, out, n);
		expect_sum(ciphers[i].where, ntohs(sum), plain_sum(d == ILP_SEND ? out : in, n));
	}
}

START_TEST(rfc8439)
{
	each_loop("chacha20_copy_sum", check_ciphers);
}
END_TEST

static void openssl(uint8_t *out, const uint8_t *in, size_t n, const uint8_t *key, const uint8_t *nonce,
		    uint32_t counter)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t iv[16];
	int len = 0;

	for (int i = 0; i < 4; i++)
		iv[i] = (uint8_t)(counter >> 8 * i);
	memcpy(iv + 4, nonce, 12);
	ck_assert_int_eq(EVP_EncryptInit_ex(ctx, EVP_chacha20(), NULL, key, iv), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &len, in, (int)n), 1);
	EVP_CIPHER_CTX_free(ctx);
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(random() >> 7);
}

static void check_openssl(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	static uint8_t in[ROOM], out[ROOM], got[ROOM];
	const bool xdr = strstr(c->stages, "xdr_u32") != NULL;

	(void)k;
	for (int turn = 0; turn < 60; turn++) {
		uint8_t key[32], nonce[12];
		struct ilp_any s = {0};
		const size_t n = (size_t)random() % (turn % 2 ? 300 : ROOM);
		/* Far from 2^32, where OpenSSL carries into the nonce and RFC 8439 does not. */
		const uint32_t counter = (uint32_t)random() & 0x7fffffff;
		fill(key, 32);
		fill(nonce, 12);
		fill(in, n);
		set_cipher(c, &s, key, nonce, counter);
		memcpy(out, in, n);
		if (xdr && d == ILP_SEND)
			plain_xdr(out, n);
		openssl(out, out, n, key, nonce, counter);
		if (xdr && d == ILP_RECV)
			plain_xdr(out, n);
		const uint16_t sum = adu(c, d, loop, &s, got, in, n);
		expect_mem("OpenSSL", got, out, n);
		expect_sum("OpenSSL", ntohs(sum), plain_sum(d == ILP_SEND ? out : in, n));
	}
}

START_TEST(against_openssl)
{
	srandom(8439);
	each_loop("chacha20_copy_sum", check_openssl);
	each_loop("xdr_chacha20_copy_sum", check_openssl);
}
END_TEST

/* RFC 8439 (2.3): the counter is 32 bits, and block 2^32 - 1 is followed by block 0. */
static void check_counter(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	static uint8_t zeros[4096], whole[4096], from_0[4096];
	const uint8_t key[32] = { 1 }, nonce[12] = { 2 };
	struct ilp_any s = {0};

	(void)k;
	set_cipher(c, &s, key, nonce, 0xfffffffe);
	adu(c, d, loop, &s, whole, zeros, sizeof whole);
	set_cipher(c, &s, key, nonce, 0);
	adu(c, d, loop, &s, from_0, zeros, sizeof from_0);
	expect_mem("the counter wraps", whole + 128, from_0, sizeof whole - 128);
}

START_TEST(counter_wraps)
{
	each_loop("chacha20_copy_sum", check_counter);
}
END_TEST

/* Places of which 32 bits do not hold the byte, or not the block: 2^32 bytes, 2^38 bytes. What came before is not run:
 * the state of an ADU under way is its place alone. */
static void check_far(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	static const uint64_t edges[] = { UINT64_C(1) << 32, UINT64_C(5) << 32, UINT64_C(1) << 38, UINT64_C(7) << 38 };
	static const unsigned before[] = { 4096, 1024, 576, 68, 4, 0 };
	static uint8_t in[ROOM], out[ROOM + 64], got[ROOM], tmp[ROOM];
	/* More than the widest turns on either side of the edge; the cut, beyond most edges, and the end leave units
	 * incomplete, whose places are the held bytes'. */
	const size_t n = 6003, cut = 3001;
	const bool xdr = strstr(c->stages, "xdr_u32") != NULL;

	(void)k;
	for (size_t i = 0; i < 24; i++) {
		const uint64_t pos = edges[i / 6] - before[i % 6];
		const size_t skip = pos % 64;
		uint8_t key[32], nonce[12];
		struct ilp_any s = {0};
		struct ilp_state head;
		const uint32_t counter = 0x01020304;
		fill(key, 32);
		fill(nonce, 12);
		fill(in, n);
		set_cipher(c, &s, key, nonce, counter);
		c->begin(&s);
		memcpy(&head, &s, sizeof head);
		head.pos = pos;
		memcpy(&s, &head, sizeof head);
		memcpy(out + skip, in, n);
		if (xdr && d == ILP_SEND)
			plain_xdr(out + skip, n);
		openssl(out, out, skip + n, key, nonce, counter + (uint32_t)(pos / 64));
		if (xdr && d == ILP_RECV)
			plain_xdr(out + skip, n);
		size_t done = loop(&s, got, in, cut, tmp);
		done += loop(&s, got + done, in + cut, n - cut, tmp);
		ck_assert_uint_eq(done + (size_t)c->end[d](&s, got + done), n);
		expect_mem("far from the beginning", got, out + skip, n);
	}
}

START_TEST(far_places)
{
	srandom(38);
	each_loop("chacha20_copy_sum", check_far);
	each_loop("xdr_chacha20_copy_sum", check_far);
}
END_TEST

/* The Internet checksum ---------------------------------------------------------------------------------------- */

static void check_rfc1071(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint8_t got[8];
	struct ilp_any s = {0};

	(void)k;
	expect_sum("RFC 1071 (3)", ntohs(adu(c, d, loop, &s, got, example, 8)), 0xddf2);
	expect_mem("RFC 1071 (3)", got, example, 8);
}

static void check_sums(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	static uint8_t in[ROOM], got[ROOM];
	struct ilp_any s = {0};

	(void)k;
	fill(in, sizeof in);
	for (size_t n = 0; n < 700; n++) {
		expect_sum("random", ntohs(adu(c, d, loop, &s, got, in, n)), plain_sum(in, n));
		expect_mem("random", got, in, n);
	}
	memset(in, 0xff, sizeof in);
	for (size_t n = ROOM - 9; n <= ROOM; n++)
		expect_sum("ones", ntohs(adu(c, d, loop, &s, got, in, n)), plain_sum(in, n));
}

/* So many words of ones that, of what their sum is folded to, the last carry makes another: nothing shorter does. Only
 * where the sum is of what comes in is it of these words, whatever stands between. */
static void check_carries(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	const size_t n = (0x10000 + 2) * 4;
	const uint32_t last = 0x10000;
	uint8_t *in = malloc(n), *got = malloc(n), *tmp = malloc(ilp_scratch(c, d, k, n) + 1);
	struct ilp_any s = {0};

	ck_assert(in && got && tmp);
	memset(in, 0xff, n);
	memcpy(in + n - 4, &last, 4);
	c->begin(&s);
	const size_t done = loop(&s, got, in, n, tmp);
	ck_assert_uint_eq(done + (size_t)c->end[d](&s, got + done), n);
	const uint16_t sum = c->sum(&s);
	expect_sum("carries", ntohs(sum), plain_sum(d == ILP_SEND ? got : in, n));
	free(in);
	free(got);
	free(tmp);
}

START_TEST(rfc1071)
{
	each_loop("copy_sum", check_rfc1071);
	each_loop("copy_sum", check_sums);
	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		if ((*c)->sum && (*c)->keeps)
			each_loop((*c)->name, check_carries);
}
END_TEST

/* XDR ---------------------------------------------------------------------------------------------------------- */

/* RFC 4506 (4.2): an unsigned integer is sent most significant byte first. 3 bytes more are no integer. */
static void check_xdr(const struct ilp_chain *c, enum ilp_direction d, unsigned k, ilp_loop *loop)
{
	const uint8_t wire[] = { 0x00, 0x00, 0x00, 0x01, 0xde, 0xad, 0xbe, 0xef, 0x80, 0x00, 0x00, 0x00, 7, 8, 9 };
	const uint32_t value[] = { 1, 0xdeadbeef, 0x80000000 };
	uint8_t host[15] = { [12] = 7, 8, 9 }, got[15];
	struct ilp_any s = {0};

	(void)k;
	memcpy(host, value, sizeof value);
	const uint16_t sum = adu(c, d, loop, &s, got, d == ILP_SEND ? host : wire, 15);
	expect_mem("RFC 4506 (4.2)", got, d == ILP_SEND ? wire : host, 15);
	expect_sum("RFC 4506 (4.2)", ntohs(sum), plain_sum(wire, 15));
}

START_TEST(rfc4506)
{
	each_loop("xdr_copy_sum", check_xdr);
}
END_TEST

/* The calls of ilp.h ------------------------------------------------------------------------------------------- */

START_TEST(calls)
{
	const struct ilp_chain *c = ilp_find("xdr_chacha20_copy_sum"), *plain = ilp_find("copy_sum");
	struct ilp_any s = {0};
	uint8_t key[32] = {0};

	ck_assert_ptr_nonnull(c);
	ck_assert_ptr_null(ilp_find("no such chain"));
	ck_assert_int_eq(ilp_set(c, &s, "chacha20.key", key, 31), -EINVAL);
	ck_assert_int_eq(ilp_set(c, &s, "chacha20.keys", key, 32), -ENOENT);
	ck_assert_int_eq(ilp_set(plain, &s, "chacha20.key", key, 32), -ENOENT);
	ck_assert_uint_eq(c->unit, 4);
	ck_assert_uint_eq(plain->unit, 1);
	ck_assert_uint_eq(c->block, 64);
	ck_assert_uint_eq(ilp_scratch(c, ILP_SEND, ILP_FUSED, 9999), 0);
	ck_assert_uint_eq(ilp_scratch(c, ILP_SEND, ILP_LAYERED, 9999), 10112); /* and what waits, twice, in whole lines */
	ck_assert_uint_ge(ilp_scratch(c, ILP_SEND, ILP_TILED, 999999), ILP_TILE_MAX);
	ck_assert_uint_eq(ilp_scratch(c, ILP_RECV, ILP_LAYERED, 9999), 0);
	setenv("ILP_ISA", "scalar", 1);
	ck_assert(ilp_pick(c, ILP_SEND, ILP_FUSED) == c->ways[ILP_SEND][ILP_FUSED].loop[ILP_SCALAR]);
	unsetenv("ILP_ISA");
	ilp_loop *best = ilp_pick(c, ILP_RECV, ILP_TILED);
	for (int isa = ILP_ISAS - 1; isa >= 0; isa--)
		if (c->ways[ILP_RECV][ILP_TILED].loop[isa] && ilp_isa_here((enum ilp_isa)isa)) {
			ck_assert(best == c->ways[ILP_RECV][ILP_TILED].loop[isa]);
			break;
		}
	for (const struct ilp_chain *const *a = ilp_chains; a[0] && a[1]; a++)
		ck_assert_int_lt(strcmp(a[0]->name, a[1]->name), 0);
}
END_TEST

int main(void)
{
	Suite *all = suite_create("ilp vectors");
	TCase *t = tcase_create("stages");

	compared = mmap(NULL, sizeof *compared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (compared == MAP_FAILED)
		return 2;
	tcase_set_timeout(t, 120);
	tcase_add_test(t, ends);
	tcase_add_test(t, rfc8439);
	tcase_add_test(t, against_openssl);
	tcase_add_test(t, counter_wraps);
	tcase_add_test(t, far_places);
	tcase_add_test(t, rfc1071);
	tcase_add_test(t, rfc4506);
	tcase_add_test(t, calls);
	suite_add_tcase(all, t);
	SRunner *runner = srunner_create(all);
	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	printf("ilp vectors: %lu comparisons\n", *compared);
	srunner_free(runner);
	return failed > 0;
}

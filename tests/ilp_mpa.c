/* FPDUs (RFC 5044), whose data chains mark, convert or encipher, copy and sum, and whose CRC covers the marks: against
 * plain code that lays a stream out byte by byte, wherever in it an FPDU begins, and OpenSSL. Every way and instruction
 * set that this CPU has. */
#include "ilp/ilp.h"
#include "tests/run.h"

#include <check.h>
#include <endian.h>
#include <openssl/evp.h>
#include <string.h>

#define LONGEST 2600
#define ROOM (2 * LONGEST + 4096)
#define HEADER 20
#define TAG 16

static uint8_t data[LONGEST], tmp[8 * ROOM];
static const uint8_t key[32] = "no secret at all, for any cipher", nonce[12] = "once is best";

static void fill(void)
{
	uint64_t x = 5044;

	for (size_t i = 0; i < LONGEST; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		data[i] = (uint8_t)(x >> 56);
	}
}

/* RFC 3720 (12.1), bit by bit: c is the CRC of what came before, 0 of nothing. */
static uint32_t crc(uint32_t c, const uint8_t *p, size_t n)
{
	c = ~c;
	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
	}
	return ~c;
}

/* A stretch of the stream: bytes from place `at` on, marked where the stream is, for an FPDU that begins at `fpdu`. */
struct stretch {
	uint8_t bytes[ROOM];
	size_t n, at, fpdu;
	bool marked;
};

/* If it is due: RFC 5044 (4.3). */
static void put_mark(struct stretch *s)
{
	const size_t place = s->at + s->n;
	const uint32_t mark = htobe32(place < s->fpdu ? 0 : (uint32_t)(place - s->fpdu) & 0xffff);

	if (!s->marked || place % 512 != 0)
		return;
	memcpy(s->bytes + s->n, &mark, 4);
	s->n += 4;
}

static void put(struct stretch *s, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put_mark(s);
		s->bytes[s->n++] = from[i];
	}
}

static void convert(uint8_t *to, const uint8_t *from, size_t n)
{
	memcpy(to, from, n);
	for (size_t i = 0; i + 4 <= n; i += 4) {
		uint32_t w;
		memcpy(&w, from + i, 4);
		w = htobe32(w);
		memcpy(to + i, &w, 4);
	}
}

/* What a chain does before the marks. */
struct kind {
	const char *chain;
	bool marked, converted;
	const char *pair, *cipher; /* what it is called in the chain, and by OpenSSL; or NULL */
};

/* The header is authenticated with the data, and the tag goes behind that. Returns how many bytes come out. */
static size_t encipher(const struct kind *k, uint8_t *to, const uint8_t *from, size_t n)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, k->cipher, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len;

	ck_assert(EVP_EncryptInit_ex2(ctx, cipher, key, nonce, NULL) && EVP_EncryptUpdate(ctx, NULL, &len, data, HEADER) &&
		EVP_EncryptUpdate(ctx, to, &len, from, (int)n) && EVP_EncryptFinal_ex(ctx, to + n, &len) &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, to + n));
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return n + TAG;
}

/* An FPDU: its header and data, which come to these parameters and that CRC. */
struct fpdu {
	const struct kind *kind;
	struct stretch header, body;
	uint32_t place, base, before, crc; /* as they are set, and read */
	size_t n;
};

static void lay_out(struct fpdu *f, const struct kind *k, size_t at, size_t n)
{
	static uint8_t made[LONGEST + TAG];
	const size_t fpdu = at + (k->marked && at % 512 == 0 ? 4 : 0); /* the mark there is its own */
	size_t len = n;

	f->kind = k;
	f->header = (struct stretch){ .at = at, .fpdu = fpdu, .marked = k->marked };
	put(&f->header, data, HEADER);
	if (n % 2) /* a mark that is due now is put with the header, else with the data */
		put_mark(&f->header);
	f->body = (struct stretch){ .at = at + f->header.n, .fpdu = fpdu, .marked = k->marked };
	if (k->cipher)
		len = encipher(k, made, data + HEADER, n);
	else if (k->converted)
		convert(made, data + HEADER, n);
	else
		memcpy(made, data + HEADER, n);
	put(&f->body, made, len);
	f->place = htole32((uint32_t)f->body.at);
	f->base = htole32((uint32_t)(f->body.at - fpdu));
	const uint32_t before = crc(0, f->header.bytes, f->header.n);
	f->before = htole32(before);
	f->crc = htole32(crc(before, f->body.bytes, f->body.n));
	f->n = n;
}

static void set(const struct ilp_chain *c, struct ilp_any *s, const char *stage, const char *name, const void *value)
{
	char full[64];

	snprintf(full, sizeof full, "%s.%s", stage, name);
	const struct ilp_param *p = ilp_find_param(c, full);
	ck_assert_ptr_nonnull(p);
	ilp_put(p, s, value);
}

static void begin(const struct ilp_chain *c, struct ilp_any *s, const struct fpdu *f)
{
	memset(s, 0, sizeof *s);
	if (f->kind->pair) {
		set(c, s, f->kind->pair, "key", key);
		set(c, s, f->kind->pair, "nonce", nonce);
	}
	if (f->kind->marked) {
		ck_assert_int_eq(ilp_set(c, s, "mpa_marker.place", &f->place, 4), 0);
		ck_assert_int_eq(ilp_set(c, s, "mpa_marker.base", &f->base, 4), 0);
	}
	ck_assert_int_eq(ilp_set(c, s, "crc32c.before", &f->before, 4), 0);
	c->begin(s);
	if (c->associate)
		c->associate(s, data, HEADER);
}

/* Runs it, cut somewhere; returns what end() says, or the bytes that came out. */
static int run(const struct ilp_chain *c, enum ilp_direction d, ilp_loop *loop, struct ilp_any *s, const struct fpdu *f,
	uint8_t *dst, const uint8_t *src, size_t n, size_t cut)
{
	begin(c, s, f);
	size_t out = loop(s, dst, src, cut, tmp);
	out += loop(s, dst + out, src + cut, n - cut, tmp);
	const int more = c->end[d](s, dst + out);
	return more < 0 ? more : (int)out + more;
}

static unsigned compare(const struct ilp_chain *c, const struct fpdu *f)
{
	static uint8_t got[ROOM];
	unsigned tried = 0;
	struct ilp_any s;
	uint32_t value;

	for (enum ilp_direction d = 0; d < ILP_DIRECTIONS; d++)
		for (unsigned w = 0; w < c->way_count[d]; w++)
			for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++) {
				ilp_loop *loop = c->ways[d][w].loop[isa];
				const bool send = d == ILP_SEND;
				const uint8_t *from = send ? data + HEADER : f->body.bytes, *to = send ? f->body.bytes : data + HEADER;
				const size_t n = send ? f->n : f->body.n, len = send ? f->body.n : f->n;
				if (!loop || !ilp_isa_here(isa))
					continue;
				const size_t cut = (tried++ * 37 + f->place) % (n + 1);
				ck_assert_int_eq(run(c, d, loop, &s, f, got, from, n, cut), (int)len);
				ck_assert_msg(memcmp(got, to, len) == 0, "%s, %s %s %s, %zu bytes at %u, cut at %zu", c->name,
					send ? "send" : "recv", c->ways[d][w].name, ilp_isa_name(isa), n, f->place, cut);
				ck_assert_int_eq(ilp_value(c, &s, "crc32c", &value, 4), 0);
				ck_assert_msg(value == f->crc, "%s, %s %s %s, %zu bytes at %u, cut at %zu: CRC %08x", c->name,
					send ? "send" : "recv", c->ways[d][w].name, ilp_isa_name(isa), n, f->place, cut, value);
			}
	return tried;
}

static const struct kind kinds[] = {
	{ "crc32c_copy_sum", false, false, NULL, NULL },
	{ "xdr_crc32c_copy_sum", false, true, NULL, NULL },
	{ "marker_crc32c_copy_sum", true, false, NULL, NULL },
	{ "xdr_marker_crc32c_copy_sum", true, true, NULL, NULL },
	{ "aes256_gcm_crc32c_copy_sum", false, false, "aes256_gcm", "AES-256-GCM" },
	{ "aes256_gcm_marker_crc32c_copy_sum", true, false, "aes256_gcm", "AES-256-GCM" },
};
#define KINDS ((int)(sizeof kinds / sizeof kinds[0]))

/* Wherever in the stream it begins, and of lengths of which some end at a mark. */
START_TEST(everywhere)
{
	static const size_t lengths[] = { 0, 1, 3, 4, 5, 16, 100, 487, 488, 492, 508, 509, 1000, 1422, 2500 };
	const struct ilp_chain *c = ilp_find(kinds[_i].chain);
	static struct fpdu f;
	unsigned tried = 0;

	ck_assert_ptr_nonnull(c);
	ck_assert(c->way_count[ILP_SEND] > 3);
	for (size_t at = 0; at < 512; at += kinds[_i].pair ? 20 : 4)
		for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
			lay_out(&f, &kinds[_i], at, lengths[k]);
			tried += compare(c, &f);
		}
	ck_assert_uint_gt(tried, 26 * 15 * 8);
	/* Places count modulo 2^32, distances of marks modulo 2^16. */
	lay_out(&f, &kinds[_i], 0x1fffffff4, 2000);
	compare(c, &f);
}
END_TEST

/* Marks that point elsewhere are refused, even if the CRC is made to fit, but not for bits that RFC 5044 (4.3) says are
 * ignored; and so is what is forged. Of all bytes the CRC tells, whatever else is wrong. */
START_TEST(lies)
{
	const struct ilp_chain *c = ilp_find(kinds[_i].chain);
	ilp_loop *in = ilp_pick(c, ILP_RECV, ILP_FUSED);
	static const uint8_t heeded[4] = { 0, 0, 0xff, 0xfc };
	static uint8_t got[ROOM];
	static struct fpdu f;
	struct ilp_any s;
	unsigned marks = 0;
	uint32_t value;

	lay_out(&f, &kinds[_i], 300, 1400);
	for (size_t i = 0; i < f.body.n; i++) {
		const bool mark = f.kind->marked && (f.body.at + i) % 512 < 4;
		const uint8_t flip = (uint8_t)(1 << i % 8);
		f.body.bytes[i] ^= flip;
		const int n = run(c, ILP_RECV, in, &s, &f, got, f.body.bytes, f.body.n, i);
		const bool bad = mark ? flip & heeded[(f.body.at + i) % 512] : f.kind->pair != NULL;
		ck_assert_int_eq(n, bad ? -ILP_EBADMSG : (int)f.n);
		ck_assert_int_eq(ilp_value(c, &s, "crc32c", &value, 4), 0);
		ck_assert_uint_ne(value, f.crc);
		ck_assert_uint_eq(le32toh(value), crc(le32toh(f.before), f.body.bytes, f.body.n));
		f.body.bytes[i] ^= flip;
		marks += mark;
	}
	ck_assert_uint_eq(marks, f.kind->marked ? 3 * 4 : 0);
}
END_TEST

int main(void)
{
	Suite *all = suite_create("ilp mpa");
	TCase *t = tcase_create("mpa");

	fill();
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, everywhere, 0, KINDS);
	tcase_add_loop_test(t, lies, 0, KINDS);
	suite_add_tcase(all, t);
	return run_tests(srunner_create(all));
}

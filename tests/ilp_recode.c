/* Stages that change how long the data is: base64 against RFC 4648 (10) and OpenSSL, cobs against the examples of its
 * paper's method and plain code, packed_record against the C compiler; and what they refuse. A tap shows what passes.
 * Every way and instruction set that this CPU has. */
#include "ilp/ilp.h"
#include "tests/load_place.h"
#include "tests/run.h"

#include <check.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 2000
#define ROOM (4 * LONGEST + 4096)

static uint8_t data[LONGEST], got[ROOM], tmp[8 * ROOM];

/* Random bytes, some of them zeros. */
static void fill(void)
{
	uint64_t x = 7;

	for (size_t i = 0; i < LONGEST; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		data[i] = x >> 40 & 15 ? (uint8_t)(x >> 56) : 0;
	}
}

typedef void trial(const struct ilp_chain *, enum ilp_direction, ilp_loop *, const void *);

static const struct ilp_chain *bare; /* cobs alone, with nothing behind it that would see what it lets through */

/* Calls f with every loop of that direction that runs here. */
static void each_loop(const char *name, enum ilp_direction d, trial *f, const void *with)
{
	const struct ilp_chain *c = name ? ilp_find(name) : bare;

	ck_assert_ptr_nonnull(c);
	for (unsigned w = 0; w < c->way_count[d]; w++)
		for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++)
			if (c->ways[d][w].loop[isa] && ilp_isa_here(isa))
				f(c, d, c->ways[d][w].loop[isa], with);
}

/* An ADU in two pieces: the bytes that come out, in got, or what end says. */
static int through(const struct ilp_chain *c, enum ilp_direction d, ilp_loop *loop, const void *from, size_t n,
	size_t cut)
{
	struct ilp_any s = {0};
	const uint8_t *src = from;

	c->begin(&s);
	size_t out = loop(&s, got, src, cut, tmp);
	out += loop(&s, got + out, src + cut, n - cut, tmp);
	ck_assert_uint_le(out, ilp_room(c, d, n));
	const int more = c->end[d](&s, got + out);
	return more < 0 ? more : (int)out + more;
}

struct pair {
	const void *plain, *wire;
	size_t plain_len, wire_len;
};

static void check_pair(const struct ilp_chain *c, enum ilp_direction d, ilp_loop *loop, const void *with)
{
	const struct pair *p = with;
	const bool send = d == ILP_SEND;
	const size_t n = send ? p->plain_len : p->wire_len, want = send ? p->wire_len : p->plain_len;

	for (size_t cut = 0; cut <= n; cut += n < 40 ? 1 : n / 3) {
		ck_assert_int_eq(through(c, d, loop, send ? p->plain : p->wire, n, cut), (int)want);
		ck_assert_mem_eq(got, send ? p->wire : p->plain, want);
	}
}

/* These bytes on the wire are refused, however they are cut. */
static void check_refused(const struct ilp_chain *c, enum ilp_direction d, ilp_loop *loop, const void *with)
{
	const struct pair *p = with;

	ck_assert_int_eq(through(c, d, loop, p->wire, p->wire_len, p->wire_len), -ILP_EBADMSG);
	ck_assert_int_eq(through(c, d, loop, p->wire, p->wire_len, p->wire_len / 2), -ILP_EBADMSG);
}

static void both_ways(const char *name, const void *plain, size_t plain_len, const void *wire, size_t wire_len)
{
	const struct pair p = { plain, wire, plain_len, wire_len };

	each_loop(name, ILP_SEND, check_pair, &p);
	each_loop(name, ILP_RECV, check_pair, &p);
}

static void refused(const char *name, const void *wire, size_t len)
{
	each_loop(name, ILP_RECV, check_refused, &(struct pair){ NULL, wire, 0, len });
}

/* Base64 ----------------------------------------------------------------------------------------------------------- */

START_TEST(rfc4648)
{
	static const char *const vectors[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };

	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		both_ways("base64_copy_sum", vectors[i][0], strlen(vectors[i][0]), vectors[i][1], strlen(vectors[i][1]));
}
END_TEST

START_TEST(against_openssl)
{
	static uint8_t text[2 * LONGEST], all[256 * 3];

	for (size_t n = 0; n <= LONGEST; n += n < 260 ? 1 : 97) {
		const int len = EVP_EncodeBlock(text, data, (int)n);
		both_ways("base64_copy_sum", data, n, text, (size_t)len);
	}
	/* All values of six bits, in all places. */
	for (unsigned i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)(i * 85 >> (i & 3));
	both_ways("base64_copy_sum", all, sizeof all, text, (size_t)EVP_EncodeBlock(text, all, sizeof all));
}
END_TEST

/* RFC 4648 (3.3): other characters; (3.5): bits behind the data that are not 0; and what is not filled up. */
START_TEST(base64_refuses)
{
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=Zg=", "Zg=g", "Zm9v=", "Zh==", "Zm9=",
		"Zg==Zg==", "Zg==Zm9v", "Zm8=Zm9v", "Zm9vZh==", "Zm9vZm9=", "Zm9v\n", "Zm 9v", "Zm9v====" };
	uint8_t text[300];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refused("base64_copy_sum", bad[i], strlen(bad[i]));
	const size_t len = (size_t)EVP_EncodeBlock(text, data, 210);
	for (int byte = 0; byte < 256; byte++) {
		const size_t at = (size_t)byte * 37 % (len - 4);
		const uint8_t was = text[at];
		if (byte && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", byte))
			continue;
		text[at] = (uint8_t)byte;
		refused("base64_copy_sum", text, len);
		text[at] = was;
	}
	for (size_t at = 0; at < len; at++) {
		const uint8_t was = text[at];
		text[at] ^= 0x80;
		refused("base64_copy_sum", text, len);
		text[at] = was;
	}
	both_ways("base64_copy_sum", data, 210, text, len);
}
END_TEST

/* COBS ------------------------------------------------------------------------------------------------------------- */

/* Plain code: a piece is what stands before a zero, or 254 bytes without one. */
static size_t stuffed(uint8_t *to, const uint8_t *from, size_t n)
{
	size_t out = 1, code = 0;

	for (size_t i = 0; i < n; i++) {
		if (from[i] != 0)
			to[out++] = from[i];
		if (from[i] == 0 || out - code == 255) {
			to[code] = (uint8_t)(out - code);
			code = out++;
		}
	}
	to[code] = (uint8_t)(out - code);
	return out;
}

/* The CRC goes first: what is stuffed is the data and four bytes more. */
static size_t framed(uint8_t *to, const uint8_t *from, size_t n)
{
	static uint8_t plain[LONGEST + 4];
	uint32_t c = 0xffffffff;

	memcpy(plain, from, n);
	for (size_t i = 0; i < n; i++) {
		c ^= plain[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
	}
	for (int k = 0; k < 4; k++)
		plain[n + (size_t)k] = (uint8_t)(~c >> 8 * k);
	return stuffed(to, plain, n + 4);
}

START_TEST(cobs)
{
	static const struct {
		uint8_t plain[8], wire[9];
		size_t len;
	} cases[] = {
		{ { 0 }, { 1, 1 }, 1 },
		{ { 0, 0 }, { 1, 1, 1 }, 2 },
		{ { 0, 0x11, 0 }, { 1, 2, 0x11, 1 }, 3 },
		{ { 0x11, 0x22, 0, 0x33 }, { 3, 0x11, 0x22, 2, 0x33 }, 4 },
		{ { 0x11, 0x22, 0x33, 0x44 }, { 5, 0x11, 0x22, 0x33, 0x44 }, 4 },
		{ { 0x11, 0, 0, 0 }, { 2, 0x11, 1, 1, 1 }, 4 },
		{ { 0x45, 0, 0, 0x2c, 0x4c, 0x79, 0, 0 }, { 2, 0x45, 1, 4, 0x2c, 0x4c, 0x79, 1, 1 }, 8 },
	};
	static uint8_t wire[2 * LONGEST], run[600];

	/* The plain code is right. */
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ck_assert_uint_eq(stuffed(wire, cases[i].plain, cases[i].len), cases[i].len + 1);
		ck_assert_mem_eq(wire, cases[i].wire, cases[i].len + 1);
	}
	memset(run, 0xaa, sizeof run);
	ck_assert(stuffed(wire, run, 254) == 256 && wire[0] == 255 && wire[255] == 1);
	ck_assert(stuffed(wire, run, 255) == 257 && wire[0] == 255 && wire[255] == 2);
	for (size_t n = 0; n <= LONGEST; n += n < 300 ? 1 : 83)
		both_ways("crc32c_cobs_copy", data, n, wire, framed(wire, data, n));
	for (size_t n = 240; n <= 600; n++) { /* no zeros, and one */
		both_ways("crc32c_cobs_copy", run, n, wire, framed(wire, run, n));
		run[n - 1] = 0;
		both_ways("crc32c_cobs_copy", run, n, wire, framed(wire, run, n));
		run[n - 1] = 0xaa;
	}
}
END_TEST

START_TEST(cobs_alone)
{
	static uint8_t wire[2 * LONGEST], full[258];

	place_chain("bare", "\"cobs\", \"copy\"");
	bare = place_load("bare");
	for (size_t n = 0; n <= LONGEST; n += n < 300 ? 1 : 83)
		both_ways(NULL, data, n, wire, stuffed(wire, data, n));
	const size_t len = stuffed(wire, data, 600);
	refused(NULL, wire, 0);
	for (size_t at = 0, next = 0; at < len; at++) {
		const uint8_t was = wire[at];
		wire[at] = 0; /* a length, or a byte of the data */
		refused(NULL, wire, len);
		wire[at] = was;
		if (at != next)
			refused(NULL, wire, at); /* cut short */
		else
			next = at + was;
	}
	/* A piece of 254 bytes is followed by another. */
	memset(full, 0x55, sizeof full);
	full[0] = 255;
	refused(NULL, full, 255);
}
END_TEST

/* Structures ------------------------------------------------------------------------------------------------------- */

struct record {
	uint8_t kind;
	uint32_t id;
	uint64_t time;
	uint16_t port;
};
_Static_assert(sizeof(struct record) == 24 && offsetof(struct record, time) == 8, "as packed_record.lua has it");

static size_t packed_by_hand(uint8_t *to, const struct record *r)
{
	const uint64_t fields[][2] = { { r->kind, 1 }, { r->id, 4 }, { r->time, 8 }, { r->port, 2 } };
	size_t n = 0;

	for (int f = 0; f < 4; f++)
		for (uint64_t k = 0; k < fields[f][1]; k++)
			to[n++] = (uint8_t)(fields[f][0] >> 8 * k);
	return n;
}

START_TEST(packed)
{
	static struct record records[40], dirty[40];
	static uint8_t wire[40 * 15];

	for (unsigned i = 0; i < 40; i++) {
		memset(&records[i], 0, sizeof records[i]);
		memset(&dirty[i], 0xee, sizeof dirty[i]);
		records[i].kind = dirty[i].kind = (uint8_t)(i + 1);
		records[i].id = dirty[i].id = 0x01020304u * (i + 1);
		records[i].time = dirty[i].time = 0x1122334455667788u * (i + 1);
		records[i].port = dirty[i].port = (uint16_t)(0x1234 + i);
		ck_assert_uint_eq(packed_by_hand(wire + 15 * (size_t)i, &records[i]), 15);
	}
	for (size_t n = 0; n <= 40; n++) {
		both_ways("packed_copy_sum", records, 24 * n, wire, 15 * n);
		/* What stands in holes does not go. */
		each_loop("packed_copy_sum", ILP_SEND, check_pair, &(struct pair){ dirty, wire, 24 * n, 15 * n });
	}
	/* The last one is there but for zeros at its end, which are none of padding. */
	records[3].port = 0;
	packed_by_hand(wire + 45, &records[3]);
	for (size_t n = 3 * 24 + 16; n <= 4 * 24; n++)
		each_loop("packed_copy_sum", ILP_SEND, check_pair, &(struct pair){ records, wire, n, 60 });
	for (size_t n = 1; n < 60; n++)
		if (n % 15)
			refused("packed_copy_sum", wire, n);
}
END_TEST

/* Taps ------------------------------------------------------------------------------------------------------------- */

static const char description[] = "return chain { name = \"shown\",\n"
				  "stages = { \"xdr_u32\", \"hexdump\", \"copy\" } }\n";

START_TEST(tap)
{
	static const char wanted[] =
		"hexdump 00000000  2e 43 42 41 2e 47 46 45 ff 4b 4a 49 00 4e 4d 7e  |.CBA.GFE.KJI.NM~|\n"
		"hexdump 00000010  54 53 52 51                                      |TSRQ|\n"
		"hexdump 00000014  2a                                               |*|\n";
	static const uint8_t plain[] = "ABC.EFG.IJK\377~MN\0QRST*";
	static uint8_t back[64];
	char *text = NULL;
	size_t len = 0;
	struct ilp_any s = {0};

	place_write("shown.lua", description);
	const struct ilp_chain *c = place_load("shown");
	FILE *file = open_memstream(&text, &len);
	const struct ilp_tap sink = { ilp_hexdump, file };

	c->begin(&s);
	ck_assert_int_eq(ilp_set(c, &s, "hexdump.sink", &sink, sizeof sink), 0);
	ilp_loop *loop = ilp_pick(c, ILP_SEND, ILP_FUSED);
	size_t n = loop(&s, got, plain, 21, tmp);
	n += (size_t)c->end[ILP_SEND](&s, got + n);
	fclose(file);
	ck_assert_uint_eq(n, 21);
	ck_assert_str_eq(text, wanted);
	free(text);
	/* Nobody asks since begin: nothing is shown, and the data goes on. */
	memset(&s, 0xa5, sizeof s);
	c->begin(&s);
	n = ilp_pick(c, ILP_RECV, ILP_FUSED)(&s, back, got, 21, tmp);
	n += (size_t)c->end[ILP_RECV](&s, back + n);
	ck_assert_uint_eq(n, 21);
	ck_assert_mem_eq(back, plain, 21);
}
END_TEST

int main(void)
{
	Suite *all = suite_create("ilp recode");
	TCase *t = tcase_create("stages"), *loaded = tcase_create("loaded");

	fill();
	tcase_set_timeout(t, 300);
	tcase_add_test(t, rfc4648);
	tcase_add_test(t, against_openssl);
	tcase_add_test(t, base64_refuses);
	tcase_add_test(t, cobs);
	tcase_add_test(t, packed);
	suite_add_tcase(all, t);
	tcase_set_timeout(loaded, 60);
	tcase_add_checked_fixture(loaded, place_setup, place_teardown);
	tcase_add_test(loaded, cobs_alone);
	tcase_add_test(loaded, tap);
	suite_add_tcase(all, loaded);
	return run_tests(srunner_create(all));
}

/* Core's small files, each against a plain model of what it does: sums, options, headers, hash, the
 * retransmission buffer (the receive buffer has core_rcvbuf.c). */
#include "core/cksum.h"
#include "core/option.h"
#include "core/plain.h"
#include "core/segment.h"
#include "core/siphash.h"
#include "core/sndbuf.h"
#include "tests/run.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint64_t rng = 1;
static uint32_t rnd(uint32_t below)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

/* RFC 1071 as its section 1 says it: byte by byte, big-endian words, carries added at once. */
static uint16_t model_sum(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i++) {
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		s = (s & 0xffff) + (s >> 16);
	}
	return htons((uint16_t)s);
}

static bool sums_equal(uint16_t a, uint16_t b)
{
	return a == b || (a == 0 && b == 0xffff) || (a == 0xffff && b == 0);
}

START_TEST(sum_of_the_rfcs_example)
{
	/* RFC 1071 section 3: the sum of 00 01 f2 03 f4 f5 f6 f7 is ddf2. */
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	ck_assert_uint_eq(ntohs(tcpu_sum(bytes, sizeof bytes)), 0xddf2);
}
END_TEST

START_TEST(sum_and_copy_at_every_length_and_offset)
{
	uint8_t src[700], dst[800], guard[800];

	memset(guard, 0x5a, sizeof guard);
	for (size_t i = 0; i < sizeof src; i++)
		src[i] = (uint8_t)rnd(256);
	memset(src + 100, 0xff, 200); /* carries */
	for (size_t len = 0; len <= 600; len++)
		for (size_t at = 0; at < 17; at += 1 + len % 3) {
			uint16_t want = model_sum(src + at, len);

			ck_assert(sums_equal(tcpu_sum(src + at, len), want));
			memset(dst, 0x5a, sizeof dst);
			ck_assert(sums_equal(tcpu_copy_sum(dst + 33, src + at, len), want));
			ck_assert_mem_eq(dst + 33, src + at, len);
			ck_assert_mem_eq(dst, guard, 33);
			ck_assert_mem_eq(dst + 33 + len, guard, sizeof dst - 33 - len);
		}
}
END_TEST

START_TEST(sum_of_much_that_is_all_ones)
{
	size_t len = 3 << 20;
	uint8_t *p = malloc(len);

	memset(p, 0xff, len);
	ck_assert(sums_equal(tcpu_sum(p, len), 0xffff));
	p[len - 1] = 0xfe;
	ck_assert_uint_eq(ntohs(tcpu_sum(p, len)), 0xfffe);
	free(p);
}
END_TEST

START_TEST(sums_join_at_every_cut)
{
	uint8_t p[257];

	for (size_t i = 0; i < sizeof p; i++)
		p[i] = (uint8_t)rnd(256);
	for (size_t len = 0; len <= sizeof p; len += 7)
		for (size_t cut = 0; cut <= len; cut++)
			ck_assert(sums_equal(tcpu_sum_join(tcpu_sum(p, cut), tcpu_sum(p + cut, len - cut), cut),
				model_sum(p, len)));
}
END_TEST

START_TEST(options_well_formed)
{
	static const uint8_t linux_syn[] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 };
	struct options o = options_read(linux_syn, sizeof linux_syn);

	ck_assert(!o.malformed && o.has_scale);
	ck_assert_uint_eq(o.mss, 1460);
	ck_assert_uint_eq(o.scale, 7);
	o = options_read((const uint8_t[]){ 1, 1, 0, 2, 4, 1, 1 }, 7); /* end of options: the rest is padding */
	ck_assert(!o.malformed && o.mss == 0);
	o = options_read((const uint8_t[]){ 3, 3, 15, 0 }, 4);
	ck_assert_uint_eq(o.scale, 14); /* RFC 7323 2.3 */
	o = options_read((const uint8_t[]){ 254, 2, 2, 4, 0xff, 0xff }, 6);
	ck_assert(!o.malformed && o.mss == 0xffff);
	o = options_read((const uint8_t[]){ 2, 3, 9, 3, 4, 1, 2, 2, 4, 2, 0 }, 11); /* known kinds, wrong lengths */
	ck_assert(!o.malformed && !o.has_scale);
	ck_assert_uint_eq(o.mss, 512);
	o = options_read(NULL, 0);
	ck_assert(!o.malformed);
}
END_TEST

START_TEST(options_that_lie)
{
	static const struct {
		uint8_t bytes[6];
		size_t len;
	} bad[] = { { { 2 }, 1 }, { { 2, 4 }, 2 }, { { 2, 4, 1 }, 3 }, { { 2, 0 }, 2 }, { { 2, 1 }, 2 }, { { 77, 0 }, 2 },
		{ { 77, 1 }, 2 }, { { 77, 7, 0, 0, 0, 0 }, 6 }, { { 77, 255 }, 2 }, { { 3, 3 }, 2 }, { { 1, 1, 8 }, 3 } };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		/* At the end of a page of its own, so that a sanitizer sees a read behind it. */
		uint8_t *copy = malloc(bad[i].len);
		memcpy(copy, bad[i].bytes, bad[i].len);
		struct options o = options_read(copy, bad[i].len);
		ck_assert_msg(o.malformed && !o.mss && !o.has_scale, "case %zu", i);
		free(copy);
	}
	/* What came before counts. */
	struct options o = options_read((const uint8_t[]){ 2, 4, 2, 0, 5, 0 }, 6);
	ck_assert(o.malformed);
	ck_assert_uint_eq(o.mss, 512);
}
END_TEST

/* A second reader, as one would write it by hand: both agree on random bytes. */
START_TEST(options_differential)
{
	for (int round = 0; round < 200000; round++) {
		uint8_t b[40];
		size_t len = rnd(41);
		struct options want = { 0 }, got;

		for (size_t i = 0; i < len; i++)
			b[i] = (uint8_t)(rnd(3) ? rnd(6) : rnd(256));
		for (size_t i = 0; i < len && b[i] != 0;) {
			if (b[i] == 1) {
				i++;
				continue;
			}
			if (i + 1 >= len || b[i + 1] < 2 || b[i + 1] > len - i) {
				want.malformed = true;
				break;
			}
			if (b[i] == 2 && b[i + 1] == 4)
				want.mss = (uint16_t)(b[i + 2] << 8 | b[i + 3]);
			if (b[i] == 3 && b[i + 1] == 3) {
				want.has_scale = true;
				want.scale = b[i + 2] > 14 ? 14 : b[i + 2];
			}
			i += b[i + 1];
		}
		got = options_read(b, len);
		ck_assert_uint_eq(got.mss, want.mss);
		ck_assert_uint_eq(got.has_scale, want.has_scale);
		ck_assert_uint_eq(got.scale, want.scale);
		ck_assert_uint_eq(got.malformed, want.malformed);
	}
}
END_TEST

START_TEST(header_goes_and_comes)
{
	static const uint8_t options[8] = { 2, 4, 0x05, 0xb4, 1, 3, 3, 7 };
	uint8_t wire[HEADER_MIN + 8 + 5] = { 0 };
	struct segment s = { .src = { inet_addr("10.0.0.1"), htons(1000) }, .dst = { inet_addr("10.0.0.2"), htons(80) },
		.seq = 0xfffffffe, .ack = 0x01020304, .wnd = 0xabcd, .flags = TH_SYN | TH_ACK }, r;
	struct link_in in = { .src = s.src, .dst = s.dst, .segment = wire, .len = sizeof wire };

	memcpy(wire + HEADER_MIN + 8, "hello", 5);
	segment_write(wire, &s, options, 8, 5, tcpu_sum("hello", 5));
	ck_assert(segment_read(&in, &r));
	ck_assert_uint_eq(r.seq, s.seq);
	ck_assert_uint_eq(r.ack, s.ack);
	ck_assert_uint_eq(r.wnd, s.wnd);
	ck_assert_uint_eq(r.flags, s.flags);
	ck_assert_uint_eq(r.header_len, 28);
	ck_assert_uint_eq(r.len, 5);
	ck_assert_mem_eq(r.data, "hello", 5);
	ck_assert_uint_eq(segment_length(&r), 6);
	segment_options(&r);
	ck_assert_uint_eq(r.options.mss, 1460);
	/* The checksum, by the model, over pseudo-header and segment */
	uint8_t all[12 + sizeof wire] = { 10, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0, sizeof wire };
	memcpy(all + 12, wire, sizeof wire);
	ck_assert_uint_eq(model_sum(all, sizeof all), 0xffff);
}
END_TEST

START_TEST(header_that_lies)
{
	uint8_t wire[24] = { 0 };
	struct link_in in = { .segment = wire, .len = sizeof wire };
	struct segment s;

	for (unsigned words = 0; words < 16; words++) {
		wire[12] = (uint8_t)(words << 4);
		for (in.len = 0; in.len <= sizeof wire; in.len++)
			ck_assert_int_eq(segment_read(&in, &s), words >= 5 && in.len >= 20 && words * 4 <= in.len);
	}
}
END_TEST

START_TEST(siphash_reference)
{
	/* Appendix A of the paper: key 00..0f, message 00..0e; and the reference code's first vectors. */
	uint8_t key[16], in[15];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	ck_assert_uint_eq(siphash(key, in, 15), 0xa129ca6149be45e5);
	ck_assert_uint_eq(siphash(key, in, 0), 0x726fdb47dd0e0e31);
	ck_assert_uint_eq(siphash(key, in, 8), 0x93f5f5799a932462);
}
END_TEST

START_TEST(plain_sink_wipes_what_was_bad)
{
	uint8_t memory[100];
	struct plain_sink s;
	uint16_t sum;

	memset(memory, 7, sizeof memory);
	plain_sink(&s, memory, sizeof memory);
	ck_assert_uint_eq(s.seam.drain(&s, 0, (const uint8_t *)"secret", 6, &sum), 6);
	ck_assert_mem_eq(memory, "secret", 6);
	s.seam.settle(&s, 0, 6, false);
	ck_assert_mem_eq(memory, "\0\0\0\0\0\0", 6);
	ck_assert_uint_eq(s.got, 0);
	/* All or nothing while the sum is not known; any part when it is. */
	plain_sink(&s, memory, 4);
	ck_assert_uint_eq(s.seam.drain(&s, 0, (const uint8_t *)"secret", 6, &sum), 0);
	ck_assert_uint_eq(s.seam.drain(&s, 0, (const uint8_t *)"secret", 6, NULL), 4);
	s.seam.settle(&s, 0, 4, true);
	ck_assert(s.seam.done);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core's files");
	TCase *c = tcase_create("core");
	const TTest *tests[] = { sum_of_the_rfcs_example, sum_and_copy_at_every_length_and_offset,
		sum_of_much_that_is_all_ones, sums_join_at_every_cut, options_well_formed, options_that_lie,
		options_differential, header_goes_and_comes, header_that_lies, siphash_reference, plain_sink_wipes_what_was_bad };

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

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
	ck_assert_uint_eq(segment_options(&r).mss, 1460);
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

/* The retransmission buffer against an array of all that was ever written. */
static void sndbuf_round(uint32_t size, uint32_t mss)
{
	struct sndbuf b = { 0 };
	void *memory = malloc(sndbuf_memory(size));
	static uint8_t all[1 << 20];
	uint64_t written = 0, last_off = 0;
	bool last_record = false;

	sndbuf_init(&b, memory, size, HEADER_MIN);
	while (written < sizeof all - mss) {
		uint32_t cap = 0, n = 1 + rnd(rnd(4) ? mss : 20);
		uint64_t unsent = b.una + rnd((uint32_t)(b.end - b.una) + 1);
		bool extend = rnd(2), record = rnd(8) == 0;
		uint8_t *dst = extend ? sndbuf_extend(&b, unsent, mss, &cap) : NULL;
		bool extended = dst != NULL;
		struct piece p;

		/* Only what has not been sent grows, and no record does. */
		ck_assert(!extended || (last_off >= unsent && !last_record));
		if (!dst)
			dst = sndbuf_reserve(&b, mss, &cap);
		if (dst) {
			ck_assert_uint_ge(cap, extended ? 1 : mss);
			n = n < cap ? n : cap;
			for (uint32_t i = 0; i < n; i++)
				dst[i] = all[written + i] = (uint8_t)rnd(256);
			if (extended)
				sndbuf_extended(&b, n, tcpu_sum(dst, n), false);
			else
				sndbuf_commit(&b, n, tcpu_sum(dst, n), record, false);
			if (!extended) {
				last_off = written;
				last_record = record;
			}
			written += n;
			ck_assert_uint_eq(b.end, written);
		}
		/* Pieces anywhere: bytes, sum, headroom that no other span owns (it is written to). */
		for (int i = 0; i < 4 && b.end > b.una; i++) {
			uint64_t off = b.una + rnd((uint32_t)(b.end - b.una));
			ck_assert(sndbuf_piece(&b, off, 1 + rnd(mss), &p));
			ck_assert_mem_eq(p.data, all + off, p.len);
			ck_assert(sums_equal(p.sum, model_sum(all + off, p.len)));
			if (p.headroom)
				memset(p.headroom, (int)rnd(256), HEADER_MIN);
		}
		ck_assert(!sndbuf_piece(&b, b.end, mss, &p));
		if (!dst || rnd(3) == 0)
			sndbuf_ack(&b, b.una + rnd((uint32_t)(b.end - b.una) + 1));
		if (rnd(50) == 0)
			sndbuf_ack(&b, b.end);
	}
	free(memory);
}

START_TEST(sndbuf_keeps_every_byte)
{
	for (rng = 1; rng < 200; rng += 7) {
		uint64_t seed = rng;
		sndbuf_round(4 * (1460 + HEADER_MIN), 1460);
		sndbuf_round(100000 + rnd(999), 536);
		rng = seed;
	}
}
END_TEST

START_TEST(sndbuf_never_fills_for_good)
{
	/* Small spans use up spans before bytes; when all is acknowledged there is room again. */
	struct sndbuf b = { 0 };
	void *memory = malloc(sndbuf_memory(65536));
	uint32_t cap, n = 0;

	sndbuf_init(&b, memory, 65536, HEADER_MIN);
	for (int round = 0; round < 3; round++) {
		for (uint8_t *dst; (dst = sndbuf_reserve(&b, 1000, &cap)); n++) {
			*dst = 1;
			sndbuf_commit(&b, 1, tcpu_sum(dst, 1), true, false);
		}
		ck_assert_uint_eq(b.count, b.span_max);
		sndbuf_ack(&b, b.end);
		ck_assert_uint_eq(b.count, 0);
	}
	free(memory);
}
END_TEST

START_TEST(sndbuf_at_the_rings_very_end)
{
	/* Three spans fill the ring but for left bytes; one is acknowledged: what comes next goes to the begin. */
	for (uint32_t left = 0; left < 100 + HEADER_MIN; left++) {
		uint32_t size = 3 * (100 + HEADER_MIN) + left, cap;
		void *memory = malloc(sndbuf_memory(size));
		struct sndbuf b = { 0 };
		uint8_t *dst;

		sndbuf_init(&b, memory, size, HEADER_MIN);
		for (int i = 0; i < 3; i++) {
			dst = sndbuf_reserve(&b, 100, &cap);
			memset(dst, i, 100);
			sndbuf_commit(&b, 100, tcpu_sum(dst, 100), false, false);
		}
		ck_assert_ptr_null(sndbuf_reserve(&b, left > 20 ? left - 19 : 1, &cap));
		dst = sndbuf_extend(&b, 0, 1000, &cap);
		ck_assert_uint_eq(cap, left); /* only what is left behind it, never at the begin */
		ck_assert(!dst == !left);
		sndbuf_ack(&b, 100);
		dst = sndbuf_extend(&b, 0, 1000, &cap);
		ck_assert_uint_eq(cap, left);
		dst = sndbuf_reserve(&b, 100, &cap);
		ck_assert_ptr_eq(dst, b.ring + HEADER_MIN);
		ck_assert_uint_eq(cap, 100);
		free(memory);
	}
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
		options_differential, header_goes_and_comes, header_that_lies, siphash_reference, sndbuf_keeps_every_byte,
		sndbuf_never_fills_for_good, sndbuf_at_the_rings_very_end, plain_sink_wipes_what_was_bad };

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

/* The retransmission buffer and its scoreboard against a model that knows of each byte what it is and what became of
 * it. */
#include "core/cksum.h"
#include "core/segment.h"
#include "core/sndbuf.h"
#include "tests/run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ALL (1u << 20)

static uint64_t rng;

static uint32_t rnd(uint32_t below)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((rng >> 33) % below);
}

static void must(bool holds, int line)
{
	if (!holds)
		ck_abort_msg("line %d, seed %llu", line, (unsigned long long)rng);
}
#define must(holds) must(holds, __LINE__)

/* Of each byte: the truth, and what the buffer was told of it. */
static struct {
	uint8_t bytes[ALL], state[ALL];
	uint32_t sent_us[ALL];
	bool again[ALL];
	uint64_t written, una;
} model;

static struct sndbuf b;
static uint32_t now;

static struct span *span(uint32_t i)
{
	return &b.span[(b.first + i) & (b.span_max - 1)];
}

/* The one in flight that was sent next. */
static const struct span *newer(const struct span *s)
{
	return s->newer == SPAN_NONE ? NULL : &b.span[s->newer];
}

/* A table of max places, or none. */
static void table(uint32_t max)
{
	uint32_t old_max = b.span_max;
	void *old = b.span;

	sndbuf_table(&b, max ? malloc(max * sizeof(struct span)) : NULL, max);
	if (old)
		memset(old, 0xa5, old_max * sizeof(struct span)); /* nothing may be looked for there any more */
	free(old);
}

static void make(uint32_t size)
{
	b = (struct sndbuf){ 0 };
	sndbuf_init(&b, malloc(size), size, HEADER_MIN);
	table(sndbuf_spans_max(size));
}

static void unmake(void)
{
	free(b.ring);
	free(b.span);
}

static uint16_t model_sum(const uint8_t *p, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static bool sums_equal(uint16_t stored, uint16_t model16)
{
	uint8_t at[2];

	memcpy(at, &stored, 2);
	uint16_t s = (uint16_t)(at[0] << 8 | at[1]);
	return s % 0xffff == model16 % 0xffff;
}

static void check_spans(void)
{
	uint64_t off = 0;
	uint32_t sacked = 0, lost = 0, sacked_spans = 0, flight = 0;
	const struct span *first_lost = NULL;

	for (uint32_t i = 0; i < b.count; i++) {
		struct span *s = span(i);

		must(i ? s->off == off : s->off <= b.una);
		must(s->len > 0);
		must((s->state == SPAN_UNSENT) == (i >= b.sent));
		must(!memcmp(sndbuf_data(&b, s), model.bytes + s->off, s->len));
		for (uint64_t k = s->off > b.una ? s->off : b.una; k < s->off + s->len; k++)
			must(model.state[k] == s->state && (!s->state || model.sent_us[k] == s->sent_us) &&
				model.again[k] == s->again);
		sacked += s->state == SPAN_SACKED ? s->len : 0;
		sacked_spans += s->state == SPAN_SACKED;
		lost += s->state == SPAN_LOST ? s->len : 0;
		flight += s->state == SPAN_FLIGHT;
		first_lost = !first_lost && s->state == SPAN_LOST ? s : first_lost;
		off = s->off + s->len;
	}
	must(!b.count || off == b.end);
	must(b.sacked_bytes == sacked && b.sacked_spans == sacked_spans && b.lost_bytes == lost);
	uint64_t before = 0;
	for (const struct span *s = sndbuf_oldest(&b); s; s = newer(s), flight--) {
		must(flight && s->state == SPAN_FLIGHT && s->sent_us >= before);
		before = s->sent_us;
	}
	must(!flight);
	must(sndbuf_lost(&b) == first_lost);
}

static void write_some(uint32_t mss)
{
	uint32_t cap = 0, n = 1 + rnd(rnd(4) ? mss : 20);
	bool extend = rnd(2), record = rnd(4) == 0;
	const struct span *last = b.count > b.sent ? span(b.count - 1) : NULL;
	uint32_t whole = record && rnd(4) ? mss / 4 : 0;
	uint8_t *dst = extend ? sndbuf_extend(&b, whole, mss, &cap) : NULL;
	bool extended = dst != NULL;

	must(!extended || (last && last->record == (whole != 0) && last->len < mss));
	must(!extended || !whole || (last->len % whole == 0 && cap == whole && last->len + whole <= mss));
	if (!dst)
		dst = sndbuf_reserve(&b, mss, &cap);
	if (!dst)
		return;
	must(cap >= (extended ? 1 : mss));
	if (whole && rnd(4))
		n = whole;
	n = n < cap ? n : cap;
	for (uint32_t i = 0; i < n; i++)
		dst[i] = model.bytes[model.written + i] = (uint8_t)rnd(256);
	if (extended)
		sndbuf_extended(&b, n, tcpu_sum(dst, n), false);
	else
		sndbuf_commit(&b, n, tcpu_sum(dst, n), record, false);
	memset(model.state + model.written, SPAN_UNSENT, n);
	memset(model.again + model.written, 0, n);
	model.written += n;
	must(b.end == model.written);
}

static void mark(const struct span *s, uint8_t state)
{
	memset(model.state + s->off, state, s->len);
}

static void send(struct span *s)
{
	bool again = s->state != SPAN_UNSENT;
	uint8_t *headroom = sndbuf_headroom(&b, s);

	must(sums_equal(sndbuf_sum(&b, s), model_sum(model.bytes + s->off, s->len)));
	if (headroom) /* no other span owns it */
		memset(headroom, (int)rnd(256), b.headroom);
	now += rnd(3);
	sndbuf_sent(&b, s, now);
	mark(s, SPAN_FLIGHT);
	for (uint32_t i = 0; i < s->len; i++) {
		model.sent_us[s->off + i] = now;
		model.again[s->off + i] |= again;
	}
}

static uint64_t told;

static void got(void *ctx, const struct span *s)
{
	must(ctx == &told && (s->state == SPAN_FLIGHT || s->state == SPAN_LOST));
	told += s->len;
}

/* The model: whole spans alone are SACKed. */
static void sack(void)
{
	uint64_t begin = b.una + rnd((uint32_t)(b.end - b.una) + 1), end = begin + rnd(rnd(3) ? 6000 : 60000);
	uint64_t expected = 0;

	for (uint32_t i = 0; i < b.sent; i++)
		if (span(i)->off >= begin && span(i)->off + span(i)->len <= end) {
			expected += span(i)->state != SPAN_SACKED ? span(i)->len : 0;
			mark(span(i), SPAN_SACKED);
		}
	told = 0;
	sndbuf_sack(&b, begin, end, got, &told);
	must(told == expected);
}

static void ack(uint64_t off)
{
	uint64_t expected = 0;

	for (uint32_t i = 0; i < b.count && span(i)->off + span(i)->len <= off; i++)
		expected += span(i)->state == SPAN_FLIGHT || span(i)->state == SPAN_LOST ? span(i)->len : 0;
	told = 0;
	sndbuf_ack(&b, off, got, &told);
	must(told == expected);
	must(b.una == off);
}

static void grow(void)
{
	uint32_t size = b.size * 2;
	void *old = b.ring;

	sndbuf_grow(&b, malloc(size), size);
	must(b.size == size);
	memset(old, 0xa5, size / 2);
	free(old);
}

static void one_step(uint32_t mss)
{
	struct span *s;

	switch (rnd(12)) {
	case 0 ... 3:
		write_some(mss);
		break;
	case 4 ... 5:
		if ((s = sndbuf_unsent(&b)))
			send(s);
		break;
	case 6:
		if ((s = sndbuf_lost(&b)))
			send(s);
		break;
	case 7:
		if ((s = sndbuf_oldest(&b)) && rnd(2)) {
			mark(s, SPAN_LOST);
			sndbuf_lose(&b, s);
		}
		break;
	case 8:
		if (b.end > b.una)
			sack();
		break;
	case 9: /* as far as something was sent, mostly */
		s = sndbuf_last_sent(&b);
		if (s && s->off + s->len > b.una)
			ack(b.una + rnd((uint32_t)(s->off + s->len - b.una) + 1));
		break;
	case 10:
		if (b.count && (s = span(rnd(b.count)))->len > 1 && s->state != SPAN_SACKED)
			sndbuf_cut(&b, s, 1 + rnd(s->len - 1));
		break;
	default:
		if (rnd(20) == 0) {
			for (uint32_t i = 0; i < b.sent; i++)
				if (span(i)->state == SPAN_LOST)
					mark(span(i), SPAN_FLIGHT);
			sndbuf_found(&b);
		}
	}
}

static void run(uint32_t size, uint32_t mss)
{
	make(size);
	now = 1;
	model.written = 0;
	for (int i = 0; model.written < ALL - mss && i < 6000; i++) {
		one_step(mss);
		if (i % 8 == 0)
			check_spans();
		if (rnd(500) == 0)
			ack(b.end);
		if (rnd(2000) == 0)
			grow();
		if (!b.count && rnd(2))
			table(0);
		if (sndbuf_table_full(&b) && b.span_max < sndbuf_spans_max(b.size))
			table(b.span_max ? 2 * b.span_max : SPANS_FEW);
	}
	unmake();
}

START_TEST(keeps_every_byte_and_its_fate)
{
	for (uint64_t seed = 1; seed < 40; seed += 3) {
		rng = seed + (uint64_t)_i * 1000;
		run(4 * (1460 + HEADER_MIN), 1460);
		run(100000 + rnd(999), 536);
	}
}
END_TEST

/* What was found or forgotten is in flight again. */
START_TEST(found_and_forgotten)
{
	uint32_t cap;

	make(65536);
	for (int i = 0; i < 6; i++) {
		memset(sndbuf_reserve(&b, 1000, &cap), 0, 1000);
		sndbuf_commit(&b, 1000, 0, false, false);
		sndbuf_sent(&b, sndbuf_unsent(&b), (uint64_t)i);
	}
	sndbuf_sack(&b, 2000, 4000, got, &told);
	sndbuf_lose(&b, sndbuf_oldest(&b));
	sndbuf_lose(&b, sndbuf_oldest(&b));
	ck_assert_uint_eq(b.lost_bytes, 2000);
	ck_assert_uint_eq(b.sacked_bytes, 2000);
	sndbuf_found(&b);
	ck_assert_uint_eq(b.lost_bytes, 0);
	ck_assert_ptr_null(sndbuf_lost(&b));
	ck_assert(!sndbuf_first(&b)->again);
	sndbuf_renege(&b);
	ck_assert_uint_eq(b.sacked_bytes, 0);
	ck_assert_uint_eq(b.sacked_spans, 0);
	int n = 0;
	for (const struct span *s = sndbuf_oldest(&b); s; s = newer(s))
		n++;
	ck_assert_int_eq(n, 6);
	ck_assert_ptr_eq(sndbuf_behind(&b, sndbuf_first(&b)), &b.span[1]);
	ck_assert_ptr_null(sndbuf_behind(&b, sndbuf_last_sent(&b)));
	unmake();
}
END_TEST

/* How many spans a block that reaches from this one to the end makes sndbuf_sack look at, at most. */
static uint32_t looks(uint32_t i)
{
	uint32_t n = 0;

	for (; i < b.sent; i += span(i)->skip)
		n++;
	return n;
}

/* A peer that repeats its SACKs, or has each begin at another place in what it has SACKed, makes nobody walk far: runs
 * are jumped over. */
START_TEST(repeated_sacks_are_cheap)
{
	uint32_t cap, n = 0, looked = 0;

	make(1 << 20);
	for (; sndbuf_reserve(&b, 100, &cap); n++) {
		sndbuf_commit(&b, 100, 0, true, false);
		sndbuf_sent(&b, sndbuf_unsent(&b), n);
	}
	sndbuf_sack(&b, 100, b.end, got, &told);
	ck_assert_uint_eq(b.sacked_spans, n - 1);
	told = 0;
	for (uint32_t i = 0; i < 3 * n; i++) {
		uint32_t first = _i == 0 ? 1 : _i == 1 ? i % (n - 1) + 1 : n - 1 - i % (n - 1);

		looked += looks(first);
		sndbuf_sack(&b, 100 * (uint64_t)first, b.end, got, &told);
	}
	ck_assert_uint_eq(told, 0);
	ck_assert_uint_le(looked, 3 * n * 5);
	unmake();
}
END_TEST

/* Of a stream of which every other span was sent again, once or several times, in the order of the times. */
START_TEST(found_in_order_of_time)
{
	uint32_t cap, n = 0, found = 0;
	uint64_t us = 0;
	const struct span *before = NULL;

	make(1 << 18);
	for (; sndbuf_reserve(&b, 100, &cap); n++) {
		sndbuf_commit(&b, 100, 0, true, false);
		sndbuf_sent(&b, sndbuf_unsent(&b), us++ / 3);
	}
	for (uint32_t step = 2; step < n; step *= 3)
		for (uint32_t i = n - n % step; i >= step; i -= step)
			sndbuf_sent(&b, span(i - 1), us++ / 2);
	for (uint32_t i = 0; i < n; i++)
		if (i % 5)
			sndbuf_lose(&b, span(i));
	sndbuf_found(&b);
	ck_assert_uint_eq(b.lost_bytes, 0);
	for (const struct span *s = sndbuf_oldest(&b); s; before = s, s = newer(s), found++) {
		ck_assert_uint_eq(s->state, SPAN_FLIGHT);
		ck_assert_ptr_eq(s->older == SPAN_NONE ? NULL : &b.span[s->older], before);
		if (before)
			ck_assert(before->sent_us < s->sent_us || (before->sent_us == s->sent_us && before->off < s->off));
	}
	ck_assert_uint_eq(found, n);
	ck_assert_ptr_eq(before, &b.span[b.newest]);
	unmake();
}
END_TEST

START_TEST(never_fills_for_good)
{
	/* Small spans use up spans before bytes; when all is acknowledged there is room again. */
	uint32_t cap, n = 0;

	make(65536);
	for (int round = 0; round < 3; round++) {
		for (uint8_t *dst; (dst = sndbuf_reserve(&b, 1000, &cap)); n++) {
			*dst = 1;
			sndbuf_commit(&b, 1, tcpu_sum(dst, 1), true, false);
		}
		ck_assert_uint_eq(n % 48, 0); /* a few of the table are kept for spans that are cut */
		ck_assert_uint_gt(b.count, 0);
		sndbuf_ack(&b, b.end, got, &told);
		ck_assert_uint_eq(b.count, 0);
	}
	unmake();
}
END_TEST

START_TEST(at_the_rings_very_end)
{
	/* Three spans fill the ring but for left bytes; one is acknowledged: what comes next goes to the begin. */
	for (uint32_t left = 0; left < 100 + HEADER_MIN; left++) {
		uint32_t size = 3 * (100 + HEADER_MIN) + left, cap;
		uint8_t *dst;

		make(size);
		for (int i = 0; i < 3; i++) {
			dst = sndbuf_reserve(&b, 100, &cap);
			memset(dst, i, 100);
			sndbuf_commit(&b, 100, tcpu_sum(dst, 100), false, false);
		}
		ck_assert_ptr_null(sndbuf_reserve(&b, left > 20 ? left - 19 : 1, &cap));
		dst = sndbuf_extend(&b, 0, 1000, &cap);
		ck_assert_uint_eq(cap, left); /* only what is left behind it, never at the begin */
		ck_assert(!dst == !left);
		sndbuf_ack(&b, 100, got, &told);
		dst = sndbuf_extend(&b, 0, 1000, &cap);
		ck_assert_uint_eq(cap, left);
		dst = sndbuf_reserve(&b, 100, &cap);
		ck_assert_ptr_eq(dst, b.ring + HEADER_MIN);
		ck_assert_uint_eq(cap, 100);
		unmake();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core_sndbuf");
	TCase *c = tcase_create("sndbuf");

	tcase_add_loop_test(c, keeps_every_byte_and_its_fate, 0, 4);
	tcase_add_test(c, found_and_forgotten);
	tcase_add_loop_test(c, repeated_sacks_are_cheap, 0, 3);
	tcase_add_test(c, found_in_order_of_time);
	tcase_add_test(c, never_fills_for_good);
	tcase_add_test(c, at_the_rings_very_end);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

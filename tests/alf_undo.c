/* A segment's frames are placed before its checksum is known. If that is wrong, they never were: nothing is to be seen
 * of them, nobody is told, and when the segment comes again all of it is taken as if for the first time. */
#include "core/cksum.h"
#include "tests/alf_flow.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <string.h>

#define CAP 1460
#define LONGEST 2000
#define REGION 200
#define TAG 7 /* of the region */

static struct flow_pair pair;
static struct alf *out, *in;
static uint8_t data[4][LONGEST]; /* by type */
static unsigned complete; /* types of ADUs that are, a bit for each */
static uint64_t placed;   /* bytes that were told of */
static const size_t sizes[] = { LONGEST, 1700, 1300, 100 };

/* ---- where bytes land ---- */

static uint8_t object[4][LONGEST], region[REGION];
static int pieces; /* of hooks.place; 0: the library's memory */
static unsigned asked;

static int place(void *ctx, const struct adu_where *w, struct iovec *to, int max)
{
	uint8_t *at = object[w->attr->type] + w->offset;

	(void)ctx, (void)max;
	asked++;
	if (!w->named)
		return -EAGAIN;
	must(w->offset + w->len <= sizes[w->attr->type]);
	to[0] = (struct iovec){ at, pieces == 1 ? w->len : w->len / 3 };
	to[1] = (struct iovec){ at + w->len / 3, w->len - w->len / 3 };
	return pieces;
}

/* Where an ADU's bytes are put. */
static uint8_t *memory_of(uint8_t type)
{
	const struct adu_in *adu = alf_in_first(in);

	while (adu && adu->attr.type != type)
		adu = ALF_OF(adu_in, link, adu->link.next);
	must(adu);
	return pieces ? object[type] : adu->data;
}

static bool is_zero(const uint8_t *at, size_t n)
{
	while (n && !*at)
		at++, n--;
	return !n;
}

/* ---- the segments ---- */

static void send_one(uint8_t type)
{
	must(flow_send(out, data[type], sizes[type], &(struct adu_attr){ .type = type }) > 0);
}

static void segment(void)
{
	flow_pull_one(&pair.flow[0], out, CAP);
}

/* Two ADUs have begun, and come in order; a third one is a segment that may be missing; in the last segment are the
 * ends of both, some bytes by STag, and, if it may be there before it is checked, a new ADU. */
static void prepare(unsigned kind, bool crc, bool over_hole)
{
	struct alf_profile p = flow_profile(kind), q;
	struct adu_out put = { .own = { data[0], REGION / 2 }, .total = REGION / 2, .here = REGION / 2, .tagged = true,
		.stag = TAG, .to = REGION / 4 };

	p.crc = crc;
	p.quantum = 1; /* a frame of each in turn */
	q = p;
	q.hooks.place = pieces ? place : NULL;
	q.wanted = 1U << ADU_PLACED | 1U << ADU_COMPLETE | 1U << ADU_LOST | 1U << ADU_ERROR;
	memset(object, 0, sizeof object);
	memset(region, 0, sizeof region);
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	must(!adu_expose(in, TAG, region, REGION));
	for (uint8_t i = 0; i < 4; i++)
		flow_fill(data[i], LONGEST, i + 1);
	pair.flow[0].segments = 0;
	for (uint8_t i = 0; i < 3; i++)
		send_one(i);
	for (int i = 0; i < 3; i++) {
		segment();
		if (i < 2 || !over_hole)
			flow_show(&pair.flow[0], in);
	}
	must(alf_queue(out, &put, NULL) > 0);
	if (!pieces)
		send_one(3);
	segment();
	must(!alf_wants_out(out));
}

/* ---- undoing ---- */

/* All that could be seen of a segment's frames, but for the bytes. */
struct seen {
	uint64_t begun, returned, held, next, got[2], over, placed[2], frames, complete, put;
	const struct alf_link *newest, *news;
};

static struct seen look(void)
{
	struct seen s;

	memset(&s, 0, sizeof s); /* it is compared as bytes */
	s.begun = in->in.begun, s.returned = in->in.returned, s.held = in->stats.bytes_held;
	s.next = in->in.next, s.over = in->in.over.set.count, s.put = in->in.regions->placed.set.count;
	s.frames = in->stats.fpdus_in, s.complete = in->stats.adus_complete;
	s.newest = in->in.adus.last, s.news = in->news.first;
	for (const struct adu_in *adu = alf_in_first(in); adu; adu = ALF_OF(adu_in, link, adu->link.next))
		if (adu->attr.type < 2) {
			s.got[adu->attr.type] = adu->got;
			s.placed[adu->attr.type] = adu->placed.set.count;
		}
	return s;
}

/* The last segment comes; a bit of it may be another. Returns whether its frames were taken before it was known whether
 * they are good. */
static bool comes(size_t damaged, bool good)
{
	const size_t begin = pair.flow[0].ends[2], n = pair.flow[0].len - begin;
	uint8_t copy[CAP];
	uint16_t sum;

	memcpy(copy, pair.flow[0].bytes + begin, n);
	copy[damaged] ^= good || !damaged ? 0 : 0x20;
	if (!in->in.sink.drain(in, begin, copy, n, &sum))
		return false;
	must(sum % 0xffff == tcpu_sum(copy, n) % 0xffff);
	must(damaged || !is_zero(memory_of(0) + alf_in_first(in)->got, 100)); /* it is there, before anybody knows better */
	in->in.sink.settle(in, begin, n, good);
	return true;
}

static void nothing_is_seen(const struct seen *before)
{
	const struct seen now = look();

	must(!memcmp(&now, before, sizeof now));
	flow_expect_nothing(in);
	for (uint8_t type = 0; type < 2; type++) {
		must(!memcmp(memory_of(type), data[type], now.got[type]));
		must(is_zero(memory_of(type) + now.got[type], sizes[type] - now.got[type]));
	}
	must(is_zero(region, REGION));
}

/* The one segment that was missing. */
static void fill_hole(void)
{
	const struct flow *f = &pair.flow[0];
	const uint8_t *const from[2] = { f->bytes + f->ends[1], NULL };
	const uint32_t len[2] = { (uint32_t)(f->ends[2] - f->ends[1]), 0 };
	uint64_t begin, end;

	must(in->in.sink.show(in, f->ends[1], from, len, &begin, &end) && begin == f->ends[1] && end == f->ends[2]);
}

static void hear(void)
{
	struct adu_event e;

	while (alf_event(in, &e)) {
		must(e.kind == ADU_PLACED || e.kind == ADU_COMPLETE);
		placed += e.kind == ADU_PLACED ? e.len : 0;
		if (e.kind != ADU_COMPLETE)
			continue;
		must(!(complete & 1U << e.attr.type) && e.len == sizes[e.attr.type]);
		must(!memcmp(pieces ? object[e.attr.type] : e.data, data[e.attr.type], e.len));
		complete |= 1U << e.attr.type;
		alf_forget(in, alf_in_find(in, e.id));
	}
}

static void all_is_there(void)
{
	hear();
	must(complete == (pieces ? 7 : 15) && in->in.next == pair.flow[0].len && !alf_in_first(in));
	must(placed == sizes[0] + sizes[1] + sizes[2] + (pieces ? 0 : sizes[3]) + REGION / 2);
	must(!memcmp(region + REGION / 4, data[0], REGION / 2));
	must(in->in.begun == in->in.returned && !in->error);
}

/* Every way in which ADUs are placed, in order and over a hole: the checksum is wrong, though all of the frames are
 * right; then a byte of them is another, whichever (a third of them each time). */
START_TEST(undone)
{
	const unsigned kind = (unsigned)_i % FLOW_KINDS;
	const bool crc = _i / FLOW_KINDS & 1, over_hole = _i / FLOW_KINDS & 2;
	struct seen before;
	size_t n;

	pieces = _i / FLOW_KINDS / 4;
	prepare(kind, crc, over_hole);
	complete = 0;
	placed = 0;
	hear();
	for (uint8_t type = 0; type < 2; type++) /* what malloc had in it is none of ours */
		memset(memory_of(type) + look().got[type], 0, sizes[type] - look().got[type]);
	n = pair.flow[0].len - pair.flow[0].ends[2];
	before = look();
	for (int i = 0; i < 3; i++) {
		must(comes(0, false));
		nothing_is_seen(&before);
	}
	for (size_t at = 4 + (size_t)_i % 3; at < n; at += 3) {
		comes(at, false);
		must(!in->error && in->stats.forgeries == 0);
		nothing_is_seen(&before);
	}
	must(comes(0, true));
	must(in->stats.fpdus_in == before.frames + (pieces ? 3 : 4));
	if (over_hole)
		fill_hole();
	all_is_there();
	flow_close(&pair);
}
END_TEST

/* The application is not asked about an ADU that may be another: neither where it has its name, nor where it has
 * none. */
START_TEST(not_asked_too_early)
{
	struct alf_profile p = flow_profile((unsigned)_i), q = p;
	struct flow *f = &pair.flow[0];
	uint16_t sum;

	pieces = 1;
	asked = complete = 0;
	q.hooks.place = place;
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	f->segments = 0;
	flow_fill(data[0], LONGEST, 1);
	send_one(0);
	segment();
	segment();
	must(!in->in.sink.drain(in, f->ends[0], f->bytes + f->ends[0], f->len - f->ends[0], &sum));
	must(!in->in.sink.drain(in, f->shown, f->bytes + f->shown, f->ends[0] - f->shown, &sum));
	must(!asked && !alf_in_first(in) && in->in.begun == in->in.returned);
	flow_show(f, in);
	ck_assert_uint_eq(asked, 2);
	hear();
	ck_assert_uint_eq(complete, 1);
	flow_close(&pair);
}
END_TEST

/* ---- more frames than can be undone ---- */

/* The segment is left to TCP, which checks it and shows it then. */
START_TEST(too_many_to_undo)
{
	struct alf_profile p = flow_profile((unsigned)_i);
	struct flow *f = &pair.flow[0];
	unsigned adus = 0;
	struct adu_event e;
	uint16_t sum;
	size_t n;

	flow_pair_open(&pair, &p, &p);
	out = pair.end[0];
	in = pair.end[1];
	for (uint8_t i = 0; i < ALF_DONE_MAX + 1; i++)
		must(flow_send(out, data[0], i % 8, &(struct adu_attr){ .type = i }) > 0);
	n = flow_pull(f, out, CAP);
	must(f->segments && f->ends[f->segments - 1] - f->shown == n && n <= CAP);
	must(!in->in.sink.drain(in, f->shown, f->bytes + f->shown, n, &sum));
	must(!alf_in_first(in) && !in->in.done_count && in->in.begun == 0 && in->stats.bytes_held == 0);
	flow_expect_nothing(in);
	flow_show(f, in);
	must(f->shown == f->len);
	for (; alf_event(in, &e); adus++)
		must(e.kind == ADU_COMPLETE && e.attr.type == adus && e.len == adus % 8);
	ck_assert_uint_eq(adus, ALF_DONE_MAX + 1);
	flow_close(&pair);
}
END_TEST

/* As many as can be are taken at once. */
START_TEST(as_many_as_can_be)
{
	struct alf_profile p = flow_profile((unsigned)_i);
	struct flow *f = &pair.flow[0];
	uint16_t sum;
	size_t n;

	flow_pair_open(&pair, &p, &p);
	out = pair.end[0];
	in = pair.end[1];
	for (unsigned i = 0; i < ALF_DONE_MAX; i++)
		must(flow_send(out, data[0], 4, NULL) > 0);
	n = flow_pull(f, out, CAP);
	for (int good = 0; good < 2; good++) {
		must(in->in.sink.drain(in, f->shown, f->bytes + f->shown, n, &sum) == n);
		in->in.sink.settle(in, f->shown, n, good);
		must(in->stats.adus_complete == (good ? ALF_DONE_MAX : 0));
	}
	flow_close(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("undo");
	TCase *tc = tcase_create("undo");

	tcase_add_loop_test(tc, undone, 0, FLOW_KINDS * 4 * 3);
	tcase_add_loop_test(tc, not_asked_too_early, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, too_many_to_undo, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, as_many_as_can_be, 0, FLOW_KINDS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

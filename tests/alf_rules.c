/* What alf/alf.h promises of ADUs, rule by rule: whose turn it is, what is dropped, credit, limits, events. */
#include "tests/alf_flow.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#define CAP 1460

static struct flow_pair pair;
static struct alf *out, *in;
static uint8_t data[1 << 19];

static void pair_open(const struct alf_profile *a, const struct alf_profile *b)
{
	flow_pair_open(&pair, a, b);
	out = pair.end[0];
	in = pair.end[1];
	flow_fill(data, sizeof data, 1);
}

static void open_simply(void)
{
	struct alf_profile p = flow_profile(0);

	pair_open(&p, &p);
}

static int64_t send_one(size_t len, uint8_t type, uint8_t priority)
{
	struct adu_attr attr = { .type = type, .priority = priority };

	return flow_send(out, data, len, &attr);
}

/* The types of ADUs that complete, in their order. */
static unsigned completions(uint8_t *types, unsigned max)
{
	struct adu_event e;
	unsigned n = 0;

	while (alf_event(in, &e)) {
		if (e.kind != ADU_COMPLETE)
			continue;
		must(n < max);
		types[n++] = e.attr.type;
		must(e.len == 0 || !memcmp(e.data, data, e.len));
		alf_forget(in, alf_in_find(in, e.id));
	}
	return n;
}

/* ---- whose turn it is ---- */

/* An urgent ADU waits for one frame of a large one at most. */
START_TEST(urgent_first)
{
	uint8_t types[4];

	open_simply();
	send_one(200000, 1, 0);
	ck_assert_uint_gt(flow_pull_one(&pair.flow[0], out, CAP), 1400);
	send_one(100, 2, 7);
	flow_pull_one(&pair.flow[0], out, CAP);
	flow_show(&pair.flow[0], in);
	ck_assert_uint_eq(completions(types, 4), 1);
	ck_assert_uint_eq(types[0], 2);
	flow_cross(&pair, CAP);
	ck_assert_uint_eq(completions(types, 4), 1);
	flow_close(&pair);
}
END_TEST

/* Equals share: when the first of three is whole, each of the others lacks no more than a turn or two. */
START_TEST(equals_share)
{
	struct alf_profile p = flow_profile(0);
	uint64_t least = UINT64_MAX;

	p.quantum = 4000;
	pair_open(&p, &p);
	for (uint8_t i = 0; i < 3; i++)
		send_one(100000, i, 3);
	while (in->stats.adus_complete == 0) {
		ck_assert_uint_gt(flow_pull_one(&pair.flow[0], out, CAP), 0);
		flow_show(&pair.flow[0], in);
	}
	for (const struct adu_in *adu = alf_in_first(in); adu; adu = ALF_OF(adu_in, link, adu->link.next))
		least = adu->got < least ? adu->got : least;
	ck_assert_uint_gt(least, 100000 - 3 * 4000);
	flow_close(&pair);
}
END_TEST

/* Small ones go together in a segment, and a large one's end takes them along. */
START_TEST(packed)
{
	uint8_t types[16];

	open_simply();
	for (uint8_t i = 0; i < 10; i++)
		send_one(60, i, 0);
	ck_assert_uint_gt(flow_pull_one(&pair.flow[0], out, CAP), 10 * 60);
	ck_assert_uint_eq(flow_pull_one(&pair.flow[0], out, CAP), 0);
	flow_show(&pair.flow[0], in);
	ck_assert_uint_eq(completions(types, 16), 10);
	flow_close(&pair);
}
END_TEST

/* ---- what is dropped ---- */

START_TEST(cancelled_before_it_began)
{
	int64_t id;

	open_simply();
	id = send_one(1000, 1, 0);
	ck_assert_int_eq(alf_drop(out, alf_out_find(out, id), CONTROL_CANCELLED, ECANCELED), 0);
	ck_assert_uint_eq(flow_pull(&pair.flow[0], out, CAP), 0);
	ck_assert_int_eq(flow_expect(out, ADU_CANCELLED).error, ECANCELED);
	flow_expect_nothing(out);
	ck_assert_ptr_null(alf_out_find(out, id));
	flow_close(&pair);
}
END_TEST

/* Half an ADU: the other end forgets it, whether it has what was sent or not, and has the credit back. */
START_TEST(cancelled_in_the_middle)
{
	static const enum control_reason reasons[] = { CONTROL_CANCELLED, CONTROL_SUPERSEDED, CONTROL_EXPIRED };
	static const int errors[] = { ECANCELED, EEXIST, ETIME };
	bool message_first = _i / 3;
	struct adu_event e;
	uint64_t before;
	int64_t id;

	open_simply();
	before = in->in.returned;
	id = send_one(100000, 1, 0);
	flow_pull_one(&pair.flow[0], out, CAP);
	flow_pull_one(&pair.flow[0], out, CAP);
	alf_drop(out, alf_out_find(out, id), reasons[_i % 3], errors[_i % 3]);
	if (message_first) {
		/* It comes before what was sent of the ADU. */
		uint64_t at = pair.flow[0].len, begin, end;
		const uint8_t *from[2] = { pair.flow[0].bytes + at, NULL };
		uint32_t n[2] = { (uint32_t)flow_pull_one(&pair.flow[0], out, CAP), 0 };
		alf_ranges_free(&in->in.over);
		must(alf_ranges_add(&in->in.over, at - 1, at) == 0); /* as if its neighbour had come */
		must(in->in.sink.show(in, at, from, n, &begin, &end) && begin == at && end == at + n[0]);
		alf_event(in, &e);
		ck_assert_int_eq(e.kind, ADU_LOST);
		flow_close(&pair);
		return;
	}
	flow_cross(&pair, CAP);
	e = flow_expect(in, ADU_LOST);
	ck_assert_int_eq(e.error, errors[_i % 3]);
	ck_assert_int_eq(e.attr.type, 1);
	ck_assert_uint_eq(in->stats.bytes_held, 0);
	ck_assert_ptr_null(alf_in_first(in));
	ck_assert_uint_eq(in->in.returned - before, 100000 + ADU_COST);
	flow_close(&pair);
}
END_TEST

/* What was not sent at its deadline never is; the receiver gives up what tolerates that, and tells the sender. */
START_TEST(deadlines)
{
	static const enum adu_recovery recoveries[] = { ADU_KEEP, ADU_TOLERATE, ADU_SUPERSEDE };
	struct adu_attr attr = { .type = 9, .recovery = (uint8_t)recoveries[_i], .deadline_ms = 20 };
	struct adu_event e;

	open_simply();
	flow_send(out, data, 100000, &attr);
	ck_assert_uint_eq(alf_deadline(out), 20000);
	flow_pull_one(&pair.flow[0], out, CAP);
	flow_show(&pair.flow[0], in);
	ck_assert_uint_eq(alf_deadline(in), 20000);
	alf_tick(in, 19999);
	flow_expect_nothing(in);
	alf_tick(in, 20000);
	if (attr.recovery >= ADU_TOLERATE) {
		ck_assert_int_eq(flow_expect(in, ADU_LOST).error, ETIME);
		/* STOP: the sender, whose clock is late, hears that nobody wants the rest. */
		flow_pull(&pair.flow[1], in, CAP);
		flow_show(&pair.flow[1], out);
		e = flow_expect(out, ADU_EXPIRED);
		ck_assert_int_eq(e.error, ECANCELED);
		flow_cross(&pair, CAP);
		ck_assert_ptr_null(alf_in_first(in));
	} else {
		flow_expect_nothing(in);
		flow_cross(&pair, CAP);
		e = flow_expect(in, ADU_COMPLETE);
		ck_assert(e.attr.late);
	}
	flow_close(&pair);
}
END_TEST

START_TEST(expired_unsent)
{
	struct adu_attr attr = { .deadline_ms = 20 };

	open_simply();
	flow_send(out, data, 1000, &attr);
	alf_tick(out, 20000);
	ck_assert_int_eq(flow_expect(out, ADU_EXPIRED).error, ETIME);
	ck_assert_uint_eq(flow_pull(&pair.flow[0], out, CAP), 0);
	flow_close(&pair);
}
END_TEST

/* ---- limits and credit ---- */

START_TEST(longer_than_the_peer_takes)
{
	struct alf_profile p = flow_profile(0), q = p;

	q.adu_max = 5000;
	pair_open(&p, &q);
	ck_assert_int_eq(send_one(5001, 0, 0), -EMSGSIZE);
	ck_assert_int_gt(send_one(5000, 0, 0), 0);
	flow_cross(&pair, CAP);
	flow_expect(in, ADU_COMPLETE);
	flow_close(&pair);
}
END_TEST

/* ADUs wait for credit, none that is larger is overtaken, and each release lets some go. */
START_TEST(credit)
{
	struct alf_profile p = flow_profile(0), q = p;
	unsigned whole = 0;
	struct adu_event e;

	q.adu_max = 10000;
	q.credit = 2 * (q.adu_max + ADU_COST);
	pair_open(&p, &q);
	for (unsigned i = 0; i < 50; i++)
		ck_assert_int_gt(send_one(i % 2 ? 10000 : 10, (uint8_t)i, 0), 0);
	flow_cross(&pair, CAP);
	ck_assert_uint_le(in->stats.bytes_held, q.credit);
	while (alf_event(in, &e)) {
		ck_assert_int_eq(e.kind, ADU_COMPLETE);
		ck_assert_int_eq(e.attr.type, (int)whole);
		whole++;
		alf_forget(in, alf_in_find(in, e.id));
		flow_cross(&pair, CAP);
		ck_assert_uint_le(in->stats.bytes_held, q.credit);
	}
	ck_assert_uint_eq(whole, 50);
	ck_assert_uint_eq(out->out.used, in->in.begun);
	flow_close(&pair);
}
END_TEST

/* Nothing comes out of the peer's hands that does not go back: any mixture of ends leaves the books even. */
START_TEST(credit_is_kept)
{
	struct random dice = random_seed(_i);
	struct alf_profile p = flow_profile(0), q = p;
	struct adu_event e;

	q.adu_max = 3000;
	q.credit = q.adu_max + ADU_COST + rnd(&dice, 4000);
	p.quantum = 500;
	pair_open(&p, &q);
	for (unsigned i = 0; i < 300; i++) {
		int64_t id = send_one(rnd(&dice, 3001), 0, (uint8_t)rnd(&dice, 3));
		ck_assert_int_gt(id, 0);
		for (unsigned k = rnd(&dice, 4); k; k--)
			flow_pull_one(&pair.flow[0], out, CAP);
		if (rnd(&dice, 4) == 0 && alf_out_find(out, id))
			alf_drop(out, alf_out_find(out, id), CONTROL_CANCELLED, ECANCELED);
		if (rnd(&dice, 2))
			flow_cross(&pair, 100 + rnd(&dice, 1300));
		while (rnd(&dice, 3) && alf_event(in, &e))
			if (e.kind == ADU_COMPLETE)
				alf_forget(in, alf_in_find(in, e.id));
	}
	do {
		flow_cross(&pair, CAP);
		if (in->news.first && alf_event(in, &e) && e.kind == ADU_COMPLETE)
			alf_forget(in, alf_in_find(in, e.id));
	} while (in->news.first || alf_wants_out(in));
	must(!in->error && !out->error);
	ck_assert_uint_eq(in->in.begun, in->in.returned);
	ck_assert_uint_eq(out->out.used, in->in.begun);
	ck_assert_uint_eq(in->stats.bytes_held, 0);
	ck_assert_ptr_null(alf_in_first(in));
	ck_assert_uint_eq(out->out.ids.count, 0);
	flow_close(&pair);
}
END_TEST

/* ---- delivery ---- */

/* In order where the profile says so, whatever was whole first. */
START_TEST(ordered)
{
	struct alf_profile p = flow_profile(0), q = p;
	struct adu_event e;

	q.ordered = true;
	pair_open(&p, &q);
	send_one(20000, 0, 0);
	flow_pull_one(&pair.flow[0], out, CAP);
	send_one(10, 1, 7);
	flow_pull_one(&pair.flow[0], out, CAP);
	flow_show(&pair.flow[0], in);
	ck_assert_uint_eq(in->stats.adus_complete, 1);
	flow_expect_nothing(in);
	flow_cross(&pair, CAP);
	e = flow_expect(in, ADU_DELIVERED);
	ck_assert_int_eq(e.attr.type, 0);
	e = flow_expect(in, ADU_DELIVERED);
	ck_assert_int_eq(e.attr.type, 1);
	ck_assert_mem_eq(e.data, data, 10);
	flow_close(&pair);
}
END_TEST

/* Bytes are told of as they come, each once. */
START_TEST(placed)
{
	struct alf_profile p = flow_profile(0), q = p;
	struct adu_event e;
	uint64_t bytes = 0;

	q.wanted = 1U << ADU_PLACED | 1U << ADU_COMPLETE;
	pair_open(&p, &q);
	send_one(5000, 0, 0);
	while (flow_pull_one(&pair.flow[0], out, CAP)) {
		flow_show(&pair.flow[0], in);
		e = flow_expect(in, ADU_PLACED);
		ck_assert_uint_eq(e.offset, bytes);
		bytes += e.len;
	}
	ck_assert_uint_eq(bytes, 5000);
	flow_expect(in, ADU_COMPLETE);
	flow_close(&pair);
}
END_TEST

/* ---- where bytes land ---- */

static uint8_t object[3][6000];
static int answers; /* of place: pieces; or negative */
static unsigned asked;

static int place(void *ctx, const struct adu_where *w, struct iovec *to, int max)
{
	size_t at = 0;

	(void)ctx;
	asked++;
	must(max >= 3 && w->len && w->offset + w->len <= w->total);
	if (answers <= 0)
		return w->named || answers != -EAGAIN ? answers : -EAGAIN;
	/* A third of the ADU in each. */
	for (int i = 0; i < 3; i++) {
		uint64_t begin = w->total * (uint64_t)i / 3, end = w->total * (uint64_t)(i + 1) / 3;
		uint64_t from = w->offset + at < begin ? begin : w->offset + at;
		size_t n = from < end ? (size_t)(end - from) : 0;
		if (n > w->len - at)
			n = w->len - at;
		to[i] = (struct iovec){ object[i] + (from - begin), n };
		at += n;
	}
	return 3;
}

START_TEST(scattered)
{
	struct alf_profile p = flow_profile((unsigned)_i % FLOW_KINDS), q = p;
	struct adu_event e;

	answers = 3;
	asked = 0;
	memset(object, 0, sizeof object);
	q.hooks.place = place;
	pair_open(&p, &q);
	send_one(9000, 0, 0);
	flow_cross(&pair, CAP);
	e = flow_expect(in, ADU_COMPLETE);
	ck_assert_ptr_null(e.data);
	ck_assert_uint_eq(in->stats.bytes_held, 0);
	ck_assert_uint_gt(asked, 5);
	for (size_t i = 0; i < 3; i++)
		ck_assert_mem_eq(object[i], data + 3000 * i, 3000);
	flow_close(&pair);
}
END_TEST

/* The application does not want it: the sender hears, and what comes of it all the same is dropped. */
START_TEST(refused)
{
	struct alf_profile p = flow_profile(0), q = p;

	answers = -ECANCELED;
	q.hooks.place = place;
	pair_open(&p, &q);
	send_one(300000, 0, 0);
	flow_pull_one(&pair.flow[0], out, CAP);
	flow_show(&pair.flow[0], in);
	ck_assert_int_eq(flow_expect(in, ADU_LOST).error, ECANCELED);
	answers = 0;
	flow_pull(&pair.flow[1], in, CAP);
	flow_show(&pair.flow[1], out);
	ck_assert_int_eq(flow_expect(out, ADU_CANCELLED).error, ECANCELED);
	send_one(10, 1, 0);
	flow_cross(&pair, CAP);
	flow_expect(out, ADU_SENT);
	ck_assert_int_eq(flow_expect(in, ADU_COMPLETE).attr.type, 1);
	ck_assert_uint_lt(pair.flow[0].len, 10000);
	flow_close(&pair);
}
END_TEST

/* An answer that is none is the application's mistake, whatever it is called: not the peer's. */
START_TEST(no_answer)
{
	static const int none[] = { -EINVAL, -EIO, -EBADMSG, -ENOMEM };
	struct alf_profile p = flow_profile(0), q = p;

	answers = none[_i];
	q.hooks.place = place;
	pair_open(&p, &q);
	send_one(100, 0, 0);
	flow_cross(&pair, CAP);
	ck_assert_int_eq(flow_expect(in, ADU_ERROR).error, EINVAL);
	ck_assert_int_eq(alf_reason(in), ALF_NO_REASON);
	flow_close(&pair);
}
END_TEST

/* Tagged: where the peer says, within what is exposed, and told as placed. */
START_TEST(tagged)
{
	struct alf_profile p = flow_profile((unsigned)_i % FLOW_KINDS), q = p;
	static uint8_t region[10000];
	struct adu_out like = { .own = { data, 3000 }, .total = 3000, .here = 3000, .tagged = true, .stag = 77, .to = 5000 };
	struct adu_event e;
	uint64_t bytes = 0;

	q.wanted = 1U << ADU_PLACED | 1U << ADU_ERROR;
	pair_open(&p, &q);
	memset(region, 0, sizeof region);
	ck_assert_int_eq(adu_expose(in, 77, region, sizeof region), 0);
	ck_assert_int_eq(adu_expose(in, 77, region, sizeof region), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_gt(alf_queue(out, &like, NULL), 0);
	flow_cross(&pair, CAP);
	while (alf_event(in, &e)) {
		ck_assert_int_eq(e.kind, ADU_PLACED);
		ck_assert_uint_eq(e.stag, 77);
		ck_assert_uint_eq(e.offset, 5000 + bytes);
		bytes += e.len;
	}
	ck_assert_uint_eq(bytes, 3000);
	ck_assert_mem_eq(region + 5000, data, 3000);
	for (size_t i = 0; i < sizeof region; i++)
		must((i >= 5000 && i < 8000) || !region[i]);
	/* Beyond its end, even by a byte; or by another STag. */
	like.to = sizeof region - 2999;
	like.stag += (uint32_t)_i % 3 == 2;
	like.to = like.stag == 77 ? like.to : 0;
	ck_assert_int_gt(alf_queue(out, &like, NULL), 0);
	flow_cross(&pair, CAP);
	for (size_t i = 8000; i < 10000; i++)
		must(like.stag == 77 || !region[i]);
	do
		e = (struct adu_event){ .kind = ADU_EVENTS };
	while (alf_event(in, &e) && e.kind != ADU_ERROR);
	ck_assert_int_eq(e.kind, ADU_ERROR);
	ck_assert_int_eq(e.error, EBADMSG);
	flow_close(&pair);
}
END_TEST

/* A segment comes damaged, and TCP says so afterwards: whatever its TO has become, what was placed stays. */
START_TEST(tagged_damaged)
{
	struct alf_profile p = flow_profile(0), q;
	static uint8_t region[10000];
	struct adu_out like = { .own = { data, 1000 }, .total = 1000, .here = 1000, .tagged = true, .stag = 77 };
	struct flow *f = &pair.flow[0];
	uint16_t sum;
	size_t n;

	p.crc = (unsigned)_i & 1;
	p.markers = false;
	q = p;
	pair_open(&p, &q);
	ck_assert_int_eq(adu_expose(in, 77, region, sizeof region), 0);
	for (int k = 0; k < 2; k++) {
		like.to = k ? 5000 : 0;
		ck_assert_int_gt(alf_queue(out, &like, NULL), 0);
		if (k == 0)
			flow_cross(&pair, CAP);
	}
	ck_assert_mem_eq(region, data, 1000);
	n = flow_pull(f, out, CAP);
	/* RFC 5041 (4.2): TO's last two bytes, behind ULPDU_Length, two of control, four of STag. */
	f->bytes[f->shown + 14] = 0;
	f->bytes[f->shown + 15] = (uint8_t)(_i / 2 * 4);
	ck_assert_uint_eq(in->in.sink.drain(in, f->shown, f->bytes + f->shown, n, &sum), 0);
	in->in.sink.settle(in, f->shown, n, false);
	ck_assert_mem_eq(region, data, 1000);
	ck_assert_int_eq(in->error, 0);
	/* It comes again, as it was. */
	f->bytes[f->shown + 14] = 5000 >> 8;
	f->bytes[f->shown + 15] = 5000 & 0xff;
	ck_assert_uint_eq(in->in.sink.drain(in, f->shown, f->bytes + f->shown, n, &sum), n);
	in->in.sink.settle(in, f->shown, n, true);
	ck_assert_mem_eq(region + 5000, data, 1000);
	flow_close(&pair);
}
END_TEST

/* What nobody has asked about goes with the connection. */
START_TEST(closed_with_news)
{
	size_t before = 0;

	/* malloc keeps some of each size at hand, and counts these as used: the first few tell nothing. */
	for (int i = 0; i < 40; i++) {
		open_simply();
		send_one(1000, 1, 0);
		send_one(0, 1, 0);
		flow_cross(&pair, CAP);
		alf_acked(out, pair.flow[0].len);
		flow_close(&pair);
		before = i < 20 ? mallinfo2().uordblks : before;
	}
	ck_assert_uint_eq(mallinfo2().uordblks, before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tc = tcase_create("turns");

	tcase_add_test(tc, urgent_first);
	tcase_add_test(tc, equals_share);
	tcase_add_test(tc, packed);
	suite_add_tcase(suite, tc);
	tc = tcase_create("dropped");
	tcase_add_test(tc, cancelled_before_it_began);
	tcase_add_loop_test(tc, cancelled_in_the_middle, 0, 6);
	tcase_add_loop_test(tc, deadlines, 0, 3);
	tcase_add_test(tc, expired_unsent);
	suite_add_tcase(suite, tc);
	tc = tcase_create("credit");
	tcase_add_test(tc, longer_than_the_peer_takes);
	tcase_add_test(tc, credit);
	property_add(tc, credit_is_kept, 100);
	suite_add_tcase(suite, tc);
	tc = tcase_create("delivery");
	tcase_add_test(tc, ordered);
	tcase_add_test(tc, placed);
	tcase_add_loop_test(tc, tagged_damaged, 0, 8);
	tcase_add_loop_test(tc, scattered, 0, FLOW_KINDS);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, no_answer, 0, 4);
	tcase_add_loop_test(tc, tagged, 0, 2 * FLOW_KINDS);
	tcase_add_test(tc, closed_with_news);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

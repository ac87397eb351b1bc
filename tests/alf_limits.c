/* What one end can make the other keep, wait for or do, and where that ends. */
#include "tests/alf_flow.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>

#define LARGE 100000

static struct flow_pair pair;
static struct alf *out, *in;
static uint8_t data[LARGE];
static uint64_t clock_us;

static uint64_t read_clock(void)
{
	return clock_us;
}

static void open_pair(uint64_t credit)
{
	struct alf_profile p = flow_profile(0), q = p;

	q.adu_max = LARGE;
	q.credit = credit;
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
}

/* Large ones hold all of the profile's credit, and are not whole for long: what is urgent goes all the same. */
START_TEST(urgent_beside_large)
{
	const struct adu_attr urgent = { .type = 7, .priority = (uint8_t)_i };

	open_pair(2 * (LARGE + ADU_COST));
	must(flow_send(out, data, LARGE, NULL) > 0 && flow_send(out, data, LARGE, NULL) > 0);
	must(flow_send(out, data, 1, NULL) > 0); /* one that must wait */
	for (int i = 0; i < 20; i++) /* both begin, for they take turns */
		flow_pull_one(&pair.flow[0], out, 1460);
	flow_show(&pair.flow[0], in);
	ck_assert_uint_eq(in->in.msns.count, 2);
	must(flow_send(out, data, 100, &urgent) > 0);
	flow_pull(&pair.flow[0], out, 1460);
	flow_show(&pair.flow[0], in);
	if (_i) {
		ck_assert_int_eq(flow_expect(in, ADU_COMPLETE).attr.type, 7);
	} else { /* as that one */
		ck_assert_int_eq(flow_expect(in, ADU_COMPLETE).attr.type, 0);
		ck_assert_uint_eq(in->in.msns.count, 2);
	}
	flow_close(&pair);
}
END_TEST

/* A sender that leaves numbers out makes no more ranges than it has credit for ADUs. */
START_TEST(numbers_left_out)
{
	const unsigned most = (unsigned)((2 * (LARGE + ADU_COST) + ADU_URGENT) / ADU_COST + 3);
	struct adu_event e;
	unsigned n = 0;

	open_pair(2 * (LARGE + ADU_COST));
	while (!in->error && n <= most) {
		struct flow *f = &pair.flow[0];
		out->out.msn[0]++;
		must(flow_send(out, data, 10, NULL) > 0);
		f->segments = 0;
		if (f->len > FLOW_MAX / 2)
			break;
		/* Taken before the segment is known to be good, as in TCP's fast path. */
		uint16_t sum, seen;
		size_t len = out->out.source.fill(out, f->len, f->bytes + f->len, 1460, &sum);
		must(in->in.sink.drain(in, f->len, f->bytes + f->len, len, &seen) == len);
		in->in.sink.settle(in, f->len, len, true);
		f->len = f->shown = f->len + len;
		while (alf_event(in, &e))
			if (e.kind == ADU_COMPLETE)
				alf_forget(in, alf_in_find(in, e.id));
		flow_pull(&pair.flow[1], in, 1460);
		pair.flow[1].segments = 0;
		flow_show(&pair.flow[1], out);
		n++;
	}
	ck_assert_int_eq(in->error, EBADMSG);
	ck_assert_int_eq(alf_reason(in), ALF_BAD_MSN);
	ck_assert_uint_gt(n, 100);
	flow_close(&pair);
}
END_TEST

/* The receiver counts from the arrival of the first byte, though it last looked at the clock long before. */
START_TEST(since_it_came)
{
	const struct adu_attr attr = { .recovery = ADU_TOLERATE, .deadline_ms = 200 };

	open_pair(0x100000);
	in->clock = read_clock;
	clock_us = in->now_us + 300000;
	must(flow_send(out, data, 4000, &attr) > 0);
	flow_pull_one(&pair.flow[0], out, 1460);
	flow_show(&pair.flow[0], in);
	ck_assert_uint_eq(alf_deadline(in), clock_us + 200000);
	alf_tick(in, clock_us + 199999);
	flow_expect_nothing(in);
	alf_tick(in, clock_us + 200000);
	ck_assert_int_eq(flow_expect(in, ADU_LOST).error, ETIME);
	flow_close(&pair);
}
END_TEST

/* No memory for one ADU more that begins: the connection ends, and nothing of it is half there. */
START_TEST(no_memory_to_begin)
{
	struct alf_table full = { .max = 1U << 31, .count = 1U << 30, .salt = 1 };

	open_pair(0x100000);
	must(flow_send(out, data, 4000, NULL) > 0);
	must(!out->out.msns.slot);
	out->out.msns = full;
	flow_pull(&pair.flow[0], out, 1460);
	ck_assert_int_eq(out->error, ENOMEM);
	ck_assert_int_eq(flow_expect(out, ADU_ERROR).error, ENOMEM);
	out->out.msns = (struct alf_table){ 0 };
	ck_assert_uint_eq(out->out.ids.count, 1);
	flow_close(&pair);
}
END_TEST

/* A peer whose credit can never hold what it says it takes, whatever numbers it says. */
START_TEST(never_room_for_it)
{
	const struct mpa_hello hello = { .adu_max = UINT64_MAX - (unsigned)_i, .credit = 600 };
	const struct alf_profile p = { .initiator = false };
	uint8_t private[MPA_HELLO], request[MPA_HEADER + MPA_HELLO];
	const struct mpa_start s = { .private_len = MPA_HELLO, .private_data = private };
	const uint8_t *from[2] = { request, NULL };
	struct alf *a = alf_new(&p);
	struct adu_out like = { .own = { data, 100 }, .total = 100, .here = 100 };
	uint64_t begin, end;

	mpa_hello_write(&hello, private);
	must(a && mpa_write(&s, request) == sizeof request);
	must(a->in.sink.show(a, 0, from, (uint32_t[2]){ sizeof request, 0 }, &begin, &end) && a->in.open);
	ck_assert_int_eq(alf_queue(a, &like, NULL), -EMSGSIZE);
	like.total = like.here = like.own.iov_len = 600 - ADU_COST;
	ck_assert_int_gt(alf_queue(a, &like, NULL), 0);
	alf_free(a);
}
END_TEST

/* Frames that end at no marker, for Wireshark's sake, are as short as can be, and go. */
START_TEST(unpacked_and_small)
{
	static uint8_t region[16];
	struct alf_profile p = flow_profile((unsigned)_i), q = p;
	struct adu_out put = { .own = { data, 0 }, .tagged = true, .stag = 7 };
	struct random dice = random_seed(_i);
	struct adu_event e;

	p.unpacked = true;
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	must(adu_expose(in, 7, region, sizeof region) == 0);
	for (int i = 0; i < 1500; i++) {
		put.total = put.here = put.own.iov_len = 1 + rnd(&dice, 12);
		must(alf_queue(out, &put, NULL) > 0);
		must(flow_send(out, data, rnd(&dice, 8) ? rnd(&dice, 20) : 280 + rnd(&dice, 20), NULL) > 0);
		pair.flow[0].segments = pair.flow[1].segments = 0;
		flow_cross(&pair, 300);
		while (alf_event(out, &e))
			must(e.kind == ADU_SENT || e.kind == ADU_CREDIT);
		while (alf_event(in, &e))
			if (e.kind == ADU_COMPLETE)
				alf_forget(in, alf_in_find(in, e.id));
		must(!out->error && !in->error && !out->out.ids.count);
	}
	flow_close(&pair);
}
END_TEST

/* Where the key has served its time, and all is acknowledged, nothing is waited for. */
START_TEST(nothing_to_acknowledge)
{
	struct alf_profile p = flow_profile(2), q = p;

	p.rekey_after = 1;
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	for (int i = 0; i < 3; i++) {
		must(flow_send(out, data, 100, NULL) > 0);
		flow_cross(&pair, 1460);
		alf_acked(out, pair.flow[0].len);
		ck_assert(!alf_wants_acks(out));
	}
	ck_assert_uint_gt(out->stats.rekeys, 0);
	flow_close(&pair);
}
END_TEST

static uint8_t landed[4000];

static int land(void *ctx, const struct adu_where *where, struct iovec *to, int max)
{
	(void)ctx, (void)max;
	to[0] = (struct iovec){ landed + where->offset, where->len };
	return 1;
}

/* Who says where bytes land is asked at once where the link vouches for the segment, and else when it is checked. */
START_TEST(asked_at_once)
{
	struct alf_profile p = flow_profile(0), q = p;
	struct flow *f = &pair.flow[0];
	uint16_t sum;
	size_t len;

	q.hooks.place = land;
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	flow_fill(data, 1000, 5);
	must(flow_send(out, data, 1000, NULL) > 0);
	len = out->out.source.fill(out, f->len, f->bytes + f->len, 1460, &sum);
	ck_assert_uint_eq(in->in.sink.drain(in, f->len, f->bytes + f->len, len, &sum), 0);
	ck_assert_uint_eq(in->in.sink.drain(in, f->len, f->bytes + f->len, len, NULL), len);
	flow_expect_nothing(in);
	in->in.sink.settle(in, f->len, len, true);
	flow_expect(in, ADU_COMPLETE);
	ck_assert_mem_eq(landed, data, 1000);
	ck_assert_uint_eq(in->stats.fpdus_direct, 1);
	flow_close(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tc = tcase_create("limits");

	tcase_add_loop_test(tc, urgent_beside_large, 0, 2);
	tcase_add_test(tc, numbers_left_out);
	tcase_add_test(tc, since_it_came);
	tcase_add_test(tc, no_memory_to_begin);
	tcase_add_test(tc, asked_at_once);
	tcase_add_loop_test(tc, never_room_for_it, 0, 2);
	tcase_add_loop_test(tc, unpacked_and_small, 0, FLOW_KINDS);
	tcase_add_test(tc, nothing_to_acknowledge);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

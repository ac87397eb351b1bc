/* ADUs that both ends give up at the same time: STOP and DROPPED cross on their way, in any order, over holes too. Both
 * ends come to the same state, and credit comes back exactly once. */
#include "tests/alf_ends.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <string.h>

#define LONGEST 20000

static uint8_t data[LONGEST];

/* Nothing is kept at either end, and as much credit has come back as was used. */
static void books_are_even(const struct alf *out, const struct alf *in)
{
	must(!out->error && !in->error);
	must(!out->out.ids.count && !out->out.told.first && !out->out.repeated);
	must(!alf_in_first(in) && !in->in.gone.count && !in->out.stops.first && !in->in.dues.count && !in->stats.bytes_held);
	must(in->in.begun == in->in.returned && out->out.used == in->in.begun);
	must(out->out.credit == in->in.limit + in->in.told);
}

/* ---- one by one ---- */

static struct flow_pair pair;
static struct alf *out, *in;

enum { CROSSING, DROPPED_FIRST, STOP_FIRST, SENT_ALL, MEETINGS };

static void send_and_give_up(int meeting)
{
	const struct adu_attr attr = { .recovery = ADU_TOLERATE, .deadline_ms = 20 };
	const uint64_t begun = in->in.begun, returned = in->in.returned;
	struct flow *there = &pair.flow[0], *back = &pair.flow[1];
	int64_t id = flow_send(out, data, 4000, &attr);

	/* A segment that comes; another that stays on its way for now. */
	for (int i = 0; i < 2; i++) {
		flow_pull_one(there, out, 1460);
		if (i == 0)
			flow_show(there, in);
	}
	must(in->in.begun == begun + 4000 + ADU_COST && in->in.returned == returned);
	alf_tick(in, in->now_us + 20000);
	must(flow_expect(in, ADU_LOST).error == ETIME);
	if (meeting != DROPPED_FIRST)
		must(flow_pull(back, in, 1460) > 0);
	if (meeting == STOP_FIRST)
		flow_show(back, out);
	if (meeting == SENT_ALL)
		flow_pull(there, out, 1460);
	else if (meeting != STOP_FIRST)
		alf_drop(out, alf_out_find(out, id), CONTROL_CANCELLED, ECANCELED);
	/* Each has said it, and has not heard the other. */
	must(in->in.returned == returned);
	flow_pull(there, out, 1460);
	flow_show(there, in);
	must(in->in.returned == returned + 4000 + ADU_COST);
	if (meeting == DROPPED_FIRST)
		must(!in->out.stops.first); /* it would ask for what it has */
	flow_cross(&pair, 1460);
	must(in->in.begun == begun + 4000 + ADU_COST && in->in.returned == in->in.begun);
	flow_expect(out, meeting == SENT_ALL ? ADU_SENT : meeting == STOP_FIRST ? ADU_EXPIRED : ADU_CANCELLED);
	flow_expect_nothing(in);
	out->now_us = in->now_us;
}

START_TEST(stop_meets_dropped)
{
	struct alf_profile p = flow_profile((unsigned)_i / MEETINGS), q = p;
	struct adu_event e;

	q.adu_max = 5000;
	q.credit = 2 * (5000 + ADU_COST);
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	for (int round = 0; round < 100; round++) {
		pair.flow[0].segments = pair.flow[1].segments = 0;
		send_and_give_up(_i % MEETINGS);
		while (alf_event(out, &e))
			must(e.kind == ADU_CREDIT);
		if (in->in.told == in->in.returned)
			books_are_even(out, in);
	}
	/* All of its credit is the sender's: two at a time can go. */
	must(flow_send(out, data, 5000, NULL) > 0 && flow_send(out, data, 5000, NULL) > 0);
	flow_cross(&pair, 1460);
	flow_expect(in, ADU_COMPLETE);
	flow_expect(in, ADU_COMPLETE);
	flow_close(&pair);
}
END_TEST

/* What was placed of one that is lost is told as lost only. */
START_TEST(placed_and_lost)
{
	struct alf_profile p = flow_profile((unsigned)_i), q = p;

	q.wanted = 1U << ADU_PLACED | 1U << ADU_LOST;
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	must(flow_send(out, data, 4000, NULL) > 0);
	flow_pull_one(&pair.flow[0], out, 1460);
	flow_show(&pair.flow[0], in);
	must(in->news.first);
	alf_lose(in, alf_in_first(in), ETIME, UINT64_MAX, CONTROL_EXPIRED);
	must(flow_expect(in, ADU_LOST).error == ETIME);
	flow_close(&pair);
}
END_TEST

/* In order, whatever was to be told of them before: one that was whole first, and of which that is not read yet. */
START_TEST(delivered_in_order)
{
	const struct adu_attr urgent = { .type = 1, .priority = 7 };
	struct alf_profile p = flow_profile((unsigned)_i), q = p;
	struct adu_event e;
	unsigned next = 0;

	q.ordered = true;
	q.wanted = 1U << ADU_PLACED | 1U << ADU_DELIVERED;
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	for (int i = 0; i < 2; i++) {
		must(flow_send(out, data, i ? 100 : LONGEST, i ? &urgent : NULL) > 0);
		flow_pull_one(&pair.flow[0], out, 1460);
		flow_show(&pair.flow[0], in);
		while (i == 0 && alf_event(in, &e))
			must(e.kind == ADU_PLACED);
	}
	flow_cross(&pair, 1460);
	while (alf_event(in, &e))
		if (e.kind == ADU_DELIVERED)
			must(e.attr.type == next++);
	must(next == 2);
	flow_close(&pair);
}
END_TEST

static int not_the_first(void *ctx, const struct adu_where *where, struct iovec *to, int max)
{
	(void)ctx, (void)to, (void)max;
	return where->id == 2 ? -ECANCELED : 0;
}

/* Keys change while an ADU passes that nobody wants. */
START_TEST(keys_of_what_is_gone)
{
	struct alf_profile p = flow_profile(2), q = p;
	struct flow *there = &pair.flow[0];
	struct adu_event e;

	p.rekey_after = 2;
	q.hooks.place = not_the_first;
	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	must(flow_send(out, data, LONGEST, NULL) > 0 && flow_send(out, data, 100, NULL) > 0);
	while (alf_wants_out(out)) {
		flow_pull_one(there, out, 1460);
		alf_acked(out, there->len);
	}
	must(out->stats.rekeys > 4);
	flow_show(there, in);
	must(flow_expect(in, ADU_LOST).error == ECANCELED);
	e = flow_expect(in, ADU_COMPLETE);
	must(e.len == 100 && !memcmp(e.data, data, 100) && !in->error);
	flow_close(&pair);
}
END_TEST

/* Who never asks for events has the credit of what was lost back all the same: adu_recv sees to that. */
START_TEST(lost_and_not_told)
{
	struct alf_profile p = flow_profile((unsigned)_i), q = p;

	flow_pair_open(&pair, &p, &q);
	out = pair.end[0];
	in = pair.end[1];
	for (int i = 0; i < 20; i++) {
		int64_t id = flow_send(out, data, 4000, NULL);
		flow_pull_one(&pair.flow[0], out, 1460);
		flow_show(&pair.flow[0], in);
		alf_drop(out, alf_out_find(out, id), CONTROL_CANCELLED, ECANCELED);
		flow_cross(&pair, 1460);
		must(alf_in_first(in) && in->in.begun != in->in.returned);
		alf_tell_no_losses(in);
		must(!alf_in_first(in) && in->in.begun == in->in.returned);
	}
	flow_expect_nothing(in);
	flow_close(&pair);
}
END_TEST

/* ---- over a network ---- */

#define ADUS 400

static struct ends ends;
static struct random dice;
static struct fate {
	unsigned over; /* the sender was told what became of it */
	bool came;
} fates[ADUS];
static unsigned queued, over, lost, refused;

static void turn(struct end *e)
{
	while (queued < ADUS && queued - over < 8) {
		struct adu_attr attr = { .recovery = ADU_TOLERATE, .name_len = 4, .priority = (uint8_t)rnd(&dice, 3) };
		size_t len = rnd(&dice, LONGEST);
		if (rnd(&dice, 2))
			attr.deadline_ms = 10 + rnd(&dice, 300);
		memcpy(attr.name, &queued, sizeof queued);
		must(flow_send(e->alf, data, len, &attr) > 0);
		queued++;
	}
	/* One that has begun, sometimes, at a time of its own. */
	for (int p = 0; p < ADU_PRIORITIES && rnd(&dice, 6) == 0; p++)
		if (e->alf->out.queue[p].begun.first)
			alf_drop(e->alf, ALF_OF(adu_out, link, e->alf->out.queue[p].begun.first), CONTROL_CANCELLED, ECANCELED);
}

/* The receiver does not want it, from any piece on. */
static int place(void *ctx, const struct adu_where *where, struct iovec *to, int max)
{
	(void)ctx, (void)where, (void)to, (void)max;
	if (rnd(&dice, 10))
		return 0;
	refused++;
	return -ECANCELED;
}

static struct fate *fate_of(const struct adu_event *ev)
{
	unsigned i;

	memcpy(&i, ev->attr.name, sizeof i);
	must(ev->attr.name_len == 4 && i < queued);
	return &fates[i];
}

static void sender_hears(struct end *e, const struct adu_event *ev)
{
	(void)e;
	must(ev->kind != ADU_ERROR);
	if (ev->kind != ADU_SENT && ev->kind != ADU_EXPIRED && ev->kind != ADU_CANCELLED)
		return;
	must(fate_of(ev)->over++ == 0);
	over++;
}

static void receiver_hears(struct end *e, const struct adu_event *ev)
{
	must(ev->kind != ADU_ERROR);
	if (ev->kind == ADU_COMPLETE) {
		must(!fate_of(ev)->came && (!ev->len || !memcmp(ev->data, data, ev->len)));
		fate_of(ev)->came = true;
		alf_forget(e->alf, alf_in_find(e->alf, ev->id));
	}
	lost += ev->kind == ADU_LOST;
}

static bool all_over(struct ends *b)
{
	return over == ADUS && !net_info(b->end[0].tcb).buffered_bytes && !net_info(b->end[1].tcb).buffered_bytes &&
		!alf_in_first(b->end[1].alf) && !alf_wants_out(b->end[0].alf) && !alf_wants_out(b->end[1].alf);
}

START_TEST(over_a_network)
{
	struct link_sim_path path = { .loss = 0.05, .delay_us = 20000, .reorder = 0.05, .reorder_us = 9000,
		.duplicate = 0.02 };
	struct net_config config = { .seed = (uint64_t)_i, .path = { path, path } };
	struct alf_profile p = flow_profile((unsigned)_i % FLOW_KINDS), q = p;

	dice = random_seed(_i);
	queued = over = lost = refused = 0;
	memset(fates, 0, sizeof fates);
	flow_fill(data, sizeof data, 1);
	q.adu_max = LONGEST;
	q.credit = 3 * (LONGEST + ADU_COST);
	q.markers = rnd(&dice, 4);
	q.hooks.place = place;
	p.quantum = 2000;
	ends_open(&ends, &config, &p, &q);
	ends.end[0].turn = turn;
	ends.end[0].event = sender_hears;
	ends.end[1].event = receiver_hears;
	ck_assert(ends_run(&ends, all_over, 3600 * NET_S));
	ck_assert_uint_gt(lost, 40);
	ck_assert_uint_gt(refused, 10);
	net_run(&ends.net, NET_S);
	books_are_even(ends.end[0].alf, ends.end[1].alf);
	ends_close(&ends);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gone");
	TCase *tc = tcase_create("meetings");

	tcase_add_loop_test(tc, stop_meets_dropped, 0, MEETINGS * FLOW_KINDS);
	tcase_add_loop_test(tc, placed_and_lost, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, lost_and_not_told, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, delivered_in_order, 0, FLOW_KINDS);
	tcase_add_test(tc, keys_of_what_is_gone);
	suite_add_tcase(suite, tc);
	tc = tcase_create("network");
	property_add(tc, over_a_network, 60);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

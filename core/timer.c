/* Deadlines: each connection has a few timers; a binary heap orders connections by their earliest. RFC 6298 (the
 * retransmission timer), RFC 9293 3.8.6.1 (persist), 3.6 (TIME-WAIT). */
#include "core/tcb.h"

#include <errno.h>
#include <string.h>

static void place(struct tcpu *e, uint32_t i, struct tcb *c)
{
	e->heap[i] = c;
	c->heap_at = i;
}

static void sift(struct tcpu *e, uint32_t i)
{
	struct tcb *c = e->heap[i];

	while (i && e->heap[(i - 1) / 2]->deadline > c->deadline) {
		place(e, i, e->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (uint32_t child; (child = 2 * i + 1) < e->heap_count; i = child) {
		if (child + 1 < e->heap_count && e->heap[child + 1]->deadline < e->heap[child]->deadline)
			child++;
		if (e->heap[child]->deadline >= c->deadline)
			break;
		place(e, i, e->heap[child]);
	}
	place(e, i, c);
}

int heap_add(struct tcb *c)
{
	struct tcpu *e = c->engine;

	if (e->heap_count == e->heap_max) {
		uint32_t max = e->heap_max ? 2 * e->heap_max : 8;
		struct tcb **heap = e->config.alloc(e->config.alloc_ctx, max * sizeof(struct tcb *));

		if (!heap)
			return -ENOMEM;
		if (e->heap) {
			memcpy(heap, e->heap, e->heap_count * sizeof(struct tcb *));
			e->config.free(e->config.alloc_ctx, e->heap, e->heap_max * sizeof(struct tcb *));
		}
		e->heap = heap;
		e->heap_max = max;
	}
	place(e, e->heap_count++, c);
	sift(e, c->heap_at);
	return 0;
}

void heap_remove(struct tcb *c)
{
	struct tcpu *e = c->engine;
	uint32_t i = c->heap_at;
	struct tcb *last = e->heap[--e->heap_count];

	c->heap_at = HEAP_OUT;
	if (last != c) {
		place(e, i, last);
		sift(e, i);
	}
}

void timer_set(struct tcb *c, enum timer t, uint64_t when)
{
	uint64_t deadline = TCPU_NEVER;

	c->timer[t] = when;
	for (int i = 0; i < TIMERS; i++)
		if (c->timer[i] < deadline)
			deadline = c->timer[i];
	if (deadline == c->deadline)
		return;
	c->deadline = deadline;
	sift(c->engine, c->heap_at);
}

void timer_rto_start(struct tcb *c)
{
	timer_set(c, TIMER_RTO, c->engine->now + c->rto);
}

void timer_time_wait(struct tcb *c)
{
	for (enum timer t = 0; t < TIMERS; t++)
		timer_stop(c, t);
	c->state = TCPU_TIME_WAIT;
	timer_set(c, TIMER_2MSL, c->engine->now + 2 * (uint64_t)c->engine->config.msl_us);
}


static void on_rto(struct tcb *c)
{
	bool opening = c->state == TCPU_SYN_SENT || c->state == TCPU_SYN_RECEIVED;
	const struct tcpu_config *k = &c->engine->config;

	c->info.timeouts++;
	if (c->retries++ >= (opening ? c->options.syn_retries : c->options.data_retries)) {
		tcb_drop(c, ETIMEDOUT);
		return;
	}
	c->rto = c->rto < k->rto_max_us / 2 ? 2 * c->rto : k->rto_max_us; /* RFC 6298 (5.5) */
	c->rtt_timing = false; /* Karn: RFC 6298 section 3 */
	if (opening) {
		c->info.retransmits++;
		tcb_send_syn(c);
		timer_rto_start(c);
		return;
	}
	congestion_timeout(c);
	c->snd_nxt = c->snd_una;
	tcb_output(c); /* (5.4), (5.6): the earliest segment, and the timer */
}

static void on_persist(struct tcb *c)
{
	const struct tcpu_config *k = &c->engine->config;
	uint64_t wait;

	/* RFC 9293 3.8.6.1: probes go on as long as the peer answers; retries counts those without an answer. */
	if (c->retries++ >= c->options.data_retries) {
		tcb_drop(c, ETIMEDOUT);
		return;
	}
	c->probes += c->probes < 16;
	wait = (uint64_t)c->rto << c->probes;
	tcb_send_probe(c);
	timer_set(c, TIMER_PERSIST, c->engine->now + (wait < k->rto_max_us ? wait : k->rto_max_us));
}

static void fire(struct tcb *c, enum timer t)
{
	timer_stop(c, t);
	switch (t) {
	case TIMER_RTO:
		on_rto(c);
		break;
	case TIMER_PERSIST:
		on_persist(c);
		break;
	case TIMER_DELACK:
		tcb_send_ack(c);
		break;
	case TIMER_2MSL:
	default:
		tcb_drop(c, 0);
	}
}

void timers_run(struct tcpu *e)
{
	while (e->heap_count && e->heap[0]->deadline <= e->now) {
		struct tcb *c = e->heap[0];
		enum timer t = 0;

		while (c->timer[t] != c->deadline)
			t++;
		fire(c, t);
	}
	batch_send(e);
}

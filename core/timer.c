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
		struct tcb **heap = memory_take(e, max * sizeof(struct tcb *));

		if (!heap)
			return -ENOMEM;
		if (e->heap)
			memcpy(heap, e->heap, e->heap_count * sizeof(struct tcb *));
		memory_give(e, e->heap, e->heap_max * sizeof(struct tcb *));
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

/* A deadline that moves later is left in the heap until it comes up: most are put off again before that. */
void timer_set(struct tcb *c, enum timer t, uint64_t when)
{
	c->timer[t] = when;
	if (when >= c->deadline || c->heap_at == HEAP_OUT)
		return;
	c->deadline = when;
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

void timer_keep(struct tcb *c)
{
	if (c->options.keepalive && is_synchronized(c) && c->state != TCPU_TIME_WAIT)
		timer_set(c, TIMER_KEEP, c->heard_us + c->options.keep_idle_us);
	else
		timer_stop(c, TIMER_KEEP);
}

void timer_user(struct tcb *c)
{
	if (c->stale)
		return; /* it ends the connection */
	if (!c->options.user_timeout_us || (c->snd_una == c->snd_nxt && c->snd.una == c->snd.end))
		timer_stop(c, TIMER_USER);
	else if (c->timer[TIMER_USER] == TCPU_NEVER)
		timer_set(c, TIMER_USER, c->engine->now + c->options.user_timeout_us);
}

static bool is_opening(const struct tcb *c)
{
	return c->state == TCPU_SYN_SENT || c->state == TCPU_SYN_RECEIVED;
}

/* RFC 9293 3.9.2.2: what the network has said is a better reason than silence. */
static void timed_out(struct tcb *c)
{
	if (c->stale)
		tcb_send_rst(c); /* the peer waits for what nobody has */
	if (c->stale)
		return tcb_drop(c, ESTALE);
	tcb_drop(c, c->soft_error ? c->soft_error : ETIMEDOUT);
}

/* One timeout more without an answer. true: it was one too many, and the connection is gone. A user timeout that runs
 * stands in for their number (RFC 9293 3.8.3). */
static bool give_up(struct tcb *c)
{
	uint32_t max = is_opening(c) ? c->options.syn_retries : c->options.data_retries;

	if (c->retries++ < max || c->timer[TIMER_USER] != TCPU_NEVER)
		return false;
	timed_out(c);
	return true;
}

/* The first segment does not fit into the window, which may have shrunk: RFC 9293 3.8.6, that is probed, not
 * retransmitted. */
static bool is_shut_out(const struct tcb *c)
{
	const struct span *s = sndbuf_first(&c->snd);

	return s && min_u32(s->len, c->mss) > c->snd_wnd;
}

void timer_persist_over(struct tcb *c)
{
	if (c->timer[TIMER_PERSIST] != TCPU_NEVER && c->snd_una != c->snd_nxt && !is_shut_out(c))
		timer_set(c, TIMER_PERSIST, c->engine->now);
}

static void resend(struct tcb *c)
{
	recovery_timeout(c);
	tcb_send_first(c); /* RFC 6298 (5.4) */
	timer_rto_start(c); /* (5.6) */
}

static void on_rto(struct tcb *c)
{
	const struct tcpu_config *k = &c->engine->config;

	if (!is_opening(c) && is_shut_out(c)) {
		timer_set(c, TIMER_PERSIST, c->engine->now);
		return;
	}
	c->count.timeouts++;
	if (give_up(c))
		return;
	c->rto = c->rto < k->rto_max_us / 2 ? 2 * c->rto : k->rto_max_us; /* RFC 6298 (5.5) */
	if (is_opening(c)) {
		c->count.retransmits++;
		tcb_send_syn(c);
		timer_rto_start(c);
		return;
	}
	mtu_timeout(c);
	resend(c);
	tcb_output(c);
}

static void on_persist(struct tcb *c)
{
	const struct tcpu_config *k = &c->engine->config;
	uint64_t wait;

	if (!is_shut_out(c)) { /* it has opened since; what had been sent into it was lost */
		if (c->snd_una != c->snd_nxt && c->timer[TIMER_RTO] == TCPU_NEVER)
			resend(c);
		tcb_output(c);
		return;
	}
	/* RFC 9293 3.8.6.1: probes go on as long as the peer answers; retries counts those without an answer. */
	if (give_up(c))
		return;
	wait = (uint64_t)c->rto << (c->probes + 1);
	if (wait < k->rto_max_us)
		c->probes++;
	tcb_send_probe(c);
	timer_set(c, TIMER_PERSIST, c->engine->now + (wait < k->rto_max_us ? wait : k->rto_max_us));
}

/* RFC 9293 3.8.4, RFC 1122 4.2.3.6 */
static void on_keep(struct tcb *c)
{
	uint64_t silent = c->engine->now - c->heard_us;
	const struct tcpu_options *o = &c->options;

	/* Data that waits for its acknowledgment asks the same question. */
	if (silent < o->keep_idle_us || c->snd_una != c->snd_nxt || c->snd.una != c->snd.end) {
		uint64_t from = silent < o->keep_idle_us ? c->heard_us : c->engine->now;

		timer_set(c, TIMER_KEEP, from + o->keep_idle_us);
		return;
	}
	if (o->user_timeout_us ? c->keeps && silent >= o->user_timeout_us : c->keeps >= o->keep_probes) {
		tcb_send_rst(c);
		timed_out(c);
		return;
	}
	c->keeps++;
	tcb_send(c, TH_ACK, c->snd_una - 1, NULL);
	timer_set(c, TIMER_KEEP, c->engine->now + o->keep_interval_us);
}

static void fire(struct tcb *c, enum timer t)
{
	timer_stop(c, t);
	switch (t) {
	case TIMER_TLP:
		tlp_timeout(c);
		break;
	case TIMER_RTO:
		on_rto(c);
		break;
	case TIMER_REORDER:
		recovery_reorder(c);
		break;
	case TIMER_PERSIST:
		on_persist(c);
		break;
	case TIMER_DELACK:
		tcb_send_ack(c);
		break;
	case TIMER_KEEP:
		on_keep(c);
		break;
	case TIMER_USER:
		timed_out(c);
		break;
	case TIMER_PACE:
		tcb_output(c);
		break;
	case TIMER_CORK:
		c->uncorked = true;
		tcb_output(c);
		c->uncorked = false;
		break;
	case TIMER_2MSL:
	default:
		tcb_drop(c, 0);
	}
}

/* The timer of the connection that is due; or, where none is any more, its deadline is set right. */
static void fire_one(struct tcb *c)
{
	uint64_t deadline = TCPU_NEVER;

	for (enum timer t = 0; t < TIMERS; t++) {
		if (c->timer[t] <= c->engine->now) {
			fire(c, t);
			return;
		}
		deadline = c->timer[t] < deadline ? c->timer[t] : deadline;
	}
	c->deadline = deadline;
	sift(c->engine, c->heap_at);
}

void timers_run(struct tcpu *e)
{
	while (e->heap_count && e->heap[0]->deadline <= e->now)
		fire_one(e->heap[0]);
	batch_send(e);
}

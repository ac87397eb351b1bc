#include "tests/invariants.h"

#include "core/tcb.h"
#include "tests/ranges_check.h"

static const struct span *span(const struct sndbuf *b, uint32_t i)
{
	return &b->span[(b->first + i) & (b->span_max - 1)];
}

static const char *sndbuf_broken(const struct sndbuf *b)
{
	uint64_t off = b->end;
	uint32_t sacked = 0, lost = 0, sacked_spans = 0;

	HOLDS(b->una <= b->end && b->sent <= b->count && b->count <= b->span_max);
	HOLDS((b->span != NULL) == (b->count != 0)); /* a table only for what is buffered */
	for (uint32_t i = b->count; i--;) {
		const struct span *s = span(b, i);

		HOLDS(s->len && s->off + s->len == off);
		HOLDS(s->pos >= b->headroom && s->pos + s->len <= b->size);
		HOLDS((s->state == SPAN_UNSENT) == (i >= b->sent));
		HOLDS(s->state != SPAN_LOST || i >= b->lost);
		sacked += s->state == SPAN_SACKED ? s->len : 0;
		sacked_spans += s->state == SPAN_SACKED;
		lost += s->state == SPAN_LOST ? s->len : 0;
		off = s->off;
	}
	HOLDS(off <= b->una);
	HOLDS(b->sacked_bytes == sacked && b->sacked_spans == sacked_spans && b->lost_bytes == lost);
	return NULL;
}

static const char *send_broken(const struct tcb *c)
{
	bool at_rest = c->snd_una == c->snd_max && c->snd.una == c->snd.end && c->fin_queued == c->fin_acked;

	HOLDS(seq_leq(c->snd_una, c->snd_nxt));
	HOLDS(seq_leq(c->snd_nxt, c->snd_max));
	HOLDS(c->snd_una == c->iss + 1 + (uint32_t)c->snd.una + c->fin_acked);
	HOLDS(!c->fin_acked || (c->fin_queued && c->snd.una == c->snd.end));
	HOLDS(c->cc.cwnd >= c->mss);
	HOLDS(tcb_pipe(c) <= tcb_flight(c));
	/* Who waits for nobody but the peer does so for a time. */
	HOLDS((c->state != TCPU_TIME_WAIT && !(c->state == TCPU_FIN_WAIT_2 && c->detached)) ||
		c->timer[TIMER_2MSL] != TCPU_NEVER);
	/* What is outstanding, or waits to be sent, has a timer or the next flush to bring it on. */
	HOLDS(at_rest || c->state == TCPU_TIME_WAIT || c->timer[TIMER_RTO] != TCPU_NEVER ||
		c->timer[TIMER_PERSIST] != TCPU_NEVER || c->timer[TIMER_PACE] != TCPU_NEVER ||
		c->timer[TIMER_CORK] != TCPU_NEVER || c->on_flush);
	return sndbuf_broken(&c->snd);
}

static const char *receive_broken(const struct tcb *c)
{
	const struct rcvbuf *b = &c->rcv;
	uint64_t edge = b->read + b->size;
	struct range over[1024];
	uint32_t zero = c->irs + 1; /* the sequence number of offset 0 */

	HOLDS(b->next >= b->read && b->next <= edge);
	HOLDS(c->rcv_nxt == zero + (uint32_t)b->next + c->fin_taken);
	HOLDS(c->count.direct_bytes <= b->next);
	HOLDS(seq_leq(c->rcv_acked, c->rcv_nxt));
	/* The peer was told of no room that there is not. */
	HOLDS(seq_leq(c->rcv_adv, zero + (uint32_t)edge + c->fin_taken));
	HOLDS(b->over.count <= rcvbuf_ranges_max(b->size));
	for (uint32_t i = ranges_latest(&b->over, over, 1024); i--;)
		HOLDS(over[i].begin > b->next && over[i].end <= edge);
	HOLDS(b->duplicate.begin <= b->duplicate.end && b->duplicate.end <= edge);
	/* What came is acknowledged at the next flush, or by the timer. */
	HOLDS(c->rcv_acked == c->rcv_nxt || c->on_flush || c->timer[TIMER_DELACK] != TCPU_NEVER ||
		c->state == TCPU_TIME_WAIT);
	/* Nodes only for what came over holes. */
	HOLDS((b->over.node != NULL) == (b->over.count != 0));
	return b->over.node ? ranges_broken(&b->over, NULL) : NULL;
}

static const char *heap_broken(const struct tcpu *e)
{
	for (uint32_t i = 0; i < e->heap_count; i++) {
		const struct tcb *c = e->heap[i];
		uint64_t first = TCPU_NEVER;

		for (int t = 0; t < TIMERS; t++)
			first = c->timer[t] < first ? c->timer[t] : first;
		HOLDS(c->heap_at == i);
		HOLDS(c->deadline <= first);
		HOLDS(!i || e->heap[(i - 1) / 2]->deadline <= c->deadline);
	}
	return NULL;
}

static const char *queue_broken(const struct queue *q, const struct tcb *l, bool half_open)
{
	const struct tcb *last = NULL;
	uint32_t count = 0;

	for (const struct tcb *c = q->first; c; c = c->queue_next, count++) {
		HOLDS(c->parent == l && (c->state == TCPU_SYN_RECEIVED) == half_open);
		last = c;
	}
	HOLDS(q->last == last && q->count == count);
	return NULL;
}

static const char *listeners_broken(const struct tcpu *e)
{
	uint32_t listeners = 0, children = 0;
	const char *broken;

	for (const struct tcb *l = e->listeners; l; l = l->hash_next, listeners++) {
		const struct listening *q = listening(l);

		if ((broken = queue_broken(&q->half_open, l, true)) || (broken = queue_broken(&q->complete, l, false)))
			return broken;
		HOLDS(q->complete.count <= q->backlog && q->half_open.count <= e->config.syn_backlog);
		children += q->half_open.count + q->complete.count;
	}
	for (uint32_t i = 0; i < e->heap_count; i++)
		children -= e->heap[i]->parent != NULL;
	HOLDS(listeners == e->listeners_count && children == 0);
	return NULL;
}

static const char *lists_broken(const struct tcpu *e)
{
	uint32_t on_flush = 0;

	for (const struct tcb *c = e->flush; c; c = c->flush_next, on_flush++)
		HOLDS(c->on_flush && c->heap_at != HEAP_OUT);
	for (const struct tcb *c = e->held; c; c = c->hash_next)
		HOLDS(c->state == TCPU_CLOSED && c->heap_at == HEAP_OUT && !c->on_flush && !c->detached && !c->parent);
	for (uint32_t i = 0; i < e->heap_count; i++)
		on_flush -= e->heap[i]->on_flush;
	HOLDS(on_flush == 0);
	return listeners_broken(e);
}

static const char *connection_broken(const struct tcpu *e, const struct tcb *c)
{
	const char *broken;

	HOLDS(tcb_find(e, c->local, c->remote) == c);
	HOLDS(c->state != TCPU_CLOSED && c->state != TCPU_LISTEN);
	if (!is_synchronized(c)) {
		HOLDS(c->timer[TIMER_RTO] != TCPU_NEVER);
		return NULL;
	}
	broken = send_broken(c);
	return broken ? broken : receive_broken(c);
}

const char *engine_broken(const struct tcpu *e)
{
	uint32_t count = 0;
	const char *broken;

	if ((broken = heap_broken(e)) || (broken = lists_broken(e)))
		return broken;
	for (uint32_t i = 0; i < e->table_size; i++)
		for (const struct tcb *c = e->table[i]; c; c = c->hash_next, count++)
			if ((broken = connection_broken(e, c)))
				return broken;
	HOLDS(count == e->connections && count == e->heap_count && count <= e->config.connections_max);
	HOLDS(e->batch <= BATCH);
	return NULL;
}

const char *flushed_engine_broken(const struct tcpu *e)
{
	HOLDS(!e->batch || e->retry != TCPU_NEVER);
	return engine_broken(e);
}

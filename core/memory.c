/* Memory: what the engine has from its driver, and what the buffers of a connection stand in. Each takes its ring with
 * the first byte; tables come and go with what they are for: a connection costs little while nothing happens. */
#include "core/tcb.h"

#include <errno.h>

#define BYTES_US_MAX 5000 /* that a path carries in a microsecond: 40 Gbit/s */

void *memory_take(struct tcpu *e, size_t bytes)
{
	return e->config.alloc(e->config.alloc_ctx, bytes);
}

void memory_give(struct tcpu *e, void *p, size_t bytes)
{
	if (p)
		e->config.free(e->config.alloc_ctx, p, bytes);
}

/* ---- to be sent ---- */

/* A small one waits in the engine for whoever sends next: who sends now and then asks for no memory each time. */
static void give_spans(struct tcpu *e, struct span *table, uint32_t max)
{
	if (max == SPANS_FEW && !e->few_spans)
		e->few_spans = table;
	else
		memory_give(e, table, max * sizeof *table);
}

int tcb_take_sndbuf(struct tcb *c)
{
	uint32_t size = c->options.sndbuf_bytes ? c->options.sndbuf_bytes :
		min_u32(TCPU_SNDBUF_DEFAULT, c->engine->config.sndbuf_max);
	void *memory;

	if (!c->snd.ring) {
		size = max_u32(size, 4 * (c->mss + tcb_header_len(c)));
		memory = memory_take(c->engine, size);
		if (!memory)
			return -ENOMEM;
		sndbuf_init(&c->snd, memory, size, tcb_header_len(c));
	}
	return tcb_take_spans(c);
}

int tcb_take_spans(struct tcb *c)
{
	struct tcpu *e = c->engine;
	uint32_t old_max = c->snd.span_max, of_ring = sndbuf_spans_max(c->snd.size), most = of_ring, max = SPANS_FEW;
	struct span *old = c->snd.span, *table = NULL;

	if (c->snd.hollow) /* what is under way is no longer what the ring holds */
		most = max_u32(most, sndbuf_spans_max(e->config.sndbuf_max));
	if (old_max)
		max = max_u32(of_ring, min_u32(2 * old_max, most));
	if (!sndbuf_table_full(&c->snd) || old_max >= most)
		return 0;
	if (!old_max) {
		table = e->few_spans;
		e->few_spans = NULL;
	}
	table = table ? table : memory_take(e, max * sizeof *table);
	if (!table)
		return -ENOMEM;
	sndbuf_table(&c->snd, table, max);
	give_spans(e, old, old_max);
	return 0;
}

void tcb_give_spans(struct tcb *c)
{
	struct span *old = c->snd.span;
	uint32_t old_max = c->snd.span_max;

	sndbuf_table(&c->snd, NULL, 0);
	give_spans(c->engine, old, old_max);
}

/* On a path that is short a large buffer holds a queue, and not what is under way; and it falls out of the cache. */
bool tcb_may_grow_sndbuf(const struct tcb *c)
{
	uint64_t most = min_u64(c->engine->config.sndbuf_max, (uint64_t)c->min_rtt * BYTES_US_MAX);

	return !c->options.sndbuf_bytes && c->snd.size < most && c->cc.cwnd > c->snd.size / 2;
}

bool tcb_grow_sndbuf(struct tcb *c)
{
	uint32_t size = min_u32(2 * c->snd.size, c->engine->config.sndbuf_max), old_size = c->snd.size;
	uint8_t *old = c->snd.ring, *ring;

	/* Segments that wait for the link stand in the old memory. */
	batch_send(c->engine);
	if (c->engine->batch || !tcb_may_grow_sndbuf(c))
		return false;
	ring = memory_take(c->engine, size);
	if (!ring) {
		c->options.sndbuf_bytes = c->snd.size; /* or it would be tried for ever */
		return false;
	}
	sndbuf_grow(&c->snd, ring, size);
	memory_give(c->engine, old, old_size);
	return tcb_take_spans(c) == 0;
}

/* ---- received ---- */

int tcb_take_rcvbuf(struct tcb *c)
{
	uint8_t *ring = c->rcv.ring;

	if (ring)
		return 0;
	ring = memory_take(c->engine, c->rcv.size);
	if (!ring)
		return -ENOMEM;
	c->rcv.ring = ring;
	return 0;
}

void tcb_take_range(struct tcb *c, struct ranges *r)
{
	uint32_t most = rcvbuf_ranges_max(c->rcv.size), max = min_u32(r->max ? 2 * r->max : RANGES_FEW, most);
	void *old = r->node, *memory;
	size_t old_bytes = ranges_memory(r->max);

	if (r->count < r->max || r->max >= most || !(memory = memory_take(c->engine, ranges_memory(max))))
		return;
	ranges_move(r, memory, max, tcb_keyed(c, r == &c->rcv.over ? 0x524e47 : 0x474f4e));
	memory_give(c->engine, old, old_bytes);
}

static void give_nodes(struct tcb *c, struct ranges *r)
{
	void *old = r->node;
	size_t old_bytes = ranges_memory(r->max);

	if (!old || r->count)
		return;
	ranges_move(r, NULL, 0, 0);
	memory_give(c->engine, old, old_bytes);
}

void tcb_give_ranges(struct tcb *c)
{
	give_nodes(c, &c->rcv.over);
	give_nodes(c, &c->rcv.gone);
}

uint32_t tcb_rcvbuf_limit(const struct tcb *c)
{
	uint32_t max = c->options.rcvbuf_bytes ? c->options.rcvbuf_bytes : c->engine->config.rcvbuf_max;
	uint32_t link_max = c->engine->link->window_max;

	return link_max ? min_u32(max, link_max) : max;
}

uint32_t tcb_rcvbuf_share(const struct tcb *c)
{
	const struct tcpu *e = c->engine;
	uint64_t most = e->link->window_max, others = e->promised - c->promised;

	if (!most)
		return UINT32_MAX;
	/* Three quarters of what is free, after Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory
	 * packet switches", 1998: the next one finds some, and all that send come to have the same. What was promised to
	 * one that rests is not taken back, though, and a few such must not starve the others. */
	return (uint32_t)max_u64(max_u64(most > others ? (most - others) / 4 * 3 : 0, most / (4 * max_u32(e->receiving, 1))),
		TCPU_RCVBUF_SHARE_MIN);
}

void tcb_promise(struct tcb *c)
{
	uint32_t now = c->state == TCPU_CLOSED || c->fin_taken ? 0 : tcb_rcv_wnd(c);

	c->engine->promised += now;
	c->engine->promised -= c->promised;
	c->promised = now;
}

void tcb_took(struct tcb *c, uint32_t n)
{
	uint32_t old_size = c->rcv.size, size = tuning_took(&c->tuning, n, c->engine->now);
	uint8_t *old = c->rcv.ring, *ring;

	/* More than the window can tell of is no use. */
	size = min_u32(min_u32(size, tcb_rcvbuf_share(c)), min_u32(tcb_rcvbuf_limit(c), 0xffffu << c->rcv_scale));
	if (size <= old_size)
		return;
	if (!old) {
		c->rcv.size = size;
	} else if ((ring = memory_take(c->engine, size))) {
		rcvbuf_grow(&c->rcv, ring, size);
		memory_give(c->engine, old, old_size);
	}
}

void tcb_keep_undo(struct tcb *c, bool keep)
{
	if (keep && !c->undo) {
		c->undo = memory_take(c->engine, sizeof *c->undo);
	} else if (!keep) {
		memory_give(c->engine, c->undo, sizeof *c->undo);
		c->undo = NULL;
	}
}

void memory_give_buffers(struct tcb *c)
{
	/* Segments that wait for the link may stand in this memory. */
	batch_send(c->engine);
	c->engine->batch = 0;
	c->snd.count = c->snd.sent = c->snd.hollow = 0;
	tcb_give_spans(c);
	c->rcv.over.count = c->rcv.gone.count = 0;
	tcb_give_ranges(c);
	tcb_keep_undo(c, false);
	memory_give(c->engine, c->snd.ring, c->snd.size);
	memory_give(c->engine, c->rcv.ring, c->rcv.size);
}

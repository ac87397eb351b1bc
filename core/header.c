/* Segments leave: their headers and options are written, and they are gathered into a batch, which goes to the link in
 * one call. RFC 9293 3.1 and 3.8.6.2.2, RFC 7323, RFC 2018, RFC 3168. */
#include "core/tcb.h"

#include <string.h>

void batch_send(struct tcpu *e)
{
	int n;

	if (!e->batch)
		return;
	n = e->link->ops->send(e->link, e->out, e->batch);
	if (n < 0)
		n = (int)e->batch; /* the link lost them, as networks do; TCP sends again */
	if ((uint32_t)n < e->batch) {
		e->retry = e->now + 1000;
		for (uint32_t i = (uint32_t)n; i < e->batch; i++) {
			struct link_out *o = &e->out[i - (uint32_t)n];
			*o = e->out[i];
			if (o->header == e->header[i]) {
				memmove(e->header[i - (uint32_t)n], o->header, o->header_len);
				o->header = e->header[i - (uint32_t)n];
			}
		}
	}
	e->batch -= (uint32_t)n;
}

bool batch_full(struct tcpu *e)
{
	if (e->batch == BATCH)
		batch_send(e);
	return e->batch == BATCH;
}

struct options_out {
	uint8_t bytes[HEADER_MAX - HEADER_MIN];
	uint32_t len;
};

static void emit(struct tcpu *e, struct segment *s, const struct options_out *options, uint32_t headroom,
	const struct load *load)
{
	static const struct load nothing;
	uint32_t header_len = HEADER_MIN + options->len;

	if (batch_full(e))
		return; /* lost */
	if (!load)
		load = &nothing;
	uint8_t *header = load->headroom && header_len == headroom ? load->headroom : e->header[e->batch];
	segment_write(header, s, options->bytes, options->len, load->len, load->sum);
	e->out[e->batch++] = (struct link_out){ .src = s->src, .dst = s->dst, .header = header, .header_len = header_len,
		.data = load->data ? load->data : header + header_len, .data_len = load->len, .segment_len = load->segment_len,
		.ecn = load->ect ? 2 : 0 };
}

/* ---- options, in Linux's order ---- */

static void put(struct options_out *o, const void *bytes, uint32_t n)
{
	memcpy(o->bytes + o->len, bytes, n);
	o->len += n;
}

static void put32(struct options_out *o, uint32_t v)
{
	put(o, (uint8_t[]){ (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v }, 4);
}

static void put_timestamp(struct options_out *o, uint32_t val, uint32_t ecr)
{
	put(o, (uint8_t[]){ 8, 10 }, 2);
	put32(o, val);
	put32(o, ecr);
}

static void put_syn(const struct syn_options *y, struct options_out *o)
{
	put(o, (uint8_t[]){ 2, 4, (uint8_t)(y->mss >> 8), (uint8_t)y->mss }, 4);
	if (y->sack && y->timestamps)
		put(o, (uint8_t[]){ 4, 2 }, 2);
	else if (y->sack || y->timestamps)
		put(o, (uint8_t[]){ 1, 1 }, 2);
	if (y->timestamps)
		put_timestamp(o, y->ts_val, y->ts_ecr);
	else if (y->sack)
		put(o, (uint8_t[]){ 4, 2 }, 2);
	if (y->scaling)
		put(o, (uint8_t[]){ 1, 3, 3, y->scale }, 4);
}

/* RFC 2018: as many blocks as fit beside the data; a full segment has no room for any, but the segments out of order
 * that they tell of are answered by ACKs without data at once. */
static void put_sack(struct tcb *c, uint32_t data_len, struct options_out *o)
{
	uint32_t full = c->mss + (c->timestamps ? 12 : 0), used = o->len + data_len + 4, n;
	uint32_t zero = c->irs + 1; /* the number of offset 0 */
	struct range block[SACK_BLOCKS];

	if (data_len && used + 8 > full)
		return;
	n = min_u32((uint32_t)sizeof o->bytes - o->len - 4, data_len ? full - used : UINT32_MAX) / 8;
	c->count.dsacks_out += c->rcv.duplicate.begin != c->rcv.duplicate.end;
	n = rcvbuf_blocks(&c->rcv, block, n);
	if (!n)
		return;
	put(o, (uint8_t[]){ 1, 1, 5, (uint8_t)(2 + 8 * n) }, 4);
	for (uint32_t i = 0; i < n; i++) {
		put32(o, zero + (uint32_t)block[i].begin);
		put32(o, zero + (uint32_t)block[i].end);
	}
}

static bool has_blocks(const struct tcb *c)
{
	return c->sack && (c->rcv.over.count || c->rcv.duplicate.begin != c->rcv.duplicate.end);
}

static void put_options(struct tcb *c, uint8_t flags, uint32_t data_len, struct options_out *o)
{
	if (flags & TH_SYN) {
		put_syn(&(struct syn_options){ .mss = c->rcv_mss, .sack = c->sack, .timestamps = c->timestamps,
			.ts_val = timestamp_now(c), .ts_ecr = c->ts_recent, .scaling = c->scaling, .scale = c->rcv_scale }, o);
		return;
	}
	if (c->timestamps) {
		put(o, (uint8_t[]){ 1, 1 }, 2);
		put_timestamp(o, timestamp_now(c), c->ts_recent);
	}
	if (has_blocks(c) && !(flags & TH_RST))
		put_sack(c, data_len, o);
}

/* ---- segments of a connection ---- */

/* Of the buffer: what the link holds for each connection of now is less, where they are many. */
static uint32_t usable(const struct tcb *c)
{
	return min_u32(c->rcv.size, tcb_rcvbuf_share(c));
}

/* The window to announce. Its right edge never moves back, and moves on only by a worthwhile step: RFC 9293 3.8.6.2.2,
 * silly windows. */
static uint32_t window(const struct tcb *c)
{
	uint32_t most = usable(c), room = min_u32(min_u32(rcvbuf_room(&c->rcv), 0xffffu << c->rcv_scale), most);
	uint32_t told = tcb_rcv_wnd(c);

	/* Who waits for more in one piece takes nothing before that. */
	if (room > told && c->shows && !c->news && c->rcv.next > c->rcv.read)
		return room;
	if (room < told || room - told < min_u32(most / 2, c->mss))
		return told;
	return room;
}

void tcb_send(struct tcb *c, uint8_t flags, uint32_t seq, const struct load *load)
{
	uint8_t scale = flags & TH_SYN ? 0 : c->rcv_scale; /* RFC 7323 2.2: a SYN's window is not scaled */
	/* RFC 7323 2.4: rounded up, or the right edge would seem to move back; but never beyond what the buffer holds.
	 * rcv_adv keeps the old edge, so that what was promised once is still taken. */
	uint32_t wnd = (window(c) + (1u << scale) - 1) >> scale;
	wnd = min_u32(min_u32(wnd, rcvbuf_room(&c->rcv) >> scale), 0xffff);
	struct segment s = { .src = c->local, .dst = c->remote, .seq = seq, .flags = flags, .wnd = wnd };
	struct options_out options = { .len = 0 };

	if (flags & TH_ACK) {
		s.ack = c->rcv_nxt;
		if (c->ecn_echo && !(flags & (TH_SYN | TH_RST)))
			s.flags |= TH_ECE; /* RFC 3168 6.1.3 */
	}
	put_options(c, flags, load ? load->len : 0, &options);
	if (seq_gt(c->rcv_nxt + (wnd << scale), c->rcv_adv))
		c->rcv_adv = c->rcv_nxt + (wnd << scale);
	tcb_promise(c);
	if (flags & TH_ACK) {
		if (c->rcv_acked != c->rcv_nxt && c->quick)
			c->quick--;
		c->rcv_acked = c->rcv_nxt;
		c->ack_now = false;
		timer_stop(c, TIMER_DELACK);
	}
	c->count.segments_out += load && load->segment_len ? (load->len + load->segment_len - 1) / load->segment_len : 1;
	emit(c->engine, &s, &options, c->snd.headroom, load);
}

void tcb_send_syn(struct tcb *c)
{
	bool reply = c->state == TCPU_SYN_RECEIVED;
	uint8_t flags = reply ? TH_SYN | TH_ACK : TH_SYN;

	/* RFC 3168 6.1.1; 6.1.1.1: a SYN that was lost may have been lost for this */
	if (c->ecn && reply)
		flags |= TH_ECE;
	else if (c->ecn && !c->retries)
		flags |= TH_ECE | TH_CWR;
	tcb_send(c, flags, c->iss, NULL);
}

/* The number of segments without data: SND.NXT, but not behind the window, where a probe may have led it: the peer
 * would drop the segment. Before the peer's first ACK its window is not known, and nothing but the SYN was sent. */
static uint32_t next_seq(const struct tcb *c)
{
	uint32_t edge = c->snd_una + c->snd_wnd;

	return is_synchronized(c) && seq_lt(edge, c->snd_max) ? edge : c->snd_max;
}

void tcb_send_ack(struct tcb *c)
{
	tcb_send(c, TH_ACK, next_seq(c), NULL);
}

void tcb_send_rst(struct tcb *c)
{
	tcb_send(c, is_synchronized(c) || c->state == TCPU_SYN_RECEIVED ? TH_RST | TH_ACK : TH_RST, next_seq(c), NULL);
}

void tcb_challenge(struct tcb *c)
{
	if (c->engine->now < c->challenge_at)
		return;
	c->challenge_at = c->engine->now + CHALLENGE_US;
	tcb_send_ack(c);
}

void tcb_window_opened(struct tcb *c)
{
	if (!is_synchronized(c) || c->fin_taken)
		return;
	uint32_t edge = c->rcv_nxt + window(c);

	if (seq_geq(edge, c->rcv_adv + min_u32(usable(c) / 2, 2 * c->mss)) || (seq_gt(edge, c->rcv_adv) && !tcb_rcv_wnd(c))) {
		c->ack_now = true;
		tcb_flush_later(c);
	}
}

void segment_send(struct tcpu *e, struct segment *s, const struct syn_options *syn)
{
	struct options_out options = { .len = 0 };

	if (syn)
		put_syn(syn, &options);
	emit(e, s, &options, 0, NULL);
}

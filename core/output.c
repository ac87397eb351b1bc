/* What may be sent is sent: RFC 9293 3.10.2 and 3.8.6 (windows, Nagle, silly windows), RFC 5681 (cwnd). Segments are
 * gathered into a batch, which goes to the link in one call. */
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
			if (o->header >= e->header[0] && o->header < e->header[0] + sizeof e->header) {
				memmove(e->header[i - (uint32_t)n], o->header, o->header_len);
				o->header = e->header[i - (uint32_t)n];
			}
		}
	}
	e->batch -= (uint32_t)n;
}

/* A place in the batch. NULL: the link is full. */
static struct link_out *slot(struct tcpu *e)
{
	if (e->batch == BATCH)
		batch_send(e);
	return e->batch == BATCH ? NULL : &e->out[e->batch];
}

static void emit(struct tcpu *e, struct segment *s, uint8_t *header, const uint8_t *options, uint32_t options_len,
	const struct piece *p)
{
	struct link_out *o = slot(e);

	if (!o)
		return; /* lost */
	if (!header)
		header = e->header[e->batch];
	segment_write(header, s, options, options_len, p ? p->len : 0, p ? p->sum : 0);
	*o = (struct link_out){ .src = s->src, .dst = s->dst, .header = header, .header_len = HEADER_MIN + options_len,
		.data = p ? p->data : header + HEADER_MIN + options_len, .data_len = p ? p->len : 0 };
	e->batch++;
}

/* The window to announce. Its right edge never moves back, and moves on only by a worthwhile step: RFC 9293 3.8.6.2.2,
 * silly windows. */
static uint32_t window(struct tcb *c)
{
	uint32_t room = min_u32(rcvbuf_room(&c->rcv), 0xffffu << c->rcv_scale);
	uint32_t told = seq_gt(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;

	if (room < told || room - told < min_u32(c->rcv.size / 2, c->mss))
		return told;
	return room;
}

static void send(struct tcb *c, uint8_t flags, uint32_t seq, const struct piece *p, const uint8_t *options,
	uint32_t options_len)
{
	uint8_t scale = flags & TH_SYN ? 0 : c->rcv_scale; /* RFC 7323 2.2: a SYN's window is not scaled */
	/* RFC 7323 2.4: rounded up, or the right edge would seem to move back; but never beyond what the buffer holds.
	 * rcv_adv keeps the old edge, so that what was promised once is still taken. */
	uint32_t wnd = (window(c) + (1u << scale) - 1) >> scale;
	wnd = min_u32(min_u32(wnd, rcvbuf_room(&c->rcv) >> scale), 0xffff);
	struct segment s = { .src = c->local, .dst = c->remote, .seq = seq, .flags = flags, .wnd = wnd };

	if (flags & TH_ACK) {
		s.ack = c->rcv_nxt;
		c->rcv_acked = c->rcv_nxt;
		if (seq_gt(c->rcv_nxt + (wnd << scale), c->rcv_adv))
			c->rcv_adv = c->rcv_nxt + (wnd << scale);
		c->ack_now = false;
		timer_stop(c, TIMER_DELACK);
	}
	c->info.segments_out++;
	emit(c->engine, &s, p ? p->headroom : NULL, options, options_len, p);
}

void tcb_send_syn(struct tcb *c)
{
	/* In Linux's order: MSS, then window scale behind a NOP. A SYN,ACK scales only if the SYN did. */
	uint16_t mss = (uint16_t)min_u32(c->rcv_mss, 0xffff);
	uint8_t options[8] = { 2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 1, 3, 3, c->rcv_scale };
	bool reply = c->state == TCPU_SYN_RECEIVED;

	send(c, reply ? TH_SYN | TH_ACK : TH_SYN, c->iss, NULL, options, c->scaling ? 8 : 4);
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
	send(c, TH_ACK, next_seq(c), NULL, NULL, 0);
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
	if (seq_geq(c->rcv_nxt + window(c), c->rcv_adv + min_u32(c->rcv.size / 2, 2 * c->mss))) {
		c->ack_now = true;
		tcb_flush_later(c);
	}
}

void tcb_send_rst(struct tcb *c)
{
	send(c, is_synchronized(c) || c->state == TCPU_SYN_RECEIVED ? TH_RST | TH_ACK : TH_RST, next_seq(c), NULL, NULL, 0);
}

void segment_refuse(struct tcpu *e, const struct segment *s)
{
	struct segment r = { .src = s->dst, .dst = s->src, .flags = TH_RST };

	if (s->flags & TH_RST)
		return;
	/* RFC 9293 3.5.2, group 1 */
	if (s->flags & TH_ACK) {
		r.seq = s->ack;
	} else {
		r.ack = s->seq + segment_length(s);
		r.flags |= TH_ACK;
	}
	emit(e, &r, NULL, NULL, 0, NULL);
}

/* Sends the piece at snd_nxt, with FIN when it is the last and the user has closed. */
static void send_piece(struct tcb *c, const struct piece *p, uint64_t off)
{
	bool last = off + p->len == c->snd.end, fin = last && c->fin_queued;
	uint32_t seq = c->snd_nxt;

	if (seq_lt(seq, c->snd_max)) {
		c->info.retransmits++;
	} else {
		c->info.sent_bytes += p->len;
		if (!c->rtt_timing) {
			c->rtt_timing = true;
			c->rtt_seq = seq;
			c->rtt_start = c->engine->now;
		}
	}
	c->sent_at = c->engine->now;
	c->snd_nxt += p->len + fin;
	if (seq_gt(c->snd_nxt, c->snd_max))
		c->snd_max = c->snd_nxt;
	send(c, (uint8_t)(TH_ACK | (last || p->push ? TH_PSH : 0) | (fin ? TH_FIN : 0)), seq, p, NULL, 0);
	if (c->timer[TIMER_RTO] == TCPU_NEVER)
		timer_rto_start(c); /* RFC 6298 (5.1) */
	timer_stop(c, TIMER_PERSIST);
}

/* How much of the piece may go now; 0: nothing. */
static uint32_t allowed(const struct tcb *c, const struct piece *p, uint64_t off)
{
	uint32_t flight = c->snd_nxt - c->snd_una, len = p->len;
	uint32_t usable = c->snd_wnd > flight ? c->snd_wnd - flight : 0;

	if (flight && flight + len > c->cwnd)
		return 0;
	if (len > usable) {
		/* RFC 9293 3.8.6.2.1: less than a segment only if it is half of the largest window. */
		len = usable;
		return len && len >= c->max_snd_wnd / 2 ? len : 0;
	}
	if (len >= c->mss || p->push || c->options.nodelay || seq_lt(c->snd_nxt, c->snd_max))
		return len;
	if (off + len < c->snd.end)
		return len; /* more stands behind it in another span: it will not grow */
	/* Nagle, RFC 9293 3.7.4 */
	return flight == 0 || c->fin_queued || len >= c->max_snd_wnd / 2 ? len : 0;
}

static bool fin_due(const struct tcb *c)
{
	/* A FIN does not wait for a window: it is tried again, as a probe would be, until the peer takes it. */
	return c->fin_queued && !c->fin_acked && snd_off(c, c->snd_nxt) == c->snd.end;
}

void tcb_output(struct tcb *c)
{
	struct piece p;

	c->output_wanted = false;
	if (!is_synchronized(c) || c->state == TCPU_TIME_WAIT)
		return;
	/* RFC 5681 4.1: after an idle time the path is not what it was. */
	if (c->snd_una == c->snd_max && c->engine->now - c->sent_at > c->rto)
		c->cwnd = min_u32(c->cwnd, congestion_initial(c));
	for (;;) {
		uint64_t off = snd_off(c, c->snd_nxt);

		if (!slot(c->engine)) {
			c->output_wanted = true;
			tcb_flush_later(c);
			break;
		}
		if (fin_due(c)) {
			p = (struct piece){ .len = 0 };
			send_piece(c, &p, off);
			break;
		}
		if (!sndbuf_piece(&c->snd, off, c->mss, &p))
			break;
		uint32_t len = allowed(c, &p, off);
		if (len == 0)
			break;
		if (len < p.len)
			sndbuf_piece(&c->snd, off, len, &p);
		send_piece(c, &p, off);
	}
	/* Data, a window too small for it, and nothing on its way that an ACK would answer: the persist timer. */
	if (c->snd_una == c->snd_nxt && c->snd.una < c->snd.end && c->timer[TIMER_RTO] == TCPU_NEVER &&
		c->timer[TIMER_PERSIST] == TCPU_NEVER)
		timer_set(c, TIMER_PERSIST, c->engine->now + c->rto);
}

void tcb_send_probe(struct tcb *c)
{
	uint32_t usable = c->snd_wnd ? c->snd_wnd : 1; /* RFC 9293 3.8.6.1: one byte more than allowed */
	struct piece p;

	if (!sndbuf_piece(&c->snd, c->snd.una, min_u32(usable, c->mss), &p))
		return;
	send(c, TH_ACK, c->snd_una, &p, NULL, 0);
	if (seq_lt(c->snd_max, c->snd_una + p.len))
		c->snd_max = c->snd_una + p.len;
	c->rtt_timing = false;
}

void tcb_retransmit(struct tcb *c)
{
	uint32_t nxt = c->snd_nxt;
	struct piece p;

	c->rtt_timing = false;
	c->snd_nxt = c->snd_una;
	if (sndbuf_piece(&c->snd, c->snd.una, c->mss, &p)) {
		send_piece(c, &p, c->snd.una);
	} else if (fin_due(c)) {
		p = (struct piece){ .len = 0 };
		send_piece(c, &p, c->snd.end);
	}
	if (seq_lt(c->snd_nxt, nxt))
		c->snd_nxt = nxt;
}

/* What may be sent is sent: what is lost first, then what is new. RFC 9293 3.10.2 and 3.8.6 (windows, Nagle, silly
 * windows), RFC 6675's pipe against cwnd, RFC 3042 (what the first duplicate ACKs have taken from the pipe, new
 * segments may fill). */
#include "core/cksum.h"
#include "core/tcb.h"

#define TRAIN_SEGMENTS 64 /* at most */

#define CORK_US 200000 /* as Linux: what is corked leaves then all the same */
#define LIMITED_MAX 2  /* segments beyond cwnd: RFC 3042 */

uint32_t tcb_flight(const struct tcb *c)
{
	return c->snd_nxt - c->snd_una;
}

uint32_t tcb_pipe(const struct tcb *c)
{
	uint32_t flight = tcb_flight(c);
	/* Without SACK a duplicate ACK says that some segment has left the network; but Limited Transmit counts two. */
	uint32_t dupacks = c->recovery > RECOVERY_ECN ? c->dupacks : min_u32(c->dupacks, LIMITED_MAX);
	uint32_t gone = c->snd.lost_bytes + (c->sack ? c->snd.sacked_bytes : dupacks * c->mss);

	return flight > gone ? flight - gone : 0;
}

/* Bytes that the peer's window has room for behind SND.NXT. */
static uint32_t usable(const struct tcb *c)
{
	uint32_t flight = tcb_flight(c);

	return c->snd_wnd > flight ? c->snd_wnd - flight : 0;
}

/* The user's direction is over behind this offset, and FIN says so. */
static bool fin_at(const struct tcb *c, uint64_t off)
{
	return c->fin_queued && !c->fin_acked && off == c->snd.end;
}

static void pace(struct tcb *c, uint32_t len)
{
	const struct tcpu_config *k = &c->engine->config;
	/* Ahead of the rate that the window stands for, or nothing could grow: as Linux does. */
	uint64_t per_srtt = c->cc.cwnd < c->cc.ssthresh ? 2 * (uint64_t)c->cc.cwnd : (uint64_t)c->cc.cwnd * 6 / 5;
	uint64_t us = c->srtt ? (uint64_t)len * c->srtt / per_srtt : 0, us_max, from;

	if (!k->pacing)
		return;
	us_max = c->options.pacing_max_bps ? (uint64_t)len * 1000000 / c->options.pacing_max_bps : 0;
	from = c->timer[TIMER_PACE] == TCPU_NEVER || c->timer[TIMER_PACE] < c->engine->now ? c->engine->now :
		c->timer[TIMER_PACE];
	timer_set(c, TIMER_PACE, from + (us > us_max ? us : us_max));
}

static void after_sending(struct tcb *c, uint32_t end_seq, uint32_t len, bool again)
{
	c->sent_us = c->engine->now;
	if (seq_gt(end_seq, c->snd_nxt))
		c->snd_nxt = end_seq;
	if (seq_gt(c->snd_nxt, c->snd_max))
		c->snd_max = c->snd_nxt;
	c->count.retransmits += again;
	recovery_sent(c, end_seq - len, len, again);
	pace(c, len);
	if (c->timer[TIMER_RTO] == TCPU_NEVER)
		timer_rto_start(c); /* RFC 6298 (5.1) */
	timer_stop(c, TIMER_PERSIST);
}

/* Bytes that leave in a millisecond of a window. */
static uint64_t a_millisecond(const struct tcb *c)
{
	return (uint64_t)c->cc.cwnd * 1000 / max_u32(c->min_rtt, 1);
}

/* Where segments are joined on the way, a PSH for each millisecond of a window, and two segments at least, keeps the
 * pieces small (as Linux): what sees a window in one piece acknowledges it late, and is slow to open its own. They are
 * two segments, four, eight, ...: so that they end at the same places while cwnd grows. */
static bool ends_piece(const struct tcb *c, const struct span *s)
{
	uint64_t piece = 2 * max_u32(c->mss, MSS_MIN), rate;

	if (!c->engine->link->joins)
		return false;
	rate = a_millisecond(c);
	if (rate > piece)
		piece <<= 63 - __builtin_clzll(rate / piece);
	return s->off % piece + s->len >= piece;
}

/* It is lost, and nobody has it any more. The user's timer ends the connection, which is in the middle of something. */
static const uint8_t *stale(struct tcb *c)
{
	c->stale = true;
	timer_set(c, TIMER_USER, c->engine->now);
	return NULL;
}

/* The bytes of a span, which stay where they are until the batch has gone. NULL: not now, or never. */
static const uint8_t *bytes_of(struct tcb *c, const struct span *s)
{
	struct tcpu *e = c->engine;
	const struct seam_source *source = c->source;

	if (!s->hollow)
		return sndbuf_data(&c->snd, s);
	batch_send(e); /* which may hold those that were made before */
	if (e->batch || c->stale)
		return NULL;
	if (!e->again)
		e->again = memory_take(e, UINT16_MAX);
	if (!e->again)
		return NULL;
	if (!source || !source->again(source->ctx, &s->note, s->off - s->into, e->again, s->whole))
		return stale(c);
	if (s->summed && tcpu_sum(e->again + s->into, s->len) % 0xffff != s->sum % 0xffff)
		return stale(c);
	return e->again + s->into;
}

/* false: its bytes are not to be had. */
static bool send_span(struct tcb *c, struct span *s)
{
	bool again = s->state != SPAN_UNSENT, last = s->off + s->len == c->snd.end, fin = fin_at(c, s->off + s->len);
	uint32_t seq = snd_seq(c, s->off), len = s->len;
	/* A full segment, or train, waits for nothing: with PSH in each, none would be joined on the way. */
	bool push = last || (s->push && s->len < tcb_train(c) && s->len != c->mss) || ends_piece(c, s);
	uint8_t flags = (uint8_t)(TH_ACK | (push ? TH_PSH : 0) | (fin ? TH_FIN : 0));
	/* The first sending, and the header that stands before it, may still wait for a link that is full. */
	/* A train's checksum is of no use: whoever cuts it finishes those of its segments. */
	struct load load = { .data = bytes_of(c, s), .headroom = again ? NULL : sndbuf_headroom(&c->snd, s),
		.len = len, .segment_len = len > c->mss ? c->mss : 0, .ect = c->ecn && !again };

	if (!load.data)
		return false;
	if (len <= c->mss)
		load.sum = s->hollow && !s->summed ? tcpu_sum(load.data, len) : sndbuf_sum(&c->snd, s);

	if (c->ecn_cwr && !again) {
		flags |= TH_CWR; /* RFC 3168 6.1.2 */
		c->ecn_cwr = false;
	}
	sndbuf_sent(&c->snd, s, c->engine->now);
	tcb_send(c, flags, seq, &load);
	after_sending(c, seq + len + fin, len, again);
	if (again && seq == c->snd_una)
		timer_rto_start(c); /* as Linux: its timer runs from when it left, not from an ACK before that */
	return true;
}

static void send_fin(struct tcb *c)
{
	uint32_t seq = snd_seq(c, c->snd.end);
	bool again = seq_gt(c->snd_nxt, seq);

	tcb_send(c, TH_ACK | TH_FIN, seq, NULL);
	after_sending(c, seq + 1, 0, again);
}

/* Makes the span at most len bytes long, and says where it is then. NULL: that cannot be had. */
static struct span *cut(struct tcb *c, struct span *s, uint32_t len)
{
	uint64_t off = s->off;

	if (s->len <= len || sndbuf_cut(&c->snd, s, len))
		return s;
	if (tcb_take_spans(c) < 0)
		return NULL;
	s = sndbuf_at(&c->snd, off);
	return sndbuf_cut(&c->snd, s, len) ? s : NULL;
}

uint32_t tcb_train(const struct tcb *c)
{
	uint32_t most = c->engine->link->train_max, header = tcb_header_len(c);

	/* It would spoil pacing. (mss is never 0, which an analyzer does not know.) */
	if (!c->mss || most <= header + c->mss || c->engine->config.pacing)
		return c->mss;
	return min_u32((most - header) / c->mss, TRAIN_SEGMENTS) * c->mss;
}

bool tcb_cut(struct tcb *c, uint64_t off)
{
	struct span *s;

	if (off <= c->snd.una || off >= c->snd.end)
		return true;
	s = sndbuf_at(&c->snd, off);
	if (s->off == off || s->state == SPAN_UNSENT || s->state == SPAN_SACKED || (off - s->off) % c->mss)
		return true;
	return cut(c, s, (uint32_t)(off - s->off));
}

static bool corked(const struct tcb *c)
{
	return (c->options.cork || c->more) && !c->uncorked;
}

/* The whole segments of a train, or all of it: what is over goes along unless it may still grow. */
static uint32_t whole(const struct tcb *c, const struct span *s, uint32_t len, bool more_behind)
{
	uint32_t over = len % c->mss;
	bool all = len == s->len && (more_behind || c->fin_queued || s->push || c->options.nodelay);

	return all && !corked(c) ? len : len - over;
}

/* A train that room would cut, while there is enough in flight for ACKs to make room for all of it within the next
 * millisecond: each piece costs what a train does. (Linux's tcp_tso_should_defer) */
static bool is_worth_waiting(const struct tcb *c, uint32_t len, uint32_t room)
{
	return len > c->mss && room < len && room < a_millisecond(c) && tcb_pipe(c) / 2 >= len &&
	       c->recovery == RECOVERY_NONE && !c->frto_new && !c->dupacks && !c->snd.sacked_bytes;
}

/* cwnd is what keeps us. */
static void note_full(struct tcb *c)
{
	c->filled = c->snd_nxt;
	c->filled_cwnd = c->cc.cwnd;
}

/* How much of a new span may go now, as far as the peer's window and the sender's patience go; 0: nothing. */
static uint32_t worthwhile(const struct tcb *c, const struct span *s)
{
	uint32_t len = min_u32(s->len, tcb_train(c)), room = usable(c);
	bool more_behind = s->off + len < c->snd.end;

	if (c->filling && !more_behind)
		return 0; /* perhaps there is more in a moment */
	if (is_worth_waiting(c, len, room))
		return 0;
	if (c->mss && len > c->mss && room >= c->mss)
		return whole(c, s, min_u32(len, room), more_behind);
	len = min_u32(len, c->mss);
	more_behind = s->off + len < c->snd.end;
	/* RFC 9293 3.8.6.2.1: less than a segment only if it is half of the largest window. */
	if (len > room)
		return room && room >= c->max_snd_wnd / 2 ? room : 0;
	if (len >= c->mss || more_behind || c->fin_queued)
		return len; /* it is full, or cannot grow any more */
	if (c->frto_new)
		return len; /* RFC 5682 2.1 (2b): it asks something */
	if (corked(c))
		return 0;
	if (s->push || c->options.nodelay)
		return len;
	/* Nagle, RFC 9293 3.7.4 */
	return tcb_flight(c) == 0 || len >= c->max_snd_wnd / 2 ? len : 0;
}

bool tcb_may_send_new(const struct tcb *c)
{
	const struct span *s = sndbuf_unsent(&c->snd);

	return s && min_u32(s->len, c->mss) <= usable(c);
}

/* How much of so many bytes cwnd allows: one segment as a whole, and whole segments of a train. */
static uint32_t cwnd_allows(struct tcb *c, uint32_t len)
{
	uint32_t pipe = tcb_pipe(c), room = c->cc.cwnd > pipe ? c->cc.cwnd - pipe : 0;

	if (len <= room)
		return len;
	if (is_worth_waiting(c, len, room)) {
		note_full(c); /* if only by a train */
		return 0;
	}
	if (pipe == 0 && room < c->mss)
		return min_u32(len, c->mss);
	return c->mss && len > c->mss ? room - room % c->mss : 0;
}

/* One segment that was lost goes again. false: there is none, or it may not. */
static bool retransmit(struct tcb *c)
{
	struct span *s = sndbuf_lost(&c->snd);

	/* RFC 9293 3.8.6: what a window that has shrunk does not cover waits, and the persist timer asks. */
	if (!s || c->frto || seq_gt(snd_seq(c, s->off + min_u32(s->len, c->mss)), c->snd_una + c->snd_wnd))
		return false;
	s = cut(c, s, c->mss);
	return s && cwnd_allows(c, s->len) && send_span(c, s);
}

static bool send_new(struct tcb *c)
{
	struct span *s = sndbuf_unsent(&c->snd);
	uint32_t len;

	/* A FIN does not wait for a window: it is sent again as a probe would be, until the peer takes it. */
	if (!s && fin_at(c, snd_off(c, c->snd_nxt))) {
		send_fin(c);
		return true;
	}
	if (!s || !(len = worthwhile(c, s)))
		return false;
	if (c->frto_new) {
		c->frto_new--;
		len = min_u32(len, c->mss);
	} else if (!(len = cwnd_allows(c, len))) {
		return false;
	}
	s = cut(c, s, len);
	return s && send_span(c, s);
}

uint32_t tcb_room(const struct tcb *c)
{
	uint32_t pipe = tcb_pipe(c);

	return c->cc.cwnd > pipe ? min_u32(c->cc.cwnd - pipe, usable(c)) : 0;
}

bool tcb_sends_soon(const struct tcb *c)
{
	const struct span *s = sndbuf_unsent(&c->snd);

	return !c->options.notsent_bytes || !s || c->snd.end - s->off < (uint64_t)tcb_room(c) + c->options.notsent_bytes;
}

static bool paced_out(const struct tcb *c)
{
	return c->timer[TIMER_PACE] != TCPU_NEVER && c->timer[TIMER_PACE] > c->engine->now;
}

uint32_t tcb_earned(const struct tcb *c)
{
	const struct span *s = sndbuf_unsent(&c->snd);
	uint32_t flight = tcb_flight(c), room = c->cc.cwnd > flight ? min_u32(c->cc.cwnd - flight, usable(c)) : 0;

	return c->output_wanted && s && !paced_out(c) && !link_full(c->engine) ?
		(uint32_t)min_u64(room, c->snd.end - s->off) : 0;
}

void tcb_output(struct tcb *c)
{
	const struct span *unsent;
	bool sent = false;

	c->output_wanted = false;
	if (!is_synchronized(c) || c->state == TCPU_TIME_WAIT)
		return;
	if (tcb_flight(c) == 0)
		recovery_idle(c);
	for (;;) {
		if (batch_full(c->engine)) {
			c->output_wanted = true;
			tcb_flush_later(c);
			break;
		}
		if (paced_out(c) || !(retransmit(c) || send_new(c)))
			break;
		sent = true;
	}
	if (sent)
		tlp_schedule(c);
	if (tcb_pipe(c) + c->mss > c->cc.cwnd)
		note_full(c);
	timer_user(c);
	unsent = sndbuf_unsent(&c->snd);
	if (unsent && corked(c) && c->timer[TIMER_CORK] == TCPU_NEVER)
		timer_set(c, TIMER_CORK, c->engine->now + CORK_US);
	/* Data, a window too small for it, and nothing on its way that an ACK would answer: the persist timer. */
	if (unsent && min_u32(unsent->len, c->mss) > usable(c) && c->timer[TIMER_RTO] == TCPU_NEVER &&
		c->timer[TIMER_PERSIST] == TCPU_NEVER)
		timer_set(c, TIMER_PERSIST, c->engine->now + c->rto);
}

void tcb_send_probe(struct tcb *c)
{
	/* RFC 9293 3.8.6.1: one byte more than allowed */
	const struct span *s = sndbuf_first(&c->snd);
	struct load load = { .len = min_u32(c->snd_wnd ? c->snd_wnd : 1, c->mss) };

	if (!s)
		return;
	load.len = min_u32(load.len, s->len);
	load.data = bytes_of(c, s);
	if (!load.data)
		return;
	load.sum = tcpu_sum(load.data, load.len);
	tcb_send(c, TH_ACK, c->snd_una, &load);
	if (seq_lt(c->snd_max, c->snd_una + load.len))
		c->snd_max = c->snd_una + load.len;
}

void tcb_send_first(struct tcb *c)
{
	struct span *s = sndbuf_first(&c->snd);

	if (!s) {
		if (fin_at(c, c->snd.una) && !c->fin_acked)
			send_fin(c);
		return;
	}
	/* A table without room for the cut: the segment goes without a note of it, which is no worse than a loss. */
	s = cut(c, s, c->mss);
	if (s)
		send_span(c, s);
	else
		tcb_send_probe(c);
}

void tcb_send_tail(struct tcb *c)
{
	struct span *s = sndbuf_unsent(&c->snd);

	s = s && min_u32(s->len, c->mss) <= usable(c) ? cut(c, s, c->mss) : NULL;
	if (s) {
		c->tlp_again = false;
		send_span(c, s);
		return;
	}
	s = sndbuf_last_sent(&c->snd);
	c->tlp_again = true;
	if (c->fin_queued && seq_gt(c->snd_nxt, snd_seq(c, c->snd.end)) && (!s || s->off + s->len != c->snd.end))
		send_fin(c);
	else if (s && s->len <= c->mss)
		send_span(c, s);
	else if (s && tcb_cut(c, s->off + s->len - 1 - (s->len - 1) % c->mss))
		send_span(c, sndbuf_last_sent(&c->snd));
}

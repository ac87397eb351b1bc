/* A segment arrives: RFC 9293 3.10.7, with RFC 5961's answers to what an attacker may have guessed.
 *
 * The short way comes first: a segment in order that carries nothing unusual goes from the packet buffer through
 * the sink into the application's memory in the pass that also sums it, before anything else is believed
 * (header prediction; RR-2650 section 4.1). Everything else is checked first and kept in the receive buffer. */
#include "core/cksum.h"
#include "core/tcb.h"

#include <errno.h>

#define KEEPALIVE_US 100000 /* probes that come faster than that are not answered */

static bool checksum_good(const struct link_in *in)
{
	uint32_t sum = (uint32_t)tcpu_sum_pseudo(in->src.ip, in->dst.ip, in->len) + tcpu_sum(in->segment, in->len);

	return tcpu_sum_fold(sum) == 0xffff;
}

/* What is told of every segment that is believed. */
static void heard(struct tcb *c)
{
	c->heard_us = c->engine->now;
	c->keeps = 0;
}

static void received(struct tcb *c, const struct segment *s, uint32_t n)
{
	/* After a pause the peer's window is small again, and its first ACKs let it grow: none of them is delayed. */
	if (c->engine->now - c->got_us > c->rto && !(c->engine->config.without & TCPU_NO_QUICKACK))
		c->quick = QUICK_MAX;
	c->got_us = c->engine->now;
	c->rcv_nxt += n;
	tcb_promise(c);
	tuning_came(&c->tuning, n, c->rcv.size, c->engine->now);
	if (c->timestamps && s->options.has_timestamp)
		tuning_echo(&c->tuning, s->options.ts_ecr, timestamp_rtt(c, s->options.ts_ecr));
	tcb_flush_later(c);
}

/* Our FIN was acknowledged. false: the connection is gone. */
static bool fin_acked(struct tcb *c)
{
	switch (c->state) {
	case TCPU_FIN_WAIT_1:
		c->state = TCPU_FIN_WAIT_2;
		/* Nobody waits for the peer any more: it has as long as TIME-WAIT takes. */
		if (c->detached)
			timer_set(c, TIMER_2MSL, c->engine->now + c->options.fin_wait_us);
		return true;
	case TCPU_CLOSING:
		timer_time_wait(c);
		return true;
	case TCPU_LAST_ACK:
		tcb_drop(c, 0);
		return false;
	default:
		return true;
	}
}

/* Fifth check. false: the connection is gone. */
static bool ack_arrives(struct tcb *c, const struct segment *s)
{
	bool was_acked = c->fin_acked;

	ack_input(c, s);
	return was_acked || !c->fin_acked || fin_acked(c);
}

/* The states in which the peer may send text. */
static bool is_receiving(const struct tcb *c)
{
	return c->state == TCPU_ESTABLISHED || c->state == TCPU_FIN_WAIT_1 || c->state == TCPU_FIN_WAIT_2;
}

/* RFC 3168 6.1.3: a mark is echoed until the peer says that it has heard. Each change is told at once. */
static void ecn_input(struct tcb *c, const struct segment *s)
{
	bool before = c->ecn_echo;

	if (!c->ecn || s->flags & TH_SYN)
		return;
	if (s->flags & TH_CWR)
		c->ecn_echo = false;
	if (s->ecn == 3 && s->len) {
		c->ecn_echo = true;
		c->count.ecn_marks_in++;
	}
	c->ack_now |= c->ecn_echo && !before;
}

/* Whether the sink may have the segment's text, which stands at off, straight from the packet buffer. */
static bool is_for_sink(struct tcb *c, const struct segment *s, uint64_t off)
{
	const uint32_t ahead = s->seq - c->rcv_nxt, room = rcvbuf_room(&c->rcv);

	if (!is_receiving(c) || !c->sink || c->sink->done || (s->flags & ~(TH_PSH | TH_ECE | TH_CWR)) != TH_ACK ||
		s->len == 0 || s->len > room || ahead > room - s->len || c->fin_known || !ack_in_range(c, s) ||
		!timestamp_acceptable(c, s))
		return false;
	if (ahead == 0 && rcvbuf_empty(&c->rcv))
		return true;
	if (!c->sink->show)
		return false;
	tcb_take_range(c, &c->rcv.over);
	tcb_take_range(c, &c->rcv.gone);
	return rcvbuf_may_pass(&c->rcv, off, s->len);
}

/* What the sink has taken counts: n bytes of it at off. */
static void passed(struct tcb *c, const struct segment *s, uint64_t off, uint32_t n)
{
	const uint64_t before = c->rcv.next;

	if (off == before && c->rcv.over.count)
		c->ack_now = true; /* RFC 5681 4.2: a hole is filled */
	rcvbuf_pass(&c->rcv, off, n);
	tcb_took(c, n);
	c->count.direct_bytes += n;
	/* A vouched one, of which the sink wanted only the beginning. */
	if (n < s->len && tcb_take_rcvbuf(c) == 0)
		c->news = rcvbuf_keep(&c->rcv, off + n, s->data + n, s->len - n);
	received(c, s, (uint32_t)(c->rcv.next - before));
	if (off == before)
		return;
	c->count.out_of_order++;
	tcb_send_ack(c); /* RFC 5681 4.2: at once */
}

/* true: the segment is done with. */
static bool direct(struct tcb *c, const struct segment *s, bool vouched)
{
	const uint64_t off = c->rcv.next + (s->seq - c->rcv_nxt);
	uint16_t sum;
	size_t n;

	if (!is_for_sink(c, s, off))
		return false;
	n = c->sink->drain(c->sink->ctx, off, s->data, s->len, vouched ? NULL : &sum);
	if (n == 0)
		return false;
	if (!vouched) {
		uint32_t all = (uint32_t)tcpu_sum_pseudo(s->src.ip, s->dst.ip, s->header_len + s->len) +
			tcpu_sum(s->header, s->header_len) + sum;
		if (tcpu_sum_fold(all) != 0xffff) {
			c->sink->settle(c->sink->ctx, off, n, false);
			c->count.bad_checksums++;
			return true;
		}
	}
	c->sink->settle(c->sink->ctx, off, n, true);
	heard(c);
	timestamp_update(c, s);
	ecn_input(c, s);
	passed(c, s, off, (uint32_t)n);
	if (c->rcv.over.node && !c->rcv.over.count)
		tcb_give_ranges(c);
	ack_arrives(c, s);
	return true;
}

/* SYN-SENT: RFC 9293 3.10.7.3. true: established, and text or FIN of the segment is still to be looked at. */
static bool syn_sent_input(struct tcb *c, struct segment *s)
{
	bool acked = s->flags & TH_ACK;

	if (acked && (seq_leq(s->ack, c->iss) || seq_gt(s->ack, c->snd_max))) {
		segment_refuse(c->engine, s);
		return false;
	}
	if (s->flags & TH_RST) {
		if (acked)
			tcb_drop(c, ECONNREFUSED);
		return false;
	}
	if (!(s->flags & TH_SYN))
		return false;
	heard(c);
	tcb_syn_received(c, s);
	if (!acked) { /* simultaneous open */
		c->state = TCPU_SYN_RECEIVED;
		tcb_send_syn(c);
		timer_rto_start(c);
		return false;
	}
	c->snd_una = s->ack;
	tcb_established(c, s);
	c->ack_now = true;
	tcb_flush_later(c);
	return true;
}

/* RFC 2883: what of the segment's text lies below RCV.NXT has come before. */
static void text_again(struct tcb *c, const struct segment *s)
{
	uint32_t back = c->rcv_nxt - c->fin_taken - s->seq;

	if (s->len && !(s->flags & TH_SYN) && back < INT32_MAX && back <= c->rcv.next)
		rcvbuf_again(&c->rcv, c->rcv.next - back, c->rcv.next - back + min_u32(back, s->len));
}

/* RFC 9293 3.10.7.4, first check */
static bool acceptable(const struct tcb *c, const struct segment *s)
{
	uint32_t wnd = tcb_rcv_wnd(c), end = s->seq + segment_length(s);

	if (wnd == 0 && s->seq == c->rcv_nxt)
		return true; /* a probe, say */
	/* A bare ACK may stand at the right edge: a peer that has filled our window has no other place for it. */
	if (end == s->seq)
		return seq_geq(s->seq, c->rcv_nxt) && seq_leq(s->seq, c->rcv_nxt + wnd);
	return seq_gt(end, c->rcv_nxt) && seq_lt(s->seq, c->rcv_nxt + wnd);
}

/* Cuts an acceptable segment, of which SYN is gone, to what the window holds. */
static void cut_to_window(struct tcb *c, struct segment *s)
{
	uint32_t wnd = tcb_rcv_wnd(c), cut;

	if (wnd == 0 && s->len) {
		/* Its ACK, window and a FIN without data count, its data does not. */
		s->len = 0;
		s->flags &= (uint8_t)~TH_FIN;
		c->ack_now = true;
		return;
	}
	if (seq_lt(s->seq, c->rcv_nxt)) {
		c->count.duplicates++;
		text_again(c, s);
		cut = min_u32(c->rcv_nxt - s->seq, s->len);
		s->seq = c->rcv_nxt;
		s->data += cut;
		s->len -= cut;
		c->ack_now = true;
	}
	if (wnd && seq_gt(s->seq + s->len, c->rcv_nxt + wnd)) {
		s->len = c->rcv_nxt + wnd - s->seq;
		s->flags &= (uint8_t)~TH_FIN;
		c->ack_now = true;
	}
}

/* Second check, on the segment as it came. The connection may be gone afterwards. */
static void reset_input(struct tcb *c, const struct segment *s)
{
	if (s->seq != c->rcv_nxt) {
		if (seq_gt(s->seq, c->rcv_nxt) && seq_lt(s->seq, c->rcv_nxt + tcb_rcv_wnd(c)))
			tcb_challenge(c); /* RFC 5961 3.2 */
		return;
	}
	switch (c->state) {
	case TCPU_SYN_RECEIVED:
		tcb_drop(c, ECONNREFUSED);
		break;
	case TCPU_CLOSING:
	case TCPU_LAST_ACK: /* entered at the user's call, when there may have been data to send */
		tcb_drop(c, c->snd.una == c->snd.end ? 0 : ECONNRESET);
		break;
	case TCPU_TIME_WAIT: /* RFC 1337: ignored */
		break;
	default:
		tcb_drop(c, ECONNRESET);
	}
}

/* What waits over a hole, with the byte at off among it, is shown to the sink. */
static void show(struct tcb *c, uint64_t off)
{
	const uint8_t *data[2];
	uint32_t len[2];
	struct range r, taken;

	if (!c->sink || !c->sink->show || c->sink->done || !rcvbuf_waiting(&c->rcv, off, &r))
		return;
	tcb_take_range(c, &c->rcv.gone);
	if (c->rcv.gone.count == c->rcv.gone.max)
		return;
	rcvbuf_pieces(&c->rcv, &r, data, len);
	if (!c->sink->show(c->sink->ctx, r.begin, data, len, &taken.begin, &taken.end))
		return;
	rcvbuf_take(&c->rcv, taken.begin, taken.end);
	tcb_took(c, (uint32_t)(taken.end - taken.begin));
}

void tcb_show(struct tcb *c)
{
	struct range r;
	uint64_t at = 0;

	while (ranges_meet(&c->rcv.over, at, UINT64_MAX, &r)) {
		at = r.begin > at ? r.begin : at;
		/* What it took of this piece once is no end of it. */
		if (!ranges_meet(&c->rcv.gone, at, at + 1, &r)) {
			rcvbuf_waiting(&c->rcv, at, &r);
			show(c, at);
		}
		at = r.end;
	}
}

/* Sixth and seventh: text. */
static void text_input(struct tcb *c, const struct segment *s)
{
	uint64_t off = c->rcv.next + (s->seq - c->rcv_nxt), before = c->rcv.next;
	bool in_order = s->seq == c->rcv_nxt, memory = tcb_take_rcvbuf(c) == 0;

	tcb_flush_later(c);
	if (in_order && c->rcv.over.count)
		c->ack_now = true; /* RFC 5681 4.2: a hole is filled */
	if (memory && !in_order)
		tcb_take_range(c, &c->rcv.over);
	if (memory && rcvbuf_keep(&c->rcv, off, s->data, s->len)) {
		c->news = true;
		received(c, s, (uint32_t)(c->rcv.next - before));
	}
	if (!in_order)
		show(c, off);
	if (c->rcv.over.node && !c->rcv.over.count)
		tcb_give_ranges(c);
	if (!in_order) {
		c->count.out_of_order++;
		tcb_send_ack(c); /* RFC 5681 4.2: at once, and for each of a batch: the peer counts them */
	}
}

/* Eighth: FIN, once all before it has come. */
static void fin_input(struct tcb *c)
{
	if (!c->fin_known || c->fin_seq != c->rcv_nxt || c->fin_taken)
		return;
	c->fin_taken = true;
	c->engine->receiving--;
	c->rcv_nxt++;
	tcb_promise(c);
	rcvbuf_end(&c->rcv);
	tcb_give_ranges(c);
	c->ack_now = true;
	tcb_flush_later(c);
	switch (c->state) {
	case TCPU_ESTABLISHED:
		c->state = TCPU_CLOSE_WAIT;
		break;
	case TCPU_FIN_WAIT_1: /* our FIN is not acknowledged, else the state were FIN-WAIT-2 */
		c->state = TCPU_CLOSING;
		break;
	case TCPU_FIN_WAIT_2:
		timer_time_wait(c);
		break;
	default:
		break;
	}
}

/* RFC 9293 3.10.7.4 from the sixth check on: what is new in the segment. */
static void content_input(struct tcb *c, struct segment *s)
{
	bool open = is_receiving(c);

	if (s->len && open && c->detached) {
		/* Data for a user who is gone: RFC 9293 3.6.1 */
		tcb_send_rst(c);
		tcb_drop(c, 0);
		return;
	}
	if (s->len && open && !c->fin_taken)
		text_input(c, s);
	/* A FIN counts where it stands in order. One that came early is remembered, but what comes in its place may show
	 * that it was a guess. */
	if ((s->flags & TH_FIN) && s->len == 0 && seq_gt(s->seq, c->rcv_nxt))
		tcb_send_ack(c); /* RFC 5681 4.2, as for text */
	if ((s->flags & TH_FIN) && !c->fin_taken && (!c->fin_known || s->seq + s->len == c->rcv_nxt)) {
		c->fin_known = true;
		c->fin_seq = s->seq + s->len;
	}
	if (c->fin_known && !c->fin_taken && seq_gt(c->rcv_nxt, c->fin_seq))
		c->fin_known = false;
	fin_input(c);
}

/* The peer's FIN once more, just as it stood. */
static bool is_last_fin(const struct tcb *c, const struct segment *s)
{
	return (s->flags & (TH_FIN | TH_ACK)) == (TH_FIN | TH_ACK) && s->seq + s->len == c->rcv_nxt - 1;
}

/* Without text, and one before what is expected: a keepalive probe, which is answered (RFC 9293 3.8.4), though not
 * without end. Or the ACK of one who has probed our window as we have his, and whose byte we took: both now speak
 * from before what the other expects, where each believes that the other's window ends, and only what they
 * acknowledge gets them away. */
static void before_next(struct tcb *c, struct segment *s)
{
	uint64_t last_us = c->challenge_at - CHALLENGE_US;

	if (is_synchronized(c) && s->flags & TH_ACK && seq_gt(s->ack, c->snd_una) && ack_in_range(c, s)) {
		if (ack_arrives(c, s))
			tcb_flush_later(c);
		return;
	}
	if (c->challenge_at > CHALLENGE_US && c->engine->now < last_us + KEEPALIVE_US)
		return;
	c->challenge_at = c->engine->now + CHALLENGE_US;
	tcb_send_ack(c);
}

/* What of the first check comes before the others. false: the segment is done with. */
static bool passes(struct tcb *c, struct segment *s)
{
	bool text = segment_length(s) && !(s->flags & TH_SYN);

	if (!timestamp_acceptable(c, s)) {
		c->count.paws_drops++;
		text_again(c, s);
		if (s->options.has_timestamp)
			tcb_challenge(c); /* RFC 7323 5.3, R1; one without is dropped in silence, 3.2 */
		return false;
	}
	if (acceptable(c, s))
		return true;
	if (c->state == TCPU_TIME_WAIT && is_last_fin(c, s))
		timer_time_wait(c); /* our last ACK was lost */
	/* Text that comes again asks for the ACK that was lost; the rest is answered now and then. */
	text_again(c, s);
	if (text)
		tcb_send_ack(c);
	else if (s->seq == c->rcv_nxt - 1 && !(s->flags & TH_SYN))
		before_next(c, s);
	else
		tcb_challenge(c);
	return false;
}

/* A SYN where there has been one. true: it is taken off, and the rest counts. */
static bool syn_again(struct tcb *c, struct segment *s)
{
	bool first = c->state == TCPU_SYN_RECEIVED && s->seq == c->irs && !(s->flags & TH_FIN);

	if (first && (s->flags & TH_ACK) && s->ack == c->snd_nxt && !c->parent) {
		/* Simultaneous open: the peer's SYN,ACK, RFC 9293 figure 8 */
		s->flags &= (uint8_t)~TH_SYN;
		s->seq++;
		c->ack_now = true;
		return true;
	}
	if (first && !(s->flags & TH_ACK)) {
		timestamp_update(c, s);
		c->sent_us = TCPU_NEVER; /* Karn: which of them the ACK will be for nobody knows */
		tcb_send_syn(c);         /* the peer has not got our SYN,ACK */
	} else
		tcb_challenge(c); /* RFC 5961 4.2: wherever it stands */
	return false;
}

static void synchronized_input(struct tcb *c, struct segment *s)
{
	if (s->flags & TH_RST) {
		reset_input(c, s);
		return;
	}
	if ((s->flags & TH_SYN) && !syn_again(c, s))
		return;
	if (!passes(c, s) || !(s->flags & TH_ACK))
		return;
	if (c->state == TCPU_SYN_RECEIVED) {
		if (seq_leq(s->ack, c->snd_una) || seq_gt(s->ack, c->snd_max)) {
			segment_refuse(c->engine, s);
			return;
		}
		/* SYNs that came together may be more than the backlog: our SYN,ACK, sent again, asks once more. */
		if (c->parent && listening(c->parent)->complete.count >= listening(c->parent)->backlog)
			return;
		c->snd_una = c->iss + 1;
		tcb_established(c, s);
	}
	if (!ack_acceptable(c, s))
		return;
	heard(c);
	timestamp_update(c, s);
	ecn_input(c, s);
	cut_to_window(c, s);
	tcb_flush_later(c); /* ack_now may have been set above */
	if (c->state == TCPU_TIME_WAIT && (segment_length(s) || s->seq != c->rcv_nxt))
		tcb_challenge(c); /* what comes behind the end, or claims to, is told where that was */
	if (ack_arrives(c, s))
		content_input(c, s);
}

/* A SYN for a connection in TIME-WAIT: may it begin a new one? RFC 6191 section 2, RFC 9293 3.6.1 (MAY-2). */
static bool begins_anew(const struct tcb *c, struct segment *s)
{
	if (c->state != TCPU_TIME_WAIT || (s->flags & (TH_SYN | TH_ACK | TH_RST | TH_FIN)) != TH_SYN)
		return false;
	segment_options(s);
	if (s->options.has_timestamp && c->timestamps && s->options.ts_val != c->ts_recent)
		return seq_gt(s->options.ts_val, c->ts_recent);
	return (s->options.has_timestamp && !c->timestamps) || seq_gt(s->seq, c->rcv_nxt);
}

static void connection_input(struct tcb *c, struct segment *s)
{
	if (c->state != TCPU_SYN_SENT) {
		synchronized_input(c, s);
		return;
	}
	if (!syn_sent_input(c, s) || (!s->len && !(s->flags & TH_FIN)))
		return;
	s->seq++;
	s->flags &= (uint8_t)~TH_SYN;
	if (acceptable(c, s)) {
		cut_to_window(c, s);
		content_input(c, s);
	}
}

void tcpu_input(struct tcpu *e, const struct link_in *in)
{
	struct segment s;
	struct tcb *c, *l;
	uint32_t last, *above = NULL;

	if (in->error) {
		icmp_input(e, in);
		return;
	}
	if (!segment_read(in, &s))
		return;
	c = tcb_find(e, s.dst, s.src);
	if (c) {
		segment_options(&s);
		c->count.segments_in++;
		tcb_changed(c);
		if (direct(c, &s, in->vouched))
			return;
	}
	if (!in->vouched && !checksum_good(in)) {
		if (c)
			c->count.bad_checksums++;
		return;
	}
	l = listener_find(e, s.dst);
	if (c && l && begins_anew(c, &s)) {
		if (!listener_has_room(l))
			return; /* it comes again, and meanwhile TIME-WAIT serves its purpose */
		last = c->snd_max;
		above = &last;
		tcb_drop(c, 0);
		c = NULL;
	}
	if (!c && l)
		c = listener_cookie(l, &s);
	if (c)
		connection_input(c, &s);
	else if (l)
		listener_input(l, &s, above);
	else
		segment_refuse(e, &s);
}

/* A segment arrives: RFC 9293 3.10.7, with RFC 5961's answers to what an attacker may have guessed.
 *
 * The short way comes first: a segment in order that carries nothing unusual goes from the packet buffer through
 * the sink into the application's memory in the pass that also sums it, before anything else is believed
 * (header prediction; RR-2650 section 4.1). Everything else is checked first and kept in the receive buffer. */
#include "core/cksum.h"
#include "core/tcb.h"

#include <errno.h>

#define HALF_OPEN_MAX 256 /* connections in SYN-RECEIVED of one listener */

static bool checksum_good(const struct link_in *in)
{
	uint32_t sum = (uint32_t)tcpu_sum_pseudo(in->src.ip, in->dst.ip, in->len) + tcpu_sum(in->segment, in->len);

	return tcpu_sum_fold(sum) == 0xffff;
}

static void received(struct tcb *c, uint32_t n)
{
	c->rcv_nxt += n;
	c->info.received_bytes += n;
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
			timer_set(c, TIMER_2MSL, c->engine->now + 2 * (uint64_t)c->engine->config.msl_us);
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

/* Fifth check. false: the segment is to be dropped, or the connection is gone. */
static bool ack_arrives(struct tcb *c, const struct segment *s)
{
	bool was_acked = c->fin_acked;

	return ack_input(c, s) && (was_acked || !c->fin_acked || fin_acked(c));
}

/* The states in which the peer may send text. */
static bool is_receiving(const struct tcb *c)
{
	return c->state == TCPU_ESTABLISHED || c->state == TCPU_FIN_WAIT_1 || c->state == TCPU_FIN_WAIT_2;
}

/* true: the segment is done with. */
static bool direct(struct tcb *c, const struct segment *s, bool vouched)
{
	uint64_t off = c->rcv.next;
	uint16_t sum;
	size_t n;

	if (!is_receiving(c) || !c->sink || c->sink->done || (s->flags & ~TH_PSH) != TH_ACK ||
		s->seq != c->rcv_nxt || s->len == 0 || s->len > rcvbuf_room(&c->rcv) || !rcvbuf_empty(&c->rcv) ||
		c->fin_known || seq_gt(s->ack, c->snd_max) || seq_lt(s->ack, c->snd_una - c->max_snd_wnd))
		return false;
	n = c->sink->drain(c->sink->ctx, off, s->data, s->len, vouched ? NULL : &sum);
	if (n == 0)
		return false;
	if (!vouched) {
		uint32_t all = (uint32_t)tcpu_sum_pseudo(s->src.ip, s->dst.ip, s->header_len + s->len) +
			tcpu_sum(s->header, s->header_len) + sum;
		if (tcpu_sum_fold(all) != 0xffff) {
			c->sink->settle(c->sink->ctx, off, n, false);
			c->info.bad_checksums++;
			return true;
		}
	}
	c->sink->settle(c->sink->ctx, off, n, true);
	rcvbuf_pass(&c->rcv, (uint32_t)n);
	c->info.direct_bytes += n;
	if (n < s->len) { /* a vouched one, of which the sink wanted only the beginning */
		if (tcb_take_rcvbuf(c) == 0 && rcvbuf_keep(&c->rcv, off + n, s->data + n, s->len - (uint32_t)n))
			n = s->len;
	}
	received(c, (uint32_t)n);
	ack_arrives(c, s);
	return true;
}

/* LISTEN: RFC 9293 3.10.7.2. above: the last number of an earlier connection of these addresses, if there was one. */
static void listener_input(struct tcb *l, const struct segment *s, const uint32_t *above)
{
	struct tcb *c;

	if (s->flags & TH_RST)
		return;
	if (s->flags & TH_ACK) {
		segment_refuse(l->engine, s);
		return;
	}
	if (!(s->flags & TH_SYN) || (s->flags & TH_FIN))
		return;
	/* A full queue drops the SYN in silence: it comes again. */
	if (l->complete.count >= l->backlog)
		return;
	/* In a flood of SYNs the oldest makes room: one that meant it has had the longest time to say so. */
	if (l->half_open.count >= HALF_OPEN_MAX)
		tcb_drop(l->half_open.first, 0);
	c = tcb_new(l->engine, s->dst, s->src, &l->options);
	if (!c)
		return;
	c->parent = l;
	queue_add(&l->half_open, c);
	if (above && seq_leq(c->iss, *above))
		tcb_set_iss(c, *above + 250000); /* RFC 9293 3.6.1: larger than any that was used */
	c->state = TCPU_SYN_RECEIVED;
	tcb_syn_received(c, s);
	tcb_send_syn(c);
	timer_rto_start(c);
}

/* SYN-SENT: RFC 9293 3.10.7.3. true: established, and text or FIN of the segment is still to be looked at. */
static bool syn_sent_input(struct tcb *c, const struct segment *s)
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

/* RFC 9293 3.10.7.4, first check. Cuts the segment to the window; false: nothing of it is in the window. */
static bool acceptable(struct tcb *c, struct segment *s)
{
	uint32_t wnd = seq_gt(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;
	uint32_t end = s->seq + segment_length(s), cut;

	if (wnd == 0 && s->seq == c->rcv_nxt) {
		/* A probe: its ACK, window and a FIN without data count, its data does not. */
		if (s->len) {
			s->len = 0;
			s->flags &= (uint8_t)~TH_FIN;
			c->ack_now = true;
		}
		return true;
	}
	/* A bare ACK may stand at the right edge: a peer that has filled our window has no other place for it. */
	if (end == s->seq)
		return seq_geq(s->seq, c->rcv_nxt) && seq_leq(s->seq, c->rcv_nxt + wnd);
	if (seq_leq(end, c->rcv_nxt) || seq_geq(s->seq, c->rcv_nxt + wnd))
		return false;
	if (seq_lt(s->seq, c->rcv_nxt)) {
		cut = c->rcv_nxt - s->seq;
		c->info.duplicates++;
		text_again(c, s);
		if (s->flags & TH_SYN) {
			s->flags &= (uint8_t)~TH_SYN;
			cut--;
		}
		s->seq = c->rcv_nxt;
		s->data += min_u32(cut, s->len);
		s->len -= min_u32(cut, s->len);
		c->ack_now = true;
	}
	if (seq_gt(s->seq + s->len, c->rcv_nxt + wnd)) {
		s->len = c->rcv_nxt + wnd - s->seq;
		s->flags &= (uint8_t)~TH_FIN;
		c->ack_now = true;
	}
	return true;
}

/* Second check. The connection may be gone afterwards. */
static void reset_input(struct tcb *c, const struct segment *s)
{
	if (s->seq != c->rcv_nxt) {
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

/* Sixth and seventh: text. */
static void text_input(struct tcb *c, const struct segment *s)
{
	uint64_t off = c->rcv.next + (s->seq - c->rcv_nxt), before = c->rcv.next;
	bool in_order = s->seq == c->rcv_nxt;

	tcb_flush_later(c);
	if (in_order && c->rcv.over.count)
		c->ack_now = true; /* RFC 5681 4.2: a hole is filled */
	if (tcb_take_rcvbuf(c) == 0 && rcvbuf_keep(&c->rcv, off, s->data, s->len))
		received(c, (uint32_t)(c->rcv.next - before));
	if (!in_order) {
		c->info.out_of_order++;
		tcb_send_ack(c); /* RFC 5681 4.2: at once, and for each of a batch: the peer counts them */
	}
}

/* Eighth: FIN, once all before it has come. */
static void fin_input(struct tcb *c)
{
	if (!c->fin_known || c->fin_seq != c->rcv_nxt || c->fin_taken)
		return;
	c->fin_taken = true;
	c->rcv_nxt++;
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
	if (c->fin_known && seq_gt(s->seq + s->len, c->fin_seq)) /* nothing stands behind a FIN */
		s->len = seq_lt(s->seq, c->fin_seq) ? c->fin_seq - s->seq : 0;
	if (s->len && open && !c->fin_taken)
		text_input(c, s);
	if ((s->flags & TH_FIN) && !c->fin_known) {
		c->fin_known = true;
		c->fin_seq = s->seq + s->len;
	}
	fin_input(c);
}

/* The peer's FIN once more, just as it stood. */
static bool is_last_fin(const struct tcb *c, const struct segment *s)
{
	return (s->flags & (TH_FIN | TH_ACK)) == (TH_FIN | TH_ACK) && s->seq + s->len == c->rcv_nxt - 1;
}

static void synchronized_input(struct tcb *c, struct segment *s)
{
	if (c->state == TCPU_SYN_RECEIVED && (s->flags & (TH_SYN | TH_ACK)) == TH_SYN && s->seq == c->irs) {
		tcb_send_syn(c); /* the peer has not got our SYN,ACK */
		return;
	}
	if (!acceptable(c, s)) {
		bool text = segment_length(s) && !(s->flags & TH_SYN);

		if (s->flags & TH_RST)
			return;
		if (c->state == TCPU_TIME_WAIT && is_last_fin(c, s))
			timer_time_wait(c); /* our last ACK was lost */
		/* Text that comes again asks for the ACK that was lost; the rest is answered now and then. */
		text_again(c, s);
		if (text)
			tcb_send_ack(c);
		else
			tcb_challenge(c);
		return;
	}
	if (s->flags & TH_RST) {
		reset_input(c, s);
		return;
	}
	if (s->flags & TH_SYN) {
		tcb_challenge(c); /* RFC 5961 4.2 */
		return;
	}
	if (!(s->flags & TH_ACK))
		return;
	if (c->state == TCPU_SYN_RECEIVED) {
		if (seq_leq(s->ack, c->snd_una) || seq_gt(s->ack, c->snd_max)) {
			segment_refuse(c->engine, s);
			return;
		}
		/* SYNs that came together may be more than the backlog: our SYN,ACK, sent again, asks once more. */
		if (c->parent && c->parent->complete.count >= c->parent->backlog)
			return;
		c->snd_una = c->iss + 1;
		tcb_established(c, s);
	}
	tcb_flush_later(c); /* ack_now may have been set above */
	if (ack_arrives(c, s))
		content_input(c, s);
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
		c->info.segments_in++;
		if (direct(c, &s, in->vouched))
			return;
	}
	if (!in->vouched && !checksum_good(in)) {
		if (c)
			c->info.bad_checksums++;
		return;
	}
	l = listener_find(e, s.dst);
	/* A SYN beyond what TIME-WAIT has seen begins a new connection: RFC 9293 3.6.1 */
	if (c && c->state == TCPU_TIME_WAIT && l && (s.flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN &&
		seq_gt(s.seq, c->rcv_nxt)) {
		last = c->snd_max;
		above = &last;
		tcb_drop(c, 0);
		c = NULL;
	}
	if (c && c->state == TCPU_SYN_SENT) {
		if (syn_sent_input(c, &s) && (s.len || (s.flags & TH_FIN))) {
			s.seq++;
			s.flags &= (uint8_t)~TH_SYN;
			if (acceptable(c, &s))
				content_input(c, &s);
		}
	} else if (c) {
		synchronized_input(c, &s);
	} else if (l) {
		listener_input(l, &s, above);
	} else {
		segment_refuse(e, &s);
	}
}

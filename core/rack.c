/* RACK-TLP, RFC 8985: a segment is lost when one that was sent sufficiently later has come (section 6); and when the
 * last ones are lost, so that nothing later can come, a probe asks (section 7). */
#include "core/tcb.h"

#define DUP_THRESH 3
#define REO_WND_PERSIST 16  /* recoveries */
#define DELACK_WORST_US 200000 /* WCDelAckT */
#define PTO_MIN_US 2000        /* what drivers and schedulers take; as Linux */
#define PTO_BLIND_US 1000000   /* before there is a round trip */

static bool sent_after(uint64_t us, uint32_t end, uint64_t than_us, uint32_t than_end)
{
	return us > than_us || (us == than_us && seq_gt(end, than_end));
}

static uint32_t end_seq(const struct tcb *c, const struct span *s)
{
	return snd_seq(c, s->off + s->len);
}

/* 6.2, steps 2 and 3 */
void rack_delivered(struct tcb *c, const struct span *s, const struct news *n)
{
	uint64_t rtt = c->engine->now - s->sent_us;
	uint32_t end = end_seq(c, s);

	if (seq_gt(end, c->rack_fack))
		c->rack_fack = end;
	if (seq_lt(end, n->fack) && !s->again)
		c->reordering_seen = true;
	if (s->again) {
		/* Is it the first sending that has come after all? */
		if (c->timestamps && n->has_timestamp &&
			seq_lt(n->ts_ecr, (uint32_t)(s->sent_us / 1000) + c->ts_offset))
			return;
		if (rtt < c->min_rtt)
			return;
	}
	if (sent_after(s->sent_us, end, c->rack_sent_us, c->rack_end)) {
		c->rack_rtt = rtt < UINT32_MAX ? (uint32_t)rtt : UINT32_MAX;
		c->rack_sent_us = s->sent_us;
		c->rack_end = end;
	}
}

/* Step 4: RACK_update_reo_wnd */
void rack_dsack(struct tcb *c)
{
	if (seq_lt(c->snd_una, c->rack_dsack_round))
		return;
	c->rack_dsack_round = c->snd_nxt;
	c->reo_wnd_mult += c->reo_wnd_mult < UINT8_MAX;
	c->reo_wnd_persist = REO_WND_PERSIST;
}

void rack_recovered(struct tcb *c)
{
	if (c->reo_wnd_persist && --c->reo_wnd_persist == 0)
		c->reo_wnd_mult = 1;
}

static uint64_t reo_wnd(const struct tcb *c)
{
	uint64_t wnd = (uint64_t)c->reo_wnd_mult * (c->min_rtt == UINT32_MAX ? c->srtt : c->min_rtt) / 4;

	if (!c->reordering_seen && (c->recovery >= RECOVERY_FAST || c->snd.sacked_spans >= DUP_THRESH))
		return 0;
	return wnd < c->srtt ? wnd : c->srtt;
}

/* 6.3: at a timeout, what was sent longer ago than a round trip and reordering take */
void rack_expire(struct tcb *c)
{
	uint64_t wait_us = c->rack_rtt + reo_wnd(c);
	struct span *s;

	while ((s = sndbuf_oldest(&c->snd)) && s->sent_us + wait_us <= c->engine->now)
		sndbuf_lose(&c->snd, s);
}

/* Step 5: RACK_detect_loss */
void rack_detect(struct tcb *c)
{
	uint64_t wait_us = c->rack_rtt + reo_wnd(c);
	struct span *s;

	timer_stop(c, TIMER_REORDER);
	while ((s = sndbuf_oldest(&c->snd)) && sent_after(c->rack_sent_us, c->rack_end, s->sent_us, end_seq(c, s))) {
		if (s->sent_us + wait_us > c->engine->now) {
			timer_set(c, TIMER_REORDER, s->sent_us + wait_us);
			return;
		}
		sndbuf_lose(&c->snd, s);
	}
}

/* 7.2: also where the buffer holds nothing new, and cwnd no room */
void tlp_schedule(struct tcb *c)
{
	uint64_t pto = c->srtt ? 2 * (uint64_t)c->srtt + PTO_MIN_US : PTO_BLIND_US, when;

	if (!c->sack || c->recovery != RECOVERY_NONE || c->snd.sacked_spans || c->tlp_out || c->snd_una == c->snd_nxt) {
		timer_stop(c, TIMER_TLP);
		return;
	}
	if (c->srtt && tcb_flight(c) <= c->mss)
		pto += DELACK_WORST_US;
	when = c->engine->now + pto;
	timer_set(c, TIMER_TLP, when < c->timer[TIMER_RTO] ? when : c->timer[TIMER_RTO]);
}

/* 7.3 */
void tlp_timeout(struct tcb *c)
{
	if (tcb_flight(c) > c->snd_wnd)
		return; /* RFC 9293 3.8.6: nothing goes again beyond a window that has shrunk */
	c->count.tail_probes++;
	tcb_send_tail(c);
	c->tlp_out = true;
	c->tlp_end = c->snd_nxt;
	timer_rto_start(c);
}

/* 7.4.2: TLP_process_ack */
bool tlp_ack(struct tcb *c, const struct news *n)
{
	if (!c->tlp_out || seq_lt(c->snd_una, c->tlp_end))
		return false;
	if (!c->tlp_again || n->dsack) {
		c->tlp_out = false;
		return false;
	}
	if (seq_gt(c->snd_una, c->tlp_end)) {
		c->tlp_out = false;
		return true;
	}
	/* A duplicate without SACK: the peer has got both. */
	if (n->duplicate && !n->sacked)
		c->tlp_out = false;
	return false;
}

/* What an ACK does: RFC 9293 3.10.7.4 (fifth check), RFC 6298 (round trips), RFC 5961 section 5. What it says of losses
 * is recovery.c's. */
#include "core/tcb.h"

#define CLOCK_GRANULARITY_US 1000 /* RFC 6298's G: how finely drivers sleep */
#define MIN_RTT_US 300000000      /* RFC 8985 6.2: RACK.min_RTT is that of the last minutes */

static void min_rtt_sample(struct tcb *c, uint32_t r)
{
	if (c->engine->now - c->min_rtt_us > MIN_RTT_US / 2) {
		c->min_rtt = c->min_rtt_new;
		c->min_rtt_new = UINT32_MAX;
		c->min_rtt_us = c->engine->now;
	}
	r = max_u32(r, 1);
	c->min_rtt_new = min_u32(c->min_rtt_new, r);
	c->min_rtt = min_u32(c->min_rtt, r);
}

/* RFC 6298 (2.2), (2.3); r in microseconds */
static void rtt_sample(struct tcb *c, uint64_t elapsed)
{
	const struct tcpu_config *k = &c->engine->config;
	uint32_t r = elapsed < 1 ? 1 : elapsed > 60000000 ? 60000000 : (uint32_t)elapsed;

	if (!c->srtt) {
		c->srtt = r;
		c->rttvar = r / 2;
	} else {
		uint32_t delta = c->srtt > r ? c->srtt - r : r - c->srtt;

		c->rttvar = (uint32_t)(((uint64_t)c->rttvar * 3 + delta) / 4);
		c->srtt = (uint32_t)(((uint64_t)c->srtt * 7 + r) / 8);
	}
	/* (2.3); the variance term has the minimum, as Linux does, so that a steady path is not cut fine */
	c->rto = c->srtt + max_u32(max_u32(CLOCK_GRANULARITY_US, 4 * c->rttvar), k->rto_min_us);
	c->rto = min_u32(c->rto, k->rto_max_us);
}

/* Karn's rule (RFC 6298 section 3): a segment that was sent twice says nothing, nor does one that waited behind it; the
 * timestamp does (RFC 7323 4.1). */
static void round_trip(struct tcb *c, const struct news *n)
{
	uint64_t now = c->engine->now;
	uint32_t echoed;

	if (n->timed && !n->again) {
		min_rtt_sample(c, (uint32_t)(now - n->newest_us < UINT32_MAX ? now - n->newest_us : UINT32_MAX));
		rtt_sample(c, now - n->oldest_us);
	} else if (n->acked && n->has_timestamp && (echoed = timestamp_rtt(c, n->ts_ecr))) {
		rtt_sample(c, echoed);
	}
}

void ack_established(struct tcb *c, const struct segment *s)
{
	uint64_t elapsed = c->engine->now - c->sent_us;

	recovery_begin(c);
	if (c->retries) {
		c->rto = 3000000; /* RFC 6298 (5.7) */
	} else if (c->sent_us != TCPU_NEVER) {
		min_rtt_sample(c, elapsed < UINT32_MAX ? (uint32_t)elapsed : UINT32_MAX);
		rtt_sample(c, elapsed);
	}
	c->retries = 0;
	c->soft_error = 0;
	c->sent_us = c->engine->now;
	timer_stop(c, TIMER_RTO);
	c->snd_wnd = s->flags & TH_SYN ? s->wnd : s->wnd << c->snd_scale;
	c->max_snd_wnd = c->snd_wnd;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
}

static void new_ack(struct tcb *c, uint32_t ack, struct news *n)
{
	uint64_t off = snd_off(c, ack);

	n->acked = ack - c->snd_una;
	if (c->fin_queued && off > c->snd.end) {
		off = c->snd.end;
		c->fin_acked = true;
	}
	recovery_cumulative(c, off, n);
	if (!c->snd.count)
		tcb_give_spans(c);
	c->snd_una = ack;
	if (seq_lt(c->snd_nxt, ack))
		c->snd_nxt = ack; /* a probe into a shut window had gone beyond it */
	c->soft_error = 0;
	c->mtu_said = 0; /* RFC 5927 7.2: progress refutes it */
	c->retries = 0; /* but rto stays backed off until a round trip is measured: RFC 6298 section 3 */
	/* What a probe carried was taken: the window is small, not shut, and gets as much each time that the override timer
	 * runs out (RFC 9293 3.8.6.2.1). */
	c->probes = 0;
	if (c->timer[TIMER_PERSIST] != TCPU_NEVER)
		timer_set(c, TIMER_PERSIST, c->engine->now + c->rto);
	if (!c->stale)
		timer_stop(c, TIMER_USER); /* there was progress: it begins anew */
	timer_user(c);
	c->output_wanted = true;
}

/* RFC 9293 3.10.7.4: SND.WL1 and SND.WL2 keep old segments from moving the window. But what acknowledges more than all
 * before is no old segment, though one out of order may have raised SND.WL1. */
static void update_window(struct tcb *c, const struct segment *s, bool advances)
{
	uint32_t wnd = s->wnd << c->snd_scale;

	if (seq_lt(s->ack, c->snd_una)) /* SND.UNA =< SEG.ACK; a newer sequence number does not make it new */
		return;
	if (!advances && !(seq_lt(c->snd_wl1, s->seq) || (c->snd_wl1 == s->seq && seq_leq(c->snd_wl2, s->ack))))
		return;
	if (wnd > c->snd_wnd) {
		c->output_wanted = true;
		c->probes = 0;
	}
	c->snd_wnd = wnd;
	timer_persist_over(c);
	c->max_snd_wnd = max_u32(c->max_snd_wnd, wnd);
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
}

/* RFC 5681 section 2: data outstanding, no data, no FIN, same number, same window. With SACK it is one if it reports
 * something new (RFC 6675 section 2), and that is counted there. One that a tail loss probe may have brought about is
 * one, though nothing is outstanding any more (RFC 8985 7.4.2). */
static bool is_duplicate(const struct tcb *c, const struct segment *s)
{
	return s->ack == c->snd_una && (c->snd_una != c->snd_nxt || c->tlp_out) && s->len == 0 &&
		!(s->flags & (TH_SYN | TH_FIN)) && s->wnd << c->snd_scale == c->snd_wnd && c->timer[TIMER_PERSIST] == TCPU_NEVER;
}

static void restart_timers(struct tcb *c, const struct news *n)
{
	if (c->snd_una == c->snd_nxt) {
		timer_stop(c, TIMER_RTO); /* RFC 6298 (5.2) */
		timer_stop(c, TIMER_TLP);
	} else if (n->acked) {
		timer_rto_start(c); /* (5.3) */
	}
	tlp_schedule(c);
}

bool ack_in_range(const struct tcb *c, const struct segment *s)
{
	/* RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT; and below the ISS nothing was ever sent. */
	uint32_t back = (uint32_t)min_u64(c->max_snd_wnd, c->snd.una + c->fin_acked);

	return seq_leq(s->ack, c->snd_max) && seq_geq(s->ack, c->snd_una - back);
}

bool ack_acceptable(struct tcb *c, const struct segment *s)
{
	if (ack_in_range(c, s))
		return true;
	if (s->len) {
		c->ack_now = true;
		tcb_flush_later(c);
	} else {
		tcb_challenge(c);
	}
	return false;
}

void ack_input(struct tcb *c, const struct segment *s)
{
	uint32_t earned = tcb_earned(c);
	struct news n = { .c = c, .flight = tcb_flight(c) + earned, .earned = earned, .fack = c->rack_fack,
		.ece = s->flags & TH_ECE, .has_timestamp = s->options.has_timestamp, .ts_ecr = s->options.ts_ecr };

	/* The peer answers, though its window is shut: it lives. Once the user has gone, that is not enough. */
	if ((c->timer[TIMER_PERSIST] != TCPU_NEVER || s->wnd == 0) && !c->detached)
		c->retries = 0;
	n.duplicate = is_duplicate(c, s);
	if (c->sack && s->options.sack_count)
		recovery_sack(c, s, &n);
	if (seq_gt(s->ack, c->snd_una))
		new_ack(c, s->ack, &n);
	update_window(c, s, n.acked);
	if (n.acked || n.delivered || n.duplicate || n.dsack || n.ece) {
		round_trip(c, &n);
		recovery_ack(c, &n);
		restart_timers(c, &n);
	}
	if (c->output_wanted)
		tcb_flush_later(c);
}

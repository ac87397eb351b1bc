/* What an ACK does: RFC 9293 3.10.7.4 (fifth check), RFC 6298 (round trips), RFC 5681 and RFC 6582 (Reno with
 * NewReno's recovery), RFC 5961 section 5. */
#include "core/tcb.h"

#include <stdlib.h>

#define CWND_MAX (1u << 30)
#define CLOCK_GRANULARITY_US 1000 /* RFC 6298's G: how finely drivers sleep */

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

uint32_t congestion_initial(const struct tcb *c)
{
	uint32_t segs = c->engine->config.initial_cwnd;

	/* RFC 6928, in bytes: min (10 MSS, max (2 MSS, 14600)), with the configured number for 10 */
	return min_u32(segs * c->mss, max_u32(2 * c->mss, segs * 1460));
}

void ack_established(struct tcb *c, const struct segment *s)
{
	/* RFC 5681 3.1: after a lost SYN the window begins with one segment. */
	c->cwnd = c->retries ? c->mss : congestion_initial(c);
	c->ssthresh = UINT32_MAX / 2;
	c->recover = c->iss;
	if (c->retries)
		c->rto = 3000000; /* RFC 6298 (5.7) */
	else
		rtt_sample(c, c->engine->now - c->rtt_start);
	c->retries = 0;
	c->sent_at = c->engine->now;
	timer_stop(c, TIMER_RTO);
	c->snd_wnd = s->flags & TH_SYN ? s->wnd : s->wnd << c->snd_scale;
	c->max_snd_wnd = c->snd_wnd;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
}

static uint32_t flight(const struct tcb *c)
{
	return c->snd_max - c->snd_una;
}

/* RFC 5681 (4) */
static void halve(struct tcb *c)
{
	c->ssthresh = max_u32(flight(c) / 2, 2 * c->mss);
}

void congestion_timeout(struct tcb *c)
{
	if (c->retries <= 1) /* RFC 5681 3.1: a segment lost again does not halve again */
		halve(c);
	c->cwnd = c->mss;
	c->dupacks = 0;
	c->in_recovery = false;
	c->recover = c->snd_max; /* RFC 6582 section 4 */
}

static void grow(struct tcb *c, uint32_t acked, uint32_t flight_before)
{
	/* A window that was not used says nothing about the path: RFC 7661 in its simplest form. */
	if ((uint64_t)flight_before * 2 < c->cwnd || c->cwnd > CWND_MAX)
		return;
	if (c->cwnd < c->ssthresh) {
		/* Slow start counts bytes, all of them, since one ACK stands for a whole batch: RFC 3465, L without limit */
		c->cwnd += acked;
		return;
	}
	c->bytes_acked += acked;
	if (c->bytes_acked >= c->cwnd) {
		c->bytes_acked -= c->cwnd;
		c->cwnd += c->mss;
	}
}

/* RFC 6582 section 3.2 */
static void recovery_ack(struct tcb *c, uint32_t acked)
{
	if (seq_geq(c->snd_una, c->recover)) { /* (5) full acknowledgment */
		c->cwnd = min_u32(c->ssthresh, max_u32(flight(c), c->mss) + c->mss);
		c->in_recovery = false;
		return;
	}
	tcb_retransmit(c); /* partial: the next hole */
	c->cwnd = c->cwnd > acked + c->mss ? c->cwnd - acked : c->mss;
	if (acked >= c->mss)
		c->cwnd += c->mss;
}

/* RFC 5681 section 3.2 */
static void duplicate_ack(struct tcb *c)
{
	c->dupacks++;
	if (c->in_recovery) {
		c->cwnd += c->cwnd < CWND_MAX ? c->mss : 0;
	} else if (c->dupacks == 3 && seq_gt(c->snd_una, c->recover)) {
		halve(c);
		c->recover = c->snd_max;
		c->in_recovery = true;
		c->info.fast_retransmits++;
		tcb_retransmit(c);
		c->cwnd = c->ssthresh + 3 * c->mss;
	}
	c->output_wanted = true;
}

static void new_ack(struct tcb *c, uint32_t ack)
{
	uint32_t acked = ack - c->snd_una, before = flight(c);
	uint64_t off = snd_off(c, ack);

	if (c->rtt_timing && seq_gt(ack, c->rtt_seq)) {
		rtt_sample(c, c->engine->now - c->rtt_start);
		c->rtt_timing = false;
	}
	if (c->fin_queued && off > c->snd.end) {
		off = c->snd.end;
		c->fin_acked = true;
	}
	c->info.acked_bytes += off - c->snd.una;
	sndbuf_ack(&c->snd, off);
	c->snd_una = ack;
	if (seq_lt(c->snd_nxt, ack))
		c->snd_nxt = ack;
	if (c->in_recovery)
		recovery_ack(c, acked);
	else
		grow(c, acked, before);
	/* RFC 6582's recover is never left behind by more than a window, or the comparison would wrap. */
	if (!c->in_recovery && seq_gt(ack - 1, c->recover))
		c->recover = ack - 1;
	c->dupacks = 0;
	c->retries = 0; /* but rto stays backed off until a round trip is measured: RFC 6298 section 3 */
	if (ack == c->snd_max)
		timer_stop(c, TIMER_RTO); /* RFC 6298 (5.2) */
	else
		timer_rto_start(c); /* (5.3) */
	c->output_wanted = true;
}

/* RFC 9293 3.10.7.4: SND.WL1 and SND.WL2 keep old segments from moving the window. */
static void update_window(struct tcb *c, const struct segment *s)
{
	uint32_t wnd = s->wnd << c->snd_scale;

	if (!(seq_lt(c->snd_wl1, s->seq) || (c->snd_wl1 == s->seq && seq_leq(c->snd_wl2, s->ack))))
		return;
	if (wnd > c->snd_wnd) {
		c->output_wanted = true;
		c->probes = 0;
	}
	c->snd_wnd = wnd;
	c->max_snd_wnd = max_u32(c->max_snd_wnd, wnd);
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
}

bool ack_input(struct tcb *c, const struct segment *s)
{
	bool duplicate;

	/* RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT, else it is answered and dropped. */
	if (seq_gt(s->ack, c->snd_max) || seq_lt(s->ack, c->snd_una - c->max_snd_wnd)) {
		if (s->len)
			c->ack_now = true;
		else
			tcb_challenge(c);
		return false;
	}
	/* The peer answers, though its window is shut: it lives. Once the user has gone, that is not enough. */
	if ((c->timer[TIMER_PERSIST] != TCPU_NEVER || s->wnd == 0) && !c->detached)
		c->retries = 0;
	/* RFC 5681 section 2, a duplicate: data outstanding, no data, no FIN, same number, same window */
	duplicate = s->ack == c->snd_una && c->snd_una != c->snd_max && s->len == 0 && !(s->flags & (TH_SYN | TH_FIN)) &&
		s->wnd << c->snd_scale == c->snd_wnd;
	if (seq_gt(s->ack, c->snd_una))
		new_ack(c, s->ack);
	update_window(c, s);
	if (duplicate && c->timer[TIMER_PERSIST] == TCPU_NEVER)
		duplicate_ack(c);
	if (c->output_wanted)
		tcb_flush_later(c);
	return true;
}

/* Loss, and how it is made good. What is lost, rack.c says (with SACK: RFC 2018, RFC 8985, which does what RFC 6675's
 * DupThresh did), or three duplicate ACKs do (without: RFC 5681, RFC 6582). How far the window falls, the congestion
 * control says (congestion.h). How fast it falls is RFC 6937's proportional rate reduction. And when it turns out that
 * nothing was lost, all is as before: RFC 4015, by timestamps (RFC 3522), by DSACK (RFC 3708), or by RFC 5682. */
#include "core/tcb.h"

#define DUP_THRESH 3

static uint32_t initial_window(const struct tcb *c)
{
	uint32_t segs = c->engine->config.initial_cwnd;

	/* RFC 6928, in bytes: min (10 MSS, max (2 MSS, 14600)), with the configured number for 10 */
	return min_u32(segs * c->mss, max_u32(2 * c->mss, segs * 1460));
}

void recovery_begin(struct tcb *c)
{
	c->cc.mss = c->mss;
	/* RFC 5681 3.1: after a lost SYN the window begins with one segment. */
	c->cc.cwnd = c->retries ? c->mss : initial_window(c);
	c->cc.ssthresh = UINT32_MAX / 2;
	c->cc.algorithm = congestion_find(c->options.congestion);
	c->cc.algorithm->begin(&c->cc);
	c->recover = c->filled = c->iss;
	c->reo_wnd_mult = 1;
}

/* ---- what an ACK has brought ---- */

/* A span has come for the first time, as far as the peer's ACKs tell. */
static void got(void *ctx, const struct span *s)
{
	struct news *n = ctx;
	struct tcb *c = n->c;

	n->delivered += s->len;
	c->acked_max = max_u32(c->acked_max, min_u32(s->len, c->mss));
	rack_delivered(c, s, n);
	if (s->again) {
		n->again = true;
		return;
	}
	if (seq_leq(snd_seq(c, s->off + s->len), c->recover))
		n->original = true;
	if (!n->timed || s->sent_us < n->oldest_us)
		n->oldest_us = s->sent_us;
	if (!n->timed || s->sent_us > n->newest_us)
		n->newest_us = s->sent_us;
	n->timed = true;
}

/* RFC 2883 section 4: the first block tells of what came twice when it lies below the ACK, or within the second. */
static bool is_dsack(const struct segment *s)
{
	const struct sack_block *b = s->options.sack;

	return seq_lt(b[0].begin, s->ack) ||
		(s->options.sack_count > 1 && seq_geq(b[0].begin, b[1].begin) && seq_leq(b[0].end, b[1].end));
}

void recovery_sack(struct tcb *c, const struct segment *s, struct news *n)
{
	uint32_t before = n->delivered;

	for (uint32_t i = 0; i < s->options.sack_count; i++) {
		const struct sack_block *b = &s->options.sack[i];

		/* Of what was never sent, or was acknowledged too long ago, nothing is believed. */
		if (seq_geq(b->begin, b->end) || seq_gt(b->end, c->snd_nxt) || seq_lt(b->begin, c->snd_una - c->max_snd_wnd))
			continue;
		if (i == 0 && is_dsack(s)) {
			n->dsack = true;
			n->dsacked = *b;
		} else if (seq_geq(b->begin, c->snd_una)) {
			tcb_cut(c, snd_off(c, b->begin));
			tcb_cut(c, snd_off(c, b->end));
			sndbuf_sack(&c->snd, snd_off(c, b->begin), snd_off(c, b->end), got, n);
		}
	}
	n->sacked = n->delivered > before;
}

void recovery_cumulative(struct tcb *c, uint64_t off, struct news *n)
{
	tcb_cut(c, off);
	sndbuf_ack(&c->snd, off, got, n);
}

/* Without SACK each duplicate ACK stands for one segment that has come behind the hole, which the ACK that fills the
 * hole counts again. */
static void count_duplicates(struct tcb *c, struct news *n)
{
	uint32_t counted;

	if (!n->acked) {
		if (n->duplicate && (c->dupacks + 1) * c->mss <= tcb_flight(c)) {
			c->dupacks++;
			n->delivered += c->mss;
		}
		return;
	}
	counted = c->recovery == RECOVERY_NONE ? c->dupacks : min_u32(c->dupacks, (n->acked - 1) / c->mss);
	c->dupacks -= counted;
	n->delivered -= min_u32(n->delivered, counted * c->mss);
}

/* ---- events ---- */

static void begin(struct tcb *c, enum recovery kind)
{
	if (c->recovery == RECOVERY_NONE)
		tcb_keep_undo(c, kind != RECOVERY_ECN && c->snd_una != c->undone_at);
	if (c->recovery == RECOVERY_NONE && c->undo) {
		*c->undo = (struct undo){ .cc = c->cc };
		c->undo->cc.ssthresh = max_u32(c->cc.ssthresh, tcb_flight(c)); /* RFC 4015's pipe_prev */
	}
	c->recovery = (uint8_t)kind;
	c->recover = c->snd_nxt;
	c->frto = false;
	c->frto_new = 0;
	c->tlp_out = false;
	timer_stop(c, TIMER_TLP);
}

/* The window that was full, which what was under way since may have outgrown; or what was under way. */
static uint32_t window(const struct tcb *c, bool full, uint32_t flight)
{
	return full ? max_u32(min_u32(c->cc.cwnd, c->filled_cwnd), flight) : flight;
}

/* RFC 5681 3.2, RFC 6675 section 5, RFC 3168 6.1.2: the window falls once. */
static void reduce(struct tcb *c, enum recovery kind, const struct news *n)
{
	bool fallen = c->recovery == RECOVERY_ECN;
	/* RFC 3042: what Limited Transmit has sent is not counted. */
	uint32_t flight = n->flight - min_u32(n->flight, c->limited);

	begin(c, kind);
	c->ecn_cwr = c->ecn;
	if (!fallen)
		c->cc.algorithm->reduce(&c->cc, flight, window(c, n->full, flight));
	c->prr_delivered = n->earned;
	c->prr_out = 0;
	c->recover_fs = max_u32(tcb_flight(c) + n->earned, 1);
	c->count.fast_retransmits += kind == RECOVERY_FAST;
}

/* RFC 6937 section 3, with the slow start reduction bound */
static void proportional(struct tcb *c, uint32_t delivered, bool partial)
{
	uint32_t pipe = tcb_pipe(c), ssthresh = c->cc.ssthresh, send;

	if (!delivered && c->prr_out)
		return; /* an ACK without news earns nothing */
	c->prr_delivered += delivered;
	if (pipe > ssthresh) {
		uint64_t whole = ((uint64_t)c->prr_delivered * ssthresh + c->recover_fs - 1) / c->recover_fs;

		send = whole > c->prr_out ? (uint32_t)whole - c->prr_out : 0;
	} else {
		uint32_t kept = c->prr_delivered > c->prr_out ? c->prr_delivered - c->prr_out : 0;

		send = min_u32(ssthresh - pipe, max_u32(kept, delivered) + c->mss);
	}
	/* The first one goes at once, and so does, without SACK, what a partial ACK tells of: RFC 6582 3.2, step 3. */
	if (c->recovery == RECOVERY_FAST && (c->prr_out == 0 || (partial && !c->sack)))
		send = max_u32(send, c->mss);
	c->cc.cwnd = max_u32(pipe + send, c->mss);
}

static void leave(struct tcb *c)
{
	if (c->recovery != RECOVERY_TIMEOUT)
		c->cc.cwnd = c->cc.ssthresh;
	if (c->recovery != RECOVERY_ECN)
		rack_recovered(c);
	c->recovery = RECOVERY_NONE;
	c->dupacks = 0;
	c->frto = false;
	c->frto_new = 0;
}

/* Has the highest number that was sent when recovery began come? An ECE goes on until CWR has reached the peer, which
 * it has when something behind that is acknowledged. */
static bool is_over(const struct tcb *c)
{
	return c->recovery == RECOVERY_ECN ? seq_gt(c->snd_una, c->recover) : seq_geq(c->snd_una, c->recover);
}

/* ---- nothing was lost ---- */

static void take_back(struct tcb *c, const struct news *n)
{
	uint32_t flight = tcb_flight(c), initial = initial_window(c), before = c->cc.cwnd, mss = c->cc.mss, cwnd;

	/* RFC 4015 section 3: after a timeout cwnd is FlightSize and what the ACK frees, an initial window of it at most, so
	 * that no burst leaves; slow start leads to where it was. Probes that went beyond cwnd are not counted, or it would
	 * grow by them. (Linux puts all of cwnd back, and RFC 5682 leaves it open.) Of what was not a timeout RFC 4015 does
	 * not speak: cwnd is as it was, if no more than an initial window leaves. */
	if (c->recovery == RECOVERY_TIMEOUT)
		cwnd = min_u32(c->undo->cc.cwnd, flight) + min_u32(n->acked, initial);
	else
		cwnd = min_u32(c->undo->cc.cwnd, flight + initial);
	c->cc = c->undo->cc;
	tcb_keep_undo(c, false);
	c->cc.cwnd = max_u32(before, cwnd);
	c->cc.mss = mss;
	sndbuf_found(&c->snd);
	c->recovery = RECOVERY_NONE;
	c->dupacks = 0;
	c->frto = false;
	c->frto_new = 0;
	c->undone_at = c->snd_una;
	c->reordering_seen = true; /* or it would be taken for lost again at once */
	c->count.spurious++;
	c->output_wanted = true;
}

static bool was_spurious(struct tcb *c, const struct news *n)
{
	struct undo *u = c->undo;

	if (!u || !u->sent)
		return false;
	/* RFC 3522 section 3: the ACK of what was sent again echoes a time from before. */
	if (c->timestamps && n->has_timestamp && n->acked && n->again && c->recovery != RECOVERY_NONE &&
		seq_lt(n->ts_ecr, u->ts))
		return true;
	/* RFC 3708: each that was sent again has come twice; but if another has, the network has doubled it. */
	if (!n->dsack)
		return false;
	if (seq_lt(n->dsacked.begin, u->begin) || seq_gt(n->dsacked.end, u->end)) {
		tcb_keep_undo(c, false);
		return false;
	}
	return --u->sent == 0;
}

/* ---- after a timeout ---- */

/* All that was sent before it, and has not been sent again since, is lost. */
static void lose_all(struct tcb *c)
{
	struct span *s;

	while ((s = sndbuf_oldest(&c->snd)) && s->sent_us < c->timeout_us)
		sndbuf_lose(&c->snd, s);
}

void recovery_timeout(struct tcb *c)
{
	struct span *s = sndbuf_first(&c->snd);
	bool again = c->recovery == RECOVERY_TIMEOUT;
	bool full = c->recovery == RECOVERY_NONE && seq_gt(c->filled, c->snd_una);
	uint32_t flight = tcb_flight(c);

	/* RFC 2018 section 8: the peer must keep what it has SACKed only if it acknowledges it in the end. */
	if (s && s->state == SPAN_SACKED)
		sndbuf_renege(&c->snd);
	begin(c, RECOVERY_TIMEOUT);
	c->timeout_us = c->engine->now;
	/* RFC 5681 3.1: what is lost again does not halve again; another segment does. */
	if (!again || c->retries == 1)
		c->cc.algorithm->timeout(&c->cc, flight, window(c, full, flight));
	c->ecn_cwr = c->ecn;
	c->cc.cwnd = c->mss;
	c->dupacks = 0;
	timer_stop(c, TIMER_REORDER);
	if (s && s->state == SPAN_FLIGHT)
		sndbuf_lose(&c->snd, s);
	if (c->sack)
		rack_expire(c);
	/* RFC 5682: not twice for one loss; where there are timestamps they tell sooner. */
	c->frto = !again && !c->timestamps && c->undo;
	c->frto_new_sent = false;
	if (again && !c->sack)
		lose_all(c);
}

void recovery_resend(struct tcb *c)
{
	struct span *s = sndbuf_first(&c->snd), *next;

	begin(c, RECOVERY_TIMEOUT);
	for (; s && s->state != SPAN_UNSENT; s = next) {
		next = sndbuf_behind(&c->snd, s);
		if (s->state == SPAN_FLIGHT && s->len > c->mss)
			sndbuf_lose(&c->snd, s);
	}
	if (c->snd_una == c->snd_nxt)
		c->recovery = RECOVERY_NONE;
	tcb_output(c);
}

/* RFC 5682 2.1 and 3.1, once the first segment has been sent again. With SACK the first ACK may tell already (as in
 * Linux), unless it is of all: then what was sent again may be what was missing (2a). */
static void frto_ack(struct tcb *c, const struct news *n)
{
	bool began = c->frto_new_sent, original = n->original && (began || seq_lt(c->snd_una, c->recover));

	if (c->undo && (c->sack ? original : n->acked && began)) {
		take_back(c, n);
	} else if (n->acked && n->again && !began && tcb_may_send_new(c)) {
		c->frto_new_sent = true;
		c->frto_new = 2; /* (2b) */
		c->output_wanted = true;
	} else if (n->acked || n->sacked || (n->duplicate && (began || !c->sack))) {
		c->frto = false;
		c->frto_new = 0;
		if (!began)
			return;
		c->cc.cwnd = 3 * c->mss; /* (3a): two round trips have passed */
		if (!c->sack)
			lose_all(c);
	}
}

static void timeout_ack(struct tcb *c, const struct news *n)
{
	if (c->frto)
		frto_ack(c, n);
	if (c->recovery == RECOVERY_TIMEOUT && !c->frto && n->acked && !c->sack)
		lose_all(c);
}

/* ---- */

/* Without SACK: RFC 6582 section 3.2 */
static void detect_by_duplicates(struct tcb *c, const struct news *n)
{
	struct span *s = sndbuf_first(&c->snd);
	bool third = c->recovery <= RECOVERY_ECN && c->dupacks >= DUP_THRESH && seq_gt(c->snd_una, c->recover);
	bool partial = c->recovery == RECOVERY_FAST && n->acked;

	if (s && s->state == SPAN_FLIGHT && (third || (partial && !s->again)))
		sndbuf_lose(&c->snd, s);
}

static void grow(struct tcb *c, const struct news *n)
{
	struct cc_ack ack = { .now_us = c->engine->now, .una = c->snd.una, .nxt = snd_off(c, c->snd_nxt),
		.acked = n->delivered, .rtt_us = n->timed && !n->again ? (uint32_t)(c->engine->now - n->newest_us) : 0,
		.srtt_us = c->srtt };

	/* A window that was not used says nothing about the path: RFC 9438 5.8. Half of it is enough in slow start, which
	 * doubles it in the time that it takes to fill (RFC 7661), and where a pacing timer that is late leaves it so. */
	bool half = c->cc.cwnd < c->cc.ssthresh || c->engine->config.pacing;
	bool used = n->full || (half && (uint64_t)n->flight * 2 >= c->cc.cwnd);

	if (n->acked && used && c->cc.cwnd < CWND_MAX)
		c->cc.algorithm->acked(&c->cc, &ack);
}

/* To a loss, or a mark: a recovery begins. */
static void respond(struct tcb *c, const struct news *n, bool repaired)
{
	if (c->snd.lost_bytes && c->recovery <= RECOVERY_ECN)
		reduce(c, RECOVERY_FAST, n);
	else if (repaired && c->recovery == RECOVERY_NONE)
		reduce(c, RECOVERY_ECN, n); /* RFC 8985 7.4: the probe made good a loss that nobody has paid for */
	if (n->ece && c->ecn && c->recovery == RECOVERY_NONE) {
		reduce(c, RECOVERY_ECN, n);
		c->count.ecn_reductions++;
	}
}

void recovery_ack(struct tcb *c, struct news *n)
{
	bool repaired = tlp_ack(c, n), left = false;

	if (n->dsack) {
		c->count.dsacks_in++;
		rack_dsack(c);
	}
	n->full = seq_gt(c->filled, c->snd_una - n->acked);
	if (seq_lt(c->filled, c->snd_una))
		c->filled = c->snd_una; /* or the comparison would wrap */
	if (!c->sack)
		count_duplicates(c, n);
	if (n->acked)
		c->limited = 0;
	if (n->ece && c->ecn)
		tcb_keep_undo(c, false); /* RFC 3168 6.1.2: a window that a mark lowers stays low */
	if (was_spurious(c, n)) {
		take_back(c, n);
		left = true;
	}
	if (c->recovery == RECOVERY_TIMEOUT) {
		timeout_ack(c, n);
		left = c->recovery == RECOVERY_NONE;
	}
	if (c->recovery != RECOVERY_NONE && is_over(c)) {
		leave(c);
		left = true;
	}
	/* RFC 6582's recover is never left behind by more than a window, or the comparison would wrap. */
	if (c->recovery == RECOVERY_NONE && n->acked && seq_gt(c->snd_una - 1, c->recover))
		c->recover = c->snd_una - 1;
	if (c->sack)
		rack_detect(c);
	else
		detect_by_duplicates(c, n);
	respond(c, n, repaired);
	if (c->recovery == RECOVERY_FAST || c->recovery == RECOVERY_ECN)
		proportional(c, n->delivered, n->acked);
	else if (!c->frto && !left)
		grow(c, n);
	c->output_wanted = true;
}

void recovery_reorder(struct tcb *c)
{
	uint32_t earned = tcb_earned(c);
	struct news n = { .flight = tcb_flight(c) + earned, .earned = earned, .full = seq_gt(c->filled, c->snd_una) };

	rack_detect(c);
	respond(c, &n, false);
	if (c->recovery == RECOVERY_FAST)
		proportional(c, 0, false);
	tcb_output(c);
}

void recovery_sent(struct tcb *c, uint32_t seq, uint32_t len, bool again)
{
	struct undo *u = c->undo;

	if (c->recovery == RECOVERY_NONE) {
		if (!again && (c->dupacks || c->snd.sacked_bytes))
			c->limited += len;
		return;
	}
	c->prr_out += len;
	if (!again)
		return;
	if (!u)
		return;
	if (u->sent++ == 0) {
		u->ts = timestamp_now(c);
		u->begin = seq;
		u->end = seq + len;
	}
	if (seq_lt(seq, u->begin))
		u->begin = seq;
	if (seq_gt(seq + len, u->end))
		u->end = seq + len;
}

void recovery_idle(struct tcb *c)
{
	uint64_t idle = c->engine->now - c->sent_us;

	if (idle <= c->rto)
		return;
	if (c->recovery == RECOVERY_ECN)
		leave(c); /* or its end would bring back what goes now */
	/* RFC 5681 4.1: the path is not what it was. */
	c->cc.cwnd = min_u32(c->cc.cwnd, initial_window(c));
	if (c->cc.algorithm->idle)
		c->cc.algorithm->idle(&c->cc, idle);
}

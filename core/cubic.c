/* CUBIC: RFC 9438, with beta 0.7, C 0.4 and fast convergence. Behind core/congestion.h.
 *
 * Windows are bytes and times microseconds, in integers: where the RFC counts segments, mss stands in the formula. */
#include "core/congestion.h"

/* Longer than the curve needs to cross CWND_MAX with the smallest mss (382 s), so that nothing below overflows. */
#define RISE_MAX_US 512000000u

/* C d^3 in bytes, rounded down: what is cut off on the way is below 10^-5 s^2 d + 10^-6 s^3, times C and mss. */
static uint64_t rise(uint64_t d_us, uint32_t mss)
{
	uint64_t d = d_us < RISE_MAX_US ? d_us : RISE_MAX_US;
	uint64_t cube = d * d / 10000000 * d / 100000; /* 10^-6 s^3 */

	return cube * mss / 2500000;
}

/* K = cubic_root((W_max - cwnd_epoch) / C), figure 2: the first microsecond at which the curve has risen so much. It is
 * late by what rise() cuts off: at most 1 + 3.4 / K + 0.4 / K^2 microseconds, K in seconds. */
static uint64_t cubic_root(uint32_t bytes, uint32_t mss)
{
	uint64_t low = 0, high = RISE_MAX_US;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (rise(middle, mss) < bytes)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* W_cubic(t) = C (t - K)^3 + W_max, figure 1 */
static uint32_t w_cubic(const struct cc *cc, uint64_t t_us)
{
	const struct cubic *q = &cc->cubic;
	uint64_t bytes;

	if (t_us < q->k_us) {
		bytes = rise(q->k_us - t_us, cc->mss);
		return q->w_max > bytes ? q->w_max - (uint32_t)bytes : 0;
	}
	bytes = q->w_max + rise(t_us - q->k_us, cc->mss);
	return bytes < CWND_MAX ? (uint32_t)bytes : CWND_MAX;
}

/* A congestion avoidance stage begins: 4.2; after a timeout, or a slow start that ended without loss, as 4.8 and 4.10
 * say: where there is no W_max, or it was passed already, the curve begins at its middle. */
static void stage_begin(struct cc *cc, uint64_t now_us)
{
	struct cubic *q = &cc->cubic;

	if (q->w_max > cc->cwnd) {
		q->k_us = cubic_root(q->w_max - cc->cwnd, cc->mss);
	} else {
		q->k_us = 0;
		q->w_max = cc->cwnd;
	}
	if (!q->cwnd_prior)
		q->cwnd_prior = cc->cwnd;
	q->w_est = cc->cwnd;
	q->w_est_rest = 0;
	q->epoch_us = q->acked_us = now_us;
	cc->bytes_acked = 0;
}

/* W_est += alpha segments_acked / cwnd, figure 4; alpha = 3 (1 - beta) / (1 + beta) = 9 / 17, and 1 from cwnd_prior on:
 * what Reno, with that beta, would have. */
static void estimate(struct cc *cc, uint32_t acked)
{
	struct cubic *q = &cc->cubic;
	uint64_t credit = (uint64_t)acked * cc->mss, w_est;

	if (q->w_est < q->cwnd_prior)
		credit = credit * 9 / 17;
	credit += q->w_est_rest;
	w_est = q->w_est + credit / cc->cwnd;
	q->w_est = w_est < CWND_MAX ? (uint32_t)w_est : CWND_MAX;
	q->w_est_rest = (uint32_t)(credit % cc->cwnd);
}

/* 4.4, 4.5: (target - cwnd) / cwnd for each segment acknowledged; 4.2: target lies between cwnd and 1.5 cwnd. */
static void follow(struct cc *cc, uint32_t acked, uint32_t target)
{
	uint64_t credit;

	if (target > cc->cwnd + cc->cwnd / 2)
		target = cc->cwnd + cc->cwnd / 2;
	if (target <= cc->cwnd)
		return;
	credit = (uint64_t)acked * (target - cc->cwnd) + cc->bytes_acked;
	cc->bytes_acked = (uint32_t)(credit % cc->cwnd);
	congestion_grow(cc, credit / cc->cwnd);
}

static void begin(struct cc *cc)
{
	cc->bytes_acked = 0;
	cc->cubic = (struct cubic){ 0 };
	hystart_begin(cc);
}

static void acked(struct cc *cc, const struct cc_ack *ack)
{
	struct cubic *q = &cc->cubic;
	/* What is acknowledged beyond a cwnd was sent under a larger one. */
	uint32_t bytes = ack->acked < cc->cwnd ? ack->acked : cc->cwnd;
	uint64_t t;

	if (cc->cwnd < cc->ssthresh) {
		q->epoch_us = 0; /* another stage begins when this slow start is over */
		hystart_acked(cc, ack);
		return;
	}
	if (!q->epoch_us)
		stage_begin(cc, ack->now_us);
	/* 4.2, 5.8: time in which cwnd was not the limit does not count. ACKs that count come once a round trip at least
	 * while it is. */
	if (ack->now_us - q->acked_us > ack->srtt_us)
		q->epoch_us += ack->now_us - q->acked_us - ack->srtt_us;
	q->acked_us = ack->now_us;
	t = ack->now_us - q->epoch_us;
	estimate(cc, bytes);
	if (w_cubic(cc, t) >= q->w_est)
		follow(cc, bytes, w_cubic(cc, t + ack->srtt_us));
	else if (q->w_est > cc->cwnd) /* 4.3, the Reno-friendly region; an ACK never takes from cwnd */
		congestion_grow(cc, q->w_est - cc->cwnd);
}

/* 4.6, 4.7 */
static void reduce(struct cc *cc, uint32_t flight, uint32_t window)
{
	struct cubic *q = &cc->cubic;

	(void)flight;
	/* Fast convergence: a flow that did not get back to its W_max makes room for new ones. */
	q->w_max = cc->cwnd < q->w_max ? (uint32_t)((uint64_t)cc->cwnd * 17 / 20) : cc->cwnd;
	q->cwnd_prior = cc->cwnd;
	q->epoch_us = 0;
	/* 4.6 allows cwnd in FlightSize's place where it was full: of few segments, the part of one that found no room is
	 * much. */
	congestion_shrink(cc, (uint32_t)((uint64_t)window * 7 / 10));
}

/* 4.8: W_max is what cwnd will be when the slow start is over. */
static void timeout(struct cc *cc, uint32_t flight, uint32_t window)
{
	reduce(cc, flight, window);
	cc->cubic.w_max = 0;
}

static void idle(struct cc *cc, uint64_t idle_us)
{
	struct cubic *q = &cc->cubic;

	if (!q->epoch_us)
		return;
	q->epoch_us += idle_us; /* 4.2, 5.8 */
	q->acked_us += idle_us;
	/* Or the next ACK would bring back at once what the caller took from cwnd. */
	if (q->w_est > cc->cwnd)
		q->w_est = cc->cwnd;
	q->w_est_rest = cc->bytes_acked = 0;
}

const struct congestion congestion_cubic = {
	.name = "cubic", .begin = begin, .acked = acked, .reduce = reduce, .timeout = timeout, .idle = idle
};

/* Slow start, and HyStart++ (RFC 9406), which leaves the first one when round trips grow, before the queue overflows:
 * by way of Conservative Slow Start (CSS), since one round of longer delays may be a false alarm. */
#include "core/congestion.h"

/* RFC 9406 4.3 */
#define MIN_RTT_THRESH_US 4000
#define MAX_RTT_THRESH_US 16000
#define MIN_RTT_DIVISOR 8
#define N_RTT_SAMPLE 8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS 5

#define BURST 10 /* segments that may leave at once in any case: RFC 6928 */

#define NONE UINT32_MAX

void hystart_begin(struct cc *cc)
{
	cc->hystart = (struct hystart){
		.last_round_min_us = NONE, .current_round_min_us = NONE, .css_baseline_min_us = NONE,
		.done = cc->ssthresh <= CWND_MAX, /* RFC 9406 4.3: for the initial slow start only */
	};
}

/* windowEnd is an octet that was not sent yet when the round began: the ACK that covers it is the first of the next. */
static void round_begin(struct cc *cc, const struct cc_ack *ack)
{
	struct hystart *h = &cc->hystart;

	h->window_end = ack->nxt;
	h->last_round_min_us = h->current_round_min_us;
	h->current_round_min_us = NONE;
	h->samples = 0;
	if (h->in_css && ++h->css_rounds == CSS_ROUNDS) { /* the round in which CSS began counts */
		h->done = true;
		cc->ssthresh = cc->cwnd;
	}
}

/* RttThresh */
static uint32_t threshold(uint32_t last_round_min_us)
{
	uint32_t part = last_round_min_us / MIN_RTT_DIVISOR;

	return part < MIN_RTT_THRESH_US ? MIN_RTT_THRESH_US : part > MAX_RTT_THRESH_US ? MAX_RTT_THRESH_US : part;
}

static void sample(struct hystart *h, uint32_t rtt_us)
{
	if (rtt_us < h->current_round_min_us)
		h->current_round_min_us = rtt_us;
	if (h->samples < N_RTT_SAMPLE)
		h->samples++;
	if (h->samples < N_RTT_SAMPLE)
		return;
	if (h->in_css) {
		if (h->current_round_min_us < h->css_baseline_min_us) { /* leaving slow start was spurious: it goes on */
			h->css_baseline_min_us = NONE;
			h->in_css = false;
		}
	} else if (h->current_round_min_us >= h->last_round_min_us &&
		h->current_round_min_us - h->last_round_min_us >= threshold(h->last_round_min_us)) {
		h->css_baseline_min_us = h->current_round_min_us;
		h->css_rounds = 0;
		h->in_css = true;
	}
}

void hystart_acked(struct cc *cc, const struct cc_ack *ack)
{
	struct hystart *h = &cc->hystart;
	/* RFC 9406 4.3 and RFC 3465 (2.2, 2.3) have 8, 2 and 1 segments at most for an ACK, for fear of bursts. But where the
	 * receiver's device hands on whole batches, an ACK stands for one that has crossed the path already; behind a hole
	 * without SACK it may stand for more than there was under cwnd. */
	uint32_t burst = BURST * cc->mss > cc->cwnd ? BURST * cc->mss : cc->cwnd;
	uint64_t bytes = ack->acked < burst ? ack->acked : burst;

	if (!h->done && ack->una > h->window_end)
		round_begin(cc, ack);
	if (!h->done && ack->rtt_us)
		sample(h, ack->rtt_us);
	if (!h->done && h->in_css)
		bytes /= CSS_GROWTH_DIVISOR;
	if (cc->ssthresh - cc->cwnd < bytes)
		bytes = cc->ssthresh - cc->cwnd;
	congestion_grow(cc, bytes);
}

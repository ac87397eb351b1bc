/* A connection of congestion control alone: the test is its path, and tells it what was acknowledged and lost. */
#ifndef TESTS_CC_FLOW_H
#define TESTS_CC_FLOW_H

#include "core/congestion.h"

#define MSS 1460
#define MS 1000u
#define S 1000000u
#define UNSET (UINT32_MAX / 2) /* ssthresh of a new connection */

struct flow {
	struct cc cc;
	struct cc_ack ack;
};

/* cwnd is segs segments of MSS; it is 10 s. */
void flow_open(struct flow *, const struct congestion *, uint32_t segs, uint32_t ssthresh);
/* An ACK of so many bytes more; whatever cwnd allows is sent. */
void flow_ack(struct flow *, uint32_t bytes);
/* A window's worth of ACKs, each of so many segments and with this RTT; the round takes as long. */
void flow_round(struct flow *, uint32_t segs, uint32_t rtt_us);
/* ACKs that acknowledge nothing, so that time passes of which the connection has used all. */
void flow_wait(struct flow *, uint64_t us);
/* Congestion is noticed, and recovery over: cwnd is ssthresh. */
void flow_reduce(struct flow *);
/* Are they that close, by a part of the larger one or apart? */
bool flow_near(double a, double b, double part, double apart);

#endif

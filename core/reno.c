/* Reno's congestion control: RFC 5681 section 3.1, counting bytes as RFC 3465 says. Behind core/congestion.h. */
#include "core/congestion.h"

static void begin(struct cc *cc)
{
	cc->bytes_acked = 0;
	hystart_begin(cc);
}

static void acked(struct cc *cc, const struct cc_ack *ack)
{
	if (cc->cwnd < cc->ssthresh) {
		hystart_acked(cc, ack);
		return;
	}
	/* RFC 3465 (2.1): a segment for each cwnd acknowledged, and no more than that in one round trip: what an ACK
	 * acknowledges beyond a cwnd was sent under a larger one. */
	cc->bytes_acked += ack->acked < cc->cwnd ? ack->acked : cc->cwnd;
	if (cc->bytes_acked >= cc->cwnd) {
		cc->bytes_acked -= cc->cwnd;
		congestion_grow(cc, cc->mss);
	}
}

static void reduce(struct cc *cc, uint32_t flight, uint32_t window)
{
	(void)window;
	congestion_shrink(cc, flight / 2); /* RFC 5681 (4) */
}

static void idle(struct cc *cc, uint64_t idle_us)
{
	(void)idle_us;
	cc->bytes_acked = 0; /* counted towards a window that is no more */
}

const struct congestion congestion_reno = {
	.name = "reno", .begin = begin, .acked = acked, .reduce = reduce, .timeout = reduce, .idle = idle
};

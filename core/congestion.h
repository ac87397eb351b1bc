/* Congestion control: how cwnd grows, and how far it falls. One small vtable; reno.c and cubic.c stand behind it.
 *
 * What is lost, when a recovery begins and ends, and what is sent in it (PRR, RFC 6937) is not decided here but in
 * recovery.c: an algorithm sees only the events below, and changes nothing but its struct cc. So recovery.c can save
 * that struct before an event and put it back when the event turns out to be none (RFC 4015). */
#ifndef CORE_CONGESTION_H
#define CORE_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

#define CWND_MAX (1u << 30) /* bytes */

/* RFC 9406: HyStart++, which ends slow start before the queue overflows. */
struct hystart {
	uint64_t window_end;    /* offset in the stream: the round ends when that is acknowledged */
	uint32_t last_round_min_us, current_round_min_us, css_baseline_min_us; /* UINT32_MAX: none */
	uint8_t samples;        /* of this round, not counted beyond what the algorithm asks for */
	uint8_t css_rounds;
	bool in_css, done;
};

/* RFC 9438 */
struct cubic {
	uint64_t epoch_us;      /* when this congestion avoidance stage began; 0: not yet */
	uint64_t k_us;
	uint32_t w_max, w_est;  /* bytes */
	uint32_t cwnd_prior;
	uint32_t w_est_acked;   /* bytes that w_est has not been credited with yet */
};

struct cc {
	const struct congestion *algorithm;
	uint32_t cwnd, ssthresh; /* bytes */
	uint32_t mss;            /* bytes; recovery.c keeps it what the connection's is */
	uint32_t bytes_acked;    /* towards the next segment of growth */
	struct hystart hystart;
	struct cubic cubic;      /* nothing in it counts for other algorithms */
};

/* An ACK of new data outside of recovery, by a connection that cwnd, and not its application or peer, limits. */
struct cc_ack {
	uint64_t now_us;
	uint64_t una, nxt;      /* SND.UNA behind this ACK, and SND.NXT, as offsets in the stream */
	uint32_t acked;         /* bytes newly acknowledged or SACKed */
	uint32_t rtt_us;        /* this ACK's sample; 0: none */
	uint32_t srtt_us;       /* 0: none yet */
	bool paced;             /* segments leave spread over the round trip */
};

struct congestion {
	const char *name; /* at most 15 characters; TCP_CONGESTION's */
	/* A connection begins, or takes this algorithm over from another: cwnd, ssthresh and mss are set and stay. */
	void (*begin)(struct cc *);
	void (*acked)(struct cc *, const struct cc_ack *);
	/* Loss, or ECN's mark, was noticed: sets ssthresh; cwnd is recovery's to bring there. flight: bytes under way
	 * before the event was noticed (FlightSize). */
	void (*reduce)(struct cc *, uint32_t flight, uint64_t now_us);
	/* Retransmission timeout, the first for this data: sets ssthresh and what the next slow start needs; cwnd is set
	 * to one segment by the caller. */
	void (*timeout)(struct cc *, uint32_t flight, uint64_t now_us);
	/* Nothing was under way for so long, more than an RTO. The caller has set cwnd (RFC 5681 4.1). */
	void (*idle)(struct cc *, uint64_t idle_us);
};

extern const struct congestion congestion_reno, congestion_cubic;
/* NULL: there is none of that name. */
const struct congestion *congestion_find(const char *name);

/* ---- for algorithms ---- */

/* Slow start with HyStart++ (RFC 9406, RFC 3465): cwnd grows; on leaving it ssthresh becomes cwnd. */
void hystart_begin(struct cc *);
void hystart_acked(struct cc *, const struct cc_ack *);

#endif

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
	uint64_t acked_us;      /* the last ACK of this stage */
	uint64_t k_us;
	uint32_t w_max;         /* bytes; 0: undefined */
	uint32_t cwnd_prior;    /* bytes; 0: ssthresh was never set */
	uint32_t w_est, w_est_rest; /* bytes; and 1/cwnd of a byte, not credited yet */
};

struct cc {
	const struct congestion *algorithm;
	uint32_t cwnd, ssthresh; /* bytes; an ssthresh above CWND_MAX: there was no congestion yet */
	uint32_t mss;            /* bytes, at least 48; recovery.c keeps it what the connection's is */
	uint32_t bytes_acked;    /* reno: towards the next segment of growth; cubic: 1/cwnd of a byte, not grown yet */
	struct hystart hystart;
	struct cubic cubic;      /* nothing in it counts for other algorithms */
};

/* An ACK of new data outside of recovery, where cwnd limits; in slow start also where half of it is under way. */
struct cc_ack {
	uint64_t now_us;
	uint64_t una, nxt;      /* SND.UNA behind this ACK, and SND.NXT, as offsets in the stream */
	uint32_t acked;         /* bytes newly acknowledged or SACKed */
	uint32_t rtt_us;        /* this ACK's sample; 0: none */
	uint32_t srtt_us;       /* 0: none yet */
};

struct congestion {
	const char *name; /* at most 11 characters; TCP_CONGESTION's */
	/* A connection begins, or takes this algorithm over from another: cwnd, ssthresh and mss are set and stay. */
	void (*begin)(struct cc *);
	void (*acked)(struct cc *, const struct cc_ack *);
	/* Loss, or ECN's mark, was noticed: sets ssthresh; cwnd is recovery's to bring there. flight: bytes under way
	 * before the event was noticed (FlightSize), without what limited transmit sent; window: the cwnd that was full then,
	 * or flight where it was the application, or the peer, that limited. cwnd is as it was, here and in timeout. */
	void (*reduce)(struct cc *, uint32_t flight, uint32_t window);
	/* Retransmission timeout, the first for this data: sets ssthresh and what the next slow start needs; cwnd is set
	 * to one segment by the caller, afterwards. */
	void (*timeout)(struct cc *, uint32_t flight, uint32_t window);
	/* Nothing was under way for so long, more than an RTO. The caller has set cwnd (RFC 5681 4.1). */
	void (*idle)(struct cc *, uint64_t idle_us);
};

extern const struct congestion congestion_reno, congestion_cubic;
/* NULL: there is none of that name. */
const struct congestion *congestion_find(const char *name);

/* ---- for algorithms ---- */

/* Slow start, the first one with HyStart++ (RFC 9406, RFC 3465): cwnd grows to ssthresh at most; when HyStart++ leaves
 * it, ssthresh becomes cwnd. */
void hystart_begin(struct cc *);
void hystart_acked(struct cc *, const struct cc_ack *);
/* cwnd grows by so much, to CWND_MAX at most. */
void congestion_grow(struct cc *, uint64_t bytes);
/* Congestion: ssthresh becomes share, or two segments (RFC 5681 (4)); later slow starts are not the first. */
void congestion_shrink(struct cc *, uint32_t share);

#endif

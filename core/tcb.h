/* The transmission control block (RFC 9293 section 3.3.1) and the engine it belongs to; for core/'s own files.
 *
 *	engine.c  lookup, memory, the driver's turn      input.c  a segment arrives (3.10.7)
 *	user.c    calls (3.10.1 - 3.10.6)                ack.c    what an ACK does: window, RTT, congestion
 *	output.c  what may be sent is sent               timer.c  deadlines and what happens at them */
#ifndef CORE_TCB_H
#define CORE_TCB_H

#include "core/engine.h"
#include "core/rcvbuf.h"
#include "core/segment.h"
#include "core/seq.h"
#include "core/sndbuf.h"

enum timer { TIMER_RTO, TIMER_PERSIST, TIMER_DELACK, TIMER_2MSL, TIMERS };

struct tcb {
	struct tcpu *engine;
	struct tcb *hash_next;  /* in the table of connections, or the lists of listeners and held ones */
	struct tcb *flush_next; /* in the list of those that tcpu_flush looks at */
	struct tcb *parent;     /* the listener that it came from and that has not handed it out yet */
	struct tcb *queue_next; /* of a connection: behind it in its parent's queue */
	struct queue {
		struct tcb *first, *last;
		uint32_t count;
	} half_open, complete;  /* of a listener: connections in SYN-RECEIVED; those that wait for accept */
	struct link_addr local, remote;
	enum tcpu_state state;
	bool detached;          /* the user has let go */
	bool on_flush, ack_now, output_wanted;
	bool fin_queued;        /* the user has closed his direction */
	bool fin_acked;
	bool fin_known;         /* the peer has closed its own; fin_seq says where */
	bool fin_taken;         /* and all before it has come: RCV.NXT stands behind it */
	bool rtt_timing;
	bool in_recovery;
	int error;              /* positive errno, until the user has seen it */

	/* Send sequence space; snd_max is the highest sent, snd_nxt falls back behind it at a timeout */
	uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2, max_snd_wnd;
	uint32_t mss;           /* effective: data bytes of a full segment */
	uint32_t rcv_mss;       /* what we announce */
	uint8_t snd_scale, rcv_scale;
	bool scaling;           /* both ends scale, or we have just offered it */
	struct sndbuf snd;

	/* Receive sequence space; rcv_nxt is rcv.next */
	uint32_t fin_seq;
	uint32_t irs, rcv_nxt, rcv_adv; /* rcv_adv: right edge of the window that the peer was told of */
	uint32_t rcv_acked;     /* RCV.NXT as the peer was told last */
	struct rcvbuf rcv;
	struct seam_sink *sink;

	/* Congestion: RFC 5681, RFC 6582 */
	uint32_t cwnd, ssthresh, bytes_acked, dupacks, recover;
	/* Round trip and retransmission: RFC 6298. In microseconds; srtt 0: none yet. */
	uint32_t srtt, rttvar, rto, retries;
	uint32_t rtt_seq;
	uint64_t rtt_start, sent_at; /* sent_at: data, last */
	uint32_t probes;        /* of a shut window, in a row */
	uint64_t challenge_at;  /* when the next challenge ACK may be sent */

	/* A listener's */
	uint32_t backlog;
	struct tcpu_options options; /* complete */

	uint64_t timer[TIMERS]; /* TCPU_NEVER: off */
	uint64_t deadline;      /* the earliest of them */
	uint32_t heap_at;       /* index in the engine's heap */
	struct tcpu_info info;  /* its counters only; tcpu_info fills in the rest */
};

#define CHALLENGE_US 500000
#define MSS_MIN 48       /* bytes: a smaller MSS option is an attack */
#define HEAP_OUT UINT32_MAX
#define BATCH 64 /* segments handed to the link in one call */

struct tcpu {
	struct tcpu_config config;
	struct link *link;
	uint64_t now;           /* microseconds */
	struct tcb **table;     /* connections by hash of their addresses */
	uint32_t table_size, connections, listeners_count;
	struct tcb *listeners;
	struct tcb *held;       /* closed, but the user holds them */
	struct tcb *flush;      /* those that want ACK or output at tcpu_flush */
	struct tcb **heap;      /* connections by deadline */
	uint32_t heap_count, heap_max;
	uint64_t retry;         /* when a full link is tried again; TCPU_NEVER: it was not full */
	uint32_t batch;
	struct link_out out[BATCH];
	uint8_t header[BATCH][HEADER_MAX]; /* of segments whose header cannot stand before their data */
};

/* engine.c */
void options_complete(struct tcpu_options *, const struct tcpu_options *defaults);
/* NULL: no memory, too many. options are complete. */
struct tcb *tcb_new(struct tcpu *, struct link_addr local, struct link_addr remote, const struct tcpu_options *);
struct tcb *tcb_find(const struct tcpu *, struct link_addr local, struct link_addr remote);
struct tcb *listener_find(const struct tcpu *, struct link_addr local);
/* The connection is over: no timer, no place in the table. Freed, unless the user holds it and has yet to see how it
 * ended: the caller must not touch it again. */
void tcb_drop(struct tcb *, int error);
void queue_add(struct queue *, struct tcb *);
void queue_remove(struct queue *, struct tcb *);
uint32_t tcb_isn(const struct tcb *);
int tcb_take_sndbuf(struct tcb *); /* -ENOMEM */
int tcb_take_rcvbuf(struct tcb *); /* -ENOMEM */
/* tcpu_flush looks at it: ack_now, output_wanted, or received data that we have not acknowledged. */
void tcb_flush_later(struct tcb *);

/* user.c */
void tcb_init(struct tcb *); /* sizes and first values */
void tcb_set_iss(struct tcb *, uint32_t iss);
void tcb_syn_received(struct tcb *, const struct segment *); /* what the peer's SYN says */
void tcb_established(struct tcb *, const struct segment *);

/* output.c */
void batch_send(struct tcpu *);
void tcb_output(struct tcb *);
void tcb_send_syn(struct tcb *);  /* SYN, or SYN,ACK in SYN-RECEIVED */
void tcb_send_ack(struct tcb *);
void tcb_window_opened(struct tcb *); /* the user has read: tells the peer if it is worthwhile */
/* ACK to a segment that was not acceptable and brings no data: now and then one, RFC 5961 section 7 */
void tcb_challenge(struct tcb *);
void tcb_send_rst(struct tcb *);
void tcb_send_probe(struct tcb *);
void tcb_retransmit(struct tcb *); /* the first segment not acknowledged */
void segment_refuse(struct tcpu *, const struct segment *); /* RST for a segment of no connection */

/* ack.c */
void ack_established(struct tcb *, const struct segment *); /* the window and congestion state at the beginning */
bool ack_input(struct tcb *, const struct segment *);       /* false: the segment is to be dropped */
void congestion_timeout(struct tcb *);
uint32_t congestion_initial(const struct tcb *); /* the initial window, RFC 6928 */

/* icmp.c */
void icmp_input(struct tcpu *, const struct link_in *);

/* timer.c */
void timer_set(struct tcb *, enum timer, uint64_t when);
static inline void timer_stop(struct tcb *c, enum timer t) { timer_set(c, t, TCPU_NEVER); }
void timer_rto_start(struct tcb *);
void timer_time_wait(struct tcb *);
int heap_add(struct tcb *); /* -ENOMEM */
void heap_remove(struct tcb *);
void timers_run(struct tcpu *);

static inline bool is_synchronized(const struct tcb *c) { return c->state >= TCPU_ESTABLISHED; }
/* May the user's data still be sent? */
static inline bool can_send(const struct tcb *c)
{
	return c->state == TCPU_ESTABLISHED || c->state == TCPU_CLOSE_WAIT;
}
/* Offset in the stream of a sequence number between SND.UNA and SND.MAX. */
static inline uint64_t snd_off(const struct tcb *c, uint32_t seq)
{
	return c->snd.una + (seq - c->snd_una);
}
static inline uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }

#endif

/* The transmission control block (RFC 9293 section 3.3.1) and the engine it belongs to; for core/'s own files.
 *
 *	engine.c  lookup, the driver's turn              input.c     a segment arrives (3.10.7)
 *	user.c    calls (3.10.1 - 3.10.6)                listen.c    and its listener or nobody is there
 *	output.c  what may be sent is sent               ack.c       what an ACK does: window, round trips
 *	header.c  segments without data; options         recovery.c  loss, and how it is made good
 *	timer.c   deadlines and what happens at them     rack.c      which segments are lost (RACK-TLP)
 *	icmp.c    word of the network                    timestamp.c RFC 7323
 *	memory.c  buffers' memory */
#ifndef CORE_TCB_H
#define CORE_TCB_H

#include "core/congestion.h"
#include "core/engine.h"
#include "core/rcvbuf.h"
#include "core/segment.h"
#include "core/seq.h"
#include "core/sndbuf.h"
#include "core/tuning.h"

enum timer {
	TIMER_TLP,     /* RFC 8985 section 7; when it and the next are due together, it comes first */
	TIMER_RTO,     /* RFC 6298 */
	TIMER_REORDER, /* RFC 8985 section 6 */
	TIMER_PERSIST, /* RFC 9293 3.8.6.1 */
	TIMER_DELACK,
	TIMER_KEEP,    /* RFC 9293 3.8.4 */
	TIMER_USER,    /* RFC 5482 */
	TIMER_PACE,    /* the next segment may leave */
	TIMER_CORK,    /* what was held back for more leaves without */
	TIMER_2MSL,    /* and the wait for the peer's FIN */
	TIMERS
};

enum recovery {
	RECOVERY_NONE,
	RECOVERY_ECN,     /* cwnd shrinks, since the network said so; nothing is lost */
	RECOVERY_FAST,    /* RFC 5681 3.2, RFC 6582, RFC 6675, by RFC 6937's way */
	RECOVERY_TIMEOUT, /* after a retransmission timeout */
};

/* What a listener has beside a connection's. */
struct listening {
	struct queue {
		struct tcb *first, *last;
		uint32_t count;
	} half_open, complete;  /* connections in SYN-RECEIVED; those that wait for accept */
	uint32_t backlog;
	uint64_t cookies_at;    /* when it last answered with a SYN cookie; 0: never */
};

/* What is needed to undo a recovery (RFC 4015). */
struct undo {
	struct cc cc;        /* before it began */
	uint32_t sent;       /* retransmissions of which no DSACK has told yet */
	uint32_t begin, end; /* sequence numbers: they lie within */
	uint32_t ts;         /* TSval of the first: RFC 3522's RetransmitTS */
};

struct tcb {
	struct tcpu *engine;
	struct tcb *hash_next;  /* in the table of connections, or the lists of listeners and held ones */
	struct tcb *flush_next; /* in the list of those that tcpu_flush looks at */
	struct tcb *parent;     /* the listener that it came from and that has not handed it out yet */
	union {
		struct tcb *queue_next;   /* of a connection: behind it in its parent's queue */
		struct tcb *changed_next; /* once it has a user: in tcpu_changed's list */
	};
	struct link_addr local, remote;
	enum tcpu_state state;
	bool detached;          /* the user has let go */
	bool on_flush, on_changed, ack_now, output_wanted;
	bool fin_queued;        /* the user has closed his direction */
	bool fin_acked;
	bool fin_known;         /* the peer has closed its own; fin_seq says where */
	bool fin_taken;         /* and all before it has come: RCV.NXT stands behind it */
	bool more;              /* the user has said that more follows at once */
	bool uncorked;          /* and has let it wait for too long */
	bool filling;           /* the user's bytes are being taken in */
	/* Agreed upon by the SYNs, or what we have just offered; ecn: RFC 3168 */
	bool scaling, sack, timestamps, ecn;
	uint8_t snd_scale, rcv_scale;
	bool ecn_echo;          /* the peer is to be told of a mark until it says CWR */
	bool ecn_cwr;           /* the next new segment says CWR */
	uint8_t recovery;       /* enum recovery */
	bool frto;              /* RFC 5682: nothing but the first segment was sent again, and it is not clear why */
	bool frto_new_sent;
	uint8_t frto_new;       /* new segments that it may send beyond cwnd */
	bool reordering_seen, tlp_out, tlp_again; /* RFC 8985 */
	bool told_full;         /* the user was told of no room, since the link is full: he is to hear of its end */
	uint8_t quick;          /* so many ACKs more are not delayed */
	uint8_t probes;         /* of a shut window, that made the interval longer */
	uint8_t soft_error;     /* positive errno: what the network said since the last progress */
	bool stale : 1;         /* what was lost could not be made again */
	bool shows : 1;         /* the sink that had a look last has show, */
	bool news : 1;          /* and since then something came that it has not seen */
	int error;              /* positive errno, until the user has seen it */
	struct tcpu_options options; /* complete */

	/* Send sequence space; snd_max is beyond snd_nxt only where a probe was sent into a shut window */
	uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2, max_snd_wnd;
	uint32_t mss;           /* effective: data bytes of a full segment, options counted off */
	uint32_t peer_mss;      /* as its SYN said */
	uint32_t rcv_mss;       /* what we announce */
	uint32_t user;          /* the driver's number for it; 0: none */
	struct sndbuf snd;

	/* Receive sequence space; rcv_nxt is rcv.next */
	uint32_t fin_seq;
	uint32_t irs, rcv_nxt, rcv_adv; /* rcv_adv: right edge of the window that the peer was told of */
	uint32_t rcv_acked;     /* RCV.NXT as the peer was told last: RFC 7323's Last.ACK.sent */
	uint32_t promised;      /* of engine.promised */
	uint64_t heard_us, got_us; /* when the peer was last heard of, and when it last brought bytes in order */
	struct rcvbuf rcv;
	struct tuning tuning;
	struct seam_sink *sink;
	const struct seam_source *source; /* who makes again what was forgotten; NULL: nobody */

	/* RFC 7323 section 4, 5 */
	uint32_t ts_offset, ts_recent;
	uint64_t ts_recent_us;  /* when it was set */

	/* Congestion control and loss recovery */
	struct cc cc;
	struct undo *undo;      /* of this recovery, which may turn out to be none; NULL: it cannot be undone */
	uint32_t undone_at;     /* SND.UNA at the last undo: there is no second one before progress */
	uint32_t recover;       /* SND.NXT when it began */
	uint32_t dupacks;       /* RFC 5681 section 2; without SACK: segments taken to have come */
	uint32_t filled, filled_cwnd; /* SND.NXT when cwnd had no room left for a segment, and cwnd, bytes */
	uint32_t limited;       /* bytes sent by Limited Transmit, RFC 3042 */
	uint32_t prr_delivered, prr_out, recover_fs; /* RFC 6937; bytes */
	/* RFC 8985 */
	uint32_t rack_end;
	uint64_t rack_sent_us;
	uint32_t rack_fack, rack_dsack_round, tlp_end, rack_rtt, reo_wnd_mult, reo_wnd_persist;

	/* Round trip and retransmission: RFC 6298. In microseconds; srtt 0: none yet. */
	uint32_t srtt, rttvar, rto;
	uint16_t retries;
	uint16_t keeps;         /* probes of a silent peer, in a row */
	uint32_t min_rtt, min_rtt_new; /* of the last minutes; UINT32_MAX: none yet */
	uint64_t min_rtt_us;    /* when min_rtt_new began */
	uint64_t sent_us;       /* when data was sent last; until there may be any, SYN first; TCPU_NEVER: unknown */
	uint64_t timeout_us;    /* when the last retransmission timeout was */
	uint64_t challenge_at;  /* when the next challenge ACK may be sent */

	/* RFC 1191, RFC 5927 7.2 */
	uint32_t path_mtu, mtu_said; /* bytes of an IP packet; mtu_said: believed if the segment times out; 0: none */
	uint32_t acked_max;     /* the largest segment that has arrived, bytes of data */

	uint32_t heap_at;       /* index in the engine's heap */
	uint64_t timer[TIMERS]; /* TCPU_NEVER: off */
	uint64_t deadline;      /* the earliest of them, or earlier */
	struct counts {         /* as in struct tcpu_info */
		uint64_t direct_bytes, segments_out, segments_in;
		uint32_t retransmits, timeouts, fast_retransmits, tail_probes, spurious;
		uint32_t dsacks_in, dsacks_out, paws_drops, ecn_marks_in, ecn_reductions;
		uint32_t bad_checksums, out_of_order, duplicates;
	} count;
};

struct listener {
	struct tcb tcb;
	struct listening listening;
};
/* Of one in LISTEN. */
static inline struct listening *listening(const struct tcb *l) { return &((struct listener *)l)->listening; }

#define CHALLENGE_US 500000
#define MSS_MIN 48       /* bytes: a smaller MSS option is an attack */
#define MTU_MIN 552      /* bytes: a smaller path is not believed in (RFC 5927 7.2; as Linux) */
#define IP_HEADER 20     /* bytes */
#define QUICK_MAX 16     /* ACKs that are not delayed when a connection begins */
#define HEAP_OUT UINT32_MAX
#define RANGES_FEW 16    /* for which there are nodes when something comes over a hole */
#define BATCH 64 /* segments handed to the link in one call */

struct tcpu {
	struct tcpu_config config;
	struct link *link;
	uint64_t now;           /* microseconds */
	struct tcb **table;     /* connections by hash of their addresses */
	uint32_t table_size, connections, listeners_count;
	uint32_t receiving;     /* of the connections: those whose peers may still send */
	uint64_t promised;      /* bytes that these may send now: the sum of what the tcbs promise */
	struct tcb *listeners;
	struct tcb *held;       /* closed, but the user holds them */
	struct tcb *flush;      /* those that want ACK or output at tcpu_flush */
	struct tcb *changed;
	struct span *few_spans; /* a table of SPANS_FEW that nobody needs at the moment, or NULL */
	struct tcb **heap;      /* connections by deadline */
	uint32_t heap_count, heap_max;
	uint64_t retry;         /* when a full link is tried again; TCPU_NEVER: it was not full */
	uint32_t batch;
	struct link_out out[BATCH];
	uint8_t *again;   /* UINT16_MAX bytes, for what is made again; NULL: nothing was yet */
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
void tcb_changed(struct tcb *);
/* The user has no more to do with it. */
void tcb_detach(struct tcb *);
void queue_add(struct queue *, struct tcb *);
void queue_remove(struct queue *, struct tcb *);
uint32_t tcb_isn(const struct tcb *);
uint32_t tcb_keyed(const struct tcb *, uint32_t purpose); /* a number of these addresses that only the secret tells */
/* tcpu_flush looks at it: ack_now, output_wanted, or received data that we have not acknowledged. */
void tcb_flush_later(struct tcb *);

/* memory.c */
void *memory_take(struct tcpu *, size_t bytes); /* NULL: there is none */
void memory_give(struct tcpu *, void *, size_t bytes); /* NULL: nothing */
void memory_give_buffers(struct tcb *); /* all that it has beside itself */
int tcb_take_sndbuf(struct tcb *); /* -ENOMEM; a ring, and a table as tcb_take_spans */
int tcb_take_spans(struct tcb *);  /* -ENOMEM; a place for one span more, unless the table is as large as it may be */
void tcb_give_spans(struct tcb *); /* there is nothing to send: the table is not needed */
bool tcb_may_grow_sndbuf(const struct tcb *);
bool tcb_grow_sndbuf(struct tcb *); /* true: there is more room now */
int tcb_take_rcvbuf(struct tcb *); /* -ENOMEM; a ring */
void tcb_keep_undo(struct tcb *, bool keep); /* memory for it, where there is any; or none */
void tcb_take_range(struct tcb *, struct ranges *); /* a node for one more, unless there are as many as there may be */
void tcb_show(struct tcb *); /* all that waits over holes, to the sink */
void tcb_give_ranges(struct tcb *); /* nodes of those of the receive buffer that are empty */
/* How large the receive buffer may grow. */
uint32_t tcb_rcvbuf_limit(const struct tcb *);
/* What of that may wait in the link is for all connections: this one's part of it. */
uint32_t tcb_rcvbuf_share(const struct tcb *);
void tcb_promise(struct tcb *); /* RCV.NXT, its window's right edge or its state has changed */
/* The user has taken n bytes: the receive buffer grows, when that is worthwhile and there is memory. It may move. */
void tcb_took(struct tcb *, uint32_t n);

/* user.c */
void tcb_init(struct tcb *); /* sizes and first values */
void tcb_set_iss(struct tcb *, uint32_t iss);
void tcb_syn_received(struct tcb *, const struct segment *); /* what the peer's SYN says */
void tcb_established(struct tcb *, const struct segment *);
void tcb_set_mss(struct tcb *); /* of what the peer said, the path and the options allow */
static inline uint32_t tcb_header_len(const struct tcb *c) { return HEADER_MIN + (c->timestamps ? 12 : 0); }

/* listen.c */
/* above: the last number of an earlier connection of these addresses, if there was one. */
void listener_input(struct tcb *listener, struct segment *, const uint32_t *above);
bool listener_has_room(const struct tcb *listener); /* for one connection more, without a cookie */
/* The connection, in SYN-RECEIVED, of which this is the ACK to a SYN cookie. NULL: it is none, or there is no room. */
struct tcb *listener_cookie(struct tcb *listener, struct segment *);
void segment_refuse(struct tcpu *, const struct segment *); /* RST for a segment of no connection */

/* header.c */
void batch_send(struct tcpu *);
bool batch_full(struct tcpu *); /* the link is, and with it the batch */
/* It was when it was asked last, and what it left over waits. */
static inline bool link_full(const struct tcpu *e) { return e->batch && e->retry != TCPU_NEVER; }
/* What a segment carries. */
struct load {
	const uint8_t *data;
	uint8_t *headroom; /* where the header may stand if it is HEADER_MIN, or sndbuf.headroom, long; NULL: nowhere */
	uint32_t len;
	uint32_t segment_len; /* link_out's */
	uint16_t sum;
	bool ect;          /* it may be marked: RFC 3168 6.1.5, new data only */
};
void tcb_send(struct tcb *, uint8_t flags, uint32_t seq, const struct load *);
void tcb_send_syn(struct tcb *);  /* SYN, or SYN,ACK in SYN-RECEIVED */
void tcb_send_ack(struct tcb *);
void tcb_send_rst(struct tcb *);
/* ACK to a segment that was not acceptable and brings no data: now and then one, RFC 5961 section 7 */
void tcb_challenge(struct tcb *);
void tcb_window_opened(struct tcb *); /* the user has read: tells the peer if it is worthwhile */
/* What a SYN says beside its numbers. */
struct syn_options {
	uint32_t mss, ts_val, ts_ecr;
	bool sack, timestamps, scaling;
	uint8_t scale;
};
void segment_send(struct tcpu *, struct segment *, const struct syn_options *); /* of no connection; NULL: no SYN */

/* output.c */
void tcb_output(struct tcb *);
/* Cuts the span that holds this offset there, if it is a train that was sent and a segment begins there: what a
 * peer says of parts of it is heard then. false: no room in the table. */
bool tcb_cut(struct tcb *, uint64_t off);
/* Data bytes that leave with one header, at most: whole segments, cut behind the link. */
uint32_t tcb_train(const struct tcb *);
/* Takes the error that waits, negative; 0: none. */
int tcb_take_error(struct tcb *);
/* Bytes beyond what is under way that cwnd and the peer's window let go. */
uint32_t tcb_room(const struct tcb *);
/* What a source wrote now would leave at once, or as the next after what tcpu_options says may wait. */
bool tcb_sends_soon(const struct tcb *);
/* Bytes of new data that cwnd has let go since the last output: Nagle may still hold the last of them. */
uint32_t tcb_earned(const struct tcb *);
bool tcb_may_send_new(const struct tcb *); /* there is something new, and the peer's window lets it go */
void tcb_send_probe(struct tcb *); /* into a window that is shut */
void tcb_send_first(struct tcb *); /* the first segment not acknowledged, whatever cwnd says */
void tcb_send_tail(struct tcb *);  /* a new segment, or the last one again: RFC 8985 7.3 */
/* FlightSize (RFC 5681): bytes sent and not cumulatively acknowledged; and of them those under way, RFC 6675's pipe. */
uint32_t tcb_flight(const struct tcb *);
uint32_t tcb_pipe(const struct tcb *);

/* ack.c */
void ack_established(struct tcb *, const struct segment *); /* the window and round trip at the beginning */
bool ack_in_range(const struct tcb *, const struct segment *);
bool ack_acceptable(struct tcb *, const struct segment *); /* the same; false: the segment is dropped, and answered */
void ack_input(struct tcb *, const struct segment *);      /* of one that is */

/* recovery.c */
/* What an ACK has brought. */
struct news {
	struct tcb *c;
	uint32_t acked;       /* sequence numbers, cumulatively */
	uint32_t delivered;   /* bytes of data, by SACK or cumulatively, each once */
	uint32_t flight;      /* before this ACK, earned included */
	uint32_t earned;      /* what ACKs before it, in its batch, let go, but had no time to */
	bool full;            /* cwnd had no room left, then */
	uint32_t fack;        /* RACK.fack before this ACK */
	uint64_t oldest_us, newest_us; /* when the first and the last of those was sent that were sent once */
	bool timed;           /* there were such */
	bool again;           /* some had been sent again */
	bool original;        /* some had not, and stood below recover */
	bool sacked;          /* some by SACK */
	bool dsack;
	struct sack_block dsacked; /* its block */
	bool ece;
	bool duplicate;       /* RFC 5681 section 2 */
	bool has_timestamp;
	uint32_t ts_ecr;
};
void recovery_begin(struct tcb *);  /* of a connection's life */
void recovery_sack(struct tcb *, const struct segment *, struct news *);
void recovery_cumulative(struct tcb *, uint64_t off, struct news *);
void recovery_ack(struct tcb *, struct news *);
void recovery_reorder(struct tcb *); /* TIMER_REORDER: reordering cannot be the reason any more */
void recovery_timeout(struct tcb *);
void recovery_resend(struct tcb *); /* what is larger than a segment may be now goes again, and nobody pays for it */
void recovery_sent(struct tcb *, uint32_t seq, uint32_t len, bool again);
void recovery_idle(struct tcb *);   /* about to send after a pause */

/* rack.c */
void rack_delivered(struct tcb *, const struct span *, const struct news *);
void rack_dsack(struct tcb *);
void rack_recovered(struct tcb *);
void rack_detect(struct tcb *);     /* marks what is lost, and sets TIMER_REORDER for what may be */
void rack_expire(struct tcb *);     /* at a timeout */
void tlp_schedule(struct tcb *);
void tlp_timeout(struct tcb *);
bool tlp_ack(struct tcb *, const struct news *); /* true: a loss was repaired by the probe */

/* timestamp.c */
uint32_t timestamp_now(const struct tcb *);
bool timestamp_acceptable(const struct tcb *, const struct segment *); /* PAWS, of what is no RST */
void timestamp_update(struct tcb *, const struct segment *);
uint32_t timestamp_rtt(const struct tcb *, uint32_t ts_ecr); /* us; 0: it says nothing */

/* icmp.c */
void icmp_input(struct tcpu *, const struct link_in *);
void mtu_timeout(struct tcb *); /* a segment timed out: a smaller path may be believed now */

/* timer.c */
void timer_set(struct tcb *, enum timer, uint64_t when);
static inline void timer_stop(struct tcb *c, enum timer t) { c->timer[t] = TCPU_NEVER; }
void timer_rto_start(struct tcb *);
void timer_time_wait(struct tcb *);
void timer_persist_over(struct tcb *); /* the window has changed: what was sent into a shut one need wait no longer */
void timer_keep(struct tcb *);  /* starts it, or stops it, as the options say */
void timer_user(struct tcb *);  /* there was progress, or data is there that was not */
int heap_add(struct tcb *); /* -ENOMEM */
void heap_remove(struct tcb *);
void timers_run(struct tcpu *);

static inline bool is_synchronized(const struct tcb *c) { return c->state >= TCPU_ESTABLISHED; }
/* May the user's data still be sent? */
static inline bool can_send(const struct tcb *c)
{
	return c->state == TCPU_ESTABLISHED || c->state == TCPU_CLOSE_WAIT;
}
/* Offset in the stream of a sequence number between SND.UNA and SND.MAX, and the other way round. */
static inline uint64_t snd_off(const struct tcb *c, uint32_t seq)
{
	return c->snd.una + (seq - c->snd_una);
}
static inline uint32_t snd_seq(const struct tcb *c, uint64_t off)
{
	return c->snd_una + (uint32_t)(off - c->snd.una);
}
static inline uint32_t tcb_rcv_wnd(const struct tcb *c)
{
	return seq_gt(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;
}
static inline uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

#endif

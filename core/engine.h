/* The engine: TCP as a function of segments, time and calls. It makes no system call, reads no clock and
 * has no global state: whoever drives it hands in time, secrets, memory and a link, so a whole transfer
 * with loss runs in virtual time and a seed reproduces it exactly. Not thread-safe: one engine, one user
 * at a time; engines share nothing.
 *
 * A driver's turn is: tcpu_clock(now); tcpu_input() for each segment; calls; tcpu_flush(); then sleep until
 * the link has something or tcpu_deadline() comes. core/link/socket.c is the driver of the socket-like calls
 * of core/tcpu.h; tests/ drive engines over core/link/sim.h.
 *
 * Functions that can fail return a negative errno. */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include "core/link.h"
#include "core/seam.h"

#include <sys/types.h>

struct tcpu; /* an engine: one link, its connections */
struct tcb;  /* a connection, or a listener */

#define TCPU_NEVER UINT64_MAX
#define TCPU_SNDBUF_DEFAULT (256U << 10)
#define TCPU_RCVBUF_DEFAULT (256U << 10)
#define TCPU_RCVBUF_SHARE_MIN (2U << 10)

/* What a connection, or all that come from a listener, may be told. 0 in a field, and "" in congestion, ask for what
 * the engine's configuration says, and there for the default in brackets. */
struct tcpu_options {
	/* Retransmission buffer; before the first byte is sent. Set, it stays as it is; not set, it begins with
	 * [TCPU_SNDBUF_DEFAULT] and grows to twice cwnd, up to sndbuf_max. */
	uint32_t sndbuf_bytes;
	/* Receive buffer; before connect or listen. Set, it stays as it is; not set, it begins with [TCPU_RCVBUF_DEFAULT]
	 * and grows with what the application takes in a round trip, up to rcvbuf_max; and no further than what its link
	 * says that may wait there (its window_max), which all connections of the moment share: each is promised at most
	 * three quarters of what the others' peers may not send now, but a quarter of an equal part in any case, and
	 * TCPU_RCVBUF_SHARE_MIN. The window keeps to that, however large the buffer is. */
	uint32_t rcvbuf_bytes;
	uint32_t mss_max;          /* data bytes of a segment, both ways [what the link carries]; before connect or listen */
	uint32_t syn_retries;      /* timeouts of SYN or SYN,ACK in a row before ETIMEDOUT [7: 3 minutes] */
	uint32_t data_retries;     /* timeouts of data in a row before ETIMEDOUT [15] */
	uint32_t keep_probes;      /* unanswered ones before ETIMEDOUT [9] */
	uint64_t user_timeout_us;  /* RFC 5482: data that long unacknowledged ends the connection with ETIMEDOUT [never] */
	uint64_t fin_wait_us;      /* how long a closed connection waits for the peer's FIN [60 s] */
	uint64_t keep_idle_us;     /* RFC 1122 4.2.3.6: silence before the first keepalive probe [2 h] */
	uint64_t keep_interval_us; /* between probes [75 s] */
	uint64_t pacing_max_bps;   /* bytes a second; only with tcpu_config.pacing [no limit] */
	/* A source is asked for no more than the windows let go at once and so many bytes beyond, but a whole segment: what
	 * is decided late may still overtake what was decided early. As Linux's TCP_NOTSENT_LOWAT [no limit] */
	uint32_t notsent_bytes;
	bool keepalive;
	bool nodelay;              /* Nagle's rule (RFC 9293 3.7.4) does not hold */
	bool quickack;             /* no ACK is delayed */
	bool cork;                 /* a segment that is not full waits for more, 200 ms at most */
	char congestion[8];        /* "cubic" (RFC 9438, HyStart++) or "reno" [cubic] */
};

/* What an engine does without: for tests, and for peers that cannot bear it. QUICKACK: the ACKs at a connection's
 * beginning, and after a pause, that are not delayed since the peer's window needs them to grow. */
enum { TCPU_NO_SACK = 1, TCPU_NO_TIMESTAMPS = 2, TCPU_NO_SCALE = 4, TCPU_NO_ECN = 8, TCPU_NO_QUICKACK = 16 };

/* 0 in a field asks for the default in brackets. */
struct tcpu_config {
	struct link *link;  /* borrowed: outlives the engine */
	uint8_t secret[16]; /* random: keys ISNs (RFC 6528), timestamp offsets, SYN cookies */
	void *(*alloc)(void *ctx, size_t bytes); /* NULL when out of memory */
	void (*free)(void *ctx, void *p, size_t bytes);
	void *alloc_ctx;
	uint64_t now_us;
	uint32_t delack_us;       /* longest delay of an ACK; TCPU_ACK_ON_FLUSH: at tcpu_flush [40 ms] */
	uint32_t rto_initial_us;  /* [1 s] (RFC 6298 2.1) */
	uint32_t rto_min_us;      /* [200 ms] (RFC 6298 2.4 says 1 s; as Linux, BSD) */
	uint32_t rto_max_us;      /* [60 s] */
	uint32_t msl_us;          /* TIME-WAIT lasts 2 MSL [30 s] */
	uint32_t initial_cwnd;    /* segments [10] (RFC 6928) */
	uint32_t sndbuf_max, rcvbuf_max; /* bytes to which buffers grow [4 MiB] */
	uint32_t syn_backlog;     /* half-open connections of a listener before SYN cookies (RFC 4987) [256] */
	uint32_t connections_max; /* [4096] connections and half-open ones together */
	unsigned without;         /* TCPU_NO_SACK ... */
	bool ecn;                 /* ask for ECN (RFC 3168) when connecting; it is granted to who asks in any case */
	bool pacing;              /* spread segments over the round trip: for drivers that keep deadlines to 100 us or so */
	bool isn_fixed;           /* ISNs begin with isn, for scripts: never outside tests */
	uint32_t isn;
	struct tcpu_options options; /* of connections that say nothing else */
};
#define TCPU_ACK_ON_FLUSH UINT32_MAX

/* -ENOMEM, -EINVAL. */
int tcpu_new(const struct tcpu_config *, struct tcpu **out);
/* Forgets every connection without a word to its peer. */
void tcpu_free(struct tcpu *);

/* Time is now: timers that are due run. now_us is monotonic. */
void tcpu_clock(struct tcpu *, uint64_t now_us);
/* When tcpu_clock must be called next; TCPU_NEVER when nothing waits for time. */
uint64_t tcpu_deadline(const struct tcpu *);
/* A segment came in; or, with error set, word of the network that what dst sent to src does not arrive (ICMP). A
 * connection that is opening fails with ECONNREFUSED and ENOPROTOOPT (RFC 9293 3.9.2.2), and by them one that has had
 * all its data acknowledged and owes only its end is gone; all else is a soft error, which retransmission survives
 * (RFC 5927 5.2): tcpu_info tells it, and should the connection time out, it is why. EMSGSIZE with path_mtu makes
 * segments smaller, as RFC 1191 and RFC 5927 7.2 say. Word of segments that are not under way, and of unknown pairs,
 * is ignored. */
void tcpu_input(struct tcpu *, const struct link_in *);
/* The link's input is drained: ACKs that waited for it, and segments not yet handed to the link, go out. */
void tcpu_flush(struct tcpu *);
/* What a connection that says nothing is told: no field 0 but those for which that is a value. */
const struct tcpu_options *tcpu_defaults(const struct tcpu *);
/* Whether struct tcpu_options may say it. */
bool tcpu_has_congestion(const char *name);
/* Whether a connection, closed ones in TIME-WAIT included, has that local port, and the address or one of them any. */
bool tcpu_holds(const struct tcpu *, struct link_addr local);
/* How many connections and listeners the engine still holds, closed ones in TIME-WAIT included. */
unsigned tcpu_count(const struct tcpu *);
/* Of them: connections with data or FIN that the peer has not acknowledged, or with an open handshake. */
unsigned tcpu_owing(const struct tcpu *);
/* RST and gone, as tcpu_abort, for all that tcpu_close has let go of. */
void tcpu_abort_closed(struct tcpu *);
/* All connections are over with that error, without a word: the link is gone. Listeners stay. */
void tcpu_drop_all(struct tcpu *, int error);

/* Passive open on a claimed address (ip 0: any). Connections complete up to backlog wait for accept. options may be
 * NULL: as configured.
 * -EADDRINUSE, -ENOMEM; -ENOENT: no such congestion control. */
int tcpu_listen(struct tcpu *, struct link_addr local, unsigned backlog, const struct tcpu_options *, struct tcb **out);
/* So many may wait from now on. */
void tcpu_backlog(struct tcb *listener, unsigned backlog);
/* -EAGAIN when none waits; -EINVAL when not a listener. */
int tcpu_accept(struct tcb *listener, struct tcb **out);
/* Active open: sends SYN. Then tcpu_ready says TCPU_OUT (established) or TCPU_ERR (tcpu_error says why).
 * options may be NULL: as configured.
 * -EADDRINUSE: that pair of addresses is in use; -ENOMEM; -ENFILE: connections_max; -ENOENT: no such congestion
 * control; -ENETUNREACH: a broadcast or multicast address. */
int tcpu_connect(struct tcpu *, struct link_addr local, struct link_addr remote, const struct tcpu_options *,
	struct tcb **out);
/* What a connection or listener was told, no field 0; and telling it anew: fields that bind before connect or listen
 * are left as they were. -ENOENT: no such congestion control, and nothing was changed. */
void tcpu_options(const struct tcb *, struct tcpu_options *);
int tcpu_set_options(struct tcb *, const struct tcpu_options *);

/* Calls source->fill until it returns 0 or the retransmission buffer is full, and sends what the windows
 * allow. Returns the bytes taken in; -EAGAIN: no room, a full link, or not established yet; -EPIPE after shutdown;
 * or the connection's error once. how: TCPU_SEND_NOW overrides Nagle for what this call takes in, TCPU_SEND_MORE
 * says that more follows at once: a segment that is not full waits for it. */
enum { TCPU_SEND_NOW = 1, TCPU_SEND_MORE = 2 };
ssize_t tcpu_send(struct tcb *, const struct seam_source *source, unsigned how);
/* Who makes bytes again that need not be kept (struct seam_source: again), from now on until the connection is closed:
 * inside any call that drives the engine. NULL: nobody; the connection ends with ESTALE if what was forgotten is
 * lost. */
void tcpu_source(struct tcb *, const struct seam_source *source);
/* Gives what waits in the receive buffer to the sink. Returns the bytes taken; 0: end of stream;
 * -EAGAIN: nothing there, or the sink declined; -EMSGSIZE: the buffer is full, and that is not enough for a sink with
 * show; or the connection's error once. */
ssize_t tcpu_recv(struct tcb *, struct seam_sink *sink);
/* The stream's offset up to which the peer has acknowledged all. */
uint64_t tcpu_acked(const struct tcb *);
/* As recv(2) with MSG_PEEK: copies at most len bytes of what waits, and leaves it there. Results as tcpu_recv. */
ssize_t tcpu_peek(struct tcb *, void *buffer, size_t len);
/* Installs the sink that in-order segments go to straight from the packet buffer; NULL takes it away. */
void tcpu_sink(struct tcb *, struct seam_sink *sink);

/* FIN after all that is buffered. -ENOTCONN. */
int tcpu_shutdown(struct tcb *);
/* The user lets go of the connection or listener: data still buffered and FIN are sent, unread data answered
 * by RST (RFC 2525 2.17); the engine keeps it as long as TCP needs it. The handle is dead on return. */
void tcpu_close(struct tcb *);
/* RST and gone. */
void tcpu_abort(struct tcb *);

enum { TCPU_IN = 1, TCPU_OUT = 2, TCPU_ERR = 4, TCPU_HUP = 8 };
/* What a call would not wait for: TCPU_IN (data, end of stream, a connection to accept), TCPU_OUT (tcpu_send takes
 * bytes of whatever source, or fails at once), TCPU_ERR (an error waits), TCPU_HUP (both directions are over). */
unsigned tcpu_ready(struct tcb *);
/* Whose readiness segments, timers, ICMP and a link that is no longer full may have changed since: one after the other,
 * NULL when there is no more. Of those that have a user, the driver's number for them, and are not closed. It is 0,
 * none, at first. */
struct tcb *tcpu_changed(struct tcpu *);
void tcpu_set_user(struct tcb *, uint32_t user);
uint32_t tcpu_user(const struct tcb *);
/* The error that waits, as a positive errno, and clears it: ECONNREFUSED, ECONNRESET, ETIMEDOUT. */
int tcpu_error(struct tcb *);

/* RFC 9293 section 3.3.2 */
enum tcpu_state {
	TCPU_CLOSED, TCPU_LISTEN, TCPU_SYN_SENT, TCPU_SYN_RECEIVED, TCPU_ESTABLISHED, TCPU_FIN_WAIT_1,
	TCPU_FIN_WAIT_2, TCPU_CLOSE_WAIT, TCPU_CLOSING, TCPU_LAST_ACK, TCPU_TIME_WAIT,
};
const char *tcpu_state_name(enum tcpu_state);

struct tcpu_info {
	enum tcpu_state state;
	struct link_addr local, remote;
	uint32_t mss;            /* effective: data bytes of a full segment sent */
	uint32_t cwnd_bytes, ssthresh_bytes;
	uint32_t snd_wnd_bytes, rcv_wnd_bytes;
	uint32_t srtt_us, rttvar_us, rto_us, min_rtt_us;
	uint32_t buffered_bytes; /* in the retransmission buffer, acknowledged ones not counted */
	uint32_t unsent_bytes;   /* of them: never sent */
	uint32_t waiting_bytes;  /* received in order, and not yet read */
	uint32_t flight_bytes;   /* sent, and neither acknowledged, nor SACKed, nor taken for lost (RFC 6675's pipe) */
	uint32_t sndbuf_bytes, rcvbuf_bytes; /* sizes of the buffers now */
	uint32_t path_mtu;       /* bytes of an IP packet */
	char congestion[12];
	int soft_error;          /* positive errno that the network has told of since the last progress; 0: none */
	bool sack, timestamps, ecn, scaling; /* agreed upon */
	uint64_t sent_bytes, acked_bytes, received_bytes; /* of the stream, each byte once */
	uint64_t direct_bytes;   /* of received_bytes: taken by a sink straight from the packet buffer */
	uint64_t segments_out, segments_in;
	uint64_t retransmits, timeouts, fast_retransmits, tail_probes;
	uint64_t spurious;       /* recoveries undone: nothing had been lost */
	uint64_t dsacks_in, dsacks_out, paws_drops, ecn_marks_in, ecn_reductions;
	uint64_t bad_checksums, out_of_order, duplicates;
};
void tcpu_info(const struct tcb *, struct tcpu_info *);

#endif

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

/* 0 in a field asks for the default in brackets. */
struct tcpu_config {
	struct link *link;  /* borrowed: outlives the engine */
	uint8_t secret[16]; /* random: keys ISNs (RFC 6528) */
	void *(*alloc)(void *ctx, size_t bytes); /* NULL when out of memory */
	void (*free)(void *ctx, void *p, size_t bytes);
	void *alloc_ctx;
	uint64_t now_us;
	uint32_t sndbuf_bytes;    /* retransmission buffer of a connection [TCPU_SNDBUF_DEFAULT] */
	uint32_t rcvbuf_bytes;    /* receive buffer of a connection [TCPU_RCVBUF_DEFAULT] */
	uint32_t delack_us;       /* longest delay of an ACK; TCPU_ACK_ON_FLUSH: at tcpu_flush [40 ms] */
	uint32_t rto_min_us;      /* [200 ms] (RFC 6298 2.4 says 1 s; as Linux, BSD) */
	uint32_t rto_max_us;      /* [60 s] */
	uint32_t msl_us;          /* TIME-WAIT lasts 2 MSL [30 s] */
	uint32_t initial_cwnd;    /* segments [10] (RFC 6928) */
	uint32_t syn_retries;     /* [6] */
	uint32_t data_retries;    /* timeouts in a row before ETIMEDOUT [15] */
	uint32_t mss_max;         /* data bytes of a segment, both ways [what the link carries] */
	uint32_t connections_max; /* [4096] connections and half-open ones together */
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
/* A segment came in. */
void tcpu_input(struct tcpu *, const struct link_in *);
/* The network says that what local sends to remote does not arrive; error: a positive errno. A connection that is
 * opening fails with it, one that has had all its data acknowledged and owes only its end is gone; for any other
 * it is a soft error, which retransmission survives (RFC 5927 5.2). Unknown pairs are ignored. */
void tcpu_unreachable(struct tcpu *, struct link_addr local, struct link_addr remote, int error);
/* The link's input is drained: ACKs that waited for it, and segments not yet handed to the link, go out. */
void tcpu_flush(struct tcpu *);
/* How many connections and listeners the engine still holds, closed ones in TIME-WAIT included. */
unsigned tcpu_count(const struct tcpu *);
/* Of them: connections with data or FIN that the peer has not acknowledged, or with an open handshake. */
unsigned tcpu_owing(const struct tcpu *);
/* RST and gone, as tcpu_abort, for all that tcpu_close has let go of. */
void tcpu_abort_closed(struct tcpu *);

/* Passive open on a claimed address (ip 0: any). Connections complete up to backlog wait for accept.
 * -EADDRINUSE, -ENOMEM. */
int tcpu_listen(struct tcpu *, struct link_addr local, unsigned backlog, struct tcb **out);
/* -EAGAIN when none waits; -EINVAL when not a listener. */
int tcpu_accept(struct tcb *listener, struct tcb **out);
/* Active open: sends SYN. Then tcpu_ready says TCPU_OUT (established) or TCPU_ERR (tcpu_error says why).
 * -EADDRINUSE: that pair of addresses is in use; -ENOMEM; -ENFILE: connections_max. */
int tcpu_connect(struct tcpu *, struct link_addr local, struct link_addr remote, struct tcb **out);

/* Calls source->fill until it returns 0 or the retransmission buffer is full, and sends what the windows
 * allow. Returns the bytes taken in; -EAGAIN: no room, or not established yet; -EPIPE after shutdown;
 * or the connection's error once. nodelay overrides Nagle for what this call takes in. */
ssize_t tcpu_send(struct tcb *, const struct seam_source *source, bool nodelay);
/* Nagle's rule (RFC 9293 3.7.4) does not hold for this connection. */
void tcpu_nodelay(struct tcb *, bool on);
/* Gives what waits in the receive buffer to the sink. Returns the bytes taken; 0: end of stream;
 * -EAGAIN: nothing there, or the sink declined; or the connection's error once. */
ssize_t tcpu_recv(struct tcb *, struct seam_sink *sink);
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
/* What a call would not wait for: TCPU_IN (data, end of stream, a connection to accept), TCPU_OUT (room in the
 * buffer, or a write would fail at once), TCPU_ERR (an error waits), TCPU_HUP (both directions are over). */
unsigned tcpu_ready(const struct tcb *);
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
	uint32_t srtt_us, rttvar_us, rto_us;
	uint32_t buffered_bytes; /* in the retransmission buffer, acknowledged ones not counted */
	uint64_t sent_bytes, acked_bytes, received_bytes; /* of the stream, each byte once */
	uint64_t direct_bytes;   /* of received_bytes: taken by a sink straight from the packet buffer */
	uint64_t segments_out, segments_in;
	uint64_t retransmits, timeouts, fast_retransmits;
	uint64_t bad_checksums, out_of_order, duplicates;
};
void tcpu_info(const struct tcb *, struct tcpu_info *);

#endif

/* TCPU's socket-like calls: the seven of RR-2650 (figure 3) with its semantics, and beside them what a socket
 * user expects. Each returns -1 and sets errno as the call of the same name does for sockets.
 *
 * A socket stands on a stack: a link, an engine, a lock. socket_tcpu gives each socket a stack of its own, over UDP,
 * which the connections that it accepts share; stack_tcpu makes one that many sockets share.
 *
 * A stack is driven in one of three ways. *Inline*, as in the report and unless something else is said: the protocol
 * runs inside these calls and only there. A call receives what has come, runs the timers that are due, and acknowledges
 * when the input is drained; a blocking call sleeps on the link's descriptor and the next deadline. Between calls
 * nothing is answered. By a *thread* (the report's conclusion; TCPU_THREAD): a helper takes over whenever no call is
 * under way, so that ACKs, retransmissions and keepalives go on while the application computes. Or *by turns*: the
 * application has an event loop of its own and calls stack_turn_tcpu.
 *
 * A call that waits ends with EINTR after any signal's handler, be it installed with SA_RESTART, as a socket's with a
 * timeout does (signal(7)): it sleeps until the next deadline, and such a sleep is never restarted.
 *
 * A descriptor is a real one. It polls readable whenever a call on it might get further: then call, with
 * O_NONBLOCK set or after poll_tcpu, which gives exact answers. By turns it does so once a turn, or a call, has taken
 * in what came, and exactly. Inline, what comes wakes all descriptors of a stack, but no more than 256 of them: where
 * there are more, watch one of the older ones as well, as a server does its listener. Descriptors may be used from any
 * thread; connections of one stack share a lock, others share nothing. A call that sleeps drives its stack for all its
 * connections. When another thread closes its descriptor, it ends with EBADF (poll_tcpu: POLLNVAL). No call may be left
 * by pthread_cancel(3) or longjmp(3).
 *
 * After fork(2) both processes hold the whole TCP of each connection, and what comes reaches only one of them. So one
 * process goes on with a listener and all that it has accepted, or with a socket that has connected; the other leaves
 * their descriptors alone until it ends or calls execve(2), which closes them: it makes no call on them, neither
 * close_tcpu, which would send FIN or RST into the connection, nor close(2), after which the number would still pass
 * for the socket. What sockets closed before the fork still owe, any call serves, in both processes: fork before that,
 * or make calls in one process only. No other thread, TCPU's helper included, may be inside a call at the fork: the
 * child would find its lock taken; the helper does not exist in the child. */
#ifndef CORE_TCPU_H
#define CORE_TCPU_H

#include "core/engine.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define IPPROTO_TCPK 253 /* RFC 3692's experimental number, as in kernel/uapi/tcpk.h */
#define TCPU_CLOSING_MAX 128 /* sockets closed that still owe something; close_tcpu */
#define TF_NODELAY 0x01000000 /* flag of send_tcpu: send at once, whatever Nagle's rule says */

/* domain AF_INET, type SOCK_STREAM (SOCK_NONBLOCK may be or'ed in). protocol IPPROTO_TCPK: TCPK below, real
 * addresses and ports of the host; anything else: the default stack (stack_default_tcpu) or, where there is none, UDP
 * datagrams below, which needs no privilege.
 * EAFNOSUPPORT, EPROTOTYPE; EPROTONOSUPPORT: no TCPK on this host; EMFILE, ENOMEM. */
int socket_tcpu(int domain, int type, int protocol);
/* Local address and port; port 0 takes any. EADDRINUSE, EADDRNOTAVAIL, EACCES; EINVAL: bound already. */
int bind_tcpu(int fd, const struct sockaddr_in *addr, socklen_t addrlen);
/* Opens the socket passively; at most backlog complete connections wait. Again: another backlog. EINVAL: connected. */
int listen_tcpu(int fd, int backlog);
/* The next connection; listens first where listen_tcpu was not called (the report's listen and accept in one).
 * addr and addrlen may be NULL. A new descriptor; it blocks, whatever fd does. EAGAIN; EINVAL: connected. */
int accept_tcpu(int fd, struct sockaddr_in *addr, socklen_t *addrlen);
/* Waits until established or refused. EINPROGRESS: O_NONBLOCK, poll_tcpu then says POLLOUT, or POLLERR and
 * SO_ERROR why; ECONNREFUSED, ETIMEDOUT, EISCONN, EALREADY. That the network says it is unreachable ends no attempt
 * (RFC 9293, MUST-56), but is its error when it ends: after 3 minutes, or TCP_SYNCNT, TCP_USER_TIMEOUT, SO_SNDTIMEO. */
int connect_tcpu(int fd, const struct sockaddr_in *addr, socklen_t addrlen);
/* Passes length bytes to TCPU; waits while the retransmission buffer is full, and loses nothing: returns length,
 * or less when interrupted (EINTR when nothing was passed). flags: TF_NODELAY, MSG_DONTWAIT, MSG_MORE (a segment
 * that is not full waits for more), MSG_NOSIGNAL (always so: no signal is raised). EAGAIN, EPIPE, ECONNRESET,
 * ETIMEDOUT, ENOTCONN; EOPNOTSUPP: another flag. */
ssize_t send_tcpu(int fd, const void *buffer, size_t length, int flags);
/* Waits for bytes, and returns how many; 0 at the end of the stream. (The report's 0 after a silent interval is
 * EAGAIN here, by SO_RCVTIMEO or O_NONBLOCK: a reader must know the end from a pause.) Bytes in order go from
 * the packet buffer to buffer in one pass. flags: MSG_DONTWAIT, MSG_WAITALL, MSG_PEEK (what is there, and it stays;
 * with MSG_WAITALL it waits for length bytes, or as many as the receive buffer holds).
 * EOPNOTSUPP: another flag. */
ssize_t recv_tcpu(int fd, void *buffer, size_t length, int flags);
/* The same from and to n pieces of memory. EINVAL: n over IOV_MAX, or lengths that sum to more than SSIZE_MAX. */
ssize_t writev_tcpu(int fd, const struct iovec *pieces, int n);
ssize_t readv_tcpu(int fd, const struct iovec *pieces, int n);
/* Sends what is buffered and FIN. A blocking descriptor waits until all data is acknowledged and, at most a second
 * more, for both FINs; then, and at once with O_NONBLOCK, what TCP still owes is done inside later calls (on a stack
 * with a thread or by turns, there, and close_tcpu does not wait unless SO_LINGER says so).
 * Received bytes that nobody has read end the connection by RST at once (RFC 2525 2.17).
 * SO_LINGER: on with 0 seconds, RST at once, what is unsent is lost; on with seconds, waits at most so long for the
 * data's acknowledgment, then EAGAIN, whatever O_NONBLOCK says; off, as above.
 * A peer that reads nothing holds up a blocking close without end, or as long as SO_SNDTIMEO says.
 * The descriptor is gone in any case, and after EAGAIN (SO_SNDTIMEO) and EINTR the rest is done inside later calls
 * as well.
 * Later calls serve at most TCPU_CLOSING_MAX sockets (a listener and those that it has accepted count as one). Beyond
 * that one that only sits out its TIME-WAIT is forgotten; if there is none, the one that was closed first is reset, so
 * that its peer knows.
 * TIME-WAIT ends with the process (or stack_close_tcpu): a peer whose last FIN and data were acknowledged by a segment
 * that was lost then sends them again to nobody, and is told so by RST. Programs that end at once over lossy ways can
 * drive their stack as long as stack_turn_tcpu has something to do.
 * EIO: data could not be delivered, or not be known to be, since the connection broke, or was reset over unread bytes,
 * first. */
int close_tcpu(int fd);

/* how: SHUT_WR or SHUT_RDWR: FIN after what is buffered. SHUT_RD or SHUT_RDWR: reads return 0, one that waits included;
 * a listener listens no more, and accept_tcpu ends with EINVAL. A connection that is opening is given up: connect_tcpu
 * that waits ends with ECONNABORTED. ENOTCONN; EINVAL: another how. */
int shutdown_tcpu(int fd, int how);
int getsockname_tcpu(int fd, struct sockaddr_in *addr, socklen_t *addrlen);
int getpeername_tcpu(int fd, struct sockaddr_in *addr, socklen_t *addrlen);
/* F_GETFL and F_SETFL with O_NONBLOCK. EINVAL for the rest. */
int fcntl_tcpu(int fd, int cmd, int arg);
/* FIONREAD (SIOCINQ): bytes that wait to be read; SIOCOUTQ: bytes sent or to be sent, not acknowledged; SIOCOUTQNSD: of
 * them, not sent yet; FIONBIO. arg: an int. ENOTTY for the rest; EINVAL: a listener. */
int ioctl_tcpu(int fd, unsigned long request, int *arg);
/* Names and numbers, units and types are Linux's.
 * SOL_SOCKET: SO_REUSEADDR (on or off; heeded by links with ports of their own: without it, a port of which a closed
 *   connection, and be it in TIME-WAIT, is left cannot be bound), SO_KEEPALIVE, SO_LINGER, SO_SNDBUF, SO_RCVBUF (what
 *   is set is what there is: not doubled), SO_SNDTIMEO, SO_RCVTIMEO, SO_ERROR,
 *   SO_TYPE, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN (get), SO_MAX_PACING_RATE, SO_BUSY_POLL (so many microseconds
 *   a call that waits looks again and again before it sleeps, for the whole stack; 0: as suits the link, which is 50 by
 *   TCPK's ring. Its descriptors are not for the system's poll and epoll else, unless O_NONBLOCK or TCPU_THREAD is set;
 *   poll_tcpu is right).
 * IPPROTO_TCP: TCP_NODELAY, TCP_CORK, TCP_MAXSEG, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT,
 *   TCP_LINGER2, TCP_SYNCNT, TCP_QUICKACK, TCP_NOTSENT_LOWAT, TCP_CONGESTION, TCP_INFO (get; struct tcp_info as far as
 * there is
 *   something to say, the rest 0).
 * IPPROTO_TCPK: TCPU_THREAD (on or off, for the whole stack; it is never on by itself).
 * Set on a listener, an option counts for what it accepts. SO_SNDBUF after the first send, SO_RCVBUF and TCP_MAXSEG
 * after connect or listen: EINVAL. EDOM, EINVAL: a value out of range; ENOENT: no such congestion control; ENOPROTOOPT
 * for the rest. */
int setsockopt_tcpu(int fd, int level, int name, const void *value, socklen_t len);
int getsockopt_tcpu(int fd, int level, int name, void *value, socklen_t *len);
#define TCPU_THREAD 1
/* As poll(2), with exact readiness, for TCPU's descriptors and any others together. POLLRDHUP: the peer has ended, or
 * SHUT_RD has. */
int poll_tcpu(struct pollfd *fds, nfds_t n, int timeout_ms);
/* State and counts of a connection. */
int info_tcpu(int fd, struct tcpu_info *info);

/* The seam, from outside. fill_tcpu calls source->fill until it returns 0, and waits while the buffer is full;
 * returns the bytes taken in; flags and errors as send_tcpu.
 * drain_tcpu feeds the sink: returns when sink->done, or when some bytes were taken and no more are at hand
 * (MSG_WAITALL: only when done, or at the end); the bytes taken, 0 at the end of the stream; flags and errors
 * as recv_tcpu, without MSG_PEEK. */
ssize_t fill_tcpu(int fd, const struct seam_source *source, int flags);
ssize_t drain_tcpu(int fd, struct seam_sink *sink, int flags);
/* tcpu_source (core/engine.h) of its connection: source->again is called inside any call that drives the stack, by
 * whatever thread. 0; ENOTCONN. */
int source_tcpu(int fd, const struct seam_source *source);
/* Both at once, for who does not know which comes first: waits until source (NULL: nothing is to go) was asked for
 * something, sink (NULL: the end of the peer's stream was seen) has taken something or wants no more (if it
 * did not want more before, what comes is no matter), or acknowledgments have come behind *acked, which it moves (NULL:
 * no matter); at most until until_us of now_tcpu's clock (0: does not wait). What source gives leaves at once. Returns
 * how it was, EXCHANGE_..., 0 if sink wants no more; -1: EAGAIN, EINTR, or as send_tcpu and recv_tcpu. */
enum {
	EXCHANGE_OUT = 1,
	EXCHANGE_IN = 2,
	EXCHANGE_ACKED = 4,
	EXCHANGE_END = 8,   /* of the peer's stream */
	EXCHANGE_NONE = 16, /* source was asked, and gave nothing */
};
int exchange_tcpu(int fd, const struct seam_source *source, struct seam_sink *sink, uint64_t *acked, uint64_t until_us);
/* CLOCK_MONOTONIC in microseconds. */
uint64_t now_tcpu(void);

/* ---- stacks ---- */

struct tcpu_stack;
struct tcpu_stack_config {
	/* Its own from then on, and closed with it: core/link/tun.h has one with an address. When it is gone for good (a
	 * device that somebody deletes), connections are over and calls fail: ENETDOWN. */
	struct link *link;
	struct tcpu_config engine; /* link, memory and time are the stack's to set, and the secret where it is all zero */
	bool thread;               /* as TCPU_THREAD */
	bool turns;                /* by turns: calls drive it as well, but close_tcpu need not */
};
/* ENOMEM, EINVAL (the link is the caller's still), EAGAIN (no thread). */
int stack_tcpu(const struct tcpu_stack_config *, struct tcpu_stack **out);
/* A socket on it; type as socket_tcpu's. EPROTOTYPE, EMFILE, ENOMEM. */
int stack_socket_tcpu(struct tcpu_stack *, int type);
/* Makes it the one that socket_tcpu uses; NULL: none again, as at the beginning. */
void stack_default_tcpu(struct tcpu_stack *);
/* A turn: receives what has come, runs timers, sends what is due. Returns when the next one is due at the latest
 * (CLOCK_MONOTONIC in microseconds; TCPU_NEVER), unless the descriptor polls readable first. */
uint64_t stack_turn_tcpu(struct tcpu_stack *);
/* Polls readable when a turn would get further: the link's. */
int stack_fd_tcpu(const struct tcpu_stack *);
/* Ends all connections that are closed and still owe something by RST, and frees the stack. EBUSY: sockets are open, or
 * calls on closed ones have yet to return. */
int stack_close_tcpu(struct tcpu_stack *);

#endif

/* The inline driver: what stands between the calls of core/tcpu.h and the engine. Private to core/link/.
 *
 * A socket made by socket_tcpu has a driver of its own: a link, an engine, a lock; sockets that it accepts share it.
 * A call takes the driver's lock (sock_enter), tries, gets the engine further until it need not try again
 * (sock_wait), and lets go (sock_leave), which sends what is due and brings descriptors up to date.
 *
 * A descriptor of the application's is an epoll descriptor that holds the link's descriptor, and, once somebody
 * watches it (O_NONBLOCK, poll_tcpu, or a blocking call beside other threads), an eventfd that is raised while the
 * connection is ready without the link being readable, and the driver's timerfd. Blocking calls of an only socket
 * need neither and pay for neither. */
#ifndef CORE_LINK_DRIVER_H
#define CORE_LINK_DRIVER_H

#include "core/engine.h"
#include "core/tcpu.h"

#include <pthread.h>

#define DRIVER_BATCH 128 /* segments of a recv */

struct driver {
	pthread_mutex_t lock;
	struct link *link;
	struct tcpu *engine;    /* NULL before connect or listen */
	struct link_addr local; /* claimed; port 0: not yet */
	struct sock *socks;
	unsigned sock_count;
	unsigned watched;       /* of them: those with a want */
	struct link_in pending[DRIVER_BATCH];
	unsigned count, at;     /* pending[at..count) came, and waits for a call that can take it */
	uint64_t looked_us;     /* when the link was last asked */
	uint64_t flushed_us;    /* when the engine last sent what it owed */
	uint32_t unflushed_bytes; /* fed since */
	int timer_fd;           /* -1: nobody watches */
	uint64_t armed_us;
	struct driver *next_orphan;
};

struct sock {
	struct sock *next;
	struct driver *driver;
	struct tcb *tcb; /* NULL before connect or listen */
	int fd;
	int event_fd;    /* -1: nobody has watched yet */
	unsigned want;   /* TCPU_IN ...: what somebody watches the descriptor for; 0: nobody does */
	unsigned told;   /* of want: why event_fd is raised */
	bool raised;
	bool timed;      /* the driver's timerfd is part of the descriptor */
	int error;       /* a positive errno: found beside bytes, so for the next call to report */
	bool listening, read_shut, nonblock, nodelay;
	bool connecting; /* connect_tcpu has begun, and has not yet told how it went */
	bool want_out;   /* a call without waiting found no room: tell when there is */
	uint64_t send_timeout_us, recv_timeout_us; /* 0: none */
	uint32_t sndbuf_bytes, rcvbuf_bytes;
	uint32_t mss;    /* 0: as the link carries */
};

/* What a call takes bytes with: a sink that knows how many it has taken and has room for. */
struct call_sink {
	struct seam_sink seam;
	size_t taken, room;
};

/* -ENOMEM. */
int driver_new(struct driver **out);
/* Lets go of a driver without sockets: freed, or kept as an orphan as long as its engine holds connections. */
void driver_drop(struct driver *);
/* The engine, with the socket's options, if there is none yet. */
int driver_start(struct driver *, const struct sock *options);
/* Feeds the engine what came, at most a batch, and less when sink has enough or the next segment would not fit: that
 * one is better left in the packet buffer, for the next call to take in one pass, than kept and copied again. Tells
 * the engine the time. Returns how many segments. sink may be NULL. */
unsigned driver_pump(struct driver *, const struct call_sink *sink);
/* ACKs and what else the engine owes go out when the link is drained (RR-2650 section 4.2), and before that only every
 * now and then: a call that takes little at a time does not acknowledge each time. */
void driver_flush(struct driver *);

/* How every turn ends: driver_flush, and descriptors that are watched are brought up to date. */
void driver_settle(struct driver *);
/* Pumps until nothing more has come; a flood does not hold it. */
void driver_catch_up(struct driver *);
/* Sleeps until one of fds is ready, or so long; orphans are served meanwhile, so it may return before either.
 * -EINTR. */
int driver_sleep(struct pollfd *fds, nfds_t n, uint64_t until_us);

/* A socket with a new descriptor. -EMFILE, -ENFILE, -ENOMEM. */
int sock_new(struct driver *, struct sock **out);
/* The descriptor is the system's again on return. */
void sock_free(struct sock *);
/* NULL when fd is none of ours. */
struct sock *sock_find(int fd);
/* Finds a socket and locks its driver. NULL, with errno EBADF. */
struct sock *sock_enter(int fd);
/* Unlocks; returns result, or -1 with errno for a negative one. */
ssize_t sock_leave(struct sock *, ssize_t result);
/* Gets the engine further: feeds it a batch, or, when nothing has come, sleeps until something does; want says for
 * what. sink, where given, takes what comes for this socket. The lock is open during the sleep.
 * -EAGAIN: until_us has passed (0: no sleep); -EINTR. */
int sock_wait(struct sock *, unsigned want, uint64_t until_us, struct call_sink *sink);
/* TCPU_CLOSED also where there is no connection yet. */
enum tcpu_state sock_state(const struct sock *);
/* The handshake is over, and the connection is not. */
static inline bool sock_is_open(const struct sock *s)
{
	return sock_state(s) >= TCPU_ESTABLISHED;
}
/* Ready for what, of TCPU_IN ... . */
unsigned sock_ready(const struct sock *);
/* What the descriptor is watched for when no call is under way. */
unsigned sock_usual_want(const struct sock *);
/* Sets want and brings the descriptor up to date. -EMFILE and the like. */
int sock_watch(struct sock *, unsigned want);
/* Until when a call waits: 0 without waiting, TCPU_NEVER without a timeout. */
uint64_t sock_until(const struct sock *, uint64_t timeout_us, int flags);
/* As getsockname gives an address: at most *addrlen bytes of it, and *addrlen its true size. */
void sock_give_address(struct link_addr, struct sockaddr_in *addr, socklen_t *addrlen);
/* The link's descriptor becomes part of every descriptor of the driver's. */
int sock_add_link(struct sock *);

/* What is put off to later calls: connections of sockets that are closed. */
bool orphans_any(void);
void orphans_serve(void);

#endif

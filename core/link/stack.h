/* Stacks: what stands between the calls of core/tcpu.h and the engine. Private to core/link/.
 *
 * A stack is a link, an engine, a lock. A socket made by socket_tcpu has one of its own, over UDP, which goes with
 * the last socket on it; one made by stack_tcpu stays until it is closed. A call takes the stack's lock (sock_enter),
 * tries, gets the engine further until it need not try again (sock_wait), and lets go (sock_leave), which sends what is
 * due and brings descriptors up to date.
 *
 * A call that sleeps does so on an eventfd of its thread's that whoever else gets the stack further raises (struct
 * sleeper). A few of them watch the link's descriptor as well, and one sleeps no longer than to the engine's deadline.
 *
 * A descriptor of the application's is an epoll descriptor that holds the link's descriptor, and, once the application
 * watches it (O_NONBLOCK, a thread), an eventfd that is raised while the connection is ready without the link being
 * readable, the stack's timerfd, and an eventfd that is raised while segments wait in the stack. By turns it is the
 * connection's eventfd alone: the application watches the link.
 *
 * More than LINKED_MAX descriptors do not hold the link's: the kernel lets one descriptor wake no more than 500 that
 * are two epolls away. Whoever makes calls on one of those that do wakes the others.
 *
 * Whose eventfd is to be raised the engine says (tcpu_changed), so that a call costs the same with one socket as with
 * thousands. */
#ifndef CORE_LINK_STACK_H
#define CORE_LINK_STACK_H

#include "core/engine.h"
#include "core/tcpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

/* The helper's of a stack. */
struct help {
	struct tcpu_stack *next;
	uint64_t due_us;    /* when it looks at the stack again */
	uint32_t seen;      /* of calls, when it looked last */
	int armed_fd;       /* the link's, which will wake it; -1: it will not */
	bool fired;         /* it has */
	bool tell;          /* the end of a call is to wake it */
	_Atomic bool woken; /* which it has */
};

/* A call that sleeps, on a socket; poll_tcpu: one for each of them. */
struct sleeper {
	struct sleeper *next, **at; /* among the stack's */
	struct sock *sock;
	unsigned want; /* TCPU_IN ..., SOCK_ACKED ... */
	bool asleep;   /* its thread sleeps, or will do so without another look at the stack */
	bool woken;    /* it is to look again */
	bool watches;  /* what comes over the link wakes it */
	int wake_fd;   /* its thread's; -1: there is none, and it looks every now and then */
};

#define STACK_BATCH 128 /* segments of a recv */
#define LINKED_MAX 256

struct tcpu_stack {
	pthread_mutex_t lock;
	struct link *link;
	struct tcpu *engine;
	bool gone;              /* the link is: no call gets any further */
	bool kept;              /* made by stack_tcpu: it outlives its sockets */
	bool turns;
	bool rests;             /* the link does */
	uint32_t hurry_us;      /* for so long after its processor was taken, up to then, none looks before it sleeps */
	uint64_t hurry_until_us;
	uint32_t busy_us;       /* a call looks so long before it sleeps (SO_BUSY_POLL); 0: as suits the link */
	bool thread;            /* the helper drives it */
	unsigned in_calls;      /* how many calls are under way, sleeping ones included */
	uint32_t calls;         /* how many have begun */
	struct help help;
	struct sleeper *sleepers;
	unsigned watchers;      /* of them */
	struct sleeper *keeper; /* of them: the one that keeps time, and wakes by itself at kept_us. NULL: none */
	uint64_t kept_us;       /* TCPU_NEVER without */
	STAILQ_HEAD(, claim) left_claims;
	uint64_t left_us;       /* when they were looked at last */
	struct sock *socks;
	unsigned sock_count;
	unsigned watched;       /* of them: those with a want */
	unsigned linked;        /* of them: those whose descriptors hold the link's */
	struct link_in pending[STACK_BATCH];
	unsigned count, at;     /* pending[at..count) came, and waits for a call that can take it */
	uint64_t looked_us;     /* when the link was last asked */
	uint64_t flushed_us;    /* when the engine last sent what it owed */
	uint32_t unflushed_bytes; /* fed since */
	int timer_fd, left_fd;  /* -1: nobody watches */
	uint64_t armed_us;      /* the timerfd */
	bool left;              /* left_fd is raised: pending segments may be for anybody */
	bool orphan;
	struct tcpu_stack *next_orphan;
};

/* An address of the link's: of a socket that was bound, and of all that it accepts. Without users it stands among its
 * stack's left: connections of it that nobody has a socket for any more are not over. */
struct claim {
	struct link_addr local;
	union {
		unsigned users;
		STAILQ_ENTRY(claim) next; /* of those left */
	};
};

struct sock {
	struct sock *next, **at; /* among the stack's */
	struct tcpu_stack *stack;
	struct claim *claim; /* NULL: not bound */
	struct tcb *tcb; /* NULL before connect or listen */
	struct tcpu_options *options; /* what was told while there was no tcb; NULL: nothing */
	uint64_t send_timeout_us, recv_timeout_us; /* 0: none */
	int fd;
	unsigned users;  /* calls under way, sleeping ones included: the last one frees what is closed */
	int event_fd;    /* -1: nobody has watched yet */
	int linger_seconds;
	uint8_t error;   /* a positive errno: found beside bytes, so for the next call to report */
	uint8_t want;    /* TCPU_IN ...: what the application watches the descriptor for; 0: it does not */
	uint8_t told;    /* of want: why event_fd is raised */
	bool raised;
	bool linked : 1, timed : 1, lefted : 1; /* descriptors of the link and the stack are part of this one */
	bool closing : 1; /* a call of close_tcpu has it: no other one gets any further */
	uint8_t tcbs;    /* counts those that it has had, and has let go of */
	bool listening : 1, read_shut : 1, nonblock : 1, reuse : 1, linger : 1;
	bool unlistened : 1; /* shutdown_tcpu has ended its listening; listen_tcpu alone begins it anew */
	bool connecting : 1; /* connect_tcpu has begun, and has not yet told how it went */
	bool want_out : 1; /* a call without waiting found no room: tell when there is */
};

/* It gets further without calls on its sockets, and its descriptors are always watched. */
static inline bool stack_is_driven(const struct tcpu_stack *k)
{
	return k->turns || k->thread;
}

/* What a call takes bytes with: a sink that knows how many it has taken and has room for. */
struct call_sink {
	struct seam_sink seam;
	size_t taken, room;
};

/* Ends a call. A stack that has lost its last socket in it is an orphan as long as its engine holds connections, and
 * freed then, unless it is kept. */
void stack_drop(struct tcpu_stack *);
/* A turn; whether the engine holds nothing any more. */
bool stack_finished(struct tcpu_stack *);
void stack_free(struct tcpu_stack *);
/* Frees all but the link. */
void stack_unmake(struct tcpu_stack *);
/* Has the helper drive it, or not any more; it is locked. -EAGAIN: no thread. */
int stack_thread(struct tcpu_stack *, bool on);
/* Feeds the engine what came, at most a batch, and less when sink has enough or the next segment would not fit: that
 * one is better left in the packet buffer, for the next call to take in one pass, than kept and copied again. Tells
 * the engine the time. Returns how many segments. sink may be NULL. */
unsigned stack_pump(struct tcpu_stack *, const struct call_sink *sink);
/* Nobody looks again but when the link's descriptor says so. false: there is something already. To be woken costs the
 * other end more than all else that it does: who will look again soon does not ask for it. */
bool stack_rest(struct tcpu_stack *);
/* Pumps until nothing more has come; a flood does not hold it: false, there may be more. */
bool stack_catch_up(struct tcpu_stack *);
/* Tells the engine the time, for a call that goes on without asking the link. */
void stack_clock(struct tcpu_stack *);
/* How every turn ends: ACKs and what else the engine owes go out when the link is drained (RR-2650 section 4.2), and
 * before that only every now and then: a call that takes little at a time does not acknowledge each time. Descriptors
 * that are watched are brought up to date. */
void stack_settle(struct tcpu_stack *);
/* Raises or lowers an eventfd when that changes. */
void stack_raise(int event_fd, bool *raised, bool raise);
/* A socket with a new descriptor; it shares the claim, which may be NULL. -EMFILE, -ENFILE, -ENOMEM. */
int sock_new(struct tcpu_stack *, struct claim *, struct sock **out);
/* Nobody finds it any more. The descriptor is the system's again on return, and the claim the link's when nobody else
 * has it. The lock may be open for a while. Call sock_leave all the same, or sock_end where no call is under way. */
void sock_close(struct sock *);
void sock_end(struct sock *);
/* Binds it. Errors of the link's claim; -ENOMEM. */
int sock_claim(struct sock *, struct link_addr);
void sock_unclaim(struct sock *);
/* NULL when fd is none of ours. */
struct sock *sock_find(int fd);
/* Finds a socket and locks its stack: a call begins. NULL, with errno EBADF. */
struct sock *sock_enter(int fd);
/* The call ends: unlocks; returns result, or -1 with errno for a negative one. */
ssize_t sock_leave(struct sock *, ssize_t result);
/* Gets the engine further: feeds it a batch, or, when nothing has come, sleeps until something does; want says for
 * what. sink, where given, takes what comes for this socket. The lock is open during the sleep.
 * -EAGAIN: until_us has passed (0: no sleep); -EINTR; -EBADF, -ECONNABORTED: meanwhile another thread has closed the
 * socket, or ended its connection or listening; -ENETDOWN: the link is gone. */
int sock_wait(struct sock *, unsigned want, uint64_t until_us, struct call_sink *sink);
/* TCPU_CLOSED also where there is no connection yet. */
enum tcpu_state sock_state(const struct sock *);
/* Its connection, or listener; and letting go of it: options stay, where there is memory for them. */
void sock_take(struct sock *, struct tcb *);
void sock_untake(struct sock *);
/* What it was told, by calls on it or else the engine's configuration; and telling it. -ENOMEM. */
void sock_options(const struct sock *, struct tcpu_options *);
int sock_set_options(struct sock *, const struct tcpu_options *);
/* -ENOTCONN: no connection, but perhaps a listener. */
int sock_info(const struct sock *, struct tcpu_info *);
/* The handshake is over, and the connection is not. */
static inline bool sock_is_open(const struct sock *s)
{
	return sock_state(s) >= TCPU_ESTABLISHED;
}
/* Nothing more will be read but what has come. */
bool sock_is_ended(const struct sock *);
/* Of SOCK_ACKED: all data is acknowledged; SOCK_ENDED: and both FINs, or it broke, or bytes came that will break it.
 * A wait may want these as well. */
unsigned sock_met(const struct sock *);
enum { SOCK_ACKED = 16, SOCK_ENDED = 32 };
/* Brings its descriptor up to date. */
void sock_tell(struct sock *);
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

/* ---- claims ---- */

/* As the link's claim; -ENOMEM. One user. */
int claim_begin(struct tcpu_stack *, struct link_addr want, struct claim **out);
/* It has no users: the link's again, at once or when the engine holds nothing of it. */
void claim_end(struct tcpu_stack *, struct claim *);
/* Gives back what the engine is through with; all: or not. */
void claims_settle(struct tcpu_stack *, bool all);

/* ---- sleeping ---- */

/* The lock is held in all but sleepers_sleep. */
void sleeper_add(struct sleeper *, struct sock *, unsigned want);
void sleeper_remove(struct sleeper *);
/* From now on it is told what happens. Returns until when to sleep at the most, for the stack's sake. */
uint64_t sleeper_doze(struct sleeper *);
/* Those that sleep on a socket look again: all, or those who wait for what it is ready for. */
void sleepers_wake(struct sock *);
void sleepers_tell(struct sock *);
/* Somebody looks again when the engine's deadline is earlier than anybody will, or segments wait that no call takes. */
void sleepers_settle(struct tcpu_stack *);
/* Sleeps until one of fds is ready, or so long, or the calling thread's sleepers are woken; orphans are served
 * meanwhile, so it may return before any of it. fds has room for one more than n. -EINTR. */
int sleepers_sleep(struct pollfd *fds, nfds_t n, uint64_t until_us);

/* ---- the helper ---- */

/* The stack is locked, or nobody else's. -EAGAIN: no thread. */
int helper_add(struct tcpu_stack *);
void helper_remove(struct tcpu_stack *);
/* The last call under way on a stack of which the helper wants to be told that. */
void helper_call_ended(struct tcpu_stack *);

/* How a call begins and ends: locks and unlocks. */
static inline void stack_enter(struct tcpu_stack *k)
{
	pthread_mutex_lock(&k->lock);
	k->in_calls++;
	k->calls++;
}

static inline void stack_leave(struct tcpu_stack *k)
{
	if (!--k->in_calls && k->help.tell)
		helper_call_ended(k);
	pthread_mutex_unlock(&k->lock);
}

/* ---- orphans: connections of sockets that are closed, put off to later calls ---- */

/* The stack is locked, and without sockets. */
void orphan_add(struct tcpu_stack *);
void orphan_remove(struct tcpu_stack *);
#define ORPHAN_SLICE_US 20000 /* a sleep is at most so long while there are any */
bool orphans_any(void);
void orphans_serve(void);

#endif

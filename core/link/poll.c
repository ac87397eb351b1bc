/* poll_tcpu: exact readiness, computed from the connections; the system's poll is for sleeping, and for descriptors
 * that are not TCPU's. */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <errno.h>
#include <stdlib.h>

#define FEW 32 /* descriptors that cost no memory */

static short exact(const struct sock *s, short events)
{
	unsigned ready = sock_ready(s);
	short all = (short)((ready & TCPU_IN ? POLLIN | POLLRDNORM : 0) |
			    (ready & TCPU_OUT ? POLLOUT | POLLWRNORM : 0) | (sock_is_ended(s) ? POLLRDHUP : 0));

	return (short)((all & events) | (ready & TCPU_ERR ? POLLERR : 0) | (ready & TCPU_HUP ? POLLHUP : 0));
}

static unsigned want_of(short events)
{
	return (events & (POLLIN | POLLRDNORM | POLLRDHUP) ? TCPU_IN : 0U) |
	       (events & (POLLOUT | POLLWRNORM) ? TCPU_OUT : 0U) | TCPU_ERR | TCPU_HUP;
}

/* What one poll_tcpu is about. */
struct round {
	struct pollfd *fds;  /* the caller's */
	nfds_t n;
	struct pollfd *real; /* what the system is to poll: those of fds that are not TCPU's, and behind them links */
	nfds_t real_n;
	struct sleeper *held; /* beside fds: sock NULL, it is not TCPU's. NULL: before anything is to sleep */
	uint64_t deadline_us; /* the earliest */
	const struct tcpu_stack *looked; /* the last one: sockets that stand together mostly share it */
};

static void add_link(struct round *r, const struct tcpu_stack *k)
{
	int fd = stack_fd_tcpu(k);

	if (fd >= 0 && (r->real_n == r->n || r->real[r->real_n - 1].fd != fd))
		r->real[r->real_n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* Its stack is locked. */
static int look_at(struct round *r, const struct sock *s, struct pollfd *p, struct sleeper *held)
{
	struct tcpu_stack *k = s->stack;
	uint64_t due_us;

	if (s->closing) {
		p->revents = POLLNVAL;
		return 1;
	}
	if (!r->looked || r->looked != k)
		stack_catch_up(k);
	r->looked = k;
	if (held)
		stack_settle(k); /* a deadline that was met is none any more; and what is told now is seen here */
	p->revents = exact(s, p->events);
	if (held) {
		due_us = sleeper_doze(held);
		r->deadline_us = due_us < r->deadline_us ? due_us : r->deadline_us;
		if (held->watches)
			add_link(r, k);
	}
	return p->revents != 0;
}

/* Sets revents of what is TCPU's. Returns how many are ready. */
static int look(struct round *r)
{
	int ready = 0;

	r->real_n = r->n;
	r->looked = NULL;
	for (nfds_t i = 0; i < r->n; i++) {
		struct sleeper *held = r->held ? &r->held[i] : NULL;
		struct sock *s = held ? held->sock : sock_find(r->fds[i].fd) ? sock_enter(r->fds[i].fd) : NULL;

		r->fds[i].revents = 0;
		r->real[i] = r->fds[i];
		if (!s && !sock_find(r->fds[i].fd))
			continue;
		r->real[i].fd = -1;
		if (!s) { /* close_tcpu has it */
			r->fds[i].revents = POLLNVAL;
			ready++;
			continue;
		}
		if (held)
			pthread_mutex_lock(&s->stack->lock);
		ready += look_at(r, s, &r->fds[i], held);
		if (held)
			pthread_mutex_unlock(&s->stack->lock);
		else
			sock_leave(s, 0);
	}
	return ready;
}

/* A call on each of them is under way: the helper need not drive. */
static void hold(struct round *r, struct sleeper *held)
{
	for (nfds_t i = 0; i < r->n; i++) {
		struct sock *s = sock_find(r->fds[i].fd) ? sock_enter(r->fds[i].fd) : NULL;

		held[i].sock = s;
		if (!s)
			continue;
		sleeper_add(&held[i], s, want_of(r->fds[i].events));
		pthread_mutex_unlock(&s->stack->lock);
	}
	r->held = held;
}

static void let_go(const struct round *r)
{
	for (nfds_t i = 0; i < r->n; i++) {
		struct sock *s = r->held[i].sock;

		if (!s)
			continue;
		pthread_mutex_lock(&s->stack->lock);
		sleeper_remove(&r->held[i]);
		sock_leave(s, 0);
	}
}

/* Polls what the system knows. Returns how many of fds that are not TCPU's are ready. */
static int sleep_and_merge(struct round *r, uint64_t until_us)
{
	int ready = sleepers_sleep(r->real, r->real_n, until_us);

	if (ready)
		return ready;
	for (nfds_t i = 0; i < r->n; i++)
		if (r->real[i].fd >= 0 && r->real[i].revents) {
			r->fds[i].revents = r->real[i].revents;
			ready++;
		}
	return ready;
}

/* real and held have room for all of fds. */
static int poll_(struct round *r, struct sleeper *held, uint64_t until_us)
{
	int ready, others;

	for (;;) {
		/* A first look is not prepared to sleep. */
		r->deadline_us = until_us;
		ready = look(r);
		if (!ready && !r->held && link_host_now_us() < until_us) {
			hold(r, held);
			continue;
		}
		others = sleep_and_merge(r, ready ? 0 : r->deadline_us);
		if (ready || others || link_host_now_us() >= until_us)
			break;
	}
	if (r->held)
		let_go(r);
	if (others < 0)
		return ready ? ready : others; /* a signal that came at the end */
	return ready + others;
}

int poll_tcpu(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	uint64_t until_us = timeout_ms < 0 ? TCPU_NEVER : link_host_now_us() + (uint64_t)timeout_ms * 1000;
	struct pollfd few[2 * FEW + 1];
	struct sleeper few_held[FEW], *held = few_held;
	struct round r = { .fds = fds, .n = n, .real = few };
	int e = -ENOMEM;

	if (n > FEW) {
		r.real = calloc(2 * n + 1, sizeof *r.real);
		held = calloc(n, sizeof *held);
	}
	if (r.real && held)
		e = poll_(&r, held, until_us);
	if (n > FEW) {
		free(r.real);
		free(held);
	}
	if (e >= 0)
		return e;
	errno = -e;
	return -1;
}

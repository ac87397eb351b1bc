/* poll_tcpu: exact readiness, computed from the connections; the system's poll is for sleeping, and for descriptors
 * that are not TCPU's. */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <errno.h>
#include <stdlib.h>

static short exact(const struct sock *s, short events)
{
	unsigned ready = sock_ready(s);
	short all = (short)((ready & TCPU_IN ? POLLIN | POLLRDNORM : 0) |
			    (ready & TCPU_OUT ? POLLOUT | POLLWRNORM : 0));

	return (short)((all & events) | (ready & TCPU_ERR ? POLLERR : 0) | (ready & TCPU_HUP ? POLLHUP : 0));
}

static unsigned want_of(short events)
{
	return (events & (POLLIN | POLLRDNORM) ? TCPU_IN : 0U) | (events & (POLLOUT | POLLWRNORM) ? TCPU_OUT : 0U) |
	       TCPU_ERR | TCPU_HUP;
}

/* What one poll_tcpu is about. */
struct round {
	struct pollfd *fds;  /* the caller's */
	nfds_t n;
	struct pollfd *real; /* what the system is to poll: fds, and behind them links; room for 2 n */
	nfds_t real_n;
	uint64_t deadline_us; /* the earliest */
	const struct tcpu_stack *looked; /* the last one: sockets that stand together mostly share it */
};

/* Where the descriptor itself does not wake for what comes over the link. */
static void add_link(struct round *r, const struct sock *s)
{
	int fd = stack_fd_tcpu(s->stack);

	if (!s->linked && fd >= 0 && (r->real_n == r->n || r->real[r->real_n - 1].fd != fd))
		r->real[r->real_n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static int look_at(struct round *r, struct sock *s, struct pollfd *p, bool watch)
{
	struct tcpu_stack *k = s->stack;
	uint64_t due_us;

	if (!r->looked || r->looked != k)
		stack_catch_up(k);
	r->looked = k;
	p->revents = exact(s, p->events);
	/* Without room for an eventfd, the link's descriptor still wakes. */
	if (watch && s->tcb)
		sock_watch(s, want_of(p->events));
	stack_settle(k); /* a deadline that was met makes nothing readable any more */
	add_link(r, s);
	due_us = tcpu_deadline(k->engine);
	r->deadline_us = due_us < r->deadline_us ? due_us : r->deadline_us;
	return p->revents != 0;
}

/* Sets revents of what is TCPU's; with watch, descriptors are made to tell of exactly what was asked. Returns how many
 * are ready. */
static int look(struct round *r, bool watch)
{
	int ready = 0;

	r->real_n = r->n;
	r->looked = NULL;
	for (nfds_t i = 0; i < r->n; i++) {
		struct pollfd *p = &r->fds[i];
		struct sock *s = sock_find(p->fd) ? sock_enter(p->fd) : NULL;

		r->real[i] = *p;
		p->revents = 0;
		if (!s)
			continue;
		r->real[i].events = POLLIN;
		ready += look_at(r, s, p, watch);
		stack_leave(s->stack);
	}
	return ready;
}

/* A call on each of them is under way: the helper need not drive. */
static void hold(const struct round *r)
{
	for (nfds_t i = 0; i < r->n; i++) {
		struct sock *s = sock_find(r->fds[i].fd) ? sock_enter(r->fds[i].fd) : NULL;

		if (!s)
			continue;
		s->pollers++;
		s->stack->in_calls++;
		stack_leave(s->stack);
	}
}

static void let_go(const struct round *r)
{
	for (nfds_t i = 0; i < r->n; i++) {
		struct sock *s = sock_find(r->fds[i].fd) ? sock_enter(r->fds[i].fd) : NULL;

		if (!s)
			continue;
		if (s->pollers) { /* else it is another one, of the same number */
			s->pollers--;
			s->stack->in_calls--;
		}
		sock_leave(s, 0);
	}
}

/* Polls what the system knows; adds those that are not TCPU's to fds. Returns how many those are. */
static int sleep_and_merge(struct round *r, uint64_t until_us)
{
	int ready = stack_sleep(r->real, r->real_n, until_us);

	if (ready)
		return ready;
	for (nfds_t i = 0; i < r->n; i++)
		if (r->real[i].revents && !sock_find(r->fds[i].fd)) {
			r->fds[i].revents = r->real[i].revents;
			ready++;
		}
	return ready;
}

static int poll_(struct round *r, uint64_t until_us)
{
	bool watch = false;
	int ready, others;

	for (;;) {
		/* A first look costs no system call for watching; only who sleeps watches, and looks again first. */
		r->deadline_us = until_us;
		ready = look(r, watch);
		if (!ready && !watch && link_host_now_us() < until_us) {
			watch = true;
			hold(r);
			continue;
		}
		others = sleep_and_merge(r, ready ? 0 : r->deadline_us);
		if (ready || others || link_host_now_us() >= until_us)
			break;
	}
	if (watch)
		let_go(r);
	return others < 0 ? others : ready + others;
}

int poll_tcpu(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	uint64_t until_us = timeout_ms < 0 ? TCPU_NEVER : link_host_now_us() + (uint64_t)timeout_ms * 1000;
	struct pollfd few[64];
	struct round r = { .fds = fds, .n = n, .real = few };
	int e;

	if (n > sizeof few / sizeof *few / 2 && !(r.real = calloc(n, 2 * sizeof *r.real))) {
		errno = ENOMEM;
		return -1;
	}
	e = poll_(&r, until_us);
	if (r.real != few)
		free(r.real);
	if (e >= 0)
		return e;
	errno = -e;
	return -1;
}

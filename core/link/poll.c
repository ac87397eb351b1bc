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

/* Sets revents of what is TCPU's and makes real[] what the system is to poll; with watch, descriptors are made to
 * tell of exactly what was asked. Returns how many are ready, and the earliest deadline. */
static int look(struct pollfd *fds, struct pollfd *real, nfds_t n, bool watch, uint64_t *deadline_us)
{
	int ready = 0;

	for (nfds_t i = 0; i < n; i++) {
		struct sock *s = sock_find(fds[i].fd) ? sock_enter(fds[i].fd) : NULL;

		real[i] = fds[i];
		fds[i].revents = 0;
		if (!s)
			continue;
		real[i].events = POLLIN;
		stack_catch_up(s->stack);
		fds[i].revents = exact(s, fds[i].events);
		ready += fds[i].revents != 0;
		/* Without room for an eventfd, the link's descriptor still wakes. */
		if (watch && s->tcb)
			sock_watch(s, want_of(fds[i].events));
		stack_settle(s->stack); /* a deadline that was met makes nothing readable any more */
		if (s->stack->engine) {
			uint64_t due_us = tcpu_deadline(s->stack->engine);

			if (due_us < *deadline_us)
				*deadline_us = due_us;
		}
		pthread_mutex_unlock(&s->stack->lock);
	}
	return ready;
}

static void unwatch(const struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++) {
		struct sock *s = sock_find(fds[i].fd) ? sock_enter(fds[i].fd) : NULL;

		if (s)
			sock_leave(s, 0);
	}
}

/* Polls what the system knows; adds those that are not TCPU's to fds. Returns how many those are. */
static int sleep_and_merge(struct pollfd *fds, struct pollfd *real, nfds_t n, uint64_t until_us)
{
	int ready = stack_sleep(real, n, until_us);

	if (ready)
		return ready;
	for (nfds_t i = 0; i < n; i++)
		if (real[i].revents && !sock_find(fds[i].fd)) {
			fds[i].revents = real[i].revents;
			ready++;
		}
	return ready;
}

static int poll_(struct pollfd *fds, struct pollfd *real, nfds_t n, uint64_t until_us)
{
	bool watch = false;
	int ready, others;

	for (;;) {
		uint64_t deadline_us = until_us;

		/* A first look costs no system call for watching; only who sleeps watches, and looks again first. */
		ready = look(fds, real, n, watch, &deadline_us);
		if (!ready && !watch && link_host_now_us() < until_us) {
			watch = true;
			continue;
		}
		others = sleep_and_merge(fds, real, n, ready ? 0 : deadline_us);
		if (ready || others || link_host_now_us() >= until_us)
			break;
	}
	if (watch)
		unwatch(fds, n);
	return others < 0 ? others : ready + others;
}

int poll_tcpu(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	uint64_t until_us = timeout_ms < 0 ? TCPU_NEVER : link_host_now_us() + (uint64_t)timeout_ms * 1000;
	struct pollfd few[32], *real = few;
	int r;

	if (n > sizeof few / sizeof *few && !(real = malloc(n * sizeof *real))) {
		errno = ENOMEM;
		return -1;
	}
	r = poll_(fds, real, n, until_us);
	if (real != few)
		free(real);
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

/* Sockets below the calls: the table of descriptors, readiness, waiting. See stack.h. */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define ORPHAN_SLICE_US 20000 /* a sleep is at most so long while orphans want to be served */

/* ---- descriptor -> socket: pages that are made once and never go, so that readers need no lock ---- */

#define PAGE 1024
#define PAGES 1024

static struct sock *_Atomic *_Atomic table[PAGES];

static struct sock *_Atomic *slot(int fd, bool make)
{
	struct sock *_Atomic *page, *_Atomic *mine;

	if (fd < 0 || fd >= PAGE * PAGES)
		return NULL;
	page = atomic_load_explicit(&table[fd / PAGE], memory_order_acquire);
	if (!page && make) {
		mine = calloc(PAGE, sizeof *mine);
		if (!mine)
			return NULL;
		/* When another thread was first, page becomes its page. */
		if (atomic_compare_exchange_strong(&table[fd / PAGE], &page, mine))
			page = mine;
		else
			free(mine);
	}
	return page ? &page[fd % PAGE] : NULL;
}

struct sock *sock_find(int fd)
{
	struct sock *_Atomic *at = slot(fd, false);

	return at ? atomic_load_explicit(at, memory_order_acquire) : NULL;
}

/* ---- descriptors ---- */

static int join(const struct sock *s, int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

/* What the stack may have to say to each of its sockets. Without them, the link's descriptor and poll_tcpu serve. */
static void join_stack(struct sock *s)
{
	struct tcpu_stack *k = s->stack;

	if (!s->linked)
		return;
	if (k->timer_fd < 0 && link_host_is_real())
		k->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (k->timer_fd >= 0 && !s->timed)
		s->timed = !join(s, k->timer_fd);
	if (k->left_fd < 0)
		k->left_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (k->left_fd >= 0 && !s->lefted)
		s->lefted = !join(s, k->left_fd);
}

/* A link may have no descriptor, or none before it has claimed an address, or another one then. */
static int join_link(struct sock *s)
{
	struct tcpu_stack *k = s->stack;
	int fd = stack_fd_tcpu(k), e;

	if (fd < 0 || k->turns || (k->linked >= LINKED_MAX && !s->linked))
		return 0;
	e = join(s, fd);
	if (e && e != -EEXIST)
		return e;
	k->linked += !s->linked;
	s->linked = true;
	return 0;
}

/* Its place among those that hold the link's descriptor is another's. */
static void pass_link_on(struct sock *s)
{
	struct sock *heir = s->stack->socks;

	if (!s->linked)
		return;
	s->stack->linked--;
	while (heir && heir->linked)
		heir = heir->next;
	if (heir && !join_link(heir) && heir->event_fd >= 0)
		join_stack(heir);
}

void sock_unclaim(struct sock *s)
{
	struct claim *c = s->claim;

	s->claim = NULL;
	if (!c || --c->users)
		return;
	s->stack->link->ops->release(s->stack->link, &c->local);
	free(c);
}

int sock_claim(struct sock *s, struct link_addr want)
{
	struct claim *c = malloc(sizeof *c);
	struct link *link = s->stack->link;
	int e = c ? link->ops->claim(link, &want) : -ENOMEM;

	if (e) {
		free(c);
		return e;
	}
	*c = (struct claim){ .local = want, .users = 1 };
	s->claim = c;
	s->stack->help.armed_fd = -1; /* the link may have another one now */
	e = join_link(s);
	if (e)
		sock_unclaim(s);
	return e;
}

int sock_new(struct tcpu_stack *k, struct claim *claim, struct sock **out)
{
	struct sock *s = calloc(1, sizeof *s);
	struct sock *_Atomic *at;
	int fd = s ? epoll_create1(EPOLL_CLOEXEC) : -1, e;

	if (fd < 0) {
		e = s ? -errno : -ENOMEM;
		free(s);
		return e;
	}
	s->fd = fd;
	s->event_fd = -1;
	s->stack = k;
	at = slot(fd, true);
	e = at ? join_link(s) : fd < PAGE * PAGES ? -ENOMEM : -EMFILE;
	if (e) {
		close(fd);
		free(s);
		return e;
	}
	s->options = *tcpu_defaults(k->engine);
	s->claim = claim;
	if (claim)
		claim->users++;
	s->next = k->socks;
	k->socks = s;
	k->sock_count++;
	atomic_store_explicit(at, s, memory_order_release);
	*out = s;
	return 0;
}

void sock_free(struct sock *s)
{
	struct tcpu_stack *k = s->stack;
	struct sock **at = &k->socks;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	k->sock_count--;
	k->in_calls -= s->pollers;
	k->watched -= s->want != 0;
	pass_link_on(s);
	sock_unclaim(s);
	/* Before the number can be given to another file. */
	atomic_store_explicit(slot(s->fd, false), NULL, memory_order_release);
	if (s->event_fd >= 0)
		close(s->event_fd);
	close(s->fd);
	free(s);
}

/* ---- readiness ---- */

enum tcpu_state sock_state(const struct sock *s)
{
	struct tcpu_info info = { .state = TCPU_CLOSED };

	if (s->tcb)
		tcpu_info(s->tcb, &info);
	return info.state;
}

int sock_info(const struct sock *s, struct tcpu_info *i)
{
	if (!s->tcb || s->listening)
		return -ENOTCONN;
	tcpu_info(s->tcb, i);
	return 0;
}

unsigned sock_ready(const struct sock *s)
{
	unsigned ready = s->tcb ? tcpu_ready(s->tcb) : TCPU_OUT | TCPU_HUP; /* as an unconnected socket */

	if (s->read_shut)
		ready |= TCPU_IN;
	return s->error ? ready | TCPU_ERR : ready;
}

unsigned sock_met(const struct sock *s)
{
	struct tcpu_info i = { .state = TCPU_CLOSED };

	sock_info(s, &i);
	return (i.buffered_bytes ? 0U : SOCK_ACKED) |
	       (i.state == TCPU_TIME_WAIT || i.state == TCPU_CLOSED || i.waiting_bytes ? SOCK_ENDED : 0U);
}

void sock_take(struct sock *s, struct tcb *c)
{
	s->tcb = c;
	tcpu_set_user(c, (uint32_t)s->fd + 1);
}

unsigned sock_usual_want(const struct sock *s)
{
	if (!s->tcb || (!s->nonblock && !stack_is_driven(s->stack)))
		return 0;
	return TCPU_IN | TCPU_ERR | TCPU_HUP | (s->want_out ? TCPU_OUT : 0);
}

void sock_tell(struct sock *s)
{
	s->told = s->want ? sock_ready(s) & s->want : 0;
	if (s->want & (SOCK_ACKED | SOCK_ENDED))
		s->told |= sock_met(s) & s->want;
	stack_raise(s->event_fd, &s->raised, s->told);
}

int sock_watch(struct sock *s, unsigned want)
{
	struct tcpu_stack *k = s->stack;

	if (want && s->event_fd < 0) {
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), e;

		if (fd < 0)
			return -errno;
		e = join(s, fd);
		if (e) {
			close(fd);
			return e;
		}
		s->event_fd = fd;
		join_stack(s);
	}
	k->watched = k->watched + (want != 0) - (s->want != 0);
	s->want = want;
	if (s->event_fd >= 0)
		sock_tell(s);
	return 0;
}

/* ---- a call's frame ---- */

struct sock *sock_enter(int fd)
{
	struct sock *s;

	if (orphans_any())
		orphans_serve();
	s = sock_find(fd);
	if (!s) {
		errno = EBADF;
		return NULL;
	}
	stack_enter(s->stack);
	if (s->told & TCPU_OUT)
		s->want_out = false;
	return s;
}

void sock_give_address(struct link_addr from, struct sockaddr_in *addr, socklen_t *addrlen)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = from.port, .sin_addr.s_addr = from.ip };

	memcpy(addr, &a, *addrlen < sizeof a ? *addrlen : sizeof a);
	*addrlen = sizeof a;
}

ssize_t sock_leave(struct sock *s, ssize_t result)
{
	struct tcpu_stack *k = s->stack;
	unsigned want = sock_usual_want(s);

	if (want != s->want)
		sock_watch(s, want); /* on failure the link's descriptor and poll_tcpu still serve */
	else if (s->raised || (want && s->error))
		sock_tell(s); /* what raises it else is in the engine's list */
	stack_settle(k);
	stack_leave(k);
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

uint64_t sock_until(const struct sock *s, uint64_t timeout_us, int flags)
{
	if (s->nonblock || flags & MSG_DONTWAIT)
		return 0;
	return timeout_us ? link_host_now_us() + timeout_us : TCPU_NEVER;
}

int stack_sleep(struct pollfd *fds, nfds_t n, uint64_t until_us)
{
	uint64_t slice_us = orphans_any() ? link_host_now_us() + ORPHAN_SLICE_US : TCPU_NEVER;
	int ready = link_host_sleep(fds, n, until_us < slice_us ? until_us : slice_us);

	if (ready >= 0 && orphans_any())
		orphans_serve();
	return ready < 0 ? ready : 0;
}

/* The sink is in place only while the lock is held: in a sleep another thread would run it. */
static unsigned pump(struct sock *s, struct call_sink *sink)
{
	unsigned fed;

	if (sink)
		tcpu_sink(s->tcb, &sink->seam);
	fed = stack_pump(s->stack, sink);
	if (sink)
		tcpu_sink(s->tcb, NULL);
	return fed;
}

int sock_wait(struct sock *s, unsigned want, uint64_t until_us, struct call_sink *sink)
{
	struct tcpu_stack *k = s->stack;
	uint64_t deadline_us;
	struct pollfd fds[2];
	nfds_t n = 1;
	int e;

	if (pump(s, sink))
		return 0;
	if (k->looked_us >= until_us)
		return -EAGAIN;
	stack_settle(k);
	fds[0] = (struct pollfd){ .fd = stack_fd_tcpu(k), .events = POLLIN };
	/* Others may take from the link what this one waits for. */
	if (k->sock_count > 1 || k->turns || fds[0].fd < 0) {
		e = sock_watch(s, want);
		if (e)
			return e;
		fds[n++] = (struct pollfd){ .fd = s->event_fd, .events = POLLIN };
	}
	deadline_us = tcpu_deadline(k->engine);
	pthread_mutex_unlock(&k->lock);
	e = stack_sleep(fds, n, deadline_us < until_us ? deadline_us : until_us);
	pthread_mutex_lock(&k->lock);
	if (n > 1)
		sock_watch(s, sock_usual_want(s));
	pump(s, sink);
	return e;
}

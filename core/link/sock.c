/* Sockets below the calls: the table of descriptors, readiness, waiting. See stack.h. */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/single_threaded.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- descriptor -> socket: pages that are made once and never go, so that readers need no lock ---- */

#define PAGE 1024
#define PAGES 1024

struct slot {
	struct sock *_Atomic sock;
	_Atomic unsigned entering; /* how often threads have looked at it, and found a socket */
	unsigned entered;          /* and then got the lock of its stack, which guards this */
};

static struct slot *_Atomic table[PAGES];

static struct slot *slot(int fd, bool make)
{
	struct slot *page, *mine;

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
	struct slot *at = slot(fd, false);

	return at ? atomic_load_explicit(&at->sock, memory_order_acquire) : NULL;
}

/* Nobody finds it any more, and nobody has found it who does not count as its user. */
static void unhook(struct sock *s)
{
	struct slot *at = slot(s->fd, false);

	atomic_store(&at->sock, NULL);
	while (atomic_load(&at->entering) != at->entered) {
		pthread_mutex_unlock(&s->stack->lock);
		sched_yield();
		pthread_mutex_lock(&s->stack->lock);
	}
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
	if (c && !--c->users)
		claim_end(s->stack, c);
}

int sock_claim(struct sock *s, struct link_addr want)
{
	int e = claim_begin(s->stack, want, &s->claim);

	if (e)
		return e;
	s->stack->help.armed_fd = -1; /* the link may have another one now */
	e = join_link(s);
	if (e)
		sock_unclaim(s);
	return e;
}

int sock_new(struct tcpu_stack *k, struct claim *claim, struct sock **out)
{
	struct sock *s = calloc(1, sizeof *s);
	struct slot *at;
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
	s->claim = claim;
	if (claim)
		claim->users++;
	s->next = k->socks;
	s->at = &k->socks;
	if (s->next)
		s->next->at = &s->next;
	k->socks = s;
	k->sock_count++;
	atomic_store_explicit(&at->sock, s, memory_order_release);
	*out = s;
	return 0;
}

void sock_close(struct sock *s)
{
	struct tcpu_stack *k = s->stack;

	s->closing = true;
	unhook(s);
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	k->watched -= s->want != 0;
	pass_link_on(s);
	sock_unclaim(s);
	if (s->event_fd >= 0)
		close(s->event_fd);
	close(s->fd);
}

void sock_end(struct sock *s)
{
	s->stack->sock_count--;
	free(s->options);
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
	if (s->stack->gone)
		ready |= TCPU_IN | TCPU_OUT | TCPU_ERR;
	return s->error ? ready | TCPU_ERR : ready;
}

bool sock_is_ended(const struct sock *s)
{
	enum tcpu_state state = sock_state(s);

	return s->read_shut || (s->tcb && (state >= TCPU_CLOSE_WAIT || state == TCPU_CLOSED));
}

unsigned sock_met(const struct sock *s)
{
	struct tcpu_info i = { .state = TCPU_CLOSED };

	sock_info(s, &i);
	return (i.buffered_bytes ? 0U : SOCK_ACKED) |
	       (i.state == TCPU_TIME_WAIT || i.state == TCPU_CLOSED || i.waiting_bytes ? SOCK_ENDED : 0U);
}

void sock_options(const struct sock *s, struct tcpu_options *o)
{
	if (s->tcb)
		tcpu_options(s->tcb, o);
	else
		*o = s->options ? *s->options : *tcpu_defaults(s->stack->engine);
}

int sock_set_options(struct sock *s, const struct tcpu_options *o)
{
	if (s->tcb) {
		stack_clock(s->stack);
		return tcpu_set_options(s->tcb, o);
	}
	if (!s->options)
		s->options = malloc(sizeof *s->options);
	if (!s->options)
		return -ENOMEM;
	*s->options = *o;
	return 0;
}

void sock_take(struct sock *s, struct tcb *c)
{
	s->tcb = c;
	s->tcbs++;
	s->unlistened = false;
	tcpu_set_user(c, (uint32_t)s->fd + 1);
	if (s->options)
		tcpu_set_options(c, s->options); /* in which false is not the default */
	free(s->options);
	s->options = NULL;
}

void sock_untake(struct sock *s)
{
	struct tcpu_options o;

	tcpu_options(s->tcb, &o);
	tcpu_close(s->tcb);
	s->tcb = NULL;
	s->tcbs++;
	s->listening = s->read_shut = false;
	s->error = 0;
	sock_set_options(s, &o);
	sleepers_wake(s);
}

unsigned sock_usual_want(const struct sock *s)
{
	if (s->stack->gone || s->unlistened)
		return TCPU_ERR | TCPU_HUP;
	if (!s->tcb || (!s->nonblock && !stack_is_driven(s->stack)))
		return 0;
	return TCPU_IN | TCPU_ERR | TCPU_HUP | (s->want_out ? TCPU_OUT : 0);
}

void sock_tell(struct sock *s)
{
	s->told = s->want ? (uint8_t)(sock_ready(s) & s->want) : 0;
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
	s->want = (uint8_t)want;
	if (s->event_fd >= 0)
		sock_tell(s);
	return 0;
}

/* ---- a call's frame ---- */

struct sock *sock_enter(int fd)
{
	struct slot *at = slot(fd, false);
	bool alone = __libc_single_threaded; /* a tenth of a small send */
	struct sock *s = NULL;

	if (orphans_any())
		orphans_serve();
	if (at && !alone)
		atomic_fetch_add(&at->entering, 1);
	if (at)
		s = atomic_load(&at->sock);
	if (s) {
		stack_enter(s->stack);
		at->entered += !alone;
	} else if (at && !alone) {
		atomic_fetch_sub(&at->entering, 1);
	}
	if (s && s->closing) {
		stack_leave(s->stack);
		s = NULL;
	}
	if (!s) {
		errno = EBADF;
		return NULL;
	}
	s->users++;
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

	if (want != s->want && !s->closing)
		sock_watch(s, want); /* on failure the link's descriptor and poll_tcpu still serve */
	else if ((s->raised || (want && s->error)) && !s->closing)
		sock_tell(s); /* what raises it else is in the engine's list */
	stack_settle(k);
	if (!--s->users && s->closing)
		sock_end(s);
	stack_drop(k);
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

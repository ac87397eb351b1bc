/* Sockets below the calls: the table of descriptors, readiness, waiting. See driver.h. */
#include "core/link/driver.h"

#include "core/link/host.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
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

int sock_add_link(struct sock *s)
{
	return join(s, s->driver->link->ops->fd(s->driver->link));
}

int sock_new(struct driver *d, struct sock **out)
{
	struct sock *s = calloc(1, sizeof *s);
	struct sock *_Atomic *at;
	int fd = s ? epoll_create1(EPOLL_CLOEXEC) : -1;

	if (fd < 0) {
		free(s);
		return s ? -errno : -ENOMEM;
	}
	at = slot(fd, true);
	if (!at) {
		close(fd);
		free(s);
		return fd < PAGE * PAGES ? -ENOMEM : -EMFILE;
	}
	s->fd = fd;
	s->event_fd = -1;
	s->sndbuf_bytes = TCPU_SNDBUF_DEFAULT;
	s->rcvbuf_bytes = TCPU_RCVBUF_DEFAULT;
	s->driver = d;
	s->next = d->socks;
	d->socks = s;
	d->sock_count++;
	atomic_store_explicit(at, s, memory_order_release);
	*out = s;
	return 0;
}

void sock_free(struct sock *s)
{
	struct driver *d = s->driver;
	struct sock **at = &d->socks;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	d->sock_count--;
	d->watched -= s->want != 0;
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

unsigned sock_ready(const struct sock *s)
{
	unsigned ready = s->tcb ? tcpu_ready(s->tcb) : TCPU_OUT | TCPU_HUP; /* as an unconnected socket */

	if (s->read_shut)
		ready |= TCPU_IN;
	return s->error ? ready | TCPU_ERR : ready;
}

unsigned sock_usual_want(const struct sock *s)
{
	if (!s->nonblock || !s->tcb)
		return 0;
	return TCPU_IN | TCPU_ERR | TCPU_HUP | (s->want_out ? TCPU_OUT : 0);
}

/* Raises or lowers the eventfd when that changes. Segments that wait in the driver count for every socket: nobody
 * can know whose they are. */
static void tell(struct sock *s)
{
	const struct driver *d = s->driver;
	uint64_t one = 1;
	bool raise;

	s->told = s->want ? sock_ready(s) & s->want : 0;
	raise = s->told || (s->want && d->at < d->count);
	if (raise == s->raised)
		return;
	s->raised = raise;
	/* Neither can fail: the counter is 0 or 1. */
	if (raise ? write(s->event_fd, &one, sizeof one) : read(s->event_fd, &one, sizeof one))
		return;
}

int sock_watch(struct sock *s, unsigned want)
{
	struct driver *d = s->driver;

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
	}
	if (want && d->timer_fd < 0)
		d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (want && d->timer_fd >= 0 && !s->timed)
		s->timed = !join(s, d->timer_fd);
	d->watched = d->watched + (want != 0) - (s->want != 0);
	s->want = want;
	if (s->event_fd >= 0)
		tell(s);
	return 0;
}

/* The timerfd fires at the engine's deadline. Set anew only for an earlier one: when it fires too early, the call
 * that comes of it sets it right, which is rarer than deadlines that move. */
static void set_timer(struct driver *d)
{
	uint64_t deadline_us = tcpu_deadline(d->engine);
	struct itimerspec t = { .it_value = { .tv_sec = (time_t)(deadline_us / 1000000),
					      .tv_nsec = (long)(deadline_us % 1000000) * 1000 + 1 } };
	uint64_t expirations;

	if (d->armed_us <= d->looked_us) {
		if (read(d->timer_fd, &expirations, sizeof expirations) > 0 || errno == EAGAIN)
			d->armed_us = TCPU_NEVER;
	}
	if (deadline_us >= d->armed_us)
		return;
	d->armed_us = deadline_us;
	timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

void driver_settle(struct driver *d)
{
	if (!d->engine)
		return;
	driver_flush(d);
	if (!d->watched)
		return;
	for (struct sock *s = d->socks; s; s = s->next)
		if (s->want)
			tell(s);
	if (d->timer_fd >= 0)
		set_timer(d);
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
	pthread_mutex_lock(&s->driver->lock);
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
	struct driver *d = s->driver;
	unsigned want = sock_usual_want(s);

	if (want != s->want)
		sock_watch(s, want); /* on failure the link's descriptor and poll_tcpu still serve */
	driver_settle(d);
	pthread_mutex_unlock(&d->lock);
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

int driver_sleep(struct pollfd *fds, nfds_t n, uint64_t until_us)
{
	uint64_t now_us = link_host_now_us(), us = until_us > now_us ? until_us - now_us : 0;
	struct timespec t;

	if (orphans_any() && us > ORPHAN_SLICE_US)
		us = ORPHAN_SLICE_US;
	t = (struct timespec){ (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };
	if (ppoll(fds, n, until_us == TCPU_NEVER && !orphans_any() ? NULL : &t, NULL) < 0)
		return -errno;
	if (orphans_any())
		orphans_serve();
	return 0;
}

/* The sink is in place only while the lock is held: in a sleep another thread would run it. */
static unsigned pump(struct sock *s, struct call_sink *sink)
{
	unsigned fed;

	if (sink)
		tcpu_sink(s->tcb, &sink->seam);
	fed = driver_pump(s->driver, sink);
	if (sink)
		tcpu_sink(s->tcb, NULL);
	return fed;
}

int sock_wait(struct sock *s, unsigned want, uint64_t until_us, struct call_sink *sink)
{
	struct driver *d = s->driver;
	uint64_t deadline_us;
	struct pollfd fds[2];
	nfds_t n = 1;
	int e;

	if (pump(s, sink))
		return 0;
	if (d->looked_us >= until_us)
		return -EAGAIN;
	driver_settle(d);
	/* Another thread may take from the link what this one waits for. */
	if (d->sock_count > 1) {
		e = sock_watch(s, want | TCPU_ERR | TCPU_HUP);
		if (e)
			return e;
		fds[n++] = (struct pollfd){ .fd = s->event_fd, .events = POLLIN };
	}
	fds[0] = (struct pollfd){ .fd = d->link->ops->fd(d->link), .events = POLLIN };
	deadline_us = tcpu_deadline(d->engine);
	pthread_mutex_unlock(&d->lock);
	e = driver_sleep(fds, n, deadline_us < until_us ? deadline_us : until_us);
	pthread_mutex_lock(&d->lock);
	if (n > 1)
		sock_watch(s, sock_usual_want(s));
	pump(s, sink);
	return e;
}

/* The helper: one thread of the process that drives all stacks that ask for it (TCPU_THREAD) whenever no call on them
 * is under way. See stack.h.
 *
 * Calls do not tell it when they begin and end: that would be two system calls for each. They count (stack_enter), and
 * the helper looks at the counts. For each stack it is in one of three states:
 *
 *	ticking   calls have come since it looked last: it looks again a tick later;
 *	resting   one call lasts longer than a tick, and drives the stack meanwhile;
 *	driving   no call since the last tick: what comes over the link, and the engine's deadlines, wake the helper.
 *
 * Out of the last two the end of a call wakes it (tell), to tick.
 *
 * So an application that makes calls is disturbed once a tick, not once a packet, and one that goes off to compute is
 * replaced a tick or two later. Where some descriptors do not hold the link's, the helper drives without that delay.
 *
 * Order of locks: a stack's or that of the orphans, helper.life, helper.lock; the thread takes the first two only by
 * trying, and the third not at all, since whoever holds that may wait for the thread to end. */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICK_US 5000
#define FLOOD_US 500 /* in a flood calls get the lock so often */
#define EVENTS 64

static struct {
	pthread_mutex_t life;     /* of whoever begins or ends the thread */
	pthread_mutex_t lock;
	pthread_t thread;
	struct tcpu_stack *first; /* empty: the thread ends */
	bool running;
	bool awaited;             /* somebody waits for that */
	int epoll_fd, wake_fd;    /* wake_fd is in the epoll's set, and links that wake it once */
} helper = {
	.life = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER, .epoll_fd = -1, .wake_fd = -1,
};
static _Thread_local bool is_helper;

/* ---- the thread; helper.lock is held ---- */

/* The link wakes the helper once. */
static void arm(struct tcpu_stack *k)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT, .data.ptr = k };
	int fd = stack_fd_tcpu(k);

	if (fd < 0 || k->help.armed_fd == fd)
		return;
	if (epoll_ctl(helper.epoll_fd, EPOLL_CTL_MOD, fd, &e) && errno == ENOENT)
		epoll_ctl(helper.epoll_fd, EPOLL_CTL_ADD, fd, &e);
	k->help.armed_fd = fd;
}

static void drive(struct tcpu_stack *k)
{
	bool all = stack_catch_up(k);

	stack_settle(k);
	k->help.due_us = all ? tcpu_deadline(k->engine) : k->looked_us + FLOOD_US;
	k->help.tell = true;
	arm(k);
}

static void attend(struct tcpu_stack *k, bool fired, uint64_t now_us)
{
	bool called;

	k->help.due_us = now_us + TICK_US;
	if (pthread_mutex_trylock(&k->lock)) {
		k->help.fired |= fired;
		return;
	}
	if (fired)
		k->help.armed_fd = -1;
	called = k->calls != k->help.seen;
	k->help.seen = k->calls;
	if (k->in_calls && !called) {
		k->help.tell = true;
		k->help.due_us = TCPU_NEVER;
	} else if (!k->in_calls && (!called || k->sock_count > k->linked)) {
		drive(k);
	}
	pthread_mutex_unlock(&k->lock);
}

/* Which links have something, and which calls have ended. */
static void collect(void)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(helper.epoll_fd, events, EVENTS, 0);
	uint64_t count;

	for (int i = 0; i < n; i++) {
		struct tcpu_stack *k = events[i].data.ptr;

		if (k)
			k->help.fired = true;
		else if (read(helper.wake_fd, &count, sizeof count) < 0)
			continue; /* it is no counter to wait for */
	}
}

/* When there is something to do again. */
static uint64_t attend_all(void)
{
	uint64_t now_us = link_host_now_us(), due_us = TCPU_NEVER;

	for (struct tcpu_stack *k = helper.first; k; k = k->help.next) {
		bool fired = k->help.fired;

		if (atomic_exchange_explicit(&k->help.woken, false, memory_order_relaxed))
			k->help.due_us = now_us + TICK_US;
		k->help.fired = false;
		if (fired || k->help.due_us <= now_us)
			attend(k, fired, now_us);
		due_us = k->help.due_us < due_us ? k->help.due_us : due_us;
	}
	return due_us;
}

static void end(void)
{
	close(helper.epoll_fd);
	close(helper.wake_fd);
	helper.epoll_fd = helper.wake_fd = -1;
	helper.running = false;
}

static void *run(void *unused)
{
	uint64_t due_us, slice_us;

	is_helper = true;
	for (;;) {
		struct pollfd p = { .events = POLLIN };

		pthread_mutex_lock(&helper.lock);
		if (!helper.first)
			break;
		collect();
		due_us = attend_all();
		p.fd = helper.epoll_fd;
		pthread_mutex_unlock(&helper.lock);
		if (orphans_any()) {
			orphans_serve();
			slice_us = link_host_now_us() + ORPHAN_SLICE_US;
			due_us = due_us < slice_us ? due_us : slice_us;
		}
		link_host_sleep(&p, 1, due_us);
	}
	end();
	if (!helper.awaited)
		pthread_detach(pthread_self());
	pthread_mutex_unlock(&helper.lock);
	return unused;
}

/* ---- beginning and ending ---- */

/* The thread has to wait for the lock. */
static int start(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	sigset_t all, before;
	int failed;

	helper.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	helper.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	failed = epoll_ctl(helper.epoll_fd, EPOLL_CTL_ADD, helper.wake_fd, &e);
	if (!failed) {
		/* Signals are the application's threads'. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		failed = pthread_create(&helper.thread, NULL, run, NULL);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (failed) {
		end();
		return -EAGAIN;
	}
	helper.awaited = false;
	pthread_setname_np(helper.thread, "tcpu");
	helper.running = true;
	return 0;
}

static void wake(void)
{
	uint64_t one = 1;

	if (write(helper.wake_fd, &one, sizeof one) < 0)
		return; /* it is raised already */
}

/* Threads do not outlive a fork: the child may start another. */
static void in_child(void)
{
	pthread_mutex_init(&helper.life, NULL);
	pthread_mutex_init(&helper.lock, NULL);
	helper.first = NULL;
	if (helper.running)
		end();
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

int helper_add(struct tcpu_stack *k)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int e = link_host_is_real() ? 0 : -EAGAIN;

	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&helper.life);
	pthread_mutex_lock(&helper.lock);
	if (!e && !helper.running)
		e = start();
	if (!e) {
		k->help = (struct help){ .next = helper.first, .armed_fd = -1, .seen = k->calls };
		helper.first = k;
		wake();
	}
	pthread_mutex_unlock(&helper.lock);
	pthread_mutex_unlock(&helper.life);
	return e;
}

static void take_out(struct tcpu_stack *k)
{
	struct tcpu_stack **at = &helper.first;

	while (*at && *at != k)
		at = &(*at)->help.next;
	if (*at) {
		*at = k->help.next;
		epoll_ctl(helper.epoll_fd, EPOLL_CTL_DEL, stack_fd_tcpu(k), NULL);
	}
	k->help.tell = false;
}

void helper_remove(struct tcpu_stack *k)
{
	bool last;

	if (!is_helper)
		pthread_mutex_lock(&helper.life);
	pthread_mutex_lock(&helper.lock);
	take_out(k);
	last = helper.running && !helper.first && !is_helper;
	if (last) {
		helper.awaited = true;
		wake();
	}
	pthread_mutex_unlock(&helper.lock);
	if (last)
		pthread_join(helper.thread, NULL);
	if (!is_helper)
		pthread_mutex_unlock(&helper.life);
}

void helper_call_ended(struct tcpu_stack *k)
{
	k->help.tell = false;
	atomic_store_explicit(&k->help.woken, true, memory_order_relaxed);
	wake();
}

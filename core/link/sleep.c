/* Calls that sleep, and how others wake them. See stack.h.
 *
 * What comes over the link wakes all that sleep on a stack; what another thread's call has taken from it, only those
 * whom it concerns, each by an eventfd of its thread. Of a stack's sleepers one keeps time: the deadline that it
 * sleeps to only falls when another call is under way, and that one has somebody look again (sleepers_settle). */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ORPHAN_SLICE_US 20000 /* a sleep is at most so long while orphans want to be served */
#define BLIND_SLICE_US 10000  /* and where there was no descriptor left for the thread's eventfd */

/* ---- the thread's eventfd ---- */

static _Thread_local int wake_fd = -1;
static pthread_key_t key; /* closes it when the thread ends */

static void end_of_thread(void *fd)
{
	close(*(const int *)fd);
}

/* The child would wake its parent. */
static void in_child(void)
{
	if (wake_fd >= 0)
		close(wake_fd);
	wake_fd = -1;
}

static void prepare(void)
{
	pthread_key_create(&key, end_of_thread);
	pthread_atfork(NULL, NULL, in_child);
}

static int thread_fd(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, prepare);
	if (wake_fd < 0) {
		wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		pthread_setspecific(key, wake_fd < 0 ? NULL : &wake_fd);
	}
	return wake_fd;
}

/* ---- sleepers ---- */

void sleeper_add(struct sleeper *sl, struct sock *s, unsigned want)
{
	struct tcpu_stack *k = s->stack;

	*sl = (struct sleeper){ .next = k->sleepers, .at = &k->sleepers, .sock = s, .want = want, .wake_fd = thread_fd() };
	if (sl->next)
		sl->next->at = &sl->next;
	k->sleepers = sl;
}

static void keep_no_more(struct tcpu_stack *k)
{
	k->keeper = NULL;
	k->kept_us = TCPU_NEVER;
}

void sleeper_remove(struct sleeper *sl)
{
	struct tcpu_stack *k = sl->sock->stack;

	*sl->at = sl->next;
	if (sl->next)
		sl->next->at = sl->at;
	if (k->keeper == sl)
		keep_no_more(k);
}

uint64_t sleeper_doze(struct sleeper *sl)
{
	struct tcpu_stack *k = sl->sock->stack;
	uint64_t deadline_us = tcpu_deadline(k->engine);

	sl->asleep = true;
	sl->woken = false;
	if (k->keeper == sl)
		keep_no_more(k);
	if (deadline_us >= k->kept_us)
		return TCPU_NEVER;
	k->keeper = sl;
	k->kept_us = deadline_us;
	return deadline_us;
}

static void wake(struct sleeper *sl)
{
	uint64_t one = 1;

	if (!sl->woken && sl->asleep && write(sl->wake_fd, &one, sizeof one) < 0)
		return; /* it sleeps in slices */
	sl->woken = true;
}

void sleepers_wake(struct sock *s)
{
	for (struct sleeper *sl = s->stack->sleepers; sl; sl = sl->next)
		if (sl->sock == s)
			wake(sl);
}

void sleepers_tell(struct sock *s)
{
	for (struct sleeper *sl = s->stack->sleepers; sl; sl = sl->next)
		if (sl->sock == s && (sock_ready(s) | sock_met(s)) & sl->want)
			wake(sl);
}

void sleepers_settle(struct tcpu_stack *k)
{
	struct sleeper *sl = k->sleepers;

	/* Who does not sleep yet will keep time himself. */
	if (sl->asleep && (tcpu_deadline(k->engine) < k->kept_us || k->at < k->count))
		wake(sl);
}

int sleepers_sleep(struct pollfd *fds, nfds_t n, uint64_t until_us)
{
	uint64_t slice_us = TCPU_NEVER, count;
	int ready;

	if (orphans_any())
		slice_us = link_host_now_us() + ORPHAN_SLICE_US;
	else if (wake_fd < 0)
		slice_us = link_host_now_us() + BLIND_SLICE_US;
	fds[n] = (struct pollfd){ .fd = wake_fd, .events = POLLIN };
	ready = link_host_sleep(fds, n + 1, until_us < slice_us ? until_us : slice_us);
	if (ready > 0 && fds[n].revents && read(wake_fd, &count, sizeof count) < 0)
		return -errno;
	if (ready >= 0 && orphans_any())
		orphans_serve();
	return ready < 0 ? ready : 0;
}

/* ---- a call's wait ---- */

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
	const struct tcb *before = s->tcb;
	struct sleeper me;
	struct pollfd fds[2];
	uint64_t due_us;
	int e = 0;

	if (pump(s, sink))
		return 0;
	if (k->gone)
		return -ENETDOWN;
	if (k->looked_us >= until_us)
		return -EAGAIN;
	sleeper_add(&me, s, want);
	stack_settle(k);
	if (!me.woken) {
		due_us = sleeper_doze(&me);
		fds[0] = (struct pollfd){ .fd = stack_fd_tcpu(k), .events = POLLIN };
		pthread_mutex_unlock(&k->lock);
		e = sleepers_sleep(fds, 1, due_us < until_us ? due_us : until_us);
		pthread_mutex_lock(&k->lock);
	}
	sleeper_remove(&me);
	if (s->closing && !(want & SOCK_ENDED)) /* which only close_tcpu wants */
		return -EBADF;
	if (s->tcb != before)
		return -EINVAL;
	pump(s, sink);
	return e;
}

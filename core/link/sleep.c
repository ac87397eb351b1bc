/* Calls that sleep, and how others wake them. See stack.h.
 *
 * What comes over the link wakes those who watch it, a few of a stack's sleepers; they and all other calls wake those
 * whom it concerns, each by an eventfd of its thread. One keeps time: the deadline that it sleeps to only falls when
 * another call is under way, and that one has somebody look again (sleepers_settle), as it does where nobody is left
 * who watches. Two watch, and not one: a thread that makes call after call need not appoint another after each. */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WATCHERS 2
#define LINGER_US 50
#define SLICE_US 3000       /* no other end has the processor for so long, but somebody who wants all of it */
#define HURRY_MIN_US 100000 /* then calls do not linger for so long, */
#define HURRY_MAX_US 1600000 /* or twice as long each time */
#define BLIND_SLICE_US 10000 /* a sleep is at most so long without a descriptor for the eventfd */

/* ---- the thread's eventfd ---- */

static _Thread_local int wake_fd = -1;
static pthread_key_t key; /* closes it when the thread ends */
static bool has_key;      /* where there was none left, it stays open */

static void end_of_thread(void *unused)
{
	(void)unused;
	if (wake_fd >= 0)
		close(wake_fd);
	wake_fd = -1; /* destructors that are yet to run may make calls */
}

/* The child would wake its parent. */
static void in_child(void)
{
	end_of_thread(NULL);
}

static void prepare(void)
{
	has_key = !pthread_key_create(&key, end_of_thread);
	pthread_atfork(NULL, NULL, in_child);
}

static void take_wake_fd(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, prepare);
	if (wake_fd >= 0)
		return;
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (has_key && wake_fd >= 0)
		pthread_setspecific(key, &wake_fd);
}

/* ---- sleepers ---- */

void sleeper_add(struct sleeper *sl, struct sock *s, unsigned want)
{
	struct tcpu_stack *k = s->stack;

	take_wake_fd();
	*sl = (struct sleeper){ .next = k->sleepers, .at = &k->sleepers, .sock = s, .want = want };
	if (sl->next)
		sl->next->at = &sl->next;
	k->sleepers = sl;
}

/* It is awake: neither keeps time nor watches the link. */
static void up(struct tcpu_stack *k, struct sleeper *sl)
{
	if (k->keeper == sl) {
		k->keeper = NULL;
		k->kept_us = TCPU_NEVER;
	}
	k->watchers -= sl->watches;
	sl->watches = false;
}

void sleeper_remove(struct sleeper *sl)
{
	struct tcpu_stack *k = sl->sock->stack;

	*sl->at = sl->next;
	if (sl->next)
		sl->next->at = sl->at;
	up(k, sl);
}

uint64_t sleeper_doze(struct sleeper *sl)
{
	struct tcpu_stack *k = sl->sock->stack;
	uint64_t deadline_us = tcpu_deadline(k->engine);
	uint64_t blind_us = wake_fd < 0 ? link_host_now_us() + BLIND_SLICE_US : TCPU_NEVER;

	up(k, sl);
	sl->asleep = true;
	sl->woken = false;
	sl->wake_fd = wake_fd;
	sl->watches = k->watchers < WATCHERS;
	k->watchers += sl->watches;
	if (deadline_us >= k->kept_us)
		return blind_us;
	k->keeper = sl;
	k->kept_us = deadline_us;
	return deadline_us < blind_us ? deadline_us : blind_us;
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

	/* Who does not sleep yet will see to it himself. */
	if (sl->asleep && (!k->watchers || tcpu_deadline(k->engine) < k->kept_us || k->at < k->count))
		wake(sl);
}

int sleepers_sleep(struct pollfd *fds, nfds_t n, uint64_t until_us)
{
	uint64_t slice_us = TCPU_NEVER, count;
	int ready;

	if (orphans_any())
		slice_us = link_host_now_us() + ORPHAN_SLICE_US;
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

/* How long a call looks before it sleeps. Unless it was told by SO_BUSY_POLL: about as long as it costs both ends to
 * have it woken, so that at worst it has cost twice as much (Karlin et al., 1991), where looking costs little. */
static uint32_t spin_us(const struct tcpu_stack *k)
{
	if (k->busy_us)
		return k->busy_us;
	return k->link->ops->rest && k->looked_us >= k->hurry_until_us ? LINGER_US : 0;
}

/* So long somebody else has had the processor. Where he takes a whole slice, it is better to sleep: who is woken has it
 * at once. */
static void note_yield(struct tcpu_stack *k, uint64_t us)
{
	if (us < SLICE_US) {
		k->hurry_us = 0;
		return;
	}
	k->hurry_us = k->hurry_us ? 2 * k->hurry_us : HURRY_MIN_US;
	if (k->hurry_us > HURRY_MAX_US)
		k->hurry_us = HURRY_MAX_US;
	k->hurry_until_us = k->looked_us + k->hurry_us;
}

/* Looks until something has come, for a while; others have their turns. What is due meanwhile is the caller's. */
static bool spin(struct sock *s, const struct sleeper *me, uint64_t until_us, struct call_sink *sink)
{
	struct tcpu_stack *k = s->stack;
	uint64_t deadline_us = tcpu_deadline(k->engine), end_us = k->looked_us + spin_us(k);
	uint8_t before = s->tcbs;
	bool fed = false;

	if (end_us > until_us)
		end_us = until_us;
	if (end_us > deadline_us)
		end_us = deadline_us;
	while (!fed && !me->woken && !k->gone && !s->closing && s->tcbs == before && k->looked_us < end_us) {
		uint64_t from_us = k->looked_us;

		pthread_mutex_unlock(&k->lock);
		if (!k->busy_us)
			sched_yield(); /* the other end may have this processor */
		pthread_mutex_lock(&k->lock);
		fed = pump(s, sink);
		if (!k->busy_us)
			note_yield(k, k->looked_us - from_us);
	}
	return fed;
}

int sock_wait(struct sock *s, unsigned want, uint64_t until_us, struct call_sink *sink)
{
	struct tcpu_stack *k = s->stack;
	uint8_t before = s->tcbs;
	struct sleeper me;
	struct pollfd fds[2];
	uint64_t due_us;
	int e = 0;

	if (pump(s, sink))
		return 0;
	if (k->gone)
		return -ENETDOWN;
	if (k->looked_us >= until_us)
		return k->busy_us || stack_rest(k) ? -EAGAIN : 0;
	sleeper_add(&me, s, want);
	stack_settle(k);
	if (spin_us(k) && !me.woken && spin(s, &me, until_us, sink)) {
		sleeper_remove(&me);
		return 0;
	}
	if (!me.woken && stack_rest(k)) {
		due_us = sleeper_doze(&me);
		fds[0] = (struct pollfd){ .fd = me.watches ? stack_fd_tcpu(k) : -1, .events = POLLIN };
		pthread_mutex_unlock(&k->lock);
		e = sleepers_sleep(fds, 1, due_us < until_us ? due_us : until_us);
		pthread_mutex_lock(&k->lock);
	}
	sleeper_remove(&me);
	if (s->closing && !(want & SOCK_ENDED)) /* which only close_tcpu wants */
		return -EBADF;
	if (s->tcbs != before)
		return -ECONNABORTED;
	pump(s, sink);
	return e;
}

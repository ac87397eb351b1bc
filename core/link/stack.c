/* Stacks: the engine's turn, and the calls that make and drive them. See stack.h. */
#include "core/link/stack.h"

#include "core/link/host.h"
#include "core/link/tcpk.h"
#include "core/link/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TCP_HEADER 20
#define PUMPS_MAX 16
#define FLUSH_BYTES (256 << 10) /* as much as the usual window: who sends in less waits for no ACK that is not due */
#define FLUSH_US 1000

static struct tcpu_stack *_Atomic default_stack;

/* ---- making and ending ---- */

static int make(struct link *link, const struct tcpu_config *config, struct tcpu_stack **out)
{
	static const uint8_t none[sizeof config->secret];
	struct tcpu_stack *k = calloc(1, sizeof *k);
	struct tcpu_config c = *config;
	int e;

	if (!k)
		return -ENOMEM;
	c.link = k->link = link;
	c.alloc = link_host_alloc;
	c.free = link_host_free;
	c.now_us = k->looked_us = k->flushed_us = link_host_now_us();
	if (!memcmp(c.secret, none, sizeof none))
		link_host_random(c.secret, sizeof c.secret);
	e = tcpu_new(&c, &k->engine);
	explicit_bzero(c.secret, sizeof c.secret);
	if (e) {
		free(k);
		return e;
	}
	pthread_mutex_init(&k->lock, NULL);
	STAILQ_INIT(&k->left_claims);
	k->timer_fd = k->left_fd = -1;
	k->armed_us = k->kept_us = TCPU_NEVER;
	*out = k;
	return 0;
}

void stack_unmake(struct tcpu_stack *k)
{
	if (k->thread)
		helper_remove(k);
	claims_settle(k, true);
	tcpu_free(k->engine);
	if (k->timer_fd >= 0)
		close(k->timer_fd);
	if (k->left_fd >= 0)
		close(k->left_fd);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

void stack_free(struct tcpu_stack *k)
{
	struct link *link = k->link;

	stack_unmake(k);
	link->ops->close(link);
}

int stack_thread(struct tcpu_stack *k, bool on)
{
	int e = on && !k->thread ? helper_add(k) : 0;

	if (e)
		return e;
	if (!on && k->thread)
		helper_remove(k);
	k->thread = on;
	for (struct sock *s = k->socks; s; s = s->next)
		sock_watch(s, sock_usual_want(s));
	return 0;
}

/* What has no stack_tcpu: a stack over UDP, for one socket and what it accepts. */
static int stack_new(struct tcpu_stack **out)
{
	struct link *link;
	int e = link_udp_open(&(struct link_udp_config){ 0 }, &link);

	if (e)
		return e;
	e = make(link, &(struct tcpu_config){ .delack_us = TCPU_ACK_ON_FLUSH }, out);
	if (e)
		link->ops->close(link);
	return e;
}

/* Whether its link has gone. Then it is left to the sockets that it still has, and goes with the last of them. */
static bool left_behind(struct tcpu_stack *k)
{
	stack_enter(k);
	stack_catch_up(k);
	if (!k->gone) {
		stack_leave(k);
		return false;
	}
	k->kept = false;
	orphan_remove(k);
	stack_drop(k);
	return true;
}

/* Over TCPK: one for all sockets of the process, since each would have a ring and a TAP of its own. A child that fork
 * has made begins anew: what comes reaches only one process. */
static int stack_of_tcpk(struct tcpu_stack **out)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct tcpu_stack *made;
	static pid_t by;
	struct link *link;
	int e = 0;

	pthread_mutex_lock(&lock);
	if (!made || by != getpid() || left_behind(made)) {
		e = link_tcpk_open(&(struct link_tcpk_config){ 0 }, &link);
		if (!e) {
			e = make(link, &(struct tcpu_config){ .delack_us = TCPU_ACK_ON_FLUSH }, &made);
			if (e)
				link->ops->close(link);
			else
				made->kept = true;
		}
		by = getpid();
		if (e)
			made = NULL;
	}
	*out = made;
	pthread_mutex_unlock(&lock);
	return e;
}

bool stack_finished(struct tcpu_stack *k)
{
	stack_catch_up(k);
	tcpu_flush(k->engine);
	if (!STAILQ_EMPTY(&k->left_claims))
		claims_settle(k, !tcpu_count(k->engine)); /* nobody may come by for the rest */
	return !tcpu_count(k->engine);
}

void stack_drop(struct tcpu_stack *k)
{
	bool done;

	if (k->sock_count) {
		stack_leave(k);
		return;
	}
	done = stack_finished(k);
	if (!done && !(k->kept && stack_is_driven(k)))
		orphan_add(k);
	stack_leave(k);
	if (done && !k->kept)
		stack_free(k);
}

/* ---- turns ---- */

static bool has_enough(const struct call_sink *sink, const struct link_in *next)
{
	uint32_t header = next->len >= TCP_HEADER ? (next->segment[12] >> 4) * 4U : next->len;

	return sink->seam.done || (sink->taken && next->len > header && next->len - header > sink->room - sink->taken);
}

void stack_clock(struct tcpu_stack *k)
{
	tcpu_clock(k->engine, link_host_now_us());
}

static void feed(struct tcpu_stack *k)
{
	const struct link_in *in = &k->pending[k->at++];

	k->unflushed_bytes += in->len;
	tcpu_input(k->engine, in);
}

/* Nothing will come or go any more. */
static void lose_link(struct tcpu_stack *k)
{
	k->gone = true;
	tcpu_drop_all(k->engine, ENETDOWN);
	for (struct sock *s = k->socks; s; s = s->next) {
		sleepers_wake(s);
		sock_watch(s, sock_usual_want(s));
	}
}

static int receive(struct tcpu_stack *k)
{
	int n = k->link->ops->recv(k->link, k->pending, STACK_BATCH);

	k->at = 0;
	k->count = n > 0 ? (unsigned)n : 0;
	k->rests = false;
	return n;
}

bool stack_rest(struct tcpu_stack *k)
{
	if (k->at < k->count)
		return false;
	if (k->rests || !k->link->ops->rest)
		return true;
	k->rests = true;
	return k->link->ops->rest(k->link) || receive(k) <= 0;
}

unsigned stack_pump(struct tcpu_stack *k, const struct call_sink *sink)
{
	uint64_t due_us = tcpu_deadline(k->engine);
	unsigned fed = 0;
	bool late;

	k->looked_us = link_host_now_us();
	if (k->at == k->count) {
		int n = receive(k);

		if (n == -ENETDOWN && !k->gone)
			lose_link(k);
	}
	/* When nobody has looked for a while, what came was there before the timers were due that it may stop: an
	 * acknowledgment that waits here is none that is missing. */
	late = k->at < k->count && due_us <= k->looked_us && due_us > 0;
	tcpu_clock(k->engine, late ? due_us - 1 : k->looked_us);
	for (; k->at < k->count && !(sink && has_enough(sink, &k->pending[k->at])); fed++)
		feed(k);
	if (late)
		tcpu_clock(k->engine, k->looked_us);
	return fed;
}

bool stack_catch_up(struct tcpu_stack *k)
{
	for (int pumps = 0; pumps < PUMPS_MAX; pumps++)
		if (!stack_pump(k, NULL) && (k->busy_us || stack_rest(k)))
			return true;
	return false;
}

static void flush(struct tcpu_stack *k)
{
	/* The window that is told counts on the room of what was taken; and where more has come, an ACK may stand for that,
	 * too. */
	if (k->at == k->count && !k->rests && k->link->ops->rest)
		receive(k);
	if (k->at < k->count && k->unflushed_bytes < FLUSH_BYTES && k->looked_us - k->flushed_us < FLUSH_US)
		return;
	k->unflushed_bytes = 0;
	k->flushed_us = k->looked_us;
	tcpu_flush(k->engine);
}

/* The timerfd fires at the engine's deadline. Set anew only for an earlier one: when it fires too early, the call
 * that comes of it sets it right, which is rarer than deadlines that move. */
static void set_timer(struct tcpu_stack *k)
{
	uint64_t deadline_us = stack_is_driven(k) ? TCPU_NEVER : tcpu_deadline(k->engine);
	struct itimerspec t = { .it_value = { .tv_sec = (time_t)(deadline_us / 1000000),
					      .tv_nsec = (long)(deadline_us % 1000000) * 1000 + 1 } };
	uint64_t expirations;

	if (k->armed_us <= k->looked_us) {
		if (read(k->timer_fd, &expirations, sizeof expirations) > 0 || errno == EAGAIN)
			k->armed_us = TCPU_NEVER;
	}
	if (deadline_us >= k->armed_us)
		return;
	k->armed_us = deadline_us;
	timerfd_settime(k->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

void stack_raise(int event_fd, bool *raised, bool raise)
{
	uint64_t one = 1;

	if (raise == *raised)
		return;
	*raised = raise;
	/* Neither can fail: the counter is 0 or 1. */
	if (raise ? write(event_fd, &one, sizeof one) : read(event_fd, &one, sizeof one))
		return;
}

void stack_settle(struct tcpu_stack *k)
{
	struct tcb *c;
	struct sock *s;

	if (k->watched || k->watchers || k->turns || k->thread)
		stack_rest(k);
	/* The link's descriptor alone says whether another turn would get further. */
	while (k->turns && k->at < k->count)
		feed(k);
	flush(k);
	if (!STAILQ_EMPTY(&k->left_claims))
		claims_settle(k, false);
	while ((c = tcpu_changed(k->engine))) {
		s = sock_find((int)tcpu_user(c) - 1);
		if (s->want)
			sock_tell(s);
		if (k->sleepers)
			sleepers_tell(s);
	}
	if (k->sleepers)
		sleepers_settle(k);
	if (k->left_fd >= 0)
		stack_raise(k->left_fd, &k->left, k->watched && k->at < k->count);
	if (k->timer_fd >= 0 && k->watched)
		set_timer(k);
}

/* ---- calls ---- */

static int stack_type(int type)
{
	return (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM ? 0 : -EPROTOTYPE;
}

int stack_tcpu(const struct tcpu_stack_config *config, struct tcpu_stack **out)
{
	struct tcpu_config engine = config->engine;
	struct tcpu_stack *k;
	int e;

	if (!engine.delack_us && !config->turns && !config->thread)
		engine.delack_us = TCPU_ACK_ON_FLUSH;
	e = config->link ? make(config->link, &engine, &k) : -EINVAL;
	if (!e) {
		k->kept = true;
		k->turns = config->turns;
		e = stack_thread(k, config->thread);
		if (e)
			stack_unmake(k);
	}
	if (e) {
		errno = -e;
		return -1;
	}
	*out = k;
	return 0;
}

int stack_socket_tcpu(struct tcpu_stack *k, int type)
{
	struct sock *s;
	int e = stack_type(type);

	stack_enter(k);
	if (!e)
		e = sock_new(k, NULL, &s);
	if (!e) {
		s->nonblock = type & SOCK_NONBLOCK;
		e = s->fd;
	}
	stack_drop(k);
	if (e >= 0)
		return e;
	errno = -e;
	return -1;
}

int socket_tcpu(int domain, int type, int protocol)
{
	struct tcpu_stack *k = atomic_load_explicit(&default_stack, memory_order_acquire);
	int e = domain == AF_INET ? stack_type(type) : -EAFNOSUPPORT;

	if (!e && protocol == IPPROTO_TCPK)
		e = stack_of_tcpk(&k);
	else if (!e && !k)
		e = stack_new(&k);
	if (!e)
		return stack_socket_tcpu(k, type);
	errno = -e;
	return -1;
}

void stack_default_tcpu(struct tcpu_stack *k)
{
	atomic_store_explicit(&default_stack, k, memory_order_release);
}

uint64_t stack_turn_tcpu(struct tcpu_stack *k)
{
	uint64_t due_us;
	bool all;

	stack_enter(k);
	all = stack_catch_up(k);
	stack_settle(k);
	due_us = all ? tcpu_deadline(k->engine) : k->looked_us;
	stack_leave(k);
	return due_us;
}

int stack_fd_tcpu(const struct tcpu_stack *k)
{
	return k->link->ops->fd(k->link);
}

int stack_close_tcpu(struct tcpu_stack *k)
{
	struct tcpu_stack *mine = k;

	stack_enter(k);
	if (k->sock_count) {
		stack_leave(k);
		errno = EBUSY;
		return -1;
	}
	atomic_compare_exchange_strong(&default_stack, &mine, NULL);
	orphan_remove(k);
	tcpu_abort_closed(k->engine);
	stack_leave(k);
	stack_free(k);
	return 0;
}

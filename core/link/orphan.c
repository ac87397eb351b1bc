/* Stacks without sockets whose engines still hold connections: the calls on other sockets serve them. See stack.h.
 *
 * Newest first. When there are too many, the one that has lasted longest is reset: of those that owe nothing any more
 * (TIME-WAIT), and only where there is none, of all.
 *
 * Order of locks: a stack's, then orphans.lock; the other way round only by trying. */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <stdatomic.h>

#define EVERY_US 10000

static struct {
	pthread_mutex_t lock;
	struct tcpu_stack *first;
	_Atomic unsigned count;
	uint64_t served_us;
} orphans = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool orphans_any(void)
{
	return atomic_load_explicit(&orphans.count, memory_order_relaxed);
}

static struct tcpu_stack **place_of(const struct tcpu_stack *k)
{
	struct tcpu_stack **at = &orphans.first;

	while (*at != k)
		at = &(*at)->next_orphan;
	return at;
}

static void take_out(struct tcpu_stack **at)
{
	struct tcpu_stack *k = *at;

	*at = k->next_orphan;
	k->orphan = false;
	orphans.count--;
}

/* A kept one may have sockets again, and is then driven by calls of its own. */
static bool finished(struct tcpu_stack *k)
{
	return k->sock_count || stack_finished(k);
}

/* Unlocks. */
static void let_go(struct tcpu_stack *k)
{
	bool kept = k->kept; /* and may be closed, once it is unlocked */

	pthread_mutex_unlock(&k->lock);
	if (!kept)
		stack_free(k);
}

/* The turn of each. Whoever has the lock of one drives it himself. */
static void serve(void)
{
	struct tcpu_stack **at = &orphans.first, *k;

	orphans.served_us = link_host_now_us();
	while ((k = *at)) {
		if (pthread_mutex_trylock(&k->lock)) {
			at = &k->next_orphan;
		} else if (finished(k)) {
			take_out(at);
			let_go(k);
		} else {
			pthread_mutex_unlock(&k->lock);
			at = &k->next_orphan;
		}
	}
}

/* The one to be reset, locked; NULL: all are busy. */
static struct tcpu_stack *choose(void)
{
	struct tcpu_stack *last = NULL, *idle = NULL, *chosen;

	for (struct tcpu_stack *k = orphans.first; k; k = k->next_orphan) {
		if (pthread_mutex_trylock(&k->lock))
			continue;
		if (!k->sock_count)
			*(tcpu_owing(k->engine) ? &last : &idle) = k;
		pthread_mutex_unlock(&k->lock);
	}
	chosen = idle ? idle : last;
	return chosen && !pthread_mutex_trylock(&chosen->lock) ? chosen : NULL;
}

void orphan_add(struct tcpu_stack *k)
{
	struct tcpu_stack *victim = NULL;

	pthread_mutex_lock(&orphans.lock);
	if (orphans.count >= TCPU_CLOSING_MAX)
		serve();
	if (orphans.count >= TCPU_CLOSING_MAX && (victim = choose()))
		take_out(place_of(victim));
	if (!k->orphan) {
		k->next_orphan = orphans.first;
		orphans.first = k;
		k->orphan = true;
		orphans.count++;
	}
	pthread_mutex_unlock(&orphans.lock);
	if (!victim)
		return;
	tcpu_abort_closed(victim->engine);
	let_go(victim);
}

void orphan_remove(struct tcpu_stack *k)
{
	pthread_mutex_lock(&orphans.lock);
	if (k->orphan)
		take_out(place_of(k));
	pthread_mutex_unlock(&orphans.lock);
}

void orphans_serve(void)
{
	if (pthread_mutex_trylock(&orphans.lock))
		return; /* another thread is at it */
	if (link_host_now_us() - orphans.served_us >= EVERY_US)
		serve();
	pthread_mutex_unlock(&orphans.lock);
}

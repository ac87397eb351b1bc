/* Drivers: the engine's turn, and what outlives its sockets. See driver.h. */
#include "core/link/driver.h"

#include "core/link/host.h"
#include "core/link/udp.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define TCP_HEADER 20
#define PUMPS_MAX 16
#define FLUSH_BYTES (64 << 10) /* a quarter of the usual window */
#define FLUSH_US 1000
#define ORPHANS_EVERY_US 10000

int driver_new(struct driver **out)
{
	struct driver *d = calloc(1, sizeof *d);
	int e;

	if (!d)
		return -ENOMEM;
	e = link_udp_open(&(struct link_udp_config){ 0 }, &d->link);
	if (e) {
		free(d);
		return e;
	}
	pthread_mutex_init(&d->lock, NULL);
	d->timer_fd = -1;
	d->armed_us = TCPU_NEVER;
	*out = d;
	return 0;
}

static void driver_free(struct driver *d)
{
	if (d->engine)
		tcpu_free(d->engine);
	d->link->ops->close(d->link);
	if (d->timer_fd >= 0)
		close(d->timer_fd);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

int driver_start(struct driver *d, const struct sock *options)
{
	struct tcpu_config c = {
		.link = d->link, .alloc = link_host_alloc, .free = link_host_free, .now_us = link_host_now_us(),
		.options = { .sndbuf_bytes = options->sndbuf_bytes, .rcvbuf_bytes = options->rcvbuf_bytes,
			     .mss_max = options->mss },
		.delack_us = TCPU_ACK_ON_FLUSH,
	};

	if (d->engine)
		return 0;
	link_host_random(c.secret, sizeof c.secret);
	return tcpu_new(&c, &d->engine);
}

static bool has_enough(const struct call_sink *sink, const struct link_in *next)
{
	uint32_t header = next->len >= TCP_HEADER ? (next->segment[12] >> 4) * 4U : next->len;

	return sink->seam.done || (sink->taken && next->len > header && next->len - header > sink->room - sink->taken);
}

unsigned driver_pump(struct driver *d, const struct call_sink *sink)
{
	unsigned fed = 0;

	if (!d->engine)
		return 0;
	d->looked_us = link_host_now_us();
	tcpu_clock(d->engine, d->looked_us);
	if (d->at == d->count) {
		int n = d->link->ops->recv(d->link, d->pending, DRIVER_BATCH);

		d->at = 0;
		d->count = n > 0 ? (unsigned)n : 0;
	}
	while (d->at < d->count && !(sink && has_enough(sink, &d->pending[d->at]))) {
		const struct link_in *in = &d->pending[d->at++];

		fed++;
		d->unflushed_bytes += in->len;
		tcpu_input(d->engine, in);
	}
	return fed;
}

void driver_flush(struct driver *d)
{
	if (d->at < d->count && d->unflushed_bytes < FLUSH_BYTES && d->looked_us - d->flushed_us < FLUSH_US)
		return;
	d->unflushed_bytes = 0;
	d->flushed_us = d->looked_us;
	tcpu_flush(d->engine);
}

void driver_catch_up(struct driver *d)
{
	for (int pumps = 0; pumps < PUMPS_MAX && driver_pump(d, NULL); pumps++)
		continue;
}

/* ---- orphans ---- */

/* Newest first. When there are too many, the one that has lasted longest is reset: of those that owe nothing any more
 * (TIME-WAIT), and only where there is none, of all. */
static struct {
	pthread_mutex_t lock;
	struct driver *first;
	_Atomic unsigned count;
	uint64_t served_us;
} orphans = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool orphans_any(void)
{
	return atomic_load_explicit(&orphans.count, memory_order_relaxed);
}

static bool finished(struct driver *d)
{
	driver_catch_up(d);
	tcpu_flush(d->engine);
	return !tcpu_count(d->engine);
}

/* The turn of each; orphans.lock is held. */
static void serve(void)
{
	struct driver **at = &orphans.first, *d;

	orphans.served_us = link_host_now_us();
	while ((d = *at)) {
		if (!finished(d)) {
			at = &d->next_orphan;
			continue;
		}
		*at = d->next_orphan;
		orphans.count--;
		driver_free(d);
	}
}

void driver_drop(struct driver *d)
{
	struct driver *victim = NULL;

	if (!d->engine || finished(d)) {
		driver_free(d);
		return;
	}
	if (d->timer_fd >= 0) /* nobody is left whom it could wake */
		close(d->timer_fd);
	d->timer_fd = -1;
	pthread_mutex_lock(&orphans.lock);
	if (orphans.count >= TCPU_CLOSING_MAX)
		serve();
	d->next_orphan = orphans.first;
	orphans.first = d;
	if (orphans.count++ >= TCPU_CLOSING_MAX) {
		struct driver **at = &orphans.first, **last = NULL, **idle = NULL;

		for (; *at; at = &(*at)->next_orphan)
			*(tcpu_owing((*at)->engine) ? &last : &idle) = at;
		at = idle ? idle : last;
		victim = *at;
		*at = victim->next_orphan;
		orphans.count--;
	}
	pthread_mutex_unlock(&orphans.lock);
	if (!victim)
		return;
	tcpu_abort_closed(victim->engine);
	driver_free(victim);
}

void orphans_serve(void)
{
	if (pthread_mutex_trylock(&orphans.lock))
		return; /* another thread is at it */
	if (link_host_now_us() - orphans.served_us >= ORPHANS_EVERY_US)
		serve();
	pthread_mutex_unlock(&orphans.lock);
}

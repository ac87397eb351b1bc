/* Time, link, stack, and the thread of calls: see script_world.h. */
#include "tests/script_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FIRST_PORT 49152
#define START_US 1000000000ULL
#define IP_HEADER 20
#define TURNS_MAX 10000 /* at one time: then the stack does not come to rest */

bool world_fail(struct world *w, const struct script_event *e, const char *format, ...)
{
	va_list a;
	int n;

	if (*w->why)
		return false;
	n = e ? snprintf(w->why, 1000, "%u: ", e->line) : 0;
	va_start(a, format);
	vsnprintf(w->why + n, 1000 - (size_t)n, format, a);
	va_end(a);
	return false;
}

double world_seconds(const struct world *w, uint64_t us)
{
	return (double)(int64_t)(us - w->start_us) / 1e6;
}

/* ---- the host ---- */

static uint64_t host_now(void *ctx)
{
	return ((struct world *)ctx)->now_us;
}

/* The call's thread waits here while the script goes on. A link without descriptor may be readable at any return. */
static int host_sleep(void *ctx, struct pollfd *fds, nfds_t n, uint64_t until_us)
{
	struct world *w = ctx;
	int ready = poll(fds, n, 0);

	if (ready > 0 || until_us <= w->now_us)
		return ready > 0 ? ready : 0;
	if (w->ending || !w->call)
		return -EINTR;
	w->wake_us = until_us;
	w->asleep = true;
	sem_post(&w->to_main);
	while (sem_wait(&w->to_call))
		continue;
	if (w->ending)
		return -EINTR;
	ready = poll(fds, n, 0);
	return ready > 0 ? ready : 0;
}

/* xorshift64 */
static void host_random(void *ctx, void *p, size_t bytes)
{
	struct world *w = ctx;

	for (size_t i = 0; i < bytes; i++) {
		w->random ^= w->random << 13;
		w->random ^= w->random >> 7;
		w->random ^= w->random << 17;
		((uint8_t *)p)[i] = (uint8_t)(w->random >> 24);
	}
}

/* ---- the link ---- */

static struct world *of(const struct link *l)
{
	return (struct world *)((const char *)l - offsetof(struct world, link));
}

static struct link_addr *claimed(struct world *w, uint16_t port)
{
	for (unsigned i = 0; i < WORLD_PORTS; i++)
		if (w->ports[i].port == port)
			return &w->ports[i];
	return NULL;
}

static int link_claim(struct link *l, struct link_addr *local)
{
	struct world *w = of(l);
	struct link_addr *at = claimed(w, 0);

	if (local->ip && local->ip != w->script->config.local_ip)
		return -EADDRNOTAVAIL;
	if (!at || (local->port && claimed(w, local->port)))
		return -EADDRINUSE;
	while (!local->port) {
		uint16_t port = htons(w->next_port++);

		local->port = claimed(w, port) ? 0 : port;
	}
	*at = *local;
	return 0;
}

static void link_release(struct link *l, const struct link_addr *local)
{
	struct link_addr *at = claimed(of(l), local->port);

	if (at)
		at->port = 0;
}

static int link_route(struct link *l, uint32_t remote_ip, uint32_t *local_ip)
{
	(void)remote_ip;
	*local_ip = of(l)->script->config.local_ip;
	return 0;
}

static int link_send(struct link *l, const struct link_out *out, unsigned n)
{
	struct world *w = of(l);

	for (unsigned i = 0; i < n; i++) {
		struct sent *s = &w->sent[w->sent_count];

		if (w->sent_count == WORLD_SENT_MAX) {
			world_fail(w, NULL, "more than %d segments were sent that the script does not expect", WORLD_SENT_MAX);
			return (int)n;
		}
		*s = (struct sent){ .time_us = w->now_us, .src = out[i].src, .dst = out[i].dst, .ecn = out[i].ecn,
				    .len = out[i].header_len + out[i].data_len };
		s->bytes = malloc(s->len);
		if (!s->bytes)
			return (int)i;
		memcpy(s->bytes, out[i].header, out[i].header_len);
		memcpy(s->bytes + out[i].header_len, out[i].data, out[i].data_len);
		w->sent_count++;
	}
	return (int)n;
}

static int link_recv(struct link *l, struct link_in *in, unsigned max)
{
	struct world *w = of(l);

	if (!max || !w->in_waits)
		return 0;
	w->in_waits = false;
	*in = w->in;
	return 1;
}

static int link_fd(const struct link *l)
{
	(void)l;
	return -1;
}

static void link_close(struct link *l)
{
	(void)l;
}

static const struct link_ops link_ops = {
	.claim = link_claim, .release = link_release, .route = link_route, .send = link_send, .recv = link_recv,
	.fd = link_fd, .close = link_close,
};

/* ---- the thread of calls ---- */

static void *calls(void *ctx)
{
	struct world *w = ctx;

	for (;;) {
		while (sem_wait(&w->to_call))
			continue;
		if (w->ending)
			return NULL;
		call_run(w, w->call);
		w->call = NULL;
		if (w->ending)
			return NULL;
		sem_post(&w->to_main);
	}
}

/* The call goes on until it waits again or has returned. */
static void hand_over(struct world *w)
{
	w->asleep = false;
	sem_post(&w->to_call);
	while (sem_wait(&w->to_main))
		continue;
}

void world_call(struct world *w, const struct script_event *e)
{
	w->call = e;
	hand_over(w);
	if (w->call && !e->call.blocks)
		world_fail(w, e, "%.*s would wait: it must return at once, or have a time range",
			(int)e->call.name.len, e->call.name.at);
}

uint64_t world_turn(struct world *w)
{
	uint64_t due_us;

	if (w->asleep)
		hand_over(w);
	due_us = stack_turn_tcpu(w->stack);
	if (w->asleep)
		hand_over(w);
	if (w->asleep && w->wake_us < due_us)
		due_us = w->wake_us;
	return due_us;
}

void world_advance(struct world *w, uint64_t until_us, bool until_sent)
{
	unsigned turns = 0;

	for (;;) {
		uint64_t due_us = world_turn(w), limit_us = w->call_end_us + w->script->config.tolerance_us;

		if (w->call && w->now_us > limit_us)
			world_fail(w, w->call, "%.*s should have returned at %.6f, and has not", (int)w->call->call.name.len,
				w->call->call.name.at, world_seconds(w, w->call_end_us));
		if (++turns > TURNS_MAX)
			world_fail(w, NULL, "the stack does not come to rest at %.6f", world_seconds(w, w->now_us));
		if (*w->why || (until_sent && w->sent_at < w->sent_count))
			return;
		if (due_us > until_us && w->now_us >= until_us)
			return;
		if (due_us > w->now_us)
			turns = 0;
		if (w->call && due_us > limit_us)
			due_us = limit_us + 1;
		w->now_us = due_us < until_us ? due_us > w->now_us ? due_us : w->now_us : until_us;
	}
}

bool world_open(struct world *w, const struct script *script, const struct script_play *play, char *why)
{
	const struct script_config *c = &script->config;
	struct tcpu_stack_config stack = { .link = &w->link, .engine = c->engine, .turns = true };

	*w = (struct world){
		.script = script, .play = play, .why = why, .start_us = START_US, .now_us = START_US,
		.random = 88172645463325252ULL, .next_port = FIRST_PORT, .info_fd = -1,
		.host = { w, host_now, host_sleep, host_random },
		.link = { .ops = &link_ops, .segment_max = c->mtu - IP_HEADER, .window_max = 16 << 20 },
	};
	*why = 0;
	link_host_use(&w->host);
	if (stack_tcpu(&stack, &w->stack)) {
		link_host_use(NULL);
		return world_fail(w, NULL, "no stack: %s", strerrordesc_np(errno));
	}
	stack_default_tcpu(w->stack);
	sem_init(&w->to_call, 0, 0);
	sem_init(&w->to_main, 0, 0);
	if (pthread_create(&w->thread, NULL, calls, w)) {
		stack_close_tcpu(w->stack);
		link_host_use(NULL);
		return world_fail(w, NULL, "no thread");
	}
	return true;
}

void world_close(struct world *w)
{
	static const struct linger at_once = { 1, 0 };

	w->ending = true; /* a call that waits is interrupted */
	sem_post(&w->to_call);
	pthread_join(w->thread, NULL);
	w->call = NULL;
	for (unsigned i = 0; i < w->file_count; i++) {
		setsockopt_tcpu(w->files[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		close_tcpu(w->files[i].fd);
	}
	stack_default_tcpu(NULL);
	if (stack_close_tcpu(w->stack))
		world_fail(w, NULL, "the stack does not close: %s", strerrordesc_np(errno));
	link_host_use(NULL);
	for (unsigned i = w->sent_at; i < w->sent_count; i++)
		free(w->sent[i].bytes);
	sem_destroy(&w->to_call);
	sem_destroy(&w->to_main);
}

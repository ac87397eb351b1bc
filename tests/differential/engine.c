/* TCPU's side: an engine over a link of its own, that keeps what is sent. Its clock goes on half a second with each
 * call, so that limits on challenge ACKs are over, but never to a deadline: no timer fires. */
#include "core/plain.h"
#include "tests/differential/side.h"
#include "tests/sim_net.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEP_US 501000
#define LONG_US 1000000000U /* a timer that is never waited for */
#define QUEUE 256

struct engine_side {
	struct side side;
	struct link link;
	struct tcpu *engine;
	struct tcb *listener, *c;
	size_t bytes;        /* of memory that the engine holds */
	uint64_t now_us;
	struct packet queue[QUEUE];
	unsigned first, count;
};

static void *take(void *ctx, size_t bytes)
{
	struct engine_side *e = ctx;

	e->bytes += bytes;
	return malloc(bytes);
}

static void give(void *ctx, void *p, size_t bytes)
{
	struct engine_side *e = ctx;

	e->bytes -= bytes;
	free(p);
}

/* ---- the link ---- */

static int link_claim(struct link *l, struct link_addr *local)
{
	(void)l;
	(void)local;
	return 0;
}

static void link_release(struct link *l, const struct link_addr *local)
{
	(void)l;
	(void)local;
}

static int link_route(struct link *l, uint32_t remote_ip, uint32_t *local_ip)
{
	(void)l;
	(void)remote_ip;
	*local_ip = htonl(SIDE_LOCAL_IP);
	return 0;
}

static int link_send(struct link *l, const struct link_out *out, unsigned n)
{
	struct engine_side *e = (struct engine_side *)((char *)l - offsetof(struct engine_side, link));
	uint8_t tcp[PACKET_MAX];

	for (unsigned i = 0; i < n; i++) {
		struct packet *p = &e->queue[(e->first + e->count) % QUEUE];

		ck_assert_msg(e->count < QUEUE, "more than %d segments in answer to one step", QUEUE);
		ck_assert_uint_le(out[i].header_len + out[i].data_len, sizeof tcp);
		memcpy(tcp, out[i].header, out[i].header_len);
		if (out[i].data_len)
			memcpy(tcp + out[i].header_len, out[i].data, out[i].data_len);
		*p = (struct packet){ .src_ip = ntohl(out[i].src.ip), .dst_ip = ntohl(out[i].dst.ip) };
		packet_read(p, tcp, out[i].header_len + out[i].data_len);
		e->count++;
	}
	return (int)n;
}

static int link_recv(struct link *l, struct link_in *in, unsigned max)
{
	(void)l;
	(void)in;
	(void)max;
	return 0;
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

static const struct link_ops link_ops = { .claim = link_claim, .release = link_release, .route = link_route,
	.send = link_send, .recv = link_recv, .fd = link_fd, .close = link_close };

/* ---- the side ---- */

static struct engine_side *of(struct side *s)
{
	return (struct engine_side *)s;
}

static struct link_addr local(const struct side *s)
{
	return (struct link_addr){ htonl(SIDE_LOCAL_IP), htons(s->setting->local_port) };
}

static void tick(struct engine_side *e)
{
	uint64_t deadline = tcpu_deadline(e->engine), next = e->now_us + STEP_US;

	e->side.hurried = next >= deadline;
	e->now_us = next < deadline ? next : deadline > e->now_us ? deadline - 1 : e->now_us;
	tcpu_clock(e->engine, e->now_us);
}

static int begin(struct side *s)
{
	struct engine_side *e = of(s);
	const struct setting *k = s->setting;
	struct tcpu_config config = { .link = &e->link, .alloc = take, .free = give, .alloc_ctx = e, .now_us = e->now_us,
		.delack_us = TCPU_ACK_ON_FLUSH, .rto_initial_us = LONG_US, .rto_min_us = LONG_US, .rto_max_us = LONG_US,
		.msl_us = LONG_US, .options = { .fin_wait_us = LONG_US, .keep_idle_us = LONG_US, .congestion = "reno" } };

	config.without = (k->sack ? 0 : TCPU_NO_SACK) | (k->timestamps ? 0 : TCPU_NO_TIMESTAMPS) |
		(k->scaling ? 0 : TCPU_NO_SCALE);
	config.options.nodelay = k->nodelay;
	memcpy(config.secret, &k->seed, sizeof k->seed);
	e->c = e->listener = NULL;
	e->first = e->count = 0;
	s->written = 0;
	return tcpu_new(&config, &e->engine);
}

static void end(struct side *s)
{
	struct engine_side *e = of(s);

	tcpu_free(e->engine);
	ck_assert_msg(e->bytes == 0, "the engine keeps %zu bytes of memory", e->bytes);
}

static int side_listen(struct side *s)
{
	return tcpu_listen(of(s)->engine, local(s), 5, NULL, &of(s)->listener);
}

static bool side_accept(struct side *s)
{
	struct engine_side *e = of(s);

	return e->listener && !e->c && tcpu_accept(e->listener, &e->c) == 0;
}

static int side_connect(struct side *s)
{
	struct link_addr to = { htonl(SIDE_REMOTE_IP), htons(s->setting->remote_port) };

	return tcpu_connect(of(s)->engine, local(s), to, NULL, &of(s)->c);
}

static int side_write(struct side *s, const uint8_t *data, size_t len)
{
	struct plain_source p;

	plain_source(&p, data, len);
	return of(s)->c ? (int)tcpu_send(of(s)->c, &p.seam, 0) : -EBADF;
}

static int side_read(struct side *s, uint8_t *data, size_t cap)
{
	return of(s)->c ? (int)net_recv(of(s)->c, data, cap) : -EBADF;
}

static int side_shutdown(struct side *s)
{
	return of(s)->c ? tcpu_shutdown(of(s)->c) : -EBADF;
}

static int side_close(struct side *s)
{
	struct engine_side *e = of(s);

	if (!e->c)
		return -EBADF;
	tcpu_close(e->c);
	e->c = NULL;
	return 0;
}

static void input(struct side *s, const uint8_t *tcp, size_t len)
{
	struct engine_side *e = of(s);
	struct link_in in = { .src = { htonl(SIDE_REMOTE_IP), htons(s->setting->remote_port) }, .dst = local(s),
		.segment = tcp, .len = (uint32_t)len };

	tcpu_input(e->engine, &in);
}

static void flush(struct side *s)
{
	tcpu_flush(of(s)->engine);
	tick(of(s));
}

static bool hear(struct side *s, struct packet *p, bool patiently)
{
	struct engine_side *e = of(s);

	(void)patiently; /* it is never late */
	if (!e->count)
		return false;
	*p = e->queue[e->first];
	e->first = (e->first + 1) % QUEUE;
	e->count--;
	return true;
}

static enum tcpu_state state(struct side *s)
{
	enum tcpu_state now = of(s)->c ? net_state(of(s)->c) : TCPU_CLOSED;

	return now == TCPU_TIME_WAIT ? TCPU_CLOSED : now;
}

static unsigned ready(struct side *s)
{
	return of(s)->c ? tcpu_ready(of(s)->c) : 0;
}

static const struct side_ops ops = { "TCPU", begin, end, side_listen, side_accept, side_connect, side_write, side_read,
	side_shutdown, side_close, input, flush, hear, state, ready };

struct side *side_engine(void)
{
	static struct engine_side e = { .side = { .ops = &ops },
		.link = { .ops = &link_ops, .segment_max = 1480, .window_max = 1U << 30 } };

	return &e.side;
}

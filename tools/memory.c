/* tcpu memory: what a connection costs that nobody uses at the moment. An engine connects to itself over a link that
 * gives back what it is given, the last first; its allocator counts. */
#include "core/engine.h"
#include "core/plain.h"
#include "tools/tcpu.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IP 0x0100007f
#define PORTS 60000 /* connections at most: each has a port */
#define SEGMENT_MAX 1480
#define ROOM 256 /* segments under way */
#define MSS 100  /* so that few bytes are many segments, and fit a page */
#define USE 3000 /* bytes each way that make a connection a used one: more segments than small tables hold */

struct memory {
	struct link link;
	uint64_t bytes; /* that the engine holds */
	struct tcpu *engine;
	struct tcb *listener;
	uint64_t now_us;
	uint8_t (*segments)[SEGMENT_MAX]; /* under way */
	uint32_t *lens;
	unsigned count;
};

struct result {
	uint64_t ends;             /* of connections: two of each */
	double state, used;        /* bytes of an end before and after bytes went each way */
	double buffers;            /* of used: what holds the stream */
};

/* ---- the engine's world ---- */

static void *take(void *ctx, size_t bytes)
{
	((struct memory *)ctx)->bytes += bytes;
	return malloc(bytes);
}

static void give(void *ctx, void *p, size_t bytes)
{
	((struct memory *)ctx)->bytes -= bytes;
	free(p);
}

static int loop_claim(struct link *l, struct link_addr *local)
{
	(void)l;
	(void)local;
	return 0;
}

static void loop_release(struct link *l, const struct link_addr *local)
{
	(void)l;
	(void)local;
}

static int loop_route(struct link *l, uint32_t remote_ip, uint32_t *local_ip)
{
	(void)l;
	*local_ip = remote_ip;
	return 0;
}

static int loop_send(struct link *l, const struct link_out *out, unsigned n)
{
	struct memory *m = (struct memory *)l;

	for (unsigned i = 0; i < n && m->count < ROOM; i++) {
		memcpy(m->segments[m->count], out[i].header, out[i].header_len);
		memcpy(m->segments[m->count] + out[i].header_len, out[i].data, out[i].data_len);
		m->lens[m->count++] = out[i].header_len + out[i].data_len;
	}
	return (int)n;
}

static int loop_recv(struct link *l, struct link_in *in, unsigned max)
{
	(void)l;
	(void)in;
	(void)max;
	return 0;
}

static int loop_fd(const struct link *l)
{
	(void)l;
	return -1;
}

static void loop_close(struct link *l)
{
	(void)l;
}

static const struct link_ops loop = { .claim = loop_claim, .release = loop_release, .route = loop_route,
	.send = loop_send, .recv = loop_recv, .fd = loop_fd, .close = loop_close };

/* Until nothing is under way, and nothing waits for time. */
static void settle(struct memory *m)
{
	for (tcpu_flush(m->engine); m->count || tcpu_deadline(m->engine) != TCPU_NEVER; tcpu_flush(m->engine)) {
		unsigned n = m->count;

		m->now_us = n ? m->now_us + 1000 : tcpu_deadline(m->engine);
		tcpu_clock(m->engine, m->now_us);
		for (unsigned i = n; i--;) {
			struct link_in in = { .src.ip = IP, .dst.ip = IP, .segment = m->segments[i], .len = m->lens[i] };

			tcpu_input(m->engine, &in);
		}
		/* What that caused was put behind what has been read. */
		m->count -= n;
		memmove(m->segments, m->segments + n, m->count * sizeof *m->segments);
		memmove(m->lens, m->lens + n, m->count * sizeof *m->lens);
	}
}

/* ---- what is counted ---- */

static int send_some(struct tcb *c)
{
	static const char bytes[USE];
	struct plain_source p;

	plain_source(&p, bytes, USE);
	return tcpu_send(c, &p.seam, TCPU_SEND_NOW) == USE ? 0 : -EIO;
}

static int recv_some(struct tcb *c)
{
	char bytes[USE];
	struct plain_sink p;

	plain_sink(&p, bytes, USE);
	return tcpu_recv(c, &p.seam) == USE ? 0 : -EIO;
}

static int open_pair(struct memory *m, unsigned i, struct tcb *end[2])
{
	struct link_addr from = { IP, htobe16((uint16_t)(i + 1024)) }, to = { IP, htobe16(80) };
	int error = tcpu_connect(m->engine, from, to, &(struct tcpu_options){ .mss_max = MSS }, &end[0]);

	if (error)
		return error;
	settle(m);
	return tcpu_accept(m->listener, &end[1]);
}

static int use_pair(struct memory *m, struct tcb *end[2], uint64_t *buffers)
{
	int error = 0;

	for (int i = 0; i < 2 && !error; i++) {
		error = send_some(end[i]);
		settle(m);
		error = error ? error : recv_some(end[!i]);
		settle(m);
	}
	for (int i = 0; i < 2; i++) {
		struct tcpu_info info;

		tcpu_info(end[i], &info);
		*buffers += info.sndbuf_bytes + info.rcvbuf_bytes;
	}
	return error;
}

static int count(struct memory *m, unsigned pairs, struct result *r)
{
	struct tcb *(*end)[2] = calloc(pairs, sizeof *end);
	uint64_t base, buffers = 0;
	/* What the engine keeps for all of them is there once one has been used. */
	int error = end ? open_pair(m, pairs, end[0]) : -ENOMEM;

	error = error ? error : use_pair(m, end[0], &buffers);
	base = m->bytes;
	buffers = 0;
	for (unsigned i = 0; i < pairs && !error; i++)
		error = open_pair(m, i, end[i]);
	r->ends = 2 * (uint64_t)pairs;
	r->state = (double)(m->bytes - base) / (double)r->ends;
	for (unsigned i = 0; i < pairs && !error; i++)
		error = use_pair(m, end[i], &buffers);
	r->used = (double)(m->bytes - base) / (double)r->ends;
	r->buffers = (double)buffers / (double)r->ends;
	free(end);
	return error;
}

static int measure(unsigned pairs, struct result *r)
{
	struct memory m = { .link = { .ops = &loop, .segment_max = SEGMENT_MAX, .window_max = 1U << 30 } };
	struct tcpu_config config = { .link = &m.link, .alloc = take, .free = give, .alloc_ctx = &m,
		.connections_max = 2 * pairs + 2 };
	int error;

	m.segments = calloc(ROOM, sizeof *m.segments);
	m.lens = calloc(ROOM, sizeof *m.lens);
	error = m.segments && m.lens ? tcpu_new(&config, &m.engine) : -ENOMEM;
	if (!error) {
		error = tcpu_listen(m.engine, (struct link_addr){ IP, htobe16(80) }, 1, NULL, &m.listener);
		error = error ? error : count(&m, pairs, r);
		tcpu_free(m.engine);
	}
	free(m.segments);
	free(m.lens);
	return error;
}

/* ---- the verb ---- */

struct arguments {
	unsigned pairs;
	bool json;
};

static const struct argp_option options[] = {
	{ "connections", 'n', "N", 0, "so many [1000]", 0 },
	{ "json", 'j', NULL, 0, "as JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	uint64_t n;

	switch (key) {
	case 'n':
		n = size_parse(arg);
		if (n < 1 || n > PORTS)
			argp_error(state, "'%s': a number from 1 to %d was expected", arg, PORTS);
		a->pairs = (unsigned)n;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void tell(const struct result *r)
{
	printf("bytes of memory, on the average of %" PRIu64 " ends of connections that are idle:\n"
		"%8.0f  before anything was sent\n"
		"%8.0f  after %d bytes each way, in the wrong order; of them\n"
		"%8.0f  ring buffers for the stream\n"
		"%8.0f  beyond them: state, and what the buffers hold beside bytes\n",
		r->ends, r->state, r->used, USE, r->buffers, r->used - r->buffers);
}

static void tell_json(const struct result *r)
{
	json_t *j = json_pack("{s:I, s:f, s:f, s:f, s:f}", "ends", (json_int_t)r->ends, "unused_bytes", r->state,
		"used_bytes", r->used, "buffers_bytes", r->buffers, "beyond_buffers_bytes", r->used - r->buffers);

	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(j);
}

int verb_memory(int argc, char **argv)
{
	struct arguments a = { .pairs = 1000 };
	struct argp argp = { .options = options, .parser = parse,
		.doc = "Counts the memory that the engine holds for connections that are idle: their state, their places in its "
			"tables, their buffers.\vExample: tcpu memory --connections 10000" };
	struct result r = { 0 };
	int error;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	error = measure(a.pairs, &r);
	if (error) {
		fprintf(stderr, "tcpu memory: %s\n", strerror(-error));
		return TCPU_FAILED;
	}
	(a.json ? tell_json : tell)(&r);
	return TCPU_OK;
}

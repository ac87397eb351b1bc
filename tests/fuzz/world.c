#include "tests/fuzz/world.h"

#include "core/cksum.h"
#include "tests/invariants.h"

#include <errno.h>
#include <string.h>

#define MEMORY_MAX (8u << 20) /* bytes: more than all that the engine was told it may have */

static const uint32_t ip[2] = { 0x0100000a, 0x0200000a }; /* network byte order on any machine that is little-endian */

struct link_addr world_local(void)
{
	return (struct link_addr){ ip[0], 0x5000 };
}

struct link_addr world_remote(uint32_t which)
{
	return (struct link_addr){ ip[1], (uint16_t)(0x0004 + (which % 8 << 8)) };
}

uint8_t world_byte(int way, uint32_t off)
{
	return (uint8_t)((off + (uint32_t)way * 0x10001) * 2654435761u >> 24);
}

/* ---- memory ---- */

static void *take(void *ctx, size_t bytes)
{
	struct world *w = ctx;
	void *p = NULL;

	if (w->fail_each == 0 || ++w->calls % w->fail_each)
		p = malloc(bytes);
	if (!p)
		return NULL;
	memset(p, 0xa5, bytes);
	w->blocks++;
	w->bytes += bytes;
	must(w->bytes < MEMORY_MAX);
	return p;
}

static void give(void *ctx, void *p, size_t bytes)
{
	struct world *w = ctx;

	must(w->blocks-- && w->bytes >= bytes);
	w->bytes -= bytes;
	free(p);
}

/* ---- the link ---- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void check_data(const struct world *w, const struct link_out *o)
{
	const struct tcb *c = tcb_find(w->engine, o->src, o->dst);
	uint32_t off;

	if (!c) /* its last words, or nobody's */
		return;
	off = get32(o->header + 4) - (c->iss + 1);
	for (uint32_t i = 0; i < o->data_len; i++)
		must(o->data[i] == world_byte(WORLD_OUT, off + i));
}

static void check_out(const struct world *w, const struct link_out *o)
{
	uint32_t len = o->header_len + o->data_len;

	must(o->header_len >= 20 && o->header_len <= 60 && o->header[12] >> 4 == o->header_len / 4);
	must(len <= w->link.segment_max);
	must(!memcmp(o->header, &o->src.port, 2) && !memcmp(o->header + 2, &o->dst.port, 2));
	must(!options_read(o->header + 20, o->header_len - 20).malformed);
	must(tcpu_sum_fold((uint64_t)tcpu_sum_pseudo(o->src.ip, o->dst.ip, len) + tcpu_sum(o->header, o->header_len) +
		tcpu_sum(o->data, o->data_len)) == 0xffff);
	check_data(w, o);
}

static int send(struct link *link, const struct link_out *out, unsigned n)
{
	struct world *w = (struct world *)link;

	n = n < w->room ? n : w->room;
	w->room -= n;
	for (unsigned i = 0; i < n; i++)
		check_out(w, &out[i]);
	return (int)n;
}

static const struct link_ops ops = { .send = send };

/* ---- users ---- */

static size_t fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct world_user *u = ctx;
	size_t n = u->budget < cap ? u->budget : cap;

	must(off == u->sent);
	for (size_t i = 0; i < n; i++)
		dst[i] = world_byte(WORLD_OUT, (uint32_t)(off + i));
	if (sum)
		*sum = tcpu_sum(dst, n);
	u->sent += n;
	u->budget -= n;
	return n;
}

static size_t drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct world_user *u = ctx;

	must(off == u->come && u->taken == 0 && len > 0);
	if (++u->asked % 5 == 0)
		return 0;
	if (sum)
		*sum = tcpu_sum(data, len);
	else
		len -= len / 3;
	u->wrong = false;
	for (size_t i = 0; i < len; i++)
		u->wrong |= data[i] != world_byte(WORLD_IN, (uint32_t)(off + i));
	u->taken = len;
	return len;
}

static struct world *world; /* of whom settle must know whether it is tainted */

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	struct world_user *u = ctx;

	must(off == u->come && n == u->taken);
	must(!(good && u->wrong && !world->tainted));
	if (good)
		u->come += n;
	u->taken = 0;
	u->sink.done = off % 7 == 0;
}

static void hold(struct world *w, struct tcb *c)
{
	for (int i = 0; i < WORLD_USERS; i++) {
		struct world_user *u = &w->user[i];

		if (u->c)
			continue;
		*u = (struct world_user){ .c = c, .source = { .fill = fill, .ctx = u },
			.sink = { .drain = drain, .settle = settle, .ctx = u } };
		return;
	}
	tcpu_abort(c);
}

static void set_options(struct world *w, struct tcb *c)
{
	static const char *const name[] = { "cubic", "reno", "none", "" };
	struct tcpu_options o;
	uint32_t what = take8(&w->in);

	tcpu_options(c, &o);
	o.nodelay = what & 1;
	o.cork = what & 2;
	o.quickack = what & 4;
	o.keepalive = what & 8;
	o.keep_idle_us = 1000000 * (1 + what % 16);
	o.user_timeout_us = what & 16 ? 3000000 : 0;
	o.pacing_max_bps = what & 32 ? 100000 : 0;
	strcpy(o.congestion, name[what >> 6]);
	must(tcpu_set_options(c, &o) == (what >> 6 == 2 ? -ENOENT : 0));
}

static void look(struct tcb *c)
{
	struct tcpu_info info;
	uint8_t bytes[100];
	uint64_t off = c->rcv.read;
	ssize_t n = tcpu_peek(c, bytes, sizeof bytes);

	for (ssize_t i = 0; i < n; i++)
		must(world->tainted || bytes[i] == world_byte(WORLD_IN, (uint32_t)(off + (uint64_t)i)));
	tcpu_info(c, &info);
	must(tcpu_ready(c) < 16);
	must(tcpu_state_name(info.state)[0] != '?');
	tcpu_error(c);
}

static void call_open(struct world *w, uint32_t what)
{
	struct tcb *c;

	if (what == 0) {
		if (w->listener && !tcpu_accept(w->listener, &c))
			hold(w, c);
	} else if (what == 1) {
		struct link_addr local = world_local();

		local.port ^= 0x0100;
		if (!tcpu_connect(w->engine, local, world_remote(take8(&w->in)), NULL, &c))
			hold(w, c);
	} else if (w->listener) {
		tcpu_close(w->listener);
		w->listener = NULL;
	} else if (tcpu_listen(w->engine, world_local(), 2, NULL, &w->listener)) {
		w->listener = NULL;
	}
}

static void call_send(struct world *w, struct world_user *u)
{
	uint32_t how = take8(&w->in);
	uint64_t before = u->sent;
	ssize_t n;

	u->budget = (how >> 3) * 150 + 1;
	u->source.record = how & 4;
	u->source.trains = how & 0x80;
	n = tcpu_send(u->c, &u->source, how & 3);
	must(u->sent - before == (n > 0 ? (uint64_t)n : 0));
}

static void call_recv(struct world_user *u)
{
	uint64_t before = u->come;
	ssize_t n;

	u->sink.done = false;
	n = tcpu_recv(u->c, &u->sink);
	must(u->come - before == (n > 0 ? (uint64_t)n : 0));
}

void world_call(struct world *w, uint32_t what)
{
	struct world_user *u = &w->user[what % WORLD_USERS];

	world = w;
	what = what / WORLD_USERS % 16;
	if (what < 3)
		call_open(w, what);
	if (what < 3 || !u->c)
		return;
	if (what < 6)
		call_send(w, u);
	else if (what < 8)
		call_recv(u);
	else if (what < 10)
		tcpu_sink(u->c, what == 8 ? &u->sink : NULL);
	else if (what < 11)
		set_options(w, u->c);
	else if (what < 12)
		look(u->c);
	else if (what < 14)
		tcpu_shutdown(u->c);
	else if (what < 15)
		tcpu_close(u->c);
	else
		tcpu_abort(u->c);
	if (what >= 14)
		u->c = NULL;
}

/* ---- the world ---- */

void world_open(struct world *w, struct input in)
{
	uint32_t a, b;
	struct tcpu_config k = { .link = &w->link, .alloc = take, .free = give, .alloc_ctx = w, .connections_max = 6,
		.syn_backlog = 2, .rcvbuf_max = 400000, .options.sndbuf_bytes = 30000 };

	memset(w, 0, sizeof *w);
	world = w;
	w->in = in;
	a = take8(&w->in);
	b = take8(&w->in);
	w->link = (struct link){ .ops = &ops, .segment_max = b & 1 ? 200 : 1480 };
	w->room = UINT32_MAX;
	w->now_us = k.now_us = 1000000;
	w->vouched = a & 64;
	w->fail_each = b & 2 ? 5 : 0;
	k.without = a & 15;
	k.ecn = a & 16;
	k.pacing = a & 32;
	k.delack_us = a & 128 ? TCPU_ACK_ON_FLUSH : 0;
	k.isn_fixed = b & 4;
	k.isn = 0xfffffff0;
	k.options.rcvbuf_bytes = b & 8 ? 3000 : 0;
	k.options.mss_max = b & 16 ? 100 : 0;
	strcpy(k.options.congestion, b & 32 ? "reno" : "cubic");
	memset(k.secret, (int)(b >> 6), sizeof k.secret);
	if (tcpu_new(&k, &w->engine)) /* the first call finds memory, the fifth may not */
		abort();
	if (tcpu_listen(w->engine, world_local(), 2, NULL, &w->listener))
		w->listener = NULL;
}

static void whole(const char *broken)
{
	if (!broken)
		return;
	fprintf(stderr, "not so: %s\n", broken);
	abort();
}

void world_check(struct world *w)
{
	whole(engine_broken(w->engine));
}

void world_flush(struct world *w)
{
	tcpu_flush(w->engine);
	whole(flushed_engine_broken(w->engine));
}

void world_clock(struct world *w, uint64_t now_us)
{
	w->now_us = now_us > w->now_us ? now_us : w->now_us;
	tcpu_clock(w->engine, w->now_us);
}

void world_put(struct world *w, struct link_addr src, struct link_addr dst, uint8_t *segment, uint32_t len, bool spoil,
	uint8_t ecn)
{
	struct link_in in = { .src = src, .dst = dst, .len = len, .vouched = w->vouched, .ecn = ecn };
	uint8_t *copy = malloc(len + !len); /* a read behind its end is seen */
	uint16_t sum;

	world = w;
	memcpy(copy, segment, len);
	if (len >= 20) {
		memset(copy + 16, 0, 2);
		sum = tcpu_sum_fold((uint64_t)tcpu_sum_pseudo(src.ip, dst.ip, len) + tcpu_sum(copy, len));
		sum = (uint16_t)~sum;
		memcpy(copy + 16, &sum, 2);
		if (spoil && !w->vouched)
			copy[len - 1] ^= 0x40;
	}
	in.segment = copy;
	tcpu_input(w->engine, &in);
	free(copy);
}

struct tcb *world_connection(const struct world *w, uint32_t which)
{
	return w->engine->heap_count ? w->engine->heap[which % w->engine->heap_count] : NULL;
}

void world_close(struct world *w)
{
	w->fail_each = 0;
	w->room = UINT32_MAX;
	for (int i = 0; i < WORLD_USERS; i++)
		if (w->user[i].c)
			tcpu_close(w->user[i].c);
	if (w->listener)
		tcpu_close(w->listener);
	world_flush(w);
	/* No peer answers any more: whatever state a connection is in, it ends. */
	for (int turns = 0; tcpu_count(w->engine); turns++) {
		must(turns < 10000 && tcpu_deadline(w->engine) != TCPU_NEVER);
		world_clock(w, tcpu_deadline(w->engine));
		world_flush(w);
	}
	tcpu_free(w->engine);
	must(w->blocks == 0 && w->bytes == 0);
}

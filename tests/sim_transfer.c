/* Whole transfers between two engines in virtual time, under every kind of fault that a network has: every byte is
 * compared, both ends close as RFC 9293 says, nothing leaks, and all of it within bounded virtual time.
 *
 *	TCPU_CASE=loss_5 build/gcc/tests/sim_transfer			runs one case
 *	TCPU_CASE=loss_5 TCPU_SEED=17 build/gcc/tests/sim_transfer	one seed of it, any, without forking
 *	TCPU_TRACE=1 ...						and prints each segment */
#include "tests/run.h"
#include "tests/sim_net.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct transfer {
	const char *name;
	unsigned seeds;
	uint32_t bytes[2];        /* that peer i sends, at most */
	struct link_sim_path path[2];
	uint32_t segment_max[2], sndbuf[2], rcvbuf[2];
	uint32_t read_max;        /* a slow reader takes so much at a time, 0: all */
	bool read_odd;            /* or less: pieces of one odd size for a while, then of another */
	uint64_t read_from_us;    /* beginning not before */
	uint64_t read_every_us;   /* and so often */
	uint32_t wrap_max;        /* ISNs lie less than so much below 2^32, 0: anywhere */
	uint64_t limit_us;        /* of virtual time, until both ends are closed */
};

#define BOTH(...) { { __VA_ARGS__ }, { __VA_ARGS__ } }
#define KIB 1024U
#define MIXED(p) BOTH(.loss = (p), .duplicate = 0.05, .corrupt = 0.02, .reorder = 0.1, .reorder_us = 30000, \
	.delay_us = 10000, .jitter_us = 5000)

static const struct transfer transfers[] = {
	{ "clean", 48, { 300 * KIB, 0 }, BOTH(.delay_us = 5000), .limit_us = 20 * NET_S },
	{ "instant", 32, { 300 * KIB, 300 * KIB }, BOTH(.delay_us = 0), .limit_us = 20 * NET_S },
	{ "both_ways", 48, { 200 * KIB, 200 * KIB }, BOTH(.delay_us = 5000, .rate_bps = 50000000, .queue_bytes = 60000),
	  .limit_us = 60 * NET_S },
	{ "loss_1", 64, { 300 * KIB, 0 }, BOTH(.loss = 0.01, .delay_us = 10000), .limit_us = 600 * NET_S },
	{ "loss_5", 64, { 150 * KIB, 50 * KIB }, BOTH(.loss = 0.05, .delay_us = 10000), .limit_us = 1200 * NET_S },
	{ "loss_20", 64, { 30 * KIB, 10 * KIB }, BOTH(.loss = 0.2, .delay_us = 10000), .limit_us = 7200 * NET_S },
	{ "reorder", 64, { 200 * KIB, 50 * KIB }, BOTH(.reorder = 0.3, .reorder_us = 20000, .delay_us = 10000),
	  .limit_us = 300 * NET_S },
	{ "duplicate", 64, { 200 * KIB, 50 * KIB }, BOTH(.duplicate = 0.3, .jitter_us = 3000, .delay_us = 10000),
	  .limit_us = 300 * NET_S },
	{ "corrupt", 64, { 100 * KIB, 50 * KIB }, BOTH(.corrupt = 0.1, .delay_us = 10000), .limit_us = 3600 * NET_S },
	{ "all", 96, { 60 * KIB, 60 * KIB },
	  BOTH(.loss = 0.05, .duplicate = 0.05, .corrupt = 0.05, .reorder = 0.1, .reorder_us = 30000, .delay_us = 10000,
	       .jitter_us = 10000, .rate_bps = 10000000, .queue_bytes = 30000), .limit_us = 3600 * NET_S },
	{ "mixed_0", 250, { 60 * KIB, 20 * KIB }, MIXED(0), .limit_us = 3600 * NET_S },
	{ "mixed_1", 250, { 60 * KIB, 20 * KIB }, MIXED(0.01), .limit_us = 3600 * NET_S },
	{ "mixed_5", 250, { 40 * KIB, 20 * KIB }, MIXED(0.05), .limit_us = 3600 * NET_S },
	{ "mixed_20", 250, { 20 * KIB, 10 * KIB }, MIXED(0.2), .limit_us = 7200 * NET_S },
	{ "queue", 48, { 300 * KIB, 0 }, BOTH(.delay_us = 20000, .rate_bps = 8000000, .queue_bytes = 8000),
	  .limit_us = 600 * NET_S },
	{ "tiny_buffers", 64, { 40 * KIB, 40 * KIB }, BOTH(.loss = 0.02, .delay_us = 3000), .sndbuf = { 3000, 6000 },
	  .rcvbuf = { 2500, 1500 }, .limit_us = 1200 * NET_S },
	{ "asymmetric", 48, { 200 * KIB, 20 * KIB },
	  { { .delay_us = 2000, .rate_bps = 100000000, .queue_bytes = 100000 },
	    { .delay_us = 50000, .rate_bps = 200000, .queue_bytes = 6000, .loss = 0.02 } }, .limit_us = 1200 * NET_S },
	{ "small_mss", 48, { 20 * KIB, 20 * KIB }, BOTH(.loss = 0.02, .delay_us = 3000), .segment_max = { 108, 150 },
	  .limit_us = 1200 * NET_S },
	{ "mixed_mss", 48, { 600 * KIB, 100 * KIB }, BOTH(.loss = 0.02, .delay_us = 3000),
	  .segment_max = { 65535, 1480 }, .limit_us = 600 * NET_S },
	{ "jumbo", 48, { 2000 * KIB, 100 * KIB }, BOTH(.loss = 0.02, .delay_us = 1000),
	  .segment_max = { 65507, 65507 }, .limit_us = 600 * NET_S },
	{ "slow_reader", 48, { 60 * KIB, 0 }, BOTH(.loss = 0.02, .delay_us = 3000), .rcvbuf = { 0, 8000 },
	  .read_max = 3000, .read_every_us = 2 * NET_S, .limit_us = 1200 * NET_S },
	/* The default buffer and so a scaled window, which is rounded, filled to the last byte before the reader wakes. */
	{ "odd_reader", 48, { 400 * KIB, 0 }, BOTH(.delay_us = 1000), .read_max = 1460, .read_odd = true,
	  .read_from_us = 20 * NET_S, .read_every_us = 20 * NET_MS, .limit_us = 1200 * NET_S },
	{ "odd_reader_loss", 48, { 400 * KIB, 0 }, BOTH(.loss = 0.02, .reorder = 0.05, .reorder_us = 3000, .delay_us = 1000),
	  .read_max = 1460, .read_odd = true, .read_from_us = 20 * NET_S, .read_every_us = 20 * NET_MS,
	  .limit_us = 1200 * NET_S },
	{ "wrap", 64, { 80 * KIB, 80 * KIB }, BOTH(.loss = 0.05, .reorder = 0.1, .reorder_us = 20000, .delay_us = 10000),
	  .wrap_max = 50000, .limit_us = 1200 * NET_S },
	{ "wrap_at_once", 48, { 40 * KIB, 40 * KIB }, BOTH(.loss = 0.1, .delay_us = 0), .wrap_max = 3,
	  .limit_us = 1200 * NET_S },
	{ "long_delay", 32, { 300 * KIB, 10 * KIB }, BOTH(.loss = 0.005, .delay_us = 3 * NET_S),
	  .limit_us = 7200 * NET_S },
};
#define TRANSFERS (sizeof transfers / sizeof *transfers)

/* ---- an application at each end: sends its bytes in uneven pieces, compares what comes, closes ---- */

struct end {
	struct seam_source source;
	struct seam_sink sink;
	struct net *net;
	struct tcb *c;
	int me;
	uint64_t to_send, sent;
	uint64_t to_come, come;
	uint64_t taken;       /* by the sink and not yet settled */
	size_t budget;        /* what the source gives in this turn */
	bool direct;          /* leaves its sink in place */
	bool late;            /* closes its direction only after the other */
	bool shut, ended, closed;
	uint64_t next_read_us;
	uint32_t piece, pieces; /* of an odd reader: the size, and how many more */
};

struct run {
	const struct transfer *t;
	struct net net;
	struct end end[2];
	struct tcb *listener;
};

static uint8_t byte_at(int from, uint64_t off)
{
	uint64_t x = (off + 1) * 0x9e3779b97f4a7c15 ^ (uint64_t)from << 56;

	return (uint8_t)(x >> 32 ^ x >> 56);
}

static size_t fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct end *e = ctx;
	size_t n = e->to_send - e->sent < cap ? e->to_send - e->sent : cap;
	uint32_t words = 0;

	n = n < e->budget ? n : e->budget;
	ck_assert_uint_eq(off, e->sent);
	for (size_t i = 0; i < n; i++) {
		dst[i] = byte_at(e->me, off + i);
		words += (uint32_t)dst[i] << (i & 1 ? 8 : 0);
		words = (words & 0xffff) + (words >> 16);
	}
	if (sum)
		*sum = (uint16_t)words; /* memory order on a little-endian machine: this sum is this test's own */
	e->sent += n;
	e->budget -= n;
	return n;
}

static size_t drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct end *e = ctx;
	uint32_t words = 0;

	ck_assert_uint_eq(off, e->come);
	ck_assert_uint_eq(e->taken, 0);
	if (sum && link_sim_chance(e->net->sim, 0.1))
		return 0;
	if (!sum && len > 1 && link_sim_chance(e->net->sim, 0.2))
		len = 1 + link_sim_random(e->net->sim) % (len - 1);
	for (size_t i = 0; i < len; i++) {
		if (!sum && data[i] != byte_at(!e->me, off + i))
			ck_abort_msg("byte %llu is wrong", (unsigned long long)(off + i));
		words += (uint32_t)data[i] << (i & 1 ? 8 : 0);
		words = (words & 0xffff) + (words >> 16);
		e->taken += data[i] == byte_at(!e->me, off + i);
	}
	/* Nothing that a checksum of 16 bits can miss is in these tests' faults, so good and right are one. */
	if (sum) {
		*sum = (uint16_t)words;
		e->taken = len | (uint64_t)(e->taken != len) << 63;
	} else {
		e->taken = len;
	}
	return len;
}

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	struct end *e = ctx;

	ck_assert_uint_eq(off, e->come);
	ck_assert_uint_eq(n, e->taken & ~(1ULL << 63));
	if (good) {
		ck_assert_msg(!(e->taken >> 63), "wrong bytes at %llu passed for good", (unsigned long long)off);
		e->come += n;
		ck_assert_uint_le(e->come, e->to_come);
	}
	e->taken = 0;
}

static uint32_t next_piece(struct run *r, struct end *e)
{
	static const uint32_t odd[] = { 1, 1001, 1460 };

	if (!r->t->read_odd)
		return r->t->read_max;
	if (!e->pieces--) {
		e->piece = odd[link_sim_random(r->net.sim) % 3];
		e->pieces = (uint32_t)(link_sim_random(r->net.sim) % 100);
	}
	return e->piece;
}

/* A slow reader's limit: takes at most what it may at a time. */
static void read_slowly(struct run *r, struct end *e)
{
	uint64_t before = e->come;
	uint8_t byte[3000];
	ssize_t n;

	if (r->net.now_us < e->next_read_us) {
		r->net.app_wake_us = e->next_read_us < r->net.app_wake_us ? e->next_read_us : r->net.app_wake_us;
		return;
	}
	ck_assert_uint_le(r->t->read_max, sizeof byte);
	n = net_recv(e->c, byte, next_piece(r, e));
	for (ssize_t i = 0; i < n; i++)
		if (byte[i] != byte_at(!e->me, before + (uint64_t)i))
			ck_abort_msg("byte %llu is wrong", (unsigned long long)before + (unsigned long long)i);
	e->come += n > 0 ? (uint64_t)n : 0;
	e->ended = !n;
	if (n > 0)
		e->next_read_us = r->net.now_us + r->t->read_every_us;
	if (!e->ended && e->next_read_us > r->net.now_us)
		r->net.app_wake_us = e->next_read_us < r->net.app_wake_us ? e->next_read_us : r->net.app_wake_us;
}

static void end_send(struct run *r, struct end *e)
{
	ssize_t n;

	e->budget = 1 + link_sim_random(r->net.sim) % 20000;
	n = tcpu_send(e->c, &e->source, link_sim_chance(r->net.sim, 0.5) ? TCPU_SEND_NOW : 0);
	ck_assert_msg(n >= 0 || n == -EAGAIN, "send: %s", strerror((int)-n));
	/* More is at hand than this turn's budget; the engine need not wake us for it. */
	if (e->sent < e->to_send && !e->budget)
		r->net.app_wake_us = r->net.now_us + 1;
	if (e->sent == e->to_send && (e->ended || !e->late) && (tcpu_ready(e->c) & TCPU_OUT)) {
		e->shut = true;
		ck_assert_int_eq(tcpu_shutdown(e->c), 0);
	}
}

static void end_recv(struct run *r, struct end *e)
{
	ssize_t n;

	if (r->t->read_max) {
		read_slowly(r, e);
		return;
	}
	while ((n = tcpu_recv(e->c, &e->sink)) > 0)
		continue;
	ck_assert_msg(n == 0 || n == -EAGAIN, "recv: %s", strerror((int)-n));
	e->ended = n == 0;
}

static void end_turn(struct run *r, struct end *e)
{
	if (e->closed)
		return;
	if (!e->ended)
		end_recv(r, e);
	if (!e->shut)
		end_send(r, e);
	if (e->ended && e->shut) {
		ck_assert_uint_eq(e->come, e->to_come);
		tcpu_close(e->c);
		e->closed = true;
	}
}

static void app(struct net *n, int peer, void *ctx)
{
	struct run *r = ctx;
	struct end *e = &r->end[peer];

	if (!e->c && peer == 1 && !e->closed) {
		if (tcpu_accept(r->listener, &e->c))
			return;
		tcpu_close(r->listener);
		r->listener = NULL;
		if (e->direct)
			tcpu_sink(e->c, &e->sink);
	}
	(void)n;
	if (e->c)
		end_turn(r, e);
}

/* ---- a run ---- */

static bool both_closed(struct net *n, void *ctx)
{
	struct run *r = ctx;

	(void)n;
	return r->end[0].closed && r->end[1].closed;
}

static bool both_gone(struct net *n, void *ctx)
{
	(void)ctx;
	return !tcpu_count(n->peer[0].engine) && !tcpu_count(n->peer[1].engine);
}

static void configure(struct run *r, uint64_t seed)
{
	struct net_config c = { .seed = seed };

	for (int i = 0; i < 2; i++) {
		c.path[i] = r->t->path[i];
		c.segment_max[i] = r->t->segment_max[i];
		/* Two seeds of four send trains, of which the road loses segments; short ones and long ones. */
		c.train_max[i] = seed >> 1 & 1 ? (seed >> 2 & 1 ? 65515 : 4 * 1480) : 0;
		c.below_wrap[i] = r->t->wrap_max ? 1 + (uint32_t)(seed * 7919 * (1 + (unsigned)i)) % r->t->wrap_max : 0;
		c.engine[i].options.sndbuf_bytes = r->t->sndbuf[i];
		c.engine[i].options.rcvbuf_bytes = r->t->rcvbuf[i];
		/* Every other seed acknowledges as the inline driver does. */
		c.engine[i].delack_us = seed & 1 ? TCPU_ACK_ON_FLUSH : 0;
		/* On a path that loses a fifth, 15 timeouts in a row are not rare enough. */
		c.engine[i].options.data_retries = c.engine[i].options.syn_retries = 40;
	}
	net_open(&r->net, &c);
}

static void run_transfer(const struct transfer *t, uint64_t seed)
{
	static struct run r;

	memset(&r, 0, sizeof r);
	r.t = t;
	configure(&r, seed);
	net_trace(&r.net);
	for (int i = 0; i < 2; i++) {
		struct end *e = &r.end[i];

		e->source = (struct seam_source){ .fill = fill, .ctx = e };
		e->sink = (struct seam_sink){ .drain = drain, .settle = settle, .ctx = e };
		e->net = &r.net;
		e->me = i;
		e->next_read_us = t->read_from_us;
		e->direct = !t->read_max && link_sim_chance(r.net.sim, 0.7);
		e->to_send = t->bytes[i] ? link_sim_random(r.net.sim) % t->bytes[i] : 0;
	}
	if (link_sim_chance(r.net.sim, 0.8))
		r.end[link_sim_random(r.net.sim) & 1].late = true;
	r.end[0].to_come = r.end[1].to_send;
	r.end[1].to_come = r.end[0].to_send;
	r.listener = net_listen(&r.net, 1);
	r.end[0].c = net_connect(&r.net);
	if (r.end[0].direct)
		tcpu_sink(r.end[0].c, &r.end[0].sink);
	r.net.app = app;
	r.net.app_ctx = &r;
	ck_assert_msg(net_until(&r.net, both_closed, &r, t->limit_us),
		      "not closed: sent %llu of %llu, %llu of %llu; %llu and %llu came",
		      (unsigned long long)r.end[0].sent, (unsigned long long)r.end[0].to_send,
		      (unsigned long long)r.end[1].sent, (unsigned long long)r.end[1].to_send,
		      (unsigned long long)r.end[1].come, (unsigned long long)r.end[0].come);
	/* LAST-ACK may last as long as its retransmissions, TIME-WAIT 60 s. */
	ck_assert_msg(net_until(&r.net, both_gone, NULL, 3600 * NET_S), "%u and %u connections are left",
		      tcpu_count(r.net.peer[0].engine), tcpu_count(r.net.peer[1].engine));
	net_close(&r.net);
}

static void check_name(const char *name)
{
	for (size_t i = 0; i < TRANSFERS; i++)
		if (!name || !strcmp(transfers[i].name, name))
			return;
	fprintf(stderr, "TCPU_CASE=%s: there is no such case; there are:", name);
	for (size_t i = 0; i < TRANSFERS; i++)
		fprintf(stderr, " %s", transfers[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

/* Check hands a test one number: of the case, and of the seed. */
#define SEEDS_MAX 1000000

START_TEST(seed)
{
	const struct transfer *t = &transfers[_i / SEEDS_MAX];
	int chosen = _i % SEEDS_MAX;
	char environment[100];

	snprintf(environment, sizeof environment, "TCPU_CASE=%s TCPU_SEED=%d", t->name, chosen);
	net_repeat(environment);
	run_transfer(t, (uint64_t)chosen);
	net_repeat(NULL);
}
END_TEST

int main(void)
{
	const char *name = getenv("TCPU_CASE"), *seed_text = getenv("TCPU_SEED");
	int from = seed_text ? atoi(seed_text) : 0;
	Suite *suite = suite_create("sim_transfer");
	SRunner *runner = srunner_create(suite);

	check_name(name);
	for (int i = 0; i < (int)TRANSFERS; i++) {
		TCase *tc = tcase_create(transfers[i].name);
		int base = i * SEEDS_MAX;

		suite_add_tcase(suite, tc);
		tcase_set_timeout(tc, 60);
		if (!name || !strcmp(name, transfers[i].name))
			tcase_add_loop_test(tc, seed, base + from,
					    base + (seed_text ? from + 1 : (int)transfers[i].seeds));
	}
	if (seed_text)
		srunner_set_fork_status(runner, CK_NOFORK);
	net_repeat_open();
	return run_tests(runner);
}

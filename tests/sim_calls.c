/* Random calls of core/engine.h on many connections of two engines, over a random network, with a link that is full
 * now and then and an allocator that now and then has nothing: whatever the order, the engines' own structures hold
 * together after every step, every byte that comes is the one that was sent, what was sent comes once the network is
 * good again, and after the last close nothing is left.
 *
 *	TCPU_SEEDS=5000 build/gcc/tests/sim_calls	runs so many seeds
 *	TCPU_SEED=17 build/gcc/tests/sim_calls		runs one, any, without forking
 *	TCPU_TRACE=1 ...				and prints each segment */
#include "core/cksum.h"
#include "core/tcb.h"
#include "tests/invariants.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 200
#define STEPS 1500
#define FLOWS 512 /* connections of an engine that the test holds, or has held */
#define OLD_PORTS 6
#define FIRST_PORT 49152 /* where the net puts ISNs below the wrap */

/* A connection as its user knows it; its place outlives it, so that the other end can ask what was sent. */
struct flow {
	struct tcb *c; /* NULL: closed */
	struct seam_source source;
	struct seam_sink sink;
	int me;
	uint64_t sent, come;
	uint64_t budget;  /* what the source still gives in this call */
	uint64_t taken;   /* by the sink and not yet settled */
	bool wrong;       /* and among them was a byte that the peer did not send */
	uint64_t out_key; /* names the stream that it sends, and its bytes */
	bool ended;       /* its user has seen the end of what came */
};

static struct net net;
static struct flow flows[2][FLOWS];
static unsigned flow_count[2], connects;
static struct tcb *listener[2];
static bool fresh; /* no pair of addresses is used twice, so that no old segment can be taken for a new one */
static bool narrow; /* the link is full now and then */
static bool no_memory;

static uint64_t rnd(uint64_t n)
{
	return link_sim_random(net.sim) % n;
}

/* An assertion of Check costs a system call; these are made a million times. */
#define must(what) \
	do { \
		if (!(what)) \
			ck_abort_msg("not so at %llu us: %s", (unsigned long long)net.now_us, #what); \
	} while (0)

/* ---- bytes ---- */

static uint64_t key_of(struct link_addr from, struct link_addr to, uint32_t iss)
{
	uint64_t ports = (uint64_t)from.port << 16 | to.port;

	return (ports * 0x9e3779b97f4a7c15 + from.ip) ^ iss * 0xbf58476d1ce4e5b9;
}

static uint8_t byte_at(uint64_t key, uint64_t off)
{
	return (uint8_t)(((key + off) * 0x94d049bb133111eb) >> 56);
}

static size_t fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct flow *f = ctx;
	size_t n = f->budget < cap ? f->budget : cap;

	must(off == f->sent);
	must(sum);
	if (f->source.record && n > 1 && rnd(2))
		n = 1 + rnd(n);
	for (size_t i = 0; i < n; i++)
		dst[i] = byte_at(f->out_key, off + i);
	*sum = tcpu_sum(dst, n);
	f->sent += n;
	f->budget -= n;
	return n;
}

static size_t drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct flow *f = ctx;
	uint64_t key = key_of(f->c->remote, f->c->local, f->c->irs);

	must(off == f->come);
	must(f->taken == 0);
	must(len > 0);
	if (!rnd(4))
		return 0;
	if (sum)
		*sum = tcpu_sum(data, len);
	else
		len = 1 + rnd(len);
	f->wrong = false;
	for (size_t i = 0; i < len; i++)
		f->wrong |= data[i] != byte_at(key, off + i);
	f->taken = len;
	return len;
}

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	struct flow *f = ctx;

	must(off == f->come);
	must(n == f->taken);
	must(!(good && f->wrong && fresh));
	if (good)
		f->come += n;
	f->taken = 0;
	f->sink.done = !rnd(8);
}

static void check(const struct tcpu *e)
{
	const char *broken = flushed_engine_broken(e);

	if (broken)
		ck_abort_msg("not so at %llu us: %s", (unsigned long long)net.now_us, broken);
}

/* ---- calls ---- */

static void allowed(int e)
{
	static const int known[] = { 0, EAGAIN, EPIPE, ECONNRESET, ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH };

	if (e == -ENOMEM && no_memory)
		return;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (e == -known[i])
			return;
	ck_abort_msg("unexpected: %s", strerror(-e));
}

static void hold(int me, struct tcb *c)
{
	struct flow *f = &flows[me][flow_count[me]++];

	*f = (struct flow){ .c = c, .me = me, .out_key = key_of(c->local, c->remote, c->iss) };
	f->source = (struct seam_source){ .fill = fill, .ctx = f };
	f->sink = (struct seam_sink){ .drain = drain, .settle = settle, .ctx = f };
}

static void call_listen(int me)
{
	struct link_addr a = net_addr(&net, me, NET_PORT);
	int e;

	if (listener[me]) {
		if (!rnd(30)) {
			tcpu_close(listener[me]);
			listener[me] = NULL;
		}
		return;
	}
	a.ip = rnd(2) ? a.ip : 0;
	e = tcpu_listen(net.peer[me].engine, a, (unsigned)(1 + rnd(4)), NULL, &listener[me]);
	must(e == 0 || (e == -ENOMEM && no_memory));
	if (e)
		listener[me] = NULL;
}

static void call_accept(int me)
{
	struct tcb *c;

	if (listener[me] && flow_count[me] < FLOWS && !tcpu_accept(listener[me], &c))
		hold(me, c);
}

/* To the peer's listener, or to a port whose user may be opening towards us at the same time. */
static void call_connect(int me)
{
	uint16_t from = (uint16_t)(FIRST_PORT + (fresh ? connects : connects % OLD_PORTS)), to = NET_PORT;
	struct link_addr local, remote;
	struct tcb *c;
	int e;

	if (flow_count[me] == FLOWS)
		return;
	connects++;
	if (connects > 1 && !rnd(4))
		to = fresh ? from : (uint16_t)(FIRST_PORT + rnd(OLD_PORTS));
	local = net_addr(&net, me, from);
	remote = net_addr(&net, !me, to);
	e = tcpu_connect(net.peer[me].engine, local, remote, NULL, &c);
	must(!e || e == -ENFILE || (e == -EADDRINUSE && !fresh) || (e == -ENOMEM && no_memory));
	if (!e)
		hold(me, c);
	if (to == from && !tcpu_connect(net.peer[!me].engine, remote, local, NULL, &c)) {
		if (flow_count[!me] < FLOWS)
			hold(!me, c);
		else
			tcpu_abort(c);
	}
}

static void call_send(struct flow *f)
{
	bool out = rnd(2) && tcpu_ready(f->c) & TCPU_OUT;
	uint64_t before = f->sent;
	ssize_t n;

	f->budget = 1 + rnd(rnd(2) ? 100 : 60000);
	f->source.record = !rnd(4);
	f->source.trains = rnd(2);
	n = tcpu_send(f->c, &f->source, (unsigned)rnd(2));
	/* A poll loop does not turn for nothing: but that the link is full may show just now. */
	must(n != -EAGAIN || no_memory || !(tcpu_ready(f->c) & TCPU_OUT));
	must(n != -EAGAIN || no_memory || !out || net.peer[f->me].gate_room != NET_ROOM);
	must(f->sent - before == (n > 0 ? (uint64_t)n : 0));
	allowed(n < 0 ? (int)n : 0);
}

static const struct flow *sender_of(const struct flow *f)
{
	uint64_t key = key_of(f->c->remote, f->c->local, f->c->irs);

	for (unsigned i = 0; i < flow_count[!f->me]; i++)
		if (flows[!f->me][i].out_key == key)
			return &flows[!f->me][i];
	return NULL;
}

static void call_recv(struct flow *f)
{
	const struct flow *sender;
	uint64_t before = f->come;
	ssize_t n;

	f->sink.done = false;
	n = tcpu_recv(f->c, &f->sink);
	must(f->come - before == (n > 0 ? (uint64_t)n : 0));
	allowed(n < 0 ? (int)n : 0);
	must(!f->ended || n <= 0);
	if (n || !f->c->fin_taken)
		return;
	f->ended = true;
	sender = sender_of(f);
	must(!fresh || !sender || sender->sent == f->come);
}

static void call_close(struct flow *f)
{
	if (rnd(4))
		tcpu_close(f->c);
	else
		tcpu_abort(f->c);
	f->c = NULL;
}

static void call_others(struct flow *f)
{
	struct tcpu_options o;
	struct tcpu_info info;

	tcpu_info(f->c, &info);
	allowed(-tcpu_error(f->c));
	tcpu_ready(f->c);
	tcpu_options(f->c, &o);
	o.nodelay = rnd(2);
	tcpu_set_options(f->c, &o);
	if (!rnd(20))
		tcpu_input(net.peer[f->me].engine, &(struct link_in){ .src = info.remote, .dst = info.local,
			.error = EHOSTUNREACH });
}

static void call(int me)
{
	struct flow *f = flow_count[me] ? &flows[me][rnd(flow_count[me])] : NULL;
	uint64_t what = rnd(20);

	if ((what >= 5 && (!f || !f->c)) || (what >= 17 && rnd(3)))
		return;
	if (what < 1)
		call_listen(me);
	else if (what < 3)
		call_accept(me);
	else if (what < 5)
		call_connect(me);
	else if (what < 10)
		call_send(f);
	else if (what < 14)
		call_recv(f);
	else if (what < 16)
		tcpu_sink(f->c, rnd(2) ? &f->sink : NULL);
	else if (what < 17)
		call_others(f);
	else if (what < 19)
		tcpu_shutdown(f->c);
	else
		call_close(f);
}

/* ---- a run ---- */

/* Between a peer's input and its flush. */
static void app(struct net *n, int peer, void *ctx)
{
	(void)n;
	(void)ctx;
	if (!rnd(3))
		call(peer);
}

static void read_all(struct net *n, int peer, void *ctx)
{
	(void)n;
	(void)ctx;
	call_accept(peer);
	for (unsigned i = 0; i < flow_count[peer]; i++)
		if (flows[peer][i].c && (tcpu_ready(flows[peer][i].c) & TCPU_IN) && !flows[peer][i].ended)
			call_recv(&flows[peer][i]);
	/* A sink may have declined what is there. */
	n->app_wake_us = n->now_us + NET_S;
}

static struct link_sim_path any_path(void)
{
	return (struct link_sim_path){
		.loss = 0.07 * (double)rnd(4), .duplicate = 0.05 * (double)rnd(3), .corrupt = 0.05 * (double)rnd(3),
		.reorder = 0.1 * (double)rnd(3), .reorder_us = 20000, .delay_us = rnd(20000), .jitter_us = rnd(5000),
	};
}

static void set_path(const struct link_sim_path *p)
{
	for (int i = 0; i < 2; i++)
		link_sim_path(net.sim, net.peer[i].ip, net.peer[!i].ip, p);
}

static void begin(uint64_t seed)
{
	struct net_config c = { .seed = seed };
	struct link_sim *dice = link_sim_new(~seed);
	struct link_sim_path path;

	for (int i = 0; i < 2; i++) {
		uint64_t r[8];

		for (int k = 0; k < 8; k++)
			r[k] = link_sim_random(dice) >> 8;
		c.segment_max[i] = (uint32_t)(r[0] & 1 ? 1480 : 108 + r[0] % 65400);
		c.train_max[i] = r[0] & 2 ? (uint32_t)(200 + (r[0] >> 2) % 65315) : 0;
		c.below_wrap[i] = (uint32_t)(r[1] & 1 ? 0 : 1 + r[1] % 100000);
		c.engine[i] = (struct tcpu_config){
			.options.sndbuf_bytes = (uint32_t)(r[2] & 1 ? 0 : 2000 + r[2] % 50000),
			.options.rcvbuf_bytes = (uint32_t)(r[3] & 1 ? 0 : 1 + r[3] % 40000),
			.delack_us = r[4] & 1 ? TCPU_ACK_ON_FLUSH : 0,
			.connections_max = r[5] % 3 ? 0 : 20,
			.msl_us = r[6] & 1 ? (uint32_t)NET_S : 0,
			.options.mss_max = (uint32_t)(r[7] % 3 ? 0 : 1 + r[7] % 2000),
			.options.syn_retries = 3,
			.options.data_retries = 4,
		};
	}
	link_sim_free(dice);
	net_open(&net, &c);
	net_trace(&net);
	memset(flows, 0, sizeof flows);
	flow_count[0] = flow_count[1] = connects = 0;
	listener[0] = listener[1] = NULL;
	fresh = rnd(2);
	narrow = rnd(2);
	no_memory = !rnd(3);
	path = any_path();
	set_path(&path);
	for (int i = 0; i < 2; i++) {
		net.peer[i].memory.fail_chance = no_memory ? 0.05 : 0;
		net.peer[i].vouches = path.corrupt == 0 && rnd(2);
	}
}

static void step(void)
{
	for (int i = 0; i < 2; i++) {
		net.peer[i].gate_room = narrow && !rnd(3) ? (unsigned)rnd(8) : NET_ROOM;
		net.peer[i].gate_error = narrow && !rnd(100) ? -EIO : 0;
	}
	if (rnd(3))
		call((int)rnd(2));
	else if (rnd(500))
		net_step(&net, net.now_us + 100 * NET_S);
	else
		net_run(&net, rnd(100 * NET_S));
	for (int i = 0; i < 2; i++)
		check(net.peer[i].engine);
}

static bool nothing_left(struct net *n, void *ctx)
{
	(void)ctx;
	return !tcpu_count(n->peer[0].engine) && !tcpu_count(n->peer[1].engine);
}

/* A good network again: what both ends still hold open arrives, whatever has happened to it. */
static void recover(void)
{
	no_memory = false;
	set_path(&(struct link_sim_path){ .delay_us = 1000 });
	for (int i = 0; i < 2; i++) {
		net.peer[i].gate_room = NET_ROOM;
		net.peer[i].gate_error = 0;
		net.peer[i].memory.fail_chance = 0;
	}
	net.app = read_all;
	net_run(&net, 600 * NET_S);
	net.app = NULL;
	for (int i = 0; i < 2; i++) {
		check(net.peer[i].engine);
		for (unsigned k = 0; k < flow_count[i]; k++) {
			const struct flow *f = &flows[i][k], *sender;

			if (!f->c || f->c->state < TCPU_ESTABLISHED || !fresh)
				continue;
			sender = sender_of(f);
			must(!sender || !sender->c || sender->c->state < TCPU_ESTABLISHED || sender->sent == f->come);
		}
	}
}

static void run_calls(uint64_t seed)
{
	begin(seed);
	net.app = app;
	call_listen(1);
	call_connect(0);
	for (int i = 0; i < STEPS; i++)
		step();
	recover();
	for (int i = 0; i < 2; i++) {
		for (unsigned k = 0; k < flow_count[i]; k++)
			if (flows[i][k].c)
				tcpu_close(flows[i][k].c);
		if (listener[i])
			tcpu_close(listener[i]);
	}
	net_run(&net, 0);
	ck_assert_msg(net_until(&net, nothing_left, NULL, 3600 * NET_S), "after the last close %u and %u are left",
		      tcpu_count(net.peer[0].engine), tcpu_count(net.peer[1].engine));
	net_close(&net);
}

START_TEST(calls)
{
	char environment[40];

	snprintf(environment, sizeof environment, "TCPU_SEED=%d", _i);
	net_repeat(environment);
	run_calls((uint64_t)_i);
	net_repeat(NULL);
}
END_TEST

int main(void)
{
	const char *seed = getenv("TCPU_SEED"), *seeds = getenv("TCPU_SEEDS");
	int from = seed ? atoi(seed) : 0, count = seed ? 1 : seeds ? atoi(seeds) : SEEDS;
	Suite *suite = suite_create("sim_calls");
	TCase *tc = tcase_create("calls");
	SRunner *runner;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, calls, from, from + count);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	if (seed)
		srunner_set_fork_status(runner, CK_NOFORK);
	net_repeat_open();
	return run_tests(runner);
}

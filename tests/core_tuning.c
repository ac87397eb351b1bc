/* The receive buffer's size follows what the application takes: the rule by itself, and two engines in virtual time. */
#include "core/plain.h"
#include "core/tcb.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <string.h>

/* ---- the rule ---- */

START_TEST(twice_what_was_taken_in_a_round_trip)
{
	struct tuning t = { 0 };

	tuning_rtt(&t, 1000);
	ck_assert_uint_le(tuning_took(&t, 5, 1000000), 1); /* the first round trip begins */
	ck_assert_uint_eq(tuning_took(&t, 3000, 1000400), 0);
	ck_assert_uint_eq(tuning_took(&t, 3000, 1000999), 0);
	ck_assert_uint_eq(tuning_took(&t, 2192, 1001000), 16384); /* 8192, twice */
	ck_assert_uint_eq(tuning_took(&t, 8192, 1001999), 0);
	ck_assert_uint_eq(tuning_took(&t, 1, 1002000), 32768); /* one more, rounded up */
	ck_assert_uint_eq(tuning_took(&t, 8192, 1004000), 8192); /* in two round trips */
	ck_assert_uint_eq(tuning_took(&t, 1 << 30, 3004000), 2 << 20); /* after a rest */
}
END_TEST

START_TEST(nothing_is_wanted_while_the_round_trip_is_not_known)
{
	struct tuning t = { 0 };

	for (uint64_t now = 1; now < 100; now++)
		ck_assert_uint_eq(tuning_took(&t, 1 << 20, now * 1000000), 0);
}
END_TEST

START_TEST(round_trip_falls_at_once_and_rises_slowly)
{
	struct tuning t = { 0 };

	tuning_rtt(&t, 8000);
	ck_assert_uint_eq(t.rtt_us, 8000);
	tuning_rtt(&t, 1000);
	ck_assert_uint_eq(t.rtt_us, 1000);
	tuning_rtt(&t, 9000);
	ck_assert_uint_eq(t.rtt_us, 2000);
	tuning_rtt(&t, UINT32_MAX);
	ck_assert_uint_le(t.rtt_us, 2000 + 60000000 / 8);
	tuning_rtt(&t, 0);
	ck_assert_uint_eq(t.rtt_us, 1);
}
END_TEST

START_TEST(echo_counts_once)
{
	struct tuning t = { 0 };

	tuning_rtt(&t, 100);
	tuning_echo(&t, 1, 2500); /* of a clock that ticks each millisecond */
	ck_assert_uint_eq(t.rtt_us, 100);
	tuning_echo(&t, 2, 8100);
	ck_assert_uint_eq(t.rtt_us, 1100);
	tuning_echo(&t, 2, 9100);
	ck_assert_uint_eq(t.rtt_us, 1100);
	tuning_echo(&t, 3, 9100);
	ck_assert_uint_eq(t.rtt_us, 2100);
}
END_TEST

START_TEST(window_that_came_bounds_the_round_trip)
{
	struct tuning t = { 0 };

	tuning_came(&t, 100, 1000, 5000);
	tuning_came(&t, 999, 1000, 5500);
	ck_assert_uint_eq(t.rtt_us, 0);
	tuning_came(&t, 1, 1000, 6000);
	ck_assert_uint_eq(t.rtt_us, 1000);
	tuning_came(&t, 5000, 1000, 8000); /* a slower one says nothing */
	ck_assert_uint_eq(t.rtt_us, 1000);
	tuning_came(&t, 500, 1000, 8100);
	tuning_came(&t, 500, 1000, 8400);
	ck_assert_uint_eq(t.rtt_us, 400);
	t = (struct tuning){ 0 };
	tuning_came(&t, 1, 1000, 1);
	tuning_came(&t, 1000, 1000, 70000000); /* nor one that took a minute */
	ck_assert_uint_eq(t.rtt_us, 0);
}
END_TEST

START_TEST(numbers_at_their_ends)
{
	struct tuning t = { 0 };

	tuning_rtt(&t, UINT32_MAX);
	tuning_took(&t, 0, 1ULL << 62);
	ck_assert_uint_eq(tuning_took(&t, UINT32_MAX, (1ULL << 62) + 60000000), 1u << 30);
	ck_assert_uint_eq(tuning_took(&t, UINT32_MAX, UINT64_MAX), 1);
}
END_TEST

/* ---- two engines ---- */

#define RTT_US (100 * NET_MS)
#define RCVBUF_MAX (4u << 20)

static struct path {
	struct net net;
	struct tcb *client, *server;
	struct plain_sink sink;
	uint64_t came, came_before, mark_us; /* bytes, and when they were counted last */
	uint32_t read_max;                   /* the reader takes so many bytes at a time, 0: all */
	uint64_t read_every_us, read_at_us;
	bool direct;
} path;

static uint8_t memory[1 << 20];

static void reader(struct path *p, struct net *n)
{
	ssize_t got;

	if (p->direct) { /* the sink is in place, and its memory full now and then */
		p->came += p->sink.got;
		plain_sink(&p->sink, memory, sizeof memory);
	}
	if (n->now_us < p->read_at_us)
		return;
	while ((got = net_recv(p->server, memory, p->read_max ? p->read_max : sizeof memory)) > 0) {
		p->came += (uint64_t)got;
		if (!p->read_max)
			continue;
		p->read_at_us = n->now_us + p->read_every_us;
		n->app_wake_us = p->read_at_us;
		break;
	}
}

/* Peer 0 sends what its buffer takes, peer 1 reads. */
static void app(struct net *n, int peer, void *ctx)
{
	struct path *p = ctx;

	if (peer == 0)
		while (net_send(p->client, memory, sizeof memory) > 0)
			continue;
	else
		reader(p, n);
}

static struct net_config long_fat_path(void)
{
	struct net_config c = { .seed = 1, .input_bytes = { 64 << 20, 64 << 20 } };

	for (int i = 0; i < 2; i++) {
		c.path[i] = (struct link_sim_path){ .delay_us = RTT_US / 2, .rate_bps = 1000000000 };
		c.engine[i].options.sndbuf_bytes = 16 << 20;
	}
	return c;
}

static void path_open(struct path *p, const struct net_config *c)
{
	memset(p, 0, sizeof *p);
	net_open(&p->net, c);
	net_pair(&p->net, &p->client, &p->server);
	p->net.app = app;
	p->net.app_ctx = p;
	p->mark_us = p->net.now_us;
}

static void put_sink(struct path *p)
{
	p->direct = true;
	plain_sink(&p->sink, memory, sizeof memory);
	tcpu_sink(p->server, &p->sink.seam);
}

static uint32_t size(const struct tcb *c)
{
	return net_info(c).rcvbuf_bytes;
}

/* Whether most of a window came in each round trip of the last second. */
static bool is_fast(struct net *n, void *ctx)
{
	struct path *p = ctx;
	uint64_t bytes = p->came - p->came_before;

	if (n->now_us < p->mark_us + NET_S)
		return false;
	p->mark_us = n->now_us;
	p->came_before = p->came;
	return bytes >= RCVBUF_MAX / 100 * 85 * (NET_S / RTT_US);
}

/* _i: the bytes go through the ring; past it; or there are no timestamps, and the handshake has told nothing. */
START_TEST(buffer_grows_to_what_the_path_holds)
{
	struct net_config c = long_fat_path();

	c.engine[0].without = _i == 2 ? TCPU_NO_TIMESTAMPS : 0;
	path_open(&path, &c);
	ck_assert_uint_eq(size(path.server), TCPU_RCVBUF_DEFAULT);
	if (_i == 1)
		put_sink(&path);
	if (_i == 2)
		path.server->tuning.rtt_us = 0;
	net_run(&path.net, 0);
	ck_assert(net_until(&path.net, is_fast, &path, 60 * NET_S));
	ck_assert_uint_eq(size(path.server), RCVBUF_MAX);
	ck_assert_uint_eq(size(path.client), TCPU_RCVBUF_DEFAULT); /* nothing came there */
	net_close(&path.net);
}
END_TEST

/* The handshake's round trip is of the past: timestamps tell the one of now, for both ways of the bytes. */
START_TEST(buffer_grows_when_the_path_gets_longer)
{
	struct net_config c = long_fat_path();
	struct link_sim_path longer = c.path[0];

	c.path[0].delay_us = c.path[1].delay_us = 2000;
	path_open(&path, &c);
	if (_i)
		put_sink(&path);
	for (int i = 0; i < 2; i++)
		link_sim_path(path.net.sim, path.net.peer[i].ip, path.net.peer[!i].ip, &longer);
	net_run(&path.net, 0);
	ck_assert(net_until(&path.net, is_fast, &path, 60 * NET_S));
	net_close(&path.net);
}
END_TEST

START_TEST(buffer_stays_as_it_was_set)
{
	struct net_config c = long_fat_path();

	c.engine[1].options.rcvbuf_bytes = 300000;
	path_open(&path, &c);
	ck_assert_uint_eq(size(path.server), 300000);
	net_run(&path.net, 3 * NET_S);
	ck_assert_uint_gt(path.came, 5000000);
	ck_assert_uint_eq(size(path.server), 300000);
	net_close(&path.net);
}
END_TEST

/* Three quarters of the buffer in ten round trips; and 100 bytes in each. */
START_TEST(slow_reader_gets_no_larger_buffer)
{
	struct net_config c = long_fat_path();

	c.engine[0].without = TCPU_NO_TIMESTAMPS; /* the window comes slowly, but the handshake has told the round trip */
	path_open(&path, &c);
	path.read_max = _i ? 100 : TCPU_RCVBUF_DEFAULT / 4 * 3;
	path.read_every_us = _i ? RTT_US : 10 * RTT_US;
	net_run(&path.net, 20 * NET_S);
	ck_assert_uint_gt(path.came, _i ? 10000 : 2000000);
	ck_assert_uint_eq(size(path.server), TCPU_RCVBUF_DEFAULT);
	net_close(&path.net);
}
END_TEST

/* A sender that the path, and not the window, holds back. */
START_TEST(slow_path_gets_no_larger_buffer)
{
	struct net_config c = long_fat_path();

	c.path[0].rate_bps = 5000000; /* 62500 bytes in a round trip */
	c.path[0].queue_bytes = 20000;
	path_open(&path, &c);
	net_run(&path.net, 20 * NET_S);
	ck_assert_uint_gt(path.came, 1000000);
	ck_assert_uint_eq(size(path.server), TCPU_RCVBUF_DEFAULT);
	net_close(&path.net);
}
END_TEST

START_TEST(link_and_configuration_bound_the_growth)
{
	struct net_config c = long_fat_path();

	c.engine[1].rcvbuf_max = 3000000;
	if (_i)
		c.input_bytes[1] = 1400000; /* of which half may wait */
	path_open(&path, &c);
	net_run(&path.net, 5 * NET_S);
	ck_assert_uint_eq(size(path.server), _i ? 700000 / 4 * 3 : 3000000); /* as much as one alone is promised */
	ck_assert_uint_le(net_info(path.server).rcv_wnd_bytes, size(path.server));
	net_close(&path.net);
}
END_TEST

/* A window that has grown falls to its share of the link when others come, whatever SO_RCVBUF says (_i), and grows
 * again when their peers have ended; all that is promised at once may wait in the link. */
#define ROUNDING 16 /* of a window that is scaled */
START_TEST(windows_share_the_link)
{
	struct net_config c = long_fat_path();
	struct tcb *other[13], *listener, *accepted[13];
	uint64_t promised = 0;

	c.input_bytes[1] = 1400000;
	if (_i)
		c.engine[1].options.rcvbuf_bytes = 3000000;
	path_open(&path, &c);
	net_run(&path.net, 5 * NET_S);
	ck_assert_uint_gt(net_info(path.server).rcv_wnd_bytes, 450000);
	ck_assert_int_eq(tcpu_listen(path.net.peer[1].engine, net_addr(&path.net, 1, NET_PORT), 20, NULL, &listener), 0);
	for (int i = 0; i < 13; i++)
		other[i] = net_connect(&path.net);
	net_run(&path.net, NET_S);
	for (int i = 0; i < 13; i++) {
		ck_assert_int_eq(tcpu_accept(listener, &accepted[i]), 0);
		promised += net_info(accepted[i]).rcv_wnd_bytes;
		ck_assert_uint_ge(net_info(accepted[i]).rcv_wnd_bytes, 700000 / 14 / 4);
	}
	ck_assert_uint_le(promised + net_info(path.server).rcv_wnd_bytes, 700000);
	net_run(&path.net, NET_S);
	ck_assert_uint_le(net_info(path.server).rcv_wnd_bytes, (700000 - promised) / 4 * 3 + ROUNDING);
	ck_assert_uint_gt(net_info(path.server).rcv_wnd_bytes, (700000 - promised) / 2);
	for (int i = 0; i < 13; i++)
		tcpu_close(other[i]);
	net_run(&path.net, NET_S);
	ck_assert_uint_gt(net_info(path.server).rcv_wnd_bytes, 450000);
	net_close(&path.net);
}
END_TEST

START_TEST(small_limit_is_where_a_buffer_begins)
{
	struct net_config c = long_fat_path();

	c.engine[1].rcvbuf_max = 50000;
	path_open(&path, &c);
	ck_assert_uint_eq(size(path.server), 50000);
	net_run(&path.net, 3 * NET_S);
	ck_assert_uint_eq(size(path.server), 50000);
	net_close(&path.net);
}
END_TEST

static bool loses_some(void *ctx, struct link_sim_packet *p)
{
	return p->number % 1500 != 1499 || p->dst.ip != *(uint32_t *)ctx;
}

/* The reader takes a part of what waits: the rest is moved, with what came over a hole. */
START_TEST(bytes_survive_the_growth)
{
	static uint8_t text[30 << 20], got[30 << 20];
	struct net_config c = long_fat_path();
	uint64_t sent = 0, come = 0;
	unsigned moved = 0;

	for (uint32_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 2654435761u >> 24);
	path_open(&path, &c);
	path.net.app = NULL;
	link_sim_filter(path.net.sim, loses_some, &path.net.peer[1].ip);
	while (come < sizeof text) {
		uint32_t before, waiting;
		ssize_t n = sent < sizeof text ? net_send(path.client, text + sent, sizeof text - sent) : 0;

		sent += n > 0 ? (uint64_t)n : 0;
		net_run(&path.net, 5 * NET_MS);
		before = size(path.server);
		waiting = (uint32_t)(path.server->rcv.next - path.server->rcv.read);
		n = net_recv(path.server, got + come, waiting / 2 + 1);
		come += n > 0 ? (uint64_t)n : 0;
		moved += waiting > n && size(path.server) > before;
		ck_assert_uint_lt(path.net.now_us, 600 * NET_S);
	}
	ck_assert_uint_ge(moved, 2);
	ck_assert_int_eq(memcmp(text, got, sizeof text), 0);
	net_close(&path.net);
}
END_TEST

/* A growth that finds no memory does not happen, and comes with a later round trip. */
START_TEST(growth_waits_for_memory)
{
	struct net_config c = long_fat_path();

	path_open(&path, &c);
	net_run(&path.net, 2 * RTT_US); /* the buffer itself has its memory */
	ck_assert_ptr_nonnull(path.server->rcv.ring);
	path.net.peer[1].memory.fail_chance = 1;
	net_run(&path.net, 2 * NET_S);
	ck_assert_uint_gt(path.net.peer[1].memory.failed, 0);
	ck_assert_uint_eq(size(path.server), TCPU_RCVBUF_DEFAULT);
	path.net.peer[1].memory.fail_chance = 0;
	net_run(&path.net, 2 * NET_S);
	ck_assert_uint_gt(size(path.server), TCPU_RCVBUF_DEFAULT);
	net_close(&path.net);
}
END_TEST

/* The window scale is fixed by the SYN, before anything has grown. */
START_TEST(scale_is_for_what_the_buffer_may_become)
{
	static const struct {
		uint32_t set, max;
		int scale;
	} cases[] = { { 0, 0, 7 }, { 0, 65535, 0 }, { 0, 65536, 1 }, { 0, 1 << 30, 14 }, { 100000, 0, 1 }, { 60000, 0, 0 } };
	struct net_config c = { .scripted = true, .input_bytes = { 2047U << 20 } };
	struct wire syn;
	struct net net;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		c.engine[0].options.rcvbuf_bytes = cases[i].set;
		c.engine[0].rcvbuf_max = cases[i].max;
		net_open(&net, &c);
		net_connect(&net);
		net_run(&net, 0);
		ck_assert(script_hear(&net, &syn));
		ck_assert_int_eq(syn.scale, cases[i].scale);
		net_close(&net);
	}
}
END_TEST

/* A peer without window scaling is told of 64 KiB at most: more memory is of no use. */
START_TEST(buffer_grows_no_further_than_the_window)
{
	static uint8_t data[1000];
	struct talk t;

	talk_open(&t, &(struct net_config){ 0 }, 1000);
	t.c->tuning.rtt_us = 100000;
	for (int i = 0; i < 3000; i++) {
		talk_say(&t, 0, data, sizeof data);
		net_run(&t.net, 100);
		ck_assert_int_eq(net_recv(t.c, data, sizeof data), sizeof data);
		script_forget(&t.net);
	}
	ck_assert_uint_eq(size(t.c), TCPU_RCVBUF_DEFAULT);
	talk_close(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("receive buffer tuning");
	TCase *c = tcase_create("tuning");
	const TTest *tests[] = { twice_what_was_taken_in_a_round_trip, nothing_is_wanted_while_the_round_trip_is_not_known,
		round_trip_falls_at_once_and_rises_slowly, echo_counts_once, window_that_came_bounds_the_round_trip,
		numbers_at_their_ends, buffer_stays_as_it_was_set, slow_path_gets_no_larger_buffer,
		small_limit_is_where_a_buffer_begins, bytes_survive_the_growth, growth_waits_for_memory,
		scale_is_for_what_the_buffer_may_become, buffer_grows_no_further_than_the_window };
	const TTest *twice[] = { buffer_grows_when_the_path_gets_longer, slow_reader_gets_no_larger_buffer,
		link_and_configuration_bound_the_growth, windows_share_the_link };

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	for (size_t i = 0; i < sizeof twice / sizeof *twice; i++)
		tcase_add_loop_test(c, twice[i], 0, 2);
	tcase_add_loop_test(c, buffer_grows_to_what_the_path_holds, 0, 3);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

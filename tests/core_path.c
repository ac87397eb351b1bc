/* What the path between two engines does to them: marks (RFC 3168), a smaller MTU (RFC 1191, RFC 5927), a flood of SYNs
 * (RFC 4987), and what pacing does to it. Whole transfers in virtual time. */
#include "core/plain.h"
#include "core/segment.h"
#include "core/tcb.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct net net;
static struct tcb *client, *server;
static uint64_t total, sent, got, start_us;
static uint8_t bytes[1 << 16];

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 17);
}

/* Peer 0 sends, peer 1 receives and compares. */
static void app(struct net *n, int peer, void *ctx)
{
	ssize_t r = 1;

	(void)n;
	(void)ctx;
	while (!peer && client && sent < total && r > 0) {
		size_t len = total - sent < sizeof bytes ? (size_t)(total - sent) : sizeof bytes;

		for (size_t i = 0; i < len; i++)
			bytes[i] = pattern(sent + i);
		r = net_send(client, bytes, len);
		sent += r > 0 ? (uint64_t)r : 0;
	}
	while (peer && server && (r = net_recv(server, bytes, sizeof bytes)) > 0) {
		for (ssize_t i = 0; i < r; i++)
			if (bytes[i] != pattern(got + (uint64_t)i))
				ck_abort_msg("byte %llu is wrong", (unsigned long long)got + (unsigned long long)i);
		got += (uint64_t)r;
	}
}

static bool all_there(struct net *n, void *ctx)
{
	(void)n;
	(void)ctx;
	return got == total;
}

static void open_pair(const struct net_config *c)
{
	sent = got = 0;
	net_open(&net, c);
	net_trace(&net);
	client = server = NULL;
	net_pair(&net, &client, &server);
}

static void begin(void)
{
	net.app = app;
	start_us = net.now_us;
	net_turn(&net, 0);
}

static void transfer(const struct net_config *c, uint64_t n)
{
	total = n;
	open_pair(c);
	begin();
	ck_assert(net_until(&net, all_there, NULL, 600 * NET_S));
}

static struct link_sim_stats out_stats(void)
{
	return link_sim_stats(net.sim, net.peer[0].ip, net.peer[1].ip);
}

/* A queue that marks keeps itself short, and nothing is lost or sent again; who does not ask for ECN is not marked. */
START_TEST(marks_instead_of_losses)
{
	struct net_config c = { .engine = { { .ecn = true }, { 0 } } };

	c.path[0] = (struct link_sim_path){ .rate_bps = 20000000, .delay_us = 10000, .queue_bytes = 400000,
		.mark_bytes = 20000 };
	c.path[1].delay_us = 10000;
	c.engine[1].without = _i == 1 ? TCPU_NO_ECN : 0;
	c.engine[0].ecn = _i != 2;
	transfer(&c, 4000000);
	ck_assert_int_eq(net_info(client).ecn, _i == 0);
	ck_assert_int_eq(net_info(server).ecn, _i == 0);
	if (_i == 0) {
		ck_assert_uint_gt(net_info(server).ecn_marks_in, 5);
		ck_assert_uint_eq(net_info(server).ecn_marks_in, out_stats().marked);
		ck_assert_uint_gt(net_info(client).ecn_reductions, 2);
		/* Once a round trip at most. */
		ck_assert_uint_lt(net_info(client).ecn_reductions, (net.now_us - start_us) / 20000);
		ck_assert_uint_eq(net_info(client).retransmits, 0);
		ck_assert_uint_eq(out_stats().queue_drops, 0);
	} else {
		ck_assert_uint_eq(out_stats().marked, 0);
		ck_assert_uint_eq(net_info(client).ecn_reductions, 0);
	}
	net_close(&net);
}
END_TEST

/* ---- path MTU ---- */

START_TEST(narrow_path)
{
	static const uint32_t mtus[] = { 1499, 1280, 1006, 576, 552 };
	struct net_router router = { &net, 1500, 0 };

	total = 300000;
	open_pair(&(struct net_config){ .path = { { .delay_us = 5000 }, { .delay_us = 5000 } } });
	link_sim_filter(net.sim, net_router, &router);
	router.path_mtu = mtus[_i];
	begin();
	ck_assert(net_until(&net, all_there, NULL, 60 * NET_S));
	ck_assert_uint_eq(net_info(client).path_mtu, router.path_mtu);
	ck_assert_uint_eq(net_info(client).mss, router.path_mtu - 52);
	ck_assert_uint_gt(router.too_long, 0);
	ck_assert_uint_eq(net_info(client).timeouts, 0);
	/* RFC 1191 section 4 says nothing of congestion, and there was none. */
	ck_assert_uint_eq(net_info(client).fast_retransmits, 0);
	net_close(&net);
}
END_TEST

/* RFC 5927 section 7.2: later, when larger segments have arrived, only a timeout makes the message believed; then it
 * is, or the path that has changed would be a black hole. */
START_TEST(path_grows_narrow)
{
	struct net_router router = { &net, 1500, 0 };

	total = 400000;
	open_pair(&(struct net_config){ .path = { { .delay_us = 5000, .rate_bps = 10000000 }, { .delay_us = 5000 } } });
	link_sim_filter(net.sim, net_router, &router);
	begin();
	net_run(&net, 100 * NET_MS);
	ck_assert_uint_gt(got, 0);
	ck_assert_uint_lt(got, total);
	router.path_mtu = 1000;
	ck_assert(net_until(&net, all_there, NULL, 60 * NET_S));
	ck_assert_uint_eq(net_info(client).path_mtu, 1000);
	ck_assert_uint_eq(net_info(client).timeouts, 1);
	net_close(&net);
}
END_TEST

/* What a forger says: of a segment that is not under way, of a path larger than it is, too small, in the middle of a
 * transfer that does well. */
START_TEST(forged_mtu)
{
	struct link_addr here, there;
	uint8_t quote[8];
	uint32_t una, mss;

	total = 1000000;
	open_pair(&(struct net_config){ .path = { { .delay_us = 5000, .rate_bps = 10000000 }, { .delay_us = 5000 } } });
	begin();
	net_run(&net, 200 * NET_MS);
	here = client->local;
	there = client->remote;
	mss = net_info(client).mss;
	una = client->snd_una;
	memcpy(quote, &here.port, 2);
	memcpy(quote + 2, &there.port, 2);
	for (int i = 0; i < 4; i++) {
		uint32_t seq = htonl(i == 0 ? una - 1 : i == 1 ? client->snd_max : una);

		memcpy(quote + 4, &seq, 4);
		link_sim_inject_mtu(net.sim, there, here, quote, i == 3 ? 4 : 8, i == 2 ? 1500 : 600);
		net_turn(&net, 0);
		ck_assert_uint_eq(client->mtu_said, 0);
	}
	uint32_t seq = htonl(una);
	memcpy(quote + 4, &seq, 4);
	link_sim_inject_mtu(net.sim, there, here, quote, 8, 68);
	net_turn(&net, 0);
	ck_assert_uint_eq(net_info(client).mss, mss);
	ck_assert_uint_eq(client->mtu_said, 552); /* not 68: RFC 5927 section 7 */
	ck_assert(net_until(&net, all_there, NULL, 60 * NET_S));
	/* All is well without a timeout, so it was never believed. */
	ck_assert_uint_eq(net_info(client).mss, mss);
	ck_assert_uint_eq(net_info(client).timeouts, 0);
	net_close(&net);
}
END_TEST

/* ---- floods ---- */

/* SYN cookies: a listener whose half-open connections have all been taken by a flood serves whoever means it. */
START_TEST(cookies_under_a_flood)
{
	struct net_config c = { .engine = { { 0 }, { .syn_backlog = 4 } },
		.path = { { .delay_us = 5000 }, { .delay_us = 5000 } } };
	struct tcb *l, *d;

	c.engine[0].without = _i ? TCPU_NO_TIMESTAMPS : 0;
	total = 200000;
	sent = got = 0;
	net_open(&net, &c);
	net_trace(&net);
	l = net_listen(&net, 8);
	for (uint16_t i = 0; i < 20; i++) {
		uint8_t syn[20] = { 0, 0, 0, NET_PORT, [12] = 0x50, [13] = TH_SYN };
		struct link_addr from = { htonl(0x0a000063), htons((uint16_t)(1000 + i)) };

		memcpy(syn, &from.port, 2);
		script_sum(from.ip, net.peer[1].ip, syn, sizeof syn);
		link_sim_inject(net.sim, from, net_addr(&net, 1, NET_PORT), syn, sizeof syn, 0);
		net_turn(&net, 1);
	}
	ck_assert_uint_eq(tcpu_count(net.peer[1].engine), 5); /* the listener, and no more than it may have */
	client = net_connect(&net);
	net_run(&net, 100 * NET_MS);
	ck_assert_int_eq(net_state(client), TCPU_ESTABLISHED);
	ck_assert_int_eq(tcpu_accept(l, &d), 0);
	server = d;
	/* What the SYN offered came back by timestamp, or did not. */
	ck_assert_int_eq(net_info(server).sack, !_i);
	ck_assert_int_eq(net_info(server).scaling, !_i);
	ck_assert_uint_eq(net_info(server).mss, _i ? 1460 : 1448);
	begin();
	ck_assert(net_until(&net, all_there, NULL, 60 * NET_S));
	net_close(&net);
}
END_TEST

/* ---- pacing ---- */

static uint64_t last_us, burst, burst_max;

static void watch(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	(void)ctx;
	if (event != LINK_SIM_SENT || p->src.ip != net.peer[0].ip || p->len < 500)
		return;
	burst = p->time_us - last_us < 100 ? burst + 1 : 1;
	burst_max = burst > burst_max ? burst : burst_max;
	last_us = p->time_us;
}

/* Paced, segments leave one by one over the round trip; unpaced, a window at a time. */
START_TEST(pacing_spreads)
{
	struct net_config c = { .engine = { { .pacing = _i == 1, .options.sndbuf_bytes = 65536 }, { 0 } },
		.path = { { .delay_us = 25000 }, { .delay_us = 25000 } } };

	total = 2000000;
	open_pair(&c);
	begin();
	net_run(&net, 300 * NET_MS);
	burst = burst_max = last_us = 0;
	link_sim_tap(net.sim, watch, NULL);
	ck_assert(net_until(&net, all_there, NULL, 60 * NET_S));
	if (_i)
		ck_assert_uint_le(burst_max, 4);
	else
		ck_assert_uint_gt(burst_max, 10);
	net_close(&net);
}
END_TEST

/* SO_MAX_PACING_RATE's limit holds to the byte, or nearly. */
START_TEST(pacing_limit)
{
	struct net_config c = { .engine = { { .pacing = true, .options.pacing_max_bps = 100000 }, { 0 } } };

	transfer(&c, 500000);
	ck_assert_uint_gt(net.now_us - start_us, 4900 * NET_MS);
	ck_assert_uint_lt(net.now_us - start_us, 5300 * NET_MS);
	net_close(&net);
}
END_TEST

static struct talk talk;

/* What tells of a loss: an ACK of a segment, and three like it, in a batch or one by one. */
static void lose(uint32_t first, uint32_t len, bool batch)
{
	struct say ack = { .flags = ACK, .seq = talk.seq, .ack = first + len, .window = talk.window,
		.src_port = NET_PORT, .dst_port = talk.port };

	for (int i = 0; i < 4; i++) {
		script_put(&talk.net, &ack);
		if (!batch)
			net_turn(&talk.net, 0);
	}
	net_turn(&talk.net, 0);
}

/* What pacing holds back was not under way: RFC 5681 (4). */
START_TEST(held_by_pacing)
{
	uint32_t first;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.congestion = "reno", .initial_cwnd = 40,
		.pacing = true, .options.pacing_max_bps = 100000 } } }, 1000);
	first = talk.ack;
	ck_assert_int_eq(net_send(talk.c, bytes, 30000), 30000);
	net_run(&talk.net, 45 * NET_MS);
	lose(first, 1000, _i);
	ck_assert_uint_eq(net_info(talk.c).ssthresh_bytes, 2000);
	talk_close(&talk);
}
END_TEST

/* Nor was what a full link has not let out of the send buffer. */
START_TEST(held_by_a_full_link)
{
	uint32_t first;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.congestion = "reno", .initial_cwnd = 200 } } }, 300);
	talk.window = 60000;
	talk_say(&talk, 0, NULL, 0);
	first = talk.ack;
	ck_assert_int_eq(net_send(talk.c, bytes, 6000), 6000);
	talk.net.peer[0].gate_room = 0;
	ck_assert_int_eq(net_send(talk.c, bytes, 39000), 39000);
	lose(first, 300, _i);
	ck_assert_uint_eq(net_info(talk.c).ssthresh_bytes, (20 + BATCH - 1) * 300 / 2);
	talk.net.peer[0].gate_room = NET_ROOM;
	talk_close(&talk);
}
END_TEST

static unsigned piece, piece_max, short_pieces; /* segments; and how many are of one full segment */

static void watch_pieces(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	struct wire w;

	(void)ctx;
	if (event != LINK_SIM_SENT || p->src.ip != net.peer[0].ip)
		return;
	wire_read(p, &w);
	piece += w.len > 0;
	if (piece > piece_max)
		piece_max = piece;
	if (!(w.flags & PSH))
		return;
	short_pieces += piece == 1 && w.len == 1448;
	piece = 0;
}

/* Where segments are joined on the way, PSH ends a piece at each millisecond of the window: never before two segments,
 * and nowhere in a window that is gone in less, before the last segment of all. */
START_TEST(pushed_pieces)
{
	static const struct {
		bool joins;
		uint64_t delay_us;
		uint32_t rcvbuf; /* 75000: the window is the receiver's, 0: it grows */
		unsigned least, most; /* segments */
	} cases[] = { { false, 5000, 75000, 1300, 1400 }, { true, 100000, 75000, 2, 2 }, { true, 5000, 75000, 8, 8 },
		{ true, 1, 75000, 1300, 1400 }, { true, 20000, 0, 8, 64 } };
	struct net_config c = { .engine = { { .options.sndbuf_bytes = 4 << 20 },
		{ .options.rcvbuf_bytes = cases[_i].rcvbuf } },
		.path = { { .delay_us = cases[_i].delay_us }, { .delay_us = cases[_i].delay_us } } };

	uint8_t *data = malloc(total = 2000000);
	struct plain_source p;

	for (uint64_t i = 0; i < total; i++)
		data[i] = pattern(i);
	piece = piece_max = short_pieces = 0;
	open_pair(&c);
	net.peer[0].gate.joins = cases[_i].joins;
	link_sim_tap(net.sim, watch_pieces, NULL);
	plain_source(&p, data, total);
	ck_assert_int_eq(tcpu_send(client, &p.seam, 0), (int)(sent = total));
	begin();
	ck_assert(net_until(&net, all_there, NULL, 60 * NET_S));
	ck_assert_uint_ge(piece_max, cases[_i].least);
	ck_assert_uint_le(piece_max, cases[_i].most);
	ck_assert_uint_eq(short_pieces, 0);
	net_close(&net);
	free(data);
}
END_TEST

/* ---- buffers ---- */

/* The retransmission buffer grows to what the path holds: not on a short one, not if its size was asked for, and not
 * beyond what is allowed; when there is no memory for it, all goes on as it is. */
START_TEST(sndbuf_grows)
{
	static const struct {
		uint64_t delay_us;
		uint32_t asked, max, expected;
		uint64_t fail_at;
	} cases[] = { { 50000, 0, 0, 4 << 20, 0 }, { 10, 0, 0, TCPU_SNDBUF_DEFAULT, 0 }, { 50000, 100000, 0, 100000, 0 },
		{ 50000, 0, 600000, 600000, 0 }, { 50000, 0, 0, TCPU_SNDBUF_DEFAULT, 1 } };
	struct net_config c = { .engine = { { .options.sndbuf_bytes = cases[_i].asked, .sndbuf_max = cases[_i].max },
		{ .options.rcvbuf_bytes = 8 << 20 } }, .input_bytes = { 0, 32 << 20 } };

	for (int i = 0; i < 2; i++)
		c.path[i].delay_us = cases[_i].delay_us;
	total = 100000000;
	open_pair(&c);
	begin();
	if (cases[_i].fail_at)
		net.peer[0].memory.fail_at = net.peer[0].memory.calls + cases[_i].fail_at;
	ck_assert(net_until(&net, all_there, NULL, 600 * NET_S));
	ck_assert_uint_eq(net_info(client).sndbuf_bytes, cases[_i].expected);
	net_close(&net);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_path");
	TCase *tc = tcase_create("path");

	tcase_add_loop_test(tc, marks_instead_of_losses, 0, 3);
	tcase_add_loop_test(tc, narrow_path, 0, 5);
	tcase_add_test(tc, path_grows_narrow);
	tcase_add_test(tc, forged_mtu);
	tcase_add_loop_test(tc, cookies_under_a_flood, 0, 2);
	tcase_add_loop_test(tc, pacing_spreads, 0, 2);
	tcase_add_test(tc, pacing_limit);
	tcase_add_loop_test(tc, held_by_pacing, 0, 2);
	tcase_add_loop_test(tc, held_by_a_full_link, 0, 2);
	tcase_add_loop_test(tc, pushed_pieces, 0, 5);
	tcase_add_loop_test(tc, sndbuf_grows, 0, 5);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

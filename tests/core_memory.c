/* What a connection holds that nobody uses at the moment, beyond the rings of its two buffers; and that a table that
 * comes and goes with what is buffered is not asked for anew with each message. */
#include "core/link/stack.h"
#include "core/tcb.h"
#include "tests/invariants.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define TOTAL (4U << 20) /* bytes each way */
#define MOST 1024        /* bytes beyond the rings */

static struct net net;
static struct tcb *end[2];
static uint32_t sent[2], come[2];
static uint8_t bytes[TOTAL], got[2][TOTAL];
static size_t base[2];

static void app(struct net *n, int peer, void *ctx)
{
	ssize_t done;

	(void)n;
	(void)ctx;
	if (!end[peer])
		return;
	while (sent[peer] < TOTAL && (done = net_send(end[peer], bytes + sent[peer], TOTAL - sent[peer])) > 0)
		sent[peer] += (uint32_t)done;
	while (come[peer] < TOTAL && (done = net_recv(end[peer], got[peer] + come[peer], TOTAL - come[peer])) > 0)
		come[peer] += (uint32_t)done;
}

static bool all_there(struct net *n, void *ctx)
{
	(void)n;
	(void)ctx;
	return come[0] == TOTAL && come[1] == TOTAL;
}

/* One connection comes and goes: what the engines keep for all of them is there. */
static void open_net(const struct net_config *c)
{
	struct tcb *l;

	for (uint32_t i = 0; i < TOTAL; i++)
		bytes[i] = (uint8_t)(i * 2654435761U >> 24);
	memset(end, 0, sizeof end);
	memset(sent, 0, sizeof sent);
	memset(come, 0, sizeof come);
	net_open(&net, c);
	l = net_listen(&net, 1);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2; i++)
			base[i] = net.peer[i].memory.bytes;
		end[0] = net_connect(&net);
		while (tcpu_accept(l, &end[1]) == -EAGAIN)
			net_run(&net, NET_MS);
		if (round)
			break;
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(net_send(end[i], bytes, 100), 100);
		net_run(&net, 10 * NET_S);
		for (int i = 0; i < 2; i++) {
			ck_assert_int_eq(net_recv(end[i], got[i], 100), 100);
			tcpu_close(end[i]);
		}
		net_run(&net, 10 * NET_S);
		ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 0);
	}
}

static size_t beyond_rings(int peer)
{
	struct tcpu_info info = net_info(end[peer]);

	return net.peer[peer].memory.bytes - base[peer] - info.sndbuf_bytes - info.rcvbuf_bytes;
}

/* 4 MiB each way, much of it lost, doubled or in the wrong order. */
START_TEST(used_then_idle)
{
	struct net_config c = { .seed = (uint64_t)_i + 1, .engine = { { .msl_us = 1 }, { .msl_us = 1 } } };
	size_t most[2] = { 0 };

	for (int i = 0; i < 2; i++)
		c.path[i] = (struct link_sim_path){ .delay_us = 10000, .loss = 0.02, .duplicate = 0.01, .reorder = 0.1,
			.reorder_us = 20000 };
	open_net(&c);
	net.app = app;
	for (int steps = 0; !all_there(&net, NULL); steps++) {
		ck_assert_int_lt(steps, 1000000);
		ck_assert(net_step(&net, TCPU_NEVER));
		for (int i = 0; i < 2; i++)
			if (sent[0] && sent[1] && beyond_rings(i) > most[i])
				most[i] = beyond_rings(i);
	}
	net_run(&net, 100 * NET_S);
	for (int i = 0; i < 2; i++) {
		ck_assert_mem_eq(got[i], bytes, TOTAL);
		ck_assert_uint_gt(net_info(end[i]).retransmits, 50);
		ck_assert_uint_gt(net_info(end[i]).out_of_order, 100);
		ck_assert_uint_gt(most[i], 5 * MOST); /* there were tables */
		ck_assert_uint_le(beyond_rings(i), MOST);
	}
	net_close(&net);
}
END_TEST

/* A message there, one back: no memory is asked for, nor given back. */
START_TEST(messages_ask_for_none)
{
	struct net_config c = { .engine = { { .msl_us = 1 }, { .msl_us = 1 } } };
	uint64_t calls[2];

	open_net(&c);
	for (int i = 0; i < 101; i++) {
		for (int from = 0; from < 2; from++) {
			ck_assert_int_eq(net_send(end[from], bytes, 1000), 1000);
			net_run(&net, NET_S);
			ck_assert_int_eq(net_recv(end[!from], got[0], 1000), 1000);
			calls[from] = i ? calls[from] : net.peer[from].memory.calls;
		}
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(net.peer[i].memory.calls, calls[i] + (i == 0)); /* its first receive buffer */
		ck_assert_uint_le(beyond_rings(i), MOST);
	}
	net_close(&net);
}
END_TEST

/* A source that has nothing leaves nothing but the ring. */
START_TEST(nothing_sent)
{
	struct net_config c = { .engine = { { .msl_us = 1 }, { .msl_us = 1 } } };

	open_net(&c);
	ck_assert_int_eq(net_send(end[0], bytes, 0), 0);
	ck_assert_ptr_null(engine_broken(net.peer[0].engine));
	net_close(&net);
}
END_TEST

/* A connection that has lost nothing, its socket and its place in the engine's tables. */
START_TEST(with_its_socket)
{
	struct net_config c = { .engine = { { .msl_us = 1 }, { .msl_us = 1 } } };

	open_net(&c);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(net_send(end[i], bytes, 1000), 1000);
		net_run(&net, NET_S);
		ck_assert_int_eq(net_recv(end[!i], got[0], 1000), 1000);
		net_run(&net, NET_S);
	}
	for (int i = 0; i < 2; i++)
		ck_assert_uint_le(beyond_rings(i) + sizeof(struct sock) + sizeof(struct claim) + 2 * sizeof(void *), MOST);
	net_close(&net);
}
END_TEST

/* What came behind the end goes with its nodes. */
START_TEST(ended_over_a_hole)
{
	static struct talk talk;
	size_t before;

	talk_open(&talk, &(struct net_config){ 0 }, 1000);
	before = talk.net.peer[0].memory.bytes;
	talk_say_at(&talk, ACK, talk.seq + 10, talk.ack, bytes, 100);
	ck_assert_uint_gt(talk.net.peer[0].memory.bytes, before + net_info(talk.c).rcvbuf_bytes);
	talk_say_at(&talk, FIN | ACK, talk.seq, talk.ack, NULL, 0);
	ck_assert_int_eq(net_state(talk.c), TCPU_CLOSE_WAIT);
	ck_assert_uint_eq(talk.net.peer[0].memory.bytes, before + net_info(talk.c).rcvbuf_bytes);
	talk_close(&talk);
}
END_TEST

/* As many holes as the buffer's size allows are kept apart, and no more: nodes for them come as they are needed. */
START_TEST(holes)
{
	static struct talk talk;
	uint32_t max = rcvbuf_ranges_max(65536);
	size_t before;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.rcvbuf_bytes = 65536 } } }, 1000);
	before = talk.net.peer[0].memory.bytes + 65536;
	for (uint32_t i = 1; i <= 2 * max; i++) {
		talk_say_at(&talk, ACK, talk.seq + 2 * i, talk.ack, bytes, 1);
		ck_assert_uint_eq(talk.c->rcv.over.count, i < max ? i : max);
		ck_assert_uint_le(talk.net.peer[0].memory.bytes, before + ranges_memory(i < RANGES_FEW ? RANGES_FEW : 2 * i));
	}
	ck_assert_uint_gt(max, RANGES_FEW);
	ck_assert_uint_le(talk.net.peer[0].memory.bytes, before + ranges_memory(max));
	talk_say_at(&talk, ACK, talk.seq, talk.ack, bytes, 2 * max + 1);
	ck_assert_uint_eq(talk.net.peer[0].memory.bytes, before);
	talk_close(&talk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_memory");
	TCase *tc = tcase_create("memory");

	tcase_add_loop_test(tc, used_then_idle, 0, 8);
	tcase_add_test(tc, messages_ask_for_none);
	tcase_add_test(tc, nothing_sent);
	tcase_add_test(tc, with_its_socket);
	tcase_add_test(tc, ended_over_a_hole);
	tcase_add_test(tc, holes);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

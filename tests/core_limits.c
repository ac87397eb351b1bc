/* What runs out: memory, the link's room, windows, backlogs, sequence numbers, places for connections. */
#include "core/plain.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MSS 1000

static struct net net;
static struct talk talk;
static uint8_t bytes[100000], got[100000];

static void make_bytes(void)
{
	for (uint32_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 2654435761U >> 24);
	memset(got, 0, sizeof got);
}

/* ---- a full link ---- */

/* Hears what is there; data must go on where the last segment ended. Returns the segments. */
static unsigned hear_all(uint32_t *have)
{
	unsigned n = 0;

	while (talk_hear(&talk)) {
		n++;
		if (!talk.heard.len)
			continue;
		ck_assert_uint_eq(talk.ack, talk.heard.seq + talk.heard.len); /* talk_hear counts what is in order */
		memcpy(got + *have, talk.heard.data, talk.heard.len);
		*have += talk.heard.len;
	}
	return n;
}

/* The link takes only so many segments at a time: the others wait, in order and unharmed, the engine asks for time to
 * try again, takes no more data meanwhile, and goes on where it stood. */
START_TEST(link_is_full)
{
	static const unsigned rooms[] = { 1, 2, 3, 7, 63, 64, 65 };
	uint32_t have = 0;

	make_bytes();
	talk_open(&talk, &(struct net_config){ .engine = { { .initial_cwnd = 100 } } }, 500);
	talk.net.peer[0].gate_room = 0;
	ck_assert_int_eq(net_send(talk.c, bytes, 60000), 60000); /* 120 segments: more than a batch */
	ck_assert_int_eq(net_send(talk.c, bytes, 1), -EAGAIN);
	talk_expect_nothing(&talk);
	for (int turns = 0; have < 50000; turns++) {
		ck_assert_int_lt(turns, 200);
		talk.net.peer[0].gate_room = rooms[_i];
		ck_assert_uint_le(tcpu_deadline(talk.net.peer[0].engine), talk.net.now_us + NET_MS);
		talk.net.now_us += NET_MS;
		tcpu_clock(talk.net.peer[0].engine, talk.net.now_us);
		ck_assert_uint_le(hear_all(&have), rooms[_i] + 0U);
	}
	ck_assert_uint_eq(net_info(talk.c).retransmits, 0);
	talk.net.peer[0].gate_room = NET_ROOM;
	talk_say(&talk, 0, NULL, 0);
	net_run(&talk.net, NET_MS);
	hear_all(&have);
	ck_assert_uint_eq(have, 60000);
	ck_assert_mem_eq(got, bytes, 60000);
	talk_close(&talk);
}
END_TEST

/* Headers that stand in the batch itself move up with it: here those of refusals, each with a number of its own. */
START_TEST(headers_wait_too)
{
	uint32_t expected = 0;

	net_open(&net, &(struct net_config){ .scripted = true });
	net.peer[0].gate_room = 0;
	for (uint32_t i = 0; i < 100; i++)
		script_say(&net, &(struct say){ .flags = ACK, .ack = i, .src_port = 9, .dst_port = 7 });
	ck_assert(!script_hear(&net, &talk.heard));
	while (expected < 64) { /* a batch; the others found no place, as when a network drops them */
		net.peer[0].gate_room = 5;
		net_run(&net, NET_MS);
		while (script_hear(&net, &talk.heard)) {
			ck_assert(talk.heard.good);
			ck_assert_uint_eq(talk.heard.flags, RST);
			ck_assert_uint_eq(talk.heard.seq, expected++);
		}
		ck_assert_uint_eq(expected, (expected + 4) / 5 * 5 > 64 ? 64 : (expected + 4) / 5 * 5);
	}
	net_run(&net, NET_S);
	ck_assert(!script_hear(&net, &talk.heard));
	ck_assert_uint_eq(tcpu_deadline(net.peer[0].engine), TCPU_NEVER);
	net_close(&net);
}
END_TEST

/* Segments of a connection that is aborted while they wait for the link stand in memory that goes. */
START_TEST(abort_while_the_link_is_full)
{
	make_bytes();
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk.net.peer[0].gate_room = 0;
	ck_assert_int_eq(net_send(talk.c, bytes, 5 * MSS), 5 * MSS);
	tcpu_abort(talk.c);
	ck_assert_uint_eq(tcpu_count(talk.net.peer[0].engine), 0);
	talk.net.peer[0].gate_room = NET_ROOM;
	net_run(&talk.net, NET_S);
	while (talk_hear(&talk)) /* whatever went out is whole: talk_hear looks */
		continue;
	talk_close(&talk);
}
END_TEST

/* ---- no memory ---- */

START_TEST(no_memory_for_an_engine)
{
	struct link_sim *sim = link_sim_new(1);
	struct net_memory m = { .fail_at = 1 };
	struct tcpu_config k = { .link = link_sim_host(sim, 1, 1480, 1 << 20), .alloc = net_take, .free = net_give,
				 .alloc_ctx = &m };
	struct tcpu *e;
	int failed;

	while ((failed = tcpu_new(&k, &e))) {
		ck_assert_int_eq(failed, -ENOMEM);
		ck_assert_uint_eq(m.blocks, 0);
		m.fail_at++;
		m.calls = 0;
	}
	ck_assert_uint_eq(m.fail_at, m.calls + 1);
	ck_assert_uint_ge(m.calls, 2);
	tcpu_free(e);
	ck_assert_uint_eq(m.blocks, 0);
	link_sim_free(sim);
}
END_TEST

#define PAIRS 20 /* connections: the table and the heap grow twice */
#define MANY 60  /* segments' worth of bytes: the table of spans grows, too */

struct scarce {
	struct tcb *l, *c[PAIRS], *s[PAIRS];
	unsigned refused; /* calls that said -ENOMEM */
};

static bool refused(struct scarce *x, ssize_t result)
{
	x->refused += result == -ENOMEM;
	return result == -ENOMEM;
}

static void scarce_open(struct scarce *x)
{
	unsigned accepted = 0;
	ssize_t e;

	do
		e = tcpu_listen(net.peer[1].engine, net_addr(&net, 1, NET_PORT), PAIRS, NULL, &x->l);
	while (refused(x, e));
	ck_assert_int_eq(e, 0);
	for (uint16_t i = 0; i < PAIRS; i++) {
		do
			e = tcpu_connect(net.peer[0].engine, net_addr(&net, 0, (uint16_t)(100 + i)),
					 net_addr(&net, 1, NET_PORT), NULL, &x->c[i]);
		while (refused(x, e));
		ck_assert_int_eq(e, 0);
	}
	net_run(&net, 10 * NET_S);
	for (struct tcb *s; !tcpu_accept(x->l, &s); accepted++)
		x->s[ntohs(net_info(s).remote.port) - 100] = s;
	ck_assert_uint_eq(accepted, PAIRS);
}

static void scarce_send(struct scarce *x, struct tcb *c, const void *data, ssize_t len)
{
	ssize_t n;

	for (ssize_t done = 0; done < len; done += n > 0 ? n : 0) {
		n = net_send(c, (const uint8_t *)data + done, (size_t)(len - done));
		if (n == -EAGAIN) /* the peer acknowledges something */
			net_run(&net, NET_S);
		else if (refused(x, n))
			ck_assert_uint_eq(net_info(c).buffered_bytes, 0);
		else
			ck_assert_int_gt(n, 0);
	}
}

static void scarce_talk(struct scarce *x)
{
	for (int i = 0; i < PAIRS; i++) {
		scarce_send(x, x->c[i], bytes + 500 * i, MANY * MSS);
		scarce_send(x, x->s[i], bytes + 700 * i, MSS);
	}
	net_run(&net, 100 * NET_S);
	for (int i = 0; i < PAIRS; i++) {
		ck_assert_int_eq(net_recv(x->s[i], got, sizeof got), MANY * MSS);
		ck_assert_mem_eq(got, bytes + 500 * i, MANY * MSS);
		ck_assert_int_eq(net_recv(x->c[i], got, sizeof got), MSS);
		ck_assert_mem_eq(got, bytes + 700 * i, MSS);
	}
}

/* The allocator's n-th call fails, for every n that there is: a call says so, or a segment is lost and comes again;
 * everything still comes to its end. */
START_TEST(no_memory_once)
{
	struct scarce x;

	make_bytes();
	for (uint64_t n = 1;; n++) {
		bool failed;

		memset(&x, 0, sizeof x);
		net_open(&net, &(struct net_config){ .engine = { { .msl_us = 1 }, { .msl_us = 1 } } });
		net.peer[_i].memory.calls = 0;
		net.peer[_i].memory.fail_at = n;
		scarce_open(&x);
		scarce_talk(&x);
		for (int i = 0; i < PAIRS; i++) {
			tcpu_close(x.c[i]);
			tcpu_close(x.s[i]);
		}
		tcpu_close(x.l);
		net_run(&net, 100 * NET_S);
		ck_assert_uint_eq(tcpu_count(net.peer[0].engine) + tcpu_count(net.peer[1].engine), 0);
		failed = net.peer[_i].memory.failed;
		net_close(&net);
		ck_assert_uint_le(x.refused, failed);
		if (!failed) {
			ck_assert_uint_gt(n, 3 * PAIRS); /* a connection and its two buffers, at least */
			break;
		}
	}
}
END_TEST

/* ---- what a sink takes, and the window's edge ---- */

/* A vouched segment of which the sink takes the beginning: the rest waits in the receive buffer; without memory for
 * one, only what was taken is acknowledged. */
START_TEST(sink_takes_a_part)
{
	struct plain_sink sink;
	uint8_t first[300];
	bool no_memory = _i;

	make_bytes();
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk.net.peer[0].vouches = true;
	plain_sink(&sink, first, sizeof first);
	tcpu_sink(talk.c, &sink.seam);
	if (no_memory)
		talk.net.peer[0].memory.fail_at = talk.net.peer[0].memory.calls + 1;
	talk_say(&talk, 0, bytes, MSS);
	net_run(&talk.net, NET_S);
	talk_expect(&talk, ACK, 0);
	ck_assert_mem_eq(first, bytes, sizeof first);
	ck_assert_uint_eq(net_info(talk.c).direct_bytes, sizeof first);
	ck_assert_uint_eq(talk.seq - talk.heard.ack, no_memory ? MSS - sizeof first : 0);
	if (no_memory) {
		ck_assert_int_eq(net_recv(talk.c, got, sizeof got), -EAGAIN);
		talk_say_at(&talk, ACK, talk.seq - MSS, talk.ack, bytes, MSS);
	}
	ck_assert_int_eq(net_recv(talk.c, got, sizeof got), MSS - sizeof first);
	ck_assert_mem_eq(got, bytes + sizeof first, MSS - sizeof first);
	talk_say(&talk, 0, bytes + MSS, MSS);
	ck_assert_int_eq(net_recv(talk.c, got, sizeof got), MSS);
	ck_assert_mem_eq(got, bytes + MSS, MSS);
	talk_close(&talk);
}
END_TEST

/* A segment that reaches beyond the window is cut there, and its FIN with it; what was cut comes again. */
START_TEST(cut_at_the_right_edge)
{
	make_bytes();
	talk_open(&talk, &(struct net_config){ .engine = { { .options.rcvbuf_bytes = 2500 } } }, MSS);
	talk_say(&talk, 0, bytes, MSS);
	talk_say(&talk, 0, bytes + MSS, MSS);
	script_forget(&talk.net);
	talk_say_at(&talk, ACK | FIN, talk.seq, talk.ack, bytes + 2 * MSS, MSS);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq + 500);
	ck_assert_uint_eq(talk.heard.window, 0);
	ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
	ck_assert_int_eq(net_recv(talk.c, got, sizeof got), 2500);
	ck_assert_int_eq(net_recv(talk.c, got + 2500, sizeof got), -EAGAIN);
	net_run(&talk.net, 0);
	talk_expect(&talk, ACK, 0); /* the window is open again */
	talk_say(&talk, FIN, bytes + 2 * MSS, MSS);
	ck_assert_int_eq(net_recv(talk.c, got + 2500, sizeof got), 500);
	ck_assert_int_eq(net_recv(talk.c, got, sizeof got), 0);
	ck_assert_mem_eq(got, bytes, 3 * MSS);
	ck_assert_int_eq(net_state(talk.c), TCPU_CLOSE_WAIT);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	talk_close(&talk);
}
END_TEST

/* SYN,ACK that brings data (1), FIN (2), both (3): the connection opens, and all of it counts at once; it does no harm
 * when it comes again. */
START_TEST(syn_ack_brings_more)
{
	uint32_t len = _i & 1 ? 5 : 0;
	uint8_t fin = _i & 2 ? FIN : 0;
	struct say say = { .flags = (uint8_t)(SYN | ACK | fin), .seq = 100, .window = 1000, .data = "hello", .len = len,
			   .src_port = NET_PORT };
	struct tcb *c;
	char hello[8];

	net_open(&net, &(struct net_config){ .scripted = true });
	c = net_connect(&net);
	net_run(&net, 0);
	ck_assert(script_hear(&net, &talk.heard));
	say.dst_port = ntohs(talk.heard.src.port);
	say.ack = talk.heard.seq + 1;
	script_say(&net, &say);
	ck_assert(script_hear(&net, &talk.heard));
	ck_assert_uint_eq(talk.heard.flags, ACK);
	ck_assert_uint_eq(talk.heard.ack, 101 + len + !!fin);
	ck_assert_uint_eq(tcpu_ready(c) & TCPU_OUT, TCPU_OUT);
	say.flags = ACK | fin;
	say.seq = 101;
	script_say(&net, &say);
	net_run(&net, NET_S);
	while (script_hear(&net, &talk.heard))
		ck_assert_uint_eq(talk.heard.flags, ACK);
	ck_assert_uint_eq(talk.heard.ack, 101 + len + !!fin);
	ck_assert_int_eq(net_state(c), fin ? TCPU_CLOSE_WAIT : TCPU_ESTABLISHED);
	if (len)
		ck_assert_int_eq(net_recv(c, hello, sizeof hello), len);
	ck_assert_mem_eq(hello, "hello", len);
	ck_assert_int_eq(net_recv(c, hello, sizeof hello), fin ? 0 : -EAGAIN);
	net_close(&net);
}
END_TEST

/* mss_max holds both ways, but not below what an attacker may bring it down to. */
START_TEST(mss_max)
{
	static const uint32_t asked[] = { 500, 10, 1 << 20 }, got_mss[] = { 500, 48, 1460 };

	talk_open(&talk, &(struct net_config){ .engine = { { .options.mss_max = asked[_i] } } }, 1460);
	ck_assert_uint_eq(net_info(talk.c).mss, got_mss[_i]);
	ck_assert_int_eq(net_send(talk.c, bytes, 2000), 2000);
	talk_expect(&talk, ACK, got_mss[_i]);
	talk_close(&talk);
	net_open(&net, &(struct net_config){ .scripted = true, .engine = { { .options.mss_max = asked[_i] } } });
	net_connect(&net);
	net_run(&net, 0);
	ck_assert(script_hear(&net, &talk.heard));
	ck_assert_uint_eq(talk.heard.mss, got_mss[_i]);
	net_close(&net);
}
END_TEST

/* ---- places ---- */

static void say_syn(uint16_t port)
{
	script_say(&net, &(struct say){ .flags = SYN, .seq = port, .window = 1000, .src_port = port,
					.dst_port = NET_PORT });
}

static bool hears(uint8_t flags, uint16_t to_port)
{
	link_sim_clock(net.sim, net.now_us);
	return script_hear(&net, &talk.heard) && talk.heard.flags == flags && talk.heard.dst.port == htons(to_port);
}

/* The script opens from the port: a connection that waits for accept. */
static void establish(uint16_t port)
{
	say_syn(port);
	ck_assert(hears(SYN | ACK, port));
	script_say(&net, &(struct say){ .flags = ACK, .seq = port + 1U, .ack = talk.heard.seq + 1, .window = 1000,
					.src_port = port, .dst_port = NET_PORT });
}

static struct tcb *listen_at(uint32_t ip, uint16_t port, int expected)
{
	struct tcb *l = NULL;

	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, (struct link_addr){ ip, htons(port) }, 10, NULL, &l), expected);
	return l;
}

/* Connections that open, are open and are half-open share the places; a SYN beyond them is met with silence. */
START_TEST(connections_max)
{
	struct tcb *c[2], *more;

	net_open(&net, &(struct net_config){ .scripted = true, .engine = { { .connections_max = 3 } } });
	listen_at(0, NET_PORT, 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(tcpu_connect(net.peer[0].engine, net_addr(&net, 0, (uint16_t)(10 + i)),
					      net_addr(&net, 1, 9), NULL, &c[i]), 0);
	net_run(&net, 0);
	script_forget(&net);
	say_syn(7);
	ck_assert(hears(SYN | ACK, 7));
	say_syn(8);
	ck_assert(!script_hear(&net, &talk.heard));
	ck_assert_int_eq(tcpu_connect(net.peer[0].engine, net_addr(&net, 0, 12), net_addr(&net, 1, 9), NULL, &more), -ENFILE);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 4);
	tcpu_close(c[0]);
	say_syn(8);
	ck_assert(hears(SYN | ACK, 8));
	tcpu_abort(c[1]);
	ck_assert_int_eq(tcpu_connect(net.peer[0].engine, net_addr(&net, 0, 12), net_addr(&net, 1, 9), NULL, &more), 0);
	ck_assert_int_eq(tcpu_connect(net.peer[0].engine, net_addr(&net, 0, 12), net_addr(&net, 1, 9), NULL, &more),
			 -EADDRINUSE);
	net_close(&net);
}
END_TEST

/* One port, one listener: any address overlaps with every other; another address or port does not. */
START_TEST(two_listeners)
{
	struct tcb *any, *one, *c;
	uint32_t ip, other = htonl(0x0a000063);

	net_open(&net, &(struct net_config){ .scripted = true });
	ip = net.peer[0].ip;
	any = listen_at(0, NET_PORT, 0);
	listen_at(0, NET_PORT, -EADDRINUSE);
	listen_at(ip, NET_PORT, -EADDRINUSE);
	listen_at(0, NET_PORT + 1, 0);
	tcpu_close(any);
	listen_at(other, NET_PORT, 0);
	listen_at(0, NET_PORT, -EADDRINUSE);
	say_syn(5); /* not for the other address */
	ck_assert(hears(RST | ACK, 5));
	one = listen_at(ip, NET_PORT, 0);
	listen_at(ip, NET_PORT, -EADDRINUSE);
	establish(6);
	ck_assert_int_eq(tcpu_accept(one, &c), 0);
	ck_assert_int_eq(tcpu_accept(c, &any), -EINVAL);
	net_close(&net);
}
END_TEST

/* A connection that is reset leaves the queue for accept wherever it stands; the others keep their order, and one that
 * comes afterwards stands behind them. */
START_TEST(leaves_the_accept_queue)
{
	struct tcb *l, *c;

	net_open(&net, &(struct net_config){ .scripted = true });
	l = listen_at(0, NET_PORT, 0);
	for (uint16_t port = 1; port <= 3; port++)
		establish(port);
	script_say(&net, &(struct say){ .flags = RST, .seq = (uint32_t)_i + 1, .src_port = (uint16_t)_i,
					.dst_port = NET_PORT });
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 3);
	establish(4);
	for (uint16_t port = 1; port <= 4; port++) {
		if (port == _i)
			continue;
		ck_assert_int_eq(tcpu_accept(l, &c), 0);
		ck_assert_uint_eq(net_info(c).remote.port, htons(port));
	}
	ck_assert_int_eq(tcpu_accept(l, &c), -EAGAIN);
	ck_assert_uint_eq(tcpu_ready(l), 0);
	net_close(&net);
}
END_TEST

/* Three connections have something to acknowledge at the end of the turn, and one of them is reset before: the other
 * two are served. */
START_TEST(leaves_the_flush_list)
{
	struct tcb *l, *c[4];
	uint32_t ack[4];

	net_open(&net, &(struct net_config){ .scripted = true, .engine = { { .delack_us = TCPU_ACK_ON_FLUSH } } });
	l = listen_at(0, NET_PORT, 0);
	for (uint16_t port = 1; port <= 3; port++) {
		establish(port);
		ack[port] = talk.heard.seq + 1;
		ck_assert_int_eq(tcpu_accept(l, &c[port]), 0);
	}
	for (uint16_t port = 1; port <= 3; port++)
		script_put(&net, &(struct say){ .flags = ACK, .seq = port + 1U, .ack = ack[port], .window = 1000,
						.data = "data", .len = 4, .src_port = port, .dst_port = NET_PORT });
	script_put(&net, &(struct say){ .flags = RST, .seq = (uint32_t)_i + 5, .src_port = (uint16_t)_i,
					.dst_port = NET_PORT });
	net_run(&net, 0);
	for (unsigned heard = 0; heard < 2; heard++) {
		ck_assert(script_hear(&net, &talk.heard));
		ck_assert_uint_eq(talk.heard.flags, ACK);
		ck_assert_uint_ne(talk.heard.dst.port, htons((uint16_t)_i));
		ck_assert_uint_eq(talk.heard.ack, ntohs(talk.heard.dst.port) + 5U);
	}
	ck_assert(!script_hear(&net, &talk.heard));
	ck_assert_int_eq(tcpu_error(c[_i]), ECONNRESET);
	net_close(&net);
}
END_TEST

/* ---- sequence numbers ---- */

static uint32_t lost_seq;

/* Loses the first segment of data that begins or ends at the wrap or contains it. */
static bool lose_at_wrap(void *ctx, struct link_sim_packet *p)
{
	static struct wire w;

	(void)ctx;
	wire_read(p, &w);
	if (!w.len || lost_seq || w.seq + w.len - 1 >= w.seq)
		return true;
	lost_seq = w.seq;
	return false;
}

/* Both directions pass from 2^32 - 1 to 0 in the middle of a segment; that segment, which is sent first by peer _i, is
 * lost, so that timers, duplicate ACKs and holes have the wrap within them. */
START_TEST(sequence_numbers_wrap)
{
	struct tcb *c[2];

	make_bytes();
	lost_seq = 0;
	net_open(&net, &(struct net_config){ .below_wrap = { 5000, 5000 } });
	net_pair(&net, &c[0], &c[1]);
	link_sim_filter(net.sim, lose_at_wrap, NULL);
	ck_assert_int_eq(net_send(c[_i], bytes, 12000), 12000);
	net_run(&net, 10 * NET_S);
	ck_assert_uint_gt(lost_seq, UINT32_MAX - 1460);
	ck_assert_int_eq(net_recv(c[!_i], got, sizeof got), 12000);
	ck_assert_mem_eq(got, bytes, 12000);
	ck_assert_uint_eq(net_info(c[_i]).fast_retransmits, 1);
	ck_assert_uint_eq(net_info(c[_i]).timeouts, 0);
	ck_assert_int_eq(net_send(c[!_i], bytes, 12000), 12000);
	net_run(&net, 10 * NET_S);
	ck_assert_int_eq(net_recv(c[_i], got, sizeof got), 12000);
	ck_assert_mem_eq(got, bytes, 12000);
	for (int i = 0; i < 2; i++)
		tcpu_close(c[i]);
	net_run(&net, 100 * NET_S);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine) + tcpu_count(net.peer[1].engine), 0);
	net_close(&net);
}
END_TEST

/* SYN, the first byte, or FIN stands on the last number or the first. */
START_TEST(syn_or_fin_wraps)
{
	struct tcb *c[2];

	make_bytes();
	net_open(&net, &(struct net_config){ .below_wrap = { 1 + (uint32_t)_i, 1 + (uint32_t)_i } });
	net_pair(&net, &c[0], &c[1]);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(net_send(c[i], bytes, 2), 2);
		ck_assert_int_eq(tcpu_shutdown(c[i]), 0);
	}
	net_run(&net, NET_S);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(net_recv(c[i], got, sizeof got), 2);
		ck_assert_int_eq(net_recv(c[i], got, sizeof got), 0);
		ck_assert_uint_eq(net_info(c[i]).timeouts, 0);
		tcpu_close(c[i]);
	}
	net_run(&net, 100 * NET_S);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine) + tcpu_count(net.peer[1].engine), 0);
	net_close(&net);
}
END_TEST

int main(void)
{
	const struct {
		const TTest *test;
		int from, to;
	} tests[] = { { link_is_full, 0, 7 }, { headers_wait_too, 0, 1 }, { abort_while_the_link_is_full, 0, 1 },
		{ no_memory_for_an_engine, 0, 1 }, { no_memory_once, 0, 2 },
		{ sink_takes_a_part, 0, 2 }, { cut_at_the_right_edge, 0, 1 }, { syn_ack_brings_more, 0, 4 },
		{ mss_max, 0, 3 }, { connections_max, 0, 1 }, { two_listeners, 0, 1 },
		{ leaves_the_accept_queue, 1, 4 }, { leaves_the_flush_list, 1, 4 }, { sequence_numbers_wrap, 0, 2 },
		{ syn_or_fin_wraps, 0, 5 } };
	Suite *suite = suite_create("core_limits");
	TCase *tc = tcase_create("limits");

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_loop_test(tc, tests[i].test, tests[i].from, tests[i].to);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

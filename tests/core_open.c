/* Connections begin: RFC 9293 3.5, and what happens when they do not. */
#include "tests/run.h"
#include "tests/sim_net.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static struct net net;
static struct talk talk;

/* Counts segments of peer 0 by a mask of flags, and drops the first so many of a direction. */
struct watch {
	uint32_t from;
	uint8_t flags;
	unsigned drop, seen;
	uint64_t at_us[32];
};

static bool watch_filter(void *ctx, struct link_sim_packet *p)
{
	static struct wire w;
	struct watch *f = ctx;

	wire_read(p, &w);
	ck_assert(w.good);
	if (p->src.ip != f->from || w.flags != f->flags)
		return true;
	f->at_us[f->seen % 32] = p->time_us;
	return f->seen++ >= f->drop;
}

START_TEST(three_segments_open)
{
	struct watch w = { .flags = SYN };
	struct tcb *c, *s;

	net_open(&net, &(struct net_config){ .path = { { .delay_us = 1000 }, { .delay_us = 1000 } } });
	w.from = net.peer[0].ip;
	link_sim_filter(net.sim, watch_filter, &w);
	net_pair(&net, &c, &s);
	net_run(&net, NET_S);
	ck_assert_uint_eq(w.seen, 1);
	ck_assert_uint_eq(link_sim_stats(net.sim, net.peer[0].ip, net.peer[1].ip).sent, 2);
	ck_assert_uint_eq(link_sim_stats(net.sim, net.peer[1].ip, net.peer[0].ip).sent, 1);
	ck_assert_int_eq(net_state(s), TCPU_ESTABLISHED);
	ck_assert_uint_eq(tcpu_ready(c), TCPU_OUT);
	ck_assert_uint_eq(tcpu_ready(s), TCPU_OUT);
	ck_assert_uint_eq(net_info(c).remote.port, net_info(s).local.port);
	ck_assert_uint_eq(net_info(c).local.port, net_info(s).remote.port);
	net_close(&net);
}
END_TEST

/* SYN, SYN-ACK or the ACK is lost once: the connection opens all the same, and data flows. */
START_TEST(a_lost_segment_of_the_handshake)
{
	static const uint8_t flags[] = { SYN, SYN | ACK, ACK };
	struct watch w = { .flags = flags[_i], .drop = 1 };
	struct tcb *c, *s = NULL, *l;
	char got[8];

	net_open(&net, &(struct net_config){ .path = { { .delay_us = 1000 }, { .delay_us = 1000 } } });
	w.from = net.peer[_i == 1].ip;
	link_sim_filter(net.sim, watch_filter, &w);
	l = net_listen(&net, 1);
	c = net_connect(&net);
	net_run(&net, 10 * NET_S);
	ck_assert_int_eq(net_state(c), TCPU_ESTABLISHED);
	ck_assert_int_eq(net_send(c, "hello", 5), 5);
	net_run(&net, 10 * NET_S);
	ck_assert_int_eq(tcpu_accept(l, &s), 0);
	ck_assert_int_eq(net_recv(s, got, sizeof got), 5);
	ck_assert_mem_eq(got, "hello", 5);
	net_close(&net);
}
END_TEST

/* RFC 9293 3.5, figure 7: both send SYN at once; one connection is the result. */
START_TEST(simultaneous_open)
{
	struct tcb *c[2];
	char got[8];

	net_open(&net, &(struct net_config){ .path = { { .delay_us = 1000 }, { .delay_us = 1000 } } });
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(tcpu_connect(net.peer[i].engine, net_addr(&net, i, 80), net_addr(&net, !i, 80), NULL, &c[i]),
				 0);
	net_run(&net, 10 * NET_S);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(net_state(c[i]), TCPU_ESTABLISHED);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(net_send(c[i], "both", 4), 4);
		net_run(&net, NET_S);
		ck_assert_int_eq(net_recv(c[!i], got, sizeof got), 4);
	}
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 1);
	net_close(&net);
}
END_TEST

START_TEST(nobody_listens)
{
	struct tcb *c;

	net_open(&net, &(struct net_config){ 0 });
	c = net_connect(&net);
	net_run(&net, NET_S);
	ck_assert_uint_eq(tcpu_ready(c) & TCPU_ERR, TCPU_ERR);
	ck_assert_int_eq(tcpu_error(c), ECONNREFUSED);
	ck_assert_int_eq(tcpu_error(c), 0);
	ck_assert_int_eq(net_state(c), TCPU_CLOSED);
	tcpu_close(c);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 0);
	ck_assert_uint_eq(tcpu_count(net.peer[1].engine), 0);
	net_close(&net);
}
END_TEST

/* ICMP (RFC 9293 3.9.2.2, RFC 5927): a hard error is fatal in SYN-SENT, no more than a hint afterwards; a soft one is a
 * hint at any time. */
START_TEST(unreachable)
{
	struct tcb *c, *s;
	char got[4];

	net_open(&net, &(struct net_config){ .path = { { .loss = 1 } } });
	c = net_connect(&net);
	link_sim_inject(net.sim, net_addr(&net, 1, NET_PORT), net_info(c).local, NULL, 0, EHOSTUNREACH);
	net_run(&net, 0);
	ck_assert_int_eq(net_state(c), TCPU_SYN_SENT);
	ck_assert_int_eq(net_info(c).soft_error, EHOSTUNREACH);
	link_sim_inject(net.sim, net_addr(&net, 1, NET_PORT), net_info(c).local, NULL, 0, ECONNREFUSED);
	net_run(&net, 0);
	ck_assert_int_eq(tcpu_error(c), ECONNREFUSED);
	tcpu_close(c);
	net_close(&net);

	net_open(&net, &(struct net_config){ 0 });
	net_pair(&net, &c, &s);
	link_sim_inject(net.sim, net_addr(&net, 1, NET_PORT), net_info(c).local, NULL, 0, ECONNREFUSED);
	net_run(&net, NET_S);
	ck_assert_int_eq(net_state(c), TCPU_ESTABLISHED);
	ck_assert_int_eq(net_send(c, "on", 2), 2);
	net_run(&net, NET_S);
	ck_assert_int_eq(net_recv(s, got, 4), 2);
	net_close(&net);
}
END_TEST

/* RFC 6298: 1 s at first, then doubled; syn_retries of them, then ETIMEDOUT. */
START_TEST(syn_is_repeated_then_given_up)
{
	struct watch w = { .flags = SYN, .drop = 100 };
	struct tcb *c;

	net_open(&net, &(struct net_config){ .engine = { { .options.syn_retries = 4 } } });
	w.from = net.peer[0].ip;
	link_sim_filter(net.sim, watch_filter, &w);
	c = net_connect(&net);
	net_run(&net, 15 * NET_S + NET_MS);
	ck_assert_uint_eq(w.seen, 5);
	for (unsigned i = 1; i < w.seen; i++)
		ck_assert_uint_eq(w.at_us[i] - w.at_us[i - 1], NET_S << (i - 1));
	ck_assert_int_eq(net_state(c), TCPU_SYN_SENT);
	net_run(&net, 17 * NET_S);
	ck_assert_uint_eq(w.seen, 5);
	ck_assert_int_eq(tcpu_error(c), ETIMEDOUT);
	tcpu_close(c);
	net_close(&net);
}
END_TEST

/* Connections beyond the backlog wait in the network, and come when there is room. */
START_TEST(backlog)
{
	struct tcb *l, *c[4], *s;

	net_open(&net, &(struct net_config){ 0 });
	l = net_listen(&net, 2);
	for (int i = 0; i < 4; i++)
		c[i] = net_connect(&net);
	net_run(&net, 100 * NET_MS);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(tcpu_accept(l, &s), 0);
	ck_assert_int_eq(tcpu_accept(l, &s), -EAGAIN);
	net_run(&net, 10 * NET_S);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(tcpu_accept(l, &s), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(net_state(c[i]), TCPU_ESTABLISHED);
	net_close(&net);
}
END_TEST

/* A listener that goes takes with it, by RST, what nobody has accepted. */
START_TEST(listener_closes_on_the_unaccepted)
{
	struct tcb *l, *c;

	net_open(&net, &(struct net_config){ 0 });
	l = net_listen(&net, 2);
	c = net_connect(&net);
	net_run(&net, 100 * NET_MS);
	ck_assert_int_eq(net_state(c), TCPU_ESTABLISHED);
	tcpu_close(l);
	net_run(&net, 100 * NET_MS);
	ck_assert_int_eq(tcpu_error(c), ECONNRESET);
	ck_assert_uint_eq(tcpu_count(net.peer[1].engine), 0);
	net_close(&net);
}
END_TEST

/* A half-open connection whose peer is never heard of again is given up: nothing stays. */
START_TEST(half_open_goes)
{
	struct tcb *l;

	net_open(&net, &(struct net_config){ .scripted = true });
	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, net_addr(&net, 0, NET_PORT), 5, NULL, &l), 0);
	for (uint16_t i = 0; i < 50; i++)
		script_say(&net, &(struct say){ .flags = SYN, .seq = i, .window = 1000,
						.src_port = (uint16_t)(1000 + i), .dst_port = NET_PORT });
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 51);
	net_run(&net, 1000 * NET_S);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 1);
	net_close(&net);
}
END_TEST

/* A SYN again gets the same SYN-ACK; an ACK that acknowledges nothing of ours gets RST. */
START_TEST(syn_received)
{
	struct tcb *l, *s;
	struct say syn = { .flags = SYN, .seq = 100, .window = 1000, .src_port = 9, .dst_port = NET_PORT };
	struct say bad = { .flags = ACK, .seq = 101, .window = 1000, .src_port = 9, .dst_port = NET_PORT };
	uint32_t iss;

	net_open(&net, &(struct net_config){ .scripted = true });
	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, net_addr(&net, 0, NET_PORT), 5, NULL, &l), 0);
	script_say(&net, &syn);
	ck_assert(script_hear(&net, &talk.heard));
	ck_assert_uint_eq(talk.heard.flags, SYN | ACK);
	ck_assert_uint_eq(talk.heard.ack, 101);
	iss = talk.heard.seq;
	script_say(&net, &syn);
	ck_assert(script_hear(&net, &talk.heard));
	ck_assert_uint_eq(talk.heard.flags, SYN | ACK);
	ck_assert_uint_eq(talk.heard.seq, iss);
	bad.ack = iss;
	script_say(&net, &bad);
	ck_assert(script_hear(&net, &talk.heard));
	ck_assert_uint_eq(talk.heard.flags & RST, RST);
	ck_assert_uint_eq(talk.heard.seq, iss);
	ck_assert_int_eq(tcpu_accept(l, &s), -EAGAIN);
	bad.ack = iss + 1;
	script_say(&net, &bad);
	ck_assert_int_eq(tcpu_accept(l, &s), 0);
	net_close(&net);
}
END_TEST

/* RFC 9293 3.10.7.3: an ACK of nothing we sent is refused with RST, an RST without ACK says nothing, a good one
 * refuses the connection. */
START_TEST(syn_sent)
{
	struct tcb *c;
	struct say say = { .window = 1000, .src_port = NET_PORT };
	uint32_t iss;

	net_open(&net, &(struct net_config){ .scripted = true });
	c = net_connect(&net);
	net_run(&net, 0);
	ck_assert(script_hear(&net, &talk.heard));
	iss = talk.heard.seq;
	say.dst_port = __builtin_bswap16(talk.heard.src.port);
	say.flags = ACK;
	say.ack = iss;
	script_say(&net, &say);
	ck_assert(script_hear(&net, &talk.heard));
	ck_assert_uint_eq(talk.heard.flags & RST, RST);
	ck_assert_uint_eq(talk.heard.seq, iss);
	say.flags = RST;
	script_say(&net, &say);
	say.flags = RST | ACK;
	say.ack = iss + 2;
	script_say(&net, &say);
	ck_assert_int_eq(net_state(c), TCPU_SYN_SENT);
	say.ack = iss + 1;
	script_say(&net, &say);
	ck_assert_int_eq(tcpu_error(c), ECONNREFUSED);
	net_close(&net);
}
END_TEST

/* The MSS option both ways: announced from the link, and obeyed; 536 without it, and never below 48. */
START_TEST(mss)
{
	static const uint16_t said[] = { 1000, 9000, 1, 0 }, used[] = { 1000, 1460, 48, 536 };
	static const char data[3000];

	talk_open(&talk, &(struct net_config){ 0 }, said[_i]);
	ck_assert_uint_eq(net_info(talk.c).mss, used[_i]);
	ck_assert_int_eq(net_send(talk.c, data, sizeof data), sizeof data);
	talk_expect(&talk, ACK, used[_i]);
	talk_close(&talk);
}
END_TEST

/* RFC 6528: another connection, another time, another ISN; not one that the last would tell. */
START_TEST(isn)
{
	uint32_t last = 0, step = 0;

	for (int i = 0; i < 4; i++) {
		net_open(&net, &(struct net_config){ .scripted = true, .seed = (uint64_t)i });
		net_connect(&net);
		net_run(&net, 0);
		ck_assert(script_hear(&net, &talk.heard));
		ck_assert_uint_ne(talk.heard.seq, last);
		ck_assert_uint_ne(talk.heard.seq - last, step);
		step = talk.heard.seq - last;
		last = talk.heard.seq;
		net_close(&net);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_open");
	TCase *tc = tcase_create("open");

	tcase_add_test(tc, three_segments_open);
	tcase_add_loop_test(tc, a_lost_segment_of_the_handshake, 0, 3);
	tcase_add_test(tc, simultaneous_open);
	tcase_add_test(tc, nobody_listens);
	tcase_add_test(tc, unreachable);
	tcase_add_test(tc, syn_is_repeated_then_given_up);
	tcase_add_test(tc, backlog);
	tcase_add_test(tc, listener_closes_on_the_unaccepted);
	tcase_add_test(tc, half_open_goes);
	tcase_add_test(tc, syn_received);
	tcase_add_test(tc, syn_sent);
	tcase_add_loop_test(tc, mss, 0, 4);
	tcase_add_test(tc, isn);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

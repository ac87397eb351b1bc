/* Rules that whole transfers survive without: each test here was written for a fault, planted or real, that no other
 * saw. */
#include "core/cksum.h"
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

#define MSS 1000

static struct talk talk;
static uint8_t bytes[100000], pattern[1 << 19];

/* RFC 6298 (5.2): all is acknowledged, so the timer is off; nothing happens for however long. */
START_TEST(timer_rests)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	net_send(talk.c, bytes, 3 * MSS);
	while (talk_hear(&talk))
		continue;
	talk_say(&talk, 0, NULL, 0);
	net_run(&talk.net, 3600 * NET_S);
	talk_expect_nothing(&talk);
	ck_assert_uint_eq(net_info(talk.c).timeouts, 0);
	talk_close(&talk);
}
END_TEST

/* RFC 6298 (5.3): each ACK of new data starts the timer anew, so a flight that is never empty never times out. */
START_TEST(timer_starts_anew)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	net_send(talk.c, bytes, MSS);
	talk_expect(&talk, ACK, MSS);
	for (int i = 0; i < 100; i++) {
		uint32_t older = talk.ack;

		net_send(talk.c, bytes, MSS);
		talk_expect(&talk, ACK, MSS);
		net_run(&talk.net, 60 * NET_MS);
		talk_say_at(&talk, ACK, talk.seq, older, NULL, 0);
		talk_expect_nothing(&talk);
	}
	ck_assert_uint_eq(net_info(talk.c).timeouts, 0);
	ck_assert_uint_eq(net_info(talk.c).retransmits, 0);
	talk_close(&talk);
}
END_TEST

/* RFC 6298 (2.3), number by number. */
START_TEST(rtt_arithmetic)
{
	static const uint32_t rtt_ms[] = { 100, 20, 150, 5, 5, 5, 80 };

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (size_t i = 0; i < sizeof rtt_ms / sizeof *rtt_ms; i++) {
		struct tcpu_info was = net_info(talk.c), is;
		double r = rtt_ms[i] * 1000.0, off = was.srtt_us > r ? was.srtt_us - r : r - was.srtt_us;

		net_send(talk.c, bytes, MSS);
		talk_expect(&talk, ACK, MSS);
		net_run(&talk.net, rtt_ms[i] * NET_MS);
		talk_say(&talk, 0, NULL, 0);
		is = net_info(talk.c);
		ck_assert_double_eq_tol(is.rttvar_us, 0.75 * was.rttvar_us + 0.25 * off, 2);
		ck_assert_double_eq_tol(is.srtt_us, 0.875 * was.srtt_us + 0.125 * r, 2);
		ck_assert_uint_eq(is.rto_us, is.srtt_us + (4 * is.rttvar_us > 200000 ? 4 * is.rttvar_us : 200000));
	}
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.10.7.4: a segment older than the one that set the window (SND.WL1) does not set it. */
START_TEST(old_segment_moves_no_window)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk.window = 3000;
	talk_say_at(&talk, ACK, talk.seq + 10, talk.ack, "later", 5);
	ck_assert_uint_eq(net_info(talk.c).snd_wnd_bytes, 3000);
	talk.window = 9000;
	talk_say_at(&talk, ACK, talk.seq, talk.ack, "0123456789", 10);
	ck_assert_uint_eq(net_info(talk.c).snd_wnd_bytes, 3000);
	talk_close(&talk);
}
END_TEST

/* Both windows shut, both sides with data: the peer's probe carries the news that its window is open again, and that
 * counts though the probe's byte does not. Else both would probe for ever. */
START_TEST(probe_opens_the_other_window)
{
	talk_open(&talk, &(struct net_config){ .engine = { { .options.rcvbuf_bytes = 2 * MSS } } }, MSS);
	talk.window = 0;
	talk_say(&talk, 0, bytes, MSS);
	talk_say(&talk, 0, bytes, MSS);
	net_run(&talk.net, 100 * NET_MS);
	while (talk_hear(&talk))
		continue;
	ck_assert_uint_eq(talk.heard.window, 0);
	net_send(talk.c, bytes, MSS);
	talk_expect_nothing(&talk);
	talk.window = 5000;
	talk_say_at(&talk, ACK, talk.seq, talk.ack, "?", 1);
	talk_expect(&talk, ACK, MSS);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.8.6.2.2: the receiver does not announce crumbs, even when it has to say something. */
START_TEST(receiver_announces_no_crumbs)
{
	static uint8_t got[10 * MSS];

	talk_open(&talk, &(struct net_config){ .engine = { { .options.rcvbuf_bytes = 10 * MSS } } }, MSS);
	for (int i = 0; i < 10; i++)
		talk_say(&talk, 0, bytes, MSS);
	net_run(&talk.net, 100 * NET_MS);
	while (talk_hear(&talk))
		continue;
	ck_assert_uint_eq(talk.heard.window, 0);
	ck_assert_int_eq(net_recv(talk.c, got, MSS - 1), MSS - 1);
	talk_say_at(&talk, ACK, talk.seq, talk.ack, "?", 1); /* a probe: it must be answered */
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.window, 0);
	ck_assert_int_eq(net_recv(talk.c, got, 1), 1);
	talk_say_at(&talk, ACK, talk.seq, talk.ack, "?", 1);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.window, MSS);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.8.6.2.1: the sender waits for a segment's worth of window, or half of the largest it has seen; the persist
 * timer then sends what there is. */
START_TEST(sender_sends_no_crumbs)
{
	talk_open(&talk, &(struct net_config){ 0 }, 2 * MSS);
	talk.window = 999;
	talk_say(&talk, 0, NULL, 0);
	net_send(talk.c, bytes, 2 * MSS);
	talk_expect_nothing(&talk);
	net_run(&talk.net, 2 * NET_S);
	talk_expect(&talk, ACK, 999);
	talk_close(&talk);

	/* Half of the largest window (65535, in the SYN,ACK) is worth a segment, though a full one is larger. */
	talk_open(&talk, &(struct net_config){ .segment_max = { 60000 } }, 50000);
	talk.window = 40000;
	talk_say(&talk, 0, NULL, 0);
	net_send(talk.c, bytes, 50000);
	talk_expect(&talk, ACK, 40000);
	talk_close(&talk);
}
END_TEST

/* RFC 7323 2.2: a peer without the option gets windows as they are, and so do we. */
START_TEST(no_scale_without_both)
{
	talk_open(&talk, &(struct net_config){ .engine = { { .options.rcvbuf_bytes = 1 << 20 } } }, MSS);
	ck_assert_uint_eq(talk.heard.window, 65535);
	talk.window = 5000;
	talk_say(&talk, 0, NULL, 0);
	ck_assert_uint_eq(net_info(talk.c).snd_wnd_bytes, 5000);
	talk_close(&talk);
}
END_TEST

/* RFC 6528 section 3: the ISN of one pair of addresses goes on by 250,000 a second. */
START_TEST(isn_follows_the_clock)
{
	static struct net net;
	struct say syn = { .flags = SYN, .seq = 7, .window = 1000, .src_port = 5555, .dst_port = NET_PORT };
	struct wire first, second;

	net_open(&net, &(struct net_config){ .scripted = true });
	struct link_addr here = net_addr(&net, 0, NET_PORT);
	struct tcb *l;
	ck_assert_int_eq(net.peer[0].link->ops->claim(net.peer[0].link, &here), 0);
	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, here, 5, NULL, &l), 0);
	script_say(&net, &syn);
	ck_assert(script_hear(&net, &first));
	script_say(&net, &(struct say){ .flags = RST, .seq = 8, .src_port = 5555, .dst_port = NET_PORT });
	net_run(&net, 1 * NET_S);
	script_forget(&net);
	script_say(&net, &syn);
	ck_assert(script_hear(&net, &second));
	ck_assert_uint_eq(second.flags, SYN | ACK);
	ck_assert_uint_eq(second.seq - first.seq, 250000);
	net_close(&net);
}
END_TEST

/* A SYN that finds the queue full is not answered at all: no SYN,ACK that would be taken back, no RST. */
START_TEST(full_backlog_is_silent)
{
	static struct net net;
	struct wire heard;
	struct say say = { .flags = SYN, .seq = 7, .window = 1000, .src_port = 5555, .dst_port = NET_PORT };

	net_open(&net, &(struct net_config){ .scripted = true });
	struct link_addr here = net_addr(&net, 0, NET_PORT);
	struct tcb *l;
	ck_assert_int_eq(net.peer[0].link->ops->claim(net.peer[0].link, &here), 0);
	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, here, 1, NULL, &l), 0);
	script_say(&net, &say);
	ck_assert(script_hear(&net, &heard));
	say = (struct say){ .flags = ACK, .seq = 8, .ack = heard.seq + 1, .window = 1000, .src_port = 5555,
		.dst_port = NET_PORT };
	script_say(&net, &say);
	script_say(&net, &(struct say){ .flags = SYN, .seq = 9, .window = 1000, .src_port = 5556, .dst_port = NET_PORT });
	ck_assert(!script_hear(&net, &heard));
	net_close(&net);
}
END_TEST

/* Whoever has closed his own direction still reads, and by the short way. */
START_TEST(short_way_after_half_close)
{
	static uint8_t got[2 * MSS];
	struct plain_sink sink;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	tcpu_shutdown(talk.c);
	talk_expect(&talk, FIN | ACK, 0);
	plain_sink(&sink, got, sizeof got);
	tcpu_sink(talk.c, &sink.seam);
	talk_say_at(&talk, ACK, talk.seq, talk.ack - 1, bytes, MSS); /* FIN-WAIT-1 */
	ck_assert_uint_eq(net_info(talk.c).direct_bytes, MSS);
	talk.seq += MSS;
	talk_say(&talk, 0, bytes, MSS); /* its ACK makes it FIN-WAIT-2 */
	ck_assert_int_eq(net_state(talk.c), TCPU_FIN_WAIT_2);
	ck_assert_uint_eq(net_info(talk.c).direct_bytes, 2 * MSS);
	ck_assert_uint_eq(sink.got, 2 * MSS);
	talk_close(&talk);
}
END_TEST

/* Scaled windows are rounded: however a peer's pieces fall, it is never told of room that is not there. */
START_TEST(scaled_window_never_exceeds_the_buffer)
{
	static const size_t piece[] = { 1, 1001, 1460 };
	static uint8_t got[1 << 19];
	static struct net net;
	struct tcb *client, *server;
	size_t sent = 0, have = 0;
	ssize_t n;

	net_open(&net, &(struct net_config){ 0 });
	net_pair(&net, &client, &server);
	tcpu_set_options(client, &(struct tcpu_options){ .nodelay = true });
	while (sent < sizeof pattern && (n = net_send(client, pattern + sent, piece[_i])) > 0) {
		sent += (size_t)n;
		net_run(&net, NET_MS);
	}
	net_run(&net, 10 * NET_S);
	ck_assert_uint_le(net_info(server).received_bytes, 256 << 10);
	while (have < sent && (n = net_recv(server, got + have, sizeof got - have)) != 0) {
		have += n > 0 ? (size_t)n : 0;
		net_run(&net, NET_MS);
	}
	ck_assert_uint_eq(have, sent);
	ck_assert_mem_eq(got, pattern, sent);
	net_close(&net);
}
END_TEST

/* RFC 6298 section 3 and 5: what was backed off stays so until a round trip has been measured. A path that has become
 * slower than the RTO is learnt, and not retransmitted into for ever. */
START_TEST(slower_path_is_learnt)
{
	uint64_t timeouts;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (int i = 0; i < 8; i++) { /* 10 ms */
		net_send(talk.c, bytes, MSS);
		talk_expect(&talk, ACK, MSS);
		net_run(&talk.net, 10 * NET_MS);
		talk_say(&talk, 0, NULL, 0);
	}
	for (int i = 0; i < 8; i++) { /* 600 ms */
		net_send(talk.c, bytes, MSS);
		talk_expect(&talk, ACK, MSS);
		net_run(&talk.net, 600 * NET_MS);
		while (talk_hear(&talk))
			continue;
		talk_say(&talk, 0, NULL, 0);
	}
	timeouts = net_info(talk.c).timeouts;
	ck_assert_uint_le(timeouts, 4);
	ck_assert_uint_ge(net_info(talk.c).srtt_us, 300 * NET_MS);
	talk_close(&talk);
}
END_TEST

/* RFC 6298 (5.7): after a lost SYN the data's RTO is 3 s, not what the SYN's had grown to. */
START_TEST(rto_after_lost_syns)
{
	static struct net net;
	struct wire heard;
	struct tcb *c;

	net_open(&net, &(struct net_config){ .scripted = true });
	c = net_connect(&net);
	net_run(&net, 16 * NET_S);
	while (script_hear(&net, &heard))
		continue;
	script_say(&net, &(struct say){ .flags = SYN | ACK, .seq = 1, .ack = heard.seq + 1, .window = 1000,
		.src_port = NET_PORT, .dst_port = ntohs(heard.src.port) });
	ck_assert_int_eq(net_state(c), TCPU_ESTABLISHED);
	ck_assert_uint_eq(net_info(c).rto_us, 3 * NET_S);
	net_close(&net);
}
END_TEST

/* Shut down in CLOSE-WAIT with data still to send: the state is LAST-ACK already, but an end now is a loss. */
START_TEST(last_ack_with_data)
{
	struct talk *t = &talk;

	talk_open(t, &(struct net_config){ 0 }, MSS);
	t->window = 0;
	talk_say(t, FIN, NULL, 0);
	net_send(t->c, bytes, 10 * MSS);
	tcpu_shutdown(t->c);
	ck_assert_int_eq(net_state(t->c), TCPU_LAST_ACK);
	tcpu_input(t->net.peer[0].engine, &(struct link_in){ .src = net_addr(&t->net, 1, NET_PORT),
		.dst = net_addr(&t->net, 0, t->port), .error = EHOSTUNREACH });
	ck_assert_int_eq(net_state(t->c), TCPU_LAST_ACK); /* RFC 9293 (MUST-56): soft */
	talk_say_at(t, RST, t->seq, 0, NULL, 0);
	ck_assert_int_eq(net_state(t->c), TCPU_CLOSED);
	ck_assert_int_eq(tcpu_error(t->c), ECONNRESET);
	talk_close(t);
}
END_TEST

/* Each segment that comes out of order is answered at once, those of one batch too: RFC 5681 4.2. */
START_TEST(batch_behind_a_hole)
{
	struct link_in in[6];
	uint8_t segment[6][20 + 10];

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (int i = 0; i < 6; i++) {
		struct segment s = { .src = net_addr(&talk.net, 1, NET_PORT), .dst = net_addr(&talk.net, 0, talk.port),
			.seq = talk.seq + 10 * (uint32_t)(i + 1), .ack = talk.ack, .wnd = 1000, .flags = ACK };

		memcpy(segment[i] + 20, bytes, 10);
		segment_write(segment[i], &s, NULL, 0, 10, tcpu_sum(bytes, 10));
		in[i] = (struct link_in){ .src = s.src, .dst = s.dst, .segment = segment[i], .len = sizeof segment[i] };
		tcpu_input(talk.net.peer[0].engine, &in[i]);
	}
	tcpu_flush(talk.net.peer[0].engine);
	net_run(&talk.net, 0);
	ck_assert_uint_ge(script_forget(&talk.net), 3);
	talk_close(&talk);
}
END_TEST

/* A probe leads SND.NXT beyond the window; RST must be where the peer takes it. */
START_TEST(reset_after_a_probe)
{
	uint32_t una;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk.window = 0;
	talk_say(&talk, 0, NULL, 0);
	una = talk.ack;
	net_send(talk.c, bytes, MSS);
	net_run(&talk.net, 2 * NET_S);
	ck_assert_uint_ge(script_forget(&talk.net), 1);
	tcpu_abort(talk.c);
	net_run(&talk.net, 0);
	ck_assert(talk_hear(&talk));
	ck_assert_uint_eq(talk.heard.flags, RST | ACK);
	ck_assert_uint_eq(talk.heard.seq, una);
	talk_close(&talk);
}
END_TEST

/* A peer that keeps its window shut does not keep us for ever once the user has gone; nor does it lose us our FIN as
 * long as the user is there. */
START_TEST(shut_window_and_close)
{
	talk_open(&talk, &(struct net_config){ .engine = { { .options.data_retries = 4, .rto_max_us = 2 * NET_S } } }, MSS);
	talk.window = 0;
	talk_say(&talk, 0, NULL, 0);
	if (_i == 0)
		net_send(talk.c, bytes, MSS);
	if (_i == 1)
		tcpu_shutdown(talk.c);
	else
		tcpu_close(talk.c);
	for (int i = 0; i < 1000; i++) { /* 100 s */
		net_run(&talk.net, 100 * NET_MS);
		if (script_forget(&talk.net))
			talk_say(&talk, 0, NULL, 0);
	}
	if (_i == 1)
		ck_assert_int_eq(net_state(talk.c), TCPU_FIN_WAIT_1);
	else
		ck_assert_uint_eq(tcpu_count(talk.net.peer[0].engine), 0);
	talk_close(&talk);
}
END_TEST

/* RFC 6582's recover keeps up with the stream, or after 2 GiB without a loss the next one would wait for a timeout; and
 * when cwnd was full last, or after 2 GiB from a slow user it would seem to have been full just now. */
START_TEST(recover_keeps_up)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (int i = 0; i < 3; i++) {
		net_send(talk.c, bytes, MSS);
		talk_expect(&talk, ACK, MSS);
		talk_say(&talk, 0, NULL, 0);
		ck_assert_uint_eq(talk.c->recover, talk.c->snd_una - 1);
		ck_assert_uint_eq(talk.c->filled, talk.c->snd_una);
	}
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.6.1: a connection that begins in TIME-WAIT numbers on from the last one, however much that has sent. */
START_TEST(reopened_above_the_last)
{
	struct say syn = { .flags = SYN, .window = 1000, .src_port = 5555, .dst_port = NET_PORT };
	uint32_t last;
	struct tcb *l;

	talk_accept(&talk, &(struct net_config){ 0 }, MSS);
	tcpu_shutdown(talk.c);
	talk_expect(&talk, FIN | ACK, 0);
	talk_say(&talk, FIN, NULL, 0);
	talk_expect(&talk, ACK, 0);
	ck_assert_int_eq(net_state(talk.c), TCPU_TIME_WAIT);
	last = talk.c->snd_max += 1u << 30; /* as if it had sent a gigabyte */
	if (tcpu_listen(talk.net.peer[0].engine, net_addr(&talk.net, 0, NET_PORT), 5, NULL, &l) < 0)
		l = NULL; /* it still listens */
	syn.seq = talk.seq + 1000;
	syn.src_port = ntohs(talk.c->remote.port);
	script_say(&talk.net, &syn);
	ck_assert(script_hear(&talk.net, &talk.heard));
	ck_assert_uint_eq(talk.heard.flags, SYN | ACK);
	ck_assert_int_gt((int32_t)(talk.heard.seq - last), 0);
	talk_close(&talk);
}
END_TEST

/* A pure ACK exactly at the window's right edge brings its news: a peer that has filled our window has no other place
 * for it. */
START_TEST(ack_at_the_edge)
{
	talk_open(&talk, &(struct net_config){ .engine = { { .options.rcvbuf_bytes = 4 * MSS } } }, MSS);
	net_send(talk.c, bytes, MSS);
	talk_expect(&talk, ACK, MSS);
	talk_say_at(&talk, ACK, talk.seq + 4 * MSS, talk.ack, NULL, 0);
	ck_assert_uint_eq(net_info(talk.c).buffered_bytes, 0);
	talk_close(&talk);
}
END_TEST

/* RFC 5681 4.1: after an idle time cwnd is no more than the initial window. */
START_TEST(idle_restarts_slowly)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (int i = 0; i < 6; i++) {
		net_send(talk.c, bytes, 60 * MSS);
		while (talk_hear(&talk))
			talk_say(&talk, 0, NULL, 0);
	}
	ck_assert_uint_gt(net_info(talk.c).cwnd_bytes, 20 * MSS);
	net_run(&talk.net, 3600 * NET_S);
	tcpu_clock(talk.net.peer[0].engine, talk.net.now_us);
	net_send(talk.c, bytes, 60 * MSS);
	net_run(&talk.net, 0);
	ck_assert_uint_eq(script_forget(&talk.net), 10);
	talk_close(&talk);
}
END_TEST

/* Whoever has shut down does not wait to write: the next write fails at once, and that is readiness. */
START_TEST(ready_to_fail)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	tcpu_shutdown(talk.c);
	ck_assert_uint_eq(tcpu_ready(talk.c) & TCPU_OUT, TCPU_OUT);
	ck_assert_int_eq(net_send(talk.c, bytes, 1), -EPIPE);
	talk_close(&talk);
}
END_TEST

/* A probe that brings the last of the data over leaves nothing to probe for: the connection rests, however long. */
START_TEST(persist_ends)
{
	talk_open(&talk, &(struct net_config){ .engine = { { .options.data_retries = 3 } } }, MSS);
	talk.window = 0;
	talk_say(&talk, 0, NULL, 0);
	net_send(talk.c, "x", 1);
	net_run(&talk.net, 250 * NET_MS);
	talk_expect(&talk, ACK, 1);
	if (_i) /* the window opens with the ACK, or only later */
		talk.window = 5000;
	talk_say(&talk, 0, NULL, 0);
	net_run(&talk.net, 3600 * NET_S);
	ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
	talk_expect_nothing(&talk);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.9.2.2: what the network says of data under way ends nothing, but the user can learn it, and it is the
 * reason if nothing else comes; what has come since makes it void. */
START_TEST(soft_error)
{
	struct tcpu_info info;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.data_retries = 2 } } }, MSS);
	net_send(talk.c, bytes, MSS);
	talk_expect(&talk, ACK, MSS);
	link_sim_inject(talk.net.sim, net_addr(&talk.net, 1, NET_PORT), net_addr(&talk.net, 0, talk.port), NULL, 0,
		EHOSTUNREACH);
	net_turn(&talk.net, 0);
	info = net_info(talk.c);
	ck_assert_int_eq(info.state, TCPU_ESTABLISHED);
	ck_assert_int_eq(info.soft_error, EHOSTUNREACH);
	if (_i) {
		talk_say(&talk, 0, NULL, 0);
		ck_assert_int_eq(net_info(talk.c).soft_error, 0);
		net_send(talk.c, bytes, MSS);
	}
	net_run(&talk.net, 60 * NET_S);
	ck_assert_int_eq(net_state(talk.c), TCPU_CLOSED);
	ck_assert_int_eq(tcpu_error(talk.c), _i ? ETIMEDOUT : EHOSTUNREACH);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.9.1.1: nobody connects to a group. */
START_TEST(no_connection_to_many)
{
	static const uint32_t to[] = { 0xe0000001, 0xefffffff, 0xf0000001, 0xffffffff };
	static struct net net;
	struct tcb *c;

	net_open(&net, &(struct net_config){ .scripted = true });
	for (size_t i = 0; i < sizeof to / sizeof *to; i++)
		ck_assert_int_eq(tcpu_connect(net.peer[0].engine, net_addr(&net, 0, 9), (struct link_addr){ htonl(to[i]),
			htons(80) }, NULL, &c), -ENETUNREACH);
	net_close(&net);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { timer_rests, timer_starts_anew, rtt_arithmetic, old_segment_moves_no_window,
		probe_opens_the_other_window, receiver_announces_no_crumbs, sender_sends_no_crumbs, no_scale_without_both,
		isn_follows_the_clock, full_backlog_is_silent, short_way_after_half_close, slower_path_is_learnt,
		rto_after_lost_syns, last_ack_with_data, batch_behind_a_hole, reset_after_a_probe, ack_at_the_edge,
		idle_restarts_slowly, ready_to_fail, recover_keeps_up, reopened_above_the_last };
	Suite *suite = suite_create("core_rules");
	TCase *tc = tcase_create("rules");

	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, scaled_window_never_exceeds_the_buffer, 0, 3);
	tcase_add_loop_test(tc, shut_window_and_close, 0, 3);
	tcase_add_loop_test(tc, persist_ends, 0, 2);
	tcase_add_loop_test(tc, soft_error, 0, 2);
	tcase_add_test(tc, no_connection_to_many);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

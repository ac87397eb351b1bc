/* Rules that whole transfers survive without: each test here was written for a planted fault that no other saw. */
#include "core/plain.h"
#include "tests/sim_net.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MSS 1000

static struct talk talk;
static uint8_t bytes[100000];

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
	talk_open(&talk, &(struct net_config){ .engine = { { .rcvbuf_bytes = 2 * MSS } } }, MSS);
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

	talk_open(&talk, &(struct net_config){ .engine = { { .rcvbuf_bytes = 10 * MSS } } }, MSS);
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
	talk_open(&talk, &(struct net_config){ .engine = { { .rcvbuf_bytes = 1 << 20 } } }, MSS);
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
	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, here, 5, &l), 0);
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
	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, here, 1, &l), 0);
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

int main(void)
{
	const TTest *tests[] = { timer_rests, timer_starts_anew, rtt_arithmetic, old_segment_moves_no_window,
		probe_opens_the_other_window, receiver_announces_no_crumbs, sender_sends_no_crumbs, no_scale_without_both,
		isn_follows_the_clock, full_backlog_is_silent, short_way_after_half_close };
	Suite *suite = suite_create("core_rules");
	TCase *tc = tcase_create("rules");

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

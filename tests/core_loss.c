/* What is lost is sent again, and no faster than the network and the peer bear: RFC 5681, 6298, 6582; RFC 9293 3.8.6
 * (windows, probes, silly windows, Nagle). */
#include "core/plain.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MSS 1000

static struct net net;
static struct talk talk;
static uint8_t bytes[200000];
static const char *algorithm = "reno";

/* A talk in which the engine has n segments of MSS on their way; their first number in talk.ack. */
static uint32_t flight(unsigned n)
{
	struct net_config config = { .engine = { { .initial_cwnd = n > 10 ? n : 0 } } };
	uint32_t first;

	strcpy(config.engine[0].options.congestion, algorithm);
	talk_open(&talk, &config, MSS);
	first = talk.ack;
	ck_assert_int_eq(net_send(talk.c, bytes, n * MSS), n * MSS);
	for (unsigned i = 0; i < n; i++)
		talk_expect(&talk, ACK, MSS);
	return first;
}

/* RFC 5681 3.2: the third duplicate ACK, and not the second, is answered by the lost segment, at once; cwnd halves. */
START_TEST(fast_retransmit)
{
	uint32_t first = flight(8);

	for (int i = 0; i < 2; i++) {
		talk_say_at(&talk, ACK, talk.seq, first, NULL, 0);
		/* RFC 3042 would allow new data here; there is none. */
		talk_expect_nothing(&talk);
	}
	talk_say_at(&talk, ACK, talk.seq, first, NULL, 0);
	talk_expect(&talk, ACK, MSS);
	ck_assert_uint_eq(talk.heard.seq, first);
	talk_expect_nothing(&talk);
	ck_assert_uint_eq(net_info(talk.c).fast_retransmits, 1);
	ck_assert_uint_eq(net_info(talk.c).timeouts, 0);
	ck_assert_uint_eq(net_info(talk.c).ssthresh_bytes, 4 * MSS);
	talk_say(&talk, 0, NULL, 0);
	ck_assert_uint_eq(net_info(talk.c).buffered_bytes, 0);
	ck_assert_uint_le(net_info(talk.c).cwnd_bytes, 4 * MSS);
	talk_close(&talk);
}
END_TEST

/* RFC 5681 (4), RFC 6937: ACKs that come in one batch with those that tell of a loss have let new data go, which counts
 * as under way though it had no time to leave: as if they had come one by one. The user's last byte and the peer's
 * window bound it. */
START_TEST(fast_retransmit_in_a_batch)
{
	/* In segments, but ssthresh; sent: beside what was lost */
	static const struct {
		const char *algorithm;
		unsigned flight, acked, unsent, window, ssthresh, sent;
	} cases[] = { { "reno", 10, 4, 20, 65, 7000, 4 }, { "reno", 10, 4, 2, 65, 4000, 1 },
		{ "reno", 30, 6, 40, 65, 18000, 5 }, { "reno", 10, 4, 20, 8, 4000, 1 }, { "cubic", 10, 4, 20, 65, 9800, 6 } };
	uint32_t lost;
	struct say ack = { .flags = ACK, .window = (uint16_t)(cases[_i].window * MSS), .src_port = NET_PORT };
	unsigned unsent = cases[_i].unsent, sent = 0;

	algorithm = cases[_i].algorithm;
	lost = flight(cases[_i].flight) + cases[_i].acked * MSS;
	algorithm = "reno";
	ack.seq = talk.seq;
	ack.ack = lost;
	ack.dst_port = talk.port;
	ck_assert_int_eq(net_send(talk.c, bytes, unsent * MSS), unsent * MSS);
	for (int i = 0; i < 4; i++)
		script_put(&talk.net, &ack);
	net_turn(&talk.net, 0);
	talk_expect(&talk, ACK, MSS);
	ck_assert_uint_eq(talk.heard.seq, lost);
	while (talk_hear(&talk))
		sent++;
	ck_assert_uint_eq(net_info(talk.c).ssthresh_bytes, cases[_i].ssthresh);
	ck_assert_uint_eq(sent, cases[_i].sent);
	talk_close(&talk);
}
END_TEST

/* RFC 6582: a partial ACK in recovery is answered by the next hole, without three more duplicates. */
START_TEST(partial_ack)
{
	uint32_t first = flight(8);

	for (int i = 0; i < 3; i++)
		talk_say_at(&talk, ACK, talk.seq, first, NULL, 0);
	talk_expect(&talk, ACK, MSS);
	talk_say_at(&talk, ACK, talk.seq, first + 3 * MSS, NULL, 0);
	talk_expect(&talk, ACK, MSS);
	ck_assert_uint_eq(talk.heard.seq, first + 3 * MSS);
	ck_assert_uint_eq(net_info(talk.c).fast_retransmits, 1);
	talk_close(&talk);
}
END_TEST

/* What only looks like a duplicate ACK is none: RFC 5681 section 2. */
START_TEST(not_duplicates)
{
	uint32_t first = flight(8);

	for (int i = 0; i < 5; i++) {
		talk.window--; /* a window update */
		talk_say_at(&talk, ACK, talk.seq, first, NULL, 0);
	}
	for (int i = 0; i < 5; i++) {
		talk_say_at(&talk, ACK, talk.seq, first, "data", 4);
		talk.seq += 4;
		while (talk_hear(&talk))
			ck_assert_uint_eq(talk.heard.len, 0);
	}
	ck_assert_uint_eq(net_info(talk.c).retransmits, 0);
	talk_close(&talk);
}
END_TEST

/* RFC 6298 (5.5): each timeout doubles the next; data_retries of them, then ETIMEDOUT. cwnd is one segment. */
START_TEST(rto_doubles)
{
	uint64_t last, rto;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.data_retries = 5 } } }, MSS);
	ck_assert_int_eq(net_send(talk.c, bytes, MSS), MSS);
	talk_expect(&talk, ACK, MSS);
	last = talk.net.now_us;
	rto = net_info(talk.c).rto_us;
	ck_assert_uint_ge(rto, 200 * NET_MS);
	for (int i = 0; i < 5; i++) {
		net_run(&talk.net, rto - 1);
		talk_expect_nothing(&talk);
		net_run(&talk.net, 1);
		talk_expect(&talk, ACK, MSS);
		ck_assert_uint_eq(talk.net.now_us - last, rto);
		ck_assert_uint_eq(net_info(talk.c).cwnd_bytes, MSS);
		last = talk.net.now_us;
		rto *= 2;
	}
	net_run(&talk.net, rto);
	ck_assert_int_eq(tcpu_error(talk.c), ETIMEDOUT);
	ck_assert_int_eq(net_state(talk.c), TCPU_CLOSED);
	talk_close(&talk);
}
END_TEST

/* RFC 6298 (2.2), (2.3) and Karn: the RTT is measured, and not on what was sent twice. */
START_TEST(rtt)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	net_send(talk.c, bytes, MSS);
	talk_expect(&talk, ACK, MSS);
	net_run(&talk.net, 100 * NET_MS);
	talk_say(&talk, 0, NULL, 0);
	/* The handshake took no time: SRTT = 7/8 * 1 (or so) + 1/8 * 100 ms, or the first sample itself. */
	ck_assert_uint_ge(net_info(talk.c).srtt_us, 12 * NET_MS);
	ck_assert_uint_le(net_info(talk.c).srtt_us, 100 * NET_MS);
	ck_assert_uint_ge(net_info(talk.c).rto_us, net_info(talk.c).srtt_us + 4 * net_info(talk.c).rttvar_us);
	uint32_t before = net_info(talk.c).srtt_us;

	net_send(talk.c, bytes, MSS);
	talk_expect(&talk, ACK, MSS);
	net_run(&talk.net, 5 * NET_S);
	ck_assert_uint_gt(net_info(talk.c).timeouts, 0);
	talk_say(&talk, 0, NULL, 0);
	ck_assert_uint_eq(net_info(talk.c).srtt_us, before);
	talk_close(&talk);
}
END_TEST

/* RFC 5681 3.1, RFC 6928: ten segments at first; in slow start each ACK of a segment lets two go. */
START_TEST(slow_start)
{
	uint32_t first;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	first = talk.ack;
	ck_assert_int_eq(net_send(talk.c, bytes, 60 * MSS), 60 * MSS);
	for (int i = 0; i < 10; i++)
		talk_expect(&talk, ACK, MSS);
	talk_expect_nothing(&talk);
	for (uint32_t i = 1; i <= 5; i++) {
		talk_say_at(&talk, ACK, talk.seq, first + i * MSS, NULL, 0);
		talk_expect(&talk, ACK, MSS);
		talk_expect(&talk, ACK, MSS);
		talk_expect_nothing(&talk);
	}
	talk_close(&talk);
}
END_TEST

/* The sender never exceeds the peer's window, even a shrinking one's old edge by new data. */
START_TEST(window_is_obeyed)
{
	uint32_t edge;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk.window = 3500;
	talk_say(&talk, 0, NULL, 0);
	edge = talk.ack + 3500;
	ck_assert_int_eq(net_send(talk.c, bytes, 20 * MSS), 20 * MSS);
	while (talk_hear(&talk))
		continue;
	ck_assert_int_le((int32_t)(talk.ack - edge), 0);
	ck_assert_int_ge((int32_t)(talk.ack - edge), -MSS);
	for (int i = 0; i < 20; i++) {
		talk.window = (uint16_t)(3500 - 100 * i);
		edge = talk.ack + talk.window;
		talk_say(&talk, 0, NULL, 0);
		while (talk_hear(&talk))
			ck_assert_int_le((int32_t)(talk.heard.seq + talk.heard.len - edge), 0);
	}
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.8.6.1: a closed window is probed, ever more rarely, for as long as the peer answers; data flows as
 * soon as it opens. */
START_TEST(persist)
{
	uint64_t last = 0, gap = 0;
	unsigned probes = 0;
	uint32_t una;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.data_retries = 3, .rto_max_us = 4 * NET_S } } }, MSS);
	talk.window = 0;
	talk_say(&talk, 0, NULL, 0);
	una = talk.ack;
	ck_assert_int_eq(net_send(talk.c, bytes, 3 * MSS), 3 * MSS);
	talk_expect_nothing(&talk);
	while (probes < 80) { /* more than a number has bits */
		net_run(&talk.net, 10 * NET_MS);
		if (!talk_hear(&talk))
			continue;
		ck_assert_uint_eq(talk.heard.len, 1);
		ck_assert_uint_eq(talk.heard.seq, una);
		if (probes > 1)
			ck_assert_uint_ge(talk.net.now_us - last + 20 * NET_MS, gap);
		gap = probes ? talk.net.now_us - last : 0;
		last = talk.net.now_us;
		probes++;
		talk.ack = una;
		talk_say(&talk, 0, NULL, 0);
	}
	ck_assert_uint_le(gap, 4 * NET_S + 20 * NET_MS);
	ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
	talk.window = 65535;
	talk_say(&talk, 0, NULL, 0);
	while (talk_hear(&talk))
		continue;
	ck_assert_uint_eq(talk.ack, una + 3 * MSS);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.8.6.2.1: into a window that stays less than a segment, and less than half of what it was, goes what it
 * takes each time that the override timer runs out, which does not get rarer as long as it is taken. */
START_TEST(small_windows)
{
	uint64_t begin;
	uint32_t una;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk.window = MSS / 4;
	talk_say(&talk, 0, NULL, 0);
	una = talk.ack;
	ck_assert_int_eq(net_send(talk.c, bytes, 5 * MSS), 5 * MSS);
	for (begin = talk.net.now_us; talk.ack != una + 5 * MSS && talk.net.now_us < begin + 20 * NET_S;) {
		net_run(&talk.net, 10 * NET_MS);
		if (!talk_hear(&talk))
			continue;
		ck_assert_uint_le(talk.heard.len, MSS / 4);
		talk_say(&talk, 0, NULL, 0);
	}
	ck_assert_uint_eq(talk.ack, una + 5 * MSS);
	ck_assert_uint_gt(talk.net.now_us, begin + 2 * NET_S);
	talk_close(&talk);
}
END_TEST

/* A peer that does not even answer probes is dead after data_retries. */
START_TEST(persist_without_answer)
{
	talk_open(&talk, &(struct net_config){ .engine = { { .options.data_retries = 4 } } }, MSS);
	talk.window = 0;
	talk_say(&talk, 0, NULL, 0);
	net_send(talk.c, bytes, MSS);
	net_run(&talk.net, 1000 * NET_S);
	ck_assert_uint_eq(script_forget(&talk.net), 4);
	ck_assert_int_eq(tcpu_error(talk.c), ETIMEDOUT);
	talk_close(&talk);
}
END_TEST

/* A peer takes its window back, with data on its way, and says so to every retransmission: it lives, so the connection
 * does (RFC 9293 3.8.6, 3.8.6.1), for as long as it likes. */
START_TEST(window_taken_back)
{
	uint32_t una;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.data_retries = 3, .rto_max_us = 2 * NET_S } } }, MSS);
	una = talk.ack;
	ck_assert_int_eq(net_send(talk.c, bytes, 3 * MSS), 3 * MSS);
	while (talk_hear(&talk))
		continue;
	talk.window = 0;
	for (int i = 0; i < 1000; i++) {
		talk.ack = una;
		talk_say(&talk, 0, NULL, 0);
		do
			net_run(&talk.net, 100 * NET_MS);
		while (!talk_hear(&talk) && talk.net.now_us < 100 * NET_S);
	}
	ck_assert_int_eq(tcpu_error(talk.c), 0);
	ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
	talk.ack = una;
	talk.window = 65535;
	talk_say(&talk, 0, NULL, 0);
	for (int i = 0; i < 100; i++) {
		net_run(&talk.net, 100 * NET_MS);
		while (talk_hear(&talk))
			talk_say(&talk, 0, NULL, 0);
	}
	ck_assert_uint_eq(talk.ack, una + 3 * MSS);
	talk_close(&talk);
}
END_TEST

/* The other side: a full receive buffer closes the window; when the user reads, the peer hears of it. */
START_TEST(window_update)
{
	static uint8_t got[8000];
	uint16_t before;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.rcvbuf_bytes = 8000 } } }, MSS);
	before = talk.heard.window;
	ck_assert_uint_gt(before, 4000);
	for (int i = 0; i < 8; i++) {
		talk_say(&talk, 0, bytes, MSS);
		while (talk_hear(&talk))
			ck_assert_uint_le(talk.heard.window, before);
	}
	net_run(&talk.net, NET_S);
	while (talk_hear(&talk))
		continue;
	ck_assert_uint_lt(talk.heard.window, MSS);
	/* RFC 9293 3.8.6.2.2: a byte read is not worth a segment; the buffer read is. */
	ck_assert_int_eq(net_recv(talk.c, got, 1), 1);
	net_run(&talk.net, NET_S);
	talk_expect_nothing(&talk);
	ck_assert_int_gt(net_recv(talk.c, got, sizeof got), 6000);
	net_run(&talk.net, NET_S);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_ge(talk.heard.window, 4000);
	talk_close(&talk);
}
END_TEST

/* Data beyond the window is not taken, and answered by what we have. */
START_TEST(beyond_the_window)
{
	static uint8_t got[20000];

	talk_open(&talk, &(struct net_config){ .engine = { { .options.rcvbuf_bytes = 4000 } } }, MSS);
	talk_say_at(&talk, ACK, talk.seq + 5000, talk.ack, bytes, MSS);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	for (uint32_t i = 0; i < 9; i++)
		talk_say_at(&talk, ACK, talk.seq + i * MSS, talk.ack, bytes, MSS);
	ck_assert_int_le(net_recv(talk.c, got, sizeof got), 4000);
	talk_close(&talk);
}
END_TEST

/* Holes, overlaps, repetition: any order of any cuts gives the stream. */
START_TEST(reassembly)
{
	static uint8_t got[6000];
	uint32_t base, at = 0;
	ssize_t n;

	talk_open(&talk, &(struct net_config){ .seed = (uint64_t)_i }, MSS);
	base = talk.seq;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 31 ^ i >> 8);
	for (int i = 0; i < 4000 && at < 5000; i++) {
		uint32_t off = (uint32_t)(link_sim_random(talk.net.sim) % 100) * 50;
		uint32_t len = 1 + (uint32_t)(link_sim_random(talk.net.sim) % 900);

		if (off + len > 5000)
			len = 5000 - off;
		talk_say_at(&talk, ACK, base + off, talk.ack, bytes + off, len);
		n = net_recv(talk.c, got + at, sizeof got - at);
		ck_assert(n > 0 || n == -EAGAIN);
		at += n > 0 ? (uint32_t)n : 0;
	}
	ck_assert_uint_eq(at, 5000);
	ck_assert_mem_eq(got, bytes, at);
	talk_close(&talk);
}
END_TEST

/* RFC 5681 4.2: out of order is acknowledged at once, with what is missing; so is what fills the hole. */
START_TEST(out_of_order_acks)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (uint32_t i = 1; i <= 3; i++) {
		talk_say_at(&talk, ACK, talk.seq + i * MSS, talk.ack, bytes, MSS);
		talk_expect(&talk, ACK, 0);
		ck_assert_uint_eq(talk.heard.ack, talk.seq);
	}
	talk_say(&talk, 0, bytes, MSS);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq + 3 * MSS);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.8.6.3: one segment waits for the delayed ACK, not longer than configured; the second does not wait. */
START_TEST(delayed_ack)
{
	talk_open(&talk, &(struct net_config){ .engine = { { .delack_us = 30 * NET_MS, .without = TCPU_NO_QUICKACK } } },
		MSS);
	talk_say(&talk, 0, bytes, MSS);
	net_run(&talk.net, 29 * NET_MS);
	talk_expect_nothing(&talk);
	net_run(&talk.net, 2 * NET_MS);
	talk_expect(&talk, ACK, 0);
	talk_say(&talk, 0, bytes, MSS);
	talk_expect_nothing(&talk);
	talk_say(&talk, 0, bytes, MSS);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.7.4, Nagle: while a segment is on its way, small ones wait and join; nodelay overrides. */
START_TEST(nagle)
{
	struct plain_source p;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (int i = 0; i < 3; i++) {
		plain_source(&p, "abc", 3);
		ck_assert_int_eq(tcpu_send(talk.c, &p.seam, 0), 3);
	}
	talk_expect(&talk, ACK, 3);
	talk_expect_nothing(&talk);
	talk_say(&talk, 0, NULL, 0);
	talk_expect(&talk, ACK, 6);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(net_send(talk.c, "abc", 3), 3); /* with nodelay */
		talk_expect(&talk, ACK, 3);
	}
	talk_close(&talk);
}
END_TEST

/* Two engines, a bandwidth of 10 Mbit/s: after loss the path is used again, not merely by timeouts. */
START_TEST(recovers_without_timeout)
{
	struct tcb *c, *s;
	size_t in = 0;
	static uint8_t got[65536];

	net_open(&net, &(struct net_config){
		.path = { { .delay_us = 10000, .rate_bps = 10000000, .queue_bytes = 40000 }, { .delay_us = 10000 } } });
	net_pair(&net, &c, &s);
	for (int i = 0; i < 3000; i++) {
		ssize_t n = net_send(c, bytes, sizeof bytes);

		ck_assert(n > 0 || n == -EAGAIN);
		net_run(&net, 10 * NET_MS);
		while ((n = net_recv(s, got, sizeof got)) > 0)
			in += (size_t)n;
		if (in > 3000000)
			break;
	}
	ck_assert_uint_gt(in, 3000000);
	ck_assert_uint_gt(link_sim_stats(net.sim, net.peer[0].ip, net.peer[1].ip).queue_drops, 0);
	ck_assert_uint_gt(net_info(c).fast_retransmits, 0);
	/* 3 MB at 10 Mbit/s take 2.5 s. */
	ck_assert_uint_lt(net.now_us, NET_S + 6 * NET_S);
	net_close(&net);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_loss");
	TCase *tc = tcase_create("loss");

	tcase_add_test(tc, fast_retransmit);
	tcase_add_loop_test(tc, fast_retransmit_in_a_batch, 0, 5);
	tcase_add_test(tc, partial_ack);
	tcase_add_test(tc, not_duplicates);
	tcase_add_test(tc, rto_doubles);
	tcase_add_test(tc, rtt);
	tcase_add_test(tc, slow_start);
	tcase_add_test(tc, window_is_obeyed);
	tcase_add_test(tc, persist);
	tcase_add_test(tc, small_windows);
	tcase_add_test(tc, persist_without_answer);
	tcase_add_test(tc, window_taken_back);
	tcase_add_test(tc, window_update);
	tcase_add_test(tc, beyond_the_window);
	tcase_add_loop_test(tc, reassembly, 0, 20);
	tcase_add_test(tc, out_of_order_acks);
	tcase_add_test(tc, delayed_ack);
	tcase_add_test(tc, nagle);
	tcase_add_test(tc, recovers_without_timeout);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

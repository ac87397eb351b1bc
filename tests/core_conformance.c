/* Rules of RFC 9293 that no other test names (core/conformance.tsv): what every segment of a connection must have, and
 * some calls. What can be told as a script is one, in tests/scripts/conformance/. */
#include "core/plain.h"
#include "core/segment.h"
#include "core/tcb.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define MSS 1000

static struct talk talk;
static uint8_t bytes[100000];

/* RFC 9293 3.1: the window's 16 bits have no sign. */
START_TEST(windows_are_unsigned)
{
	uint32_t sent = 0;

	talk_open(&talk, &(struct net_config){ .engine[0].initial_cwnd = 100 }, MSS);
	talk_say_at(&talk, ACK, talk.seq, talk.ack, NULL, 0);
	ck_assert_uint_eq(talk.window, 65535);
	net_send(talk.c, bytes, 80 * MSS);
	net_run(&talk.net, 0);
	while (talk_hear(&talk))
		sent += talk.heard.len;
	ck_assert_uint_eq(sent, 65 * MSS);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.5, 3.5.3: an RST in SYN-RECEIVED puts a passive open back to LISTEN, without a word to anybody; and it
 * refuses an active one, which got there because both had sent SYN. */
START_TEST(reset_in_syn_received)
{
	struct net *n = &talk.net;
	struct tcb *l, *c;
	struct say say = { .flags = SYN, .seq = 7000, .window = 5000, .src_port = 4000, .dst_port = NET_PORT };

	net_open(n, &(struct net_config){ .scripted = true });
	ck_assert_int_eq(tcpu_listen(n->peer[0].engine, net_addr(n, 0, NET_PORT), 5, NULL, &l), 0);
	script_say(n, &say);
	ck_assert_uint_eq(tcpu_count(n->peer[0].engine), 2);
	say = (struct say){ .flags = RST, .seq = 7001, .src_port = 4000, .dst_port = NET_PORT };
	script_say(n, &say);
	ck_assert_uint_eq(tcpu_count(n->peer[0].engine), 1);
	ck_assert_int_eq(net_state(l), TCPU_LISTEN);
	ck_assert_uint_eq(tcpu_ready(l), 0);
	ck_assert_int_eq(tcpu_error(l), 0);
	tcpu_close(l);

	ck_assert_int_eq(tcpu_connect(n->peer[0].engine, net_addr(n, 0, 1234), net_addr(n, 1, NET_PORT), NULL, &c), 0);
	say = (struct say){ .flags = SYN, .seq = 9000, .window = 5000, .src_port = NET_PORT, .dst_port = 1234 };
	script_say(n, &say);
	ck_assert_int_eq(net_state(c), TCPU_SYN_RECEIVED);
	say = (struct say){ .flags = RST, .seq = 9001, .src_port = NET_PORT, .dst_port = 1234 };
	script_say(n, &say);
	ck_assert_int_eq(net_state(c), TCPU_CLOSED);
	ck_assert_int_eq(tcpu_error(c), ECONNREFUSED);
	tcpu_close(c);
	net_close(n);
}
END_TEST

/* RFC 9293 3.9.1.1: a listener comes while connections of its port open, and are open, and they go on. */
START_TEST(listen_beside_connections)
{
	struct net *n = &talk.net;
	struct tcpu *e;
	struct tcb *l, *opening;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	e = n->peer[0].engine;
	ck_assert_int_eq(tcpu_connect(e, net_addr(n, 0, talk.port), net_addr(n, 1, 99), NULL, &opening), 0);
	script_forget(n);
	ck_assert_int_eq(tcpu_listen(e, net_addr(n, 0, talk.port), 5, NULL, &l), 0);
	ck_assert_int_eq(net_state(opening), TCPU_SYN_SENT);
	talk_say(&talk, 0, bytes, 10);
	ck_assert_int_eq(net_recv(talk.c, bytes, 100), 10);
	script_say(n, &(struct say){ .flags = SYN, .seq = 1, .src_port = 55, .dst_port = talk.port });
	ck_assert_uint_eq(tcpu_count(e), 4);
	tcpu_close(l);
	tcpu_close(opening);
	talk_close(&talk);
}
END_TEST

/* RFC 9293 3.10.7.4: ten segments that wait in the link are answered by one ACK. */
START_TEST(one_ack_for_a_batch)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (uint32_t i = 0; i < 10; i++)
		script_put(&talk.net, &(struct say){ .flags = ACK, .seq = talk.seq + i * MSS, .ack = talk.ack,
			.window = talk.window, .data = bytes, .len = MSS, .src_port = NET_PORT, .dst_port = talk.port });
	talk.seq += 10 * MSS;
	net_run(&talk.net, 0);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	talk_expect_nothing(&talk);
	talk_close(&talk);
}
END_TEST

/* ---- every segment ---- */

/* Two engines' connection, looked at from between them. */
static struct watch {
	uint32_t edge[2];       /* right edge of the window that each has announced */
	bool begun[2], timestamps;
	uint32_t ip[2];
	uint16_t port[2];
	uint32_t syns, data, bare;
} watch;

/* The options of one segment, by hand: kind and length of each, zeros behind the end, which kinds may stand there. */
static void look_at_options(const struct link_sim_packet *p, bool syn, bool rst)
{
	uint32_t end = (uint32_t)(p->segment[12] >> 4) * 4, at = 20;
	bool seen[256] = { false };

	while (at < end && p->segment[at] != 0) {
		uint8_t kind = p->segment[at], len = 1;

		if (kind != 1) {
			ck_assert_uint_lt(at + 1, end);
			len = p->segment[at + 1];
			ck_assert_uint_ge(len, 2);
			ck_assert(!seen[kind]);
		}
		seen[kind] = true;
		at += len;
	}
	ck_assert_uint_le(at, end);
	for (; at < end; at++)
		ck_assert_uint_eq(p->segment[at], 0);
	ck_assert(syn == seen[2]);              /* MSS */
	ck_assert(syn || !(seen[3] || seen[4])); /* window scale, SACK permitted */
	ck_assert(!syn || !seen[5]);
	if (syn)
		watch.timestamps = seen[8];
	ck_assert(seen[8] == watch.timestamps || (rst && !seen[8]));
}

static void tap(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	struct wire w;
	int from = p->src.ip == watch.ip[1];
	bool syn;
	uint32_t edge;

	(void)ctx;
	if (event != LINK_SIM_SENT)
		return;
	wire_read(p, &w);
	syn = w.flags & SYN;
	ck_assert(w.good);
	/* One local address, one port, for all that the connection lives. */
	ck_assert_uint_eq(w.src.ip, watch.ip[from]);
	if (!watch.port[from])
		watch.port[from] = w.src.port;
	ck_assert_uint_eq(w.src.port, watch.port[from]);
	look_at_options(p, syn, w.flags & RST);
	watch.syns += syn;
	watch.data += w.len > 0;
	watch.bare += !syn && w.len == 0;
	/* The right edge never moves back, but for what scaling rounds. */
	edge = w.ack + ((uint32_t)w.window << (syn ? 0 : 3));
	if (watch.begun[from] && (w.flags & ACK))
		ck_assert_int_ge((int32_t)(edge - watch.edge[from]), -7);
	if (!syn && (w.flags & ACK)) {
		watch.begun[from] = true;
		watch.edge[from] = edge;
	}
}

static uint8_t inbox[1 << 20];

/* A transfer over a bad network, read in odd pieces, so that windows open and shut. */
START_TEST(what_every_segment_has)
{
	struct net_config config = { .seed = 7 };
	struct net n;
	struct tcb *c, *s;
	size_t sent = 0, got = 0, total = 600000;

	for (int i = 0; i < 2; i++) {
		config.path[i] = (struct link_sim_path){ .loss = 0.02, .duplicate = 0.02, .delay_us = 10000,
			.jitter_us = 3000 };
		config.engine[i].options.rcvbuf_bytes = 500000; /* a scale of 3 */
		config.engine[i].without = _i ? TCPU_NO_TIMESTAMPS : 0;
	}
	net_open(&n, &config);
	memset(&watch, 0, sizeof watch);
	watch.ip[0] = n.peer[0].ip;
	watch.ip[1] = n.peer[1].ip;
	link_sim_tap(n.sim, tap, NULL);
	net_pair(&n, &c, &s);
	for (int turn = 0; got < total && turn < 100000; turn++) {
		ssize_t k = net_send(c, bytes, total - sent < sizeof bytes ? total - sent : sizeof bytes);

		sent += k > 0 ? (size_t)k : 0;
		net_run(&n, 1000);
		k = net_recv(s, inbox, turn % 50 ? 0 : 1 + (size_t)turn * 37 % sizeof inbox);
		got += k > 0 ? (size_t)k : 0;
	}
	ck_assert_uint_eq(got, total);
	ck_assert_uint_ge(watch.syns, 2);
	ck_assert_uint_gt(watch.data, 400);
	ck_assert_uint_gt(watch.bare, 100);
	tcpu_abort(c);
	net_run(&n, 10 * NET_S);
	tcpu_close(s);
	net_close(&n);
}
END_TEST

/* ---- SYN cookies ---- */

static const uint8_t syn_option[] = { 2, 4, 1500 >> 8, 1500 & 0xff, 4, 2, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0, 1, 3, 3, 9 };
static uint8_t answer[64]; /* the last SYN,ACK's header */

static void keep_answer(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	(void)ctx;
	if (event == LINK_SIM_SENT && p->segment[13] == (SYN | ACK))
		memcpy(answer, p->segment, p->len < sizeof answer ? p->len : sizeof answer);
}

/* The ACK that answers it, with so much added to its number, and 10 bytes of data. */
static void finish(struct net *n, uint16_t port, uint32_t seq, uint32_t more)
{
	uint8_t option[12] = { 1, 1, 8, 10, 0, 0, 1, 1 };
	uint32_t isn = (uint32_t)answer[4] << 24 | (uint32_t)answer[5] << 16 | (uint32_t)answer[6] << 8 | answer[7];

	memcpy(option + 8, answer + 28, 4); /* MSS, SACK permitted, then the timestamp */
	script_say(n, &(struct say){ .flags = ACK, .seq = seq + 1, .ack = isn + 1 + more, .window = 1000, .data = "0123456789",
		.len = 10, .options = option, .options_len = sizeof option, .src_port = port, .dst_port = NET_PORT });
}

/* RFC 4987 3.6: beyond the half-open connections that there may be, a SYN is answered by a cookie and forgotten; its
 * ACK brings back MSS, window scale, SACK and the data that comes with it; another ACK brings nothing. */
START_TEST(cookies)
{
	struct net *n = &talk.net;
	struct tcb *l, *c;
	struct wire w;

	net_open(n, &(struct net_config){ .scripted = true, .engine[0].syn_backlog = 1 });
	link_sim_tap(n->sim, keep_answer, NULL);
	ck_assert_int_eq(tcpu_listen(n->peer[0].engine, net_addr(n, 0, NET_PORT), 5, NULL, &l), 0);
	for (uint16_t port = 4000; port < 4010; port++)
		script_say(n, &(struct say){ .flags = SYN, .seq = 7000u + port, .window = 5000, .options = syn_option,
			.options_len = sizeof syn_option, .src_port = port, .dst_port = NET_PORT });
	ck_assert_uint_eq(tcpu_count(n->peer[0].engine), 2); /* the listener, and the first */
	script_forget(n);
	finish(n, 4009, 7000 + 4009, 1);
	ck_assert(script_hear(n, &w));
	ck_assert_uint_eq(w.flags, RST);
	finish(n, 4008, 7000 + 4008, 0);
	ck_assert(script_hear(n, &w));
	ck_assert_uint_eq(w.flags, RST);
	ck_assert_int_eq(tcpu_accept(l, &c), -EAGAIN);
	finish(n, 4009, 7000 + 4009, 0);
	ck_assert_int_eq(tcpu_accept(l, &c), 0);
	ck_assert_uint_eq(ntohs(net_info(c).remote.port), 4009);
	ck_assert_uint_eq(net_info(c).mss, 1460 - 12);
	ck_assert_uint_eq(net_info(c).snd_wnd_bytes, 1000 << 9);
	ck_assert(net_info(c).sack && net_info(c).timestamps && !net_info(c).ecn);
	ck_assert_int_eq(net_recv(c, inbox, sizeof inbox), 10);
	ck_assert_mem_eq(inbox, "0123456789", 10);
	/* As long as one may be under way, and no longer. */
	net_run(n, 200 * NET_S);
	finish(n, 4007, 7000 + 4007, 0);
	ck_assert_uint_eq(tcpu_count(n->peer[0].engine), 2);
	tcpu_abort(c);
	tcpu_close(l);
	net_close(n);
}
END_TEST

/* ---- what the wire does not show at once ---- */

static uint32_t timestamp_of(uint64_t seed, uint16_t port)
{
	static struct net n;
	struct tcb *l;
	uint32_t val;

	net_open(&n, &(struct net_config){ .scripted = true, .seed = seed });
	link_sim_tap(n.sim, keep_answer, NULL);
	ck_assert_int_eq(tcpu_listen(n.peer[0].engine, net_addr(&n, 0, NET_PORT), 5, NULL, &l), 0);
	script_say(&n, &(struct say){ .flags = SYN, .seq = 7000, .window = 5000, .options = syn_option,
		.options_len = sizeof syn_option, .src_port = port, .dst_port = NET_PORT });
	memcpy(&val, answer + 28, 4); /* behind MSS, SACK permitted, and its own kind and length */
	net_close(&n);
	return ntohl(val);
}

/* RFC 7323 7.1: the clock of timestamps begins for each connection where only the secret tells. */
START_TEST(timestamps_begin_anywhere)
{
	uint32_t one = timestamp_of(1, 4000);

	ck_assert_uint_eq(timestamp_of(1, 4000), one);
	ck_assert_uint_ne(timestamp_of(1, 4001), one);
	ck_assert_uint_ne(timestamp_of(1, 4001) - one, 1);
	ck_assert_uint_ne(timestamp_of(2, 4000), one);
}
END_TEST

/* RFC 8985 6.2: what DSACK has widened is as it was after 16 recoveries. */
START_TEST(reordering_window_recovers)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	rack_dsack(talk.c);
	for (int i = 0; i < 16; i++) {
		ck_assert_uint_eq(talk.c->reo_wnd_mult, 2);
		rack_recovered(talk.c);
	}
	ck_assert_uint_eq(talk.c->reo_wnd_mult, 1);
	talk_close(&talk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_conformance");
	TCase *tc = tcase_create("conformance");

	tcase_add_test(tc, windows_are_unsigned);
	tcase_add_test(tc, reset_in_syn_received);
	tcase_add_test(tc, listen_beside_connections);
	tcase_add_test(tc, one_ack_for_a_batch);
	tcase_add_loop_test(tc, what_every_segment_has, 0, 2);
	tcase_add_test(tc, cookies);
	tcase_add_test(tc, timestamps_begin_anywhere);
	tcase_add_test(tc, reordering_window_recovers);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

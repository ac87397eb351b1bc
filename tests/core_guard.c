/* What a stranger may send: malformed segments and options, guesses into a connection (RFC 5961), nonsense. The
 * engine neither falls nor believes it. */
#include "core/plain.h"
#include "core/tcb.h"
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

/* A good data segment of the talk's, in memory: 24 bytes of header with 4 of options, and 4 of data. */
static uint32_t segment(uint8_t *s, const uint8_t option[4])
{
	uint32_t seq = htonl(talk.seq), ack = htonl(talk.ack);
	uint16_t src = htons(NET_PORT), dst = htons(talk.port);

	memset(s, 0, 28);
	memcpy(s, &src, 2);
	memcpy(s + 2, &dst, 2);
	memcpy(s + 4, &seq, 4);
	memcpy(s + 8, &ack, 4);
	s[12] = 6 << 4;
	s[13] = ACK;
	s[14] = 0xff;
	memcpy(s + 20, option, 4);
	memcpy(s + 24, "data", 4);
	script_sum(talk.net.peer[1].ip, talk.net.peer[0].ip, s, 28);
	return 28;
}

static ssize_t received(void)
{
	char got[100];

	return net_recv(talk.c, got, sizeof got);
}

static const uint8_t nops[4] = { 1, 1, 1, 1 };

/* A data offset below 5, or past the end, with a checksum that is right. */
START_TEST(data_offset)
{
	uint8_t s[64];
	uint32_t len;

	talk_open(&talk, &(struct net_config){ 0 }, 1000);
	len = segment(s, nops);
	s[12] = (uint8_t)(_i << 4);
	script_sum(talk.net.peer[1].ip, talk.net.peer[0].ip, s, len);
	script_raw(&talk.net, NET_PORT, talk.port, s, len);
	if (_i >= 5 && _i <= 7)
		ck_assert_int_eq(received(), 28 - 4 * _i == 0 ? -EAGAIN : 28 - 4 * _i);
	else
		ck_assert_int_eq(received(), -EAGAIN);
	talk_close(&talk);
}
END_TEST

/* Every prefix of a segment, its checksum right for that length. */
START_TEST(short_segments)
{
	uint8_t s[64];

	talk_open(&talk, &(struct net_config){ 0 }, 1000);
	for (uint32_t len = 0; len < 24; len++) {
		uint8_t *exact = malloc(len ? len : 1); /* so that a sanitizer sees every byte too many */

		segment(s, nops);
		if (len >= 18)
			script_sum(talk.net.peer[1].ip, talk.net.peer[0].ip, s, len);
		memcpy(exact, s, len);
		script_raw(&talk.net, NET_PORT, talk.port, exact, len);
		free(exact);
		ck_assert_int_eq(received(), -EAGAIN);
	}
	ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
	talk_close(&talk);
}
END_TEST

/* Options of length 0, 1, past the end, cut short, unknown: the data counts all the same, or nothing does; nothing
 * else happens. */
START_TEST(options)
{
	static const uint8_t cases[][4] = {
		{ 2, 0, 0, 0 }, { 2, 1, 0, 0 }, { 2, 5, 1, 1 }, { 2, 255, 1, 1 }, { 1, 1, 1, 2 }, { 1, 1, 2, 4 },
		{ 0, 2, 4, 0 }, { 254, 4, 0, 0 }, { 254, 0, 0, 0 }, { 3, 3, 255, 1 }, { 5, 2, 1, 1 }, { 5, 10, 0, 0 },
		{ 8, 10, 0, 0 }, { 1, 3, 3, 14 }, { 2, 4, 0, 0 }, { 4, 2, 4, 2 },
	};
	uint8_t s[64];
	ssize_t n;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		talk_open(&talk, &(struct net_config){ 0 }, 1000);
		script_raw(&talk.net, NET_PORT, talk.port, s, segment(s, cases[i]));
		n = received();
		ck_assert(n == 4 || n == -EAGAIN);
		ck_assert_uint_eq(net_info(talk.c).mss, 1000);
		ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
		talk_close(&talk);
	}
}
END_TEST

/* The same in a SYN, where options count. RFC 7323 2.3: a scale above 14 is 14. */
START_TEST(syn_options)
{
	static const struct {
		uint8_t option[8];
		uint32_t mss;
	} cases[] = {
		{ { 2, 4, 2, 0, 1, 1, 1, 1 }, 512 },  { { 1, 2, 4, 2, 0, 1, 1, 1 }, 512 },
		{ { 2, 3, 2, 1, 1, 1, 1, 1 }, 536 },  { { 2, 4, 0, 0, 0, 0, 0, 0 }, 0 },
		{ { 0, 2, 4, 2, 0, 0, 0, 0 }, 536 },  { { 2, 0, 2, 4, 2, 0, 1, 1 }, 536 },
		{ { 1, 1, 1, 1, 1, 2, 4, 2 }, 536 },  { { 3, 3, 255, 2, 4, 2, 0, 1 }, 512 },
		{ { 99, 3, 7, 2, 4, 2, 0, 1 }, 512 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tcb *l, *c;

		net_open(&net, &(struct net_config){ .scripted = true });
		ck_assert_int_eq(tcpu_listen(net.peer[0].engine, net_addr(&net, 0, 80), 5, NULL, &l), 0);
		script_say(&net, &(struct say){ .flags = SYN, .seq = 5, .window = 65535, .options = cases[i].option,
						.options_len = 8, .src_port = 9, .dst_port = 80 });
		if (script_hear(&net, &talk.heard)) {
			ck_assert_uint_eq(talk.heard.flags, SYN | ACK);
			script_say(&net, &(struct say){ .flags = ACK, .seq = 6, .ack = talk.heard.seq + 1, .window = 1,
							.src_port = 9, .dst_port = 80 });
			ck_assert_int_eq(tcpu_accept(l, &c), 0);
			if (cases[i].mss)
				ck_assert_uint_eq(net_info(c).mss, cases[i].mss);
			ck_assert_uint_le(net_info(c).snd_wnd_bytes, 1 << 14);
		}
		net_close(&net);
	}
}
END_TEST

/* Each bit of a good segment flipped: nothing is delivered, nothing answered; and the good one still is. Also where a
 * sink takes the bytes while they are summed. */
START_TEST(every_bit)
{
	uint8_t s[64], bad[64], got[64];
	struct plain_sink sink;
	uint32_t len;

	talk_open(&talk, &(struct net_config){ 0 }, 1000);
	plain_sink(&sink, got, sizeof got);
	if (_i)
		tcpu_sink(talk.c, &sink.seam);
	len = segment(s, nops);
	for (uint32_t bit = 0; bit < 8 * len; bit++) {
		memcpy(bad, s, len);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		script_raw(&talk.net, NET_PORT, talk.port, bad, len);
		ck_assert_uint_eq(net_info(talk.c).received_bytes, 0);
		ck_assert_uint_eq(script_forget(&talk.net), 0);
	}
	script_raw(&talk.net, NET_PORT, talk.port, s, len);
	ck_assert_uint_eq(_i ? (uint64_t)sink.got : (uint64_t)received(), 4);
	ck_assert_uint_eq(net_info(talk.c).direct_bytes, _i ? 4 : 0);
	talk_close(&talk);
}
END_TEST

/* RFC 5961 4.2: a SYN in a connection, anywhere, is challenged and changes nothing. */
START_TEST(syn_in_connection)
{
	static const uint32_t off[] = { 0, 1000, UINT32_MAX, 0x40000000, 0xc0000000 };

	talk_open(&talk, &(struct net_config){ 0 }, 1000);
	for (int i = 0; i < 5; i++) {
		talk_say_at(&talk, SYN, talk.seq + off[i], 0, NULL, 0);
		talk_expect(&talk, ACK, 0);
		ck_assert_uint_eq(talk.heard.ack, talk.seq);
		ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
		net_run(&talk.net, NET_S); /* challenges are few: tests/core_rules.c */
	}
	talk_close(&talk);
}
END_TEST

/* RFC 5961 5.2: data with an ACK of what was never sent, or of long ago, is not taken. */
START_TEST(ack_of_nothing)
{
	static const uint32_t off[] = { 1, 1000, 0x40000000, 0x80000001, 0xc0000000, (uint32_t)-200000 };

	talk_open(&talk, &(struct net_config){ 0 }, 1000);
	for (int i = 0; i < 6; i++) {
		talk_say_at(&talk, ACK, talk.seq, talk.ack + off[i], "evil", 4);
		ck_assert_int_eq(received(), -EAGAIN);
		ck_assert_uint_le(script_forget(&talk.net), 1);
	}
	talk_say(&talk, 0, "good", 4);
	ck_assert_int_eq(received(), 4);
	talk_close(&talk);
}
END_TEST

/* Two engines cannot be brought to answer one another's ACKs for ever. */
START_TEST(no_ack_war)
{
	struct tcb *c, *s;
	struct say evil = { .flags = ACK, .window = 1000, .src_port = NET_PORT };
	uint64_t before, after;

	net_open(&net, &(struct net_config){ .path = { { .delay_us = 1000 }, { .delay_us = 1000 } } });
	net_pair(&net, &c, &s);
	net_run(&net, NET_S);
	evil.dst_port = ntohs(net_info(c).local.port);
	before = link_sim_stats(net.sim, net.peer[0].ip, net.peer[1].ip).sent;
	for (uint32_t i = 0; i < 16; i++) {
		evil.seq = i << 28;
		evil.ack = ~i << 28;
		script_say(&net, &evil);
		net_run(&net, NET_S);
	}
	after = link_sim_stats(net.sim, net.peer[0].ip, net.peer[1].ip).sent;
	ck_assert_uint_le(after - before, 64);
	ck_assert_int_eq(net_state(c), TCPU_ESTABLISHED);
	net_close(&net);
}
END_TEST

/* Flags that no TCP sends together, and none at all. */
START_TEST(flags)
{
	struct tcb *l;

	talk_open(&talk, &(struct net_config){ 0 }, 1000);
	for (uint8_t f = 0; f < 64; f++) {
		if (f & RST)
			continue;
		talk_say_at(&talk, f, talk.seq + 100000, talk.ack, NULL, 0);
		ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
	}
	talk_close(&talk);
	/* To a listener: only SYN makes anything of it. */
	net_open(&net, &(struct net_config){ .scripted = true });
	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, net_addr(&net, 0, 80), 5, NULL, &l), 0);
	for (uint8_t f = 0; f < 64; f++) {
		bool opens = (f & (SYN | ACK | RST | FIN)) == SYN;
		unsigned count = tcpu_count(net.peer[0].engine);

		script_say(&net, &(struct say){ .flags = f, .seq = 9, .ack = 9, .src_port = (uint16_t)(f + 1),
						.dst_port = 80 });
		ck_assert_uint_eq(tcpu_count(net.peer[0].engine), count + opens);
	}
	net_close(&net);
}
END_TEST

/* Urgent data, with every lie about where it ends, is ordinary data (RFC 6093). */
START_TEST(urgent)
{
	static const uint16_t pointers[] = { 0, 1, 4, 5, 65535 };
	uint8_t s[64];

	talk_open(&talk, &(struct net_config){ 0 }, 1000);
	for (int i = 0; i < 5; i++) {
		uint16_t p = htons(pointers[i]);

		segment(s, nops);
		s[13] |= URG;
		memcpy(s + 18, &p, 2);
		script_sum(talk.net.peer[1].ip, talk.net.peer[0].ip, s, 28);
		script_raw(&talk.net, NET_PORT, talk.port, s, 28);
		ck_assert_int_eq(received(), 4);
		talk.seq += 4;
	}
	talk_close(&talk);
}
END_TEST

/* Random segments, checksums right, at a connection and a listener: nothing falls, memory stays bounded. */
START_TEST(noise)
{
	uint8_t s[128];
	struct tcb *l;

	talk_open(&talk, &(struct net_config){ .seed = (uint64_t)_i + 1,
						.engine = { { .connections_max = 100 } } }, 1000);
	ck_assert_int_eq(tcpu_listen(talk.net.peer[0].engine, net_addr(&talk.net, 0, 8), 5, NULL, &l), 0);
	for (int i = 0; i < 5000; i++) {
		uint32_t len = 20 + (uint32_t)(link_sim_random(talk.net.sim) % 100);
		uint16_t port = link_sim_chance(talk.net.sim, 0.5) ? talk.port : 8;

		for (uint32_t k = 0; k < len; k++)
			s[k] = (uint8_t)link_sim_random(talk.net.sim);
		s[2] = (uint8_t)(port >> 8);
		s[3] = (uint8_t)port;
		if (link_sim_chance(talk.net.sim, 0.8))
			s[12] = (uint8_t)((5 + s[12] % 8) << 4);
		if (link_sim_chance(talk.net.sim, 0.5)) {
			uint32_t near = htonl(talk.seq + (s[7] & 15U) * 100);

			memcpy(s + 4, &near, 4);
		}
		if (link_sim_chance(talk.net.sim, 0.5)) {
			uint32_t near = htonl(talk.ack);

			memcpy(s + 8, &near, 4);
		}
		script_sum(talk.net.peer[1].ip, talk.net.peer[0].ip, s, len);
		script_raw(&talk.net, (uint16_t)(s[0] << 8 | s[1]), port, s, len);
		if (i % 100 == 0)
			net_run(&talk.net, NET_S);
		script_forget(&talk.net);
	}
	ck_assert_uint_le(tcpu_count(talk.net.peer[0].engine), 101);
	talk_close(&talk);
}
END_TEST

/* RFC 5961 section 7: segments without data that are not acceptable are answered, but not all; else two ends that
 * forged bytes have put out of step would answer each other for ever, and anybody could make us send. */
START_TEST(challenges_are_few)
{
	unsigned answers;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (int i = 0; i < 1000; i++) {
		talk_say_at(&talk, _i == 0 ? SYN : _i == 1 ? ACK : RST, talk.seq + (_i == 1 ? 500000 : 77), talk.ack, NULL, 0);
		net_run(&talk.net, NET_MS);
	}
	answers = script_forget(&talk.net);
	ck_assert_uint_ge(answers, 1);
	ck_assert_uint_le(answers, 4);
	/* Data is another matter: a peer that repeats it has not got our ACK. */
	talk_say(&talk, 0, "x", 1);
	net_run(&talk.net, NET_S);
	script_forget(&talk.net);
	for (int i = 0; i < 5; i++)
		talk_say_at(&talk, ACK, talk.seq - 1, talk.ack, "x", 1);
	ck_assert_uint_eq(script_forget(&talk.net), 5);
	talk_close(&talk);
}
END_TEST

/* Into TIME-WAIT, with the peer's FIN as its last segment. */
static void time_wait(struct talk *t, const struct net_config *config)
{
	talk_open(t, config, MSS);
	tcpu_shutdown(t->c);
	talk_expect(t, FIN | ACK, 0);
	talk_say(t, FIN, NULL, 0);
	talk_expect(t, ACK, 0);
	ck_assert_int_eq(net_state(t->c), TCPU_TIME_WAIT);
}

/* RFC 1337: RST does not end TIME-WAIT; and only the peer's own FIN, come again, prolongs it. */
START_TEST(time_wait_is_what_it_is)
{
	time_wait(&talk, &(struct net_config){ .engine = { { .msl_us = 10 * NET_S } } });
	talk_say_at(&talk, RST, talk.seq, 0, NULL, 0);
	ck_assert_int_eq(net_state(talk.c), TCPU_TIME_WAIT);
	for (int i = 0; i < 19; i++) {
		net_run(&talk.net, NET_S);
		talk_say_at(&talk, FIN, talk.seq - 7777, 0, NULL, 0); /* blind */
	}
	net_run(&talk.net, NET_S);
	ck_assert_int_eq(net_state(talk.c), TCPU_CLOSED);
	talk_close(&talk);

	time_wait(&talk, &(struct net_config){ .engine = { { .msl_us = 10 * NET_S } } });
	net_run(&talk.net, 15 * NET_S);
	talk_say_at(&talk, FIN | ACK, talk.seq - 1, talk.ack, NULL, 0);
	net_run(&talk.net, 15 * NET_S);
	ck_assert_int_eq(net_state(talk.c), TCPU_TIME_WAIT);
	talk_close(&talk);
}
END_TEST

/* A FIN that came early is only a claim: text that goes on in its place shows that it was none, and the true one counts
 * when it stands in order; but where text ends exactly there, the stream does. */
START_TEST(early_fin)
{
	static uint8_t text[100], got[300];

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk_say_at(&talk, FIN | ACK, talk.seq + 50, talk.ack, NULL, 0);
	talk_say_at(&talk, ACK, talk.seq, talk.ack, text, _i ? 100 : 50);
	ck_assert_int_eq(net_recv(talk.c, got, sizeof got), _i ? 100 : 50);
	ck_assert_int_eq(net_state(talk.c), _i ? TCPU_ESTABLISHED : TCPU_CLOSE_WAIT);
	if (_i) {
		talk_say_at(&talk, FIN | ACK, talk.seq + 100, talk.ack, NULL, 0);
		ck_assert_int_eq(net_state(talk.c), TCPU_CLOSE_WAIT);
	}
	ck_assert_int_eq(net_recv(talk.c, got, sizeof got), 0);
	talk_close(&talk);
}
END_TEST

/* RFC 5961 3.2 and 4.2: only a RST that stands exactly at RCV.NXT resets, not one that begins before and reaches over
 * it; and a SYN is answered wherever it stands. */
START_TEST(overlapping_reset)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk_say_at(&talk, _i ? SYN : RST, talk.seq - 1, 0, "0123456789", 10);
	ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
	if (_i)
		talk_expect(&talk, ACK, 0);
	else
		talk_expect_nothing(&talk);
	talk_close(&talk);
}
END_TEST

/* RFC 5961 5.2, where nothing was ever sent there is nothing old to acknowledge. */
START_TEST(ghost_ack)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	talk_say_at(&talk, ACK, talk.seq, talk.ack - 1, "0123456789", 10);
	ck_assert_uint_eq(net_info(talk.c).waiting_bytes, 0);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	talk_close(&talk);
}
END_TEST

/* The other way round: an ACK from before our FIN was acknowledged may come late, with its data. */
START_TEST(late_ack_below_the_fin)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	tcpu_shutdown(talk.c);
	talk_expect(&talk, FIN | ACK, 0);
	talk_say(&talk, 0, NULL, 0);
	talk_say_at(&talk, ACK, talk.seq, talk.ack - 1, "0123456789", 10);
	ck_assert_uint_eq(net_info(talk.c).waiting_bytes, 10);
	talk_close(&talk);
}
END_TEST

/* A FIN alone that comes early is a segment out of order (RFC 5681 4.2); what stands behind the true one is reported no
 * more. */
START_TEST(fin_out_of_order)
{
	struct net_config c = { .scripted = true };

	talk_open(&talk, &c, MSS);
	talk_say_at(&talk, FIN | ACK, talk.seq + 500, talk.ack, NULL, 0);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	talk_say_at(&talk, ACK, talk.seq + 500, talk.ack, "0123456789", 10);
	talk_expect(&talk, ACK, 0);
	talk_say_at(&talk, FIN | ACK, talk.seq, talk.ack, NULL, 0);
	ck_assert_uint_eq(talk.c->rcv.over.count, 0);
	talk_close(&talk);
}
END_TEST

/* A flood of SYNs does not shut a listener: who means it still gets in. */
START_TEST(flood_of_syns)
{
	struct wire heard;
	struct link_addr here;
	struct tcb *l, *c;

	net_open(&net, &(struct net_config){ .scripted = true });
	here = net_addr(&net, 0, NET_PORT);
	ck_assert_int_eq(net.peer[0].link->ops->claim(net.peer[0].link, &here), 0);
	ck_assert_int_eq(tcpu_listen(net.peer[0].engine, here, 5, NULL, &l), 0);
	for (uint16_t port = 10000; port <= 12000; port++)
		script_say(&net, &(struct say){ .flags = SYN, .seq = port, .window = 1000, .src_port = port,
			.dst_port = NET_PORT });
	ck_assert_uint_le(tcpu_count(net.peer[0].engine), 300);
	while (script_hear(&net, &heard)) /* the last one's SYN,ACK */
		continue;
	script_say(&net, &(struct say){ .flags = ACK, .seq = 12001, .ack = heard.seq + 1, .window = 1000,
		.src_port = 12000, .dst_port = NET_PORT });
	ck_assert_int_eq(tcpu_accept(l, &c), 0);
	net_close(&net);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_guard");
	TCase *tc = tcase_create("guard");

	tcase_add_loop_test(tc, data_offset, 0, 16);
	tcase_add_test(tc, short_segments);
	tcase_add_test(tc, options);
	tcase_add_test(tc, syn_options);
	tcase_add_loop_test(tc, every_bit, 0, 2);
	tcase_add_test(tc, syn_in_connection);
	tcase_add_test(tc, ack_of_nothing);
	tcase_add_test(tc, no_ack_war);
	tcase_add_test(tc, flags);
	tcase_add_test(tc, urgent);
	tcase_add_loop_test(tc, noise, 0, 10);
	tcase_add_loop_test(tc, challenges_are_few, 0, 3);
	tcase_add_test(tc, time_wait_is_what_it_is);
	tcase_add_loop_test(tc, early_fin, 0, 2);
	tcase_add_loop_test(tc, overlapping_reset, 0, 2);
	tcase_add_test(tc, ghost_ack);
	tcase_add_test(tc, late_ack_below_the_fin);
	tcase_add_test(tc, fin_out_of_order);
	tcase_add_test(tc, flood_of_syns);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* Connections end: RFC 9293 3.6, in every order of FIN, and by RST (RFC 2525 2.17, RFC 1337, RFC 5961). */
#include "tests/run.h"
#include "tests/sim_net.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static struct net net;
static struct talk talk;
static struct tcb *c, *s;

static void pair(const struct net_config *config)
{
	net_open(&net, config);
	net_pair(&net, &c, &s);
	net_run(&net, NET_S);
}

static const struct net_config plain = { .path = { { .delay_us = 1000 }, { .delay_us = 1000 } } };

static void states(enum tcpu_state client, enum tcpu_state server)
{
	ck_assert_str_eq(tcpu_state_name(net_state(c)), tcpu_state_name(client));
	ck_assert_str_eq(tcpu_state_name(net_state(s)), tcpu_state_name(server));
}

/* RFC 9293 figure 12, and how long TIME-WAIT lasts: 2 MSL. */
START_TEST(one_after_the_other)
{
	char got[4];
	uint64_t from;

	pair(&(struct net_config){ .path = { { .delay_us = 1000 }, { .delay_us = 1000 } },
				   .engine = { { .msl_us = 5 * NET_S } } });
	ck_assert_int_eq(tcpu_shutdown(c), 0);
	states(TCPU_FIN_WAIT_1, TCPU_ESTABLISHED);
	net_run(&net, 100 * NET_MS);
	states(TCPU_FIN_WAIT_2, TCPU_CLOSE_WAIT);
	ck_assert_int_eq(net_recv(s, got, 4), 0);
	ck_assert_int_eq(tcpu_shutdown(s), 0);
	states(TCPU_FIN_WAIT_2, TCPU_LAST_ACK);
	from = net.now_us;
	net_run(&net, 100 * NET_MS);
	states(TCPU_TIME_WAIT, TCPU_CLOSED);
	ck_assert_int_eq(net_recv(c, got, 4), 0);
	ck_assert_int_eq(tcpu_error(s), 0);
	tcpu_close(s);
	tcpu_close(c);
	ck_assert_uint_eq(tcpu_count(net.peer[1].engine), 0);
	net_run(&net, from + 10 * NET_S - net.now_us);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 1);
	net_run(&net, 10 * NET_MS);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 0);
	net_close(&net);
}
END_TEST

/* RFC 9293 figure 13 */
START_TEST(both_at_once)
{
	pair(&plain);
	ck_assert_int_eq(tcpu_shutdown(c), 0);
	ck_assert_int_eq(tcpu_shutdown(s), 0);
	net_run(&net, 1100);
	states(TCPU_CLOSING, TCPU_CLOSING);
	net_run(&net, 100 * NET_MS);
	states(TCPU_TIME_WAIT, TCPU_TIME_WAIT);
	tcpu_close(c);
	tcpu_close(s);
	net_run(&net, 61 * NET_S);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine) + tcpu_count(net.peer[1].engine), 0);
	net_close(&net);
}
END_TEST

/* One direction is closed, the other goes on. */
START_TEST(half_close)
{
	char got[8];

	pair(&plain);
	ck_assert_int_eq(net_send(c, "last", 4), 4);
	ck_assert_int_eq(tcpu_shutdown(c), 0);
	ck_assert_int_eq(net_send(c, "more", 4), -EPIPE);
	net_run(&net, NET_S);
	ck_assert_int_eq(net_recv(s, got, 8), 4);
	ck_assert_int_eq(net_recv(s, got, 8), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(net_send(s, "still", 5), 5);
		net_run(&net, NET_S);
		ck_assert_int_eq(net_recv(c, got, 8), 5);
		ck_assert_mem_eq(got, "still", 5);
	}
	states(TCPU_FIN_WAIT_2, TCPU_CLOSE_WAIT);
	tcpu_close(s);
	net_run(&net, NET_S);
	ck_assert_int_eq(net_recv(c, got, 8), 0);
	net_close(&net);
}
END_TEST

static bool drop_fins(void *ctx, struct link_sim_packet *p)
{
	unsigned *drops = ctx;

	if (!(p->segment[13] & FIN) || !*drops)
		return true;
	--*drops;
	return false;
}

/* FINs are lost, of either or both: sent again. */
START_TEST(lost_fins)
{
	unsigned drops = (unsigned)_i + 1;

	pair(&plain);
	link_sim_filter(net.sim, drop_fins, &drops);
	ck_assert_int_eq(net_send(c, "x", 1), 1);
	tcpu_shutdown(c);
	net_run(&net, 10 * NET_S);
	ck_assert_int_eq(net_state(s), TCPU_CLOSE_WAIT);
	drops = (unsigned)_i + 1;
	tcpu_shutdown(s);
	net_run(&net, 10 * NET_S);
	ck_assert_uint_eq(drops, 0);
	states(TCPU_TIME_WAIT, TCPU_CLOSED);
	net_close(&net);
}
END_TEST

/* TIME-WAIT answers a FIN whose ACK was lost, and begins anew to count. */
START_TEST(time_wait_answers)
{
	talk_open(&talk, &(struct net_config){ .engine = { { .msl_us = 5 * NET_S } } }, 1460);
	tcpu_close(talk.c);
	talk_expect(&talk, FIN | ACK, 0);
	talk_say(&talk, FIN, NULL, 0);
	talk_expect(&talk, ACK, 0);
	net_run(&talk.net, 9 * NET_S);
	talk_say_at(&talk, FIN | ACK, talk.seq - 1, talk.ack, NULL, 0);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	net_run(&talk.net, 9 * NET_S);
	ck_assert_uint_eq(tcpu_count(talk.net.peer[0].engine), 1);
	net_run(&talk.net, 2 * NET_S);
	ck_assert_uint_eq(tcpu_count(talk.net.peer[0].engine), 0);
	talk_close(&talk);
}
END_TEST

/* RFC 1337: data that is old or an RST that is not exact does not end TIME-WAIT before its time. */
START_TEST(time_wait_assassination)
{
	talk_open(&talk, &(struct net_config){ 0 }, 1460);
	tcpu_close(talk.c);
	talk_expect(&talk, FIN | ACK, 0);
	talk_say(&talk, FIN, NULL, 0);
	talk_expect(&talk, ACK, 0);
	talk_say_at(&talk, ACK, talk.seq - 100, talk.ack, "old", 3);
	talk_expect(&talk, ACK, 0);
	talk_say_at(&talk, RST, talk.seq + 10, 0, NULL, 0);
	ck_assert_uint_eq(tcpu_count(talk.net.peer[0].engine), 1);
	talk_close(&talk);
}
END_TEST

/* FIN comes before data that stands in front of it: the end is told only behind all data. */
START_TEST(fin_out_of_order)
{
	char got[8];

	talk_open(&talk, &(struct net_config){ 0 }, 1460);
	talk_say_at(&talk, FIN | ACK, talk.seq + 3, talk.ack, "def", 3);
	ck_assert_int_eq(net_recv(talk.c, got, 8), -EAGAIN);
	ck_assert_int_eq(net_state(talk.c), TCPU_ESTABLISHED);
	talk_say(&talk, 0, "abc", 3);
	ck_assert_int_eq(net_state(talk.c), TCPU_CLOSE_WAIT);
	ck_assert_int_eq(net_recv(talk.c, got, 8), 6);
	ck_assert_mem_eq(got, "abcdef", 6);
	ck_assert_int_eq(net_recv(talk.c, got, 8), 0);
	talk_close(&talk);
}
END_TEST

/* The same FIN again is acknowledged again and changes nothing. */
START_TEST(fin_twice)
{
	talk_open(&talk, &(struct net_config){ 0 }, 1460);
	talk_say(&talk, FIN, NULL, 0);
	talk_expect(&talk, ACK, 0);
	talk_say_at(&talk, FIN | ACK, talk.seq - 1, talk.ack, NULL, 0);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	ck_assert_int_eq(net_state(talk.c), TCPU_CLOSE_WAIT);
	talk_close(&talk);
}
END_TEST

/* RFC 2525 2.17: who closes without having read all resets, so that the peer knows. */
START_TEST(unread_data_resets)
{
	pair(&plain);
	ck_assert_int_eq(net_send(c, "never read", 10), 10);
	net_run(&net, 100 * NET_MS);
	tcpu_close(s);
	ck_assert_uint_eq(tcpu_count(net.peer[1].engine), 0);
	net_run(&net, 100 * NET_MS);
	ck_assert_int_eq(tcpu_error(c), ECONNRESET);
	net_close(&net);
}
END_TEST

/* Data that comes for a user who is gone: RST. */
START_TEST(data_after_close_resets)
{
	pair(&plain);
	tcpu_close(s);
	net_run(&net, 100 * NET_MS);
	ck_assert_int_eq(net_state(c), TCPU_CLOSE_WAIT);
	ck_assert_int_eq(net_send(c, "to nobody", 9), 9);
	net_run(&net, 100 * NET_MS);
	ck_assert_int_eq(tcpu_error(c), ECONNRESET);
	ck_assert_uint_eq(tcpu_count(net.peer[1].engine), 0);
	net_close(&net);
}
END_TEST

/* A peer that never sends its FIN holds a closed connection no longer than TIME-WAIT would. */
START_TEST(fin_wait_2_ends)
{
	pair(&plain);
	tcpu_close(c);
	net_run(&net, 100 * NET_MS);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 1);
	net_run(&net, 61 * NET_S);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 0);
	net_close(&net);
}
END_TEST

/* close() with data that the peer's closed window keeps back: all of it arrives when the window opens. */
START_TEST(close_with_zero_window)
{
	static uint8_t out[40000], in[60000];
	size_t got = 0;
	ssize_t n;

	pair(&(struct net_config){ .engine = { { 0 }, { .options.rcvbuf_bytes = 8000 } } });
	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (uint8_t)(i * 7 >> 3);
	ck_assert_int_eq(net_send(c, out, sizeof out), sizeof out);
	tcpu_close(c);
	net_run(&net, 20 * NET_S);
	ck_assert_uint_eq(net_info(s).rcv_wnd_bytes, 0);
	for (int i = 0; i < 100; i++) {
		n = net_recv(s, in + got, sizeof in - got);
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
		net_run(&net, NET_S);
	}
	ck_assert_uint_eq(got, sizeof out);
	ck_assert_mem_eq(in, out, got);
	ck_assert_int_eq(n, 0);
	net_close(&net);
}
END_TEST

/* RFC 5961 3.2 in every synchronized state: an RST at RCV.NXT ends; elsewhere in the window it is challenged;
 * outside it is nothing. */
static const struct {
	bool engine_closes, script_acks, script_closes;
	enum tcpu_state state;
	int error;
} resets[] = {
	{ false, false, false, TCPU_ESTABLISHED, ECONNRESET },
	{ false, false, true, TCPU_CLOSE_WAIT, ECONNRESET },
	{ true, false, false, TCPU_FIN_WAIT_1, ECONNRESET },
	{ true, true, false, TCPU_FIN_WAIT_2, ECONNRESET },
	{ true, false, true, TCPU_CLOSING, 0 }, /* TIME-WAIT: tests/core_rules.c, RFC 1337 */
};

START_TEST(reset)
{
	uint32_t una;

	talk_open(&talk, &(struct net_config){ 0 }, 1460);
	una = talk.ack;
	if (resets[_i].engine_closes) {
		tcpu_shutdown(talk.c);
		talk_expect(&talk, FIN | ACK, 0);
	}
	if (resets[_i].script_acks)
		talk_say(&talk, 0, NULL, 0);
	if (resets[_i].script_closes) {
		talk_say_at(&talk, FIN | ACK, talk.seq++, resets[_i].script_acks ? talk.ack : una, NULL, 0);
		talk_expect(&talk, ACK, 0);
	}
	ck_assert_str_eq(tcpu_state_name(net_state(talk.c)), tcpu_state_name(resets[_i].state));
	talk_say_at(&talk, RST, talk.seq + 1, 0, NULL, 0);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq);
	talk_say_at(&talk, RST, talk.seq - 1, 0, NULL, 0);
	talk_say_at(&talk, RST, talk.seq + 0x40000000, 0, NULL, 0);
	talk_expect_nothing(&talk);
	ck_assert_str_eq(tcpu_state_name(net_state(talk.c)), tcpu_state_name(resets[_i].state));
	talk_say_at(&talk, RST, talk.seq, 0, NULL, 0);
	talk_expect_nothing(&talk);
	ck_assert_int_eq(net_state(talk.c), TCPU_CLOSED);
	ck_assert_int_eq(tcpu_error(talk.c), resets[_i].error);
	tcpu_close(talk.c);
	ck_assert_uint_eq(tcpu_count(talk.net.peer[0].engine), 0);
	talk_close(&talk);
}
END_TEST

/* What was received before the RST can still be read; then the error comes, once; then the end. */
START_TEST(reset_behind_data)
{
	char got[8];

	talk_open(&talk, &(struct net_config){ 0 }, 1460);
	talk_say(&talk, 0, "data", 4);
	talk_say_at(&talk, RST, talk.seq, 0, NULL, 0);
	ck_assert_int_eq(net_recv(talk.c, got, 8), 4);
	ck_assert_int_eq(net_recv(talk.c, got, 8), -ECONNRESET);
	ck_assert_int_eq(net_recv(talk.c, got, 8), 0);
	ck_assert_int_eq(net_send(talk.c, "x", 1), -EPIPE);
	talk_close(&talk);
}
END_TEST

START_TEST(abort_resets)
{
	pair(&plain);
	tcpu_abort(c);
	ck_assert_uint_eq(tcpu_count(net.peer[0].engine), 0);
	net_run(&net, 100 * NET_MS);
	ck_assert_int_eq(tcpu_error(s), ECONNRESET);
	net_close(&net);
}
END_TEST

/* RFC 9293 3.6.1: a new SYN beyond what TIME-WAIT has seen begins a new connection there. */
START_TEST(syn_in_time_wait)
{
	struct tcb *l, *again;

	talk_accept(&talk, &(struct net_config){ 0 }, 1460);
	ck_assert_int_eq(tcpu_listen(talk.net.peer[0].engine, net_addr(&talk.net, 0, NET_PORT), 5, NULL, &l), 0);
	tcpu_close(talk.c);
	talk_expect(&talk, FIN | ACK, 0);
	talk_say(&talk, FIN, NULL, 0);
	talk_expect(&talk, ACK, 0);
	talk_say_at(&talk, SYN, talk.seq + 1000, 0, NULL, 0);
	talk_expect(&talk, SYN | ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, talk.seq + 1001);
	talk_say_at(&talk, ACK, talk.seq + 1001, talk.heard.seq + 1, NULL, 0);
	ck_assert_int_eq(tcpu_accept(l, &again), 0);
	talk_close(&talk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_close");
	TCase *tc = tcase_create("close");

	tcase_add_test(tc, one_after_the_other);
	tcase_add_test(tc, both_at_once);
	tcase_add_test(tc, half_close);
	tcase_add_loop_test(tc, lost_fins, 0, 3);
	tcase_add_test(tc, time_wait_answers);
	tcase_add_test(tc, time_wait_assassination);
	tcase_add_test(tc, fin_out_of_order);
	tcase_add_test(tc, fin_twice);
	tcase_add_test(tc, unread_data_resets);
	tcase_add_test(tc, data_after_close_resets);
	tcase_add_test(tc, fin_wait_2_ends);
	tcase_add_test(tc, close_with_zero_window);
	tcase_add_loop_test(tc, reset, 0, sizeof resets / sizeof *resets);
	tcase_add_test(tc, reset_behind_data);
	tcase_add_test(tc, abort_resets);
	tcase_add_test(tc, syn_in_time_wait);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* Readiness: tcpu_ready and tcpu_send agree, and who hears of no room hears of its end, so that a poll loop neither
 * turns for nothing nor sleeps for ever. */
#include "core/plain.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>

#define MSS 1000

static struct talk talk;
static uint8_t bytes[100000];

static bool is_writable(struct tcb *c)
{
	return tcpu_ready(c) & TCPU_OUT;
}

/* Those that tcpu_changed names: bit n for user n. */
static unsigned changed(struct tcpu *e)
{
	unsigned users = 0;

	for (struct tcb *c; (c = tcpu_changed(e));)
		users |= 1u << tcpu_user(c);
	return users;
}

/* The link is full: no connection may be written to, whether it has sent anything or not, and whoever asked is told
 * once it has room again; before that nobody is. */
START_TEST(link_full)
{
	struct tcpu *e;
	struct tcb *other, *third;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.sndbuf_bytes = 30000 } } }, MSS);
	e = talk.net.peer[0].engine;
	other = net_connect(&talk.net);
	third = net_connect(&talk.net);
	net_run(&talk.net, 0);
	for (int i = 0; i < 2; i++) {
		struct tcb *c = i ? third : other;

		ck_assert(script_hear(&talk.net, &talk.heard));
		script_say(&talk.net, &(struct say){ .flags = SYN | ACK, .seq = 1, .ack = talk.heard.seq + 1, .window = 60000,
			.src_port = NET_PORT, .dst_port = ntohs(talk.heard.src.port) });
		ck_assert_int_eq(net_state(c), TCPU_ESTABLISHED);
	}
	script_forget(&talk.net);
	tcpu_set_user(talk.c, 1);
	tcpu_set_user(other, 2);
	tcpu_set_user(third, 3);
	changed(e);
	ck_assert(is_writable(talk.c) && is_writable(other));
	talk.net.peer[0].gate_room = 2;
	ck_assert_int_eq(net_send(talk.c, bytes, 5 * MSS), 5 * MSS);
	ck_assert(!is_writable(talk.c) && !is_writable(other));
	ck_assert_int_eq(net_send(talk.c, bytes, 1), -EAGAIN);
	ck_assert_int_eq(net_send(other, bytes, 1), -EAGAIN);
	for (int i = 0; i < 3; i++) { /* still full */
		net_run(&talk.net, NET_MS);
		ck_assert_uint_eq(changed(e), 0);
		ck_assert(!is_writable(talk.c) && !is_writable(other));
	}
	talk.net.peer[0].gate_room = NET_ROOM;
	net_run(&talk.net, NET_MS);
	ck_assert_uint_eq(changed(e), 1u << 1 | 1u << 2); /* the third has not asked */
	ck_assert(is_writable(talk.c) && is_writable(other) && is_writable(third));
	ck_assert_int_eq(net_send(talk.c, bytes, 1), 1);
	ck_assert_int_eq(net_send(other, bytes, 1), 1);
	net_run(&talk.net, NET_MS);
	ck_assert_uint_eq(changed(e), 0);
	talk_close(&talk);
}
END_TEST

/* One byte after the other, as records or not, until there is no room: as long as it is said to be writable, it is. */
START_TEST(buffer_full)
{
	uint32_t len = _i & 2 ? 1 : 700;
	bool writable;
	ssize_t n;

	talk_open(&talk, &(struct net_config){ .engine = { { .options.sndbuf_bytes = 20000 } } }, MSS);
	talk_say_at(&talk, ACK, talk.seq, talk.ack, NULL, 0);
	do {
		struct plain_source p;

		plain_source(&p, bytes, len);
		p.seam.record = _i & 1;
		writable = is_writable(talk.c);
		n = tcpu_send(talk.c, &p.seam, 0);
		ck_assert_msg(n > 0 || (n == -EAGAIN && !writable && !is_writable(talk.c)), "%zd, %d", n, writable);
	} while (n > 0);
	ck_assert(!is_writable(talk.c));
	talk_close(&talk);
}
END_TEST

/* Without memory for a larger table of spans there is no room, whoever asks, until what is buffered is acknowledged or
 * there is memory again. */
START_TEST(no_memory_for_spans)
{
	struct plain_source p;
	ssize_t n;

	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (;;) {
		bool writable;

		plain_source(&p, bytes, 10);
		p.seam.record = true;
		talk.net.peer[0].memory.fail_chance = net_info(talk.c).buffered_bytes >= 50;
		writable = is_writable(talk.c);
		n = tcpu_send(talk.c, &p.seam, TCPU_SEND_NOW);
		ck_assert_int_eq(n, writable ? 10 : -EAGAIN);
		if (n < 0)
			break;
	}
	ck_assert_uint_ge(net_info(talk.c).buffered_bytes, 100);
	if (_i) {
		net_run(&talk.net, 0);
		script_forget(&talk.net);
		talk_say_at(&talk, ACK, talk.seq, talk.ack + 50, NULL, 0);
		ck_assert_uint_gt(net_info(talk.c).buffered_bytes, 0);
	} else {
		talk.net.peer[0].memory.fail_chance = 0;
	}
	ck_assert(is_writable(talk.c));
	ck_assert_int_eq(tcpu_send(talk.c, &p.seam, 0), 10);
	talk_close(&talk);
}
END_TEST

/* Without any memory, and with nothing buffered that an ACK could free, the call says so. */
START_TEST(no_memory_at_all)
{
	talk_open(&talk, &(struct net_config){ 0 }, MSS);
	for (int i = 0; i < 2; i++) {
		talk.net.peer[0].memory.fail_at = talk.net.peer[0].memory.calls + 1;
		ck_assert(is_writable(talk.c));
		ck_assert_int_eq(net_send(talk.c, bytes, 10), -ENOMEM);
	}
	ck_assert_int_eq(net_send(talk.c, bytes, 10), 10);
	talk_close(&talk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_ready");
	TCase *tc = tcase_create("ready");

	tcase_add_test(tc, link_full);
	tcase_add_loop_test(tc, buffer_full, 0, 4);
	tcase_add_loop_test(tc, no_memory_for_spans, 0, 2);
	tcase_add_test(tc, no_memory_at_all);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

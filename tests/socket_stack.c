/* Stacks that many sockets share: claims, turns, the default stack, what closing one does. In virtual time. */
#include "tests/run.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include "core/link/udp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

static struct machine m;

static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;

	ck_assert_int_eq(getsockname_tcpu(fd, &at, &len), 0);
	return at;
}

static void exchange(int a, int b)
{
	char got[8] = { 0 };

	ck_assert_int_eq(send_tcpu(a, "ping", 4, 0), 4);
	ck_assert_int_eq(recv_tcpu(b, got, sizeof got, 0), 4);
	ck_assert_mem_eq(got, "ping", 4);
	ck_assert_int_eq(send_tcpu(b, "pong!", 5, 0), 5);
	ck_assert_int_eq(recv_tcpu(a, got, sizeof got, 0), 5);
	ck_assert_mem_eq(got, "pong!", 5);
}

START_TEST(mistakes)
{
	struct tcpu_stack_config none = { 0 };
	struct tcpu_stack *k = NULL;
	struct link tiny = { 0 };
	int fd;

	machine_start(&m, NULL);
	FAILS(stack_tcpu(&none, &k), EINVAL);
	none.link = &tiny;
	FAILS(stack_tcpu(&none, &k), EINVAL);
	FAILS(stack_socket_tcpu(m.stack[0], SOCK_DGRAM), EPROTOTYPE);
	ck_assert_int_eq(stack_fd_tcpu(m.stack[0]), -1);
	fd = stack_socket_tcpu(m.stack[0], SOCK_STREAM | SOCK_NONBLOCK);
	ck_assert_int_eq(fcntl_tcpu(fd, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
	FAILS(stack_close_tcpu(m.stack[0]), EBUSY);
	ck_assert_int_eq(close_tcpu(fd), 0);
	machine_stop(&m);
}
END_TEST

/* Listeners and connections of several ports over one link; each connection knows its own. */
START_TEST(many_ports)
{
	enum { N = 6 };
	int l[2], here[N], there[N];

	machine_start(&m, NULL);
	for (int i = 0; i < 2; i++)
		l[i] = machine_listener(&m, 80U + (unsigned)i);
	for (int i = 0; i < N; i++) {
		machine_pair(&m, l[i % 2], 80U + (unsigned)i % 2, &here[i], &there[i]);
		ck_assert_uint_eq(ntohs(name_of(there[i]).sin_port), 80U + (unsigned)i % 2);
		ck_assert_uint_eq(name_of(here[i]).sin_addr.s_addr, HERE_IP);
		for (int k = 0; k < i; k++)
			ck_assert_uint_ne(name_of(here[i]).sin_port, name_of(here[k]).sin_port);
	}
	for (int i = 0; i < N; i++)
		exchange(here[i], there[i]);
	for (int i = 0; i < N; i++)
		close_both(here[i], there[i]);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(close_tcpu(l[i]), 0);
	machine_stop(&m);
}
END_TEST

/* A port is taken as long as the listener, or a connection that it has accepted, has a descriptor. */
START_TEST(claims_are_shared)
{
	struct sockaddr_in at = machine_at(THERE_IP, 80);
	int l, fd, here, there;

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	fd = stack_socket_tcpu(m.stack[1], SOCK_STREAM);
	FAILS(bind_tcpu(fd, &at, sizeof at), EADDRINUSE);
	FAILS(bind_tcpu(l, &at, sizeof at), EINVAL);
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_int_eq(close_tcpu(l), 0);
	FAILS(bind_tcpu(fd, &at, sizeof at), EADDRINUSE);
	exchange(here, there);
	ck_assert_int_eq(close_tcpu(here), 0);
	ck_assert_int_eq(close_tcpu(there), 0);
	machine_pass(&m, 61000000); /* TIME-WAIT */
	ck_assert_int_eq(bind_tcpu(fd, &at, sizeof at), 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
	machine_stop(&m);
}
END_TEST

/* Bound to any address, a socket connects from the link's. */
START_TEST(bound_to_any)
{
	struct sockaddr_in any = machine_at(0, 4000), at = machine_at(THERE_IP, 80);
	int l, there, here;

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	here = stack_socket_tcpu(m.stack[0], SOCK_STREAM);
	ck_assert_int_eq(bind_tcpu(here, &any, sizeof any), 0);
	ck_assert_int_eq(connect_tcpu(here, &at, sizeof at), 0);
	ck_assert_uint_eq(name_of(here).sin_port, htons(4000));
	ck_assert_uint_eq(name_of(here).sin_addr.s_addr, HERE_IP);
	there = accept_tcpu(l, NULL, NULL);
	exchange(here, there);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* Nobody looks for a while: what has come meanwhile counts before the timers that would have run without it. */
START_TEST(late)
{
	struct tcpu_info info;
	int l, here, there;

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	m.turned = 2;
	ck_assert_int_eq(send_tcpu(here, "late", 4, 0), 4);
	machine_pass(&m, 5000000);
	m.turned = 3;
	stack_turn_tcpu(m.stack[0]);
	ck_assert_int_eq(info_tcpu(here, &info), 0);
	ck_assert_uint_eq(info.acked_bytes, 4);
	ck_assert_uint_eq(info.retransmits, 0);
	ck_assert_uint_eq(info.timeouts, 0);
	ck_assert_uint_eq(info.tail_probes, 0);
	/* Timers run all the same, and nothing waits for one that is due. */
	ck_assert_uint_gt(stack_turn_tcpu(m.stack[0]), m.now_us);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

START_TEST(default_stack)
{
	struct sockaddr_in at = machine_at(THERE_IP, 80);
	int l, here, there;

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	stack_default_tcpu(m.stack[0]);
	here = new_socket();
	FAILS(socket_tcpu(AF_INET, SOCK_STREAM, IPPROTO_TCPK), EPROTONOSUPPORT);
	ck_assert_int_eq(connect_tcpu(here, &at, sizeof at), 0); /* only from that stack is there a way */
	there = accept_tcpu(l, NULL, NULL);
	exchange(here, there);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
	/* It is gone, and so not the default any more. */
	here = new_socket();
	at = loopback(0);
	ck_assert_int_eq(bind_tcpu(here, &at, sizeof at), 0);
	ck_assert_int_eq(close_tcpu(here), 0);
}
END_TEST

/* Bare ACKs that are sent from there. */
static unsigned acks;

static void count_acks(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	(void)ctx;
	acks += event == LINK_SIM_SENT && p->src.ip == THERE_IP && p->len == (p->segment[12] >> 4) * 4U;
}

/* Inline, what is received is acknowledged when the input is drained; by turns, after the delay, or as configured. */
START_TEST(delayed_acks)
{
	struct tcpu_stack_config c = { .turns = _i > 0, .engine = { .delack_us = _i == 2 ? 100000 : 0,
		.without = TCPU_NO_QUICKACK } };
	uint64_t delay_us[] = { 0, 40000, 100000 };
	int l, here, there;
	char b;

	machine_start(&m, &c);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	exchange(here, there); /* with it the window goes to its full size */
	machine_pass(&m, 1000000);
	link_sim_tap(m.sim, count_acks, NULL);
	acks = 0;
	ck_assert_int_eq(send_tcpu(here, "x", 1, TF_NODELAY), 1);
	ck_assert_int_eq(recv_tcpu(there, &b, 1, 0), 1);
	if (_i) {
		machine_pass(&m, delay_us[_i] - 1000);
		ck_assert_uint_eq(acks, 0);
		machine_pass(&m, 1000);
	}
	ck_assert_uint_eq(acks, 1);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* By turns, close_tcpu leaves the rest to them; closing the stack resets what still owes something. */
START_TEST(stack_close_resets)
{
	int l, here, there;
	uint64_t before_us;
	char b[8];

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_int_eq(send_tcpu(here, "late", 4, 0), 4);
	before_us = m.now_us;
	ck_assert_int_eq(close_tcpu(here), 0);
	ck_assert_uint_eq(m.now_us, before_us);
	if (_i) {
		machine_pass(&m, 100000);
		ck_assert_int_eq(recv_tcpu(there, b, sizeof b, 0), 4);
		ck_assert_int_eq(recv_tcpu(there, b, sizeof b, 0), 0);
		ck_assert_int_eq(close_tcpu(there), 0);
	}
	ck_assert_int_eq(stack_close_tcpu(m.stack[0]), 0);
	m.stack[0] = m.stack[1];
	machine_pass(&m, 100000);
	if (!_i) {
		/* Bytes, FIN and RST have come together. */
		ck_assert_int_eq(recv_tcpu(there, b, sizeof b, 0), 4);
		FAILS(recv_tcpu(there, b, sizeof b, 0), ECONNRESET);
		ck_assert_int_eq(close_tcpu(there), 0);
	}
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(m.stack[1]), 0);
	link_sim_free(m.sim);
}
END_TEST

/* Inline, calls on sockets of another stack serve what a stack without sockets still owes. */
START_TEST(owing_without_sockets)
{
	struct tcpu_stack_config c = { .turns = false };
	int l, here, there;
	uint8_t b[40000] = { 0 };

	machine_start(&m, &c);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_int_eq(send_tcpu(here, b, sizeof b, 0), sizeof b); /* more than one window */
	ck_assert_int_eq(fcntl_tcpu(here, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(close_tcpu(here), 0);
	m.turned = 2; /* only that of there takes turns of its own */
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, MSG_WAITALL), sizeof b);
	ck_assert_int_eq(recv_tcpu(there, b, 1, 0), 0);
	ck_assert_int_eq(fcntl_tcpu(there, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(close_tcpu(there), 0);
	/* And with a socket again it is as before. */
	m.turned = 3;
	machine_pair(&m, l, 80, &here, &there);
	exchange(here, there);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* A stack over the link that needs no privilege; its descriptor tells of what comes. In real time. */
START_TEST(over_udp)
{
	struct tcpu_stack_config c = { .turns = true };
	struct tcpu_stack *k;
	struct pollfd p = { .events = POLLIN };
	struct sockaddr_in at = loopback(0);
	socklen_t len = sizeof at;
	int l, second, here, there;
	char b;

	ck_assert_int_eq(link_udp_open(&(struct link_udp_config){ 0 }, &c.link), 0);
	ck_assert_int_eq(stack_tcpu(&c, &k), 0);
	l = stack_socket_tcpu(k, SOCK_STREAM);
	ck_assert_int_eq(stack_fd_tcpu(k), -1);
	ck_assert_int_eq(bind_tcpu(l, &at, sizeof at), 0);
	ck_assert_int_eq(listen_tcpu(l, 1), 0);
	ck_assert_int_eq(getsockname_tcpu(l, &at, &len), 0);
	second = stack_socket_tcpu(k, SOCK_STREAM);
	FAILS(listen_tcpu(second, 1), EBUSY); /* that link has one port */
	here = socket_tcpu(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	FAILS(connect_tcpu(here, &at, sizeof at), EINPROGRESS);
	p.fd = stack_fd_tcpu(k);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	stack_turn_tcpu(k);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	p = (struct pollfd){ .fd = here, .events = POLLOUT };
	ck_assert_int_eq(poll_tcpu(&p, 1, 5000), 1);
	there = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(there, 0);
	ck_assert_int_eq(send_tcpu(here, "x", 1, 0), 1);
	ck_assert_int_eq(recv_tcpu(there, &b, 1, 0), 1);
	ck_assert_int_eq(close_tcpu(l), 0);
	FAILS(listen_tcpu(second, 1), EBUSY); /* what was accepted has it still */
	/* Closed, the descriptor of the link is open as long as its last FIN is not acknowledged. */
	ck_assert_int_eq(close_tcpu(there), 0);
	p = (struct pollfd){ .fd = here, .events = POLLIN };
	ck_assert_int_eq(poll_tcpu(&p, 1, 5000), 1);
	ck_assert_int_eq(recv_tcpu(here, &b, 1, 0), 0);
	ck_assert_int_eq(close_tcpu(here), 0);
	ck_assert_int_eq(listen_tcpu(second, 1), 0); /* another port */
	ck_assert_uint_ne(name_of(second).sin_port, at.sin_port);
	ck_assert_int_eq(close_tcpu(second), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* A call that takes only part of what came leaves nothing behind that a turn would have to be made for. */
START_TEST(nothing_is_left)
{
	int l, here[2], there[2];
	struct pollfd p = { .events = POLLIN };
	char b;

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	for (int i = 0; i < 2; i++)
		machine_pair(&m, l, 80, &here[i], &there[i]);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(send_tcpu(here[i], "x", 1, TF_NODELAY), 1);
	link_sim_clock(m.sim, m.now_us += 10000);
	ck_assert_int_eq(recv_tcpu(there[0], &b, 1, MSG_DONTWAIT), 1);
	p.fd = there[1];
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	for (int i = 0; i < 2; i++)
		close_both(here[i], there[i]);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* A port that the link gives, but from which a connection to the same place is in TIME-WAIT: another one is taken. */
START_TEST(another_port)
{
	struct link_addr any = { 0 };
	struct sockaddr_in first;
	int l, here, there;

	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	first = name_of(here);
	ck_assert_int_eq(close_tcpu(here), 0);
	machine_pass(&m, 100000);
	ck_assert_int_eq(close_tcpu(there), 0);
	machine_pass(&m, 100000);
	do {
		any.port = 0;
		ck_assert_int_eq(m.link[0]->ops->claim(m.link[0], &any), 0);
		m.link[0]->ops->release(m.link[0], &any);
	} while (ntohs(any.port) != 65535); /* behind the last one the first comes again */
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_uint_eq(ntohs(name_of(here).sin_port), ntohs(first.sin_port) + 1);
	exchange(here, there);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

static unsigned syns;

static void count_syns(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	(void)ctx;
	syns += event == LINK_SIM_SENT && p->src.ip == HERE_IP && p->segment[13] == 2;
}

/* A stack that nobody has called for long knows what time it is when it sends: nothing is sent again too early. */
START_TEST(after_a_long_time)
{
	struct tcpu_stack_config c = { .turns = false, .engine.without = TCPU_NO_ECN };
	int l, here, there;

	machine_start(&m, &c);
	l = machine_listener(&m, 80);
	m.turned = 2;
	link_sim_tap(m.sim, count_syns, NULL);
	link_sim_clock(m.sim, m.now_us += 10000000);
	syns = 0;
	machine_pair(&m, l, 80, &here, &there);
	ck_assert_uint_eq(syns, 1);
	m.turned = 3;
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* A thread that sends, and takes turns of the receiver's stack: whoever sleeps in a call, on the only socket that there
 * is, must be woken for what those take. _i: in poll_tcpu, without turns, by the link. */
struct turner {
	pthread_t thread;
	struct tcpu_stack *stack;
	int fd;
	bool turns;
	sem_t go;
};

static void *send_and_turn(void *ctx)
{
	struct turner *t = ctx;

	while (!sem_wait(&t->go) && t->fd >= 0) {
		ck_assert_int_eq(send_tcpu(t->fd, "x", 1, TF_NODELAY), 1);
		for (int i = 0; t->turns && i < 20; i++)
			stack_turn_tcpu(t->stack);
	}
	return NULL;
}

START_TEST(woken_by_turns)
{
	struct tcpu_stack_config c = { .turns = true };
	struct turner t = { .turns = !_i };
	struct pollfd p = { .events = POLLIN };
	struct sockaddr_in at = loopback(0);
	socklen_t len = sizeof at;
	struct peer other;
	int l, there;
	char b;

	ck_assert_int_eq(link_udp_open(&(struct link_udp_config){ 0 }, &c.link), 0);
	ck_assert_int_eq(stack_tcpu(&c, &t.stack), 0);
	l = stack_socket_tcpu(t.stack, SOCK_STREAM);
	ck_assert_int_eq(bind_tcpu(l, &at, sizeof at), 0);
	ck_assert_int_eq(getsockname_tcpu(l, &at, &len), 0);
	other.at = at;
	start(&other, just_connect);
	p.fd = there = accept_tcpu(l, NULL, NULL);
	pthread_join(other.thread, NULL);
	ck_assert_int_eq(close_tcpu(l), 0);
	t.fd = other.fd;
	sem_init(&t.go, 0, 0);
	ck_assert_int_eq(pthread_create(&t.thread, NULL, send_and_turn, &t), 0);
	for (int i = 0; i < 1000; i++) {
		sem_post(&t.go);
		if (_i)
			ck_assert_int_eq(poll_tcpu(&p, 1, -1), 1);
		ck_assert_int_eq(recv_tcpu(there, &b, 1, 0), 1);
	}
	t.fd = -1;
	sem_post(&t.go);
	pthread_join(t.thread, NULL);
	close_both(there, other.fd);
	ck_assert_int_eq(stack_close_tcpu(t.stack), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_stack");
	TCase *tc = tcase_create("stack");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, mistakes);
	tcase_add_test(tc, many_ports);
	tcase_add_test(tc, claims_are_shared);
	tcase_add_test(tc, bound_to_any);
	tcase_add_test(tc, late);
	tcase_add_test(tc, default_stack);
	tcase_add_loop_test(tc, delayed_acks, 0, 3);
	tcase_add_loop_test(tc, stack_close_resets, 0, 2);
	tcase_add_test(tc, owing_without_sockets);
	tcase_add_test(tc, over_udp);
	tcase_add_test(tc, nothing_is_left);
	tcase_add_test(tc, another_port);
	tcase_add_test(tc, after_a_long_time);
	tcase_add_loop_test(tc, woken_by_turns, 0, 2);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

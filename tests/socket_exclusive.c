/* What a link like TCPK asks of the calls: an address stays claimed as long as a connection of it is left, and can be
 * had anew; a connection is narrowed to its remote, and goes from another port where somebody has that; what the way's
 * MTU is, is announced. In virtual time, over a network whose link here is watched. */
#include "tests/run.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define MTU_HERE 600
#define TIME_WAIT_US 60000000 /* 2 MSL */

static struct machine m;

/* The link here: its own calls, with a look at them. */
static struct {
	const struct link_ops *base;
	struct link_ops ops;
	unsigned claims, releases, narrows, refuse; /* so many of narrows fail */
	struct link_addr released, narrowed, narrowed_to;
	uint16_t tried[8];
	uint32_t asked_mtu;
} w;

static int watch_claim(struct link *l, struct link_addr *local)
{
	w.claims++;
	return w.base->claim(l, local);
}

static void watch_release(struct link *l, const struct link_addr *local)
{
	w.releases++;
	w.released = *local;
	w.base->release(l, local);
}

static int watch_narrow(struct link *l, const struct link_addr *local, const struct link_addr *remote)
{
	(void)l;
	ck_assert_uint_lt(w.narrows, 8);
	w.tried[w.narrows++] = local->port;
	w.narrowed = *local;
	w.narrowed_to = *remote;
	return w.narrows <= w.refuse ? -EADDRINUSE : 0;
}

static uint32_t watch_mtu(struct link *l, uint32_t remote_ip)
{
	(void)l;
	w.asked_mtu = remote_ip;
	return MTU_HERE;
}

static void begin_with(const struct tcpu_stack_config *config, bool exclusive)
{
	machine_start(&m, config);
	memset(&w, 0, sizeof w);
	w.base = m.link[0]->ops;
	w.ops = *w.base;
	w.ops.claim = watch_claim;
	w.ops.release = watch_release;
	w.ops.narrow = watch_narrow;
	m.link[0]->ops = &w.ops;
	m.link[0]->exclusive = exclusive;
}

static void begin(bool exclusive)
{
	begin_with(NULL, exclusive);
}

static int bound(unsigned port, bool reuse)
{
	struct sockaddr_in at = machine_at(HERE_IP, port);
	int fd = stack_socket_tcpu(m.stack[0], SOCK_STREAM), on = reuse;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	if (!bind_tcpu(fd, &at, sizeof at))
		return fd;
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_int_eq(close_tcpu(fd), 0);
	return -1;
}

static int connect_to(int fd, unsigned port)
{
	struct sockaddr_in to = machine_at(THERE_IP, port);

	return connect_tcpu(fd, &to, sizeof to);
}

/* From port 4000 here; closed by both, and here first: TIME-WAIT. */
static void leave_time_wait(int l)
{
	int here = bound(4000, false), there;

	ck_assert_int_eq(connect_to(here, 80), 0);
	there = accept_tcpu(l, NULL, NULL);
	ck_assert_int_eq(close_tcpu(here), 0);
	machine_pass(&m, 100000);
	ck_assert_int_eq(close_tcpu(there), 0);
	machine_pass(&m, 100000);
}

/* exclusive or not: by UDP, say, an address is another's at once. */
START_TEST(time_wait)
{
	int l;

	begin(_i);
	l = machine_listener(&m, 80);
	leave_time_wait(l);
	ck_assert_uint_eq(w.releases, !_i);
	machine_pass(&m, TIME_WAIT_US - 1000000);
	ck_assert_uint_eq(w.releases, !_i);
	ck_assert_int_eq(bound(4000, false), -1);
	machine_pass(&m, 2000000);
	ck_assert_uint_eq(w.releases, 1);
	ck_assert_uint_eq(w.released.ip, HERE_IP);
	ck_assert_uint_eq(w.released.port, htons(4000));
	ck_assert_uint_eq(w.claims, 1);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
	ck_assert_uint_eq(w.releases, 1);
}
END_TEST

/* Bound anew meanwhile, it is the link's for a moment, and then the new socket's: the old connection ends, and the
 * address stays. */
START_TEST(reuse)
{
	int l, again;

	begin(true);
	l = machine_listener(&m, 80);
	leave_time_wait(l);
	again = bound(4000, true);
	ck_assert_int_ge(again, 0);
	ck_assert_uint_eq(w.claims, 2);
	ck_assert_uint_eq(w.releases, 1);
	machine_pass(&m, TIME_WAIT_US + 2000000);
	ck_assert_uint_eq(w.releases, 1);
	ck_assert_int_eq(connect_to(again, 80), 0);
	ck_assert_int_eq(close_tcpu(accept_tcpu(l, NULL, NULL)), 0);
	machine_pass(&m, 100000);
	ck_assert_int_eq(close_tcpu(again), 0);
	machine_pass(&m, 1000000); /* who closes last has no TIME-WAIT */
	ck_assert_uint_eq(w.releases, 2);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* Nobody calls on its stack any more: calls on others serve it, to the end. */
START_TEST(orphan)
{
	const struct timeval at_once = { 0, 1 };
	struct sockaddr_in name;
	socklen_t len = sizeof name;
	int l, here, there;

	begin_with(&(struct tcpu_stack_config){ 0 }, true);
	l = machine_listener(&m, 80);
	for (int i = 0; i < _i; i++) {
		here = bound(4000 + (unsigned)i, false);
		ck_assert_int_eq(connect_to(here, 80), 0);
		there = accept_tcpu(l, NULL, NULL);
		ck_assert_int_eq(setsockopt_tcpu(here, SOL_SOCKET, SO_SNDTIMEO, &at_once, sizeof at_once), 0);
		close_tcpu(here);
		machine_pass(&m, 21000);
		ck_assert_int_eq(close_tcpu(there), 0);
		machine_pass(&m, 21000);
	}
	m.turned = 2;
	for (unsigned i = 0; i < (TIME_WAIT_US + 1000000) / 5000; i++) {
		machine_pass(&m, 5000);
		ck_assert_int_eq(getsockname_tcpu(l, &name, &len), 0);
	}
	ck_assert_int_eq((int)w.releases, _i);
	ck_assert_int_eq(close_tcpu(l), 0);
	m.turned = 3;
	machine_stop(&m);
}
END_TEST

/* With the stack goes what was left. */
START_TEST(stack_close)
{
	int l;

	begin(true);
	l = machine_listener(&m, 80);
	leave_time_wait(l);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
	ck_assert_uint_eq(w.releases, 1);
}
END_TEST

/* How many of narrow's answers are EADDRINUSE. */
START_TEST(narrow)
{
	int l, here, there;

	begin(true);
	w.refuse = (unsigned)_i;
	l = machine_listener(&m, 80);
	here = stack_socket_tcpu(m.stack[0], SOCK_STREAM);
	ck_assert_int_eq(connect_to(here, 80), 0);
	there = accept_tcpu(l, NULL, NULL);
	ck_assert_int_eq((int)w.narrows, _i + 1);
	ck_assert_uint_eq(w.narrowed.ip, HERE_IP);
	ck_assert_uint_eq(w.narrowed_to.ip, THERE_IP);
	ck_assert_uint_eq(w.narrowed_to.port, htons(80));
	ck_assert_int_eq((int)w.claims, _i + 1);
	ck_assert_int_eq((int)w.releases, _i);
	for (int i = 0; i < _i; i++)
		ck_assert_uint_ne(w.tried[i], w.tried[i + 1]);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

START_TEST(narrow_bound)
{
	int l, here;

	begin(true);
	w.refuse = 1;
	l = machine_listener(&m, 80);
	here = bound(4000, false);
	FAILS(connect_to(here, 80), EADDRINUSE);
	ck_assert_uint_eq(w.narrows, 1);
	ck_assert_uint_eq(w.releases, 0);
	/* It is still there to connect from, to somebody else or later. */
	ck_assert_int_eq(connect_to(here, 80), 0);
	ck_assert_uint_eq(w.narrowed.port, htons(4000));
	ck_assert_uint_eq(w.narrows, 2);
	close_both(here, accept_tcpu(l, NULL, NULL));
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* The MSS that SYNs of here announce. */
static unsigned announced;

static void look(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	(void)ctx;
	if (event != LINK_SIM_SENT || p->src.ip != HERE_IP || !(p->segment[13] & 2))
		return;
	ck_assert_uint_eq(p->segment[20] * 256U + p->segment[21], 2 * 256 + 4); /* the first option */
	announced = (unsigned)p->segment[22] << 8 | p->segment[23];
}

static void check_mtu(int fd)
{
	struct tcpu_info info;

	ck_assert_uint_eq(announced, MTU_HERE - 40);
	ck_assert_uint_eq(w.asked_mtu, THERE_IP);
	ck_assert_int_eq(info_tcpu(fd, &info), 0);
	ck_assert_uint_eq(info.path_mtu, MTU_HERE);
	ck_assert_uint_le(info.mss, MTU_HERE - 40);
}

START_TEST(mtu_connect)
{
	int l, here, there;

	begin(true);
	w.ops.mtu = watch_mtu;
	link_sim_tap(m.sim, look, NULL);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	check_mtu(here);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

START_TEST(mtu_accept)
{
	struct sockaddr_in to = machine_at(HERE_IP, 4000);
	int l, here, there;

	begin(true);
	w.ops.mtu = watch_mtu;
	link_sim_tap(m.sim, look, NULL);
	l = bound(4000, false);
	ck_assert_int_eq(listen_tcpu(l, 5), 0);
	there = stack_socket_tcpu(m.stack[1], SOCK_STREAM);
	ck_assert_int_eq(connect_tcpu(there, &to, sizeof to), 0);
	here = accept_tcpu(l, NULL, NULL);
	check_mtu(here);
	ck_assert_uint_eq(w.narrows, 0); /* a listener goes on */
	close_both(there, here);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_exclusive");
	TCase *tc = tcase_create("socket_exclusive");

	tcase_add_loop_test(tc, time_wait, 0, 2);
	tcase_add_test(tc, reuse);
	tcase_add_loop_test(tc, orphan, 1, 4);
	tcase_add_test(tc, stack_close);
	tcase_add_loop_test(tc, narrow, 0, 4);
	tcase_add_test(tc, narrow_bound);
	tcase_add_test(tc, mtu_connect);
	tcase_add_test(tc, mtu_accept);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

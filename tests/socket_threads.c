/* Several threads on one stack, or one socket: deadlines of sleepers, and what one takes and another waits for. A link
 * without a descriptor leaves it to the threads alone to wake each other. */
#include "tests/run.h"
#include "tests/socket_caller.h"

#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

/* ---- deadlines ---- */

/* A segment is lost while a call that began before any timer ran sleeps, and no other call is made: it is sent again
 * all the same, inline and where the helper rests because of that call. */
START_TEST(deadline_of_another_call)
{
	struct caller c;
	char b[8];
	int s, peer;

	k = lossy_stack(_i & 1, &lossy, &l, &at);
	s = accepted(&peer);
	come_to_rest();
	begin(&c, l, _i & 2 ? do_poll : do_accept);
	atomic_store(&lossy->drop, 1);
	ck_assert_int_eq(send_tcpu(s, "again", 5, 0), 5);
	ck_assert_int_eq(recv_tcpu(peer, b, sizeof b, 0), 5);
	ck_assert_mem_eq(b, "again", 5);
	ck_assert_int_eq(close_tcpu(l), 0);
	end(&c, _i & 2 ? 1 : -1, EBADF);
	abort_(s);
	abort_(peer);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* The one that keeps time is gone: another one does from then on. */
START_TEST(deadline_passed_on)
{
	struct caller keeper, other;
	char b[8];
	int s[2], peer[2];

	k = lossy_stack(false, &lossy, &l, &at);
	for (int i = 0; i < 2; i++)
		s[i] = accepted(&peer[i]);
	come_to_rest();
	begin(&other, l, do_accept);
	begin(&keeper, s[1], do_recv);
	atomic_store(&lossy->drop, 1);
	ck_assert_int_eq(send_tcpu(s[0], "again", 5, 0), 5);
	while (state_of(keeper.tid) != 'S' || state_of(other.tid) != 'S')
		sched_yield();
	ck_assert_int_eq(shutdown_tcpu(s[1], SHUT_RD), 0);
	end(&keeper, 0, 0);
	ck_assert_int_eq(recv_tcpu(peer[0], b, sizeof b, 0), 5);
	ck_assert_int_eq(shutdown_tcpu(l, SHUT_RD), 0);
	end(&other, -1, EINVAL);
	end_stack(s, peer, 2);
}
END_TEST

/* As many sleep as do not all watch the link, and those who do end: another one does from then on. */
START_TEST(watch_passed_on)
{
	enum { N = 5 };
	struct caller c[N];
	int s[N], peer[N];

	k = lossy_stack(false, &lossy, &l, &at);
	for (int i = 0; i < N; i++)
		s[i] = accepted(&peer[i]);
	come_to_rest();
	for (int i = 0; i < N; i++)
		begin(&c[i], s[i], i & 1 ? do_poll : do_recv);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(send_tcpu(peer[i], "x", 1, TF_NODELAY), 1);
		end(&c[i], 1, 0);
	}
	end_stack(s, peer, N);
}
END_TEST

/* ---- what comes ---- */

/* What a call of this thread takes from the link is for the one that sleeps, on the same socket or, _i, another. */
START_TEST(taken_by_another_call)
{
	static void (*const calls[])(struct caller *) = { do_recv, do_peek, do_poll };
	struct caller c;
	int s, peer, waiting;

	k = lossy_stack(false, &lossy, &l, &at);
	s = accepted(&peer);
	atomic_store(&lossy->silent, true);
	begin(&c, s, calls[_i / 2]);
	ck_assert_int_eq(send_tcpu(peer, "for s", 5, TF_NODELAY), 5);
	while (ioctl_tcpu(_i & 1 ? l : s, FIONREAD, &waiting) || !waiting)
		if (_i & 1 && poll_tcpu(&(struct pollfd){ .fd = l, .events = POLLIN }, 1, 0) == 0)
			break; /* a listener has no bytes, but has looked */
	if (calls[_i / 2] == do_poll) {
		end(&c, 1, 0);
		ck_assert_int_eq(c.revents, POLLIN);
	} else {
		end(&c, 5, 0);
		ck_assert_mem_eq(c.got, "for s", 5);
	}
	end_stack(&s, &peer, 1);
}
END_TEST

/* The same for one that looks and does not sleep: whoever of the two gets it, and however often. */
START_TEST(taken_from_one_that_looks)
{
	int s, peer, us = 1000000000;

	k = lossy_stack(false, &lossy, &l, &at);
	s = accepted(&peer);
	ck_assert_int_eq(setsockopt_tcpu(s, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof us), 0);
	for (int i = 0; i < 300; i++) {
		struct caller c = { .fd = s, .call = do_recv };
		struct pollfd p = { .fd = l, .events = POLLIN };

		ck_assert_int_eq(pthread_create(&c.thread, NULL, run_caller, &c), 0);
		while (!atomic_load(&c.tid))
			sched_yield();
		ck_assert_int_eq(send_tcpu(peer, "for s", 5, TF_NODELAY), 5);
		while (pthread_tryjoin_np(c.thread, NULL))
			ck_assert_int_eq(poll_tcpu(&p, 1, 0), 0);
		ck_assert_int_eq(c.result, 5);
	}
	us = 0;
	ck_assert_int_eq(setsockopt_tcpu(s, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof us), 0);
	end_stack(&s, &peer, 1);
}
END_TEST

/* One that was woken for nothing sleeps on, and is woken again. */
START_TEST(woken_again)
{
	struct caller c;
	int s, peer;
	char b;

	k = lossy_stack(false, &lossy, &l, &at);
	s = accepted(&peer);
	come_to_rest();
	atomic_store(&lossy->silent, true);
	begin(&c, s, do_poll);
	ck_assert_int_eq(shutdown_tcpu(s, SHUT_WR), 0);
	ck_assert_int_eq(recv_tcpu(peer, &b, 1, 0), 0);
	come_to_rest();
	while (state_of(c.tid) != 'S')
		sched_yield();
	bring(peer, s);
	end(&c, 1, 0);
	ck_assert_int_eq(c.revents, POLLIN);
	end_stack(&s, &peer, 1);
}
END_TEST

/* A call that has enough leaves the next segment where it is, in the stack: whoever waits for it takes it. */
START_TEST(left_by_another_call)
{
	struct caller c;
	int s[2], peer[2];
	char b;

	k = lossy_stack(false, &lossy, &l, &at);
	for (int i = 0; i < 2; i++)
		s[i] = accepted(&peer[i]);
	come_to_rest();
	atomic_store(&lossy->silent, true);
	begin(&c, s[0], do_recv);
	ck_assert_int_eq(send_tcpu(peer[1], "x", 1, TF_NODELAY), 1);
	ck_assert_int_eq(send_tcpu(peer[1], "y", 1, TF_NODELAY), 1);
	ck_assert_int_eq(send_tcpu(peer[0], "for s", 5, TF_NODELAY), 5);
	ck_assert_int_eq(recv_tcpu(s[1], &b, 1, 0), 1);
	end(&c, 5, 0);
	end_stack(s, peer, 2);
}
END_TEST

/* A stack's only socket, and two threads on it: whichever of them takes what comes, the reader has it. */
START_TEST(only_socket)
{
	struct caller c = { 0 };
	int s, peer, waiting;

	pair(&s, &peer);
	for (int i = 0; i < 2000; i++) {
		c = (struct caller){ .fd = s, .call = do_recv };
		ck_assert_int_eq(pthread_create(&c.thread, NULL, run_caller, &c), 0);
		ck_assert_int_eq(send_tcpu(peer, "x", 1, TF_NODELAY), 1);
		for (int n = 0; n < 5; n++)
			ck_assert_int_eq(ioctl_tcpu(s, FIONREAD, &waiting), 0);
		end(&c, 1, 0);
	}
	close_both(s, peer);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("socket_threads");
	TCase *t = tcase_create("socket_threads");

	tcase_add_loop_test(t, deadline_of_another_call, 0, 4);
	tcase_add_test(t, deadline_passed_on);
	tcase_add_test(t, watch_passed_on);
	tcase_add_loop_test(t, taken_by_another_call, 0, 6);
	tcase_add_test(t, taken_from_one_that_looks);
	tcase_add_test(t, woken_again);
	tcase_add_test(t, left_by_another_call);
	tcase_add_test(t, only_socket);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

/* A thousand connections on one stack, opened, used and closed: in virtual time by turns, and over UDP. */
#include "tests/run.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { N = 1000 };

static int here[N], there[N];

/* Every connection sends its own number. */
static void put_number(int fd, int number)
{
	ck_assert_int_eq(send_tcpu(fd, &number, sizeof number, 0), sizeof number);
}

static int get_number(int fd)
{
	int number = -1;

	ck_assert_int_eq(recv_tcpu(fd, &number, sizeof number, MSG_DONTWAIT), sizeof number);
	return number;
}

static void add(int ep, int fd, int number)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)number };

	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
}

/* Descriptors for all of it. */
static void room_for(unsigned descriptors)
{
	struct rlimit r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	ck_assert_msg(r.rlim_max >= descriptors, "the limit of open files is %lu: this test wants %u", r.rlim_max,
		      descriptors);
	r.rlim_cur = r.rlim_cur < descriptors ? descriptors : r.rlim_cur;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
}

/* By turns descriptors are exact: those are readable that have been sent to, and no others. */
static void exactly(struct machine *m, int ep, int first, int step)
{
	static struct epoll_event ev[N];
	int expected = 0;

	for (int i = first; i < N; i += step, expected++)
		put_number(here[i], i);
	machine_pass(m, 100000);
	ck_assert_int_eq(epoll_wait(ep, ev, N, 0), expected);
	for (int i = 0; i < expected; i++) {
		int number = (int)ev[i].data.u32;

		ck_assert_int_eq(number % step, first);
		ck_assert_int_eq(get_number(there[number]), number);
	}
	ck_assert_int_eq(epoll_wait(ep, ev, N, 0), 0);
}

/* accepted[i] is of whoever it says that it is. */
static void sort(const int *accepted)
{
	for (int i = 0; i < N; i++) {
		int number = get_number(accepted[i]);

		ck_assert_int_ge(number, 0);
		ck_assert_int_lt(number, N);
		ck_assert_int_eq(there[number], 0);
		there[number] = accepted[i];
	}
}

START_TEST(in_virtual_time)
{
	struct machine m;
	struct sockaddr_in at = machine_at(THERE_IP, 80);
	int l, ep = epoll_create1(0), accepted[N + 1], got = 0;
	struct epoll_event ev;

	room_for(5 * N);
	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, O_NONBLOCK), 0);
	add(ep, l, N);
	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 0);
	for (int i = 0; i < N; i++) {
		here[i] = stack_socket_tcpu(m.stack[0], SOCK_STREAM | SOCK_NONBLOCK);
		FAILS(connect_tcpu(here[i], &at, sizeof at), EINPROGRESS);
	}
	machine_pass(&m, 10000000);
	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 1);
	while ((accepted[got] = accept_tcpu(l, NULL, NULL)) >= 0)
		ck_assert_int_le(++got, N);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(got, N);
	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 0);
	for (int i = 0; i < N; i++)
		put_number(here[i], i);
	machine_pass(&m, 100000);
	sort(accepted);
	for (int i = 0; i < N; i++)
		add(ep, there[i], i);
	exactly(&m, ep, 0, 1);
	exactly(&m, ep, 3, 7);
	exactly(&m, ep, 500, 1000);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(close_tcpu(here[i]), 0);
	machine_pass(&m, 100000);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(recv_tcpu(there[i], &got, 1, 0), 0);
		ck_assert_int_eq(close_tcpu(there[i]), 0);
	}
	ck_assert_int_eq(close_tcpu(l), 0);
	/* All that is left is gone with TIME-WAIT. */
	machine_pass(&m, 61000000);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(stack_turn_tcpu(m.stack[i]), TCPU_NEVER);
	close(ep);
	machine_stop(&m);
}
END_TEST

/* Who connects has a stack, and a port, for each; who accepts has one for all. */
static void connect_all(const struct sockaddr_in *at)
{
	for (int i = 0; i < N; i++) {
		here[i] = socket_tcpu(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_ge(here[i], 0);
		FAILS(connect_tcpu(here[i], at, sizeof *at), EINPROGRESS);
	}
}

static void *accept_all(void *ctx)
{
	struct peer *p = ctx;
	int ep = epoll_create1(0), open = 0, ended = 0, fd, number;
	struct epoll_event ev[64];
	ssize_t n;

	add(ep, p->fd, p->fd);
	while (open < N || ended < N) {
		int ready = epoll_wait(ep, ev, 64, 20000);

		ck_assert_int_gt(ready, 0);
		while (open < N && (fd = accept_tcpu(p->fd, NULL, NULL)) >= 0) {
			ck_assert_int_eq(fcntl_tcpu(fd, F_SETFL, O_NONBLOCK), 0);
			add(ep, fd, fd);
			open++;
		}
		for (int i = 0; i < ready; i++) {
			fd = (int)ev[i].data.u32;
			if (fd == p->fd)
				continue;
			while ((n = recv_tcpu(fd, &number, sizeof number, 0)) == sizeof number)
				put_number(fd, number + 1);
			ended += n == 0 && !close_tcpu(fd);
		}
	}
	close(ep);
	return NULL;
}

START_TEST(over_udp)
{
	static struct pollfd fds[N];
	struct peer p;
	int l = p.fd = listener(&p.at), answered = 0;

	room_for(8 * N);
	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(listen_tcpu(l, N), 0);
	connect_all(&p.at);
	start(&p, accept_all);
	for (int i = 0; i < N; i++)
		fds[i] = (struct pollfd){ .fd = here[i], .events = POLLOUT };
	while (answered < N) {
		ck_assert_int_gt(poll_tcpu(fds, N, 20000), 0);
		for (int i = 0; i < N; i++) {
			if (fds[i].revents & POLLIN) {
				ck_assert_int_eq(get_number(here[i]), i + 1);
				ck_assert_int_eq(close_tcpu(here[i]), 0);
				fds[i].fd = -1;
				answered++;
			} else if (fds[i].revents) {
				ck_assert_int_eq(fds[i].revents, POLLOUT);
				put_number(here[i], i);
				fds[i].events = POLLIN;
			}
		}
	}
	pthread_join(p.thread, NULL);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* Not all descriptors of a stack can hold the link's. When those that do are closed, others take their places. */
START_TEST(links_are_passed_on)
{
	enum { SOME = 300, FIRST = 256 };
	struct peer p;
	struct pollfd w = { .events = POLLIN };
	int l = listener(&p.at), fd[SOME];

	room_for(8 * SOME);
	for (int i = 0; i < SOME; i++) {
		start(&p, just_connect);
		fd[i] = accept_tcpu(l, NULL, NULL);
		ck_assert_int_ge(fd[i], 0);
		pthread_join(p.thread, NULL);
		here[i] = p.fd;
		ck_assert_int_eq(fcntl_tcpu(fd[i], F_SETFL, O_NONBLOCK), 0);
	}
	/* It wakes who holds the link's descriptor, and a call on that one wakes whoever it is for. */
	put_number(here[SOME - 1], 1);
	w.fd = fd[SOME - 1];
	ck_assert_int_eq(poll(&w, 1, 0), 0);
	w.fd = fd[0];
	ck_assert_int_eq(poll(&w, 1, 5000), 1);
	FAILS(recv_tcpu(fd[0], &p, 1, 0), EAGAIN);
	ck_assert_int_eq(poll(&w, 1, 0), 0);
	w.fd = fd[SOME - 1];
	ck_assert_int_eq(poll(&w, 1, 0), 1);
	ck_assert_int_eq(get_number(fd[SOME - 1]), 1);
	ck_assert_int_eq(poll(&w, 1, 0), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	for (int i = 0; i < FIRST; i++)
		close_both(here[i], fd[i]);
	for (int i = FIRST; i < SOME; i++) {
		put_number(here[i], i);
		w.fd = fd[i];
		ck_assert_int_eq(poll(&w, 1, 5000), 1);
		ck_assert_int_eq(get_number(fd[i]), i);
		close_both(here[i], fd[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_many");
	TCase *tc = tcase_create("many");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, in_virtual_time);
	tcase_add_test(tc, over_udp);
	tcase_add_test(tc, links_are_passed_on);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

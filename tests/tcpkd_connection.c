/* How connections of tcpkd end: at once, but for those that hold a descriptor whose close waits; those are closed by as
 * many threads as one user may have, and counted until then. What waits is a TCP socket with SO_LINGER on loopback, for
 * an hour; tcpkd does not wait as long. */
#include "kernel/tcpkd/connection.h"
#include "tests/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define USER 1000
#define OTHER 1001
#define MANY (CONNECTION_THREADS + 6)

/* A socket whose last close waits for the other end's. */
static int lingering(int *other_end)
{
	static const char data[65536];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger hour = { .l_onoff = 1, .l_linger = 3600 };
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	ck_assert(!setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small));
	ck_assert(!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
	ck_assert(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof hour));
	ck_assert(!listen(listener, 1) && !getsockname(listener, (struct sockaddr *)&a, &len));
	ck_assert(!connect(fd, (struct sockaddr *)&a, sizeof a));
	*other_end = accept(listener, NULL, NULL);
	ck_assert_int_ge(*other_end, 0);
	while (send(fd, data, sizeof data, MSG_DONTWAIT) > 0)
		;
	close(listener);
	return fd;
}

static ssize_t try_with(int to, size_t len, int fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof fd)] = { 0 };
	char data[64] = { 0 };
	struct iovec io = { data, len };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	*h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd) };
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	return sendmsg(to, &m, MSG_NOSIGNAL);
}

static void send_with(int to, size_t len, int fd)
{
	ck_assert_int_eq(try_with(to, len, fd), (ssize_t)len);
}

static void send_some(int to, unsigned count, size_t len)
{
	static const char data[64];

	while (count--)
		ck_assert_int_eq(send(to, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void pair(int fds[2])
{
	ck_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds));
}

/* That there are beside this one. */
static unsigned threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* . and .. */
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* The threads have done what they can: Check's patience is the limit. */
static void await_count(unsigned count)
{
	while (connection_count(USER) != count)
		sched_yield();
}

START_TEST(at_once)
{
	static const unsigned requests[] = { 0, 1, 5 };

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
		for (unsigned gone = 0; gone < 2; gone++) {
			int fds[2];

			pair(fds);
			send_some(fds[1], requests[i], 40);
			if (gone)
				close(fds[1]);
			connection_end(fds[0], USER, -1);
			ck_assert_uint_eq(connection_count(USER), 0);
			ck_assert(!is_open(fds[0]));
			if (!gone) {
				ck_assert_int_eq(send(fds[1], "", 1, MSG_NOSIGNAL), -1);
				close(fds[1]);
			}
		}
}
END_TEST

START_TEST(loads)
{
	int fds[2], other_end, tcp = lingering(&other_end);

	pair(fds);
	ck_assert_int_eq(connection_next(fds[0]), CONNECTION_EMPTY);
	send_some(fds[1], 1, 40);
	ck_assert_int_eq(connection_next(fds[0]), CONNECTION_PLAIN);
	send_with(fds[1], 40, tcp);
	ck_assert_int_eq(connection_next(fds[0]), CONNECTION_PLAIN);
	ck_assert_int_eq(recv(fds[0], NULL, 0, MSG_TRUNC), 40);
	ck_assert_int_eq(connection_next(fds[0]), CONNECTION_LOADED);
	ck_assert_int_eq(connection_next(fds[0]), CONNECTION_LOADED); /* it stays */
	ck_assert_int_eq(connection_next(-1), CONNECTION_LOADED); /* or who knows */
	ck_assert(!connection_hung_up(fds[0]));
	ck_assert(!shutdown(fds[1], SHUT_WR));
	ck_assert(connection_hung_up(fds[0]));
	close(fds[1]);
	ck_assert(connection_hung_up(fds[0]));
	close(other_end);
	close(fds[0]);
	pair(fds);
	close(fds[1]);
	ck_assert_int_eq(connection_next(fds[0]), CONNECTION_PLAIN); /* the end */
}
END_TEST

/* However long it stays open, nobody looks at it. */
START_TEST(unwatched)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fds[2], epoll = epoll_create1(0);

	pair(fds);
	ck_assert_int_ge(dup(fds[0]), 0);
	ck_assert(!epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &ev));
	send_with(fds[1], 40, 0);
	ck_assert_int_eq(epoll_wait(epoll, &ev, 1, 0), 1);
	connection_end(fds[0], USER, epoll);
	ck_assert_int_eq(epoll_wait(epoll, &ev, 1, 0), 0);
	await_count(0);
}
END_TEST

/* Where the kernel has SO_PASSRIGHTS. */
START_TEST(refusing)
{
	static const struct sockaddr_un any = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), on;
	struct sockaddr_un a;
	socklen_t len = sizeof on;

	if (getsockopt(listener, SOL_SOCKET, 83, &on, &len)) {
		printf("skipped, because this kernel is older than 6.16: descriptors cannot be refused\n");
		return;
	}
	ck_assert(!bind(listener, (const struct sockaddr *)&any, sizeof any.sun_family));
	len = sizeof a;
	ck_assert(!getsockname(listener, (struct sockaddr *)&a, &len));
	connection_refuse_descriptors(listener);
	ck_assert(!listen(listener, 1) && !connect(fd, (struct sockaddr *)&a, len));
	ck_assert_int_eq(try_with(fd, 40, 0), -1);
	ck_assert_int_eq(errno, EPERM);
	send_some(fd, 1, 40);
}
END_TEST

/* Whatever stands before it in the queue. */
START_TEST(lasting)
{
	static const struct { unsigned empty, requests; size_t len; } cases[] = {
		{ 0, 0, 40 }, { 0, 0, 0 }, { 1, 0, 40 }, { 3, 0, 0 }, { 0, 1, 40 }, { 0, 3, 0 }, { 2, 2, 1 },
	};
	int fds[2], other_end, tcp = lingering(&other_end);

	pair(fds);
	send_some(fds[1], cases[_i].empty, 0);
	send_some(fds[1], cases[_i].requests, 40);
	send_with(fds[1], cases[_i].len, tcp);
	close(tcp);
	connection_end(fds[0], USER, -1);
	ck_assert_uint_le(connection_count(USER), 1);
	ck_assert_uint_eq(connection_count(OTHER), 0);
	ck_assert_int_eq(send(fds[1], "", 1, MSG_NOSIGNAL), -1);
	await_count(0);
	ck_assert(!is_open(fds[0]));
	close(fds[1]);
	close(other_end);
}
END_TEST

/* One user's have few threads, and those beyond them stay open until one is done; others end all the same. */
START_TEST(many)
{
	int fds[2], ends[MANY], other_ends[MANY];
	unsigned most = 0;

	for (unsigned i = 0; i < MANY; i++) {
		int tcp = lingering(&other_ends[i]);

		pair(fds);
		ends[i] = fds[0];
		send_with(fds[1], 40, tcp);
		close(tcp);
		close(fds[1]);
	}
	pair(fds);
	for (unsigned i = 0; i < MANY; i++)
		connection_end(ends[i], USER, -1);
	connection_end(fds[0], OTHER, -1);
	ck_assert(!is_open(fds[0]));
	ck_assert_uint_eq(connection_count(OTHER), 0);
	while (connection_count(USER)) {
		unsigned now = threads();

		most = now > most ? now : most;
		sched_yield();
	}
	ck_assert_uint_le(most, CONNECTION_THREADS_OF_USER);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert(!is_open(ends[i]));
	ck_assert(connection_has_room());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcpkd_connection");
	TCase *tc = tcase_create("tcpkd_connection");

	tcase_add_test(tc, at_once);
	tcase_add_test(tc, loads);
	tcase_add_test(tc, unwatched);
	tcase_add_test(tc, refusing);
	tcase_add_loop_test(tc, lasting, 0, 7);
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

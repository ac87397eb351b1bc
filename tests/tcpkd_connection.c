/* How connections of tcpkd end: at once, but for those that hold a descriptor whose close waits; those are closed by as
 * many threads as there may be, and counted until then. What waits is a TCP socket with SO_LINGER on loopback, until
 * its other end is closed. */
#include "kernel/tcpkd/connection.h"
#include "tests/run.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
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

static void send_with(int to, size_t len, int fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof fd)] = { 0 };
	char data[64] = { 0 };
	struct iovec io = { data, len };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	*h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd) };
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	ck_assert_int_eq(sendmsg(to, &m, MSG_NOSIGNAL), (ssize_t)len);
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
			connection_end(fds[0], USER);
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
	ck_assert(!connection_is_loaded(fds[0]));
	send_some(fds[1], 1, 40);
	ck_assert(!connection_is_loaded(fds[0]));
	send_with(fds[1], 40, tcp);
	ck_assert(!connection_is_loaded(fds[0]));
	ck_assert_int_eq(recv(fds[0], NULL, 0, MSG_TRUNC), 40);
	ck_assert(connection_is_loaded(fds[0]));
	ck_assert(connection_is_loaded(fds[0])); /* it stays */
	ck_assert(!connection_hung_up(fds[0]));
	ck_assert(!shutdown(fds[1], SHUT_WR));
	ck_assert(connection_hung_up(fds[0]));
	close(fds[1]);
	ck_assert(connection_hung_up(fds[0]));
	close(other_end);
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
	connection_end(fds[0], USER);
	ck_assert_uint_eq(connection_count(USER), 1);
	ck_assert_uint_eq(connection_count(OTHER), 0);
	ck_assert_int_eq(send(fds[1], "", 1, MSG_NOSIGNAL), -1);
	close(other_end);
	await_count(0);
	ck_assert(!is_open(fds[0]));
	close(fds[1]);
}
END_TEST

/* Those beyond the threads stay open until one is done; others end all the same. */
START_TEST(many)
{
	int fds[2], ends[MANY], other_ends[MANY];
	unsigned open = 0;

	for (unsigned i = 0; i < MANY; i++) {
		int tcp = lingering(&other_ends[i]);

		pair(fds);
		ends[i] = fds[0];
		send_with(fds[1], 40, tcp);
		close(tcp);
		close(fds[1]);
		connection_end(fds[0], USER);
	}
	for (unsigned i = 0; i < MANY; i++)
		open += is_open(ends[i]);
	ck_assert_uint_ge(open, MANY - CONNECTION_THREADS);
	ck_assert_uint_eq(connection_count(USER), MANY);
	pair(fds);
	connection_end(fds[0], OTHER);
	ck_assert(!is_open(fds[0]));
	ck_assert_uint_eq(connection_count(OTHER), 0);
	for (unsigned i = 0; i < MANY; i++)
		close(other_ends[i]);
	await_count(0);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert(!is_open(ends[i]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcpkd_connection");
	TCase *tc = tcase_create("tcpkd_connection");

	tcase_add_test(tc, at_once);
	tcase_add_test(tc, loads);
	tcase_add_loop_test(tc, lasting, 0, 7);
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

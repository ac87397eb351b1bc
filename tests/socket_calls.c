/* The calls of core/tcpu.h over UDP on loopback, as an application uses them, and the errno of each mistake.
 * socket_wait.c tests what does not block. */
#include "tests/run.h"
#include "tests/socket_peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- errno ---- */

START_TEST(not_a_socket)
{
	struct sockaddr_in a = loopback(0);
	socklen_t len = sizeof a;
	struct tcpu_info info;
	int v = 1, fds[] = { -1, 0, 1000, 1 << 28 };
	socklen_t vlen = sizeof v;
	char b[1];

	for (int i = 0; i < 4; i++) {
		int fd = fds[i];

		FAILS(bind_tcpu(fd, &a, len), EBADF);
		FAILS(listen_tcpu(fd, 1), EBADF);
		FAILS(accept_tcpu(fd, NULL, NULL), EBADF);
		FAILS(connect_tcpu(fd, &a, len), EBADF);
		FAILS(send_tcpu(fd, b, 1, 0), EBADF);
		FAILS(recv_tcpu(fd, b, 1, 0), EBADF);
		FAILS(shutdown_tcpu(fd, SHUT_WR), EBADF);
		FAILS(close_tcpu(fd), EBADF);
		FAILS(getsockname_tcpu(fd, &a, &len), EBADF);
		FAILS(getpeername_tcpu(fd, &a, &len), EBADF);
		FAILS(fcntl_tcpu(fd, F_GETFL, 0), EBADF);
		FAILS(setsockopt_tcpu(fd, IPPROTO_TCP, TCP_NODELAY, &v, vlen), EBADF);
		FAILS(getsockopt_tcpu(fd, IPPROTO_TCP, TCP_NODELAY, &v, &vlen), EBADF);
		FAILS(info_tcpu(fd, &info), EBADF);
	}
	v = new_socket();
	ck_assert_int_eq(close_tcpu(v), 0);
	FAILS(close_tcpu(v), EBADF);
}
END_TEST

START_TEST(wrong_arguments)
{
	struct sockaddr_in a = loopback(0), elsewhere = loopback(0), at;
	int fd = new_socket(), l = listener(&at), v = 1;
	socklen_t len = sizeof v;
	char b[1];

	FAILS(socket_tcpu(AF_INET6, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(socket_tcpu(AF_INET, SOCK_DGRAM, 0), EPROTOTYPE);
	FAILS(socket_tcpu(AF_INET, SOCK_STREAM, IPPROTO_TCPK), EPROTONOSUPPORT);
	FAILS(bind_tcpu(fd, &a, 4), EINVAL);
	a.sin_family = AF_UNIX;
	FAILS(bind_tcpu(fd, &a, sizeof a), EAFNOSUPPORT);
	FAILS(bind_tcpu(fd, &at, sizeof at), EADDRINUSE);
	elsewhere.sin_addr.s_addr = htonl(0xc6336401); /* 198.51.100.1, RFC 5737 */
	FAILS(bind_tcpu(fd, &elsewhere, sizeof elsewhere), EADDRNOTAVAIL);
	FAILS(bind_tcpu(l, &at, sizeof at), EINVAL);
	FAILS(send_tcpu(fd, b, 1, 0), ENOTCONN);
	FAILS(recv_tcpu(fd, b, 1, 0), ENOTCONN);
	FAILS(shutdown_tcpu(fd, SHUT_WR), ENOTCONN);
	FAILS(shutdown_tcpu(fd, 17), EINVAL);
	FAILS(getpeername_tcpu(fd, &at, &len), ENOTCONN);
	FAILS(fcntl_tcpu(fd, F_DUPFD, 0), EINVAL);
	FAILS(setsockopt_tcpu(fd, SOL_SOCKET, SO_BROADCAST, &v, sizeof v), ENOPROTOOPT);
	FAILS(getsockopt_tcpu(fd, SOL_SOCKET, SO_BROADCAST, &v, &len), ENOPROTOOPT);
	FAILS(setsockopt_tcpu(fd, IPPROTO_TCP, TCP_NODELAY, &v, 1), EINVAL);
	ck_assert_int_eq(listen_tcpu(l, 1), 0);
	ck_assert_int_eq(listen_tcpu(l, 5), 0);
	FAILS(connect_tcpu(l, &at, sizeof at), EISCONN);
	FAILS(setsockopt_tcpu(l, SOL_SOCKET, SO_RCVBUF, &v, sizeof v), EINVAL);
	FAILS(recv_tcpu(l, b, 1, 0), ENOTCONN);
	ck_assert_int_eq(close_tcpu(fd), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

START_TEST(options)
{
	int fd = new_socket(), v = 0;
	struct timeval t = { 3, 250000 }, back = { 0 };
	socklen_t len = sizeof v, tlen = sizeof back;

	/* Not set: what a connection will have. */
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_SNDBUF, &v, &len), 0);
	ck_assert_int_eq(v, 256 << 10);
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_RCVBUF, &v, &len), 0);
	ck_assert_int_eq(v, 256 << 10);
	v = 40000;
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof v), 0);
	v = 0;
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_SNDBUF, &v, &len), 0);
	ck_assert_int_eq(v, 40000);
	ck_assert_int_eq(getsockopt_tcpu(fd, IPPROTO_TCP, TCP_NODELAY, &v, &len), 0);
	ck_assert_int_eq(v, 0);
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_RCVTIMEO, &back, &tlen), 0);
	ck_assert_int_eq(back.tv_sec, 3);
	ck_assert_int_eq(back.tv_usec, 250000);
	t.tv_usec = 1000000;
	FAILS(setsockopt_tcpu(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), EDOM);
	ck_assert_int_eq(fcntl_tcpu(fd, F_GETFL, 0) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl_tcpu(fd, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(fcntl_tcpu(fd, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(close_tcpu(fd), 0);
}
END_TEST

/* ---- connections ---- */

START_TEST(names)
{
	struct sockaddr_in s, c, at;
	socklen_t len = sizeof s;
	struct tcpu_info info;
	struct peer p;
	int server, l = listener(&p.at), v = 40000;
	socklen_t vlen = sizeof v;

	ck_assert_int_eq(setsockopt_tcpu(l, SOL_SOCKET, SO_RCVBUF, &v, sizeof v), 0);
	start(&p, just_connect);
	server = accept_tcpu(l, &at, &len);
	ck_assert_uint_eq(len, sizeof at);
	pthread_join(p.thread, NULL);
	ck_assert_int_eq(getsockname_tcpu(p.fd, &c, &len), 0);
	ck_assert_mem_eq(&at, &c, sizeof at);
	ck_assert_int_eq(getpeername_tcpu(p.fd, &c, &len), 0);
	ck_assert_int_eq(getsockname_tcpu(server, &s, &len), 0);
	ck_assert_mem_eq(&s, &c, sizeof s);
	v = 0;
	ck_assert_int_eq(getsockopt_tcpu(server, SOL_SOCKET, SO_RCVBUF, &v, &vlen), 0);
	ck_assert_int_eq(v, 40000); /* as the listener's */
	ck_assert_int_eq(info_tcpu(p.fd, &info), 0);
	ck_assert_int_eq(info.state, TCPU_ESTABLISHED);
	ck_assert_uint_gt(info.mss, 60000);
	FAILS(connect_tcpu(p.fd, &p.at, sizeof p.at), EISCONN);
	FAILS(listen_tcpu(p.fd, 1), EINVAL);
	FAILS(accept_tcpu(server, NULL, NULL), EINVAL);
	close_both(p.fd, server);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* A port where nobody is: found by taking one and giving it back. */
static struct sockaddr_in nobody(void)
{
	struct sockaddr_in at;
	int l = listener(&at);

	ck_assert_int_eq(close_tcpu(l), 0);
	return at;
}

START_TEST(refused)
{
	struct sockaddr_in at = nobody();
	int fd = new_socket();

	FAILS(connect_tcpu(fd, &at, sizeof at), ECONNREFUSED);
	/* And again: the socket is as before. */
	FAILS(connect_tcpu(fd, &at, sizeof at), ECONNREFUSED);
	ck_assert_int_eq(close_tcpu(fd), 0);
}
END_TEST

START_TEST(nothing_yet)
{
	struct timeval t = { 0, 20000 };
	struct sockaddr_in at;
	int l = listener(&at), s, c;
	char b[4];

	ck_assert_int_eq(setsockopt_tcpu(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
	FAILS(accept_tcpu(l, NULL, NULL), EAGAIN);
	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, O_NONBLOCK), 0);
	FAILS(accept_tcpu(l, NULL, NULL), EAGAIN);
	ck_assert_int_eq(close_tcpu(l), 0);
	pair(&s, &c);
	FAILS(recv_tcpu(c, b, sizeof b, MSG_DONTWAIT), EAGAIN);
	ck_assert_int_eq(setsockopt_tcpu(c, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
	FAILS(recv_tcpu(c, b, sizeof b, 0), EAGAIN);
	ck_assert_int_eq(send_tcpu(s, "abc", 3, TF_NODELAY), 3);
	ck_assert_int_eq(recv_tcpu(c, b, sizeof b, MSG_WAITALL), 3); /* what there was when the time was over */
	ck_assert_mem_eq(b, "abc", 3);
	ck_assert_int_eq(recv_tcpu(c, b, 0, 0), 0);
	close_both(s, c);
}
END_TEST

/* A peer that does not read: the buffers fill, a call that may not wait says so, one with a timeout gives up. */
START_TEST(no_room)
{
	static uint8_t b[MIB];
	struct timeval t = { 0, 20000 };
	int s, c;
	ssize_t n, total = 0;

	pair(&s, &c);
	ck_assert_int_eq(setsockopt_tcpu(c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
	while ((n = send_tcpu(c, b, sizeof b, MSG_DONTWAIT)) > 0)
		total += n;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_gt(total, 0);
	ck_assert_int_lt(total, 2 * MIB);
	FAILS(send_tcpu(c, b, sizeof b, 0), EAGAIN);
	close_both(c, s); /* the other way round, c would learn that its bytes are lost */
}
END_TEST

static void on_alarm(int sig)
{
	(void)sig;
}

START_TEST(interrupted)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };
	struct sockaddr_in at;
	int l = listener(&at), s, c;
	char b[4];

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	FAILS(accept_tcpu(l, NULL, NULL), EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	ck_assert_int_eq(close_tcpu(l), 0);
	pair(&s, &c);
	setitimer(ITIMER_REAL, &often, NULL);
	FAILS(recv_tcpu(c, b, 4, 0), EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	close_both(s, c);
}
END_TEST

/* ---- bytes ---- */

struct shape {
	size_t bytes, chunk;
	int mss, flags;
};

static const struct shape shapes[] = {
	{ 64 * MIB, 65536, 0, 0 },	{ 64 * MIB, 65536, 1452, 0 }, { 8 * MIB, 100, 0, 0 },
	{ 8 * MIB, 1000000, 536, 0 },	{ 8 * MIB, 77777, 0, MSG_WAITALL }, { 1, 10, 0, 0 }, { 0, 10, 0, 0 },
};

START_TEST(transfer)
{
	const struct shape *t = &shapes[_i];
	struct peer p = { .bytes = t->bytes };
	struct tcpu_info info;
	int l = listener(&p.at), s;

	if (t->mss)
		ck_assert_int_eq(setsockopt_tcpu(l, IPPROTO_TCP, TCP_MAXSEG, &t->mss, sizeof t->mss), 0);
	start(&p, connect_and_send);
	s = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(s, 0);
	ck_assert_uint_eq(read_pattern(s, t->chunk, t->flags), t->bytes);
	ck_assert_int_eq(info_tcpu(s, &info), 0);
	ck_assert_uint_eq(info.received_bytes, t->bytes);
	ck_assert_uint_eq(info.bad_checksums, 0);
	if (t->mss)
		ck_assert_uint_eq(info.mss, (unsigned)t->mss - 12); /* timestamps */
	ck_assert_int_eq(close_tcpu(s), 0);
	pthread_join(p.thread, NULL);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* ---- ends ---- */

START_TEST(half_close)
{
	int s, c;
	char b[16];

	pair(&s, &c);
	ck_assert_int_eq(send_tcpu(c, "question", 8, 0), 8);
	ck_assert_int_eq(shutdown_tcpu(c, SHUT_WR), 0);
	FAILS(send_tcpu(c, "x", 1, 0), EPIPE);
	ck_assert_int_eq(recv_tcpu(s, b, 16, MSG_WAITALL), 8);
	ck_assert_int_eq(recv_tcpu(s, b, 16, 0), 0);
	ck_assert_int_eq(send_tcpu(s, "answer", 6, 0), 6);
	ck_assert_int_eq(shutdown_tcpu(s, SHUT_RDWR), 0);
	ck_assert_int_eq(recv_tcpu(c, b, 16, MSG_WAITALL), 6);
	ck_assert_mem_eq(b, "answer", 6);
	ck_assert_int_eq(recv_tcpu(c, b, 16, 0), 0);
	ck_assert_int_eq(recv_tcpu(s, b, 16, 0), 0);
	close_both(s, c);
}
END_TEST

START_TEST(reset_by_close)
{
	int s, c;
	char b[16];

	pair(&s, &c);
	ck_assert_int_eq(send_tcpu(c, "unread", 6, TF_NODELAY), 6);
	ck_assert_int_eq(recv_tcpu(s, b, 1, 0), 1);
	ck_assert_int_eq(close_tcpu(s), 0);
	FAILS(recv_tcpu(c, b, 16, 0), ECONNRESET);
	ck_assert_int_eq(recv_tcpu(c, b, 16, 0), 0);
	FAILS(send_tcpu(c, b, 1, 0), EPIPE);
	ck_assert_int_eq(close_tcpu(c), 0);
}
END_TEST

/* The application learns from close, if from nothing before, that its data did not arrive. */
START_TEST(close_tells_of_loss)
{
	int s, c;
	char b[1];

	pair(&s, &c);
	ck_assert_int_eq(send_tcpu(c, "unread", 6, TF_NODELAY), 6);
	ck_assert_int_eq(recv_tcpu(s, b, 1, 0), 1);
	ck_assert_int_eq(close_tcpu(s), 0);
	if (_i) { /* the RST has been seen, but not told */
		struct pollfd p = { .fd = c, .events = 0 };

		ck_assert_int_eq(poll_tcpu(&p, 1, 5000), 1);
		ck_assert_int_eq(p.revents & POLLERR, POLLERR);
	}
	FAILS(close_tcpu(c), EIO);
	FAILS(close_tcpu(c), EBADF);
}
END_TEST

/* The child connects and sends, the parent reads; then the child of an accepted connection goes on with it. */
START_TEST(over_fork)
{
	struct peer p = { .bytes = MIB };
	int l = listener(&p.at), s, status;
	pid_t child;

	ck_assert_int_eq(listen_tcpu(l, 1), 0);
	child = fork();
	if (!child) {
		connect_and_send(&p);
		_exit(0);
	}
	s = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(s, 0);
	if (!fork()) {
		size_t n = read_pattern(s, 10000, 0);

		_exit(close_tcpu(s) != 0 || n != MIB);
	}
	for (int i = 0; i < 2; i++) {
		wait(&status);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

/* Many connections one after the other leave nothing open. */
START_TEST(descriptors_come_back)
{
	int first = dup(0), last;

	close(first);
	for (int i = 0; i < 50; i++) {
		struct peer p = { .bytes = 1000 };
		int l = listener(&p.at), s;

		start(&p, connect_and_send);
		s = accept_tcpu(l, NULL, NULL);
		ck_assert_uint_eq(read_pattern(s, 100, 0), 1000);
		ck_assert_int_eq(close_tcpu(s), 0);
		pthread_join(p.thread, NULL);
		ck_assert_int_eq(close_tcpu(l), 0);
	}
	/* At most TIME-WAITs remain: one link each. */
	last = dup(0);
	ck_assert_int_le(last - first, 64 + 4);
	close(last);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_calls");
	TCase *tc = tcase_create("calls");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, not_a_socket);
	tcase_add_test(tc, wrong_arguments);
	tcase_add_test(tc, options);
	tcase_add_test(tc, names);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, nothing_yet);
	tcase_add_test(tc, no_room);
	tcase_add_test(tc, interrupted);
	tcase_add_loop_test(tc, transfer, 0, sizeof shapes / sizeof *shapes);
	tcase_add_test(tc, half_close);
	tcase_add_test(tc, reset_by_close);
	tcase_add_loop_test(tc, close_tells_of_loss, 0, 2);
	tcase_add_test(tc, over_fork);
	tcase_add_test(tc, descriptors_come_back);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

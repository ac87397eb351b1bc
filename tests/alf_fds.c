#include "tests/alf_fds.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>

static void set(int fd, int level, int name, int value)
{
	ck_assert_int_eq(setsockopt_tcpu(fd, level, name, &value, sizeof value), 0);
}

void fds_connect(int fd[2], int mss)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int listener = socket_tcpu(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(bind_tcpu(listener, &at, sizeof at), 0);
	set(listener, SOL_SOCKET, SO_RCVBUF, 65536);
	set(listener, IPPROTO_TCP, TCP_MAXSEG, mss);
	ck_assert_int_eq(listen_tcpu(listener, 1), 0);
	ck_assert_int_eq(getsockname_tcpu(listener, &at, &len), 0);
	fd[0] = socket_tcpu(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(fd[0], 0);
	set(fd[0], IPPROTO_TCP, TCP_MAXSEG, mss);
	ck_assert_int_eq(connect_tcpu(fd[0], &at, sizeof at), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	fcntl_tcpu(listener, F_SETFL, O_NONBLOCK);
	while ((fd[1] = accept_tcpu(listener, NULL, NULL)) < 0) {
		struct pollfd both[2] = { { .fd = fd[0], .events = POLLOUT }, { .fd = listener, .events = POLLIN } };
		ck_assert_int_eq(errno, EAGAIN);
		poll_tcpu(both, 2, 100);
	}
	ck_assert(connect_tcpu(fd[0], &at, sizeof at) == 0 || errno == EISCONN);
	close_tcpu(listener);
	ck_assert_int_eq(fcntl_tcpu(fd[1], F_SETFL, O_NONBLOCK), 0);
}

void fds_open(const int fd[2], struct alf *end[2], const struct alf_profile *profile)
{
	struct alf_profile p = *profile;

	for (int i = 0; i < 2; i++) {
		p.initiator = i == 0;
		end[i] = alf_open(fd[i], &p);
		ck_assert_ptr_nonnull(end[i]);
	}
}

void fds_close(const int fd[2], struct alf *end[2])
{
	for (int i = 0; i < 2; i++) {
		alf_close(end[i]);
		/* Nobody drives the other one meanwhile: it would not hear what this one has said last. */
		fcntl_tcpu(fd[i], F_SETFL, O_NONBLOCK);
		close_tcpu(fd[i]);
	}
}

void fds_wait(int fd)
{
	ck_assert_int_eq(fcntl_tcpu(fd, F_SETFL, 0), 0);
}

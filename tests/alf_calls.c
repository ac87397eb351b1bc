/* adu_send and adu_recv over real descriptors of TCPU on loopback: waiting, not waiting, refusing, ending. */
#include "tests/alf_pipe.h"
#include "tests/run.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Two connected descriptors with drivers of their own. */
static void pair(int fd[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int listener = socket_tcpu(AF_INET, SOCK_STREAM, 0), small = 65536;

	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(bind_tcpu(listener, &at, sizeof at), 0);
	ck_assert_int_eq(setsockopt_tcpu(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	ck_assert_int_eq(listen_tcpu(listener, 1), 0);
	ck_assert_int_eq(getsockname_tcpu(listener, &at, &len), 0);
	fd[0] = socket_tcpu(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(fd[0], 0);
	ck_assert_int_eq(setsockopt_tcpu(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
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

static struct alf *open_end(int fd, bool initiator)
{
	return pipe_open(fd, ilp_find("xdr_chacha20_copy_sum"), ILP_FUSED, initiator);
}

#define BIG 3000000

/* Both ends in one thread, so neither may ever wait. A send that is broken off goes on where it was. */
START_TEST(without_waiting)
{
	static uint8_t data[BIG], buf[BIG];
	static const size_t sizes[] = { 0, 1, 5000, BIG, 0, 77, BIG - 3 };
	int fd[2];
	struct alf *out, *in;
	unsigned again = 0, waits = 0;

	pair(fd);
	out = open_end(fd[0], true);
	in = open_end(fd[1], false);
	pipe_bytes(data, sizeof data, 1);
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		bool sent = false, received = false;
		struct adu_attr attr = { .name = "x", .name_len = 1 };
		struct pollfd poll[2] = { { .fd = fd[0], .events = POLLOUT }, { .fd = fd[1], .events = POLLIN } };
		while (!sent || !received) {
			ssize_t n = sent ? 0 : adu_send(out, data, sizes[i], &attr);
			if (!sent && n >= 0) {
				ck_assert_int_eq(n, (ssize_t)sizes[i]);
				sent = true;
			} else if (!sent) {
				ck_assert_int_eq(errno, EAGAIN);
				again++;
				/* Only that one can go on. */
				if (out->tx.busy) {
					ck_assert_int_eq(adu_send(out, data + 1, sizes[i], &attr), -1);
					ck_assert_int_eq(errno, EINVAL);
				}
			}
			n = adu_recv(in, buf, sizeof buf, &attr, NULL);
			if (n >= 0) {
				ck_assert_int_eq(n, (ssize_t)sizes[i]);
				ck_assert_uint_eq(attr.number, i + 1);
				ck_assert(!memcmp(buf, data, sizes[i]));
				received = true;
			} else {
				ck_assert_int_eq(errno, EAGAIN);
				waits++;
				if (in->rx.in) {
					ck_assert_int_eq(adu_recv(in, buf + 1, sizeof buf - 1, NULL, NULL), -1);
					ck_assert_int_eq(errno, EINVAL);
					ck_assert_int_eq(adu_recv(in, buf, sizes[i] - 1, NULL, NULL), -1);
					ck_assert_int_eq(errno, EINVAL);
				}
				poll_tcpu(poll, 2, 100);
			}
		}
	}
	ck_assert_uint_gt(again, 3); /* there was something to test */
	ck_assert_uint_gt(waits, 3);
	alf_close(out);
	alf_close(in);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

static void *sender(void *arg)
{
	static uint8_t data[BIG];
	struct alf *out = arg;
	struct adu_attr attr = { .name = "the name", .name_len = 8, .type = 9 };

	pipe_bytes(data, sizeof data, 2);
	if (adu_send(out, data, 100000, &attr) != 100000 || adu_send(out, NULL, 0, NULL) != 0 ||
	    adu_send(out, data, sizeof data, NULL) != sizeof data)
		return "adu_send failed";
	if (shutdown_tcpu(out->fd, SHUT_WR) || adu_send(out, data, 1, NULL) != -1 || errno != EPIPE)
		return "after shutdown: no EPIPE";
	return close_tcpu(out->fd) ? "close failed" : NULL; /* inside it, the rest gets out */
}

START_TEST(waiting)
{
	static uint8_t buf[BIG], data[BIG];
	struct adu_attr attr;
	struct alf *out, *in;
	size_t need = 7;
	pthread_t thread;
	void *complaint;
	int fd[2];

	pair(fd);
	pipe_bytes(data, sizeof data, 2);
	fcntl_tcpu(fd[0], F_SETFL, 0);
	fcntl_tcpu(fd[1], F_SETFL, 0);
	out = open_end(fd[0], true);
	in = open_end(fd[1], false);
	ck_assert_int_eq(pthread_create(&thread, NULL, sender, out), 0);

	for (size_t cap = 0; cap < 100000; cap += 33333) {
		ck_assert_int_eq(adu_recv(in, buf, cap, &attr, &need), -1);
		ck_assert_int_eq(errno, EMSGSIZE);
		ck_assert_uint_eq(need, 100000);
		ck_assert(attr.name_len == 8 && !memcmp(attr.name, "the name", 8) && attr.type == 9);
	}
	ck_assert_int_eq(adu_recv(in, buf, need, &attr, NULL), 100000);
	ck_assert(!memcmp(buf, data, 100000));
	ck_assert_uint_eq(attr.number, 1);
	ck_assert_int_eq(adu_recv(in, NULL, 0, &attr, NULL), 0);
	ck_assert_uint_eq(attr.number, 2); /* empty, and not the end */
	ck_assert_int_eq(adu_recv(in, buf, sizeof buf, NULL, NULL), sizeof buf);
	ck_assert(!memcmp(buf, data, sizeof buf));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(adu_recv(in, buf, sizeof buf, &attr, NULL), 0);
		ck_assert_uint_eq(attr.number, 0); /* the end, as often as one asks */
	}
	pthread_join(thread, &complaint);
	ck_assert_msg(!complaint, "%s", (char *)complaint);
	alf_close(out);
	alf_close(in);
	close_tcpu(fd[1]);
}
END_TEST

/* A peer that sends bytes which are no ADUs, and one that stops in the middle. */
START_TEST(wrong_peer)
{
	static const uint8_t half[] = { 0, 40, 0x41, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0 };
	struct adu_attr attr;
	uint8_t buf[100];
	struct alf *in;
	int fd[2];

	for (int i = 0; i < 2; i++) {
		pair(fd);
		fcntl_tcpu(fd[1], F_SETFL, 0);
		in = open_end(fd[1], false);
		while (send_tcpu(fd[0], i ? "GET / HTTP/1.0\r\n\r\n" : (const char *)half, sizeof half - 3, 0) < 0)
			ck_assert_int_eq(errno, EAGAIN);
		ck_assert_int_eq(shutdown_tcpu(fd[0], SHUT_WR), 0);
		for (int again = 0; again < 2; again++) {
			ck_assert_int_eq(adu_recv(in, buf, sizeof buf, &attr, NULL), -1);
			ck_assert_int_eq(errno, EBADMSG);
		}
		alf_close(in);
		fcntl_tcpu(fd[1], F_SETFL, O_NONBLOCK);
		close_tcpu(fd[1]);
		close_tcpu(fd[0]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_calls");
	TCase *tc = tcase_create("alf_calls");

	tcase_add_test(tc, without_waiting);
	tcase_add_test(tc, waiting);
	tcase_add_test(tc, wrong_peer);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

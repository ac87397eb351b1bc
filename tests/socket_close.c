/* How closes end: what close_tcpu tells of data that did not arrive, and what is done inside later calls. */
#include "tests/run.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* As much of the stream as goes in without waiting. Returns how much. */
static size_t stuff(int fd)
{
	static uint8_t b[MIB];
	ssize_t n;

	for (size_t i = 0; i < sizeof b; i++)
		b[i] = byte_at(i);
	n = send_tcpu(fd, b, sizeof b, MSG_DONTWAIT);
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, sizeof b);
	return (size_t)n;
}

static void set_nonblock(int fd)
{
	ck_assert_int_eq(fcntl_tcpu(fd, F_SETFL, O_NONBLOCK), 0);
}

/* RFC 2525 2.17 asks for RST when data was not read. It takes with it what was still to be sent, and close says so:
 * without blocking as well, and also when the bytes have yet to be taken from the link. */
START_TEST(abort_with_data)
{
	int s, c;
	char b[2];

	pair(&s, &c);
	stuff(c);
	ck_assert_int_eq(send_tcpu(s, "xy", 2, TF_NODELAY), 2);
	if (_i & 1)
		ck_assert_int_eq(recv_tcpu(c, b, 1, 0), 1);
	if (_i & 2)
		set_nonblock(c);
	FAILS(close_tcpu(c), EIO);
	FAILS(close_tcpu(s), EIO); /* it has been reset */
}
END_TEST

/* The same with nothing to be sent, though the last acknowledgment still waits in the link. */
START_TEST(abort_without_data)
{
	int s, c;
	char b[3];

	pair(&s, &c);
	ck_assert_int_eq(send_tcpu(s, "xy", 2, TF_NODELAY), 2);
	ck_assert_int_eq(recv_tcpu(c, b, 1, 0), 1);
	ck_assert_int_eq(send_tcpu(c, "abc", 3, TF_NODELAY), 3);
	ck_assert_int_eq(recv_tcpu(s, b, 3, 0), 3);
	if (_i)
		set_nonblock(c);
	ck_assert_int_eq(close_tcpu(c), 0);
	FAILS(recv_tcpu(s, b, 1, 0), ECONNRESET);
	ck_assert_int_eq(close_tcpu(s), 0);
}
END_TEST

/* A peer that has reset the connection: a close without blocking tells of it where data is lost, and once. */
START_TEST(reset_with_data)
{
	int s, c;
	char b[1];

	pair(&s, &c);
	stuff(c);
	ck_assert_int_eq(recv_tcpu(s, b, 1, 0), 1);
	ck_assert_int_eq(close_tcpu(s), 0);
	if (_i)
		FAILS(recv_tcpu(c, b, 1, 0), ECONNRESET);
	set_nonblock(c);
	if (_i)
		ck_assert_int_eq(close_tcpu(c), 0);
	else
		FAILS(close_tcpu(c), EIO);
}
END_TEST

/* A close takes in what has come for other connections of its link: their descriptors tell of it. */
START_TEST(close_tells_the_others)
{
	struct sockaddr_in at;
	int l = listener(&at), s[2];
	struct peer p[2];
	struct pollfd w = { .events = POLLIN };

	for (int i = 0; i < 2; i++) {
		p[i].at = at;
		start(&p[i], just_connect);
		s[i] = accept_tcpu(l, NULL, NULL);
		ck_assert_int_ge(s[i], 0);
		pthread_join(p[i].thread, NULL);
		set_nonblock(s[i]);
	}
	w.fd = s[1];
	ck_assert_int_eq(send_tcpu(p[1].fd, "x", 1, TF_NODELAY), 1);
	ck_assert_int_eq(close_tcpu(s[0]), 0);
	ck_assert_int_eq(poll(&w, 1, 0), 1);
	close_both(p[0].fd, p[1].fd);
	ck_assert_int_eq(close_tcpu(s[1]), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* A peer that reads nothing holds up a close for so long as SO_SNDTIMEO says. Nothing is lost: the rest goes out
 * inside later calls. */
START_TEST(close_times_out)
{
	struct timeval t = { 0, 20000 };
	struct pollfd w = { .events = POLLIN };
	uint8_t b[20000];
	size_t sent, got = 0;
	int s, c;
	ssize_t n;

	pair(&s, &c);
	w.fd = s;
	sent = stuff(c);
	ck_assert_int_eq(setsockopt_tcpu(c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
	FAILS(close_tcpu(c), EAGAIN);
	FAILS(close_tcpu(c), EBADF);
	do {
		ck_assert_int_eq(poll_tcpu(&w, 1, 10000), 1);
		n = recv_tcpu(s, b, sizeof b, 0);
		ck_assert_int_ge(n, 0);
		for (ssize_t i = 0; i < n; i++)
			ck_assert_uint_eq(b[i], byte_at(got + (size_t)i));
		got += (size_t)n;
	} while (n);
	ck_assert_uint_eq(got, sent);
	ck_assert_int_eq(close_tcpu(s), 0);
}
END_TEST

/* All is acknowledged, and only the peer's FIN is missing: no failure. */
START_TEST(close_times_out_without_data)
{
	struct timeval t = { 0, 20000 };
	int s, c;

	pair(&s, &c);
	ck_assert_int_eq(setsockopt_tcpu(c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
	ck_assert_int_eq(close_tcpu(c), 0);
	ck_assert_int_eq(close_tcpu(s), 0);
}
END_TEST

/* ---- SO_LINGER, in virtual time ---- */

static struct machine m;

static void set_linger(int fd, int seconds)
{
	struct linger l = { 1, seconds };

	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
}

static void start_pair(int *l, int *here, int *there)
{
	machine_start(&m, NULL);
	*l = machine_listener(&m, 80);
	machine_pair(&m, *l, 80, here, there);
}

/* On with 0 seconds: RST, whatever was to be sent. */
START_TEST(linger_resets)
{
	int l, here, there;
	char b[16];

	start_pair(&l, &here, &there);
	set_linger(here, 0);
	if (_i)
		stuff(here);
	ck_assert_int_eq(close_tcpu(here), 0);
	machine_pass(&m, 100000);
	if (_i)
		while (recv_tcpu(there, b, sizeof b, 0) > 0)
			continue;
	else
		ck_assert_int_eq(recv_tcpu(there, b, sizeof b, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_int_eq(close_tcpu(there), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* With seconds it waits for the acknowledgment, though the stack takes turns and the descriptor does not block. */
START_TEST(linger_waits)
{
	int l, here, there;
	uint64_t before_us;
	char b[8];

	start_pair(&l, &here, &there);
	set_linger(here, 5);
	if (_i)
		set_nonblock(here);
	ck_assert_int_eq(send_tcpu(here, "late", 4, 0), 4);
	before_us = m.now_us;
	ck_assert_int_eq(close_tcpu(here), 0);
	ck_assert_uint_eq(m.now_us, before_us + 20000); /* FIN, and its ACK at once: one round trip */
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, 0), 4);
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, 0), 0);
	ck_assert_int_eq(close_tcpu(there), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* At most so long; what then is not acknowledged goes on being sent. */
START_TEST(linger_gives_up)
{
	struct timeval t = { 60, 0 };
	static uint8_t b[MIB];
	uint64_t before_us;
	size_t sent = 0, got = 0;
	int l, here, there;
	ssize_t n;

	start_pair(&l, &here, &there);
	ck_assert_int_eq(setsockopt_tcpu(here, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
	set_linger(here, 3); /* this counts, not that */
	while ((n = send_tcpu(here, b, sizeof b, MSG_DONTWAIT)) > 0) { /* until the peer's buffer is full as well */
		sent += (size_t)n;
		machine_pass(&m, 1000000);
	}
	before_us = m.now_us;
	FAILS(close_tcpu(here), EAGAIN);
	ck_assert_uint_eq(m.now_us, before_us + 3000000);
	while ((n = recv_tcpu(there, b, sizeof b, 0)) > 0)
		got += (size_t)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(got, sent);
	ck_assert_int_eq(close_tcpu(there), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

/* ---- what is done inside later calls ---- */

enum { OWED = 4000, MSS = 100 }; /* more than the first congestion window */

/* A listener whose connections have small segments. */
static int narrow_listener(struct sockaddr_in *at)
{
	int l = listener(at), mss = MSS;

	ck_assert_int_eq(setsockopt_tcpu(l, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof mss), 0);
	return l;
}

static void join(int l, struct sockaddr_in at, int *server, int *client)
{
	struct peer p = { .at = at };

	start(&p, just_connect);
	*server = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(*server, 0);
	pthread_join(p.thread, NULL);
	*client = p.fd;
}

/* Closes without waiting; most of what was sent is still to go out. */
static void close_owing(int fd)
{
	uint8_t b[OWED];

	for (size_t i = 0; i < OWED; i++)
		b[i] = byte_at(i);
	ck_assert_int_eq(send_tcpu(fd, b, OWED, 0), OWED);
	set_nonblock(fd);
	ck_assert_int_eq(close_tcpu(fd), 0);
}

/* Reads to the end, with poll_tcpu to serve what is closed. Returns how much; *error says how it ended. */
static size_t read_rest(int fd, int *error)
{
	struct pollfd w = { .fd = fd, .events = POLLIN };
	uint8_t b[OWED];
	size_t got = 0;
	ssize_t n;

	do {
		ck_assert_int_eq(poll_tcpu(&w, 1, 20000), 1);
		n = recv_tcpu(fd, b, sizeof b, 0);
		for (ssize_t i = 0; i < n; i++)
			ck_assert_uint_eq(b[i], byte_at(got + (size_t)i));
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	*error = n < 0 ? errno : 0;
	return got;
}

/* So many closes may be under way, and lose nothing. */
START_TEST(many_closes)
{
	int s[TCPU_CLOSING_MAX], c[TCPU_CLOSING_MAX], e;
	struct sockaddr_in at;
	int l = narrow_listener(&at);

	for (int i = 0; i < TCPU_CLOSING_MAX; i++)
		join(l, at, &s[i], &c[i]);
	for (int i = 0; i < TCPU_CLOSING_MAX; i++)
		close_owing(c[i]);
	for (int i = 0; i < TCPU_CLOSING_MAX; i++) {
		ck_assert_uint_eq(read_rest(s[i], &e), OWED);
		ck_assert_int_eq(e, 0);
	}
}
END_TEST

/* One more, and the first is reset; the others lose nothing. */
START_TEST(too_many_closes)
{
	enum { N = TCPU_CLOSING_MAX + 1 };
	int s[N], c[N], e;
	struct sockaddr_in at;
	int l = narrow_listener(&at);

	for (int i = 0; i < N; i++)
		join(l, at, &s[i], &c[i]);
	for (int i = 0; i < N; i++)
		close_owing(c[i]);
	ck_assert_uint_lt(read_rest(s[0], &e), OWED);
	ck_assert_int_eq(e, ECONNRESET);
	for (int i = 1; i < N; i++) {
		ck_assert_uint_eq(read_rest(s[i], &e), OWED);
		ck_assert_int_eq(e, 0);
	}
}
END_TEST

/* As many, but all except the first are done, and only sit out their TIME-WAIT: they go before it does. */
START_TEST(time_wait_goes_first)
{
	int s, c, l, owing, e;
	struct sockaddr_in at;

	l = narrow_listener(&at);
	join(l, at, &owing, &c);
	ck_assert_int_eq(close_tcpu(l), 0);
	close_owing(c);
	l = narrow_listener(&at);
	for (int i = 0; i < TCPU_CLOSING_MAX; i++) {
		join(l, at, &s, &c);
		set_nonblock(c);
		ck_assert_int_eq(close_tcpu(c), 0);
		ck_assert_uint_eq(read_rest(s, &e), 0);
		ck_assert_int_eq(e, 0);
		set_nonblock(s);
		ck_assert_int_eq(close_tcpu(s), 0);
	}
	ck_assert_uint_eq(read_rest(owing, &e), OWED);
	ck_assert_int_eq(e, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_close");
	TCase *tc = tcase_create("close");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, abort_with_data, 0, 4);
	tcase_add_loop_test(tc, abort_without_data, 0, 2);
	tcase_add_loop_test(tc, reset_with_data, 0, 2);
	tcase_add_test(tc, close_tells_the_others);
	tcase_add_test(tc, close_times_out);
	tcase_add_test(tc, close_times_out_without_data);
	tcase_add_loop_test(tc, linger_resets, 0, 2);
	tcase_add_loop_test(tc, linger_waits, 0, 2);
	tcase_add_test(tc, linger_gives_up);
	tcase_add_test(tc, many_closes);
	tcase_add_test(tc, too_many_closes);
	tcase_add_test(tc, time_wait_goes_first);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

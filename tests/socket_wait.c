/* The calls of core/tcpu.h without blocking, with poll_tcpu and epoll, and from several threads. */
#include "tests/run.h"
#include "tests/socket_peer.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Who first swallows the SYN and then goes: its repetition is refused. */
START_TEST(refused_without_blocking)
{
	struct sockaddr_in at = loopback(0);
	socklen_t at_len = sizeof at;
	int fd = socket_tcpu(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), v = 0, ep = epoll_create1(0);
	int silent = socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct epoll_event ev = { .events = EPOLLIN };
	socklen_t len = sizeof v;

	ck_assert_int_eq(bind(silent, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(getsockname(silent, (struct sockaddr *)&at, &at_len), 0);
	FAILS(connect_tcpu(fd, &at, sizeof at), EINPROGRESS);
	close(silent);
	if (_i) {
		ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
		while (!v) {
			ck_assert_int_eq(epoll_wait(ep, &ev, 1, 5000), 1);
			ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_ERROR, &v, &len), 0);
		}
	} else {
		ck_assert_int_eq(poll_tcpu(&p, 1, 5000), 1);
		ck_assert_int_eq(p.revents & POLLERR, POLLERR);
		ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_ERROR, &v, &len), 0);
	}
	ck_assert_int_eq(v, ECONNREFUSED);
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_ERROR, &v, &len), 0);
	ck_assert_int_eq(v, 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
	close(ep);
}
END_TEST

static void *accept_one(void *ctx)
{
	struct peer *p = ctx;
	int l = p->fd;

	p->fd = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(p->fd, 0);
	return NULL;
}

START_TEST(connect_without_blocking)
{
	struct peer p;
	int fd = socket_tcpu(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), v = 1, l = p.fd = listener(&p.at);
	struct pollfd w = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof v;

	FAILS(connect_tcpu(fd, &p.at, sizeof p.at), EINPROGRESS);
	FAILS(connect_tcpu(fd, &p.at, sizeof p.at), EALREADY);
	FAILS(send_tcpu(fd, "x", 1, 0), EAGAIN);
	FAILS(recv_tcpu(fd, &v, 1, 0), EAGAIN);
	ck_assert_int_eq(poll_tcpu(&w, 1, 0), 0);
	start(&p, accept_one);
	ck_assert_int_eq(poll_tcpu(&w, 1, 5000), 1);
	ck_assert_int_eq(w.revents, POLLOUT);
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_ERROR, &v, &len), 0);
	ck_assert_int_eq(v, 0);
	ck_assert_int_eq(connect_tcpu(fd, &p.at, sizeof p.at), 0); /* as Linux: the first tells, the second complains */
	FAILS(connect_tcpu(fd, &p.at, sizeof p.at), EISCONN);
	/* The last ACK of the handshake has left; accept returns. */
	pthread_join(p.thread, NULL);
	close_both(fd, p.fd);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* Poll has told that the connection stands: everything holds for it, no second connect_tcpu is needed. */
START_TEST(connected_by_poll)
{
	struct peer p;
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	int fd = socket_tcpu(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd w = { .fd = fd, .events = POLLOUT };

	p.fd = listener(&p.at);
	FAILS(connect_tcpu(fd, &p.at, sizeof p.at), EINPROGRESS);
	FAILS(getpeername_tcpu(fd, &at, &len), ENOTCONN);
	start(&p, accept_and_read);
	ck_assert_int_eq(poll_tcpu(&w, 1, 5000), 1);
	ck_assert_int_eq(getpeername_tcpu(fd, &at, &len), 0);
	ck_assert_uint_eq(at.sin_port, p.at.sin_port);
	ck_assert_int_eq(fcntl_tcpu(fd, F_SETFL, 0), 0);
	ck_assert_int_eq(send_tcpu(fd, (uint8_t[]){ byte_at(0), byte_at(1) }, 2, 0), 2);
	if (_i)
		ck_assert_int_eq(shutdown_tcpu(fd, SHUT_WR), 0);
	ck_assert_int_eq(close_tcpu(fd), 0); /* waits: the bytes arrive */
	pthread_join(p.thread, NULL);
	ck_assert_uint_eq(p.bytes, 2);
}
END_TEST

/* Several connections of one listener, each read by a thread of its own: they share its link and lock. */
static void *read_all(void *ctx)
{
	struct peer *p = ctx;

	ck_assert_uint_eq(read_pattern(p->fd, 30000, 0), p->bytes);
	ck_assert_int_eq(close_tcpu(p->fd), 0);
	return NULL;
}

START_TEST(threads)
{
	enum { N = 4 };
	struct peer senders[N], readers[N];
	struct sockaddr_in at;
	int l = listener(&at);

	for (int i = 0; i < N; i++) {
		senders[i] = (struct peer){ .at = at, .bytes = 4 * MIB };
		start(&senders[i], connect_and_send);
	}
	for (int i = 0; i < N; i++) {
		readers[i] = (struct peer){ .fd = accept_tcpu(l, NULL, NULL), .bytes = 4 * MIB };
		ck_assert_int_ge(readers[i].fd, 0);
		start(&readers[i], read_all);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(readers[i].thread, NULL);
		pthread_join(senders[i].thread, NULL);
	}
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* An epoll server without blocking, in one thread: it echoes what several clients send. */
static void *echo_client(void *ctx)
{
	struct peer *p = ctx;
	uint8_t b[5000];

	just_connect(p);
	for (size_t at = 0; at < p->bytes; at += sizeof b) {
		for (size_t i = 0; i < sizeof b; i++)
			b[i] = byte_at(at + i);
		ck_assert_int_eq(send_tcpu(p->fd, b, sizeof b, TF_NODELAY), sizeof b);
		memset(b, 0, sizeof b);
		ck_assert_int_eq(recv_tcpu(p->fd, b, sizeof b, MSG_WAITALL), sizeof b);
		for (size_t i = 0; i < sizeof b; i++)
			if (b[i] != byte_at(at + i))
				ck_abort_msg("byte %zu is wrong", at + i);
	}
	ck_assert_int_eq(close_tcpu(p->fd), 0);
	return NULL;
}

/* Echoes until nothing more is there. true: the peer has closed. */
static bool echo(int fd)
{
	uint8_t b[3000];
	ssize_t n;

	while ((n = recv_tcpu(fd, b, sizeof b, 0)) > 0)
		ck_assert_int_eq(send_tcpu(fd, b, (size_t)n, TF_NODELAY), n);
	ck_assert(n == 0 || errno == EAGAIN);
	return n == 0;
}

START_TEST(event_loop)
{
	enum { N = 3 };
	struct peer clients[N];
	struct sockaddr_in at;
	struct epoll_event ev = { .events = EPOLLIN };
	int l = listener(&at), ep = epoll_create1(0), open = 0, seen = 0, fd;

	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(listen_tcpu(l, 10), 0);
	ev.data.fd = l;
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev), 0);
	for (int i = 0; i < N; i++) {
		clients[i] = (struct peer){ .at = at, .bytes = 500000 };
		start(&clients[i], echo_client);
	}
	while (open || seen < N) {
		ck_assert_int_eq(epoll_wait(ep, &ev, 1, 10000), 1);
		if (ev.data.fd != l) {
			fd = ev.data.fd;
			if (echo(fd)) {
				ck_assert_int_eq(close_tcpu(fd), 0);
				open--;
			}
			continue;
		}
		while ((fd = accept_tcpu(l, NULL, NULL)) >= 0) {
			ck_assert_int_eq(fcntl_tcpu(fd, F_SETFL, O_NONBLOCK), 0);
			ev.data.fd = fd;
			ev.events = EPOLLIN;
			ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
			open++;
			seen++;
		}
		ck_assert_int_eq(errno, EAGAIN);
	}
	/* Closed without waiting, so the last ACKs are this process' to send in later calls. */
	for (int i = 0; i < N; i++) {
		struct pollfd p = { .fd = l, .events = POLLIN };

		while (pthread_tryjoin_np(clients[i].thread, NULL))
			ck_assert_int_ge(poll_tcpu(&p, 1, 1), 0);
	}
	ck_assert_int_eq(close_tcpu(l), 0);
	close(ep);
}
END_TEST

/* Two connections of a listener: one thread waits on the first while another, on the second, takes from their link
 * what the first waits for. It must be woken. */
struct waiter {
	pthread_t thread;
	int fd;
	sem_t got;
};

static void *wait_for_bytes(void *ctx)
{
	struct waiter *w = ctx;
	char b;

	while (recv_tcpu(w->fd, &b, 1, 0) == 1)
		sem_post(&w->got);
	return NULL;
}

START_TEST(woken_by_another_thread)
{
	struct peer p[2];
	struct waiter w;
	struct sockaddr_in at;
	int l = listener(&at), s[2];
	char b;

	for (int i = 0; i < 2; i++) {
		p[i].at = at;
		start(&p[i], just_connect);
		s[i] = accept_tcpu(l, NULL, NULL);
		ck_assert_int_ge(s[i], 0);
		pthread_join(p[i].thread, NULL);
	}
	w.fd = s[0];
	sem_init(&w.got, 0, 0);
	ck_assert_int_eq(pthread_create(&w.thread, NULL, wait_for_bytes, &w), 0);
	for (int i = 0; i < 2000; i++) {
		ck_assert_int_eq(send_tcpu(p[0].fd, "x", 1, TF_NODELAY), 1);
		for (int k = 0; k < 10; k++)
			FAILS(recv_tcpu(s[1], &b, 1, MSG_DONTWAIT), EAGAIN);
		ck_assert_int_eq(sem_wait(&w.got), 0);
	}
	ck_assert_int_eq(shutdown_tcpu(p[0].fd, SHUT_WR), 0);
	pthread_join(w.thread, NULL);
	close_both(p[0].fd, p[1].fd);
	close_both(s[0], s[1]);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* Connects and sends without blocking; the descriptor in an epoll set tells when there is room again. */
START_TEST(writable_by_epoll)
{
	enum { TOTAL = 4 * MIB };
	struct peer p;
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = socket_tcpu(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0), v = -1;
	uint8_t *b = malloc(TOTAL);
	socklen_t len = sizeof v;
	size_t sent = 0;
	ssize_t n;

	for (size_t i = 0; i < TOTAL; i++)
		b[i] = byte_at(i);
	p.fd = listener(&p.at);
	FAILS(connect_tcpu(fd, &p.at, sizeof p.at), EINPROGRESS);
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	start(&p, accept_and_read);
	do /* until connected: what wakes may be less than that */
		ck_assert_int_eq(epoll_wait(ep, &ev, 1, 5000), 1);
	while (connect_tcpu(fd, &p.at, sizeof p.at) && errno == EALREADY);
	ck_assert_int_eq(getsockopt_tcpu(fd, SOL_SOCKET, SO_ERROR, &v, &len), 0);
	ck_assert_int_eq(v, 0);
	while (sent < TOTAL) {
		n = send_tcpu(fd, b + sent, TOTAL - sent, 0);
		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			ck_assert_int_eq(epoll_wait(ep, &ev, 1, 5000), 1);
		} else {
			sent += (size_t)n;
		}
	}
	ck_assert_int_eq(fcntl_tcpu(fd, F_SETFL, 0), 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
	pthread_join(p.thread, NULL);
	ck_assert_uint_eq(p.bytes, TOTAL);
	free(b);
	close(ep);
}
END_TEST

/* What a closed descriptor still owes is done inside later calls on others. */
START_TEST(closed_without_waiting)
{
	static uint8_t b[200000];
	struct peer p;
	struct sockaddr_in at;
	struct pollfd other = { .fd = listener(&at), .events = POLLIN };
	int fd = new_socket();

	for (size_t i = 0; i < sizeof b; i++)
		b[i] = byte_at(i);
	ck_assert_int_eq(listen_tcpu(other.fd, 1), 0);
	p.fd = listener(&p.at);
	start(&p, accept_and_read);
	ck_assert_int_eq(connect_tcpu(fd, &p.at, sizeof p.at), 0);
	ck_assert_int_eq(send_tcpu(fd, b, sizeof b, 0), sizeof b);
	ck_assert_int_eq(fcntl_tcpu(fd, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
	while (pthread_tryjoin_np(p.thread, NULL))
		ck_assert_int_eq(poll_tcpu(&other, 1, 1), 0);
	ck_assert_uint_eq(p.bytes, sizeof b);
	ck_assert_int_eq(close_tcpu(other.fd), 0);
}
END_TEST

/* Segments that one call has left in the driver make the descriptor readable, though the link holds nothing more. */
START_TEST(left_in_the_driver)
{
	static const uint8_t b[1000];
	uint8_t got[1500];
	struct pollfd p = { .events = POLLIN };
	int s, c;

	pair(&s, &c);
	p.fd = s;
	ck_assert_int_eq(fcntl_tcpu(s, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(send_tcpu(c, b, sizeof b, TF_NODELAY), sizeof b);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(poll(&p, 1, 0), 1);
		ck_assert_int_eq(recv_tcpu(s, got, sizeof got, 0), sizeof b);
	}
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	close_both(s, c);
}
END_TEST

/* Acknowledgments that a call for something else has taken in: the descriptor still tells of the room they made. */
START_TEST(room_that_another_call_made)
{
	static uint8_t b[MIB];
	struct pollfd p = { .events = POLLIN };
	int s, c;
	ssize_t n;

	pair(&s, &c);
	p.fd = c;
	ck_assert_int_eq(fcntl_tcpu(c, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(fcntl_tcpu(s, F_SETFL, O_NONBLOCK), 0);
	while ((n = send_tcpu(c, b, sizeof b, 0)) > 0)
		continue;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	while (recv_tcpu(s, b, sizeof b, 0) > 0)
		continue;
	FAILS(recv_tcpu(c, b, 1, 0), EAGAIN);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	ck_assert_int_gt(send_tcpu(c, b, sizeof b, 0), 0);
	close_both(c, s); /* the other way round, c would learn that its bytes are lost */
}
END_TEST

/* A reader that takes a little each time it is woken, and no more: what waits must wake it again. */
START_TEST(a_little_at_a_time)
{
	struct peer p = { .bytes = 200000 };
	struct epoll_event ev = { .events = EPOLLIN };
	int l = listener(&p.at), s, ep = epoll_create1(0), mss = 1000;
	uint8_t b[1500];
	size_t at = 0;
	ssize_t n;

	ck_assert_int_eq(setsockopt_tcpu(l, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof mss), 0);
	start(&p, connect_and_send);
	s = accept_tcpu(l, NULL, NULL);
	ck_assert_int_eq(fcntl_tcpu(s, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev), 0);
	do {
		ck_assert_int_eq(epoll_wait(ep, &ev, 1, 5000), 1);
		n = recv_tcpu(s, b, sizeof b, 0);
		ck_assert(n >= 0 || errno == EAGAIN);
		for (ssize_t i = 0; i < n; i++)
			if (b[i] != byte_at(at + (size_t)i))
				ck_abort_msg("byte %zu is wrong", at + (size_t)i);
		at += n > 0 ? (size_t)n : 0;
	} while (n);
	ck_assert_uint_eq(at, p.bytes);
	ck_assert_int_eq(fcntl_tcpu(s, F_SETFL, 0), 0);
	ck_assert_int_eq(close_tcpu(s), 0);
	pthread_join(p.thread, NULL);
	ck_assert_int_eq(close_tcpu(l), 0);
	close(ep);
}
END_TEST

/* poll_tcpu: exact, and for other descriptors at the same time. */
START_TEST(poll_exact)
{
	struct pollfd p[3];
	int s, c, pipefd[2];
	char b[8];

	pair(&s, &c);
	ck_assert_int_eq(pipe(pipefd), 0);
	p[0] = (struct pollfd){ .fd = c, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = pipefd[0], .events = POLLIN };
	p[2] = (struct pollfd){ .fd = s, .events = POLLIN };
	ck_assert_int_eq(poll_tcpu(p, 3, 10), 0);
	p[0].events = POLLIN | POLLOUT;
	ck_assert_int_eq(poll_tcpu(p, 3, 10), 1);
	ck_assert_int_eq(p[0].revents, POLLOUT);
	p[0].events = POLLIN;
	ck_assert_int_eq(write(pipefd[1], "x", 1), 1);
	ck_assert_int_eq(send_tcpu(c, "hello", 5, TF_NODELAY), 5);
	ck_assert_int_eq(poll_tcpu(p, 3, 5000), 2);
	ck_assert_int_eq(p[0].revents, 0);
	ck_assert_int_eq(p[1].revents, POLLIN);
	ck_assert_int_eq(p[2].revents, POLLIN);
	ck_assert_int_eq(recv_tcpu(s, b, 2, 0), 2);
	ck_assert_int_eq(poll_tcpu(&p[2], 1, -1), 1); /* three bytes are left */
	ck_assert_int_eq(recv_tcpu(s, b, 8, 0), 3);
	ck_assert_int_eq(poll_tcpu(&p[2], 1, 0), 0);
	ck_assert_int_eq(shutdown_tcpu(c, SHUT_WR), 0);
	ck_assert_int_eq(poll_tcpu(&p[2], 1, 5000), 1);
	ck_assert_int_eq(p[2].revents, POLLIN);
	ck_assert_int_eq(recv_tcpu(s, b, 8, 0), 0);
	p[2].events = POLLRDHUP;
	ck_assert_int_eq(poll_tcpu(&p[2], 1, 0), 1);
	ck_assert_int_eq(p[2].revents, POLLRDHUP);
	p[0].events = POLLRDHUP | POLLIN;
	ck_assert_int_eq(poll_tcpu(&p[0], 1, 0), 0);
	p[0].fd = -1;
	p[1].fd = 1 << 28;
	ck_assert_int_eq(poll_tcpu(p, 2, 0), 1);
	ck_assert_int_eq(p[1].revents, POLLNVAL);
	close_both(s, c);
	close(pipefd[0]);
	close(pipefd[1]);
}
END_TEST

/* That the peer has ended ends a wait for that alone, bytes before it do not; and so does one's own end of reading. */
START_TEST(ended_by_peer)
{
	struct pollfd p = { .events = POLLRDHUP };
	int s, c;

	pair(&s, &c);
	p.fd = s;
	ck_assert_int_eq(send_tcpu(c, "hello", 5, TF_NODELAY), 5);
	ck_assert_int_eq(poll_tcpu(&p, 1, 10), 0);
	ck_assert_int_eq(shutdown_tcpu(_i ? s : c, _i ? SHUT_RD : SHUT_WR), 0);
	ck_assert_int_eq(poll_tcpu(&p, 1, -1), 1);
	ck_assert_int_eq(p.revents, POLLRDHUP);
	close_both(s, c);
}
END_TEST

/* A deadline makes the descriptor readable, and a call, poll_tcpu as any other, quiet again: what it would sleep on
 * would wake it at once. The peer is silent, so deadlines are all that comes. */
START_TEST(deadlines_are_met)
{
	int s, c, turns = 0;
	struct pollfd p = { .events = POLLIN };

	pair(&s, &c);
	p.fd = c;
	ck_assert_int_eq(fcntl_tcpu(c, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(send_tcpu(c, "x", 1, TF_NODELAY), 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		/* More than one turn only if the next deadline comes meanwhile. */
		for (turns = 0; poll(&p, 1, 0); turns++) {
			ck_assert_int_lt(turns, 100);
			ck_assert_int_eq(poll_tcpu(&p, 1, 0), 0);
		}
	}
	close_both(s, c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_wait");
	TCase *tc = tcase_create("wait");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refused_without_blocking, 0, 2);
	tcase_add_test(tc, connect_without_blocking);
	tcase_add_loop_test(tc, connected_by_poll, 0, 2);
	tcase_add_test(tc, threads);
	tcase_add_test(tc, event_loop);
	tcase_add_test(tc, woken_by_another_thread);
	tcase_add_test(tc, writable_by_epoll);
	tcase_add_test(tc, closed_without_waiting);
	tcase_add_test(tc, left_in_the_driver);
	tcase_add_test(tc, room_that_another_call_made);
	tcase_add_test(tc, a_little_at_a_time);
	tcase_add_test(tc, poll_exact);
	tcase_add_loop_test(tc, ended_by_peer, 0, 2);
	tcase_add_test(tc, deadlines_are_met);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

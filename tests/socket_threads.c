/* Several threads on one stack, or one socket: what one takes from the link another waits for, deadlines of sleepers,
 * and sockets that are shut or closed under a call. A link without a descriptor leaves it to the threads alone to wake
 * each other. */
#include "tests/run.h"
#include "tests/socket_lossy.h"
#include "tests/socket_peer.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A thread with one call. */
struct caller {
	pthread_t thread;
	_Atomic pid_t tid;
	int fd;
	struct sockaddr_in at; /* connect */
	void (*call)(struct caller *);
	ssize_t result;
	int error;
	short revents;
	char got[8];
};

static void do_recv(struct caller *c)
{
	c->result = recv_tcpu(c->fd, c->got, sizeof c->got, 0);
}

static void do_peek(struct caller *c)
{
	c->result = recv_tcpu(c->fd, c->got, sizeof c->got, MSG_PEEK);
}

static void do_send(struct caller *c)
{
	static char much[4 * TCPU_SNDBUF_DEFAULT];

	while ((c->result = send_tcpu(c->fd, much, sizeof much, 0)) > 0)
		continue;
}

static void do_accept(struct caller *c)
{
	c->result = accept_tcpu(c->fd, NULL, NULL);
}

static void do_connect(struct caller *c)
{
	c->result = connect_tcpu(c->fd, &c->at, sizeof c->at);
}

static void do_poll(struct caller *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	c->result = poll_tcpu(&p, 1, -1);
	c->revents = p.revents;
}

static void *run_caller(void *ctx)
{
	struct caller *c = ctx;

	atomic_store(&c->tid, gettid());
	c->call(c);
	c->error = errno;
	return NULL;
}

static char state_of(pid_t tid)
{
	char path[64], stat[256] = { 0 };
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(stat, 1, sizeof stat - 1, f), 0);
	fclose(f);
	return strrchr(stat, ')')[2];
}

/* It is inside the call, and sleeps: nobody else holds the lock that it might wait for. */
static void begin(struct caller *c, int fd, void (*call)(struct caller *))
{
	*c = (struct caller){ .fd = fd, .call = call, .at = c->at };
	ck_assert_int_eq(pthread_create(&c->thread, NULL, run_caller, c), 0);
	while (!atomic_load(&c->tid) || state_of(atomic_load(&c->tid)) != 'S')
		sched_yield();
}

static void end(struct caller *c, ssize_t result, int error)
{
	pthread_join(c->thread, NULL);
	ck_assert_int_eq(c->result, result);
	if (result < 0)
		ck_assert_int_eq(c->error, error);
}

static struct tcpu_stack *k;
static struct lossy *lossy;
static struct sockaddr_in at;
static int l;

/* On the stack; the peer has one of its own. */
static int accepted(int *peer)
{
	struct peer p = { .at = at };
	int s;

	start(&p, just_connect);
	s = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(s, 0);
	pthread_join(p.thread, NULL);
	*peer = p.fd;
	return s;
}

static void abort_(int fd)
{
	struct linger now = { 1, 0 };

	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
}

/* Until nothing of the stack's waits for time any more. */
static void come_to_rest(void)
{
	struct pollfd p = { .fd = l, .events = POLLIN };

	while (stack_turn_tcpu(k) != TCPU_NEVER)
		ck_assert_int_eq(poll_tcpu(&p, 1, 10), 0);
}

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
	for (int i = 0; i < 2; i++) {
		abort_(s[i]);
		abort_(peer[i]);
	}
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
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
	abort_(s);
	abort_(peer);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* One that was woken for nothing sleeps on, and is woken again. */
START_TEST(woken_again)
{
	struct caller c;
	int s, peer, waiting = 0;
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
	ck_assert_int_eq(send_tcpu(peer, "x", 1, TF_NODELAY), 1);
	while (!waiting)
		ck_assert_int_eq(ioctl_tcpu(s, FIONREAD, &waiting), 0);
	end(&c, 1, 0);
	ck_assert_int_eq(c.revents, POLLIN);
	abort_(s);
	abort_(peer);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
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
	for (int i = 0; i < 2; i++) {
		abort_(s[i]);
		abort_(peer[i]);
	}
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
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

/* ---- shutting and closing ---- */

static void (*const kinds[])(struct caller *) = { do_recv, do_peek, do_send, do_accept, do_poll, do_connect };

/* A descriptor on which that call waits. */
static int waits_for(void (*call)(struct caller *), struct caller *c, int *peer)
{
	socklen_t len = sizeof c->at;
	int deaf;

	*peer = -1;
	if (call == do_accept)
		return l;
	if (call != do_connect)
		return accepted(peer);
	deaf = socket(AF_INET, SOCK_DGRAM, 0);
	c->at = loopback(0);
	ck_assert_int_eq(bind(deaf, (struct sockaddr *)&c->at, sizeof c->at), 0);
	ck_assert_int_eq(getsockname(deaf, (struct sockaddr *)&c->at, &len), 0);
	return new_socket();
}

/* Inline and, from 6 on, with a helper. */
START_TEST(closed_by_another)
{
	void (*call)(struct caller *) = kinds[_i % 6];
	struct linger now = { 1, 0 };
	struct caller c;
	int fd, peer;

	k = lossy_stack(_i >= 6, &lossy, &l, &at);
	fd = waits_for(call, &c, &peer);
	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	begin(&c, fd, call);
	ck_assert_int_eq(close_tcpu(fd), 0);
	end(&c, call == do_poll ? 1 : -1, EBADF);
	if (call == do_poll)
		ck_assert_int_eq(c.revents, POLLNVAL);
	FAILS(close_tcpu(fd), EBADF);
	if (peer >= 0)
		abort_(peer);
	if (fd != l)
		ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* The last socket of a stack of its own: the call that sleeps is the last that has the stack. */
START_TEST(closed_with_its_stack)
{
	struct caller c = { 0 };
	int fd = listener(&at);

	ck_assert_int_eq(listen_tcpu(fd, 1), 0);
	begin(&c, fd, _i ? do_poll : do_accept);
	ck_assert_int_eq(close_tcpu(fd), 0);
	end(&c, _i ? 1 : -1, EBADF);
}
END_TEST

/* A close that waits for its peer is the only call that does: the others have ended, and no other can begin. */
START_TEST(closed_while_closing)
{
	struct timeval t = { 0, 200000 };
	struct caller c;
	int s, peer, waiting;

	k = lossy_stack(false, &lossy, &l, &at);
	s = accepted(&peer);
	ck_assert_int_eq(setsockopt_tcpu(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
	begin(&c, s, do_recv);
	atomic_store(&lossy->drop, 1000);
	ck_assert_int_eq(send_tcpu(s, "lost", 4, 0), 4);
	FAILS(close_tcpu(s), EAGAIN);
	end(&c, -1, EBADF);
	FAILS(ioctl_tcpu(s, FIONREAD, &waiting), EBADF);
	abort_(peer);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

START_TEST(shut_by_another)
{
	void (*call)(struct caller *) = kinds[_i];
	struct caller c;
	int fd, peer;

	k = lossy_stack(false, &lossy, &l, &at);
	fd = waits_for(call, &c, &peer);
	come_to_rest();
	begin(&c, fd, call);
	if (call == do_connect) {
		FAILS(shutdown_tcpu(fd, SHUT_RDWR), ENOTCONN);
		ck_assert_int_eq(close_tcpu(fd), 0);
		end(&c, -1, EBADF);
		fd = stack_socket_tcpu(k, SOCK_STREAM);
	} else {
		ck_assert_int_eq(shutdown_tcpu(fd, call == do_send ? SHUT_RDWR : SHUT_RD), 0);
		if (call == do_accept)
			end(&c, -1, EINVAL);
		else if (call == do_send)
			end(&c, -1, EPIPE);
		else
			end(&c, call == do_poll, 0);
	}
	if (peer >= 0)
		abort_(peer);
	if (fd != l)
		abort_(fd);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* Linux's: shutting its reading end ends the listening, and listen begins it anew. */
START_TEST(listener_shut)
{
	struct peer p;
	char b;

	l = listener(&p.at);
	ck_assert_int_eq(listen_tcpu(l, 4), 0);
	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(shutdown_tcpu(l, SHUT_WR), 0);
	FAILS(accept_tcpu(l, NULL, NULL), EAGAIN);
	ck_assert_int_eq(shutdown_tcpu(l, SHUT_RD), 0);
	FAILS(shutdown_tcpu(l, SHUT_RD), ENOTCONN);
	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, 0), 0);
	ck_assert_int_eq(listen_tcpu(l, 4), 0);
	start(&p, connect_and_send);
	p.bytes = 0;
	int s = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(recv_tcpu(s, &b, 1, 0), 0);
	ck_assert_int_eq(close_tcpu(s), 0);
	pthread_join(p.thread, NULL);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* A thread that makes calls on a number, whatever stands behind it, while this one opens and closes it. */
static _Atomic bool over;

static void *disturb(void *ctx)
{
	const int *fd = ctx;
	int waiting;

	while (!atomic_load(&over)) {
		ioctl_tcpu(*fd, FIONREAD, &waiting);
		poll_tcpu(&(struct pollfd){ .fd = *fd, .events = POLLIN }, 1, 0);
	}
	return NULL;
}

START_TEST(entered_while_closing)
{
	pthread_t thread;
	int fd = new_socket();

	atomic_store(&over, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, disturb, &fd), 0);
	for (int i = 0; i < 3000; i++) {
		ck_assert_int_eq(close_tcpu(fd), 0);
		ck_assert_int_eq(new_socket(), fd);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	ck_assert_int_eq(close_tcpu(fd), 0);
}
END_TEST

/* ---- a link that goes away ---- */

START_TEST(link_gone)
{
	void (*call)(struct caller *) = kinds[_i];
	struct pollfd p = { .events = POLLIN };
	struct caller c;
	int fd, peer;
	char b;

	k = lossy_stack(false, &lossy, &l, &at);
	fd = waits_for(call, &c, &peer);
	begin(&c, fd, call);
	atomic_store(&lossy->gone, true);
	p.fd = fd;
	ck_assert_int_eq(poll_tcpu(&p, 1, 0), 1); /* any call finds out */
	ck_assert_int_eq(p.revents & (POLLIN | POLLERR), POLLIN | POLLERR);
	end(&c, call == do_poll ? 1 : -1, ENETDOWN);
	if (call == do_poll)
		ck_assert_int_ne(c.revents & POLLERR, 0);
	ck_assert_int_le(recv_tcpu(fd, &b, 1, 0), 0);
	ck_assert_uint_eq(stack_turn_tcpu(k), TCPU_NEVER);
	ck_assert_int_eq(stack_fd_tcpu(k), -1);
	if (peer >= 0)
		abort_(peer);
	if (fd != l)
		abort_(fd);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("threads");
	TCase *t = tcase_create("threads");

	tcase_add_loop_test(t, deadline_of_another_call, 0, 4);
	tcase_add_test(t, deadline_passed_on);
	tcase_add_loop_test(t, taken_by_another_call, 0, 6);
	tcase_add_test(t, woken_again);
	tcase_add_test(t, left_by_another_call);
	tcase_add_test(t, only_socket);
	tcase_add_loop_test(t, closed_by_another, 0, 12);
	tcase_add_loop_test(t, closed_with_its_stack, 0, 2);
	tcase_add_test(t, closed_while_closing);
	tcase_add_loop_test(t, shut_by_another, 0, 6);
	tcase_add_test(t, listener_shut);
	tcase_add_test(t, entered_while_closing);
	tcase_add_loop_test(t, link_gone, 0, 5); /* connect's link is another */
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

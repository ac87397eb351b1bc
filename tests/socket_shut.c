/* Sockets that are shut or closed under another thread's call, links that go away, threads that end. */
#include "tests/run.h"
#include "tests/socket_caller.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
	void (*call)(struct caller *) = kinds[_i % 6];
	struct caller c;
	int fd, peer;

	k = lossy_stack(_i >= 6, &lossy, &l, &at);
	fd = waits_for(call, &c, &peer);
	come_to_rest();
	begin(&c, fd, call);
	ck_assert_int_eq(shutdown_tcpu(fd, call == do_send ? SHUT_RDWR : SHUT_RD), 0);
	if (call == do_accept)
		end(&c, -1, EINVAL);
	else if (call == do_connect)
		end(&c, -1, ECONNABORTED);
	else if (call == do_send)
		end(&c, -1, EPIPE);
	else
		end(&c, call == do_poll, 0);
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
	struct pollfd w = { .events = POLLIN };
	struct peer p;
	char b;

	l = listener(&p.at);
	ck_assert_int_eq(listen_tcpu(l, 4), 0);
	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(shutdown_tcpu(l, SHUT_WR), 0);
	FAILS(accept_tcpu(l, NULL, NULL), EAGAIN);
	ck_assert_int_eq(shutdown_tcpu(l, SHUT_RD), 0);
	FAILS(shutdown_tcpu(l, SHUT_RD), ENOTCONN);
	FAILS(accept_tcpu(l, NULL, NULL), EINVAL); /* it does not listen by itself again */
	w.fd = l;
	ck_assert_int_eq(poll(&w, 1, 0), 1); /* whoever watches the descriptor is to know */
	ck_assert_int_eq(poll_tcpu(&w, 1, 0), 1);
	ck_assert_int_eq(w.revents, POLLHUP);
	ck_assert_int_eq(fcntl_tcpu(l, F_SETFL, 0), 0);
	ck_assert_int_eq(listen_tcpu(l, 4), 0);
	ck_assert_int_eq(poll(&w, 1, 0), 0);
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

/* A close that waits holds the number, but none of its calls. */
START_TEST(polled_while_closing)
{
	struct timeval t = { 60, 0 };
	struct pollfd p = { .events = POLLIN };
	struct caller c;
	int s, peer;

	k = lossy_stack(false, &lossy, &l, &at);
	s = p.fd = accepted(&peer);
	ck_assert_int_eq(setsockopt_tcpu(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
	atomic_store(&lossy->drop, 1);
	ck_assert_int_eq(send_tcpu(s, "late", 4, 0), 4);
	begin(&c, s, do_close);
	ck_assert_int_eq(poll_tcpu(&p, 1, -1), 1);
	ck_assert_int_eq(p.revents, POLLNVAL);
	ck_assert_int_eq(recv_tcpu(peer, c.got, sizeof c.got, MSG_WAITALL), 4);
	ck_assert_int_eq(close_tcpu(peer), 0);
	end(&c, 0, 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* Both who wait for one connection are told that it came to nothing: one by its error. */
START_TEST(connected_by_two)
{
	int patience_ms = 1500;
	struct caller c[2];
	int fd, peer;

	k = lossy_stack(false, &lossy, &l, &at);
	fd = waits_for(do_connect, &c[0], &peer);
	c[1].at = c[0].at;
	ck_assert_int_eq(setsockopt_tcpu(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms), 0);
	for (int i = 0; i < 2; i++)
		begin(&c[i], fd, do_connect);
	for (int i = 0; i < 2; i++) {
		pthread_join(c[i].thread, NULL);
		ck_assert_int_eq(c[i].result, -1);
	}
	ck_assert((c[0].error == ETIMEDOUT && c[1].error == ECONNABORTED) ||
		(c[1].error == ETIMEDOUT && c[0].error == ECONNABORTED));
	ck_assert_int_eq(close_tcpu(fd), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
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

/* ---- threads that end, processes that fork ---- */

static pthread_key_t late;

static int descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A destructor of the application's sleeps in a call, behind TCPU's: it has an eventfd of its own, since the number of
 * the thread's is another file's by then, and none is left. */
static struct caller sleeper;
static _Atomic bool at_the_end;
static int file;

static void call_late(void *unused)
{
	struct stat now;

	(void)unused;
	file = memfd_create("another file", 0);
	atomic_store(&at_the_end, true);
	do_recv(&sleeper);
	ck_assert_int_eq(fstat(file, &now), 0);
	ck_assert_int_eq(now.st_size, 0);
	close(file);
}

static void recv_and_end(struct caller *c)
{
	do_recv(c);
	pthread_setspecific(late, &late);
}

START_TEST(call_at_the_end_of_a_thread)
{
	int s, peer, before;

	k = lossy_stack(false, &lossy, &l, &at);
	s = accepted(&peer);
	come_to_rest(); /* sleeps, so that TCPU's key is there: the later key's destructor runs later */
	ck_assert_int_eq(pthread_key_create(&late, call_late), 0);
	atomic_store(&lossy->silent, true);
	before = descriptors();
	begin(&sleeper, s, recv_and_end);
	bring(peer, s);
	while (!atomic_load(&at_the_end) || state_of(sleeper.tid) != 'S')
		sched_yield();
	bring(peer, s);
	end(&sleeper, 1, 0);
	ck_assert_int_eq(descriptors(), before);
	end_stack(&s, &peer, 1);
}
END_TEST

/* In the child, where the thread that forked ends, no number is closed that is another file's by then. */
static pid_t child;
static int open_in_child;

static void end_child(void *unused)
{
	(void)unused;
	_exit(descriptors() != open_in_child);
}

static void *fork_here(void *ctx)
{
	int pipes[64][2];

	do_recv(ctx); /* the thread has an eventfd now */
	child = fork();
	if (child)
		return NULL;
	for (int i = 0; i < 64; i++)
		if (pipe(pipes[i]))
			_exit(2);
	open_in_child = descriptors();
	pthread_setspecific(late, &late); /* a key behind TCPU's: its destructor runs behind that one's */
	return NULL;
}

START_TEST(fork_in_a_thread)
{
	struct caller c = { 0 };
	int peer, status;

	k = lossy_stack(false, &lossy, &l, &at);
	c.fd = accepted(&peer);
	come_to_rest();
	ck_assert_int_eq(pthread_key_create(&late, end_child), 0);
	ck_assert_int_eq(pthread_create(&c.thread, NULL, fork_here, &c), 0);
	ck_assert_int_eq(send_tcpu(peer, "x", 1, TF_NODELAY), 1);
	pthread_join(c.thread, NULL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	end_stack(&c.fd, &peer, 1);
}
END_TEST

/* ---- a link that goes away ---- */

START_TEST(link_gone)
{
	void (*call)(struct caller *) = kinds[_i % 5];
	struct pollfd p = { .events = POLLIN };
	struct caller c;
	int fd, peer, error;
	socklen_t len = sizeof error;
	char b;

	k = lossy_stack(_i >= 5, &lossy, &l, &at);
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
	p.fd = l;
	ck_assert_int_eq(poll(&p, 1, 0), 1); /* a descriptor that nobody has watched tells */
	ck_assert_int_eq(getsockopt_tcpu(l, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	ck_assert_int_eq(error, ENETDOWN);
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
	Suite *s = suite_create("socket_shut");
	TCase *t = tcase_create("socket_shut");

	tcase_add_loop_test(t, closed_by_another, 0, 12);
	tcase_add_loop_test(t, closed_with_its_stack, 0, 2);
	tcase_add_test(t, closed_while_closing);
	tcase_add_loop_test(t, shut_by_another, 0, 12);
	tcase_add_test(t, listener_shut);
	tcase_add_test(t, polled_while_closing);
	tcase_add_test(t, connected_by_two);
	tcase_add_test(t, entered_while_closing);
	tcase_add_test(t, call_at_the_end_of_a_thread);
	tcase_add_test(t, fork_in_a_thread);
	tcase_add_loop_test(t, link_gone, 0, 10); /* connect's link is another */
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

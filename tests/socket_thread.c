/* The helper thread: what goes on while the application is not inside a call. Whoever waits here waits in a call for
 * what only the other side's helper can have done. */
#include "tests/run.h"
#include "tests/socket_lossy.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include "core/link/udp.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_thread(int fd, int on)
{
	ck_assert_int_eq(setsockopt_tcpu(fd, IPPROTO_TCPK, TCPU_THREAD, &on, sizeof on), 0);
}

static int get_thread(int fd)
{
	socklen_t len = sizeof(int);
	int on = -1;

	ck_assert_int_eq(getsockopt_tcpu(fd, IPPROTO_TCPK, TCPU_THREAD, &on, &len), 0);
	return on;
}

static int helpers(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d))) {
		char path[300], name[16] = { 0 };
		FILE *f;

		snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
		f = fopen(path, "r");
		n += f && fgets(name, sizeof name, f) && !strcmp(name, "tcpu\n");
		if (f)
			fclose(f);
	}
	closedir(d);
	return n;
}

/* The helper has driven the stack since the last call, and so goes on until the next. */
static void await_helper(struct lossy *l)
{
	int before = atomic_load(&l->driven);

	while (atomic_load(&l->driven) == before)
		sched_yield();
}

/* ---- */

START_TEST(on_and_off)
{
	int fd = new_socket(), other = new_socket();

	ck_assert_int_eq(helpers(), 0);
	ck_assert_int_eq(get_thread(fd), 0);
	set_thread(fd, 1);
	set_thread(fd, 1);
	set_thread(other, 1);
	ck_assert_int_eq(get_thread(fd), 1);
	ck_assert_int_eq(helpers(), 1); /* one for all */
	set_thread(fd, 0);
	ck_assert_int_eq(get_thread(fd), 0);
	ck_assert_int_eq(close_tcpu(other), 0);
	while (helpers()) /* the last one is gone; the kernel lists it a moment longer than it can be joined */
		sched_yield();
	set_thread(fd, 1);
	ck_assert_int_eq(helpers(), 1);
	ck_assert_int_eq(close_tcpu(fd), 0);
}
END_TEST

START_TEST(none_in_virtual_time)
{
	struct tcpu_stack_config c = { .thread = true };
	struct tcpu_stack *k;
	struct machine m;
	int fd, on = 1;

	machine_start(&m, NULL);
	c.link = link_sim_host(m.sim, 0x0300000a, 1480, 100000);
	FAILS(stack_tcpu(&c, &k), EAGAIN);
	fd = stack_socket_tcpu(m.stack[0], SOCK_STREAM);
	FAILS(setsockopt_tcpu(fd, IPPROTO_TCPK, TCPU_THREAD, &on, sizeof on), EAGAIN);
	ck_assert_int_eq(get_thread(fd), 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
	machine_stop(&m);
}
END_TEST

/* The application computes, that is: makes no call. Its peer's close returns when all is acknowledged, or else after a
 * minute with EAGAIN. */
START_TEST(acknowledges)
{
	static uint8_t b[100000], got[sizeof b];
	struct linger minute = { 1, 60 };
	struct sockaddr_in at;
	struct lossy *lossy;
	struct tcpu_stack *k;
	struct peer p;
	int l, s;

	k = lossy_stack(true, &lossy, &l, &at);
	p.at = at;
	start(&p, just_connect);
	s = accept_tcpu(l, NULL, NULL);
	pthread_join(p.thread, NULL);
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = byte_at(i);
	ck_assert_int_eq(setsockopt_tcpu(p.fd, SOL_SOCKET, SO_LINGER, &minute, sizeof minute), 0);
	ck_assert_int_eq(send_tcpu(p.fd, b, sizeof b, 0), sizeof b);
	ck_assert_int_eq(close_tcpu(p.fd), 0);
	ck_assert_int_eq(recv_tcpu(s, got, sizeof got, MSG_WAITALL), sizeof got);
	ck_assert_mem_eq(b, got, sizeof b);
	ck_assert_int_eq(close_tcpu(s), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
	ck_assert_int_eq(helpers(), 0);
}
END_TEST

/* It accepts connections, as far as the backlog goes. */
START_TEST(completes_handshakes)
{
	struct sockaddr_in at;
	struct lossy *lossy;
	struct tcpu_stack *k;
	struct pollfd w = { .events = POLLIN };
	int l, c[3], s;

	k = lossy_stack(true, &lossy, &l, &at);
	for (int i = 0; i < 3; i++) {
		c[i] = new_socket();
		ck_assert_int_eq(connect_tcpu(c[i], &at, sizeof at), 0);
	}
	w.fd = l;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(poll(&w, 1, 20000), 1); /* it tells, though the descriptor blocks */
		s = accept_tcpu(l, NULL, NULL);
		ck_assert_int_ge(s, 0);
		ck_assert_int_eq(close_tcpu(s), 0);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(close_tcpu(c[i]), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* What is lost is sent again though the sender makes no call any more; _i: it has even closed. */
START_TEST(retransmits)
{
	struct sockaddr_in at;
	struct lossy *lossy;
	struct tcpu_stack *k;
	struct peer p;
	char b[8];
	int l, s;

	k = lossy_stack(true, &lossy, &l, &at);
	p.at = at;
	start(&p, just_connect);
	s = accept_tcpu(l, NULL, NULL);
	pthread_join(p.thread, NULL);
	await_helper(lossy);
	atomic_store(&lossy->drop, 2);
	ck_assert_int_eq(send_tcpu(s, "again", 5, 0), 5);
	if (_i)
		ck_assert_int_eq(close_tcpu(s), 0);
	ck_assert_int_eq(recv_tcpu(p.fd, b, sizeof b, _i ? MSG_WAITALL : MSG_PEEK), 5);
	ck_assert_mem_eq(b, "again", 5);
	if (_i) {
		ck_assert_int_eq(recv_tcpu(p.fd, b, sizeof b, 0), 0);
	} else {
		ck_assert_int_eq(recv_tcpu(p.fd, b, sizeof b, 0), 5);
		ck_assert_int_eq(close_tcpu(s), 0);
	}
	ck_assert_int_eq(atomic_load(&lossy->drop), 0);
	ck_assert_int_eq(close_tcpu(p.fd), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* From one call to the next something is due where nothing was: the helper learns that. */
START_TEST(connects)
{
	struct lossy *lossy;
	struct tcpu_stack *k;
	struct sockaddr_in at;
	int unused, l = listener(&at), c, s;

	ck_assert_int_eq(listen_tcpu(l, 1), 0);
	k = lossy_stack(true, &lossy, &unused, &(struct sockaddr_in){ 0 });
	ck_assert_int_eq(close_tcpu(unused), 0);
	c = stack_socket_tcpu(k, SOCK_STREAM | SOCK_NONBLOCK);
	await_helper(lossy);
	atomic_store(&lossy->drop, 1); /* the SYN */
	FAILS(connect_tcpu(c, &at, sizeof at), EINPROGRESS);
	s = accept_tcpu(l, NULL, NULL);
	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(close_tcpu(c), 0);
	ck_assert_int_eq(close_tcpu(s), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* As long as a call is under way, be it asleep, the helper keeps off; when it has ended, it comes back. */
static void *send_slowly(void *ctx)
{
	struct peer *p = ctx;
	struct lossy *lossy = p->ctx;

	while (!atomic_load(&lossy->called)) /* the other one is inside its call */
		sched_yield();
	for (size_t i = 0; i < p->bytes; i++)
		ck_assert_int_eq(send_tcpu(p->fd, "x", 1, TF_NODELAY), 1);
	return NULL;
}

START_TEST(keeps_off)
{
	enum { BYTES = 20000 };
	static char b[BYTES];
	struct pollfd w = { .events = POLLIN };
	struct lossy *lossy;
	struct tcpu_stack *k;
	struct peer p;
	int l, s;

	k = lossy_stack(true, &lossy, &l, &p.at);
	start(&p, just_connect);
	s = accept_tcpu(l, NULL, NULL);
	pthread_join(p.thread, NULL);
	p.ctx = lossy;
	p.bytes = BYTES;
	await_helper(lossy);
	ck_assert_int_eq(get_thread(s), 1); /* a call that is over at once: the next one is not the first */
	atomic_store(&lossy->called, 0);
	atomic_store(&lossy->between, 0);
	start(&p, send_slowly);
	ck_assert_int_eq(recv_tcpu(s, b, BYTES, MSG_WAITALL), BYTES);
	pthread_join(p.thread, NULL);
	ck_assert_int_eq(atomic_load(&lossy->between), 0);
	await_helper(lossy);
	w.fd = s;
	ck_assert_int_eq(poll_tcpu(&w, 1, 1), 0); /* the same with this call, and its end */
	await_helper(lossy);
	ck_assert_int_eq(close_tcpu(s), 0);
	ck_assert_int_eq(close_tcpu(p.fd), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* A descriptor that nobody watches by TCPU's calls is told of by the helper, as long as bytes are left. */
START_TEST(tells)
{
	struct pollfd w = { .events = POLLIN };
	struct peer p = { .bytes = 100000 };
	int l = listener(&p.at), s;
	uint8_t b[7777];
	size_t at = 0;
	ssize_t n;

	set_thread(l, 1);
	ck_assert_int_eq(listen_tcpu(l, 1), 0); /* or the helper refuses who comes */
	start(&p, connect_and_send);
	w.fd = s = accept_tcpu(l, NULL, NULL);
	ck_assert_int_eq(get_thread(s), 1);
	do {
		ck_assert_int_eq(poll(&w, 1, 20000), 1);
		n = recv_tcpu(s, b, sizeof b, MSG_DONTWAIT);
		ck_assert(n >= 0 || errno == EAGAIN);
		for (ssize_t i = 0; i < n; i++)
			if (b[i] != byte_at(at + (size_t)i))
				ck_abort_msg("byte %zu is wrong", at + (size_t)i);
		at += n > 0 ? (size_t)n : 0;
	} while (n);
	ck_assert_uint_eq(at, p.bytes);
	ck_assert_int_eq(close_tcpu(s), 0);
	pthread_join(p.thread, NULL);
	ck_assert_int_eq(close_tcpu(l), 0);
}
END_TEST

/* Several threads with several sockets of one helped stack. */
static void *echo(void *ctx)
{
	struct peer *p = ctx;
	uint8_t b[3000];
	ssize_t n;

	while ((n = recv_tcpu(p->fd, b, sizeof b, 0)) > 0) {
		ck_assert_int_eq(send_tcpu(p->fd, b, (size_t)n, TF_NODELAY), n);
		p->bytes += (size_t)n;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(close_tcpu(p->fd), 0);
	return NULL;
}

static void *ask(void *ctx)
{
	struct peer *p = ctx;
	struct pollfd w = { .events = POLLIN };
	uint8_t b[2000];

	just_connect(p);
	set_thread(p->fd, 1);
	w.fd = p->fd;
	for (size_t at = 0; at < p->bytes; at += sizeof b) {
		memset(b, (int)(at / sizeof b), sizeof b);
		ck_assert_int_eq(send_tcpu(p->fd, b, sizeof b, TF_NODELAY), sizeof b);
		ck_assert_int_eq(poll_tcpu(&w, 1, 20000), 1);
		ck_assert_int_eq(recv_tcpu(p->fd, b, sizeof b, MSG_WAITALL), sizeof b);
		ck_assert_uint_eq(b[sizeof b - 1], (uint8_t)(at / sizeof b));
	}
	ck_assert_int_eq(close_tcpu(p->fd), 0);
	return NULL;
}

START_TEST(several_threads)
{
	enum { PAIRS = 4 };
	struct peer asking[PAIRS], echoing[PAIRS];
	struct sockaddr_in at;
	struct lossy *lossy;
	struct tcpu_stack *k;
	int l;

	k = lossy_stack(true, &lossy, &l, &at);
	for (int i = 0; i < PAIRS; i++) {
		asking[i] = (struct peer){ .at = at, .bytes = 200000 };
		start(&asking[i], ask);
		echoing[i] = (struct peer){ .fd = accept_tcpu(l, NULL, NULL) };
		ck_assert_int_ge(echoing[i].fd, 0);
		start(&echoing[i], echo);
	}
	for (int i = 0; i < PAIRS; i++) {
		pthread_join(asking[i].thread, NULL);
		pthread_join(echoing[i].thread, NULL);
		ck_assert_uint_eq(echoing[i].bytes, asking[i].bytes);
	}
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* A child has no helper, and may have another. */
START_TEST(fork_without_helper)
{
	int fd = new_socket(), status;
	pid_t child;

	set_thread(fd, 1);
	child = fork();
	if (!child) {
		int mine = socket_tcpu(AF_INET, SOCK_STREAM, 0), on = 1;

		if (helpers() || setsockopt_tcpu(mine, IPPROTO_TCPK, TCPU_THREAD, &on, sizeof on) || helpers() != 1)
			_exit(1);
		_exit(close_tcpu(mine) != 0);
	}
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(helpers(), 1);
	ck_assert_int_eq(close_tcpu(fd), 0);
}
END_TEST

/* Ten seconds without a call, by turns and in virtual time: the peer has its ACKs, what was lost has come again, and
 * the connection goes on as if nothing had been. */
static int dropped;

static bool drop_some(void *ctx, struct link_sim_packet *p)
{
	(void)ctx;
	if (p->len <= (p->segment[12] >> 4) * 4U || dropped >= 5 || p->number % 3)
		return true;
	dropped++;
	return false;
}

START_TEST(ten_seconds)
{
	static uint8_t b[20000], got[sizeof b];
	struct machine m;
	int l, here, there, owed = -1;

	for (size_t i = 0; i < sizeof b; i++)
		b[i] = byte_at(i);
	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
	link_sim_filter(m.sim, drop_some, NULL);
	ck_assert_int_eq(send_tcpu(here, b, sizeof b, 0), sizeof b);
	ck_assert_int_eq(send_tcpu(there, b, sizeof b, 0), sizeof b);
	machine_pass(&m, 10000000);
	ck_assert_int_eq(dropped, 5);
	ck_assert_int_eq(ioctl_tcpu(here, SIOCOUTQ, &owed), 0);
	ck_assert_int_eq(owed, 0);
	ck_assert_int_eq(recv_tcpu(here, got, sizeof got, MSG_DONTWAIT), sizeof got);
	ck_assert_mem_eq(b, got, sizeof b);
	ck_assert_int_eq(recv_tcpu(there, got, sizeof got, MSG_DONTWAIT), sizeof got);
	ck_assert_mem_eq(b, got, sizeof b);
	close_both(here, there);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_thread");
	TCase *tc = tcase_create("thread");
	SRunner *runner = srunner_create(suite);

	srunner_set_fork_status(runner, CK_FORK); /* what a closed socket still owes keeps the helper in its process */
	tcase_set_timeout(tc, 90);
	tcase_add_test(tc, on_and_off);
	tcase_add_test(tc, none_in_virtual_time);
	tcase_add_test(tc, acknowledges);
	tcase_add_test(tc, completes_handshakes);
	tcase_add_loop_test(tc, retransmits, 0, 2);
	tcase_add_test(tc, connects);
	tcase_add_test(tc, keeps_off);
	tcase_add_test(tc, tells);
	tcase_add_test(tc, several_threads);
	tcase_add_test(tc, fork_without_helper);
	tcase_add_test(tc, ten_seconds);
	suite_add_tcase(suite, tc);
	return run_tests(runner);
}

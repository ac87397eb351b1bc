#include "tests/socket_caller.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void do_recv(struct caller *c)
{
	c->result = recv_tcpu(c->fd, c->got, sizeof c->got, 0);
}

void do_peek(struct caller *c)
{
	c->result = recv_tcpu(c->fd, c->got, sizeof c->got, MSG_PEEK);
}

void do_send(struct caller *c)
{
	static char much[4 * TCPU_SNDBUF_DEFAULT];

	while ((c->result = send_tcpu(c->fd, much, sizeof much, 0)) > 0)
		continue;
}

void do_close(struct caller *c)
{
	c->result = close_tcpu(c->fd);
}

void do_accept(struct caller *c)
{
	c->result = accept_tcpu(c->fd, NULL, NULL);
}

void do_connect(struct caller *c)
{
	c->result = connect_tcpu(c->fd, &c->at, sizeof c->at);
}

void do_poll(struct caller *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	c->result = poll_tcpu(&p, 1, -1);
	c->revents = p.revents;
}

void *run_caller(void *ctx)
{
	struct caller *c = ctx;

	atomic_store(&c->tid, gettid());
	c->call(c);
	c->error = errno;
	return NULL;
}

char state_of(pid_t tid)
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

void begin(struct caller *c, int fd, void (*call)(struct caller *))
{
	*c = (struct caller){ .fd = fd, .call = call, .at = c->at };
	ck_assert_int_eq(pthread_create(&c->thread, NULL, run_caller, c), 0);
	while (!atomic_load(&c->tid) || state_of(atomic_load(&c->tid)) != 'S')
		sched_yield();
}

void end(struct caller *c, ssize_t result, int error)
{
	pthread_join(c->thread, NULL);
	ck_assert_int_eq(c->result, result);
	if (result < 0)
		ck_assert_int_eq(c->error, error);
}

struct tcpu_stack *k;
struct lossy *lossy;
struct sockaddr_in at;
int l;

int accepted(int *peer)
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

void abort_(int fd)
{
	struct linger now = { 1, 0 };

	ck_assert_int_eq(setsockopt_tcpu(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	ck_assert_int_eq(close_tcpu(fd), 0);
}

void bring(int peer, int s)
{
	int waiting = 0;

	ck_assert_int_eq(send_tcpu(peer, "x", 1, TF_NODELAY), 1);
	while (!waiting)
		ck_assert_int_eq(ioctl_tcpu(s, FIONREAD, &waiting), 0);
}

void end_stack(const int *s, const int *peer, int n)
{
	for (int i = 0; i < n; i++) {
		abort_(s[i]);
		abort_(peer[i]);
	}
	ck_assert_int_eq(close_tcpu(l), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}

void come_to_rest(void)
{
	struct pollfd p = { .fd = l, .events = POLLIN };

	while (stack_turn_tcpu(k) != TCPU_NEVER)
		ck_assert_int_eq(poll_tcpu(&p, 1, 10), 0);
}

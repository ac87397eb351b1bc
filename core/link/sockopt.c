/* The calls of core/tcpu.h that ask and set. */
#include "core/link/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

static int info(struct sock *s, struct tcpu_info *i)
{
	if (!s->tcb || s->listening)
		return -ENOTCONN;
	tcpu_info(s->tcb, i);
	return 0;
}

int info_tcpu(int fd, struct tcpu_info *i)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, info(s, i)) : -1;
}

int getsockname_tcpu(int fd, struct sockaddr_in *addr, socklen_t *addrlen)
{
	struct sock *s = sock_enter(fd);
	struct tcpu_info i;

	if (!s)
		return -1;
	sock_give_address(!info(s, &i) ? i.local : s->claim ? s->claim->local : (struct link_addr){ 0 }, addr, addrlen);
	return (int)sock_leave(s, 0);
}

int getpeername_tcpu(int fd, struct sockaddr_in *addr, socklen_t *addrlen)
{
	struct sock *s = sock_enter(fd);
	struct tcpu_info i;
	int e;

	if (!s)
		return -1;
	e = sock_is_open(s) ? info(s, &i) : -ENOTCONN;
	if (!e)
		sock_give_address(i.remote, addr, addrlen);
	return (int)sock_leave(s, e);
}

static int control(struct sock *s, int cmd, int arg)
{
	if (cmd == F_GETFL)
		return O_RDWR | (s->nonblock ? O_NONBLOCK : 0);
	if (cmd != F_SETFL || arg & ~(O_NONBLOCK | O_ACCMODE))
		return -EINVAL;
	s->nonblock = arg & O_NONBLOCK;
	return 0;
}

int fcntl_tcpu(int fd, int cmd, int arg)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, control(s, cmd, arg)) : -1;
}

/* ---- options ---- */

static uint64_t *timeout_of(struct sock *s, int level, int name)
{
	if (level != SOL_SOCKET || (name != SO_SNDTIMEO && name != SO_RCVTIMEO))
		return NULL;
	return name == SO_SNDTIMEO ? &s->send_timeout_us : &s->recv_timeout_us;
}

/* The options that are sizes, and bind when the connection begins. */
static uint32_t *size_of(struct tcpu_options *o, int level, int name)
{
	if (level == SOL_SOCKET && name == SO_SNDBUF)
		return &o->sndbuf_bytes;
	if (level == SOL_SOCKET && name == SO_RCVBUF)
		return &o->rcvbuf_bytes;
	return level == IPPROTO_TCP && name == TCP_MAXSEG ? &o->mss_max : NULL;
}

static void options_of(const struct sock *s, struct tcpu_options *o)
{
	if (s->tcb)
		tcpu_options(s->tcb, o);
	else
		*o = s->options;
}

static int set(struct sock *s, int level, int name, const void *value, socklen_t len)
{
	uint64_t *timeout_us = timeout_of(s, level, name);
	struct tcpu_options o;
	uint32_t *size = size_of(&o, level, name);
	struct timeval t;
	int v;

	if (timeout_us) {
		if (len < sizeof t)
			return -EINVAL;
		memcpy(&t, value, sizeof t);
		if (t.tv_sec < 0 || t.tv_usec < 0 || t.tv_usec >= 1000000)
			return -EDOM;
		*timeout_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
		return 0;
	}
	if (!size && (level != IPPROTO_TCP || name != TCP_NODELAY))
		return -ENOPROTOOPT;
	if (len < sizeof v)
		return -EINVAL;
	memcpy(&v, value, sizeof v);
	options_of(s, &o);
	if (size && (v <= 0 || s->tcb))
		return -EINVAL;
	if (size)
		*size = (uint32_t)v;
	else
		o.nodelay = v;
	if (s->tcb)
		return tcpu_set_options(s->tcb, &o);
	s->options = o;
	return 0;
}

int setsockopt_tcpu(int fd, int level, int name, const void *value, socklen_t len)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, set(s, level, name, value, len)) : -1;
}

/* The error that waits, once. What came may hold it, and whoever asks has been woken by that. */
static int take_error(struct sock *s)
{
	int e = s->error;

	stack_catch_up(s->stack);
	s->error = 0;
	return e || !s->tcb || s->listening ? e : tcpu_error(s->tcb);
}

static int get(struct sock *s, int level, int name, void *value, socklen_t *len)
{
	uint64_t *timeout_us = timeout_of(s, level, name);
	struct tcpu_options o;
	uint32_t *size = size_of(&o, level, name);
	struct tcpu_info i;
	struct timeval t;
	int v;

	if (timeout_us) {
		if (*len < sizeof t)
			return -EINVAL;
		t = (struct timeval){ (time_t)(*timeout_us / 1000000), (suseconds_t)(*timeout_us % 1000000) };
		memcpy(value, &t, sizeof t);
		*len = sizeof t;
		return 0;
	}
	options_of(s, &o);
	if (size == &o.mss_max && !info(s, &i))
		v = (int)i.mss;
	else if (size)
		v = (int)(*size ? *size : size == &o.mss_max ? 0 : TCPU_RCVBUF_DEFAULT);
	else if (level == IPPROTO_TCP && name == TCP_NODELAY)
		v = o.nodelay;
	else if (level == SOL_SOCKET && name == SO_ERROR)
		v = take_error(s);
	else
		return -ENOPROTOOPT;
	if (*len < sizeof v)
		return -EINVAL;
	memcpy(value, &v, sizeof v);
	*len = sizeof v;
	return 0;
}

int getsockopt_tcpu(int fd, int level, int name, void *value, socklen_t *len)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, get(s, level, name, value, len)) : -1;
}

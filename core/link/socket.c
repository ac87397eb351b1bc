/* The calls of core/tcpu.h that make, name, open and close. */
#include "core/link/stack.h"

#include "core/link/host.h"

#include <errno.h>

#define PORT_TRIES 64
#define FIN_WAIT_US 1000000 /* how long a blocking close waits for FINs: a peer between its calls answers none */

static int address(const struct sockaddr_in *addr, socklen_t addrlen, struct link_addr *out)
{
	if (addrlen < sizeof *addr)
		return -EINVAL;
	if (addr->sin_family != AF_INET)
		return -EAFNOSUPPORT;
	*out = (struct link_addr){ addr->sin_addr.s_addr, addr->sin_port };
	return 0;
}

static int bind_(struct sock *s, const struct sockaddr_in *addr, socklen_t addrlen)
{
	struct link_addr want;
	int e = address(addr, addrlen, &want);

	if (e)
		return e;
	if (s->claim)
		return -EINVAL;
	/* A connection that was closed, and be it in TIME-WAIT, still has its port. */
	if (want.port && !s->reuse && tcpu_holds(s->stack->engine, want))
		return -EADDRINUSE;
	return sock_claim(s, want);
}

int bind_tcpu(int fd, const struct sockaddr_in *addr, socklen_t addrlen)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, bind_(s, addr, addrlen)) : -1;
}

static int listen_(struct sock *s, int backlog)
{
	struct tcb *l;
	unsigned most = backlog > 0 ? (unsigned)backlog : 1;
	int e = 0;

	if (s->listening) {
		tcpu_backlog(s->tcb, most);
		return 0;
	}
	if (s->tcb)
		return -EINVAL;
	if (!s->claim)
		e = sock_claim(s, (struct link_addr){ 0 });
	if (!e)
		e = tcpu_listen(s->stack->engine, s->claim->local, most, s->options, &l);
	if (e)
		return e;
	sock_take(s, l);
	s->listening = true;
	return 0;
}

int listen_tcpu(int fd, int backlog)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, listen_(s, backlog)) : -1;
}

static int accept_(struct sock *s, struct sockaddr_in *addr, socklen_t *addrlen)
{
	uint64_t until_us = sock_until(s, s->recv_timeout_us, 0);
	struct tcpu_info info;
	struct sock *n;
	struct tcb *c;
	int e = s->listening ? 0 : s->unlistened ? -EINVAL : listen_(s, SOMAXCONN);

	if (e)
		return e;
	while (s->stack->gone || !(sock_ready(s) & TCPU_IN)) {
		e = sock_wait(s, TCPU_IN, until_us, NULL);
		if (e)
			return s->unlistened ? -EINVAL : e;
	}
	/* The descriptor first: what fails leaves the connection in the backlog. */
	e = sock_new(s->stack, s->claim, &n);
	if (e)
		return e;
	e = tcpu_accept(s->tcb, &c);
	if (e) {
		sock_close(n);
		sock_end(n);
		return e;
	}
	sock_take(n, c);
	sock_watch(n, sock_usual_want(n));
	n->send_timeout_us = s->send_timeout_us;
	n->recv_timeout_us = s->recv_timeout_us;
	n->linger = s->linger;
	n->linger_seconds = s->linger_seconds;
	n->reuse = s->reuse;
	tcpu_info(n->tcb, &info);
	if (addr && addrlen)
		sock_give_address(info.remote, addr, addrlen);
	return n->fd;
}

int accept_tcpu(int fd, struct sockaddr_in *addr, socklen_t *addrlen)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, accept_(s, addr, addrlen)) : -1;
}

/* 0: established; -EINPROGRESS; or why it failed, and then the socket may connect again. */
static int connected(struct sock *s)
{
	int e;

	if (sock_state(s) == TCPU_SYN_SENT || sock_state(s) == TCPU_SYN_RECEIVED)
		return -EINPROGRESS;
	s->connecting = false;
	e = tcpu_error(s->tcb);
	if (!e && sock_is_open(s))
		return 0;
	sock_untake(s);
	return e ? -e : -ECONNABORTED;
}

/* An address to connect from. */
static int choose_local(struct sock *s, const struct link_addr *remote, struct link_addr *local)
{
	struct link *link = s->stack->link;
	int e = 0;

	*local = s->claim ? s->claim->local : (struct link_addr){ 0 };
	if (link->ops->route)
		e = link->ops->route(link, remote->ip, &local->ip);
	if (!e && !s->claim)
		e = sock_claim(s, *local);
	if (e)
		return e;
	*local = (struct link_addr){ local->ip ? local->ip : s->claim->local.ip, s->claim->local.port };
	return link->ops->narrow ? link->ops->narrow(link, &s->claim->local, remote) : 0;
}

static int connect_start(struct sock *s, struct link_addr remote)
{
	bool bound = s->claim;
	struct link_addr local;
	struct tcb *c;
	int e;

	stack_clock(s->stack);
	for (int tries = 0; tries < PORT_TRIES; tries++) {
		e = choose_local(s, &remote, &local);
		if (!e)
			e = tcpu_connect(s->stack->engine, local, remote, s->options, &c);
		if (e != -EADDRINUSE || bound || !s->claim)
			break;
		sock_unclaim(s); /* an earlier connection from this port to there is in TIME-WAIT, or somebody else's */
	}
	if (e)
		return e;
	sock_take(s, c);
	s->connecting = true;
	return 0;
}

static int connect_(struct sock *s, const struct sockaddr_in *addr, socklen_t addrlen)
{
	uint64_t until_us = sock_until(s, s->send_timeout_us, 0);
	struct link_addr remote;
	bool before = s->connecting;
	int e = address(addr, addrlen, &remote);

	if (e || s->listening)
		return e ? e : -EISCONN;
	if (s->tcb && !s->connecting) {
		if (sock_is_open(s))
			return -EISCONN;
		connected(s); /* failed, and SO_ERROR has told */
	}
	if (!s->tcb) {
		e = connect_start(s, remote);
		if (e)
			return e;
	}
	while ((e = connected(s)) == -EINPROGRESS) {
		e = sock_wait(s, TCPU_OUT, until_us, NULL);
		if (e == -EAGAIN) {
			s->want_out = true;
			return before ? -EALREADY : -EINPROGRESS;
		}
		if (e)
			return e;
	}
	return e;
}

int connect_tcpu(int fd, const struct sockaddr_in *addr, socklen_t addrlen)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, connect_(s, addr, addrlen)) : -1;
}

static int shutdown_(struct sock *s, int how)
{
	enum tcpu_state state = sock_state(s);
	int e = 0;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	stack_clock(s->stack);
	if (s->listening && how == SHUT_WR)
		return 0;
	if (s->listening || state == TCPU_SYN_SENT) { /* as Linux: whoever waits for it is told that it is over */
		s->unlistened = s->listening;
		s->connecting = false;
		sock_untake(s);
		return 0;
	}
	if (!sock_is_open(s))
		return -ENOTCONN;
	if (how != SHUT_RD)
		e = tcpu_shutdown(s->tcb);
	if (how != SHUT_WR)
		s->read_shut = true;
	sleepers_wake(s);
	if (s->want)
		sock_tell(s);
	return e;
}

int shutdown_tcpu(int fd, int how)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, shutdown_(s, how)) : -1;
}

/* ---- closing ---- */

static bool unread(const struct sock *s)
{
	struct tcpu_info info;

	/* Of what is over already, nothing will be reset any more. */
	return !sock_info(s, &info) && info.state != TCPU_CLOSED && info.waiting_bytes;
}

/* Waits for the end of the connection: all data acknowledged and, unless others see to it, both FINs. -EIO: it broke,
 * and nobody has told yet; -EAGAIN: until_us has passed, and data is not yet acknowledged. */
static int linger(struct sock *s, uint64_t until_us)
{
	uint64_t fin_until_us = TCPU_NEVER;
	struct tcpu_info info = { 0 };
	int e = tcpu_shutdown(s->tcb);

	while (!e) {
		unsigned met = sock_met(s);

		tcpu_info(s->tcb, &info);
		if (met & SOCK_ENDED || (met & SOCK_ACKED && stack_is_driven(s->stack)))
			break;
		if (met & SOCK_ACKED && fin_until_us == TCPU_NEVER)
			fin_until_us = link_host_now_us() + FIN_WAIT_US;
		e = sock_wait(s, SOCK_ENDED | (SOCK_ACKED & ~met), fin_until_us < until_us ? fin_until_us : until_us, NULL);
		if (e == -EINTR)
			return e;
	}
	if (s->error || tcpu_error(s->tcb))
		return -EIO;
	return info.buffered_bytes ? e : 0;
}

/* How long a close waits; 0: not at all. */
static uint64_t linger_until(const struct sock *s)
{
	if (s->linger)
		return link_host_now_us() + (uint64_t)(unsigned)s->linger_seconds * 1000000;
	return stack_is_driven(s->stack) ? 0 : sock_until(s, s->send_timeout_us, 0);
}

/* What there is to wait for, and to tell. */
static int finish(struct sock *s)
{
	uint64_t until_us = linger_until(s);
	struct tcpu_info info;
	int e = 0;

	/* What never was open has neither, and its failure is connect_tcpu's to tell. */
	if (!s->tcb || s->listening || (s->connecting && connected(s)))
		return 0;
	if (s->linger && !s->linger_seconds) {
		tcpu_abort(s->tcb);
		s->tcb = NULL;
		return 0;
	}
	stack_catch_up(s->stack); /* what has come decides between FIN and RST, and whether anything is lost */
	if (until_us && !unread(s))
		e = linger(s, until_us);
	tcpu_info(s->tcb, &info);
	if (info.buffered_bytes && (unread(s) || s->error || tcpu_error(s->tcb)))
		e = -EIO;
	return e;
}

int close_tcpu(int fd)
{
	struct sock *s = sock_enter(fd);
	int e;

	if (!s)
		return -1;
	s->closing = true;
	sleepers_wake(s);
	e = finish(s);
	if (s->tcb)
		tcpu_close(s->tcb);
	s->tcb = NULL;
	sock_close(s);
	return (int)sock_leave(s, e);
}

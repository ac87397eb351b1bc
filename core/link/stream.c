/* The calls of core/tcpu.h that move bytes. Each tries, and gets the engine further until it need not try again. */
#include "core/link/stack.h"

#include "core/link/host.h"
#include "core/plain.h"

#include <errno.h>
#include <limits.h>

/* A call that is not short of room still asks the link so often whether acknowledgments have come: a system call
 * for each small message would cost more than the message. */
#define LOOK_US 100

/* ---- out ---- */

/* A source as the user's, that remembers whether it has run dry. */
struct watched_source {
	struct seam_source seam;
	const struct seam_source *inner;
	bool dry;
};

static size_t watched_fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct watched_source *w = ctx;
	size_t n = w->inner->fill(w->inner->ctx, off, dst, cap, sum);

	w->dry = !n;
	return n;
}

/* The error that a call before has found beside bytes; and what has no connection has no bytes. */
static int refused(struct sock *s)
{
	int e = s->error;

	if (!s->tcb || s->listening)
		return -ENOTCONN;
	s->error = 0;
	return -e;
}

static ssize_t fill(struct sock *s, const struct seam_source *source, size_t all, int flags)
{
	struct watched_source w = { .seam = { .fill = watched_fill, .ctx = &w, .record = source->record,
					      .trains = source->trains },
				    .inner = source };
	uint64_t until_us = sock_until(s, s->send_timeout_us, flags);
	unsigned how = (flags & TF_NODELAY ? TCPU_SEND_NOW : 0U) | (flags & MSG_MORE ? TCPU_SEND_MORE : 0U);
	ssize_t total = 0;
	int e = flags & ~(TF_NODELAY | MSG_DONTWAIT | MSG_MORE | MSG_NOSIGNAL) ? -EOPNOTSUPP : refused(s);

	if (e)
		return e;
	if (link_host_now_us() - s->stack->looked_us >= LOOK_US)
		stack_pump(s->stack, NULL);
	for (;;) {
		ssize_t n = tcpu_send(s->tcb, &w.seam, how);

		if (n > 0)
			total += n;
		if (w.dry || (n > 0 && (size_t)total == all))
			return total;
		if (n < 0 && n != -EAGAIN) {
			e = (int)n;
			break;
		}
		e = sock_wait(s, TCPU_OUT, until_us, NULL);
		if (e)
			break;
	}
	if (e == -EAGAIN)
		s->want_out = true;
	else if (total && e != -EINTR && e != -EPIPE)
		s->error = (uint8_t)-e;
	return total ? total : e;
}

ssize_t fill_tcpu(int fd, const struct seam_source *source, int flags)
{
	struct sock *s = sock_enter(fd);

	return s ? sock_leave(s, fill(s, source, SIZE_MAX, flags)) : -1;
}

ssize_t send_tcpu(int fd, const void *buffer, size_t length, int flags)
{
	struct sock *s = sock_enter(fd);
	struct plain_source p;

	plain_source(&p, buffer, length);
	return s ? sock_leave(s, fill(s, &p.seam, length, flags)) : -1;
}

/* ---- in ---- */

/* A sink as the user's, that counts what it has taken. */
struct counted_sink {
	struct call_sink call;
	struct seam_sink *inner;
};

static size_t counted_drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct counted_sink *c = ctx;
	size_t n = c->inner->drain(c->inner->ctx, off, data, len, sum);

	c->call.seam.done = c->inner->done;
	return n;
}

static void counted_settle(void *ctx, uint64_t off, size_t n, bool good)
{
	struct counted_sink *c = ctx;

	c->inner->settle(c->inner->ctx, off, n, good);
	if (good)
		c->call.taken += n;
	c->call.seam.done = c->inner->done;
}

static bool counted_show(void *ctx, uint64_t off, const uint8_t *const data[2], const uint32_t len[2], uint64_t *begin,
	uint64_t *end)
{
	struct counted_sink *c = ctx;
	bool took = c->inner->show(c->inner->ctx, off, data, len, begin, end);

	if (took)
		c->call.taken += *end - *begin;
	c->call.seam.done = c->inner->done;
	return took;
}

static void counted_sink(struct counted_sink *c, struct seam_sink *sink, size_t room)
{
	*c = (struct counted_sink){
		.call = { .seam = { .drain = counted_drain, .settle = counted_settle, .ctx = c,
				    .show = sink->show ? counted_show : NULL, .done = sink->done },
			  .room = room },
		.inner = sink,
	};
}

static ssize_t drain(struct sock *s, struct seam_sink *sink, size_t room, int flags)
{
	struct counted_sink counted;
	struct call_sink *c = &counted.call;
	uint64_t until_us = sock_until(s, s->recv_timeout_us, flags);
	bool all = flags & MSG_WAITALL;
	int e = flags & ~(MSG_DONTWAIT | MSG_WAITALL) ? -EOPNOTSUPP : refused(s);

	if (e)
		return e;
	counted_sink(&counted, sink, all ? SIZE_MAX : room);
	while (!s->read_shut) {
		ssize_t n = tcpu_recv(s->tcb, &c->seam);

		if (n < 0 && n != -EAGAIN) {
			e = (int)n;
			break;
		}
		if (!n || c->seam.done || (c->taken && !all))
			return (ssize_t)c->taken;
		if (n > 0)
			continue; /* behind the bytes the end may stand */
		e = sock_wait(s, TCPU_IN, until_us, c);
		if (e)
			break;
	}
	if (c->taken && e && e != -EAGAIN && e != -EINTR)
		s->error = (uint8_t)-e;
	return c->taken ? (ssize_t)c->taken : e;
}

ssize_t drain_tcpu(int fd, struct seam_sink *sink, int flags)
{
	struct sock *s = sock_enter(fd);

	return s ? sock_leave(s, drain(s, sink, SIZE_MAX, flags)) : -1;
}

/* ---- both ---- */

static int give(struct sock *s, const struct seam_source *source)
{
	ssize_t n = source ? tcpu_send(s->tcb, source, TCPU_SEND_NOW) : -EAGAIN;

	return n > 0 ? EXCHANGE_OUT : n == 0 ? EXCHANGE_NONE : n == -EAGAIN ? 0 : (int)n;
}

static int take(struct sock *s, struct counted_sink *c)
{
	ssize_t n = s->read_shut ? 0 : tcpu_recv(s->tcb, &c->call.seam);

	if (n < 0 && n != -EAGAIN)
		return (int)n;
	return (c->call.taken ? EXCHANGE_IN : 0) | (n == 0 ? EXCHANGE_END : 0);
}

static int exchange(struct sock *s, const struct seam_source *source, struct seam_sink *sink, uint64_t *acked,
	uint64_t until_us)
{
	const unsigned want = source ? TCPU_OUT : 0;
	const bool done = !sink || sink->done;
	struct counted_sink c = { .call.taken = 0 };
	int e = refused(s), out, how;

	if (sink)
		counted_sink(&c, sink, SIZE_MAX);
	while (!e) {
		out = give(s, source);
		how = out < 0 || !sink ? out : take(s, &c);
		if (how < 0 && !c.call.taken)
			return how;
		if (how < 0)
			s->error = (uint8_t)-how; /* for the next call */
		how = how < 0 ? EXCHANGE_IN : how | out;
		if (acked && *acked < tcpu_acked(s->tcb)) {
			*acked = tcpu_acked(s->tcb);
			how |= EXCHANGE_ACKED;
		}
		if (how || (sink && sink->done != done))
			return how;
		e = done ? sock_wait(s, want, until_us, NULL) : sock_wait(s, want | TCPU_IN, until_us, &c.call);
	}
	return c.call.taken ? EXCHANGE_IN : e;
}

int exchange_tcpu(int fd, const struct seam_source *source, struct seam_sink *sink, uint64_t *acked, uint64_t until_us)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, exchange(s, source, sink, acked, until_us)) : -1;
}

int source_tcpu(int fd, const struct seam_source *source)
{
	struct sock *s = sock_enter(fd);
	int e = s && (!s->tcb || s->listening) ? -ENOTCONN : 0;

	if (s && !e)
		tcpu_source(s->tcb, source);
	return s ? (int)sock_leave(s, e) : -1;
}

uint64_t now_tcpu(void)
{
	return link_host_now_us();
}

/* ---- a look ---- */

/* What is there; what has come may still lie in the link. With MSG_WAITALL, more than fits is not waited for. */
static ssize_t peek(struct sock *s, void *buffer, size_t length, int flags)
{
	uint64_t until_us = sock_until(s, s->recv_timeout_us, flags);
	int e = flags & ~(MSG_DONTWAIT | MSG_WAITALL | MSG_PEEK) ? -EOPNOTSUPP : refused(s);
	struct tcpu_info info;
	ssize_t n = 0;

	if (e)
		return e;
	stack_catch_up(s->stack);
	while (!s->read_shut) {
		n = tcpu_peek(s->tcb, buffer, length);
		tcpu_info(s->tcb, &info);
		if (n != -EAGAIN && !(n > 0 && flags & MSG_WAITALL && (size_t)n < length && info.rcv_wnd_bytes &&
			!sock_is_ended(s)))
			return n;
		e = sock_wait(s, TCPU_IN, until_us, NULL);
		if (e)
			return n > 0 ? n : e;
	}
	return n > 0 ? n : 0;
}

ssize_t recv_tcpu(int fd, void *buffer, size_t length, int flags)
{
	struct sock *s = sock_enter(fd);
	struct plain_sink p;

	if (!s)
		return -1;
	if (flags & MSG_PEEK)
		return sock_leave(s, peek(s, buffer, length, flags));
	plain_sink(&p, buffer, length);
	p.seam.done = !length;
	return sock_leave(s, drain(s, &p.seam, length, flags));
}

/* ---- several pieces ---- */

/* Bytes that they hold; -EINVAL. */
static ssize_t bytes_of(const struct iovec *pieces, int n)
{
	size_t bytes = 0;

	if (n < 0 || n > IOV_MAX)
		return -EINVAL;
	for (int i = 0; i < n; i++) {
		if (pieces[i].iov_len > SSIZE_MAX - bytes)
			return -EINVAL;
		bytes += pieces[i].iov_len;
	}
	return (ssize_t)bytes;
}

ssize_t writev_tcpu(int fd, const struct iovec *pieces, int n)
{
	struct sock *s = sock_enter(fd);
	ssize_t bytes = bytes_of(pieces, n);
	struct plain_gather g;

	if (!s)
		return -1;
	if (bytes < 0)
		return sock_leave(s, bytes);
	plain_gather(&g, pieces, (size_t)bytes);
	return sock_leave(s, fill(s, &g.seam, (size_t)bytes, 0));
}

ssize_t readv_tcpu(int fd, const struct iovec *pieces, int n)
{
	struct sock *s = sock_enter(fd);
	ssize_t bytes = bytes_of(pieces, n);
	struct plain_scatter p;

	if (!s)
		return -1;
	if (bytes < 0)
		return sock_leave(s, bytes);
	plain_scatter(&p, pieces, (size_t)bytes);
	return sock_leave(s, drain(s, &p.seam, (size_t)bytes, 0));
}

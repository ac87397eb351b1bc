/* The calls over a descriptor: what waits, and what moves meanwhile. */
#include "alf/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define STUCK_US 500000 /* without a word from either end */

struct alf *alf_open(int fd, const struct alf_profile *profile)
{
	const char *cc = profile->congestion;
	const int one = 1;
	struct alf *a = alf_new(profile);

	if (!a)
		return NULL;
	a->fd = fd;
	a->clock = now_tcpu;
	a->now_us = now_tcpu();
	if ((cc && setsockopt_tcpu(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc))) ||
		setsockopt_tcpu(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ||
		setsockopt_tcpu(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &one, sizeof one) ||
		(profile->quickack && setsockopt_tcpu(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one)) ||
		source_tcpu(fd, &a->out.source)) {
		int e = errno;
		alf_free(a);
		errno = e;
		return NULL;
	}
	return a;
}

void alf_close(struct alf *a)
{
	if (a)
		source_tcpu(a->fd, NULL);
	alf_free(a);
}

/* Moves what can be moved, and waits for more until until_us. 0; or a negative errno: -EAGAIN, -EINTR, or the
 * connection's end. */
static int move(struct alf *a, uint64_t until_us)
{
	uint64_t acked = a->acked, due_us;
	int how;

	alf_tick(a, now_tcpu());
	if (a->error)
		return -a->error;
	due_us = alf_deadline(a);
	how = exchange_tcpu(a->fd, alf_wants_out(a) ? &a->out.source : NULL, a->in.ended ? NULL : &a->in.sink,
		alf_wants_acks(a) ? &acked : NULL, due_us < until_us ? due_us : until_us);
	if (how < 0 && errno == EAGAIN && due_us < until_us) {
		alf_tick(a, now_tcpu());
		return a->error ? -a->error : 0;
	}
	if (how < 0 && errno != EAGAIN && errno != EINTR)
		alf_fail(a, errno);
	if (how < 0)
		return -errno;
	a->acked = acked;
	alf_acked(a, acked);
	if (how & EXCHANGE_END && !(how & EXCHANGE_IN))
		alf_in_end(a);
	return a->error ? -a->error : 0;
}

/* What is due to the peer, without waiting. */
static void push(struct alf *a)
{
	if (!a->error && alf_wants_out(a))
		move(a, 0);
}

static bool waits(const struct alf *a)
{
	return !(fcntl_tcpu(a->fd, F_GETFL, 0) & O_NONBLOCK);
}

static uint64_t until(const struct alf *a, int option)
{
	struct timeval tv = { .tv_sec = 0 };
	socklen_t len = sizeof tv;

	if (!waits(a))
		return 0;
	getsockopt_tcpu(a->fd, SOL_SOCKET, option, &tv, &len);
	return tv.tv_sec || tv.tv_usec ? now_tcpu() + (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec : TCPU_NEVER;
}

static int64_t fail(int64_t e)
{
	errno = (int)-e;
	return -1;
}

/* ---- sending ---- */

/* Both ends may wait for each other: it for credit, the peer for what nobody releases meanwhile. */
static bool stuck(const struct alf *a, const struct adu_out *adu)
{
	bool blocked;

	return adu->state == OUT_QUEUED && !adu->begun && !alf_queue_next(a, &blocked) && blocked && alf_holds_up(a);
}

static int move_for(struct alf *a, const struct adu_out *adu, uint64_t until_us)
{
	const uint64_t patient_us = stuck(a, adu) ? now_tcpu() + STUCK_US : TCPU_NEVER;
	int e = move(a, patient_us < until_us ? patient_us : until_us);

	if (e == -EAGAIN && patient_us < until_us)
		e = stuck(a, adu) ? -EDEADLK : 0;
	return e;
}

/* Waits until it is TCP's, or dropped. */
static int64_t sent(struct alf *a, struct adu_out *adu)
{
	const int64_t id = adu->id;
	const uint64_t until_us = until(a, SO_SNDTIMEO);
	int e = 0;

	while (adu->state == OUT_QUEUED && (adu->done < adu->here || adu->here == adu->total) && !e)
		e = move_for(a, adu, until_us);
	if (adu->state == OUT_QUEUED && e)
		alf_drop(a, adu, CONTROL_CANCELLED, -e);
	e = adu->state == OUT_DROPPED ? adu->news.error : 0;
	if (adu->state == OUT_QUEUED) { /* a part: what becomes of it meanwhile is told by events */
		adu->waited = false;
		push(a);
		return id;
	}
	push(a);
	adu->waited = false;
	if (adu->news.last && !adu->news.link.list)
		free(adu);
	return e ? fail(-e) : id;
}

static int64_t send_like(struct alf *a, const struct adu_out *like)
{
	struct adu_out *adu;
	struct adu_out mine = *like;
	int64_t id;

	alf_tick(a, now_tcpu());
	mine.waited = waits(a);
	mine.here = mine.total;
	id = alf_queue(a, &mine, &adu);
	if (id < 0)
		return fail(id);
	if (mine.waited)
		return sent(a, adu);
	if (!mine.attr.more)
		push(a);
	return id;
}

static struct adu_out like(const void *data, size_t len, const struct adu_attr *attr)
{
	struct adu_out l = { .own = { (void *)data, len }, .total = len };

	if (attr)
		l.attr = *attr;
	return l;
}

int64_t adu_send(struct alf *a, const void *data, size_t len, const struct adu_attr *attr)
{
	const struct adu_out l = like(data, len, attr);

	return send_like(a, &l);
}

int64_t adu_sendv(struct alf *a, const struct iovec *pieces, int n, const struct adu_attr *attr)
{
	struct adu_out l = like(NULL, 0, attr);

	if (n < 0 || n > IOV_MAX)
		return fail(-EINVAL);
	for (int i = 0; i < n; i++) {
		if (pieces[i].iov_len > SSIZE_MAX - l.total)
			return fail(-EINVAL);
		l.total += pieces[i].iov_len;
	}
	l.piece = n ? pieces : NULL;
	l.pieces = n;
	return send_like(a, &l);
}

int64_t adu_put(struct alf *a, uint32_t stag, uint64_t to, const void *data, size_t len, const struct adu_attr *attr)
{
	struct adu_out l = like(data, len, attr);

	l.tagged = true;
	l.stag = stag;
	l.to = to;
	return send_like(a, &l);
}

ssize_t adu_send_part(struct alf *a, int64_t *id, uint64_t total, const void *part, size_t len,
	const struct adu_attr *attr)
{
	struct adu_out l = like(NULL, 0, attr), *adu;
	int64_t r;
	int e;

	alf_tick(a, now_tcpu());
	if (*id == 0) {
		l.parted = true;
		l.total = total;
		r = alf_queue(a, &l, &adu);
		if (r < 0)
			return fail(r);
		*id = r;
	} else {
		adu = alf_out_find(a, *id);
	}
	e = adu ? alf_part(a, adu, part, len) : -ENOENT;
	if (e)
		return fail(e);
	adu->waited = waits(a);
	if (!adu->waited)
		push(a);
	else if (sent(a, adu) < 0)
		return -1;
	return (ssize_t)len;
}

int adu_cancel(struct alf *a, int64_t id)
{
	struct adu_out *adu = alf_out_find(a, id);

	if (!adu)
		return (int)fail(-ENOENT);
	if (adu == a->out.under_way)
		return (int)fail(-EBUSY);
	alf_drop(a, adu, CONTROL_CANCELLED, ECANCELED);
	push(a);
	return 0;
}

int64_t adu_supersede(struct alf *a, int64_t old, const void *data, size_t len, const struct adu_attr *attr)
{
	struct adu_out l = like(data, len, attr);

	l.instead = old;
	return send_like(a, &l);
}

/* ---- events ---- */

int adu_next(struct alf *a, struct adu_event *e, int timeout_ms)
{
	uint64_t until_us = timeout_ms < 0 ? TCPU_NEVER : timeout_ms ? now_tcpu() + (uint64_t)timeout_ms * 1000 : 0;
	int r;

	for (;;) {
		if (alf_event(a, e))
			return 1;
		if (a->error)
			return (int)fail(-a->error);
		if (a->in.ended && !a->out.ids.count && !a->out.told.first && !alf_wants_acks(a))
			return 0;
		r = move(a, until_us);
		if (r == -EINTR)
			return (int)fail(r);
		if (r == -EAGAIN && !alf_has_news(a))
			return 0;
	}
}

bool adu_pending(const struct alf *a)
{
	return alf_wants_out(a);
}

int adu_timeout(const struct alf *a)
{
	uint64_t due_us = alf_has_news(a) ? 0 : alf_deadline(a), now_us = now_tcpu();

	return due_us == TCPU_NEVER ? -1 : due_us <= now_us ? 0 : (int)((due_us - now_us + 999) / 1000);
}

int adu_release(struct alf *a, int64_t id)
{
	struct adu_in *adu = alf_in_find(a, id);
	bool full;

	if (!adu || !adu->whole)
		return (int)fail(-ENOENT);
	full = a->in.full;
	alf_forget(a, adu);
	if (full && !a->error)
		move(a, 0); /* what TCP keeps for want of credit */
	push(a);
	return 0;
}

/* ---- receiving ---- */

static ssize_t receive(struct alf *a, struct adu_in *adu, void *buf, size_t cap, struct adu_attr *attr, int64_t *id,
	size_t *need)
{
	ssize_t n = (ssize_t)adu->total;

	if (attr)
		*attr = adu->attr;
	if (id)
		*id = alf_in_id(adu);
	if (need)
		*need = adu->total;
	if (adu->total > cap)
		return fail(-EMSGSIZE);
	if (adu->data)
		memcpy(buf, adu->data, adu->total);
	alf_forget(a, adu);
	push(a);
	return n;
}

ssize_t adu_recv(struct alf *a, void *buf, size_t cap, struct adu_attr *attr, int64_t *id, size_t *need)
{
	const uint64_t until_us = a->in.ready.first ? 0 : until(a, SO_RCVTIMEO);
	struct adu_in *adu;
	int e = 0;

	while (!(adu = ALF_OF(adu_in, turn, a->in.ready.first))) {
		if (a->error)
			return fail(-a->error);
		if (a->in.ended) {
			if (id)
				*id = 0;
			return 0;
		}
		if (e)
			return fail(e);
		alf_tell_no_losses(a); /* or they would keep their credit */
		e = move(a, until_us);
	}
	return receive(a, adu, buf, cap, attr, id, need);
}

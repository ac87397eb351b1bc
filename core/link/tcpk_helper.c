#include "core/link/tcpk_helper.h"

#include "core/link/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_SECONDS 5  /* the helper is there, but gives none */
#define SECOND_US UINT64_C(1000000)
#define AGAIN_US 100000
#define AGAIN_MOST 50     /* of a helper that has been asked too often */
#define UNANSWERED_MOST 32 /* it ends who does not read its answers */

struct tcpk_owed {
	struct tcpk_owed *next;
	struct link_addr local;
	uint64_t number; /* of the question; 0: still to be asked */
};

/* ---- one question ---- */

static int dial(const struct sockaddr_un *path)
{
	struct timeval most = { .tv_sec = ANSWER_SECONDS };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), e = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
	while (connect(fd, (const struct sockaddr *)path, sizeof *path) && (e = errno) == EINTR)
		e = 0;
	if (!e)
		return fd;
	close(fd);
	return e == ENOENT || e == ENOTDIR || e == ECONNREFUSED ? -EPROTONOSUPPORT : e == EAGAIN ? -ENETDOWN : -e;
}

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(2 * sizeof(int))];
};

static bool take_two(struct msghdr *m, int fds[2])
{
	const struct cmsghdr *h = CMSG_FIRSTHDR(m);

	if (!h || h->cmsg_type != SCM_RIGHTS || h->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(h), 2 * sizeof(int));
	return true;
}

/* The next answer, whatever it says: 0. fds: two that may come with it, or NULL. -ENETDOWN: there is no helper any
 * more; -ETIMEDOUT: it has yet to answer, or, with MSG_DONTWAIT, has said nothing more. */
static int hear(int fd, struct tcpkd_reply *r, int fds[2], int flags)
{
	union control control;
	struct iovec in = { r, sizeof *r };
	struct msghdr m = { .msg_iov = &in, .msg_iovlen = 1, .msg_control = fds ? &control : NULL,
		.msg_controllen = fds ? sizeof control : 0 };
	bool two;
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	two = n >= 0 && fds && take_two(&m, fds);
	if (n != (ssize_t)sizeof *r)
		return n < 0 && errno == EAGAIN ? -ETIMEDOUT : -ENETDOWN;
	return r->abi != TCPK_ABI || (fds && r->status == 0 && !two) ? -EPROTO : 0;
}

static int say(int fd, const struct tcpkd_request *q, int flags)
{
	ssize_t n;

	do
		n = send(fd, q, sizeof *q, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? 0 : errno == EAGAIN ? -ETIMEDOUT : -ENETDOWN;
}

/* On a socket on which nothing else is asked. */
static int ask_alone(int fd, const struct tcpkd_request *q, struct tcpkd_reply *r, int fds[2])
{
	int e = say(fd, q, 0);

	if (!e)
		e = hear(fd, r, fds, 0);
	return e == -ETIMEDOUT ? -ENETDOWN : e ? e : r->status;
}

/* ---- what is owed ---- */

static void owe(struct tcpk_helper *h, const struct link_addr *local)
{
	struct tcpk_owed *o = malloc(sizeof *o);

	if (!o)
		return; /* the address stays taken until the link closes */
	*o = (struct tcpk_owed){ .next = h->owed, .local = *local };
	h->owed = o;
}

static void forget_answered(struct tcpk_helper *h)
{
	struct tcpk_owed **at = &h->owed;

	while (*at) {
		struct tcpk_owed *o = *at;

		if (!o->number || o->number > h->answered) {
			at = &o->next;
			continue;
		}
		*at = o->next;
		free(o);
	}
}

/* The next answer. What it grants nobody waits for, unless it is that of the question `number`. */
static int hear_next(struct tcpk_helper *h, struct tcpkd_reply *r, uint64_t number, int flags)
{
	int e = hear(h->fd, r, NULL, flags);

	if (e)
		return e;
	h->answered = r->cursor;
	forget_answered(h);
	if (r->cursor != number && r->status == 0 && r->local_port)
		owe(h, &(struct link_addr){ r->local, r->local_port });
	return 0;
}

/* All that has been answered. -ETIMEDOUT, mostly: as hear. */
static int hear_all(struct tcpk_helper *h)
{
	struct tcpkd_reply r;
	int e;

	do
		e = hear_next(h, &r, 0, MSG_DONTWAIT);
	while (!e);
	return e;
}

/* Another helper may have come. What the one before had been asked it may not have done. */
static int dial_again(struct tcpk_helper *h)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_RESUME, .cursor = h->token };
	struct tcpkd_reply r;
	int fd = dial(&h->path), e = fd < 0 ? -ENETDOWN : ask_alone(fd, &q, &r, NULL);

	(void)hear_all(h);
	h->again_us = e ? link_host_now_us() + ANSWER_SECONDS * SECOND_US : 0;
	if (e) {
		if (fd >= 0)
			close(fd);
		h->gone |= e == -EINVAL;
		return e == -EINVAL ? -ENETDOWN : e;
	}
	close(h->fd);
	h->fd = fd;
	h->answered = h->asked;
	for (struct tcpk_owed *o = h->owed; o; o = o->next)
		o->number = 0;
	return 0;
}

static struct tcpk_owed *first_unasked(const struct tcpk_helper *h)
{
	struct tcpk_owed *o = h->owed;

	while (o && o->number)
		o = o->next;
	return o;
}

/* As much of what is owed as the helper takes now, or with waits all of it. -ETIMEDOUT: it does not take it. */
static int pay(struct tcpk_helper *h, bool waits)
{
	struct tcpk_owed *o;
	struct tcpkd_reply r;
	int e = hear_all(h);

	for (e = e == -ETIMEDOUT ? 0 : e; !e && (o = first_unasked(h));) {
		struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_RELEASE, .local = o->local.ip,
			.local_port = o->local.port, .cursor = h->asked + 1 };

		if (h->asked - h->answered >= UNANSWERED_MOST) {
			e = hear_next(h, &r, 0, waits ? 0 : MSG_DONTWAIT);
			continue;
		}
		e = say(h->fd, &q, waits ? 0 : MSG_DONTWAIT);
		if (!e)
			o->number = ++h->asked;
	}
	return e;
}

void tcpk_helper_release(struct tcpk_helper *h, const struct link_addr *local)
{
	owe(h, local);
	if (pay(h, false) == -ENETDOWN && link_host_now_us() >= h->again_us && !dial_again(h))
		(void)pay(h, false);
}

/* ---- asking ---- */

/* What is owed goes first: one that is claimed here may be among it. */
static int ask_once(struct tcpk_helper *h, struct tcpkd_request *q, struct tcpkd_reply *r)
{
	int e = pay(h, true);

	if (e)
		return e;
	q->cursor = h->asked + 1;
	e = say(h->fd, q, 0);
	if (e)
		return e;
	h->asked++;
	do
		e = hear_next(h, r, q->cursor, 0);
	while (!e && r->cursor != q->cursor);
	return e ? e : r->status;
}

int tcpk_helper_ask(struct tcpk_helper *h, struct tcpkd_request *q, struct tcpkd_reply *r)
{
	int e = ask_once(h, q, r);

	if (e == -ENETDOWN) {
		e = dial_again(h);
		if (!e)
			e = ask_once(h, q, r);
	}
	return e == -ETIMEDOUT ? -ENETDOWN : e;
}

/* ---- the whole ---- */

int tcpk_helper_open(struct tcpk_helper *h, const char *path, uint32_t ring_bytes, struct tcpkd_reply *r, int fds[2])
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_OPEN, .ring_bytes = ring_bytes };
	int e;

	*h = (struct tcpk_helper){ .fd = -1, .path.sun_family = AF_UNIX };
	fds[0] = fds[1] = -1;
	if (strlen(path) >= sizeof h->path.sun_path)
		return -ENAMETOOLONG;
	strcpy(h->path.sun_path, path);
	h->fd = dial(&h->path);
	if (h->fd < 0)
		return h->fd;
	for (unsigned i = 0; (e = ask_alone(h->fd, &q, r, fds)) == -EAGAIN && i < AGAIN_MOST; i++)
		link_host_sleep(NULL, 0, link_host_now_us() + AGAIN_US);
	if (!e)
		h->token = r->cursor;
	return e;
}

void tcpk_helper_close(struct tcpk_helper *h)
{
	if (h->fd >= 0)
		close(h->fd);
	while (h->owed) {
		struct tcpk_owed *o = h->owed;

		h->owed = o->next;
		free(o);
	}
}

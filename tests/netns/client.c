#include "tests/netns/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX 253 /* SCM_MAX_FD */
#define PATIENCE_S 5

const char *client_path = TCPKD_PATH;

void die(const char *what)
{
	printf("bad %s: %s\n", what, strerror(errno));
	exit(1);
}

bool report(bool good, const char *what, const char *format, ...)
{
	va_list list;

	printf("%s %s", good ? "ok" : "bad", what);
	if (!good) {
		va_start(list, format);
		printf(": ");
		vprintf(format, list);
		va_end(list);
	}
	putchar('\n');
	fflush(stdout);
	return good;
}

int client_dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval most = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), e;

	if (fd < 0)
		die("socket");
	snprintf(a.sun_path, sizeof a.sun_path, "%s", client_path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
	if (!connect(fd, (struct sockaddr *)&a, sizeof a))
		return fd;
	e = -errno;
	close(fd);
	return e;
}

int client_send(int fd, const void *message, size_t len, const int *fds, unsigned n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(FDS_MAX * sizeof(int))] = { 0 };
	struct iovec io = { (void *)message, len };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	struct cmsghdr *h = (struct cmsghdr *)room;

	if (n) {
		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(n * sizeof *fds);
		*h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof *fds) };
		memcpy(CMSG_DATA(h), fds, n * sizeof *fds);
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int client_answer(int fd, struct tcpkd_reply *r, int fds[2])
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(2 * sizeof(int))];
	struct iovec io = { r, sizeof *r };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int got[2] = { -1, -1 };

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -ETIMEDOUT;
	if (n != (ssize_t)sizeof *r)
		return -ECONNRESET;
	if (h && h->cmsg_type == SCM_RIGHTS)
		memcpy(got, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
	for (unsigned i = 0; i < 2; i++)
		if (fds)
			fds[i] = got[i];
		else if (got[i] >= 0)
			close(got[i]);
	return 0;
}

static int ask(int fd, const struct tcpkd_request *q, struct tcpkd_reply *r, int fds[2])
{
	int e = client_send(fd, q, sizeof *q, NULL, 0);

	if (!e)
		e = client_answer(fd, r, fds);
	return e ? e : r->status;
}

int client_ask(int fd, enum tcpkd_verb verb, uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = verb, .local = local, .local_port = local_port,
		.remote = remote, .remote_port = remote_port };
	struct tcpkd_reply r;

	return ask(fd, &q, &r, NULL);
}

int client_open(struct bad_client *c, uint32_t ring_bytes)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_OPEN, .ring_bytes = ring_bytes };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct tcpkd_reply r;
	int fds[2], e;

	*c = (struct bad_client){ .helper = client_dial(), .ring = -1, .tap = -1 };
	if (c->helper < 0)
		return c->helper;
	e = ask(c->helper, &q, &r, fds);
	if (e)
		return e;
	c->token = r.cursor;
	c->ring = fds[0];
	c->tap = fds[1];
	c->ring_bytes = r.ring_bytes;
	c->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, c->ring, 0);
	c->producer = mmap(NULL, page + 2 * (size_t)c->ring_bytes, PROT_READ, MAP_SHARED, c->ring, (off_t)page);
	if (c->consumer == MAP_FAILED || c->producer == MAP_FAILED)
		die("mmap of the ring");
	return 0;
}

int client_resume(uint64_t token)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_RESUME, .cursor = token };
	int fd = client_dial(), e = fd;
	struct tcpkd_reply r;

	if (fd >= 0) {
		e = ask(fd, &q, &r, NULL);
		close(fd);
	}
	return e;
}

int client_claim(const struct bad_client *c, uint32_t local, uint16_t port_here)
{
	return client_ask(c->helper, TCPKD_CLAIM, local, htons(port_here), 0, 0);
}

struct tcpk_stats client_stats(const struct bad_client *c)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_COUNT };
	struct tcpkd_reply r;

	if (ask(c->helper, &q, &r, NULL))
		die("TCPKD_COUNT");
	return r.stats;
}

unsigned client_list(int fd, uint32_t *foreign)
{
	struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_LIST };
	struct tcpkd_reply r;
	unsigned n = 0;

	*foreign = UINT32_MAX;
	for (; !ask(fd, &q, &r, NULL); n++) {
		if (r.uid != getuid())
			*foreign = r.uid;
		q.cursor = r.cursor;
	}
	return n;
}

#include "kernel/tcpkd/server.h"

#include "kernel/tcpkd/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 64
#define GROUPS 65536 /* NGROUPS_MAX */
#define SWEEP_MS 1000
#define MESSAGE_MAX (2 * sizeof(struct tcpkd_request)) /* what is longer is seen to be */

/* ---- listening ---- */

/* A socket of the file system outlives who listened on it. */
static bool is_served(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served = fd >= 0 && (!connect(fd, (const struct sockaddr *)a, sizeof *a) || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return served;
}

int server_listen(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, e = 0;

	if (strlen(path) >= sizeof a.sun_path)
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	if (is_served(&a))
		return -EADDRINUSE;
	unlink(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Anybody may connect: the policy is asked then. */
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || chmod(path, 0666) || listen(fd, SOMAXCONN)) {
		e = -errno;
		close(fd);
	}
	return e ? e : fd;
}

/* ---- connections ---- */

static int watch(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* Who it is, by the kernel's word. groups: the caller's to free. */
static int know(int fd, struct policy_peer *peer, gid_t **groups)
{
	struct ucred who;
	socklen_t len = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		return -errno;
	len = GROUPS * sizeof **groups;
	*groups = malloc(len + sizeof **groups);
	if (!*groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, *groups, &len))
		len = 0;
	(*groups)[len / sizeof **groups] = who.gid;
	*peer = (struct policy_peer){ .uid = who.uid, .pid = who.pid, .groups = *groups,
		.group_count = len / sizeof **groups + 1 };
	return 0;
}

static unsigned connections(const struct clients *all)
{
	unsigned n = 0;

	for (const struct client *c = all->first; c; c = c->next)
		n += c->fd >= 0;
	return n;
}

/* Too many of one user's hold up nobody else. */
static void take_connection(struct clients *all, int epoll, int fd)
{
	struct policy_peer peer = { 0 };
	gid_t *groups = NULL;
	struct client *c = NULL;

	if (!know(fd, &peer, &groups) && connections(all) < SERVER_CONNECTIONS &&
		client_count(all, peer.uid, false) < SERVER_CONNECTIONS_OF_USER)
		c = client_new(all, fd, &peer);
	free(groups);
	if (!c)
		connection_end(fd, peer.uid);
	else if (watch(epoll, fd))
		client_end(all, c);
}

static struct client *by_fd(const struct clients *all, int fd)
{
	struct client *c = all->first;

	while (c && c->fd != fd)
		c = c->next;
	return c;
}

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(2 * sizeof(int))];
};

static bool answer(int fd, struct client_answer *a)
{
	union control control = { .room = { 0 } };
	struct iovec io = { &a->reply, sizeof a->reply };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	bool sent;

	if (a->fd_count) {
		struct cmsghdr *h = &control.align;

		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(a->fd_count * sizeof(int));
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(a->fd_count * sizeof(int));
		memcpy(CMSG_DATA(h), a->fds, a->fd_count * sizeof(int));
	}
	/* Who does not read answers is not waited for. */
	sent = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof a->reply;
	for (unsigned i = 0; i < a->fd_count; i++)
		close(a->fds[i]);
	return sent;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* One request of those that wait: others have their turn. Who has hung up wants nothing any more, and no request has
 * descriptors: to take them would be to close them. */
static void serve(struct clients *all, struct client *c)
{
	char message[MESSAGE_MAX];
	struct client_answer a;
	ssize_t n;
	bool good;

	if (connection_hung_up(c->fd) || connection_is_loaded(c->fd)) {
		client_end(all, c);
		return;
	}
	n = recv(c->fd, message, sizeof message, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	all->now_us = now_us();
	good = n > 0 && client_request(all, &c, message, (size_t)n, &a);
	if (n <= 0 || !answer(c->fd, &a) || !good)
		client_end(all, c);
}

/* false: there are no descriptors, or no memory, for more; they wait. */
static bool accept_all(struct clients *all, int epoll, int listen_fd)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ||
			       epoll_ctl(epoll, EPOLL_CTL_DEL, listen_fd, NULL);
		take_connection(all, epoll, fd);
	}
	return true;
}

/* What came, by descriptor: one that was closed in this turn is nobody's, or somebody's who has asked for nothing. Who
 * waits for a connection has one before anything dear is done. */
static bool turn(struct clients *all, int epoll, int listen_fd, int stop_fd, const struct epoll_event *ev, int n,
	bool *full)
{
	bool stop = false;

	for (int i = 0; i < n; i++)
		if (ev[i].data.fd == listen_fd)
			*full = !accept_all(all, epoll, listen_fd);
	for (int i = 0; i < n; i++) {
		int fd = ev[i].data.fd;
		struct client *c = by_fd(all, fd);

		if (fd == stop_fd)
			stop = true;
		else if (fd == devices_fd(all->devices))
			devices_turn(all->devices);
		else if (c)
			serve(all, c);
	}
	return !stop;
}

int server_run(struct clients *all, int listen_fd, int stop_fd)
{
	struct epoll_event ev[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC), e = epoll < 0 ? -errno : 0, n;
	unsigned adopted = 1;
	bool full = false;

	if (!e)
		e = watch(epoll, listen_fd);
	if (!e)
		e = watch(epoll, stop_fd);
	if (!e)
		e = watch(epoll, devices_fd(all->devices));
	while (!e) {
		n = epoll_wait(epoll, ev, EVENTS, adopted || full ? SWEEP_MS : -1);
		if (n < 0 && errno != EINTR)
			e = -errno;
		if (full && !watch(epoll, listen_fd)) /* those that wait are looked for again */
			full = false;
		if (n > 0 && !turn(all, epoll, listen_fd, stop_fd, ev, n, &full))
			break;
		if (adopted)
			adopted = clients_sweep(all);
	}
	if (epoll >= 0)
		close(epoll);
	bucket_free(&all->opens);
	return e;
}

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
#define FULL_MS 100
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

/* Of those whom the policy knows, or of strangers. */
static unsigned connections(const struct clients *all, bool strangers)
{
	unsigned n = 0;

	for (const struct client *c = all->first; c; c = c->next)
		n += c->fd >= 0 && c->stranger == strangers;
	return n;
}

/* For c, which is counted already. Who has few finds room beside those who have many; of strangers there may be as many
 * as somebody has numbers of users. */
static bool has_room_for(const struct clients *all, const struct client *c)
{
	unsigned own = clients_share(all, c->peer.uid).connections;
	unsigned most = c->stranger ? SERVER_CONNECTIONS_OF_STRANGERS : SERVER_CONNECTIONS;

	return own <= SERVER_CONNECTIONS_OF_USER &&
	       (clients_trust(all, c->peer.uid) || own + connections(all, c->stranger) <= most);
}

/* Too many of one user's hold up nobody else. */
static void take_connection(struct clients *all, int fd)
{
	struct policy_peer peer = { 0 };
	gid_t *groups = NULL;
	struct client *c = know(fd, &peer, &groups) ? NULL : client_new(all, fd, &peer);

	free(groups);
	if (!c)
		connection_end(fd, peer.uid, all->epoll);
	else if (!has_room_for(all, c) || watch(all->epoll, fd))
		client_leave(all, c);
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
	enum connection_next next = connection_hung_up(c->fd) ? CONNECTION_LOADED : connection_next(c->fd);
	char message[MESSAGE_MAX];
	struct client_answer a;
	ssize_t n;
	bool good;

	if (next == CONNECTION_EMPTY)
		return;
	n = next == CONNECTION_PLAIN ? recv(c->fd, message, sizeof message, MSG_DONTWAIT) : -1;
	all->now_us = now_us();
	good = n > 0 && client_request(all, &c, message, (size_t)n, &a);
	if (n <= 0 || !answer(c->fd, &a) || !good)
		client_leave(all, c);
}

/* false: there are no descriptors, or no memory, for more, or too many are to be closed; they wait. */
static bool accept_all(struct clients *all, int listen_fd)
{
	unsigned i = 0;

	for (; i < EVENTS && connection_has_room(); i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
			return true;
		if (fd < 0)
			break;
		take_connection(all, fd);
	}
	return i == EVENTS || epoll_ctl(all->epoll, EPOLL_CTL_DEL, listen_fd, NULL);
}

/* What came, by descriptor: one that was closed in this turn is nobody's, or somebody's who has asked for nothing. Who
 * waits for a connection has one before anything dear is done. */
static bool turn(struct clients *all, int listen_fd, int stop_fd, const struct epoll_event *ev, int n, bool *full)
{
	bool stop = false;

	for (int i = 0; i < n; i++)
		if (ev[i].data.fd == listen_fd)
			*full = !accept_all(all, listen_fd);
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

/* One of those that leave a turn: who has gone holds nobody up. */
static int run(struct clients *all, int listen_fd, int stop_fd)
{
	struct epoll_event ev[EVENTS];
	uint64_t swept_us = now_us();
	unsigned adopted = clients_sweep(all);
	bool full = false, leaving = false;

	for (;;) {
		int n = epoll_wait(all->epoll, ev, EVENTS, leaving ? 0 : full ? FULL_MS : adopted ? SWEEP_MS : -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (full && !watch(all->epoll, listen_fd)) /* those that wait are looked for again */
			full = false;
		if (n > 0 && !turn(all, listen_fd, stop_fd, ev, n, &full))
			return 0;
		if (adopted && now_us() >= swept_us + SWEEP_MS * 1000) {
			adopted = clients_sweep(all);
			swept_us = now_us();
		}
		leaving = clients_finish(all);
	}
}

int server_run(struct clients *all, int listen_fd, int stop_fd)
{
	int e;

	connection_refuse_descriptors(listen_fd);
	all->epoll = epoll_create1(EPOLL_CLOEXEC);
	e = all->epoll < 0 ? -errno : watch(all->epoll, listen_fd);
	if (!e)
		e = watch(all->epoll, stop_fd);
	if (!e)
		e = watch(all->epoll, devices_fd(all->devices));
	if (!e)
		e = run(all, listen_fd, stop_fd);
	while (clients_finish(all))
		;
	if (all->epoll >= 0)
		close(all->epoll);
	bucket_free(&all->opens);
	return e;
}

#include "kernel/tcpkd/connection.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DRAIN 64 /* messages; who keeps to the protocol has one */
#define NUDGE_NS 1000000 /* a close waits as long */

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

struct ending {
	struct ending *next;
	int fd;
	uid_t uid;
};

static struct {
	pthread_mutex_t lock;
	struct ending *waiting, *closing; /* each of these by a thread */
	unsigned count, threads;
} endings = { .lock = PTHREAD_MUTEX_INITIALIZER };

void connection_refuse_descriptors(int listen_fd)
{
	setsockopt(listen_fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){ 0 }, sizeof(int));
}

bool connection_hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* A peek holds descriptors beside the message, and so never the last ones; without room for them none comes here, and
 * MSG_CTRUNC says that there were some. */
enum connection_next connection_next(int fd)
{
	struct msghdr m = { .msg_iovlen = 0 };

	if (recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT) < 0)
		return errno == EAGAIN || errno == EINTR ? CONNECTION_EMPTY : CONNECTION_LOADED;
	return m.msg_flags & MSG_CTRUNC ? CONNECTION_LOADED : CONNECTION_PLAIN;
}

/* Of one that is shut down. Whether nothing is left: the end reads like an empty message, but only a message has
 * credentials. */
static bool drain(int fd)
{
	int on = 1;

	for (unsigned i = 0; i < DRAIN && connection_next(fd) == CONNECTION_PLAIN; i++)
		if (recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) <= 0)
			break;
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	return connection_next(fd) == CONNECTION_PLAIN;
}

/* ---- threads; endings.lock is held ---- */

static unsigned count_of(const struct ending *list, uid_t uid)
{
	unsigned n = 0;

	for (; list; list = list->next)
		n += list->uid == uid;
	return n;
}

static void move(struct ending *e, struct ending **from, struct ending **to)
{
	while (*from != e)
		from = &(*from)->next;
	*from = e->next;
	e->next = *to;
	*to = e;
}

/* One that waits, of a user who has fewer threads than he may; it is to be closed now. */
static struct ending *take_one(void)
{
	struct ending *e = endings.waiting;

	while (e && count_of(endings.closing, e->uid) >= CONNECTION_THREADS_OF_USER)
		e = e->next;
	if (e)
		move(e, &endings.waiting, &endings.closing);
	return e;
}

static void close_one(struct ending *e)
{
	struct ending *closed = NULL;

	pthread_mutex_unlock(&endings.lock);
	close(e->fd);
	pthread_mutex_lock(&endings.lock);
	move(e, &endings.closing, &closed);
	endings.count--;
	free(e);
}

/* A wait that a signal finds ends, and so do those behind it in the same close; what comes before it is lost, and so
 * they come again and again. */
static void *run(void *first)
{
	struct sigevent to_this_one = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
	static const struct itimerspec often = { { 0, NUDGE_NS }, { 0, NUDGE_NS } };
	timer_t timer;
	bool nudged;

	to_this_one._sigev_un._tid = gettid();
	nudged = !timer_create(CLOCK_MONOTONIC, &to_this_one, &timer);
	if (nudged)
		timer_settime(timer, 0, &often, NULL);
	pthread_mutex_lock(&endings.lock);
	for (struct ending *e = first; e; e = take_one())
		close_one(e);
	endings.threads--;
	pthread_mutex_unlock(&endings.lock);
	if (nudged)
		timer_delete(timer);
	return NULL;
}

static void nudge(int signal)
{
	(void)signal;
}

/* Without a thread, or memory for one, it stays open until another one ends. */
static void help(void)
{
	const struct sigaction action = { .sa_handler = nudge, .sa_flags = SA_RESTART };
	struct ending *e = endings.threads < CONNECTION_THREADS ? take_one() : NULL;
	pthread_t thread;

	if (!e)
		return;
	sigaction(SIGRTMIN, &action, NULL);
	if (pthread_create(&thread, NULL, run, e)) {
		move(e, &endings.closing, &endings.waiting);
		return;
	}
	pthread_detach(thread);
	endings.threads++;
}

/* ---- ending ---- */

void connection_end(int fd, uid_t uid, int epoll)
{
	struct ending *e;

	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); /* where it would be always ready, until it is closed */
	shutdown(fd, SHUT_RDWR); /* nothing comes any more */
	if (drain(fd)) {
		close(fd);
		return;
	}
	e = malloc(sizeof *e);
	if (!e)
		return; /* better a descriptor that is lost than all that wait for its close */
	pthread_mutex_lock(&endings.lock);
	*e = (struct ending){ .next = endings.waiting, .fd = fd, .uid = uid };
	endings.waiting = e;
	endings.count++;
	help();
	pthread_mutex_unlock(&endings.lock);
}

unsigned connection_count(uid_t uid)
{
	unsigned n;

	pthread_mutex_lock(&endings.lock);
	n = count_of(endings.waiting, uid) + count_of(endings.closing, uid);
	pthread_mutex_unlock(&endings.lock);
	return n;
}

bool connection_has_room(void)
{
	bool has;

	pthread_mutex_lock(&endings.lock);
	has = endings.count < CONNECTION_ENDINGS;
	pthread_mutex_unlock(&endings.lock);
	return has;
}

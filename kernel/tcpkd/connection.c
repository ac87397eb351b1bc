#include "kernel/tcpkd/connection.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN 64 /* messages; who keeps to the protocol has one */

struct ending {
	struct ending *next;
	int fd;
	uid_t uid;
	bool closing; /* by a thread */
};

static struct {
	pthread_mutex_t lock;
	struct ending *first;
	unsigned threads;
} endings = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool connection_hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* A peek holds descriptors beside the message, and so never the last ones; without room for them none comes here, and
 * MSG_CTRUNC says that there were some. */
bool connection_is_loaded(int fd)
{
	struct msghdr m = { .msg_iovlen = 0 };

	return recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT) >= 0 && m.msg_flags & MSG_CTRUNC;
}

/* Of one that is shut down. Whether nothing is left: the end reads like an empty message, but only a message has
 * credentials. */
static bool drain(int fd)
{
	int on = 1;

	for (unsigned i = 0; i < DRAIN && !connection_is_loaded(fd); i++)
		if (recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) <= 0)
			break;
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	return !connection_is_loaded(fd);
}

/* ---- threads; endings.lock is held ---- */

static struct ending *next_one(void)
{
	struct ending *e = endings.first;

	while (e && e->closing)
		e = e->next;
	return e;
}

static void close_one(struct ending *e)
{
	struct ending **at = &endings.first;

	e->closing = true;
	pthread_mutex_unlock(&endings.lock);
	close(e->fd);
	pthread_mutex_lock(&endings.lock);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	free(e);
}

static void *run(void *unused)
{
	pthread_mutex_lock(&endings.lock);
	for (struct ending *e; (e = next_one());)
		close_one(e);
	endings.threads--;
	pthread_mutex_unlock(&endings.lock);
	return unused;
}

/* Without a thread, or memory for one, it stays open until another one ends. */
static void help(void)
{
	pthread_t thread;

	if (endings.threads == CONNECTION_THREADS || pthread_create(&thread, NULL, run, NULL))
		return;
	pthread_detach(thread);
	endings.threads++;
}

/* ---- ending ---- */

void connection_end(int fd, uid_t uid)
{
	struct ending *e;

	shutdown(fd, SHUT_RDWR); /* nothing comes any more */
	if (drain(fd)) {
		close(fd);
		return;
	}
	e = malloc(sizeof *e);
	if (!e)
		return; /* better a descriptor that is lost than all that wait for its close */
	pthread_mutex_lock(&endings.lock);
	*e = (struct ending){ .next = endings.first, .fd = fd, .uid = uid };
	endings.first = e;
	help();
	pthread_mutex_unlock(&endings.lock);
}

unsigned connection_count(uid_t uid)
{
	unsigned n = 0;

	pthread_mutex_lock(&endings.lock);
	for (const struct ending *e = endings.first; e; e = e->next)
		n += e->uid == uid;
	pthread_mutex_unlock(&endings.lock);
	return n;
}

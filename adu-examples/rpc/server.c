/* Connections, a thread each: a message is answered before the next is looked at, so a client that reads no replies
 * holds up itself. Memory is bounded by the number of connections, and a silent one ends. */
#include "adu-examples/rpc/rpc.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 64

static atomic_uint connections;

static void talk(struct alf *alf, uint8_t *in, uint8_t *out)
{
	int64_t id;
	ssize_t n;

	while ((n = adu_recv(alf, in, MESSAGE_MAX, NULL, &id, NULL)) >= 0 && id) {
		size_t len = answer(&store, in, (size_t)n, out, MESSAGE_MAX);
		if (!len || adu_send(alf, out, len, NULL) < 0)
			return;
	}
}

struct connection {
	int fd;
	const struct options *o;
};

static void *converse(void *arg)
{
	const struct connection a = *(struct connection *)arg;
	struct alf *alf = alf_open(a.fd, &a.o->profile);
	uint8_t *in = malloc(MESSAGE_MAX), *out = malloc(MESSAGE_MAX);

	free(arg);
	if (alf && in && out)
		talk(alf, in, out);
	free(in);
	free(out);
	alf_close(alf);
	close_tcpu(a.fd);
	connections--;
	return NULL;
}

static void welcome(int fd, const struct options *o)
{
	const bool room = connections++ < CONNECTIONS_MAX;
	struct connection *arg = malloc(sizeof *arg);
	pthread_t thread;

	road_patience(&o->road, fd);
	if (arg)
		*arg = (struct connection){ fd, o };
	if (arg && room && !pthread_create(&thread, NULL, converse, arg)) {
		pthread_detach(thread);
		return;
	}
	free(arg);
	connections--;
	close_tcpu(fd);
}

enum status serve(const struct options *o)
{
	int listener, fd;
	enum status s = road_listen(&o->road, CONNECTIONS_MAX, &listener);

	if (s != OK)
		return s;
	for (;;) {
		fd = accept_tcpu(listener, NULL, NULL);
		if (fd >= 0)
			welcome(fd, o);
		else if (errno != EINTR && errno != ECONNABORTED)
			return complain(FAILED, "accept: %s", strerror(errno));
	}
}

#include "core/link/ip.h"
#include "tests/packetdrill/adapter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUEUE 256 /* packets */
#define PORT_FIRST 49152

struct queue {
	uint8_t *packets; /* QUEUE of mtu bytes */
	uint32_t len[QUEUE];
	long long time_us[QUEUE];
	unsigned first, count;
	unsigned lent;    /* of them: read, and the reader's until it reads again */
	int fd;           /* an eventfd: raised while there is something to read */
};

struct wire {
	struct link link;
	pthread_mutex_t lock; /* of the queues; claims are under the stack's */
	uint32_t ip, mtu;
	struct queue in, out;
	uint8_t claimed[65536 / 8];
	uint16_t next_port;
};

/* ---- queues; the wire is locked ---- */

static uint8_t *slot(struct wire *w, struct queue *q, unsigned i)
{
	return q->packets + (size_t)((q->first + i) % QUEUE) * w->mtu;
}

static void raise(struct queue *q)
{
	eventfd_write(q->fd, 1);
}

static void lower(struct queue *q)
{
	eventfd_t ignored;

	if (q->count == q->lent)
		eventfd_read(q->fd, &ignored);
}

static void drop_lent(struct queue *q)
{
	q->first = (q->first + q->lent) % QUEUE;
	q->count -= q->lent;
	q->lent = 0;
}

/* ---- the stack's end ---- */

static struct wire *of(struct link *l)
{
	return (struct wire *)l;
}

static bool is_claimed(const struct wire *w, uint16_t port)
{
	return w->claimed[port / 8] & 1 << port % 8;
}

static uint16_t free_port(struct wire *w)
{
	for (unsigned i = PORT_FIRST; i < 65536; i++) {
		uint16_t port = w->next_port;

		w->next_port = port < 65535 ? (uint16_t)(port + 1) : PORT_FIRST;
		if (!is_claimed(w, port))
			return port;
	}
	return 0;
}

static int wire_claim(struct link *l, struct link_addr *local)
{
	struct wire *w = of(l);
	uint16_t port = local->port ? ntohs(local->port) : free_port(w);

	if (local->ip && local->ip != w->ip)
		return -EADDRNOTAVAIL;
	if (!port || is_claimed(w, port))
		return -EADDRINUSE;
	w->claimed[port / 8] |= (uint8_t)(1 << port % 8);
	local->port = htons(port);
	return 0;
}

static void wire_release(struct link *l, const struct link_addr *local)
{
	uint16_t port = ntohs(local->port);

	of(l)->claimed[port / 8] &= (uint8_t)~(1 << port % 8);
}

static int wire_route(struct link *l, uint32_t remote_ip, uint32_t *local_ip)
{
	(void)remote_ip;
	*local_ip = of(l)->ip;
	return 0;
}

static int wire_send(struct link *l, const struct link_out *out, unsigned n)
{
	struct wire *w = of(l);
	struct timeval now;

	gettimeofday(&now, NULL);
	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < n && w->out.count < QUEUE; i++) { /* beyond that they are lost */
		uint8_t *p = slot(w, &w->out, w->out.count);
		uint32_t len = out[i].header_len + out[i].data_len;

		ip_write(p, IPPROTO_TCP, out[i].src.ip, out[i].dst.ip, len, out[i].ecn);
		memcpy(p + IP_HEADER, out[i].header, out[i].header_len);
		if (out[i].data_len)
			memcpy(p + IP_HEADER + out[i].header_len, out[i].data, out[i].data_len);
		w->out.len[(w->out.first + w->out.count) % QUEUE] = IP_HEADER + len;
		w->out.time_us[(w->out.first + w->out.count) % QUEUE] = now.tv_sec * 1000000LL + now.tv_usec;
		w->out.count++;
		raise(&w->out);
	}
	pthread_mutex_unlock(&w->lock);
	return (int)n;
}

static int wire_recv(struct link *l, struct link_in *in, unsigned max)
{
	struct wire *w = of(l);
	unsigned n = 0;

	pthread_mutex_lock(&w->lock);
	drop_lent(&w->in);
	while (n < max && w->in.lent < w->in.count) {
		uint32_t len = w->in.len[(w->in.first + w->in.lent) % QUEUE];
		enum ip_kind kind = ip_read(slot(w, &w->in, w->in.lent++), len, w->ip, &in[n]);

		if (kind == IP_SEGMENT || kind == IP_ERROR)
			in[n++].vouched = false;
	}
	lower(&w->in);
	pthread_mutex_unlock(&w->lock);
	return (int)n;
}

static int wire_link_fd(const struct link *l)
{
	return ((const struct wire *)l)->in.fd;
}

static void wire_close(struct link *l)
{
	struct wire *w = of(l);

	close(w->in.fd);
	close(w->out.fd);
	free(w->in.packets);
	free(w->out.packets);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static const struct link_ops ops = { .claim = wire_claim, .release = wire_release, .route = wire_route,
	.send = wire_send, .recv = wire_recv, .fd = wire_link_fd, .close = wire_close };

/* ---- packetdrill's end ---- */

static bool queue_open(struct queue *q, uint32_t mtu)
{
	q->packets = malloc((size_t)QUEUE * mtu);
	q->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return q->packets && q->fd >= 0;
}

int wire_open(const struct flags *f, struct wire **out, struct link **link)
{
	struct wire *w = calloc(1, sizeof *w);

	if (!w)
		return -ENOMEM;
	w->link = (struct link){ .ops = &ops, .segment_max = f->mtu - IP_HEADER, .window_max = 16U << 20 };
	w->ip = f->local_ip;
	w->mtu = f->mtu;
	w->next_port = PORT_FIRST;
	w->in.fd = w->out.fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	if (!queue_open(&w->in, w->mtu) || !queue_open(&w->out, w->mtu)) {
		int error = w->in.packets && w->out.packets ? -EMFILE : -ENOMEM;

		wire_close(&w->link);
		return error;
	}
	*out = w;
	*link = &w->link;
	return 0;
}

int wire_put(struct wire *w, const void *packet, size_t len)
{
	int result = 0;

	pthread_mutex_lock(&w->lock);
	if (len > w->mtu) {
		result = -EMSGSIZE;
	} else if (w->in.count == QUEUE) {
		result = -ENOBUFS;
	} else {
		memcpy(slot(w, &w->in, w->in.count), packet, len);
		w->in.len[(w->in.first + w->in.count) % QUEUE] = (uint32_t)len;
		w->in.count++;
		raise(&w->in);
	}
	pthread_mutex_unlock(&w->lock);
	return result;
}

int wire_take(struct wire *w, void *packet, size_t cap, long long *time_us)
{
	int result = 0;

	pthread_mutex_lock(&w->lock);
	if (w->out.count) {
		uint32_t len = w->out.len[w->out.first];

		result = len <= cap ? (int)len : -EMSGSIZE;
		if (result > 0)
			memcpy(packet, slot(w, &w->out, 0), len);
		*time_us = w->out.time_us[w->out.first];
		w->out.lent = 1;
		drop_lent(&w->out);
		lower(&w->out);
	}
	pthread_mutex_unlock(&w->lock);
	return result;
}

int wire_fd(const struct wire *w)
{
	return w->out.fd;
}

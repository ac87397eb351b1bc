/* The network of sim.h: packets under way stand in a heap by time of arrival, ties in the order of sending; from
 * there they go to a queue at their host, which recv lends out. */
#include "core/link/sim.h"

#include "core/link/train.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX 65536 /* packets */
#define PORT_FIRST 49152    /* of those that nobody has asked for: RFC 6335 section 6 */
#define IP_HEADER 20

struct packet {
	struct packet *next; /* in a host's queue */
	uint64_t due_us, order;
	uint64_t number;
	struct link_addr src, dst;
	uint32_t len;
	uint8_t ecn;
	int error;
	uint32_t path_mtu;
	uint8_t segment[];
};

struct queue {
	struct packet *head, **tail;
	uint64_t bytes;
};

struct host {
	struct link link;
	struct link_sim *sim;
	uint32_t ip;
	uint32_t input_bytes;
	struct queue input, lent;
	uint8_t claimed[65536 / 8]; /* ports: a bit each */
	uint16_t next_port; /* host byte order */
};

struct path {
	struct link_sim_path p;
	struct link_sim_stats stats;
	uint64_t free_ns; /* when the wire has sent all that waits */
	uint64_t last_due_us;
};

struct link_sim {
	uint64_t now_us, random, order;
	struct host hosts[LINK_SIM_HOSTS];
	unsigned host_count;
	struct path paths[LINK_SIM_HOSTS][LINK_SIM_HOSTS];
	struct packet **heap;
	size_t heap_len, heap_cap;
	bool (*filter)(void *ctx, struct link_sim_packet *);
	void *filter_ctx;
	void (*tap)(void *ctx, enum link_sim_event, const struct link_sim_packet *);
	void *tap_ctx;
};

/* splitmix64 (Steele, Lea, Flood 2014) */
uint64_t link_sim_random(struct link_sim *sim)
{
	uint64_t z = sim->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

bool link_sim_chance(struct link_sim *sim, double p)
{
	/* No draw for what cannot happen: a new kind of fault leaves the traces of old seeds alone. */
	return p > 0 && (double)(link_sim_random(sim) >> 11) * 0x1p-53 < p;
}

static uint64_t up_to(struct link_sim *sim, uint64_t max)
{
	return max ? link_sim_random(sim) % (max + 1) : 0;
}

/* ---- heap ---- */

static bool earlier(const struct packet *a, const struct packet *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static bool heap_push(struct link_sim *sim, struct packet *p)
{
	size_t i = sim->heap_len;

	if (i == IN_FLIGHT_MAX)
		return false;
	if (i == sim->heap_cap) {
		size_t cap = sim->heap_cap ? 2 * sim->heap_cap : 64;
		struct packet **heap = realloc(sim->heap, cap * sizeof *heap);

		if (!heap)
			return false;
		sim->heap = heap;
		sim->heap_cap = cap;
	}
	for (sim->heap_len++; i && earlier(p, sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
		sim->heap[i] = sim->heap[(i - 1) / 2];
	sim->heap[i] = p;
	return true;
}

static struct packet *heap_pop(struct link_sim *sim)
{
	struct packet *top = sim->heap[0], *last = sim->heap[--sim->heap_len];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < sim->heap_len) {
		if (child + 1 < sim->heap_len && earlier(sim->heap[child + 1], sim->heap[child]))
			child++;
		if (!earlier(sim->heap[child], last))
			break;
		sim->heap[i] = sim->heap[child];
		i = child;
	}
	sim->heap[i] = last;
	return top;
}

/* ---- packets ---- */

static struct packet *packet_new(struct link_addr src, struct link_addr dst, uint32_t len)
{
	struct packet *p = malloc(sizeof *p + len);

	if (p)
		*p = (struct packet){ .src = src, .dst = dst, .len = len };
	return p;
}

static void queue_put(struct queue *q, struct packet *p)
{
	p->next = NULL;
	if (!q->head)
		q->tail = &q->head;
	*q->tail = p;
	q->tail = &p->next;
	q->bytes += p->len + IP_HEADER;
}

static struct packet *queue_take(struct queue *q)
{
	struct packet *p = q->head;

	if (p) {
		q->head = p->next;
		q->bytes -= p->len + IP_HEADER;
	}
	return p;
}

static void queue_drop(struct queue *q)
{
	struct packet *p;

	while ((p = queue_take(q)))
		free(p);
}

/* No carrier below us has ports of its own: they are the header's, whatever befell it. */
static void ports_from_header(struct packet *p)
{
	if (p->len >= 4) {
		memcpy(&p->src.port, p->segment, 2);
		memcpy(&p->dst.port, p->segment + 2, 2);
	}
}

static struct host *host_at(const struct link_sim *sim, uint32_t ip)
{
	for (unsigned i = 0; i < sim->host_count; i++)
		if (sim->hosts[i].ip == ip)
			return (struct host *)&sim->hosts[i];
	return NULL;
}

static struct path *path_of(const struct link_sim *sim, uint32_t from_ip, uint32_t to_ip)
{
	struct host *from = host_at(sim, from_ip), *to = host_at(sim, to_ip);

	assert(from && to);
	return (struct path *)&sim->paths[from - sim->hosts][to - sim->hosts];
}

static struct link_sim_packet view(const struct link_sim *sim, struct packet *p)
{
	return (struct link_sim_packet){ .src = p->src, .dst = p->dst, .number = p->number, .time_us = sim->now_us,
					 .segment = p->segment, .len = p->len, .ecn = p->ecn };
}

static void tap(struct link_sim *sim, enum link_sim_event event, struct packet *p)
{
	struct link_sim_packet seen;

	if (!sim->tap)
		return;
	seen = view(sim, p);
	sim->tap(sim->tap_ctx, event, &seen);
}

/* A cut, or a burst of at most 16 bits, half of the time in the header: what the Internet checksum never misses
 * (a burst of all 16 is left out), so that a test may take every wrong byte that gets through for a bug. */
static void corrupt(struct link_sim *sim, struct packet *p)
{
	uint64_t where, bits = 1 + up_to(sim, 0xfffd);

	if (!p->len)
		return;
	if (link_sim_chance(sim, 0.2)) {
		p->len = (uint32_t)up_to(sim, p->len - 1);
		return;
	}
	where = p->len > 20 && link_sim_chance(sim, 0.5) ? up_to(sim, 19) : up_to(sim, p->len - 1);
	p->segment[where] ^= (uint8_t)bits;
	if (where + 1 < p->len)
		p->segment[where + 1] ^= (uint8_t)(bits >> 8);
	else if (!(uint8_t)bits)
		p->segment[where] ^= 1;
}

/* RFC 3168 section 5: a router marks what may be marked instead of dropping it. */
static void mark(struct link_sim *sim, struct path *path, struct packet *p, double waiting)
{
	bool crowded = path->p.mark_bytes && waiting > path->p.mark_bytes;

	if ((p->ecn == 1 || p->ecn == 2) && (crowded || link_sim_chance(sim, path->p.mark))) {
		p->ecn = 3;
		path->stats.marked++;
	}
}

/* When a packet has left a wire of the path's rate; false when its queue is full. */
static bool leave(struct link_sim *sim, struct path *path, struct packet *p, uint64_t *left_us)
{
	uint32_t len = p->len;
	uint64_t now_ns = sim->now_us * 1000, rate = path->p.rate_bps;
	uint64_t start_ns = path->free_ns > now_ns ? path->free_ns : now_ns;
	double waiting = (double)(start_ns - now_ns) * (double)rate / 8e9;

	mark(sim, path, p, waiting);
	*left_us = sim->now_us;
	if (!rate)
		return true;
	if (path->p.queue_bytes && waiting + len + IP_HEADER > path->p.queue_bytes)
		return false;
	path->free_ns = start_ns + (uint64_t)((len + IP_HEADER) * 8e9 / (double)rate);
	*left_us = (path->free_ns + 999) / 1000;
	return true;
}

/* Takes p. */
static void carry(struct link_sim *sim, struct path *path, struct packet *p)
{
	const struct link_sim_path *want = &path->p;

	if (!leave(sim, path, p, &p->due_us)) {
		path->stats.queue_drops++;
		free(p);
		return;
	}
	if (link_sim_chance(sim, want->corrupt)) {
		path->stats.corrupted++;
		corrupt(sim, p);
	}
	ports_from_header(p);
	p->due_us += want->delay_us + up_to(sim, want->jitter_us);
	if (p->due_us < path->last_due_us)
		p->due_us = path->last_due_us;
	if (link_sim_chance(sim, want->reorder)) {
		path->stats.reordered++;
		p->due_us += 1 + up_to(sim, want->reorder_us);
	} else {
		path->last_due_us = p->due_us;
	}
	p->order = sim->order++;
	if (!heap_push(sim, p)) {
		path->stats.overflows++;
		free(p);
	}
}

static void transmit(struct link_sim *sim, const struct link_out *out)
{
	struct path *path;
	struct packet *p, *again;

	if (!host_at(sim, out->src.ip) || !host_at(sim, out->dst.ip))
		return;
	path = path_of(sim, out->src.ip, out->dst.ip);
	p = packet_new(out->src, out->dst, out->header_len + out->data_len);
	if (!p) {
		path->stats.overflows++;
		return;
	}
	memcpy(p->segment, out->header, out->header_len);
	if (out->data_len)
		memcpy(p->segment + out->header_len, out->data, out->data_len);
	p->ecn = out->ecn;
	p->number = path->stats.sent++;
	if (sim->filter) {
		struct link_sim_packet seen = view(sim, p);

		if (!sim->filter(sim->filter_ctx, &seen)) {
			path->stats.filtered++;
			free(p);
			return;
		}
		p->len = seen.len < p->len ? seen.len : p->len;
	}
	tap(sim, LINK_SIM_SENT, p);
	if (link_sim_chance(sim, path->p.loss)) {
		path->stats.lost++;
		free(p);
		return;
	}
	if (link_sim_chance(sim, path->p.duplicate) && (again = packet_new(p->src, p->dst, p->len))) {
		path->stats.duplicated++;
		memcpy(again->segment, p->segment, p->len);
		again->number = p->number;
		again->ecn = p->ecn;
		carry(sim, path, again);
	}
	carry(sim, path, p);
}

/* ---- the link ---- */

static uint8_t bit_of(uint16_t port)
{
	return (uint8_t)(1 << port % 8);
}

static bool is_claimed(const struct host *h, uint16_t port)
{
	return h->claimed[port / 8] & bit_of(port);
}

/* The next that is free; 0: none is. */
static uint16_t free_port(struct host *h)
{
	for (unsigned i = PORT_FIRST; i < 65536; i++) {
		uint16_t port = h->next_port;

		h->next_port = port < 65535 ? (uint16_t)(port + 1) : PORT_FIRST;
		if (!is_claimed(h, port))
			return port;
	}
	return 0;
}

static int sim_claim(struct link *link, struct link_addr *local)
{
	struct host *h = (struct host *)link;
	uint16_t port = local->port ? __builtin_bswap16(local->port) : free_port(h);

	if (local->ip && local->ip != h->ip)
		return -EADDRNOTAVAIL;
	if (!port || is_claimed(h, port))
		return -EADDRINUSE;
	h->claimed[port / 8] |= bit_of(port);
	local->port = __builtin_bswap16(port);
	return 0;
}

static void sim_release(struct link *link, const struct link_addr *local)
{
	struct host *h = (struct host *)link;
	uint16_t port = __builtin_bswap16(local->port);

	h->claimed[port / 8] &= (uint8_t)~bit_of(port);
}

static int sim_route(struct link *link, uint32_t remote_ip, uint32_t *local_ip)
{
	(void)remote_ip;
	*local_ip = ((struct host *)link)->ip;
	return 0;
}

static int sim_send(struct link *link, const struct link_out *out, unsigned n)
{
	struct host *h = (struct host *)link;

	uint8_t header[TRAIN_HEADER_MAX];
	struct link_out segment;

	for (unsigned i = 0; i < n; i++) {
		if (!out[i].segment_len)
			transmit(h->sim, &out[i]);
		for (uint32_t k = 0; out[i].segment_len && train_cut(&out[i], k, header, &segment); k++)
			transmit(h->sim, &segment);
	}
	return (int)n;
}

static int sim_recv(struct link *link, struct link_in *in, unsigned max)
{
	struct host *h = (struct host *)link;
	struct packet *p;
	unsigned n = 0;

	queue_drop(&h->lent);
	while (n < max && (p = queue_take(&h->input))) {
		queue_put(&h->lent, p);
		in[n++] = (struct link_in){ .src = p->src, .dst = p->dst, .segment = p->segment, .len = p->len,
					    .ecn = p->ecn, .error = p->error,
					    .path_mtu = p->path_mtu };
	}
	return (int)n;
}

static int sim_fd(const struct link *link)
{
	(void)link;
	return -1;
}

static void sim_close(struct link *link)
{
	struct host *h = (struct host *)link;

	queue_drop(&h->lent);
	queue_drop(&h->input);
	memset(h->claimed, 0, sizeof h->claimed);
}

static const struct link_ops sim_ops = {
	.claim = sim_claim, .release = sim_release, .route = sim_route, .send = sim_send, .recv = sim_recv, .fd = sim_fd,
	.close = sim_close,
};

/* ---- the network ---- */

struct link_sim *link_sim_new(uint64_t seed)
{
	struct link_sim *sim = calloc(1, sizeof *sim);

	if (sim)
		sim->random = seed;
	return sim;
}

void link_sim_free(struct link_sim *sim)
{
	if (!sim)
		return;
	for (unsigned i = 0; i < sim->host_count; i++)
		sim_close(&sim->hosts[i].link);
	for (size_t i = 0; i < sim->heap_len; i++)
		free(sim->heap[i]);
	free(sim->heap);
	free(sim);
}

struct link *link_sim_host(struct link_sim *sim, uint32_t ip, uint32_t segment_max, uint32_t input_bytes)
{
	struct host *h = &sim->hosts[sim->host_count];

	if (sim->host_count == LINK_SIM_HOSTS || host_at(sim, ip))
		return NULL;
	if (segment_max > LINK_SIM_SEGMENT_MAX)
		segment_max = LINK_SIM_SEGMENT_MAX;
	*h = (struct host){
		.link = { .ops = &sim_ops, .segment_max = segment_max, .window_max = input_bytes / 2 },
		.sim = sim, .ip = ip, .input_bytes = input_bytes, .next_port = PORT_FIRST,
	};
	sim->host_count++;
	return &h->link;
}

void link_sim_path(struct link_sim *sim, uint32_t from_ip, uint32_t to_ip, const struct link_sim_path *p)
{
	path_of(sim, from_ip, to_ip)->p = *p;
}

struct link_sim_stats link_sim_stats(const struct link_sim *sim, uint32_t from_ip, uint32_t to_ip)
{
	return path_of(sim, from_ip, to_ip)->stats;
}

uint64_t link_sim_next(const struct link_sim *sim)
{
	return sim->heap_len ? sim->heap[0]->due_us : LINK_SIM_NEVER;
}

void link_sim_clock(struct link_sim *sim, uint64_t now_us)
{
	assert(now_us >= sim->now_us);
	while (sim->heap_len && sim->heap[0]->due_us <= now_us) {
		struct packet *p = heap_pop(sim);
		struct host *h = host_at(sim, p->dst.ip);
		struct path *path = path_of(sim, p->src.ip, p->dst.ip);

		sim->now_us = p->due_us > sim->now_us ? p->due_us : sim->now_us;
		/* As with a socket's buffer, one packet may exceed it. */
		if (h->input.bytes > h->input_bytes) {
			path->stats.overflows++;
			free(p);
			continue;
		}
		path->stats.delivered++;
		queue_put(&h->input, p);
		tap(sim, LINK_SIM_DELIVERED, p);
	}
	sim->now_us = now_us;
}

bool link_sim_readable(const struct link *link)
{
	return ((const struct host *)link)->input.head;
}

void link_sim_filter(struct link_sim *sim, bool (*filter)(void *ctx, struct link_sim_packet *), void *ctx)
{
	sim->filter = filter;
	sim->filter_ctx = ctx;
}

void link_sim_tap(struct link_sim *sim,
		  void (*tap_)(void *ctx, enum link_sim_event, const struct link_sim_packet *), void *ctx)
{
	sim->tap = tap_;
	sim->tap_ctx = ctx;
}

static struct packet *inject(struct link_sim *sim, struct link_addr src, struct link_addr dst, const void *segment,
			     uint32_t len)
{
	struct packet *p = packet_new(src, dst, len);

	assert(p && host_at(sim, dst.ip));
	if (len)
		memcpy(p->segment, segment, len);
	queue_put(&host_at(sim, dst.ip)->input, p);
	return p;
}

void link_sim_inject(struct link_sim *sim, struct link_addr src, struct link_addr dst, const void *segment,
		     uint32_t len, int error)
{
	struct packet *p = inject(sim, src, dst, segment, len);

	p->error = error;
	if (!error)
		ports_from_header(p);
}

void link_sim_inject_mtu(struct link_sim *sim, struct link_addr src, struct link_addr dst, const void *quote,
			 uint32_t len, uint32_t path_mtu)
{
	struct packet *p = inject(sim, src, dst, quote, len);

	p->error = EMSGSIZE;
	p->path_mtu = path_mtu;
}

/* A reader of a BPF ring buffer as a client has it: the map's descriptor, and nothing else. Documentation/bpf/ringbuf
 * and include/uapi/linux/bpf.h: a page with the consumer's position, one with the producer's, then the data; before
 * each record a word with its length and two flags. */
#include "tests/platform/probe.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

int make_ring(size_t size)
{
	LIBBPF_OPTS(bpf_map_create_opts, none);
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, (uint32_t)size, &none);

	if (fd < 0)
		give_up("a ring");
	return fd;
}

bool map_ring(struct ring *r, int fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *fixed;

	*r = (struct ring){ .fd = fd, .size = size };
	r->consumed = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	fixed = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)page);
	r->produced = (void *)fixed;
	r->data = fixed + page;
	if (r->consumed == MAP_FAILED || fixed == MAP_FAILED)
		return false;
	r->at = *r->consumed;
	return true;
}

static const uint32_t *next(const struct ring *r)
{
	const uint32_t *header = (const void *)(r->data + (r->at & (r->size - 1)));

	if (r->at == __atomic_load_n(r->produced, __ATOMIC_ACQUIRE) ||
		__atomic_load_n(header, __ATOMIC_ACQUIRE) & BPF_RINGBUF_BUSY_BIT)
		return NULL;
	return header;
}

void ring_done(struct ring *r)
{
	size_t len = *next(r) & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
	unsigned long before = r->at;

	r->at += (len + BPF_RINGBUF_HDR_SZ + 7) & ~(size_t)7;
	/* The kernel compares this with its own position after it has written a record: sequentially consistent. */
	__atomic_store_n(r->consumed, r->spins ? before : r->at, __ATOMIC_SEQ_CST);
}

const void *ring_next(struct ring *r, size_t *len)
{
	const uint32_t *header;

	while ((header = next(r)) && *header & BPF_RINGBUF_DISCARD_BIT)
		ring_done(r);
	if (!header)
		return NULL;
	*len = *header;
	return (const uint8_t *)header + BPF_RINGBUF_HDR_SZ;
}

const void *ring_await(struct ring *r, size_t *len, int ms)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	const void *record = ring_next(r, len);

	while (!record && poll(&p, 1, ms) == 1)
		record = ring_next(r, len);
	return record;
}

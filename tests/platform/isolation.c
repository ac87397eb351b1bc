/* A client without any privilege that has a ring's descriptor can read it, wait for it, and spoil it for itself; it can
 * write no record, ask BPF for nothing, and do no harm to another's ring. */
#include "tests/platform/probe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <take.skel.h>
#include <unistd.h>

#define PORT 4000 /* of the client; the next one is the other's */
#define RING (1 << 20)

static struct ring ring;

static void send_to(int device, uint16_t port, uint32_t seq, size_t len)
{
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = port, .seq = seq, .len = len,
		.gso = len > 1460 ? 1460 : 0 };

	send_frame(device, &s);
}

/* Whether the next record is a packet with that data. */
static bool comes(struct ring *r, uint32_t seq, size_t data_len)
{
	const struct take_record *record;
	const uint8_t *data;
	size_t len, i = 0;
	bool right;

	record = ring_await(r, &len, 2000);
	if (!record || len != sizeof *record + 40 + data_len)
		return false;
	data = (const uint8_t *)(record + 1) + 40;
	while (i < data_len && data[i] == data_at(seq + (uint32_t)i))
		i++;
	right = i == data_len;
	ring_done(r);
	return right;
}

static void reads(int device)
{
	struct epoll_event e = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	size_t len;

	check(!epoll_ctl(epoll, EPOLL_CTL_ADD, ring.fd, &e), "the ring can be added to an epoll");
	check(epoll_wait(epoll, &e, 1, 0) == 0, "an empty ring is not ready");
	send_to(device, PORT, 1000, 5000);
	check(epoll_wait(epoll, &e, 1, 2000) == 1, "a record wakes it");
	check(comes(&ring, 1000, 5000), "and can be read in place");
	check(!ring_next(&ring, &len) && epoll_wait(epoll, &e, 1, 0) == 0, "then it is empty, and not ready again");
	close(epoll);
}

/* Whoever keeps a record is not waked by the next, since there is something to read already; whoever has released all
 * is. Told by an epoll that reports events, not states. */
static void wakes(int device)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	check(!epoll_ctl(epoll, EPOLL_CTL_ADD, ring.fd, &e), "the ring can be added for its events");
	send_to(device, PORT, 1, 100);
	check(epoll_wait(epoll, &e, 1, 2000) == 1, "the first record wakes");
	ring.spins = true;
	check(comes(&ring, 1, 100), "and is kept");
	send_to(device, PORT, 2, 100);
	check(epoll_wait(epoll, &e, 1, 100) == 0, "the next does not wake");
	ring.spins = false;
	check(comes(&ring, 2, 100), "but is there, and both are released");
	send_to(device, PORT, 3, 100);
	check(epoll_wait(epoll, &e, 1, 2000) == 1 && comes(&ring, 3, 100), "the one after that wakes");
	close(epoll);
}

static bool refused(const void *map, int error)
{
	return map == MAP_FAILED && errno == error;
}

static void writes_nothing(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int rw = PROT_READ | PROT_WRITE, fd = ring.fd;

	check(refused(mmap(NULL, page + 2 * RING, rw, MAP_SHARED, fd, (off_t)page), EPERM), "data, writable");
	check(refused(mmap(NULL, page, rw, MAP_SHARED, fd, (off_t)page), EPERM), "the producer's page, writable");
	check(refused(mmap(NULL, 2 * page, rw, MAP_SHARED, fd, 0), EPERM), "two pages, writable");
	check(mprotect(ring.data, page, rw) && errno == EACCES, "data made writable");
	check(mprotect(ring.produced, page, rw) && errno == EACCES, "the producer's page made writable");
	check(mremap(ring.consumed, page, 2 * page, MREMAP_MAYMOVE) == MAP_FAILED, "the consumer's page made longer");
}

static void asks_for_nothing(void)
{
	struct bpf_insn program[] = { { .code = 0xb7 }, { .code = 0x95 } }; /* returns 0 */
	LIBBPF_OPTS(bpf_map_create_opts, none);
	uint32_t key = 0, id;
	uint64_t value = 0;

	check(bpf_map_lookup_elem(ring.fd, &key, &value) < 0, "lookup");
	check(bpf_map_update_elem(ring.fd, &key, &value, 0) < 0, "update");
	check(bpf_map_delete_elem(ring.fd, &key) < 0, "delete");
	check(bpf_map_freeze(ring.fd) < 0, "freeze, while it is mapped");
	check(bpf_map_get_next_id(0, &id) == -EPERM, "the list of maps");
	check(bpf_map_get_fd_by_id(1) == -EPERM, "a map by its number");
	check(bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, 4096, &none) == -EPERM, "a ring of its own");
	check(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, NULL, "GPL", program, 2, NULL) == -EPERM, "a program");
	check(bpf_obj_pin(ring.fd, PINS "/probe") == -EACCES, "a pin, where only root may");
}

/* Positions that are nonsense, while packets come for both. */
static void scribbles(int device)
{
	uint64_t x = 1;

	for (uint32_t i = 0; i < 2000; i++) {
		x = x * 6364136223846793005U + 1442695040888963407U;
		__atomic_store_n(ring.consumed, i % 4 ? *ring.produced + (x >> 40) - (1 << 23) : x, __ATOMIC_SEQ_CST);
		send_to(device, PORT, i, 3000);
		if (i % 100 == 0)
			send_to(device, PORT + 1, i, 30000);
	}
}

static bool client(const int *fds)
{
	check(geteuid() && bpf_prog_get_fd_by_id(1) == -EPERM, "no privilege");
	check(map_ring(&ring, fds[0], RING), "the ring is mapped");
	reads(fds[1]);
	wakes(fds[1]);
	writes_nothing();
	asks_for_nothing();
	scribbles(fds[1]);
	return true;
}

int main(void)
{
	struct ring other;
	struct take *t;
	int fds[2];
	size_t len;

	need_platform();
	space();
	mount_pins();
	fds[0] = make_ring(RING);
	fds[1] = tap("tap0");
	t = take__open_and_load();
	if (!t || !map_ring(&other, make_ring(RING), RING))
		give_up("the program with its rings");
	for (uint32_t slot = 0; slot < TAKE_SLOTS; slot++) {
		t->bss->ports[slot] = (uint16_t)(PORT + slot);
		if (bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, slot ? &other.fd : &fds[0], sizeof other.fd, 0))
			give_up("the table of rings");
	}
	t->bss->verdict = 2;
	attach("tap0", BPF_TC_INGRESS, t->progs.take);
	check(as_nobody(client, fds, 2), "the client came to its end");
	for (uint32_t i = 0; i < 2000; i += 100)
		check(comes(&other, i, 30000), "the other's ring has its packet %u", i);
	check(!ring_next(&other, &len), "and nothing else");
	check(t->bss->seen[0].packets == 2004 && t->bss->seen[0].taken + t->bss->seen[0].full == 2004,
		"each packet for the client was taken or counted as lost");
	return conclude();
}

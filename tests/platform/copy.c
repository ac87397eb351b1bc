/* Packets of every size, up to a super-segment's most, come byte by byte into the ring, copied by the two overlapping
 * pieces of take.bpf.c; what finds no room is counted, and harms nothing. */
#include "tests/platform/probe.h"
#include <take.skel.h>

#include <string.h>
#include <unistd.h>

#define PORT 4000
#define RING (1 << 20)

static uint8_t frame[FRAME_MAX];
static const size_t before_ip = 10 + 14;
static struct take *t;
static struct ring ring;
static int device;

/* Sends one, and sees that it stands in the ring as it was sent, and nothing else. */
static bool comes_whole(size_t data_len)
{
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = PORT, .seq = (uint32_t)data_len * 7,
		.len = data_len, .gso = data_len > 1460 ? 1460 : 0 };
	size_t sent = make_frame(frame, &s), got;
	const struct take_record *r;
	bool same;

	if (write(device, frame, sent) != (ssize_t)sent || !(r = ring_next(&ring, &got)))
		return false;
	same = got == sizeof *r + sent - before_ip && r->len == sent - before_ip && r->gso_size == s.gso &&
		memcmp(r + 1, frame + before_ip, r->len) == 0;
	ring_done(&ring);
	return same && !ring_next(&ring, &got);
}

static void every_size(void)
{
	size_t data_len = 0;

	while (data_len < 4200 && comes_whole(data_len))
		data_len++;
	check(data_len == 4200, "a packet with %zu bytes of data", data_len);
	for (size_t power = 4096; power <= 65536; power *= 2)
		for (size_t ip_len = power - 2; ip_len <= power + 2 && ip_len <= 65535; ip_len++)
			check(comes_whole(ip_len - 40), "an IP packet of %zu bytes", ip_len);
	for (size_t ip_len = 4000; ip_len <= 65535; ip_len += 997)
		check(comes_whole(ip_len - 40), "an IP packet of %zu bytes", ip_len);
}

static void full_ring(void)
{
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = PORT, .len = TCP_DATA_MAX, .gso = 1460 };
	struct take_seen *seen = &t->bss->seen[0];
	uint64_t fit = 0, before = seen->taken;
	size_t len;

	for (int i = 0; i < 100; i++)
		send_frame(device, &s);
	fit = seen->taken - before;
	check(fit == RING / (65535 + sizeof(struct take_record) + 8), "%zu super-packets fit", (size_t)fit);
	check(seen->full == 100 - fit, "%zu were counted as lost", (size_t)seen->full);
	for (uint64_t i = 0; i < fit; i++) {
		check(ring_next(&ring, &len) && len == sizeof(struct take_record) + 65535, "record %zu", (size_t)i);
		ring_done(&ring);
	}
	check(!ring_next(&ring, &len), "no more than fits");
	check(comes_whole(100), "there is room again");
}

int main(void)
{
	uint32_t slot = 0;
	int fd;

	need_platform();
	space();
	device = tap("tap0");
	fd = make_ring(RING);
	t = take__open_and_load();
	if (!t || !map_ring(&ring, fd, RING) ||
		bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, &fd, sizeof fd, 0))
		give_up("the program with its ring");
	t->bss->ports[0] = PORT;
	t->bss->verdict = 2;
	attach("tap0", BPF_TC_INGRESS, t->progs.take);
	every_size();
	full_ring();
	return conclude();
}

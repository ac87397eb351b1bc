/* What a tc program can find out about a packet's checksum: each state of it, from the device that gives it. */
#include "tests/platform/probe.h"

#include "core/cksum.h"

#include <arpa/inet.h>
#include <take.skel.h>
#include <unistd.h>

#define PORT 4000
#define RING (4 << 20)

static struct take *t;
static struct ring ring;

/* Whether the three helpers tell the same. */
static bool agree(const struct take_record *r)
{
	return (r->level >= 0) == (r->summed == SUMMED_UNNECESSARY) && (r->complete >= 0) == (r->summed == SUMMED_COMPLETE);
}

/* Of CHECKSUM_COMPLETE: the sum of the whole IP packet, whose header sums to nothing, with the pseudo-header. */
static bool sums_up(const struct take_record *r)
{
	const uint8_t *ip = (const void *)(r + 1);
	uint32_t src, dst;

	__builtin_memcpy(&src, ip + 12, 4);
	__builtin_memcpy(&dst, ip + 16, 4);
	return tcpu_sum_fold((uint64_t)r->complete + tcpu_sum_pseudo(src, dst, r->len - 20)) == 0xffff;
}

/* All that stands in the ring is of these states: bits by enum take_summed. Each is there. */
static void is(const char *what, unsigned wanted)
{
	const struct take_record *r;
	unsigned states = 0, odd = 0;
	size_t len;

	for (; (r = ring_next(&ring, &len)); ring_done(&ring)) {
		states |= 1U << r->summed;
		odd += !agree(r) || (r->summed == SUMMED_COMPLETE && !sums_up(r));
	}
	check(states == wanted, "%s: states of checksums %#x, not %#x", what, states, wanted);
	check(!odd, "%s: %u packets whose helpers tell another thing than ip_summed", what, odd);
}

static void from_devices(int near, int far)
{
	check(stream(near, near, 0x7f000001, PORT, 1 << 20), "loopback");
	is("loopback", 1 << SUMMED_PARTIAL);
	check(stream(far, near, NEAR, PORT, 1 << 20), "veth");
	is("veth", 1 << SUMMED_PARTIAL);
	enter(far);
	run("ethtool -K wire tx off >/dev/null");
	check(stream(far, near, NEAR, PORT, 1 << 20), "veth, summed by the sender");
	is("veth, summed by the sender", 1 << SUMMED_NONE);
	enter(near);
	run("ethtool -K wire gro on");
	check(stream(far, near, NEAR, PORT, 1 << 20), "veth, summed by the sender, with GRO");
	is("veth, summed by the sender, with GRO", 1 << SUMMED_UNNECESSARY | 1 << SUMMED_PARTIAL);
}

static void from_tap(void)
{
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = PORT, .len = 1000 };
	int fd;

	fd = tap("tap0");
	attach("tap0", BPF_TC_INGRESS, t->progs.take);
	send_frame(fd, &s);
	is("TAP, to be finished", 1 << SUMMED_PARTIAL);
	s.plain = true;
	send_frame(fd, &s);
	is("TAP, summed by the writer", 1 << SUMMED_NONE);
	close(fd);
}

/* A tunnel's end has summed the whole packet of a wire, and has the sum of what is in it. */
static void from_tunnel(int near, int far)
{
	const char *tunnel = "ip link add tunnel type vxlan id 7 dstport 4789 udpcsum remote 10.99.1.%d && "
		"ip addr add 10.99.2.%d/24 dev tunnel && ip link set tunnel up && ethtool -K tunnel tx off >/dev/null";

	enter(near);
	if (!try_run(tunnel, 2, 1)) {
		puts("skipped, because this kernel has no VXLAN, whose packets have whole sums");
		check(true, "-");
		return;
	}
	enter(far);
	run(tunnel, 1, 2);
	enter(near);
	attach("tunnel", BPF_TC_INGRESS, t->progs.take);
	run("ethtool -K wire gro off && ethtool -K tunnel gro off");
	check(stream(far, near, 0x0a630201, PORT, 1 << 20), "VXLAN");
	is("VXLAN", 1 << SUMMED_COMPLETE);
}

int main(void)
{
	uint32_t slot = 0;
	int near, far, fd;

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	fd = make_ring(RING);
	t = take__open_and_load();
	if (!t || !map_ring(&ring, fd, RING) ||
		bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, &fd, sizeof fd, 0))
		give_up("the program with its ring");
	t->bss->ports[0] = PORT;
	attach("wire", BPF_TC_INGRESS, t->progs.take);
	attach("lo", BPF_TC_INGRESS, t->progs.take);
	from_devices(near, far);
	from_tap();
	from_tunnel(near, far);
	return conclude();
}

/* At a device's tc egress, what a client wrote to its TAP can be told from what the kernel's own TCP says of the same
 * port, as its RSTs: by the device that the packet came by. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <give.skel.h>
#include <linux/ip.h>
#include <out.skel.h>
#include <string.h>
#include <take.skel.h>

#define PORT 5000
#define PEER 6000
#define BYTES 60000
#define RING (1 << 20)

int main(void)
{
	static struct ring ring;
	struct hand hand = { .ring = &ring, .src = NEAR, .dst = FAR, .sport = PORT, .dport = PEER };
	struct take *t;
	struct give *g;
	struct out *o;
	uint32_t slot = 0;
	int near, far, fd;

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	hand.tap = tap("tap0");
	fd = make_ring(RING);
	t = take__open_and_load();
	g = give__open_and_load();
	o = out__open_and_load();
	if (!t || !g || !o || !map_ring(&ring, fd, RING) || set_ipv4("tap0", IPV4_DEVCONF_FORWARDING, 1) ||
		bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, &fd, sizeof fd, 0))
		give_up("the programs");
	t->bss->ports[0] = PORT;
	t->bss->verdict = 2;
	g->bss->source = htonl(NEAR);
	g->bss->input = index_of("tap0");
	o->bss->port = PORT;
	attach("wire", BPF_TC_INGRESS, t->progs.take);
	attach("wire", BPF_TC_EGRESS, o->progs.guard);
	attach("tap0", BPF_TC_INGRESS, g->progs.give);
	enter(far);
	listen_at(FAR, PEER);
	enter(near);
	check(hand_connect(&hand) && hand_send(&hand, BYTES), "the client's packets go out");
	check(o->bss->came_by == index_of("tap0"), "they came by its TAP: %u", o->bss->came_by);
	check(o->bss->passed == 3 && !o->bss->held, "three of them: %llu", o->bss->passed);

	detach("wire", BPF_TC_INGRESS);
	enter(far);
	check(connect_to(NEAR, PORT) < 0 && errno == EINPROGRESS, "the kernel's RST does not: %s", strerror(errno));
	check(o->bss->came_by == 0, "it came by no device: %u", o->bss->came_by);
	check(o->bss->resets >= 1 && o->bss->resets == o->bss->held, "it was held: %llu", o->bss->held);
	enter(near);
	detach("wire", BPF_TC_EGRESS);
	enter(far);
	check(connect_to(NEAR, PORT) < 0 && errno == ECONNREFUSED, "without the program it does: %s", strerror(errno));
	return conclude();
}

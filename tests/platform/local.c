/* To an address of this host, what a client writes goes by loopback's input, to the kernel's TCP or to another client;
 * what loopback must be told for that; and that nobody but a packet socket sees what is taken there. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <give.skel.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <take.skel.h>
#include <unistd.h>

#define PEER 6000
#define OTHER 7000 /* the other client's port */
#define BYTES 60000
#define RING (1 << 20)
#define HOME 0x7f000001

static struct take *t;
static struct give *g;
static struct ring rings[TAKE_SLOTS];
static struct hand hand = { .ring = &rings[0], .sport = 5000, .dport = PEER };

/* Whether a connection with the kernel's TCP comes about. */
static bool connects(uint32_t src, uint32_t dst)
{
	int listener = listen_at(dst, PEER), in = -1;
	bool good;

	hand.src = src;
	hand.dst = dst;
	hand.ack = 0;
	t->bss->ports[0] = ++hand.sport;
	g->bss->source = htonl(src);
	good = hand_connect(&hand);
	if (good)
		in = take_connection(listener);
	good = good && hand_send(&hand, BYTES) && read_stream(in, BYTES);
	close(in);
	close(listener);
	check(g->bss->answer == BPF_FIB_LKUP_RET_NOT_FWDED, "a local address is not forwarded to: %ld", g->bss->answer);
	return good;
}

static void settings(void)
{
	check(!connects(NEAR, NEAR), "nothing is accepted from an address of this host");
	check(!set_ipv4("lo", IPV4_DEVCONF_ACCEPT_LOCAL, 1), "accept_local is set by rtnetlink");
	check(connects(NEAR, NEAR), "with accept_local");
	check(!connects(HOME, HOME), "nothing is accepted from 127.0.0.1");
	check(!set_ipv4("lo", IPV4_DEVCONF_ROUTE_LOCALNET, 1), "route_localnet is set by rtnetlink");
	check(connects(HOME, HOME), "with route_localnet");
	check(connects(NEAR, HOME), "from an address to 127.0.0.1");
	check(connects(HOME, NEAR), "from 127.0.0.1 to an address");
	run("echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter");
	check(connects(HOME, HOME) && connects(NEAR, NEAR), "a strict filter of reverse paths allows both");
}

/* From one client to the other; and what is not to the device's Ethernet address, to nobody. */
static void other_client(void)
{
	struct segment s = { .src = NEAR, .dst = NEAR, .sport = 5000, .dport = OTHER, .len = BYTES, .gso = 1460 };
	struct take_seen *seen = &t->bss->seen[1];
	int listener = listen_at(NEAR, PEER);
	size_t len = 0;

	g->bss->source = htonl(NEAR);
	t->bss->ports[1] = OTHER;
	send_frame(hand.tap, &s);
	check(ring_await(&rings[1], &len, 2000) && len == sizeof(struct take_record) + BYTES + 40,
		"a super-segment from one client is in the other's ring, whole: %zu bytes", len);
	check(seen->packets == 1 && seen->supers == 1, "once: %llu", seen->packets);

	t->bss->ports[0] = s.sport;
	s = (struct segment){ .src = NEAR, .dst = NEAR, .sport = 5000, .dport = PEER, .flags = 2, .astray = true };
	send_frame(hand.tap, &s);
	s.astray = false;
	s.sport++;
	t->bss->seen[0].packets = 0;
	t->bss->ports[0] = s.sport;
	send_frame(hand.tap, &s);
	check(await(t->bss->seen[0].packets == 1), "a SYN to the Ethernet address of zeros is answered");
	check(t->bss->seen[0].resets == 0, "by SYN-ACK");
	close(listener);
}

/* How many packets of the other client's port are waiting there, from their IP header on. */
static int queued(int fd)
{
	uint8_t packet[128];
	int n = 0;

	while (recv(fd, packet, sizeof packet, 0) >= 40) {
		struct tcphdr tcp;

		memcpy(&tcp, packet + (packet[0] & 15) * 4, sizeof tcp);
		n += tcp.source == htons(OTHER) || tcp.dest == htons(OTHER);
	}
	return n;
}

/* A connection of the kernel's TCP to a taken port: no RST tells that nobody listens there, and a raw socket gets
 * nothing of it; a packet socket does. */
static void who_sees(void)
{
	int raw = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_TCP);
	int packet = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	uint64_t before = t->bss->seen[1].packets;

	check(connect_to(NEAR, OTHER) < 0, "nobody answers");
	check(t->bss->seen[1].packets > before, "it was taken");
	check(queued(raw) == 0, "no raw socket sees it, nor an RST");
	check(queued(packet) > 0, "a packet socket does");
	close(raw);
	close(packet);
}

int main(void)
{
	int near, far;

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	hand.tap = tap("tap0");
	t = take__open_and_load();
	g = give__open_and_load();
	if (!t || !g)
		give_up("the programs");
	for (uint32_t slot = 0; slot < TAKE_SLOTS; slot++) {
		int fd = make_ring(RING);

		if (!map_ring(&rings[slot], fd, RING) ||
			bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, &fd, sizeof fd, 0))
			give_up("a ring");
	}
	t->bss->verdict = 2;
	g->bss->input = index_of("tap0");
	attach("lo", BPF_TC_INGRESS, t->progs.take);
	attach("tap0", BPF_TC_INGRESS, g->progs.give);
	check(!set_ipv4("tap0", IPV4_DEVCONF_FORWARDING, 1), "forwarding is set by rtnetlink");
	settings();
	other_client();
	who_sees();
	return conclude();
}

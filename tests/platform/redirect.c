/* What an unprivileged process writes to its TAP, a super-segment too, goes out by the device that the route says,
 * whole or cut, with good checksums; the kernel resolves the neighbour's address meanwhile. What is not from it does
 * not. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <give.skel.h>
#include <sys/socket.h>
#include <take.skel.h>
#include <unistd.h>

#define PORT 5000
#define PEER 6000
#define BYTES 60000
#define BEYOND 0x0a630909 /* far's too, but behind a gateway for near */
#define RING (1 << 20)

static struct take *t, *wire; /* the client's input; what far's wire brings */
static struct give *g;
static int near, far;
static struct hand hand = { .src = NEAR, .dst = FAR, .sport = PORT, .dport = PEER };

static bool client(const int *fds)
{
	struct ring ring;

	hand.tap = fds[0];
	hand.ring = &ring;
	if (!map_ring(&ring, fds[1], RING))
		return false;
	return hand_connect(&hand) && hand_send(&hand, BYTES);
}

static bool stranger(const int *fds)
{
	struct segment s = { .src = NEAR + 7, .dst = FAR, .sport = PORT, .dport = PEER, .len = BYTES, .gso = 1460 };

	send_frame(fds[0], &s);
	return true;
}

/* A connection of the client's with the kernel's TCP in far. */
static struct take_seen connection(const char *what, uint32_t dst, const int *fds)
{
	int listener, in;

	wire->bss->seen[0] = (struct take_seen){ 0 };
	hand.dst = dst;
	hand.sport++;
	t->bss->ports[0] = hand.sport;
	enter(far);
	listener = listen_at(dst, PEER);
	enter(near);
	check(as_nobody(client, fds, 2), "%s: all was acknowledged", what);
	in = take_connection(listener);
	check(in >= 0 && read_stream(in, BYTES), "%s: the data is what was sent", what);
	close(in);
	close(listener);
	return wire->bss->seen[0];
}

static int errors_in(int space)
{
	unsigned errors = 1;
	FILE *f;

	enter(space);
	f = popen("nstat -asz TcpInErrs TcpInCsumErrors | awk '/^Tcp/ { n += $2 } END { print n }'", "r");
	if (!f || fscanf(f, "%u", &errors) != 1)
		give_up("nstat");
	pclose(f);
	enter(near);
	return (int)errors;
}

static void connections(const int *fds)
{
	struct take_seen s;

	s = connection("cold", FAR, fds);
	check(s.longest == BYTES + 40 && s.supers == 1, "with TSO: %u bytes were the longest", s.longest);
	check(g->bss->answer == BPF_FIB_LKUP_RET_SUCCESS, "the neighbour is known now: %ld", g->bss->answer);
	run("ethtool -K wire tx off gso off >/dev/null");
	s = connection("cut", FAR, fds);
	check(s.longest == 1500 && !s.supers, "without TSO: %u bytes were the longest", s.longest);
	check(s.summed[SUMMED_NONE] == s.packets, "without offloads all are summed: %llu", s.summed[SUMMED_PARTIAL]);
	run("ethtool -K wire tx on gso on tso on >/dev/null");

	run("ip neigh flush dev wire && ip route add 10.99.9.0/24 via 10.99.1.2");
	connection("gateway", BEYOND, fds);
	check(ntohl(g->bss->hop) == FAR, "the gateway is the next hop: %x", ntohl(g->bss->hop));
	check(g->bss->output == index_of("wire"), "by the device %u", g->bss->output);
	check(errors_in(far) == 0, "no segment of these was damaged");
}

int main(void)
{
	uint32_t slot = 0;
	int fds[2];

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	enter(far);
	/* Who asks for that address itself on the wire gets no answer. */
	run("ip addr add 10.99.9.9/32 dev lo && echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore");
	enter(near);
	fds[0] = tap("tap0");
	fds[1] = make_ring(RING);
	run("echo 1 >/proc/sys/net/ipv4/conf/tap0/forwarding");
	t = take__open_and_load();
	wire = take__open_and_load();
	g = give__open_and_load();
	if (!t || !wire || !g || bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, &fds[1], sizeof fds[1], 0))
		give_up("the programs");
	t->bss->verdict = 2;
	wire->bss->ports[0] = PEER;
	g->bss->source = htonl(NEAR);
	g->bss->input = index_of("tap0");
	attach("wire", BPF_TC_INGRESS, t->progs.take);
	attach("tap0", BPF_TC_INGRESS, g->progs.give);
	enter(far);
	attach("wire", BPF_TC_INGRESS, wire->progs.take);
	enter(near);
	connections(fds);

	wire->bss->seen[0] = (struct take_seen){ 0 };
	check(as_nobody(stranger, fds, 1) && g->bss->refused == 1, "what is from a foreign address is refused");
	connection("after that", FAR, fds);
	check(wire->bss->seen[0].bytes < 2 * BYTES, "nothing of it was on the wire");
	return conclude();
}

/* What bpf_fib_lookup answers, asked with a TAP without an address as the device that a packet came by: for every kind
 * of destination, for MTUs, and for rules. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <give.skel.h>
#include <linux/bpf.h>
#include <linux/ip.h>

static struct give *g;
static int device;
static unsigned wire;

/* Asks for a packet with so much data, cut into so much each. */
static long ask(uint32_t dst, size_t len, uint16_t gso)
{
	struct segment s = { .src = NEAR, .dst = dst, .sport = 5000, .dport = 6000, .len = len, .gso = gso };

	g->bss->answer = -1;
	g->bss->output = g->bss->hop = g->bss->mtu = 0;
	send_frame(device, &s);
	return g->bss->answer;
}

/* Whether it says that a packet goes by that device to that neighbour, known or not. */
static bool goes(uint32_t dst, unsigned output, uint32_t hop)
{
	long answer = ask(dst, 0, 0);

	return (answer == BPF_FIB_LKUP_RET_SUCCESS || answer == BPF_FIB_LKUP_RET_NO_NEIGH) &&
		g->bss->output == output && ntohl(g->bss->hop) == hop;
}

static void destinations(void)
{
	run("ip route add 10.99.2.0/24 via 10.99.1.2 && ip route add unreachable 10.99.3.0/24 && "
		"ip route add blackhole 10.99.4.0/24 && ip route add prohibit 10.99.5.0/24");
	check(goes(FAR, wire, FAR), "a neighbour: %ld", g->bss->answer);
	check(goes(0x0a630207, wire, FAR), "behind a gateway: %ld", g->bss->answer);
	check(ask(NEAR, 0, 0) == BPF_FIB_LKUP_RET_NOT_FWDED, "our own address: %ld", g->bss->answer);
	check(ask(0x7f000001, 0, 0) == BPF_FIB_LKUP_RET_NOT_FWDED, "127.0.0.1: %ld", g->bss->answer);
	check(ask(0x0a6301ff, 0, 0) == BPF_FIB_LKUP_RET_NOT_FWDED, "a network's broadcast: %ld", g->bss->answer);
	check(ask(0xffffffff, 0, 0) == BPF_FIB_LKUP_RET_NOT_FWDED, "broadcast: %ld", g->bss->answer);
	check(ask(0xe0000005, 0, 0) == BPF_FIB_LKUP_RET_NOT_FWDED, "multicast: %ld", g->bss->answer);
	check(ask(0xc0000201, 0, 0) == BPF_FIB_LKUP_RET_NOT_FWDED, "no route: %ld", g->bss->answer);
	check(ask(0x0a630301, 0, 0) == BPF_FIB_LKUP_RET_UNREACHABLE, "unreachable: %ld", g->bss->answer);
	check(ask(0x0a630401, 0, 0) == BPF_FIB_LKUP_RET_BLACKHOLE, "blackhole: %ld", g->bss->answer);
	check(ask(0x0a630501, 0, 0) == BPF_FIB_LKUP_RET_PROHIBIT, "prohibited: %ld", g->bss->answer);
}

static void mtus(void)
{
	run("ip route add 10.99.6.0/24 via 10.99.1.2 mtu lock 1000 && ip route add 10.99.9.0/24 via 10.99.1.2 mtu 1000");
	check(ask(FAR, 1460, 0) != BPF_FIB_LKUP_RET_FRAG_NEEDED, "as much as the device takes");
	check(ask(FAR, 1461, 0) == BPF_FIB_LKUP_RET_FRAG_NEEDED, "a byte more: %ld", g->bss->answer);
	check(g->bss->mtu == 1500, "the device's MTU comes with it: %u", g->bss->mtu);
	check(ask(FAR, 60000, 1460) != BPF_FIB_LKUP_RET_FRAG_NEEDED, "a super-segment");
	check(ask(FAR, 60000, 1461) == BPF_FIB_LKUP_RET_FRAG_NEEDED, "of segments too large: %ld", g->bss->answer);
	check(ask(0x0a630601, 961, 0) == BPF_FIB_LKUP_RET_FRAG_NEEDED, "a route's MTU: %ld", g->bss->answer);
	check(g->bss->mtu == 1000, "that MTU comes with it: %u", g->bss->mtu);
	check(ask(0x0a630601, 960, 0) != BPF_FIB_LKUP_RET_FRAG_NEEDED && g->bss->mtu == 1000, "as much as it takes");
	check(ask(0x0a630901, 1460, 0) != BPF_FIB_LKUP_RET_FRAG_NEEDED, "a route's MTU counts only where it is locked");
}

/* Rules that go by source and by device: as what the packet is asked about is ours to choose. */
static void rules(void)
{
	run("ip link add other type veth peer name another && ip addr add 10.99.7.1/24 dev other && ip link set other up && "
		"ip link set another up && "
		"ip route add 10.99.8.0/24 dev other table 100 && ip route add 10.99.8.0/24 dev wire");
	check(goes(0x0a630801, wire, 0x0a630801), "no rule: %ld, device %u", g->bss->answer, g->bss->output);
	run("ip rule add from 10.99.1.1 lookup 100");
	check(goes(0x0a630801, index_of("other"), 0x0a630801), "by source: device %u", g->bss->output);
	run("ip rule del from 10.99.1.1 && ip rule add iif lo lookup 100");
	check(goes(0x0a630801, wire, 0x0a630801), "the host's own packets' rule is not ours: device %u", g->bss->output);
	g->bss->input = 1;
	check(ask(FAR, 0, 0) == BPF_FIB_LKUP_RET_FWD_DISABLED, "as from loopback: %ld", g->bss->answer);
	check(!set_ipv4("lo", IPV4_DEVCONF_FORWARDING, 1), "forwarding is set for loopback");
	check(goes(0x0a630801, index_of("other"), 0x0a630801), "now it is: device %u", g->bss->output);
}

int main(void)
{
	int near, far;

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	wire = index_of("wire");
	device = tap("tap0");
	g = give__open_and_load();
	if (!g)
		give_up("the program");
	g->bss->source = htonl(NEAR);
	g->bss->input = index_of("tap0");
	attach("tap0", BPF_TC_INGRESS, g->progs.give);
	check(!set_ipv4("tap0", IPV4_DEVCONF_FORWARDING, 0), "forwarding is taken by rtnetlink");
	check(ask(FAR, 0, 0) == BPF_FIB_LKUP_RET_FWD_DISABLED, "without forwarding: %ld", g->bss->answer);
	check(!set_ipv4("tap0", IPV4_DEVCONF_FORWARDING, 1), "and given");
	destinations();
	mtus();
	rules();
	return conclude();
}

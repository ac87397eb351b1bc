/* ICMP errors of a router on the way, about what a client sent, come to the tc program, which knows them by the port in
 * what they quote; the kernel hears of none that is taken. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <give.skel.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <take.skel.h>

#define PORT 5000

static struct take *t;
static int device;

/* The error, by its code, that a packet to dst brings. */
static bool brings(uint32_t dst, size_t len, uint16_t gso, unsigned code)
{
	struct segment s = { .src = NEAR, .dst = dst, .sport = PORT, .dport = 6000, .len = len, .gso = gso };

	t->bss->seen[0] = (struct take_seen){ .error_code = 99 };
	send_frame(device, &s);
	return await(t->bss->seen[0].errors == 1) && t->bss->seen[0].error_code == code;
}

static bool kernel_heard(unsigned errors)
{
	return try_run("nstat -asz IcmpInDestUnreachs | grep -qE '^IcmpInDestUnreachs +%u '", errors);
}

int main(void)
{
	struct give *g;
	int near, far;

	need_platform();
	near = space();
	far = space();
	cable(near, far);
	/* Far is the router; no more than its word is needed of what is beyond. */
	enter(far);
	run("cd /proc/sys/net/ipv4 && echo 1 >ip_forward && echo 0 >icmp_ratelimit && "
		"ip link add beyond mtu 1000 type veth peer name end && ip link set beyond up && ip link set end up && "
		"ip route add 10.99.2.0/24 dev beyond && ip route add unreachable 10.99.3.0/24");
	enter(near);
	run("ip route add 10.99.0.0/16 via 10.99.1.2");
	device = tap("tap0");
	t = take__open_and_load();
	g = give__open_and_load();
	if (!t || !g || set_ipv4("tap0", IPV4_DEVCONF_FORWARDING, 1))
		give_up("the programs");
	t->bss->ports[0] = PORT;
	t->bss->verdict = 2;
	g->bss->source = htonl(NEAR);
	g->bss->input = index_of("tap0");
	attach("wire", BPF_TC_INGRESS, t->progs.take);
	attach("tap0", BPF_TC_INGRESS, g->progs.give);

	check(brings(0x0a630301, 100, 0, ICMP_HOST_UNREACH), "unreachable");
	check(brings(0x0a630201, 1400, 0, ICMP_FRAG_NEEDED), "too large");
	check(t->bss->seen[0].error_mtu == 1000, "with the MTU: %u", t->bss->seen[0].error_mtu);
	check(brings(0x0a630201, 20000, 1460, ICMP_FRAG_NEEDED), "a super-segment of too large segments");
	check(kernel_heard(0), "the kernel has heard of none");
	t->bss->verdict = 0;
	check(brings(0x0a630201, 1400, 0, ICMP_FRAG_NEEDED), "one that is not taken");
	check(await(kernel_heard(1)), "the kernel has heard of it");
	return conclude();
}

/* Not all that a tc program at ingress sees is for this host as it is: what is of a VLAN, of another Ethernet address
 * or has bytes behind its end can be told; and a device need not have Ethernet headers. */
#include "tests/platform/probe.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <where.skel.h>

#define PORT 5000
#define IN_VLAN 0x0a630201

static struct where *w;
static int near, far;

/* A SYN of far's comes by. */
static bool comes(uint32_t ip)
{
	w->bss->packets = 0;
	enter(far);
	close(connect_to(ip, PORT));
	enter(near);
	return await(w->bss->packets >= 1);
}

static void vlans(void)
{
	const char *vlan = "ip link add link wire name wire5 type vlan id 5 2>/dev/null && "
		"ip addr add 10.99.2.%d/24 dev wire5 && ip link set wire5 up";

	if (!try_run(vlan, 1)) {
		puts("skipped, because this kernel has no VLANs");
		check(true, "-");
		return;
	}
	enter(far);
	run(vlan, 2);
	enter(near);
	check(comes(IN_VLAN) && w->bss->vlan == 5, "a VLAN's packet at the device below it: %u", w->bss->vlan);
	detach("wire", BPF_TC_INGRESS);
	attach("wire5", BPF_TC_INGRESS, w->progs.where);
	check(comes(IN_VLAN) && w->bss->vlan == 0, "and at its own: %u", w->bss->vlan);
	attach("wire", BPF_TC_INGRESS, w->progs.where);
}

static void others_address(void)
{
	enter(far);
	run("ip neigh replace 10.99.1.1 lladdr 02:00:00:00:00:99 dev wire");
	enter(near);
	run("ip link set wire promisc on");
	check(comes(NEAR) && w->bss->pkt_type == PACKET_OTHERHOST, "to another's address: %u", w->bss->pkt_type);
}

/* Ethernet's least frame is 60 bytes. */
static void padding(void)
{
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = PORT, .plain = true };
	static uint8_t frame[FRAME_MAX];
	size_t len = make_frame(frame, &s);
	int fd = tap("tap0");

	attach("tap0", BPF_TC_INGRESS, w->progs.where);
	w->bss->packets = 0;
	check(write(fd, frame, len + 6) > 0 && w->bss->packets == 1, "a padded frame");
	check(w->bss->around == ETH_HLEN + 6, "has %u bytes too many, with its header", w->bss->around);
}

/* A super-segment's data stands apart from its headers. */
static void data(void)
{
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = PORT, .len = 60000, .gso = 1460 };
	int fd = tap("tap1");

	attach("tap1", BPF_TC_INGRESS, w->progs.where);
	w->bss->packets = 0;
	send_frame(fd, &s);
	check(w->bss->packets == 1 && w->bss->deep == 0, "data is read by bpf_skb_load_bytes: %ld", w->bss->deep);
	check(w->bss->deep_relative < 0, "but not by its relative: %ld", w->bss->deep_relative);
}

static void without_ethernet(void)
{
	struct ifreq r = { .ifr_name = "tun0", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = PORT, .plain = true, .len = 100 };
	static uint8_t frame[FRAME_MAX];
	size_t len = make_frame(frame, &s);
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		give_up("a TUN device");
	run("ip link set tun0 up");
	attach("tun0", BPF_TC_INGRESS, w->progs.where);
	memmove(frame + 10, frame + 24, len - 24);
	w->bss->packets = 0;
	check(write(fd, frame, len - 14) > 0 && w->bss->packets == 1, "a packet without an Ethernet header");
	check(w->bss->around == 0, "has nothing else: %u", w->bss->around);
}

int main(void)
{
	need_platform();
	near = space();
	far = space();
	cable(near, far);
	w = where__open_and_load();
	if (!w)
		give_up("the program");
	w->bss->port = PORT;
	attach("wire", BPF_TC_INGRESS, w->progs.where);
	check(comes(NEAR), "a packet as usual");
	check(w->bss->pkt_type == PACKET_HOST && !w->bss->vlan && w->bss->around == ETH_HLEN,
		"is for this host, of no VLAN, with nothing behind it");
	vlans();
	others_address();
	padding();
	data();
	without_ethernet();
	return conclude();
}

/* A client reads nothing from its TAP: a program at its egress drops what the kernel would say by it, which is
 * something as long as nobody forbids it. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <out.skel.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t frame[FRAME_MAX];

/* Makes the kernel ask who has an address behind the device, by ARP. */
static void ask_behind(const char *device, uint32_t ip)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	run("ip route add 10.99.3.0/24 dev %s", device);
	if (sendto(fd, "", 1, 0, (struct sockaddr *)&a, sizeof a) < 0)
		give_up("to send");
	close(fd);
	run("ip route del 10.99.3.0/24 dev %s", device);
}

/* The Ethernet type of what can be read, or 0. */
static uint16_t type_read(int fd)
{
	uint16_t type = 0;

	if (read(fd, frame, sizeof frame) >= 24)
		memcpy(&type, frame + 10 + 12, sizeof type);
	return ntohs(type);
}

static bool reads(int fd, uint16_t wanted)
{
	uint16_t type;

	while ((type = type_read(fd)) && type != wanted)
		;
	return type == wanted;
}

static bool nothing(int fd)
{
	return read(fd, frame, sizeof frame) < 0 && errno == EAGAIN;
}

int main(void)
{
	bool v6 = !access("/proc/sys/net/ipv6", R_OK);
	struct out *o;
	int fd;

	need_platform();
	space();
	run("ip addr add 10.99.1.1/32 dev lo");
	fd = tap("talks");
	ask_behind("talks", 0x0a630305);
	check(await(reads(fd, ETH_P_ARP)), "as it is, the kernel asks by ARP");
	if (v6)
		check(await(reads(fd, ETH_P_IPV6)), "as it is, the kernel reports and solicits by IPv6");
	close(fd);

	o = out__open_and_load();
	if (!o)
		give_up("the programs");
	fd = tap("mute");
	attach("mute", BPF_TC_EGRESS, o->progs.mute);
	while (type_read(fd)) /* since it came up */
		;
	o->bss->muted = 0;
	ask_behind("mute", 0x0a630306);
	check(await(o->bss->muted >= 1), "something was to go out");
	run("ip link set mute down && ip link set mute up");
	if (v6)
		check(await(o->bss->muted >= 2), "as it came up again, too: %llu", o->bss->muted);
	check(nothing(fd), "and nothing can be read");

	run("ip link set mute down && ip link set mute arp off addrgenmode none");
	o->bss->muted = 0;
	run("ip link set mute up");
	pause_ms(1500); /* as long as nothing is to come, there is nothing to wait for */
	check(o->bss->muted == 0, "without ARP and an IPv6 address nothing is said: %llu", o->bss->muted);
	check(nothing(fd), "nor can be read");
	return conclude();
}

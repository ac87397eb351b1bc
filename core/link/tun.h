/* TCPU as a host of its own: IP packets over a TUN device of Linux, whose far end is TCPU's address. The kernel routes
 * to that address and, where forwarding is on, from it, so that any TCP can be the peer. Needs root or CAP_NET_ADMIN,
 * or a persistent device that belongs to the user (`ip tuntap add ... user`).
 *
 * Super-packets: consecutive segments of one connection leave as one packet of up to 64 KiB (virtio-net header, TSO),
 * which the kernel cuts as late as it can, or never when it is for itself; and so they arrive. Where the kernel says
 * that a checksum is not needed, since the data never left the machine, the segment is vouched for.
 *
 * Sending never fragments (DF is set): what ICMP says of a path's MTU goes to the engine. Fragments that arrive are
 * dropped. Pings are answered, so many a second, since that is how people look whether a host is there. */
#ifndef CORE_LINK_TUN_H
#define CORE_LINK_TUN_H

#include "core/link.h"

#define LINK_TUN_ECHOES 1000 /* a second: RFC 1812 4.3.2.8 wants a limit */

/* Addresses in network byte order. 0 in a field asks for the default in brackets. */
struct link_tun_config {
	const char *name; /* of the device, made if there is none ["tcpu%d": the first number that is free] */
	uint32_t ip;      /* TCPU's own */
	uint32_t host_ip; /* the kernel's end. 0: address, routes and state of the device are the caller's */
	uint32_t mtu;     /* bytes of an IP packet [the device's: 1500 where nobody has changed it] */
	bool plain;       /* no super-packets, and every checksum complete, both ways */
};

struct link_tun_stats {
	uint64_t packets_out, packets_in;   /* super-packets count as one; those below do not count */
	uint64_t segments_out, segments_in; /* a super-packet that came is one segment */
	uint64_t vouched_in;
	uint64_t refused_out; /* segments that the kernel would not take: lost */
	uint64_t errors_in;   /* ICMP messages about segments of ours */
	uint64_t echoes_in, echoes_out;
	/* dropped: */
	uint64_t malformed;   /* versions, lengths, checksums of IP and ICMP */
	uint64_t fragments;
	uint64_t astray;      /* not to us, or from an address that no one host has */
	uint64_t other;       /* not IPv4, or protocols and messages that mean nothing to us */
};

/* -EINVAL: no ip, an mtu below 68 or above 65535; -EPERM, -EBUSY: somebody has the device, -ENOENT: no TUN in this
 * kernel; other errors of open(2) and netdevice(7).
 * claim knows no other address than config.ip, which it also gives where 0 is asked for (-EADDRNOTAVAIL), and ports of
 * its own (-EADDRINUSE), released by release alone. segment_max follows from the MTU at the opening. window_max is what
 * the device's queue holds in full segments that come one by one; it is made longer where that is allowed.
 * recv looks at no more than max packets, so it may return 0 while others wait behind what was dropped.
 * A device that was there before, and up, carries from the opening on; with a kernel before 6.8 a moment later. */
int link_tun_open(const struct link_tun_config *, struct link **out);
/* The same over a descriptor that is one already: of a device with IFF_TUN, IFF_NO_PI and IFF_VNET_HDR, opened by a
 * helper with the privilege, O_NONBLOCK set. It is the link's from then on; with an error, the caller's still. name and
 * host_ip are not looked at; mtu: [1500]. */
int link_tun_over(int fd, const struct link_tun_config *, struct link **out);
/* Of the device; "" for link_tun_over's. */
const char *link_tun_name(const struct link *);
/* Whether the kernel gives super-packets and unfinished checksums. */
bool link_tun_offloads(const struct link *);
struct link_tun_stats link_tun_stats(const struct link *);

#endif

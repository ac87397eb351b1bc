/* TCP segments in UDP datagrams over IPv4: the link that needs no privilege. One segment is the payload of one
 * datagram, TCP header first; UDP's ports are TCP's.
 *
 * Batches: consecutive segments of one size to one peer leave as one super-datagram (UDP_SEGMENT), which the kernel
 * cuts as late as it can, and arrive as one (UDP_GRO). Where header and data of a run lie contiguous in memory, the
 * whole run is one piece to the kernel.
 *
 * One link carries one claimed address: claim opens its socket, which a listener and its connections share.
 *
 * UDP's own checksum stays on, unlike RR-2650 section 2.1: without it the kernel refuses UDP_SEGMENT, and on
 * loopback, as on any device that sums, it costs the processor nothing. TCP's checksum is left to the engine.
 *
 * Path MTU: datagrams carry DF while they fit the path's MTU as the kernel knows it, and are fragmented by this host
 * when ICMP has made that smaller than segment_max (IP_PMTUDISC_WANT): slower, but never a black hole. */
#ifndef CORE_LINK_UDP_H
#define CORE_LINK_UDP_H

#include "core/link.h"

#define LINK_UDP_PAYLOAD_MAX 65507 /* bytes of a UDP datagram over IPv4 */

/* 0 in a field asks for the default in brackets. */
struct link_udp_config {
	uint32_t mtu;          /* bytes of an IP packet; segment_max is 28 less [the kernel's: see claim and route] */
	uint32_t rcvbuf_bytes; /* SO_RCVBUF [4 MiB]; without privilege the kernel grants at most net.core.rmem_max */
	bool single;           /* neither UDP_SEGMENT nor UDP_GRO */
};

struct link_udp_stats {
	uint64_t send_calls, recv_calls;         /* system calls */
	uint64_t datagrams_out, datagrams_in;    /* super-datagrams count as one */
	uint64_t segments_out, segments_in;
	uint64_t refused_out;                    /* segments that the kernel would not send: lost */
	uint64_t contradictions;                 /* segments dropped whose TCP ports are not UDP's */
	uint64_t errors_in;                      /* ICMP messages */
	bool gso_refused;                        /* the kernel refused a super-datagram: no more of them */
};

/* -ENOMEM. The link has no socket, and fd is -1, until claim. claim: -EBUSY when something is claimed already.
 * It sets segment_max from the MTU of the interface that has the address; without an address, from the largest MTU
 * there is, since a peer's MSS option and IP's fragmentation make good what is too large. window_max follows the
 * receive buffer that the kernel granted: half of what it says, because it counts a packet's memory, not its bytes
 * (measured: 1.6 times as much for 1,460 bytes alone, 2.4 times for 1,000, hardly more where GRO joins). It bounds
 * one connection: many that share the socket can still overflow it, which TCP takes for congestion.
 * release: the socket serves on what still belongs to its connections, until the next claim or close.
 * send: a full socket buffer leaves the rest to the caller, and its own packets' acknowledgments will wake him. */
int link_udp_open(const struct link_udp_config *, struct link **out);
/* The link's route: the address that packets to ip leave from, and, unless config.mtu was set, segment_max from the
 * path's MTU as the kernel knows it: for a link that is to carry one connection. -ENETUNREACH, -EACCES (broadcast). */
int link_udp_route(struct link *, uint32_t ip, uint32_t *source_ip);
struct link_udp_stats link_udp_stats(const struct link *);

#endif

/* TCPK: addresses and ports of the host itself, shared with the kernel's TCP (kernel/uapi/tcpk.h has the whole of it).
 * Needs no privilege, but either the module (kernel/mod) or the helper tcpkd with its BPF program (kernel/bpf); the
 * module is asked first.
 *
 * Whatever is claimed, this link gets every TCP segment for it and the kernel's TCP gets none; nobody else can have it
 * meanwhile, kernel's sockets included. claim with ip 0 takes the port on all addresses of the host. narrow leaves
 * everything but one remote's segments to others again. What is released stays reserved while something is left of its
 * connections, two minutes of silence by the module: who claims it by the same link has it at once. */
#ifndef CORE_LINK_TCPK_H
#define CORE_LINK_TCPK_H

#include "core/link.h"

enum link_tcpk_by {
	LINK_TCPK_ANY, /* the module, else the helper */
	LINK_TCPK_MODULE,
	LINK_TCPK_BPF,
};

/* 0 in a field asks for the default in brackets. */
struct link_tcpk_config {
	enum link_tcpk_by by;
	const char *path;    /* of the helper's socket [TCPKD_PATH] */
	uint32_t ring_bytes; /* of what came and is not read: the ring, or the kernel's receive buffer for each claim; a power
			      * of 2, no less than a page; with less than 8 KiB a connection, what all promise together may be
			      * more than it holds, and is lost where nobody reads in time [4 MiB] */
	bool plain;          /* what goes out: no super-packets, and every checksum complete */
};

struct link_tcpk_stats {
	uint64_t packets_out, segments_out; /* super-packets count as one packet */
	uint64_t segments_in;               /* a super-packet that came is one segment */
	uint64_t vouched_in;
	uint64_t refused_out; /* segments that the kernel would not take: lost */
	uint64_t errors_in;   /* ICMP messages about segments of ours */
	uint64_t dropped_in;  /* for want of room in the ring or the receive buffer: as the kernel counts them */
	uint64_t malformed;   /* dropped here */
};

/* -EPROTONOSUPPORT: there is neither (link_tcpk_missing says what is missing); -EACCES: the helper's policy has nothing
 * for this user; -EINVAL: ring_bytes; -EPROTO: module or helper are of another version; -ENOMEM, -EMFILE.
 * claim: -EADDRINUSE, -EADDRNOTAVAIL, -EACCES as bind(2); -EPERM: the helper's policy; -ENETDOWN: the helper is gone,
 * and what was claimed goes on. */
int link_tcpk_open(const struct link_tcpk_config *, struct link **out);
/* LINK_TCPK_MODULE or LINK_TCPK_BPF. */
enum link_tcpk_by link_tcpk_by(const struct link *);
struct link_tcpk_stats link_tcpk_stats(struct link *);
/* Says in at most size bytes, 0 included, what an opening would need that is not there: a line for each of module and
 * helper, with the remedy. Empty: one of them is there. Returns whether something is. */
bool link_tcpk_missing(const char *path, char *text, size_t size);

#endif

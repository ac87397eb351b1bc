/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * TCPK: gives a TCP packet to the process whose TCP it is for.
 *
 * DOCUMENTATION
 * =============
 *
 * A process that has its own TCP (TCPU: core/tcpu.h) claims a local address and port of the host. From then on, IP
 * input hands every TCP packet for them to that process and to nobody else; every other packet goes to the kernel's
 * TCP as ever. The remote end cannot tell, and other applications of the host never notice. (Braun, Diot, Hoglander,
 * Roca, INRIA RR-2650, 1995, section 2; figure 2 is the lookup.)
 *
 * Two ways lead there; the application's code (core/tcpu.h: socket_tcpu(AF_INET, SOCK_STREAM, IPPROTO_TCPK)) is the
 * same over both, and the link below it asks for the first, then for the second:
 *
 *	                   module: kernel/mod (reference)          BPF with helper: kernel/bpf and tcpkd
 *	asked for by       socket(AF_INET, SOCK_DGRAM,             a Unix socket: TCPKD_PATH, below
 *	                   IPPROTO_TCPK)
 *	kernel             headers to build against;           stock, 6.1 and later: tc, ring buffer and array of
 *	                   6.1 as Debian has it, and later         maps for BPF, TAP
 *	privilege          root once, to load the module; then     root once, to start tcpkd (CAP_BPF, CAP_NET_ADMIN,
 *	                   none above the host's first             CAP_PERFMON); then none; who may claim what is its
 *	                   unprivileged port                       policy (users, port ranges)
 *	where packets      LOCAL_IN hook, after IP reassembly and  tc ingress of each device, before netfilter: no
 *	are taken          netfilter's input rules                 reassembly (fragments for a claim are dropped), and
 *	                                                           before NAT of netfilter
 *	VRF                what comes by one is the kernel's       not known: a claim has what comes for it by any device
 *	packets come       copied by recvmsg; one system call for  copied once into a ring that the process has mapped
 *	                   each, or recvmmsg                       read-only; no system call for each
 *	packets leave      sendmsg: one segment, or one large one  write to a TAP descriptor with a virtio-net header:
 *	                   that the kernel cuts                    the same
 *	reservation in     a hidden, unlistened socket of the      a bound, unlistened socket that tcpkd holds
 *	the kernel's TCP   kernel's TCP
 *	ICMP errors, MTU   SO_ERROR, IP_RECVERR, IP_MTU            records in the ring
 *	process dies       the socket is closed: at once           tcpkd sees the Unix socket close: within a second
 *	gives up           -                                       local delivery by loopback's own path may need an
 *	                                                           egress hook; checksums are the device's word
 *
 * THE SOCKET
 * ==========
 *
 * socket(AF_INET, SOCK_DGRAM, IPPROTO_TCPK)
 *	A socket without address receives nothing and may send nothing. It polls as a datagram socket does.
 *	EPROTONOSUPPORT: no TCPK here. There is no SOCK_STREAM of this protocol: the same.
 *
 * bind(fd, struct sockaddr_in)
 *	Claims a local address and port and reserves them in the kernel's TCP: neither TCP can have what the other has.
 *	sin_addr INADDR_ANY claims the port on all addresses of the namespace. sin_port 0 takes one of the ephemeral
 *	range; getsockname tells which. From now on packets for it come here, and TCP SYNs to it are not refused by RST:
 *	whoever binds answers. What is not to this host alone (broadcast) does not come, and what netfilter's rules drop
 *	does not either.
 *	EADDRINUSE: TCP, kernel's or another's, has it; TIME-WAIT counts. EADDRNOTAVAIL: no address of this host. EACCES:
 *	below the first unprivileged port (ip_unprivileged_port_start) without CAP_NET_BIND_SERVICE. EINVAL: bound
 *	already. EAFNOSUPPORT.
 *
 * connect(fd, struct sockaddr_in)
 *	Narrows the socket to one remote address and port, atomically: before, it gets what comes for its local port and
 *	is no connected socket's; after, only what comes from that remote. What was queued from others is dropped. Binds
 *	first (as port 0, of the address that the route has) when that was not done; of a socket with all addresses it
 *	chooses the route's. What others send to the port from then on is some other socket's, or the kernel's TCP's, who
 *	resets it. A listening process can give each connection a socket of its own with TCPK_JOIN. Unlike UDP's, a
 *	connection cannot be changed or dissolved.
 *	EADDRINUSE: that pair of addresses is another socket's. EISCONN. EINVAL: remote port 0 or a multicast address.
 *	EAFNOSUPPORT: AF_UNSPEC among others. ENETUNREACH: no route, or a broadcast address.
 *
 * recvmsg(fd)
 *	One TCP segment as it came, header first, without IP header. msg_name: who sent it. MSG_TRUNC as for UDP. With
 *	TCPK_RECV_INFO, a control message {SOL_TCPK, TCPK_INFO} carries struct tcpk_info: the local address it was for,
 *	whether its checksum is vouched for, and with TCPK_SUPER the size of what it was merged from.
 *	The segment is not checked in any way beyond: the header is whole, data offset at least 5 and within.
 *	EAGAIN. ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPROTO, EMSGSIZE (the path's MTU shrank: IP_MTU has the new
 *	one, unless IP_MTU_DISCOVER is IP_PMTUDISC_PROBE, which leaves the host's routes alone), ...: an ICMP error that
 *	quotes a packet of ours, once; nothing is closed by it. Whoever quotes ports and addresses can say so: sequence
 *	numbers are the process's to compare, for which it needs the quotation:
 *	With IP_RECVERR, recvmsg(MSG_ERRQUEUE) gives each error as ip(7) says: the quoted segment, from the TCP header on
 *	and as far as it is quoted; msg_name: whom it was for; struct sock_extended_err, of which ee_info is the MTU and
 *	ee_data the local address (network byte order). Without, a socket that is not connected is told nothing; what
 *	quotes its packets never changes a route. As many wait as SO_RCVBUF has room for.
 *
 * sendmsg(fd)
 *	One TCP segment, header first; the kernel adds the IP header. The destination is the connected one or msg_name.
 *	Source and destination port in the header must be the socket's and the destination's, and the source address is
 *	the bound one: what is not ours cannot be forged. A control message {SOL_TCPK, TCPK_OFFLOAD} with struct
 *	tcpk_offload asks that the checksum be finished or a large segment be cut below, and says which of its addresses
 *	a socket that has all of them means.
 *	EPERM: foreign port or address (or netfilter's rules). EINVAL: no address; no whole header; what tcpk_offload
 *	cannot mean. EISCONN: another destination than the connected one. EMSGSIZE: longer than IP_MTU allows, or the
 *	segments that it would be cut into are. EDESTADDRREQ. ENETUNREACH, EHOSTUNREACH. ENOBUFS: the device's queue is
 *	full. EAGAIN: SO_SNDBUF is. And, once, what recvmsg would have said of ICMP: nothing was sent then.
 *
 * close(fd)
 *	The port is free again at once, for both TCPs. TIME-WAIT is TCPU's business; it keeps the socket as long.
 *
 * OPTIONS
 * =======
 *
 *	level SOL_TCPK     type            get set
 *	TCPK_VERSION       __u32           x       TCPK_ABI of the kernel. A change that breaks a program raises it.
 *	TCPK_RECV_INFO     int, 0 or 1     x   x   control messages with what comes; 0 at first
 *	TCPK_SUPER         int, 0 or 1     x   x   merged packets (GRO, a local sender's GSO) come whole, at most 64 KiB;
 *	                                           0 at first: they come cut as they were on the wire
 *	TCPK_JOIN          int, a TCPK fd      x   before bind: takes the local address of that bound socket, which this
 *	                                           process holds, to be connected next. EBADF, EINVAL: not bound, or not
 *	                                           TCPK. Receives nothing before connect. The port is reserved until the
 *	                                           last socket on it is closed.
 *	TCPK_STATS         struct tcpk_stats x     counts of this socket; what was merged or is cut counts as one
 *	level SOL_SOCKET: SO_RCVBUF bounds what waits (more is dropped and counted: the window that TCPU advertises must
 *	not exceed half of what getsockopt gives: the kernel counts its own memory, too), SO_SNDBUF, SO_RCVTIMEO,
 *	SO_SNDTIMEO, SO_ERROR, SO_BINDTODEVICE (the port is reserved on all devices; what comes by a VRF is the kernel's
 *	TCP's), SO_MARK, SO_ATTACH_FILTER (which sees the segment) as for UDP.
 *	level IPPROTO_IP: IP_TOS, IP_TTL, IP_MTU (connected), IP_MTU_DISCOVER, IP_RECVERR as for UDP. ENOPROTOOPT for the
 *	rest.
 *
 * /proc/net/tcpk: a line for each socket that has an address, as /proc/net/udp.
 *
 * Helpers of connection tracking (FTP's and the like) do not see what comes: the module takes it just before them.
 *
 * THE HELPER'S SOCKET
 * ===================
 *
 * TCPKD_PATH is a SOCK_SEQPACKET Unix socket. A client sends one struct tcpkd_request a packet and gets one struct
 * tcpkd_reply for each. What it claims lives as long as its connection to the helper.
 *
 * TCPKD_OPEN
 *	Makes the client's ring and its TAP: the reply carries exactly these two descriptors (SCM_RIGHTS), in that order,
 *	both for all that it will claim. Never a map of the table, never anything that could change what another process
 *	gets. ring_bytes: a power of 2 of pages, 0 for the default; the reply says how many there are. cursor in the reply:
 *	the client's secret, for TCPKD_RESUME.
 *	-EPERM: the policy has nothing for this user. -EDQUOT: more clients, or more bytes of rings, than it allows
 *	one user; a ring counts for both as long as any process has its descriptor or its memory mapped. -EINVAL: ring_bytes.
 *	-EAGAIN: too many of this user's at once, or too large ones: ask again, a tenth of a second later. -EISCONN: open
 *	already.
 * TCPKD_RESUME
 *	cursor: a client's secret. That client, whose helper had gone, to the one that is there now: what the connection
 *	claims from then on is the client's, with all that it had. Nothing has been lost meanwhile but the reservations,
 *	which the new helper has made anew.
 *	-EINVAL: no such client of this user whose helper has gone. -EISCONN: open already.
 * TCPKD_CLAIM
 *	local, local_port: as bind above. The reply has them as they were taken.
 *	-EADDRINUSE, -EADDRNOTAVAIL, -EACCES as bind. -EPERM: not a port that the policy allows this user. -EDQUOT: more
 *	claims than it allows one user, or than there is room for.
 * TCPKD_NARROW
 *	local, local_port: of a claim. remote, remote_port: as connect above; again: another remote, or none (0, 0). A claim
 *	of all addresses (local 0) stays what it is.
 *	-ENOENT: no such claim. -EADDRINUSE. -EINVAL: half a remote.
 * TCPKD_RELEASE
 *	local, local_port: of a claim. -ENOENT.
 * TCPKD_COUNT
 *	The reply has the counts of all that the client claims and has claimed.
 * TCPKD_CLAIM, TCPKD_NARROW, TCPKD_RELEASE, TCPKD_COUNT
 *	cursor: any number; the reply has it again. Who did not wait for an answer knows it when it comes.
 * TCPKD_LIST
 *	cursor: 0, or from the reply before. The reply has one claim, and a cursor for the next; -ENOENT: there is none any
 *	more. Root, and who runs the helper, see all claims, others their own user's. Needs no TCPKD_OPEN.
 * Anything else
 *	-EPROTO, and the connection is closed. -ENOTCONN: TCPKD_OPEN comes first.
 *	No request has descriptors attached (from Linux 6.16 on, sendmsg fails with EPERM), and none is served whose sender
 *	has shut down or closed the connection: either ends it without an answer. So does having more connections than there
 *	are left for others, or 256; users of whom the policy knows nothing have 64 together.
 *
 * The ring is a BPF ring buffer (Documentation/bpf/ringbuf.rst of Linux): the descriptor maps the consumer's position,
 * a page that may be written, at offset 0, and behind it, for reading, the producer's position and twice the data. It
 * polls readable while something waits. Each record is a struct tcpk_record and an IP packet.
 *
 * What is written to the TAP begins with struct virtio_net_hdr (linux/virtio_net.h), then an Ethernet header, which
 * nobody looks at (zeros, but for the type), then IP header, without options, and TCP header. What does not come from a
 * claim of the writer's, or would be cut into more than TCPK_SEGMENTS packets, is dropped and counted. Nothing is ever
 * to be read there. EBADFD: the TAP has been taken away, and with it all that was claimed.
 */
#ifndef _UAPI_TCPK_H
#define _UAPI_TCPK_H

#include <linux/types.h>

#define TCPK_ABI 1

#ifndef IPPROTO_TCPK
#define IPPROTO_TCPK 253 /* RFC 3692: for experiments. It never stands in an IP header: the wire says TCP (6). */
#endif
#define SOL_TCPK 253

enum tcpk_option {
	TCPK_VERSION = 1,
	TCPK_RECV_INFO = 2,
	TCPK_SUPER = 3,
	TCPK_JOIN = 4,
	TCPK_STATS = 5,
};

enum tcpk_control {
	TCPK_INFO = 1,    /* recvmsg: struct tcpk_info */
	TCPK_OFFLOAD = 2, /* sendmsg: struct tcpk_offload */
};

enum tcpk_checksum {
	TCPK_UNCHECKED = 0, /* compute it: the chain needs its checksum stage */
	TCPK_VOUCHED = 1,   /* the device or the kernel has checked it, or the packet never left the host (the field may
			     * then hold anything): a chain without checksum stage is the right one */
};

struct tcpk_info {
	__be32 local;       /* the address it was for */
	__u16 segment_size; /* TCPK_SUPER: bytes of data of each packet it was merged from, but for the last; else 0 */
	__u8 checksum;      /* enum tcpk_checksum */
	__u8 tos;           /* of the IP header: ECN (RFC 3168) */
};

#define TCPK_FINISH 1 /* whatever the checksum field holds, make the checksum */
#define TCPK_TOS 2    /* tos below counts, for this one, and not IP_TOS */

#define TCPK_SEGMENTS 128 /* one sendmsg, or one write to a TAP, becomes at most so many packets */

struct tcpk_offload {
	__be32 local;       /* the address it leaves from, where the socket has all of them; 0: the socket's, or the route's */
	__u16 segment_size; /* cut into segments of so many bytes of data, headers as TSO makes them; 0: leave whole */
	__u8 flags;         /* TCPK_FINISH: a must when segment_size is not 0 */
	__u8 tos;           /* of the IP header: ECN (RFC 3168) */
};

struct tcpk_stats {
	__u64 in_segs, in_bytes;
	__u64 in_dropped;  /* no room in SO_RCVBUF or in the ring */
	__u64 out_segs, out_bytes;
	__u64 out_refused; /* foreign addresses or ports */
};

/* A ring's: an IP packet follows, of TCP or an ICMP error, as it came: nothing of it has been checked. */
struct tcpk_record {
	__u32 len;          /* bytes of the packet */
	__u16 segment_size; /* as in struct tcpk_info: never cut here */
	__u8 checksum;      /* of the segment; as in struct tcpk_info */
	__u8 reserved;
};

#define TCPKD_PATH "/run/tcpkd.sock"

enum tcpkd_verb {
	TCPKD_OPEN = 1,
	TCPKD_CLAIM = 2,
	TCPKD_NARROW = 3,
	TCPKD_RELEASE = 4,
	TCPKD_COUNT = 5,
	TCPKD_LIST = 6,
	TCPKD_RESUME = 7,
};

struct tcpkd_request {
	__u32 abi;  /* TCPK_ABI */
	__u32 verb; /* enum tcpkd_verb */
	__be32 local, remote;
	__be16 local_port, remote_port;
	__u32 ring_bytes;
	__u64 cursor;
};

struct tcpkd_reply {
	__u32 abi;
	__s32 status; /* 0 or a negative errno */
	__be32 local, remote;
	__be16 local_port, remote_port;
	__u32 ring_bytes;
	__u64 cursor;
	__u32 uid, pid; /* TCPKD_LIST: whose it is; pid 0: a client from before the helper came */
	struct tcpk_stats stats;
};

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the programs of tcpk.bpf.c and tcpkd share: the port table of RR-2650's figure 2 and what stands around it.
 * Included by both; addresses and ports are in network byte order.
 */
#ifndef KERNEL_BPF_TABLE_H
#define KERNEL_BPF_TABLE_H

#include <linux/types.h>

#define TABLE_CLIENTS 1024
#define TABLE_CLAIMS 65536
#define TABLE_LOCALS 4096
#define TABLE_SHORTCUTS 256
#define TABLE_NEIGHBOURS 1024 /* at a time */
#define TABLE_PROBE 65536 /* bytes of a ring */

/*
 * What a claim is looked up by: a connection (all set), an address and port (remote and remote_port 0), a port of all
 * addresses (local 0, too). That order is the order in which they count.
 */
struct table_key {
	__u32 local, remote;
	__u16 local_port, remote_port;
};

struct table_claim {
	__u32 client; /* index of clients, rings */
	__u32 reserved;
	__u64 in_segs, in_bytes, in_dropped, out_segs, out_bytes;
};

/* A ring's memory is there as long as anybody has it, its client or not. */
struct table_ring {
	__u32 uid;
	__u32 bytes;
	__u32 seen; /* set where it is there */
};

struct table_client {
	__u32 tap; /* ifindex; 0: there is no such client */
	__u32 uid;
	__u32 ring_bytes;
	__u32 pid;
	__u64 out_refused; /* packets from what is not its own, or to where nothing can go */
	__u64 token; /* by which its process is known to the next tcpkd; never 0 */
};

#endif

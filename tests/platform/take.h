/* What take.bpf.c and the programs that load it both know. */
#ifndef TESTS_PLATFORM_TAKE_H
#define TESTS_PLATFORM_TAKE_H

#include <linux/types.h>

#define TAKE_SLOTS 2

/* Before each packet in a ring, which follows from its IP header on. */
struct take_record {
	__u32 len;      /* of what follows */
	__u32 gso_size; /* 0: one packet of a wire */
	__u32 summed;   /* skb->ip_summed: enum take_summed */
	__s32 level;    /* bpf_csum_level's answer: >= 0 is CHECKSUM_UNNECESSARY */
	__s64 complete; /* bpf_csum_update's: >= 0 is CHECKSUM_COMPLETE, and the sum itself */
};

enum take_summed { SUMMED_NONE, SUMMED_UNNECESSARY, SUMMED_COMPLETE, SUMMED_PARTIAL };

/* What has been seen for a slot's port. */
struct take_seen {
	__u64 packets, supers, bytes;
	__u64 taken, full; /* put into the slot's ring; found no room there */
	__u32 longest;     /* bytes of an IP packet */
	__u32 resets;      /* segments with RST */
	__u64 summed[4];   /* packets by enum take_summed */
	__u32 errors;      /* ICMP: destination unreachable, that quotes a packet from the port */
	__u32 error_code, error_mtu;
};

#endif

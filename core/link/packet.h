/* Super-packets: consecutive segments of a connection, or a train, as one packet that the kernel cuts as late as it can
 * (TSO), and the gather list that it is written from. Private to core/link/; no system call. */
#ifndef CORE_LINK_PACKET_H
#define CORE_LINK_PACKET_H

#include "core/link.h"

#include <sys/uio.h>

#define PACKET_RUN_MAX 64   /* segments of a super-packet: pieces of its gather list */
#define PACKET_SMALL 256    /* bytes of data: so few are written behind the header, which costs less than a piece */
#define PACKET_HEAD_MAX (128 + PACKET_SMALL) /* virtio-net header, Ethernet's, IP's, TCP's with all options: 104 */

struct packet {
	uint8_t head[PACKET_HEAD_MAX]; /* what stands before the data, where it is not the segment's own header */
	struct iovec pieces[PACKET_RUN_MAX + 2];
	int count;
};

/* How many of the n segments one packet can carry, at least 1: of one size, the last perhaps shorter. */
unsigned packet_run(const struct link_out *, unsigned n);
/* Bytes of data of each segment that the kernel is to make of it; 0: it is one. */
uint32_t packet_cut(const struct link_out *, unsigned run);
/* How many segments it is, once it is cut. */
unsigned packet_segments(const struct link_out *, unsigned run);
/* TCP header and data of that packet, in bytes. */
uint32_t packet_segment_len(const struct link_out *, unsigned run);
/* Writes the virtio-net header (virtio 1.1, 5.1.6, in the machine's own byte order) that stands before such a packet,
 * whose IP header stands link_header bytes behind it. leave: its checksum is the kernel's, which need not look at the
 * data where they stay on this host; that of a run always is. */
void packet_virtio(uint8_t *header, const struct link_out *, unsigned run, bool leave, size_t link_header);
/* Lists the pieces: the first `before` bytes of head, which are the caller's and written by now, then header and data.
 * The one header of a run has what the last segment has of FIN and PSH, and in its checksum field the sum of the
 * pseudo-header: the rest is for the kernel to finish. */
void packet_gather(struct packet *, size_t before, const struct link_out *, unsigned run, bool leave);

#endif

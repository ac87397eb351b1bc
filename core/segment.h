/* A TCP segment, RFC 9293 section 3.1: read from and written to the wire. */
#ifndef CORE_SEGMENT_H
#define CORE_SEGMENT_H

#include "core/link.h"
#include "core/option.h"

enum { TH_FIN = 1, TH_SYN = 2, TH_RST = 4, TH_PSH = 8, TH_ACK = 16, TH_URG = 32, TH_ECE = 64, TH_CWR = 128 };

#define HEADER_MIN 20 /* bytes */
#define HEADER_MAX 60

struct segment {
	struct link_addr src, dst; /* ports of the TCP header */
	uint32_t seq, ack, wnd;    /* wnd as it stands there: not scaled */
	uint8_t flags;
	uint32_t header_len, len;  /* bytes of the header, of data */
	const uint8_t *header, *data;
	uint8_t ecn;               /* of the IP header */
	struct options options;    /* once segment_options has read them */
};

/* false: too short, or the data offset lies. Looks at no checksum. */
bool segment_read(const struct link_in *, struct segment *);
void segment_options(struct segment *);
/* Sequence numbers that it takes up: data, SYN and FIN. */
uint32_t segment_length(const struct segment *);

/* Writes a header of HEADER_MIN + options_len bytes (options_len a multiple of 4) with its checksum, for data of
 * data_len bytes whose sum is data_sum. */
void segment_write(uint8_t *header, const struct segment *, const uint8_t *options, uint32_t options_len,
	uint32_t data_len, uint16_t data_sum);

#endif

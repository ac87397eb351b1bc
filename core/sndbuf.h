/* The retransmission buffer: a ring of spans {offset, length, sum}. A source writes each byte once, into a span;
 * it is sent, and sent again, from there, with the sum that the source gave. No span wraps around the ring's end.
 * In front of each span is headroom for a TCP header, so that a burst of segments is one piece of memory.
 *
 * Offsets count the bytes of the stream. Memory is taken at the first write. */
#ifndef CORE_SNDBUF_H
#define CORE_SNDBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	uint64_t off;  /* of the first byte */
	uint32_t pos;  /* in the ring; the headroom stands before it */
	uint32_t len;  /* bytes */
	uint16_t sum;  /* of the bytes, as core/seam.h says */
	bool record;   /* nothing may be appended */
	bool push;     /* Nagle's rule does not hold it back */
};

struct sndbuf {
	uint8_t *ring;
	struct span *span;
	uint32_t size;           /* bytes of the ring */
	uint32_t span_max;       /* a power of two */
	uint32_t first, count;   /* spans in use: first, first + 1, ... modulo span_max */
	uint32_t headroom;       /* bytes */
	uint32_t reserved;       /* where in the ring the next span's bytes go, once sndbuf_reserve has said so */
	uint64_t una, end;       /* offsets: first byte not acknowledged; behind the last byte written */
};

/* Bytes of memory for a ring of size bytes, and where the spans stand in it. */
size_t sndbuf_memory(uint32_t size);
void sndbuf_init(struct sndbuf *, void *memory, uint32_t size, uint32_t headroom);

/* Where the next bytes may be written: at most *cap of them, at least want unless 0 and *cap 0 are returned. */
uint8_t *sndbuf_reserve(struct sndbuf *, uint32_t want, uint32_t *cap);
/* The n bytes at the reserved place become a span. */
void sndbuf_commit(struct sndbuf *, uint32_t n, uint16_t sum, bool record, bool push);
/* Where bytes may be appended to the last span, which holds off or later bytes only and stays within len_max. */
uint8_t *sndbuf_extend(struct sndbuf *, uint64_t unsent, uint32_t len_max, uint32_t *cap);
void sndbuf_extended(struct sndbuf *, uint32_t n, uint16_t sum, bool push);

/* A piece of a span: what one segment can carry. */
struct piece {
	const uint8_t *data;
	uint8_t *headroom; /* where the header may stand; NULL: the piece does not begin its span */
	uint32_t len;
	uint16_t sum;
	bool push;
};
/* The piece at off, at most len_max bytes. false: nothing was written there yet. */
bool sndbuf_piece(const struct sndbuf *, uint64_t off, uint32_t len_max, struct piece *);
/* All before off was acknowledged. */
void sndbuf_ack(struct sndbuf *, uint64_t off);

#endif

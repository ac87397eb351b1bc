/* The receive buffer: a ring in which every byte of the window has its place, so that what comes out of order is
 * put where it belongs at once, and a short sorted list of the ranges that came over holes. What a sink takes
 * straight from the packet buffer never passes here. Offsets count the bytes of the stream. Memory is taken at the
 * first write. */
#ifndef CORE_RCVBUF_H
#define CORE_RCVBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A peer that makes more holes than this at once has what lies behind the last one dropped; it comes again. */
#define RCVBUF_RANGES 16

struct range {
	uint64_t begin, end;
};

struct rcvbuf {
	uint8_t *ring;
	uint32_t size;      /* bytes */
	uint32_t nranges;
	uint64_t read;      /* offset of the first byte not given to the user */
	uint64_t next;      /* offset behind the last byte without a hole: RCV.NXT */
	struct range range[RCVBUF_RANGES]; /* behind next, ascending, apart from each other */
};

/* Keeps data[0..len) at off; bytes before next or behind read + size must have been cut off. false: too many
 * holes, nothing kept. next moves when the hole at next is filled. */
bool rcvbuf_keep(struct rcvbuf *, uint64_t off, const uint8_t *data, uint32_t len);
/* Bytes that wait in order, as one piece of memory (the ring's end cuts it); 0: none. */
uint32_t rcvbuf_peek(const struct rcvbuf *, const uint8_t **data);
/* n of them were given to the user. */
void rcvbuf_consume(struct rcvbuf *, uint32_t n);
/* n bytes at next went to the user past the ring, which is empty. */
void rcvbuf_pass(struct rcvbuf *, uint32_t n);

static inline bool rcvbuf_empty(const struct rcvbuf *b) { return b->read == b->next && b->nranges == 0; }
/* How far the window may reach. */
static inline uint32_t rcvbuf_room(const struct rcvbuf *b) { return b->size - (uint32_t)(b->next - b->read); }

#endif

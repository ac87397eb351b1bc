/* The receive buffer: a ring in which every byte of the window has its place, so that what comes out of order is
 * put where it belongs at once, and the ranges that came over holes (core/ranges.h). What a sink takes straight from
 * the packet buffer never passes here, in order or over a hole. Offsets count the bytes of the stream.
 *
 * Zeros but for the size are a buffer to which nothing has come. Memory is the caller's: a ring, not needed before the
 * first byte is kept, and nodes for the ranges, not needed while there are none. */
#ifndef CORE_RCVBUF_H
#define CORE_RCVBUF_H

#include "core/ranges.h"

struct rcvbuf {
	uint8_t *ring;      /* NULL: none yet */
	uint32_t size;      /* bytes: of the ring, and the window at most */
	uint64_t read;      /* offset of the first byte not given to the user */
	uint64_t next;      /* offset behind the last byte without a hole: RCV.NXT */
	struct ranges over; /* what came over holes */
	struct ranges gone; /* of what came, behind read: given to the user already */
	/* RFC 2883: what came again, to be reported once; begin == end: nothing. */
	struct range duplicate;
};

#define SACK_BLOCKS 4 /* as many as fit into the options of a segment */

/* How many ranges over holes a buffer of size bytes keeps at most, in 1/64 of its size: a peer that makes more holes at
 * once has what lies behind them dropped; it comes again. Every other segment of a window may be lost when a segment
 * has 1280 bytes, or every fifth at random when it has 410. */
uint32_t rcvbuf_ranges_max(uint32_t size);
/* Moves all bytes that are kept to a larger ring; the old one is the caller's again. */
void rcvbuf_grow(struct rcvbuf *, uint8_t *ring, uint32_t size);
/* Keeps data[0..len), len > 0, at off; bytes before next or behind read + size must have been cut off. false: more
 * holes than there are nodes for; nothing was kept. next moves when the hole at next is filled. What was here already
 * becomes the duplicate (of several pieces the first), unless one waits to be reported. */
bool rcvbuf_keep(struct rcvbuf *, uint64_t off, const uint8_t *data, uint32_t len);
/* Bytes [begin, end) have come although they were here already (they are cut off before rcvbuf_keep): the duplicate,
 * unless one waits to be reported. */
void rcvbuf_again(struct rcvbuf *, uint64_t begin, uint64_t end);
/* The SACK blocks to report, at most n (and SACK_BLOCKS): RFC 2018 section 4, the one with the latest segment first,
 * and RFC 2883 section 4, a duplicate in front of all, which is then forgotten. Returns how many. */
uint32_t rcvbuf_blocks(struct rcvbuf *, struct range *out, uint32_t n);
/* The stream ends at next: what came behind it is not its. */
void rcvbuf_end(struct rcvbuf *);
/* What waits in order, up to what the user has already. false: nothing. */
bool rcvbuf_in_order(const struct rcvbuf *, struct range *);
/* The same as one piece of memory (the ring's end cuts it); 0: none. */
uint32_t rcvbuf_peek(const struct rcvbuf *, const uint8_t **data);
/* Of a copy: it ends before what the user has already, and may be read without a change to what it was copied from. */
void rcvbuf_look(struct rcvbuf *copy);
/* n of them were given to the user. */
void rcvbuf_consume(struct rcvbuf *, uint32_t n);
/* Whether rcvbuf_pass may be told of [off, off + n), off not before next: none of it is here, and where not everything
 * has come in order, there are nodes for it. */
bool rcvbuf_may_pass(const struct rcvbuf *, uint64_t off, uint32_t n);
/* n bytes at off went to the user past the ring. */
void rcvbuf_pass(struct rcvbuf *, uint64_t off, uint32_t n);
/* What waits in one piece over a hole, together with the byte at off: neither a byte that is missing nor one that the
 * user has is among them. false: off does not wait, or not over a hole. */
bool rcvbuf_waiting(const struct rcvbuf *, uint64_t off, struct range *);
/* What a range of waiting bytes looks like: the ring's end may cut it. */
void rcvbuf_pieces(const struct rcvbuf *, const struct range *, const uint8_t *data[2], uint32_t len[2]);
/* [begin, end), which waits over a hole, was given to the user. false: there is no node for it; nothing was changed. */
bool rcvbuf_take(struct rcvbuf *, uint64_t begin, uint64_t end);

static inline bool rcvbuf_empty(const struct rcvbuf *b) { return b->read == b->next && b->over.count == 0; }
/* How far the window may reach. */
static inline uint32_t rcvbuf_room(const struct rcvbuf *b) { return b->size - (uint32_t)(b->next - b->read); }

#endif

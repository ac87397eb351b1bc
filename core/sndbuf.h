/* The retransmission buffer: a ring of spans {offset, length, sum}. A source writes each byte once, into a span;
 * it is sent, and sent again, from there, with the sum that the source gave. No span wraps around the ring's end.
 * In front of each span is headroom for a TCP header, so that a burst of segments is one piece of memory.
 *
 * A span is sent as one segment; where the window or a smaller path wants less, it is cut in two first. So the spans
 * are the scoreboard as well (RFC 6675): each knows what became of it and when it was sent last (RFC 8985), and a list
 * runs through those under way, in the order of sending. What is to be sent again goes in the order of the stream.
 *
 * Offsets count the bytes of the stream. The ring and the table of spans are the caller's memory: who has nothing to
 * send needs no table, and few spans need a small one. */
#ifndef CORE_SNDBUF_H
#define CORE_SNDBUF_H

#include "core/seam.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum span_state {
	SPAN_UNSENT,
	SPAN_FLIGHT, /* sent, and nothing was heard of it */
	SPAN_LOST,   /* taken for lost, to be sent again */
	SPAN_SACKED, /* the peer has it, behind a hole */
};

struct span {
	uint64_t off;     /* of the first byte */
	uint64_t sent_us; /* when it was sent last */
	uint32_t pos;     /* in the ring */
	uint32_t len;     /* bytes */
	uint32_t older, newer; /* SPAN_FLIGHT: neighbours in the list: places in the table, SPAN_NONE at the ends */
	uint32_t skip;    /* SPAN_SACKED: that many spans from here on are, at least */
	uint16_t sum;     /* of the bytes, as core/seam.h says */
	uint8_t state;    /* enum span_state */
	bool summed;      /* sum holds; a span that was cut is summed again */
	bool headed;      /* headroom stands before it */
	bool record;      /* but whole records, nothing may be appended */
	bool push;        /* Nagle's rule does not hold it back */
	bool again;       /* it was sent more than once */
	bool forget;      /* once it was sent, nobody needs its bytes: they can be made again */
	bool hollow;      /* they are not here any more */
	uint16_t into, whole; /* forget: it is a part of a record: so many bytes into it; of so many */
	struct seam_note note; /* forget: the source's */
};
#define SPAN_NONE UINT32_MAX

#define SPANS_FEW 32 /* the smallest table */

struct sndbuf {
	uint8_t *ring;           /* NULL: none yet */
	struct span *span;       /* the table; NULL: none, and count is 0 */
	uint32_t size;           /* bytes of the ring */
	uint32_t span_max;       /* places in the table: a power of two, or 0 */
	uint32_t first, count;   /* spans in use: first, first + 1, ... modulo span_max */
	uint32_t sent;           /* of them: how many from the first on were sent */
	uint32_t hollow;         /* and how many have no bytes in the ring any more */
	uint32_t headroom;       /* bytes */
	uint32_t reserved;       /* where in the ring the next span's bytes go, once sndbuf_reserve has said so */
	uint64_t una, end;       /* offsets: first byte not acknowledged; behind the last byte written */
	uint32_t oldest, newest; /* of those in flight, by the time of sending: places in the table */
	uint32_t lost;           /* none of the spans before this one is lost */
	uint32_t sacked_bytes, lost_bytes, sacked_spans;
};

/* A ring of size bytes, and no table yet. */
void sndbuf_init(struct sndbuf *, uint8_t *ring, uint32_t size, uint32_t headroom);
/* Moves all bytes to a larger ring; the old one is the caller's again. */
void sndbuf_grow(struct sndbuf *, uint8_t *ring, uint32_t size);
/* How many places a table has at most, for a ring of size bytes. */
uint32_t sndbuf_spans_max(uint32_t size);
/* Whether one more span finds no place in the table; some are kept for spans that are cut. */
#define SPANS_SPARE 16
static inline bool sndbuf_table_full(const struct sndbuf *b) { return b->count + SPANS_SPARE >= b->span_max; }
/* Moves all spans to a table of max places, a power of two and no fewer than there are spans, or takes the table away
 * (NULL, 0) when there are none; the old one is the caller's again. Spans' addresses change. */
void sndbuf_table(struct sndbuf *, struct span *table, uint32_t max);
/* Whether the ring, whatever the table, has room for so many bytes in one piece. */
bool sndbuf_has_room(const struct sndbuf *, uint32_t want);

/* Where the next bytes may be written: at most *cap of them, at least want unless NULL and *cap 0 are returned. */
uint8_t *sndbuf_reserve(struct sndbuf *, uint32_t want, uint32_t *cap);
/* The n bytes at the reserved place become a span, which is returned. */
struct span *sndbuf_commit(struct sndbuf *, uint32_t n, uint16_t sum, bool record, bool push);
/* Nobody reads any more what was sent: gives up the room of what need not be kept, from the first span on as far as
 * that goes. Whether there was any. */
bool sndbuf_forget(struct sndbuf *);
/* Where bytes may be appended to the last span, which is unsent and stays within len_max. record: of how many bytes a
 * whole record is, one of which may follow on others; 0: they are none, and follow on none. */
uint8_t *sndbuf_extend(struct sndbuf *, uint32_t record, uint32_t len_max, uint32_t *cap);
void sndbuf_extended(struct sndbuf *, uint32_t n, uint16_t sum, bool push);

/* The first span that was never sent, the first that is to be sent again, the first that is not acknowledged, the last
 * that was sent; NULL: there is none. */
struct span *sndbuf_unsent(const struct sndbuf *);
struct span *sndbuf_lost(struct sndbuf *);
struct span *sndbuf_first(const struct sndbuf *);
struct span *sndbuf_last_sent(const struct sndbuf *);
/* The one that holds this byte, which was written and is not acknowledged. */
struct span *sndbuf_at(const struct sndbuf *, uint64_t off);
/* The neighbour of one that was sent, by its place in the stream. NULL: it was the last that was sent. */
struct span *sndbuf_behind(const struct sndbuf *, const struct span *);
/* Cuts a span, SACKed ones excepted: it keeps its first len bytes, and the rest is one of its own behind it. false: no
 * room in the table. Other spans' addresses change. */
bool sndbuf_cut(struct sndbuf *, struct span *, uint32_t len);
/* NULL: it is hollow. */
const uint8_t *sndbuf_data(const struct sndbuf *, const struct span *);
/* Where a header of the buffer's headroom may stand, so that the data follows at once; NULL: nowhere. */
uint8_t *sndbuf_headroom(const struct sndbuf *, const struct span *);
/* The sum of its bytes, which are here; computed only where the source's is of no use any more. */
uint16_t sndbuf_sum(struct sndbuf *, struct span *);

/* ---- scoreboard ---- */

/* It leaves now, the first unsent one or one that is lost or in flight: it is the newest of the flight. */
void sndbuf_sent(struct sndbuf *, struct span *, uint64_t now_us);
/* One in flight is taken for lost. */
void sndbuf_lose(struct sndbuf *, struct span *);
/* Takes back what sndbuf_lose said of all that have not been sent again since. */
void sndbuf_found(struct sndbuf *);
/* The peer has all of [begin, end): calls got for each span that lies within and was not known to have come (in flight
 * or lost), and then marks it. */
void sndbuf_sack(struct sndbuf *, uint64_t begin, uint64_t end, void (*got)(void *ctx, const struct span *), void *ctx);
/* All before off was acknowledged: calls got for each span that goes with it and was not SACKed before. */
void sndbuf_ack(struct sndbuf *, uint64_t off, void (*got)(void *ctx, const struct span *), void *ctx);
/* The peer has forgotten what it SACKed (RFC 2018 section 8): that is in flight as before. */
void sndbuf_renege(struct sndbuf *);
/* Of those in flight the one that was sent first; NULL: there is none. */
struct span *sndbuf_oldest(const struct sndbuf *);

#endif

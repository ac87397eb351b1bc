/* The seam: the one place where data manipulation meets TCP.
 *
 * TCP never copies, sums or looks at the user's bytes itself. On the way out it hands a stretch of the
 * retransmission buffer to a source, which writes the bytes there and gives their sum; on the way in it
 * hands the bytes of a segment, still in the packet buffer, to a sink, which takes them into the
 * application's memory and gives their sum. A fused loop (ilp/) behind a source or a sink therefore
 * touches each byte once. The plain copy-and-sum source and sink of core/plain.h are its simplest users.
 *
 * Sums are of RFC 1071: the 16-bit ones'-complement sum, not inverted, in memory order (stored as it is,
 * its two bytes are those of the wire), counted as if the first byte stood at an even offset.
 * Offsets count the bytes of the stream, from 0 for the first byte after the SYN.
 *
 * fill, drain and settle run in the middle of TCP's work. None of them may call into TCP, be it for their connection
 * or for another of the same engine (core/tcpu.h: of the same listener).
 *
 * Braun, Diot, Hoglander, Roca, INRIA RR-2650 (1995), section 4.1; Clark and Tennenhouse, SIGCOMM '90. */
#ifndef CORE_SEAM_H
#define CORE_SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seam_note {
	uint32_t word[4];
};

struct seam_source {
	/* Write the next bytes of the stream, which begin at offset off, to dst; at most cap of them.
	 * Returns how many were written; 0 says that there are no more for now. When sum is not NULL,
	 * *sum receives the sum of exactly these bytes. */
	size_t (*fill)(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum);
	void *ctx;
	/* Each fill is a record (a framed piece of an ADU): it gets a segment of its own, and cap is then always the
	 * connection's whole effective MSS, or half of the peer's window. Without it, short fills join the unsent end
	 * of what is buffered. */
	bool record;
	/* Of records that TCP keeps: where the link takes trains, those that fill their segments may stand side by side,
	 * for the link to cut them where they meet. Each that goes that way could go at once. */
	bool trains;
	/* Of records, where not NULL (and tcpu_source names this source): fill may set forget, and note as it likes. TCP
	 * then keeps the note instead of the bytes once these were sent, and has them made again if they are lost: all
	 * len of them, which begin at off, at dst. They must be the same. false: they cannot be, and the connection ends
	 * with ESTALE. */
	bool (*again)(void *ctx, const struct seam_note *note, uint64_t off, uint8_t *dst, size_t len);
	bool forget;
	struct seam_note note;
};

struct seam_sink {
	/* Take bytes of the stream: data[0..len) stands at offset off. Returns how many were taken.
	 *
	 * sum != NULL: the checksum of the segment is not known yet, and nothing of TCP's state has
	 * changed. All or nothing: return len, with the sum of all len bytes in *sum, or 0 to decline
	 * (TCP then checks the segment itself and keeps the bytes). settle() follows at once.
	 * sum == NULL: the bytes are known to be good; any prefix may be taken; settle(good) follows. */
	size_t (*drain)(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum);
	/* The n bytes taken at off were good, and count; or they were not, and never happened: the sink
	 * puts its state back and wipes what it wrote. */
	void (*settle)(void *ctx, uint64_t off, size_t n, bool good);
	/* NULL: the sink wants the stream in order. Else drain is called for segments over a hole, too, with off somewhere
	 * behind what was missing, all or nothing even where sum is NULL; and of what it declines, or what comes cut
	 * otherwise, show has a look: bytes that wait in one piece, from off on, and are known to be good. The end of TCP's
	 * ring may cut them in two. It may take some: true, [*begin, *end) are the ones, which no settle follows: over a
	 * hole from their midst, in order from off. Which of the two it is, the sink knows by what it has taken: off is in
	 * order if all before was taken, and with done set it must take nothing.
	 * Whatever was taken over a hole is not drained again when the hole is filled: what follows it is next. */
	bool (*show)(void *ctx, uint64_t off, const uint8_t *const data[2], const uint32_t len[2], uint64_t *begin,
		uint64_t *end);
	void *ctx;
	/* Set by the sink itself when it wants no more; TCP then leaves further segments where they are. */
	bool done;
};

#endif

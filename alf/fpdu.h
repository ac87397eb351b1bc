/* Where things stand in a stream of FPDUs (RFC 5044 section 4). Positions count its bytes, markers included, from the
 * first one behind the start-up frame. */
#ifndef ALF_FPDU_H
#define ALF_FPDU_H

#include "alf/framer.h"

#define FPDU_LENGTH 2    /* bytes of ULPDU_Length */
#define FPDU_CRC 4
#define FPDU_MARKER 4    /* bytes of a marker; */
#define FPDU_EVERY 512   /* so far from one to the next (4.3) */
#define FPDU_ULPDU_MAX 65535

/* Bytes of an FPDU, markers not counted, whose ULPDU has so many. */
static inline uint32_t fpdu_content(uint32_t ulpdu)
{
	return (FPDU_LENGTH + ulpdu + 3) / 4 * 4 + FPDU_CRC;
}

/* The position behind n bytes that stand at position pos and behind, and the markers in between. A marker stands before
 * the byte that would have its position. */
static inline uint64_t fpdu_behind(bool markers, uint64_t pos, uint64_t n)
{
	uint64_t before = -pos % FPDU_EVERY; /* bytes until the next marker */

	if (!markers || n <= before)
		return pos + n;
	return pos + n + (1 + (n - before - 1) / (FPDU_EVERY - FPDU_MARKER)) * FPDU_MARKER;
}

/* alf/framer.h: start and put are in alf/fpdu_out.c, the others in alf/fpdu_in.c. */
size_t fpdu_start(struct alf *, uint64_t off, uint8_t *dst, size_t cap);
size_t fpdu_put(struct alf *, struct adu_out *, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum);
bool fpdu_again(struct alf *, const struct seam_note *, uint64_t off, uint8_t *dst, size_t len);
uint64_t fpdu_find(const struct alf *, const struct alf_run *);
ssize_t fpdu_take(struct alf *, const struct alf_run *, uint64_t off, uint16_t *sum, uint64_t *skip);

#endif

/* Consistent Overhead Byte Stuffing (Cheshire and Baker, IEEE/ACM ToN 7 (2), 1999): for peers that find boundaries as
 * those of a serial line do. An ADU's data are stuffed, which leaves no zero in them and makes them longer by a byte
 * for every 254 and one; a zero ends the ADU.
 *
 *	ADU	11 22 00 33		(nothing)	00
 *	wire	03 11 22 02 33 00	01 00		01 01 00
 *
 * A zero with nothing before it ends nothing, and may stand anywhere between ADUs. The stuffing is the chain's
 * (ilp/stages/cobs.lua), so that there is one of it, and what stands before and behind it in the chain, a conversion,
 * the sum of the segment, comes with it. A piece's length stands before the piece, so the chain holds as many as 254
 * bytes back, and how much it writes is not known before: what may not fit goes by a buffer. */
#include "alf/conn.h"

#include "core/cksum.h"

#include <errno.h>
#include <string.h>

#define RUN 254
#define UNIT_MAX 64
#define OVER (RUN + UNIT_MAX + 8) /* bytes that may come of what the chain held, with the last piece and the zero */
#define STEP 256                  /* bytes of data that go by the buffer at a time */

_Static_assert(STEP + STEP / RUN + OVER <= STREAM_WAIT_MAX, "what comes of a step fits");

static bool fits(const struct ilp_chain *c)
{
	return !c->associate && strstr(c->stages, "cobs") && c->unit <= UNIT_MAX;
}

static size_t stuff(struct alf *a, struct adu_out *adu, uint8_t *dst, size_t n)
{
	size_t wrote = alf_stream_write(a, adu, dst, n);

	if (adu->done == adu->total)
		dst[wrote++] = 0;
	return wrote;
}

/* What is in the buffer is not done yet. */
static void stuff_aside(struct alf *a, struct adu_out *adu, size_t n)
{
	struct alf_stream *s = &a->stream;

	s->wait_at = 0;
	s->wait_end = (uint16_t)stuff(a, adu, s->wait, n);
	a->out.way->chain->sum(&a->out.run.state); /* it is that of another stretch of the wire */
	s->owed = s->wait_end ? (uint32_t)n : 0;
	adu->done -= s->owed;
}

static size_t unload(struct alf *a, struct adu_out *adu, uint8_t *dst, size_t room)
{
	struct alf_stream *s = &a->stream;
	size_t n = (size_t)(s->wait_end - s->wait_at);

	n = n < room ? n : room;
	memcpy(dst, s->wait + s->wait_at, n);
	s->wait_at += (uint16_t)n;
	if (s->wait_at == s->wait_end) {
		adu->done += s->owed;
		s->owed = 0;
	}
	return n;
}

static size_t cobs_put(struct alf *a, struct adu_out *adu, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	const struct alf_stream *s = &a->stream;
	size_t n = 0, k, room;
	uint16_t one;

	(void)off;
	alf_stream_start(a, adu);
	*sum = 0;
	do {
		uint64_t left = adu->here - adu->done;
		room = cap - n;
		if (s->wait_at == s->wait_end && room >= STEP + STEP / RUN + OVER) {
			k = room - room / RUN - OVER;
			k = stuff(a, adu, dst + n, alf_cut(a->out.way->chain, adu->done, left, k));
			one = a->out.way->chain->sum(&a->out.run.state);
		} else {
			if (s->wait_at == s->wait_end)
				stuff_aside(a, adu, left < STEP ? (size_t)left : STEP);
			k = unload(a, adu, dst + n, room);
			one = tcpu_sum(dst + n, k);
		}
		*sum = tcpu_sum_join(*sum, one, n);
		n += k;
	} while (n < cap && (s->wait_at < s->wait_end || adu->done < adu->here));
	return n;
}

static ssize_t cobs_take(struct alf *a, const struct alf_run *run, uint64_t off, uint16_t *sum, uint64_t *skip)
{
	const uint8_t *from, *zero;
	size_t n = alf_run_piece(run, off, ALF_PIECE_MAX, &from);
	int e;

	(void)sum, (void)skip;
	zero = memchr(from, 0, n);
	n = zero ? (size_t)(zero - from) : n;
	if (n == 0 && !a->stream.adu)
		return 1;
	e = alf_stream_begin(a, UINT64_MAX);
	if (!e)
		e = alf_stream_read(a, off, from, n, zero);
	return e ? e : (ssize_t)n + (zero ? 1 : 0);
}

const struct alf_framer alf_cobs = {
	.name = "cobs",
	.family = "cobs_copy",
	.adu_max = STREAM_ADU_MAX,
	.stream = true,
	.fits = fits,
	.put = cobs_put,
	.take = cobs_take,
	.end = alf_stream_end,
};

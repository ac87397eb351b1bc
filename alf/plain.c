/* No framing: a peer that wants a stream of bytes. What ADUs hold goes out as it is, one behind the other, and no
 * boundary with it; an ADU of nothing cannot be sent. What comes is handed out as it comes, in ADUs of 1 to
 * profile.adu_max bytes, each of what is at hand. */
#include "alf/conn.h"

#include <errno.h>

/* Words would be cut wherever TCP cuts. */
static bool fits(const struct ilp_chain *c)
{
	return !c->associate && c->keeps && c->unit == 1;
}

static size_t plain_put(struct alf *a, struct adu_out *adu, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	size_t n = alf_cut(a->out.way->chain, adu->done, adu->here - adu->done, cap);

	(void)off;
	alf_stream_start(a, adu);
	n = alf_stream_write(a, adu, dst, n);
	*sum = a->out.way->chain->sum(&a->out.run.state);
	return n;
}

static ssize_t plain_take(struct alf *a, const struct alf_run *run, uint64_t off, uint16_t *sum, uint64_t *skip)
{
	const size_t most = a->profile.adu_max < ALF_PIECE_MAX ? (size_t)a->profile.adu_max : ALF_PIECE_MAX;
	const uint8_t *from;
	size_t n = alf_run_piece(run, off, most, &from);
	int e = alf_stream_begin(a, n);

	(void)sum, (void)skip;
	if (!e)
		e = alf_stream_read(a, off, from, n, true);
	return e ? e : (ssize_t)n;
}

const struct alf_framer alf_plain = {
	.name = "plain",
	.adu_min = 1,
	.adu_max = STREAM_ADU_MAX,
	.stream = true,
	.fits = fits,
	.put = plain_put,
	.take = plain_take,
	.end = alf_stream_end,
};

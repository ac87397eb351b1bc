/* Record marking (RFC 5531 section 11): how ONC RPC stands in TCP. An ADU is a record, which goes in fragments:
 *
 *	+-+-----------------------------+----------------------+
 *	|L| length: 31 bits             | so many bytes, as    |  L: it is the record's last
 *	| |                             | the chain wrote them |
 *	+-+-----------------------------+----------------------+
 *
 * Ours are as long as they can be, over as many segments as that takes: all of the ADU, or of the part of it that the
 * application has given (adu_send_part). The peer's may have any length, none as well. */
#include "alf/bytes.h"
#include "alf/conn.h"

#include "core/cksum.h"

#include <errno.h>
#include <string.h>

#define HEADER 4
#define LAST 0x80000000U
#define FRAGMENT_MAX 0x7fffffffU
#define EMPTY_MAX 1024 /* fragments of nothing, of a record: that is one whose end is not meant to come */

static bool fits(const struct ilp_chain *c)
{
	return !c->associate && c->keeps;
}

/* The header of the fragment that is next. */
static size_t put_header(struct alf *a, const struct adu_out *adu, uint8_t *dst)
{
	const uint32_t most = FRAGMENT_MAX - FRAGMENT_MAX % a->out.way->chain->unit;
	uint64_t left = adu->here - adu->done;

	a->stream.fragment = left > FRAGMENT_MAX ? most : (uint32_t)left;
	put32(dst, a->stream.fragment | (adu->done + a->stream.fragment == adu->total ? LAST : 0));
	return HEADER;
}

static size_t record_put(struct alf *a, struct adu_out *adu, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	const struct ilp_chain *chain = a->out.way->chain;
	size_t head = a->stream.fragment ? 0 : put_header(a, adu, dst), n;

	(void)off;
	alf_stream_start(a, adu);
	n = alf_cut(chain, adu->done, a->stream.fragment, cap - head);
	a->stream.fragment -= (uint32_t)n;
	n = alf_stream_write(a, adu, dst + head, n);
	*sum = tcpu_sum_join(tcpu_sum(dst, head), chain->sum(&a->out.run.state), head);
	return head + n;
}

/* A header has come. */
static int begin_fragment(struct alf *a)
{
	struct alf_stream *s = &a->stream;
	const uint32_t word = get32(s->head), len = word & FRAGMENT_MAX;
	int e;

	if (!s->adu)
		s->empty = 0;
	if (len > a->profile.adu_max - (s->adu ? s->taken : 0))
		return alf_bad(a, ALF_TOO_LONG);
	if (!len && s->empty++ == EMPTY_MAX)
		return alf_bad(a, ALF_BAD_LENGTH);
	e = alf_stream_begin(a, UINT64_MAX);
	s->left = len;
	s->last = word & LAST;
	return e;
}

/* Its last byte is not taken before the ADU may begin, and, where nothing follows, end: nobody would ask again. */
static ssize_t take_header(struct alf *a, uint64_t off, const uint8_t *from, size_t n)
{
	struct alf_stream *s = &a->stream;
	int e = 0;

	n = n < (size_t)HEADER - s->head_len ? n : (size_t)HEADER - s->head_len;
	memcpy(s->head + s->head_len, from, n);
	if (s->head_len + n < HEADER) {
		s->head_len += (uint8_t)n;
		return (ssize_t)n;
	}
	e = begin_fragment(a);
	if (!e && s->last && !s->left)
		e = alf_stream_read(a, off, from, 0, true);
	if (e) {
		s->left = 0;
		return e;
	}
	s->head_len = 0;
	return (ssize_t)n;
}

static ssize_t record_take(struct alf *a, const struct alf_run *run, uint64_t off, uint16_t *sum, uint64_t *skip)
{
	struct alf_stream *s = &a->stream;
	const uint8_t *from;
	size_t n = alf_run_piece(run, off, ALF_PIECE_MAX, &from), over;
	int e;

	(void)sum, (void)skip;
	if (!s->left)
		return take_header(a, off, from, n);
	n = n < s->left ? n : s->left;
	over = (size_t)((s->taken + n) % a->in.way->chain->unit);
	if (n < s->left && n > over)
		n -= over;
	e = alf_stream_read(a, off, from, n, s->last && n == s->left);
	if (e)
		return e;
	s->left -= (uint32_t)n;
	return (ssize_t)n;
}

const struct alf_framer alf_record = {
	.name = "record",
	.adu_max = STREAM_ADU_MAX,
	.stream = true,
	.fits = fits,
	.put = record_put,
	.take = record_take,
	.end = alf_stream_end,
};

/* The way in: the books of the stream. TCP shows bytes in the packet buffer, before their checksum is known, or in its
 * ring; the framer takes frames from them, in any order, each once. What frames of an unchecked segment have done is
 * noted, and counts when the segment was good. */
#include "alf/conn.h"

#include "core/cksum.h"

#include <errno.h>
#include <string.h>

/* Frames that have no place yet are looked at again with each segment that comes beside them: no more than so many;
 * what waits behind them waits with them. */
#define SKIPS_MAX 64

void alf_run_cut(const struct alf_run *run, uint64_t off, void *to, size_t n)
{
	size_t at = (size_t)(off - run->off), first;

	if (at >= run->len[0]) {
		memcpy(to, run->data[1] + (at - run->len[0]), n);
		return;
	}
	first = run->len[0] - at < n ? run->len[0] - at : n;
	memcpy(to, run->data[0] + at, first);
	if (n > first)
		memcpy((uint8_t *)to + first, run->data[1], n - first);
}

size_t alf_run_piece(const struct alf_run *run, uint64_t off, size_t n, const uint8_t **at)
{
	size_t skip = (size_t)(off - run->off), left;

	if (skip < run->len[0]) {
		*at = run->data[0] + skip;
		left = run->len[0] - skip;
	} else {
		*at = run->data[1] + (skip - run->len[0]);
		left = run->len[0] + run->len[1] - skip;
	}
	return left < n ? left : n;
}

void alf_scatter(const struct alf_done *d, const uint8_t *from)
{
	for (int i = 0; i < d->pieces; i++) {
		memcpy(d->to[i].iov_base, from, d->to[i].iov_len);
		from += d->to[i].iov_len;
	}
}

static uint64_t end_of(const struct alf_run *run)
{
	return run->off + run->len[0] + run->len[1];
}

struct alf_done *alf_done_next(struct alf *a, uint64_t at)
{
	struct alf_done *d = &a->in.done[a->in.done_count];

	if (a->in.done_count == ALF_DONE_MAX)
		return NULL;
	a->in.done_count++;
	d->adu = NULL;
	d->region = NULL;
	d->over = d->created = d->control = d->names = d->last = false;
	d->pieces = 0;
	d->at = at;
	return d;
}

/* [begin, end) was taken. */
static int took(struct alf *a, uint64_t begin, uint64_t end)
{
	struct alf_in *in = &a->in;
	struct range first;

	if (begin != in->next)
		return alf_ranges_add(&in->over, begin, end);
	in->next = end;
	while (alf_ranges_first(&in->over, &first) && first.begin == in->next) {
		in->next = first.end;
		alf_ranges_pop(&in->over);
	}
	return 0;
}

/* Where a frame begins in the run; UINT64_MAX: nobody knows. */
static uint64_t boundary(const struct alf *a, const struct alf_run *run)
{
	struct range r;

	if (run->in_order)
		return run->off;
	if (!a->in.open || !a->framer->find)
		return UINT64_MAX;
	if (alf_ranges_find(&a->in.over, run->off - 1, run->off, &r) && r.end == run->off)
		return run->off;
	return a->framer->find(a, run);
}

static void undo(struct alf *a)
{
	for (; a->in.done_count; a->in.done_count--)
		alf_unplaced(a, &a->in.done[a->in.done_count - 1]);
}

static void commit(struct alf *a)
{
	a->stats.fpdus_in += a->in.done_count;
	for (unsigned i = 0; i < a->in.done_count; i++)
		alf_placed(a, &a->in.done[i]);
	a->in.done_count = 0;
}

static void moved(struct alf *a, uint64_t begin, uint64_t end)
{
	if (took(a, begin, end) < 0)
		alf_fail(a, ENOMEM);
	/* RFC 5044 (7.1.2): a responder sends none before it has received one. */
	a->out.open |= a->in.way && a->stats.fpdus_in;
	alf_passed(a);
}

/* Frames of the run from `at` on, as far as they go. Returns where they end. */
static uint64_t take_frames(struct alf *a, const struct alf_run *run, uint64_t at, uint16_t *sum, uint64_t *skip)
{
	uint64_t from = at;
	uint16_t one = 0;
	ssize_t n = 0;

	*sum = 0;
	*skip = 0;
	while (at < end_of(run) && (n = a->framer->take(a, run, at, &one, skip)) > 0) {
		*sum = tcpu_sum_join(*sum, one, (size_t)(at - from));
		at += (uint64_t)n;
		if (run->checked)
			commit(a);
	}
	if (n < 0 && n != -EAGAIN && run->checked)
		alf_fail(a, (int)-n);
	return at;
}

static size_t drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct alf *a = ctx;
	struct alf_run run = { .off = off, .data = { data, NULL }, .len = { (uint32_t)len, 0 },
		.sums = sum != NULL, .in_order = off == a->in.next };
	uint64_t skip;
	uint16_t all;

	/* What is not whole, TCP keeps, and shows. */
	if (a->error || !a->in.open || !a->framer->find || boundary(a, &run) != off)
		return 0;
	if (take_frames(a, &run, off, &all, &skip) == off + len) {
		if (sum)
			*sum = all;
		return len;
	}
	undo(a);
	return 0;
}

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	struct alf *a = ctx;

	if (!good || !n) {
		undo(a);
		return;
	}
	a->stats.fpdus_direct += a->in.done_count;
	a->in.rest &= off != a->in.next;
	commit(a);
	moved(a, off, off + n);
}

/* In order a frame that does not end before what was taken over a hole is none. */
static bool is_cut(const struct alf *a, const struct alf_run *run)
{
	struct range first;

	return run->in_order && a->in.open && alf_ranges_first(&a->in.over, &first) && end_of(run) >= first.begin;
}

static bool show(void *ctx, uint64_t off, const uint8_t *const data[2], const uint32_t len[2], uint64_t *begin,
	uint64_t *end)
{
	struct alf *a = ctx;
	struct alf_run run = { .off = off, .data = { data[0], data[1] }, .len = { len[0], len[1] }, .checked = true,
		.in_order = off == a->in.next };
	uint64_t skip = 0;
	uint16_t sum;

	if (a->error)
		return false;
	a->in.rest |= run.in_order;
	*begin = boundary(a, &run);
	for (unsigned skipped = 0; skipped < SKIPS_MAX; skipped++) {
		if (*begin >= end_of(&run))
			return false;
		*end = take_frames(a, &run, *begin, &sum, &skip);
		if (a->error || *end > *begin || run.in_order)
			break;
		if (!skip)
			return false;
		*begin += skip; /* what has no place yet waits; what comes behind it may have one */
		*end = *begin;
	}
	if (run.in_order)
		a->in.rest = *end < end_of(&run);
	if (*end == *begin && !a->error && is_cut(a, &run) && !a->in.full)
		alf_fail(a, -alf_bad(a, ALF_BAD_MARKER));
	if (*end == *begin)
		return false;
	moved(a, *begin, *end);
	return true;
}

void alf_in_init(struct alf *a)
{
	a->in.limit = a->profile.credit;
	if (a->framer->controls && a->in.limit < UINT64_MAX - ADU_URGENT)
		a->in.limit += ADU_URGENT;
	a->in.sink = (struct seam_sink){ .drain = drain, .settle = settle, .show = show, .ctx = a };
}

int alf_in_end(struct alf *a)
{
	struct alf_in *in = &a->in;
	int e = a->framer->end ? a->framer->end(a) : 0;

	if (in->ended || a->error)
		return -a->error;
	in->ended = true;
	for (const struct alf_link *l = in->adus.first; l && !e; l = l->next) {
		const struct adu_in *adu = ALF_OF(adu_in, link, l);
		if (!adu->whole && !adu->gone)
			e = alf_bad(a, ALF_STREAM_ENDED);
	}
	if ((!in->open && a->framer->start) || (in->rest && !in->full))
		e = alf_bad(a, ALF_STREAM_ENDED); /* part of a frame */
	if (e)
		alf_fail(a, -e);
	else
		alf_tell(a, &a->self, ADU_ENDED, 0);
	return e;
}

/* ADUs as parts of a stream: alf/stream.h. All is taken from TCP's ring by show, where it is known to be good, and is
 * in order: nothing is undone. What has no credit stays there, so TCP's window holds the peer. */
#include "alf/stream.h"
#include "alf/conn.h"

#include <errno.h>
#include <string.h>

void alf_stream_start(struct alf *a, const struct adu_out *adu)
{
	const struct alf_begin begin = { .key = NULL };

	if (!adu->begun)
		alf_chain_begin(a, &a->out.run, a->out.way, &begin);
}

size_t alf_stream_write(struct alf *a, struct adu_out *adu, uint8_t *dst, size_t n)
{
	struct alf_run_state *run = &a->out.run;
	size_t wrote = alf_loop_out(a, adu, dst, n);

	if (adu->done == adu->total)
		wrote += (size_t)run->way->chain->end[ILP_SEND](&run->state, dst + wrote);
	return wrote;
}

int alf_stream_begin(struct alf *a, uint64_t total)
{
	const struct alf_begin begin = { .key = NULL };
	struct alf_stream *s = &a->stream;
	int e = 0;

	if (s->adu)
		return 0;
	s->adu = alf_in_new(a, s->msn + 1, total, true, &e);
	if (!s->adu)
		return e;
	s->msn++;
	s->taken = 0;
	alf_chain_begin(a, &a->in.run, a->in.way, &begin);
	return 0;
}

/* Through the chain. Returns how many bytes it gave, or -EBADMSG. */
static ssize_t run_chain(struct alf *a, uint8_t *dst, const uint8_t *from, size_t n, bool ends)
{
	struct alf_run_state *run = &a->in.run;
	size_t got = n ? run->way->loop[ILP_RECV](&run->state, dst, from, n, a->scratch) : 0;
	int end = ends ? run->way->chain->end[ILP_RECV](&run->state, dst + got) : 0;

	return end < 0 ? alf_bad(a, ALF_BAD_DATA) : (ssize_t)got + end;
}

static int place(struct alf *a, struct alf_done *d)
{
	int e = alf_place(a, d);

	if (e != -ECANCELED)
		return e;
	alf_lose(a, d->adu, ECANCELED, UINT64_MAX, CONTROL_CANCELLED);
	return 0;
}

/* Straight to where it belongs, if that is one piece: of whole units come as many bytes as go in. */
static int read_whole(struct alf *a, struct alf_done *d, const uint8_t *from, size_t n, bool ends)
{
	int e;

	d->len = n;
	e = place(a, d);
	if (e || d->adu->gone)
		return e;
	if (run_chain(a, d->pieces == 1 ? d->to[0].iov_base : a->aside, from, n, ends) < 0)
		return -EBADMSG;
	if (d->pieces > 1)
		alf_scatter(d, a->aside);
	return 0;
}

/* How many bytes come, only the chain tells; if they have no place, it has not run. */
static int read_aside(struct alf *a, struct alf_done *d, const uint8_t *from, size_t n, bool ends)
{
	const size_t size = a->in.way->chain->state_size;
	struct ilp_any before;
	ssize_t got;
	int e;

	memcpy(&before, &a->in.run.state, size);
	got = run_chain(a, a->aside, from, n, ends);
	if (got < 0)
		return (int)got;
	d->len = (uint64_t)got;
	e = place(a, d);
	if (e)
		memcpy(&a->in.run.state, &before, size);
	else if (!d->adu->gone)
		alf_scatter(d, a->aside);
	return e;
}

int alf_stream_read(struct alf *a, uint64_t off, const uint8_t *from, size_t n, bool ends)
{
	const struct ilp_chain *chain = a->in.way->chain;
	struct alf_stream *s = &a->stream;
	struct alf_done *d = alf_done_next(a, off);
	int e = 0;

	d->adu = s->adu;
	d->names = !d->adu->named && !d->adu->gone;
	d->attr = (struct adu_attr){ .name_len = 0 };
	d->offset = d->adu->got;
	d->len = 0;
	if (!d->adu->gone && chain->keeps && s->taken % chain->unit == 0 && (ends || n % chain->unit == 0))
		e = read_whole(a, d, from, n, ends);
	else if (!d->adu->gone)
		e = read_aside(a, d, from, n, ends);
	if (e) {
		a->in.done_count--;
		return e;
	}
	s->taken += n;
	d->last = ends;
	if (ends)
		s->adu = NULL;
	return 0;
}

int alf_stream_end(struct alf *a)
{
	return a->stream.adu || a->stream.head_len ? alf_bad(a, ALF_STREAM_ENDED) : 0;
}

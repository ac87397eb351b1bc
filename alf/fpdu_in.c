/* Frames of the default framer, taken: alf/fpdu_out.c draws them. A frame is taken whole, wherever its segments were
 * cut, and over holes where a marker says that it begins there: a guess might take for a frame what somebody has put
 * into an ADU's data. */
#include "alf/bytes.h"
#include "alf/conn.h"
#include "alf/crc32c.h"
#include "alf/fpdu.h"
#include "alf/segment.h"
#include "core/cksum.h"

#include <errno.h>

struct fpdu {
	uint64_t pos, begin, data, tail, end; /* positions: of all, of ULPDU_Length, of the data, behind it, behind all */
	uint8_t copy[FPDU_LENGTH + DDP_UNTAGGED + DDP_PREFACE_MAX];
	const uint8_t *head;                  /* what stands before the data: in the run, or in copy */
	size_t head_len;
	uint32_t ulpdu, plain;                /* bytes: as it says; of data when the chain is through with it */
	struct ddp_segment seg;
	struct ddp_preface preface;
	bool first;
};

static uint64_t run_end(const struct alf *a, const struct alf_run *run)
{
	return run->off + run->len[0] + run->len[1] - a->in.origin;
}

static void read_at(const struct alf *a, const struct alf_run *run, uint64_t pos, void *to, size_t n)
{
	alf_run_read(run, pos + a->in.origin, to, n);
}

/* A marker says what it must. */
static bool is_marker(const struct alf *a, const struct alf_run *run, uint64_t pos, uint64_t begin)
{
	uint8_t m[FPDU_MARKER];

	read_at(a, run, pos, m, sizeof m);
	/* RFC 5044 (4.3): the first half, and the lowest two bits, are ignored. */
	return (get16(m + 2) & ~3) == (pos < begin ? 0 : (uint16_t)(pos - begin));
}

/* n bytes at pos, without the markers among them. Returns the position behind, 0: a marker lies. */
static uint64_t peel(const struct alf *a, const struct alf_run *run, uint64_t pos, uint64_t begin, uint8_t *to,
	size_t n)
{
	while (n) {
		size_t k = n;
		if (a->in.markers && pos % FPDU_EVERY == 0) {
			if (!is_marker(a, run, pos, begin))
				return 0;
			pos += FPDU_MARKER;
		}
		if (a->in.markers && k > FPDU_EVERY - pos % FPDU_EVERY)
			k = FPDU_EVERY - pos % FPDU_EVERY;
		read_at(a, run, pos, to, k);
		to += k;
		pos += k;
		n -= k;
	}
	return pos;
}

/* The same: where they stand, if that is one piece of memory and no marker is among them; else in copy. NULL: a marker
 * lies. */
static const uint8_t *peeled(const struct alf *a, const struct alf_run *run, uint64_t pos, uint64_t begin,
	uint8_t *copy, size_t n, uint64_t *behind)
{
	const uint64_t into = pos % FPDU_EVERY;
	const uint8_t *at;

	*behind = pos + n;
	if ((!a->in.markers || (into && into + n <= FPDU_EVERY)) && alf_run_piece(run, pos + a->in.origin, n, &at) == n)
		return at;
	*behind = peel(a, run, pos, begin, copy, n);
	return *behind ? copy : NULL;
}

/* The fields before the data. */
static int head(struct alf *a, const struct alf_run *run, struct fpdu *f)
{
	size_t n = f->ulpdu < DDP_UNTAGGED ? f->ulpdu : DDP_UNTAGGED, preface = 0;
	int h;

	f->head = peeled(a, run, f->begin, f->begin, f->copy, FPDU_LENGTH + n, &f->data);
	if (!f->head)
		return alf_bad(a, ALF_BAD_MARKER);
	h = ddp_read(&f->seg, f->head + FPDU_LENGTH, n);
	if (h <= 0)
		return alf_bad(a, h ? f->seg.fault : ALF_BAD_LENGTH);
	f->first = !f->seg.tagged && f->seg.queue == DDP_ADUS && f->seg.mo == 0;
	if (f->first)
		preface = ddp_preface_len(f->seg.name_len);
	if (f->ulpdu < (uint32_t)h + preface + a->seal)
		return alf_bad(a, ALF_BAD_LENGTH);
	f->head_len = FPDU_LENGTH + (size_t)h + preface;
	if (f->head_len != FPDU_LENGTH + n) /* it is not what was read already */
		f->head = peeled(a, run, f->begin, f->begin, f->copy, f->head_len, &f->data);
	if (!f->head)
		return alf_bad(a, ALF_BAD_MARKER);
	if (f->first && ddp_preface_read(&f->preface, &f->seg, f->head + FPDU_LENGTH + h, preface) <= 0)
		return alf_bad(a, ALF_BAD_HEADER);
	f->plain = FPDU_LENGTH + f->ulpdu - (uint32_t)f->head_len - a->seal;
	f->tail = fpdu_behind(a->in.markers, f->data, f->plain + a->seal);
	return 1;
}

/* 1; 0: it is not whole in the run; -EBADMSG. */
static int look(struct alf *a, const struct alf_run *run, uint64_t pos, struct fpdu *f)
{
	const bool marker = a->in.markers && pos % FPDU_EVERY == 0;
	const uint64_t end = run_end(a, run);
	uint8_t length[FPDU_LENGTH];

	f->pos = pos;
	f->begin = pos + (marker ? FPDU_MARKER : 0);
	if (f->begin + FPDU_LENGTH > end)
		return 0;
	read_at(a, run, f->begin, length, sizeof length);
	f->ulpdu = get16(length);
	f->end = fpdu_behind(a->in.markers, f->begin, fpdu_content(f->ulpdu));
	if (marker && !is_marker(a, run, pos, f->begin))
		return alf_bad(a, ALF_BAD_MARKER);
	if (f->ulpdu < DDP_TAGGED)
		return alf_bad(a, ALF_BAD_LENGTH);
	return f->end > end ? 0 : head(a, run, f);
}

static uint32_t crc_of(const struct alf *a, const struct alf_run *run, uint32_t crc, uint64_t from, uint64_t to)
{
	const uint8_t *at;
	size_t n;

	for (; from < to; from += n) {
		n = alf_run_piece(run, from + a->in.origin, (size_t)(to - from), &at);
		crc = alf_crc32c(crc, at, n);
	}
	return crc;
}

/* ---- where it belongs ---- */

static int place_tagged(struct alf *a, const struct alf_run *run, const struct fpdu *f, struct alf_done *d)
{
	struct alf_region *r = a->in.regions;

	while (r && r->stag != f->seg.stag)
		r = r->next;
	if (!r)
		return alf_bad(a, ALF_BAD_STAG);
	if (f->seg.to + f->plain < f->seg.to)
		return alf_bad(a, ALF_TO_WRAPS);
	if (f->seg.to > r->len || f->plain > r->len - f->seg.to)
		return alf_bad(a, ALF_BAD_BOUNDS);
	/* STag and TO may be what came damaged. */
	d->over = alf_region_has(r, f->seg.to, f->plain);
	if (d->over && !run->checked)
		return -EAGAIN;
	d->region = r;
	d->offset = f->seg.to;
	return alf_place(a, d);
}

/* What a frame says of its ADU is what others have said. */
static bool agrees(const struct adu_in *adu, const struct fpdu *f, uint64_t offset)
{
	if (f->seg.total != ddp_total(adu->total) || (f->first && f->preface.total != adu->total))
		return false;
	return f->seg.name_len == adu->attr.name_len && offset <= adu->total && f->plain <= adu->total - offset &&
	       f->seg.last == (offset + f->plain == adu->total);
}

/* A new ADU, or one that was gone before it came, of which this tells how long it is. */
static int begin_adu(struct alf *a, const struct alf_run *run, const struct fpdu *f, struct alf_done *d)
{
	uint64_t total = f->first ? f->preface.total : f->seg.total;
	int e = 0;

	if (!f->first && f->seg.total == DDP_TOTAL_LONG)
		return run->in_order ? alf_bad(a, ALF_BAD_MO) : -EAGAIN;
	if (!d->adu) {
		d->adu = alf_in_new(a, f->seg.msn, total, run->in_order && run->checked, &e);
		if (!d->adu)
			return e;
		d->created = true;
	} else if (!run->checked) {
		return -EAGAIN;
	} else if (total > a->profile.adu_max) {
		return alf_bad(a, ALF_TOO_LONG);
	} else if (a->in.begun - a->in.told + total > a->in.limit) {
		return alf_bad(a, ALF_NO_BUFFER);
	} else {
		d->adu->unknown = false;
		d->adu->total = total;
		d->adu->cost += total;
		a->in.begun += total;
	}
	d->adu->attr.name_len = f->seg.name_len;
	return 0;
}

static void take_attr(const struct fpdu *f, struct alf_done *d)
{
	d->names = true;
	d->attr = (struct adu_attr){ .type = f->preface.type, .name_len = f->seg.name_len, .priority = f->preface.priority,
		.recovery = (uint8_t)(ADU_KEEP + f->preface.recovery), .deadline_ms = f->preface.deadline_ms };
	memcpy(d->attr.name, f->preface.name, f->seg.name_len);
}

static int place_adu(struct alf *a, const struct alf_run *run, const struct fpdu *f, struct alf_done *d)
{
	int e;

	d->adu = alf_in_of(a, f->seg.msn);
	if (!d->adu || d->adu->unknown) {
		e = begin_adu(a, run, f, d);
		if (e)
			return e;
	}
	d->offset = f->first ? 0 : f->seg.mo - ddp_preface_len(f->seg.name_len);
	if (!agrees(d->adu, f, d->offset) || (f->first && d->adu->named))
		return alf_bad(a, ALF_BAD_MO);
	if (f->first)
		take_attr(f, d);
	/* The application is not asked about what may be damaged: it would take one name for another. */
	if (run->sums && a->profile.hooks.place && !d->adu->gone && (d->names || d->created))
		return -EAGAIN;
	return d->adu->gone ? 0 : alf_place(a, d);
}

static int place(struct alf *a, const struct alf_run *run, const struct fpdu *f, struct alf_done *d)
{
	d->len = f->plain;
	if (f->seg.tagged)
		return place_tagged(a, run, f, d);
	if (f->seg.queue == DDP_ADUS)
		return place_adu(a, run, f, d);
	d->control = true;
	return a->in.hello && f->plain == CONTROL_LEN ? 0 : alf_bad(a, ALF_BAD_MESSAGE);
}

/* ---- through the chain ---- */

/* The key with which it was sealed; *next: it is one that takes over with this frame, if it is authentic. */
static const struct alf_key *key_of(struct alf *a, const struct fpdu *f, struct alf_key *next)
{
	struct alf_key *key = &a->in.key;

	next->generation = 0;
	if (!a->seal || (key->generation & 1) == f->seg.key_phase)
		return key;
	if (key->generation && f->pos < key->from)
		return &a->in.before;
	*next = *key;
	alf_rekey(a, next, false, f->pos);
	return next;
}

static void new_key(struct alf *a, const struct alf_key *next)
{
	if (next->generation) {
		a->in.before = a->in.key;
		a->in.key = *next;
	}
}

/* How a frame came through. */
enum verdict { FPDU_GOOD, FPDU_WRONG, FPDU_FORGED };

static enum verdict run_chain(struct alf *a, const struct alf_run *run, const struct fpdu *f, const struct alf_key *key,
	uint8_t *dst)
{
	const struct ilp_chain *chain = a->in.way->chain;
	struct alf_run_state *state = &a->in.run;
	struct alf_begin begin = { .key = key, .what = a->profile.initiator ? 0 : NONCE_INITIATOR,
		.number = (uint64_t)f->seg.msn << 32 | f->seg.mo, .place = (uint32_t)f->data,
		.base = (uint32_t)(f->data - f->begin) };
	uint64_t at = f->data;
	const uint8_t *from;
	size_t n = 0, k;
	int end;

	if (f->seg.tagged) {
		begin.what |= NONCE_TAGGED;
		begin.number = f->pos + a->in.origin;
	} else if (f->seg.queue == DDP_CONTROL) {
		begin.what |= NONCE_CONTROL;
	}
	begin.before = a->in.way->crc ? crc_of(a, run, 0, f->pos, f->data) : 0;
	alf_chain_begin(a, state, a->in.way, &begin);
	if (a->seal)
		chain->associate(&state->state, f->head, f->head_len);
	for (; at < f->tail; at += k) {
		k = alf_run_piece(run, at + a->in.origin, (size_t)(f->tail - at), &from);
		n += a->in.way->loop[ILP_RECV](&state->state, dst + n, from, k, a->scratch);
	}
	end = chain->end[ILP_RECV](&state->state, dst + n);
	if (end >= 0 && n + (size_t)end == f->plain)
		return FPDU_GOOD;
	alf_bad(a, a->in.markers ? ALF_BAD_MARKER : ALF_BAD_DATA);
	return end < 0 && a->seal ? FPDU_FORGED : FPDU_WRONG;
}

/* CRC and markers behind the data. */
static int read_tail(struct alf *a, const struct alf_run *run, const struct fpdu *f)
{
	uint8_t copy[3 + FPDU_CRC];
	const size_t n = -(FPDU_LENGTH + f->ulpdu) % 4 + FPDU_CRC;
	uint64_t behind;
	const uint8_t *pad = peeled(a, run, f->tail, f->begin, copy, n, &behind);
	uint32_t crc;

	if (!pad)
		return alf_bad(a, ALF_BAD_MARKER);
	if (!a->in.crc)
		return 0;
	memcpy(&crc, pad + n - FPDU_CRC, sizeof crc);
	if (le32toh(crc) != crc_of(a, run, alf_chain_crc(&a->in.run), f->tail, f->end - FPDU_CRC))
		return alf_bad(a, ALF_BAD_CRC);
	return 0;
}

static uint16_t sum_of(struct alf *a, const struct alf_run *run, const struct fpdu *f)
{
	const uint8_t *all = run->data[0] + (f->pos + a->in.origin - run->off);
	size_t data = (size_t)(f->data - f->pos), tail = (size_t)(f->tail - f->pos);
	uint16_t sum = tcpu_sum_join(tcpu_sum(all, data), a->in.way->chain->sum(&a->in.run.state), data);

	return tcpu_sum_join(sum, tcpu_sum(all + tail, (size_t)(f->end - f->tail)), tail);
}

/* A frame that is known to have come as it was sent is not authentic. */
static ssize_t forged(struct alf *a, const struct fpdu *f)
{
	struct adu_in *adu = alf_in_of(a, f->seg.msn);

	/* Without a message, or a place that nobody misses, both ends might wait for each other. */
	if (a->stats.forgeries++ >= a->profile.forgeries_max || f->seg.tagged || f->seg.queue == DDP_CONTROL)
		return alf_bad(a, ALF_FORGED);
	if (adu)
		alf_lose(a, adu, EBADMSG, UINT64_MAX, CONTROL_CANCELLED);
	return (ssize_t)(f->end - f->pos);
}

static void take_back(struct alf *a, struct alf_done *d)
{
	alf_unplaced(a, d);
	a->in.done_count--;
}

static int read_message(struct alf *a, const struct fpdu *f, struct alf_done *d)
{
	control_turn(a->aside, a->in.way->word);
	return control_read(&d->told, f->seg.code, a->aside, f->plain) ? alf_bad(a, ALF_BAD_MESSAGE) : 0;
}

static ssize_t take_placed(struct alf *a, const struct alf_run *run, const struct fpdu *f, struct alf_done *d,
	uint16_t *sum)
{
	struct alf_key next;
	const struct alf_key *key = key_of(a, f, &next);
	uint8_t *dst = d->pieces == 1 && !d->over ? d->to[0].iov_base : a->aside;
	enum verdict verdict;

	verdict = run_chain(a, run, f, key, dst);
	if (run->sums)
		*sum = sum_of(a, run, f);
	if (verdict == FPDU_GOOD && (read_tail(a, run, f) || (d->control && read_message(a, f, d))))
		verdict = FPDU_WRONG;
	if (verdict == FPDU_GOOD) {
		if (dst == a->aside)
			alf_scatter(d, a->aside);
		new_key(a, &next);
	}
	if (dst == a->aside)
		ilp_wipe(a->aside, f->plain);
	if (verdict == FPDU_FORGED && a->scratch) /* loops that are not fused leave it there, too */
		ilp_wipe(a->scratch, a->scratch_len);
	ilp_wipe(&next, sizeof next);
	if (verdict == FPDU_GOOD)
		return (ssize_t)(f->end - f->pos);
	if (dst == a->aside)
		d->pieces = 0; /* nothing was written there */
	d->created &= !run->checked || verdict != FPDU_FORGED; /* a new ADU stays, to be lost */
	take_back(a, d);
	if (!run->checked)
		return 0;
	return verdict == FPDU_FORGED ? forged(a, f) : -EBADMSG;
}

/* ---- the framer ---- */

/* The start-up frame: RFC 5044 (7.1). */
static ssize_t take_start(struct alf *a, const struct alf_run *run, uint64_t off)
{
	uint8_t bytes[MPA_HEADER + MPA_PRIVATE_MAX];
	size_t n = (size_t)(run->off + run->len[0] + run->len[1] - off);
	struct mpa_start s = { 0 };
	struct mpa_hello hello = { .adu_max = UINT64_MAX, .credit = UINT64_MAX };
	uint64_t most;
	int k, h;

	n = n < sizeof bytes ? n : sizeof bytes;
	alf_run_read(run, off, bytes, n);
	k = mpa_read(&s, a->profile.initiator, bytes, n);
	if (k <= 0)
		return k ? alf_bad(a, s.fault) : 0;
	h = mpa_hello_read(&hello, s.private_data, s.private_len);
	if (h < 0 && !s.reject)
		return alf_bad(a, ALF_BAD_PRIVATE);
	a->in.hello = h > 0;
	h = h > 0 ? h : 0;
	a->in.private_len = (uint16_t)(s.private_len - h);
	memcpy(a->in.private_data, s.private_data + h, a->in.private_len);
	a->in.heard = true;
	if (s.reply && s.reject)
		return -ECONNREFUSED; /* the private data may say why */
	a->in.peer_max = hello.adu_max;
	a->out.credit = hello.credit;
	a->out.urgent = alf_urgent(hello.credit, hello.adu_max);
	/* What its credit could never hold waits for nothing. */
	most = hello.credit > ADU_COST ? hello.credit - ADU_COST : 0;
	if (h > 0 && most < hello.adu_max)
		a->in.peer_max = most;
	a->in.markers = a->profile.markers;
	a->out.markers = s.markers;
	a->in.crc = a->profile.crc || s.crc;
	a->in.origin = off + (uint64_t)k;
	a->in.open = true;
	a->out.reject = !alf_agree(a);
	if (a->out.reject && a->profile.initiator)
		return -EACCES;
	alf_opened(a);
	return k;
}

/* RFC 5044 (8): what a frame says is wrong only where its CRC is right; else that is what is wrong. */
static ssize_t blame(struct alf *a, const struct alf_run *run, const struct fpdu *f, ssize_t e)
{
	uint32_t crc;

	if (e != -EBADMSG || !run->checked || !a->in.crc || a->reason == ALF_FORGED || f->end > run_end(a, run))
		return e;
	read_at(a, run, f->end - FPDU_CRC, &crc, sizeof crc);
	return le32toh(crc) == crc_of(a, run, 0, f->pos, f->end - FPDU_CRC) ? e : alf_bad(a, ALF_BAD_CRC);
}

ssize_t fpdu_take(struct alf *a, const struct alf_run *run, uint64_t off, uint16_t *sum, uint64_t *skip)
{
	struct alf_done *d;
	struct fpdu f;
	int e;

	if (a->in.open && !a->in.way)
		return alf_bad(a, ALF_BAD_START); /* RFC 5044 (7.1.3): the initiator waits for our reply */
	if (!a->in.open)
		return run->checked && run->in_order ? take_start(a, run, off) : 0;
	e = look(a, run, off - a->in.origin, &f);
	if (e <= 0)
		return blame(a, run, &f, e);
	d = alf_done_next(a, off);
	if (!d)
		return 0;
	e = place(a, run, &f, d);
	if (e == -ECANCELED && !run->checked)
		e = -EAGAIN;
	if (e == -ECANCELED) {
		alf_lose(a, d->adu, ECANCELED, UINT64_MAX, CONTROL_CANCELLED);
		e = 0;
	}
	if (e) {
		take_back(a, d);
		*skip = f.end - f.pos;
		return blame(a, run, &f, e);
	}
	/* Of what is gone as well: it may be with this frame that another key takes over. */
	return blame(a, run, &f, take_placed(a, run, &f, d, sum));
}

/* The first marker whose frame begins in the run says where that is. */
uint64_t fpdu_find(const struct alf *a, const struct alf_run *run)
{
	uint64_t from = run->off - a->in.origin, end = run_end(a, run);
	uint64_t at = (from + FPDU_EVERY - 1) / FPDU_EVERY * FPDU_EVERY;
	uint8_t m[FPDU_MARKER];
	uint32_t back;

	if (!a->in.markers || run->off < a->in.origin)
		return UINT64_MAX;
	for (; at + FPDU_MARKER <= end; at += FPDU_EVERY) {
		uint64_t begin;
		read_at(a, run, at, m, sizeof m);
		back = get16(m + 2) & ~3U;
		if (back > at)
			return UINT64_MAX; /* whoever comes to it in order says what is wrong */
		begin = at - back;
		/* A marker in front of ULPDU_Length is the frame's. */
		if (back && (begin - FPDU_MARKER) % FPDU_EVERY == 0)
			begin -= FPDU_MARKER;
		if (begin >= from)
			return begin + a->in.origin;
	}
	return UINT64_MAX;
}

const struct alf_framer alf_mpa = {
	.name = "mpa",
	.adu_max = UINT32_MAX - DDP_PREFACE_MAX, /* MO has 32 bits */
	.tagged = true,
	.controls = true,
	.start = fpdu_start,
	.put = fpdu_put,
	.again = fpdu_again,
	.find = fpdu_find,
	.take = fpdu_take,
};

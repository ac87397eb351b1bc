/* The way out: whose turn it is. TCP asks for the bytes of a segment when it may send them at once (TCP_NOTSENT_LOWAT),
 * so an urgent ADU waits for one that is under way no longer than a frame takes. */
#include "alf/conn.h"

#include "core/cksum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPEATED_MAX 256
#define PACK_MIN 128 /* of room, for what stands around the data of a frame that is put behind another, */
#define PACK_PART 192 /* and for one that takes a part of what is left of its ADU */

/* Nothing more happens to it. */
static void finish(struct adu_out *adu)
{
	if (adu->news.link.list || adu->waited)
		adu->news.last = true;
	else
		free(adu);
}

void alf_out_free(struct alf *a)
{
	alf_queue_free(a);
	free(a->out.again);
}

static uint64_t cost(const struct adu_out *adu)
{
	return adu->tagged ? 0 : adu->total + ADU_COST;
}

/* ---- dropping ---- */

int alf_drop(struct alf *a, struct adu_out *adu, enum control_reason reason, int error)
{
	if (adu == a->out.under_way) { /* the stream ends within it */
		a->out.under_way = NULL;
		alf_fail(a, ECONNABORTED);
	}
	alf_queue_remove(a, adu);
	if (adu->again != AGAIN_NONE) {
		a->out.again[adu->again].end = adu->end;
		a->out.again[adu->again].quiet = !adu->begun;
	}
	adu->state = OUT_DROPPED;
	adu->reason = reason;
	if (!adu->waited)
		alf_tell(a, &adu->news, reason == CONTROL_EXPIRED ? ADU_EXPIRED : ADU_CANCELLED, error);
	else
		adu->news.error = error;
	if (adu->begun && !adu->tagged && a->framer->controls && a->in.hello)
		alf_list_add(&a->out.told, &adu->link);
	else
		finish(adu);
	return 0;
}

void alf_repeat_dropped(struct alf *a, const struct alf_control *stop)
{
	struct adu_out *adu;

	/* So many may be asked for at a time, of those that have begun. */
	if (a->out.repeated == REPEATED_MAX || (stop->msn >= a->out.msn[0] && a->out.msn[0]))
		return;
	adu = calloc(1, sizeof *adu);
	if (!adu) {
		alf_fail(a, ENOMEM);
		return;
	}
	adu->news.of = NEWS_OUT;
	adu->again = AGAIN_NONE;
	adu->msn = stop->msn;
	adu->reason = stop->reason;
	a->out.repeated++;
	alf_list_add(&a->out.told, &adu->link);
}

/* ---- control ---- */

/* The peer may be unable to begin the longest ADU; or a good part of its credit is back. */
static bool credit_due(const struct alf *a)
{
	const struct alf_in *in = &a->in;
	const uint64_t back = in->returned - in->told, left = in->limit + in->told - in->begun;
	const uint64_t wants = a->profile.adu_max + ADU_COST + alf_urgent(in->limit, a->profile.adu_max);

	return in->hello && back && (back >= a->profile.credit / 4 || left < wants);
}

bool alf_control_due(const struct alf *a)
{
	return a->framer->controls && a->in.hello &&
	       (a->out.told.first || a->out.stops.first || a->out.greeting || credit_due(a));
}

void alf_control_next(struct alf *a, struct alf_control *c)
{
	struct adu_out *adu = ALF_OF(adu_out, link, a->out.told.first);
	struct adu_in *stop = ALF_OF(adu_in, turn, a->out.stops.first);

	*c = (struct alf_control){ 0 };
	if (adu) {
		*c = (struct alf_control){ .code = CONTROL_DROPPED, .msn = adu->msn, .reason = adu->reason };
		alf_list_remove(&adu->link);
		a->out.repeated -= !adu->id;
		finish(adu);
	} else if (stop) {
		*c = (struct alf_control){ .code = CONTROL_STOP, .msn = (uint32_t)stop->msn, .reason = stop->reason };
		alf_list_remove(&stop->turn);
	} else {
		a->in.told = a->in.returned;
		a->out.greeting = false;
		*c = (struct alf_control){ .code = CONTROL_CREDIT, .limit = a->in.limit + a->in.told };
	}
}

/* ---- frames ---- */

static struct adu_out *choose(struct alf *a)
{
	bool blocked;
	struct adu_out *adu = alf_queue_next(a, &blocked);

	a->out.no_credit = blocked;
	return adu;
}

bool alf_wants_out(const struct alf *a)
{
	bool blocked;

	if (a->error)
		return false;
	if (!a->out.started && a->framer->start)
		return a->profile.initiator || a->in.open;
	return a->out.open && (alf_control_due(a) || alf_queue_next(a, &blocked));
}

static void begin(struct alf *a, struct adu_out *adu)
{
	adu->begun = true;
	a->out.used += cost(adu);
	if (!a->framer->stream) {
		a->out.msn[0] += !adu->tagged;
		if (!adu->tagged)
			alf_table_add(&a->out.msns, adu->msn, adu); /* there is room */
		return;
	}
	a->out.under_way = adu;
	alf_due_remove(&a->out.dues, &adu->due);
}

/* What was sent of it is still under way. Of those that are made again the table knows. */
static void retire(struct alf *a, struct adu_out *adu)
{
	if (a->profile.wanted & 1U << ADU_ACKNOWLEDGED && adu->state == OUT_SENT && adu->again == AGAIN_NONE)
		alf_list_add(&a->out.sent, &adu->link);
	else
		finish(adu);
}

/* A frame of it was written. */
static void advanced(struct alf *a, struct adu_out *adu, size_t n, uint64_t end)
{
	const bool began = !adu->begun;
	bool last;

	if (began)
		begin(a, adu);
	adu->end = end;
	a->out.source.forget = adu->again != AGAIN_NONE;
	if (adu->again != AGAIN_NONE && adu->done == adu->total)
		a->out.again[adu->again].end = end;
	adu->turn += (uint32_t)n;
	if (adu->done == adu->total) {
		a->out.under_way = NULL;
		alf_queue_remove(a, adu);
		adu->state = OUT_SENT;
		a->stats.adus_sent++;
		if (!adu->waited)
			alf_tell(a, &adu->news, ADU_SENT, 0);
		retire(a, adu);
		return;
	}
	last = adu->turn >= a->profile.quantum;
	if (last)
		adu->turn = 0;
	if (last || began || adu->done == adu->here)
		alf_queue_move(a, adu, last);
}

/* One frame; 0: there is none, or it does not fit. */
static size_t put(struct alf *a, uint64_t off, uint8_t *dst, size_t cap, bool first, uint16_t *sum)
{
	const bool control = alf_control_due(a);
	struct adu_out *adu;
	uint64_t done;
	size_t n;
	bool moved;

	if (!first && (a->profile.unpacked || cap < PACK_MIN))
		return 0;
	adu = control ? NULL : choose(a);
	if (!adu && !control)
		return 0;
	done = adu ? adu->done : 0;
	/* Behind another, what is whole then, or a good part: each piece costs a header. */
	if (!first && adu && cap < PACK_PART && adu->here - adu->done > cap - PACK_MIN)
		return 0;
	if (adu && !adu->begun && !adu->tagged && !a->out.msn[0]) {
		alf_drop(a, adu, CONTROL_CANCELLED, EOVERFLOW); /* another would repeat a nonce */
		return 0;
	}
	if (adu && !adu->begun && alf_table_grow(&a->out.msns) < 0) {
		alf_fail(a, ENOMEM);
		return 0;
	}
	if (adu && !adu->begun && !adu->tagged)
		adu->msn = a->out.msn[0];
	/* Alone in its segment, or TCP could not forget it by itself. */
	if (adu && adu->attr.recovery == ADU_RECOMPUTE && !first)
		return 0;
	if (adu && adu->attr.recovery == ADU_RECOMPUTE && adu->again == AGAIN_NONE) {
		adu->again = alf_again_new(a, adu);
		if (adu->again == AGAIN_NONE)
			alf_fail(a, ENOMEM);
		if (adu->again == AGAIN_NONE)
			return 0;
	}
	n = a->framer->put(a, adu, off, dst, cap, sum);
	a->stats.fpdus_out += n != 0;
	moved = adu && (n || adu->done != done); /* the chain may hold all of a part back */
	if (moved)
		advanced(a, adu, n, off + n);
	else if (adu && first)
		alf_drop(a, adu, CONTROL_CANCELLED, EMSGSIZE); /* a segment cannot hold header and name */
	else if (!adu && !n && first)
		alf_fail(a, EMSGSIZE); /* nor a message, and the peer waits for it */
	return n;
}

static size_t fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct alf *a = ctx;
	size_t n = 0, k;
	uint16_t one = 0, all = 0;

	if (a->error)
		return 0;
	a->out.source.forget = false;
	if (!a->out.started && a->framer->start) {
		if (!alf_wants_out(a))
			return 0;
		n = a->framer->start(a, off, dst, cap);
		all = tcpu_sum(dst, n);
	}
	while (a->out.open && n < cap && !a->out.source.forget && (k = put(a, off + n, dst + n, cap - n, !n, &one))) {
		all = tcpu_sum_join(all, one, n);
		n += k;
	}
	if (sum)
		*sum = all;
	return n;
}

static bool again(void *ctx, const struct seam_note *note, uint64_t off, uint8_t *dst, size_t len)
{
	struct alf *a = ctx;

	return a->framer->again(a, note, off, dst, len);
}

void alf_out_init(struct alf *a)
{
	a->out.source = (struct seam_source){ .fill = fill, .ctx = a, .record = true,
		.trains = !a->profile.hooks.regenerate, .again = again };
	a->out.again_first = a->out.again_last = a->out.again_free = a->out.acked_first = AGAIN_NONE;
	a->out.msn[0] = a->out.msn[1] = 1;
}

/* ---- the application's ---- */

static int check(const struct alf *a, const struct adu_out *like, const struct adu_attr *t)
{
	if (a->error)
		return -a->error;
	if (like->tagged && !a->framer->tagged)
		return -EINVAL;
	if (a->framer->stream && (t->name_len || t->type))
		return -EINVAL;
	if (t->name_len > ADU_NAME_MAX || t->priority >= ADU_PRIORITIES || t->recovery > ADU_SUPERSEDE ||
		t->deadline_ms > ADU_DEADLINE_MAX)
		return -EINVAL;
	if (!like->tagged && (like->total < a->framer->adu_min || like->total > a->framer->adu_max ||
		(a->in.open && like->total > a->in.peer_max)))
		return -EMSGSIZE;
	if (like->tagged && like->total > UINT64_MAX - like->to)
		return -EMSGSIZE;
	if (t->recovery == ADU_RECOMPUTE && (!a->profile.hooks.regenerate || !a->framer->again || like->parted))
		return -EINVAL;
	if (t->recovery == ADU_RECOMPUTE && like->total > UINT32_MAX)
		return -EMSGSIZE;
	if (!a->out.msn[0])
		return -EOVERFLOW; /* another would repeat a nonce */
	return 0;
}

/* Its attributes, with what the profile says. */
static struct adu_attr attributes(const struct alf *a, const struct adu_out *like)
{
	struct adu_attr t = like->attr;

	if (!t.recovery)
		t.recovery = like->parted && a->profile.recovery == ADU_RECOMPUTE ? ADU_KEEP : a->profile.recovery;
	if (!t.deadline_ms)
		t.deadline_ms = a->profile.deadline_ms;
	if (t.deadline_ms == ADU_NO_DEADLINE)
		t.deadline_ms = 0;
	return t;
}

int64_t alf_queue(struct alf *a, const struct adu_out *like, struct adu_out **out)
{
	const size_t pieces = like->piece ? (size_t)like->pieces * sizeof *like->piece : 0;
	const struct adu_attr attr = attributes(a, like);
	struct adu_out *instead = alf_out_find(a, like->instead);
	int e = check(a, like, &attr);
	struct adu_out *adu = e ? NULL : malloc(sizeof *adu + pieces);

	if (!adu)
		return e ? e : -ENOMEM;
	if (instead == a->out.under_way)
		instead = NULL;
	*adu = *like;
	adu->attr = attr;
	adu->news = (struct alf_news){ .of = NEWS_OUT };
	adu->piece = pieces ? memcpy(adu + 1, like->piece, pieces) : &adu->own;
	adu->again = AGAIN_NONE;
	adu->id = a->next_out;
	a->next_out += 2;
	e = alf_queue_add(a, adu, instead);
	if (e) {
		free(adu);
		return e;
	}
	if (instead)
		alf_drop(a, instead, CONTROL_SUPERSEDED, EEXIST);
	if (out)
		*out = adu;
	return adu->id;
}

int alf_part(struct alf *a, struct adu_out *adu, const void *part, size_t len)
{
	const bool last = adu->here + len == adu->total;

	if (!adu->parted || len > adu->total - adu->here || (!last && len % a->way[0].chain->unit))
		return -EINVAL;
	if (adu->done < adu->here)
		return -EAGAIN;
	adu->own = (struct iovec){ (void *)part, len };
	adu->piece = &adu->own;
	adu->in_piece = 0;
	adu->here += len;
	alf_queue_move(a, adu, adu->done < adu->here); /* it waited for that, and others had their turns */
	return 0;
}

bool alf_wants_acks(const struct alf *a)
{
	return a->out.sent.first || a->out.again_first != AGAIN_NONE ||
	       (a->seal && a->out.key.sealed >= a->profile.rekey_after && a->out.acked < a->out.key.from);
}

void alf_acked(struct alf *a, uint64_t off)
{
	struct adu_out *adu;

	a->out.acked = off;
	alf_again_acked(a, off);
	while ((adu = ALF_OF(adu_out, link, a->out.sent.first)) && adu->end <= off) {
		alf_list_remove(&adu->link);
		alf_tell(a, &adu->news, ADU_ACKNOWLEDGED, 0);
		finish(adu);
	}
}

void alf_out_tick(struct alf *a)
{
	struct alf_due *due;

	while ((due = alf_due_first(&a->out.dues)) && due->us <= a->now_us)
		alf_drop(a, ALF_OF(adu_out, due, due), CONTROL_EXPIRED, ETIME);
}

/* ---- data ---- */

size_t alf_cut(const struct ilp_chain *chain, uint64_t offset, uint64_t left, size_t room)
{
	size_t over;

	if (left <= room)
		return (size_t)left;
	/* Pieces end at multiples of the chain's block, where the next begins fastest, unless that leaves a twentieth of
	 * the room unused; then of its unit, so that no word is cut. */
	over = (size_t)((offset + room) % chain->block);
	if (over * 20 > room)
		over = (size_t)((offset + room) % chain->unit);
	return over < room ? room - over : 0;
}

size_t alf_loop_out(struct alf *a, struct adu_out *adu, uint8_t *dst, size_t n)
{
	struct alf_run_state *run = &a->out.run;
	size_t wrote = 0;

	adu->done += n;
	while (n) {
		const struct iovec *v = adu->piece;
		size_t k = v->iov_len - adu->in_piece < n ? v->iov_len - adu->in_piece : n;
		wrote += run->way->loop[ILP_SEND](&run->state, dst + wrote, (const uint8_t *)v->iov_base + adu->in_piece, k,
			a->scratch);
		adu->in_piece += k;
		n -= k;
		if (adu->in_piece == v->iov_len && n) {
			adu->piece++;
			adu->in_piece = 0;
		}
	}
	return wrote;
}

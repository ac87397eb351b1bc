/* The way out: whose turn it is. TCP asks for the bytes of a segment when it may send them at once (TCP_NOTSENT_LOWAT),
 * so an urgent ADU waits for one that is under way no longer than a frame takes. */
#include "alf/conn.h"

#include "core/cksum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPEATED_MAX 256
#define PACK_MIN 128 /* of room, for what stands around the data of a frame that is put behind another */

/* ---- lists ---- */

void alf_list_add(struct adu_list *l, struct adu_out *adu)
{
	adu->next = NULL;
	adu->prev = l->last;
	if (l->last)
		l->last->next = adu;
	else
		l->first = adu;
	l->last = adu;
}

static void insert(struct adu_list *l, struct adu_out *before, struct adu_out *adu)
{
	adu->next = before;
	adu->prev = before->prev;
	*(before->prev ? &before->prev->next : &l->first) = adu;
	before->prev = adu;
}

void alf_list_remove(struct adu_list *l, struct adu_out *adu)
{
	*(adu->prev ? &adu->prev->next : &l->first) = adu->next;
	*(adu->next ? &adu->next->prev : &l->last) = adu->prev;
}

static struct adu_list *queue_of(struct alf *a, const struct adu_out *adu)
{
	return &a->out.queue[adu->attr.priority];
}

static void leave_queue(struct alf *a, struct adu_out *adu)
{
	alf_list_remove(queue_of(a, adu), adu);
	a->out.queued--;
	a->out.timed -= adu->deadline_us != TCPU_NEVER;
}

static struct adu_out *find(const struct adu_list *l, int64_t id)
{
	struct adu_out *adu = l->first;

	while (adu && adu->id != id)
		adu = adu->next;
	return adu;
}

struct adu_out *alf_out_find(const struct alf *a, int64_t id)
{
	struct adu_out *adu = NULL;

	for (int p = 0; p < ADU_PRIORITIES && !adu; p++)
		adu = find(&a->out.queue[p], id);
	return adu;
}

/* Nothing more happens to it. */
static void finish(struct adu_out *adu)
{
	if (adu->news.queued || adu->waited)
		adu->news.last = true;
	else
		free(adu);
}

static void free_list(struct adu_list *l)
{
	struct adu_out *adu, *next;

	for (adu = l->first; adu; adu = next) {
		next = adu->next;
		free(adu);
	}
	*l = (struct adu_list){ 0 };
}

void alf_out_free(struct alf *a)
{
	for (int p = 0; p < ADU_PRIORITIES; p++)
		free_list(&a->out.queue[p]);
	free_list(&a->out.sent);
	free_list(&a->out.told);
	free(a->out.again);
}

/* ---- credit ---- */

static uint64_t cost(const struct adu_out *adu)
{
	return adu->tagged ? 0 : adu->total + ADU_COST;
}

static bool has_credit(const struct alf *a, const struct adu_out *adu)
{
	return a->out.credit == UINT64_MAX || adu->tagged || a->out.credit - a->out.used >= cost(adu);
}

/* ---- dropping ---- */

int alf_drop(struct alf *a, struct adu_out *adu, enum control_reason reason, int error)
{
	if (adu == a->out.under_way) { /* the stream ends within it */
		a->out.under_way = NULL;
		alf_fail(a, ECONNABORTED);
	}
	leave_queue(a, adu);
	if (adu->again != AGAIN_NONE)
		a->out.again[adu->again].end = adu->end;
	adu->state = OUT_DROPPED;
	adu->reason = reason;
	if (!adu->waited)
		alf_tell(a, &adu->news, reason == CONTROL_EXPIRED ? ADU_EXPIRED : ADU_CANCELLED, error);
	else
		adu->news.error = error;
	if (adu->begun && !adu->tagged && a->framer->controls && a->in.hello)
		alf_list_add(&a->out.told, adu);
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
	if (!adu)
		return;
	adu->news.of = NEWS_OUT;
	adu->msn = stop->msn;
	adu->reason = stop->reason;
	a->out.repeated++;
	alf_list_add(&a->out.told, adu);
}

static bool expire(struct alf *a, struct adu_out *adu)
{
	if (adu->deadline_us > a->now_us)
		return false;
	alf_drop(a, adu, CONTROL_EXPIRED, ETIME);
	return true;
}

/* ---- control ---- */

/* The peer may be unable to begin the longest ADU; or a good part of its credit is back. */
static bool credit_due(const struct alf *a)
{
	const struct alf_in *in = &a->in;
	uint64_t back = in->returned - in->told, left = a->profile.credit + in->told - in->begun;

	return in->hello && back && (back >= a->profile.credit / 4 || left < a->profile.adu_max + ADU_COST);
}

bool alf_control_due(const struct alf *a)
{
	return a->framer->controls && a->in.hello && (a->out.told.first || a->out.stops || a->out.greeting || credit_due(a));
}

void alf_control_next(struct alf *a, struct alf_control *c)
{
	struct adu_out *adu = a->out.told.first;
	struct adu_in *stop = a->out.stops;

	*c = (struct alf_control){ 0 };
	if (adu) {
		*c = (struct alf_control){ .code = CONTROL_DROPPED, .msn = adu->msn, .reason = adu->reason };
		alf_list_remove(&a->out.told, adu);
		a->out.repeated -= !adu->id;
		finish(adu);
	} else if (stop) {
		*c = (struct alf_control){ .code = CONTROL_STOP, .msn = stop->msn, .reason = stop->reason };
		a->out.stops = stop->stop_next;
		stop->stopping = false;
	} else {
		a->in.told = a->in.returned;
		a->out.greeting = false;
		*c = (struct alf_control){ .code = CONTROL_CREDIT, .limit = a->profile.credit + a->in.told };
	}
}

/* ---- whose turn it is ---- */

static bool ready(struct alf *a, struct adu_out *adu, bool *blocked)
{
	if (adu->parted && adu->done == adu->here && (adu->begun || adu->here < adu->total))
		return false;
	if (adu->begun)
		return true;
	/* Who waits for credit lets none begin behind it: small ones would use it up for ever. */
	*blocked |= !has_credit(a, adu);
	return !*blocked;
}

static struct adu_out *choose(struct alf *a)
{
	bool blocked = false;

	if (a->out.under_way)
		return ready(a, a->out.under_way, &blocked) ? a->out.under_way : NULL;
	for (int p = ADU_PRIORITIES - 1; p >= 0; p--) {
		struct adu_out *adu = a->out.queue[p].first, *next;
		for (; adu; adu = next) {
			next = adu->next;
			if (!expire(a, adu) && ready(a, adu, &blocked))
				return adu;
		}
	}
	a->out.no_credit = blocked;
	return NULL;
}

bool alf_wants_out(struct alf *a)
{
	if (a->error)
		return false;
	if (!a->out.started && a->framer->start)
		return a->profile.initiator || a->in.open;
	return a->out.open && (alf_control_due(a) || choose(a));
}

static void begin(struct alf *a, struct adu_out *adu)
{
	adu->begun = true;
	a->out.used += cost(adu);
	if (!a->framer->stream) {
		a->out.msn[0] += !adu->tagged;
		return;
	}
	a->out.under_way = adu;
	a->out.timed -= adu->deadline_us != TCPU_NEVER;
	adu->deadline_us = TCPU_NEVER;
}

/* A frame of it was written. */
static void advanced(struct alf *a, struct adu_out *adu, size_t n, uint64_t end)
{
	adu->end = end;
	a->out.source.forget = adu->again != AGAIN_NONE;
	if (adu->again != AGAIN_NONE && adu->done == adu->total)
		a->out.again[adu->again].end = end;
	adu->turn += (uint32_t)n;
	if (adu->done == adu->total) {
		a->out.under_way = NULL;
		leave_queue(a, adu);
		adu->state = OUT_SENT;
		a->stats.adus_sent++;
		if (!adu->waited)
			alf_tell(a, &adu->news, ADU_SENT, 0);
		if (a->profile.wanted & 1U << ADU_ACKNOWLEDGED)
			alf_list_add(&a->out.sent, adu);
		else
			finish(adu);
	} else if (adu->turn >= a->profile.quantum) {
		adu->turn = 0;
		alf_list_remove(queue_of(a, adu), adu);
		alf_list_add(queue_of(a, adu), adu);
	}
}

/* One frame; 0: there is none, or it does not fit. */
static size_t put(struct alf *a, uint64_t off, uint8_t *dst, size_t cap, bool first, uint16_t *sum)
{
	struct adu_out *adu = alf_control_due(a) ? NULL : choose(a);
	bool control = !adu && alf_control_due(a), moved;
	uint64_t done = adu ? adu->done : 0;
	size_t n;

	if (!adu && !control)
		return 0;
	/* Behind another, only what is whole then: each piece costs a header. */
	if (!first && (a->profile.unpacked || cap < PACK_MIN || (adu && adu->here - adu->done > cap - PACK_MIN)))
		return 0;
	if (adu && !adu->begun && !adu->tagged && !a->out.msn[0]) {
		alf_drop(a, adu, CONTROL_CANCELLED, EOVERFLOW); /* another would repeat a nonce */
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
	if (moved && !adu->begun)
		begin(a, adu);
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

	if (!alf_wants_out(a))
		return 0;
	a->out.source.forget = false;
	if (!a->out.started && a->framer->start) {
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
	a->out.source = (struct seam_source){ .fill = fill, .ctx = a, .record = true, .again = again };
	a->out.again_first = a->out.again_last = a->out.again_free = AGAIN_NONE;
	a->out.msn[0] = a->out.msn[1] = 1;
	a->out.due_us = TCPU_NEVER;
}

/* ---- the application's ---- */

static int check(const struct alf *a, const struct adu_out *like)
{
	const struct adu_attr *t = &like->attr;

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

int64_t alf_queue(struct alf *a, const struct adu_out *like, struct adu_out **out)
{
	const size_t pieces = like->piece ? (size_t)like->pieces * sizeof *like->piece : 0;
	int e = check(a, like);
	struct adu_out *adu = e ? NULL : malloc(sizeof *adu + pieces);

	if (!adu)
		return e ? e : -ENOMEM;
	*adu = *like;
	adu->news = (struct alf_news){ .of = NEWS_OUT };
	adu->piece = pieces ? memcpy(adu + 1, like->piece, pieces) : &adu->own;
	adu->again = AGAIN_NONE;
	adu->id = a->next_out;
	a->next_out += 2;
	adu->deadline_us = adu->attr.deadline_ms ? a->now_us + adu->attr.deadline_ms * 1000ULL : TCPU_NEVER;
	if (like->instead && like->instead->attr.priority == adu->attr.priority)
		insert(queue_of(a, adu), like->instead, adu);
	else
		alf_list_add(queue_of(a, adu), adu);
	if (like->instead)
		alf_drop(a, like->instead, CONTROL_SUPERSEDED, EEXIST);
	a->out.queued++;
	a->out.timed += adu->deadline_us != TCPU_NEVER;
	a->out.due_us = adu->deadline_us < a->out.due_us ? adu->deadline_us : a->out.due_us;
	if (out)
		*out = adu;
	return adu->id;
}

bool alf_wants_acks(const struct alf *a)
{
	return a->out.sent.first || a->out.again_first != AGAIN_NONE ||
	       (a->seal && a->out.key.sealed >= a->profile.rekey_after);
}

void alf_acked(struct alf *a, uint64_t off)
{
	struct adu_out *adu;

	a->out.acked = off;
	alf_again_acked(a, off);
	while ((adu = a->out.sent.first) && adu->end <= off) {
		alf_list_remove(&a->out.sent, adu);
		alf_tell(a, &adu->news, ADU_ACKNOWLEDGED, 0);
		finish(adu);
	}
}

void alf_out_tick(struct alf *a)
{
	struct adu_out *adu, *next;
	uint64_t first = TCPU_NEVER;

	if (a->now_us < a->out.due_us)
		return;
	for (int p = 0; p < ADU_PRIORITIES && a->out.timed; p++)
		for (adu = a->out.queue[p].first; adu; adu = next) {
			next = adu->next;
			if (!expire(a, adu))
				first = adu->deadline_us < first ? adu->deadline_us : first;
		}
	a->out.due_us = first;
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

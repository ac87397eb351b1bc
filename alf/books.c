/* The books of ADUs that come: which have begun, where their bytes belong, which are whole. */
#include "alf/conn.h"

#include <errno.h>
#include <stdlib.h>

#define HOLES_MAX 4096 /* ranges of an ADU that came over holes */
#define UNTOLD_MAX (16 * HOLES_MAX) /* more than a receive buffer of TCP's holds frames */

struct adu_in *alf_in_of(const struct alf *a, uint64_t msn)
{
	return alf_table_find(&a->in.msns, msn);
}

int64_t alf_in_id(const struct adu_in *adu)
{
	return 2 * (int64_t)adu->msn;
}

struct adu_in *alf_in_find(const struct alf *a, int64_t id)
{
	return id > 0 && id % 2 == 0 ? alf_table_find(&a->in.msns, (uint64_t)id / 2) : NULL;
}

/* ---- credit ---- */

/* So much of its credit is the peer's again. */
static void give(struct alf *a, struct adu_in *adu, uint64_t bytes)
{
	bytes = bytes < adu->cost ? bytes : adu->cost;
	adu->cost -= bytes;
	a->in.returned += bytes;
	a->in.full = false;
	a->in.sink.done = a->error;
}

void alf_give_back(struct alf *a, struct adu_in *adu)
{
	give(a, adu, adu->cost);
}

bool alf_holds_up(const struct alf *a)
{
	const struct alf_in *in = &a->in;
	const uint64_t left = in->limit - (in->begun - in->returned), longest = a->profile.adu_max + ADU_COST;

	if (!in->hello || left >= longest + alf_urgent(in->limit, a->profile.adu_max))
		return false;
	for (const struct alf_link *l = in->adus.first; l; l = l->next)
		if (ALF_OF(adu_in, link, l)->whole)
			return true;
	return false;
}

/* ---- beginning and ending ---- */

/* Its MSN is one that may begin now. */
static bool may_begin(const struct alf *a, uint64_t msn, bool in_order)
{
	if (msn <= a->in.low || alf_ranges_meet(&a->in.finished, msn - 1, msn))
		return false;
	/* MSNs are given as ADUs begin, so where nothing is missing, the one before has. */
	return !in_order || msn - 1 <= a->in.low || alf_in_of(a, msn - 1) ||
	       alf_ranges_meet(&a->in.finished, msn - 2, msn - 1);
}

struct adu_in *alf_in_new(struct alf *a, uint64_t msn, uint64_t total, bool in_order, int *error)
{
	uint64_t out = a->in.begun - a->in.returned, told = a->in.begun - a->in.told;
	uint64_t cost = ADU_COST + (total == UINT64_MAX ? 0 : total);
	struct adu_in *adu;

	*error = 0;
	if (cost > a->profile.adu_max + ADU_COST)
		*error = alf_bad(a, ALF_TOO_LONG);
	else if (!may_begin(a, msn, in_order))
		*error = alf_bad(a, ALF_BAD_MSN);
	else if (a->in.hello && told + cost > a->in.limit)
		*error = alf_bad(a, ALF_NO_BUFFER); /* it knows better */
	if (*error)
		return NULL;
	if (out + cost > a->in.limit) {
		/* Over a hole the end of one that has begun may come yet. */
		if (in_order)
			a->in.full = a->in.sink.done = true;
		*error = -EAGAIN;
		return NULL;
	}
	*error = -ENOMEM;
	adu = calloc(1, sizeof *adu);
	if (!adu || alf_table_add(&a->in.msns, msn, adu) < 0) {
		free(adu);
		return NULL;
	}
	adu->news.of = NEWS_IN;
	adu->msn = msn;
	adu->total = total;
	adu->cost = cost;
	a->in.begun += cost;
	alf_list_add(&a->in.adus, &adu->link);
	return adu;
}

void alf_forget(struct alf *a, struct adu_in *adu)
{
	alf_give_back(a, adu);
	alf_untell(&adu->news);
	alf_list_remove(&adu->turn);
	alf_list_remove(&adu->link);
	alf_due_remove(&a->in.gone, &adu->end);
	alf_due_remove(&a->in.dues, &adu->due);
	alf_table_remove(&a->in.msns, adu->msn);
	alf_room_drop(a, adu);
	alf_ranges_free(&adu->fresh);
	alf_ranges_free(&adu->placed);
	free(adu);
}

void alf_in_free(struct alf *a)
{
	while (alf_in_first(a))
		alf_forget(a, alf_in_first(a));
	while (a->in.regions) {
		struct alf_region *r = a->in.regions;
		a->in.regions = r->next;
		alf_ranges_free(&r->placed);
		alf_ranges_free(&r->fresh);
		free(r);
	}
	alf_room_free(a);
	alf_ranges_free(&a->in.over);
	alf_ranges_free(&a->in.finished);
	alf_table_free(&a->in.msns);
	alf_dues_free(&a->in.dues);
	alf_dues_free(&a->in.gone);
}

/* Nothing more of it comes, or of what comes nothing counts: those that waited for it to be delivered may be. */
static void finished(struct alf *a, const struct adu_in *adu)
{
	struct range first;

	if (alf_ranges_add(&a->in.finished, adu->msn - 1, adu->msn) < 0)
		alf_fail(a, ENOMEM);
	/* Between two there is one that has begun, and has cost credit; or the peer has left numbers out. */
	if (alf_ranges_count(&a->in.finished) > a->in.limit / ADU_COST + 2)
		alf_fail(a, -alf_bad(a, ALF_BAD_MSN));
	if (!alf_ranges_first(&a->in.finished, &first) || first.begin)
		return;
	for (; a->in.low < first.end; a->in.low++) {
		struct adu_in *next = alf_in_of(a, a->in.low + 1);
		if (!next || !next->whole)
			continue;
		next->delivered = true;
		if (a->profile.ordered)
			alf_list_add(&a->in.ready, &next->turn);
		alf_tell(a, &next->news, ADU_DELIVERED, 0);
	}
}

static void completed(struct alf *a, struct adu_in *adu)
{
	adu->whole = true;
	alf_due_remove(&a->in.dues, &adu->due);
	if (!a->profile.ordered)
		alf_list_add(&a->in.ready, &adu->turn);
	alf_ranges_free(&adu->placed);
	a->stats.adus_complete++;
	a->stats.adus_over_hole += adu->msn != a->in.low + 1 || alf_ranges_count(&a->in.over);
	alf_tell(a, &adu->news, ADU_COMPLETE, 0);
	finished(a, adu);
}

/* No byte of one that is gone comes behind that offset. */
static void ends_at(struct alf *a, struct adu_in *adu, uint64_t until)
{
	if (until == UINT64_MAX)
		return;
	alf_due_remove(&a->in.gone, &adu->end);
	if (alf_due_add(&a->in.gone, &adu->end, until) < 0)
		alf_fail(a, ENOMEM);
}

void alf_lose(struct alf *a, struct adu_in *adu, int error, uint64_t until, enum control_reason reason)
{
	if (adu->whole)
		return;
	ends_at(a, adu, until);
	if (adu->gone)
		return;
	adu->gone = true;
	alf_due_remove(&a->in.dues, &adu->due);
	alf_room_drop(a, adu);
	alf_ranges_free(&adu->fresh);
	adu->news.kinds &= ~(1U << ADU_PLACED); /* nobody is to read there any more */
	adu->reason = reason;
	if (reason && a->in.hello)
		alf_list_add(&a->out.stops, &adu->turn);
	alf_tell(a, &adu->news, ADU_LOST, error);
	if (!adu->news.kinds)
		alf_untell(&adu->news);
	finished(a, adu);
}

void alf_skipped(struct alf *a, struct adu_in *adu, uint64_t len)
{
	adu->got += len;
	if (adu->got >= adu->total)
		ends_at(a, adu, 0);
}

void alf_passed(struct alf *a)
{
	struct alf_due *due;

	while ((due = alf_due_first(&a->in.gone)) && due->us <= a->in.next) {
		struct adu_in *adu = ALF_OF(adu_in, end, due);

		alf_due_remove(&a->in.gone, due);
		if (adu->news.link.list)
			adu->news.last = true;
		else
			alf_forget(a, adu);
	}
}

/* ---- placing ---- */

bool alf_region_has(const struct alf_region *r, uint64_t offset, uint64_t len)
{
	return alf_ranges_count(&r->placed) > HOLES_MAX || (len && alf_ranges_meet(&r->placed, offset, offset + len));
}

/* What hooks.place says, if that can be. */
static int ask(struct alf *a, struct alf_done *d, const struct adu_where *where)
{
	int n = a->profile.hooks.place(a->profile.hooks.ctx, where, d->to, ALF_PIECES_MAX);
	uint64_t sum = 0;

	if (n == -EAGAIN || n == -ECANCELED)
		return n;
	for (int i = 0; i < n && i < ALF_PIECES_MAX; i++)
		sum += d->to[i].iov_len;
	return n < 0 || n > ALF_PIECES_MAX || (n && sum != d->len) ? -EINVAL : n; /* the application's mistake */
}

static int place_region(struct alf *a, struct alf_done *d)
{
	const struct alf_region *r = d->region;
	const struct adu_where where = { .stag = r->stag, .offset = d->offset, .len = d->len, .total = r->len };
	int n;

	if (r->base) {
		d->to[0] = (struct iovec){ r->base + d->offset, d->len };
		d->pieces = d->len != 0;
		return 0;
	}
	n = d->len ? ask(a, d, &where) : 0;
	d->pieces = n > 0 ? n : 0;
	return d->len && n <= 0 ? -EINVAL : 0;
}

static int ask_adu(struct alf *a, struct alf_done *d)
{
	struct adu_in *adu = d->adu;
	const struct adu_where where = { .id = (uint64_t)alf_in_id(adu), .offset = d->offset, .len = d->len,
		.total = adu->total, .named = adu->named || d->names, .attr = d->names ? &d->attr : &adu->attr };
	int n = ask(a, d, &where);

	if (n == -EAGAIN && where.named)
		n = 0;
	if (n == 0 && adu->hooked)
		return -EINVAL; /* the rest of it is elsewhere */
	adu->hooked |= n > 0;
	return n;
}

int alf_place(struct alf *a, struct alf_done *d)
{
	struct adu_in *adu = d->adu;
	int n = 0;

	if (d->region)
		return place_region(a, d);
	if (adu->total == UINT64_MAX && d->offset + d->len > a->profile.adu_max)
		return alf_bad(a, ALF_TOO_LONG);
	if (adu->whole || alf_ranges_meet(&adu->placed, d->offset, d->offset + d->len) ||
		alf_ranges_count(&adu->placed) > HOLES_MAX)
		return alf_bad(a, ALF_BAD_MO);
	if (!d->len)
		return 0;
	if (!adu->data && a->profile.hooks.place)
		n = ask_adu(a, d);
	if (n < 0)
		return n;
	d->pieces = n;
	if (n)
		return 0;
	n = alf_room_make(a, adu, d->offset + d->len);
	if (n < 0)
		return n;
	d->to[0] = (struct iovec){ adu->data + d->offset, d->len };
	d->pieces = 1;
	return 0;
}

static void placed(struct alf *a, struct alf_news *news, struct alf_ranges *fresh, const struct alf_done *d)
{
	if (!d->len || !(a->profile.wanted & 1U << ADU_PLACED))
		return;
	/* By STag, pieces may come that nobody is told of meanwhile, apart from each other. */
	if (alf_ranges_count(fresh) > UNTOLD_MAX)
		alf_fail(a, -alf_bad(a, ALF_NO_BUFFER));
	else if (alf_ranges_add(fresh, d->offset, d->offset + d->len) < 0)
		alf_fail(a, ENOMEM);
	else
		alf_tell(a, news, ADU_PLACED, 0);
}

static void placed_region(struct alf *a, struct alf_region *r, const struct alf_done *d)
{
	/* With so many holes, all counts as placed. */
	if (d->len && alf_ranges_count(&r->placed) <= HOLES_MAX &&
		alf_ranges_add(&r->placed, d->offset, d->offset + d->len) < 0)
		alf_fail(a, ENOMEM);
	placed(a, &r->news, &r->fresh, d);
}

static void named(struct alf *a, struct adu_in *adu, const struct adu_attr *attr)
{
	const uint64_t now_us = a->clock ? a->clock() : a->now_us;

	adu->named = true;
	adu->attr = *attr;
	if (!attr->deadline_ms)
		return;
	if (alf_due_add(&a->in.dues, &adu->due, now_us + attr->deadline_ms * 1000ULL) < 0)
		alf_fail(a, ENOMEM);
}

void alf_placed(struct alf *a, const struct alf_done *d)
{
	struct adu_in *adu = d->adu;
	const bool known = adu && adu->total != UINT64_MAX;

	if (d->control)
		alf_heard(a, &d->told, d->at);
	if (d->region)
		placed_region(a, d->region, d);
	if (!adu)
		return;
	if (d->last)
		adu->total = adu->got + d->len;
	if (adu->gone) {
		alf_skipped(a, adu, d->len);
		return;
	}
	/* By another piece of the same segment. */
	if (adu->whole || (d->len && alf_ranges_meet(&adu->placed, d->offset, d->offset + d->len))) {
		alf_fail(a, -alf_bad(a, ALF_BAD_MO));
		return;
	}
	if (d->len && alf_ranges_add(&adu->placed, d->offset, d->offset + d->len) < 0)
		alf_fail(a, ENOMEM);
	if (d->names && adu->named)
		alf_fail(a, -alf_bad(a, ALF_BAD_MO));
	else if (d->names)
		named(a, adu, &d->attr);
	adu->got += d->len;
	if (!adu->data && known)
		give(a, adu, d->len); /* it takes none of our memory */
	placed(a, &adu->news, &adu->fresh, d);
	if (adu->named && adu->got == adu->total)
		completed(a, adu);
}

/* The frame never came. */
void alf_unplaced(struct alf *a, struct alf_done *d)
{
	struct adu_in *adu = d->adu;

	for (int i = 0; i < d->pieces; i++)
		ilp_wipe(d->to[i].iov_base, d->to[i].iov_len);
	if (!d->created)
		return;
	a->in.begun -= adu->cost;
	adu->cost = 0;
	alf_forget(a, adu);
}

/* ---- what the peer says ---- */

static int error_of(enum control_reason reason)
{
	return reason == CONTROL_EXPIRED ? ETIME : reason == CONTROL_SUPERSEDED ? EEXIST : ECANCELED;
}

static void dropped(struct alf *a, const struct alf_control *c, uint64_t at)
{
	struct adu_in *adu = alf_in_of(a, c->msn);
	int e;

	/* What was sent of it may be missing still. How much it cost, that will tell. */
	if (!adu)
		adu = alf_in_new(a, c->msn, 0, false, &e);
	if (!adu && e == -ENOMEM)
		alf_fail(a, ENOMEM);
	if (!adu)
		return;
	adu->unknown |= !adu->total && !adu->named;
	alf_lose(a, adu, error_of(c->reason), at, 0);
}

static void stopped(struct alf *a, const struct alf_control *c)
{
	struct adu_out *adu = alf_table_find(&a->out.msns, c->msn);

	if (adu)
		alf_drop(a, adu, c->reason, ECANCELED);
	else
		alf_repeat_dropped(a, c);
}

void alf_heard(struct alf *a, const struct alf_control *c, uint64_t at)
{
	if (c->code == CONTROL_DROPPED)
		dropped(a, c, at);
	else if (c->code == CONTROL_STOP)
		stopped(a, c);
	if (c->code != CONTROL_CREDIT || c->limit <= a->out.credit)
		return;
	a->out.credit = c->limit;
	if (a->out.no_credit)
		alf_tell(a, &a->self, ADU_CREDIT, 0);
}

/* ---- deadlines ---- */

void alf_tick(struct alf *a, uint64_t now_us)
{
	struct alf_due *due;

	a->now_us = now_us;
	alf_out_tick(a);
	while ((due = alf_due_first(&a->in.dues)) && due->us <= now_us) {
		struct adu_in *adu = ALF_OF(adu_in, due, due);

		alf_due_remove(&a->in.dues, due);
		if (adu->attr.recovery >= ADU_TOLERATE)
			alf_lose(a, adu, ETIME, UINT64_MAX, CONTROL_EXPIRED);
		else
			adu->attr.late = true;
	}
}

uint64_t alf_deadline(const struct alf *a)
{
	const struct alf_due *in = alf_due_first(&a->in.dues), *out = alf_due_first(&a->out.dues);

	if (!in || (out && out->us < in->us))
		in = out;
	return in ? in->us : TCPU_NEVER;
}

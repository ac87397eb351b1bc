/* Events: each ADU, region and connection is in the queue once, with all that it has to tell. So the queue needs no
 * memory of its own, and cannot overflow. */
#include "alf/conn.h"

#include <stdlib.h>

const char *adu_event_name(enum adu_event_kind kind)
{
	static const char *const names[] = { "opened", "placed", "complete", "delivered", "lost", "sent", "acknowledged",
		"expired", "cancelled", "credit", "ended", "error" };

	_Static_assert(sizeof names / sizeof *names == ADU_EVENTS, "each kind has a name");
	return kind < ADU_EVENTS ? names[kind] : "?";
}

void alf_tell(struct alf *a, struct alf_news *n, enum adu_event_kind kind, int error)
{
	if (!(a->profile.wanted & 1U << kind))
		return;
	n->kinds |= 1U << kind;
	n->error = error ? error : n->error;
	if (kind == ADU_DELIVERED) /* these have an order, wherever what else it has to tell stands */
		alf_list_remove(&n->link);
	if (!n->link.list)
		alf_list_add(&a->news, &n->link);
}

void alf_untell(struct alf_news *n)
{
	n->kinds = 0;
	alf_list_remove(&n->link);
}

/* The next range that was placed; false: all were told. */
static bool next_placed(struct alf_ranges *fresh, struct adu_event *e)
{
	struct range r;

	if (!alf_ranges_first(fresh, &r))
		return false;
	alf_ranges_pop(fresh);
	e->offset = r.begin;
	e->len = r.end - r.begin;
	return alf_ranges_count(fresh);
}

static bool tell_in(struct adu_in *adu, struct adu_event *e)
{
	e->id = alf_in_id(adu);
	e->attr = adu->attr;
	e->len = adu->total;
	if (e->kind == ADU_COMPLETE || e->kind == ADU_DELIVERED)
		e->data = adu->data;
	return e->kind == ADU_PLACED && next_placed(&adu->fresh, e);
}

static bool tell_out(const struct adu_out *adu, struct adu_event *e)
{
	e->id = adu->id;
	e->attr = adu->attr;
	e->len = adu->total;
	return false;
}

static bool tell_region(struct alf_region *r, struct adu_event *e)
{
	e->stag = r->stag;
	return next_placed(&r->fresh, e);
}

static void all_told(struct alf *a, struct alf_news *n)
{
	alf_untell(n);
	if (!n->last)
		return;
	if (n->of == NEWS_OUT)
		free(ALF_OF(adu_out, news, n));
	else if (n->of == NEWS_IN)
		alf_forget(a, ALF_OF(adu_in, news, n));
}

void alf_tell_no_more(struct alf *a)
{
	struct alf_link *at, *next;

	for (at = a->news.first; at; at = next) {
		struct alf_news *n = ALF_OF(alf_news, link, at);
		next = at->next;
		at->list = NULL;
		if (n->last && n->of == NEWS_OUT)
			free(ALF_OF(adu_out, news, n));
	}
	a->news = (struct alf_list){ 0 };
}

void alf_tell_no_losses(struct alf *a)
{
	struct alf_link *next;

	for (struct alf_link *at = a->news.first; at; at = next) {
		struct alf_news *n = ALF_OF(alf_news, link, at);
		next = at->next;
		if (n->of == NEWS_IN && n->last)
			alf_forget(a, ALF_OF(adu_in, news, n));
	}
}

bool alf_event(struct alf *a, struct adu_event *e)
{
	struct alf_news *n = ALF_OF(alf_news, link, a->news.first);
	bool more = false;

	if (!n)
		return alf_again_told(a, e);
	*e = (struct adu_event){ .kind = (enum adu_event_kind)__builtin_ctz(n->kinds), .error = n->error };
	if (n->of == NEWS_IN)
		more = tell_in(ALF_OF(adu_in, news, n), e);
	else if (n->of == NEWS_OUT)
		more = tell_out(ALF_OF(adu_out, news, n), e);
	else if (n->of == NEWS_REGION)
		more = tell_region(ALF_OF(alf_region, news, n), e);
	if (!more)
		n->kinds &= ~(1U << e->kind);
	if (!n->kinds)
		all_told(a, n);
	return true;
}

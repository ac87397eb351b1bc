/* ADUs that are to go, and whose turn it is. Of each priority those that may go stand in two lists, by their turns:
 * those that have begun, and those that have not, of which the peer's credit may let none begin. */
#include "alf/conn.h"

#include <errno.h>
#include <stdlib.h>

static bool lacks_data(const struct adu_out *adu)
{
	return adu->parted && adu->done == adu->here && (adu->begun || adu->here < adu->total);
}

/* Into the list where it belongs, by its ticket: before that one, if they are in the same list. */
static void place(struct alf *a, struct adu_out *adu, struct adu_out *instead)
{
	struct alf_queue *q = &a->out.queue[adu->attr.priority];
	struct alf_list *l = lacks_data(adu) ? &q->idle : adu->begun ? &q->begun : &q->fresh;
	struct alf_link *before = instead && instead->link.list == l ? &instead->link : NULL;

	/* Else it mostly is the last; the idle have no turns. */
	if (!before && l != &q->idle)
		for (struct alf_link *at = l->last; at && ALF_OF(adu_out, link, at)->ticket > adu->ticket; at = at->prev)
			before = at;
	alf_list_insert(l, &adu->link, before);
	if (l != &q->idle)
		a->out.busy |= 1U << adu->attr.priority;
}

static void unplace(struct alf *a, struct adu_out *adu)
{
	const struct alf_queue *q = &a->out.queue[adu->attr.priority];

	alf_list_remove(&adu->link);
	if (!q->begun.first && !q->fresh.first)
		a->out.busy &= ~(1U << adu->attr.priority);
}

int alf_queue_add(struct alf *a, struct adu_out *adu, struct adu_out *instead)
{
	instead = instead && instead->attr.priority == adu->attr.priority ? instead : NULL;
	if (alf_table_add(&a->out.ids, (uint64_t)adu->id, adu) < 0)
		return -ENOMEM;
	if (adu->attr.deadline_ms && alf_due_add(&a->out.dues, &adu->due, a->now_us + adu->attr.deadline_ms * 1000ULL) < 0) {
		alf_table_remove(&a->out.ids, (uint64_t)adu->id);
		return -ENOMEM;
	}
	adu->ticket = instead ? instead->ticket : a->out.ticket++;
	place(a, adu, instead);
	return 0;
}

void alf_queue_remove(struct alf *a, struct adu_out *adu)
{
	unplace(a, adu);
	alf_table_remove(&a->out.ids, (uint64_t)adu->id);
	alf_due_remove(&a->out.dues, &adu->due);
	if (adu->begun && !adu->tagged && !a->framer->stream)
		alf_table_remove(&a->out.msns, adu->msn);
}

void alf_queue_move(struct alf *a, struct adu_out *adu, bool last)
{
	unplace(a, adu);
	if (last)
		adu->ticket = a->out.ticket++;
	place(a, adu, NULL);
}

struct adu_out *alf_out_find(const struct alf *a, int64_t id)
{
	return id > 0 ? alf_table_find(&a->out.ids, (uint64_t)id) : NULL;
}

static bool has_credit(const struct alf *a, const struct adu_out *adu)
{
	const uint64_t left = a->out.credit - a->out.used, cost = adu->total + ADU_COST;

	if (a->out.credit == UINT64_MAX || adu->tagged)
		return true;
	return left >= cost && (adu->attr.priority || left - cost >= a->out.urgent);
}

struct adu_out *alf_queue_next(const struct alf *a, bool *blocked)
{
	struct adu_out *adu = a->out.under_way;

	*blocked = false;
	if (adu)
		return lacks_data(adu) ? NULL : adu;
	for (uint32_t busy = a->out.busy; busy;) {
		const unsigned p = 31U - (unsigned)__builtin_clz(busy);
		struct adu_out *begun = ALF_OF(adu_out, link, a->out.queue[p].begun.first);
		struct adu_out *fresh = ALF_OF(adu_out, link, a->out.queue[p].fresh.first);

		/* Who waits for credit lets none begin behind it: small ones would use it up for ever. */
		*blocked |= fresh && !has_credit(a, fresh);
		if (fresh && !*blocked && (!begun || fresh->ticket < begun->ticket))
			return fresh;
		if (begun)
			return begun;
		busy &= ~(1U << p);
	}
	return NULL;
}

static void free_list(struct alf_list *l)
{
	struct alf_link *at, *next;

	for (at = l->first; at; at = next) {
		next = at->next;
		free(ALF_OF(adu_out, link, at));
	}
	*l = (struct alf_list){ 0 };
}

void alf_queue_free(struct alf *a)
{
	for (int p = 0; p < ADU_PRIORITIES; p++) {
		free_list(&a->out.queue[p].begun);
		free_list(&a->out.queue[p].fresh);
		free_list(&a->out.queue[p].idle);
	}
	free_list(&a->out.sent);
	free_list(&a->out.told);
	alf_table_free(&a->out.ids);
	alf_table_free(&a->out.msns);
	alf_dues_free(&a->out.dues);
}

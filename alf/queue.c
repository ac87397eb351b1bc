/* ADUs that are to go, and whose turn it is. Of each priority those that may go stand in two lists, by their turns:
 * those that have begun, and those that have not, of which the peer's credit may let none begin. */
#include "alf/conn.h"

#include <errno.h>
#include <stdlib.h>

/* ---- lists ---- */

static void insert(struct adu_list *l, struct adu_out *before, struct adu_out *adu)
{
	adu->list = l;
	adu->next = before;
	adu->prev = before ? before->prev : l->last;
	*(adu->prev ? &adu->prev->next : &l->first) = adu;
	*(adu->next ? &adu->next->prev : &l->last) = adu;
}

void alf_list_add(struct adu_list *l, struct adu_out *adu)
{
	insert(l, NULL, adu);
}

void alf_list_remove(struct adu_out *adu)
{
	*(adu->prev ? &adu->prev->next : &adu->list->first) = adu->next;
	*(adu->next ? &adu->next->prev : &adu->list->last) = adu->prev;
	adu->list = NULL;
}

/* ---- the queue ---- */

static bool lacks_data(const struct adu_out *adu)
{
	return adu->parted && adu->done == adu->here && (adu->begun || adu->here < adu->total);
}

/* Into the list where it belongs, by its ticket: before that one, if they are in the same list. */
static void place(struct alf *a, struct adu_out *adu, struct adu_out *instead)
{
	struct alf_queue *q = &a->out.queue[adu->attr.priority];
	struct adu_list *l = lacks_data(adu) ? &q->idle : adu->begun ? &q->begun : &q->fresh;
	struct adu_out *before = instead && instead->list == l ? instead : NULL;

	/* Else it mostly is the last; the idle have no turns. */
	for (struct adu_out *at = before || l == &q->idle ? NULL : l->last; at && at->ticket > adu->ticket; at = at->prev)
		before = at;
	insert(l, before, adu);
	if (l != &q->idle)
		a->out.busy |= 1U << adu->attr.priority;
}

static void unplace(struct alf *a, struct adu_out *adu)
{
	const struct alf_queue *q = &a->out.queue[adu->attr.priority];

	alf_list_remove(adu);
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
		struct adu_out *begun = a->out.queue[p].begun.first, *fresh = a->out.queue[p].fresh.first;

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

static void free_list(struct adu_list *l)
{
	struct adu_out *adu, *next;

	for (adu = l->first; adu; adu = next) {
		next = adu->next;
		free(adu);
	}
	*l = (struct adu_list){ 0 };
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

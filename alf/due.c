/* J. Williams, Heapsort, Communications of the ACM 7 (1964). */
#include "alf/due.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define FEW 16

static void put(struct alf_dues *d, uint32_t at, struct alf_due *due)
{
	d->heap[at] = due;
	due->at = at;
}

/* Where it may stand: up from there. */
static void up(struct alf_dues *d, uint32_t at, struct alf_due *due)
{
	for (; at > 1 && due->us < d->heap[at / 2]->us; at /= 2)
		put(d, at, d->heap[at / 2]);
	put(d, at, due);
}

/* Down from there. */
static void down(struct alf_dues *d, uint32_t at, struct alf_due *due)
{
	uint32_t below;

	for (; (below = 2 * at) <= d->count; at = below) {
		below += below < d->count && d->heap[below + 1]->us < d->heap[below]->us;
		if (due->us <= d->heap[below]->us)
			break;
		put(d, at, d->heap[below]);
	}
	put(d, at, due);
}

int alf_due_add(struct alf_dues *d, struct alf_due *due, uint64_t us)
{
	const bool full = d->count + 1 >= d->max;
	const uint32_t max = d->max ? 2 * d->max : FEW;
	struct alf_due **heap = !full ? d->heap : max > d->max ? realloc(d->heap, max * sizeof *heap) : NULL;

	if (!heap)
		return -ENOMEM;
	d->heap = heap;
	d->max = full ? max : d->max;
	due->us = us;
	up(d, ++d->count, due);
	return 0;
}

void alf_due_remove(struct alf_dues *d, struct alf_due *due)
{
	const uint32_t at = due->at;
	struct alf_due *last;

	if (!at)
		return;
	last = d->heap[d->count--];
	due->at = 0;
	if (last == due)
		return;
	if (at > 1 && last->us < d->heap[at / 2]->us)
		up(d, at, last);
	else
		down(d, at, last);
}

void alf_dues_free(struct alf_dues *d)
{
	free(d->heap);
	*d = (struct alf_dues){ 0 };
}

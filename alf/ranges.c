/* Sets of ranges whose memory grows as they do. */
#include "alf/conn.h"

#include <errno.h>
#include <stdlib.h>

#define FEW 4

/* Room for one more. */
static int grow(struct alf_ranges *r)
{
	uint32_t max = r->set.max ? 2 * r->set.max : FEW;
	void *memory;

	if (r->set.count < r->set.max)
		return 0;
	memory = malloc(ranges_memory(max));
	if (!memory)
		return -ENOMEM;
	ranges_move(&r->set, memory, max, (uint32_t)(uintptr_t)memory >> 4);
	free(r->memory);
	r->memory = memory;
	return 0;
}

/* A set of one is none. */
static void only_one(struct alf_ranges *r)
{
	if (r->set.count != 1)
		return;
	ranges_first(&r->set, &r->one);
	ranges_pop(&r->set);
}

int alf_ranges_add(struct alf_ranges *r, uint64_t begin, uint64_t end)
{
	struct range *one = &r->one;
	bool empty = !r->set.count && one->begin == one->end;

	if (empty)
		*one = (struct range){ begin, end };
	if (!r->set.count && begin <= one->end && one->begin <= end) {
		one->begin = begin < one->begin ? begin : one->begin;
		one->end = end > one->end ? end : one->end;
		return 0;
	}
	if (grow(r) < 0)
		return -ENOMEM;
	if (!r->set.count)
		ranges_add(&r->set, one->begin, one->end);
	*one = (struct range){ 0 };
	ranges_add(&r->set, begin, end);
	only_one(r);
	return 0;
}

bool alf_ranges_find(const struct alf_ranges *r, uint64_t begin, uint64_t end, struct range *met)
{
	if (r->set.count)
		return ranges_meet(&r->set, begin, end, met);
	*met = r->one;
	return begin < r->one.end && r->one.begin < end;
}

bool alf_ranges_first(const struct alf_ranges *r, struct range *first)
{
	*first = r->one;
	return r->set.count ? ranges_first(&r->set, first) : r->one.begin < r->one.end;
}

void alf_ranges_pop(struct alf_ranges *r)
{
	if (r->set.count)
		ranges_pop(&r->set);
	else
		r->one = (struct range){ 0 };
	only_one(r);
}

void alf_ranges_free(struct alf_ranges *r)
{
	free(r->memory);
	*r = (struct alf_ranges){ 0 };
}

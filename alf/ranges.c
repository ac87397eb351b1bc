/* Sets of ranges whose memory grows as they do. */
#include "alf/conn.h"

#include <errno.h>
#include <stdlib.h>

#define FEW 4

int alf_ranges_add(struct alf_ranges *r, uint64_t begin, uint64_t end)
{
	uint32_t max = r->set.max ? 2 * r->set.max : FEW;
	void *memory;

	if (r->set.count < r->set.max)
		return ranges_add(&r->set, begin, end) ? 0 : -ENOMEM;
	memory = malloc(ranges_memory(max));
	if (!memory)
		return -ENOMEM;
	ranges_move(&r->set, memory, max, (uint32_t)(uintptr_t)memory >> 4);
	free(r->memory);
	r->memory = memory;
	return ranges_add(&r->set, begin, end) ? 0 : -ENOMEM;
}

void alf_ranges_free(struct alf_ranges *r)
{
	free(r->memory);
	*r = (struct alf_ranges){ 0 };
}

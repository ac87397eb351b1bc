/* What the algorithms of congestion control share, and which there are (core/congestion.h). */
#include "core/congestion.h"

#include <stddef.h>

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

const struct congestion *congestion_find(const char *name)
{
	static const struct congestion *const all[] = { &congestion_cubic, &congestion_reno };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (same(all[i]->name, name))
			return all[i];
	return NULL;
}

void congestion_grow(struct cc *cc, uint64_t bytes)
{
	uint64_t cwnd = cc->cwnd + bytes;

	cc->cwnd = cwnd < CWND_MAX ? (uint32_t)cwnd : CWND_MAX;
}

void congestion_shrink(struct cc *cc, uint32_t share)
{
	cc->ssthresh = share > 2 * cc->mss ? share : 2 * cc->mss;
	cc->bytes_acked = 0;
	cc->hystart.done = true;
}

/* Calls of every way, over the same memory. */
#include "tools/ways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As in bench_run.c: src, dst and scratch lie a third of a page apart from one another modulo 4 KiB. */
#define PAGE ((size_t)WAYS_PAGE)
#define APART 1344UL

static size_t pages(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* Of the memory that is free; 0: unknown. */
static size_t half_of_free(void)
{
	unsigned long long free_kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && !free_kib && fgets(line, sizeof line, f))
		if (!strncmp(line, "MemAvailable:", 13))
			free_kib = strtoull(line + 13, NULL, 10);
	if (f)
		fclose(f);
	return (size_t)(free_kib * 1024 / 2);
}

int ways_open(struct ways_room *r, const struct ilp_chain *const *chains, size_t most, uint64_t seed)
{
	size_t out = most, scratch = 0;
	uint64_t random = seed | 1;

	for (; *chains; chains++)
		for (unsigned d = 0; d < ILP_DIRECTIONS; d++) {
			const size_t room = ilp_room(*chains, (enum ilp_direction)d, most);

			out = room > out ? room : out;
			for (unsigned w = 0; w < (*chains)->way_count[d]; w++) {
				const size_t tmp = ilp_scratch(*chains, (enum ilp_direction)d, w, most);

				scratch = tmp > scratch ? tmp : scratch;
			}
		}
	const size_t src_at = 0, dst_at = pages(most) + APART, tmp_at = pages(dst_at + out + PAGE) + 2 * APART;
	const size_t size = pages(tmp_at + scratch + PAGE), half = half_of_free();

	*r = (struct ways_room){ .most = most, .out = out };
	if (half && size > half)
		return -ENOSPC;
	r->memory = aligned_alloc(PAGE, size);
	if (!r->memory)
		return -ENOMEM;
	r->src = (uint8_t *)r->memory + src_at;
	r->dst = (uint8_t *)r->memory + dst_at;
	r->tmp = (uint8_t *)r->memory + tmp_at;
	for (size_t i = 0; i + sizeof random <= size; i += sizeof random) {
		const uint64_t word = measure_random(&random);

		memcpy((uint8_t *)r->memory + i, &word, sizeof word);
	}
	return 0;
}

void ways_close(struct ways_room *r)
{
	free(r->memory);
	*r = (struct ways_room){ .most = 0 };
}

static void run(void *ctx)
{
	struct ways_call *c = ctx;

	const size_t at = c->slots > 1 ? c->room->next++ % c->slots * c->stride : 0;
	uint8_t *const dst = c->room->dst + at;

	c->chain->begin(&c->state);
	((struct ilp_state *)&c->state)->tile = c->tile;
	const size_t n = c->loop(&c->state, dst, c->room->src + at, c->bytes, c->room->tmp);
	c->chain->end[c->direction](&c->state, dst + n);
	c->sum = c->chain->sum ? c->chain->sum(&c->state) : 0;
}

void ways_call(struct ways_call *c, struct measure *m, struct ways_room *r, const struct ilp_chain *chain,
	enum ilp_direction direction, unsigned way, uint32_t tile, size_t bytes)
{
	uint8_t any[64];

	*c = (struct ways_call){ .chain = chain, .direction = direction, .way = way, .tile = tile, .bytes = bytes, .room = r,
		.slots = 1, .loop = ilp_pick(chain, direction, way) };
	memset(any, 0x5a, sizeof any);
	for (const struct ilp_param *p = chain->params; p && p->name; p++)
		if (p->size <= sizeof any)
			ilp_set(chain, &c->state, p->name, any, p->size);
	*m = (struct measure){ .run = run, .ctx = c };
}

void ways_walk(struct ways_call *c)
{
	const size_t room = ilp_room(c->chain, c->direction, c->bytes);

	c->stride = pages(room > c->bytes ? room : c->bytes);
	c->slots = (c->room->most < c->room->out ? c->room->most : c->room->out) / c->stride;
}

/* Calls of every way, over the same memory. */
#include "tools/ways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	const size_t dst_at = operands_pages(most) + OPERANDS_APART;
	const size_t tmp_at = operands_pages(dst_at + out + OPERANDS_PAGE) + 2 * OPERANDS_APART;
	const size_t size = operands_pages(tmp_at + scratch + OPERANDS_PAGE), half = operands_half_of_free();

	*r = (struct ways_room){ .most = most, .out = out };
	if (half && size > half)
		return -ENOSPC;
	r->src = operands_memory(size, &random);
	if (!r->src)
		return -ENOMEM;
	r->dst = r->src + dst_at;
	r->tmp = r->src + tmp_at;
	return 0;
}

void ways_close(struct ways_room *r)
{
	free(r->src);
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
	*c = (struct ways_call){ .chain = chain, .direction = direction, .way = way, .tile = tile, .bytes = bytes, .room = r,
		.slots = 1, .loop = ilp_pick(chain, direction, way) };
	operands_params(chain, &c->state);
	*m = (struct measure){ .run = run, .ctx = c };
}

void ways_walk(struct ways_call *c)
{
	const size_t room = ilp_room(c->chain, c->direction, c->bytes);

	c->stride = operands_pages(room > c->bytes ? room : c->bytes);
	c->slots = (c->room->most < c->room->out ? c->room->most : c->room->out) / c->stride;
}

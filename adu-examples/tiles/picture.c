/* A picture: its levels, from the finest to the coarsest, and the tiles that they are cut into. A tile's bytes lie
 * together, so that an ADU is one piece of memory at both ends. Names and sizes come from a peer. */
#include "adu-examples/tiles/tiles.h"
#include "alf/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int picture_open(struct picture *p, uint32_t width, uint32_t height, uint32_t edge)
{
	size_t bytes = 0;

	*p = (struct picture){ .width = width, .height = height, .edge = edge };
	if (!width || !height || width > SIDE_MAX || height > SIDE_MAX || (uint64_t)width * height > PIXELS_MAX ||
		edge < EDGE_MIN || edge > EDGE_MAX || (edge & (edge - 1)))
		return -EINVAL;
	for (uint32_t i = LEVELS; i-- > 0;) {
		struct level *l = &p->level[i];
		l->width = (width + (1U << i) - 1) >> i;
		l->height = (height + (1U << i) - 1) >> i;
		l->columns = (l->width + edge - 1) / edge;
		l->rows = (l->height + edge - 1) / edge;
		l->first = p->tiles;
		l->offset = bytes;
		p->tiles += l->columns * l->rows;
		bytes += (size_t)l->width * l->height * PIXEL;
	}
	p->bytes = calloc(bytes, 1);
	return p->bytes ? 0 : -ENOMEM;
}

void picture_close(struct picture *p)
{
	free(p->bytes);
	p->bytes = NULL;
}

/* One that there is. */
static struct tile tile_at(const struct picture *p, uint32_t level, uint32_t column, uint32_t row)
{
	const struct level *l = &p->level[level];
	const uint32_t left = column * p->edge, top = row * p->edge;
	struct tile t = { .number = l->first + row * l->columns + column, .level = level, .column = column, .row = row,
		.width = least(p->edge, l->width - left), .height = least(p->edge, l->height - top) };

	t.len = (size_t)t.width * t.height * PIXEL;
	/* Whole rows of tiles above it, then those at its left, which are as high as it. */
	t.bytes = p->bytes + l->offset + ((size_t)top * l->width + (size_t)left * t.height) * PIXEL;
	return t;
}

bool picture_tile(const struct picture *p, uint32_t level, uint32_t column, uint32_t row, struct tile *t)
{
	if (level >= LEVELS || column >= p->level[level].columns || row >= p->level[level].rows)
		return false;
	*t = tile_at(p, level, column, row);
	return true;
}

struct tile picture_nth(const struct picture *p, uint32_t number)
{
	uint32_t level = LEVELS - 1;

	while (level && number >= p->level[level - 1].first)
		level--;
	number -= p->level[level].first;
	return tile_at(p, level, number % p->level[level].columns, number / p->level[level].columns);
}

void tile_name(const struct tile *t, uint8_t name[NAME_BYTES])
{
	name[0] = (uint8_t)t->level;
	put16(put16(name + 1, (uint16_t)t->column), (uint16_t)t->row);
}

bool tile_named(const struct picture *p, const uint8_t *name, size_t len, struct tile *t)
{
	return len == NAME_BYTES && picture_tile(p, name[0], get16(name + 1), get16(name + 3), t);
}

static uint8_t *pixel(const struct picture *p, uint32_t level, uint32_t x, uint32_t y)
{
	const struct tile t = tile_at(p, level, x / p->edge, y / p->edge);

	return t.bytes + ((size_t)(y % p->edge) * t.width + x % p->edge) * PIXEL;
}

/* Each of its pixels is the mean of four of the level below, or of those that there are. */
static void shrink(struct picture *p, uint32_t level)
{
	const struct level *l = &p->level[level], *below = l - 1;

	for (uint32_t y = 0; y < l->height; y++)
		for (uint32_t x = 0; x < l->width; x++) {
			const uint32_t right = least(2 * x + 1, below->width - 1);
			const uint32_t low = least(2 * y + 1, below->height - 1);
			const uint8_t *a = pixel(p, level - 1, 2 * x, 2 * y), *b = pixel(p, level - 1, right, 2 * y);
			const uint8_t *c = pixel(p, level - 1, 2 * x, low), *d = pixel(p, level - 1, right, low);
			uint8_t *to = pixel(p, level, x, y);
			for (int i = 0; i < PIXEL; i++)
				to[i] = (uint8_t)((a[i] + b[i] + c[i] + d[i] + 2) / 4);
		}
}

void picture_fill(struct picture *p, const uint8_t *rgb)
{
	for (uint32_t i = p->level[0].first; i < p->tiles; i++) {
		struct tile t = picture_nth(p, i);
		const uint8_t *from = rgb + ((size_t)t.row * p->edge * p->width + (size_t)t.column * p->edge) * PIXEL;
		for (uint32_t y = 0; y < t.height; y++)
			memcpy(t.bytes + (size_t)y * t.width * PIXEL, from + (size_t)y * p->width * PIXEL,
				t.width * PIXEL);
	}
	for (uint32_t level = 1; level < LEVELS; level++)
		shrink(p, level);
}

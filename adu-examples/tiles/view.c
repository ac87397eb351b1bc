/* What is seen of a picture that comes: each place at the finest level of which its tile is there. */
#include "adu-examples/tiles/tiles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BARE 0x30 /* grey, where nothing has come */

int view_open(struct view *v, uint32_t width, uint32_t height, uint32_t edge)
{
	const size_t pixels = (size_t)width * height;
	int e = picture_open(&v->picture, width, height, edge);
	const struct level *finest = &v->picture.level[0];

	if (e)
		return e;
	v->left = v->bare_left = finest->columns * finest->rows;
	v->frame = malloc(pixels * PIXEL);
	v->finest = malloc(v->left);
	v->is_drawn = calloc(v->picture.tiles, sizeof *v->is_drawn);
	v->log = malloc(v->picture.tiles * sizeof *v->log);
	if (!v->frame || !v->finest || !v->is_drawn || !v->log) {
		view_close(v);
		return -ENOMEM;
	}
	memset(v->frame, BARE, pixels * PIXEL);
	memset(v->finest, LEVELS, v->left);
	v->start_us = now_tcpu();
	return 0;
}

void view_close(struct view *v)
{
	picture_close(&v->picture);
	free(v->frame);
	free(v->finest);
	free(v->is_drawn);
	free(v->log);
	*v = (struct view){ .title = v->title };
}

bool view_is_open(const struct view *v)
{
	return v->log;
}

/* The part of a tile that shows the place of one of level 0, as large as that. */
static void draw_place(struct view *v, const struct tile *t, const struct tile *place)
{
	const struct picture *p = &v->picture;
	const uint32_t left = place->column * p->edge, top = place->row * p->edge;
	const uint32_t tile_left = t->column * p->edge, tile_top = t->row * p->edge;

	for (uint32_t y = top; y < top + place->height; y++) {
		const uint8_t *from = t->bytes + (size_t)((y >> t->level) - tile_top) * t->width * PIXEL;
		uint8_t *to = v->frame + ((size_t)y * p->width + left) * PIXEL;
		for (uint32_t x = left; x < left + place->width; x++, to += PIXEL)
			memcpy(to, from + (size_t)((x >> t->level) - tile_left) * PIXEL, PIXEL);
	}
}

void view_draw(struct view *v, const struct tile *t)
{
	const struct level *finest = &v->picture.level[0];
	const uint32_t ms = (uint32_t)((now_tcpu() - v->start_us) / 1000), l = t->level;
	const uint32_t right = least(finest->columns, (t->column + 1) << l);
	const uint32_t bottom = least(finest->rows, (t->row + 1) << l);
	const bool bare = v->bare_left;
	struct tile place;

	v->is_drawn[t->number] = true;
	v->log[v->drawn++] = (struct drawn){ t->number, ms };
	v->left -= l == 0;
	for (uint32_t row = t->row << l; row < bottom; row++)
		for (uint32_t column = t->column << l; column < right; column++) {
			uint8_t *seen = &v->finest[row * finest->columns + column];
			if (*seen <= l)
				continue;
			v->bare_left -= *seen == LEVELS;
			*seen = (uint8_t)l;
			place = picture_nth(&v->picture, finest->first + row * finest->columns + column);
			draw_place(v, t, &place);
		}
	if (bare && !v->bare_left)
		v->covered_ms = ms;
	if (!v->left)
		v->whole_ms = ms;
}

uint32_t view_overtook(const struct view *v)
{
	uint32_t first = UINT32_MAX, n = 0;

	for (uint32_t i = v->drawn; i-- > 0;) {
		n += v->log[i].number > first;
		first = v->log[i].number < first ? v->log[i].number : first;
	}
	return n;
}

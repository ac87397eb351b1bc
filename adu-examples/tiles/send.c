/* The sender: levels, one after another, each tile an ADU; and what of a level went too late. */
#include "adu-examples/tiles/tiles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct alf_profile sender_profile = { .initiator = true, .crc = true };

enum status sender_open(struct sender *x, int fd, const struct alf_profile *base, const struct picture *p,
	uint32_t patience_ms)
{
	const struct greeting mine = greeting_make(base, p);
	struct alf_profile profile = *base;

	profile.private_data = &mine;
	profile.private_len = sizeof mine;
	*x = (struct sender){ .fd = fd, .picture = p, .due = LEVELS, .patience_us = patience_ms * 1000ULL };
	memcpy(x->chain, mine.chain, sizeof x->chain);
	x->ids = calloc(p->tiles, sizeof *x->ids);
	x->alf = x->ids ? alf_open(fd, &profile) : NULL;
	return x->alf ? OK : complain(FAILED, "%s", strerror(errno));
}

void sender_close(struct sender *x)
{
	alf_close(x->alf);
	free(x->ids);
	*x = (struct sender){ .fd = x->fd };
}

/* The tile of the level above that shows the place, if this is the first of its four; 0: none that is queued. */
static int64_t coarser(const struct sender *x, const struct tile *t)
{
	struct tile above;

	return t->column % 2 == 0 && t->row % 2 == 0 &&
		picture_tile(x->picture, t->level + 1, t->column / 2, t->row / 2, &above) ? x->ids[above.number] : 0;
}

static enum status queue_tile(struct sender *x, const struct tile *t)
{
	struct adu_attr attr = { .type = TILE, .name_len = NAME_BYTES, .priority = (uint8_t)t->level,
		.recovery = t->level ? ADU_SUPERSEDE : ADU_KEEP };
	int64_t late = coarser(x, t), id;

	tile_name(t, attr.name);
	id = late ? adu_supersede(x->alf, late, t->bytes, t->len, &attr) : adu_send(x->alf, t->bytes, t->len, &attr);
	if (id < 0)
		return broke(x->alf, errno);
	x->ids[t->number] = id;
	x->queued++;
	return OK;
}

/* The next level, if it is due. */
static enum status offer(struct sender *x)
{
	enum status s = OK;
	uint32_t n;

	if (!x->opened || !x->due || (x->queued && now_tcpu() < x->due_us))
		return OK;
	x->due--;
	x->due_us = now_tcpu() + x->patience_us;
	n = x->picture->level[x->due].columns * x->picture->level[x->due].rows;
	for (uint32_t i = 0; i < n && s == OK; i++) {
		struct tile t = picture_nth(x->picture, x->picture->level[x->due].first + i);
		s = queue_tile(x, &t);
	}
	return s;
}

static enum status greeted(struct sender *x)
{
	struct greeting g;

	if (greeting_read(x->alf, x->chain, &g) != OK)
		return FAILED;
	x->opened = true;
	return BUSY;
}

/* A tile has left the queue. */
static enum status gone(struct sender *x, const struct adu_event *e)
{
	struct tile t;

	if (e->kind == ADU_CANCELLED && e->error == ECANCELED)
		return complain(FAILED, "the other end does not want a tile");
	if (tile_named(x->picture, e->attr.name, e->attr.name_len, &t))
		x->ids[t.number] = 0;
	x->queued--;
	*(e->kind == ADU_SENT ? &x->sent : &x->superseded) += 1;
	return BUSY;
}

static enum status hear(struct sender *x, const struct adu_event *e)
{
	switch (e->kind) {
	case ADU_OPENED:
		return greeted(x);
	case ADU_SENT:
	case ADU_CANCELLED:
		return gone(x, e);
	case ADU_COMPLETE:
	case ADU_DELIVERED: /* where the profile has them in order */
		return e->attr.type == DONE ? OK : complain(FAILED, "the other end does not speak tiles");
	case ADU_ENDED:
		return complain(FAILED, "the other end went away before it had the picture");
	case ADU_ERROR:
		return broke(x->alf, e->error);
	default:
		return BUSY;
	}
}

enum status sender_turn(struct sender *x)
{
	struct adu_event e;
	enum status s = BUSY;
	int r = 1;

	while (s == BUSY && (r = adu_next(x->alf, &e, 0)) == 1)
		s = hear(x, &e);
	if (s == BUSY && r < 0 && errno != EINTR)
		s = broke(x->alf, errno);
	if (s == BUSY && offer(x) != OK)
		s = FAILED;
	return s;
}

int sender_timeout(const struct sender *x)
{
	uint64_t now_us = now_tcpu();

	if (!x->opened || !x->due)
		return -1;
	return x->due_us <= now_us ? 0 : (int)((x->due_us - now_us + 999) / 1000);
}

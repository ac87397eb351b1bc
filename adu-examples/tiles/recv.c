/* The receiver: a tile's bytes are put where it lies in the picture, whatever is missing before it, and it is drawn
 * when all of it is there. */
#include "adu-examples/tiles/tiles.h"

#include <errno.h>
#include <string.h>

#define CREDIT_BYTES (4U << 20) /* more than a window */

/* Hook. What is no tile of the picture, or is drawn, has no place. It may be told wrongly, by a segment that turns out
 * to be damaged only when its bytes are in their place: so it remembers nothing. */
static int place(void *ctx, const struct adu_where *where, struct iovec *to, int max)
{
	const struct view *v = ((struct receiver *)ctx)->view;
	struct tile t;

	(void)max;
	if (!where->named)
		return -EAGAIN;
	if (!view_is_open(v) || !tile_named(&v->picture, where->attr->name, where->attr->name_len, &t) ||
		where->total != t.len || v->is_drawn[t.number])
		return -ECANCELED;
	*to = (struct iovec){ t.bytes + where->offset, where->len };
	return 1;
}

const struct alf_profile receiver_profile = { .markers = true, .crc = true,
	.adu_max = (uint64_t)EDGE_MAX * EDGE_MAX * PIXEL, .credit = CREDIT_BYTES };

enum status receiver_open(struct receiver *x, int fd, const struct alf_profile *base, struct view *v)
{
	const struct greeting mine = greeting_make(base, NULL);
	struct alf_profile profile = *base;

	profile.private_data = &mine;
	profile.private_len = sizeof mine;
	profile.hooks = (struct alf_hooks){ .place = place, .ctx = x };
	*x = (struct receiver){ .fd = fd, .view = v };
	memcpy(x->chain, mine.chain, sizeof x->chain);
	x->alf = alf_open(fd, &profile);
	return x->alf ? OK : complain(FAILED, "%s", strerror(errno));
}

void receiver_close(struct receiver *x)
{
	alf_close(x->alf);
	x->alf = NULL;
}

static enum status nonsense(void)
{
	return complain(FAILED, "the other end does not speak tiles");
}

static enum status greeted(struct receiver *x)
{
	struct greeting g;
	int e;

	if (greeting_read(x->alf, x->chain, &g) != OK)
		return FAILED;
	e = view_open(x->view, g.width, g.height, g.edge);
	if (e == -EINVAL)
		return complain(FAILED, "the other end's picture, %u by %u pixels in tiles of %u, is refused", g.width,
			g.height, g.edge);
	return e ? complain(FAILED, "%s", strerror(-e)) : BUSY;
}

static enum status take(struct receiver *x, const struct adu_event *e)
{
	struct view *v = x->view;
	struct tile t;

	if (e->attr.type != TILE || !view_is_open(v) || !tile_named(&v->picture, e->attr.name, e->attr.name_len, &t) ||
		e->len != t.len || v->is_drawn[t.number])
		return nonsense();
	view_draw(v, &t);
	adu_release(x->alf, e->id);
	if (v->left || x->done)
		return BUSY;
	x->done = true;
	return adu_send(x->alf, NULL, 0, &(struct adu_attr){ .type = DONE }) < 0
		? broke(x->alf, errno) : BUSY;
}

static enum status hear(struct receiver *x, const struct adu_event *e)
{
	switch (e->kind) {
	case ADU_OPENED:
		return greeted(x);
	case ADU_COMPLETE:
	case ADU_DELIVERED:
		return take(x, e);
	case ADU_LOST:
		return e->error == EEXIST ? BUSY : nonsense(); /* superseded */
	case ADU_ENDED:
		return x->done ? OK : complain(FAILED, "the other end went away before the picture was whole");
	case ADU_ERROR:
		return broke(x->alf, e->error);
	default:
		return BUSY;
	}
}

enum status receiver_turn(struct receiver *x)
{
	struct adu_event e;
	enum status s = BUSY;
	int r = 1;

	while (s == BUSY && (r = adu_next(x->alf, &e, 0)) == 1)
		s = hear(x, &e);
	if (s == BUSY && r < 0 && errno != EINTR)
		s = broke(x->alf, errno);
	return s;
}

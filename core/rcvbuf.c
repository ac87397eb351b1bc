#include "core/rcvbuf.h"

#include <string.h>

#define RANGES_MIN 16 /* of the smallest buffer */

uint32_t rcvbuf_ranges_max(uint32_t size)
{
	uint32_t max = size / 64 / sizeof(struct ranges_node);

	return max > RANGES_MIN ? max : RANGES_MIN;
}

static void put(struct rcvbuf *b, uint64_t off, const uint8_t *data, uint32_t len)
{
	uint32_t at = (uint32_t)(off % b->size);
	uint32_t first = b->size - at < len ? b->size - at : len;

	memcpy(b->ring + at, data, first);
	memcpy(b->ring, data + first, len - first);
}

void rcvbuf_grow(struct rcvbuf *b, uint8_t *ring, uint32_t size)
{
	struct rcvbuf old = *b;
	uint32_t at = (uint32_t)(old.read % old.size);

	b->ring = ring;
	b->size = size;
	if (rcvbuf_empty(&old))
		return;
	/* The whole window, from where the user reads: what lies in holes does no harm. */
	put(b, old.read, old.ring + at, old.size - at);
	put(b, old.read + old.size - at, old.ring, at);
}

static bool is_none(const struct range *r)
{
	return r->begin == r->end;
}

void rcvbuf_again(struct rcvbuf *b, uint64_t begin, uint64_t end)
{
	if (is_none(&b->duplicate))
		b->duplicate = (struct range){ begin, end };
}

/* RFC 2883 section 4 (2), (3): the first contiguous sequence of those in [begin, end) that are here already. */
static void note_duplicate(struct rcvbuf *b, uint64_t begin, uint64_t end)
{
	struct range met;

	if (ranges_meet(&b->over, begin, end, &met))
		rcvbuf_again(b, met.begin > begin ? met.begin : begin, met.end < end ? met.end : end);
}

static void fill_hole(struct rcvbuf *b, uint64_t end)
{
	struct range first;

	b->next = end;
	while (ranges_first(&b->over, &first) && first.begin <= b->next) {
		b->next = first.end > b->next ? first.end : b->next;
		ranges_pop(&b->over);
	}
}

bool rcvbuf_keep(struct rcvbuf *b, uint64_t off, const uint8_t *data, uint32_t len)
{
	if (b->over.count)
		note_duplicate(b, off, off + len);
	if (off > b->next) {
		if (!ranges_add(&b->over, off, off + len))
			return false;
		put(b, off, data, len);
		return true;
	}
	put(b, off, data, len);
	if (b->over.count)
		fill_hole(b, off + len);
	else
		b->next = off + len;
	return true;
}

uint32_t rcvbuf_blocks(struct rcvbuf *b, struct range *out, uint32_t n)
{
	struct range latest[SACK_BLOCKS], whole = { 0, 0 };
	uint32_t count = 0, found;

	n = n < SACK_BLOCKS ? n : SACK_BLOCKS;
	if (n && !is_none(&b->duplicate)) {
		out[count++] = b->duplicate;
		/* RFC 2883 section 4 (4): over a hole, and behind it the block that it is part of */
		if (ranges_meet(&b->over, b->duplicate.begin, b->duplicate.end, &whole) && count < n)
			out[count++] = whole;
		b->duplicate = (struct range){ 0, 0 };
	}
	found = ranges_latest(&b->over, latest, n);
	for (uint32_t i = 0; i < found && count < n; i++)
		if (latest[i].begin != whole.begin)
			out[count++] = latest[i];
	return count;
}

void rcvbuf_end(struct rcvbuf *b)
{
	while (b->over.count)
		ranges_pop(&b->over);
}

bool rcvbuf_in_order(const struct rcvbuf *b, struct range *r)
{
	struct range first;

	*r = (struct range){ b->read, b->next };
	if (ranges_first(&b->gone, &first) && first.begin < r->end)
		r->end = first.begin;
	return r->begin < r->end;
}

uint32_t rcvbuf_peek(const struct rcvbuf *b, const uint8_t **data)
{
	struct range r;
	uint32_t at;

	if (!rcvbuf_in_order(b, &r))
		return 0;
	at = (uint32_t)(r.begin % b->size);
	*data = b->ring + at;
	return (uint32_t)(b->size - at < r.end - r.begin ? b->size - at : r.end - r.begin);
}

void rcvbuf_look(struct rcvbuf *copy)
{
	struct range first;

	if (ranges_first(&copy->gone, &first) && first.begin < copy->next)
		copy->next = first.begin;
	copy->gone.count = 0;
}

/* What the user has already is read as soon as all before it is; but not behind the end of the stream. */
static void skip_gone(struct rcvbuf *b)
{
	struct range first;

	while (b->read < b->next && ranges_first(&b->gone, &first) && first.begin == b->read) {
		b->read = first.end;
		ranges_pop(&b->gone);
	}
}

void rcvbuf_consume(struct rcvbuf *b, uint32_t n)
{
	b->read += n;
	if (b->gone.count)
		skip_gone(b);
}

bool rcvbuf_may_pass(const struct rcvbuf *b, uint64_t off, uint32_t n)
{
	struct range met;

	if (off == b->next && rcvbuf_empty(b))
		return true;
	return b->over.count < b->over.max && b->gone.count < b->gone.max && !ranges_meet(&b->over, off, off + n, &met);
}

void rcvbuf_pass(struct rcvbuf *b, uint64_t off, uint32_t n)
{
	if (off == b->next && rcvbuf_empty(b)) {
		b->read = b->next = off + n;
		return;
	}
	ranges_add(&b->gone, off, off + n);
	if (off > b->next)
		ranges_add(&b->over, off, off + n);
	else
		fill_hole(b, off + n);
	skip_gone(b);
}

bool rcvbuf_waiting(const struct rcvbuf *b, uint64_t off, struct range *r)
{
	struct range gone;

	if (!ranges_meet(&b->over, off, off + 1, r))
		return false;
	while (ranges_meet(&b->gone, r->begin, r->end, &gone)) {
		if (gone.begin > off) {
			r->end = gone.begin;
			break;
		}
		if (gone.end > off)
			return false;
		r->begin = gone.end;
	}
	return true;
}

void rcvbuf_pieces(const struct rcvbuf *b, const struct range *r, const uint8_t *data[2], uint32_t len[2])
{
	uint32_t at = (uint32_t)(r->begin % b->size), all = (uint32_t)(r->end - r->begin);

	len[0] = b->size - at < all ? b->size - at : all;
	len[1] = all - len[0];
	data[0] = b->ring + at;
	data[1] = b->ring;
}

bool rcvbuf_take(struct rcvbuf *b, uint64_t begin, uint64_t end)
{
	return ranges_add(&b->gone, begin, end);
}

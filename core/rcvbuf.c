#include "core/rcvbuf.h"

#include <string.h>

#define RANGES_MIN 16 /* of the smallest buffer */

uint32_t rcvbuf_ranges_max(uint32_t size)
{
	uint32_t max = size / 64 / sizeof(struct ranges_node);

	return max > RANGES_MIN ? max : RANGES_MIN;
}

void rcvbuf_init(struct rcvbuf *b, uint8_t *ring, uint32_t seed)
{
	b->ring = ring;
	ranges_init(&b->over, seed);
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

uint32_t rcvbuf_peek(const struct rcvbuf *b, const uint8_t **data)
{
	uint64_t n = b->next - b->read;

	if (n == 0)
		return 0;
	uint32_t at = (uint32_t)(b->read % b->size);

	*data = b->ring + at;
	return (uint32_t)(b->size - at < n ? b->size - at : n);
}

void rcvbuf_consume(struct rcvbuf *b, uint32_t n)
{
	b->read += n;
}

void rcvbuf_pass(struct rcvbuf *b, uint32_t n)
{
	b->read = b->next += n;
}

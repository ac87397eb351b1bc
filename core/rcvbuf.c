#include "core/rcvbuf.h"

#include <string.h>

/* Adds [begin, end) to the ranges, joining those that it touches. */
static bool note(struct rcvbuf *b, uint64_t begin, uint64_t end)
{
	uint32_t i = 0, j;

	while (i < b->nranges && b->range[i].end < begin)
		i++;
	for (j = i; j < b->nranges && b->range[j].begin <= end; j++) {
		if (b->range[j].begin < begin)
			begin = b->range[j].begin;
		if (b->range[j].end > end)
			end = b->range[j].end;
	}
	if (i == j && b->nranges == RCVBUF_RANGES)
		return false;
	memmove(&b->range[i + 1], &b->range[j], (b->nranges - j) * sizeof b->range[0]);
	b->range[i] = (struct range){ begin, end };
	b->nranges += 1 + i - j;
	return true;
}

static void put(struct rcvbuf *b, uint64_t off, const uint8_t *data, uint32_t len)
{
	uint32_t at = (uint32_t)(off % b->size);
	uint32_t first = b->size - at < len ? b->size - at : len;

	memcpy(b->ring + at, data, first);
	memcpy(b->ring, data + first, len - first);
}

bool rcvbuf_keep(struct rcvbuf *b, uint64_t off, const uint8_t *data, uint32_t len)
{
	if (off > b->next) {
		if (!note(b, off, off + len))
			return false;
		put(b, off, data, len);
		return true;
	}
	put(b, off, data, len);
	b->next = off + len;
	while (b->nranges && b->range[0].begin <= b->next) {
		if (b->range[0].end > b->next)
			b->next = b->range[0].end;
		b->nranges--;
		memmove(&b->range[0], &b->range[1], b->nranges * sizeof b->range[0]);
	}
	return true;
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

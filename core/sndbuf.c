/* See sndbuf.h. The ring's memory is used in order of writing: [headroom][bytes][headroom][bytes]...; what is left at
 * its end when a span does not fit is skipped. The first span's headroom is where the used part begins. */
#include "core/sndbuf.h"

#include "core/cksum.h"

/* One span for each KiB is what full segments of the smallest usual path (MSS 1460) need; shorter ones run out of
 * spans before they run out of bytes. */
static uint32_t span_count(uint32_t size)
{
	uint32_t n = 64;

	while (n < size / 1024)
		n *= 2;
	return n;
}

size_t sndbuf_memory(uint32_t size)
{
	return size + span_count(size) * sizeof(struct span);
}

void sndbuf_init(struct sndbuf *b, void *memory, uint32_t size, uint32_t headroom)
{
	b->span = memory; /* first: it wants alignment */
	b->span_max = span_count(size);
	b->ring = (uint8_t *)(b->span + b->span_max);
	b->size = size;
	b->first = b->count = 0;
	b->headroom = headroom;
}

static struct span *at(const struct sndbuf *b, uint32_t i)
{
	return &b->span[(b->first + i) & (b->span_max - 1)];
}

/* Bytes free in one piece from tail on, and where they begin: at the tail or, when fewer than need are there, at the
 * ring's begin. */
static uint32_t room(const struct sndbuf *b, uint32_t need, uint32_t *tail)
{
	if (b->count == 0) {
		*tail = 0;
		return b->size;
	}
	uint32_t head = at(b, 0)->pos - b->headroom;
	const struct span *last = at(b, b->count - 1);

	*tail = last->pos + last->len;
	if (*tail <= head)
		return head - *tail;
	if (b->size - *tail >= need)
		return b->size - *tail;
	*tail = 0;
	return head;
}

uint8_t *sndbuf_reserve(struct sndbuf *b, uint32_t want, uint32_t *cap)
{
	uint32_t tail, free = room(b, want + b->headroom, &tail);

	*cap = 0;
	if (b->count == b->span_max || free < want + b->headroom)
		return NULL;
	*cap = free - b->headroom;
	b->reserved = tail + b->headroom;
	return b->ring + b->reserved;
}

void sndbuf_commit(struct sndbuf *b, uint32_t n, uint16_t sum, bool record, bool push)
{
	b->count++;
	*at(b, b->count - 1) =
		(struct span){ .off = b->end, .pos = b->reserved, .len = n, .sum = sum, .record = record, .push = push };
	b->end += n;
}

uint8_t *sndbuf_extend(struct sndbuf *b, uint64_t unsent, uint32_t len_max, uint32_t *cap)
{
	*cap = 0;
	if (b->count == 0)
		return NULL;
	struct span *last = at(b, b->count - 1);
	uint32_t tail, free = room(b, 1, &tail);

	if (last->record || last->off < unsent || last->len >= len_max || tail != last->pos + last->len || free == 0)
		return NULL;
	*cap = len_max - last->len < free ? len_max - last->len : free;
	return b->ring + tail;
}

void sndbuf_extended(struct sndbuf *b, uint32_t n, uint16_t sum, bool push)
{
	struct span *last = at(b, b->count - 1);

	last->sum = tcpu_sum_join(last->sum, sum, last->len);
	last->len += n;
	last->push |= push;
	b->end += n;
}

bool sndbuf_piece(const struct sndbuf *b, uint64_t off, uint32_t len_max, struct piece *p)
{
	uint32_t low = 0, high = b->count;

	if (off < b->una || off >= b->end)
		return false;
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;
		if (at(b, middle)->off <= off)
			low = middle;
		else
			high = middle;
	}
	const struct span *s = at(b, low);
	uint32_t skip = (uint32_t)(off - s->off);

	p->data = b->ring + s->pos + skip;
	p->headroom = skip ? NULL : b->ring + s->pos - b->headroom;
	p->len = s->len - skip < len_max ? s->len - skip : len_max;
	p->push = s->push;
	/* Only a piece that is not the whole span is summed again. */
	p->sum = p->len == s->len ? s->sum : tcpu_sum(p->data, p->len);
	return true;
}

void sndbuf_ack(struct sndbuf *b, uint64_t off)
{
	while (b->count && at(b, 0)->off + at(b, 0)->len <= off) {
		b->first = (b->first + 1) & (b->span_max - 1);
		b->count--;
	}
	b->una = off;
}

#include "core/plain.h"

#include "core/cksum.h"

#include <string.h>

static size_t fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct plain_source *s = ctx;
	size_t n = s->len - s->done < cap ? s->len - s->done : cap;

	(void)off;
	if (sum)
		*sum = tcpu_copy_sum(dst, s->data + s->done, n);
	else
		memcpy(dst, s->data + s->done, n);
	s->done += n;
	return n;
}

static size_t drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct plain_sink *s = ctx;
	size_t room = s->cap - s->got;

	(void)off;
	if (!sum) {
		len = len < room ? len : room;
		memcpy(s->data + s->got, data, len);
		return len;
	}
	if (len > room)
		return 0;
	*sum = tcpu_copy_sum(s->data + s->got, data, len);
	return len;
}

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	struct plain_sink *s = ctx;

	(void)off;
	if (good) {
		s->got += n;
		s->seam.done = s->got == s->cap;
	} else {
		memset(s->data + s->got, 0, n);
	}
}

void plain_source(struct plain_source *s, const void *data, size_t len)
{
	*s = (struct plain_source){ .seam = { .fill = fill, .ctx = s }, .data = data, .len = len };
}

void plain_sink(struct plain_sink *s, void *data, size_t cap)
{
	*s = (struct plain_sink){ .seam = { .drain = drain, .settle = settle, .ctx = s }, .data = data, .cap = cap };
}

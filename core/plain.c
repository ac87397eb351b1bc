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

/* ---- several pieces ---- */

/* The next stretch of at most len bytes that lies in one piece, and the place behind it; 0: the end. */
static size_t step(struct plain_place *p, size_t len, uint8_t **at)
{
	size_t n = p->left < len ? p->left : len;

	if (!n)
		return 0;
	while (p->at == p->piece->iov_len) {
		p->piece++;
		p->at = 0;
	}
	if (p->piece->iov_len - p->at < n)
		n = p->piece->iov_len - p->at;
	*at = (uint8_t *)p->piece->iov_base + p->at;
	p->at += n;
	p->left -= n;
	return n;
}

/* Copies n bytes, and joins their sum to that of the done bytes before them, which may be odd in number. */
static void copy(uint8_t *to, const uint8_t *from, size_t n, uint16_t *sum, size_t done)
{
	if (sum)
		*sum = tcpu_sum_join(done ? *sum : 0, tcpu_copy_sum(to, from, n), done);
	else
		memcpy(to, from, n);
}

static size_t gather(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct plain_gather *g = ctx;
	size_t done = 0, n;
	uint8_t *from;

	(void)off;
	for (; (n = step(&g->next, cap - done, &from)); done += n)
		copy(dst + done, from, n, sum, done);
	return done;
}

static size_t scatter(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct plain_scatter *s = ctx;
	struct plain_place next = s->next; /* it moves when the bytes count */
	size_t done = 0, n;
	uint8_t *to;

	(void)off;
	if (sum && len > next.left)
		return 0;
	for (; (n = step(&next, len - done, &to)); done += n)
		copy(to, data + done, n, sum, done);
	return done;
}

static void settle_scattered(void *ctx, uint64_t off, size_t n, bool good)
{
	struct plain_scatter *s = ctx;
	struct plain_place next = s->next;
	size_t done = 0, part;
	uint8_t *to;

	(void)off;
	for (; (part = step(&next, n - done, &to)); done += part)
		if (!good)
			memset(to, 0, part);
	if (!good)
		return;
	s->next = next;
	s->seam.done = !next.left;
}

void plain_gather(struct plain_gather *g, const struct iovec *pieces, size_t len)
{
	*g = (struct plain_gather){ .seam = { .fill = gather, .ctx = g }, .next = { .piece = pieces, .left = len } };
}

void plain_scatter(struct plain_scatter *s, const struct iovec *pieces, size_t cap)
{
	*s = (struct plain_scatter){ .seam = { .drain = scatter, .settle = settle_scattered, .ctx = s, .done = !cap },
				     .next = { .piece = pieces, .left = cap } };
}

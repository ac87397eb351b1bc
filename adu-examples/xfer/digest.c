/* A fast digest of an ADU against accidents: Fletcher's two sums over 32-bit words, in 16 lanes, so that words that are
 * wrong, missing or out of order show; mixed with offset and length, so that digests of ADUs can be added up. */
#include "adu-examples/xfer/xfer.h"

#include <string.h>

/* 16-byte vectors are what every machine that we build for has; four of them keep it busy. */
typedef uint32_t lanes __attribute__((vector_size(16)));
#define VECTORS 4
#define STEP (VECTORS * sizeof(lanes))

struct sums {
	lanes a[VECTORS], b[VECTORS];
};

static inline void step(struct sums *s, const uint8_t *at)
{
#pragma GCC unroll 4 /* or gcc keeps the sums in memory */
	for (int i = 0; i < VECTORS; i++) {
		lanes v;
		memcpy(&v, at + (unsigned)i * sizeof v, sizeof v);
		s->a[i] += v;
		s->b[i] += s->a[i];
	}
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9; /* splitmix64 */
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t digest(uint64_t offset, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint8_t tail[STEP] = { 0 };
	struct sums s = { 0 };
	uint64_t d = mix(offset) + mix(~(uint64_t)len);
	size_t left = len;

	for (; left >= STEP; left -= STEP, at += STEP)
		step(&s, at);
	if (left)
		memcpy(tail, at, left);
	step(&s, tail);
	for (int i = 0; i < VECTORS; i++)
		for (int k = 0; k < 4; k++)
			d = mix(d ^ ((uint64_t)s.a[i][k] << 32 | s.b[i][k]));
	return d;
}

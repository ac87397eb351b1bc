/* A fast digest of an ADU against accidents: Fletcher's two sums over 32-bit words, in eight lanes, so that words that
 * are wrong, missing or out of order show; mixed with offset and length, so that digests of ADUs can be added up. */
#include "adu-examples/xfer/xfer.h"

#include <string.h>

#define LANES 8

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9; /* splitmix64 */
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t digest(uint64_t offset, const void *data, size_t len)
{
	const uint8_t *at = data;
	size_t left = len;
	lanes a = { 0 }, b = { 0 }, v;
	uint64_t d = mix(offset) + mix(~(uint64_t)len);

	for (; left >= sizeof v; left -= sizeof v, at += sizeof v) {
		memcpy(&v, at, sizeof v);
		a += v;
		b += a;
	}
	v = (lanes){ 0 };
	memcpy(&v, at, left);
	a += v;
	b += a;
	for (int i = 0; i < LANES; i++)
		d = mix(d ^ ((uint64_t)a[i] << 32 | b[i]));
	return d;
}

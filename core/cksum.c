/* RFC 1071, section 2 (C): sums over wide words, folded at the end. 16-byte vectors are what every machine that we
 * build for has; the generated loops (ilp/) go wider. */
#include "core/cksum.h"

#include <string.h>

typedef uint64_t wide __attribute__((vector_size(16)));

/* 32-bit words into 64-bit lanes: 2^32 additions before a lane could overflow. */
static inline wide add_words(wide acc, wide v)
{
	return acc + (v & 0xffffffff) + (v >> 32);
}

static inline uint16_t sum_tail(uint64_t sum, uint8_t *dst, const uint8_t *src, size_t len)
{
	for (; len >= 4; src += 4, len -= 4) {
		uint32_t word;
		memcpy(&word, src, 4);
		sum += word;
		if (dst) {
			memcpy(dst, &word, 4);
			dst += 4;
		}
	}
	if (len) {
		uint32_t word = 0; /* RFC 1071: padded with zero at the end */
		memcpy(&word, src, len);
		sum += word;
		if (dst)
			memcpy(dst, &word, len);
	}
	return tcpu_sum_fold(sum);
}

static inline __attribute__((always_inline)) uint16_t sum_body(uint8_t *dst, const uint8_t *src, size_t len)
{
	wide a = { 0 }, b = { 0 };

	for (; len >= 32; src += 32, len -= 32) {
		wide v, w;
		memcpy(&v, src, 16);
		memcpy(&w, src + 16, 16);
		if (dst) {
			memcpy(dst, &v, 16);
			memcpy(dst + 16, &w, 16);
			dst += 32;
		}
		a = add_words(a, v);
		b = add_words(b, w);
	}
	a += b;
	/* Lanes are folded to 32 bits first, so that their sum cannot wrap. */
	return sum_tail((uint64_t)tcpu_sum_fold(a[0]) + tcpu_sum_fold(a[1]), dst, src, len);
}

uint16_t tcpu_sum(const void *data, size_t len)
{
	return sum_body(NULL, data, len);
}

uint16_t tcpu_copy_sum(void *dst, const void *src, size_t len)
{
	return sum_body(dst, src, len);
}

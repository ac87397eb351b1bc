/* RFC 1071, section 2 (C): sums over wide words, folded at the end. Vectors of 32 bytes: machines that have only 16 do
 * each in two halves; the generated loops (ilp/) go wider. */
#include "core/cksum.h"

#include <string.h>

typedef uint64_t wide __attribute__((vector_size(32)));

/* 32-bit words into 64-bit lanes: 2^32 additions before a lane could overflow. */
#define ADD_WORDS(acc, v) ((acc) += ((v) & 0xffffffff) + ((v) >> 32))

static inline uint16_t sum_tail(uint64_t sum, uint8_t *dst, const uint8_t *src, size_t len)
{
	for (; len >= 8; src += 8, len -= 8) {
		uint64_t word;
		memcpy(&word, src, 8);
		sum += (word & 0xffffffff) + (word >> 32);
		if (dst) {
			memcpy(dst, &word, 8);
			dst += 8;
		}
	}
	if (len >= 4) {
		uint32_t word;
		memcpy(&word, src, 4);
		sum += word;
		if (dst) {
			memcpy(dst, &word, 4);
			dst += 4;
		}
		src += 4;
		len -= 4;
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
	uint64_t sum = 0;

	if (len < 64)
		return sum_tail(0, dst, src, len);
	for (; len >= 64; src += 64, len -= 64) {
		wide v, w;
		memcpy(&v, src, 32);
		memcpy(&w, src + 32, 32);
		if (dst) {
			memcpy(dst, &v, 32);
			memcpy(dst + 32, &w, 32);
			dst += 64;
		}
		ADD_WORDS(a, v);
		ADD_WORDS(b, w);
	}
	a += b;
	/* Lanes are folded to 32 bits first, so that their sum cannot wrap. */
	for (int i = 0; i < 4; i++)
		sum += tcpu_sum_fold(a[i]);
	return sum_tail(sum, dst, src, len);
}

#if defined(__x86_64__)
#define WIDE_MIN 256 /* bytes: less is not worth the question */

static __attribute__((target("avx2"))) uint16_t sum_avx2(const uint8_t *data, size_t len)
{
	return sum_body(NULL, data, len);
}

static __attribute__((target("avx2"))) uint16_t copy_sum_avx2(uint8_t *dst, const uint8_t *src, size_t len)
{
	return sum_body(dst, src, len);
}
#endif

uint16_t tcpu_sum(const void *data, size_t len)
{
#if defined(__x86_64__)
	if (len >= WIDE_MIN && __builtin_cpu_supports("avx2"))
		return sum_avx2(data, len);
#endif
	return sum_body(NULL, data, len);
}

uint16_t tcpu_copy_sum(void *dst, const void *src, size_t len)
{
#if defined(__x86_64__)
	if (len >= WIDE_MIN && __builtin_cpu_supports("avx2"))
		return copy_sum_avx2(dst, src, len);
#endif
	return sum_body(dst, src, len);
}

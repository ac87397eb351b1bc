/* CRC32C by the CPU's instruction for it, as isa-l and others do: three runs of words at a time, since one instruction
 * waits for the one before, joined by products without carries (V. Gopal et al., Fast CRC Computation for iSCSI
 * Polynomial Using CRC32 Instruction, Intel, 2011). */
#include "tools/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define P 0x82f63b78u
#define HW __attribute__((target("sse4.2,pclmul")))

/* x^n modulo P, bits reflected. */
static uint32_t power(size_t n)
{
	uint32_t r = 0x80000000;

	while (n-- > 0)
		r = r >> 1 ^ ((0 - (r & 1)) & P);
	return r;
}

/* crc, and n bytes of zeros behind it. */
HW static uint32_t shifted(uint32_t crc, uint32_t by)
{
	const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)by), 0);

	return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

HW static uint64_t word(uint64_t crc, const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return _mm_crc32_u64(crc, w);
}

/* Three runs of `run` bytes as long as there are such. */
HW static uint64_t runs(uint64_t crc, const uint8_t **p, size_t *n, size_t run, uint32_t by, uint32_t by_two)
{
	for (; *n >= 3 * run; *n -= 3 * run, *p += 3 * run) {
		uint64_t b = 0, c = 0;

		for (size_t i = 0; i < run; i += 8) {
			crc = word(crc, *p + i);
			b = word(b, *p + run + i);
			c = word(c, *p + 2 * run + i);
		}
		crc = shifted((uint32_t)crc, by_two) ^ shifted((uint32_t)b, by) ^ c;
	}
	return crc;
}

bool crc32c_here(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

HW uint32_t crc32c(const uint8_t *p, size_t n)
{
	static uint32_t by[4]; /* a product comes out one bit too low, and the instruction multiplies by x^32 */
	uint64_t crc = 0xffffffff;

	if (!by[0])
		for (size_t i = 0; i < 4; i++)
			by[i] = power((size_t)(i < 2 ? 1024 : 128) * 8 * (i % 2 + 1) - 33);
	crc = runs(crc, &p, &n, 1024, by[0], by[1]);
	crc = runs(crc, &p, &n, 128, by[2], by[3]);
	for (; n >= 8; n -= 8, p += 8)
		crc = word(crc, p);
	for (; n > 0; n--)
		crc = _mm_crc32_u8((uint32_t)crc, *p++);
	return (uint32_t)crc ^ 0xffffffff;
}
#else
bool crc32c_here(void)
{
	return false;
}

uint32_t crc32c(const uint8_t *p, size_t n)
{
	(void)p, (void)n;
	return 0;
}
#endif

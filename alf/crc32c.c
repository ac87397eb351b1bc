/* CRC32C by tables, four bytes at a step (M. Kounavis and F. Berry, Novel Table Lookup-Based Algorithms for
 * High-Performance CRC Generation, 2008), on every machine. */
#include "alf/crc32c.h"

#include <endian.h>
#include <string.h>

/* table[k][i] is what byte i, with k bytes of zeros behind it, leaves as remainder: the sum of what its bits leave,
 * lowest bit first. Bits are reflected, as in the CRC. */
#define BIT(i, n, left) ((i) >> (n) & 1 ? (left) : 0)
#define BYTE(i, a, b, c, d, e, f, g, h) (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ \
	BIT(i, 4, e) ^ BIT(i, 5, f) ^ BIT(i, 6, g) ^ BIT(i, 7, h))
#define ZEROS_0(i) BYTE(i, 0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, \
	0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78)
#define ZEROS_1(i) BYTE(i, 0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, \
	0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9)
#define ZEROS_2(i) BYTE(i, 0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, \
	0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743)
#define ZEROS_3(i) BYTE(i, 0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, \
	0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f)
#define FOUR(of, i) of(i), of((i) + 1), of((i) + 2), of((i) + 3)
#define SIXTEEN(of, i) FOUR(of, i), FOUR(of, (i) + 4), FOUR(of, (i) + 8), FOUR(of, (i) + 12)
#define SIXTY_FOUR(of, i) SIXTEEN(of, i), SIXTEEN(of, (i) + 16), SIXTEEN(of, (i) + 32), SIXTEEN(of, (i) + 48)
#define ALL(of) { SIXTY_FOUR(of, 0), SIXTY_FOUR(of, 64), SIXTY_FOUR(of, 128), SIXTY_FOUR(of, 192) }

static const uint32_t table[4][256] = { ALL(ZEROS_0), ALL(ZEROS_1), ALL(ZEROS_2), ALL(ZEROS_3) };

static uint32_t by_table(uint32_t crc, const uint8_t *p, size_t n)
{
	uint32_t word;

	for (; n >= 4; n -= 4, p += 4) {
		memcpy(&word, p, 4);
		crc ^= le32toh(word);
		crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^
			table[1][crc >> 16 & 0xff] ^ table[0][crc >> 24];
	}
	for (; n > 0; n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
static __attribute__((target("sse4.2"))) uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		crc = (uint32_t)__builtin_ia32_crc32di(crc, word);
	}
	for (; n > 0; n--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

uint32_t alf_crc32c(uint32_t crc, const void *data, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~by_instruction(~crc, data, n);
#endif
	return ~by_table(~crc, data, n);
}

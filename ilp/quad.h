/* Words of 128 bits, for generated loops and nobody else: the operations of ilp/gen/quad.lua in C, as macros by the
 * type of what they are done to: ilp_quad, the number itself, in plain C; q128, q256 and q512, one, two or four of
 * them in a vector, of instruction sets that have AES and products without carries. Plain C takes the same time for
 * all data, as far as the CPU multiplies so: no branch and no place in memory depends on it. */
#ifndef ILP_QUAD_H
#define ILP_QUAD_H

#include "ilp/run.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* The number in plain C ----------------------------------------------------------------------------------------- */

#define CONST_ilp_quad(high, low) ((ilp_quad)(high) << 64 | (low))
#define SPLAT_ilp_quad(p) (*(p))
#define SHL_ilp_quad(x, bytes) ((x) << 8 * (bytes))
#define SHR_ilp_quad(x, bytes) ((x) >> 8 * (bytes))
#define ROTL_ilp_quad(x, bytes) ((x) << 8 * (bytes) | (x) >> (128 - 8 * (bytes)))
/* Of what memory holds, the first n bytes. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FIRST_ilp_quad(x, n) ((x) & (((ilp_quad)1 << 8 * (n)) - 1))
#else
#define FIRST_ilp_quad(x, n) ((x) >> (128 - 8 * (n)) << (128 - 8 * (n)))
#endif
#define FIRST_q128(x, n) SHR_q128(SHL_q128(x, 16 - (n)), 16 - (n))
#define SWAP_ilp_quad(x) ilp_quad_swap(x)
#define SWAP32_ilp_quad(x) ilp_quad_swap32(x)
#define ADD32_ilp_quad(x, y) ilp_quad_add32(x, y)
#define CLMUL_ilp_quad(x, i, y, j) ilp_quad_clmul((uint64_t)((x) >> 64 * (i)), (uint64_t)((y) >> 64 * (j)))
#define AES_ilp_quad(x, key) (ilp_quad_mix(ilp_quad_rows(ilp_quad_box(x))) ^ (key))
#define AES_LAST_ilp_quad(x, key) (ilp_quad_rows(ilp_quad_box(x)) ^ (key))

/* What instruction sets without these instructions have, too. */
#define SHA256_ilp_quad(x, y, w) ilp_quad_rounds((ilp_quad)(x), (ilp_quad)(y), (ilp_quad)(w), false)
#define SHA256_HALF_ilp_quad(x, y, w) ilp_quad_rounds((ilp_quad)(x), (ilp_quad)(y), (ilp_quad)(w), true)
#define SHA256_SU0_ilp_quad(x, y) ilp_quad_su0((ilp_quad)(x), (ilp_quad)(y))
#define SHA256_SU1_ilp_quad(x, y, z) ilp_quad_su1((ilp_quad)(x), (ilp_quad)(y), (ilp_quad)(z))

#define ILP_QUAD_ALL(byte) (((ilp_quad)0x0101010101010101 << 64 | 0x0101010101010101) * (byte))

static inline __attribute__((unused)) ilp_quad ilp_quad_swap(ilp_quad x)
{
	return (ilp_quad)__builtin_bswap64((uint64_t)x) << 64 | __builtin_bswap64((uint64_t)(x >> 64));
}

static inline __attribute__((unused)) ilp_quad ilp_quad_swap32(ilp_quad x)
{
	const uint64_t low = __builtin_bswap64((uint64_t)x), high = __builtin_bswap64((uint64_t)(x >> 64));

	return (ilp_quad)(high >> 32 | high << 32) << 64 | (low >> 32 | low << 32);
}

/* Four sums of 32 bits: the highest bits by themselves, so that none carries into the next. */
static inline __attribute__((unused)) ilp_quad ilp_quad_add32(ilp_quad x, ilp_quad y)
{
	const ilp_quad top = (ilp_quad)0x8000000080000000 << 64 | 0x8000000080000000;

	return ((x & ~top) + (y & ~top)) ^ ((x ^ y) & top);
}

/* Every fifth bit of each factor at a time: what comes together in a place of a product is 13 at most, and does not
 * reach the next place that counts (the idea: T. Pornin, BearSSL). */
static __attribute__((unused)) ilp_quad ilp_quad_clmul(uint64_t x, uint64_t y)
{
	const uint64_t fifth = 0x1084210842108421;
	const ilp_quad all = (ilp_quad)0x2108421084210842 << 64 | fifth;
	uint64_t a[5], b[5];
	ilp_quad sum = 0;

	for (int i = 0; i < 5; i++)
		a[i] = x & fifth << i, b[i] = y & fifth << i;
	for (int k = 0; k < 5; k++) {
		ilp_quad part = 0;
		for (int i = 0; i < 5; i++)
			part ^= (ilp_quad)a[i] * b[(k + 5 - i) % 5];
		sum |= part & all << k;
	}
	return sum;
}

/* AES (FIPS 197). Its box in plain logic: a byte is taken into GF(16)[y] / (y^2 + y + 10), GF(16) being that of
 * x^4 + x + 1, where the inverse takes few operations, and back, with the affine map. A plane is one bit of each byte:
 * of bytes 0 to 7 at the lowest bits of a word's bytes, of bytes 8 to 15 next to it. */

static inline void ilp_quad_mul16(uint64_t *c, const uint64_t *a, const uint64_t *b)
{
	const uint64_t x4 = (a[1] & b[3]) ^ (a[2] & b[2]) ^ (a[3] & b[1]);
	const uint64_t x5 = (a[2] & b[3]) ^ (a[3] & b[2]), x6 = a[3] & b[3];

	c[0] = (a[0] & b[0]) ^ x4;
	c[1] = (a[0] & b[1]) ^ (a[1] & b[0]) ^ x4 ^ x5;
	c[2] = (a[0] & b[2]) ^ (a[1] & b[1]) ^ (a[2] & b[0]) ^ x5 ^ x6;
	c[3] = (a[0] & b[3]) ^ (a[1] & b[2]) ^ (a[2] & b[1]) ^ (a[3] & b[0]) ^ x6;
}

static inline void ilp_quad_inverse16(uint64_t *c, const uint64_t *a)
{
	const uint64_t a01 = a[0] & a[1], a02 = a[0] & a[2], a03 = a[0] & a[3], a12 = a[1] & a[2], a13 = a[1] & a[3];

	c[0] = a[0] ^ a[1] ^ a[2] ^ a02 ^ a12 ^ (a01 & a[2]) ^ a[3] ^ (a12 & a[3]);
	c[1] = a01 ^ a02 ^ a12 ^ a[3] ^ a13 ^ (a01 & a[3]);
	c[2] = a01 ^ a[2] ^ a02 ^ a[3] ^ a03 ^ (a02 & a[3]);
	c[3] = a[1] ^ a[2] ^ a[3] ^ a03 ^ a13 ^ (a[2] & a[3]) ^ (a12 & a[3]);
}

static inline void ilp_quad_planes(uint64_t *p)
{
	/* In: of y's factor the upper four. */
	const uint64_t x25 = p[2] ^ p[5], x57 = p[5] ^ p[7];
	const uint64_t low[4] = { p[0] ^ x25 ^ p[7], x25 ^ p[6] ^ p[7], p[2], p[3] ^ p[4] };
	const uint64_t high[4] = { p[1] ^ x57, p[2] ^ p[3], p[1] ^ p[4] ^ p[6] ^ p[7], x57 };
	uint64_t norm[4], inverse[4], both[4], h[4], l[4];

	/* The inverse of (h y + l) is (h y + h + l) / (10 h^2 + h l + l^2). */
	for (int i = 0; i < 4; i++)
		both[i] = high[i] ^ low[i];
	ilp_quad_mul16(norm, low, both); /* l^2 + h l */
	norm[0] ^= high[2] ^ high[3];
	norm[1] ^= high[0] ^ high[1];
	norm[2] ^= high[1] ^ high[2];
	norm[3] ^= high[0] ^ high[1] ^ high[2];
	ilp_quad_inverse16(inverse, norm);
	ilp_quad_mul16(h, high, inverse);
	ilp_quad_mul16(l, both, inverse);
	/* Out, with the affine map but for its constant. */
	p[0] = l[0] ^ l[1] ^ l[2] ^ l[3] ^ h[1] ^ h[3];
	p[1] = l[0] ^ l[1] ^ h[0];
	p[2] = l[0] ^ l[2] ^ l[3] ^ h[1] ^ h[2] ^ h[3];
	p[3] = l[0] ^ l[1] ^ l[2] ^ l[3] ^ h[2];
	p[4] = l[0] ^ l[3] ^ h[0];
	p[5] = l[1] ^ l[2] ^ h[1] ^ h[2];
	p[6] = h[0] ^ h[1] ^ h[2];
	p[7] = l[1] ^ l[2] ^ l[3];
}

static __attribute__((unused)) ilp_quad ilp_quad_box(ilp_quad x)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t p[8], low = 0, high = 0;

	for (int k = 0; k < 8; k++)
		p[k] = ((uint64_t)x >> k & ones) | ((uint64_t)(x >> 64) >> k & ones) << 1;
	ilp_quad_planes(p);
	for (int k = 0; k < 8; k++)
		low |= (p[k] & ones) << k, high |= (p[k] >> 1 & ones) << k;
	return ((ilp_quad)high << 64 | low) ^ ILP_QUAD_ALL(0x63);
}

/* Row r of the state, every fourth byte, by r columns. */
static inline __attribute__((unused)) ilp_quad ilp_quad_rows(ilp_quad x)
{
	const ilp_quad row = (ilp_quad)0x000000ff000000ff << 64 | 0x000000ff000000ff;
	ilp_quad out = x & row;

	for (int r = 1; r < 4; r++)
		out |= (x >> 32 * r | x << (128 - 32 * r)) & row << 8 * r;
	return out;
}

/* Each column times 3 x^3 + x^2 + x + 2. */
static inline __attribute__((unused)) ilp_quad ilp_quad_mix(ilp_quad x)
{
	const ilp_quad low8 = (ilp_quad)0x000000ff000000ff << 64 | 0x000000ff000000ff, low16 = low8 | low8 << 8;
	const ilp_quad next = (x >> 8 & ~(low8 << 24)) | (x & low8) << 24, sum = x ^ next;
	const ilp_quad twice = (sum & ILP_QUAD_ALL(0x7f)) << 1 ^ (sum >> 7 & ILP_QUAD_ALL(1)) * 0x1b;

	return twice ^ next ^ ((sum >> 16 & low16) | (sum & low16) << 16);
}

/* SHA-256 (FIPS 180-4): the words of a quad, from the lowest, and back. */

static inline void ilp_quad_apart(uint32_t *w, ilp_quad x)
{
	for (int k = 0; k < 4; k++)
		w[k] = (uint32_t)(x >> 32 * k);
}

static inline ilp_quad ilp_quad_together(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	return (ilp_quad)((uint64_t)d << 32 | c) << 64 | ((uint64_t)b << 32 | a);
}

static inline uint32_t ilp_quad_ror(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* (6.2.2), step 3, four times; half: what C, D, G and H are then. */
static inline __attribute__((unused)) ilp_quad ilp_quad_rounds(ilp_quad x, ilp_quad y, ilp_quad kw, bool half)
{
	uint32_t feba[4], hgdc[4], w[4];

	ilp_quad_apart(feba, x), ilp_quad_apart(hgdc, y), ilp_quad_apart(w, kw);
	uint32_t a = feba[3], b = feba[2], c = hgdc[3], d = hgdc[2], e = feba[1], f = feba[0], g = hgdc[1], h = hgdc[0];
	for (int k = 0; k < 4; k++) {
		const uint32_t t1 = h + (ilp_quad_ror(e, 6) ^ ilp_quad_ror(e, 11) ^ ilp_quad_ror(e, 25)) +
			((e & f) ^ (~e & g)) + w[k];
		const uint32_t t2 = (ilp_quad_ror(a, 2) ^ ilp_quad_ror(a, 13) ^ ilp_quad_ror(a, 22)) +
			((a & b) ^ (a & c) ^ (b & c));
		h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
	}
	return half ? ilp_quad_together(h, g, d, c) : ilp_quad_together(f, e, b, a);
}

/* The schedule: sigma0 and the word 16 before of four words; sigma1 and the word 7 before. */
static inline __attribute__((unused)) ilp_quad ilp_quad_su0(ilp_quad x, ilp_quad y)
{
	uint32_t w[5];

	ilp_quad_apart(w, x);
	w[4] = (uint32_t)y;
	for (int k = 0; k < 4; k++)
		w[k] += ilp_quad_ror(w[k + 1], 7) ^ ilp_quad_ror(w[k + 1], 18) ^ w[k + 1] >> 3;
	return ilp_quad_together(w[0], w[1], w[2], w[3]);
}

static inline __attribute__((unused)) ilp_quad ilp_quad_su1(ilp_quad t, ilp_quad y, ilp_quad z)
{
	uint32_t last[8], w[6];

	ilp_quad_apart(last, y), ilp_quad_apart(last + 4, z), ilp_quad_apart(w + 2, t);
	w[0] = last[6], w[1] = last[7];
	for (int k = 0; k < 4; k++)
		w[k + 2] += last[k + 1] + (ilp_quad_ror(w[k], 17) ^ ilp_quad_ror(w[k], 19) ^ w[k] >> 10);
	return ilp_quad_together(w[2], w[3], w[4], w[5]);
}

/* Vectors ------------------------------------------------------------------------------------------------------- */

typedef uint64_t q128 __attribute__((vector_size(16)));
typedef uint64_t q256 __attribute__((vector_size(32)));
typedef uint64_t q512 __attribute__((vector_size(64)));

#define CONST_q128(high, low) ((q128){ low, high })
#define CONST_q256(high, low) ((q256){ low, high, low, high })
#define CONST_q512(high, low) ((q512){ low, high, low, high, low, high, low, high })
/* Numbers i and those that follow, one in each. */
#define COUNT_q128(i) ((q128){ (uint32_t)(i), 0 })
#define COUNT_q256(i) ((q256){ (uint32_t)(i), 0, (uint32_t)(i) + 1u, 0 })
#define COUNT_q512(i) \
	((q512){ (uint32_t)(i), 0, (uint32_t)(i) + 1u, 0, (uint32_t)(i) + 2u, 0, (uint32_t)(i) + 3u, 0 })

#if defined(__x86_64__)

#define SPLAT_q128(p) ((q128)_mm_load_si128((const __m128i *)(p)))
#define SHL_q128(x, bytes) ((q128)_mm_slli_si128((__m128i)(x), bytes))
#define SHR_q128(x, bytes) ((q128)_mm_srli_si128((__m128i)(x), bytes))
#define ROTL_q128(x, bytes) ((q128)_mm_alignr_epi8((__m128i)(x), (__m128i)(x), 16 - (bytes)))
#define ADD32_q128(x, y) ((q128)_mm_add_epi32((__m128i)(x), (__m128i)(y)))
#define CLMUL_q128(x, i, y, j) ((q128)_mm_clmulepi64_si128((__m128i)(x), (__m128i)(y), (i) | (j) << 4))
#define AES_q128(x, key) ((q128)_mm_aesenc_si128((__m128i)(x), (__m128i)(key)))
#define AES_LAST_q128(x, key) ((q128)_mm_aesenclast_si128((__m128i)(x), (__m128i)(key)))
/* The instruction does two rounds, by the lower half of w. */
#define SHA256_HALF_q128(x, y, w) ((q128)_mm_sha256rnds2_epu32((__m128i)(y), (__m128i)(x), (__m128i)(w)))
#define SHA256_q128(x, y, w) SHA256_HALF_q128(SHA256_HALF_q128(x, y, w), x, SHR_q128(w, 8))
#define SHA256_SU0_q128(x, y) ((q128)_mm_sha256msg1_epu32((__m128i)(x), (__m128i)(y)))
#define SHA256_SU1_q128(t, y, z) ((q128)_mm_sha256msg2_epu32(_mm_add_epi32((__m128i)(t), \
	_mm_alignr_epi8((__m128i)(z), (__m128i)(y), 4)), (__m128i)(z)))

#define SPLAT_q256(p) ((q256)_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(p))))
#define SHL_q256(x, bytes) ((q256)_mm256_slli_si256((__m256i)(x), bytes))
#define SHR_q256(x, bytes) ((q256)_mm256_srli_si256((__m256i)(x), bytes))
#define ROTL_q256(x, bytes) ((q256)_mm256_alignr_epi8((__m256i)(x), (__m256i)(x), 16 - (bytes)))
#define ADD32_q256(x, y) ((q256)_mm256_add_epi32((__m256i)(x), (__m256i)(y)))
#define CLMUL_q256(x, i, y, j) ((q256)_mm256_clmulepi64_epi128((__m256i)(x), (__m256i)(y), (i) | (j) << 4))
#define AES_q256(x, key) ((q256)_mm256_aesenc_epi128((__m256i)(x), (__m256i)(key)))
#define AES_LAST_q256(x, key) ((q256)_mm256_aesenclast_epi128((__m256i)(x), (__m256i)(key)))

#define SPLAT_q512(p) ((q512)_mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(p))))
#define SHL_q512(x, bytes) ((q512)_mm512_bslli_epi128((__m512i)(x), bytes))
#define SHR_q512(x, bytes) ((q512)_mm512_bsrli_epi128((__m512i)(x), bytes))
#define ROTL_q512(x, bytes) ((q512)_mm512_alignr_epi8((__m512i)(x), (__m512i)(x), 16 - (bytes)))
#define ADD32_q512(x, y) ((q512)_mm512_add_epi32((__m512i)(x), (__m512i)(y)))
#define CLMUL_q512(x, i, y, j) ((q512)_mm512_clmulepi64_epi128((__m512i)(x), (__m512i)(y), (i) | (j) << 4))
#define AES_q512(x, key) ((q512)_mm512_aesenc_epi128((__m512i)(x), (__m512i)(key)))
#define AES_LAST_q512(x, key) ((q512)_mm512_aesenclast_epi128((__m512i)(x), (__m512i)(key)))

#elif defined(__aarch64__)

#define SPLAT_q128(p) ((q128)vld1q_u64((const uint64_t *)(p)))
#define SHL_q128(x, bytes) ((q128)vextq_u8(vdupq_n_u8(0), (uint8x16_t)(x), 16 - (bytes)))
#define SHR_q128(x, bytes) ((q128)vextq_u8((uint8x16_t)(x), vdupq_n_u8(0), bytes))
#define ROTL_q128(x, bytes) ((q128)vextq_u8((uint8x16_t)(x), (uint8x16_t)(x), 16 - (bytes)))
#define ADD32_q128(x, y) ((q128)vaddq_u32((uint32x4_t)(x), (uint32x4_t)(y)))
#define CLMUL_q128(x, i, y, j) ((q128)vmull_p64((poly64_t)(x)[i], (poly64_t)(y)[j]))
#define AES_q128(x, key) ((q128)(veorq_u8(vaesmcq_u8(vaeseq_u8((uint8x16_t)(x), vdupq_n_u8(0))), (uint8x16_t)(key))))
#define AES_LAST_q128(x, key) ((q128)(veorq_u8(vaeseq_u8((uint8x16_t)(x), vdupq_n_u8(0)), (uint8x16_t)(key))))
/* The instructions have A to D in one word and E to H in another, A and E lowest. */
#define ILP_QUAD_ABCD(x, y) vrev64q_u32((uint32x4_t)vzip2q_u64((uint64x2_t)(x), (uint64x2_t)(y)))
#define ILP_QUAD_EFGH(x, y) vrev64q_u32((uint32x4_t)vzip1q_u64((uint64x2_t)(x), (uint64x2_t)(y)))
#define ILP_QUAD_ROUNDS(half, x, y, w) ((q128)half( \
	(uint64x2_t)vrev64q_u32(vsha256h2q_u32(ILP_QUAD_EFGH(x, y), ILP_QUAD_ABCD(x, y), (uint32x4_t)(w))), \
	(uint64x2_t)vrev64q_u32(vsha256hq_u32(ILP_QUAD_ABCD(x, y), ILP_QUAD_EFGH(x, y), (uint32x4_t)(w)))))
#define SHA256_q128(x, y, w) ILP_QUAD_ROUNDS(vzip1q_u64, x, y, w)
#define SHA256_HALF_q128(x, y, w) ILP_QUAD_ROUNDS(vzip2q_u64, x, y, w)
#define SHA256_SU0_q128(x, y) ((q128)vsha256su0q_u32((uint32x4_t)(x), (uint32x4_t)(y)))
#define SHA256_SU1_q128(t, y, z) ((q128)vsha256su1q_u32((uint32x4_t)(t), (uint32x4_t)(y), (uint32x4_t)(z)))

#endif

#endif

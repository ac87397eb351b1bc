/* The Internet checksum (RFC 1071), as core/seam.h defines sums: 16 bits, ones' complement, not inverted, in
 * memory order, the first byte counted as if it stood at an even offset. 0 and 0xffff are the same number. */
#ifndef CORE_CKSUM_H
#define CORE_CKSUM_H

#include <stddef.h>
#include <stdint.h>

uint16_t tcpu_sum(const void *data, size_t len);
/* Copies and sums in one pass. The pieces do not overlap. */
uint16_t tcpu_copy_sum(void *dst, const void *src, size_t len);

static inline uint16_t tcpu_sum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)((sum >> 16) + (sum & 0xffff));
}

/* The sum of two pieces that follow one another; a is of the first, which is len_a bytes long. Behind an odd
 * length every byte of the second stands in the other half of its word: RFC 1071 section 2 (B). */
static inline uint16_t tcpu_sum_join(uint16_t a, uint16_t b, size_t len_a)
{
	if (len_a & 1)
		b = (uint16_t)(b << 8 | b >> 8);
	return tcpu_sum_fold((uint64_t)a + b);
}

/* The sum of the pseudo-header (RFC 9293 section 3.1) of a TCP segment. Addresses in network byte order. */
static inline uint16_t tcpu_sum_pseudo(uint32_t src_ip, uint32_t dst_ip, uint32_t segment_len)
{
	uint8_t tail[4] = { 0, 6, (uint8_t)(segment_len >> 8), (uint8_t)segment_len };
	uint32_t word;

	__builtin_memcpy(&word, tail, sizeof word);
	return tcpu_sum_fold((uint64_t)src_ip + dst_ip + word);
}

#endif

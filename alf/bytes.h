/* Numbers of the wire, the most significant byte first, wherever they stand. put..() return where the next one goes.
 * Public, for what stands in ADUs; but no other header includes it, since its names are short. */
#ifndef ALF_BYTES_H
#define ALF_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get16(const uint8_t *from)
{
	uint16_t n;

	memcpy(&n, from, sizeof n);
	return be16toh(n);
}

static inline uint32_t get32(const uint8_t *from)
{
	uint32_t n;

	memcpy(&n, from, sizeof n);
	return be32toh(n);
}

static inline uint64_t get64(const uint8_t *from)
{
	uint64_t n;

	memcpy(&n, from, sizeof n);
	return be64toh(n);
}

static inline uint8_t *put16(uint8_t *to, uint16_t n)
{
	n = htobe16(n);
	return (uint8_t *)memcpy(to, &n, sizeof n) + sizeof n;
}

static inline uint8_t *put32(uint8_t *to, uint32_t n)
{
	n = htobe32(n);
	return (uint8_t *)memcpy(to, &n, sizeof n) + sizeof n;
}

static inline uint8_t *put64(uint8_t *to, uint64_t n)
{
	n = htobe64(n);
	return (uint8_t *)memcpy(to, &n, sizeof n) + sizeof n;
}

#endif

/* Numbers as they are on the wire and in files: big-endian. Those that put return where the next goes. */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t *put16(uint8_t *to, uint16_t v)
{
	v = htobe16(v);
	memcpy(to, &v, sizeof v);
	return to + sizeof v;
}

static inline uint8_t *put32(uint8_t *to, uint32_t v)
{
	v = htobe32(v);
	memcpy(to, &v, sizeof v);
	return to + sizeof v;
}

static inline uint8_t *put64(uint8_t *to, uint64_t v)
{
	v = htobe64(v);
	memcpy(to, &v, sizeof v);
	return to + sizeof v;
}

static inline uint16_t get16(const uint8_t *from)
{
	uint16_t v;

	memcpy(&v, from, sizeof v);
	return be16toh(v);
}

static inline uint32_t get32(const uint8_t *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof v);
	return be32toh(v);
}

static inline uint64_t get64(const uint8_t *from)
{
	uint64_t v;

	memcpy(&v, from, sizeof v);
	return be64toh(v);
}

#endif

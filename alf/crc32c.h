/* CRC32C of what stands around the data of an FPDU (RFC 5044 section 4.4; RFC 3720 section 12.1 has the polynomial): a
 * few bytes at a time. Of the data it is the loops' business: ilp/stages/crc32c.lua. */
#ifndef ALF_CRC32C_H
#define ALF_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of everything that crc is the CRC of, and of n bytes behind it. 0: there was nothing before. Each such value
 * is finished: as it stands on the wire, its least significant byte first. */
uint32_t alf_crc32c(uint32_t crc, const void *data, size_t n);

#endif

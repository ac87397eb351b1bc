/* The baseline of CRC32C: what a programmer would call today. */
#ifndef TOOLS_CRC32C_H
#define TOOLS_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether this CPU has the instructions; else crc32c() may not be called. */
bool crc32c_here(void);
/* RFC 3720 (12.1): of n bytes. */
uint32_t crc32c(const uint8_t *, size_t n);

#endif

/* SipHash-2-4 (Aumasson, Bernstein 2012): the keyed hash behind initial sequence numbers (RFC 6528) and the
 * connection table, which a peer must not be able to foresee. */
#ifndef CORE_SIPHASH_H
#define CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint8_t key[16], const void *data, size_t len);

#endif

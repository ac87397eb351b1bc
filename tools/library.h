/* The baseline: what a programmer would write today, a chain's manipulations one after another with the libraries that
 * there are. libtirpc's XDR (xdr_vector of xdr_u_int, as rpcgen emits it), OpenSSL's ciphers (EVP; the key is expanded
 * once), memcpy, the CPU's CRC32C (crc32c.h) and the core's plain sum. Never in the data path of the library itself. */
#ifndef TOOLS_LIBRARY_H
#define TOOLS_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

struct library;

/* stages as struct ilp_chain names them; max bytes is the longest piece. NULL with errno ENOTSUP when there is a stage
 * that no library does, ENOMEM. key: 32 bytes, of AES-128 16 of these; nonce: 12; counters begin with 1. */
struct library *library_open(const char *stages, const uint8_t *key, const uint8_t *nonce, size_t max);
void library_close(struct library *);

/* A whole piece, in send or receive order, cipher restarted. n is at most max, a tag not counted; src and dst do not
 * overlap. Returns the Internet sum on the wire's side, 0 when the chain has none. */
uint16_t library_send(struct library *, uint8_t *dst, const uint8_t *src, size_t n);
uint16_t library_recv(struct library *, uint8_t *dst, const uint8_t *src, size_t n);
/* What the last of these has found, if the chain has a CRC or an HMAC. Returns how many bytes: LIBRARY_VALUE at
 * most. */
#define LIBRARY_VALUE 32
size_t library_value(const struct library *, uint8_t *to);

#endif

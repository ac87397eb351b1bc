/* What measured calls work on: memory for src, dst and scratch, and parameters. For tools/ways.h, `tcpu bench` and
 * `tcpu explain`. */
#ifndef TOOLS_OPERANDS_H
#define TOOLS_OPERANDS_H

#include "ilp/ilp.h"

/* src, dst and scratch lie a third of a page apart from one another modulo 4 KiB: a load that has its low 12 address
 * bits in common with a store shortly before it waits for that store. */
#define OPERANDS_PAGE 4096UL
#define OPERANDS_APART 1344UL

/* Rounded up to whole pages. */
size_t operands_pages(size_t bytes);
/* Half of the memory that is free, which is the most that a measurement takes; 0: unknown. */
size_t operands_half_of_free(void);
/* Whole pages, filled with random bytes; free()'s. NULL: there is no memory. */
uint8_t *operands_memory(size_t bytes, uint64_t *random);

/* Sets the chain's parameters: any bytes, but a cipher's are these, and the counter 1, so that a library can have the
 * same. */
extern const uint8_t operands_key[32], operands_nonce[12];
void operands_params(const struct ilp_chain *, struct ilp_any *);

#endif

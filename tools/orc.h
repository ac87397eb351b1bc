/* The baseline of another generator: what a chain does as a program for Orc (liborc), which compiles it at run time for
 * the CPU that is here. Orc knows swaps, copies and sums in 32 bits; chains of xdr_u32, copy and inet_checksum can be
 * said in it. Never in the data path of the library itself. */
#ifndef TOOLS_ORC_H
#define TOOLS_ORC_H

#include <stddef.h>
#include <stdint.h>

struct orc_baseline;

/* stages as struct ilp_chain names them. Compiles, which takes a millisecond. NULL with errno ENOTSUP when Orc has no
 * opcode for a stage, ENOEXEC when it does not compile for this CPU (it would emulate, which nobody wants measured),
 * ENOMEM. */
struct orc_baseline *orc_baseline_open(const char *stages);
void orc_baseline_close(struct orc_baseline *);
/* What Orc compiles for: "sse". */
const char *orc_baseline_target(void);

/* A whole piece, in send or receive order; src and dst do not overlap; dst lies at a multiple of 4, or
 * plain code does all. Returns the Internet sum on the wire's side, 0
 * when the chain has none. */
uint16_t orc_baseline_send(struct orc_baseline *, uint8_t *dst, const uint8_t *src, size_t n);
uint16_t orc_baseline_recv(struct orc_baseline *, uint8_t *dst, const uint8_t *src, size_t n);

#endif

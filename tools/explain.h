/* tcpu explain: what is asked and how it is written (explain.c), what loops do when they run (explain_run.c), and what
 * their machine code has in it (explain_code.c). Each part gives JSON, which is written as it is or as text. */
#ifndef TOOLS_EXPLAIN_H
#define TOOLS_EXPLAIN_H

#include "ilp/ilp.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Which instruction sets. */
struct explain_isas {
	bool of[ILP_ISAS];
};

/* Bytes that the loops of that description load and store when they are made to count them and run, for each word of 32
 * bits that an ADU has more: [{direction, schedule, isa, loads, stores}]. NULL: told on stderr. */
json_t *explain_counts(const char *file, const struct explain_isas *);
/* Every way of a chain, measured hot at 1 KiB and 64 KiB: [{direction, schedule, isa, bytes, ns_per_kib}], with
 * predicted_ns_per_kib where there is a prediction. */
json_t *explain_times(const struct ilp_chain *, enum ilp_isa);
/* The way that a chain is run by, and why: {schedule, why}. */
json_t *explain_choice(const struct ilp_chain *, enum ilp_direction);

/* Of the fused loops' main loops: [{direction, isa, function, bytes, vectors, spill_loads, spill_stores}], or none for
 * all but the first two. object: a file with the chain's code; NULL: this command. NULL: told. */
json_t *explain_registers(const struct ilp_chain *, const char *object, const struct explain_isas *);
/* Writes the function with the main loop. 0 or -EIO: told. */
int explain_asm(const struct ilp_chain *, const char *object, enum ilp_direction, enum ilp_isa, FILE *);

extern const char *const explain_directions[ILP_DIRECTIONS];

#endif

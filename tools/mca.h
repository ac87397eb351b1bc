/* tcpu mca: how fast a loop could run at best, as llvm-mca computes it from a model of a CPU; what is asked (mca.c),
 * the programs that are run (mca_bound.c), the code that is looked at (mca_code.c). */
#ifndef TOOLS_MCA_H
#define TOOLS_MCA_H

#include "ilp/ilp.h"
#include "tools/mca_code.h"

#include <stdbool.h>

struct mca;

/* Disassembles object, an object file with the loops of one chain, or this very command when it is NULL; measures the
 * clock. cpu: the model, a name that llvm-mca knows; NULL: mca_bound chooses. NULL: it said why on stderr, beginning
 * with who ("tcpu mca"). */
struct mca *mca_open(const char *who, const char *object, const char *cpu);
void mca_close(struct mca *);
/* Of this CPU, here and now: dependent additions a nanosecond. */
double mca_ghz(const struct mca *);

/* The code of object, or of this command when it is NULL, by llvm-objdump: the caller's, to be freed; NULL: told. */
struct mca_code *mca_disassemble(const char *who, const char *object);
/* Where a chain's fused loop begins in it. -ENOENT: there is none; -EIO: told. */
int mca_entry(const char *who, const struct mca_code *, const char *object, const struct ilp_chain *,
	enum ilp_direction, enum ilp_isa, uint64_t *entry);
/* The machine code from one address to another, with the lines of the sources where they are known, as llvm-objdump
 * writes it, from the function's name on. 0; -EIO: told. */
int mca_listing(const char *who, const char *object, uint64_t from, uint64_t to, FILE *);

struct mca_bound {
	bool has;          /* there is a bound; else why says what there is not, as for a cipher's nested loops */
	char why[MCA_WHY];
	struct mca_loop loop;
	size_t instructions;
	double cycles;     /* a turn, by throughput alone: llvm-mca's Block RThroughput */
	double simulated;  /* a turn of many, with what one turn waits for of another */
	char cpu[32];      /* the model that said so */
	bool this_cpu;     /* it is this CPU's, as far as LLVM knows it */
};
/* The bound of a chain's fused loop in one direction on one instruction set; chain is NULL when an object is looked at.
 * 0; -ENOENT: there is no such loop; -EIO: a program failed, or says what is not understood: told on stderr. */
int mca_bound(struct mca *, const struct ilp_chain *, enum ilp_direction, enum ilp_isa, struct mca_bound *);

/* From cycles a turn. */
double mca_ns_per_byte(const struct mca *, const struct mca_bound *);

/* What llvm-mca says, in JSON. 0, or -EINVAL and why. */
int mca_parse(FILE *, const char *cpu, struct mca_bound *, char why[MCA_WHY]);

#endif

/* Disassembled code, and the main loop in it. What tools/mca_bound.c has llvm-objdump write, read strictly. */
#ifndef TOOLS_MCA_CODE_H
#define TOOLS_MCA_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A message: what, expected, what to do. */
#define MCA_WHY 256

struct mca_code;

struct mca_loop {
	size_t from, to;    /* its first and last instruction: the branch back */
	unsigned bytes;     /* what a turn moves on by */
	bool writes;        /* to where it moves on: as every fused loop, so that one that does not is another */
	const char *symbol; /* of the function that it stands in */
	uint64_t address;
};

/* Reads the output of `llvm-objdump -d --no-show-raw-insn` for x86-64, at most 64 MiB. NULL: why says line and text. */
struct mca_code *mca_code_read(FILE *, char why[MCA_WHY]);
void mca_code_free(struct mca_code *);

/* How many functions have that name; *address is the first's. */
unsigned mca_code_symbol(const struct mca_code *, const char *name, uint64_t *address);

/* The main loop of what is reached from the function that begins at entry, through jumps and calls whose targets are
 * known: of the loops that hold no other, and write if any does, the one that moves on by most bytes a turn. It must be
 * all that is done for these bytes: where a loop around it also calls, or has another loop, straight code does not tell
 * the cost. 0, -ENOENT or -ENOMEM, and why says what there is instead. */
int mca_code_loop(const struct mca_code *, uint64_t entry, struct mca_loop *, char why[MCA_WHY]);
/* The same for loops that may hold others, such as a cipher's rounds, as long as they call nothing: the widest that
 * reads and moves on. For what its code has in it, not for what a turn costs. */
int mca_code_widest(const struct mca_code *, uint64_t entry, struct mca_loop *, char why[MCA_WHY]);
/* Where the function begins and ends in which the loop stands. */
void mca_code_function(const struct mca_code *, const struct mca_loop *, uint64_t *from, uint64_t *to);
/* Its body, as llvm-mca reads it: branches go to a label that is nowhere. */
void mca_code_write(const struct mca_code *, const struct mca_loop *, FILE *);

#endif

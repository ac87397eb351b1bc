/* What the parts of mca_code.h share: the code as it was read (mca_code.c), how loops move on (mca_step.c), which of
 * them is the main one (mca_loop.c). */
#ifndef TOOLS_MCA_INSIDE_H
#define TOOLS_MCA_INSIDE_H

#include "tools/mca_code.h"

#include <stdbool.h>

/* An address: not known. An object's first function is at 0. */
#define MCA_UNKNOWN UINT64_MAX

enum flow { FLOW_ON, FLOW_BRANCH, FLOW_JUMP, FLOW_CALL, FLOW_ADDRESS, FLOW_END };

struct instruction {
	uint64_t address, target; /* target: of what jumps or calls, or takes a function's address */
	char *text;               /* mnemonic, tab, operands */
	size_t function;
	enum flow flow;
};

struct function {
	uint64_t address;
	const char *name;
};

struct mca_code {
	char *text;
	struct instruction *all;
	struct function *functions;
	size_t count, function_count;
};

/* The instruction at an address; c->count when there is none. */
size_t mca_code_at(const struct mca_code *, uint64_t address);
/* Where an instruction branches back to, inside its function; c->count when it does not. A jump into another function
 * is a call at its end. */
size_t mca_code_back(const struct mca_code *, size_t instruction);

/* What a turn of the loop from one instruction to another moves on by: the largest step of a register that addresses
 * memory there; 0: it does not, or by more than a turn can do. writes, reads: where one does. */
unsigned mca_step(const struct mca_code *, size_t from, size_t to, bool *writes, bool *reads);

#endif

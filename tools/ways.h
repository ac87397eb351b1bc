/* The ways of a chain in one direction as things that can be timed (tools/measure.h), all over the same memory: for
 * `tcpu calibrate`, and for `tcpu never-slower`, which measures apart what the first has led to choose. A call is what
 * a user of ilp/ilp.h does for an ADU: begin, loop, end, sum. */
#ifndef TOOLS_WAYS_H
#define TOOLS_WAYS_H

#include "ilp/ilp.h"
#include "tools/measure.h"
#include "tools/operands.h"

/* Memory for src, dst and scratch of calls up to a size. */
struct ways_room {
	uint8_t *src, *dst, *tmp; /* all of it begins at src */
	size_t most, out; /* bytes at src, and at dst */
	size_t next;      /* call that walks: one for all ways, so that none finds what another has just read */
};

/* 0; -ENOMEM; -ENOSPC: it would take more than half of the memory that is free. */
int ways_open(struct ways_room *, const struct ilp_chain *const *chains, size_t most, uint64_t seed);
void ways_close(struct ways_room *);

/* One way to run calls of one size: the ctx of a struct measure. The states of all lie at the same place of a page,
 * another than src, dst and scratch: a state of 64 bytes' calls weighs as much as their data, and where it lies would
 * decide between ways. */
struct ways_call {
	_Alignas(OPERANDS_PAGE) uint8_t apart[3072];
	struct ilp_any state;
	const struct ilp_chain *chain;
	enum ilp_direction direction;
	unsigned way;
	uint32_t tile;
	size_t bytes;
	struct ways_room *room;
	size_t slots, stride; /* calls walk through that many places, so far apart; 1: they stay */
	ilp_loop *loop;
	uint16_t sum; /* of the last call; storing it keeps the call from being optimized away */
};

/* Sets what is to be measured; parameters are any bytes. */
void ways_call(struct ways_call *, struct measure *, struct ways_room *, const struct ilp_chain *,
	enum ilp_direction, unsigned way, uint32_t tile, size_t bytes);
/* Calls walk through all of the room from now on: in steady state, a call is as a piece of one over the whole. */
void ways_walk(struct ways_call *);

#endif

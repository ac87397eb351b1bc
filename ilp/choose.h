/* Which way to run a chain's loops: chosen by what was measured on this machine (`tcpu calibrate`).
 *
 *	struct ilp_choice choice;
 *	ilp_choose(c, ILP_SEND, len, &choice);                    // once for a size, not for each call
 *	c->begin(&s);
 *	((struct ilp_state *)&s)->tile = choice.tile;
 *	n = ilp_pick(c, ILP_SEND, choice.way)(&s, dst, src, len, tmp);   // ilp_scratch(c, ILP_SEND, choice.way, len)
 *
 * The model is a small file, one for each compiler of loops, beside what ilp_load() keeps: model-gcc or model-clang in
 * XDG_CACHE_HOME/tcpu or ~/.cache/tcpu. ILP_MODEL of the environment names another; "" is for none. It is read once, by
 * the first who asks for a chain of that compiler. Where there is none, or it is another machine's, compiler's or
 * instruction set's, the choice is fused, and ILP_TILE; that stays so from version to version. So it is for chains that
 * the model does not know, those whose stages or ways have changed among them (not those whose loops have: calibrate
 * again), but that they are streamed from the size on from which most of the known ones were faster so.
 * `tcpu calibrate FILE` makes a chain of ilp_load's known.
 *
 * What was measured is a call with its operands at hand, as far as caches hold them, and nothing after it. Who reads
 * dst right after may prefer ILP_FUSED where the choice is ILP_STREAMING.
 *
 * Where the idea comes from: FFTW's plans by measurement and its wisdom files; ATLAS. */
#ifndef ILP_CHOOSE_H
#define ILP_CHOOSE_H

#include "ilp/ilp.h"

struct ilp_choice {
	unsigned way;  /* for ilp_pick and ilp_scratch */
	uint32_t tile; /* for ilp_state.tile, after begin */
	bool measured; /* the model knows the chain; false: the default */
};

/* For calls of that many bytes. The same model, the same answer. */
void ilp_choose(const struct ilp_chain *, enum ilp_direction, uint64_t bytes, struct ilp_choice *);
/* What the model says that a call (begin, loop, end, sum) takes, in nanoseconds; 0: it does not say. */
double ilp_predict(const struct ilp_chain *, enum ilp_direction, unsigned way, uint32_t tile, uint64_t bytes);

#endif

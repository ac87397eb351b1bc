/* Arrays of numbers between memory and the wire: by the loops of ilp/chains/xdr_copy.lua and xdr64_copy.lua where an
 * array is long enough for a call of one. */
#include "ilp/ilp.h"
#include "ilp/xdr/code.h"

#include <stdatomic.h>

/* Bytes from which on a loop of vectors is the faster. */
#define LONG 64

extern const struct ilp_chain ilp_chain_xdr_copy, ilp_chain_xdr64_copy;

/* The permutation is its own inverse, so the way out is the way in. No more is asked for than a whole number of units,
 * so nothing is held back for end. */
static void run(const struct ilp_chain *c, _Atomic(ilp_loop *) *picked, uint8_t *to, const uint8_t *from, size_t n)
{
	struct ilp_any state;
	ilp_loop *loop = atomic_load_explicit(picked, memory_order_relaxed);

	if (!loop) {
		loop = ilp_pick(c, ILP_SEND, ILP_FUSED);
		atomic_store_explicit(picked, loop, memory_order_relaxed);
	}
	c->begin(&state);
	loop(&state, to, from, n, NULL);
}

void xdr_words(uint8_t *to, const uint8_t *from, size_t n)
{
	static _Atomic(ilp_loop *) picked;

	if (4 * n >= LONG)
		run(&ilp_chain_xdr_copy, &picked, to, from, 4 * n);
	else
		for (size_t i = 0; i < n; i++)
			xdr_w(to + 4 * i, from + 4 * i);
}

void xdr_hypers(uint8_t *to, const uint8_t *from, size_t n)
{
	static _Atomic(ilp_loop *) picked;

	if (8 * n >= LONG)
		run(&ilp_chain_xdr64_copy, &picked, to, from, 8 * n);
	else
		for (size_t i = 0; i < n; i++)
			xdr_h(to + 8 * i, from + 8 * i);
}

/* Arrays between memory and the wire, by loops of the generator's. */
#include "ilp/ilp.h"
#include "ilp/xdr/code.h"

extern const struct ilp_chain ilp_chain_xdr_copy, ilp_chain_xdr64_copy;

/* Whole units are all there is, so nothing is held back, and there is no end to come. Threads may look for the loop at
 * the same time, and find the same one. */
void ilp_xdr_run(struct ilp_xdr_loop *l, bool out, uint8_t *to, const uint8_t *from, size_t n)
{
	struct ilp_any state; /* begin writes what the loop reads */
	void *picked = __atomic_load_n(&l->picked[out], __ATOMIC_RELAXED);

	if (!picked) {
		picked = (void *)ilp_pick(l->chain, out ? ILP_SEND : ILP_RECV, ILP_FUSED);
		__atomic_store_n(&l->picked[out], picked, __ATOMIC_RELAXED);
	}
	l->chain->begin(&state);
	((ilp_loop *)picked)(&state, to, from, n, NULL);
}

/* The same both ways. */
void ilp_xdr_words(uint8_t *to, const uint8_t *from, size_t n)
{
	static struct ilp_xdr_loop loop = { .chain = &ilp_chain_xdr_copy };

	if (4 * n >= ILP_XDR_LONG)
		ilp_xdr_run(&loop, true, to, from, 4 * n);
	else
		for (size_t i = 0; i < n; i++)
			ilp_xdr_w(to + 4 * i, from + 4 * i);
}

void ilp_xdr_hypers(uint8_t *to, const uint8_t *from, size_t n)
{
	static struct ilp_xdr_loop loop = { .chain = &ilp_chain_xdr64_copy };

	if (8 * n >= ILP_XDR_LONG)
		ilp_xdr_run(&loop, true, to, from, 8 * n);
	else
		for (size_t i = 0; i < n; i++)
			ilp_xdr_h(to + 8 * i, from + 8 * i);
}

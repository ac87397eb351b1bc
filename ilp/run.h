/* The run time that generated loops include, and the only thing they include: the shape of a chain, as the
 * generator (ilp/gen/) emits it and ilp/ilp.c hands it out.
 *
 * A chain is generated in both directions, ILP_SEND as its file names the stages and ILP_RECV its inverse in
 * the opposite order, in three schedules, for each instruction set. All loops of one direction compute the
 * same: same bytes, same folds, same state afterwards, wherever the input is cut. */
#ifndef ILP_RUN_H
#define ILP_RUN_H

#include <stddef.h>
#include <stdint.h>

enum ilp_direction { ILP_SEND, ILP_RECV, ILP_DIRECTIONS };

/* How a chain is run. layered: a pass over the whole for each stage. tiled: the same over strips of ILP_TILE
 * bytes, which stay in the L1 cache. fused: one loop. */
enum ilp_schedule { ILP_LAYERED, ILP_TILED, ILP_FUSED, ILP_SCHEDULES };
#define ILP_TILE 2048

enum ilp_isa { ILP_SCALAR, ILP_AVX2, ILP_AVX512, ILP_ISAS };

/* What every chain's state begins with. The whole state is chain->state_size bytes, aligned to ILP_ALIGN; it
 * is plain data: it may be copied to take a snapshot and copied back to undo. It may hold secrets. */
#define ILP_ALIGN 64
#define ILP_STATE_MAX 512
#define ILP_HELD_MAX 64
struct ilp_state {
	uint64_t pos;               /* bytes of the ADU that went in so far; stages with a position use it */
	uint32_t held_len;          /* bytes of an incomplete unit that wait for the rest of it */
	uint8_t held[ILP_HELD_MAX];
};

/* What a fold carries: the value of the len bytes that it has counted. */
struct ilp_fold {
	uint64_t value, len;
};

/* Runs the chain over the next n bytes of the ADU, src to dst, which do not overlap. Returns the bytes
 * written to dst: n, but for bytes of a unit (chain->unit) that the cut leaves incomplete; they are held back
 * and written by the next call. tmp: ilp_scratch() bytes. */
typedef size_t ilp_loop(void *state, uint8_t *dst, const uint8_t *src, size_t n, uint8_t *tmp);

/* A parameter: size bytes at offset of the state, written there by the caller before begin. */
struct ilp_param {
	const char *name; /* "chacha20.key" */
	uint16_t offset, size;
};

struct ilp_chain {
	const char *name;
	const char *stages;       /* in send order: "xdr_u32 chacha20 copy inet_checksum" */
	uint32_t state_size;
	uint32_t unit;            /* bytes: an ADU cut elsewhere than at multiples has bytes held back */
	uint32_t block;           /* bytes: pieces that begin at multiples run fastest */
	const struct ilp_param *params; /* ends with name NULL */
	/* Begins an ADU: derives what the stages need from the parameters; pos 0, nothing held, folds at zero. */
	void (*begin)(void *state);
	/* Ends an ADU: the bytes still held, as the stages treat an incomplete last unit, go to dst. Returns how
	 * many. Their share of the folds is in the next sum. */
	size_t (*end[ILP_DIRECTIONS])(void *state, uint8_t *dst);
	/* The Internet sum (core/seam.h) of the bytes on the wire's side since the last call, as if they began at an
	 * even offset; begins anew. NULL when the chain has no inet_checksum on the wire's side.
	 * Bytes that a cut holds back are summed as the checksum's place in that direction has it: by the call that
	 * takes them in, where it stands before the first stage with a unit (ILP_RECV of "xdr_u32 copy inet_checksum"),
	 * since these are the wire's bytes as they came; by the call, or end, that writes them, where it stands after
	 * (ILP_SEND), since they are not the wire's before. Either way the sums of all calls and end make the ADU's. */
	uint16_t (*sum)(void *state);
	/* [direction][schedule][isa]; NULL where it was not generated. */
	ilp_loop *loop[ILP_DIRECTIONS][ILP_SCHEDULES][ILP_ISAS];
	/* The schedules (1 << ILP_LAYERED, …) that need scratch memory: stages that change bytes stand before
	 * copy. */
	uint8_t scratch[ILP_DIRECTIONS];
};

/* A dead store that stays: for secrets. */
static inline void ilp_wipe(void *p, size_t n)
{
	__builtin_memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory");
}

#endif

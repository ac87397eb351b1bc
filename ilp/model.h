/* The model that ilp/choose.h chooses by, for those who make it (`tcpu calibrate`), show it, or try it.
 *
 * What it holds: for a chain in one direction, the time of a call in each way at a few sizes (knots), which the tool
 * measured. Between two knots a call costs so much, and each byte so much: a straight line; beyond the last, time is in
 * proportion. And what a strip of another size costs. No cache size enters: where a working set leaves a cache, the
 * measured times bend.
 *
 * As a file, it is text, of whole numbers, in lines, in this order:
 *	tcpu-model 1
 *	abi 8                                  ILP_ABI
 *	cpu AuthenticAMD b00f21 AMD EPYC       of whom it is: all of these must be the reader's;
 *	isa avx512
 *	compiler gcc 12.2.0                    ILP_COMPILER, of the loops
 *	caches 49152 1048576 33554432          bytes, 0: unknown; this line and the next are for people
 *	memory 11200                           a large memcpy, in MB of source a second
 *	tile 4096                              the strip that is best on the whole, for chains that do not follow
 *	sizes 64 256 1460 8192 …               the knots
 *	chain xdr_copy_sum send 4096 0123456789abcdef    its strip; a mark, which tells it from what it may become
 *	strips 1200 1100 1000 …                of 512, 1024, … 65536 bytes: times of tiled ways, 1000 that of its strip
 *	way 20100 25200 …                      picoseconds a call at the knots; a line a way, as in the chain's table
 *	end
 */
#ifndef ILP_MODEL_H
#define ILP_MODEL_H

#include "ilp/choose.h"

#include <stddef.h>

#define ILP_KNOTS_MAX 16
#define ILP_WAYS_MAX 32
#define ILP_SERIES_MAX 1024
#define ILP_STRIPS 8
#define ILP_STRIP_LEAST 512

struct ilp_series {
	char chain[64];
	enum ilp_direction direction;
	uint64_t mark; /* ilp_mark() */
	uint32_t tile;
	double strip[ILP_STRIPS]; /* times of tiled ways, that of its tile being 1 */
	unsigned ways;
	double ns[ILP_WAYS_MAX][ILP_KNOTS_MAX];
};

struct ilp_model {
	uint32_t abi;
	char cpu[128], isa[16], compiler[128];
	uint64_t cache[3]; /* L1 of data, L2, L3 */
	double memory; /* bytes a nanosecond */
	uint32_t tile;
	unsigned knots;
	uint64_t size[ILP_KNOTS_MAX]; /* ascending */
	unsigned count;
	struct ilp_series *series;
	uint64_t streamed; /* bytes from which on unknown chains are; UINT64_MAX: never. ilp_model_settle sets it */
};

/* Whose a model would be that is made here and now, of loops of that compiler (ilp_chain.compiler): abi, cpu, isa,
 * compiler and caches are set, all else is zero. */
void ilp_model_here(struct ilp_model *, const char *compiler);
/* Tells a chain from one that had its name before: of its stages, ways and loops, in that direction. */
uint64_t ilp_mark(const struct ilp_chain *, enum ilp_direction);
/* Works out what follows from the series; to be called when they are complete. */
void ilp_model_settle(struct ilp_model *);

/* Where that of a compiler's loops is by default, in PATH_MAX bytes: ILP_MODEL, or the user's, whose name ends with the
 * compiler's first word. -ENOENT: nowhere. */
int ilp_model_path(char *path, const char *compiler);
/* Reads a model of that compiler's loops, for ilp_model_free. Otherwise *model is NULL, why (of why_size bytes) says
 * what and what to do, and what is returned is -ENOENT and the like: what open(2) said; -EINVAL: no model:
 * `file:line: what, expected …`; -EFBIG; -ESTALE: it is whole, but not ours; -ENOMEM. */
int ilp_model_read(const char *file, const char *compiler, struct ilp_model **model, char *why, size_t why_size);
/* Writes it under a name of its own and renames it: who reads has the old one or the new one. Its folders are made if
 * need be. 0 or a negative errno. */
int ilp_model_write(const struct ilp_model *, const char *file);
/* Whether it could be written, by doing all but that: for who measures for minutes before. 0 or a negative errno. */
int ilp_model_try(const char *file);
void ilp_model_free(struct ilp_model *);

/* As ilp/choose.h, by a model in hand; NULL: none. */
void ilp_model_choose(const struct ilp_model *, const struct ilp_chain *, enum ilp_direction, uint64_t bytes,
	struct ilp_choice *);
double ilp_model_predict(const struct ilp_model *, const struct ilp_chain *, enum ilp_direction, unsigned way,
	uint32_t tile, uint64_t bytes);

#endif

/* tcpu bench: what is measured (bench_run.c), what it says (bench_report.c), how it is asked (bench.c). */
#ifndef TOOLS_BENCH_H
#define TOOLS_BENCH_H

#include "ilp/ilp.h"
#include "tools/arguments.h"
#include "tools/stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum bench_variant {
	BENCH_LAYERED = ILP_LAYERED,
	BENCH_TILED = ILP_TILED,
	BENCH_FUSED = ILP_FUSED,
	BENCH_LIBRARY, /* tools/library.h */
	BENCH_ORC,     /* tools/orc.h */
	BENCH_MEMCPY,  /* the same bytes copied, nothing else */
	BENCH_VARIANTS
};
/* Behind these, each stage of the chain alone, where limits are asked for. */
#define BENCH_STAGES_MAX 8
#define BENCH_MEASURED (BENCH_VARIANTS + BENCH_STAGES_MAX)
extern const char *const bench_variant_names[BENCH_VARIANTS];

struct bench_options {
	const struct ilp_chain *const *chains; /* ends with NULL */
	const char *const *files;              /* of each chain, the file that it was loaded from, or NULL; NULL: of none */
	uint64_t sizes[ARGUMENTS_SIZES_MAX];       /* bytes a call */
	unsigned size_count;
	bool direction[ILP_DIRECTIONS];
	bool every_isa, cold;
	bool mca; /* beside what llvm-mca says: tools/mca.h */
	bool limits; /* and beside each stage alone: tools/limits.h */
	unsigned rounds;
	uint64_t seed;
};

/* A chain in one direction on one instruction set, at one size. */
struct bench_point {
	uint64_t bytes;
	bool has[BENCH_MEASURED];
	struct stats_median ns[BENCH_MEASURED];      /* a call */
	struct stats_median speedup[BENCH_MEASURED]; /* this variant's time : the fused loop's, within rounds */
};
struct bench_series {
	const struct ilp_chain *chain;
	enum ilp_direction direction;
	enum ilp_isa isa;
	const struct ilp_chain *stage[BENCH_STAGES_MAX];
	struct bench_point point[ARGUMENTS_SIZES_MAX];
	/* Slope: ns a byte; intercept: ns a call. Through the sizes that stay in the first cache when hot: beyond it
	 * time is no line. Fitted when there are two such sizes. */
	struct stats_line line[BENCH_VARIANTS];
	bool fitted;
	double mca_ns; /* ns a byte of the fused loop by llvm-mca's bound; 0: not asked for, or none */
	char mca_cpu[32];
};
struct bench_results {
	struct bench_series *series;
	unsigned count;
	double worst_noise; /* of what was measured: stats_noise() */
};

/* 0; -ENOMEM; -EPROTO: schedules (or library and loop) do not compute the same: said on stderr. */
int bench_run(const struct bench_options *, struct bench_results *);
void bench_free(struct bench_results *);

/* 0, or a negative errno. */
int bench_table(FILE *, const struct bench_options *, const struct bench_results *);
int bench_csv(FILE *, const struct bench_options *, const struct bench_results *);
int bench_json(FILE *, const struct bench_options *, const struct bench_results *);

#endif

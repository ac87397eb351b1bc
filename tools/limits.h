/* tcpu bench --limits: what a fused loop is held to, and each stage of a chain alone, which that takes. */
#ifndef TOOLS_LIMITS_H
#define TOOLS_LIMITS_H

#include "tools/bench.h"

/* A chain for each stage that is more than a copy: it does the stage alone, and moves from src to dst. Where a stage
 * cannot stand alone, as one of whole blocks, it stands with the one before. file: the chain's description, beside
 * which its stages are looked for, too; NULL: it is compiled in. They are loaded once, for good. 0; -EPROTO: told on
 * stderr. */
int limits_stages(const struct ilp_chain *, const char *file, const struct ilp_chain *stages[BENCH_STAGES_MAX]);

/* What a point is held to. */
#define LIMITS_MAX 4
struct limit {
	const char *of, *with;     /* "fused : stage", "chacha20" */
	struct stats_median ratio;
	double limit;
	bool least, met;           /* the ratio is to be at least that; else at most */
};
unsigned limits_of(const struct bench_series *, const struct bench_point *, struct limit limits[LIMITS_MAX]);

/* Of all points: 0 or a negative errno; an array, or NULL. */
int limits_table(FILE *, const struct bench_options *, const struct bench_results *);
json_t *limits_json(const struct bench_options *, const struct bench_results *);

#endif

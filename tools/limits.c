/* What a fused loop is held to: tools/limits.h. The limits are those that the project set itself; ratios are taken
 * within rounds. A ratio of bounds has the interval of the fused loop's time alone. */
#include "tools/limits.h"

#include "ilp/load.h"
#include "tools/tcpu.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Stages alone --------------------------------------------------------------------------------------------------- */

struct alone {
	struct alone *next;
	const char *compiler; /* of the chain that it was loaded for */
	const struct ilp_chain *chain;
	char names[];         /* "chacha20", in Lua */
};

/* In a folder of its own, where a link leads to the stages that stand beside the chain's file. */
static int describe(const char *folder, const char *names, const char *file, char path[PATH_MAX])
{
	char beside[PATH_MAX], link[PATH_MAX], whole[PATH_MAX];
	const char *slash = file ? strrchr(file, '/') : NULL;
	int len = slash ? (int)(slash - file) : 1;

	snprintf(path, PATH_MAX, "%s/alone.lua", folder);
	FILE *f = fopen(path, "we");
	if (!f)
		return -errno;
	fprintf(f, "return chain { name = \"alone\", stages = { %s } }\n", names);
	if (fclose(f) != 0)
		return -errno;
	if (!file)
		return 0;
	bool chains = len >= 6 && !strncmp(file + len - 6, "chains", 6) && (len == 6 || file[len - 7] == '/');
	snprintf(beside, sizeof beside, "%.*s/%sstages", len, slash ? file : ".", chains ? "../" : "");
	snprintf(link, sizeof link, "%s/stages", folder);
	return realpath(beside, whole) && symlink(whole, link) != 0 ? -errno : 0;
}

static int load(const char *names, const char *file, const char *compiler, const struct ilp_chain **chain, char *why,
	size_t size)
{
	const char *tmp = getenv("TMPDIR");
	char folder[1024], path[PATH_MAX], cc[32], link[PATH_MAX];

	snprintf(cc, sizeof cc, "%.*s", (int)strcspn(compiler, " "), compiler);
	snprintf(folder, sizeof folder, "%s/tcpu-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(folder)) {
		snprintf(why, size, "%.512s: %s", folder, strerror(errno));
		return -EIO;
	}
	int error = describe(folder, names, file, path);
	if (error)
		snprintf(why, size, "%.512s: %s", folder, strerror(-error));
	else
		error = ilp_load(path, &(struct ilp_load_options){ .compiler = getenv("ILP_CC") ? NULL : cc }, chain, why, size);
	snprintf(link, sizeof link, "%s/stages", folder);
	unlink(path);
	unlink(link);
	rmdir(folder);
	return error;
}

/* That of these names, which is loaded if it has not been; NULL: why says why. */
static const struct ilp_chain *alone(const char *names, const char *file, const char *compiler, char *why, size_t size)
{
	static struct alone *all;
	struct alone *a = all;

	while (a && (file || strcmp(a->names, names) != 0 || strcmp(a->compiler, compiler) != 0))
		a = a->next;
	if (a)
		return a->chain;
	if (isatty(2))
		fprintf(stderr, "\r\033[K  %s alone", names);
	a = calloc(1, sizeof *a + strlen(names) + 1);
	if (!a || load(names, file, compiler, &a->chain, why, size) != 0) {
		free(a);
		return NULL;
	}
	strcpy(a->names, names);
	a->compiler = compiler;
	a->next = all;
	all = a;
	return a->chain;
}

int limits_stages(const struct ilp_chain *chain, const char *file, const struct ilp_chain *stages[BENCH_STAGES_MAX])
{
	char before[64] = "", names[64], why[2048] = "out of memory";
	unsigned n = 0;

	for (const char *at = chain->stages; *at; at += strspn(at, " ")) {
		int len = (int)strcspn(at, " ("); /* "poly1305(tail)": where its value is to stand */

		snprintf(names, sizeof names, "\"%.*s\"", len < 60 ? len : 60, at);
		at += strcspn(at, " ");
		if (!strcmp(names, "\"copy\"") || n == BENCH_STAGES_MAX)
			continue;
		stages[n] = alone(names, file, chain->compiler, why, sizeof why);
		if (!stages[n] && *before) {
			char two[160];

			snprintf(two, sizeof two, "%s, %s", before, names);
			stages[n] = alone(two, file, chain->compiler, why, sizeof why);
		}
		if (!stages[n++]) {
			fprintf(stderr, "tcpu bench: %s of %s alone: %s\n", names, chain->name, why);
			return -EPROTO;
		}
		snprintf(before, sizeof before, "%s", names);
	}
	return 0;
}

/* Limits --------------------------------------------------------------------------------------------------------- */

/* Bytes of small calls, where a call's own cost is allowed for; beside a pair it is not to be seen. */
#define SMALL (64 << 10)
#define SMALL_LIMIT 1.25
#define LIMIT 1.15
/* Fused against tiled, and against Orc's program, at this size. */
#define LEAST_BYTES 1024
#define LEAST_ORC 1.2
static const struct {
	const char *stages;
	double least;
} tiled[] = { { "copy inet_checksum", 1.3 }, { "xdr_u32 copy inet_checksum", 1.7 } };

/* The fused loop's time : that of a variant. */
static struct stats_median against(const struct bench_point *p, unsigned variant)
{
	const struct stats_median *s = &p->speedup[variant];

	return (struct stats_median){ 1 / s->median, 1 / s->high, 1 / s->low };
}

/* By the slower of memcpy and the chain's slowest stage. */
static struct limit by_stage(const struct bench_series *s, const struct bench_point *p)
{
	unsigned slowest = BENCH_MEMCPY;

	for (unsigned v = BENCH_VARIANTS; v < BENCH_MEASURED; v++)
		if (p->has[v] && p->ns[v].median > p->ns[slowest].median)
			slowest = v;
	return (struct limit){ .of = slowest == BENCH_MEMCPY ? "fused : memcpy" : "fused : slowest stage",
		.with = slowest == BENCH_MEMCPY ? "memcpy" : s->stage[slowest - BENCH_VARIANTS]->stages,
		.ratio = against(p, slowest), .limit = p->bytes < SMALL && !s->chain->associate ? SMALL_LIMIT : LIMIT };
}

/* By the slower of memcpy and llvm-mca's bound. */
static struct limit by_bound(const struct bench_series *s, const struct bench_point *p)
{
	const struct stats_median *fused = &p->ns[BENCH_FUSED];
	double mca = s->mca_ns * (double)p->bytes;

	if (mca <= p->ns[BENCH_MEMCPY].median)
		return (struct limit){ .of = "fused : memcpy", .with = "memcpy", .ratio = against(p, BENCH_MEMCPY),
			.limit = LIMIT };
	return (struct limit){ .of = "fused : mca", .with = s->mca_cpu, .limit = LIMIT,
		.ratio = { fused->median / mca, fused->low / mca, fused->high / mca } };
}

unsigned limits_of(const struct bench_series *s, const struct bench_point *p, struct limit limits[LIMITS_MAX])
{
	bool light = s->mca_ns > 0 && !ilp_find_param(s->chain, "chacha20.key");
	unsigned n = 0;

	limits[n++] = light ? by_bound(s, p) : by_stage(s, p);
	for (unsigned k = 0; k < sizeof tiled / sizeof *tiled && p->bytes == LEAST_BYTES; k++)
		if (!strcmp(s->chain->stages, tiled[k].stages))
			limits[n++] = (struct limit){ .of = "tiled : fused", .with = "tiled", .ratio = p->speedup[BENCH_TILED],
				.limit = tiled[k].least, .least = true };
	if (p->bytes == LEAST_BYTES && p->has[BENCH_ORC])
		limits[n++] = (struct limit){ .of = "orc : fused", .with = "orc", .ratio = p->speedup[BENCH_ORC],
			.limit = LEAST_ORC, .least = true };
	for (unsigned k = 0; k < n; k++)
		limits[k].met = limits[k].least ? limits[k].ratio.median >= limits[k].limit :
			limits[k].ratio.median <= limits[k].limit;
	return n;
}

static const char *direction(const struct bench_series *s)
{
	return s->direction == ILP_SEND ? "send" : "recv";
}

int limits_table(FILE *f, const struct bench_options *o, const struct bench_results *r)
{
	struct limit l[LIMITS_MAX];
	unsigned all = 0, met = 0;
	char size[24];

	fprintf(f, "What fused loops are held to, %s, medians of %u rounds and 95 %% intervals\n\n", o->cold ? "cold" : "hot",
		o->rounds);
	fprintf(f, "%-22s %-4s %-7s %5s  %-21s %-16s %-19s  %s\n", "chain", "", "isa", "bytes", "ratio", "which is", "",
		"limit");
	for (unsigned i = 0; i < r->count; i++)
		for (unsigned j = 0; j < o->size_count; j++) {
			const struct bench_series *s = &r->series[i];
			unsigned n = limits_of(s, &s->point[j], l);

			for (unsigned k = 0; k < n; k++) {
				all++;
				met += l[k].met;
				fprintf(f, "%-22s %-4s %-7s %5s  %-21s %-16s %5.2f (%.2f-%.2f)  at %s %.2f: %s\n", s->chain->name,
					direction(s), ilp_isa_name(s->isa), size_format(s->point[j].bytes, size), l[k].of, l[k].with,
					l[k].ratio.median, l[k].ratio.low, l[k].ratio.high, l[k].least ? "least" : "most", l[k].limit,
					l[k].met ? "met" : "not met");
			}
		}
	fprintf(f, "\n%u of %u limits are met\n", met, all);
	return ferror(f) ? -EIO : 0;
}

json_t *limits_json(const struct bench_options *o, const struct bench_results *r)
{
	json_t *list = json_array();
	struct limit l[LIMITS_MAX];

	for (unsigned i = 0; i < r->count; i++)
		for (unsigned j = 0; j < o->size_count; j++) {
			const struct bench_series *s = &r->series[i];
			unsigned n = limits_of(s, &s->point[j], l);

			for (unsigned k = 0; k < n; k++)
				json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:{s:f, s:f, s:f}, s:f, s:b}",
					"chain", s->chain->name, "direction", direction(s), "isa", ilp_isa_name(s->isa), "bytes",
					(json_int_t)s->point[j].bytes, "ratio_of", l[k].of, "with", l[k].with, "ratio", "median",
					l[k].ratio.median, "low", l[k].ratio.low, "high", l[k].ratio.high,
					l[k].least ? "at_least" : "at_most", l[k].limit, "met", l[k].met));
		}
	return list;
}

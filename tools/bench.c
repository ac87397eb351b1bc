/* tcpu bench: the verb. */
#include "tools/bench.h"

#include "tools/arguments.h"
#include "tools/limits.h"
#include "tools/mca.h"
#include "tools/tcpu.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Half a confidence interval may be this share of its median before the tool says that it is noisy. */
#define NOISE_MAX 0.05

enum { OPT_ISA = 0x100, OPT_COLD, OPT_JSON, OPT_CSV, OPT_ROUNDS, OPT_SEED, OPT_MCA, OPT_LIMITS };

static const struct argp_option options[] = {
	{ "sizes", 's', "LIST", 0, "bytes a call [64,1460,8K,64K,1M]", 0 },
	{ "direction", 'd', "send|recv|both", 0, "[both]", 0 },
	{ "isa", OPT_ISA, "all", 0, "every instruction set that is here [the one that ilp_pick takes]", 0 },
	{ "cold", OPT_COLD, NULL, 0, "data not in any cache [in the nearest that holds it]", 0 },
	{ "mca", OPT_MCA, "CPU", OPTION_ARG_OPTIONAL, "and what the fused loop could reach by llvm-mca's model of CPU, as "
		"`tcpu mca` tells; of how many times the slower of that and memcpy it takes", 0 },
	{ "limits", OPT_LIMITS, NULL, 0, "say what fused loops are held to, and whether they meet it, instead of the table; "
		"takes a compiler and llvm-mca [of 1K,64K,1M]", 0 },
	{ "rounds", OPT_ROUNDS, "N", 0, "samples of each, 6 at least for an interval [41]", 0 },
	{ "seed", OPT_SEED, "N", 0, "of data and order [1]", 0 },
	{ "json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "write JSON instead of the table, or to FILE beside it", 0 },
	{ "csv", OPT_CSV, "FILE", OPTION_ARG_OPTIONAL, "write CSV, likewise", 0 },
	{ 0 },
};

struct request {
	struct bench_options options;
	const struct ilp_chain **chains;
	const char **files;
	unsigned count;
	bool table, sizes;                 /* sizes: were named */
	bool json, csv;                    /* asked for; */
	const char *json_file, *csv_file; /* NULL: on stdout, instead of the table */
	FILE *json_out, *csv_out;
	const char *mca_cpu;
};

static void add_chain(struct request *r, struct argp_state *state, const char *name)
{
	bool file = strpbrk(name, "/.");

	r->files[r->count] = file ? name : NULL;
	r->chains[r->count] = file ? arguments_loaded(state, name) : ilp_find(name);
	if (!r->chains[r->count++])
		argp_failure(state, TCPU_FAILED, 0, "there is no chain '%s' compiled in: `tcpu explain` lists them; a file is a "
			"path, like ./%s.lua", name, name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 's':
		r->options.size_count = arguments_sizes(state, arg, r->options.sizes);
		r->sizes = true;
		break;
	case 'd':
		arguments_direction(state, arg, r->options.direction);
		break;
	case OPT_ISA:
		r->options.every_isa = arguments_every_isa(state, arg);
		break;
	case OPT_COLD:
		r->options.cold = true;
		break;
	case OPT_MCA:
		r->options.mca = true;
		r->mca_cpu = arg;
		break;
	case OPT_LIMITS:
		r->options.limits = r->options.mca = true;
		break;
	case OPT_ROUNDS:
		r->options.rounds = (unsigned)arguments_number(state, arg, STATS_LEAST, 100000);
		break;
	case OPT_SEED:
		r->options.seed = arguments_number(state, arg, 1, UINT64_MAX);
		break;
	case OPT_JSON:
		r->json = true;
		r->json_file = arg;
		r->table &= arg != NULL;
		break;
	case OPT_CSV:
		r->csv = true;
		r->csv_file = arg;
		r->table &= arg != NULL;
		break;
	case ARGP_KEY_ARG:
		add_chain(r, state, arg);
		break;
	case ARGP_KEY_END:
		if (r->options.limits && r->csv)
			argp_error(state, "--limits and --csv: expected one of them, or --json");
		if (r->options.limits && !r->sizes)
			r->options.size_count = arguments_sizes(state, (char[]){ "1K,64K,1M" }, r->options.sizes);
		if (r->json && r->csv && (!r->json_file ? !r->csv_file : r->csv_file && !strcmp(r->json_file, r->csv_file)))
			argp_error(state, "--json and --csv to the same place: give one of them another FILE");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* The file, or stdout where there is none; before anything is measured. What the file holds stays until put(). */
static FILE *open_output(const char *file)
{
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
	FILE *f = file ? fd < 0 ? NULL : fdopen(fd, "w") : stdout;

	if (!f)
		fprintf(stderr, "tcpu bench: %s: %s\n", file, strerror(errno));
	return f;
}

static int put(FILE *f, const char *file,
	int (*write)(FILE *, const struct bench_options *, const struct bench_results *),
	const struct bench_options *o, const struct bench_results *r)
{
	struct stat st;
	int error = 0;

	if (file && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fileno(f), 0) != 0)
		error = -errno;
	if (!error)
		error = write(f, o, r);
	if ((file ? fclose(f) : fflush(f)) != 0 && !error)
		error = -errno;
	if (error)
		fprintf(stderr, "tcpu bench: %s: %s\n", file ? file : "output", strerror(-error));
	return error;
}

/* 0; -EPROTO: it has said why. */
static int add_mca(struct mca *m, struct bench_results *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct bench_series *s = &r->series[i];
		struct mca_bound bound;

		if (mca_bound(m, s->chain, s->direction, s->isa, &bound) != 0)
			return -EPROTO;
		if (!bound.has)
			continue;
		s->mca_ns = mca_ns_per_byte(m, &bound);
		snprintf(s->mca_cpu, sizeof s->mca_cpu, "%s", bound.cpu);
	}
	return 0;
}

/* bench_run, and the bounds where they are asked for: the programs that this takes are tried first. */
static int measure(const struct request *request, struct bench_results *results)
{
	struct mca *m = request->options.mca ? mca_open("tcpu bench", NULL, request->mca_cpu) : NULL;

	if (request->options.mca && !m)
		return -EPROTO;
	int error = bench_run(&request->options, results);
	if (m && !error) {
		error = add_mca(m, results);
		if (error)
			bench_free(results);
	}
	mca_close(m);
	return error;
}

/* Wherever it is wanted; frees what was measured. */
static int put_all(const struct request *r, struct bench_results *results)
{
	int error = 0;

	if (r->table)
		error = put(stdout, NULL, r->options.limits ? limits_table : bench_table, &r->options, results);
	if (r->json && !error)
		error = put(r->json_out, r->json_file, bench_json, &r->options, results);
	if (r->csv && !error)
		error = put(r->csv_out, r->csv_file, bench_csv, &r->options, results);
	if (results->worst_noise > NOISE_MAX)
		fprintf(stderr, "tcpu bench: noisy: a confidence interval is ± %.0f %% of its median (%.0f %% would do): "
			"differences below that say nothing; try more --rounds on a quieter machine\n",
			100 * results->worst_noise, 100 * NOISE_MAX);
	bench_free(results);
	return error;
}

int verb_bench(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CHAIN...]",
		"Measure chains [all], by name or by the file that describes one, layered, tiled and fused, beside libraries "
		"(libtirpc, OpenSSL, memcpy and a sum, one after another), Orc (a program of swaps, copies and accumulations, "
		"which liborc compiles for this CPU when the benchmark begins; chains of xdr_u32, copy and inet_checksum only) and "
		"a bare memcpy.\v"
		"All variants run interleaved, in random order, in one process. Times are medians with their 95 % confidence "
		"interval; a speedup is the median of the ratios within rounds. Slope and intercept are a line through the "
		"sizes that fit the first cache, by least squares of the relative error.\n"
		"Limits: the fused loop takes at most 1.15 times as long as the slower of memcpy and the chain's slowest stage "
		"alone (the one loop of a chain of that stage), 1.25 below 64K; where its code has a bound by llvm-mca and the "
		"chain has no cipher, as the slower of memcpy and that. At 1K it is at least 1.3 times as fast as tiled for copy "
		"and inet_checksum, 1.7 with xdr_u32, and 1.2 times as fast as Orc's program. Compared are medians. It is a "
		"benchmark: the exit status is 0 also where a limit is not met.\n\n"
		"Example: tcpu bench --sizes 1K,1M --direction send xdr_chacha20_copy_sum\n"
		"Example: tcpu bench --limits xdr_copy_sum chacha20_copy_sum",
		NULL, NULL, NULL
	};
	struct request request = {
		.options = { .sizes = { 64, 1460, 8 << 10, 64 << 10, 1 << 20 }, .size_count = 5,
			.direction = { true, true }, .rounds = 41, .seed = 1 },
		.chains = calloc((size_t)argc + 1, sizeof *request.chains),
		.files = calloc((size_t)argc + 1, sizeof *request.files),
		.table = true,
	};
	struct bench_results results;

	if (!request.chains || !request.files) {
		free(request.chains);
		free(request.files);
		return TCPU_FAILED;
	}
	argp_parse(&argp, argc, argv, 0, NULL, &request);
	if ((request.json && !(request.json_out = open_output(request.json_file))) ||
		(request.csv && !(request.csv_out = open_output(request.csv_file))))
		return TCPU_FAILED;
	request.options.chains = request.count ? request.chains : ilp_chains;
	request.options.files = request.count ? request.files : NULL;
	int error = measure(&request, &results);
	if (error && error != -EPROTO) /* which it has told */
		fprintf(stderr, "tcpu bench: %s\n", strerror(-error));
	if (!error)
		error = put_all(&request, &results);
	free(request.chains);
	free(request.files);
	return error ? TCPU_FAILED : TCPU_OK;
}

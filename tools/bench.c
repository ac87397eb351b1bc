/* tcpu bench: the verb. */
#include "tools/bench.h"

#include "tools/arguments.h"
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

enum { OPT_ISA = 0x100, OPT_COLD, OPT_JSON, OPT_CSV, OPT_ROUNDS, OPT_SEED, OPT_MCA };

static const struct argp_option options[] = {
	{ "sizes", 's', "LIST", 0, "bytes a call [64,1460,8K,64K,1M]", 0 },
	{ "direction", 'd', "send|recv|both", 0, "[both]", 0 },
	{ "isa", OPT_ISA, "all", 0, "every instruction set that is here [the one that ilp_pick takes]", 0 },
	{ "cold", OPT_COLD, NULL, 0, "data not in any cache [in the nearest that holds it]", 0 },
	{ "mca", OPT_MCA, "CPU", OPTION_ARG_OPTIONAL, "and what the fused loop could reach by llvm-mca's model of CPU, as "
		"`tcpu mca` tells; of how many times the slower of that and memcpy it takes", 0 },
	{ "rounds", OPT_ROUNDS, "N", 0, "samples of each, 6 at least for an interval [41]", 0 },
	{ "seed", OPT_SEED, "N", 0, "of data and order [1]", 0 },
	{ "json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "write JSON instead of the table, or to FILE beside it", 0 },
	{ "csv", OPT_CSV, "FILE", OPTION_ARG_OPTIONAL, "write CSV, likewise", 0 },
	{ 0 },
};

struct request {
	struct bench_options options;
	const struct ilp_chain **chains;
	unsigned count;
	bool table;
	bool json, csv;                    /* asked for; */
	const char *json_file, *csv_file; /* NULL: on stdout, instead of the table */
	FILE *json_out, *csv_out;
	const char *mca_cpu;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 's':
		r->options.size_count = arguments_sizes(state, arg, r->options.sizes);
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
		r->chains[r->count] = strpbrk(arg, "/.") ? arguments_loaded(state, arg) : ilp_find(arg);
		if (!r->chains[r->count++])
			argp_error(state, "there is no chain '%s' compiled in: `tcpu explain` lists them; a file is a path, like "
				"./%s.lua", arg, arg);
		break;
	case ARGP_KEY_END:
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
		"sizes that fit the first cache, by least squares of the relative error.\n\n"
		"Example: tcpu bench --sizes 1K,1M --direction send xdr_chacha20_copy_sum",
		NULL, NULL, NULL
	};
	struct request request = {
		.options = { .sizes = { 64, 1460, 8 << 10, 64 << 10, 1 << 20 }, .size_count = 5,
			.direction = { true, true }, .rounds = 41, .seed = 1 },
		.chains = calloc((size_t)argc + 1, sizeof *request.chains),
		.table = true,
	};
	struct bench_results results;

	if (!request.chains)
		return TCPU_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &request);
	if ((request.json && !(request.json_out = open_output(request.json_file))) ||
		(request.csv && !(request.csv_out = open_output(request.csv_file))))
		return TCPU_FAILED;
	request.options.chains = request.count ? request.chains : ilp_chains;
	int error = measure(&request, &results);
	if (error) {
		if (error != -EPROTO) /* which it has told */
			fprintf(stderr, "tcpu bench: %s\n", strerror(-error));
		free(request.chains);
		return TCPU_FAILED;
	}
	if (request.table)
		error = put(stdout, NULL, bench_table, &request.options, &results);
	if (request.json && !error)
		error = put(request.json_out, request.json_file, bench_json, &request.options, &results);
	if (request.csv && !error)
		error = put(request.csv_out, request.csv_file, bench_csv, &request.options, &results);
	if (results.worst_noise > NOISE_MAX)
		fprintf(stderr, "tcpu bench: noisy: a confidence interval is ± %.0f %% of its median (%.0f %% would do): "
			"differences below that say nothing; try more --rounds on a quieter machine\n",
			100 * results.worst_noise, 100 * NOISE_MAX);
	bench_free(&results);
	free(request.chains);
	return error ? TCPU_FAILED : TCPU_OK;
}

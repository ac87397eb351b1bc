/* tcpu never-slower: the verb. What the model leads to choose (ilp/choose.h), against every way there is, in a run
 * apart from that in which the model was made. For a chain, a direction and a size, all ways are interleaved; those in
 * strips run with the usual strip and with the chosen one. The best is the one with the least median; ratios are taken
 * within rounds. The best of many is partly the luckiest: a ratio above the limit counts only where all of its
 * interval is. */
#include "ilp/model.h"
#include "tools/arguments.h"
#include "tools/stats.h"
#include "tools/tcpu.h"
#include "tools/ways.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT 1.05
#define SAMPLE_NS 200000
#define LARGE (4 << 20) /* calls from here on are sampled less, and not after another of the same */
#define LARGE_ROUNDS 7
#define CALLS_MAX (2 * ILP_WAYS_MAX)

static const char *const verdicts[] = { "best", "ok", "unsure", "SLOWER" };
enum verdict { BEST, WITHIN, UNSURE, SLOWER, VERDICTS };

struct request {
	uint64_t sizes[ARGUMENTS_SIZES_MAX];
	unsigned size_count;
	unsigned rounds;
	uint64_t seed;
	const char *file;
	bool json;
	const struct ilp_chain **chains;
	unsigned count;
};

/* A chain in a direction, at a size. */
struct point {
	const struct ilp_chain *chain;
	enum ilp_direction direction;
	uint64_t bytes;
	struct ilp_choice choice;
	unsigned best;
	uint32_t best_tile;
	double ns, best_ns, predicted;
	struct stats_median ratio;
	enum verdict verdict;
};

struct run {
	const struct request *request;
	const struct ilp_model *model;
	struct ways_room room;
	struct ways_call *call;
	struct measure *measure;
	json_t *list;
	unsigned counts[VERDICTS];
	double worst;
};

/* Every way; the choice's place among them. */
static unsigned set_up(struct run *run, const struct point *p, unsigned *choice)
{
	unsigned n = 0;

	for (unsigned way = 0; way < p->chain->way_count[p->direction] && way < ILP_WAYS_MAX; way++) {
		const bool other = p->chain->ways[p->direction][way].tiled && p->choice.tile != ILP_TILE;

		for (unsigned k = 0; k <= other; k++, n++) {
			const uint32_t tile = k || !other ? p->choice.tile : ILP_TILE;

			ways_call(&run->call[n], &run->measure[n], &run->room, p->chain, p->direction, way, tile, p->bytes);
			if (way == p->choice.way && tile == p->choice.tile)
				*choice = n;
		}
	}
	return n;
}

static enum verdict judge(const struct stats_median *ratio, bool same)
{
	if (same)
		return BEST;
	if (ratio->median <= LIMIT)
		return WITHIN;
	return ratio->low <= LIMIT ? UNSURE : SLOWER;
}

static int measure(struct run *run, struct point *p)
{
	const bool large = p->bytes >= LARGE;
	const unsigned rounds = large && run->request->rounds > LARGE_ROUNDS ? LARGE_ROUNDS : run->request->rounds;
	unsigned choice = 0, best = 0;
	double median[CALLS_MAX] = { 0 }, *ratio = calloc(rounds, sizeof *ratio), *sorted = calloc(rounds, sizeof *sorted);
	const unsigned n = set_up(run, p, &choice);
	int error = ratio && sorted ? measure_all(run->measure, n, &(struct measure_plan){ .rounds = rounds,
		.sample_ns = large ? 0 : SAMPLE_NS, .warm = !large, .seed = run->request->seed }) : -ENOMEM;

	for (unsigned i = 0; i < n && !error; i++) {
		memcpy(sorted, run->measure[i].ns, rounds * sizeof *sorted);
		median[i] = stats_median(sorted, rounds).median;
		if (median[i] < median[best])
			best = i;
	}
	if (!error) {
		for (unsigned i = 0; i < rounds; i++)
			ratio[i] = run->measure[choice].ns[i] / run->measure[best].ns[i];
		p->ratio = stats_median(ratio, rounds);
		p->best = run->call[best].way;
		p->best_tile = run->call[best].tile;
		p->ns = median[choice];
		p->best_ns = median[best];
		p->verdict = judge(&p->ratio, choice == best);
		measure_free(run->measure, n);
	}
	free(ratio);
	free(sorted);
	return error;
}

static void say(struct run *run, const struct point *p)
{
	const struct ilp_way *ways = p->chain->ways[p->direction];
	const char *direction = p->direction == ILP_SEND ? "send" : "recv";
	char size[24];

	if (run->list) {
		json_array_append_new(run->list, json_pack("{s:s,s:s,s:I,s:s,s:s,s:i,s:f,s:f,s:s,s:s,s:i,s:f,s:f,s:f,s:f,s:s}",
			"chain", p->chain->name, "direction", direction, "bytes", (json_int_t)p->bytes, "choice",
			ways[p->choice.way].name, "loops", ways[p->choice.way].loops, "tile", (int)p->choice.tile, "ns", p->ns,
			"predicted_ns", p->predicted, "best", ways[p->best].name, "best_loops", ways[p->best].loops, "best_tile",
			(int)p->best_tile, "best_ns", p->best_ns, "ratio", p->ratio.median, "low", p->ratio.low, "high",
			p->ratio.high, "verdict", verdicts[p->verdict]));
		return;
	}
	printf("%-24s %-4s %5s  %-10s %10.0f %10.0f  %-10s %10.0f  %5.3f [%5.3f, %5.3f]  %s\n", p->chain->name, direction,
		size_format(p->bytes, size), ways[p->choice.way].name, p->predicted, p->ns, ways[p->best].name, p->best_ns,
		p->ratio.median, p->ratio.low, p->ratio.high, verdicts[p->verdict]);
	fflush(stdout);
}

static int measure_points(struct run *run, const struct ilp_chain *const *chains)
{
	const struct request *r = run->request;
	int error = 0;

	if (!r->json)
		printf("%-24s %-4s %5s  %-10s %10s %10s  %-10s %10s  %s\n", "chain", "", "bytes", "choice", "foretold ns",
			"ns", "best", "ns", "choice : best [95 %]");
	for (unsigned c = 0; chains[c]; c++)
		for (unsigned d = 0; d < ILP_DIRECTIONS; d++)
			for (unsigned i = 0; i < r->size_count && !error; i++) {
				struct point p = { .chain = chains[c], .direction = (enum ilp_direction)d, .bytes = r->sizes[i] };

				if (r->json && isatty(2))
					fprintf(stderr, "\r\033[K  %s", p.chain->name);
				ilp_model_choose(run->model, p.chain, p.direction, p.bytes, &p.choice);
				p.predicted = ilp_model_predict(run->model, p.chain, p.direction, p.choice.way, p.choice.tile, p.bytes);
				error = measure(run, &p);
				if (error)
					break;
				run->counts[p.verdict]++;
				run->worst = p.ratio.median > run->worst ? p.ratio.median : run->worst;
				say(run, &p);
			}
	return error;
}

static int report(const struct run *run)
{
	const unsigned *n = run->counts;

	if (!run->list) {
		printf("\n%u points: the choice is the best of %u, at most %.2f of the best's time in %u more; not to be told "
			"from noise %u, slower %u; the largest ratio %.3f\n", n[BEST] + n[WITHIN] + n[UNSURE] + n[SLOWER], n[BEST],
			LIMIT, n[WITHIN], n[UNSURE], n[SLOWER], run->worst);
		return 0;
	}
	json_t *all = json_pack("{s:f, s:b, s:O, s:i, s:i, s:i, s:i, s:f}", "limit", LIMIT, "model", run->model != NULL,
		"points", run->list, "best", (int)n[BEST], "ok", (int)n[WITHIN], "unsure", (int)n[UNSURE], "slower",
		(int)n[SLOWER], "largest", run->worst);
	return arguments_json(stdout, all, JSON_INDENT(1) | JSON_SORT_KEYS);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 's':
		r->size_count = arguments_sizes(state, arg, r->sizes);
		break;
	case 'r':
		r->rounds = (unsigned)arguments_number(state, arg, STATS_LEAST, 10000);
		break;
	case 'S':
		r->seed = arguments_number(state, arg, 1, UINT64_MAX);
		break;
	case 'm':
		r->file = arg;
		break;
	case 'j':
		r->json = true;
		break;
	case ARGP_KEY_ARG:
		r->chains[r->count++] = arguments_chain(state, arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* *model may be NULL: there is none, and it has said why. -EPROTO: one was named, and cannot be had: told. */
static int find_model(const struct request *r, const char *compiler, struct ilp_model **model)
{
	const char *of_environment = secure_getenv("ILP_MODEL");
	bool named = r->file || (of_environment && *of_environment);
	char path[PATH_MAX], why[512] = "ILP_MODEL says that there is to be none";

	*model = NULL;
	if (r->file && strlen(r->file) >= PATH_MAX)
		snprintf(why, sizeof why, "%.64s…: %s", r->file, strerror(ENAMETOOLONG));
	else if (r->file ? snprintf(path, sizeof path, "%s", r->file) : ilp_model_path(path, compiler) == 0)
		ilp_model_read(path, compiler, model, why, sizeof why);
	if (!*model)
		fprintf(stderr, "tcpu never-slower: %s%s\n", why, named ? "" : ": the default is tried");
	return *model || !named ? 0 : -EPROTO;
}

static int run_all(const struct request *r, unsigned *slower)
{
	const struct ilp_chain *const *chains = r->count ? r->chains : ilp_chains;
	struct ilp_model *model;

	if (find_model(r, chains[0]->compiler, &model) != 0) /* they are all compiled in */
		return -EPROTO;
	struct run run = { .request = r, .model = model, .list = r->json ? json_array() : NULL,
		.call = aligned_alloc(_Alignof(struct ways_call), CALLS_MAX * sizeof *run.call),
		.measure = calloc(CALLS_MAX, sizeof *run.measure) };
	size_t most = 0;

	for (unsigned i = 0; i < r->size_count; i++)
		most = r->sizes[i] > most ? r->sizes[i] : most;
	int error = run.call && run.measure ? ways_open(&run.room, chains, most, r->seed) : -ENOMEM;
	if (error == -ENOSPC)
		fprintf(stderr, "tcpu never-slower: this takes more than half of the memory that is free: name smaller --sizes\n");
	if (!error)
		error = measure_points(&run, chains);
	if (!error)
		error = report(&run);
	*slower = run.counts[SLOWER];
	ways_close(&run.room);
	json_decref(run.list);
	free(run.call);
	free(run.measure);
	ilp_model_free(model);
	return error;
}

int verb_never_slower(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "sizes", 's', "LIST", 0, "bytes a call [64,1460,8K,64K,1M,64M]", 0 },
		{ "rounds", 'r', "N", 0, "samples of each, 6 at least; 7 at most from 4M on [41]", 0 },
		{ "seed", 'S', "N", 0, "of data and order [2]", 0 },
		{ "model", 'm', "FILE", 0, "one that has to be there [ILP_MODEL, likewise; or tcpu/model-COMPILER in the user's "
			"cache, without which the default is measured]", 0 },
		{ "json", 'j', NULL, 0, "write JSON", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "[CHAIN...]",
		"Measure what `tcpu calibrate` led to choose against every way to run a chain [all], in both directions: the "
		"choice's time over that of the best. Exit status 1 when one is slower than 1.05 by all of its 95 % interval, or "
		"where the model that is named is none.\v"
		"best: no other way was faster. ok: at most 1.05. unsure: more, but the interval reaches down to it.\n\n"
		"Example: tcpu never-slower --sizes 1460,64K xdr_copy_sum",
		NULL, NULL, NULL
	};
	struct request r = { .sizes = { 64, 1460, 8 << 10, 64 << 10, 1 << 20, 64 << 20 }, .size_count = 6, .rounds = 41,
		.seed = 2, .chains = calloc((size_t)argc + 2, sizeof *r.chains) };
	unsigned slower = 0;

	if (!r.chains)
		return TCPU_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &r);
	const int error = run_all(&r, &slower);
	if (error && error != -ENOSPC && error != -EPROTO) /* which it has told */
		fprintf(stderr, "tcpu never-slower: %s\n", strerror(-error));
	free(r.chains);
	return error || slower ? TCPU_FAILED : TCPU_OK;
}

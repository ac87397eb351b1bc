/* tcpu calibrate: the verb. Measures every way of every chain at a few sizes, and writes the model that ilp/choose.h
 * chooses by. First the strips, since tiled ways are measured with the best; then what fits caches, in passes over all
 * chains until time is up, so that a disturbance meets some samples of each and not all of one; between, once, what
 * fits none, of the ways that can still be the fastest there. */
#include "ilp/model.h"
#include "tools/arguments.h"
#include "tools/stats.h"
#include "tools/tcpu.h"
#include "tools/ways.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t knots[] = { 64, 256, 1460, 4 << 10, 8 << 10, 64 << 10, 1 << 20, 64 << 20 };
#define KNOTS (sizeof knots / sizeof *knots)
#define HOT 7 /* of them: those up to 1 MiB, measured with the operands in the nearest cache that holds them */
#define SAMPLE_NS 100000
#define STRIP_BYTES (64 << 10)
#define STRIP_ROUNDS 9
#define STAYS 0.03 /* another strip than ILP_TILE must gain so much */
#define LARGE_ROUNDS 7
#define LARGE_PIECE (4UL << 20)
#define LARGE_NS 8e6 /* a call that takes longer is no copy: 8 GB/s */
#define HOT_ROUNDS 5 /* of a pass */
#define HOPELESS 1.3 /* of the best at the last size that is hot: it will not be the best where memory takes the time */
#define PASSES_MAX 64

struct request {
	const char *out;
	bool json;
	unsigned seconds;
	const struct ilp_chain **chains;
	unsigned count;
};

struct work {
	const struct ilp_chain *const *chains; /* ends with NULL */
	struct ilp_model *model;
	struct ways_room room;
	uint64_t begun, until; /* ns */
	uint64_t seed;
	struct ways_call *call; /* room for all of a series */
	struct measure *measure;
	double *pass[PASSES_MAX]; /* samples, [series][way][knot][HOT_ROUNDS] */
};
#define CALLS_MAX (ILP_WAYS_MAX * (HOT > ILP_STRIPS ? HOT : ILP_STRIPS))

static const struct ilp_chain *chain_of(const struct work *w, unsigned series)
{
	return w->chains[series / ILP_DIRECTIONS];
}

static void progress(const struct work *w, const char *what, unsigned at)
{
	const double spent = (double)(measure_now_ns() - w->begun) / 1e9;

	if (isatty(2))
		fprintf(stderr, "\r\033[K  %.0f s: %s, %s", spent, what, chain_of(w, at)->name);
	else if (at == 0)
		fprintf(stderr, "  %.0f s: %s\n", spent, what);
}

static uint32_t strip(unsigned k)
{
	return (uint32_t)ILP_STRIP_LEAST << k;
}

/* The strip of a series: the one with which its best tiled way is the fastest. late: there is no time to look. */
static int find_strip(struct work *w, unsigned at, bool late)
{
	const struct ilp_chain *c = chain_of(w, at);
	struct ilp_series *s = &w->model->series[at];
	unsigned n = 0, best = 2;

	for (unsigned way = 0; way < s->ways; way++)
		for (unsigned k = 0; k < ILP_STRIPS && c->ways[s->direction][way].tiled && !late; k++, n++)
			ways_call(&w->call[n], &w->measure[n], &w->room, c, s->direction, way, strip(k), STRIP_BYTES);
	for (unsigned k = 0; k < ILP_STRIPS; k++)
		s->strip[k] = n ? HUGE_VAL : 1;
	s->tile = strip(best);
	if (!n)
		return 0;
	const int error = measure_all(w->measure, n, &(struct measure_plan){ .rounds = STRIP_ROUNDS,
		.sample_ns = SAMPLE_NS, .warm = true, .seed = ++w->seed });
	if (error)
		return error;
	for (unsigned i = 0; i < n; i++) {
		const double ns = stats_undisturbed(w->measure[i].ns, STRIP_ROUNDS);

		s->strip[i % ILP_STRIPS] = fmin(s->strip[i % ILP_STRIPS], ns);
	}
	measure_free(w->measure, n);
	const double usual = s->strip[best];
	for (unsigned k = 0; k < ILP_STRIPS; k++)
		if (s->strip[k] < s->strip[best] && s->strip[k] < usual * (1 - STAYS))
			best = k;
	s->tile = strip(best);
	for (unsigned k = 0, chosen = best; k < ILP_STRIPS; k++)
		s->strip[k] = k == chosen ? s->strip[k] : s->strip[k] / s->strip[chosen];
	s->strip[best] = 1;
	return 0;
}

/* The strip that is the best on the whole: by the mean of the ratios' logarithms. */
static uint32_t usual_strip(const struct ilp_model *m)
{
	unsigned best = 2;
	double least = HUGE_VAL;

	for (unsigned k = 0; k < ILP_STRIPS; k++) {
		double sum = k == 2 ? log(1 - STAYS) * m->count : 0;

		for (unsigned i = 0; i < m->count; i++)
			sum += log(m->series[i].strip[k]);
		if (sum < least) {
			least = sum;
			best = k;
		}
	}
	return strip(best);
}

static double *place(double *pass, unsigned series, unsigned way, unsigned knot)
{
	return &pass[(((size_t)series * ILP_WAYS_MAX + way) * HOT + knot) * HOT_ROUNDS];
}

static int measure_hot(struct work *w, unsigned at, double *pass)
{
	const struct ilp_chain *c = chain_of(w, at);
	const struct ilp_series *s = &w->model->series[at];
	unsigned n = 0;

	for (unsigned way = 0; way < s->ways; way++)
		for (unsigned k = 0; k < HOT; k++, n++)
			ways_call(&w->call[n], &w->measure[n], &w->room, c, s->direction, way, s->tile, knots[k]);
	const int error = measure_all(w->measure, n, &(struct measure_plan){ .rounds = HOT_ROUNDS, .sample_ns = SAMPLE_NS,
		.warm = true, .seed = ++w->seed });
	if (error)
		return error;
	for (unsigned i = 0; i < n; i++)
		memcpy(place(pass, at, i / HOT, i % HOT), w->measure[i].ns, HOT_ROUNDS * sizeof(double));
	measure_free(w->measure, n);
	return 0;
}

/* Of the ways that can still be the best; late: of none, there is no time. The rest are in proportion. A large call
 * that would take long, since not memory is what it waits for, is measured by smaller ones that walk through as much
 * memory; but the layered way has all of it between its passes: it is no faster than in strips. */
static int measure_large(struct work *w, unsigned at, bool late)
{
	const struct ilp_chain *c = chain_of(w, at);
	struct ilp_series *s = &w->model->series[at];
	const bool whole = s->ns[ILP_FUSED][HOT - 1] * (double)knots[HOT] / (double)knots[HOT - 1] < LARGE_NS;
	const double pieces = whole ? 1 : (double)knots[HOT] / LARGE_PIECE;
	double least = HUGE_VAL;
	unsigned n = 0;

	for (unsigned way = 0; way < s->ways; way++) {
		least = fmin(least, s->ns[way][HOT - 1]);
		s->ns[way][HOT] = s->ns[way][HOT - 1] * (double)knots[HOT] / (double)knots[HOT - 1];
	}
	for (unsigned way = 0; way < s->ways && !late; way++)
		if (way == ILP_FUSED || way == ILP_STREAMING || s->ns[way][HOT - 1] < HOPELESS * least) {
			ways_call(&w->call[n], &w->measure[n], &w->room, c, s->direction, way, s->tile,
				whole ? knots[HOT] : LARGE_PIECE);
			if (!whole)
				ways_walk(&w->call[n]);
			n++;
		}
	if (!n)
		return 0;
	const int error = measure_all(w->measure, n, &(struct measure_plan){ .rounds = LARGE_ROUNDS, .seed = ++w->seed });
	if (error)
		return error;
	for (unsigned i = 0; i < n; i++)
		s->ns[w->call[i].way][HOT] = pieces * stats_undisturbed(w->measure[i].ns, LARGE_ROUNDS);
	/* In proportion to the fused one, that is: to one that had to wait for memory, too. */
	for (unsigned way = 0; way < s->ways; way++)
		if (way != ILP_FUSED && way != ILP_STREAMING && s->ns[way][HOT - 1] >= HOPELESS * least)
			s->ns[way][HOT] = s->ns[ILP_FUSED][HOT] * fmax(1, s->ns[way][HOT - 1] / s->ns[ILP_FUSED][HOT - 1]);
	s->ns[ILP_LAYERED][HOT] = fmax(s->ns[ILP_LAYERED][HOT], s->ns[ILP_TILED][HOT]);
	measure_free(w->measure, n);
	return 0;
}

static void merge(struct work *w, unsigned passes)
{
	for (unsigned at = 0; at < w->model->count; at++)
		for (unsigned way = 0; way < w->model->series[at].ways; way++)
			for (unsigned k = 0; k < HOT; k++) {
				double all[PASSES_MAX * HOT_ROUNDS];

				for (unsigned p = 0; p < passes; p++)
					memcpy(&all[p * HOT_ROUNDS], place(w->pass[p], at, way, k), HOT_ROUNDS * sizeof *all);
				w->model->series[at].ns[way][k] = stats_undisturbed(all, passes * HOT_ROUNDS);
			}
}

static void copy(void *ctx)
{
	const struct ways_room *r = ctx;

	memcpy(r->dst, r->src, r->most);
	__asm__ volatile("" : : "r"(r->dst) : "memory");
}

static int measure_memory(struct work *w)
{
	struct measure m = { .run = copy, .ctx = &w->room };
	const int error = measure_all(&m, 1, &(struct measure_plan){ .rounds = LARGE_ROUNDS, .seed = 1 });

	if (error)
		return error;
	w->model->memory = (double)w->room.most / stats_undisturbed(m.ns, LARGE_ROUNDS);
	measure_free(&m, 1);
	return 0;
}

/* A pass over all that is hot, in w->pass[number]. 1: time was up before it was whole, and it does not count; the first
 * is always made whole. */
static int pass_hot(struct work *w, unsigned number)
{
	int error = 0;

	w->pass[number] = calloc((size_t)w->model->count * ILP_WAYS_MAX * HOT * HOT_ROUNDS, sizeof(double));
	if (!w->pass[number])
		return -ENOMEM;
	for (unsigned at = 0; at < w->model->count && !error; at++) {
		progress(w, "in caches", at);
		error = measure_hot(w, at, w->pass[number]);
		if (!error && number > 0 && measure_now_ns() > w->until)
			error = 1;
	}
	if (error) {
		free(w->pass[number]);
		w->pass[number] = NULL;
	}
	return error;
}

static int measure(struct work *w)
{
	const unsigned count = w->model->count;
	unsigned passes = 0;
	int error = measure_memory(w);

	for (unsigned at = 0; at < count && !error; at++) {
		progress(w, "strips", at);
		error = find_strip(w, at, measure_now_ns() > w->begun + (w->until - w->begun) / 4);
	}
	w->model->tile = usual_strip(w->model);
	if (!error)
		error = pass_hot(w, 0);
	if (!error)
		merge(w, ++passes);
	for (unsigned at = 0; at < count && !error && w->model->knots > HOT; at++) {
		progress(w, "in memory", at);
		error = measure_large(w, at, measure_now_ns() > w->until);
	}
	while (!error && passes < PASSES_MAX) {
		error = pass_hot(w, passes);
		passes += !error;
	}
	error = error == 1 ? 0 : error;
	if (!error)
		merge(w, passes);
	if (isatty(2))
		fputs("\r\033[K", stderr);
	for (unsigned p = 0; p < passes; p++)
		free(w->pass[p]);
	return error;
}

static int plan(struct work *w)
{
	unsigned chains = 0;

	while (w->chains[chains])
		chains++;
	w->model->series = calloc((size_t)chains * ILP_DIRECTIONS + 1, sizeof *w->model->series);
	w->measure = calloc(CALLS_MAX, sizeof *w->measure);
	w->call = aligned_alloc(_Alignof(struct ways_call), CALLS_MAX * sizeof *w->call);
	if (!w->model->series || !w->measure || !w->call)
		return -ENOMEM;
	for (unsigned i = 0; i < chains * ILP_DIRECTIONS && w->model->count < ILP_SERIES_MAX; i++) {
		const struct ilp_chain *c = chain_of(w, i);
		const enum ilp_direction d = (enum ilp_direction)(i % ILP_DIRECTIONS);
		struct ilp_series *s = &w->model->series[w->model->count++];

		snprintf(s->chain, sizeof s->chain, "%s", c->name);
		s->direction = d;
		s->mark = ilp_mark(c, d);
		s->ways = c->way_count[d] < ILP_WAYS_MAX ? c->way_count[d] : ILP_WAYS_MAX;
	}
	w->model->knots = KNOTS;
	memcpy(w->model->size, knots, sizeof knots);
	int error = ways_open(&w->room, w->chains, knots[KNOTS - 1], 1);
	while (error == -ENOSPC && w->model->knots > HOT)
		error = ways_open(&w->room, w->chains, knots[--w->model->knots - 1], 1);
	return error;
}

static json_t *as_json(const struct work *w)
{
	const struct ilp_model *m = w->model;
	json_t *list = json_array();

	for (unsigned at = 0; at < m->count; at++) {
		const struct ilp_series *s = &m->series[at];
		const struct ilp_chain *c = chain_of(w, at);
		json_t *choices = json_array();

		for (unsigned k = 0; k < m->knots; k++) {
			struct ilp_choice choice;

			ilp_model_choose(m, c, s->direction, m->size[k], &choice);
			json_array_append_new(choices, json_pack("{s:I, s:s, s:s, s:f}", "bytes", (json_int_t)m->size[k], "way",
				c->ways[s->direction][choice.way].name, "loops", c->ways[s->direction][choice.way].loops, "ns",
				ilp_model_predict(m, c, s->direction, choice.way, choice.tile, m->size[k])));
		}
		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:o}", "chain", s->chain, "direction",
			s->direction == ILP_SEND ? "send" : "recv", "tile", (int)s->tile, "choices", choices));
	}
	return json_pack("{s:s, s:s, s:s, s:[I,I,I], s:f, s:i, s:o}", "cpu", m->cpu, "isa", m->isa, "compiler", m->compiler,
		"caches", (json_int_t)m->cache[0], (json_int_t)m->cache[1], (json_int_t)m->cache[2], "memory_bytes_per_ns",
		m->memory, "tile", (int)m->tile, "chains", list);
}

static void table(const struct work *w)
{
	const struct ilp_model *m = w->model;
	char text[4][24];

	printf("%s, %s, %s\n", m->cpu, m->isa, m->compiler);
	printf("caches L1 %s, L2 %s, L3 %s; a copy of %s: %.1f GB/s; the usual strip: %u bytes\n\n",
		size_format(m->cache[0], text[0]), size_format(m->cache[1], text[1]), size_format(m->cache[2], text[2]),
		size_format(w->room.most, text[3]), m->memory, m->tile);
	printf("%-24s %-4s %5s ", "chain", "", "strip");
	for (unsigned k = 0; k < m->knots; k++)
		printf(" %9s", size_format(m->size[k], text[0]));
	putchar('\n');
	for (unsigned at = 0; at < m->count; at++) {
		const struct ilp_series *s = &m->series[at];

		printf("%-24s %-4s %5u ", s->chain, s->direction == ILP_SEND ? "send" : "recv", s->tile);
		for (unsigned k = 0; k < m->knots; k++) {
			struct ilp_choice choice;

			ilp_model_choose(m, chain_of(w, at), s->direction, m->size[k], &choice);
			printf(" %9s", chain_of(w, at)->ways[s->direction][choice.way].name);
		}
		putchar('\n');
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 'o':
		r->out = arg;
		break;
	case 'j':
		r->json = true;
		break;
	case 's':
		r->seconds = (unsigned)arguments_number(state, arg, 10, 3600);
		break;
	case ARGP_KEY_ARG:
		r->chains[r->count++] = arguments_loaded(state, arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Where to, before anything is measured. */
static int out_path(const struct request *r, const char *compiler, char *path)
{
	if (r->out)
		return snprintf(path, PATH_MAX, "%s", r->out) < PATH_MAX ? 0 : -ENAMETOOLONG;
	const int error = ilp_model_path(path, compiler);
	if (error == -ENOENT)
		fprintf(stderr, "tcpu calibrate: ILP_MODEL is empty, or there is no home: where is the model to go? --out says it\n");
	return error == -ENOENT ? -EPROTO : error;
}

static int told(const char *path, int error)
{
	if (error)
		fprintf(stderr, "tcpu calibrate: %s: %s: is the model to go elsewhere? --out says where\n", path, strerror(-error));
	return error ? -EPROTO : 0;
}

static int report(const struct work *w, bool json)
{
	if (!json) {
		table(w);
		return 0;
	}
	return arguments_json(stdout, as_json(w), JSON_INDENT(1) | JSON_SORT_KEYS);
}

/* The model of one compiler's chains, which end with NULL. */
static int make_model(const struct request *r, const struct ilp_chain *const *chains, uint64_t ns)
{
	struct ilp_model model;
	struct work w = { .chains = chains, .model = &model, .begun = measure_now_ns() };
	char path[PATH_MAX];

	ilp_model_here(&model, chains[0]->compiler);
	w.until = w.begun + ns;
	int error = out_path(r, chains[0]->compiler, path);
	if (!error)
		error = told(path, ilp_model_try(path));
	if (!error)
		error = plan(&w);
	if (!error)
		error = measure(&w);
	if (!error) {
		ilp_model_settle(&model);
		error = told(path, ilp_model_write(&model, path));
	}
	if (!error)
		error = report(&w, r->json);
	if (!error)
		fprintf(stderr, "the model is %s\n", path);
	ways_close(&w.room);
	free(w.call);
	free(w.measure);
	free(model.series);
	return error;
}

/* A model is of one compiler, and a file holds one model: whether those of all chains have a file each. */
static int one_file_each(const struct request *r, const struct ilp_chain *const *chains, unsigned count)
{
	char first[PATH_MAX], path[PATH_MAX];
	int error = count ? out_path(r, chains[0]->compiler, first) : -ENOENT;

	for (unsigned i = 1; !error && i < count; i++) {
		if (!strcmp(chains[i]->compiler, chains[0]->compiler))
			continue;
		error = out_path(r, chains[i]->compiler, path);
		if (error || strcmp(first, path) != 0)
			continue;
		fprintf(stderr, "tcpu calibrate: %s: %s is of %s, others of %s, and a model is of one compiler: set ILP_CC to that, "
			"or name no file for the model\n", path, chains[i]->name, chains[i]->compiler, chains[0]->compiler);
		error = -EPROTO;
	}
	return error;
}

/* For each compiler that made some of them; of the time, as much as its chains are of all. */
static int make_models(const struct request *r, const struct ilp_chain *const *chains, unsigned count)
{
	const struct ilp_chain **group = calloc(count + 1, sizeof *group);
	int error = group ? one_file_each(r, chains, count) : -ENOMEM;

	for (unsigned i = 0; !error && i < count; i++) {
		unsigned before = 0, n = 0;

		while (strcmp(chains[before]->compiler, chains[i]->compiler) != 0)
			before++;
		if (before < i)
			continue;
		for (unsigned k = i; k < count; k++)
			if (!strcmp(chains[k]->compiler, chains[i]->compiler))
				group[n++] = chains[k];
		group[n] = NULL;
		error = make_model(r, group, r->seconds * 1000000000ULL * n / count);
	}
	free(group);
	return error;
}

int verb_calibrate(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "out", 'o', "FILE", 0, "where the model goes [ILP_MODEL, or tcpu/model-COMPILER in the user's cache]", 0 },
		{ "seconds", 's', "N", 0, "how long it may take, as far as it can: 10 to 3600 [45]", 0 },
		{ "json", 'j', NULL, 0, "say what was found as JSON", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "[FILE...]",
		"Measure every way to run every chain that is compiled in, and those that FILEs describe, into a small model by "
		"which a way is chosen for a size (ilp/choose.h). It is of this CPU, the chains' compiler, and the instruction "
		"set that ILP_ISA allows; where FILEs' compiler (ILP_CC) is another, there are two.\v"
		"Example: tcpu calibrate --seconds 45",
		NULL, NULL, NULL
	};
	struct request r = { .seconds = 45, .chains = calloc((size_t)argc + 2, sizeof *r.chains) };
	unsigned n = 0;

	if (!r.chains)
		return TCPU_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &r);
	while (ilp_chains[n])
		n++;
	const struct ilp_chain **chains = calloc(n + r.count + 1, sizeof *chains);
	int error = chains ? 0 : -ENOMEM;
	if (!error) {
		memcpy(chains, ilp_chains, n * sizeof *chains);
		memcpy(chains + n, r.chains, r.count * sizeof *chains);
		error = make_models(&r, chains, n + r.count);
	}
	if (error && error != -EPROTO) /* which it has told */
		fprintf(stderr, "tcpu calibrate: %s\n", strerror(-error));
	free(chains);
	free(r.chains);
	return error ? TCPU_FAILED : TCPU_OK;
}

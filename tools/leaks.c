/* tcpu leaks: whether the time that a chain takes tells of keys or of data, by dudect's method (O. Reparaz, J. Balasch,
 * I. Verbauwhede: Dude, is my code constant time?, DATE 2017). An ADU in one call, with a key and data that are all
 * zeros, or random; which, chance decides for each sample. Welch's test compares the two, all samples and those that
 * took least. It sees the loops as this CPU runs them, and those of instruction sets that valgrind does not know
 * (tests/constant.c); it sees no leak that is smaller than the noise. */
#include "tools/arguments.h"
#include "tools/measure.h"
#include "tools/stats.h"
#include "tools/tcpu.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define LIMIT 10        /* of |t|: where dudect says that time is probably not constant; of so many tests, some come to
			 * the usual 4.5 by chance */
#define BATCH 128       /* samples that are prepared before they are measured */
#define BYTES_MAX (64 << 10)
#define CLASS_LEAST 100 /* samples of each class that are compared */

static const uint8_t with[21] = "associated: no secret";
static const char *const verdicts[] = { "ok", "unsure", "leaks" };
enum verdict { CLEAN, UNSURE, LEAKS, VERDICTS };

struct request {
	uint64_t sizes[ARGUMENTS_SIZES_MAX];
	unsigned size_count;
	bool direction[ILP_DIRECTIONS];
	bool every_isa, json;
	size_t samples;
	uint64_t seed;
	const struct ilp_chain *const *chains;
	const struct ilp_chain **named;
	unsigned count;
};

/* A chain in a direction, by an instruction set, at a size. */
struct point {
	const struct ilp_chain *chain;
	enum ilp_direction direction;
	enum ilp_isa isa;
	size_t bytes;
	double t, again; /* the largest |t|; that of a second run, where the first is above the limit */
	enum verdict verdict;
};

/* What a point's samples need. A slot is a state with its parameters, and behind it what goes in. */
struct room {
	size_t state_size, slot_size;
	uint8_t *memory, *slots, *plain, *src, *dst, *tmp;
	size_t len[BATCH]; /* of what goes in */
	struct ilp_any state;
};

struct run {
	const struct request *request;
	uint64_t random;
	uint32_t *ticks, *sorted; /* of each sample; they all, ascending */
	uint8_t *class;           /* of each: 0 zeros, 1 random */
	json_t *list;
	unsigned counts[VERDICTS];
};

/* ---- one sample ---- */

/* Nothing before it is still under way, nothing behind it has begun. */
static inline uint64_t now(void)
{
#if defined(__x86_64__)
	_mm_lfence();
	const uint64_t t = __rdtsc();
	_mm_lfence();
	return t;
#elif defined(__aarch64__)
	uint64_t t;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(t) : : "memory");
	return t;
#else
	return measure_now_ns();
#endif
}

/* Both classes by the same instructions: `all` is 0 or ~0. */
static void fill(uint8_t *to, size_t n, uint64_t all, uint64_t *random)
{
	for (size_t i = 0; i < n; i += 8) {
		const uint64_t x = measure_random(random) & all;

		memcpy(to + i, &x, n - i < 8 ? n - i : 8);
	}
}

static size_t rounded(size_t n)
{
	return (n + ILP_ALIGN - 1) / ILP_ALIGN * ILP_ALIGN;
}

static int open_room(struct room *r, const struct point *p)
{
	const struct ilp_chain *c = p->chain;
	const size_t wire = ilp_room(c, ILP_SEND, p->bytes), back = ilp_room(c, ILP_RECV, wire);
	const size_t out = wire > back ? wire : back;
	size_t tmp = ilp_scratch(c, ILP_SEND, ILP_FUSED, p->bytes), tmp_recv = ilp_scratch(c, ILP_RECV, ILP_FUSED, wire);

	tmp = rounded(tmp > tmp_recv ? tmp : tmp_recv);
	r->state_size = rounded(c->state_size);
	r->slot_size = r->state_size + out;
	r->memory = aligned_alloc(ILP_ALIGN, BATCH * r->slot_size + rounded(p->bytes) + 2 * out + tmp + ILP_ALIGN);
	if (!r->memory)
		return -ENOMEM;
	r->slots = r->memory;
	r->plain = r->slots + BATCH * r->slot_size;
	r->src = r->plain + rounded(p->bytes);
	r->dst = r->src + out;
	r->tmp = r->dst + out;
	memset(r->slots, 0, (size_t)(r->tmp - r->slots) + tmp);
	return 0;
}

/* A slot's state and data; on the way in, what was sent by the same key, so that it is not refused. -EPROTO. */
static int prepare(const struct point *p, struct room *r, unsigned i, uint8_t class, uint64_t *random)
{
	const struct ilp_chain *c = p->chain;
	uint8_t *state = r->slots + i * r->slot_size, *data = state + r->state_size;
	const uint64_t all = 0 - (uint64_t)class;

	memset(state, 0, r->state_size);
	((struct ilp_state *)state)->row = 1 + p->isa;
	for (const struct ilp_param *param = c->params; param && param->name; param++)
		if (param->secret)
			fill(state + param->offset, param->size, all, random);
	fill(r->plain, p->bytes, all, random);
	r->len[i] = p->bytes;
	if (p->direction == ILP_SEND) {
		memcpy(data, r->plain, p->bytes);
		return 0;
	}
	memcpy(&r->state, state, r->state_size);
	const ptrdiff_t n = c->once[ILP_SEND][p->isa](&r->state, data, r->plain, p->bytes, with,
		c->associate ? sizeof with : 0, r->tmp);
	r->len[i] = n < 0 ? 0 : (size_t)n;
	return n < 0 ? -EPROTO : 0;
}

/* Ticks of a call, on memory that is the same for all samples. -EPROTO: it refused what it was given. */
static int sample(const struct point *p, struct room *r, unsigned i, uint32_t *ticks)
{
	const struct ilp_chain *c = p->chain;
	const uint8_t *state = r->slots + i * r->slot_size;
	ilp_once *once = c->once[p->direction][p->isa];
	const size_t len = r->len[i], with_len = c->associate ? sizeof with : 0;

	memcpy(&r->state, state, r->state_size);
	memcpy(r->src, state + r->state_size, len);
	const uint64_t from = now();
	const ptrdiff_t n = once(&r->state, r->dst, r->src, len, with, with_len, r->tmp);
	const uint64_t took = now() - from;
	*ticks = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
	return n < 0 ? -EPROTO : 0;
}

static int take_samples(struct run *run, const struct point *p, struct room *r)
{
	const size_t samples = run->request->samples;
	int error = 0;

	for (size_t from = 0; from < samples && !error; from += BATCH) {
		const unsigned n = samples - from < BATCH ? (unsigned)(samples - from) : BATCH;

		for (unsigned i = 0; i < n && !error; i++) {
			run->class[from + i] = (uint8_t)(measure_random(&run->random) >> 63);
			error = prepare(p, r, i, run->class[from + i], &run->random);
		}
		for (unsigned i = 0; i < n && !error; i++)
			error = sample(p, r, i, &run->ticks[from + i]);
	}
	return error;
}

/* ---- what they say ---- */

static int ascending(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The largest |t|: of all samples, and of the shares of them that took least, since what disturbs a sample makes it
 * longer, and hides small differences. */
static double largest_t(const struct run *run)
{
	static const double shares[] = { 1, 0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25, 0.1 };
	const size_t samples = run->request->samples;
	double largest = 0;

	memcpy(run->sorted, run->ticks, samples * sizeof *run->sorted);
	qsort(run->sorted, samples, sizeof *run->sorted, ascending);
	for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
		const uint32_t most = run->sorted[(size_t)(shares[k] * (double)(samples - 1))];
		struct stats_mean of[2] = { 0 };

		for (size_t i = 0; i < samples; i++)
			if (run->ticks[i] <= most)
				stats_count(&of[run->class[i]], run->ticks[i]);
		if (of[0].n >= CLASS_LEAST && of[1].n >= CLASS_LEAST)
			largest = fmax(largest, fabs(stats_welch(&of[0], &of[1], 1)));
	}
	return largest;
}

/* What is found is to be found again. */
static int judge(struct run *run, struct point *p)
{
	struct room r;
	int error = open_room(&r, p);

	if (error)
		return error;
	error = take_samples(run, p, &r);
	p->t = error ? 0 : largest_t(run);
	if (p->t > LIMIT) {
		error = take_samples(run, p, &r);
		p->again = error ? 0 : largest_t(run);
		p->verdict = p->again > LIMIT ? LEAKS : UNSURE;
	}
	if (error == -EPROTO)
		fprintf(stderr, "tcpu leaks: %s %s: refuses what it made itself\n", p->chain->name, ilp_isa_name(p->isa));
	free(r.memory);
	return error;
}

static void say(struct run *run, const struct point *p)
{
	const char *direction = p->direction == ILP_SEND ? "send" : "recv", *isa = ilp_isa_name(p->isa);
	char size[24], again[24] = "";

	run->counts[p->verdict]++;
	if (run->list) {
		json_t *one = json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:s}", "chain", p->chain->name, "direction", direction,
			"isa", isa, "bytes", (json_int_t)p->bytes, "samples", (json_int_t)run->request->samples, "t", p->t, "verdict",
			verdicts[p->verdict]);

		if (p->verdict != CLEAN)
			json_object_set_new(one, "again", json_real(p->again));
		json_array_append_new(run->list, one);
		return;
	}
	if (p->verdict != CLEAN)
		snprintf(again, sizeof again, "%.2f", p->again);
	printf("%-24s %-4s %-8s %5s %9zu %9.2f %9s  %s\n", p->chain->name, direction, isa, size_format(p->bytes, size),
		run->request->samples, p->t, again, verdicts[p->verdict]);
	fflush(stdout);
}

/* By all the rows that are asked for, in all sizes. */
static int judge_direction(struct run *run, const struct ilp_chain *c, enum ilp_direction d)
{
	const struct request *r = run->request;
	int error = 0;

	for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++) {
		if (!c->once[d][isa] || !ilp_isa_here(isa) || (!r->every_isa && isa != ilp_isa_of(c, d, ILP_FUSED)))
			continue;
		for (unsigned i = 0; i < r->size_count && !error; i++) {
			struct point p = { .chain = c, .direction = d, .isa = isa, .bytes = r->sizes[i] };

			error = judge(run, &p);
			if (!error)
				say(run, &p);
		}
	}
	return error;
}

/* Whether it is measured where none is named: those that look up by their keys are not what is to be found. */
static bool is_usual(const struct ilp_chain *c)
{
	return c->keyed && !strstr(c->stages, "historic_");
}

static int judge_all(const struct request *r, unsigned *leaks)
{
	struct run run = { .request = r, .random = r->seed, .list = r->json ? json_array() : NULL,
		.ticks = calloc(r->samples, sizeof *run.ticks), .sorted = calloc(r->samples, sizeof *run.sorted),
		.class = calloc(r->samples, sizeof *run.class) };
	int error = run.ticks && run.sorted && run.class ? 0 : -ENOMEM;

	if (!r->json && !error)
		printf("%-24s %-4s %-8s %5s %9s %9s %9s\n", "chain", "", "isa", "bytes", "samples", "|t|", "again");
	for (unsigned c = 0; r->chains[c] && !error; c++)
		for (unsigned d = 0; d < ILP_DIRECTIONS && !error; d++)
			if (r->direction[d] && (r->count || is_usual(r->chains[c])))
				error = judge_direction(&run, r->chains[c], (enum ilp_direction)d);
	*leaks = run.counts[LEAKS];
	if (!error && r->json)
		error = arguments_json(stdout, json_pack("{s:i, s:I, s:O, s:i, s:i, s:i}", "limit", LIMIT, "seed",
			(json_int_t)r->seed, "points", run.list, "ok", (int)run.counts[CLEAN], "unsure", (int)run.counts[UNSURE],
			"leaks", (int)run.counts[LEAKS]), JSON_INDENT(1) | JSON_SORT_KEYS);
	else if (!error)
		printf("\n%u measured: leaks %u; above %d once, and not again %u\n", run.counts[CLEAN] + run.counts[UNSURE] +
			run.counts[LEAKS], run.counts[LEAKS], LIMIT, run.counts[UNSURE]);
	json_decref(run.list);
	free(run.ticks);
	free(run.sorted);
	free(run.class);
	return error;
}

/* ---- a leak, to see that it is seen ---- */

struct planted_state {
	struct ilp_state s;
	uint8_t key[16];
};

/* Compares data with the key, and stops where they differ: at the end where both are zeros. */
static __attribute__((noinline)) ptrdiff_t stop_early(void *state, uint8_t *dst, const uint8_t *src, size_t n,
	const uint8_t *from, size_t from_len, uint8_t *tmp)
{
	const struct planted_state *s = state;
	size_t same = 0;

	(void)from;
	(void)from_len;
	(void)tmp;
	while (same < n && src[same] == s->key[same % sizeof s->key])
		same++;
	*dst = same == n;
	return 1;
}

static size_t no_loop(void *state, uint8_t *dst, const uint8_t *src, size_t n, uint8_t *tmp)
{
	return (size_t)stop_early(state, dst, src, n, NULL, 0, tmp);
}

static const struct ilp_param planted_params[] = {
	{ "planted.key", offsetof(struct planted_state, key), 16, false, true }, { NULL, 0, 0, false, false }
};
static const struct ilp_way planted_ways[ILP_SCHEDULES] = {
	[ILP_FUSED] = { .name = "fused", .loops = "planted", .loop = { [ILP_SCALAR] = no_loop } }
};
static const struct ilp_chain planted = {
	.name = "planted", .stages = "planted", .state_size = sizeof(struct planted_state), .keyed = true,
	.params = planted_params, .ways = { planted_ways, planted_ways },
	.once = { [ILP_SEND] = { [ILP_SCALAR] = stop_early } },
};

/* ---- the verb ---- */

enum { OPT_ISA = 0x100, OPT_SAMPLES, OPT_SEED, OPT_JSON, OPT_SELF_TEST };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 's':
		r->size_count = arguments_sizes(state, arg, r->sizes);
		for (unsigned i = 0; i < r->size_count; i++)
			if (r->sizes[i] > BYTES_MAX)
				argp_error(state, "%ju bytes: expected 64K at most", (uintmax_t)r->sizes[i]);
		break;
	case 'd':
		arguments_direction(state, arg, r->direction);
		break;
	case OPT_ISA:
		r->every_isa = arguments_every_isa(state, arg);
		break;
	case OPT_SAMPLES:
		r->samples = arguments_number(state, arg, 1000, 10000000);
		break;
	case OPT_SEED:
		r->seed = arguments_number(state, arg, 1, UINT64_MAX);
		break;
	case OPT_JSON:
		r->json = true;
		break;
	case OPT_SELF_TEST:
		r->named[r->count++] = &planted;
		break;
	case ARGP_KEY_ARG:
		r->named[r->count++] = strpbrk(arg, "/.") ? arguments_loaded(state, arg) : arguments_chain(state, arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int verb_leaks(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "sizes", 's', "LIST", 0, "bytes of an ADU, 64K at most [64,1460]", 0 },
		{ "direction", 'd', "send|recv|both", 0, "[both]", 0 },
		{ "isa", OPT_ISA, "all", 0, "every instruction set that is here [the one that ilp_pick_once takes]", 0 },
		{ "samples", OPT_SAMPLES, "N", 0, "calls of each, 1000 at least [100000]", 0 },
		{ "seed", OPT_SEED, "N", 0, "of keys, data and order [1]", 0 },
		{ "json", OPT_JSON, NULL, 0, "write JSON", 0 },
		{ "self-test", OPT_SELF_TEST, NULL, 0, "measure a comparison that ends where bytes differ: has to say leaks", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "[CHAIN...]",
		"Whether the time that a chain takes tells of its key or of the data, by dudect's method: calls with both all zeros "
		"or both random, in random order, compared by Welch's t-test. Chains by name or by the file that describes one "
		"[those with keys, but for the historic ones, which look up by them].\v"
		"|t|: the largest, of all samples and of shares that took least; a second run of its own follows where it is above "
		"10. ok: it is not. unsure: the second run does not find it again. leaks: it does. What comes in is what was sent "
		"with the same key: nothing is refused. Data is taken for a secret, too: chains whose lengths depend on it leak.\n"
		"Exit status: 0; 1: something leaks, or it failed; 2: the arguments were wrong.\n\n"
		"Example: tcpu leaks --isa all aes128_gcm_copy",
		NULL, NULL, NULL
	};
	struct request r = { .sizes = { 64, 1460 }, .size_count = 2, .direction = { true, true }, .samples = 100000,
		.seed = 1, .named = calloc((size_t)argc + 1, sizeof *r.named) };
	unsigned leaks = 0;

	if (!r.named)
		return TCPU_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &r);
	r.chains = r.count ? r.named : ilp_chains;
	const int error = judge_all(&r, &leaks);
	if (error && error != -EPROTO) /* which it has told */
		fprintf(stderr, "tcpu leaks: %s\n", strerror(-error));
	free(r.named);
	return error || leaks ? TCPU_FAILED : TCPU_OK;
}

/* What a chain's loops do when they run: how much they load and store, and how long they take. */
#include "tools/explain.h"

#include "ilp/choose.h"
#include "ilp/load.h"
#include "ilp/model.h"
#include "tools/measure.h"
#include "tools/operands.h"
#include "tools/stats.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *const explain_directions[ILP_DIRECTIONS] = { "send", "recv" };

/* One ADU of n bytes, by one loop. */
struct call {
	const struct ilp_chain *chain;
	enum ilp_direction direction;
	unsigned way;
	enum ilp_isa isa;
	size_t n;
	uint8_t *src, *dst, *tmp;
	struct ilp_any state;
};

static void call_close(struct call *c)
{
	if (!c)
		return;
	free(c->src);
	free(c->dst);
	free(c->tmp);
	free(c);
}

static struct call *call_open(const struct ilp_chain *chain, enum ilp_direction direction, unsigned way,
	enum ilp_isa isa, size_t n)
{
	struct call *c = aligned_alloc(_Alignof(struct call), sizeof *c);
	uint64_t random = 1;

	if (!c)
		return NULL;
	*c = (struct call){ .chain = chain, .direction = direction, .way = way, .isa = isa, .n = n,
		.src = operands_memory(n, &random),
		.dst = operands_memory(ilp_room(chain, direction, n) + ILP_HELD_MAX, &random),
		.tmp = operands_memory(ilp_scratch(chain, direction, way, n) + 1, &random) };
	if (c->src && c->dst && c->tmp)
		return c;
	call_close(c);
	return NULL;
}

static void call_run(void *ctx)
{
	struct call *c = ctx;

	c->chain->begin(&c->state);
	size_t out = c->chain->ways[c->direction][c->way].loop[c->isa](&c->state, c->dst, c->src, c->n, c->tmp);
	c->chain->end[c->direction](&c->state, c->dst + out); /* bytes of no sense: it says so */
}

/* Counting ---------------------------------------------------------------------------------------------------- */

static size_t lcm(size_t a, size_t b)
{
	size_t x = a, y = b;

	while (y) {
		size_t rest = x % y;

		x = y;
		y = rest;
	}
	return x ? a / x * b : 0;
}

/* The bytes by which two ADUs differ that are counted: whole units, blocks and runs between marks, so that all else
 * that they load and store is the same. */
#define SPAN_MAX (32 << 20)
static size_t span(const struct ilp_chain *chain)
{
	const struct ilp_growth *out = &chain->growth[ILP_SEND], *in = &chain->growth[ILP_RECV];
	const size_t plain = lcm(65536, chain->block);
	size_t n = lcm(4096, chain->block);
	const size_t run = (size_t)out->every + out->size; /* with its mark */

	if (out->every && run) {
		n = lcm(lcm(n, out->every), run);
		const size_t bare = n / run * out->every; /* on the way in, whole units without marks */
		n *= bare ? lcm(bare, chain->block) / bare : 1;
	}
	if (in->every)
		n = lcm(lcm(n, in->every), in->every + in->size);
	/* What grows by its data has no units. */
	return (out->every || in->every) && n < SPAN_MAX ? n : plain;
}

static int count(const struct ilp_chain *chain, enum ilp_direction d, unsigned way, enum ilp_isa isa, json_t *rows)
{
	size_t n = span(chain);
	uint64_t *counted = ilp_counted(chain), by[2][2];

	for (unsigned k = 0; k < 2; k++) {
		struct call *c = call_open(chain, d, way, isa, (k + 1) * n);

		if (!c)
			return -1;
		memset(counted, 0, sizeof by[k]);
		call_run(c);
		memcpy(by[k], counted, sizeof by[k]);
		call_close(c);
	}
	return json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:f, s:f}", "direction", explain_directions[d],
		"schedule", chain->ways[d][way].name, "isa", ilp_isa_name(isa), "loads",
		(double)(by[1][0] - by[0][0]) / (double)n, "stores", (double)(by[1][1] - by[0][1]) / (double)n));
}

json_t *explain_counts(const char *file, const struct explain_isas *isas)
{
	const struct ilp_chain *chain;
	char why[2048];

	if (ilp_load(file, &(struct ilp_load_options){ .counted = true }, &chain, why, sizeof why) != 0) {
		fprintf(stderr, "tcpu explain: loops that count: %s\n", why);
		return NULL;
	}
	json_t *rows = json_array();
	int error = 0;
	for (unsigned d = 0; d < ILP_DIRECTIONS; d++)
		for (unsigned way = 0; way < chain->way_count[d]; way++)
			for (unsigned isa = 0; isa < ILP_ISAS; isa++)
				if (isas->of[isa] && chain->ways[d][way].loop[isa] && ilp_isa_here((enum ilp_isa)isa) && !error)
					error = count(chain, (enum ilp_direction)d, way, (enum ilp_isa)isa, rows);
	ilp_unload(chain);
	if (!error)
		return rows;
	fputs("tcpu explain: out of memory\n", stderr);
	json_decref(rows);
	return NULL;
}

/* Times ------------------------------------------------------------------------------------------------------- */

/* At 64 KiB: what a segment of the largest size takes. */
#define CHOICE_BYTES 65536

/* Why no model says it: there is none, it is wrong or another's, or it does not know the chain. */
static void why_default(const struct ilp_chain *chain, char *text, size_t size)
{
	const char *named = secure_getenv("ILP_MODEL");
	char path[PATH_MAX], why[512] = "";
	struct ilp_model *m = NULL;
	int error = ilp_model_path(path, chain->compiler);

	if (!error)
		error = ilp_model_read(path, chain->compiler, &m, why, sizeof why);
	ilp_model_free(m);
	if (!error)
		snprintf(text, size, "the default; %.256s does not know the chain: `tcpu calibrate` measures it", path);
	else if (error == -ENOENT && (!named || !*named))
		snprintf(text, size, "the default; %s", named ? "ILP_MODEL is empty, which is for no model" :
			"`tcpu calibrate` makes a model");
	else
		snprintf(text, size, "the default; %s: %.512s", named ? "the model that ILP_MODEL names" : "the model",
			*why ? why : strerror(-error));
}

json_t *explain_choice(const struct ilp_chain *chain, enum ilp_direction direction)
{
	struct ilp_choice choice;
	char why[640] = "the least at 64 KiB by the model of this machine";

	ilp_choose(chain, direction, CHOICE_BYTES, &choice);
	if (!choice.measured)
		why_default(chain, why, sizeof why);
	return json_pack("{s:s, s:s}", "schedule", chain->ways[direction][choice.way].name, "why", why);
}

/* ns for each KiB; negative: nothing is predicted. The model is of the instruction set that loops take here. */
static double predicted(const struct call *c)
{
	const bool taken = c->isa == ilp_isa_of(c->chain, c->direction, c->way);
	const double ns = taken ? ilp_predict(c->chain, c->direction, c->way, ILP_TILE, c->n) : 0;

	return ns > 0 ? ns * 1024 / (double)c->n : -1;
}

static const size_t sizes[] = { 1024, 65536 };
#define SIZES (sizeof sizes / sizeof *sizes)
#define ROUNDS 15
#define SAMPLE_NS 20000

static json_t *time_row(struct measure *m)
{
	const struct call *c = m->ctx;
	double kib = (double)c->n / 1024, guess = predicted(c);
	json_t *row = json_pack("{s:s, s:s, s:s, s:I, s:f}", "direction", explain_directions[c->direction], "schedule",
		c->chain->ways[c->direction][c->way].name, "isa", ilp_isa_name(c->isa), "bytes", (json_int_t)c->n, "ns_per_kib",
		stats_median(m->ns, ROUNDS).median / kib);

	if (guess >= 0)
		json_object_set_new(row, "predicted_ns_per_kib", json_real(guess));
	return row;
}

json_t *explain_times(const struct ilp_chain *chain, enum ilp_isa isa)
{
	size_t n = 0, room = SIZES * (chain->way_count[ILP_SEND] + chain->way_count[ILP_RECV]);
	struct measure *m = calloc(room + 1, sizeof *m);
	json_t *rows = json_array();
	int error = m ? 0 : -1;

	for (unsigned d = 0; d < ILP_DIRECTIONS; d++)
		for (unsigned way = 0; way < chain->way_count[d]; way++)
			for (unsigned k = 0; k < SIZES && !error && chain->ways[d][way].loop[isa]; k++) {
				m[n] = (struct measure){ .run = call_run,
					.ctx = call_open(chain, (enum ilp_direction)d, way, isa, sizes[k]) };
				error = m[n].ctx ? 0 : -1;
				n += !error;
			}
	if (!error)
		error = measure_all(m, n, &(struct measure_plan){ .rounds = ROUNDS, .sample_ns = SAMPLE_NS, .warm = true,
			.seed = 1 });
	for (size_t i = 0; i < n; i++) {
		if (!error)
			json_array_append_new(rows, time_row(&m[i]));
		call_close(m[i].ctx);
	}
	if (m && !error)
		measure_free(m, n);
	free(m);
	if (!error)
		return rows;
	fputs("tcpu explain: out of memory\n", stderr);
	json_decref(rows);
	return NULL;
}

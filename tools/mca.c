/* tcpu mca: the verb. */
#include "tools/mca.h"

#include "tools/arguments.h"
#include "tools/tcpu.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_ISA = 0x100, OPT_CPU, OPT_OBJECT, OPT_JSON };

static const struct argp_option options[] = {
	{ "direction", 'd', "send|recv|both", 0, "[both]", 0 },
	{ "isa", OPT_ISA, "all", 0, "every instruction set that was compiled in [the one that ilp_pick takes]", 0 },
	{ "cpu", OPT_CPU, "NAME", 0, "whose model: a name of `llvm-mca -mcpu=help` [see below]", 0 },
	{ "object", OPT_OBJECT, "FILE", 0, "an object file with one chain's loops, instead of those of this command", 0 },
	{ "json", OPT_JSON, NULL, 0, "write JSON", 0 },
	{ 0 },
};

struct request {
	const struct ilp_chain **chains;
	unsigned count;
	bool direction[ILP_DIRECTIONS];
	bool every_isa, json;
	const char *cpu, *object;
};

static const char *const direction_names[ILP_DIRECTIONS] = { "send", "recv" };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 'd':
		arguments_direction(state, arg, r->direction);
		break;
	case OPT_ISA:
		r->every_isa = arguments_every_isa(state, arg);
		break;
	case OPT_CPU:
		r->cpu = arg;
		break;
	case OPT_OBJECT:
		r->object = arg;
		break;
	case OPT_JSON:
		r->json = true;
		break;
	case ARGP_KEY_ARG:
		r->chains[r->count++] = arguments_chain(state, arg);
		break;
	case ARGP_KEY_END:
		if (r->object && r->count)
			argp_error(state, "--object and a CHAIN: expected one of them; an object holds one chain's loops");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

struct row {
	const char *chain, *direction, *isa;
	struct mca_bound bound;
};

static void put_head(const struct mca *m)
{
	printf("Throughput bounds of fused loops' main loops, as llvm-mca computes them; this CPU's clock: %.2f GHz\n"
		"cycles a turn, by throughput alone (bound) and simulated (with what a turn waits for of another)\n\n"
		"  %-24s %-4s %-7s %6s %6s %7s %9s %10s %9s %7s  %s\n", mca_ghz(m), "chain", "", "isa", "bytes", "instr",
		"bound", "simulated", "cycles/KiB", "ns/KiB", "GB/s", "model");
}

static void put_text(const struct mca *m, const struct row *row)
{
	const struct mca_bound *b = &row->bound;

	printf("  %-24s %-4s %-7s ", row->chain, row->direction, row->isa);
	if (!b->has) {
		printf("none: %s\n", b->why);
		return;
	}
	double ns = mca_ns_per_byte(m, b);
	printf("%6u %6zu %7.2f %9.2f %10.2f %9.2f %7.1f  %s%s\n", b->loop.bytes, b->instructions, b->cycles, b->simulated,
		1024 * b->cycles / b->loop.bytes, 1024 * ns, 1 / ns, b->cpu, b->this_cpu ? "" : ", another CPU's");
}

static json_t *row_json(const struct mca *m, const struct row *row)
{
	const struct mca_bound *b = &row->bound;
	json_t *json = json_pack("{s:s, s:s, s:s}", "chain", row->chain, "direction", row->direction, "isa", row->isa);

	if (!b->has) {
		json_object_set_new(json, "none", json_string(b->why));
		return json;
	}
	double ns = mca_ns_per_byte(m, b);
	char address[24];
	snprintf(address, sizeof address, "0x%" PRIx64, b->loop.address);
	json_object_update_new(json, json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:s, s:b}", "symbol",
		b->loop.symbol, "address", address, "bytes_per_turn", (json_int_t)b->loop.bytes, "instructions",
		(json_int_t)b->instructions, "cycles_per_turn", b->cycles, "simulated_cycles_per_turn", b->simulated,
		"cycles_per_kib", 1024 * b->cycles / b->loop.bytes, "ns_per_kib", 1024 * ns, "gb_per_s", 1 / ns, "model",
		b->cpu, "model_of_this_cpu", b->this_cpu));
	return json;
}

/* Every row that is asked for of one chain; chain is NULL for an object. */
static int chain_rows(const struct request *r, struct mca *m, const struct ilp_chain *chain, json_t *rows,
	unsigned *count)
{
	for (unsigned d = 0; d < ILP_DIRECTIONS; d++)
		for (unsigned isa = 0; isa < ILP_ISAS; isa++) {
			struct row row = { .chain = chain ? chain->name : r->object, .direction = direction_names[d],
				.isa = ilp_isa_name((enum ilp_isa)isa) };

			/* The model of this CPU knows no instructions that it has not. */
			if (!r->cpu && !ilp_isa_here((enum ilp_isa)isa))
				continue;
			if (!r->direction[d] || (chain && !r->every_isa && chain->ways[d][ILP_FUSED].loop[isa] !=
				ilp_pick(chain, (enum ilp_direction)d, ILP_FUSED)))
				continue;
			int error = mca_bound(m, chain, (enum ilp_direction)d, (enum ilp_isa)isa, &row.bound);
			if (error == -ENOENT)
				continue;
			if (error)
				return error;
			++*count;
			if (rows)
				json_array_append_new(rows, row_json(m, &row));
			else
				put_text(m, &row);
		}
	return 0;
}

static int report(const struct request *r, struct mca *m)
{
	const struct ilp_chain *const *chains = r->count ? r->chains : ilp_chains;
	json_t *rows = r->json ? json_array() : NULL;
	unsigned count = 0;
	int error = 0;

	if (!r->json)
		put_head(m);
	if (r->object)
		error = chain_rows(r, m, NULL, rows, &count);
	for (unsigned i = 0; !r->object && chains[i] && !error; i++)
		error = chain_rows(r, m, chains[i], rows, &count);
	if (!error && !count) {
		fprintf(stderr, "tcpu mca: %s: no fused loop: expected an object like build/gcc/gen/copy_sum.o\n",
			r->object ? r->object : "this command");
		error = -ENOENT;
	}
	if (rows && !error)
		error = arguments_json(stdout, json_pack("{s:f, s:O}", "ghz", mca_ghz(m), "loops", rows),
			JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	json_decref(rows);
	return error;
}

int verb_mca(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CHAIN...]",
		"The throughput bound of chains' [all] fused loops: what llvm-mca (Debian's package llvm) computes for the main "
		"loop, in cycles, and in time by this CPU's clock, which is measured.\v"
		"The bound takes data to be in the first cache, and turns to wait for nothing. It is by a model of the CPU that "
		"LLVM takes this one for; where it does not know it, of Zen 3 on one of AMD's, of an Ice Lake server on others "
		"and for AVX-512. Loops around other loops, like those of a cipher, have no bound that is told.\n\n"
		"Example: tcpu mca --direction send xdr_copy_sum",
		NULL, NULL, NULL
	};
	struct request r = { .chains = calloc((size_t)argc + 1, sizeof *r.chains), .direction = { true, true } };

	if (!r.chains)
		return TCPU_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &r);
	struct mca *m = mca_open("tcpu mca", r.object, r.cpu);
	int error = m ? report(&r, m) : -EIO;
	mca_close(m);
	free(r.chains);
	return error ? TCPU_FAILED : TCPU_OK;
}

/* tcpu explain: the verb. What the planner has to say is worked out by the generator
 * (ilp/gen/explain.lua and listing.lua).
 * What loops do, and what their code has in it, by the other files of tools/explain.h. */
#include "tools/explain.h"

#include "ilp/load.h"
#include "tools/tcpu.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_JSON = 0x100, OPT_GRAPH, OPT_COUNT, OPT_REGISTERS, OPT_TIMES, OPT_ALL, OPT_ISA, OPT_C, OPT_ASM };

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "More sections of the page:", 1 },
	{ "graph", OPT_GRAPH, NULL, 0, "what the stages' functions do, an operation a line, and where the Lua says so", 1 },
	{ "count", OPT_COUNT, NULL, 0, "loads and stores, counted by loops that are made to count and run; takes a compiler",
		1 },
	{ "registers", OPT_REGISTERS, NULL, 0, "vector registers and spills in the machine code; takes llvm-objdump", 1 },
	{ "times", OPT_TIMES, NULL, 0, "ns for each KiB of every way, measured and predicted", 1 },
	{ "all", OPT_ALL, NULL, 0, "all of these", 1 },
	{ NULL, 0, NULL, 0, "Instead of the page:", 2 },
	{ "c", OPT_C, NULL, 0, "the C of the fused loop", 2 },
	{ "asm", OPT_ASM, NULL, 0, "its machine code; takes llvm-objdump", 2 },
	{ NULL, 0, NULL, 0, "And:", 3 },
	{ "direction", 'd', "send|recv", 0, "of --c and --asm, and for these only [send]", 3 },
	{ "isa", OPT_ISA, "NAME", 0, "a name that `tcpu isa` lists; of code, counts and times [for --c, --asm "
		"and --times the one that loops take; else all that this CPU has]", 3 },
	{ "json", OPT_JSON, NULL, 0, "write JSON", 3 },
	{ 0 },
};

struct request {
	char **chains;
	bool json, graph, count, registers, times, c, as_asm;
	bool directed; /* a direction was named */
	enum ilp_direction direction;
	const char *isa_name;
	enum ilp_isa isa;
	struct explain_isas isas;
};

static void choose_isa(struct request *r, const char *name, struct argp_state *state)
{
	unsigned isa = 0;

	while (isa < ILP_ISAS && strcmp(name, ilp_isa_name((enum ilp_isa)isa)) != 0)
		isa++;
	if (isa == ILP_ISAS)
		argp_error(state, "isa '%s': expected a name that `tcpu isa` lists", name);
	r->isa_name = name;
	r->isa = (enum ilp_isa)isa;
}

/* What is counted or timed has to run. */
static void refuse_isa(const char *name, struct argp_state *state)
{
	char here[128] = "";
	size_t len = 0;

	for (unsigned isa = 0; isa < ILP_ISAS; isa++)
		if (ilp_isa_here((enum ilp_isa)isa))
			len += (size_t)snprintf(here + len, sizeof here - len, "%s%s", len ? ", " : "",
				ilp_isa_name((enum ilp_isa)isa));
	argp_error(state, "this CPU has no %s: --count and --times run loops, expected one of %s; or leave --isa out", name,
		here);
}

static void check(struct request *r, struct argp_state *state)
{
	if (!r->chains && (r->json || r->c || r->as_asm || r->graph || r->count || r->registers || r->times))
		argp_error(state, "which chains? without one, those that are compiled in are listed, and no option is of use");
	if (r->c + r->as_asm + (r->json || r->graph || r->count || r->registers || r->times) > 1)
		argp_error(state, "--c and --asm stand alone: expected one of them, or options of the page");
	if (r->directed && !r->c && !r->as_asm)
		argp_error(state, "-d: --c and --asm show one direction, and the page has both: leave it out, or add one of these");
	if (r->isa_name && !r->c && !r->as_asm && !r->count && !r->registers && !r->times)
		argp_error(state, "--isa: the page tells of all without it: leave it out, or add --c, --asm, --count, --registers "
			"or --times");
	if ((r->count || r->times) && r->isa_name && !ilp_isa_here(r->isa))
		refuse_isa(r->isa_name, state);
	for (unsigned isa = 0; isa < ILP_ISAS; isa++)
		r->isas.of[isa] = r->isa_name ? isa == r->isa : ilp_isa_here((enum ilp_isa)isa);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case OPT_JSON: r->json = true; break;
	case OPT_GRAPH: r->graph = true; break;
	case OPT_COUNT: r->count = true; break;
	case OPT_REGISTERS: r->registers = true; break;
	case OPT_TIMES: r->times = true; break;
	case OPT_ALL: r->graph = r->count = r->registers = r->times = true; break;
	case OPT_C: r->c = true; break;
	case OPT_ASM: r->as_asm = true; break;
	case OPT_ISA: choose_isa(r, arg, state); break;
	case 'd':
		if (strcmp(arg, "send") != 0 && strcmp(arg, "recv") != 0)
			argp_error(state, "direction '%s': expected send or recv", arg);
		r->directed = true;
		r->direction = strcmp(arg, "send") != 0 ? ILP_RECV : ILP_SEND;
		break;
	case ARGP_KEY_ARGS:
		r->chains = state->argv + state->next;
		break;
	case ARGP_KEY_END:
		check(r, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* What the generator says ------------------------------------------------------------------------------------- */

/* Calls a function of the generator's that gives text and a table, or nil and a message: the text to stdout, or the
 * table to *json if that is wanted. The arguments are on the stack. */
static int ask(lua_State *L, const char *name, int arguments, json_t **json)
{
	int status = generator_call(L, name, arguments, 2);

	if (status != TCPU_OK)
		return status;
	if (lua_isnil(L, -2)) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		return TCPU_FAILED;
	}
	if (json)
		*json = lua_json(L, lua_gettop(L));
	if (lua_type(L, -2) == LUA_TSTRING)
		lua_pop(L, 1);
	return TCPU_OK;
}

/* Sections ---------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static double number_of(const json_t *row, const char *name)
{
	return json_number_value(json_object_get(row, name));
}

static const char *plural(double n)
{
	return fabs(n - 1) < 5e-5 ? "" : "s"; /* as "%.4g" has it */
}

/* What the planner says of that direction and schedule. */
static const json_t *planned(const json_t *page, const char *direction, const char *schedule)
{
	const json_t *d, *s;
	size_t i, j;

	json_array_foreach(json_object_get(page, "directions"), i, d)
		if (!strcmp(text_of(d, "direction"), direction))
			json_array_foreach(json_object_get(d, "schedules"), j, s)
				if (!strcmp(text_of(s, "schedule"), schedule))
					return s;
	return NULL;
}

/* Says of each row whether it is as the planner has it; all: whether all are. */
static bool compare(json_t *rows, const json_t *page)
{
	bool all = json_array_size(rows) > 0;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const json_t *p = planned(page, text_of(row, "direction"), text_of(row, "schedule"));
		const double most = number_of(p, "within");
		bool same = p && fabs(number_of(row, "loads") - number_of(p, "loads")) < most &&
			    fabs(number_of(row, "stores") - number_of(p, "stores")) < most;

		json_object_set_new(row, "as_planned", json_boolean(same));
		all &= same;
	}
	return all;
}

static void put_counts(const json_t *rows, bool all)
{
	json_t *row;
	size_t i;

	printf("\n  counted: %zu loops have run, and %s\n", json_array_size(rows),
		all ? "each loads and stores what is said above" : "not each loads and stores what is said above:");
	json_array_foreach(rows, i, row)
		if (!json_is_true(json_object_get(row, "as_planned")))
			printf("    %-5s %-11s %-7s %.4g load%s and %.4g store%s a word\n", text_of(row, "direction"),
				text_of(row, "schedule"), text_of(row, "isa"), number_of(row, "loads"),
				plural(number_of(row, "loads")), number_of(row, "stores"), plural(number_of(row, "stores")));
}

static void put_registers(const json_t *rows)
{
	json_t *row;
	size_t i;

	puts("\n  in the machine code of the fused loop's main loop");
	json_array_foreach(rows, i, row) {
		printf("    %-5s %-7s ", text_of(row, "direction"), text_of(row, "isa"));
		if (json_object_get(row, "none")) {
			printf("nothing is told: %s\n", text_of(row, "none"));
			continue;
		}
		int loads = (int)number_of(row, "spill_loads"), stores = (int)number_of(row, "spill_stores");
		printf("%4d bytes a turn, %2d vector registers, ", (int)number_of(row, "bytes"), (int)number_of(row, "vectors"));
		if (loads + stores)
			printf("spills: %d load%s and %d store%s of the stack\n", loads, plural(loads), stores, plural(stores));
		else
			puts("no spills");
	}
}

static void put_times(const json_t *rows)
{
	json_t *row;
	size_t i;

	puts("\n  ns for each KiB, hot");
	json_array_foreach(rows, i, row) {
		if (number_of(row, "bytes") > 1024)
			continue;
		json_t *large = json_array_get(rows, i + 1); /* the same at the next size */
		printf("    %-5s %-11s %-7s", text_of(row, "direction"), text_of(row, "schedule"), text_of(row, "isa"));
		for (unsigned k = 0; k < 2; k++) {
			const json_t *one = k ? large : row, *guess = json_object_get(one, "predicted_ns_per_kib");

			printf(" %8.1f of %2d KiB", number_of(one, "ns_per_kib"), (int)number_of(one, "bytes") / 1024);
			if (guess)
				printf(" (%.1f predicted)", json_number_value(guess));
		}
		putchar('\n');
	}
}

/* A chain and, if it was loaded, the file with its code. */
struct opened {
	const struct ilp_chain *chain;
	bool loaded;
	FILE *object;
	char path[64];
};

static const char *object_of(const struct opened *o)
{
	return o->object ? o->path : NULL;
}

static int chain_open(struct opened *o, const char *chain)
{
	char why[2048];

	*o = (struct opened){ .chain = strpbrk(chain, "/.") ? NULL : ilp_find(chain) };
	if (o->chain)
		return TCPU_OK;
	o->object = tmpfile();
	if (!o->object) {
		perror("tcpu explain: a temporary file");
		return TCPU_FAILED;
	}
	snprintf(o->path, sizeof o->path, "/proc/%ld/fd/%d", (long)getpid(), fileno(o->object));
	const struct ilp_load_options with_object = { .object = fileno(o->object) };
	o->loaded = ilp_load(chain, &with_object, &o->chain, why, sizeof why) == 0;
	if (o->loaded)
		return TCPU_OK;
	fprintf(stderr, "tcpu explain: %s\n", why);
	fclose(o->object);
	return TCPU_FAILED;
}

static void chain_close(struct opened *o)
{
	if (o->loaded)
		ilp_unload(o->chain);
	if (o->object)
		fclose(o->object);
}

static void put_choice(const json_t *rows)
{
	json_t *row;
	size_t i;

	if (rows)
		putchar('\n');
	json_array_foreach(rows, i, row)
		printf("  %s runs %s: %s\n", explain_directions[i], text_of(row, "schedule"), text_of(row, "why"));
}

/* Puts rows into the page. NULL says that there are none, and that why was told. */
static int section(json_t *page, const char *name, json_t *rows)
{
	return rows && json_object_set_new(page, name, rows) == 0 ? TCPU_OK : TCPU_FAILED;
}

/* The instruction set that was named, or that the chain's loops take. */
static enum ilp_isa isa_of(const struct request *r, const struct ilp_chain *chain)
{
	return r->isa_name ? r->isa : ilp_isa_of(chain, r->direction, ILP_FUSED);
}

/* What takes the chain itself, compiled in or loaded. */
static int sections(const struct request *r, const char *name, json_t *page)
{
	struct opened o;
	int status = r->registers || r->times || (ilp_find(name) && !strpbrk(name, "/.")) ? chain_open(&o, name) : -1;

	if (status != TCPU_OK)
		return status < 0 ? TCPU_OK : status;
	status = section(page, "choice", json_pack("[o, o]", explain_choice(o.chain, ILP_SEND),
		explain_choice(o.chain, ILP_RECV)));
	if (status == TCPU_OK && r->registers)
		status = section(page, "machine_code", explain_registers(o.chain, object_of(&o), &r->isas));
	if (status == TCPU_OK && r->times)
		status = section(page, "times", explain_times(o.chain, isa_of(r, o.chain)));
	chain_close(&o);
	return status;
}

/* The instruction set that was named, or all that loops may take. */
static void push_names(lua_State *L, const struct request *r)
{
	const unsigned most = r->isa_name ? r->isa : ilp_isa_best();
	int n = 0;

	lua_newtable(L);
	for (unsigned isa = 0; isa <= most; isa++)
		if (r->isas.of[isa]) {
			lua_pushstring(L, ilp_isa_name((enum ilp_isa)isa));
			lua_rawseti(L, -2, ++n);
		}
}

static int code(const struct request *r, lua_State *L, const char *name)
{
	struct opened o;
	int status;

	if (r->c) {
		lua_pushstring(L, name);
		lua_pushstring(L, explain_directions[r->direction]);
		push_names(L, r);
		status = ask(L, "code", 3, NULL);
		if (status == TCPU_OK)
			fputs(lua_tostring(L, -1), stdout);
		return status;
	}
	status = chain_open(&o, name);
	if (status != TCPU_OK)
		return status;
	status = explain_asm(o.chain, object_of(&o), r->direction, isa_of(r, o.chain), stdout) ? TCPU_FAILED : TCPU_OK;
	chain_close(&o);
	return status;
}

static int explain(const struct request *r, lua_State *L, const char *name, json_t *pages)
{
	json_t *page, *graphs = NULL;
	bool same = true;

	lua_settop(L, 1);
	lua_pushstring(L, name);
	int status = ask(L, "explain", 1, &page);
	if (status != TCPU_OK)
		return status;
	if (!pages)
		fputs(lua_tostring(L, -1), stdout);
	if (r->graph) {
		lua_pushstring(L, name);
		status = ask(L, "graphs", 1, &graphs);
		if (status == TCPU_OK && !pages)
			fputs(lua_tostring(L, -1), stdout);
		if (status == TCPU_OK)
			json_object_set_new(page, "functions", graphs);
	}
	if (status == TCPU_OK && r->count)
		status = section(page, "counted", explain_counts(name, &r->isas));
	if (status == TCPU_OK && r->count)
		same = compare(json_object_get(page, "counted"), page);
	if (status == TCPU_OK)
		status = sections(r, name, page);
	if (status == TCPU_OK && !pages) {
		put_choice(json_object_get(page, "choice"));
		if (r->count)
			put_counts(json_object_get(page, "counted"), same);
		if (r->registers)
			put_registers(json_object_get(page, "machine_code"));
		if (r->times)
			put_times(json_object_get(page, "times"));
	}
	if (pages)
		json_array_append(pages, page);
	json_decref(page);
	if (status == TCPU_OK && !same)
		fprintf(stderr, "tcpu explain: %s: loops load or store other than was planned, which is a bug of one of both\n",
			name);
	return same ? status : TCPU_FAILED;
}

static int list(void)
{
	puts("Chains that are compiled in:");
	for (unsigned i = 0; ilp_chains[i]; i++)
		printf("  %-24s %s\n", ilp_chains[i]->name, ilp_chains[i]->stages);
	return TCPU_OK;
}

int verb_explain(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CHAIN...]",
		"What a chain becomes, and why: verdict, passes, and loads and stores per word, layered, tiled and fused. CHAIN "
		"is a file, or the name of one in ilp/chains/; without one, the chains that are compiled in are listed.\v"
		"A load is counted where a loop takes data from src or from scratch memory, a store where it gives it there or to "
		"dst, marks of a frame included; keystream, a fold's state and bytes that wait for more are none.\n"
		"Exit status: 0; 1: a mistake in the description, something that was asked for is not installed, or what was "
		"counted is not what was planned; 2: the arguments were wrong.\n\n"
		"Example: tcpu explain --registers --times xdr_chacha20_copy_sum",
		NULL, NULL, NULL
	};
	struct request r = { .chains = NULL };
	int status = TCPU_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &r);
	if (!r.chains)
		return list();
	lua_State *L = generator_open();
	if (!L)
		return TCPU_FAILED;
	json_t *pages = r.json ? json_array() : NULL;
	for (char **chain = r.chains; *chain && status == TCPU_OK; chain++)
		status = r.c || r.as_asm ? code(&r, L, *chain) : explain(&r, L, *chain, pages);
	if (pages && json_array_size(pages) > 0 && status == TCPU_OK) {
		/* What cannot be written, main sees and says. */
		if (json_dumpf(pages, stdout, JSON_INDENT(1) | JSON_SORT_KEYS) != 0 && !ferror(stdout))
			status = TCPU_FAILED;
		putchar('\n');
	}
	json_decref(pages);
	lua_close(L);
	return status;
}

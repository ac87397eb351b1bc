/* tcpu gen: the verb. The generator itself is ilp/gen/. */
#include "tools/tcpu.h"

#include <argp.h>
#include <stdlib.h>

static const struct argp_option options[] = {
	{ "out", 'o', "DIR", 0, "where the C goes [.]", 0 },
	{ 0 },
};

struct request {
	const char *out;
	const char **args; /* of the generator: --out DIR FILE... */
	int count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 'o':
		r->out = arg;
		break;
	case ARGP_KEY_ARG:
		r->args[r->count++] = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which chains? expected FILE.lua, like those of ilp/chains/");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int verb_gen(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "FILE.lua...",
		"Write the loops of chains as C: for each its loops, its header and its test, and a table of them all.\v"
		"A mistake in a description is told as file:line: what, expected, what to do; nothing is written then.\n\n"
		"Example: tcpu gen -o loops ilp/chains/xdr_copy_sum.lua",
		NULL, NULL, NULL
	};
	struct request r = { .out = ".", .args = calloc((size_t)argc + 2, sizeof *r.args), .count = 2 };

	if (!r.args)
		return TCPU_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &r);
	r.args[0] = "--out";
	r.args[1] = r.out;
	int status = generator(r.count, r.args);
	free(r.args);
	return status;
}

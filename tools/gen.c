/* tcpu gen: the verb. The generator itself is ilp/gen/. */
#include "tools/tcpu.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option options[] = {
	{ "out", 'o', "DIR", 0, "where it goes; made if need be [.]", 0 },
	{ 0 },
};

struct request {
	const char *out;
	char **chains; /* what is left of argv */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 'o':
		if (!*arg)
			argp_error(state, "-o '': expected a folder; '.' is this one");
		r->out = arg;
		break;
	case ARGP_KEY_ARG:
		return ARGP_ERR_UNKNOWN; /* all of them at once */
	case ARGP_KEY_ARGS:
		r->chains = state->argv + state->next;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which chains? expected names or files, like those of ilp/chains/");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int verb_gen(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "CHAIN...",
		"Write the loops of chains as C: for each its loops, its header, its test and the vectors that this takes; and "
		"chains.c, a table of them all. CHAIN is a file, or the name of one in ilp/chains/.\v"
		"A mistake in a description is told as file:line: what, expected, what to do; nothing is written then.\n\n"
		"Example: tcpu gen -o loops ilp/chains/xdr_copy_sum.lua",
		NULL, NULL, NULL
	};
	struct request r = { .out = "." };

	argp_parse(&argp, argc, argv, 0, NULL, &r);
	lua_State *L = generator_open();
	if (!L)
		return TCPU_FAILED;
	char *made = strdup(r.out);
	size_t there = 0;
	if (!made || folders_make(made, &there) != 0) {
		fprintf(stderr, "tcpu gen: %s: %s\n", r.out, strerror(errno));
		if (made)
			folders_unmake(made, there);
		free(made);
		lua_close(L);
		return TCPU_FAILED;
	}
	const char *const first[] = { "--out", r.out, "--tests", r.out };
	int n = 0;
	lua_newtable(L);
	for (; n < 4; n++) {
		lua_pushstring(L, first[n]);
		lua_rawseti(L, -2, n + 1);
	}
	for (char **chain = r.chains; *chain; chain++) {
		/* A chain's name, not an option of the generator's. */
		lua_pushfstring(L, "%s%s", **chain == '-' ? "./" : "", *chain);
		lua_rawseti(L, -2, ++n);
	}
	int status = generator_call(L, "run", 1, 1);
	if (status == TCPU_OK)
		status = (int)lua_tointeger(L, -1);
	if (status != TCPU_OK)
		folders_unmake(made, there);
	free(made);
	lua_close(L);
	return status;
}

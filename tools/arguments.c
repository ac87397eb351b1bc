/* Arguments that several verbs take. */
#include "tools/arguments.h"

#include "ilp/load.h"
#include "tools/tcpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

unsigned arguments_sizes(struct argp_state *state, char *list, uint64_t sizes[ARGUMENTS_SIZES_MAX])
{
	unsigned count = 0;

	for (char *rest = list, *one; (one = strsep(&rest, ",")) != NULL;) {
		const uint64_t bytes = size_parse(one);

		if (!bytes || bytes > 1 << 30)
			argp_error(state, "'%s' is no size: expected bytes up to 1G, like 1460 or 64K", one);
		if (count == ARGUMENTS_SIZES_MAX)
			argp_error(state, "at most %d sizes", ARGUMENTS_SIZES_MAX);
		sizes[count++] = bytes;
	}
	return count;
}

uint64_t arguments_number(struct argp_state *state, const char *text, uint64_t min, uint64_t max)
{
	char *end;

	errno = 0;
	const unsigned long long n = strtoull(text, &end, 10);
	if (*end || end == text || errno || *text == '-' || n < min || n > max)
		argp_error(state, "'%s': expected a number from %ju to %ju", text, (uintmax_t)min, (uintmax_t)max);
	return n;
}

void arguments_direction(struct argp_state *state, const char *text, bool direction[ILP_DIRECTIONS])
{
	const bool both = !strcmp(text, "both");

	direction[ILP_SEND] = both || !strcmp(text, "send");
	direction[ILP_RECV] = both || !strcmp(text, "recv");
	if (!direction[ILP_SEND] && !direction[ILP_RECV])
		argp_error(state, "direction '%s': expected send, recv or both", text);
}

bool arguments_every_isa(struct argp_state *state, const char *text)
{
	if (strcmp(text, "all") != 0)
		argp_error(state, "isa '%s': expected all; ILP_ISA=%s in the environment lowers the choice", text, text);
	return true;
}

const struct ilp_chain *arguments_chain(struct argp_state *state, const char *name)
{
	const struct ilp_chain *c = ilp_find(name);

	if (!c)
		argp_failure(state, TCPU_FAILED, 0, "there is no chain '%s' compiled in: `tcpu explain` lists them", name);
	return c;
}

const struct ilp_chain *arguments_loaded(struct argp_state *state, const char *file)
{
	const struct ilp_chain *c;
	char why[2048];

	if (ilp_load(file, NULL, &c, why, sizeof why) != 0)
		argp_failure(state, TCPU_FAILED, 0, "%s", why);
	else if (*why)
		fprintf(stderr, "%s: %s\n", state->name, why);
	return c;
}

int arguments_json(FILE *f, json_t *all, size_t flags)
{
	const int error = !all || json_dumpf(all, f, flags) ? -EIO : 0;

	fputc('\n', f);
	json_decref(all);
	return error;
}

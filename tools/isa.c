/* tcpu isa: the verb. */
#include "tools/tcpu.h"

#include "ilp/ilp.h"

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_JSON = 0x100 };

static const struct argp_option options[] = {
	{ "json", OPT_JSON, NULL, 0, "write JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != OPT_JSON)
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

/* Bytes of the widest vectors; 4: words in plain C. */
static const unsigned widths[ILP_ISAS] = { [ILP_SCALAR] = 4, [ILP_SSE2] = 16, [ILP_SSSE3] = 16, [ILP_AESNI] = 16,
	[ILP_AVX2] = 32, [ILP_VAES] = 32, [ILP_AVX512] = 64, [ILP_VAES512] = 64, [ILP_NEON] = 16, [ILP_NEON_AES] = 16,
	[ILP_VX] = 16 };

/* The place of what ILP_ISA names; ILP_ISAS: it names none, and all are allowed. */
static unsigned named(const char *name)
{
	unsigned isa = 0;

	while (isa < ILP_ISAS && !(name && !strcmp(name, ilp_isa_name((enum ilp_isa)isa))))
		isa++;
	return isa;
}

/* Whether some chain's loops take it: those with words of 128 bits take others than those without. */
static bool is_taken(enum ilp_isa isa)
{
	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		if (ilp_isa_of(*c, ILP_SEND, ILP_FUSED) == isa)
			return true;
	return false;
}

int verb_isa(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "",
		"The instruction sets that loops are made for: which of them this CPU has, which ILP_ISA of the environment "
		"allows, and which loops take (*): those of chains with AES or products without carries, and the others.\v"
		"ILP_ISA=NAME allows that one and those listed before it; a value that is no name changes nothing.\n"
		"Exit status: 0; 1: the output cannot be written; 2: the arguments were wrong.\n\n"
		"Example: tcpu isa",
		NULL, NULL, NULL
	};
	bool json = false;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	const char *asked = getenv("ILP_ISA");
	unsigned most = named(asked);
	json_t *rows = json_array();
	if (!json)
		printf("  %-10s %12s   %-12s %s\n", "name", "vector bytes", "this CPU", "ILP_ISA");
	for (unsigned i = 0; i < ILP_ISAS; i++) {
		bool here = ilp_isa_here((enum ilp_isa)i), allowed = i <= most, taken = is_taken((enum ilp_isa)i);
		const char *name = ilp_isa_name((enum ilp_isa)i);

		if (json)
			json_array_append_new(rows, json_pack("{s:s, s:i, s:b, s:b, s:b}", "name", name, "vector_bytes",
				(int)widths[i], "here", here, "allowed", allowed, "taken", taken));
		else
			printf("%s %-10s %12u   %-12s %s\n", taken ? "*" : " ", name, widths[i], here ? "has it" : "has it not",
				allowed ? "allows it" : "does not");
	}
	if (json) {
		json_dumpf(rows, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
		putchar('\n');
	} else if (asked && most == ILP_ISAS)
		printf("\nILP_ISA=%s is no name of these, and changes nothing.\n", asked);
	json_decref(rows);
	return TCPU_OK;
}

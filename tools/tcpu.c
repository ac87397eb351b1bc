/* The command `tcpu`: finds the verb and hands over. */
#include "tools/tcpu.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verb {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "gen", "write the loops of chains as C", verb_gen },
	{ "xdr", "write C that encodes and decodes the types of an XDR file", verb_xdr },
	{ "profile", "what profiles of connections come to", verb_profile },
	{ "isa", "the instruction sets: which this CPU has, and which one loops take", verb_isa },
	{ "explain", "what a chain becomes, and why; its graph, code, loads and stores, times", verb_explain },
	{ "bench", "measure chains: ns per byte and per call, layered, tiled, fused", verb_bench },
	{ "calibrate", "measure this machine: which way is the fastest for which size", verb_calibrate },
	{ "never-slower", "what calibrate led to choose, against every way, measured anew", verb_never_slower },
	{ "leaks", "whether the time that keyed chains take tells of keys or data", verb_leaks },
	{ "mca", "how fast fused loops could run at best, by llvm-mca's model of a CPU", verb_mca },
	{ "baseline", "send a file over kernel TCP, manipulated by library calls", verb_baseline },
	{ "conformance", "what the standards ask for, and which test sees it", verb_conformance },
	{ "status", "TCPK on this host: module, helper, and who has which ports", verb_status },
	{ "memory", "what an idle connection costs", verb_memory },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG) {
		*(const char **)state->input = arg;
		state->next = state->argc; /* the rest is the verb's */
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "a verb is missing");
	return ARGP_ERR_UNKNOWN;
}

static char *doc(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("Describe, fuse and measure data manipulation loops.\vVerbs:\n", f);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		fprintf(f, "  %-12s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n`tcpu VERB --help` tells more, with an example.\n"
		"Exit status: 0 done; 1 failed, as where there is no such chain or file; 2 the arguments were wrong.", f);
	fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	const char *name = NULL;
	struct argp argp = { .parser = parse, .args_doc = "VERB [ARGUMENT...]", .doc = doc() };
	int at = argc;

	argp_err_exit_status = TCPU_USAGE;
	/* Up to the verb only: what follows is parsed by the verb. */
	for (int i = 1; i < argc && at == argc; i++)
		if (argv[i][0] != '-')
			at = i;
	argp_parse(&argp, at < argc ? at + 1 : argc, argv, ARGP_IN_ORDER, NULL, &name);
	free((char *)argp.doc);
	for (size_t i = 0; name && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(verbs[i].name, name) != 0)
			continue;
		char title[32];

		snprintf(title, sizeof title, "tcpu %s", name);
		argv[at] = title;
		int status = verbs[i].run(argc - at, argv + at);
		if ((ferror(stdout) | fclose(stdout)) && status == TCPU_OK) {
			fprintf(stderr, "%s: output: %s\n", title, strerror(errno));
			return TCPU_FAILED;
		}
		return status;
	}
	fprintf(stderr, "tcpu: there is no verb '%s': `tcpu --help` lists them\n", name);
	return TCPU_USAGE;
}

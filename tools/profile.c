/* tcpu profile: the verb. What profiles of connections (alf/profile.h) come to, defaults filled in, as alf_open takes
 * them; or what is wrong with them. */
#include "tools/tcpu.h"

#include "alf/profile.h"
#include "tools/arguments.h"

#include <argp.h>
#include <stdio.h>

enum { OPT_JSON = 0x100 };

static const struct argp_option options[] = {
	{ "json", OPT_JSON, NULL, 0, "write JSON", 0 },
	{ 0 },
};

struct request {
	char **files;
	json_t *all; /* with --json */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	(void)arg;
	switch (key) {
	case OPT_JSON: r->all = r->all ? r->all : json_array(); return 0;
	case ARGP_KEY_ARGS: r->files = state->argv + state->next; return 0;
	case ARGP_KEY_NO_ARGS: argp_error(state, "which profiles? alf/profiles/ has some"); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const char *recovery(const struct alf_profile *p)
{
	static const char *const words[] = { [ADU_KEEP] = "keep", [ADU_RECOMPUTE] = "recompute",
		[ADU_TOLERATE] = "tolerate", [ADU_SUPERSEDE] = "supersede" };

	return words[p->recovery];
}

/* Each of the chains goes with what was negotiated: a framer other than MPA negotiates nothing. */
struct chain {
	const char *when, *key;
	const struct ilp_chain *of;
};

static unsigned chains(const struct alf_profile *p, struct chain to[3])
{
	to[0] = (struct chain){ "chain", "plain", p->chain.plain };
	to[1] = (struct chain){ "with CRC32C", "crc", p->chain.crc };
	to[2] = (struct chain){ "with markers", "marker", p->chain.marker };
	return p->framer == &alf_mpa ? 3 : 1;
}

static void row(const char *name, const char *value)
{
	printf("  %-13s %s\n", name, value);
}

static void bytes_row(const char *name, uint64_t bytes)
{
	char text[24];

	row(name, size_format(bytes, text));
}

static void print(const char *file, const struct alf_profile *p)
{
	const bool sealed = p->chain.plain->associate;
	struct chain c[3];

	printf("%s\n", file);
	row("framer", alf_framer_name(p->framer));
	if (p->framer == &alf_mpa) {
		row("markers", p->markers ? "in what the peer sends" : "none in what the peer sends");
		row("crc", p->crc ? "both ways" : "if the peer wants it");
	}
	for (unsigned i = 0, n = chains(p, c); i < n; i++)
		printf("  %-13s %s: %s\n", c[i].when, c[i].of->name, c[i].of->stages);
	if (sealed)
		row("", "authenticates: the program has the key");
	row("schedule", p->schedule);
	row("order", p->ordered ? "begun" : "any");
	row("recovery", recovery(p));
	row("congestion", p->congestion ? p->congestion : "as TCP has it");
	row("acks", p->quickack ? "quick" : "delayed");
	bytes_row("adu", p->adu_max);
	bytes_row("credit", p->credit);
	bytes_row("quantum", p->quantum);
	if (p->deadline_ms != ADU_NO_DEADLINE)
		printf("  %-13s %u\n", "deadline_ms", p->deadline_ms);
	else
		row("deadline_ms", "none");
	if (sealed)
		printf("  %-13s %ju\n  %-13s %u\n", "rekey", (uintmax_t)p->rekey_after, "forgeries", p->forgeries_max);
}

static json_t *limits(const struct alf_profile *p)
{
	json_t *deadline = p->deadline_ms == ADU_NO_DEADLINE ? json_null() : json_integer(p->deadline_ms);
	json_t *l = json_pack("{s:I, s:I, s:I, s:o}", "adu", (json_int_t)p->adu_max, "credit", (json_int_t)p->credit,
		"quantum", (json_int_t)p->quantum, "deadline_ms", deadline);

	if (p->chain.plain->associate) {
		json_object_set_new(l, "rekey", json_integer((json_int_t)p->rekey_after));
		json_object_set_new(l, "forgeries", json_integer(p->forgeries_max));
	}
	return l;
}

static json_t *describe(const char *file, const struct alf_profile *p)
{
	json_t *named = json_object();
	struct chain c[3];

	for (unsigned i = 0, n = chains(p, c); i < n; i++)
		json_object_set_new(named, c[i].key, json_pack("{s:s, s:s}", "name", c[i].of->name, "stages", c[i].of->stages));
	return json_pack("{s:s, s:s, s:b, s:b, s:o, s:b, s:s, s:s, s:s, s:s?, s:s, s:o}", "file", file,
		"framer", alf_framer_name(p->framer), "markers", p->markers, "crc", p->crc, "chains", named,
		"authenticates", p->chain.plain->associate != NULL,
		"schedule", p->schedule, "order", p->ordered ? "begun" : "any", "recovery", recovery(p),
		"congestion", p->congestion, "acks", p->quickack ? "quick" : "delayed", "limits", limits(p));
}

int verb_profile(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "FILE...",
		"What profiles of connections come to, defaults filled in: FILE is Lua, whose fields alf/profile.h lists; "
		"alf/profiles/ has some.\v"
		"Sizes are in bytes, K, M and G being 2^10, 2^20, 2^30. What a program sets beside its profile counts as well, and "
		"what the file does not say is the program's.\n"
		"Exit status: 0; 1: a profile is wrong, which is told with file and line, or cannot be read; 2: the arguments were "
		"wrong.\n\n"
		"Example: tcpu profile alf/profiles/sealed.lua",
		NULL, NULL, NULL
	};
	struct request r = { .files = NULL };
	int status = TCPU_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &r);
	for (char **file = r.files; *file; file++) {
		struct alf_profile p = { .framer = NULL };
		char why[1024];

		if (alf_profile_load(&p, *file, why, sizeof why) != 0) {
			fprintf(stderr, "tcpu profile: %s\n", why);
			status = TCPU_FAILED;
			continue;
		}
		alf_complete(&p);
		if (!r.all) {
			print(*file, &p);
		} else if (json_array_append_new(r.all, describe(*file, &p)) != 0) {
			fprintf(stderr, "tcpu profile: %s: a name that JSON cannot have, expected UTF-8; rename it\n", *file);
			status = TCPU_FAILED;
		}
	}
	/* What cannot be written, main sees and says. */
	if (r.all && arguments_json(stdout, r.all, JSON_INDENT(1) | JSON_SORT_KEYS) != 0 && !ferror(stdout))
		status = TCPU_FAILED;
	return status;
}

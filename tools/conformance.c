/* tcpu conformance: the verb. The table is core/conformance.tsv: a rule in a line, in five columns apart by tabs (id,
 * section, rule in short, where it is applied, the tests that see it, or "omitted, because ..."); a line that begins
 * with # opens the rules of another RFC. tests/conformance.sh checks it against the sources. */
#include "tools/tcpu.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define OMITTED "omitted, because "
#define RFCS_MAX 64

enum { OPT_JSON = 0x100, OPT_WHERE };
enum { ID, SECTION, RULE, WHERE, TEST, COLUMNS };
enum { MET, OMIT, STATUSES };
static const char *const status_names[] = { "met", "omitted" };

static const struct argp_option options[] = {
	{ "json", OPT_JSON, NULL, 0, "write JSON", 0 },
	{ "where", OPT_WHERE, NULL, 0, "say where each rule is applied, and which tests see it", 0 },
	{ 0 },
};

struct rfc {
	char number[8], title[80];
	unsigned count[STATUSES];
};

struct request {
	char **what;
	bool where;
	json_t *json; /* NULL: text */
	size_t width;
	struct rfc rfc[RFCS_MAX];
	size_t rfcs;
	bool headed;  /* the last one's heading is written */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	(void)arg;
	switch (key) {
	case OPT_JSON:
		r->json = json_array();
		break;
	case OPT_WHERE:
		r->where = true;
		break;
	case ARGP_KEY_ARGS:
		r->what = state->argv + state->next;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int status_of(char **column)
{
	return strncmp(column[TEST], OMITTED, strlen(OMITTED)) == 0 ? OMIT : MET;
}

/* Is it asked for: by its RFC, its id, or its status? */
static bool wanted(const struct request *r, char **column)
{
	if (!r->what)
		return true;
	for (char **w = r->what; *w; w++)
		if (strcmp(*w, column[ID]) == 0 || strcmp(*w, r->rfc[r->rfcs - 1].number) == 0 ||
			strcmp(*w, status_names[status_of(column)]) == 0)
			return true;
	return false;
}

/* ---- as text ---- */

static size_t terminal_width(void)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	size_t width = columns ? strtoul(columns, NULL, 10) : 0;

	if (!width && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	return width >= 60 && width < 1000 ? width : 80;
}

/* Words in lines of width, of which all but the first begin with indent spaces. */
static void wrap(const char *text, size_t indent, size_t width)
{
	size_t at = indent;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (at > indent && at + 1 + n > width) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		}
		at += (size_t)printf("%s%.*s", at > indent ? " " : "", (int)n, text);
		text += n + strspn(text + n, " ");
	}
	putchar('\n');
}

enum { RULE_AT = 34 }; /* where the last column begins */

static void print_row(struct request *r, char **column)
{
	const struct rfc *rfc = &r->rfc[r->rfcs - 1];
	int status = status_of(column);

	if (!r->headed)
		printf("%sRFC %s: %s\n", r->rfcs > 1 ? "\n" : "", rfc->number, rfc->title);
	r->headed = true;
	printf("  %-13s %-9s %-7s ", column[ID], column[SECTION], status_names[status]);
	wrap(column[RULE], RULE_AT, r->width);
	if (status == OMIT) {
		printf("%*s", RULE_AT, "");
		wrap(column[TEST] + strlen("omitted, "), RULE_AT, r->width);
	}
	if (!r->where)
		return;
	printf("%*s", RULE_AT, "");
	wrap(column[WHERE], RULE_AT, r->width);
	if (status == MET) {
		printf("%*s", RULE_AT, "");
		wrap(column[TEST], RULE_AT, r->width);
	}
}

static void print_counts(const struct request *r)
{
	unsigned sum[STATUSES] = { 0 };

	printf("\n%8s %8s\n", status_names[MET], status_names[OMIT]);
	for (size_t i = 0; i < r->rfcs; i++) {
		const unsigned *n = r->rfc[i].count;

		for (int s = 0; s < STATUSES; s++)
			sum[s] += n[s];
		if (n[MET] + n[OMIT])
			printf("%8u %8u  RFC %s: %s\n", n[MET], n[OMIT], r->rfc[i].number, r->rfc[i].title);
	}
	printf("%8u %8u  of %u rules\n", sum[MET], sum[OMIT], sum[MET] + sum[OMIT]);
}

/* ---- as JSON ---- */

static json_t *list(char *text)
{
	json_t *json = json_array();

	for (char *save = NULL, *item = strtok_r(text, ", ", &save); item; item = strtok_r(NULL, ", ", &save))
		if (strcmp(item, "-") != 0)
			json_array_append_new(json, json_string(item));
	return json;
}

static void add_row(struct request *r, char **column)
{
	int status = status_of(column);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "rfc", r->rfc[r->rfcs - 1].number, "id", column[ID],
		"section", column[SECTION], "rule", column[RULE], "status", status_names[status], "where", list(column[WHERE]));

	if (status == OMIT)
		json_object_set_new(row, "because", json_string(column[TEST] + strlen(OMITTED)));
	else
		json_object_set_new(row, "tests", list(column[TEST]));
	json_array_append_new(r->json, row);
}

/* ---- the table ---- */

/* NULL, or what is wrong with the line. */
static const char *read_line(struct request *r, char *line)
{
	char *column[COLUMNS], *rest = line;
	struct rfc *rfc = &r->rfc[r->rfcs];

	if (line[0] == '#') {
		if (r->rfcs == RFCS_MAX || sscanf(line, "# RFC %7[0-9]: %79[^\n]", rfc->number, rfc->title) != 2)
			return "expected '# RFC NUMBER: TITLE'";
		r->rfcs++;
		r->headed = false;
		return NULL;
	}
	for (int i = 0; i < COLUMNS; i++)
		if (!(column[i] = strsep(&rest, "\t")) || !*column[i])
			return "expected five columns, apart by tabs: id, section, rule, where, test";
	if (rest)
		return "expected no more than five columns";
	if (!r->rfcs)
		return "expected '# RFC NUMBER: TITLE' in front of the first rule";
	if (!wanted(r, column))
		return NULL;
	r->rfc[r->rfcs - 1].count[status_of(column)]++;
	if (r->json)
		add_row(r, column);
	else
		print_row(r, column);
	return NULL;
}

static int read_table(struct request *r, const char *path)
{
	FILE *f = fopen(path, "r");
	const char *wrong = NULL;
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;

	if (!f) {
		fprintf(stderr, "tcpu conformance: %s: %s: set TCPU_SHARE to the folder that holds core/\n", path, strerror(errno));
		return TCPU_FAILED;
	}
	for (ssize_t n; !wrong && (n = getline(&line, &size, f)) > 0;) {
		line[n - (line[n - 1] == '\n')] = '\0';
		if (number++) /* the first names the columns */
			wrong = read_line(r, line);
	}
	if (wrong)
		fprintf(stderr, "%s:%u: %s\n", path, number, wrong);
	free(line);
	fclose(f);
	return wrong ? TCPU_FAILED : TCPU_OK;
}

static bool found_any(const struct request *r)
{
	for (size_t i = 0; i < r->rfcs; i++)
		for (int s = 0; s < STATUSES; s++)
			if (r->rfc[i].count[s])
				return true;
	return false;
}

int verb_conformance(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[WHAT...]",
		"What the standards ask a TCP for: whether it is met, or omitted for a reason; and how many of each. WHAT is the "
		"number of an RFC, a rule's id, 'met' or 'omitted'; without it, all rules.\v"
		"Example: tcpu conformance --where 7323 MUST-13",
		NULL, NULL, NULL
	};
	struct request r = { .width = terminal_width() };
	char path[4096];
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &r);
	snprintf(path, sizeof path, "%s/core/conformance.tsv", share_folder());
	status = read_table(&r, path);
	if (status == TCPU_OK && !found_any(&r)) {
		fprintf(stderr, "tcpu conformance: no rule is that: `tcpu conformance` lists them\n");
		status = TCPU_USAGE;
	} else if (status == TCPU_OK && r.json) {
		status = json_dumpf(r.json, stdout, JSON_INDENT(1) | JSON_SORT_KEYS) ? TCPU_FAILED : TCPU_OK;
		putchar('\n');
	} else if (status == TCPU_OK) {
		print_counts(&r);
	}
	json_decref(r.json);
	return status;
}

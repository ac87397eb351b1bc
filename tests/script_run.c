/* Plays scripts: those of tests/scripts/ and of the independent suite beside the repository, each a test; or
 *	build/gcc/tests/script_run [-v] [-e] FILE...
 * the ones that are named, -v with each event as it happens, -e with an open end, as the suite's are played.
 *
 * tests/scripts/pending lists scripts that are known to fail, each with a word of why: "name.pkt: why". */
#include "tests/run.h"
#include "tests/script.h"

#include <check.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN "tests/scripts"
#define SUITE "../shared/pkt"
#define PENDING OWN "/pending"
#define FILES_MAX 2000

static char *files[FILES_MAX], *pending;
static int own_count, file_count;

static char *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;
	ssize_t n = f ? getdelim(&text, &room, EOF, f) : -1;

	*len = n > 0 ? (size_t)n : 0;
	if (f)
		fclose(f);
	return n > 0 ? text : NULL;
}

/* One line of why not; empty when the script passes. */
static void play_file(const char *path, const struct script_play *play, char line[1400])
{
	struct script_error error;
	struct script *s;
	char why[1000];
	size_t len;
	char *text = read_file(path, &len);
	int e;

	*line = 0;
	if (!text) {
		snprintf(line, 1400, "%s: %s", path, errno ? strerrordesc_np(errno) : "empty");
		return;
	}
	e = script_read(text, len, &s, &error);
	free(text);
	if (e == -EBADMSG)
		snprintf(line, 1400, "%s:%u:%u: %s", path, error.line, error.column, error.text);
	else if (e)
		snprintf(line, 1400, "%s: %s", path, strerrordesc_np(-e));
	if (e)
		return;
	if (script_play(s, play, why))
		snprintf(line, 1400, "%s:%s", path, why);
	script_free(s);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int find(const char *folder)
{
	char *const paths[] = { (char *)folder, NULL };
	FTS *t = fts_open(paths, FTS_NOCHDIR | FTS_PHYSICAL, by_name);
	int before = file_count;
	FTSENT *f;

	while (t && (f = fts_read(t)))
		if (f->fts_info == FTS_F && f->fts_namelen > 4 && !strcmp(f->fts_name + f->fts_namelen - 4, ".pkt") &&
			file_count < FILES_MAX)
			files[file_count++] = strdup(f->fts_path);
	if (t)
		fts_close(t);
	return file_count - before;
}

/* The line about a script in the list of pending ones; NULL: it is not there. */
static const char *is_pending(const char *path)
{
	const char *name = strrchr(path, '/') + 1, *at = pending;
	size_t len = strlen(name);

	while (at && *at && (strncmp(at, name, len) != 0 || at[len] != ':')) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return at && *at ? at : NULL;
}

START_TEST(script)
{
	const char *why = is_pending(files[_i]);
	char line[1400];

	play_file(files[_i], &(struct script_play){ .open_end = _i >= own_count }, line);
	if (why) {
		printf("pending: %.*s\n", (int)strcspn(why, "\n"), why);
		ck_assert_msg(*line, "%s is listed in " PENDING ", and passes", files[_i]);
	} else {
		ck_assert_msg(!*line, "%s", line);
	}
}
END_TEST

static int play_named(char **names)
{
	struct script_play play = { 0 };
	int passed = 0, failed = 0;
	char line[1400];

	for (; *names; names++) {
		bool v = !strcmp(*names, "-v"), e = !strcmp(*names, "-e");

		play.verbose |= v;
		play.open_end |= e;
		if (v || e)
			continue;
		play_file(*names, &play, line);
		*(*line ? &failed : &passed) += 1;
		if (*line)
			puts(line);
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}

int main(int argc, char **argv)
{
	Suite *s = suite_create("script_run");
	TCase *own = tcase_create("own"), *suite = tcase_create("suite");
	int status;
	size_t len;

	if (argc > 1)
		return play_named(argv + 1);
	pending = read_file(PENDING, &len);
	own_count = find(OWN);
	tcase_add_loop_test(own, script, 0, own_count);
	suite_add_tcase(s, own);
	if (find(SUITE)) {
		tcase_add_loop_test(suite, script, own_count, file_count);
		suite_add_tcase(s, suite);
	} else {
		puts("skipped, because there is no independent suite at " SUITE);
	}
	status = run_tests(srunner_create(s));
	for (int i = 0; i < file_count; i++)
		free(files[i]);
	free(pending);
	return status;
}

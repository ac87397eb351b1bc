/* Plays scripts: those of tests/scripts/ and of the independent suite beside the repository, each a test; or
 *	build/gcc/tests/script_run [-v] [-e] FILE...
 * the ones that are named, -v with each event as it happens, -e with an open end, as the suite's are played. */
#include "tests/run.h"
#include "tests/script.h"

#include <check.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN "tests/scripts"
#define SUITE "../shared/pkt"
#define OWN_MIN 150
#define SUITE_MIN 101
#define FILES_MAX 2000

static char *files[FILES_MAX];
static int own_count, suite_count;

static char *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;
	ssize_t n = f ? getdelim(&text, &room, EOF, f) : -1;

	*len = n > 0 ? (size_t)n : 0;
	if (f)
		fclose(f);
	if (n > 0)
		return text;
	free(text);
	return NULL;
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
	int before = own_count + suite_count, count = before;
	FTSENT *f;

	while (t && (f = fts_read(t)))
		if (f->fts_info == FTS_F && f->fts_namelen > 4 && !strcmp(f->fts_name + f->fts_namelen - 4, ".pkt") &&
			count < FILES_MAX)
			files[count++] = strdup(f->fts_path);
	if (t)
		fts_close(t);
	return count - before;
}

START_TEST(script)
{
	char line[1400];

	play_file(files[_i], &(struct script_play){ .open_end = _i >= own_count }, line);
	ck_assert_msg(!*line, "%s", line);
}
END_TEST

/* None is lost on the way: a folder that is empty, or half there, is not one that passes. */
START_TEST(all_are_there)
{
	ck_assert_int_ge(own_count, OWN_MIN);
	ck_assert_int_lt(own_count + suite_count, FILES_MAX);
}
END_TEST

START_TEST(all_of_the_suite_are_there)
{
	if (access(SUITE, F_OK) == 0)
		ck_assert_int_ge(suite_count, SUITE_MIN);
	else
		puts("skipped, because there is no independent suite at " SUITE);
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
	TCase *count = tcase_create("count"), *own = tcase_create("own"), *suite = tcase_create("suite");
	int status;

	if (argc > 1)
		return play_named(argv + 1);
	own_count = find(OWN);
	suite_count = find(SUITE);
	suite_add_tcase(s, count);
	suite_add_tcase(s, own);
	suite_add_tcase(s, suite);
	tcase_add_test(count, all_are_there);
	tcase_add_test(count, all_of_the_suite_are_there);
	tcase_add_loop_test(own, script, 0, own_count);
	tcase_add_loop_test(suite, script, own_count, own_count + suite_count);
	status = run_tests(srunner_create(s));
	printf("%d scripts of our own, %d of the independent suite\n", own_count, suite_count);
	for (int i = 0; i < own_count + suite_count; i++)
		free(files[i]);
	return status;
}

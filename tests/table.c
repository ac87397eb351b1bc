#include "tests/table.h"

#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *path, *make_it;
static void (*write_table)(FILE *);

static char *file_text(void)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 10000);

	ck_assert_msg(f && text, "%s: %s: run this in the project's root", path, strerror(errno));
	ck_assert_uint_lt(fread(text, 1, 10000, f), 10000);
	fclose(f);
	return text;
}

/* Cells that differ, with their lines. Returns how many lines do. */
static unsigned compare(char *was, char *is)
{
	char *was_at, *is_at, *old = strtok_r(was, "\n", &was_at), *new = strtok_r(is, "\n", &is_at);
	unsigned different = 0;

	while (old || new) {
		if (!old || !new || strcmp(old, new) != 0) {
			printf("- %s\n+ %s\n", old ? old : "", new ? new : "");
			different++;
		}
		old = old ? strtok_r(NULL, "\n", &was_at) : NULL;
		new = new ? strtok_r(NULL, "\n", &is_at) : NULL;
	}
	return different;
}

START_TEST(table)
{
	char *was, *is = NULL;
	size_t len;
	FILE *f = open_memstream(&is, &len);

	write_table(f);
	fclose(f);
	was = file_text();
	ck_assert_msg(compare(was, is) == 0, "%s is not what comes out; `%s` writes it anew", path, make_it);
	free(was);
	free(is);
}
END_TEST

START_TEST(refresh)
{
	FILE *f = fopen(path, "w");

	ck_assert_msg(f, "%s: %s: run this in the project's root", path, strerror(errno));
	write_table(f);
	ck_assert(!ferror(f) && fclose(f) == 0);
}
END_TEST

int table_main(const char *name, const char *file, const char *make, void (*write)(FILE *), int argc, char **argv)
{
	bool writes = argc > 1 && !strcmp(argv[1], "refresh");
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create("table");

	path = file;
	make_it = make;
	write_table = write;
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, writes ? refresh : table);
	return run_tests(srunner_create(suite));
}

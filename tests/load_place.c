#include "tests/load_place.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
/* As it was before: a program whose tests do not fork (CK_FORK=no) has them all in one process. */
static char *path_before;
static int folder_before = -1;

const char *place(const char *name)
{
	static _Thread_local char paths[8][512];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof paths[0], "%s/%s", root, name);
	return path;
}

void place_write(const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof path, "%s", place(name));
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = 0;
		ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
	}
	FILE *f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

void place_chain(const char *name, const char *stages)
{
	const char *base = strrchr(name, '/');
	char file[128], text[512];

	snprintf(file, sizeof file, "%s.lua", name);
	snprintf(text, sizeof text, "return chain {\n\tname = \"%s\",\n\tstages = { %s },\n}\n", base ? base + 1 : name,
		stages);
	place_write(file, text);
}

void place_xor(const char *name, const char *word)
{
	const char *base = strrchr(name, '/');
	char file[128], text[512];

	snprintf(file, sizeof file, "%s.lua", name);
	snprintf(text, sizeof text, "return stage {\n\tname = \"%s\",\n\tstandard = \"none\",\n\tkind = \"map\",\n"
		"\tunit = 4,\n\ttail = \"pass\",\n\tapply = function(w) return xor(w, %s) end,\n\tinverse = \"self\",\n}\n",
		base ? base + 1 : name, word);
	place_write(file, text);
}

void place_script(const char *name, const char *text)
{
	char whole[2048];

	snprintf(whole, sizeof whole, "#!/bin/sh\nPLACE='%s'\n%s\n", root, text);
	place_write(name, whole);
	ck_assert_int_eq(chmod(place(name), 0755), 0);
}

unsigned place_compiled(void)
{
	FILE *f = fopen(place("calls"), "re");
	unsigned n = 0;

	for (int c; f && (c = getc(f)) != EOF;)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

void place_setup(void)
{
	static const char *const unset[] = { "TCPU_SHARE", "HOME", "ILP_ISA", "CPATH", "C_INCLUDE_PATH", "LUA_PATH",
		"LUA_CPATH", "LUA_INIT" };

	if (!path_before)
		path_before = strdup(getenv("PATH"));
	if (folder_before < 0)
		folder_before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(root, sizeof root, "/tmp/load-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(mkdir(place("tmp"), 0700), 0);
	/* Fast to compile: what is tried is the way there. */
	place_script("cc", "echo called >>\"$PLACE/calls\"\nexec cc \"$@\" -O0");
	for (unsigned i = 0; i < sizeof unset / sizeof *unset; i++)
		unsetenv(unset[i]);
	setenv("PATH", path_before, 1);
	setenv("XDG_CACHE_HOME", place("cache"), 1);
	setenv("TMPDIR", place("tmp"), 1);
	setenv("ILP_CC", place("cc"), 1);
}

static int forget(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

void place_teardown(void)
{
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	umask(022);
	ck_assert_int_eq(fchdir(folder_before), 0);
	ck_assert_int_eq(nftw(root, forget, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const struct ilp_chain *place_load(const char *name)
{
	const struct ilp_chain *c = NULL;
	char why[2048], file[128];

	snprintf(file, sizeof file, "%s.lua", name);
	int error = ilp_load(place(file), NULL, &c, why, sizeof why);
	ck_assert_msg(error == 0 && !*why, "%s: %d, %s", name, error, why);
	ck_assert_ptr_nonnull(c);
	return c;
}

const char *place_fails(const char *name, int error)
{
	static char why[2048];
	const struct ilp_chain *c = (const struct ilp_chain *)why;
	char file[128];

	snprintf(file, sizeof file, "%s.lua", name);
	int got = ilp_load(place(file), NULL, &c, why, sizeof why);
	ck_assert_msg(got == error, "%s: %d and not %d: %s", name, got, error, why);
	ck_assert_ptr_null(c);
	ck_assert_str_ne(why, "");
	return why;
}

uint32_t place_word(const struct ilp_chain *c)
{
	uint32_t zero = 0, word = 0;
	struct ilp_any s = {0};
	uint8_t tmp[ILP_TILE];

	c->begin(&s);
	ck_assert_uint_eq(ilp_pick(c, ILP_SEND, ILP_FUSED)(&s, (uint8_t *)&word, (uint8_t *)&zero, 4, tmp), 4);
	return word;
}

unsigned place_count(const char *folder, const char *but)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		     !(but && !strncmp(d->d_name, but, strlen(but)));
	closedir(dir);
	return n;
}

const char *place_object(void)
{
	static char path[512];
	DIR *dir = opendir(place("cache/tcpu"));

	ck_assert_ptr_nonnull(dir);
	path[0] = 0;
	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		if (strstr(d->d_name, ".chain")) {
			ck_assert_str_eq(path, "");
			snprintf(path, sizeof path, "%s/cache/tcpu/%.255s", root, d->d_name);
		}
	closedir(dir);
	ck_assert_str_ne(path, "");
	return path;
}

unsigned place_descriptors(void)
{
	return place_count("/proc/self/fd", NULL);
}

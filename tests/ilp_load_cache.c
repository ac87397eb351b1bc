/* The cache of ilp_load(): it believes nothing that somebody else could have written, nor what is damaged, and a chain
 * is loaded in any case. */
#include "ilp/load.h"
#include "tests/load_place.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint8_t whole[4 << 20];
static size_t whole_len;

static void take_object(const char *path)
{
	FILE *f = fopen(path, "re");

	ck_assert_ptr_nonnull(f);
	whole_len = fread(whole, 1, sizeof whole, f);
	fclose(f);
	ck_assert_uint_gt(whole_len, 1000);
	ck_assert_uint_lt(whole_len, sizeof whole);
}

/* In place, as nobody should. */
static void put_object(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* The chain of which one object is in the cache. */
static void one_object(void)
{
	place_setup();
	place_xor("stages/probe", "5");
	place_chain("c", "\"probe\", \"copy\"");
	ilp_unload(place_load("c"));
	take_object(place_object());
}

/* It is not believed, and made again. */
static void rebuilt(void)
{
	unsigned before = place_compiled();
	const struct ilp_chain *c = place_load("c");
	struct stat st;

	ck_assert_uint_eq(place_word(c), 5);
	ck_assert_uint_eq(place_compiled(), before + 1);
	ck_assert_int_eq(lstat(place_object(), &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ilp_unload(c);
	ilp_unload(place_load("c"));
	ck_assert_uint_eq(place_compiled(), before + 1);
}

START_TEST(cut_short)
{
	const size_t lengths[] = { 0, 1, 8, 31, 32, 40, 1000, whole_len / 2, whole_len - 4096, whole_len - 1 };

	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		put_object(place_object(), whole, lengths[i]);
		rebuilt();
	}
	put_object(place_object(), whole, whole_len + 1);
	rebuilt();
}
END_TEST

START_TEST(changed_bits)
{
	/* Of the head every field, then the object's head, code and end, and the recipe's. */
	const size_t at[] = { 0, 8, 9, 14, 16, 23, 24, 31, 32, 40, 96, 5000, whole_len / 2, whole_len - 1 };

	for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
		whole[at[i]] ^= 0x40;
		put_object(place_object(), whole, whole_len);
		whole[at[i]] ^= 0x40;
		rebuilt();
	}
}
END_TEST

/* As if two recipes had one hash. */
START_TEST(another_under_its_name)
{
	char mine[512];

	snprintf(mine, sizeof mine, "%s", place_object());
	ck_assert_int_eq(rename(mine, place("aside")), 0);
	place_xor("stages/probe", "6");
	ilp_unload(place_load("c"));
	ck_assert_int_eq(rename(place_object(), mine), 0);
	place_xor("stages/probe", "5");
	rebuilt();
}
END_TEST

START_TEST(wrong_modes)
{
	static const mode_t modes[] = { 0620, 0602, 0666, 0777 };

	for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
		ck_assert_int_eq(chmod(place_object(), modes[i]), 0);
		rebuilt();
	}
}
END_TEST

START_TEST(wrong_kinds)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof path, "%s", place_object());
	ck_assert_int_eq(rename(path, place("aside")), 0);
	ck_assert_int_eq(symlink(place("aside"), path), 0);
	rebuilt();
	ck_assert_int_eq(stat(place("aside"), &st), 0);
	ck_assert_int_eq(st.st_size, (off_t)whole_len);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	rebuilt();
	/* What cannot be replaced is told. */
	const struct ilp_chain *c;
	char why[512];
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(ilp_load(place("c.lua"), NULL, &c, why, sizeof why), 0);
	ck_assert_uint_eq(place_word(c), 5);
	ck_assert_ptr_nonnull(strstr(why, "nothing is cached: Is a directory; "));
	ck_assert_uint_eq(place_count(place("cache/tcpu"), "lock"), 1);
}
END_TEST

START_TEST(wrong_owner)
{
	if (geteuid() != 0) {
		puts("skipped, because only root gives files away");
		return;
	}
	ck_assert_int_eq(chown(place_object(), 65534, 65534), 0);
	rebuilt();
}
END_TEST

/* Loads the chain with that folder, of which nothing is believed: it works, and says why it will be slow again. */
static void remarks(const char *folder, const char *what)
{
	const struct ilp_chain *c;
	char why[1024];
	unsigned before = place_compiled();

	ck_assert_int_eq(ilp_load(place("c.lua"), &(struct ilp_load_options){ .cache = folder }, &c, why, sizeof why), 0);
	ck_assert_uint_eq(place_word(c), 5);
	ck_assert_uint_eq(place_compiled(), before + 1);
	ck_assert_msg(!strncmp(why, "nothing is cached: ", 19) && strstr(why, what), "%s: %s", folder ? folder : "", why);
	ilp_unload(c);
}

START_TEST(folders_of_others)
{
	static const mode_t modes[] = { 0755, 0750, 0770, 0701, 0777 };

	for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
		ck_assert_int_eq(chmod(place("cache/tcpu"), modes[i]), 0);
		remarks(place("cache/tcpu"), "chmod 700");
	}
	ck_assert_int_eq(chmod(place("cache/tcpu"), 0700), 0);
	ck_assert_int_eq(symlink(place("cache/tcpu"), place("link")), 0);
	remarks(place("link"), "symbolic link");
	remarks(place("c.lua"), "is no folder");
	remarks(place("c.lua/x"), "");
	remarks("/proc/1/x/y", "");
	ck_assert_int_eq(symlink(place("gone"), place("dangling")), 0);
	remarks(place("dangling/x"), "symbolic link");
	/* Whoever may rename above it may put another there. */
	ck_assert_int_eq(chmod(place("cache"), 0775), 0);
	remarks(place("cache/tcpu"), "chmod go-w");
	ck_assert_int_eq(chmod(place("cache"), 0757), 0);
	remarks(place("cache/new/newer"), "chmod go-w");
	ck_assert_uint_eq(place_count(place("cache"), NULL), 1);
	/* But not in one like /tmp. */
	unsigned before = place_compiled();
	ck_assert_int_eq(chmod(place("cache"), 01777), 0);
	ilp_unload(place_load("c"));
	/* A link above it is followed to where it leads. */
	ck_assert_int_eq(chmod(place("cache"), 0755), 0);
	ck_assert_int_eq(symlink(place("cache"), place("above")), 0);
	setenv("XDG_CACHE_HOME", place("above"), 1);
	ilp_unload(place_load("c"));
	ck_assert_uint_eq(place_compiled(), before);
}
END_TEST

START_TEST(folder_of_another_user)
{
	if (geteuid() != 0) {
		puts("skipped, because only root gives folders away");
		return;
	}
	ck_assert_int_eq(chown(place("cache/tcpu"), 65534, 65534), 0);
	remarks(place("cache/tcpu"), "it must be yours");
	ck_assert_int_eq(chown(place("cache/tcpu"), 0, 0), 0);
	ck_assert_int_eq(chown(place("cache"), 65534, 65534), 0);
	remarks(place("cache/tcpu"), "another user's");
}
END_TEST

START_TEST(which_folder)
{
	const struct ilp_chain *c;
	char why[512];

	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", place("home"), 1);
	ilp_unload(place_load("c"));
	ck_assert_uint_eq(place_count(place("home/.cache/tcpu"), "lock"), 1);
	setenv("XDG_CACHE_HOME", "cache", 1); /* relative: as if it were not */
	ilp_unload(place_load("c"));
	ck_assert_uint_eq(place_compiled(), 2);
	/* Made with all that is above it, closed to others whatever the umask; slashes do not matter. */
	struct stat st;
	struct ilp_load_options o = { .cache = place("one//two/three/") };
	umask(0);
	ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, why, sizeof why), 0);
	ck_assert_str_eq(why, "");
	ck_assert_int_eq(stat(place("one/two"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0700);
	ck_assert_uint_eq(place_count(place("one/two/three"), "lock"), 1);
	umask(0277);
	o.cache = place("one/two/four");
	ck_assert_int_eq(mkdir(o.cache, 0700), 0);
	ck_assert_int_eq(chmod(o.cache, 0700), 0);
	ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, why, sizeof why), 0);
	umask(022);
	ck_assert_uint_eq(place_compiled(), 4);
	ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, why, sizeof why), 0);
	ck_assert_uint_eq(place_compiled(), 4);
	/* None; and what is none. */
	o.cache = "";
	ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, why, sizeof why), 0);
	ck_assert_str_eq(why, "");
	ck_assert_uint_eq(place_compiled(), 5);
	o.cache = "one/two";
	ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, why, sizeof why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "'one/two' is no absolute path"));
}
END_TEST

/* The user's home, in place of the C library's. */
static char *home;
int getpwuid_r(uid_t user, struct passwd *entry, char *room, size_t size, struct passwd **found)
{
	(void)user, (void)room, (void)size;
	*entry = (struct passwd){ .pw_dir = home };
	*found = entry;
	return 0;
}

START_TEST(homes)
{
	static const char *const none[] = { NULL, "", "x", "x/y", ".", "../x" };
	char path[512];

	unsetenv("XDG_CACHE_HOME");
	snprintf(path, sizeof path, "%s", place("home"));
	home = path;
	ilp_unload(place_load("c"));
	ck_assert_uint_eq(place_count(place("home/.cache/tcpu"), "lock"), 1);
	ck_assert_int_eq(chdir(place("tmp")), 0);
	for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
		snprintf(path, sizeof path, "%s", none[i] ? none[i] : "");
		home = none[i] ? path : NULL;
		setenv("HOME", "relative", i % 2);
		remarks(NULL, "the user's home: ");
	}
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
}
END_TEST

/* What was used last stays; what is not ours, too. */
START_TEST(does_not_grow)
{
	struct timespec now;
	char name[64];

	clock_gettime(CLOCK_REALTIME, &now);
	/* The oldest, but it was used just now. */
	const struct timespec oldest[2] = { { now.tv_sec - 9000, 0 }, { now.tv_sec - 9000, 0 } };
	ck_assert_int_eq(utimensat(AT_FDCWD, place_object(), oldest, 0), 0);
	ilp_unload(place_load("c"));
	for (int i = 0; i < 300; i++) {
		const struct timespec times[2] = { { now.tv_sec - 1000 - i, 0 }, { now.tv_sec - 1000 - i, 0 } };

		snprintf(name, sizeof name, "cache/tcpu/%032d.chain", i);
		place_write(name, "old");
		ck_assert_int_eq(utimensat(AT_FDCWD, place(name), times, 0), 0);
	}
	const struct timespec old[2] = { { now.tv_sec - 7200, 0 }, { now.tv_sec - 7200, 0 } };
	place_write("cache/tcpu/.new-1", "of one that was killed");
	place_write("cache/tcpu/.new-2", "of one that writes");
	place_write("cache/tcpu/notes", "somebody's");
	ck_assert_int_eq(utimensat(AT_FDCWD, place("cache/tcpu/.new-1"), old, 0), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, place("cache/tcpu/notes"), old, 0), 0);
	place_chain("d", "\"copy\", \"probe\"");
	ilp_unload(place_load("d"));
	/* Beside lock, notes and .new-2. */
	ck_assert_uint_eq(place_count(place("cache/tcpu"), NULL), 256 + 3);
	ck_assert_int_eq(access(place("cache/tcpu/.new-1"), F_OK), -1);
	snprintf(name, sizeof name, "cache/tcpu/%032d.chain", 253);
	ck_assert_int_eq(access(place(name), F_OK), 0);
	snprintf(name, sizeof name, "cache/tcpu/%032d.chain", 254);
	ck_assert_int_eq(access(place(name), F_OK), -1);
	unsigned before = place_compiled();
	ilp_unload(place_load("c"));
	ilp_unload(place_load("d"));
	ck_assert_uint_eq(place_compiled(), before);
}
END_TEST

/* What was read is what is run, also when the file is cut while the loop runs. */
START_TEST(cut_while_in_use)
{
	const struct ilp_chain *c = place_load("c");

	ck_assert_int_eq(truncate(place_object(), 0), 0);
	ck_assert_uint_eq(place_word(c), 5);
	ck_assert_uint_eq(c->state_size % ILP_ALIGN, 0);
	rebuilt();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ilp_load_cache");
	TCase *t = tcase_create("ilp_load_cache");

	tcase_add_checked_fixture(t, one_object, place_teardown);
	tcase_add_test(t, cut_short);
	tcase_add_test(t, changed_bits);
	tcase_add_test(t, another_under_its_name);
	tcase_add_test(t, wrong_modes);
	tcase_add_test(t, wrong_kinds);
	tcase_add_test(t, wrong_owner);
	tcase_add_test(t, folders_of_others);
	tcase_add_test(t, folder_of_another_user);
	tcase_add_test(t, which_folder);
	tcase_add_test(t, homes);
	tcase_add_test(t, does_not_grow);
	tcase_add_test(t, cut_while_in_use);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

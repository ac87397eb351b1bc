/* ilp_load() and the compiler: which one it is, what it is given, and every way in which it can fail. */
#include "ilp/load.h"
#include "tests/load_place.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void setup(void)
{
	place_setup();
	place_chain("c", "\"copy\"");
}

static const char *text_of(const char *name)
{
	static char text[8192];
	FILE *f = fopen(place(name), "re");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	return text;
}

/* Fails so, with that text, and leaves neither an object nor a temporary file. */
static void fails(int error, const char *what)
{
	const char *why = place_fails("c", error);

	ck_assert_msg(strstr(why, what) != NULL, "%s: %s", what, why);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	if (access(place("cache/tcpu"), F_OK) == 0)
		ck_assert_uint_eq(place_count(place("cache/tcpu"), "lock"), 0);
}

START_TEST(there_is_none)
{
	unsetenv("ILP_CC");
	setenv("PATH", place("tmp"), 1);
	fails(-ENOPKG, "there is no C compiler in PATH, expected cc, gcc or clang; install one");
	setenv("ILP_CC", "nosuch", 1);
	fails(-ENOPKG, "there is no compiler 'nosuch', as ILP_CC of the environment says");
	setenv("ILP_CC", place("nosuch"), 1);
	fails(-ENOPKG, "there is no compiler '");
	setenv("ILP_CC", place("c.lua"), 1); /* not a program */
	fails(-ENOPKG, "there is no compiler '");
	setenv("ILP_CC", place("tmp"), 1);
	fails(-ENOPKG, "there is no compiler '");
	setenv("ILP_CC", "cc -m32", 1); /* one word */
	setenv("PATH", "/usr/bin:/bin", 1);
	fails(-ENOPKG, "there is no compiler 'cc -m32'");
}
END_TEST

/* options, then ILP_CC, then cc, gcc, clang in PATH, of which empty and relative parts count for nothing. */
START_TEST(which_one)
{
	static const char *const names[] = { "bin/clang", "bin/gcc", "bin/cc", "asked", "optional" };
	char path[1024];
	const struct ilp_chain *c;
	struct ilp_load_options o = { .compiler = NULL, .cache = "" };

	for (unsigned i = 0; i < 5; i++) {
		char script[128];

		snprintf(script, sizeof script, "echo %s >\"$PLACE/who\"\nPATH=/usr/bin:/bin exec /usr/bin/cc \"$@\" -O0", names[i]);
		place_script(names[i], script);
		snprintf(path, sizeof path, ":.:/none:%s:", place("bin"));
		ck_assert_int_eq(chdir(place("")), 0);
		place_script("cc", "exit 1");
		setenv("PATH", path, 1);
		unsetenv("ILP_CC");
		if (i == 3)
			setenv("ILP_CC", place("asked"), 1);
		if (i == 4)
			o.compiler = place("optional");
		ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, NULL, 0), 0);
		ck_assert_int_eq(strncmp(text_of("who"), names[i], strlen(names[i])), 0);
	}
	/* By a relative path. */
	place_script("cc", "PATH=/usr/bin:/bin exec /usr/bin/cc \"$@\" -O0");
	o.compiler = "./cc";
	ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, NULL, 0), 0);
}
END_TEST

START_TEST(it_fails)
{
	place_script("cc", "echo out; echo 'error: no' >&2; exit 3");
	fails(-ENOEXEC, "failed with status 3; it said:\nout\nerror: no");
	place_script("cc", "printf 'a\\033[31mb'; exit 1");
	fails(-ENOEXEC, "it said:\na?[31mb");
	place_script("cc", "printf 'a\\302\\233b\\233c\\303\\244\\342\\202\\254\\342\\202d\\360\\237\\230\\200\\377'; exit 1");
	fails(-ENOEXEC, "it said:\na??b?c\xc3\xa4\xe2\x82\xac??d\xf0\x9f\x98\x80?");
	place_script("cc", "exit 1");
	fails(-ENOEXEC, "failed with status 1; it said:");
	place_script("cc", "kill -SEGV $$");
	fails(-ENOEXEC, "killed by signal 11");
	place_script("cc", "head -c 3000000 /dev/zero | tr '\\0' x; exit 1");
	fails(-ENOEXEC, "it said:\nxxxx");
	place_write("cc", "#!/nosuch/interpreter\n");
	fails(-ENOENT, "could not be run: No such file");
	place_write("cc", "\x7f" "ELF");
	fails(-ENOEXEC, "could not be run: Exec format error");
}
END_TEST

START_TEST(no_object)
{
	place_script("cc", "exit 0");
	fails(-ENOEXEC, "left no object: No such file");
	place_script("cc", "mkdir chain.so");
	fails(-ENOEXEC, "left no object");
	place_script("cc", "ln -s /bin/true chain.so");
	fails(-ENOEXEC, "left no object");
	place_script("cc", "mkfifo chain.so");
	fails(-ENOEXEC, "left no object");
	place_script("cc", ": >chain.so");
	fails(-ENOEXEC, "cannot be loaded");
	place_script("cc", "head -c 10000 /dev/urandom >chain.so");
	fails(-ENOEXEC, "cannot be loaded");
	place_script("cc", "echo 'int x;' >x.c; exec cc -shared -o chain.so x.c");
	fails(-ENOEXEC, "has no ilp_chain_c");
	/* As the generator's C may be, and no other: what is not defined there is not defined. */
	place_script("cc", "echo 'int f(void); int g(void) { return f(); }' >>c.c; exec cc \"$@\"");
	fails(-ENOEXEC, "undefined reference to `f'");
}
END_TEST

/* As of a compiler that does not look whether the disk is full. */
START_TEST(cut_objects)
{
	char script[64];

	for (unsigned len = 63; len < 16000; len += 1500) {
		snprintf(script, sizeof script, "cc \"$@\" -O0 && truncate -s %u chain.so", len);
		place_script("cc", script);
		fails(-ENOEXEC, "cannot be loaded");
	}
}
END_TEST

/* Whether the process is there, and no zombie that waits for its parent. */
static bool runs(const char *pid)
{
	char path[64], state = 'X';
	FILE *f;

	snprintf(path, sizeof path, "/proc/%.*s/stat", (int)strcspn(pid, "\n"), pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	fclose(f);
	return state != 'Z' && state != 'X';
}

START_TEST(it_takes_too_long)
{
	const struct ilp_load_options o = { .seconds = 1 };
	const struct ilp_chain *c;
	char why[1024];

	place_script("cc", "sleep 1000 & echo $! >\"$PLACE/pid\"; wait");
	ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, why, sizeof why), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(why, "was still at it after 1 s and was killed"));
	/* With all that it has started, as soon as the kernel gets to it. */
	const char *pid = text_of("pid");
	while (runs(pid))
		sched_yield();
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	/* One that ends, and leaves somebody who holds its output, is not waited for. */
	place_script("cc", "sleep 1000 & echo $! >\"$PLACE/pid\"; exec cc \"$@\" -O0");
	ilp_unload(place_load("c"));
	pid = text_of("pid");
	ck_assert(runs(pid));
	ck_assert_int_eq(kill(atoi(pid), SIGKILL), 0);
}
END_TEST

static void *load_c(void *arg)
{
	(void)arg;
	return (void *)place_load("c");
}

/* The compiler says that it is at it, and waits for the end of a pipe that it is given, or goes on if there is none. */
static void waiting_compiler(void)
{
	ck_assert_int_eq(mkfifo(place("started"), 0600), 0);
	ck_assert_int_eq(mkfifo(place("go"), 0600), 0);
	place_script("cc", "mv \"$PLACE/go\" \"$PLACE/gone\" && echo >\"$PLACE/started\" && read -r line <\"$PLACE/gone\"\n"
		"exec cc \"$@\" -O0");
}

static void wait_until_started(void)
{
	int fd = open(place("started"), O_RDONLY | O_CLOEXEC);
	char byte;

	ck_assert_int_eq(read(fd, &byte, 1), 1);
	close(fd);
}

/* In place of the C library's: as slow a reader as you like finds something whenever it looks. */
static bool slow;
ssize_t read(int fd, void *to, size_t size)
{
	ssize_t n = syscall(SYS_read, fd, to, size);

	while (slow && n < 0 && errno == EAGAIN) {
		poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
		n = syscall(SYS_read, fd, to, size);
	}
	return n;
}

/* One that says something all the time is still looked after; and so is what it leaves behind. */
START_TEST(it_says_too_much)
{
	const struct ilp_load_options o = { .seconds = 1 };
	const struct ilp_chain *c;
	char why[1024];
	int error;

	place_script("cc", "exec cat /dev/zero");
	slow = true;
	error = ilp_load(place("c.lua"), &o, &c, why, sizeof why);
	slow = false;
	ck_assert_int_eq(error, -ETIMEDOUT);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	place_script("cc", "cat /dev/zero & echo $! >\"$PLACE/pid\"; exec cc \"$@\" -O0");
	slow = true;
	ilp_unload(place_load("c"));
	slow = false;
	kill(atoi(text_of("pid")), SIGKILL);
}
END_TEST

/* A child that the program has forked while we compiled, and that lives on, keeps nobody from compiling. */
START_TEST(a_child_meanwhile)
{
	pthread_t t;

	waiting_compiler();
	ck_assert_int_eq(pthread_create(&t, NULL, load_c, NULL), 0);
	wait_until_started();
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	close(open(place("gone"), O_WRONLY | O_CLOEXEC));
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_int_eq(unlink(place_object()), 0);
	ilp_unload(place_load("c"));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* Nor does one who compiles, and was stopped: when its time is up, another compiles as well. */
START_TEST(one_who_is_stopped)
{
	const struct ilp_load_options o = { .seconds = 3 };
	const struct ilp_chain *c;
	char why[1024];
	int status;

	waiting_compiler();
	pid_t pid = fork();
	if (pid == 0) {
		place_load("c");
		_exit(0);
	}
	wait_until_started();
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(ilp_load(place("c.lua"), &o, &c, why, sizeof why), 0);
	ck_assert_str_eq(why, "");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

/* What the compiler sees of us: no descriptor, no variable but those it may need, no signal that is ignored. */
START_TEST(what_it_is_given)
{
	static const char *const absent[] = { "CPATH=", "SECRET=", "C_INCLUDE_PATH=" };

	place_script("cc", "env >\"$PLACE/env\"; ls -l /proc/$$/fd >\"$PLACE/fd\"; cat >\"$PLACE/input\"\n"
		"grep SigIgn /proc/$$/status >\"$PLACE/signals\"; ulimit -c >\"$PLACE/core\"; ulimit -t >\"$PLACE/cpu\"\n"
		"stat -c %a . >\"$PLACE/mode\"; pwd >\"$PLACE/pwd\"; exec cc \"$@\" -O0");
	for (unsigned i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof name, "%.*s", (int)strlen(absent[i]) - 1, absent[i]);
		setenv(name, "/x", 1);
	}
	signal(SIGTERM, SIG_IGN);
	int open_here = open("/dev/null", O_RDONLY); // NOLINT: it is not close-on-exec
	ck_assert_int_ge(open_here, 3);
	ilp_unload(place_load("c"));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_null(strstr(text_of("env"), absent[i]));
	ck_assert_ptr_nonnull(strstr(text_of("env"), "LC_ALL=C\n"));
	ck_assert_ptr_nonnull(strstr(text_of("env"), "PATH="));
	ck_assert_ptr_nonnull(strstr(text_of("env"), "TMPDIR=.\n"));
	char tmp[600];
	snprintf(tmp, sizeof tmp, "%s/ilp-", place("tmp"));
	ck_assert_int_eq(strncmp(text_of("pwd"), tmp, strlen(tmp)), 0);
	ck_assert_str_eq(text_of("mode"), "700\n");
	/* The shell has its script open besides, from 10 on. */
	const char *fds = text_of("fd");
	for (int fd = 3; fd < 10; fd++) {
		char arrow[16];

		snprintf(arrow, sizeof arrow, " %d -> ", fd);
		ck_assert_msg(!strstr(fds, arrow), "%s", fds);
	}
	ck_assert_ptr_nonnull(strstr(fds, " 0 -> /dev/null"));
	ck_assert_str_eq(text_of("input"), "");
	/* 32 and 33 are the C library's own, which a make may have left ignored. */
	ck_assert_uint_eq(strtoull(strstr(text_of("signals"), "SigIgn:") + 7, NULL, 16) & ~0x180000000ull, 0);
	ck_assert_str_eq(text_of("core"), "0\n");
	ck_assert_str_eq(text_of("cpu"), "61\n");
	close(open_here);
}
END_TEST

/* As long as it likes. */
START_TEST(no_hurry)
{
	const struct ilp_load_options o = { .seconds = UINT_MAX };
	const struct ilp_chain *c;
	char why[1024];

	place_script("cc", "ulimit -t >\"$PLACE/cpu\"; exec cc \"$@\" -O0");
	ck_assert_msg(ilp_load(place("c.lua"), &o, &c, why, sizeof why) == 0, "%s", why);
	const char *limit = text_of("cpu");
	ck_assert_msg(!strcmp(limit, "unlimited\n") || strtoull(limit, NULL, 10) > UINT_MAX, "%s", limit);
}
END_TEST

/* Where others may rename, somebody puts another folder in the place of ours: nothing in it is used, or removed. */
START_TEST(another_temporary_folder)
{
	place_write("theirs/precious", "");
	place_write("theirs/sub/precious", "");
	place_script("cc", "mv \"$PWD\" \"$PLACE/ours\"; cp -r \"$PLACE/theirs\" \"$PWD\"\n"
		"mkdir -p d/e/f; ln -s \"$PLACE/theirs\" d/link; exec cc \"$@\" -O0");
	ilp_unload(place_load("c"));
	ck_assert_uint_eq(place_count(place("ours"), NULL), 0);
	ck_assert_uint_eq(place_count(place("theirs"), NULL), 2);
	ck_assert_uint_eq(place_count(place("theirs/sub"), NULL), 1);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 1);
}
END_TEST

/* With ever more descriptors: an error that is told, or a remark, or success; and nothing stays in any case. */
START_TEST(few_descriptors)
{
	struct rlimit before, few;
	const struct ilp_chain *c;
	bool done = false;
	char why[1024];

	place_chain("warm", "\"copy\"");
	ilp_unload(place_load("warm"));
	unsigned here = place_descriptors(), kept = place_count(place("cache/tcpu"), "lock");
	getrlimit(RLIMIT_NOFILE, &before);
	for (few = before, few.rlim_cur = 3; !done; few.rlim_cur++) {
		ck_assert_uint_lt(few.rlim_cur, 100);
		setrlimit(RLIMIT_NOFILE, &few);
		int error = ilp_load(place("c.lua"), NULL, &c, why, sizeof why);
		setrlimit(RLIMIT_NOFILE, &before);
		done = !error && !*why;
		ck_assert_msg(done || *why, "%d, %d descriptors", error, (int)few.rlim_cur);
		ck_assert_uint_eq(place_descriptors(), here);
		ck_assert_msg(place_count(place("tmp"), NULL) == 0, "%d descriptors: %s", (int)few.rlim_cur, why);
		ck_assert_uint_eq(place_count(place("cache/tcpu"), "lock"), kept + done);
		if (!error)
			ilp_unload(c);
	}
}
END_TEST

/* A path is no more than a path. */
START_TEST(odd_paths)
{
	static const char *const folders[] = { "a b", "$(touch pwned)", "'; touch pwned; '", "-o", "%s%n", "\"q\"", "a\nb" };
	char name[64];

	ck_assert_int_eq(chdir(place("tmp")), 0);
	for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(name, sizeof name, "%s/c", folders[i]);
		place_chain(name, "\"copy\"");
		ilp_unload(place_load(name));
	}
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	ck_assert_int_eq(chdir(place("-o")), 0);
	const struct ilp_chain *c;
	place_chain("-o/-o", "\"copy\"");
	ck_assert_int_eq(ilp_load("-o.lua", NULL, &c, NULL, 0), -EINVAL); /* its name */
	ck_assert_int_eq(ilp_load("c.lua", NULL, &c, NULL, 0), 0);
}
END_TEST

/* As long as a file's may be, which NAME.lua is. */
START_TEST(long_names)
{
	char name[NAME_MAX], file[512], text[512];
	const struct ilp_chain *c;

	for (unsigned len = 247; len <= NAME_MAX - strlen(".lua"); len++) {
		memset(name, 'a', len);
		name[len] = 0;
		snprintf(text, sizeof text, "return chain { name = \"%s\", stages = { \"copy\" } }\n", name);
		snprintf(file, sizeof file, "%s.lua", name);
		place_write(file, text);
		ck_assert_msg(ilp_load(place(file), NULL, &c, text, sizeof text) == 0, "%u: %s", len, text);
		ck_assert_str_eq(c->name, name);
		ilp_unload(c);
	}
}
END_TEST

START_TEST(no_temporary_folder)
{
	setenv("TMPDIR", "/proc/none", 1);
	ck_assert_ptr_nonnull(strstr(place_fails("c", -ENOENT), "no temporary folder can be made in '/proc/none'"));
}
END_TEST

/* With other rights than its caller's, it looks for nothing where the caller says. */
START_TEST(more_rights_than_the_caller)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int status;

	if (geteuid() != 0) {
		puts("skipped, because only root has more rights than others");
		return;
	}
	ck_assert_int_gt(n, 0);
	self[n] = 0;
	place_script("evil/cc", "echo called >>\"$PLACE/calls\"\nexec /usr/bin/cc \"$@\"");
	ck_assert_int_eq(chmod(place(""), 0755), 0);
	setenv("ILP_CC", place("evil/cc"), 1);
	setenv("PATH", place("evil"), 1);
	setenv("TCPU_SHARE", place("evil"), 1);
	setenv("HOME", place("evil/home"), 1);
	pid_t pid = fork();
	if (pid == 0) {
		if (setresuid(65534, 0, 0) == 0)
			execl(self, self, "--load", place("c.lua"), place("trusted"), NULL);
		_exit(9);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(place_compiled(), 0);
	ck_assert_int_eq(access(place("cache"), F_OK), -1);
	ck_assert_int_eq(access(place("evil/home"), F_OK), -1);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	ck_assert_uint_eq(place_count(place("trusted"), "lock"), 1);
}
END_TEST

/* As more_rights_than_the_caller() runs us: cache says where the compiler's work goes, for the test to see. */
static int load_only(const char *file, const char *cache)
{
	const struct ilp_load_options o = { .cache = cache };
	const struct ilp_chain *c;
	char why[1024];
	int error = ilp_load(file, &o, &c, why, sizeof why);

	if (error || *why)
		fprintf(stderr, "%d: %s\n", error, why);
	return error != 0 || *why;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--load"))
		return load_only(argv[2], argv[3]);
	Suite *s = suite_create("ilp_load_compiler");
	TCase *t = tcase_create("ilp_load_compiler");

	tcase_add_checked_fixture(t, setup, place_teardown);
	tcase_add_test(t, there_is_none);
	tcase_add_test(t, which_one);
	tcase_add_test(t, it_fails);
	tcase_add_test(t, no_object);
	tcase_add_test(t, cut_objects);
	tcase_add_test(t, it_takes_too_long);
	tcase_add_test(t, it_says_too_much);
	tcase_add_test(t, a_child_meanwhile);
	tcase_add_test(t, one_who_is_stopped);
	tcase_add_test(t, what_it_is_given);
	tcase_add_test(t, no_hurry);
	tcase_add_test(t, another_temporary_folder);
	tcase_add_test(t, few_descriptors);
	tcase_add_test(t, odd_paths);
	tcase_add_test(t, long_names);
	tcase_add_test(t, no_temporary_folder);
	tcase_add_test(t, more_rights_than_the_caller);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

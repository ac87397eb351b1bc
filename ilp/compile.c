/* The system's C compiler, for ilp_load(): finds it, and makes a shared object of what the generator wrote. */
#include "ilp/loading.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* As build.mk has it for loops that are compiled in. */
#ifndef ILP_LOOP_CFLAGS
#define ILP_LOOP_CFLAGS "-O3 -fno-tree-vectorize -fno-tree-slp-vectorize"
#endif
static const char flags[] = "-std=gnu17 " ILP_LOOP_CFLAGS " -fPIC -shared -Wl,-z,defs -Wl,-z,now -iquote.";
#define FLAGS_MAX 32
#define USUAL_PATH "/usr/bin:/bin"
#define OBJECT "chain.so"
#define DEPTH_MAX 16 /* of folders that a compiler makes */
#define OBJECT_MAX (64 << 20)

/* The headers as this library was built with them: what is compiled against them has the shapes that we know. */
__asm__(".pushsection .rodata\n"
	"ilp_run_h: .incbin \"ilp/run.h\"\n"
	"ilp_quad_h: .incbin \"ilp/quad.h\"\n"
	"ilp_headers_end: .byte 0\n"
	".popsection\n");
extern const char ilp_run_h[] __attribute__((visibility("hidden")));
extern const char ilp_quad_h[] __attribute__((visibility("hidden")));
extern const char ilp_headers_end[] __attribute__((visibility("hidden")));
static const struct {
	const char *name, *from, *to;
} headers[] = { { "ilp/run.h", ilp_run_h, ilp_quad_h }, { "ilp/quad.h", ilp_quad_h, ilp_headers_end } };
#define HEADERS (sizeof headers / sizeof headers[0])

/* Finding it ----------------------------------------------------------------------------------------------------- */

static bool is_program(const char *path, struct stat *st)
{
	return stat(path, st) == 0 && S_ISREG(st->st_mode) && eaccess(path, X_OK) == 0;
}

/* The first in PATH of that name, or the path itself. */
static bool look(const char *name, struct ilp_compiler *c, struct stat *st)
{
	const char *path = secure_getenv("PATH");
	size_t room = sizeof c->path;

	if (strchr(name, '/'))
		return realpath(name, c->path) && is_program(c->path, st) &&
		       /* its own name tells some which one they are: keep it */
		       (name[0] != '/' || (size_t)snprintf(c->path, room, "%s", name) < room);
	for (path = path ? path : USUAL_PATH; *path; path += strcspn(path, ":"), path += *path == ':') {
		int len = (int)strcspn(path, ":");

		/* Another folder than the current one, which is nobody's choice. */
		if (*path == '/' && (size_t)snprintf(c->path, room, "%.*s/%s", len, path, name) < room &&
			is_program(c->path, st))
			return true;
	}
	return false;
}

int ilp_compiler_find(const char *asked, struct ilp_compiler *c, struct ilp_why *why)
{
	static const char *const usual[] = { "cc", "gcc", "clang" };
	const char *variable = asked ? NULL : secure_getenv("ILP_CC");
	bool found = false;
	struct stat st;

	if (variable && *variable)
		asked = variable;
	if (asked && !look(asked, c, &st))
		return ilp_why(why, -ENOPKG, "there is no compiler '%s'%s, expected the name or path of one program that "
			"compiles C; correct it", asked, variable ? ", as ILP_CC of the environment says" : "");
	for (unsigned i = 0; !asked && !found && i < sizeof usual / sizeof *usual; i++)
		found = look(usual[i], c, &st);
	if (!asked && !found)
		return ilp_why(why, -ENOPKG, "there is no C compiler in PATH, expected cc, gcc or clang; install one (Debian: "
			"apt-get install gcc libc6-dev), or set ILP_CC to the path of yours");
	snprintf(c->identity, sizeof c->identity, "%jd bytes, file %ju of %ju, changed %jd.%09ld", (intmax_t)st.st_size,
		(uintmax_t)st.st_ino, (uintmax_t)st.st_dev, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return 0;
}

/* What it is given ------------------------------------------------------------------------------------------------ */

static int add_text(struct ilp_blob *b, const char *text)
{
	return ilp_blob_add(b, text, strlen(text));
}

/* With its length, so that no text can be taken for another and the beginning of the next. */
static int add_file(struct ilp_blob *b, const char *name, const void *text, size_t len)
{
	char head[512];

	snprintf(head, sizeof head, "\n%s, %zu bytes:\n", name, len);
	return add_text(b, head) != 0 || ilp_blob_add(b, text, len) != 0 ? -ENOMEM : 0;
}

int ilp_recipe(const struct ilp_compiler *c, const struct ilp_files *files, struct ilp_blob *recipe)
{
	struct utsname u;
	char head[8192];
	int error = 0;

	if (uname(&u) != 0)
		return -errno;
	snprintf(head, sizeof head, "%s: %s\n%s\n%s, %zu\n", c->path, c->identity, flags, u.machine, 8 * sizeof(void *));
	error = add_text(recipe, head);
	for (unsigned i = 0; !error && i < HEADERS; i++)
		error = add_file(recipe, headers[i].name, headers[i].from, (size_t)(headers[i].to - headers[i].from));
	for (unsigned i = 0; !error && i < files->count; i++)
		error = add_file(recipe, files->file[i].name, files->file[i].text.bytes, files->file[i].text.len);
	return error;
}

static int write_file(int folder, const char *name, const void *bytes, size_t len)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	int error = ilp_write(fd, bytes, len);
	if (close(fd) != 0 && !error)
		error = -errno;
	return error;
}

static int write_files(int folder, const struct ilp_files *files)
{
	int error = mkdirat(folder, "ilp", 0700) != 0 ? -errno : 0;

	for (unsigned i = 0; !error && i < HEADERS; i++)
		error = write_file(folder, headers[i].name, headers[i].from, (size_t)(headers[i].to - headers[i].from));
	for (unsigned i = 0; !error && i < files->count; i++)
		error = write_file(folder, files->file[i].name, files->file[i].text.bytes, files->file[i].text.len);
	return error;
}

/* Running it ------------------------------------------------------------------------------------------------------ */

static bool is_source(const char *name)
{
	size_t len = strlen(name);

	return len > 2 && !strcmp(name + len - 2, ".c");
}

/* Of the caller's environment it gets what it may need to run at all, and nothing that changes what it makes. */
static int call(const struct ilp_compiler *c, const struct ilp_files *files, int folder, unsigned seconds,
	struct ilp_why *why)
{
	static const char *const passed[][2] = { { "PATH", USUAL_PATH }, { "HOME", "/" }, { "LD_LIBRARY_PATH", NULL } };
	char room[sizeof passed / sizeof *passed][4096], said[1500], *environment[8], words[sizeof flags];
	char *argv[FLAGS_MAX + ILP_FILES_MAX + 4], *rest = words;
	unsigned argc = 0, n = 0;

	memcpy(words, flags, sizeof flags);
	argv[argc++] = (char *)c->path;
	for (char *word; argc < FLAGS_MAX && (word = strsep(&rest, " ")) != NULL;)
		argv[argc++] = word;
	argv[argc++] = "-o";
	argv[argc++] = OBJECT;
	for (unsigned i = 0; i < files->count; i++)
		if (is_source(files->file[i].name))
			argv[argc++] = files->file[i].name;
	argv[argc] = NULL;
	for (unsigned i = 0; i < sizeof passed / sizeof *passed; i++) {
		const char *value = secure_getenv(passed[i][0]);

		value = value ? value : passed[i][1];
		if (value && (size_t)snprintf(room[n], sizeof room[n], "%s=%s", passed[i][0], value) < sizeof room[n])
			environment[n] = room[n], n++;
	}
	/* Where it is: the path may lead elsewhere by now. */
	environment[n++] = "TMPDIR=.";
	environment[n++] = "LC_ALL=C";
	environment[n] = NULL;
	int status = ilp_child(argv, environment, folder, seconds, said, sizeof said);
	if (status == -ETIMEDOUT)
		return ilp_why(why, status, "the compiler '%s' was still at it after %u s and was killed; describe a smaller "
			"chain, or allow it more (ilp_load_options.seconds)", c->path, seconds);
	if (status < 0)
		return ilp_why(why, status, "the compiler '%s' could not be run: %s", c->path, strerror(-status));
	if (WIFSIGNALED(status))
		return ilp_why(why, -ENOEXEC, "the compiler '%s' was killed by signal %d (%s); it said:\n%s", c->path,
			WTERMSIG(status), strsignal(WTERMSIG(status)), said);
	if (status != 0)
		return ilp_why(why, -ENOEXEC, "the compiler '%s' failed with status %d; it said:\n%s", c->path,
			WEXITSTATUS(status), said);
	return 0;
}

static int take_object(const struct ilp_compiler *c, int folder, struct ilp_blob *object, struct ilp_why *why)
{
	int fd = openat(folder, OBJECT, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int error = fd < 0 ? -errno : ilp_blob_read(object, fd, OBJECT_MAX);

	if (fd >= 0)
		close(fd);
	if (error)
		return ilp_why(why, error == -ENOMEM ? error : -ENOEXEC, "the compiler '%s' ended well but left no object: %s; "
			"is it a compiler? set ILP_CC to one", c->path, strerror(-error));
	return 0;
}

/* Empties the folder, which it closes: by descriptors, since a path may lead elsewhere by now. */
static void forget(int folder, unsigned depth)
{
	DIR *dir = fdopendir(folder);

	for (struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") || unlinkat(folder, d->d_name, 0) == 0)
			continue;
		int sub = depth ? openat(folder, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (sub >= 0)
			forget(sub, depth - 1);
		unlinkat(folder, d->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
	else
		close(folder);
}

int ilp_compile(const struct ilp_compiler *c, const struct ilp_files *files, unsigned seconds, struct ilp_blob *object,
	struct ilp_why *why)
{
	const char *top = secure_getenv("TMPDIR");
	char path[1024];
	int error = 0;

	if (!top || top[0] != '/' || strlen(top) > sizeof path / 2)
		top = "/tmp";
	snprintf(path, sizeof path, "%s/ilp-XXXXXX", top);
	if (!mkdtemp(path)) {
		error = -errno;
		return ilp_why(why, error, "no temporary folder can be made in '%s': %s; set TMPDIR to where one can", top,
			strerror(-error));
	}
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	error = folder < 0 ? -errno : write_files(folder, files);
	if (error)
		ilp_why(why, error, "'%s' cannot be written: %s; set TMPDIR to where there is room", path, strerror(-error));
	if (!error)
		error = call(c, files, folder, seconds, why);
	if (!error)
		error = take_object(c, folder, object, why);
	if (folder >= 0)
		forget(folder, DEPTH_MAX);
	rmdir(path);
	return error;
}

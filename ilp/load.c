/* ilp_load(): from a description to loops that run. The way: generate.c makes C of it, cache.c may have the object,
 * else compile.c makes it; here it is linked into the process. */
#include "ilp/load.h"

#include "ilp/loading.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Texts and bytes ------------------------------------------------------------------------------------------------- */

/* Bytes of the character there, in UTF-8; 0: a control character (also those from U+0080 to U+009F, which some
 * terminals obey), or none. */
static size_t printable(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	size_t len = 1;

	if (c[0] < 0x80)
		return (c[0] >= ' ' && c[0] != 0x7f) || c[0] == '\n' || c[0] == '\t';
	if (c[0] < 0xc2 || c[0] > 0xf4 || (c[0] == 0xc2 && c[1] < 0xa0))
		return 0;
	for (size_t more = c[0] < 0xe0 ? 1 : c[0] < 0xf0 ? 2 : 3; len <= more; len++)
		if ((c[len] & 0xc0) != 0x80)
			return 0;
	return len;
}

int ilp_why(struct ilp_why *why, int error, const char *format, ...)
{
	va_list arguments;

	if (why->size == 0)
		return error;
	va_start(arguments, format);
	vsnprintf(why->text, why->size, format, arguments);
	va_end(arguments);
	size_t len = strlen(why->text);
	while (len > 0 && why->text[len - 1] == '\n')
		why->text[--len] = 0;
	/* Names and values of a description, and a compiler's output, end on somebody's terminal, or in a log. */
	for (char *c = why->text; *c;) {
		const size_t shown = printable(c);

		if (!shown)
			*c = '?';
		c += shown ? shown : 1;
	}
	return error;
}

int ilp_blob_add(struct ilp_blob *b, const void *bytes, size_t len)
{
	if (b->len + len > b->room || !b->bytes) {
		size_t room = 2 * (b->len + len) + 4096;
		uint8_t *more = realloc(b->bytes, room);

		if (!more)
			return -ENOMEM;
		b->bytes = more;
		b->room = room;
	}
	if (len > 0)
		memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	return 0;
}

int ilp_blob_read(struct ilp_blob *b, int fd, size_t max)
{
	char room[16384];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	while ((n = read(fd, room, sizeof room)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && b->len + (size_t)n > max)
			return -EFBIG;
		if (n > 0 && ilp_blob_add(b, room, (size_t)n) != 0)
			return -ENOMEM;
	}
	return 0;
}

int ilp_write(int fd, const void *bytes, size_t len)
{
	for (const uint8_t *p = bytes; len > 0;) {
		const ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			p += n, len -= (size_t)n;
	}
	return 0;
}

void ilp_blob_free(struct ilp_blob *b)
{
	free(b->bytes);
	*b = (struct ilp_blob){0};
}

int64_t ilp_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void ilp_files_free(struct ilp_files *files)
{
	free(files->chain);
	for (unsigned i = 0; i < files->count; i++) {
		free(files->file[i].name);
		ilp_blob_free(&files->file[i].text);
	}
	*files = (struct ilp_files){0};
}

/* Loaded chains --------------------------------------------------------------------------------------------------- */

struct loaded {
	struct loaded *next;
	void *handle; /* dlopen's */
	const struct ilp_chain *chain;
};
static struct loaded *all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A path of the descriptor that no other object has had: dlopen takes the same name for the same object, and
 * descriptors come again. Two characters a bit, of which the kernel sees nothing. */
static void name_once(char path[192], int fd)
{
	static atomic_uint_fast64_t count;
	uint_fast64_t n = atomic_fetch_add(&count, 1);
	char *at = stpcpy(path, "/proc/self/fd/");

	for (; n; n >>= 1)
		at = stpcpy(at, n & 1 ? "./" : "//");
	snprintf(at, (size_t)(path + 192 - at), "%d", fd);
}

/* A file without a name that holds the bytes, and that nobody can change any more. */
static int as_file(const struct ilp_blob *object, const char *name)
{
	char shown[128]; /* in /proc/self/maps; memfd_create takes less than a file's name may have */

	snprintf(shown, sizeof shown, "%s", name);
	int fd = memfd_create(shown, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error = fd < 0 ? -errno : ilp_write(fd, object->bytes, object->len);

	if (error) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	return fd;
}

/* Whether all is there that the object's head says is to be mapped: beyond the file's end there is nothing but SIGBUS,
 * for the linker first. What is no object at all, it says itself. */
static bool is_uncut(const struct ilp_blob *object)
{
	ElfW(Ehdr) head;
	ElfW(Phdr) part;

	if (object->len < sizeof head)
		return false;
	memcpy(&head, object->bytes, sizeof head);
	for (unsigned i = 0; i < head.e_phnum; i++) {
		const size_t room = object->len - sizeof part, at = i * sizeof part;

		if (object->len < sizeof part || head.e_phoff > room || at > room - head.e_phoff)
			return false;
		memcpy(&part, object->bytes + head.e_phoff + at, sizeof part);
		if (part.p_offset > object->len || part.p_filesz > object->len - part.p_offset)
			return false;
	}
	return true;
}

/* Links the object into the process. */
static int attach(const struct ilp_blob *object, const char *name, struct loaded *l, struct ilp_why *why)
{
	char path[192], symbol[300];

	if (!is_uncut(object))
		return ilp_why(why, -ENOEXEC, "the chain's object cannot be loaded: it is cut short, or no object; is there room "
			"in TMPDIR, and is ILP_CC a compiler?");
	int fd = as_file(object, name);
	if (fd < 0)
		return ilp_why(why, fd, "the chain's object cannot be loaded: memfd_create: %s", strerror(-fd));
	name_once(path, fd);
	l->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	close(fd);
	if (!l->handle)
		return ilp_why(why, -ENOEXEC, "the chain's object cannot be loaded (a compiler for this machine? /proc mounted?): "
			"%s", dlerror());
	snprintf(symbol, sizeof symbol, "ilp_chain_%s", name);
	l->chain = dlsym(l->handle, symbol);
	if (l->chain)
		return 0;
	dlclose(l->handle);
	return ilp_why(why, -ENOEXEC, "the chain's object has no %s: did a C compiler make it? set ILP_CC to one", symbol);
}

/* By the cache, or by the compiler; only what could be loaded is kept. */
static int build(const struct ilp_files *files, const struct ilp_load_options *o, int cache, struct loaded *l,
	struct ilp_why *why)
{
	struct ilp_compiler compiler;
	struct ilp_blob recipe = {0}, object = {0};
	const unsigned seconds = o->seconds ? o->seconds : 60;
	int kept = -1, error = ilp_compiler_find(o->compiler, &compiler, why), problem;

	if (!error && (error = ilp_recipe(&compiler, files, &recipe)) != 0)
		ilp_why(why, error, "what '%s' is made from: %s", files->chain, strerror(-error));
	bool got = !error && ilp_cache_get(cache, &recipe, &object) == 0;
	if (!error && !got) {
		kept = ilp_cache_lock(cache, &recipe, seconds);
		/* Whoever held the lock may have made it. */
		got = ilp_cache_get(cache, &recipe, &object) == 0;
	}
	/* What is there but cannot be loaded is made again. */
	if (got && attach(&object, files->chain, l, &(struct ilp_why){ NULL, 0 }) == 0)
		goto out;
	ilp_blob_free(&object);
	if (!error)
		error = ilp_compile(&compiler, files, seconds, &object, why);
	if (!error)
		error = attach(&object, files->chain, l, why);
	if (!error && cache >= 0 && (problem = ilp_cache_put(cache, &recipe, &object)) != 0)
		ilp_why(why, problem, "nothing is cached: %s; make room, or set XDG_CACHE_HOME to a folder of yours",
			strerror(-problem));
out:
	if (!error && l->handle && o->object > 0 && (error = ilp_write(o->object, object.bytes, object.len)) != 0) {
		dlclose(l->handle);
		ilp_why(why, error, "the object cannot be written where it was asked for: %s", strerror(-error));
	}
	ilp_cache_unlock(kept);
	ilp_blob_free(&recipe);
	ilp_blob_free(&object);
	return error;
}

static int load(const char *file, const struct ilp_load_options *options, const struct ilp_chain **chain, char *text,
	size_t text_size)
{
	static const struct ilp_load_options none;
	const struct ilp_load_options *o = options ? options : &none;
	struct ilp_why why = { text, text_size };
	struct ilp_files files = {0};
	struct loaded *l = calloc(1, sizeof *l);
	int error = l ? 0 : -ENOMEM, cache = -1;

	*chain = NULL;
	ilp_why(&why, 0, "%s", "");
	if (!error && o->cache && *o->cache && *o->cache != '/')
		error = ilp_why(&why, -EINVAL, "the cache's folder '%s' is no absolute path, expected one like /var/cache/x; "
			"correct it", o->cache);
	if (!error)
		error = ilp_generate(file, o->share, o->counted, &files, &why);
	if (!error && !(o->cache && !*o->cache))
		cache = ilp_cache_open(o->cache, &why);
	if (!error)
		error = build(&files, o, cache, l, &why);
	if (cache >= 0)
		close(cache);
	ilp_files_free(&files);
	if (error) {
		if (text_size && !*text)
			ilp_why(&why, error, "%s: %s", file, strerror(-error));
		free(l);
		return error;
	}
	pthread_mutex_lock(&lock);
	l->next = all;
	all = l;
	pthread_mutex_unlock(&lock);
	*chain = l->chain;
	return 0;
}

/* Cancelled on its way, a thread would leave all that it has, and locks. And a write beyond RLIMIT_FSIZE is an error,
 * which we tell, and no end of the program. */
int ilp_load(const char *file, const struct ilp_load_options *options, const struct ilp_chain **chain, char *text,
	size_t text_size)
{
	sigset_t too_large, before, pending;
	int cancelling;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
	sigemptyset(&too_large);
	sigaddset(&too_large, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &too_large, &before);
	sigpending(&pending);
	const int error = load(file, options, chain, text, text_size);
	if (!sigismember(&pending, SIGXFSZ))
		while (sigtimedwait(&too_large, NULL, &(struct timespec){ 0, 0 }) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setcancelstate(cancelling, NULL);
	return error;
}

uint64_t *ilp_counted(const struct ilp_chain *chain)
{
	struct loaded *l;

	pthread_mutex_lock(&lock);
	for (l = all; l && l->chain != chain; l = l->next)
		;
	pthread_mutex_unlock(&lock);
	return l ? dlsym(l->handle, "ilp_counted") : NULL;
}

void ilp_unload(const struct ilp_chain *chain)
{
	struct loaded **at = &all, *l;

	pthread_mutex_lock(&lock);
	while (*at && (*at)->chain != chain)
		at = &(*at)->next;
	l = *at;
	if (l)
		*at = l->next;
	pthread_mutex_unlock(&lock);
	if (!l)
		return;
	dlclose(l->handle);
	free(l);
}

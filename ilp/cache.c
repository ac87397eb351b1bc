/* The cache of ilp_load(): objects by the hash of what they were made from, in a folder of the user's own.
 *
 * Theory of operation. What is kept is run, so it must come from us. That is seen to once, for the folder, and holds as
 * long as its descriptor is open: nobody else may write in it, nor put another in its place. A file there is written
 * under a name of its own and renamed, so that a reader sees all of it or none. It holds the recipe beside the object,
 * so that two recipes of one hash do no harm, and a sum, so that damage is noticed; against who may write here no sum
 * would help. A reader takes a copy: what is checked is what is run, whatever becomes of the file meanwhile. */
#include "ilp/loading.h"

#include "core/siphash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".chain"
#define NEW ".new-"
#define LOCK "lock"
#define OBJECTS_MAX 256
#define FILE_MAX_BYTES (64 << 20)
#define WAIT_MS 32 /* between two looks at a lock, at most */
#define NEW_MAX_S 3600 /* a file that is older, and still has no name of its own, nobody writes any more */

struct head {
	char magic[8];
	uint64_t object_len, recipe_len;
	uint64_t sum; /* of the lengths, the object and the recipe */
};
static const char magic[8] = "ilpobj1";

/* No secret: it keeps accidents away, and the recipe is compared. */
static uint64_t hash(uint8_t which, const void *data, size_t len)
{
	const uint8_t key[16] = { which };

	return siphash(key, data, len);
}

static void name_of(const struct ilp_blob *recipe, char name[64])
{
	snprintf(name, 64, "%016jx%016jx" SUFFIX, (uintmax_t)hash(1, recipe->bytes, recipe->len),
		(uintmax_t)hash(2, recipe->bytes, recipe->len));
}

static uint64_t sum_of(const struct head *h, const struct ilp_blob *object, const struct ilp_blob *recipe)
{
	const uint64_t parts[4] = { h->object_len, h->recipe_len, hash(3, object->bytes, object->len),
		hash(4, recipe->bytes, recipe->len) };

	return hash(5, parts, sizeof parts);
}

/* The folder ---------------------------------------------------------------------------------------------------- */

static int home_of(char path[PATH_MAX])
{
	const char *home = secure_getenv("HOME");
	struct passwd entry, *found = NULL;
	char room[4096];

	if (!home || home[0] != '/') {
		if (getpwuid_r(geteuid(), &entry, room, sizeof room, &found) != 0 || !found)
			return -ENOENT;
		home = found->pw_dir;
		if (!home || home[0] != '/')
			return -ENOENT;
	}
	return snprintf(path, PATH_MAX, "%s/.cache/tcpu", home) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* XDG Base Directory Specification: a relative path there is to be ignored. */
int ilp_cache_folder(char *path)
{
	const char *xdg = secure_getenv("XDG_CACHE_HOME");

	if (xdg && xdg[0] == '/')
		return snprintf(path, PATH_MAX, "%s/tcpu", xdg) < PATH_MAX ? 0 : -ENAMETOOLONG;
	return home_of(path);
}

/* Symbolic links above the folder are followed, once: what is walked then has none. The last is not, and what is not
 * there yet stays as it is. */
static int resolve(const char *folder, char path[PATH_MAX])
{
	char above[PATH_MAX], rest[PATH_MAX] = "";
	size_t len = strlen(folder);

	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(above, folder, len + 1);
	while (len > 1 && above[len - 1] == '/')
		above[--len] = 0;
	do {
		char *slash = strrchr(above, '/');

		snprintf(rest, sizeof rest, "%s", folder + (slash - above));
		*(slash == above ? slash + 1 : slash) = 0;
		if (realpath(above, path)) {
			len = strcmp(path, "/") != 0 ? strlen(path) : 0;
			return (size_t)snprintf(path + len, PATH_MAX - len, "%s", rest) < PATH_MAX - len ? 0 : -ENAMETOOLONG;
		}
	} while (errno == ENOENT && strcmp(above, "/") != 0);
	return -errno;
}

/* Whether others could put something else in the place of what stands in this folder. */
static bool others_may_move(const struct stat *st)
{
	return (st->st_uid != 0 && st->st_uid != geteuid()) ||
	       ((st->st_mode & (S_IWGRP | S_IWOTH)) && !(st->st_mode & S_ISVTX));
}

/* Opens name in the folder at, which it closes; makes it if need be. The last is opened for reading. */
static int step(int at, const char *name, bool last, const char *path, struct ilp_why *why)
{
	int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY : O_PATH);
	int fd = openat(at, name, flags), error = 0;
	struct stat st;

	if (fd < 0 && errno == ENOENT && (mkdirat(at, name, 0700) == 0 || errno == EEXIST))
		fd = openat(at, name, flags);
	if (fd < 0 || fstat(fd, &st) != 0)
		error = ilp_why(why, -errno, "nothing is cached: %s: '%s': %s", path, name, errno == ENOTDIR ?
			"is no folder, or a symbolic link; move it away, or set XDG_CACHE_HOME" : strerror(errno));
	else if (!last && others_may_move(&st))
		error = ilp_why(why, -EPERM, "nothing is cached: %s: others than its owner may change '%s', or it is another "
			"user's: chmod go-w it, or set XDG_CACHE_HOME to a folder of yours", path, name);
	else if (last && (st.st_uid != geteuid() || (st.st_mode & 077)))
		error = ilp_why(why, -EPERM, "nothing is cached: %s: it must be yours, and closed to all others: chmod 700 it",
			path);
	close(at);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

int ilp_cache_open(const char *folder, struct ilp_why *why)
{
	char name[PATH_MAX], path[PATH_MAX], *rest;
	int error = 0;

	if (!folder) {
		error = ilp_cache_folder(name);
		folder = name;
	}
	if (!error)
		error = resolve(folder, path);
	if (error)
		return ilp_why(why, error, "nothing is cached: %s: %s; set XDG_CACHE_HOME to a folder of yours",
			folder == name ? "the user's home" : folder, strerror(-error));
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ilp_why(why, -errno, "nothing is cached: %s: %s", path, strerror(errno));
	snprintf(name, sizeof name, "%s", path);
	rest = name + strspn(name, "/");
	do {
		char *one = rest, *end = one + strcspn(one, "/");

		rest = end + strspn(end, "/");
		bool last = !*rest;
		*end = 0;
		fd = step(fd, *one ? one : ".", last, path, why);
	} while (fd >= 0 && *rest);
	return fd;
}

/* Files in it --------------------------------------------------------------------------------------------------- */

static int read_file(int cache, const char *name, struct ilp_blob *all)
{
	int fd = openat(cache, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error;
	struct stat st;

	if (fd < 0)
		return -errno;
	error = fstat(fd, &st) != 0 ? -errno : 0;
	if (!error && (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))))
		error = -EPERM;
	if (!error)
		error = ilp_blob_read(all, fd, FILE_MAX_BYTES);
	if (!error) /* the time of its last use, for sweep() */
		futimens(fd, NULL);
	close(fd);
	return error;
}

/* Whether the file is whole and of that recipe; object points into it then. */
static bool is_whole(const struct ilp_blob *all, const struct ilp_blob *recipe, struct ilp_blob *object)
{
	struct head h;

	if (all->len < sizeof h)
		return false;
	memcpy(&h, all->bytes, sizeof h);
	*object = (struct ilp_blob){ .bytes = all->bytes + sizeof h, .len = h.object_len };
	return !memcmp(h.magic, magic, sizeof magic) && h.recipe_len == recipe->len &&
	       h.object_len <= all->len - sizeof h && all->len - sizeof h - h.object_len == recipe->len &&
	       !memcmp(object->bytes + object->len, recipe->bytes, recipe->len) && sum_of(&h, object, recipe) == h.sum;
}

int ilp_cache_get(int cache, const struct ilp_blob *recipe, struct ilp_blob *object)
{
	struct ilp_blob all = {0}, part;
	char name[64];
	int error = -ENOENT;

	if (cache < 0)
		return -ENOENT;
	name_of(recipe, name);
	if (read_file(cache, name, &all) == 0 && is_whole(&all, recipe, &part))
		error = ilp_blob_add(object, part.bytes, part.len);
	ilp_blob_free(&all);
	return error;
}

struct entry {
	struct timespec used;
	char name[64];
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used, *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Removes what was used last long ago, and what writers that were killed have left. Another's sweep may be under way:
 * what is gone already is no matter. */
static void sweep(int cache)
{
	int fd = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct entry *list = calloc(2 * OBJECTS_MAX, sizeof *list);
	struct timespec now;
	size_t count = 0;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	for (struct dirent *d; dir && list && (d = readdir(dir)) != NULL;) {
		size_t len = strlen(d->d_name), suffix = strlen(SUFFIX);
		bool fresh = !strncmp(d->d_name, NEW, strlen(NEW));

		if (len >= sizeof list->name || (!fresh && (len < suffix || strcmp(d->d_name + len - suffix, SUFFIX) != 0)) ||
			fstatat(cache, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (fresh && now.tv_sec - st.st_mtim.tv_sec > NEW_MAX_S)
			unlinkat(cache, d->d_name, 0);
		if (fresh || count == 2 * OBJECTS_MAX)
			continue;
		list[count].used = st.st_mtim;
		memcpy(list[count++].name, d->d_name, len + 1);
	}
	if (count > OBJECTS_MAX) {
		qsort(list, count, sizeof *list, by_use);
		for (size_t i = 0; i < count - OBJECTS_MAX; i++)
			unlinkat(cache, list[i].name, 0);
	}
	free(list);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

int ilp_cache_put(int cache, const struct ilp_blob *recipe, const struct ilp_blob *object)
{
	struct head h = { .object_len = object->len, .recipe_len = recipe->len };
	char name[64], fresh[64];
	uint64_t random[2];
	int error = 0;

	memcpy(h.magic, magic, sizeof magic);
	h.sum = sum_of(&h, object, recipe);
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return -EIO;
	name_of(recipe, name);
	snprintf(fresh, sizeof fresh, NEW "%016jx%016jx", (uintmax_t)random[0], (uintmax_t)random[1]);
	int fd = openat(cache, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* Whatever the umask has made of it. */
	if (fchmod(fd, 0600) != 0)
		error = -errno;
	if (!error)
		error = ilp_write(fd, &h, sizeof h);
	if (!error)
		error = ilp_write(fd, object->bytes, object->len);
	if (!error)
		error = ilp_write(fd, recipe->bytes, recipe->len);
	if (!error && fsync(fd) != 0)
		error = -errno;
	if (close(fd) != 0 && !error)
		error = -errno;
	if (!error && renameat(cache, fresh, cache, name) != 0)
		error = -errno;
	if (error)
		unlinkat(cache, fresh, 0);
	else
		sweep(cache);
	return error;
}

/* One file for all: a byte of it for each recipe. Locks of open file descriptions are good between threads, too, and
 * go with whoever is killed. */
int ilp_cache_lock(int cache, const struct ilp_blob *recipe, unsigned seconds)
{
	const int64_t end = ilp_now_ms() + (int64_t)seconds * 1000;
	struct flock byte = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1,
		.l_start = (off_t)(hash(1, recipe->bytes, recipe->len) & INT32_MAX) };
	int fd = cache < 0 ? -1 : openat(cache, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	/* There is no waiting for a lock that ends by itself but that of a signal, which is the program's. */
	for (unsigned ms = 1; fcntl(fd, F_OFD_SETLK, &byte) != 0; ms = ms < WAIT_MS ? 2 * ms : ms) {
		if ((errno != EAGAIN && errno != EACCES && errno != EINTR) || ilp_now_ms() >= end) {
			close(fd);
			return -1;
		}
		poll(NULL, 0, (int)ms);
	}
	return fd;
}

void ilp_cache_unlock(int lock)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (lock < 0)
		return;
	/* A child that another thread has forked meanwhile has the description, too: closing it here would not do. */
	fcntl(lock, F_OFD_SETLK, &all);
	close(lock);
}

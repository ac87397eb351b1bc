/* Names at the receiver. They come from a peer: none leads out of the directory that the user gave, and none over a
 * symbolic link, whoever has made it: each step is opened by itself and must be a directory.
 *
 * What is on its way stands beside where it will be: .NAME.xfer-part, and .NAME.xfer-map (map.c). A peer may not send
 * such names, or one of its files would get another's bytes. */
#include "adu-examples/xfer/xfer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART ".xfer-part"
#define MAP ".xfer-map"
#define FRESH_MAP ".xfer-new"
#define LONG 200 /* bytes of a name, from which on what stands beside it has a digest in its name */

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);

	return n > e && !strcmp(name + n - e, end);
}

bool target_is_left(const char *name)
{
	return name[0] == '.' && (ends_with(name, PART) || ends_with(name, MAP) || ends_with(name, FRESH_MAP));
}

bool target_name_is_sound(const char *name, size_t len)
{
	char text[NAME_MAX + 1];

	if (len == 0 || len > NAME_MAX || memchr(name, '/', len))
		return false;
	memcpy(text, name, len);
	text[len] = 0;
	return strcmp(text, ".") != 0 && strcmp(text, "..") != 0 && !target_is_left(text);
}

static void beside(char *to, const char *name, const char *end)
{
	size_t len = strlen(name);

	if (len <= LONG)
		snprintf(to, NAME_MAX + 1, ".%.200s%s", name, end);
	else
		snprintf(to, NAME_MAX + 1, ".%.200s~%016" PRIx64 "%s", name, digest(0, name, len), end);
}

int target_open(struct target *t, int base, const char *path)
{
	const char *slash;

	t->dir = fcntl(base, F_DUPFD_CLOEXEC, 0);
	for (; t->dir >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		int next = -1, e = EINVAL;
		if (target_name_is_sound(path, (size_t)(slash - path))) {
			memcpy(t->name, path, (size_t)(slash - path));
			t->name[slash - path] = 0;
			next = openat(t->dir, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			e = errno;
		}
		close(t->dir);
		t->dir = next;
		errno = e;
	}
	if (t->dir < 0)
		return -errno;
	if (!target_name_is_sound(path, strlen(path))) {
		target_close(t);
		return -EINVAL;
	}
	strcpy(t->name, path);
	beside(t->part, path, PART);
	beside(t->map, path, MAP);
	beside(t->fresh, path, FRESH_MAP);
	return 0;
}

void target_close(struct target *t)
{
	if (t->dir >= 0)
		close(t->dir);
	t->dir = -1;
}

static int open_directory(const struct target *t)
{
	return openat(t->dir, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int target_make_directory(const struct target *t, uint32_t mode)
{
	int made = mkdirat(t->dir, t->name, 0700), dir, error = 0;

	if (made && errno != EEXIST)
		return -errno;
	dir = open_directory(t);
	if (dir < 0)
		return -errno;
	/* What is there may be settled already, and closed to us. */
	if (fchmod(dir, (mode_t)(mode | 0700)))
		error = errno;
	close(dir);
	return -error;
}

int target_settle(const struct target *t, const struct entry *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, e->mtime };
	int dir = open_directory(t), error = 0;

	if (dir < 0)
		return -errno;
	if (fchmod(dir, (mode_t)e->mode) || futimens(dir, times))
		error = errno;
	close(dir);
	return -error;
}

/* Whether the open file still has the name, is ours alone and nobody else's link. */
static bool is_ours(const struct target *t, int file)
{
	struct stat st, named;

	return fstat(file, &st) == 0 && fstatat(t->dir, t->part, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_ino == named.st_ino && st.st_dev == named.st_dev && S_ISREG(st.st_mode) &&
	       st.st_uid == geteuid() && st.st_nlink == 1;
}

int target_part(const struct target *t)
{
	int file = openat(t->dir, t->part, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (file >= 0) {
		if (flock(file, LOCK_EX | LOCK_NB)) {
			close(file);
			return -EBUSY;
		}
		if (is_ours(t, file))
			return file;
		close(file);
	}
	if (unlinkat(t->dir, t->part, 0) && errno != ENOENT)
		return -errno;
	file = openat(t->dir, t->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return errno == EEXIST ? -EBUSY : -errno;
	flock(file, LOCK_EX | LOCK_NB);
	return file;
}

void target_drop(const struct target *t)
{
	unlinkat(t->dir, t->part, 0);
	unlinkat(t->dir, t->map, 0);
}

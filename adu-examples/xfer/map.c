/* What of a file that is not whole is there, beside it, for the next transfer:
 *
 *	"TCPUxmap" | version: 32 | bytes of a piece: 32 | size: 64 | mtime: seconds: 64, nanoseconds: 32 |
 *	spans: 32 | spans times { first: 32 | count: 32 } | digest of all before: 64
 *
 * big-endian. Size and mtime are the sender's file's: for another file it counts nothing, and neither does one that is
 * damaged. It is replaced as a whole. What it says is believed for no longer than until both ends have compared digests
 * of these pieces; so it may be older than the file beside it, or newer than what a crash has left of that. */
#include "adu-examples/xfer/xfer.h"
#include "alf/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_MAGIC "TCPUxmap"
#define MAP_VERSION 1
#define MAP_HEAD 40
#define MAP_MAX (MAP_HEAD + SPANS_MAX * 8 + 8)

static size_t head(const struct entry *e, uint32_t n, uint8_t *to)
{
	uint8_t *at = to;

	memcpy(at, MAP_MAGIC, 8);
	at = put32(put32(at + 8, MAP_VERSION), e->piece_bytes);
	at = put64(put64(at, e->size), (uint64_t)e->mtime.tv_sec);
	at = put32(put32(at, (uint32_t)e->mtime.tv_nsec), n);
	return (size_t)(at - to);
}

/* -1, or the bytes of a file that is no longer than a map may be. */
static ssize_t read_all(const struct target *t, uint8_t *to)
{
	int file = openat(t->dir, t->map, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;

	if (file < 0)
		return -1;
	if (fstat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= MAP_HEAD + 8 && st.st_size <= MAP_MAX)
		n = pread(file, to, MAP_MAX, 0);
	close(file);
	return n;
}

bool map_read(const struct target *t, const struct entry *e, struct spans *s)
{
	uint8_t bytes[MAP_MAX], expected[MAP_HEAD];
	ssize_t n = read_all(t, bytes);
	const uint8_t *at = bytes + MAP_HEAD;

	s->n = n < MAP_HEAD + 8 ? SPANS_MAX + 1 : get32(at - 4);
	if (s->n > SPANS_MAX || (size_t)n != MAP_HEAD + (size_t)s->n * 8 + 8)
		return false;
	head(e, s->n, expected);
	if (memcmp(bytes, expected, MAP_HEAD) != 0 || get64(bytes + n - 8) != digest(0, bytes, (size_t)n - 8))
		return false;
	for (uint32_t i = 0; i < s->n; i++, at += 8)
		s->of[i] = (struct span){ get32(at), get32(at + 4) };
	return spans_sound(s, pieces_of(e));
}

int map_write(const struct target *t, const struct entry *e, const struct spans *s)
{
	uint8_t bytes[MAP_MAX], *at = bytes + head(e, s->n, bytes);
	int file, error = 0;
	ssize_t n;

	for (uint32_t i = 0; i < s->n; i++)
		at = put32(put32(at, s->of[i].first), s->of[i].count);
	at = put64(at, digest(0, bytes, (size_t)(at - bytes)));
	/* Nobody else writes it: who does holds the lock of the part. */
	unlinkat(t->dir, t->fresh, 0);
	file = openat(t->dir, t->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return -errno;
	n = write(file, bytes, (size_t)(at - bytes));
	if (n != at - bytes)
		error = n < 0 ? errno : ENOSPC;
	close(file);
	if (!error && renameat(t->dir, t->fresh, t->dir, t->map))
		error = errno;
	if (error)
		unlinkat(t->dir, t->fresh, 0);
	return -error;
}

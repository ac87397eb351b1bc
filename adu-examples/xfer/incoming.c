/* A file that comes. Its bytes are written where they belong by the loop, in whatever order they come, into the mapped
 * part file; its blocks are asked for first: so a full disk is an answer, and an early one, not SIGBUS. The part gets
 * the file's name when it is whole and the digest is right. */
#include "adu-examples/xfer/xfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_EVERY (16U << 20) /* bytes that come until the map is written again: as much is lost by SIGKILL */

/* All that counts begins from nothing. */
static void forget(struct incoming *x)
{
	x->digest = 0;
	x->whole = 0;
	for (uint32_t i = 0; i < x->pieces; i++)
		x->missing[i] = (uint32_t)piece_length(&x->entry, i);
}

static void believe(struct incoming *x, const struct spans *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		for (uint32_t k = 0; k < s->of[i].count; k++)
			x->missing[s->of[i].first + k] = 0;
		x->whole += s->of[i].count;
	}
}

/* What has the name is as long and as old as the sender's. */
static bool keep(struct incoming *x)
{
	const struct entry *e = &x->entry;
	const struct spans all = { .n = x->pieces != 0, .of = { { 0, x->pieces } } };
	struct stat st;
	int file = openat(x->target.dir, x->target.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (file < 0)
		return false;
	if (fstat(file, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != e->size ||
		st.st_mtim.tv_sec != e->mtime.tv_sec || st.st_mtim.tv_nsec != e->mtime.tv_nsec) {
		close(file);
		return false;
	}
	x->file = file;
	x->kept = true;
	believe(x, &all);
	return true;
}

/* The part file, all of whose blocks are there, mapped. */
static int open_part(struct incoming *x)
{
	const struct entry *e = &x->entry;
	struct spans s;
	struct stat st;
	int error;

	x->file = target_part(&x->target);
	if (x->file < 0)
		return x->file;
	if (fstat(x->file, &st) == 0 && (uint64_t)st.st_size == e->size && map_read(&x->target, e, &s))
		believe(x, &s);
	else if (ftruncate(x->file, 0))
		return -errno;
	if (!e->size)
		return 0;
	error = posix_fallocate(x->file, 0, (off_t)e->size);
	if (error)
		return -error;
	x->bytes = mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_SHARED, x->file, 0);
	if (x->bytes == MAP_FAILED) {
		x->bytes = NULL;
		return -errno;
	}
	return 0;
}

int incoming_open(struct incoming *x, int base, const char *path)
{
	int e;

	x->file = -1;
	x->used = true;
	e = target_open(&x->target, base, path);
	if (e) {
		x->used = false;
		return e;
	}
	x->pieces = pieces_of(&x->entry);
	x->missing = calloc(x->pieces + 1, sizeof *x->missing);
	if (!x->missing)
		return -ENOMEM;
	forget(x);
	return keep(x) ? 0 : open_part(x);
}

int incoming_fresh(struct incoming *x)
{
	forget(x);
	unlinkat(x->target.dir, x->target.map, 0);
	if (!x->kept)
		return 0;
	close(x->file);
	x->kept = false;
	return open_part(x);
}

void incoming_spans(const struct incoming *x, struct spans *s)
{
	s->n = 0;
	for (uint32_t i = 0, count; i < x->pieces && s->n < SPANS_MAX; i += count + 1) {
		for (count = 0; i + count < x->pieces && !x->missing[i + count]; count++)
			;
		if (count)
			s->of[s->n++] = (struct span){ i, count };
	}
}

uint8_t *incoming_place(const struct incoming *x, uint64_t offset, size_t len)
{
	uint64_t last = (offset + len - 1) / x->entry.piece_bytes;

	if (!x->bytes)
		return NULL;
	/* A piece that is whole is not touched again, not even by a frame that came damaged and is found out later. */
	for (uint64_t i = offset / x->entry.piece_bytes; i <= last; i++)
		if (!x->missing[i])
			return NULL;
	return x->bytes + offset;
}

int incoming_placed(struct incoming *x, uint64_t offset, uint64_t len)
{
	struct spans s;

	x->unmapped += len;
	while (len) {
		uint32_t i = (uint32_t)(offset / x->entry.piece_bytes);
		uint64_t begin = (uint64_t)i * x->entry.piece_bytes, n = begin + piece_length(&x->entry, i) - offset;

		n = n < len ? n : len;
		if (x->missing[i] < n)
			return -EBADMSG;
		x->missing[i] -= (uint32_t)n;
		if (!x->missing[i]) {
			x->digest += digest(begin, x->bytes + begin, piece_length(&x->entry, i));
			x->whole++;
		}
		offset += n;
		len -= n;
	}
	if (x->unmapped < MAP_EVERY)
		return 0;
	x->unmapped = 0;
	incoming_spans(x, &s);
	map_write(&x->target, &x->entry, &s); /* without it more comes again, that is all */
	return 0;
}

bool incoming_is_whole(const struct incoming *x)
{
	return x->ended && x->whole == x->pieces;
}

int incoming_finish(struct incoming *x)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, x->entry.mtime };

	if (x->digest != x->right)
		return -EBADMSG;
	if (fchmod(x->file, (mode_t)x->entry.mode) || futimens(x->file, times))
		return -errno;
	if (!x->kept && renameat(x->target.dir, x->target.part, x->target.dir, x->target.name))
		return -errno;
	if (!x->kept)
		unlinkat(x->target.dir, x->target.map, 0);
	x->kept = true; /* there is no part any more */
	return 0;
}

bool incoming_close(struct incoming *x, bool keep_part)
{
	struct spans s;
	bool left = keep_part && x->whole && !x->kept;

	if (!x->used)
		return false;
	if (left) {
		incoming_spans(x, &s);
		left = !map_write(&x->target, &x->entry, &s);
	}
	if (!left && !x->kept && x->file >= 0)
		target_drop(&x->target);
	if (x->bytes)
		munmap(x->bytes, x->entry.size);
	if (x->file >= 0)
		close(x->file);
	free(x->missing);
	target_close(&x->target);
	x->used = false;
	return left;
}

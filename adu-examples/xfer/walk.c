/* What there is to send: a file, or a tree in the order of names. Only regular files and directories go: symbolic
 * links, devices and the like are left out, and said, for a link's target may be another's file at the other end.
 * Nobody's link is followed but that of the name on the command line. */
#include "adu-examples/xfer/xfer.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool start(struct walk *w)
{
	char *roots[] = { w->real, NULL };

	if (w->fts)
		fts_close(w->fts);
	w->fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	return w->fts;
}

static void fill(struct walk_item *item, enum kind kind, const struct stat *st, const char *path, const char *here)
{
	item->file = -1;
	item->entry.kind = kind;
	item->entry.mode = st->st_mode & 0777;
	item->entry.size = kind == KIND_FILE ? (uint64_t)st->st_size : 0;
	item->entry.mtime = st->st_mtim;
	strcpy(item->entry.path, path);
	strcpy(item->path, here);
}

static void leave_out(struct walk *w, const char *path, const char *why)
{
	complain(UNREADABLE, "%s: %s: left out", shown(path), why);
	w->left_out = true;
}

/* A regular file, opened. */
static int open_regular(const char *path, int flags, struct stat *st)
{
	/* Not to hang on a FIFO that nobody writes. */
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags), e = errno;

	if (file >= 0 && fstat(file, st) == 0 && S_ISREG(st->st_mode))
		return file;
	if (file >= 0)
		close(file);
	errno = file < 0 ? e : EINVAL;
	return -1;
}

/* All sizes, for who watches. */
static bool measure(struct walk *w)
{
	FTSENT *at;

	if (!start(w))
		return false;
	while ((at = fts_read(w->fts)))
		if (at->fts_info == FTS_F && S_ISREG(at->fts_statp->st_mode))
			w->bytes += (uint64_t)at->fts_statp->st_size;
	return start(w);
}

static enum status open_tree(struct walk *w)
{
	const char *name;

	w->real = realpath(w->root, NULL);
	if (!w->real)
		return complain(UNREADABLE, "%s: %s", w->root, strerror(errno));
	name = strrchr(w->real, '/') + 1;
	if (!*name)
		return complain(UNREADABLE, "%s: a tree must have a name", w->root);
	w->skip = (size_t)(name - w->real);
	return measure(w) ? OK : complain(UNREADABLE, "%s: %s", w->root, strerror(errno));
}

enum status walk_open(struct walk *w, const char *root)
{
	struct stat st;

	*w = (struct walk){ .root = root, .single = -1 };
	if (stat(root, &st))
		return complain(UNREADABLE, "%s: %s", root, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return open_tree(w);
	w->single = open_regular(root, 0, &st);
	if (w->single < 0)
		return complain(UNREADABLE, "%s: %s", root, errno == EINVAL ? "not a regular file" : strerror(errno));
	w->bytes = (uint64_t)st.st_size;
	return OK;
}

static bool next_single(struct walk *w, struct walk_item *item)
{
	const char *slash = strrchr(w->root, '/');
	struct stat st;

	if (w->single < 0 || fstat(w->single, &st))
		return false;
	fill(item, KIND_FILE, &st, slash ? slash + 1 : w->root, w->root);
	item->file = w->single;
	w->single = -1;
	return true;
}

/* Whether it is to be sent in this round. */
static bool take(struct walk *w, const FTSENT *at, struct walk_item *item)
{
	const char *path = at->fts_path + w->skip;
	struct stat st;
	int file;

	if (w->settling ? at->fts_info == FTS_DP || at->fts_info == FTS_DNR : at->fts_info == FTS_D) {
		fill(item, w->settling ? KIND_SETTLE : KIND_DIRECTORY, at->fts_statp, path, at->fts_path);
		return true;
	}
	if (w->settling || at->fts_info == FTS_DP)
		return false;
	if (at->fts_info == FTS_DNR || at->fts_info == FTS_ERR || at->fts_info == FTS_NS) {
		leave_out(w, at->fts_path, strerror(at->fts_errno));
		return false;
	}
	if (at->fts_info != FTS_F) {
		leave_out(w, at->fts_path, at->fts_info == FTS_SL ? "a symbolic link" : "not a regular file");
		return false;
	}
	if (target_is_left(at->fts_name)) {
		leave_out(w, at->fts_path, "a transfer has left it");
		return false;
	}
	file = open_regular(at->fts_accpath, O_NOFOLLOW, &st);
	if (file < 0) {
		leave_out(w, at->fts_path, errno == EINVAL ? "not a regular file" : strerror(errno));
		return false;
	}
	fill(item, KIND_FILE, &st, path, at->fts_path);
	item->file = file;
	return true;
}

bool walk_next(struct walk *w, struct walk_item *item)
{
	FTSENT *at;

	if (!w->fts)
		return next_single(w, item);
	while ((at = fts_read(w->fts))) {
		if (strlen(at->fts_path) >= PATH_MAX) {
			leave_out(w, at->fts_path, "its path is too long");
			fts_set(w->fts, at, FTS_SKIP);
		} else if (take(w, at, item)) {
			return true;
		}
	}
	return false;
}

void walk_settle(struct walk *w)
{
	w->settling = true;
	if (w->fts)
		start(w);
}

void walk_close(struct walk *w)
{
	if (w->fts)
		fts_close(w->fts);
	if (w->single >= 0)
		close(w->single);
	free(w->real);
}

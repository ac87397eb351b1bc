/* The sender. Many entries are on their way at a time, so that small files do not wait for one another; the bytes of
 * one file after another. Files are read, an ADU at a time, and not mapped: one that becomes shorter meanwhile then
 * ends in a message and not in SIGBUS. A file stays open until TCP's peer has all of it: what is lost is read again. */
#include "adu-examples/xfer/xfer.h"
#include "alf/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct outgoing {
	bool used, wanted, asked, ended, done; /* wanted: the peer has said what it lacks; asked: FRESH was said */
	struct walk_item item;
	struct spans there;
	uint32_t next, span;                   /* piece; the first span that is not before it */
	uint64_t digest;
	uint32_t unacked;                      /* ADUs */
};

struct sender {
	struct peer peer; /* first: peer_open */
	const struct options *o;
	struct progress progress;
	struct walk walk;
	struct outgoing *out; /* by number % ENTRIES_MAX */
	uint8_t *piece;
	uint32_t next, open;  /* the next entry's number; entries under way */
	bool all;             /* there are no more entries */
};

static struct outgoing *find(struct sender *x, uint32_t number)
{
	struct outgoing *f = &x->out[number % ENTRIES_MAX];

	return f->used && f->item.entry.number == number ? f : NULL;
}

/* Tells both: the user here and the peer. */
static enum status give_up(struct sender *x, const char *path, const char *text)
{
	complain(UNREADABLE, "%s: %s", shown(path), text);
	peer_tell(&x->peer, UNREADABLE, text);
	return UNREADABLE;
}

static enum status give_up_reading(struct sender *x, const struct outgoing *f, int error)
{
	return give_up(x, f->item.path, error == -ENODATA ? "became shorter while it was sent" : strerror(-error));
}

/* ---- entries ---- */

static void settle(struct sender *x, struct outgoing *f)
{
	if (!f->done || f->unacked)
		return;
	if (f->item.file >= 0)
		close(f->item.file);
	f->used = false;
	x->open--;
}

/* The next entry, if there is room for one. Directories are settled when all that is in them is done. */
static enum status offer(struct sender *x, bool *worked)
{
	struct outgoing *f = &x->out[x->next % ENTRIES_MAX];
	uint8_t message[MESSAGE_MAX];

	if (x->all || f->used)
		return OK;
	*f = (struct outgoing){ .used = false };
	if (!walk_next(&x->walk, &f->item)) {
		if (x->walk.settling)
			x->all = true;
		else if (!x->open)
			walk_settle(&x->walk);
		return OK;
	}
	*worked = f->used = true;
	x->open++;
	f->item.entry.number = x->next++;
	f->item.entry.piece_bytes = x->o->piece_bytes;
	if (f->item.entry.size > (uint64_t)PIECES_MAX * x->o->piece_bytes)
		return give_up(x, f->item.path, "too many pieces: take a larger --adu");
	if (f->item.file >= 0)
		posix_fadvise(f->item.file, 0, 0, POSIX_FADV_SEQUENTIAL);
	return peer_send(&x->peer, ENTRY, message, entry_write(&f->item.entry, message));
}

/* What the receiver has is the file's, or it is told that it is not. */
static enum status take_want(struct sender *x, struct outgoing *f, const uint8_t *data, size_t len)
{
	uint64_t theirs, ours, bytes;
	uint8_t number[4];
	int e;

	if (f->item.entry.kind != KIND_FILE || f->wanted ||
		!want_read(&f->there, &theirs, pieces_of(&f->item.entry), data, len) || (f->asked && f->there.n))
		return peer_nonsense();
	e = digest_pieces(&x->peer, f->item.file, &f->item.entry, &f->there, &ours);
	if (e)
		return give_up_reading(x, f, e);
	if (ours != theirs) {
		f->asked = true;
		put32(number, f->item.entry.number);
		return peer_send(&x->peer, FRESH, number, sizeof number);
	}
	f->wanted = true;
	f->digest = ours;
	bytes = spans_bytes(&f->there, &f->item.entry);
	x->progress.resumed += bytes;
	progress_add(&x->progress, bytes);
	return OK;
}

static enum status take_done(struct sender *x, struct outgoing *f)
{
	if (f->done || (f->item.entry.kind == KIND_FILE && !f->ended))
		return peer_nonsense();
	f->done = true;
	x->progress.files += f->item.entry.kind == KIND_FILE;
	settle(x, f);
	return OK;
}

/* ---- bytes ---- */

static void name_put(struct adu_attr *attr, uint32_t number, uint64_t offset)
{
	attr->name_len = (uint8_t)(put64(put32(attr->name, number), offset) - attr->name);
}

/* Hook: what was lost. The name of an ADU that is put says where it is from. */
static bool regenerate(void *ctx, uint64_t id, const struct adu_attr *attr, uint64_t offset, void *to, size_t len)
{
	struct outgoing *f = find(ctx, get32(attr->name));

	(void)id;
	return f && !read_piece(f->item.file, to, get64(attr->name + 4) + offset, len);
}

static enum status put_piece(struct sender *x, struct outgoing *f)
{
	const struct entry *e = &f->item.entry;
	uint64_t offset = (uint64_t)f->next * e->piece_bytes;
	size_t len = piece_length(e, f->next);
	struct adu_attr attr = { .recovery = ADU_RECOMPUTE };
	int error = read_piece(f->item.file, x->piece, offset, len);

	if (error)
		return give_up_reading(x, f, error);
	f->digest += digest(offset, x->piece, len);
	name_put(&attr, e->number, offset);
	f->next++;
	f->unacked++;
	x->progress.adus++;
	progress_add(&x->progress, len);
	return peer_put(&x->peer, e->number + 1, offset, x->piece, len, &attr);
}

/* All of it was read: it is what it was when it was offered. */
static enum status end_file(struct sender *x, struct outgoing *f)
{
	const struct entry *e = &f->item.entry;
	uint8_t message[12];
	struct stat st;

	if (fstat(f->item.file, &st))
		return give_up(x, f->item.path, strerror(errno));
	if ((uint64_t)st.st_size != e->size || st.st_mtim.tv_sec != e->mtime.tv_sec ||
		st.st_mtim.tv_nsec != e->mtime.tv_nsec)
		return give_up(x, f->item.path, "changed while it was sent");
	f->ended = true;
	return peer_send(&x->peer, END, message, end_write(e->number, f->digest, message));
}

/* A piece of the oldest file that has one to go. */
static enum status advance(struct sender *x, bool *worked)
{
	for (uint32_t number = x->next - ENTRIES_MAX; number != x->next; number++) {
		struct outgoing *f = find(x, number);
		if (!f || !f->wanted || f->ended)
			continue;
		*worked = true;
		if (f->span < f->there.n && f->next == f->there.of[f->span].first)
			f->next += f->there.of[f->span++].count;
		return f->next < pieces_of(&f->item.entry) ? put_piece(x, f) : end_file(x, f);
	}
	return OK;
}

/* ---- the connection ---- */

static enum status take_adu(struct sender *x, const struct adu_event *e)
{
	struct outgoing *f;
	uint32_t number;

	if (!number_read(&number, e->data, e->len) || !(f = find(x, number)))
		return peer_nonsense();
	if (e->attr.type == WANT)
		return take_want(x, f, e->data, e->len);
	return e->attr.type == DONE ? take_done(x, f) : peer_nonsense();
}

static enum status take(struct sender *x, const struct adu_event *e)
{
	struct outgoing *f;
	enum status s;

	if (e->kind == ADU_DELIVERED) {
		s = take_adu(x, e);
		adu_release(x->peer.alf, e->id);
		return s;
	}
	if (e->kind == ADU_ACKNOWLEDGED && e->attr.recovery == ADU_RECOMPUTE && (f = find(x, get32(e->attr.name)))) {
		f->unacked--;
		settle(x, f);
	}
	return OK;
}

/* All that there is to hear; with nothing else to do, until there is something. */
static enum status listen_to(struct sender *x, bool wait)
{
	struct adu_event e;
	enum status s;

	do {
		s = peer_next(&x->peer, &e, wait);
		if (s == OK && e.kind != ADU_EVENTS)
			s = take(x, &e);
		wait = false;
	} while (s == OK && e.kind != ADU_EVENTS);
	return s;
}

static enum status send_all(struct sender *x)
{
	uint8_t bytes[8];
	enum status s;

	put64(bytes, x->walk.bytes);
	s = peer_send(&x->peer, HELLO, bytes, sizeof bytes);
	while (s == OK && (!x->all || x->open)) {
		bool worked = false;
		s = offer(x, &worked);
		if (s == OK)
			s = advance(x, &worked);
		if (s == OK)
			s = listen_to(x, !worked && x->open);
	}
	return s;
}

/* The receiver's last word. */
static enum status part(struct sender *x)
{
	struct adu_event e;
	enum status s = peer_send(&x->peer, BYE, NULL, 0);

	do
		s = s == OK ? peer_next(&x->peer, &e, true) : s;
	while (s == OK && (e.kind != ADU_DELIVERED || e.attr.type != ANSWER));
	return s;
}

static enum status transfer(struct sender *x, int fd)
{
	const struct alf_hooks hooks = { .regenerate = regenerate, .ctx = x };
	enum status s = peer_open(&x->peer, x->o, fd, &hooks);

	if (s == OK)
		s = send_all(x);
	if (s == OK)
		s = part(x);
	if (s == INTERRUPTED && x->peer.alf)
		peer_tell(&x->peer, INTERRUPTED, "interrupted");
	progress_end(&x->progress, s == OK);
	peer_close(&x->peer);
	return s;
}

enum status send_files(const struct options *o)
{
	struct sender x = { .o = o, .out = calloc(ENTRIES_MAX, sizeof *x.out),
			    .piece = malloc(o->piece_bytes) };
	enum status s = walk_open(&x.walk, o->file);
	int fd;

	if (s == OK && (!x.out || !x.piece))
		s = complain(FAILED, "%s", strerror(ENOMEM));
	/* A transfer's time is the user's: from where nobody has been asked yet to the receiver's last answer. */
	progress_begin(&x.progress, &x.peer, "sent", o->file, x.walk.bytes);
	if (s == OK)
		s = road_connect(&o->road, "`xfer recv`", &fd);
	if (s == OK)
		s = transfer(&x, fd);
	for (uint32_t i = 0; x.out && i < ENTRIES_MAX; i++)
		if (x.out[i].used && x.out[i].item.file >= 0)
			close(x.out[i].item.file);
	free(x.out);
	free(x.piece);
	walk_close(&x.walk);
	return s == OK && x.walk.left_out ? UNREADABLE : s;
}

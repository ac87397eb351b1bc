/* The receiver. Entries come in the order in which they were sent; their bytes are where they belong when TCP has
 * them, be it over holes. A transfer that breaks leaves what is whole of each file, for the next one to go on with. */
#include "adu-examples/xfer/xfer.h"
#include "alf/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTING_BYTES (32U << 20) /* what a sender may have under way when it learns that it is over */

struct receiver {
	struct peer peer; /* first: peer_open */
	const struct options *o;
	struct progress progress;
	struct incoming in[ENTRIES_MAX]; /* by number % ENTRIES_MAX */
	uint32_t next, open;             /* the next entry's number; entries under way */
	int base;                        /* the directory where all goes */
	char *name;                      /* a file's there; NULL: as the sender has it */
	bool spoiled, finished;          /* spoiled: what has come is wrong; finished: BYE */
};

/* Says no, here and there. */
static enum status refuse(struct receiver *x, enum status status, const char *text)
{
	complain(status, "%s", text);
	peer_tell(&x->peer, status, text);
	return status;
}

static enum status refuse_error(struct receiver *x, const char *path, int e)
{
	char text[TEXT_MAX];
	const char *what = strerror(-e);

	if (e == -EINVAL)
		what = "no file can have the name that the sender gives";
	if (e == -EBUSY)
		what = "another transfer writes it";
	snprintf(text, sizeof text, "%.150s: %s", shown(path), what);
	return refuse(x, UNWRITABLE, text);
}

static enum status nonsense(struct receiver *x)
{
	return refuse(x, FAILED, "the peer does not speak xfer");
}

/* ---- places ---- */

static struct incoming *find(struct receiver *x, uint32_t number)
{
	struct incoming *f = &x->in[number % ENTRIES_MAX];

	return f->used && f->entry.number == number ? f : NULL;
}

/* Hook: straight into the file. */
static int place(void *ctx, const struct adu_where *where, struct iovec *to, int max)
{
	struct incoming *f = where->id ? NULL : find(ctx, where->stag - 1);
	uint8_t *at = f ? incoming_place(f, where->offset, where->len) : NULL;

	(void)max;
	*to = (struct iovec){ at, where->len };
	return at != NULL;
}

static enum status tell_number(struct receiver *x, enum adu_type type, uint32_t number)
{
	uint8_t message[4];

	put32(message, number);
	return peer_send(&x->peer, type, message, sizeof message);
}

static enum status done(struct receiver *x, struct incoming *f)
{
	uint32_t number = f->entry.number;

	if (f->entry.size)
		adu_hide(x->peer.alf, number + 1);
	x->progress.files++;
	x->progress.adus += f->pieces - f->pieces_there;
	incoming_close(f, false);
	x->open--;
	return tell_number(x, DONE, number);
}

static enum status finish_if_whole(struct receiver *x, struct incoming *f)
{
	int e;

	if (!incoming_is_whole(f))
		return OK;
	e = incoming_finish(f);
	if (e == -EBADMSG) {
		x->spoiled = true;
		return refuse(x, FAILED, "what came is not what was sent: the digests differ");
	}
	return e ? refuse_error(x, f->entry.path, e) : done(x, f);
}

static enum status take_placed(struct receiver *x, const struct adu_event *e)
{
	struct incoming *f = find(x, e->stag - 1);

	if (!f || incoming_placed(f, e->offset, e->len))
		return nonsense(x);
	progress_add(&x->progress, e->len);
	return finish_if_whole(x, f);
}

/* ---- entries ---- */

/* What is there already, for the sender to compare. */
static enum status want(struct receiver *x, struct incoming *f)
{
	uint8_t message[MESSAGE_MAX];
	struct spans s;
	int e;

	incoming_spans(f, &s);
	e = digest_pieces(&x->peer, f->file, &f->entry, &s, &f->digest);
	if (e)
		return refuse_error(x, f->entry.path, e);
	f->there = spans_bytes(&s, &f->entry);
	f->pieces_there = f->whole;
	return peer_send(&x->peer, WANT, message, want_write(f->entry.number, &s, f->digest, message));
}

static enum status take_file(struct receiver *x, struct incoming *f)
{
	int e = incoming_open(f, x->base, x->name ? x->name : f->entry.path);

	x->open += f->used;
	if (!e && f->entry.size && adu_expose(x->peer.alf, f->entry.number + 1, NULL, f->entry.size))
		e = -errno;
	return e ? refuse_error(x, f->entry.path, e) : want(x, f);
}

static enum status take_directory(struct receiver *x, const struct entry *e)
{
	struct target t;
	int error = target_open(&t, x->base, e->path);

	if (!error) {
		error = e->kind == KIND_SETTLE ? target_settle(&t, e) : target_make_directory(&t, e->mode);
		target_close(&t);
	}
	/* What was made after we were told of all that is in it, and is not here, is not settled either. */
	if (error && !(e->kind == KIND_SETTLE && error == -ENOENT))
		return refuse_error(x, e->path, error);
	return tell_number(x, DONE, e->number);
}

static enum status take_entry(struct receiver *x, const uint8_t *data, size_t len)
{
	struct incoming *f = &x->in[x->next % ENTRIES_MAX];
	struct entry e;

	if (f->used || !entry_read(&e, data, len) || e.number != x->next)
		return nonsense(x);
	x->next++;
	if (x->name && (e.kind != KIND_FILE || strchr(e.path, '/') || e.number))
		return refuse(x, UNWRITABLE, "a tree needs a directory to be in, which is there already");
	if (e.kind != KIND_FILE)
		return take_directory(x, &e);
	*f = (struct incoming){ .entry = e };
	return take_file(x, f);
}

static enum status take_end(struct receiver *x, struct incoming *f, const uint8_t *data, size_t len)
{
	if (f->ended || !end_read(&f->right, data, len))
		return nonsense(x);
	f->ended = true;
	x->progress.resumed += f->there; /* the sender agrees */
	progress_add(&x->progress, f->there);
	return finish_if_whole(x, f);
}

static enum status take_fresh(struct receiver *x, struct incoming *f)
{
	int e = incoming_fresh(f);

	return e ? refuse_error(x, f->entry.path, e) : want(x, f);
}

/* ---- the connection ---- */

static enum status take_adu(struct receiver *x, const struct adu_event *e)
{
	struct incoming *f;
	uint32_t number;

	if (e->attr.type == HELLO && e->len == 8) {
		x->progress.size = get64(e->data);
		return OK;
	}
	if (e->attr.type == ENTRY)
		return take_entry(x, e->data, e->len);
	if (e->attr.type == BYE && !x->open) {
		x->finished = true;
		return peer_tell(&x->peer, OK, "");
	}
	f = number_read(&number, e->data, e->len) ? find(x, number) : NULL;
	if (f && e->attr.type == END)
		return take_end(x, f, e->data, e->len);
	return f && e->attr.type == FRESH ? take_fresh(x, f) : nonsense(x);
}

static enum status take_all(struct receiver *x)
{
	enum status s = OK;

	while (s == OK && !x->finished) {
		struct adu_event e = { .kind = ADU_EVENTS };
		s = peer_next(&x->peer, &e, true);
		if (s == INTERRUPTED)
			peer_tell(&x->peer, INTERRUPTED, "interrupted");
		if (s == OK && e.kind == ADU_PLACED && !e.id)
			s = take_placed(x, &e);
		if (e.kind != ADU_DELIVERED)
			continue;
		if (s == OK)
			s = take_adu(x, &e);
		adu_release(x->peer.alf, e.id);
	}
	return s;
}

/* OUT is a directory, or a name in one. */
static enum status open_base(struct receiver *x)
{
	char *a = strdup(x->o->file), *b = strdup(x->o->file);
	struct stat st;
	bool inside = stat(x->o->file, &st) == 0 && S_ISDIR(st.st_mode);
	const char *dir = inside ? x->o->file : dirname(a);

	x->name = inside ? NULL : strdup(basename(b));
	x->base = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(a);
	free(b);
	return x->base < 0 ? refuse_error(x, x->o->file, -errno) : OK;
}

/* What was said must be read before unread bytes make TCP reset the connection: the sender is heard out. */
static void part(struct receiver *x)
{
	struct timeval patience = { .tv_sec = PARTING_S };
	ssize_t n;

	if (x->peer.broken)
		return;
	setsockopt_tcpu(x->peer.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	shutdown_tcpu(x->peer.fd, SHUT_WR);
	for (size_t heard = 0; heard < PARTING_BYTES; heard += (size_t)n) {
		static uint8_t waste[1 << 16];
		n = recv_tcpu(x->peer.fd, waste, sizeof waste, 0);
		if (n <= 0)
			break;
	}
}

static void close_all(struct receiver *x, bool keep)
{
	for (uint32_t i = 0; i < ENTRIES_MAX; i++)
		if (incoming_close(&x->in[i], keep))
			complain(OK, "%s: what has come is kept, for a transfer that goes on with it",
				 shown(x->name ? x->name : x->in[i].entry.path));
}

static enum status receive_one(const struct options *o, int fd)
{
	static struct receiver x; /* large */
	const struct alf_hooks hooks = { .place = place, .ctx = &x };
	enum status s;

	x = (struct receiver){ .o = o, .base = -1 };
	/* From the connection to the last answer; the size is told on the way. */
	progress_begin(&x.progress, &x.peer, "received", o->file, 0);
	s = peer_open(&x.peer, o, fd, &hooks);
	if (s == OK)
		s = open_base(&x);
	if (s == OK)
		s = take_all(&x);
	progress_end(&x.progress, s == OK);
	close_all(&x, s != UNWRITABLE && !x.spoiled);
	if (s != OK)
		part(&x);
	peer_close(&x.peer);
	if (x.base >= 0)
		close(x.base);
	free(x.name);
	return s;
}

/* Of a mapped file. What is whole may be gone on with, as after SIGKILL. */
static void on_bus(int signal)
{
	static const char text[] = "xfer: the disk failed, or somebody cut a file that is being received\n";
	ssize_t n = write(2, text, sizeof text - 1);

	(void)signal;
	(void)n;
	_exit(UNWRITABLE);
}

enum status receive_files(const struct options *o)
{
	int fd, connection;
	enum status s = road_listen(&o->road, 16, &fd);

	signal(SIGBUS, on_bus);
	while (s == OK && !interrupted) {
		connection = accept_tcpu(fd, NULL, NULL);
		if (connection < 0 && errno == EINTR)
			continue;
		if (connection < 0) {
			s = complain(FAILED, "accept: %s", strerror(errno));
			break;
		}
		road_patience(&o->road, connection);
		s = receive_one(o, connection);
		if (o->once)
			break;
		s = OK; /* that one's matter */
	}
	if (fd >= 0)
		close_tcpu(fd);
	return interrupted ? INTERRUPTED : s;
}

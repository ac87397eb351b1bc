/* The receiver. ADUs are written at their offsets into a file of another name beside the final one, and that gets
 * its name only when every ADU has come exactly once and the digest is right. It is written by pwrite and not
 * mapped, and its blocks are asked for first: a full disk is an answer then, not SIGBUS, and mostly an early one.
 * SIGKILL leaves the temporary file: .NAME.xxxxxx. */
#include "adu-examples/xfer/xfer.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADUS_MAX (1u << 30)   /* 128 MiB to remember which have come */
#define PARTING_BYTES (2 * ADU_LARGEST) /* what a sender may have under way when it learns that it is over */

struct incoming {
	const struct options *o;
	struct peer peer;
	struct progress progress;
	struct hello hello; /* numbers in the host's order */
	int file;
	char *path, *temporary;
	uint8_t *buf, *seen; /* an ADU; a bit for each */
	uint64_t adus, digest;
};

/* Says no, here and there. */
static enum status refuse(struct incoming *x, enum status status, const char *text)
{
	complain(status, "%s", text);
	peer_tell(&x->peer, status, text);
	return status;
}

static enum status refuse_errno(struct incoming *x, const char *what)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof text, "%.150s: %s", what, strerror(errno));
	return refuse(x, UNWRITABLE, text);
}

static bool name_is_plain(const char *name)
{
	size_t len = strlen(name);

	return len && peer_legible(name, len) == len && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static enum status read_hello(struct incoming *x)
{
	struct hello *h = &x->hello;
	struct adu_attr attr;
	size_t len;
	enum status s = peer_recv(&x->peer, h, sizeof *h, &attr, &len);

	if (s != OK)
		return s;
	if (attr.type != HELLO || len != sizeof *h)
		return refuse(x, FAILED, "the peer does not speak xfer");
	h->adu_bytes = be32toh(h->adu_bytes);
	h->size = be64toh(h->size);
	h->mode = be32toh(h->mode) & 0777;
	h->name[sizeof h->name - 1] = 0;
	if (h->adu_bytes < ADU_MIN || h->adu_bytes > ADU_LARGEST || h->size > INT64_MAX || h->size / h->adu_bytes >= ADUS_MAX)
		return refuse(x, FAILED, "ADUs of that size, or so many, are not taken here");
	return OK;
}

/* The final path and the temporary one beside it. */
static enum status open_temporary(struct incoming *x)
{
	struct stat st;
	char *a = strdup(x->o->file), *b = strdup(x->o->file);
	const char *dir = dirname(a), *name = basename(b);
	int r;

	if (stat(x->o->file, &st) == 0 && S_ISDIR(st.st_mode)) {
		dir = x->o->file;
		name = x->hello.name;
	}
	r = name_is_plain(name) ? asprintf(&x->path, "%s/%s", dir, name) : -1;
	if (r >= 0)
		r = asprintf(&x->temporary, "%s/.%.200s.XXXXXX", dir, name);
	free(a);
	free(b);
	if (r < 0)
		return refuse(x, FAILED, "no file can have the name that the sender gives");
	x->file = mkostemp(x->temporary, O_CLOEXEC);
	if (x->file < 0) {
		enum status s = refuse_errno(x, x->temporary);
		free(x->temporary);
		x->temporary = NULL;
		return s;
	}
	if (x->hello.size && fallocate(x->file, 0, 0, (off_t)x->hello.size) && errno != EOPNOTSUPP)
		return refuse_errno(x, x->path);
	return OK;
}

static uint64_t adus_expected(const struct hello *h)
{
	return (h->size + h->adu_bytes - 1) / h->adu_bytes;
}

/* An ADU of the file: at a place of its own, with all the bytes that belong there, for the first time. */
static enum status take_data(struct incoming *x, const struct adu_attr *attr, size_t len)
{
	const struct hello *h = &x->hello;
	uint64_t offset = 0, i, want;

	memcpy(&offset, attr->name, sizeof offset);
	offset = be64toh(offset);
	i = offset / h->adu_bytes;
	want = h->size - offset < h->adu_bytes ? h->size - offset : h->adu_bytes;
	if (attr->name_len != sizeof offset || offset >= h->size || offset % h->adu_bytes || len != want ||
	    x->seen[i / 8] & 1 << i % 8)
		return refuse(x, FAILED, "an ADU came twice, or has no place in the file");
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(x->file, x->buf + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR && !interrupted)
			continue;
		if (n < 0)
			return refuse_errno(x, x->path);
		done += (size_t)n;
	}
	x->seen[i / 8] |= (uint8_t)(1 << i % 8);
	x->digest += digest(offset, x->buf, len);
	x->adus++;
	progress_add(&x->progress, len);
	return OK;
}

static enum status take_end(struct incoming *x, size_t len)
{
	struct end end;
	int file = x->file;

	if (len != sizeof end)
		return refuse(x, FAILED, "the peer does not speak xfer");
	memcpy(&end, x->buf, sizeof end);
	if (x->adus != adus_expected(&x->hello) || be64toh(end.adus) != x->adus)
		return refuse(x, FAILED, "ADUs are missing");
	if (be64toh(end.digest) != x->digest)
		return refuse(x, FAILED, "what came is not what was sent: the digests differ");
	if (fchmod(file, x->hello.mode))
		return refuse_errno(x, x->path);
	x->file = -1;
	if (close(file) || rename(x->temporary, x->path))
		return refuse_errno(x, x->path);
	free(x->temporary);
	x->temporary = NULL;
	return peer_tell(&x->peer, OK, "");
}

static enum status take_all(struct incoming *x)
{
	struct adu_attr attr;
	size_t len;

	for (;;) {
		enum status s = peer_recv(&x->peer, x->buf, x->hello.adu_bytes, &attr, &len);
		if (interrupted)
			return refuse(x, INTERRUPTED, "interrupted");
		if (s != OK)
			return s;
		if (attr.type == END)
			return take_end(x, len);
		s = attr.type == DATA ? take_data(x, &attr, len) : refuse(x, FAILED, "the peer does not speak xfer");
		if (s != OK)
			return s;
	}
}

static enum status transfer(struct incoming *x)
{
	enum status s = read_hello(x);

	if (s == OK)
		s = open_temporary(x);
	if (s != OK)
		return s;
	x->buf = malloc(x->hello.adu_bytes);
	x->seen = calloc(adus_expected(&x->hello) / 8 + 1, 1);
	if (!x->buf || !x->seen)
		return refuse(x, FAILED, strerror(ENOMEM));
	s = peer_tell(&x->peer, OK, "");
	if (s != OK)
		return s;
	x->progress.name = x->path;
	x->progress.size = x->hello.size;
	s = take_all(x);
	progress_end(&x->progress, &x->peer, s == OK);
	return s;
}

/* What was said must be read before unread bytes make TCP reset the connection: the sender is heard out. */
static void part(struct incoming *x)
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

static enum status receive_one(const struct options *o, int fd)
{
	struct incoming x = { .o = o, .file = -1 };
	enum status s;

	/* From the connection to the last answer; the name and the size are told on the way. */
	progress_begin(&x.progress, "received", o->file, 0);
	s = peer_open(&x.peer, o, fd, false);
	if (s == OK)
		s = transfer(&x);
	if (x.file >= 0)
		close(x.file);
	if (x.temporary)
		unlink(x.temporary);
	if (s != OK)
		part(&x);
	peer_close(&x.peer);
	free(x.temporary);
	free(x.path);
	free(x.buf);
	free(x.seen);
	return s;
}

static enum status listen_on(const struct options *o, int *fd)
{
	struct sockaddr_in local = o->address;
	char name[INET_ADDRSTRLEN];
	socklen_t len = sizeof local;

	inet_ntop(AF_INET, &local.sin_addr, name, sizeof name);
	*fd = peer_socket(o);
	if (*fd < 0 && errno == EPROTONOSUPPORT)
		return complain(FAILED, NO_TCPK);
	if (*fd < 0)
		return complain(FAILED, "socket: %s", strerror(errno));
	if (bind_tcpu(*fd, &local, sizeof local) || listen_tcpu(*fd, 16))
		return complain(FAILED, "%s:%u: %s", name, ntohs(local.sin_port), strerror(errno));
	getsockname_tcpu(*fd, &local, &len);
	return complain(OK, "listening on %s:%u", name, ntohs(local.sin_port));
}

enum status receive_files(const struct options *o)
{
	int fd, connection;
	enum status s = listen_on(o, &fd);

	while (s == OK && !interrupted) {
		connection = accept_tcpu(fd, NULL, NULL);
		if (connection < 0 && errno == EINTR)
			continue;
		if (connection < 0) {
			s = complain(FAILED, "accept: %s", strerror(errno));
			break;
		}
		s = receive_one(o, connection);
		if (o->once)
			break;
		s = OK; /* that one's matter */
	}
	if (fd >= 0)
		close_tcpu(fd);
	return interrupted ? INTERRUPTED : s;
}

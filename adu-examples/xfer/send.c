/* The sender. The file is read into memory, an ADU at a time, and not mapped: a file that becomes shorter meanwhile
 * then ends in a message and not in SIGBUS; the copy stays in the cache. */
#include "adu-examples/xfer/xfer.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct outgoing {
	const struct options *o;
	int file;
	struct stat stat;
	struct peer peer;
	struct progress progress;
	uint8_t *buf;
	uint64_t digest;
};

static enum status open_file(struct outgoing *x)
{
	/* Not to hang on a FIFO that nobody writes. */
	x->file = open(x->o->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (x->file < 0 || fstat(x->file, &x->stat))
		return complain(UNREADABLE, "%s: %s", x->o->file, strerror(errno));
	if (S_ISDIR(x->stat.st_mode))
		return complain(UNREADABLE, "%s: %s", x->o->file, strerror(EISDIR));
	if (!S_ISREG(x->stat.st_mode))
		return complain(UNREADABLE, "%s: not a regular file", x->o->file);
	return OK;
}

/* A connect is not waited for longer than for anything else. */
static enum status connect_to(struct outgoing *x, int *fd)
{
	struct timeval patience = { .tv_sec = x->o->timeout_s };
	char name[INET_ADDRSTRLEN];
	int r;

	*fd = peer_socket(x->o);
	if (*fd < 0 && errno == EPROTONOSUPPORT)
		return complain(FAILED, NO_TCPK);
	if (*fd < 0)
		return complain(FAILED, "socket: %s", strerror(errno));
	setsockopt_tcpu(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	r = connect_tcpu(*fd, &x->o->address, sizeof x->o->address);
	if (r == 0)
		return OK;
	if (errno == EINPROGRESS)
		errno = ETIMEDOUT;
	r = errno;
	fcntl_tcpu(*fd, F_SETFL, O_NONBLOCK);
	close_tcpu(*fd);
	if (interrupted)
		return INTERRUPTED;
	inet_ntop(AF_INET, &x->o->address.sin_addr, name, sizeof name);
	return complain(ABSENT, "%s:%u: %s: is `xfer recv` running there?", name, ntohs(x->o->address.sin_port), strerror(r));
}

/* The peer's ANSWER. */
static enum status answer(struct outgoing *x)
{
	char text[TEXT_MAX];
	struct adu_attr attr;
	size_t len;
	enum status s = peer_recv(&x->peer, text, sizeof text, &attr, &len);

	if (s == OK && attr.type != ANSWER)
		return complain(FAILED, "the peer does not speak xfer");
	return s;
}

static enum status agree(struct outgoing *x)
{
	struct hello hello = {
		.adu_bytes = htobe32(x->o->adu_bytes),
		.size = htobe64((uint64_t)x->stat.st_size),
		.mode = htobe32(x->stat.st_mode & 0777),
	};
	const char *slash = strrchr(x->o->file, '/');
	enum status s;

	snprintf(hello.name, sizeof hello.name, "%s", slash ? slash + 1 : x->o->file);
	s = peer_send(&x->peer, HELLO, NULL, 0, &hello, sizeof hello);
	return s == OK ? answer(x) : s;
}

/* Tells both: the user here and the peer. */
static enum status give_up(struct outgoing *x, enum status status, const char *text)
{
	complain(status, "%s: %s", x->o->file, text);
	peer_tell(&x->peer, status, text);
	return status;
}

static enum status read_adu(struct outgoing *x, uint64_t offset, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(x->file, x->buf + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR && !interrupted)
			continue;
		if (n < 0)
			return give_up(x, UNREADABLE, strerror(errno));
		if (n == 0)
			return give_up(x, UNREADABLE, "became shorter while it was sent");
		done += (size_t)n;
	}
	x->digest += digest(offset, x->buf, len);
	return OK;
}

static enum status send_data(struct outgoing *x)
{
	uint64_t size = (uint64_t)x->stat.st_size;
	enum status s = OK;

	for (uint64_t offset = 0; s == OK && offset < size; offset += x->o->adu_bytes) {
		size_t len = size - offset < x->o->adu_bytes ? (size_t)(size - offset) : x->o->adu_bytes;
		uint64_t name = htobe64(offset);

		if (interrupted) {
			peer_tell(&x->peer, INTERRUPTED, "interrupted");
			return INTERRUPTED;
		}
		if (peer_speaks(&x->peer)) { /* before the end: only to say why not */
			s = answer(x);
			return s == OK ? complain(FAILED, "the peer does not speak xfer") : s;
		}
		s = read_adu(x, offset, len);
		if (s == OK)
			s = peer_send(&x->peer, DATA, &name, sizeof name, x->buf, len);
		if (s == OK)
			progress_add(&x->progress, len);
	}
	return s;
}

static enum status finish(struct outgoing *x)
{
	struct end end = { htobe64(x->progress.adus), htobe64(x->digest) };
	enum status s = peer_send(&x->peer, END, NULL, 0, &end, sizeof end);

	return s == OK ? answer(x) : s;
}

static enum status transfer(struct outgoing *x)
{
	enum status s = agree(x);

	if (s != OK)
		return s;
	x->buf = malloc(x->o->adu_bytes);
	if (!x->buf)
		return give_up(x, FAILED, strerror(ENOMEM));
	posix_fadvise(x->file, 0, 0, POSIX_FADV_SEQUENTIAL);
	s = send_data(x);
	if (s == OK)
		s = finish(x);
	progress_end(&x->progress, &x->peer, s == OK);
	free(x->buf);
	return s;
}

enum status send_file(const struct options *o)
{
	struct outgoing x = { .o = o };
	enum status s;
	int fd;

	s = open_file(&x);
	/* A transfer's time is the user's: from here, where nobody has been asked yet, to the receiver's last answer. */
	progress_begin(&x.progress, "sent", o->file, (uint64_t)x.stat.st_size);
	if (s == OK)
		s = connect_to(&x, &fd);
	if (s == OK) {
		s = peer_open(&x.peer, o, fd, true);
		if (s == OK)
			s = transfer(&x);
		peer_close(&x.peer);
	}
	if (x.file >= 0)
		close(x.file);
	return s;
}

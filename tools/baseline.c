/* tcpu baseline: a file over the kernel's TCP between two processes, with a chain's manipulations by library calls.
 *
 * The sender reads a mapped file, converts and encrypts each piece into a buffer and sends that; the receiver does the
 * inverse and writes the file. The chain's copy and sum are the kernel's own (send() copies into the socket's buffer,
 * and on loopback nobody sums): they are not done twice. Blocking sockets, a piece a call. Congestion control is
 * pinned, since BBR, the default of some machines, is several times slower on loopback: to CUBIC, or where only root
 * may choose it (net.ipv4.tcp_allowed_congestion_control) to Reno, which on a path without loss is as good.
 *
 * It is what xfer is compared with, so the clock runs as xfer's does: from before connect to the receiver's last word,
 * and the receiver asks for the file's blocks within it. */
#include "tools/arguments.h"
#include "tools/library.h"
#include "tools/measure.h"
#include "tools/tcpu.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPT_JSON = 0x100 };

static const struct argp_option options[] = {
	{ "stages", 's', "LIST", 0, "what happens to the data [\"xdr_u32 chacha20\"]; \"\" for nothing", 0 },
	{ "piece", 'p', "BYTES", 0, "of a library call and a send [128K]", 0 },
	{ "json", OPT_JSON, NULL, 0, "write JSON", 0 },
	{ 0 },
};

struct request {
	const char *from, *to, *stages;
	uint64_t piece;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 's':
		r->stages = arg;
		break;
	case 'p':
		r->piece = size_parse(arg);
		if (!r->piece || r->piece > 1 << 30)
			argp_error(state, "'%s' is no size: expected bytes up to 1G, like 64K", arg);
		break;
	case OPT_JSON:
		r->json = true;
		break;
	case ARGP_KEY_ARG:
		if (!r->from)
			r->from = arg;
		else if (!r->to)
			r->to = arg;
		else
			argp_error(state, "'%s' is one too many", arg);
		break;
	case ARGP_KEY_END:
		if (!r->to)
			argp_error(state, "expected two files: what to send, and where to write it");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int fail(const char *what)
{
	fprintf(stderr, "tcpu baseline: %s: %s\n", what, strerror(errno));
	return TCPU_FAILED;
}

/* congestion receives the name of what was pinned. */
static int stream(const char **congestion)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	*congestion = "cubic";
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, *congestion, 5) == 0)
		return fd;
	*congestion = "reno";
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, *congestion, 4) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool send_all(int fd, const uint8_t *data, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0) {
			data += sent;
			n -= (size_t)sent;
		}
	}
	return true;
}

static bool write_all(int fd, const uint8_t *data, size_t n)
{
	while (n) {
		ssize_t written = write(fd, data, n);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			data += written;
			n -= (size_t)written;
		}
	}
	return true;
}

/* Any key does: its secrecy is not what is measured. */
static const uint8_t key[32] = "a key for benchmarks, no secret.", nonce[12] = "a nonce 4 it";

/* What the receiver ends with when it is the sender that has failed, and has said why. */
#define CUT_SHORT 3

/* What comes, until len bytes of it are written. */
static int take(int fd, int out, size_t len, const struct request *r)
{
	struct library *library = library_open(r->stages, key, nonce, r->piece);
	uint8_t *wire = malloc(r->piece), *plain = malloc(r->piece);
	const uint8_t *data = *r->stages ? plain : wire;

	if (!library || !wire || !plain)
		return fail(r->stages);
	if (len && fallocate(out, 0, 0, (off_t)len) != 0 && errno != EOPNOTSUPP)
		return fail(r->to);
	while (len) {
		ssize_t n = recv(fd, wire, r->piece, MSG_WAITALL);

		if (n < 0)
			return fail("recv");
		if (n == 0)
			return CUT_SHORT;
		if (*r->stages)
			library_recv(library, plain, wire, (size_t)n);
		if (!write_all(out, data, (size_t)n))
			return fail(r->to);
		len -= (size_t)n;
	}
	library_close(library);
	free(wire);
	free(plain);
	return close(out) != 0 ? fail(r->to) : TCPU_OK;
}

static int receive(int listener, int out, size_t len, const struct request *r)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int status = fd < 0 ? fail("accept") : take(fd, out, len, r);

	/* The sender's clock stops here: the file is written. */
	return status || send_all(fd, (const uint8_t *)"", 1) ? status : fail("send");
}

/* NULL, or what failed, with errno. */
static const char *transmit(int fd, const uint8_t *data, size_t len, const struct request *r)
{
	struct library *library = library_open(r->stages, key, nonce, r->piece);
	uint8_t *wire = malloc(r->piece), done;
	const char *failed = library && wire ? NULL : "memory";

	for (size_t at = 0; at < len && !failed;) {
		size_t n = len - at < r->piece ? len - at : r->piece;

		if (*r->stages)
			library_send(library, wire, data + at, n);
		if (!send_all(fd, *r->stages ? wire : data + at, n))
			failed = "send";
		at += n;
	}
	library_close(library);
	free(wire);
	shutdown(fd, SHUT_WR);
	errno = failed ? errno : ECONNRESET;
	return failed || recv(fd, &done, 1, 0) == 1 ? failed : "the receiver is gone";
}

static int report(const struct request *r, const char *congestion, uint64_t bytes, double seconds)
{
	double mb = (double)bytes / 1e6 / seconds;

	if (!r->json) {
		printf("%ju bytes in %.3f s, %.0f MB/s, kernel TCP, %s\n", (uintmax_t)bytes, seconds, mb, congestion);
		return TCPU_OK;
	}
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:f, s:f}", "what", "kernel TCP", "congestion", congestion, "stages",
		r->stages, "bytes", (json_int_t)bytes, "seconds", seconds, "mb_per_s", mb);
	return arguments_json(stdout, o, JSON_REAL_PRECISION(6)) ? TCPU_FAILED : TCPU_OK;
}

/* Both processes; returns when both are done. */
static int transfer(const struct request *r, const uint8_t *data, size_t len, int out)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t to_len = sizeof to;
	const char *congestion, *failed;
	int listener = stream(&congestion), fd = stream(&congestion), status;
	pid_t parent = getpid();

	if (listener < 0 || fd < 0)
		return fail("a socket with CUBIC or Reno");
	if (bind(listener, (struct sockaddr *)&to, to_len) != 0 || listen(listener, 1) != 0 ||
		getsockname(listener, (struct sockaddr *)&to, &to_len) != 0)
		return fail("listen");
	pid_t child = fork();
	if (child < 0)
		return fail("fork");
	if (child == 0) { /* who waits for a sender that was killed would wait for ever */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(getppid() != parent ? CUT_SHORT : receive(listener, out, len, r));
	}
	close(listener); /* so that a receiver that dies refuses us */
	uint64_t from = measure_now_ns();
	failed = connect(fd, (struct sockaddr *)&to, to_len) != 0 ? "connect" : transmit(fd, data, len, r);
	double seconds = (double)(measure_now_ns() - from) / 1e9;
	int error = errno;
	close(fd);
	if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == TCPU_FAILED)
		return TCPU_FAILED; /* it said why, and what went wrong here follows from that */
	errno = error;
	return failed ? fail(failed) : report(r, congestion, len, seconds);
}

static int refuse(const char *file, const char *why)
{
	fprintf(stderr, "tcpu baseline: %s: %s\n", file, why);
	return TCPU_FAILED;
}

static const char *not_regular(mode_t mode)
{
	return S_ISREG(mode) ? NULL : S_ISDIR(mode) ? strerror(EISDIR) : "not a regular file";
}

/* Regular files, and two of them: nothing is cut before that is known. O_NONBLOCK, or a FIFO is waited for. */
static int open_both(const struct request *r, int *from, int *to, size_t *len)
{
	struct stat source, copy;

	*from = open(r->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*from < 0 || fstat(*from, &source) != 0)
		return fail(r->from);
	if (not_regular(source.st_mode))
		return refuse(r->from, not_regular(source.st_mode));
	if (stat(r->to, &copy) == 0 && not_regular(copy.st_mode))
		return refuse(r->to, not_regular(copy.st_mode));
	*to = open(r->to, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	if (*to < 0 || fstat(*to, &copy) != 0)
		return fail(r->to);
	if (copy.st_dev == source.st_dev && copy.st_ino == source.st_ino)
		return refuse(r->to, "this is the file to send: expected another name for the copy");
	*len = (size_t)source.st_size;
	return ftruncate(*to, 0) != 0 ? fail(r->to) : TCPU_OK;
}

int verb_baseline(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "FILE COPY",
		"Send FILE to another process over the kernel's TCP on loopback, converted and encrypted by libraries "
		"(libtirpc, OpenSSL), and write it there as COPY.\v"
		"The time is from connect to COPY written, its blocks allocated first, as xfer does.\n\n"
		"Example: tcpu baseline /usr/bin/gdb /dev/shm/copy",
		NULL, NULL, NULL
	};
	struct request request = { .stages = "xdr_u32 chacha20", .piece = 128 << 10 };
	int from, to;
	size_t len;

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	struct library *library = library_open(request.stages, key, nonce, 1);
	if (!library) {
		fprintf(stderr, "tcpu baseline: stages '%s': no library here does one of them; xdr_u32, chacha20, copy and "
			"inet_checksum are known\n", request.stages);
		return TCPU_FAILED;
	}
	library_close(library);
	int status = open_both(&request, &from, &to, &len);
	if (status)
		return status;
	const uint8_t *data = len ? mmap(NULL, len, PROT_READ, MAP_SHARED, from, 0) : NULL;
	if (data == MAP_FAILED)
		return fail(request.from);
	status = transfer(&request, data, len, to);
	if (len)
		munmap((void *)data, len);
	close(from);
	close(to);
	return status;
}

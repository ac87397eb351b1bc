/* How fast ADUs of 8 KiB go beside the plain stream of the same TCP: what tests/netns/throughput.sh asks. The sender
 * hands over a few at a time, so many that they share segments; or each by itself, and waits for it.
 *
 *	throughput --listen IP:PORT --way WAY [--helper PATH]
 *		says `listening`, and `bytes N seconds SECONDS processor SECONDS`: from the first byte on
 *	throughput --connect IP:PORT --way WAY --bytes N [--depth N] [--helper PATH]
 *		says `processor SECONDS`, and of ADUs `segments N fpdus N`: of each
 *
 * WAY: stream; adu, without CRC and markers; crc; markers, with both. */
#include "alf/alf.h"
#include "core/link/tcpk.h"
#include "tests/netns/address.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ADU_BYTES 8192
#define DEPTH_MAX 64
#define BUFFER_BYTES (1 << 20)

static struct options {
	const char *way, *helper;
	bool sends;
	struct sockaddr_in address;
	uint64_t bytes, depth;
} o = { .way = "stream", .bytes = 1 << 28, .depth = 16, .address.sin_family = AF_INET };

static uint8_t data[DEPTH_MAX * ADU_BYTES];

static const struct argp_option known[] = {
	{ "listen", 'l', "IP:PORT", 0, "and receive", 0 },
	{ "connect", 'c', "IP:PORT", 0, "and send", 0 },
	{ "way", 'w', "WAY", 0, "stream, adu, crc, markers [stream]", 0 },
	{ "bytes", 'n', "N", 0, "[256 MiB]", 0 },
	{ "depth", 'd', "N", 0, "ADUs that are queued at most; 1: the call waits [16]", 0 },
	{ "helper", 'H', "PATH", 0, "tcpkd's socket: by TCPK, not in UDP", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'c':
	case 'l':
		o.sends = key == 'c';
		address_read(state, arg, &o.address);
		break;
	case 'w': o.way = arg; break;
	case 'n': o.bytes = strtoull(arg, NULL, 10) / ADU_BYTES * ADU_BYTES; break;
	case 'd': o.depth = strtoull(arg, NULL, 10); break;
	case 'H': o.helper = arg; break;
	case ARGP_KEY_END:
		if (!o.depth || o.depth > DEPTH_MAX)
			argp_error(state, "depth is 1 to %d", DEPTH_MAX);
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "throughput: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Seconds that it was busy, the kernel's work for it included. */
static double processor(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static int opened(void)
{
	const struct link_tcpk_config config = { .path = o.helper };
	struct tcpu_stack_config c = { 0 };
	struct tcpu_stack *stack;
	int e;

	if (!o.helper)
		return socket_tcpu(AF_INET, SOCK_STREAM, 0);
	e = link_tcpk_open(&config, &c.link);
	if (e) {
		errno = -e;
		fail("TCPK");
	}
	if (stack_tcpu(&c, &stack))
		fail("stack_tcpu");
	return stack_socket_tcpu(stack, SOCK_STREAM);
}

static int meet(void)
{
	const int bytes = BUFFER_BYTES;
	int s = opened(), fd;

	if (s < 0)
		fail("socket");
	if (setsockopt_tcpu(s, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) ||
		setsockopt_tcpu(s, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) ||
		setsockopt_tcpu(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5))
		fail("setsockopt");
	if (o.sends) {
		if (connect_tcpu(s, &o.address, sizeof o.address))
			fail("connect");
		return s;
	}
	if (bind_tcpu(s, &o.address, sizeof o.address) || listen_tcpu(s, 1))
		fail("listen");
	puts("listening");
	fd = accept_tcpu(s, NULL, NULL);
	if (fd < 0)
		fail("accept");
	return fd;
}

/* ---- the stream ---- */

static void send_stream(int fd)
{
	const uint64_t piece = o.depth == 1 ? ADU_BYTES : o.depth / 2 * ADU_BYTES;

	for (uint64_t sent = 0, n; sent < o.bytes; sent += n) {
		n = o.bytes - sent < piece ? o.bytes - sent : piece;
		if (send_tcpu(fd, data, n, 0) != (ssize_t)n)
			fail("send");
	}
	/* Until the other end has all of it. */
	if (shutdown_tcpu(fd, SHUT_WR) || recv_tcpu(fd, data, 1, 0) != 0)
		fail("the end");
}

static uint64_t recv_stream(int fd)
{
	uint64_t got = 0;
	ssize_t n;

	while ((n = recv_tcpu(fd, data, 1 << 16, 0)) > 0)
		got += (uint64_t)n;
	if (n < 0)
		fail("recv");
	return got;
}

/* ---- ADUs ---- */

static struct alf *carrier(int fd)
{
	const bool markers = !strcmp(o.way, "markers");
	const struct alf_profile p = { .initiator = o.sends, .markers = markers,
		.crc = markers || !strcmp(o.way, "crc"),
		.wanted = 1U << ADU_COMPLETE | 1U << ADU_SENT | 1U << ADU_ENDED | 1U << ADU_ERROR };
	struct alf *a = alf_open(fd, &p);

	if (!a)
		fail("alf_open");
	return a;
}

/* Moves what can be moved until something happens; ends at the stream's end. */
static bool next(struct alf *a, struct adu_event *e)
{
	int n = adu_next(a, e, -1);

	if (n < 0 || (n && e->kind == ADU_ERROR)) {
		errno = n < 0 ? errno : e->error;
		fail("adu_next");
	}
	return n;
}

/* Half of the ADUs that may be queued at a time, so that they share segments. */
static void queue(struct alf *a, uint64_t *queued, uint64_t sent)
{
	struct adu_attr attr = { 0 };

	if (*queued - sent > o.depth / 2 * ADU_BYTES)
		return;
	for (; *queued < o.bytes && *queued - sent < o.depth * ADU_BYTES; *queued += ADU_BYTES) {
		attr.more = *queued + ADU_BYTES < o.bytes && *queued + ADU_BYTES - sent < o.depth * ADU_BYTES;
		if (adu_send(a, data, ADU_BYTES, &attr) < 0)
			fail("adu_send");
	}
}

static void tell(const struct alf *a, int fd)
{
	const uint64_t adus = o.bytes / ADU_BYTES;
	struct alf_stats stats;
	struct tcpu_info info;

	alf_stats(a, &stats);
	info_tcpu(fd, &info);
	printf("segments %.3f fpdus %.3f\n", (double)info.segments_out / (double)adus, (double)stats.fpdus_out / (double)adus);
}

static void send_adus(int fd)
{
	struct alf *a = carrier(fd);
	struct adu_event e;
	uint64_t queued = 0, sent = 0;

	if (o.depth > 1)
		fcntl_tcpu(fd, F_SETFL, O_NONBLOCK);
	for (; o.depth == 1 && sent < o.bytes; sent += ADU_BYTES)
		if (adu_send(a, data, ADU_BYTES, NULL) < 0)
			fail("adu_send");
	while (sent < o.bytes) {
		queue(a, &queued, sent);
		if (!next(a, &e))
			fail("the end");
		sent += e.kind == ADU_SENT ? ADU_BYTES : 0;
	}
	tell(a, fd);
	shutdown_tcpu(fd, SHUT_WR);
	/* The peer's last messages are heard, or they would make TCP reset. */
	while (next(a, &e))
		continue;
	alf_close(a);
}

static uint64_t recv_adus(int fd)
{
	struct alf *a = carrier(fd);
	struct adu_event e;
	uint64_t got = 0;

	while (next(a, &e))
		if (e.kind == ADU_COMPLETE) {
			got += e.len;
			adu_release(a, e.id);
		}
	alf_close(a);
	return got;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { known, parse, NULL, "How fast ADUs go.", NULL, NULL, NULL };
	uint64_t from_us, got;
	bool stream;
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	stream = !strcmp(o.way, "stream");
	fd = meet();
	from_us = now_tcpu();
	if (o.sends) {
		(stream ? send_stream : send_adus)(fd);
		printf("processor %.6f\n", processor());
	} else {
		got = (stream ? recv_stream : recv_adus)(fd);
		printf("bytes %llu seconds %.6f processor %.6f\n", (unsigned long long)got,
			(double)(now_tcpu() - from_us) / 1e6, processor());
	}
	if (close_tcpu(fd))
		fail("close");
	return 0;
}

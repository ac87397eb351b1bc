/* How fast bytes go from one end to the other, over TCPU by TCPK or over the kernel's TCP: what tests/netns/pace.sh
 * asks. The sender writes every byte once before it sends it, the receiver reads every byte once; with --seam right
 * where TCPU has it, instead of in a buffer. Or the two play ball: so many bytes there and back, many times, spinning.
 *
 *	pace --listen PORT [--kernel] [--ball BYTES [--spin]]
 *	pace --connect IP:PORT --bytes N ...
 *
 * Each says in the end: `seconds NUMBER processor SECONDS`, and over TCPU `count dropped_in NUMBER`: segments for which
 * its ring had no room, of which there must be none. */
#include "core/cksum.h"
#include "core/link/tcpk.h"
#include "core/tcpu.h"
#include "tests/netns/address.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CALL_BYTES (128 << 10)
#define LIMIT_S 120

static struct options {
	bool kernel, spin, connects, seam;
	const char *helper;
	uint32_t ring;
	int buffer;
	uint64_t bytes;
	size_t ball;
	struct sockaddr_in address;
} o = { .bytes = 1 << 30, .address.sin_family = AF_INET };

#define CALL(name, ...) (o.kernel ? name(__VA_ARGS__) : name##_tcpu(__VA_ARGS__))

static const struct argp_option known[] = {
	{ "kernel", 'k', 0, 0, "the kernel's TCP", 0 },
	{ "helper", 'H', "PATH", 0, "tcpkd's socket", 0 },
	{ "ring", 'R', "BYTES", 0, "of TCPK", 0 },
	{ "listen", 'l', "PORT", 0, "and receive", 0 },
	{ "connect", 'c', "IP:PORT", 0, "and send", 0 },
	{ "bytes", 'n', "N", 0, "or balls", 0 },
	{ "ball", 'b', "BYTES", 0, "of each", 0 },
	{ "buffer", 'B', "BYTES", 0, "SO_SNDBUF and SO_RCVBUF", 0 },
	{ "seam", 'S', 0, 0, "TCPU's fill and drain", 0 },
	{ "spin", 's', 0, 0, "look all the time", 0 },
	{ 0 },
};

static void fail(const char *what)
{
	fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
	exit(1);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'k': o.kernel = true; break;
	case 'H': o.helper = arg; break;
	case 'R': o.ring = (uint32_t)atoi(arg); break;
	case 'l': o.address.sin_port = htons((uint16_t)atoi(arg)); break;
	case 'n': o.bytes = strtoull(arg, NULL, 10); break;
	case 'b': o.ball = strtoull(arg, NULL, 10); break;
	case 'B': o.buffer = atoi(arg); break;
	case 'S': o.seam = true; break;
	case 's': o.spin = true; break;
	case 'c':
		address_read(state, arg, &o.address);
		o.connects = true;
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds that it was busy, the kernel's work for it included. */
static double processor(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static uint8_t buffer[CALL_BYTES] __attribute__((aligned(64)));

/* Something else each time, so that nobody can leave it out. */
static void write_all(uint8_t *p, size_t n, uint64_t at)
{
	uint64_t *words = (uint64_t *)(void *)p;

	for (size_t i = 0; i < n / 8; i++)
		words[i] = at + i;
}

static uint64_t read_all(const uint8_t *p, size_t n)
{
	uint64_t sum[4] = { 0 };

	for (; n >= 32; p += 32, n -= 32) {
		uint64_t w[4];

		memcpy(w, p, 32);
		for (int i = 0; i < 4; i++)
			sum[i] += w[i];
	}
	while (n--)
		sum[0] += *p++;
	return sum[0] + sum[1] + sum[2] + sum[3];
}

static void send_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t k = CALL(send, fd, p, n, 0);

		if (k < 0)
			fail("send");
		p += k;
		n -= (size_t)k;
	}
}

static size_t recv_some(int fd, uint8_t *p, size_t n)
{
	ssize_t k;

	do
		k = CALL(recv, fd, p, n, o.spin && o.kernel ? MSG_DONTWAIT : 0);
	while (k < 0 && errno == EAGAIN);
	if (k < 0)
		fail("recv");
	return (size_t)k;
}

/* ---- by the seam: a call is about as much as one by a buffer ---- */

static size_t fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	uint64_t *left = ctx, at = off / 8, total = 0;
	size_t n = (cap < *left ? cap : *left) / 8;

	for (size_t i = 0; i < n; i++) {
		uint64_t w = at + i;

		memcpy(dst + 8 * i, &w, 8);
		total += (w & 0xffffffff) + (w >> 32);
	}
	if (sum) {
		total = (total & 0xffffffff) + (total >> 32);
		total = (total & 0xffff) + (total >> 16);
		total = (total & 0xffff) + (total >> 16);
		*sum = (uint16_t)((total & 0xffff) + (total >> 16));
	}
	*left -= 8 * n;
	return 8 * n;
}

struct taken {
	struct seam_sink seam;
	size_t n;
	uint64_t sum;
};

static size_t drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct taken *t = ctx;

	(void)off;
	t->sum += read_all(data, len);
	if (sum)
		*sum = tcpu_sum(data, len);
	return len;
}

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	struct taken *t = ctx;

	(void)off;
	if (good)
		t->n += n;
	t->seam.done = t->n >= CALL_BYTES;
}

static void stream_out_by_seam(int fd)
{
	for (uint64_t at = 0, left; at < o.bytes; at += CALL_BYTES) {
		const struct seam_source source = { .fill = fill, .ctx = &left };

		left = CALL_BYTES;
		if (fill_tcpu(fd, &source, 0) != CALL_BYTES)
			fail("fill");
	}
}

static uint64_t stream_in_by_seam(int fd)
{
	struct taken t = { .seam = { .drain = drain, .settle = settle, .ctx = &t } };
	ssize_t n;

	do {
		t.n = 0;
		t.seam.done = false;
		n = drain_tcpu(fd, &t.seam, 0);
		if (n < 0)
			fail("drain");
	} while (n);
	return t.sum;
}

/* ---- by a buffer ---- */

static void stream_out(int fd)
{
	for (uint64_t at = 0; at < o.bytes; at += CALL_BYTES) {
		write_all(buffer, CALL_BYTES, at);
		send_all(fd, buffer, CALL_BYTES);
	}
}

static void stream_in(int fd)
{
	uint64_t sum = o.seam ? stream_in_by_seam(fd) : 0;
	size_t n;

	while (!o.seam && (n = recv_some(fd, buffer, CALL_BYTES)))
		sum += read_all(buffer, n);
	fprintf(stderr, "sum %llx\n", (unsigned long long)sum);
}

static bool catch_ball(int fd)
{
	for (size_t got = 0, n; got < o.ball; got += n) {
		n = recv_some(fd, buffer + got, o.ball - got);
		if (!n)
			return false;
	}
	return true;
}

static void play(int fd)
{
	if (!o.connects) {
		while (catch_ball(fd))
			send_all(fd, buffer, o.ball);
		return;
	}
	for (uint64_t i = 0; i < o.bytes; i++) {
		send_all(fd, buffer, o.ball);
		if (!catch_ball(fd))
			fail("the other end");
	}
}

static struct link *tcpk;

static int open_socket(void)
{
	struct link_tcpk_config config = { .path = o.helper, .ring_bytes = o.ring };
	/* Who looks all the time keeps the timer of a delayed ACK; one at once would cost as much as the answer. */
	struct tcpu_stack_config c = { .engine.delack_us = o.spin ? 40000 : 0 };
	struct tcpu_stack *stack;
	int e;

	if (o.kernel)
		return socket(AF_INET, SOCK_STREAM, 0);
	e = link_tcpk_open(&config, &c.link);
	if (e) {
		errno = -e;
		fail("TCPK");
	}
	tcpk = c.link;
	if (stack_tcpu(&c, &stack))
		fail("stack_tcpu");
	return stack_socket_tcpu(stack, SOCK_STREAM);
}

static int meet(int fd)
{
	int on = 1, met = fd, busy_us = 1000000;

	if (o.buffer && (CALL(setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &o.buffer, sizeof o.buffer) ||
				CALL(setsockopt, fd, SOL_SOCKET, SO_RCVBUF, &o.buffer, sizeof o.buffer)))
		fail("the buffers");
	if (o.connects) {
		if (CALL(connect, fd, &o.address, sizeof o.address))
			fail("connect");
	} else {
		if (o.kernel)
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (CALL(bind, fd, &o.address, sizeof o.address) || CALL(listen, fd, 1))
			fail("listen");
		puts("listening");
		met = CALL(accept, fd, NULL, NULL);
	}
	if (met < 0 || (o.ball && CALL(setsockopt, met, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) ||
		(o.spin && !o.kernel && setsockopt_tcpu(met, SOL_SOCKET, SO_BUSY_POLL, &busy_us, sizeof busy_us)))
		fail("accept");
	return met;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { known, parse, NULL, "How fast.", NULL, NULL, NULL };
	double from;
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	alarm(LIMIT_S);
	fd = meet(open_socket());
	from = now();
	if (o.ball) {
		play(fd);
	} else if (o.connects) {
		(o.seam ? stream_out_by_seam : stream_out)(fd);
		/* Until the other end has read it all. */
		if (CALL(shutdown, fd, SHUT_WR) || CALL(recv, fd, buffer, 1, 0) != 0)
			fail("the end");
	} else {
		stream_in(fd);
	}
	printf("seconds %.6f processor %.6f\n", now() - from, processor());
	if (tcpk)
		printf("count dropped_in %llu\n", (unsigned long long)link_tcpk_stats(tcpk).dropped_in);
	CALL(close, fd);
	return 0;
}

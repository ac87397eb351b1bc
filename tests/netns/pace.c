/* How fast bytes go from one end to the other, over TCPU by TCPK or over the kernel's TCP: what tests/netns/pace.sh
 * asks. The sender writes every byte once before it sends it, the receiver reads every byte once. Or the two play ball:
 * so many bytes there and back, many times, spinning.
 *
 *	pace --listen PORT [--kernel] [--ball BYTES [--spin]]
 *	pace --connect IP:PORT --bytes N ...
 *
 * Who connects says in the end: `seconds NUMBER`. */
#include "core/link/tcpk.h"
#include "core/tcpu.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CALL_BYTES (128 << 10)
#define LIMIT_S 120

static struct options {
	bool kernel, spin, connects;
	const char *helper;
	uint32_t ring;
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
	char *colon = arg ? strchr(arg, ':') : NULL;

	switch (key) {
	case 'k': o.kernel = true; break;
	case 'H': o.helper = arg; break;
	case 'R': o.ring = (uint32_t)atoi(arg); break;
	case 'l': o.address.sin_port = htons((uint16_t)atoi(arg)); break;
	case 'n': o.bytes = strtoull(arg, NULL, 10); break;
	case 'b': o.ball = strtoull(arg, NULL, 10); break;
	case 's': o.spin = true; break;
	case 'c':
		if (!colon)
			argp_error(state, "'%s' is no IP:PORT", arg);
		*colon = 0;
		o.address.sin_port = htons((uint16_t)atoi(colon + 1));
		inet_aton(arg, &o.address.sin_addr);
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

static void stream_out(int fd)
{
	for (uint64_t at = 0; at < o.bytes; at += CALL_BYTES) {
		write_all(buffer, CALL_BYTES, at);
		send_all(fd, buffer, CALL_BYTES);
	}
}

static void stream_in(int fd)
{
	uint64_t sum = 0;
	size_t n;

	while ((n = recv_some(fd, buffer, CALL_BYTES)))
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

static int open_socket(void)
{
	struct link_tcpk_config config = { .path = o.helper, .ring_bytes = o.ring };
	struct tcpu_stack_config c = { 0 };
	struct tcpu_stack *stack;
	int e;

	if (o.kernel)
		return socket(AF_INET, SOCK_STREAM, 0);
	e = link_tcpk_open(&config, &c.link);
	if (e) {
		errno = -e;
		fail("TCPK");
	}
	if (stack_tcpu(&c, &stack))
		fail("stack_tcpu");
	return stack_socket_tcpu(stack, SOCK_STREAM);
}

static int meet(int fd)
{
	int on = 1, met = fd, busy_us = 1000000;

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
	if (met < 0 || CALL(setsockopt, met, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
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
		stream_out(fd);
		/* Until the other end has read it all. */
		if (CALL(shutdown, fd, SHUT_WR) || CALL(recv, fd, buffer, 1, 0) != 0)
			fail("the end");
	} else {
		stream_in(fd);
	}
	if (o.connects)
		printf("seconds %.6f\n", now() - from);
	CALL(close, fd);
	return 0;
}

/* One end of a transfer, over TCPU with a TUN device of its own, over TCPU by TCPK with --tcpk, or with --kernel over
 * the kernel's TCP. It sends so many bytes and takes what comes, both at the same time, and says in the end what it
 * has sent and received:
 *
 *	sent BYTES SHA256
 *	received BYTES SHA256
 *
 * before that `listening` or `connected` as soon as it is so, `CLOSING` if TCPU was ever in that state, and what it has
 * counted: `count NAME NUMBER`. */
#include "core/link/tcpk.h"
#include "core/link/tun.h"
#include "core/tcpu.h"
#include "tests/netns/address.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (256 << 10)
#define LIMIT_S 300 /* whoever takes longer hangs */

enum order { EARLY, LATE, TOLD };
static const char *const orders[] = { "early", "late", "told" };

static struct options {
	bool kernel, tcpk, plain, thread, ecn;
	int patience_ms, msl_ms;
	const char *device, *say, *to, *helper;
	uint32_t ring;
	struct in_addr ip, host_ip;
	uint32_t mtu;
	struct sockaddr_in local, remote;
	uint64_t bytes, seed;
	enum order order;
} o = { .say = "", .local.sin_family = AF_INET, .remote.sin_family = AF_INET };

/* The call of the TCP that was asked for. */
#define CALL(name, ...) (o.kernel ? name(__VA_ARGS__) : name##_tcpu(__VA_ARGS__))

static const struct argp_option known[] = {
	{ "kernel", 'k', 0, 0, "the kernel's TCP", 0 },
	{ "tcpk", 'K', 0, 0, "TCPU with the host's own addresses", 0 },
	{ "helper", 'H', "PATH", 0, "tcpkd's socket", 0 },
	{ "ring", 'R', "BYTES", 0, "of TCPK", 0 },
	{ "ip", 'i', "IP", 0, "TCPU's address", 0 },
	{ "host", 'h', "IP", 0, "the kernel's end of the device; without it, addresses and routes are somebody else's", 0 },
	{ "device", 'd', "NAME", 0, "of the TUN device", 0 },
	{ "mtu", 'm', "BYTES", 0, "of the TUN device", 0 },
	{ "plain", 'p', 0, 0, "no offloads", 0 },
	{ "thread", 't', 0, 0, "TCPU driven by a thread", 0 },
	{ "ecn", 'e', 0, 0, "TCPU asks for ECN", 0 },
	{ "listen", 'l', "PORT", 0, "take one connection", 0 },
	{ "connect", 'c', "IP:PORT", 0, "make one", 0 },
	{ "patience", 'w', "MS", 0, "TCP_USER_TIMEOUT", 0 },
	{ "msl", 'M', "MS", 0, "stay until TIME-WAIT, of twice as long, is over", 0 },
	{ "say", 's', "TEXT", 0, "send that first; \\r, \\n and \\0 are understood", 0 },
	{ "send", 'n', "BYTES", 0, "and then so many", 0 },
	{ "seed", 'r', "NUMBER", 0, "of what they are", 0 },
	{ "to", 'o', "FILE", 0, "write what comes there", 0 },
	{ "close", 'x', "WHEN", 0, "early: when all is sent, as usual; late: after the other end; "
		"told: when standard input has something to read; says `closed` then", 0 },
	{ 0 },
};

static void fail(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct in_addr *ip = key == 'i' ? &o.ip : &o.host_ip;

	switch (key) {
	case 'k': o.kernel = true; break;
	case 'K': o.tcpk = true; break;
	case 'H': o.helper = arg; break;
	case 'R': o.ring = (uint32_t)atoi(arg); break;
	case 'p': o.plain = true; break;
	case 't': o.thread = true; break;
	case 'e': o.ecn = true; break;
	case 'w': o.patience_ms = atoi(arg); break;
	case 'M': o.msl_ms = atoi(arg); break;
	case 'd': o.device = arg; break;
	case 's': o.say = arg; break;
	case 'o': o.to = arg; break;
	case 'm': o.mtu = (uint32_t)atoi(arg); break;
	case 'l': o.local.sin_port = htons((uint16_t)atoi(arg)); break;
	case 'n': o.bytes = strtoull(arg, NULL, 10); break;
	case 'r': o.seed = strtoull(arg, NULL, 10); break;
	case 'c': address_read(state, arg, &o.remote); break;
	case 'i':
	case 'h':
		if (!inet_aton(arg, ip))
			argp_error(state, "'%s' is no address", arg);
		break;
	case 'x':
		for (o.order = EARLY; strcmp(arg, orders[o.order]) != 0; o.order++)
			if (o.order == TOLD)
				argp_error(state, "--close %s: early, late or told", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- one direction's bytes ---- */

struct count {
	uint64_t bytes;
	EVP_MD_CTX *sha;
};

static struct count count_new(void)
{
	struct count c = { .sha = EVP_MD_CTX_new() };

	EVP_DigestInit_ex(c.sha, EVP_sha256(), NULL);
	return c;
}

static void count_add(struct count *c, const void *data, size_t n)
{
	c->bytes += n;
	EVP_DigestUpdate(c->sha, data, n);
}

static void count_print(struct count *c, const char *what)
{
	unsigned char digest[32];

	EVP_DigestFinal_ex(c->sha, digest, NULL);
	printf("%s %llu ", what, (unsigned long long)c->bytes);
	for (int i = 0; i < 32; i++)
		printf("%02x", digest[i]);
	putchar('\n');
}

/* What is to be sent: the text, then bytes of a generator (splitmix64). */
static struct source {
	uint8_t buffer[BUFFER];
	size_t at, len;
	uint64_t left, state;
} source;

static void source_start(void)
{
	for (const char *s = o.say; *s; s++) {
		bool escape = s[0] == '\\' && (s[1] == 'n' || s[1] == 'r' || s[1] == '0');

		source.buffer[source.len++] = (uint8_t)(!escape ? *s : s[1] == 'n' ? '\n' : s[1] == 'r' ? '\r' : 0);
		s += escape;
	}
	source.left = o.bytes;
	source.state = o.seed;
}

/* Whether there is more. */
static bool source_fill(void)
{
	if (source.at < source.len)
		return true;
	source.at = 0;
	source.len = source.left < BUFFER ? source.left : BUFFER;
	source.left -= source.len;
	for (size_t i = 0; i < source.len; i += 8) {
		uint64_t z = source.state += 0x9e3779b97f4a7c15;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		z ^= z >> 31;
		memcpy(source.buffer + i, &z, 8);
	}
	return source.len > 0;
}

/* ---- the transfer ---- */

/* TCPK's in TUN's words. */
static struct link_tun_stats link_stats(struct link *link)
{
	struct link_tcpk_stats k;

	if (!o.tcpk)
		return link_tun_stats(link);
	k = link_tcpk_stats(link);
	printf("count dropped_in %llu\n", (unsigned long long)k.dropped_in);
	printf("count refused_out %llu\n", (unsigned long long)k.refused_out);
	return (struct link_tun_stats){ .segments_out = k.segments_out, .packets_out = k.packets_out,
		.packets_in = k.segments_in, .vouched_in = k.vouched_in, .malformed = k.malformed };
}

static void print_counts(int fd, struct link *link)
{
	struct link_tun_stats l = link_stats(link);
	struct tcpu_info i;

	if (info_tcpu(fd, &i))
		fail("info_tcpu");
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "segments_out", l.segments_out }, { "packets_out", l.packets_out }, { "packets_in", l.packets_in },
		{ "vouched_in", l.vouched_in }, { "malformed", l.malformed }, { "astray", l.astray },
		{ "retransmits", i.retransmits }, { "timeouts", i.timeouts }, { "tail_probes", i.tail_probes },
		{ "fast_retransmits", i.fast_retransmits }, { "spurious", i.spurious }, { "out_of_order", i.out_of_order },
		{ "duplicates", i.duplicates }, { "bad_checksums", i.bad_checksums }, { "dsacks_in", i.dsacks_in },
		{ "dsacks_out", i.dsacks_out }, { "ecn", i.ecn }, { "ecn_marks_in", i.ecn_marks_in },
		{ "ecn_reductions", i.ecn_reductions }, { "path_mtu", i.path_mtu },
	};

	for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
		printf("count %s %llu\n", counts[k].name, (unsigned long long)counts[k].value);
}

static void print_kernel_counts(int fd)
{
	struct tcp_info i;
	socklen_t len = sizeof i;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len))
		fail("TCP_INFO");
	printf("count retransmits %u\n", i.tcpi_total_retrans);
}

static void watch_state(int fd)
{
	static bool seen;
	struct tcpu_info info;

	if (!o.kernel && !seen && !info_tcpu(fd, &info) && info.state == TCPU_CLOSING) {
		seen = true;
		puts("CLOSING");
	}
}

/* false: the other end has closed. */
static bool take(int fd, struct count *in, FILE *to)
{
	static uint8_t buffer[BUFFER];
	ssize_t n = CALL(recv, fd, buffer, sizeof buffer, 0);

	if (n < 0 && errno != EAGAIN)
		fail("recv");
	if (n > 0) {
		count_add(in, buffer, (size_t)n);
		if (to && fwrite(buffer, 1, (size_t)n, to) != (size_t)n)
			fail(o.to);
	}
	return n != 0;
}

static void give(int fd, struct count *out)
{
	ssize_t n = CALL(send, fd, source.buffer + source.at, source.len - source.at, 0);

	if (n < 0 && errno != EAGAIN)
		fail("send");
	if (n > 0) {
		count_add(out, source.buffer + source.at, (size_t)n);
		source.at += (size_t)n;
	}
}

/* Whether it is time to close, all being sent; told: standard input has something. */
static bool closes(bool reading, bool told)
{
	return o.order == EARLY || !reading || (o.order == TOLD && told);
}

static void close_half(int fd)
{
	if (CALL(shutdown, fd, SHUT_WR))
		fail("shutdown");
	if (o.order == TOLD)
		puts("closed");
}

static void transfer(int fd, struct count *out, struct count *in)
{
	bool writing = true, reading = true, told = false;
	FILE *to = o.to ? fopen(o.to, "w") : NULL;

	if (o.to && !to)
		fail(o.to);
	if (to)
		setvbuf(to, NULL, _IONBF, 0); /* whoever looks at the file sees what has come */
	source_start();
	while (writing || reading) {
		bool more = writing && source_fill();
		struct pollfd p[2] = { { .fd = fd, .events = (short)((more ? POLLOUT : 0) | (reading ? POLLIN : 0)) },
			{ .fd = o.order == TOLD && !told ? 0 : -1, .events = POLLIN } };

		if (writing && !more && closes(reading, told)) {
			close_half(fd);
			writing = false;
			continue;
		}
		if (CALL(poll, p, 2, -1) < 0)
			fail("poll");
		told = told || p[1].revents;
		watch_state(fd);
		if (reading && p[0].revents & (POLLIN | POLLERR | POLLHUP))
			reading = take(fd, in, to);
		if (more && p[0].revents & (POLLOUT | POLLERR))
			give(fd, out);
		watch_state(fd);
	}
	if (to && fclose(to))
		fail(o.to);
}

/* ---- beginning and end ---- */

static int link_open(struct link **link)
{
	char missing[512];
	int e;

	if (!o.tcpk)
		return link_tun_open(&(struct link_tun_config){ .name = o.device, .ip = o.ip.s_addr,
			.host_ip = o.host_ip.s_addr, .mtu = o.mtu, .plain = o.plain }, link);
	e = link_tcpk_open(&(struct link_tcpk_config){ .path = o.helper, .ring_bytes = o.ring, .plain = o.plain }, link);
	if (e == -EPROTONOSUPPORT && !link_tcpk_missing(o.helper, missing, sizeof missing))
		fprintf(stderr, "%s", missing);
	return e;
}

static struct tcpu_stack *stack_open(struct link **link)
{
	struct tcpu_stack_config c = { .thread = o.thread, .engine.ecn = o.ecn, .engine.msl_us = (uint32_t)o.msl_ms * 1000 };
	struct tcpu_stack *stack;
	int e = link_open(&c.link);

	if (e) {
		errno = -e;
		fail("the link");
	}
	if (stack_tcpu(&c, &stack))
		fail("stack_tcpu");
	*link = c.link;
	return stack;
}

static int listener_accept(int listener)
{
	int on = 1, fd;

	if (o.kernel)
		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (CALL(bind, listener, &o.local, sizeof o.local) || CALL(listen, listener, 1))
		fail("listen");
	puts("listening");
	fd = CALL(accept, listener, NULL, NULL);
	if (fd < 0)
		fail("accept");
	if (CALL(close, listener))
		fail("close of the listener");
	return fd;
}

/* Until no connection is left: a FIN that comes again, since its ACK was lost, has its answer. */
static void stay(struct tcpu_stack *stack)
{
	uint64_t due_us;

	while ((due_us = stack_turn_tcpu(stack)) != TCPU_NEVER) {
		struct pollfd p = { .fd = stack_fd_tcpu(stack), .events = POLLIN };
		struct timespec t;
		int64_t wait_us;

		clock_gettime(CLOCK_MONOTONIC, &t);
		wait_us = (int64_t)due_us - (t.tv_sec * 1000000 + t.tv_nsec / 1000);
		if (wait_us > 0 && poll(&p, 1, (int)(wait_us / 1000) + 1) < 0)
			fail("poll");
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { known, parse, NULL, "One end of a transfer.", NULL, NULL, NULL };
	struct count out = count_new(), in = count_new();
	struct tcpu_stack *stack = NULL;
	struct link *link = NULL;
	double from;
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	alarm(LIMIT_S);
	if (!o.kernel)
		stack = stack_open(&link);
	fd = o.kernel ? socket(AF_INET, SOCK_STREAM, 0) : stack_socket_tcpu(stack, SOCK_STREAM);
	if (fd < 0)
		fail("socket");
	if (o.patience_ms &&
		CALL(setsockopt, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &o.patience_ms, sizeof o.patience_ms))
		fail("setsockopt");
	if (o.local.sin_port)
		fd = listener_accept(fd);
	else if (CALL(connect, fd, &o.remote, sizeof o.remote))
		fail("connect");
	puts("connected");
	from = now();
	if (CALL(fcntl, fd, F_SETFL, O_NONBLOCK))
		fail("fcntl");
	transfer(fd, &out, &in);
	if (stack)
		print_counts(fd, link);
	else
		print_kernel_counts(fd);
	if (CALL(fcntl, fd, F_SETFL, 0) || CALL(close, fd))
		fail("close");
	count_print(&out, "sent");
	count_print(&in, "received");
	fprintf(stderr, "peer: %.2f s, %.0f MB/s\n", now() - from, (double)(out.bytes + in.bytes) / 1e6 / (now() - from));
	if (o.msl_ms)
		stay(stack);
	if (stack && stack_close_tcpu(stack))
		fail("stack_close_tcpu");
	EVP_MD_CTX_free(out.sha);
	EVP_MD_CTX_free(in.sha);
	return 0;
}

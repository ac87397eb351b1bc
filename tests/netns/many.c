/* Many connections of one process, by one ring of TCPK, that receive late or slowly what the kernel's TCP sends as fast
 * as it can: what their windows sum to must not be more than the ring has room for.
 *
 *	many --connections N --listen PORT --late|--slow
 *	many --connections N --connect IP:PORT --bytes N
 *
 * The first connection has the ring for itself, and what it sends then is read as it comes: its window grows. When the
 * others are there as well, the receiver says `all here`; then it makes no call until standard input has something to
 * read (--late), or reads little and rests, again and again (--slow). The sender says `stalled` when no connection has
 * taken a byte for a while, or they have it all. Each says in the end how many bytes there were, and what it counted:
 *
 *	sent BYTES
 *	received BYTES
 *	count NAME NUMBER */
#include "core/link/tcpk.h"
#include "core/tcpu.h"
#include "tests/netns/address.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX 1000
#define BUFFER (512 << 10)
#define ALONE (8 << 20)      /* what the first sends before the others come */
#define SLOW_BYTES (1 << 20) /* that all together read before a rest */
#define REST_NS 10000000
#define STALL_MS 300
#define LIMIT_S 120

static struct options {
	bool connects, late, slow;
	const char *helper;
	uint32_t ring;
	int connections;
	uint64_t bytes;
	struct sockaddr_in address;
} o = { .address.sin_family = AF_INET };

static const struct argp_option known[] = {
	{ "helper", 'H', "PATH", 0, "tcpkd's socket", 0 },
	{ "ring", 'R', "BYTES", 0, "of TCPK", 0 },
	{ "connections", 'n', "N", 0, "at the same time", 0 },
	{ "listen", 'l', "PORT", 0, "and receive, by TCPK", 0 },
	{ "connect", 'c', "IP:PORT", 0, "and send, by the kernel's TCP", 0 },
	{ "bytes", 'b', "N", 0, "by each connection; the first, 8 MiB more", 0 },
	{ "late", 'L', 0, 0, "read nothing until standard input says so", 0 },
	{ "slow", 's', 0, 0, "read a little at a time", 0 },
	{ 0 },
};

static void fail(const char *what)
{
	fprintf(stderr, "many: %s: %s\n", what, strerror(errno));
	exit(1);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'H': o.helper = arg; break;
	case 'R': o.ring = (uint32_t)atoi(arg); break;
	case 'l': o.address.sin_port = htons((uint16_t)atoi(arg)); break;
	case 'b': o.bytes = strtoull(arg, NULL, 10); break;
	case 's': o.slow = true; break;
	case 'L': o.late = true; break;
	case 'n':
		o.connections = atoi(arg);
		if (o.connections < 1 || o.connections > MAX)
			argp_error(state, "1 to %d connections", MAX);
		break;
	case 'c':
		address_read(state, arg, &o.address);
		o.connects = true;
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* A connection: how far it is, and which it is by its first byte. */
static struct connection {
	uint64_t at;
	uint8_t seed;
} connection[MAX];
static struct pollfd fds[MAX + 1];
static uint8_t buffer[BUFFER];

/* What connection i sends. */
static uint64_t bytes_of(int i)
{
	return o.bytes + (i ? 0 : ALONE);
}

/* No two places of a connection look the same, nor the same place of two that are neighbours. */
static uint8_t byte_at(const struct connection *c)
{
	return (uint8_t)(c->seed + c->at + (c->at >> 8) * 7 + (c->at >> 16) * 31);
}

/* ---- the sender ---- */

static void send_some(int i)
{
	struct connection ahead = connection[i];
	ssize_t n;
	size_t len = 0;

	for (; len < sizeof buffer && ahead.at < bytes_of(i); ahead.at++)
		buffer[len++] = byte_at(&ahead);
	n = send(fds[i].fd, buffer, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		fail("send");
	if (n > 0)
		connection[i].at += (uint64_t)n;
	if (connection[i].at == bytes_of(i)) {
		if (shutdown(fds[i].fd, SHUT_WR))
			fail("shutdown");
		fds[i].fd = ~fds[i].fd; /* poll leaves it alone */
	}
}

/* While the first one is alone. */
static void send_first(void)
{
	while (connection[0].at < ALONE) {
		if (poll(fds, 1, -1) < 0)
			fail("poll");
		send_some(0);
	}
}

static bool all_sent(void)
{
	for (int i = 0; i < o.connections; i++)
		if (connection[i].at < bytes_of(i))
			return false;
	return true;
}

static void send_all(void)
{
	bool stalled = false;

	while (!all_sent()) {
		int n = poll(fds, (nfds_t)o.connections, stalled ? -1 : STALL_MS);

		if (n < 0)
			fail("poll");
		if (!n) {
			puts("stalled");
			stalled = true;
		}
		for (int i = 0; i < o.connections; i++)
			if (fds[i].revents)
				send_some(i);
	}
	if (!stalled)
		puts("stalled");
}

static void sender(void)
{
	unsigned long long retransmits = 0;

	for (int i = 0; i < o.connections; i++) {
		fds[i] = (struct pollfd){ .fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLOUT };
		connection[i].seed = (uint8_t)i;
		if (fds[i].fd < 0 || connect(fds[i].fd, (struct sockaddr *)&o.address, sizeof o.address))
			fail("connect");
		if (!i)
			send_first();
	}
	send_all();
	for (int i = 0; i < o.connections; i++) {
		struct tcp_info info;
		socklen_t len = sizeof info;

		if (recv(~fds[i].fd, buffer, 1, 0) != 0 || getsockopt(~fds[i].fd, IPPROTO_TCP, TCP_INFO, &info, &len))
			fail("the end");
		retransmits += info.tcpi_total_retrans;
	}
	printf("sent %llu\ncount retransmits %llu\n", ALONE + (unsigned long long)o.connections * o.bytes, retransmits);
}

/* ---- the receiver ---- */

/* false: that was all. */
static bool take(int i, size_t most)
{
	struct connection *c = &connection[i];
	ssize_t n = recv_tcpu(fds[i].fd, buffer, most, MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		fail("recv");
	if (n > 0 && !c->at)
		c->seed = buffer[0];
	for (ssize_t k = 0; k < n; k++, c->at++) {
		if (buffer[k] != byte_at(c)) {
			errno = EBADMSG;
			fail("other bytes than were sent");
		}
	}
	return n != 0;
}

/* Nothing of TCPU runs meanwhile. */
static void come_late(void)
{
	puts("all here");
	if (o.late && read(0, buffer, 1) != 1)
		fail("standard input");
}

static void receive(int listener)
{
	const struct timespec rest = { .tv_nsec = REST_NS };
	size_t most = BUFFER;
	int here = 0, ended = 0;

	while (ended < o.connections) {
		fds[here] = (struct pollfd){ .fd = here < o.connections ? listener : -1, .events = POLLIN };
		if (poll_tcpu(fds, (nfds_t)here + 1, -1) < 0)
			fail("poll");
		for (int i = 0; i < here; i++) {
			if (fds[i].fd >= 0 && fds[i].revents && !take(i, most)) {
				if (close_tcpu(fds[i].fd))
					fail("close");
				fds[i].fd = -1;
				ended++;
			}
		}
		if (fds[here].fd >= 0 && fds[here].revents) {
			fds[here].fd = accept_tcpu(listener, NULL, NULL);
			if (fds[here++].fd < 0)
				fail("accept");
			if (here == o.connections) {
				come_late();
				if (o.slow && most > SLOW_BYTES / (size_t)o.connections)
					most = SLOW_BYTES / (size_t)o.connections;
			}
		}
		if (o.slow && here == o.connections)
			nanosleep(&rest, NULL);
	}
}

static void receiver(void)
{
	struct link_tcpk_config config = { .path = o.helper, .ring_bytes = o.ring };
	struct tcpu_stack_config c = { 0 };
	struct tcpu_stack *stack;
	struct link_tcpk_stats stats;
	unsigned long long all = 0;
	int e = link_tcpk_open(&config, &c.link), listener;

	if (e) {
		errno = -e;
		fail("TCPK");
	}
	if (stack_tcpu(&c, &stack))
		fail("stack_tcpu");
	listener = stack_socket_tcpu(stack, SOCK_STREAM);
	if (listener < 0 || bind_tcpu(listener, &o.address, sizeof o.address) || listen_tcpu(listener, o.connections))
		fail("listen");
	puts("listening");
	receive(listener);
	stats = link_tcpk_stats(c.link);
	for (int i = 0; i < o.connections; i++)
		all += connection[i].at;
	printf("received %llu\ncount dropped_in %llu\n", all, (unsigned long long)stats.dropped_in);
	if (close_tcpu(listener) || stack_close_tcpu(stack))
		fail("the end");
}

int main(int argc, char **argv)
{
	static const struct argp argp = { known, parse, NULL, "Many connections.", NULL, NULL, NULL };

	setvbuf(stdout, NULL, _IOLBF, 0);
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	alarm(LIMIT_S);
	(o.connects ? sender : receiver)();
	return 0;
}

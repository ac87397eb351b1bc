/* Two at once, in the order that hurts: while one processor has found the socket that a packet is for, and has not put
 * it there yet, the other connects or closes that socket. The debug kernel's module waits there (TCPK_DELAY) until this
 * program has done so; any other runs both at once, and the same must be so in whatever order. */
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LO 0x7f000001u
#define PORT 7600
#define ROUNDS 5
#define DELAY "5000000" /* us: no kernel is slower than that */

/* ---- the module's delays ---- */

static bool parameter_read(const char *name, char *to, size_t size)
{
	char path[100];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/sys/module/tcpk/parameters/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, to, size - 1);
	close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

static void parameter_write(const char *name, const char *value)
{
	char path[100];
	int fd;

	snprintf(path, sizeof path, "/sys/module/tcpk/parameters/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	MUST(fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value));
	close(fd);
}

/* How many delays have begun; empty where there are none. */
static char *delays(char text[static 20])
{
	(void)parameter_read("delays", text, 20);
	return text;
}

/* ---- two processors ---- */

static void run_on(unsigned processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	MUST(!sched_setaffinity(0, sizeof set, &set));
}

struct packet {
	uint8_t bytes[100];
	size_t len;
	int protocol;
};

/* Loopback brings it to the socket before sendto returns, on the same processor. */
static void *send_it(void *packet)
{
	const struct packet *p = packet;
	int raw = socket(AF_INET, SOCK_RAW, p->protocol);
	struct sockaddr_in to = at(LO, 0);

	run_on(1);
	MUST(sendto(raw, p->bytes, p->len, 0, (struct sockaddr *)&to, sizeof to) == (ssize_t)p->len);
	close(raw);
	return NULL;
}

/* Has the packet come as far as the place; and then the rest of its way when between() has been. */
static void race(const struct packet *p, const char *place, void (*between)(int fd), int fd)
{
	char before[20], now[20], usual[20];
	bool waits = parameter_read("delay_us", usual, sizeof usual);
	pthread_t sender;

	if (waits) {
		parameter_write("delay_at", place);
		parameter_write("delay_us", DELAY);
	}
	delays(before);
	MUST(!pthread_create(&sender, NULL, send_it, (void *)p));
	while (waits && !strcmp(before, delays(now)))
		sched_yield();
	between(fd);
	if (waits)
		parameter_write("delay_us", "0");
	pthread_join(sender, NULL);
	if (waits) {
		parameter_write("delay_at", "\n");
		parameter_write("delay_us", usual);
	}
}

static struct packet segment_from(uint16_t port)
{
	struct segment s = { .src = LO, .dst = LO, .sport = port, .dport = PORT, .flags = TH_ACK };
	struct packet p = { .protocol = IPPROTO_TCP };

	p.len = segment_make(p.bytes, &s);
	return p;
}

static struct packet error_about(uint16_t port)
{
	struct segment s = { .src = LO, .dst = LO, .sport = PORT, .dport = port, .flags = TH_ACK };
	struct packet p = { .protocol = IPPROTO_ICMP };
	static struct wire_packet w;

	icmp_packet(&w, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, &s, 20);
	p.len = w.len - 20;
	memcpy(p.bytes, w.ip + 20, p.len);
	return p;
}

/* ---- the checks ---- */

static void connect_it(int fd)
{
	MUST(!connect_at(fd, LO, 9));
}

static void close_it(int fd)
{
	close(fd);
}

static void test_connect(void)
{
	struct packet mine = segment_from(9), other = segment_from(10);
	static struct got g;
	int kept = 0, strange = 0, found = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int fd = tcpk_bound(LO, PORT);

		race(&other, "enqueue", connect_it, fd);
		strange += recv(fd, g.data, sizeof g.data, MSG_DONTWAIT) >= 0;
		close(fd);
		fd = tcpk_bound(LO, PORT);
		race(&mine, "enqueue", connect_it, fd);
		kept += get(fd, &g, 0) == 20 && g.from.sin_port == htons(9);
		close(fd);
		fd = tcpk_bound(LO, PORT);
		race(&mine, "look", connect_it, fd);
		found += get(fd, &g, 0) == 20 && g.from.sin_port == htons(9);
		close(fd);
	}
	OK(strange == 0, "what others sent is not the connection's, though found before: %d of %d", strange, ROUNDS);
	OK(kept == ROUNDS, "what its remote sent is: %d of %d", kept, ROUNDS);
	OK(found == ROUNDS, "also when it was looked for among the connections before: %d of %d", found, ROUNDS);
}

/* That nobody stands on what is gone the kernel says, if it watches its memory. */
static void test_close(void)
{
	struct packet segment = segment_from(9), error = error_about(9);
	const char *const places[] = { "find", "enqueue", "icmp" };
	int n = 0;

	for (int i = 0; i < ROUNDS; i++) {
		for (int j = 0; j < 3; j++) {
			int fd = tcpk_bound(LO, PORT);

			set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
			race(j == 2 ? &error : &segment, places[j], close_it, fd);
			fd = tcpk_bound(LO, PORT);
			n += fd >= 0;
			close(fd);
		}
	}
	OK(n == 3 * ROUNDS, "closed while packets are on their way to it, its port is free: %d of %d", n, 3 * ROUNDS);
}

int main(void)
{
	run_on(0);
	test_connect();
	test_close();
	return tap_end();
}

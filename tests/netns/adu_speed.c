/* How fast ADUs go beside the plain stream of the same TCP, over loopback: one process sends, another receives, ADUs of
 * 8 KiB; or as many bytes by send_tcpu and recv_tcpu. What tests/netns/adu_speed.sh measures.
 *
 *	adu_speed WAY MIB	WAY: stream, adu, crc, markers; says `WAY N MB/s` */
#include "alf/alf.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 8192
#define BUFFER (1 << 20)
#define MSS 1448 /* as over Ethernet */

static const char *way;
static uint64_t total;
static uint8_t data[BYTES];

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct alf *opened(int fd, bool initiator)
{
	const struct alf_profile p = { .schedule = ILP_FUSED, .initiator = initiator, .markers = !strcmp(way, "markers"),
		.crc = strcmp(way, "adu") != 0, .wanted = 1U << ADU_COMPLETE | 1U << ADU_SENT | 1U << ADU_ENDED | 1U << ADU_ERROR };
	struct alf *a = alf_open(fd, &p);

	if (!a)
		fail("alf_open");
	return a;
}

static void send_stream(int fd)
{
	for (uint64_t done = 0; done < total; done += BYTES)
		if (send_tcpu(fd, data, BYTES, 0) != BYTES)
			fail("send_tcpu");
	shutdown_tcpu(fd, SHUT_WR);
}

static void send_adus(int fd)
{
	struct alf *a = opened(fd, true);
	struct adu_event e;

	for (uint64_t done = 0; done < total; done += BYTES)
		if (adu_send(a, data, BYTES, NULL) < 0)
			fail("adu_send");
	shutdown_tcpu(fd, SHUT_WR);
	/* The peer's last messages are heard, or they would make TCP reset. */
	while (adu_next(a, &e, -1) == 1)
		if (e.kind == ADU_ERROR)
			fail("adu_next");
	alf_close(a);
}

static uint64_t receive_stream(int fd)
{
	static uint8_t buf[1 << 16];
	uint64_t got = 0;
	ssize_t n;

	while ((n = recv_tcpu(fd, buf, sizeof buf, 0)) > 0)
		got += (uint64_t)n;
	return n ? 0 : got;
}

static uint64_t receive_adus(int fd)
{
	struct alf *a = opened(fd, false);
	struct adu_event e;
	uint64_t got = 0;

	while (adu_next(a, &e, -1) == 1) {
		if (e.kind == ADU_ERROR)
			return 0;
		if (e.kind != ADU_COMPLETE)
			continue;
		got += e.len;
		adu_release(a, e.id);
	}
	alf_close(a);
	return got;
}

static void sender(const struct sockaddr_in *to)
{
	int fd = socket_tcpu(AF_INET, SOCK_STREAM, 0), bytes = BUFFER, mss = MSS;

	if (setsockopt_tcpu(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) ||
		setsockopt_tcpu(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof mss) || connect_tcpu(fd, to, sizeof *to))
		fail("connect_tcpu");
	if (!strcmp(way, "stream"))
		send_stream(fd);
	else
		send_adus(fd);
	if (close_tcpu(fd))
		fail("close_tcpu");
	exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket_tcpu(AF_INET, SOCK_STREAM, 0), fd, status, bytes = BUFFER;
	socklen_t len = sizeof at;
	uint64_t from, got;

	if (argc != 3) {
		fprintf(stderr, "usage: adu_speed stream|adu|crc|markers MIB\n");
		return 2;
	}
	way = argv[1];
	total = strtoull(argv[2], NULL, 10) << 20;
	if (setsockopt_tcpu(listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) ||
		bind_tcpu(listener, &at, sizeof at) || listen_tcpu(listener, 1) || getsockname_tcpu(listener, &at, &len))
		fail("listen_tcpu");
	if (fork() == 0)
		sender(&at);
	fd = accept_tcpu(listener, NULL, NULL);
	if (fd < 0)
		fail("accept_tcpu");
	from = now_tcpu();
	got = strcmp(way, "stream") ? receive_adus(fd) : receive_stream(fd);
	from = now_tcpu() - from;
	close_tcpu(fd);
	wait(&status);
	if (got != total || status) {
		fprintf(stderr, "adu_speed: %llu of %llu bytes came\n", (unsigned long long)got, (unsigned long long)total);
		return 1;
	}
	printf("%s %.1f MB/s\n", way, (double)total / (double)from);
	return 0;
}

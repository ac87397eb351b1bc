/* What happens all at once: sockets come and go while packets for them do, the module is loaded and unloaded under
 * traffic, namespaces end with sockets open. The checks are few; the kernel's own, on the console, are what this is
 * for. ROUNDS in the environment says how often, BRIEF that the kernel is a slow one. */
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LO 0x7f000001u
#define PORT 7300
#define REMOTES 8 /* ports that the flood comes from */
#define FLOOD_FIRST 20000

static int rounds = 300;
static bool brief;
static atomic_bool stop;
static atomic_ulong flooded, received, claimed, errors;

/* ---- packets, without end ---- */

/* Raw sockets over loopback: SYNs, data and ICMP errors for the port, from a few remotes. */
static void *flood(void *unused)
{
	int tcp = socket(AF_INET, SOCK_RAW, IPPROTO_TCP), icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct sockaddr_in to = at(LO, 0);
	static _Thread_local uint8_t bytes[2048], data[1000];
	unsigned n = 0;

	(void)unused;
	while (!stop) {
		struct segment s = { .src = LO, .dst = LO, .sport = (uint16_t)(FLOOD_FIRST + n % REMOTES), .dport = PORT,
			.flags = n & 1 ? TH_ACK : TH_SYN, .data = data, .len = n % 3 ? 0 : sizeof data };
		struct segment ours = { .src = LO, .dst = LO, .sport = PORT, .dport = s.sport, .flags = TH_ACK };
		static _Thread_local struct wire_packet p;
		size_t len = segment_make(bytes, &s);

		if (sendto(tcp, bytes, len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) > 0)
			flooded++;
		if (n % 5 == 0) {
			icmp_packet(&p, ICMP_DEST_UNREACH, n % 10 ? ICMP_FRAG_NEEDED : ICMP_HOST_UNREACH, 1400, &ours, 20);
			sendto(icmp, p.ip + 20, p.len - 20, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
		}
		/* A slow kernel has time for nothing else otherwise, and needs minutes for a grace period. */
		if (++n % 4 == 0 && brief)
			usleep(20000);
	}
	close(tcp);
	close(icmp);
	return NULL;
}

static void read_all(int fd)
{
	static _Thread_local uint8_t bytes[65536];
	char control[256];
	struct iovec piece = { bytes, sizeof bytes };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control };

	for (int i = 0; i < 20; i++) {
		m.msg_controllen = sizeof control;
		if (recvmsg(fd, &m, MSG_DONTWAIT) >= 0)
			received++;
		m.msg_controllen = sizeof control;
		if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
			errors++;
	}
}

static void send_some(int fd, uint16_t to_port)
{
	struct segment s = { .src = LO, .dst = LO, .sport = PORT, .dport = to_port, .flags = TH_ACK };
	struct tcpk_offload off = { .segment_size = 500, .flags = TCPK_FINISH };
	static _Thread_local uint8_t bytes[6000], data[5000];
	struct sockaddr_in to = at(LO, to_port);

	s.data = data;
	s.len = sizeof data;
	put(fd, bytes, segment_make(bytes, &s), &to, &off);
}

/* A listener, and connections joined to it, one after another, and all gone again. */
static void *come_and_go(void *seed)
{
	unsigned r = (unsigned)(uintptr_t)seed;

	while (!stop) {
		int listener = socket(AF_INET, SOCK_DGRAM, IPPROTO_TCPK), fds[REMOTES];

		if (listener < 0) /* the module is not there just now */
			continue;
		set_int(listener, IPPROTO_IP, IP_RECVERR, 1);
		if (bind_at(listener, LO, PORT)) {
			close(listener);
			continue;
		}
		claimed++;
		read_all(listener);
		for (int i = 0; i < REMOTES; i++) {
			fds[i] = socket(AF_INET, SOCK_DGRAM, IPPROTO_TCPK);
			set_int(fds[i], IPPROTO_IP, IP_RECVERR, rand_r(&r) & 1);
			set_int(fds[i], SOL_TCPK, TCPK_SUPER, rand_r(&r) & 1);
			if (!set_int(fds[i], SOL_TCPK, TCPK_JOIN, listener))
				connect_at(fds[i], LO, (uint16_t)(FLOOD_FIRST + (rand_r(&r) % REMOTES)));
			send_some(fds[i], (uint16_t)(FLOOD_FIRST + i));
			get_int(fds[i], IPPROTO_IP, IP_MTU);
		}
		for (int i = 0; i < REMOTES; i++)
			read_all(fds[i]);
		if (rand_r(&r) & 1)
			connect_at(listener, LO, FLOOD_FIRST);
		read_all(listener);
		close(listener);
		for (int i = 0; i < REMOTES; i++)
			close(fds[i]);
	}
	return NULL;
}

static void *look(void *unused)
{
	(void)unused;
	while (!stop) {
		char text[4096];
		int fd = open("/proc/net/tcpk", O_RDONLY);

		while (fd >= 0 && read(fd, text, sizeof text) > 0) {
		}
		close(fd);
		usleep(1000);
	}
	return NULL;
}

/* ---- the module ---- */

static int unload(void)
{
	return (int)syscall(SYS_delete_module, "tcpk", O_NONBLOCK);
}

static int load(void)
{
	const char *arguments = getenv("TCPK_ARGUMENTS");
	int fd = open("/tcpk.ko", O_RDONLY | O_CLOEXEC), e;

	e = (int)syscall(SYS_finit_module, fd, arguments ? arguments : "", 0);
	close(fd);
	return e;
}

static void test_storm(void)
{
	pthread_t threads[6];

	stop = false;
	pthread_create(&threads[0], NULL, flood, NULL);
	pthread_create(&threads[1], NULL, flood, NULL);
	pthread_create(&threads[2], NULL, come_and_go, (void *)1);
	pthread_create(&threads[3], NULL, come_and_go, (void *)2);
	pthread_create(&threads[4], NULL, look, NULL);
	for (int i = 0; i < 3000 && claimed < (unsigned long)rounds; i++)
		usleep(100000);
	stop = true;
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	OK(claimed >= (unsigned long)rounds && received && flooded && errors,
		"%lu claims came and went under %lu packets, of which %lu were read, and %lu errors", claimed, flooded,
		received, errors);
}

static void test_unload(void)
{
	int fd = tcpk_bound(LO, PORT), done = 0, n = rounds / 10 + 1;
	pthread_t threads[3];

	FAILS(unload(), EWOULDBLOCK, "a module in use does not go");
	close(fd);
	stop = false;
	pthread_create(&threads[0], NULL, flood, NULL);
	pthread_create(&threads[1], NULL, flood, NULL);
	for (int i = 0; i < n; i++) {
		fd = tcpk_bound(LO, PORT);
		usleep(2000);
		read_all(fd);
		close(fd);
		/* What is freed after a grace period still holds it. */
		for (int j = 0; j < 500 && unload(); j++)
			usleep(10000);
		done += !load();
	}
	stop = true;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	OK(done == n, "unloaded and loaded %d times under traffic", done);
}

/* ---- namespaces ---- */

static void raise_lo(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ioctl(fd, SIOCSIFFLAGS, &r);
	close(fd);
}

/* A child with a namespace of its own, which dies with its sockets open and something waiting in them. */
static int in_namespace(void)
{
	struct segment s = { .src = LO, .dst = LO, .sport = PORT, .dport = PORT + 1, .flags = TH_SYN };
	struct sockaddr_in to = at(LO, PORT + 1);
	uint8_t bytes[100];
	int a, b;

	if (unshare(CLONE_NEWNET))
		return 1;
	raise_lo();
	a = tcpk_bound(INADDR_ANY, PORT); /* as in the other namespaces, which it has nothing to do with */
	b = tcpk_bound(LO, PORT + 1);
	if (a < 0 || b < 0 || connect_at(a, LO, PORT + 1))
		return 2;
	if (put(a, bytes, segment_make(bytes, &s), NULL, NULL) != 20 || put(a, bytes, 20, &to, NULL) != 20)
		return 3;
	return readable(b, 1000) ? 0 : 4;
}

static void test_namespaces(void)
{
	int fd = tcpk_bound(INADDR_ANY, PORT), good = 0, n = rounds / 3, status;
	struct got *g = malloc(sizeof *g);

	while (readable(fd, 100)) /* what is left of the flood, which ksoftirqd may have had to itself */
		get(fd, g, 0);
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(in_namespace());
		waitpid(pid, &status, 0);
		good += status == 0;
	}
	OK(good == n, "%d namespaces came and went with sockets open (last status %x)", good, status);
	FAILS(get(fd, g, 0), EAGAIN, "nothing of theirs came to this one");
	close(fd);
	free(g);
	for (int j = 0; j < 1000 && (status = unload()); j++) /* namespaces end in their own time */
		usleep(10000);
	OK(!status && !load(), "and nothing holds the module");
}

int main(void)
{
	const char *times = getenv("ROUNDS");

	brief = getenv("BRIEF");
	if (times)
		rounds = atoi(times);
	signal(SIGPIPE, SIG_IGN);
	test_storm();
	test_unload();
	test_namespaces();
	return tap_end();
}

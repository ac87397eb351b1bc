/* A client of tcpkd that means harm to it. Run by a user who may claim ports 7000 to 7099:
 *
 *	pest SOCKET garbage		messages of all lengths, other versions, unknown verbs
 *	pest SOCKET unread		asks, and does not listen to answers
 *	pest SOCKET crowd		a thousand connections; waits to be killed
 *	pest SOCKET hold COUNT		as many connections; waits to be killed
 *	pest SOCKET ask			one connection, asks once: whether it is served
 *	pest SOCKET descriptors		attaches hundreds to each message
 *	pest SOCKET burst COUNT		while tcpkd is stopped, as many connections that ask to be opened and are closed; waits
 *					for a byte of standard input, and asks what has been made for them
 *	pest SOCKET linger		while tcpkd is stopped, attaches those whose last close waits; waits for a byte of
 *					standard input, asks, and waits to be killed
 *	pest SOCKET death SEED COUNT	as many processes, each killed somewhere in the protocol
 *	pest SOCKET resume PORT		of root, who lends himself to others: claims for user 65533, waits for a byte of
 *					standard input, and claims after another tcpkd has come to be that client
 *
 * Says `ok WHAT` and `bad WHAT: ...`, and `ready` when it waits. */
#include "tests/netns/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CROWD 1000
#define CROWD_MOST 256 /* of one user, as tcpkd has it */
#define ATTACHED 253   /* the kernel's most */
#define LINGERERS 300  /* more than one user's connections, and than tcpkd's threads */

static bool is_served(void)
{
	int fd = client_dial(), e = fd < 0 ? fd : client_ask(fd, TCPKD_LIST, 0, 0, 0, 0);

	if (fd >= 0)
		close(fd);
	return e == 0 || e == -ENOENT;
}

/* Whether the answer to it is -EPROTO, and then none. */
static bool is_told_off(const void *message, size_t len)
{
	struct tcpkd_reply r = { .status = -EPROTO };
	int fd = client_dial(), e = fd < 0 ? fd : client_send(fd, message, len, NULL, 0);

	if (!e && len)
		e = client_answer(fd, &r, NULL);
	if (!e)
		e = client_answer(fd, &(struct tcpkd_reply){ 0 }, NULL);
	close(fd);
	return e == -ECONNRESET && r.status == -EPROTO;
}

static void garbage(void)
{
	static const uint32_t verbs[] = { 0, 8, 9, 255, 256, 0x01000000, UINT32_MAX };
	static const uint32_t versions[] = { 0, 2, 0x01000000, UINT32_MAX };
	struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_OPEN };
	union {
		struct tcpkd_request begin;
		uint8_t bytes[101];
	} m;
	unsigned bad[2] = { 0 };

	srand(1);
	for (size_t len = 0; len <= 100; len++)
		for (unsigned valid = 0; valid < 2; valid++) {
			for (size_t i = 0; i < sizeof m.bytes; i++)
				m.bytes[i] = (uint8_t)rand();
			if (valid)
				m.begin = q;
			if (!valid || len != sizeof q)
				bad[valid] += !is_told_off(&m, len);
		}
	report(!bad[0], "garbage of all lengths", "%u were not told off", bad[0]);
	report(!bad[1], "requests cut short, and with more behind them", "%u were not told off", bad[1]);
	bad[0] = bad[1] = 0;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		bad[0] += !is_told_off(&(struct tcpkd_request){ .abi = TCPK_ABI, .verb = verbs[i] }, sizeof q);
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		bad[1] += !is_told_off(&(struct tcpkd_request){ .abi = versions[i], .verb = TCPKD_OPEN }, sizeof q);
	report(!bad[0], "unknown verbs", "%u were not told off", bad[0]);
	report(!bad[1], "other versions", "%u were not told off", bad[1]);
	report(is_served(), "after garbage, others are served", "no");
}

static void unread(void)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_LIST };
	int fd = client_dial(), e = 0;
	unsigned n = 0;

	while (!e && n < 100000) {
		e = client_send(fd, &q, sizeof q, NULL, 0);
		n++;
	}
	report(e == -EPIPE || e == -ECONNRESET, "who does not listen is left", "%u requests, %s", n, strerror(-e));
	report(is_served(), "beside one who does not listen, others are served", "no");
}

static void crowd(void)
{
	static int fds[CROWD];
	unsigned served = 0;

	for (unsigned i = 0; i < CROWD; i++)
		fds[i] = client_dial();
	for (unsigned i = 0; i < CROWD; i++) {
		int e = fds[i] < 0 ? fds[i] : client_ask(fds[i], TCPKD_LIST, 0, 0, 0, 0);

		served += e == 0 || e == -ENOENT;
	}
	report(served && served <= CROWD_MOST, "a thousand connections", "%u are served", served);
	puts("ready");
	pause();
}

static void hold(unsigned count)
{
	while (count--)
		client_dial();
	puts("ready");
	pause();
}

static void descriptors(void)
{
	struct tcpkd_request q = { .abi = TCPK_ABI };
	struct tcpkd_reply r;
	int fds[ATTACHED], null = open("/dev/null", O_RDONLY);
	unsigned bad = 0;

	for (unsigned i = 0; i < ATTACHED; i++)
		fds[i] = null;
	for (unsigned i = 0; i < 60; i++) {
		int fd = client_dial();
		size_t len = i % 4 == 0 ? 0 : i % 4 == 1 ? 7 : sizeof q;
		unsigned n = i % 3 ? ATTACHED : 4;

		q.verb = i % 8 + 1;
		bad += fd < 0 || client_send(fd, &q, len, fds, n) || client_answer(fd, &r, NULL) == -ETIMEDOUT;
		close(fd);
	}
	report(!bad, "hundreds of descriptors with each message", "%u messages found no answer", bad);
	report(is_served(), "after hundreds of descriptors, others are served", "no");
}

/* ---- linger ---- */

/* A TCP socket whose last close waits for an hour, or the death of this process, which keeps the other end. */
static int lingering(void)
{
	static const char data[65536];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger hour = { .l_onoff = 1, .l_linger = 3600 };
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	if (setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) ||
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) ||
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof hour) ||
		listen(listener, 1) || getsockname(listener, (struct sockaddr *)&a, &len) ||
		connect(fd, (struct sockaddr *)&a, sizeof a) || accept(listener, NULL, NULL) < 0)
		die("a TCP connection");
	while (send(fd, data, sizeof data, MSG_DONTWAIT) > 0)
		;
	close(listener);
	return fd;
}

/* A message with one of those attached, behind others. Nobody else has it any more when tcpkd, which is stopped, comes
 * to it. */
static int send_lingering(unsigned empty, unsigned requests, size_t len)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_LIST };
	int fd = client_dial(), tcp = lingering(), e = fd < 0 ? fd : 0;

	for (unsigned i = 0; !e && i < empty + requests; i++)
		e = client_send(fd, &q, i < empty ? 0 : sizeof q, NULL, 0);
	if (!e)
		e = client_send(fd, &q, len, &tcp, 1);
	if (e)
		die("a message that lingers");
	close(tcp);
	return fd;
}

static void linger(void)
{
	static const struct { unsigned empty, requests; size_t len; bool stays; } kinds[] = {
		{ 0, 0, sizeof(struct tcpkd_request), true }, { 0, 0, sizeof(struct tcpkd_request), false },
		{ 0, 0, 3, true }, { 0, 0, 0, true }, { 0, 0, 0, false }, { 2, 0, 5, true }, { 0, 3, 5, true },
		{ 3, 3, 5, false },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		int fd = send_lingering(kinds[i].empty, kinds[i].requests, kinds[i].len);

		if (!kinds[i].stays)
			close(fd);
	}
	for (unsigned i = 0; i < LINGERERS; i++)
		close(send_lingering(0, 0, sizeof(struct tcpkd_request)));
	puts("ready");
	getchar();
	report(!is_served(), "those that are not closed yet are his connections", "he may have more");
	pause();
}

/* ---- burst ---- */

/* Devices have rising numbers. */
static unsigned number_of_tap(void)
{
	struct bad_client c;
	struct ifreq r = { 0 };
	int e = client_open(&c, 4096);

	for (int i = 0; e == -EAGAIN && i < 50; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
		close(c.helper);
		e = client_open(&c, 4096);
	}
	errno = -e;
	if (e || ioctl(c.tap, TUNGETIFF, &r))
		die("a client");
	return if_nametoindex(r.ifr_name);
}

static void burst(unsigned count)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_OPEN, .ring_bytes = 4096 };
	unsigned before = number_of_tap(), after;

	puts("open");
	getchar();
	while (count--) {
		int fd = client_dial();

		if (client_send(fd, &q, sizeof q, NULL, 0))
			die("a request");
		close(fd);
	}
	puts("ready");
	getchar();
	after = number_of_tap();
	report(after == before + 1, "nothing is made for the dead", "%u TAPs", after - before - 1);
}

/* ---- death ---- */

/* A step of the protocol, after each of which it may die. */
static void step(struct bad_client *c, unsigned i)
{
	const uint32_t here = inet_addr("10.99.2.1");
	struct tcpkd_request q = { .abi = TCPK_ABI, .verb = i % 8 };
	const uint16_t port = (uint16_t)(7000 + rand() % 50);
	char frame[200] = { 0 };

	switch (rand() % 8) {
	case 0: client_send(c->helper, &q, sizeof q, NULL, 0); break;
	case 1: client_send(c->helper, &q, (size_t)rand() % sizeof q, &c->tap, c->tap >= 0); break;
	case 2: client_ask(c->helper, TCPKD_NARROW, here, htons(port), here, htons(port)); break;
	case 3: client_ask(c->helper, TCPKD_RELEASE, here, htons(port), 0, 0); break;
	case 4: write(c->tap, frame, (size_t)rand() % sizeof frame); break;
	case 5: ioctl(c->tap, TUNSETPERSIST, 1); break;
	default: client_claim(c, here, port); break;
	}
}

static void live(unsigned seed)
{
	struct bad_client c;
	struct timespec a_while = { 0 };

	srand(seed);
	a_while.tv_nsec = rand() % 200000;
	if (rand() % 2)
		nanosleep(&a_while, NULL);
	if (rand() % 4)
		client_open(&c, 4096);
	else
		c = (struct bad_client){ .helper = client_dial(), .ring = -1, .tap = -1 };
	for (unsigned i = 0; rand() % 8; i++)
		step(&c, i);
	raise(SIGKILL);
}

static void death(unsigned seed, unsigned count)
{
	unsigned killed = 0;

	for (unsigned i = 0; i < count; i++) {
		struct timespec a_while = { 0 };
		pid_t child = fork();
		int status;

		if (!child) {
			freopen("/dev/null", "w", stdout);
			live(seed + i);
		}
		srand(seed + i);
		a_while.tv_nsec = rand() % 3000000;
		if (i % 2)
			nanosleep(&a_while, NULL);
		if (i % 2)
			kill(child, SIGKILL);
		waitpid(child, &status, 0);
		killed += WIFSIGNALED(status);
	}
	report(killed == count, "they have died", "%u of %u", killed, count);
	report(is_served(), "after deaths at any moment, others are served", "no");
}

/* ---- resume ---- */

static void expect(int got, int wanted, const char *what)
{
	report(got == wanted, what, "%s", got ? strerror(-got) : "granted");
}

static int resume(uid_t as, uint64_t token)
{
	int e;

	if (seteuid(as))
		die("seteuid");
	e = client_resume(token);
	if (seteuid(0))
		die("seteuid");
	return e;
}

static void resuming(uint16_t port)
{
	const uid_t victim = 65533, thief = 65534;
	struct bad_client c;

	if (seteuid(victim) || client_open(&c, 0) || client_claim(&c, 0, port) || seteuid(0))
		die("a client");
	expect(resume(victim, c.token), -EINVAL, "one that is served already");
	puts("ready");
	getchar();
	expect(resume(thief, c.token), -EINVAL, "another user's client, by its secret");
	expect(resume(victim, 0), -EINVAL, "by no secret");
	expect(resume(victim, c.token ^ 1), -EINVAL, "by almost its secret");
	expect(resume(victim, c.token), 0, "its own");
	expect(resume(victim, c.token), -EINVAL, "its own, once more, when it is gone");
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	client_path = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "garbage"))
		garbage();
	else if (!strcmp(what, "unread"))
		unread();
	else if (!strcmp(what, "crowd"))
		crowd();
	else if (!strcmp(what, "hold") && argc == 4)
		hold((unsigned)atoi(argv[3]));
	else if (!strcmp(what, "ask"))
		report(is_served(), "is served", "no");
	else if (!strcmp(what, "descriptors"))
		descriptors();
	else if (!strcmp(what, "burst") && argc == 4)
		burst((unsigned)atoi(argv[3]));
	else if (!strcmp(what, "linger"))
		linger();
	else if (!strcmp(what, "death") && argc == 5)
		death((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	else if (!strcmp(what, "resume") && argc == 4)
		resuming((uint16_t)atoi(argv[3]));
	else
		die("arguments");
	return 0;
}

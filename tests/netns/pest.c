/* A client of tcpkd that means harm to it. Run by a user who may claim ports 7000 to 7099:
 *
 *	pest SOCKET garbage		messages of all lengths, other versions, unknown verbs
 *	pest SOCKET unread		asks, and does not listen to answers
 *	pest SOCKET crowd		a thousand connections; waits to be killed
 *	pest SOCKET hold COUNT		as many connections; waits to be killed
 *	pest SOCKET ask			one connection, asks once: whether it is served
 *	pest SOCKET descriptors		attaches hundreds to each message
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
#include <sched.h>
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
	static const uint32_t verbs[] = { 0, 7, 8, 255, 256, 0x01000000, UINT32_MAX };
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

/* ---- death ---- */

/* A step of the protocol, after each of which it may die. */
static void step(struct bad_client *c, unsigned i)
{
	const uint32_t here = inet_addr("10.99.2.1");
	struct tcpkd_request q = { .abi = TCPK_ABI, .verb = i % 7 };
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
		client_open(&c, 4096, -1);
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

static int resume(uid_t as, int attached)
{
	struct bad_client c;
	int e;

	if (seteuid(as))
		die("seteuid");
	e = client_open(&c, 0, attached);
	if (c.helper >= 0)
		close(c.helper);
	if (seteuid(0))
		die("seteuid");
	return e;
}

/* Of the same name, in a namespace of one's own. */
static int namesake(int tap)
{
	struct ifreq r = { 0 };
	int there = -1, old = open("/proc/self/ns/net", O_RDONLY);

	if (ioctl(tap, TUNGETIFF, &r) || unshare(CLONE_NEWNET))
		die("unshare");
	there = open("/dev/net/tun", O_RDWR);
	r.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(there, TUNSETIFF, &r) || setns(old, CLONE_NEWNET))
		die("a TAP elsewhere");
	return there;
}

static void resuming(uint16_t port)
{
	const uid_t victim = 65533, thief = 65534;
	struct bad_client c;
	int pair[2];

	if (seteuid(victim) || client_open(&c, 0, -1) || client_claim(&c, 0, port) || seteuid(0) ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("a client");
	expect(resume(victim, c.tap), -EINVAL, "one that is served already");
	puts("ready");
	getchar();
	expect(resume(thief, c.tap), -EINVAL, "another user's client, by its TAP");
	expect(resume(victim, open("/dev/null", O_RDONLY)), -EINVAL, "a file");
	expect(resume(victim, open("/dev/net/tun", O_RDWR)), -EINVAL, "a TAP without device");
	expect(resume(victim, pair[0]), -EINVAL, "a socket");
	expect(resume(victim, c.ring), -EINVAL, "the ring");
	expect(resume(victim, namesake(c.tap)), -EINVAL, "a TAP of the same name elsewhere");
	expect(resume(victim, c.tap), 0, "its own");
	expect(resume(victim, c.tap), -EINVAL, "its own, once more, when it is gone");
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
	else if (!strcmp(what, "death") && argc == 5)
		death((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	else if (!strcmp(what, "resume") && argc == 4)
		resuming((uint16_t)atoi(argv[3]));
	else
		die("arguments");
	return 0;
}

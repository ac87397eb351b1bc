/* A client of tcpkd that means harm to it. Run by a user who may claim ports 7000 to 7099:
 *
 *	pest SOCKET garbage		messages of all lengths, other versions, unknown verbs
 *	pest SOCKET unread		asks, and does not listen to answers
 *	pest SOCKET crowd		a thousand connections; waits to be killed
 *	pest SOCKET hold COUNT		as many connections; waits to be killed
 *	pest SOCKET crowds UID COUNT	of root: a crowd of each of as many users, from that number on; waits to be killed
 *	pest SOCKET ask COUNT		as many connections, one by one, that ask: whether they are served
 *	pest SOCKET refused		attaches a descriptor where the kernel can refuse them
 *	pest SOCKET descriptors		attaches hundreds to each message
 *	pest SOCKET burst COUNT		while tcpkd is stopped, as many connections that ask to be opened and are closed; waits
 *					for a byte of standard input, and asks what has been made for them
 *	pest SOCKET linger		while tcpkd is stopped, attaches those whose last close waits; waits for a byte of
 *					standard input, asks, and waits to be killed
 *	pest SOCKET flood COUNT		as many that linger, and as many connections after them that are closed with a
 *					descriptor in them; waits to be killed
 *	pest SOCKET leave COUNT		as many clients; waits for a byte of standard input, while tcpkd is stopped, and ends
 *					them all but for their TAPs: whether another is served before all these are gone
 *	pest SOCKET hoard BYTES EACH	rings that stay when their clients have gone, of EACH: whether they are more than
 *					BYTES; waits for a byte of standard input, and tries once more, with them and without
 *	pest SOCKET open COUNT		as many clients; waits to be killed
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CROWD 1000
#define CROWD_MOST 256 /* of one user, as tcpkd has it */
#define CLIENTS 64
#define PASSRIGHTS 83  /* SO_PASSRIGHTS, of Linux 6.16 */
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

static void crowds(uid_t first, unsigned count)
{
	int ready[2];
	char done;

	if (pipe(ready))
		die("pipe");
	for (unsigned i = 0; i < count; i++) {
		if (fork())
			continue;
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || setgid(first + i) || setuid(first + i) ||
			prctl(PR_SET_PDEATHSIG, SIGKILL))
			die("another user");
		for (unsigned n = 0; n < CROWD_MOST; n++)
			client_dial();
		write(ready[1], "", 1);
		pause();
	}
	while (count--)
		if (read(ready[0], &done, 1) != 1)
			die("a crowd");
	puts("ready");
	pause();
}

static void refused(void)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_LIST };
	int fd = client_dial(), on, e = client_send(fd, &q, sizeof q, &fd, 1);
	socklen_t len = sizeof on;

	if (getsockopt(fd, SOL_SOCKET, PASSRIGHTS, &on, &len))
		report(!e, "a descriptor that the kernel does not refuse", "%s", strerror(-e));
	else
		report(e == -EPERM, "a descriptor is refused", "%s", e ? strerror(-e) : "sent");
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

static void nothing(int signal)
{
	(void)signal;
}

/* Where tcpkd was quicker it is the last close, and would wait for us. */
static void close_soon(int tcp)
{
	const struct itimerval soon = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };

	signal(SIGALRM, nothing);
	setitimer(ITIMER_REAL, &soon, NULL);
	close(tcp);
	setitimer(ITIMER_REAL, &never, NULL);
}

/* A message with one of those attached, behind others, where tcpkd has not ended it before. Nobody else has it any more
 * when tcpkd, if it is stopped, comes to it. */
static int send_lingering(unsigned empty, unsigned requests, size_t len)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_LIST };
	int fd = client_dial(), tcp = lingering(), e = fd < 0 ? fd : 0;

	for (unsigned i = 0; !e && i < empty + requests; i++)
		e = client_send(fd, &q, i < empty ? 0 : sizeof q, NULL, 0);
	if (!e)
		e = client_send(fd, &q, len, &tcp, 1);
	if (e && e != -EPIPE && e != -ECONNRESET)
		die("a message that lingers");
	close_soon(tcp);
	return fd;
}

static void linger(void)
{
	static const struct { unsigned empty, requests; size_t len; bool stays; } kinds[] = {
		{ 0, 0, sizeof(struct tcpkd_request), true }, { 0, 0, sizeof(struct tcpkd_request), false },
		{ 0, 0, 3, true }, { 0, 0, 0, true }, { 0, 0, 0, false }, { 2, 0, 5, true }, { 0, 3, 5, true },
		{ 3, 3, 5, false },
	};
	bool served = false;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		int fd = send_lingering(kinds[i].empty, kinds[i].requests, kinds[i].len);

		if (!kinds[i].stays)
			close(fd);
	}
	for (unsigned i = 0; i < LINGERERS; i++)
		close(send_lingering(0, 0, sizeof(struct tcpkd_request)));
	puts("ready");
	getchar();
	for (int i = 0; i < 500 && !served; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		served = is_served();
	}
	report(served, "he is served when they are closed", "no");
	pause();
}

static void flood(unsigned count)
{
	const struct tcpkd_request q = { .abi = TCPK_ABI, .verb = TCPKD_LIST };
	int null = open("/dev/null", O_RDONLY);

	for (unsigned i = 0; i < LINGERERS; i++)
		close(send_lingering(0, 0, sizeof q));
	while (count--) {
		int fd = client_dial(), e = fd < 0 ? fd : client_send(fd, &q, sizeof q, &null, 1);

		if (e && e != -EPIPE && e != -ECONNRESET)
			break;
		close(fd);
	}
	puts("ready");
	pause();
}

/* ---- burst ---- */

static int open_patiently(struct bad_client *c, uint32_t ring_bytes)
{
	int e = client_open(c, ring_bytes);

	for (int i = 0; e == -EAGAIN && i < 50; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
		close(c->helper);
		e = client_open(c, ring_bytes);
	}
	return e;
}

/* Devices have rising numbers. */
static unsigned number_of_tap(void)
{
	struct bad_client c;
	struct ifreq r = { 0 };
	int e = open_patiently(&c, 4096);

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

/* ---- clients that are kept, and some of which is ---- */

static struct bad_client clients[CLIENTS];

static void open_all(unsigned count)
{
	for (unsigned i = 0; i < count && i < CLIENTS; i++) {
		int e = open_patiently(&clients[i], 4096);

		errno = -e;
		if (e)
			die("a client");
	}
	puts("open");
}

static void open_and_wait(unsigned count)
{
	open_all(count);
	pause();
}

static unsigned living_taps(unsigned count)
{
	struct ifreq r = { 0 };
	unsigned n = 0;

	while (count--)
		n += !ioctl(clients[count].tap, TUNGETIFF, &r);
	return n;
}

static void leave(unsigned count)
{
	bool served;
	unsigned living;

	open_all(count);
	getchar();
	for (unsigned i = 0; i < count; i++)
		close(clients[i].helper);
	puts("gone");
	served = is_served();
	living = living_taps(count);
	report(served && living, "who comes is served before all who leave have gone", "%u of %u have not", living, count);
	for (unsigned i = 0; i < 1000 && living_taps(count); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	report(!living_taps(count), "then all of them go", "%u have not", living_taps(count));
}

/* Some by the descriptor, some by what is mapped. */
static void unmap_ring(const struct bad_client *c)
{
	munmap((void *)c->producer, (size_t)sysconf(_SC_PAGESIZE) + 2 * (size_t)c->ring_bytes);
	munmap(c->consumer, (size_t)sysconf(_SC_PAGESIZE));
}

static void keep_ring(const struct bad_client *c, bool mapped)
{
	close(c->helper);
	close(c->tap);
	if (mapped)
		close(c->ring);
	else
		unmap_ring(c);
}

static void hoard(unsigned bytes, unsigned each)
{
	struct bad_client c;
	unsigned n = 0;
	int e = 0;

	for (; n < 2 * bytes / each && n < CLIENTS; n++) {
		e = open_patiently(&clients[n], each);
		if (e)
			break;
		keep_ring(&clients[n], n % 2);
	}
	report(e == -EDQUOT && n == bytes / each, "rings that stay are counted", "%u MiB, %s", n * (each >> 20),
		strerror(-e));
	puts("ready");
	getchar();
	e = open_patiently(&c, 4096);
	report(e == -EDQUOT, "over another helper, too", "%s", strerror(-e));
	close(clients[0].ring);
	unmap_ring(&clients[1]);
	e = open_patiently(&c, each);
	report(!e, "what is given back may be had again", "%s", strerror(-e));
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

static void ask(unsigned count)
{
	unsigned served = 0;

	for (unsigned i = 0; i < count; i++)
		served += is_served();
	report(served == count, "is served", "%u times of %u", served, count);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	const unsigned number = argc > 3 ? (unsigned)atoi(argv[3]) : 0, second = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
	static const struct { const char *what; void (*act)(void); } plain[] = { { "garbage", garbage },
		{ "unread", unread }, { "crowd", crowd }, { "refused", refused }, { "descriptors", descriptors },
		{ "linger", linger } };
	static const struct { const char *what; void (*act)(unsigned); } of_one[] = { { "hold", hold }, { "ask", ask },
		{ "burst", burst }, { "flood", flood }, { "leave", leave }, { "open", open_and_wait } };
	static const struct { const char *what; void (*act)(unsigned, unsigned); } of_two[] = { { "crowds", crowds },
		{ "death", death }, { "hoard", hoard } };

	setvbuf(stdout, NULL, _IOLBF, 0);
	client_path = argc > 1 ? argv[1] : "";
	for (size_t i = 0; argc == 3 && i < sizeof plain / sizeof *plain; i++)
		if (!strcmp(what, plain[i].what))
			return plain[i].act(), 0;
	for (size_t i = 0; argc == 4 && i < sizeof of_one / sizeof *of_one; i++)
		if (!strcmp(what, of_one[i].what))
			return of_one[i].act(number), 0;
	for (size_t i = 0; argc == 5 && i < sizeof of_two / sizeof *of_two; i++)
		if (!strcmp(what, of_two[i].what))
			return of_two[i].act(number, second), 0;
	if (argc != 4 || strcmp(what, "resume"))
		die("arguments");
	resuming((uint16_t)number);
	return 0;
}

/* A bad road between two network namespaces: what comes out of a TUN device in one goes into a TUN device in the other,
 * unless it is lost, and perhaps twice, late, out of order or damaged. Every choice comes from a seed; only time is
 * real. Says `ready` when both devices are there, and in the end, after SIGTERM, what it did: `count NAME NUMBER`.
 *
 * With --adus it also says of each packet with bytes of ADUs in it (delay.h) what became of them, and when:
 *
 *	lost ADU FIRST LAST US		FIRST and LAST: units of eight bytes
 *	carried ADU FIRST LAST US
 *
 * and a seed means the same whoever carries them: the k-th packet that begins in the n-th ADU is lost, or is not. */
#include "tests/netns/delay.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NEVER UINT64_MAX
#define QUEUE_MAX 20000 /* packets under way; more are dropped */
#define PACKET_MAX 65535

static struct options {
	const char *here, *there, *namespace;
	double loss, duplicate, reorder, corrupt;
	bool adus;
	uint64_t delay_us, reorder_us, seed;
} o = { .reorder_us = 3000 };

static const struct argp_option known[] = {
	{ "here", 'a', "DEVICE", 0, "in this namespace", 0 },
	{ "there", 'b', "DEVICE", 0, "in the other", 0 },
	{ "namespace", 'n', "NAME", 0, "the other", 0 },
	{ "loss", 'l', "PERCENT", 0, "of all packets, as the following", 0 },
	{ "duplicate", 'd', "PERCENT", 0, "come twice", 0 },
	{ "reorder", 'r', "PERCENT", 0, "come at most --by later, and others overtake them", 0 },
	{ "corrupt", 'c', "PERCENT", 0, "have one bit turned", 0 },
	{ "delay", 't', "US", 0, "microseconds, all of them", 0 },
	{ "by", 'y', "US", 0, "[3000]", 0 },
	{ "seed", 's', "NUMBER", 0, "of all choices", 0 },
	{ "adus", 'u', 0, 0, "say what becomes of them", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)state;
	switch (key) {
	case 'a': o.here = arg; break;
	case 'b': o.there = arg; break;
	case 'n': o.namespace = arg; break;
	case 'l': o.loss = atof(arg) / 100; break;
	case 'd': o.duplicate = atof(arg) / 100; break;
	case 'r': o.reorder = atof(arg) / 100; break;
	case 'c': o.corrupt = atof(arg) / 100; break;
	case 't': o.delay_us = strtoull(arg, NULL, 10); break;
	case 'y': o.reorder_us = strtoull(arg, NULL, 10); break;
	case 's': o.seed = strtoull(arg, NULL, 10); break;
	case 'u': o.adus = true; break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void fail(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int device(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		fail(name);
	return fd;
}

/* splitmix64: each call another number of the generator that has this state. */
static uint64_t next_number(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t choices; /* the generator of all but the losses of ADUs */

static uint64_t random_number(void)
{
	return next_number(&choices);
}

static bool happens(uint64_t number, double p)
{
	return (double)(number >> 11) < p * 0x1p53;
}

static bool chance(double p)
{
	return happens(random_number(), p);
}

/* Whether this packet is to be lost: one of ADUs by seed, ADU, and how many began in that before it, so that nothing
 * else that is sent changes it. */
static bool loses(const uint8_t *bytes, size_t len)
{
	static uint16_t begun[DELAY_ADUS];
	struct delay_stretch s;
	uint64_t state;
	size_t at = 0;

	if (!o.adus || !delay_find(bytes, len, &at, &s) || s.adu >= DELAY_ADUS)
		return chance(o.loss);
	state = o.seed << 32 | s.adu << 16 | begun[s.adu]++;
	return happens(next_number(&state), o.loss);
}

static void tell(const char *what, const uint8_t *bytes, size_t len)
{
	struct delay_stretch s;
	uint64_t now_us = delay_now_us();

	for (size_t at = 0; o.adus && delay_find(bytes, len, &at, &s);)
		printf("%s %u %u %u %llu\n", what, s.adu, s.first, s.last, (unsigned long long)now_us);
}

/* Packets under way, by the time of their arrival. */
static struct packet {
	struct packet *next, *before;
	uint64_t due_us;
	int fd; /* where to */
	size_t len;
	uint8_t bytes[];
} *first, *last;
static unsigned under_way;

static struct counts {
	unsigned long carried, lost, duplicated, reordered, corrupted, overflowed;
} counts;

static void put(const uint8_t *bytes, size_t len, int fd, uint64_t due_us)
{
	struct packet *p, *at;

	if (under_way == QUEUE_MAX) {
		counts.overflowed++;
		return;
	}
	p = malloc(sizeof *p + len);
	if (!p)
		fail("memory");
	*p = (struct packet){ .due_us = due_us, .fd = fd, .len = len };
	memcpy(p->bytes, bytes, len);
	for (at = last; at && at->due_us > due_us; at = at->before)
		continue;
	p->before = at;
	p->next = at ? at->next : first;
	*(p->next ? &p->next->before : &last) = p;
	*(at ? &at->next : &first) = p;
	under_way++;
}

static void arrive(void)
{
	struct packet *p = first;

	tell("carried", p->bytes, p->len);
	/* A device that is down, or full, loses it. */
	if (write(p->fd, p->bytes, p->len) == (ssize_t)p->len)
		counts.carried++;
	first = p->next;
	*(first ? &first->before : &last) = NULL;
	free(p);
	under_way--;
}

/* One packet from a device, if there is one. */
static bool carry(int from, int to)
{
	static uint8_t bytes[PACKET_MAX];
	ssize_t n = read(from, bytes, sizeof bytes);
	uint64_t due_us = delay_now_us() + o.delay_us;
	bool twice;

	if (n <= 0)
		return false;
	if (loses(bytes, (size_t)n)) {
		tell("lost", bytes, (size_t)n);
		counts.lost++;
		return true;
	}
	if (chance(o.corrupt)) {
		uint64_t bit = random_number() % ((uint64_t)n * 8);

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		counts.corrupted++;
	}
	if (chance(o.reorder)) {
		due_us += random_number() % o.reorder_us;
		counts.reordered++;
	}
	twice = chance(o.duplicate);
	counts.duplicated += twice;
	for (int i = 0; i <= twice; i++)
		put(bytes, (size_t)n, to, due_us);
	return true;
}

static volatile sig_atomic_t over;

static void stop(int signal)
{
	(void)signal;
	over = 1;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { known, parse, NULL, "A bad road.", NULL, NULL, NULL };
	char path[200];
	struct pollfd fds[2];
	int space;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	choices = o.seed;
	signal(SIGTERM, stop);
	fds[0] = (struct pollfd){ .fd = device(o.here), .events = POLLIN };
	snprintf(path, sizeof path, "/run/netns/%s", o.namespace);
	space = open(path, O_RDONLY | O_CLOEXEC);
	if (space < 0 || setns(space, CLONE_NEWNET))
		fail(path);
	fds[1] = (struct pollfd){ .fd = device(o.there), .events = POLLIN };
	puts("ready");
	fflush(stdout);
	while (!over) {
		uint64_t now = delay_now_us(), wait = first ? first->due_us > now ? first->due_us - now : 0 : NEVER;
		struct timespec t = { (time_t)(wait / 1000000), (long)(wait % 1000000 * 1000) };

		if (ppoll(fds, 2, wait == NEVER ? NULL : &t, NULL) < 0 && errno != EINTR)
			fail("ppoll");
		for (int i = 0; i < 64 && carry(fds[0].fd, fds[1].fd); i++)
			continue;
		for (int i = 0; i < 64 && carry(fds[1].fd, fds[0].fd); i++)
			continue;
		for (now = delay_now_us(); first && first->due_us <= now;)
			arrive();
	}
	printf("count carried %lu\ncount loss %lu\ncount duplicate %lu\ncount reorder %lu\ncount corrupt %lu\n"
		"count overflow %lu\n", counts.carried, counts.lost, counts.duplicated, counts.reordered, counts.corrupted,
		counts.overflowed);
	return 0;
}

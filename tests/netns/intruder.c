/* A client of tcpkd that wants what is not its own. Run by a user who may claim ports 7000 to 7099:
 *
 *	intruder SOCKET wire FAR HERE HERE2	sends what it may not: from HERE, one of this host's addresses, to FAR
 *	intruder SOCKET deaf HERE		waits for a line of standard input; until then nothing may come. Then something
 *						must, for HERE:7000
 *	intruder SOCKET claims HERE PORT...	claims what it may not; ports: which the kernel's TCP has
 *	intruder SOCKET table PINS		changes the table
 *	intruder SOCKET tap			does to its TAP what it may, and waits to be killed
 *	intruder SOCKET inject HERE [persist]	for each line of standard input sends one datagram by its TAP, from an address
 *						that is not this host's to HERE's UDP port 9999, which bears the line; persist:
 *						the TAP is to outlive it
 *	intruder SOCKET hold PORT		claims it, and waits to be killed
 *	intruder SOCKET scribble PORT		writes nonsense where its ring is read up to, until it is killed
 *
 * Says `ok WHAT` and `bad WHAT: ...`, and `ready` when it waits. */
#include "tests/netns/client.h"
#include "tests/netns/forge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CLAIMED 7000
#define CLAIMED_ANY 7001
#define NARROWED 7002
#define FAR_PORT 9
#define CSUM_START (ETH_HLEN + 20)
#define CSUM_OFFSET 16
#define CUT 16 /* bytes of data of each packet */

static struct bad_client opened(void)
{
	struct bad_client c;
	int e = client_open(&c, 65536);

	if (e) {
		errno = -e;
		die("TCPKD_OPEN");
	}
	return c;
}

/* ---- wire ---- */

/* Whether the TAP takes it. */
static bool put(const struct bad_client *c, const struct virtio_net_hdr *v, const uint8_t *frame, size_t len)
{
	uint8_t whole[sizeof *v + FORGE_MAX];

	memcpy(whole, v, sizeof *v);
	memcpy(whole + sizeof *v, frame, len);
	return write(c->tap, whole, sizeof *v + len) > 0;
}

/* Every packet that the TAP took has been looked at, and refused. */
static void all_refused(const struct bad_client *c, const char *what, struct tcpk_stats before, unsigned taken)
{
	struct tcpk_stats after = client_stats(c);
	const struct timespec a_while = { .tv_nsec = 1000000 };

	for (int i = 0; i < 1000 && after.out_refused - before.out_refused < taken; i++) {
		nanosleep(&a_while, NULL);
		after = client_stats(c);
	}
	report(after.out_refused - before.out_refused == taken && after.out_segs == before.out_segs, what,
		"%u packets: %llu refused, %llu sent", taken, (unsigned long long)(after.out_refused - before.out_refused),
		(unsigned long long)(after.out_segs - before.out_segs));
}

static void try_one(const struct bad_client *c, const struct forgery *f, const struct forgery *usual)
{
	const struct virtio_net_hdr v = { 0 };
	struct tcpk_stats before = client_stats(c);
	uint8_t frame[FORGE_MAX];

	all_refused(c, f->name, before, put(c, &v, frame, forge(frame, f, usual)));
}

/* What is the intruder's own must be seen, or watching proves nothing. */
static void try_own(const struct bad_client *c, const char *name, const struct forgery *usual)
{
	const struct forgery own = { .name = name };
	const struct virtio_net_hdr v = { 0 };
	struct tcpk_stats before = client_stats(c);
	uint8_t frame[FORGE_MAX];

	put(c, &v, frame, forge(frame, &own, usual));
	report(client_stats(c).out_segs == before.out_segs + 1, name, "its own packet has not been sent");
}

static void try_checksums(const struct bad_client *c, const struct forgery *usual)
{
	const struct forgery f = { .name = "a checksum to be put where it is none's" };
	struct tcpk_stats before = client_stats(c);
	uint8_t frame[FORGE_MAX];
	size_t len = forge(frame, &f, usual);
	unsigned taken = 0;

	for (uint16_t start = 0; start < 80; start++)
		for (uint16_t offset = 0; offset < 60; offset++) {
			const struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = start,
				.csum_offset = offset };

			if (start != CSUM_START || offset != CSUM_OFFSET)
				taken += put(c, &v, frame, len);
		}
	all_refused(c, f.name, before, taken);
}

static void try_lengths(const struct bad_client *c, const struct forgery *usual)
{
	const struct forgery f = { .name = "frames cut short", .data_len = 8 };
	const struct virtio_net_hdr v = { 0 };
	struct tcpk_stats before = client_stats(c);
	uint8_t frame[FORGE_MAX];
	size_t len = forge(frame, &f, usual);
	unsigned taken = 0;

	for (size_t n = 0; n < len; n++)
		taken += put(c, &v, frame, n);
	all_refused(c, f.name, before, taken);
}

/* One write becomes so many packets, each of which has the mark and this name, just as long, as its data. */
static void try_cut(const struct bad_client *c, const struct forgery *usual, uint32_t packets, const char *what)
{
	bool may = packets <= TCPK_SEGMENTS;
	const struct forgery f = { .name = "random", .data_len = packets * CUT };
	const struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = ETH_HLEN + 40, .gso_size = CUT, .csum_start = CSUM_START, .csum_offset = CSUM_OFFSET };
	struct tcpk_stats before = client_stats(c), after;
	uint8_t frame[FORGE_MAX];

	put(c, &v, frame, forge(frame, &f, usual));
	after = client_stats(c);
	report(after.out_segs - before.out_segs == may && after.out_refused - before.out_refused == !may, what,
		"%llu sent, %llu refused", (unsigned long long)(after.out_segs - before.out_segs),
		(unsigned long long)(after.out_refused - before.out_refused));
}

/* Any virtio-net header, before packets that may be sent: whatever comes of it has the intruder's own address. */
static void try_headers(const struct bad_client *c, const struct forgery *usual)
{
	const struct forgery f = { .name = "random", .data_len = 3000 };
	uint8_t frame[FORGE_MAX];
	size_t len = forge(frame, &f, usual);

	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		static const uint8_t kinds[] = { 0, 1, 3, 4, 5, 0x20, 0x21, 0x40, 0x60, 0x81 };
		struct virtio_net_hdr v = { .flags = (uint8_t)(rand() % 4 ? rand() & 1 : rand()),
			.gso_type = rand() % 8 ? kinds[(size_t)rand() % sizeof kinds] : (uint8_t)rand(),
			.hdr_len = (uint16_t)(rand() % 2 ? 54 : rand() % 200), .gso_size = (uint16_t)(rand() % 2000),
			.csum_start = (uint16_t)(rand() % 2 ? CSUM_START : rand() % 80),
			.csum_offset = (uint16_t)(rand() % 2 ? CSUM_OFFSET : rand() % 60) };

		put(c, &v, frame, len);
	}
}

static const struct forgery forgeries[] = {
	{ .name = "a port that nobody has claimed", .sport = 7009 },
	{ .name = "a port of another user", .sport = 7100 },
	{ .name = "a port of the kernel's TCP", .sport = 8000 },
	{ .name = "an address that is nobody's", .src = "10.99.2.77" },
	{ .name = "the address of the other end", .src = "10.99.2.2" },
	{ .name = "another address of this host", .src = "10.99.2.3" },
	{ .name = "no address", .src = "0.0.0.0", .sport = CLAIMED_ANY },
	{ .name = "an address that is nobody's, of a port of all", .src = "10.99.2.77", .sport = CLAIMED_ANY },
	{ .name = "a narrowed claim, to another port", .sport = NARROWED, .dport = 10 },
	{ .name = "IP options", .options = { 1, 1, 1, 1, 1, 1, 1, 0 } },
	{ .name = "IP options that look like ports", .options = { CLAIMED >> 8, CLAIMED & 255, 0, FAR_PORT, 1, 1, 1, 0 } },
	{ .name = "a loose source route", .options = { 131, 7, 4, 10, 99, 2, 77, 0 } },
	{ .name = "a strict source route", .options = { 137, 7, 4, 10, 99, 2, 77, 0 } },
	{ .name = "a record of the route", .options = { 7, 7, 4, 0, 0, 0, 0, 0 } },
	{ .name = "a first fragment", .frag = 0x2000 },
	{ .name = "a later fragment", .frag = 0x0003 },
	{ .name = "a fragment in the middle", .frag = 0x2003 },
	{ .name = "UDP", .protocol = 17 },
	{ .name = "ICMP", .protocol = 1 },
	{ .name = "IP in IP", .protocol = 4 },
	{ .name = "IPv6 in IP", .protocol = 41 },
	{ .name = "GRE", .protocol = 47 },
	{ .name = "SCTP", .protocol = 132 },
	{ .name = "ARP", .eth_type = ETH_P_ARP },
	{ .name = "IPv6", .eth_type = ETH_P_IPV6 },
	{ .name = "a packet of 802.3", .eth_type = 1000 },
	{ .name = "a frame of a type unknown", .eth_type = 0x88b5 },
	{ .name = "a VLAN tag", .vlan = ETH_P_8021Q },
	{ .name = "a provider's VLAN tag", .vlan = ETH_P_8021AD },
	{ .name = "a length too short", .length_by = -1 },
	{ .name = "a length too long", .length_by = 1 },
	{ .name = "a length of nothing", .length_by = -104 },
	{ .name = "a length of all", .length_by = 65431 },
};

static const struct forgery far_forgeries[] = {
	{ .name = "loopback's address, to another host", .src = "127.0.0.1", .sport = CLAIMED_ANY },
	{ .name = "multicast", .dst = "224.0.0.1" },
	{ .name = "multicast of a site", .dst = "239.1.2.3" },
	{ .name = "broadcast", .dst = "255.255.255.255" },
	{ .name = "broadcast of the network", .dst = "10.99.2.255" },
	{ .name = "to no address", .dst = "0.0.0.0" },
	{ .name = "to an address of the future", .dst = "240.0.0.1" },
};

/* All of it to that address. */
static void wire_to(const struct bad_client *c, const char *src, const char *dst, const char *first, const char *last)
{
	const struct forgery usual = { .src = src, .dst = dst, .sport = CLAIMED, .dport = FAR_PORT };

	try_own(c, first, &usual);
	for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++)
		try_one(c, &forgeries[i], &usual);
	try_checksums(c, &usual);
	try_lengths(c, &usual);
	try_cut(c, &usual, TCPK_SEGMENTS, "as many packets of one as may be");
	try_cut(c, &usual, TCPK_SEGMENTS + 1, "more packets of one");
	try_headers(c, &usual);
	try_own(c, last, &usual);
}

static void wire(char **argv)
{
	const struct forgery usual = { .src = argv[1], .dst = argv[0], .sport = CLAIMED, .dport = FAR_PORT };
	struct bad_client c = opened();
	uint32_t here = inet_addr(argv[1]);

	if (client_claim(&c, here, CLAIMED) || client_claim(&c, 0, CLAIMED_ANY) || client_claim(&c, here, NARROWED) ||
		client_ask(c.helper, TCPKD_NARROW, here, htons(NARROWED), inet_addr(argv[0]), htons(FAR_PORT)))
		die("claims");
	for (size_t i = 0; i < sizeof far_forgeries / sizeof *far_forgeries; i++)
		try_one(&c, &far_forgeries[i], &usual);
	wire_to(&c, argv[1], argv[0], "own: first, to far", "own: last, to far");
	wire_to(&c, argv[1], argv[2], "own: first, to here", "own: last, to here");
}

/* ---- deaf ---- */

static void deaf(char **argv)
{
	struct bad_client c = opened();
	uint64_t heard = *c.producer;
	char frame[65536];
	ssize_t n;

	if (client_claim(&c, inet_addr(argv[0]), CLAIMED) || client_claim(&c, 0, CLAIMED_ANY))
		die("a claim");
	puts("ready");
	getchar();
	report(__atomic_load_n(c.producer, __ATOMIC_ACQUIRE) == heard, "nothing in the ring that is for another port",
		"%llu bytes", (unsigned long long)(*c.producer - heard));
	n = read(c.tap, frame, sizeof frame);
	report(n < 0 && errno == EAGAIN, "nothing to be read from the TAP", "%zd bytes", n);
	puts("listening");
	report(poll(&(struct pollfd){ .fd = c.ring, .events = POLLIN }, 1, 5000) == 1 && *c.producer > heard,
		"in the ring what is for its own port", "nothing");
}

/* ---- claims ---- */

static void expect(int got, int wanted, const char *what)
{
	report(got == wanted, what, "%s", got < 0 ? strerror(-got) : "granted");
}

static void claims(int argc, char **argv)
{
	static const uint16_t forbidden[] = { 1, 22, 80, 1023, 1024, 6999, 7100, 7101, 65535 };
	struct bad_client c = opened();
	uint32_t here = inet_addr(argv[0]), foreign;
	char what[64];
	int fd;

	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
		snprintf(what, sizeof what, "port %u, which the policy forbids", forbidden[i]);
		expect(client_claim(&c, here, forbidden[i]), -EPERM, what);
	}
	for (int i = 1; i < argc; i++) {
		snprintf(what, sizeof what, "port %s, which the kernel's TCP has", argv[i]);
		expect(client_claim(&c, here, (uint16_t)atoi(argv[i])), -EADDRINUSE, what);
	}
	expect(client_claim(&c, here, 7060), -EADDRINUSE, "a port that another user has");
	expect(client_claim(&c, 0, 7060), -EADDRINUSE, "a port that another user has, of all addresses");
	expect(client_claim(&c, inet_addr("10.99.2.2"), 7010), -EADDRNOTAVAIL, "the address of another host");
	expect(client_claim(&c, inet_addr("224.0.0.1"), 7010), -EADDRNOTAVAIL, "a multicast address");
	expect(client_claim(&c, 0xffffffff, 7010), -EADDRNOTAVAIL, "a broadcast address");
	expect(client_claim(&c, inet_addr("10.99.2.255"), 7010), -EADDRNOTAVAIL, "the network's broadcast address");
	expect(client_ask(c.helper, TCPKD_RELEASE, here, htons(7060), 0, 0), -ENOENT, "to release what another user has");
	expect(client_ask(c.helper, TCPKD_NARROW, here, htons(7060), here, 1), -ENOENT, "to narrow what another user has");
	expect(client_claim(&c, 0, CLAIMED_ANY), 0, "its own port");
	expect(client_ask(c.helper, TCPKD_NARROW, 0, htons(CLAIMED_ANY), here, 0), -EINVAL, "half a remote");
	fd = client_dial();
	report(client_list(fd, &foreign) == 1 && foreign == UINT32_MAX, "it is told of its own claims only",
		"of user %u's as well", foreign);
}

/* ---- table ---- */

static int bpf(enum bpf_cmd command, union bpf_attr *a)
{
	return syscall(SYS_bpf, command, a, sizeof *a) < 0 ? -errno : 0;
}

static void refused(int e, const char *what)
{
	report(e < 0, what, "granted");
}

static void table(char **argv)
{
	static const char *const maps[] = { "claims", "ports", "clients", "rings", "made", "taps", "locals" };
	struct bad_client c = opened();
	uint64_t key = 0, value = 0;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const int fds[] = { c.ring, c.tap };
	char path[256];
	int e = -1;

	for (size_t i = 0; i < 2; i++) {
		union bpf_attr a = { .map_fd = (uint32_t)fds[i], .key = (uintptr_t)&key, .value = (uintptr_t)&value };

		refused(bpf(BPF_MAP_LOOKUP_ELEM, &a), i ? "a look by the TAP" : "a look into the ring's map");
		refused(bpf(BPF_MAP_UPDATE_ELEM, &a), i ? "a change by the TAP" : "a change of the ring's map");
		refused(bpf(BPF_MAP_DELETE_ELEM, &a), i ? "a deletion by the TAP" : "a deletion from the ring's map");
	}
	for (uint32_t id = 1; id < 5000 && e < 0; id++)
		e = bpf(BPF_MAP_GET_FD_BY_ID, &(union bpf_attr){ .map_id = id });
	refused(e, "a map by its number");
	refused(bpf(BPF_MAP_GET_NEXT_ID, &(union bpf_attr){ 0 }), "the maps' numbers");
	refused(bpf(BPF_PROG_GET_NEXT_ID, &(union bpf_attr){ 0 }), "the programs' numbers");
	refused(bpf(BPF_MAP_CREATE, &(union bpf_attr){ .map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4,
		.max_entries = 1 }), "a map of its own");
	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
		snprintf(path, sizeof path, "%s/tcpk_%s", argv[0], maps[i]);
		refused(bpf(BPF_OBJ_GET, &(union bpf_attr){ .pathname = (uintptr_t)path }), path + strlen(argv[0]) + 1);
	}
	report(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, c.ring, (off_t)page) == MAP_FAILED,
		"where the ring is written up to", "may be written");
	report(mprotect((void *)c.producer, page + c.ring_bytes, PROT_READ | PROT_WRITE) != 0, "what is in the ring",
		"may be written");
}

/* ---- the TAP ---- */

static struct ifreq tell_device(const struct bad_client *c)
{
	struct ifreq r = { 0 };

	ioctl(c->tap, TUNGETIFF, &r);
	printf("device %s\n", r.ifr_name);
	return r;
}

static void tap(void)
{
	struct bad_client c = opened();
	int large = 64, one = 1;
	struct ifreq r;

	if (client_claim(&c, 0, CLAIMED))
		die("a claim");
	r = tell_device(&c);
	ioctl(c.tap, TUNSETOWNER, 0);
	ioctl(c.tap, TUNSETVNETHDRSZ, &large);
	ioctl(c.tap, TUNSETOFFLOAD, 0x7f);
	ioctl(c.tap, TUNSETSNDBUF, &one);
	ioctl(c.tap, TUNSETCARRIER, &(int){ 0 });
	ioctl(c.tap, TUNSETCARRIER, &one);
	for (uint8_t i = 0; i < 200; i++) {
		r.ifr_hwaddr.sa_family = 1;
		memcpy(r.ifr_hwaddr.sa_data, (uint8_t[]){ 2, 0, 0, 0, 0, i }, 6);
		ioctl(c.tap, SIOCSIFHWADDR, &r);
	}
	report(!ioctl(c.tap, TUNSETPERSIST, 1), "the TAP is to outlive its owner", "%s", strerror(errno));
	report(ioctl(c.tap, TUNSETQUEUE, &r) < 0, "another queue of the TAP", "granted");
	report(ioctl(c.tap, TUNSETIFF, &r) < 0, "another device by the TAP", "granted");
	report(ioctl(c.tap, SIOCSIFFLAGS, &(struct ifreq){ .ifr_name = "lo" }) < 0, "loopback down", "granted");
	puts("ready");
	pause();
}

static void inject(const char *here, bool persist)
{
	struct bad_client c = opened();
	char line[64];

	if (client_claim(&c, 0, CLAIMED_ANY) || (persist && ioctl(c.tap, TUNSETPERSIST, 1)))
		die("a claim");
	tell_device(&c);
	puts("ready");
	while (fgets(line, sizeof line, stdin)) {
		const struct virtio_net_hdr v = { 0 };
		const struct forgery f = { .name = strtok(line, "\n"), .src = "10.99.2.77", .dst = here, .sport = 53,
			.dport = 9999, .protocol = IPPROTO_UDP, .mac = { 255, 255, 255, 255, 255, 255 } };
		uint8_t frame[FORGE_MAX];
		size_t len = forge(frame, &f, &f);
		uint16_t udp_len = htons((uint16_t)(len - ETH_HLEN - 20));

		memcpy(frame + ETH_HLEN + 24, &udp_len, sizeof udp_len);
		printf("tried %s: %s\n", f.name, put(&c, &v, frame, len) ? "taken" : strerror(errno));
	}
}

static void scribble(char **argv)
{
	struct bad_client c = opened();

	if (client_claim(&c, 0, (uint16_t)atoi(argv[0])))
		die("a claim");
	puts("ready");
	srand(2);
	for (unsigned i = 0;; i++)
		__atomic_store_n(c.consumer, i % 2 ? (uint64_t)rand() << (rand() % 40) : *c.producer - (uint64_t)rand() % 99,
			__ATOMIC_RELEASE);
}

static void hold(char **argv)
{
	struct bad_client c = opened();

	if (client_claim(&c, 0, (uint16_t)atoi(argv[0])))
		die("a claim");
	puts("ready");
	pause();
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	client_path = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "wire") && argc == 6)
		wire(argv + 3);
	else if (!strcmp(what, "deaf") && argc == 4)
		deaf(argv + 3);
	else if (!strcmp(what, "claims") && argc > 3)
		claims(argc - 3, argv + 3);
	else if (!strcmp(what, "table") && argc == 4)
		table(argv + 3);
	else if (!strcmp(what, "tap"))
		tap();
	else if (!strcmp(what, "inject") && (argc == 4 || argc == 5))
		inject(argv[3], argc == 5);
	else if (!strcmp(what, "scribble") && argc == 4)
		scribble(argv + 3);
	else if (!strcmp(what, "hold") && argc == 4)
		hold(argv + 3);
	else
		die("arguments");
	return 0;
}

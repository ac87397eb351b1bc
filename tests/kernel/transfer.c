/* TCPU over TCPK against the kernel's TCP: in another namespace over a wire, on the same host over loopback; client and
 * server; with loss. Every byte is compared, by a digest, and no RST is seen on any device while connections live. */
#include "core/link/tcpk_ways.h"
#include "core/tcpu.h"
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEAR_VETH 0x0a090001u
#define FAR_VETH 0x0a090002u
#define LO 0x7f000001u
#define BYTES (64 << 20)
#define CHUNK (128 << 10)

/* ---- bytes, and what they come to ---- */

struct stream {
	uint64_t state, digest;
};

static uint64_t step(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void digest(struct stream *s, const uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->digest = ((s->digest << 7 | s->digest >> 57) ^ words[i]) * 0x100000001b3;
}

/* A TCP of either kind. */
struct tcp {
	int fd;
	bool kernel;
};

static bool send_all(struct tcp t, struct stream *s, size_t bytes)
{
	static uint64_t words[CHUNK / 8];

	for (size_t done = 0; done < bytes; done += CHUNK) {
		for (size_t i = 0; i < CHUNK / 8; i++)
			words[i] = step(&s->state);
		digest(s, words, CHUNK / 8);
		for (size_t at_ = 0; at_ < CHUNK;) {
			uint8_t *p = (uint8_t *)words + at_;
			ssize_t n = t.kernel ? send(t.fd, p, CHUNK - at_, MSG_NOSIGNAL) :
					       send_tcpu(t.fd, p, CHUNK - at_, 0);

			if (n <= 0)
				return false;
			at_ += (size_t)n;
		}
	}
	return true;
}

static bool recv_all(struct tcp t, struct stream *s, size_t bytes)
{
	static uint64_t words[CHUNK / 8];

	for (size_t done = 0; done < bytes; done += CHUNK) {
		for (size_t at_ = 0; at_ < CHUNK;) {
			uint8_t *p = (uint8_t *)words + at_;
			ssize_t n = t.kernel ? recv(t.fd, p, CHUNK - at_, 0) : recv_tcpu(t.fd, p, CHUNK - at_, 0);

			if (n <= 0)
				return false;
			at_ += (size_t)n;
		}
		digest(s, words, CHUNK / 8);
	}
	return true;
}

static bool at_end(struct tcp t)
{
	char byte;

	return (t.kernel ? recv(t.fd, &byte, 1, 0) : recv_tcpu(t.fd, &byte, 1, 0)) == 0;
}

/* What both ends have to say in the end. */
struct result {
	uint64_t sent, received;
	bool good;
};

/* The first speaks first. */
static struct result exchange(struct tcp t, bool first, size_t bytes)
{
	struct stream out = { .state = first }, in = { 0 };
	struct result r = { 0 };

	r.good = first ? send_all(t, &out, bytes) && recv_all(t, &in, bytes) && at_end(t) :
			 recv_all(t, &in, bytes) && send_all(t, &out, bytes);
	r.sent = out.digest;
	r.received = in.digest;
	return r;
}

/* ---- namespaces, and what is seen there ---- */

static void enter(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/run/netns/%s", name);
	fd = open(path, O_RDONLY);
	MUST(fd >= 0 && !setns(fd, CLONE_NEWNET));
	close(fd);
}

/* A raw socket on all devices that lets only RSTs of TCP through; bound last, since one that is takes all there is
 * until it has its filter. */
static int watch_resets(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 4),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_RST, 0, 1), BPF_STMT(BPF_RET | BPF_K, 64),
		BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { sizeof code / sizeof *code, code };
	struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	MUST(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
	MUST(!bind(fd, (struct sockaddr *)&all, sizeof all));
	return fd;
}

static unsigned resets_seen(int fd)
{
	uint8_t packet[64];
	unsigned n = 0;

	while (recv(fd, packet, sizeof packet, 0) > 0)
		n++;
	return n;
}

/* ---- the kernel's end ---- */

/* A process with a socket of the kernel's TCP: listens where `listener` is one, else connects. Its result comes by the
 * pipe. */
static pid_t kernel_end(const char *netns, int listener, uint32_t ip, uint16_t port, bool first, size_t bytes,
	int *from)
{
	int ends[2];
	pid_t pid;

	MUST(!pipe(ends));
	pid = fork();
	if (pid) {
		close(ends[1]);
		*from = ends[0];
		return pid;
	}
	struct result r = { 0 };
	struct tcp t = { .kernel = true };

	if (netns)
		enter(netns);
	if (listener >= 0) {
		t.fd = accept(listener, NULL, NULL);
	} else {
		t.fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect_at(t.fd, ip, port))
			_exit(1);
	}
	r = exchange(t, first, bytes);
	close(t.fd);
	_exit(write(ends[1], &r, sizeof r) != sizeof r);
}

static struct result result_of(pid_t pid, int from)
{
	struct result r = { 0 };
	int status;

	if (read(from, &r, sizeof r) != sizeof r)
		r.good = false;
	close(from);
	waitpid(pid, &status, 0);
	return r;
}

static int listen_at(uint32_t ip, uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(!bind_at(fd, ip, port) && !listen(fd, 5));
	return fd;
}

/* ---- TCPU's end ---- */

static struct tcpu_stack *k;
static struct link *l;

static void stack_open(bool plain)
{
	struct link_tcpk_config config = { .plain = plain };

	MUST(!tcpk_module_open(&config, &l));
	MUST(!stack_tcpu(&(struct tcpu_stack_config){ .link = l, .engine = { .msl_us = 100000 } }, &k));
}

static void stack_end(void)
{
	int e = -1;

	for (int i = 0; i < 300 && (e = stack_close_tcpu(k)) && errno == EBUSY; i++) {
		stack_turn_tcpu(k);
		usleep(10000);
	}
	OK(!e, "the stack ends");
}

struct scene {
	const char *name, *netns;
	uint32_t tcpu_ip, kernel_ip;
	bool client, plain;
	size_t bytes;
	bool all; /* the server has all addresses */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check_results(const struct scene *s, struct result mine, struct result theirs, double seconds)
{
	struct link_tcpk_stats st = tcpk_module_stats(l);

	OK(mine.good, "%s: TCPU sends and receives %zu MiB each way to the end", s->name, s->bytes >> 20);
	OK(theirs.good, "%s: so does the kernel's TCP", s->name);
	OK(mine.sent == theirs.received, "%s: what TCPU sent has arrived", s->name);
	OK(theirs.sent == mine.received, "%s: and what the kernel sent", s->name);
	printf("# %s: %.1f s; %llu segments in %llu packets out, %llu in, %llu of them vouched for, dropped %llu, refused "
	       "%llu, errors %llu, malformed %llu\n", s->name, seconds, (unsigned long long)st.segments_out,
		(unsigned long long)st.packets_out, (unsigned long long)st.segments_in, (unsigned long long)st.vouched_in,
		(unsigned long long)st.dropped_in, (unsigned long long)st.refused_out, (unsigned long long)st.errors_in,
		(unsigned long long)st.malformed);
	OK(st.malformed == 0 && st.refused_out == 0, "%s: nothing was refused", s->name);
	OK(st.dropped_in == 0, "%s: what the window lets in has room", s->name);
}

static void play(const struct scene *s)
{
	static uint16_t port = 7100; /* each its own: the kernel's TCP may sit in TIME-WAIT on the last one */
	struct sockaddr_in where = at(s->client ? s->kernel_ip : s->tcpu_ip, ++port);
	struct tcp t = { 0 };
	struct result mine;
	double began = now();
	int watch = watch_resets(), from, fd;
	pid_t pid;

	stack_open(s->plain);
	fd = stack_socket_tcpu(k, SOCK_STREAM);
	if (s->client) {
		int home = open("/proc/self/ns/net", O_RDONLY), listener;

		if (s->netns)
			enter(s->netns);
		listener = listen_at(s->kernel_ip, port);
		MUST(!setns(home, CLONE_NEWNET));
		close(home);
		pid = kernel_end(NULL, listener, 0, 0, false, s->bytes, &from);
		close(listener);
		MUST(OK(!connect_tcpu(fd, &where, sizeof where), "%s: connect", s->name));
		t.fd = fd;
	} else {
		if (s->all)
			where.sin_addr.s_addr = INADDR_ANY;
		MUST(OK(!bind_tcpu(fd, &where, sizeof where) && !listen_tcpu(fd, 5), "%s: listen", s->name));
		pid = kernel_end(s->netns, -1, s->tcpu_ip, port, true, s->bytes, &from);
		t.fd = accept_tcpu(fd, NULL, NULL);
		OK(t.fd >= 0, "%s: accept", s->name);
	}
	mine = exchange(t, s->client, s->bytes);
	/* A server closes first here: it is the one to wait. */
	OK(!close_tcpu(t.fd), "%s: close", s->name);
	if (!s->client)
		close_tcpu(fd);
	check_results(s, mine, result_of(pid, from), now() - began);
	OK(resets_seen(watch) == 0, "%s: a capture shows no RST", s->name);
	close(watch);
	stack_end();
}

/* The kernel's TCP, on the same host and at the same time, with itself. */
static pid_t bystander(int *from, pid_t *other, int *other_from)
{
	int listener = listen_at(LO, 7200);

	*other = kernel_end(NULL, listener, 0, 0, false, BYTES, other_from);
	close(listener);
	return kernel_end(NULL, -1, LO, 7200, true, BYTES, from);
}

int main(void)
{
	const struct scene scenes[] = {
		{ "client over a wire", "far", NEAR_VETH, FAR_VETH, true, false, BYTES, false },
		{ "server over a wire", "far", NEAR_VETH, FAR_VETH, false, false, BYTES, false },
		{ "server on all addresses", "far", NEAR_VETH, FAR_VETH, false, false, 1 << 20, true },
		{ "packet by packet", "far", NEAR_VETH, FAR_VETH, true, true, 8 << 20, false },
		{ "client on the same host", NULL, LO, LO, true, false, BYTES, false },
		{ "server on the same host", NULL, LO, LO, false, false, BYTES, false },
	};
	struct scene lossy[] = {
		{ "client, 1 % lost", "far", NEAR_VETH, FAR_VETH, true, false, BYTES, false },
		{ "server, 1 % lost", "far", NEAR_VETH, FAR_VETH, false, false, BYTES, false },
	};
	struct result a, b;
	int from, other_from;
	pid_t pid, other;
	bool brief = getenv("BRIEF"); /* a slow kernel */

	signal(SIGPIPE, SIG_IGN);
	pid = bystander(&from, &other, &other_from);
	for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
		struct scene s = scenes[i];

		s.bytes = brief && s.bytes > 4 << 20 ? 4 << 20 : s.bytes;
		play(&s);
	}
	a = result_of(pid, from);
	b = result_of(other, other_from);
	OK(a.good && b.good && a.sent == b.received && b.sent == a.received,
		"the kernel's TCP was busy with itself meanwhile, and unharmed");
	MUST(!system("iproute netns exec far /usr/sbin/nft -f /tests/loss.nft"));
	for (size_t i = 0; i < sizeof lossy / sizeof *lossy; i++) {
		lossy[i].bytes = brief ? 4 << 20 : BYTES;
		play(&lossy[i]);
	}
	MUST(!system("iproute netns exec far /usr/sbin/nft delete table ip loss"));
	return tap_end();
}

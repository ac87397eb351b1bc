/* What the ways of TCPK's BPF form cost: a packet into a ring, a packet out by a TAP, a round trip of two clients that
 * spin. With --bench they are measured; without, it is seen that they work as they are measured. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <give.skel.h>
#include <linux/ip.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <take.skel.h>
#include <unistd.h>

#define PORT 5000 /* and the next, of the other client */
#define RING (8 << 20)
#define NO_WAKEUP 1

static struct take *t;
static struct give *g;
static struct ring rings[2];
static int taps[2], near, far;
static unsigned scale = 1; /* of how many packets */

struct cost {
	double whole, program; /* ns a packet: of the write to the TAP; of that in the BPF program */
};

static struct cost cost_of(int device, const struct bpf_program *program, const struct segment *s, unsigned n)
{
	static uint8_t frame[FRAME_MAX];
	size_t len = make_frame(frame, s), got;
	struct bpf_prog_info a = { 0 }, b = { 0 };
	uint32_t size = sizeof a;
	uint64_t from, to = 0;

	bpf_obj_get_info_by_fd(bpf_program__fd(program), &a, &size);
	for (unsigned i = 0; i < n;) {
		from = now_ns();
		for (unsigned j = 0; j < 64 && i < n; i++, j++)
			if (write(device, frame, len) != (ssize_t)len)
				give_up("write");
		to += now_ns() - from;
		for (int r = 0; r < 2; r++)
			while (ring_next(&rings[r], &got))
				ring_done(&rings[r]);
	}
	bpf_obj_get_info_by_fd(bpf_program__fd(program), &b, &size);
	return (struct cost){ (double)to / n, (double)(b.run_time_ns - a.run_time_ns) / (double)(b.run_cnt - a.run_cnt) };
}

static void input(void)
{
	static const size_t sizes[] = { 64, 1500, 65535 };
	struct cost one = { 0 };

	t->bss->verdict = 2;
	t->bss->wakeup = NO_WAKEUP;
	attach("tap0", BPF_TC_INGRESS, t->progs.take);
	for (int i = 0; i < 3; i++) {
		struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = PORT, .len = sizes[i] - 40,
			.gso = sizes[i] > 1500 ? 1460 : 0 };
		uint64_t before = t->bss->seen[0].taken;
		struct cost c = cost_of(taps[0], t->progs.take, &s, 100 * scale);

		if (!i)
			one = c;
		check(t->bss->seen[0].taken - before == 100 * scale, "all packets of %zu bytes are in the ring", sizes[i]);
		printf("into the ring, %5zu bytes: program %6.0f ns (%.1f), with the write to a TAP %6.0f ns\n", sizes[i],
			c.program, c.program / one.program, c.whole);
	}
	detach("tap0", BPF_TC_INGRESS);
}

static void output(void)
{
	struct segment s = { .src = NEAR, .dst = FAR, .sport = 9, .dport = PORT, .len = 24 };
	struct cost none, out, home;
	uint64_t before;

	attach("tap0", BPF_TC_INGRESS, g->progs.give);
	g->bss->source = 0;
	none = cost_of(taps[0], g->progs.give, &s, 100 * scale);
	g->bss->source = htonl(NEAR);
	enter(far);
	attach("wire", BPF_TC_INGRESS, t->progs.take);
	before = t->bss->seen[0].packets;
	out = cost_of(taps[0], g->progs.give, &s, 100 * scale);
	check(await(t->bss->seen[0].packets - before == 100 * scale), "all packets went out");
	detach("wire", BPF_TC_INGRESS);
	enter(near);
	before = t->bss->seen[0].taken;
	attach("lo", BPF_TC_INGRESS, t->progs.take);
	s.dst = NEAR;
	home = cost_of(taps[0], g->progs.give, &s, 100 * scale);
	check(await(t->bss->seen[0].taken - before == 100 * scale), "all packets came by loopback");
	printf("out, 64 bytes: refused %4.0f ns, by route and veth %4.0f ns, by loopback to a ring %4.0f ns; "
		"program %3.0f, %3.0f, %3.0f ns\n", none.whole, out.whole, home.whole, none.program, out.program, home.program);
}

/* ---- round trips ---- */

enum waking { ADAPTIVE, NEVER, LATE };

/* Some seconds, and no look at a clock. */
#define TRIES (1U << 30)

static void spin(struct ring *r)
{
	unsigned tries = 0;
	size_t len;

	while (!ring_next(r, &len))
		if (++tries == TRIES)
			give_up("no packet has come");
	ring_done(r);
}

static double trip_of_clients(enum waking waking, unsigned n)
{
	static uint8_t frame[FRAME_MAX];
	struct segment s = { .src = NEAR, .dst = NEAR, .sport = 9, .len = 1 };
	uint64_t from;
	pid_t pid;
	size_t len;

	t->bss->wakeup = waking == NEVER ? NO_WAKEUP : 0;
	rings[0].spins = rings[1].spins = waking == LATE;
	pid = fork();
	s.dport = pid ? PORT + 1 : PORT;
	len = make_frame(frame, &s);
	for (unsigned i = 0; !pid && i < n; i++) {
		spin(&rings[1]);
		if (write(taps[1], frame, len) < 0)
			break;
	}
	if (!pid)
		_exit(0);
	from = now_ns();
	for (unsigned i = 0; i < n; i++) {
		if (write(taps[0], frame, len) < 0)
			give_up("write");
		spin(&rings[0]);
	}
	from = now_ns() - from;
	waitpid(pid, NULL, 0);
	for (int r = 0; r < 2; r++)
		rings[r].at = *rings[r].produced;
	return (double)from / n;
}

static void turn(int fd, bool first, unsigned n)
{
	unsigned tries = 0;
	char byte = 0;

	for (unsigned i = 0; i < n; i++) {
		if (first && write(fd, &byte, 1) != 1)
			return;
		while (read(fd, &byte, 1) != 1)
			if (++tries == TRIES / 100)
				give_up("no byte has come");
		if (!first && write(fd, &byte, 1) != 1)
			return;
	}
}

static double trip_of_kernel(unsigned n)
{
	int listener = listen_at(NEAR, 7000), fds[2] = { connect_to(NEAR, 7000) }, one = 1;
	uint64_t from;
	pid_t pid;

	fds[1] = take_connection(listener);
	for (int i = 0; i < 2; i++) {
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	}
	pid = fork();
	if (!pid) {
		turn(fds[1], false, n);
		_exit(0);
	}
	from = now_ns();
	turn(fds[0], true, n);
	from = now_ns() - from;
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	close(listener);
	return (double)from / n;
}

static int by_size(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void round_trips(void)
{
	static const char *names[] = { "adaptive wake-up", "no wake-up", "released late", "kernel's TCP" };
	unsigned rounds = scale > 1 ? 9 : 1;
	double all[4][9];

	for (unsigned i = 0; i < rounds; i++)
		for (unsigned w = 0; w < 4; w++)
			all[w][i] = w < 3 ? trip_of_clients(w, 20 * scale) : trip_of_kernel(20 * scale);
	check(t->bss->seen[1].full == 0, "no packet of a round trip was lost");
	for (unsigned w = 4; w-- > 0;) {
		qsort(all[w], rounds, sizeof **all, by_size);
		printf("round trip over loopback, spinning, %-16s: median %6.0f ns, best %6.0f; %.2f of the kernel's TCP\n", names[w],
			all[w][rounds / 2], all[w][0], all[w][rounds / 2] / all[3][rounds / 2]);
	}
}

int main(int argc, char **argv)
{
	int stats;

	if (argc > 1 && !strcmp(argv[1], "--bench"))
		scale = 1000;
	need_platform();
	near = space();
	far = space();
	cable(near, far);
	t = take__open_and_load();
	g = give__open_and_load();
	if (!t || !g)
		give_up("the programs");
	for (uint32_t slot = 0; slot < 2; slot++) {
		int fd = make_ring(RING);

		taps[slot] = tap(slot ? "tap1" : "tap0");
		t->bss->ports[slot] = (uint16_t)(PORT + slot);
		if (!map_ring(&rings[slot], fd, RING) ||
			bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, &fd, sizeof fd, 0))
			give_up("a ring");
	}
	g->bss->input = index_of("tap0");
	if (set_ipv4("tap0", IPV4_DEVCONF_FORWARDING, 1))
		give_up("forwarding");
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	input();
	output();
	close(stats);
	attach("tap1", BPF_TC_INGRESS, g->progs.give);
	round_trips();
	return conclude();
}

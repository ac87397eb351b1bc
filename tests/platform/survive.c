/* What a helper has loaded goes on when the helper is killed; its successor finds it again, by pins or by the filter's
 * program; and which capabilities each of these needs. */
#include "tests/platform/probe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <take.skel.h>
#include <unistd.h>

#define PORT 4000
#define RING (1 << 20)
#define CAP(name) (1ULL << CAP_##name)

static int device;

static void keep_only(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(capabilities >> 32 * i), data[i].inheritable = 0;
	if (syscall(SYS_capset, &header, data))
		give_up("capset");
}

/* Runs it in a process with these capabilities and no other; true if it returned true. */
static bool with(uint64_t capabilities, bool (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		keep_only(capabilities);
		_exit(!f());
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* The helper: loads, attaches, pins, tells that it is done, and hangs. */
static int pair[2];

static bool helper(void)
{
	struct take *t = take__open_and_load();
	uint32_t slot = 0;
	int ring = make_ring(RING);

	if (!t || bpf_map__update_elem(t->maps.rings, &slot, sizeof slot, &ring, sizeof ring, 0))
		give_up("the program with its ring");
	t->bss->ports[0] = PORT;
	t->bss->verdict = 2;
	attach("tap0", BPF_TC_INGRESS, t->progs.take);
	if (bpf_map__pin(t->maps.rings, PINS "/rings") || bpf_obj_pin(ring, PINS "/ring"))
		give_up("pins");
	if (write(pair[1], "", 1) == 1)
		pause();
	return false;
}

/* The number of the program that the device's filter runs. */
static uint32_t filter(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)index_of("tap0"), .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);

	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}

static bool opens_by_number(void)
{
	uint32_t ids[8] = { 0 }, slot = 0, id = 0;
	struct bpf_prog_info info = { .nr_map_ids = 8, .map_ids = (uintptr_t)ids };
	struct bpf_map_info map;
	uint32_t len = sizeof info, map_len;
	int program = bpf_prog_get_fd_by_id(filter()), fd = -1;

	if (program < 0 || bpf_obj_get_info_by_fd(program, &info, &len))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids; i++) {
		fd = bpf_map_get_fd_by_id(ids[i]);
		map_len = sizeof map;
		memset(&map, 0, sizeof map);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &map, &map_len) && !strcmp(map.name, "rings"))
			break;
	}
	/* What is in an array of maps is told by number, too. */
	return !strcmp(map.name, "rings") && !bpf_map_lookup_elem(fd, &slot, &id) && bpf_map_get_fd_by_id(id) >= 0;
}

static bool sees_number(void)
{
	return filter() != 0 && bpf_prog_get_fd_by_id(filter()) == -EPERM;
}

/* A successor takes the table by its pin, and gives the second slot another ring. */
static bool opens_pin(void)
{
	int rings = bpf_obj_get(PINS "/rings"), ring = make_ring(RING);
	uint32_t slot = 1;

	return rings >= 0 && !bpf_map_update_elem(rings, &slot, &ring, 0);
}

static bool loads(void)
{
	libbpf_set_print(NULL);
	return take__open_and_load();
}

static bool attaches(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)index_of("lo"), .attach_point = BPF_TC_INGRESS);

	libbpf_set_print(NULL);
	return !bpf_tc_hook_create(&hook);
}

static bool comes(struct ring *r, uint32_t seq)
{
	struct segment s = { .src = FAR, .dst = NEAR, .sport = 9, .dport = PORT, .seq = seq, .len = 20000, .gso = 1460 };
	const struct take_record *record;
	size_t len;
	bool right;

	send_frame(device, &s);
	record = ring_next(r, &len);
	right = record && len == sizeof *record + 20040 && ((const uint8_t *)(record + 1))[40] == data_at(seq);
	if (record)
		ring_done(r);
	return right;
}

static void capabilities(void)
{
	check(with(CAP(BPF) | CAP(NET_ADMIN) | CAP(PERFMON), loads), "a program is loaded with three capabilities");
	check(!with(CAP(BPF) | CAP(NET_ADMIN), loads), "which reads kernel memory: not without CAP_PERFMON");
	check(!with(CAP(BPF) | CAP(PERFMON), loads), "is of the network: not without CAP_NET_ADMIN");
	check(!with(CAP(NET_ADMIN) | CAP(PERFMON), loads), "has maps: not without CAP_BPF");
	check(!with(CAP(BPF) | CAP(PERFMON), attaches), "a hook: not without CAP_NET_ADMIN");
	check(with(CAP(NET_ADMIN), attaches), "but with nothing else");
	check(with(CAP(BPF) | CAP(NET_ADMIN), sees_number), "a program's number is seen, but not opened");
	check(!with(CAP(BPF) | CAP(NET_ADMIN) | CAP(PERFMON), opens_by_number), "program and maps by number: not so");
	check(with(CAP(SYS_ADMIN), opens_by_number), "but with CAP_SYS_ADMIN, from program to maps to ring");
	check(with(CAP(BPF), opens_pin), "the table by its pin, with CAP_BPF");
}

int main(void)
{
	struct ring ring;
	pid_t pid;
	char byte;
	int fd;

	need_platform();
	space();
	mount_pins();
	device = tap("tap0");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || (pid = fork()) < 0)
		give_up("a process");
	if (!pid)
		_exit(!helper());
	close(pair[1]);
	if (read(pair[0], &byte, 1) != 1 || (fd = bpf_obj_get(PINS "/ring")) < 0 || !map_ring(&ring, fd, RING) ||
		unlink(PINS "/ring"))
		give_up("the helper");
	check(comes(&ring, 1), "a packet comes");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(comes(&ring, 2), "another, when the helper is dead");
	capabilities();
	close(fd);
	check(comes(&ring, 3), "and another, by the mapping alone");
	check(!unlink(PINS "/rings") && filter(), "the pin goes, the filter stays");
	check(comes(&ring, 4), "and holds the table");
	detach("tap0", BPF_TC_INGRESS);
	check(!comes(&ring, 5), "until it goes");
	return conclude();
}

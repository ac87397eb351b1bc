#include "tests/platform/probe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534

/* ---- the count ---- */

static struct {
	int passed, failed;
} *count; /* shared with the processes that as_nobody makes */

static void open_count(void)
{
	if (!count)
		count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (count == MAP_FAILED)
		abort();
}

void check(bool ok, const char *what, ...)
{
	va_list args;

	open_count();
	if (ok) {
		count->passed++;
		return;
	}
	count->failed++;
	va_start(args, what);
	printf("FAILED: ");
	vprintf(what, args);
	puts("");
	va_end(args);
	fflush(stdout);
}

int conclude(void)
{
	open_count();
	printf("%d passed, %d failed\n", count->passed, count->failed);
	return count->failed != 0;
}

void give_up(const char *what)
{
	check(false, "%s: %s", what, strerror(errno));
	exit(conclude());
}

static void skip(const char *what)
{
	printf("skipped, because network namespaces with TAP devices and BPF need root and more: %s: %s\n", what,
		strerror(errno));
	puts("1 passed, 0 failed");
	exit(0);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

void need_platform(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, none);
	struct ifreq r = { .ifr_name = "try", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	/* A device belongs to the namespace in which it was opened. */
	if (here < 0 || unshare(CLONE_NEWNET))
		skip("a network namespace");
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		skip("a TAP device");
	close(fd);
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, 4096, &none);
	if (fd < 0)
		skip("a BPF map");
	close(fd);
	enter(here);
	close(here);
	libbpf_set_print(quiet);
	/* What a probe leaves must not hold up who reads its output, nor outlive it. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- namespaces and devices ---- */

int space(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) || (fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) < 0)
		give_up("a network namespace");
	run("ip link set lo up");
	return fd;
}

void enter(int space)
{
	if (setns(space, CLONE_NEWNET))
		give_up("setns");
}

static int shell(const char *command, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof line, command, args);
	return system(line); /* NOLINT(cert-env33-c): words of our own */
}

void run(const char *command, ...)
{
	va_list args;
	int status;

	va_start(args, command);
	status = shell(command, args);
	va_end(args);
	errno = ECANCELED;
	if (status)
		give_up(command);
}

bool try_run(const char *command, ...)
{
	va_list args;
	int status;

	va_start(args, command);
	status = shell(command, args);
	va_end(args);
	return !status;
}

void mount_pins(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("bpf", PINS, "bpf", 0, "mode=0700"))
		give_up("a file system for pins");
}

void cable(int near, int far)
{
	enter(near);
	run("ip link add wire type veth peer name wire netns /proc/%d/fd/%d", getpid(), far);
	run("ip addr add 10.99.1.1/24 dev wire && ip link set wire up");
	enter(far);
	run("ip addr add 10.99.1.2/24 dev wire && ip link set wire up");
	enter(near);
}

int tap(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	strncpy(r.ifr_name, name, sizeof r.ifr_name - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN))
		give_up("a TAP device");
	run("ip link set %s up", name);
	return fd;
}

unsigned index_of(const char *device)
{
	unsigned i = if_nametoindex(device);

	if (!i)
		give_up(device);
	return i;
}

void attach(const char *device, enum bpf_tc_attach_point where, const struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)index_of(device), .attach_point = where);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(program), .handle = 1, .priority = 1);
	int e;

	libbpf_set_print(NULL); /* it would complain of a hook that is there */
	e = bpf_tc_hook_create(&hook);
	libbpf_set_print(quiet);
	if ((e && e != -EEXIST) || (e = bpf_tc_attach(&hook, &opts))) {
		errno = -e;
		give_up("a tc filter");
	}
}

void detach(const char *device, enum bpf_tc_attach_point where)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)index_of(device), .attach_point = where);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);
	int e = bpf_tc_detach(&hook, &opts);

	errno = -e;
	if (e)
		give_up("to detach a tc filter");
}

/* ---- processes ---- */

static void pass(int socket, const int *fds, size_t n)
{
	union {
		struct cmsghdr h;
		uint8_t room[CMSG_SPACE(16 * sizeof *fds)];
	} c = { .h = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof *fds) } };
	struct iovec byte = { "", 1 };
	struct msghdr m = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &c,
		.msg_controllen = CMSG_SPACE(n * sizeof *fds) };

	memcpy(CMSG_DATA(&c.h), fds, n * sizeof *fds);
	if (sendmsg(socket, &m, 0) != 1)
		give_up("SCM_RIGHTS");
}

static void receive(int socket, int *fds, size_t n)
{
	union {
		struct cmsghdr h;
		uint8_t room[CMSG_SPACE(16 * sizeof *fds)];
	} c;
	char b;
	struct iovec byte = { &b, 1 };
	struct msghdr m = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };

	if (recvmsg(socket, &m, 0) != 1 || c.h.cmsg_len != CMSG_LEN(n * sizeof *fds))
		give_up("to receive descriptors");
	memcpy(fds, CMSG_DATA(&c.h), n * sizeof *fds);
}

static _Noreturn void be_nobody(bool (*f)(const int *fds), int socket, size_t n)
{
	int fds[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY) ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		give_up("to become nobody");
	if (dup2(socket, 3) != 3 || close_range(4, ~0U, 0))
		give_up("to close descriptors");
	receive(3, fds, n);
	_exit(!f(fds));
}

pid_t start_nobody(bool (*f)(const int *fds), const int *fds, int n)
{
	int pair[2];
	pid_t pid;

	open_count();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || (pid = fork()) < 0)
		give_up("a process");
	if (!pid)
		be_nobody(f, pair[1], (size_t)n);
	pass(pair[0], fds, (size_t)n);
	close(pair[0]);
	close(pair[1]);
	return pid;
}

bool as_nobody(bool (*f)(const int *fds), const int *fds, int n)
{
	pid_t pid = start_nobody(f, fds, n);
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

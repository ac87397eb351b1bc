/* What tcpkd gives up: capabilities, the way to new ones, and system calls. In children, since nothing brings it
 * back. */
#include "kernel/tcpkd/confine.h"
#include "tests/run.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The number of a line of /proc/self/status. */
static uint64_t status(const char *name, int base)
{
	char line[256];
	uint64_t n = UINT64_MAX;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			n = strtoull(line + strlen(name) + 1, NULL, base);
	if (f)
		fclose(f);
	return n;
}

/* In a child; what it returns, or 100 and a signal. */
static int child(int (*body)(void))
{
	pid_t pid = fork();
	int how;

	if (!pid)
		_exit(body());
	ck_assert_int_eq(waitpid(pid, &how, 0), pid);
	return WIFEXITED(how) ? WEXITSTATUS(how) : 100 + WTERMSIG(how);
}

#define BIT(capability) (UINT64_C(1) << (capability))
#define BELOW (BIT(CAP_BPF) | BIT(CAP_NET_ADMIN))

static bool has_only(uint64_t caps)
{
	return status("CapEff", 16) == caps && status("CapPrm", 16) == caps && status("CapInh", 16) == 0 &&
		status("CapAmb", 16) == 0 && status("CapBnd", 16) == 0 && status("NoNewPrivs", 10) == 1;
}

static int with_privileged_ports(void)
{
	return confine_capabilities(true) || !has_only(BELOW | BIT(CAP_NET_BIND_SERVICE));
}

static int without_privileged_ports(void)
{
	return confine_capabilities(false) || !has_only(BELOW);
}

static int with_none(void)
{
	uint64_t bounds = status("CapBnd", 16);

	if (setresgid(4711, 4711, 4711) || setresuid(4711, 4711, 4711))
		return 2;
	return confine_capabilities(true) || status("CapEff", 16) || status("CapPrm", 16) ||
		status("CapBnd", 16) != bounds || status("NoNewPrivs", 10) != 1;
}

START_TEST(capabilities)
{
	const uint64_t wanted = BELOW | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETPCAP) | BIT(CAP_SETUID) | BIT(CAP_SETGID);

	if ((status("CapEff", 16) & wanted) != wanted) {
		printf("skipped, because capabilities are root's to give up\n");
		return;
	}
	ck_assert_int_eq(child(with_privileged_ports), 0);
	ck_assert_int_eq(child(without_privileged_ports), 0);
	ck_assert_int_eq(child(with_none), 0);
}
END_TEST

/* Which of these was not denied; 0: all were. */
static int denied(void)
{
	static char *const arguments[] = { "true", NULL };

	errno = 0;
	if (execv("/bin/true", arguments) != -1 || errno != EPERM)
		return 1;
	if (fork() != -1 || errno != EPERM)
		return 2;
	errno = 0;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != -1 || errno != EPERM)
		return 3;
	errno = 0;
	if (setresuid(0, 0, 0) != -1 || errno != EPERM)
		return 4;
	errno = 0;
	if (kill(getpid(), 0) != -1 || errno != EPERM)
		return 5;
	errno = 0;
	if (chmod("/", 0755) != -1 || errno != EPERM)
		return 6;
	errno = 0;
	if (connect(0, NULL, 0) != -1 || errno != EPERM)
		return 7;
	errno = 0;
	if (syscall(SYS_getppid) != -1 || errno != EPERM)
		return 8;
	return 0;
}

static void *nothing(void *given)
{
	return given;
}

static int filtered(void)
{
	struct rlimit most;
	pthread_t thread;
	void *got = NULL;
	int fd;

	if (confine_capabilities(false) || confine_calls())
		return 20;
	if (status("Seccomp", 10) != 2)
		return 21;
	/* What a turn needs. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || close(fd) || getpid() <= 0)
		return 22;
	if (pthread_create(&thread, NULL, nothing, &fd) || pthread_join(thread, &got) || got != &fd)
		return 23;
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return 24;
	if (getrlimit(RLIMIT_NOFILE, &most) || setrlimit(RLIMIT_NOFILE, &most) != -1 || errno != EPERM)
		return 25;
	return denied();
}

START_TEST(calls)
{
	ck_assert_int_eq(child(filtered), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcpkd_confine");
	TCase *tc = tcase_create("tcpkd_confine");

	tcase_add_test(tc, capabilities);
	tcase_add_test(tc, calls);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

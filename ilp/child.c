/* Runs a program for ilp_load(), and waits for it, so that the process around it does not notice.
 *
 * A child of fork or posix_spawn is the process's: a program that ignores SIGCHLD, or whose event loop waits for any
 * child, takes its status away. One of clone(2) without a signal is seen by nobody but who asks for it by number
 * (__WALL). As with posix_spawn it shares our memory until it is another program (CLONE_VFORK), so that a large process
 * costs no more than a small one; and unlike there, its limits hold before its first instruction. */
#include "ilp/loading.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (64 << 10)
#define MEMORY_MAX ((rlim_t)4 << 30)
#define FILE_SIZE_MAX ((rlim_t)256 << 20)

struct child {
	char *const *argv, *const *environment;
	int folder, output, null;
	unsigned seconds;
	volatile int error; /* what execve said */
};

static void limit(__rlimit_resource_t what, rlim_t value)
{
	struct rlimit l;

	if (getrlimit(what, &l) != 0)
		return;
	if (l.rlim_max == RLIM_INFINITY || l.rlim_max > value)
		l.rlim_max = value;
	l.rlim_cur = l.rlim_max;
	setrlimit(what, &l);
}

/* In our memory, on a stack of its own; all signals are blocked. Returns only when it could not become the program. */
__attribute__((no_sanitize_address)) static int become(void *arg)
{
	struct child *c = arg;
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* A handler must not run here, and what we ignore is not for it to ignore. */
	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, c->seconds);
	limit(RLIMIT_FSIZE, FILE_SIZE_MAX);
	if (sizeof(void *) > 4)
		limit(RLIMIT_AS, MEMORY_MAX);
	if (dup2(c->null, 0) == 0 && dup2(c->output, 1) == 1 && dup2(c->output, 2) == 2 && fchdir(c->folder) == 0) {
		close_range(3, ~0U, 0);
		execve(c->argv[0], c->argv, c->environment);
	}
	c->error = errno;
	return 127;
}

/* Starts it. Returns its number, and a descriptor that is readable when it has ended. */
static pid_t start(struct child *c, int *pidfd)
{
	uint8_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, before;
	int cancelling;
	pid_t pid;

	if (stack == MAP_FAILED)
		return -errno;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone(become, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_PIDFD, c, pidfd);
	if (pid < 0)
		pid = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setcancelstate(cancelling, NULL);
	munmap(stack, STACK_BYTES);
	return pid;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes what is there to read; false at its end. What does not fit is thrown away. */
static bool drain(int fd, char *said, size_t size, size_t *len)
{
	char room[4096];
	ssize_t n;

	while ((n = read(fd, room, sizeof room)) > 0) {
		size_t fits = (size_t)n < size - 1 - *len ? (size_t)n : size - 1 - *len;

		memcpy(said + *len, room, fits);
		*len += fits;
		said[*len] = 0;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Until it has ended, or time is up. Its output may stay open longer, in the hands of its children: nobody waits. */
static int watch(int pidfd, int output, unsigned seconds, char *said, size_t size)
{
	struct pollfd fds[2] = { { .fd = pidfd, .events = POLLIN }, { .fd = output, .events = POLLIN } };
	int64_t end = now_ms() + (int64_t)seconds * 1000;
	size_t len = 0;

	said[0] = 0;
	for (;;) {
		int64_t left = end - now_ms();

		if (left <= 0)
			return -ETIMEDOUT;
		int n = poll(fds, 2, left < 1000000 ? (int)left : 1000000);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		if (fds[1].revents && !drain(output, said, size, &len))
			fds[1].fd = -1;
		if (fds[0].revents) {
			if (fds[1].fd >= 0)
				drain(output, said, size, &len);
			return 0;
		}
	}
}

/* A descriptor beyond the first three, which a child has other uses for; closes the one that was given. */
static int beyond(int fd)
{
	int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3), error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return moved;
}

static int run(struct child *c, int input, char *said, size_t size)
{
	int pidfd = -1, status = 0, error;
	pid_t pid = start(c, &pidfd);

	/* The other end of its output is the child's alone. */
	close(c->output);
	c->output = -1;
	if (pid < 0)
		return pid;
	error = watch(pidfd, input, c->seconds, said, size);
	if (error) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	close(pidfd);
	if (!error && c->error)
		error = -c->error;
	return error ? error : status;
}

int ilp_child(char *const argv[], char *const environment[], int folder, unsigned seconds, char *said, size_t size)
{
	struct child c = { .argv = argv, .environment = environment, .folder = -1, .seconds = seconds };
	int ends[2] = { -1, -1 }, input = -1, status;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	input = beyond(ends[0]);
	status = input < 0 ? -errno : 0;
	c.output = beyond(ends[1]);
	status = c.output < 0 && !status ? -errno : status;
	c.folder = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	status = c.folder < 0 && !status ? -errno : status;
	c.null = beyond(open("/dev/null", O_RDWR | O_CLOEXEC));
	status = c.null < 0 && !status ? -errno : status;
	if (!status && fcntl(input, F_SETFL, O_NONBLOCK) != 0)
		status = -errno;
	if (!status)
		status = run(&c, input, said, size);
	const int fds[] = { input, c.output, c.folder, c.null };
	for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return status;
}

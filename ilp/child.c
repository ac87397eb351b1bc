/* Runs a program for ilp_load(), and waits for it, so that the process around it does not notice.
 *
 * A child of fork or posix_spawn is the process's: a program that ignores SIGCHLD, or whose event loop waits for any
 * child, takes its status away. One of clone(2) without a signal is seen by nobody but who asks for it (__WALL); but
 * becoming a program makes it an ordinary one (execve(2)). So there are two: a keeper, which stays what it is, and its
 * child, which becomes the program; the keeper leaves its status in a page that we share. Both are copies of a process
 * that may have threads: they make system calls only. */
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_MAX ((rlim_t)4 << 30)
#define FILE_SIZE_MAX ((rlim_t)256 << 20)

/* Shared with the keeper. */
struct result {
	int status, error; /* wait's, and what execve or the keeper ran into */
};

struct child {
	char *const *argv, *const *environment;
	int folder, output, null;
	unsigned seconds;
	struct result *result;
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

static void become(const struct child *c)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, (rlim_t)c->seconds + 1); /* for what outlives us; else the clock is first */
	limit(RLIMIT_FSIZE, FILE_SIZE_MAX);
	if (sizeof(void *) > 4)
		limit(RLIMIT_AS, MEMORY_MAX);
	if (dup2(c->null, 0) == 0 && dup2(c->output, 1) == 1 && dup2(c->output, 2) == 2 && fchdir(c->folder) == 0) {
		close_range(3, ~0U, 0);
		execve(c->argv[0], c->argv, c->environment);
	}
	c->result->error = errno;
	_exit(127);
}

/* A copy of this process, whose end raises that signal, or none. fork would run what others have left for it to run. */
static pid_t copy(long signal, int *pidfd)
{
	long flags = signal | (pidfd ? CLONE_PIDFD : 0);

#if defined(__s390x__)
	return (pid_t)syscall(SYS_clone, NULL, flags, pidfd, NULL, 0);
#else
	return (pid_t)syscall(SYS_clone, flags, NULL, pidfd, NULL, 0);
#endif
}

/* All signals are blocked. */
__attribute__((noreturn)) static void keep(const struct child *c)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;
	int status;

	/* A handler must not run here, and what we ignore is not for the program to ignore. */
	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid_t pid = copy(SIGCHLD, NULL);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		become(c);
	}
	/* What this process closes, and the other end of the program's output, is not to stay open here. */
	close_range(0, ~0U, 0);
	if (pid < 0)
		c->result->error = errno;
	else if (waitpid(pid, &status, 0) == pid)
		c->result->status = status;
	_exit(0);
}

/* Starts a keeper. Returns its number, and a descriptor that is readable when it has ended. */
static pid_t start(const struct child *c, int *pidfd)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = copy(0, pidfd);
	if (pid == 0)
		keep(c);
	if (pid < 0)
		pid = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* Takes some of what is there to read, and no more than a pipe holds: who writes without end is not to keep us from
 * looking at the time. False at its end. What does not fit is thrown away. */
static bool drain(int fd, char *said, size_t size, size_t *len)
{
	char room[4096];
	ssize_t n = 0;

	for (unsigned i = 0; i < 16 && (n = read(fd, room, sizeof room)) > 0; i++) {
		size_t fits = (size_t)n < size - 1 - *len ? (size_t)n : size - 1 - *len;

		memcpy(said + *len, room, fits);
		*len += fits;
		said[*len] = 0;
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Until it has ended, or time is up. Its output may stay open longer, in the hands of its children: nobody waits. */
static int watch(int pidfd, int output, unsigned seconds, char *said, size_t size)
{
	struct pollfd fds[2] = { { .fd = pidfd, .events = POLLIN }, { .fd = output, .events = POLLIN } };
	int64_t end = ilp_now_ms() + (int64_t)seconds * 1000;
	size_t len = 0;

	said[0] = 0;
	for (;;) {
		int64_t left = end - ilp_now_ms();

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
	int pidfd = -1, error;
	pid_t pid = start(c, &pidfd);

	close(c->output);
	c->output = -1;
	if (pid < 0)
		return pid;
	error = watch(pidfd, input, c->seconds, said, size);
	if (error) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	close(pidfd);
	if (!error && c->result->error)
		error = -c->result->error;
	return error ? error : c->result->status;
}

int ilp_child(char *const argv[], char *const environment[], int folder, unsigned seconds, char *said, size_t size)
{
	struct child c = { .argv = argv, .environment = environment, .output = -1, .folder = -1, .null = -1,
		.seconds = seconds };
	int ends[2] = { -1, -1 }, input = -1, status = 0;

	c.result = mmap(NULL, sizeof *c.result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c.result == MAP_FAILED)
		return -errno;
	c.result->status = SIGKILL; /* the keeper's, if it says nothing */
	if (pipe2(ends, O_CLOEXEC) != 0 || (input = beyond(ends[0])) < 0)
		status = -errno;
	if ((c.output = beyond(ends[1])) < 0 && !status)
		status = -errno;
	if ((c.folder = fcntl(folder, F_DUPFD_CLOEXEC, 3)) < 0 && !status)
		status = -errno;
	if ((c.null = beyond(open("/dev/null", O_RDWR | O_CLOEXEC))) < 0 && !status)
		status = -errno;
	if (!status && fcntl(input, F_SETFL, O_NONBLOCK) != 0)
		status = -errno;
	if (!status)
		status = run(&c, input, said, size);
	const int fds[] = { input, c.output, c.folder, c.null };
	for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	munmap(c.result, sizeof *c.result);
	return status;
}

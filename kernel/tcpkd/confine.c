#include "kernel/tcpkd/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>

int confine_capabilities(bool privileged)
{
	static const unsigned kept[] = { CAP_BPF, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };
	enum { KEPT = sizeof kept / sizeof *kept };
	bool had[KEPT], may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

	for (unsigned i = 0; i < KEPT; i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]) && (privileged || kept[i] != CAP_NET_BIND_SERVICE);
	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned i = 0; i < KEPT; i++)
		if (had[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept[i]);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	/* Without new privileges the bounding set bounds nothing more. */
	if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS))
		return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/* Threads, and nothing else that clone makes; clone3's flags are out of a filter's reach, and libc does without it. */
static int allow_threads(scmp_filter_ctx filter)
{
	int e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	return e ? e : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
}

int confine_calls(void)
{
	static const int allowed[] = {
		SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(bpf), SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(close),
		SCMP_SYS(epoll_create1),
		SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(exit), SCMP_SYS(exit_group),
		SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(getrandom),
		SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(ioctl),
		SCMP_SYS(lseek), SCMP_SYS(madvise), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(munmap),
		SCMP_SYS(newfstatat), SCMP_SYS(openat), SCMP_SYS(poll), SCMP_SYS(ppoll),
		SCMP_SYS(read), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
		SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(sched_getaffinity), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(set_robust_list),
		SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(sigaltstack), SCMP_SYS(socket),
		SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(sysinfo), SCMP_SYS(timer_create), SCMP_SYS(timer_delete),
		SCMP_SYS(timer_settime), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(write), SCMP_SYS(writev),
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int e = filter ? 0 : -ENOMEM;

	for (unsigned i = 0; !e && i < sizeof allowed / sizeof *allowed; i++) {
		e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
		if (e == -EDOM || e == -EFAULT) /* a machine without that call */
			e = 0;
	}
	if (!e)
		e = allow_threads(filter);
	if (!e) /* a look at its limits, no change */
		e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	if (!e)
		e = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return e;
}

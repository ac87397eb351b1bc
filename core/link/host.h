/* What the engine and the calls want of the machine they run on: time, sleep, secrets, memory. */
#ifndef CORE_LINK_HOST_H
#define CORE_LINK_HOST_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Another machine: virtual time, for tests (tests/script). Not to be changed while a socket is open, or what a closed
 * one still owes keeps the helper thread (TCPU_THREAD) alive; there is no such thread in virtual time. */
struct link_host {
	void *ctx;
	uint64_t (*now_us)(void *ctx);
	/* As link_host_sleep. */
	int (*sleep)(void *ctx, struct pollfd *fds, nfds_t n, uint64_t until_us);
	void (*random)(void *ctx, void *p, size_t bytes);
};
/* NULL: the real one, which it is from the beginning. Borrowed. */
void link_host_use(const struct link_host *);
/* Time is the kernel's as well: its timers may be used. */
bool link_host_is_real(void);

/* CLOCK_MONOTONIC: microseconds. */
uint64_t link_host_now_us(void);
/* As ppoll(2) until a time (UINT64_MAX: without end): how many of fds are ready; -EINTR. */
int link_host_sleep(struct pollfd *fds, nfds_t n, uint64_t until_us);
/* Fills p with random bytes from the kernel; waits for its entropy early in a boot. */
void link_host_random(void *p, size_t bytes);
/* For struct tcpu_config: malloc and free. */
void *link_host_alloc(void *ctx, size_t bytes);
void link_host_free(void *ctx, void *p, size_t bytes);

#endif

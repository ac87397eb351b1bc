#include "core/link/host.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static const struct link_host *host;

void link_host_use(const struct link_host *h)
{
	host = h;
}

bool link_host_is_real(void)
{
	return !host;
}

uint64_t link_host_now_us(void)
{
	struct timespec t;

	if (host)
		return host->now_us(host->ctx);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int link_host_sleep(struct pollfd *fds, nfds_t n, uint64_t until_us)
{
	struct timespec t = { 0 };
	uint64_t now_us;
	int ready;

	if (host)
		return host->sleep(host->ctx, fds, n, until_us);
	now_us = link_host_now_us();
	if (until_us > now_us)
		t = (struct timespec){ (time_t)((until_us - now_us) / 1000000), (long)((until_us - now_us) % 1000000) * 1000 };
	ready = ppoll(fds, n, until_us == UINT64_MAX ? NULL : &t, NULL);
	return ready < 0 ? -errno : ready;
}

void link_host_random(void *p, size_t bytes)
{
	uint8_t *at = p;

	if (host) {
		host->random(host->ctx, p, bytes);
		return;
	}
	while (bytes) {
		ssize_t n = getrandom(at, bytes, 0);

		if (n < 0) /* a signal: the only failure that there is */
			continue;
		at += n;
		bytes -= (size_t)n;
	}
}

void *link_host_alloc(void *ctx, size_t bytes)
{
	(void)ctx;
	return malloc(bytes);
}

void link_host_free(void *ctx, void *p, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(p);
}

#include "core/link/host.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

uint64_t link_host_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void link_host_random(void *p, size_t bytes)
{
	uint8_t *at = p;

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

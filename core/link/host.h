/* What the engine wants of the machine it runs on: time, secrets, memory. */
#ifndef CORE_LINK_HOST_H
#define CORE_LINK_HOST_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC: microseconds. */
uint64_t link_host_now_us(void);
/* Fills p with random bytes from the kernel; waits for its entropy early in a boot. */
void link_host_random(void *p, size_t bytes);
/* For struct tcpu_config: malloc and free. */
void *link_host_alloc(void *ctx, size_t bytes);
void link_host_free(void *ctx, void *p, size_t bytes);

#endif

/* Times several ways to do a thing in one interleaved run: rounds, and in each round every way once, in random order,
 * so that whatever disturbs the machine disturbs all of them alike. Ratios are taken within a round. */
#ifndef TOOLS_MEASURE_H
#define TOOLS_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct measure {
	void (*run)(void *ctx); /* does the thing once */
	void *ctx;
	double *ns; /* set by measure_all: nanoseconds a run, one value a round; measure_free's */
};

struct measure_plan {
	unsigned rounds;
	uint64_t sample_ns; /* a sample repeats the thing until it lasts so long at least */
	bool warm;          /* one run that is not counted before each sample */
	uint64_t seed;      /* of the order */
	void (*progress)(unsigned round, unsigned rounds); /* NULL: none */
};

/* Pins the calling thread to the processor that it is on. -ENOMEM. */
int measure_all(struct measure *, size_t n, const struct measure_plan *);
void measure_free(struct measure *, size_t n);

uint64_t measure_now_ns(void);
/* A small generator for orders and payloads (xorshift64*): state is not 0. */
uint64_t measure_random(uint64_t *state);

#endif

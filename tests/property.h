/* For tests of properties: a generator of numbers, and seeds that run as tests of their own.
 *
 *	TCPU_SEED=17 build/gcc/tests/core_ranges	runs one seed of each property, any */
#ifndef TESTS_PROPERTY_H
#define TESTS_PROPERTY_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

/* ck_assert, where it is asked often: it costs a system call each time. */
#define must(what) do { if (!(what)) ck_abort_msg("%s", #what); } while (0)

struct random {
	uint64_t state;
};

static inline struct random random_seed(int seed)
{
	return (struct random){ (uint64_t)seed * 0x9e3779b97f4a7c15 };
}

/* 0 to below - 1 */
static inline uint32_t rnd(struct random *r, uint32_t below)
{
	r->state = r->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(r->state >> 33) % below;
}

/* Runs the test for each seed from 1 to n, its _i, or for the environment's. */
static inline void property_add(TCase *c, const TTest *test, int n)
{
	const char *one = getenv("TCPU_SEED");
	int from = one ? atoi(one) : 1;

	tcase_add_loop_test(c, test, from, one ? from + 1 : n + 1);
}

#endif

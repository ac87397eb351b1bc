/* Interleaved timing. */
#include "tools/measure.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

uint64_t measure_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t measure_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

/* A migration in mid-sample costs more than most of what is measured. */
static void stay_here(void)
{
	cpu_set_t here;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return;
	CPU_ZERO(&here);
	CPU_SET((size_t)cpu, &here);
	sched_setaffinity(0, sizeof here, &here);
}

/* The thread's own time: what is measured never waits, and what others run meanwhile on a busy machine is not its. */
static uint64_t spent_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t sample(const struct measure *m, unsigned repeat)
{
	const uint64_t from = spent_ns();

	for (unsigned i = 0; i < repeat; i++)
		m->run(m->ctx);
	return spent_ns() - from;
}

static unsigned repeats(const struct measure *m, uint64_t sample_ns)
{
	unsigned repeat = 1;

	m->run(m->ctx); /* pages are touched, frequencies up */
	while (sample(m, repeat) < sample_ns && repeat < 1U << 24)
		repeat *= 2;
	return repeat;
}

int measure_all(struct measure *m, size_t n, const struct measure_plan *plan)
{
	uint64_t random = plan->seed | 1;
	size_t *order = calloc(n, sizeof *order);
	unsigned *repeat = calloc(n, sizeof *repeat);
	bool failed = !order || !repeat;

	for (size_t i = 0; i < n; i++) {
		m[i].ns = calloc(plan->rounds, sizeof *m[i].ns);
		failed |= !m[i].ns;
	}
	if (failed) {
		free(order);
		free(repeat);
		measure_free(m, n);
		return -ENOMEM;
	}
	stay_here();
	for (size_t i = 0; i < n; i++) {
		order[i] = i;
		repeat[i] = repeats(&m[i], plan->sample_ns);
	}
	for (unsigned round = 0; round < plan->rounds; round++) {
		for (size_t i = n; i > 1; i--) { /* Fisher and Yates */
			size_t j = measure_random(&random) % i, swap = order[i - 1];

			order[i - 1] = order[j];
			order[j] = swap;
		}
		for (size_t i = 0; i < n; i++) {
			struct measure *one = &m[order[i]];
			unsigned times = repeat[order[i]];

			if (plan->warm)
				one->run(one->ctx);
			one->ns[round] = (double)sample(one, times) / times;
		}
		if (plan->progress)
			plan->progress(round + 1, plan->rounds);
	}
	free(order);
	free(repeat);
	return 0;
}

void measure_free(struct measure *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(m[i].ns);
		m[i].ns = NULL;
	}
}

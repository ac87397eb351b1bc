/* Statistics of benchmark samples. */
#include "tools/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The largest rank k (from 0) for which P(k or fewer of n samples lie below the median) is at most 2.5 %, plus one:
 * samples k and n-1-k then enclose the median with at least 95 %. By logarithms: 0.5^n is no double when n is large. */
static size_t rank95(size_t n)
{
	double term = (double)n * log(0.5); /* log(binomial(n, i) / 2^n) */
	double tail = 0;
	size_t i;

	for (i = 0; i < n / 2; i++) {
		tail += exp(term);
		if (tail > 0.025)
			break;
		term += log((double)(n - i) / (double)(i + 1));
	}
	return i > 0 ? i - 1 : 0;
}

struct stats_median stats_median(double *sample, size_t n)
{
	assert(n > 0);
	qsort(sample, n, sizeof *sample, ascending);
	size_t k = rank95(n);

	return (struct stats_median){
		.median = (sample[(n - 1) / 2] + sample[n / 2]) / 2,
		.low = sample[k],
		.high = sample[n - 1 - k],
	};
}

double stats_undisturbed(double *sample, size_t n)
{
	qsort(sample, n, sizeof *sample, ascending);
	return sample[n / 4];
}

double stats_noise(const struct stats_median *m)
{
	return (m->high - m->low) / 2 / m->median;
}

struct stats_line stats_line(const double *x, const double *y, size_t n)
{
	double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;

	assert(n > 1);
	for (size_t i = 0; i < n; i++) {
		double weight = 1 / (y[i] * y[i]);

		w += weight;
		wx += weight * x[i];
		wy += weight * y[i];
		wxx += weight * x[i] * x[i];
		wxy += weight * x[i] * y[i];
	}
	double slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);

	return (struct stats_line){ .slope = slope, .intercept = (wy - slope * wx) / w };
}

void stats_count(struct stats_mean *m, double sample)
{
	const double off = sample - m->mean;

	m->n++;
	m->mean += off / m->n;
	m->squares += off * (sample - m->mean);
}

/* The square of its mean's standard error. */
static double error_squared(const struct stats_mean *m, double step)
{
	return fmax(m->squares / (m->n - 1), step * step / 12) / m->n;
}

double stats_welch(const struct stats_mean *a, const struct stats_mean *b, double step)
{
	assert(a->n > 1 && b->n > 1);
	return (a->mean - b->mean) / sqrt(error_squared(a, step) + error_squared(b, step));
}

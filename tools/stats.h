/* What a benchmark may say about its samples. */
#ifndef TOOLS_STATS_H
#define TOOLS_STATS_H

#include <stddef.h>

/* A median and, by order statistics, its 95 % confidence interval: no assumption about the distribution but that the
 * samples are independent. Fewer than STATS_LEAST samples cannot give one: low and high are then the extremes. */
#define STATS_LEAST 6
struct stats_median {
	double median, low, high;
};
/* Sorts the n samples, n > 0. */
struct stats_median stats_median(double *sample, size_t n);
/* Their lower quartile, after sorting: what disturbs a sample makes it longer, and must not decide between two ways. */
double stats_undisturbed(double *sample, size_t n);
/* Half the interval's width as a share of the median: 0.05 says "± 5 %". */
double stats_noise(const struct stats_median *);

/* y = intercept + slope * x, by least squares of the relative error (weights 1/y²): a size of 64 bytes then counts as
 * much as one of 1 MiB, and the intercept is that of small sizes. n > 1 and y > 0. */
struct stats_line {
	double slope, intercept;
};
struct stats_line stats_line(const double *x, const double *y, size_t n);

/* Samples that are counted one by one, beginning with zeros: their mean, and the sum of squares of what they differ
 * from it. */
struct stats_mean {
	double n, mean, squares;
};
void stats_count(struct stats_mean *, double sample);
/* Welch's t: how many of its standard errors the difference of the means is long. Samples are multiples of step > 0:
 * no variance counts as less than a step's, step²/12. Both n > 1. */
double stats_welch(const struct stats_mean *a, const struct stats_mean *b, double step);

#endif

/* Statistics against values worked out by hand or known from tables. */
#include "tests/run.h"
#include "tools/stats.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

START_TEST(median_of_odd_and_even)
{
	double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 2 }, one[] = { 7 };

	ck_assert_double_eq(stats_median(odd, 3).median, 5);
	ck_assert_double_eq(stats_median(even, 4).median, 2.5);
	struct stats_median m = stats_median(one, 1);
	ck_assert_double_eq(m.median, 7);
	ck_assert_double_eq(m.low, 7);
	ck_assert_double_eq(m.high, 7);
}
END_TEST

/* Ranks from the tables of the sign test (two-sided, 5 %): n, how many to leave out at each end. */
START_TEST(interval_has_the_sign_tests_ranks)
{
	static const struct {
		size_t n, leave;
	} table[] = { { 5, 0 }, { 6, 0 }, { 8, 0 }, { 9, 1 }, { 11, 1 }, { 12, 2 }, { 15, 3 }, { 20, 5 }, { 25, 7 },
		{ 41, 13 }, { 100, 39 },
		/* worked out in whole numbers: 0.5^1075 is no double */
		{ 1074, 504 }, { 1075, 504 }, { 2000, 955 }, { 10000, 4901 } };

	for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
		static double sample[10000];

		for (size_t i = 0; i < table[t].n; i++)
			sample[i] = (double)i; /* a value is its rank */
		struct stats_median m = stats_median(sample, table[t].n);
		ck_assert_double_eq(m.low, (double)table[t].leave);
		ck_assert_double_eq(m.high, (double)(table[t].n - 1 - table[t].leave));
	}
}
END_TEST

/* 95 of 100 intervals at least hold the true median: here of a skewed distribution, 2000 times. */
START_TEST(interval_covers)
{
	unsigned inside = 0;

	srand(1);
	for (int round = 0; round < 2000; round++) {
		double sample[25];

		for (int i = 0; i < 25; i++) {
			double u = (double)rand() / RAND_MAX;

			sample[i] = u * u * u;
		}
		struct stats_median m = stats_median(sample, 25);
		inside += m.low <= 0.125 && 0.125 <= m.high;
	}
	ck_assert_uint_ge(inside, 1900);
	ck_assert_uint_lt(inside, 1990);
}
END_TEST

START_TEST(noise_is_half_the_width)
{
	struct stats_median m = { .median = 10, .low = 9.5, .high = 10.3 };

	ck_assert_double_eq_tol(stats_noise(&m), 0.04, 1e-12);
}
END_TEST

START_TEST(line_is_found)
{
	double x[] = { 64, 1460, 8192, 65536, 1048576 }, y[5];

	for (int i = 0; i < 5; i++)
		y[i] = 20 + 0.05 * x[i];
	struct stats_line l = stats_line(x, y, 5);
	ck_assert_double_eq_tol(l.slope, 0.05, 1e-9);
	ck_assert_double_eq_tol(l.intercept, 20, 1e-6);

	/* 10 % off at the largest size moves the intercept by little. */
	y[4] *= 1.1;
	l = stats_line(x, y, 5);
	ck_assert_double_eq_tol(l.intercept, 20, 1);
}
END_TEST

/* Variances 2.5 and 10, of five samples each: -3 by the root of 0.5 and 2; and where nothing varies, but by a step. */
START_TEST(welch_is_as_by_hand)
{
	struct stats_mean a = { 0 }, b = { 0 }, even = { 0 }, more = { 0 };

	for (int i = 1; i <= 5; i++) {
		stats_count(&a, 1e6 + i);
		stats_count(&b, 1e6 + 2 * i);
	}
	ck_assert_double_eq_tol(a.mean, 1e6 + 3, 1e-6);
	ck_assert_double_eq_tol(b.squares, 40, 1e-6);
	ck_assert_double_eq_tol(stats_welch(&a, &b, 1), -3 / sqrt(2.5), 1e-6);
	ck_assert_double_eq_tol(stats_welch(&b, &a, 1), 3 / sqrt(2.5), 1e-6);
	for (int i = 0; i < 6; i++) {
		stats_count(&even, 7);
		stats_count(&more, 9);
	}
	ck_assert_double_eq(stats_welch(&even, &even, 1), 0);
	ck_assert_double_eq_tol(stats_welch(&more, &even, 1), 2 / sqrt(2. / 12 / 6), 1e-9);
	ck_assert_double_eq_tol(stats_welch(&more, &even, 2), 2 / sqrt(2. * 4 / 12 / 6), 1e-9);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("stats");
	tcase_add_test(c, median_of_odd_and_even);
	tcase_add_test(c, interval_has_the_sign_tests_ranks);
	tcase_add_test(c, interval_covers);
	tcase_add_test(c, noise_is_half_the_width);
	tcase_add_test(c, line_is_found);
	tcase_add_test(c, welch_is_as_by_hand);
	Suite *s = suite_create("tools/stats");
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

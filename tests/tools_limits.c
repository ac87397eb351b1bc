/* What a measured point is held to (tools/limits.h): which limits, against what, met or not. Nothing is measured. */
#include "tests/run.h"
#include "tools/limits.h"

#include <check.h>
#include <string.h>

static struct bench_series series;
static struct bench_point point;
static struct limit limits[LIMITS_MAX];

/* A call of so many ns, the fused loop's being 100. */
static void takes(unsigned variant, double ns)
{
	point.has[variant] = true;
	point.ns[variant] = (struct stats_median){ ns, ns * 0.9, ns * 1.1 };
	point.speedup[variant] = (struct stats_median){ ns / 100, ns / 110, ns / 90 };
}

static void begin(const char *chain, uint64_t bytes, double mca_ns)
{
	series = (struct bench_series){ .chain = ilp_find(chain), .mca_ns = mca_ns, .mca_cpu = "znver3" };
	point = (struct bench_point){ .bytes = bytes };
	ck_assert_ptr_nonnull(series.chain);
	takes(BENCH_FUSED, 100);
	takes(BENCH_MEMCPY, 50);
}

static void expect(const char *of, const char *with, double ratio, double limit, bool least, bool met)
{
	unsigned n = limits_of(&series, &point, limits);

	for (unsigned k = 0; k < n; k++) {
		if (strcmp(limits[k].of, of) != 0)
			continue;
		ck_assert_str_eq(limits[k].with, with);
		ck_assert_double_eq_tol(limits[k].ratio.median, ratio, 1e-9);
		ck_assert_double_lt(limits[k].ratio.low, ratio);
		ck_assert_double_gt(limits[k].ratio.high, ratio);
		ck_assert_double_eq_tol(limits[k].limit, limit, 1e-9);
		ck_assert_int_eq(limits[k].least, least);
		ck_assert_int_eq(limits[k].met, met);
		return;
	}
	ck_abort_msg("no limit of '%s'", of);
}

START_TEST(ciphers_by_their_slowest_stage)
{
	begin("xdr_chacha20_copy_sum", 65536, 0.001); /* a bound is none of a cipher's */
	series.stage[0] = ilp_find("copy_sum");
	series.stage[1] = ilp_find("copy_adler32");
	takes(BENCH_VARIANTS, 80);
	takes(BENCH_VARIANTS + 1, 75);
	expect("fused : slowest stage", series.stage[0]->stages, 1.25, 1.15, false, false);
	point.bytes = 1024;
	expect("fused : slowest stage", series.stage[0]->stages, 1.25, 1.25, false, true);
	takes(BENCH_VARIANTS + 1, 90);
	point.bytes = 1 << 20;
	expect("fused : slowest stage", series.stage[1]->stages, 100 / 90.0, 1.15, false, true);
	takes(BENCH_MEMCPY, 95);
	expect("fused : memcpy", "memcpy", 100 / 95.0, 1.15, false, true);
	ck_assert_uint_eq(limits_of(&series, &point, limits), 1);
}
END_TEST

START_TEST(light_stages_by_their_bound)
{
	begin("xdr_copy_sum", 1000, 0.08); /* 80 ns */
	takes(BENCH_VARIANTS, 99);
	series.stage[0] = ilp_find("copy_sum");
	expect("fused : mca", "znver3", 1.25, 1.15, false, false);
	series.mca_ns = 0.09;
	expect("fused : mca", "znver3", 100 / 90.0, 1.15, false, true);
	series.mca_ns = 0.04;
	expect("fused : memcpy", "memcpy", 2, 1.15, false, false);
	series.mca_ns = 0; /* none */
	expect("fused : slowest stage", series.stage[0]->stages, 100 / 99.0, 1.25, false, true);
	ck_assert_uint_eq(limits_of(&series, &point, limits), 1);
}
END_TEST

START_TEST(tiled_and_orc_at_one_kib)
{
	begin("copy_sum", 1024, 0.09);
	takes(BENCH_TILED, 131);
	takes(BENCH_ORC, 119);
	expect("tiled : fused", "tiled", 1.31, 1.3, true, true);
	expect("orc : fused", "orc", 1.19, 1.2, true, false);
	begin("xdr_copy_sum", 1024, 0.09);
	takes(BENCH_TILED, 169);
	expect("tiled : fused", "tiled", 1.69, 1.7, true, false);
	ck_assert_uint_eq(limits_of(&series, &point, limits), 2); /* Orc did not do it */
	begin("copy_adler32", 1024, 0.09);
	takes(BENCH_TILED, 100);
	ck_assert_uint_eq(limits_of(&series, &point, limits), 1);
	begin("copy_sum", 2048, 0.09);
	takes(BENCH_TILED, 100);
	takes(BENCH_ORC, 100);
	ck_assert_uint_eq(limits_of(&series, &point, limits), 1);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("limits");
	tcase_add_test(c, ciphers_by_their_slowest_stage);
	tcase_add_test(c, light_stages_by_their_bound);
	tcase_add_test(c, tiled_and_orc_at_one_kib);
	Suite *s = suite_create("tools/limits");
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

/* CUBIC from outside, event by event, against a model in double precision that is written from RFC 9438 in its own
 * units: segments and seconds. */
#include "tests/cc_flow.h"
#include "tests/run.h"

#include <math.h>

static uint64_t rng;
static uint32_t rnd(uint32_t below)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

#define BETA 0.7
#define C 0.4

/* RFC 9438 in segments and seconds */
struct model {
	double cwnd, ssthresh, w_max, k, w_est, cwnd_prior, epoch;
	bool staged;
};

static double model_w_cubic(const struct model *m, double t)
{
	return C * pow(t - m->k, 3) + m->w_max;
}

static void model_acked(struct model *m, double now, double srtt, double segs)
{
	double alpha = m->w_est >= m->cwnd_prior ? 1 : 3 * (1 - BETA) / (1 + BETA), t, target;

	if (!m->staged) {
		m->staged = true;
		m->epoch = now;
		m->w_est = m->cwnd;
		m->w_max = fmax(m->w_max, m->cwnd);
		m->k = cbrt((m->w_max - m->cwnd) / C);
		m->cwnd_prior = m->cwnd_prior > 0 ? m->cwnd_prior : m->cwnd;
		alpha = m->w_est >= m->cwnd_prior ? 1 : 3 * (1 - BETA) / (1 + BETA);
	}
	t = now - m->epoch;
	m->w_est += alpha * segs / m->cwnd;
	if (model_w_cubic(m, t) < m->w_est) {
		m->cwnd = fmax(m->cwnd, m->w_est);
		return;
	}
	target = fmin(fmax(model_w_cubic(m, t + srtt), m->cwnd), 1.5 * m->cwnd);
	m->cwnd += (target - m->cwnd) / m->cwnd * segs;
}

static void model_reduce(struct model *m)
{
	m->w_max = m->cwnd < m->w_max ? m->cwnd * (1 + BETA) / 2 : m->cwnd;
	m->cwnd_prior = m->cwnd;
	m->ssthresh = m->cwnd = fmax(m->cwnd * BETA, 2);
	m->staged = false;
}

/* A connection of mss in its first stage after a congestion event at w_max. */
static void stage_open(struct flow *f, uint32_t mss, uint32_t w_max, uint32_t srtt_us)
{
	flow_open(f, &congestion_cubic, 1, UNSET);
	f->cc.mss = mss;
	f->cc.cwnd = w_max;
	flow_reduce(f);
	f->ack.srtt_us = srtt_us;
	flow_ack(f, 0);
}

START_TEST(k_is_the_cube_root)
{
	rng = 1;
	for (int i = 0; i < 20000; i++) {
		uint32_t mss = 48 + rnd(65535 - 48 + 1), room = CWND_MAX - 4 * mss;
		uint32_t w_max = 4 * mss + (i & 1 ? rnd(room) : rnd(1 + (room >> rnd(20)))), cwnd;
		struct flow f;
		double k, got;

		stage_open(&f, mss, w_max, 100 * MS);
		cwnd = f.cc.cwnd;
		if (i % 3 == 0) { /* recovery ended with less */
			f.cc.cubic.epoch_us = 0;
			f.cc.ssthresh = f.cc.cwnd = cwnd = 1 + rnd(cwnd);
			flow_ack(&f, 0);
		}
		k = cbrt((w_max - cwnd) / (double)mss / C) * 1e6;
		got = (double)f.cc.cubic.k_us;
		if (!(got >= k - 0.01 && got <= k + 1.01 + 3.4e6 / k + 0.4e12 / k / k))
			ck_abort_msg("mss %u, W_max %u, cwnd %u: K %f, not %f", mss, w_max, cwnd, got, k);
		/* At its beginning the curve is where cwnd is. */
		ck_assert_uint_eq(f.cc.cwnd, cwnd);
	}
}
END_TEST

START_TEST(w_cubic_at_many_times)
{
	rng = 2;
	for (int i = 0; i < 3000; i++) {
		uint32_t mss = 48 + rnd(65535 - 48 + 1), srtt = 1 + rnd(2 * S);
		uint32_t w_max = (4 + (rnd(20000) >> rnd(12))) * mss;
		struct flow f;
		double t, k, want;
		uint32_t before;

		stage_open(&f, mss, w_max, srtt);
		k = (double)f.cc.cubic.k_us / 1e6;
		/* Time passes without growth, so that K is passed often; then a whole window is acknowledged. */
		flow_wait(&f, rnd(srtt) + (uint64_t)srtt * rnd(20));
		before = f.cc.cwnd;
		t = (double)(f.ack.now_us - 10 * S) / 1e6;
		f.cc.cubic.w_est = 0; /* not the Reno-friendly region */
		flow_ack(&f, before);
		want = (w_max / (double)mss + C * pow(t + srtt / 1e6 - k, 3)) * mss;
		want = fmin(fmax(want, before), before * 1.5);
		want = fmin(want, CWND_MAX);
		if (!flow_near(f.cc.cwnd, want, 1e-6, 2 + 2e-5 * C * mss * (t + srtt / 1e6)))
			ck_abort_msg("mss %u, W_max %u, cwnd %u, t %f + %u us, K %f: %u, not %f", mss, w_max, before, t, srtt, k,
				f.cc.cwnd, want);
	}
}
END_TEST

/* Whole lives: ACKs of any size at any time, losses, other round trips; the model has the same. */
START_TEST(cubic_as_the_model)
{
	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct flow f;
		struct model m = { 0 };
		uint32_t batch, srtt;

		rng = seed;
		srtt = (1 + rnd(300)) * (seed % 3 ? MS : 10);
		batch = 1 + rnd(60);
		flow_open(&f, &congestion_cubic, 10 + rnd(500), 2 * MSS);
		m.cwnd = f.cc.cwnd / (double)MSS;
		f.ack.srtt_us = srtt;
		for (int n = 0; n < 20000; n++) {
			uint32_t bytes = 1 + rnd(batch * MSS);
			uint64_t pause = (uint64_t)srtt * bytes / f.cc.cwnd;

			bytes = bytes < f.cc.cwnd ? bytes : f.cc.cwnd;
			f.ack.now_us += pause < srtt ? pause : srtt;
			flow_ack(&f, bytes);
			model_acked(&m, (double)f.ack.now_us / 1e6, srtt / 1e6, bytes / (double)MSS);
			if (!flow_near(f.cc.cwnd / (double)MSS, m.cwnd, 2e-3, 0.01) ||
				!flow_near(f.cc.cubic.w_est / (double)MSS, m.w_est, 2e-3, 0.01))
				ck_abort_msg("seed %u, ACK %d: cwnd %f, not %f; W_est %f, not %f", seed, n, f.cc.cwnd / (double)MSS, m.cwnd,
					f.cc.cubic.w_est / (double)MSS, m.w_est);
			if (rnd(2000) == 0 || m.cwnd > 400000) {
				flow_reduce(&f);
				model_reduce(&m);
				ck_assert(flow_near(f.cc.ssthresh / (double)MSS, m.ssthresh, 2e-3, 0.01));
			}
		}
	}
}
END_TEST

/* One ACK for 64 KiB, or one for each segment: the same window. */
START_TEST(batches_make_no_difference)
{
	static const uint32_t rtt[] = { 2 * MS, 20 * MS, 200 * MS };

	for (size_t i = 0; i < sizeof rtt / sizeof *rtt; i++) {
		struct flow f[2];

		for (int b = 0; b < 2; b++) {
			flow_open(&f[b], &congestion_cubic, 200, 2 * MSS);
			flow_round(&f[b], 1, rtt[i]);
			flow_reduce(&f[b]);
			for (uint32_t t = 0; t < 12 * S; t += rtt[i])
				flow_round(&f[b], b ? 45 : 1, rtt[i]);
			ck_assert_uint_gt(f[b].cc.cwnd, 200 * MSS);
		}
		ck_assert(flow_near(f[0].cc.cwnd, f[1].cc.cwnd, 0.02, MSS));
	}
}
END_TEST

/* Steep, flat at W_max when K has passed, and steep again. */
START_TEST(concave_then_convex)
{
	struct flow f;
	uint32_t last = 0, at[400], n;
	double k;

	stage_open(&f, MSS, 1000 * MSS, 100 * MS);
	k = (double)f.cc.cubic.k_us / 1e5; /* rounds */
	for (n = 0; n < 400; n++) {
		at[n] = f.cc.cwnd;
		flow_round(&f, 4, 100 * MS);
	}
	for (n = 0; n + 2 < (uint32_t)k; n++) {
		ck_assert_uint_le(at[n + 1], 1001 * MSS);
		ck_assert(!n || at[n + 1] - at[n] <= last + MSS / 50);
		last = at[n + 1] - at[n];
	}
	ck_assert(flow_near(at[(uint32_t)k], 1000 * MSS, 0.001, 0));
	for (n = (uint32_t)k + 2, last = 0; n < 160; n++) {
		ck_assert_uint_ge(at[n + 1] - at[n] + MSS / 50, last);
		last = at[n + 1] - at[n];
	}
	ck_assert_uint_gt(at[n], 1100 * MSS);
}
END_TEST

/* Short round trips, small windows: as fast as Reno with beta 0.7 until cwnd_prior, then a segment a round. */
START_TEST(reno_friendly_region)
{
	struct flow f;
	uint32_t cwnd;
	int rounds = 0;

	flow_open(&f, &congestion_cubic, 40, 40 * MSS);
	flow_round(&f, 1, 1 * MS);
	f.cc.cwnd = 40 * MSS;
	flow_reduce(&f);
	ck_assert_uint_eq(f.cc.cwnd, 28 * MSS);
	while (f.cc.cwnd < 40 * MSS) {
		cwnd = f.cc.cwnd;
		flow_round(&f, 1, 1 * MS);
		ck_assert(f.cc.cwnd >= 40 * MSS || flow_near(f.cc.cwnd - cwnd, 9.0 / 17 * MSS, 0.03, 1));
		rounds++;
	}
	ck_assert_int_ge(rounds, 22);
	ck_assert_int_le(rounds, 24);
	for (int n = 0; n < 50; n++) {
		cwnd = f.cc.cwnd;
		flow_round(&f, 3, 1 * MS);
		ck_assert(flow_near(f.cc.cwnd - cwnd, MSS, 0.03, 1));
	}
}
END_TEST

START_TEST(an_ack_never_more_than_half_again)
{
	struct flow f;

	stage_open(&f, MSS, 100 * MSS, 100 * MS);
	flow_wait(&f, 60 * S); /* the curve is high above by now */
	for (int n = 0; n < 10; n++) {
		uint32_t cwnd = f.cc.cwnd;

		flow_ack(&f, n & 1 ? cwnd : UINT32_MAX);
		ck_assert_uint_eq(f.cc.cwnd, cwnd + cwnd / 2);
		cwnd = f.cc.cwnd;
		flow_ack(&f, cwnd / 10);
		ck_assert_uint_le(f.cc.cwnd, cwnd + cwnd / 20 + 1);
	}
}
END_TEST

START_TEST(reduction_and_fast_convergence)
{
	struct flow f;

	flow_open(&f, &congestion_cubic, 1000, UNSET);
	congestion_cubic.reduce(&f.cc, 900 * MSS, 900 * MSS);
	ck_assert_uint_eq(f.cc.cwnd, 1000 * MSS);
	ck_assert_uint_eq(f.cc.ssthresh, 630 * MSS);
	congestion_cubic.reduce(&f.cc, 900 * MSS, 1000 * MSS);
	ck_assert_uint_eq(f.cc.ssthresh, 700 * MSS);
	ck_assert_uint_eq(f.cc.cubic.w_max, 1000 * MSS);
	ck_assert_uint_eq(f.cc.cubic.cwnd_prior, 1000 * MSS);
	f.cc.cwnd = f.cc.ssthresh;
	flow_ack(&f, MSS);
	/* Not back to W_max: there is less room than there was. */
	f.cc.cwnd = 800 * MSS;
	flow_reduce(&f);
	ck_assert_uint_eq(f.cc.cubic.w_max, 680 * MSS);
	ck_assert_uint_eq(f.cc.cubic.cwnd_prior, 800 * MSS);
	ck_assert_uint_eq(f.cc.ssthresh, 560 * MSS);
	/* Back to it: remembered as it is. */
	flow_ack(&f, MSS);
	f.cc.cwnd = 680 * MSS;
	flow_reduce(&f);
	ck_assert_uint_eq(f.cc.cubic.w_max, 680 * MSS);
	congestion_cubic.reduce(&f.cc, 2 * MSS, 2 * MSS);
	ck_assert_uint_eq(f.cc.ssthresh, 2 * MSS);
	congestion_cubic.reduce(&f.cc, CWND_MAX, CWND_MAX);
	ck_assert_uint_eq(f.cc.ssthresh, 751619276);
}
END_TEST

START_TEST(after_a_timeout)
{
	struct flow f;
	uint32_t cwnd;

	flow_open(&f, &congestion_cubic, 1000, UNSET);
	flow_reduce(&f);
	congestion_cubic.timeout(&f.cc, 500 * MSS, 500 * MSS);
	ck_assert_uint_eq(f.cc.ssthresh, 350 * MSS);
	f.cc.cwnd = MSS;
	f.ack.nxt = f.ack.una + MSS;
	for (int n = 0; n < 8; n++) {
		flow_round(&f, 1, 100 * MS);
		ck_assert_uint_eq(f.cc.cwnd, (2u << n) * MSS);
	}
	while (f.cc.cwnd < f.cc.ssthresh)
		flow_ack(&f, MSS);
	/* K = 0, and W_max and W_est are what cwnd was when the stage began; cwnd_prior, what it was before all. */
	ck_assert_uint_eq(f.cc.cwnd, 350 * MSS);
	flow_ack(&f, 0);
	ck_assert_uint_eq(f.cc.cubic.k_us, 0);
	ck_assert_uint_eq(f.cc.cubic.w_max, 350 * MSS);
	ck_assert_uint_eq(f.cc.cubic.w_est, 350 * MSS);
	ck_assert_uint_eq(f.cc.cubic.cwnd_prior, 700 * MSS);
	cwnd = f.cc.cwnd;
	for (int n = 0; n < 50; n++)
		flow_round(&f, 1, 100 * MS);
	ck_assert(flow_near(f.cc.cwnd, cwnd + C * 125 * MSS, 0.01, MSS));
	/* Loss in the slow start behind another one is no less than what it was. */
	congestion_cubic.timeout(&f.cc, 100 * MSS, 100 * MSS);
	f.cc.cwnd = 50 * MSS;
	congestion_cubic.reduce(&f.cc, 50 * MSS, 50 * MSS);
	ck_assert_uint_eq(f.cc.cubic.w_max, 50 * MSS);
}
END_TEST

/* RFC 9438 4.10: HyStart++ has ended slow start, and nothing was lost. */
START_TEST(after_slow_start_without_loss)
{
	struct flow f;
	uint32_t cwnd;

	flow_open(&f, &congestion_cubic, 10, UNSET);
	flow_round(&f, 1, 5 * MS);
	for (int n = 0; f.cc.ssthresh == UNSET; n++)
		flow_round(&f, 1, 10 * MS);
	cwnd = f.cc.ssthresh;
	ck_assert_uint_eq(f.cc.cubic.k_us, 0);
	ck_assert_uint_eq(f.cc.cubic.w_max, cwnd);
	ck_assert_uint_eq(f.cc.cubic.cwnd_prior, cwnd);
	/* alpha is 1 from the beginning. */
	for (int n = 0; n < 20; n++) {
		cwnd = f.cc.cwnd;
		flow_round(&f, 1, 1 * MS);
		ck_assert(flow_near(f.cc.cwnd - cwnd, MSS, 0.05, 1));
	}
}
END_TEST

/* Two connections, one of which rests in the middle: then they go on alike. */
START_TEST(time_not_used_does_not_count)
{
	for (int how = 0; how < 2; how++) {
		struct flow f[2];

		for (int i = 0; i < 2; i++) {
			stage_open(&f[i], MSS, 500 * MSS, 50 * MS);
			for (int n = 0; n < 100; n++)
				flow_round(&f[i], 2, 50 * MS);
			if (i) {
				f[i].ack.now_us += 3600ull * S; /* its application had little to say, ... */
				if (how)
					congestion_cubic.idle(&f[i].cc, 3600ull * S); /* ... or nothing */
			}
			for (int n = 0; n < 50; n++)
				flow_round(&f[i], 2, 50 * MS);
		}
		ck_assert(flow_near(f[0].cc.cwnd, f[1].cc.cwnd, 0.003, 0));
	}
}
END_TEST

START_TEST(idling_keeps_the_restart_window)
{
	struct flow f;

	/* Reno-friendly, and W_est far above the window that the caller restarts with */
	flow_open(&f, &congestion_cubic, 40, 2 * MSS);
	for (int n = 0; n < 40; n++)
		flow_round(&f, 1, 1 * MS);
	f.cc.cwnd = 10 * MSS;
	congestion_cubic.idle(&f.cc, 5 * S);
	f.ack.now_us += 5 * S;
	flow_ack(&f, MSS);
	ck_assert_uint_le(f.cc.cwnd, 11 * MSS);
	/* With a slow start ahead another stage begins behind it, on its way back to W_max. */
	flow_open(&f, &congestion_cubic, 1000, UNSET);
	flow_reduce(&f);
	for (int n = 0; n < 20; n++)
		flow_round(&f, 1, 100 * MS);
	f.cc.cwnd = 10 * MSS;
	congestion_cubic.idle(&f.cc, 5 * S);
	f.ack.now_us += 5 * S;
	f.ack.nxt = f.ack.una + f.cc.cwnd;
	while (f.cc.cwnd < f.cc.ssthresh)
		flow_round(&f, 1, 100 * MS);
	flow_ack(&f, 0);
	ck_assert(flow_near((double)f.cc.cubic.k_us / 1e6, cbrt(300 / C), 0.001, 0));
	ck_assert_uint_eq(f.cc.cubic.epoch_us, f.ack.now_us);
}
END_TEST

/* However long ago the stage began, the curve is above, and not once around. */
START_TEST(far_out_on_the_curve)
{
	static const uint32_t mss[] = { 48, 1460, 65535 };

	for (size_t i = 0; i < sizeof mss / sizeof *mss; i++)
		for (uint32_t srtt = 460; srtt < 4200; srtt += 3) {
			struct flow f;
			uint32_t cwnd;

			stage_open(&f, mss[i], CWND_MAX / 2, srtt * S);
			cwnd = f.cc.cwnd;
			f.cc.cubic.w_est = 0; /* not the Reno-friendly region */
			flow_ack(&f, cwnd);
			ck_assert_uint_eq(f.cc.cwnd, cwnd + cwnd / 2);
		}
}
END_TEST

/* Segments may grow within a stage: the curve, steeper now, begins below 0. */
START_TEST(segments_grow)
{
	struct flow f;

	stage_open(&f, 536, 1000 * 536, 10 * MS);
	f.cc.mss = 65535;
	for (int n = 0; n < 10; n++) {
		uint32_t cwnd = f.cc.cwnd;

		flow_ack(&f, cwnd);
		ck_assert_uint_le(f.cc.cwnd, cwnd + f.cc.mss);
	}
}
END_TEST

/* The largest windows with the smallest and the largest segments, for days. */
START_TEST(a_year_at_the_limit)
{
	static const uint32_t mss[] = { 48, 1460, 65535 };

	for (size_t i = 0; i < sizeof mss / sizeof *mss; i++) {
		struct flow f;

		stage_open(&f, mss[i], CWND_MAX, S);
		ck_assert_uint_lt(f.cc.cubic.k_us, 390ull * S);
		ck_assert_uint_gt(f.cc.cubic.k_us, 20ull * S);
		for (int n = 0; n < 400; n++) {
			f.ack.now_us += S;
			flow_ack(&f, f.cc.cwnd);
		}
		ck_assert_uint_eq(f.cc.cwnd, CWND_MAX);
		for (int n = 0; n < 365; n++) {
			f.ack.now_us += 86400ull * S;
			f.ack.srtt_us = UINT32_MAX;
			flow_ack(&f, f.cc.cwnd);
		}
		ck_assert_uint_eq(f.cc.cwnd, CWND_MAX);
		/* The longest way */
		f.cc.cubic.epoch_us = 0;
		f.cc.cwnd = f.cc.ssthresh = mss[i];
		flow_ack(&f, 0);
		ck_assert(flow_near((double)f.cc.cubic.k_us / 1e6, cbrt((CWND_MAX - mss[i]) / C / mss[i]), 1e-6, 0));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("CUBIC");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, k_is_the_cube_root);
	tcase_add_test(t, w_cubic_at_many_times);
	tcase_add_test(t, cubic_as_the_model);
	tcase_add_test(t, batches_make_no_difference);
	tcase_add_test(t, concave_then_convex);
	tcase_add_test(t, reno_friendly_region);
	tcase_add_test(t, an_ack_never_more_than_half_again);
	tcase_add_test(t, reduction_and_fast_convergence);
	tcase_add_test(t, after_a_timeout);
	tcase_add_test(t, after_slow_start_without_loss);
	tcase_add_test(t, time_not_used_does_not_count);
	tcase_add_test(t, idling_keeps_the_restart_window);
	tcase_add_test(t, far_out_on_the_curve);
	tcase_add_test(t, segments_grow);
	tcase_add_test(t, a_year_at_the_limit);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

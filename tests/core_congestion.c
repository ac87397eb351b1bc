/* Congestion control from outside, event by event: Reno, slow start and HyStart++ by rounds, what no event may do. */
#include "tests/cc_flow.h"
#include "tests/run.h"

#include <string.h>

static uint64_t rng;
static uint32_t rnd(uint32_t below)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

static const struct congestion *const both[] = { &congestion_reno, &congestion_cubic };

START_TEST(algorithms_by_name)
{
	ck_assert_ptr_eq(congestion_find("reno"), &congestion_reno);
	ck_assert_ptr_eq(congestion_find("cubic"), &congestion_cubic);
	ck_assert_ptr_null(congestion_find(""));
	ck_assert_ptr_null(congestion_find("cubi"));
	ck_assert_ptr_null(congestion_find("cubic2"));
	ck_assert_ptr_null(congestion_find("Reno"));
	for (int i = 0; i < 2; i++)
		ck_assert_uint_le(strlen(both[i]->name), 15);
}
END_TEST

/* ------------------------------------------------------------------------------------------------ reno */

START_TEST(reno_grows_a_segment_a_round)
{
	static const uint32_t segs[] = { 1, 2, 7, 45, 1000 }; /* an ACK acknowledges */
	struct flow f;

	for (size_t i = 0; i < sizeof segs / sizeof *segs; i++) {
		flow_open(&f, &congestion_reno, 20, 20 * MSS);
		for (uint32_t round = 1; round <= 50; round++) {
			flow_round(&f, segs[i], 30 * MS);
			ck_assert_uint_eq(f.cc.cwnd, (20 + round) * MSS);
		}
		ck_assert_uint_eq(f.cc.ssthresh, 20 * MSS);
	}
	/* What an ACK acknowledges beyond a window counts for the next: 20 + 21 + 22 + 23 segments for four. */
	flow_open(&f, &congestion_reno, 20, 20 * MSS);
	for (int n = 0; n < 28; n++) {
		ck_assert_uint_lt(f.cc.cwnd, 24 * MSS);
		flow_ack(&f, 3 * MSS + (n == 0 ? 2 * MSS : 0));
	}
	ck_assert_uint_eq(f.cc.cwnd, 24 * MSS);
	/* Never two for one ACK, however much it acknowledges, and nothing is left over for the next. */
	flow_open(&f, &congestion_reno, 20, 20 * MSS);
	flow_ack(&f, UINT32_MAX);
	ck_assert_uint_eq(f.cc.cwnd, 21 * MSS);
	flow_ack(&f, 20 * MSS);
	ck_assert_uint_eq(f.cc.cwnd, 21 * MSS);
	flow_ack(&f, MSS);
	ck_assert_uint_eq(f.cc.cwnd, 22 * MSS);
}
END_TEST

START_TEST(reno_halves_the_flight)
{
	struct flow f;

	flow_open(&f, &congestion_reno, 40, 30 * MSS);
	flow_ack(&f, 39 * MSS);
	congestion_reno.reduce(&f.cc, 36 * MSS, 40 * MSS);
	ck_assert_uint_eq(f.cc.ssthresh, 18 * MSS);
	ck_assert_uint_eq(f.cc.cwnd, 40 * MSS);
	/* What was counted before says nothing of the window after it. */
	f.cc.cwnd = f.cc.ssthresh;
	flow_ack(&f, 17 * MSS);
	ck_assert_uint_eq(f.cc.cwnd, 18 * MSS);
	congestion_reno.timeout(&f.cc, 10 * MSS, 10 * MSS);
	ck_assert_uint_eq(f.cc.ssthresh, 5 * MSS);
	congestion_reno.reduce(&f.cc, 3 * MSS, 3 * MSS);
	ck_assert_uint_eq(f.cc.ssthresh, 2 * MSS);
}
END_TEST

START_TEST(reno_counts_anew_after_idling)
{
	struct flow f;

	flow_open(&f, &congestion_reno, 20, 5 * MSS);
	flow_ack(&f, 19 * MSS);
	f.cc.cwnd = 10 * MSS;
	congestion_reno.idle(&f.cc, 10 * S);
	flow_ack(&f, 9 * MSS);
	ck_assert_uint_eq(f.cc.cwnd, 10 * MSS);
	flow_ack(&f, MSS);
	ck_assert_uint_eq(f.cc.cwnd, 11 * MSS);
}
END_TEST

/* ------------------------------------------------------------------------------------------ slow start */

START_TEST(slow_start_doubles)
{
	for (int i = 0; i < 2; i++) {
		struct flow f;

		flow_open(&f, both[i], 10, UNSET);
		for (uint32_t round = 1; round <= 8; round++) {
			flow_round(&f, 1 + round % 8, 30 * MS);
			ck_assert_uint_eq(f.cc.cwnd, (10u << round) * MSS);
		}
	}
}
END_TEST

START_TEST(slow_start_of_large_acks)
{
	for (int i = 0; i < 2; i++) {
		struct flow f;

		flow_open(&f, both[i], 100, UNSET);
		flow_ack(&f, 45 * MSS);
		ck_assert_uint_eq(f.cc.cwnd, 145 * MSS);
		flow_ack(&f, 1); /* bytes are counted, not ACKs */
		ck_assert_uint_eq(f.cc.cwnd, 145 * MSS + 1);
		flow_ack(&f, UINT32_MAX); /* and no more than a cwnd of them */
		ck_assert_uint_eq(f.cc.cwnd, 290 * MSS + 2);
		f.cc.cwnd = MSS; /* or an initial window's */
		flow_ack(&f, 40 * MSS);
		ck_assert_uint_eq(f.cc.cwnd, 11 * MSS);
		f.cc.cwnd = CWND_MAX / 2 + 1;
		for (int n = 0; n < 2; n++) {
			flow_ack(&f, UINT32_MAX);
			ck_assert_uint_eq(f.cc.cwnd, CWND_MAX);
		}
	}
}
END_TEST

START_TEST(slow_start_ends_at_ssthresh)
{
	for (int i = 0; i < 2; i++) {
		struct flow f;

		flow_open(&f, both[i], 10, 13 * MSS + 5);
		flow_ack(&f, 2 * MSS);
		flow_ack(&f, 8 * MSS);
		ck_assert_uint_eq(f.cc.cwnd, 13 * MSS + 5);
		ck_assert_uint_eq(f.cc.ssthresh, 13 * MSS + 5);
		flow_ack(&f, MSS);
		ck_assert_uint_lt(f.cc.cwnd, 14 * MSS);
	}
}
END_TEST

START_TEST(steady_round_trips_never_end_slow_start)
{
	static const uint32_t rtt[] = { 20, 3 * MS, 30 * MS, 800 * MS };

	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < sizeof rtt / sizeof *rtt; j++) {
			struct flow f;

			flow_open(&f, both[i], 10, UNSET);
			for (uint32_t round = 0; round < 12; round++)
				flow_round(&f, 1 + round % 4, rtt[j]);
			ck_assert_uint_eq(f.cc.cwnd, (10u << 12) * MSS);
			ck_assert_uint_eq(f.cc.ssthresh, UNSET);
		}
}
END_TEST

/* The queue builds up: Conservative Slow Start, a quarter as fast, for five rounds, its first one included. */
START_TEST(growing_delay_ends_slow_start)
{
	for (int i = 0; i < 2; i++) {
		struct flow f;
		uint32_t cwnd;

		flow_open(&f, both[i], 10, UNSET);
		flow_round(&f, 1, 40 * MS);
		flow_round(&f, 1, 40 * MS);
		cwnd = f.cc.cwnd;
		ck_assert_uint_eq(cwnd, 40 * MSS);
		/* Seven samples tell nothing; the eighth does, and counts as the first of CSS. */
		flow_round(&f, 1, 45 * MS);
		ck_assert_uint_eq(f.cc.cwnd, cwnd + 7 * MSS + 33 * MSS / 4);
		for (int n = 2; n <= 5; n++) {
			cwnd = f.cc.cwnd;
			flow_round(&f, 1, 46 * MS + (uint32_t)n);
			ck_assert_uint_le(f.cc.cwnd - cwnd, cwnd / 4);
			ck_assert_uint_ge(f.cc.cwnd - cwnd, cwnd / 4 - cwnd / MSS); /* each ACK rounds */
			ck_assert_uint_eq(f.cc.ssthresh, UNSET);
		}
		cwnd = f.cc.cwnd;
		flow_ack(&f, MSS); /* of the sixth */
		ck_assert_uint_eq(f.cc.ssthresh, cwnd);
		ck_assert_uint_eq(f.cc.cwnd, cwnd);
		flow_round(&f, 1, 46 * MS);
		ck_assert_uint_le(f.cc.cwnd, cwnd + 2 * MSS);
	}
}
END_TEST

START_TEST(false_alarm_resumes_slow_start)
{
	struct flow f;
	uint32_t cwnd;

	flow_open(&f, &congestion_cubic, 10, UNSET);
	flow_round(&f, 1, 40 * MS);
	flow_round(&f, 1, 40 * MS);
	flow_round(&f, 1, 60 * MS); /* jitter */
	flow_round(&f, 1, 61 * MS);
	cwnd = f.cc.cwnd;
	flow_round(&f, 1, 41 * MS);
	/* Seven ACKs of CSS; from the eighth sample on slow start. */
	ck_assert_uint_eq(f.cc.cwnd, cwnd + 7 * (MSS / 4) + cwnd - 7 * MSS);
	/* And HyStart++ with it: delay ends it again, after five rounds of its own. */
	for (int n = 1; n <= 5; n++) {
		flow_round(&f, 1, 80 * MS);
		ck_assert_uint_eq(f.cc.ssthresh, UNSET);
	}
	flow_ack(&f, MSS);
	ck_assert_uint_eq(f.cc.ssthresh, f.cc.cwnd);
}
END_TEST

/* In the round in which it began: the minimum of that round is the baseline. */
START_TEST(false_alarm_within_a_round)
{
	struct flow f;
	uint32_t cwnd;

	flow_open(&f, &congestion_reno, 30, UNSET);
	flow_round(&f, 1, 40 * MS);
	f.ack.rtt_us = 50 * MS;
	for (int n = 0; n < 8; n++)
		flow_ack(&f, MSS);
	cwnd = f.cc.cwnd;
	flow_ack(&f, MSS);
	ck_assert_uint_eq(f.cc.cwnd, cwnd + MSS / 4);
	f.ack.rtt_us = 40 * MS;
	flow_ack(&f, MSS);
	ck_assert_uint_eq(f.cc.cwnd, cwnd + MSS / 4 + MSS);
}
END_TEST

/* Does a round of these RTTs, behind one of last_us, end slow start? */
static bool alarms(uint32_t last_us, uint32_t rtt_us, uint32_t samples)
{
	struct flow f;
	uint32_t cwnd;

	flow_open(&f, &congestion_reno, 30, UNSET);
	flow_round(&f, 1, last_us);
	f.ack.rtt_us = rtt_us;
	for (uint32_t n = 0; n < samples; n++)
		flow_ack(&f, MSS);
	f.ack.rtt_us = 0;
	flow_ack(&f, MSS);
	cwnd = f.cc.cwnd;
	flow_ack(&f, MSS);
	return f.cc.cwnd == cwnd + MSS / 4;
}

START_TEST(how_much_delay_is_growing)
{
	/* RTT, and what is added to it: an eighth, 4 ms at least, 16 ms at most */
	static const uint32_t just[][2] = {
		{ 100, 4 * MS }, { 32 * MS, 4 * MS }, { 40 * MS, 5 * MS }, { 100 * MS, 12500 }, { 128 * MS, 16 * MS },
		{ 129 * MS, 16 * MS }, { 5 * S, 16 * MS },
	};

	for (size_t i = 0; i < sizeof just / sizeof *just; i++) {
		ck_assert(alarms(just[i][0], just[i][0] + just[i][1], 8));
		ck_assert(!alarms(just[i][0], just[i][0] + just[i][1] - 1, 8));
		ck_assert(!alarms(just[i][0], just[i][0] + just[i][1], 7));
		ck_assert(!alarms(just[i][0], 1, 20));
	}
	ck_assert(!alarms(0, 40 * MS, 20)); /* no sample in the round before */
	ck_assert(alarms(40 * MS, UINT32_MAX - 1, 8));
	ck_assert(!alarms(UINT32_MAX - 1, UINT32_MAX - 1, 8));
}
END_TEST

/* A round is compared with the one before it, not with the shortest of all. */
START_TEST(slowly_growing_delay)
{
	struct flow f;

	flow_open(&f, &congestion_reno, 10, UNSET);
	for (uint32_t round = 0; round < 8; round++)
		flow_round(&f, 1, 40 * MS + round * 4500);
	ck_assert_uint_eq(f.cc.cwnd, (10u << 8) * MSS);
}
END_TEST

START_TEST(only_the_first_slow_start_is_hystarts)
{
	for (int i = 0; i < 2; i++)
		for (int how = 0; how < 4; how++) {
			struct flow f;

			flow_open(&f, both[i], 10, how == 3 ? 10000 * MSS : UNSET); /* 3: taken over, with an ssthresh */
			if (how == 0)
				both[i]->reduce(&f.cc, 100 * MSS, 100 * MSS);
			if (how == 1)
				both[i]->timeout(&f.cc, 100 * MSS, 100 * MSS);
			if (how == 2) { /* it has ended one already */
				flow_round(&f, 1, 40 * MS);
				for (int n = 0; n < 7; n++)
					flow_round(&f, 1, 60 * MS);
				ck_assert_uint_lt(f.cc.ssthresh, UNSET);
			}
			f.cc.cwnd = 10 * MSS;
			f.cc.ssthresh = 10000 * MSS;
			f.ack.nxt = f.ack.una + f.cc.cwnd;
			for (uint32_t round = 1; round <= 9; round++)
				flow_round(&f, 1, round * 50 * MS);
			ck_assert_uint_eq(f.cc.cwnd, (10u << 9) * MSS);
		}
}
END_TEST

/* ---------------------------------------------------------------------------------------------- both */

/* RFC 4015: what was saved before is put back, and it is as if nothing had been. */
START_TEST(undone_by_putting_it_back)
{
	for (int i = 0; i < 2; i++)
		for (int how = 0; how < 2; how++) {
			struct flow f, g;

			flow_open(&f, both[i], 300, 2 * MSS);
			flow_round(&f, 1, 50 * MS);
			flow_reduce(&f);
			for (int n = 0; n < 40; n++)
				flow_round(&f, 2, 50 * MS);
			g = f;
			if (how)
				both[i]->timeout(&f.cc, f.cc.cwnd, f.cc.cwnd);
			else
				both[i]->reduce(&f.cc, f.cc.cwnd, f.cc.cwnd);
			ck_assert_uint_lt(f.cc.ssthresh, f.cc.cwnd);
			f.cc = g.cc;
			f.ack.now_us += 3 * S; /* of recovery, which the curve does not count */
			for (int n = 0; n < 40; n++) {
				flow_round(&f, 2, 50 * MS);
				flow_round(&g, 2, 50 * MS);
			}
			ck_assert(flow_near(f.cc.cwnd, g.cc.cwnd, 0.002, 0));
		}
}
END_TEST

static uint32_t any(uint32_t max)
{
	static const uint32_t odd[] = { 0, 1, 2, 47, 65535, 1u << 30, (1u << 31) - 1, 1u << 31, UINT32_MAX };
	uint32_t v = rnd(3) ? rnd(1u << 31) >> rnd(31) : odd[rnd(sizeof odd / sizeof *odd)];

	return v < max ? v : max;
}

static void event(struct cc *cc, struct cc_ack *ack)
{
	switch (rnd(40)) {
	case 0:
		cc->algorithm->reduce(cc, any(UINT32_MAX), any(UINT32_MAX));
		ck_assert_uint_ge(cc->ssthresh, 2 * cc->mss);
		cc->cwnd = cc->ssthresh < CWND_MAX ? cc->ssthresh : CWND_MAX;
		break;
	case 1:
		cc->algorithm->timeout(cc, any(UINT32_MAX), any(UINT32_MAX));
		ck_assert_uint_ge(cc->ssthresh, 2 * cc->mss);
		cc->cwnd = cc->mss;
		break;
	case 2:
		ack->now_us += 86400ull * S * rnd(30);
		if (rnd(2))
			cc->cwnd = cc->mss + any(CWND_MAX - cc->mss);
		cc->algorithm->idle(cc, 86400ull * S * rnd(30));
		break;
	case 3:
		cc->mss = 48 + any(65535 - 48);
	}
}

START_TEST(whatever_happens)
{
	rng = 3;
	for (int life = 0; life < 400; life++) {
		struct cc cc = { .mss = 48 + any(65535 - 48), .ssthresh = UNSET };
		struct cc_ack ack = { .now_us = rnd(2) ? rnd(100) : 1ull << 62 };

		cc.cwnd = 10 * cc.mss;
		cc.algorithm = both[life & 1];
		cc.algorithm->begin(&cc);
		for (int n = 0; n < 2000; n++) {
			uint32_t before, w_est;
			bool fine;

			event(&cc, &ack);
			before = cc.cwnd;
			w_est = cc.cubic.epoch_us ? cc.cubic.w_est : cc.cwnd;
			ack.now_us += any(UINT32_MAX) >> rnd(32);
			ack.acked = any(UINT32_MAX);
			ack.una += ack.acked;
			ack.nxt = ack.una + cc.cwnd;
			ack.rtt_us = any(UINT32_MAX);
			ack.srtt_us = any(UINT32_MAX);
			cc.algorithm->acked(&cc, &ack);
			/* By what was acknowledged at most; Reno, and the estimate of it, by a segment. */
			fine = cc.cwnd >= before && cc.cwnd <= CWND_MAX && (cc.cwnd - before <= ack.acked ||
				cc.cwnd == cc.cubic.w_est || (cc.algorithm == &congestion_reno && cc.cwnd - before <= cc.mss));
			if (cc.cubic.epoch_us)
				fine = fine && cc.cubic.w_est <= CWND_MAX && cc.cubic.w_est <= (uint64_t)w_est + cc.mss + 1;
			if (!fine)
				ck_abort_msg("life %d, event %d: cwnd %u, then %u", life, n, before, cc.cwnd);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("congestion control");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, algorithms_by_name);
	tcase_add_test(t, reno_grows_a_segment_a_round);
	tcase_add_test(t, reno_halves_the_flight);
	tcase_add_test(t, reno_counts_anew_after_idling);
	tcase_add_test(t, slow_start_doubles);
	tcase_add_test(t, slow_start_of_large_acks);
	tcase_add_test(t, slow_start_ends_at_ssthresh);
	tcase_add_test(t, steady_round_trips_never_end_slow_start);
	tcase_add_test(t, growing_delay_ends_slow_start);
	tcase_add_test(t, false_alarm_resumes_slow_start);
	tcase_add_test(t, false_alarm_within_a_round);
	tcase_add_test(t, how_much_delay_is_growing);
	tcase_add_test(t, slowly_growing_delay);
	tcase_add_test(t, only_the_first_slow_start_is_hystarts);
	tcase_add_test(t, undone_by_putting_it_back);
	tcase_add_test(t, whatever_happens);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

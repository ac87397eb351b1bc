/* The test bed itself: rates match what was asked for, the same seed gives the same trace, and nothing is lost that
 * was not to be. */
#include "core/link/sim.h"
#include "tests/run.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N 20000U

static struct link_sim *sim;
static struct link *a, *b;
static uint32_t ip_a, ip_b;

static void open_sim(uint64_t seed, const struct link_sim_path *p)
{
	ip_a = htonl(0x0a000001);
	ip_b = htonl(0x0a000002);
	sim = link_sim_new(seed);
	a = link_sim_host(sim, ip_a, 1480, 1 << 20);
	b = link_sim_host(sim, ip_b, 1480, 1 << 20);
	link_sim_path(sim, ip_a, ip_b, p);
}

/* A header with the ports and a number to know it by, and len bytes of data. */
static int send_one(uint32_t number, uint32_t len)
{
	static uint8_t data[65535];
	uint8_t header[20] = { 0, 1, 0, 2 };
	struct link_out o = { .src = { ip_a, htons(1) }, .dst = { ip_b, htons(2) }, .header = header,
			      .header_len = sizeof header, .data = data, .data_len = len };

	memcpy(header + 4, &number, 4);
	return a->ops->send(a, &o, 1);
}

static uint32_t number_of(const struct link_in *in)
{
	uint32_t n;

	memcpy(&n, in->segment + 4, 4);
	return n;
}

/* Sends n packets a millisecond apart and gives each that arrives to seen. A hash of all that happened. */
static uint64_t run(uint32_t n, void (*seen)(const struct link_in *, uint64_t now_us))
{
	uint64_t hash = 0;
	struct link_in in[8];
	int got;

	for (uint32_t i = 0; i < n + 1000; i++) {
		uint64_t now_us = i * 1000ULL;

		link_sim_clock(sim, now_us);
		if (i < n)
			ck_assert_int_eq(send_one(i, 100), 1);
		while ((got = b->ops->recv(b, in, 8)) > 0)
			for (int k = 0; k < got; k++) {
				hash = (hash ^ in[k].len ^ (in[k].len >= 8 ? number_of(&in[k]) : 0) ^ now_us) *
				       0x9e3779b97f4a7c15;
				if (seen)
					seen(&in[k], now_us);
			}
	}
	ck_assert_uint_eq(link_sim_next(sim), LINK_SIM_NEVER);
	return hash;
}

static uint32_t expected;

static void in_order(const struct link_in *in, uint64_t now_us)
{
	ck_assert_uint_eq(in->len, 120);
	ck_assert_uint_eq(number_of(in), expected);
	ck_assert_uint_eq(now_us, expected * 1000ULL + 7000);
	ck_assert_uint_eq(ntohs(in->src.port), 1);
	ck_assert_uint_eq(ntohs(in->dst.port), 2);
	ck_assert_uint_eq(in->src.ip, ip_a);
	ck_assert(!in->vouched);
	expected++;
}

START_TEST(clean)
{
	open_sim(1, &(struct link_sim_path){ .delay_us = 7000 });
	expected = 0;
	run(1000, in_order);
	ck_assert_uint_eq(expected, 1000);
	link_sim_free(sim);
}
END_TEST

/* Four standard deviations of a binomial distribution: the seed is fixed, so this holds for ever or never. */
static void near(uint64_t count, double p)
{
	double mean = N * p, off = (double)count - mean;

	ck_assert_msg(off * off <= 16 * mean * (1 - p) + 1, "%llu of %u instead of %.0f",
		      (unsigned long long)count, N, mean);
}

START_TEST(rates)
{
	struct link_sim_stats s;

	open_sim(3, &(struct link_sim_path){ .loss = 0.1, .duplicate = 0.05, .corrupt = 0.02, .reorder = 0.2,
					     .reorder_us = 5000 });
	run(N, NULL);
	s = link_sim_stats(sim, ip_a, ip_b);
	ck_assert_uint_eq(s.sent, N);
	near(s.lost, 0.1);
	near(s.duplicated, 0.9 * 0.05);
	near(s.corrupted, 0.9 * 1.05 * 0.02);
	near(s.reordered, 0.9 * 1.05 * 0.2);
	ck_assert_uint_eq(s.delivered, N - s.lost + s.duplicated);
	ck_assert_uint_eq(s.queue_drops + s.overflows + s.filtered, 0);
	link_sim_free(sim);
}
END_TEST

/* What may be marked is, as often as asked or where the queue is long; the rest never is. */
START_TEST(marks)
{
	for (uint8_t ecn = 0; ecn < 4; ecn++)
		for (int crowded = 0; crowded < 2; crowded++) {
			uint8_t bytes[120] = { 0 };
			struct link_sim_path path = { .mark = crowded ? 0 : 0.3, .mark_bytes = crowded ? 14000 : 0,
						      .rate_bps = crowded ? 1000 : 0 };
			struct link_out o = { .src = { ip_a, htons(1) }, .dst = { ip_b, htons(2) }, .header = bytes,
					      .header_len = 20, .data = bytes + 20, .data_len = 100, .ecn = ecn };
			struct link_in in[8];
			uint32_t marked = 0;

			open_sim(3, &path);
			for (uint32_t i = 0; i < 200; i++)
				ck_assert_int_eq(a->ops->send(a, &o, 1), 1);
			link_sim_clock(sim, 1000 * 1000000ULL);
			for (int got; (got = b->ops->recv(b, in, 8)) > 0;)
				for (int k = 0; k < got; k++) {
					ck_assert(in[k].ecn == ecn || in[k].ecn == 3);
					marked += in[k].ecn != ecn;
				}
			ck_assert_uint_eq(marked, link_sim_stats(sim, ip_a, ip_b).marked);
			if (ecn == 0 || ecn == 3)
				ck_assert_uint_eq(marked, 0);
			else if (crowded)
				ck_assert_uint_eq(marked, 99); /* of 140 bytes each, behind the first 101 */
			else
				ck_assert(marked > 40 && marked < 80);
			link_sim_free(sim);
		}
}
END_TEST

START_TEST(same_seed_same_trace)
{
	const struct link_sim_path p = { .loss = 0.1, .duplicate = 0.1, .corrupt = 0.1, .reorder = 0.1,
					 .reorder_us = 9000, .delay_us = 3000, .jitter_us = 4000 };
	uint64_t hash[3];

	for (int i = 0; i < 3; i++) {
		open_sim(i < 2 ? 42 : 43, &p);
		hash[i] = run(2000, NULL);
		link_sim_free(sim);
	}
	ck_assert_uint_eq(hash[0], hash[1]);
	ck_assert_uint_ne(hash[0], hash[2]);
}
END_TEST

/* Every packet that was corrupted differs in a burst of at most 16 bits, or is cut; others are as they were. */
static unsigned damaged;

static void compare(const struct link_in *in, uint64_t now_us)
{
	uint8_t want[120] = { 0, 1, 0, 2 };
	uint32_t first = 120, last = 0;

	(void)now_us;
	if (in->len < 120) {
		damaged++;
		return;
	}
	for (uint32_t i = 8; i < 120; i++)
		if (in->segment[i] != want[i]) {
			first = i < first ? i : first;
			last = i;
		}
	ck_assert(first == 120 || last - first <= 1);
	damaged += first < 120;
}

START_TEST(corruption)
{
	open_sim(5, &(struct link_sim_path){ .corrupt = 0.5 });
	damaged = 0;
	run(2000, compare);
	/* What hits the first 8 bytes is not looked at. */
	ck_assert_uint_gt(damaged, 600);
	ck_assert_uint_le(damaged, link_sim_stats(sim, ip_a, ip_b).corrupted);
	link_sim_free(sim);
}
END_TEST

START_TEST(bandwidth_and_queue)
{
	struct link_in in[64];
	int got = 0, n;

	/* 1000 bytes a millisecond; ten packets of 1000 bytes with IP at once, of which the queue holds five. */
	open_sim(7, &(struct link_sim_path){ .rate_bps = 8000000, .queue_bytes = 5000 });
	link_sim_clock(sim, 1000);
	for (uint32_t i = 0; i < 10; i++)
		send_one(i, 960);
	ck_assert_uint_eq(link_sim_stats(sim, ip_a, ip_b).queue_drops, 5);
	for (uint64_t ms = 2; ms <= 6; ms++) {
		ck_assert_uint_eq(link_sim_next(sim), ms * 1000);
		link_sim_clock(sim, ms * 1000 - 1);
		ck_assert_int_eq(b->ops->recv(b, in, 64), 0);
		link_sim_clock(sim, ms * 1000);
		while ((n = b->ops->recv(b, in, 64)) > 0)
			got += n;
	}
	ck_assert_int_eq(got, 5);
	link_sim_free(sim);
}
END_TEST

START_TEST(input_is_bounded)
{
	struct link_in in[64];
	int got = 0, n;

	open_sim(7, &(struct link_sim_path){ 0 });
	for (uint32_t i = 0; i < 2000; i++)
		send_one(i, 1000);
	link_sim_clock(sim, 1);
	while ((n = b->ops->recv(b, in, 64)) > 0)
		got += n;
	ck_assert_int_eq(got, (1 << 20) / 1040 + 1);
	ck_assert_uint_eq(link_sim_stats(sim, ip_a, ip_b).overflows, 2000 - (unsigned)got);
	link_sim_free(sim);
}
END_TEST

START_TEST(claims)
{
	struct link_addr one = { ip_a, htons(80) }, any = { 0, 0 }, other = { htonl(1), htons(81) };

	open_sim(1, &(struct link_sim_path){ 0 });
	ck_assert_int_eq(a->ops->claim(a, &one), 0);
	ck_assert_int_eq(a->ops->claim(a, &one), -EADDRINUSE);
	ck_assert_int_eq(a->ops->claim(a, &other), -EADDRNOTAVAIL);
	for (int i = 0; i < 10; i++) {
		any = (struct link_addr){ 0, 0 };
		ck_assert_int_eq(a->ops->claim(a, &any), 0);
		ck_assert_uint_ge(ntohs(any.port), 49152);
	}
	a->ops->release(a, &one);
	ck_assert_int_eq(a->ops->claim(a, &one), 0);
	ck_assert_int_eq(a->ops->fd(a), -1);
	link_sim_free(sim);
}
END_TEST

static bool third(void *ctx, struct link_sim_packet *p)
{
	(void)ctx;
	if (p->number == 3)
		p->segment[19] = 77;
	return p->number != 2;
}

static void count(void *ctx, enum link_sim_event event, const struct link_sim_packet *p)
{
	unsigned *counts = ctx;

	(void)p;
	counts[event]++;
}

START_TEST(filter_tap_inject)
{
	unsigned counts[2] = { 0 };
	struct link_in in[8];

	open_sim(1, &(struct link_sim_path){ 0 });
	link_sim_filter(sim, third, NULL);
	link_sim_tap(sim, count, counts);
	for (uint32_t i = 0; i < 5; i++)
		send_one(i, 0);
	link_sim_clock(sim, 1);
	ck_assert_int_eq(b->ops->recv(b, in, 8), 4);
	ck_assert_uint_eq(number_of(&in[2]), 3);
	ck_assert_uint_eq(in[2].segment[19], 77);
	ck_assert_uint_eq(counts[LINK_SIM_SENT], 4);
	ck_assert_uint_eq(counts[LINK_SIM_DELIVERED], 4);
	ck_assert_uint_eq(link_sim_stats(sim, ip_a, ip_b).filtered, 1);
	ck_assert(!link_sim_readable(b));
	link_sim_inject(sim, (struct link_addr){ 9, 9 }, (struct link_addr){ ip_b, 5 }, NULL, 0, ECONNREFUSED);
	ck_assert(link_sim_readable(b));
	ck_assert_int_eq(b->ops->recv(b, in, 8), 1);
	ck_assert_int_eq(in[0].error, ECONNREFUSED);
	ck_assert_uint_eq(in[0].len, 0);
	link_sim_free(sim);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link_sim");
	TCase *tc = tcase_create("sim");

	tcase_add_test(tc, clean);
	tcase_add_test(tc, rates);
	tcase_add_test(tc, marks);
	tcase_add_test(tc, same_seed_same_trace);
	tcase_add_test(tc, corruption);
	tcase_add_test(tc, bandwidth_and_queue);
	tcase_add_test(tc, input_is_bounded);
	tcase_add_test(tc, claims);
	tcase_add_test(tc, filter_tap_inject);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

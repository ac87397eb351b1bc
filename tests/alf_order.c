/* ADUs whose segments come in every order and cut in every way: each exactly once, as soon as its own bytes are there.
 * The receiver stands behind a real engine; the sender's bytes come from a script. */
#include "tests/alf_flow.h"
#include "tests/property.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#define ADUS 7
#define SIZE_MAX_ADU 4000
#define MANY 150 /* small ones, a few dozen to a segment */

static struct flow_pair pair;
static struct talk talk;
static uint8_t bytes[MANY][SIZE_MAX_ADU];
static size_t sizes[MANY];
static uint64_t begins[MANY + 1]; /* of the stream: ADU i stands between its begin and the next one's */

/* ADUs of those sizes, one after the other, behind the start-up frame. Returns where the first one begins. */
static uint64_t prepare(unsigned kind, unsigned adus, size_t cap)
{
	struct alf_profile p = flow_profile(kind);
	struct adu_attr attr = { .name = "name", .name_len = 4 };

	flow_pair_open(&pair, &p, &p);
	for (unsigned i = 0; i < adus; i++) {
		attr.type = (uint8_t)i;
		flow_fill(bytes[i], sizes[i], i);
		begins[i] = pair.flow[0].len;
		ck_assert_int_gt(flow_send(pair.end[0], bytes[i], sizes[i], &attr), 0);
		flow_pull(&pair.flow[0], pair.end[0], cap);
	}
	begins[adus] = pair.flow[0].len;
	return begins[0];
}

/* A receiver in the state that the responder has now, behind an engine of its own. */
static struct alf *receiver(unsigned kind, uint64_t first)
{
	struct alf_profile p = flow_profile(kind);
	struct alf *a;
	struct adu_event e;
	uint8_t reply[1024];
	size_t n;

	a = alf_new(&p);
	talk_open(&talk, &(struct net_config){ .seed = 1 }, 1460);
	tcpu_sink(talk.c, &a->in.sink);
	/* The request, our reply, and the first message. */
	talk_say(&talk, ACK, pair.flow[0].bytes, (uint32_t)pair.flow[0].ends[0]);
	tcpu_recv(talk.c, &a->in.sink);
	n = a->out.source.fill(a->out.source.ctx, 0, reply, sizeof reply, NULL);
	ck_assert_uint_gt(n, 0);
	talk_say(&talk, ACK, pair.flow[0].bytes + pair.flow[0].ends[0], (uint32_t)(first - pair.flow[0].ends[0]));
	tcpu_recv(talk.c, &a->in.sink);
	must(alf_event(a, &e) && e.kind == ADU_OPENED && !alf_event(a, &e));
	must(a->in.next == first);
	return a;
}

static void say(const struct alf *a, uint64_t first, uint64_t begin, uint64_t end)
{
	talk_say_at(&talk, ACK, talk.seq + (uint32_t)(begin - first), talk.ack, pair.flow[0].bytes + begin,
		(uint32_t)(end - begin));
	tcpu_recv(talk.c, (struct seam_sink *)&a->in.sink);
	script_forget(&talk.net);
}

/* Takes the ADUs that are whole. */
static void take(struct alf *a, bool *got)
{
	struct adu_event e;

	while (alf_event(a, &e)) {
		unsigned i = e.attr.type;
		if (e.kind != ADU_COMPLETE)
			ck_abort_msg("event %s: %s", adu_event_name(e.kind), strerror(e.error));
		must(i < MANY && !got[i] && e.len == sizes[i] && e.attr.name_len == 4 && !memcmp(e.attr.name, "name", 4));
		must(!sizes[i] || !memcmp(e.data, bytes[i], sizes[i]));
		got[i] = true;
		alf_forget(a, alf_in_find(a, e.id));
	}
}

static void done(struct alf *a, const bool *got, unsigned adus)
{
	for (unsigned i = 0; i < adus; i++)
		must(got[i]);
	must(!a->error && a->stats.bytes_held == 0 && a->in.next == pair.flow[0].len);
	tcpu_sink(talk.c, NULL);
	alf_free(a);
	talk_close(&talk);
}

/* ---- orders ---- */

/* The i-th permutation of n things, 0 <= i < n!. */
static void permute(unsigned i, unsigned n, unsigned *out)
{
	unsigned left[8];

	for (unsigned k = 0; k < n; k++)
		left[k] = k;
	for (unsigned k = n; k; k--) {
		unsigned at = i % k;
		i /= k;
		out[n - k] = left[at];
		memmove(left + at, left + at + 1, (k - at - 1) * sizeof *left);
	}
}

/* Each ADU is a segment: it is there as soon as that has come. */
START_TEST(every_order)
{
	unsigned kind = (unsigned)_i, order[ADUS];
	uint64_t first;

	for (unsigned i = 0; i < ADUS; i++)
		sizes[i] = 700 + i * 100 + i % 3;
	first = prepare(kind, ADUS, 1460);
	for (unsigned i = 0; i < 5040; i++) {
		bool got[ADUS] = { false };
		struct alf *a = receiver(kind, first);
		permute(i, ADUS, order);
		for (unsigned k = 0; k < ADUS; k++) {
			say(a, first, begins[order[k]], begins[order[k] + 1]);
			take(a, got);
			must(got[order[k]]);
		}
		must(a->stats.fpdus_direct >= ADUS);
		done(a, got, ADUS);
	}
	flow_close(&pair);
}
END_TEST

/* Three ADUs of two or three segments each: one is there as soon as the last of its own has come. */
START_TEST(every_order_of_pieces)
{
	unsigned kind = (unsigned)_i, order[7], n = 0, of[7];
	uint64_t first, cuts[8];

	sizes[0] = 2000, sizes[1] = 3001, sizes[2] = 1900;
	first = prepare(kind, 3, 1460);
	cuts[0] = first;
	for (unsigned i = 0; i < pair.flow[0].segments; i++) {
		if (pair.flow[0].ends[i] <= first)
			continue;
		must(n < 7);
		of[n] = pair.flow[0].ends[i] <= begins[1] ? 0 : pair.flow[0].ends[i] <= begins[2] ? 1 : 2;
		cuts[++n] = pair.flow[0].ends[i];
	}
	ck_assert_uint_eq(n, 7);
	for (unsigned i = 0; i < 5040; i++) {
		bool got[ADUS] = { false };
		unsigned left[3] = { 2, 3, 2 };
		struct alf *a = receiver(kind, first);
		permute(i, 7, order);
		for (unsigned k = 0; k < 7; k++) {
			uint64_t most = 0;
			say(a, first, cuts[order[k]], cuts[order[k] + 1]);
			take(a, got);
			left[of[order[k]]]--;
			for (unsigned j = 0; j < 3; j++) {
				must(got[j] == (left[j] == 0));
				most += got[j] ? 0 : sizes[j];
			}
			must(a->stats.bytes_held <= most);
		}
		done(a, got, 3);
	}
	flow_close(&pair);
}
END_TEST

/* More frames in each segment than can be undone: they are taken all the same, those that a marker tells of as soon as
 * their segment has come. */
START_TEST(every_order_of_many)
{
	enum { SEGMENTS = 5, ORDERS = 120 };
	const unsigned kind = (unsigned)_i, adus = kind == 2 ? 105 : MANY; /* with tags, fewer fit */
	unsigned order[SEGMENTS], from;
	uint64_t first, cuts[SEGMENTS + 1];

	for (unsigned i = 0; i < adus; i++)
		sizes[i] = i % 9;
	first = prepare(kind, 0, 1460);
	for (unsigned i = 0; i < adus; i++) {
		flow_fill(bytes[i], sizes[i], i);
		must(flow_send(pair.end[0], bytes[i], sizes[i], &(struct adu_attr){ .type = (uint8_t)i, .name = "name",
			.name_len = 4 }) > 0);
	}
	from = pair.flow[0].segments;
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	ck_assert_uint_eq(pair.flow[0].segments, from + SEGMENTS);
	ck_assert_uint_gt(adus / SEGMENTS, ALF_DONE_MAX);
	cuts[0] = first;
	memcpy(cuts + 1, pair.flow[0].ends + from, SEGMENTS * sizeof *cuts);
	begins[adus] = pair.flow[0].len;
	for (unsigned i = 0; i < ORDERS; i++) {
		bool got[MANY] = { false };
		struct alf *a = receiver(kind, first);
		permute(i, SEGMENTS, order);
		for (unsigned k = 0; k < SEGMENTS; k++) {
			say(a, first, cuts[order[k]], cuts[order[k] + 1]);
			take(a, got);
			must(a->stats.adus_complete > k * ALF_DONE_MAX);
		}
		done(a, got, adus);
	}
	flow_close(&pair);
}
END_TEST

/* ---- cuts ---- */

#define PLACES 15

/* All ways to cut the stream at these places, in order and from behind. */
START_TEST(every_cut)
{
	static const int places[PLACES] = { 1, 2, 3, 17, 20, 33, 300, 511, 514, 700, 1021, 1300, 1302, 1400, 1800 };
	unsigned kind = (unsigned)_i / 2, backwards = (unsigned)_i % 2;
	uint64_t first, cuts[PLACES + 2];

	sizes[0] = 600, sizes[1] = 601, sizes[2] = 0, sizes[3] = 500;
	first = prepare(kind, 4, 1460);
	must(begins[4] - first > 1800);
	for (unsigned set = 0; set < 1U << PLACES; set++) {
		bool got[ADUS] = { false };
		struct alf *a = receiver(kind, first);
		unsigned n = 0;
		cuts[n++] = first;
		for (unsigned i = 0; i < PLACES; i++)
			if (set & 1U << i)
				cuts[n++] = first + (uint64_t)places[i];
		cuts[n] = begins[4];
		for (unsigned i = 0; i < n; i++) {
			unsigned k = backwards ? n - 1 - i : i;
			say(a, first, cuts[k], cuts[k + 1]);
			take(a, got);
		}
		done(a, got, 4);
	}
	flow_close(&pair);
}
END_TEST

/* Segments that overlap and repeat what has come. */
START_TEST(overlaps)
{
	struct random dice = random_seed(_i);
	unsigned kind = (unsigned)_i % FLOW_KINDS;
	bool got[ADUS] = { false };
	uint64_t first, all;
	struct alf *a;

	for (unsigned i = 0; i < ADUS; i++)
		sizes[i] = rnd(&dice, SIZE_MAX_ADU);
	first = prepare(kind, ADUS, 200 + rnd(&dice, 1260));
	all = begins[ADUS] - first;
	a = receiver(kind, first);
	for (unsigned k = 0; k < 400; k++) {
		uint64_t begin = rnd(&dice, (uint32_t)all), n = 1 + rnd(&dice, 1460);
		say(a, first, first + begin, first + (begin + n < all ? begin + n : all));
		take(a, got);
	}
	for (uint64_t at = 0; at < all; at += 1000)
		say(a, first, first + at, first + (at + 1460 < all ? at + 1460 : all));
	take(a, got);
	done(a, got, ADUS);
	flow_close(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("order");
	TCase *tc = tcase_create("orders");

	mallopt(M_TRIM_THRESHOLD, 1 << 26); /* a hundred thousand connections one after the other */
	mallopt(M_MMAP_THRESHOLD, 1 << 26);
	tcase_add_loop_test(tc, every_order, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, every_order_of_pieces, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, every_order_of_many, 0, FLOW_KINDS);
	suite_add_tcase(suite, tc);
	tc = tcase_create("cuts");
	tcase_add_loop_test(tc, every_cut, 0, 2 * FLOW_KINDS);
	suite_add_tcase(suite, tc);
	tc = tcase_create("overlaps");
	property_add(tc, overlaps, 200);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

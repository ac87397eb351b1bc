/* A sink that takes what comes over holes: each byte of the stream once, at its place, whatever the network does and
 * whatever the sink declines; and what the peer hears of it. */
#include "core/cksum.h"
#include "core/plain.h"
#include "tests/property.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <errno.h>
#include <string.h>

#define TOTAL 400000
#define MSS 1000

static struct net net;
static struct talk talk;
static struct random dice;
static uint8_t bytes[TOTAL];

/* What the sink has. */
static struct {
	struct seam_sink seam;
	uint8_t data[TOTAL];
	bool got[TOTAL];
	unsigned declines;           /* of a hundred */
	uint64_t count, next;        /* bytes; behind the last that came in order */
	unsigned over, shown, refused;
	unsigned asked;              /* how often it had a look */
	struct { uint64_t off; size_t n; bool over; } open; /* taken, and not settled */
} sink;

static void take(uint64_t off, const uint8_t *data, size_t n)
{
	must(off + n <= TOTAL);
	for (size_t i = 0; i < n; i++)
		must(!sink.got[off + i]);
	memcpy(sink.data + off, data, n);
	memset(sink.got + off, true, n);
	sink.count += n;
	while (sink.next < TOTAL && sink.got[sink.next])
		sink.next++;
}

static size_t drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	(void)ctx;
	if (rnd(&dice, 100) < sink.declines && (sum || off != sink.next))
		return 0;
	/* What is known to be good may be taken in part, in order. */
	if (!sum && off == sink.next && rnd(&dice, 4) == 0)
		len = 1 + rnd(&dice, (uint32_t)len);
	if (sum)
		*sum = tcpu_sum(data, len);
	sink.open.off = off;
	sink.open.n = len;
	sink.open.over = off != sink.next;
	take(off, data, len);
	return len;
}

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	(void)ctx;
	must(off == sink.open.off && n == sink.open.n);
	if (good) {
		sink.over += sink.open.over;
		return;
	}
	memset(sink.got + off, false, n);
	sink.count -= n;
	sink.next = sink.next < off ? sink.next : off;
	sink.refused++;
}

static bool show(void *ctx, uint64_t off, const uint8_t *const data[2], const uint32_t len[2], uint64_t *begin,
	uint64_t *end)
{
	(void)ctx;
	uint32_t all = len[0] + len[1], skip = off == sink.next ? 0 : rnd(&dice, all), n = 1 + rnd(&dice, all - skip);

	sink.asked++;
	for (uint32_t i = 0; i < all; i++)
		must((i < len[0] ? data[0][i] : data[1][i - len[0]]) == bytes[off + i] && !sink.got[off + i]);
	if (off != sink.next && rnd(&dice, 2))
		return false;
	for (uint32_t i = skip; i < skip + n; i++)
		take(off + i, i < len[0] ? data[0] + i : data[1] + i - len[0], 1);
	*begin = off + skip;
	*end = off + skip + n;
	sink.shown++;
	return true;
}

static void sink_open(unsigned declines)
{
	memset(&sink, 0, sizeof sink);
	sink.seam = (struct seam_sink){ .drain = drain, .settle = settle, .show = show };
	sink.declines = declines;
	for (size_t i = 0; i < TOTAL; i++)
		bytes[i] = (uint8_t)(i * 0x9e3779b97f4a7c15 >> 56);
}

/* ---- over networks that lose, reorder, repeat and spoil ---- */

static struct plain_source source;
static struct tcb *to;

static void app(struct net *n, int peer, void *ctx)
{
	struct tcb *from = ctx;

	if (sink.count < TOTAL)
		n->app_wake_us = n->now_us + 100 * NET_MS;
	if (peer == 0 && source.done < TOTAL)
		tcpu_send(from, &source.seam, 0);
	if (peer == 1 && to && rnd(&dice, 3))
		tcpu_recv(to, &sink.seam);
	if (peer == 1 && to && rnd(&dice, 20) == 0)
		tcpu_sink(to, rnd(&dice, 3) ? &sink.seam : NULL);
}

static bool all_here(struct net *n, void *ctx)
{
	(void)n;
	(void)ctx;
	return sink.count == TOTAL;
}

START_TEST(each_byte_once)
{
	struct link_sim_path path = { .loss = 0.05, .duplicate = 0.02, .corrupt = _i % 2 ? 0.06 : 0, .reorder = 0.1,
		.delay_us = 5000, .reorder_us = 3000 };
	struct net_config config = { .seed = (uint64_t)_i, .path = { path, path } };
	struct tcb *from;

	dice = random_seed(_i);
	config.engine[1].options.rcvbuf_bytes = 5000 + rnd(&dice, 60000);
	config.engine[0].options.mss_max = 100 + rnd(&dice, 1400);
	net_open(&net, &config);
	net.peer[1].vouches = _i % 2 == 0;
	net_pair(&net, &from, &to);
	sink_open(rnd(&dice, 60));
	tcpu_sink(to, &sink.seam);
	plain_source(&source, bytes, TOTAL);
	net.app = app;
	net.app_ctx = from;
	ck_assert(net_until(&net, all_here, NULL, 600 * NET_S));
	ck_assert(!memcmp(sink.data, bytes, TOTAL));
	ck_assert_uint_gt(sink.over, 0);
	ck_assert_uint_gt(sink.shown, 0);
	if (_i % 2)
		ck_assert_uint_gt(sink.refused, 0);
	ck_assert_uint_eq(net_info(to).received_bytes, TOTAL);
	net_close(&net);
}
END_TEST

/* ---- as a script sees it ---- */

/* The engine under test receives, all of it by the sink. */
static void receiver(void)
{
	sink_open(0);
	talk_open(&talk, &(struct net_config){ .seed = 1 }, MSS);
	tcpu_sink(talk.c, &sink.seam);
}

/* Segment i, in order or not; and the ACK that comes, at once. */
static void say_segment(uint32_t first, unsigned i)
{
	talk_say_at(&talk, ACK, first + i * MSS, talk.ack, bytes + i * MSS, MSS);
}

START_TEST(taken_over_a_hole)
{
	uint32_t first;

	receiver();
	first = talk.seq;
	say_segment(first, 1);
	ck_assert_uint_eq(sink.count, MSS);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, first);
	say_segment(first, 3);
	ck_assert_uint_eq(sink.count, 2 * MSS);
	talk_expect(&talk, ACK, 0);
	/* Again: neither taken nor kept, and told. */
	say_segment(first, 1);
	ck_assert_uint_eq(sink.count, 2 * MSS);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(net_info(talk.c).out_of_order, 3);
	/* The hole is filled: what is behind it needs no second reading. */
	say_segment(first, 0);
	ck_assert_uint_eq(sink.count, 3 * MSS);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, first + 2 * MSS);
	say_segment(first, 2);
	talk_expect(&talk, ACK, 0);
	ck_assert_uint_eq(talk.heard.ack, first + 4 * MSS);
	ck_assert_uint_eq(sink.count, 4 * MSS);
	ck_assert_uint_eq(net_info(talk.c).direct_bytes, 4 * MSS);
	ck_assert_uint_eq(net_info(talk.c).waiting_bytes, 0);
	ck_assert(!memcmp(sink.data, bytes, 4 * MSS));
	talk_close(&talk);
}
END_TEST

/* MSG_PEEK sees what waits, and only to where the user has it already. */
START_TEST(peek_stops_before_what_is_gone)
{
	static uint8_t seen[TOTAL];
	uint32_t first;

	receiver();
	first = talk.seq;
	say_segment(first, 1);
	tcpu_sink(talk.c, NULL);
	say_segment(first, 0);
	say_segment(first, 2);
	ck_assert_int_eq(tcpu_peek(talk.c, seen, sizeof seen), MSS);
	ck_assert(!memcmp(seen, bytes, MSS));
	ck_assert_int_eq(tcpu_peek(talk.c, seen, sizeof seen), MSS);
	ck_assert_int_eq(net_recv(talk.c, seen, sizeof seen), 2 * MSS);
	ck_assert(!memcmp(seen, bytes, MSS) && !memcmp(seen + MSS, bytes + 2 * MSS, MSS));
	talk_close(&talk);
}
END_TEST

/* What comes while there is no sink is shown to it later, behind what it has taken as well. */
START_TEST(shown_behind_what_is_gone)
{
	uint32_t first;

	receiver();
	first = talk.seq;
	say_segment(first, 1);
	ck_assert_uint_eq(sink.count, MSS);
	tcpu_sink(talk.c, NULL);
	say_segment(first, 2);
	say_segment(first, 5);
	ck_assert_uint_eq(sink.asked, 0);
	tcpu_sink(talk.c, &sink.seam);
	ck_assert_uint_eq(sink.asked, 2);
	talk_close(&talk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("over holes");
	TCase *tc = tcase_create("over");

	property_add(tc, each_byte_once, 40);
	tcase_add_test(tc, taken_over_a_hole);
	tcase_add_test(tc, peek_stops_before_what_is_gone);
	tcase_add_test(tc, shown_behind_what_is_gone);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

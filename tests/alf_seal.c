/* Authenticated ADUs: no nonce meets two plaintexts, keys change in time. */
#include "tests/alf_ends.h"
#include "tests/alf_watch.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[32] = "a key for tests, of 32 bytes...", iv[12] = "twelve bytes";

/* ---- nonces ---- */

#define SMALL 400 /* bytes of an ADU at most, but for some */
#define LARGE 6000

static struct ends ends;
static struct random dice;
/* ADUs that an end sends, or has: */
struct side {
	uint64_t total, queued, over; /* to go; queued; sent or dropped: */
	uint64_t expired, superseded;
	uint64_t received;            /* whole, of the other end's */
};
static struct side sides[2];
static uint8_t source_bytes[LARGE + 4096];
static uint8_t region[2][LARGE];
static int failed;

/* The bytes of an ADU follow from its handle. */
static const uint8_t *bytes_of(uint64_t id)
{
	return source_bytes + id * 7 % 4096;
}

static bool regenerate(void *ctx, uint64_t id, const struct adu_attr *attr, uint64_t offset, void *to, size_t n)
{
	(void)ctx;
	(void)attr;
	memcpy(to, bytes_of(id) + offset, n);
	return true;
}

static struct side *side_of(const struct end *e)
{
	return &sides[e - ends.end];
}

static void turn(struct end *e)
{
	struct side *s = side_of(e);

	while (s->queued < s->total && s->queued - s->over < 100) {
		const int64_t next = e->alf->next_out;
		struct adu_attr attr = { .name_len = 8, .priority = (uint8_t)rnd(&dice, 3),
			.recovery = (uint8_t)(ADU_KEEP + rnd(&dice, 4)), .deadline_ms = rnd(&dice, 20) ? 0 : 1 + rnd(&dice, 300) };
		size_t len = rnd(&dice, rnd(&dice, 50) ? SMALL : LARGE);
		struct adu_out like = { .own = { (void *)bytes_of((uint64_t)next), len }, .total = len,
			.here = len, .attr = attr, .tagged = rnd(&dice, 10) == 0, .stag = 1 }, *old;
		memcpy(like.attr.name, &next, sizeof next);
		must(alf_queue(e->alf, &like, NULL) == next);
		s->queued++;
		old = rnd(&dice, 30) ? NULL : alf_out_find(e->alf, next - 2 * (int64_t)rnd(&dice, 20));
		if (old)
			alf_drop(e->alf, old, CONTROL_SUPERSEDED, EEXIST);
	}
}

static void event(struct end *e, const struct adu_event *ev)
{
	struct side *s = side_of(e);
	uint64_t id;

	switch (ev->kind) {
	case ADU_SENT:
	case ADU_EXPIRED:
	case ADU_CANCELLED:
		s->over++;
		s->expired += ev->kind == ADU_EXPIRED;
		s->superseded += ev->kind == ADU_CANCELLED && ev->error == EEXIST;
		break;
	case ADU_COMPLETE:
		memcpy(&id, ev->attr.name, sizeof id);
		must(ev->attr.name_len == sizeof id && (!ev->len || !memcmp(ev->data, bytes_of(id), ev->len)));
		s->received++;
		alf_forget(e->alf, alf_in_find(e->alf, ev->id));
		break;
	case ADU_ERROR:
		failed = ev->error;
		break;
	default:
		break;
	}
}

static bool all_over(struct ends *b)
{
	bool over = true;

	for (int i = 0; i < 2; i++) {
		const struct end *e = &b->end[i];
		over &= sides[i].over == sides[i].total && !e->alf->out.ids.count &&
			tcpu_acked(e->tcb) >= e->alf->out.origin && net_info(e->tcb).buffered_bytes == 0;
	}
	return failed || over;
}

/* One end sends so many ADUs, or each does. */
static void watch(uint64_t seed, uint64_t adus, int senders, uint64_t rekey_after)
{
	struct link_sim_path path = { .loss = 0.02, .delay_us = 3000, .reorder = 0.01, .reorder_us = 2000, .duplicate = 0.01 };
	struct net_config config = { .seed = seed, .path = { path, path } };
	struct alf_profile p = { .chain = watch_chains, .key = key, .iv = iv, .quantum = 1000,
		.rekey_after = rekey_after }, q;

	dice = random_seed((int)seed);
	memset(sides, 0, sizeof sides);
	for (int i = 0; i < senders; i++)
		sides[i].total = adus;
	failed = 0;
	flow_fill(source_bytes, sizeof source_bytes, 5);
	watch_forget();
	p.markers = rnd(&dice, 2);
	p.crc = rnd(&dice, 2);
	q = p;
	q.markers = rnd(&dice, 4);
	p.hooks.regenerate = q.hooks.regenerate = regenerate;
	config.engine[0].options.sndbuf_bytes = config.engine[1].options.sndbuf_bytes = 1 << 13;
	ends_open(&ends, &config, &p, &q);
	for (int i = 0; i < 2; i++) {
		tcpu_source(ends.end[i].tcb, &ends.end[i].alf->out.source);
		must(!adu_expose(ends.end[i].alf, 1, region[i], LARGE));
		ends.end[i].turn = turn;
		ends.end[i].event = event;
	}
	ck_assert(ends_run(&ends, all_over, 100000 * NET_S));
	ck_assert_int_eq(failed, 0);
}

START_TEST(no_nonce_twice)
{
	struct watch_count c;

	watch((uint64_t)_i, 5000, 1, 0);
	ck_assert_uint_gt(sides[1].received, 3000);
	ck_assert_uint_gt(net_info(ends.end[0].tcb).retransmits, 0);
	ck_assert_uint_gt(ends.end[0].alf->stats.regenerated, 0);
	c = watch_forget();
	ck_assert_uint_gt(c.sealed, 4500);
	ck_assert_uint_gt(c.again, 0); /* what was made again */
	ends_close(&ends);
}
END_TEST

START_TEST(keys_change)
{
	watch((uint64_t)_i, 3000, 1, 40 + (uint64_t)_i * 3);
	ck_assert_uint_gt(ends.end[0].alf->stats.rekeys, 10);
	ck_assert_uint_eq(ends.end[0].alf->out.key.generation, ends.end[0].alf->stats.rekeys);
	ck_assert_uint_gt(sides[1].received, 1500);
	watch_forget();
	ends_close(&ends);
}
END_TEST

/* What it came to, in a line. */
static void say(const struct watch_count *c)
{
	printf("%" PRIu64 " frames sealed, %" PRIu64 " again", c->sealed, c->again);
	for (int i = 0; i < 2; i++) {
		const struct alf_stats *s = &ends.end[i].alf->stats;
		printf("; of end %d: %" PRIu64 " retransmits, %" PRIu64 " regenerated, %" PRIu64 " keys changed, %" PRIu64
			" ADUs expired, %" PRIu64 " superseded, %" PRIu64 " received", i,
			(uint64_t)net_info(ends.end[i].tcb).retransmits, s->regenerated, s->rekeys, sides[i].expired,
			sides[i].superseded, sides[i].received);
	}
	puts("");
}

/* Both ends seal, with the same key at first, a million frames and more; and all that might make a nonce come twice
 * does happen, at both. */
START_TEST(a_million)
{
	struct watch_count c;

	watch(1, 500000, 2, 30000);
	c = watch_forget();
	say(&c);
	ck_assert_uint_gt(c.sealed, 1000000);
	ck_assert_uint_gt(c.again, 2000);
	for (int i = 0; i < 2; i++) {
		const struct alf_stats *s = &ends.end[i].alf->stats;
		ck_assert_uint_gt(net_info(ends.end[i].tcb).retransmits, 2500);
		ck_assert_uint_gt(s->regenerated, 1000);
		ck_assert_uint_gt(s->rekeys, 10);
		ck_assert_uint_gt(sides[i].expired, 2000);
		ck_assert_uint_gt(sides[i].superseded, 5000);
		ck_assert_uint_gt(sides[i].received, 400000); /* what was put, or dropped, is not among them */
	}
	ends_close(&ends);
}
END_TEST

/* ---- keys that both ends make ---- */

static struct flow_pair pair;

static unsigned asked;

/* Of the salts of both; the initiator's first. */
static bool make_key(void *ctx, const struct alf_peer *peer, uint8_t *to, uint8_t iv_to[12])
{
	const char *mine = ctx, *first = *mine == 'a' ? mine : peer->private_data;

	asked++;
	if (peer->private_len != 4)
		return false;
	memset(to, 0, 32);
	memcpy(to, first, 4);
	memcpy(to + 4, first == mine ? peer->private_data : mine, 4);
	memcpy(iv_to, iv, 12);
	return true;
}

static struct alf_profile salted(const char *salt, uint16_t len)
{
	return (struct alf_profile){ .chain = watch_chains, .crc = true, .private_data = salt,
		.private_len = len, .hooks = { .key = make_key, .ctx = (void *)salt } };
}

START_TEST(key_of_both_salts)
{
	struct alf_profile p = salted("a123", 4), q = salted("b456", 4);
	static uint8_t data[900];
	struct adu_event e;
	bool whole = false;

	asked = 0;
	flow_fill(data, sizeof data, 1);
	flow_pair_open(&pair, &p, &q);
	ck_assert_uint_eq(asked, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_mem_eq(pair.end[i]->out.key.key, "a123b456", 8);
		ck_assert_mem_eq(pair.end[i]->in.key.key, "a123b456", 8);
	}
	flow_send(pair.end[0], data, sizeof data, NULL);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	flow_show(&pair.flow[0], pair.end[1]);
	while (alf_event(pair.end[1], &e))
		if (e.kind == ADU_COMPLETE)
			whole = !memcmp(e.data, data, sizeof data);
	ck_assert(whole);
	flow_close(&pair);
}
END_TEST

START_TEST(no_key)
{
	struct alf_profile p = salted("a123", 3), q = salted("b456", 4);
	struct alf *a = alf_new((p.initiator = true, &p)), *b = alf_new(&q);

	ck_assert(a && b);
	pair = (struct flow_pair){ .end = { a, b } };
	flow_pull(&pair.flow[0], a, 1460);
	flow_show(&pair.flow[0], b);
	flow_pull(&pair.flow[1], b, 1460);
	ck_assert_int_eq(b->error, EACCES);
	ck_assert(!alf_wants_out(b));
	flow_show(&pair.flow[1], a);
	ck_assert_int_eq(a->error, ECONNREFUSED);
	flow_close(&pair);
	/* Either a key or who makes it. */
	p.key = key;
	p.iv = iv;
	ck_assert_ptr_null(alf_new(&p));
	p.hooks.key = NULL;
	p.iv = NULL;
	ck_assert_ptr_null(alf_new(&p));
	p.key = NULL;
	ck_assert_ptr_null(alf_new(&p));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *tc = tcase_create("nonces");

	property_add(tc, no_nonce_twice, 40);
	property_add(tc, keys_change, 30);
	tcase_add_test(tc, a_million);
	suite_add_tcase(suite, tc);
	tc = tcase_create("keys");
	tcase_add_test(tc, key_of_both_salts);
	tcase_add_test(tc, no_key);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

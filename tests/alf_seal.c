/* Authenticated ADUs: no nonce meets two plaintexts, nothing is seen that is not authentic, keys change in time. */
#include "tests/alf_ends.h"
#include "tests/alf_watch.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[32] = "a key for tests, of 32 bytes...", iv[12] = "twelve bytes";

/* ---- nonces ---- */

#define SMALL 400 /* bytes of an ADU at most, but for some */
#define LARGE 6000

static struct ends ends;
static struct random dice;
static uint64_t total, queued, over, received; /* ADUs: to go; queued; sent or dropped; that came */
static uint8_t source_bytes[LARGE + 4096];
static uint8_t region[LARGE];
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

static void turn(struct end *e)
{
	while (queued < total && queued - over < 100) {
		const int64_t next = e->alf->next_out;
		struct adu_attr attr = { .name_len = 8, .priority = (uint8_t)rnd(&dice, 3),
			.recovery = (uint8_t)(ADU_KEEP + rnd(&dice, 4)), .deadline_ms = rnd(&dice, 20) ? 0 : 1 + rnd(&dice, 300) };
		size_t len = rnd(&dice, rnd(&dice, 50) ? SMALL : LARGE);
		struct adu_out like = { .own = { (void *)bytes_of((uint64_t)next), len }, .total = len,
			.here = len, .attr = attr, .tagged = rnd(&dice, 10) == 0, .stag = 1 }, *old;
		memcpy(like.attr.name, &next, sizeof next);
		must(alf_queue(e->alf, &like, NULL) == next);
		queued++;
		old = rnd(&dice, 30) ? NULL : alf_out_find(e->alf, next - 2 * (int64_t)rnd(&dice, 20));
		if (old)
			alf_drop(e->alf, old, CONTROL_SUPERSEDED, EEXIST);
	}
}

static void event(struct end *e, const struct adu_event *ev)
{
	uint64_t id;

	switch (ev->kind) {
	case ADU_SENT:
	case ADU_EXPIRED:
	case ADU_CANCELLED:
		over++;
		break;
	case ADU_COMPLETE:
		memcpy(&id, ev->attr.name, sizeof id);
		must(ev->attr.name_len == sizeof id && (!ev->len || !memcmp(ev->data, bytes_of(id), ev->len)));
		received++;
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
	return failed || (over == total && !b->end[0].alf->out.ids.count && tcpu_acked(b->end[0].tcb) >=
		b->end[0].alf->out.origin && net_info(b->end[0].tcb).buffered_bytes == 0);
}

static void watch(uint64_t seed, uint64_t adus, uint64_t rekey_after)
{
	struct link_sim_path path = { .loss = 0.02, .delay_us = 3000, .reorder = 0.01, .reorder_us = 2000, .duplicate = 0.01 };
	struct net_config config = { .seed = seed, .path = { path, path } };
	struct alf_profile p = { .chain = watch_chains, .key = key, .iv = iv, .quantum = 1000,
		.rekey_after = rekey_after }, q;

	dice = random_seed((int)seed);
	total = adus;
	queued = over = received = 0;
	failed = 0;
	flow_fill(source_bytes, sizeof source_bytes, 5);
	watch_forget();
	p.markers = rnd(&dice, 2);
	p.crc = rnd(&dice, 2);
	q = p;
	q.markers = rnd(&dice, 4);
	p.hooks.regenerate = regenerate;
	config.engine[0].options.sndbuf_bytes = 1 << 13;
	ends_open(&ends, &config, &p, &q);
	tcpu_source(ends.end[0].tcb, &ends.end[0].alf->out.source);
	must(!adu_expose(ends.end[1].alf, 1, region, sizeof region));
	ends.end[0].turn = turn;
	ends.end[0].event = ends.end[1].event = event;
	ck_assert(ends_run(&ends, all_over, 100000 * NET_S));
	ck_assert_int_eq(failed, 0);
}

START_TEST(no_nonce_twice)
{
	struct watch_count c;

	watch((uint64_t)_i, 5000, 0);
	ck_assert_uint_gt(received, 3000);
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
	watch((uint64_t)_i, 3000, 40 + (uint64_t)_i * 3);
	ck_assert_uint_gt(ends.end[0].alf->stats.rekeys, 10);
	ck_assert_uint_eq(ends.end[0].alf->out.key.generation, ends.end[0].alf->stats.rekeys);
	ck_assert_uint_gt(received, 1500);
	watch_forget();
	ends_close(&ends);
}
END_TEST

START_TEST(a_million)
{
	struct watch_count c;

	watch(1, 1000000, 200000);
	c = watch_forget();
	ck_assert_uint_gt(c.sealed, 900000);
	ends_close(&ends);
}
END_TEST

/* ---- forgeries ---- */

static struct flow_pair pair;

/* Whatever bit of a frame is another: the ADU does not come, and what came is not to be seen. */
START_TEST(every_bit)
{
	struct alf_profile p = flow_profile((unsigned)_i), q = p;
	struct adu_attr attr = { .name = "its name", .name_len = 8, .type = 3 };
	static uint8_t data[700];
	struct adu_event e;
	uint64_t from, bits = 0;

	if (!p.key)
		return;
	p.crc = q.crc = false; /* else that finds it first */
	q.markers = false;
	flow_fill(data, sizeof data, 1);
	flow_pair_open(&pair, &p, &q);
	flow_send(pair.end[0], data, sizeof data, &attr);
	from = pair.flow[0].len;
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	alf_free(pair.end[1]);
	for (uint64_t bit = from * 8; bit < pair.flow[0].len * 8; bit++) {
		const bool padding = bit / 8 >= pair.flow[0].len - 4; /* CRC, not used */
		struct alf *in;
		q.initiator = false;
		in = alf_new(&q);
		pair.end[1] = in;
		pair.flow[0].shown = pair.flow[1].shown = pair.flow[1].len = 0;
		pair.flow[1].segments = 0;
		pair.flow[0].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* The request; our reply; then the rest. */
		const uint8_t *bytes[2] = { pair.flow[0].bytes, NULL };
		const uint32_t len[2] = { (uint32_t)pair.flow[0].ends[0], 0 };
		uint64_t begin, end;
		must(in->in.sink.show(in, 0, bytes, len, &begin, &end));
		pair.flow[0].shown = end;
		flow_pull(&pair.flow[1], in, 1460);
		flow_show(&pair.flow[0], in);
		while (alf_event(in, &e))
			if (e.kind == ADU_COMPLETE) {
				must(padding || (bit / 8 - from == 2 && bit % 8 >= 2 && bit % 8 < 6)); /* Rsvd is ignored, though sealed */
				must(!memcmp(e.data, data, sizeof data));
			}
		must(padding || in->error == EBADMSG || in->stats.adus_complete == 0);
		if (in->in.oldest && in->in.oldest->data && !in->in.oldest->whole)
			for (size_t i = 0; i < 1; i++)
				must(in->in.oldest->got == 0);
		pair.flow[0].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		alf_free(in);
		bits++;
	}
	ck_assert_uint_gt(bits, 700 * 8);
	alf_free(pair.end[0]);
}
END_TEST

/* A few are borne, if the profile says so: each costs its ADU. */
START_TEST(some_are_borne)
{
	struct alf_profile p = flow_profile((unsigned)_i), q = p;
	static uint8_t data[900];
	unsigned lost = 0, whole = 0;
	struct adu_event e;

	if (!p.key)
		return;
	p.crc = q.crc = false;
	q.forgeries_max = 3;
	flow_fill(data, sizeof data, 1);
	flow_pair_open(&pair, &p, &q);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t from = pair.flow[0].len;
		flow_send(pair.end[0], data, sizeof data, &(struct adu_attr){ .type = (uint8_t)i });
		flow_pull(&pair.flow[0], pair.end[0], 1460);
		if (i % 2)
			pair.flow[0].bytes[from + 300] ^= 4;
		flow_show(&pair.flow[0], pair.end[1]);
		while (alf_event(pair.end[1], &e)) {
			lost += e.kind == ADU_LOST;
			whole += e.kind == ADU_COMPLETE;
			if (e.kind == ADU_LOST)
				ck_assert_int_eq(e.error, EBADMSG);
		}
	}
	ck_assert_uint_eq(lost, 3);
	ck_assert_uint_eq(whole, 4);
	ck_assert_int_eq(pair.end[1]->error, EBADMSG);
	ck_assert_uint_eq(pair.end[1]->stats.forgeries, 4);
	flow_close(&pair);
}
END_TEST

/* An ADU that was lost so gives its credit back, once the peer has said that no more of it will come. */
START_TEST(credit_after_forgeries)
{
	struct alf_profile p = flow_profile((unsigned)_i), q = p;
	static uint8_t data[900];
	struct adu_event e;

	if (!p.key)
		return;
	p.crc = q.crc = false;
	q.forgeries_max = 100;
	flow_fill(data, sizeof data, 1);
	flow_pair_open(&pair, &p, &q);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t from = pair.flow[0].len;
		flow_send(pair.end[0], data, sizeof data, NULL);
		flow_pull(&pair.flow[0], pair.end[0], 1460);
		pair.flow[0].bytes[from + 300] ^= 4;
		flow_cross(&pair, 1460);
		while (alf_event(pair.end[1], &e))
			ck_assert_int_eq(e.kind, ADU_LOST);
	}
	flow_cross(&pair, 1460);
	ck_assert_int_eq(pair.end[1]->error, 0);
	ck_assert_ptr_null(pair.end[1]->in.oldest);
	ck_assert_uint_eq(pair.end[1]->in.begun, pair.end[1]->in.returned);
	flow_close(&pair);
}
END_TEST

/* Whoever changes TO on its way does not change what was placed. */
START_TEST(placed_stays)
{
	struct alf_profile p = flow_profile((unsigned)_i), q;
	static uint8_t data[900];
	struct adu_out like = { .own = { data, sizeof data }, .total = sizeof data, .here = sizeof data, .tagged = true,
		.stag = 1 };
	struct flow *f = &pair.flow[0];

	if (!p.key)
		return;
	p.crc = p.markers = false;
	q = p;
	q.forgeries_max = 1;
	flow_fill(data, sizeof data, 1);
	memset(region, 0, sizeof region);
	flow_pair_open(&pair, &p, &q);
	ck_assert_int_eq(adu_expose(pair.end[1], 1, region, sizeof region), 0);
	ck_assert_int_gt(alf_queue(pair.end[0], &like, NULL), 0);
	flow_cross(&pair, 1460);
	ck_assert_mem_eq(region, data, sizeof data);
	like.to = 4096;
	ck_assert_int_gt(alf_queue(pair.end[0], &like, NULL), 0);
	flow_pull(f, pair.end[0], 1460);
	f->bytes[f->shown + 14] = 0; /* RFC 5041 (4.2): TO's last byte but one */
	flow_show(f, pair.end[1]);
	ck_assert_uint_eq(pair.end[1]->stats.forgeries, 1);
	ck_assert_int_eq(pair.end[1]->error, EBADMSG);
	ck_assert_mem_eq(region, data, sizeof data);
	flow_close(&pair);
}
END_TEST

/* ---- keys that both ends make ---- */

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
	tc = tcase_create("forgeries");
	tcase_add_loop_test(tc, every_bit, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, some_are_borne, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, credit_after_forgeries, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, placed_stays, 0, FLOW_KINDS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

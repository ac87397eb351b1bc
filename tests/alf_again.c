/* ADU_RECOMPUTE: TCP keeps no bytes, and what is lost comes from the application again, the same or not at all. */
#include "tests/alf_ends.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <string.h>

#define ADUS 120
#define LONGEST 20000

static struct ends ends;
static struct random dice;
static uint8_t data[ADUS][LONGEST];
static size_t len[ADUS];
static bool got[ADUS], wrong, none;
static unsigned queued, busy, received, acked, asked;
static int failed[2];
static bool mixed, named, drops;
static bool over[ADUS]; /* it need not be made again */
static uint32_t ring;
static unsigned at_once;
static uint8_t region[ADUS * LONGEST];

static bool regenerate(void *ctx, uint64_t id, const struct adu_attr *attr, uint64_t offset, void *to, size_t n)
{
	unsigned i = (unsigned)(id - 1) / 2;

	(void)ctx;
	asked++;
	must(i < queued && offset + n <= len[i] && attr->recovery == ADU_RECOMPUTE && !over[i]);
	must(!named || (attr->name_len == 4 && !memcmp(attr->name, &i, 4)));
	memcpy(to, data[i] + offset, n);
	if (wrong && n)
		((uint8_t *)to)[n / 2] ^= 1;
	return !none;
}

/* One that has not begun is over at once. */
static void drop(struct alf *a, unsigned i)
{
	struct adu_out *adu = alf_out_find(a, 1 + 2 * (int64_t)i);

	if (!adu)
		return;
	acked += !adu->begun;
	over[i] = !adu->begun;
	busy--;
	alf_drop(a, adu, CONTROL_CANCELLED, ECANCELED);
}

static void turn(struct end *e)
{
	while (queued < ADUS && busy < at_once) {
		unsigned i = queued++;
		struct adu_attr attr = { .type = (uint8_t)i, .recovery = ADU_RECOMPUTE, .name_len = named ? 4 : 0,
			.priority = (uint8_t)rnd(&dice, 3) };
		struct adu_out like;
		len[i] = rnd(&dice, LONGEST);
		flow_fill(data[i], len[i], i);
		memcpy(attr.name, &i, attr.name_len);
		if (mixed && rnd(&dice, 3) == 0)
			attr.recovery = ADU_KEEP;
		like = (struct adu_out){ .own = { data[i], len[i] }, .total = len[i], .here = len[i], .attr = attr,
			.tagged = !named, .stag = 7, .to = (uint64_t)i * LONGEST };
		must(alf_queue(e->alf, &like, NULL) == 1 + 2 * (int)i);
		busy++;
	}
	if (drops && queued && rnd(&dice, 10) == 0)
		drop(e->alf, rnd(&dice, queued));
}

static void event(struct end *e, const struct adu_event *ev)
{
	int side = e == &ends.end[1];

	if (ev->kind == ADU_COMPLETE) {
		must(!got[ev->attr.type] && ev->len == len[ev->attr.type] && !memcmp(ev->data, data[ev->attr.type], ev->len));
		got[ev->attr.type] = true;
		received++;
		alf_forget(e->alf, alf_in_find(e->alf, ev->id));
	}
	busy -= ev->kind == ADU_SENT;
	if (ev->kind == ADU_ACKNOWLEDGED) {
		must(!over[(ev->id - 1) / 2]);
		over[(ev->id - 1) / 2] = true;
		acked++;
	}
	if (ev->kind == ADU_ERROR)
		failed[side] = ev->error;
	/* It is TCP's: nothing of it is needed by the library, which asks for it again. */
}

static bool all_acked(struct ends *b)
{
	(void)b;
	return acked == ADUS;
}

static void begin(int i, struct net_config *config)
{
	struct alf_profile p = flow_profile((unsigned)i % FLOW_KINDS), q = p;

	dice = random_seed(i);
	memset(got, 0, sizeof got);
	memset(over, 0, sizeof over);
	queued = busy = received = acked = asked = 0;
	failed[0] = failed[1] = 0;
	p.hooks.regenerate = regenerate;
	p.quantum = 3000;
	p.crc = q.crc = rnd(&dice, 2);
	q.markers = rnd(&dice, 2);
	config->seed = (uint64_t)i;
	config->engine[0].options.sndbuf_bytes = ring;
	ends_open(&ends, config, &p, &q);
	tcpu_source(ends.end[0].tcb, &ends.end[0].alf->out.source);
	ends.end[0].turn = turn;
	ends.end[0].event = ends.end[1].event = event;
	if (!named) {
		must(!adu_expose(ends.end[1].alf, 7, region, sizeof region));
		memset(region, 0, sizeof region);
	}
}

START_TEST(made_again)
{
	struct link_sim_path path = { .loss = 0.04, .delay_us = 20000, .reorder = 0.02, .reorder_us = 4000 };
	struct net_config config = { .path = { path, path } };
	struct tcpu_info info;

	ring = 1 << 12;
	at_once = 8;
	named = _i % 2;
	mixed = _i % 3 == 0;
	wrong = none = false;
	config.engine[0].options.mss_max = 300 + (uint32_t)_i * 17 % 1160;
	begin(_i, &config);
	ck_assert(ends_run(&ends, all_acked, 3600 * NET_S));
	info = net_info(ends.end[0].tcb);
	ck_assert_uint_gt(info.retransmits, 0);
	ck_assert_uint_gt(asked, 0);
	ck_assert_uint_le(info.sndbuf_bytes, 2 * ring);
	for (unsigned i = 0; i < ADUS; i++)
		must(named ? got[i] : !memcmp(region + (size_t)i * LONGEST, data[i], len[i]));
	must(!failed[0] && !failed[1]);
	/* Nothing is kept of them any more. */
	must(ends.end[0].alf->out.again_first == AGAIN_NONE && !ends.end[0].alf->out.sent.first);
	ends_close(&ends);
}
END_TEST

/* Of those that are cancelled on the way as well it is told when nobody asks for them any more. */
START_TEST(cancelled)
{
	struct link_sim_path path = { .loss = 0.04, .delay_us = 20000 };
	struct net_config config = { .path = { path, path } };

	ring = 1 << 12;
	at_once = 8;
	named = _i % 2;
	mixed = wrong = none = false;
	drops = true;
	begin(_i, &config);
	ck_assert(ends_run(&ends, all_acked, 3600 * NET_S));
	drops = false;
	ck_assert_uint_gt(asked, 0);
	must(!failed[0] && !failed[1]);
	must(ends.end[0].alf->out.again_first == AGAIN_NONE && !ends.end[0].alf->out.sent.first);
	ends_close(&ends);
}
END_TEST

/* The ring is a thirtieth of what is under way. */
START_TEST(no_memory_for_payload)
{
	struct link_sim_path path = { .delay_us = 100000, .loss = 0.0005 };
	struct net_config config = { .path = { path, path } };
	uint64_t most = 0;

	ring = 1 << 15;
	at_once = ADUS;
	named = true;
	mixed = wrong = none = false;
	config.engine[0].initial_cwnd = 1000;
	config.engine[1].options.rcvbuf_bytes = 4 << 20;
	config.input_bytes[1] = 16 << 20;
	begin(1, &config);
	ends.end[0].alf->profile.quantum = 1 << 20;
	while (acked < ADUS && net_step(&ends.net, ends.net.now_us + NET_S)) {
		uint64_t under_way = net_info(ends.end[0].tcb).buffered_bytes;
		most = under_way > most ? under_way : most;
	}
	ck_assert_uint_eq(acked, ADUS);
	ck_assert_uint_gt(most, 20U << 15);
	ck_assert_uint_eq(net_info(ends.end[0].tcb).sndbuf_bytes, 1 << 15);
	ends_close(&ends);
}
END_TEST

static bool has_failed(struct ends *b)
{
	(void)b;
	return failed[0];
}

/* Other bytes never go out, and both ends hear of it. */
START_TEST(not_the_same)
{
	struct link_sim_path path = { .loss = 0.04, .delay_us = 20000 };
	struct net_config config = { .path = { path, path } };

	ring = 1 << 12;
	at_once = 8;
	named = _i % 2;
	mixed = false;
	wrong = _i / 2 % 2;
	none = !wrong;
	begin(_i, &config);
	ck_assert(ends_run(&ends, has_failed, 3600 * NET_S));
	ck_assert_int_eq(failed[0], ESTALE);
	net_run(&ends.net, NET_S);
	ck_assert_int_eq(failed[1], ECONNRESET);
	for (unsigned i = 0; i < ADUS && !named; i++)
		for (size_t k = 0; k < len[i]; k++)
			must(region[(size_t)i * LONGEST + k] == 0 || region[(size_t)i * LONGEST + k] == data[i][k]);
	ends_close(&ends);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("again");
	TCase *tc = tcase_create("again");

	property_add(tc, made_again, 60);
	property_add(tc, cancelled, 40);
	tcase_add_test(tc, no_memory_for_payload);
	tcase_add_loop_test(tc, not_the_same, 0, 4 * FLOW_KINDS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

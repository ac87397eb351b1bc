/* ADUs over a path that grows narrow under them: what was written for it before is cut by TCP, and is taken all the
 * same; what is written afterwards fits its segments again. */
#include "tests/alf_ends.h"
#include "tests/run.h"

#include <netinet/in.h>
#include <string.h>

#define ADUS 90
#define BYTES 8192
#define WIDE 1500
#define NARROW 1000

static struct ends ends;
static uint8_t data[ADUS][BYTES]; /* ADU i is data[i], less a few bytes */
static bool got[ADUS];
static struct net_router router;
static unsigned queued, sent, complete;
static uint64_t aside; /* frames that did not come whole in their segment, when two thirds of the ADUs had come */

static size_t length(unsigned i)
{
	return BYTES - i * 7;
}

static void turn(struct end *e)
{
	while (queued < ADUS && queued - sent < 4) {
		const struct adu_attr attr = { .type = (uint8_t)queued };
		ck_assert_int_gt(flow_send(e->alf, data[queued], length(queued), &attr), 0);
		queued++;
	}
}

static uint64_t not_direct(void)
{
	return ends.end[1].alf->stats.fpdus_in - ends.end[1].alf->stats.fpdus_direct;
}

static void event(struct end *e, const struct adu_event *ev)
{
	ck_assert_int_ne(ev->kind, ADU_ERROR);
	ck_assert_int_ne(ev->kind, ADU_LOST);
	sent += ev->kind == ADU_SENT;
	if (ev->kind != ADU_COMPLETE)
		return;
	ck_assert(ev->attr.type < ADUS && !got[ev->attr.type]);
	got[ev->attr.type] = true;
	ck_assert_uint_eq(ev->len, length(ev->attr.type));
	ck_assert_mem_eq(ev->data, data[ev->attr.type], ev->len);
	alf_forget(e->alf, alf_in_find(e->alf, ev->id));
	complete++;
	if (complete == ADUS / 3)
		router.path_mtu = NARROW;
	if (complete == ADUS / 3 * 2)
		aside = not_direct();
}

static bool all_there(struct ends *b)
{
	(void)b;
	return complete == ADUS;
}

START_TEST(grows_narrow)
{
	const struct net_config config = { .path = { { .delay_us = 5000, .rate_bps = 10000000 }, { .delay_us = 5000 } },
		.engine = { { .options.sndbuf_bytes = 65536 } }, .train_max = { _i & 4 ? 65515 : 0 } };
	struct alf_profile p = flow_profile((unsigned)_i / 8);

	p.markers = _i & 1;
	p.unpacked = _i & 2;
	router = (struct net_router){ &ends.net, WIDE, 0 };
	queued = sent = complete = 0;
	memset(got, 0, sizeof got);
	for (unsigned i = 0; i < ADUS; i++)
		flow_fill(data[i], BYTES, i);
	ends_open(&ends, &config, &p, &p);
	link_sim_filter(ends.net.sim, net_router, &router);
	ends.end[0].turn = turn;
	ends.end[0].event = ends.end[1].event = event;
	ck_assert(ends_run(&ends, all_there, 60 * NET_S));
	ck_assert_uint_gt(router.too_long, 0);
	ck_assert_uint_eq(net_info(ends.end[0].tcb).mss, NARROW - 52);
	ck_assert_uint_gt(aside, 0); /* those that were cut */
	ck_assert_uint_eq(not_direct(), aside);
	ends_close(&ends);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_path");
	TCase *tc = tcase_create("alf_path");

	tcase_add_loop_test(tc, grows_narrow, 0, 8 * FLOW_KINDS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

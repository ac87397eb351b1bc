/* Two connections between the same two engines: of one the receiver releases nothing, or reads nothing, and its sender
 * stands. The other one's ADUs come as if they were alone. */
#include "tests/alf_ends.h"
#include "tests/property.h"
#include "tests/run.h"

#include <stdlib.h>
#include <string.h>

#define LEN 3000
#define STUCK 400 /* ADUs of the one */
#define ADUS 200  /* of the other */
#define DELAY_US 5000
#define CREDIT 10 /* ADUs, of a receiver that releases none */

enum how { RELEASES_NOTHING, READS_NOTHING, HOWS };

static struct ends ends;
static struct end *const stuck = ends.end, *const other = ends.end + 2; /* each: who sends, and who receives */
static uint8_t data[LEN];
static unsigned sent, held[STUCK], came;      /* held: ADUs of the one, that nobody has released */
static unsigned whole;

static void sender(struct end *e, const struct adu_event *ev)
{
	must(ev->kind != ADU_ERROR && ev->kind != ADU_EXPIRED && ev->kind != ADU_CANCELLED);
	sent += e == stuck && ev->kind == ADU_SENT;
}

static void receiver(struct end *e, const struct adu_event *ev)
{
	must(ev->kind != ADU_ERROR && ev->kind != ADU_LOST);
	if (ev->kind != ADU_COMPLETE)
		return;
	must(ev->len == LEN && !memcmp(ev->data, data, LEN));
	if (e == stuck + 1) {
		held[whole++] = (unsigned)ev->id;
		return;
	}
	came++;
	alf_forget(e->alf, alf_in_find(e->alf, ev->id));
}

static void open_both(unsigned kind, enum how how)
{
	const struct link_sim_path path = { .delay_us = DELAY_US };
	struct net_config config = { .seed = 1, .path = { path, path } };
	struct alf_profile p = flow_profile(kind), q = p;

	sent = came = whole = 0;
	flow_fill(data, sizeof data, 4);
	config.engine[1].options.rcvbuf_bytes = 1 << 16;
	q.adu_max = LEN;
	q.credit = how == RELEASES_NOTHING ? CREDIT * (LEN + ADU_COST) : STUCK * (LEN + ADU_COST);
	ends_open(&ends, &config, &p, &q);
	ends_open_another(&ends, &p, &q);
	for (int i = 0; i < 4; i++)
		ends.end[i].event = i % 2 ? receiver : sender;
	stuck[1].deaf = false;
}

static bool never(struct ends *b)
{
	(void)b;
	return false;
}

static bool has_come(struct ends *b)
{
	(void)b;
	return came == *(unsigned *)other[1].mine;
}

/* One after the other: how long the slowest one is on its way. */
static uint64_t slowest(void)
{
	uint64_t most = 0;

	for (unsigned i = 1; i <= ADUS; i++) {
		const uint64_t from = ends.net.now_us;
		must(flow_send(other[0].alf, data, LEN, NULL) > 0);
		ends.net.app_wake_us = from;
		other[1].mine = &i;
		must(ends_run(&ends, has_come, NET_S));
		most = ends.net.now_us - from > most ? ends.net.now_us - from : most;
	}
	return most;
}

static bool all_whole(struct ends *b)
{
	for (unsigned i = 0; i < whole; i++)
		if (held[i]) {
			alf_forget(stuck[1].alf, alf_in_find(stuck[1].alf, held[i]));
			held[i] = 0;
		}
	(void)b;
	return whole == STUCK;
}

START_TEST(one_stands)
{
	const enum how how = (enum how)(_i % HOWS);
	unsigned was;

	open_both((unsigned)_i / HOWS, how);
	ends_run(&ends, never, NET_S);
	stuck[1].deaf = how == READS_NOTHING;
	for (unsigned i = 0; i < STUCK; i++)
		must(flow_send(stuck[0].alf, data, LEN, NULL) > 0);
	ends.net.app_wake_us = ends.net.now_us;
	ends_run(&ends, never, 2 * NET_S);
	was = sent;
	ck_assert_uint_lt(was, STUCK / 2);
	if (how == RELEASES_NOTHING)
		ck_assert_uint_eq(whole, CREDIT);
	else
		ck_assert_uint_eq(whole, 0);
	ck_assert_uint_le(slowest(), DELAY_US);
	/* Meanwhile it has stood, and needs no more than that its receiver goes on. */
	ck_assert_uint_eq(sent, was);
	stuck[1].deaf = false;
	ends.net.app_wake_us = ends.net.now_us;
	ck_assert(ends_run(&ends, all_whole, 100 * NET_S));
	ck_assert_uint_eq(came, ADUS);
	ends_close(&ends);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neighbour");
	TCase *tc = tcase_create("neighbour");

	tcase_add_loop_test(tc, one_stands, 0, FLOW_KINDS * HOWS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

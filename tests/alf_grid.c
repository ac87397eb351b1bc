/* Every ADU size against every receive buffer: it arrives whole, or there is an error; nobody waits for ever. */
#include "tests/alf_ends.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <string.h>

static const uint32_t adu_bytes[] = { 0, 1, 3, 100, 507, 508, 1000, 1403, 1404, 1460, 2000, 4095, 4096, 8192,
	12000, 16384, 30000, 65535, 65536, 100000, 250000 };
static const uint32_t buffers[] = { 1, 88, 200, 500, 512, 1000, 1459, 1460, 1500, 2048, 2920, 3000, 4096, 5000, 8192,
	10000, 16384, 32768, 65535, 65536, 200000, 1 << 20 };
#define ADUS (sizeof adu_bytes / sizeof *adu_bytes)
#define BUFFERS (sizeof buffers / sizeof *buffers)
#define EACH 3

static struct ends ends;
static uint8_t data[250000];
static unsigned queued, received, lost;
static uint32_t len;
static int failed;
static bool deaf_first;

static void turn(struct end *e)
{
	while (queued < EACH && flow_send(e->alf, data, len, NULL) > 0)
		queued++;
}

static void event(struct end *e, const struct adu_event *ev)
{
	if (ev->kind == ADU_COMPLETE) {
		must(ev->len == len && (!len || !memcmp(ev->data, data, len)));
		received++;
		alf_forget(e->alf, alf_in_find(e->alf, ev->id));
	}
	lost += ev->kind == ADU_LOST || ev->kind == ADU_CANCELLED;
	if (ev->kind == ADU_ERROR)
		failed = ev->error;
}

static bool is_over(struct ends *b)
{
	(void)b;
	return received + lost == EACH || failed;
}

/* Whatever the sizes, the loss, and whether the receiver was asleep at first. */
START_TEST(pair_of_sizes)
{
	struct link_sim_path path = { .delay_us = 2000, .loss = 0.01 };
	struct net_config config = { .path = { path, path } };
	struct alf_profile p = flow_profile((unsigned)_i % FLOW_KINDS), q = p;
	unsigned errors = 0, whole = 0;

	for (size_t b = 0; b < BUFFERS; b++) {
		len = adu_bytes[_i];
		flow_fill(data, len, b);
		queued = received = lost = 0;
		failed = 0;
		config.seed = (uint64_t)_i * 100 + b;
		config.engine[1].options.rcvbuf_bytes = buffers[b];
		config.engine[0].options.mss_max = b % 3 ? 0 : 1000;
		deaf_first = b % 2;
		q.adu_max = b % 5 ? 0 : 50000;
		ends_open(&ends, &config, &p, &q);
		ends.end[0].turn = turn;
		ends.end[0].event = ends.end[1].event = event;
		ends.end[1].deaf = deaf_first;
		if (deaf_first)
			net_run(&ends.net, 500 * NET_MS);
		ends.end[1].deaf = false;
		ends.net.app_wake_us = ends.net.now_us;
		if (!ends_run(&ends, is_over, 3000 * NET_S))
			ck_abort_msg("ADUs of %u bytes, a buffer of %u: stuck at %u", len, buffers[b], received);
		if (failed)
			ck_assert_int_eq(failed, EMSGSIZE);
		errors += failed || lost;
		whole += received == EACH;
		ends_close(&ends);
	}
	ck_assert_uint_ge(whole, BUFFERS / 2);
	(void)errors;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("grid");
	TCase *tc = tcase_create("sizes");

	_Static_assert(ADUS * BUFFERS >= 400, "pairs");
	tcase_add_loop_test(tc, pair_of_sizes, 0, ADUS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

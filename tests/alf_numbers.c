/* MPA's numbers have 32 bits and make nonces, so they end: what cannot have one any more is refused, and no nonce meets
 * two plaintexts (tests/alf_watch.h sees to that). */
#include "alf/segment.h"
#include "tests/alf_flow.h"
#include "tests/alf_watch.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <string.h>

#define LENGTH 4000

static struct flow_pair pair;
static struct alf *out, *in;
static uint8_t data[LENGTH];

static void take(size_t len)
{
	struct adu_event e = flow_expect(in, ADU_COMPLETE);

	ck_assert_uint_eq(e.len, len);
	ck_assert_mem_eq(e.data, data, len);
	alf_forget(in, alf_in_find(in, e.id));
}

/* The first ADU has come, and then all before that one. */
static void open_at(uint32_t msn)
{
	static const uint8_t key[32] = "a key for tests, of 32 bytes...", iv[12] = "twelve bytes";
	const struct alf_profile p = { .chain = watch_chains, .key = key, .iv = iv,
		.forgeries_max = 1 };

	flow_fill(data, sizeof data, 5);
	watch_forget();
	flow_pair_open(&pair, &p, &p);
	out = pair.end[0];
	in = pair.end[1];
	ck_assert_int_gt(flow_send(out, data, 30, NULL), 0);
	flow_cross(&pair, 1460);
	flow_expect(out, ADU_SENT);
	take(30);
	data[0]++; /* other plaintexts from now on */
	out->out.msn[DDP_ADUS] = msn;
	in->in.low = msn - 1;
	ck_assert_int_eq(alf_ranges_add(&in->in.finished, 0, in->in.low), 0);
}

static void close_evenly(void)
{
	flow_expect_nothing(out);
	flow_expect_nothing(in);
	must(!out->error && !in->error && !out->out.ids.count && !alf_in_first(in));
	must(in->in.begun == in->in.returned && out->out.used == in->in.begun);
	flow_close(&pair);
}

/* The last two go, whole and in pieces; what was queued behind them is dropped, each with the reason, and what comes
 * later is refused. The other direction goes on. */
START_TEST(no_number_left)
{
	struct adu_out put = { .own = { data, 9 }, .total = 9, .here = 9, .tagged = true, .stag = 1 };
	const size_t len = _i ? LENGTH : 30;
	struct adu_event e;

	open_at(UINT32_MAX - 1);
	for (int i = 1; i < 6; i++)
		ck_assert_int_eq(flow_send(out, data, len, NULL), 2 * i + 1);
	while (alf_wants_out(out)) /* one is dropped at a time */
		flow_cross(&pair, 1460);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_lt(flow_expect(out, ADU_SENT).id, 7);
	for (int64_t id = 7; id < 13; id += 2) {
		e = flow_expect(out, ADU_CANCELLED);
		ck_assert_int_eq(e.id, id);
		ck_assert_int_eq(e.error, EOVERFLOW);
	}
	ck_assert_int_eq(flow_send(out, data, 1, NULL), -EOVERFLOW);
	ck_assert_int_eq(alf_queue(out, &put, NULL), -EOVERFLOW);
	ck_assert(!alf_wants_out(out));
	take(len);
	take(len);
	ck_assert_int_gt(flow_send(in, data, len, NULL), 0);
	flow_cross(&pair, 1460);
	flow_expect(in, ADU_SENT);
	ck_assert_uint_eq(flow_expect(out, ADU_COMPLETE).len, len);
	close_evenly();
}
END_TEST

enum { CANCELLED, STOPPED, STOPPED_LATE, FORGED, LAST_WAYS };

/* The last one of all can be taken back, and the peer can stop it, as any other. */
START_TEST(last_one_is_dropped)
{
	struct flow *f = &pair.flow[0];
	struct adu_event e;
	int64_t id;

	open_at(UINT32_MAX);
	id = flow_send(out, data, LENGTH, NULL);
	f->len += out->out.source.fill(out, f->len, f->bytes + f->len, 1460, NULL);
	flow_show(f, in);
	ck_assert_uint_eq(alf_in_first(in)->msn, UINT32_MAX);
	if (_i == CANCELLED)
		ck_assert_int_eq(alf_drop(out, alf_out_find(out, id), CONTROL_CANCELLED, ECANCELED), 0);
	else if (_i != FORGED)
		alf_lose(in, alf_in_first(in), ECANCELED, UINT64_MAX, CONTROL_CANCELLED);
	if (_i >= STOPPED_LATE) { /* its end is under way already */
		flow_pull(f, out, 1460);
		f->bytes[f->len - 100] ^= _i == FORGED;
		flow_show(f, in);
		flow_expect(out, ADU_SENT);
	}
	flow_pull(&pair.flow[1], in, 1460);
	flow_show(&pair.flow[1], out);
	flow_cross(&pair, 1460);
	ck_assert_int_eq(flow_expect(in, ADU_LOST).error, _i == FORGED ? EBADMSG : ECANCELED);
	if (_i < STOPPED_LATE) {
		e = flow_expect(out, ADU_CANCELLED);
		ck_assert(e.id == id && e.error == ECANCELED);
	}
	ck_assert_int_eq(flow_send(out, data, 1, NULL), -EOVERFLOW);
	close_evenly();
}
END_TEST

/* The last message is heard; who could not send another ends the connection. */
START_TEST(no_message_left)
{
	struct flow *f = &pair.flow[0];
	size_t len;
	int64_t id;

	open_at(2);
	out->out.msn[DDP_CONTROL] = UINT32_MAX;
	id = flow_send(out, data, LENGTH, NULL);
	f->len += out->out.source.fill(out, f->len, f->bytes + f->len, 1460, NULL);
	alf_drop(out, alf_out_find(out, id), CONTROL_EXPIRED, ETIME);
	flow_cross(&pair, 1460);
	ck_assert_int_eq(flow_expect(in, ADU_LOST).error, ETIME);
	ck_assert(!alf_in_first(in) && !in->error);
	flow_expect(out, ADU_EXPIRED);
	ck_assert_int_eq(flow_expect(out, ADU_ERROR).error, EOVERFLOW);
	len = f->len;
	ck_assert_int_eq(flow_send(out, data, 1, NULL), -EOVERFLOW);
	ck_assert(!alf_wants_out(out) && out->out.source.fill(out, len, f->bytes + len, 1460, NULL) == 0);
	flow_expect_nothing(in);
	flow_close(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("numbers");
	TCase *tc = tcase_create("numbers");

	tcase_add_loop_test(tc, no_number_left, 0, 2);
	tcase_add_loop_test(tc, last_one_is_dropped, 0, LAST_WAYS);
	tcase_add_test(tc, no_message_left);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

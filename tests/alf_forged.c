/* Authenticated ADUs that somebody has changed on their way: nothing is seen that is not authentic, and of what came of
 * it nothing is left. */
#include "tests/alf_flow.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct flow_pair pair;
static uint8_t region[6000];

/* All of them are that byte. */
static bool all(const uint8_t *at, size_t n, uint8_t byte)
{
	while (n && *at == byte)
		at++, n--;
	return !n;
}

/* Whatever bit of a frame is another: the ADU does not come, and what came is not to be seen. */
START_TEST(every_bit)
{
	struct alf_profile p = flow_profile((unsigned)_i), q = p;
	struct adu_attr attr = { .name = "its name", .name_len = 8, .type = 3 };
	static uint8_t data[700];
	struct adu_event e;
	uint64_t from, bits = 0, wiped = 0;

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
		const struct adu_in *adu = alf_in_first(in);
		if (adu && adu->data && !adu->whole) {
			must(adu->got == 0 && adu->room == sizeof data);
			must(all(adu->data, sizeof data, 0));
			wiped++;
		}
		pair.flow[0].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		alf_free(in);
		bits++;
	}
	ck_assert_uint_gt(bits, 700 * 8);
	ck_assert_uint_gt(wiped, 700 * 8);
	alf_free(pair.end[0]);
}
END_TEST

#define LONG 3000 /* bytes of an ADU of three pieces */
#define TO 100    /* its place in the region */
#define BEFORE 0xaa

/* Where its bytes go: to memory of hooks.place, in one piece or two for each of its own; by STag; to the library's
 * memory, the connection ending with the forgery, or losing the ADU. */
enum place { HOOKED, SCATTERED, EXPOSED, HELD, LOST, PLACES };
static uint8_t object[LONG], long_data[LONG];
static size_t cut[3]; /* where its pieces end */

static int place(void *ctx, const struct adu_where *where, struct iovec *to, int max)
{
	const size_t first = *(enum place *)ctx == SCATTERED ? where->len / 3 : where->len;

	(void)max;
	if (!where->named)
		return -EAGAIN;
	to[0] = (struct iovec){ object + where->offset, first };
	to[1] = (struct iovec){ object + where->offset + first, where->len - first };
	return first < where->len ? 2 : 1;
}

static void open_for(enum place *where, bool markers)
{
	struct alf_profile p = flow_profile(2), q;

	ck_assert_ptr_nonnull(p.key);
	p.crc = false;
	q = p;
	q.markers = markers;
	q.forgeries_max = *where == LOST;
	q.hooks.ctx = where;
	q.hooks.place = *where <= SCATTERED ? place : NULL;
	flow_fill(long_data, sizeof long_data, 9);
	memset(object, BEFORE, sizeof object);
	memset(region, BEFORE, sizeof region);
	flow_pair_open(&pair, &p, &q);
	ck_assert_int_eq(adu_expose(pair.end[1], 1, region, sizeof region), 0);
}

/* Each piece in a segment of its own. */
static void send_pieces(bool tagged)
{
	const struct adu_out like = { .own = { long_data, LONG }, .total = LONG, .here = LONG, .tagged = tagged, .stag = 1,
		.to = TO };
	struct alf *out = pair.end[0];
	struct flow *f = &pair.flow[0];
	const int64_t id = alf_queue(pair.end[0], &like, NULL);

	ck_assert_int_gt(id, 0);
	f->segments = 0;
	for (int i = 0; i < 3; i++) {
		const struct adu_out *adu;
		flow_pull_one(f, out, 1460);
		adu = alf_out_find(out, id);
		cut[i] = adu ? adu->done : LONG;
	}
	ck_assert(cut[0] && cut[0] < cut[1] && cut[1] < cut[2] && cut[2] == LONG);
}

static void show_segment(int i)
{
	struct flow *f = &pair.flow[0];

	f->len = f->ends[i];
	flow_show(f, pair.end[1]);
	f->len = f->ends[2];
}

/* Where the ADU is. */
static uint8_t *memory_of(enum place where)
{
	const struct adu_in *adu = alf_in_first(pair.end[1]);

	if (where <= SCATTERED)
		return object;
	if (where == EXPOSED)
		return region + TO;
	return adu && adu->data ? adu->data : pair.end[1]->in.spare[0].data;
}

/* Of the second piece, which is not authentic, nothing is there; the first is, and behind these nobody has written. */
static void see(enum place where, bool lost)
{
	const uint8_t *at = memory_of(where), *aside = pair.end[1]->aside;
	const size_t len = cut[1] - cut[0];

	must(at);
	if (lost)
		must(all(at, cut[0], 0)); /* and of an ADU that is lost nothing at all */
	else
		must(!memcmp(at, long_data, cut[0]));
	must(all(at + cut[0], len, where == SCATTERED ? BEFORE : 0));
	must(where != SCATTERED || all(aside, len, 0));
	must(all(at + cut[1], LONG - cut[1], BEFORE));
	must(all(region, TO, BEFORE));
	must(where == EXPOSED || all(region + TO, LONG, BEFORE));
	must(all(region + TO + LONG, sizeof region - TO - LONG, BEFORE));
}

/* What is not authentic is nowhere once that is known, wherever it was to be: as the loop put it there from a segment
 * that TCP has not checked yet; and from one that had the right checksum. */
START_TEST(forged_is_wiped)
{
	enum place where = (enum place)(_i / 2);
	struct flow *f = &pair.flow[0];
	struct alf *in;
	uint16_t sum;

	open_for(&where, _i % 2);
	in = pair.end[1];
	send_pieces(where == EXPOSED);
	show_segment(0);
	ck_assert_int_eq(in->error, 0);
	ck_assert_uint_eq(f->shown, f->ends[0]);
	/* Of its data, some way before the end. */
	f->bytes[f->ends[1] - 300] ^= 4;
	memset(memory_of(where) + cut[0], BEFORE, LONG - cut[0]);
	memset(in->aside, BEFORE, cut[1] - cut[0]);
	ck_assert_uint_eq(in->in.sink.drain(in->in.sink.ctx, f->shown, f->bytes + f->shown, f->ends[1] - f->shown, &sum), 0);
	see(where, false);
	ck_assert_uint_eq(in->stats.forgeries, 0);
	memset(memory_of(where) + cut[0], BEFORE, LONG - cut[0]);
	memset(in->aside, BEFORE, cut[1] - cut[0]);
	show_segment(1);
	ck_assert_uint_eq(in->stats.forgeries, 1);
	ck_assert_int_eq(in->error, where == LOST ? 0 : EBADMSG);
	see(where, where == LOST);
	flow_close(&pair);
}
END_TEST

/* An ADU in one segment, of whose data somebody changes a bit. */
static void send_one(const void *data, size_t len, bool forged)
{
	const uint64_t from = pair.flow[0].len;

	flow_send(pair.end[0], data, len, NULL);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	pair.flow[0].bytes[from + 300] ^= forged ? 4 : 0;
}

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
		send_one(data, sizeof data, i % 2);
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
		send_one(data, sizeof data, true);
		flow_cross(&pair, 1460);
		while (alf_event(pair.end[1], &e))
			ck_assert_int_eq(e.kind, ADU_LOST);
	}
	flow_cross(&pair, 1460);
	ck_assert_int_eq(pair.end[1]->error, 0);
	ck_assert_ptr_null(alf_in_first(pair.end[1]));
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

int main(void)
{
	Suite *suite = suite_create("forged");
	TCase *tc = tcase_create("forged");

	tcase_add_loop_test(tc, every_bit, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, forged_is_wiped, 0, 2 * PLACES);
	tcase_add_loop_test(tc, some_are_borne, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, credit_after_forgeries, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, placed_stays, 0, FLOW_KINDS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

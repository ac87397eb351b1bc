/* What is taken back: ADUs by adu_cancel and adu_supersede, what was exposed by adu_hide. Calls over descriptors. */
#include "alf/conn.h"
#include "tests/alf_fds.h"
#include "tests/alf_flow.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define ADU_MOST 50000

static uint8_t data[100000];
static struct alf *end[2];
static int fd[2];

/* What either end was told, but for what is no ADU's. */
static struct adu_event told[2][32];
static unsigned tells[2];

static void look(int side)
{
	struct adu_event e;

	while (adu_next(end[side], &e, 0) == 1) {
		ck_assert_msg(e.kind != ADU_ERROR, "end %d: %s", side, strerror(e.error));
		if (!e.id)
			continue;
		ck_assert_uint_lt(tells[side], 32);
		told[side][tells[side]++] = e;
	}
}

/* Until that end was told so much; no more must come. */
static void until(int side, unsigned tells_of_it)
{
	for (int i = 0; i < 1000 && tells[side] < tells_of_it; i++) {
		look(!side);
		poll_tcpu(&(struct pollfd){ .fd = fd[side], .events = POLLIN }, 1, 5);
		look(side);
	}
	ck_assert_uint_eq(tells[side], tells_of_it);
}

/* The i-th thing that end was told. */
static const struct adu_event *is(int side, unsigned i, enum adu_event_kind kind, int error)
{
	const struct adu_event *e = &told[side][i];

	ck_assert_uint_lt(i, tells[side]);
	ck_assert_msg(e->kind == kind && e->error == error, "end %d was told %s, error %d, expected %s, %d", side,
		adu_event_name(e->kind), e->error, adu_event_name(kind), error);
	return e;
}

static void open_ends(void)
{
	struct alf_profile p = flow_profile(0);

	p.adu_max = ADU_MOST;
	tells[0] = tells[1] = 0;
	flow_fill(data, sizeof data, 3);
	fds_connect(fd, FDS_MSS);
	fds_open(fd, end, &p);
}

static int64_t send_one(uint8_t type, uint8_t priority)
{
	int64_t id = adu_send(end[0], data, 100, &(struct adu_attr){ .type = type, .priority = priority });

	ck_assert_int_gt(id, 0);
	return id;
}

/* An ADU that has begun at both ends, and of which more is to come. */
static int64_t begin_one(uint8_t type)
{
	int64_t id = 0;

	ck_assert_int_eq(adu_send_part(end[0], &id, 40000, data, 3000, &(struct adu_attr){ .type = type }), 3000);
	for (int i = 0; i < 1000 && !end[1]->stats.bytes_held; i++) {
		look(0);
		poll_tcpu(&(struct pollfd){ .fd = fd[1], .events = POLLIN }, 1, 5);
		look(1);
	}
	ck_assert_uint_eq(end[1]->stats.bytes_held, 40000);
	return id;
}

/* All is over: nothing is kept at either end, and all credit is back. */
static void books_are_even(void)
{
	ck_assert_uint_eq(end[0]->out.ids.count, 0);
	ck_assert_ptr_null(end[0]->out.told.first);
	for (unsigned i = 0; i < tells[1]; i++)
		if (told[1][i].kind == ADU_COMPLETE)
			ck_assert_int_eq(adu_release(end[1], told[1][i].id), 0);
	ck_assert_ptr_null(alf_in_first(end[1]));
	ck_assert_uint_eq(end[1]->in.begun, end[1]->in.returned);
	ck_assert_uint_eq(end[0]->out.used, end[1]->in.begun);
	ck_assert(!end[0]->error && !end[1]->error);
	fds_close(fd, end);
}

/* ---- adu_supersede ---- */

/* It takes the place of what has not begun, if it is as urgent; else its own. The peer hears nothing of the old one. */
START_TEST(in_its_place)
{
	static const struct { uint8_t priority, order[3]; } cases[] = { { 3, { 1, 9, 3 } }, { 2, { 1, 3, 9 } },
		{ 4, { 9, 1, 3 } } };
	int64_t old;

	open_ends();
	send_one(1, 3);
	old = send_one(2, 3);
	send_one(3, 3);
	ck_assert_int_gt(adu_supersede(end[0], old, data, 50, &(struct adu_attr){ .type = 9,
		.priority = cases[_i].priority }), old);
	until(0, 4);
	ck_assert_int_eq(is(0, 0, ADU_CANCELLED, EEXIST)->id, old);
	until(1, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(is(0, 1 + i, ADU_SENT, 0)->attr.type, cases[_i].order[i]);
		ck_assert_int_eq(is(1, i, ADU_COMPLETE, 0)->attr.type, cases[_i].order[i]);
		ck_assert_uint_eq(told[1][i].len, cases[_i].order[i] == 9 ? 50 : 100);
	}
	books_are_even();
}
END_TEST

/* Of what has begun the peer drops what it has, and is told why; by calls that wait and by those that do not. */
START_TEST(instead_of_what_has_begun)
{
	int64_t old, new;

	open_ends();
	old = begin_one(2);
	if (_i)
		fds_wait(fd[0]);
	new = adu_supersede(end[0], old, data, 50, &(struct adu_attr){ .type = 9 });
	ck_assert_int_gt(new, old);
	ck_assert_int_eq(adu_send_part(end[0], &old, 40000, data, 3000, NULL), -1);
	ck_assert_int_eq(errno, ENOENT);
	until(0, _i ? 1 : 2);
	ck_assert_int_eq(is(0, 0, ADU_CANCELLED, EEXIST)->id, old);
	if (!_i) /* else the call has said so */
		ck_assert_int_eq(is(0, 1, ADU_SENT, 0)->id, new);
	until(1, 2);
	ck_assert_int_eq(is(1, 0, ADU_LOST, EEXIST)->attr.type, 2);
	ck_assert_int_eq(is(1, 1, ADU_COMPLETE, 0)->attr.type, 9);
	ck_assert_uint_eq(end[1]->stats.bytes_held, 50);
	books_are_even();
}
END_TEST

/* The old one's deadline has passed, and no call has seen that: it is told as expired, and the new one goes. */
START_TEST(instead_of_what_is_over)
{
	int64_t old = 0, new;

	open_ends();
	if (_i)
		old = begin_one(2);
	else
		old = adu_send(end[0], data, 100, &(struct adu_attr){ .type = 2, .deadline_ms = 60000, .more = true });
	ck_assert_ptr_nonnull(alf_out_find(end[0], old));
	if (_i)
		ck_assert_int_eq(alf_due_add(&end[0]->out.dues, &alf_out_find(end[0], old)->due, 1), 0);
	else
		alf_out_find(end[0], old)->due.us = 1;
	new = adu_supersede(end[0], old, data, 50, &(struct adu_attr){ .type = 9 });
	ck_assert_int_gt(new, old);
	until(0, 2);
	ck_assert_int_eq(is(0, 0, ADU_EXPIRED, ETIME)->id, old);
	ck_assert_int_eq(is(0, 1, ADU_SENT, 0)->id, new);
	until(1, _i ? 2 : 1);
	ck_assert_int_eq(told[1][_i].attr.type, 9);
	books_are_even();
}
END_TEST

/* What is to be followed by more waits for that, and shares its segment. */
START_TEST(more)
{
	struct tcpu_info before, after;

	open_ends();
	send_one(1, 0);
	until(0, 1);
	until(1, 1);
	info_tcpu(fd[0], &before);
	ck_assert_int_gt(adu_send(end[0], data, 100, &(struct adu_attr){ .type = 2, .more = true }), 0);
	ck_assert_uint_eq(end[0]->stats.adus_sent, 1);
	ck_assert_int_gt(adu_send(end[0], data, 100, &(struct adu_attr){ .type = 3 }), 0);
	ck_assert_uint_eq(end[0]->stats.adus_sent, 3);
	info_tcpu(fd[0], &after);
	ck_assert_uint_eq(after.segments_out, before.segments_out + 1);
	until(1, 3);
	books_are_even();
}
END_TEST

/* Where adu_send refuses, the old one stays. */
START_TEST(refused)
{
	static const struct { struct adu_attr attr; size_t len; int error; } cases[] = {
		{ { .type = 9 }, ADU_MOST + 1, EMSGSIZE },
		{ { .priority = ADU_PRIORITIES }, 1, EINVAL },
		{ { .recovery = ADU_SUPERSEDE + 1 }, 1, EINVAL },
		{ { .recovery = ADU_RECOMPUTE }, 1, EINVAL },
		{ { .deadline_ms = ADU_DEADLINE_MAX + 1 }, 1, EINVAL },
		{ { .name_len = ADU_NAME_MAX + 1 }, 1, EINVAL },
	};
	int64_t old;

	open_ends();
	old = begin_one(2);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(adu_supersede(end[0], old, data, cases[i].len, &cases[i].attr), -1);
		ck_assert_int_eq(errno, cases[i].error);
		ck_assert_ptr_nonnull(alf_out_find(end[0], old));
	}
	for (size_t at = 3000; at < 40000; ) {
		ssize_t n = adu_send_part(end[0], &old, 40000, data + at, 37000, NULL);
		ck_assert(n == 37000 || errno == EAGAIN);
		at += n > 0 ? (size_t)n : 0;
		look(0);
	}
	until(1, 1);
	ck_assert_mem_eq(is(1, 0, ADU_COMPLETE, 0)->data, data, 40000);
	until(0, 1);
	is(0, 0, ADU_SENT, 0);
	books_are_even();
}
END_TEST

/* An old one that was sent, or never was, is no error: the new one goes all the same. */
START_TEST(after_it_was_sent)
{
	int64_t old;

	open_ends();
	old = send_one(1, 0);
	until(0, 1);
	is(0, 0, ADU_SENT, 0);
	ck_assert_int_gt(adu_supersede(end[0], old, data, 100, &(struct adu_attr){ .type = 2 }), old);
	ck_assert_int_gt(adu_supersede(end[0], 4711, data, 100, &(struct adu_attr){ .type = 3 }), old);
	ck_assert_int_gt(adu_supersede(end[0], 0, data, 100, NULL), old);
	until(1, 4);
	for (uint8_t i = 0; i < 4; i++)
		ck_assert_int_eq(is(1, i, ADU_COMPLETE, 0)->attr.type, (i + 1) % 4);
	until(0, 4);
	for (unsigned i = 0; i < 4; i++)
		is(0, i, ADU_SENT, 0);
	books_are_even();
}
END_TEST

/* A framer without frames cannot stop within an ADU: one that has begun stays, and the new one stands behind it; as it
 * stays where adu_cancel is asked. What has not begun is superseded as ever. */
START_TEST(within_a_stream)
{
	static const char wire[] = "\0\0\0\4abcd\x80\0\0\4efgh\x80\0\0\3new\x80\0\0\6newest";
	const struct alf_profile p = { .framer = &alf_record };
	char got[sizeof wire];
	struct adu_event e;
	int64_t id = 0, new;

	fds_connect(fd, FDS_MSS);
	end[0] = alf_open(fd[0], &p);
	ck_assert_ptr_nonnull(end[0]);
	ck_assert_int_eq(adu_send_part(end[0], &id, 8, "abcd", 4, NULL), 4);
	ck_assert(adu_next(end[0], &e, 0) == 1 && e.kind == ADU_OPENED);
	ck_assert_int_eq(adu_next(end[0], &e, 0), 0);
	ck_assert(adu_cancel(end[0], id) == -1 && errno == EBUSY);
	ck_assert_int_gt(adu_supersede(end[0], id, "new", 3, NULL), id);
	new = adu_send(end[0], "newer", 5, NULL);
	ck_assert_int_gt(adu_supersede(end[0], new, "newest", 6, NULL), new);
	ck_assert_int_eq(adu_next(end[0], &e, 0), 1);
	ck_assert(e.kind == ADU_CANCELLED && e.id == new && e.error == EEXIST);
	ck_assert_int_eq(adu_send_part(end[0], &id, 8, "efgh", 4, NULL), 4);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(adu_next(end[0], &e, 5000), 1);
		ck_assert_int_eq(e.kind, ADU_SENT);
	}
	fds_wait(fd[1]);
	ck_assert_int_eq(recv_tcpu(fd[1], got, sizeof wire - 1, MSG_WAITALL), (int)sizeof wire - 1);
	ck_assert_mem_eq(got, wire, sizeof wire - 1);
	alf_close(end[0]);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

/* ---- adu_cancel ---- */

START_TEST(cancelled)
{
	int64_t id, begun, sent;

	open_ends();
	ck_assert(adu_cancel(end[0], 1) == -1 && errno == ENOENT);
	id = send_one(1, 0);
	ck_assert_int_eq(adu_cancel(end[0], id), 0);
	ck_assert(adu_cancel(end[0], id) == -1 && errno == ENOENT);
	begun = begin_one(2);
	ck_assert_int_eq(adu_cancel(end[0], begun), 0);
	ck_assert(adu_cancel(end[0], begun) == -1 && errno == ENOENT);
	sent = send_one(3, 0);
	until(1, 2);
	ck_assert(adu_cancel(end[0], sent) == -1 && errno == ENOENT);
	ck_assert_int_eq(is(1, 0, ADU_LOST, ECANCELED)->attr.type, 2);
	ck_assert_int_eq(is(1, 1, ADU_COMPLETE, 0)->attr.type, 3);
	until(0, 3);
	ck_assert_int_eq(is(0, 0, ADU_CANCELLED, ECANCELED)->id, id);
	ck_assert_int_eq(is(0, 1, ADU_CANCELLED, ECANCELED)->id, begun);
	ck_assert_int_eq(is(0, 2, ADU_SENT, 0)->id, sent);
	books_are_even();
}
END_TEST

/* ---- adu_hide ---- */

static struct flow_pair pair;
static uint8_t region[2][3000];

static void put_to(uint32_t stag, uint64_t to)
{
	struct adu_out like = { .own = { data, 1000 }, .total = 1000, .here = 1000, .tagged = true, .stag = stag, .to = to };

	ck_assert_int_gt(alf_queue(pair.end[0], &like, NULL), 0);
	flow_cross(&pair, 1460);
}

static void open_pair(void)
{
	struct alf_profile p = flow_profile(0), q = p;

	q.wanted = 1U << ADU_PLACED | 1U << ADU_ERROR;
	memset(region, 0, sizeof region);
	flow_fill(data, sizeof data, 1);
	flow_pair_open(&pair, &p, &q);
}

/* Whichever of several it is: its bytes come no more, which is the peer's error; the others' do. */
START_TEST(hidden)
{
	struct alf *in;

	open_pair();
	in = pair.end[1];
	ck_assert(adu_hide(in, 1) == -1 && errno == ENOENT);
	for (uint32_t stag = 0; stag < 3; stag++)
		ck_assert_int_eq(adu_expose(in, stag, region[0] + 1000 * stag, 1000), 0);
	ck_assert_int_eq(adu_hide(in, (uint32_t)_i), 0);
	ck_assert(adu_hide(in, (uint32_t)_i) == -1 && errno == ENOENT);
	for (uint32_t stag = 0; stag < 3; stag++) {
		if (stag == (uint32_t)_i)
			continue;
		put_to(stag, 0);
		ck_assert_uint_eq(flow_expect(in, ADU_PLACED).stag, stag);
		ck_assert_mem_eq(region[0] + 1000 * stag, data, 1000);
	}
	flow_expect_nothing(in);
	put_to((uint32_t)_i, 0);
	ck_assert_int_eq(flow_expect(in, ADU_ERROR).error, EBADMSG);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(region[0][1000 * _i + i], 0);
	flow_close(&pair);
}
END_TEST

/* What it had to tell goes with it; exposed anew, the STag is another place that knows nothing of the first. */
START_TEST(hidden_and_exposed_anew)
{
	struct adu_event e;
	struct alf *in;

	open_pair();
	in = pair.end[1];
	ck_assert_int_eq(adu_expose(in, 7, region[0], 3000), 0);
	put_to(7, 0);
	put_to(7, 2000);
	ck_assert(adu_expose(in, 7, region[1], 3000) == -1 && errno == EEXIST);
	ck_assert_int_eq(adu_hide(in, 7), 0);
	flow_expect_nothing(in);
	ck_assert_int_eq(adu_expose(in, 7, region[1], 3000), 0);
	ck_assert(!alf_region_has(in->in.regions, 0, 3000));
	put_to(7, 1000);
	e = flow_expect(in, ADU_PLACED);
	ck_assert(e.stag == 7 && e.offset == 1000 && e.len == 1000);
	flow_expect_nothing(in);
	ck_assert_mem_eq(region[1] + 1000, data, 1000);
	ck_assert_mem_eq(region[0], data, 1000);
	ck_assert_mem_eq(region[0] + 2000, data, 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert(!region[1][i] && !region[1][2000 + i] && !region[0][1000 + i]);
	/* Nowhere, and nobody who says where. */
	ck_assert(adu_expose(in, 8, NULL, 3000) == -1 && errno == EINVAL);
	ck_assert(adu_hide(in, 8) == -1 && errno == ENOENT);
	flow_close(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_withdraw");
	TCase *tc = tcase_create("supersede");

	tcase_add_loop_test(tc, in_its_place, 0, 3);
	tcase_add_loop_test(tc, instead_of_what_has_begun, 0, 2);
	tcase_add_loop_test(tc, instead_of_what_is_over, 0, 2);
	tcase_add_test(tc, more);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, after_it_was_sent);
	tcase_add_test(tc, within_a_stream);
	suite_add_tcase(suite, tc);
	tc = tcase_create("cancel");
	tcase_add_test(tc, cancelled);
	suite_add_tcase(suite, tc);
	tc = tcase_create("hide");
	tcase_add_loop_test(tc, hidden, 0, 3);
	tcase_add_test(tc, hidden_and_exposed_anew);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

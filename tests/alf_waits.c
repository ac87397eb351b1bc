/* How long calls of alf/alf.h wait, and how waits end that bring nothing: by the clock, or since there is nothing to
 * come. */
#include "alf/conn.h"
#include "tests/alf_fds.h"
#include "tests/alf_flow.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

static uint8_t data[8000], buf[8000];

static void open_ends(const int fd[2], struct alf *end[2])
{
	const struct alf_profile p = flow_profile(1);

	fds_open(fd, end, &p);
	flow_fill(data, sizeof data, 3);
}

/* Nobody answers: a wait ends when it was told to; what was not sent is dropped. */
START_TEST(patience)
{
	struct timeval soon = { .tv_usec = 30000 };
	struct alf *end[2];
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	fds_wait(fd[0]);
	setsockopt_tcpu(fd[0], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
	setsockopt_tcpu(fd[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
	ck_assert_int_eq(adu_send(end[0], data, 1000, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_eq(end[0]->out.ids.count, 0);
	ck_assert_int_eq(adu_recv(end[0], buf, 10, NULL, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	/* A deadline comes first. */
	ck_assert_int_eq(adu_send(end[0], data, 1000, &(struct adu_attr){ .deadline_ms = 5 }), -1);
	ck_assert_int_eq(errno, ETIME);
	fds_close(fd, end);
}
END_TEST

/* Who sleeps as adu_timeout says misses nothing: a call that sends may leave events. */
START_TEST(events_do_not_wait)
{
	struct alf *end[2];
	struct adu_event e;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	ck_assert_int_eq(adu_next(end[0], &e, 0), 0);
	ck_assert_int_eq(adu_timeout(end[0]), -1);
	ck_assert_int_eq(adu_next(end[1], &e, 5000), 1);
	ck_assert_int_eq(adu_next(end[0], &e, 5000), 1);
	ck_assert_int_eq(e.kind, ADU_OPENED);
	ck_assert_int_gt(adu_send(end[0], data, 100, NULL), 0);
	ck_assert_int_eq(adu_timeout(end[0]), 0);
	ck_assert_int_eq(adu_next(end[0], &e, 0), 1);
	ck_assert_int_eq(e.kind, ADU_SENT);
	ck_assert_int_eq(adu_timeout(end[0]), -1);
	fds_close(fd, end);
}
END_TEST

static int64_t send_until(struct alf *a, uint32_t deadline_ms)
{
	int64_t id = adu_send(a, data, 100, &(struct adu_attr){ .deadline_ms = deadline_ms });

	ck_assert_int_gt(id, 0);
	return id;
}

static void is_far(int left)
{
	ck_assert(left > ADU_DEADLINE_MAX - 30000 && left <= ADU_DEADLINE_MAX);
}

/* An application that sleeps as long as adu_timeout says is there when a deadline comes, and does not wake in vain. */
START_TEST(deadlines_wake)
{
	struct alf *end[2];
	struct adu_event e;
	int64_t late, soon, later;
	int fd[2], left, naps = 1;

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	ck_assert_int_eq(adu_next(end[0], &e, 0), 0);
	ck_assert_int_eq(adu_timeout(end[0]), -1);
	/* Nobody answers, so all wait. */
	late = send_until(end[0], ADU_DEADLINE_MAX);
	is_far(adu_timeout(end[0]));
	soon = send_until(end[0], 30);
	later = send_until(end[0], ADU_DEADLINE_MAX);
	left = adu_timeout(end[0]);
	ck_assert(left >= 0 && left <= 30);
	for (; adu_next(end[0], &e, left) == 0; naps++)
		left = adu_timeout(end[0]);
	ck_assert_int_le(naps, 2);
	ck_assert_int_eq(e.kind, ADU_EXPIRED);
	ck_assert_int_eq(e.id, soon);
	ck_assert_int_eq(e.error, ETIME);
	is_far(adu_timeout(end[0]));
	/* Without them nobody waits for their time; that they are gone is to be told at once. */
	ck_assert_int_eq(adu_cancel(end[0], late), 0);
	ck_assert_int_eq(adu_cancel(end[0], later), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(adu_timeout(end[0]), 0);
		ck_assert_int_eq(adu_next(end[0], &e, 0), 1);
		ck_assert_int_eq(e.kind, ADU_CANCELLED);
	}
	ck_assert_int_eq(adu_timeout(end[0]), -1);
	fds_close(fd, end);
}
END_TEST

/* The same where an ADU comes: the time runs from its first byte's arrival on, and what will do late is waited for no
 * longer by the clock. */
START_TEST(deadlines_wake_who_receives)
{
	const struct adu_attr attr = { .deadline_ms = 40, .recovery = _i ? ADU_TOLERATE : ADU_KEEP };
	struct alf *end[2];
	struct adu_event e;
	int64_t id = 0;
	int fd[2], left, r = 0;

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	ck_assert_int_eq(adu_send_part(end[0], &id, 8000, data, 4000, &attr), 4000);
	while ((left = adu_timeout(end[1])) <= 0) {
		adu_next(end[0], &e, 1);
		r = adu_next(end[1], &e, 0);
		ck_assert(r == 0 || e.kind == ADU_OPENED);
	}
	ck_assert_int_le(left, 40);
	while ((left = adu_timeout(end[1])) >= 0 && (r = adu_next(end[1], &e, left)) == 0)
		;
	if (attr.recovery == ADU_TOLERATE)
		ck_assert(r == 1 && e.kind == ADU_LOST && e.error == ETIME);
	else
		ck_assert_int_eq(r, 0);
	ck_assert_int_eq(adu_timeout(end[1]), -1);
	fds_close(fd, end);
}
END_TEST

static void send_and_receive(struct alf *end[2])
{
	struct adu_event e;

	ck_assert_int_gt(adu_send(end[0], data, 20, &(struct adu_attr){ .name = "name", .name_len = 4 }), 0);
	while (adu_next(end[1], &e, 5000) == 1 && e.kind != ADU_COMPLETE)
		;
	ck_assert_int_eq(e.kind, ADU_COMPLETE);
	ck_assert_uint_eq(e.len, 20);
	ck_assert_mem_eq(e.data, data, 20);
	/* Nothing more is under way, that would end a wait for nothing. */
	while (adu_next(end[1], &e, 0) == 1 || adu_next(end[0], &e, 50) == 1)
		;
}

/* A segment that cannot hold an ADU's name ends the wait for it, and nothing else. */
START_TEST(no_segment_for_it)
{
	const struct adu_attr attr = { .name_len = ADU_NAME_MAX };
	struct alf *end[2];
	struct adu_event e;
	int fd[2];

	fds_connect(fd, 88);
	open_ends(fd, end);
	while (adu_next(end[0], &e, 1) != 1)
		adu_next(end[1], &e, 0);
	ck_assert_int_eq(e.kind, ADU_OPENED);
	fds_wait(fd[0]);
	send_and_receive(end);
	ck_assert_int_eq(adu_send(end[0], data, 20, &attr), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	send_and_receive(end);
	fds_close(fd, end);
}
END_TEST

static void *receive_to_the_end(void *arg)
{
	int64_t id;

	while (adu_recv(arg, buf, sizeof buf, NULL, &id, NULL) >= 0 && id)
		;
	return NULL;
}

/* The one before it takes the last number while it waits. */
START_TEST(no_number_for_it)
{
	struct alf *end[2];
	pthread_t thread;
	struct adu_event e;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	end[0]->out.msn[0] = UINT32_MAX;
	ck_assert_int_gt(adu_send(end[0], data, 100, NULL), 0);
	fds_wait(fd[0]);
	fds_wait(fd[1]);
	ck_assert_int_eq(pthread_create(&thread, NULL, receive_to_the_end, end[1]), 0);
	ck_assert(adu_send(end[0], data, 100, NULL) == -1 && errno == EOVERFLOW);
	ck_assert(adu_send(end[0], data, 100, NULL) == -1 && errno == EOVERFLOW);
	ck_assert(adu_supersede(end[0], 1, data, 100, NULL) == -1 && errno == EOVERFLOW);
	ck_assert(adu_next(end[0], &e, 0) == 1 && e.kind == ADU_OPENED);
	ck_assert(adu_next(end[0], &e, 0) == 1 && e.kind == ADU_SENT);
	ck_assert_int_eq(adu_next(end[0], &e, 0), 0);
	shutdown_tcpu(fd[0], SHUT_WR);
	pthread_join(thread, NULL);
	fds_close(fd, end);
}
END_TEST

/* ---- who is not let in ---- */

struct caller {
	struct alf *alf;
	bool sends;
	int error;
};

static void *call_and_wait(void *arg)
{
	struct caller *r = arg;

	if (r->sends)
		ck_assert_int_eq(adu_send(r->alf, data, 1000, NULL), -1);
	else
		ck_assert_int_eq(adu_recv(r->alf, buf, sizeof buf, NULL, NULL, NULL), -1);
	r->error = errno;
	return NULL;
}

/* RFC 5044 (7.1): the reply says R. Calls that wait, those that do not, and all that come after hear of it. */
START_TEST(rejected)
{
	const struct mpa_start no = { .reply = true, .reject = true, .private_len = 7,
		.private_data = (const uint8_t *)"no room" };
	struct alf_profile p = flow_profile(0);
	struct caller r = { .sends = _i == 1 };
	uint8_t frame[MPA_HEADER + MPA_PRIVATE_MAX];
	struct alf_peer peer;
	struct adu_event e;
	pthread_t thread;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	p.initiator = true;
	r.alf = alf_open(fd[0], &p);
	ck_assert_ptr_nonnull(r.alf);
	if (_i == 0) {
		ck_assert_int_gt(adu_send(r.alf, data, 1000, NULL), 0);
	} else {
		fds_wait(fd[0]);
		ck_assert_int_eq(pthread_create(&thread, NULL, call_and_wait, &r), 0);
	}
	fds_wait(fd[1]);
	ck_assert_int_eq(recv_tcpu(fd[1], frame, MPA_HEADER + MPA_HELLO, MSG_WAITALL), MPA_HEADER + MPA_HELLO);
	ck_assert_int_eq(send_tcpu(fd[1], frame, mpa_write(&no, frame), 0), MPA_HEADER + 7);
	if (_i) {
		pthread_join(thread, NULL);
		ck_assert_int_eq(r.error, ECONNREFUSED);
	}
	/* What was queued has no event of its own. */
	ck_assert_int_eq(adu_next(r.alf, &e, 5000), 1);
	ck_assert_int_eq(e.kind, ADU_ERROR);
	ck_assert_int_eq(e.error, ECONNREFUSED);
	ck_assert(adu_next(r.alf, &e, 5000) == -1 && errno == ECONNREFUSED);
	ck_assert(adu_recv(r.alf, buf, sizeof buf, NULL, NULL, NULL) == -1 && errno == ECONNREFUSED);
	ck_assert(adu_send(r.alf, data, 1, NULL) == -1 && errno == ECONNREFUSED);
	ck_assert(!adu_pending(r.alf) && alf_peer(r.alf, &peer));
	ck_assert_uint_eq(peer.private_len, 7);
	ck_assert_mem_eq(peer.private_data, "no room", 7);
	alf_close(r.alf);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

static bool wanted(void *ctx, const struct alf_peer *peer)
{
	(void)ctx;
	return peer->private_len == 4 && !memcmp(peer->private_data, "good", 4);
}

/* Who answers looks at what the initiator says, and may refuse it. Who is refused may know why. */
START_TEST(refuses)
{
	struct alf_profile p = flow_profile(0), q = flow_profile(0);
	struct alf_peer peer;
	struct adu_event e;
	struct alf *end[2];
	int fd[2];

	fds_connect(fd, FDS_MSS);
	p.initiator = true;
	p.private_data = _i ? "evil" : "good";
	p.private_len = 4;
	q.private_data = "go away";
	q.private_len = 7;
	q.hooks.accept = wanted;
	end[0] = alf_open(fd[0], &p);
	end[1] = alf_open(fd[1], &q);
	ck_assert(end[0] && end[1]);
	ck_assert_int_eq(adu_next(end[0], &e, 0), 0);
	ck_assert_int_eq(adu_next(end[1], &e, 5000), 1);
	ck_assert_int_eq(e.kind, _i ? ADU_ERROR : ADU_OPENED);
	ck_assert(!_i || e.error == EACCES);
	ck_assert_int_eq(adu_next(end[0], &e, 5000), 1);
	ck_assert_int_eq(e.kind, _i ? ADU_ERROR : ADU_OPENED);
	ck_assert(!_i || e.error == ECONNREFUSED);
	ck_assert(alf_peer(end[0], &peer) && alf_peer(end[1], &peer));
	ck_assert(alf_peer(end[0], &peer) && peer.private_len == 7 && !memcmp(peer.private_data, "go away", 7));
	fds_close(fd, end);
}
END_TEST

/* ---- credit ---- */

#define EACH 4

/* An end that sends all it has before it looks at what has come, and looks only when it must. */
struct stubborn {
	struct alf *alf;
	unsigned sent, received, stuck;
};

static void receive_one(struct stubborn *s)
{
	uint8_t one[1000];

	ck_assert_int_eq(adu_recv(s->alf, one, sizeof one, NULL, NULL, NULL), 1000);
	s->received++;
}

static void *be_stubborn(void *arg)
{
	struct stubborn *s = arg;

	while (s->sent < EACH) {
		if (adu_send(s->alf, data, 1000, NULL) > 0) {
			s->sent++;
			continue;
		}
		ck_assert_int_eq(errno, EDEADLK);
		s->stuck++;
		receive_one(s);
	}
	while (s->received < EACH)
		receive_one(s);
	return NULL;
}

static void open_narrow(int fd[2], struct alf *end[2])
{
	struct alf_profile p = flow_profile(0);

	p.adu_max = 1000;
	p.credit = 1000 + ADU_COST;
	fds_connect(fd, FDS_MSS);
	fds_open(fd, end, &p);
	fds_wait(fd[0]);
	fds_wait(fd[1]);
}

/* Both would wait for credit that the other one does not give, for ever. */
START_TEST(both_wait)
{
	struct stubborn s[2] = { { .sent = 0 } };
	struct alf *end[2];
	pthread_t thread;
	int fd[2];

	open_narrow(fd, end);
	s[0].alf = end[0];
	s[1].alf = end[1];
	ck_assert_int_eq(pthread_create(&thread, NULL, be_stubborn, &s[1]), 0);
	be_stubborn(&s[0]);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(s[0].stuck + s[1].stuck, 0);
	ck_assert(!end[0]->error && !end[1]->error);
	fds_close(fd, end);
}
END_TEST

static void *never_releases(void *arg)
{
	struct adu_event e;

	while (adu_next(arg, &e, -1) > 0)
		continue;
	return NULL;
}

/* Who holds nothing back waits as long as it is told to. */
START_TEST(slow_peer)
{
	struct timeval longer = { .tv_usec = 700000 };
	struct alf *end[2];
	pthread_t thread;
	int fd[2];

	open_narrow(fd, end);
	setsockopt_tcpu(fd[0], SOL_SOCKET, SO_SNDTIMEO, &longer, sizeof longer);
	ck_assert_int_eq(pthread_create(&thread, NULL, never_releases, end[1]), 0);
	ck_assert_int_gt(adu_send(end[0], data, 1000, NULL), 0);
	ck_assert_int_eq(adu_send(end[0], data, 1000, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	shutdown_tcpu(fd[0], SHUT_WR);
	pthread_join(thread, NULL);
	fds_close(fd, end);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_waits");
	TCase *tc = tcase_create("clock");

	tcase_add_test(tc, patience);
	tcase_add_test(tc, events_do_not_wait);
	tcase_add_test(tc, deadlines_wake);
	tcase_add_loop_test(tc, deadlines_wake_who_receives, 0, 2);
	suite_add_tcase(suite, tc);
	tc = tcase_create("credit");
	tcase_add_test(tc, both_wait);
	tcase_add_test(tc, slow_peer);
	suite_add_tcase(suite, tc);
	tc = tcase_create("refused");
	tcase_add_test(tc, no_segment_for_it);
	tcase_add_test(tc, no_number_for_it);
	tcase_add_loop_test(tc, rejected, 0, 3);
	tcase_add_loop_test(tc, refuses, 0, 2);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* The calls of alf/alf.h over real descriptors of TCPU on loopback: waiting, not waiting, refusing, ending. */
#include "tests/alf_fds.h"
#include "tests/alf_flow.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BIG 3000000

static uint8_t data[BIG], buf[BIG];

static void open_ends(const int fd[2], struct alf *end[2])
{
	const struct alf_profile p = flow_profile(1);

	fds_open(fd, end, &p);
	flow_fill(data, sizeof data, 3);
}

/* Both ends in one thread, so neither may ever wait. */
START_TEST(without_waiting)
{
	static const size_t sizes[] = { 0, 1, 5000, BIG, 0, 77, BIG - 3 };
	enum { ADUS = sizeof sizes / sizeof *sizes };
	struct alf *end[2];
	unsigned sent = 0, received = 0;
	struct adu_event e;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	for (unsigned i = 0; i < ADUS; i++) {
		struct adu_attr attr = { .name = "x", .name_len = 1, .type = (uint8_t)i };
		ck_assert_int_gt(adu_send(end[0], data, sizes[i], &attr), 0);
	}
	while (sent < ADUS || received < ADUS) {
		struct pollfd poll[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
		while (adu_next(end[0], &e, 0) == 1)
			sent += e.kind == ADU_SENT;
		while (adu_next(end[1], &e, 0) == 1) {
			if (e.kind != ADU_COMPLETE)
				continue;
			ck_assert_uint_eq(e.len, sizes[e.attr.type]);
			ck_assert(!e.len || !memcmp(e.data, data, e.len));
			ck_assert_int_eq(adu_release(end[1], e.id), 0);
			ck_assert_int_eq(adu_release(end[1], e.id), -1);
			ck_assert_int_eq(errno, ENOENT);
			received++;
		}
		for (int i = 0; i < 2; i++)
			if (adu_pending(end[i]))
				poll[i].events |= POLLOUT;
		if (sent < ADUS || received < ADUS)
			ck_assert_int_gt(poll_tcpu(poll, 2, 5000), 0);
	}
	fds_close(fd, end);
}
END_TEST

struct receiver {
	struct alf *alf;
	int fd;
	unsigned count;
	ssize_t len[64];
	uint64_t digest[64];
	int error;
};

static uint64_t digest(const uint8_t *from, size_t len)
{
	uint64_t d = len;

	for (size_t i = 0; i < len; i++)
		d = (d ^ from[i]) * 0x100000001b3;
	return d;
}

static void *receive(void *arg)
{
	struct receiver *r = arg;
	int64_t id = 1;

	for (;;) {
		ssize_t n = adu_recv(r->alf, buf, sizeof buf, NULL, &id, NULL);
		if (n < 0) {
			r->error = errno;
			break;
		}
		if (n == 0 && id == 0)
			break;
		r->len[r->count] = n;
		r->digest[r->count++] = digest(buf, (size_t)n);
	}
	return NULL;
}

/* Whole, in pieces of memory, part by part; then the end. */
START_TEST(waiting)
{
	struct iovec pieces[3] = { { data, 1000 }, { data + 1000, 0 }, { data + 1000, 50000 } };
	struct receiver r = { 0 };
	struct alf *end[2];
	pthread_t thread;
	int64_t id = 0;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	fds_wait(fd[0]);
	fds_wait(fd[1]);
	r.alf = end[1];
	ck_assert_int_eq(pthread_create(&thread, NULL, receive, &r), 0);
	ck_assert_int_gt(adu_send(end[0], data, BIG, NULL), 0);
	ck_assert_int_gt(adu_send(end[0], data, 0, NULL), 0);
	ck_assert_int_gt(adu_sendv(end[0], pieces, 3, NULL), 0);
	for (size_t at = 0; at < 1000000; at += 40000)
		ck_assert_int_eq(adu_send_part(end[0], &id, 1000000, data + at, 40000, NULL), 40000);
	ck_assert_int_eq(adu_send_part(end[0], &id, 1000000, data, 4, NULL), -1);
	ck_assert_int_eq(errno, ENOENT);
	shutdown_tcpu(fd[0], SHUT_WR);
	pthread_join(thread, NULL);
	ck_assert_int_eq(r.error, 0);
	ck_assert_uint_eq(r.count, 4);
	ck_assert_int_eq(r.len[0], BIG);
	ck_assert_uint_eq(r.digest[0], digest(data, BIG));
	ck_assert_int_eq(r.len[1], 0);
	ck_assert_int_eq(r.len[2], 51000);
	ck_assert_uint_eq(r.digest[2], digest(data, 51000));
	ck_assert_int_eq(r.len[3], 1000000);
	ck_assert_uint_eq(r.digest[3], digest(data, 1000000));
	fds_close(fd, end);
}
END_TEST

/* A stream that ends inside an ADU is no end. */
START_TEST(cut_off)
{
	struct receiver r = { 0 };
	struct alf *end[2];
	pthread_t thread;
	int64_t id = 0;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	fds_wait(fd[0]);
	fds_wait(fd[1]);
	r.alf = end[1];
	ck_assert_int_eq(pthread_create(&thread, NULL, receive, &r), 0);
	ck_assert_int_eq(adu_send_part(end[0], &id, 1000000, data, 40000, NULL), 40000);
	shutdown_tcpu(fd[0], SHUT_WR);
	pthread_join(thread, NULL);
	ck_assert_int_eq(r.error, EBADMSG);
	ck_assert_int_eq(adu_recv(end[1], buf, sizeof buf, NULL, NULL, NULL), -1);
	ck_assert_int_eq(errno, EBADMSG);
	fds_close(fd, end);
}
END_TEST

/* Part of a frame, and then the end: that is none, be it a FIN or an RST. */
START_TEST(cut_within_a_frame)
{
	struct timeval patience = { .tv_sec = 20 };
	struct linger at_once = { .l_onoff = 1 };
	struct receiver r = { 0 };
	struct alf *end[2];
	uint8_t half[500] = { 0x10 };
	pthread_t thread;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	fds_wait(fd[0]);
	fds_wait(fd[1]);
	setsockopt_tcpu(fd[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	r.alf = end[1];
	ck_assert_int_eq(pthread_create(&thread, NULL, receive, &r), 0);
	ck_assert_int_gt(adu_send(end[0], data, 100, NULL), 0);
	/* Two bytes of length, and less than they say. */
	memset(half + 1, 0, sizeof half - 1);
	ck_assert_int_eq(send_tcpu(fd[0], half, sizeof half, TF_NODELAY), sizeof half);
	if (_i == 0)
		shutdown_tcpu(fd[0], SHUT_WR);
	else
		setsockopt_tcpu(fd[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	alf_close(end[0]);
	if (_i)
		close_tcpu(fd[0]);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(r.count, 1);
	ck_assert_int_eq(r.error, _i ? ECONNRESET : EBADMSG);
	alf_close(end[1]);
	close_tcpu(fd[1]);
	if (!_i)
		close_tcpu(fd[0]);
}
END_TEST

static void *ask_and_wait(void *arg)
{
	struct receiver *r = arg;

	adu_send(r->alf, data, 1000, NULL);
	shutdown_tcpu(r->fd, SHUT_WR);
	return receive(r);
}

/* Who has asked ends its direction, and the answer comes all the same; by calls that wait and by those that do not. */
START_TEST(answer_after_the_end)
{
	struct receiver r = { 0 };
	struct alf *end[2];
	struct adu_event e;
	pthread_t thread;
	ssize_t n = 0;
	int64_t id;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	fds_wait(fd[0]);
	r.alf = end[0];
	r.fd = fd[0];
	ck_assert_int_eq(pthread_create(&thread, NULL, ask_and_wait, &r), 0);
	fds_wait(fd[1]);
	n = adu_recv(end[1], buf + BIG / 2, 1000, NULL, &id, NULL);
	ck_assert_int_eq(n, 1000);
	ck_assert_int_eq(adu_recv(end[1], buf + BIG / 2, 1000, NULL, &id, NULL), 0);
	ck_assert_int_eq(id, 0);
	if (_i == 0) {
		ck_assert_int_gt(adu_send(end[1], data, BIG / 2, NULL), 0);
	} else {
		ck_assert_int_eq(fcntl_tcpu(fd[1], F_SETFL, O_NONBLOCK), 0);
		ck_assert_int_gt(adu_send(end[1], data, BIG / 2, NULL), 0);
		while (adu_next(end[1], &e, 5000) == 1 && e.kind != ADU_SENT)
			;
		ck_assert_int_eq(e.kind, ADU_SENT);
	}
	shutdown_tcpu(fd[1], SHUT_WR);
	alf_close(end[1]);
	fcntl_tcpu(fd[1], F_SETFL, 0);
	close_tcpu(fd[1]);
	pthread_join(thread, NULL);
	ck_assert_int_eq(r.error, 0);
	ck_assert_uint_eq(r.count, 1);
	ck_assert_int_eq(r.len[0], BIG / 2);
	alf_close(end[0]);
	close_tcpu(fd[0]);
}
END_TEST

/* Larger than there is room: asked again, nothing is lost. */
START_TEST(no_room)
{
	struct adu_attr attr;
	struct alf *end[2];
	size_t need = 0;
	ssize_t n;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	open_ends(fd, end);
	ck_assert_int_eq(adu_recv(end[1], buf, 10, NULL, NULL, &need), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_gt(adu_send(end[0], data, 1000, &(struct adu_attr){ .type = 5 }), 0);
	while ((n = adu_recv(end[1], buf, 10, &attr, NULL, &need)) < 0 && errno == EAGAIN) {
		struct adu_event e;
		adu_next(end[0], &e, 10);
	}
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_uint_eq(need, 1000);
	ck_assert_int_eq(attr.type, 5);
	ck_assert_int_eq(adu_recv(end[1], buf, need, &attr, NULL, NULL), 1000);
	ck_assert_mem_eq(buf, data, 1000);
	fds_close(fd, end);
}
END_TEST

START_TEST(refused_profiles)
{
	const struct alf_profile good = flow_profile(0);
	struct alf_profile p;
	int fd[2];

	fds_connect(fd, FDS_MSS);
#define REFUSED(what, why) do { p = good; what; errno = 0; ck_assert_ptr_null(alf_open(fd[0], &p)); \
	ck_assert_int_eq(errno, why); } while (0)
	REFUSED(p.key = data, EINVAL);
	REFUSED(p.chain.crc = p.chain.plain, EINVAL);
	REFUSED(p.chain.marker = NULL, EINVAL);
	REFUSED(p.chain.plain = ilp_find("chacha20_copy_sum"), EINVAL);
	REFUSED(p.private_len = ALF_PRIVATE_MAX + 1, EINVAL);
	REFUSED(p.adu_max = 1000; p.credit = 1000, EINVAL);
	REFUSED(p.recovery = ADU_RECOMPUTE, EINVAL);
	REFUSED(p.recovery = ADU_SUPERSEDE + 1, EINVAL);
	REFUSED(p.deadline_ms = ADU_DEADLINE_MAX + 1, EINVAL);
	REFUSED(p.congestion = "nonesuch", ENOENT);
	REFUSED(p.schedule = "fast", EINVAL);
	p = good;
	ck_assert_ptr_null(alf_open(-1, &p));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(alf_family("nonesuch_copy", &p.chain), -ENOENT);
	ck_assert_int_eq(alf_family("x", &p.chain), -ENOENT);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

/* ADUs that do not say otherwise have the profile's recovery and deadline. Nobody answers, so all of them wait. */
START_TEST(said_by_profile)
{
	const struct adu_attr own = { .recovery = ADU_TOLERATE, .deadline_ms = 9000 };
	const struct adu_attr other = { .recovery = ADU_KEEP, .deadline_ms = ADU_NO_DEADLINE };
	static const struct { uint8_t recovery; uint32_t deadline_ms; } is[] = { { ADU_SUPERSEDE, 60000 },
		{ ADU_TOLERATE, 9000 }, { ADU_KEEP, 0 }, { ADU_SUPERSEDE, 60000 }, { ADU_SUPERSEDE, 60000 } };
	struct alf_profile p = flow_profile(0);
	unsigned n = 0;
	int64_t id = 0;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	p.recovery = ADU_SUPERSEDE;
	p.deadline_ms = 60000;
	struct alf *a = alf_open(fd[0], &p);
	ck_assert_ptr_nonnull(a);
	ck_assert_int_gt(adu_send(a, data, 100, NULL), 0);
	ck_assert_int_gt(adu_send(a, data, 100, &own), 0);
	ck_assert_int_gt(adu_sendv(a, &(struct iovec){ data, 9 }, 1, &other), 0);
	ck_assert_int_gt(adu_put(a, 1, 0, data, 100, NULL), 0);
	ck_assert_int_eq(adu_send_part(a, &id, 1000, data, 100, NULL), 100);
	for (const struct alf_link *at = a->out.queue[0].fresh.first; at; at = at->next, n++) {
		const struct adu_out *adu = ALF_OF(adu_out, link, at);
		ck_assert_uint_lt(n, sizeof is / sizeof *is);
		ck_assert_uint_eq(adu->attr.recovery, is[n].recovery);
		ck_assert_uint_eq(adu->attr.deadline_ms, is[n].deadline_ms);
	}
	ck_assert_uint_eq(n, sizeof is / sizeof *is);
	alf_close(a);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

static int option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	ck_assert_int_eq(getsockopt_tcpu(fd, IPPROTO_TCP, name, &value, &len), 0);
	return value;
}

/* TCP is told what the profile says of it, and nothing by one that is refused. */
START_TEST(told_to_tcp)
{
	static const char *const names[] = { "reno", "cubic", NULL, "nonesuch" };
	struct alf_profile p = flow_profile(0);
	char name[16] = "", before[16] = "";
	socklen_t len = sizeof name;
	struct alf *a;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	ck_assert_int_eq(getsockopt_tcpu(fd[0], IPPROTO_TCP, TCP_CONGESTION, before, &len), 0);
	ck_assert_int_eq(option(fd[0], TCP_NODELAY), 0);
	p.congestion = names[_i / 2];
	p.quickack = _i % 2;
	a = alf_open(fd[0], &p);
	ck_assert(!a == (_i / 2 == 3));
	len = sizeof name;
	ck_assert_int_eq(getsockopt_tcpu(fd[0], IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	ck_assert_str_eq(name, a && p.congestion ? p.congestion : before);
	ck_assert_int_eq(option(fd[0], TCP_QUICKACK), a && p.quickack);
	ck_assert_int_eq(option(fd[0], TCP_NODELAY), a != NULL);
	ck_assert_int_eq(option(fd[0], TCP_NOTSENT_LOWAT), a ? 1 : 0);
	alf_close(a);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

/* What the peer said at its start, the application's own words among it. */
START_TEST(greetings)
{
	struct alf_profile p = flow_profile(0);
	struct alf *end[2];
	struct alf_peer peer;
	struct adu_event e;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	p.private_data = "who is there";
	p.private_len = 12;
	p.adu_max = 4711;
	for (int i = 0; i < 2; i++) {
		p.initiator = i == 0;
		p.crc = p.markers = i == 0;
		end[i] = alf_open(fd[i], &p);
		ck_assert_ptr_nonnull(end[i]);
		ck_assert(!alf_peer(end[i], &peer));
	}
	ck_assert_int_eq(adu_next(end[0], &e, 0), 0);
	ck_assert_int_eq(adu_next(end[1], &e, 5000), 1);
	ck_assert_int_eq(e.kind, ADU_OPENED);
	ck_assert_int_eq(adu_next(end[0], &e, 5000), 1);
	ck_assert_int_eq(e.kind, ADU_OPENED);
	for (int i = 0; i < 2; i++) {
		ck_assert(alf_peer(end[i], &peer));
		ck_assert_uint_eq(peer.adu_max, 4711);
		ck_assert_uint_eq(peer.private_len, 12);
		ck_assert_mem_eq(peer.private_data, "who is there", 12);
		ck_assert(peer.crc && peer.markers == (i == 1));
	}
	fds_close(fd, end);
}
END_TEST

/* ---- framers of streams ---- */

/* The responder's end with that framer; the other is a peer without ALF. Calls wait. */
static struct alf *open_stream(const int fd[2], const struct alf_framer *framer)
{
	const struct alf_profile p = { .framer = framer, .adu_max = 1024, .credit = 2 * (1024 + ADU_COST) };
	struct alf *a = alf_open(fd[1], &p);

	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(fcntl_tcpu(fd[1], F_SETFL, 0), 0);
	return a;
}

/* What is wrong from its first byte on is told at once, and nobody waits for more. */
START_TEST(wrong_at_once)
{
	int fd[2];
	struct alf *a;

	fds_connect(fd, FDS_MSS);
	ck_assert_int_eq(send_tcpu(fd[0], "\xff\xff\xff\xff", 4, 0), 4);
	a = open_stream(fd, &alf_record);
	ck_assert(adu_recv(a, buf, sizeof buf, NULL, NULL, NULL) == -1 && errno == EBADMSG);
	alf_close(a);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

#define RECORDS 300
#define RECORD 1004

/* Takes what comes until there is no credit, or the end. Returns how many ADUs, the last of which is *last. */
static unsigned take_all(struct alf *a, struct adu_event *e, int64_t *last)
{
	unsigned complete = 0;
	int r;

	while ((r = adu_next(a, e, 20)) == 1 && e->kind != ADU_ENDED) {
		if (e->kind != ADU_COMPLETE)
			continue;
		complete++;
		*last = e->id;
	}
	ck_assert_msg(r >= 0, "adu_next: %s", strerror(errno));
	return complete;
}

/* Nobody releases: TCP's buffer fills, which is no error, and the stream's end behind it is none yet. */
START_TEST(no_credit)
{
	size_t sent = 0, all = (size_t)RECORDS * RECORD;
	struct adu_event e = { .kind = ADU_OPENED };
	unsigned complete = 0, got;
	int64_t last = 0;
	struct alf *a;
	ssize_t n;
	int fd[2];

	fds_connect(fd, FDS_MSS);
	a = open_stream(fd, &alf_record);
	for (size_t at = 0; at < all; at += RECORD)
		memcpy(data + at, "\x80\0\3\xe8", 4);
	while (e.kind != ADU_ENDED) {
		while (sent < all && (n = send_tcpu(fd[0], data + sent, all - sent, 0)) > 0)
			sent += (size_t)n;
		if (sent == all)
			shutdown_tcpu(fd[0], SHUT_WR);
		poll_tcpu(&(struct pollfd){ .fd = fd[0], .events = POLLIN }, 1, 0); /* which drives it */
		got = take_all(a, &e, &last);
		complete += got;
		ck_assert_uint_le(got, 2);
		while (got)
			ck_assert_int_eq(adu_release(a, last - 2 * (int64_t)--got), 0);
	}
	ck_assert_uint_eq(complete, RECORDS);
	alf_close(a);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

/* An ADU of nothing, by a call that waits. */
START_TEST(nothing_to_send)
{
	struct alf *a;
	char got[8];
	int fd[2];

	fds_connect(fd, FDS_MSS);
	a = open_stream(fd, _i ? &alf_plain : &alf_record);
	ck_assert(_i ? adu_send(a, "", 0, NULL) == -1 && errno == EMSGSIZE : adu_send(a, "", 0, NULL) > 0);
	ck_assert_int_gt(adu_send(a, "abc", 3, NULL), 0);
	fcntl_tcpu(fd[0], F_SETFL, 0);
	ck_assert_int_eq(recv_tcpu(fd[0], got, _i ? 3 : 4, MSG_WAITALL), _i ? 3 : 4);
	ck_assert_mem_eq(got, _i ? "abc" : "\x80\0\0\0", _i ? 3 : 4);
	alf_close(a);
	close_tcpu(fd[0]);
	close_tcpu(fd[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_calls");
	TCase *tc = tcase_create("calls");

	tcase_add_test(tc, without_waiting);
	tcase_add_test(tc, waiting);
	tcase_add_test(tc, cut_off);
	tcase_add_loop_test(tc, cut_within_a_frame, 0, 2);
	tcase_add_loop_test(tc, answer_after_the_end, 0, 2);
	tcase_add_test(tc, no_room);
	tcase_add_test(tc, refused_profiles);
	tcase_add_test(tc, said_by_profile);
	tcase_add_loop_test(tc, told_to_tcp, 0, 8);
	tcase_add_test(tc, greetings);
	suite_add_tcase(suite, tc);
	tc = tcase_create("streams");
	tcase_add_test(tc, wrong_at_once);
	tcase_add_test(tc, no_credit);
	tcase_add_loop_test(tc, nothing_to_send, 0, 2);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

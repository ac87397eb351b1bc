/* TCPK by BPF, from the client's side, against a helper that is slow, mute or wrong: what it says late is not taken for
 * the answer to another question. The helper is a thread here; its ring is plain memory, its TAP one end of a pair. */
#include "core/link/tcpk_ways.h"
#include "kernel/uapi/tcpk.h"
#include "tests/run.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RING 65536u
#define MOST 100
#define TOKEN 77

/* What the helper does; and what it was asked, of which asked[0] opens. */
static struct {
	pthread_t thread;
	char path[64];
	int listener;
	unsigned late;           /* this question is answered together with the next one; 0: none */
	unsigned last;           /* at this one it closes, and another helper comes; 0: none */
	unsigned mute_from;      /* from this one on nothing is answered; 0: all is */
	int status;              /* of the one that opens */
	uint32_t abi;
	size_t cut;              /* bytes that answers lack */
	bool mute;
	struct tcpkd_request asked[MOST];
	unsigned count;
} helper;

static int ring_of(uint32_t bytes)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("ring", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 2 * page + 2 * (off_t)bytes), 0);
	return fd;
}

/* With ring and TAP where it opens. */
static void reply(int to, const struct tcpkd_reply *r, bool opens)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec v = { (void *)r, sizeof *r - helper.cut };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int pair[2], fds[2] = { -1, -1 };

	if (opens && !r->status) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
		close(pair[1]);
		fds[0] = ring_of(RING);
		fds[1] = pair[0];
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof fds) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, sizeof fds);
	}
	(void)sendmsg(to, &m, MSG_NOSIGNAL);
	if (m.msg_control) {
		close(fds[0]);
		close(fds[1]);
	}
}

static struct tcpkd_reply answer_to(const struct tcpkd_request *q)
{
	struct tcpkd_reply r = { .abi = helper.abi, .cursor = q->cursor };

	if (q->verb == TCPKD_OPEN) {
		r.status = helper.status;
		r.ring_bytes = RING;
		r.cursor = TOKEN;
	}
	if (q->verb == TCPKD_CLAIM) {
		r.local = q->local;
		r.local_port = q->local_port ? q->local_port : htons(40000);
	}
	return r;
}

/* How a helper lives: false when it closes by itself. */
static bool serve_one(int client)
{
	const struct tcpkd_request *held = NULL;
	struct tcpkd_request q;

	while (recv(client, &q, sizeof q, 0) == (ssize_t)sizeof q && helper.count < MOST) {
		struct tcpkd_reply r;

		helper.asked[helper.count] = q;
		if (helper.last && helper.count == helper.last) {
			helper.count++;
			return false;
		}
		if (helper.mute_from && helper.count >= helper.mute_from) {
			helper.count++;
			continue;
		}
		if (helper.mute || (helper.late && helper.count == helper.late)) {
			held = &helper.asked[helper.count++];
			continue;
		}
		if (held) {
			r = answer_to(held);
			reply(client, &r, false);
			held = NULL;
		}
		r = answer_to(&q);
		reply(client, &r, helper.count++ == 0);
	}
	return true;
}

static void *serve(void *unused)
{
	for (bool ended = false; !ended;) {
		int client = accept4(helper.listener, NULL, NULL, SOCK_CLOEXEC);

		ended = client < 0 || serve_one(client);
		close(client);
	}
	return unused;
}

static int open_client(struct link **out)
{
	const struct link_tcpk_config c = { .by = LINK_TCPK_BPF, .path = helper.path, .ring_bytes = RING };
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(helper.path, sizeof helper.path, "/tmp/link_tcpk.%d", getpid());
	strcpy(a.sun_path, helper.path);
	unlink(helper.path);
	helper.abi = helper.abi ? helper.abi : TCPK_ABI;
	helper.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(helper.listener, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(listen(helper.listener, 1), 0);
	ck_assert_int_eq(pthread_create(&helper.thread, NULL, serve, NULL), 0);
	return tcpk_bpf_open(&c, out);
}

/* Only then what was asked may be looked at. */
static void end(struct link *link)
{
	if (link)
		link->ops->close(link);
	shutdown(helper.listener, SHUT_RDWR);
	pthread_join(helper.thread, NULL);
	close(helper.listener);
	unlink(helper.path);
}

static void assert_asked(unsigned i, enum tcpkd_verb verb, uint16_t port)
{
	ck_assert_uint_lt(i, helper.count);
	ck_assert_uint_eq(helper.asked[i].verb, verb);
	ck_assert_uint_eq(ntohs(helper.asked[i].local_port), port);
}

static void setup(void)
{
	memset(&helper, 0, sizeof helper);
}

static unsigned count_asked(enum tcpkd_verb verb, uint16_t port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < helper.count; i++)
		n += helper.asked[i].verb == verb && ntohs(helper.asked[i].local_port) == port;
	return n;
}

static struct link_addr local(uint16_t port)
{
	return (struct link_addr){ htonl(0x0a000001), htons(port) };
}

START_TEST(each_question_has_its_answer)
{
	struct link_addr a = local(1000), any = local(0);
	struct link *l;

	ck_assert_int_eq(open_client(&l), 0);
	ck_assert_uint_gt(l->window_max, RING / 2);
	ck_assert_uint_lt(l->window_max, RING);
	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	ck_assert_int_eq(l->ops->claim(l, &any), 0);
	ck_assert_uint_eq(ntohs(any.port), 40000);
	l->ops->release(l, &a);
	end(l);
	ck_assert_uint_eq(helper.count, 4);
	assert_asked(0, TCPKD_OPEN, 0);
	assert_asked(1, TCPKD_CLAIM, 1000);
	assert_asked(2, TCPKD_CLAIM, 0);
	assert_asked(3, TCPKD_RELEASE, 1000);
}
END_TEST

/* What a late answer grants, nobody has asked for any more: it is given back, and the next claim has its own. */
START_TEST(late_grant_is_given_back)
{
	struct link_addr a = local(0), b = local(2000), c = local(3000);
	struct link *l;

	helper.late = 1;
	ck_assert_int_eq(open_client(&l), 0);
	ck_assert_int_eq(l->ops->claim(l, &a), -ENETDOWN);
	ck_assert_int_eq(l->ops->claim(l, &b), 0);
	ck_assert_uint_eq(ntohs(b.port), 2000);
	ck_assert_int_eq(l->ops->claim(l, &c), 0);
	ck_assert_uint_eq(ntohs(c.port), 3000);
	end(l);
	ck_assert_uint_eq(helper.count, 5);
	assert_asked(3, TCPKD_RELEASE, 40000);
	assert_asked(4, TCPKD_CLAIM, 3000);
}
END_TEST

/* One that says how things are, or that something was done, grants nothing. */
START_TEST(late_word_is_not_the_next_answer)
{
	const struct link_addr remote = { htonl(0x0a000002), htons(80) };
	struct link_addr a = local(1000), b = local(2000), c = local(3000);
	struct link *l;

	helper.late = 2;
	ck_assert_int_eq(open_client(&l), 0);
	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	ck_assert_int_eq(l->ops->narrow(l, &a, &remote), -ENETDOWN);
	ck_assert_int_eq(l->ops->claim(l, &b), 0);
	ck_assert_uint_eq(ntohs(b.port), 2000);
	ck_assert_int_eq(l->ops->claim(l, &c), 0);
	end(l);
	ck_assert_uint_eq(helper.count, 5);
	assert_asked(4, TCPKD_CLAIM, 3000); /* and no RELEASE */
}
END_TEST

/* What is released stands behind what comes to be owed meanwhile. */
START_TEST(grant_that_comes_with_a_release_is_given_back)
{
	struct link_addr a = local(1000), any = local(0), c = local(3000);
	struct link *l;

	helper.late = 2;
	ck_assert_int_eq(open_client(&l), 0);
	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	ck_assert_int_eq(l->ops->claim(l, &any), -ENETDOWN);
	l->ops->release(l, &a);
	ck_assert_int_eq(l->ops->claim(l, &c), 0);
	c = local(3001);
	ck_assert_int_eq(l->ops->claim(l, &c), 0);
	end(l);
	assert_asked(3, TCPKD_RELEASE, 1000);
	ck_assert_uint_eq(count_asked(TCPKD_RELEASE, 1000), 1);
	ck_assert_uint_eq(count_asked(TCPKD_RELEASE, 40000), 1);
}
END_TEST

/* The address is claimed again before its release has an answer: that was of what was before. */
START_TEST(what_is_claimed_again_stays)
{
	struct link_addr a = local(7010), b = local(1);
	struct link *l;

	helper.late = 2;
	ck_assert_int_eq(open_client(&l), 0);
	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	l->ops->release(l, &a);
	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	ck_assert_int_eq(l->ops->claim(l, &b), 0);
	end(l);
	ck_assert_uint_eq(helper.count, 5);
	assert_asked(2, TCPKD_RELEASE, 7010);
	assert_asked(3, TCPKD_CLAIM, 7010);
	assert_asked(4, TCPKD_CLAIM, 1);
}
END_TEST

/* A helper that is mute keeps nobody who closes; it is told no more than it may leave unanswered. */
START_TEST(release_does_not_wait)
{
	struct link *l;

	helper.mute_from = 1;
	ck_assert_int_eq(open_client(&l), 0);
	for (uint16_t port = 1; port <= 60; port++) {
		struct link_addr a = local(port);

		l->ops->release(l, &a);
	}
	end(l);
	ck_assert_uint_eq(helper.count, 1 + 32);
	for (uint16_t port = 1; port <= 32; port++)
		ck_assert_uint_eq(count_asked(TCPKD_RELEASE, port), 1);
}
END_TEST

/* The next helper is told who this is, then what the one before may not have done. */
START_TEST(another_helper_is_told)
{
	struct link_addr a = local(1000), b = local(2000);
	struct link *l;

	helper.last = 2;
	ck_assert_int_eq(open_client(&l), 0);
	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	l->ops->release(l, &a);
	ck_assert_int_eq(l->ops->claim(l, &b), 0);
	end(l);
	ck_assert_uint_eq(helper.count, 6);
	assert_asked(2, TCPKD_RELEASE, 1000);
	assert_asked(3, TCPKD_RESUME, 0);
	ck_assert_uint_eq(helper.asked[3].cursor, TOKEN);
	assert_asked(4, TCPKD_RELEASE, 1000);
	assert_asked(5, TCPKD_CLAIM, 2000);
}
END_TEST

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 100; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* None of these leaves a link, a descriptor or memory (valgrind and asan look). */
START_TEST(helper_that_is_none)
{
	static const struct {
		int status, expected;
		uint32_t abi;
		size_t cut;
		bool mute;
	} with[] = {
		{ -EPERM, -EACCES, 0, 0, false },
		{ -EDQUOT, -EMFILE, 0, 0, false },
		{ -EINVAL, -EINVAL, 0, 0, false },
		{ 0, -EPROTO, TCPK_ABI + 1, 0, false },
		{ 0, -ENETDOWN, 0, 1, false },
		{ 0, -ENETDOWN, 0, 0, true },
	};
	struct link *l = NULL;
	unsigned before = open_descriptors();

	helper.status = with[_i].status;
	helper.abi = with[_i].abi;
	helper.cut = with[_i].cut;
	helper.mute = with[_i].mute;
	ck_assert_int_eq(open_client(&l), with[_i].expected);
	ck_assert_ptr_null(l);
	end(NULL);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("link_tcpk");
	TCase *c = tcase_create("helper");

	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, each_question_has_its_answer);
	tcase_add_test(c, late_grant_is_given_back);
	tcase_add_test(c, late_word_is_not_the_next_answer);
	tcase_add_test(c, grant_that_comes_with_a_release_is_given_back);
	tcase_add_test(c, what_is_claimed_again_stays);
	tcase_add_test(c, release_does_not_wait);
	tcase_add_test(c, another_helper_is_told);
	tcase_add_loop_test(c, helper_that_is_none, 0, 6);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

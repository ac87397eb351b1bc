/* Flags of sends and receives, peeking, and bytes in several pieces of memory. In virtual time. */
#include "tests/run.h"
#include "tests/socket_machine.h"
#include "tests/socket_peer.h"

#include "core/cksum.h"
#include "core/plain.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static struct machine m;
static int l, here, there;

static void open_both(void)
{
	machine_start(&m, NULL);
	l = machine_listener(&m, 80);
	machine_pair(&m, l, 80, &here, &there);
}

static void close_all(void)
{
	ck_assert_int_eq(close_tcpu(here), 0);
	ck_assert_int_eq(close_tcpu(there), 0);
	ck_assert_int_eq(close_tcpu(l), 0);
	machine_stop(&m);
}

START_TEST(unknown_flags)
{
	struct plain_sink sink;
	struct plain_source source;
	char b[1];

	open_both();
	plain_source(&source, b, 1);
	plain_sink(&sink, b, 1);
	FAILS(send_tcpu(here, b, 1, MSG_OOB), EOPNOTSUPP);
	FAILS(send_tcpu(here, b, 1, MSG_PEEK), EOPNOTSUPP);
	FAILS(recv_tcpu(here, b, 1, MSG_OOB), EOPNOTSUPP);
	FAILS(recv_tcpu(here, b, 1, MSG_PEEK | MSG_TRUNC), EOPNOTSUPP);
	FAILS(recv_tcpu(here, b, 1, MSG_MORE), EOPNOTSUPP);
	FAILS(fill_tcpu(here, &source.seam, MSG_EOR), EOPNOTSUPP);
	FAILS(drain_tcpu(here, &sink.seam, MSG_PEEK), EOPNOTSUPP);
	ck_assert_int_eq(send_tcpu(here, "x", 1, TF_NODELAY | MSG_DONTWAIT | MSG_NOSIGNAL), 1);
	ck_assert_int_eq(recv_tcpu(there, b, 1, MSG_WAITALL), 1);
	FAILS(recv_tcpu(there, b, 1, MSG_WAITALL | MSG_DONTWAIT), EAGAIN);
	close_all();
}
END_TEST

/* What is peeked at stays; a second look sees more when more has come. */
START_TEST(peek)
{
	char b[16];
	uint64_t before_us;

	open_both();
	FAILS(recv_tcpu(there, b, 4, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	before_us = m.now_us;
	ck_assert_int_eq(send_tcpu(here, "abcd", 4, TF_NODELAY), 4);
	ck_assert_int_eq(recv_tcpu(there, b, 2, MSG_PEEK), 2); /* waits */
	ck_assert_uint_eq(m.now_us, before_us + 10000);
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, MSG_PEEK), 4); /* what is there */
	ck_assert_mem_eq(b, "abcd", 4);
	ck_assert_int_eq(send_tcpu(here, "efgh", 4, TF_NODELAY), 4);
	before_us = m.now_us;
	ck_assert_int_eq(recv_tcpu(there, b, 6, MSG_PEEK | MSG_WAITALL), 6);
	ck_assert_uint_eq(m.now_us, before_us + 10000);
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, MSG_PEEK), 8); /* though nothing else has looked into the link */
	ck_assert_mem_eq(b, "abcdefgh", 8);
	ck_assert_int_eq(recv_tcpu(there, b, 3, 0), 3);
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, MSG_PEEK), 5);
	ck_assert_mem_eq(b, "defgh", 5);
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, 0), 5);
	ck_assert_int_eq(send_tcpu(here, "ij", 2, 0), 2);
	ck_assert_int_eq(shutdown_tcpu(here, SHUT_WR), 0);
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, MSG_PEEK | MSG_WAITALL), 2); /* no more than these */
	ck_assert_int_eq(recv_tcpu(there, b, sizeof b, 0), 2);
	ck_assert_int_eq(recv_tcpu(there, b, 1, MSG_PEEK), 0);
	ck_assert_int_eq(recv_tcpu(there, b, 1, 0), 0);
	close_all();
}
END_TEST

/* More than fits is not waited for; all that fits is, in how many segments it may come. */
START_TEST(peek_at_much)
{
	static char much[30000], b[40000];
	struct sockaddr_in to;
	int size = 20000;
	ssize_t n;

	machine_start(&m, NULL);
	to = machine_at(THERE_IP, 80);
	l = stack_socket_tcpu(m.stack[1], SOCK_STREAM);
	ck_assert_int_eq(setsockopt_tcpu(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	ck_assert_int_eq(bind_tcpu(l, &to, sizeof to), 0);
	ck_assert_int_eq(listen_tcpu(l, 1), 0);
	machine_pair(&m, l, 80, &here, &there);
	for (size_t i = 0; i < sizeof much; i++)
		much[i] = (char)byte_at(i);
	ck_assert_int_eq(send_tcpu(here, much, sizeof much, 0), sizeof much);
	ck_assert_int_eq(recv_tcpu(there, b, 19500, MSG_PEEK | MSG_WAITALL), 19500);
	n = recv_tcpu(there, b, sizeof b, MSG_PEEK | MSG_WAITALL);
	ck_assert_int_ge(n, 19500);
	ck_assert_int_le(n, size);
	ck_assert_mem_eq(b, much, (size_t)n);
	ck_assert_int_eq(recv_tcpu(there, b, sizeof much, MSG_WAITALL), sizeof much);
	ck_assert_mem_eq(b, much, sizeof much);
	close_all();
}
END_TEST

/* What was shut for reading was that connection, and not the next one of the socket. */
START_TEST(connected_again)
{
	struct linger now = { 1, 0 };
	struct sockaddr_in to;
	char b[4];

	open_both();
	to = machine_at(THERE_IP, 80);
	ck_assert_int_eq(shutdown_tcpu(here, SHUT_RD), 0);
	ck_assert_int_eq(setsockopt_tcpu(there, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	ck_assert_int_eq(close_tcpu(there), 0);
	machine_pass(&m, 100000);
	ck_assert_int_eq(connect_tcpu(here, &to, sizeof to), 0);
	there = accept_tcpu(l, NULL, NULL);
	ck_assert_int_eq(send_tcpu(there, "abcd", 4, 0), 4);
	ck_assert_int_eq(recv_tcpu(here, b, 4, 0), 4);
	close_all();
}
END_TEST

START_TEST(peek_at_errors)
{
	struct timeval t = { 0, 50000 };
	uint64_t before_us;
	char b[4];

	open_both();
	FAILS(recv_tcpu(l, b, 1, MSG_PEEK), ENOTCONN);
	ck_assert_int_eq(setsockopt_tcpu(here, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
	before_us = m.now_us;
	FAILS(recv_tcpu(here, b, 1, MSG_PEEK), EAGAIN);
	ck_assert_uint_eq(m.now_us, before_us + 50000);
	ck_assert_int_eq(send_tcpu(here, "x", 1, 0), 1);
	machine_pass(&m, 100000);
	ck_assert_int_eq(close_tcpu(there), 0); /* unread: RST */
	FAILS(recv_tcpu(here, b, 1, MSG_PEEK), ECONNRESET);
	ck_assert_int_eq(recv_tcpu(here, b, 1, MSG_PEEK), 0);
	there = stack_socket_tcpu(m.stack[1], SOCK_STREAM);
	close_all();
}
END_TEST

/* Linux's: a time before now does not wait, and one beyond all clocks waits without end. */
START_TEST(timeouts_at_the_ends)
{
	struct timeval t = { -1, 0 };
	uint64_t before_us;
	char b[4];

	open_both();
	before_us = m.now_us;
	ck_assert_int_eq(setsockopt_tcpu(there, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
	FAILS(recv_tcpu(there, b, 4, 0), EAGAIN);
	ck_assert_uint_le(m.now_us, before_us + 1);
	for (int i = 0; i < 3; i++) {
		t.tv_sec = i == 0 ? INT64_MAX : i == 1 ? INT64_MAX / 1000000 : INT64_MAX / 1000000 - 1;
		ck_assert_int_eq(setsockopt_tcpu(there, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
		ck_assert_int_eq(send_tcpu(here, "abcd", 4, TF_NODELAY), 4);
		ck_assert_int_eq(recv_tcpu(there, b, 4, 0), 4);
	}
	close_all();
}
END_TEST

/* ---- pieces ---- */

static void shuffle(uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		b[i] = byte_at(i);
}

/* Random cuts of len bytes at b, odd and empty ones among them; each piece stands in memory of its own. */
static int cut(uint64_t *random, uint8_t *b, size_t len, struct iovec *v, int most)
{
	size_t at = 0;
	int n = 0;

	while (n < most - 1 && at < len) {
		size_t part = (*random = *random * 6364136223846793005 + 1442695040888963407) >> 33;

		part %= n % 3 ? 7 : 200;
		part = part < len - at ? part : len - at;
		v[n++] = (struct iovec){ b + at, part };
		at += part;
	}
	v[n++] = (struct iovec){ b + at, len - at };
	return n;
}

/* The sums are those of the same bytes in one piece, whatever the cuts, and whatever the fills and drains take. */
START_TEST(sums_of_pieces)
{
	enum { BYTES = 3000, PIECES = 40 };
	uint8_t from[BYTES], to[BYTES], span[BYTES];
	struct iovec out[PIECES], in[PIECES];
	struct plain_gather g;
	struct plain_scatter s;
	uint64_t random = (uint64_t)_i + 1;
	size_t at = 0, n;
	uint16_t sum, back;

	shuffle(from, BYTES);
	memset(to, 0, BYTES);
	cut(&random, from, BYTES, out, PIECES);
	cut(&random, to, BYTES, in, PIECES);
	plain_gather(&g, out, BYTES);
	plain_scatter(&s, in, BYTES);
	for (; at < BYTES; at += n) {
		size_t cap = 1 + (random >> 40) % 700;

		random = random * 6364136223846793005 + 1442695040888963407;
		n = g.seam.fill(g.seam.ctx, at, span, cap, &sum);
		ck_assert_uint_eq(n, cap < BYTES - at ? cap : BYTES - at);
		ck_assert_uint_eq(sum % 0xffff, tcpu_sum(from + at, n) % 0xffff);
		ck_assert(!s.seam.done);
		ck_assert_uint_eq(s.seam.drain(s.seam.ctx, at, span, n, &back), n);
		ck_assert_uint_eq(back % 0xffff, sum % 0xffff);
		if (cap & 1) { /* the checksum was wrong: it never happened */
			s.seam.settle(s.seam.ctx, at, n, false);
			for (size_t i = 0; i < n; i++)
				if (to[at + i])
					ck_abort_msg("not wiped");
			ck_assert_uint_eq(s.seam.drain(s.seam.ctx, at, span, n, NULL), n);
		}
		s.seam.settle(s.seam.ctx, at, n, true);
	}
	ck_assert_uint_eq(g.seam.fill(g.seam.ctx, at, span, 1, &sum), 0);
	ck_assert(s.seam.done);
	ck_assert_mem_eq(from, to, BYTES);
	/* All or nothing, where the sum is asked for. */
	plain_scatter(&s, in, 10);
	ck_assert_uint_eq(s.seam.drain(s.seam.ctx, 0, span, 11, &back), 0);
	ck_assert_uint_eq(s.seam.drain(s.seam.ctx, 0, span, 11, NULL), 10);
}
END_TEST

START_TEST(vectors)
{
	enum { BYTES = 100000, PIECES = 300 };
	static uint8_t from[BYTES], to[BYTES];
	struct iovec out[PIECES], in[PIECES];
	uint64_t random = 5;
	size_t got = 0;
	ssize_t n;
	int n_in;

	open_both();
	shuffle(from, BYTES);
	ck_assert_int_eq(writev_tcpu(here, out, cut(&random, from, BYTES, out, PIECES)), BYTES);
	while (got < BYTES) {
		n_in = cut(&random, to + got, BYTES - got, in, 20);
		n = readv_tcpu(there, in, n_in);
		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_mem_eq(from, to, BYTES);
	ck_assert_int_eq(writev_tcpu(here, out, 0), 0);
	ck_assert_int_eq(readv_tcpu(there, in, 0), 0);
	out[0].iov_len = 0;
	ck_assert_int_eq(writev_tcpu(here, out, 1), 0);
	ck_assert_int_eq(shutdown_tcpu(here, SHUT_WR), 0);
	ck_assert_int_eq(readv_tcpu(there, in, 1), 0);
	close_all();
}
END_TEST

START_TEST(vector_mistakes)
{
	static struct iovec many[IOV_MAX + 1];
	struct iovec large[2] = { { NULL, SSIZE_MAX }, { NULL, 1 } };

	open_both();
	FAILS(writev_tcpu(here, large, -1), EINVAL);
	FAILS(readv_tcpu(here, large, -1), EINVAL);
	FAILS(writev_tcpu(here, many, IOV_MAX + 1), EINVAL);
	FAILS(readv_tcpu(here, many, IOV_MAX + 1), EINVAL);
	ck_assert_int_eq(writev_tcpu(here, many, IOV_MAX), 0);
	FAILS(writev_tcpu(here, large, 2), EINVAL);
	FAILS(readv_tcpu(here, large, 2), EINVAL);
	FAILS(writev_tcpu(l, large, 1), ENOTCONN);
	FAILS(readv_tcpu(l, large, 1), ENOTCONN);
	FAILS(writev_tcpu(-1, large, 2), EBADF);
	FAILS(readv_tcpu(1 << 28, large, 2), EBADF);
	close_all();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_bytes");
	TCase *tc = tcase_create("bytes");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, unknown_flags);
	tcase_add_test(tc, peek);
	tcase_add_test(tc, peek_at_errors);
	tcase_add_test(tc, peek_at_much);
	tcase_add_test(tc, connected_again);
	tcase_add_test(tc, timeouts_at_the_ends);
	tcase_add_loop_test(tc, sums_of_pieces, 0, 50);
	tcase_add_test(tc, vectors);
	tcase_add_test(tc, vector_mistakes);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

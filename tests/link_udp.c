/* TCP in UDP on loopback: batches arrive as they left, whatever their sizes and memory; what UDP_SEGMENT and UDP_GRO
 * join is cut again; ICMP is told of; a full window fits the socket's buffer. */
#include "core/link/udp.h"
#include "tests/run.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 256

static struct link *a, *b;
static struct link_addr at_a, at_b;
static uint8_t memory[8 << 20];
static struct link_out out[BATCH];

static struct link *open_at(struct link_addr *at, const struct link_udp_config *c)
{
	struct link *l;

	ck_assert_int_eq(link_udp_open(c, &l), 0);
	ck_assert_int_eq(l->ops->fd(l), -1);
	ck_assert_int_eq(l->ops->claim(l, at), 0);
	ck_assert_int_ge(l->ops->fd(l), 0);
	ck_assert_uint_ne(at->port, 0);
	return l;
}

static void open_both(const struct link_udp_config *c)
{
	at_a = at_b = (struct link_addr){ htonl(INADDR_LOOPBACK), 0 };
	a = open_at(&at_a, c);
	b = open_at(&at_b, c);
}

static void close_both(void)
{
	a->ops->close(a);
	b->ops->close(b);
}

/* Segment i of size bytes at p: ports, its number, then bytes that follow from it. */
static void prepare(uint32_t i, uint8_t *p, uint32_t size, bool apart)
{
	memcpy(p, &at_a.port, 2);
	memcpy(p + 2, &at_b.port, 2);
	memcpy(p + 4, &i, 4);
	for (uint32_t k = 8; k < size; k++)
		p[k] = (uint8_t)(k * 13 + i);
	out[i] = (struct link_out){ .src = at_a, .dst = at_b, .header = p, .header_len = 20, .data = p + 20,
				    .data_len = size - 20 };
	if (apart) { /* the data stands elsewhere than behind its header */
		out[i].data = p + size + 100;
		memcpy(p + size + 100, p + 20, size - 20);
	}
}

static void check(const struct link_in *in, uint32_t i)
{
	uint32_t number;

	ck_assert_uint_eq(in->ecn, out[i].ecn);

	ck_assert_uint_eq(in->len, out[i].header_len + out[i].data_len);
	memcpy(&number, in->segment + 4, 4);
	ck_assert_uint_eq(number, i);
	for (uint32_t k = 8; k < in->len; k++)
		if (in->segment[k] != (uint8_t)(k * 13 + i))
			ck_abort_msg("byte %u of segment %u is wrong", k, i);
	ck_assert_uint_eq(in->src.port, at_a.port);
	ck_assert_uint_eq(in->src.ip, at_a.ip);
	ck_assert_uint_eq(in->dst.port, at_b.port);
	ck_assert_uint_eq(in->dst.ip, at_b.ip);
	ck_assert(!in->vouched);
	ck_assert_int_eq(in->error, 0);
}

static void receive(uint32_t n, unsigned max)
{
	struct link_in in[BATCH];
	struct pollfd p = { .fd = b->ops->fd(b), .events = POLLIN };
	uint32_t i = 0;

	while (i < n) {
		int got = b->ops->recv(b, in, max);

		ck_assert_int_le(got, (int)max);
		for (int k = 0; k < got; k++)
			check(&in[k], i++);
		if (!got)
			ck_assert_int_eq(poll(&p, 1, 5000), 1);
	}
	ck_assert_int_eq(b->ops->recv(b, in, max), 0);
}

/* Sizes as a TCP has them, and as it does not. */
static const struct {
	uint32_t n, size, last, every, other;
	unsigned max;
} shapes[] = {
	{ 1, 20, 20, 0, 0, 8 },		{ 64, 1472, 1472, 0, 0, 64 },	{ 200, 1472, 100, 0, 0, 128 },
	{ 64, 1472, 21, 0, 0, 7 },	{ 3, 65507, 65507, 0, 0, 8 },	{ 4, 32754, 500, 0, 0, 8 },
	{ 100, 1472, 1472, 7, 60, 128 }, { 100, 60, 60, 3, 1472, 128 },	{ 256, 20, 20, 0, 0, 1 },
	{ 130, 500, 500, 0, 0, 256 },	{ 60, 9000, 8999, 5, 9001, 256 },
};

START_TEST(batches)
{
	int shape = _i / 4;
	bool apart = _i & 1, single = _i & 2;
	uint8_t *p = memory;
	uint32_t n = shapes[shape].n;

	open_both(&(struct link_udp_config){ .single = single });
	for (uint32_t i = 0; i < n; i++) {
		uint32_t size = i == n - 1 ? shapes[shape].last : shapes[shape].size;

		if (shapes[shape].every && i % shapes[shape].every == 0)
			size = shapes[shape].other;
		prepare(i, p, size, apart);
		p += apart ? 2 * size + 200 : size;
	}
	ck_assert_int_eq(a->ops->send(a, out, n), (int)n);
	receive(n, shapes[shape].max);
	ck_assert_uint_eq(link_udp_stats(b).segments_in, n);
	/* One datagram for each run that fits, as udp.h says. */
	if (single)
		ck_assert_uint_eq(link_udp_stats(a).datagrams_out, n);
	else if (shape == 1)
		ck_assert_uint_eq(link_udp_stats(a).datagrams_out, 2); /* 44 of 1472 bytes, and 20 */
	close_both();
}
END_TEST

/* RFC 3168: the ECN field arrives as it was sent, for each segment of a batch. */
START_TEST(ecn)
{
	open_both(&(struct link_udp_config){ .single = _i });
	for (uint32_t i = 0; i < 12; i++) {
		prepare(i, memory + i * 500, 500, false);
		out[i].ecn = i / 3 % 4;
	}
	ck_assert_int_eq(a->ops->send(a, out, 12), 12);
	receive(12, BATCH);
	for (uint32_t i = 0; i < 12; i++)
		out[i].ecn = 0;
	close_both();
}
END_TEST

/* Other peers and other senders in between: each gets its own. */
START_TEST(two_peers)
{
	struct link_addr at_c = { htonl(INADDR_LOOPBACK), 0 };
	struct link *c;
	struct link_in in[BATCH];

	open_both(&(struct link_udp_config){ 0 });
	c = open_at(&at_c, &(struct link_udp_config){ 0 });
	for (uint32_t i = 0; i < 40; i++) {
		prepare(i, memory + i * 1000, 1000, false);
		if (i >= 20) {
			memcpy(memory + i * 1000 + 2, &at_c.port, 2);
			out[i].dst = at_c;
		}
	}
	ck_assert_int_eq(a->ops->send(a, out, 40), 40);
	receive(20, 64);
	ck_assert_int_eq(c->ops->recv(c, in, BATCH), 20);
	close_both();
	c->ops->close(c);
}
END_TEST

/* TCP's ports must be UDP's. */
START_TEST(contradiction)
{
	struct link_in in[4];

	open_both(&(struct link_udp_config){ 0 });
	prepare(0, memory, 100, false);
	memory[1] ^= 1;
	ck_assert_int_eq(a->ops->send(a, out, 1), 1);
	memory[1] ^= 1;
	memory[3] ^= 1;
	ck_assert_int_eq(a->ops->send(a, out, 1), 1);
	memory[3] ^= 1;
	out[0].header_len = 3;
	out[0].data_len = 0;
	ck_assert_int_eq(a->ops->send(a, out, 1), 1);
	ck_assert_int_eq(b->ops->recv(b, in, 4), 0);
	ck_assert_uint_eq(link_udp_stats(b).contradictions, 3);
	close_both();
}
END_TEST

/* ICMP port unreachable becomes an error of exactly that peer, and what goes to others is sent all the same. */
START_TEST(unreachable)
{
	struct link_addr gone = { htonl(INADDR_LOOPBACK), 0 };
	struct link *c;
	struct link_in in[4];
	struct pollfd p;
	int got;

	open_both(&(struct link_udp_config){ 0 });
	c = open_at(&gone, &(struct link_udp_config){ 0 });
	c->ops->close(c);
	for (uint32_t i = 0; i < 3; i++) {
		prepare(i, memory + i * 100, 100 - i, false);
		if (i == 0)
			out[i].dst = gone;
	}
	ck_assert_int_eq(a->ops->send(a, out, 3), 3);
	p = (struct pollfd){ .fd = a->ops->fd(a), .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	got = a->ops->recv(a, in, 4);
	ck_assert_int_eq(got, 1);
	ck_assert_int_eq(in[0].error, ECONNREFUSED);
	ck_assert_uint_eq(in[0].len, 8); /* ports and sequence number, as they left */
	ck_assert_mem_eq(in[0].segment, out[0].header, 8);
	ck_assert_uint_eq(in[0].src.ip, gone.ip);
	ck_assert_uint_eq(in[0].src.port, gone.port);
	ck_assert_uint_eq(in[0].dst.ip, at_a.ip);
	ck_assert_uint_eq(in[0].dst.port, at_a.port);
	ck_assert_int_eq(poll(&p, 1, 0), 0); /* all read: nobody spins */
	ck_assert_int_eq(b->ops->recv(b, in, 4), 2);
	close_both();
}
END_TEST

/* A socket for any address: which one a segment came to is told, and an answer leaves from there. */
START_TEST(any_address)
{
	struct link_in in[4];
	struct link_out answer;

	at_a = (struct link_addr){ htonl(INADDR_LOOPBACK), 0 };
	at_b = (struct link_addr){ 0, 0 };
	a = open_at(&at_a, &(struct link_udp_config){ 0 });
	b = open_at(&at_b, &(struct link_udp_config){ 0 });
	at_b.ip = htonl(0x7f000a0b);
	for (uint32_t i = 0; i < 4; i++)
		prepare(i, memory + i * 500, 500, false);
	ck_assert_int_eq(a->ops->send(a, out, 4), 4);
	receive(4, 4);
	answer = out[0];
	answer.src = at_b;
	answer.dst = at_a;
	memcpy(memory, &at_b.port, 2);
	memcpy(memory + 2, &at_a.port, 2);
	ck_assert_int_eq(b->ops->send(b, &answer, 1), 1);
	ck_assert_int_eq(a->ops->recv(a, in, 4), 1);
	ck_assert_uint_eq(in[0].src.ip, at_b.ip);
	close_both();
}
END_TEST

/* RFC 9293 (MUST-57): what came by broadcast, though the right ports stand in it, is nothing. */
START_TEST(broadcast)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, to = from;
	socklen_t len = sizeof from;
	struct link_in in[4];
	int fd = socket(AF_INET, SOCK_DGRAM, 0), yes = 1;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&from, &len), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes), 0);
	at_a = (struct link_addr){ from.sin_addr.s_addr, from.sin_port };
	at_b = (struct link_addr){ 0, 0 };
	b = open_at(&at_b, &(struct link_udp_config){ 0 });
	to.sin_port = at_b.port;
	prepare(0, memory, 100, false);
	for (int i = 0; i < 2; i++) {
		to.sin_addr.s_addr = htonl(i ? INADDR_LOOPBACK : 0x7fffffff);
		ck_assert_int_eq(sendto(fd, memory, 100, 0, (struct sockaddr *)&to, sizeof to), 100);
		ck_assert_int_eq(b->ops->recv(b, in, 4), i);
		ck_assert_uint_eq(link_udp_stats(b).contradictions, 1);
	}
	b->ops->close(b);
	close(fd);
}
END_TEST

/* As much as window_max allows waits in the socket's buffer and is not lost: in segments of any usual size where they
 * come joined, down to 1460 bytes of data where each comes alone. */
START_TEST(window_fits)
{
	static const uint32_t sizes[] = { 65507, 20000, 9000, 1472, 1000, 556 };
	uint32_t size = sizes[_i / 2], sent = 0, got = 0, n = 0;
	struct link_in in[BATCH];
	int r;

	open_both(&(struct link_udp_config){ .single = _i & 1 && size >= 1472 });
	for (uint32_t i = 0; i < 64; i++)
		prepare(i, memory + i * size, size, false);
	ck_assert_uint_ge(b->window_max, 100000);
	while (sent + size - 20 <= b->window_max) {
		n = (b->window_max - sent) / (size - 20);
		n = n < 64 ? n : 64;
		ck_assert_int_eq(a->ops->send(a, out, n), (int)n);
		sent += n * (size - 20);
	}
	while ((r = b->ops->recv(b, in, BATCH)) > 0)
		for (int k = 0; k < r; k++)
			got += in[k].len - 20;
	ck_assert_uint_eq(got, sent);
	close_both();
}
END_TEST

START_TEST(sizes)
{
	struct link_addr at = { htonl(INADDR_LOOPBACK), 0 }, again = { 0, 0 };
	uint32_t source = 0;
	struct link *l = open_at(&at, &(struct link_udp_config){ .mtu = 1500 });

	ck_assert_uint_eq(l->segment_max, 1472);
	ck_assert_int_eq(link_udp_route(l, at.ip, &source), 0);
	ck_assert_uint_eq(l->segment_max, 1472);
	ck_assert_uint_eq(source, at.ip);
	ck_assert_int_eq(l->ops->claim(l, &again), -EBUSY);
	l->ops->close(l);
	ck_assert_int_eq(link_udp_open(&(struct link_udp_config){ 0 }, &l), 0);
	ck_assert_int_eq(link_udp_route(l, htonl(INADDR_LOOPBACK), &source), 0);
	ck_assert_uint_eq(source, htonl(INADDR_LOOPBACK));
	ck_assert_uint_eq(l->segment_max, LINK_UDP_PAYLOAD_MAX); /* loopback's MTU is 65536 */
	at = (struct link_addr){ htonl(0xc6336401), 0 };
	ck_assert_int_eq(l->ops->claim(l, &at), -EADDRNOTAVAIL);
	l->ops->close(l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link_udp");
	TCase *tc = tcase_create("udp");

	tcase_add_loop_test(tc, batches, 0, 4 * (int)(sizeof shapes / sizeof *shapes));
	tcase_add_loop_test(tc, ecn, 0, 2);
	tcase_add_test(tc, two_peers);
	tcase_add_test(tc, contradiction);
	tcase_add_test(tc, unreachable);
	tcase_add_test(tc, any_address);
	tcase_add_test(tc, broadcast);
	tcase_add_loop_test(tc, window_fits, 0, 12);
	tcase_add_test(tc, sizes);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* What comes to the TUN link, with one end of a socket pair in the device's place, and its ports. ICMP, sending and a
 * real device have files of their own. */
#include "core/link/ip.h"
#include "core/link/sim.h"
#include "tests/run.h"
#include "tests/tun_packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OURS 0x0a000002
#define PEER 0x0a000001
#define BATCH 256

static struct link *l;
static int device; /* the kernel's end */
static struct tun_packet packet;
static struct link_in in[BATCH];

static void setup(void)
{
	l = tun_pair(OURS, false, &device);
}

static void teardown(void)
{
	l->ops->close(l);
	close(device);
}

static int give(void)
{
	ck_assert_int_eq(write(device, packet.bytes, packet.len), (ssize_t)packet.len);
	return l->ops->recv(l, in, BATCH);
}

static uint8_t *segment(size_t data)
{
	return make_segment(&packet, PEER, OURS, 1234, 80, 1000, 2000, ACK, data);
}

/* ---- what arrives ---- */

START_TEST(arrives)
{
	uint8_t *ip = segment(100);

	ip[1] = 0xb8 | 3; /* differentiated services, CE */
	fix_ip(ip);
	ck_assert_int_eq(give(), 1);
	ck_assert_uint_eq(in->src.ip, htonl(PEER));
	ck_assert_uint_eq(in->src.port, htons(1234));
	ck_assert_uint_eq(in->dst.ip, htonl(OURS));
	ck_assert_uint_eq(in->dst.port, htons(80));
	ck_assert_uint_eq(in->len, TCP + 100);
	ck_assert_mem_eq(in->segment, ip + IP, TCP + 100);
	ck_assert_uint_eq(in->ecn, 3);
	ck_assert(!in->vouched);
	ck_assert_int_eq(in->error, 0);
}
END_TEST

/* IP options are tolerated (RFC 1122 3.2.1.8), and the packet ends where its header says. */
START_TEST(options_and_padding)
{
	uint8_t *ip = make_packet(&packet, 6, PEER, OURS, 40 + TCP + 3);

	ip[0] = 0x4f;
	memset(ip + 20, 1, 40);
	put16(ip + 60, 7);
	put16(ip + 62, 8);
	fix_ip(ip);
	packet.len += 17;
	ck_assert_int_eq(give(), 1);
	ck_assert_uint_eq(in->len, TCP + 3);
	ck_assert_uint_eq(in->src.port, htons(7));
	ck_assert_uint_eq(in->dst.port, htons(8));
}
END_TEST

static const struct {
	uint8_t flags, gso;
	uint16_t start, offset;
	bool vouched;
} offloads[] = {
	{ 0, 0, 0, 0, false }, { 1, 0, 20, 16, true }, { 1, 1, 20, 16, true }, { 2, 0, 0, 0, true },
	{ 1, 0, 24, 16, false }, { 1, 0, 20, 6, false }, { 1, 0, 0, 0, false }, { 4, 0, 0, 0, false },
};

/* Only a checksum that the kernel speaks for, and TCP's own, is vouched for. */
START_TEST(vouched)
{
	segment(10);
	packet.bytes[0] = offloads[_i].flags;
	packet.bytes[1] = offloads[_i].gso;
	memcpy(packet.bytes + 6, &offloads[_i].start, 2);
	memcpy(packet.bytes + 8, &offloads[_i].offset, 2);
	ck_assert_int_eq(give(), 1);
	ck_assert_int_eq(in->vouched, offloads[_i].vouched);
	ck_assert_uint_eq(link_tun_stats(l).vouched_in, offloads[_i].vouched);
}
END_TEST

#define COUNT(field) offsetof(struct link_tun_stats, field)
enum { AS_IT_IS, FIX };

/* A good segment with one thing wrong, and what it then counts as. cut: bytes taken off the end. */
static const struct {
	const char *what;
	size_t at, bytes, cut;
	uint32_t value;
	int fix;
	size_t counter;
} wrongs[] = {
	{ "version 0", 0, 1, 0, 0x05, FIX, COUNT(malformed) },
	{ "version 5", 0, 1, 0, 0x55, FIX, COUNT(malformed) },
	{ "version 6", 0, 1, 0, 0x65, FIX, COUNT(other) },
	{ "header of 16 bytes", 0, 1, 0, 0x44, FIX, COUNT(malformed) },
	{ "header of none", 0, 1, 0, 0x40, AS_IT_IS, COUNT(malformed) },
	{ "header beyond what came", 0, 1, 90, 0x4f, AS_IT_IS, COUNT(malformed) },
	{ "header longer than the total", 2, 2, 0, 19, FIX, COUNT(malformed) },
	{ "total of 0", 2, 2, 0, 0, FIX, COUNT(malformed) },
	{ "total beyond what came", 2, 2, 0, IP + TCP + 101, FIX, COUNT(malformed) },
	{ "total of 65535", 2, 2, 0, 65535, FIX, COUNT(malformed) },
	{ "no room for a TCP header", 2, 2, 0, IP + TCP - 1, FIX, COUNT(malformed) },
	{ "no payload", 2, 2, 0, IP, FIX, COUNT(malformed) },
	{ "the end is missing", 0, 1, 1, 0x45, FIX, COUNT(malformed) },
	{ "half an IP header", 0, 1, TCP + 100 + 1, 0x45, AS_IT_IS, COUNT(malformed) },
	{ "no IP header", 0, 0, TCP + 100 + IP, 0, AS_IT_IS, COUNT(malformed) },
	{ "half a virtio header", 0, 0, TCP + 100 + IP + 5, 0, AS_IT_IS, COUNT(malformed) },
	{ "checksum", 10, 2, 0, 0x1234, AS_IT_IS, COUNT(malformed) },
	{ "time to live, not summed", 8, 1, 0, 63, AS_IT_IS, COUNT(malformed) },
	{ "more fragments", 6, 2, 0, 0x2000, FIX, COUNT(fragments) },
	{ "a later fragment", 6, 2, 0, 0x0001, FIX, COUNT(fragments) },
	{ "the last fragment that there can be", 6, 2, 0, 0x1fff, FIX, COUNT(fragments) },
	{ "to a neighbour", 16, 4, 0, OURS + 1, FIX, COUNT(astray) },
	{ "to all", 16, 4, 0, 0xffffffff, FIX, COUNT(astray) },
	{ "to a group", 16, 4, 0, 0xe0000001, FIX, COUNT(astray) },
	{ "from a group", 12, 4, 0, 0xe0000001, FIX, COUNT(astray) },
	{ "from the last group", 12, 4, 0, 0xefffffff, FIX, COUNT(astray) },
	{ "from class E", 12, 4, 0, 0xf0000001, FIX, COUNT(astray) },
	{ "from all", 12, 4, 0, 0xffffffff, FIX, COUNT(astray) },
	{ "from nobody", 12, 4, 0, 0, FIX, COUNT(astray) },
	{ "from network 0", 12, 4, 0, 0x00010203, FIX, COUNT(astray) },
	{ "from loopback", 12, 4, 0, 0x7f000001, FIX, COUNT(astray) },
	{ "from ourselves", 12, 4, 0, OURS, FIX, COUNT(astray) },
	{ "UDP", 9, 1, 0, 17, FIX, COUNT(other) },
	{ "protocol 255", 9, 1, 0, 255, FIX, COUNT(other) },
	{ "reserved bit, which means nothing", 6, 2, 0, 0xc000, FIX, COUNT(segments_in) },
	{ "no DF", 6, 2, 0, 0, FIX, COUNT(segments_in) },
	{ "at the end of its life", 8, 1, 0, 0, FIX, COUNT(segments_in) },
};

START_TEST(wrong)
{
	struct link_tun_stats s, expected = { 0 };
	size_t n = wrongs[_i].bytes;
	bool good = wrongs[_i].counter == COUNT(segments_in);
	uint8_t *ip;

	segment(100);
	ck_assert_int_eq(give(), 1); /* what is left of it in memory does not count for the next */
	ip = segment(100);
	for (size_t i = 0; i < n; i++)
		ip[wrongs[_i].at + i] = (uint8_t)(wrongs[_i].value >> 8 * (n - 1 - i));
	if (wrongs[_i].fix)
		fix_ip(ip);
	packet.len -= wrongs[_i].cut;
	expected.segments_in = 1;
	*(uint64_t *)((char *)&expected + wrongs[_i].counter) += 1;
	expected.packets_in = expected.segments_in;
	ck_assert_msg(give() == good, "%s", wrongs[_i].what);
	s = link_tun_stats(l);
	ck_assert_msg(!memcmp(&s, &expected, sizeof s), "%s", wrongs[_i].what);
	/* And the next one is taken. */
	segment(1);
	ck_assert_int_eq(give(), 1);
}
END_TEST

/* Whatever comes, what is handed on lies inside the packet. Mutations of good packets, so that some get far. */
START_TEST(random_bytes)
{
	struct link_sim *sim = link_sim_new(17);
	unsigned kinds[IP_OTHER + 1] = { 0 };

	for (int round = 0; round < 400000; round++) {
		uint64_t r = link_sim_random(sim);
		uint8_t *ip = r & 1 ? segment(60) : make_packet(&packet, 1, PEER, OURS, 80), *copy;
		size_t len;
		enum ip_kind kind;

		if (!(r & 1)) {
			static const uint8_t types[4] = { 3, 8, 11, 12 };

			ip[IP] = types[r >> 1 & 3];
			memcpy(ip + IP + 8, ip, IP);
			put32(ip + IP + 8 + 12, OURS);
			put32(ip + IP + 8 + 16, PEER);
			ip[IP + 8 + 9] = 6;
		}
		for (unsigned i = 0; i < (r >> 4 & 3); i++) {
			uint64_t m = link_sim_random(sim);

			ip[m % (r & 8 ? 100 : 48)] = (uint8_t)(m >> 32);
		}
		if (r >> 8 & 7) {
			if (!(r & 1) && get16(ip + 2) <= 100 && (ip[0] & 15) * 4 <= get16(ip + 2))
				fix_icmp(ip);
			fix_ip(ip);
		}
		len = r >> 12 & 3 ? 100 : r >> 16 & 127;
		copy = malloc(len ? len : 1); /* a sanitizer sees a byte too far */
		memcpy(copy, ip, len);
		memset(in, 0, sizeof *in);
		kind = ip_read(copy, len, htonl(OURS), in);
		kinds[kind]++;
		if (kind == IP_SEGMENT || kind == IP_ERROR) {
			if (in->segment < copy || in->segment + in->len > copy + len || in->len < (kind == IP_ERROR ? 8 : 20))
				ck_abort_msg("round %d: %u bytes at %td of %zu", round, in->len, in->segment - copy, len);
			if ((kind == IP_ERROR) != (in->error > 0) || in->dst.ip != htonl(OURS))
				ck_abort_msg("round %d: error %d", round, in->error);
		}
		if (kind == IP_ECHO) {
			size_t answer_len = 0;
			uint8_t *answer = ip_answer_echo(copy, &answer_len);

			if (answer < copy || answer + answer_len > copy + len)
				ck_abort_msg("round %d: an answer of %zu bytes", round, answer_len);
		}
		free(copy);
	}
	for (int k = 0; k <= IP_OTHER; k++)
		ck_assert_uint_gt(kinds[k], 1000);
	link_sim_free(sim);
}
END_TEST

/* So many as asked for, in order, none lost in between; long ones too. */
START_TEST(batches_in)
{
	static const size_t sizes[] = { 0, 1, 1460, 65535 - IP - TCP, 9000, 3 };
	unsigned max = (unsigned[]){ 1, 3, 8, 200 }[_i], got = 0;

	for (uint32_t i = 0; i < 200; i++) {
		make_segment(&packet, PEER, OURS, 1, 2, i * 7, 0, ACK, sizes[i % 6]);
		while (write(device, packet.bytes, packet.len) < 0) {
			int n = l->ops->recv(l, in, max);

			ck_assert_int_eq(errno, EAGAIN);
			ck_assert_int_gt(n, 0);
			ck_assert_int_le(n, (int)max);
			for (int k = 0; k < n; k++, got++) {
				if (get32(in[k].segment + 4) != got * 7 || in[k].len != TCP + sizes[got % 6])
					ck_abort_msg("segment %u", got);
				for (uint32_t b = TCP; b < in[k].len; b++)
					if (in[k].segment[b] != (uint8_t)(got * 7 + b - TCP))
						ck_abort_msg("byte %u of segment %u", b, got);
			}
		}
	}
	for (int n; (n = l->ops->recv(l, in, max)) > 0; got += (unsigned)n)
		continue;
	ck_assert_uint_eq(got, 200);
	ck_assert_uint_eq(link_tun_stats(l).packets_in, 200);
}
END_TEST

/* Eight of the largest find room at a time, and no more are read when one might not. */
START_TEST(room)
{
	int bytes = 4 << 20;

	if (setsockopt(device, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes)) {
		printf("skipped, because larger socket buffers need privilege\n");
		fflush(stdout);
		return;
	}
	for (int i = 0; i < 12; i++) {
		segment(i ? 65535 - IP - TCP : 1);
		ck_assert_int_eq(write(device, packet.bytes, packet.len), (ssize_t)packet.len);
	}
	ck_assert_int_eq(l->ops->recv(l, in, BATCH), 8);
	ck_assert_uint_eq(in[0].len, TCP + 1);
	ck_assert_mem_eq(in[7].segment, packet.bytes + VNET + IP, 65535 - IP);
	ck_assert_int_eq(l->ops->recv(l, in, BATCH), 4);
	ck_assert_mem_eq(in[3].segment, packet.bytes + VNET + IP, 65535 - IP);
}
END_TEST

/* ---- ports ---- */

START_TEST(claims)
{
	struct link_addr a = { 0, htons(80) }, b = { htonl(OURS), htons(80) }, other = { htonl(OURS + 1), 0 };

	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	ck_assert_uint_eq(a.ip, htonl(OURS));
	ck_assert_uint_eq(a.port, htons(80));
	ck_assert_int_eq(l->ops->claim(l, &b), -EADDRINUSE);
	b.port = htons(81);
	ck_assert_int_eq(l->ops->claim(l, &b), 0);
	ck_assert_int_eq(l->ops->claim(l, &other), -EADDRNOTAVAIL);
	l->ops->release(l, &a);
	ck_assert_int_eq(l->ops->claim(l, &b), -EADDRINUSE);
	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	for (unsigned port = 1; port < 65536; port += 65534) {
		a.port = htons((uint16_t)port);
		ck_assert_int_eq(l->ops->claim(l, &a), 0);
		ck_assert_int_eq(l->ops->claim(l, &a), -EADDRINUSE);
	}
}
END_TEST

/* RFC 6056: each once, from a place that nobody foresees, until none is left. */
START_TEST(ephemeral_ports)
{
	static uint8_t seen[65536];
	struct link_addr a;
	unsigned n = 0, in_order = 0, before = 0;

	for (;; n++) {
		a = (struct link_addr){ 0, 0 };
		if (l->ops->claim(l, &a) == -EADDRINUSE)
			break;
		if (ntohs(a.port) < 32768 || ntohs(a.port) > 60999 || seen[ntohs(a.port)]++)
			ck_abort_msg("port %u", ntohs(a.port));
		in_order += n < 1000 && ntohs(a.port) == before + 1;
		before = ntohs(a.port);
	}
	ck_assert_uint_eq(n, 60999 - 32768 + 1);
	ck_assert_uint_lt(in_order, 100);
	a = (struct link_addr){ 0, htons(40000) };
	l->ops->release(l, &a);
	a.port = 0;
	ck_assert_int_eq(l->ops->claim(l, &a), 0);
	ck_assert_uint_eq(ntohs(a.port), 40000);
}
END_TEST

START_TEST(opening)
{
	struct link_tun_config c = { .ip = htonl(OURS), .mtu = 67 };
	struct link *m;

	ck_assert_uint_eq(l->segment_max, 1480);
	ck_assert_int_eq(link_tun_over(device, &c, &m), -EINVAL);
	ck_assert_int_eq(link_tun_open(&c, &m), -EINVAL);
	c.mtu = 65536;
	ck_assert_int_eq(link_tun_over(device, &c, &m), -EINVAL);
	ck_assert_int_eq(link_tun_open(&c, &m), -EINVAL);
	c = (struct link_tun_config){ .mtu = 1500 };
	ck_assert_int_eq(link_tun_over(device, &c, &m), -EINVAL);
	ck_assert_int_eq(link_tun_open(&c, &m), -EINVAL);
	ck_assert_str_eq(link_tun_name(l), "");
	ck_assert(!link_tun_offloads(l));
	c = (struct link_tun_config){ .ip = htonl(OURS), .mtu = 65535 };
	ck_assert_int_eq(link_tun_over(dup(device), &c, &m), 0);
	ck_assert_uint_eq(m->segment_max, 65515);
	ck_assert_int_ge(m->ops->fd(m), 0);
	m->ops->close(m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link_tun");
	TCase *tc = tcase_create("tun");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, arrives);
	tcase_add_test(tc, options_and_padding);
	tcase_add_loop_test(tc, vouched, 0, sizeof offloads / sizeof *offloads);
	tcase_add_loop_test(tc, wrong, 0, sizeof wrongs / sizeof *wrongs);
	tcase_add_test(tc, random_bytes);
	tcase_add_loop_test(tc, batches_in, 0, 4);
	tcase_add_test(tc, room);
	tcase_add_test(tc, claims);
	tcase_add_test(tc, ephemeral_ports);
	tcase_add_test(tc, opening);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

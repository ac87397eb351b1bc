/* What the TUN link sends, read from the other end of a socket pair and cut into segments as the kernel cuts: each is
 * the one that TCP gave, to the bit, and no more packets than needed carried them. */
#include "core/link/sim.h"
#include "tests/run.h"
#include "tests/tun_packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OURS 0x0a000002
#define PEER 0x0a000001
#define N 200

static struct link *l;
static int device;
static struct link_out out[N];
static struct tun_packet sent[N]; /* each as a packet of its own would be */
static uint8_t *memory;           /* of the segments: TCP header and data, one behind the other */
static size_t memory_used;

static void setup(void)
{
	memory = malloc(N * (size_t)ROOM);
	memory_used = 0;
	l = tun_pair(OURS, false, &device);
}

static void teardown(void)
{
	l->ops->close(l);
	close(device);
	free(memory);
}

/* Segment i with options bytes of them, as sent[i] says, its checksum right. apart: data and header do not meet. */
static void prepare(unsigned i, const uint8_t *ip, bool apart)
{
	uint32_t header = (ip[IP + 12] >> 4) * 4U, len = get16(ip + 2) - IP;
	uint8_t *at = memory + memory_used, *data = at + header + (apart ? 100 : 0);

	memcpy(at, ip + IP, header);
	memcpy(data, ip + IP + header, len - header);
	memory_used += len + (apart ? 100 : 0);
	out[i] = (struct link_out){ .src = { htonl(get32(ip + 12)), 0 }, .dst = { htonl(get32(ip + 16)), 0 },
		.header = at, .header_len = header, .data = data, .data_len = len - header, .ecn = ip[1] & 3 };
}

/* Segment i: number seq, with so many bytes of data. */
static uint8_t *add(unsigned i, uint32_t seq, uint8_t flags, size_t data)
{
	return make_segment(&sent[i], OURS, PEER, 80, 1234, seq, 77, flags, data);
}

/* ---- the kernel's side ---- */

static unsigned packets; /* read from the device */

/* As net/ipv4/tcp_offload.c cuts: SEQ goes on, CWR is the first one's, FIN and PSH the last one's. */
static void cut(struct tun_packet *p, unsigned *at)
{
	uint8_t *ip = p->bytes + VNET, *tcp = ip + IP;
	uint16_t hdr_len, gso_size, start, offset;
	uint32_t header = IP + (tcp[12] >> 4) * 4U, seq = get32(tcp + 4), pseudo;
	uint8_t flags = tcp[13], tail[4] = { 0, 6, 0, 0 };

	memcpy(&hdr_len, p->bytes + 2, 2);
	memcpy(&gso_size, p->bytes + 4, 2);
	memcpy(&start, p->bytes + 6, 2);
	memcpy(&offset, p->bytes + 8, 2);
	if (!p->bytes[0]) {
		for (int i = 1; i < VNET; i++)
			ck_assert_uint_eq(p->bytes[i], 0);
		gso_size = 65535;
		ck_assert(tcp_sum_is_right(ip));
	} else {
		ck_assert_uint_eq(p->bytes[0], 1);
		ck_assert_uint_eq(p->bytes[1], flags & CWR ? 0x81 : 1);
		ck_assert_uint_eq(hdr_len, header);
		ck_assert_uint_eq(start, IP);
		ck_assert_uint_eq(offset, 16);
		ck_assert_uint_gt(gso_size, 0);
		ck_assert_uint_gt(get16(ip + 2) - header, gso_size);
		put16(tail + 2, get16(ip + 2) - IP);
		pseudo = sum_of(tail, 4, sum_of(ip + 12, 8, 0));
		ck_assert_uint_eq(get16(tcp + 16), pseudo);
	}
	for (uint32_t off = 0, total = get16(ip + 2) - header; off == 0 || off < total; off += gso_size, ++*at) {
		uint32_t n = total - off < gso_size ? total - off : gso_size;
		static struct tun_packet segment;
		uint8_t *s = segment.bytes + VNET;

		memcpy(s, ip, header);
		memcpy(s + header, ip + header + off, n);
		put16(s + 2, header + n);
		put32(s + IP + 4, seq + off);
		s[IP + 13] = (uint8_t)(flags & ~((off ? CWR : 0) | (off + n < total ? FIN | PSH : 0)));
		fix_ip(s);
		fix_tcp(s);
		if (*at >= N || memcmp(s, sent[*at].bytes + VNET, header + n) || sent[*at].len != VNET + header + n)
			ck_abort_msg("segment %u is not the one that was sent", *at);
	}
}

/* All that was sent, and that it is segments from to upto. */
static void collect(unsigned from, unsigned upto)
{
	static struct tun_packet p;
	ssize_t n;

	packets = 0;
	while ((n = read(device, p.bytes, sizeof p.bytes)) > 0) {
		p.len = (size_t)n;
		ck_assert_uint_ge(p.len, VNET + IP + TCP);
		ck_assert_uint_eq(get16(p.bytes + VNET + 2), p.len - VNET);
		ck_assert_uint_eq(sum_of(p.bytes + VNET, IP, 0), 0xffff);
		cut(&p, &from);
		packets++;
	}
	ck_assert_uint_eq(from, upto);
}

/* Sends segments 0 to n, reading in between when the pair is full. Returns how many packets they were. */
static unsigned send_all(unsigned n)
{
	unsigned done = 0, total = 0;

	while (done < n) {
		int k = l->ops->send(l, out + done, n - done);

		ck_assert_int_gt(k, 0);
		collect(done, done + (unsigned)k);
		done += (unsigned)k;
		total += packets;
	}
	return total;
}

/* ---- tests ---- */

/* The header to the bit: DF, time to live, nothing but ECN in the type of service. */
START_TEST(single)
{
	static const uint8_t expected[12] = { 0x45, 2, 0, IP + TCP + 9, 0, 0, 0x40, 0, 64, 6 };
	uint8_t *ip = add(0, 5, ACK | PSH, 9), got[200];

	ip[1] = 2;
	fix_ip(ip);
	prepare(0, ip, _i);
	ck_assert_int_eq(l->ops->send(l, out, 1), 1);
	ck_assert_int_eq(read(device, got, sizeof got), VNET + IP + TCP + 9);
	ck_assert_mem_eq(got + VNET, expected, 10);
	ck_assert_mem_eq(got + VNET, ip, IP + TCP + 9);
	ck_assert_uint_eq(link_tun_stats(l).packets_out, 1);
	ck_assert_uint_eq(link_tun_stats(l).segments_out, 1);
}
END_TEST

/* n segments of size bytes, the last of last bytes with the flags end, in so many packets. */
static const struct {
	unsigned n;
	size_t size, last;
	uint8_t end;
	unsigned packets;
} runs[] = {
	{ 2, 1460, 1460, ACK, 1 }, { 2, 1460, 1, ACK, 1 }, { 2, 1460, 1461, ACK, 2 }, { 3, 1, 1, ACK, 1 },
	{ 44, 1460, 1460, ACK, 1 }, { 45, 1460, 1460, ACK, 2 }, { 45, 1460, 1255, ACK, 1 }, { 45, 1460, 1256, ACK, 2 },
	{ 2, 32747, 32748, ACK, 2 }, { 2, 32748, 32747, ACK, 1 }, { 2, 32748, 32748, ACK, 2 }, { 1, 65495, 65495, ACK, 1 },
	{ 64, 10, 10, ACK, 1 }, { 65, 10, 10, ACK, 2 }, { 128, 10, 10, ACK, 2 },
	{ 10, 1460, 1460, ACK | PSH, 1 }, { 10, 1460, 100, ACK | PSH | FIN, 1 }, { 2, 1460, 1460, ACK | FIN, 1 },
	{ 2, 1460, 1460, ACK | CWR, 2 }, { 2, 1460, 1460, ACK | ECE, 2 }, { 2, 1460, 1460, ACK | URG, 2 },
	{ 2, 1460, 1460, ACK | RST, 2 }, { 2, 1460, 1460, ACK | SYN, 2 }, { 2, 1460, 0, ACK | FIN, 2 }, { 2, 0, 0, ACK, 2 },
};

START_TEST(joined)
{
	unsigned n = runs[_i / 2].n;

	for (unsigned i = 0; i < n; i++)
		prepare(i, add(i, (uint32_t)(0xfffff000 + i * runs[_i / 2].size), i == n - 1 ? runs[_i / 2].end : ACK,
			i == n - 1 ? runs[_i / 2].last : runs[_i / 2].size), _i % 2);
	ck_assert_uint_eq(send_all(n), runs[_i / 2].packets);
	ck_assert_uint_eq(link_tun_stats(l).segments_out, n);
	ck_assert_uint_eq(link_tun_stats(l).packets_out, runs[_i / 2].packets);
}
END_TEST

/* Three segments that would be one packet, but for one byte of the second's IP or TCP header. */
static const struct {
	size_t at;
	uint8_t value;
	unsigned packets;
} differences[] = {
	{ 1, 2, 3 },                                        /* ECN */
	{ 15, 3, 3 }, { 19, 3, 3 },                         /* addresses */
	{ IP + 1, 81, 3 }, { IP + 2, 5, 3 }, { IP + 3, 1, 3 }, /* ports */
	{ IP + 6, 9, 3 }, { IP + 7, 9, 3 },                 /* SEQ */
	{ IP + 8, 1, 3 }, { IP + 11, 78, 3 },               /* ACK */
	{ IP + 12, 0x51, 3 },                               /* what is reserved */
	{ IP + 13, ACK | PSH, 2 }, { IP + 13, ACK | FIN, 2 }, { IP + 13, ACK | CWR, 2 }, { IP + 13, PSH, 3 },
	{ IP + 14, 1, 3 }, { IP + 15, 1, 3 },               /* window */
	{ IP + 18, 1, 3 }, { IP + 19, 1, 3 },               /* urgent pointer */
};

START_TEST(different)
{
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *ip = add(i, 1000 + i * 500, ACK, 500);

		if (i == 1)
			ip[differences[_i].at] = differences[_i].value;
		fix_ip(ip);
		fix_tcp(ip);
		prepare(i, ip, false);
	}
	ck_assert_uint_eq(send_all(3), differences[_i].packets);
}
END_TEST

/* CWR on the first is for the first alone. */
START_TEST(cwr_first)
{
	for (unsigned i = 0; i < 4; i++)
		prepare(i, add(i, 1000 + i * 500, i ? ACK : ACK | CWR, 500), false);
	ck_assert_uint_eq(send_all(4), 1);
}
END_TEST

/* Segments that are all urgent, of SYN or of RST are not the kernel's to cut. */
START_TEST(never)
{
	uint8_t flags = (uint8_t[]){ SYN, RST, ACK | URG, ACK | PSH, ACK | FIN }[_i];

	for (unsigned i = 0; i < 3; i++)
		prepare(i, add(i, 1000 + i * 500, flags, 500), false);
	ck_assert_uint_eq(send_all(3), 3);
}
END_TEST

/* Behind a shorter one nothing can follow, not even what has the number that would be next. */
START_TEST(hole)
{
	for (unsigned i = 0; i < 4; i++)
		prepare(i, add(i, 1000 + i * 500, ACK, i == 1 ? 499 : 500), false);
	ck_assert_uint_eq(send_all(4), 2);
}
END_TEST

START_TEST(plain)
{
	l->ops->close(l);
	close(device);
	l = tun_pair(OURS, true, &device);
	for (unsigned i = 0; i < 30; i++)
		prepare(i, add(i, i * 500, ACK, 500), false);
	ck_assert_uint_eq(send_all(30), 30);
}
END_TEST

/* Batches of anything: whatever is joined, what leaves is what was given. */
START_TEST(random_batches)
{
	struct link_sim *sim = link_sim_new((uint64_t)_i);
	uint64_t total = 0;

	for (int round = 0; round < 40; round++) {
		uint64_t shape = link_sim_random(sim);
		uint32_t seq = (uint32_t)link_sim_random(sim), options = (uint32_t)(shape & 3) * 4;
		size_t size = (size_t[]){ 1, 100, 536, 1448, 9000, 30000 }[shape >> 2 & 7 ? shape % 5 : 5];
		unsigned n = (unsigned)(shape >> 8) % 80 + 1;

		memory_used = 0;
		for (unsigned i = 0; i < n; i++) {
			uint64_t r = link_sim_random(sim);
			size_t data = r & 15 ? size : r >> 8 & 15 ? r % size : 0;
			uint8_t flags = (uint8_t)(r >> 4 & 15 ? ACK : r >> 16), *ip;

			ip = add(i, seq, flags, options + data);
			ip[IP + 12] = (uint8_t)((TCP + options) / 4 << 4);
			memset(ip + IP + TCP, r >> 24 & 15 ? 1 : 0, options);
			ip[1] = r >> 32 & 15 ? 2 : 3;
			fix_ip(ip);
			fix_tcp(ip);
			prepare(i, ip, r >> 40 & 1);
			seq += (uint32_t)data + (r >> 44 & 31 ? 0 : 1);
		}
		total += n;
		send_all(n);
	}
	ck_assert_uint_eq(link_tun_stats(l).segments_out, total);
	ck_assert_uint_lt(link_tun_stats(l).packets_out, total * 3 / 4);
	link_sim_free(sim);
}
END_TEST

/* A device that takes no more leaves the rest to the caller; one that refuses has lost it. */
START_TEST(full_and_gone)
{
	int k, total = 0;

	for (unsigned i = 0; i < N; i++)
		prepare(i, add(i, i * 20000, ACK | PSH, 20000), false);
	while ((k = l->ops->send(l, out + total, (unsigned)(N - total))) > 0)
		total += k;
	ck_assert_int_eq(k, 0);
	ck_assert_int_gt(total, 0);
	ck_assert_int_lt(total, N);
	ck_assert_uint_eq(link_tun_stats(l).refused_out, 0);
	collect(0, (unsigned)total);
	close(device);
	ck_assert_int_eq(l->ops->send(l, out, N), N);
	ck_assert_uint_eq(link_tun_stats(l).refused_out, N);
	ck_assert_uint_eq(link_tun_stats(l).segments_out, (unsigned)total);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link_tun_send");
	TCase *tc = tcase_create("send");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, single, 0, 2);
	tcase_add_loop_test(tc, joined, 0, 2 * (int)(sizeof runs / sizeof *runs));
	tcase_add_loop_test(tc, different, 0, sizeof differences / sizeof *differences);
	tcase_add_test(tc, cwr_first);
	tcase_add_loop_test(tc, never, 0, 5);
	tcase_add_test(tc, hole);
	tcase_add_test(tc, plain);
	tcase_add_loop_test(tc, random_batches, 0, 30);
	tcase_add_test(tc, full_and_gone);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

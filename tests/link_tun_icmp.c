/* ICMP to the TUN link: what it makes of each type and code and of what they quote, and its answers to pings. */
#include "core/link/host.h"
#include "core/link/tun.h"
#include "tests/run.h"
#include "tests/tun_packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define OURS 0x0a000002
#define PEER 0x0a000001
#define BATCH 8

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

#define COUNT(field) offsetof(struct link_tun_stats, field)

/* ---- errors ---- */

/* A message of type and code that quotes the first bytes of a segment from OURS, port 80, to PEER, port 1234. */
static uint8_t *icmp(uint8_t type, uint8_t code, size_t quoted)
{
	struct tun_packet sent;
	uint8_t *ip = make_packet(&packet, 1, PEER, OURS, 8 + IP + quoted);

	make_segment(&sent, OURS, PEER, 80, 1234, 0x01020304, 0, ACK, 1000);
	ip[IP] = type;
	ip[IP + 1] = code;
	memcpy(ip + IP + 8, sent.bytes + VNET, IP + quoted);
	fix_icmp(ip);
	return ip;
}

static int error_by(unsigned type, unsigned code)
{
	static const int unreachable[] = { ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP,
		ENETUNREACH, EHOSTDOWN, ENONET, ENETUNREACH, EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH,
		EHOSTUNREACH, EHOSTUNREACH };

	if (type == 3)
		return code < 16 ? unreachable[code] : 0;
	return type == 11 ? EHOSTUNREACH : type == 12 ? EPROTO : 0;
}

START_TEST(icmp_types)
{
	unsigned errors = 0, echoes = 0, others = 0;

	for (unsigned type = 0; type < 256; type++)
		for (unsigned code = 0; code < 256; code++) {
			int expected = error_by(type, code);
			uint8_t *ip = icmp((uint8_t)type, (uint8_t)code, 8);

			put16(ip + IP + 6, 1400);
			fix_icmp(ip);
			if (give() != (expected != 0))
				ck_abort_msg("type %u code %u", type, code);
			errors += expected != 0;
			echoes += type == 8 && code == 0;
			others += !expected && !(type == 8 && code == 0);
			if (expected && (in->error != expected || in->path_mtu != (expected == EMSGSIZE ? 1400 : 0)))
				ck_abort_msg("type %u code %u: error %d, MTU %u", type, code, in->error, in->path_mtu);
		}
	ck_assert_uint_eq(link_tun_stats(l).errors_in, errors);
	ck_assert_uint_eq(link_tun_stats(l).echoes_in, echoes);
	ck_assert_uint_eq(link_tun_stats(l).other, others);
	ck_assert_uint_eq(link_tun_stats(l).malformed, 0);
}
END_TEST

START_TEST(icmp_quote)
{
	size_t quoted = (size_t[]){ 8, 20, 500 }[_i];
	uint8_t *ip = icmp(3, 1, quoted);

	ck_assert_int_eq(give(), 1);
	ck_assert_uint_eq(in->src.ip, htonl(PEER));
	ck_assert_uint_eq(in->src.port, htons(1234));
	ck_assert_uint_eq(in->dst.ip, htonl(OURS));
	ck_assert_uint_eq(in->dst.port, htons(80));
	ck_assert_uint_eq(in->len, quoted);
	ck_assert_mem_eq(in->segment, ip + IP + 8 + IP, quoted);
	ck_assert_uint_eq(get32(in->segment + 4), 0x01020304);
}
END_TEST

/* The router that tells is another host, and behind a short quotation stands something else: RFC 4884. */
START_TEST(icmp_extension)
{
	uint8_t *ip = icmp(11, 0, 100);

	put32(ip + 12, 0xc0a80101);
	put16(ip + IP + 8 + 2, IP + 28);
	fix_icmp(ip);
	fix_ip(ip);
	ck_assert_int_eq(give(), 1);
	ck_assert_uint_eq(in->len, 28);
	ck_assert_uint_eq(in->src.ip, htonl(PEER));
}
END_TEST

/* One thing wrong with the quotation, at its byte. */
static const struct {
	const char *what;
	size_t at, bytes;
	uint32_t value;
	bool checksum;
	size_t quoted, counter;
} misquotes[] = {
	{ "checksum of the message", 0, 0, 0, false, 8, COUNT(malformed) },
	{ "version", 0, 1, 0x65, true, 8, COUNT(malformed) },
	{ "header of 16 bytes", 0, 1, 0x44, true, 8, COUNT(malformed) },
	{ "header beyond the end", 0, 1, 0x48, true, 8, COUNT(malformed) },
	{ "header up to the end", 0, 1, 0x47, true, 8, COUNT(malformed) },
	{ "too little quoted", 0, 0, 0, true, 7, COUNT(malformed) },
	{ "total too short for a port", 2, 2, IP + 7, true, 8, COUNT(malformed) },
	{ "total of 0", 2, 2, 0, true, 8, COUNT(malformed) },
	{ "UDP", 9, 1, 17, true, 8, COUNT(other) },
	{ "a later fragment", 6, 2, 0x2001, true, 8, COUNT(other) },
	{ "from another host", 12, 4, OURS + 1, true, 8, COUNT(astray) },
	{ "from the peer itself", 12, 4, PEER, true, 8, COUNT(astray) },
};

START_TEST(icmp_misquote)
{
	struct link_tun_stats s, expected = { 0 };
	uint8_t *ip = icmp(3, 1, misquotes[_i].quoted);
	size_t n = misquotes[_i].bytes;

	for (size_t i = 0; i < n; i++)
		ip[IP + 8 + misquotes[_i].at + i] = (uint8_t)(misquotes[_i].value >> 8 * (n - 1 - i));
	if (misquotes[_i].checksum)
		fix_icmp(ip);
	else
		ip[IP + 2] ^= 1;
	*(uint64_t *)((char *)&expected + misquotes[_i].counter) = 1;
	ck_assert_msg(give() == 0, "%s", misquotes[_i].what);
	s = link_tun_stats(l);
	ck_assert_msg(!memcmp(&s, &expected, sizeof s), "%s", misquotes[_i].what);
}
END_TEST

START_TEST(icmp_cut)
{
	uint8_t *ip = icmp(3, 1, 8);

	for (unsigned len = 0; len < 8 + IP + 8; len++) {
		put16(ip + 2, IP + len);
		fix_ip(ip);
		if (len >= 4)
			fix_icmp(ip);
		packet.len = VNET + IP + len;
		ck_assert_int_eq(give(), 0);
	}
	ck_assert_uint_eq(link_tun_stats(l).malformed, 8 + IP + 8);
}
END_TEST

/* ---- ping ---- */

static uint64_t virtual_us;

static uint64_t virtual_now(void *ctx)
{
	(void)ctx;
	return virtual_us;
}

static void virtual_random(void *ctx, void *p, size_t bytes)
{
	memset(p, *(int *)ctx, bytes);
}

static int fill = 0;
static const struct link_host host = { .ctx = &fill, .now_us = virtual_now, .random = virtual_random };

static uint8_t *ping(size_t options, size_t data)
{
	uint8_t *ip = make_packet(&packet, 1, PEER, OURS, options + 8 + data);

	ip[0] = (uint8_t)(0x45 + options / 4);
	memset(ip + IP, 1, options);
	ip[IP + options] = 8;
	put32(ip + IP + options + 4, 0xcafe0007);
	for (size_t i = 0; i < data; i++)
		ip[IP + options + 8 + i] = (uint8_t)(i * 3);
	fix_ip(ip);
	fix_icmp(ip);
	return ip;
}

START_TEST(echo)
{
	size_t options = (size_t[]){ 0, 0, 40, 4 }[_i], data = (size_t[]){ 0, 56, 1001, 57 }[_i];
	struct tun_packet answer;
	uint8_t *ip = answer.bytes + VNET, *asked = ping(options, data);

	ck_assert_int_eq(give(), 0);
	ck_assert_int_eq(read(device, answer.bytes, sizeof answer.bytes), (ssize_t)(VNET + IP + 8 + data));
	for (int i = 0; i < VNET; i++)
		ck_assert_uint_eq(answer.bytes[i], 0);
	ck_assert_uint_eq(ip[0], 0x45);
	ck_assert_uint_eq(get16(ip + 2), IP + 8 + data);
	ck_assert_uint_eq(sum_of(ip, IP, 0), 0xffff);
	ck_assert_uint_eq(ip[8], 64);
	ck_assert_uint_eq(ip[9], 1);
	ck_assert_uint_eq(get32(ip + 12), OURS);
	ck_assert_uint_eq(get32(ip + 16), PEER);
	ck_assert_uint_eq(ip[IP], 0);
	ck_assert_uint_eq(sum_of(ip + IP, 8 + data, 0), 0xffff);
	ck_assert_mem_eq(ip + IP + 4, asked + IP + options + 4, 4 + data);
	ck_assert_uint_eq(link_tun_stats(l).echoes_out, 1);
}
END_TEST

/* A flood is answered so many times a second, and in the next one again. */
START_TEST(echo_flood)
{
	struct tun_packet answer;

	link_host_use(&host);
	for (int second = 0; second < 3; second++) {
		virtual_us = 5000000 + (uint64_t)second * 999999; /* 5.000000, 5.999999, 6.999998: the second one has none left */
		for (int i = 0; i < LINK_TUN_ECHOES + 200; i++) {
			ping(0, 8);
			ck_assert_int_eq(give(), 0);
			while (read(device, answer.bytes, sizeof answer.bytes) > 0)
				continue;
		}
	}
	link_host_use(NULL);
	ck_assert_uint_eq(link_tun_stats(l).echoes_in, 3 * (LINK_TUN_ECHOES + 200));
	ck_assert_uint_eq(link_tun_stats(l).echoes_out, 2 * LINK_TUN_ECHOES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link_tun_icmp");
	TCase *tc = tcase_create("icmp");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, icmp_types);
	tcase_add_loop_test(tc, icmp_quote, 0, 3);
	tcase_add_test(tc, icmp_extension);
	tcase_add_loop_test(tc, icmp_misquote, 0, sizeof misquotes / sizeof *misquotes);
	tcase_add_test(tc, icmp_cut);
	tcase_add_loop_test(tc, echo, 0, 4);
	tcase_add_test(tc, echo_flood);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

#include "tests/tun_packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

void fix_ip(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, ~sum_of(ip, (ip[0] & 15U) * 4, 0));
}

static uint32_t tcp_sum(const uint8_t *ip)
{
	size_t header = (ip[0] & 15U) * 4, len = get16(ip + 2) - header;
	uint8_t pseudo[4] = { 0, 6, (uint8_t)(len >> 8), (uint8_t)len };

	return sum_of(ip + header, len, sum_of(pseudo, 4, sum_of(ip + 12, 8, 0)));
}

void fix_tcp(uint8_t *ip)
{
	uint8_t *check = ip + (ip[0] & 15U) * 4 + 16;

	put16(check, 0);
	put16(check, ~tcp_sum(ip));
}

bool tcp_sum_is_right(const uint8_t *ip)
{
	return tcp_sum(ip) == 0xffff;
}

void fix_icmp(uint8_t *ip)
{
	size_t header = (ip[0] & 15U) * 4;

	put16(ip + header + 2, 0);
	put16(ip + header + 2, ~sum_of(ip + header, get16(ip + 2) - header, 0));
}

uint8_t *make_packet(struct tun_packet *p, uint8_t protocol, uint32_t src, uint32_t dst, size_t payload)
{
	uint8_t *ip = p->bytes + VNET;

	p->len = VNET + IP + payload;
	memset(p->bytes, 0, p->len);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(IP + payload));
	put16(ip + 6, 0x4000); /* DF */
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, src);
	put32(ip + 16, dst);
	fix_ip(ip);
	return ip;
}

uint8_t *make_segment(struct tun_packet *p, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint32_t seq,
	uint32_t ack, uint8_t flags, size_t data)
{
	uint8_t *ip = make_packet(p, 6, src, dst, TCP + data), *tcp = ip + IP;

	put16(tcp, sport);
	put16(tcp + 2, dport);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = TCP / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 0xffff);
	for (size_t i = 0; i < data; i++)
		tcp[TCP + i] = (uint8_t)(seq + i);
	fix_tcp(ip);
	return ip;
}

struct link *tun_pair(uint32_t ip, bool plain, int *device)
{
	struct link_tun_config c = { .ip = htonl(ip), .plain = plain };
	struct link *l;
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	ck_assert_int_eq(link_tun_over(pair[0], &c, &l), 0);
	*device = pair[1];
	return l;
}

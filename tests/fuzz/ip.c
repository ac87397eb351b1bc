/* IPv4 packets and ICMP messages from a device: what core/link/ip.h makes of them agrees with a reader as one would
 * write it by hand, and lies within the bytes; pings are answered as they should be; and the TUN link does with each
 * what its kind asks for. The first byte says what of the packet is set right, so that inputs get far: sums, lengths,
 * addresses; behind it stand a virtio-net header, and the packet. */
#include "core/link/host.h"
#include "core/link/ip.h"
#include "core/link/tun.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VNET 10
#define PACKET_MAX 4096

static const uint8_t ours[4] = { 10, 99, 0, 2 };

enum { FIX_SUM = 1, FIX_ICMP = 2, FIX_TOTAL = 4, FIX_ADDRESS = 8, FIX_QUOTE = 16 };

static uint32_t number(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 1071, byte by byte. Of what holds its own checksum, and is right: 0xffff. */
static uint32_t sum_of(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void fix_sum(uint8_t *p, size_t len, size_t at)
{
	put16(p + at, 0);
	put16(p + at, ~sum_of(p, len));
}

/* The packet with what fix says. */
static void mend(uint8_t *p, size_t len, uint32_t fix)
{
	size_t header = len ? (p[0] & 15) * 4U : 0, end = len;

	if (len < 20 || header < 20 || header > len)
		return;
	if (fix & FIX_TOTAL)
		put16(p + 2, (uint32_t)len);
	else if (number(p + 2, 2) >= header && number(p + 2, 2) < len)
		end = number(p + 2, 2);
	if (fix & FIX_ADDRESS)
		memcpy(p + 16, ours, 4);
	if (fix & FIX_QUOTE && len >= header + 8 + 16)
		memcpy(p + header + 8 + 12, ours, 4);
	if (fix & FIX_ICMP && end >= header + 4)
		fix_sum(p + header, end - header, 2);
	if (fix & FIX_SUM)
		fix_sum(p, header, 10);
}

/* ---- the reader ---- */

static struct link_addr address(const uint8_t *ip, const uint8_t *port)
{
	struct link_addr a;

	memcpy(&a.ip, ip, 4);
	memcpy(&a.port, port, 2);
	return a;
}

/* A header whose lengths do not contradict one another; quotes are cut. */
static bool is_header(const uint8_t *p, size_t len)
{
	uint32_t header = len >= 20 ? (p[0] & 15) * 4U : 0;

	return header >= 20 && header <= len && p[0] >> 4 == 4 && number(p + 2, 2) >= header;
}

/* Types and codes that say that something did not arrive. */
static bool is_error(uint32_t type, uint32_t code)
{
	return (type == 3 && code < 16) || type == 11 || type == 12;
}

static enum ip_kind read_icmp(const uint8_t *m, size_t len, struct link_in *in)
{
	const uint8_t *q = m + 8;
	size_t header, quoted;

	if (len < 8 || sum_of(m, len) != 0xffff)
		return IP_MALFORMED;
	if (!is_error(m[0], m[1]))
		return m[0] == 8 && m[1] == 0 ? IP_ECHO : IP_OTHER;
	len -= 8;
	if (!is_header(q, len))
		return IP_MALFORMED;
	if (q[9] != 6 || number(q + 6, 2) & 0x1fff)
		return IP_OTHER;
	header = (q[0] & 15) * 4U;
	quoted = (number(q + 2, 2) < len ? number(q + 2, 2) : len) - header;
	if (quoted < 8)
		return IP_MALFORMED;
	if (memcmp(q + 12, ours, 4) != 0)
		return IP_ASTRAY;
	in->src = address(q + 16, q + header + 2);
	in->dst = address(q + 12, q + header);
	in->segment = q + header;
	in->len = (uint32_t)quoted;
	in->error = m[0] == 3 && m[1] == 4 ? EMSGSIZE : -1; /* which: tests/link_tun_icmp.c */
	in->path_mtu = in->error == EMSGSIZE ? number(m + 6, 2) : 0;
	return IP_ERROR;
}

static enum ip_kind read_packet(const uint8_t *p, size_t len, struct link_in *in)
{
	size_t header, total;

	if (len && p[0] >> 4 == 6)
		return IP_OTHER;
	if (!is_header(p, len))
		return IP_MALFORMED;
	header = (p[0] & 15) * 4U;
	total = number(p + 2, 2);
	if (total > len || sum_of(p, header) != 0xffff)
		return IP_MALFORMED;
	if (memcmp(p + 16, ours, 4) != 0 || memcmp(p + 12, ours, 4) == 0 || p[12] == 0 || p[12] == 127 || p[12] >= 224)
		return IP_ASTRAY;
	if (number(p + 6, 2) & 0x3fff)
		return IP_FRAGMENT;
	if (p[9] == 1)
		return read_icmp(p + header, total - header, in);
	if (p[9] != 6)
		return IP_OTHER;
	if (total - header < 20)
		return IP_MALFORMED;
	in->src = address(p + 12, p + header);
	in->dst = address(p + 16, p + header + 2);
	in->segment = p + header;
	in->len = (uint32_t)(total - header);
	in->ecn = p[1] & 3;
	return IP_SEGMENT;
}

static void must_agree(const struct link_in *got, const struct link_in *want)
{
	must(got->src.ip == want->src.ip && got->src.port == want->src.port);
	must(got->dst.ip == want->dst.ip && got->dst.port == want->dst.port);
	must(got->len == want->len && got->ecn == want->ecn && got->path_mtu == want->path_mtu);
	must(want->error ? got->error > 0 : got->error == 0);
	must((got->error == EMSGSIZE) == (want->error == EMSGSIZE));
}

/* ---- pings ---- */

/* An answer to the ping in p: from us to whoever asked, with the same number and data, and whole. */
static void must_answer(const uint8_t *p, const uint8_t *answer, size_t len)
{
	size_t header = (p[0] & 15) * 4U, message = number(p + 2, 2) - header;
	const uint8_t *m = answer + 20;

	must(len == 20 + message && number(answer + 2, 2) == len);
	must(answer[0] == 0x45 && sum_of(answer, 20) == 0xffff && answer[9] == 1 && answer[8] > 0);
	must(number(answer + 6, 2) == 0x4000);
	must(!memcmp(answer + 12, ours, 4) && !memcmp(answer + 16, p + 12, 4));
	must(m[0] == 0 && m[1] == 0 && sum_of(m, message) == 0xffff);
	must(!memcmp(m + 4, p + header + 4, message - 4));
}

static void answer_ping(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len), *answer;
	size_t answer_len = len;

	memcpy(copy, p, len);
	answer = ip_answer_echo(copy, &answer_len);
	must(answer >= copy && answer + answer_len <= copy + len);
	must_answer(p, answer, answer_len);
	free(copy);
}

/* ---- the link ---- */

/* A second goes by from one look at the clock to the next, so that every ping is answered. */
static uint64_t now_us(void *ctx)
{
	static uint64_t now;

	(void)ctx;
	return now += 1000000;
}

static struct link *open_link(int *device)
{
	static const struct link_host host = { .now_us = now_us };
	static struct link *l;
	static int pair[2];
	struct link_tun_config c = { 0 };

	memcpy(&c.ip, ours, 4);
	link_host_use(&host);
	if (!l && (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) || link_tun_over(pair[0], &c, &l)))
		abort();
	*device = pair[1];
	return l;
}

static uint64_t count_of(const struct link_tun_stats *s, enum ip_kind kind)
{
	switch (kind) {
	case IP_SEGMENT: return s->segments_in;
	case IP_ERROR: return s->errors_in;
	case IP_ECHO: return s->echoes_in;
	case IP_MALFORMED: return s->malformed;
	case IP_FRAGMENT: return s->fragments;
	case IP_ASTRAY: return s->astray;
	case IP_OTHER: return s->other;
	}
	abort();
}

/* virtio 1.1, 5.1.6; what stands in it are numbers of this machine. */
static bool is_vouched(const uint8_t *vnet, uint32_t ip_header)
{
	uint16_t start, offset;

	memcpy(&start, vnet + 6, 2);
	memcpy(&offset, vnet + 8, 2);
	return vnet[0] & 1 ? start == ip_header && offset == 16 : vnet[0] & 2;
}

/* bytes: a virtio-net header, unless they are too few, and a packet. */
static void carry(const uint8_t *bytes, size_t len, enum ip_kind kind, const struct link_in *want)
{
	uint8_t answer[VNET + PACKET_MAX];
	int device, n;
	struct link *l = open_link(&device);
	struct link_tun_stats before = link_tun_stats(l), after;
	struct link_in in;

	must(write(device, bytes, len) == (ssize_t)len);
	n = l->ops->recv(l, &in, 1);
	after = link_tun_stats(l);
	must(n == (kind == IP_SEGMENT || kind == IP_ERROR));
	for (enum ip_kind k = IP_SEGMENT; k <= IP_OTHER; k++)
		must(count_of(&after, k) - count_of(&before, k) == (k == kind));
	if (n) {
		must_agree(&in, want);
		must(!memcmp(in.segment, want->segment, want->len));
		must(in.vouched == (kind == IP_SEGMENT && is_vouched(bytes, (bytes[VNET] & 15) * 4U)));
	}
	n = (int)read(device, answer, sizeof answer);
	must(kind == IP_ECHO ? n > VNET : n < 0);
	if (n > 0)
		must_answer(bytes + VNET, answer + VNET, (size_t)n - VNET);
}

/* bytes: a whole virtio-net header, and a packet. */
static void play(uint8_t *bytes, size_t len, uint32_t fix)
{
	struct link_in got = { 0 }, want = { 0 };
	size_t packet_len = len - VNET;
	uint8_t *packet = calloc(1, packet_len + !packet_len); /* a copy that ends where the packet ends */
	enum ip_kind kind;
	uint32_t ip;

	mend(bytes + VNET, packet_len, fix);
	memcpy(packet, bytes + VNET, packet_len);
	memcpy(&ip, ours, 4);
	kind = ip_read(packet, packet_len, ip, &got);
	must(kind == read_packet(packet, packet_len, &want));
	if (kind == IP_SEGMENT || kind == IP_ERROR) {
		must_agree(&got, &want);
		must(got.segment == want.segment);
	}
	if (kind == IP_ECHO)
		answer_ping(packet, packet_len);
	carry(bytes, len, kind, &want);
	free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *bytes;

	if (len < 2 || len > PACKET_MAX)
		return 0;
	bytes = malloc(len - 1);
	memcpy(bytes, data + 1, len - 1);
	if (len - 1 < VNET)
		carry(bytes, len - 1, IP_MALFORMED, NULL);
	else
		play(bytes, len - 1, data[0]);
	free(bytes);
	return 0;
}

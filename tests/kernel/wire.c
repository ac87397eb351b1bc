#include "tests/kernel/wire.h"

#include "tests/kernel/tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- the wire ---- */

void wire_offloads(int wire, bool on)
{
	MUST(!ioctl(wire, TUNSETOFFLOAD, on ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN : 0));
}

static void set_address(int control, const char *name, uint32_t ip)
{
	struct ifreq r = { 0 };
	struct sockaddr_in a = at(ip, 0);

	strcpy(r.ifr_name, name);
	memcpy(&r.ifr_addr, &a, sizeof a);
	MUST(!ioctl(control, SIOCSIFADDR, &r));
	a = at(0xffffff00, 0);
	memcpy(&r.ifr_netmask, &a, sizeof a);
	MUST(!ioctl(control, SIOCSIFNETMASK, &r));
}

int wire_open(bool offloads)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int control = socket(AF_INET, SOCK_DGRAM, 0), wire = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	MUST(wire >= 0);
	strcpy(r.ifr_name, "tun0");
	MUST(!ioctl(wire, TUNSETIFF, &r));
	wire_offloads(wire, offloads);
	set_address(control, "tun0", NEAR);
	MUST(!ioctl(control, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	MUST(!ioctl(control, SIOCSIFFLAGS, &r));
	set_address(control, "tun0:2", NEAR2);
	close(control);
	return wire;
}

bool wire_get(int wire, struct wire_packet *p, int wait_ms)
{
	struct pollfd poll_ = { .fd = wire, .events = POLLIN };

	while (poll(&poll_, 1, wait_ms) > 0) {
		struct iovec pieces[2] = { { &p->v, sizeof p->v }, { p->ip, sizeof p->ip } };
		ssize_t len = readv(wire, pieces, 2);

		MUST(len > (ssize_t)sizeof p->v);
		p->len = (size_t)len - sizeof p->v;
		if (p->ip[0] >> 4 == 4)
			return true;
	}
	return false;
}

unsigned wire_drain(int wire)
{
	static struct wire_packet p;
	unsigned resets = 0;

	while (wire_get(wire, &p, 50))
		resets += wire_ip(&p)->protocol == IPPROTO_TCP && wire_tcp(&p)->rst;
	return resets;
}

void wire_put(int wire, const struct wire_packet *p)
{
	struct iovec pieces[2] = { { (void *)&p->v, sizeof p->v }, { (void *)p->ip, p->len } };

	MUST(writev(wire, pieces, 2) == (ssize_t)(sizeof p->v + p->len));
}

uint16_t wire_sum(const void *data, size_t len, uint32_t before)
{
	const uint8_t *b = data;
	uint64_t sum = before;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t pseudo(uint32_t src, uint32_t dst, size_t len)
{
	return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + IPPROTO_TCP + (uint32_t)len;
}

const struct iphdr *wire_ip(const struct wire_packet *p)
{
	return (const struct iphdr *)(const void *)p->ip;
}

const struct tcphdr *wire_tcp(const struct wire_packet *p)
{
	return (const struct tcphdr *)(const void *)(p->ip + wire_ip(p)->ihl * 4);
}

bool wire_tcp_good(const struct wire_packet *p)
{
	size_t len = p->len - wire_ip(p)->ihl * 4U;

	return !wire_sum(p->ip, wire_ip(p)->ihl * 4U, 0) &&
	       !wire_sum(wire_tcp(p), len, pseudo(ntohl(wire_ip(p)->saddr), ntohl(wire_ip(p)->daddr), len));
}

/* ---- packets ---- */

size_t segment_make(uint8_t *to, const struct segment *s)
{
	struct tcphdr h = { .source = htons(s->sport), .dest = htons(s->dport), .seq = htonl(s->seq),
		.ack_seq = htonl(s->ack), .doff = 5, .window = htons(65535) };
	size_t len = sizeof h + s->len;

	memcpy(to, &h, sizeof h);
	to[13] = s->flags;
	memcpy(to + sizeof h, s->data ? s->data : "", s->len);
	h.check = htons(wire_sum(to, len, pseudo(s->src, s->dst, len)));
	memcpy(to + offsetof(struct tcphdr, check), &h.check, 2);
	return len;
}

static void ip_header(struct wire_packet *p, uint8_t protocol, uint8_t tos, uint32_t src, uint32_t dst, size_t payload)
{
	struct iphdr h = { .version = 4, .ihl = 5, .ttl = 64, .protocol = protocol, .tos = tos, .frag_off = htons(IP_DF),
		.saddr = htonl(src), .daddr = htonl(dst), .tot_len = htons((uint16_t)(sizeof h + payload)) };

	h.check = htons(wire_sum(&h, sizeof h, 0));
	memcpy(p->ip, &h, sizeof h);
	p->len = sizeof h + payload;
	memset(&p->v, 0, sizeof p->v);
}

void segment_packet(struct wire_packet *p, const struct segment *s)
{
	size_t len = segment_make(p->ip + sizeof(struct iphdr), s);

	ip_header(p, IPPROTO_TCP, s->tos, s->src, s->dst, len);
}

void segment_put(int wire, const struct segment *s)
{
	static struct wire_packet p;

	segment_packet(&p, s);
	wire_put(wire, &p);
}

void icmp_packet(struct wire_packet *p, uint8_t type, uint8_t code, uint16_t mtu, const struct segment *quoted,
	size_t n)
{
	static struct wire_packet quote;
	uint8_t *message = p->ip + sizeof(struct iphdr);
	struct icmphdr icmp = { .type = type, .code = code };
	size_t len = sizeof icmp + sizeof(struct iphdr) + n;

	segment_packet(&quote, quoted);
	icmp.un.frag.mtu = htons(mtu);
	memcpy(message, &icmp, sizeof icmp);
	memcpy(message + sizeof icmp, quote.ip, sizeof(struct iphdr) + n);
	icmp.checksum = htons(wire_sum(message, len, 0));
	memcpy(message, &icmp, sizeof icmp);
	ip_header(p, IPPROTO_ICMP, 0, quoted->dst, quoted->src, len);
}

/* ---- TCPK ---- */

struct sockaddr_in at(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port) };
}

int tcpk_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_TCPK);

	MUST(fd >= 0);
	return fd;
}

int bind_at(int fd, uint32_t ip, uint16_t port)
{
	struct sockaddr_in a = at(ip, port);

	return bind(fd, (struct sockaddr *)&a, sizeof a);
}

int connect_at(int fd, uint32_t ip, uint16_t port)
{
	struct sockaddr_in a = at(ip, port);

	return connect(fd, (struct sockaddr *)&a, sizeof a);
}

int tcpk_bound(uint32_t ip, uint16_t port)
{
	int fd = tcpk_socket(), e;

	if (!bind_at(fd, ip, port))
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

uint16_t port_of(int fd)
{
	struct sockaddr_in a = { 0 };
	socklen_t len = sizeof a;

	getsockname(fd, (struct sockaddr *)&a, &len);
	return ntohs(a.sin_port);
}

int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value);
}

int get_int(int fd, int level, int name)
{
	int value;
	socklen_t len = sizeof value;

	return getsockopt(fd, level, name, &value, &len) ? -1 : value;
}

struct tcpk_stats stats_of(int fd)
{
	struct tcpk_stats s = { 0 };
	socklen_t len = sizeof s;

	MUST(!getsockopt(fd, SOL_TCPK, TCPK_STATS, &s, &len) && len == sizeof s);
	return s;
}

bool readable(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, wait_ms) > 0 && p.revents & (POLLIN | POLLERR);
}

ssize_t get(int fd, struct got *g, int flags)
{
	char control[256];
	struct iovec piece = { g->data, sizeof g->data };
	struct msghdr m = { .msg_name = &g->from, .msg_namelen = sizeof g->from, .msg_iov = &piece, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof control };
	ssize_t n;

	readable(fd, 200);
	n = recvmsg(fd, &m, flags | MSG_DONTWAIT);
	g->has_info = false;
	g->flags = m.msg_flags;
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_TCPK && c->cmsg_type == TCPK_INFO) {
			memcpy(&g->info, CMSG_DATA(c), sizeof g->info);
			g->has_info = true;
		}
	}
	return n;
}

ssize_t put(int fd, const void *segment, size_t len, const struct sockaddr_in *to, const struct tcpk_offload *offload)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof *offload)] = { 0 };
	struct iovec piece = { (void *)segment, len };
	struct msghdr m = { .msg_name = (void *)to, .msg_namelen = to ? sizeof *to : 0, .msg_iov = &piece,
		.msg_iovlen = 1 };

	if (offload) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)control;

		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof *offload), .cmsg_level = SOL_TCPK,
			.cmsg_type = TCPK_OFFLOAD };
		memcpy(CMSG_DATA(c), offload, sizeof *offload);
		m.msg_control = control;
		m.msg_controllen = sizeof control;
	}
	return sendmsg(fd, &m, MSG_DONTWAIT);
}

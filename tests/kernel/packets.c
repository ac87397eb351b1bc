/* What comes to a TCPK socket, and what leaves it, packet by packet, at the other end of a wire. Beside each: nothing
 * that is claimed is ever answered by the kernel's TCP, whose answer, RST, the same wire would show. */
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PORT 7000
#define BULK 20000 /* of a super-packet */
#define MSS 1448

static int wire;
static struct wire_packet p;
static struct got g;
static uint8_t bytes[65536], data[BULK];

/* From the far end, to a port of ours. */
static struct segment from_far(uint16_t sport, uint16_t dport, uint8_t flags, size_t len)
{
	return (struct segment){ .src = FAR, .dst = NEAR, .sport = sport, .dport = dport, .seq = 1000, .ack = 2000,
		.flags = flags, .data = data, .len = len };
}

static struct segment to_far(uint16_t sport, uint16_t dport, uint8_t flags, size_t len)
{
	return (struct segment){ .src = NEAR, .dst = FAR, .sport = sport, .dport = dport, .seq = 5000, .ack = 1001,
		.flags = flags, .data = data, .len = len };
}

/* Whether the kernel's TCP answers by RST. */
static bool resets(const struct segment *s)
{
	wire_drain(wire);
	segment_put(wire, s);
	return wire_drain(wire) > 0;
}

static void test_claim(void)
{
	struct segment s = from_far(9, PORT, TH_SYN, 0);
	int fd, len = (int)segment_make(bytes, &s);

	OK(resets(&s), "nobody's port: the kernel's TCP resets");
	fd = tcpk_bound(NEAR, PORT);
	set_int(fd, SOL_TCPK, TCPK_RECV_INFO, 1);
	OK(!resets(&s), "a claimed port: no RST");
	OK(get(fd, &g, 0) == len && !memcmp(g.data, bytes, (size_t)len), "the segment comes, as it was sent");
	OK(g.from.sin_addr.s_addr == htonl(FAR) && g.from.sin_port == htons(9), "and who sent it");
	OK(g.has_info && g.info.local == htonl(NEAR) && g.info.segment_size == 0, "and the address it was for");
	FAILS(get(fd, &g, 0), EAGAIN, "once");
	s.dst = NEAR2;
	OK(resets(&s), "another address's port is not claimed");
	s = from_far(9, PORT + 1, TH_SYN, 0);
	OK(resets(&s), "nor another port");
	s = from_far(9, PORT, TH_ACK | TH_PUSH, 1000);
	segment_put(wire, &s);
	OK(get(fd, &g, MSG_PEEK) == 1020 && get(fd, &g, 0) == 1020, "MSG_PEEK leaves it there");
	segment_put(wire, &s);
	OK(recv(fd, bytes, 10, MSG_TRUNC) == 1020, "MSG_TRUNC tells the length");
	close(fd);
	s = from_far(9, PORT, TH_SYN, 0);
	OK(resets(&s), "closed: the kernel's TCP resets again");
}

static void test_malformed(void)
{
	struct segment s = from_far(9, PORT, TH_ACK, 0);
	int fd = tcpk_bound(NEAR, PORT);
	const uint8_t offsets[] = { 0, 4, 6, 15 };

	wire_drain(wire);
	for (size_t i = 0; i < sizeof offsets; i++) {
		segment_packet(&p, &s);
		p.ip[20 + 12] = (uint8_t)(offsets[i] << 4);
		wire_put(wire, &p);
	}
	segment_packet(&p, &s);
	p.len = 30; /* half a header; the IP header says so, too */
	p.ip[3] = 30;
	p.ip[10] = p.ip[11] = 0;
	*(uint16_t *)(void *)(p.ip + 10) = htons(wire_sum(p.ip, 20, 0));
	wire_put(wire, &p);
	FAILS(get(fd, &g, 0), EAGAIN, "headers that are none do not come");
	OK(wire_drain(wire) == 0, "and are not answered");
	close(fd);
}

static uint8_t checksum_of(int fd, size_t len, uint8_t flags, bool spoilt)
{
	struct segment s = from_far(9, PORT, TH_ACK, len);

	segment_packet(&p, &s);
	p.v.flags = flags;
	if (flags == VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		p.v.csum_start = 20;
		p.v.csum_offset = 16;
	}
	p.ip[36] ^= spoilt;
	wire_put(wire, &p);
	if (get(fd, &g, 0) != (ssize_t)len + 20 || !g.has_info)
		return 0xff;
	return g.info.checksum;
}

static void test_checksum(void)
{
	int fd = tcpk_bound(NEAR, PORT);

	set_int(fd, SOL_TCPK, TCPK_RECV_INFO, 1);
	OK(checksum_of(fd, 1400, VIRTIO_NET_HDR_F_NEEDS_CSUM, true) == TCPK_VOUCHED, "what never left the host: vouched");
	OK(checksum_of(fd, 1400, 0, false) == TCPK_UNCHECKED, "nobody has looked: unchecked");
	OK(checksum_of(fd, 1400, 0, true) == TCPK_UNCHECKED, "and comes when it is wrong");
	OK(checksum_of(fd, 10, 0, false) == TCPK_VOUCHED, "short and right: vouched");
	OK(checksum_of(fd, 10, 0, true) == TCPK_UNCHECKED, "short and wrong: unchecked");
	close(fd);
}

/* A super-packet from the far end, for whose checksum the wire vouches. */
static void put_super(uint16_t dport)
{
	struct segment s = from_far(9, dport, TH_ACK | TH_PUSH, BULK);

	segment_packet(&p, &s);
	p.v = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 40, .gso_size = MSS, .csum_start = 20, .csum_offset = 16 };
	wire_put(wire, &p);
}

/* One with a checksum, of which it says nothing: how many segments come. */
static unsigned get_doubtful(int fd, bool spoilt)
{
	struct segment s = from_far(9, PORT, TH_ACK | TH_PUSH, BULK);
	unsigned n = 0;

	segment_packet(&p, &s);
	p.v = (struct virtio_net_hdr){ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .hdr_len = 40, .gso_size = MSS };
	p.ip[5000] ^= spoilt;
	wire_put(wire, &p);
	while (get(fd, &g, 0) > 0)
		n++;
	return n;
}

static void test_super_in(void)
{
	int fd = tcpk_bound(NEAR, PORT);
	size_t at_ = 0;
	unsigned n = 0;
	bool right = true;

	set_int(fd, SOL_TCPK, TCPK_RECV_INFO, 1);
	set_int(fd, SOL_SOCKET, SO_RCVBUF, 200000);
	put_super(PORT);
	for (ssize_t len; at_ < BULK && (len = get(fd, &g, 0)) > 0; n++) {
		const struct tcphdr *h = (const struct tcphdr *)(void *)g.data;

		right &= ntohl(h->seq) == 1000 + at_ && !memcmp(g.data + 20, data + at_, (size_t)len - 20) &&
			 h->psh == (at_ + (size_t)len - 20 == BULK) && g.info.checksum == TCPK_VOUCHED &&
			 g.info.segment_size == 0 && g.from.sin_port == htons(9);
		at_ += (size_t)len - 20;
	}
	OK(n == (BULK + MSS - 1) / MSS && at_ == BULK && right, "merged packets come cut, as they were: %u", n);
	OK(get_doubtful(fd, true) == 0, "what is cut was checked before");
	OK(get_doubtful(fd, false) == n, "and comes when it is right");
	set_int(fd, SOL_TCPK, TCPK_SUPER, 1);
	put_super(PORT);
	OK(get(fd, &g, 0) == BULK + 20 && !memcmp(g.data + 20, data, BULK), "and whole for who asks");
	OK(g.info.segment_size == MSS && g.info.checksum == TCPK_VOUCHED, "with the size of what they were merged from");
	OK(stats_of(fd).in_segs == 2 * n + 1 && stats_of(fd).in_bytes == BULK + 20 + 2 * (BULK + n * 20), "counted");
	OK(get_doubtful(fd, true) == 1 && g.info.checksum == TCPK_UNCHECKED, "whole, it is the process's to check");
	close(fd);
}

static void test_out(void)
{
	int fd = tcpk_bound(NEAR, PORT);
	struct segment s = to_far(PORT, 9, TH_SYN, 0);
	struct sockaddr_in to = at(FAR, 9);
	struct tcpk_offload off = { .flags = TCPK_FINISH | TCPK_TOS, .tos = 2 };
	size_t len = segment_make(bytes, &s);

	wire_drain(wire);
	set_int(fd, IPPROTO_IP, IP_TTL, 77);
	set_int(fd, IPPROTO_IP, IP_TOS, 0x10);
	OK(put(fd, bytes, len, &to, NULL) == (ssize_t)len && wire_get(wire, &p, 500), "a segment leaves");
	OK(p.len == len + 20 && !memcmp(p.ip + 20, bytes, len), "as it was given");
	OK(wire_ip(&p)->saddr == htonl(NEAR) && wire_ip(&p)->daddr == htonl(FAR) && wire_ip(&p)->protocol == IPPROTO_TCP,
		"the IP header has the addresses");
	OK(wire_ip(&p)->ttl == 77 && wire_ip(&p)->tos == 0x10 && wire_ip(&p)->frag_off == htons(IP_DF), "TTL, TOS, DF");
	OK(wire_tcp_good(&p), "and its checksum is right");
	bytes[16] = 0x55;
	OK(put(fd, bytes, len, &to, &off) == (ssize_t)len && wire_get(wire, &p, 500) && wire_tcp_good(&p) &&
		p.v.flags == 0, "TCPK_FINISH: the kernel makes the checksum");
	OK(wire_ip(&p)->tos == 2, "TCPK_TOS: this one's is another");
	wire_offloads(wire, true);
	OK(put(fd, bytes, len, &to, &off) == (ssize_t)len && wire_get(wire, &p, 500) &&
		p.v.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM, "or leaves it to a device that can");
	wire_offloads(wire, false);
	set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	OK(put(fd, bytes, len, &to, NULL) == (ssize_t)len && wire_get(wire, &p, 500) && !wire_ip(&p)->frag_off,
		"no DF for who does not want it");
	close(fd);
}

/* What leaves when one sendmsg gives so many bytes of data; the far end's offloads as they are. */
static void check_cut(int fd, size_t total)
{
	struct tcpk_offload off = { .segment_size = MSS, .flags = TCPK_FINISH };
	struct segment s = to_far(PORT, 9, TH_ACK | TH_PUSH | TH_FIN, total);
	struct sockaddr_in to = at(FAR, 9);
	size_t len = segment_make(bytes, &s), at_ = 0;
	unsigned n = 0;
	bool right = true;

	OK(put(fd, bytes, len, &to, &off) == (ssize_t)len, "%zu bytes leave at once", total);
	while (at_ < total && wire_get(wire, &p, 500)) {
		const struct tcphdr *h = wire_tcp(&p);
		size_t n_data = p.len - 40;
		bool last = at_ + n_data == total;

		right &= wire_tcp_good(&p) && ntohl(h->seq) == 5000 + at_ && h->fin == last && h->psh == last &&
			 n_data <= MSS && !memcmp(p.ip + 40, data + at_, n_data);
		at_ += n_data;
		n++;
	}
	OK(right && at_ == total && n == (total + MSS - 1) / MSS, "and are cut by the kernel into %u, all right", n);
}

static void test_super_out(void)
{
	int fd = tcpk_bound(NEAR, PORT);
	struct tcpk_offload off = { .segment_size = MSS, .flags = TCPK_FINISH };
	struct segment s = to_far(PORT, 9, TH_ACK, BULK);
	struct sockaddr_in to = at(FAR, 9);
	size_t len = segment_make(bytes, &s);

	wire_drain(wire);
	check_cut(fd, 1);
	check_cut(fd, MSS);
	check_cut(fd, MSS + 1);
	check_cut(fd, BULK);
	wire_offloads(wire, true);
	OK(put(fd, bytes, len, &to, &off) == (ssize_t)len && wire_get(wire, &p, 500) && p.len == len + 20 &&
		p.v.gso_type == VIRTIO_NET_HDR_GSO_TCPV4 && p.v.gso_size == MSS, "a device that can gets it whole");
	wire_offloads(wire, false);
	OK(stats_of(fd).out_segs == 5, "one for each call is counted");
	close(fd);
}

/* Nothing of what is refused is to be seen on the wire. */
static void test_foreign(void)
{
	int fd = tcpk_bound(NEAR, PORT), all = tcpk_bound(INADDR_ANY, PORT + 1);
	struct sockaddr_in to = at(FAR, 9);
	struct segment s = to_far(PORT + 5, 9, TH_RST, 0);
	struct tcpk_offload off = { .local = htonl(NEAR2) };
	unsigned refused = 0, seen = 0;

	wire_drain(wire);
	for (uint32_t sport = 1; sport < 65536; sport += 97) { /* 7000 is not among them */
		s.sport = (uint16_t)sport;
		refused += put(fd, bytes, segment_make(bytes, &s), &to, NULL) < 0 && errno == EPERM;
	}
	OK(refused == 676, "no foreign source port is let out");
	s.sport = PORT;
	segment_make(bytes, &s);
	FAILS(put(fd, bytes, 20, &to, &off), EPERM, "no foreign address of this host");
	off.local = htonl(STRANGER);
	FAILS(put(fd, bytes, 20, &to, &off), EPERM, "no other host's");
	s.sport = PORT + 1;
	segment_make(bytes, &s);
	FAILS(put(all, bytes, 20, &to, &off), EPERM, "not even from a socket with all addresses of this host");
	while (wire_get(wire, &p, 50))
		seen++;
	OK(seen == 0, "the wire shows nothing of that");
	off.local = htonl(NEAR2);
	OK(put(all, bytes, 20, &to, &off) == 20 && wire_get(wire, &p, 500) && wire_ip(&p)->saddr == htonl(NEAR2),
		"a socket with all addresses says which");
	close(fd);
	close(all);
}

static void test_narrow(void)
{
	int listener = tcpk_bound(NEAR, PORT), fd = tcpk_socket();
	struct segment mine = from_far(9, PORT, TH_ACK, 4), other = from_far(10, PORT, TH_SYN, 0);

	MUST(!set_int(fd, SOL_TCPK, TCPK_JOIN, listener));
	segment_put(wire, &mine);
	FAILS(get(fd, &g, 0), EAGAIN, "a joined socket receives nothing");
	OK(get(listener, &g, 0) == 24, "the one that is bound does");
	MUST(!connect_at(fd, FAR, 9));
	segment_put(wire, &mine);
	segment_put(wire, &other);
	OK(get(fd, &g, 0) == 24 && g.from.sin_port == htons(9), "connected, it receives its remote's");
	FAILS(get(fd, &g, 0), EAGAIN, "and no other's");
	OK(get(listener, &g, 0) == 20 && g.from.sin_port == htons(10), "which go where they went");
	FAILS(get(listener, &g, 0), EAGAIN, "and nothing else does");
	close(listener);
	OK(resets(&other), "without listener, the kernel's TCP resets others");
	OK(!resets(&mine) && get(fd, &g, 0) == 24, "but not a connection that is left");
	close(fd);
	OK(resets(&mine), "until it is closed");

	fd = tcpk_bound(NEAR, PORT);
	other.sport = 11;
	segment_put(wire, &mine);
	segment_put(wire, &other);
	segment_put(wire, &mine);
	MUST(readable(fd, 500));
	MUST(!connect_at(fd, FAR, 9));
	OK(get(fd, &g, 0) == 24 && get(fd, &g, 0) == 24, "connect leaves what its remote has sent");
	FAILS(get(fd, &g, 0), EAGAIN, "and drops what others have");
	OK(resets(&other), "who are the kernel's TCP's from then on");
	close(fd);
}

static void test_room(void)
{
	int fd = tcpk_bound(NEAR, PORT);
	struct segment s = from_far(9, PORT, TH_ACK, 1000);
	unsigned n = 0;

	set_int(fd, SOL_SOCKET, SO_RCVBUF, 20000);
	for (int i = 0; i < 300; i++)
		segment_put(wire, &s);
	usleep(100000);
	while (get(fd, &g, MSG_DONTWAIT) > 0 && n < 300)
		n++;
	OK(n > 5 && n < 60, "SO_RCVBUF bounds what waits: %u of 300", n);
	OK(stats_of(fd).in_segs == n && stats_of(fd).in_dropped == 300 - n, "the rest is dropped and counted");
	segment_put(wire, &s);
	OK(get(fd, &g, 0) == 1020, "when it was read there is room again");
	OK(wire_drain(wire) == 0, "what is dropped is not answered");
	close(fd);
}

/* ---- IP's and netfilter's part ---- */

static void test_fragments(void)
{
	static struct wire_packet whole;
	int fd = tcpk_bound(NEAR, PORT);
	struct segment s = from_far(9, PORT, TH_ACK, 1200);

	segment_packet(&whole, &s);
	for (unsigned half = 0; half < 2; half++) {
		struct iphdr h;
		size_t at_ = half ? 600 : 0, len = half ? 620 : 600;

		memcpy(&h, whole.ip, sizeof h);
		h.id = htons(77);
		h.tot_len = htons((uint16_t)(20 + len));
		h.frag_off = htons((uint16_t)(at_ / 8 | (half ? 0 : IP_MF)));
		h.check = 0;
		h.check = htons(wire_sum(&h, sizeof h, 0));
		memset(&p.v, 0, sizeof p.v);
		memcpy(p.ip, &h, sizeof h);
		memcpy(p.ip + 20, whole.ip + 20 + at_, len);
		p.len = 20 + len;
		wire_put(wire, &p);
	}
	OK(get(fd, &g, 0) == 1220 && !memcmp(g.data, whole.ip + 20, 1220), "fragments come as one segment");
	close(fd);
}

static void test_tos(void)
{
	int fd = tcpk_bound(NEAR, PORT);
	struct segment s = from_far(9, PORT, TH_ACK, 0);

	set_int(fd, SOL_TCPK, TCPK_RECV_INFO, 1);
	s.tos = 0x2b;
	segment_put(wire, &s);
	OK(get(fd, &g, 0) == 20 && g.info.tos == 0x2b, "the IP header's TOS comes along: ECN");
	close(fd);
}

static void test_wild(void)
{
	int fd = tcpk_bound(INADDR_ANY, PORT);
	struct segment s = from_far(9, PORT, TH_SYN, 0);

	set_int(fd, SOL_TCPK, TCPK_RECV_INFO, 1);
	segment_put(wire, &s);
	OK(get(fd, &g, 0) == 20 && g.info.local == htonl(NEAR), "all addresses: to the first");
	s.dst = NEAR2;
	segment_put(wire, &s);
	OK(get(fd, &g, 0) == 20 && g.info.local == htonl(NEAR2), "all addresses: to the second");
	s.dst = 0x0a0800ff;
	segment_put(wire, &s);
	FAILS(get(fd, &g, 0), EAGAIN, "but not to all hosts");
	MUST(!connect_at(fd, FAR, 9));
	s.dst = NEAR2;
	OK(resets(&s), "connected, it has one address");
	close(fd);
}

static void test_device(void)
{
	int fd = tcpk_socket();
	struct segment s = from_far(9, PORT, TH_SYN, 0);

	MUST(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) && !bind_at(fd, NEAR, PORT));
	OK(resets(&s), "SO_BINDTODEVICE: not from another device");
	MUST(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "tun0", 5));
	OK(!resets(&s) && get(fd, &g, 0) == 20, "SO_BINDTODEVICE: from its own");
	close(fd);
}

/* A VRF has ports of its own, which nobody has reserved for us. */
static void test_vrf(void)
{
	int fd = tcpk_bound(INADDR_ANY, PORT), bound = tcpk_socket(), service = socket(AF_INET, SOCK_STREAM, 0);
	struct segment s = from_far(9, PORT, TH_SYN, 0);

	if (system("iproute link add red type vrf table 10 && iproute link set red up && iproute link set tun0 master red")) {
		printf("# no VRF\n");
		return;
	}
	MUST(!setsockopt(bound, SOL_SOCKET, SO_BINDTODEVICE, "red", 4) && !bind_at(bound, 0, PORT + 1));
	OK(resets(&s), "VRF: what comes by one is the kernel's");
	s.dport = PORT + 1;
	OK(resets(&s), "VRF: for a socket of that device, too");
	s.dport = PORT;
	MUST(!setsockopt(service, SOL_SOCKET, SO_BINDTODEVICE, "red", 4) && !bind_at(service, INADDR_ANY, PORT) &&
		!listen(service, 1));
	segment_put(wire, &s);
	OK(wire_get(wire, &p, 500) && wire_tcp(&p)->syn && wire_tcp(&p)->ack, "VRF: a service that is bound to it answers");
	FAILS(get(fd, &g, 0), EAGAIN, "VRF: and nobody else has it");
	MUST(!system("iproute link del red"));
	close(service);
	close(bound);
	close(fd);
}

static void test_filter(void)
{
	int fd = tcpk_bound(NEAR, PORT), none = 0;
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { 1, nothing };
	struct segment s = from_far(9, PORT, TH_SYN, 0);

	MUST(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
	OK(!resets(&s) && get(fd, &g, 0) < 0, "a filter of the socket's own is heeded");
	MUST(!setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none));
	close(fd);
}

static void test_poll(void)
{
	int fd = tcpk_bound(NEAR, PORT), set = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	struct segment s = from_far(9, PORT, TH_SYN, 0);

	MUST(!epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	OK(epoll_wait(set, &e, 1, 20) == 0, "nothing to wake for");
	segment_put(wire, &s);
	OK(epoll_wait(set, &e, 1, 1000) == 1 && e.events == EPOLLIN, "what comes wakes");
	put_super(PORT);
	OK(epoll_wait(set, &e, 1, 1000) == 1, "and again");
	close(set);
	close(fd);
}

int main(void)
{
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	wire = wire_open(false);
	test_claim();
	test_malformed();
	test_checksum();
	test_super_in();
	test_out();
	test_super_out();
	test_foreign();
	test_narrow();
	test_room();
	test_fragments();
	test_tos();
	test_wild();
	test_device();
	test_vrf();
	test_filter();
	test_poll();
	return tap_end();
}

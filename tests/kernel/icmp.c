/* ICMP errors about what a TCPK socket sent: who is told, what he is told, and what the host's routes make of it. */
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT 7000

static int wire;
static struct wire_packet p;
static struct got g;
static uint8_t bytes[65536], data[5000];

static struct segment to_far(uint16_t sport, uint16_t dport, uint8_t flags, size_t len)
{
	return (struct segment){ .src = NEAR, .dst = FAR, .sport = sport, .dport = dport, .seq = 5000, .ack = 1001,
		.flags = flags, .data = data, .len = len };
}

struct error {
	struct sock_extended_err e;
	struct sockaddr_in to;
	uint8_t quote[200];
	ssize_t len;
};

static bool get_error(int fd, struct error *out)
{
	char control[512];
	struct iovec piece = { out->quote, sizeof out->quote };
	struct msghdr m = { .msg_name = &out->to, .msg_namelen = sizeof out->to, .msg_iov = &piece, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof control };

	out->len = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	if (out->len < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) {
			memcpy(&out->e, CMSG_DATA(c), sizeof out->e);
			return true;
		}
	}
	return false;
}

static void put_icmp(uint8_t type, uint8_t code, uint16_t mtu, uint16_t sport, size_t quoted)
{
	struct segment s = to_far(sport, 9, TH_ACK, 100);

	icmp_packet(&p, type, code, mtu, &s, quoted);
	wire_put(wire, &p);
	usleep(20000);
}

static int error_after(int fd, uint8_t type, uint8_t code, uint16_t sport)
{
	put_icmp(type, code, 0, sport, 8);
	return get_int(fd, SOL_SOCKET, SO_ERROR);
}

static void test_icmp(void)
{
	int fd = tcpk_bound(NEAR, PORT);
	struct segment s = to_far(PORT, 9, TH_ACK, 100);
	struct error e;

	OK(error_after(fd, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, PORT) == 0, "without a quotation, no error for all");
	MUST(!connect_at(fd, FAR, 9));
	OK(error_after(fd, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, PORT) == ECONNREFUSED, "ICMP: port unreachable");
	OK(get_int(fd, SOL_SOCKET, SO_ERROR) == 0, "once");
	OK(error_after(fd, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, PORT) == EHOSTUNREACH, "ICMP: host unreachable");
	OK(error_after(fd, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, PORT) == ENETUNREACH, "ICMP: net unreachable");
	OK(error_after(fd, ICMP_TIME_EXCEEDED, 0, PORT) == EHOSTUNREACH, "ICMP: time exceeded");
	OK(error_after(fd, ICMP_PARAMETERPROB, 0, PORT) == EPROTO, "ICMP: parameter problem");
	OK(error_after(fd, ICMP_SOURCE_QUENCH, 0, PORT) == 0, "ICMP: source quench is nothing");
	OK(error_after(fd, ICMP_DEST_UNREACH, 77, PORT) == 0, "ICMP: nor is an unknown code");
	OK(error_after(fd, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, PORT + 1) == 0, "ICMP: about another's packet");
	icmp_packet(&p, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, &s, 8);
	p.ip[25] ^= 1;
	wire_put(wire, &p);
	usleep(20000);
	OK(get_int(fd, SOL_SOCKET, SO_ERROR) == 0, "ICMP: a wrong checksum");
	put_icmp(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, PORT, 4);
	OK(get_int(fd, SOL_SOCKET, SO_ERROR) == 0, "ICMP: half a quotation");
	put_icmp(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, PORT, 8);
	FAILS(get(fd, &g, 0), ECONNREFUSED, "recvmsg tells");
	FAILS(get(fd, &g, 0), EAGAIN, "once");
	set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	put_icmp(ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, PORT, 60);
	OK(readable(fd, 0), "IP_RECVERR: it polls");
	OK(get_error(fd, &e) && e.e.ee_errno == EHOSTUNREACH && e.e.ee_origin == SO_EE_ORIGIN_ICMP &&
		e.e.ee_type == ICMP_DEST_UNREACH && e.e.ee_code == ICMP_HOST_UNREACH, "IP_RECVERR: the error");
	segment_make(bytes, &s);
	OK(e.len == 60 && !memcmp(e.quote, bytes, 60), "IP_RECVERR: what is quoted of the segment");
	OK(e.to.sin_addr.s_addr == htonl(FAR) && e.to.sin_port == htons(9) && e.e.ee_data == htonl(NEAR),
		"IP_RECVERR: whom it was for, and from which address");
	OK(!get_error(fd, &e) && get_int(fd, SOL_SOCKET, SO_ERROR) == 0, "IP_RECVERR: once");
	close(fd);
	fd = tcpk_bound(NEAR, PORT);
	set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	put_icmp(ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, PORT, 8);
	OK(get_error(fd, &e) && e.len == 8 && e.to.sin_port == htons(9), "IP_RECVERR: a listener sees whose it is");
	for (int i = 0; i < 3000; i++) {
		s.sport = PORT;
		icmp_packet(&p, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, &s, 60);
		wire_put(wire, &p);
	}
	usleep(50000);
	int n = 0;
	while (get_error(fd, &e))
		n++;
	OK(n > 10 && n < 3000, "a flood of errors is bounded: %d of 3000", n);
	close(fd);
}

static void forget_routes(void)
{
	MUST(!system("iproute route flush cache"));
}

/* What a socket that comes now is told. */
static int route_mtu(void)
{
	int fd = tcpk_socket(), mtu;

	MUST(!connect_at(fd, FAR, 9));
	mtu = get_int(fd, IPPROTO_IP, IP_MTU);
	close(fd);
	return mtu;
}

/* Whoever can send one packet can say that a route is narrow: RFC 5927 section 7. */
static void test_forged_mtu(void)
{
	int fd = tcpk_bound(NEAR, PORT);
	struct error e;

	put_icmp(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 1200, PORT, 8);
	OK(route_mtu() == WIRE_MTU, "who knows a listener's port does not narrow the route");
	forget_routes();
	set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	put_icmp(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 1200, PORT, 8);
	OK(get_error(fd, &e) && e.e.ee_errno == EMSGSIZE && e.e.ee_info == 1200, "IP_RECVERR: the listener is told");
	OK(route_mtu() == WIRE_MTU, "and does not narrow it either");
	forget_routes();
	MUST(!connect_at(fd, FAR, 9) && !set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE));
	get_int(fd, SOL_SOCKET, SO_ERROR);
	put_icmp(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 1200, PORT, 8);
	OK(get_error(fd, &e) && e.e.ee_errno == EMSGSIZE && e.e.ee_info == 1200, "IP_PMTUDISC_PROBE: it is told");
	OK(route_mtu() == WIRE_MTU, "and judges by itself: the route stays");
	close(fd);
	forget_routes();
}

static void test_mtu(void)
{
	int fd = tcpk_bound(NEAR, PORT);
	struct tcpk_offload off = { .segment_size = 1400, .flags = TCPK_FINISH };
	struct segment s = to_far(PORT, 9, TH_ACK, 1460);

	MUST(!connect_at(fd, FAR, 9));
	OK(get_int(fd, IPPROTO_IP, IP_MTU) == WIRE_MTU, "IP_MTU is the device's");
	OK(send(fd, bytes, segment_make(bytes, &s), 0) == 1480, "a full packet");
	s.len = 1461;
	FAILS(send(fd, bytes, segment_make(bytes, &s), 0), EMSGSIZE, "a byte more");
	put_icmp(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 1200, PORT, 8);
	FAILS(get(fd, &g, 0), EMSGSIZE, "the path's MTU shrinks: EMSGSIZE, once");
	OK(get_int(fd, IPPROTO_IP, IP_MTU) == 1200, "and IP_MTU tells the new one");
	s.len = 1161;
	FAILS(send(fd, bytes, segment_make(bytes, &s), 0), EMSGSIZE, "which what is sent must fit");
	s.len = 1160;
	OK(send(fd, bytes, segment_make(bytes, &s), 0) == 1180, "and may fill");
	s.len = 5000;
	FAILS(put(fd, bytes, segment_make(bytes, &s), NULL, &off), EMSGSIZE, "what is cut must fit as well");
	off.segment_size = 1160;
	OK(put(fd, bytes, segment_make(bytes, &s), NULL, &off) == 5020, "and fills it");
	wire_drain(wire);
	close(fd);
	fd = tcpk_bound(NEAR, PORT);
	MUST(!connect_at(fd, FAR, 9));
	OK(get_int(fd, IPPROTO_IP, IP_MTU) == 1200, "the host remembers for the next");
	close(fd);
	forget_routes();
}

int main(void)
{
	wire = wire_open(false);
	test_icmp();
	test_forged_mtu();
	test_mtu();
	return tap_end();
}

/* The link over the module's sockets (core/link/tcpk_module.c), call by call, at the near end of a wire. */
#include "core/link/tcpk_ways.h"
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PORT 7400

static int wire;
static struct link *l;
static struct link_in in[16];
static struct wire_packet p;
static uint8_t data[4000], headers[8][2000];

static struct link_addr addr(uint32_t ip, uint16_t port)
{
	return (struct link_addr){ htonl(ip), htons(port) };
}

static struct segment from_far(uint16_t sport, uint16_t dport, size_t len)
{
	return (struct segment){ .src = FAR, .dst = NEAR, .sport = sport, .dport = dport, .seq = 1, .ack = 1,
		.flags = TH_ACK, .data = data, .len = len };
}

/* What recv says within 200 ms. */
static int receive(void)
{
	struct pollfd poll_ = { .fd = l->ops->fd(l), .events = POLLIN };

	poll(&poll_, 1, 200);
	return l->ops->recv(l, in, 16);
}

/* Number i of consecutive segments. */
static struct link_out out(unsigned i, struct link_addr src, struct link_addr dst, size_t len, uint8_t ecn)
{
	struct segment s = { .src = ntohl(src.ip), .dst = ntohl(dst.ip), .sport = ntohs(src.port),
		.dport = ntohs(dst.port), .seq = 100 + i * (uint32_t)len, .ack = 1, .flags = TH_ACK, .data = data,
		.len = len };

	segment_make(headers[i], &s);
	return (struct link_out){ .src = src, .dst = dst, .header = headers[i], .data = headers[i] + 20, .header_len = 20,
		.data_len = (uint32_t)len, .ecn = ecn };
}

static bool resets(const struct segment *s)
{
	wire_drain(wire);
	segment_put(wire, s);
	return wire_drain(wire) > 0;
}

static int kernel_bind(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), e = bind_at(fd, NEAR, port) ? errno : 0;

	close(fd);
	return e;
}

static void reopen(uint32_t ring_bytes, bool plain)
{
	struct link_tcpk_config config = { .ring_bytes = ring_bytes, .plain = plain };

	if (l)
		l->ops->close(l);
	MUST(!tcpk_module_open(&config, &l));
}

static void test_open(void)
{
	struct link_tcpk_config odd = { .ring_bytes = 5000 };
	struct link *other;

	OK(tcpk_module_open(&odd, &other) == -EINVAL, "ring_bytes that are no power of 2");
	OK(l->window_max == TCPK_RING_BYTES, "window_max is what was asked for: %u", l->window_max);
	OK(l->joins && l->exclusive && l->segment_max == 65515 && l->train_max == 65515, "what IP carries; trains");
	OK(l->ops->fd(l) >= 0, "a descriptor");
}

static void test_claim(void)
{
	struct link_addr a = addr(NEAR, PORT), b = addr(NEAR, PORT), any = addr(NEAR, 0), c = addr(0x08080808, 1);
	struct segment s = from_far(9, PORT, 100);
	uint32_t ip = 0;

	OK(!l->ops->claim(l, &a) && a.port == htons(PORT), "claim");
	OK(l->ops->claim(l, &b) == -EADDRINUSE, "twice");
	OK(kernel_bind(PORT) == EADDRINUSE, "the kernel's TCP cannot have it");
	OK(l->ops->claim(l, &c) == -EADDRNOTAVAIL, "another host's address");
	OK(receive() == 0, "nothing has come");
	s.tos = 3;
	segment_put(wire, &s);
	OK(receive() == 1 && in[0].len == 120 && !memcmp(in[0].segment + 20, data, 100), "a segment comes");
	OK(in[0].src.ip == htonl(FAR) && in[0].src.port == htons(9) && in[0].dst.ip == htonl(NEAR) &&
		in[0].dst.port == htons(PORT) && in[0].ecn == 3 && !in[0].error, "with addresses and ECN");
	OK(!l->ops->claim(l, &any) && ntohs(any.port) >= 32768, "a second one, of any port");
	segment_put(wire, &s);
	s.dport = ntohs(any.port);
	segment_put(wire, &s);
	usleep(20000);
	OK(receive() == 2 && in[0].dst.port != in[1].dst.port, "what comes to both comes in one recv");
	OK(!l->ops->route(l, htonl(FAR), &ip) && ip == htonl(NEAR), "route");
	OK(l->ops->mtu(l, htonl(FAR)) == 1500 && l->ops->mtu(l, htonl(0x7f000001)) > 65000, "MTU");
	OK(l->ops->route(l, htonl(0xcb007101), &ip) == -ENETUNREACH, "no route");
	l->ops->release(l, &any);
}

static void test_send(void)
{
	struct link_addr a = addr(NEAR, PORT), far = addr(FAR, 9), foreign = addr(NEAR, PORT + 1);
	struct link_out o[4];
	struct link_tcpk_stats before = tcpk_module_stats(l), after;
	unsigned n = 0;

	wire_drain(wire);
	o[0] = out(0, a, far, 100, 2);
	OK(l->ops->send(l, o, 1) == 1 && wire_get(wire, &p, 500) && p.len == 140 && wire_tcp_good(&p) &&
		!memcmp(p.ip + 20, headers[0], 120), "a segment leaves as it was made");
	OK(wire_ip(&p)->tos == 2, "with ECN");
	for (unsigned i = 0; i < 4; i++)
		o[i] = out(i, a, far, i == 3 ? 500 : 1000, 0);
	o[3] = out(3, a, far, 500, 0);
	memcpy(headers[3] + 4, &(uint32_t){ htonl(3100) }, 4);
	OK(l->ops->send(l, o, 4) == 4, "four");
	while (wire_get(wire, &p, 100))
		n += wire_tcp_good(&p) && ntohl(wire_tcp(&p)->seq) == 100 + n * 1000;
	after = tcpk_module_stats(l);
	OK(n == 4 && after.packets_out - before.packets_out == 2 && after.segments_out - before.segments_out == 5,
		"leave as one packet, which the kernel cuts: %u", n);
	o[0] = out(0, a, far, 1500, 0);
	o[0].segment_len = 700;
	n = 0;
	OK(l->ops->send(l, o, 1) == 1, "a train");
	while (wire_get(wire, &p, 100)) {
		n += wire_tcp_good(&p) && ntohl(wire_tcp(&p)->seq) == 100 + n * 700 && p.len == (n == 2 ? 140 : 740);
	}
	before = after;
	after = tcpk_module_stats(l);
	OK(n == 3 && after.packets_out - before.packets_out == 1 && after.segments_out - before.segments_out == 3,
		"is cut by the kernel, too: %u", n);
	o[0] = out(0, foreign, far, 10, 0);
	OK(l->ops->send(l, o, 1) == 1 && tcpk_module_stats(l).refused_out == 1 && !wire_get(wire, &p, 50),
		"what was not claimed does not leave");
	o[0] = out(0, a, far, 1600, 0);
	OK(l->ops->send(l, o, 1) == 1 && tcpk_module_stats(l).refused_out == 2, "nor what the device cannot carry");
	OK(receive() == 1 && in[0].error == EMSGSIZE && in[0].path_mtu == 1500 && in[0].src.ip == htonl(FAR) &&
		in[0].dst.port == htons(PORT) && in[0].len >= 8 && !memcmp(in[0].segment, headers[0], 8),
		"of which the engine is told");
	OK(receive() == 0, "once");
}

static void test_narrow(void)
{
	struct link_addr a = addr(NEAR, PORT), far = addr(FAR, 9), next = addr(FAR, 10);
	struct segment nine = from_far(9, PORT, 4), ten = from_far(10, PORT, 4);

	OK(!l->ops->narrow(l, &a, &far) && !l->ops->narrow(l, &a, &far), "narrow, twice the same");
	OK(!resets(&nine) && receive() == 1, "what it was narrowed to comes");
	OK(resets(&ten) && receive() == 0, "and the kernel's TCP has the rest");
	OK(!l->ops->narrow(l, &a, &next), "narrow to another");
	OK(!resets(&ten) && receive() == 1 && in[0].src.port == htons(10), "who comes now");
	OK(resets(&nine) && receive() == 0, "and the first one does not");
	OK(kernel_bind(PORT) == EADDRINUSE, "the port is ours all the while");
}

static void test_release(void)
{
	struct link_addr a = addr(NEAR, PORT), again = a;
	struct segment ten = from_far(10, PORT, 4), nine = from_far(9, PORT, 4);

	l->ops->release(l, &a);
	OK(resets(&ten) && receive() == 0, "what is released is the kernel's");
	struct link_out o = out(0, a, addr(FAR, 10), 10, 0);
	OK(l->ops->send(l, &o, 1) == 1 && !wire_get(wire, &p, 50), "and sends nothing");
	OK(kernel_bind(PORT) == 0, "anybody may have it");
	OK(!l->ops->claim(l, &again), "and it may be claimed again");
	OK(!resets(&nine) && receive() == 1, "for everybody");
	reopen(0, false);
	OK(kernel_bind(PORT) == 0, "and is everybody's when the link is closed");
}

static void test_error(void)
{
	struct link_addr all = { 0, htons(PORT) };
	struct segment ours = { .src = NEAR, .dst = FAR, .sport = PORT, .dport = 9, .seq = 77, .flags = TH_ACK };

	MUST(!l->ops->claim(l, &all));
	OK(all.ip == 0, "all addresses are claimed as such");
	icmp_packet(&p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 1300, &ours, 20);
	wire_put(wire, &p);
	OK(receive() == 1 && in[0].error == EMSGSIZE && in[0].path_mtu == 1300, "ICMP's word comes");
	segment_make(headers[0], &ours);
	OK(in[0].src.ip == htonl(FAR) && in[0].src.port == htons(9) && in[0].dst.ip == htonl(NEAR) &&
		in[0].dst.port == htons(PORT) && in[0].len == 20 && !memcmp(in[0].segment, headers[0], 20),
		"with both addresses, and the quotation");
	OK(receive() == 0, "once");
	icmp_packet(&p, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, &ours, 20);
	wire_put(wire, &p);
	usleep(20000);
	struct link_out o = out(0, addr(NEAR, PORT), addr(FAR, 9), 1400, 0);
	wire_drain(wire);
	OK(l->ops->send(l, &o, 1) == 1 && wire_get(wire, &p, 500) && p.len == 1440,
		"no segment is lost for it; nor kept from trying a path by what it said of the MTU");
	OK(receive() == 1 && in[0].error == EHOSTUNREACH && tcpk_module_stats(l).errors_in == 2, "nor is the error");
}

static void test_room(void)
{
	struct link_addr a = addr(NEAR, PORT);
	struct segment s = from_far(9, PORT, 1448);
	unsigned window, came = 0;
	int n;

	reopen(65536, true);
	MUST(!l->ops->claim(l, &a));
	window = l->window_max;
	OK(window == 65536, "window_max follows ring_bytes");
	for (unsigned sent = 0; sent + 1448 <= window; sent += 1448)
		segment_put(wire, &s);
	usleep(50000);
	while ((n = receive()) > 0)
		came += (unsigned)n;
	OK(came == window / 1448 && tcpk_module_stats(l).dropped_in == 0, "a window of full segments has room: %u", came);
	for (unsigned i = 0; i < 500; i++)
		segment_put(wire, &s);
	usleep(50000);
	for (came = 0; (n = receive()) > 0;)
		came += (unsigned)n;
	OK(came < 500 && tcpk_module_stats(l).dropped_in == 500 - came, "what has none is counted");
	l->ops->close(l);
	l = NULL;
}

int main(void)
{
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 13);
	wire = wire_open(false);
	reopen(0, false);
	test_open();
	test_claim();
	test_send();
	test_narrow();
	test_release();
	test_error();
	test_room();
	return tap_end();
}

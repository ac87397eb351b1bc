/* The TUN link over a real device, in a network namespace of its own, with the kernel's TCP, ping and routing as
 * the peer; TCP's side is played by hand. */
#include "core/link/tun.h"
#include "core/tcpu.h"
#include "tests/run.h"
#include "tests/tun_packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define OURS 0x0a630002
#define HOST 0x0a630001
#define BATCH 64
#define MSS 1460

static struct link *l;
static struct link_in in[BATCH];

static const struct link_tun_config usual;

/* Whether this machine lets us have a device at all, found out without the code under test. */
static bool allows_device(void)
{
	struct ifreq r = { .ifr_name = "try", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int fd = -1, e = 0;

	/* A device belongs to the namespace in which it was opened. */
	if (unshare(CLONE_NEWNET) || (fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC)) < 0 || ioctl(fd, TUNSETIFF, &r))
		e = errno;
	if (fd >= 0)
		close(fd);
	if (e) {
		printf("skipped, because a TUN device in a network namespace needs root and more: %s\n", strerror(e));
		fflush(stdout);
	}
	return !e;
}

/* In a namespace of this process alone; false, said once, where that cannot be had. */
static bool open_device(struct link_tun_config c)
{
	int e;

	if (!allows_device())
		return false;
	c.ip = htonl(OURS);
	c.host_ip = htonl(HOST);
	e = link_tun_open(&c, &l);
	ck_assert_int_eq(e, 0);
	return true;
}

/* The next segment or error, in in[0]. */
static void await(void)
{
	struct pollfd p = { .fd = l->ops->fd(l), .events = POLLIN };

	while (l->ops->recv(l, in, 1) == 0)
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
}

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port) };
}

/* Sends n segments of size bytes each; the data follows from SEQ. */
static int send_segments(uint16_t sport, uint16_t dport, uint32_t seq, uint32_t ack, uint8_t flags, unsigned n,
	size_t size)
{
	struct tun_packet *p = malloc(n * sizeof *p);
	struct link_out out[BATCH];
	int sent;

	for (unsigned i = 0; i < n; i++) {
		uint8_t *ip = make_segment(&p[i], OURS, HOST, sport, dport, seq + (uint32_t)(i * size), ack, flags, size);

		out[i] = (struct link_out){ .src = { htonl(OURS), htons(sport) }, .dst = { htonl(HOST), htons(dport) },
			.header = ip + IP, .header_len = TCP, .data = ip + IP + TCP, .data_len = (uint32_t)size };
	}
	sent = l->ops->send(l, out, n);
	free(p);
	return sent;
}

/* A connection with a kernel's listener: the socket that it accepts. */
static int handshake(uint16_t *port, uint32_t *peer_seq)
{
	struct sockaddr_in a = address(HOST, 0);
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	send_segments(5000, *port, 99, 0, SYN, 1, 0);
	await();
	ck_assert_uint_eq(in->segment[13], SYN | ACK);
	ck_assert_uint_eq(get32(in->segment + 8), 100);
	*peer_seq = get32(in->segment + 4) + 1;
	send_segments(5000, *port, 100, *peer_seq, ACK, 1, 0);
	fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	close(listener);
	return fd;
}

/* The kernel's SYN comes, our answer is heard: it believes our checksums. */
START_TEST(refused)
{
	struct link_tun_config c = usual;
	struct sockaddr_in to = address(OURS, 80), from;
	socklen_t len = sizeof from;
	int fd;

	c.plain = _i;
	if (!open_device(c))
		return;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&from, &len), 0);
	await();
	ck_assert_uint_eq(in->src.ip, htonl(HOST));
	ck_assert_uint_eq(in->src.port, from.sin_port);
	ck_assert_uint_eq(in->dst.ip, htonl(OURS));
	ck_assert_uint_eq(in->dst.port, htons(80));
	ck_assert_uint_eq(in->segment[13] & (SYN | ACK | RST | FIN), SYN);
	ck_assert(!in->vouched || !c.plain);
	ck_assert_int_eq(link_tun_offloads(l), !c.plain);
	send_segments(80, ntohs(from.sin_port), 0, get32(in->segment + 4) + 1, RST | ACK, 1, 0);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 10000), 1);
	len = sizeof errno;
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &errno, &len), 0);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ck_assert_uint_eq(link_tun_stats(l).malformed, 0);
	close(fd);
	l->ops->close(l);
}
END_TEST

/* 40 segments leave as one packet and reach the application whole; what it writes comes in pieces of more than an MTU,
 * vouched for. */
START_TEST(super_packets)
{
	static uint8_t bytes[40 * MSS];
	struct link_tun_config c = usual;
	uint32_t peer_seq, got = 0, largest = 0;
	uint64_t before;
	uint16_t port;
	int fd;

	c.plain = _i;
	if (!open_device(c))
		return;
	fd = handshake(&port, &peer_seq);
	before = link_tun_stats(l).packets_out;
	ck_assert_int_eq(send_segments(5000, port, 100, peer_seq, ACK, 40, MSS), 40);
	ck_assert_uint_eq(link_tun_stats(l).packets_out - before, c.plain ? 40 : 1);
	ck_assert_int_eq(recv(fd, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
	for (uint32_t i = 0; i < sizeof bytes; i++)
		if (bytes[i] != (uint8_t)(100 + i))
			ck_abort_msg("byte %u", i);
	ck_assert_int_eq(send(fd, bytes, sizeof bytes, 0), sizeof bytes);
	while (got < sizeof bytes) {
		await();
		uint32_t header = (in->segment[12] >> 4) * 4U, off = get32(in->segment + 4) - peer_seq;

		ck_assert_uint_le(off, got); /* one that the kernel sends again, or the next */
		for (uint32_t i = 0; i < in->len - header; i++)
			if (in->segment[header + i] != (uint8_t)(100 + off + i))
				ck_abort_msg("byte %u", off + i);
		largest = in->len > largest ? in->len : largest;
		if (off + in->len - header > got)
			got = off + in->len - header;
		ck_assert_int_eq(in->vouched, !c.plain);
		send_segments(5000, port, 100 + sizeof bytes, peer_seq + got, ACK, 1, 0);
	}
	if (c.plain)
		ck_assert_uint_le(largest, l->segment_max);
	else
		ck_assert_uint_gt(largest, l->segment_max);
	close(fd);
	l->ops->close(l);
}
END_TEST

static uint16_t icmp_sum(const uint8_t *p, size_t len)
{
	return (uint16_t)~sum_of(p, len, 0);
}

/* As ping(8) asks. */
START_TEST(ping)
{
	struct sockaddr_in to = address(OURS, 0);
	uint8_t ask[64] = { 8, 0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b' }, packet[200];
	ssize_t n;
	int fd;

	if (!open_device(usual))
		return;
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	ck_assert_int_ge(fd, 0);
	put16(ask + 2, icmp_sum(ask, sizeof ask));
	ck_assert_int_eq(sendto(fd, ask, sizeof ask, 0, (struct sockaddr *)&to, sizeof to), sizeof ask);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = l->ops->fd(l), .events = POLLIN }, 1, 10000), 1);
	while (link_tun_stats(l).echoes_out == 0)
		ck_assert_int_eq(l->ops->recv(l, in, BATCH), 0);
	n = recv(fd, packet, sizeof packet, 0);
	ck_assert_int_eq(n, IP + sizeof ask);
	ck_assert_uint_eq(packet[IP], 0);
	ck_assert_mem_eq(packet + IP + 4, ask + 4, sizeof ask - 4);
	close(fd);
	l->ops->close(l);
}
END_TEST

/* Where no route leads, the kernel says so by ICMP, which quotes the segment. */
START_TEST(unreachable)
{
	struct tun_packet p;
	struct link_out o;
	FILE *forward;
	uint8_t *ip;

	if (!open_device(usual))
		return;
	forward = fopen("/proc/sys/net/ipv4/ip_forward", "w");
	if (!forward) {
		printf("skipped, because forwarding cannot be switched on here: %s\n", strerror(errno));
		fflush(stdout);
		l->ops->close(l);
		return;
	}
	fputs("1", forward);
	fclose(forward);
	ip = make_segment(&p, OURS, 0xc6336407, 5000, 80, 4711, 0, SYN, 0);
	o = (struct link_out){ .src = { htonl(OURS), htons(5000) }, .dst = { htonl(0xc6336407), htons(80) },
		.header = ip + IP, .header_len = TCP, .data = ip + IP + TCP };
	ck_assert_int_eq(l->ops->send(l, &o, 1), 1);
	await();
	ck_assert_int_eq(in->error, ENETUNREACH);
	ck_assert_uint_eq(in->src.ip, htonl(0xc6336407));
	ck_assert_uint_eq(in->src.port, htons(80));
	ck_assert_uint_eq(in->dst.port, htons(5000));
	ck_assert_uint_eq(get32(in->segment + 4), 4711);
	l->ops->close(l);
}
END_TEST

START_TEST(device)
{
	struct link_tun_config c = { .name = "mytcpu7", .mtu = 9000 };
	struct link *again;

	if (!open_device(c))
		return;
	ck_assert_str_eq(link_tun_name(l), "mytcpu7");
	ck_assert_uint_eq(l->segment_max, 8980);
	ck_assert_uint_eq(l->window_max, 4096 * 8960);
	ck_assert_int_eq(link_tun_open(&(struct link_tun_config){ .name = "mytcpu7", .ip = htonl(OURS) }, &again), -EBUSY);
	ck_assert_int_eq(link_tun_open(&(struct link_tun_config){ .name = "sixteen characters", .ip = htonl(OURS) }, &again),
		-EINVAL);
	/* Down again, it takes nothing, and what is sent is lost. */
	ck_assert_int_eq(system("ip link set mytcpu7 down"), 0);
	ck_assert_int_eq(send_segments(1, 2, 0, 0, SYN, 3, 0), 3);
	ck_assert_uint_eq(link_tun_stats(l).refused_out, 3);
	l->ops->close(l);
	ck_assert_uint_eq(if_nametoindex("mytcpu7"), 0);
	ck_assert_int_eq(link_tun_open(&(struct link_tun_config){ .ip = htonl(OURS) }, &l), 0);
	ck_assert_str_eq(link_tun_name(l), "tcpu0");
	ck_assert_uint_eq(l->segment_max, 1480);
	l->ops->close(l);
}
END_TEST

/* Somebody deletes it under a stack: connections end, and nothing polls ready for ever. */
START_TEST(deleted)
{
	struct sockaddr_in to = address(HOST, 80);
	struct tcpu_stack_config c = { 0 };
	struct tcpu_stack *k;
	int s;

	if (!open_device(usual))
		return;
	ck_assert_int_eq(system("ip link delete tcpu0"), 0);
	c.link = l;
	c.thread = _i;
	ck_assert_int_eq(stack_tcpu(&c, &k), 0);
	s = stack_socket_tcpu(k, SOCK_STREAM);
	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(connect_tcpu(s, (struct sockaddr_in *)&to, sizeof to), -1);
	ck_assert_int_eq(errno, ENETDOWN);
	ck_assert_int_eq(l->ops->recv(l, in, BATCH), -ENETDOWN);
	ck_assert_int_eq(l->ops->fd(l), -1);
	ck_assert_int_eq(close_tcpu(s), 0);
	ck_assert_int_eq(stack_close_tcpu(k), 0);
}
END_TEST

/* A persistent device keeps what its last user asked for: it must not matter. */
START_TEST(second_hand)
{
	struct link_tun_config c = { .name = "old", .ip = htonl(OURS), .host_ip = htonl(HOST), .plain = true };
	struct ifreq r = { .ifr_name = "old", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	struct sockaddr_in to = address(OURS, 80);
	int fd, header = 24;

	if (!open_device(usual))
		return;
	l->ops->close(l);
	ck_assert_int_eq(system("ip tuntap add dev old mode tun vnet_hdr"), 0);
	fd = open("/dev/net/tun", O_RDWR);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &r), 0);
	ck_assert_int_eq(ioctl(fd, TUNSETVNETHDRSZ, &header), 0);
	ck_assert_int_eq(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0);
	close(fd);
	ck_assert_int_eq(link_tun_open(&c, &l), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
	await();
	ck_assert_uint_eq(in->dst.port, htons(80));
	ck_assert(!in->vouched);
	close(fd);
	l->ops->close(l);
}
END_TEST

/* Until the kernel has noticed that nobody is behind the device any more. */
static void await_silence(const char *name)
{
	struct sockaddr_nl links = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int news = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct ifreq r = { 0 };
	char buffer[8192];

	strcpy(r.ifr_name, name);
	ck_assert_int_eq(bind(news, (struct sockaddr *)&links, sizeof links), 0);
	while (ioctl(news, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags & IFF_RUNNING)
		ck_assert_int_gt(recv(news, buffer, sizeof buffer, 0), 0);
	close(news);
}

/* A device that was up without anybody behind it carries from the moment that it is opened. */
START_TEST(at_once)
{
	struct link_tun_config c = { .name = "ready", .ip = htonl(OURS) };
	struct sockaddr_in to = address(OURS, 9);
	struct utsname kernel;
	int fd, major, minor;

	if (!open_device(usual))
		return;
	l->ops->close(l);
	ck_assert_int_eq(uname(&kernel), 0);
	ck_assert_int_eq(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
	if (major < 6 || (major == 6 && minor < 8)) {
		printf("skipped, because Linux before 6.8 takes its time to see that a device has a carrier\n");
		fflush(stdout);
		return;
	}
	ck_assert_int_eq(system("ip tuntap add dev ready mode tun vnet_hdr && ip link set ready up && "
		"ip addr add 10.99.0.1 peer 10.99.0.2 dev ready"), 0);
	for (int i = 0; i < 4; i++) {
		await_silence("ready");
		ck_assert_int_eq(link_tun_open(&c, &l), 0);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
		/* A SYN that is lost comes again after a second. */
		while (link_tun_stats(l).segments_in == 0) {
			ck_assert_int_eq(poll(&(struct pollfd){ .fd = l->ops->fd(l), .events = POLLIN }, 1, 500), 1);
			l->ops->recv(l, in, BATCH);
		}
		close(fd);
		l->ops->close(l);
	}
}
END_TEST

static void drop_net_admin(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	ck_assert_int_eq(syscall(SYS_capget, &h, caps), 0);
	caps[0].effective &= ~(1U << CAP_NET_ADMIN);
	ck_assert_int_eq(syscall(SYS_capset, &h, caps), 0);
}

/* A device that was made for a user needs no privilege; another, or another address for it, does. */
START_TEST(unprivileged)
{
	struct link_tun_config c = { .name = "mine", .ip = htonl(OURS) };
	int next;

	if (!open_device(usual))
		return;
	l->ops->close(l);
	ck_assert_int_eq(system("ip tuntap add dev mine mode tun user 0 vnet_hdr && ip link set mine up"), 0);
	drop_net_admin();
	ck_assert_int_eq(link_tun_open(&c, &l), 0);
	ck_assert(link_tun_offloads(l));
	ck_assert_uint_eq(l->window_max, 500 * 1460);
	send_segments(1, 2, 0, 0, SYN, 1, 0);
	ck_assert_uint_eq(link_tun_stats(l).packets_out, 1);
	l->ops->close(l);
	next = dup(0);
	c.host_ip = htonl(HOST);
	ck_assert_int_eq(link_tun_open(&c, &l), -EPERM);
	c.name = "another";
	ck_assert_int_eq(link_tun_open(&c, &l), -EPERM);
	ck_assert_int_eq(dup(0), next + 1); /* no descriptor was left open */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link_tun_device");
	TCase *tc = tcase_create("device");

	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_loop_test(tc, super_packets, 0, 2);
	tcase_add_test(tc, ping);
	tcase_add_test(tc, unreachable);
	tcase_add_test(tc, device);
	tcase_add_loop_test(tc, deleted, 0, 2);
	tcase_add_test(tc, second_hand);
	tcase_add_test(tc, at_once);
	tcase_add_test(tc, unprivileged);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

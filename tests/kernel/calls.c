/* The calls of a TCPK socket, what they refuse, and the ports that it and the kernel's TCP take from each other. */
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LO 0x7f000001u
#define LO2 0x7f000002u

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	MUST(fd >= 0);
	return fd;
}

/* bind(2) by the kernel's TCP with the most tolerant options: 0, or the error. */
static int tcp_bind(uint32_t ip, uint16_t port, bool listening)
{
	int fd = tcp_socket(), e = 0;

	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (bind_at(fd, ip, port) || (listening && listen(fd, 1)))
		e = errno;
	close(fd);
	return e;
}

static void test_socket(void)
{
	int fd;

	FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_TCPK), EPROTONOSUPPORT, "no stream socket of this protocol");
	fd = tcpk_socket();
	OK(get_int(fd, SOL_TCPK, TCPK_VERSION) == TCPK_ABI, "the version is that of the header");
	OK(get_int(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCPK, "SO_PROTOCOL");
	OK(get_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM, "SO_TYPE");
	FAILS(listen(fd, 1), EOPNOTSUPP, "does not listen");
	FAILS(accept(fd, NULL, NULL), EOPNOTSUPP, "accepts nothing");
	FAILS(recv(fd, &fd, 1, MSG_DONTWAIT), EAGAIN, "receives nothing without an address");
	close(fd);
}

static void test_bind(void)
{
	int fd = tcpk_bound(LO, 0), other;
	uint16_t port = port_of(fd);

	OK(port >= 32768, "port 0 gives one of the ephemeral range: %u", port);
	FAILS(bind_at(fd, LO, 0), EINVAL, "bound already");
	OK(tcp_bind(LO, port, false) == EADDRINUSE, "the kernel's TCP cannot bind it, whatever it tolerates");
	OK(tcp_bind(INADDR_ANY, port, true) == EADDRINUSE, "nor all addresses' port");
	OK(tcp_bind(LO2, port, true) == 0, "but another address's");
	FAILS(tcpk_bound(LO, port), EADDRINUSE, "no other TCPK socket can have it");
	FAILS(tcpk_bound(INADDR_ANY, port), EADDRINUSE, "nor with all addresses");
	other = tcpk_bound(LO2, port);
	OK(other >= 0, "but another address's");
	close(other);
	close(fd);
	OK(tcp_bind(LO, port, true) == 0, "after close the kernel's TCP has it at once");
	fd = tcpk_bound(INADDR_ANY, port);
	OK(fd >= 0, "and TCPK again");
	OK(tcp_bind(LO2, port, false) == EADDRINUSE, "all addresses' port is nobody else's");
	close(fd);
	FAILS(tcpk_bound(0x08080808, 5000), EADDRNOTAVAIL, "an address of another host");
	FAILS(tcpk_bound(0xe0000001, 5000), EADDRNOTAVAIL, "a multicast address");
	FAILS(tcpk_bound(0x7fffffff, 5000), EADDRNOTAVAIL, "a broadcast address");
}

static void test_families(void)
{
	struct sockaddr_in a = at(LO, 0);
	int fd = tcpk_socket();

	FAILS(bind(fd, (struct sockaddr *)&a, 4), EINVAL, "half an address");
	a.sin_family = AF_INET6;
	FAILS(bind(fd, (struct sockaddr *)&a, sizeof a), EAFNOSUPPORT, "another family");
	a.sin_family = AF_UNSPEC;
	FAILS(connect(fd, (struct sockaddr *)&a, sizeof a), EAFNOSUPPORT, "nothing to dissolve");
	close(fd);
}

/* What the kernel's TCP has, TCPK cannot. */
static void test_taken(void)
{
	int listener = tcp_socket(), client = tcp_socket(), accepted, fd;
	uint16_t port;

	MUST(!bind_at(listener, LO, 0) && !listen(listener, 1));
	port = port_of(listener);
	FAILS(tcpk_bound(LO, port), EADDRINUSE, "a port on which the kernel's TCP listens");
	FAILS(tcpk_bound(INADDR_ANY, port), EADDRINUSE, "nor all addresses'");
	MUST(!connect_at(client, LO, port));
	FAILS(tcpk_bound(LO, port_of(client)), EADDRINUSE, "a port from which it is connected");
	accepted = accept(listener, NULL, NULL);
	close(listener);
	FAILS(tcpk_bound(LO, port), EADDRINUSE, "a port of which a connection is left");
	setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(client);
	close(accepted);
	fd = tcpk_bound(LO, port);
	OK(fd >= 0, "and can when that is gone");
	close(fd);
}

/* The kernel's TCP, when it chooses itself, chooses none of ours. */
static void test_chosen(void)
{
	int listener = tcp_socket(), ours[100], both = 0;

	MUST(!bind_at(listener, LO, 0) && !listen(listener, 300));
	for (int i = 0; i < 100; i++)
		MUST((ours[i] = tcpk_bound(i & 1 ? LO : INADDR_ANY, 0)) >= 0);
	for (int i = 0; i < 200; i++) {
		int c = tcp_socket();

		MUST(!connect_at(c, LO, port_of(listener)));
		for (int j = 0; j < 100; j++)
			both += port_of(c) == port_of(ours[j]);
		close(c);
	}
	OK(both == 0, "200 connections of the kernel's TCP come from none of 100 ports of ours");
	for (int i = 0; i < 100; i++)
		close(ours[i]);
	close(listener);
}

static void test_privilege(void)
{
	int fd = tcpk_bound(LO, 80), status;

	OK(fd >= 0, "root has port 80");
	close(fd);
	if (!fork()) {
		if (setgid(65534) || setuid(65534))
			_exit(9);
		fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_TCPK);
		if (fd < 0 || !bind_at(fd, LO, 80) || errno != EACCES)
			_exit(1);
		_exit(bind_at(fd, LO, 1024) ? 2 : 0);
	}
	wait(&status);
	OK(status == 0, "nobody has port 1024, but not 80: EACCES (status %x)", status);
}

static void test_connect(void)
{
	int fd = tcpk_socket();
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	FAILS(connect_at(fd, LO, 0), EINVAL, "remote port 0");
	FAILS(connect_at(fd, 0xe0000001, 5), EINVAL, "a multicast remote");
	FAILS(connect_at(fd, 0xcb007101, 5), ENETUNREACH, "no route");
	FAILS(getpeername(fd, (struct sockaddr *)&a, &len), ENOTCONN, "not connected");
	OK(port_of(fd) == 0, "what failed has bound nothing");
	OK(!connect_at(fd, LO2, 7), "connect");
	OK(port_of(fd) >= 32768, "has bound an ephemeral port");
	OK(!getpeername(fd, (struct sockaddr *)&a, &len) && a.sin_port == htons(7) && a.sin_addr.s_addr == htonl(LO2),
		"getpeername");
	OK(!getsockname(fd, (struct sockaddr *)&a, &len) && a.sin_addr.s_addr == htonl(LO), "the route's address");
	OK(tcp_bind(LO, port_of(fd), false) == EADDRINUSE, "and has it alone");
	FAILS(connect_at(fd, LO2, 7), EISCONN, "connected already");
	FAILS(bind_at(fd, LO, 0), EINVAL, "bound by connect");
	close(fd);
	fd = tcpk_bound(INADDR_ANY, 6000);
	OK(!connect_at(fd, LO2, 7) && !getsockname(fd, (struct sockaddr *)&a, &len) &&
		a.sin_addr.s_addr == htonl(LO) && a.sin_port == htons(6000), "of all addresses, connect chooses one");
	close(fd);
}

static void test_join(void)
{
	int listener = tcpk_bound(LO, 6001), a = tcpk_socket(), b = tcpk_socket(), udp = socket(AF_INET, SOCK_DGRAM, 0);

	FAILS(set_int(a, SOL_TCPK, TCPK_JOIN, 999), EBADF, "join: no descriptor");
	FAILS(set_int(a, SOL_TCPK, TCPK_JOIN, 1), EINVAL, "join: no socket");
	FAILS(set_int(a, SOL_TCPK, TCPK_JOIN, udp), EINVAL, "join: not of TCPK");
	FAILS(set_int(a, SOL_TCPK, TCPK_JOIN, b), EINVAL, "join: not bound");
	FAILS(set_int(a, SOL_TCPK, TCPK_JOIN, a), EINVAL, "join: itself");
	OK(!set_int(a, SOL_TCPK, TCPK_JOIN, listener), "join");
	FAILS(set_int(a, SOL_TCPK, TCPK_JOIN, listener), EINVAL, "join: bound already");
	OK(port_of(a) == 6001, "has the port it was joined to");
	OK(!connect_at(a, LO2, 9), "and is connected from there");
	OK(!set_int(b, SOL_TCPK, TCPK_JOIN, a), "join to a connected socket");
	FAILS(connect_at(b, LO2, 9), EADDRINUSE, "that pair is another's");
	OK(!connect_at(b, LO2, 10), "the next one is not");
	close(listener);
	OK(tcp_bind(LO, 6001, true) == EADDRINUSE, "the port is held while connections are left");
	FAILS(tcpk_bound(LO, 6001), EADDRINUSE, "for TCPK as well");
	close(a);
	close(b);
	OK(tcp_bind(LO, 6001, true) == 0, "and free afterwards");
	close(udp);
}

static void test_options(void)
{
	int fd = tcpk_bound(LO, 0);
	short brief = 1;

	OK(get_int(fd, SOL_TCPK, TCPK_RECV_INFO) == 0 && get_int(fd, SOL_TCPK, TCPK_SUPER) == 0, "off at first");
	OK(!set_int(fd, SOL_TCPK, TCPK_SUPER, 1) && get_int(fd, SOL_TCPK, TCPK_SUPER) == 1, "TCPK_SUPER");
	OK(!set_int(fd, SOL_TCPK, TCPK_RECV_INFO, 1) && get_int(fd, SOL_TCPK, TCPK_RECV_INFO) == 1, "TCPK_RECV_INFO");
	FAILS(set_int(fd, SOL_TCPK, TCPK_SUPER, 2), EINVAL, "neither yes nor no");
	FAILS(set_int(fd, SOL_TCPK, TCPK_RECV_INFO, -1), EINVAL, "neither yes nor no");
	FAILS(setsockopt(fd, SOL_TCPK, TCPK_SUPER, &brief, sizeof brief), EINVAL, "half an int");
	FAILS(setsockopt(fd, SOL_TCPK, TCPK_SUPER, (void *)8, sizeof(int)), EFAULT, "no memory");
	FAILS(set_int(fd, SOL_TCPK, 77, 1), ENOPROTOOPT, "no such option");
	FAILS(set_int(fd, SOL_TCPK, TCPK_VERSION, 1), ENOPROTOOPT, "not to be set");
	FAILS(get_int(fd, SOL_TCPK, TCPK_JOIN), ENOPROTOOPT, "not to be got");
	OK(!set_int(fd, IPPROTO_IP, IP_TOS, 0x10) && get_int(fd, IPPROTO_IP, IP_TOS) == 0x10, "IP_TOS");
	OK(!set_int(fd, IPPROTO_IP, IP_TTL, 9) && get_int(fd, IPPROTO_IP, IP_TTL) == 9, "IP_TTL");
	OK(!set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, 2) && get_int(fd, IPPROTO_IP, IP_MTU_DISCOVER) == 2,
		"IP_MTU_DISCOVER");
	FAILS(get_int(fd, IPPROTO_IP, IP_MTU), ENOTCONN, "IP_MTU: not connected");
	FAILS(set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1), ENOPROTOOPT, "no foreign addresses for root either");
	FAILS(set_int(fd, IPPROTO_IP, IP_HDRINCL, 1), ENOPROTOOPT, "no IP header of one's own");
	FAILS(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1), ENOPROTOOPT, "it is no TCP");
	MUST(!connect_at(fd, LO, 9));
	OK(get_int(fd, IPPROTO_IP, IP_MTU) == 65535, "IP_MTU of loopback");
	close(fd);
}

/* What sendmsg refuses; tests/kernel/packets.c shows that nothing of it leaves. */
static void test_send(void)
{
	int fd = tcpk_socket();
	struct sockaddr_in to = at(LO, 9);
	struct segment s = { .src = LO, .dst = LO, .dport = 9, .flags = TH_ACK };
	struct tcpk_offload off = { .segment_size = 100 };
	static uint8_t bytes[70000];
	size_t len;

	FAILS(put(fd, bytes, 20, &to, NULL), EINVAL, "send without an address");
	MUST(!bind_at(fd, LO, 0));
	s.sport = port_of(fd);
	len = segment_make(bytes, &s);
	FAILS(put(fd, bytes, len, NULL, NULL), EDESTADDRREQ, "send nowhere");
	FAILS(put(fd, bytes, 19, &to, NULL), EINVAL, "send less than a header");
	FAILS(put(fd, bytes, 65516, &to, NULL), EMSGSIZE, "send more than IP can");
	OK(put(fd, bytes, len, &to, NULL) == (ssize_t)len, "send");
	bytes[12] = 4 << 4;
	FAILS(put(fd, bytes, len, &to, NULL), EINVAL, "a header that is none");
	bytes[12] = 6 << 4;
	FAILS(put(fd, bytes, len, &to, NULL), EINVAL, "a header longer than all");
	bytes[12] = 5 << 4;
	FAILS(put(fd, bytes, 1000, &to, &off), EINVAL, "cut, but no checksum finished");
	off.flags = TCPK_FINISH | 0x80;
	FAILS(put(fd, bytes, 1000, &to, &off), EINVAL, "an unknown flag");
	off = (struct tcpk_offload){ .flags = TCPK_FINISH, .segment_size = 1 };
	FAILS(put(fd, bytes, 1000, &to, &off), EINVAL, "cut into more than is allowed");
	off.segment_size = 8;
	OK(put(fd, bytes, 1000, &to, &off) == 1000, "cut into what is");
	FAILS(send(fd, bytes, len, MSG_OOB), EOPNOTSUPP, "nothing is out of band");
	bytes[1] ^= 1;
	FAILS(put(fd, bytes, len, &to, NULL), EPERM, "a foreign source port");
	bytes[1] ^= 1;
	bytes[3] ^= 1;
	FAILS(put(fd, bytes, len, &to, NULL), EPERM, "another port than the destination's");
	bytes[3] ^= 1;
	off = (struct tcpk_offload){ .local = htonl(LO2) };
	FAILS(put(fd, bytes, len, &to, &off), EPERM, "another address of this host");
	OK(stats_of(fd).out_refused == 3 && stats_of(fd).out_segs == 2, "all of that is counted");
	MUST(!connect_at(fd, LO, 9));
	OK(send(fd, bytes, len, 0) == (ssize_t)len, "send to whom it is connected");
	OK(put(fd, bytes, len, &to, NULL) == (ssize_t)len, "who may be named");
	to = at(LO, 10);
	FAILS(put(fd, bytes, len, &to, NULL), EISCONN, "but nobody else");
	close(fd);
}

static void test_waiting(void)
{
	int fd = tcpk_bound(LO, 0);
	struct timeval brief = { .tv_usec = 50000 };
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	char byte;

	OK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT, "polls writable, not readable");
	MUST(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief));
	FAILS(recv(fd, &byte, 1, 0), EAGAIN, "SO_RCVTIMEO");
	close(fd);
}

static bool proc_has(const char *text)
{
	FILE *f = fopen("/proc/net/tcpk", "r");
	char line[256];
	bool has = false;

	MUST(f);
	while (fgets(line, sizeof line, f))
		has |= strstr(line, text) != NULL;
	fclose(f);
	return has;
}

static void test_proc(void)
{
	int fd = tcpk_bound(LO, 6002);

	OK(proc_has("local_address rem_address"), "/proc/net/tcpk has a head");
	OK(proc_has(": 0100007F:1772 00000000:0000 07 "), "and a line for a bound socket");
	MUST(!connect_at(fd, LO2, 9));
	OK(proc_has(": 0100007F:1772 0200007F:0009 01 "), "which shows that it is connected");
	close(fd);
	OK(!proc_has(":1772 "), "and goes with it");
}

/* Whatever bytes: no harm. */
static void test_garbage(void)
{
	static uint8_t bytes[4096];
	int fd = tcpk_bound(LO, 0), sent = 0;
	struct sockaddr_in to = at(LO, 9);

	srandom(6);
	for (int i = 0; i < 3000; i++) {
		struct iovec piece = { bytes, (size_t)random() % sizeof bytes };
		struct msghdr m = { .msg_name = &to, .msg_namelen = random() % 4 ? sizeof to : (unsigned)random() % 20,
			.msg_iov = &piece, .msg_iovlen = 1, .msg_control = bytes,
			.msg_controllen = (size_t)random() % 64 };

		for (size_t j = 0; j < 64; j++)
			bytes[j] = (uint8_t)random();
		if (random() % 2)
			memcpy(bytes, &(struct cmsghdr){ 16 + (size_t)random() % 16, SOL_TCPK, TCPK_OFFLOAD }, 16);
		sent += sendmsg(fd, &m, MSG_DONTWAIT) > 0;
		setsockopt(fd, random() % 2 ? SOL_TCPK : IPPROTO_IP, (int)(random() % 64), bytes, (socklen_t)random() % 8);
	}
	OK(sent < 3000, "garbage harms nobody");
	close(fd);
}

int main(void)
{
	test_socket();
	test_bind();
	test_families();
	test_taken();
	test_chosen();
	test_privilege();
	test_connect();
	test_join();
	test_options();
	test_send();
	test_waiting();
	test_proc();
	test_garbage();
	return tap_end();
}

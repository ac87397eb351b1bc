/* A bound socket that does not listen keeps a port from everybody else, and gives it back at once. */
#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 40000
#define HOME 0x7f000001

static int one = 1;

/* A TCP socket bound there, or a negative errno. */
static int bound(uint32_t ip, uint16_t port, int reuse_address, int reuse_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), e;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse_address, sizeof reuse_address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse_port, sizeof reuse_port);
	if (!bind(fd, (struct sockaddr *)&a, sizeof a))
		return fd;
	e = -errno;
	close(fd);
	return e;
}

/* The same of IPv6's any, which is IPv4's too unless it is told not to be. */
static int bound_both(uint16_t port, int only_6)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), e;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_6, sizeof only_6);
	if (!bind(fd, (struct sockaddr *)&a, sizeof a) && (only_6 || !listen(fd, 1)))
		return fd;
	e = -errno;
	close(fd);
	return e;
}

static void others(const char *what, uint32_t ip)
{
	int v6 = bound_both(PORT, 1), e;

	check(bound(ip, PORT, 0, 0) == -EADDRINUSE, "%s: the same address", what);
	check(bound(ip, PORT, 1, 0) == -EADDRINUSE, "%s: the same address, with SO_REUSEADDR", what);
	check(bound(ip, PORT, 0, 1) == -EADDRINUSE, "%s: the same address, with SO_REUSEPORT", what);
	check(bound(0, PORT, 1, 1) == -EADDRINUSE, "%s: any address, with both", what);
	if (v6 == -EAFNOSUPPORT)
		return;
	e = bound_both(PORT, 0);
	check(e == -EADDRINUSE, "%s: :: for IPv4, too: %d", what, e);
	check(v6 >= 0, "%s: :: for IPv6 alone is free: %d", what, v6);
	close(v6);
}

/* Of a range of four ports, one is reserved: three connections and three binds find a port, a fourth none. */
static void ephemeral(void)
{
	int listener = listen_at(HOME, 50000), fds[8], n = 0, last = -EADDRINUSE;

	run("echo %d %d >/proc/sys/net/ipv4/ip_local_port_range", PORT - 1, PORT + 2);
	while (n < 8 && (fds[n] = connect_to(HOME, 50000)) >= 0)
		n++;
	check(n == 3 && errno == EADDRNOTAVAIL, "%d connections: %d", n, errno);
	while (n > 0)
		close(fds[--n]);
	run("echo %d %d >/proc/sys/net/ipv4/ip_local_port_range", PORT, PORT);
	last = bound(HOME, 0, 0, 0);
	check(last == -EADDRINUSE, "nor does bind to port 0 take it: %d", last);
	close(listener);
}

/* What a reservation must not do. */
static void shared(void)
{
	int ours = bound(NEAR, PORT, 1, 0), theirs = bound(NEAR, PORT, 1, 0);

	check(ours >= 0 && theirs >= 0, "with SO_REUSEADDR on both sides it would keep nobody away: %d", theirs);
	check(!listen(theirs, 1), "not even from listening");
	close(ours);
	close(theirs);
}

int main(void)
{
	int fd;

	need_platform();
	space();
	run("ip addr add 10.99.1.1/32 dev lo");
	fd = bound(NEAR, PORT, 0, 0);
	check(fd >= 0, "a port of one address: %d", fd);
	others("an address", NEAR);
	close(fd);
	fd = bound(NEAR, PORT, 0, 0);
	check(fd >= 0, "is free at once: %d", fd);
	close(fd);
	shared();
	fd = bound(0, PORT, 0, 0);
	check(fd >= 0, "a port of all addresses: %d", fd);
	others("all", HOME);
	others("all, another", NEAR);
	ephemeral();
	close(fd);
	fd = listen_at(HOME, PORT);
	check(fd >= 0, "and the kernel's TCP may have it again");
	close(fd);
	return conclude();
}

/* Which TCPU: UDP datagrams below, the host's own addresses by TCPK, or a TUN device with an address of its own. */
#include "adu-examples/rpc/rpc.h"

#include "core/link/tun.h"
#include "core/tcpu.h"

#include <errno.h>
#include <string.h>

static int tun_socket(const struct options *o)
{
	const struct link_tun_config tun = { .ip = o->ip.s_addr, .host_ip = o->host_ip.s_addr };
	struct tcpu_stack_config c = { .link = NULL };
	struct tcpu_stack *stack;
	int e = link_tun_open(&tun, &c.link);

	if (e) {
		errno = -e;
		return -1;
	}
	return stack_tcpu(&c, &stack) ? -1 : stack_socket_tcpu(stack, SOCK_STREAM);
}

int road_socket(const struct options *o)
{
	int fd = o->ip.s_addr ? tun_socket(o) : socket_tcpu(AF_INET, SOCK_STREAM, o->tcpk ? IPPROTO_TCPK : 0);

	if (fd < 0 && errno == EPROTONOSUPPORT)
		complain(FAILED, "this host has no TCPK (kernel/uapi/tcpk.h): leave out --tcpk, and UDP carries the segments");
	else if (fd < 0)
		complain(FAILED, "%s: %s", o->ip.s_addr ? "a TUN device" : "a socket", strerror(errno));
	return fd;
}

void road_patience(int fd, uint32_t seconds)
{
	const struct timeval t = { .tv_sec = seconds };

	setsockopt_tcpu(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	setsockopt_tcpu(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

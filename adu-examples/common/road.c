/* Sockets of whichever TCPU, and connections by them. */
#include "adu-examples/common/road.h"

#include "core/link/tun.h"
#include "core/tcpu.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { TIMEOUT = 512, TCPK, IP, HOST, PROFILE };

static const struct argp_option options[] = {
	{ "timeout", TIMEOUT, "SECONDS", 0, "give up when the peer is silent for so long (30)", 0 },
	{ "tcpk", TCPK, NULL, 0, "real TCP packets by TCPK, instead of UDP datagrams below", 0 },
	{ "ip", IP, "IP", 0, "a TUN device, with this address, instead of UDP datagrams below (root)", 0 },
	{ "host", HOST, "IP", 0, "with --ip: the address of the device's other end, the kernel's; without it, that is "
	  "somebody else's to set", 0 },
	{ "profile", PROFILE, "FILE", 0, "what the connection is to be, in Lua: alf/profile.h has its fields, alf/profiles/ "
	  "some, and `tcpu profile FILE' what they come to", 0 },
	{ 0 },
};

struct road road_default(const char *port)
{
	return (struct road){ .timeout_s = 30, .address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
}

static void ip(struct argp_state *state, const char *text, struct in_addr *out)
{
	if (!inet_aton(text, out))
		argp_error(state, "%s: expected an address", text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct road *r = state->input;

	switch (key) {
	case TIMEOUT: r->timeout_s = command_number(state, arg, 1, 86400); return 0;
	case TCPK: r->tcpk = true; return 0;
	case IP: ip(state, arg, &r->ip); return 0;
	case HOST: ip(state, arg, &r->host_ip); return 0;
	case PROFILE: r->profile = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

const struct argp road_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

static int tun_socket(const struct road *r)
{
	const struct link_tun_config tun = { .ip = r->ip.s_addr, .host_ip = r->host_ip.s_addr };
	struct tcpu_stack_config c = { .link = NULL };
	struct tcpu_stack *stack;
	int e = link_tun_open(&tun, &c.link);

	if (e) {
		errno = -e;
		return -1;
	}
	return stack_tcpu(&c, &stack) ? -1 : stack_socket_tcpu(stack, SOCK_STREAM);
}

static enum status open_socket(const struct road *r, int *fd)
{
	*fd = r->ip.s_addr ? tun_socket(r) : socket_tcpu(AF_INET, SOCK_STREAM, r->tcpk ? IPPROTO_TCPK : 0);
	if (*fd >= 0)
		return OK;
	if (errno == EPROTONOSUPPORT)
		return complain(FAILED, "this host has no TCPK (kernel/uapi/tcpk.h): leave out --tcpk, and UDP carries the "
			"segments");
	return complain(FAILED, "%s: %s", r->ip.s_addr ? "a TUN device" : "a socket", strerror(errno));
}

/* The name is good until the next. */
static const char *shown(const struct sockaddr_in *at)
{
	static char name[INET_ADDRSTRLEN];

	return inet_ntop(AF_INET, &at->sin_addr, name, sizeof name);
}

enum status road_listen(const struct road *r, int backlog, int *fd)
{
	struct sockaddr_in at = r->address;
	socklen_t len = sizeof at;
	enum status s = open_socket(r, fd);

	if (s != OK)
		return s;
	if (!bind_tcpu(*fd, &at, sizeof at) && !listen_tcpu(*fd, backlog) && !getsockname_tcpu(*fd, &at, &len))
		return complain(OK, "listening on %s:%u", shown(&at), ntohs(at.sin_port));
	s = complain(FAILED, "%s:%u: %s", shown(&r->address), ntohs(r->address.sin_port), strerror(errno));
	close_tcpu(*fd);
	*fd = -1;
	return s;
}

enum status road_connect(const struct road *r, const char *server, int *fd)
{
	enum status s = open_socket(r, fd);
	int e;

	if (s != OK)
		return s;
	road_patience(r, *fd);
	if (!connect_tcpu(*fd, &r->address, sizeof r->address))
		return OK;
	e = errno == EINPROGRESS ? ETIMEDOUT : errno;
	fcntl_tcpu(*fd, F_SETFL, O_NONBLOCK); /* nobody there to wait for */
	close_tcpu(*fd);
	*fd = -1;
	if (interrupted)
		return INTERRUPTED;
	return complain(ABSENT, "%s:%u: %s: is %s running there?", shown(&r->address), ntohs(r->address.sin_port),
		strerror(e), server);
}

void road_patience(const struct road *r, int fd)
{
	const struct timeval t = { .tv_sec = r->timeout_s };

	setsockopt_tcpu(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	setsockopt_tcpu(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

/* Claims of tcpk_module.c: which sockets there are. */
#include "core/link/tcpk_claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SNDBUF (4 << 20)

static bool set_option(int fd, int level, int name, int value)
{
	return !setsockopt(fd, level, name, &value, sizeof value);
}

static struct claim **chain(struct module *m, uint16_t port)
{
	return &m->chains[ntohs(port) % TCPK_CHAINS];
}

/* Where the pointer to the claim of that very address stands; NULL: there is none. */
static struct claim **find(struct module *m, const struct link_addr *local)
{
	for (struct claim **at = chain(m, local->port); *at; at = &(*at)->next) {
		if ((*at)->local.port == local->port && (*at)->local.ip == local->ip)
			return at;
	}
	return NULL;
}

/* The one that a segment leaves from: of its address, or of all. */
struct claim *claims_source(struct module *m, const struct link_addr *src)
{
	struct claim *any = NULL;

	for (struct claim *c = *chain(m, src->port); c; c = c->next) {
		if (c->local.port == src->port && c->local.ip == src->ip)
			return c;
		if (c->local.port == src->port && !c->local.ip)
			any = c;
	}
	return any;
}

static void choose_only(struct module *m)
{
	m->only = NULL;
	for (unsigned i = 0; m->count == 1 && i < TCPK_CHAINS && !m->only; i++)
		m->only = m->chains[i];
}

static uint64_t dropped(int fd)
{
	struct tcpk_stats s = { 0 };
	socklen_t len = sizeof s;

	(void)getsockopt(fd, SOL_TCPK, TCPK_STATS, &s, &len);
	return s.in_dropped;
}

static void shut(struct module *m, int fd)
{
	m->stats.dropped_in += dropped(fd);
	/* Closing is not enough where another process has it, too. */
	(void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

static void forget(struct module *m, struct claim **at)
{
	struct claim *c = *at;

	*at = c->next;
	m->count--;
	shut(m, c->fd);
	free(c);
	choose_only(m);
}

static void set_buffers(const struct module *m, int fd)
{
	int wanted = (int)m->config.ring_bytes;

	/* By privilege, or as far as the system's limits allow. */
	if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, wanted))
		(void)set_option(fd, SOL_SOCKET, SO_RCVBUF, wanted);
	if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, SNDBUF))
		(void)set_option(fd, SOL_SOCKET, SO_SNDBUF, SNDBUF);
}

/* A socket, set up and watched, without an address. */
int claims_socket(struct module *m, struct claim *c)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCPK);
	struct epoll_event e = { .events = EPOLLIN | EPOLLERR, .data.ptr = c };

	if (fd < 0)
		return errno == ESOCKTNOSUPPORT ? -EPROTONOSUPPORT : -errno;
	set_buffers(m, fd);
	(void)set_option(fd, SOL_TCPK, TCPK_SUPER, !m->config.plain);
	/* A path's MTU is the engine's to find out: what ICMP has told the host must not keep it from trying. */
	if (!set_option(fd, SOL_TCPK, TCPK_RECV_INFO, 1) || !set_option(fd, IPPROTO_IP, IP_RECVERR, 1) ||
		!set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) ||
		epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &e)) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

int claims_take(struct link *link, struct link_addr *local)
{
	struct module *m = module_of(link);
	struct claim *c;
	struct sockaddr_in a = sockaddr_of(local);
	socklen_t len = sizeof a;
	int e;

	if (local->port && find(m, local))
		return -EADDRINUSE;
	c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->fd = claims_socket(m, c);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&a, sizeof a) ||
		getsockname(c->fd, (struct sockaddr *)&a, &len)) {
		e = c->fd < 0 ? c->fd : -errno;
		if (c->fd >= 0)
			close(c->fd);
		free(c);
		return e;
	}
	*local = c->local = (struct link_addr){ a.sin_addr.s_addr, a.sin_port };
	c->next = *chain(m, local->port);
	*chain(m, local->port) = c;
	m->count++;
	choose_only(m);
	return 0;
}

void claims_release(struct link *link, const struct link_addr *local)
{
	struct module *m = module_of(link);
	struct claim **at = find(m, local);

	if (at)
		forget(m, at);
}

int claims_narrow(struct link *link, const struct link_addr *local, const struct link_addr *remote)
{
	struct module *m = module_of(link);
	struct claim **at = find(m, local);
	struct sockaddr_in a = sockaddr_of(remote);
	int fd, e;

	if (!at)
		return -EADDRNOTAVAIL;
	if ((*at)->remote.port == remote->port && (*at)->remote.ip == remote->ip)
		return 0;
	if (!(*at)->remote.port) {
		if (connect((*at)->fd, (struct sockaddr *)&a, sizeof a))
			return -errno;
		(*at)->remote = *remote;
		return 0;
	}
	/* A connection cannot be changed: another socket on the same port takes its place. */
	fd = claims_socket(m, *at);
	if (fd < 0)
		return fd;
	if (!set_option(fd, SOL_TCPK, TCPK_JOIN, (*at)->fd) || connect(fd, (struct sockaddr *)&a, sizeof a)) {
		e = -errno;
		close(fd);
		return e;
	}
	shut(m, (*at)->fd);
	(*at)->fd = fd;
	(*at)->remote = *remote;
	return 0;
}

void claims_end(struct module *m)
{
	for (unsigned i = 0; i < TCPK_CHAINS; i++) {
		while (m->chains[i])
			forget(m, &m->chains[i]);
	}
}

uint64_t claims_dropped(const struct module *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < TCPK_CHAINS; i++) {
		for (struct claim *c = m->chains[i]; c; c = c->next)
			n += dropped(c->fd);
	}
	return n;
}

/* Claims of tcpk_module.c: which sockets there are, and how long.
 *
 * A claim that is released lingers: what is left of its connections, up to TIME-WAIT, still receives and sends, and the
 * kernel's TCP, which knows nothing of them, would reset them. It goes when somebody here claims the port again, when
 * it has been silent for LINGER_US, or when there are too many. */
#include "core/link/tcpk_claims.h"

#include "core/link/host.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SNDBUF (4 << 20)
#define LINGERING_MAX 1024
#define LINGER_US (120 * UINT64_C(1000000)) /* 2 MSL, and as long as a retransmission may take (RFC 6298 2.5) */
#define LOOK_US 1000000 /* how often we look for those that have lingered */

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
	m->lingering -= c->lingers;
	m->count--;
	shut(m, c->fd);
	free(c);
	choose_only(m);
}

/* Those that have been silent long enough; with `one`, at least the one that has been so for longest. */
static void look_for_silent(struct module *m, bool one)
{
	uint64_t now = link_host_now_us();
	struct claim **oldest = NULL;

	m->looked_us = now;
	for (unsigned i = 0; m->lingering && i < TCPK_CHAINS; i++) {
		for (struct claim **at = &m->chains[i]; *at;) {
			if ((*at)->lingers && now - (*at)->heard_us >= LINGER_US) {
				forget(m, at);
				oldest = NULL;
				one = false;
				continue;
			}
			if ((*at)->lingers && (!oldest || (*at)->heard_us < (*oldest)->heard_us))
				oldest = at;
			at = &(*at)->next;
		}
	}
	if (one && oldest)
		forget(m, oldest);
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

/* Of the device that has the address; of all but loopback, the largest: what a listener may get. */
static uint32_t device_mtu(int fd, uint32_t ip)
{
	uint32_t largest = 0;
	struct ifaddrs *all;

	if (getifaddrs(&all))
		return 1500;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct sockaddr_in a;
		struct ifreq r = { 0 };

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP))
			continue;
		memcpy(&a, i->ifa_addr, sizeof a);
		memcpy(r.ifr_name, i->ifa_name, strnlen(i->ifa_name, IFNAMSIZ - 1));
		if ((ip ? a.sin_addr.s_addr == ip : !(i->ifa_flags & IFF_LOOPBACK)) && !ioctl(fd, SIOCGIFMTU, &r) &&
			(uint32_t)r.ifr_mtu > largest)
			largest = (uint32_t)r.ifr_mtu;
	}
	freeifaddrs(all);
	return largest ? largest : 1500;
}

int claims_take(struct link *link, struct link_addr *local)
{
	struct module *m = module_of(link);
	struct claim **before = local->port ? find(m, local) : NULL, *c;
	struct sockaddr_in a = sockaddr_of(local);
	socklen_t len = sizeof a;
	int e;

	if (before && !(*before)->lingers)
		return -EADDRINUSE;
	if (before)
		forget(m, before);
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
	module_set_mtu(m, device_mtu(c->fd, local->ip));
	return 0;
}

void claims_release(struct link *link, const struct link_addr *local)
{
	struct module *m = module_of(link);
	struct claim **at = find(m, local);

	if (!at || (*at)->lingers)
		return;
	(*at)->lingers = true;
	(*at)->heard_us = link_host_now_us();
	m->lingering++;
	if (m->lingering > LINGERING_MAX)
		look_for_silent(m, true);
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

void claims_hear(struct claim *c)
{
	if (c->lingers)
		c->heard_us = link_host_now_us();
}

void claims_look(struct module *m)
{
	if (m->lingering && link_host_now_us() - m->looked_us >= LOOK_US)
		look_for_silent(m, false);
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

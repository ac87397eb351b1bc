/* The link of udp.h. udp(7), and the kernel's net/ipv4/udp.c for what it refuses. */
#include "core/link/udp.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

#define SLOT_BYTES 65536 /* no datagram is larger, coalesced ones included */
#define SLOTS 8          /* of a receive call: enough to amortize it, few enough to stay in cache */
#define BATCH 16         /* messages of a send call */
#define PIECES 256       /* of memory in a send call */
#define RUN_MAX 64       /* segments of a super-datagram: UDP_MAX_SEGMENTS of the older kernels */
#define HEADERS 28       /* IPv4 and UDP */
#define QUOTES 8         /* ICMP messages of a receive call */
#define QUOTE_BYTES 8    /* of the TCP header that one quotes: ports and sequence number */
#define ECN_MASK 3
#define BUFFER_BYTES (4 << 20)

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)) +
		   CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in))];
};

struct outbox {
	struct mmsghdr messages[BATCH];
	struct sockaddr_in names[BATCH];
	union control controls[BATCH];
	unsigned segments[BATCH]; /* of each message */
	struct iovec pieces[PIECES];
	unsigned count, piece_count;
};

struct inbox {
	struct mmsghdr messages[SLOTS];
	struct sockaddr_in names[SLOTS];
	union control controls[SLOTS];
	struct iovec slots[SLOTS];
	unsigned count, at; /* messages received; the one that is being cut */
	uint32_t offset;    /* where in it */
};

struct udp {
	struct link link;
	struct link_udp_config config;
	struct link_udp_stats stats;
	struct link_addr local;
	uint32_t route_mtu; /* of link_udp_route */
	int fd;
	bool released;
	bool gso;
	bool error_waits; /* the kernel has told of one; the error queue is to be read */
	struct outbox out;
	struct inbox in;
	uint8_t quotes[QUOTES][QUOTE_BYTES];
	uint8_t *arena;
};

static struct udp *of(const struct link *link)
{
	return (struct udp *)link;
}

static void *add_control(struct msghdr *m, int level, int type, size_t bytes)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)m->msg_control + m->msg_controllen);

	m->msg_controllen += CMSG_SPACE(bytes);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(bytes);
	return CMSG_DATA(c);
}

static bool get_control(struct msghdr *m, int level, int type, void *to, size_t bytes)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == level && c->cmsg_type == type && c->cmsg_len >= CMSG_LEN(bytes)) {
			memcpy(to, CMSG_DATA(c), bytes);
			return true;
		}
	return false;
}

/* ---- sending ---- */

static uint32_t size_of(const struct link_out *o)
{
	return o->header_len + o->data_len;
}

/* How many of the n segments one datagram can carry: of one pair of addresses and one size, the last perhaps
 * shorter. */
static unsigned run_of(const struct udp *u, const struct link_out *o, unsigned n)
{
	uint32_t size = size_of(o), total = size;
	unsigned count = 1;

	if (!u->gso)
		return 1;
	while (count < n && count < RUN_MAX) {
		const struct link_out *next = &o[count];
		uint32_t more = size_of(next);

		if (more > size || total + more > LINK_UDP_PAYLOAD_MAX || next->dst.ip != o->dst.ip ||
		    next->dst.port != o->dst.port || next->src.ip != o->src.ip || next->ecn != o->ecn)
			break;
		total += more;
		count++;
		if (more < size)
			break;
	}
	return count;
}

static void add_piece(struct outbox *b, struct msghdr *m, const uint8_t *p, uint32_t len)
{
	struct iovec *last = m->msg_iovlen ? &m->msg_iov[m->msg_iovlen - 1] : NULL;

	if (!len)
		return;
	if (last && (uint8_t *)last->iov_base + last->iov_len == p) {
		last->iov_len += len;
		return;
	}
	b->pieces[b->piece_count++] = (struct iovec){ (void *)p, len };
	m->msg_iovlen++;
}

static void add_message(struct udp *u, const struct link_out *o, unsigned run)
{
	struct outbox *b = &u->out;
	struct sockaddr_in *name = &b->names[b->count];
	struct msghdr *m = &b->messages[b->count].msg_hdr;

	*name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = o->dst.port, .sin_addr.s_addr = o->dst.ip };
	*m = (struct msghdr){ .msg_name = name, .msg_namelen = sizeof *name, .msg_iov = &b->pieces[b->piece_count],
			      .msg_control = &b->controls[b->count] };
	for (unsigned i = 0; i < run; i++) {
		add_piece(b, m, o[i].header, o[i].header_len);
		add_piece(b, m, o[i].data, o[i].data_len);
	}
	if (run > 1) {
		uint16_t size = (uint16_t)size_of(o);

		memcpy(add_control(m, SOL_UDP, UDP_SEGMENT, sizeof size), &size, sizeof size);
	}
	if (!u->local.ip) {
		struct in_pktinfo from = { .ipi_spec_dst.s_addr = o->src.ip };

		memcpy(add_control(m, IPPROTO_IP, IP_PKTINFO, sizeof from), &from, sizeof from);
	}
	if (o->ecn) {
		int tos = o->ecn;

		memcpy(add_control(m, IPPROTO_IP, IP_TOS, sizeof tos), &tos, sizeof tos);
	}
	if (!m->msg_controllen)
		m->msg_control = NULL;
	b->segments[b->count++] = run;
}

/* The first message of the batch has failed with error. Returns how many segments to count as dropped; 0 to try
 * again (*alone segments of them one by one); or -EAGAIN. */
static int failed(struct udp *u, int error, bool *retried, unsigned *alone)
{
	unsigned run = u->out.segments[0];

	switch (error) {
	case EAGAIN:
		return -EAGAIN;
	case EINTR:
		return 0;
	case EIO: /* a device that cannot sum, or IPsec: it never will */
		if (run > 1) {
			u->gso = false;
			u->stats.gso_refused = true;
			return 0;
		}
		break;
	case EINVAL:
	case EMSGSIZE: /* the path's MTU has shrunk: IP fragments what goes alone */
		if (run > 1) {
			*alone = run;
			return 0;
		}
		break;
	case ENOBUFS: /* the device's queue is full: lost, as on a network */
		break;
	default: /* perhaps not of this message at all: an ICMP error waits, and reading it clears it */
		u->error_waits = true;
		if (!*retried) {
			*retried = true;
			return 0;
		}
	}
	*retried = false;
	u->stats.refused_out += run;
	return (int)run;
}

static void gather(struct udp *u, const struct link_out *o, unsigned n, unsigned alone)
{
	struct outbox *b = &u->out;

	b->count = b->piece_count = 0;
	while (n && b->count < BATCH && b->piece_count + 2 * RUN_MAX <= PIECES) {
		unsigned run = alone ? 1 : run_of(u, o, n);

		add_message(u, o, run);
		o += run;
		n -= run;
		if (alone)
			alone--;
	}
}

static int udp_send(struct link *link, const struct link_out *o, unsigned n)
{
	struct udp *u = of(link);
	unsigned left = n, alone = 0;
	bool retried = false;

	if (u->fd < 0) /* what was claimed last is gone, and nothing has come in its place */
		return (int)n;
	while (left) {
		int sent;
		unsigned segments = 0;

		gather(u, o, left, alone);
		sent = sendmmsg(u->fd, u->out.messages, u->out.count, MSG_DONTWAIT);
		u->stats.send_calls++;
		if (sent < 0) {
			int dropped = failed(u, errno, &retried, &alone);

			if (dropped < 0)
				break;
			segments = (unsigned)dropped;
		} else {
			for (int i = 0; i < sent; i++)
				segments += u->out.segments[i];
			u->stats.datagrams_out += (unsigned)sent;
			u->stats.segments_out += segments;
			retried = false;
			/* Why it stopped early is lost, and with it perhaps the only word of an ICMP error. */
			if ((unsigned)sent < u->out.count)
				u->error_waits = true;
		}
		o += segments;
		left -= segments;
		alone = alone > segments ? alone - segments : 0;
	}
	return (int)(n - left);
}

/* ---- receiving ---- */

/* quote: room for what the message tells of the segment. */
static bool next_error(struct udp *u, struct link_in *in, uint8_t *quote)
{
	struct sockaddr_in name = { 0 };
	union control control;
	struct iovec piece = { quote, QUOTE_BYTES };
	struct msghdr m = { .msg_name = &name, .msg_namelen = sizeof name, .msg_control = &control,
			    .msg_controllen = sizeof control, .msg_iov = &piece, .msg_iovlen = 1 };
	struct sock_extended_err e = { 0 };
	struct in_pktinfo to = { .ipi_addr.s_addr = u->local.ip };
	ssize_t quoted;

	while ((quoted = recvmsg(u->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT)) >= 0) {
		u->stats.errors_in++;
		/* EMSGSIZE tells of a smaller path MTU, which the kernel heeds. */
		if (get_control(&m, IPPROTO_IP, IP_RECVERR, &e, sizeof e) && e.ee_origin == SO_EE_ORIGIN_ICMP &&
		    e.ee_errno != EMSGSIZE) {
			if (!u->local.ip)
				get_control(&m, IPPROTO_IP, IP_PKTINFO, &to, sizeof to);
			*in = (struct link_in){ .src = { name.sin_addr.s_addr, name.sin_port },
						.dst = { to.ipi_addr.s_addr, u->local.port },
						.segment = quote,
						/* RFC 792's eight bytes are the UDP header's: often there is no more */
						.len = quoted == QUOTE_BYTES ? QUOTE_BYTES : 0,
						.error = (int)e.ee_errno };
			return true;
		}
		m.msg_namelen = sizeof name;
		m.msg_controllen = sizeof control;
	}
	u->error_waits = false;
	return false;
}

/* Cuts what was received into segments. */
static unsigned cut(struct udp *u, struct link_in *in, unsigned max)
{
	struct inbox *b = &u->in;
	unsigned n = 0;

	while (n < max && b->at < b->count) {
		struct msghdr *m = &b->messages[b->at].msg_hdr;
		uint32_t len = b->messages[b->at].msg_len, left = len - b->offset, size;
		struct in_pktinfo to = { .ipi_addr.s_addr = u->local.ip, .ipi_spec_dst.s_addr = u->local.ip };
		const uint8_t *segment = (uint8_t *)m->msg_iov->iov_base + b->offset;
		int gro = 0;
		uint8_t tos = 0;

		get_control(m, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
		get_control(m, SOL_UDP, UDP_GRO, &gro, sizeof gro);
		get_control(m, IPPROTO_IP, IP_PKTINFO, &to, sizeof to);
		size = gro > 0 && (uint32_t)gro < left ? (uint32_t)gro : left;
		/* RFC 9293 (MUST-57): what was broadcast is not for TCP. */
		if (size < 4 || memcmp(segment, &b->names[b->at].sin_port, 2) ||
		    memcmp(segment + 2, &u->local.port, 2) || to.ipi_addr.s_addr != to.ipi_spec_dst.s_addr)
			u->stats.contradictions++;
		else
			in[n++] = (struct link_in){
				.src = { b->names[b->at].sin_addr.s_addr, b->names[b->at].sin_port },
				.dst = { to.ipi_addr.s_addr, u->local.port },
				.segment = segment,
				.len = size,
				.ecn = tos & ECN_MASK,
			};
		b->offset += size;
		if (b->offset >= len) {
			b->offset = 0;
			b->at++;
		}
	}
	u->stats.segments_in += n;
	return n;
}

static void refill(struct udp *u)
{
	struct inbox *b = &u->in;
	int n;

	b->at = b->count = 0;
	for (unsigned i = 0; i < SLOTS; i++) {
		b->messages[i].msg_hdr.msg_namelen = sizeof b->names[i];
		b->messages[i].msg_hdr.msg_controllen = sizeof b->controls[i];
	}
	n = recvmmsg(u->fd, b->messages, SLOTS, MSG_DONTWAIT, NULL);
	u->stats.recv_calls++;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			u->error_waits = true;
		return;
	}
	b->count = (unsigned)n;
	u->stats.datagrams_in += (unsigned)n;
}

static int udp_recv(struct link *link, struct link_in *in, unsigned max)
{
	struct udp *u = of(link);
	unsigned n = 0;

	if (u->fd < 0)
		return 0;
	if (u->in.at == u->in.count)
		refill(u);
	while (u->error_waits && n < max && n < QUOTES && next_error(u, &in[n], u->quotes[n]))
		n++;
	return (int)(n + cut(u, in + n, max - n));
}

/* ---- opening ---- */

static uint32_t interface_mtu(int fd, uint32_t ip)
{
	struct ifaddrs *all, *i;
	uint32_t largest = 0;

	if (getifaddrs(&all))
		return 1500;
	for (i = all; i; i = i->ifa_next) {
		struct ifreq r = { 0 };
		uint32_t apart, mask;

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP))
			continue;
		/* All of loopback's network is loopback's own address. */
		mask = i->ifa_flags & IFF_LOOPBACK ? ((struct sockaddr_in *)i->ifa_netmask)->sin_addr.s_addr : ~0U;
		apart = ip ^ ((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr;
		if (ip && apart & mask)
			continue;
		memcpy(r.ifr_name, i->ifa_name, strnlen(i->ifa_name, IFNAMSIZ - 1));
		if (!ioctl(fd, SIOCGIFMTU, &r) && (uint32_t)r.ifr_mtu > largest)
			largest = (uint32_t)r.ifr_mtu;
	}
	freeifaddrs(all);
	return largest ? largest : 1500;
}

static void set_segment_max(struct udp *u, uint32_t mtu)
{
	if (mtu < 68) /* RFC 791's least */
		mtu = 68;
	u->link.segment_max = mtu - HEADERS < LINK_UDP_PAYLOAD_MAX ? mtu - HEADERS : LINK_UDP_PAYLOAD_MAX;
}

static void set_option(int fd, int level, int name, int value)
{
	/* All of them are improvements: a kernel without one still carries datagrams. */
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

/* Sizes of socket buffers, by privilege or as far as the system's limits allow. */
static void set_buffers(struct udp *u)
{
	int wanted = u->config.rcvbuf_bytes ? (int)u->config.rcvbuf_bytes : BUFFER_BYTES, granted = 0;
	socklen_t len = sizeof granted;

	set_option(u->fd, SOL_SOCKET, SO_RCVBUF, wanted);
	set_option(u->fd, SOL_SOCKET, SO_RCVBUFFORCE, wanted);
	set_option(u->fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
	set_option(u->fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES);
	getsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &granted, &len);
	u->link.window_max = (uint32_t)granted / 2;
}

static void shut(struct udp *u)
{
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	u->released = false;
	u->local = (struct link_addr){ 0 };
	u->in.at = u->in.count = 0;
}

static int udp_claim(struct link *link, struct link_addr *local)
{
	struct udp *u = of(link);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = local->port, .sin_addr.s_addr = local->ip };
	socklen_t len = sizeof a;
	int fd, off = 0;

	if (u->fd >= 0 && !u->released)
		return -EBUSY;
	shut(u);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || getsockname(fd, (struct sockaddr *)&a, &len)) {
		int e = errno;

		close(fd);
		return -e;
	}
	u->fd = fd;
	*local = u->local = (struct link_addr){ a.sin_addr.s_addr, a.sin_port };
	set_buffers(u);
	set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
	set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
	set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT);
	if (!local->ip)
		set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	u->gso = !u->config.single && !setsockopt(fd, SOL_UDP, UDP_SEGMENT, &off, sizeof off);
	if (!u->config.single)
		set_option(fd, SOL_UDP, UDP_GRO, 1);
	if (!u->config.mtu && !u->route_mtu)
		set_segment_max(u, interface_mtu(fd, local->ip));
	return 0;
}

static void udp_release(struct link *link, const struct link_addr *local)
{
	struct udp *u = of(link);

	u->released = u->fd >= 0 && local->port == u->local.port;
}

static int udp_fd(const struct link *link)
{
	return of(link)->fd;
}

static void udp_close(struct link *link)
{
	struct udp *u = of(link);

	shut(u);
	free(u->arena);
	free(u);
}

int link_udp_route(struct link *link, uint32_t ip, uint32_t *source_ip)
{
	struct udp *u = of(link);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = ip };
	socklen_t len = sizeof a, mtu_len = sizeof(int);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0, e = 0;

	if (fd < 0)
		return -errno;
	/* Connecting a UDP socket sends nothing; it looks up the route. */
	if (connect(fd, (struct sockaddr *)&a, sizeof a) || getsockname(fd, (struct sockaddr *)&a, &len))
		e = errno;
	else
		*source_ip = u->local.ip ? u->local.ip : a.sin_addr.s_addr;
	if (!e && !u->config.mtu && !getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &mtu_len)) {
		u->route_mtu = (uint32_t)mtu;
		set_segment_max(u, u->route_mtu);
	}
	close(fd);
	return -e;
}

static const struct link_ops udp_ops = {
	.claim = udp_claim, .release = udp_release, .route = link_udp_route, .send = udp_send, .recv = udp_recv,
	.fd = udp_fd, .close = udp_close,
};

int link_udp_open(const struct link_udp_config *config, struct link **out)
{
	struct udp *u = calloc(1, sizeof *u);
	uint8_t *arena = malloc((size_t)SLOTS * SLOT_BYTES);

	if (!u || !arena) {
		free(u);
		free(arena);
		return -ENOMEM;
	}
	u->link.ops = &udp_ops;
	u->config = *config;
	u->fd = -1;
	u->arena = arena;
	set_segment_max(u, config->mtu ? config->mtu : 1500);
	for (unsigned i = 0; i < SLOTS; i++) {
		u->in.slots[i] = (struct iovec){ arena + (size_t)i * SLOT_BYTES, SLOT_BYTES };
		u->in.messages[i].msg_hdr = (struct msghdr){
			.msg_name = &u->in.names[i], .msg_iov = &u->in.slots[i], .msg_iovlen = 1,
			.msg_control = &u->in.controls[i],
		};
	}
	*out = &u->link;
	return 0;
}

struct link_udp_stats link_udp_stats(const struct link *link)
{
	return of(link)->stats;
}

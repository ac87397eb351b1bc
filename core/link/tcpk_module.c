/* TCPK by the module: tcpk.h's link over sockets of kernel/uapi/tcpk.h. A claim is a bound socket; an epoll descriptor
 * says which of them have something. Segments of many connections come by a listener's, so what leaves names its
 * destination, and its source where the socket has all addresses. tcpk_claims.c has the sockets. */
#include "core/link/tcpk_claims.h"

#include "core/link/packet.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SLOT_BYTES IP_PACKET_MAX
#define TCP_HEADER 20

static int get_option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, level, name, &value, &len) ? -errno : value;
}

/* ---- sending ---- */

/* A device with a smaller MTU than the one that was thought of. */
static void note_too_large(struct module *m, const struct link_out *o)
{
	uint32_t ip = 0, mtu = 0;

	if (tcpk_look_up(o->dst.ip, &ip, &mtu))
		return;
	memcpy(m->quote, o->header, o->header_len < TCPK_QUOTE ? o->header_len : TCPK_QUOTE);
	m->too_large = (struct link_in){ .src = o->dst, .dst = o->src, .segment = m->quote,
		.len = o->header_len < TCPK_QUOTE ? o->header_len : TCPK_QUOTE, .error = EMSGSIZE, .path_mtu = mtu };
}

/* 0, -EAGAIN, or the error with which the kernel refused. */
static int transmit(struct module *m, const struct link_out *o, unsigned run)
{
	struct claim *c = claims_source(m, &o->src);
	struct sockaddr_in to = sockaddr_of(&o->dst);
	struct tcpk_offload offload = { .local = o->src.ip, .flags = TCPK_TOS, .tos = o->ecn,
		.segment_size = (uint16_t)packet_cut(o, run) };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof offload)] = { 0 };
	struct cmsghdr head = { .cmsg_len = CMSG_LEN(sizeof offload), .cmsg_level = SOL_TCPK, .cmsg_type = TCPK_OFFLOAD };
	struct packet p;
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = p.pieces,
		.msg_control = control, .msg_controllen = sizeof control };

	if (!c)
		return -EADDRNOTAVAIL;
	if (offload.segment_size)
		offload.flags |= TCPK_FINISH;
	memcpy(control, &head, sizeof head);
	memcpy(control + CMSG_LEN(0), &offload, sizeof offload);
	packet_gather(&p, 0, o, run, offload.segment_size);
	message.msg_iovlen = (size_t)p.count;
	/* ICMP's word about an earlier segment is told here as well, once: recv has the whole of it. */
	for (int tries = 0; tries < 2; tries++) {
		if (sendmsg(c->fd, &message, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EAGAIN)
			break;
		c->has_errors = true;
	}
	return -errno;
}

static int module_send(struct link *link, const struct link_out *o, unsigned n)
{
	struct module *m = module_of(link);
	unsigned done = 0, run;

	for (; done < n; done += run) {
		int e;

		run = m->config.plain ? 1 : packet_run(o + done, n - done);
		e = transmit(m, o + done, run);
		if (e == -EAGAIN)
			break;
		if (e == -EMSGSIZE)
			note_too_large(m, o + done);
		if (e < 0) { /* no route, or a queue is full: lost, as on a network */
			m->stats.refused_out += run;
			continue;
		}
		m->stats.packets_out++;
		m->stats.segments_out += packet_segments(o + done, run);
	}
	return (int)done;
}

/* ---- receiving ---- */

/* Whether there is something for the engine in a message. */
static bool take(struct module *m, unsigned i, struct claim *c, struct link_in *in)
{
	const struct msghdr *h = &m->messages[i].msg_hdr;
	const struct cmsghdr *control = CMSG_FIRSTHDR(h);
	const struct sockaddr_in *from = &m->names[i];
	struct tcpk_info info;

	if (m->messages[i].msg_len < TCP_HEADER || h->msg_flags & (MSG_TRUNC | MSG_CTRUNC) || !control ||
		control->cmsg_level != SOL_TCPK || control->cmsg_type != TCPK_INFO ||
		control->cmsg_len < CMSG_LEN(sizeof info)) {
		m->stats.malformed++;
		return false;
	}
	memcpy(&info, CMSG_DATA(control), sizeof info);
	*in = (struct link_in){ .src = { from->sin_addr.s_addr, from->sin_port },
		.dst = { info.local, c->local.port }, .segment = m->slots[i].iov_base,
		.len = m->messages[i].msg_len, .vouched = info.checksum == TCPK_VOUCHED,
		.ecn = info.tos & 3 };
	m->stats.segments_in++;
	m->stats.vouched_in += in->vouched;
	return true;
}

/* One ICMP error, into slot i: whether there was one. */
static bool take_error(struct module *m, unsigned i, struct claim *c, struct link_in *in)
{
	struct sockaddr_in to;
	_Alignas(struct cmsghdr) char control[256];
	struct sock_extended_err e;
	struct msghdr h = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &m->slots[i], .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof control };
	ssize_t len = recvmsg(c->fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (len < 0)
		return false;
	for (struct cmsghdr *x = CMSG_FIRSTHDR(&h); x; x = CMSG_NXTHDR(&h, x)) {
		if (x->cmsg_level != IPPROTO_IP || x->cmsg_type != IP_RECVERR)
			continue;
		memcpy(&e, CMSG_DATA(x), sizeof e);
		*in = (struct link_in){ .src = { to.sin_addr.s_addr, to.sin_port }, .dst = { e.ee_data, c->local.port },
			.segment = m->slots[i].iov_base, .len = (uint32_t)len, .error = (int)e.ee_errno,
			.path_mtu = e.ee_errno == EMSGSIZE ? e.ee_info : 0 };
		m->stats.errors_in++;
		return true;
	}
	return false;
}

/* From one socket, into slots from `used` on; how many slots. *n counts what the engine gets. */
static unsigned drain(struct module *m, struct claim *c, unsigned used, unsigned room, struct link_in *in, int *n)
{
	unsigned had = used;
	int got;

	for (unsigned i = used; i < used + room; i++)
		m->messages[i].msg_hdr.msg_controllen = sizeof m->controls[i];
	got = recvmmsg(c->fd, m->messages + used, room, MSG_DONTWAIT, NULL);
	if (got < 0 && (c->has_errors || (errno != EAGAIN && errno != EINTR))) {
		for (c->has_errors = true; room && c->has_errors; room--) {
			c->has_errors = take_error(m, used, c, &in[*n]);
			*n += c->has_errors;
			used += c->has_errors;
		}
		return used - had;
	}
	for (int i = 0; i < got; i++)
		*n += take(m, used + (unsigned)i, c, &in[*n]);
	return got > 0 ? (unsigned)got : 0;
}

static int module_recv(struct link *link, struct link_in *in, unsigned max)
{
	struct module *m = module_of(link);
	unsigned room = max < TCPK_SLOTS ? max : TCPK_SLOTS, used = 0;
	struct epoll_event ready[TCPK_SLOTS];
	int n = 0, events;

	if (room && m->too_large.error) {
		in[n++] = m->too_large;
		m->too_large.error = 0;
		room--;
	}
	if (m->only)
		return drain(m, m->only, used, room, in, &n), n;
	events = room ? epoll_wait(m->epoll, ready, (int)room, 0) : 0;
	for (int i = 0; i < events && used < room; i++) {
		struct claim *c = ready[i].data.ptr;

		c->has_errors |= (ready[i].events & EPOLLERR) != 0;
		used += drain(m, c, used, room - used, in, &n);
	}
	return n;
}

/* ---- opening ---- */

static int module_fd(const struct link *link)
{
	return module_of(link)->epoll;
}

static void module_close(struct link *link)
{
	struct module *m = module_of(link);

	claims_end(m);
	close(m->epoll);
	free(m->arena);
	free(m);
}

const struct link_ops tcpk_module_ops = {
	.claim = claims_take, .release = claims_release, .narrow = claims_narrow, .route = tcpk_route,
	.mtu = tcpk_mtu, .send = module_send, .recv = module_recv, .fd = module_fd, .close = module_close,
};

/* A first socket tells whether the module is there, which one, and how much may wait. */
static int probe(struct module *m)
{
	int fd = claims_socket(m, NULL), e = 0;

	if (fd < 0)
		return fd;
	if (get_option(fd, SOL_TCPK, TCPK_VERSION) != TCPK_ABI)
		e = -EPROTO;
	/* The kernel has doubled what it was asked for, since it counts its own memory around the data as well. */
	m->link.window_max = (uint32_t)get_option(fd, SOL_SOCKET, SO_RCVBUF) / 2;
	close(fd);
	return e;
}

int tcpk_module_open(const struct link_tcpk_config *config, struct link **out)
{
	uint32_t ring = config->ring_bytes ? config->ring_bytes : TCPK_RING_BYTES;
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	struct module *m;
	int e;

	if (ring % page || ring & (ring - 1) || ring > INT32_MAX / 2)
		return -EINVAL;
	m = calloc(1, sizeof *m);
	if (!m)
		return -ENOMEM;
	m->link = (struct link){ .ops = &tcpk_module_ops, .segment_max = IP_PACKET_MAX - IP_HEADER,
		.train_max = config->plain ? 0 : IP_PACKET_MAX - IP_HEADER, .exclusive = true, .joins = true };
	m->config = *config;
	m->config.ring_bytes = ring;
	m->arena = malloc((size_t)TCPK_SLOTS * SLOT_BYTES);
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	e = !m->arena ? -ENOMEM : m->epoll < 0 ? -errno : probe(m);
	if (e) {
		if (m->epoll >= 0)
			close(m->epoll);
		free(m->arena);
		free(m);
		return e;
	}
	for (unsigned i = 0; i < TCPK_SLOTS; i++) {
		m->slots[i] = (struct iovec){ m->arena + (size_t)i * SLOT_BYTES, SLOT_BYTES };
		m->messages[i].msg_hdr = (struct msghdr){ .msg_name = &m->names[i], .msg_namelen = sizeof m->names[i],
			.msg_iov = &m->slots[i], .msg_iovlen = 1, .msg_control = &m->controls[i] };
	}
	*out = &m->link;
	return 0;
}

struct link_tcpk_stats tcpk_module_stats(struct link *link)
{
	struct module *m = module_of(link);
	struct link_tcpk_stats s = m->stats;

	s.dropped_in += claims_dropped(m);
	return s;
}

/* The link of tun.h. The kernel's Documentation/networking/tuntap.rst; virtio 1.1, section 5.1.6, for the header
 * before each packet, which here is in the machine's own byte order. */
#include "core/link/tun.h"

#include "core/link/host.h"
#include "core/link/ip.h"
#include "core/link/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define MTU_MIN 68 /* RFC 791's least */
#define TCP_HEADER 20
#define VNET_HEADER sizeof(struct virtio_net_hdr)
#define SLOT_BYTES (VNET_HEADER + IP_PACKET_MAX)
#define ARENA_BYTES (8 * SLOT_BYTES) /* of a recv: enough super-packets to amortize it, few enough to stay in cache */
#define QUEUE_PACKETS 4096           /* of the device: 500 are less than a usual window */
#define QUEUE_DEFAULT 500
#define PORT_FIRST 32768             /* ephemeral, as Linux has them */
#define PORT_LAST 60999

struct tun {
	struct link link;
	struct link_tun_stats stats;
	uint32_t ip;
	int fd;
	bool plain, offloads;
	char name[IFNAMSIZ];
	uint64_t echo_second; /* and how many were answered in it */
	unsigned echoes;
	uint8_t ports[65536 / 8]; /* claimed: a bit each */
	uint8_t arena[ARENA_BYTES];
};

static struct tun *of(const struct link *link)
{
	return (struct tun *)link;
}

/* ---- ports ---- */

static bool is_taken(const struct tun *t, uint32_t port)
{
	return t->ports[port / 8] >> port % 8 & 1;
}

/* RFC 6056 section 3.3.1: from a random place on, the next that is free. 0: there is none. */
static uint32_t ephemeral(const struct tun *t)
{
	uint32_t range = PORT_LAST - PORT_FIRST + 1, start;

	link_host_random(&start, sizeof start);
	for (uint32_t i = 0; i < range; i++) {
		uint32_t port = PORT_FIRST + (start % range + i) % range;

		if (!is_taken(t, port))
			return port;
	}
	return 0;
}

static int tun_claim(struct link *link, struct link_addr *local)
{
	struct tun *t = of(link);
	uint32_t port = local->port ? ntohs(local->port) : ephemeral(t);

	if (local->ip && local->ip != t->ip)
		return -EADDRNOTAVAIL;
	if (!port || is_taken(t, port))
		return -EADDRINUSE;
	t->ports[port / 8] |= (uint8_t)(1 << port % 8);
	*local = (struct link_addr){ t->ip, htons((uint16_t)port) };
	return 0;
}

static void tun_release(struct link *link, const struct link_addr *local)
{
	uint32_t port = ntohs(local->port);

	of(link)->ports[port / 8] &= (uint8_t)~(1 << port % 8);
}

/* ---- sending ---- */

/* -EAGAIN, or the error with which the kernel refused. */
static int transmit(struct tun *t, const struct link_out *o, unsigned run)
{
	struct packet p;

	packet_virtio(p.head, o, run, run > 1, 0);
	ip_write(p.head + VNET_HEADER, IPPROTO_TCP, o->src.ip, o->dst.ip, packet_segment_len(o, run), o->ecn);
	packet_gather(&p, VNET_HEADER + IP_HEADER, o, run, run > 1);
	return writev(t->fd, p.pieces, p.count) < 0 ? -errno : 0;
}

static int tun_send(struct link *link, const struct link_out *o, unsigned n)
{
	struct tun *t = of(link);
	unsigned done = 0, run;

	for (; done < n; done += run) {
		int e;

		run = t->plain ? 1 : packet_run(o + done, n - done);
		e = transmit(t, o + done, run);
		if (e == -EAGAIN)
			break;
		if (e < 0) { /* the device is down, or memory is short: lost, as on a network */
			t->stats.refused_out += run;
			continue;
		}
		t->stats.packets_out++;
		t->stats.segments_out += run;
	}
	return (int)done;
}

/* ---- receiving ---- */

static void answer_echo(struct tun *t, uint8_t *packet)
{
	uint64_t second = link_host_now_us() / 1000000;
	struct virtio_net_hdr v = { 0 };
	struct iovec pieces[2] = { { &v, sizeof v } };

	t->stats.echoes_in++;
	if (second != t->echo_second) {
		t->echo_second = second;
		t->echoes = 0;
	}
	if (t->echoes == LINK_TUN_ECHOES)
		return;
	t->echoes++;
	pieces[1].iov_base = ip_answer_echo(packet, &pieces[1].iov_len);
	if (writev(t->fd, pieces, 2) > 0)
		t->stats.echoes_out++;
}

/* The kernel knows that the data is as it was sent, or has left the sum to whoever puts it on a wire. */
static bool is_vouched(const struct virtio_net_hdr *v, size_t ip_header_len)
{
	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return v->csum_start == ip_header_len && v->csum_offset == offsetof(struct tcphdr, check);
	return v->flags & VIRTIO_NET_HDR_F_DATA_VALID;
}

/* Whether there is something for the engine in what was read. */
static bool take(struct tun *t, uint8_t *data, size_t len, struct link_in *in)
{
	struct link_tun_stats *s = &t->stats;
	uint8_t *packet = data + VNET_HEADER;
	struct virtio_net_hdr v;

	if (len < VNET_HEADER) {
		s->malformed++;
		return false;
	}
	memcpy(&v, data, sizeof v);
	switch (ip_read(packet, len - VNET_HEADER, t->ip, in)) {
	case IP_SEGMENT:
		in->vouched = is_vouched(&v, (size_t)(in->segment - packet));
		s->packets_in++;
		s->segments_in++;
		s->vouched_in += in->vouched;
		return true;
	case IP_ERROR:
		s->errors_in++;
		return true;
	case IP_ECHO:
		answer_echo(t, packet);
		return false;
	case IP_MALFORMED:
		s->malformed++;
		return false;
	case IP_FRAGMENT:
		s->fragments++;
		return false;
	case IP_ASTRAY:
		s->astray++;
		return false;
	case IP_OTHER:
		s->other++;
	}
	return false;
}

/* The descriptor would poll ready for ever. */
static void lose_device(struct tun *t)
{
	close(t->fd);
	t->fd = -1;
}

static int tun_recv(struct link *link, struct link_in *in, unsigned max)
{
	struct tun *t = of(link);
	size_t used = 0;
	int n = 0;

	for (unsigned reads = 0; reads < max && used + SLOT_BYTES <= ARENA_BYTES; reads++) {
		ssize_t len = read(t->fd, t->arena + used, SLOT_BYTES);

		if (len < 0 && errno == EBADFD) /* somebody has deleted the device */
			lose_device(t);
		if (len <= 0)
			break;
		if (take(t, t->arena + used, (size_t)len, &in[n])) {
			used += (size_t)len;
			n++;
		}
	}
	return n || t->fd >= 0 ? n : -ENETDOWN;
}

/* ---- opening ---- */

static int tun_fd(const struct link *link)
{
	return of(link)->fd;
}

static void tun_close(struct link *link)
{
	if (of(link)->fd >= 0)
		close(of(link)->fd);
	free(of(link));
}

static const struct link_ops tun_ops = {
	.claim = tun_claim, .release = tun_release, .send = tun_send, .recv = tun_recv, .fd = tun_fd,
	.close = tun_close,
};

int link_tun_over(int fd, const struct link_tun_config *config, struct link **out)
{
	uint32_t mtu = config->mtu ? config->mtu : 1500;
	struct tun *t;

	if (!config->ip || mtu < MTU_MIN || mtu > IP_PACKET_MAX)
		return -EINVAL;
	t = calloc(1, sizeof *t);
	if (!t)
		return -ENOMEM;
	t->link = (struct link){ .ops = &tun_ops, .segment_max = mtu - IP_HEADER,
		.window_max = QUEUE_DEFAULT * (mtu - IP_HEADER - TCP_HEADER), .joins = true };
	t->ip = config->ip;
	t->plain = config->plain;
	t->fd = fd;
	*out = &t->link;
	return 0;
}

/* The device while it is being opened. */
struct device {
	int fd, control; /* control: any socket, for netdevice(7)'s calls */
	struct ifreq r;  /* has its name */
	uint32_t mtu, queue;
	bool offloads;
};

static int attach(struct device *d, const struct link_tun_config *config)
{
	const char *wanted = config->name ? config->name : "tcpu%d";
	int header = VNET_HEADER;

	if (strlen(wanted) >= sizeof d->r.ifr_name)
		return -EINVAL;
	strcpy(d->r.ifr_name, wanted);
	d->r.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(d->fd, TUNSETIFF, &d->r) || ioctl(d->fd, TUNSETVNETHDRSZ, &header))
		return -errno;
	d->offloads = !config->plain && !ioctl(d->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN);
	if (!d->offloads && ioctl(d->fd, TUNSETOFFLOAD, 0)) /* a persistent device keeps what it was told before */
		return -errno;
	return 0;
}

static int set_address(struct device *d, unsigned long request, uint32_t ip)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = ip };

	memcpy(&d->r.ifr_addr, &a, sizeof a);
	return ioctl(d->control, request, &d->r);
}

/* A device that was up before has had no carrier, and the kernel drops what is for it until it has noticed, some time
 * later, that there is one now. Asked by ethtool(8)'s way, it notices first: Linux 6.8 and later. */
static void settle(struct device *d)
{
	struct ethtool_value carrier = { .cmd = ETHTOOL_GLINK };

	d->r.ifr_data = (char *)&carrier;
	(void)ioctl(d->control, SIOCETHTOOL, &d->r);
}

/* Gives the device its addresses and state, and finds out its MTU, and its queue in packets. */
static int configure(struct device *d, const struct link_tun_config *config)
{
	d->r.ifr_mtu = (int)config->mtu;
	if (config->mtu && ioctl(d->control, SIOCSIFMTU, &d->r))
		return -errno;
	d->r.ifr_qlen = QUEUE_PACKETS;
	(void)ioctl(d->control, SIOCSIFTXQLEN, &d->r); /* an improvement: window_max tells how it went */
	if (config->host_ip) {
		/* The far end of a point-to-point device: the kernel makes a route to it. */
		if (set_address(d, SIOCSIFADDR, config->host_ip) || set_address(d, SIOCSIFDSTADDR, config->ip) ||
			ioctl(d->control, SIOCGIFFLAGS, &d->r))
			return -errno;
		d->r.ifr_flags |= IFF_UP;
		if (ioctl(d->control, SIOCSIFFLAGS, &d->r))
			return -errno;
	}
	settle(d);
	if (ioctl(d->control, SIOCGIFMTU, &d->r))
		return -errno;
	d->mtu = (uint32_t)d->r.ifr_mtu;
	if (ioctl(d->control, SIOCGIFTXQLEN, &d->r))
		return -errno;
	d->queue = (uint32_t)d->r.ifr_qlen;
	return 0;
}

static int open_device(struct device *d, const struct link_tun_config *config, struct link **out)
{
	struct link_tun_config found = *config;
	int e;

	if ((e = attach(d, config)) || (e = configure(d, config)))
		return e;
	found.mtu = d->mtu;
	e = link_tun_over(d->fd, &found, out);
	if (e)
		return e;
	(*out)->window_max = d->queue * (d->mtu - IP_HEADER - TCP_HEADER);
	of(*out)->offloads = d->offloads;
	memcpy(of(*out)->name, d->r.ifr_name, IFNAMSIZ);
	return 0;
}

int link_tun_open(const struct link_tun_config *config, struct link **out)
{
	struct device d = { .control = -1 };
	int e;

	if (!config->ip || (config->mtu && (config->mtu < MTU_MIN || config->mtu > IP_PACKET_MAX)))
		return -EINVAL;
	d.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (d.fd >= 0)
		d.control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	e = d.control < 0 ? -errno : open_device(&d, config, out);
	if (d.control >= 0)
		close(d.control);
	if (e && d.fd >= 0)
		close(d.fd);
	return e;
}

const char *link_tun_name(const struct link *link)
{
	return of(link)->name;
}

bool link_tun_offloads(const struct link *link)
{
	return of(link)->offloads;
}

struct link_tun_stats link_tun_stats(const struct link *link)
{
	return of(link)->stats;
}

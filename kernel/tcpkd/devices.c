#include "kernel/tcpkd/devices.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TAP_NAME "tcpk%d"
#define PRIORITY 253 /* of our filters; and their handle */
#define HANDLE 253
#define REPLY_BYTES 32768
#define LOOKS 100 /* at what changes all the time */
#define VNET_HEADER 10 /* struct virtio_net_hdr */

enum told { TOLD_NOTHING, TOLD_NO, TOLD_YES };

struct devices {
	struct table *table;
	const struct shortcuts *shortcuts;
	enum told told[SHORTCUTS_MAX]; /* of each */
	struct mnl_socket *events, *calls;
	uint32_t sequence;
	void (*gone)(void *, uint32_t);
	void *ctx;
};

/* ---- programs ---- */

static int attach(const struct devices *d, uint32_t ifindex, enum bpf_tc_attach_point point, enum table_program which)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = table_program(d->table, which), .handle = HANDLE,
		.priority = PRIORITY, .flags = BPF_TC_F_REPLACE);
	int e = bpf_tc_hook_create(&hook); /* which may be there, somebody else's too */

	return e && e != -EEXIST ? e : bpf_tc_attach(&hook, &options);
}

static void detach(uint32_t ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .handle = HANDLE, .priority = PRIORITY);

	bpf_tc_detach(&hook, &options);
}

/* ---- rtnetlink ---- */

/* Whether what is dumped has changed meanwhile. libmnl would leave the rest of the dump unread. */
static bool was_interrupted(char *reply, ssize_t n)
{
	struct nlmsghdr *h = (struct nlmsghdr *)reply;
	bool interrupted = false;
	int left = (int)n;

	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		interrupted = interrupted || h->nlmsg_flags & NLM_F_DUMP_INTR;
		h->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
	}
	return interrupted;
}

/* A request for an acknowledgment, or for a dump, whose messages go to each. -EINTR: some may be missing, or be there
 * twice. */
static int call(struct devices *d, struct nlmsghdr *h, mnl_cb_t each)
{
	_Alignas(struct nlmsghdr) char reply[REPLY_BYTES];
	bool interrupted = false;
	ssize_t n;
	int more = 1;

	h->nlmsg_seq = ++d->sequence;
	h->nlmsg_flags |= NLM_F_REQUEST | (each ? NLM_F_DUMP : NLM_F_ACK);
	if (mnl_socket_sendto(d->calls, h, h->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		n = mnl_socket_recvfrom(d->calls, reply, sizeof reply);
		interrupted = was_interrupted(reply, n) || interrupted;
		more = n < 0 ? -1 : mnl_cb_run(reply, (size_t)n, h->nlmsg_seq, mnl_socket_get_portid(d->calls), each, d);
	}
	return more < 0 ? -errno : interrupted ? -EINTR : 0;
}

/* What a message says of a device. */
struct facts {
	char name[IF_NAMESIZE], kind[IF_NAMESIZE];
	bool tap, persists, away;
};

static int on_tun_attribute(const struct nlattr *a, void *ctx)
{
	struct facts *f = ctx;

	if (mnl_attr_get_type(a) == IFLA_TUN_TYPE && mnl_attr_get_payload_len(a) >= 1)
		f->tap = mnl_attr_get_u8(a) == IFF_TAP;
	if (mnl_attr_get_type(a) == IFLA_TUN_PERSIST && mnl_attr_get_payload_len(a) >= 1)
		f->persists = mnl_attr_get_u8(a);
	return MNL_CB_OK;
}

static void get_name(const struct nlattr *a, char name[IF_NAMESIZE])
{
	snprintf(name, IF_NAMESIZE, "%.*s", (int)mnl_attr_get_payload_len(a), mnl_attr_get_str(a));
}

static int on_link_info(const struct nlattr *a, void *ctx)
{
	struct facts *f = ctx;

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
		get_name(a, f->kind);
	if (mnl_attr_get_type(a) == IFLA_INFO_DATA && !strcmp(f->kind, "tun"))
		return mnl_attr_parse_nested(a, on_tun_attribute, ctx);
	return MNL_CB_OK;
}

static int on_link_attribute(const struct nlattr *a, void *ctx)
{
	struct facts *f = ctx;

	if (mnl_attr_get_type(a) == IFLA_IFNAME)
		get_name(a, f->name);
	if (mnl_attr_get_type(a) == IFLA_LINK_NETNSID)
		f->away = true;
	if (mnl_attr_get_type(a) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(a, on_link_info, ctx);
	return MNL_CB_OK;
}

/* A client's: it has programs of its own. */
static bool is_ours(const struct facts *f)
{
	return f->tap && !strncmp(f->name, TAP_NAME, strlen(TAP_NAME) - 2);
}

static void attach_to(struct devices *d, uint32_t ifindex, const struct facts *f)
{
	int e = is_ours(f) ? 0 : attach(d, ifindex, BPF_TC_INGRESS, TABLE_IN);

	if (e && e != -ENODEV)
		fprintf(stderr, "tcpkd: %s: packets for claimed ports that come by it are not taken: %s\n", f->name,
			strerror(-e));
}

/* Whether the device does what the short way leaves undone. */
static bool has_offload(const struct devices *d, const char *name, uint32_t command)
{
	struct ethtool_value value = { .cmd = command };
	struct ifreq r = { .ifr_data = (void *)&value };

	strcpy(r.ifr_name, name);
	return !ioctl(devices_fd(d), SIOCETHTOOL, &r) && value.data;
}

static void set_shortcut(struct devices *d, uint32_t ifindex, const struct facts *f)
{
	unsigned i = 0;
	enum told now;
	bool possible;

	while (i < d->shortcuts->count && strcmp(f->name, d->shortcuts->names[i]))
		i++;
	possible = i < d->shortcuts->count && !strcmp(f->kind, "veth") && f->away &&
		   has_offload(d, f->name, ETHTOOL_GTXCSUM) && has_offload(d, f->name, ETHTOOL_GTSO);
	possible = !table_set_shortcut(d->table, ifindex, possible) && possible;
	now = possible ? TOLD_YES : TOLD_NO;
	if (i == d->shortcuts->count || d->told[i] == now)
		return;
	d->told[i] = now;
	fprintf(stderr, "tcpkd: %s: %s\n", f->name, possible ? "a shortcut" :
		"no shortcut, which takes a veth that leads to another namespace, and does checksums and TSO (ethtool -k)");
}

static int on_link(const struct nlmsghdr *h, struct devices *d)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct facts f = { 0 };

	if (m->ifi_family != AF_UNSPEC)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof *m, on_link_attribute, &f);
	if (h->nlmsg_type == RTM_DELLINK) {
		d->gone(d->ctx, (uint32_t)m->ifi_index);
		table_set_shortcut(d->table, (uint32_t)m->ifi_index, false);
	} else {
		attach_to(d, (uint32_t)m->ifi_index, &f);
		set_shortcut(d, (uint32_t)m->ifi_index, &f);
	}
	return MNL_CB_OK;
}

struct address {
	uint32_t ip, far;
};

static int on_address_attribute(const struct nlattr *a, void *ctx)
{
	struct address *at = ctx;

	if (mnl_attr_get_payload_len(a) != sizeof(uint32_t))
		return MNL_CB_OK;
	if (mnl_attr_get_type(a) == IFA_LOCAL)
		at->ip = mnl_attr_get_u32(a);
	if (mnl_attr_get_type(a) == IFA_ADDRESS)
		at->far = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int look_at_addresses(struct devices *d);

static int on_address(const struct nlmsghdr *h, struct devices *d)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct address at = { 0 };
	uint32_t ip;

	mnl_attr_parse(h, sizeof *m, on_address_attribute, &at);
	ip = at.ip ? at.ip : at.far;
	if (m->ifa_family != AF_INET || !ip)
		return MNL_CB_OK;
	if (h->nlmsg_type == RTM_DELADDR)
		look_at_addresses(d); /* another device may have it as well */
	else if (table_add_local(d->table, ip))
		fprintf(stderr, "tcpkd: more than %d addresses: TCPK does not work with the rest\n", TABLE_LOCALS);
	return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *h, void *ctx)
{
	switch (h->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return on_address(h, ctx);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return on_link(h, ctx);
	}
	return MNL_CB_OK;
}

/* All that there are now. */
static int look_at(struct devices *d, uint16_t type, uint8_t family)
{
	int e = -EINTR;

	for (unsigned i = 0; e == -EINTR && i < LOOKS; i++) {
		char room[MNL_SOCKET_BUFFER_SIZE];
		struct nlmsghdr *h = mnl_nlmsg_put_header(room);
		struct rtgenmsg *m;

		h->nlmsg_type = type;
		m = mnl_nlmsg_put_extra_header(h, sizeof *m);
		m->rtgen_family = family;
		e = call(d, h, on_message);
	}
	return e;
}

static int look_at_addresses(struct devices *d)
{
	int e;

	table_doubt_locals(d->table);
	e = look_at(d, RTM_GETADDR, AF_INET);
	if (!e)
		table_settle_locals(d->table);
	return e;
}

static int look(struct devices *d)
{
	int e = look_at(d, RTM_GETLINK, AF_UNSPEC);

	return e ? e : look_at_addresses(d);
}

int devices_fd(const struct devices *d)
{
	return mnl_socket_get_fd(d->events);
}

void devices_turn(struct devices *d)
{
	char news[REPLY_BYTES];
	ssize_t n;

	while ((n = recv(devices_fd(d), news, sizeof news, MSG_DONTWAIT)) > 0)
		mnl_cb_run(news, (size_t)n, 0, 0, on_message, d);
	if (n < 0 && errno == ENOBUFS) /* some are lost */
		look(d);
}

/* Numbers of the device's settings of IPv4 (net.ipv4.conf), by netlink, since /proc may be closed to us. */
static void put_settings(struct nlmsghdr *h, const uint8_t *settings, size_t n)
{
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC), *inet, *conf;

	inet = mnl_attr_nest_start(h, AF_INET);
	conf = mnl_attr_nest_start(h, IFLA_INET_CONF);
	for (size_t i = 0; i < n; i++)
		mnl_attr_put_u32(h, settings[i], 1);
	mnl_attr_nest_end(h, conf);
	mnl_attr_nest_end(h, inet);
	mnl_attr_nest_end(h, spec);
}

/* ifindex gets flags, and those settings of IPv4. */
static int set(struct devices *d, uint32_t ifindex, unsigned flags, const uint8_t *settings, size_t n)
{
	char room[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ifinfomsg *m;

	h->nlmsg_type = RTM_NEWLINK;
	m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->ifi_index = (int)ifindex;
	m->ifi_flags = m->ifi_change = flags;
	if (n)
		put_settings(h, settings, n);
	return call(d, h, NULL);
}

/* What comes from a TAP for another of this host's addresses goes in by loopback, and its source is local. For the rest
 * bpf_fib_lookup is asked where it would go from there, as a router asks. */
static int open_loopback(struct devices *d)
{
	static const uint8_t settings[] = { IPV4_DEVCONF_ACCEPT_LOCAL, IPV4_DEVCONF_ROUTE_LOCALNET,
		IPV4_DEVCONF_FORWARDING };

	return set(d, if_nametoindex("lo"), 0, settings, sizeof settings);
}

struct devices *devices_open(struct table *table, const struct shortcuts *shortcuts, void (*gone)(void *, uint32_t),
	void *ctx)
{
	struct devices *d = calloc(1, sizeof *d);
	int e = d ? 0 : -ENOMEM;

	if (!e) {
		*d = (struct devices){ .table = table, .shortcuts = shortcuts, .gone = gone, .ctx = ctx };
		d->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
		d->calls = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
		if (!d->events || !d->calls || mnl_socket_bind(d->calls, 0, MNL_SOCKET_AUTOPID) ||
			mnl_socket_bind(d->events, RTMGRP_LINK | RTMGRP_IPV4_IFADDR, MNL_SOCKET_AUTOPID))
			e = -errno;
	}
	if (!e)
		e = open_loopback(d);
	if (!e)
		e = look(d);
	if (!e)
		return d;
	fprintf(stderr, "tcpkd: the devices of this host: %s; CAP_NET_ADMIN is needed\n", strerror(-e));
	if (d)
		devices_close(d, false);
	return NULL;
}

void devices_close(struct devices *d, bool detach_all)
{
	struct if_nameindex *all = if_nameindex();

	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		if (detach_all)
			detach(i->if_index);
		table_set_shortcut(d->table, i->if_index, false); /* nobody looks any more whether it may be one */
	}
	if (all)
		if_freenameindex(all);
	if (d->events)
		mnl_socket_close(d->events);
	if (d->calls)
		mnl_socket_close(d->calls);
	free(d);
}

/* ---- TAPs ---- */

int devices_make_tap(struct devices *d, uid_t owner, struct device_tap *tap)
{
	struct ifreq r = { .ifr_name = TAP_NAME, .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header = VNET_HEADER, e;

	tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd < 0)
		return -errno;
	/* Its owner can make it outlive him; then it is no one else's. */
	e = ioctl(tap->fd, TUNSETIFF, &r) || ioctl(tap->fd, TUNSETVNETHDRSZ, &header) ||
		ioctl(tap->fd, TUNSETOWNER, (unsigned long)owner) ? -errno : 0;
	if (!e) {
		memcpy(tap->name, r.ifr_name, sizeof tap->name);
		tap->ifindex = if_nametoindex(tap->name);
		e = attach(d, tap->ifindex, BPF_TC_EGRESS, TABLE_MUTE);
	}
	if (!e)
		e = attach(d, tap->ifindex, BPF_TC_INGRESS, TABLE_OUT);
	if (!e)
		e = set(d, tap->ifindex, IFF_UP | IFF_NOARP, NULL, 0);
	if (e)
		close(tap->fd);
	return e;
}

void devices_delete(struct devices *d, uint32_t ifindex)
{
	char room[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ifinfomsg *m;

	h->nlmsg_type = RTM_DELLINK;
	m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->ifi_index = (int)ifindex;
	call(d, h, NULL); /* it has gone by itself, mostly */
}

static int on_facts(const struct nlmsghdr *h, void *ctx)
{
	return mnl_attr_parse(h, sizeof(struct ifinfomsg), on_link_attribute, ctx);
}

bool devices_has_tap(struct devices *d, uint32_t ifindex)
{
	char room[MNL_SOCKET_BUFFER_SIZE], reply[REPLY_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ifinfomsg *m;
	struct facts f = { 0 };
	ssize_t n;

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = ++d->sequence;
	m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->ifi_index = (int)ifindex;
	if (mnl_socket_sendto(d->calls, h, h->nlmsg_len) < 0)
		return true;
	n = mnl_socket_recvfrom(d->calls, reply, sizeof reply);
	if (n < 0 || mnl_cb_run(reply, (size_t)n, d->sequence, mnl_socket_get_portid(d->calls), on_facts, &f) < 0)
		return errno != ENODEV;
	return is_ours(&f) && !f.persists; /* one that persists may have nobody any more */
}

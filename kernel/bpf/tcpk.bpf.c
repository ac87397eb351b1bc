// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * TCPK on stock kernels (kernel/uapi/tcpk.h): RR-2650's section 2 as three tc programs. tcpk_in, at the ingress of each
 * device, copies what is for a claimed port into its owner's ring and takes it from the stack; tcpk_out, at the ingress
 * of a client's TAP, lets out what comes from its own claims and nothing else; tcpk_mute, at the TAP's egress, lets the
 * client hear nothing of the host that way.
 *
 * Everything in a packet is hostile, and so is everything from a TAP.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "kernel/bpf/table.h"
#include "kernel/uapi/tcpk.h"

#define AF_INET 2
#define PACKET_HOST 0
#define LONG_WAY_NS 1000000000ULL
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define IP_HEADER 20
#define TCP_HEADER 20
#define TCP_CHECKSUM 16
#define ICMP_HEADER 8
#define ICMP_DEST_UNREACH 3 /* RFC 792 */
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

/* What is asked of the kernel's own; where it stands there, loading finds out. */
struct sk_buff {
	__u16 mac_len, csum_start, csum_offset;
	__u8 ip_summed : 2;
	unsigned char *head, *data;
} __attribute__((preserve_access_index));
struct bpf_map {
	__u32 id;
} __attribute__((preserve_access_index));
struct bpf_iter__bpf_map {
	struct bpf_map *map;
} __attribute__((preserve_access_index));
#define NULL ((void *)0)

/* Set before loading. */
const volatile __u32 lo_ifindex = 1;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TABLE_CLAIMS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct table_key);
	__type(value, struct table_claim);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} tcpk_claims SEC(".maps");

/* How many claims a port has: what makes the way short for packets of the kernel's TCP. By the port as it is read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} tcpk_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TABLE_CLIENTS);
	__type(key, __u32);
	__type(value, struct table_client);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} tcpk_clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TABLE_CLIENTS);
	__type(key, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_RINGBUF);
		__uint(max_entries, 4096);
	});
} tcpk_rings SEC(".maps");

/* All rings that have been made and may still be there, by their maps' ids. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TABLE_CLIENTS);
	__type(key, __u32);
	__type(value, struct table_ring);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} tcpk_made SEC(".maps");

/* A TAP's ifindex to its client. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TABLE_CLIENTS);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} tcpk_taps SEC(".maps");

/* The host's own addresses, but for 127.0.0.0/8. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TABLE_LOCALS);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} tcpk_locals SEC(".maps");

/* The veths of which what leaves by them goes to their other end at once. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TABLE_SHORTCUTS);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} tcpk_shortcuts SEC(".maps");

struct neighbour {
	__u32 device;
	__be32 ip;
};

/* When a packet for a neighbour went the long way last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TABLE_NEIGHBOURS);
	__type(key, struct neighbour);
	__type(value, __u64);
} tcpk_long_ways SEC(".maps");

static __always_inline bool is_loopback(__be32 a)
{
	return (a & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
}

static __always_inline bool is_local(__be32 a)
{
	return is_loopback(a) || bpf_map_lookup_elem(&tcpk_locals, &a);
}

/* Who has this connection, address or port, in that order. */
static __always_inline struct table_claim *find(struct table_key *k)
{
	__u32 port = k->local_port, *count = bpf_map_lookup_elem(&tcpk_ports, &port);
	struct table_claim *c;

	if (!count || !*count || !is_local(k->local))
		return NULL;
	c = bpf_map_lookup_elem(&tcpk_claims, k);
	if (c)
		return c;
	k->remote = 0;
	k->remote_port = 0;
	c = bpf_map_lookup_elem(&tcpk_claims, k);
	if (c)
		return c;
	k->local = 0;
	return bpf_map_lookup_elem(&tcpk_claims, k);
}

/* Where the IP header is: behind what the device has before it, if it has. */
static __always_inline __u32 ip_at(struct __sk_buff *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx;
	__u16 len = 0;

	bpf_core_read(&len, sizeof len, &skb->mac_len);
	return len;
}

static __always_inline bool get(struct __sk_buff *skb, __u32 at, void *to, __u32 len)
{
	return !bpf_skb_load_bytes(skb, at, to, len);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/*
 * Whether somebody has seen to the checksum: the kernel left it to the device, since the data has been nowhere
 * (CHECKSUM_PARTIAL); the device has checked it (UNNECESSARY); or has summed what came (COMPLETE: the IP header sums up
 * to nothing, so what is left is the segment).
 */
static __always_inline bool is_vouched(struct __sk_buff *ctx, const struct iphdr *ip, __u32 len)
{
	struct sk_buff *skb = (struct sk_buff *)ctx;
	__u8 summed = BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed);
	__s64 sum;

	switch (summed) {
	case 1: /* CHECKSUM_UNNECESSARY */
	case 3: /* CHECKSUM_PARTIAL */
		return true;
	case 2: /* CHECKSUM_COMPLETE */
		sum = bpf_csum_update(ctx, 0);
		return sum >= 0 && ip->protocol == IPPROTO_TCP &&
		       fold((__u64)(__u32)sum + ip->saddr + ip->daddr + bpf_htons(IPPROTO_TCP) +
			    bpf_htons((__u16)(len - ip->ihl * 4))) == 0xffff;
	}
	return false;
}

/*
 * len bytes from the IP header on, which stands at net, to where the record has room for them. Sizes of a copy must
 * be constants: it takes one and, overlapping, another at the end. Larger ones in pieces, lest that costs much.
 */
#define PIECE 8192
#define TRY(size)                                                                                                      \
	if (len >= (size)) {                                                                                           \
		void *first = bpf_dynptr_data(to, at, size), *last = bpf_dynptr_data(to, at + len - (size), size);     \
		return !first || !last || bpf_skb_load_bytes(skb, net, first, size) ||                                 \
		       bpf_skb_load_bytes(skb, net + len - (size), last, size);                                        \
	}

static __always_inline long copy(struct __sk_buff *skb, __u32 net, struct bpf_dynptr *to, __u32 at, __u32 len)
{
	if (len >= PIECE) {
		for (__u32 i = 0; i < 65536 / PIECE; i++) {
			__u32 from = i * PIECE;
			void *piece;

			if (from >= len)
				break;
			if (from + PIECE > len)
				from = len - PIECE;
			piece = bpf_dynptr_data(to, at + from, PIECE);
			if (!piece || bpf_skb_load_bytes(skb, net + from, piece, PIECE))
				return -1;
		}
		return 0;
	}
	TRY(4096)
	TRY(2048)
	TRY(1024)
	TRY(512)
	TRY(256)
	TRY(128)
	TRY(64)
	TRY(32)
	return -1;
}

static __always_inline long write_record(struct __sk_buff *skb, __u32 net, struct bpf_dynptr *to, __u32 len,
					 bool vouched)
{
	struct tcpk_record *r = bpf_dynptr_data(to, 0, sizeof *r);

	if (!r)
		return -1;
	r->len = len;
	r->segment_size = skb->gso_size;
	r->checksum = vouched ? TCPK_VOUCHED : TCPK_UNCHECKED;
	r->reserved = 0;
	return copy(skb, net, to, sizeof *r, len);
}

/* Into the ring of the claim's owner. What finds no room is lost, as in any queue, and counted. */
static __always_inline void deliver(struct __sk_buff *skb, __u32 net, struct table_claim *c, const struct iphdr *ip,
				    bool vouched)
{
	__u32 client = c->client, len = bpf_ntohs(ip->tot_len);
	void *ring = bpf_map_lookup_elem(&tcpk_rings, &client);
	struct bpf_dynptr to;

	if (!ring)
		return;
	/* Discarding is a must, even of what could not be reserved. */
	if (bpf_ringbuf_reserve_dynptr(ring, sizeof(struct tcpk_record) + len, 0, &to) ||
	    write_record(skb, net, &to, len, vouched)) {
		bpf_ringbuf_discard_dynptr(&to, 0);
		__sync_fetch_and_add(&c->in_dropped, 1);
		return;
	}
	bpf_ringbuf_submit_dynptr(&to, 0);
	__sync_fetch_and_add(&c->in_segs, 1);
	__sync_fetch_and_add(&c->in_bytes, len);
}

/* An ICMP error that quotes what a claim has sent. */
static __always_inline struct table_claim *find_quoted(struct __sk_buff *skb, __u32 net, const struct iphdr *ip)
{
	__u32 at = net + ip->ihl * 4;
	struct table_key k;
	struct iphdr q;
	__u16 ports[2];
	__u8 type;

	if (!get(skb, at, &type, 1) ||
	    (type != ICMP_DEST_UNREACH && type != ICMP_TIME_EXCEEDED && type != ICMP_PARAMETERPROB))
		return NULL;
	at += ICMP_HEADER;
	if (!get(skb, at, &q, sizeof q) || q.version != 4 || q.ihl < 5 || q.protocol != IPPROTO_TCP ||
	    q.frag_off & bpf_htons(IP_OFFSET) || !get(skb, at + q.ihl * 4, ports, sizeof ports))
		return NULL;
	k = (struct table_key){ q.saddr, q.daddr, ports[0], ports[1] };
	return find(&k);
}

SEC("tc")
int tcpk_in(struct __sk_buff *skb)
{
	struct table_claim *c;
	struct table_key k;
	struct iphdr ip;
	__u16 ports[2];
	__u32 net;

	/* What is for this host, by this device. TC_ACT_UNSPEC: other programs may look at the rest. */
	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->pkt_type != PACKET_HOST || skb->vlan_present)
		return TC_ACT_UNSPEC;
	net = ip_at(skb);
	if (!get(skb, net, &ip, sizeof ip) || ip.version != 4 || ip.ihl < 5)
		return TC_ACT_UNSPEC;
	if (ip.protocol == IPPROTO_ICMP) {
		/* Others may want to see it as well. */
		if (!(ip.frag_off & bpf_htons(IP_MF | IP_OFFSET))) {
			c = find_quoted(skb, net, &ip);
			if (c)
				deliver(skb, net, c, &ip, false);
		}
		return TC_ACT_UNSPEC;
	}
	if (ip.protocol != IPPROTO_TCP || ip.frag_off & bpf_htons(IP_OFFSET) ||
	    !get(skb, net + ip.ihl * 4, ports, sizeof ports))
		return TC_ACT_UNSPEC;
	k = (struct table_key){ ip.daddr, ip.saddr, ports[1], ports[0] };
	c = find(&k);
	/* RFC 1122 3.2.1.3: from this host, or for loopback, comes nothing by a cable. The kernel drops it. */
	if (!c || (skb->ifindex != lo_ifindex && (is_loopback(ip.daddr) || is_local(ip.saddr))))
		return TC_ACT_UNSPEC;
	/* Of fragments the first has the ports; without it the rest is never put together, and nobody answers by RST. */
	if (ip.frag_off & bpf_htons(IP_MF))
		__sync_fetch_and_add(&c->in_dropped, 1);
	else
		deliver(skb, net, c, &ip, is_vouched(skb, &ip, bpf_ntohs(ip.tot_len)));
	return TC_ACT_STOLEN;
}

/*
 * To the other end of a veth, where it is as if it had come by it: without this end's queue, its tc, and what watches
 * it. To each neighbour a packet of each second goes the long way, since only that keeps it known.
 */
static __always_inline bool to_other_end(struct __sk_buff *skb, const struct bpf_fib_lookup *route)
{
	struct neighbour to = { route->ifindex, route->ipv4_dst };
	__u64 *last, now = bpf_ktime_get_coarse_ns();
	struct ethhdr eth;

	if (!bpf_map_lookup_elem(&tcpk_shortcuts, &to.device))
		return false;
	last = bpf_map_lookup_elem(&tcpk_long_ways, &to);
	if (!last || now - *last > LONG_WAY_NS) {
		bpf_map_update_elem(&tcpk_long_ways, &to, &now, BPF_ANY);
		return false;
	}
	__builtin_memcpy(eth.h_dest, route->dmac, ETH_ALEN);
	__builtin_memcpy(eth.h_source, route->smac, ETH_ALEN);
	eth.h_proto = bpf_htons(ETH_P_IP);
	return !bpf_skb_store_bytes(skb, 0, &eth, sizeof eth, 0) && !bpf_skb_change_type(skb, PACKET_HOST);
}

/*
 * To the device that the host's routes name, asked as if the packet came from the host itself: by loopback. What is too
 * large for it does not go, nor what would be when it is cut.
 */
static __always_inline int to_remote(struct __sk_buff *skb, const struct iphdr *ip, __u8 tcp_header)
{
	struct bpf_fib_lookup route = { .family = AF_INET, .ipv4_src = ip->saddr, .ipv4_dst = ip->daddr,
		.l4_protocol = IPPROTO_TCP, .ifindex = lo_ifindex };
	struct bpf_redir_neigh hop = { 0 };
	long e;

	route.tot_len = skb->gso_size ? skb->gso_size + IP_HEADER + tcp_header : bpf_ntohs(ip->tot_len);
	e = bpf_fib_lookup(skb, &route, sizeof route, 0);
	if (e != BPF_FIB_LKUP_RET_SUCCESS && e != BPF_FIB_LKUP_RET_NO_NEIGH)
		return TC_ACT_SHOT;
	/* RFC 8950: the next hop may have an IPv6 address. */
	if (e == BPF_FIB_LKUP_RET_SUCCESS && route.family == AF_INET && to_other_end(skb, &route))
		return bpf_redirect_peer(route.ifindex, 0);
	hop.nh_family = route.family;
	__builtin_memcpy(hop.ipv6_nh, route.ipv6_dst, sizeof hop.ipv6_nh); /* or an IPv4 one, at the same place */
	return bpf_redirect_neigh(route.ifindex, &hop, sizeof hop, 0);
}

/* To a claim of this host, without the kernel's TCP, or else to that one. */
static __always_inline int to_local(struct __sk_buff *skb, const struct iphdr *ip, const __u16 ports[2])
{
	struct table_key k = { ip->daddr, ip->saddr, ports[1], ports[0] };
	struct table_claim *c = find(&k);

	if (!c)
		return bpf_redirect(lo_ifindex, BPF_F_INGRESS);
	deliver(skb, ETH_HLEN, c, ip, true);
	return TC_ACT_STOLEN;
}

/* One host, as far as the address tells: bpf_fib_lookup would send anything else by the default route. */
static __always_inline bool is_unicast(__be32 a)
{
	__u8 first = bpf_ntohl(a) >> 24;

	return first && first < 224;
}

/*
 * Whether a checksum that is still to be put in comes where TCP has it. Wherever else the packet's writer wants two
 * bytes to be written, they are written once nobody looks any more, and addresses and ports are what he likes.
 */
static __always_inline bool is_sum_in_place(struct __sk_buff *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx;
	__u16 start = 0, offset = 0;
	unsigned char *head = NULL, *data = NULL;

	if (BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed) != 3) /* CHECKSUM_PARTIAL */
		return true;
	bpf_core_read(&start, sizeof start, &skb->csum_start);
	bpf_core_read(&offset, sizeof offset, &skb->csum_offset);
	bpf_core_read(&head, sizeof head, &skb->head);
	bpf_core_read(&data, sizeof data, &skb->data);
	return head + start == data + ETH_HLEN + IP_HEADER && offset == TCP_CHECKSUM;
}

/* One write becomes no more packets than by the module: the kernel cuts them in one go, while the processor waits. */
static __always_inline bool is_cut_in_few(struct __sk_buff *skb, __u8 tcp_header)
{
	return !skb->gso_size || skb->len - ETH_HLEN - IP_HEADER - tcp_header <= TCPK_SEGMENTS * skb->gso_size;
}

SEC("tc")
int tcpk_out(struct __sk_buff *skb)
{
	__u32 tap = skb->ifindex, *client = bpf_map_lookup_elem(&tcpk_taps, &tap), index;
	struct table_client *who;
	struct table_claim *c;
	struct table_key k;
	struct iphdr ip;
	__u16 ports[2];
	__u8 offset; /* RFC 9293's data offset, in the upper half */
	int verdict;

	if (!client)
		return TC_ACT_SHOT;
	index = *client;
	who = bpf_map_lookup_elem(&tcpk_clients, &index);
	if (!who)
		return TC_ACT_SHOT;
	/* No options: those that choose a way could lead answers astray. */
	if (skb->protocol != bpf_htons(ETH_P_IP) || !get(skb, ETH_HLEN, &ip, sizeof ip) || ip.version != 4 || ip.ihl != 5 ||
	    ip.protocol != IPPROTO_TCP || ip.frag_off & bpf_htons(IP_MF | IP_OFFSET) ||
	    bpf_ntohs(ip.tot_len) + ETH_HLEN != skb->len || skb->len < ETH_HLEN + IP_HEADER + TCP_HEADER ||
	    !get(skb, ETH_HLEN + IP_HEADER, ports, sizeof ports) ||
	    !get(skb, ETH_HLEN + IP_HEADER + 12, &offset, 1) || skb->vlan_present || !is_unicast(ip.daddr) ||
	    !is_sum_in_place(skb) || !is_cut_in_few(skb, (offset >> 4) * 4))
		goto refuse;
	k = (struct table_key){ ip.saddr, ip.daddr, ports[0], ports[1] };
	c = find(&k);
	if (!c || c->client != index)
		goto refuse;
	if (is_local(ip.daddr))
		verdict = to_local(skb, &ip, ports);
	else if (is_loopback(ip.saddr))
		goto refuse;
	else
		verdict = to_remote(skb, &ip, (offset >> 4) * 4);
	if (verdict == TC_ACT_SHOT)
		goto refuse;
	__sync_fetch_and_add(&c->out_segs, 1);
	__sync_fetch_and_add(&c->out_bytes, skb->len - ETH_HLEN);
	return verdict;
refuse:
	__sync_fetch_and_add(&who->out_refused, 1);
	return TC_ACT_SHOT;
}

SEC("tc")
int tcpk_mute(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_SHOT;
}

/*
 * Whether a reader who claims to have read what is not written yet can make two records share a place: then bytes of a
 * packet would stand where the kernel keeps a record's header (CVE-2024-41009). Says how many there were; one is right.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TABLE_PROBE);
} tcpk_probed SEC(".maps");

SEC("tc")
int tcpk_probe(struct __sk_buff *skb)
{
	void *one = bpf_ringbuf_reserve(&tcpk_probed, TABLE_PROBE / 4 * 3, 0), *two;

	(void)skb;
	if (!one)
		return 0;
	two = bpf_ringbuf_reserve(&tcpk_probed, TABLE_PROBE / 4 * 3, 0);
	if (two)
		bpf_ringbuf_discard(two, BPF_RB_NO_WAKEUP);
	bpf_ringbuf_discard(one, BPF_RB_NO_WAKEUP);
	return two ? 2 : 1;
}

/* Called with each map that there is in the kernel. */
SEC("iter/bpf_map")
int tcpk_see(struct bpf_iter__bpf_map *each)
{
	struct bpf_map *map = each->map;
	struct table_ring *ring;
	__u32 id;

	if (!map) /* the end */
		return 0;
	id = map->id;
	ring = bpf_map_lookup_elem(&tcpk_made, &id);
	if (ring)
		ring->seen = 1;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

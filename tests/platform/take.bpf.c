/* At a device's tc hook: takes the packets for a port, super-segments and all, into the ring of the port's slot. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/platform/take.h"

#define UNREACHABLE 3

struct icmp { /* the kernel's own header wants a libc */
	__u8 type, code;
	__be16 sum, unused, mtu;
};

/* All that we ask of the kernel's own, wherever its bits stand there. */
struct sk_buff {
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TAKE_SLOTS);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_RINGBUF);
		__uint(max_entries, 4096);
	});
} rings SEC(".maps");

__u16 ports[TAKE_SLOTS]; /* 0: none */
int verdict;             /* for their packets; 2 is TC_ACT_SHOT */
__u64 wakeup;            /* flags for the ring */
struct take_seen seen[TAKE_SLOTS];

/* A size must be constant for the verifier, and a packet has any: a piece from the beginning, and one of the same size
 * that ends where the packet ends, overlap as much as they must. */
#define PIECES(n) \
	if (len >= (n)) { \
		void *head = bpf_dynptr_data(&room, sizeof *r, n); \
		void *tail = bpf_dynptr_data(&room, sizeof *r + len - (n), n); \
		if (head && tail) \
			bad = bpf_skb_load_bytes(skb, ETH_HLEN, head, n) | bpf_skb_load_bytes(skb, ETH_HLEN + len - (n), tail, n); \
	} else

static __always_inline long put(struct __sk_buff *skb, void *ring)
{
	__u32 len = skb->len - ETH_HLEN;
	struct take_record *r;
	struct bpf_dynptr room;
	long bad = -1;

	if (bpf_ringbuf_reserve_dynptr(ring, sizeof *r + len, 0, &room)) {
		bpf_ringbuf_discard_dynptr(&room, BPF_RB_NO_WAKEUP); /* the verifier wants it all the same */
		return -1;
	}
	r = bpf_dynptr_data(&room, 0, sizeof *r);
	if (r) {
		r->len = len;
		r->gso_size = skb->gso_size;
		/* Reads kernel memory, not the context: it needs CAP_PERFMON of whoever loads. */
		r->summed = BPF_CORE_READ_BITFIELD_PROBED((struct sk_buff *)skb, ip_summed);
		r->level = (__s32)bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY);
		r->complete = bpf_csum_update(skb, 0);
		PIECES(32768) PIECES(16384) PIECES(8192) PIECES(4096) PIECES(2048) PIECES(1024) PIECES(512) PIECES(256)
		PIECES(128) PIECES(64) PIECES(32) PIECES(16) PIECES(8) PIECES(4) PIECES(2) PIECES(1)
			bad = 0;
	}
	if (bad)
		bpf_ringbuf_discard_dynptr(&room, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_submit_dynptr(&room, wakeup);
	return bad;
}

/* TAKE_SLOTS: of none. */
static __always_inline __u32 slot_of(__be16 port)
{
	__u32 slot = 0;

	while (slot < TAKE_SLOTS && (!ports[slot] || ports[slot] != bpf_ntohs(port)))
		slot++;
	return slot;
}

static __always_inline void note(struct __sk_buff *skb, struct take_seen *s, const struct tcphdr *tcp)
{
	__u32 len = skb->len - ETH_HLEN, summed = BPF_CORE_READ_BITFIELD_PROBED((struct sk_buff *)skb, ip_summed);

	__sync_fetch_and_add(&s->packets, 1);
	__sync_fetch_and_add(&s->bytes, len);
	__sync_fetch_and_add(&s->summed[summed & 3], 1);
	if (skb->gso_size)
		__sync_fetch_and_add(&s->supers, 1);
	if (tcp->rst)
		__sync_fetch_and_add(&s->resets, 1);
	if (len > s->longest)
		s->longest = len;
}

static __always_inline int take_error(struct __sk_buff *skb, __u32 at)
{
	struct icmp icmp;
	struct iphdr quoted;
	__be16 port;
	__u32 slot;

	if (bpf_skb_load_bytes(skb, at, &icmp, sizeof icmp) || icmp.type != UNREACHABLE ||
		bpf_skb_load_bytes(skb, at + sizeof icmp, &quoted, sizeof quoted) ||
		bpf_skb_load_bytes(skb, at + sizeof icmp + quoted.ihl * 4, &port, sizeof port))
		return 0;
	slot = slot_of(port);
	if (slot >= TAKE_SLOTS)
		return 0;
	seen[slot].error_code = icmp.code;
	seen[slot].error_mtu = bpf_ntohs(icmp.mtu);
	__sync_fetch_and_add(&seen[slot].errors, 1);
	return verdict;
}

SEC("tc")
int take(struct __sk_buff *skb)
{
	struct tcphdr tcp;
	struct iphdr ip;
	struct take_seen *s;
	void *ring;
	__u32 slot;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof ip))
		return 0;
	if (ip.protocol == IPPROTO_ICMP)
		return take_error(skb, ETH_HLEN + ip.ihl * 4);
	if (ip.protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, ETH_HLEN + ip.ihl * 4, &tcp, sizeof tcp))
		return 0;
	slot = slot_of(tcp.dest);
	if (slot >= TAKE_SLOTS)
		return 0;
	s = &seen[slot];
	note(skb, s, &tcp);
	ring = bpf_map_lookup_elem(&rings, &slot);
	if (ring)
		__sync_fetch_and_add(put(skb, ring) ? &s->full : &s->taken, 1);
	return verdict;
}

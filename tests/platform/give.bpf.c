/* At a TAP's tc ingress: sends what its client writes, if it comes from the client's address, where it is to go. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__be32 source;      /* the client's address */
__u32 input;        /* the device to ask for a route as */
__u32 lookup_flags;
__u32 loopback = 1; /* the device that local packets go to */
__u64 sent, looped, refused;
/* The last answer, and what came with it. */
long answer;
__u32 output, mtu;
__be32 hop;

SEC("tc")
int give(struct __sk_buff *skb)
{
	struct bpf_fib_lookup fib = { .family = AF_INET, .ifindex = input, .l4_protocol = IPPROTO_TCP };
	struct bpf_redir_neigh neigh = { .nh_family = AF_INET };
	struct tcphdr tcp;
	struct iphdr ip;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof ip) ||
		ip.protocol != IPPROTO_TCP || ip.saddr != source ||
		bpf_skb_load_bytes(skb, ETH_HLEN + ip.ihl * 4, &tcp, sizeof tcp)) {
		__sync_fetch_and_add(&refused, 1);
		return TC_ACT_SHOT;
	}
	fib.ipv4_src = ip.saddr;
	fib.ipv4_dst = ip.daddr;
	fib.tos = ip.tos & 0x1c;
	/* Of one packet on the wire: without this only the device's MTU is looked at, and of a super-segment not even that. */
	fib.tot_len = skb->gso_size ? (__u16)(skb->gso_size + ip.ihl * 4 + tcp.doff * 4) : bpf_ntohs(ip.tot_len);
	answer = bpf_fib_lookup(skb, &fib, sizeof fib, lookup_flags);
	output = fib.ifindex;
	hop = fib.ipv4_dst;
	mtu = fib.mtu_result;
	switch (answer) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH: /* the kernel asks for it, and keeps the packet meanwhile */
		__sync_fetch_and_add(&sent, 1);
		neigh.ipv4_nh = fib.ipv4_dst;
		return (int)bpf_redirect_neigh(fib.ifindex, &neigh, sizeof neigh, 0);
	case BPF_FIB_LKUP_RET_NOT_FWDED: /* local, or no route at all */
		__sync_fetch_and_add(&looped, 1);
		return (int)bpf_redirect(loopback, BPF_F_INGRESS);
	}
	__sync_fetch_and_add(&refused, 1);
	return TC_ACT_SHOT;
}

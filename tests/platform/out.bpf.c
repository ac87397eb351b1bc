/* At a device's tc egress: mute lets nothing out; guard lets out of a port what came by a TAP, and nothing of the
 * kernel's own TCP. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 muted;
__u16 port;
__u32 came_by;          /* the device that the last packet of the port came by; 0: none, it was made here */
__u64 passed, held, resets; /* packets of the port; RSTs among those held */

SEC("tc")
int mute(struct __sk_buff *skb)
{
	(void)skb;
	__sync_fetch_and_add(&muted, 1);
	return TC_ACT_SHOT;
}

SEC("tc")
int guard(struct __sk_buff *skb)
{
	struct tcphdr tcp;
	struct iphdr ip;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof ip) ||
		ip.protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, ETH_HLEN + ip.ihl * 4, &tcp, sizeof tcp) ||
		tcp.source != bpf_htons(port))
		return TC_ACT_OK;
	came_by = skb->ingress_ifindex;
	if (skb->ingress_ifindex) {
		__sync_fetch_and_add(&passed, 1);
		return TC_ACT_OK;
	}
	__sync_fetch_and_add(&held, 1);
	if (tcp.rst)
		__sync_fetch_and_add(&resets, 1);
	return TC_ACT_SHOT;
}

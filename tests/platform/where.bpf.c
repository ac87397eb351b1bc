/* At a device's tc ingress, whatever device it is: what can be known of a TCP packet beside what stands in it. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u16 port;
__u64 packets;
/* Of the last: */
__u32 pkt_type, vlan;
__u32 around; /* bytes before its IP header and behind its end */
long deep, deep_relative; /* what the two helpers answer that are asked for a byte at 30000 */

SEC("tc")
int where(struct __sk_buff *skb)
{
	struct tcphdr tcp;
	struct iphdr ip;
	__u8 byte;

	/* From the network header: there may be another before it than Ethernet's, or none. */
	if (skb->protocol != bpf_htons(ETH_P_IP) ||
		bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof ip, BPF_HDR_START_NET) || ip.protocol != IPPROTO_TCP ||
		bpf_skb_load_bytes_relative(skb, ip.ihl * 4, &tcp, sizeof tcp, BPF_HDR_START_NET) ||
		tcp.dest != bpf_htons(port))
		return 0;
	pkt_type = skb->pkt_type;
	vlan = skb->vlan_present ? skb->vlan_tci & 0xfff : 0;
	deep = bpf_skb_load_bytes(skb, 30000, &byte, 1);
	deep_relative = bpf_skb_load_bytes_relative(skb, 30000, &byte, 1, BPF_HDR_START_NET);
	around = skb->len - bpf_ntohs(ip.tot_len);
	__sync_fetch_and_add(&packets, 1);
	return 0;
}

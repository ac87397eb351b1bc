// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What comes: a hook at the end of IP's input, behind reassembly and netfilter's rules, takes what is TCPK's before the
 * kernel's TCP sees it. It is there as long as somebody in the namespace claims something.
 */
#include "tcpk.h"

#include <linux/bpf-cgroup.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/ip6_checksum.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/route.h>
#include <net/xfrm.h>

#define PACKET_MAX 65535

/*
 * Connection tracking notes a connection when its first packet has come through, which it learns from the last hook of
 * all, and so never of what is taken before. It must be told, once: what it knows already is not to be told again.
 */
static bool confirm(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	struct nf_conn *ct = (struct nf_conn *)skb_nfct(skb);
	const struct nf_ct_hook *hook;

	if (!ct || nf_ct_is_confirmed(ct))
		return true;
	hook = rcu_dereference(nf_ct_hook);
	return !hook || hook->confirm(skb) == NF_ACCEPT;
#else
	return true;
#endif
}

/* Whether the TCP checksum is known to be right, or is nobody's business; a short packet is summed at once. */
static u8 checksum_state(struct sk_buff *skb)
{
	if (skb_checksum_init(skb, IPPROTO_TCP, inet_compute_pseudo))
		return TCPK_UNCHECKED;
	return skb_csum_unnecessary(skb) ? TCPK_VOUCHED : TCPK_UNCHECKED;
}

/* The last gate: from here on it waits, or is dropped. @skb begins with the TCP header. */
static bool enqueue(struct tcpk_sock *tk, struct sk_buff *skb)
{
	struct sock *sk = tcpk_to_sk(tk);
	bool is_ours, has_room = false;
	unsigned long flags;

	skb_orphan(skb);
	tcpk_dawdle("enqueue");
	spin_lock_irqsave(&sk->sk_receive_queue.lock, flags);
	is_ours = !sock_flag(sk, SOCK_DEAD) && tcpk_is_for(sk, &tcpk_cb(skb)->pair);
	if (is_ours)
		has_room = atomic_read(&sk->sk_rmem_alloc) < READ_ONCE(sk->sk_rcvbuf);
	if (has_room) {
		skb_set_owner_r(skb, sk);
		atomic64_inc(&tk->counts[IN_SEGS]);
		atomic64_add(skb->len, &tk->counts[IN_BYTES]);
		__skb_queue_tail(&sk->sk_receive_queue, skb);
	}
	spin_unlock_irqrestore(&sk->sk_receive_queue.lock, flags);
	if (has_room)
		return true;
	if (is_ours) {
		atomic64_inc(&tk->counts[IN_DROPPED]);
		atomic_inc(&sk->sk_drops);
	}
	kfree_skb(skb);
	return false;
}

/* One packet, of @ip_len bytes of IP header and a segment. Returns whether it waits now. */
static bool take(struct tcpk_sock *tk, struct sk_buff *skb, const struct tcpk_pair *pair, unsigned int ip_len)
{
	unsigned int tcp_len;

	if (!pskb_may_pull(skb, ip_len + sizeof(struct tcphdr)))
		goto drop;
	tcp_len = ((struct tcphdr *)(skb->data + ip_len))->doff * 4;
	if (tcp_len < sizeof(struct tcphdr) || !pskb_may_pull(skb, ip_len + tcp_len))
		goto drop;
	__skb_pull(skb, ip_len);
	skb_reset_transport_header(skb);
	*tcpk_cb(skb) = (struct tcpk_cb){
		.pair = *pair,
		.segment_size = skb_is_gso(skb) ? skb_shinfo(skb)->gso_size : 0,
		.checksum = checksum_state(skb),
		.tos = ip_hdr(skb)->tos,
	};
	if (sk_filter_trim_cap(tcpk_to_sk(tk), skb, tcp_len))
		goto drop;
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb->dev = NULL;
	return enqueue(tk, skb);

drop:
	kfree_skb(skb);
	return false;
}

/* Cutting makes each checksum anew: what nobody has vouched for must be looked at before. */
static bool is_intact(struct sk_buff *skb, unsigned int ip_len)
{
	bool bad;

	__skb_pull(skb, ip_len);
	bad = skb_checksum_init(skb, IPPROTO_TCP, inet_compute_pseudo) || skb_checksum_complete(skb);
	__skb_push(skb, ip_len);
	return !bad;
}

/* What was merged, as it was on the wire. */
static bool take_cut(struct tcpk_sock *tk, struct sk_buff *skb, const struct tcpk_pair *pair, unsigned int ip_len)
{
	struct sk_buff *segment, *next, *list = NULL;
	bool any = false;

	if (is_intact(skb, ip_len))
		list = __skb_gso_segment(skb, NETIF_F_SG | NETIF_F_HW_CSUM, false);
	if (IS_ERR_OR_NULL(list)) {
		kfree_skb(skb);
		return false;
	}
	consume_skb(skb);
	skb_list_walk_safe(list, segment, next) {
		skb_mark_not_on_list(segment);
		any |= take(tk, segment, pair, ip_len);
	}
	return any;
}

static void deliver(struct tcpk_sock *tk, struct sk_buff *skb, const struct tcpk_pair *pair)
{
	struct sock *sk = tcpk_to_sk(tk);
	unsigned int ip_len = ip_hdrlen(skb);
	bool any;

	if (!confirm(skb) || !xfrm4_policy_check(sk, XFRM_POLICY_IN, skb)) {
		kfree_skb(skb);
		return;
	}
	if (skb_is_gso(skb) && (!READ_ONCE(tk->super) || skb->len > PACKET_MAX))
		any = take_cut(tk, skb, pair, ip_len);
	else
		any = take(tk, skb, pair, ip_len);
	if (any)
		sk->sk_data_ready(sk);
}

static unsigned int tcp_input(struct net *net, struct sk_buff *skb)
{
	unsigned int ip_len = ip_hdrlen(skb);
	struct tcpk_sock *tk;
	struct tcpk_pair pair;
	const struct tcphdr *th;

	/* What is not to this host alone, or has no header, the kernel's TCP drops without an answer. */
	if (skb->pkt_type != PACKET_HOST || skb_rtable(skb)->rt_type != RTN_LOCAL ||
	    !pskb_may_pull(skb, ip_len + sizeof(*th)))
		return NF_ACCEPT;
	th = (const struct tcphdr *)(skb->data + ip_len);
	pair = (struct tcpk_pair){ .local = ip_hdr(skb)->daddr, .local_port = th->dest,
		.remote = ip_hdr(skb)->saddr, .remote_port = th->source };
	tk = tcpk_find(net, skb, &pair);
	if (!tk)
		return NF_ACCEPT;
	tcpk_dawdle("find");
	deliver(tk, skb, &pair);
	return NF_STOLEN;
}

/* The caller has RCU's lock. */
static unsigned int input(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	switch (ip_hdr(skb)->protocol) {
	case IPPROTO_TCP:
		return tcp_input(state->net, skb);
	case IPPROTO_ICMP:
		tcpk_icmp(state->net, skb);
	}
	return NF_ACCEPT;
}

static const struct nf_hook_ops hook = {
	.hook = input,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	/* Behind all rules; connection tracking's own end is still to come. */
	.priority = NF_IP_PRI_CONNTRACK_CONFIRM - 1,
};

int tcpk_hook_add(struct net *net)
{
	return nf_register_net_hook(net, &hook);
}

/* Some may still be inside when this returns: see tcpk.h. */
void tcpk_hook_remove(struct net *net)
{
	nf_unregister_net_hook(net, &hook);
}

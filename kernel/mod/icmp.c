// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * ICMP's errors about packets of ours (RFC 792, RFC 1122 3.2.2, RFC 1191). The kernel's TCP gets them as well, and
 * knows nothing of the connection. What is quoted is not believed beyond finding the socket: whether the sequence
 * number is one that was sent (RFC 5927) only the process can tell, so it is given the quotation.
 */
#include "tcpk.h"

#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <net/icmp.h>
#include <net/route.h>

#define ICMP_HEADER 8
#define QUOTE_MIN 8 /* behind the IP header: ports and sequence number */

/* What a message says. */
struct word {
	struct tcpk_pair pair;
	unsigned int quote; /* where the quoted IP header begins, from @skb->data on */
	unsigned int segment; /* and where that is over */
	int err;
	u32 mtu;
	u8 type, code;
};

static bool read_kind(const struct icmphdr *icmp, struct word *w)
{
	w->type = icmp->type;
	w->code = icmp->code;
	switch (icmp->type) {
	case ICMP_DEST_UNREACH:
		if (icmp->code > NR_ICMP_UNREACH)
			return false;
		w->err = icmp_err_convert[icmp->code].errno;
		if (icmp->code == ICMP_FRAG_NEEDED) {
			w->err = EMSGSIZE;
			w->mtu = ntohs(icmp->un.frag.mtu);
		}
		return true;
	case ICMP_TIME_EXCEEDED:
		w->err = EHOSTUNREACH;
		return true;
	case ICMP_PARAMETERPROB:
		w->err = EPROTO;
		return true;
	default: /* source quench among them: RFC 6633 */
		return false;
	}
}

static bool read_word(const struct sk_buff *skb, struct word *w)
{
	unsigned int at = ip_hdrlen(skb);
	struct icmphdr icmp_copy, *icmp;
	struct iphdr ip_copy, *ip;
	__be16 ports_copy[QUOTE_MIN / 2], *ports;

	icmp = skb_header_pointer(skb, at, sizeof(icmp_copy), &icmp_copy);
	if (!icmp || !read_kind(icmp, w))
		return false;
	w->quote = at + ICMP_HEADER;
	ip = skb_header_pointer(skb, w->quote, sizeof(ip_copy), &ip_copy);
	if (!ip || ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_TCP || ip->frag_off & htons(IP_OFFSET))
		return false;
	w->segment = w->quote + ip->ihl * 4;
	ports = skb_header_pointer(skb, w->segment, sizeof(ports_copy), ports_copy);
	if (!ports)
		return false;
	w->pair = (struct tcpk_pair){ .local = ip->saddr, .local_port = ports[0], .remote = ip->daddr,
		.remote_port = ports[1] };
	return true;
}

/* IP_RECVERR: what recvmsg(MSG_ERRQUEUE) gives, the quoted segment being its data. */
static void queue_error(struct sock *sk, struct sk_buff *skb, const struct word *w)
{
	struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC);
	struct sock_exterr_skb *e;

	if (!copy)
		return;
	e = SKB_EXT_ERR(copy);
	e->ee = (struct sock_extended_err){ .ee_errno = w->err, .ee_origin = SO_EE_ORIGIN_ICMP, .ee_type = w->type,
		.ee_code = w->code, .ee_info = w->mtu, .ee_data = (__force u32)w->pair.local };
	e->addr_offset = w->quote + offsetof(struct iphdr, daddr);
	e->port = w->pair.remote_port;
	e->opt_stats = 0;
	nf_reset_ct(copy);
	__skb_pull(copy, w->segment);
	skb_reset_transport_header(copy);
	if (sock_queue_err_skb(sk, copy))
		kfree_skb(copy);
}

/*
 * The host's view of a path is everybody's. So a port alone, which is easily known, does not change it: whoever says so
 * must know the connection as well, and the socket leave the judgement to the kernel, as one that probes does not.
 */
static bool may_update_mtu(const struct sock *sk, const struct word *w)
{
	return w->mtu && tcpk_is_connected(sk) && tcpk_is_for(sk, &w->pair) &&
	       READ_ONCE(inet_sk(sk)->pmtudisc) != IP_PMTUDISC_PROBE;
}

static void update_mtu(struct sock *sk, struct sk_buff *skb, const struct word *w)
{
	__skb_pull(skb, w->quote);
	ipv4_sk_update_pmtu(skb, sk, w->mtu);
	__skb_push(skb, w->quote);
}

/**
 * tcpk_icmp() - looks whether an ICMP message is about a packet of ours
 * @net: the namespace it came to
 * @skb: the message, from its IP header on; it goes its way afterwards
 *
 * The caller has RCU's lock.
 */
void tcpk_icmp(struct net *net, struct sk_buff *skb)
{
	struct tcpk_sock *tk;
	struct word w = { 0 };
	struct sock *sk;

	if (!read_word(skb, &w))
		return;
	tk = tcpk_find(net, skb, &w.pair);
	if (!tk)
		return;
	if (csum_fold(skb_checksum(skb, ip_hdrlen(skb), skb->len - ip_hdrlen(skb), 0)))
		return;
	if (!pskb_may_pull(skb, w.segment + QUOTE_MIN))
		return;
	sk = tcpk_to_sk(tk);
	tcpk_dawdle("icmp");
	if (!tcpk_is_for(sk, &w.pair)) /* connected meanwhile */
		return;
	if (may_update_mtu(sk, &w))
		update_mtu(sk, skb, &w);
	if (tcpk_wants_errors(sk))
		queue_error(sk, skb, &w);
	else if (!tcpk_is_connected(sk))
		return; /* nobody could tell whose */
	WRITE_ONCE(sk->sk_err, w.err);
	sk_error_report(sk);
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * sendmsg: what leaves is one segment, or a large one that the kernel below cuts. The TCP header is the process's, but
 * for the ports, which must be the socket's, and the IP header is ours: nothing can be sent in another's name.
 */
#include "tcpk.h"

#include <linux/in.h>
#include <linux/net.h>
#include <net/route.h>
#include <net/tcp.h>

#define PACKET_MAX 65535

/* A segment on its way. */
struct out {
	struct tcpk_pair pair;
	struct tcpk_offload offload;
	struct tcphdr th;
	u32 len, header_len;
	u8 tos;
};

/**
 * tcpk_route() - the way to a remote
 * @sk: the socket
 * @pair: the connection; local 0: the route says which address
 * @tos: of the IP header
 * @source: where the local address goes; may be NULL
 *
 * Return: a route that the caller releases, or the ERR_PTR of what connect() or sendmsg() would say.
 */
struct rtable *tcpk_route(struct sock *sk, const struct tcpk_pair *pair, u8 tos, __be32 *source)
{
	struct flowi4 fl4 = {
		.flowi4_iif = LOOPBACK_IFINDEX,
		.flowi4_oif = READ_ONCE(sk->sk_bound_dev_if),
		.flowi4_mark = READ_ONCE(sk->sk_mark),
		.flowi4_uid = sock_net_uid(sock_net(sk), sk),
		.flowi4_proto = IPPROTO_TCP,
		.daddr = pair->remote,
		.saddr = pair->local,
		.fl4_sport = pair->local_port,
		.fl4_dport = pair->remote_port,
	};
	struct rtable *rt;

	tcpk_flow_tos(&fl4, tos);
	security_sk_classify_flow(sk, flowi4_to_flowi_common(&fl4));
	rt = ip_route_output_flow(sock_net(sk), &fl4, sk);
	if (IS_ERR(rt))
		return rt;
	if (rt->rt_flags & (RTCF_MULTICAST | RTCF_BROADCAST)) {
		ip_rt_put(rt);
		return ERR_PTR(-ENETUNREACH);
	}
	if (source)
		*source = fl4.saddr;
	return rt;
}

/* A connected socket remembers its way. */
static struct rtable *route_out(struct sock *sk, struct out *o)
{
	struct rtable *rt;

	if (!tcpk_is_connected(sk))
		return tcpk_route(sk, &o->pair, o->tos, &o->pair.local);
	rt = (struct rtable *)sk_dst_check(sk, 0);
	if (rt)
		return rt;
	rt = tcpk_route(sk, &o->pair, READ_ONCE(inet_sk(sk)->tos), NULL);
	if (!IS_ERR(rt))
		sk_dst_set(sk, dst_clone(&rt->dst));
	return rt;
}

static int read_control(struct sock *sk, struct msghdr *msg, struct out *o)
{
	struct cmsghdr *c;

	o->tos = READ_ONCE(inet_sk(sk)->tos);
	for_each_cmsghdr(c, msg) {
		if (!CMSG_OK(msg, c))
			return -EINVAL;
		if (c->cmsg_level != SOL_TCPK)
			continue;
		if (c->cmsg_type != TCPK_OFFLOAD || c->cmsg_len != CMSG_LEN(sizeof(o->offload)))
			return -EINVAL;
		memcpy(&o->offload, CMSG_DATA(c), sizeof(o->offload));
	}
	if (o->offload.flags & ~(TCPK_FINISH | TCPK_TOS) ||
	    (o->offload.segment_size && !(o->offload.flags & TCPK_FINISH)))
		return -EINVAL;
	if (o->offload.flags & TCPK_TOS)
		o->tos = o->offload.tos;
	return 0;
}

/* Who to, and from which of our addresses. */
static int read_pair(struct sock *sk, const struct tcpk_port *port, const struct msghdr *msg, struct out *o)
{
	const struct sockaddr_in *to = msg->msg_name;
	const struct inet_sock *inet = inet_sk(sk);
	bool connected = tcpk_is_connected(sk);
	__be32 from = o->offload.local;

	if (to && msg->msg_namelen < sizeof(*to))
		return -EINVAL;
	if (to && to->sin_family != AF_INET)
		return -EAFNOSUPPORT;
	if (!to && !connected)
		return -EDESTADDRREQ;
	if (to && connected && (to->sin_addr.s_addr != inet->inet_daddr || to->sin_port != inet->inet_dport))
		return -EISCONN;
	o->pair = (struct tcpk_pair){ .local = connected ? inet->inet_saddr : port->addr, .local_port = port->port,
		.remote = to ? to->sin_addr.s_addr : inet->inet_daddr,
		.remote_port = to ? to->sin_port : inet->inet_dport };
	if (!o->pair.remote || !o->pair.remote_port)
		return -EINVAL;
	if (!from || from == o->pair.local)
		return 0;
	if (o->pair.local || inet_addr_type(sock_net(sk), from) != RTN_LOCAL)
		return -EPERM;
	o->pair.local = from;
	return 0;
}

/* What is looked at is in our memory from here on: nobody can change it any more. */
static int read_header(struct msghdr *msg, struct out *o)
{
	if (o->len < sizeof(o->th))
		return -EINVAL;
	if (o->len > PACKET_MAX - sizeof(struct iphdr))
		return -EMSGSIZE;
	if (!copy_from_iter_full(&o->th, sizeof(o->th), &msg->msg_iter))
		return -EFAULT;
	o->header_len = o->th.doff * 4;
	if (o->header_len < sizeof(o->th) || o->header_len > o->len)
		return -EINVAL;
	if (o->th.source != o->pair.local_port || o->th.dest != o->pair.remote_port)
		return -EPERM;
	if (o->offload.segment_size && DIV_ROUND_UP(o->len - o->header_len, o->offload.segment_size) > TCPK_SEGMENTS)
		return -EINVAL;
	return 0;
}

static bool is_large(const struct out *o)
{
	return o->offload.segment_size && o->len - o->header_len > o->offload.segment_size;
}

/* IP_PMTUDISC_PROBE does not heed what is known of the path, so that the process may find out itself. */
static bool is_whole(struct sock *sk, const struct rtable *rt)
{
	return READ_ONCE(inet_sk(sk)->pmtudisc) == IP_PMTUDISC_PROBE || ip_dont_fragment(sk, &rt->dst);
}

static bool fits(struct sock *sk, const struct rtable *rt, const struct out *o)
{
	u32 mtu = ip_sk_use_pmtu(sk) ? dst_mtu(&rt->dst) : READ_ONCE(rt->dst.dev->mtu);
	u32 len = is_large(o) ? o->header_len + o->offload.segment_size : o->len;

	/* Whoever asked for it (IP_PMTUDISC_DONT) gets fragments, but not of what is cut. */
	return sizeof(struct iphdr) + len <= mtu || (!is_large(o) && !is_whole(sk, rt));
}

static void finish_sum(struct sk_buff *skb, const struct out *o)
{
	struct tcphdr *th = tcp_hdr(skb);

	if (!(o->offload.flags & TCPK_FINISH))
		return;
	/* The process has written it already, but what the kernel builds on must be so. */
	th->check = ~tcp_v4_check(o->len, o->pair.local, o->pair.remote, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	if (!is_large(o))
		return;
	skb_shinfo(skb)->gso_size = o->offload.segment_size;
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(o->len - o->header_len, o->offload.segment_size);
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4 | (th->cwr ? SKB_GSO_TCP_ECN : 0);
}

static void write_ip(struct sock *sk, struct sk_buff *skb, const struct rtable *rt, const struct out *o)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct iphdr *iph = ip_hdr(skb);
	int ttl = READ_ONCE(inet->uc_ttl);

	*iph = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*iph) / 4,
		.tos = o->tos,
		.frag_off = is_whole(sk, rt) ? htons(IP_DF) : 0,
		.ttl = ttl < 0 ? ip4_dst_hoplimit(&rt->dst) : ttl,
		.protocol = IPPROTO_TCP,
		.saddr = o->pair.local,
		.daddr = o->pair.remote,
	};
	ip_select_ident_segs(sock_net(sk), skb, sk, max_t(int, skb_shinfo(skb)->gso_segs, 1));
	/* Length and checksum are ip_local_out()'s. */
}

static struct sk_buff *make_packet(struct sock *sk, struct msghdr *msg, const struct rtable *rt, const struct out *o,
				   int *err)
{
	u32 room = LL_RESERVED_SPACE(rt->dst.dev) + rt->dst.header_len + sizeof(struct iphdr);
	/* What is short lies in one piece; of what is long, the header alone, so that cutting copies no data. */
	u32 linear = o->len <= PAGE_SIZE / 2 ? o->len : o->header_len;
	struct sk_buff *skb;

	skb = sock_alloc_send_pskb(sk, room + linear, o->len - linear, msg->msg_flags & MSG_DONTWAIT, err,
				   PAGE_ALLOC_COSTLY_ORDER);
	if (!skb)
		return NULL;
	skb_reserve(skb, room - sizeof(struct iphdr));
	skb_reset_network_header(skb);
	skb_put(skb, sizeof(struct iphdr));
	skb_set_transport_header(skb, sizeof(struct iphdr));
	skb_put_data(skb, &o->th, sizeof(o->th));
	skb_put(skb, linear - sizeof(o->th));
	skb->data_len = o->len - linear;
	skb->len += skb->data_len;
	*err = skb_copy_datagram_from_iter(skb, sizeof(struct iphdr) + sizeof(o->th), &msg->msg_iter,
					   o->len - sizeof(o->th));
	if (*err) {
		kfree_skb(skb);
		return NULL;
	}
	finish_sum(skb, o);
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
	return skb;
}

static int transmit(struct sock *sk, struct msghdr *msg, struct out *o)
{
	struct rtable *rt = route_out(sk, o);
	struct sk_buff *skb;
	int err = -EMSGSIZE;

	if (IS_ERR(rt))
		return PTR_ERR(rt);
	skb = fits(sk, rt, o) ? make_packet(sk, msg, rt, o, &err) : NULL;
	if (!skb) {
		ip_rt_put(rt);
		return err;
	}
	write_ip(sk, skb, rt, o);
	skb_dst_set(skb, &rt->dst); /* the packet's from here on */
	err = ip_local_out(sock_net(sk), sk, skb);
	return err > 0 ? net_xmit_errno(err) : err;
}

int tcpk_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk;
	struct tcpk_sock *tk = tcpk_sk(sk);
	const struct tcpk_port *port = smp_load_acquire(&tk->port); /* of table.c: with what it points to */
	struct out o = { .len = min_t(size_t, len, U32_MAX) };
	int err;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!port)
		return -EINVAL;
	err = read_control(sk, msg, &o);
	if (!err)
		err = read_pair(sk, port, msg, &o);
	if (!err)
		err = read_header(msg, &o);
	if (!err)
		err = transmit(sk, msg, &o);
	if (err == -EPERM)
		atomic64_inc(&tk->counts[OUT_REFUSED]);
	if (err)
		return err;
	atomic64_inc(&tk->counts[OUT_SEGS]);
	atomic64_add(len, &tk->counts[OUT_BYTES]);
	return len;
}

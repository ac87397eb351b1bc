// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Whose packet is it? Two tables: sockets that are connected, by both addresses and ports, which come first; and those
 * that take what comes for a local port from anyone, by that and the address, or 0 for all of them. No two of the
 * latter can both be meant, since the kernel's TCP, which port.c asks, lets nobody bind what overlaps.
 *
 * Every TCP packet of a namespace with claims walks three chains, in softirq. What is in a chain only a secret says, so
 * nobody can choose to have much in one: a chain is as long as there are sockets, divided by TABLE_BITS' 16384, which
 * are 6 when somebody has descriptors and memory (4 KiB each) for 100,000.
 */
#include "tcpk.h"

#include <linux/jhash.h>
#include <linux/random.h>
#include <net/netns/hash.h>
#include <net/route.h>

#define TABLE_BITS 14

static struct hlist_head wide[1 << TABLE_BITS];
static struct hlist_head narrow[1 << TABLE_BITS];
/* A remote chooses its port, a user his addresses and ports: neither must choose his place in the table. */
static u32 secret __read_mostly;

void tcpk_table_init(void)
{
	secret = get_random_u32();
}

/* @addr: 0 for all addresses */
static struct hlist_head *wide_chain(const struct net *net, __be32 addr, __be16 port)
{
	u32 hash = jhash_2words((__force u32)addr, (__force u32)port, secret ^ net_hash_mix(net));

	return &wide[hash & ((1 << TABLE_BITS) - 1)];
}

static struct hlist_head *narrow_chain(const struct net *net, const struct tcpk_pair *pair)
{
	u32 ports = (__force u32)pair->local_port << 16 | (__force u32)pair->remote_port;
	u32 hash = jhash_3words((__force u32)pair->local, (__force u32)pair->remote, ports, secret ^ net_hash_mix(net));

	return &narrow[hash & ((1 << TABLE_BITS) - 1)];
}

static bool is_connection(const struct sock *sk, const struct tcpk_pair *pair)
{
	const struct inet_sock *inet = inet_sk(sk);

	return inet->inet_dport == pair->remote_port && inet->inet_sport == pair->local_port &&
	       inet->inet_daddr == pair->remote && inet->inet_rcv_saddr == pair->local;
}

static bool is_port(const struct sock *sk, const struct tcpk_pair *pair)
{
	__be32 addr = READ_ONCE(inet_sk(sk)->inet_rcv_saddr);

	return inet_sk(sk)->inet_sport == pair->local_port && (!addr || addr == pair->local);
}

/**
 * tcpk_is_for() - whether a packet is a socket's
 * @sk: the socket; while its receive queue is locked, the answer stays so
 * @pair: of the packet
 */
bool tcpk_is_for(const struct sock *sk, const struct tcpk_pair *pair)
{
	return tcpk_is_connected(sk) ? is_connection(sk, pair) : is_port(sk, pair);
}

/*
 * SO_BINDTODEVICE: the device it came by. What came by a VRF is the kernel's TCP's: that has ports of its own there,
 * which port.c's socket does not keep from anybody.
 */
static bool is_device(const struct sock *sk, const struct sk_buff *skb)
{
	int bound = READ_ONCE(sk->sk_bound_dev_if);

	return !inet_sdif(skb) && (!bound || bound == inet_iif(skb));
}

/* @addr: the packet's, or 0: a socket with all addresses is in that chain, also when it is connected and has one. */
static struct tcpk_sock *find_wide(struct net *net, const struct sk_buff *skb, const struct tcpk_pair *pair,
				   __be32 addr)
{
	struct tcpk_sock *tk;

	hlist_for_each_entry_rcu(tk, wide_chain(net, addr, pair->local_port), wide) {
		struct sock *sk = tcpk_to_sk(tk);

		if (net_eq(sock_net(sk), net) && tcpk_is_for(sk, pair) && is_device(sk, skb))
			return tk;
	}
	return NULL;
}

/**
 * tcpk_find() - the socket that a packet is for
 * @net: the namespace it is in
 * @skb: what came, with its IP header
 * @pair: addresses and ports: @skb's, or of what an ICMP message quotes
 *
 * Return: NULL when it is none of ours. The socket stays as long as the caller's RCU section.
 */
struct tcpk_sock *tcpk_find(struct net *net, const struct sk_buff *skb, const struct tcpk_pair *pair)
{
	struct tcpk_sock *tk;

	hlist_for_each_entry_rcu(tk, narrow_chain(net, pair), narrow) {
		struct sock *sk = tcpk_to_sk(tk);

		if (net_eq(sock_net(sk), net) && is_connection(sk, pair) && is_device(sk, skb))
			return tk;
	}
	tcpk_dawdle("look");
	return find_wide(net, skb, pair, pair->local) ?: find_wide(net, skb, pair, 0);
}

/* From here on the socket has an address. tcpk_mutex is held. */
static int settle(struct tcpk_sock *tk, struct tcpk_port *port)
{
	struct tcpk_net *tn = tcpk_net(sock_net(tcpk_to_sk(tk)));
	struct inet_sock *inet = &tk->inet;

	if (list_empty(&tn->socks)) {
		int err = tcpk_hook_add(sock_net(tcpk_to_sk(tk)));

		if (err)
			return err;
	}
	inet->inet_rcv_saddr = port->addr;
	inet->inet_saddr = port->addr;
	inet->inet_num = ntohs(port->port);
	inet->inet_sport = port->port;
	list_add_tail(&tk->in_net, &tn->socks);
	smp_store_release(&tk->port, port); /* output.c reads the address behind it without a lock */
	return 0;
}

/**
 * tcpk_claim() - from now on what comes for a port is the socket's
 * @tk: the socket, locked, without a port
 * @port: what it shall have; the caller's still when this fails
 */
int tcpk_claim(struct tcpk_sock *tk, struct tcpk_port *port)
{
	int err;

	mutex_lock(&tcpk_mutex);
	err = settle(tk, port);
	if (!err)
		hlist_add_head_rcu(&tk->wide, wide_chain(sock_net(tcpk_to_sk(tk)), port->addr, port->port));
	mutex_unlock(&tcpk_mutex);
	return err;
}

/* TCPK_JOIN: @tk, locked and without a port, gets @other's, and nothing that comes for it. */
int tcpk_join(struct tcpk_sock *tk, const struct tcpk_sock *other)
{
	int err = -EINVAL;

	mutex_lock(&tcpk_mutex);
	if (other->port) {
		err = settle(tk, other->port);
		if (!err)
			refcount_inc(&other->port->users);
	}
	mutex_unlock(&tcpk_mutex);
	return err;
}

/* Drops what waits and is from others, and lets nothing more of theirs in: one step, to whoever looks at the queue. */
static void become(struct sock *sk, const struct tcpk_pair *pair)
{
	struct inet_sock *inet = inet_sk(sk);
	struct sk_buff_head others;
	struct sk_buff *skb, *next;
	unsigned long flags;

	__skb_queue_head_init(&others);
	spin_lock_irqsave(&sk->sk_receive_queue.lock, flags);
	inet->inet_daddr = pair->remote;
	inet->inet_dport = pair->remote_port;
	inet->inet_saddr = pair->local;
	WRITE_ONCE(inet->inet_rcv_saddr, pair->local);
	smp_store_release(&sk->sk_state, TCP_ESTABLISHED); /* tcpk_is_connected() */
	skb_queue_walk_safe(&sk->sk_receive_queue, skb, next) {
		if (!tcpk_is_for(sk, &tcpk_cb(skb)->pair)) {
			__skb_unlink(skb, &sk->sk_receive_queue);
			__skb_queue_tail(&others, skb);
		}
	}
	spin_unlock_irqrestore(&sk->sk_receive_queue.lock, flags);
	__skb_queue_purge(&others);
}

/**
 * tcpk_narrow() - from now on only what comes from one remote is the socket's
 * @tk: the socket, locked, with a port and not connected
 * @pair: the connection
 */
int tcpk_narrow(struct tcpk_sock *tk, const struct tcpk_pair *pair)
{
	struct sock *sk = tcpk_to_sk(tk);
	struct hlist_head *chain = narrow_chain(sock_net(sk), pair);
	struct tcpk_sock *other;
	int err = 0;

	mutex_lock(&tcpk_mutex);
	hlist_for_each_entry(other, chain, narrow) {
		if (net_eq(sock_net(tcpk_to_sk(other)), sock_net(sk)) && is_connection(tcpk_to_sk(other), pair))
			err = -EADDRINUSE;
	}
	if (!err) {
		become(sk, pair);
		tcpk_dawdle("narrow");
		hlist_add_head_rcu(&tk->narrow, chain);
		/* Who has not seen it there finds it where it was: it stays in its wide chain until the end. */
	}
	mutex_unlock(&tcpk_mutex);
	return err;
}

/* Gives up what the socket has. What comes now is the kernel's TCP's. */
void tcpk_release(struct tcpk_sock *tk)
{
	struct net *net = sock_net(tcpk_to_sk(tk));

	mutex_lock(&tcpk_mutex);
	if (tk->port) {
		hlist_del_init_rcu(&tk->narrow);
		hlist_del_init_rcu(&tk->wide);
		list_del(&tk->in_net);
		if (list_empty(&tcpk_net(net)->socks))
			tcpk_hook_remove(net);
		tcpk_port_put(tk->port);
	}
	mutex_unlock(&tcpk_mutex);
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the files of tcpk.ko share. kernel/uapi/tcpk.h is the manual of what it does.
 *
 * A packet that comes: input.c (the hook) -> table.c (whose is it?) -> the socket's receive queue -> receive.c.
 * A packet that leaves: output.c. Everything else is about who has which address and port: socket.c and option.c are
 * the calls, port.c keeps the kernel's TCP away from what is claimed, table.c has the claims.
 *
 * Locks, outermost first:
 *	lock_sock(sk)                what a socket is: bound, connected
 *	tcpk_mutex                   the table, each namespace's list and hook, how many sockets share a port
 *	sk->sk_receive_queue.lock    what waits, and whether something may come to wait there
 * Readers of the table have RCU alone: a socket is freed a grace period after it left the table, and with it goes the
 * reference to this module that it holds. So the hook cannot run when the module is gone.
 */
#ifndef TCPK_H
#define TCPK_H

#include <linux/ip.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include "compat.h"
#include "kernel/uapi/tcpk.h"

/**
 * struct tcpk_port - an address and port that the kernel's TCP must not have
 * @users: sockets that stand on it: the one that was bound, and those joined to it
 * @held: a socket of the kernel's TCP, bound to it, which neither listens nor connects
 * @addr: 0 for all addresses
 * @port: of the address, in network byte order
 */
struct tcpk_port {
	refcount_t users;
	struct socket *held;
	__be32 addr;
	__be16 port;
};

enum tcpk_count { IN_SEGS, IN_BYTES, IN_DROPPED, OUT_SEGS, OUT_BYTES, OUT_REFUSED, TCPK_COUNTS };

/**
 * struct tcpk_sock - a TCPK socket
 * @inet: the socket below; its addresses and ports are what inet_getname() tells and the table compares
 * @port: NULL until bound or joined; what is seen there stays until the socket is closed
 * @wide: in the table of those that take what comes from any remote
 * @narrow: in the table of those that are connected
 * @in_net: in the list of the namespace, while @port is there
 * @counts: struct tcpk_stats
 * @recv_info: TCPK_RECV_INFO
 * @super: TCPK_SUPER
 *
 * A socket enters each table once in its life, so a reader that stands on it never strays into another chain.
 * sk_state is TCP_ESTABLISHED once it is connected, and is written under the receive queue's lock.
 */
struct tcpk_sock {
	struct inet_sock inet; /* must be first */
	struct tcpk_port *port;
	struct hlist_node wide, narrow;
	struct list_head in_net;
	atomic64_t counts[TCPK_COUNTS];
	bool recv_info, super;
};

static inline struct tcpk_sock *tcpk_sk(const struct sock *sk)
{
	return (struct tcpk_sock *)sk;
}

static inline struct sock *tcpk_to_sk(struct tcpk_sock *tk)
{
	return &tk->inet.sk;
}

/* Who says so sees all that tcpk_narrow() wrote before. */
static inline bool tcpk_is_connected(const struct sock *sk)
{
	return smp_load_acquire(&sk->sk_state) == TCP_ESTABLISHED; /* of table.c: become() */
}

/* The claims of a namespace. */
struct tcpk_net {
	struct list_head socks;
};

/* A connection, from our side, as its packets have it. */
struct tcpk_pair {
	__be32 local, remote;
	__be16 local_port, remote_port;
};

/* What a packet in a receive queue is beside its bytes. */
struct tcpk_cb {
	struct tcpk_pair pair;
	u16 segment_size;
	u8 checksum, tos;
};

static inline struct tcpk_cb *tcpk_cb(const struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct tcpk_cb) > sizeof(skb->cb));
	return (struct tcpk_cb *)skb->cb;
}

/* Makes races wide enough to be met: make check-kernel-debug. */
#ifdef TCPK_DELAY
void tcpk_dawdle(const char *place);
#else
static inline void tcpk_dawdle(const char *place)
{
}
#endif

extern struct mutex tcpk_mutex;
extern unsigned int tcpk_net_id;
extern const struct proto_ops tcpk_ops;

/* main.c */
struct tcpk_net *tcpk_net(struct net *net);

/* port.c */
struct tcpk_port *tcpk_port_take(struct net *net, __be32 addr, __be16 port);
void tcpk_port_put(struct tcpk_port *port);

/* table.c */
void tcpk_table_init(void);
int tcpk_claim(struct tcpk_sock *tk, struct tcpk_port *port);
int tcpk_join(struct tcpk_sock *tk, const struct tcpk_sock *other);
int tcpk_narrow(struct tcpk_sock *tk, const struct tcpk_pair *pair);
void tcpk_release(struct tcpk_sock *tk);
struct tcpk_sock *tcpk_find(struct net *net, const struct sk_buff *skb, const struct tcpk_pair *pair);
bool tcpk_is_for(const struct sock *sk, const struct tcpk_pair *pair);

/* option.c */
int tcpk_setsockopt(struct socket *sock, int level, int name, sockptr_t value, unsigned int len);
int tcpk_getsockopt(struct socket *sock, int level, int name, char __user *value, int __user *len);

/* input.c */
int tcpk_hook_add(struct net *net);
void tcpk_hook_remove(struct net *net);

/* icmp.c */
void tcpk_icmp(struct net *net, struct sk_buff *skb);

/* receive.c */
int tcpk_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags);

/* output.c */
struct rtable *tcpk_route(struct sock *sk, const struct tcpk_pair *pair, u8 tos, __be32 *source);
int tcpk_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);

/* proc.c */
int tcpk_proc_add(struct net *net);
void tcpk_proc_remove(struct net *net);

#endif

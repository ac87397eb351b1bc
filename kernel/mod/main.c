// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The module: comes, goes, and so in each namespace. */
#include "tcpk.h"

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/string.h>
#include <net/netns/generic.h>
#include <net/protocol.h>

unsigned int tcpk_net_id;
DEFINE_MUTEX(tcpk_mutex); /* see tcpk.h */

#ifdef TCPK_DELAY
static unsigned int delay_us;
module_param(delay_us, uint, 0600);
MODULE_PARM_DESC(delay_us, "microseconds to spend wherever somebody else may come between; 0: none, nor what is left");

static char delay_at[16];
module_param_string(delay_at, delay_at, sizeof(delay_at), 0600);
MODULE_PARM_DESC(delay_at, "only there: look, find, enqueue, icmp, narrow or close; empty: everywhere");

static unsigned int delays;
module_param(delays, uint, 0400);
MODULE_PARM_DESC(delays, "how many have begun");

void tcpk_dawdle(const char *place)
{
	/* Not udelay(): what it has been calibrated by may be a processor that is emulated. */
	u64 since = ktime_get_ns();

	if (*delay_at && !sysfs_streq(delay_at, place))
		return;
	WRITE_ONCE(delays, READ_ONCE(delays) + 1); /* for who wants to come between: tests/kernel/races.c */
	while (ktime_get_ns() - since < READ_ONCE(delay_us) * (u64)NSEC_PER_USEC)
		cpu_relax();
}
#endif

struct tcpk_net *tcpk_net(struct net *net)
{
	return net_generic(net, tcpk_net_id);
}

static int __net_init net_init(struct net *net)
{
	INIT_LIST_HEAD(&tcpk_net(net)->socks);
	return tcpk_proc_add(net);
}

/* Sockets keep their namespace: none is left, and no hook. */
static void __net_exit net_exit(struct net *net)
{
	WARN_ON_ONCE(!list_empty(&tcpk_net(net)->socks));
	tcpk_proc_remove(net);
}

static struct pernet_operations net_ops = {
	.init = net_init, .exit = net_exit, .id = &tcpk_net_id, .size = sizeof(struct tcpk_net),
};

static void proto_close(struct sock *sk, long timeout)
{
	tcpk_release(tcpk_sk(sk));
	tcpk_dawdle("close");
	sk_common_release(sk);
}

static int proto_init(struct sock *sk)
{
	/* Whoever has found it in the table may go on until his RCU section ends. */
	sock_set_flag(sk, SOCK_RCU_FREE);
	INIT_LIST_HEAD(&tcpk_sk(sk)->in_net);
	return 0;
}

/* Has been done: sk_common_release() insists on asking. */
static void proto_unhash(struct sock *sk)
{
}

static struct proto proto = {
	.name = "TCPK",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct tcpk_sock),
	.init = proto_init,
	.close = proto_close,
	.unhash = proto_unhash,
};

static struct inet_protosw protosw = {
	.type = SOCK_DGRAM,
	.protocol = IPPROTO_TCPK,
	.prot = &proto,
	.ops = &tcpk_ops,
};

static int __init tcpk_init(void)
{
	int err;

	tcpk_table_init();
	err = proto_register(&proto, 1);
	if (err)
		return err;
	err = register_pernet_subsys(&net_ops);
	if (err) {
		proto_unregister(&proto);
		return err;
	}
	inet_register_protosw(&protosw);
	return 0;
}

/* No socket is left, or somebody would hold the module. The last ones' memory may still wait for its grace period. */
static void __exit tcpk_exit(void)
{
	inet_unregister_protosw(&protosw);
	unregister_pernet_subsys(&net_ops);
	rcu_barrier();
	proto_unregister(&proto);
}

module_init(tcpk_init);
module_exit(tcpk_exit);

MODULE_DESCRIPTION("TCPK: gives a TCP packet to the process whose TCP it is for");
MODULE_LICENSE("Dual BSD/GPL");
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET, IPPROTO_TCPK, SOCK_DGRAM);

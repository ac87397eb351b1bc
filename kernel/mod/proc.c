// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* /proc/net/tcpk: a line for each socket that has an address, in the columns of /proc/net/udp. */
#include "tcpk.h"

#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

static struct list_head *socks_of(struct seq_file *seq)
{
	return &tcpk_net(seq_file_net(seq))->socks;
}

static void *start(struct seq_file *seq, loff_t *pos)
{
	mutex_lock(&tcpk_mutex);
	return seq_list_start_head(socks_of(seq), *pos);
}

static void *next(struct seq_file *seq, void *at, loff_t *pos)
{
	return seq_list_next(at, socks_of(seq), pos);
}

static void stop(struct seq_file *seq, void *at)
{
	mutex_unlock(&tcpk_mutex);
}

static void show_sock(struct seq_file *seq, struct sock *sk, loff_t row)
{
	const struct inet_sock *inet = inet_sk(sk);

	seq_printf(seq, "%5lld: %08X:%04X %08X:%04X %02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %pK %u\n", row,
		   (__force u32)inet->inet_rcv_saddr, ntohs(inet->inet_sport), (__force u32)inet->inet_daddr,
		   ntohs(inet->inet_dport), sk->sk_state, sk_wmem_alloc_get(sk), sk_rmem_alloc_get(sk), 0, 0L, 0,
		   from_kuid_munged(seq_user_ns(seq), tcpk_uid(sk)), 0, sock_i_ino(sk),
		   refcount_read(&sk->sk_refcnt), sk, atomic_read(&sk->sk_drops));
}

static int show(struct seq_file *seq, void *at)
{
	if (at == socks_of(seq)) {
		seq_puts(seq, "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt");
		seq_puts(seq, "   uid  timeout inode ref pointer drops\n");
	} else {
		struct tcpk_sock *tk = list_entry(at, struct tcpk_sock, in_net);

		show_sock(seq, tcpk_to_sk(tk), seq->index);
	}
	return 0;
}

static const struct seq_operations seq_ops = {
	.start = start,
	.next = next,
	.stop = stop,
	.show = show,
};

int tcpk_proc_add(struct net *net)
{
	return proc_create_net("tcpk", 0444, net->proc_net, &seq_ops, sizeof(struct seq_net_private)) ? 0 : -ENOMEM;
}

void tcpk_proc_remove(struct net *net)
{
	remove_proc_entry("tcpk", net->proc_net);
}

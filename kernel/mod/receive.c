// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* recvmsg: one segment, who sent it, and what is known about it. */
#include "tcpk.h"

#include <net/inet_common.h>

static int put_info(struct msghdr *msg, const struct tcpk_cb *cb)
{
	struct tcpk_info info = {
		.local = cb->pair.local,
		.segment_size = cb->segment_size,
		.checksum = cb->checksum,
		.tos = cb->tos,
	};

	return put_cmsg(msg, SOL_TCPK, TCPK_INFO, sizeof(info), &info);
}

static void put_name(struct msghdr *msg, const struct tcpk_cb *cb)
{
	struct sockaddr_in *sin = msg->msg_name;

	if (!sin)
		return;
	*sin = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = cb->pair.remote,
		.sin_port = cb->pair.remote_port,
	};
	msg->msg_namelen = sizeof(*sin);
}

static int receive_error(struct sock *sk, struct msghdr *msg, size_t size)
{
	int namelen = 0, err;

	err = inet_recv_error(sk, msg, size, &namelen);
	if (err >= 0 && msg->msg_name)
		msg->msg_namelen = namelen;
	return err;
}

int tcpk_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	struct sock *sk = sock->sk;
	struct sk_buff *skb;
	size_t copied;
	int err;

	if (flags & MSG_ERRQUEUE)
		return receive_error(sk, msg, size);
	skb = skb_recv_datagram(sk, flags, &err);
	if (!skb)
		return err;
	copied = min_t(size_t, size, skb->len);
	if (copied < skb->len)
		msg->msg_flags |= MSG_TRUNC;
	err = skb_copy_datagram_msg(skb, 0, msg, copied);
	if (err)
		goto out;
	put_name(msg, tcpk_cb(skb));
	if (READ_ONCE(tcpk_sk(sk)->recv_info))
		put_info(msg, tcpk_cb(skb)); /* what has no room for it sees MSG_CTRUNC */
	err = flags & MSG_TRUNC ? skb->len : copied;
out:
	skb_free_datagram(sk, skb);
	return err;
}

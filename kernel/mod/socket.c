// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* bind and connect, and which function is which call. */
#include "tcpk.h"

#include <linux/in.h>
#include <linux/module.h>
#include <net/inet_common.h>
#include <net/route.h>

static int read_addr(const tcpk_sockaddr *from, int len, struct sockaddr_in *to)
{
	if (len < (int)sizeof(*to))
		return -EINVAL;
	memcpy(to, from, sizeof(*to));
	return to->sin_family == AF_INET ? 0 : -EAFNOSUPPORT;
}

/* The socket is locked. */
static int bind_to(struct sock *sk, __be32 addr, __be16 port_number)
{
	struct tcpk_port *port;
	int err;

	if (tcpk_sk(sk)->port)
		return -EINVAL;
	port = tcpk_port_take(sock_net(sk), addr, port_number);
	if (IS_ERR(port))
		return PTR_ERR(port);
	err = tcpk_claim(tcpk_sk(sk), port);
	if (err)
		tcpk_port_put(port);
	return err;
}

static int tcpk_bind(struct socket *sock, tcpk_sockaddr *uaddr, int len)
{
	struct sockaddr_in addr;
	int err = read_addr(uaddr, len, &addr);

	if (err)
		return err;
	lock_sock(sock->sk);
	err = bind_to(sock->sk, addr.sin_addr.s_addr, addr.sin_port);
	release_sock(sock->sk);
	return err;
}

/* The socket is locked. The route says which address the connection is from, where that is open. */
static int connect_to(struct sock *sk, struct tcpk_pair *pair)
{
	struct tcpk_sock *tk = tcpk_sk(sk);
	struct rtable *rt;
	int err;

	if (tcpk_is_connected(sk))
		return -EISCONN;
	pair->local = tk->port ? tk->port->addr : 0;
	pair->local_port = tk->port ? tk->port->port : 0;
	rt = tcpk_route(sk, pair, READ_ONCE(inet_sk(sk)->tos), &pair->local);
	if (IS_ERR(rt))
		return PTR_ERR(rt);
	err = tk->port ? 0 : bind_to(sk, pair->local, 0);
	if (!err) {
		pair->local_port = tk->port->port;
		atomic_set(&inet_sk(sk)->inet_id, get_random_u16());
		err = tcpk_narrow(tk, pair);
	}
	if (err)
		ip_rt_put(rt);
	else
		sk_dst_set(sk, &rt->dst);
	return err;
}

static int tcpk_connect(struct socket *sock, tcpk_sockaddr *uaddr, int len, int flags)
{
	struct sockaddr_in addr;
	struct tcpk_pair pair;
	int err = read_addr(uaddr, len, &addr);

	if (err)
		return err;
	/* As with the kernel's TCP, nowhere is here. */
	pair.remote = addr.sin_addr.s_addr ?: htonl(INADDR_LOOPBACK);
	pair.remote_port = addr.sin_port;
	if (!pair.remote_port || ipv4_is_multicast(pair.remote))
		return -EINVAL;
	lock_sock(sock->sk);
	err = connect_to(sock->sk, &pair);
	if (!err)
		sock->state = SS_CONNECTED;
	release_sock(sock->sk);
	return err;
}

const struct proto_ops tcpk_ops = {
	.family = PF_INET,
	.owner = THIS_MODULE,
	.release = inet_release,
	.bind = tcpk_bind,
	.connect = tcpk_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = inet_getname,
	.poll = datagram_poll,
	.ioctl = inet_ioctl,
	.gettstamp = sock_gettstamp,
	.listen = sock_no_listen,
	.shutdown = sock_no_shutdown,
	.setsockopt = tcpk_setsockopt,
	.getsockopt = tcpk_getsockopt,
	.sendmsg = tcpk_sendmsg,
	.recvmsg = tcpk_recvmsg,
	.mmap = sock_no_mmap,
};

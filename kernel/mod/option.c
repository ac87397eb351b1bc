// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Options of TCPK's own level, and those of IP's that mean something here. SOL_SOCKET's are the kernel's business. */
#include "tcpk.h"

#include <linux/file.h>
#include <linux/in.h>
#include <linux/net.h>
#include <net/route.h>

static int join(struct sock *sk, int fd)
{
	struct socket *other;
	int err;

	other = sockfd_lookup(fd, &err);
	if (!other)
		return err == -EBADF ? err : -EINVAL;
	lock_sock(sk);
	if (other->ops != &tcpk_ops || !net_eq(sock_net(other->sk), sock_net(sk)) || tcpk_sk(sk)->port)
		err = -EINVAL;
	else
		err = tcpk_join(tcpk_sk(sk), tcpk_sk(other->sk));
	release_sock(sk);
	sockfd_put(other);
	return err;
}

static int set_own(struct sock *sk, int name, int value)
{
	struct tcpk_sock *tk = tcpk_sk(sk);

	switch (name) {
	case TCPK_JOIN:
		return join(sk, value);
	case TCPK_RECV_INFO:
	case TCPK_SUPER:
		if (value < 0 || value > 1)
			return -EINVAL;
		if (name == TCPK_SUPER)
			WRITE_ONCE(tk->super, value);
		else
			WRITE_ONCE(tk->recv_info, value);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int tcpk_setsockopt(struct socket *sock, int level, int name, sockptr_t value, unsigned int len)
{
	int v;

	if (level == SOL_IP) {
		switch (name) {
		case IP_TOS:
		case IP_TTL:
		case IP_MTU_DISCOVER:
		case IP_RECVERR:
			return ip_setsockopt(sock->sk, level, name, value, len);
		}
	}
	if (level != SOL_TCPK)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	if (copy_from_sockptr(&v, value, sizeof(v)))
		return -EFAULT;
	return set_own(sock->sk, name, v);
}

/* The path's MTU as it is now. What the socket keeps may be older than what ICMP said last. */
static int path_mtu(struct sock *sk)
{
	struct rtable *rt = NULL;
	int mtu;

	lock_sock(sk);
	if (tcpk_is_connected(sk)) {
		const struct inet_sock *inet = inet_sk(sk);
		struct tcpk_pair pair = { .local = inet->inet_saddr, .local_port = inet->inet_sport,
			.remote = inet->inet_daddr, .remote_port = inet->inet_dport };

		rt = tcpk_route(sk, &pair, READ_ONCE(inet->tos), NULL);
	}
	release_sock(sk);
	if (!rt)
		return -ENOTCONN;
	if (IS_ERR(rt))
		return PTR_ERR(rt);
	mtu = dst_mtu(&rt->dst);
	ip_rt_put(rt);
	return mtu;
}

static struct tcpk_stats stats_of(const struct tcpk_sock *tk)
{
	return (struct tcpk_stats){
		.in_segs = atomic64_read(&tk->counts[IN_SEGS]),
		.in_bytes = atomic64_read(&tk->counts[IN_BYTES]),
		.in_dropped = atomic64_read(&tk->counts[IN_DROPPED]),
		.out_segs = atomic64_read(&tk->counts[OUT_SEGS]),
		.out_bytes = atomic64_read(&tk->counts[OUT_BYTES]),
		.out_refused = atomic64_read(&tk->counts[OUT_REFUSED]),
	};
}

/* At most as much as there is room for, as everywhere: the rest of a longer struct is for newer programs. */
static int give(const void *value, int size, char __user *to, int __user *len)
{
	int room;

	if (get_user(room, len))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	size = min(size, room);
	if (put_user(size, len) || copy_to_user(to, value, size))
		return -EFAULT;
	return 0;
}

static int get_own(struct sock *sk, int name, char __user *value, int __user *len)
{
	struct tcpk_sock *tk = tcpk_sk(sk);
	struct tcpk_stats stats;
	int v;

	switch (name) {
	case TCPK_VERSION:
		v = TCPK_ABI;
		break;
	case TCPK_RECV_INFO:
		v = READ_ONCE(tk->recv_info);
		break;
	case TCPK_SUPER:
		v = READ_ONCE(tk->super);
		break;
	case TCPK_STATS:
		stats = stats_of(tk);
		return give(&stats, sizeof(stats), value, len);
	default:
		return -ENOPROTOOPT;
	}
	return give(&v, sizeof(v), value, len);
}

int tcpk_getsockopt(struct socket *sock, int level, int name, char __user *value, int __user *len)
{
	int v;

	if (level == SOL_TCPK)
		return get_own(sock->sk, name, value, len);
	if (level != SOL_IP)
		return -ENOPROTOOPT;
	switch (name) {
	case IP_TOS:
	case IP_TTL:
	case IP_MTU_DISCOVER:
	case IP_RECVERR:
		return ip_getsockopt(sock->sk, level, name, value, len);
	case IP_MTU:
		v = path_mtu(sock->sk);
		return v < 0 ? v : give(&v, sizeof(v), value, len);
	default:
		return -ENOPROTOOPT;
	}
}

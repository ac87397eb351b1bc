/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What differs between the kernels that tcpk builds for: 6.1, 6.12, 6.18 and, as far as they are known, later ones.
 * Written for the newest; an old kernel's way stands behind #if.
 */
#ifndef TCPK_COMPAT_H
#define TCPK_COMPAT_H

#include <linux/netdevice.h>
#include <linux/version.h>
#include <net/inet_sock.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif

/* 6.6 put IP's options of yes and no into atomic bits. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define tcpk_wants_errors(sk) inet_test_bit(RECVERR, sk)
#else
#define tcpk_wants_errors(sk) (inet_sk(sk)->recverr)
#endif

/* 6.17 reads it without a lock. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define tcpk_uid(sk) sk_uid(sk)
#else
#define tcpk_uid(sk) sock_i_uid(sk)
#endif

/* 6.18 gave the flow's type of service a type of its own, which has no ECN in it. */
static inline void tcpk_flow_tos(struct flowi4 *fl4, u8 tos)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	fl4->flowi4_dscp = inet_dsfield_to_dscp(tos);
#else
	fl4->flowi4_tos = tos & INET_DSCP_MASK;
#endif
}

/* 6.19: an address whose size stands beside it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
typedef struct sockaddr_unsized tcpk_sockaddr;
#else
typedef struct sockaddr tcpk_sockaddr;
#endif

#endif

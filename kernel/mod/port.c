// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Ports that the kernel's TCP must not have: a socket of its own holds each. It is bound, without SO_REUSEADDR and
 * SO_REUSEPORT, so nobody else can bind, and no connect() takes the port by itself; and since it does not listen, it
 * receives nothing. That way the kernel's TCP itself judges what is privileged, ephemeral, reserved, or in use.
 */
#include "tcpk.h"

#include <linux/net.h>
#include <linux/slab.h>

static int hold(struct tcpk_port *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = port->addr, .sin_port = port->port };
	int err;

	err = kernel_bind(port->held, (tcpk_sockaddr *)&addr, sizeof(addr));
	if (!err)
		port->port = inet_sk(port->held->sk)->inet_sport;
	return err;
}

/**
 * tcpk_port_take() - take an address and port from the kernel's TCP
 * @net: the namespace, which the caller keeps
 * @addr: 0 for all addresses
 * @port: 0 for one of the ephemeral range
 *
 * Return: what tcpk_port_put() gives back, with one user, or the ERR_PTR of what bind() would say to the caller.
 */
struct tcpk_port *tcpk_port_take(struct net *net, __be32 addr, __be16 port)
{
	struct tcpk_port *p;
	int err;

	if (addr && inet_addr_type(net, addr) != RTN_LOCAL)
		return ERR_PTR(-EADDRNOTAVAIL);
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return ERR_PTR(-ENOMEM);
	refcount_set(&p->users, 1);
	p->addr = addr;
	p->port = port;
	err = sock_create_kern(net, PF_INET, SOCK_STREAM, IPPROTO_TCP, &p->held);
	if (err)
		goto err_free;
	err = hold(p);
	if (err)
		goto err_release;
	return p;

err_release:
	sock_release(p->held);
err_free:
	kfree(p);
	return ERR_PTR(err);
}

void tcpk_port_put(struct tcpk_port *port)
{
	if (!refcount_dec_and_test(&port->users))
		return;
	sock_release(port->held);
	kfree(port);
}

#include "tests/socket_lossy.h"

#include "core/link/udp.h"
#include "tests/socket_peer.h"

#include <stdlib.h>

static struct lossy *of(const struct link *l)
{
	return (struct lossy *)l;
}

static int lossy_claim(struct link *l, struct link_addr *local)
{
	return of(l)->udp->ops->claim(of(l)->udp, local);
}

static void lossy_release(struct link *l, const struct link_addr *local)
{
	of(l)->udp->ops->release(of(l)->udp, local);
}

static int lossy_route(struct link *l, uint32_t remote_ip, uint32_t *local_ip)
{
	return of(l)->udp->ops->route(of(l)->udp, remote_ip, local_ip);
}

static int lossy_send(struct link *l, const struct link_out *o, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (atomic_load(&of(l)->drop) > 0)
			atomic_fetch_sub(&of(l)->drop, 1);
		else if (of(l)->udp->ops->send(of(l)->udp, &o[i], 1) != 1)
			return (int)i;
	}
	return (int)n;
}

static int lossy_recv(struct link *l, struct link_in *in, unsigned max)
{
	if (atomic_load(&of(l)->gone))
		return -ENETDOWN;
	if (!pthread_equal(pthread_self(), of(l)->main)) {
		atomic_fetch_add(&of(l)->driven, 1);
		atomic_fetch_add(&of(l)->since, 1);
	} else {
		atomic_fetch_add(&of(l)->between, atomic_load(&of(l)->called) ? atomic_load(&of(l)->since) : 0);
		atomic_store(&of(l)->since, 0);
		atomic_fetch_add(&of(l)->called, 1);
	}
	return of(l)->udp->ops->recv(of(l)->udp, in, max);
}

static int lossy_fd(const struct link *l)
{
	return of(l)->silent || of(l)->gone ? -1 : of(l)->udp->ops->fd(of(l)->udp);
}

static void lossy_close(struct link *l)
{
	of(l)->udp->ops->close(of(l)->udp);
	free(l);
}

static const struct link_ops lossy_ops = { .claim = lossy_claim, .release = lossy_release, .send = lossy_send,
	.recv = lossy_recv, .route = lossy_route, .fd = lossy_fd, .close = lossy_close };

struct tcpu_stack *lossy_stack(bool thread, struct lossy **lossy, int *l, struct sockaddr_in *at)
{
	struct tcpu_stack_config c = { .thread = thread, .engine = { .msl_us = 1000 } };
	socklen_t len = sizeof *at;
	struct tcpu_stack *k;

	*lossy = calloc(1, sizeof **lossy);
	ck_assert_int_eq(link_udp_open(&(struct link_udp_config){ .mtu = 1500 }, &(*lossy)->udp), 0);
	(*lossy)->main = pthread_self();
	(*lossy)->link = (struct link){ .ops = &lossy_ops, .segment_max = (*lossy)->udp->segment_max,
		.window_max = 1 << 20 };
	c.link = &(*lossy)->link;
	ck_assert_int_eq(stack_tcpu(&c, &k), 0);
	*l = stack_socket_tcpu(k, SOCK_STREAM);
	*at = loopback(0);
	ck_assert_int_eq(bind_tcpu(*l, at, sizeof *at), 0);
	ck_assert_int_eq(listen_tcpu(*l, 10), 0);
	ck_assert_int_eq(getsockname_tcpu(*l, at, &len), 0);
	return k;
}

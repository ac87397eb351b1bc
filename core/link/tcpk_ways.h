/* The two ways of TCPK, each a link. Private to core/link/. */
#ifndef CORE_LINK_TCPK_WAYS_H
#define CORE_LINK_TCPK_WAYS_H

#include "core/link/tcpk.h"

#define TCPK_RING_BYTES (4 << 20) /* where nothing else is asked for */

extern const struct link_ops tcpk_module_ops, tcpk_bpf_ops;

/* -EPROTONOSUPPORT: it is not there. Else as link_tcpk_open. */
int tcpk_module_open(const struct link_tcpk_config *, struct link **out);
int tcpk_bpf_open(const struct link_tcpk_config *, struct link **out);
struct link_tcpk_stats tcpk_module_stats(struct link *);
struct link_tcpk_stats tcpk_bpf_stats(struct link *);

/* The address that packets to remote_ip leave from, and the MTU of the way; of neither is anything sent. */
int tcpk_look_up(uint32_t remote_ip, uint32_t *local_ip, uint32_t *mtu);
/* Each by itself, as a link's call; of route, only where *local_ip is 0. */
int tcpk_route(struct link *, uint32_t remote_ip, uint32_t *local_ip);
uint32_t tcpk_mtu(struct link *, uint32_t remote_ip);

#endif

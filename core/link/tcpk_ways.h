/* The two ways of TCPK, each a link. Private to core/link/. */
#ifndef CORE_LINK_TCPK_WAYS_H
#define CORE_LINK_TCPK_WAYS_H

#include "core/link/tcpk.h"

#define TCPK_RING_BYTES (4 << 20) /* where nothing else is asked for */

/* -EPROTONOSUPPORT: it is not there. Else as link_tcpk_open. */
int tcpk_module_open(const struct link_tcpk_config *, struct link **out);
int tcpk_bpf_open(const struct link_tcpk_config *, struct link **out);
struct link_tcpk_stats tcpk_module_stats(struct link *);
struct link_tcpk_stats tcpk_bpf_stats(struct link *);

#endif

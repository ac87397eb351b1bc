/* tcpkd gives up what it needs no more. Errors are negative errnos. */
#ifndef KERNEL_TCPKD_CONFINE_H
#define KERNEL_TCPKD_CONFINE_H

#include <stdbool.h>

/* Keeps CAP_BPF and CAP_NET_ADMIN, of what there is, and CAP_NET_BIND_SERVICE for ports below 1024, if
 * privileged is set; nothing in the bounding set, no new ones ever. */
int confine_capabilities(bool privileged);
/* System calls: what a turn of the server makes, and no other. */
int confine_calls(void);

#endif

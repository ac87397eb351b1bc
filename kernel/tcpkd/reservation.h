/* Ports in the kernel's TCP: a socket that is bound and never listens has the port, and nobody else gets it. */
#ifndef KERNEL_TCPKD_RESERVATION_H
#define KERNEL_TCPKD_RESERVATION_H

#include <stdbool.h>
#include <stdint.h>

/* The socket, close-on-exec; *port 0: any, which is then in it. Both in the network's order. -EADDRINUSE,
 * -EADDRNOTAVAIL; -EDQUOT: it would be of the descriptors that are kept back. */
int reservation_make(uint32_t ip, uint16_t *port);
/* Some descriptors are kept for connections, so that nobody's claims keep others out; which the kernel numbers from the
 * lowest that is free. Whether this is one. */
bool reservation_is_kept_back(int fd);

#endif

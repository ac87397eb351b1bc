/* The helper's socket and its turns. */
#ifndef KERNEL_TCPKD_SERVER_H
#define KERNEL_TCPKD_SERVER_H

#include "kernel/tcpkd/client.h"

#define SERVER_CONNECTIONS 2048 /* of those whom the policy knows; root, and who runs this, get theirs all the same */
#define SERVER_CONNECTIONS_OF_USER 256
#define SERVER_CONNECTIONS_OF_STRANGERS 64 /* together */

/* Listens at path; a socket that nobody serves there is replaced. A descriptor; negative errno (-EADDRINUSE: somebody
 * does). */
int server_listen(const char *path);
/* Serves until stop_fd, a signalfd, is readable. Nobody gets more connections than there are left for others. 0, or a
 * negative errno. */
int server_run(struct clients *, int listen_fd, int stop_fd);

#endif

/* The helper's socket and its turns. */
#ifndef KERNEL_TCPKD_SERVER_H
#define KERNEL_TCPKD_SERVER_H

#include "kernel/tcpkd/client.h"

#define SERVER_CONNECTIONS 2048        /* in all */
#define SERVER_CONNECTIONS_OF_USER 256

/* Listens at path; a socket that nobody serves there is replaced. A descriptor; negative errno (-EADDRINUSE: somebody
 * does). */
int server_listen(const char *path);
/* Serves until stop_fd, a signalfd, is readable. 0, or a negative errno. */
int server_run(struct clients *, int listen_fd, int stop_fd);

#endif

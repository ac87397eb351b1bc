/* Connections to the helper, and how they end: what waits in one unread may have descriptors attached, and closing the
 * last one of a file may take as long as its owner likes (a TCP socket with SO_LINGER). So tcpkd never takes a
 * descriptor, and closes a connection that may hold some on a thread of its own. */
#ifndef KERNEL_TCPKD_CONNECTION_H
#define KERNEL_TCPKD_CONNECTION_H

#include <stdbool.h>
#include <sys/types.h>

#define CONNECTION_THREADS 64 /* at a time, that close */

/* Whether the other end has closed it, or its way here. */
bool connection_hung_up(int fd);
/* Whether the next message that waits has descriptors attached. It stays where it is. */
bool connection_is_loaded(int fd);
/* Ends it, at once or when a thread comes to it. */
void connection_end(int fd, uid_t);
/* How many of that user's have ended and are not closed yet. */
unsigned connection_count(uid_t);

#endif

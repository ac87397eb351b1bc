/* Connections to the helper, and how they end: what waits in one unread may have descriptors attached, and closing the
 * last one of a file may take as long as its owner likes (a TCP socket with SO_LINGER). So tcpkd never takes a
 * descriptor, and closes a connection that may hold some on a thread of its own, which a signal wakes from such waits.
 *
 * From Linux 6.16 on nobody can attach any: connection_refuse_descriptors. Before, there are waits that no signal ends
 * (a FUSE file with a writeback cache whose server does not answer): who has such files can take all that may be
 * closed at a time, and then nobody gets a connection until that server ends. */
#ifndef KERNEL_TCPKD_CONNECTION_H
#define KERNEL_TCPKD_CONNECTION_H

#include <stdbool.h>
#include <sys/types.h>

#define CONNECTION_THREADS 64 /* at a time, that close */
#define CONNECTION_THREADS_OF_USER 8
#define CONNECTION_ENDINGS 512 /* that are closed or wait for it, at which no more are to be taken */

enum connection_next { CONNECTION_EMPTY, CONNECTION_PLAIN, CONNECTION_LOADED };

/* Of a socket that listens, for those who will connect. Where the kernel cannot, nothing happens. */
void connection_refuse_descriptors(int listen_fd);
/* Whether the other end has closed it, or its way here. */
bool connection_hung_up(int fd);
/* What waits in it first, and stays where it is: nothing; a message, or the end; a message that has descriptors
 * attached, or of which that could not be found out. Only after CONNECTION_PLAIN it may be received. */
enum connection_next connection_next(int fd);
/* Ends it, at once or when a thread comes to it; epoll does not see it any more. */
void connection_end(int fd, uid_t, int epoll);
/* How many of that user's have ended and are not closed yet. */
unsigned connection_count(uid_t);
/* Whether fewer than CONNECTION_ENDINGS are. */
bool connection_has_room(void);

#endif

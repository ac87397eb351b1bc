/* The adapter that lets the original packetdrill drive TCPU (--so_filename): a stack by turns over a link in memory,
 * whose other end packetdrill is. One thread of packetdrill's exchanges packets and so turns the stack; calls that
 * block come on another and sleep. Built as build/gcc/packetdrill/tcpu.so. */
#ifndef TESTS_PACKETDRILL_ADAPTER_H
#define TESTS_PACKETDRILL_ADAPTER_H

#include "core/link.h"
#include "core/tcpu.h"

#include <sys/epoll.h>
#include <sys/time.h>

/* packetdrill's own, field by field. */
struct packetdrill_interface {
	void *userdata;
	void (*free)(void *u);
	int (*socket)(void *u, int domain, int type, int protocol);
	int (*bind)(void *u, int fd, const struct sockaddr *, socklen_t);
	int (*listen)(void *u, int fd, int backlog);
	int (*accept)(void *u, int fd, struct sockaddr *, socklen_t *);
	int (*connect)(void *u, int fd, const struct sockaddr *, socklen_t);
	ssize_t (*read)(void *u, int fd, void *, size_t);
	ssize_t (*readv)(void *u, int fd, const struct iovec *, int);
	ssize_t (*recv)(void *u, int fd, void *, size_t, int flags);
	ssize_t (*recvfrom)(void *u, int fd, void *, size_t, int flags, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(void *u, int fd, struct msghdr *, int flags);
	ssize_t (*write)(void *u, int fd, const void *, size_t);
	ssize_t (*writev)(void *u, int fd, const struct iovec *, int);
	ssize_t (*send)(void *u, int fd, const void *, size_t, int flags);
	ssize_t (*sendto)(void *u, int fd, const void *, size_t, int flags, const struct sockaddr *, socklen_t);
	ssize_t (*sendmsg)(void *u, int fd, const struct msghdr *, int flags);
	int (*fcntl)(void *u, int fd, int cmd, ...);
	int (*ioctl)(void *u, int fd, unsigned long request, ...);
	int (*close)(void *u, int fd);
	int (*shutdown)(void *u, int fd, int how);
	int (*getsockopt)(void *u, int fd, int level, int name, void *, socklen_t *);
	int (*setsockopt)(void *u, int fd, int level, int name, const void *, socklen_t);
	int (*poll)(void *u, struct pollfd *, nfds_t, int timeout);
	int (*netdev_send)(void *u, const void *packet, size_t len);
	int (*netdev_receive)(void *u, void *packet, size_t *len, long long *time_us);
	int (*usleep)(void *u, useconds_t);
	int (*gettimeofday)(void *u, struct timeval *, struct timezone *);
	int (*epoll_create)(void *u, int);
	int (*epoll_ctl)(void *u, int, int, int, struct epoll_event *);
	int (*epoll_wait)(void *u, int, struct epoll_event *, int, int);
	int (*pipe)(void *u, int[2]);
	int (*splice)(void *u, int, loff_t *, int, loff_t *, size_t, unsigned);
};

/* flags: name=value, joined by commas; may be NULL. What is not understood ends the process, with a message.
 *	local=192.168.0.1   the stack's address
 *	mtu=1500            bytes of an IP packet, 68 to 65535
 *	wait=5              seconds that netdev_receive waits for a packet
 *	iw=10               segments of the initial window
 *	delack=on, off      whether ACKs are delayed
 *	isn=N               the first sequence number of every connection; else as RFC 6528 */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *out);

struct flags {
	uint32_t local_ip; /* network byte order */
	uint32_t mtu, wait_s, iw, isn;
	bool has_isn, delack;
};
/* false, and *wrong is where what is not understood begins. */
bool flags_read(const char *text, struct flags *, const char **wrong);

/* The link in memory. Its ends may be used by different threads. */
struct wire;
/* -ENOMEM, -EMFILE. link: to be handed to a stack, which closes it; it goes with the wire. */
int wire_open(const struct flags *, struct wire **out, struct link **link);
/* From packetdrill to the stack. -ENOBUFS, -EMSGSIZE. */
int wire_put(struct wire *, const void *packet, size_t len);
/* From the stack to packetdrill: the bytes, and when it was sent, in microseconds of gettimeofday. 0: none;
 * -EMSGSIZE: it is longer than cap, and lost. */
int wire_take(struct wire *, void *packet, size_t cap, long long *time_us);
/* Polls readable when wire_take would return something. */
int wire_fd(const struct wire *);

#endif

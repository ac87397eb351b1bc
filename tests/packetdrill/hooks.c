/* packetdrill's hooks. */
#include "core/link/host.h"
#include "tests/packetdrill/adapter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct adapter {
	struct tcpu_stack *stack;
	struct wire *wire;
	uint64_t wait_us;
};

/* As calls give it: -1 and errno. */
static int result_of(int error)
{
	if (error >= 0)
		return error;
	errno = -error;
	return -1;
}

static void adapter_free(void *u)
{
	struct adapter *a = u;

	stack_close_tcpu(a->stack); /* a script may leave sockets open: then the stack stays */
	free(a);
}

/* ---- calls ---- */

static int adapter_socket(void *u, int domain, int type, int protocol)
{
	if (domain != AF_INET)
		return result_of(-EAFNOSUPPORT);
	if (protocol && protocol != IPPROTO_TCP)
		return result_of(-EPROTONOSUPPORT);
	return stack_socket_tcpu(((struct adapter *)u)->stack, type);
}

static int adapter_bind(void *u, int fd, const struct sockaddr *at, socklen_t len)
{
	(void)u;
	return bind_tcpu(fd, (const struct sockaddr_in *)at, len);
}

static int adapter_listen(void *u, int fd, int backlog)
{
	(void)u;
	return listen_tcpu(fd, backlog);
}

static int adapter_accept(void *u, int fd, struct sockaddr *at, socklen_t *len)
{
	(void)u;
	return accept_tcpu(fd, (struct sockaddr_in *)at, len);
}

static int adapter_connect(void *u, int fd, const struct sockaddr *at, socklen_t len)
{
	(void)u;
	return connect_tcpu(fd, (const struct sockaddr_in *)at, len);
}

static ssize_t adapter_read(void *u, int fd, void *p, size_t len)
{
	(void)u;
	return recv_tcpu(fd, p, len, 0);
}

static ssize_t adapter_readv(void *u, int fd, const struct iovec *pieces, int n)
{
	(void)u;
	return readv_tcpu(fd, pieces, n);
}

static ssize_t adapter_recv(void *u, int fd, void *p, size_t len, int flags)
{
	(void)u;
	return recv_tcpu(fd, p, len, flags);
}

/* TCP's recvfrom tells no address. */
static ssize_t adapter_recvfrom(void *u, int fd, void *p, size_t len, int flags, struct sockaddr *at, socklen_t *at_len)
{
	(void)u;
	if (at && at_len)
		*at_len = 0;
	return recv_tcpu(fd, p, len, flags);
}

static ssize_t adapter_recvmsg(void *u, int fd, struct msghdr *m, int flags)
{
	(void)u;
	if (flags)
		return result_of(-EOPNOTSUPP);
	m->msg_namelen = 0;
	m->msg_controllen = 0;
	m->msg_flags = 0;
	return readv_tcpu(fd, m->msg_iov, (int)m->msg_iovlen);
}

static ssize_t adapter_write(void *u, int fd, const void *p, size_t len)
{
	(void)u;
	return send_tcpu(fd, p, len, 0);
}

static ssize_t adapter_writev(void *u, int fd, const struct iovec *pieces, int n)
{
	(void)u;
	return writev_tcpu(fd, pieces, n);
}

static ssize_t adapter_send(void *u, int fd, const void *p, size_t len, int flags)
{
	(void)u;
	return send_tcpu(fd, p, len, flags);
}

/* The address of a connected socket counts for nothing; TCP Fast Open is none of ours. */
static ssize_t adapter_sendto(void *u, int fd, const void *p, size_t len, int flags, const struct sockaddr *at,
	socklen_t at_len)
{
	(void)u;
	(void)at;
	(void)at_len;
	return send_tcpu(fd, p, len, flags);
}

static ssize_t adapter_sendmsg(void *u, int fd, const struct msghdr *m, int flags)
{
	(void)u;
	return flags ? result_of(-EOPNOTSUPP) : writev_tcpu(fd, m->msg_iov, (int)m->msg_iovlen);
}

static int adapter_fcntl(void *u, int fd, int cmd, ...)
{
	va_list arguments;
	int arg;

	(void)u;
	va_start(arguments, cmd);
	arg = va_arg(arguments, int);
	va_end(arguments);
	return fcntl_tcpu(fd, cmd, arg);
}

static int adapter_ioctl(void *u, int fd, unsigned long request, ...)
{
	va_list arguments;
	int *arg;

	(void)u;
	va_start(arguments, request);
	arg = va_arg(arguments, int *);
	va_end(arguments);
	return ioctl_tcpu(fd, request, arg);
}

/* Linux's says nothing of data that did not arrive. */
static int adapter_close(void *u, int fd)
{
	int result = close_tcpu(fd);

	(void)u;
	return result < 0 && (errno == EIO || errno == EAGAIN) ? 0 : result;
}

static int adapter_shutdown(void *u, int fd, int how)
{
	(void)u;
	return shutdown_tcpu(fd, how);
}

static int adapter_getsockopt(void *u, int fd, int level, int name, void *value, socklen_t *len)
{
	(void)u;
	return getsockopt_tcpu(fd, level, name, value, len);
}

static int adapter_setsockopt(void *u, int fd, int level, int name, const void *value, socklen_t len)
{
	(void)u;
	return setsockopt_tcpu(fd, level, name, value, len);
}

static int adapter_poll(void *u, struct pollfd *fds, nfds_t n, int timeout)
{
	(void)u;
	return poll_tcpu(fds, n, timeout);
}

static int adapter_epoll_create(void *u, int size)
{
	(void)u;
	(void)size;
	return result_of(-ENOSYS);
}

static int adapter_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *event)
{
	(void)u;
	(void)epfd;
	(void)op;
	(void)fd;
	(void)event;
	return result_of(-ENOSYS);
}

static int adapter_epoll_wait(void *u, int epfd, struct epoll_event *events, int max, int timeout)
{
	(void)u;
	(void)epfd;
	(void)events;
	(void)max;
	(void)timeout;
	return result_of(-ENOSYS);
}

static int adapter_pipe(void *u, int fds[2])
{
	(void)u;
	(void)fds;
	return result_of(-ENOSYS);
}

static int adapter_splice(void *u, int in, loff_t *in_off, int out, loff_t *out_off, size_t len, unsigned flags)
{
	(void)u;
	(void)in;
	(void)in_off;
	(void)out;
	(void)out_off;
	(void)len;
	(void)flags;
	return result_of(-ENOSYS);
}

/* ---- packets and time ---- */

static int adapter_netdev_send(void *u, const void *packet, size_t len)
{
	struct adapter *a = u;
	int error = wire_put(a->wire, packet, len);

	stack_turn_tcpu(a->stack);
	return result_of(error);
}

/* Turns the stack until that time, or until the wire has something. */
static void turn(struct adapter *a, uint64_t until_us)
{
	struct pollfd fd = { .fd = wire_fd(a->wire), .events = POLLIN };
	uint64_t due_us = stack_turn_tcpu(a->stack);

	link_host_sleep(&fd, 1, due_us < until_us ? due_us : until_us);
}

static int adapter_netdev_receive(void *u, void *packet, size_t *len, long long *time_us)
{
	struct adapter *a = u;
	uint64_t until_us = link_host_now_us() + a->wait_us;
	int n;

	while ((n = wire_take(a->wire, packet, *len, time_us)) == 0 && link_host_now_us() < until_us)
		turn(a, until_us);
	*len = n > 0 ? (size_t)n : 0;
	return n < 0 ? result_of(n) : 0;
}

static int adapter_usleep(void *u, useconds_t us)
{
	struct adapter *a = u;
	uint64_t until_us = link_host_now_us() + us, due_us;

	do {
		due_us = stack_turn_tcpu(a->stack);
		link_host_sleep(NULL, 0, due_us < until_us ? due_us : until_us);
	} while (link_host_now_us() < until_us);
	return 0;
}

static int adapter_gettimeofday(void *u, struct timeval *now, struct timezone *zone)
{
	(void)u;
	(void)zone;
	return gettimeofday(now, NULL);
}

/* ---- beginning ---- */

static __attribute__((noreturn)) void give_up(const char *what, const char *why)
{
	fprintf(stderr, "tcpu.so: %s: %s\n", what, why);
	exit(2);
}

static void start(struct adapter *a, const struct flags *f)
{
	struct tcpu_stack_config config = { .turns = true, .engine = { .initial_cwnd = f->iw,
		.delack_us = f->delack ? 0 : TCPU_ACK_ON_FLUSH, .isn_fixed = f->has_isn, .isn = f->isn } };
	int error = wire_open(f, &a->wire, &config.link);

	if (error)
		give_up("no link", strerror(-error));
	if (stack_tcpu(&config, &a->stack))
		give_up("no stack", strerror(errno));
	a->wait_us = f->wait_s * 1000000ULL;
}

__attribute__((visibility("default"))) void packetdrill_interface_init(const char *text,
	struct packetdrill_interface *out)
{
	struct adapter *a = calloc(1, sizeof *a);
	const char *wrong;
	struct flags f;

	if (!flags_read(text, &f, &wrong))
		give_up(wrong, "is not understood: the flags are local=IP,mtu=N,wait=SECONDS,iw=N,delack=on|off,isn=N");
	if (!a)
		give_up("no stack", strerror(ENOMEM));
	start(a, &f);
	*out = (struct packetdrill_interface){ .userdata = a, .free = adapter_free, .socket = adapter_socket,
		.bind = adapter_bind, .listen = adapter_listen, .accept = adapter_accept, .connect = adapter_connect,
		.read = adapter_read, .readv = adapter_readv, .recv = adapter_recv, .recvfrom = adapter_recvfrom,
		.recvmsg = adapter_recvmsg, .write = adapter_write, .writev = adapter_writev, .send = adapter_send,
		.sendto = adapter_sendto, .sendmsg = adapter_sendmsg, .fcntl = adapter_fcntl, .ioctl = adapter_ioctl,
		.close = adapter_close, .shutdown = adapter_shutdown, .getsockopt = adapter_getsockopt,
		.setsockopt = adapter_setsockopt, .poll = adapter_poll, .netdev_send = adapter_netdev_send,
		.netdev_receive = adapter_netdev_receive, .usleep = adapter_usleep, .gettimeofday = adapter_gettimeofday,
		.epoll_create = adapter_epoll_create, .epoll_ctl = adapter_epoll_ctl, .epoll_wait = adapter_epoll_wait,
		.pipe = adapter_pipe, .splice = adapter_splice };
}

/* The calls of core/tcpu.h that ask for names and state, and fcntl and ioctl. */
#include "core/link/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

int info_tcpu(int fd, struct tcpu_info *i)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, sock_info(s, i)) : -1;
}

int getsockname_tcpu(int fd, struct sockaddr_in *addr, socklen_t *addrlen)
{
	struct link_addr local = { 0 };
	struct sock *s = sock_enter(fd);
	struct tcpu_info i;

	if (!s)
		return -1;
	if (!sock_info(s, &i))
		local = i.local;
	else if (s->claim)
		local = s->claim->local;
	sock_give_address(local, addr, addrlen);
	return (int)sock_leave(s, 0);
}

int getpeername_tcpu(int fd, struct sockaddr_in *addr, socklen_t *addrlen)
{
	struct sock *s = sock_enter(fd);
	struct tcpu_info i;
	int e;

	if (!s)
		return -1;
	e = sock_is_open(s) ? sock_info(s, &i) : -ENOTCONN;
	if (!e)
		sock_give_address(i.remote, addr, addrlen);
	return (int)sock_leave(s, e);
}

static int control(struct sock *s, int cmd, int arg)
{
	if (cmd == F_GETFL)
		return O_RDWR | (s->nonblock ? O_NONBLOCK : 0);
	if (cmd != F_SETFL || arg & ~(O_NONBLOCK | O_ACCMODE))
		return -EINVAL;
	s->nonblock = arg & O_NONBLOCK;
	return 0;
}

int fcntl_tcpu(int fd, int cmd, int arg)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, control(s, cmd, arg)) : -1;
}

/* tcp(7). FIONREAD is SIOCINQ. */
static int ask(struct sock *s, unsigned long request, int *arg)
{
	struct tcpu_info i = { 0 };

	if (request == FIONBIO) {
		s->nonblock = *arg;
		return 0;
	}
	if (request != FIONREAD && request != SIOCOUTQ && request != SIOCOUTQNSD)
		return -ENOTTY;
	if (s->listening)
		return -EINVAL;
	stack_catch_up(s->stack);
	sock_info(s, &i); /* without a connection: 0 */
	*arg = (int)(request == FIONREAD ? i.waiting_bytes : request == SIOCOUTQ ? i.buffered_bytes : i.unsent_bytes);
	return 0;
}

int ioctl_tcpu(int fd, unsigned long request, int *arg)
{
	struct sock *s = sock_enter(fd);

	return s ? (int)sock_leave(s, ask(s, request, arg)) : -1;
}

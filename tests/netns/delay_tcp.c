/* ADUs over the kernel's TCP, by record marking (RFC 5531 11): a record of one fragment each. What tests/netns/delay.sh
 * compares with: in order by nature. */
#include "tests/netns/delay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER_BYTES (8 << 20) /* never what limits */
#define LAST_FRAGMENT 0x80000000U

static int fd;

static void set(int s, int level, int name, const void *value, socklen_t len)
{
	if (setsockopt(s, level, name, value, len))
		delay_fail("setsockopt");
}

static void tcp_open(const struct delay_options *o)
{
	const int on = 1, bytes = BUFFER_BYTES;
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		delay_fail("socket");
	set(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	set(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	set(s, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
	set(s, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
	if (o->sends) {
		if (connect(s, &o->address, sizeof o->address))
			delay_fail("connect");
		fd = s;
		return;
	}
	set(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(s, &o->address, sizeof o->address) || listen(s, 1))
		delay_fail("listen");
	delay_listens();
	fd = accept(s, NULL, NULL);
	if (fd < 0)
		delay_fail("accept");
	close(s);
}

static void tcp_send(const uint8_t *adu)
{
	uint32_t mark = htonl(LAST_FRAGMENT | DELAY_BYTES);
	struct iovec parts[] = { { &mark, sizeof mark }, { (void *)adu, DELAY_BYTES } };
	struct msghdr record = { .msg_iov = parts, .msg_iovlen = 2 };

	/* A blocking call takes all of it. */
	if (sendmsg(fd, &record, 0) != (ssize_t)(sizeof mark + DELAY_BYTES))
		delay_fail("send");
}

static bool tcp_recv(uint8_t *adu)
{
	uint32_t mark;
	ssize_t n = recv(fd, &mark, sizeof mark, MSG_WAITALL);

	if (n == 0)
		return false;
	errno = EBADMSG;
	if (n != sizeof mark || mark != htonl(LAST_FRAGMENT | DELAY_BYTES) ||
		recv(fd, adu, DELAY_BYTES, MSG_WAITALL) != DELAY_BYTES)
		delay_fail("recv");
	return true;
}

static void tcp_close(void)
{
	char end;

	if (shutdown(fd, SHUT_WR) || recv(fd, &end, 1, 0) < 0)
		delay_fail("close");
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct delay_way tcp = { tcp_open, tcp_send, tcp_recv, tcp_close };

	return delay_main(&tcp, argc, argv);
}

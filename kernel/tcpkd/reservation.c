#include "kernel/tcpkd/reservation.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_BACK 64 /* descriptors */

bool reservation_is_kept_back(int fd)
{
	struct rlimit most;

	return !getrlimit(RLIMIT_NOFILE, &most) && (rlim_t)fd + KEPT_BACK >= most.rlim_cur;
}

int reservation_make(uint32_t ip, uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = ip, .sin_port = *port };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), e;

	if (fd < 0)
		return -errno;
	if (reservation_is_kept_back(fd)) {
		e = -EDQUOT;
	} else if (bind(fd, (struct sockaddr *)&a, sizeof a) || getsockname(fd, (struct sockaddr *)&a, &len)) {
		e = -errno;
	} else {
		*port = a.sin_port;
		return fd;
	}
	close(fd);
	return e;
}

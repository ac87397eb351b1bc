/* What a process has by socket_tcpu(AF_INET, SOCK_STREAM, IPPROTO_TCPK), which is all that it says: its sockets are on
 * one stack, and reach each other, the kernel's TCP, and a child's, which has a stack of its own.
 *
 *	process IP PORT		an address of this host; and two ports from that one on
 *
 * Says `ok WHAT` and `bad WHAT: ...`. */
#include "core/tcpu.h"
#include "tests/netns/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in here;

static int tcpk_socket(void)
{
	int fd = socket_tcpu(AF_INET, SOCK_STREAM, IPPROTO_TCPK);

	if (fd < 0)
		die("socket_tcpu");
	return fd;
}

/* TAPs that clients have now. */
static unsigned taps(void)
{
	struct if_nameindex *all = if_nameindex();
	unsigned n = 0;

	for (struct if_nameindex *i = all; i->if_index; i++)
		n += !strncmp(i->if_name, "tcpk", 4) && strcmp(i->if_name, "tcpkd") != 0;
	if_freenameindex(all);
	return n;
}

static int listening(unsigned port)
{
	int fd = tcpk_socket();

	here.sin_port = htons((uint16_t)port);
	if (bind_tcpu(fd, &here, sizeof here) || listen_tcpu(fd, 5))
		die("listen_tcpu");
	return fd;
}

/* Bytes there and back, between two of this process. */
static bool passes(int to, int from)
{
	char byte = 0;

	return send_tcpu(to, "a", 1, 0) == 1 && recv_tcpu(from, &byte, 1, 0) == 1 && byte == 'a' &&
	       send_tcpu(from, "b", 1, 0) == 1 && recv_tcpu(to, &byte, 1, 0) == 1 && byte == 'b';
}

static void among_themselves(int listener)
{
	int fd = tcpk_socket(), other;

	report(taps() == 1, "sockets of a process share a stack", "%u TAPs", taps());
	if (report(!connect_tcpu(fd, &here, sizeof here), "and reach each other", "%s", strerror(errno))) {
		other = accept_tcpu(listener, NULL, NULL);
		report(other >= 0 && passes(fd, other), "both ways", "%s", strerror(errno));
		close_tcpu(other);
	}
	close_tcpu(fd);
}

static void with_the_kernel(int listener)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), other;
	char byte = 0;

	/* Who answers is this process, in its calls. */
	if (!connect(fd, (struct sockaddr *)&here, sizeof here) || errno != EINPROGRESS)
		die("connect");
	other = accept_tcpu(listener, NULL, NULL);
	report(other >= 0 && write(fd, "c", 1) == 1 && recv_tcpu(other, &byte, 1, 0) == 1 && byte == 'c',
		"the kernel's TCP reaches them", "%s", strerror(errno));
	close_tcpu(other);
	close(fd);
}

/* The child begins anew: what it would read from the ring of its parent the parent would miss. */
static void with_a_child(int listener, unsigned port)
{
	pid_t pid = fork();
	int fd, status;
	char byte = 0;

	if (!pid) {
		/* Its own port, while its parent has one. */
		fd = listening(port);
		report(taps() == 2, "a child has a stack of its own", "%u TAPs", taps());
		close_tcpu(fd);
		fd = tcpk_socket();
		here.sin_port = htons((uint16_t)(port - 1));
		_exit(connect_tcpu(fd, &here, sizeof here) || send_tcpu(fd, "d", 1, 0) != 1 ||
			recv_tcpu(fd, &byte, 1, 0) != 0);
	}
	fd = accept_tcpu(listener, NULL, NULL);
	report(fd >= 0 && recv_tcpu(fd, &byte, 1, 0) == 1 && byte == 'd', "which reaches its parent", "%s", strerror(errno));
	shutdown_tcpu(fd, SHUT_WR);
	report(waitpid(pid, &status, 0) == pid && status == 0, "and ends well", "status %x", (unsigned)status);
	close_tcpu(fd);
}

/* The TAP has gone, and with it all that the helper knew: told by standard input. */
static void when_all_is_lost(unsigned port)
{
	int fd, other, from;

	puts("waiting");
	if (getchar() == EOF)
		die("standard input");
	fd = tcpk_socket();
	here.sin_port = htons((uint16_t)port);
	report(bind_tcpu(fd, &here, sizeof here) && errno == ENETDOWN, "what is lost is told", "%s", strerror(errno));
	close_tcpu(fd);
	fd = listening(port);
	other = tcpk_socket();
	if (report(!connect_tcpu(other, &here, sizeof here), "and the next socket has all anew", "%s", strerror(errno))) {
		from = accept_tcpu(fd, NULL, NULL);
		report(from >= 0 && passes(other, from), "and bytes pass", "%s", strerror(errno));
		close_tcpu(from);
	}
	close_tcpu(other);
	close_tcpu(fd);
}

int main(int argc, char **argv)
{
	unsigned port = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	int listener;

	setvbuf(stdout, NULL, _IONBF, 0); /* the child has nothing left to say */
	here = (struct sockaddr_in){ .sin_family = AF_INET };
	if (!port || !inet_aton(argv[1], &here.sin_addr))
		die("arguments");
	alarm(60);
	listener = listening(port);
	among_themselves(listener);
	with_the_kernel(listener);
	with_a_child(listener, port + 1);
	close_tcpu(listener);
	when_all_is_lost(port + 2);
	return 0;
}

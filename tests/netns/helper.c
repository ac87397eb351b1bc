/* What answers tcpu status in tcpkd's place, well or badly: helper PATH WHAT. It listens, says `ready`, serves one
 * connection and ends with it. */
#include "kernel/uapi/tcpk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The nth of these claims; -ENOENT behind the last. */
static struct tcpkd_reply claim(uint64_t n)
{
	static const struct tcpkd_reply claims[] = {
		{ .local = 0x0100000a, .local_port = 80, .remote = 0x0200000a, .remote_port = 40000, .uid = 0, .pid = 17,
			.ring_bytes = 4 << 20, .stats = { 10, 1000, 1, 20, 2000, 0 } },
		{ .local_port = 443, .uid = 4000000001, .ring_bytes = 64 << 10, .stats = { 1, 234, 0, 5, 678, 0 } },
	};
	struct tcpkd_reply r = { .status = -ENOENT };

	if (n < sizeof claims / sizeof *claims) {
		r = claims[n];
		r.cursor = n + 1;
		r.local_port = htons(r.local_port);
		r.remote_port = htons(r.remote_port);
	}
	r.abi = TCPK_ABI;
	return r;
}

/* How many bytes are to be sent. -1: nothing; 0: the end. */
static ssize_t answer(const char *what, const struct tcpkd_request *q, struct tcpkd_reply r[2])
{
	bool again = q->cursor > 0;

	r[0] = claim(q->cursor);
	if (!strcmp(what, "endless"))
		r[0] = (struct tcpkd_reply){ .abi = TCPK_ABI, .local_port = 1, .cursor = q->cursor + 1 };
	else if (!strcmp(what, "loop"))
		r[0] = (struct tcpkd_reply){ .abi = TCPK_ABI, .local_port = 1, .cursor = 1 };
	else if (!strcmp(what, "abi"))
		r[0].abi++;
	else if (!strcmp(what, "denies"))
		r[0].status = -EPERM;
	else if (!strcmp(what, "status"))
		r[0].status = again ? INT_MIN : 0;
	else if (!strcmp(what, "silent"))
		return -1;
	return !strcmp(what, "ends") && again ? 0 : !strcmp(what, "short") ? 87 : !strcmp(what, "long") ? 89 : sizeof *r;
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fd;
	struct tcpkd_reply r[2] = { { 0 } };
	struct tcpkd_request q;
	ssize_t n;

	if (argc != 3 || strlen(argv[1]) >= sizeof a.sun_path)
		return 2;
	strcpy(a.sun_path, argv[1]);
	if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 1)) {
		perror(argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	fd = accept(listener, NULL, NULL);
	while (recv(fd, &q, sizeof q, 0) == sizeof q) {
		if (q.abi != TCPK_ABI || q.verb != TCPKD_LIST)
			return 1;
		n = answer(argv[2], &q, r);
		if (!n || (n > 0 && send(fd, r, (size_t)n, MSG_NOSIGNAL) != n))
			break;
	}
	return 0;
}

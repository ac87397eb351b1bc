/* Claims and releases by the link of TCPK as it is told on standard input, a line each, and says what came of it:
 *
 *	claimant SOCKET
 *	claim IP PORT, release IP PORT		`claimed IP PORT` or `denied ERROR`; `released`
 *
 * What ends it is a signal.
 */
#include "core/link/tcpk.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct link *link;
	struct link_addr a;
	char word[16], ip[INET_ADDRSTRLEN];
	unsigned port;
	int e = link_tcpk_open(&(struct link_tcpk_config){ .by = LINK_TCPK_BPF, .path = argc > 1 ? argv[1] : NULL }, &link);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (e) {
		printf("denied %s\n", strerror(-e));
		return 1;
	}
	puts("open");
	while (scanf("%15s %15s %u", word, ip, &port) == 3) {
		a = (struct link_addr){ inet_addr(ip), htons((uint16_t)port) };
		if (!strcmp(word, "release")) {
			link->ops->release(link, &a);
			printf("released %s %u\n", ip, port);
			continue;
		}
		e = link->ops->claim(link, &a);
		if (e)
			printf("denied %s %u %s\n", ip, port, strerror(-e));
		else
			printf("claimed %s %u\n", ip, port);
	}
	pause();
	return 0;
}

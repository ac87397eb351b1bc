/* Says what of forge.h's comes by a device, each kind once: `seen NAME: SRC:PORT`. Or sends one such packet by the
 * device, as somebody on the same cable might:
 *
 *	watch DEVICE
 *	watch DEVICE NAME MAC SRC DST PORT
 */
#include "tests/netns/client.h"
#include "tests/netns/forge.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER (64 << 20)
#define KINDS 4096

static void look(const uint8_t *packet, size_t len)
{
	static char known[KINDS][160];
	static unsigned count;
	const char *at = memmem(packet, len, FORGE_MARK, strlen(FORGE_MARK));
	const uint8_t *ip = packet + ETH_HLEN;
	char line[160], src[INET_ADDRSTRLEN];
	uint16_t port;

	if (!at || len < ETH_HLEN + 24)
		return;
	at += strlen(FORGE_MARK);
	if (at[strcspn(at, ";")] != ';') /* the end of the packet */
		return;
	memcpy(&port, ip + 20, sizeof port);
	snprintf(line, sizeof line, "seen %.*s: %s:%u protocol %u", (int)strcspn(at, ";"), at,
		inet_ntop(AF_INET, ip + 12, src, sizeof src), ntohs(port), ip[9]);
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(known[i], line))
			return;
	if (count < KINDS)
		strcpy(known[count++], line);
	puts(line);
}

int main(int argc, char **argv)
{
	static uint8_t packet[1 << 17];
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_halen = 6 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), size = BUFFER;
	ssize_t n;

	setvbuf(stdout, NULL, _IOLBF, 0);
	a.sll_ifindex = argc > 1 ? (int)if_nametoindex(argv[1]) : 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	if (!a.sll_ifindex || bind(fd, (struct sockaddr *)&a, sizeof a))
		die("watch DEVICE");
	if (argc == 7) {
		struct forgery f = { .name = argv[2], .src = argv[4], .dst = argv[5], .dport = (uint16_t)atoi(argv[6]),
			.sport = 9 };
		size_t len;

		sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", f.mac, f.mac + 1, f.mac + 2, f.mac + 3, f.mac + 4, f.mac + 5);
		len = forge(packet, &f, &f);
		return send(fd, packet, len, 0) != (ssize_t)len;
	}
	puts("watching");
	while ((n = recv(fd, packet, sizeof packet - 1, 0)) > 0) {
		packet[n] = 0;
		look(packet, (size_t)n);
	}
	return 0;
}

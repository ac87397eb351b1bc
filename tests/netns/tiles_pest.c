/* A sender that does not keep to what adu-examples/tiles/tiles.h says: what tests/tiles.sh sets upon a receiver.
 *
 *	tiles_pest PORT CASE	at 127.0.0.1; cases are counted from 0, and without CASE it says how many there are
 *
 * Each case is a greeting, and two ADUs. Ends when the receiver does. */
#include "alf/alf.h"

#include <arpa/inet.h>
#include <endian.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDGE 32
#define WHOLE (EDGE * EDGE * 3)

struct greeting {
	char magic[8];
	uint32_t version, width, height, edge;
	char chain[48];
};
#define LEN sizeof(struct greeting)

struct sent {
	uint8_t type, name[5], name_len;
	size_t len;
};

#define GREETING(width, height, edge) { "TCPUtile", 2, width, height, edge, "copy" }
#define GOOD GREETING(100, 100, EDGE)
#define TILE(level, column, row) 1, { level, (column) >> 8, (column) & 255, (row) >> 8, (row) & 255 }, 5

static const struct {
	struct greeting greeting;
	size_t greeting_len;
	struct sent sent[2];
} cases[] = {
	{ { "TCPUxfer", 2, 100, 100, EDGE, "copy" }, LEN, { { 0 } } },
	{ { "TCPUtile", 1, 100, 100, EDGE, "" }, 24, { { 0 } } },
	{ { "TCPUtile", 3, 100, 100, EDGE, "copy" }, LEN, { { 0 } } },
	{ { "TCPUtile", 2, 100, 100, EDGE, "xdr_copy" }, LEN, { { 0 } } },
	{ { "TCPUtile", 2, 100, 100, EDGE, "copycopycopycopycopycopycopycopycopycopycopycopy" }, LEN, { { 0 } } },
	{ GOOD, LEN - 1, { { 0 } } },
	{ GOOD, 11, { { 0 } } },
	{ GOOD, 8, { { 0 } } },
	{ GOOD, 0, { { 0 } } },
	{ GREETING(0, 100, EDGE), LEN, { { 0 } } },
	{ GREETING(65535, 65535, EDGE), LEN, { { 0 } } },
	{ GREETING(UINT32_MAX, 2, EDGE), LEN, { { 0 } } },
	{ GREETING(100, 100, 0), LEN, { { 0 } } },
	{ GREETING(100, 100, 33), LEN, { { 0 } } },
	{ GOOD, LEN, { { TILE(4, 0, 0), WHOLE } } },
	{ GOOD, LEN, { { TILE(255, 0, 0), WHOLE } } },
	{ GOOD, LEN, { { TILE(0, 4, 0), WHOLE } } },
	{ GOOD, LEN, { { TILE(0, 0, 65535), WHOLE } } },
	{ GOOD, LEN, { { TILE(1, 2, 0), WHOLE } } },
	{ GOOD, LEN, { { TILE(0, 3, 3), WHOLE } } }, /* it is smaller */
	{ GOOD, LEN, { { TILE(0, 0, 0), WHOLE - 1 } } },
	{ GOOD, LEN, { { TILE(0, 0, 0), WHOLE + 1 } } },
	{ GOOD, LEN, { { TILE(0, 0, 0), 0 } } },
	{ GOOD, LEN, { { TILE(0, 0, 0), 256 * 256 * 3 + 1 } } },
	{ GOOD, LEN, { { 1, { 0 }, 4, WHOLE } } },
	{ GOOD, LEN, { { 1, { 0 }, 0, WHOLE } } },
	{ GOOD, LEN, { { 2, { 0 }, 5, WHOLE } } },
	{ GOOD, LEN, { { 2, { 0 }, 0, 0 } } },
	{ GOOD, LEN, { { TILE(0, 0, 0), WHOLE }, { TILE(0, 0, 0), WHOLE } } },
	{ GOOD, LEN, { { TILE(3, 0, 0), 13 * 13 * 3 }, { TILE(3, 0, 0), 13 * 13 * 3 } } },
	{ GOOD, LEN, { { TILE(0, 0, 0), WHOLE } } }, /* and goes away */
};
#define CASES (sizeof cases / sizeof *cases)

static const uint8_t data[256 * 256 * 3 + 1];

static struct alf *greet(int fd, size_t n)
{
	struct greeting g = cases[n].greeting;
	struct alf_profile profile = { .initiator = true, .crc = true, .private_data = &g,
		.private_len = (uint16_t)cases[n].greeting_len };

	g.version = htobe32(g.version);
	g.width = htobe32(g.width);
	g.height = htobe32(g.height);
	g.edge = htobe32(g.edge);
	return alf_open(fd, &profile);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : CASES;
	int fd = socket_tcpu(AF_INET, SOCK_STREAM, 0);
	struct adu_event e;
	struct alf *alf;

	if (n >= CASES) {
		printf("%zu\n", CASES);
		return 0;
	}
	at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	if (fd < 0 || connect_tcpu(fd, &at, sizeof at))
		err(1, "connect");
	alf = greet(fd, n);
	if (!alf)
		err(1, "alf_open");
	adu_next(alf, &e, 5000); /* ADU_OPENED: the greeting is there as well */
	for (int i = 0; i < 2; i++) {
		const struct sent *s = &cases[n].sent[i];
		struct adu_attr attr = { .type = s->type, .name_len = s->name_len };
		memcpy(attr.name, s->name, sizeof s->name);
		/* Too long for the receiver is too long for us: what goes then is one that goes too far. */
		if (s->type && adu_send(alf, data, s->len, &attr) < 0)
			break;
	}
	shutdown_tcpu(fd, SHUT_WR);
	while (adu_next(alf, &e, 5000) == 1)
		continue;
	alf_close(alf);
	close_tcpu(fd);
	return 0;
}

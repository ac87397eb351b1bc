/* TCPK beside connection tracking and netfilter's rules, which come first. */
#include "tests/kernel/tap.h"
#include "tests/kernel/wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT 7000

static int wire;
static struct wire_packet p;
static struct got g;
static uint8_t bytes[2048], data[10];

/* From the far end, to a port of ours. */
static struct segment from_far(uint16_t sport, uint16_t dport, uint8_t flags, size_t len)
{
	return (struct segment){ .src = FAR, .dst = NEAR, .sport = sport, .dport = dport, .seq = 1000, .ack = 2000,
		.flags = flags, .data = data, .len = len };
}

static struct segment to_far(uint16_t sport, uint16_t dport, uint8_t flags, size_t len)
{
	return (struct segment){ .src = NEAR, .dst = FAR, .sport = sport, .dport = dport, .seq = 5000, .ack = 1001,
		.flags = flags, .data = data, .len = len };
}

static int tracked(const char *state)
{
	FILE *f = fopen("/proc/net/nf_conntrack", "r");
	char line[512];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof line, f))
		n += strstr(line, state) && strstr(line, "src=10.8.0.2 dst=10.8.0.1 sport=9 dport=7000");
	fclose(f);
	return n;
}

/* With rules by which only what belongs to a known connection may come and go. */
static void test_conntrack(void)
{
	int fd = tcpk_bound(NEAR, PORT), ruled = tcpk_bound(NEAR, 7999);
	struct segment syn = from_far(9, PORT, TH_SYN, 0), ack = from_far(9, PORT, TH_ACK, 10);
	struct segment answer = to_far(PORT, 9, TH_SYN | TH_ACK, 0);
	struct segment to_ruled = from_far(9, 7999, TH_SYN, 0);
	struct sockaddr_in to = at(FAR, 9);

	MUST(!system("nft -f /tests/rules.nft"));
	syn.ack = 0;
	answer.ack = 1001;
	ack.seq = 1001;
	ack.ack = 5001;
	segment_put(wire, &ack);
	FAILS(get(fd, &g, 0), EAGAIN, "netfilter's rules come first: what they drop does not come");
	segment_put(wire, &to_ruled);
	segment_put(wire, &syn);
	OK(get(fd, &g, 0) == 20 && tracked("SYN_RECV") + tracked("SYN_SENT") == 1, "connection tracking knows a SYN");
	OK(put(fd, bytes, segment_make(bytes, &answer), &to, NULL) == 20 && wire_get(wire, &p, 500) &&
		tracked("SYN_RECV") == 1, "and what answers it");
	segment_put(wire, &ack);
	OK(get(fd, &g, 0) == 30 && tracked("ESTABLISHED") == 1, "and that it is established");
	segment_put(wire, &ack);
	OK(get(fd, &g, 0) == 30 && tracked("") == 1, "one entry, however many packets");
	FAILS(get(ruled, &g, 0), EAGAIN, "a port that is closed by rules is closed for TCPK");
	MUST(!system("nft delete table ip tracked"));
	close(fd);
	close(ruled);
}

int main(void)
{
	wire = wire_open(false);
	test_conntrack();
	return tap_end();
}

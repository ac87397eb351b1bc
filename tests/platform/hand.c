#include "tests/platform/probe.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>

#define MSS 1460

static struct segment blank(const struct hand *h)
{
	return (struct segment){ .src = h->src, .dst = h->dst, .sport = h->sport, .dport = h->dport, .ack = h->ack };
}

const struct tcphdr *hand_await(struct hand *h)
{
	const struct take_record *r;
	const struct tcphdr *tcp;
	size_t len;

	while ((r = ring_await(h->ring, &len, 2000))) {
		const uint8_t *ip = (const void *)(r + 1);

		tcp = (const void *)(ip + (ip[0] & 15) * 4);
		if (tcp->dest == htons(h->sport))
			return tcp;
		ring_done(h->ring); /* of a connection before this one */
	}
	return NULL;
}

bool hand_connect(struct hand *h)
{
	struct segment s = blank(h);
	const struct tcphdr *tcp;
	bool good;

	s.seq = UINT32_MAX;
	s.flags = TH_SYN;
	s.ack = 0;
	send_frame(h->tap, &s);
	tcp = hand_await(h);
	if (!tcp)
		return false;
	good = tcp->th_flags == (TH_SYN | TH_ACK) && tcp->ack_seq == 0 && tcp->dest == htons(h->sport);
	h->ack = ntohl(tcp->seq) + 1;
	ring_done(h->ring);
	if (!good)
		return false;
	s = blank(h);
	send_frame(h->tap, &s);
	return true;
}

bool hand_send(struct hand *h, size_t bytes)
{
	struct segment s = blank(h);
	const struct tcphdr *tcp;
	bool all = false;

	s.len = bytes;
	s.gso = bytes > MSS ? MSS : 0;
	send_frame(h->tap, &s);
	while (!all && (tcp = hand_await(h))) {
		all = ntohl(tcp->ack_seq) == bytes && !(tcp->th_flags & TH_RST);
		ring_done(h->ring);
	}
	return all;
}

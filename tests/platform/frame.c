#include "tests/platform/probe.h"

#include "core/cksum.h"
#include "core/link/ip.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define VNET sizeof(struct virtio_net_hdr)
_Static_assert(FRAME_MAX == VNET + ETH_HLEN + IP_PACKET_MAX, "");

uint8_t data_at(uint32_t i)
{
	return (uint8_t)(i * 2654435761U >> 24);
}

size_t make_frame(uint8_t frame[FRAME_MAX], const struct segment *s)
{
	uint8_t *eth = frame + VNET, *ip = eth + ETH_HLEN, *tcp = ip + IP_HEADER, *data = tcp + sizeof(struct tcphdr);
	uint32_t segment_len = (uint32_t)(sizeof(struct tcphdr) + s->len);
	struct virtio_net_hdr v = { .gso_size = s->gso, .gso_type = s->gso ? VIRTIO_NET_HDR_GSO_TCPV4 : 0 };
	struct tcphdr h = { .source = htons(s->sport), .dest = htons(s->dport), .seq = htonl(s->seq),
		.ack_seq = htonl(s->ack), .doff = sizeof h / 4, .window = htons(65535) };

	h.th_flags = s->flags ? s->flags : TH_ACK;
	h.check = tcpu_sum_pseudo(htonl(s->src), htonl(s->dst), segment_len);
	memset(eth, 0, ETH_HLEN);
	eth[0] = s->astray ? 2 : 0; /* a local unicast address */
	eth[12] = ETH_P_IP >> 8;
	ip_write(ip, IPPROTO_TCP, htonl(s->src), htonl(s->dst), segment_len, 0);
	memcpy(tcp, &h, sizeof h);
	for (uint32_t i = 0; i < s->len; i++)
		data[i] = data_at(s->seq + i);
	if (s->plain) {
		h.check = (uint16_t)~tcpu_sum(tcp, segment_len);
		memcpy(tcp, &h, sizeof h);
	} else {
		v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		v.csum_start = ETH_HLEN + IP_HEADER;
		v.csum_offset = offsetof(struct tcphdr, check);
		v.hdr_len = (uint16_t)(ETH_HLEN + IP_HEADER + sizeof h);
	}
	memcpy(frame, &v, sizeof v);
	return VNET + ETH_HLEN + IP_HEADER + segment_len;
}

void send_frame(int tap, const struct segment *s)
{
	static uint8_t frame[FRAME_MAX];
	size_t len = make_frame(frame, s);

	if (write(tap, frame, len) != (ssize_t)len)
		give_up("to write to a TAP");
}

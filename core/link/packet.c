#include "core/link/packet.h"

#include "core/cksum.h"
#include "core/link/ip.h"

#include <assert.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define TCP_HEADER 20
#define TCP_HEADER_MAX 60
#define FLAGS 13 /* where they stand in the header */
#define TH_CWR 0x80

static uint32_t sequence(const struct link_out *o)
{
	uint32_t seq;

	memcpy(&seq, o->header + offsetof(struct tcphdr, seq), sizeof seq);
	return ntohl(seq);
}

/* Whether the segment next, which would be number i of the super-packet, is what the kernel would make of the first
 * one's header: it counts SEQ on, gives CWR to the first segment alone, and FIN and PSH to the last. */
static bool belongs(const struct link_out *first, const struct link_out *next, uint32_t i)
{
	const uint8_t *a = first->header, *b = next->header;

	return next->src.ip == first->src.ip && next->dst.ip == first->dst.ip && next->ecn == first->ecn &&
	       next->header_len == first->header_len && !next->segment_len && next->data_len &&
	       next->data_len <= first->data_len &&
	       sequence(next) == sequence(first) + i * first->data_len &&
	       memcmp(a, b, 4) == 0 &&                             /* ports */
	       memcmp(a + 8, b + 8, 5) == 0 &&                     /* ACK, data offset */
	       (a[FLAGS] & ~TH_CWR) == (b[FLAGS] & ~(TH_FIN | TH_PUSH)) &&
	       memcmp(a + 14, b + 14, 2) == 0 &&                   /* window */
	       memcmp(a + 18, b + 18, first->header_len - 18) == 0; /* options */
}

unsigned packet_run(const struct link_out *o, unsigned n)
{
	uint32_t total = IP_HEADER + o->header_len + o->data_len;
	unsigned run = 1;

	if (!o->data_len || o->segment_len || o->header[FLAGS] & (TH_SYN | TH_RST | TH_URG))
		return 1;
	while (run < n && run < PACKET_RUN_MAX && total + o[run].data_len <= IP_PACKET_MAX &&
		belongs(o, &o[run], run)) {
		total += o[run].data_len;
		run++;
		if (o[run - 1].data_len < o->data_len || o[run - 1].header[FLAGS] & (TH_FIN | TH_PUSH))
			break;
	}
	return run;
}

uint32_t packet_cut(const struct link_out *o, unsigned run)
{
	return o->segment_len ? o->segment_len : run > 1 ? o->data_len : 0;
}

unsigned packet_segments(const struct link_out *o, unsigned run)
{
	return o->segment_len ? (o->data_len + o->segment_len - 1) / o->segment_len : run;
}

uint32_t packet_segment_len(const struct link_out *o, unsigned run)
{
	uint32_t len = o->header_len;

	for (unsigned i = 0; i < run; i++)
		len += o[i].data_len;
	return len;
}

void packet_virtio(uint8_t *header, const struct link_out *o, unsigned run, bool leave, size_t link_header)
{
	struct virtio_net_hdr v = { 0 };

	if (leave)
		v = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.hdr_len = (uint16_t)(link_header + IP_HEADER + o->header_len),
			.csum_start = (uint16_t)(link_header + IP_HEADER), .csum_offset = offsetof(struct tcphdr, check) };
	if (packet_cut(o, run)) {
		v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		v.gso_size = (uint16_t)packet_cut(o, run);
		if (o->header[FLAGS] & TH_CWR)
			v.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	}
	memcpy(header, &v, sizeof v);
}

static void add_piece(struct packet *p, const uint8_t *piece, size_t len)
{
	struct iovec *last = p->count ? &p->pieces[p->count - 1] : NULL;

	if (last && (uint8_t *)last->iov_base + last->iov_len == piece)
		last->iov_len += len;
	else if (len)
		p->pieces[p->count++] = (struct iovec){ (void *)piece, len };
}

static void make_header(uint8_t *tcp, const struct link_out *o, unsigned run)
{
	uint16_t sum = tcpu_sum_pseudo(o->src.ip, o->dst.ip, packet_segment_len(o, run));

	memcpy(tcp, o->header, o->header_len);
	tcp[FLAGS] |= o[run - 1].header[FLAGS];
	memcpy(tcp + offsetof(struct tcphdr, check), &sum, sizeof sum);
}

void packet_gather(struct packet *p, size_t before, const struct link_out *o, unsigned run, bool leave)
{
	assert(o->header_len >= TCP_HEADER && o->header_len <= TCP_HEADER_MAX);
	assert(before + o->header_len + PACKET_SMALL <= sizeof p->head && run <= PACKET_RUN_MAX);
	p->count = 0;
	add_piece(p, p->head, before);
	if (leave) {
		make_header(p->head + before, o, run);
		add_piece(p, p->head + before, o->header_len);
	} else {
		add_piece(p, o->header, o->header_len);
	}
	if (leave && run == 1 && o->data_len && o->data_len <= PACKET_SMALL) {
		uint8_t *behind = p->head + before + o->header_len;

		memcpy(behind, o->data, o->data_len);
		add_piece(p, behind, o->data_len);
		return;
	}
	for (unsigned i = 0; i < run; i++)
		add_piece(p, o[i].data, o[i].data_len);
}

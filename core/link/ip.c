#include "core/link/ip.h"

#include "core/cksum.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define ICMP_HEADER 8
#define QUOTE_MIN 8 /* bytes behind the IP header: RFC 792 promises ports and sequence number, and no more */
#define TCP_HEADER 20
#define TTL 64      /* RFC 1700 */

/* ICMP's codes of "destination unreachable" as errors: RFC 1122 3.2.2.1, as Linux gives them to a socket. */
static const int unreachable[] = {
	[ICMP_UNREACH_NET] = ENETUNREACH,
	[ICMP_UNREACH_HOST] = EHOSTUNREACH,
	[ICMP_UNREACH_PROTOCOL] = ENOPROTOOPT,
	[ICMP_UNREACH_PORT] = ECONNREFUSED,
	[ICMP_UNREACH_NEEDFRAG] = EMSGSIZE,
	[ICMP_UNREACH_SRCFAIL] = EOPNOTSUPP,
	[ICMP_UNREACH_NET_UNKNOWN] = ENETUNREACH,
	[ICMP_UNREACH_HOST_UNKNOWN] = EHOSTDOWN,
	[ICMP_UNREACH_ISOLATED] = ENONET,
	[ICMP_UNREACH_NET_PROHIB] = ENETUNREACH,
	[ICMP_UNREACH_HOST_PROHIB] = EHOSTUNREACH,
	[ICMP_UNREACH_TOSNET] = ENETUNREACH,
	[ICMP_UNREACH_TOSHOST] = EHOSTUNREACH,
	[ICMP_UNREACH_FILTER_PROHIB] = EHOSTUNREACH,
	[ICMP_UNREACH_HOST_PRECEDENCE] = EHOSTUNREACH,
	[ICMP_UNREACH_PRECEDENCE_CUTOFF] = EHOSTUNREACH,
};

/* Whether the sum of something that holds its own checksum is right. */
static bool sums_up(const uint8_t *data, size_t len)
{
	return tcpu_sum(data, len) == 0xffff;
}

/* A header whose lengths can be true, of a packet of which there are len bytes; *header_len in bytes. */
static bool read_header(const uint8_t *packet, size_t len, struct iphdr *h, size_t *header_len)
{
	if (len < sizeof *h)
		return false;
	memcpy(h, packet, sizeof *h);
	*header_len = h->ihl * 4U;
	return h->version == 4 && *header_len >= sizeof *h && *header_len <= len && ntohs(h->tot_len) >= *header_len;
}

/* RFC 1122 3.2.1.3: addresses that are never a packet's source; RFC 9293 MUST-57 for broadcast and multicast. */
static bool is_impossible(uint32_t src)
{
	uint32_t a = ntohl(src);

	return IN_MULTICAST(a) || IN_BADCLASS(a) || a >> 24 == 0;
}

static bool is_astray(const struct iphdr *h, uint32_t ip)
{
	if (is_impossible(h->saddr))
		return true;
	return ip && (h->daddr != ip || h->saddr == ip || ntohl(h->saddr) >> 24 == IN_LOOPBACKNET);
}

static int error_of(const struct icmphdr *h)
{
	switch (h->type) {
	case ICMP_DEST_UNREACH:
		return h->code < sizeof unreachable / sizeof *unreachable ? unreachable[h->code] : 0;
	case ICMP_TIME_EXCEEDED:
		return EHOSTUNREACH;
	case ICMP_PARAMETERPROB:
		return EPROTO;
	default: /* source quench among them: RFC 6633 */
		return 0;
	}
}

static enum ip_kind read_error(const uint8_t *quote, size_t len, int error, const struct icmphdr *icmp, uint32_t ip,
	struct link_in *in)
{
	struct iphdr h;
	size_t header_len, total;

	if (!read_header(quote, len, &h, &header_len))
		return IP_MALFORMED;
	/* Behind what is quoted extensions may follow: RFC 4884. */
	total = ntohs(h.tot_len) < len ? ntohs(h.tot_len) : len;
	if (h.protocol != IPPROTO_TCP || ntohs(h.frag_off) & IP_OFFMASK)
		return IP_OTHER;
	if (total < header_len + QUOTE_MIN)
		return IP_MALFORMED;
	if (ip && h.saddr != ip)
		return IP_ASTRAY;
	*in = (struct link_in){ .src.ip = h.daddr, .dst.ip = h.saddr, .segment = quote + header_len,
		.len = (uint32_t)(total - header_len), .error = error,
		.path_mtu = error == EMSGSIZE ? ntohs(icmp->un.frag.mtu) : 0 }; /* RFC 1191 section 4 */
	memcpy(&in->dst.port, in->segment, 2);
	memcpy(&in->src.port, in->segment + 2, 2);
	return IP_ERROR;
}

static enum ip_kind read_icmp(const uint8_t *message, size_t len, uint32_t ip, struct link_in *in)
{
	struct icmphdr h;
	int error;

	if (len < ICMP_HEADER || !sums_up(message, len))
		return IP_MALFORMED;
	memcpy(&h, message, sizeof h);
	if (h.type == ICMP_ECHO)
		return h.code == 0 ? IP_ECHO : IP_OTHER;
	error = error_of(&h);
	return error ? read_error(message + ICMP_HEADER, len - ICMP_HEADER, error, &h, ip, in) : IP_OTHER;
}

static enum ip_kind read_segment(const uint8_t *segment, size_t len, const struct iphdr *h, struct link_in *in)
{
	if (len < TCP_HEADER)
		return IP_MALFORMED;
	*in = (struct link_in){ .src.ip = h->saddr, .dst.ip = h->daddr, .segment = segment, .len = (uint32_t)len,
		.ecn = h->tos & IPTOS_ECN_MASK };
	memcpy(&in->src.port, segment, 2);
	memcpy(&in->dst.port, segment + 2, 2);
	return IP_SEGMENT;
}

enum ip_kind ip_read(const uint8_t *packet, size_t len, uint32_t ip, struct link_in *in)
{
	struct iphdr h;
	size_t header_len, total;

	if (len && packet[0] >> 4 == 6)
		return IP_OTHER;
	if (!read_header(packet, len, &h, &header_len) || !sums_up(packet, header_len))
		return IP_MALFORMED;
	total = ntohs(h.tot_len);
	if (total > len)
		return IP_MALFORMED;
	if (is_astray(&h, ip))
		return IP_ASTRAY;
	if (ntohs(h.frag_off) & (IP_MF | IP_OFFMASK))
		return IP_FRAGMENT;
	switch (h.protocol) {
	case IPPROTO_TCP:
		return read_segment(packet + header_len, total - header_len, &h, in);
	case IPPROTO_ICMP:
		return read_icmp(packet + header_len, total - header_len, ip, in);
	default:
		return IP_OTHER;
	}
}

void ip_write(uint8_t header[IP_HEADER], uint8_t protocol, uint32_t src, uint32_t dst, uint32_t payload_len,
	uint8_t ecn)
{
	/* RFC 6864 section 4.1: the identification of what is never fragmented may be anything. */
	struct iphdr h = { .version = 4, .ihl = IP_HEADER / 4, .tos = ecn & IPTOS_ECN_MASK,
		.tot_len = htons((uint16_t)(IP_HEADER + payload_len)), .frag_off = htons(IP_DF), .ttl = TTL,
		.protocol = protocol, .saddr = src, .daddr = dst };

	h.check = (uint16_t)~tcpu_sum(&h, sizeof h);
	memcpy(header, &h, sizeof h);
}

uint8_t *ip_answer_echo(uint8_t *packet, size_t *len)
{
	struct iphdr h;
	struct icmphdr icmp;
	uint8_t *message;
	size_t message_len;

	memcpy(&h, packet, sizeof h);
	message = packet + h.ihl * 4U;
	message_len = ntohs(h.tot_len) - h.ihl * 4U;
	memcpy(&icmp, message, sizeof icmp);
	icmp.type = ICMP_ECHOREPLY;
	icmp.checksum = 0;
	memcpy(message, &icmp, sizeof icmp);
	icmp.checksum = (uint16_t)~tcpu_sum(message, message_len);
	memcpy(message, &icmp, sizeof icmp);
	/* Options of the request are not repeated. */
	ip_write(message - IP_HEADER, IPPROTO_ICMP, h.daddr, h.saddr, (uint32_t)message_len, 0);
	*len = IP_HEADER + message_len;
	return message - IP_HEADER;
}

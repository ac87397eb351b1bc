/* IPv4 (RFC 791, RFC 1122 section 3.2) and ICMP (RFC 792) for links that carry IP packets themselves. Private to
 * core/link/; no system call. */
#ifndef CORE_LINK_IP_H
#define CORE_LINK_IP_H

#include "core/link.h"

#define IP_HEADER 20 /* bytes: we send no options */
#define IP_PACKET_MAX 65535

enum ip_kind {
	IP_SEGMENT,   /* TCP */
	IP_ERROR,     /* ICMP's word of a TCP segment of ours */
	IP_ECHO,      /* somebody pings */
	IP_MALFORMED, /* lengths, versions or checksums contradict one another */
	IP_FRAGMENT,
	IP_ASTRAY,    /* not to us, or from an address that no one host has */
	IP_OTHER,     /* nothing that concerns TCP */
};

/* What the len bytes at packet are to a host with the address ip. IP_SEGMENT and IP_ERROR fill in *in, but for vouched;
 * it points into packet. Nothing in packet is believed. ip 0: to one that has seen to its being for it, and which may
 * well talk to itself. */
enum ip_kind ip_read(const uint8_t *packet, size_t len, uint32_t ip, struct link_in *in);
/* The header of a packet that is not to be fragmented. */
void ip_write(uint8_t header[IP_HEADER], uint8_t protocol, uint32_t src, uint32_t dst, uint32_t payload_len,
	uint8_t ecn);
/* Turns an IP_ECHO into its answer. Returns where in packet that begins; *len: its length. */
uint8_t *ip_answer_echo(uint8_t *packet, size_t *len);

#endif

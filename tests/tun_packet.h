/* IPv4 packets made and read by hand, for the tests of core/link/tun.h: nothing here is the code under test. */
#ifndef TESTS_TUN_PACKET_H
#define TESTS_TUN_PACKET_H

#include "core/link/tun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VNET 10 /* bytes of the virtio-net header before a packet */
#define IP 20   /* of an IP header without options */
#define TCP 20
#define ROOM 65600

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

/* As a program reads it from the device, or writes it. */
struct tun_packet {
	size_t len; /* virtio-net header and all */
	uint8_t bytes[VNET + ROOM];
};

/* Numbers as they stand on the wire. */
uint16_t get16(const uint8_t *p);
uint32_t get32(const uint8_t *p);
void put16(uint8_t *p, unsigned value);
void put32(uint8_t *p, uint32_t value);
/* RFC 1071, byte by byte; not inverted. */
uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum);
/* Checksum fields of a packet's IP header, and of what TCP or ICMP there is behind it. */
void fix_ip(uint8_t *ip);
void fix_tcp(uint8_t *ip);
void fix_icmp(uint8_t *ip);
bool tcp_sum_is_right(const uint8_t *ip);

/* A packet of protocol with so much behind its IP header, all zero; addresses in host byte order. Returns the IP
 * header. */
uint8_t *make_packet(struct tun_packet *, uint8_t protocol, uint32_t src, uint32_t dst, size_t payload);
/* One with a TCP header of TCP bytes and data bytes that follow from seq. */
uint8_t *make_segment(struct tun_packet *, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint32_t seq,
	uint32_t ack, uint8_t flags, size_t data);

/* A link for the address ip over one end of a socket pair; *device is the other, the kernel's. SIGPIPE, which no device
 * raises, is ignored. */
struct link *tun_pair(uint32_t ip, bool plain, int *device);

#endif

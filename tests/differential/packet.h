/* A TCP segment as the differential test writes, reads and prints it: by hand, so that no code of core/ stands on both
 * sides of the comparison. Numbers are in host byte order. */
#ifndef TESTS_DIFFERENTIAL_PACKET_H
#define TESTS_DIFFERENTIAL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PF_FIN = 1, PF_SYN = 2, PF_RST = 4, PF_PSH = 8, PF_ACK = 16, PF_URG = 32, PF_ECE = 64, PF_CWR = 128 };

#define PACKET_DATA_MAX 2000
#define PACKET_MAX (60 + PACKET_DATA_MAX)
#define PACKET_SACKS 4

struct packet {
	uint32_t src_ip, dst_ip;
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window, urgent;
	uint16_t mss;          /* of the option; 0: none */
	int scale;             /* of the option; -1: none */
	bool sack_ok, timestamps;
	uint32_t tsval, tsecr;
	unsigned sacks;
	uint32_t sack[PACKET_SACKS][2];
	uint8_t options[40];   /* as they stand there */
	uint32_t options_len;
	uint32_t len;          /* bytes of data */
	uint8_t data[PACKET_DATA_MAX];
	bool good;             /* well formed, and the checksum is right */
};

/* Reads a TCP header and its data; src_ip and dst_ip are set. */
void packet_read(struct packet *, const uint8_t *tcp, size_t len);
/* Writes options, options_len of them, as they are, padded with zeros to a multiple of 4. Returns the bytes. */
size_t packet_write(const struct packet *, uint8_t tcp[PACKET_MAX]);
/* Sum of RFC 1071, inverted; sum: of what comes before. */
uint16_t packet_sum(uint32_t sum, const uint8_t *bytes, size_t len);
/* In packetdrill's notation without direction and time: "P. 1:101(100) ack 1 win 65535 <...>". */
void packet_text(const struct packet *, char *text, size_t size);

#endif

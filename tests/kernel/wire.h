/* The other end of a wire: a TUN device whose near end is the guest's kernel with TCPK. What is put here comes to it
 * byte for byte, and what it sends is read here. And TCPK's calls, said shortly. */
#ifndef TESTS_KERNEL_WIRE_H
#define TESTS_KERNEL_WIRE_H

#include "kernel/uapi/tcpk.h"

#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NEAR 0x0a080001u  /* of the guest's kernel, with all of 10.8.0.0/24 behind the wire */
#define NEAR2 0x0a080009u /* a second one */
#define FAR 0x0a080002u   /* where we pretend to be */
#define STRANGER 0x0a080003u
#define WIRE_MTU 1500

struct wire_packet {
	struct virtio_net_hdr v;
	uint8_t ip[65536];
	size_t len;
};

/* Device tun0, up, with the kernel's addresses on it. offloads: the kernel may give super-packets. */
int wire_open(bool offloads);
void wire_offloads(int wire, bool on);
/* The next IPv4 packet that the kernel sends within so many milliseconds: whether there is one. */
bool wire_get(int wire, struct wire_packet *, int wait_ms);
/* Throws away what has been sent so far; returns how many RSTs of TCP were among it. */
unsigned wire_drain(int wire);
void wire_put(int wire, const struct wire_packet *);

/* A segment, its fields in host byte order. */
struct segment {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags, tos;
	const void *data;
	size_t len;
};
/* TCP header and data, checksum right: how many bytes. */
size_t segment_make(uint8_t *to, const struct segment *);
/* The same as a packet on the wire, without virtio's help. */
void segment_packet(struct wire_packet *, const struct segment *);
void segment_put(int wire, const struct segment *);
/* The fold of all sums: 0 when a checksum among the bytes is right. */
uint16_t wire_sum(const void *, size_t len, uint32_t before);
bool wire_tcp_good(const struct wire_packet *);
const struct iphdr *wire_ip(const struct wire_packet *);
const struct tcphdr *wire_tcp(const struct wire_packet *);
/* An ICMP error that quotes n bytes of a segment behind its IP header. */
void icmp_packet(struct wire_packet *, uint8_t type, uint8_t code, uint16_t mtu, const struct segment *quoted,
	size_t n);

/* ---- TCPK ---- */

struct sockaddr_in at(uint32_t ip, uint16_t port);
int tcpk_socket(void);
/* Bound, too; -1 with errno. */
int tcpk_bound(uint32_t ip, uint16_t port);
int bind_at(int fd, uint32_t ip, uint16_t port);
int connect_at(int fd, uint32_t ip, uint16_t port);
uint16_t port_of(int fd);
int set_int(int fd, int level, int name, int value);
/* -1 where it cannot be had. */
int get_int(int fd, int level, int name);
struct tcpk_stats stats_of(int fd);
/* Whether there is something to receive, within so many milliseconds. */
bool readable(int fd, int wait_ms);

struct got {
	uint8_t data[65536];
	struct sockaddr_in from;
	struct tcpk_info info;
	bool has_info;
	int flags;
};
/* recvmsg without waiting, but for 200 ms: what it returns. */
ssize_t get(int fd, struct got *, int flags);
/* sendmsg; to and offload may be NULL. */
ssize_t put(int fd, const void *segment, size_t len, const struct sockaddr_in *to, const struct tcpk_offload *offload);

#endif

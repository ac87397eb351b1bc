/* What the programs of this folder share: each finds out one thing that TCPK's BPF form (ARCHITECTURE.md) takes for
 * granted of the kernel, in network namespaces of its own. */
#ifndef TESTS_PLATFORM_PROBE_H
#define TESTS_PLATFORM_PROBE_H

#include "tests/platform/take.h"

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* The two ends of cable(), in host byte order. */
#define NEAR 0x0a630101
#define FAR 0x0a630102

/* ---- the count ---- */

/* Counts a check, and says which has failed. */
void check(bool ok, const char *what, ...) __attribute__((format(printf, 2, 3)));
/* Prints `N passed, N failed`. The status of main. */
int conclude(void);
/* A step that is no check has failed, by errno: ends the program with a failure. */
_Noreturn void give_up(const char *what);
/* Ends the program well where the host cannot have what probes need: root, namespaces, TAP devices, BPF. */
void need_platform(void);

/* ---- namespaces and devices ---- */

int space(void);       /* a new network namespace with loopback up, entered: its descriptor */
void enter(int space); /* what is opened, run or attached next is there */
/* Both with %-formats. A command of the shell: run gives up where it fails, try_run tells. */
void run(const char *command, ...) __attribute__((format(printf, 1, 2)));
bool try_run(const char *command, ...) __attribute__((format(printf, 1, 2)));
/* A file system for pins at PINS, which only root may write, seen by this process and its children alone. */
#define PINS "/sys/fs/bpf"
void mount_pins(void);
/* veth "wire" in each of two namespaces, up, with NEAR and FAR as addresses. Enters near. */
void cable(int near, int far);
/* A TAP with virtio-net header in this namespace, up, with all offloads: its descriptor. */
int tap(const char *name);
void attach(const char *device, enum bpf_tc_attach_point where, const struct bpf_program *program);
void detach(const char *device, enum bpf_tc_attach_point where);
unsigned index_of(const char *device);
/* By rtnetlink, as a helper does it that has no /proc of its own: a setting IPV4_DEVCONF_... of a device, and the
 * device's end. 0 or a negative errno. */
int set_ipv4(const char *device, uint16_t setting, uint32_t value);
int delete_device(unsigned index);

/* ---- a ring's reader ---- */

struct ring {
	int fd;
	size_t size;
	unsigned long *consumed, *produced; /* each in a page of its own */
	uint8_t *data;                      /* mapped twice, one behind the other */
	unsigned long at;                   /* where the next record begins */
	/* A record is released when the next one has been read: to the kernel, whoever has something left to read needs
	 * no waking. For one that does not wait in poll. */
	bool spins;
};

int make_ring(size_t size); /* the map's descriptor */
bool map_ring(struct ring *r, int fd, size_t size);
/* The next record's data, in place, until ring_done; NULL: there is none. */
const void *ring_next(struct ring *r, size_t *len);
void ring_done(struct ring *r);
/* The same, and waits for at most so long. */
const void *ring_await(struct ring *r, size_t *len, int ms);

/* ---- packets ---- */

struct segment {
	uint32_t src, dst; /* host byte order */
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags; /* 0: ACK */
	size_t len;    /* of data: byte i of a stream that begins at SEQ 0 is data_at(i) */
	uint16_t gso;  /* size of the segments that it is to be cut into; 0: one */
	bool plain;    /* with its checksum; else the kernel is to finish it */
	bool astray;   /* to another Ethernet address than zeros */
};

#define FRAME_MAX (10 + 14 + 65535)
#define TCP_DATA_MAX (65535 - 40) /* of an IP packet */
uint8_t data_at(uint32_t i);
/* virtio-net header, Ethernet header of zeros, IP, TCP, data: what is written to a TAP. Its length. */
size_t make_frame(uint8_t frame[FRAME_MAX], const struct segment *s);
void send_frame(int tap, const struct segment *s);

/* ---- TCP by hand ---- */

/* An end of a connection whose packets leave by a TAP and come by a ring. */
struct hand {
	int tap;
	struct ring *ring;
	uint32_t src, dst;
	uint16_t sport, dport;
	uint32_t ack; /* RCV.NXT */
};

/* The next segment for us: its TCP header, in place, until ring_done. NULL: none came in two seconds. */
const struct tcphdr *hand_await(struct hand *h);
/* The three-way handshake from our side; our data begins at SEQ 0. False: no answer, or no SYN-ACK. */
bool hand_connect(struct hand *h);
/* So much of data_at's stream, from its beginning, in one super-segment; true: the peer has acknowledged all. */
bool hand_send(struct hand *h, size_t bytes);

/* ---- the kernel's TCP ---- */

int listen_at(uint32_t ip, uint16_t port); /* a listener in this namespace */
int take_connection(int listener);         /* waits for one for two seconds; -1: none */
int connect_to(uint32_t ip, uint16_t port); /* -1: refused, or no answer in a second */
/* Sends so much of data_at's stream through a connection from one namespace into another; true: it came as it was. */
bool stream(int from, int to, uint32_t ip, uint16_t port, size_t bytes);
/* Reads so much of that stream, within ten seconds. */
bool read_stream(int fd, size_t bytes);

/* ---- processes ---- */

/* Runs a function in a process of the user nobody, without any capability, and without any descriptor but 0 to 2 and
 * those in fds, which come by SCM_RIGHTS: by number from 3 on. True if it returned true. */
bool as_nobody(bool (*f)(const int *fds), const int *fds, int n);
/* The same, but does not wait for its end: its process. */
pid_t start_nobody(bool (*f)(const int *fds), const int *fds, int n);
uint64_t now_ns(void);

/* Waits, for five seconds at most, until something is so. */
#define await(condition) \
	({ \
		uint64_t until_ = now_ns() + 5000000000ULL; \
		bool met_; \
		while (!(met_ = (condition)) && now_ns() < until_) \
			pause_ms(1); \
		met_; \
	})
void pause_ms(int ms);

#endif

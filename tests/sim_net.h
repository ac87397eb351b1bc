/* Two engines, or one engine and a scripted peer, over core/link/sim.h in virtual time: the harness of the tests
 * that look at TCP from outside. Deterministic: the same configuration gives the same run. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "core/engine.h"
#include "core/link/sim.h"

#include <limits.h>

#define NET_PORT 80 /* host byte order: where peer 1 listens */
#define NET_MS 1000ULL
#define NET_S 1000000ULL

struct net_memory {
	size_t blocks, bytes; /* live */
	size_t bytes_max;
	uint64_t calls, failed;
	uint64_t fail_at;     /* the call with this number, from 1, finds no memory; 0: none */
	double fail_chance;   /* and so does each other, with this probability */
	struct link_sim *sim; /* whose chance */
};

/* The allocator of the engines, ctx a struct net_memory. */
void *net_take(void *ctx, size_t bytes);
void net_give(void *ctx, void *p, size_t bytes);

#define NET_ROOM UINT_MAX

struct net_peer {
	uint32_t ip;
	struct link *link;   /* the network's */
	struct tcpu *engine; /* NULL: scripted */
	struct net_memory memory;
	bool vouches;        /* the link says so of what comes (it should be right, then) */
	/* The engine's way to link: takes so many segments more [NET_ROOM: without end], then it is full; or fails once */
	struct link gate;
	unsigned gate_room;
	int gate_error;      /* a negative errno */
	uint64_t ahead_us;   /* how far the engine's clock is ahead of the net's */
};

struct net {
	struct link_sim *sim;
	struct net_peer peer[2];
	uint64_t now_us;
	/* Called for each peer in each turn, before its flush: the application. */
	void (*app)(struct net *, int peer, void *ctx);
	void *app_ctx;
	uint64_t app_wake_us; /* when the application wants a turn though nothing came */
};

/* All zero: perfect paths, engine's defaults, MTU 1500. */
struct net_config {
	uint64_t seed;
	struct link_sim_path path[2]; /* from peer i to the other */
	uint32_t segment_max[2];      /* [1480] */
	uint32_t train_max[2];        /* [0: no trains] */
	uint32_t input_bytes[2];      /* [4 MiB] */
	struct tcpu_config engine[2]; /* link, memory, secret and time are set by net_open */
	/* Not 0: peer i's ISN lies so far below 2^32 (as near as 1 us of clock may tell, 4 of which are one number) in the
	 * connection that peer 0 opens from its first port to NET_PORT, if it does so at once. */
	uint32_t below_wrap[2];
	bool scripted;                /* peer 1 has no engine */
};

void net_open(struct net *, const struct net_config *);
/* Frees all, and fails the test when an engine does not give all its memory back. */
void net_close(struct net *);

/* To the next event at or before until_us; false when there is none, and time is then until_us. */
bool net_step(struct net *, uint64_t until_us);
void net_run(struct net *, uint64_t us);
/* Until done says so; false: not within so many microseconds, or nothing happens any more. */
bool net_until(struct net *, bool (*done)(struct net *, void *ctx), void *ctx, uint64_t us);

/* One peer's turn, as a driver has it: clock, input, the application, flush. */
void net_turn(struct net *, int peer);
/* Prints each segment when the environment has TCPU_TRACE. */
void net_trace(struct net *);
/* Of a program whose tests have seeds: says at its end what to run again. To be called before tests run. */
void net_repeat_open(void);
/* In which environment, when the test fails between this and net_repeat(NULL). */
void net_repeat(const char *environment);

/* An address of a peer's, port in host byte order. */
struct link_addr net_addr(const struct net *, int peer, uint16_t port);
/* Peer 1 listens at NET_PORT, peer 0 connects from a claimed port; runs until both are established. */
struct tcb *net_listen(struct net *, unsigned backlog);
struct tcb *net_connect(struct net *);
void net_pair(struct net *, struct tcb **client, struct tcb **server);
struct tcpu_info net_info(const struct tcb *);

/* A filter for the way: a router that is too narrow for some of what peer 0 sends, and says so. */
struct net_router {
	struct net *net;
	uint32_t path_mtu, too_long; /* too_long: packets that were */
};
bool net_router(void *router, struct link_sim_packet *);

enum tcpu_state net_state(const struct tcb *);

/* Bytes to and from memory, over the seam. Results as tcpu_send and tcpu_recv. */
ssize_t net_send(struct tcb *, const void *data, size_t len);
ssize_t net_recv(struct tcb *, void *data, size_t cap);

/* ---- the wire, as a script sees it ---- */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

struct wire {
	struct link_addr src, dst;
	uint64_t time_us;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;         /* not scaled */
	uint32_t header_len, len; /* bytes of header, of data */
	uint16_t mss;            /* of the option; 0: none */
	int scale;               /* of the option; -1: none */
	bool good;               /* well formed, and the checksum is right */
	uint8_t data[LINK_SIM_SEGMENT_MAX];
};

void wire_read(const struct link_sim_packet *, struct wire *);

/* What the script's peer sends. All zero but the flags is often enough. */
struct say {
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t window; /* not scaled */
	const void *data;
	uint32_t len;
	const uint8_t *options;
	uint32_t options_len; /* a multiple of 4 */
	uint16_t src_port, dst_port; /* host byte order */
};

/* Puts the segment into peer 0's input, its checksum right. */
void script_put(struct net *, const struct say *);
/* The same, and runs the engine's turn. */
void script_say(struct net *, const struct say *);
/* The same with bytes as they are: src, dst as link_sim_inject. */
void script_raw(struct net *, uint16_t src_port, uint16_t dst_port, const void *segment, uint32_t len);
/* The next segment that peer 0 has sent; false when there is none. */
bool script_hear(struct net *, struct wire *);
/* Forgets what peer 0 has sent so far; how many segments that was. */
unsigned script_forget(struct net *);
/* A connection of peer 0's engine with the script: what the script may send and acknowledge next. */
struct talk {
	struct net net;
	struct tcb *c;
	uint16_t port;     /* peer 0's, host byte order */
	uint32_t seq, ack; /* the script's next sequence number, and what it has of the engine's */
	uint16_t window;   /* that the script announces */
	struct wire heard; /* the last segment */
};

/* The engine connects, the script accepts with the MSS option mss and without window scaling: ESTABLISHED. */
void talk_open(struct talk *, const struct net_config *, uint16_t mss);
/* The same the other way round: the engine listens at NET_PORT and accepts. */
void talk_accept(struct talk *, const struct net_config *, uint16_t mss);
/* Says a segment at seq, with ACK of all that was heard in order; and counts what it takes up. */
void talk_say(struct talk *, uint8_t flags, const void *data, uint32_t len);
/* The same at another place, without counting. */
void talk_say_at(struct talk *, uint8_t flags, uint32_t seq, uint32_t ack, const void *data, uint32_t len);
/* The next segment of the engine's into heard; what is in order moves ack. false: there is none. */
bool talk_hear(struct talk *);
/* Hears the next segment, and fails the test unless its flags, PSH aside, and its data's length are these. */
void talk_expect(struct talk *, uint8_t flags, uint32_t len);
void talk_expect_nothing(struct talk *);
void talk_close(struct talk *);

/* The checksum of a segment in memory, written at its place. */
void script_sum(uint32_t src_ip, uint32_t dst_ip, uint8_t *segment, uint32_t len);

#endif

/* An in-memory network in virtual time: the test bed. Hosts, each with an IP address and a struct link, are joined
 * by paths, one for each direction, that lose, delay, reorder, duplicate and corrupt what they carry. It makes no
 * system call and reads no clock: with the same seed and the same calls, the same happens. Memory is bounded: what
 * finds no room in flight or in a host's input is dropped, as a network does, and counted.
 *
 * A harness' turn is: link_sim_clock(now); let each host receive; then go on to the earliest of link_sim_next()
 * and the hosts' own deadlines.
 *
 * The impairments are those of netem(8), except that jitter alone never reorders. */
#ifndef CORE_LINK_SIM_H
#define CORE_LINK_SIM_H

#include "core/link.h"

#define LINK_SIM_HOSTS 8
#define LINK_SIM_SEGMENT_MAX 65535
#define LINK_SIM_NEVER UINT64_MAX

struct link_sim;

/* One direction between two hosts; all zero is a perfect path of infinite speed. */
struct link_sim_path {
	double loss, duplicate, corrupt, reorder; /* probabilities, 0 to 1, for each packet */
	uint64_t delay_us;                        /* every packet */
	uint64_t jitter_us;                       /* and at most so much more, in order */
	uint64_t reorder_us;                      /* a packet that is reordered waits at most so much longer */
	uint64_t rate_bps;                        /* bits a second, 20 bytes of IP header counted; 0: no limit */
	uint32_t queue_bytes;                     /* what waits for the rate: more is dropped; 0: no limit */
	uint32_t mark_bytes;                      /* more than that waits: ECN-capable packets are marked; 0: none */
	double mark;                              /* and each other with this probability (RFC 3168's CE) */
};

struct link_sim_stats {
	uint64_t sent, delivered;
	uint64_t lost, filtered;  /* by chance, by the filter */
	uint64_t queue_drops;     /* queue_bytes was exceeded */
	uint64_t overflows;       /* no room in flight, or in the input of the host */
	uint64_t duplicated, corrupted, reordered, marked;
};

/* A packet under way, as filter and tap see it. */
struct link_sim_packet {
	struct link_addr src, dst;
	uint64_t number;  /* of this direction, from 0 */
	uint64_t time_us; /* now */
	uint8_t *segment; /* a filter may change bytes, and make len smaller */
	uint32_t len;
	uint8_t ecn;      /* of the IP header */
};

enum link_sim_event { LINK_SIM_SENT, LINK_SIM_DELIVERED };

/* NULL when out of memory. Every random choice comes from seed. */
struct link_sim *link_sim_new(uint64_t seed);
/* Links of its hosts are dead with it; their close is not needed. */
void link_sim_free(struct link_sim *);

/* Adds a host with its link, which lives as long as the network. segment_max as in struct link, at most
 * LINK_SIM_SEGMENT_MAX; input_bytes: what may wait to be received, 20 bytes a packet added; half of it
 * is the link's window_max. NULL when there are too many. */
struct link *link_sim_host(struct link_sim *, uint32_t ip, uint32_t segment_max, uint32_t input_bytes);
/* Sets the path from one host to another; until then it is perfect. Packets under way keep their fate. */
void link_sim_path(struct link_sim *, uint32_t from_ip, uint32_t to_ip, const struct link_sim_path *);
struct link_sim_stats link_sim_stats(const struct link_sim *, uint32_t from_ip, uint32_t to_ip);

/* When the next packet arrives; LINK_SIM_NEVER when none is under way. */
uint64_t link_sim_next(const struct link_sim *);
/* Time is now (never earlier than before): what has arrived lies in its host's input. */
void link_sim_clock(struct link_sim *, uint64_t now_us);
/* Whether a host's recv would return something. */
bool link_sim_readable(const struct link *);

/* Called for each packet that is sent, before anything else happens to it; false drops it. */
void link_sim_filter(struct link_sim *, bool (*filter)(void *ctx, struct link_sim_packet *), void *ctx);
/* Called for each packet when it is sent (after the filter) and when it lies in its host's input. */
void link_sim_tap(struct link_sim *,
		  void (*tap)(void *ctx, enum link_sim_event, const struct link_sim_packet *), void *ctx);
/* Puts a segment into the input of the host with the address dst.ip, past every path and filter, as an attacker or
 * a script does; with error set, word that dst's packets do not reach src (ICMP), and segment is what it quotes. */
void link_sim_inject(struct link_sim *, struct link_addr src, struct link_addr dst, const void *segment,
		     uint32_t len, int error);
/* The same with EMSGSIZE and the MTU of the path, which may be 0. */
void link_sim_inject_mtu(struct link_sim *, struct link_addr src, struct link_addr dst, const void *quote,
			 uint32_t len, uint32_t path_mtu);

/* The generator itself, for harnesses that want choices of their own from the same seed. */
uint64_t link_sim_random(struct link_sim *);
/* True with probability p. */
bool link_sim_chance(struct link_sim *, double p);

#endif

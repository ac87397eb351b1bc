/* An engine whose whole world is a string of bytes: its link, memory, time, users and peers. Whatever they do, the
 * engine's structures hold together, every segment that it sends is well formed and carries the bytes that its user
 * wrote, and its users get the bytes that the peers sent. */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include "core/tcb.h"
#include "tests/fuzz/fuzz.h"

#define WORLD_USERS 4

struct world_user {
	struct tcb *c;     /* NULL: there is none */
	struct seam_source source;
	struct seam_sink sink;
	uint64_t sent, come;
	size_t budget;     /* what the source gives in this call */
	size_t taken;      /* by the sink and not yet settled */
	uint32_t asked;    /* how often; it declines now and then */
	bool wrong;        /* and among them was a byte that no peer sent */
};

struct world {
	struct link link;
	unsigned room;     /* segments that the link still takes */
	struct tcpu *engine;
	uint64_t now_us;
	struct input in;
	struct world_user user[WORLD_USERS];
	struct tcb *listener;
	bool vouched;      /* the link says so of all that comes: no checksum is wrong, then */
	bool tainted;      /* bytes came that no peer would send */
	uint64_t blocks, bytes, calls, fail_each;
};

/* Reads the configuration from the first bytes, and begins. */
void world_open(struct world *, struct input);
/* All users close, time goes on until nothing is left, and all memory comes back. */
void world_close(struct world *);
/* Fails the run when something does not hold. */
void world_check(struct world *);
void world_clock(struct world *, uint64_t now_us);
void world_flush(struct world *);
/* A segment comes: len bytes of a header and data, whose checksum is written, or spoilt. */
void world_put(struct world *, struct link_addr src, struct link_addr dst, uint8_t *segment, uint32_t len, bool spoil,
	uint8_t ecn);
/* Calls of the users, by number; any will do. */
void world_call(struct world *, uint32_t what);
/* One of the engine's connections; NULL: there are none. */
struct tcb *world_connection(const struct world *, uint32_t which);
struct link_addr world_local(void);
struct link_addr world_remote(uint32_t which);
/* Of a stream: the byte at an offset, and which way it goes. */
enum { WORLD_OUT = 1, WORLD_IN };
uint8_t world_byte(int way, uint32_t off);

#endif

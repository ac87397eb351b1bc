/* The world that a script is played in: virtual time, the far end of the link, and a second thread for the calls, of
 * which one may wait. One thread runs at a time: they hand over to each other. Private to tests/script_*.c. */
#ifndef TESTS_SCRIPT_WORLD_H
#define TESTS_SCRIPT_WORLD_H

#include "core/link/host.h"
#include "tests/script.h"

#include <pthread.h>
#include <semaphore.h>

#define WORLD_SENT_MAX 4096 /* segments that the script has not looked at yet */
#define WORLD_FILES 64
#define WORLD_PORTS 64
#define WORLD_PAIRS 64
#define WORLD_STAMPS 256

/* A connection as the script counts it: from each end's initial sequence number, which only SYN itself has. */
struct pair {
	uint16_t local_port, remote_port; /* host byte order */
	uint32_t local_isn, remote_isn, script_isn; /* script_isn: what the script writes for local_isn */
	bool local_known, remote_known;
	bool fresh;      /* reset: the next SYN of ours may begin anew */
	bool stamped;    /* the first timestamp of ours: what the script wrote, and what came */
	uint32_t script_stamp, live_stamp;
	struct {
		uint32_t script, live;
	} stamps[WORLD_STAMPS];
	unsigned stamp_count;
};

struct sent { /* by the stack */
	uint64_t time_us;
	struct link_addr src, dst;
	uint8_t ecn;
	uint32_t len;
	uint8_t *bytes;
};

struct file { /* a descriptor: the script's number, and the real one */
	int script_fd, fd;
	uint64_t sent, taken; /* bytes of the stream */
};

struct world {
	const struct script *script;
	const struct script_play *play;
	char *why; /* of the first failure; empty: none yet */
	uint64_t start_us, now_us;
	struct link_host host;
	struct link link;
	struct tcpu_stack *stack;
	uint64_t random;
	struct link_addr ports[WORLD_PORTS]; /* claimed; port 0: room */
	uint16_t next_port;

	struct link_in in;
	bool in_waits;
	uint8_t in_bytes[65536];
	struct sent sent[WORLD_SENT_MAX];
	unsigned sent_count, sent_at;        /* sent[sent_at..sent_count) waits for the script */

	struct pair pairs[WORLD_PAIRS];
	unsigned pair_count;
	struct pair *current;                /* of which segments without ports are */
	bool connecting;                     /* connect was called: a SYN of ours begins anew */
	struct file files[WORLD_FILES];
	unsigned file_count;
	int info_fd;                         /* the connection that assertions ask, real; -1: none */

	/* The thread of calls. */
	pthread_t thread;
	sem_t to_call, to_main;
	bool ending;
	const struct script_event *call;     /* under way; NULL: none */
	bool asleep;                         /* it waits, until wake_us at the latest */
	uint64_t wake_us, call_end_us;
};

/* Where the script is wrong, or the stack: the first counts. Always false. */
bool world_fail(struct world *, const struct script_event *, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Seconds since the script's beginning. */
double world_seconds(const struct world *, uint64_t us);

/* script_world.c. false: no memory, and why says so. */
bool world_open(struct world *, const struct script *, const struct script_play *, char *why);
void world_close(struct world *);
/* The stack's turn, and the call's that waits. When there is something to do again. */
uint64_t world_turn(struct world *);
/* Time goes on to until_us; turns at the times when there is something to do, the last at until_us. With until_sent,
 * ends as soon as a segment waits for the script. */
void world_advance(struct world *, uint64_t until_us, bool until_sent);
/* Runs the call until it returns or waits. */
void world_call(struct world *, const struct script_event *);

/* script_call.c: on the thread of calls. */
void call_run(struct world *, const struct script_event *);

/* script_wire.c */
/* The pair of these ports, made where there is none. */
struct pair *script_pair(struct world *, uint16_t local_port, uint16_t remote_port);
/* What is sent when the script says so; its length; 0: it cannot be, and the event has failed. */
uint32_t script_segment_write(struct world *, const struct script_event *, struct pair *, uint8_t bytes[65536]);
/* What an ICMP message quotes of a segment of the stack's: its first 8 bytes. */
void script_quote(const struct script_icmp *, const struct pair *, uint8_t bytes[8]);
/* A segment that was sent, in the script's numbers, as they are when expected is what should have come. NULL, or what
 * is wrong with it by itself. */
const char *script_segment_read(struct world *, const struct sent *, struct pair *,
	const struct script_segment *expected, struct script_segment *);
/* NULL, or what differs. */
const char *script_compare(const struct script_segment *expected, const struct script_segment *came);
/* Data that stands at this place of a stream. */
bool script_data_is_right(const uint8_t *data, size_t len, uint64_t offset);
/* The byte at this place of each stream. */
static inline uint8_t script_byte(uint64_t offset)
{
	return (uint8_t)(offset ^ offset >> 8 ^ 0x5a);
}

#endif

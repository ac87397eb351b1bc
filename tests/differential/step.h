/* What happens in a run of the differential test, one thing at a time. Steps are abstract: a segment stands at a place
 * relative to what the TCP under test has said, so that steps mean something whatever was said before, and any of them
 * may be left out. */
#ifndef TESTS_DIFFERENTIAL_STEP_H
#define TESTS_DIFFERENTIAL_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEPS_MAX 40

enum step_kind { STEP_NONE, STEP_LISTEN, STEP_CONNECT, STEP_SEGMENT, STEP_WRITE, STEP_READ, STEP_SHUTDOWN, STEP_CLOSE };
/* NEXT: what the TCP acknowledged last (at first the script's ISN) · ISN: the script's · EDGE: the right edge of the
 * window that the TCP announced. */
enum step_seq { SEQ_NEXT, SEQ_ISN, SEQ_EDGE };
/* MAX: behind the last byte that the TCP has sent · UNA: the highest that was acknowledged of it · ISS: its ISN. */
enum step_ack { ACK_MAX, ACK_UNA, ACK_ISS };
/* OPT_TS on a segment other than SYN: where both have agreed. */
enum step_option {
	OPT_MSS = 1, OPT_SACK_OK = 2, OPT_TS = 4, OPT_SCALE = 8, OPT_UNKNOWN = 16, OPT_LENGTH_0 = 32, OPT_LENGTH_1 = 64,
	OPT_LENGTH_OVER = 128, OPT_END_FIRST = 256, OPT_TS_OLD = 512, OPT_TS_UNASKED = 1024, OPT_SACK = 2048,
	OPT_WRONG_LENGTHS = 4096,
};

struct step {
	enum step_kind kind;
	uint32_t len;        /* bytes of data, to write, or to read at most */
	/* Of a segment: */
	uint8_t flags;
	enum step_seq seq;
	enum step_ack ack;
	int32_t seq_off, ack_off;
	uint16_t window;
	unsigned options;    /* enum step_option */
	uint16_t mss;
	uint8_t scale;
	uint32_t sack[2];    /* offsets from UNA */
	uint16_t urgent;
	bool bad_sum;
};

struct steps {
	struct step step[STEPS_MAX];
	size_t count;
};

/* Steps that once showed that TCPU was wrong, and what of. */
struct steps_kept {
	const char *name;
	struct step step[8]; /* the last is an empty one */
};
extern const struct steps_kept steps_kept[];
extern const size_t steps_kept_count;

/* Those of a seed. */
void steps_make(struct steps *, uint64_t seed);
/* One of them in words, without an end of line. */
void step_text(const struct step *, char *text, size_t size);

/* The next number of a row that *state begins. */
uint64_t step_random(uint64_t *state);

#endif

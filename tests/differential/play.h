/* A run: the same steps for two sides, and after each of them what both made of it. */
#ifndef TESTS_DIFFERENTIAL_PLAY_H
#define TESTS_DIFFERENTIAL_PLAY_H

#include "tests/differential/side.h"
#include "tests/differential/step.h"

enum { ENGINE, KERNEL, SIDES };

/* What the script knows of a side. */
struct view {
	bool opened;         /* it has sent SYN: iss is its ISN */
	uint32_t iss, max;   /* max: behind the last that it has sent */
	uint32_t una;        /* acknowledged so far */
	uint32_t sack_max;   /* behind the last block of its last ACK; 0: it had none */
	uint32_t next, edge; /* of the script's numbers: acknowledged, and the right edge of the window */
	int scale;           /* of its SYN; -1: none */
	bool timestamps;     /* in its SYN */
	bool peer_scale, peer_timestamps; /* in the script's */
	uint32_t peer_isn;   /* that it has acknowledged */
	bool acked;          /* it has acknowledged the script's SYN */
	uint32_t tsval;      /* its last */
	uint32_t tsval_first;
	bool used;           /* its user has, or had, a connection */
	/* The window that the script announced last, with which numbers, and whether these alone did not say that it is to
	 * be believed: smaller, with the same ones; or with a sequence number that lies behind another's. */
	uint32_t window, window_seq, window_ack;
	bool window_doubtful;
	uint32_t said_max;   /* behind the last that the script has said */
	bool recovering;     /* it has sent something again */
	bool timestamp_missing, timestamp_doubtful; /* the script has said a segment without, or with an old ACK */
	bool fin_early;      /* the script has said FIN out of order; */
	bool fin_doubtful;   /* and in two places, or before other text */
	uint32_t fin_at;
};

#define ANSWERS_MAX 64

/* What a step came to. Numbers of segments are relative to the ISNs. */
struct outcome {
	int result;             /* of a call */
	bool accepted;
	struct packet said;     /* by the script */
	unsigned count;
	struct packet answer[ANSWERS_MAX];
	enum tcpu_state state;
	unsigned ready;
};

/* A step that both have done. */
struct moment {
	const struct setting *setting;
	const struct step *step;
	const struct view *before[SIDES], *after[SIDES];
	const struct outcome *outcome[SIDES];
	enum tcpu_state state[SIDES]; /* before */
	bool hurried;                 /* little time has passed since the step before */
};

#define DIFFERENCES_MAX 64

struct tally {
	uint64_t runs, steps, segments; /* segments: that both sent, and that were compared */
	uint64_t met[DIFFERENCES_MAX]; /* known differences, by number */
};

struct transcript {
	bool differs; /* by something that nobody knows */
	char text[100000];
	size_t len;
};

/* false: a difference that nobody knows. The transcript tells the whole run. */
bool play(struct side *side[SIDES], uint64_t seed, const struct steps *, struct tally *, struct transcript *);
/* Do two segments say the same, flags of ignore and windows aside? */
bool play_same(const struct packet *, const struct packet *, uint8_t ignore);
/* All but the answers; and all. */
bool play_same_calls(const struct outcome *, const struct outcome *);
bool play_equal(const struct outcome *, const struct outcome *);

#endif

/* How large a receive buffer should be: dynamic right-sizing. In each round trip, as the receiver sees it, the
 * application takes so many bytes; a buffer of twice as many keeps a sender that doubles its rate from standing still
 * (Fisk, Feng: Dynamic Right-Sizing in TCP, LACSI 2001). A reader that is slower than its sender wants no more.
 *
 * The round trip is that of the handshake, then that of timestamps where there are any, and never more than the time in
 * which a window of data comes: its last byte is an answer to the ACK that opened it. */
#ifndef CORE_TUNING_H
#define CORE_TUNING_H

#include <stdint.h>

struct tuning {
	uint64_t since_us;        /* when this round trip began */
	uint64_t window_since_us; /* and the window that comes now */
	uint32_t took;            /* bytes by the application in this round trip */
	uint32_t window_left;     /* bytes until the window has come; 0: none is measured */
	uint32_t rtt_us;          /* 0: not known yet */
	uint32_t echo;            /* the timestamp that came back last */
};

/* A round trip was measured. It may hold time in which the peer had nothing to send, so a longer one counts only by and
 * by. */
void tuning_rtt(struct tuning *, uint32_t rtt_us);
/* Data brought a timestamp of ours back, so old. That of segments that left together counts once, and one that is but a
 * few ticks of its clock old says nothing. */
void tuning_echo(struct tuning *, uint32_t ts_ecr, uint32_t rtt_us);
/* bytes came in order, where the window was told to be so large at most. */
void tuning_came(struct tuning *, uint32_t bytes, uint32_t window, uint64_t now_us);
/* The application took bytes. Returns how many the buffer should have for that, a power of 2 and never more than 2^30;
 * 0: a round trip is not over yet. */
uint32_t tuning_took(struct tuning *, uint32_t bytes, uint64_t now_us);

#endif

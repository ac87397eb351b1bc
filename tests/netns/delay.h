/* What the programs of tests/netns/delay.sh share: each carries ADUs over a bad road in a way of its own, and says
 * when each was to be sent and when it came. Every eight bytes of an ADU say which it is and where in it they stand, so
 * that the road (relay.c) knows what it loses, whatever the protocol: its payload must be plain.
 *
 * A way is four calls. Each ends the program when it fails (delay_fail). */
#ifndef TESTS_NETNS_DELAY_H
#define TESTS_NETNS_DELAY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELAY_BYTES 8192 /* of an ADU */
#define DELAY_ADUS 65536 /* numbers, from 0 */

struct delay_options {
	bool sends;       /* it connects, the other end listens */
	bool ordered;     /* for ways that can do otherwise */
	uint16_t streams; /* for ways that have some: ADUs take turns */
	struct sockaddr_in address;
	uint32_t adus;
	uint64_t every_us;
};

struct delay_way {
	/* Connects; or listens, calls delay_listens(), and has a connection when it returns. */
	void (*open)(const struct delay_options *);
	/* DELAY_BYTES; they are the caller's again at once. */
	void (*send)(const uint8_t *adu);
	/* The next ADU that may be had, DELAY_BYTES; false: all of them came. */
	bool (*recv)(uint8_t *adu);
	/* The sender's returns when all has come to the other end. */
	void (*close)(void);
};
/* main() of either end:
 *
 *	PROGRAM --listen IP:PORT [--ordered] [--streams N]
 *		says `listening`, and `came ADU US` of each
 *	PROGRAM --connect IP:PORT [--ordered] [--streams N] --adus N --every US
 *		says `sent ADU US` of each: the time when it was due, not the one when there was room for it
 *
 * US: microseconds of CLOCK_MONOTONIC. */
int delay_main(const struct delay_way *, int argc, char **argv);
void delay_listens(void);
_Noreturn void delay_fail(const char *what); /* with errno */
uint64_t delay_now_us(void);

/* A stretch of an ADU in a packet, in units of eight bytes, first and last included. */
struct delay_stretch {
	uint32_t adu, first, last;
};
/* The next one in bytes[*at..len), and *at behind it; false: there is none. */
bool delay_find(const uint8_t *bytes, size_t len, size_t *at, struct delay_stretch *);

#endif

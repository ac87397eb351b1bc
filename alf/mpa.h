/* How a connection starts: the frames of MPA that each end sends before anything else (RFC 5044 section 7.1), and what
 * our ends say to each other in front of the application's private data. Pure: bytes in, fields out.
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+---------------------------------------------------------------+
 *	|     Key: "MPA ID Req Frame", or "MPA ID Rep Frame": 16 bytes  |
 *	+-+-+-+---------+---------------+-------------------------------+
 *	|M|C|R|   Res   |    Rev (1)    |          PD_Length            |
 *	+-+-+-+---------+---------------+-------------------------------+
 *	|  Private Data: PD_Length bytes; of our ends it begins with    |
 *	|       "ALF1" | adu_max: 64 bits | credit: 64 bits             |
 *	+---------------------------------------------------------------+ */
#ifndef ALF_MPA_H
#define ALF_MPA_H

#include "alf/alf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MPA_HEADER 20       /* bytes before the private data */
#define MPA_PRIVATE_MAX 512 /* bytes: RFC 5044 (7.1.1) */
#define MPA_HELLO 20        /* bytes of private data that are ours */

struct mpa_start {
	bool reply;   /* else a request */
	bool markers; /* M: the sender of this frame wants to receive markers */
	bool crc;     /* C: it prefers CRCs; they are used when either end does */
	bool reject;  /* R: in a reply, it will not have the connection; means nothing in a request */
	uint16_t private_len; /* bytes, at most MPA_PRIVATE_MAX */
	const uint8_t *private_data;
	enum alf_reason fault; /* RFC 5044 (7.1.1) wants the error told locally */
};

/* Writes the frame, at most MPA_HEADER + MPA_PRIVATE_MAX bytes, and returns how many. private_data is outside dst. */
size_t mpa_write(const struct mpa_start *, uint8_t *dst);
/* Reads a request or a reply from the stream's first len bytes, whatever they are.
 * > 0: it is whole, and has so many bytes; private_data points into data, whose owner keeps it.
 * 0: all right so far, but there must be more; nothing is set. It reads again from the beginning when there is.
 * -EBADMSG: from the first wrong byte on; fault says what, and nothing else is set. */
int mpa_read(struct mpa_start *, bool reply, const uint8_t *data, size_t len);

/* What one of our ends tells the other. Whoever does not say it is a foreign end: no limits are known of it, it knows
 * no messages of alf/control.h, and all its private data is the application's. */
struct mpa_hello {
	uint64_t adu_max; /* bytes: the longest ADU that this end takes */
	uint64_t credit;  /* bytes of ADUs that it takes before it gives more: alf/control.h's first limit */
};

/* Writes MPA_HELLO bytes, behind which the application's private data goes, and returns that. */
size_t mpa_hello_write(const struct mpa_hello *, uint8_t *dst);
/* Reads the private data of a frame, all of it. MPA_HELLO: where the application's begins; 0: of a foreign end;
 * -EBADMSG: a hello that is cut off. */
int mpa_hello_read(struct mpa_hello *, const uint8_t *data, size_t len);

#endif

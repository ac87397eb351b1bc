/* What two of our ends tell each other about ADUs: messages on DDP's control queue (alf/segment.h), each the data of
 * one FPDU, with its code as the header's type. Pure: bytes in, fields out.
 *
 *	code		payload
 *	1 CREDIT	limit: 64 bits
 *	2 DROPPED	msn: 32 bits | reason: 8 bits: 1, 2 or 3 | 24 zeros
 *	3 STOP		msn: 32 bits | reason: 8 bits: 1 or 3 | 24 zeros */
#ifndef ALF_CONTROL_H
#define ALF_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#define CONTROL_LEN 8 /* bytes of each */

enum control_code {
	CONTROL_CREDIT = 1, /* what the receiver takes */
	CONTROL_DROPPED,    /* from the sender: the rest of that ADU will not come */
	CONTROL_STOP,       /* from the receiver: it does not want the rest of that ADU */
};

enum control_reason {
	CONTROL_CANCELLED = 1, /* by the application of who says so */
	CONTROL_SUPERSEDED,    /* by a later ADU: only the sender's */
	CONTROL_EXPIRED,       /* its deadline has passed */
};

struct alf_control {
	enum control_code code;
	uint64_t limit; /* CREDIT: bytes of ADUs that may have been begun since the connection's start; never less */
	uint32_t msn;   /* the others: the ADU's, not 0 */
	enum control_reason reason;
};

/* Writes the payload, whose fields are within their ranges, and returns CONTROL_LEN. */
size_t control_write(const struct alf_control *, uint8_t *dst);
/* Turns a payload of the wire's order for a chain that turns words of 4 or 8 bytes (0: none), so that they come out in
 * the wire's order again; and back. */
void control_turn(uint8_t *payload, unsigned word);
/* Reads a whole payload, of the code that its header has. 0; or -EBADMSG: no such code, another length than its own,
 * MSN 0, a reason that it cannot have, or something else than zeros where they belong; nothing is set. */
int control_read(struct alf_control *, uint8_t code, const uint8_t *data, size_t len);

#endif

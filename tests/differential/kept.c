/* Steps that showed that TCPU was wrong. They stay, and each must come to the same on both sides, or to a difference
 * that is known. */
#include "tests/differential/packet.h"
#include "tests/differential/step.h"

#define SEGMENT(f, ...) { .kind = STEP_SEGMENT, .flags = (f), .window = 65535, .mss = 1460, __VA_ARGS__ }
#define LISTEN { .kind = STEP_LISTEN }
#define SYN SEGMENT(PF_SYN, .seq = SEQ_ISN, .options = OPT_MSS)
#define OPENED LISTEN, SYN, SEGMENT(PF_ACK)

const struct steps_kept steps_kept[] = {
	/* RFC 5961 3.2: only RST with just the number that is next resets; what stands before it is not cut off first. */
	{ "a RST that begins before the window", { OPENED, SEGMENT(PF_RST, .seq_off = -1, .len = 10) } },
	{ "a SYN with RST before the window", { OPENED, SEGMENT(PF_SYN | PF_FIN | PF_RST, .seq_off = -1) } },
	/* RFC 5961 4.2: irrespective of its number */
	{ "a SYN that begins before the window", { OPENED, SEGMENT(PF_SYN, .seq_off = -1, .len = 10) } },
	/* RFC 9293 3.10.7.4, first check */
	{ "a SYN with RST in SYN-RECEIVED", { LISTEN, SYN, SEGMENT(PF_SYN | PF_FIN | PF_RST, .seq = SEQ_ISN) } },
	/* RFC 9293 3.10.7.4, eighth check: a FIN counts in order, wherever another was claimed to be. */
	{ "a FIN out of order and one in order", { OPENED, SEGMENT(PF_FIN | PF_ACK, .seq_off = 1460, .len = 100),
		SEGMENT(PF_FIN | PF_ACK) } },
	{ "text behind a FIN out of order", { OPENED, SEGMENT(PF_FIN | PF_ACK, .seq_off = 500, .len = 1),
		SEGMENT(PF_ACK, .seq_off = 3000, .len = 1000) } },
	{ "a FIN below text that has come", { OPENED, SEGMENT(PF_ACK, .seq_off = 1460, .len = 500),
		SEGMENT(PF_FIN | PF_ACK, .len = 1600) } },
	/* RFC 5681 4.2: out of order, it is answered at once */
	{ "a FIN alone out of order", { OPENED, SEGMENT(PF_FIN | PF_ACK, .seq_off = 500) } },
	/* RFC 5961 5.2: what was never sent is not acknowledged. */
	{ "data with an ACK of what was never sent", { OPENED, SEGMENT(PF_ACK, .ack = ACK_ISS, .len = 100) } },
	{ "an ACK of what was never sent", { OPENED, SEGMENT(PF_ACK, .ack_off = -1000) } },
	/* RFC 5961 5.2: an ACK from before the FIN was acknowledged is old, but was true. */
	{ "data from before its sender had the FIN", { OPENED, { .kind = STEP_SHUTDOWN },
		SEGMENT(PF_ACK, .seq_off = 1460, .len = 1000), SEGMENT(PF_ACK, .ack_off = -1, .len = 100) } },
	/* RFC 9293 3.5, figure 8 */
	{ "SYN and SYN,ACK of a simultaneous open", { { .kind = STEP_CONNECT }, SYN,
		SEGMENT(PF_SYN | PF_ACK, .seq = SEQ_ISN, .options = OPT_MSS) } },
	/* RFC 2883 4: the FIN does not shift the numbers. */
	{ "text again behind a FIN", { LISTEN, SEGMENT(PF_SYN, .seq = SEQ_ISN, .options = OPT_MSS | OPT_SACK_OK),
		SEGMENT(PF_FIN | PF_ACK, .len = 1000), SEGMENT(PF_ACK, .seq_off = -1000, .len = 2) } },
	/* RFC 9293 3.10.4: close does not end TIME-WAIT, whatever was not read. */
	{ "close with unread text in TIME-WAIT", { OPENED, { .kind = STEP_SHUTDOWN },
		SEGMENT(PF_FIN | PF_ACK, .len = 10), { .kind = STEP_CLOSE }, SEGMENT(PF_ACK, .len = 100) } },
};
const size_t steps_kept_count = sizeof steps_kept / sizeof *steps_kept;

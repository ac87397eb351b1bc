/* SYN cookies (RFC 4987 section 3.6): what a listener must remember of a SYN, put into the sequence number of the
 * SYN,ACK, when it has no room left to remember it. The ACK that ends the handshake brings it back.
 *
 *	31           5 4     2 1       0
 *	 hash, 27 bits  index   counter
 *
 * counter: of 64 s each, its low bits. index: into eight values of MSS. hash: keyed (SipHash-2-4), over the whole
 * counter, the index, both addresses and ports, and the peer's initial sequence number: nobody else can make one, and
 * one that was seen is good for no other connection and no other time.
 *
 * A forger's chance: at any time 24 of the 2^32 numbers are accepted for one pair of addresses and one initial sequence
 * number, one for each of three counters and eight indices; without the key they are as good as random. So an ACK out
 * of the blue is taken for the end of a handshake with probability 24 / 2^32, 1 in 179 million: at 10 million such ACKs
 * a second, one connection in 18 s that claims an address which is not the forger's, and the data that comes with it.
 * How the 32 bits are shared out does not change that; asking only while cookies are being sent does: a listener that
 * has sent none for 192 s accepts none. What the timestamp's low bits say is not in the hash: it is the peer's word
 * about itself, as it was in the SYN.
 *
 * What cookies lose: SYN,ACKs are not sent again, the MSS is rounded down, sequence numbers do not grow with RFC 6528's
 * clock; and window scale, SACK and ECN are lost without timestamps: the SYN,ACK may not offer them then. */
#ifndef CORE_COOKIE_H
#define CORE_COOKIE_H

#include "core/link.h"

#define COOKIE_BITS 6 /* of a timestamp, taken by cookie_timestamp */

/* The sequence number of the SYN,ACK. irs: that of the SYN. mss: what the peer's option says; at least 48. */
uint32_t cookie_make(const uint8_t secret[16], struct link_addr local, struct link_addr remote, uint32_t irs,
	uint16_t mss, uint64_t now_us);
/* Did we make that cookie (SEG.ACK - 1), for that peer's irs (SEG.SEQ - 1), 128 to 192 s ago at most? Then *mss is the
 * largest of 48, 536, 1220, 1360, 1400, 1440, 1460 and 8960 that does not exceed the peer's. */
bool cookie_check(const uint8_t secret[16], struct link_addr local, struct link_addr remote, uint32_t irs,
	uint32_t cookie, uint64_t now_us, uint16_t *mss);

/* What the peer's SYN offered beside MSS and timestamps. */
struct cookie_options {
	uint8_t scale; /* 0 to 14, or COOKIE_NO_SCALE */
	bool sack, ecn;
};
#define COOKIE_NO_SCALE 15

/* The timestamp (RFC 7323) of the SYN,ACK: the last one up to clock whose low COOKIE_BITS say what was offered. It is
 * never ahead, or PAWS would drop what follows; it is up to 64 ticks behind, and so is no measure of the round trip. */
uint32_t cookie_timestamp(uint32_t clock, uint8_t scale, bool sack, bool ecn);
/* The inverse, of the timestamp that the peer echoes. */
struct cookie_options cookie_options(uint32_t timestamp);

#endif

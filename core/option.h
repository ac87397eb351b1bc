/* TCP options on the wire (RFC 9293 section 3.2, RFC 7323, RFC 2018), read by a Ragel machine. */
#ifndef CORE_OPTION_H
#define CORE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_SACK_BLOCKS 4 /* as many as there is room for */

struct sack_block {
	uint32_t begin, end; /* sequence numbers */
};

struct options {
	uint16_t mss;   /* bytes; 0: not there */
	bool has_scale;
	uint8_t scale;  /* at most 14: RFC 7323 section 2.3 */
	bool sack_permitted;
	bool has_timestamp;
	uint32_t ts_val, ts_ecr;
	uint32_t sack_count;
	struct sack_block sack[OPTION_SACK_BLOCKS];
	bool malformed; /* a length that is 0, 1 or over the end: what came before it counts */
};

struct options options_read(const uint8_t *bytes, size_t len);

#endif

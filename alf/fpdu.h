/* What alf/fpdu.rl reads and alf/ddp.c means: the fields before the data of an FPDU. */
#ifndef ALF_FPDU_H
#define ALF_FPDU_H

#include "alf/alf.h"

#define FPDU_DDP_HEADER 18 /* bytes of ULPDU: RFC 5041 section 4.3 */

struct fpdu {
	int state;       /* the machine's; 0 before the first byte */
	bool whole, error;
	bool last;       /* L */
	uint8_t type, name_len, name[ADU_NAME_MAX];
	uint16_t ulpdu_length;
	uint32_t field;  /* the big-endian number that is being read */
	uint32_t msn, mo, total;
	uint32_t seen;   /* bytes of the name and its padding */
};

/* Bytes at the front of a message, counted by MO: the total and the name, padded to a multiple of 4. */
static inline uint32_t fpdu_preface(uint8_t name_len)
{
	return 4 + (name_len + 3u) / 4 * 4;
}

/* Advances *data. 1: all fields are in; 0: wants more; -EBADMSG: a field that no sender of ours writes. */
int fpdu_read(struct fpdu *, const uint8_t **data, const uint8_t *end);

#endif

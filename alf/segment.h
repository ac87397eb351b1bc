/* DDP segments (RFC 5041 section 4): what stands in an FPDU between ULPDU_Length and the data. Pure: bytes in, fields
 * out.
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	                                +-+-+-------+---+---+-+-+-------+
 *	                     untagged:  |0|L| Rsvd  | 1 | 1 |0|K|   3   |
 *	+---------------+---------------+-+-+-------+---+---+-+-+-------+
 *	|  name length  |        total: of the whole ADU, in bytes      |
 *	+---------------+-----------------------------------------------+
 *	|             Queue Number: 0: ADUs, 1: control                 |
 *	|          Message Sequence Number: from 1 in each queue        |
 *	|       Message Offset: of this piece, the preface counted      |
 *	+---------------------------------------------------------------+
 *
 *	                                +-+-+-------+---+---+-+-+-------+
 *	                       tagged:  |1|L| Rsvd  | 1 | 1 |0|K|   0   |
 *	+-------------------------------+-+-+-------+---+---+-+-+-------+
 *	|                     Steering Tag                              |
 *	|                Tagged Offset: 64 bits                         |
 *	+---------------------------------------------------------------+
 *
 * The data of the first piece of an ADU, whose Message Offset is 0, begins with a preface, which is never cut:
 *
 *	+---------------------------------------------------------------+
 *	|             total: of the whole ADU, in bytes                 |
 *	+-+-----+---+---+---------------+-------------------------------+
 *	|0| prio| 0 | r |     type      |      deadline, in ms          |
 *	+-+-----+---+---+---------------+-------------------------------+
 *	|          name, padded with zeros to a multiple of 4           |
 *	+---------------------------------------------------------------+
 *
 * Ours is what RFC 5041 leaves to the user of DDP: K, name length and total in RsvdULP, the same in each piece of an
 * ADU, so that one that comes before the first can be placed at its Message Offset less the preface; and the preface,
 * which is data to DDP. RsvdULP's first byte is as RDMAP (RFC 5040) has it in a Send and a Write: who looks on, and
 * knows RDMAP, finds nothing wrong. Of a message on the control queue its code stands in the place of the name
 * length. Message Offsets count bytes as the application has them, whatever a chain makes of them on the wire. */
#ifndef ALF_SEGMENT_H
#define ALF_SEGMENT_H

#include "alf/alf.h"

#define DDP_UNTAGGED 18 /* bytes of header: RFC 5041 (4.3) */
#define DDP_TAGGED 14   /* the same: RFC 5041 (4.2) */
#define DDP_TOTAL_LONG 0xffffffu /* total in a header, where it is that or more */
#define DDP_PREFACE_MAX (8 + ADU_NAME_MAX)

enum ddp_queue { DDP_ADUS, DDP_CONTROL };

struct ddp_segment {
	bool tagged;       /* stag and to count; else what stands above them */
	bool last;         /* L: of its message */
	bool key_phase;    /* K: which of two keys in turn the sender used */
	uint8_t name_len;  /* of an ADU: bytes, at most ADU_NAME_MAX */
	uint8_t code;      /* of a message: alf/control.h's */
	uint32_t total;    /* as ddp_total() has it */
	enum ddp_queue queue;
	uint32_t msn, mo;
	uint32_t stag;
	uint64_t to;
	enum alf_reason fault; /* where it cannot be read: why */
};

/* What a header says of an ADU of so many bytes. */
static inline uint32_t ddp_total(uint64_t bytes)
{
	return bytes < DDP_TOTAL_LONG ? (uint32_t)bytes : DDP_TOTAL_LONG;
}

/* Writes the header, whose fields are within their ranges, and returns its bytes: DDP_UNTAGGED or DDP_TAGGED. */
size_t ddp_write(const struct ddp_segment *, uint8_t *dst);
/* Reads a header from len bytes that begin with it, whatever they are.
 * > 0: its bytes; 0: there must be more; nothing is set.
 * -EBADMSG: a version that is not 1, a name that is too long, a queue that there is not, MSN 0, an offset within the
 *	preface; on the control queue anything but what alf/control.h says; fault says what, and nothing else is set. */
int ddp_read(struct ddp_segment *, const uint8_t *data, size_t len);

struct ddp_preface {
	uint32_t total;       /* bytes */
	uint8_t recovery;     /* what the sender does about losses: 0 keep, 1 recompute, 2 tolerate, 3 supersede */
	uint8_t priority;     /* below ADU_PRIORITIES */
	uint8_t type;         /* the application's */
	uint16_t deadline_ms; /* from the leaving of its first byte on; 0: none; 65535: that or more */
	uint8_t name_len;     /* bytes, at most ADU_NAME_MAX */
	const uint8_t *name;
};

/* Bytes of it. */
static inline size_t ddp_preface_len(uint8_t name_len)
{
	return 8 + (name_len + 3u) / 4 * 4;
}

/* Writes it, at most DDP_PREFACE_MAX bytes, and returns how many. name is outside dst. */
size_t ddp_preface_write(const struct ddp_preface *, uint8_t *dst);
/* Reads it from the data of a piece whose header has been read: untagged, of DDP_ADUS, mo 0.
 * > 0: its bytes; name points into data, whose owner keeps it; 0: there must be more; nothing is set.
 * -EBADMSG: flags or padding that are not zero, or another total than the header's; nothing is set. */
int ddp_preface_read(struct ddp_preface *, const struct ddp_segment *, const uint8_t *data, size_t len);

#endif

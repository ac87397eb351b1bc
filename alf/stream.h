/* What framers without frames over holes share: ADUs stand in the stream one behind the other, as data and nothing
 * else. Who sends finishes one before the next begins; who receives takes the bytes in order, as they come, into an ADU
 * whose length is not known before its end. */
#ifndef ALF_STREAM_H
#define ALF_STREAM_H

#include "alf/framer.h"

#define STREAM_ADU_MAX (UINT64_MAX / 4) /* bytes: what a profile may say */
#define STREAM_WAIT_MAX 1024

struct alf_stream {
	/* out */
	uint32_t fragment;      /* record marking: bytes that the fragment still wants */
	uint8_t wait[STREAM_WAIT_MAX]; /* COBS: what is written and had no room, */
	uint16_t wait_at, wait_end;
	uint32_t owed;          /* and of how many bytes of the ADU it is */
	/* in */
	struct adu_in *adu;     /* the one that comes; NULL: none has begun */
	uint64_t msn;           /* of the last one that began; the wire has no numbers that could end */
	uint64_t taken;         /* bytes of the wire that are its data */
	uint8_t head[4];        /* record marking: what has come of a header, */
	uint8_t head_len;
	uint32_t left;          /* bytes that the fragment still has, */
	bool last;              /* and whether it is the ADU's last; */
	uint32_t empty;         /* how many were empty */
};

/* A frame of the ADU begins: with the first one the chain does. */
void alf_stream_start(struct alf *, const struct adu_out *);
/* An ADU's next n bytes of data through the chain, which ends with the last one. Returns what was written. */
size_t alf_stream_write(struct alf *, struct adu_out *, uint8_t *dst, size_t n);

/* An ADU begins, if none is under way; total UINT64_MAX: nobody knows. 0; -EAGAIN: no credit; -EBADMSG, -ENOMEM. */
int alf_stream_begin(struct alf *, uint64_t total);
/* The n bytes at off, ALF_PIECE_MAX at most, are data of the ADU that has begun; ends: its last. 0; -EAGAIN: nothing
 * was taken; -EBADMSG, -ENOMEM. */
int alf_stream_read(struct alf *, uint64_t off, const uint8_t *from, size_t n, bool ends);
/* alf/framer.h: end. */
int alf_stream_end(struct alf *);

#endif

/* The place where framers plug in: how ADUs look on the wire.
 *
 * alf/out.c chooses whose turn it is and alf/in.c keeps the books of the stream; a framer writes frames and takes them,
 * with what alf/conn.h offers: the chain, and where the bytes belong. alf/fpdu_out.c and
 * alf/fpdu_in.c are the default one, alf/stream.c is what framers without frames over holes share. */
#ifndef ALF_FRAMER_H
#define ALF_FRAMER_H

#include "alf/alf.h"

/* A stretch of the stream that has come, in at most two pieces of memory. */
struct alf_run {
	uint64_t off;           /* of the stream */
	const uint8_t *data[2];
	uint32_t len[2];
	bool checked;           /* known to be good: may be believed. Else nothing may be done that cannot be undone */
	bool sums;              /* not checked, and the sum of what is taken is wanted; else it is known to be good, but
				 * is taken whole or not at all */
	bool in_order;          /* all before it has been taken */
};

struct adu_out;

struct alf_framer {
	const char *name;
	uint64_t adu_min, adu_max; /* bytes: of what ADUs it can send */
	bool tagged;      /* it can place bytes by STag */
	bool controls;    /* it has messages of its own: limits, credit, what is dropped */
	bool stream;      /* ADUs stand one behind the other, as data and nothing else: no name or type goes with them, one
			   * that has begun is finished before another begins, and of a profile's chains the plain one counts */
	const char *family; /* of the chains where the profile has none; NULL: "copy" */
	/* Whether it can do with that chain. NULL: one that keeps the length, or seals. */
	bool (*fits)(const struct ilp_chain *);
	/* Writes what comes before all frames, if that is due, at most cap bytes. NULL: nothing does. */
	size_t (*start)(struct alf *, uint64_t off, uint8_t *dst, size_t cap);
	/* Writes the ADU's next frame (NULL: the control message that is due) at dst, which is the stream's offset off, and
	 * moves the ADU on. Returns its bytes, with their sum; 0: not even the smallest fits into cap bytes. */
	size_t (*put)(struct alf *, struct adu_out *, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum);
	/* Writes a frame again whose bytes were not kept (core/seam.h: again). NULL: it keeps all. */
	bool (*again)(struct alf *, const struct seam_note *, uint64_t off, uint8_t *dst, size_t len);
	/* The offset of the first frame that begins in a run over a hole, for certain. UINT64_MAX: none is known to.
	 * NULL: the framer knows none over holes. */
	uint64_t (*find)(const struct alf *, const struct alf_run *);
	/* Takes a frame, or a part of one if the framer has no frames over holes, which begins at off in the run. Returns
	 * how many bytes of the run it was, and their sum in *sum, if the run sums; 0: more is needed, or it must
	 * be checked first; -EAGAIN: it has no place yet, and *skip is its length; -EBADMSG, -ENOMEM. */
	ssize_t (*take)(struct alf *, const struct alf_run *, uint64_t off, uint16_t *sum, uint64_t *skip);
	/* The stream ends. -EBADMSG: inside an ADU. */
	int (*end)(struct alf *);
};

#endif

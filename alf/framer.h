/* The place where framers plug in: how a piece of an ADU looks on the wire.
 *
 * alf/send.c and alf/receive.c cut ADUs into pieces and run loops over their data; what stands around the data of a
 * piece is the framer's alone:
 *
 *	header | data of the ADU, as the chain wrote it | trailer
 *
 * A framer is pure: it keeps nothing but the parser that it is handed. alf/ddp.c is the default one. Lengths and
 * offsets here count bytes of the ADU's data; what the framer's header adds to them is its own business. */
#ifndef ALF_FRAMER_H
#define ALF_FRAMER_H

#include "alf/alf.h"

struct alf_piece {
	uint32_t number; /* the ADU's, from 1 */
	bool first, last; /* of the ADU's pieces */
	uint64_t offset; /* where in the ADU this piece's data belongs */
	uint64_t total;  /* the whole ADU */
	uint32_t len;    /* this piece */
	uint8_t type, name_len;
	uint8_t name[ADU_NAME_MAX]; /* in clear on the wire, with the first piece; summed, never enciphered */
};

/* A header half way in, as the framer keeps it. Zeros: nothing has come yet. Plain data: it may be copied to take a
 * snapshot and copied back to undo. */
struct alf_parser {
	_Alignas(8) uint8_t bytes[112];
};

struct alf_framer {
	const char *name;
	uint64_t adu_max; /* bytes: the longest ADU that the headers can count */
	/* How many bytes of data fit into a piece that takes at most cap bytes on the wire; of piece, everything but
	 * last and len is set. Negative: not even the header and trailer fit. */
	ssize_t (*room)(const struct alf_piece *, size_t cap);
	/* Writes what stands before the data. Returns how many bytes; header and data together never exceed cap. */
	size_t (*header)(const struct alf_piece *, uint8_t *dst);
	/* Writes what stands behind the data, and returns how many bytes. dst NULL: only counts. */
	size_t (*trailer)(const struct alf_piece *, uint8_t *dst);
	/* Takes header bytes from *data, which it advances, however the stream was cut. Going in, *piece is what comes
	 * next if the peer does everything right; when the header is whole, the framer has overwritten what that
	 * says (name and total: in the first piece). The caller compares. A piece without data is the first one.
	 * 1: whole, the data comes next, the parser is zeros again; 0: wants more bytes; -EBADMSG. */
	int (*parse)(struct alf_parser *, struct alf_piece *, const uint8_t **data, const uint8_t *end);
};

#endif

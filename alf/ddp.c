/* The default framer: untagged DDP segments (RFC 5041) in MPA FPDUs (RFC 5044), without markers, CRC not used.
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|         ULPDU_Length          |0|L| Rsvd  | 1 |     type      |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|  name length  |                    0                          |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                 Queue Number (0: the only one)                |
 *	|             Message Sequence Number: the ADU's, from 1        |
 *	|       Message Offset: of this piece, the preface counted      |
 *	+---------------------------------------------------------------+
 *	| preface, in the first piece only:  bytes of data of the ADU   |
 *	|             name, padded with zeros to a multiple of 4        |
 *	+---------------------------------------------------------------+
 *	|                      data of the ADU ...                      |
 *	|                  zeros to a multiple of 4                     |
 *	+---------------------------------------------------------------+
 *	|        CRC: zeros (not used, so nobody may check it)          |
 *	+---------------------------------------------------------------+
 *
 * What is left to the user of DDP, and is ours:
 * - RsvdULP (40 bits, the same in every segment of a message) carries type and name length, so that a piece that comes
 *   before the first one can be placed: its data belongs at MO less the preface. Its last 24 bits must be zero.
 * - The preface tells the ADU's length at once: whoever has no room, or has a limit, says so before taking a byte.
 *   It costs 4 bytes an ADU; DDP alone tells the length in the last segment only. It is never cut.
 * The header is 20 bytes and everything before the data a multiple of 4, so the data stands at an even offset of the
 * segment (sums join plainly) and XDR words are whole.
 *
 * RFC 5044 4.1: padding is sent as zero and not checked; an unused CRC field is present, may hold anything and must
 * not be checked. RFC 5041 4.1: Rsvd is sent as zero and not checked. */
#include "alf/fpdu.h"
#include "alf/framer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { LENGTH_FIELD = 2, CRC = 4, CONTROL_LAST = 0x40, CONTROL_VERSION = 1 };

static uint32_t preface(const struct alf_piece *piece)
{
	return piece->first ? fpdu_preface(piece->name_len) : 0;
}

static ssize_t room(const struct alf_piece *piece, size_t cap)
{
	size_t fpdu = cap < UINT16_MAX ? cap : UINT16_MAX; /* ULPDU_Length has 16 bits */
	size_t around = LENGTH_FIELD + FPDU_DDP_HEADER + preface(piece) + CRC;

	return (ssize_t)(fpdu / 4 * 4) - (ssize_t)around;
}

static uint8_t *put32(uint8_t *dst, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(dst, &value, 4);
	return dst + 4;
}

static size_t header(const struct alf_piece *piece, uint8_t *dst)
{
	uint32_t ulpdu = FPDU_DDP_HEADER + preface(piece) + piece->len;
	uint8_t *at = dst;

	*at++ = (uint8_t)(ulpdu >> 8);
	*at++ = (uint8_t)ulpdu;
	*at++ = CONTROL_VERSION | (piece->last ? CONTROL_LAST : 0);
	*at++ = piece->type;
	at = put32(at, (uint32_t)piece->name_len << 24);
	at = put32(at, 0); /* queue number */
	at = put32(at, piece->number);
	at = put32(at, piece->first ? 0 : (uint32_t)piece->offset + fpdu_preface(piece->name_len));
	if (piece->first) {
		size_t padded = fpdu_preface(piece->name_len) - 4;
		at = put32(at, (uint32_t)piece->total);
		memset(at, 0, padded);
		memcpy(at, piece->name, piece->name_len);
		at += padded;
	}
	return (size_t)(at - dst);
}

static size_t trailer(const struct alf_piece *piece, uint8_t *dst)
{
	size_t n = -(LENGTH_FIELD + FPDU_DDP_HEADER + piece->len) % 4 + CRC;

	if (dst)
		memset(dst, 0, n);
	return n;
}

/* The fields are in: what they say of the piece. */
static int meaning(const struct fpdu *f, struct alf_piece *piece)
{
	uint32_t data = f->ulpdu_length - FPDU_DDP_HEADER;

	piece->number = f->msn;
	piece->last = f->last;
	piece->type = f->type;
	piece->first = f->mo == 0;
	if (piece->first) {
		piece->offset = 0;
		piece->total = f->total;
		piece->len = data - fpdu_preface(f->name_len);
		memcpy(piece->name, f->name, f->name_len);
	} else {
		if (f->mo < fpdu_preface(f->name_len) || f->name_len != piece->name_len)
			return -EBADMSG;
		piece->offset = f->mo - fpdu_preface(f->name_len);
		piece->len = data;
	}
	piece->name_len = f->name_len;
	return 1;
}

static int parse(struct alf_parser *parser, struct alf_piece *piece, const uint8_t **data, const uint8_t *end)
{
	struct fpdu *f = (struct fpdu *)parser->bytes;
	int r;

	_Static_assert(sizeof *f <= sizeof parser->bytes, "struct alf_parser is too small");
	r = fpdu_read(f, data, end);
	if (r > 0) {
		r = meaning(f, piece);
		memset(f, 0, sizeof *f);
	}
	return r;
}

const struct alf_framer alf_ddp = {
	.name = "ddp",
	.adu_max = UINT32_MAX - (4 + ADU_NAME_MAX), /* MO has 32 bits */
	.room = room,
	.header = header,
	.trailer = trailer,
	.parse = parse,
};

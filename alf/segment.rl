/* The grammar of DDP's headers and of our preface. The machines say whether the bytes are right; the fields have their
 * places. */
#include "alf/segment.h"
#include "alf/bytes.h"

#include <errno.h>

enum { TAGGED = 0x80, LAST = 0x40, VERSION = 1 }; /* of the control byte */
/* Of the next one, which is RDMAP's (RFC 5040, 4.1) to who looks on: version 1, and a Send or a Write. */
enum { SEND = 0x43, WRITE = 0x40, KEY_PHASE = 0x10 };
/* Where they stand. CODE: of a message. */
enum { ULP = 1, NAME_LEN = 2, CODE = 2, QUEUE = 6, MSN = 10, MO = 14, STAG = 2, TO = 6 };
enum { WANTS = 4, TYPE, DEADLINE, PREFACE_NAME = 8, PRIORITY_SHIFT = 4 };

_Static_assert(ADU_NAME_MAX == 64 && ADU_PRIORITIES == 8, "as the grammar says");

%%{
	machine header;
	alphtype unsigned char;

	action done { fbreak; }
	action version { ( *p & 3 ) == VERSION }

	# By T and L. RFC 5041 (4.1): Rsvd is sent as zero and not checked.
	untagged = 0x00 .. 0x7f when version;
	last = 0x40 .. 0x7f when version;
	tagged = 0x80 .. 0xff when version;

	send = 0x43 | 0x53; # by key phase
	put = 0x40 | 0x50;
	name_len = 0 .. 64; # ADU_NAME_MAX
	# RFC 5041 (4.3): messages are counted from 1.
	msn = any{4} - 0x00{4};

	adu = untagged send name_len any{3} 0x00{4} msn any{4};
	# Of one piece; alf/control.h says which codes there are.
	control = last send any 0x00{3} ( 0x00{3} 0x01 ) msn 0x00{4};

	main := ( adu | control | tagged put any{4} any{8} ) @done;

	write data noentry;
}%%

size_t ddp_write(const struct ddp_segment *s, uint8_t *dst)
{
	uint8_t phase = s->key_phase ? KEY_PHASE : 0;

	dst[0] = (uint8_t)((s->tagged ? TAGGED : 0) | (s->last ? LAST : 0) | VERSION);
	if (s->tagged) {
		dst[ULP] = WRITE | phase;
		put64(put32(dst + STAG, s->stag), s->to);
		return DDP_TAGGED;
	}
	dst[ULP] = SEND | phase;
	put32(dst + NAME_LEN, (uint32_t)(s->queue == DDP_ADUS ? s->name_len : s->code) << 24 | s->total);
	put32(put32(put32(dst + QUEUE, s->queue), s->msn), s->mo);
	return DDP_UNTAGGED;
}

/* What stands where a header goes wrong. */
static enum alf_reason fault(size_t at)
{
	if (at < NAME_LEN)
		return ALF_BAD_VERSION;
	return at < QUEUE ? ALF_BAD_HEADER : at < MSN ? ALF_BAD_QN : at < MO ? ALF_BAD_MSN : ALF_BAD_MO;
}

int ddp_read(struct ddp_segment *s, const uint8_t *data, size_t len)
{
	const unsigned char *p = data, *pe = data + len;
	struct ddp_segment read = { 0 };
	int cs;

	%% write init;
	%% write exec;

	if (cs == header_error) {
		s->fault = fault((size_t)(p - data));
		return -EBADMSG;
	}
	if (cs < header_first_final)
		return 0;
	read.tagged = data[0] & TAGGED;
	read.last = data[0] & LAST;
	read.key_phase = data[ULP] & KEY_PHASE;
	if (read.tagged) {
		read.stag = get32(data + STAG);
		read.to = get64(data + TO);
	} else {
		read.total = get32(data + NAME_LEN) & 0xffffff;
		read.queue = get32(data + QUEUE);
		read.name_len = read.queue == DDP_ADUS ? data[NAME_LEN] : 0;
		read.code = read.queue == DDP_CONTROL ? data[CODE] : 0;
		read.msn = get32(data + MSN);
		read.mo = get32(data + MO);
		if (read.mo && read.mo < ddp_preface_len(read.name_len)) {
			s->fault = ALF_BAD_MO;
			return -EBADMSG;
		}
	}
	*s = read;
	return (int)(p - data);
}

%%{
	machine preface;
	alphtype unsigned char;

	# As much of the name as there is.
	action name { p += name_len < pe - p ? name_len : pe - p - 1; }

	total = any{4};
	# Recovery in the lowest bits, priority in the upper half.
	wants = 0x00 .. 0x03 | 0x10 .. 0x13 | 0x20 .. 0x23 | 0x30 .. 0x33 | 0x40 .. 0x43 | 0x50 .. 0x53 | 0x60 .. 0x63 |
		0x70 .. 0x73;
	type = any;
	deadline = any{2};
	padding = 0*;

	main := total wants type deadline @name padding;

	write data noentry;
}%%

size_t ddp_preface_write(const struct ddp_preface *f, uint8_t *dst)
{
	size_t n = ddp_preface_len(f->name_len);

	memset(dst, 0, n);
	put32(dst, f->total);
	dst[WANTS] = (uint8_t)(f->priority << PRIORITY_SHIFT | f->recovery);
	dst[TYPE] = f->type;
	put16(dst + DEADLINE, f->deadline_ms);
	if (f->name_len)
		memcpy(dst + PREFACE_NAME, f->name, f->name_len);
	return n;
}

int ddp_preface_read(struct ddp_preface *f, const struct ddp_segment *s, const uint8_t *data, size_t len)
{
	const size_t n = ddp_preface_len(s->name_len);
	const ptrdiff_t name_len = s->name_len;
	const unsigned char *p = data, *pe = data + (len < n ? len : n);
	int cs;

	%% write init;
	%% write exec;

	if (cs == preface_error)
		return -EBADMSG;
	if (len < n)
		return 0;
	if (ddp_total(get32(data)) != s->total)
		return -EBADMSG;
	*f = (struct ddp_preface){
		.total = get32(data),
		.recovery = data[WANTS] & 3,
		.priority = data[WANTS] >> PRIORITY_SHIFT,
		.type = data[TYPE],
		.deadline_ms = get16(data + DEADLINE),
		.name_len = s->name_len,
		.name = data + PREFACE_NAME,
	};
	return (int)n;
}

/* The grammar of DDP's headers and of our preface. The machines say whether the bytes are right; the fields have their
 * places. */
#include "alf/segment.h"
#include "alf/bytes.h"

#include <errno.h>

enum { TAGGED = 0x80, LAST = 0x40, VERSION = 1 }; /* of the control byte */
enum { KEY_PHASE = 0x80 };                        /* of the byte with name_len, or of a tagged segment's type */
/* Where they stand. */
enum { TYPE = 1, NAME_LEN = 2, QUEUE = 6, MSN = 10, MO = 14, STAG = 2, TO = 6 };
enum { RECOVERY = 4, PRIORITY, DEADLINE, PREFACE_NAME = 8 };

_Static_assert(ADU_NAME_MAX == 64, "as the grammar says");

%%{
	machine header;
	alphtype unsigned char;

	action done { fbreak; }
	action version { ( *p & 3 ) == VERSION }

	# By T and L. RFC 5041 (4.1): Rsvd is sent as zero and not checked.
	untagged = 0x00 .. 0x7f when version;
	last = 0x40 .. 0x7f when version;
	tagged = 0x80 .. 0xff when version;

	key_phase = 0x00 | 0x80;
	name_len = 0 .. 64 | 0x80 .. 0xc0; # ADU_NAME_MAX
	# RFC 5041 (4.3): messages are counted from 1.
	msn = any{4} - 0x00{4};

	adu = untagged any name_len any{3} 0x00{4} msn any{4};
	# A message of one piece, without name and total.
	control = last any key_phase 0x00{3} ( 0x00{3} 0x01 ) msn 0x00{4};

	main := ( adu | control | tagged key_phase any{4} any{8} ) @done;

	write data noentry;
}%%

size_t ddp_write(const struct ddp_segment *s, uint8_t *dst)
{
	uint8_t phase = s->key_phase ? KEY_PHASE : 0;

	dst[0] = (uint8_t)((s->tagged ? TAGGED : 0) | (s->last ? LAST : 0) | VERSION);
	if (s->tagged) {
		dst[TYPE] = phase;
		put64(put32(dst + STAG, s->stag), s->to);
		return DDP_TAGGED;
	}
	dst[TYPE] = s->type;
	put32(dst + NAME_LEN, (uint32_t)(phase | s->name_len) << 24 | s->total);
	put32(put32(put32(dst + QUEUE, s->queue), s->msn), s->mo);
	return DDP_UNTAGGED;
}

int ddp_read(struct ddp_segment *s, const uint8_t *data, size_t len)
{
	const unsigned char *p = data, *pe = data + len;
	struct ddp_segment read = { 0 };
	int cs;

	%% write init;
	%% write exec;

	if (cs < header_first_final)
		return cs == header_error ? -EBADMSG : 0;
	read.tagged = data[0] & TAGGED;
	read.last = data[0] & LAST;
	if (read.tagged) {
		read.key_phase = data[TYPE] & KEY_PHASE;
		read.stag = get32(data + STAG);
		read.to = get64(data + TO);
	} else {
		uint32_t ulp = get32(data + NAME_LEN);
		read.type = data[TYPE];
		read.key_phase = data[NAME_LEN] & KEY_PHASE;
		read.name_len = data[NAME_LEN] % KEY_PHASE;
		read.total = ulp & 0xffffff;
		read.queue = get32(data + QUEUE);
		read.msn = get32(data + MSN);
		read.mo = get32(data + MO);
		if (read.mo && read.mo < ddp_preface_len(read.name_len))
			return -EBADMSG;
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
	recovery = 0 .. 3;
	priority = any;
	deadline = any{2};
	padding = 0*;

	main := total recovery priority deadline @name padding;

	write data noentry;
}%%

size_t ddp_preface_write(const struct ddp_preface *f, uint8_t *dst)
{
	size_t n = ddp_preface_len(f->name_len);

	memset(dst, 0, n);
	put32(dst, f->total);
	dst[RECOVERY] = f->recovery;
	dst[PRIORITY] = f->priority;
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
		.recovery = data[RECOVERY],
		.priority = data[PRIORITY],
		.deadline_ms = get16(data + DEADLINE),
		.name_len = s->name_len,
		.name = data + PREFACE_NAME,
	};
	return (int)n;
}

/* The fields before the data of an FPDU (RFC 5044 section 4.1) with an untagged DDP segment (RFC 5041 section 4.3),
 * as alf/ddp.c draws them; byte by byte, so that any cut of the stream will do. What one field says about another
 * FPDU's is not grammar: alf/ddp.c and alf/receive.c compare. */
#include "alf/fpdu.h"

#include <errno.h>

%%{
	machine fpdu;
	alphtype unsigned char;
	variable p at;
	variable pe end;
	variable cs cs;

	action zero { f->field = 0; }
	action octet { f->field = f->field << 8 | *at; }
	be16 = any{2} >zero $octet;
	be32 = any{4} >zero $octet;

	action ulpdu_length {
		f->ulpdu_length = (uint16_t)f->field;
		if (f->ulpdu_length <= FPDU_DDP_HEADER) { f->error = true; fbreak; }
	}
	action last { f->last = true; }
	action type { f->type = *at; }
	action name_len {
		f->name_len = *at;
		if (f->name_len > ADU_NAME_MAX) { f->error = true; fbreak; }
	}
	action msn { f->msn = f->field; }
	action mo {
		f->mo = f->field;
		if (f->mo)
			{ f->whole = true; fbreak; }
		if (f->ulpdu_length < FPDU_DDP_HEADER + fpdu_preface(f->name_len)) { f->error = true; fbreak; }
	}
	action total {
		f->total = f->field;
		if (!f->name_len)
			{ f->whole = true; fbreak; }
	}
	action name {
		if (f->seen < f->name_len)
			f->name[f->seen] = *at;
		else if (*at) /* padding */
			{ f->error = true; fbreak; }
		if (++f->seen == fpdu_preface(f->name_len) - 4)
			{ f->whole = true; fbreak; }
	}

	# T = 0, L, Rsvd (not checked on receipt), DV = 1
	control = 0x01 | 0x05 | 0x09 | 0x0d | 0x11 | 0x15 | 0x19 | 0x1d
		| 0x21 | 0x25 | 0x29 | 0x2d | 0x31 | 0x35 | 0x39 | 0x3d
		| ( 0x41 | 0x45 | 0x49 | 0x4d | 0x51 | 0x55 | 0x59 | 0x5d
		  | 0x61 | 0x65 | 0x69 | 0x6d | 0x71 | 0x75 | 0x79 | 0x7d ) @last;
	rsvdulp = any @type any @name_len 0x00{3};
	queue_number = 0x00{4};

	main := be16 @ulpdu_length control rsvdulp queue_number be32 @msn be32 @mo be32 @total ( any @name )*;
}%%

%% write data noentry nofinal;

int fpdu_read(struct fpdu *f, const uint8_t **data, const uint8_t *end)
{
	const uint8_t *at = *data;
	int cs = f->state ? f->state : fpdu_start;

	%% write exec;
	*data = at;
	f->state = cs;
	return f->error || cs == fpdu_error ? -EBADMSG : f->whole;
}

/* The grammar of control messages. The machine says whether the bytes are right; the fields have their places. */
#include "alf/control.h"
#include "alf/bytes.h"

#include <errno.h>

enum { REASON = 4 }; /* where it stands */

%%{
	machine control;
	alphtype unsigned char;

	limit = any{8};
	msn = any{4} - 0{4};
	cancelled = 1;
	superseded = 2;
	expired = 3;

	credit := limit;
	dropped := msn ( cancelled | superseded | expired ) 0{3};
	stop := msn ( cancelled | expired ) 0{3};

	write data;
}%%

size_t control_write(const struct alf_control *c, uint8_t *dst)
{
	if (c->code == CONTROL_CREDIT)
		put64(dst, c->limit);
	else
		put32(put32(dst, c->msn), (uint32_t)c->reason << 24);
	return CONTROL_LEN;
}

void control_turn(uint8_t *payload, unsigned word)
{
	const uint32_t halves[] = { get32(payload), get32(payload + 4) };
	const uint64_t all = get64(payload);

	if (word == 4)
		memcpy(payload, halves, CONTROL_LEN);
	else if (word == 8)
		memcpy(payload, &all, CONTROL_LEN);
}

int control_read(struct alf_control *c, uint8_t code, const uint8_t *data, size_t len)
{
	static const int begin[] = {
		[0] = control_error,
		[CONTROL_CREDIT] = control_en_credit,
		[CONTROL_DROPPED] = control_en_dropped,
		[CONTROL_STOP] = control_en_stop,
	};
	const unsigned char *p = data, *pe = data + len;
	int cs = code < sizeof begin / sizeof *begin ? begin[code] : control_error;

	%% write exec;

	if (cs < control_first_final)
		return -EBADMSG;
	*c = (struct alf_control){ .code = code };
	if (code == CONTROL_CREDIT) {
		c->limit = get64(data);
	} else {
		c->msn = get32(data);
		c->reason = data[REASON];
	}
	return 0;
}

/* The grammar of MPA's first frames, and of our hello in them. The machine says whether the bytes are right; the fields
 * have their places. */
#include "alf/mpa.h"
#include "alf/bytes.h"

#include <errno.h>

enum { KEY = 16, FLAGS = KEY, REVISION, LENGTH }; /* where they stand */
enum { MARKERS = 0x80, CRC = 0x40, REJECT = 0x20 };
enum { MAGIC = 4 };

%%{
	machine mpa;
	alphtype unsigned char;

	action done { fbreak; }

	# RFC 5044 (7.1.1): Res is not checked, nor R in a request.
	flags = any;
	revision = 1;
	pd_length = ( 0 | 1 ) any | 2 0;
	fields = flags revision pd_length @done;

	request := "MPA ID Req Frame" fields;
	reply := "MPA ID Rep Frame" fields;
	hello := "ALF1" any{16} @done;

	write data;
}%%

/* Advances *data to where the machine stopped: at the first wrong byte, at the end, or behind what it wanted. Returns
 * its state. */
static int run(int cs, const uint8_t **data, size_t len)
{
	const unsigned char *p = *data, *pe = p + len;

	%% write exec;
	*data = p;
	return cs;
}

size_t mpa_write(const struct mpa_start *s, uint8_t *dst)
{
	memcpy(dst, s->reply ? "MPA ID Rep Frame" : "MPA ID Req Frame", KEY);
	dst[FLAGS] = (uint8_t)((s->markers ? MARKERS : 0) | (s->crc ? CRC : 0) | (s->reply && s->reject ? REJECT : 0));
	dst[REVISION] = 1;
	put16(dst + LENGTH, s->private_len);
	if (s->private_len)
		memcpy(dst + MPA_HEADER, s->private_data, s->private_len);
	return MPA_HEADER + (size_t)s->private_len;
}

static enum alf_reason fault(size_t at)
{
	return at < KEY ? ALF_BAD_START : at == REVISION ? ALF_BAD_REVISION : ALF_BAD_PRIVATE;
}

int mpa_read(struct mpa_start *s, bool reply, const uint8_t *data, size_t len)
{
	const uint8_t *at = data;
	int cs = run(reply ? mpa_en_reply : mpa_en_request, &at, len);

	if (cs == mpa_error) {
		s->fault = fault((size_t)(at - data));
		return -EBADMSG;
	}
	if (cs < mpa_first_final || len - MPA_HEADER < get16(data + LENGTH))
		return 0;
	*s = (struct mpa_start){
		.reply = reply,
		.markers = data[FLAGS] & MARKERS,
		.crc = data[FLAGS] & CRC,
		.reject = reply && data[FLAGS] & REJECT,
		.private_len = get16(data + LENGTH),
		.private_data = data + MPA_HEADER,
	};
	return MPA_HEADER + s->private_len;
}

size_t mpa_hello_write(const struct mpa_hello *h, uint8_t *dst)
{
	memcpy(dst, "ALF1", MAGIC);
	put64(put64(dst + MAGIC, h->adu_max), h->credit);
	return MPA_HELLO;
}

int mpa_hello_read(struct mpa_hello *h, const uint8_t *data, size_t len)
{
	const uint8_t *at = data;

	if (run(mpa_en_hello, &at, len) < mpa_first_final)
		return at - data < MAGIC ? 0 : -EBADMSG;
	h->adu_max = get64(data + MAGIC);
	h->credit = get64(data + MAGIC + 8);
	return MPA_HELLO;
}

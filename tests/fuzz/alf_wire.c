/* What a peer of ALF sends: one byte says whether a request, a reply or a segment follows. Whatever it is, readers stay
 * within it, have one answer however it was cut, and what they take they write again byte for byte. */
#include "alf/control.h"
#include "alf/mpa.h"
#include "alf/segment.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define LONGEST 700

struct wire {
	bool reply;
	struct mpa_start start;
	struct ddp_segment segment;
	struct ddp_preface preface;
};
typedef int reader(struct wire *, const uint8_t *, size_t);

static int start(struct wire *w, const uint8_t *data, size_t len)
{
	return mpa_read(&w->start, w->reply, data, len);
}

static int segment(struct wire *w, const uint8_t *data, size_t len)
{
	return ddp_read(&w->segment, data, len);
}

static int preface(struct wire *w, const uint8_t *data, size_t len)
{
	return ddp_preface_read(&w->preface, &w->segment, data, len);
}

/* From memory that ends where the bytes do. */
static int read_exactly(reader *read, struct wire *w, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	int r;

	must(copy);
	memcpy(copy + 1, data, len);
	r = read(w, copy + 1, len);
	free(copy);
	return r;
}

/* The answer to all of it, which that to less of it does not contradict. */
static int answer(reader *read, struct wire *w, const uint8_t *data, size_t len)
{
	int r = read_exactly(read, w, data, len);

	for (size_t i = 0; i < len && i < DDP_PREFACE_MAX; i++) {
		int less = read_exactly(read, w, data, i);
		must(r > 0 ? less == (i < (size_t)r ? 0 : r) : less == r || less == 0);
	}
	if (r > 0) {
		must((size_t)r <= len && read_exactly(read, w, data, (size_t)r - 1) == 0);
		must(read(w, data, len) == r); /* what it points to lives longer than the copies */
	}
	return r;
}

static void check_hello(const struct mpa_start *s)
{
	struct mpa_hello h;
	uint8_t *copy = malloc(s->private_len + 1u), again[MPA_HELLO];
	int r;

	must(copy);
	memcpy(copy + 1, s->private_data, s->private_len);
	r = mpa_hello_read(&h, copy + 1, s->private_len);
	if (r > 0) {
		must(r == MPA_HELLO && s->private_len >= MPA_HELLO && mpa_hello_write(&h, again) == MPA_HELLO);
		must(!memcmp(again, copy + 1, MPA_HELLO));
	} else {
		must(r == 0 || (r == -EBADMSG && s->private_len < MPA_HELLO));
	}
	free(copy);
}

static void check_start(struct wire *w, const uint8_t *data, size_t len)
{
	int r = answer(start, w, data, len);
	uint8_t again[MPA_HEADER + MPA_PRIVATE_MAX];

	if (r < 0)
		must(w->start.fault >= ALF_BAD_START && w->start.fault <= ALF_BAD_PRIVATE);
	if (r <= 0)
		return;
	must(mpa_write(&w->start, again) == (size_t)r);
	again[16] |= data[16] & (w->reply ? 0x1f : 0x3f); /* not checked */
	must(!memcmp(again, data, (size_t)r));
	check_hello(&w->start);
}

static void check_control(const struct ddp_segment *s, const uint8_t *data, size_t len)
{
	struct alf_control c;
	uint8_t *copy = malloc(len + 1), again[CONTROL_LEN];

	must(copy);
	memcpy(copy + 1, data, len);
	if (control_read(&c, s->code, copy + 1, len) == 0) {
		must(len == CONTROL_LEN && c.code == s->code && control_write(&c, again) == len);
		must(!memcmp(again, data, len));
	}
	free(copy);
}

static void check_preface(struct wire *w, const uint8_t *data, size_t len)
{
	int r = answer(preface, w, data, len);
	uint8_t again[DDP_PREFACE_MAX];

	if (r <= 0)
		return;
	must(ddp_total(w->preface.total) == w->segment.total && w->preface.name_len == w->segment.name_len);
	must(w->preface.recovery <= 3);
	must(ddp_preface_write(&w->preface, again) == (size_t)r);
	must(!memcmp(again, data, (size_t)r));
}

static void check_segment(struct wire *w, const uint8_t *data, size_t len)
{
	const struct ddp_segment *s = &w->segment;
	int r = answer(segment, w, data, len);
	uint8_t again[DDP_UNTAGGED];

	if (r <= 0)
		return;
	must(ddp_write(s, again) == (size_t)r);
	again[0] |= data[0] & 0x3c; /* Rsvd: not checked */
	must(!memcmp(again, data, (size_t)r));
	if (s->tagged)
		return;
	must(s->name_len <= ADU_NAME_MAX && s->total <= DDP_TOTAL_LONG && s->msn);
	if (s->queue == DDP_CONTROL)
		check_control(s, data + r, len - (size_t)r);
	else if (s->mo == 0)
		check_preface(w, data + r, len - (size_t)r);
	else
		must(s->mo >= ddp_preface_len(s->name_len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct wire w = { 0 };

	if (len == 0)
		return 0;
	w.reply = *data == 1;
	if (len > LONGEST)
		len = LONGEST;
	if (*data < 2)
		check_start(&w, data + 1, len - 1);
	else
		check_segment(&w, data + 1, len - 1);
	return 0;
}

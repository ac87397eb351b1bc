/* The wire of ALF: MPA's first frames, DDP's headers, prefaces, control messages, CRCs. Each as it is drawn, byte by
 * byte; each reader against every value of every byte, and every cut, in memory that ends where the bytes do. */
#include "alf/control.h"
#include "alf/crc32c.h"
#include "alf/mpa.h"
#include "alf/segment.h"
#include "tests/hex.h"
#include "tests/property.h"
#include "tests/run.h"

#include <errno.h>
#include <string.h>

#define ROOM 600

/* What is read, and what a reader must know of it beforehand. */
struct wire {
	bool reply;
	uint8_t code;
	struct mpa_start start;
	struct mpa_hello hello;
	struct ddp_segment segment;
	struct ddp_preface preface;
	struct alf_control control;
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

static int hello(struct wire *w, const uint8_t *data, size_t len)
{
	return mpa_hello_read(&w->hello, data, len);
}

static int control(struct wire *w, const uint8_t *data, size_t len)
{
	return control_read(&w->control, w->code, data, len);
}

/* From memory of which nothing lies behind the bytes. */
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

/* Cut anywhere, it wants more; what stands behind it is not its business. */
static void all_cuts(reader *read, struct wire *w, const uint8_t *data, size_t len)
{
	uint8_t more[ROOM + 4];

	for (size_t i = 0; i < len; i++)
		must(read_exactly(read, w, data, i) == 0);
	must(read_exactly(read, w, data, len) == (int)len);
	memcpy(more, data, len);
	memset(more + len, 0xff, 4);
	must(read_exactly(read, w, more, len + 4) == (int)len);
}

/* Every value of byte `at`: what is refused is refused from the byte `by` on, and no sooner than it is seen. Returns
 * how many are taken. */
static unsigned taken(reader *read, struct wire *w, const uint8_t *data, size_t len, size_t at, size_t by)
{
	uint8_t bytes[ROOM];
	unsigned count = 0;

	memcpy(bytes, data, len);
	for (unsigned v = 0; v < 256; v++) {
		int r;
		bytes[at] = (uint8_t)v;
		must(read_exactly(read, w, bytes, at) == 0);
		r = read_exactly(read, w, bytes, len);
		must(r == (int)len || r == -EBADMSG);
		for (size_t i = by + 1; i < len; i++)
			must(read_exactly(read, w, bytes, i) == (r < 0 ? r : 0));
		count += r > 0;
	}
	return count;
}

static void fill(struct random *r, uint8_t *to, size_t n)
{
	while (n--)
		*to++ = (uint8_t)rnd(r, 256);
}

/* Numbers of all sizes. */
static uint64_t any64(struct random *r)
{
	uint64_t n = (uint64_t)rnd(r, 1u << 31) << 33 ^ (uint64_t)rnd(r, 1u << 31) << 11 ^ rnd(r, 1u << 11);

	return n >> rnd(r, 64);
}

static uint32_t any32(struct random *r)
{
	return (uint32_t)any64(r);
}

static bool maybe(struct random *r)
{
	return rnd(r, 2);
}

/* ---- MPA ---- */

static const char request_text[] = "4d504120494420526571204672616d65" "c0" "01" "0003" "616263";
static const char reply_text[] = "4d504120494420526570204672616d65" "60" "01" "0000";

START_TEST(mpa_as_drawn)
{
	struct mpa_start request = { .markers = true, .crc = true, .reject = true, .private_len = 3,
		.private_data = (const uint8_t *)"abc" }; /* reject means nothing here */
	struct mpa_start reply = { .reply = true, .crc = true, .reject = true };
	uint8_t got[ROOM], want[ROOM];

	ck_assert_uint_eq(mpa_write(&request, got), unhex(want, ROOM, request_text));
	ck_assert_mem_eq(got, want, 23);
	ck_assert_uint_eq(mpa_write(&reply, got), unhex(want, ROOM, reply_text));
	ck_assert_mem_eq(got, want, 20);
}
END_TEST

START_TEST(mpa_round)
{
	struct random r = random_seed(_i);
	uint8_t data[MPA_PRIVATE_MAX], bytes[ROOM];
	struct mpa_start s = { .reply = maybe(&r), .markers = maybe(&r), .crc = maybe(&r), .reject = maybe(&r),
		.private_len = (uint16_t)rnd(&r, MPA_PRIVATE_MAX + 1), .private_data = data }, *got;
	struct wire w = { .reply = s.reply };
	size_t len;

	fill(&r, data, s.private_len);
	len = mpa_write(&s, bytes);
	must(len == MPA_HEADER + (size_t)s.private_len);
	bytes[16] |= (uint8_t)rnd(&r, s.reply ? 0x20 : 0x40); /* Res; and R of a request */
	all_cuts(start, &w, bytes, len);
	start(&w, bytes, len);
	got = &w.start;
	must(got->reply == s.reply && got->markers == s.markers && got->crc == s.crc);
	must(got->reject == (s.reply && s.reject) && !got->fault);
	must(got->private_len == s.private_len && got->private_data == bytes + MPA_HEADER);
	must(!memcmp(got->private_data, data, s.private_len));
}
END_TEST

START_TEST(mpa_every_byte)
{
	static const struct { uint16_t len; int answer; size_t sees; } lengths[] = {
		{ 511, 0, 20 }, { 512, 0, 20 }, { 513, -EBADMSG, 20 }, { 767, -EBADMSG, 20 }, { 768, -EBADMSG, 19 },
		{ 65535, -EBADMSG, 19 } };
	struct wire w = { .reply = _i };
	uint8_t bytes[ROOM];
	size_t n = unhex(bytes, ROOM, _i ? reply_text : request_text);

	for (size_t at = 0; at < 18; at++) {
		ck_assert_uint_eq(taken(start, &w, bytes, n, at, at), at == 16 ? 256 : 1);
		ck_assert_int_eq(w.start.fault, at < 16 ? ALF_BAD_START : at == 16 ? 0 : ALF_BAD_REVISION);
	}
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		bytes[18] = (uint8_t)(lengths[i].len >> 8);
		bytes[19] = (uint8_t)lengths[i].len;
		w.start.fault = 0;
		ck_assert_int_eq(read_exactly(start, &w, bytes, lengths[i].sees - 1), 0);
		ck_assert_int_eq(read_exactly(start, &w, bytes, lengths[i].sees), lengths[i].answer);
		ck_assert_int_eq(w.start.fault, lengths[i].answer ? ALF_BAD_PRIVATE : 0);
	}
	/* Both ends are initiators, or both responders. */
	n = unhex(bytes, ROOM, _i ? request_text : reply_text);
	ck_assert_int_eq(read_exactly(start, &w, bytes, 9), 0);
	for (size_t len = 10; len <= n; len++)
		ck_assert_int_eq(read_exactly(start, &w, bytes, len), -EBADMSG);
	ck_assert_int_eq(w.start.fault, ALF_BAD_START);
}
END_TEST

START_TEST(hellos)
{
	static const char text[] = "414c4631" "0102030405060708" "1112131415161718" "7a";
	struct mpa_hello h = { .adu_max = 0x0102030405060708, .credit = 0x1112131415161718 };
	uint8_t got[ROOM], want[ROOM];
	struct wire w = { 0 };

	unhex(want, ROOM, text);
	ck_assert_uint_eq(mpa_hello_write(&h, got), MPA_HELLO);
	ck_assert_mem_eq(got, want, MPA_HELLO);
	for (size_t len = 0; len <= MPA_HELLO + 1; len++)
		ck_assert_int_eq(read_exactly(hello, &w, want, len),
			len < 4 ? 0 : len < MPA_HELLO ? -EBADMSG : MPA_HELLO);
	ck_assert_uint_eq(w.hello.adu_max, h.adu_max);
	ck_assert_uint_eq(w.hello.credit, h.credit);
	for (size_t at = 0; at < MPA_HELLO; at++) {
		want[at] ^= 1;
		ck_assert_int_eq(read_exactly(hello, &w, want, MPA_HELLO), at < 4 ? 0 : MPA_HELLO);
		want[at] ^= 1;
	}
}
END_TEST

/* ---- DDP ---- */

static const char adu_text[] = "41" "53" "00" "000010" "00000000" "00000007" "00000064";
static const char first_text[] = "01" "43" "40" "ffffff" "00000000" "ffffffff" "00000000";
static const char control_text[] = "41" "53" "03" "000000" "00000001" "00000001" "00000000";
static const char tagged_text[] = "c1" "50" "01020304" "1112131415161718";

START_TEST(segments_as_drawn)
{
	static const struct ddp_segment segments[] = {
		{ .last = true, .key_phase = true, .total = 16, .msn = 7, .mo = 100 },
		{ .name_len = 64, .total = DDP_TOTAL_LONG, .msn = UINT32_MAX },
		{ .last = true, .key_phase = true, .code = 3, .queue = DDP_CONTROL, .msn = 1 },
		{ .tagged = true, .last = true, .key_phase = true, .stag = 0x01020304, .to = 0x1112131415161718 },
	};
	static const char *const texts[] = { adu_text, first_text, control_text, tagged_text };
	uint8_t got[ROOM], want[ROOM];

	for (int i = 0; i < 4; i++) {
		size_t n = unhex(want, ROOM, texts[i]);
		ck_assert_uint_eq(n, segments[i].tagged ? DDP_TAGGED : DDP_UNTAGGED);
		ck_assert_uint_eq(ddp_write(&segments[i], got), n);
		ck_assert_mem_eq(got, want, n);
	}
	ck_assert_uint_eq(ddp_total(0xfffffe), 0xfffffe);
	ck_assert_uint_eq(ddp_total(0xffffff), DDP_TOTAL_LONG);
	ck_assert_uint_eq(ddp_total(UINT64_C(1) << 32), DDP_TOTAL_LONG);
}
END_TEST

static struct ddp_segment any_segment(struct random *r)
{
	struct ddp_segment s = { .tagged = !rnd(r, 3), .last = maybe(r), .key_phase = maybe(r) };

	if (s.tagged) {
		s.stag = any32(r);
		s.to = any64(r);
		return s;
	}
	s.msn = any32(r) | 1u << rnd(r, 32);
	s.queue = rnd(r, 2);
	if (s.queue == DDP_CONTROL) {
		s.last = true;
		s.code = (uint8_t)rnd(r, 256);
		return s;
	}
	s.name_len = (uint8_t)rnd(r, ADU_NAME_MAX + 1);
	s.total = ddp_total(any32(r));
	s.mo = any32(r);
	if (s.mo < ddp_preface_len(s.name_len))
		s.mo = 0;
	return s;
}

static bool same_segment(const struct ddp_segment *a, const struct ddp_segment *b)
{
	return a->tagged == b->tagged && a->last == b->last && a->key_phase == b->key_phase && a->code == b->code &&
		a->name_len == b->name_len && a->total == b->total && a->queue == b->queue && a->msn == b->msn &&
		a->mo == b->mo && a->stag == b->stag && a->to == b->to;
}

START_TEST(segment_round)
{
	struct random r = random_seed(_i);
	struct ddp_segment s = any_segment(&r);
	struct wire w = { 0 };
	uint8_t bytes[ROOM];
	size_t len = ddp_write(&s, bytes);

	must(len == (s.tagged ? DDP_TAGGED : DDP_UNTAGGED));
	bytes[0] |= (uint8_t)(rnd(&r, 16) << 2); /* Rsvd */
	all_cuts(segment, &w, bytes, len);
	must(same_segment(&w.segment, &s));
}
END_TEST

START_TEST(segment_every_byte)
{
	/* How many values of each byte are right. */
	static const struct { const char *text; unsigned right[DDP_UNTAGGED]; } headers[] = {
		/* L and Rsvd; K; 0 to 64; MSN 0 is not; nor are offsets within a preface of 8 bytes, or 72 */
		{ adu_text, { 32, 2, 65, 256, 256, 256, 1, 1, 1, 1, 256, 256, 256, 255, 256, 256, 256, 249 } },
		{ first_text, { 32, 2, 65, 256, 256, 256, 1, 1, 1, 1, 256, 256, 256, 256, 256, 256, 256, 185 } },
		/* Rsvd; K; it would do as an ADU too */
		{ control_text, { 16, 2, 256, 1, 1, 1, 1, 1, 1, 2, 256, 256, 256, 255, 1, 1, 1, 1 } },
		{ tagged_text, { 32, 2, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256 } },
	};
	struct wire w = { 0 };
	uint8_t bytes[ROOM];
	size_t n = unhex(bytes, ROOM, headers[_i].text);

	for (size_t at = 0; at < n; at++) {
		bool queue_decides = at == 0 || (headers[_i].text == control_text && at < 6);
		/* What is too long for a name may be a message's code, until there is a total. */
		size_t sees = queue_decides ? 9 : headers[_i].text == adu_text && at == 2 ? 5 : at;
		unsigned count = taken(segment, &w, bytes, n, at, sees);
		ck_assert_msg(count == headers[_i].right[at], "byte %zu: %u values are taken", at, count);
	}
	for (unsigned v = 0; v < 256; v++)
		ck_assert_int_eq(read_exactly(segment, &w, &(uint8_t){ (uint8_t)v }, 1), v % 4 == 1 ? 0 : -EBADMSG);
}
END_TEST

START_TEST(offset_within_preface)
{
	struct ddp_segment s = { .name_len = (uint8_t)_i, .msn = 1 };
	uint8_t bytes[ROOM];
	struct wire w = { 0 };

	for (s.mo = 0; s.mo <= 80; s.mo++) {
		size_t n = ddp_write(&s, bytes);
		bool right = s.mo == 0 || s.mo >= 8 + (s.name_len + 3u) / 4 * 4;
		ck_assert_int_eq(read_exactly(segment, &w, bytes, n), right ? (int)n : -EBADMSG);
	}
}
END_TEST

static const char preface_text[] = "01020304" "73" "81" "fffe" "6e616d6565000000";

START_TEST(prefaces_as_drawn)
{
	struct ddp_preface f = { .total = 0x01020304, .recovery = 3, .priority = 7, .type = 0x81, .deadline_ms = 0xfffe,
		.name_len = 5, .name = (const uint8_t *)"namee" };
	uint8_t got[ROOM], want[ROOM];

	memset(got, 0xff, sizeof got);
	ck_assert_uint_eq(ddp_preface_write(&f, got), unhex(want, ROOM, preface_text));
	ck_assert_mem_eq(got, want, 16);
	f = (struct ddp_preface){ .total = 1 };
	ck_assert_uint_eq(ddp_preface_write(&f, got), 8);
	ck_assert_mem_eq(got, "\0\0\0\1\0\0\0\0", 8);
	for (unsigned len = 0; len <= ADU_NAME_MAX; len++)
		ck_assert_uint_eq(ddp_preface_len((uint8_t)len) - 8, len % 4 ? len + 4 - len % 4 : len);
}
END_TEST

START_TEST(preface_round)
{
	struct random r = random_seed(_i);
	uint8_t name[ADU_NAME_MAX], bytes[ROOM];
	struct ddp_preface f = { .total = any32(&r), .recovery = (uint8_t)rnd(&r, 4),
		.priority = (uint8_t)rnd(&r, ADU_PRIORITIES), .type = (uint8_t)rnd(&r, 256), .deadline_ms = (uint16_t)rnd(&r, 65536),
		.name_len = (uint8_t)rnd(&r, ADU_NAME_MAX + 1), .name = name }, *got;
	struct wire w = { .segment = { .name_len = f.name_len, .total = ddp_total(f.total), .msn = 1 } };
	size_t len;

	fill(&r, name, f.name_len);
	len = ddp_preface_write(&f, bytes);
	must(len == ddp_preface_len(f.name_len));
	all_cuts(preface, &w, bytes, len);
	preface(&w, bytes, len);
	got = &w.preface;
	must(got->total == f.total && got->recovery == f.recovery && got->priority == f.priority && got->type == f.type);
	must(got->deadline_ms == f.deadline_ms && got->name_len == f.name_len && got->name == bytes + 8);
	must(!memcmp(got->name, name, f.name_len));
}
END_TEST

START_TEST(preface_every_byte)
{
	struct wire w = { .segment = { .name_len = 5, .total = _i ? 0x020304 : DDP_TOTAL_LONG, .msn = 1 } };
	uint8_t bytes[ROOM];
	size_t n = unhex(bytes, ROOM, preface_text);

	bytes[0] = _i ? 0 : 1;
	for (size_t at = 0; at < n; at++) {
		/* A total that the header has whole; or more than it can have: of the first byte all but 0. */
		unsigned right = at < 4 ? (_i ? 1 : at ? 256 : 255) : at == 4 ? 32 : at < 13 ? 256 : 1;
		unsigned count = taken(preface, &w, bytes, n, at, at < 4 ? n - 1 : at);
		ck_assert_msg(count == right, "byte %zu: %u values are taken", at, count);
	}
}
END_TEST

START_TEST(totals_that_agree)
{
	static const struct { uint32_t header, preface; bool agree; } totals[] = {
		{ 0, 0, true }, { 0, 1, false }, { 0xfffffe, 0xfffffe, true }, { 0xffffff, 0xfffffe, false },
		{ 0xffffff, 0xffffff, true }, { 0xffffff, 0x1000000, true }, { 0xffffff, UINT32_MAX, true },
		{ 0, 0x1000000, false }, { 4, 0x1000004, false } };
	uint8_t bytes[ROOM];

	for (unsigned i = 0; i < sizeof totals / sizeof *totals; i++) {
		struct wire w = { .segment = { .total = totals[i].header, .msn = 1 } };
		size_t n = ddp_preface_write(&(struct ddp_preface){ .total = totals[i].preface }, bytes);
		ck_assert_int_eq(read_exactly(preface, &w, bytes, n), totals[i].agree ? (int)n : -EBADMSG);
	}
}
END_TEST

/* ---- control ---- */

START_TEST(controls_as_drawn)
{
	static const struct { struct alf_control c; const char *text; } messages[] = {
		{ { .code = CONTROL_CREDIT, .limit = 0x0102030405060708 }, "0102030405060708" },
		{ { .code = CONTROL_CREDIT }, "0000000000000000" },
		{ { .code = CONTROL_DROPPED, .msn = 0x01020304, .reason = CONTROL_CANCELLED }, "0102030401000000" },
		{ { .code = CONTROL_DROPPED, .msn = 1, .reason = CONTROL_SUPERSEDED }, "0000000102000000" },
		{ { .code = CONTROL_DROPPED, .msn = 256, .reason = CONTROL_EXPIRED }, "0000010003000000" },
		{ { .code = CONTROL_STOP, .msn = UINT32_MAX, .reason = CONTROL_CANCELLED }, "ffffffff01000000" },
		{ { .code = CONTROL_STOP, .msn = 1, .reason = CONTROL_EXPIRED }, "0000000103000000" },
	};
	uint8_t got[ROOM] = { 0 }, want[ROOM];

	for (unsigned i = 0; i < sizeof messages / sizeof *messages; i++) {
		const struct alf_control *c = &messages[i].c;
		struct wire w = { .code = (uint8_t)c->code };
		unhex(want, ROOM, messages[i].text);
		ck_assert_uint_eq(control_write(c, got), CONTROL_LEN);
		ck_assert_mem_eq(got, want, CONTROL_LEN);
		for (size_t len = 0; len < 20; len++)
			ck_assert_int_eq(read_exactly(control, &w, got, len), len == CONTROL_LEN ? 0 : -EBADMSG);
		ck_assert_int_eq(w.control.code, c->code);
		ck_assert_uint_eq(w.control.limit, c->limit);
		ck_assert_uint_eq(w.control.msn, c->msn);
		ck_assert_int_eq(w.control.reason, c->reason);
	}
}
END_TEST

START_TEST(control_every_byte)
{
	static const unsigned right[3][CONTROL_LEN] = { { 256, 256, 256, 256, 256, 256, 256, 256 },
		{ 256, 256, 256, 255, 3, 1, 1, 1 }, { 256, 256, 256, 255, 2, 1, 1, 1 } };
	uint8_t bytes[CONTROL_LEN] = { 0, 0, 0, 1, 1 };
	struct wire w = { .code = (uint8_t)(_i + 1) };

	for (size_t at = 0; at < CONTROL_LEN; at++) {
		uint8_t was = bytes[at];
		unsigned count = 0;
		for (unsigned v = 0; v < 256; v++) {
			bytes[at] = (uint8_t)v;
			count += read_exactly(control, &w, bytes, CONTROL_LEN) == 0;
		}
		ck_assert_uint_eq(count, right[_i][at]);
		bytes[at] = was;
	}
	if (_i == 2) {
		bytes[4] = CONTROL_SUPERSEDED; /* which is the sender's word */
		ck_assert_int_eq(read_exactly(control, &w, bytes, CONTROL_LEN), -EBADMSG);
	}
	bytes[4] = CONTROL_CANCELLED;
	for (unsigned code = 0; code < 256; code++) {
		w.code = (uint8_t)code;
		ck_assert_int_eq(read_exactly(control, &w, bytes, CONTROL_LEN), code >= 1 && code <= 3 ? 0 : -EBADMSG);
	}
}
END_TEST

/* A chain that turns words makes the wire's order of it, whatever this machine's is. */
START_TEST(controls_turned)
{
	const uint8_t wire[CONTROL_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const uint32_t halves[] = { 0x01020304, 0x05060708 };
	const uint64_t all = 0x0102030405060708;
	uint8_t got[CONTROL_LEN];

	memcpy(got, wire, sizeof got);
	control_turn(got, 0);
	ck_assert_mem_eq(got, wire, sizeof got);
	control_turn(got, 4);
	ck_assert_mem_eq(got, halves, sizeof got);
	control_turn(got, 4);
	ck_assert_mem_eq(got, wire, sizeof got);
	control_turn(got, 8);
	ck_assert_mem_eq(got, &all, sizeof got);
	control_turn(got, 8);
	ck_assert_mem_eq(got, wire, sizeof got);
}
END_TEST

/* ---- CRC ---- */

static uint32_t crc_by_bits(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

START_TEST(crc_rfc3720)
{
	static const struct { const char *text; uint32_t crc; } printed[] = { /* RFC 3720 (B.4) */
		{ "0000000000000000000000000000000000000000000000000000000000000000", 0x8a9136aa },
		{ "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x62a8ab43 },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e },
		{ "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c },
		{ "01c0000000000000000000000000000014000000000004000000001400000018280000000000000002000000"
			"00000000", 0xd9963a56 },
	};
	uint8_t bytes[ROOM];

	for (unsigned i = 0; i < sizeof printed / sizeof *printed; i++) {
		size_t n = unhex(bytes, ROOM, printed[i].text);
		ck_assert_uint_eq(alf_crc32c(0, bytes, n), printed[i].crc);
	}
	ck_assert_uint_eq(alf_crc32c(0x12345678, NULL, 0), 0x12345678);
}
END_TEST

START_TEST(crc_any)
{
	struct random r = random_seed(_i);
	uint8_t bytes[ROOM];

	fill(&r, bytes, sizeof bytes);
	for (int i = 0; i < 100; i++) {
		size_t from = rnd(&r, 8), n = rnd(&r, 200), cut = rnd(&r, (uint32_t)n + 1);
		uint32_t before = any32(&r), want = crc_by_bits(before, bytes + from, n);
		must(alf_crc32c(before, bytes + from, n) == want);
		must(alf_crc32c(alf_crc32c(before, bytes + from, cut), bytes + from + cut, n - cut) == want);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_wire");
	TCase *tc = tcase_create("alf_wire");

	tcase_add_test(tc, mpa_as_drawn);
	property_add(tc, mpa_round, 40);
	tcase_add_loop_test(tc, mpa_every_byte, 0, 2);
	tcase_add_test(tc, hellos);
	tcase_add_test(tc, segments_as_drawn);
	property_add(tc, segment_round, 200);
	tcase_add_loop_test(tc, segment_every_byte, 0, 4);
	tcase_add_loop_test(tc, offset_within_preface, 0, ADU_NAME_MAX + 1);
	tcase_add_test(tc, prefaces_as_drawn);
	property_add(tc, preface_round, 100);
	tcase_add_loop_test(tc, preface_every_byte, 0, 2);
	tcase_add_test(tc, totals_that_agree);
	tcase_add_test(tc, controls_as_drawn);
	tcase_add_test(tc, controls_turned);
	tcase_add_loop_test(tc, control_every_byte, 0, 3);
	tcase_add_test(tc, crc_rfc3720);
	property_add(tc, crc_any, 20);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

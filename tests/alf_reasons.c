/* Why a connection ended: each error of RFC 5044 (8) and RFC 5041 (7), and each of ours, from frames made by hand. */
#include "alf/bytes.h"
#include "alf/crc32c.h"
#include "alf/fpdu.h"
#include "alf/segment.h"
#include "tests/alf_flow.h"
#include "tests/run.h"

#define LONGEST 1000

static struct flow_pair pair;
static struct alf *in;
static uint8_t data[2 * LONGEST], region[100];

static void open_with(struct alf_profile p)
{
	struct alf_profile q = p;

	flow_fill(data, sizeof data, 1);
	q.adu_max = LONGEST;
	flow_pair_open(&pair, &p, &q);
	in = pair.end[1];
	ck_assert_int_eq(alf_reason(in), ALF_NO_REASON);
}

/* Shows what was written; it is what ends the connection, and the last that is told. */
static void ends(enum alf_reason reason)
{
	struct adu_event e = { .kind = ADU_EVENTS };

	flow_show(&pair.flow[0], in);
	while (alf_event(in, &e))
		;
	ck_assert(e.kind == ADU_ERROR && e.error == EBADMSG);
	ck_assert_msg(alf_reason(in) == reason, "%s, expected %s", alf_reason_text(alf_reason(in)), alf_reason_text(reason));
	flow_close(&pair);
}

/* ---- frames ---- */

/* A ULPDU in its frame. */
static void frame(const uint8_t *ulpdu, size_t n)
{
	struct flow *f = &pair.flow[0];
	uint8_t *begin = f->bytes + f->len, *at = put16(begin, (uint16_t)n);
	const size_t pad = -(FPDU_LENGTH + n) % 4;
	uint32_t crc;

	memcpy(at, ulpdu, n);
	memset(at + n, 0, pad);
	at += n + pad;
	crc = htole32(alf_crc32c(0, begin, (size_t)(at - begin)));
	memcpy(at, &crc, FPDU_CRC);
	f->len += (size_t)(at + FPDU_CRC - begin);
	f->ends[f->segments++] = f->len;
}

/* A header, what stands behind it, and where a byte of all that is changed: -1 for none. */
static void segment(const struct ddp_segment *seg, const void *behind, size_t n, int at, uint8_t byte)
{
	uint8_t ulpdu[DDP_UNTAGGED + DDP_PREFACE_MAX + 2 * LONGEST];
	const size_t head = ddp_write(seg, ulpdu);

	memcpy(ulpdu + head, behind, n);
	if (at >= 0)
		ulpdu[at] = byte;
	frame(ulpdu, head + n);
}

static struct ddp_segment piece_of(uint32_t msn, uint32_t total)
{
	return (struct ddp_segment){ .queue = DDP_ADUS, .msn = msn, .total = total };
}

/* An ADU in one frame. */
static void whole(uint32_t msn, uint32_t len, int at, uint8_t byte)
{
	const struct ddp_preface preface = { .total = len };
	struct ddp_segment seg = piece_of(msn, len);
	uint8_t behind[DDP_PREFACE_MAX + 2 * LONGEST];
	const size_t n = ddp_preface_write(&preface, behind);

	seg.last = true;
	memcpy(behind + n, data, len);
	segment(&seg, behind, n + len, at, byte);
}

/* Bytes [from, from + n) of an ADU of so many, whose first frame is none of these. */
static void later(uint32_t total, uint32_t from, uint32_t n)
{
	struct ddp_segment seg = piece_of(1, total);

	seg.mo = (uint32_t)ddp_preface_len(0) + from;
	seg.last = from + n == total;
	segment(&seg, data, n, -1, 0);
}

static void tagged(uint32_t stag, uint64_t to)
{
	const struct ddp_segment seg = { .tagged = true, .last = true, .stag = stag, .to = to };

	segment(&seg, data, 10, -1, 0);
}

static void make_region(void)
{
	ck_assert_int_eq(adu_expose(in, 77, region, sizeof region), 0);
}

/* The peer drops an ADU, which has not begun: it is gone before it is known how long it is. */
static void dropped(uint32_t msn)
{
	const struct ddp_segment seg = { .queue = DDP_CONTROL, .last = true, .msn = 1 + msn, .code = CONTROL_DROPPED };
	const struct alf_control c = { .code = CONTROL_DROPPED, .msn = msn, .reason = CONTROL_CANCELLED };
	uint8_t payload[CONTROL_LEN];

	control_write(&c, payload);
	segment(&seg, payload, sizeof payload, -1, 0);
}

/* ---- RFC 5044 ---- */

static void crc(void)
{
	whole(1, 50, -1, 0);
	pair.flow[0].bytes[pair.flow[0].len - 1] ^= 1;
}

static void crc_of_data(void)
{
	whole(1, 50, -1, 0);
	pair.flow[0].bytes[pair.flow[0].len - 9] ^= 1;
}

static void too_short(void) { frame(data, DDP_TAGGED - 1); }
static void no_room_for_header(void)
{
	const struct ddp_segment seg = piece_of(1, 10);
	uint8_t ulpdu[DDP_UNTAGGED];

	ddp_write(&seg, ulpdu);
	frame(ulpdu, DDP_UNTAGGED - 1);
}

static void no_room_for_preface(void)
{
	const struct ddp_segment seg = piece_of(1, 10);

	segment(&seg, data, 4, -1, 0);
}

/* ---- RFC 5041 ---- */

static void version(void) { whole(1, 50, 0, 0x42); }
static void rdmap(void) { whole(1, 50, 1, 0x83); }
static void queue(void) { whole(1, 50, 9, 2); }
static void queue_far(void) { whole(1, 50, 6, 1); }
static void msn_0(void) { whole(0, 50, -1, 0); }
static void msn_ahead(void) { whole(2, 50, -1, 0); }
static void msn_again(void)
{
	whole(1, 50, -1, 0);
	flow_show(&pair.flow[0], in);
	alf_forget(in, alf_in_find(in, flow_expect(in, ADU_COMPLETE).id));
	whole(1, 50, -1, 0);
}

static void mo_in_preface(void) { whole(1, 50, 17, 4); }
static void mo_behind(void)
{
	later(100, 0, 50);
	later(100, 60, 50);
}

static void mo_again(void)
{
	later(100, 0, 50);
	later(100, 49, 10);
}

/* Of which no header says how long it is, since what says so has not come. */
static void never_began(void) { later(DDP_TOTAL_LONG, 0, 50); }
static void last_is_not(void)
{
	struct ddp_segment seg = piece_of(1, 100);

	seg.mo = (uint32_t)ddp_preface_len(0);
	seg.last = true;
	segment(&seg, data, 50, -1, 0);
}

static void too_long(void) { whole(1, LONGEST + 1, -1, 0); }
static void no_buffer(void)
{
	for (uint32_t msn = 1; msn <= in->in.limit / (LONGEST + ADU_COST) + 1; msn++) {
		if (msn > 1) {
			flow_show(&pair.flow[0], in);
			flow_expect(in, ADU_COMPLETE);
		}
		whole(msn, LONGEST, -1, 0);
	}
}

static void dropped_too_long(void)
{
	dropped(1);
	whole(1, LONGEST + 1, -1, 0);
}

static void dropped_no_buffer(void)
{
	for (uint32_t msn = 1; msn <= in->in.limit / ADU_COST; msn++)
		dropped(msn);
	whole(1, LONGEST, -1, 0);
}

static void stag(void)
{
	make_region();
	tagged(78, 0);
}

static void bounds(void)
{
	make_region();
	tagged(77, sizeof region - 9);
}

static void far_out(void)
{
	make_region();
	tagged(77, sizeof region + 1);
}

static void wraps(void)
{
	make_region();
	tagged(77, UINT64_MAX - 8);
}

/* ---- ours ---- */

static void name_too_long(void) { whole(1, 50, 2, ADU_NAME_MAX + 1); }
static void preface_wants(void) { whole(1, 50, DDP_UNTAGGED + 4, 4); }
static void preface_total(void) { whole(1, 50, DDP_UNTAGGED + 3, 51); }
static void message(void)
{
	const struct ddp_segment seg = { .queue = DDP_CONTROL, .last = true, .msn = 2, .code = 99 };

	segment(&seg, data, CONTROL_LEN, -1, 0);
}

static void message_offset(void)
{
	const struct ddp_segment seg = { .queue = DDP_CONTROL, .last = true, .msn = 2, .mo = 4, .code = CONTROL_CREDIT };

	segment(&seg, data, CONTROL_LEN, -1, 0);
}

static void message_length(void)
{
	const struct ddp_segment seg = { .queue = DDP_CONTROL, .last = true, .msn = 2, .code = CONTROL_CREDIT };

	segment(&seg, data, CONTROL_LEN + 1, -1, 0);
}

static const struct {
	void (*make)(void);
	enum alf_reason reason;
} cases[] = {
	{ crc, ALF_BAD_CRC }, { crc_of_data, ALF_BAD_CRC }, { too_short, ALF_BAD_LENGTH },
	{ no_room_for_header, ALF_BAD_LENGTH }, { no_room_for_preface, ALF_BAD_LENGTH },
	{ version, ALF_BAD_VERSION }, { rdmap, ALF_BAD_VERSION }, { queue, ALF_BAD_QN },
	{ queue_far, ALF_BAD_QN }, { msn_0, ALF_BAD_MSN }, { msn_ahead, ALF_BAD_MSN },
	{ msn_again, ALF_BAD_MSN }, { mo_in_preface, ALF_BAD_MO }, { mo_behind, ALF_BAD_MO },
	{ mo_again, ALF_BAD_MO }, { never_began, ALF_BAD_MO }, { last_is_not, ALF_BAD_MO },
	{ message_offset, ALF_BAD_MO }, { too_long, ALF_TOO_LONG }, { dropped_too_long, ALF_TOO_LONG },
	{ no_buffer, ALF_NO_BUFFER }, { dropped_no_buffer, ALF_NO_BUFFER }, { stag, ALF_BAD_STAG },
	{ bounds, ALF_BAD_BOUNDS }, { far_out, ALF_BAD_BOUNDS }, { wraps, ALF_TO_WRAPS },
	{ name_too_long, ALF_BAD_HEADER }, { preface_wants, ALF_BAD_HEADER }, { preface_total, ALF_BAD_HEADER },
	{ message, ALF_BAD_MESSAGE }, { message_length, ALF_BAD_MESSAGE },
};

START_TEST(frames)
{
	open_with((struct alf_profile){ .crc = true });
	cases[_i].make();
	ends(cases[_i].reason);
}
END_TEST

/* RFC 5044 (8): whatever a frame that came damaged says, it is its CRC that does not match. */
START_TEST(damaged_frames)
{
	size_t from, n = FPDU_LENGTH + 1;

	for (size_t at = FPDU_LENGTH; at < n; at++) {
		open_with((struct alf_profile){ .crc = true });
		from = pair.flow[0].len;
		make_region();
		if (_i)
			tagged(77, 0);
		else
			whole(1, 50, -1, 0);
		n = pair.flow[0].len - from;
		pair.flow[0].bytes[from + at] ^= (uint8_t)(1 << at % 8);
		ends(ALF_BAD_CRC);
	}
	ck_assert_uint_ge(n, 30);
}
END_TEST

/* The one in the first frame's data, or the one before a later frame; with a CRC that tells first. */
START_TEST(markers)
{
	const bool crc = _i / 4;
	size_t at;

	_i %= 4;
	open_with((struct alf_profile){ .crc = crc, .markers = true });
	at = (size_t)in->in.origin + FPDU_EVERY;
	flow_send(pair.end[0], data, LONGEST, NULL);
	flow_send(pair.end[0], data, LONGEST, NULL);
	flow_pull(&pair.flow[0], pair.end[0], _i < 3 ? 1460 : 300);
	for (int i = 0; i < _i; i++)
		at += FPDU_EVERY;
	ck_assert_uint_ge(at, pair.flow[0].shown);
	pair.flow[0].bytes[at + 3] ^= 4;
	ends(crc ? ALF_BAD_CRC : ALF_BAD_MARKER);
}
END_TEST

/* The one at some place of two frames, wherever that is: in a header, a preface, data, padding, a CRC, between them. */
START_TEST(markers_anywhere)
{
	for (size_t len = 0; len <= FPDU_EVERY; len++) {
		size_t at;
		open_with((struct alf_profile){ .crc = _i, .markers = true });
		at = pair.flow[0].shown - in->in.origin;
		at = in->in.origin + (at / FPDU_EVERY + 1) * FPDU_EVERY;
		flow_send(pair.end[0], data, len, NULL);
		flow_send(pair.end[0], data, FPDU_EVERY, NULL);
		flow_pull(&pair.flow[0], pair.end[0], 1460);
		pair.flow[0].bytes[at + 3] ^= 4;
		ends(_i ? ALF_BAD_CRC : ALF_BAD_MARKER);
	}
}
END_TEST

/* In order a frame says that it goes on where another was found by its marker. */
START_TEST(over_another)
{
	struct flow *f = &pair.flow[0];
	const uint8_t *behind[2] = { NULL, NULL };
	uint64_t begin, end;
	uint32_t len[2] = { 0 };
	size_t at;

	open_with((struct alf_profile){ .crc = true, .markers = true });
	flow_send(pair.end[0], data, LONGEST, NULL);
	flow_pull(f, pair.end[0], 1460);
	at = f->len;
	flow_send(pair.end[0], data, LONGEST, NULL);
	flow_pull(f, pair.end[0], 1460);
	behind[0] = f->bytes + at;
	len[0] = (uint32_t)(f->len - at);
	ck_assert(in->in.sink.show(in, at, behind, len, &begin, &end));
	ck_assert(begin == at && end == f->len);
	flow_expect(in, ADU_COMPLETE);
	f->len = at;
	f->bytes[f->shown] += 4; /* 1024 bytes longer */
	ends(ALF_BAD_MARKER);
}
END_TEST

/* Two frames in one segment, each of which could be: what they are together is seen when the segment is good. */
START_TEST(together)
{
	struct flow *f = &pair.flow[0];
	uint16_t sum;
	size_t n;

	open_with((struct alf_profile){ .crc = true });
	for (int i = 0; i < 2; i++) {
		const struct ddp_preface preface = { .total = 100 };
		const struct ddp_segment seg = piece_of(1, 100);
		uint8_t bytes[DDP_PREFACE_MAX];
		if (_i)
			later(100, 0, 50);
		else
			segment(&seg, bytes, ddp_preface_write(&preface, bytes), -1, 0);
	}
	n = f->len - f->shown;
	ck_assert_uint_eq(in->in.sink.drain(in, f->shown, f->bytes + f->shown, n, &sum), n);
	ck_assert_int_eq(in->error, 0);
	in->in.sink.settle(in, f->shown, n, true);
	f->shown = f->len;
	ends(ALF_BAD_MO);
}
END_TEST

static int refuse(void *state, uint8_t *dst)
{
	(void)state, (void)dst;
	return -EBADMSG;
}

/* By a chain that has something to say of the data, though it does not authenticate. */
START_TEST(refused)
{
	struct ilp_chain with_crc;
	struct alf_profile p = { .crc = true };

	ck_assert_int_eq(alf_family("copy", &p.chain), 0);
	with_crc = *p.chain.crc;
	p.chain.crc = &with_crc;
	open_with(p);
	with_crc.end[ILP_RECV] = refuse; /* what ends tell each other at the start has come */
	whole(1, 50, -1, 0);
	ends(ALF_BAD_DATA);
}
END_TEST

START_TEST(forged)
{
	open_with(flow_profile(2));
	flow_send(pair.end[0], data, 50, NULL);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	pair.flow[0].bytes[pair.flow[0].len - 9] ^= 1;
	ends(ALF_FORGED);
}
END_TEST

/* What a damaged segment says is no reason, and the next one counts. */
START_TEST(damaged)
{
	struct flow *f = &pair.flow[0];
	uint16_t sum;
	size_t n;

	open_with((struct alf_profile){ .crc = true });
	whole(1, 50, -1, 0);
	n = f->len - f->shown;
	f->bytes[f->len - 1] ^= 1;
	ck_assert_uint_eq(in->in.sink.drain(in, f->shown, f->bytes + f->shown, n, &sum), 0);
	ck_assert_int_eq(alf_reason(in), ALF_NO_REASON);
	f->bytes[f->len - 1] ^= 1;
	flow_show(f, in);
	flow_expect(in, ADU_COMPLETE);
	ck_assert_int_eq(alf_reason(in), ALF_NO_REASON);
	flow_close(&pair);
}
END_TEST

/* Two frames in a segment that is not checked yet, and each makes the ADU whole: it is once, or its books would be
 * in a list twice. The other one has no bytes, or all of them again. */
START_TEST(whole_twice)
{
	const struct ddp_segment end = { .queue = DDP_ADUS, .msn = 1, .total = 50, .last = true,
		.mo = (uint32_t)ddp_preface_len(0) + 50 };
	struct flow *f = &pair.flow[0];
	uint16_t sum;
	size_t n;

	open_with((struct alf_profile){ .crc = true });
	whole(1, 50, -1, 0);
	if (_i)
		whole(1, 50, -1, 0);
	else
		segment(&end, data, 0, -1, 0);
	n = f->len - f->shown;
	ck_assert_uint_eq(in->in.sink.drain(in, f->shown, f->bytes + f->shown, n, &sum), n);
	in->in.sink.settle(in, f->shown, n, true);
	ck_assert_int_eq(in->error, EBADMSG);
	ck_assert_int_eq(alf_reason(in), ALF_BAD_MO);
	ck_assert_uint_eq(in->stats.adus_complete, 1);
	alf_forget(in, alf_in_first(in));
	ck_assert(!in->in.ready.first && !in->in.adus.first);
	flow_close(&pair);
}
END_TEST

START_TEST(ended)
{
	open_with((struct alf_profile){ .crc = true });
	if (_i)
		later(100, 0, 50);
	else
		whole(1, 50, -1, 0);
	pair.flow[0].len -= _i ? 0 : 3;
	pair.flow[0].ends[pair.flow[0].segments - 1] = pair.flow[0].len;
	flow_show(&pair.flow[0], in);
	ck_assert_int_eq(alf_in_end(in), -EBADMSG);
	ck_assert_int_eq(alf_reason(in), ALF_STREAM_ENDED);
	flow_close(&pair);
}
END_TEST

/* ---- without a peer ---- */

static enum alf_reason reason_for(const struct alf_profile *p, const void *bytes, uint32_t n, bool end)
{
	const uint8_t *const all[2] = { bytes, NULL };
	const uint32_t len[2] = { n, 0 };
	struct alf *a = alf_new(p);
	uint64_t from, to;
	enum alf_reason reason;

	ck_assert_ptr_nonnull(a);
	while (!a->error && a->in.next < n) {
		const uint8_t *const rest[2] = { all[0] + a->in.next, NULL };
		const uint32_t left[2] = { len[0] - (uint32_t)a->in.next, 0 };
		if (!a->in.sink.show(a, a->in.next, rest, left, &from, &to))
			break;
	}
	if (end)
		alf_in_end(a);
	reason = alf_reason(a);
	alf_free(a);
	return reason;
}

START_TEST(start)
{
	static const struct {
		const char *bytes;
		uint32_t n;
		enum alf_reason reason;
	} starts[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, ALF_BAD_START },
		{ "MPA ID Rep Frame\0\1\0\0", 20, ALF_BAD_START },
		{ "MPA ID Req Frame\0\1\0\0and more", 28, ALF_BAD_START }, /* our reply has not gone */
		{ "MPA ID Req Frame\0\2\0\0", 20, ALF_BAD_REVISION },
		{ "MPA ID Req Frame\0\1\2\1", 20, ALF_BAD_PRIVATE },
		{ "MPA ID Req Frame\0\1\0\5ALF1\0", 25, ALF_BAD_PRIVATE },
		{ "MPA ID Req Frame\0\1\0", 19, ALF_STREAM_ENDED },
		{ "MPA ID Req Frame\0\1\0\0", 20, ALF_NO_REASON },
	};
	const struct alf_profile p = { .initiator = false };

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		ck_assert_int_eq(reason_for(&p, starts[i].bytes, starts[i].n, true), starts[i].reason);
}
END_TEST

START_TEST(streams)
{
	static const uint8_t empties[4 * 70000], long_one[4] = { 0x80, 0, 4, 0 };
	const struct alf_profile record = { .framer = &alf_record, .adu_max = LONGEST };
	const struct alf_profile cobs = { .framer = &alf_cobs, .adu_max = LONGEST };
	uint8_t much[2 * LONGEST];

	ck_assert_int_eq(reason_for(&record, long_one, 4, false), ALF_TOO_LONG);
	ck_assert_int_eq(reason_for(&record, empties, sizeof empties, false), ALF_BAD_LENGTH);
	ck_assert_int_eq(reason_for(&record, long_one, 3, true), ALF_STREAM_ENDED);
	ck_assert_int_eq(reason_for(&cobs, "\5a", 3, false), ALF_BAD_DATA);
	memset(much, 1, sizeof much);
	ck_assert_int_eq(reason_for(&cobs, much, sizeof much, false), ALF_TOO_LONG);
	ck_assert_int_eq(reason_for(&cobs, much, 10, true), ALF_STREAM_ENDED);
}
END_TEST

START_TEST(texts)
{
	for (int i = 0; i < ALF_REASONS; i++)
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(alf_reason_text((enum alf_reason)i), alf_reason_text((enum alf_reason)k));
	ck_assert_str_eq(alf_reason_text(ALF_BAD_CRC), "the CRC does not match");
	ck_assert_str_eq(alf_reason_text(ALF_FORGED), "not authentic");
	ck_assert_str_eq(alf_reason_text(ALF_REASONS), "?");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_reasons");
	TCase *tc = tcase_create("alf_reasons");

	tcase_add_loop_test(tc, frames, 0, sizeof cases / sizeof *cases);
	tcase_add_loop_test(tc, damaged_frames, 0, 2);
	tcase_add_loop_test(tc, markers, 0, 8);
	tcase_add_loop_test(tc, markers_anywhere, 0, 2);
	tcase_add_test(tc, over_another);
	tcase_add_loop_test(tc, together, 0, 2);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, forged);
	tcase_add_test(tc, damaged);
	tcase_add_loop_test(tc, whole_twice, 0, 2);
	tcase_add_loop_test(tc, ended, 0, 2);
	tcase_add_test(tc, start);
	tcase_add_test(tc, streams);
	tcase_add_test(tc, texts);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

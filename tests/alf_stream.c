/* Framers whose ADUs stand in the stream one behind the other (alf/stream.h): what they look like on the wire, and
 * what peers may not do. */
#include "alf/bytes.h"
#include "tests/alf_streams.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void expect_wire(const struct flow *f, const void *wire, size_t len)
{
	ck_assert_uint_eq(f->len, len);
	ck_assert_mem_eq(f->bytes, wire, len);
}

static void expect_adu(struct alf *a, const void *data, size_t len)
{
	struct adu_event e = flow_expect(a, ADU_COMPLETE);

	ck_assert_uint_eq(e.len, len);
	if (len)
		ck_assert_mem_eq(e.data, data, len);
	ck_assert(e.attr.name_len == 0 && e.attr.type == 0 && e.attr.priority == 0);
	alf_forget(a, alf_in_find(a, e.id));
}

/* ---- on the wire ---- */

/* An ADU of that data is that on the wire, and comes back. */
static void looks(const struct stream_kind *k, const char *data, size_t len, const char *wire, size_t wire_len)
{
	const struct alf_profile p = stream_profile(k);

	flow_pair_open(&stream_pair, &p, &p);
	ck_assert_int_gt(flow_send(stream_pair.end[0], data, len, NULL), 0);
	flow_pull(&stream_pair.flow[0], stream_pair.end[0], 1460);
	flow_expect(stream_pair.end[0], ADU_SENT);
	expect_wire(&stream_pair.flow[0], wire, wire_len);
	flow_show(&stream_pair.flow[0], stream_pair.end[1]);
	expect_adu(stream_pair.end[1], data, len);
	ck_assert_int_eq(alf_in_end(stream_pair.end[1]), 0);
	flow_expect(stream_pair.end[1], ADU_ENDED);
	flow_close(&stream_pair);
}
#define LOOKS(kind, data, wire) looks(&stream_kinds[kind], data, sizeof(data) - 1, wire, sizeof(wire) - 1)

START_TEST(record_on_the_wire)
{
	const uint32_t numbers[] = { 0x01020304, 0x05060708 };

	LOOKS(0, "abc", "\x80\0\0\3abc");
	LOOKS(0, "", "\x80\0\0\0");
	looks(&stream_kinds[1], (const char *)numbers, sizeof numbers, "\x80\0\0\x8\1\2\3\4\5\6\7\x8", 12);
}
END_TEST

/* The paper's Figure 3 is of a datagram; these are what it says, and what its listing makes of 254 bytes. */
START_TEST(cobs_on_the_wire)
{
	char run[254], wire[300];

	LOOKS(3, "", "\1\0");
	LOOKS(3, "\0", "\1\1\0");
	LOOKS(3, "\0\0", "\1\1\1\0");
	LOOKS(3, "\x11\x22\0\x33", "\3\x11\x22\2\x33\0");
	LOOKS(3, "\x11\0\0\0", "\2\x11\1\1\1\0");
	LOOKS(3, "E\0\0,Lw\0\0", "\2E\1\4,Lw\1\1\0");
	memset(run, 'x', sizeof run);
	memset(wire, 'x', sizeof wire);
	wire[0] = '\xff';
	memcpy(wire + 255, "\1", 2);
	looks(&stream_kinds[STREAM_COBS], run, 254, wire, 257);
	wire[0] = '\xfe';
	wire[254] = 0;
	looks(&stream_kinds[STREAM_COBS], run, 253, wire, 255);
}
END_TEST

START_TEST(plain_on_the_wire)
{
	const struct alf_profile p = stream_profile(&stream_kinds[STREAM_PLAIN]);
	struct alf *a = stream_receiver(&p);

	LOOKS(4, "GET / HTTP/1.0\r\n", "GET / HTTP/1.0\r\n");
	ck_assert_int_eq(flow_send(a, "", 0, NULL), -EMSGSIZE);
	alf_free(a);
}
END_TEST

/* A part more of the ADU with that handle; 0: the first one. */
static int64_t part(struct alf *a, int64_t id, uint64_t total, const void *data, size_t len)
{
	const struct adu_out first = { .total = total, .parted = true };
	struct adu_out *adu;

	if (!id) {
		id = alf_queue(a, &first, &adu);
		ck_assert_int_gt(id, 0);
	} else {
		adu = alf_out_find(a, id);
		ck_assert_ptr_nonnull(adu);
	}
	ck_assert_int_eq(alf_part(a, adu, data, len), 0);
	return id;
}

/* Each part is a fragment, or stuffed as if there were no parts; nothing comes in between, however urgent. */
START_TEST(parts)
{
	static const char *const wires[] = { "\0\0\0\4abcd\0\0\0\4efgh\x80\0\0\1i\x80\0\0\2no",
		"\012abcdefghi\0\3no\0", "abcdefghino" };
	static const size_t wire_lens[] = { 27, 15, 11 };
	const struct alf_profile p = stream_profile(&stream_kinds[_i == 0 ? 0 : _i + 2]);
	const struct adu_attr urgent = { .priority = 7 };
	int64_t id;

	flow_pair_open(&stream_pair, &p, &p);
	id = part(stream_pair.end[0], 0, 9, "abcd", 4);
	flow_pull(&stream_pair.flow[0], stream_pair.end[0], 1460);
	ck_assert_int_gt(flow_send(stream_pair.end[0], "no", 2, &urgent), 0);
	ck_assert(!alf_wants_out(stream_pair.end[0]));
	part(stream_pair.end[0], id, 9, "efgh", 4);
	flow_pull(&stream_pair.flow[0], stream_pair.end[0], 1460);
	part(stream_pair.end[0], id, 9, "i", 1);
	flow_pull(&stream_pair.flow[0], stream_pair.end[0], 1460);
	expect_wire(&stream_pair.flow[0], wires[_i], wire_lens[_i]);
	if (_i < 2) {
		flow_show(&stream_pair.flow[0], stream_pair.end[1]);
		expect_adu(stream_pair.end[1], "abcdefghi", 9);
		expect_adu(stream_pair.end[1], "no", 2);
	}
	flow_close(&stream_pair);
}
END_TEST

/* ---- foreign peers ---- */

static uint8_t wire[1 << 17];

static size_t fragment(size_t at, uint32_t len, bool last, const uint8_t *data)
{
	return (size_t)(stream_fragment(wire + at, len, last, data) - wire);
}

static void refuses(const struct alf_profile *p, size_t len, size_t before)
{
	struct alf *a = stream_receiver(p);
	struct adu_event e;

	stream_come(a, wire, before, 0);
	ck_assert_int_eq(a->error, 0);
	stream_come(a, wire, len, 0);
	ck_assert_int_eq(a->error, EBADMSG);
	while (alf_event(a, &e) && e.kind != ADU_ERROR)
		ck_assert_int_eq(e.kind, ADU_COMPLETE);
	ck_assert(e.kind == ADU_ERROR && e.error == EBADMSG);
	alf_free(a);
}

START_TEST(hostile_records)
{
	struct alf_profile p = { .framer = &alf_record, .adu_max = 1000, .credit = 4000 };
	size_t len;

	memset(stream_bytes, 'x', sizeof stream_bytes);
	put32(wire, 1001);
	refuses(&p, 4, 3);
	put32(wire, 0x7fffffff);
	refuses(&p, 4, 3);
	put32(wire, 0xffffffff);
	refuses(&p, 4, 3);
	len = fragment(fragment(0, 1000, false, stream_bytes[0]), 1, true, stream_bytes[0]);
	refuses(&p, len - 1, len - 2);
	len = fragment(fragment(0, 1000, false, stream_bytes[0]), 0, true, stream_bytes[0]);
	struct alf *a = stream_receiver(&p);
	stream_come(a, wire, len, 0);
	expect_adu(a, stream_bytes[0], 1000);
	alf_free(a);
	for (len = 0; len < 4 * 1024;)
		len = fragment(len, 0, false, NULL);
	refuses(&p, fragment(len, 0, false, NULL), len);
	len = fragment(len, 0, true, NULL);
	a = stream_receiver(&p);
	stream_come(a, wire, 4 * 1024, 0);
	stream_come(a, wire, len, 0);
	ck_assert_int_eq(a->error, EBADMSG);
	alf_free(a);
}
END_TEST

START_TEST(hostile_stuffing)
{
	struct alf_profile p = { .framer = &alf_cobs, .adu_max = 1000, .credit = 4000 };

	memset(wire, 'x', sizeof wire);
	memcpy(wire, "\3x\0", 3); /* a piece of two that has one */
	refuses(&p, 3, 2);
	memcpy(wire, "\xffxx", 3);
	wire[255] = 0; /* a run of 254, and nothing behind it */
	refuses(&p, 256, 255);
	memset(wire, 1, sizeof wire);
	refuses(&p, 1002, 1001); /* 1,001 zeros */
	wire[1001] = 0;
	struct alf *a = stream_receiver(&p);
	stream_come(a, wire, 1002, 0);
	flow_expect(a, ADU_COMPLETE);
	alf_free(a);
	memset(wire, 0, sizeof wire); /* nothing, again and again */
	a = stream_receiver(&p);
	stream_come(a, wire, 60000, 0);
	flow_expect_nothing(a);
	ck_assert(a->in.next == 60000 && a->in.begun == 0);
	alf_free(a);
}
END_TEST

/* The end within an ADU is an error wherever it is; between them it is none. */
START_TEST(ends)
{
	const struct stream_kind *k = &stream_kinds[_i];
	const struct alf_profile p = stream_profile(k);
	uint64_t all, first;

	stream_lengths[0] = 20;
	first = stream_send(k, 1, 1460, 5);
	flow_close(&stream_pair);
	stream_lengths[1] = 30;
	all = stream_send(k, 2, 1460, 5);
	for (uint64_t end = 0; end <= all; end++) {
		struct alf *a = stream_receiver(&p);
		stream_come(a, stream_pair.flow[0].bytes, end, 0);
		bool within = k->keeps_boundaries && end != 0 && end != first && end != all;
		ck_assert_int_eq(alf_in_end(a), within ? -EBADMSG : 0);
		ck_assert_int_eq(a->error, within ? EBADMSG : 0);
		alf_free(a);
	}
	flow_close(&stream_pair);
}
END_TEST

/* ---- memory ---- */

/* The peer sends, and nobody takes: memory stays within the credit, and what was released lets more come. */
START_TEST(memory_is_bounded)
{
	const struct stream_kind *k = &stream_kinds[_i / 2];
	struct alf_profile p = stream_profile(k);
	unsigned released = 0;
	struct adu_event e;
	uint64_t all;

	p.adu_max = 3000;
	p.credit = _i % 2 ? 7000 : 6600; /* there is none for more of the third ADU; for its first byte */
	for (unsigned i = 0; i < 20; i++)
		stream_lengths[i] = 2800;
	all = stream_send(k, 20, 1460, 300);
	struct alf *a = stream_receiver(&p);
	for (uint64_t come_so_far = 0; a->in.next < all; come_so_far += come_so_far < all ? 100 : 0) {
		stream_come(a, stream_pair.flow[0].bytes, come_so_far < all ? come_so_far : all, 0);
		ck_assert_uint_le(a->stats.bytes_held, p.credit);
		ck_assert_uint_le(a->in.begun - a->in.returned, p.credit);
		ck_assert(a->in.full == a->in.sink.done);
		if (!a->in.full)
			continue;
		ck_assert(alf_event(a, &e) && e.kind == ADU_COMPLETE);
		alf_forget(a, alf_in_find(a, e.id));
		released++;
	}
	ck_assert_uint_ge(released, k->keeps_boundaries ? 15 : 50);
	ck_assert_int_eq(alf_in_end(a), 0);
	alf_free(a);
	flow_close(&stream_pair);
}
END_TEST

/* What a peer says of its fragment takes no memory: what comes does. */
START_TEST(promises_take_no_memory)
{
	struct alf_profile p = { .framer = &alf_record, .adu_max = 1 << 24 };
	struct alf *a = stream_receiver(&p);

	put32(wire, 0x81000000);
	memset(wire + 4, 'x', 5000);
	stream_come(a, wire, 4, 0);
	ck_assert_uint_eq(a->stats.bytes_held, 0);
	stream_come(a, wire, 5, 0);
	ck_assert_uint_le(a->stats.bytes_held, 1024);
	stream_come(a, wire, 5004, 0);
	ck_assert_uint_le(a->stats.bytes_held, 10000);
	alf_free(a);
}
END_TEST

/* ---- the application's places ---- */

static uint8_t placed[STREAM_ADUS * STREAM_LENGTH];
static struct {
	int answer;
	size_t asked;
} places;

static int place(void *ctx, const struct adu_where *w, struct iovec *to, int max)
{
	(void)ctx;
	ck_assert(max >= 2 && w->named && (w->total == UINT64_MAX || w->total == w->len));
	places.asked++;
	if (places.answer <= 0)
		return places.answer;
	to[0] = (struct iovec){ placed + w->offset, w->len / 2 };
	to[1] = (struct iovec){ placed + w->offset + w->len / 2, w->len - w->len / 2 };
	return 2;
}

START_TEST(application_says_where)
{
	const struct stream_kind *k = &stream_kinds[_i];
	struct alf_profile p = stream_profile(k);
	uint64_t all, first;

	p.hooks.place = place;
	places.answer = 1;
	stream_lengths[0] = stream_lengths[1] = 2000;
	all = stream_send(k, 2, 1460, 30);
	first = k->framer == &alf_record ? 2004 : 2002 + (2000 - 1) / 254;
	struct alf *a = stream_receiver(&p);
	for (uint64_t at = 0; at < all; at += 333)
		stream_come(a, stream_pair.flow[0].bytes, at, at - 100);
	stream_come(a, stream_pair.flow[0].bytes, first, 0);
	ck_assert_uint_eq(a->stats.bytes_held_max, 0);
	for (uint64_t at = first; at <= all; at++)
		stream_come(a, stream_pair.flow[0].bytes, at, 0);
	ck_assert_uint_gt(places.asked, 8);
	ck_assert_mem_eq(placed, stream_bytes[1], 2000);
	ck_assert(a->in.begun - a->in.returned == 2 * ADU_COST);
	alf_free(a);

	/* Not wanted: the rest is passed over, and the next one comes. */
	a = stream_receiver(&p);
	places.answer = -ECANCELED;
	stream_come(a, stream_pair.flow[0].bytes, 100, 0);
	ck_assert_int_eq(flow_expect(a, ADU_LOST).error, ECANCELED);
	places.answer = 0;
	stream_come(a, stream_pair.flow[0].bytes, all, 0);
	expect_adu(a, stream_bytes[1], 2000);
	flow_expect_nothing(a);
	ck_assert(a->in.begun == a->in.returned && !a->in.gone.count);
	alf_free(a);
	flow_close(&stream_pair);
}
END_TEST

/* Nothing on the wire counts ADUs, so there is no last one: where 32 bits end, numbers begin anew. */
START_TEST(numbers_begin_anew)
{
	const struct stream_kind *k = &stream_kinds[_i / 2];
	const enum adu_event_kind kind = _i % 2 ? ADU_DELIVERED : ADU_COMPLETE;
	struct alf_profile p = stream_profile(k);
	struct alf *out, *in;
	struct adu_event e;

	p.ordered = _i % 2;
	flow_pair_open(&stream_pair, &p, &p);
	out = stream_pair.end[0];
	in = stream_pair.end[1];
	out->out.msn[0] = UINT32_MAX - 2;
	in->stream.msn = in->in.low = UINT32_MAX - 3;
	ck_assert_int_eq(alf_ranges_add(&in->in.finished, 0, in->in.low), 0);
	for (unsigned i = 0; i < 8; i++) {
		flow_fill(stream_bytes[i], 1000, i);
		ck_assert_int_gt(flow_send(out, stream_bytes[i], 1000, NULL), 0);
		flow_expect_nothing(out);
		flow_cross(&stream_pair, 1460);
		flow_expect(out, ADU_SENT);
		e = flow_expect(in, kind);
		ck_assert_uint_eq(e.len, 1000);
		ck_assert_mem_eq(e.data, stream_bytes[i], 1000);
		flow_expect_nothing(in);
	}
	/* None was released meanwhile, so none has taken another's place. */
	while (alf_in_first(in))
		alf_forget(in, alf_in_first(in));
	ck_assert(in->in.begun == in->in.returned && alf_in_end(in) == 0);
	flow_close(&stream_pair);
}
END_TEST

/* ---- what may not be ---- */

START_TEST(not_for_streams)
{
	const struct adu_attr name = { .name = "x", .name_len = 1 }, type = { .type = 1 }, soon = { .deadline_ms = 10 };
	struct alf_profile p = stream_profile(&stream_kinds[_i]);
	struct alf *a = stream_receiver(&p);
	int64_t id;

	ck_assert_int_eq(flow_send(a, "x", 1, &name), -EINVAL);
	ck_assert_int_eq(flow_send(a, "x", 1, &type), -EINVAL);
	ck_assert_int_eq(adu_expose(a, 1, stream_bytes, 1), -1);

	/* What has begun is finished, late or not; what has not expires. */
	stream_pair.flow[0].len = stream_pair.flow[0].segments = 0;
	memset(stream_bytes[0], 'x', 3000);
	id = flow_send(a, stream_bytes[0], 3000, &soon);
	ck_assert_int_gt(flow_send(a, "x", 1, &soon), 0);
	uint8_t segment[1000];
	ck_assert_uint_gt(a->out.source.fill(a, 0, segment, sizeof segment, NULL), 0);
	alf_tick(a, 20000);
	ck_assert_int_eq(flow_expect(a, ADU_EXPIRED).error, ETIME);
	flow_expect_nothing(a);
	ck_assert(alf_deadline(a) == TCPU_NEVER && alf_wants_out(a));
	alf_drop(a, alf_out_find(a, id), CONTROL_CANCELLED, EINTR);
	ck_assert_int_eq(a->error, ECONNABORTED);
	alf_free(a);
}
END_TEST

START_TEST(chains)
{
	static const struct {
		const struct alf_framer *framer;
		const char *chain;
	} none[] = {
		{ &alf_record, "xdr_aes128_gcm_copy_sum" }, { &alf_record, "cobs_copy_sum" },
		{ &alf_record, "base64_copy_sum" }, { &alf_record, "chacha20_copy_sum" },
		{ &alf_record, "xdr_copy" }, { &alf_record, "crc32c_copy_sum" },
		{ &alf_cobs, "copy_sum" }, { &alf_cobs, "crc32c_cobs_copy" }, { &alf_plain, "xdr_copy_sum" },
		{ &alf_plain, "cobs_copy_sum" }, { &alf_mpa, "cobs_copy_sum" },
	};
	struct alf_profile p = { .framer = &alf_cobs };

	for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
		p = (struct alf_profile){ .framer = none[i].framer, .chain.plain = ilp_find(none[i].chain) };
		ck_assert_msg(p.chain.plain, "no chain %s", none[i].chain);
		ck_assert_msg(!alf_new(&p) && errno == EINVAL, "%s, %s", p.framer->name, none[i].chain);
	}
	for (int i = 0; i < STREAM_KINDS; i++) {
		p = (struct alf_profile){ .framer = stream_kinds[i].framer };
		alf_free(stream_receiver(&p));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream");
	TCase *tc = tcase_create("wire");

	tcase_add_test(tc, record_on_the_wire);
	tcase_add_test(tc, cobs_on_the_wire);
	tcase_add_test(tc, plain_on_the_wire);
	tcase_add_loop_test(tc, parts, 0, 3);
	tcase_add_test(tc, chains);
	tcase_add_loop_test(tc, not_for_streams, 0, STREAM_KINDS);
	suite_add_tcase(suite, tc);
	tc = tcase_create("peers");
	tcase_add_test(tc, hostile_records);
	tcase_add_test(tc, hostile_stuffing);
	tcase_add_loop_test(tc, ends, 0, STREAM_KINDS);
	tcase_add_loop_test(tc, numbers_begin_anew, 0, 2 * STREAM_KINDS);
	suite_add_tcase(suite, tc);
	tc = tcase_create("memory");
	tcase_add_loop_test(tc, memory_is_bounded, 0, 2 * STREAM_KINDS);
	tcase_add_test(tc, promises_take_no_memory);
	tcase_add_loop_test(tc, application_says_where, 0, STREAM_PLAIN);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

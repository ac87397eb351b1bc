/* Framers whose ADUs stand in the stream one behind the other (alf/stream.h): what they look like on the wire, what comes
 * of a stream however it is cut, and what peers may not do. */
#include "alf/bytes.h"
#include "tests/alf_flow.h"
#include "tests/property.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADUS_MAX 40
#define LENGTH_MAX 3000

/* Framers, and what their data go through. */
static const struct kind {
	const struct alf_framer *framer;
	const char *chain;
	bool keeps_boundaries;
} kinds[] = {
	{ &alf_record, "copy_sum", true },
	{ &alf_record, "xdr_copy_sum", true },
	{ &alf_record, "xdr_record_copy_sum", true },
	{ &alf_cobs, "cobs_copy_sum", true },
	{ &alf_plain, "copy_sum", false },
};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

static struct flow_pair pair;
static uint8_t bytes[ADUS_MAX][LENGTH_MAX];
static size_t lengths[ADUS_MAX];

static struct alf_profile profile_of(const struct kind *k)
{
	return (struct alf_profile){ .framer = k->framer, .chain.plain = ilp_find(k->chain), .schedule = ILP_FUSED };
}

static void open_pair(const struct alf_profile *p)
{
	flow_pair_open(&pair, p, p);
}

static struct alf *receiver(const struct alf_profile *p)
{
	struct alf *a = alf_new(p);

	ck_assert_msg(a, "alf_new: %s", strerror(errno));
	flow_expect(a, ADU_OPENED);
	return a;
}

/* All of the stream before `end` has come, of which TCP's ring holds what was not taken, and ends at `wrap`. */
static void come(struct alf *a, const uint8_t *stream, uint64_t end, uint64_t wrap)
{
	const uint64_t from = a->in.next, cut = wrap > from && wrap < end ? wrap : end;
	const uint8_t *const data[2] = { stream + from, stream + cut };
	const uint32_t len[2] = { (uint32_t)(cut - from), (uint32_t)(end - cut) };
	uint64_t taken[2];

	if (from < end)
		a->in.sink.show(a->in.sink.ctx, from, data, len, &taken[0], &taken[1]);
}

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
static void looks(const struct kind *k, const char *data, size_t len, const char *wire, size_t wire_len)
{
	const struct alf_profile p = profile_of(k);

	open_pair(&p);
	ck_assert_int_gt(flow_send(pair.end[0], data, len, NULL), 0);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	flow_expect(pair.end[0], ADU_SENT);
	expect_wire(&pair.flow[0], wire, wire_len);
	flow_show(&pair.flow[0], pair.end[1]);
	expect_adu(pair.end[1], data, len);
	ck_assert_int_eq(alf_in_end(pair.end[1]), 0);
	flow_expect(pair.end[1], ADU_ENDED);
	flow_close(&pair);
}
#define LOOKS(kind, data, wire) looks(&kinds[kind], data, sizeof data - 1, wire, sizeof wire - 1)

START_TEST(record_on_the_wire)
{
	LOOKS(0, "abc", "\x80\0\0\3abc");
	LOOKS(0, "", "\x80\0\0\0");
	LOOKS(1, "\1\2\3\4\5\6\7\x8", "\x80\0\0\x8\4\3\2\1\x8\7\6\5");
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
	looks(&kinds[3], run, 254, wire, 257);
	wire[0] = '\xfe';
	wire[254] = 0;
	looks(&kinds[3], run, 253, wire, 255);
}
END_TEST

START_TEST(plain_on_the_wire)
{
	const struct alf_profile p = profile_of(&kinds[4]);
	int64_t id;

	LOOKS(4, "GET / HTTP/1.0\r\n", "GET / HTTP/1.0\r\n");
	open_pair(&p);
	id = flow_send(pair.end[0], "", 0, NULL);
	ck_assert_int_gt(flow_send(pair.end[0], "behind", 6, NULL), 0);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	struct adu_event e = flow_expect(pair.end[0], ADU_CANCELLED);
	ck_assert(e.id == id && e.error == EMSGSIZE);
	flow_close(&pair);
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
	adu->own = (struct iovec){ (void *)(uintptr_t)data, len };
	adu->piece = &adu->own;
	adu->in_piece = 0;
	adu->here += len;
	return id;
}

/* Each part is a fragment, or stuffed as if there were no parts; nothing comes in between, however urgent. */
START_TEST(parts)
{
	static const char *const wires[] = { "\0\0\0\4abcd\0\0\0\4efgh\x80\0\0\1i\x80\0\0\2no",
		"\xa" "abcdefghi\0\3no\0", "abcdefghino" };
	static const size_t wire_lens[] = { 27, 15, 11 };
	const struct alf_profile p = profile_of(&kinds[_i == 0 ? 0 : _i + 2]);
	const struct adu_attr urgent = { .priority = 7 };
	int64_t id;

	open_pair(&p);
	id = part(pair.end[0], 0, 9, "abcd", 4);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	ck_assert_int_gt(flow_send(pair.end[0], "no", 2, &urgent), 0);
	ck_assert(!alf_wants_out(pair.end[0]));
	part(pair.end[0], id, 9, "efgh", 4);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	part(pair.end[0], id, 9, "i", 1);
	flow_pull(&pair.flow[0], pair.end[0], 1460);
	expect_wire(&pair.flow[0], wires[_i], wire_lens[_i]);
	if (_i < 2) {
		flow_show(&pair.flow[0], pair.end[1]);
		expect_adu(pair.end[1], "abcdefghi", 9);
		expect_adu(pair.end[1], "no", 2);
	}
	flow_close(&pair);
}
END_TEST

/* ---- round trips ---- */

/* ADUs of these lengths, with zeros here and there, in segments of cap bytes. Returns how long the stream is. */
static uint64_t send_all(const struct kind *k, unsigned adus, size_t cap, unsigned zeros)
{
	const struct alf_profile p = profile_of(k);

	open_pair(&p);
	for (unsigned i = 0; i < adus; i++) {
		flow_fill(bytes[i], lengths[i], i + cap);
		for (size_t at = 0; zeros && at < lengths[i]; at += zeros)
			bytes[i][at] = 0;
		ck_assert_int_gt(flow_send(pair.end[0], bytes[i], lengths[i], NULL), 0);
	}
	flow_pull(&pair.flow[0], pair.end[0], cap);
	ck_assert(pair.end[0]->stats.adus_sent == adus && !pair.end[0]->error);
	return pair.flow[0].len;
}

/* Takes what is whole. */
static void take(struct alf *a, const struct kind *k, unsigned *adu, size_t *at)
{
	struct adu_event e;

	while (alf_event(a, &e)) {
		const uint8_t *data = e.data;
		uint64_t left = e.len;
		must(e.kind == ADU_COMPLETE);
		if (k->keeps_boundaries)
			must(e.len == lengths[*adu]);
		do {
			size_t n = lengths[*adu] - *at < left ? lengths[*adu] - *at : (size_t)left;
			must(n == 0 || !memcmp(data, bytes[*adu] + *at, n));
			data += n;
			left -= n;
			*at += n;
			if (*at == lengths[*adu])
				++*adu, *at = 0;
		} while (left);
		alf_forget(a, alf_in_find(a, e.id));
	}
}

static void all_came(struct alf *a, unsigned adus, unsigned adu, size_t at)
{
	must(adu == adus && at == 0 && !a->error && a->stats.bytes_held == 0 && a->in.begun == a->in.returned);
	must(alf_in_end(a) == 0);
	alf_free(a);
}

/* Every cut into two, and the ring's end at every place about it. */
START_TEST(every_cut)
{
	static const size_t some[] = { 3, 1, 28, 4, 255, 0, 253, 254, 56, 508, 2, 12 };
	static const size_t caps[] = { 128, 536, 1460, 65000 };
	const struct kind *k = &kinds[_i / 4];
	const struct alf_profile p = profile_of(k);
	unsigned adus = 0;
	uint64_t all;

	for (unsigned i = 0; i < sizeof some / sizeof *some; i++)
		if (some[i] || k->keeps_boundaries)
			lengths[adus++] = some[i];
	all = send_all(k, adus, caps[_i % 4], _i % 2 ? 0 : 100);
	for (uint64_t cut = 0; cut <= all; cut++) {
		struct alf *a = receiver(&p);
		unsigned adu = 0;
		size_t at = 0;
		come(a, pair.flow[0].bytes, cut, cut / 2);
		take(a, k, &adu, &at);
		come(a, pair.flow[0].bytes, all, cut + (all - cut) / 2);
		take(a, k, &adu, &at);
		all_came(a, adus, adu, at);
	}
	flow_close(&pair);
}
END_TEST

/* Many ADUs of any length, segments of any, in any pieces; what was sent is in as many bytes as that needs. */
START_TEST(any_cuts)
{
	struct random dice = random_seed(_i);
	const struct kind *k = &kinds[_i % KINDS];
	const struct alf_profile p = profile_of(k);
	const unsigned adus = 1 + rnd(&dice, ADUS_MAX);
	struct alf *a = receiver(&p);
	unsigned adu = 0;
	size_t at = 0, data = 0;
	uint64_t all, come_so_far = 0;

	for (unsigned i = 0; i < adus; i++) {
		lengths[i] = rnd(&dice, rnd(&dice, 4) ? 300 : LENGTH_MAX) + !k->keeps_boundaries;
		data += lengths[i];
	}
	all = send_all(k, adus, 600 + rnd(&dice, 5000), rnd(&dice, 300));
	if (k->framer == &alf_record)
		must(all == data + 4 * adus);
	while (come_so_far < all) {
		come_so_far += 1 + rnd(&dice, rnd(&dice, 3) ? 20 : 2000);
		come_so_far = come_so_far < all ? come_so_far : all;
		come(a, pair.flow[0].bytes, come_so_far, a->in.next + rnd(&dice, 600));
		take(a, k, &adu, &at);
	}
	all_came(a, adus, adu, at);
	flow_close(&pair);
}
END_TEST

/* Segments are full, but for what COBS does not know to fit. */
START_TEST(segments_are_full)
{
	const struct kind *k = &kinds[_i];

	for (unsigned i = 0; i < 20; i++)
		lengths[i] = 2800;
	send_all(k, 20, 1000, 0);
	for (unsigned i = 0; i + 21 < pair.flow[0].segments; i++)
		ck_assert_uint_ge(pair.flow[0].ends[i + 1] - pair.flow[0].ends[i], i % 3 == 1 ? 680 : 0);
	ck_assert_uint_le(pair.flow[0].segments, 60);
	flow_close(&pair);
}
END_TEST

/* ---- foreign peers ---- */

static uint8_t wire[1 << 17];

static size_t fragment(size_t at, uint32_t len, bool last, const uint8_t *data)
{
	put32(wire + at, len | (last ? 0x80000000U : 0));
	if (len)
		memcpy(wire + at + 4, data, len);
	return at + 4 + len;
}

/* Fragments of any length, none as well, cut in any way; with words that they cut. */
START_TEST(foreign_fragments)
{
	struct random dice = random_seed(_i);
	const struct kind *k = &kinds[_i % 3];
	const struct alf_profile p = profile_of(k);
	struct alf *a = receiver(&p);
	const unsigned adus = 1 + rnd(&dice, 8);
	unsigned adu = 0;
	size_t len = 0, at = 0;

	for (unsigned i = 0; i < adus; i++)
		lengths[i] = rnd(&dice, 400);
	send_all(k, adus, 60000, 0);
	for (unsigned i = 0, from = 0; i < adus; from += 4 + (unsigned)lengths[i++])
		for (size_t done = 0, n;; done += n) {
			n = rnd(&dice, rnd(&dice, 2) ? 8 : 200);
			n = n < lengths[i] - done ? n : lengths[i] - done;
			bool last = done + n == lengths[i] && rnd(&dice, 3);
			len = fragment(len, (uint32_t)n, last, pair.flow[0].bytes + from + 4 + done);
			if (last)
				break;
		}
	for (size_t so_far = 0; so_far < len;) {
		so_far += 1 + rnd(&dice, 30);
		so_far = so_far < len ? so_far : len;
		come(a, wire, so_far, a->in.next + rnd(&dice, 60));
		take(a, k, &adu, &at);
	}
	all_came(a, adus, adu, at);
	flow_close(&pair);
}
END_TEST

static void refuses(const struct alf_profile *p, size_t len, size_t before)
{
	struct alf *a = receiver(p);
	struct adu_event e;

	come(a, wire, before, 0);
	ck_assert_int_eq(a->error, 0);
	come(a, wire, len, 0);
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

	memset(bytes, 'x', sizeof bytes);
	put32(wire, 1001);
	refuses(&p, 4, 3);
	put32(wire, 0x7fffffff);
	refuses(&p, 4, 3);
	put32(wire, 0xffffffff);
	refuses(&p, 4, 3);
	len = fragment(fragment(0, 1000, false, bytes[0]), 1, true, bytes[0]);
	refuses(&p, len - 1, len - 2);
	len = fragment(fragment(0, 1000, false, bytes[0]), 0, true, bytes[0]);
	struct alf *a = receiver(&p);
	come(a, wire, len, 0);
	expect_adu(a, bytes[0], 1000);
	alf_free(a);
	for (len = 0; len < 4 * 1024;)
		len = fragment(len, 0, false, NULL);
	refuses(&p, fragment(len, 0, false, NULL), len);
	len = fragment(len, 0, true, NULL);
	a = receiver(&p);
	come(a, wire, 4 * 1024, 0);
	come(a, wire, len, 0);
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
	struct alf *a = receiver(&p);
	come(a, wire, 1002, 0);
	flow_expect(a, ADU_COMPLETE);
	alf_free(a);
	memset(wire, 0, sizeof wire); /* nothing, again and again */
	a = receiver(&p);
	come(a, wire, 60000, 0);
	flow_expect_nothing(a);
	ck_assert(a->in.next == 60000 && a->in.begun == 0);
	alf_free(a);
}
END_TEST

/* The end within an ADU is an error wherever it is; between them it is none. */
START_TEST(ends)
{
	const struct kind *k = &kinds[_i];
	const struct alf_profile p = profile_of(k);
	uint64_t all, first;

	lengths[0] = 20;
	first = send_all(k, 1, 1460, 5);
	flow_close(&pair);
	lengths[1] = 30;
	all = send_all(k, 2, 1460, 5);
	for (uint64_t end = 0; end <= all; end++) {
		struct alf *a = receiver(&p);
		come(a, pair.flow[0].bytes, end, 0);
		bool within = k->keeps_boundaries && end != 0 && end != first && end != all;
		ck_assert_int_eq(alf_in_end(a), within ? -EBADMSG : 0);
		ck_assert_int_eq(a->error, within ? EBADMSG : 0);
		alf_free(a);
	}
	flow_close(&pair);
}
END_TEST

/* ---- memory ---- */

/* The peer sends, and nobody takes: memory stays within the credit, and what was released lets more come. */
START_TEST(memory_is_bounded)
{
	const struct kind *k = &kinds[_i / 2];
	struct alf_profile p = profile_of(k);
	unsigned released = 0;
	struct adu_event e;
	uint64_t all;

	p.adu_max = 3000;
	p.credit = _i % 2 ? 7000 : 6600; /* there is none for more of the third ADU; for its first byte */
	for (unsigned i = 0; i < 20; i++)
		lengths[i] = 2800;
	all = send_all(k, 20, 1460, 300);
	struct alf *a = receiver(&p);
	for (uint64_t come_so_far = 0; a->in.next < all; come_so_far += come_so_far < all ? 100 : 0) {
		come(a, pair.flow[0].bytes, come_so_far < all ? come_so_far : all, 0);
		ck_assert_uint_le(a->stats.bytes_held, p.credit);
		ck_assert_uint_le(a->in.begun - a->in.returned, p.credit);
		if (!a->in.full)
			continue;
		ck_assert(alf_event(a, &e) && e.kind == ADU_COMPLETE);
		alf_forget(a, alf_in_find(a, e.id));
		released++;
	}
	ck_assert_uint_ge(released, k->keeps_boundaries ? 15 : 50);
	ck_assert_int_eq(alf_in_end(a), 0);
	alf_free(a);
	flow_close(&pair);
}
END_TEST

/* What a peer says of its fragment takes no memory: what comes does. */
START_TEST(promises_take_no_memory)
{
	struct alf_profile p = { .framer = &alf_record, .adu_max = 1 << 24 };
	struct alf *a = receiver(&p);

	put32(wire, 0x81000000);
	memset(wire + 4, 'x', 5000);
	come(a, wire, 4, 0);
	ck_assert_uint_eq(a->stats.bytes_held, 0);
	come(a, wire, 5, 0);
	ck_assert_uint_le(a->stats.bytes_held, 1024);
	come(a, wire, 5004, 0);
	ck_assert_uint_le(a->stats.bytes_held, 10000);
	alf_free(a);
}
END_TEST

/* ---- the application's places ---- */

static uint8_t placed[ADUS_MAX * LENGTH_MAX];
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
	const struct kind *k = &kinds[_i];
	struct alf_profile p = profile_of(k);
	uint64_t all, first;

	p.hooks.place = place;
	places.answer = 1;
	lengths[0] = lengths[1] = 2000;
	all = send_all(k, 2, 1460, 30);
	first = k->framer == &alf_record ? 2004 : 2002 + (2000 - 1) / 254;
	struct alf *a = receiver(&p);
	for (uint64_t at = 0; at < all; at += 333)
		come(a, pair.flow[0].bytes, at, at - 100);
	come(a, pair.flow[0].bytes, first, 0);
	ck_assert_uint_eq(a->stats.bytes_held_max, 0);
	for (uint64_t at = first; at <= all; at++)
		come(a, pair.flow[0].bytes, at, 0);
	ck_assert_uint_gt(places.asked, 8);
	ck_assert_mem_eq(placed, bytes[1], 2000);
	ck_assert(a->in.begun - a->in.returned == 2 * ADU_COST);
	alf_free(a);

	/* Not wanted: the rest is passed over, and the next one comes. */
	a = receiver(&p);
	places.answer = -ECANCELED;
	come(a, pair.flow[0].bytes, 100, 0);
	ck_assert_int_eq(flow_expect(a, ADU_LOST).error, ECANCELED);
	places.answer = 0;
	come(a, pair.flow[0].bytes, all, 0);
	expect_adu(a, bytes[1], 2000);
	flow_expect_nothing(a);
	ck_assert(a->in.begun == a->in.returned && !a->in.gone);
	alf_free(a);
	flow_close(&pair);
}
END_TEST

/* ---- what may not be ---- */

START_TEST(not_for_streams)
{
	const struct adu_attr name = { .name = "x", .name_len = 1 }, type = { .type = 1 }, soon = { .deadline_ms = 10 };
	struct alf_profile p = profile_of(&kinds[_i]);
	struct alf *a = receiver(&p);
	int64_t id;

	ck_assert_int_eq(flow_send(a, "x", 1, &name), -EINVAL);
	ck_assert_int_eq(flow_send(a, "x", 1, &type), -EINVAL);
	ck_assert_int_eq(adu_expose(a, 1, bytes, 1), -1);

	/* What has begun is finished, late or not; what has not expires. */
	pair.flow[0].len = pair.flow[0].segments = 0;
	memset(bytes[0], 'x', 3000);
	id = flow_send(a, bytes[0], 3000, &soon);
	ck_assert_int_gt(flow_send(a, "x", 1, &soon), 0);
	uint8_t segment[1000];
	ck_assert_uint_gt(a->out.source.fill(a, 0, segment, sizeof segment, NULL), 0);
	alf_tick(a, 20000);
	ck_assert_int_eq(flow_expect(a, ADU_EXPIRED).error, ETIME);
	flow_expect_nothing(a);
	ck_assert(alf_deadline(a) == TCPU_NEVER && alf_wants_out(a));
	ck_assert(adu_cancel(a, id) == -1 && errno == EBUSY);
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
		{ &alf_record, "xdr_aes128_gcm_copy_sum" }, { &alf_record, "cobs_copy_sum" }, { &alf_record, "base64_copy_sum" },
		{ &alf_record, "chacha20_copy_sum" }, { &alf_record, "xdr_copy" }, { &alf_record, "crc32c_copy_sum" },
		{ &alf_cobs, "copy_sum" }, { &alf_cobs, "crc32c_cobs_copy" }, { &alf_plain, "xdr_copy_sum" },
		{ &alf_plain, "cobs_copy_sum" }, { &alf_mpa, "cobs_copy_sum" },
	};
	struct alf_profile p = { .framer = &alf_cobs };

	for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
		p = (struct alf_profile){ .framer = none[i].framer, .chain.plain = ilp_find(none[i].chain) };
		ck_assert_msg(p.chain.plain, "no chain %s", none[i].chain);
		ck_assert_msg(!alf_new(&p) && errno == EINVAL, "%s, %s", p.framer->name, none[i].chain);
	}
	for (int i = 0; i < KINDS; i++) {
		p = (struct alf_profile){ .framer = kinds[i].framer };
		alf_free(receiver(&p));
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
	tcase_add_loop_test(tc, not_for_streams, 0, KINDS);
	suite_add_tcase(suite, tc);
	tc = tcase_create("cuts");
	tcase_add_loop_test(tc, every_cut, 0, 4 * KINDS);
	tcase_add_loop_test(tc, segments_are_full, 0, KINDS);
	property_add(tc, any_cuts, 300);
	suite_add_tcase(suite, tc);
	tc = tcase_create("peers");
	property_add(tc, foreign_fragments, 300);
	tcase_add_test(tc, hostile_records);
	tcase_add_test(tc, hostile_stuffing);
	tcase_add_loop_test(tc, ends, 0, KINDS);
	suite_add_tcase(suite, tc);
	tc = tcase_create("memory");
	tcase_add_loop_test(tc, memory_is_bounded, 0, 2 * KINDS);
	tcase_add_test(tc, promises_take_no_memory);
	tcase_add_loop_test(tc, application_says_where, 0, 4);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

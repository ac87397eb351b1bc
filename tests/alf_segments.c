/* Segments of every size, and a stream that comes cut and wrapped at every byte: with and without markers and CRCs,
 * packed and unpacked, by every family of chains. Frames are taken apart by hand; all bytes are compared. */
#include "alf/bytes.h"
#include "core/cksum.h"
#include "tests/alf_flow.h"
#include "tests/property.h"
#include "tests/run.h"

#include <malloc.h>
#include <string.h>

#define ADUS 7
#define LONGEST 2100
#define SEGMENT_MIN 64 /* a word of 8 bytes, and what stands around it */
#define HEADER 18      /* of DDP */
#define PREFACE 8      /* without a name */

static const size_t lens[ADUS] = { 0, 1, 7, LONGEST, 640, 8, 1205 };
static struct flow_pair pair;
static uint8_t data[ADUS][LONGEST];
static unsigned got;
static struct alf_profile profile;

/* i: a family, and what it is asked for. */
#define HOWS (6 * FLOW_KINDS)
static void choose(int i)
{
	profile = flow_profile((unsigned)i / 6);
	profile.markers = i % 3 == 2;
	profile.crc = i % 3 == 1;
	profile.unpacked = i / 3 % 2;
}

static void send_all(size_t cap, size_t more)
{
	for (unsigned i = 0; i < ADUS; i++) {
		flow_fill(data[i], lens[i] + (i == 3 ? 0 : more), i);
		must(flow_send(pair.end[0], data[i], lens[i] + (i == 3 ? 0 : more), &(struct adu_attr){ .type = (uint8_t)i }) > 0);
	}
	flow_pull(&pair.flow[0], pair.end[0], cap);
}

static void take(struct alf *a, size_t more)
{
	struct adu_event e;

	while (alf_event(a, &e)) {
		const unsigned i = e.attr.type;
		if (e.kind == ADU_OPENED)
			continue;
		must(e.kind == ADU_COMPLETE && i < ADUS && !(got & 1U << i));
		must(e.len == lens[i] + (i == 3 ? 0 : more) && (!e.len || !memcmp(e.data, data[i], e.len)));
		got |= 1U << i;
		alf_forget(a, alf_in_find(a, e.id));
	}
}

/* ---- segments ---- */

/* Bytes of a segment without its markers. */
static size_t content(uint8_t *to, const uint8_t *stream, size_t from, size_t end, uint64_t origin)
{
	size_t n = 0;

	for (size_t at = from; at < end;)
		if (profile.markers && (at - origin) % 512 == 0)
			at += 4;
		else
			to[n++] = stream[at++];
	return n;
}

/* How many frames a segment has, all of which are whole. */
static unsigned frames(const uint8_t *at, size_t n, size_t unit, size_t seal)
{
	unsigned count = 0;

	while (n) {
		const size_t ulpdu = get16(at), all = (2 + ulpdu + 3) / 4 * 4 + 4;
		const bool last = at[2] & 0x40, first = get32(at + 2 + 14) == 0;
		must(ulpdu >= HEADER + seal && all <= n);
		/* No word is cut, but by the ADU's end. */
		must(last || (ulpdu - HEADER - seal - (first ? PREFACE : 0)) % unit == 0);
		at += all;
		n -= all;
		count++;
	}
	return count;
}

/* As it comes: straight from the packet where that can be, else by the ring. */
static void come(struct flow *f, size_t end)
{
	const size_t n = end - f->shown, all = f->len;
	uint16_t sum;

	if (pair.end[1]->in.sink.drain(pair.end[1], f->shown, f->bytes + f->shown, n, &sum) == n) {
		must(sum % 0xffff == tcpu_sum(f->bytes + f->shown, n) % 0xffff);
		pair.end[1]->in.sink.settle(pair.end[1], f->shown, n, true);
		f->shown = end;
		return;
	}
	must(!profile.unpacked);
	f->len = end;
	flow_show(f, pair.end[1]);
	f->len = all;
	must(f->shown == end);
}

START_TEST(every_size)
{
	struct flow *f = &pair.flow[0];
	uint8_t bytes[1460];

	choose(_i);
	for (size_t cap = SEGMENT_MIN; cap <= sizeof bytes; cap++) {
		unsigned from, all = 0;
		uint64_t origin;
		flow_pair_open(&pair, &profile, &profile);
		origin = pair.end[0]->out.origin;
		from = f->segments;
		got = 0;
		send_all(cap, cap % 9);
		for (unsigned i = from; i < f->segments; i++) {
			const size_t begin = f->ends[i - 1], n = content(bytes, f->bytes, begin, f->ends[i], origin);
			const unsigned count = frames(bytes, n, profile.chain.plain->unit, pair.end[0]->seal);
			must(count && (count == 1 || !profile.unpacked));
			all += count;
			come(f, f->ends[i]);
			take(pair.end[1], cap % 9);
		}
		if (got != (1U << ADUS) - 1)
			ck_abort_msg("segments of %zu: of the ADUs %x have come", cap, got);
		must(cap < 300 || (all > f->segments - from) == !profile.unpacked);
		flow_close(&pair);
	}
}
END_TEST

/* Wherever frames end: unpacked, none ends at a marker that can be shorter, and what is over goes with the next one. */
START_TEST(at_a_marker)
{
	struct flow *f = &pair.flow[0];

	profile = flow_profile((unsigned)_i);
	profile.unpacked = true;
	for (size_t before = 0; before < 512; before += 4)
		for (size_t more = 0; more < 80; more++) {
			flow_pair_open(&pair, &profile, &profile);
			flow_fill(data[0], LONGEST, before + more);
			must(flow_send(pair.end[0], data[0], before, NULL) > 0 && flow_send(pair.end[0], data[0], 520 + more, NULL) > 0);
			flow_pull(&pair.flow[0], pair.end[0], 600);
			flow_show(f, pair.end[1]);
			for (int k = 0; k < 2; k++) {
				const struct adu_event e = flow_expect(pair.end[1], ADU_COMPLETE);
				must(e.len == (k ? 520 + more : before) && (!e.len || !memcmp(e.data, data[0], e.len)));
			}
			for (unsigned i = 1; i < f->segments; i++)
				must((f->ends[i] - pair.end[0]->out.origin) % 512 || f->ends[i] - f->ends[i - 1] < 64);
			flow_close(&pair);
		}
}
END_TEST

/* ---- cuts ---- */

/* A responder of its own, which has answered. */
static struct alf *receiver(void)
{
	const struct flow *f = &pair.flow[0];
	const uint8_t *from[2] = { f->bytes, NULL };
	struct alf *a = alf_new(&profile);
	uint8_t reply[1024];
	uint64_t taken[2];

	must(a && a->in.sink.show(a, 0, from, (uint32_t[2]){ (uint32_t)f->ends[0], 0 }, &taken[0], &taken[1]));
	must(a->out.source.fill(a, 0, reply, sizeof reply, &(uint16_t){ 0 }));
	return a;
}

/* All before `end` has come, and of TCP's ring the end is at `wrap`. */
static void ring(struct alf *a, uint64_t end, uint64_t wrap)
{
	const uint64_t from = a->in.next, cut = wrap > from && wrap < end ? wrap : end;
	const uint8_t *const at[2] = { pair.flow[0].bytes + from, pair.flow[0].bytes + cut };
	const uint32_t len[2] = { (uint32_t)(cut - from), (uint32_t)(end - cut) };
	uint64_t taken[2];

	if (from < end)
		a->in.sink.show(a, from, at, len, &taken[0], &taken[1]);
	take(a, 0);
}

START_TEST(every_cut)
{
	const struct flow *f = &pair.flow[0];
	size_t first;

	choose(_i);
	flow_pair_open(&pair, &profile, &profile);
	first = f->len;
	send_all(900, 0);
	for (size_t cut = first; cut < f->len; cut++)
		for (int wraps = 0; wraps < 2; wraps++) {
			struct alf *a = receiver();
			got = 0;
			if (!wraps)
				ring(a, cut, 0);
			ring(a, f->len, wraps ? cut : 0);
			if (got != (1U << ADUS) - 1 || a->in.next != f->len || a->stats.bytes_held)
				ck_abort_msg("%s at %zu: of the ADUs %x have come", wraps ? "wrapped" : "cut", cut, got);
			alf_free(a);
		}
	flow_close(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_segments");
	TCase *tc = tcase_create("segments");

	mallopt(M_TRIM_THRESHOLD, 1 << 26); /* a hundred thousand connections one after the other */
	mallopt(M_MMAP_THRESHOLD, 1 << 26);
	tcase_add_loop_test(tc, every_size, 0, HOWS);
	tcase_add_loop_test(tc, at_a_marker, 0, FLOW_KINDS);
	tcase_add_loop_test(tc, every_cut, 0, HOWS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

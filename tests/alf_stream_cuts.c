/* Streams of ADUs (alf/stream.h) that come in any pieces: each ADU once, as it was sent. */
#include "tests/alf_streams.h"
#include "tests/property.h"
#include "tests/run.h"

#include <string.h>

/* Every cut into two, and the ring's end at every place about it. */
START_TEST(every_cut)
{
	static const size_t some[] = { 3, 1, 28, 4, 255, 0, 253, 254, 56, 508, 2, 12 };
	static const size_t caps[] = { 128, 536, 1460, 65000 };
	const struct stream_kind *k = &stream_kinds[_i / 4];
	const struct alf_profile p = stream_profile(k);
	unsigned adus = 0;
	uint64_t all;

	for (unsigned i = 0; i < sizeof some / sizeof *some; i++)
		if (some[i] || k->keeps_boundaries)
			stream_lengths[adus++] = some[i];
	all = stream_send(k, adus, caps[_i % 4], _i % 2 ? 0 : 100);
	for (uint64_t cut = 0; cut <= all; cut++) {
		struct alf *a = stream_receiver(&p);
		unsigned adu = 0;
		size_t at = 0;
		stream_come(a, stream_pair.flow[0].bytes, cut, cut / 2);
		stream_take(a, k, &adu, &at);
		stream_come(a, stream_pair.flow[0].bytes, all, cut + (all - cut) / 2);
		stream_take(a, k, &adu, &at);
		stream_all_came(a, adus, adu, at);
	}
	flow_close(&stream_pair);
}
END_TEST

/* Many ADUs of any length, segments of any, in any pieces; what was sent is in as many bytes as that needs. */
START_TEST(any_cuts)
{
	struct random dice = random_seed(_i);
	const struct stream_kind *k = &stream_kinds[_i % STREAM_KINDS];
	const struct alf_profile p = stream_profile(k);
	const unsigned adus = 1 + rnd(&dice, STREAM_ADUS);
	struct alf *a = stream_receiver(&p);
	unsigned adu = 0;
	size_t at = 0, data = 0;
	uint64_t all, come_so_far = 0;

	for (unsigned i = 0; i < adus; i++) {
		stream_lengths[i] = rnd(&dice, rnd(&dice, 4) ? 300 : STREAM_LENGTH) + !k->keeps_boundaries;
		data += stream_lengths[i];
	}
	all = stream_send(k, adus, 600 + rnd(&dice, 5000), rnd(&dice, 300));
	if (k->framer == &alf_record)
		must(all == data + 4 * adus);
	while (come_so_far < all) {
		come_so_far += 1 + rnd(&dice, rnd(&dice, 3) ? 20 : 2000);
		come_so_far = come_so_far < all ? come_so_far : all;
		stream_come(a, stream_pair.flow[0].bytes, come_so_far, a->in.next + rnd(&dice, 600));
		stream_take(a, k, &adu, &at);
	}
	stream_all_came(a, adus, adu, at);
	flow_close(&stream_pair);
}
END_TEST

/* Segments are full, but for what COBS does not know to fit. */
START_TEST(segments_are_full)
{
	const struct stream_kind *k = &stream_kinds[_i];

	for (unsigned i = 0; i < 20; i++)
		stream_lengths[i] = 2800;
	stream_send(k, 20, 1000, 0);
	for (unsigned i = 0; i + 21 < stream_pair.flow[0].segments; i++)
		ck_assert_uint_ge(stream_pair.flow[0].ends[i + 1] - stream_pair.flow[0].ends[i], i % 3 == 1 ? 680 : 0);
	ck_assert_uint_le(stream_pair.flow[0].segments, 60);
	flow_close(&stream_pair);
}
END_TEST

static uint8_t wire[1 << 17];

/* Fragments of any length, none as well, cut in any way; with words that they cut. */
START_TEST(foreign_fragments)
{
	struct random dice = random_seed(_i);
	const struct stream_kind *k = &stream_kinds[_i % STREAM_RECORDS];
	const struct alf_profile p = stream_profile(k);
	struct alf *a = stream_receiver(&p);
	const unsigned adus = 1 + rnd(&dice, 8);
	unsigned adu = 0;
	uint8_t *end = wire;
	size_t at = 0;

	for (unsigned i = 0; i < adus; i++)
		stream_lengths[i] = rnd(&dice, 400);
	stream_send(k, adus, 60000, 0);
	for (unsigned i = 0, from = 0; i < adus; from += 4 + (unsigned)stream_lengths[i++])
		for (size_t done = 0, n;; done += n) {
			n = rnd(&dice, rnd(&dice, 2) ? 8 : 200);
			n = n < stream_lengths[i] - done ? n : stream_lengths[i] - done;
			bool last = done + n == stream_lengths[i] && rnd(&dice, 3);
			end = stream_fragment(end, (uint32_t)n, last, stream_pair.flow[0].bytes + from + 4 + done);
			if (last)
				break;
		}
	for (size_t so_far = 0, len = (size_t)(end - wire); so_far < len;) {
		so_far += 1 + rnd(&dice, 30);
		so_far = so_far < len ? so_far : len;
		stream_come(a, wire, so_far, a->in.next + rnd(&dice, 60));
		stream_take(a, k, &adu, &at);
	}
	stream_all_came(a, adus, adu, at);
	flow_close(&stream_pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream_cuts");
	TCase *tc = tcase_create("cuts");

	tcase_add_loop_test(tc, every_cut, 0, 4 * STREAM_KINDS);
	tcase_add_loop_test(tc, segments_are_full, 0, STREAM_KINDS);
	property_add(tc, any_cuts, 300);
	property_add(tc, foreign_fragments, 300);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

#include "tests/alf_streams.h"

#include "alf/bytes.h"
#include "tests/property.h"

#include <errno.h>
#include <string.h>

const struct stream_kind stream_kinds[STREAM_KINDS] = {
	{ &alf_record, "copy_sum", true },
	{ &alf_record, "xdr_copy_sum", true },
	{ &alf_record, "xdr_record_copy_sum", true },
	{ &alf_cobs, "cobs_copy_sum", true },
	{ &alf_plain, "copy_sum", false },
};

struct flow_pair stream_pair;
uint8_t stream_bytes[STREAM_ADUS][STREAM_LENGTH];
size_t stream_lengths[STREAM_ADUS];

struct alf_profile stream_profile(const struct stream_kind *k)
{
	return (struct alf_profile){ .framer = k->framer, .chain.plain = ilp_find(k->chain) };
}

struct alf *stream_receiver(const struct alf_profile *p)
{
	struct alf *a = alf_new(p);

	ck_assert_msg(a, "alf_new: %s", strerror(errno));
	flow_expect(a, ADU_OPENED);
	return a;
}

void stream_come(struct alf *a, const uint8_t *stream, uint64_t end, uint64_t wrap)
{
	const uint64_t from = a->in.next, cut = wrap > from && wrap < end ? wrap : end;
	const uint8_t *const data[2] = { stream + from, stream + cut };
	const uint32_t len[2] = { (uint32_t)(cut - from), (uint32_t)(end - cut) };
	uint64_t taken[2];

	if (from < end)
		a->in.sink.show(a->in.sink.ctx, from, data, len, &taken[0], &taken[1]);
}

uint64_t stream_send(const struct stream_kind *k, unsigned adus, size_t cap, unsigned zeros)
{
	const struct alf_profile p = stream_profile(k);

	flow_pair_open(&stream_pair, &p, &p);
	for (unsigned i = 0; i < adus; i++) {
		flow_fill(stream_bytes[i], stream_lengths[i], i + cap);
		for (size_t at = 0; zeros && at < stream_lengths[i]; at += zeros)
			stream_bytes[i][at] = 0;
		ck_assert_int_gt(flow_send(stream_pair.end[0], stream_bytes[i], stream_lengths[i], NULL), 0);
	}
	flow_pull(&stream_pair.flow[0], stream_pair.end[0], cap);
	ck_assert(stream_pair.end[0]->stats.adus_sent == adus && !stream_pair.end[0]->error);
	return stream_pair.flow[0].len;
}

void stream_take(struct alf *a, const struct stream_kind *k, unsigned *adu, size_t *at)
{
	struct adu_event e;

	while (alf_event(a, &e)) {
		const uint8_t *data = e.data;
		uint64_t left = e.len;
		must(e.kind == ADU_COMPLETE);
		if (k->keeps_boundaries)
			must(e.len == stream_lengths[*adu]);
		do {
			size_t n = stream_lengths[*adu] - *at < left ? stream_lengths[*adu] - *at : (size_t)left;
			must(n == 0 || !memcmp(data, stream_bytes[*adu] + *at, n));
			data += n;
			left -= n;
			*at += n;
			if (*at == stream_lengths[*adu])
				++*adu, *at = 0;
		} while (left);
		alf_forget(a, alf_in_find(a, e.id));
	}
}

void stream_all_came(struct alf *a, unsigned adus, unsigned adu, size_t at)
{
	must(adu == adus && at == 0 && !a->error && a->stats.bytes_held == 0 && a->in.begun == a->in.returned);
	must(alf_in_end(a) == 0);
	alf_free(a);
}

uint8_t *stream_fragment(uint8_t *to, uint32_t len, bool last, const uint8_t *data)
{
	to = put32(to, len | (last ? 0x80000000U : 0));
	if (len)
		memcpy(to, data, len);
	return to + len;
}

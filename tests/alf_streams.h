/* What tests of alf/stream.h share: kinds of streams, a receiver that sees one as TCP shows it, what comes of it. */
#ifndef TESTS_ALF_STREAMS_H
#define TESTS_ALF_STREAMS_H

#include "tests/alf_flow.h"

#define STREAM_ADUS 40
#define STREAM_LENGTH 3000

/* Framers, and what their data go through: record marking first. */
struct stream_kind {
	const struct alf_framer *framer;
	const char *chain;
	bool keeps_boundaries;
};
#define STREAM_KINDS 5
#define STREAM_RECORDS 3
#define STREAM_COBS 3
#define STREAM_PLAIN 4
extern const struct stream_kind stream_kinds[STREAM_KINDS];

extern struct flow_pair stream_pair;
extern uint8_t stream_bytes[STREAM_ADUS][STREAM_LENGTH];
extern size_t stream_lengths[STREAM_ADUS];

struct alf_profile stream_profile(const struct stream_kind *);
struct alf *stream_receiver(const struct alf_profile *);
/* All of the stream before `end` has come, of which TCP's ring holds what was not taken, and ends at `wrap`. */
void stream_come(struct alf *, const uint8_t *stream, uint64_t end, uint64_t wrap);

/* ADUs of stream_lengths, with zeros here and there, in segments of cap bytes, by a new pair. Returns the stream's
 * length. */
uint64_t stream_send(const struct stream_kind *, unsigned adus, size_t cap, unsigned zeros);
/* Takes what is whole of them, from byte *at of the ADU of that number on. */
void stream_take(struct alf *, const struct stream_kind *, unsigned *adu, size_t *at);
/* All have come, and the stream ends. */
void stream_all_came(struct alf *, unsigned adus, unsigned adu, size_t at);
/* Writes a fragment at to; returns its end. */
uint8_t *stream_fragment(uint8_t *to, uint32_t len, bool last, const uint8_t *data);

#endif

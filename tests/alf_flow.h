/* What stands for a sender's TCP in tests of alf/: the bytes that a connection's source writes, laid end to end; and
 * two connections that have opened each other so. */
#ifndef TESTS_ALF_FLOW_H
#define TESTS_ALF_FLOW_H

#include "alf/conn.h"

#define FLOW_MAX (1 << 20)
#define FLOW_SEGMENTS 4096

struct flow {
	uint8_t bytes[FLOW_MAX];
	size_t len, shown;           /* written; of that, shown by flow_show */
	size_t ends[FLOW_SEGMENTS];  /* where segments end */
	unsigned segments;
};

/* All that the source has to say now, in segments of cap bytes at most; sums are checked. Returns how many bytes. */
size_t flow_pull(struct flow *, struct alf *, size_t cap);
/* One segment of it, and not more. */
size_t flow_pull_one(struct flow *, struct alf *, size_t cap);
/* Shows all that is new, in order, to the other end's sink. */
void flow_show(struct flow *, struct alf *);

struct flow_pair {
	struct alf *end[2];  /* the initiator, the responder */
	struct flow flow[2]; /* of each */
};
/* Opens both, as those profiles say; initiator is set. Start-up frames, and each end's first message, have crossed. */
void flow_pair_open(struct flow_pair *, const struct alf_profile *a, const struct alf_profile *b);
/* Both ways until nothing more is to go. */
void flow_cross(struct flow_pair *, size_t cap);
void flow_close(struct flow_pair *);

/* Bytes that tell where they belong. */
void flow_fill(void *dst, size_t len, uint64_t seed);
/* The next event is of that kind, and no other has come. */
struct adu_event flow_expect(struct alf *, enum adu_event_kind);
void flow_expect_nothing(struct alf *);
/* Queues an ADU, whose data is the caller's until it was pulled. */
int64_t flow_send(struct alf *, const void *data, size_t len, const struct adu_attr *);

/* Profiles of tests: all markers and CRC; the family of the i-th kind: copy, xdr_copy, an AEAD with its key, and words
 * of 8 bytes, which markers would cut. */
#define FLOW_KINDS 4
struct alf_profile flow_profile(unsigned kind);

#endif

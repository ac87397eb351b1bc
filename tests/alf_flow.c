#include "tests/alf_flow.h"

#include "core/cksum.h"
#include "tests/property.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_sum(uint16_t a, uint16_t b)
{
	return a == b || (a == 0 && b == 0xffff) || (a == 0xffff && b == 0);
}

size_t flow_pull_one(struct flow *f, struct alf *a, size_t cap)
{
	/* Of its own, so that who writes too much is seen. */
	uint8_t *dst = malloc(cap);
	uint16_t sum;
	size_t n = a->out.source.fill(a->out.source.ctx, f->len, dst, cap, &sum);

	must(n <= cap && f->len + n <= FLOW_MAX);
	if (n && !same_sum(sum, tcpu_sum(dst, n)))
		ck_abort_msg("a segment's sum is %04x, expected %04x", sum, tcpu_sum(dst, n));
	memcpy(f->bytes + f->len, dst, n);
	free(dst);
	if (!n)
		return 0;
	f->len += n;
	must(f->segments < FLOW_SEGMENTS);
	f->ends[f->segments++] = f->len;
	return n;
}

size_t flow_pull(struct flow *f, struct alf *a, size_t cap)
{
	size_t from = f->len;

	while (alf_wants_out(a) && flow_pull_one(f, a, cap))
		continue;
	return f->len - from;
}

void flow_show(struct flow *f, struct alf *a)
{
	const uint8_t *data[2] = { f->bytes + f->shown, NULL };
	uint32_t len[2] = { (uint32_t)(f->len - f->shown), 0 };
	uint64_t begin, end;

	if (!len[0] || !a->in.sink.show(a->in.sink.ctx, f->shown, data, len, &begin, &end))
		return;
	must(begin == f->shown);
	f->shown = end;
}

void flow_cross(struct flow_pair *p, size_t cap)
{
	size_t n;

	do {
		n = 0;
		for (int i = 0; i < 2; i++) {
			n += flow_pull(&p->flow[i], p->end[i], cap);
			flow_show(&p->flow[i], p->end[!i]);
		}
	} while (n);
}

void flow_pair_open(struct flow_pair *p, const struct alf_profile *a, const struct alf_profile *b)
{
	struct alf_profile profile[2] = { *a, *b };
	struct adu_event e;

	for (int i = 0; i < 2; i++) {
		p->flow[i].len = p->flow[i].shown = 0;
		p->flow[i].segments = 0;
		profile[i].initiator = i == 0;
		p->end[i] = alf_new(&profile[i]);
		if (!p->end[i])
			ck_abort_msg("alf_new: %s", strerror(errno));
	}
	flow_cross(p, 1460);
	for (int i = 0; i < 2; i++)
		while (alf_event(p->end[i], &e))
			if (e.kind != ADU_OPENED)
				ck_abort_msg("%s: %s", adu_event_name(e.kind), strerror(e.error));
}

void flow_close(struct flow_pair *p)
{
	alf_free(p->end[0]);
	alf_free(p->end[1]);
}

void flow_fill(void *dst, size_t len, uint64_t seed)
{
	uint8_t *at = dst;

	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(((i + 1) * 0x9e3779b97f4a7c15 + seed * 0xd1342543de82ef95) >> 56);
}

struct adu_event flow_expect(struct alf *a, enum adu_event_kind kind)
{
	struct adu_event e;

	if (!alf_event(a, &e))
		ck_abort_msg("no event, expected %s", adu_event_name(kind));
	if (e.kind != kind)
		ck_abort_msg("event %s (%s), expected %s", adu_event_name(e.kind), strerror(e.error), adu_event_name(kind));
	return e;
}

void flow_expect_nothing(struct alf *a)
{
	struct adu_event e;

	if (alf_event(a, &e))
		ck_abort_msg("event %s (%s), expected none", adu_event_name(e.kind), strerror(e.error));
}

int64_t flow_send(struct alf *a, const void *data, size_t len, const struct adu_attr *attr)
{
	struct adu_out like = { .own = { (void *)data, len }, .total = len, .here = len };

	if (attr)
		like.attr = *attr;
	return alf_queue(a, &like, NULL);
}

struct alf_profile flow_profile(unsigned kind)
{
	static const char *const families[] = { "copy", "xdr_copy", "aes256_gcm_copy", "xdr64_copy" };
	static const uint8_t key[32] = "a key for tests, of 32 bytes...", iv[12] = "twelve bytes";
	struct alf_profile p = { .markers = true, .crc = true };

	must(!alf_family(families[kind], &p.chain));
	p.key = kind == 2 ? key : NULL;
	p.iv = kind == 2 ? iv : NULL;
	return p;
}

/* What a peer sends to framers without frames over holes: the first byte says to which, the second how it is cut.
 * Memory stays within the credit; what comes of it does not depend on the cuts, and, sent again, comes once more. */
#include "alf/conn.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define ADU_MAX 600
#define CREDIT 2400
#define LONGEST 3000
#define ADUS_MAX LONGEST

extern const struct ilp_chain ilp_chain_copy_sum, ilp_chain_xdr_copy_sum, ilp_chain_cobs_copy_sum;
/* In the place of all that there are. */
const struct ilp_chain *const ilp_chains[] = { &ilp_chain_cobs_copy_sum, &ilp_chain_copy_sum, &ilp_chain_xdr_copy_sum,
	NULL };

static const struct {
	const struct alf_framer *framer;
	const struct ilp_chain *chain;
} kinds[] = {
	{ &alf_record, &ilp_chain_copy_sum },
	{ &alf_record, &ilp_chain_xdr_copy_sum },
	{ &alf_cobs, &ilp_chain_cobs_copy_sum },
	{ &alf_plain, &ilp_chain_copy_sum },
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* What has come: ADUs, end to end. */
struct heard {
	uint8_t bytes[LONGEST];
	size_t len, ends[ADUS_MAX];
	unsigned adus;
	int error;
};

static struct alf *open_alf(unsigned kind)
{
	const struct alf_profile p = { .framer = kinds[kind].framer, .chain.plain = kinds[kind].chain,
		.adu_max = ADU_MAX, .credit = CREDIT };
	struct alf *a = alf_new(&p);

	must(a);
	return a;
}

static void take(struct alf *a, struct heard *h)
{
	struct adu_event e;

	while (alf_event(a, &e)) {
		if (e.kind != ADU_COMPLETE)
			continue;
		must(e.len <= ADU_MAX && h->len + e.len <= LONGEST && h->adus < ADUS_MAX);
		if (e.len)
			memcpy(h->bytes + h->len, e.data, e.len);
		h->len += e.len;
		h->ends[h->adus++] = h->len;
		alf_forget(a, alf_in_find(a, e.id));
	}
}

/* From memory that ends where the bytes do; ADUs are taken when they must be. */
static void show(struct alf *a, const uint8_t *data, size_t end, size_t wrap)
{
	size_t from = (size_t)a->in.next, cut = from + wrap < end ? from + wrap : end;
	uint8_t *first = malloc(cut - from + 1), *second = malloc(end - cut + 1);
	const uint8_t *const at[2] = { first + 1, second + 1 };
	const uint32_t len[2] = { (uint32_t)(cut - from), (uint32_t)(end - cut) };
	uint64_t taken[2];

	must(first && second);
	memcpy(first + 1, data + from, cut - from);
	memcpy(second + 1, data + cut, end - cut);
	if (end > from)
		a->in.sink.show(a->in.sink.ctx, from, at, len, &taken[0], &taken[1]);
	free(first);
	free(second);
	must(a->stats.bytes_held <= CREDIT && a->in.begun - a->in.returned <= CREDIT);
}

static void listen_to(unsigned kind, const uint8_t *data, size_t len, size_t step, size_t wrap, struct heard *h)
{
	struct alf *a = open_alf(kind);

	h->len = h->adus = 0;
	for (size_t end = step < len ? step : len; !a->error && a->in.next < len;) {
		uint64_t before = a->in.next;
		show(a, data, end, wrap);
		if (a->in.full)
			take(a, h);
		else if (end == len && a->in.next == before)
			break;
		end = len - end < step ? len : end + step;
	}
	take(a, h);
	must(!a->error || a->error == EBADMSG);
	h->error = a->error;
	if (!h->error && alf_in_end(a) < 0)
		h->error = -1;
	alf_free(a);
}

/* What was heard, said by us, is heard again. */
static void repeat(unsigned kind, const struct heard *h)
{
	static struct heard again;
	static uint8_t wire[8 * LONGEST];
	struct alf *a = open_alf(kind);
	size_t len = 0, n;
	uint16_t sum;

	for (unsigned i = 0; i < h->adus; i++) {
		size_t begin = i ? h->ends[i - 1] : 0;
		struct adu_out adu = { .own = { (void *)(h->bytes + begin), h->ends[i] - begin } };
		adu.total = adu.here = adu.own.iov_len;
		must(alf_queue(a, &adu, NULL) > 0);
	}
	while (alf_wants_out(a)) {
		n = a->out.source.fill(a->out.source.ctx, len, wire + len, 700, &sum);
		must(n && n <= 700);
		len += n;
		must(len <= sizeof wire - 700);
	}
	alf_free(a);
	listen_to(kind, wire, len, len + 1, len + 1, &again);
	must(again.error == 0 && again.len == h->len && !memcmp(again.bytes, h->bytes, h->len));
	if (kinds[kind].framer != &alf_plain)
		must(again.adus == h->adus && !memcmp(again.ends, h->ends, h->adus * sizeof *h->ends));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct heard whole, cut;
	unsigned kind;

	if (len < 2)
		return 0;
	kind = data[0] % KINDS;
	len = len - 2 < LONGEST ? len - 2 : LONGEST;
	listen_to(kind, data + 2, len, len + 1, len + 1, &whole);
	listen_to(kind, data + 2, len, 1 + data[1] % 16, data[1] / 16, &cut);
	must(whole.error == cut.error && whole.len == cut.len && !memcmp(whole.bytes, cut.bytes, whole.len));
	if (kinds[kind].framer != &alf_plain)
		must(whole.adus == cut.adus && !memcmp(whole.ends, cut.ends, whole.adus * sizeof *whole.ends));
	repeat(kind, &whole);
	return 0;
}

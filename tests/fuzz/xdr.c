/* Encodings of XDR: whatever they are, decoding stays within them and within its budget, and leaves nothing behind when
 * it refuses; what it takes is printed, and encoded to the same bytes again. */
#include "ilp/ilp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/xdr/random.h"

#include <errno.h>
#include <string.h>

/* Chains by name are none of this. */
const struct ilp_chain *const ilp_chains[] = { NULL };

extern const struct ilp_xdr_type standard_types[], ledger_types[];

static const struct ilp_xdr_type *type(uint32_t n)
{
	const struct ilp_xdr_type *t = n & 1 ? standard_types : ledger_types, *first = t;

	for (n >>= 1; n > 0; n--)
		t = t[1].name ? t + 1 : first;
	return t;
}

static void encode_again(const struct ilp_xdr_type *t, const void *v, const uint8_t *bytes, size_t n, bool same)
{
	uint8_t *again = malloc(n + !n);
	struct ilp_xdr_out out = ilp_xdr_out(again, n);

	must(t->wire_size(v) == n);
	must(t->encode(v, &out) == 0 && out.at == out.end);
	must(!same || memcmp(again, bytes, n) == 0);
	out = ilp_xdr_out(again, n - 1);
	must(t->encode(v, &out) == -EMSGSIZE && out.at == again);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static FILE *null;
	struct input choices = { data, data + len };
	const struct ilp_xdr_type *t = type(take8(&choices));
	const uint32_t flags = take8(&choices);
	const size_t n = (size_t)(choices.end - choices.at);
	uint8_t *bytes = malloc(n + !n), *v = malloc(t->size); /* as large as they are */

	if (!null)
		null = fopen("/dev/null", "w");
	must(bytes && v && null);
	memcpy(bytes, choices.at, n);
	struct ilp_xdr_in in = ilp_xdr_in(bytes, n);
	in.lax_padding = flags & 1;
	in.budget = flags & 2 ? 1000 : 1 << 20;
	in.depth = flags & 4 ? 3 : ILP_XDR_DEPTH;
	const size_t budget = in.budget;
	memset(v, 0x55, t->size);
	const int e = t->decode(v, &in);
	must(e == 0 || e == -EBADMSG || e == -EMSGSIZE);
	must(in.budget <= budget && in.at >= bytes && in.at <= in.end);
	if (e == 0) {
		must(t->print(v, null) == 0);
		encode_again(t, v, bytes, (size_t)(in.at - bytes), !in.lax_padding);
		t->free(v);
	} else {
		must(in.at == bytes && in.budget == budget);
	}
	for (size_t i = 0; i < t->size; i++)
		must(v[i] == 0);
	free(bytes);
	free(v);
	return 0;
}

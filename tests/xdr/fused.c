/* Stages of an XDR file's arrays, fused with the Internet checksum: the bytes of T_encode, and their sum; and back, as
 * T_decode has them. The chains are made by tests/xdr.sh: whole of xdr_w2_h1_w2, gaps of xdr_w1_o1_a1_h1, which has
 * padding, each with copy and inet_checksum; tests/xdr/standard.x has the types. */
#include "ilp/ilp.h"
#include "standard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct ilp_chain ilp_chain_whole, ilp_chain_gaps;
/* Chains by name are none of this. */
const struct ilp_chain *const ilp_chains[] = { NULL };

static uint8_t encoded[1 << 16], sent[1 << 16], back[1 << 16];
static unsigned long failures;

/* RFC 1071 (1), a word after the other. */
static unsigned sum(const uint8_t *at, size_t n)
{
	unsigned long s = 0;

	for (size_t i = 0; i < n; i += 2)
		s += (unsigned long)at[i] << 8 | at[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (unsigned)s;
}

/* What the chain makes of size bytes in memory is what was encoded, and it makes zeros of these where it takes it back:
 * of every `every` bytes those at `at`, three of them. */
static void one(const struct ilp_chain *c, const void *mem, size_t size, const uint8_t *wire, size_t every, size_t at)
{
	const uint8_t *const memory = mem;
	struct ilp_any state;

	c->begin(&state);
	ilp_pick(c, ILP_SEND, ILP_FUSED)(&state, sent, memory, size, NULL);
	const uint16_t out = c->sum(&state);
	c->begin(&state);
	ilp_pick(c, ILP_RECV, ILP_FUSED)(&state, back, sent, size, NULL);
	const uint16_t in = c->sum(&state);
	const unsigned want = sum(wire, size);
	const uint8_t bytes[2] = { (uint8_t)(want >> 8), (uint8_t)want };
	bool same = memcmp(sent, wire, size) == 0 && memcmp(&out, bytes, 2) == 0 && in == out;

	for (size_t i = 0; i < size; i++)
		same = same && back[i] == (every && i % every - at < 3 ? 0 : memory[i]);
	failures += !same;
}

int main(void)
{
	static five all[300];
	static padded some[300];

	for (size_t i = 0; i < sizeof all; i++)
		((uint8_t *)all)[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(some, all, sizeof some);
	for (uint32_t n = 1; n <= 300; n++) {
		const fives v = { n, all };
		const paddeds p = { .more = { n, some } };
		struct ilp_xdr_out out = ilp_xdr_out(encoded, sizeof encoded);

		if (fives_encode(&v, &out) != 0)
			abort();
		one(&ilp_chain_whole, all, n * sizeof *all, encoded + 4, 0, 0);
		out = ilp_xdr_out(encoded, sizeof encoded);
		if (paddeds_encode(&p, &out) != 0)
			abort();
		one(&ilp_chain_gaps, some, n * sizeof *some, encoded + 40 * sizeof *some + 4, sizeof *some, 9);
	}
	printf("100%%: Checks: 600, Failures: %lu, Errors: 0\n", failures);
	return failures != 0;
}

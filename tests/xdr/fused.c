/* The stage of an XDR file's array, fused with the Internet checksum: the bytes of T_encode, and their sum. The chain
 * is made by tests/xdr.sh, fused.lua, of xdr_w2_h1_w2, copy, inet_checksum; tests/xdr/standard.x has the type. */
#include "ilp/ilp.h"
#include "standard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct ilp_chain ilp_chain_fused;
/* Chains by name are none of this. */
const struct ilp_chain *const ilp_chains[] = { NULL };

static uint8_t encoded[1 << 16], sent[1 << 16];

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

int main(void)
{
	static five all[300];
	unsigned long failures = 0;
	const struct ilp_chain *c = &ilp_chain_fused;

	for (size_t i = 0; i < sizeof all; i++)
		((uint8_t *)all)[i] = (uint8_t)(i * 7 + i / 256);
	for (uint32_t n = 1; n <= 300; n++) {
		const fives v = { n, all };
		struct xdr_out out = xdr_out(encoded, sizeof encoded);
		struct ilp_any state;
		const size_t size = n * sizeof *all;

		if (fives_encode(&v, &out) != 0)
			abort();
		c->begin(&state);
		ilp_pick(c, ILP_SEND, ILP_FUSED)(&state, sent, (const uint8_t *)all, size, NULL);
		const uint16_t got = c->sum(&state);
		const unsigned want = sum(encoded + 4, size);
		const uint8_t wire[2] = { (uint8_t)(want >> 8), (uint8_t)want };
		failures += memcmp(sent, encoded + 4, size) != 0 || memcmp(&got, wire, 2) != 0;
	}
	printf("100%%: Checks: 300, Failures: %lu, Errors: 0\n", failures);
	return failures != 0;
}

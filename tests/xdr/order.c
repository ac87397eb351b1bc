/* Encodings that one machine writes and another reads, which may have the other order of bytes: what both print of the
 * values is the same, and so is what the reader encodes again. tests/xdr/cross.sh compares.
 *	order write|read ENCODINGS PRINTED */
#include "ilp/ilp.h"
#include "tests/xdr/random.h"

#include <stdio.h>

/* Chains by name are none of this. */
const struct ilp_chain *const ilp_chains[] = { NULL };

extern const struct ilp_xdr_type standard_types[], ledger_types[];

#define LARGEST ((size_t)1 << 20)
static uint8_t bytes[LARGEST], again[LARGEST];
static unsigned long values, failures;

static void write_one(const struct ilp_xdr_type *t, void *v, unsigned seed, FILE *f)
{
	struct random r = { .state = seed, .left = ILP_XDR_RANDOM_FEW };
	struct ilp_xdr_out out = ilp_xdr_out(bytes, LARGEST);

	t->fill(v, &r);
	if (t->encode(v, &out) != 0)
		abort();
	const size_t n = (size_t)(out.at - bytes);
	fprintf(f, "%zu\n", n);
	fwrite(bytes, 1, n, f);
}

static bool read_one(const struct ilp_xdr_type *t, void *v, FILE *f)
{
	size_t n;

	if (fscanf(f, "%zu", &n) != 1 || fgetc(f) != '\n' || n > LARGEST || fread(bytes, 1, n, f) != n)
		abort();
	struct ilp_xdr_in in = ilp_xdr_in(bytes, n);
	struct ilp_xdr_out out = ilp_xdr_out(again, LARGEST);
	return t->decode(v, &in) == 0 && in.at == in.end && t->encode(v, &out) == 0 && (size_t)(out.at - again) == n &&
		memcmp(bytes, again, n) == 0;
}

int main(int argc, char **argv)
{
	const struct ilp_xdr_type *const tables[] = { standard_types, ledger_types };
	const bool writes = argc == 4 && strcmp(argv[1], "write") == 0;
	FILE *f = argc == 4 ? fopen(argv[2], writes ? "wb" : "rb") : NULL, *printed = f ? fopen(argv[3], "w") : NULL;

	if (!printed) {
		fputs("usage: order write|read ENCODINGS PRINTED\n", stderr);
		return 2;
	}
	for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
		for (const struct ilp_xdr_type *t = tables[k]; t->name; t++) {
			for (unsigned seed = 1; seed <= 100; seed++) {
				void *v = calloc(1, t->size);

				if (!v)
					abort();
				if (writes)
					write_one(t, v, seed, f);
				else if (!read_one(t, v, f))
					failures++;
				t->print(v, printed);
				t->free(v);
				free(v);
				values++;
			}
		}
	}
	fclose(f);
	fclose(printed);
	printf("100%%: Checks: %lu, Failures: %lu, Errors: 0\n", values, failures);
	return failures != 0;
}

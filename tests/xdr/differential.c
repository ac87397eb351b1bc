/* Our C of an XDR file against rpcgen's with libtirpc: random values are encoded by both, each decodes what the other
 * encoded, and all encodings are the same. Besides: what comes back is what went; what is cut off is refused, and of
 * damaged encodings those that are taken are what would be encoded again.
 *	differential [VALUES [SEED]]
 * tests/xdr.sh compiles it for each file, with OURS and THEIRS as the tables of types. */
#include "tests/xdr/memory.h"
#include "tests/xdr/random.h"
#include "tests/xdr/theirs.h"

#include <errno.h>
#include <stdio.h>

extern const struct ilp_xdr_type OURS[];
#ifdef THEIRS
extern const struct their_type THEIRS[];
#endif

#define LARGEST ((size_t)16 << 20)
static uint8_t first[LARGEST], second[LARGEST], third[LARGEST];

static struct {
	unsigned long values, failures, types;
	size_t bytes;
	unsigned long damaged, taken; /* encodings */
} sum;

static void fail(const struct ilp_xdr_type *t, uint64_t seed, const char *what)
{
	if (sum.failures++ < 20)
		printf("%s, value of seed %llu: %s\n", t->name, (unsigned long long)seed, what);
}

/* What theirs makes of an encoding: its own to second. 0; -1: it does not take it. */
static int through_theirs(const struct their_type *theirs, size_t n)
{
	XDR x;
	void *v = calloc(1, theirs->size);
	int e = -1;

	if (!v)
		abort();
	xdrmem_create(&x, (char *)first, (unsigned)n, XDR_DECODE);
	if (theirs->proc(&x, v) && xdr_getpos(&x) == n) {
		xdrmem_create(&x, (char *)second, LARGEST, XDR_ENCODE);
		e = theirs->proc(&x, v) && xdr_getpos(&x) == n ? 0 : -1;
	}
	xdr_free((xdrproc_t)theirs->proc, v);
	free(v);
	return e;
}

/* Decodes n bytes of `from`, and encodes what that was, to third. *used: how many were taken. 0; what decode refused it
 * with; 1: what came of it is not as it should be. */
static int decode_encode(const struct ilp_xdr_type *t, void *v, const uint8_t *from, size_t n, size_t *used)
{
	struct ilp_xdr_in in = ilp_xdr_in(from, n);
	struct ilp_xdr_out out = ilp_xdr_out(third, LARGEST);
	int e = t->decode(v, &in);

	if (e) {
		for (size_t i = 0; i < t->size; i++)
			if (((uint8_t *)v)[i])
				return 1; /* not zeros */
		return in.at == from && in.budget == ILP_XDR_BUDGET ? e : 1;
	}
	*used = (size_t)(in.at - from);
	e = t->encode(v, &out);
	t->free(v);
	return e || (size_t)(out.at - third) != *used || memcmp(from, third, *used) != 0 ? 1 : 0;
}

/* The same, and no memory stays in use. */
static int again(const struct ilp_xdr_type *t, void *v, const uint8_t *from, size_t n, size_t *used)
{
	const long before = in_use;
	const int e = decode_encode(t, v, from, n, used);

	return in_use == before ? e : 1;
}

/* Cut somewhere, and with some bytes changed. */
static void damage(const struct ilp_xdr_type *t, void *v, size_t n, uint64_t seed, struct random *r)
{
	size_t used;

	if (again(t, v, first, ilp_xdr_random_below(r, (uint32_t)n), &used) != -EBADMSG)
		fail(t, seed, "cut off, and not refused");
	memcpy(second, first, n);
	for (unsigned k = ilp_xdr_random_below(r, 3); k < 3; k++)
		second[ilp_xdr_random_below(r, (uint32_t)n)] =
			(uint8_t)(ilp_xdr_random_below(r, 2) ? ilp_xdr_random_word(r) : ilp_xdr_random_below(r, 3));
	const int e = again(t, v, second, n, &used);
	sum.damaged++;
	sum.taken += e == 0;
	if (e == 1)
		fail(t, seed, "damaged, taken, and not the same when encoded again; or left something behind");
	else if (e && e != -EBADMSG && e != -EMSGSIZE)
		fail(t, seed, "damaged, and refused for another reason");
}

/* What is printed of a value; free() takes it back. */
static char *printed(const struct ilp_xdr_type *t, const void *v)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
	t->print(v, f);
	fclose(f);
	return text;
}

/* Encoding may be as wrong as decoding: what comes back is what went, as that is printed. */
static bool comes_back(const struct ilp_xdr_type *t, void *v, size_t n, const char *want)
{
	struct ilp_xdr_in in = ilp_xdr_in(first, n);
	char *got = t->decode(v, &in) == 0 ? printed(t, v) : NULL;
	const bool same = got && strcmp(got, want) == 0;

	t->free(v);
	__real_free(got);
	return same;
}

/* Whether a value of that seed may have long lists: more of the first ones, since they take long. */
static bool is_large(uint64_t seed)
{
	return seed % (seed < 64 ? 4 : 4096) == 0;
}

static void value(const struct ilp_xdr_type *t, const struct their_type *theirs, void *v, uint64_t seed)
{
	struct random r = { .state = seed, .left = is_large(seed) ? ILP_XDR_RANDOM_MANY : ILP_XDR_RANDOM_FEW };
	struct ilp_xdr_out out = ilp_xdr_out(first, LARGEST);
	size_t used = 0;

	memset(v, 0, t->size);
	t->fill(v, &r);
	const size_t n = t->wire_size(v);
	const int e = t->encode(v, &out);
	char *text = seed < 64 || is_large(seed) ? printed(t, v) : NULL;
	t->free(v);
	sum.values++;
	if (!e && text && !comes_back(t, v, n, text))
		fail(t, seed, "what comes back is another value");
	__real_free(text);
	if (e || (size_t)(out.at - first) != n) {
		fail(t, seed, e ? "not encoded" : "wire_size is not what was written");
		return;
	}
	sum.bytes += n;
	memcpy(second, first, n);
	if (theirs && through_theirs(theirs, n) != 0)
		fail(t, seed, "libtirpc refuses it");
	else if (memcmp(first, second, n) != 0)
		fail(t, seed, "libtirpc encodes it otherwise");
	else if (again(t, v, second, n, &used) != 0 || used != n)
		fail(t, seed, "not decoded to the same");
	damage(t, v, n, seed, &r);
}

static const struct their_type *find(const char *name)
{
#ifdef THEIRS
	for (const struct their_type *t = THEIRS; t->name; t++)
		if (strcmp(t->name, name) == 0)
			return t;
#else
	(void)name;
#endif
	return NULL;
}

int main(int argc, char **argv)
{
	const unsigned long values = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
	const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	FILE *null = fopen("/dev/null", "w");
	unsigned long compared = 0;

	for (const struct ilp_xdr_type *t = OURS; t->name; t++) {
		const struct their_type *theirs = find(t->name);
		void *v = malloc(t->size);

		if (!v || !null)
			abort();
		for (unsigned long i = 0; i < values; i++)
			value(t, theirs, v, seed + i);
		struct random r = { .state = seed, .left = ILP_XDR_RANDOM_FEW };
		memset(v, 0, t->size);
		t->fill(v, &r);
		if (t->print(v, null) != 0)
			fail(t, seed, "not printed");
		t->free(v);
		free(v);
		sum.types++;
		compared += theirs != NULL;
	}
	fclose(null);
	printf("%lu types, %lu of them compared with libtirpc, %lu values, %zu bytes; %lu of %lu damaged ones taken\n",
		sum.types, compared, sum.values, sum.bytes, sum.taken, sum.damaged);
	printf("100%%: Checks: %lu, Failures: %lu, Errors: 0\n", sum.values, sum.failures);
	return sum.failures != 0;
}

/* What the C of `tcpu xdr` is written in; for it alone. Encoding: a value is measured and checked first
 * (ilp_xdr_measure), then put where there is room for it. `at` is always a place in a buffer, or in memory that looks
 * like one. */
#ifndef ILP_XDR_CODE_H
#define ILP_XDR_CODE_H

#include "ilp/xdr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Order of bytes -------------------------------------------------------------------------------------------------- */

/* From memory to the wire and back: the same permutation. Places may not overlap. */
static inline void ilp_xdr_w(uint8_t *to, const uint8_t *from)
{
	uint32_t w;

	memcpy(&w, from, 4);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	w = __builtin_bswap32(w);
#endif
	memcpy(to, &w, 4);
}
static inline void ilp_xdr_h(uint8_t *to, const uint8_t *from)
{
	uint64_t h;

	memcpy(&h, from, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	h = __builtin_bswap64(h);
#endif
	memcpy(to, &h, 8);
}
static inline void ilp_xdr_q(uint8_t *to, const uint8_t *from)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	ilp_xdr_h(to, from + 8);
	ilp_xdr_h(to + 8, from);
#else
	memcpy(to, from, 16);
#endif
}
static inline void ilp_xdr_o(uint8_t *to, const uint8_t *from)
{
	memcpy(to, from, 4);
}

/* Loops of the generator's that only move bytes, and on the way out make zeros of padding. */
struct ilp_chain;
struct ilp_xdr_loop {
	const struct ilp_chain *chain;
	void *picked[2]; /* its loops for this CPU, in and out, once they were looked for */
};
/* Bytes from which on a call of one is faster than doing without; run.lua has the same. */
#define ILP_XDR_LONG 64
/* Runs it over n bytes, whole units of its; out: of memory, or from the wire. */
void ilp_xdr_run(struct ilp_xdr_loop *, bool out, uint8_t *to, const uint8_t *from, size_t n);
/* n of them, by loops of ilp/chains/xdr_copy.lua, xdr64_copy.lua. */
void ilp_xdr_words(uint8_t *to, const uint8_t *from, size_t n);
void ilp_xdr_hypers(uint8_t *to, const uint8_t *from, size_t n);
static inline void ilp_xdr_opaques(uint8_t *to, const uint8_t *from, size_t n)
{
	if (n > 0)
		memcpy(to, from, 4 * n);
}

static inline size_t ilp_xdr_padding(size_t n)
{
	return -n & 3;
}

/* Words in memory that may hold some values only. */
static inline int32_t ilp_xdr_int_at(const void *at)
{
	int32_t n;

	memcpy(&n, at, 4);
	return n;
}
static inline bool ilp_xdr_within(const void *at, int32_t low, int32_t high)
{
	const int32_t n = ilp_xdr_int_at(at);

	return low <= n && n <= high;
}

/* A member of *v: what follows it is the struct's, too. */
#define ILP_XDR_FROM(v, type, member) ((const uint8_t *)(v) + offsetof(type, member))
#define ILP_XDR_TO(v, type, member) ((uint8_t *)(v) + offsetof(type, member))

/* Measuring ------------------------------------------------------------------------------------------------------- */

struct ilp_xdr_measure {
	size_t bytes, most; /* most: that there is room for */
	unsigned depth;
};

static inline int ilp_xdr_grow(struct ilp_xdr_measure *m, size_t n)
{
	return n > m->most - m->bytes ? -EMSGSIZE : (m->bytes += n, 0);
}
/* len elements of unit bytes, of at most max. */
static inline int ilp_xdr_grow_list(struct ilp_xdr_measure *m, uint32_t len, uint32_t max, size_t unit, const void *val)
{
	size_t n;

	if (len > max || __builtin_mul_overflow((size_t)len, unit, &n))
		return -EMSGSIZE;
	if (len > 0 && !val)
		return -EBADMSG;
	return ilp_xdr_grow(m, n);
}
static inline int ilp_xdr_grow_bytes(struct ilp_xdr_measure *m, uint32_t len, uint32_t max, const void *val)
{
	const int e = ilp_xdr_grow_list(m, len, max, 1, val);

	return e ? e : ilp_xdr_grow(m, ilp_xdr_padding(len));
}

/* Putting --------------------------------------------------------------------------------------------------------- */

static inline uint8_t *ilp_xdr_put(uint8_t *at, uint32_t n)
{
	ilp_xdr_w(at, (const uint8_t *)&n);
	return at + 4;
}
static inline uint8_t *ilp_xdr_put_bytes(uint8_t *at, uint32_t len, const void *val)
{
	at = ilp_xdr_put(at, len);
	if (len > 0)
		memcpy(at, val, len);
	memset(at + len, 0, ilp_xdr_padding(len));
	return at + len + ilp_xdr_padding(len);
}

/* Getting --------------------------------------------------------------------------------------------------------- */

static inline size_t ilp_xdr_left(const struct ilp_xdr_in *in)
{
	return (size_t)(in->end - in->at);
}
static inline int ilp_xdr_get(struct ilp_xdr_in *in, uint32_t *n)
{
	if (ilp_xdr_left(in) < 4)
		return -EBADMSG;
	ilp_xdr_w((uint8_t *)n, in->at);
	in->at += 4;
	return 0;
}
static inline int ilp_xdr_get_bool(struct ilp_xdr_in *in, uint32_t *b)
{
	const int e = ilp_xdr_get(in, b);

	return e ? e : *b > 1 ? -EBADMSG : 0;
}
/* A length of at most max elements, each of min bytes or more, which are there. */
static inline int ilp_xdr_get_len(struct ilp_xdr_in *in, uint32_t max, size_t min, uint32_t *len)
{
	const int e = ilp_xdr_get(in, len);

	return e ? e : *len > max ? -EMSGSIZE : *len > ilp_xdr_left(in) / min ? -EBADMSG : 0;
}
/* Bytes of padding in memory as they came: as they must be, or made so. */
static inline bool ilp_xdr_padded(const struct ilp_xdr_in *in, uint8_t *at, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= at[i];
	if (any && in->lax_padding)
		memset(at, 0, n);
	return !any || in->lax_padding;
}
/* n > 0 elements of the budget, zeroed or not; NULL: *e says why. */
void *ilp_xdr_new(struct ilp_xdr_in *in, uint32_t n, size_t size, int *e);
void *ilp_xdr_new_raw(struct ilp_xdr_in *in, uint32_t n, size_t size, int *e);
int ilp_xdr_get_bytes(struct ilp_xdr_in *in, uint32_t max, struct ilp_xdr_bytes *);
int ilp_xdr_get_string(struct ilp_xdr_in *in, uint32_t max, struct ilp_xdr_string *);

/* Printing -------------------------------------------------------------------------------------------------------- */

struct ilp_xdr_printer {
	FILE *to;
	unsigned indent; /* of two blanks each */
};
/* A line `name: value`. */
void ilp_xdr_print_value(const struct ilp_xdr_printer *, const char *name, const char *value);
void ilp_xdr_print_int(const struct ilp_xdr_printer *, const char *name, int64_t);
void ilp_xdr_print_uint(const struct ilp_xdr_printer *, const char *name, uint64_t);
void ilp_xdr_print_double(const struct ilp_xdr_printer *, const char *name, double);
void ilp_xdr_print_quadruple(const struct ilp_xdr_printer *, const char *name, const ilp_xdr_quadruple_t *);
void ilp_xdr_print_bytes(const struct ilp_xdr_printer *, const char *name, const uint8_t *val, size_t len);
void ilp_xdr_print_string(const struct ilp_xdr_printer *, const char *name, const struct ilp_xdr_string *);
/* The line before what belongs to name, which stands further in; count: of elements, or negative. */
void ilp_xdr_print_open(struct ilp_xdr_printer *, const char *name, int64_t count);

#endif

/* What tests of XDR at run time share. As memory.h, for the one file of a program that has main. */
#ifndef TESTS_XDR_CHECK_H
#define TESTS_XDR_CHECK_H

#include "ilp/xdr.h"
#include "tests/run.h"
#include "tests/xdr/memory.h"
#include "tests/xdr/random.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint8_t buffer[1 << 16];

/* "00 01 ff": bytes to `to`; how many. */
static inline size_t hex(const char *text, uint8_t *to)
{
	size_t n = 0;
	unsigned byte;

	for (int used; sscanf(text, " %2x%n", &byte, &used) == 1; text += used)
		to[n++] = (uint8_t)byte;
	return n;
}

static inline void check_zeros(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(((const uint8_t *)p)[i], 0);
}

extern const struct ilp_xdr_type standard_types[];

static inline const struct ilp_xdr_type *type(const char *name)
{
	const struct ilp_xdr_type *t = standard_types;

	while (t->name && strcmp(t->name, name) != 0)
		t++;
	ck_assert_msg(t->name != NULL, "no type %s", name);
	return t;
}

/* Decoding these bytes gives that error, and leaves nothing behind. */
static inline void refused_bytes(const struct ilp_xdr_type *t, const uint8_t *bytes, size_t n, int error)
{
	struct ilp_xdr_in in = ilp_xdr_in(bytes, n);
	static uint8_t back[4096];

	ck_assert_uint_le(t->size, sizeof back);
	memset(back, 0x55, sizeof back);
	const long before = in_use;
	const int e = t->decode(back, &in);
	const long after = in_use;
	ck_assert_int_eq(e, error);
	ck_assert_ptr_eq(in.at, bytes);
	ck_assert_uint_eq(in.budget, ILP_XDR_BUDGET);
	check_zeros(back, t->size);
	ck_assert_int_eq(before, after);
}

static inline void check_refused(const char *name, const char *text, int error)
{
	uint8_t bytes[1024];

	refused_bytes(type(name), bytes, hex(text, bytes), error);
}

#endif

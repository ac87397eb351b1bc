/* Random values of XDR types: what the C of `tcpu xdr --random` is written in, and the table that it ends with. */
#ifndef TESTS_XDR_RANDOM_H
#define TESTS_XDR_RANDOM_H

#include "ilp/xdr.h"

#include <stdlib.h>
#include <string.h>

struct random {
	uint64_t state;
	unsigned left; /* elements that a value may still get */
	unsigned deep; /* in how many types that contain themselves */
};

static inline uint32_t ilp_xdr_random_word(struct random *r)
{
	/* splitmix64 */
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(z >> 32);
}

static inline uint32_t ilp_xdr_random_below(struct random *r, uint32_t n)
{
	return ilp_xdr_random_word(r) % n;
}

static inline void ilp_xdr_random_bytes(struct random *r, void *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)ilp_xdr_random_word(r);
}

/* For strings: no 0, which ends one for libtirpc. */
static inline void ilp_xdr_random_letters(struct random *r, void *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)(1 + ilp_xdr_random_below(r, 255));
}

/* Elements of a value, mostly; and of one that has lists as long as many vectors are. */
#define ILP_XDR_RANDOM_FEW 60
#define ILP_XDR_RANDOM_MANY 4000
#define ILP_XDR_RANDOM_DEEP 20

/* A length of at most max: mostly short, and no more than what is left; 0 where it is as deep as it may get. */
static inline uint32_t ilp_xdr_random_len(struct random *r, uint32_t max)
{
	const bool many = r->left > ILP_XDR_RANDOM_FEW && ilp_xdr_random_below(r, 3) > 0;
	uint32_t n = ilp_xdr_random_below(r, many ? r->left : ilp_xdr_random_below(r, 8) ? 5 : 40);

	n = n > max ? max : n;
	n = n > r->left ? r->left : n;
	n = r->deep < ILP_XDR_RANDOM_DEEP ? n : 0;
	r->left -= n;
	return n;
}

static inline bool ilp_xdr_random_more(struct random *r)
{
	return r->deep < ILP_XDR_RANDOM_DEEP && ilp_xdr_random_len(r, 1);
}

static inline void *ilp_xdr_random_new(uint32_t n, size_t size)
{
	void *p = n ? calloc(n, size) : NULL;

	if (n && !p)
		abort();
	return p;
}

struct ilp_xdr_type {
	const char *name;
	size_t size;
	void (*fill)(void *, struct random *); /* zeros */
	int (*encode)(const void *, struct ilp_xdr_out *);
	int (*decode)(void *, struct ilp_xdr_in *);
	size_t (*wire_size)(const void *);
	void (*free)(void *);
	int (*print)(const void *, FILE *);
};

#endif

/* XDR (RFC 4506) at run time: where encodings go and come from, limits, and the types that the C of `tcpu xdr FILE.x`
 * is made of. For each type T of the file it has
 *
 *	int T_encode(const T *, struct ilp_xdr_out *);      one value more, at out->at
 *	int T_decode(T *, struct ilp_xdr_in *);             one value, from in->at; T_free gives it back
 *	size_t T_wire_size(const T *);                  bytes of its encoding; SIZE_MAX: it has none
 *	void T_free(T *);                               frees what it points to, and leaves zeros
 *	int T_print(const T *, FILE *);                 a line for each field; 0, or -EIO
 *
 * What encode and decode return: 0, or
 *	-EBADMSG   what came is no encoding of a T: it is cut off, or a bool is neither 0 nor 1, an enum's value or a
 *	           discriminant is none that the file lists (RFC 4506 (4.3), (4.15)), a length is more than there are bytes
 *	           left, padding is not zero. Or the value that was to be encoded is none of T's, as where a list of some
 *	           length points to NULL
 *	-EMSGSIZE  a limit: the encoding does not fit in what is left of the buffer; a length is above the one that the file
 *	           gives, the value is deeper than depth, or decoding it would take more than budget
 *	-ENOMEM    malloc gave none
 * and then out->at or *in is as it was; decode has freed everything, and *T is zeros.
 *
 * How types look in C:
 *	int, unsigned int, enum    int32_t, uint32_t, enum T: 4 bytes
 *	hyper, double, quadruple   the types below: 8 or 16 bytes, aligned to 4, so that what has a fixed size is, byte for
 *	                           byte, as long in memory as on the wire, and only turned round
 *	bool                       ilp_xdr_bool_t: 0 or 1, 4 bytes
 *	char, short                int32_t or uint32_t, as they are on the wire; other values than a char's are refused
 *	opaque a[n]                uint8_t a[n], and a_pad behind it up to a multiple of 4: whatever it holds, zeros are sent
 *	opaque a<>, string a<>     struct ilp_xdr_bytes, struct ilp_xdr_string
 *	T a[n], T a<>, T *a        T a[n]; struct { uint32_t len; T *val; } a; T *a, NULL where there is none
 *	typedef T a[n], T a<>      a struct of that name: with the array as `at`, or with len and val
 *	union                      struct T { its discriminant; union { the arms } u; }; an arm opaque a[n] that has padding
 *	                           is a struct with at and at_pad
 * Names here begin with ilp_xdr_ and ILP_XDR_, so that a program may have libtirpc and its xdr_ as well. Those of types
 * are those of the file, behind --prefix and, joined by _, namespaces; _ is put behind one that C, its library or
 * the C of T_encode has for itself. What is declared within a struct or union is called after it: T_a. Of a procedure
 * that has another number in a later version of its program, that one is VERSION_NAME.
 *
 * Lists that are made of optional structs, each of which ends with the next one (RFC 4506 (4.19)), are walked in a
 * loop, so may be as long as memory allows; other types that contain themselves may be as deep as depth says, and
 * T_free and T_print go as deep as the value is.
 *
 * Arrays of numbers, and of structs of a fixed size, go by loops of the generator's (ilp/run.h). Those of structs are
 * written beside NAME.c, with their stages and chains: a chain of yours may fuse such a stage with others, for the len
 * structs that val points to. A stage turns bytes round, sends zeros for padding whatever memory has there, and no
 * more: that a bool is 0 or 1, an enum's value is listed, a char or short is in its range and padding that came is
 * zero, T_encode and T_decode look at, a stage does not; nor does it send a length. */
#ifndef ILP_XDR_H
#define ILP_XDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ILP_XDR_PACKED __attribute__((aligned(4)))
typedef int64_t ilp_xdr_hyper_t ILP_XDR_PACKED;
typedef uint64_t ilp_xdr_uhyper_t ILP_XDR_PACKED;
typedef double ilp_xdr_double_t ILP_XDR_PACKED;
typedef uint32_t ilp_xdr_bool_t;
/* RFC 4506 (4.8): IEEE 754's binary128. Where the compiler has none, its bytes in the machine's order. */
#if __LDBL_MANT_DIG__ == 113
typedef long double ilp_xdr_quadruple_t ILP_XDR_PACKED;
#elif defined __SIZEOF_FLOAT128__
typedef __float128 ilp_xdr_quadruple_t ILP_XDR_PACKED;
#else
typedef struct {
	uint32_t words[4];
} ilp_xdr_quadruple_t;
#endif

/* val is malloc's when decoded, and NULL when len is 0. */
struct ilp_xdr_bytes {
	uint32_t len;
	uint8_t *val;
};
/* len counts; what was decoded has a 0 behind it, too, which does not count, also when len is 0. A 0 among the bytes
 * is none of ours to forbid. */
struct ilp_xdr_string {
	uint32_t len;
	char *val;
};

#define ILP_XDR_DEPTH 200
#define ILP_XDR_BUDGET ((size_t)64 << 20)
/* What n bytes in a piece of their own take of the budget: with 16 for what malloc keeps beside them, and up to a
 * multiple of 16, as it cuts memory. Or small pieces would be several times what they count. */
#define ILP_XDR_COST(n) (((size_t)(n) + 31) & ~(size_t)15)

/* What is encoded goes to at, and no further than end. */
struct ilp_xdr_out {
	uint8_t *at, *end;
	unsigned depth; /* how often a type may contain itself: ILP_XDR_DEPTH */
};

/* What is decoded comes from at. */
struct ilp_xdr_in {
	const uint8_t *at, *end;
	size_t budget;    /* by ILP_XDR_COST, for allocations from here on; what a value took is subtracted: ILP_XDR_BUDGET */
	unsigned depth;   /* ILP_XDR_DEPTH */
	bool lax_padding; /* bytes of padding may be anything, as libtirpc has it, and are taken for zeros */
};

/* With the defaults. The buffer stays the caller's. */
static inline struct ilp_xdr_out ilp_xdr_out(void *buffer, size_t size)
{
	return (struct ilp_xdr_out){ .at = buffer, .end = (uint8_t *)buffer + size, .depth = ILP_XDR_DEPTH };
}
static inline struct ilp_xdr_in ilp_xdr_in(const void *buffer, size_t size)
{
	const uint8_t *at = buffer;

	return (struct ilp_xdr_in){ .at = at, .end = at + size, .budget = ILP_XDR_BUDGET, .depth = ILP_XDR_DEPTH };
}

#endif

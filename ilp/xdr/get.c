/* What decoding allocates. Lengths are hostile: each is compared with what is left of the input and of the budget
 * before anything is asked of malloc. */
#include "ilp/xdr/code.h"

/* Takes that much of the budget. */
static int spend(struct ilp_xdr_in *in, uint32_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow((size_t)n, size, &bytes) || bytes > in->budget || ILP_XDR_COST(bytes) > in->budget)
		return -EMSGSIZE;
	in->budget -= ILP_XDR_COST(bytes);
	return 0;
}

static void *allocate(struct ilp_xdr_in *in, uint32_t n, size_t size, int *e, bool zero)
{
	void *p = NULL;

	*e = spend(in, n, size);
	if (*e == 0) {
		p = zero ? calloc(n, size) : malloc(n * size);
		*e = p ? 0 : -ENOMEM;
	}
	return p;
}

void *ilp_xdr_new(struct ilp_xdr_in *in, uint32_t n, size_t size, int *e)
{
	return allocate(in, n, size, e, true);
}

void *ilp_xdr_new_raw(struct ilp_xdr_in *in, uint32_t n, size_t size, int *e)
{
	return allocate(in, n, size, e, false);
}

/* len bytes and their padding, and behind them `more` zeros, into memory of their own; NULL for nothing at all. */
static int get(struct ilp_xdr_in *in, uint32_t max, uint32_t *len, void **val, size_t more)
{
	uint8_t pad[3];
	uint32_t n;
	int e = ilp_xdr_get_len(in, max, 1, &n);

	if (e)
		return e;
	if (ilp_xdr_left(in) - n < ilp_xdr_padding(n))
		return -EBADMSG;
	if (n + more == 0)
		return 0;
	uint8_t *to = ilp_xdr_new_raw(in, 1, n + more, &e);
	if (!to)
		return e;
	*val = to;
	*len = n;
	memcpy(to, in->at, n);
	memset(to + n, 0, more);
	memcpy(pad, in->at + n, ilp_xdr_padding(n));
	in->at += n + ilp_xdr_padding(n);
	return ilp_xdr_padded(in, pad, ilp_xdr_padding(n)) ? 0 : -EBADMSG;
}

int ilp_xdr_get_bytes(struct ilp_xdr_in *in, uint32_t max, struct ilp_xdr_bytes *b)
{
	void *val = NULL;
	const int e = get(in, max, &b->len, &val, 0);

	b->val = val;
	return e;
}

int ilp_xdr_get_string(struct ilp_xdr_in *in, uint32_t max, struct ilp_xdr_string *s)
{
	void *val = NULL;
	const int e = get(in, max, &s->len, &val, 1);

	s->val = val;
	return e;
}

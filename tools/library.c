/* A chain by library calls. RFC 4506 (XDR), RFC 8439 (ChaCha20). */
#include "tools/library.h"

#include "core/cksum.h"

#include <errno.h>
#include <openssl/evp.h>
#include <rpc/xdr.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum op { XDR_U32, CHACHA20, COPY, SUM };
static const char *const op_names[] = { "xdr_u32", "chacha20", "copy", "inet_checksum" };

#define OPS_MAX 16
struct library {
	enum op ops[OPS_MAX]; /* in send order */
	unsigned count;
	EVP_CIPHER_CTX *cipher;
	uint8_t iv[16]; /* OpenSSL's: block counter, little endian, then the nonce */
	uint8_t *tmp;
};

static int parse(struct library *l, const char *stages)
{
	while (*stages) {
		size_t len = strcspn(stages, " ");
		unsigned op;

		for (op = 0; op < sizeof op_names / sizeof *op_names; op++)
			if (strlen(op_names[op]) == len && !memcmp(stages, op_names[op], len))
				break;
		if (op == sizeof op_names / sizeof *op_names || l->count == OPS_MAX)
			return -ENOTSUP;
		l->ops[l->count++] = (enum op)op;
		stages += len + strspn(stages + len, " ");
	}
	return 0;
}

struct library *library_open(const char *stages, const uint8_t *key, const uint8_t *nonce, size_t max)
{
	struct library *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	int error = parse(l, stages);
	l->iv[0] = 1; /* RFC 8439 (2.4): the counter that data usually begins with */
	memcpy(l->iv + 4, nonce, 12);
	l->tmp = malloc(max);
	l->cipher = EVP_CIPHER_CTX_new();
	if (!error && (!l->tmp || !l->cipher || !EVP_EncryptInit_ex(l->cipher, EVP_chacha20(), NULL, key, l->iv)))
		error = -ENOMEM;
	if (!error)
		return l;
	library_close(l);
	errno = -error;
	return NULL;
}

void library_close(struct library *l)
{
	if (!l)
		return;
	EVP_CIPHER_CTX_free(l->cipher);
	free(l->tmp);
	free(l);
}

static void xdr(enum xdr_op direction, uint8_t *wire, uint8_t *words, size_t n)
{
	XDR x;

	xdrmem_create(&x, (char *)wire, (u_int)n, direction);
	if (!xdr_vector(&x, (char *)words, (u_int)(n / 4), 4, (xdrproc_t)xdr_u_int))
		abort(); /* the buffers are as long as the vector */
	xdr_destroy(&x);
}

static void chacha20(struct library *l, uint8_t *dst, const uint8_t *src, size_t n)
{
	int written;

	if (!EVP_EncryptInit_ex(l->cipher, NULL, NULL, NULL, l->iv) ||
		!EVP_EncryptUpdate(l->cipher, dst, &written, src, (int)n))
		abort(); /* it has key and room, and no reason */
}

static uint16_t run(struct library *l, bool send, uint8_t *dst, const uint8_t *src, size_t n)
{
	const uint8_t *at = src;
	unsigned moves = 0;
	uint16_t sum = 0;

	for (unsigned i = 0; i < l->count; i++)
		moves += l->ops[i] != SUM;
	for (unsigned i = 0; i < l->count; i++) {
		enum op op = l->ops[send ? i : l->count - 1 - i];
		/* The last that moves bytes moves them to where they belong; OpenSSL and XDR work in place before. */
		uint8_t *to = op != SUM && --moves == 0 ? dst : l->tmp;

		switch (op) {
		case XDR_U32:
			if (send)
				xdr(XDR_ENCODE, to, (uint8_t *)at, n);
			else
				xdr(XDR_DECODE, (uint8_t *)at, to, n);
			if (at != to) /* what is no whole word stays as it is */
				memcpy(to + n / 4 * 4, at + n / 4 * 4, n % 4);
			break;
		case CHACHA20:
			chacha20(l, to, at, n);
			break;
		case COPY:
			if (at != to)
				memcpy(to, at, n);
			break;
		case SUM:
			sum = tcpu_sum(at, n);
			continue;
		}
		at = to;
	}
	if (at == src && n) /* nothing but folds */
		memcpy(dst, src, n);
	return sum;
}

uint16_t library_send(struct library *l, uint8_t *dst, const uint8_t *src, size_t n)
{
	return run(l, true, dst, src, n);
}

uint16_t library_recv(struct library *l, uint8_t *dst, const uint8_t *src, size_t n)
{
	return run(l, false, dst, src, n);
}

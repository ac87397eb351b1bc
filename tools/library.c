/* A chain by library calls. RFC 4506 (XDR), RFC 8439 (ChaCha20), NIST SP 800-38A and D (counter mode, GCM), RFC 2104
 * (HMAC). */
#include "tools/library.h"

#include "core/cksum.h"
#include "tools/crc32c.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <rpc/xdr.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum op {
	XDR_U32, XDR_RECORD, CHACHA20, AES128_CTR, COPY, SUM, CRC32C, HMAC_SHA256, HMAC_TAG, AES128_GCM, AES256_GCM,
	CHACHA20_POLY1305, OPS
};
static const char *const op_names[OPS] = { "xdr_u32", "xdr_record", "chacha20", "aes128_ctr", "copy", "inet_checksum",
	"crc32c", "hmac_sha256", "hmac_sha256(tail)", "aes128_gcm", "aes256_gcm", "chacha20_poly1305" };
#define TAG 16 /* bytes, of pairs */

#define OPS_MAX 16
struct library {
	enum op ops[OPS_MAX]; /* in send order */
	unsigned count;
	EVP_CIPHER_CTX *cipher, *decipher; /* of pairs one for each direction */
	EVP_MAC_CTX *mac;
	uint8_t iv[20]; /* OpenSSL's for ChaCha20: block counter, little endian, then the nonce; and AES's counter */
	uint8_t *tmp;
	uint8_t value[LIBRARY_VALUE];
	size_t value_len, behind; /* of it, what goes behind the data and is not there yet */
	uint8_t came[LIBRARY_VALUE]; /* that was behind the data */
	size_t came_len;
};

/* What leaves the data where it is. */
static bool is_fold(enum op op)
{
	return op == SUM || op == CRC32C || op == HMAC_SHA256 || op == HMAC_TAG;
}

static int parse(struct library *l, const char *stages)
{
	while (*stages) {
		size_t len = strcspn(stages, " ");
		unsigned op;

		for (op = 0; op < OPS; op++)
			if (strlen(op_names[op]) == len && !memcmp(stages, op_names[op], len))
				break;
		if (op == OPS || l->count == OPS_MAX || (op == CRC32C && !crc32c_here()))
			return -ENOTSUP;
		l->ops[l->count++] = (enum op)op;
		stages += len + strspn(stages + len, " ");
	}
	/* A stage alone writes where it is wanted: nobody copies it then. */
	if (l->count == 2 && !is_fold(l->ops[0]) && l->ops[1] == COPY)
		l->count = 1;
	return 0;
}

static const EVP_CIPHER *cipher_of(const struct library *l)
{
	for (unsigned i = 0; i < l->count; i++)
		switch (l->ops[i]) {
		case AES128_GCM:
			return EVP_aes_128_gcm();
		case AES256_GCM:
			return EVP_aes_256_gcm();
		case CHACHA20_POLY1305:
			return EVP_chacha20_poly1305();
		case AES128_CTR:
			return EVP_aes_128_ctr();
		default:
			break;
		}
	return EVP_chacha20();
}

/* With a key of 32 bytes, which stays. */
static EVP_MAC_CTX *mac_open(const uint8_t *key)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(hmac);
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end() };

	EVP_MAC_free(hmac);
	if (c && !EVP_MAC_init(c, key, 32, params)) {
		EVP_MAC_CTX_free(c);
		c = NULL;
	}
	return c;
}

struct library *library_open(const char *stages, const uint8_t *key, const uint8_t *nonce, size_t max)
{
	struct library *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	int error = parse(l, stages);
	l->iv[0] = 1; /* RFC 8439 (2.4): the counter that data usually begins with */
	memcpy(l->iv + 4, nonce, 12);
	l->iv[19] = 1;
	l->tmp = malloc(max + LIBRARY_VALUE);
	l->cipher = EVP_CIPHER_CTX_new();
	l->decipher = EVP_CIPHER_CTX_new();
	l->mac = mac_open(key);
	if (!error && (!l->tmp || !l->cipher || !l->decipher || !l->mac ||
			!EVP_EncryptInit_ex(l->cipher, cipher_of(l), NULL, key, l->iv) ||
			!EVP_DecryptInit_ex(l->decipher, cipher_of(l), NULL, key, l->iv)))
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
	EVP_CIPHER_CTX_free(l->decipher);
	EVP_MAC_CTX_free(l->mac);
	free(l->tmp);
	free(l);
}

/* ilp/stages/xdr_record.lua, as rpcgen would write it. */
#define RECORD 28
static bool_t xdr_record(XDR *x, uint8_t *r)
{
	return xdr_u_int(x, (u_int *)r) && xdr_u_hyper(x, (u_quad_t *)(r + 4)) && xdr_u_int(x, (u_int *)(r + 12)) &&
		xdr_opaque(x, (char *)r + 16, 8) && xdr_u_int(x, (u_int *)(r + 24));
}

/* An array; what is no whole one of it stays as it is. */
static void xdr(enum xdr_op direction, enum op op, uint8_t *wire, uint8_t *array, size_t n)
{
	const u_int size = op == XDR_U32 ? 4 : RECORD;
	const xdrproc_t one = op == XDR_U32 ? (xdrproc_t)xdr_u_int : (xdrproc_t)xdr_record;
	const size_t whole = n / size * size;
	XDR x;

	xdrmem_create(&x, (char *)wire, (u_int)n, direction);
	if (!xdr_vector(&x, (char *)array, (u_int)n / size, size, one))
		abort(); /* the buffers are as long as the vector */
	xdr_destroy(&x);
	if (direction == XDR_ENCODE)
		memmove(wire + whole, array + whole, n - whole);
	else
		memmove(array + whole, wire + whole, n - whole);
}

/* What is still to go behind n bytes at `to`: there are more then. */
static size_t behind(struct library *l, uint8_t *to, size_t n)
{
	const size_t more = l->behind;

	memcpy(to + n, l->value, more);
	l->behind = 0;
	return n + more;
}

/* more: bytes of a value behind n of data, at `from`; they go to `to`. */
static void encrypt(struct library *l, enum op op, uint8_t *dst, const uint8_t *src, size_t n, uint8_t *to,
	const uint8_t *from, size_t more)
{
	int written;

	if (!EVP_EncryptInit_ex(l->cipher, NULL, NULL, NULL, op == CHACHA20 ? l->iv : l->iv + 4) ||
		!EVP_EncryptUpdate(l->cipher, dst, &written, src, (int)n) ||
		!EVP_EncryptUpdate(l->cipher, to, &written, from, (int)more))
		abort(); /* it has key and room, and no reason */
}

static void hmac(struct library *l, uint8_t *to, const uint8_t *at, size_t n)
{
	size_t written;

	if (!EVP_MAC_init(l->mac, NULL, 0, NULL) || !EVP_MAC_update(l->mac, at, n) ||
		!EVP_MAC_final(l->mac, to, &written, LIBRARY_VALUE))
		abort();
}

/* What is behind n bytes of data as they come, where a value is to be. Returns how many bytes of data there are. */
static size_t take_off(struct library *l, const uint8_t *at, size_t n)
{
	n -= n < LIBRARY_VALUE ? n : LIBRARY_VALUE;
	memcpy(l->came, at + n, LIBRARY_VALUE);
	l->came_len = LIBRARY_VALUE;
	return n;
}

/* Returns how many bytes there are then. values: it deciphers one behind the data. */
static size_t cipher(struct library *l, enum op op, bool values, uint8_t *to, const uint8_t *at, size_t n)
{
	if (values) {
		n = take_off(l, at, n);
		encrypt(l, op, to, at, n, l->came, l->came, l->came_len);
		return n;
	}
	encrypt(l, op, to, at, n, to + n, l->value, l->behind);
	n += l->behind;
	l->behind = 0;
	return n;
}

/* The value behind the data: put there by who moves the data next, or compared. Nobody hands it what is forged. */
static size_t tag(struct library *l, bool send, const uint8_t *at, size_t n)
{
	if (!send && !l->came_len) /* it was not deciphered with the data */
		n = take_off(l, at, n);
	hmac(l, l->value, at, n);
	l->value_len = LIBRARY_VALUE;
	if (send)
		l->behind = LIBRARY_VALUE;
	else if (CRYPTO_memcmp(l->value, l->came, LIBRARY_VALUE))
		memset(l->value, 0, LIBRARY_VALUE);
	return n;
}

/* Returns how many bytes come out. Nobody hands it what is forged: what is to be done then takes no time here. */
static size_t pair(struct library *l, bool send, uint8_t *dst, const uint8_t *src, size_t n)
{
	EVP_CIPHER_CTX *c = send ? l->cipher : l->decipher;
	uint8_t tag[TAG];
	int written;

	if (send) {
		if (!EVP_EncryptInit_ex(c, NULL, NULL, NULL, l->iv + 4) || !EVP_EncryptUpdate(c, dst, &written, src, (int)n) ||
			!EVP_EncryptFinal_ex(c, dst + n, &written) ||
			!EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, dst + n))
			abort();
		return n + TAG;
	}
	if (n < TAG)
		return 0;
	memcpy(tag, src + n - TAG, TAG);
	if (!EVP_DecryptInit_ex(c, NULL, NULL, NULL, l->iv + 4) ||
		!EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) ||
		!EVP_DecryptUpdate(c, dst, &written, src, (int)(n - TAG)))
		abort();
	EVP_DecryptFinal_ex(c, dst + n - TAG, &written);
	return n - TAG;
}

static uint16_t run(struct library *l, bool send, uint8_t *dst, const uint8_t *src, size_t n)
{
	const uint8_t *at = src;
	unsigned moves = 0;
	uint16_t sum = 0;

	for (unsigned i = 0; i < l->count; i++)
		moves += !is_fold(l->ops[i]);
	l->value_len = l->behind = l->came_len = 0;
	for (unsigned i = 0; i < l->count; i++) {
		enum op op = l->ops[send ? i : l->count - 1 - i];
		/* The last that moves bytes moves them to where they belong; OpenSSL and XDR work in place before. */
		uint8_t *to = !is_fold(op) && --moves == 0 ? dst : l->tmp;

		switch (op) {
		case XDR_U32:
		case XDR_RECORD:
			if (send)
				xdr(XDR_ENCODE, op, to, (uint8_t *)at, n);
			else
				xdr(XDR_DECODE, op, (uint8_t *)at, to, n);
			break;
		case CHACHA20:
		case AES128_CTR:
			n = cipher(l, op, !send && i + 1 < l->count && l->ops[l->count - 2 - i] == HMAC_TAG, to, at, n);
			break;
		case COPY:
			if (at != to)
				memcpy(to, at, n);
			n = behind(l, to, n);
			break;
		case SUM:
			sum = tcpu_sum(at, n);
			continue;
		case CRC32C:
			l->value_len = sizeof(uint32_t);
			memcpy(l->value, &(uint32_t){ crc32c(at, n) }, l->value_len);
			continue;
		case HMAC_SHA256:
			l->value_len = LIBRARY_VALUE;
			hmac(l, l->value, at, n);
			continue;
		case HMAC_TAG:
			n = tag(l, send, at, n);
			continue;
		default:
			n = pair(l, send, to, at, n);
			break;
		}
		at = to;
	}
	if (at == src && n) /* nothing but folds */
		memcpy(dst, src, n);
	behind(l, dst, n);
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

size_t library_value(const struct library *l, uint8_t *to)
{
	memcpy(to, l->value, l->value_len);
	return l->value_len;
}

/* The key: 32 bytes, from a file that holds just them, or 64 hexadecimal digits and white space; and what each
 * connection makes of it: a key and an IV of its own, out of both ends' salts, by HMAC-SHA256 (RFC 2104). */
#include "adu-examples/xfer/xfer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static bool from_hex(const uint8_t *text, size_t len, uint8_t key[32])
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++) {
		int d = digit(text[i]);
		if (d < 0 && isspace(text[i]))
			continue;
		if (d < 0 || n == 64)
			return false;
		key[n / 2] = (uint8_t)(n % 2 ? key[n / 2] | d : d << 4);
		n++;
	}
	return n == 64;
}

enum status key_read(const char *file, uint8_t key[32])
{
	FILE *f = fopen(file, "re");
	uint8_t text[256];
	size_t len;
	bool failed, good;

	if (!f)
		return complain(UNREADABLE, "%s: %s", file, strerror(errno));
	setbuf(f, NULL);
	len = fread(text, 1, sizeof text, f);
	failed = ferror(f);
	fclose(f);
	if (failed)
		return complain(UNREADABLE, "%s: cannot be read", file);
	good = len == 32 || from_hex(text, len, key);
	if (len == 32)
		memcpy(key, text, 32);
	ilp_wipe(text, sizeof text);
	return good ? OK : complain(UNREADABLE, "%s: a key is 32 bytes, or 64 hexadecimal digits; make one with\n"
				    "    head -c 32 /dev/urandom > %s", file, file);
}

#define KEY_CHAIN "copy_hmac_sha256"
#define KEY_PARAM "hmac_sha256.key"

/* The HMAC of what it is for and of the salts. */
static void mac(const uint8_t key[32], const char *what, const uint8_t *salts, size_t n, uint8_t to[32])
{
	const struct ilp_chain *c = ilp_find(KEY_CHAIN);
	_Alignas(ILP_ALIGN) uint8_t text[256] = { 0 }, copy[sizeof text];
	uint8_t padded[64] = { 0 };
	struct ilp_any state = { 0 };
	size_t len = strlen(what), out;

	memcpy(text, what, len);
	memcpy(text + len, salts, n);
	memcpy(padded, key, 32);
	ilp_set(c, &state, KEY_PARAM, padded, sizeof padded);
	c->begin(&state);
	out = ilp_pick(c, ILP_SEND, ILP_FUSED)(&state, copy, text, len + n, NULL);
	c->end[ILP_SEND](&state, copy + out);
	ilp_value(c, &state, "hmac_sha256", to, 32);
	ilp_wipe(&state, sizeof state);
	ilp_wipe(padded, sizeof padded);
}

void key_prove(const uint8_t key[32], bool sender, const uint8_t salt[KEY_SALT], uint8_t proof[KEY_SALT])
{
	uint8_t all[32];

	mac(key, sender ? "xfer sender" : "xfer receiver", salt, KEY_SALT, all);
	memcpy(proof, all, KEY_SALT);
}

void key_derive(const uint8_t key[32], const uint8_t *sender, const uint8_t *receiver, uint8_t to[32], uint8_t iv[12])
{
	uint8_t salts[2 * KEY_SALT], all[32];

	memcpy(salts, sender, KEY_SALT);
	memcpy(salts + KEY_SALT, receiver, KEY_SALT);
	mac(key, "xfer key", salts, sizeof salts, to);
	mac(key, "xfer iv", salts, sizeof salts, all);
	memcpy(iv, all, 12);
	ilp_wipe(all, sizeof all);
}

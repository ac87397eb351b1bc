/* The key: 32 bytes, from a file that holds just them, or 64 hexadecimal digits and white space. */
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

/* What a stage that taps the data is told to show it by, to debug (ilp/stages/hexdump.lua). */
#include "ilp/ilp.h"

#include <stdio.h>

#define LINE 16

/* Printed by printable characters of ASCII, whatever the locale says. */
static char shown(uint8_t byte)
{
	return byte >= ' ' && byte <= '~' ? (char)byte : '.';
}

void ilp_hexdump(void *file, const char *stage, uint64_t at, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += LINE) {
		const size_t len = n - i < LINE ? n - i : LINE;
		const uint64_t place = at + i;
		char hex[3 * LINE + 1], text[LINE + 1];

		for (size_t k = 0; k < LINE; k++)
			snprintf(hex + 3 * k, 4, k < len ? " %02x" : "   ", bytes[i + (k < len ? k : 0)]);
		for (size_t k = 0; k < len; k++)
			text[k] = shown(bytes[i + k]);
		text[len] = 0;
		fprintf(file, "%s %08llx %s  |%s|\n", stage, (unsigned long long)place, hex, text);
	}
}

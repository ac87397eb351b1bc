/* Sizes as people write them. */
#include "tools/tcpu.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char units[] = "KMG";

uint64_t size_parse(const char *text)
{
	char *end;
	unsigned shift = 0;

	if (!isdigit((unsigned char)*text))
		return 0;
	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit || end[1])
			return 0;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (errno || n > UINT64_MAX >> shift)
		return 0;
	return n << shift;
}

char *size_format(uint64_t bytes, char text[24])
{
	unsigned unit = 0;

	while (unit < sizeof units - 1 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, 24, "%llu%.*s", (unsigned long long)bytes, unit ? 1 : 0, units + (unit ? unit - 1 : 0));
	return text;
}

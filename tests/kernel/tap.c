#include "tests/kernel/tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

bool tap(bool good, const char *file, int line, const char *code, const char *format, ...)
{
	int e = errno;
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", passed + failed + 1);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	if (!good)
		printf("\n# %s:%d: not so: %s (errno: %s)", file, line, code, strerror(e));
	printf("\n");
	fflush(stdout);
	*(good ? &passed : &failed) += 1;
	return good;
}

void tap_must(bool good, const char *file, int line, const char *code)
{
	if (good)
		return;
	tap(false, file, line, code, "the test itself can go on");
	exit(tap_end());
}

int tap_end(void)
{
	printf("%d passed, %d failed\n", passed, failed);
	fflush(stdout);
	return failed != 0;
}

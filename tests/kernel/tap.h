/* How the programs that run in the guest say what they have seen: a line for each check, ok or not ok, and how many of
 * both at the end, which is what tools/check.sh reads. Check is not in the guest. */
#ifndef TESTS_KERNEL_TAP_H
#define TESTS_KERNEL_TAP_H

#include <errno.h>
#include <stdbool.h>

/* Returns what it was told. The text says what should be so. */
bool tap(bool good, const char *file, int line, const char *code, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
#define OK(good, ...) tap((good), __FILE__, __LINE__, #good, __VA_ARGS__)
/* A call that must fail with just this error. */
#define FAILS(call, error, ...) \
	(errno = 0, tap((call) < 0 && errno == (error), __FILE__, __LINE__, #call " fails with " #error, __VA_ARGS__))
/* What has to work for the rest to mean anything. */
#define MUST(good) tap_must((good), __FILE__, __LINE__, #good)
void tap_must(bool good, const char *file, int line, const char *code);
/* The exit status of main. */
int tap_end(void);

#endif

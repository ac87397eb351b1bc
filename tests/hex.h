/* Bytes that vectors have as text. */
#ifndef TESTS_HEX_H
#define TESTS_HEX_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Returns how many there are, of which there must be no more than there is room for. */
static inline size_t unhex(uint8_t *to, size_t room, const char *text)
{
	const size_t n = strlen(text) / 2;

	ck_assert_uint_le(n, room);
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		ck_assert_int_eq(sscanf(text + 2 * i, "%2x", &byte), 1);
		to[i] = (uint8_t)byte;
	}
	return n;
}

#endif

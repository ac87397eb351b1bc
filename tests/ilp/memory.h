/* Memory about which it is seen whether it is touched. */
#ifndef TESTS_ILP_MEMORY_H
#define TESTS_ILP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD 192
#define PATTERN 0xa5

/* len bytes at that offset from an aligned place, between guards. Each name has memory of its own. */
struct buffer {
	uint8_t *memory, *at;
	size_t room, len;
};

uint8_t *guarded(struct buffer *, size_t len, size_t offset);
/* Whether n bytes are the pattern that guards are filled with. */
bool untouched(const uint8_t *p, size_t n);
/* The same bytes, ending where readable memory ends; first: beginning where it begins. */
const uint8_t *fenced(const uint8_t *bytes, size_t len, bool first);

#endif

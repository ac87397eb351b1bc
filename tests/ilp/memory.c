/* Memory about which it is seen whether it is touched: memory.h. */
#include "tests/ilp/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

uint8_t *guarded(struct buffer *b, size_t len, size_t offset)
{
	const size_t need = len + offset + 2 * GUARD;

	if (b->room < need) {
		free(b->memory);
		b->room = (need + 4095) / 4096 * 4096;
		b->memory = aligned_alloc(64, b->room);
		if (!b->memory)
			exit(2);
	}
	b->at = b->memory + GUARD + offset;
	b->len = len;
	memset(b->at - GUARD, PATTERN, len + 2 * GUARD);
	return b->at;
}

bool untouched(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == PATTERN && memcmp(p, p + 1, n - 1) == 0);
}

const uint8_t *fenced(const uint8_t *bytes, size_t len, bool first)
{
	static uint8_t *begin;
	static size_t room;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (room < len || !begin) {
		room = (len + page) / page * page;
		uint8_t *p = mmap(NULL, room + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) != 0 || mprotect(p + page + room, page, PROT_NONE) != 0)
			exit(2);
		begin = p + page;
	}
	return memcpy(first ? begin : begin + room - len, bytes, len);
}

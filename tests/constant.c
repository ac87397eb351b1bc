/* Whether time tells of keys, or of what is sent: run under valgrind, to which they are memory that nobody has
 * written, so that it complains where a branch or an address depends on one (A. Langley's way). All keyed chains that
 * were compiled in, all instruction sets that valgrind has. `leak` looks something up by a key, to see that it is
 * seen. */
#include "ilp/ilp.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define ROOM 4096
static _Alignas(64) uint8_t src[ROOM], dst[ROOM + 2048], tmp[1 << 20];
static const uint8_t with[21] = "associated: no secret";
static unsigned long calls;

/* Values of secrets do not matter. */
static void hide(const struct ilp_chain *c, struct ilp_any *s, enum ilp_isa isa)
{
	memset(s, 0, sizeof *s);
	((struct ilp_state *)s)->row = 1 + isa;
	for (const struct ilp_param *p = c->params; p->name; p++)
		if (p->secret)
			VALGRIND_MAKE_MEM_UNDEFINED(s->bytes + p->offset, p->size);
}

static void run(const struct ilp_chain *c, enum ilp_direction d, unsigned way, enum ilp_isa isa, size_t n)
{
	static struct ilp_any s;
	uint8_t value[ILP_VALUE_MAX];

	if (d == ILP_SEND)
		VALGRIND_MAKE_MEM_UNDEFINED(src, sizeof src);
	else
		VALGRIND_MAKE_MEM_DEFINED(src, sizeof src);
	hide(c, &s, isa);
	c->begin(&s);
	if (c->associate)
		c->associate(&s, with, sizeof with);
	size_t out = c->ways[d][way].loop[isa](&s, dst, src, n, tmp);
	c->end[d](&s, dst + out);
	for (const struct ilp_value *v = c->values; v->name; v++)
		v->get(&s, value);
	calls++;
	if (way != ILP_FUSED)
		return;
	hide(c, &s, isa);
	c->once[d][isa](&s, dst, src, n, with, c->associate ? sizeof with : 0, tmp);
	calls++;
}

static unsigned try_chain(const struct ilp_chain *c)
{
	static const size_t sizes[] = { 5, 64, 331, 1600 };
	unsigned bad = 0;

	for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++)
		for (enum ilp_direction d = 0; d < ILP_DIRECTIONS; d++)
			for (unsigned way = 0; way <= ILP_FUSED && c->ways[d][way].loop[isa] && ilp_isa_here(isa); way++)
				for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
					const unsigned before = VALGRIND_COUNT_ERRORS;

					run(c, d, way, isa, sizes[i]);
					if (VALGRIND_COUNT_ERRORS == before)
						continue;
					printf("%s %s %s %s, %zu bytes: time depends on a key\n", c->name, d == ILP_SEND ? "send" : "recv",
						ilp_schedule_name((enum ilp_schedule)way), ilp_isa_name(isa), sizes[i]);
					bad++;
				}
	return bad;
}

static __attribute__((noinline)) unsigned leak(const uint8_t *key)
{
	static volatile uint8_t table[256];
	const unsigned before = VALGRIND_COUNT_ERRORS;

	VALGRIND_MAKE_MEM_UNDEFINED(key, 1);
	table[*key & 0xf0]++;
	return VALGRIND_COUNT_ERRORS - before;
}

int main(int argc, char **argv)
{
	unsigned chains = 0, bad = 0;

	if (!RUNNING_ON_VALGRIND) {
		fprintf(stderr, "usage: valgrind %s [leak]\n", argv[0]);
		return 2;
	}
	if (argc > 1)
		return strcmp(argv[1], "leak") == 0 && leak(src) > 0 ? 1 : 0;
	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		/* SAFER looks up by its key: a reason why it is historic, and refused where a chain does not say insecure. */
		if ((*c)->keyed && !strstr((*c)->stages, "historic_safer"))
			bad += try_chain(*c), chains++;
	printf("constant: %u keyed chains, %lu calls\n", chains, calls);
	return bad > 0;
}

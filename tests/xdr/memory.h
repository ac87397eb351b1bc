/* How many pieces of memory are in use. The linker is to lead all calls of a program here:
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=free. Others' calls count too, so that what is looked at has to stand between
 * two looks with nothing else: no assertion of Check's. For the one file of a program that has main. */
#ifndef TESTS_XDR_MEMORY_H
#define TESTS_XDR_MEMORY_H

#include <malloc.h>
#include <stddef.h>

static _Atomic long in_use;
/* What all that was given took of the machine's memory: with what malloc keeps for itself, a word. */
static _Atomic size_t taken;
/* How many calls still give memory, the next one none; negative: all do. */
static _Atomic long given = -1;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void __wrap_free(void *p);

/* Whether this call gives none. */
static int memory_ends(void)
{
	return given >= 0 && given-- == 0;
}

static void *take(void *p)
{
	if (p)
		taken += malloc_usable_size(p) + sizeof(size_t);
	return p;
}

void *__wrap_malloc(size_t n)
{
	if (memory_ends())
		return NULL;
	in_use++;
	return take(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	if (memory_ends())
		return NULL;
	in_use++;
	return take(__real_calloc(n, size));
}

void __wrap_free(void *p)
{
	in_use -= p != NULL;
	__real_free(p);
}

#endif

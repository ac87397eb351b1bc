/* Linear probing, and a removal that leaves no marks: D. Knuth, The Art of Computer Programming 3, section 6.4,
 * algorithms L and R; by multiplication with a number that is drawn (M. Dietzfelbinger and others, 1997). */
#include "alf/table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define FEW 16

/* Where it belongs. */
static uint32_t home(const struct alf_table *t, uint64_t key)
{
	return (uint32_t)((key * t->salt) >> 32) & (t->max - 1);
}

/* Where it is; or the free slot where it would be. There is one. */
static struct alf_slot *slot_of(const struct alf_table *t, uint64_t key)
{
	uint32_t i = home(t, key);

	while (t->slot[i].value && t->slot[i].key != key)
		i = (i + 1) & (t->max - 1);
	return &t->slot[i];
}

void *alf_table_find(const struct alf_table *t, uint64_t key)
{
	return t->count ? slot_of(t, key)->value : NULL;
}

int alf_table_grow(struct alf_table *t)
{
	struct alf_table larger = { .max = t->max ? 2 * t->max : FEW, .count = t->count, .salt = t->salt };

	if (2 * (t->count + 1) <= t->max)
		return 0;
	larger.slot = larger.max ? calloc(larger.max, sizeof *larger.slot) : NULL;
	if (!larger.slot)
		return -ENOMEM;
	/* Who has no such numbers has one that is hard to know. */
	if (!larger.salt && getrandom(&larger.salt, sizeof larger.salt, GRND_NONBLOCK) != sizeof larger.salt)
		larger.salt = (uintptr_t)larger.slot * 0x9e3779b97f4a7c15;
	larger.salt |= 1;
	for (uint32_t i = 0; i < t->max; i++)
		if (t->slot[i].value)
			*slot_of(&larger, t->slot[i].key) = t->slot[i];
	free(t->slot);
	*t = larger;
	return 0;
}

int alf_table_add(struct alf_table *t, uint64_t key, void *value)
{
	if (alf_table_grow(t) < 0)
		return -ENOMEM;
	*slot_of(t, key) = (struct alf_slot){ key, value };
	t->count++;
	return 0;
}

void alf_table_remove(struct alf_table *t, uint64_t key)
{
	const uint32_t mask = t->max - 1;
	uint32_t hole = (uint32_t)(slot_of(t, key) - t->slot);

	/* Those behind it that would be looked for from the hole, or from before it, move up. */
	for (uint32_t i = (hole + 1) & mask; t->slot[i].value; i = (i + 1) & mask) {
		if (((i - home(t, t->slot[i].key)) & mask) < ((i - hole) & mask))
			continue;
		t->slot[hole] = t->slot[i];
		hole = i;
	}
	t->slot[hole].value = NULL;
	t->count--;
}

void alf_table_free(struct alf_table *t)
{
	free(t->slot);
	*t = (struct alf_table){ 0 };
}

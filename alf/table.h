/* What is found by a number that the peer chooses, or nobody: a hash table with open addressing, whose memory grows. */
#ifndef ALF_TABLE_H
#define ALF_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Zeros are an empty one. */
struct alf_table {
	struct alf_slot {
		uint64_t key;
		void *value; /* NULL: the slot is free */
	} *slot;
	uint32_t max, count; /* slots: a power of two; of them, in use: no more than half */
	uint64_t salt;       /* odd; unknown to the peer, who could choose numbers that meet otherwise */
};

void *alf_table_find(const struct alf_table *, uint64_t key); /* NULL: it is not there */
/* Room for one more. -ENOMEM. */
int alf_table_grow(struct alf_table *);
/* It must not be there, and value is not NULL. -ENOMEM. */
int alf_table_add(struct alf_table *, uint64_t key, void *value);
/* It must be there. */
void alf_table_remove(struct alf_table *, uint64_t key);
void alf_table_free(struct alf_table *);

#endif

/* What is due, by time: a binary heap of what has a deadline, whose memory grows. */
#ifndef ALF_DUE_H
#define ALF_DUE_H

#include <stdint.h>

/* In what has one. Zeros: none is set. */
struct alf_due {
	uint64_t us;
	uint32_t at; /* its place in the heap, from 1 on; 0: in none */
};

/* Zeros are an empty one. */
struct alf_dues {
	struct alf_due **heap; /* from 1 on */
	uint32_t max, count;
};

/* It must be in none. -ENOMEM. */
int alf_due_add(struct alf_dues *, struct alf_due *, uint64_t us);
/* If it is there. */
void alf_due_remove(struct alf_dues *, struct alf_due *);
/* The first; NULL: there is none. */
static inline struct alf_due *alf_due_first(const struct alf_dues *d)
{
	return d->count ? d->heap[1] : (struct alf_due *)0;
}
void alf_dues_free(struct alf_dues *);

#endif

#include "kernel/tcpkd/bucket.h"

#include <stdlib.h>

struct bucket {
	struct bucket *next;
	uid_t uid;
	uint64_t full_us; /* when it will be */
};

/* Of those that are not full, that user's, or NULL. */
static struct bucket *find(struct bucket **all, uid_t uid, uint64_t now_us)
{
	struct bucket *found = NULL;

	while (*all) {
		struct bucket *b = *all;

		if (b->full_us <= now_us) {
			*all = b->next;
			free(b);
			continue;
		}
		if (b->uid == uid)
			found = b;
		all = &b->next;
	}
	return found;
}

bool bucket_take(struct bucket **all, uid_t uid, unsigned much, uint64_t now_us)
{
	uint64_t us = (much < BUCKET_AT_ONCE ? much : BUCKET_AT_ONCE) * BUCKET_EACH_US;
	struct bucket *b = find(all, uid, now_us);

	if (!b) {
		b = malloc(sizeof *b);
		if (!b)
			return false;
		*b = (struct bucket){ .next = *all, .uid = uid, .full_us = now_us };
		*all = b;
	}
	if (b->full_us + us > now_us + BUCKET_AT_ONCE * BUCKET_EACH_US)
		return false;
	b->full_us += us;
	return true;
}

void bucket_free(struct bucket **all)
{
	find(all, 0, UINT64_MAX);
}

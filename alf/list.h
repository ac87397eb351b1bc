/* Lists of what has a link for each that it may be in: so a list needs no memory, and nothing is searched for that is
 * to leave it. */
#ifndef ALF_LIST_H
#define ALF_LIST_H

#include <stddef.h>

/* Zeros are an empty one. */
struct alf_list {
	struct alf_link *first, *last;
};

struct alf_link {
	struct alf_link *next, *prev;
	struct alf_list *list; /* NULL: in none */
};

static inline void *alf_of(const void *member, size_t offset)
{
	return member ? (char *)member - offset : NULL;
}

/* The struct that has this as that member; NULL of NULL. */
#define ALF_OF(type, member, pointer) ((struct type *)alf_of(pointer, offsetof(struct type, member)))

/* It must be in none. before: one of this list; NULL: it is to be the last. */
static inline void alf_list_insert(struct alf_list *l, struct alf_link *link, struct alf_link *before)
{
	*link = (struct alf_link){ before, before ? before->prev : l->last, l };
	*(link->prev ? &link->prev->next : &l->first) = link;
	*(before ? &before->prev : &l->last) = link;
}

static inline void alf_list_add(struct alf_list *l, struct alf_link *link)
{
	alf_list_insert(l, link, NULL);
}

/* From the one that it is in, if it is. */
static inline void alf_list_remove(struct alf_link *link)
{
	if (!link->list)
		return;
	*(link->prev ? &link->prev->next : &link->list->first) = link->next;
	*(link->next ? &link->next->prev : &link->list->last) = link->prev;
	link->list = NULL;
}

#endif

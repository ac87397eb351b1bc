#include "tests/ranges_check.h"

#include "tests/invariants.h"

struct walk {
	const struct ranges *r;
	uint32_t count, depth;
	uint64_t behind; /* the end of the range before */
};

static const char *walk_tree(struct walk *w, uint32_t i, uint32_t depth)
{
	const struct ranges *r = w->r;
	const struct ranges_node *n = &r->node[i];
	const char *broken;

	if (!i)
		return NULL;
	HOLDS(i <= r->node[0].range.end && depth <= r->count);
	HOLDS(!n->left || r->node[n->left].priority <= n->priority);
	HOLDS(!n->right || r->node[n->right].priority <= n->priority);
	HOLDS(r->node[n->newer].older == i && r->node[n->older].newer == i);
	broken = walk_tree(w, n->left, depth + 1);
	if (broken)
		return broken;
	HOLDS(n->range.begin < n->range.end);
	HOLDS(!w->count || n->range.begin > w->behind); /* apart, not only in order */
	w->count++;
	w->behind = n->range.end;
	w->depth = depth > w->depth ? depth : w->depth;
	return walk_tree(w, n->right, depth + 1);
}

const char *ranges_broken(const struct ranges *r, uint32_t *depth)
{
	struct walk w = { .r = r };
	uint32_t unused = 0;
	const char *broken = walk_tree(&w, r->node[0].left, 1);

	if (broken)
		return broken;
	HOLDS(w.count == r->count && r->count <= r->max);
	for (uint32_t i = r->node[0].right; i; i = r->node[i].right)
		HOLDS(++unused <= r->max);
	HOLDS(r->count + unused == r->node[0].range.end && r->node[0].range.end <= r->max);
	if (depth)
		*depth = w.depth;
	return NULL;
}

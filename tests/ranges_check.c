#include "tests/ranges_check.h"

#include "tests/property.h"

struct walk {
	uint32_t count, depth;
	uint64_t behind; /* the end of the range before */
};

static void walk_tree(const struct ranges *r, uint32_t i, uint32_t depth, struct walk *w)
{
	const struct ranges_node *n = &r->node[i];

	if (!i)
		return;
	must(i <= r->touched && depth <= r->count);
	must(!n->left || r->node[n->left].priority <= n->priority);
	must(!n->right || r->node[n->right].priority <= n->priority);
	must(r->node[n->newer].older == i && r->node[n->older].newer == i);
	walk_tree(r, n->left, depth + 1, w);
	must(n->range.begin < n->range.end);
	must(!w->count || n->range.begin > w->behind); /* apart, not only in order */
	w->count++;
	w->behind = n->range.end;
	w->depth = depth > w->depth ? depth : w->depth;
	walk_tree(r, n->right, depth + 1, w);
}

uint32_t ranges_check(const struct ranges *r)
{
	struct walk w = { 0 };
	uint32_t unused = 0;

	walk_tree(r, r->node[0].left, 1, &w);
	must(w.count == r->count && r->count <= r->max);
	for (uint32_t i = r->unused; i; i = r->node[i].right)
		must(++unused <= r->max);
	must(r->count + unused == r->touched && r->touched <= r->max);
	return w.depth;
}

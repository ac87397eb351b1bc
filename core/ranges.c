#include "core/ranges.h"

#include <string.h>

size_t ranges_memory(uint32_t max)
{
	return ((size_t)max + 1) * sizeof(struct ranges_node);
}

void ranges_move(struct ranges *r, void *memory, uint32_t max, uint32_t seed)
{
	struct ranges_node *node = memory;

	if (node && r->count)
		memcpy(node, r->node, ranges_memory((uint32_t)r->node[0].range.end));
	else if (node)
		node[0] = (struct ranges_node){ .priority = seed ? seed : 1 };
	r->node = node;
	r->max = max;
}

/* The link to the lowest range that ends at or behind x; NULL: there is none. */
static uint32_t *seek(const struct ranges *r, uint64_t x)
{
	uint32_t *at = &r->node[0].left, *found = NULL;

	while (*at) {
		struct ranges_node *n = &r->node[*at];

		if (n->range.end < x) {
			at = &n->right;
		} else {
			found = at;
			at = &n->left;
		}
	}
	return found;
}

/* Of the tree i: what lies below x becomes the tree *low, the rest *high. */
static void split(struct ranges *r, uint32_t i, uint64_t x, uint32_t *low, uint32_t *high)
{
	while (i) {
		struct ranges_node *n = &r->node[i];

		if (n->range.begin < x) {
			*low = i;
			low = &n->right;
			i = *low;
		} else {
			*high = i;
			high = &n->left;
			i = *high;
		}
	}
	*low = *high = 0;
}

/* The tree low, all of which lies below the tree high, and that one become the tree *at. */
static void merge(struct ranges *r, uint32_t low, uint32_t high, uint32_t *at)
{
	while (low && high) {
		if (r->node[low].priority > r->node[high].priority) {
			*at = low;
			at = &r->node[low].right;
			low = *at;
		} else {
			*at = high;
			at = &r->node[high].left;
			high = *at;
		}
	}
	*at = low ? low : high;
}

static void leave_list(struct ranges *r, uint32_t i)
{
	struct ranges_node *n = &r->node[i];

	r->node[n->newer].older = n->older;
	r->node[n->older].newer = n->newer;
}

static void lead_list(struct ranges *r, uint32_t i)
{
	struct ranges_node *n = &r->node[i];

	n->newer = 0;
	n->older = r->node[0].older;
	r->node[n->older].newer = i;
	r->node[0].older = i;
}

static void take_out(struct ranges *r, uint32_t *at)
{
	uint32_t i = *at;
	struct ranges_node *n = &r->node[i];

	merge(r, n->left, n->right, at);
	leave_list(r, i);
	n->right = r->node[0].right;
	r->node[0].right = i;
	r->count--;
}

/* Marsaglia's xorshift: good enough for who does not know its state. */
static uint32_t draw(struct ranges *r)
{
	uint32_t *x = &r->node[0].priority;

	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static void put_in(struct ranges *r, uint64_t begin, uint64_t end)
{
	struct ranges_node *books = &r->node[0];
	uint32_t i = books->right ? books->right : (uint32_t)++books->range.end, *at = &books->left;
	struct ranges_node *n = &r->node[i];

	books->right = books->right ? n->right : 0;
	n->range = (struct range){ begin, end };
	n->priority = draw(r);
	while (*at && r->node[*at].priority >= n->priority)
		at = r->node[*at].range.begin < begin ? &r->node[*at].right : &r->node[*at].left;
	split(r, *at, begin, &n->left, &n->right);
	*at = i;
	lead_list(r, i);
	r->count++;
}

bool ranges_add(struct ranges *r, uint64_t begin, uint64_t end)
{
	uint32_t *at = r->count ? seek(r, begin) : NULL, i;
	struct range *whole, *next;

	if (!at || r->node[*at].range.begin > end) {
		if (r->count == r->max)
			return false;
		put_in(r, begin, end);
		return true;
	}
	i = *at;
	whole = &r->node[i].range;
	whole->begin = begin < whole->begin ? begin : whole->begin;
	while (whole->end < end) {
		at = seek(r, whole->end + 1);
		next = at ? &r->node[*at].range : NULL;
		if (!next || next->begin > end) {
			whole->end = end;
			break;
		}
		whole->end = next->end;
		take_out(r, at);
	}
	leave_list(r, i);
	lead_list(r, i);
	return true;
}

bool ranges_first(const struct ranges *r, struct range *first)
{
	return r->count && ranges_meet(r, 0, UINT64_MAX, first);
}

void ranges_pop(struct ranges *r)
{
	take_out(r, seek(r, 0));
}

bool ranges_meet(const struct ranges *r, uint64_t begin, uint64_t end, struct range *met)
{
	const uint32_t *at = r->count ? seek(r, begin + 1) : NULL;

	if (!at || r->node[*at].range.begin >= end)
		return false;
	*met = r->node[*at].range;
	return true;
}

uint32_t ranges_latest(const struct ranges *r, struct range *out, uint32_t n)
{
	uint32_t count = 0;

	if (r->count)
		for (uint32_t i = r->node[0].older; i && count < n; i = r->node[i].older)
			out[count++] = r->node[i].range;
	return count;
}

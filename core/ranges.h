/* A set of ranges [begin, end) of 64-bit offsets, kept apart from each other: what has come over holes, in order and
 * in sub-linear time (a treap: insertion and removal take O(log n) steps on average, whatever an attacker sends, since
 * the priorities are not his to know). Its memory is the caller's: nodes for at most max ranges, none at first.
 *
 * Each range has its place in a list, the latest touched first, for RFC 2018's order of SACK blocks.
 *
 * Seidel, Aragon: Randomized Search Trees, Algorithmica 16 (1996). */
#ifndef CORE_RANGES_H
#define CORE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t begin, end;
};

/* The implementation's own. Nodes are known by index, so that they may move; 0 is none, and node 0 no range: it keeps
 * the books. Root is its left, the list of the latest begins and ends at it, the first node that is free is its right;
 * nodes 1 to its range.end were ever used; its priority is the last that was drawn. */
struct ranges_node {
	struct range range;
	uint32_t left, right;  /* lower and higher ranges; of a node that is free: right, the next free one */
	uint32_t newer, older;
	uint32_t priority;     /* none below has a higher one */
};

struct ranges {
	struct ranges_node *node; /* borrowed; NULL: no memory for any, and count is 0 */
	uint32_t max, count;
};

/* Bytes of memory for so many ranges, aligned as a uint64_t. */
size_t ranges_memory(uint32_t max);
/* Moves all to memory for max ranges, no fewer than before, or takes the memory away (NULL, 0) when there is no range;
 * the old memory is the caller's again. Zeros are a set that has none yet. seed: for priorities, where there is no
 * range; unknown to the peer. */
void ranges_move(struct ranges *, void *memory, uint32_t max, uint32_t seed);
/* Adds [begin, end), begin < end, and joins what it touches or overlaps: the latest touched range now. false: it would
 * be one range too many, and nothing was changed. */
bool ranges_add(struct ranges *, uint64_t begin, uint64_t end);
/* The range with the lowest begin. false: there is none. */
bool ranges_first(const struct ranges *, struct range *);
/* Takes the range with the lowest begin out. There must be one. */
void ranges_pop(struct ranges *);
/* The lowest range that overlaps [begin, end). false: there is none. */
bool ranges_meet(const struct ranges *, uint64_t begin, uint64_t end, struct range *);
/* At most n ranges into out, the latest touched first; returns how many. */
uint32_t ranges_latest(const struct ranges *, struct range *out, uint32_t n);

#endif

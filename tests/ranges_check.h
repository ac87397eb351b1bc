/* What holds of every set of ranges: the treap's own rules. Knows nothing of Check. */
#ifndef TESTS_RANGES_CHECK_H
#define TESTS_RANGES_CHECK_H

#include "core/ranges.h"

/* The rule that is broken, NULL: none. *depth, unless it is NULL, receives how deep the tree is. */
const char *ranges_broken(const struct ranges *, uint32_t *depth);

#endif

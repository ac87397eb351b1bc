/* What holds of every set of ranges: the treap's own rules. */
#ifndef TESTS_RANGES_CHECK_H
#define TESTS_RANGES_CHECK_H

#include "core/ranges.h"

/* Fails the test unless it holds. Returns how deep the tree is. */
uint32_t ranges_check(const struct ranges *);

#endif

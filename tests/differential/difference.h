/* The differences that are known: tests/differential/differences says in words what is seen and why it is right, this
 * file's rules recognise them, by the same names. */
#ifndef TESTS_DIFFERENTIAL_DIFFERENCE_H
#define TESTS_DIFFERENTIAL_DIFFERENCE_H

#include "tests/differential/play.h"

struct difference {
	const char *name;
	bool (*explains)(const struct moment *);
	bool ends; /* the sides are no longer in the same state: no step after it is compared */
};

extern const struct difference differences[];
extern const size_t differences_count;

/* NULL: there is none. */
const struct difference *difference_named(const char *name);
/* The one that explains how the outcomes differ; NULL: none does. */
const struct difference *difference_find(const struct moment *);

#endif

/* What holds between any two steps of an engine, whatever its users and peers do. Knows nothing of Check, for the fuzz
 * targets. */
#ifndef TESTS_INVARIANTS_H
#define TESTS_INVARIANTS_H

#include "core/engine.h"

/* The rule that is broken, as C says it; NULL: none. */
const char *engine_broken(const struct tcpu *);
/* The same behind a flush: nothing is left in the batch, but for what the link has no room for. */
const char *flushed_engine_broken(const struct tcpu *);

/* For functions that return such a rule. */
#define HOLDS(what) do { if (!(what)) return #what; } while (0)

#endif

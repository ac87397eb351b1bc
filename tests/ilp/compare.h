/* Compares every loop of a chain with what its descriptions come to on plain numbers, as ilp/gen wrote it into a
 * file (ilp/gen/test.lua tells the format): every direction, way and instruction set that this CPU has; bytes, values,
 * sums, carried state, and what must not be touched.
 *
 * It needs libc and nothing else, so that it runs wherever the loops do. */
#ifndef TESTS_ILP_COMPARE_H
#define TESTS_ILP_COMPARE_H

#include "ilp/ilp.h"

/* argv: FILE.vec [--full] [--isa NAME]. --full: all 64 x 64 offsets at some lengths; all cuts in two of up to 256
 * bytes, also in place and for the state that is carried over the cut; four pairs of offsets for each length; more
 * pieces: not a sample of them. The last line is `N passed, N failed`, of checks that are a loop each. Returns the exit
 * status. */
int compare_main(const struct ilp_chain *, int argc, char **argv);

#endif

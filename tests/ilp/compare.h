/* Compares every loop of a chain with what its descriptions come to on plain numbers, as ilp/gen wrote it into a
 * file (ilp/gen/test.lua tells the format): every direction, schedule and instruction set that this CPU has;
 * bytes, sums, carried state, and what must not be touched; at all short lengths, at sampled long ones, at sampled
 * alignments and cuts. */
#ifndef TESTS_ILP_COMPARE_H
#define TESTS_ILP_COMPARE_H

#include "ilp/ilp.h"

/* argv[1]: the file. Runs the tests under Check and prints its summary and the number of comparisons. Returns the
 * exit status. */
int compare_main(const struct ilp_chain *, int argc, char **argv);

#endif

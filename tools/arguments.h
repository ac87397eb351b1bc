/* What verbs have in common: arguments that several of them take, each a call from an argp parser, and JSON. What is
 * wrong with an argument, they say, and end the program. */
#ifndef TOOLS_ARGUMENTS_H
#define TOOLS_ARGUMENTS_H

#include "ilp/ilp.h"

#include <argp.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#define ARGUMENTS_SIZES_MAX 16

/* "64,1460,8K": into sizes; how many. */
unsigned arguments_sizes(struct argp_state *, char *list, uint64_t sizes[ARGUMENTS_SIZES_MAX]);
uint64_t arguments_number(struct argp_state *, const char *, uint64_t min, uint64_t max);
/* "send", "recv" or "both". */
void arguments_direction(struct argp_state *, const char *, bool direction[ILP_DIRECTIONS]);
/* "all": true. */
bool arguments_every_isa(struct argp_state *, const char *);
/* A chain that is compiled in. */
const struct ilp_chain *arguments_chain(struct argp_state *, const char *name);
/* One that a file describes, which is loaded for good; or that ilp_load() finds by that name. */
const struct ilp_chain *arguments_loaded(struct argp_state *, const char *file);

/* Writes what it takes, as lines. 0; -EIO: also for NULL, which jansson gives where there is no memory. */
int arguments_json(FILE *, json_t *, size_t flags);

#endif

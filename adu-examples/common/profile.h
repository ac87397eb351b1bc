/* Profiles of examples' connections: what a file says (alf/profile.h), as far as the example can do with that. */
#ifndef COMMON_PROFILE_H
#define COMMON_PROFILE_H

#include "alf/alf.h"

#include <argp.h>

/* What an example relies on, beside that ADUs are kept until they have come: --profile must not say otherwise. */
struct profile_needs {
	const struct alf_framer *framer;
	const char *chain; /* that one, if it is not NULL */
	bool clear;        /* no chain that authenticates: there are no keys */
	bool ordered;      /* ADUs come in the order in which they began */
	uint64_t adu_least, adu_most, credit_least; /* 0: any */
};
/* Reads the file into *p over what stands there; NULL: there is none. What is wrong with it ends the program. */
void profile_read(struct argp_state *, const char *file, struct alf_profile *p, const struct profile_needs *);
/* "FILE:LINE: " of a field, for complaints about it; "" where there is no file, or it does not say that. The text is
 * good until the next. */
const char *profile_at(const char *file, const char *field);

/* The chain's name as both ends tell it each other: with another one the other end would make other bytes of it. Of a
 * family that alf_family knows. Ends with 0s. */
#define PROFILE_CHAIN_MAX 48
void profile_chain(const struct alf_profile *, char name[PROFILE_CHAIN_MAX]);

#endif

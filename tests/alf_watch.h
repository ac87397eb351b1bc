/* An AEAD for tests, written by hand, that is no cipher but a witness: it remembers what was sealed under each nonce of
 * each key, and fails the test when a nonce meets another plaintext. In the three forms that a family has. */
#ifndef TESTS_ALF_WATCH_H
#define TESTS_ALF_WATCH_H

#include "alf/alf.h"

extern const struct alf_chains watch_chains;
/* What was sealed since the last call: frames, and of them those under a nonce that had been used for the same
 * before. */
struct watch_count {
	uint64_t sealed, again;
};
struct watch_count watch_forget(void);

#endif

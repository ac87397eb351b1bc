/* A profile from a file, held against what the example needs. */
#include "adu-examples/common/profile.h"

#include "adu-examples/common/command.h"
#include "alf/profile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

const char *profile_at(const char *file, const char *field)
{
	static char at[PATH_MAX + 16];
	const char *within = strrchr(field, '.'); /* of the limits */
	unsigned line = file ? alf_profile_line(file, within ? within + 1 : field) : 0;

	at[0] = 0;
	if (line)
		snprintf(at, sizeof at, "%s:%u: ", file, line);
	return at;
}

/* Where the file says this of the field, nothing else would do. */
static void expect(struct argp_state *state, const char *file, bool good, const char *field, const char *expected)
{
	if (!good)
		argp_failure(state, USAGE, 0, "%s%s: expected %s, on which %s relies; correct it, or leave it out",
			profile_at(file, field), field, expected, program_invocation_short_name);
}

static void expect_bytes(struct argp_state *state, const char *file, bool good, const char *field, uint64_t bytes,
	const char *or)
{
	char expected[64];

	snprintf(expected, sizeof expected, "%ju bytes or %s", (uintmax_t)bytes, or);
	expect(state, file, good, field, expected);
}

void profile_read(struct argp_state *state, const char *file, struct alf_profile *p, const struct profile_needs *n)
{
	char why[1024], framer[16];
	int e = file ? alf_profile_load(p, file, why, sizeof why) : 0;

	if (!file)
		return;
	if (e) /* the file's fault, or this machine's */
		argp_failure(state, e == -ENOPKG || e == -ENOSYS || e == -EPROTO || e == -ENOMEM ? FAILED : USAGE, 0, "%s", why);
	snprintf(framer, sizeof framer, "\"%s\"", alf_framer_name(n->framer));
	expect(state, file, !p->framer || p->framer == n->framer, "framer", framer);
	expect(state, file, !n->chain || !p->chain.plain || !strcmp(p->chain.plain->name, n->chain), "chain", n->chain);
	expect(state, file, !n->clear || !p->chain.plain || !p->chain.plain->associate, "chain",
		"one that does not authenticate, for there are no keys");
	expect(state, file, !n->ordered || p->ordered, "order", "\"begun\"");
	expect(state, file, p->recovery <= ADU_KEEP, "recovery", "\"keep\"");
	expect(state, file, !p->deadline_ms, "limits.deadline_ms", "0");
	expect_bytes(state, file, p->adu_max >= n->adu_least, "limits.adu", n->adu_least, "more");
	expect_bytes(state, file, !n->adu_most || p->adu_max <= n->adu_most, "limits.adu", n->adu_most, "less");
	expect_bytes(state, file, p->credit >= n->credit_least, "limits.credit", n->credit_least, "more");
}

void profile_chain(const struct alf_profile *p, char name[PROFILE_CHAIN_MAX])
{
	const char *plain = p->chain.plain ? p->chain.plain->name : "copy_sum";

	memset(name, 0, PROFILE_CHAIN_MAX);
	snprintf(name, PROFILE_CHAIN_MAX, "%.*s", (int)(strlen(plain) - strlen("_sum")), plain);
}

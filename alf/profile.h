/* Profiles in files: what a connection that carries ADUs is to be, as a file says it; alf/profiles/ has some.
 *
 *	return profile {
 *		name = "tiles",
 *		congestion = "cubic",
 *		order = "any",
 *		chain = "xdr_copy",
 *		limits = { adu = 4 * MiB, deadline_ms = 200 },
 *	}
 *
 *	struct alf_profile p = { .initiator = true, .hooks = … };
 *	char why[1024];
 *	if (alf_profile_load(&p, "tiles.lua", why, sizeof why) != 0)
 *		errx(1, "%s", why);
 *	a = alf_open(fd, &p);
 *
 * Every field may be left out; what that means, struct alf_profile says (alf/alf.h). Both ends may have profiles of
 * their own, but for framer and chain, and, with a chain that authenticates, rekey.
 *
 * name         what the file is called, without .lua
 * congestion   "cubic" or "reno": TCP's congestion control
 * order        "any": an ADU is delivered when it is whole; "begun": in the order in which they began
 * acks         "delayed" or "quick": when TCP acknowledges
 * framer       "mpa", "record", "cobs", "plain": how ADUs look on the wire
 * markers, crc true or false. MPA's alone
 * chain        what happens to the data. With MPA a family (alf_family): "copy", "xdr_copy", "aes128_gcm_copy" …;
 *              with another framer a chain: "copy_sum", "xdr_copy_sum" …
 * schedule     "fused", "tiled", "layered", "streaming": of this end's loops
 * recovery     "keep", "recompute", "tolerate", "supersede": of ADUs that ask for none (enum adu_recovery)
 * limits       .adu, .credit, .quantum  bytes: KiB, MiB, GiB are names for 2^10, 2^20, 2^30
 *              .rekey, .forgeries       FPDUs. Of a chain that authenticates alone
 *              .deadline_ms             of ADUs that have none
 *
 * A file is Lua, which may have locals, tables and arithmetic, but comes from somebody who need not be trusted: it
 * runs in the sandbox of the generator (ilp/gen/sandbox.lua), interpreted, without files, system, or library, within
 * 2 million instructions and 64 MB. LuaJIT and ilp/gen/ are looked for when it is read, as ilp_load() does
 * (ilp/load.h): by TCPU_SHARE of the environment, which a process with more rights than its caller does not heed,
 * else where the library was built. */
#ifndef ALF_PROFILE_H
#define ALF_PROFILE_H

#include "alf/alf.h"

#include <stddef.h>

/* Sets what the file says in *profile, and leaves the rest of it alone: key, iv, hooks, initiator, wanted and private
 * data are the program's. What is set of pointers lives as long as the program. What the file says has to go with
 * what stands in *profile already: framer and chains.
 *
 * 0; otherwise *profile is as it was, why (of why_size bytes; NULL and 0 if nobody wants it) says what and what to do
 * in one line, cut if need be, and what is returned is
 *	-EINVAL     the profile is wrong: why is `file:line: what it is, expected …; what to do`, by the field's line.
 *	            Or TCPU_SHARE has a character that Lua's paths cannot have
 *	-ENOENT, -EACCES, … the file cannot be read: what access(2) said
 *	-ENOPKG     LuaJIT's library or ilp/gen/ is missing
 *	-ENOSYS     the library was built without LuaJIT's headers
 *	-EPROTO     what reads profiles failed, which is a bug of it
 *	-ENOMEM
 *
 * Any number of threads may call at once. */
int alf_profile_load(struct alf_profile *profile, const char *file, char *why, size_t why_size);

/* The line on which a file has that field, "framer" or "adu" say: for who can do nothing with what it says, though it
 * is right. 0: it does not say it, or cannot be read. It is read anew; threads as above. */
unsigned alf_profile_line(const char *file, const char *field);

#endif

/* Loops at run time: a chain's description in, its loops out, in the program that runs.
 *
 *	const struct ilp_chain *c;
 *	char why[2048];
 *	if (ilp_load("my.lua", NULL, &c, why, sizeof why) != 0)
 *		errx(1, "%s", why);
 *	… as any chain (ilp/ilp.h) …
 *	ilp_unload(c);
 *
 * The description is run by the generator (ilp/gen/) in an embedded LuaJIT, in a sandbox: it has no os, io, ffi, and
 * is stopped when it takes too many instructions or too much memory. The system's C compiler makes a shared object of
 * what comes out. The object is kept in the user's cache, under a hash of all that it was made from: of the C, of
 * ilp/run.h as the library was built with it, of the compiler, of its flags. Whatever changes there is compiled anew;
 * what does not is not compiled twice, also when several processes ask at once. The generator runs every time (some
 * 10 to 100 ms), so that a change of a stage, or of the generator, counts at once; the compiler takes a second or two.
 *
 * What a program needs for it is asked for when it runs, not when it is linked: libluajit-5.1.so.2 (Debian:
 * libluajit-5.1-2), a C compiler, the folder of the generator, and /proc. A description comes from someone whom the
 * program need not trust; compiler, cache and the generator's folder belong to those whom it trusts, since what they
 * hold is run. A process with more rights than its caller (setuid, AT_SECURE of getauxval(3)) asks nothing of the
 * environment: neither the variables named below nor PATH.
 *
 * The cache is trusted only when nobody else can have written there: its folder must be the caller's own and closed to
 * all others (0700), and no folder above it one in which others may rename (as the sticky /tmp is not). Where it is
 * not, or cannot be written, nothing fails: the chain is compiled, and why says so. What is damaged there is noticed
 * and made again. It keeps 256 objects, those that were used last.
 *
 * Where the idea comes from: FFTW's wisdom and ccache, for the cache; Orc, for compiling loops when they are asked for
 * (by an assembler of its own, where we ask the system's compiler). */
#ifndef ILP_LOAD_H
#define ILP_LOAD_H

#include "ilp/ilp.h"

#include <stddef.h>

/* Zeros and NULLs are the defaults, and a NULL instead of the whole. */
struct ilp_load_options {
	/* The C compiler, one that takes gcc's options: a path, or a name to be looked for in PATH. One word: a wrapper is
	 * a program. Default: ILP_CC of the environment, else the first there is of cc, gcc and clang. */
	const char *compiler;
	/* The folder of the cache, as an absolute path; made if need be. "" is for none. Default: XDG_CACHE_HOME/tcpu, else
	 * HOME/.cache/tcpu, the user's home where HOME is not set. */
	const char *cache;
	/* The folder that holds ilp/gen/ and ilp/stages/. Default: TCPU_SHARE of the environment, else that which the
	 * library was built in. */
	const char *share;
	/* How long the compiler may take, and how long to wait for another's. Default: 60. */
	unsigned seconds;
	/* For who looks at what loops do, as `tcpu explain`. counted: they count the bytes of data that they load and store
	 * (ilp_counted), and are slow. object: a descriptor that the object is written to, from where it stands; 0: none. */
	bool counted;
	int object;
};

/* Loads the chain that file describes: a path like "loops/my.lua", or the name of one of ilp/chains/. A stage is looked
 * for in stages/ beside the file (of a file in a folder chains/, in stages/ beside that), then in ours.
 *
 * 0: *chain is as good as one compiled in, and the caller's, for ilp_unload; it is not found by ilp_find. why is "", or
 * says why nothing is kept in the cache.
 * Otherwise *chain is NULL, why (of why_size bytes; NULL and 0 if nobody wants it) says what and what to do, in one
 * line but for what a compiler says, without the line's end, cut if need be, and what is returned is
 *	-EINVAL     description or stage has a mistake, or wants too many instructions or too much memory: why is
 *	            `file:line: what, expected …; what to do`. Or options->cache is no absolute path, or share has a
 *	            character that Lua's paths cannot have
 *	-ENOENT, -EACCES, … the file cannot be opened: what open(2) said
 *	-ENOPKG     something is not installed: LuaJIT, the generator, a compiler
 *	-ENOEXEC    the compiler failed, or what it made cannot be loaded; why has its first lines
 *	-ETIMEDOUT  the compiler took longer than it may, and was killed
 *	-ENOSYS     the library was built without LuaJIT's headers
 *	-EPROTO     the generator failed, which is a bug of it
 *	-ENOMEM, -EMFILE, -ENOSPC, … the system has no more of something
 *
 * Any number of threads may call at once; what one compiles, others wait for, in this process or another. A thread
 * wants 256 KiB of stack, and is cancelled before or after. No descriptor, child, or temporary file stays, and none of
 * the descriptors is ever without close-on-exec; the compiler raises no SIGCHLD, and no wait() of the program's can
 * take it away. Temporary files are in TMPDIR, or /tmp, in a folder of 0700. */
int ilp_load(const char *file, const struct ilp_load_options *options, const struct ilp_chain **chain, char *why,
	size_t why_size);

/* Gives back a chain of ilp_load's, whose loops nobody may run any more, and whose pointers are dead. NULL, and a chain
 * that is none of ilp_load's (or no more), are left alone. */
void ilp_unload(const struct ilp_chain *chain);

/* Of a chain that was loaded to be counted: bytes of data loaded ([0]) and stored ([1]) by its loops, for the caller to
 * set to zero. Data is what a loop is given in src and gives in dst, scratch memory included; a keystream, a fold's
 * state and what is held back are none. NULL: the chain is another. */
uint64_t *ilp_counted(const struct ilp_chain *chain);

#endif

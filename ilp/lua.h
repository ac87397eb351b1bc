/* Lua of ours in the program that runs, for ilp_load() and alf/profile.c: an embedded LuaJIT, bounded in memory, and
 * what its functions return. What they read may be hostile: ilp/gen/sandbox.lua sees to that. */
#ifndef ILP_LUA_H
#define ILP_LUA_H

#include <stdbool.h>
#include <stddef.h>

/* The text that the caller gets. */
struct ilp_why {
	char *text;
	size_t size;
};

/* Says why, in place of what was said before, on one line; returns error. */
int ilp_why(struct ilp_why *, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The folder that holds script, which is "ilp/gen/main.lua" say: *folder if it is not NULL, else TCPU_SHARE of the
 * environment, else that of the sources. -ENOPKG, -EINVAL. */
int ilp_share(const char **folder, const char *script, struct ilp_why *);
/* Whether what is to be read can be. What access(2) says; why: `file: what, expected kind; …`. */
int ilp_readable(const char *file, const char *kind, struct ilp_why *);

struct lua_State;

struct ilp_lua {
	const char *who;               /* for messages: "the generator" */
	const char *folder;            /* ilp_share() has found it */
	const char *module, *function; /* of folder/ilp/ or of folder: "gen.main", "outputs" */
	/* The function's arguments: a file that it reads, how many instructions it may take, and what it knows of. */
	const char *file;
	double instructions;
	bool flag;
	size_t memory_max;             /* bytes that all of it may have */
	/* What it returns, a table and a text, is looked at here, as long as this runs. 0 or a negative errno, with
	 * why; -EPROTO needs none. It does not return where memory ends: what it has made hangs on ctx. */
	int (*take)(struct lua_State *, void *ctx);
	void *ctx;
};
/* Calls it. Any number of threads may at once. What take returns;
 *	-EINVAL  the function returned nil and a complaint, which is why, or memory ended, which is told as file:1
 *	-ENOPKG, -ENOSYS, -ENOMEM  no LuaJIT; built without its headers; memory
 *	-EPROTO  it failed, or returned something else */
int ilp_lua(const struct ilp_lua *, struct ilp_why *);

/* For take: how many entries the table has; the text of a field of an entry, or of the table (entry 0), "" where it is
 * none; the other text; a field's number, false where it is none. */
size_t ilp_lua_count(struct lua_State *);
const char *ilp_lua_text(struct lua_State *, size_t entry, const char *field, size_t *len);
const char *ilp_lua_other(struct lua_State *, size_t *len);
bool ilp_lua_number(struct lua_State *, const char *field, double *);

#endif

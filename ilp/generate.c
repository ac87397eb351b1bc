/* The generator in an embedded LuaJIT (ilp/lua.h), for ilp_load(), and where it is. */
#include "ilp/loading.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TCPU_SHARE
#define TCPU_SHARE "." /* build.mk gives the folder of the sources */
#endif
#define MEMORY_MAX ((size_t)512 << 20)
#define INSTRUCTIONS_MAX 1e9

/* A name of a file that stays in its folder, and is nobody's option. */
static bool is_plain(const char *name, size_t len)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";

	return len > 0 && len < 256 && name[0] != '.' && strspn(name, good) == len;
}

/* An entry { path =, content = }. */
static int take(struct lua_State *L, size_t entry, struct ilp_files *files)
{
	struct ilp_file *f = &files->file[files->count];
	size_t name_len, len;
	const char *name = ilp_lua_text(L, entry, "path", &name_len), *text = ilp_lua_text(L, entry, "content", &len);

	if (!is_plain(name, name_len))
		return -EPROTO;
	f->name = strdup(name);
	if (!f->name)
		return -ENOMEM;
	files->count++;
	return ilp_blob_add(&f->text, text, len);
}

/* What outputs() has returned: a list of files and the chain's name. */
static int take_all(struct lua_State *L, void *ctx)
{
	struct ilp_files *files = ctx;
	const size_t count = ilp_lua_count(L);
	size_t len;
	const char *name = ilp_lua_other(L, &len);
	int error = 0;

	files->chain = strdup(name);
	if (!files->chain)
		return -ENOMEM;
	if (!is_plain(name, len) || count > ILP_FILES_MAX)
		return -EPROTO;
	for (size_t i = 1; !error && i <= count; i++)
		error = take(L, i, files);
	return error;
}

int ilp_share(const char **folder, const char *script, struct ilp_why *why)
{
	const char *s = *folder ? *folder : secure_getenv("TCPU_SHARE");
	char path[4096];

	*folder = s = s ? s : TCPU_SHARE;
	/* What separates, and what is replaced, in package.path. */
	if (strpbrk(s, ";?"))
		return ilp_why(why, -EINVAL, "the generator's folder '%s' has a ; or ? in its name, which Lua cannot have; "
			"rename it", s);
	if ((size_t)snprintf(path, sizeof path, "%s/%s", s, script) >= sizeof path || eaccess(path, R_OK) != 0)
		return ilp_why(why, -ENOPKG, "there is no '%s/%s' that can be read: set TCPU_SHARE to the folder that holds ilp/",
			s, script);
	return 0;
}

int ilp_readable(const char *file, const char *kind, struct ilp_why *why)
{
	if (eaccess(file, R_OK) == 0)
		return 0;
	const int error = -errno;
	return ilp_why(why, error, "%s: %s, expected a %s; name a file that can be read", file, strerror(-error), kind);
}

int ilp_generate(const char *description, const char *share, bool counted, struct ilp_files *files,
	struct ilp_why *why)
{
	struct ilp_lua call = { .who = "the generator", .module = "gen.main", .function = "outputs",
		.file = description, .instructions = INSTRUCTIONS_MAX, .flag = counted, .memory_max = MEMORY_MAX,
		.take = take_all, .ctx = files };
	int error = ilp_share(&share, "ilp/gen/main.lua", why);

	/* A path; others are names of chains, which the generator looks up. */
	if (!error && strpbrk(description, "/."))
		error = ilp_readable(description, "chain description", why);
	call.folder = share;
	return error ? error : ilp_lua(&call, why);
}

/* The generator in an embedded LuaJIT, for ilp_load().
 *
 * LuaJIT is fetched when it is needed, by dlopen: a program that only runs loops that are compiled in neither links it
 * nor has it installed, and one that embeds another Lua does not meet it. Nothing is compiled there: only what is
 * interpreted sees the limit of instructions. */
#include "ilp/loading.h"

#if __has_include(<lua.h>)
#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TCPU_SHARE
#define TCPU_SHARE "." /* build.mk gives the folder of the sources */
#endif
#define LIBRARY "libluajit-5.1.so.2"
#define MEMORY_MAX ((size_t)512 << 20)
#define INSTRUCTIONS_MAX 1e9

#define FUNCTIONS(f) \
	f(lua_newstate) f(lua_close) f(lua_cpcall) f(lua_call) f(luaL_openlibs) f(lua_getfield) f(lua_setfield) \
	f(lua_pushstring) f(lua_pushnumber) f(lua_pushboolean) f(lua_tolstring) f(lua_settop) \
	f(lua_type) f(lua_rawgeti) f(lua_objlen) f(lua_touserdata)
#define MEMBER(name) __typeof__(name) *(name);
static struct { FUNCTIONS(MEMBER) } lua;

static int fetch(struct ilp_why *why)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static bool here;
	int error = 0;

	pthread_mutex_lock(&lock);
	void *library = here ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!here && !library)
		error = ilp_why(why, -ENOPKG, "%s; install LuaJIT's library (Debian: apt-get install libluajit-5.1-2)", dlerror());
	here = here || library;
#define FETCH(name) \
	if (!error && library && !(lua.name = (__typeof__(name) *)dlsym(library, #name))) \
		error = ilp_why(why, -ENOPKG, "%s has no " #name ", expected LuaJIT 2.1; install that", LIBRARY), here = false;
	FUNCTIONS(FETCH)
	pthread_mutex_unlock(&lock);
	return error;
}

/* All that LuaJIT has of us. */
struct memory {
	size_t used;
	bool refused;
};

static void *allocate(void *arg, void *p, size_t before, size_t after)
{
	struct memory *m = arg;

	if (after > before && after - before > MEMORY_MAX - m->used) {
		m->refused = true;
		return NULL;
	}
	if (after == 0) {
		free(p);
		p = NULL;
	} else if ((p = realloc(p, after)) == NULL)
		return NULL;
	m->used += after - before;
	return p;
}

struct request {
	const char *description, *share;
	bool counted;
	struct ilp_files *files;
	struct ilp_why *why;
	int error;
};

static const char *text_at(lua_State *L, int index, size_t *len)
{
	const char *text = lua.lua_type(L, index) == LUA_TSTRING ? lua.lua_tolstring(L, index, len) : NULL;

	if (!text)
		*len = 0;
	return text ? text : "";
}

/* A name of a file that stays in its folder, and is nobody's option. */
static bool is_plain(const char *name, size_t len)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";

	return len > 0 && len < 256 && name[0] != '.' && strspn(name, good) == len;
}

/* The file at the top of the stack: { path =, content = }. */
static int take(lua_State *L, struct ilp_files *files)
{
	struct ilp_file *f = &files->file[files->count];
	size_t name_len, len;

	lua.lua_getfield(L, -1, "path");
	lua.lua_getfield(L, -2, "content");
	const char *name = text_at(L, -2, &name_len), *text = text_at(L, -1, &len);
	if (!is_plain(name, name_len))
		return -EPROTO;
	f->name = strdup(name);
	if (!f->name)
		return -ENOMEM;
	files->count++;
	return ilp_blob_add(&f->text, text, len);
}

/* What outputs() has returned: a list of files and the chain's name, or nil and a complaint. */
static int take_all(lua_State *L, struct request *r)
{
	struct ilp_files *files = r->files;
	size_t len;
	const char *text = text_at(L, -1, &len);
	int error = 0;

	if (lua.lua_type(L, -2) == LUA_TNIL)
		return ilp_why(r->why, -EINVAL, "%s", text);
	if (lua.lua_type(L, -2) != LUA_TTABLE)
		return -EPROTO;
	files->chain = strdup(text);
	if (!files->chain)
		return -ENOMEM;
	size_t count = lua.lua_objlen(L, -2);
	if (!is_plain(text, len) || count > ILP_FILES_MAX)
		return -EPROTO;
	for (size_t i = 1; !error && i <= count; i++) {
		lua.lua_rawgeti(L, -2, (int)i);
		error = take(L, files);
		lua.lua_settop(L, -4);
	}
	return error;
}

/* Protected: what goes wrong in Lua ends it, with a message. */
static int generate(lua_State *L)
{
	struct request *r = lua.lua_touserdata(L, 1);
	char path[4096];

	lua.luaL_openlibs(L);
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "package");
	snprintf(path, sizeof path, "%s/ilp/?.lua", r->share);
	lua.lua_pushstring(L, path);
	lua.lua_setfield(L, -2, "path");
	lua.lua_pushstring(L, "");
	lua.lua_setfield(L, -2, "cpath");
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "jit");
	lua.lua_getfield(L, -1, "off");
	lua.lua_call(L, 0, 0);
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "require");
	lua.lua_pushstring(L, "gen.main");
	lua.lua_call(L, 1, 1);
	lua.lua_getfield(L, -1, "outputs");
	lua.lua_pushstring(L, r->description);
	lua.lua_pushnumber(L, INSTRUCTIONS_MAX);
	lua.lua_pushboolean(L, r->counted);
	lua.lua_call(L, 3, 2);
	r->error = take_all(L, r);
	return 0;
}

static int find_share(const char **share, struct ilp_why *why)
{
	const char *s = *share ? *share : secure_getenv("TCPU_SHARE");
	char path[4096];

	*share = s = s ? s : TCPU_SHARE;
	/* What separates, and what is replaced, in package.path. */
	if (strpbrk(s, ";?"))
		return ilp_why(why, -EINVAL, "the generator's folder '%s' has a ; or ? in its name, which Lua cannot have; "
			"rename it", s);
	if ((size_t)snprintf(path, sizeof path, "%s/ilp/gen/main.lua", s) >= sizeof path || eaccess(path, R_OK) != 0)
		return ilp_why(why, -ENOPKG, "the generator is not in '%s/ilp/gen': set TCPU_SHARE to the folder that holds ilp/",
			s);
	return 0;
}

int ilp_generate(const char *description, const char *share, bool counted, struct ilp_files *files,
	struct ilp_why *why)
{
	struct request r = { .description = description, .counted = counted, .files = files, .why = why };
	struct memory memory = { .used = 0 };
	int error = find_share(&share, why);
	size_t len;

	/* A path; others are names of chains, which the generator looks up. */
	if (!error && strpbrk(description, "/.") && eaccess(description, R_OK) != 0) {
		error = -errno;
		ilp_why(why, error, "%s: %s, expected a chain description; name a file that can be read", description,
			strerror(-error));
	}
	if (!error)
		error = fetch(why);
	if (error)
		return error;
	r.share = share;
	lua_State *L = lua.lua_newstate(allocate, &memory);
	if (!L)
		return ilp_why(why, -ENOMEM, "LuaJIT: out of memory");
	if (lua.lua_cpcall(L, generate, &r) != 0)
		r.error = memory.refused ? ilp_why(why, -EINVAL, "%s:1: takes more than %zu MB, expected less; look for a table "
				"that grows", description, MEMORY_MAX >> 20) :
			ilp_why(why, -EPROTO, "the generator failed, which is a bug: %s", text_at(L, -1, &len));
	else if (r.error == -EPROTO)
		ilp_why(why, -EPROTO, "the generator returned what is no list of files, which is a bug");
	lua.lua_close(L);
	/* A complaint is a line, whatever stands in the names that it tells. */
	for (char *end; r.error && why->size && (end = strchr(why->text, '\n')) != NULL;)
		*end = '?';
	return r.error;
}
#else
#include <errno.h>

int ilp_generate(const char *description, const char *share, bool counted, struct ilp_files *files,
	struct ilp_why *why)
{
	(void)share, (void)counted, (void)files;
	return ilp_why(why, -ENOSYS, "%s: this library was built without LuaJIT, expected with it; install its headers "
		"(Debian: apt-get install libluajit-5.1-dev) and build again", description);
}
#endif

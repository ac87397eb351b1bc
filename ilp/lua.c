/* An embedded LuaJIT.
 *
 * It is fetched when it is needed, by dlopen: a program that only runs loops that are compiled in neither links it nor
 * has it installed, and one that embeds another Lua does not meet it. Nothing is compiled there: only what is
 * interpreted sees the limit of instructions. */
#include "ilp/lua.h"

#include <errno.h>

#if __has_include(<lua.h>)
#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libluajit-5.1.so.2"

#define FUNCTIONS(f) \
	f(lua_newstate) f(lua_close) f(lua_cpcall) f(lua_call) f(luaL_openlibs) f(lua_getfield) f(lua_setfield) \
	f(lua_pushstring) f(lua_pushnumber) f(lua_pushboolean) f(lua_tolstring) f(lua_tonumber) f(lua_settop) \
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
	size_t used, max;
	bool refused;
};

static void *allocate(void *arg, void *p, size_t before, size_t after)
{
	struct memory *m = arg;

	if (after > before && after - before > m->max - m->used) {
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

static const char *text_at(lua_State *L, int index, size_t *len)
{
	const char *text = lua.lua_type(L, index) == LUA_TSTRING ? lua.lua_tolstring(L, index, len) : NULL;

	if (!text)
		*len = 0;
	return text ? text : "";
}

/* While take runs, the table and the text are on top of the stack, and what is looked at does not stay there: the table
 * holds it. */
size_t ilp_lua_count(struct lua_State *L)
{
	return lua.lua_objlen(L, -2);
}

const char *ilp_lua_text(struct lua_State *L, size_t entry, const char *field, size_t *len)
{
	if (entry)
		lua.lua_rawgeti(L, -2, (int)entry);
	lua.lua_getfield(L, entry ? -1 : -2, field);
	const char *text = text_at(L, -1, len);
	lua.lua_settop(L, entry ? -3 : -2);
	return text;
}

const char *ilp_lua_other(struct lua_State *L, size_t *len)
{
	return text_at(L, -1, len);
}

bool ilp_lua_number(struct lua_State *L, const char *field, double *number)
{
	lua.lua_getfield(L, -2, field);
	const bool is = lua.lua_type(L, -1) == LUA_TNUMBER;
	if (is)
		*number = lua.lua_tonumber(L, -1);
	lua.lua_settop(L, -2);
	return is;
}

struct request {
	const struct ilp_lua *call;
	struct ilp_why *why;
	int error;
};

/* Protected: what goes wrong in Lua ends it, with a message. */
static int run(lua_State *L)
{
	struct request *r = lua.lua_touserdata(L, 1);
	const struct ilp_lua *c = r->call;
	char path[2 * 4096 + 32];
	size_t len;

	lua.luaL_openlibs(L);
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "package");
	snprintf(path, sizeof path, "%s/ilp/?.lua;%s/?.lua", c->folder, c->folder);
	lua.lua_pushstring(L, path);
	lua.lua_setfield(L, -2, "path");
	lua.lua_pushstring(L, "");
	lua.lua_setfield(L, -2, "cpath");
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "jit");
	lua.lua_getfield(L, -1, "off");
	lua.lua_call(L, 0, 0);
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "require");
	lua.lua_pushstring(L, c->module);
	lua.lua_call(L, 1, 1);
	lua.lua_getfield(L, -1, c->function);
	lua.lua_pushstring(L, c->file);
	lua.lua_pushnumber(L, c->instructions);
	lua.lua_pushboolean(L, c->flag);
	lua.lua_call(L, 3, 2);
	if (lua.lua_type(L, -2) == LUA_TNIL)
		r->error = ilp_why(r->why, -EINVAL, "%s", text_at(L, -1, &len));
	else
		r->error = lua.lua_type(L, -2) == LUA_TTABLE ? c->take(L, c->ctx) : -EPROTO;
	return 0;
}

int ilp_lua(const struct ilp_lua *call, struct ilp_why *why)
{
	struct request r = { .call = call, .why = why };
	struct memory memory = { .max = call->memory_max };
	int error = fetch(why);
	size_t len;

	if (error)
		return error;
	lua_State *L = lua.lua_newstate(allocate, &memory);
	if (!L)
		return ilp_why(why, -ENOMEM, "LuaJIT: out of memory");
	if (lua.lua_cpcall(L, run, &r) != 0)
		r.error = ilp_why(why, -EPROTO, "%s failed, which is a bug: %s", call->who, text_at(L, -1, &len));
	else if (r.error == -EPROTO)
		ilp_why(why, -EPROTO, "%s returned what nobody asked for, which is a bug", call->who);
	/* What Lua says then depends on where it happened. */
	if (r.error && memory.refused)
		r.error = ilp_why(why, -EINVAL, "%s:1: takes more than %zu MB, expected less; look for a table that grows",
			call->file, memory.max >> 20);
	lua.lua_close(L);
	/* A complaint is a line, whatever stands in the names that it tells. */
	for (char *end; r.error && why->size && (end = strchr(why->text, '\n')) != NULL;)
		*end = '?';
	return r.error;
}
#else
int ilp_lua(const struct ilp_lua *call, struct ilp_why *why)
{
	return ilp_why(why, -ENOSYS, "%s: this library was built without LuaJIT, expected with it; install its headers "
		"(Debian: apt-get install libluajit-5.1-dev) and build again", call->file);
}

size_t ilp_lua_count(struct lua_State *L)
{
	(void)L;
	return 0;
}

const char *ilp_lua_text(struct lua_State *L, size_t entry, const char *field, size_t *len)
{
	(void)L, (void)entry, (void)field;
	*len = 0;
	return "";
}

const char *ilp_lua_other(struct lua_State *L, size_t *len)
{
	return ilp_lua_text(L, 0, NULL, len);
}

bool ilp_lua_number(struct lua_State *L, const char *field, double *number)
{
	(void)L, (void)field, (void)number;
	return false;
}
#endif

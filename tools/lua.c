/* The generator (ilp/gen/) and the compiler of XDR files (ilp/xdr/), in an embedded LuaJIT. */
#include "tools/tcpu.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

lua_State *module_open(const char *module)
{
	const char *share = share_folder();
	char path[4096];

	if ((size_t)snprintf(path, sizeof path, "%s/ilp/gen/main.lua", share) >= sizeof path || access(path, R_OK) != 0) {
		fprintf(stderr, "tcpu: the generator is not in '%s/ilp/gen': set TCPU_SHARE to the folder that holds ilp/\n",
			share);
		return NULL;
	}
	lua_State *L = luaL_newstate();
	if (!L) {
		fputs("tcpu: out of memory\n", stderr);
		return NULL;
	}
	luaL_openlibs(L);
	lua_getglobal(L, "package");
	lua_pushfstring(L, "%s/ilp/?.lua", share);
	lua_setfield(L, -2, "path");
	lua_settop(L, 0);
	lua_getglobal(L, "require");
	lua_pushstring(L, module);
	if (lua_pcall(L, 1, 1, 0) != 0) {
		fprintf(stderr, "tcpu: %s\n", lua_tostring(L, -1));
		lua_close(L);
		return NULL;
	}
	return L;
}

lua_State *generator_open(void)
{
	return module_open("gen.main");
}

int generator_call(lua_State *L, const char *name, int arguments, int results)
{
	lua_getfield(L, 1, name);
	lua_insert(L, -1 - arguments);
	if (lua_pcall(L, arguments, results, 0) == 0)
		return TCPU_OK;
	fprintf(stderr, "tcpu: the generator failed, which is a bug: %s\n", lua_tostring(L, -1));
	return TCPU_FAILED;
}

json_t *lua_json(lua_State *L, int at)
{
	json_t *json;
	double number;

	switch (lua_type(L, at)) {
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(L, at));
	case LUA_TNUMBER:
		number = lua_tonumber(L, at);
		return floor(number) == number ? json_integer((json_int_t)number) : json_real(number);
	case LUA_TSTRING:
		return json_string(lua_tostring(L, at));
	case LUA_TTABLE:
		break;
	default:
		return json_null();
	}
	if (lua_objlen(L, at) > 0) {
		json = json_array();
		for (int i = 1; i <= (int)lua_objlen(L, at); i++) {
			lua_rawgeti(L, at, i);
			json_array_append_new(json, lua_json(L, lua_gettop(L)));
			lua_pop(L, 1);
		}
		return json;
	}
	json = json_object();
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
		if (lua_type(L, -2) == LUA_TSTRING)
			json_object_set_new(json, lua_tostring(L, -2), lua_json(L, lua_gettop(L)));
	return json;
}

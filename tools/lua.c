/* The generator (ilp/gen/), in an embedded LuaJIT. */
#include "tools/tcpu.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <unistd.h>

lua_State *generator_open(void)
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
	lua_pushliteral(L, "gen.main");
	if (lua_pcall(L, 1, 1, 0) != 0) {
		fprintf(stderr, "tcpu: %s\n", lua_tostring(L, -1));
		lua_close(L);
		return NULL;
	}
	return L;
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

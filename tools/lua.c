/* The generator, run in an embedded LuaJIT as luajit would run it. */
#include "tools/tcpu.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef TCPU_SHARE
#define TCPU_SHARE "." /* build.mk gives the folder of the sources */
#endif

int generator(int argc, const char *const *argv)
{
	const char *share = getenv("TCPU_SHARE");
	char script[4096];

	if (!share)
		share = TCPU_SHARE;
	if ((size_t)snprintf(script, sizeof script, "%s/ilp/gen/main.lua", share) >= sizeof script ||
		access(script, R_OK) != 0) {
		fprintf(stderr, "tcpu: the generator is not in '%s/ilp/gen': set TCPU_SHARE to the folder that holds ilp/\n",
			share);
		return TCPU_FAILED;
	}
	lua_State *L = luaL_newstate();
	if (!L) {
		fputs("tcpu: out of memory\n", stderr);
		return TCPU_FAILED;
	}
	luaL_openlibs(L);
	lua_createtable(L, argc, 1);
	lua_pushstring(L, script);
	lua_rawseti(L, -2, 0);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setglobal(L, "arg");
	int failed = luaL_loadfile(L, script);
	if (!failed) {
		for (int i = 0; i < argc; i++)
			lua_pushstring(L, argv[i]);
		failed = lua_pcall(L, argc, 0, 0);
	}
	if (failed)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_close(L);
	return failed ? TCPU_FAILED : TCPU_OK;
}

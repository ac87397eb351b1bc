/* Files in the XDR language: whatever they are, the compiler ends with C or with a complaint that says where, and fails
 * in no other way. The first byte chooses the dialect. */
#include "tests/fuzz/fuzz.h"
#include "tools/source.h"
#include "tools/tcpu.h"

#include <string.h>

static lua_State *L;
static struct source known;

static void open_compiler(void)
{
	char path[4096];

	L = module_open("xdr.main");
	snprintf(path, sizeof path, "%s/ilp/xdr/known.x", share_folder());
	must(L && text_read(path, &known.text) == 0);
	known.file = "known.x";
}

static void option(const char *name, const char *value)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input choices = { data, data + len };
	const bool stellar = take8(&choices) & 1;
	struct source s = { .file = "x.x" };

	if (!L)
		open_compiler();
	s.text.len = (size_t)(choices.end - choices.at);
	s.text.at = malloc(s.text.len + !s.text.len); /* as large as it is */
	must(s.text.at != NULL);
	memcpy(s.text.at, choices.at, s.text.len);
	lua_getfield(L, 1, "compile");
	lua_createtable(L, 2, 0);
	source_push(L, &known, false);
	lua_rawseti(L, -2, 1);
	source_push(L, &s, stellar);
	lua_rawseti(L, -2, 2);
	lua_newtable(L);
	option("name", "x");
	option("prefix", "");
	option("sources", "x.x");
	lua_pushboolean(L, stellar);
	lua_setfield(L, -2, "stellar");
	lua_pushboolean(L, true);
	lua_setfield(L, -2, "random");
	const int bug = lua_pcall(L, 2, 2, 0);
	if (bug)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	must(!bug);
	if (lua_isnil(L, -2)) {
		const char *why = lua_tostring(L, -1);

		/* behind the name of a file, which may be anything but control characters */
		must(why && strstr(why, ": ") && strpbrk(why, "0123456789"));
		must(strlen(why) == lua_objlen(L, -1) && !strpbrk(why, "\n\t\x1b"));
	}
	lua_settop(L, 1);
	lua_gc(L, LUA_GCCOLLECT, 0);
	free(s.text.at);
	return 0;
}

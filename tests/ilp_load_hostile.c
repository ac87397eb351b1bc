/* Descriptions from somebody who means no good, by way of ilp_load(): each is refused, soon, with the line, and nothing
 * is compiled, written, or left behind. What the sandbox says in detail is tried by tests/ilp/describe.lua. */
#include "ilp/load.h"
#include "tests/load_place.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHAIN "return chain { name = \"c\", stages = { \"probe\", \"copy\" } }\n"

/* A map whose apply has this body, on line 3 of stages/probe.lua. */
static void probe(const char *body)
{
	char text[4096];

	snprintf(text, sizeof text, "return stage { name = \"probe\", standard = \"none\", kind = \"map\", unit = 4,\n"
		"\ttail = \"pass\", inverse = \"self\", apply = function(w)\n%s\nend }\n", body);
	place_write("stages/probe.lua", text);
	place_write("c.lua", CHAIN);
}

/* c.lua is refused: FILE:LINE: …, and what in it. */
static void refused(const char *place_of, const char *what)
{
	const char *why = place_fails("c", -EINVAL);

	ck_assert_msg(strstr(why, place_of) && strstr(why, what), "%s, %s: %s", place_of, what, why);
	ck_assert_ptr_null(strchr(why, '\n'));
	ck_assert_uint_eq(place_compiled(), 0);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	ck_assert_int_eq(access(place("cache"), F_OK), -1);
}

static void teardown(void)
{
	/* After it all a good one is as good as ever. */
	probe("return xor(w, 3)");
	ck_assert_uint_eq(place_word(place_load("c")), 3);
	place_teardown();
}

START_TEST(no_way_out)
{
	static const char *const names[] = { "os", "io", "ffi", "debug", "package", "_G", "_ENV", "require", "load",
		"loadstring", "loadfile", "dofile", "getfenv", "setfenv", "getmetatable", "setmetatable", "rawget", "rawset",
		"rawequal", "pcall", "xpcall", "error", "coroutine", "string", "jit", "collectgarbage", "newproxy",
		"module", "print", "next", "pairs", "tostring", "gcinfo", "select" };
	char text[256], what[64];

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(what, sizeof what, "unknown name '%s'", names[i]);
		snprintf(text, sizeof text, "local x = %s\n" CHAIN, names[i]);
		place_write("c.lua", text);
		refused("c.lua:1: ", what);
		snprintf(text, sizeof text, "\treturn %s(w)", names[i]);
		probe(text);
		refused("stages/probe.lua:3: ", what);
	}
}
END_TEST

START_TEST(strings)
{
	probe("return (\"x\"):rep(1e9)");
	refused("probe.lua:3: ", "method 'rep'");
	probe("return (\"\").format(\"%d\", 1)");
	refused("probe.lua:3: ", "field 'format'");
	probe("local s = \"\" s.x = 1 return w");
	refused("probe.lua:3: ", "attempt to index");
	probe("local s = \"x\" for _ = 1, 99 do s = s .. s end return w");
	refused("probe.lua:3: ", "joins strings");
	/* Between functions, too: what our own code does with its strings is none of theirs. */
	place_write("c.lua", "local s = \"x\"\nlocal t = s.rep\nt(s, 1e9)\n" CHAIN);
	refused("c.lua:3: ", "attempt to call");
}
END_TEST

START_TEST(no_end)
{
	place_write("c.lua", "while true do end\n" CHAIN);
	refused("c.lua:1: ", "still running");
	place_write("c.lua", "::a:: goto a\n" CHAIN);
	refused("c.lua:1: ", "still running");
	place_write("c.lua", "for i = 1, 1e300 do end\n" CHAIN);
	refused("c.lua:1: ", "still running");
	probe("repeat until false");
	refused("probe.lua:3: ", "still running");
	probe("local function f(x) return f(x) end return f(w)");
	refused("probe.lua:3: ", "still running");
	probe("local function f(x) return 1 + f(x) end return f(w)");
	refused("probe.lua:3: ", "overflow");
	/* Word operations in every turn, whose work is ours. */
	probe("while true do add(1, 2) end return w");
	refused("probe.lua:3: ", "still running");
	probe("for i = 1, 1e12 do w = add(w, 1) end return w");
	refused("probe.lua:3: ", "still running");
	probe("while true do big(w) end return w");
	refused("probe.lua:3: ", "still running");
	/* Loops that are ours, of a length that is theirs. */
	probe("return repeat_(1e15, function(t) return { t[1] } end, { w })[1]");
	refused("probe.lua:3: ", "more than 2000000 operations");
	probe("return repeat_(1 / 0, function(t) return { t[1] } end, { w })[1]");
	refused("probe.lua:3: ", "repeat_(inf");
	probe("return repeat_(3000, function(t)\n"
		"return repeat_(3000, function(u) return { xor(u[1], 1) } end, t) end, { w })[1]");
	refused("probe.lua:4: ", "more than 2000000 operations");
}
END_TEST

START_TEST(no_bounds)
{
	place_write("c.lua", "local t = {} while true do t = { t, { 1, 2, 3, 4, 5, 6, 7, 8 } } end\n" CHAIN);
	refused("c.lua:1: ", "");
	place_write("c.lua", "local t = {} for i = 1, 7000 do t[i] = i end local u = {}\n"
		"while true do u[#u + 1] = { unpack(t) } end\n" CHAIN);
	refused("c.lua:2: ", "more than 256 MB");
	place_write("c.lua", "local t = { unpack({}, 1, 1e8) }\n" CHAIN);
	refused("c.lua:1: ", "too many results");
	probe("local t = {} for i = 1, 1e9 do t[i] = w end return w");
	refused("probe.lua:3: ", "");
	place_write("stages/probe.lua", "return stage { name = \"probe\", standard = \"none\", kind = \"stream\", unit = 64,\n"
		"params = { { \"key\", 1e9 } },\nbegin = function(p) return p.key end, block = function(s) return s end }\n");
	place_write("c.lua", CHAIN);
	refused("probe.lua:2: ", "multiple of 4 up to 128");
	/* What nests deeply in the text, where Lua's parser calls itself. */
	static char deep[300000];
	memset(deep, '(', sizeof deep - 1);
	place_write("c.lua", deep);
	refused("c.lua:1: ", "");
	memset(deep, '{', sizeof deep - 1);
	memcpy(deep, "return", 6);
	place_write("c.lua", deep);
	refused("c.lua:1: ", "");
	for (size_t i = 0; i + 10 < sizeof deep; i += 9)
		memcpy(deep + i, "function(", 9);
	place_write("c.lua", deep);
	refused("c.lua:1: ", "");
}
END_TEST

/* Arithmetic on 64-bit integers, which Lua text can write down, traps nowhere. */
START_TEST(integers)
{
	static const char *const bodies[] = { "return 1LL / 0LL", "return 1ULL % 0ULL",
		"return (-0x7fffffffffffffffLL - 1) / -1LL", "return (-0x7fffffffffffffffLL - 1) % -1LL", "return w + 1i",
		"return 2LL ^ 0x7fffffffffffffffLL", "return xor(w, 0 / 0)", "return shl(w, 1LL)", "return w[1]", "return w()",
		"return -w", "return #w", "return w == 1" };

	for (unsigned i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		probe(bodies[i]);
		refused("probe.lua:3: ", "expected");
	}
}
END_TEST

START_TEST(not_lua)
{
	static char large[(1 << 20) + 100];

	place_write("c.lua", "\033LJ\002");
	refused("c.lua:1: ", "compiled Lua");
	place_write("c.lua", "\xef\xbb\xbf\033LJ\002\n");
	refused("c.lua:1: ", "expected");
	place_write("c.lua", "#!/bin/lua\n\033LJ\002\n");
	refused("c.lua:1: ", "expected");
	place_write("c.lua", "");
	refused("c.lua:1: ", "the file returns nothing");
	memset(large, ' ', sizeof large - 1);
	place_write("c.lua", large);
	refused("c.lua:1: ", "longer than 1048576 bytes");
	ck_assert_int_eq(unlink(place("c.lua")), 0);
	ck_assert_int_eq(symlink("/dev/zero", place("c.lua")), 0);
	refused("c.lua:1: ", "no regular file");
	ck_assert_int_eq(unlink(place("c.lua")), 0);
	ck_assert_int_eq(mkdir(place("c.lua"), 0755), 0);
	refused("c.lua:1: ", "no regular file");
	ck_assert_int_eq(rmdir(place("c.lua")), 0);
	place_write("c.lua", CHAIN);
	ck_assert_int_eq(mkdir(place("stages"), 0755), 0);
	ck_assert_int_eq(mkfifo(place("stages/probe.lua"), 0600), 0);
	refused("stages/probe.lua:1: ", "no regular file");
	ck_assert_int_eq(unlink(place("stages/probe.lua")), 0);
}
END_TEST

/* Names become paths, C and messages. */
START_TEST(names)
{
	static const char *const stages[] = { "../../x", "/etc/passwd", "../c.lua\\0", "", "a b", "x;y", "%s%n", "A",
		"\\27[31m", "a\\nb:1: c" };
	char text[256];

	place_write("secret", "the secret");
	for (unsigned i = 0; i < sizeof stages / sizeof *stages; i++) {
		snprintf(text, sizeof text, "return chain { name = \"c\", stages = { \"%s\", \"copy\" } }\n", stages[i]);
		place_write("c.lua", text);
		refused("c.lua:1: ", "expected the name of a stage");
		snprintf(text, sizeof text, "return chain { name = \"%s\", stages = { \"copy\" } }\n", stages[i]);
		place_write("c.lua", text);
		refused("c.lua:1: ", "expected lower-case letters");
	}
	/* The end of a C string cuts a path; what is there is not told. */
	place_write("c.lua", "return chain { name = \"c\", stages = { \"../secret\\0\", \"copy\" } }\n");
	refused("c.lua:1: ", "expected the name of a stage");
	ck_assert_ptr_null(strstr(place_fails("c", -EINVAL), "the secret"));
	place_write("c.lua", "return chain { name = \"d\", stages = { \"copy\" } }\n");
	refused("c.lua:1: ", "expected \"c\"");
	place_write("c.lua", "return chain { name = \"c\", stages = { \"copy\" }, [\"\\27[2J\\n\"] = 1 }\n");
	refused("c.lua:1: ", "unknown field '?[2J?'");
	place_write("c.lua", "return chain { name = \"c\", stages = setmetatable({}, {}) }\n");
	refused("c.lua:1: ", "unknown name 'setmetatable'");
	place_write("stages/probe.lua", "return stage { name = \"probe\", standard = \"*/ int x; /*\", kind = \"map\",\n"
		"unit = 4, tail = \"pass\", inverse = \"self\", apply = function(w) return w end }\n");
	place_write("c.lua", CHAIN);
	refused("probe.lua:1: ", "comment");
}
END_TEST

/* What means something in C may name a chain all the same, but for those whose files would be others'. */
START_TEST(words_of_c)
{
	static const char *const good[] = { "int", "main", "printf", "ilp_chain", "chain", "run" }, *const bad[] = { "chains",
		"stdint", "stddef" };

	for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
		place_chain(good[i], "\"copy\"");
		const struct ilp_chain *c = place_load(good[i]);

		ck_assert_str_eq(c->name, good[i]);
		ilp_unload(c);
	}
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		place_chain(bad[i], "\"copy\"");
		ck_assert_ptr_nonnull(strstr(place_fails(bad[i], -EINVAL), "expected none of a file that is something else"));
	}
}
END_TEST

/* A generator that is not there, or not ours. */
START_TEST(generators)
{
	static const struct {
		const char *text;
		int error;
		const char *what;
	} mains[] = {
		{ "error 'no'", -EPROTO, "the generator failed, which is a bug: " },
		{ "error {}", -EPROTO, "the generator failed, which is a bug: " },
		{ "x = = y", -EPROTO, "the generator failed, which is a bug: " },
		{ "return {}", -EPROTO, "the generator failed, which is a bug: " },
		{ "return { outputs = function() return {}, {} end }", -EPROTO, "nobody asked for" },
		{ "return { outputs = function() return 'xx', 'c' end }", -EPROTO, "nobody asked for" },
		{ "return { outputs = function() return print, 'c' end }", -EPROTO, "nobody asked for" },
		{ "return { outputs = function() return { { path = '../x.c', content = '' } }, 'c' end }", -EPROTO,
			"nobody asked for" },
		{ "return { outputs = function() return { { path = '-x.c', content = '' } }, 'c' end }", -EPROTO,
			"nobody asked for" },
		{ "return { outputs = function() return { 1 }, 'c' end }", -EPROTO, "the generator failed" },
		{ "local t = { path = 'x.c', content = '' } local l = {} for i = 1, 17 do l[i] = t end\n"
			"return { outputs = function() return l, 'c' end }", -EPROTO, "nobody asked for" },
		{ "return { outputs = function() return nil, 'file:1: no' end }", -EINVAL, "file:1: no" },
		{ "return { outputs = function() return ('x'):rep(6e8) end }", -EINVAL, "c.lua:1: takes more than 512 MB" },
		{ "return { outputs = function() return { { path = 'x.c', content = 'int x' } }, 'c' end }", -ENOEXEC, "x.c:1" },
	};

	place_chain("c", "\"copy\"");
	setenv("TCPU_SHARE", place("share"), 1);
	ck_assert_ptr_nonnull(strstr(place_fails("c", -ENOPKG), "set TCPU_SHARE to the folder that holds ilp/"));
	for (unsigned i = 0; i < sizeof mains / sizeof *mains; i++) {
		place_write("share/ilp/gen/main.lua", mains[i].text);
		const char *why = place_fails("c", mains[i].error);

		ck_assert_msg(strstr(why, mains[i].what) != NULL, "%u: %s", i, why);
	}
	setenv("TCPU_SHARE", place("a;b"), 1);
	ck_assert_ptr_nonnull(strstr(place_fails("c", -EINVAL), "has a ; or ?"));
	unsetenv("TCPU_SHARE");
	/* What Lua itself would look at. */
	setenv("LUA_PATH", place("share/ilp/?.lua"), 1);
	setenv("LUA_CPATH", place("share/?.so"), 1);
	setenv("LUA_INIT", "os.exit(3)", 1);
	ilp_unload(place_load("c"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ilp_load_hostile");
	TCase *t = tcase_create("ilp_load_hostile");

	tcase_add_checked_fixture(t, place_setup, teardown);
	tcase_add_test(t, no_way_out);
	tcase_add_test(t, strings);
	tcase_add_test(t, no_end);
	tcase_add_test(t, no_bounds);
	tcase_add_test(t, integers);
	tcase_add_test(t, not_lua);
	tcase_add_test(t, names);
	tcase_add_test(t, words_of_c);
	tcase_add_test(t, generators);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

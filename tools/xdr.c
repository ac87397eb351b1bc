/* tcpu xdr: the verb. Files are read here, through the C preprocessor where they ask for it, and go as tokens to the
 * compiler, which is ilp/xdr/main.lua. */
#include "tools/arguments.h"
#include "tools/source.h"
#include "tools/tcpu.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPT_DIALECT = 256, OPT_TYPES, OPT_JSON, OPT_RANDOM };

static const struct argp_option options[] = {
	{ "out", 'o', "DIR", 0, "where it goes; made if need be [.]", 0 },
	{ "name", 'n', "NAME", 0, "of what is written: NAME.h, NAME.c [the last FILE's]", 0 },
	{ "prefix", 'p', "PREFIX", 0, "what the names of types and constants begin with in C", 0 },
	{ "dialect", OPT_DIALECT, "NAME", 0, "rfc: RFC 4506 and rpcgen's; stellar: comments from // and namespaces too [rfc]",
		0 },
	{ "define", 'D', "NAME[=VALUE]", 0, "for the C preprocessor, which has RPC_HDR", 0 },
	{ "skip-lines", 's', NULL, 0, "leave out what % says is to go to the C", 0 },
	{ "types", OPT_TYPES, NULL, 0, "list the types, and write nothing", 0 },
	{ "json", OPT_JSON, NULL, 0, "the same as JSON", 0 },
	{ "random", OPT_RANDOM, NULL, 0, "NAME_random.c too: random values of each type, for tests", 0 },
	{ 0 },
};

struct request {
	const char *out, *name, *prefix;
	bool stellar, skip_lines, types, json, random;
	char **files; /* what is left of argv */
	const char **defines;
	unsigned define_count;
};

/* What files are called in C. */
static bool is_name(const char *text)
{
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
			return false;
	return *text && *text != '-';
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	switch (key) {
	case 'o':
		if (!*arg)
			argp_error(state, "-o '': expected a folder; '.' is this one");
		r->out = arg;
		break;
	case 'n':
		if (!is_name(arg))
			argp_error(state, "-n '%s': expected letters, digits, _ and -", arg);
		r->name = arg;
		break;
	case 'p':
		if (!is_name(arg) || strchr(arg, '-') || isdigit((unsigned char)*arg))
			argp_error(state, "-p '%s': expected letters, digits and _", arg);
		r->prefix = arg;
		break;
	case OPT_DIALECT:
		r->stellar = strcmp(arg, "stellar") == 0;
		if (!r->stellar && strcmp(arg, "rfc") != 0)
			argp_error(state, "--dialect %s: expected rfc or stellar", arg);
		break;
	case 'D':
		r->defines[r->define_count++] = arg;
		break;
	case 's':
		r->skip_lines = true;
		break;
	case OPT_TYPES:
		r->types = true;
		break;
	case OPT_JSON:
		r->json = true;
		break;
	case OPT_RANDOM:
		r->random = true;
		break;
	case ARGP_KEY_ARG:
		return ARGP_ERR_UNKNOWN; /* all of them at once */
	case ARGP_KEY_ARGS:
		r->files = state->argv + state->next;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file? expected one in the XDR language");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Sources --------------------------------------------------------------------------------------------------------- */

/* Reads the files, and ours before them, and makes a Lua table of what gives their tokens. */
static int sources(lua_State *L, const struct request *r, struct source *list, size_t count)
{
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		int e = text_read(list[i].file, &list[i].text);

		if (!e && i > 0 && (r->define_count > 0 || text_has_directives(&list[i].text)))
			e = text_preprocess(list[i].file, r->defines, r->define_count, &list[i].text);
		if (e)
			return TCPU_FAILED;
		source_push(L, &list[i], r->stellar && i > 0);
		lua_rawseti(L, -2, (int)i + 1);
	}
	return TCPU_OK;
}

/* Lua's: makes a folder; a message if it cannot. */
static int make_folder(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		return 0;
	lua_pushfstring(L, "%s: %s", path, strerror(errno));
	return 1;
}

/* The verb ------------------------------------------------------------------------------------------------------- */

static void set(lua_State *L, const char *key, const char *value)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, key);
}

static void push_options(lua_State *L, const struct request *r, const char *name)
{
	luaL_Buffer all;

	lua_newtable(L);
	set(L, "name", name);
	set(L, "prefix", r->prefix);
	lua_pushboolean(L, r->stellar);
	lua_setfield(L, -2, "stellar");
	lua_pushboolean(L, !r->skip_lines);
	lua_setfield(L, -2, "lines");
	lua_pushboolean(L, r->random);
	lua_setfield(L, -2, "random");
	luaL_buffinit(L, &all);
	for (char **f = r->files; *f; f++) {
		const char *slash = strrchr(*f, '/');

		if (f != r->files)
			luaL_addlstring(&all, " ", 1);
		luaL_addstring(&all, slash ? slash + 1 : *f);
	}
	luaL_pushresult(&all);
	lua_setfield(L, -2, "sources");
	lua_pushcfunction(L, make_folder);
	lua_setfield(L, -2, "folder");
	if (!r->types && !r->json)
		set(L, "out", r->out);
}

/* What main.lua's compile came to: a page, or nil and a message. */
static int show(lua_State *L, const struct request *r)
{
	if (lua_isnil(L, -2)) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		return TCPU_FAILED;
	}
	if (r->json && arguments_json(stdout, lua_json(L, lua_gettop(L) - 1), JSON_INDENT(2) | JSON_SORT_KEYS) != 0)
		return TCPU_FAILED;
	if (!r->json && r->types)
		fputs(lua_tostring(L, -1), stdout);
	return TCPU_OK;
}

/* Removes the folders that were made, and are empty again. */
static void unmake(char *out, size_t there)
{
	static const char *const inner[] = { "stages", "chains" };

	for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
		char *path;

		if (asprintf(&path, "%s/%s", out, inner[i]) >= 0) {
			rmdir(path);
			free(path);
		}
	}
	folders_unmake(out, there);
}

static int compile(lua_State *L, const struct request *r, const char *name, struct source *list, size_t count)
{
	char *made = strdup(r->out);
	size_t there = 0;
	const bool writes = !r->types && !r->json;
	int status = sources(L, r, list, count);

	if (status == TCPU_OK && (!made || (writes && folders_make(made, &there) != 0))) {
		fprintf(stderr, "tcpu xdr: %s: %s\n", r->out, strerror(errno));
		status = TCPU_FAILED;
	}
	if (status == TCPU_OK) {
		push_options(L, r, name);
		status = generator_call(L, "run", 2, 2);
	}
	if (status == TCPU_OK)
		status = show(L, r);
	if (status != TCPU_OK && writes && made)
		unmake(made, there);
	free(made);
	return status;
}

/* The last file's, without folder and ending. */
static char *name_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *name = strdup(slash ? slash + 1 : file);
	char *dot = name ? strrchr(name, '.') : NULL;

	if (dot && dot != name)
		*dot = 0;
	return name;
}

static int run(const struct request *r, size_t count)
{
	struct source *list = calloc(count + 1, sizeof *list);
	char *name = r->name ? strdup(r->name) : name_of(r->files[count - 1]), *known = NULL;
	int status = TCPU_FAILED;
	lua_State *L = NULL;

	if (!list || !name || asprintf(&known, "%s/ilp/xdr/known.x", share_folder()) < 0) {
		fputs("tcpu xdr: out of memory\n", stderr);
	} else if (!is_name(name)) {
		fprintf(stderr, "tcpu xdr: '%s' is no name for C files, expected letters, digits, _ and -; choose one with -n\n",
			name);
	} else if ((L = module_open("xdr.main"))) {
		list[0].file = known;
		for (size_t i = 0; i < count; i++)
			list[i + 1].file = r->files[i];
		status = compile(L, r, name, list, count + 1);
		lua_close(L);
	}
	for (size_t i = 0; list && i <= count; i++)
		text_free(&list[i].text);
	free(list);
	free(name);
	free(known);
	return status;
}

int verb_xdr(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "FILE...",
		"Write C that encodes and decodes the types of files in the XDR language (RFC 4506, and rpcgen's): NAME.h, with "
		"types and functions as ilp/xdr.h says, and NAME.c; for arrays of structs of a fixed size, loops, stages/ and "
		"chains/ besides. Several files are read as one, in their order. A file with lines like #include or #if "
		"goes through the C preprocessor, as with rpcgen, and may name any other that you can read; with -D all do.\v"
		"A mistake is told as file:line:column: what was found, what was expected; nothing is written then.\n\n"
		"Example: tcpu xdr -o out nfs4.x && gcc -std=gnu17 -O2 -I. -c out/*.c\n\n"
		"Exit status: 0 done; 1 a mistake in a file, or one that cannot be read or written; 2 the arguments were wrong.",
		NULL, NULL, NULL
	};
	struct request r = { .out = ".", .prefix = "" };
	size_t count = 0;

	r.defines = calloc((size_t)argc, sizeof *r.defines);
	if (!r.defines)
		return TCPU_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &r);
	while (r.files[count])
		count++;
	const int status = run(&r, count);
	free(r.defines);
	return status;
}

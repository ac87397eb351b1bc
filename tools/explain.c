/* tcpu explain: the verb. What there is to say is worked out by the generator's planner (ilp/gen/). */
#include "tools/tcpu.h"

#include "ilp/ilp.h"

#include <argp.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum { OPT_JSON = 0x100 };

static const struct argp_option options[] = {
	{ "json", OPT_JSON, NULL, 0, "write JSON", 0 },
	{ 0 },
};

struct request {
	char **chains;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *r = state->input;

	(void)arg;
	switch (key) {
	case OPT_JSON:
		r->json = true;
		break;
	case ARGP_KEY_ARGS:
		r->chains = state->argv + state->next;
		break;
	case ARGP_KEY_END:
		if (r->json && !r->chains)
			argp_error(state, "--json of which chains? without it, and without a chain, they are listed");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* The plain value at that place of the stack: a table with a first element is an array, any other an object. */
static json_t *value(lua_State *L, int at)
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
			json_array_append_new(json, value(L, lua_gettop(L)));
			lua_pop(L, 1);
		}
		return json;
	}
	json = json_object();
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
		if (lua_type(L, -2) == LUA_TSTRING)
			json_object_set_new(json, lua_tostring(L, -2), value(L, lua_gettop(L)));
	return json;
}

static int explain(lua_State *L, const char *chain, json_t *pages)
{
	lua_settop(L, 1);
	lua_pushstring(L, chain);
	int status = generator_call(L, "explain", 1, 2); /* text and table, or nil and a message */
	if (status != TCPU_OK)
		return status;
	if (lua_isnil(L, -2)) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		return TCPU_FAILED;
	}
	if (pages)
		json_array_append_new(pages, value(L, lua_gettop(L)));
	else
		fputs(lua_tostring(L, -2), stdout);
	return TCPU_OK;
}

static int list(void)
{
	puts("Chains that are compiled in:");
	for (unsigned i = 0; ilp_chains[i]; i++)
		printf("  %-24s %s\n", ilp_chains[i]->name, ilp_chains[i]->stages);
	return TCPU_OK;
}

int verb_explain(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CHAIN...]",
		"What a chain becomes, and why: verdict, passes, and loads and stores per word, layered, tiled and fused. CHAIN "
		"is a file, or the name of one in ilp/chains/; without one, the chains that are compiled in are listed.\v"
		"Example: tcpu explain xdr_chacha20_copy_sum",
		NULL, NULL, NULL
	};
	struct request r = { .chains = NULL };
	int status = TCPU_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &r);
	if (!r.chains)
		return list();
	lua_State *L = generator_open();
	if (!L)
		return TCPU_FAILED;
	json_t *pages = r.json ? json_array() : NULL;
	for (char **chain = r.chains; *chain && status == TCPU_OK; chain++)
		status = explain(L, *chain, pages);
	if (pages && status == TCPU_OK) {
		status = json_dumpf(pages, stdout, JSON_INDENT(1) | JSON_SORT_KEYS) ? TCPU_FAILED : TCPU_OK;
		putchar('\n');
	}
	json_decref(pages);
	lua_close(L);
	return status;
}

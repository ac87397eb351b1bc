/* What the verbs of the command `tcpu` share. A verb is a file, a row in the table of tools/tcpu.c, and an argp parser
 * of its own; argv[0] is "tcpu VERB". */
#ifndef TOOLS_TCPU_H
#define TOOLS_TCPU_H

#include <jansson.h>
#include <lua.h>
#include <stdint.h>

/* Exit statuses. A chain that is not there is a failure: what was asked for was understood. */
enum { TCPU_OK, TCPU_FAILED, TCPU_USAGE };

int verb_gen(int argc, char **argv);
int verb_isa(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_bench(int argc, char **argv);
int verb_calibrate(int argc, char **argv);
int verb_never_slower(int argc, char **argv);
int verb_leaks(int argc, char **argv);
int verb_mca(int argc, char **argv);
int verb_baseline(int argc, char **argv);
int verb_conformance(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_memory(int argc, char **argv);
int verb_xdr(int argc, char **argv);
int verb_profile(int argc, char **argv);

/* "64", "8K", "1M", "2G" -> bytes, powers of 1024. 0 when it is no such number. */
uint64_t size_parse(const char *text);
/* The other way, shortest: "8K". Returns text. */
char *size_format(uint64_t bytes, char text[24]);

/* The folder that holds ilp/ and core/: TCPU_SHARE of the environment, else that of the sources. */
const char *share_folder(void);
/* An embedded LuaJIT whose only stack value is a module of ilp/, "xdr.main" say; the caller's, for lua_close. NULL: it
 * said why. */
lua_State *module_open(const char *module);
/* With the generator's (ilp/gen/main.lua). */
lua_State *generator_open(void);
/* Calls a function of that module with the arguments on top of the stack, as lua_pcall does. An exit status; it has
 * said why. */
int generator_call(lua_State *, const char *name, int arguments, int results);
/* The plain value at that place of the stack: a table with a first element is an array, any other an object. */
json_t *lua_json(lua_State *, int at);

/* Makes what is missing of a path's folders; there: how much of the path was. 0, or -1 with errno. */
int folders_make(char *path, size_t *there);
/* Removes those that are empty of what was made. */
void folders_unmake(char *path, size_t there);

#endif

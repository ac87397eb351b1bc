/* What the verbs of the command `tcpu` share. A verb is a file, a row in the table of tools/tcpu.c, and an argp parser
 * of its own; argv[0] is "tcpu VERB". */
#ifndef TOOLS_TCPU_H
#define TOOLS_TCPU_H

#include <stddef.h>
#include <stdint.h>

/* Exit statuses. */
enum { TCPU_OK, TCPU_FAILED, TCPU_USAGE };

int verb_gen(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_bench(int argc, char **argv);
int verb_baseline(int argc, char **argv);

/* "64", "8K", "1M", "2G" -> bytes, powers of 1024. 0 when it is no such number. */
uint64_t size_parse(const char *text);
/* The other way, shortest: "8K". Returns text. */
char *size_format(uint64_t bytes, char text[24]);

/* Runs the generator (ilp/gen/main.lua) in an embedded LuaJIT with these arguments; returns an exit status. */
int generator(int argc, const char *const *argv);

#endif

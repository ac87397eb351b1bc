/* A place of its own for a test of ilp_load(): a temporary folder with descriptions, a cache, and a compiler that
 * counts how often it is called. The environment says nothing else. */
#ifndef TESTS_LOAD_PLACE_H
#define TESTS_LOAD_PLACE_H

#include "ilp/load.h"

#include <stdbool.h>

/* setup and teardown of a checked fixture. The variables that ilp_load() looks at are unset then, but for TMPDIR,
 * place("tmp"), XDG_CACHE_HOME, place("cache"), and ILP_CC, place("cc"). */
void place_setup(void);
void place_teardown(void);

/* The path of what is called so in the folder; good for the next seven calls. */
const char *place(const char *name);
/* Writes a file of the place, makes its folder. */
void place_write(const char *name, const char *text);
/* Writes NAME.lua, a chain of those stages: "\"copy\", \"xdr_u32\"". */
void place_chain(const char *name, const char *stages);
/* Writes stages/NAME.lua: a map that xors the word. */
void place_xor(const char *name, const char *word);
/* Writes an executable script for /bin/sh; $PLACE in it is the folder. */
void place_script(const char *name, const char *text);
/* How often the compiler has been called. */
unsigned place_compiled(void);

/* Loads NAME.lua, which must be good, with nothing to remark. */
const struct ilp_chain *place_load(const char *name);
/* Loads it, which must fail so; the text is good until the next call. */
const char *place_fails(const char *name, int error);
/* The first word that the chain sends, of a word 0. */
uint32_t place_word(const struct ilp_chain *);

/* Entries of a folder, but . and .. and those that begin so, if that is not NULL. */
unsigned place_count(const char *folder, const char *but);
/* The only object in the cache: its path. */
const char *place_object(void);
/* Descriptors of this process. */
unsigned place_descriptors(void);

#endif

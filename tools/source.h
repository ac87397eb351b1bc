/* Sources of `tcpu xdr`: a file as text, through the C preprocessor where it asks for that, and as tokens. What goes
 * wrong is told. */
#ifndef TOOLS_SOURCE_H
#define TOOLS_SOURCE_H

#include "ilp/xdr/lexer.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#define TEXT_MAX ((size_t)4 << 20) /* bytes */

struct text {
	char *at;   /* malloc's */
	size_t len;
	char *kept; /* what was there before the preprocessor, or NULL */
	size_t kept_len;
};
void text_free(struct text *);

/* All of a file. 0, or -1. */
int text_read(const char *file, struct text *);
/* Whether a line is one for the preprocessor. */
bool text_has_directives(const struct text *);
/* What the preprocessor makes of the text of that file, instead of it; comments and columns stay. 0, or -1. Lines with
 * a % are C's, and none of its: it sees %@N instead, the place where such a line stands in what was there before. */
int text_preprocess(const char *file, const char *const defines[], unsigned count, struct text *);

struct source {
	const char *file;
	struct text text;
	struct ilp_xdr_lexer lexer;
};
/* Pushes a function that gives the next token of the text, for ilp/xdr/scan.lua: kind, text, line, column, file. The
 * source is to stay where it is as long as that is called. stellar: the dialect. */
void source_push(lua_State *, struct source *, bool stellar);

#endif

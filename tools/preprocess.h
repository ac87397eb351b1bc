/* A source file as text, through the C preprocessor where it asks for that. What goes wrong is told. */
#ifndef TOOLS_PREPROCESS_H
#define TOOLS_PREPROCESS_H

#include <stdbool.h>
#include <stddef.h>

#define TEXT_MAX ((size_t)16 << 20) /* bytes */

struct text {
	char *at; /* malloc's */
	size_t len;
};

/* All of a file. 0, or -1. */
int text_read(const char *file, struct text *);
/* Whether a line is one for the preprocessor. */
bool text_has_directives(const struct text *);
/* What the preprocessor makes of that file, instead of the text; comments and columns stay. 0, or -1. */
int text_preprocess(const char *file, const char *const defines[], unsigned count, struct text *);

#endif

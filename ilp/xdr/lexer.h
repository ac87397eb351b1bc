/* The tokens of the XDR language (RFC 4506 (6.2), and rpcgen's): tools/xdr.c hands them to the parser, parse.lua. */
#ifndef ILP_XDR_LEXER_H
#define ILP_XDR_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum ilp_xdr_token_kind {
	ILP_XDR_END,
	ILP_XDR_NAME,    /* keywords among them: which names are some is the parser's to know */
	ILP_XDR_NUMBER,  /* decimal, hexadecimal or octal, with its sign */
	ILP_XDR_MARK,    /* one of ; , : = { } [ ] < > ( ) * and :: */
	ILP_XDR_STRING,  /* with its quotation marks, as rpcgen has for constants */
	ILP_XDR_LINE,    /* what follows % in the first column, for the C that is written; goes on behind a
	              * backslash at the line's end */
	ILP_XDR_BAD,     /* nothing of the language: text is what stands there */
	ILP_XDR_COMMENT, /* one that does not end: text is its beginning */
};

struct ilp_xdr_token {
	enum ilp_xdr_token_kind kind;
	const char *text; /* into the source */
	size_t len;
	unsigned line, column; /* from 1; columns are bytes */
};

struct ilp_xdr_lexer {
	const char *begin, *at, *end;
	const char *line_at; /* where the line begins */
	unsigned line;
	bool slashes;        /* comments from // to the line's end */
	/* The file that the C preprocessor says it is in: into the source, between its quotation marks. NULL: none said. */
	const char *file;
	size_t file_len;
};

/* text is len bytes, none of which need be 0, and stays the caller's, for as long as tokens are looked at. */
void ilp_xdr_lexer_init(struct ilp_xdr_lexer *, const char *text, size_t len, bool slashes);
/* The next token; ILP_XDR_END again and again behind the last one. A line of the preprocessor's (# 12 "file") says
 * which line follows, and is no token. */
void ilp_xdr_lex(struct ilp_xdr_lexer *, struct ilp_xdr_token *);

#endif

/* Lexer of the XDR language: RFC 4506 (6.2), lines that begin with % and, for what the C preprocessor wrote, lines like
 * # 12 "file". A call gives a token: the scanner has no memory in between, so that any number of them can be under
 * way. */
#include "ilp/xdr/lexer.h"

#include <string.h>

%%{
	machine ilp_xdr_lexer;
	alphtype unsigned char;

	action newline {
		l->line++;
		l->line_at = (const char *)p + 1;
	}
	nl = '\n' @newline;
	blank = [ \t\r\f\v];
	name = [A-Za-z_] [A-Za-z_0-9]*;
	# What only looks like a number is one word, so that the parser can say what is wrong with it.
	number = '-'? [0-9] [A-Za-z_0-9]*;
	# To the line's end, and the next one's where a backslash stands there.
	line = ( [^\n\\] | '\\' ( nl | [^\n] ) )* '\\'?;
	string = '"' [^"\n]* '"';
	comment = '/*' ( ( any - '\n' ) | nl )* :>> '*/';

	main := |*
		blank;
		nl;
		comment;
		'/*' => { kind = ILP_XDR_COMMENT; fbreak; };
		'//' [^\n]* => {
			if (!l->slashes) {
				kind = ILP_XDR_BAD;
				te = ts + 2;
				fbreak;
			}
		};
		'%' line => {
			if ((const char *)ts == l->begin || ts[-1] == '\n') {
				kind = ILP_XDR_LINE;
				fbreak;
			}
			kind = ILP_XDR_BAD;
			te = ts + 1;
			fbreak;
		};
		'#' [^\n]* => {
			if (!marker(l, (const char *)ts, (const char *)te)) {
				kind = ILP_XDR_BAD;
				fbreak;
			}
		};
		string => { kind = ILP_XDR_STRING; fbreak; };
		name => { kind = ILP_XDR_NAME; fbreak; };
		number => { kind = ILP_XDR_NUMBER; fbreak; };
		( '::' | [;,:={}<>()*] | '[' | ']' ) => { kind = ILP_XDR_MARK; fbreak; };
		any => { kind = ILP_XDR_BAD; fbreak; };
	*|;
}%%

%% write data noentry noerror nofinal;

void ilp_xdr_lexer_init(struct ilp_xdr_lexer *l, const char *text, size_t len, bool slashes)
{
	*l = (struct ilp_xdr_lexer){ .begin = text, .at = text, .end = text + len, .line_at = text, .line = 1 };
	l->slashes = slashes;
}

static bool begins(const char *at, const char *end, const char *word)
{
	const size_t len = strlen(word);

	return (size_t)(end - at) > len && memcmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '\t');
}

/* A line that says where the next one is from: # 12 "file" 1. Takes note of it. #pragma and #ident, which the
 * preprocessor leaves, mean nothing. */
static bool marker(struct ilp_xdr_lexer *l, const char *at, const char *end)
{
	unsigned line = 0;
	const char *digits;

	if (at != l->line_at)
		return false;
	for (at++; at < end && (*at == ' ' || *at == '\t'); at++)
		;
	if (begins(at, end, "pragma") || begins(at, end, "ident"))
		return true;
	for (digits = at; at < end && *at >= '0' && *at <= '9' && line < 100000000; at++)
		line = line * 10 + (unsigned)(*at - '0');
	if (at == digits || end - at < 3 || at[0] != ' ' || at[1] != '"')
		return false;
	const char *name = at + 2;
	for (at = name; at < end && *at != '"'; at++)
		;
	if (at == end)
		return false;
	l->file = name;
	l->file_len = (size_t)(at - name);
	l->line = line - 1; /* the end of this one counts */
	return true;
}

void ilp_xdr_lex(struct ilp_xdr_lexer *l, struct ilp_xdr_token *t)
{
	const unsigned char *p = (const unsigned char *)l->at, *ts, *te;
	const unsigned char *const pe = (const unsigned char *)l->end, *const eof = pe;
	const struct ilp_xdr_lexer before = *l;
	enum ilp_xdr_token_kind kind = ILP_XDR_END;
	int cs, act;

	%% write init;
	%% write exec;
	(void)act;
	if (kind == ILP_XDR_END) {
		*t = (struct ilp_xdr_token){ .kind = ILP_XDR_END, .text = l->end, .line = l->line };
		t->column = (unsigned)(l->end - l->line_at) + 1;
		l->at = l->end;
		return;
	}
	/* A comment without an end is seen at the file's; the lines in it do not count. */
	if (kind == ILP_XDR_COMMENT) {
		l->line = before.line;
		l->line_at = before.line_at;
		for (const char *c = before.at; c < (const char *)ts; c++)
			if (*c == '\n') {
				l->line++;
				l->line_at = c + 1;
			}
	}
	*t = (struct ilp_xdr_token){ .kind = kind, .text = (const char *)ts, .len = (size_t)(te - ts), .line = l->line };
	t->column = kind == ILP_XDR_LINE ? 1 : (unsigned)((const char *)ts - l->line_at) + 1;
	for (const unsigned char *c = ts; kind == ILP_XDR_LINE && c < te; c++)
		t->line -= *c == '\n';
	l->at = (const char *)te;
}

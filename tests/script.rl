/* The grammar of scripts: see script.h. Actions fill in the event that they stand in, and one that says how much was
 * read so far may run again when an optional part follows. What could have come next is collected by error actions. */
#include "tests/script.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 8 /* of brackets in brackets */
#define US_MAX 1000000000000000ULL
#define BYTES_MAX 65495U /* of data and options in a packet */

struct level { /* of brackets */
	struct script_value value; /* under way */
	bool has, joined;          /* there is one; | stands behind it */
	char closing;
	uint32_t first, last;
};

struct reader {
	struct script *script;
	struct script_event *event;
	struct script_error *error;
	unsigned line;
	const char *counted;   /* up to where lines are counted */
	const char *mark;
	struct script_text word;
	uint64_t number, us, step_us, from_us;
	bool negative, ranged, blocks;
	struct {
		uint32_t seq, last, len;
	} range;
	uint8_t length_at;     /* the length of a SACK option that is under way */
	char before;           /* as struct script_term has it */
	uint32_t event_room, value_room, term_room;
	struct level level[DEPTH + 1];
	unsigned depth;
	char wanted[160];
	int result;
};

static struct script_text since(const struct reader *r, const char *p)
{
	return (struct script_text){ r->mark, (size_t)(p - r->mark) };
}

/* Reading ends here. */
static bool __attribute__((format(printf, 3, 4))) fail(struct reader *r, const char *p, const char *format, ...)
{
	const char *line = r->script->text;
	va_list a;

	if (r->result)
		return false;
	r->result = -EBADMSG;
	r->error->line = 1;
	for (const char *at = line; at < p; at++)
		if (*at == '\n') {
			r->error->line++;
			line = at + 1;
		}
	r->error->column = (unsigned)(p - line) + 1;
	va_start(a, format);
	vsnprintf(r->error->text, sizeof r->error->text, format, a);
	va_end(a);
	return false;
}

static void want(struct reader *r, const char *what)
{
	size_t len = strlen(r->wanted);

	if (!strstr(r->wanted, what))
		snprintf(r->wanted + len, sizeof r->wanted - len, "%s%s", len ? " or " : "", what);
}

/* Room for one more of count things; array is the place of the pointer to them. */
static bool room(struct reader *r, void *array, uint32_t count, uint32_t *have, size_t size)
{
	void *things;

	if (count < *have)
		return true;
	memcpy(&things, array, sizeof things);
	things = realloc(things, size * (count + 8) * 2);
	if (!things) {
		r->result = -ENOMEM;
		return false;
	}
	*have = (count + 8) * 2;
	memcpy(array, &things, sizeof things);
	return true;
}

static bool number_digit(struct reader *r, const char *p, unsigned base)
{
	unsigned digit = *p <= '9' ? (unsigned)(*p - '0') : (unsigned)((*p | 0x20) - 'a' + 10);

	if (r->number > ((uint64_t)INT64_MAX - digit) / base)
		return fail(r, p, "a number beyond 2^63");
	r->number = r->number * base + digit;
	return true;
}

static bool time_digit(struct reader *r, const char *p)
{
	r->us = r->us * 10 + (uint64_t)(*p - '0') * 1000000;
	return r->us < US_MAX || fail(r, p, "a time of more than %llu s", US_MAX / 1000000);
}

static bool at_most(struct reader *r, const char *p, uint64_t max)
{
	return r->number <= max || fail(r, p, "a number of at most %llu was expected", (unsigned long long)max);
}

static bool take32(struct reader *r, const char *p, uint32_t *to)
{
	*to = (uint32_t)r->number;
	return at_most(r, p, UINT32_MAX);
}

static bool take16(struct reader *r, const char *p, uint16_t *to)
{
	*to = (uint16_t)r->number;
	return at_most(r, p, UINT16_MAX);
}

static int64_t signed_number(const struct reader *r)
{
	return r->negative ? -(int64_t)r->number : (int64_t)r->number;
}

/* ---- segments ---- */

static bool take_window(struct reader *r, const char *p)
{
	r->event->segment.window = (int)r->number;
	return at_most(r, p, UINT16_MAX);
}

static bool check_range(struct reader *r, const char *p)
{
	uint32_t bytes = r->range.last - r->range.seq;

	return bytes == r->range.len ||
		fail(r, p, "from %u to %u there are not %u bytes", r->range.seq, r->range.last, r->range.len);
}

static bool option_bytes(struct reader *r, const char *p, const uint8_t *bytes, unsigned len)
{
	struct script_segment *s = &r->event->segment;

	if (s->options_len + len > SCRIPT_OPTIONS_MAX)
		return fail(r, p, "options of more than %d bytes", SCRIPT_OPTIONS_MAX);
	memcpy(s->options + s->options_len, bytes, len);
	s->options_len = (uint8_t)(s->options_len + len);
	return true;
}

static bool option_begin(struct reader *r, const char *p, uint8_t kind, uint8_t len)
{
	r->length_at = (uint8_t)(r->event->segment.options_len + 1);
	return option_bytes(r, p, (uint8_t[]){ kind, len }, len ? 2 : 1);
}

static bool option_number(struct reader *r, const char *p, unsigned bytes)
{
	uint8_t b[4];

	for (unsigned i = 0; i < bytes; i++)
		b[i] = (uint8_t)(r->number >> 8 * (bytes - 1 - i));
	return at_most(r, p, (1ULL << 8 * bytes) - 1) && option_bytes(r, p, b, bytes);
}

static void set_flag(struct reader *r, char letter)
{
	static const char letters[] = "FSRP.UEW"; /* from bit 0 */

	r->event->segment.flags |= (uint8_t)(1U << (strchr(letters, letter) - letters));
}

/* ---- calls ---- */

static bool add_value(struct reader *r, const struct script_value *v)
{
	struct script *s = r->script;
	struct level *l = &r->level[r->depth];

	if (!room(r, &s->values, s->value_count, &r->value_room, sizeof *v))
		return false;
	if (l->last)
		s->values[l->last].next = s->value_count;
	else
		l->first = s->value_count;
	l->last = s->value_count;
	s->values[s->value_count++] = *v;
	return true;
}

static bool word_to_number(struct reader *r, const char *p, struct script_value *v)
{
	if (v->kind != SCRIPT_WORD)
		return true;
	if (!script_constant(v->text, &v->number))
		return fail(r, p - v->text.len, "'%.*s' is no constant that we know", (int)v->text.len, v->text.at);
	v->kind = SCRIPT_NUMBER;
	return true;
}

/* An operand has been read: the first, or one behind |. */
static bool operand(struct reader *r, const char *p, struct script_value v)
{
	struct level *l = &r->level[r->depth];

	if (l->joined) {
		if (!word_to_number(r, p, &v))
			return false;
		if (v.kind != SCRIPT_NUMBER || l->value.kind != SCRIPT_NUMBER)
			return fail(r, p, "| joins numbers only");
		l->value.number |= v.number;
		l->joined = false;
		return true;
	}
	v.name = l->value.name;
	l->value = v;
	l->has = true;
	return true;
}

static bool join(struct reader *r, const char *p)
{
	struct level *l = &r->level[r->depth];

	l->joined = true;
	return word_to_number(r, p, &l->value);
}

static bool field_name(struct reader *r, const char *p)
{
	struct level *l = &r->level[r->depth];

	if (l->value.kind != SCRIPT_WORD || l->value.name.len)
		return fail(r, p, "a field's name was expected before =");
	l->value = (struct script_value){ .name = l->value.text };
	l->has = false;
	return true;
}

static bool end_value(struct reader *r, const char *p)
{
	struct level *l = &r->level[r->depth];
	bool had = l->has;
	struct script_value v = l->value;

	l->has = false;
	l->value = (struct script_value){ 0 };
	return !had || (word_to_number(r, p, &v) && add_value(r, &v));
}

static bool open_bracket(struct reader *r, const char *p)
{
	struct script_value v = { .kind = *p == '[' ? SCRIPT_LIST : SCRIPT_STRUCT };
	struct level *l = &r->level[r->depth];

	if (*p == '(') {
		l->value.kind = SCRIPT_FUNCTION; /* the word was its name */
	} else if (!operand(r, p, v)) {
		return false;
	}
	if (r->depth == DEPTH)
		return fail(r, p, "brackets stand more than %d deep", DEPTH);
	r->depth++;
	r->level[r->depth] = (struct level){ .closing = *p == '(' ? ')' : *p == '[' ? ']' : '}' };
	return true;
}

static bool close_bracket(struct reader *r, const char *p)
{
	struct level *l = &r->level[r->depth];

	if (!end_value(r, p))
		return false;
	if (*p != l->closing)
		return fail(r, p, "'%c' was expected, found '%c'", l->closing, *p);
	if (r->depth)
		r->level[--r->depth].value.first = l->first;
	else
		r->event->call.first = l->first;
	return true;
}

/* ---- assertions ---- */

static bool add_term(struct reader *r, const struct script_term *t)
{
	struct script *s = r->script;

	if (!room(r, &s->terms, s->term_count, &r->term_room, sizeof *t))
		return false;
	s->terms[s->term_count++] = *t;
	r->event->terms.count++;
	return true;
}

static bool number_term(struct reader *r)
{
	return add_term(r, &(struct script_term){ .number = signed_number(r), .before = r->before });
}

static bool field_term(struct reader *r, const char *p)
{
	struct script_term t = { .before = r->before, .field = script_field(since(r, p)) };

	if (!t.field && !script_constant(since(r, p), &t.number))
		return fail(r, r->mark, "'%.*s' is no field of TCP_INFO that we know", (int)(p - r->mark), r->mark);
	return add_term(r, &t);
}

/* ---- events ---- */

static bool check_segment(struct reader *r, const char *p, const struct script_event *e)
{
	const struct script_segment *s = &e->segment;

	if (s->options_len % 4)
		return fail(r, p, "options of %u bytes: nop or eol must make them a multiple of 4", s->options_len);
	if (s->len > BYTES_MAX - s->options_len)
		return fail(r, p, "a segment of more than %u bytes", BYTES_MAX);
	if (e->kind == SCRIPT_OUT)
		return true;
	if (s->window < 0)
		return fail(r, p, "a segment that comes in needs win");
	return (!s->options_any && s->ecn != SCRIPT_ECT01) ||
		fail(r, p, "a segment that comes in needs its options and ECN field as they are");
}

/* What only the whole event shows. */
static bool check_event(struct reader *r)
{
	const struct script_event *e = r->event;
	const char *end = e ? e->text.at + e->text.len : NULL;

	if (!e)
		return true;
	if (e->kind != SCRIPT_OUT && (e->when.kind == SCRIPT_ANY || e->when.to_us != e->when.from_us))
		return fail(r, e->text.at, "only a segment that goes out may come at any time, or between two times");
	if (e->when.to_us < e->when.from_us)
		return fail(r, e->text.at, "a time that ends before it begins");
	if (e->kind == SCRIPT_CALL && e->call.blocks && e->call.end_us < e->when.from_us)
		return fail(r, e->text.at, "a call that ends before it begins");
	return (e->kind != SCRIPT_IN && e->kind != SCRIPT_OUT) || check_segment(r, end, e);
}

static bool begin_event(struct reader *r, const char *p)
{
	struct script *s = r->script;

	if (!check_event(r) || !room(r, &s->events, s->event_count, &r->event_room, sizeof *r->event))
		return false;
	for (; r->counted < p; r->counted++)
		r->line += *r->counted == '\n';
	r->event = &s->events[s->event_count++];
	*r->event = (struct script_event){ .line = r->line };
	r->ranged = r->blocks = false;
	return true;
}

/* The time of the event is read. */
static void set_when(struct reader *r)
{
	r->event->when.from_us = r->ranged ? r->from_us : r->us;
	r->event->when.to_us = r->us;
}

/* What happens then begins. */
static void begin_action(struct reader *r, const char *p, enum script_kind kind)
{
	struct script_event *e = r->event;

	e->kind = kind;
	e->text.at = r->mark = p;
	if (kind == SCRIPT_CALL && r->blocks)
		e->call = (struct script_call){ .blocks = true, .end_us = r->us };
	else
		set_when(r);
	if (kind == SCRIPT_IN || kind == SCRIPT_OUT)
		e->segment = (struct script_segment){ .window = -1, .ecn = SCRIPT_ECN_ANY };
	if (kind == SCRIPT_ASSERT)
		e->terms.first = r->script->term_count;
	r->level[0] = (struct level){ .closing = ')' };
	r->depth = 0;
}

static bool set_icmp_error(struct reader *r, const char *p)
{
	struct script_text type = r->word, code = since(r, p);

	r->event->icmp.error = script_icmp_error(type, code);
	return r->event->icmp.error || fail(r, r->mark, "ICMP '%.*s %.*s' is none that we know", (int)type.len, type.at,
		(int)code.len, code.at);
}

static bool set_result_error(struct reader *r, const char *p)
{
	r->event->call.error = script_errno(since(r, p));
	return r->event->call.error || fail(r, r->mark, "'%.*s' is no errno", (int)(p - r->mark), r->mark);
}

static bool set_option(struct reader *r, const char *p)
{
	const char *right = script_config_set(&r->script->config, r->word, since(r, p));

	return !right || fail(r, r->word.at, "--%.*s: expected %s", (int)r->word.len, r->word.at, right);
}

%%{
	machine grammar;

	action mark { r->mark = p; }
	action word { r->word = since(r, p); r->mark = p; }
	action zero { r->number = 0; r->negative = false; }
	action minus { r->negative = true; }
	action decimal { if (!number_digit(r, p, 10)) fbreak; }
	action hex { if (!number_digit(r, p, 16)) fbreak; }

	# What may hold "/" or what white space there is would go on beside a comment, and the machine grow without end.
	comment = '//' [^\n]* '\n' | '/*' ( any* -- '*/' ) '*/';
	ws = ( space | comment )*;
	gap = space ( space | comment )*;
	sp = [ \t]*;
	name = [A-Za-z_] [A-Za-z0-9_]*;
	number = ( digit+ >zero $decimal ) @!{ want(r, "a number"); };
	integer = number | ( '-' number %minus ) | ( '0x' >zero xdigit+ $hex );

	# ---- the script's options

	option = ( '--' name >mark %word ( '=' ( graph - '/' )+ >mark )? )
		%{ if (!set_option(r, p)) fbreak; } @!{ want(r, "--option=value"); };

	# ---- times

	fraction = '.' digit+ ${ r->step_us /= 10; r->us += (uint64_t)(*p - '0') * r->step_us; };
	seconds = ( digit+ ${ if (!time_digit(r, p)) fbreak; } fraction? | fraction )
		>{ r->us = 0; r->step_us = 1000000; };
	until = ws '~' @{ r->from_us = r->us; r->ranged = true; } ws;
	time = ( seconds ( until seconds )?
		| '+' @{ r->event->when.kind = SCRIPT_AFTER; } ws seconds ( until '+' ws seconds )?
		| '*' @{ r->event->when.kind = SCRIPT_ANY; r->us = 0; } ) @!{ want(r, "a time"); };

	# ---- segments

	action option32 { if (!option_number(r, p, 4)) fbreak; }
	action option16 { if (!option_number(r, p, 2)) fbreak; }
	action option8 { if (!option_number(r, p, 1)) fbreak; }

	range = ( number %{ if (!take32(r, p, &r->range.seq)) fbreak; } ':'
		number %{ if (!take32(r, p, &r->range.last)) fbreak; } '('
		number %{ if (!take32(r, p, &r->range.len)) fbreak; } ')' @{ if (!check_range(r, p)) fbreak; } )
		@!{ want(r, "first:last(bytes)"); };
	block = number %option32 ':' number %option32 %{ r->event->segment.options[r->length_at] += 8; };
	tcp_option = ( 'nop' @{ if (!option_begin(r, p, 1, 0)) fbreak; }
		| 'eol' @{ if (!option_begin(r, p, 0, 0)) fbreak; }
		| 'mss' @{ if (!option_begin(r, p, 2, 4)) fbreak; } gap number %option16
		| 'wscale' @{ if (!option_begin(r, p, 3, 3)) fbreak; } gap number %option8
		| 'sackOK' @{ if (!option_begin(r, p, 4, 2)) fbreak; }
		| 'sack' gap >{ if (!option_begin(r, p, 5, 2)) fbreak; } block ( gap block )*
		| 'TS' @{ if (!option_begin(r, p, 8, 10)) fbreak; } gap 'val' gap number %option32
			gap 'ecr' gap number %option32
		| 'raw' gap ( xdigit >zero $hex xdigit $hex @option8 )+ )
		@!{ want(r, "a TCP option"); };
	tcp_options = '<' ws ( '...' @{ r->event->segment.options_any = true; }
		| tcp_option ( ws ',' ws tcp_option )* ) ws '>' @!{ want(r, ">"); };
	ecn = ( 'noecn' @{ r->event->segment.ecn = 0; } | 'ect1' @{ r->event->segment.ecn = 1; }
		| 'ect0' @{ r->event->segment.ecn = 2; } | 'ce' @{ r->event->segment.ecn = 3; }
		| 'ect01' @{ r->event->segment.ecn = SCRIPT_ECT01; } );
	ports = number %{ if (!take16(r, p, &r->event->segment.src_port)) fbreak; } ws '>' ws
		number %{ if (!take16(r, p, &r->event->segment.dst_port)) fbreak; } gap;
	flags = ( [FSRPUEW]+ ${ set_flag(r, *p); } ( '.' @{ set_flag(r, *p); } )?
		| '.' @{ set_flag(r, *p); } | '-' ) @!{ want(r, "flags as S, S., P. or -"); };
	tcp = ( '[' ecn ']' ws | '(' ecn ')' ws )? ports? flags gap
		range @{ r->event->segment.seq = r->range.seq; r->event->segment.len = r->range.len; }
		( gap ( 'ack' gap number ) @!{ want(r, "ack N"); }
			%{ if (!take32(r, p, &r->event->segment.ack)) fbreak; } )?
		( gap ( 'win' gap number ) @!{ want(r, "win N"); } %{ if (!take_window(r, p)) fbreak; } )?
		( gap ( 'urg' gap number ) @!{ want(r, "urg N"); }
			%{ if (!take16(r, p, &r->event->segment.urgent)) fbreak; } )?
		( ws tcp_options )?;
	icmp = ( 'icmp' @{ r->event->kind = SCRIPT_ICMP; r->event->icmp = (struct script_icmp){ 0 }; }
		gap name >mark %word gap name >mark %{ if (!set_icmp_error(r, p)) fbreak; }
		( gap 'mtu' gap number %{ if (!take32(r, p, &r->event->icmp.mtu)) fbreak; } )?
		( ws '[' range ']' @{ r->event->icmp.seq = r->range.seq; r->event->icmp.len = r->range.len; } )? )
		@!{ want(r, "icmp type code mtu N [first:last(bytes)]"); };
	segment = '<' @{ begin_action(r, p, SCRIPT_IN); } ws ( tcp | icmp )
		| '>' @{ begin_action(r, p, SCRIPT_OUT); } ws tcp;

	# ---- calls

	operand = ( '...' @{ if (!operand(r, p, (struct script_value){ .kind = SCRIPT_ELLIPSIS })) fbreak; }
		| integer %{ if (!operand(r, p, (struct script_value){ .number = signed_number(r) })) fbreak; }
		| name >mark %{ if (!operand(r, p, (struct script_value){ .kind = SCRIPT_WORD, .text = since(r, p) })) fbreak; }
			( ws '(' @{ if (!open_bracket(r, p)) fbreak; fcall list; } )?
		| '"' @{ r->mark = p + 1; } ( [^"\\\n] | '\\' any )*
			'"' @{ if (!operand(r, p, (struct script_value){ .kind = SCRIPT_STRING, .text = since(r, p) })) fbreak; }
		| [\[{] @{ if (!open_bracket(r, p)) fbreak; fcall list; } ) @!{ want(r, "an argument"); };
	item = operand ( ws ( '|' @{ if (!join(r, p)) fbreak; } | '=' @{ if (!field_name(r, p)) fbreak; } )
		ws operand )*;
	list := ws ( item ( ws ',' @{ if (!end_value(r, p)) fbreak; } ws item )* ws )?
		[)}\]] @{ if (!close_bracket(r, p)) fbreak; fret; };
	note = '(' [^)]* ')';
	result = ( '...' @{ r->event->call.result_any = true; }
		| integer %{ r->event->call.result = signed_number(r); } ) @!{ want(r, "a result"); }
		( gap ( [A-Z] [A-Z0-9]* ) >mark %{ if (!set_result_error(r, p)) fbreak; } )? ( ws note )?;
	call = ( '...' @{ set_when(r); r->blocks = true; } ws seconds gap )?
		( name '(' ) >{ begin_action(r, p, SCRIPT_CALL); } @!{ want(r, "< or > and a segment or a call"); }
		@{ r->event->call.name = (struct script_text){ r->mark, (size_t)(p - r->mark) }; fcall list; }
		ws '=' @!{ want(r, "= result"); } ws result;

	# ---- the rest

	shell = ( '`' @{ begin_action(r, p, SCRIPT_SHELL); } ws 'true' ws '`' )
		@!{ want(r, "`true` (scripts run no other command)"); };
	term = number %{ if (!number_term(r)) fbreak; }
		| name >mark @!{ want(r, "a field of TCP_INFO"); } %{ if (!field_term(r, p)) fbreak; };
	sum = term ( sp [+\-*] @{ r->before = *p; } sp term )*;
	comparator = '==' @{ r->before = '='; } | '!=' @{ r->before = '!'; }
		| '<' @{ r->before = '<'; } | '<=' @{ r->before = 'l'; }
		| '>' @{ r->before = '>'; } | '>=' @{ r->before = 'g'; };
	comparison = sum sp comparator @!{ want(r, "a comparison"); } sp sum;
	statement = 'assert' @{ r->before = '&'; } @!{ want(r, "assert"); } [ \t]+ comparison
		( [ \t]+ 'and' @{ r->before = '&'; } [ \t]+ comparison )* ( sp ',' ( print - [;}/] )* )?;
	assertion = '%{' >{ begin_action(r, p, SCRIPT_ASSERT); } ws statement ( sp [\n;] ws statement )* ws
		'}%' @!{ want(r, "}%"); };

	event = ( time >{ if (!begin_event(r, p)) fbreak; } ws ( segment | call | shell | assertion ) )
		%{ r->event->text.len = (size_t)(p - r->event->text.at); };
	main := ws ( option gap )* event ( gap event )* ws;

	write data noerror noentry;
}%%

static void read_text(struct reader *r)
{
	const char *p = r->script->text, *pe = p + strlen(p), *eof = pe;
	int cs, top, stack[DEPTH + 2];
	int found;

	r->counted = p;
	r->line = 1;
	%% write init;
	%% write exec;
	if (r->result || (cs >= grammar_first_final && check_event(r)))
		return;
	found = (int)strcspn(p, " \t\n");
	fail(r, p, "expected %s, found %s%.*s%s", *r->wanted ? r->wanted : "something else", found ? "'" : "",
		found ? found < 20 ? found : 20 : 11, found ? p : *p ? "end of line" : "end of file", found ? "'" : "");
}

int script_read(const char *text, size_t len, struct script **out, struct script_error *error)
{
	struct script *s;
	struct reader r = { .error = error };

	if (len > SCRIPT_BYTES_MAX)
		return -EFBIG;
	s = calloc(1, sizeof *s);
	r.script = s;
	if (!s || !(s->text = malloc(len + 2))) {
		free(s);
		return -ENOMEM;
	}
	/* What ends with the end of its line is easier to read. */
	memcpy(s->text, text, len);
	strcpy(s->text + len, "\n");
	script_config_default(&s->config);
	if (memchr(text, 0, len))
		fail(&r, s->text + strlen(s->text), "a byte of 0");
	else if (add_value(&r, &(struct script_value){ 0 }))
		read_text(&r);
	if (r.result) {
		script_free(s);
		return r.result;
	}
	*out = s;
	return 0;
}

void script_free(struct script *s)
{
	free(s->events);
	free(s->values);
	free(s->terms);
	free(s->text);
	free(s);
}

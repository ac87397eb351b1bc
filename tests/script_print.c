/* Segments and events in the notation of scripts: what is printed reads as what it was. */
#include "tests/script.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct line {
	char *at;
	size_t room;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *format, ...)
{
	va_list a;
	int n;

	va_start(a, format);
	n = vsnprintf(l->at, l->room, format, a);
	va_end(a);
	if (n < 0 || (size_t)n >= l->room)
		n = (int)l->room - 1; /* what is cut off is the end of a list of options */
	l->at += n;
	l->room -= (size_t)n;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void raw(struct line *l, const uint8_t *o, size_t len)
{
	add(l, "raw ");
	for (size_t i = 0; i < len; i++)
		add(l, "%02x", o[i]);
}

/* One option; how long it is. What has no name, or is none, goes on to the end of all where its length says no more. */
static size_t option(struct line *l, const uint8_t *o, size_t left)
{
	size_t len = *o < 2 ? 1 : left < 2 || o[1] < 2 || o[1] > left ? left : o[1];

	if (*o < 2)
		add(l, *o ? "nop" : "eol");
	else if (*o == 2 && len == 4 && o[1] == 4)
		add(l, "mss %u", o[2] << 8 | o[3]);
	else if (*o == 3 && len == 3 && o[1] == 3)
		add(l, "wscale %u", o[2]);
	else if (*o == 4 && len == 2 && o[1] == 2)
		add(l, "sackOK");
	else if (*o == 8 && len == 10 && o[1] == 10)
		add(l, "TS val %u ecr %u", get32(o + 2), get32(o + 6));
	else if (*o == 5 && len > 2 && o[1] == len && len % 8 == 2) {
		add(l, "sack");
		for (size_t i = 2; i < len; i += 8)
			add(l, " %u:%u", get32(o + i), get32(o + i + 4));
	} else {
		raw(l, o, len);
	}
	return len;
}

static void flags(struct line *l, uint8_t f)
{
	static const char letters[] = "SFRPUEW";
	static const uint8_t bits[] = { SCRIPT_SYN, SCRIPT_FIN, SCRIPT_RST, SCRIPT_PSH, SCRIPT_URG, SCRIPT_ECE, SCRIPT_CWR };

	for (unsigned i = 0; i < sizeof bits; i++)
		if (f & bits[i])
			add(l, "%c", letters[i]);
	add(l, f & SCRIPT_ACK ? "." : f ? "" : "-");
}

void script_print_segment(char line[SCRIPT_LINE_MAX], bool out, const struct script_segment *s)
{
	static const char *const ecn[] = { "noecn", "ect1", "ect0", "ce", "ect01" };
	struct line l = { line, SCRIPT_LINE_MAX };

	add(&l, "%c ", out ? '>' : '<');
	if (s->ecn != SCRIPT_ECN_ANY)
		add(&l, "[%s] ", ecn[s->ecn]);
	if (s->src_port || s->dst_port)
		add(&l, "%u > %u ", s->src_port, s->dst_port);
	flags(&l, s->flags);
	add(&l, " %u:%u(%u)", s->seq, s->seq + s->len, s->len);
	if (s->flags & SCRIPT_ACK || s->ack)
		add(&l, " ack %u", s->ack);
	if (s->window >= 0)
		add(&l, " win %d", s->window);
	if (s->urgent)
		add(&l, " urg %u", s->urgent);
	if (s->options_any)
		add(&l, " <...>");
	if (!s->options_len)
		return;
	for (size_t i = 0; i < s->options_len;) {
		add(&l, i ? "," : " <");
		i += option(&l, s->options + i, s->options_len - i);
	}
	add(&l, ">");
}

void script_print_event(char line[SCRIPT_LINE_MAX], const struct script_event *e)
{
	struct line l = { line, SCRIPT_LINE_MAX };
	bool space = false;

	if (e->kind == SCRIPT_IN || e->kind == SCRIPT_OUT) {
		script_print_segment(line, e->kind == SCRIPT_OUT, &e->segment);
		return;
	}
	for (size_t i = 0; i < e->text.len; i++) {
		bool blank = memchr(" \t\n", e->text.at[i], 3);

		if (!blank)
			add(&l, "%s%c", space ? " " : "", e->text.at[i]);
		space = blank;
	}
}

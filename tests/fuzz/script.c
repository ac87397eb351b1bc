/* The reader of scripts (tests/script.rl): a text is a script, or it is said where and why not; what it says of
 * segments can be printed and read again, and is the same. */
#include "tests/fuzz/fuzz.h"
#include "tests/script.h"

#include <string.h>

static void check_error(const char *text, size_t len, const struct script_error *e)
{
	unsigned lines = 2; /* a text that ends within a line is read as if that ended, too */

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	must(e->line >= 1 && e->line <= lines);
	must(e->column >= 1 && e->column <= len + 1);
	must(memchr(e->text, 0, sizeof e->text) && e->text[0]);
}

/* Printed, read and printed again, a segment looks the same. */
static void check_notation(const struct script_segment *s, bool out)
{
	char first[SCRIPT_LINE_MAX], second[SCRIPT_LINE_MAX], text[SCRIPT_LINE_MAX + 8];
	struct script_error error;
	struct script *again;
	int n;

	script_print_segment(first, out, s);
	n = snprintf(text, sizeof text, "0 %s\n", first);
	must(n > 0 && n < (int)sizeof text);
	must(script_read(text, (size_t)n, &again, &error) == 0);
	must(again->event_count == 1 && again->events->kind == (out ? SCRIPT_OUT : SCRIPT_IN));
	script_print_segment(second, out, &again->events->segment);
	must(!strcmp(first, second));
	script_free(again);
}

static bool within(const struct script *s, size_t len, struct script_text t)
{
	return t.at >= s->text && t.at + t.len <= s->text + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + !len);
	struct script_error error = { 0 };
	struct script *s = NULL;

	memcpy(text, data, len);
	if (script_read(text, len, &s, &error)) {
		check_error(text, len, &error);
		free(text);
		return 0;
	}
	for (uint32_t i = 0; i < s->event_count; i++) {
		const struct script_event *e = &s->events[i];
		char line[SCRIPT_LINE_MAX];

		must(within(s, len, e->text));
		script_print_event(line, e);
		must(memchr(line, 0, sizeof line));
		if (e->kind == SCRIPT_IN || e->kind == SCRIPT_OUT)
			check_notation(&e->segment, e->kind == SCRIPT_OUT);
	}
	script_free(s);
	free(text);
	return 0;
}

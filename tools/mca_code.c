/* Disassembled code: reads it, and writes a loop's. AT&T syntax, as llvm-objdump 14 writes it:
 *
 *	0000000000023370 <send_fused_avx512_loop>:
 *	   23370:      	pushq	%rbp
 *	   23381:      	callq	0x22ed0 <send_fused_avx512.constprop.0>
 *	   23404:      	movq	245709(%rip), %rax      # 0x3ffd8 <__cpu_model>
 */
#include "tools/mca_inside.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (64UL << 20)
static char *read_all(FILE *f, char why[MCA_WHY])
{
	size_t room = 1 << 20, n = 0, got;
	char *text = malloc(room + 1);

	while (text && (got = fread(text + n, 1, room - n, f)) > 0) {
		n += got;
		if (n < room)
			continue;
		char *more = room < TEXT_MAX ? realloc(text, 2 * room + 1) : NULL;
		if (!more)
			free(text);
		text = more;
		room *= 2;
	}
	if (!text)
		snprintf(why, MCA_WHY, "the disassembly is longer than %lu MiB, or than memory", TEXT_MAX >> 20);
	else if (memchr(text, 0, n)) {
		snprintf(why, MCA_WHY, "the disassembly holds a zero byte: expected text");
		free(text);
		text = NULL;
	} else
		text[n] = 0;
	return text;
}

static enum flow flow_of(const char *mnemonic, size_t len)
{
	static const struct {
		const char *name;
		enum flow flow;
	} others[] = { { "jmp", FLOW_JUMP }, { "jmpq", FLOW_JUMP }, { "callq", FLOW_CALL }, { "call", FLOW_CALL },
		{ "retq", FLOW_END }, { "ret", FLOW_END }, { "ud2", FLOW_END }, { "hlt", FLOW_END }, { "int3", FLOW_END },
		{ "notrack", FLOW_END } /* jmpq *%rax, into a table */ };

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strlen(others[i].name) == len && !memcmp(others[i].name, mnemonic, len))
			return others[i].flow;
	if (mnemonic[0] == 'j' || (len >= 4 && !memcmp(mnemonic, "loop", 4)))
		return FLOW_BRANCH;
	return FLOW_ON;
}

/* "0x23386 <name+0x16>" -> 0x23386. */
static uint64_t target_of(const char *operands)
{
	return strncmp(operands, "0x", 2) != 0 ? MCA_UNKNOWN : strtoull(operands, NULL, 16);
}

/* "   23370:      \tpushq\t%rbp" */
static bool read_instruction(struct mca_code *c, char *line)
{
	char *end;
	uint64_t address = strtoull(line, &end, 16);

	if (end == line || *end != ':' || !c->function_count)
		return false;
	end++;
	end += strspn(end, " ");
	if (*end != '\t' || !end[1] || strchr(" \t#", end[1]))
		return false;
	char *text = end + 1, *comment = strchr(text, '#');
	if (comment)
		*comment = 0;
	for (size_t len = strlen(text); len && strchr(" \t", text[len - 1]); len--)
		text[len - 1] = 0;
	struct instruction *i = &c->all[c->count];
	size_t len = strcspn(text, " \t");
	*i = (struct instruction){ .address = address, .target = MCA_UNKNOWN, .text = text, .function = c->function_count - 1,
		.flow = flow_of(text, len) };
	if (c->count && i->address <= i[-1].address)
		return false;
	if (i->flow == FLOW_BRANCH || i->flow == FLOW_JUMP || i->flow == FLOW_CALL)
		i->target = target_of(text + len + strspn(text + len, " \t"));
	/* "leaq 82922(%rip), %rdi  # 0x16fc0 <name>": where a function is handed to another that calls it. */
	if (comment && !strncmp(text, "lea", 3) && !strncmp(comment + 1, " 0x", 3)) {
		i->target = target_of(comment + 2);
		i->flow = FLOW_ADDRESS;
	}
	c->count++;
	return true;
}

/* "0000000000023370 <name>:" */
static bool read_function(struct mca_code *c, char *line)
{
	char *end;
	uint64_t address = strtoull(line, &end, 16);
	size_t len = strlen(end);

	if (end != line + 16 || len < 5 || strncmp(end, " <", 2) != 0 || strcmp(end + len - 2, ">:") != 0)
		return false;
	end[len - 2] = 0;
	c->functions[c->function_count++] = (struct function){ .address = address, .name = end + 2 };
	return true;
}

static bool read_line(struct mca_code *c, char *line)
{
	char *rest = line + strspn(line, " \t");

	/* A comment that found no room in its line; zeros between functions. */
	if (!*rest || *rest == '#' || !strcmp(rest, "...") || !strncmp(line, "Disassembly of section ", 23))
		return true;
	if (strstr(line, ":\tfile format "))
		return strstr(line, "x86-64") != NULL;
	return *line == ' ' ? read_instruction(c, line) : read_function(c, line);
}

struct mca_code *mca_code_read(FILE *f, char why[MCA_WHY])
{
	struct mca_code *c = calloc(1, sizeof *c);
	size_t lines = 1;

	if (!c) {
		snprintf(why, MCA_WHY, "out of memory");
		return NULL;
	}
	c->text = read_all(f, why);
	if (!c->text)
		goto failed;
	for (const char *p = c->text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	c->all = calloc(lines, sizeof *c->all);
	c->functions = calloc(lines, sizeof *c->functions);
	if (!c->all || !c->functions) {
		snprintf(why, MCA_WHY, "out of memory");
		goto failed;
	}
	size_t number = 1;
	for (char *rest = c->text, *line; (line = strsep(&rest, "\n")) != NULL; number++) {
		if (read_line(c, line))
			continue;
		snprintf(why, MCA_WHY, "line %zu of the disassembly: '%.80s': expected x86-64 code as llvm-objdump 14 writes it",
			number, line);
		goto failed;
	}
	if (c->count)
		return c;
	snprintf(why, MCA_WHY, "the disassembly holds no instruction: expected functions with their symbols");
failed:
	mca_code_free(c);
	return NULL;
}

void mca_code_free(struct mca_code *c)
{
	if (!c)
		return;
	free(c->text);
	free(c->all);
	free(c->functions);
	free(c);
}

unsigned mca_code_symbol(const struct mca_code *c, const char *name, uint64_t *address)
{
	unsigned times = 0;

	for (size_t i = 0; i < c->function_count; i++)
		if (!strcmp(c->functions[i].name, name) && times++ == 0)
			*address = c->functions[i].address;
	return times;
}

size_t mca_code_at(const struct mca_code *c, uint64_t address)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->all[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->count && c->all[low].address == address ? low : c->count;
}

size_t mca_code_back(const struct mca_code *c, size_t i)
{
	const struct instruction *one = &c->all[i];

	if ((one->flow != FLOW_BRANCH && one->flow != FLOW_JUMP) || one->target > one->address)
		return c->count;
	size_t to = mca_code_at(c, one->target);

	return to < c->count && c->all[to].function == one->function ? to : c->count;
}

void mca_code_function(const struct mca_code *c, const struct mca_loop *loop, uint64_t *from, uint64_t *to)
{
	size_t f = c->all[loop->from].function;

	*from = c->functions[f].address;
	*to = f + 1 < c->function_count ? c->functions[f + 1].address : UINT64_MAX;
}

void mca_code_write(const struct mca_code *c, const struct mca_loop *loop, FILE *f)
{
	for (size_t i = loop->from; i <= loop->to; i++) {
		const struct instruction *one = &c->all[i];

		if (one->flow == FLOW_BRANCH || one->flow == FLOW_JUMP)
			fprintf(f, "\t%.*s\t.Lelsewhere\n", (int)strcspn(one->text, " \t"), one->text);
		else
			fprintf(f, "\t%s\n", one->text);
	}
}

/* Disassembled code, and the main loop in it. AT&T syntax, as llvm-objdump 14 writes it:
 *
 *	0000000000023370 <send_fused_avx512_loop>:
 *	   23370:      	pushq	%rbp
 *	   23381:      	callq	0x22ed0 <send_fused_avx512.constprop.0>
 *	   23404:      	movq	245709(%rip), %rax      # 0x3ffd8 <__cpu_model>
 */
#include "tools/mca_code.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (64UL << 20)
/* Instructions: a longer loop is not looked at. */
#define LOOP_MAX 4096
/* An address: not known. An object's first function is at 0. */
#define UNKNOWN UINT64_MAX

enum flow { FLOW_ON, FLOW_BRANCH, FLOW_JUMP, FLOW_CALL, FLOW_END };

struct instruction {
	uint64_t address, target; /* target: of what jumps or calls */
	char *text;               /* mnemonic, tab, operands */
	size_t function;
	enum flow flow;
};

struct function {
	uint64_t address;
	const char *name;
};

struct mca_code {
	char *text;
	struct instruction *all;
	struct function *functions;
	size_t count, function_count;
};

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
	return strncmp(operands, "0x", 2) != 0 ? UNKNOWN : strtoull(operands, NULL, 16);
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
	*i = (struct instruction){ .address = address, .target = UNKNOWN, .text = text, .function = c->function_count - 1,
		.flow = flow_of(text, len) };
	if (c->count && i->address <= i[-1].address)
		return false;
	if (i->flow == FLOW_BRANCH || i->flow == FLOW_JUMP || i->flow == FLOW_CALL)
		i->target = target_of(text + len + strspn(text + len, " \t"));
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

/* The instruction at an address; c->count when there is none. */
static size_t at(const struct mca_code *c, uint64_t address)
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

/* Marks what is reached from an instruction, into what it calls too when calls is true. */
static int reach(const struct mca_code *c, size_t from, bool calls, bool *reached)
{
	size_t *open = calloc(c->count + 1, sizeof *open), n = 0;

	if (!open)
		return -ENOMEM;
	open[n++] = from;
	reached[from] = true;
	while (n) {
		size_t i = open[--n];
		const struct instruction *one = &c->all[i];
		size_t next[2] = { c->count, c->count };

		if (one->flow != FLOW_END && one->flow != FLOW_JUMP)
			next[0] = i + 1;
		if (one->target != UNKNOWN && (calls || one->flow != FLOW_CALL))
			next[1] = at(c, one->target);
		for (unsigned k = 0; k < 2; k++)
			if (next[k] < c->count && !reached[next[k]]) {
				reached[next[k]] = true;
				open[n++] = next[k];
			}
	}
	free(open);
	return 0;
}

/* Where an instruction branches back to, inside its function; c->count when it does not. A jump into another function
 * is a call at its end. */
static size_t back(const struct mca_code *c, size_t i)
{
	const struct instruction *one = &c->all[i];

	if ((one->flow != FLOW_BRANCH && one->flow != FLOW_JUMP) || one->target > one->address)
		return c->count;
	size_t to = at(c, one->target);

	return to < c->count && c->all[to].function == one->function ? to : c->count;
}

#define REG_MAX 8
#define OPERANDS_MAX 4
struct operand {
	enum { OTHER, NUMBER, REGISTER, MEMORY } kind;
	long number;                         /* or what is added to an address */
	char base[REG_MAX], index[REG_MAX]; /* "rax"; base: the register itself; empty: none */
	long scale;
};

static bool read_register(const char **text, char reg[REG_MAX])
{
	size_t len = strspn(*text + 1, "abcdefghijklmnopqrstuvwxyz0123456789");

	if (**text != '%' || len == 0 || len >= REG_MAX)
		return false;
	memcpy(reg, *text + 1, len);
	reg[len] = 0;
	*text += 1 + len;
	return true;
}

static void read_number(const char **text, long *number)
{
	char *end;

	*number = strtol(*text, &end, 0);
	*text = end;
}

/* "$64", "%rax", "-64(%rdi,%rax,8)", "(,%rax,8)"; masks and what else may follow is left. */
static struct operand read_operand(const char *text)
{
	struct operand o = { .kind = OTHER, .scale = 1 };

	if (*text == '%')
		o.kind = read_register(&text, o.base) ? REGISTER : OTHER;
	else if (*text == '$') {
		text++;
		read_number(&text, &o.number);
		o.kind = NUMBER;
	} else {
		read_number(&text, &o.number);
		if (*text++ != '(' || (*text == '%' && !read_register(&text, o.base)))
			return o;
		if (*text == ',') {
			text++;
			if (!read_register(&text, o.index))
				return o;
		}
		if (*text == ',') {
			text++;
			read_number(&text, &o.scale);
		}
		o.kind = *text == ')' ? MEMORY : OTHER;
	}
	return o;
}

/* How many operands there are; those behind OPERANDS_MAX are not looked at. */
static unsigned read_operands(const char *text, struct operand o[OPERANDS_MAX])
{
	unsigned count = 0, depth = 0;

	text += strcspn(text, "\t ");
	while (*text && count < OPERANDS_MAX) {
		text += strspn(text, "\t ,");
		if (!*text)
			break;
		o[count++] = read_operand(text);
		for (; *text && (depth || *text != ','); text++)
			depth = *text == '(' ? 1 : *text == ')' ? 0 : depth;
	}
	return count;
}

static bool is(const char *text, const char *mnemonic)
{
	size_t len = strlen(mnemonic);

	return !strncmp(text, mnemonic, len) && (text[len] == '\t' || text[len] == ' ');
}

static bool is_register(const struct operand *o, const char *reg)
{
	return o->kind == REGISTER && !strcmp(o->base, reg);
}

/* "leaq 64(%rax), %rdx" for rax. */
static bool is_sum(const char *text, unsigned n, const struct operand *o, const char *reg)
{
	return is(text, "leaq") && n == 2 && o[0].kind == MEMORY && !*o[0].index && !strcmp(o[0].base, reg) &&
		o[1].kind == REGISTER;
}

/* What an instruction adds to a register. */
static long step_of(const char *text, const char *reg)
{
	struct operand o[OPERANDS_MAX];
	unsigned n = read_operands(text, o);

	if (n == 0 || !is_register(&o[n - 1], reg))
		return 0;
	if (n == 2 && o[0].kind == NUMBER && is(text, "addq"))
		return o[0].number;
	if (n == 2 && o[0].kind == NUMBER && is(text, "subq"))
		return -o[0].number;
	if (n == 1 && is(text, "incq"))
		return 1;
	if (n == 1 && is(text, "decq"))
		return -1;
	return is_sum(text, n, o, reg) ? o[0].number : 0;
}

/* The same by way of a second register: leaq 64(%rax), %rdx … movq %rdx, %rax. */
static long step_by_two(const struct mca_code *c, size_t from, size_t to, const char *reg)
{
	for (size_t i = from; i <= to; i++) {
		struct operand o[OPERANDS_MAX], back[OPERANDS_MAX];

		if (!is_sum(c->all[i].text, read_operands(c->all[i].text, o), o, reg))
			continue;
		for (size_t j = from; j <= to; j++)
			if (is(c->all[j].text, "movq") && read_operands(c->all[j].text, back) == 2 &&
				is_register(&back[0], o[1].base) && is_register(&back[1], reg))
				return o[0].number;
	}
	return 0;
}

static unsigned long step(const struct mca_code *c, size_t from, size_t to, const char *reg)
{
	long sum = 0;

	for (size_t i = from; i <= to && *reg; i++)
		sum += step_of(c->all[i].text, reg);
	if (!sum && *reg)
		sum = step_by_two(c, from, to, reg);
	return sum < 0 ? -(unsigned long)sum : (unsigned long)sum;
}

/* What a turn moves on by: the largest step of a register that addresses memory there. writes, reads: where one
 * does. */
static unsigned long turn_bytes(const struct mca_code *c, size_t from, size_t to, bool *writes, bool *reads)
{
	unsigned long most = 0;

	*writes = *reads = false;
	for (size_t i = from; i <= to; i++) {
		const char *text = c->all[i].text;
		struct operand o[OPERANDS_MAX];
		unsigned n = read_operands(text, o);

		if (!strncmp(text, "lea", 3) || !strncmp(text, "nop", 3))
			continue;
		for (unsigned k = 0; k < n; k++) {
			if (o[k].kind != MEMORY)
				continue;
			unsigned long base = step(c, from, to, o[k].base);
			unsigned long index = (unsigned long)o[k].scale * step(c, from, to, o[k].index);

			most = base > most ? base : most;
			most = index > most ? index : most;
			*reads |= (base || index) && k < n - 1;
			*writes |= (base || index) && k == n - 1 && memmem(text, strcspn(text, "\t "), "mov", 3);
		}
	}
	return most;
}

/* Whether a loop holds no call, and no other loop unless loops may be nested. */
static bool simple(const struct mca_code *c, size_t from, size_t to, bool nested)
{
	for (size_t i = from; i < to; i++) {
		size_t t = back(c, i);

		if (c->all[i].flow == FLOW_CALL || (!nested && t < c->count && t >= from))
			return false;
	}
	return true;
}

/* Marks what of a function leads to one of its instructions; n instructions from first. */
static void leads_to(const struct mca_code *c, size_t first, size_t n, size_t to, bool *leads)
{
	leads[to - first] = true;
	for (bool more = true; more;) {
		more = false;
		for (size_t k = n; k-- > 0;) {
			const struct instruction *one = &c->all[first + k];
			bool on = one->flow != FLOW_END && one->flow != FLOW_JUMP && k + 1 < n && leads[k + 1];
			bool jumps = one->flow == FLOW_BRANCH || one->flow == FLOW_JUMP;
			size_t t = jumps ? at(c, one->target) : c->count;

			if (!leads[k] && (on || (t >= first && t < first + n && leads[t - first])))
				leads[k] = more = true;
		}
	}
}

/* Whether a loop around this one does other things than straight code: its function's instructions that lead to this
 * one's and are led to by them may have one jump back beside this one's, and no call. Compilers place blocks so that a
 * jump back is not always a loop. 0, -ENOENT: it does, or -ENOMEM. */
static int around(const struct mca_code *c, const struct mca_loop *loop)
{
	size_t function = c->all[loop->from].function, first = loop->from, end = loop->to + 1, jumps = 0;

	while (first > 0 && c->all[first - 1].function == function)
		first--;
	while (end < c->count && c->all[end].function == function)
		end++;
	bool *leads = calloc(end - first + 1, sizeof *leads), *led = calloc(c->count, sizeof *led);
	int error = leads && led ? reach(c, loop->from, false, led) : -ENOMEM;
	if (!error)
		leads_to(c, first, end - first, loop->from, leads);
	for (size_t i = first; i < end && !error; i++) {
		if ((i >= loop->from && i <= loop->to) || !leads[i - first] || !led[i])
			continue;
		jumps += back(c, i) < c->count;
		if (c->all[i].flow == FLOW_CALL || jumps > 1)
			error = -ENOENT;
	}
	free(leads);
	free(led);
	return error;
}

/* Bytes one by one are the ends of a piece. Where there are loops that write, others are parts of no fused loop, such
 * as the sum of bytes that are held back. */
static void find(const struct mca_code *c, const bool *reached, bool nested, struct mca_loop *loop)
{
	bool best_writes = false;

	for (size_t i = 0; i < c->count; i++) {
		size_t from = reached[i] ? back(c, i) : c->count;
		bool writes, reads;

		if (from == c->count || i - from >= LOOP_MAX || !simple(c, from, i, nested))
			continue;
		unsigned long bytes = turn_bytes(c, from, i, &writes, &reads);
		if (nested && !reads)
			continue;
		if (bytes < 2 || bytes > UINT32_MAX || writes < best_writes)
			continue;
		if (writes == best_writes && (bytes < loop->bytes ||
			(bytes == loop->bytes && i - from >= loop->to - loop->from)))
			continue;
		best_writes = writes;
		*loop = (struct mca_loop){ .from = from, .to = i, .bytes = (unsigned)bytes,
			.symbol = c->functions[c->all[i].function].name, .address = c->all[from].address };
	}
}

static int search(const struct mca_code *c, uint64_t entry, bool nested, struct mca_loop *loop, char why[MCA_WHY])
{
	size_t from = at(c, entry);

	*loop = (struct mca_loop){ 0 };
	if (from == c->count) {
		snprintf(why, MCA_WHY, "there is no code at 0x%" PRIx64, entry);
		return -ENOENT;
	}
	bool *reached = calloc(c->count, sizeof *reached);
	int error = reached ? reach(c, from, true, reached) : -ENOMEM;
	if (!error)
		find(c, reached, nested, loop);
	free(reached);
	if (!error && !loop->bytes) {
		snprintf(why, MCA_WHY, "no loop without calls that moves on through memory");
		return -ENOENT;
	}
	if (!error && !nested)
		error = around(c, loop);
	if (error == -ENOENT)
		snprintf(why, MCA_WHY, "the loop at 0x%" PRIx64 " is inside one with calls or other loops", loop->address);
	else if (error)
		snprintf(why, MCA_WHY, "out of memory");
	return error;
}

int mca_code_loop(const struct mca_code *c, uint64_t entry, struct mca_loop *loop, char why[MCA_WHY])
{
	return search(c, entry, false, loop, why);
}

int mca_code_widest(const struct mca_code *c, uint64_t entry, struct mca_loop *loop, char why[MCA_WHY])
{
	return search(c, entry, true, loop, why);
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

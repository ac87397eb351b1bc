/* By how much a loop moves on through memory. */
#include "tools/mca_inside.h"

#include <stdlib.h>
#include <string.h>

/* A turn does not move on by more: its code would be longer than a loop that is looked at. */
#define TURN_MAX (64UL << 10)

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

/* Whether a name is of that register or of a part of it: r10d of r10; edx, dx, dl and dh of rdx; sil of rsi. */
static bool is_part(const char *name, const char *reg)
{
	size_t len = strlen(reg);

	if (strchr("0123456789", reg[1]))
		return !strncmp(name, reg, len) && (!name[len] || (strchr("dwb", name[len]) && !name[len + 1]));
	if (!strcmp(name + (*name == 'r' || *name == 'e'), reg + 1))
		return true;
	if (reg[2] == 'x')
		return name[0] == reg[1] && name[1] && strchr("lh", name[1]) && !name[2];
	return !strncmp(name, reg + 1, 2) && name[2] == 'l' && !name[3];
}

/* What sets registers that it does not name. */
static bool sets_unnamed(const char *text, unsigned n, const char *reg)
{
	static const char *const products[] = { "mul", "imul", "div", "idiv" };
	size_t len = strcspn(text, "\t ");

	if (strcmp(reg, "rax") != 0 && strcmp(reg, "rdx") != 0)
		return false;
	for (unsigned i = 0; i < sizeof products / sizeof *products; i++)
		if (n == 1 && strlen(products[i]) + 1 == len && !memcmp(text, products[i], len - 1))
			return true;
	return !strncmp(text, "cqto", 4) || !strncmp(text, "cltd", 4) || !strncmp(text, "cltq", 4);
}

/* Whether an instruction sets a register, or a part of it: what stands last, but where something is only looked at. */
static bool sets(const char *text, const char *reg)
{
	static const char *const looks[] = { "cmp", "test", "bt", "push", "j", "call", "nop", "prefetch" };
	struct operand o[OPERANDS_MAX];
	unsigned n = read_operands(text, o), first = n - 1;

	for (unsigned i = 0; i < sizeof looks / sizeof *looks; i++)
		if (!strncmp(text, looks[i], strlen(looks[i])) && strncmp(text, "bts", 3) != 0 && strncmp(text, "btr", 3) != 0)
			return false;
	if (!strncmp(text, "xchg", 4) || !strncmp(text, "xadd", 4) || !strncmp(text, "mulx", 4))
		first = n >= 2 ? n - 2 : 0;
	for (unsigned k = n ? first : 0; k < n; k++)
		if (o[k].kind == REGISTER && is_part(o[k].base, reg))
			return true;
	return sets_unnamed(text, n, reg);
}

/* Whether a turn of that loop runs an instruction once: it stands in no loop inside, and no branch leads past it to
 * what stands behind it. */
static bool once(const struct mca_code *c, size_t from, size_t to, size_t i)
{
	for (size_t k = i; k < to; k++) {
		size_t t = mca_code_back(c, k);

		if (t < c->count && t > from && t <= i)
			return false;
	}
	for (size_t k = from; k < i; k++) {
		const struct instruction *one = &c->all[k];

		if ((one->flow == FLOW_BRANCH || one->flow == FLOW_JUMP) && one->target != MCA_UNKNOWN &&
			one->target > c->all[i].address && one->target <= c->all[to].address)
			return false;
	}
	return true;
}

/* "192(%rsp)", where the stack keeps what finds no register. */
static bool is_slot(const struct operand *o, long number)
{
	return o->kind == MEMORY && !strcmp(o->base, "rsp") && !*o->index && o->number == number;
}

/* What is added to a register between its load from such a place, which is instruction i, and its store there; or to
 * the place itself. */
static long step_of_slot(const struct mca_code *c, size_t from, size_t to, size_t i, const char *reg, long slot)
{
	struct operand o[OPERANDS_MAX];
	long sum = 0;

	for (size_t k = from; k <= to; k++)
		if (is(c->all[k].text, "addq") && read_operands(c->all[k].text, o) == 2 && o[0].kind == NUMBER &&
			is_slot(&o[1], slot) && once(c, from, to, k))
			return o[0].number;
	for (size_t k = i + 1; k <= to; k++) {
		const char *text = c->all[k].text;
		long one = step_of(text, reg);

		sum += one;
		if (is(text, "movq") && read_operands(text, o) == 2 && is_register(&o[0], reg) && is_slot(&o[1], slot))
			return once(c, from, to, k) ? sum : 0;
		if (!one && sets(text, reg))
			return 0;
	}
	return 0;
}

static long step_by_stack(const struct mca_code *c, size_t from, size_t to, const char *reg)
{
	long sum = 0;

	for (size_t i = from; i <= to && !sum; i++) {
		struct operand o[OPERANDS_MAX];

		if (is(c->all[i].text, "movq") && read_operands(c->all[i].text, o) == 2 && is_slot(&o[0], o[0].number) &&
			is_register(&o[1], reg))
			sum = step_of_slot(c, from, to, i, reg, o[0].number);
	}
	return sum;
}

/* What a turn adds to a register, and nothing else is done to it: data has constants added, too, and is no address that
 * moves on. Where registers are few, addresses that move on are kept on the stack meanwhile. */
static unsigned long step(const struct mca_code *c, size_t from, size_t to, const char *reg)
{
	unsigned set = 0;
	long sum = 0;

	if (!*reg || !strcmp(reg, "rsp")) /* which ends of functions that stand between move back */
		return 0;
	for (size_t i = from; i <= to; i++) {
		long one = step_of(c->all[i].text, reg);

		if (one && !once(c, from, to, i))
			return 0;
		sum += one;
		set += !one && sets(c->all[i].text, reg);
	}
	if (set == 1 && !sum)
		sum = step_by_two(c, from, to, reg);
	else if (set)
		sum = step_by_stack(c, from, to, reg);
	return sum < 0 ? -(unsigned long)sum : (unsigned long)sum;
}

unsigned mca_step(const struct mca_code *c, size_t from, size_t to, bool *writes, bool *reads)
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
	return most > TURN_MAX ? 0 : (unsigned)most;
}

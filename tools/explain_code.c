/* What the machine code of a chain's fused loops has in it: llvm-objdump's disassembly, by tools/mca_code.h. */
#include "tools/explain.h"

#include "tools/mca.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char who[] = "tcpu explain";

struct uses {
	uint64_t vectors; /* a bit for each register's number */
	unsigned loads, stores;
};

/* An operand in the function's own frame: beside the stack pointer, or below the frame pointer where there is one. */
static bool is_frame(const char *operand, size_t len)
{
	const char *open = memchr(operand, '(', len);

	return open && (!strncmp(open, "(%rsp", 5) || (*operand == '-' && !strncmp(open, "(%rbp)", 6)));
}

/* "\tvmovdqu64\t%zmm2, -64(%rbp)": the last operand is written. */
static void use(const char *line, struct uses *u)
{
	const char *mnemonic = line + strspn(line, "\t "), *rest = mnemonic + strcspn(mnemonic, "\t ");
	bool moves = memmem(mnemonic, (size_t)(rest - mnemonic), "mov", 3);
	unsigned depth = 0;

	for (const char *p = rest; (p = strchr(p, '%')) != NULL; p++)
		if (strchr("xyz", p[1]) && p[1] && !strncmp(p + 2, "mm", 2) && isdigit((unsigned char)p[4]))
			u->vectors |= UINT64_C(1) << (strtoul(p + 4, NULL, 10) & 63);
	if (!strncmp(mnemonic, "lea", 3) || !strncmp(mnemonic, "nop", 3))
		return;
	while (*rest) {
		rest += strspn(rest, "\t ,");
		const char *operand = rest;
		for (; *rest && (depth || *rest != ','); rest++)
			depth = *rest == '(' ? 1 : *rest == ')' ? 0 : depth;
		if (!is_frame(operand, (size_t)(rest - operand)))
			continue;
		if (!*rest && moves)
			u->stores++;
		else
			u->loads++;
	}
}

static int uses_of(const struct mca_code *code, const struct mca_loop *loop, struct uses *u)
{
	char *text = NULL, *rest, *line;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	mca_code_write(code, loop, f);
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	for (rest = text; (line = strsep(&rest, "\n")) != NULL;)
		use(line, u);
	free(text);
	return 0;
}

/* The main loop; where that is a cipher's, the whole of it. Every fused loop writes: what does not is another. */
static int main_loop(const struct mca_code *code, uint64_t entry, struct mca_loop *loop, char why[MCA_WHY])
{
	if (mca_code_loop(code, entry, loop, why) == 0 && loop->writes)
		return 0;
	int error = mca_code_widest(code, entry, loop, why);
	if (!error && !loop->writes) {
		snprintf(why, MCA_WHY, "all that is found only reads: how the fused loop moves on is not understood");
		error = -ENOENT;
	}
	return error;
}

static int row_of(const struct mca_code *code, const char *object, const struct ilp_chain *chain, enum ilp_direction d,
	enum ilp_isa isa, json_t *rows)
{
	json_t *row = json_pack("{s:s, s:s}", "direction", explain_directions[d], "isa", ilp_isa_name(isa));
	struct uses u = { 0 };
	struct mca_loop loop;
	char why[MCA_WHY];
	uint64_t entry;
	int error = mca_entry(who, code, object, chain, d, isa, &entry);

	if (!error && main_loop(code, entry, &loop, why) != 0)
		json_object_set_new(row, "none", json_string(why));
	else if (!error && (error = uses_of(code, &loop, &u)) == 0)
		json_object_update_new(row, json_pack("{s:s, s:i, s:i, s:i, s:i}", "function", loop.symbol, "bytes",
			(int)loop.bytes, "vectors", __builtin_popcountll(u.vectors), "spill_loads", (int)u.loads, "spill_stores",
			(int)u.stores));
	if (error) {
		json_decref(row);
		return error == -ENOENT ? 0 : error;
	}
	return json_array_append_new(rows, row);
}

json_t *explain_registers(const struct ilp_chain *chain, const char *object, const struct explain_isas *isas)
{
	struct mca_code *code = mca_disassemble(who, object);
	json_t *rows = json_array();
	int error = code && rows ? 0 : -EIO;

	for (unsigned d = 0; d < ILP_DIRECTIONS; d++)
		for (unsigned isa = 0; isa < ILP_ISAS && !error; isa++)
			if (isas->of[isa])
				error = row_of(code, object, chain, (enum ilp_direction)d, (enum ilp_isa)isa, rows);
	mca_code_free(code);
	if (!error)
		return rows;
	json_decref(rows);
	return NULL;
}

int explain_asm(const struct ilp_chain *chain, const char *object, enum ilp_direction d, enum ilp_isa isa, FILE *f)
{
	struct mca_code *code = mca_disassemble(who, object);
	struct mca_loop loop;
	char why[MCA_WHY] = "there is none for this instruction set";
	uint64_t entry, from, to;

	if (!code)
		return -EIO;
	int error = mca_entry(who, code, object, chain, d, isa, &entry);
	if (!error)
		error = main_loop(code, entry, &loop, why);
	if (!error) {
		mca_code_function(code, &loop, &from, &to);
		error = mca_listing(who, object, from, to, f);
	} else
		fprintf(stderr, "%s: %s, %s, %s: no loop to show: %s\n", who, chain->name, explain_directions[d],
			ilp_isa_name(isa), why);
	mca_code_free(code);
	return error ? -EIO : 0;
}

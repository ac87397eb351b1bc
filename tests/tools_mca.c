/* What tcpu mca makes of other programs' output: canned disassemblies and canned JSON. The programs themselves are run
 * by tests/tcpu.sh. */
#include "tests/run.h"
#include "tools/mca.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "\nbuild/gcc/bin/tcpu:\tfile format elf64-x86-64\n\nDisassembly of section .text:\n\n"

static char why[MCA_WHY];

static FILE *text_file(const char *text, size_t len)
{
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	rewind(f);
	return f;
}

static struct mca_code *read_text(const char *text)
{
	FILE *f = text_file(text, strlen(text));
	struct mca_code *c = mca_code_read(f, why);

	fclose(f);
	return c;
}

static struct mca_code *code(const char *functions)
{
	char *text = NULL;

	ck_assert_int_ge(asprintf(&text, HEAD "%s", functions), 0);
	struct mca_code *c = read_text(text);
	ck_assert_msg(c != NULL, "%s", why);
	free(text);
	return c;
}

/* The main loop from entry: where it begins, and by how much it moves on. */
static void expect_loop(const char *functions, uint64_t entry, uint64_t address, unsigned bytes, const char *symbol)
{
	struct mca_code *c = code(functions);
	struct mca_loop loop;

	ck_assert_msg(mca_code_loop(c, entry, &loop, why) == 0, "%s", why);
	ck_assert_uint_eq(loop.address, address);
	ck_assert_uint_eq(loop.bytes, bytes);
	ck_assert_str_eq(loop.symbol, symbol);
	mca_code_free(c);
}

static void expect_none(const char *functions, uint64_t entry, const char *reason)
{
	struct mca_code *c = code(functions);
	struct mca_loop loop;

	ck_assert_int_eq(mca_code_loop(c, entry, &loop, why), -ENOENT);
	ck_assert_msg(strstr(why, reason) != NULL, "it said '%s'", why);
	mca_code_free(c);
}

/* A wrapper that calls and jumps on; there the main loop, one of whole words, one of bytes. A function that nobody
 * calls has a longer one. */
static const char two_functions[] =
	"0000000000001000 <send_fused_avx2_loop>:\n"
	"    1000:      \tpushq\t%rbx\n"
	"    1001:      \tcallq\t0x1100 <send_fused_avx2>\n"
	"    1006:      \tmovq\t245709(%rip), %rax      # 0x3ffd8 <__cpu_model>\n"
	"                                                # 0x4044c <__cpu_model+0xc>\n"
	"    100d:      \tpopq\t%rbx\n"
	"    100e:      \tretq\n"
	"\t\t...\n"
	"\n"
	"0000000000001100 <send_fused_avx2>:\n"
	"    1100:      \txorl\t%eax, %eax\n"
	"    1102:      \tvmovdqu\t(%rdx,%rax), %ymm0\n"
	"    1107:      \tvpaddq\t32(%rdx,%rax), %ymm0, %ymm1 # ymm1 = ymm0[3,0]\n"
	"    110d:      \tvmovdqu\t%ymm0, (%rsi,%rax)\n"
	"    1112:      \tnopw\t%cs:(%rax,%rax)\n"
	"    1114:      \taddq\t$64, %rax\n"
	"    1118:      \tcmpq\t%rcx, %rax\n"
	"    111b:      \tjne\t0x1102 <send_fused_avx2+0x2>\n"
	"    111d:      \tmovl\t(%rdx,%rax), %r8d\n"
	"    1121:      \tmovl\t%r8d, (%rsi,%rax)\n"
	"    1125:      \taddq\t$4, %rax\n"
	"    1129:      \tcmpq\t%rdi, %rax\n"
	"    112c:      \tjb\t0x111d <send_fused_avx2+0x1d>\n"
	"    112e:      \tjmp\t0x1200 <last>\n"
	"\n"
	"0000000000001200 <last>:\n"
	"    1200:      \tmovzbl\t(%rdx,%rax), %r8d\n"
	"    1205:      \tmovb\t%r8b, (%rsi,%rax)\n"
	"    1209:      \tincq\t%rax\n"
	"    120c:      \tjne\t0x1200 <last>\n"
	"    120e:      \tretq\n"
	"\n"
	"0000000000001300 <another>:\n"
	"    1300:      \tvmovdqu64\t%zmm0, (%rax)\n"
	"    1306:      \taddq\t$1024, %rax             # imm = 0x400\n"
	"    130c:      \tjne\t0x1300 <another>\n"
	"    130e:      \tretq\n";

START_TEST(main_loop_is_found)
{
	expect_loop(two_functions, 0x1000, 0x1102, 64, "send_fused_avx2");
	expect_loop(two_functions, 0x1300, 0x1300, 1024, "another");
	expect_none(two_functions, 0x1200, "no loop"); /* bytes one by one */
	expect_none(two_functions, 0x100e, "no loop");
	expect_none(two_functions, 0x1001 + 1, "no code at 0x1002");
}
END_TEST

START_TEST(body_is_written_for_llvm_mca)
{
	static const char expected[] = "\tvmovdqu\t(%rdx,%rax), %ymm0\n"
		"\tvpaddq\t32(%rdx,%rax), %ymm0, %ymm1\n"
		"\tvmovdqu\t%ymm0, (%rsi,%rax)\n"
		"\tnopw\t%cs:(%rax,%rax)\n"
		"\taddq\t$64, %rax\n"
		"\tcmpq\t%rcx, %rax\n"
		"\tjne\t.Lelsewhere\n";
	struct mca_code *c = code(two_functions);
	struct mca_loop loop;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(mca_code_loop(c, 0x1000, &loop, why), 0);
	mca_code_write(c, &loop, f);
	fclose(f);
	ck_assert_str_eq(text, expected);
	free(text);
	mca_code_free(c);
}
END_TEST

START_TEST(symbols_are_counted)
{
	static const char twice[] = "0000000000000000 <loop>:\n       0:      \tretq\n\n"
		"0000000000000010 <loop>:\n      10:      \tretq\n";
	struct mca_code *c = code(twice);
	uint64_t address = 1;

	ck_assert_uint_eq(mca_code_symbol(c, "loo", &address), 0);
	ck_assert_uint_eq(address, 1);
	ck_assert_uint_eq(mca_code_symbol(c, "loop", &address), 2);
	ck_assert_uint_eq(address, 0);
	mca_code_free(c);
}
END_TEST

/* How compilers say "and on": the body, one function of one loop that begins at 0. */
static const struct {
	const char *body;
	unsigned bytes;
} steps[] = {
	{ "vmovdqa\t%ymm0, (%rdi)\n addq\t$32, %rdi", 32 },
	{ "vmovdqa\t%ymm0, (%rdi)\n subq\t$-128, %rdi", 128 },
	{ "vmovdqa\t%ymm0, (%rdi)\n subq\t$32, %rdi", 32 }, /* from the end */
	{ "vmovdqa\t%ymm0, -256(%rdi)\n leaq\t32(%rdi), %rdi", 32 },
	{ "vmovdqa\t%ymm0, (%rdi)\n leaq\t64(%rdi), %r10\n movq\t%r10, %rdi", 64 },
	{ "movq\t%rbx, (%rdi,%rax,8)\n incq\t%rax", 8 },
	{ "movq\t%rbx, (,%rax,8)\n decq\t%rax", 8 },
	{ "movl\t%ebx, (%rdi,%rax,4)\n addq\t$2, %rax", 8 },
	{ "vmovdqa\t%ymm0, (%rdi)\n vmovdqa\t%ymm0, 32(%rdi)\n addq\t$32, %rdi\n addq\t$32, %rdi", 64 },
	{ "vmovdqa\t(%rsi), %ymm0\n vmovdqa\t%ymm0, (%rdi)\n addq\t$64, %rsi\n addq\t$32, %rdi\n addq\t$-1, %rcx", 64 },
	{ "movq\t%rax, 8(%rsp)\n addq\t$32, %rdi", 0 },          /* addresses nothing */
	{ "leaq\t(%rdi,%rdi), %rax\n nopl\t(%rdi)\n addq\t$32, %rdi", 0 }, /* neither */
	{ "movq\t%rax, 8(%rsp)\n movq\t(%rsp), %rax\n addq\t$72, %rsp", 0 }, /* an end that stands between */
	/* Data that constants are added to, which a table is then read by. */
	{ "vmovdqa\t%ymm0, (%rdi)\n movl\t(%rsi), %edx\n addq\t$892710365, %rdx\n movq\t(%rbx,%rdx), %rax\n"
	  " addq\t$32, %rdi", 32 },
	{ "movq\t(%rbx,%rdx), %rax\n movb\t%al, %dl\n addq\t$1024, %rdx", 0 },
	{ "movq\t(%rbx,%r10), %rax\n xorl\t%eax, %r10d\n addq\t$1024, %r10", 0 },
	{ "movq\t(%rbx,%rdx), %rcx\n mulq\t%rcx\n addq\t$1024, %rdx", 0 },
	{ "movq\t(%rbx,%r10), %rdx\n mulxq\t%rcx, %r10, %rax\n addq\t$1024, %r10", 0 },
	{ "movq\t%rbx, (%r10)\n cmpq\t%rax, %r10\n pushq\t%r10\n addq\t$64, %r10", 64 }, /* is looked at */
	{ "movq\t%rbx, (%rdi)\n addq\t$892710365, %rdi", 0 }, /* no turn does so much */
	/* Registers that are wanted for other things meanwhile. */
	{ "movq\t8(%rsp), %rdi\n movq\t%rbx, (%rdi)\n addq\t$16, %rdi\n movq\t%rdi, 8(%rsp)\n movq\t%rax, %rdi", 16 },
	{ "movq\t8(%rsp), %rdi\n movq\t%rbx, (%rdi)\n addq\t$16, 8(%rsp)\n movq\t%rax, %rdi", 16 },
	{ "movq\t8(%rsp), %rdi\n movq\t%rbx, (%rdi)\n movq\t%rax, %rdi\n addq\t$16, %rdi\n movq\t%rdi, 8(%rsp)", 0 },
};

START_TEST(steps_are_understood)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		char text[1024] = "0000000000000000 <loop>:\n", *body = strdup(steps[i].body), *rest = body, *line;
		unsigned at = 0;

		while ((line = strsep(&rest, "\n")) != NULL)
			snprintf(text + strlen(text), sizeof text - strlen(text), "    %4x:      \t%s\n", 4 * at++,
				line + (*line == ' '));
		snprintf(text + strlen(text), sizeof text - strlen(text), "    %4x:      \tjne\t0x0 <loop>\n", 4 * at);
		if (steps[i].bytes)
			expect_loop(text, 0, 0, steps[i].bytes, "loop");
		else
			expect_none(text, 0, "no loop");
		free(body);
	}
}
END_TEST

/* What is held back is summed first: a loop with a longer stride that is not the fused one. */
START_TEST(loops_that_write_come_first)
{
	static const char text[] =
		"0000000000000000 <recv>:\n"
		"       0:      \taddq\t(%rdx), %rax\n"
		"       4:      \taddq\t$64, %rdx\n"
		"       8:      \tjne\t0x0 <recv>\n"
		"       c:      \tmovq\t(%rdx), %rax\n"
		"      10:      \tmovbeq\t%rax, (%rdi)\n"
		"      14:      \taddq\t$16, %rdx\n"
		"      18:      \tjne\t0xc <recv+0xc>\n"
		"      1c:      \tmovq\t%rbx, 8(%rsp)\n"
		"      20:      \taddq\t(%rdx), %rax\n"
		"      24:      \taddq\t$32, %rdx\n"
		"      28:      \tjne\t0x1c <recv+0x1c>\n"
		"      2c:      \tretq\n";

	expect_loop(text, 0, 0x0, 64, "recv"); /* it writes to where it does not move on: a spill */
	char *moved = strdup(text), *to = strstr(moved, "$16, %rdx");
	ck_assert_ptr_nonnull(to);
	memcpy(to, "$16, %rdi", 9);
	expect_loop(moved, 0, 0xc, 16, "recv");
	free(moved);
}
END_TEST

/* %s: what stands in the outer loop beside the inner. */
#define NESTED \
	"0000000000000000 <send>:\n" \
	"       0:      \tmovq\t$256, %%r9\n" \
	"       4:      \tvmovdqu\t%%ymm0, (%%rdi,%%rax)\n" \
	"       8:      \taddq\t$32, %%rax\n" \
	"       c:      \tcmpq\t%%r9, %%rax\n" \
	"      10:      \tjne\t0x4 <send+0x4>\n" \
	"%s" \
	"      20:      \tcmpq\t%%rcx, %%rax\n" \
	"      24:      \tjne\t0x0 <send>\n" \
	"      28:      \tretq\n"

static char *nested(const char *beside)
{
	char *text = NULL;

	ck_assert_int_ge(asprintf(&text, NESTED, beside), 0);
	return text;
}

START_TEST(loops_in_loops)
{
	char *drain = nested("      14:      \tvpaddq\t%ymm1, %ymm2, %ymm2\n");
	char *call = nested("      14:      \tcallq\t0x30 <chacha20>\n");
	char *other = nested("      14:      \tincl\t%edx\n      18:      \tjne\t0x14 <send+0x14>\n");

	expect_loop(drain, 0, 4, 32, "send");
	expect_none(call, 0, "the loop at 0x4 is inside one with calls");
	expect_none(other, 0, "the loop at 0x4 is inside one with calls or other loops");
	free(drain);
	free(call);
	free(other);
}
END_TEST

/* %s: what stands in the one loop that moves on. */
#define AROUND \
	"0000000000000000 <send>:\n" \
	"       0:      \tvmovdqu\t%%ymm0, (%%rdi,%%rax)\n" \
	"%s" \
	"      20:      \taddq\t$32, %%rax\n" \
	"      24:      \tjne\t0x0 <send>\n" \
	"      28:      \tretq\n"

START_TEST(loops_that_are_not_straight)
{
	static const struct {
		const char *in;
		bool straight;
	} table[] = {
		{ "       8:      \tcallq\t*%rbx\n", false },
		{ "       8:      \tdecl\t%edx\n       c:      \tjne\t0x8 <send+0x8>\n", false }, /* rounds of a cipher */
		{ "       8:      \tjne\t0x28 <send+0x28>\n", true },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char *text = NULL;

		ck_assert_int_ge(asprintf(&text, AROUND, table[i].in), 0);
		if (table[i].straight)
			expect_loop(text, 0, 0, 32, "send");
		else
			expect_none(text, 0, "no loop without calls");
		free(text);
	}
}
END_TEST

/* The widest loop's place and bytes, loops inside it or not. */
static void expect_widest(const char *functions, uint64_t address, unsigned bytes)
{
	struct mca_code *c = code(functions);
	struct mca_loop loop;

	ck_assert_msg(mca_code_widest(c, 0, &loop, why) == 0, "%s", why);
	ck_assert_uint_eq(loop.address, address);
	ck_assert_uint_eq(loop.bytes, bytes);
	mca_code_free(c);
}

START_TEST(steps_of_every_turn)
{
	static const char text[] =
		"0000000000000000 <send>:\n"
		"       0:      \tvmovdqu\t(%rsi), %ymm0\n"
		"       4:      \tmovq\t(%rdi), %rbx\n"
		"       8:      \taddq\t$8, %rdi\n"
		"       c:      \tdecl\t%edx\n"
		"      10:      \tjne\t0x4 <send+0x4>\n" /* so much more often */
		"      14:      \tjb\t0x1c <send+0x1c>\n"
		"      18:      \taddq\t$64, %rsi\n"      /* not always */
		"      1c:      \taddq\t$32, %rsi\n"
		"      20:      \tjne\t0x0 <send>\n"
		"      24:      \tretq\n";

	expect_widest(text, 4, 8);
	char *straight = strdup(text);
	memcpy(strstr(straight, "jb\t0x1c <send+0x1c>"), "jb\t0x24 <send+0x24>", 19); /* out of the loop */
	expect_widest(straight, 0, 96);
	free(straight);
}
END_TEST

/* A function that is handed to another, which calls it and wipes the stack; there, a loop that is called in a loop. */
#define HANDED \
	"0000000000000000 <send_fused_avx2_loop>:\n" \
	"       0:      \tleaq\t82922(%%rip), %%rdi       # 0x100 <send_fused_avx2_work>\n" \
	"       7:      \tjmp\t0x1000 <cleared>\n" \
	"\n" \
	"0000000000000100 <send_fused_avx2_work>:\n" \
	"     100:      \tleaq\t16(%%rip), %%rax        # 0x204 <near+0x4>\n" \
	"     104:      \tcallq\t0x200 <near>\n" \
	"     108:      \ttestq\t%%rcx, %%rcx\n" \
	"     10c:      \tjne\t0x%s <send_fused_avx2_work>\n" \
	"     110:      \tretq\n" \
	"\n" \
	"0000000000000200 <near>:\n" \
	"     200:      \tvmovdqu\t(%%rsi), %%ymm0\n" \
	"     204:      \tvmovdqu\t%%ymm0, (%%rdi)\n" \
	"     208:      \taddq\t$32, %%rsi\n" \
	"     20c:      \taddq\t$32, %%rdi\n" \
	"     210:      \tjne\t0x200 <near>\n" \
	"     214:      \tretq\n" \
	"\n" \
	"0000000000001000 <cleared>:\n" \
	"    1000:      \tcallq\t*%%rdi\n" \
	"    1004:      \tretq\n"

START_TEST(functions_that_are_handed_on)
{
	char *in_a_loop = NULL, *once = NULL;

	ck_assert_int_ge(asprintf(&in_a_loop, HANDED, "100"), 0);
	ck_assert_int_ge(asprintf(&once, HANDED, "110"), 0);
	expect_widest(in_a_loop, 0x200, 32);
	expect_none(in_a_loop, 0, "the loop at 0x200 is inside one with calls");
	expect_loop(once, 0, 0x200, 32, "near");
	free(in_a_loop);
	free(once);
}
END_TEST

START_TEST(of_equals_the_shorter)
{
	static const char text[] =
		"0000000000000000 <send>:\n"
		"       0:      \tvmovdqu\t%ymm0, (%rdi)\n"
		"       4:      \taddq\t$32, %rdi\n"
		"       8:      \tnop\n"
		"       c:      \tjne\t0x0 <send>\n"
		"      10:      \tvmovdqu\t%ymm0, (%rdi)\n"
		"      14:      \taddq\t$32, %rdi\n"
		"      18:      \tjne\t0x10 <send+0x10>\n"
		"      20:      \tvmovdqu\t%ymm0, (%rdi)\n"
		"      24:      \taddq\t$32, %rdi\n"
		"      28:      \tnop\n"
		"      2c:      \tjne\t0x20 <send+0x20>\n"
		"      30:      \tretq\n";

	expect_loop(text, 0, 0x10, 32, "send");
}
END_TEST

/* gcc places a block that ends in a jump in front of the loop after which it runs: the jump back to it is no loop. */
START_TEST(jump_back_that_is_no_loop)
{
	static const char text[] =
		"0000000000000000 <send>:\n"
		"       0:      \tjmp\t0x10 <send+0x10>\n"
		"       4:      \tincl\t%edx\n"
		"       6:      \tjne\t0x4 <send+0x4>\n"
		"       8:      \tcallq\t0x100 <elsewhere>\n"
		"       c:      \tjmp\t0x40 <send+0x40>\n"
		"      10:      \tvmovdqu\t%ymm0, (%rdi,%rax)\n"
		"      14:      \taddq\t$32, %rax\n"
		"      18:      \tjne\t0x10 <send+0x10>\n"
		"      1c:      \tja\t0x4 <send+0x4>\n"
		"      40:      \tretq\n";

	expect_loop(text, 0, 0x10, 32, "send");
}
END_TEST

/* A jump to an earlier function is its call, and what lies between is no loop's body. */
START_TEST(jump_to_another_function)
{
	static const char text[] =
		"0000000000000000 <first>:\n"
		"       0:      \tvmovdqu\t%ymm0, (%rdi)\n"
		"       4:      \taddq\t$32, %rdi\n"
		"       8:      \tretq\n"
		"\n"
		"0000000000000010 <second>:\n"
		"      10:      \tjmp\t0x0 <first>\n";

	expect_none(text, 0x10, "no loop");
}
END_TEST

START_TEST(what_is_no_disassembly)
{
	static const struct {
		const char *text, *reason;
	} bad[] = {
		{ "", "no instruction" },
		{ "\n", "no instruction" },
		{ HEAD, "no instruction" },
		{ HEAD "0000000000000000 <f>:\n", "no instruction" },
		{ "a.o:\tfile format elf64-littleaarch64\n", "line 1 of the disassembly: 'a.o:" },
		{ HEAD "    1000:      \tretq\n", "line 6" }, /* of no function */
		{ HEAD "0000000000000000 <f>:\n    1000:      \tretq\n    0fff:      \tretq\n", "line 8" },
		{ HEAD "0000000000000000 <f>:\n    1000:      retq\n", "line 7" },
		{ HEAD "0000000000000000 <f>:\n    1000: c3   \tretq\n", "line 7" }, /* with raw bytes */
		{ HEAD "0000000000000000 <f>:\n    1000:      \t\n", "line 7" },
		{ HEAD "0000000000000000 <f>:\n    zzzz:      \tretq\n", "line 7" },
		{ HEAD "0000000000000000 f:\n", "line 6" },
		{ HEAD "00000000 <f>:\n", "line 6" },
		{ HEAD "0000000000000000 <>:\n", "line 6" },
		{ HEAD "llvm-objdump: warning\n", "expected x86-64 code" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		*why = 0;
		ck_assert_ptr_null(read_text(bad[i].text));
		ck_assert_msg(strstr(why, bad[i].reason) != NULL, "%zu: it said '%s'", i, why);
	}
	FILE *f = text_file("0000000000000000 <f>:\n\0", 23);
	ck_assert_ptr_null(mca_code_read(f, why));
	ck_assert_ptr_nonnull(strstr(why, "zero byte"));
	fclose(f);
}
END_TEST

/* What LLVM 14 writes, without the views that are not looked at. */
#define JSON(region, name) "{ \"CodeRegions\": [ " region " ], " \
	"\"TargetInfo\": { \"CPUName\": \"" name "\", \"Resources\": [ \"Zn3FPP45.\\u0000\" ] } }"
#define SUMMARY(bound, turns, cycles) "{ \"Name\": \"\", \"SummaryView\": { \"BlockRThroughput\": " bound \
	", \"DispatchWidth\": 6, \"Iterations\": " turns ", \"TotalCycles\": " cycles " } }"

static int parse(const char *json, struct mca_bound *b)
{
	FILE *f = text_file(json, strlen(json));

	*b = (struct mca_bound){ 0 };
	*why = 0;
	int error = mca_parse(f, "znver3", b, why);
	fclose(f);
	return error;
}

START_TEST(json_is_read)
{
	struct mca_bound b;

	ck_assert_msg(parse(JSON(SUMMARY("5.6666666666666661", "1000", "5690"), "znver3"), &b) == 0, "%s", why);
	ck_assert_double_eq_tol(b.cycles, 17.0 / 3, 1e-9);
	ck_assert_double_eq_tol(b.simulated, 5.69, 1e-9);
	ck_assert_int_eq(parse(JSON(SUMMARY("4", "100", "407"), "znver3"), &b), 0); /* whole numbers come as such */
	ck_assert_double_eq(b.cycles, 4);
}
END_TEST

START_TEST(json_that_is_not_expected)
{
	static const struct {
		const char *json, *reason;
	} bad[] = {
		{ "", "line 1 of llvm-mca's JSON" },
		{ "Iterations: 100\n", "line 1" },
		{ "[]", "'CodeRegions'" },
		{ JSON("", "znver3"), "'CodeRegions': expected one" },
		{ JSON(SUMMARY("4", "1", "4") ", " SUMMARY("4", "1", "4"), "znver3"), "'CodeRegions': expected one" },
		{ JSON("{}", "znver3"), "SummaryView" },
		{ JSON("{ \"SummaryView\": [] }", "znver3"), "SummaryView" },
		{ JSON("{ \"SummaryView\": { \"Iterations\": 1, \"TotalCycles\": 1 } }", "znver3"), "BlockRThroughput" },
		{ JSON(SUMMARY("\"4\"", "1", "4"), "znver3"), "'SummaryView'" },
		{ JSON(SUMMARY("0", "1", "4"), "znver3"), "more than 0" },
		{ JSON(SUMMARY("4", "0", "4"), "znver3"), "more than 0" },
		{ JSON(SUMMARY("4", "1", "-4"), "znver3"), "more than 0" },
		{ JSON(SUMMARY("4", "1", "4"), "generic"), "no model of a CPU 'znver3' (it took 'generic')" },
		{ "{ \"CodeRegions\": [ " SUMMARY("4", "1", "4") " ] }", "TargetInfo" },
	};
	struct mca_bound b;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_int_eq(parse(bad[i].json, &b), -EINVAL);
		ck_assert_msg(strstr(why, bad[i].reason) != NULL, "%zu: it said '%s'", i, why);
	}
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("mca");
	tcase_add_test(c, main_loop_is_found);
	tcase_add_test(c, body_is_written_for_llvm_mca);
	tcase_add_test(c, symbols_are_counted);
	tcase_add_test(c, steps_are_understood);
	tcase_add_test(c, loops_that_write_come_first);
	tcase_add_test(c, loops_in_loops);
	tcase_add_test(c, loops_that_are_not_straight);
	tcase_add_test(c, steps_of_every_turn);
	tcase_add_test(c, functions_that_are_handed_on);
	tcase_add_test(c, of_equals_the_shorter);
	tcase_add_test(c, jump_back_that_is_no_loop);
	tcase_add_test(c, jump_to_another_function);
	tcase_add_test(c, what_is_no_disassembly);
	tcase_add_test(c, json_is_read);
	tcase_add_test(c, json_that_is_not_expected);
	Suite *s = suite_create("tools/mca");
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

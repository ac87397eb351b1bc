/* After a keyed loop, begin or end has returned, or all of an ADU in one call, nothing that depends on keys or data is
 * left on the stack below it or in a vector's register. Each is run twice over stacks of our own, painted alike, with
 * other keys and other data at the same places: whatever is not the same afterwards tells of them, whatever it is
 * called and wherever it was spilled. No libcheck: it runs under qemu too, where there is none. */
#include "ilp/ilp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK (256 << 10)
#define ROOM 16384
#define REGISTERS (32 * 64)

/* AGAIN: what finds its keys expanded. */
enum part { BEGIN, BEGIN_AGAIN, ASSOCIATE, LOOP, END, ONCE, ONCE_AGAIN, REFUSED, PARTS };
static const char *const part_names[PARTS] = { "begin", "begin again", "associate", "loop", "end", "once", "once again",
	"once, refused" };
/* What is to be done before. */
static const unsigned parts_before[PARTS] = { [BEGIN_AGAIN] = 1 << BEGIN, [ASSOCIATE] = 1 << BEGIN,
	[LOOP] = 1 << BEGIN | 1 << ASSOCIATE, [END] = 1 << BEGIN | 1 << ASSOCIATE | 1 << LOOP, [ONCE_AGAIN] = 1 << ONCE };

static struct task {
	const struct ilp_chain *chain;
	enum ilp_direction direction;
	ilp_loop *loop;
	ilp_once *once; /* of the fused loop; or NULL */
	struct ilp_any *state;
	const uint8_t *src;
	uint8_t *dst;
	size_t n, done;
	enum part part;
} task;
static ucontext_t here, there;
static uint8_t *stack;
static unsigned passed, failed;

/* What the vectors' registers hold. Behind a call nothing else has come into them. */
static __attribute__((noinline)) void registers(uint8_t *to)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
				 "vmovdqu64 %%zmm\\n, 64*\\n(%0)\n\t.endr" : : "r"(to) : "memory");
	else if (__builtin_cpu_supports("avx"))
		__asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\tvmovdqu %%ymm\\n, 64*\\n(%0)\n\t.endr"
				 : : "r"(to) : "memory");
	else
		__asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\tmovdqu %%xmm\\n, 64*\\n(%0)\n\t.endr"
				 : : "r"(to) : "memory");
#elif defined(__aarch64__)
	__asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
			 "str q\\n, [%0], #64\n\t.endr" : "+r"(to) : : "memory");
#elif defined(__s390x__)
	if (ilp_isa_here(ILP_VX))
		__asm__ volatile(".machine push\n\t.machine z13\n\t"
				 ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
				 "vst %%v\\n, 64*\\n(%0)\n\t.endr\n\t.machine pop" : : "a"(to) : "memory");
#else
#error "which registers do vectors have?"
#endif
}

static uint8_t seen[2][REGISTERS], registers_now[REGISTERS]; /* the latter at one place for both turns */
static int which;
static const uint8_t with[21] = "associated: no secret";

static size_t with_len(void) { return task.chain->associate ? sizeof with : 0; }

static void on_stack(void)
{
	static uint8_t tmp[8 * ROOM];

	switch (task.part) {
	case BEGIN:
	case BEGIN_AGAIN:
		task.chain->begin(task.state);
		break;
	case ASSOCIATE:
		task.chain->associate(task.state, with, with_len());
		break;
	case LOOP:
		task.done = task.loop(task.state, task.dst, task.src, task.n, tmp);
		break;
	case END:
		task.chain->end[task.direction](task.state, task.dst + task.done);
		break;
	default:
		task.once(task.state, task.dst, task.src, task.n, with, with_len(), tmp);
	}
	registers(registers_now);
}

/* Runs the part over a painted stack. */
static void run(enum part part)
{
	task.part = part;
	memset(stack, 0x5c, STACK);
	memset(registers_now, 0, REGISTERS);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = STACK;
	there.uc_link = &here;
	makecontext(&there, on_stack, 0);
	swapcontext(&here, &there);
	memcpy(seen[which], registers_now, REGISTERS);
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(seed >> 56);
	}
}

/* The keys and data of turn 0 or 1; what comes in is what was sent, so that nothing is refused. */
static void prepare(struct ilp_any *state, uint8_t *src, size_t *n, size_t data)
{
	static uint8_t plain[ROOM];
	uint8_t key[128];

	memset(state, 0, sizeof *state);
	for (const struct ilp_param *p = task.chain->params; p->name; p++) {
		fill(key, p->size, (uint64_t)(p->secret ? which : 0) * 77 + 5 + p->offset);
		ilp_set(task.chain, state, p->name, key, p->size);
	}
	fill(plain, data, (uint64_t)which * 99 + 7);
	memcpy(src, plain, data);
	*n = data;
	if (task.direction == ILP_RECV) {
		const struct ilp_any before = *state;
		static uint8_t tmp[8 * ROOM];
		task.chain->begin(state);
		if (task.chain->associate)
			task.chain->associate(state, with, with_len());
		*n = task.chain->ways[ILP_SEND][ILP_FUSED].loop[ILP_SCALAR](state, src, plain, data, tmp);
		*n += (size_t)task.chain->end[ILP_SEND](state, src + *n);
		*state = before;
	}
}

static __attribute__((format(printf, 5, 6))) void complain(unsigned way, enum ilp_isa isa, size_t data, enum part part,
	const char *what, ...)
{
	va_list list;

	printf("%s %s %s %s, %zu bytes, %s: tells of the key or the data: ", task.chain->name,
		task.direction == ILP_SEND ? "send" : "recv", task.chain->ways[task.direction][way].name, ilp_isa_name(isa), data,
		part_names[part]);
	va_start(list, what);
	vprintf(what, list);
	va_end(list);
	putchar('\n');
	failed++;
}

/* Whether the task has that part: associated data of pairs, once of the fused loop, and tags that can be wrong. */
static bool has(enum part part)
{
	if (part == ASSOCIATE)
		return task.chain->associate;
	return part < ONCE || (task.once && (part != REFUSED || (task.direction == ILP_RECV && task.chain->associate)));
}

static void compare(const struct ilp_chain *c, enum ilp_direction d, unsigned way, enum ilp_isa isa, size_t data)
{
	static uint8_t src[ROOM], dst[ROOM], was[STACK];

	task = (struct task){ .chain = c, .direction = d, .loop = c->ways[d][way].loop[isa], .src = src, .dst = dst,
		.once = way == ILP_FUSED ? c->once[d][isa] : NULL };
	for (enum part part = BEGIN; part < PARTS; part++)
		for (which = 0; has(part) && which < 2; which++) {
			static struct ilp_any now;
			prepare(&now, src, &task.n, data);
			task.state = &now;
			for (enum part before = BEGIN; before < part; before++)
				if (parts_before[part] & 1u << before && has(before))
					run(before);
			src[0] ^= part == REFUSED;
			run(part);
			if (which == 0) {
				memcpy(was, stack, STACK);
				continue;
			}
			size_t differ = 0, first = 0, reg = 0;
			for (size_t i = 0; i < STACK; i++)
				if (was[i] != stack[i])
					first = differ++ ? first : i;
			while (reg < REGISTERS && seen[0][reg] == seen[1][reg])
				reg++;
			if (differ > 0)
				complain(way, isa, data, part, "%zu bytes of the stack, the lowest %zu below its top", differ, STACK - first);
			if (reg < REGISTERS)
				complain(way, isa, data, part, "register %zu", reg / 64);
			if (differ == 0 && reg == REGISTERS)
				passed++;
		}
}

/* Marks can make more of the data than there is room for here. */
static bool fits(const struct ilp_chain *c, enum ilp_direction d, unsigned way, size_t data)
{
	const size_t sent = ilp_room(c, ILP_SEND, data), in = d == ILP_SEND ? data : sent;

	return sent <= ROOM && ilp_room(c, d, in) <= ROOM && ilp_scratch(c, d, way, in) <= 8 * ROOM &&
	       ilp_scratch(c, ILP_SEND, ILP_FUSED, data) <= 8 * ROOM;
}

/* name: of one chain, or NULL. */
static void nothing_stays(const char *name)
{
	static const size_t lengths[] = { 5, 64, 700, 1460, 5000 };

	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		for (enum ilp_direction d = 0; (*c)->keyed && d < ILP_DIRECTIONS && (!name || !strcmp((*c)->name, name)); d++)
			for (unsigned way = 0; way < (*c)->way_count[d]; way++)
				for (enum ilp_isa isa = 0; isa < ILP_ISAS; isa++)
					for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++)
						if ((*c)->ways[d][way].loop[isa] && ilp_isa_here(isa) && fits(*c, d, way, lengths[k]))
							compare(*c, d, way, isa, lengths[k]);
}

static __attribute__((noinline)) double around(double a, double b)
{
	const double c = a * b;

	ilp_wipe_registers();
	return c + a;
}

/* A caller's own numbers outlive it: the compiler must not take it for a function that leaves registers alone. */
static void callers_keep_theirs(void)
{
	volatile double a = 2, b = 3;

	if (around(a, b) == 8) {
		passed++;
	} else {
		puts("ilp_wipe_registers() lost a caller's numbers");
		failed++;
	}
}

/* All chains that are linked, or that of the name that is given. */
int main(int argc, char **argv)
{
#ifdef __SANITIZE_ADDRESS__
	puts("skipped, because a sanitizer keeps copies of its own on the stack\n1 passed, 0 failed");
	return 0;
#endif
	/* Once: what is in registers is put on the stack, and must not tell of the turn. */
	getcontext(&there);
	stack = aligned_alloc(64, STACK);
	if (!stack)
		abort();
	nothing_stays(argc > 1 ? argv[1] : NULL);
	callers_keep_theirs();
	free(stack);
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0;
}

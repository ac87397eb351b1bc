/* Runs llvm-objdump and llvm-mca, and reads what they write: tools/mca.h. */
#include "tools/mca.h"

#include "tools/measure.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <link.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Turns that are simulated: what the first few cost more, and the last, is a hundredth of it. */
#define TURNS "-iterations=1000"

struct mca {
	const char *who, *cpu, *object;
	char host[32]; /* what LLVM takes this CPU for; empty: it does not know it */
	double ghz;
	struct mca_code *code;
};

/* ------------------------------------------------------------------------------------------- programs */

static void tell_stderr(const char *who, const char *name, FILE *err, int status)
{
	char line[256] = "";

	rewind(err);
	if (!fgets(line, sizeof line, err))
		snprintf(line, sizeof line, "it said nothing");
	line[strcspn(line, "\n")] = 0;
	if (WIFEXITED(status))
		fprintf(stderr, "%s: %s ended with status %d: %s\n", who, name, WEXITSTATUS(status), line);
	else
		fprintf(stderr, "%s: %s was killed by signal %d: %s\n", who, name, WTERMSIG(status), line);
}

static int start_and_wait(char *const argv[], FILE *in, FILE *out, FILE *err, int *status)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int error = posix_spawn_file_actions_init(&files);

	if (error)
		return -error;
	error = in ? posix_spawn_file_actions_adddup2(&files, fileno(in), 0) :
		posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, fileno(out), 1);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, fileno(err), 2);
	if (!error)
		error = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	while (!error && waitpid(pid, status, 0) < 0)
		error = errno == EINTR ? 0 : errno;
	return -error;
}

/* Runs a program of package llvm, with in for its input; its output is the caller's, to be closed. NULL: told. */
static FILE *run(const char *who, char *const argv[], FILE *in)
{
	FILE *out = tmpfile(), *err = tmpfile();
	int status = 0, error = out && err ? 0 : -errno;

	if (in)
		rewind(in);
	if (!error)
		error = start_and_wait(argv, in, out, err, &status);
	if (error == -ENOENT)
		fprintf(stderr, "%s: there is no program '%s' in PATH: install Debian's package llvm\n", who, argv[0]);
	else if (error)
		fprintf(stderr, "%s: %s: %s\n", who, argv[0], strerror(-error));
	else if (status)
		tell_stderr(who, argv[0], err, status);
	if (err)
		fclose(err);
	if (out && !error && !status) {
		rewind(out);
		return out;
	}
	if (out)
		fclose(out);
	return NULL;
}

/* ------------------------------------------------------------------------------------------- llvm-mca */

int mca_parse(FILE *f, const char *cpu, struct mca_bound *b, char why[MCA_WHY])
{
	json_error_t error;
	/* Names of parts of a CPU come with zeros from LLVM 14. */
	json_t *all = json_loadf(f, JSON_ALLOW_NUL, &error), *summary;
	double iterations, cycles;
	const char *name;
	int status = -EINVAL;

	if (!all) {
		snprintf(why, MCA_WHY, "line %d of llvm-mca's JSON: %s", error.line, error.text);
		return -EINVAL;
	}
	if (json_array_size(json_object_get(all, "CodeRegions")) != 1)
		snprintf(why, MCA_WHY, "llvm-mca's JSON: 'CodeRegions': expected one");
	else if (json_unpack_ex(all, &error, 0, "{s:{s:s}, s:[{s:o}]}", "TargetInfo", "CPUName", &name, "CodeRegions",
		"SummaryView", &summary) != 0)
		snprintf(why, MCA_WHY, "llvm-mca's JSON: %s: expected that of LLVM 14 or later", error.text);
	else if (json_unpack_ex(summary, &error, 0, "{s:F, s:F, s:F}", "BlockRThroughput", &b->cycles, "Iterations",
		&iterations, "TotalCycles", &cycles) != 0)
		snprintf(why, MCA_WHY, "llvm-mca's JSON: 'SummaryView': %s: expected that of LLVM 14 or later", error.text);
	else if (!(b->cycles > 0 && iterations > 0 && cycles > 0))
		snprintf(why, MCA_WHY, "llvm-mca's JSON: 'SummaryView': %g cycles a turn, %g of %g turns: expected more than 0",
			b->cycles, cycles, iterations);
	else if (strcmp(name, cpu) != 0)
		snprintf(why, MCA_WHY, "llvm-mca has no model of a CPU '%.40s' (it took '%.40s'): `llvm-mca -mcpu=help` lists "
			"them", cpu, name);
	else
		status = 0;
	if (!status)
		b->simulated = cycles / iterations;
	json_decref(all);
	return status;
}

/* Has llvm-mca look at a body with the model that b->cpu names. body is closed. */
static int ask(const struct mca *m, FILE *body, struct mca_bound *b)
{
	char option[48], why[MCA_WHY];
	FILE *out = NULL;

	if (!body || ferror(body) || fflush(body) != 0)
		fprintf(stderr, "%s: a file for llvm-mca: %s\n", m->who, strerror(errno));
	else {
		snprintf(option, sizeof option, "-mcpu=%s", b->cpu);
		out = run(m->who, (char *[]){ "llvm-mca", option, "-json", TURNS, NULL }, body);
	}
	if (body)
		fclose(body);
	if (!out) {
		fprintf(stderr, "%s: that was with the model of '%s': --cpu or --mca=CPU chooses another, `llvm-mca -mcpu=help` "
			"lists them\n", m->who, b->cpu);
		return -EIO;
	}
	int error = mca_parse(out, b->cpu, b, why);
	fclose(out);
	if (error)
		fprintf(stderr, "%s: %s\n", m->who, why);
	return error ? -EIO : 0;
}

/* ------------------------------------------------------------------------------------------- set-up */

#if defined(__x86_64__)
/* Additions that wait for one another take a cycle each. Of registers: those of constants may be free. */
static double clock_ghz(void)
{
	double best = 0;

	for (int sample = 0; sample < 50; sample++) {
		enum { TURNS_OF_16 = 20000 };
		uint64_t a = 0, b = 1, turns = TURNS_OF_16, from = measure_now_ns();

		__asm__ volatile("1:\n\t.rept 16\n\tadd %1, %0\n\t.endr\n\tdec %2\n\tjnz 1b"
			: "+r"(a), "+r"(b), "+r"(turns) : : "cc");
		double ghz = 16.0 * TURNS_OF_16 / (double)(measure_now_ns() - from);
		best = ghz > best ? ghz : best;
	}
	return best;
}
#else
static double clock_ghz(void)
{
	return 0;
}
#endif

/* "  Host CPU: znver3" of its --version; "(unknown)" is no name. */
static int read_host(struct mca *m)
{
	FILE *out = run(m->who, (char *[]){ "llvm-mca", "--version", NULL }, NULL);
	char line[256];
	bool seen = false;

	if (!out)
		return -EIO;
	while (!seen && fgets(line, sizeof line, out))
		seen = sscanf(line, " Host CPU: %31s", m->host) == 1;
	fclose(out);
	if (!seen) {
		fprintf(stderr, "%s: llvm-mca --version names no 'Host CPU:': expected LLVM 14 or later\n", m->who);
		return -EIO;
	}
	if (*m->host == '(')
		*m->host = 0;
	return 0;
}

struct mca_code *mca_disassemble(const char *who, const char *object)
{
	char self[32], why[MCA_WHY];

	snprintf(self, sizeof self, "/proc/%ld/exe", (long)getpid());
	FILE *out = run(who, (char *[]){ "llvm-objdump", "-d", "--no-show-raw-insn", "--section=.text",
		(char *)(object ? object : self), NULL }, NULL);
	if (!out)
		return NULL;
	struct mca_code *code = mca_code_read(out, why);
	fclose(out);
	if (!code)
		fprintf(stderr, "%s: %s: %s\n", who, object ? object : "this command", why);
	return code;
}

int mca_listing(const char *who, const char *object, uint64_t from, uint64_t to, FILE *f)
{
	char self[32], start[48], stop[48], line[4096];
	bool begun = false;

	snprintf(self, sizeof self, "/proc/%ld/exe", (long)getpid());
	snprintf(start, sizeof start, "--start-address=0x%" PRIx64, from);
	snprintf(stop, sizeof stop, "--stop-address=0x%" PRIx64, to);
	FILE *out = run(who, (char *[]){ "llvm-objdump", "-d", "-l", "--no-show-raw-insn", "--section=.text", start, stop,
		(char *)(object ? object : self), NULL }, NULL);
	if (!out)
		return -EIO;
	while (fgets(line, sizeof line, out)) {
		begun = begun || (line[0] && strstr(line, ">:\n") != NULL);
		if (begun)
			fputs(line, f);
	}
	fclose(out);
	return 0;
}

static int read_code(struct mca *m, const char *object)
{
	m->code = mca_disassemble(m->who, object);
	return m->code ? 0 : -EIO;
}

/* Whether llvm-mca has that model, before anything is measured. */
static int try_model(const struct mca *m)
{
	struct mca_bound bound = { 0 };
	FILE *body;

	if (!m->cpu)
		return 0;
	if (!*m->cpu || strlen(m->cpu) >= sizeof bound.cpu ||
		m->cpu[strspn(m->cpu, "abcdefghijklmnopqrstuvwxyz0123456789-_.")]) {
		fprintf(stderr, "%s: '%.40s' is no CPU: expected a name like icelake-server\n", m->who, m->cpu);
		return -EINVAL;
	}
	strcpy(bound.cpu, m->cpu);
	body = tmpfile();
	if (body)
		fputs("\tnop\n", body);
	return ask(m, body, &bound);
}

struct mca *mca_open(const char *who, const char *object, const char *cpu)
{
	struct mca *m = calloc(1, sizeof *m);

	if (!m) {
		fprintf(stderr, "%s: out of memory\n", who);
		return NULL;
	}
	*m = (struct mca){ .who = who, .cpu = cpu, .object = object, .ghz = clock_ghz() };
	if (m->ghz > 0 && read_host(m) == 0 && try_model(m) == 0 && read_code(m, object) == 0)
		return m;
	if (!(m->ghz > 0))
		fprintf(stderr, "%s: expected an x86-64 CPU: code of no other is understood\n", who);
	mca_close(m);
	return NULL;
}

void mca_close(struct mca *m)
{
	if (!m)
		return;
	mca_code_free(m->code);
	free(m);
}

double mca_ghz(const struct mca *m)
{
	return m->ghz;
}

/* ------------------------------------------------------------------------------------------- the loop's code */

static int load_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uint64_t *)bias = info->dlpi_addr;
	return 1; /* the first is the program itself */
}

/* Where the fused loop begins, as the file has it: the one place that knows how loops are found. Of this command by the
 * chain's own pointer; in an object by the name that the generator gives. -ENOENT: there is none. */
int mca_entry(const char *who, const struct mca_code *code, const char *object, const struct ilp_chain *chain,
	enum ilp_direction direction, enum ilp_isa isa, uint64_t *entry)
{
	char name[64];
	uint64_t bias = 0;

	if (!object) {
		ilp_loop *loop = chain->ways[direction][ILP_FUSED].loop[isa];

		dl_iterate_phdr(load_bias, &bias);
		*entry = (uint64_t)(uintptr_t)loop - bias;
		return loop ? 0 : -ENOENT;
	}
	snprintf(name, sizeof name, "%s_%s_%s_loop", direction == ILP_SEND ? "send" : "recv",
		ilp_schedule_name(ILP_FUSED), ilp_isa_name(isa));
	unsigned times = mca_code_symbol(code, name, entry);
	if (times < 2)
		return times ? 0 : -ENOENT;
	fprintf(stderr, "%s: the object has %u functions '%s': expected the loops of one chain, as `tcpu gen` writes them "
		"and a compiler makes an object of\n", who, times, name);
	return -EIO;
}

/* ------------------------------------------------------------------------------------------- the bound */

/* LLVM 14 has no model of a later CPU. Then one as wide with the same instructions: Zen 3 schedules no AVX-512. */
static const char *model(const struct mca *m, enum ilp_isa isa)
{
	if (m->cpu)
		return m->cpu;
	if (*m->host)
		return m->host;
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_is("amd") && isa != ILP_AVX512)
		return "znver3";
#endif
	return "icelake-server";
}

int mca_bound(struct mca *m, const struct ilp_chain *chain, enum ilp_direction direction, enum ilp_isa isa,
	struct mca_bound *b)
{
	uint64_t entry;
	int error = mca_entry(m->who, m->code, m->object, chain, direction, isa, &entry);

	*b = (struct mca_bound){ 0 };
	if (error)
		return error;
	if (mca_code_loop(m->code, entry, &b->loop, b->why) != 0)
		return 0;
	if (!b->loop.writes) {
		snprintf(b->why, sizeof b->why, "the loop at 0x%" PRIx64 " only reads, so it is not the fused one, which is "
			"not understood", b->loop.address);
		return 0;
	}
	snprintf(b->cpu, sizeof b->cpu, "%s", model(m, isa));
	b->this_cpu = !strcmp(b->cpu, m->host);
	b->instructions = b->loop.to - b->loop.from + 1;
	FILE *body = tmpfile();
	if (body)
		mca_code_write(m->code, &b->loop, body);
	error = ask(m, body, b);
	b->has = !error;
	return error;
}

double mca_ns_per_byte(const struct mca *m, const struct mca_bound *b)
{
	return b->cycles / b->loop.bytes / m->ghz;
}

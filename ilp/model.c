/* The model's file, and whose it is. The format stands in ilp/model.h. What is read was written by a tool, but may be
 * anything: its size is bounded, every number is looked at, and nothing is taken from it unless the whole is right. */
#include "ilp/model.h"

#include "core/siphash.h"
#include "ilp/loading.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define FORMAT "tcpu-model 1"
#define FILE_MAX_BYTES (1 << 20)
#define BYTES_MAX (1ULL << 40)
#define PS_MAX 10000000000000000ULL /* hours */
#define PART 1000 /* the file has whole numbers: no locale writes them in a way of its own */
#define AGAIN "make it anew with `tcpu calibrate`"

/* Whose --------------------------------------------------------------------------------------------------------- */

/* Spaces are single and none stands at an end, as a line of the file has them. */
static void squeeze(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from > ' ' || (to > text && to[-1] != ' '))
			*to++ = *from > ' ' ? *from : ' ';
	while (to > text && to[-1] == ' ')
		to--;
	*to = 0;
}

#if defined(__x86_64__)
static void name_cpu(char *to, size_t size)
{
	unsigned r[4], signature = 0;
	char vendor[13] = "", brand[49] = "";

	if (__get_cpuid(0, &r[0], &r[1], &r[2], &r[3])) {
		memcpy(vendor, &r[1], 4);
		memcpy(vendor + 4, &r[3], 4);
		memcpy(vendor + 8, &r[2], 4);
	}
	if (__get_cpuid(1, &r[0], &r[1], &r[2], &r[3]))
		signature = r[0];
	for (unsigned leaf = 0; leaf < 3; leaf++)
		if (__get_cpuid(0x80000002 + leaf, &r[0], &r[1], &r[2], &r[3]))
			memcpy(brand + sizeof r * leaf, r, sizeof r);
	snprintf(to, size, "%s %x %s", vendor, signature, brand);
	squeeze(to);
}
#else
static void name_cpu(char *to, size_t size)
{
	static const char *const keys[] = { "CPU implementer", "CPU part", "vendor_id", "machine", "model name" };
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];
	unsigned seen = 0;

	snprintf(to, size, "unknown");
	for (size_t len = 0; f && fgets(line, sizeof line, f);)
		for (unsigned k = 0; k < sizeof keys / sizeof *keys; k++) {
			const char *colon = strchr(line, ':');

			if (!colon || (seen & 1U << k) || strncmp(line, keys[k], strlen(keys[k])) != 0 || len >= size)
				continue;
			seen |= 1U << k;
			len += (size_t)snprintf(to + len, size - len, "%s ", colon + 1);
		}
	if (f)
		fclose(f);
	squeeze(to);
}
#endif

static uint64_t cache_size(int name)
{
	const long size = sysconf(name);

	return size > 0 ? (uint64_t)size : 0;
}

void ilp_model_here(struct ilp_model *m, const char *compiler)
{
	*m = (struct ilp_model){ .abi = ILP_ABI, .tile = ILP_TILE, .streamed = UINT64_MAX };
	name_cpu(m->cpu, sizeof m->cpu);
	snprintf(m->isa, sizeof m->isa, "%s", ilp_isa_name(ilp_isa_best()));
	snprintf(m->compiler, sizeof m->compiler, "%s", compiler);
	squeeze(m->compiler);
	m->cache[0] = cache_size(_SC_LEVEL1_DCACHE_SIZE);
	m->cache[1] = cache_size(_SC_LEVEL2_CACHE_SIZE);
	m->cache[2] = cache_size(_SC_LEVEL3_CACHE_SIZE);
}

uint64_t ilp_mark(const struct ilp_chain *c, enum ilp_direction d)
{
	uint64_t key[2] = { c->unit, c->block };

	key[0] = siphash((const uint8_t *)key, c->stages, strlen(c->stages));
	for (unsigned w = 0; w < c->way_count[d]; w++) {
		key[0] = siphash((const uint8_t *)key, c->ways[d][w].name, strlen(c->ways[d][w].name));
		key[0] = siphash((const uint8_t *)key, c->ways[d][w].loops, strlen(c->ways[d][w].loops));
	}
	return key[0];
}

int ilp_model_path(char *path, const char *compiler)
{
	const char *named = secure_getenv("ILP_MODEL");

	if (named && !*named)
		return -ENOENT;
	if (named)
		return snprintf(path, PATH_MAX, "%s", named) < PATH_MAX ? 0 : -ENAMETOOLONG;
	const int error = ilp_cache_folder(path);
	const size_t len = error ? 0 : strlen(path);

	if (error)
		return error;
	const int name = snprintf(path + len, PATH_MAX - len, "/model-%.*s", (int)strcspn(compiler, " "), compiler);
	return name < (int)(PATH_MAX - len) ? 0 : -ENAMETOOLONG;
}

/* Reading --------------------------------------------------------------------------------------------------------- */

struct reader {
	const char *file;
	char *rest; /* lines to come; NULL: no more */
	char *line; /* what is left of the one at hand */
	unsigned number;
	struct ilp_model *model;
	struct ilp_why *why;
};

static int expected(const struct reader *r, const char *what)
{
	return ilp_why(r->why, -EINVAL, "%s:%u: expected %s, found '%.40s'; " AGAIN, r->file, r->number, what,
		r->line ? r->line : "the end");
}

/* Takes the next line, which begins with that word. */
static bool next(struct reader *r, const char *word)
{
	const size_t len = strlen(word);

	r->line = strsep(&r->rest, "\n");
	r->number++;
	if (!r->line || strncmp(r->line, word, len) != 0 || (r->line[len] && r->line[len] != ' '))
		return false;
	r->line += len;
	return true;
}

static bool ended(const struct reader *r)
{
	return !*r->line;
}

static bool take(struct reader *r, int base, uint64_t least, uint64_t most, uint64_t *n)
{
	char *end;

	if (r->line[0] != ' ' || !strchr("0123456789abcdef", r->line[1]) || !r->line[1])
		return false;
	errno = 0;
	*n = strtoull(r->line + 1, &end, base);
	if (errno || end == r->line + 1 || (*end && *end != ' ') || *n < least || *n > most)
		return false;
	r->line = end;
	return true;
}

static bool take_parts(struct reader *r, double *x)
{
	uint64_t n;

	if (!take(r, 10, 1, PS_MAX, &n))
		return false;
	*x = (double)n / PART;
	return true;
}

static bool take_tile(struct reader *r, uint32_t *tile)
{
	uint64_t n;

	if (!take(r, 10, 64, ILP_TILE_MAX, &n) || n % 64)
		return false;
	*tile = (uint32_t)n;
	return true;
}

static bool take_word(struct reader *r, char *to, size_t size)
{
	const size_t len = r->line[0] == ' ' ? strcspn(r->line + 1, " ") : 0;

	if (len == 0 || len >= size)
		return false;
	memcpy(to, r->line + 1, len);
	to[len] = 0;
	r->line += 1 + len;
	return true;
}

/* The rest of the line. */
static bool take_text(struct reader *r, char *to, size_t size)
{
	if (r->line[0] != ' ' || !r->line[1] || strlen(r->line + 1) >= size)
		return false;
	memcpy(to, r->line + 1, strlen(r->line + 1) + 1);
	r->line += strlen(r->line);
	return true;
}

static int read_head(struct reader *r)
{
	struct ilp_model *m = r->model;
	uint64_t abi;

	r->line = strsep(&r->rest, "\n");
	r->number = 1;
	if (!r->line || strcmp(r->line, FORMAT) != 0)
		return expected(r, "'" FORMAT "'");
	if (!next(r, "abi") || !take(r, 10, 0, UINT32_MAX, &abi) || !ended(r))
		return expected(r, "'abi' and a number");
	m->abi = (uint32_t)abi;
	if (!next(r, "cpu") || !take_text(r, m->cpu, sizeof m->cpu))
		return expected(r, "'cpu' and its name");
	if (!next(r, "isa") || !take_word(r, m->isa, sizeof m->isa) || !ended(r))
		return expected(r, "'isa' and its name");
	if (!next(r, "compiler") || !take_text(r, m->compiler, sizeof m->compiler))
		return expected(r, "'compiler' and its name");
	if (!next(r, "caches") || !take(r, 10, 0, BYTES_MAX, &m->cache[0]) || !take(r, 10, 0, BYTES_MAX, &m->cache[1]) ||
		!take(r, 10, 0, BYTES_MAX, &m->cache[2]) || !ended(r))
		return expected(r, "'caches' and three sizes in bytes");
	if (!next(r, "memory") || !take_parts(r, &m->memory) || !ended(r))
		return expected(r, "'memory' and MB/s");
	if (!next(r, "tile") || !take_tile(r, &m->tile) || !ended(r))
		return expected(r, "'tile' and a multiple of 64, up to 65536");
	if (!next(r, "sizes"))
		return expected(r, "'sizes'");
	do {
		const uint64_t least = m->knots ? m->size[m->knots - 1] + 1 : 1;

		if (m->knots == ILP_KNOTS_MAX || !take(r, 10, least, BYTES_MAX, &m->size[m->knots]))
			return expected(r, "up to 16 sizes in bytes, ascending");
		m->knots++;
	} while (!ended(r));
	return 0;
}

/* Its line has been begun. */
static int read_series(struct reader *r, struct ilp_series *s)
{
	char direction[8];

	if (!take_word(r, s->chain, sizeof s->chain) || !take_word(r, direction, sizeof direction) ||
		(strcmp(direction, "send") != 0 && strcmp(direction, "recv") != 0) || !take_tile(r, &s->tile) ||
		!take(r, 16, 0, UINT64_MAX, &s->mark) || !ended(r))
		return expected(r, "'chain', its name, send or recv, a multiple of 64 up to 65536, and a mark");
	s->direction = strcmp(direction, "send") == 0 ? ILP_SEND : ILP_RECV;
	if (!next(r, "strips"))
		return expected(r, "'strips'");
	for (unsigned k = 0; k < ILP_STRIPS; k++)
		if (!take_parts(r, &s->strip[k]))
			return expected(r, "eight numbers from 1 on");
	if (!ended(r))
		return expected(r, "eight numbers, and no more");
	while (r->rest && !strncmp(r->rest, "way ", 4)) {
		next(r, "way");
		for (unsigned k = 0; k < r->model->knots; k++)
			if (s->ways == ILP_WAYS_MAX || !take_parts(r, &s->ns[s->ways][k]))
				return expected(r, "up to 32 ways, and for each a time in picoseconds at each of the sizes");
		if (!ended(r))
			return expected(r, "a time at each of the sizes, and no more");
		s->ways++;
	}
	if (s->ways < ILP_SCHEDULES) {
		next(r, "way");
		return expected(r, "'way': a chain has four at least");
	}
	return 0;
}

static int read_all(struct reader *r)
{
	struct ilp_model *m = r->model;
	int error = read_head(r);

	while (!error && next(r, "chain")) {
		struct ilp_series *more = m->count < ILP_SERIES_MAX ?
			realloc(m->series, (m->count + 1) * sizeof *m->series) : NULL;

		if (!more)
			return m->count < ILP_SERIES_MAX ? -ENOMEM : expected(r, "no more than 1024 chains");
		m->series = more;
		m->series[m->count] = (struct ilp_series){ .ways = 0 };
		error = read_series(r, &m->series[m->count++]);
	}
	if (!error && (!r->line || strcmp(r->line, "end") != 0 || !r->rest || *r->rest))
		error = expected(r, "'chain', or 'end' and nothing after it");
	return error;
}

/* Whether it is of this machine, this library, and that compiler's loops. */
static int ours(const struct ilp_model *m, const char *file, const char *compiler, struct ilp_why *why)
{
	struct ilp_model here;
	const char *what = NULL, *theirs = "", *mine = "";

	ilp_model_here(&here, compiler);
	if (m->abi != here.abi)
		return ilp_why(why, -ESTALE, "%s: of loops of ABI %u, here they are of %u; " AGAIN, file, m->abi, here.abi);
	if (strcmp(m->cpu, here.cpu) != 0)
		what = "of the CPU", theirs = m->cpu, mine = here.cpu;
	else if (strcmp(m->compiler, here.compiler) != 0)
		what = "of loops compiled by", theirs = m->compiler, mine = here.compiler;
	else if (strcmp(m->isa, here.isa) != 0)
		what = "of the instruction set", theirs = m->isa, mine = here.isa;
	if (!what)
		return 0;
	return ilp_why(why, -ESTALE, "%s: %s '%s', here it is '%s'; " AGAIN, file, what, theirs, mine);
}

int ilp_model_read(const char *file, const char *compiler, struct ilp_model **model, char *text, size_t size)
{
	struct ilp_why why = { text, size };
	struct ilp_blob blob = { 0 };
	const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = fd < 0 ? -errno : ilp_blob_read(&blob, fd, FILE_MAX_BYTES);

	*model = NULL;
	if (fd >= 0)
		close(fd);
	if (!error)
		error = ilp_blob_add(&blob, "", 1);
	if (error)
		ilp_why(&why, error, "%s: %s; " AGAIN, file, error == -EINVAL ? "no regular file" : strerror(-error));
	struct ilp_model *m = error ? NULL : calloc(1, sizeof *m);
	struct reader r = { .file = file, .rest = (char *)blob.bytes, .model = m, .why = &why };

	if (!error && !m)
		error = -ENOMEM;
	if (!error && strlen(r.rest) + 1 != blob.len)
		error = ilp_why(&why, -EINVAL, "%s: expected text, found a zero byte; " AGAIN, file);
	if (!error)
		error = read_all(&r);
	if (!error)
		error = ours(m, file, compiler, &why);
	ilp_blob_free(&blob);
	if (error) {
		ilp_model_free(m);
		return error;
	}
	ilp_model_settle(m);
	*model = m;
	return 0;
}

/* Writing --------------------------------------------------------------------------------------------------------- */

static uint64_t parts(double x)
{
	return x * PART < 1 ? 1 : (uint64_t)(x * PART + 0.5);
}

static void print(const struct ilp_model *m, FILE *f)
{
	fprintf(f, FORMAT "\nabi %u\ncpu %s\nisa %s\ncompiler %s\ncaches %ju %ju %ju\nmemory %ju\ntile %u\nsizes", m->abi,
		m->cpu, m->isa, m->compiler, (uintmax_t)m->cache[0], (uintmax_t)m->cache[1], (uintmax_t)m->cache[2],
		(uintmax_t)parts(m->memory), m->tile);
	for (unsigned k = 0; k < m->knots; k++)
		fprintf(f, " %ju", (uintmax_t)m->size[k]);
	fputc('\n', f);
	for (unsigned i = 0; i < m->count; i++) {
		const struct ilp_series *s = &m->series[i];

		fprintf(f, "chain %s %s %u %016jx\nstrips", s->chain, s->direction == ILP_SEND ? "send" : "recv", s->tile,
			(uintmax_t)s->mark);
		for (unsigned k = 0; k < ILP_STRIPS; k++)
			fprintf(f, " %ju", (uintmax_t)parts(s->strip[k]));
		for (unsigned w = 0; w < s->ways; w++) {
			fputs("\nway", f);
			for (unsigned k = 0; k < m->knots; k++)
				fprintf(f, " %ju", (uintmax_t)parts(s->ns[w][k]));
		}
		fputc('\n', f);
	}
	fputs("end\n", f);
}

/* Makes the folders that a file is to stand in: nobody's cache has to be there before (XDG Base Directory). What is
 * wrong with one, opening the file says. */
static void make_folders(const char *file)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%s", file);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(folder, 0700);
		*slash = '/';
	}
}

/* A file beside the one that it is to become, whose name goes to `name`, of PATH_MAX bytes; its descriptor. */
static int open_beside(const char *file, char *name)
{
	const int len = snprintf(name, PATH_MAX, "%s.XXXXXX", file);
	struct stat st;

	if (!*file)
		return -ENOENT;
	if (len < 0 || len >= PATH_MAX)
		return -ENAMETOOLONG;
	if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	make_folders(file);
	const int fd = mkostemp(name, O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int ilp_model_try(const char *file)
{
	char name[PATH_MAX];
	const int fd = open_beside(file, name);

	if (fd < 0)
		return fd;
	close(fd);
	unlink(name);
	return 0;
}

int ilp_model_write(const struct ilp_model *m, const char *file)
{
	char name[PATH_MAX];
	const int fd = open_beside(file, name);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f) {
		const int error = fd < 0 ? fd : -errno;

		if (fd >= 0) {
			close(fd);
			unlink(name);
		}
		return error;
	}
	print(m, f);
	bool failed = ferror(f) || fflush(f) != 0 || fsync(fd) != 0;
	failed |= fclose(f) != 0;
	if (failed || rename(name, file) != 0) {
		const int error = errno ? -errno : -EIO;

		unlink(name);
		return error;
	}
	return 0;
}

void ilp_model_free(struct ilp_model *m)
{
	if (m)
		free(m->series);
	free(m);
}

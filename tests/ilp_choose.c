/* The model and the chooser (ilp/model.h, ilp/choose.h): what a file may hold, whose it is, that the choice is the
 * least of what is predicted, the same every time, and the default where there is no model. Nothing is timed. */
#include "ilp/model.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128], why[512];
static struct ilp_model *model; /* synthetic: every chain, both directions; made anew for each test */
static const uint64_t sizes[] = { 64, 1024, 65536, 1 << 20 };
#define KNOTS 4

static double random_ns(void)
{
	return 10 + (double)(rand() % 100000);
}

static void make_series(struct ilp_series *s, const struct ilp_chain *c, enum ilp_direction d)
{
	*s = (struct ilp_series){ .direction = d, .mark = ilp_mark(c, d), .tile = 4096, .ways = c->way_count[d] };
	snprintf(s->chain, sizeof s->chain, "%s", c->name);
	for (unsigned k = 0; k < ILP_STRIPS; k++)
		s->strip[k] = 1 + k * 0.25;
	for (unsigned w = 0; w < s->ways; w++)
		for (unsigned k = 0; k < KNOTS; k++)
			s->ns[w][k] = random_ns();
}

static void setup(void)
{
	unsigned chains = 0;

	srand(7);
	snprintf(folder, sizeof folder, "/tmp/ilp_choose.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/model", folder);
	while (ilp_chains[chains])
		chains++;
	model = calloc(1, sizeof *model);
	ilp_model_here(model, ILP_COMPILER);
	model->tile = 8192;
	model->memory = 12.5;
	model->knots = KNOTS;
	memcpy(model->size, sizes, sizeof sizes);
	model->series = calloc(chains * ILP_DIRECTIONS, sizeof *model->series);
	for (unsigned i = 0; i < chains * ILP_DIRECTIONS; i++)
		make_series(&model->series[model->count++], ilp_chains[i / 2], (enum ilp_direction)(i % 2));
	ilp_model_settle(model);
}

static void teardown(void)
{
	ilp_model_free(model);
	unlink(path);
	rmdir(folder);
}

static char *slurp(size_t *len)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "re");

	ck_assert_ptr_nonnull(f);
	*len = fread(text, 1, sizeof text - 1, f);
	text[*len] = 0;
	fclose(f);
	return text;
}

static void put(const char *text, size_t len)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static int read_back(struct ilp_model **m)
{
	snprintf(why, sizeof why, "nothing was said");
	return ilp_model_read(path, ILP_COMPILER, m, why, sizeof why);
}

static void refused(int error, const char *said)
{
	struct ilp_model *m = model;

	ck_assert_int_eq(read_back(&m), error);
	ck_assert_ptr_null(m);
	ck_assert_msg(strstr(why, said) && strstr(why, path) && strstr(why, "tcpu calibrate"), "it said: %s", why);
}

START_TEST(what_is_written_is_read)
{
	struct ilp_model *m;

	ck_assert_int_eq(ilp_model_write(model, path), 0);
	ck_assert_int_eq(read_back(&m), 0);
	ck_assert_str_eq(m->cpu, model->cpu);
	ck_assert_uint_eq(m->tile, 8192);
	ck_assert_double_eq_tol(m->memory, 12.5, 1e-9);
	ck_assert_uint_eq(m->streamed, model->streamed);
	ck_assert_uint_eq(m->count, model->count);
	for (unsigned i = 0; i < m->count; i++) {
		const struct ilp_series *a = &m->series[i], *b = &model->series[i];

		ck_assert_str_eq(a->chain, b->chain);
		ck_assert_uint_eq(a->direction, b->direction);
		ck_assert_uint_eq(a->tile, b->tile);
		ck_assert_uint_eq(a->mark, b->mark);
		ck_assert_uint_eq(a->ways, b->ways);
		for (unsigned w = 0; w < a->ways; w++)
			for (unsigned k = 0; k < KNOTS; k++)
				ck_assert_double_eq_tol(a->ns[w][k], b->ns[w][k], 0.001);
		for (unsigned k = 0; k < ILP_STRIPS; k++)
			ck_assert_double_eq_tol(a->strip[k], b->strip[k], 0.001);
	}
	ilp_model_free(m);
}
END_TEST

/* Nobody finds half of it, and nothing is left beside it. */
START_TEST(writing_replaces)
{
	struct stat before, after;

	put("an old one", 10);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_ne(before.st_ino, after.st_ino);
	ck_assert_int_eq(ilp_model_write(model, "/dev/null/model"), -ENOTDIR);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(folder), 0); /* it is empty */
	ck_assert_int_eq(ilp_model_write(model, path), 0); /* and is made */
}
END_TEST

/* What is tried leaves no more than a folder. */
START_TEST(writing_is_tried)
{
	struct stat before, after;

	put("an old one", 10);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(ilp_model_try(path), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_int_eq(after.st_size, 10);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(ilp_model_try("/dev/null/model"), -ENOTDIR);
	ck_assert_int_eq(ilp_model_try(folder), -EISDIR);
	ck_assert_int_eq(ilp_model_write(model, folder), -EISDIR);
	ck_assert_int_eq(rmdir(folder), 0); /* it is empty */
	ck_assert_int_eq(ilp_model_try(path), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* A cache that has never been is made, whatever it is to stand in. */
START_TEST(folders_are_made)
{
	char deep[256], *slash;

	snprintf(deep, sizeof deep, "%s/a/b/tcpu/model", folder);
	ck_assert_int_eq(ilp_model_write(model, deep), 0);
	ck_assert_int_eq(unlink(deep), 0);
	for (int k = 0; k < 3; k++) {
		slash = strrchr(deep, '/');
		*slash = 0;
		ck_assert_int_eq(rmdir(deep), 0);
	}
	ck_assert_int_eq(ilp_model_try(""), -ENOENT);
}
END_TEST

START_TEST(of_another)
{
	const uint32_t abi = model->abi;

	model->abi = abi + 1;
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	refused(-ESTALE, "ABI");
	model->abi = abi;
	strcat(model->cpu, "x");
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	refused(-ESTALE, "CPU");
	model->cpu[strlen(model->cpu) - 1] = 0;
	strcat(model->compiler, ".1");
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	refused(-ESTALE, "compiled by");
	model->compiler[strlen(model->compiler) - 2] = 0;
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	setenv("ILP_ISA", ilp_isa_best() == ILP_SCALAR ? "none" : "scalar", 1);
	if (strcmp(model->isa, "scalar") != 0)
		refused(-ESTALE, "instruction set");
	unsetenv("ILP_ISA");
	struct ilp_model *m;
	ck_assert_int_eq(read_back(&m), 0);
	ilp_model_free(m);
}
END_TEST

START_TEST(no_file)
{
	refused(-ENOENT, "No such file");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	struct ilp_model *m;
	ck_assert_int_ne(read_back(&m), 0);
	ck_assert_ptr_null(m);
	ck_assert_int_eq(rmdir(path), 0);
	char *big = malloc((1 << 20) + 1);
	memset(big, 'x', (1 << 20) + 1);
	put(big, (1 << 20) + 1);
	free(big);
	refused(-EFBIG, "too large");
}
END_TEST

/* Wherever it is cut short. */
START_TEST(cut_short)
{
	size_t len;

	model->count = 2;
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	char *text = strdup(slurp(&len));
	for (size_t n = 0; n < len; n++) {
		put(text, n);
		refused(-EINVAL, "expected");
	}
	put(text, len);
	struct ilp_model *m;
	ck_assert_int_eq(read_back(&m), 0);
	ilp_model_free(m);
	free(text);
}
END_TEST

/* Whatever byte becomes another (of every third: a file each): it is refused, or what is taken is within bounds. */
START_TEST(damaged)
{
	static const char others[] = { 0, ' ', '\n', '-', '0', '9', 'x', '.', (char)0xff };
	size_t len;
	unsigned taken = 0, all = 0;

	model->count = 1;
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	char *text = strdup(slurp(&len));
	for (size_t at = 0; at < len; at += 3)
		for (unsigned o = 0; o < sizeof others; o++, all++) {
			const char was = text[at];
			struct ilp_model *m;

			text[at] = others[o];
			put(text, len);
			if (read_back(&m) == 0) {
				taken++;
				ck_assert_uint_le(m->tile, ILP_TILE_MAX);
				ck_assert_uint_eq(m->tile % 64, 0);
				ck_assert_uint_eq(m->knots, KNOTS);
				for (unsigned k = 1; k < m->knots; k++)
					ck_assert_uint_lt(m->size[k - 1], m->size[k]);
				ck_assert_uint_eq(m->count, 1);
				ck_assert_uint_eq(m->series->tile % 64, 0);
				for (unsigned w = 0; w < m->series->ways; w++)
					for (unsigned k = 0; k < KNOTS; k++)
						ck_assert(m->series->ns[w][k] > 0 && m->series->ns[w][k] < 1e14);
				ilp_model_free(m);
			}
			text[at] = was;
		}
	/* Digits are other digits; but of most of the rest none may be taken. */
	ck_assert_uint_lt(taken, all / 2);
	free(text);
}
END_TEST

/* One line for another. */
START_TEST(garbage)
{
	static const struct {
		const char *line, *with, *said;
	} table[] = {
		{ "tcpu-model 1", "tcpu-model 2", ":1: expected 'tcpu-model 1'" },
		{ "abi ", "abi -1", ":2: expected 'abi'" },
		{ "isa ", "isa", ":4: expected 'isa'" },
		{ "caches ", "caches 1 2", ":6: expected 'caches'" },
		{ "memory ", "memory inf", ":7: expected 'memory'" },
		{ "memory ", "memory 0", ":7: expected 'memory'" },
		{ "tile ", "tile 100", ":8: expected 'tile'" },
		{ "tile ", "tile 131072", ":8: expected 'tile'" },
		{ "tile ", "tile 0", ":8: expected 'tile'" },
		{ "sizes ", "sizes 64 64 128 256", ":9: expected up to 16" },
		{ "sizes ", "sizes 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", ":9: expected up to 16" },
		{ "sizes ", "sizes 64 1024 65536 99999999999999999999", ":9: expected up to 16" },
		{ "sizes ", "sizes 64 1024 65536", ":12: expected a time at each" },
		{ "sizes ", "sizes 64 1024 65536 70000 80000", ":12: expected up to 32 ways" },
		{ "chain ", "chain copy_sum both 4096 0", ":10: expected 'chain'" },
		{ "chain ", "chain copy_sum send 1 0", ":10: expected 'chain'" },
		{ "strips ", "strips 1 1 1", ":11: expected eight" },
		{ "strips ", "strips 1 1 1 1 1 1 1 1 1", ":11: expected eight" },
		{ "way ", "way 1 2 3 nan", ":12: expected up to 32" },
		{ "way ", "way 1 2 3 0", ":12: expected up to 32" },
		{ "way ", "wax 1 2 3 4", ":12: expected 'way'" },
		{ "end", "end of it", "expected 'chain', or 'end'" },
		{ "end", "end\nend", "expected 'chain', or 'end'" },
	};
	size_t len;

	model->count = 1;
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	char *text = strdup(slurp(&len));
	for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
		char line[32], *all = malloc(len + 128);

		snprintf(line, sizeof line, "\n%s", table[i].line);
		const char *at = i == 0 ? text : strstr(text, line) + 1;
		const int n = snprintf(all, len + 128, "%.*s%s%s", (int)(at - text), text, table[i].with, strchr(at, '\n'));
		put(all, (size_t)n);
		free(all);
		refused(-EINVAL, table[i].said);
	}
	free(text);
}
END_TEST

/* Of more ways than there can be, and of more series. */
START_TEST(too_many)
{
	size_t len;
	char *all = malloc(1 << 20);

	model->count = 1;
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	char *text = slurp(&len);
	text[len - 4] = 0; /* without its end */
	int n = snprintf(all, 1 << 20, "%s", text);
	for (unsigned w = model->series->ways; w <= ILP_WAYS_MAX; w++)
		n += sprintf(all + n, "way 1 1 1 1\n");
	n += sprintf(all + n, "end\n");
	put(all, (size_t)n);
	refused(-EINVAL, "up to 32 ways");
	n = snprintf(all, 1 << 20, "%s", text);
	for (unsigned i = 1; i <= ILP_SERIES_MAX; i++)
		n += sprintf(all + n, "chain c send 64 0\nstrips 1 1 1 1 1 1 1 1\nway 1 1 1 1\nway 1 1 1 1\nway 1 1 1 1\n"
			"way 1 1 1 1\n");
	n += sprintf(all + n, "end\n");
	put(all, (size_t)n);
	refused(-EINVAL, "no more than 1024");
	free(all);
}
END_TEST

static const uint64_t asked[] = { 1, 64, 65, 500, 1024, 5000, 65536, 300000, 1 << 20, 64 << 20 };
#define ASKED (sizeof asked / sizeof *asked)

START_TEST(the_least_of_its_predictions)
{
	for (int round = 0; round < 50; round++) {
		for (unsigned i = 0; i < model->count; i++)
			make_series(&model->series[i], ilp_chains[i / 2], model->series[i].direction);
		for (unsigned i = 0; i < model->count * ASKED; i++) {
			const struct ilp_chain *c = ilp_chains[i / ASKED / 2];
			const enum ilp_direction d = model->series[i / ASKED].direction;
			const uint64_t bytes = asked[i % ASKED];
			struct ilp_choice a, b;

			ilp_model_choose(model, c, d, bytes, &a);
			ilp_model_choose(model, c, d, bytes, &b);
			ck_assert_uint_eq(a.way, b.way);
			ck_assert_uint_eq(a.tile, 4096);
			ck_assert(a.measured);
			ck_assert_uint_lt(a.way, c->way_count[d]);
			const double ns = ilp_model_predict(model, c, d, a.way, a.tile, bytes);
			for (unsigned w = 0; w < c->way_count[d]; w++) {
				const double other = ilp_model_predict(model, c, d, w, a.tile, bytes);

				ck_assert(other > 0);
				ck_assert(a.way == ILP_FUSED ? ns * 0.97 <= other : ns <= other);
			}
		}
	}
}
END_TEST

START_TEST(what_is_as_good_is_fused)
{
	const struct ilp_chain *c = ilp_find("copy_sum");
	struct ilp_series *s = model->series;
	struct ilp_choice choice;

	while (strcmp(s->chain, "copy_sum") != 0 || s->direction != ILP_SEND)
		s++;
	for (unsigned w = 0; w < s->ways; w++)
		s->ns[w][0] = w == ILP_TILED ? 98 : 100;
	ilp_model_choose(model, c, ILP_SEND, 64, &choice);
	ck_assert_uint_eq(choice.way, ILP_FUSED);
	s->ns[ILP_TILED][0] = 96;
	ilp_model_choose(model, c, ILP_SEND, 64, &choice);
	ck_assert_uint_eq(choice.way, ILP_TILED);
}
END_TEST

START_TEST(between_the_knots)
{
	const struct ilp_chain *c = ilp_find("copy_sum");
	struct ilp_series *s = model->series;

	while (strcmp(s->chain, "copy_sum") != 0 || s->direction != ILP_SEND)
		s++;
	const double ns[KNOTS] = { 100, 580, 10000, 200000 };
	memcpy(s->ns[ILP_TILED], ns, sizeof ns);
	memcpy(s->ns[ILP_FUSED], ns, sizeof ns);
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_FUSED, 4096, 1), 100, 1e-9);
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_FUSED, 4096, 64), 100, 1e-9);
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_FUSED, 4096, 544), 340, 1e-9);
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_FUSED, 4096, 1024), 580, 1e-9);
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_FUSED, 4096, 3 << 20), 600000, 1e-6);
	/* Strips of 512 bytes, against 4096: strip[0]; only where there is more than one, and for ways in strips. */
	s->strip[0] = 1.5;
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_TILED, 512, 65536), 15000, 1e-9);
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_TILED, 4096, 65536), 10000, 1e-9);
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_TILED, 512, 64), 100, 1e-9);
	ck_assert_double_eq_tol(ilp_model_predict(model, c, ILP_SEND, ILP_FUSED, 512, 65536), 10000, 1e-9);
	ck_assert_double_eq(ilp_model_predict(model, c, ILP_SEND, s->ways, 4096, 64), 0);
}
END_TEST

/* No model; a chain that is not in it, or is not what it was. */
START_TEST(default_is_fused)
{
	const struct ilp_chain *c = ilp_find("copy_sum");
	struct ilp_choice choice;

	for (unsigned i = 0; i < ASKED; i++) {
		ilp_model_choose(NULL, c, ILP_RECV, asked[i], &choice);
		ck_assert_uint_eq(choice.way, ILP_FUSED);
		ck_assert_uint_eq(choice.tile, ILP_TILE);
		ck_assert(!choice.measured);
		ck_assert_double_eq(ilp_model_predict(NULL, c, ILP_RECV, ILP_FUSED, ILP_TILE, asked[i]), 0);
	}
	for (unsigned i = 0; i < model->count; i++) {
		model->series[i].mark ^= 1;
		model->series[i].ns[ILP_STREAMING][3] = 0.9 * model->series[i].ns[ILP_FUSED][3];
		model->series[i].ns[ILP_STREAMING][2] = model->series[i].ns[ILP_FUSED][2];
	}
	ilp_model_settle(model);
	ilp_model_choose(model, c, ILP_SEND, (1 << 20) - 1, &choice);
	ck_assert_uint_eq(choice.way, ILP_FUSED);
	ck_assert_uint_eq(choice.tile, 8192);
	ck_assert(!choice.measured);
	ilp_model_choose(model, c, ILP_SEND, 1 << 20, &choice);
	ck_assert_uint_eq(choice.way, ILP_STREAMING);
	ck_assert_double_eq(ilp_model_predict(model, c, ILP_SEND, ILP_FUSED, 8192, 64), 0);
}
END_TEST

/* In the user's cache, a file for each compiler of loops. */
START_TEST(of_each_compiler)
{
	static const char *const compilers[] = { "one 1.0", "two 2.0", "two 2.1" };
	struct ilp_chain c = *ilp_chains[0];
	struct ilp_choice choice;
	char file[PATH_MAX];

	unsetenv("ILP_MODEL");
	setenv("XDG_CACHE_HOME", folder, 1);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(model->compiler, sizeof model->compiler, "%s", compilers[i]);
		model->series[0].tile = 512U << i;
		ck_assert_int_eq(ilp_model_path(file, compilers[i]), 0);
		ck_assert_int_eq(ilp_model_write(model, file), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		c.compiler = compilers[i];
		ilp_choose(&c, ILP_SEND, 1024, &choice);
		ck_assert(choice.measured);
		ck_assert_uint_eq(choice.tile, 512U << i);
		ck_assert_int_eq(ilp_model_path(file, compilers[i]), 0);
		ck_assert_int_eq(unlink(file), 0);
	}
	c.compiler = compilers[2]; /* a newer one, of which there is none */
	ilp_choose(&c, ILP_SEND, 1024, &choice);
	ck_assert(!choice.measured);
	*strrchr(file, '/') = 0;
	ck_assert_int_eq(rmdir(file), 0);
}
END_TEST

/* ILP_MODEL, and that it is read once. */
START_TEST(the_processs_own)
{
	const struct ilp_chain *c = ilp_chains[0];
	struct ilp_choice choice, expected;
	char found[PATH_MAX];

	setenv("ILP_MODEL", "", 1);
	ck_assert_int_eq(ilp_model_path(found, "other 1"), -ENOENT);
	unsetenv("ILP_MODEL");
	setenv("XDG_CACHE_HOME", folder, 1);
	ck_assert_int_eq(ilp_model_path(found, "other 1"), 0);
	ck_assert_str_eq(found + strlen(folder), "/tcpu/model-other");
	setenv("ILP_MODEL", path, 1);
	ck_assert_int_eq(ilp_model_path(found, "other 1"), 0);
	ck_assert_str_eq(found, path);
	ck_assert_int_eq(ilp_model_write(model, path), 0);
	ilp_model_choose(model, c, ILP_SEND, 1024, &expected);
	/* One of another compiler is that compiler's chains', and they have no other. */
	struct ilp_chain others = *c;
	others.compiler = "other 1";
	ilp_choose(&others, ILP_SEND, 1024, &choice);
	ck_assert(!choice.measured);
	ck_assert_double_eq(ilp_predict(&others, ILP_SEND, ILP_FUSED, ILP_TILE, 1024), 0);
	for (int i = 0; i < 2; i++) {
		ilp_choose(c, ILP_SEND, 1024, &choice);
		ck_assert_uint_eq(choice.way, expected.way);
		ck_assert_uint_eq(choice.tile, expected.tile);
		ck_assert(choice.measured);
		ck_assert_double_eq_tol(ilp_predict(c, ILP_SEND, choice.way, choice.tile, 1024),
			model->series[0].ns[choice.way][1], 0.001);
		put("gone", 4);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ilp_choose");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_is_written_is_read);
	tcase_add_test(t, writing_replaces);
	tcase_add_test(t, writing_is_tried);
	tcase_add_test(t, folders_are_made);
	tcase_add_test(t, of_another);
	tcase_add_test(t, no_file);
	tcase_add_test(t, cut_short);
	tcase_add_test(t, damaged);
	tcase_add_test(t, garbage);
	tcase_add_test(t, too_many);
	tcase_add_test(t, the_least_of_its_predictions);
	tcase_add_test(t, what_is_as_good_is_fused);
	tcase_add_test(t, between_the_knots);
	tcase_add_test(t, default_is_fused);
	tcase_add_test(t, of_each_compiler);
	tcase_add_test(t, the_processs_own);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

/* ilp_load(): chains described at run time do what those do that were compiled in; the compiler is called only for what
 * is new; nothing of it is left behind in the process. */
#include "ilp/load.h"
#include "tests/load_place.h"
#include "tests/run.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs the loop over data in two calls, cut there; all that comes out, and how much. */
static size_t run(const struct ilp_chain *c, ilp_loop *loop, enum ilp_direction direction, uint8_t *out, size_t n,
	size_t cut, uint16_t *sum)
{
	uint8_t data[2 * ILP_TILE], tmp[2 * ILP_TILE + ILP_HELD_MAX], key[128];
	struct ilp_any s = {0};
	size_t done;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	memset(key, 0x5a, sizeof key);
	for (const struct ilp_param *p = c->params; p->name; p++)
		ck_assert_int_eq(ilp_set(c, &s, p->name, key, p->size), 0);
	c->begin(&s);
	done = loop(&s, out, data, cut, tmp);
	done += loop(&s, out + done, data + cut, n - cut, tmp);
	done += (size_t)c->end[direction](&s, out + done);
	*sum = c->sum ? c->sum(&s) : 0;
	return done;
}

static void compare(const struct ilp_chain *a, const struct ilp_chain *b, enum ilp_direction d, enum ilp_schedule s,
	enum ilp_isa isa)
{
	static const size_t lengths[] = { 0, 1, 3, 64, 65, 255, 1460, ILP_TILE + 7, 2 * ILP_TILE };

	ck_assert_int_eq(!a->ways[d][s].loop[isa], !b->ways[d][s].loop[isa]);
	for (unsigned i = 0; a->ways[d][s].loop[isa] && ilp_isa_here(isa) && i < sizeof lengths / sizeof *lengths; i++)
		for (size_t cut = 0; cut <= lengths[i]; cut += lengths[i] / 5 + 1) {
			uint8_t x[2 * ILP_TILE] = {0}, y[2 * ILP_TILE] = {0};
			uint16_t sum_x, sum_y;

			ck_assert_uint_eq(run(a, a->ways[d][s].loop[isa], d, x, lengths[i], cut, &sum_x), lengths[i]);
			ck_assert_uint_eq(run(b, b->ways[d][s].loop[isa], d, y, lengths[i], cut, &sum_y), lengths[i]);
			ck_assert_mem_eq(x, y, sizeof x);
			ck_assert_uint_eq(sum_x, sum_y);
		}
}

/* With the compiler's real options, every loop of the largest chain. */
START_TEST(as_compiled_in)
{
	const struct ilp_chain *in = ilp_find("xdr_chacha20_copy_sum"), *out;

	unsetenv("ILP_CC");
	place_chain("xdr_chacha20_copy_sum", "\"xdr_u32\", \"chacha20\", \"copy\", \"inet_checksum\"");
	out = place_load("xdr_chacha20_copy_sum");
	ck_assert_ptr_ne(in, out);
	ck_assert_str_eq(in->name, out->name);
	ck_assert_str_eq(in->stages, out->stages);
	ck_assert_uint_eq(in->state_size, out->state_size);
	for (int d = 0; d < ILP_DIRECTIONS; d++)
		for (int s = 0; s < ILP_SCHEDULES; s++)
			for (int isa = 0; isa < ILP_ISAS; isa++)
				compare(in, out, (enum ilp_direction)d, (enum ilp_schedule)s, (enum ilp_isa)isa);
	/* It is not one of those. */
	ck_assert_ptr_eq(ilp_find("xdr_chacha20_copy_sum"), in);
	ilp_unload(out);
}
END_TEST

/* The number of a unit, beyond 16 bits of it, and the number of a run: the oracle's ADUs are too short to see these. */
START_TEST(far_units)
{
	enum { UNITS = 65536 + 300 };
	static uint32_t src[UNITS], dst[2 * UNITS], back[UNITS];
	const struct ilp_chain *c;

	unsetenv("ILP_CC");
	place_write("stages/number.lua", "return stage { name = \"number\", standard = \"none\", kind = \"map\", unit = 4,\n"
		"tail = \"pass\", inverse = \"self\", apply = function(w, i) return xor(w, i) end }\n");
	place_write("stages/marks.lua", "return stage { name = \"marks\", standard = \"none\", kind = \"reframe\",\n"
		"every = 4, mark = function(i) return { i } end }\n");
	place_chain("c", "\"copy\", \"number\", \"marks\"");
	c = place_load("c");
	for (int way = 0; way < (int)c->way_count[ILP_SEND]; way++)
		for (int isa = 0; isa < ILP_ISAS; isa++) {
			ilp_loop *out = c->ways[ILP_SEND][way].loop[isa], *in = c->ways[ILP_RECV][way].loop[isa];
			uint8_t *tmp = malloc(ilp_scratch(c, ILP_SEND, (unsigned)way, sizeof src)
				+ ilp_scratch(c, ILP_RECV, (unsigned)way, sizeof dst) + 1);
			struct ilp_any s = {0};

			if (out && in && ilp_isa_here((enum ilp_isa)isa)) {
				c->begin(&s);
				ck_assert_uint_eq(out(&s, (uint8_t *)dst, (uint8_t *)src, sizeof src, tmp), sizeof dst);
				for (uint32_t i = 0; i < UNITS; i++)
					ck_assert(dst[2 * i] == i && dst[2 * i + 1] == i);
				c->begin(&s);
				ck_assert_uint_eq(in(&s, (uint8_t *)back, (uint8_t *)dst, sizeof dst, tmp), sizeof back);
				ck_assert_int_eq(c->end[ILP_RECV](&s, (uint8_t *)back), 0);
				ck_assert_mem_eq(back, src, sizeof src);
			}
			free(tmp);
		}
	ilp_unload(c);
}
END_TEST

START_TEST(chain_by_name)
{
	const struct ilp_chain *c;
	char why[256];

	ck_assert_int_eq(ilp_load("copy_sum", NULL, &c, why, sizeof why), 0);
	ck_assert_str_eq(c->name, "copy_sum");
	ilp_unload(c);
	ck_assert_int_eq(ilp_load("nosuch", NULL, &c, why, sizeof why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "nosuch.lua:1: no such file"));
}
END_TEST

/* Beside the file; of a file in chains/, beside that; but not above another folder, which may be anybody's. */
START_TEST(stages_are_found)
{
	place_xor("stages/probe", "0x11111111");
	place_xor("sub/stages/probe", "0x22222222");
	place_chain("c", "\"probe\", \"copy\"");
	place_chain("sub/c", "\"probe\", \"copy\"");
	place_chain("chains/c", "\"probe\", \"copy\"");
	place_chain("other/c", "\"probe\", \"copy\"");
	ck_assert_uint_eq(place_word(place_load("c")), 0x11111111);
	ck_assert_uint_eq(place_word(place_load("sub/c")), 0x22222222);
	ck_assert_uint_eq(place_word(place_load("chains/c")), 0x11111111);
	ck_assert_ptr_nonnull(strstr(place_fails("other/c", -EINVAL), "other/c.lua:3: unknown stage 'probe'"));
	/* A file of the current folder. */
	const struct ilp_chain *c;
	ck_assert_int_eq(chdir(place("sub")), 0);
	ck_assert_int_eq(ilp_load("c.lua", NULL, &c, NULL, 0), 0);
	ck_assert_uint_eq(place_word(c), 0x22222222);
}
END_TEST

START_TEST(compiled_once)
{
	place_xor("stages/probe", "1");
	place_chain("c", "\"probe\", \"copy\"");
	const struct ilp_chain *first = place_load("c"), *again = place_load("c");

	ck_assert_uint_eq(place_compiled(), 1);
	ck_assert_ptr_ne(first, again);
	ck_assert_uint_eq(place_word(again), 1);
	ilp_unload(first);
	ck_assert_uint_eq(place_word(again), 1);
	/* A stage changes, then the chain, and back: what has been is known. */
	place_xor("stages/probe", "2");
	ck_assert_uint_eq(place_word(place_load("c")), 2);
	ck_assert_uint_eq(place_compiled(), 2);
	place_chain("c", "\"copy\"");
	ck_assert_uint_eq(place_word(place_load("c")), 0);
	ck_assert_uint_eq(place_compiled(), 3);
	place_chain("c", "\"probe\", \"copy\"");
	place_xor("stages/probe", "1");
	ck_assert_uint_eq(place_word(place_load("c")), 1);
	ck_assert_uint_eq(place_compiled(), 3);
	/* Another compiler, and the same after it was changed. */
	place_script("cc2", "echo called >>\"$PLACE/calls\"\nexec cc \"$@\" -O0");
	setenv("ILP_CC", place("cc2"), 1);
	place_load("c");
	ck_assert_uint_eq(place_compiled(), 4);
	place_script("cc2", "echo called >>\"$PLACE/calls\"\nexec cc \"$@\" -Os");
	place_load("c");
	ck_assert_uint_eq(place_compiled(), 5);
	place_load("c");
	ck_assert_uint_eq(place_compiled(), 5);
}
END_TEST

/* A descriptor's number comes again, and its path with it, by which the linker knows what it has. */
START_TEST(several_at_once)
{
	const struct ilp_chain *c[8];

	for (unsigned i = 0; i < 8; i++) {
		char name[8], word[8];

		snprintf(name, sizeof name, "c%u", i);
		snprintf(word, sizeof word, "%u", i + 1);
		place_xor("stages/probe", word);
		place_chain(name, "\"probe\", \"copy\"");
		c[i] = place_load(name);
	}
	for (unsigned i = 0; i < 8; i += 2)
		ilp_unload(c[i]);
	for (unsigned i = 1; i < 8; i += 2)
		ck_assert_uint_eq(place_word(c[i]), i + 1);
	/* The same name, another content. */
	place_chain("c1", "\"copy\"");
	const struct ilp_chain *other = place_load("c1");
	ck_assert_uint_eq(place_word(other), 0);
	ck_assert_uint_eq(place_word(c[1]), 2);
}
END_TEST

START_TEST(unload_of_others)
{
	place_chain("c", "\"copy\"");
	const struct ilp_chain *c = place_load("c");
	Dl_info info;

	ilp_unload(NULL);
	ilp_unload(ilp_find("copy_sum"));
	ck_assert_ptr_nonnull(ilp_find("copy_sum")->begin);
	const void *data = c;
	ck_assert_int_ne(dladdr(data, &info), 0);
	ilp_unload(c);
	ck_assert_int_eq(dladdr(data, &info), 0);
	ilp_unload(c);
}
END_TEST

static unsigned children;
static void on_child(int signal)
{
	(void)signal;
	children++;
}

/* Good and bad, new and known: descriptors, temporary files and children are as before. */
START_TEST(nothing_stays)
{
	const struct ilp_chain *c;

	signal(SIGCHLD, on_child);
	place_chain("warm", "\"copy\"");
	ilp_unload(place_load("warm")); /* LuaJIT, and what comes with it */
	unsigned before = place_descriptors();
	place_chain("c", "\"copy\", \"xdr_u32\"");
	ilp_unload(place_load("c"));
	ilp_unload(place_load("c"));
	place_chain("bad", "\"nosuch\"");
	place_fails("bad", -EINVAL);
	place_fails("none", -ENOENT);
	ck_assert_int_eq(ilp_load(place("c.lua"), &(struct ilp_load_options){ .cache = "" }, &c, NULL, 0), 0);
	ilp_unload(c);
	ck_assert_int_eq(ilp_load(place("c.lua"), &(struct ilp_load_options){ .cache = "/proc/none" }, &c, NULL, 0), 0);
	ilp_unload(c);
	setenv("ILP_CC", "/bin/false", 1);
	place_fails("c", -ENOEXEC);
	setenv("ILP_CC", "/none", 1);
	place_fails("c", -ENOPKG);
	ck_assert_uint_eq(place_descriptors(), before);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	ck_assert_int_eq(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_uint_eq(children, 0);
}
END_TEST

/* A program that ignores its children, and has no standard descriptors, gets to know all the same how it went. */
START_TEST(odd_processes)
{
	place_chain("c", "\"copy\"");
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGCHLD, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		close(0);
		close(1);
		close(2);
		place_load("c");
		setenv("ILP_CC", "/bin/false", 1);
		_exit(!strstr(place_fails("c", -ENOEXEC), "failed with status 1"));
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(place_compiled(), 1);
}
END_TEST

/* The text fits the room that it is given, whatever happens. */
START_TEST(room_for_the_text)
{
	const struct ilp_chain *c;
	char why[16];

	place_chain("bad", "\"nosuch\"");
	ck_assert_int_eq(ilp_load(place("bad.lua"), NULL, &c, NULL, 0), -EINVAL);
	for (size_t size = 1; size < sizeof why; size++) {
		memset(why, 'x', sizeof why);
		ck_assert_int_eq(ilp_load(place("bad.lua"), NULL, &c, why, size), -EINVAL);
		ck_assert_uint_eq(strnlen(why, sizeof why), size - 1);
		ck_assert_int_eq(why[size], 'x');
	}
}
END_TEST

static const struct ilp_chain *loaded;
static void *load_cancelled(void *arg)
{
	pthread_cancel(pthread_self());
	ilp_load(arg, NULL, &loaded, NULL, 0);
	return NULL;
}

/* A thread that is to end does so when it has what it owes nobody any more. */
START_TEST(cancelled)
{
	pthread_t t;

	place_chain("warm", "\"copy\"");
	ilp_unload(place_load("warm"));
	unsigned before = place_descriptors();
	place_chain("c", "\"copy\"");
	ck_assert_int_eq(pthread_create(&t, NULL, load_cancelled, (void *)place("c.lua")), 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_ptr_nonnull(loaded);
	ck_assert_uint_eq(place_descriptors(), before);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
	ilp_unload(loaded);
}
END_TEST

static int load_small(rlim_t size)
{
	const struct ilp_chain *c;
	struct rlimit before, small;
	char why[1024];

	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){ size, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	int error = ilp_load(place("c.lua"), NULL, &c, why, sizeof why);
	setrlimit(RLIMIT_FSIZE, &before);
	if (!error && !*why)
		ilp_unload(c);
	else
		ck_assert_msg(strstr(why, "File too large") != NULL, "%s", why);
	return error;
}

/* No file may be larger than that: an error, or a remark, and neither a signal now nor one that waits. */
START_TEST(small_files)
{
	sigset_t pending;

	place_chain("c", "\"copy\"");
	ck_assert_int_eq(load_small(100), -EFBIG);
	ck_assert_int_eq(load_small(4096), -EFBIG);
	for (rlim_t size = 30000; load_small(size) != 0 || place_count(place("cache/tcpu"), "lock") == 0; size += 2000)
		ck_assert_uint_lt(size, 1000000);
	sigpending(&pending);
	ck_assert_int_eq(sigismember(&pending, SIGXFSZ), 0);
	ck_assert_uint_eq(place_count(place("tmp"), NULL), 0);
}
END_TEST

static void *load_both(void *arg)
{
	pthread_barrier_wait(arg);
	for (unsigned i = 0; i < 3; i++) {
		const struct ilp_chain *one = place_load("one"), *two = place_load("two");

		ck_assert_uint_eq(place_word(one), 1);
		ck_assert_uint_eq(place_word(two), 2);
		ilp_unload(one);
		ilp_unload(two);
	}
	return NULL;
}

static void two_chains(void)
{
	place_xor("stages/flip1", "1");
	place_xor("stages/flip2", "2");
	place_chain("one", "\"flip1\", \"copy\"");
	place_chain("two", "\"flip2\", \"copy\"");
}

START_TEST(threads_at_once)
{
	pthread_barrier_t barrier;
	pthread_attr_t attr;
	pthread_t t[6];

	two_chains();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_barrier_init(&barrier, NULL, 6);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(pthread_create(&t[i], &attr, load_both, &barrier), 0);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(pthread_join(t[i], NULL), 0);
	ck_assert_uint_eq(place_compiled(), 2);
}
END_TEST

START_TEST(processes_at_once)
{
	int go[2], status;
	pid_t pid[4];
	char byte;

	two_chains();
	ck_assert_int_eq(pipe(go), 0);
	for (unsigned i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			close(go[1]);
			ck_assert_int_eq(read(go[0], &byte, 1), 0);
			ck_assert_uint_eq(place_word(place_load("one")), 1);
			_exit(0);
		}
	}
	close(go[1]);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(place_compiled(), 1);
	ck_assert_uint_eq(place_count(place("cache/tcpu"), "lock"), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ilp_load");
	TCase *t = tcase_create("ilp_load");

	tcase_add_checked_fixture(t, place_setup, place_teardown);
	tcase_add_test(t, as_compiled_in);
	tcase_add_test(t, chain_by_name);
	tcase_add_test(t, far_units);
	tcase_add_test(t, stages_are_found);
	tcase_add_test(t, compiled_once);
	tcase_add_test(t, several_at_once);
	tcase_add_test(t, unload_of_others);
	tcase_add_test(t, nothing_stays);
	tcase_add_test(t, odd_processes);
	tcase_add_test(t, room_for_the_text);
	tcase_add_test(t, cancelled);
	tcase_add_test(t, small_files);
	tcase_add_test(t, threads_at_once);
	tcase_add_test(t, processes_at_once);
	suite_add_tcase(s, t);
	return run_tests(srunner_create(s));
}

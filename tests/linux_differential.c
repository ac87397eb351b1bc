/* TCPU and the kernel's TCP, given the same segments and calls step by step, must give the same answers: flags,
 * sequence and acknowledgment numbers, options, data, results, states, readiness. Steps come from a seed, and are those
 * of peers, attackers and users (tests/differential/step.c). Windows are not compared, nor what needs time: timers do
 * not fire.
 *
 *	build/gcc/tests/linux_differential			1000 seeds, and what was wrong before
 *	TCPU_SEEDS=100000 build/gcc/tests/linux_differential	so many
 *	TCPU_SEED=17 build/gcc/tests/linux_differential		one, and its transcript, both sides side by side
 *
 * What is known to differ, and why that is right, stands in tests/differential/differences. Anything else fails with
 * the least of its steps that still differ. Needs the right to make a network namespace and a TUN device. */
#include "tests/differential/difference.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 1000
#define CHUNK 50 /* seeds of a test */
#define DIFFERENCES "tests/differential/differences"

static struct side *side[SIDES];
static char why_not[200]; /* there is no kernel to compare with */
static uint64_t from, count = SEEDS;
static struct transcript transcript, whole;
static struct tally tally;

/* A timer of the kernel's may have come between, when the machine was slow: what differs, differs again. */
static bool differs(uint64_t seed, const struct steps *steps)
{
	static struct tally ignored;

	for (int i = 0; i < 3; i++)
		if (play(side, seed, steps, &ignored, &transcript))
			return false;
	return true;
}

static void leave_out(struct steps *s, size_t at)
{
	s->count--;
	memmove(&s->step[at], &s->step[at + 1], (s->count - at) * sizeof s->step[0]);
}

/* Leaves out each step without which there is a difference still. */
static void minimise(uint64_t seed, struct steps *s)
{
	for (bool less = true; less;) {
		less = false;
		for (size_t i = s->count; i--;) {
			struct steps fewer = *s;

			leave_out(&fewer, i);
			if (differs(seed, &fewer)) {
				*s = fewer;
				less = true;
			}
		}
	}
	differs(seed, s);
}

/* Under all eight settings of options. */
START_TEST(kept)
{
	const struct steps_kept *k = &steps_kept[_i];
	struct steps s = { .count = 0 };

	while (k->step[s.count].kind != STEP_NONE) {
		s.step[s.count] = k->step[s.count];
		s.count++;
	}
	for (uint64_t seed = 0; seed < 32; seed++)
		if (differs(seed, &s)) {
			puts(transcript.text);
			ck_abort_msg("%s", k->name);
		}
}
END_TEST

START_TEST(seeds)
{
	uint64_t first = from + (uint64_t)_i * CHUNK;
	uint64_t end = first + CHUNK < from + count ? first + CHUNK : from + count;

	for (uint64_t seed = first; seed < end; seed++) {
		static struct steps s;

		steps_make(&s, seed);
		if (play(side, seed, &s, &tally, &transcript) || !differs(seed, &s))
			continue;
		whole = transcript;
		minimise(seed, &s);
		puts(transcript.differs ? transcript.text : whole.text);
		ck_abort_msg("TCPU_SEED=%" PRIu64, seed);
	}
	if (count == 1)
		puts(transcript.text);
}
END_TEST

/* The file and the rules have the same names, and the file says of each what is seen, and why that is right. */
START_TEST(names)
{
	FILE *f = fopen(DIFFERENCES, "r");
	char line[200], name[200] = "";
	unsigned named = 0, seen = 0, why = 0;

	ck_assert_msg(f, "%s: %s: run this in the project's root", DIFFERENCES, strerror(errno));
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		seen += !strncmp(line, "\tseen: ", 7);
		why += !strncmp(line, "\twhy: ", 6);
		if (strspn(line, "abcdefghijklmnopqrstuvwxyz0-") != strlen(line) || !line[0])
			continue;
		ck_assert_msg(named == seen && named == why, "%s: %s: what is seen, and why?", DIFFERENCES, name);
		snprintf(name, sizeof name, "%s", line);
		named++;
		ck_assert_msg(difference_named(name), "%s: %s: difference.c has no such rule", DIFFERENCES, name);
	}
	fclose(f);
	ck_assert_uint_eq(named, differences_count);
	ck_assert(named == seen && named == why);
}
END_TEST

START_TEST(no_kernel)
{
	printf("skipped, because this process may not have %s\n", why_not);
}
END_TEST

static void tell_tally(void)
{
	printf("%" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64 " segments of each side; known differences:\n", tally.runs,
		tally.steps, tally.segments);
	for (size_t i = 0; i < differences_count; i++)
		printf("%8" PRIu64 " %s\n", tally.met[i], differences[i].name);
}

static SRunner *runner_new(void)
{
	Suite *suite = suite_create("linux_differential");
	TCase *rules = tcase_create("names"), *before = tcase_create("kept"), *tc = tcase_create("seeds");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, rules);
	suite_add_tcase(suite, before);
	suite_add_tcase(suite, tc);
	tcase_add_test(rules, names);
	if (!side[KERNEL]) {
		tcase_add_test(tc, no_kernel);
	} else {
		if (count > 1)
			tcase_add_loop_test(before, kept, 0, (int)steps_kept_count);
		tcase_add_loop_test(tc, seeds, 0, (int)((count + CHUNK - 1) / CHUNK));
	}
	srunner_set_fork_status(runner, CK_NOFORK);
	return runner;
}

int main(void)
{
	const char *one = getenv("TCPU_SEED"), *many = getenv("TCPU_SEEDS"), *why;
	int result;

	if (many)
		count = strtoull(many, NULL, 0);
	if (one) {
		from = strtoull(one, NULL, 0);
		count = 1;
	}
	side[ENGINE] = side_engine();
	side[KERNEL] = side_kernel(&why);
	if (!side[KERNEL])
		snprintf(why_not, sizeof why_not, "%s: %s", why, strerror(errno));
	result = run_tests(runner_new());
	if (side[KERNEL])
		tell_tally();
	return result;
}

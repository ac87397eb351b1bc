/* The set of ranges against a map of places that does the same the slow way. */
#include "core/rcvbuf.h"
#include "tests/property.h"
#include "tests/ranges_check.h"
#include "tests/run.h"

#include <stdlib.h>
#include <string.h>

static struct random dice;

/* Of each place, when the range that holds it was touched last; 0: nothing there. */
#define PLACES 2000

static uint32_t places[PLACES + 1]; /* the last is never taken */

static uint32_t run_begin(uint32_t i)
{
	while (i && places[i - 1])
		i--;
	return i;
}

static uint32_t run_end(uint32_t i)
{
	while (places[i])
		i++;
	return i;
}

/* The latest range that was touched before then; false: none. */
static bool latest_before(uint32_t then, struct range *out)
{
	uint32_t found = PLACES;

	for (uint32_t i = 0; i < PLACES; i = run_end(i) + 1)
		if (places[i] && places[i] < then && (found == PLACES || places[i] > places[found]))
			found = i;
	if (found == PLACES)
		return false;
	*out = (struct range){ found, run_end(found) };
	return true;
}

static void map_add(uint32_t begin, uint32_t end, uint32_t now)
{
	for (begin = run_begin(begin), end = run_end(end); begin < end; begin++)
		places[begin] = now;
}

static uint32_t map_count(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < PLACES; i++)
		count += places[i] && !places[i + 1];
	return count;
}

static bool equal(struct range a, struct range b)
{
	return a.begin == b.begin && a.end == b.end;
}

static void ranges_ask(const struct ranges *r)
{
	uint32_t begin = rnd(&dice, PLACES), end = begin + 1 + rnd(&dice, PLACES - begin), i, got, n = rnd(&dice, 6);
	struct range want, met, latest[6];
	bool is;

	for (i = begin; i < end && !places[i]; i++)
		;
	is = ranges_meet(r, begin, end, &met);
	must(is == (i < end));
	must(!is || equal(met, (struct range){ run_begin(i), run_end(i) }));
	for (i = 0; i < PLACES && !places[i]; i++)
		;
	is = ranges_first(r, &met);
	must(is == (i < PLACES));
	must(!is || equal(met, (struct range){ i, run_end(i) }));
	got = ranges_latest(r, latest, n);
	must(got == (r->count < n ? r->count : n));
	for (uint32_t k = 0, then = UINT32_MAX; k < got; k++, then = places[want.begin])
		must(latest_before(then, &want) && equal(want, latest[k]));
}

START_TEST(ranges_are_a_set)
{
	dice = random_seed(_i);

	uint32_t max = 1 + rnd(&dice, rnd(&dice, 2) ? 300 : 8), reach = 1 + rnd(&dice, rnd(&dice, 3) ? 8 : 200), now;
	void *memory = malloc(ranges_memory(max)), *old;
	struct ranges r = { 0 };
	struct range first;

	memset(places, 0, sizeof places);
	memset(memory, 0xa5, ranges_memory(max));
	must(!ranges_add(&r, 1, 2));
	ranges_move(&r, memory, max, rnd(&dice, 3));
	for (now = 1; now <= 100000; now++) {
		uint32_t begin = rnd(&dice, PLACES), room = PLACES - begin, end = begin + 1 + rnd(&dice, room < reach ? room : reach);
		bool fits = r.count < max || (begin && places[begin - 1]);

		for (uint32_t i = begin; i <= end; i++)
			fits |= places[i] != 0;
		must(ranges_add(&r, begin, end) == fits);
		if (fits)
			map_add(begin, end, now);
		if (r.count && (rnd(&dice, 20) == 0 || (rnd(&dice, 50) == 0 && r.count == max))) {
			must(ranges_first(&r, &first));
			memset(places + first.begin, 0, (first.end - first.begin) * sizeof *places);
			ranges_pop(&r);
		}
		if (now % 64 && now > 500)
			continue;
		must(r.count == map_count());
		must(!ranges_broken(&r, NULL));
		ranges_ask(&r);
		if (rnd(&dice, 100) == 0 && max < 400) {
			old = memory;
			memory = malloc(ranges_memory(++max));
			if (!r.count)
				ranges_move(&r, NULL, 0, 0);
			ranges_move(&r, memory, max, rnd(&dice, 3));
			memset(old, 0x5a, ranges_memory(max - 1));
			free(old);
		}
	}
	free(memory);
}
END_TEST

/* One-byte ranges at every other place, in the orders that make a plain tree a list. */
static void hostile_order(uint32_t order, uint32_t seed)
{
	uint32_t max = rcvbuf_ranges_max(4 << 20), at, depth;
	void *memory = malloc(ranges_memory(max));
	struct ranges r = { 0 };

	ranges_move(&r, memory, max, seed);
	for (uint32_t i = 0; i < max; i++) {
		at = order == 0 ? i : order == 1 ? max - i : i & 1 ? i : 2 * max - i;
		must(ranges_add(&r, 2 * at, 2 * at + 1));
	}
	must(!ranges_add(&r, 8 * max, 8 * max + 1));
	must(!ranges_broken(&r, &depth) && depth < 60);
	must(ranges_add(&r, 0, 4 * max + 1) && r.count == 1); /* all joined by one */
	must(!ranges_broken(&r, NULL));
	for (uint32_t i = 1; i < max; i++)
		must(ranges_add(&r, 9 * max - 2 * i, 9 * max - 2 * i + 1));
	must(r.count == max && !ranges_broken(&r, &depth) && depth < 60);
	free(memory);
}

START_TEST(ranges_stay_shallow)
{
	for (uint32_t order = 0; order < 3; order++)
		for (uint32_t seed = 0; seed < 50; seed++)
			hostile_order(order, seed);
}
END_TEST

/* What an attacker learns of one connection's tree says nothing about another's. */
START_TEST(ranges_hang_on_the_seed)
{
	uint32_t max = 200, shape[8] = { 0 };
	void *memory = malloc(ranges_memory(max));

	for (uint32_t s = 0; s < 8; s++) {
		struct ranges r = { 0 };

		ranges_move(&r, memory, max, s);
		for (uint32_t i = 1; i <= max; i++) {
			ranges_add(&r, 2 * i, 2 * i + 1);
			shape[s] = shape[s] * 31 + r.node[0].left;
		}
		for (uint32_t before = 1; before < s; before++) /* 0 is no state of the generator, and stands for 1 */
			ck_assert_uint_ne(shape[s], shape[before]);
	}
	free(memory);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ranges");
	TCase *c = tcase_create("ranges");

	property_add(c, ranges_are_a_set, 30);
	tcase_add_test(c, ranges_stay_shallow);
	tcase_add_test(c, ranges_hang_on_the_seed);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

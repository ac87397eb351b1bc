/* Each piece of memory that a connection asks for is refused in turn, alone or with all after it, in an exchange that
 * has something of everything: it goes on without, or ends with ENOMEM; nothing leaks, and no other bytes come. The
 * linker leads malloc, calloc, realloc, aligned_alloc and free here. */
#include "tests/alf_flow.h"
#include "tests/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADUS 12
#define LONGEST 12000
#define STREAM 262144
#define SEGMENT 700

/* ---- memory ---- */

static long in_use, asked, refused; /* refused: the asked one, from 1 on; 0: none */
static bool armed, all_after;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void __wrap_free(void *p);

static bool refuses(void)
{
	if (!armed)
		return false;
	asked++;
	if (!refused || (all_after ? asked < refused : asked != refused))
		return false;
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	in_use += armed && p;
	return p;
}

void *__wrap_malloc(size_t n)
{
	return refuses() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refuses() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	if (refuses())
		return NULL;
	return p ? __real_realloc(p, n) : counted(__real_malloc(n));
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return refuses() ? NULL : counted(__real_aligned_alloc(align, n));
}

void __wrap_free(void *p)
{
	in_use -= armed && p;
	__real_free(p);
}

/* ---- two ends ---- */

/* What one writes, and of that, what has come and what was taken. */
static struct way {
	uint8_t bytes[STREAM];
	size_t len;
	bool come[STREAM], taken[STREAM];
} ways[2];
static struct alf *ends[2];
static uint8_t data[ADUS][LONGEST], region[LONGEST];
static const uint32_t lens[ADUS] = { 0, 3000, 12000, 100, 9000, 64, 12000, 500, 5000, 700, 12000, 1 };
static unsigned got[2][ADUS], wrong, no_memory, finished;

static bool regenerate(void *ctx, uint64_t id, const struct adu_attr *attr, uint64_t offset, void *to, size_t n)
{
	(void)ctx, (void)id;
	memcpy(to, data[attr->type] + offset, n);
	return true;
}

static void hear(int i)
{
	struct adu_event e;

	while (alf_event(ends[i], &e)) {
		finished += e.kind == ADU_LOST || e.kind == ADU_COMPLETE;
		no_memory += e.kind == ADU_ERROR && e.error == ENOMEM;
		wrong += e.kind == ADU_ERROR && e.error != ENOMEM;
		if (e.kind != ADU_COMPLETE)
			continue;
		wrong += e.attr.type >= ADUS || e.len != lens[e.attr.type] || got[i][e.attr.type]++ ||
			(e.len && memcmp(e.data, data[e.attr.type], e.len) != 0);
		alf_forget(ends[i], alf_in_find(ends[i], e.id));
	}
}

/* All that has come and was not taken is shown, in runs, as TCP's ring does. */
static void show(struct way *w, struct alf *a)
{
	size_t at = 0;

	while (at < w->len && !a->error) {
		size_t end = at;
		const uint8_t *from[2] = { w->bytes + at, NULL };
		uint64_t begin, behind;
		while (end < w->len && w->come[end] && !w->taken[end])
			end++;
		if (end == at) {
			at++;
			continue;
		}
		if (a->in.sink.show(a, at, from, (uint32_t[2]){ (uint32_t)(end - at), 0 }, &begin, &behind)) {
			memset(w->taken + begin, true, behind - begin);
			at = 0;
		} else {
			at = end;
		}
	}
}

/* What one end has to say, of which each third segment comes last. */
static size_t carry(int i)
{
	struct way *w = &ways[i];
	size_t from = w->len, n;
	uint16_t sum;

	for (unsigned k = 1; w->len + SEGMENT < STREAM && alf_wants_out(ends[i]); k++) {
		n = ends[i]->out.source.fill(ends[i], w->len, w->bytes + w->len, SEGMENT, &sum);
		if (!n)
			break;
		memset(w->come + w->len, k % 3 != 0, n);
		w->len += n;
	}
	show(w, ends[!i]);
	memset(w->come, true, w->len);
	show(w, ends[!i]);
	alf_acked(ends[i], w->len);
	return w->len - from;
}

static void cross(void)
{
	bool more;

	do {
		more = carry(0) != 0;
		more |= carry(1) != 0;
		hear(0);
		hear(1);
	} while (more);
}

/* ---- the exchange ---- */

static int64_t queue(int i, unsigned k, struct adu_attr attr, int64_t instead)
{
	struct adu_out like = { .own = { data[k], lens[k] }, .total = lens[k], .here = lens[k], .instead = instead };
	int64_t id;

	attr.type = (uint8_t)k;
	like.attr = attr;
	id = alf_queue(ends[i], &like, NULL);
	wrong += id < 0 && id != -ENOMEM && !ends[i]->error;
	no_memory += id == -ENOMEM;
	return id;
}

static void put(bool exposed)
{
	struct adu_out like = { .own = { data[2], 2000 }, .total = 2000, .here = 2000, .tagged = true, .stag = 7 };

	if (exposed && alf_queue(ends[0], &like, NULL) < 0)
		no_memory++;
}

static void exchange(void)
{
	const bool exposed = adu_expose(ends[1], 7, region, sizeof region) == 0;
	int64_t old;

	no_memory += !exposed;
	cross();
	queue(0, 0, (struct adu_attr){ .name_len = 4 }, 0);
	queue(0, 1, (struct adu_attr){ .recovery = ADU_RECOMPUTE }, 0);
	queue(0, 2, (struct adu_attr){ .deadline_ms = 50 }, 0);
	put(exposed);
	queue(0, 3, (struct adu_attr){ .priority = 7 }, 0);
	queue(1, 4, (struct adu_attr){ .deadline_ms = 50, .recovery = ADU_TOLERATE }, 0);
	old = queue(0, 5, (struct adu_attr){ .recovery = ADU_SUPERSEDE }, 0);
	queue(0, 7, (struct adu_attr){ .recovery = ADU_SUPERSEDE }, old > 0 ? old : 0);
	cross();
	for (unsigned k = 8; k < ADUS; k++)
		queue(k % 2, k, (struct adu_attr){ .priority = (uint8_t)(k % 3), .recovery = k == 9 ? ADU_RECOMPUTE : 0 }, 0);
	/* One is given up when a part of it has gone, one later by who receives it. */
	old = queue(0, 6, (struct adu_attr){ .priority = 7 }, 0);
	if (old > 0 && !ends[0]->error) {
		ways[0].len += ends[0]->out.source.fill(ends[0], ways[0].len, ways[0].bytes + ways[0].len, SEGMENT, &(uint16_t){ 0 });
		if (alf_out_find(ends[0], old))
			alf_drop(ends[0], alf_out_find(ends[0], old), CONTROL_CANCELLED, ECANCELED);
	}
	cross();
	alf_tick(ends[0], 100000);
	alf_tick(ends[1], 100000);
	cross();
	alf_in_end(ends[0]);
	alf_in_end(ends[1]);
	hear(0);
	hear(1);
}

static void run(void)
{
	struct alf_profile p = flow_profile(0);

	memset(ways, 0, sizeof ways);
	memset(got, 0, sizeof got);
	memset(region, 0, sizeof region);
	asked = in_use = 0;
	wrong = no_memory = finished = 0;
	p.hooks.regenerate = regenerate;
	armed = true;
	for (int i = 0; i < 2; i++) {
		p.initiator = i == 0;
		errno = 0;
		ends[i] = alf_new(&p);
		no_memory += !ends[i] && errno == ENOMEM;
		wrong += !ends[i] && errno != ENOMEM;
	}
	if (ends[0] && ends[1])
		exchange();
	for (int i = 0; i < 2; i++)
		alf_free(ends[i]);
	armed = false;
}

START_TEST(refused_in_turn)
{
	long all;

	for (unsigned k = 0; k < ADUS; k++)
		flow_fill(data[k], LONGEST, k);
	refused = 0;
	run();
	all = asked;
	ck_assert_uint_eq(wrong + no_memory, 0);
	ck_assert_uint_eq(finished, ADUS - 1); /* but what was superseded unsent */
	ck_assert_mem_eq(region, data[2], 2000);
	ck_assert_int_eq(in_use, 0);
	ck_assert_int_gt(all, 40);
	all_after = _i;
	for (refused = 1; refused <= all; refused++) {
		run();
		ck_assert_msg(!wrong, "piece %ld of %ld: %u wrong", refused, all, wrong);
		ck_assert_msg(no_memory || finished == ADUS - 1, "piece %ld of %ld: nobody was told", refused, all);
		ck_assert_msg(!in_use, "piece %ld of %ld: %ld left", refused, all, in_use);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_memory");
	TCase *tc = tcase_create("alf_memory");

	tcase_add_loop_test(tc, refused_in_turn, 0, 2);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* Each piece of memory that a connection asks for is refused in turn, alone or with all after it, in an exchange that
 * has something of everything: it goes on without, or ends with ENOMEM; nothing leaks, and no other bytes come. The
 * same over TCP and a network that loses, where what is lost is made again: ALF's memory, and then TCP's. The linker
 * leads malloc, calloc, realloc, aligned_alloc and free here. */
#include "tests/alf_ends.h"
#include "tests/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADUS 12
#define LONGEST 12000
#define STREAM 262144
#define SEGMENT 700

/* ---- memory ---- */

#define PIECES 4096

static long asked, refused; /* refused: the asked one, from 1 on; 0: none */
static bool armed, all_after;
static void *pieces[PIECES]; /* what was asked for, and is in use */
static unsigned in_use;

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
	if (armed && p && in_use == PIECES)
		abort();
	if (armed && p)
		pieces[in_use++] = p;
	return p;
}

static void uncounted(const void *p)
{
	for (unsigned i = in_use; p && i--;)
		if (pieces[i] == p) {
			pieces[i] = pieces[--in_use];
			return;
		}
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
	uncounted(p);
	return counted(__real_realloc(p, n));
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return refuses() ? NULL : counted(__real_aligned_alloc(align, n));
}

void __wrap_free(void *p)
{
	uncounted(p);
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

static void hear_one(int i, const struct adu_event *e)
{
	finished += e->kind == ADU_LOST || e->kind == ADU_COMPLETE;
	no_memory += e->kind == ADU_ERROR && e->error == ENOMEM;
	wrong += e->kind == ADU_ERROR && e->error != ENOMEM;
	if (e->kind != ADU_COMPLETE)
		return;
	wrong += e->attr.type >= ADUS || e->len != lens[e->attr.type] || got[i][e->attr.type]++ ||
		(e->len && memcmp(e->data, data[e->attr.type], e->len) != 0);
	alf_forget(ends[i], alf_in_find(ends[i], e->id));
}

static void hear(int i)
{
	struct adu_event e;

	while (alf_event(ends[i], &e))
		hear_one(i, &e);
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
	for (int i = 0; i < 2; i++)
		wrong += !no_memory && ends[i]->in.next != ways[!i].len;
	alf_in_end(ends[0]);
	alf_in_end(ends[1]);
	hear(0);
	hear(1);
}

/* Whatever its data go through, and by whatever loops. */
static struct alf_profile begin(unsigned kind)
{
	struct alf_profile p = flow_profile(kind);

	memset(got, 0, sizeof got);
	memset(region, 0, sizeof region);
	asked = in_use = 0;
	wrong = no_memory = finished = 0;
	p.schedule = ilp_schedule_name((enum ilp_schedule)(kind % ILP_SCHEDULES));
	p.hooks.regenerate = regenerate;
	return p;
}

static void run(unsigned kind)
{
	struct alf_profile p = begin(kind);

	memset(ways, 0, sizeof ways);
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
	const unsigned kind = (unsigned)_i / 2;
	long all;

	refused = 0;
	run(kind);
	all = asked;
	ck_assert_uint_eq(wrong + no_memory, 0);
	ck_assert_uint_eq(finished, ADUS - 1); /* but what was superseded unsent */
	ck_assert_mem_eq(region, data[2], 2000);
	ck_assert_uint_eq(in_use, 0);
	ck_assert_int_gt(all, 40);
	all_after = _i % 2;
	for (refused = 1; refused <= all; refused++) {
		run(kind);
		ck_assert_msg(!wrong, "piece %ld of %ld: %u wrong", refused, all, wrong);
		ck_assert_msg(no_memory || finished == ADUS - 1, "piece %ld of %ld: nobody was told", refused, all);
		ck_assert_msg(!in_use, "piece %ld of %ld: %u left", refused, all, in_use);
	}
}
END_TEST

/* ---- over a network ---- */

#define UNSURE (1U << 4 | 1U << 5) /* tolerated, and superseded: perhaps they do not come */

static struct ends lossy;
static struct seam_source source; /* as they are, */
static struct seam_sink sink;     /* and what follows stands before them */
static bool begun[2];
static uint64_t regenerated;

static void disarm(int *unused)
{
	(void)unused;
	armed = false;
}
#define ARMED __attribute__((unused, cleanup(disarm))) int on = (armed = true)

static size_t fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	ARMED;
	return source.fill(ctx, off, dst, cap, sum);
}

static bool again(void *ctx, const struct seam_note *note, uint64_t off, uint8_t *dst, size_t len)
{
	ARMED;
	return source.again(ctx, note, off, dst, len);
}

static size_t drain(void *ctx, uint64_t off, const uint8_t *from, size_t len, uint16_t *sum)
{
	ARMED;
	return sink.drain(ctx, off, from, len, sum);
}

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	ARMED;
	sink.settle(ctx, off, n, good);
}

static bool show_some(void *ctx, uint64_t off, const uint8_t *const from[2], const uint32_t len[2], uint64_t *first,
	uint64_t *end)
{
	ARMED;
	return sink.show(ctx, off, from, len, first, end);
}

/* All that an end sends, at once. */
static void begin_to_send(int i)
{
	const struct adu_attr anew = { .recovery = ADU_RECOMPUTE }, urgent = { .recovery = ADU_RECOMPUTE, .priority = 2 };
	const struct adu_attr supersede = { .recovery = ADU_SUPERSEDE };
	int64_t old;

	begun[i] = true;
	if (i) {
		queue(1, 4, (struct adu_attr){ .deadline_ms = 50, .recovery = ADU_TOLERATE }, 0);
		queue(1, 9, anew, 0);
		queue(1, 11, (struct adu_attr){ .priority = 7 }, 0);
		return;
	}
	queue(0, 0, (struct adu_attr){ .name_len = 4 }, 0);
	queue(0, 1, anew, 0);
	queue(0, 2, anew, 0);
	put(true);
	queue(0, 3, (struct adu_attr){ .priority = 7 }, 0);
	old = queue(0, 5, supersede, 0);
	queue(0, 7, supersede, old > 0 ? old : 0);
	queue(0, 6, urgent, 0);
	queue(0, 8, (struct adu_attr){ .deadline_ms = 60000 }, 0);
	queue(0, 10, urgent, 0);
}

static void turn(struct end *e)
{
	const int i = e == &lossy.end[1];
	ARMED;

	if (!begun[i])
		begin_to_send(i);
	alf_tick(e->alf, e->both->net.now_us);
}

static void event(struct end *e, const struct adu_event *ev)
{
	ARMED;
	hear_one(e == &lossy.end[1], ev);
}

static bool is_quiet(const struct alf *a)
{
	return a->in.open && !a->out.ids.count && !a->out.told.first && !alf_wants_acks(a) && !alf_in_first(a);
}

static bool is_over(struct ends *b)
{
	const struct alf *a = b->end[0].alf, *c = b->end[1].alf;

	return a->error || c->error || (begun[0] && begun[1] && is_quiet(a) && is_quiet(c));
}

/* Of TCP's memory the fail_at-th piece after the connection is there is refused to that peer; 0: none. Returns for how
 * many it has asked. */
static uint64_t run_over(unsigned kind, int peer, uint64_t fail_at)
{
	const struct link_sim_path path = { .loss = 0.08, .delay_us = 10000, .reorder = 0.05, .reorder_us = 4000 };
	/* With so little room TCP keeps nothing that can be made again. */
	const struct tcpu_config small = { .options = { .mss_max = SEGMENT, .sndbuf_bytes = 1 << 12 } };
	const struct net_config config = { .seed = kind + 1, .path = { path, path }, .engine = { small, small } };
	struct alf_profile p = begin(kind);
	struct net_memory *memory = &lossy.net.peer[peer].memory;
	uint64_t before, calls;
	bool exposed;

	ends_open(&lossy, &config, &p, &p);
	source = lossy.end[0].alf->out.source;
	sink = lossy.end[0].alf->in.sink;
	for (int i = 0; i < 2; i++) {
		struct alf *a = ends[i] = lossy.end[i].alf;
		begun[i] = false;
		a->out.source.fill = fill;
		a->out.source.again = again;
		a->in.sink.drain = drain;
		a->in.sink.settle = settle;
		a->in.sink.show = show_some;
		tcpu_source(lossy.end[i].tcb, &a->out.source);
		lossy.end[i].turn = turn;
		lossy.end[i].event = event;
	}
	armed = true;
	exposed = adu_expose(ends[1], 7, region, sizeof region) == 0;
	armed = false;
	no_memory += !exposed;
	before = memory->calls;
	memory->fail_at = fail_at ? before + fail_at : 0;
	if (exposed && !ends_run(&lossy, is_over, 600 * NET_S))
		wrong++;
	for (int i = 0; i < 2; i++)
		wrong += !no_memory && ends[i]->in.next < ends[!i]->acked;
	calls = memory->calls - before;
	regenerated = ends[0]->stats.regenerated;
	ends_close(&lossy);
	return calls;
}

static void has_come(long piece, long all)
{
	unsigned come = UNSURE;

	for (unsigned k = 0; k < ADUS; k++)
		come |= got[0][k] + got[1][k] ? 1U << k : 0;
	if (wrong || in_use)
		ck_abort_msg("piece %ld of %ld: %u wrong, %u left", piece, all, wrong, in_use);
	if (!no_memory && (come != (1U << ADUS) - 1 || memcmp(region, data[2], 2000) != 0))
		ck_abort_msg("piece %ld of %ld: nobody was told, and %x have come", piece, all, come);
}

START_TEST(refused_over_a_network)
{
	const unsigned kind = (unsigned)_i / 2;
	long all;

	refused = 0;
	run_over(kind, 0, 0);
	all = asked;
	ck_assert_uint_eq(no_memory, 0);
	has_come(0, all);
	ck_assert_uint_gt(regenerated, 0);
	ck_assert_int_gt(all, 30);
	all_after = _i % 2;
	for (refused = 1; refused <= all; refused++) {
		run_over(kind, 0, 0);
		has_come(refused, all);
	}
}
END_TEST

START_TEST(refused_to_tcp)
{
	const unsigned kind = (unsigned)_i / 2;
	const int peer = _i % 2;
	uint64_t all;

	refused = 0;
	all = run_over(kind, peer, 0);
	ck_assert_uint_gt(all, 3);
	for (uint64_t i = 1; i <= all; i++) {
		run_over(kind, peer, i);
		has_come((long)i, (long)all);
	}
}
END_TEST

static void fill_data(void)
{
	for (unsigned k = 0; k < ADUS; k++)
		flow_fill(data[k], LONGEST, k);
}

int main(void)
{
	Suite *suite = suite_create("alf_memory");
	TCase *tc = tcase_create("alf_memory");

	fill_data();
	tcase_add_loop_test(tc, refused_in_turn, 0, 2 * FLOW_KINDS);
	tcase_add_loop_test(tc, refused_over_a_network, 0, 2 * FLOW_KINDS);
	tcase_add_loop_test(tc, refused_to_tcp, 0, 2 * FLOW_KINDS);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* Builds every way to run every chain at every size over the same memory, sees that they compute the same, and times
 * them interleaved. A call is what a user of ilp/ilp.h does for an ADU: set the nonce, begin, loop, end, take the sum
 * or another value that the chain is there for; begin to end in one of the fused loops. Hot: the same buffers again and
 * again, after one run that is not counted. Cold: each size has a share of memory that is twice as large as the last
 * cache, and each call, whichever way's it is, takes the next slot of its size's share, in random order: nobody finds
 * what another has just read. Misses of the TLB are part of it. */
#include "tools/bench.h"
#include "tools/library.h"
#include "tools/limits.h"
#include "tools/measure.h"
#include "tools/operands.h"
#include "tools/orc.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const bench_variant_names[BENCH_VARIANTS] = { "layered", "tiled", "fused", "library", "orc",
	"memcpy" };

#define SAMPLE_NS 200000

/* Where the calls of one size find src and dst: slots of the run's memory. */
#define LINE 64UL
#define COLD_MIN (256UL << 20)
struct arena {
	uint8_t *base; /* borrowed */
	size_t half;   /* from src to dst, and from dst to the next slot */
	size_t slots;
	size_t next;     /* in the order: one for all ways */
	uint32_t *order; /* of the slots */
};

/* One way to do one thing: the ctx of a struct measure. */
struct way {
	const struct ilp_chain *chain;
	ilp_loop *loop; /* NULL: library, Orc or memcpy */
	ilp_once *once; /* of the fused ones */
	struct library *library;
	struct orc_baseline *orc;
	enum ilp_direction direction;
	size_t bytes;
	struct arena *arena;
	uint8_t *tmp;
	uint8_t *wire; /* what has a right tag, in the place of src; NULL: src */
	bool borrowed; /* the wire is another way's */
	struct ilp_any state;
	const struct ilp_param *nonce; /* that is set for each ADU; or NULL */
	const struct ilp_value *value; /* what is asked of it; or NULL */
	uint16_t sum;                  /* of the last call; storing it keeps the call from being optimized away */
	uint8_t got[ILP_VALUE_MAX];    /* the value */
};

static uint8_t *src_of(const struct arena *a, size_t slot)
{
	return a->base + 2 * a->half * slot;
}

static uint8_t *dst_of(const struct arena *a, size_t slot)
{
	return src_of(a, slot) + a->half;
}

/* To the next slot. */
static void next(struct arena *a, const uint8_t **src, uint8_t **dst)
{
	const size_t slot = a->order[a->next];

	*src = src_of(a, slot);
	*dst = dst_of(a, slot);
	if (a->slots > 1 && ++a->next == a->slots)
		a->next = 0;
}

/* Returns how many bytes come out; negative: what came in is refused. */
static ptrdiff_t call(struct way *w, uint8_t *dst, const uint8_t *src)
{
	if (w->nonce)
		ilp_put(w->nonce, &w->state, operands_nonce);
	if (w->once)
		return w->once(&w->state, dst, src, w->bytes, NULL, 0, w->tmp);
	w->chain->begin(&w->state);
	const size_t n = w->loop(&w->state, dst, src, w->bytes, w->tmp);
	const int last = w->chain->end[w->direction](&w->state, dst + n);
	return last < 0 ? last : (ptrdiff_t)n + last;
}

static void run_chain(void *ctx)
{
	struct way *w = ctx;
	const uint8_t *src;
	uint8_t *dst;

	next(w->arena, &src, &dst);
	call(w, dst, w->wire ? w->wire : src);
	w->sum = w->chain->sum ? w->chain->sum(&w->state) : 0;
	if (w->value)
		w->value->get(&w->state, w->got);
}

static void run_other(void *ctx)
{
	struct way *w = ctx;
	const uint8_t *src;
	uint8_t *dst;

	next(w->arena, &src, &dst);
	src = w->wire ? w->wire : src;
	if (w->library) {
		w->sum = (w->direction == ILP_SEND ? library_send : library_recv)(w->library, dst, src, w->bytes);
		library_value(w->library, w->got);
	} else if (w->orc) {
		w->sum = (w->direction == ILP_SEND ? orc_baseline_send : orc_baseline_recv)(w->orc, dst, src, w->bytes);
	} else {
		memcpy(dst, src, w->bytes);
		__asm__ volatile("" : : "r"(dst) : "memory");
	}
}

static void run(struct way *w)
{
	(w->loop ? run_chain : run_other)(w);
}

/* All that chains of the run write. */
static size_t half_of(const struct bench_options *o, uint64_t bytes)
{
	size_t most = bytes;

	for (unsigned c = 0; o->chains[c]; c++)
		for (unsigned d = 0; d < ILP_DIRECTIONS; d++) {
			const size_t room = ilp_room(o->chains[c], (enum ilp_direction)d, bytes);

			most = room > most ? room : most;
		}
	most = (most + 2 * ILP_HELD_MAX + LINE - 1) / LINE * LINE;
	return most < OPERANDS_PAGE ? most : operands_pages(most - OPERANDS_APART) + OPERANDS_APART;
}

static int arena_open(struct arena *a, uint8_t *base, size_t size, size_t half, bool cold, uint64_t *random)
{
	a->base = base;
	a->half = half;
	size_t slot = 2 * a->half;
	assert(slot > 0); /* sizes end at 1 GiB */
	a->slots = cold ? size / slot : 1;
	a->order = calloc(a->slots, sizeof *a->order);
	if (!a->order)
		return -ENOMEM;
	for (size_t i = 0; i < a->slots; i++) { /* Fisher and Yates, inside out */
		size_t j = measure_random(random) % (i + 1);

		a->order[i] = a->order[j];
		a->order[j] = (uint32_t)i;
	}
	return 0;
}

/* What src and dst of all sizes take; share: of it, what a size may use: all when hot, its own part when cold. */
static size_t room(const struct bench_options *o, size_t *share)
{
	*share = 0;
	for (unsigned i = 0; i < o->size_count; i++)
		if (2 * half_of(o, o->sizes[i]) > *share)
			*share = 2 * half_of(o, o->sizes[i]);
	if (o->cold) {
		long last = sysconf(_SC_LEVEL3_CACHE_SIZE);
		size_t want = last > 0 && 2 * (size_t)last > COLD_MIN ? 2 * (size_t)last : COLD_MIN;

		want = operands_pages(want / (o->size_count ? o->size_count : 1));
		*share = want > *share ? want : *share;
	}
	*share = operands_pages(*share);
	return o->cold ? *share * o->size_count : *share;
}

static ilp_loop *loop_of(const struct bench_series *s, unsigned v)
{
	const struct ilp_chain *stage = v >= BENCH_VARIANTS ? s->stage[v - BENCH_VARIANTS] : NULL;

	if (stage)
		return stage->ways[s->direction][ILP_FUSED].loop[s->isa];
	return v <= BENCH_FUSED ? s->chain->ways[s->direction][v].loop[s->isa] : NULL;
}

/* What a user sets and asks for. A value that goes with the data is not asked for, nor is the sum, which has a way of
 * its own. */
static void names_open(struct way *w)
{
	for (const struct ilp_param *p = w->chain->params; p->name; p++) {
		const char *dot = strchr(p->name, '.');

		if (dot && !strcmp(dot, ".nonce") && p->size == 12)
			w->nonce = p;
	}
	for (const struct ilp_value *v = w->chain->values; v->name; v++) {
		const char *at = strstr(w->chain->stages, v->name);

		if (at && (at[strlen(v->name)] == ' ' || !at[strlen(v->name)]) && strcmp(v->name, "inet_checksum") != 0)
			w->value = v;
	}
}

/* Stages that put something to the data refuse what is not theirs. */
static bool needs_wire(const struct ilp_chain *chain)
{
	return ilp_room(chain, ILP_SEND, LINE) != LINE;
}

/* What the chain sends, in the place of src: of all that it can send the longest that is not longer than the bytes that
 * were asked for. -EINVAL: there is none. */
static int wire_open(struct way *w)
{
	const size_t room = ilp_room(w->chain, ILP_SEND, w->bytes);
	const size_t scratch = ilp_scratch(w->chain, ILP_SEND, ILP_FUSED, w->bytes);
	struct way send = { .chain = w->chain, .loop = ilp_pick(w->chain, ILP_SEND, ILP_FUSED), .direction = ILP_SEND };
	ptrdiff_t sent = -1;

	w->wire = aligned_alloc(OPERANDS_PAGE, operands_pages(room + 1));
	send.tmp = scratch ? aligned_alloc(OPERANDS_PAGE, operands_pages(scratch)) : NULL;
	if (!w->wire || (scratch && !send.tmp))
		return free(send.tmp), -ENOMEM;
	operands_params(w->chain, &send.state);
	for (size_t step = (size_t)1 << 31; step > 0; step /= 2) {
		const size_t n = send.bytes + step;

		if (n > w->bytes)
			continue;
		const size_t was = send.bytes;
		send.bytes = n;
		sent = call(&send, w->wire, src_of(w->arena, w->arena->order[0]));
		if (sent > (ptrdiff_t)w->bytes)
			send.bytes = was;
	}
	sent = call(&send, w->wire, src_of(w->arena, w->arena->order[0]));
	free(send.tmp);
	if (sent > (ptrdiff_t)w->bytes)
		return -EINVAL;
	w->bytes = (size_t)sent;
	return 0;
}

/* The wire of one of these ways, which are there before, if that is the same chain's; or else its own. */
static int wire_find(struct way *w, struct way *const *before, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (before[i] && before[i]->wire && before[i]->chain == w->chain) {
			w->wire = before[i]->wire;
			w->bytes = before[i]->bytes;
			w->borrowed = true;
			return 0;
		}
	return wire_open(w);
}

/* The way, or NULL with errno 0 when there is none. before: those of the same point that are there, v of them. */
static struct way *way_open(const struct bench_series *s, unsigned v, size_t bytes, struct arena *a,
	struct way *const *before)
{
	ilp_loop *loop = loop_of(s, v);

	errno = 0;
	if ((v <= BENCH_FUSED || v >= BENCH_VARIANTS) && !loop)
		return NULL;
	struct way *w = aligned_alloc(_Alignof(struct way), sizeof *w);
	if (!w)
		return NULL;
	memset(w, 0, sizeof *w);
	w->chain = v >= BENCH_VARIANTS ? s->stage[v - BENCH_VARIANTS] : s->chain;
	w->loop = loop;
	w->once = v == BENCH_FUSED || v >= BENCH_VARIANTS ? w->chain->once[s->direction][s->isa] : NULL;
	w->direction = s->direction;
	w->bytes = bytes;
	w->arena = a;
	if (s->direction == ILP_RECV && v != BENCH_MEMCPY && needs_wire(w->chain)) {
		errno = -wire_find(w, before, v);
		if (errno)
			goto nothing;
	}
	if (loop) {
		size_t tmp = ilp_scratch(w->chain, s->direction, v >= BENCH_VARIANTS ? ILP_FUSED : v, bytes);

		if (tmp) {
			w->tmp = aligned_alloc(OPERANDS_PAGE, operands_pages(2 * OPERANDS_APART + tmp));
			if (!w->tmp)
				goto nothing;
			w->tmp += 2 * OPERANDS_APART;
		}
		operands_params(w->chain, &w->state);
		names_open(w);
	} else if (v == BENCH_LIBRARY) {
		w->library = library_open(s->chain->stages, operands_key, operands_nonce, bytes);
		if (!w->library) {
			if (errno == ENOTSUP)
				errno = 0;
			goto nothing;
		}
	} else if (v == BENCH_ORC) {
		w->orc = orc_baseline_open(s->chain->stages);
		if (!w->orc) {
			if (errno == ENOTSUP || errno == ENOEXEC) /* bench_report.c says which */
				errno = 0;
			goto nothing;
		}
	}
	return w;
nothing:
	if (!w->borrowed)
		free(w->wire);
	free(w);
	return NULL;
}

static void way_close(struct way *w)
{
	if (!w)
		return;
	library_close(w->library);
	orc_baseline_close(w->orc);
	if (!w->borrowed)
		free(w->wire);
	if (w->tmp)
		free(w->tmp - 2 * OPERANDS_APART);
	free(w);
}

/* All ways of one point, on the same source: the same bytes, tags too, the same sum and value, or nothing is worth
 * timing. */
static int same(struct way *const ways[BENCH_MEASURED], const struct bench_series *s)
{
	const struct way *first = NULL;
	uint8_t *expected = NULL;
	int error = 0;

	for (unsigned v = 0; v < BENCH_MEMCPY && !error; v++) {
		struct way *w = ways[v];

		if (!w)
			continue;
		const size_t room = w->arena->half - LINE; /* a slot's dst ends there */
		uint8_t *dst = dst_of(w->arena, w->arena->order[0]);

		memset(dst, 0, room);
		w->arena->next = 0;
		run(w);
		if (!first) {
			first = w;
			expected = malloc(room);
			if (!expected)
				return -ENOMEM;
			memcpy(expected, dst, room);
		} else if (memcmp(expected, dst, room) != 0 || w->sum % 0xffff != first->sum % 0xffff ||
			(first->value && memcmp(w->got, first->got, sizeof w->got) != 0)) {
			fprintf(stderr,
				"tcpu bench: %s, %s, %s, %zu bytes: %s computes something else; does `make check` say why?\n",
				s->chain->name, s->direction == ILP_SEND ? "send" : "recv", ilp_isa_name(s->isa), w->bytes,
				bench_variant_names[v]);
			error = -EPROTO;
		}
	}
	free(expected);
	return error;
}

/* What needs_wire is made beforehand, so that it is in a cache; and is as long as that of no data at least. */
static bool can_open(const struct bench_options *o, const struct ilp_chain *chain, enum ilp_direction direction)
{
	const char *why = NULL;
	struct ilp_any state = { 0 };
	uint8_t sent[4096]; /* the most that may come at an end */

	if (direction != ILP_RECV || !needs_wire(chain))
		return true;
	chain->begin(&state);
	const int least = chain->end[ILP_SEND](&state, sent);
	for (unsigned i = 0; i < o->size_count; i++)
		if (o->sizes[i] < (size_t)least)
			why = "a size is shorter than what it sends of no data";
	if (o->cold)
		why = "what it takes is made beforehand, and so is not cold";
	if (why)
		fprintf(stderr, "tcpu bench: %s, recv: not measured, because %s\n", chain->name, why);
	return !why;
}

/* The series that the options ask for. */
static int plan(const struct bench_options *o, struct bench_results *r)
{
	unsigned chains = 0;

	while (o->chains[chains])
		chains++;
	r->count = 0;
	r->series = calloc((size_t)chains * ILP_DIRECTIONS * ILP_ISAS + 1, sizeof *r->series);
	if (!r->series)
		return -ENOMEM;
	for (unsigned c = 0; c < chains; c++)
		for (unsigned d = 0; d < ILP_DIRECTIONS; d++)
			for (unsigned isa = 0; isa < ILP_ISAS; isa++) {
				const struct ilp_chain *chain = o->chains[c];
				ilp_loop *loop = chain->ways[d][ILP_FUSED].loop[isa];

				if (!o->direction[d] || !loop || !ilp_isa_here((enum ilp_isa)isa))
					continue;
				if (!o->every_isa && loop != ilp_pick(chain, (enum ilp_direction)d, ILP_FUSED))
					continue;
				if (!can_open(o, chain, (enum ilp_direction)d))
					break;
				struct bench_series *s = &r->series[r->count++];
				*s = (struct bench_series){ .chain = chain, .direction = (enum ilp_direction)d,
					.isa = (enum ilp_isa)isa };
				if (o->limits && limits_stages(chain, o->files ? o->files[c] : NULL, s->stage) != 0)
					return -EPROTO;
			}
	return 0;
}

static void progress(unsigned round, unsigned rounds)
{
	fprintf(stderr, "\r  round %u of %u%s", round, rounds, round == rounds ? "\r\033[K" : "");
}

/* From a point's samples, one array a variant, to what is said of them. */
static int summarize(struct bench_point *p, struct measure *const m[BENCH_MEASURED], unsigned rounds, double *worst)
{
	double *ratio = calloc(rounds, sizeof *ratio);

	if (!ratio)
		return -ENOMEM;
	for (unsigned v = 0; v < BENCH_MEASURED; v++) {
		p->has[v] = m[v];
		if (!m[v] || !m[BENCH_FUSED])
			continue;
		for (unsigned i = 0; i < rounds; i++)
			ratio[i] = m[v]->ns[i] / m[BENCH_FUSED]->ns[i];
		p->speedup[v] = stats_median(ratio, rounds);
	}
	for (unsigned v = 0; v < BENCH_MEASURED; v++) { /* sorts, so after the ratios */
		if (!m[v])
			continue;
		p->ns[v] = stats_median(m[v]->ns, rounds);
		double noise = stats_noise(&p->ns[v]);
		*worst = noise > *worst ? noise : *worst;
	}
	free(ratio);
	return 0;
}

/* A size that was named before: two points at one place make no line. */
static bool seen(const struct bench_options *o, unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (o->sizes[i] == o->sizes[at])
			return true;
	return false;
}

static void fit(struct bench_series *s, const struct bench_options *o)
{
	long first = sysconf(_SC_LEVEL1_DCACHE_SIZE);
	uint64_t limit = o->cold ? UINT64_MAX : (uint64_t)(first > 0 ? first : 32 << 10) / 3; /* src, dst, tmp */

	for (unsigned v = 0; v < BENCH_VARIANTS; v++) {
		double x[ARGUMENTS_SIZES_MAX], y[ARGUMENTS_SIZES_MAX];
		unsigned n = 0;

		for (unsigned i = 0; i < o->size_count; i++)
			if (s->point[i].bytes <= limit && !seen(o, i)) {
				x[n] = (double)s->point[i].bytes;
				y[n++] = s->point[i].ns[v].median;
			}
		s->fitted = n > 1;
		if (s->fitted && s->point[0].has[v])
			s->line[v] = stats_line(x, y, n);
	}
}

struct bench_run {
	uint8_t *memory;
	struct arena arena[ARGUMENTS_SIZES_MAX];
	struct measure *all; /* every way of every point */
	size_t count;
	struct measure *(*of)[BENCH_MEASURED]; /* [point]: the same, by variant; points go series by series */
};

/* The ways of one point, and the proof that they agree. */
static int prepare_point(struct bench_run *b, const struct bench_series *s, struct arena *a, uint64_t bytes,
	struct measure *of[BENCH_MEASURED])
{
	struct way *ways[BENCH_MEASURED];

	for (unsigned v = 0; v < BENCH_MEASURED; v++) {
		ways[v] = way_open(s, v, bytes, a, ways);
		if (!ways[v] && errno)
			return -errno;
		if (!ways[v])
			continue;
		of[v] = &b->all[b->count++];
		*of[v] = (struct measure){ .run = ways[v]->loop ? run_chain : run_other, .ctx = ways[v] };
	}
	return same(ways, s);
}

/* -EPROTO, and says so, when all that will be allocated is more than half of what is free. */
static int fits(const struct bench_options *o, const struct bench_results *r, size_t total)
{
	const size_t half = operands_half_of_free();

	for (unsigned i = 0; i < r->count; i++)
		for (unsigned j = 0; j < o->size_count; j++) {
			total += o->sizes[j]; /* the library's */
			for (unsigned v = 0; v <= BENCH_FUSED; v++)
				if (loop_of(&r->series[i], v))
					total += ilp_scratch(r->series[i].chain, r->series[i].direction, (enum ilp_schedule)v,
						o->sizes[j]);
		}
	if (!half || total <= half)
		return 0;
	fprintf(stderr, "tcpu bench: this takes %zu MiB, more than half of the %zu MiB of memory that are free: name "
		"smaller --sizes, or fewer chains\n", total >> 20, half >> 19);
	return -EPROTO;
}

static int prepare(struct bench_run *b, const struct bench_options *o, const struct bench_results *r)
{
	size_t points = (size_t)r->count * o->size_count, share, size = room(o, &share);
	uint64_t random = o->seed | 1;
	int error = fits(o, r, size);

	if (error)
		return error;
	b->memory = operands_memory(size, &random);
	b->all = calloc(points * BENCH_MEASURED + 1, sizeof *b->all);
	b->of = calloc(points + 1, sizeof *b->of);
	if (!b->memory || !b->all || !b->of)
		return -ENOMEM;
	for (unsigned i = 0; i < o->size_count && !error; i++)
		error = arena_open(&b->arena[i], b->memory + (o->cold ? i * share : 0), share,
			half_of(o, o->sizes[i]), o->cold, &random);
	for (size_t at = 0; at < points && !error; at++)
		error = prepare_point(b, &r->series[at / o->size_count], &b->arena[at % o->size_count],
			o->sizes[at % o->size_count], b->of[at]);
	return error;
}

static int conclude(struct bench_run *b, const struct bench_options *o, struct bench_results *r)
{
	int error = 0;

	for (unsigned i = 0; i < r->count && !error; i++) {
		for (unsigned j = 0; j < o->size_count && !error; j++) {
			struct bench_point *p = &r->series[i].point[j];

			p->bytes = o->sizes[j];
			error = summarize(p, b->of[i * o->size_count + j], o->rounds, &r->worst_noise);
		}
		fit(&r->series[i], o);
	}
	return error;
}

int bench_run(const struct bench_options *o, struct bench_results *r)
{
	struct bench_run b = { 0 };
	int error = plan(o, r);

	r->worst_noise = 0;
	if (!error)
		error = prepare(&b, o, r);
	if (!error)
		error = measure_all(b.all, b.count, &(struct measure_plan){ .rounds = o->rounds, .sample_ns = SAMPLE_NS,
			.warm = !o->cold, .seed = o->seed, .progress = isatty(2) ? progress : NULL });
	if (!error)
		error = conclude(&b, o, r);

	for (size_t i = 0; i < b.count; i++)
		way_close(b.all[i].ctx);
	if (b.all)
		measure_free(b.all, b.count);
	free(b.all);
	free(b.of);
	for (unsigned i = 0; i < o->size_count; i++)
		free(b.arena[i].order);
	free(b.memory);
	if (error)
		bench_free(r);
	return error;
}

void bench_free(struct bench_results *r)
{
	free(r->series);
	r->series = NULL;
	r->count = 0;
}

/* Compares the loops of a chain with its vectors. Buffers stand between guard bytes, and each input also ends, once,
 * where readable memory ends, and begins where it begins: what is read or written beyond is seen. */
#include "tests/ilp/compare.h"
#include "tests/ilp/memory.h"
#include "tests/ilp/vec.h"

#include "core/cksum.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct ilp_chain *chain;
static struct vec vec;
static unsigned long compared;
static bool full;

/* A loop under test, and what it is tried with. */
struct subject {
	enum ilp_direction direction;
	unsigned way;
	enum ilp_isa isa;
	ilp_loop *loop;
};
static struct subject now; /* for messages */
static const char *trying;
static jmp_buf failed;

static const char *name_of(const struct subject *x)
{
	static char text[160];
	snprintf(text, sizeof text, "%s %s %s %s", chain->name, x->direction == ILP_SEND ? "send" : "recv",
		 chain->ways[x->direction][x->way].name, ilp_isa_name(x->isa));
	return text;
}

#define EXPECT(ok, ...) \
	do { \
		compared++; \
		if (!(ok)) { \
			printf("%s: %s: ", name_of(&now), trying); \
			printf(__VA_ARGS__); \
			printf(": not %s\n", #ok); \
			longjmp(failed, 1); \
		} \
	} while (0)

/* What a crash says, written before it can happen: little may be called then. */
static char last_words[400];

static void crashed(int signal)
{
	(void)signal;
	if (write(STDOUT_FILENO, last_words, strlen(last_words)) < 0)
		_exit(2);
	_exit(1);
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t seed = 2023;
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % n);
}

/* Memory ---------------------------------------------------------------------------------------------------------- */

static struct buffer src_buffer, dst_buffer, tmp_buffer, back_buffer;

static void check_guards(const struct buffer *b, size_t len, const char *which)
{
	const bool good = untouched(b->at - GUARD, GUARD) && untouched(b->at + len, GUARD);

	for (size_t i = 1; !good && i <= GUARD; i++) {
		if (b->at[-(ptrdiff_t)i] != PATTERN)
			EXPECT(false, "%s: written %zu bytes before", which, i);
		if (b->at[len + i - 1] != PATTERN)
			EXPECT(false, "%s: written %zu bytes behind", which, i);
	}
	compared++;
}

/* Calls ----------------------------------------------------------------------------------------------------------- */

/* The state but for what begin makes; returns what is associated with the data, if anything. */
static const struct vec_param *set_parameters(struct ilp_any *s)
{
	const struct vec_param *associated = NULL;

	memset(s, PATTERN, sizeof *s);
	for (size_t i = 0; i < vec.params_len; i++)
		if (strstr(vec.params[i].name, ".associated"))
			associated = &vec.params[i];
		else if (ilp_set(chain, s, vec.params[i].name, vec.params[i].value, vec.params[i].size) != 0)
			EXPECT(false, "parameter %s", vec.params[i].name);
	((struct ilp_state *)s)->row = 1 + now.isa;
	return associated;
}

static void set_up(struct ilp_any *s)
{
	const struct vec_param *associated = set_parameters(s);

	chain->begin(s);
	if (associated)
		chain->associate(s, associated->value, associated->size);
}

/* One call of the loop, with scratch memory of just the size it asks for. */
static size_t call(const struct subject *x, struct ilp_any *s, uint8_t *dst, const uint8_t *src, size_t n)
{
	const size_t room = ilp_scratch(chain, x->direction, x->way, n);
	uint8_t *tmp = guarded(&tmp_buffer, room, random_below(64));
	const size_t written = x->loop(s, dst, src, n, room ? tmp : NULL);

	check_guards(&tmp_buffer, room, "tmp");
	return written;
}

static void check_bytes(const uint8_t *got, const uint8_t *want, size_t n)
{
	compared++;
	if (memcmp(got, want, n) == 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (got[i] != want[i])
			EXPECT(false, "byte %zu of %zu is %02x, expected %02x", i, n, got[i], want[i]);
}

/* summed: sum() has been asked, and has begun its fold anew. */
static void check_values(const struct ilp_any *s, const struct vec_adu *adu, bool summed)
{
	const uint8_t *want = adu->values;

	for (size_t i = 0; i < vec.values_len; i++) {
		uint8_t got[ILP_VALUE_MAX];
		const size_t size = vec.values[i].size;

		EXPECT(ilp_value(chain, s, vec.values[i].name, got, size) == 0, "length %zu: value %s", adu->len,
			vec.values[i].name);
		if (memcmp(got, want, size) != 0 && !(summed && strcmp(vec.values[i].name, "inet_checksum") == 0))
			EXPECT(false, "length %zu: another value of %s", adu->len, vec.values[i].name);
		compared++;
		want += size;
	}
}

/* The sum since the last one is that of the bytes on the wire's side that have been seen since. */
static void check_sum(struct ilp_any *s, const uint8_t *wire, size_t n)
{
	if (!chain->sum)
		return;
	const uint16_t got = chain->sum(s), want = tcpu_sum(wire, n);
	EXPECT(got % 0xffff == want % 0xffff, "sum of %zu bytes is %04x, expected %04x", n, got, want);
}

/* What goes in and what comes out in a direction. */
struct way_of {
	const uint8_t *in, *out;
	size_t in_len, out_len;
};
static struct way_of way_of(const struct subject *x, const struct vec_adu *adu)
{
	if (x->direction == ILP_SEND)
		return (struct way_of){ adu->data, adu->wire, adu->len, adu->wire_len };
	return (struct way_of){ adu->wire, adu->back, adu->wire_len, adu->len };
}

static void check_place(const struct ilp_any *s, size_t in)
{
	const struct ilp_state *state = (const struct ilp_state *)s;

	EXPECT(chain->whole[now.direction] || state->pos == in, "after %zu bytes: pos %lu", in, (unsigned long)state->pos);
	EXPECT(untouched(s->bytes + chain->state_size, sizeof *s - chain->state_size),
		"after %zu bytes: written behind the state",
		in);
}

/* Strips as short as can be, as long as can be, and between. */
static void set_tile(struct ilp_any *s)
{
	const uint32_t most = (uint32_t[]){ 1, 40, 40, ILP_TILE_MAX / 64 }[random_below(4)];

	((struct ilp_state *)s)->tile = 64 * (most <= 40 ? 1 + random_below(most) : most);
}

/* The data in these pieces, then the end. once: one sum is asked for, at the end. */
static void run(const struct subject *x, const struct vec_adu *adu, const uint8_t *src, const size_t *pieces,
	size_t count, size_t offset, bool once)
{
	const struct way_of w = way_of(x, adu);
	const bool send = x->direction == ILP_SEND;
	uint8_t *dst = guarded(&dst_buffer, ilp_room(chain, x->direction, w.in_len), offset);
	struct ilp_any s;
	size_t in = 0, out = 0;

	set_up(&s);
	set_tile(&s);
	for (size_t i = 0; i < count; i++) {
		const size_t n = call(x, &s, dst + out, src + in, pieces[i]);
		EXPECT(out + n <= w.out_len, "length %zu: %zu bytes written after %zu", adu->len, out + n, in + pieces[i]);
		if (!once && (send || ((struct ilp_state *)&s)->pos))
			check_sum(&s, send ? dst + out : w.in + in, send ? n : pieces[i]);
		in += pieces[i];
		out += n;
		EXPECT(untouched(dst + out, GUARD), "length %zu: written behind the %zu bytes that came out", adu->len, out);
		check_place(&s, in);
	}
	const int n = chain->end[x->direction](&s, dst + out);
	EXPECT(n >= 0 && out + (size_t)n == w.out_len, "length %zu: %zu bytes written, %d by the end", adu->len, out, n);
	check_bytes(dst, w.out, w.out_len);
	check_values(&s, adu, chain->sum && !once);
	if (once)
		check_sum(&s, adu->wire, adu->wire_len);
	else
		check_sum(&s, send ? dst + out : w.in, send ? (size_t)n : 0);
	EXPECT(((struct ilp_state *)&s)->held_len == 0, "length %zu: something still waits after the end", adu->len);
	check_guards(&dst_buffer, w.out_len, "dst");
}

static void run_whole(const struct subject *x, const struct vec_adu *adu, const uint8_t *src, size_t offset)
{
	const size_t n = way_of(x, adu).in_len;
	run(x, adu, src, &n, 1, offset, true);
}

/* Source and destination are the same memory; in two pieces where the first leaves nothing held back. */
static void run_in_place(const struct subject *x, const struct vec_adu *adu, size_t offset, size_t half)
{
	const struct way_of w = way_of(x, adu);
	uint8_t *dst = guarded(&dst_buffer, ilp_room(chain, x->direction, w.in_len), offset);
	struct ilp_any s;

	memcpy(dst, w.in, w.in_len);
	set_up(&s);
	set_tile(&s);
	size_t n = call(x, &s, dst, dst, half);
	if (half < w.in_len && n != half)
		return;
	if (half < w.in_len)
		n += call(x, &s, dst + half, dst + half, w.in_len - half);
	const int more = chain->end[x->direction](&s, dst + n);
	EXPECT(more >= 0 && n + (size_t)more == w.out_len, "length %zu: %zu bytes and %d", adu->len, n, more);
	check_bytes(dst, w.out, w.out_len);
	check_values(&s, adu, false);
	check_sum(&s, adu->wire, adu->wire_len);
	check_guards(&dst_buffer, w.in_len > w.out_len ? w.in_len : w.out_len, "dst");
}

/* Trials ---------------------------------------------------------------------------------------------------------- */

static void whole(const struct subject *x)
{
	for (size_t i = 0; i < vec.adus_len; i++) {
		const struct vec_adu *adu = &vec.adus[i];
		const struct way_of w = way_of(x, adu);

		for (int times = full ? 4 : 1; times > 0; times--) {
			uint8_t *src = guarded(&src_buffer, w.in_len, random_below(64));
			memcpy(src, w.in, w.in_len);
			run_whole(x, adu, src, random_below(64));
			check_guards(&src_buffer, w.in_len, "src");
			check_bytes(src, w.in, w.in_len);
		}
		run_whole(x, adu, fenced(w.in, w.in_len, false), 0);
		run_whole(x, adu, fenced(w.in, w.in_len, true), 0);
	}
}

static void offsets(const struct subject *x)
{
	static const size_t lengths[] = { 3, 16, 67, 129, 260, 300, 576, 1024 + 3 };

	for (size_t i = 0; i < vec.adus_len; i++) {
		const struct vec_adu *adu = &vec.adus[i];
		const struct way_of w = way_of(x, adu);
		bool wanted = false;

		for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++)
			wanted |= adu->len == lengths[k];
		for (size_t from = 0; wanted && from < 64; from++)
			for (size_t to = 0; to < (full ? 64 : 1); to++) {
				uint8_t *src = guarded(&src_buffer, w.in_len, from);
				memcpy(src, w.in, w.in_len);
				run_whole(x, adu, src, full ? to : from * 37 % 64);
			}
		for (size_t at = 0; wanted && full && chain->inplace && at < 64; at++)
			run_in_place(x, adu, at, w.in_len);
	}
}

/* In two pieces, cut everywhere; else at some places. */
static void cuts_in_two(const struct subject *x, const struct vec_adu *adu)
{
	const struct way_of w = way_of(x, adu);

	for (size_t at = full ? 0 : random_below(7); at <= w.in_len; at += full ? 1 : 1 + random_below(11)) {
		const size_t two[] = { at, w.in_len - at };
		uint8_t *src = guarded(&src_buffer, w.in_len, random_below(64));
		memcpy(src, w.in, w.in_len);
		run(x, adu, src, two, 2, at % 64, at % 2);
		if (full)
			run(x, adu, src, two, 2, random_below(64), at % 2 == 0);
	}
}

static void cuts(const struct subject *x)
{
	if (chain->whole[x->direction])
		return;
	for (size_t i = 0; i < vec.adus_len; i++) {
		const struct vec_adu *adu = &vec.adus[i];
		const struct way_of w = way_of(x, adu);
		size_t pieces[512], count = 0, left = w.in_len;

		if (w.in_len <= 256 && (full || i % 9 == 0))
			cuts_in_two(x, adu);
		/* Within a block of a keystream, and then as much as the widest loop wants. */
		for (size_t at = 16; w.in_len > 1400 && at < 128; at += 16)
			run(x, adu, w.in, (const size_t[]){ at, w.in_len - at }, 2, at % 64, at % 32 == 0);
		if (!full && i % 4 != 0)
			continue;
		const uint32_t most = (uint32_t[]){ 9, 70, 200, 1600 }[(full ? i : i / 4) % 4];
		while (left > 0 && count < 511) {
			const size_t piece = random_below(most);
			pieces[count] = piece < left ? piece : left;
			left -= pieces[count++];
		}
		pieces[count++] = left;
		run(x, adu, w.in, pieces, count, random_below(64), i % 8 == 0);
	}
}

/* Whether two states are the same, folds by their values. */
static bool same_state(const struct ilp_any *a, const struct ilp_any *b)
{
	struct ilp_any x = *a, y = *b;

	memset(x.bytes + chain->ahead_at, 0, chain->ahead);
	memset(y.bytes + chain->ahead_at, 0, chain->ahead);
	for (const struct ilp_value *v = chain->values; v->name; v++) {
		uint8_t of_x[ILP_VALUE_MAX], of_y[ILP_VALUE_MAX];
		v->get(a, of_x);
		v->get(b, of_y);
		if (memcmp(of_x, of_y, v->size) != 0)
			return false;
		memset(x.bytes + v->carried_at, 0, v->carried);
		memset(y.bytes + v->carried_at, 0, v->carried);
	}
	return memcmp(&x, &y, sizeof x) == 0;
}

/* The state is the same, all folds included, as the direction's first loop leaves, after a piece of that many bytes and
 * at the end. */
static void states_cut(const struct subject *x, const struct vec_adu *adu, size_t half)
{
	struct subject first = { .direction = x->direction };
	const struct way_of w = way_of(x, adu);
	uint8_t *dst = guarded(&dst_buffer, ilp_room(chain, x->direction, w.in_len), 0);
	struct ilp_any s, want;

	first.loop = chain->ways[x->direction][0].loop[ILP_SCALAR];
	set_up(&s);
	set_up(&want);
	const size_t n = call(x, &s, dst, w.in, half), m = call(&first, &want, dst, w.in, half);
	EXPECT(n == m && same_state(&s, &want), "length %zu: state after %zu", adu->len, half);
	if (chain->whole[x->direction])
		return;
	/* A snapshot undoes a call. */
	const struct ilp_any before = s;
	call(x, &s, dst + n, w.in + half, w.in_len - half);
	s = before;
	call(x, &s, dst + n, w.in + half, w.in_len - half);
	call(&first, &want, dst + m, w.in + half, w.in_len - half);
	EXPECT(same_state(&s, &want), "length %zu: state at the end", adu->len);
}

static void states(const struct subject *x)
{
	for (size_t i = full ? 0 : 3; i < vec.adus_len; i += full ? 1 : 5) {
		const struct vec_adu *adu = &vec.adus[i];
		const size_t len = way_of(x, adu).in_len;

		if (chain->whole[x->direction])
			states_cut(x, adu, len);
		else if (full && len <= 256)
			for (size_t at = 0; at <= len; at++)
				states_cut(x, adu, at);
		else
			states_cut(x, adu, random_below((uint32_t)len + 1));
	}
}

/* Beyond 4 GiB of an ADU: what comes out, and the state, is what the direction's first loop makes. Where something is
 * taken out of the data on the way, a place and nothing that waits may be what no ADU comes to. */
static void far(const struct subject *x)
{
	const bool odd = x->direction == ILP_RECV && (chain->whole[ILP_SEND] || chain->growth[ILP_SEND].every);
	const uint64_t place = 0x312340000ull / chain->block * chain->block;
	struct subject first = { .direction = x->direction };

	first.loop = chain->ways[x->direction][0].loop[ILP_SCALAR];
	for (size_t i = 0; !odd && !chain->whole[x->direction] && i < vec.adus_len; i += 7) {
		const struct way_of w = way_of(x, &vec.adus[i]);
		const size_t room = ilp_room(chain, x->direction, w.in_len);
		struct ilp_any s, want;

		set_up(&s);
		memcpy(&s, &place, sizeof place); /* pos is the first of all members */
		want = s;
		uint8_t *got = guarded(&dst_buffer, room, 0), *other = guarded(&back_buffer, room, 0);
		const size_t n = call(x, &s, got, w.in, w.in_len), m = call(&first, &want, other, w.in, w.in_len);
		EXPECT(n == m && same_state(&s, &want), "length %zu: %zu bytes, expected %zu, or another state", w.in_len, n, m);
		check_bytes(got, other, n);
	}
}

static void in_place(const struct subject *x)
{
	for (size_t i = 0; chain->inplace && i < vec.adus_len; i++) {
		const size_t len = way_of(x, &vec.adus[i]).in_len;

		run_in_place(x, &vec.adus[i], random_below(64), len);
		for (size_t at = 0; full && !chain->whole[x->direction] && len <= 256 && at < len; at += chain->unit)
			run_in_place(x, &vec.adus[i], random_below(64), at);
	}
}

/* What was sent, damaged; n: its length. */
static const uint8_t *damaged(const struct vec_damage *d, size_t *n)
{
	uint8_t *wire = guarded(&back_buffer, d->adu->wire_len, 0);

	memcpy(wire, d->adu->wire, d->adu->wire_len);
	wire[d->at] ^= d->mask;
	*n = d->mask ? d->adu->wire_len : d->at;
	return wire;
}

/* What is not what was sent is refused where the oracle does, and nothing is written beyond the room. */
static void damages(const struct subject *x)
{
	if (x->direction != ILP_RECV)
		return;
	for (size_t i = 0; i < vec.damages_len; i++) {
		const struct vec_damage *d = &vec.damages[i];
		size_t n;
		const uint8_t *wire = damaged(d, &n);
		uint8_t *dst = guarded(&dst_buffer, ilp_room(chain, ILP_RECV, n), 0);
		struct ilp_any s;

		set_up(&s);
		const size_t out = call(x, &s, dst, wire, n);
		const int more = chain->end[ILP_RECV](&s, dst + out);
		EXPECT((more == -ILP_EBADMSG) == d->seen, "damage %zu, byte %zu of %zu: end gives %d", i, d->at,
			d->adu->wire_len, more);
		check_guards(&dst_buffer, ilp_room(chain, ILP_RECV, n), "dst");
	}
}

/* n bytes, all of an ADU, in one call, with scratch memory of just the size it asks for. */
static ptrdiff_t call_once(const struct subject *x, struct ilp_any *s, uint8_t *dst, const uint8_t *src, size_t n)
{
	const struct vec_param *with = set_parameters(s);
	const size_t room = ilp_scratch(chain, x->direction, x->way, n);
	uint8_t *tmp = guarded(&tmp_buffer, room, random_below(64));
	const ptrdiff_t out = chain->once[x->direction][x->isa](s, dst, src, n, with ? with->value : NULL,
		with ? with->size : 0, room ? tmp : NULL);

	check_guards(&tmp_buffer, room, "tmp");
	return out;
}

/* All of it at once comes to the same; of what is refused nothing is left. */
static void once(const struct subject *x)
{
	struct ilp_any s;

	if (x->way != ILP_FUSED)
		return;
	for (size_t i = 0; i < vec.adus_len; i++) {
		const struct vec_adu *adu = &vec.adus[i];
		const struct way_of w = way_of(x, adu);
		uint8_t *dst = guarded(&dst_buffer, ilp_room(chain, x->direction, w.in_len), random_below(64));
		const ptrdiff_t n = call_once(x, &s, dst, w.in, w.in_len);

		EXPECT(n == (ptrdiff_t)w.out_len, "length %zu: %td bytes", adu->len, n);
		check_bytes(dst, w.out, w.out_len);
		check_values(&s, adu, false);
		check_sum(&s, adu->wire, adu->wire_len);
		check_guards(&dst_buffer, w.out_len, "dst");
	}
	for (size_t i = 0; x->direction == ILP_RECV && i < vec.damages_len; i++) {
		const struct vec_damage *d = &vec.damages[i];
		size_t n;
		const uint8_t *wire = damaged(d, &n);
		const size_t room = ilp_room(chain, ILP_RECV, n);
		uint8_t *dst = guarded(&dst_buffer, room, 0);
		const ptrdiff_t out = call_once(x, &s, dst, wire, n);
		EXPECT((out == -ILP_EBADMSG) == d->seen, "damage %zu, byte %zu: %td", i, d->at, out);
		for (size_t k = 0; out < 0 && k < room; k++)
			if (dst[k] != 0 && dst[k] != PATTERN)
				EXPECT(false, "damage %zu, byte %zu: byte %zu of what was refused is left", i, d->at, k);
		check_guards(&dst_buffer, room, "dst");
	}
}

static const struct trial {
	const char *name;
	void (*run)(const struct subject *);
} trials[] = {
	{ "whole", whole }, { "offsets", offsets }, { "cuts", cuts }, { "states", states }, { "far", far },
	{ "in place", in_place }, { "damages", damages }, { "once", once },
};

static unsigned long passed, failures;

/* Its own function, so that no variable changes between setjmp and longjmp. */
static bool passes(const struct trial *t)
{
	if (setjmp(failed))
		return false;
	t->run(&now);
	return true;
}

static void try_all(const struct subject *x)
{
	for (size_t k = 0; k < sizeof trials / sizeof trials[0]; k++) {
		now = *x;
		trying = trials[k].name;
		snprintf(last_words, sizeof last_words, "%s: %s: crashed\n0 passed, 1 failed\n", name_of(&now), trying);
		if (passes(&trials[k]))
			passed++;
		else
			failures++;
	}
}

static int usage(const char *program, const char *why, const char *what)
{
	fprintf(stderr, "%s%s%susage: %s FILE.vec [--full] [--isa NAME]\n", why, what, *why ? "\n" : "", program);
	return 2;
}

/* Whether there is such an instruction set; says so where this CPU has it not. */
static bool is_isa(const char *name)
{
	for (enum ilp_isa i = 0; i < ILP_ISAS; i++)
		if (strcmp(name, ilp_isa_name(i)) == 0) {
			if (!ilp_isa_here(i))
				printf("skipped, because this processor has no %s\n", name);
			return true;
		}
	return false;
}

int compare_main(const struct ilp_chain *c, int argc, char **argv)
{
	const char *isa = NULL, *file = NULL;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--full") == 0)
			full = true;
		else if (strcmp(argv[i], "--isa") == 0 && i + 1 < argc)
			isa = argv[++i];
		else if (argv[i][0] == '-')
			return usage(argv[0], "no such option: ", argv[i]);
		else
			file = argv[i];
	if (!file)
		return usage(argv[0], "", "");
	if (isa && !is_isa(isa))
		return usage(argv[0], "no such instruction set, see `tcpu isa`: ", isa);
	chain = c;
	vec_read(&vec, file);
	signal(SIGSEGV, crashed);
	signal(SIGBUS, crashed);
	for (enum ilp_direction d = 0; d < ILP_DIRECTIONS; d++)
		for (unsigned way = 0; way < c->way_count[d]; way++)
			for (enum ilp_isa i = 0; i < ILP_ISAS; i++) {
				const struct subject x = { d, way, i, c->ways[d][way].loop[i] };
				if (x.loop && ilp_isa_here(i) && (!isa || strcmp(isa, ilp_isa_name(i)) == 0))
					try_all(&x);
			}
	printf("%s: %lu comparisons\n", c->name, compared);
	printf("%lu passed, %lu failed\n", passed, failures);
	vec_free(&vec);
	return failures > 0;
}

/* A chain as a program for Orc. RFC 1071 (2): byte order independence.
 *
 * Orc's accumulators have 16 or 32 bits and wrap. Words of 32 bits are summed in two of them: the words, modulo 2^32,
 * and their high halves, H, which do not overflow while there are at most 65537 words; the low halves' sum is the
 * first less 2^16 H, modulo 2^32. That takes three instructions; halves taken apart, widened with convuwl and added
 * take more, and twice as long at 1 KiB.
 *
 * Of the formulations that were tried these are the fastest but one, on Zen 5:
 * - copy: two streams, the halves of the piece, added to one another before they are added to the accumulators: a
 *   chain of dependent additions is what limits a single stream. Loads and stores are written out: a copyl moves
 *   through one register more. That is ten instructions, the most for which Orc unrolls a loop.
 * - swap and copy: four streams; of small pieces one, summed before it is swapped, so that sums need not wait for the
 *   shuffle's constant, which Orc stores to memory and loads on each call.
 * One is faster by a twentieth for swap and copy at 1 KiB, and left out: a second load of each word two bytes on, in
 * the place of the shift; it reads two bytes beyond the piece, which is not allowed. */
#include "tools/orc.h"

#include "core/cksum.h"

#include <errno.h>
#include <orc/orc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words a call of a program's: high halves sum up to 65536 * 65535 < 2^32. */
#define STRIP 65536UL
/* Bytes from which four streams beat one, when there is a swap. */
#define MANY 4096
#define STREAMS_MAX 4
/* Streams begin at multiples of what a vector holds, counted from the first. */
#define VECTOR 4 /* words */

struct program {
	OrcProgram *orc;
	OrcExecutorFunc run;
	unsigned streams;
	bool before; /* sums what it reads, not what it writes */
};

struct orc_baseline {
	bool swap, sum;
	bool sum_first; /* in send order, before the swap: the wire's side is then the other */
	struct program few, many;
};

static int parse(struct orc_baseline *b, const char *stages)
{
	static const char *const names[] = { "xdr_u32", "copy", "inet_checksum" };

	while (*stages) {
		size_t len = strcspn(stages, " ");
		unsigned i = 0;

		while (i < 3 && (strlen(names[i]) != len || memcmp(stages, names[i], len) != 0))
			i++;
		if (i == 3 || (i == 0 && b->swap) || (i == 2 && b->sum))
			return -ENOTSUP;
		b->sum_first |= i == 0 && b->sum;
		b->swap |= i == 0;
		b->sum |= i == 2;
		stages += len + strspn(stages + len, " ");
	}
	return 0;
}

static void two(OrcProgram *o, const char *opcode, const char *to, const char *from)
{
	orc_program_append_ds_str(o, opcode, to, from);
}

static void three(OrcProgram *o, const char *opcode, const char *to, const char *a, const char *b)
{
	orc_program_append_str(o, opcode, to, a, b);
}

/* Adds words to accumulator "a1" and their high halves to "a2". An accl is the last to use what it adds: for a single
 * word Orc 0.4 shifts that in its place. */
static void append_sums(OrcProgram *o, unsigned streams)
{
	char t[8];

	if (streams == 1) {
		three(o, "shrul", "high", "t1", "c16");
		two(o, "accl", "a2", "high");
		two(o, "accl", "a1", "t1");
		return;
	}
	three(o, "addl", "all", "t1", "t2");
	three(o, "shrul", "t1", "t1", "c16");
	three(o, "shrul", "t2", "t2", "c16");
	three(o, "addl", "t1", "t1", "t2");
	for (unsigned s = 3; s <= streams; s++) {
		snprintf(t, sizeof t, "t%u", s);
		three(o, "addl", "all", "all", t);
		three(o, "shrul", t, t, "c16");
		three(o, "addl", "t1", "t1", t);
	}
	two(o, "accl", "a1", "all");
	two(o, "accl", "a2", "t1");
}

static void append_stream(OrcProgram *o, unsigned s, bool swap, bool before)
{
	char t[8], d[8], src[8];

	snprintf(t, sizeof t, "t%u", s);
	snprintf(d, sizeof d, "d%u", s);
	snprintf(src, sizeof src, "s%u", s);
	two(o, "loadl", t, src);
	if (swap)
		two(o, "swapl", before ? "swapped" : t, t);
	two(o, "storel", d, swap && before ? "swapped" : t);
}

static void declare(OrcProgram *o, unsigned streams)
{
	static const char *const names[3][STREAMS_MAX] = { { "d1", "d2", "d3", "d4" }, { "s1", "s2", "s3", "s4" },
		{ "t1", "t2", "t3", "t4" } };

	for (unsigned s = 0; s < streams; s++) {
		orc_program_add_destination(o, 4, names[0][s]);
		orc_program_add_source(o, 4, names[1][s]);
		orc_program_add_temporary(o, 4, names[2][s]);
	}
	orc_program_add_temporary(o, 4, "high");
	orc_program_add_temporary(o, 4, "all");
	orc_program_add_temporary(o, 4, "swapped");
	orc_program_add_accumulator(o, 4, "a1");
	orc_program_add_accumulator(o, 4, "a2");
	orc_program_add_constant(o, 4, 16, "c16");
}

static int compile(struct program *p, const struct orc_baseline *b, unsigned streams, bool before)
{
	OrcTarget *target = orc_target_get_default();

	*p = (struct program){ .orc = orc_program_new(), .streams = streams, .before = before };
	if (!p->orc)
		return -ENOMEM;
	orc_program_set_name(p->orc, b->swap ? "swap_copy_sum" : "copy_sum");
	declare(p->orc, streams);
	for (unsigned s = 1; s <= streams; s++)
		append_stream(p->orc, s, b->swap, before);
	if (b->sum)
		append_sums(p->orc, streams);
	/* Whatever else it returns, code_exec would then be the emulation. */
	if (!target || orc_program_compile_for_target(p->orc, target) != ORC_COMPILE_RESULT_OK || !p->orc->orccode)
		return -ENOEXEC;
	p->run = p->orc->orccode->exec;
	return p->run ? 0 : -ENOEXEC;
}

struct orc_baseline *orc_baseline_open(const char *stages)
{
	struct orc_baseline *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	int error = parse(b, stages);
	if (!error) {
		orc_init();
		error = compile(&b->few, b, b->swap ? 1 : 2, b->swap);
	}
	if (!error && b->swap)
		error = compile(&b->many, b, STREAMS_MAX, false);
	if (!error)
		return b;
	orc_baseline_close(b);
	errno = -error;
	return NULL;
}

void orc_baseline_close(struct orc_baseline *b)
{
	if (!b)
		return;
	if (b->few.orc)
		orc_program_free(b->few.orc);
	if (b->many.orc)
		orc_program_free(b->many.orc);
	free(b);
}

const char *orc_baseline_target(void)
{
	orc_init();
	OrcTarget *target = orc_target_get_default();

	return target ? orc_target_get_name(target) : "nothing";
}

/* One call of the program's, as orcc writes it into a C file; its executor needs no other field. Inlined with streams
 * known: what the call costs counts in a small piece, and is not Orc's. */
__attribute__((always_inline)) static inline uint64_t run_strip(const struct program *p, unsigned streams,
	uint8_t *dst, const uint8_t *src, size_t part)
{
	OrcExecutor x;

	x.program = NULL;
	x.arrays[ORC_VAR_A2] = p->orc->orccode;
	x.n = (int)part;
#pragma GCC unroll 4
	for (unsigned s = 0; s < streams; s++) {
		x.arrays[ORC_VAR_D1 + s] = dst + 4 * part * s;
		x.arrays[ORC_VAR_S1 + s] = (void *)(src + 4 * part * s);
	}
	p->run(&x);
	uint32_t high = (uint32_t)x.accumulators[1];

	return (uint64_t)high + ((uint32_t)x.accumulators[0] - (high << 16));
}

/* All words but those that are no vector of each stream; how many these are goes to *done. */
__attribute__((always_inline)) static inline uint64_t run_strips(const struct program *p, unsigned streams,
	uint8_t *dst, const uint8_t *src, size_t words, size_t *done)
{
	uint64_t sum = 0;

	while (words - *done >= streams * VECTOR) {
		size_t part = (words - *done < STRIP ? words - *done : STRIP) / streams;

		if (streams > 1)
			part = part / VECTOR * VECTOR;
		sum += run_strip(p, streams, dst + 4 * *done, src + 4 * *done, part);
		*done += part * streams;
	}
	return sum;
}

static uint64_t run_program(const struct program *p, uint8_t *dst, const uint8_t *src, size_t words, size_t *done)
{
	*done = 0;
	switch (p->streams) {
	case 1:
		return run_strips(p, 1, dst, src, words, done);
	case 2:
		return run_strips(p, 2, dst, src, words, done);
	default:
		return run_strips(p, STREAMS_MAX, dst, src, words, done);
	}
}

static uint16_t bytes_swapped(uint16_t sum)
{
	return (uint16_t)(sum << 8 | sum >> 8);
}

/* What Orc leaves: less than a vector of each stream, and what is no whole word. Returns the sum of the side that is
 * asked for. */
static uint16_t rest(bool swap, bool written, uint8_t *dst, const uint8_t *src, size_t n)
{
	size_t i = 0;

	if (!swap)
		return tcpu_copy_sum(dst, src, n);
	for (; i + 4 <= n; i += 4) {
		uint32_t word;

		memcpy(&word, src + i, 4);
		word = __builtin_bswap32(word);
		memcpy(dst + i, &word, 4);
	}
	memcpy(dst + i, src + i, n - i);
	return tcpu_sum(written ? dst : src, n);
}

/* written: which side's sum is asked for. */
static uint16_t run(const struct orc_baseline *b, bool written, uint8_t *dst, const uint8_t *src, size_t n)
{
	const struct program *p = b->swap && n >= MANY ? &b->many : &b->few;
	/* Orc's stores fault where dst is not at a multiple of 4: all is left to plain code there. */
	size_t words = (uintptr_t)dst % 4 ? 0 : n / 4, done;
	uint64_t sum = run_program(p, dst, src, words, &done);
	uint16_t last = 0;

	if (n > 4 * done)
		last = rest(b->swap, written, dst + 4 * done, src + 4 * done, n - 4 * done);

	if (!b->sum)
		return 0;
	uint16_t folded = tcpu_sum_fold(sum);
	/* Of words that are swapped the sum is swapped: that of one side tells that of the other. */
	if (b->swap && p->before == written)
		folded = bytes_swapped(folded);
	return tcpu_sum_fold((uint64_t)folded + last);
}

uint16_t orc_baseline_send(struct orc_baseline *b, uint8_t *dst, const uint8_t *src, size_t n)
{
	return run(b, !b->sum_first, dst, src, n);
}

uint16_t orc_baseline_recv(struct orc_baseline *b, uint8_t *dst, const uint8_t *src, size_t n)
{
	return run(b, b->sum_first, dst, src, n);
}

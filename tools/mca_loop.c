/* The main loop of what a function reaches. */
#include "tools/mca_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Instructions: a longer loop is not looked at. */
#define LOOP_MAX 4096

/* The function that an instruction calls, jumps into, or hands to another; c->count: none. */
static size_t callee(const struct mca_code *c, size_t i)
{
	const struct instruction *one = &c->all[i];
	size_t to = one->target == MCA_UNKNOWN ? c->count : mca_code_at(c, one->target);
	bool begins = to < c->count && c->functions[c->all[to].function].address == one->target;

	return begins && (one->flow != FLOW_BRANCH || c->all[to].function != one->function) ? to : c->count;
}

/* Marks what is reached from an instruction, into what it calls too when calls is true. */
static int reach(const struct mca_code *c, size_t from, bool calls, bool *reached)
{
	size_t *open = calloc(c->count + 1, sizeof *open), n = 0;

	if (!open)
		return -ENOMEM;
	open[n++] = from;
	reached[from] = true;
	while (n) {
		size_t i = open[--n];
		const struct instruction *one = &c->all[i];
		size_t next[2] = { c->count, c->count };

		if (one->flow != FLOW_END && one->flow != FLOW_JUMP)
			next[0] = i + 1;
		if (one->flow == FLOW_BRANCH || one->flow == FLOW_JUMP)
			next[1] = mca_code_at(c, one->target);
		else if (calls)
			next[1] = callee(c, i);
		for (unsigned k = 0; k < 2; k++)
			if (next[k] < c->count && !reached[next[k]]) {
				reached[next[k]] = true;
				open[n++] = next[k];
			}
	}
	free(open);
	return 0;
}

/* Whether a loop holds no call, and no other loop unless loops may be nested. */
static bool simple(const struct mca_code *c, size_t from, size_t to, bool nested)
{
	for (size_t i = from; i < to; i++) {
		size_t t = mca_code_back(c, i);

		if (c->all[i].flow == FLOW_CALL || (!nested && t < c->count && t >= from))
			return false;
	}
	return true;
}

/* Marks what of a function leads to one of its instructions; n instructions from first. */
static void leads_to(const struct mca_code *c, size_t first, size_t n, size_t to, bool *leads)
{
	leads[to - first] = true;
	for (bool more = true; more;) {
		more = false;
		for (size_t k = n; k-- > 0;) {
			const struct instruction *one = &c->all[first + k];
			bool on = one->flow != FLOW_END && one->flow != FLOW_JUMP && k + 1 < n && leads[k + 1];
			bool jumps = one->flow == FLOW_BRANCH || one->flow == FLOW_JUMP;
			size_t t = jumps ? mca_code_at(c, one->target) : c->count;

			if (!leads[k] && (on || (t >= first && t < first + n && leads[t - first])))
				leads[k] = more = true;
		}
	}
}

/* Whether a loop around this one does other things than straight code: its function's instructions that lead to this
 * one's and are led to by them may have one jump back beside this one's, and no call. Compilers place blocks so that a
 * jump back is not always a loop. 0, -ENOENT: it does, or -ENOMEM. */
static int around(const struct mca_code *c, const struct mca_loop *loop)
{
	size_t function = c->all[loop->from].function, first = loop->from, end = loop->to + 1, jumps = 0;

	while (first > 0 && c->all[first - 1].function == function)
		first--;
	while (end < c->count && c->all[end].function == function)
		end++;
	bool *leads = calloc(end - first + 1, sizeof *leads), *led = calloc(c->count, sizeof *led);
	int error = leads && led ? reach(c, loop->from, false, led) : -ENOMEM;
	if (!error)
		leads_to(c, first, end - first, loop->from, leads);
	for (size_t i = first; i < end && !error; i++) {
		if ((i >= loop->from && i <= loop->to) || !leads[i - first] || !led[i])
			continue;
		jumps += mca_code_back(c, i) < c->count;
		if (c->all[i].flow == FLOW_CALL || jumps > 1)
			error = -ENOENT;
	}
	free(leads);
	free(led);
	return error;
}

/* Whether some call of what is reached, in a loop of its own function, is of the function with the loop: then that loop
 * is no more than a part of what is done for its bytes. As around(). */
static int called_around(const struct mca_code *c, const struct mca_loop *loop, const bool *reached)
{
	bool *again = calloc(c->count, sizeof *again);
	int error = again ? 0 : -ENOMEM;

	for (size_t i = 0; i + 1 < c->count && !error; i++) {
		size_t to = reached[i] && c->all[i].flow == FLOW_CALL ? callee(c, i) : c->count;

		if (to == c->count || c->all[to].function != c->all[loop->from].function)
			continue;
		memset(again, 0, c->count * sizeof *again);
		error = reach(c, i + 1, false, again);
		if (!error && again[i])
			error = -ENOENT;
	}
	free(again);
	return error;
}

/* Bytes one by one are the ends of a piece. Where there are loops that write, others are parts of no fused loop, such
 * as the sum of bytes that are held back. */
static void find(const struct mca_code *c, const bool *reached, bool nested, struct mca_loop *loop)
{
	bool best_writes = false;

	for (size_t i = 0; i < c->count; i++) {
		size_t from = reached[i] ? mca_code_back(c, i) : c->count;
		bool writes, reads;

		if (from == c->count || i - from >= LOOP_MAX || !simple(c, from, i, nested))
			continue;
		unsigned bytes = mca_step(c, from, i, &writes, &reads);
		if (nested && !reads)
			continue;
		if (bytes < 2 || writes < best_writes)
			continue;
		if (writes == best_writes && (bytes < loop->bytes ||
			(bytes == loop->bytes && i - from >= loop->to - loop->from)))
			continue;
		best_writes = writes;
		*loop = (struct mca_loop){ .from = from, .to = i, .bytes = bytes, .writes = writes,
			.symbol = c->functions[c->all[i].function].name, .address = c->all[from].address };
	}
}

static int search(const struct mca_code *c, uint64_t entry, bool nested, struct mca_loop *loop, char why[MCA_WHY])
{
	size_t from = mca_code_at(c, entry);

	*loop = (struct mca_loop){ 0 };
	if (from == c->count) {
		snprintf(why, MCA_WHY, "there is no code at 0x%" PRIx64, entry);
		return -ENOENT;
	}
	bool *reached = calloc(c->count, sizeof *reached);
	int error = reached ? reach(c, from, true, reached) : -ENOMEM;
	if (!error)
		find(c, reached, nested, loop);
	if (!error && !loop->bytes) {
		free(reached);
		snprintf(why, MCA_WHY, "no loop without calls that moves on through memory by the same each turn");
		return -ENOENT;
	}
	if (!error && !nested)
		error = around(c, loop);
	if (!error && !nested)
		error = called_around(c, loop, reached);
	free(reached);
	if (error == -ENOENT)
		snprintf(why, MCA_WHY, "the loop at 0x%" PRIx64 " is inside one with calls or other loops", loop->address);
	else if (error)
		snprintf(why, MCA_WHY, "out of memory");
	return error;
}

int mca_code_loop(const struct mca_code *c, uint64_t entry, struct mca_loop *loop, char why[MCA_WHY])
{
	return search(c, entry, false, loop, why);
}

int mca_code_widest(const struct mca_code *c, uint64_t entry, struct mca_loop *loop, char why[MCA_WHY])
{
	return search(c, entry, true, loop, why);
}

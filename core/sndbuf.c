/* See sndbuf.h. The ring's memory is used in order of writing: [headroom][bytes][headroom][bytes]...; what is left at
 * its end when a span does not fit is skipped. The first span's headroom is where the used part begins. */
#include "core/sndbuf.h"

#include "core/cksum.h"

#include <string.h>

/* One span for each KiB is what full segments of the smallest usual path (MSS 1460) need; shorter ones run out of
 * spans before they run out of bytes. */
uint32_t sndbuf_spans_max(uint32_t size)
{
	uint32_t n = 64;

	while (n < size / 1024)
		n *= 2;
	return n;
}

void sndbuf_init(struct sndbuf *b, uint8_t *ring, uint32_t size, uint32_t headroom)
{
	*b = (struct sndbuf){ .ring = ring, .size = size, .headroom = headroom, .una = b->una, .end = b->end,
		.oldest = SPAN_NONE, .newest = SPAN_NONE };
}

static uint32_t place(const struct sndbuf *b, uint32_t i)
{
	return (b->first + i) & (b->span_max - 1);
}

static struct span *at(const struct sndbuf *b, uint32_t i)
{
	return &b->span[place(b, i)];
}

/* The i of a span. */
static uint32_t index_of(const struct sndbuf *b, const struct span *s)
{
	return ((uint32_t)(s - b->span) - b->first) & (b->span_max - 1);
}

/* Where the used part of the ring begins. */
static uint32_t head(const struct sndbuf *b)
{
	const struct span *s = at(b, b->hollow);

	return s->pos - (s->headed ? b->headroom : 0);
}

/* Bytes free in one piece from tail on, and where they begin: at the tail or, when fewer than need are there, at the
 * ring's begin. */
static uint32_t room(const struct sndbuf *b, uint32_t need, uint32_t *tail)
{
	if (b->count == b->hollow) {
		*tail = 0;
		return b->size;
	}
	const struct span *last = at(b, b->count - 1);

	*tail = last->pos + last->len;
	if (*tail <= head(b))
		return head(b) - *tail;
	if (b->size - *tail >= need)
		return b->size - *tail;
	*tail = 0;
	return head(b);
}

bool sndbuf_has_room(const struct sndbuf *b, uint32_t want)
{
	uint32_t tail;

	return room(b, want + b->headroom, &tail) >= want + b->headroom;
}

uint8_t *sndbuf_reserve(struct sndbuf *b, uint32_t want, uint32_t *cap)
{
	uint32_t tail, free = room(b, want + b->headroom, &tail);

	*cap = 0;
	if (sndbuf_table_full(b) || free < want + b->headroom)
		return NULL;
	*cap = free - b->headroom;
	b->reserved = tail + b->headroom;
	return b->ring + b->reserved;
}

struct span *sndbuf_commit(struct sndbuf *b, uint32_t n, uint16_t sum, bool record, bool push)
{
	struct span *s = at(b, b->count);

	*s = (struct span){ .off = b->end, .pos = b->reserved, .len = n, .sum = sum, .summed = true, .headed = true,
		.record = record, .push = push, .older = SPAN_NONE, .newer = SPAN_NONE };
	b->count++;
	b->end += n;
	return s;
}

bool sndbuf_forget(struct sndbuf *b)
{
	uint32_t before = b->hollow;

	while (b->hollow < b->sent && at(b, b->hollow)->forget) {
		struct span *s = at(b, b->hollow++);

		s->hollow = true;
		s->headed = false;
	}
	return b->hollow != before;
}

uint8_t *sndbuf_extend(struct sndbuf *b, uint32_t record, uint32_t len_max, uint32_t *cap)
{
	*cap = 0;
	if (b->count == b->sent)
		return NULL;
	struct span *last = at(b, b->count - 1);
	uint32_t tail, free = room(b, 1, &tail), left;

	if (last->record != (record != 0) || last->len >= len_max || tail != last->pos + last->len || free == 0)
		return NULL;
	left = len_max - last->len < free ? len_max - last->len : free;
	if (record && (last->len % record || left < record))
		return NULL;
	*cap = record ? record : left;
	return b->ring + tail;
}

void sndbuf_extended(struct sndbuf *b, uint32_t n, uint16_t sum, bool push)
{
	struct span *last = at(b, b->count - 1);

	if (last->summed)
		last->sum = tcpu_sum_join(last->sum, sum, last->len);
	last->len += n;
	last->push |= push;
	b->end += n;
}

struct span *sndbuf_unsent(const struct sndbuf *b)
{
	return b->sent < b->count ? at(b, b->sent) : NULL;
}

struct span *sndbuf_first(const struct sndbuf *b)
{
	return b->count ? at(b, 0) : NULL;
}

struct span *sndbuf_last_sent(const struct sndbuf *b)
{
	return b->sent ? at(b, b->sent - 1) : NULL;
}

struct span *sndbuf_behind(const struct sndbuf *b, const struct span *s)
{
	uint32_t i = index_of(b, s) + 1;

	return i < b->sent ? at(b, i) : NULL;
}

const uint8_t *sndbuf_data(const struct sndbuf *b, const struct span *s)
{
	return s->hollow ? NULL : b->ring + s->pos;
}

uint8_t *sndbuf_headroom(const struct sndbuf *b, const struct span *s)
{
	return s->headed ? b->ring + s->pos - b->headroom : NULL;
}

uint16_t sndbuf_sum(struct sndbuf *b, struct span *s)
{
	if (!s->summed) {
		s->sum = tcpu_sum(b->ring + s->pos, s->len);
		s->summed = true;
	}
	return s->sum;
}

struct span *sndbuf_lost(struct sndbuf *b)
{
	if (!b->lost_bytes)
		return NULL;
	while (at(b, b->lost)->state != SPAN_LOST)
		b->lost++;
	return at(b, b->lost);
}

/* ---- the list of those in flight ---- */

/* Behind another; SPAN_NONE: it is the oldest. */
static void list_add(struct sndbuf *b, uint32_t behind, struct span *s)
{
	uint32_t here = (uint32_t)(s - b->span);

	s->older = behind;
	s->newer = behind == SPAN_NONE ? b->oldest : b->span[behind].newer;
	*(behind == SPAN_NONE ? &b->oldest : &b->span[behind].newer) = here;
	*(s->newer == SPAN_NONE ? &b->newest : &b->span[s->newer].older) = here;
}

static void list_remove(struct sndbuf *b, struct span *s)
{
	*(s->older == SPAN_NONE ? &b->oldest : &b->span[s->older].newer) = s->newer;
	*(s->newer == SPAN_NONE ? &b->newest : &b->span[s->newer].older) = s->older;
	s->older = s->newer = SPAN_NONE;
}

struct span *sndbuf_oldest(const struct sndbuf *b)
{
	return !b->span || b->oldest == SPAN_NONE ? NULL : &b->span[b->oldest];
}

/* Places from index i on have moved up by one. */
static uint32_t moved(const struct sndbuf *b, uint32_t place, uint32_t i)
{
	if (place == SPAN_NONE || ((place - b->first) & (b->span_max - 1)) < i)
		return place;
	return (place + 1) & (b->span_max - 1);
}

bool sndbuf_cut(struct sndbuf *b, struct span *s, uint32_t len)
{
	uint32_t i = index_of(b, s);

	if (b->count == b->span_max)
		return false;
	for (uint32_t j = b->count; j > i + 1; j--)
		*at(b, j) = *at(b, j - 1);
	b->count++;
	for (uint32_t j = 0; j < b->count; j++) {
		struct span *t = at(b, j);

		t->older = moved(b, t->older, i + 1);
		t->newer = moved(b, t->newer, i + 1);
	}
	b->oldest = moved(b, b->oldest, i + 1);
	b->newest = moved(b, b->newest, i + 1);
	struct span *rest = at(b, i + 1);
	*rest = *s;
	rest->off += len;
	rest->pos += len;
	rest->len -= len;
	rest->into += (uint16_t)len;
	rest->headed = rest->summed = s->summed = false;
	s->len = len;
	if (i < b->sent)
		b->sent++;
	if (i < b->hollow)
		b->hollow++;
	if (s->state == SPAN_FLIGHT)
		list_add(b, (uint32_t)(s - b->span), rest);
	return true;
}

/* ---- growth ---- */

/* A place in the table as it is, in one that begins with the first span. */
static uint32_t from_first(const struct sndbuf *b, uint32_t place)
{
	return place == SPAN_NONE ? SPAN_NONE : (place - b->first) & (b->span_max - 1);
}

void sndbuf_table(struct sndbuf *b, struct span *table, uint32_t max)
{
	for (uint32_t i = 0; i < b->count; i++) {
		struct span *s = &table[i];

		*s = *at(b, i);
		s->older = from_first(b, s->older);
		s->newer = from_first(b, s->newer);
	}
	b->oldest = from_first(b, b->oldest);
	b->newest = from_first(b, b->newest);
	b->span = table;
	b->span_max = max;
	b->first = 0;
}

void sndbuf_grow(struct sndbuf *b, uint8_t *ring, uint32_t size)
{
	uint32_t tail = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		struct span *s = at(b, i);
		uint32_t pos = tail + (s->headed ? b->headroom : 0);

		if (s->hollow)
			continue;
		memcpy(ring + pos, b->ring + s->pos, s->len);
		s->pos = pos;
		tail = pos + s->len;
	}
	b->ring = ring;
	b->size = size;
}

/* ---- scoreboard ---- */

static void leave_list(struct sndbuf *b, struct span *s)
{
	if (s->state == SPAN_FLIGHT) {
		list_remove(b, s);
	} else if (s->state == SPAN_LOST) {
		b->lost_bytes -= s->len;
	} else if (s->state == SPAN_SACKED) {
		b->sacked_bytes -= s->len;
		b->sacked_spans--;
	}
}

/* RFC 8985's RACK_sent_after */
static bool is_later(const struct span *a, const struct span *b)
{
	return a->sent_us > b->sent_us || (a->sent_us == b->sent_us && a->off > b->off);
}

static void into_flight(struct sndbuf *b, struct span *s)
{
	uint32_t behind;

	leave_list(b, s);
	s->state = SPAN_FLIGHT;
	/* By the time it was sent: for one that is sent now that is the newest end. */
	behind = b->newest;
	while (behind != SPAN_NONE && is_later(&b->span[behind], s))
		behind = b->span[behind].older;
	list_add(b, behind, s);
}

void sndbuf_sent(struct sndbuf *b, struct span *s, uint64_t now_us)
{
	if (s->state == SPAN_UNSENT)
		b->sent++;
	else
		s->again = true;
	s->sent_us = now_us;
	into_flight(b, s);
}

void sndbuf_lose(struct sndbuf *b, struct span *s)
{
	uint32_t i = index_of(b, s);

	leave_list(b, s);
	s->state = SPAN_LOST;
	b->lost_bytes += s->len;
	b->lost = i < b->lost ? i : b->lost;
}

/* Two lists, linked by newer, become one. Returns its begin. */
static uint32_t merge(struct sndbuf *b, uint32_t x, uint32_t y)
{
	uint32_t begin, *end = &begin;

	while (x != SPAN_NONE && y != SPAN_NONE) {
		uint32_t *from = is_later(&b->span[x], &b->span[y]) ? &y : &x;

		*end = *from;
		end = &b->span[*from].newer;
		*from = *end;
	}
	*end = x != SPAN_NONE ? x : y;
	return begin;
}

/* All of a state are in flight as before, by the times that they were sent at, which a peer may have made to be any: a
 * merge sort, in which run[i] is SPAN_NONE or a list of 2^i. */
static void back_into_flight(struct sndbuf *b, enum span_state state)
{
	uint32_t run[32], all = b->oldest;

	memset(run, 0xff, sizeof run);
	for (uint32_t i = 0, j; i < b->sent; i++) {
		struct span *s = at(b, i);
		uint32_t list = place(b, i);

		if (s->state != state)
			continue;
		leave_list(b, s);
		s->state = SPAN_FLIGHT;
		s->newer = SPAN_NONE;
		for (j = 0; run[j] != SPAN_NONE; j++) {
			list = merge(b, run[j], list);
			run[j] = SPAN_NONE;
		}
		run[j] = list;
	}
	for (uint32_t j = 0; j < 32; j++)
		all = merge(b, all, run[j]);
	b->oldest = all;
	b->newest = SPAN_NONE;
	for (; all != SPAN_NONE; all = b->span[all].newer) {
		b->span[all].older = b->newest;
		b->newest = all;
	}
}

void sndbuf_found(struct sndbuf *b)
{
	back_into_flight(b, SPAN_LOST);
}

void sndbuf_renege(struct sndbuf *b)
{
	back_into_flight(b, SPAN_SACKED);
}

/* The index of the span that holds off, or of the first behind it. */
static uint32_t find(const struct sndbuf *b, uint64_t off)
{
	uint32_t low = 0, high = b->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct span *s = at(b, middle);

		if (s->off + s->len <= off)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct span *sndbuf_at(const struct sndbuf *b, uint64_t off)
{
	return at(b, find(b, off));
}

void sndbuf_sack(struct sndbuf *b, uint64_t begin, uint64_t end, void (*got)(void *ctx, const struct span *), void *ctx)
{
	uint32_t i = find(b, begin);

	if (i < b->sent && at(b, i)->off < begin)
		i++; /* of that one only a part has come */
	while (i < b->sent && at(b, i)->off + at(b, i)->len <= end) {
		struct span *s = at(b, i);

		if (s->state != SPAN_SACKED) {
			got(ctx, s);
			leave_list(b, s);
			s->state = SPAN_SACKED;
			s->skip = 1;
			b->sacked_bytes += s->len;
			b->sacked_spans++;
			i++;
			continue;
		}
		/* Runs that were walked over are jumped over the next time, wherever in them that begins (path halving): a
		 * peer that repeats itself, or nearly, costs little. */
		uint32_t next = i + s->skip;

		if (next < b->sent && at(b, next)->state == SPAN_SACKED)
			s->skip += at(b, next)->skip;
		i += s->skip;
	}
}

void sndbuf_ack(struct sndbuf *b, uint64_t off, void (*got)(void *ctx, const struct span *), void *ctx)
{
	while (b->count && at(b, 0)->off + at(b, 0)->len <= off) {
		struct span *s = at(b, 0);

		if (s->state == SPAN_FLIGHT || s->state == SPAN_LOST)
			got(ctx, s);
		leave_list(b, s);
		b->sent -= s->state != SPAN_UNSENT;
		b->lost -= b->lost != 0;
		b->hollow -= b->hollow != 0;
		b->first = (b->first + 1) & (b->span_max - 1);
		b->count--;
	}
	if (b->count && at(b, 0)->off < off) { /* the peer's segments are not ours */
		struct span *s = at(b, 0);
		uint32_t n = (uint32_t)(off - s->off);

		b->lost_bytes -= s->state == SPAN_LOST ? n : 0;
		b->sacked_bytes -= s->state == SPAN_SACKED ? n : 0;
		s->off += n;
		s->pos += n;
		s->into += (uint16_t)n;
		s->len -= n;
		s->headed = s->summed = false;
	}
	b->una = off;
}

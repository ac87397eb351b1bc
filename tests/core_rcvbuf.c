/* The receive buffer against a map of the stream's bytes that does the same the slow way; the SACK blocks that the
 * scripts of ../shared/pkt/reorder ask for, where they are; and what the engine makes of it. */
#include "core/tcb.h"
#include "tests/property.h"
#include "tests/ranges_check.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct random dice;

#define MAP 16384 /* more than the largest ring */

static struct {
	uint64_t read, next;
	uint32_t size, ranges;
	uint32_t stamp[MAP]; /* by offset: 0 not there, else when what holds it was touched last */
	bool gone[MAP];      /* there, and the user's already */
	uint32_t now;
	struct range duplicate;
} map;

static bool equal(struct range a, struct range b)
{
	return a.begin == b.begin && a.end == b.end;
}

static uint8_t byte_at(uint64_t off)
{
	return (uint8_t)((off + 1) * 0x9e3779b97f4a7c15 >> 56);
}

static uint32_t *stamp(uint64_t off)
{
	return &map.stamp[off % MAP];
}

/* The range that holds off, which is over a hole. */
static struct range map_range(uint64_t off)
{
	struct range r = { off, off };

	while (*stamp(r.begin - 1))
		r.begin--;
	while (r.end < map.read + map.size && *stamp(r.end))
		r.end++;
	return r;
}

static void map_again(uint64_t begin, uint64_t end)
{
	if (map.duplicate.begin == map.duplicate.end)
		map.duplicate = (struct range){ begin, end };
}

/* [off, end) is there now. */
static void map_put(uint64_t off, uint64_t end)
{
	uint64_t i, edge = map.read + map.size;
	struct range r;

	for (i = off; i < end; i++)
		*stamp(i) = map.now;
	r = off > map.next ? map_range(off) : (struct range){ 0, 0 };
	for (i = r.begin; i < r.end; i++)
		*stamp(i) = map.now;
	while (map.next < edge && *stamp(map.next))
		map.next++;
	map.ranges = 0;
	for (i = map.next; i < edge; i++)
		map.ranges += *stamp(i) && (i + 1 == edge || !*stamp(i + 1));
}

static bool map_keep(uint64_t off, uint32_t len)
{
	uint64_t i = off, end = off + len, edge = map.read + map.size;
	struct range r;
	bool alone = off > map.next && !*stamp(off - 1) && !(end < edge && *stamp(end));

	while (i < end && !*stamp(i))
		i++;
	if (i < end) {
		r = map_range(i);
		map_again(i, r.end < end ? r.end : end);
	} else if (alone && map.ranges == rcvbuf_ranges_max(map.size)) {
		return false;
	}
	map_put(off, end);
	return true;
}

/* The user reads a byte, and need not read those that he has. */
static void map_read(void)
{
	do {
		*stamp(map.read) = 0;
		map.gone[map.read++ % MAP] = false;
	} while (map.read < map.next && map.gone[map.read % MAP]);
}

/* The latest range over a hole that was touched before then; false: none. */
static bool map_latest(uint32_t then, struct range *out)
{
	uint64_t found = 0;

	for (uint64_t i = map.next; i < map.read + map.size; i++)
		if (*stamp(i) && *stamp(i) < then && (!found || *stamp(i) > *stamp(found)))
			found = i;
	if (found)
		*out = map_range(found);
	return found;
}

static uint32_t map_blocks(struct range *out, uint32_t n)
{
	struct range r, whole = { 0, 0 };
	uint32_t count = 0, then = UINT32_MAX;

	n = n < 4 ? n : 4;
	if (n && map.duplicate.begin < map.duplicate.end) {
		out[count++] = map.duplicate;
		if (map.duplicate.begin >= map.next && count < n)
			out[count++] = whole = map_range(map.duplicate.begin);
		map.duplicate.end = map.duplicate.begin;
	}
	for (; count < n && map_latest(then, &r); then = *stamp(r.begin))
		if (!equal(r, whole))
			out[count++] = r;
	return count;
}

static void buffer_keep(struct rcvbuf *b)
{
	static uint8_t data[MAP];
	uint64_t off = map.next + (rnd(&dice, 3) ? rnd(&dice, rnd(&dice, 2) ? 40 : map.size) : 0), edge = map.read + map.size;
	uint32_t len = 1 + rnd(&dice, rnd(&dice, 4) ? 20 : map.size);

	if (off >= edge)
		return;
	len = len < edge - off ? len : (uint32_t)(edge - off);
	for (uint32_t i = 0; i < len; i++)
		data[i] = byte_at(off + i);
	must(rcvbuf_keep(b, off, data, len) == map_keep(off, len));
}

static void buffer_read(struct rcvbuf *b)
{
	const uint8_t *data;
	uint32_t n = rcvbuf_peek(b, &data), all = 0;

	while (map.read + all < map.next && !map.gone[(map.read + all) % MAP])
		all++;
	must(n <= all && (n == all || data + n == b->ring + b->size));
	must(!n == !all);
	n = n ? rnd(&dice, n + 1) : 0;
	for (uint32_t i = 0; i < n; i++)
		must(data[i] == byte_at(map.read + i));
	rcvbuf_consume(b, n);
	while (n--)
		map_read();
	must(rcvbuf_empty(b) == (map.read == map.next && !map.ranges));
}

/* Some bytes go past the ring. */
static void buffer_pass(struct rcvbuf *b)
{
	uint64_t off = map.next + (rnd(&dice, 3) ? rnd(&dice, rnd(&dice, 2) ? 40 : map.size) : 0), edge = map.read + map.size;
	uint64_t end = off + 1 + rnd(&dice, rnd(&dice, 4) ? 20 : map.size);
	bool fresh = true, empty = rcvbuf_empty(b) && off == map.next;

	if (off >= edge)
		return;
	end = end < edge ? end : edge;
	for (uint64_t i = off; i < end; i++)
		fresh &= !*stamp(i);
	must(rcvbuf_may_pass(b, off, (uint32_t)(end - off)) ==
		(fresh && (empty || (b->over.count < b->over.max && b->gone.count < b->gone.max))));
	if (!rcvbuf_may_pass(b, off, (uint32_t)(end - off)))
		return;
	rcvbuf_pass(b, off, (uint32_t)(end - off));
	for (uint64_t i = off; i < end; i++)
		map.gone[i % MAP] = true;
	map_put(off, end);
	if (map.read < map.next && map.gone[map.read % MAP])
		map_read();
}

/* What waits over a hole, and some of it goes to the user. */
static void buffer_take(struct rcvbuf *b)
{
	uint64_t off = map.read + rnd(&dice, map.size), begin = off, end = off;
	const uint8_t *data[2];
	uint32_t len[2];
	struct range r;

	if (off <= map.next || !*stamp(off) || map.gone[off % MAP]) {
		must(off == map.next || !rcvbuf_waiting(b, off, &r));
		return;
	}
	while (*stamp(begin - 1) && !map.gone[(begin - 1) % MAP])
		begin--;
	while (end < map.read + map.size && *stamp(end) && !map.gone[end % MAP])
		end++;
	must(rcvbuf_waiting(b, off, &r) && equal(r, (struct range){ begin, end }));
	rcvbuf_pieces(b, &r, data, len);
	must(len[0] + len[1] == end - begin && (!len[1] || (data[0] + len[0] == b->ring + b->size && data[1] == b->ring)));
	for (uint64_t i = begin; i < end; i++)
		must((i - begin < len[0] ? data[0][i - begin] : data[1][i - begin - len[0]]) == byte_at(i));
	begin += rnd(&dice, (uint32_t)(end - begin));
	end -= rnd(&dice, (uint32_t)(end - begin));
	if (rcvbuf_take(b, begin, end))
		for (uint64_t i = begin; i < end; i++)
			map.gone[i % MAP] = true;
	else
		must(b->gone.count == b->gone.max);
}

/* As many as the size lets there be. */
static void make_nodes(struct rcvbuf *b)
{
	uint32_t max = rcvbuf_ranges_max(b->size);
	struct ranges *both[] = { &b->over, &b->gone };

	if (b->over.max == max)
		return;
	for (int i = 0; i < 2; i++) {
		void *old = both[i]->node;

		ranges_move(both[i], malloc(ranges_memory(max)), max, rnd(&dice, UINT32_MAX));
		free(old);
	}
}

static void make(struct rcvbuf *b)
{
	b->ring = malloc(b->size);
	make_nodes(b);
}

static void unmake(struct rcvbuf *b)
{
	free(b->ring);
	free(b->over.node);
	free(b->gone.node);
}

static void buffer_grow(struct rcvbuf *b)
{
	uint32_t size = map.size + 1 + rnd(&dice, map.size / 4 + 1);
	void *old = b->ring, *ring = size < MAP ? malloc(size) : NULL;

	if (!ring)
		return;
	memset(ring, 0xa5, size);
	rcvbuf_grow(b, ring, size);
	memset(old, 0x5a, map.size);
	free(old);
	map.size = size;
	make_nodes(b);
}

static void buffer_blocks(struct rcvbuf *b)
{
	struct range want[4], got[4];
	uint32_t n = rnd(&dice, 6), count = map_blocks(want, n);

	must(rcvbuf_blocks(b, got, n) == count);
	for (uint32_t i = 0; i < count; i++)
		must(equal(got[i], want[i]));
}

static void buffer_again(struct rcvbuf *b, uint64_t begin, uint64_t end)
{
	rcvbuf_again(b, begin, end);
	map_again(begin, end);
}

START_TEST(buffer_puts_all_in_place)
{
	dice = random_seed(_i);

	struct rcvbuf b = { .size = 1 + rnd(&dice, rnd(&dice, 2) ? 300 : 8) };

	memset(&map, 0, sizeof map);
	map.size = b.size;
	make(&b);
	memset(b.ring, 0xa5, b.size);
	for (map.now = 1; map.now <= 100000; map.now++) {
		uint32_t what = rnd(&dice, 100), from = rnd(&dice, (uint32_t)(map.next < 500 ? map.next : 500) + 1);

		if (what < 60)
			buffer_keep(&b);
		else if (what < 80)
			buffer_read(&b);
		else if (what < 84)
			buffer_pass(&b);
		else if (what < 88)
			buffer_take(&b);
		else if (what < 95 || !from)
			buffer_blocks(&b);
		else
			buffer_again(&b, map.next - from, map.next - rnd(&dice, from));
		if (rnd(&dice, 2000) == 0)
			buffer_grow(&b);
		must(b.read == map.read && b.next == map.next && b.size == map.size && b.over.count == map.ranges);
		must(rcvbuf_room(&b) == map.size - (uint32_t)(map.next - map.read));
		must(!ranges_broken(&b.over, NULL) && !ranges_broken(&b.gone, NULL));
	}
	unmake(&b);
}
END_TEST

/* ---- limits ---- */

START_TEST(memory_for_holes_is_bounded)
{
	for (uint32_t size = 1; size < 1U << 30; size += 1 + size / 7) {
		size_t beside = ranges_memory(rcvbuf_ranges_max(size));

		ck_assert_uint_ge(rcvbuf_ranges_max(size), 16);
		ck_assert(beside <= size / 64 + 2 * sizeof(struct ranges_node) || rcvbuf_ranges_max(size) == 16);
	}
	ck_assert_uint_le(ranges_memory(rcvbuf_ranges_max(1)), 1000);
}
END_TEST

/* 4 MiB in segments of 1448 bytes, of which each is lost with a probability of 0.2. */
START_TEST(fifth_of_a_window_may_be_lost)
{
	static uint8_t data[1448];
	struct rcvbuf b = { .size = 4 << 20 };

	dice = random_seed(_i);
	make(&b);
	for (uint64_t off = sizeof data; off + sizeof data <= b.size; off += sizeof data)
		must(rnd(&dice, 5) == 0 || rcvbuf_keep(&b, off, data, sizeof data));
	must(b.over.count > 300);
	for (uint64_t off = 0; off + sizeof data <= b.size; off += sizeof data)
		must(off < b.next || rcvbuf_keep(&b, off, data, sizeof data));
	must(b.over.count == 0 && b.next + sizeof data > b.size);
	unmake(&b);
}
END_TEST

/* Every other segment of a window. */
START_TEST(half_of_a_window_may_be_lost)
{
	static uint8_t data[1448];
	struct rcvbuf b = { .size = 256 << 10 };
	uint32_t n = b.size / sizeof data;

	make(&b);
	for (uint32_t i = 1; i < n; i += 2)
		ck_assert(rcvbuf_keep(&b, i * sizeof data, data, sizeof data));
	ck_assert_uint_eq(b.over.count, n / 2);
	unmake(&b);
}
END_TEST

/* ---- the scripts: the first byte of the stream is theirs number 1 ---- */

#define SCRIPTS "../shared/pkt/reorder/*.pkt"

/* A segment of the peer's. */
static void script_in(struct rcvbuf *b, uint64_t begin, uint64_t end)
{
	static const uint8_t data[1000];

	if (begin < b->next)
		rcvbuf_again(b, begin, end < b->next ? end : b->next);
	begin = begin < b->next ? b->next : begin;
	if (begin < end)
		ck_assert(rcvbuf_keep(b, begin, data, (uint32_t)(end - begin)));
}

/* The blocks of an expected ACK, as the script writes them, if they are these. */
static bool script_out(struct rcvbuf *b, const char *text, unsigned long ack)
{
	struct range block[SACK_BLOCKS];
	uint32_t n = rcvbuf_blocks(b, block, SACK_BLOCKS);
	const char *want = strstr(text, "sack ");
	char got[200] = "";
	int len = 0;

	for (uint32_t i = 0; i < n; i++)
		len += snprintf(got + len, sizeof got - (size_t)len, "%s%llu:%llu", i ? " " : "sack ",
			(unsigned long long)block[i].begin + 1, (unsigned long long)block[i].end + 1);
	return b->next + 1 == ack && (n ? want && !strncmp(want, got, (size_t)len) && want[len] == '>' : !want);
}

/* The lines of an established connection; returns how many ACKs were as expected. */
static int script_replay(const char *path)
{
	struct rcvbuf b = { .size = 65536 };
	FILE *file = fopen(path, "r");
	unsigned long begin, end, ack;
	char line[500], flags[9];
	int acks = 0, n;

	ck_assert_ptr_nonnull(file);
	make(&b);
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "+%*f < %8s %lu:%lu(", flags, &begin, &end) == 3 && !strcmp(flags, "."))
			script_in(&b, begin - 1, end - 1);
		else if (sscanf(line, "%*s > %8s %*u:%*u(0) ack %lu", flags, &ack) == 2 && !strcmp(flags, ".") && b.next + 1 >= ack)
			ck_assert_msg(script_out(&b, line, ack), "%s: %s", path, line), acks++;
		else if (sscanf(line, "+%*f recv(4, ..., 1024, MSG_PEEK) = %d", &n) == 1)
			ck_assert_uint_eq(b.next, (uint64_t)n);
	}
	fclose(file);
	unmake(&b);
	return acks;
}

START_TEST(scripts_blocks_in_order)
{
	glob_t scripts;

	if (glob(SCRIPTS, 0, NULL, &scripts)) {
		puts("skipped, because " SCRIPTS " is not there");
		return;
	}
	for (size_t i = 0; i < scripts.gl_pathc; i++)
		ck_assert_int_ge(script_replay(scripts.gl_pathv[i]), 5);
	globfree(&scripts);
}
END_TEST

/* ---- the engine's part: it cuts off what lies below RCV.NXT ---- */

static void expect_duplicate(struct talk *t, uint64_t begin, uint64_t end)
{
	struct range *d = &t->c->rcv.duplicate;

	ck_assert_uint_eq(d->end - d->begin, end - begin);
	if (begin < end)
		ck_assert_uint_eq(d->begin, begin);
	*d = (struct range){ 0, 0 };
	script_forget(&t->net);
}

START_TEST(engine_notes_what_came_again)
{
	static const uint8_t data[1000];
	struct talk t;
	uint32_t first;

	talk_accept(&t, &(struct net_config){ 0 }, 1000);
	first = t.seq;
	talk_say(&t, 0, data, 100);
	expect_duplicate(&t, 0, 0);
	talk_say_at(&t, ACK, first, t.ack, data, 100); /* all of it */
	expect_duplicate(&t, 0, 100);
	talk_say_at(&t, ACK, first + 20, t.ack, data, 30);
	expect_duplicate(&t, 20, 50);
	talk_say_at(&t, ACK, first + 90, t.ack, data, 30); /* its beginning */
	expect_duplicate(&t, 90, 100);
	ck_assert_uint_eq(t.c->rcv.next, 120);
	talk_say_at(&t, ACK, first + 200, t.ack, data, 100); /* over a hole */
	expect_duplicate(&t, 0, 0);
	talk_say_at(&t, ACK, first + 150, t.ack, data, 100);
	expect_duplicate(&t, 200, 250);
	talk_say_at(&t, ACK, first - 1, t.ack, data, 40); /* from before the stream */
	expect_duplicate(&t, 0, 0);
	talk_say_at(&t, ACK, first - 0x70000000, t.ack, data, 40);
	expect_duplicate(&t, 0, 0);
	talk_say_at(&t, ACK, first + 0x70000000, t.ack, data, 40); /* far above the window */
	expect_duplicate(&t, 0, 0);
	talk_say_at(&t, SYN | ACK, first, t.ack, data, 40);
	expect_duplicate(&t, 0, 0);
	talk_say_at(&t, ACK, first, t.ack, NULL, 0);
	expect_duplicate(&t, 0, 0);
	talk_say_at(&t, ACK, first + 120, t.ack, data, 80);
	ck_assert_uint_eq(t.c->rcv.next, 300);
	expect_duplicate(&t, 150, 200);
	talk_say_at(&t, FIN | ACK, first + 300, t.ack, NULL, 0);
	expect_duplicate(&t, 0, 0);
	talk_say_at(&t, FIN | ACK, first + 290, t.ack, data, 10); /* with the FIN that was taken */
	expect_duplicate(&t, 290, 300);
	talk_close(&t);
}
END_TEST

/* Below what makes an ACK go at once in any case. */
START_TEST(engine_acknowledges_at_once_what_fills_a_hole)
{
	static const uint8_t data[1000];
	struct talk t;

	talk_accept(&t, &(struct net_config){ .engine = { { .without = TCPU_NO_QUICKACK } } }, 1000);
	talk_say(&t, 0, data, 10);
	talk_expect_nothing(&t);
	talk_say_at(&t, ACK, t.seq + 20, t.ack, data, 10);
	talk_expect(&t, ACK, 0);
	talk_say(&t, 0, data, 10); /* a part of it */
	talk_expect(&t, ACK, 0);
	talk_say(&t, 0, data, 10);
	talk_expect(&t, ACK, 0);
	ck_assert_uint_eq(t.heard.ack, t.seq + 10);
	talk_close(&t);
}
END_TEST

START_TEST(engine_keeps_priorities_secret)
{
	struct talk t;
	uint32_t random[3];

	for (uint64_t i = 0; i < 3; i++) {
		talk_accept(&t, &(struct net_config){ .seed = 1 + i / 2 }, 1000);
		talk_say_at(&t, ACK, t.seq + 1, t.ack, "x", 1);
		random[i] = t.c->rcv.over.node[0].priority;
		talk_close(&t);
	}
	ck_assert_uint_eq(random[0], random[1]);
	ck_assert_uint_ne(random[0], random[2]); /* with another secret */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("the receive buffer");
	TCase *c = tcase_create("rcvbuf");
	const TTest *tests[] = { memory_for_holes_is_bounded, half_of_a_window_may_be_lost, scripts_blocks_in_order,
		engine_notes_what_came_again, engine_acknowledges_at_once_what_fills_a_hole, engine_keeps_priorities_secret };

	property_add(c, buffer_puts_all_in_place, 24);
	property_add(c, fifth_of_a_window_may_be_lost, 20);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return run_tests(srunner_create(s));
}

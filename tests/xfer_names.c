/* What a peer of xfer says, and what a file says that anybody may have written: paths, messages, maps. */
/* An example is a program: its functions are in no library. */
#include "adu-examples/xfer/digest.c" // NOLINT(bugprone-suspicious-include)
#include "adu-examples/xfer/map.c"    // NOLINT(bugprone-suspicious-include)
#include "adu-examples/xfer/pieces.c" // NOLINT(bugprone-suspicious-include)
#include "adu-examples/xfer/target.c" // NOLINT(bugprone-suspicious-include)
#include "adu-examples/xfer/wire.c"   // NOLINT(bugprone-suspicious-include)

#include "tests/property.h"
#include "tests/run.h"

#include <dirent.h>

void peer_alive(struct peer *p)
{
	(void)p;
}

static char where[] = "/tmp/xfer_names.XXXXXX";
static int base;

static void begin(void)
{
	must(mkdtemp(where));
	base = open(where, O_RDONLY | O_DIRECTORY);
	must(base >= 0);
	must(!mkdirat(base, "tree", 0700) && !mkdirat(base, "tree/deep", 0700) && !mkdirat(base, "outside", 0700));
	must(!symlinkat("../outside", base, "tree/link"));
	must(!symlinkat(".", base, "tree/self"));
}

static void end(void)
{
	char command[64];

	close(base);
	snprintf(command, sizeof command, "rm -rf %s", where);
	must(system(command) == 0);
	strcpy(where, "/tmp/xfer_names.XXXXXX");
}

/* ---- names ---- */

START_TEST(paths_that_are_none)
{
	static const char *const none[] = { "", "/", "/etc/passwd", "..", ".", "../x", "tree/..", "tree/../x", "tree/.",
		"./x", "tree//x", "tree/", "tree/deep/", "tree/deep/../../x", ".x.xfer-part", "tree/.x.xfer-map",
		"tree/.x.xfer-new", ".x.xfer-part/y" };
	struct target t;

	for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
		ck_assert_msg(target_open(&t, base, none[i]) == -EINVAL, "%s is taken", none[i]);
}
END_TEST

START_TEST(paths_over_links)
{
	static const char *const over[] = { "tree/link/x", "tree/self/x", "tree/self/deep/x", "tree/deep/none/x" };
	struct target t;

	for (unsigned i = 0; i < sizeof over / sizeof *over; i++) {
		int e = target_open(&t, base, over[i]);
		ck_assert_msg(e == -ENOTDIR || e == -ELOOP || e == -ENOENT, "%s: %d", over[i], e);
	}
	/* The last step is nobody's to follow either. */
	must(!target_open(&t, base, "tree/link"));
	ck_assert_int_lt(target_make_directory(&t, 0700), 0);
	ck_assert_int_lt(target_settle(&t, &(struct entry){ .mode = 0 }), 0);
	target_close(&t);
}
END_TEST

START_TEST(paths_that_are_some)
{
	char longest[NAME_MAX + 2];
	struct target t;

	memset(longest, 'n', sizeof longest);
	longest[NAME_MAX + 1] = 0;
	ck_assert_int_eq(target_open(&t, base, longest), -EINVAL);
	longest[NAME_MAX] = 0;
	ck_assert_int_eq(target_open(&t, base, longest), 0);
	ck_assert_str_eq(t.name, longest);
	ck_assert(strlen(t.part) <= NAME_MAX && target_is_left(t.part));
	ck_assert(target_is_left(t.map) && target_is_left(t.fresh));
	close(target_part(&t));
	target_drop(&t);
	target_close(&t);
	ck_assert_int_eq(target_open(&t, base, "tree/deep/\xff\n..."), 0);
	ck_assert_str_eq(t.name, "\xff\n...");
	ck_assert_str_eq(t.part, ".\xff\n....xfer-part");
	target_close(&t);
}
END_TEST

/* Two long names that begin alike. */
START_TEST(long_names_differ)
{
	char one[NAME_MAX + 1], other[NAME_MAX + 1];
	struct target a, b;

	memset(one, 'n', NAME_MAX);
	one[NAME_MAX] = 0;
	strcpy(other, one);
	other[NAME_MAX - 1] = 'm';
	must(!target_open(&a, base, one) && !target_open(&b, base, other));
	ck_assert_str_ne(a.part, b.part);
	ck_assert_str_ne(a.map, b.map);
	target_close(&a);
	target_close(&b);
}
END_TEST

/* ---- messages ---- */

static const struct entry some = { .number = 7, .kind = KIND_FILE, .mode = 0640, .piece_bytes = 4096, .size = 1000000,
	.mtime = { 1234567890, 999999999 }, .path = "tree/some" };

/* Bytes that end where memory ends. */
static uint8_t *at_edge(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + !len);

	must(copy);
	memcpy(copy, bytes, len);
	return copy;
}

START_TEST(entries)
{
	uint8_t message[MESSAGE_MAX], *cut;
	size_t len = entry_write(&some, message);
	struct entry e;

	ck_assert(entry_read(&e, message, len));
	ck_assert_int_eq(memcmp(&e, &some, sizeof e), 0);
	for (size_t n = 0; n < len; n++) {
		cut = at_edge(message, n);
		ck_assert_int_eq(entry_read(&e, cut, n), n > ENTRY_HEAD);
		free(cut);
	}
	message[len - 1] = 0;
	ck_assert(!entry_read(&e, message, len));
	message[len - 1] = 'e';
	/* The last bit of each number's first byte, and what that makes of it. */
	static const uint8_t wrong[] = { 4, 12, 16, 32 };
	for (unsigned i = 0; i < sizeof wrong; i++) {
		message[wrong[i]] ^= 0x80;
		ck_assert_msg(!entry_read(&e, message, len), "byte %u does not matter", wrong[i]);
		message[wrong[i]] ^= 0x80;
	}
	memset(message + ENTRY_HEAD, 'p', PATH_MAX);
	ck_assert(!entry_read(&e, message, ENTRY_HEAD + PATH_MAX));
	ck_assert(entry_read(&e, message, ENTRY_HEAD + PATH_MAX - 1));
}
END_TEST

/* However many pieces there would be, they are counted in as many bits as they need. */
START_TEST(entries_too_large)
{
	struct entry e = some, read;
	uint8_t message[MESSAGE_MAX];

	e.piece_bytes = PIECE_MIN;
	e.size = (uint64_t)PIECES_MAX * PIECE_MIN;
	ck_assert(entry_read(&read, message, entry_write(&e, message)));
	ck_assert_uint_eq(pieces_of(&read), PIECES_MAX);
	e.size++;
	ck_assert(!entry_read(&read, message, entry_write(&e, message)));
	e.size = INT64_MAX;
	ck_assert(!entry_read(&read, message, entry_write(&e, message)));
	e = some;
	e.piece_bytes = 0;
	ck_assert(!entry_read(&read, message, entry_write(&e, message)));
	e.piece_bytes = UINT32_MAX;
	ck_assert(!entry_read(&read, message, entry_write(&e, message)));
}
END_TEST

static const struct {
	const char *what;
	struct spans spans;
	bool sound;
} sets[] = {
	{ "none", { 0 }, true },
	{ "all", { 1, { { 0, 245 } } }, true },
	{ "two", { 2, { { 0, 1 }, { 2, 243 } } }, true },
	{ "too many", { 1, { { 0, 246 } } }, false },
	{ "behind the end", { 1, { { 245, 1 } } }, false },
	{ "empty", { 1, { { 3, 0 } } }, false },
	{ "touching", { 2, { { 0, 1 }, { 1, 1 } } }, false },
	{ "overlapping", { 2, { { 0, 5 }, { 3, 5 } } }, false },
	{ "out of order", { 2, { { 10, 5 }, { 3, 5 } } }, false },
	{ "around", { 1, { { UINT32_MAX, 2 } } }, false },
	{ "far around", { 2, { { 5, UINT32_MAX }, { 7, UINT32_MAX } } }, false },
};

START_TEST(wants)
{
	uint8_t message[MESSAGE_MAX], *cut;
	size_t len = want_write(7, &sets[_i].spans, 42, message);
	struct spans s;
	uint64_t sum = 0;
	uint32_t number;

	ck_assert_msg(want_read(&s, &sum, pieces_of(&some), message, len) == sets[_i].sound, "%s", sets[_i].what);
	ck_assert(number_read(&number, message, len) && number == 7);
	for (size_t n = 0; n < len; n++) {
		cut = at_edge(message, n);
		ck_assert(!want_read(&s, &sum, pieces_of(&some), cut, n));
		free(cut);
	}
	/* As many spans as it says are there, and no more than there is room for. */
	put32(message + 4, UINT32_MAX);
	ck_assert(!want_read(&s, &sum, pieces_of(&some), message, len));
	put32(message + 4, SPANS_MAX + 1);
	for (uint32_t i = 0; i <= SPANS_MAX; i++)
		put32(put32(message + WANT_HEAD + (size_t)i * 8, 2 * i), 1);
	ck_assert(!want_read(&s, &sum, UINT32_MAX, message, WANT_HEAD + (SPANS_MAX + 1) * 8));
}
END_TEST

/* ---- maps ---- */

static void put_map(const struct target *t, const void *bytes, size_t len)
{
	int file = openat(t->dir, t->map, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(file >= 0 && write(file, bytes, len) == (ssize_t)len);
	close(file);
}

/* The bytes of a map with these spans, its digest right. */
static size_t make_map(const struct entry *e, const struct spans *s, uint32_t n, uint8_t *to)
{
	uint8_t *at = to + head(e, n, to);

	for (uint32_t i = 0; i < s->n; i++)
		at = put32(put32(at, s->of[i].first), s->of[i].count);
	at = put64(at, digest(0, to, (size_t)(at - to)));
	return (size_t)(at - to);
}

START_TEST(maps)
{
	static uint8_t bytes[MAP_MAX];
	struct target t;
	struct spans s;
	size_t len;

	must(!target_open(&t, base, "tree/some"));
	ck_assert(!map_read(&t, &some, &s)); /* there is none */
	len = make_map(&some, &sets[_i].spans, sets[_i].spans.n, bytes);
	put_map(&t, bytes, len);
	ck_assert_msg(map_read(&t, &some, &s) == sets[_i].sound, "%s", sets[_i].what);
	if (sets[_i].sound)
		ck_assert_int_eq(memcmp(s.of, sets[_i].spans.of, s.n * sizeof *s.of), 0);
	/* More and fewer than there are. */
	for (uint32_t n = 0; n < 4; n++) {
		len = make_map(&some, &sets[_i].spans, n, bytes);
		put_map(&t, bytes, len);
		ck_assert_int_eq(map_read(&t, &some, &s), sets[_i].sound && n == sets[_i].spans.n);
	}
	put_map(&t, bytes, make_map(&some, &sets[_i].spans, UINT32_MAX, bytes));
	ck_assert(!map_read(&t, &some, &s));
	target_close(&t);
}
END_TEST

START_TEST(maps_damaged)
{
	static uint8_t bytes[MAP_MAX];
	struct entry other = some;
	struct target t;
	struct spans s;
	size_t len;

	must(!target_open(&t, base, "tree/some"));
	must(!symlinkat("../outside/victim", t.dir, t.fresh)); /* in the way of a new one */
	ck_assert_int_eq(map_write(&t, &some, &sets[2].spans), 0);
	ck_assert_int_eq(faccessat(base, "outside/victim", F_OK, 0), -1);
	ck_assert(map_read(&t, &some, &s) && s.n == 2);
	ck_assert_int_eq(faccessat(t.dir, t.fresh, F_OK, 0), -1);
	other.mtime.tv_nsec--;
	ck_assert(!map_read(&t, &other, &s));
	other = some;
	other.size++;
	ck_assert(!map_read(&t, &other, &s));
	other = some;
	other.piece_bytes *= 2;
	ck_assert(!map_read(&t, &other, &s));
	len = make_map(&some, &sets[2].spans, 2, bytes);
	for (size_t n = 0; n < len; n++) {
		put_map(&t, bytes, n);
		ck_assert(!map_read(&t, &some, &s));
		bytes[n] ^= 1;
		put_map(&t, bytes, len);
		ck_assert_msg(!map_read(&t, &some, &s), "byte %zu does not matter", n);
		bytes[n] ^= 1;
	}
	target_close(&t);
}
END_TEST

/* As many spans as there is room for. */
START_TEST(maps_full)
{
	static struct spans full = { .n = SPANS_MAX }, s;
	struct entry e = some;
	struct target t;

	e.size = (uint64_t)2 * SPANS_MAX * e.piece_bytes;
	for (uint32_t i = 0; i < SPANS_MAX; i++)
		full.of[i] = (struct span){ 2 * i, 1 };
	must(!target_open(&t, base, "tree/some"));
	ck_assert_int_eq(map_write(&t, &e, &full), 0);
	ck_assert(map_read(&t, &e, &s));
	ck_assert_int_eq(memcmp(&s, &full, sizeof s), 0);
	ck_assert_uint_eq(spans_bytes(&full, &e), e.size / 2);
	target_close(&t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xfer_names");
	TCase *tc = tcase_create("xfer_names");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, paths_that_are_none);
	tcase_add_test(tc, paths_over_links);
	tcase_add_test(tc, paths_that_are_some);
	tcase_add_test(tc, long_names_differ);
	tcase_add_test(tc, entries);
	tcase_add_test(tc, entries_too_large);
	tcase_add_loop_test(tc, wants, 0, sizeof sets / sizeof *sets);
	tcase_add_loop_test(tc, maps, 0, sizeof sets / sizeof *sets);
	tcase_add_test(tc, maps_damaged);
	tcase_add_test(tc, maps_full);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* A file of xfer's that comes: in any order, twice, wrongly, and in more than one transfer. */
/* An example is a program: its functions are in no library. */
#include "adu-examples/xfer/digest.c"   // NOLINT(bugprone-suspicious-include)
#include "adu-examples/xfer/incoming.c" // NOLINT(bugprone-suspicious-include)
#include "adu-examples/xfer/map.c"      // NOLINT(bugprone-suspicious-include)
#include "adu-examples/xfer/pieces.c"   // NOLINT(bugprone-suspicious-include)
#include "adu-examples/xfer/target.c" // NOLINT(bugprone-suspicious-include)

#include "tests/property.h"
#include "tests/run.h"

void peer_alive(struct peer *p)
{
	(void)p;
}

enum { PIECES = 5, SIZE = 4 * PIECE_MIN + 100 };

static char where[] = "/tmp/xfer_incoming.XXXXXX";
static int base;
static uint8_t data[SIZE];
static struct incoming in;

static void begin(void)
{
	must(mkdtemp(where));
	base = open(where, O_RDONLY | O_DIRECTORY);
	must(base >= 0);
	for (unsigned i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 2654435761U >> 24);
}

static void end(void)
{
	char command[64];

	close(base);
	snprintf(command, sizeof command, "rm -rf %s", where);
	must(system(command) == 0);
	strcpy(where, "/tmp/xfer_incoming.XXXXXX");
}

static int start(struct incoming *x)
{
	*x = (struct incoming){ .entry = { .kind = KIND_FILE, .mode = 0640, .piece_bytes = PIECE_MIN, .size = SIZE,
					   .mtime = { 1000000000, 123456789 } } };
	return incoming_open(x, base, "file");
}

/* It comes, and is placed. */
static int comes(struct incoming *x, uint64_t offset, size_t len)
{
	uint8_t *at = incoming_place(x, offset, len);

	if (!at)
		return -EFAULT;
	memcpy(at, data + offset, len);
	return incoming_placed(x, offset, len);
}

static uint64_t right(void)
{
	struct entry e = { .piece_bytes = PIECE_MIN, .size = SIZE };
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PIECES; i++)
		sum += digest((uint64_t)i * PIECE_MIN, data + (size_t)i * PIECE_MIN, piece_length(&e, i));
	return sum;
}

static bool is_there(const char *name)
{
	return faccessat(base, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void finishes(struct incoming *x)
{
	uint8_t got[SIZE + 1];
	struct stat st;
	int file;

	x->ended = true;
	x->right = right();
	ck_assert(incoming_is_whole(x));
	ck_assert_int_eq(incoming_finish(x), 0);
	ck_assert(!incoming_close(x, true));
	file = openat(base, "file", O_RDONLY);
	must(file >= 0);
	ck_assert_int_eq(read(file, got, sizeof got), SIZE);
	ck_assert_mem_eq(got, data, SIZE);
	must(!fstat(file, &st));
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert(st.st_mtim.tv_sec == 1000000000 && st.st_mtim.tv_nsec == 123456789);
	close(file);
	ck_assert(!is_there(".file.xfer-part") && !is_there(".file.xfer-map"));
}

/* Of each byte order and each cut, some. */
START_TEST(any_order)
{
	struct random dice = random_seed(_i);
	uint32_t cut[64], n = 0, i, k;

	ck_assert_int_eq(start(&in), 0);
	in.ended = true; /* END may come before */
	for (uint32_t at = 0; at < SIZE; at += 1 + rnd(&dice, 1000))
		cut[n++] = at;
	cut[n] = SIZE;
	for (uint32_t left = n, bits[64] = { 0 }; left; left--) {
		for (i = 0, k = rnd(&dice, left); bits[i] || k; i++)
			k -= !bits[i];
		bits[i] = 1;
		ck_assert(!incoming_is_whole(&in));
		ck_assert_int_eq(comes(&in, cut[i], cut[i + 1] - cut[i]), 0);
	}
	finishes(&in);
}
END_TEST

/* What is whole stays as it is, whatever a frame says whose checksum is still to be found wrong. */
START_TEST(whole_is_not_touched)
{
	ck_assert_int_eq(start(&in), 0);
	ck_assert_int_eq(comes(&in, PIECE_MIN, PIECE_MIN), 0);
	ck_assert_ptr_null(incoming_place(&in, PIECE_MIN, 1));
	ck_assert_ptr_null(incoming_place(&in, 2 * PIECE_MIN - 1, 1));
	ck_assert_ptr_null(incoming_place(&in, PIECE_MIN - 1, 2));
	ck_assert_ptr_null(incoming_place(&in, 2 * PIECE_MIN - 1, 2));
	ck_assert_ptr_null(incoming_place(&in, 0, SIZE));
	ck_assert_ptr_nonnull(incoming_place(&in, 0, PIECE_MIN));
	ck_assert_ptr_nonnull(incoming_place(&in, 2 * PIECE_MIN, SIZE - 2 * PIECE_MIN));
	incoming_close(&in, false);
}
END_TEST

START_TEST(twice)
{
	ck_assert_int_eq(start(&in), 0);
	ck_assert_int_eq(comes(&in, 0, 3000), 0);
	ck_assert_int_eq(comes(&in, 0, 3000), -EBADMSG);
	incoming_close(&in, false);
	ck_assert(!is_there(".file.xfer-part") && !is_there("file"));
}
END_TEST

START_TEST(wrong_digest)
{
	ck_assert_int_eq(start(&in), 0);
	ck_assert_int_eq(comes(&in, 0, SIZE), 0);
	in.ended = true;
	in.right = right() + 1;
	ck_assert(incoming_is_whole(&in));
	ck_assert_int_eq(incoming_finish(&in), -EBADMSG);
	incoming_close(&in, false);
	ck_assert(!is_there(".file.xfer-part") && !is_there("file"));
}
END_TEST

/* Pieces that were whole are gone on with, others come again. */
START_TEST(goes_on)
{
	struct spans s;

	ck_assert_int_eq(start(&in), 0);
	ck_assert_int_eq(comes(&in, PIECE_MIN, PIECE_MIN + 10), 0);
	ck_assert_int_eq(comes(&in, 4 * PIECE_MIN, 100), 0);
	ck_assert(incoming_close(&in, true));
	ck_assert(is_there(".file.xfer-part") && is_there(".file.xfer-map") && !is_there("file"));
	ck_assert_int_eq(start(&in), 0);
	incoming_spans(&in, &s);
	ck_assert(s.n == 2 && s.of[0].first == 1 && s.of[0].count == 1 && s.of[1].first == 4 && s.of[1].count == 1);
	ck_assert_int_eq(digest_pieces(NULL, in.file, &in.entry, &s, &in.digest), 0);
	ck_assert_int_eq(comes(&in, 0, PIECE_MIN), 0);
	ck_assert_int_eq(comes(&in, 2 * PIECE_MIN, 2 * PIECE_MIN), 0);
	finishes(&in);
}
END_TEST

START_TEST(nothing_whole_leaves_nothing)
{
	ck_assert_int_eq(start(&in), 0);
	ck_assert_int_eq(comes(&in, 0, PIECE_MIN - 1), 0);
	ck_assert(!incoming_close(&in, true));
	ck_assert(!is_there(".file.xfer-part") && !is_there(".file.xfer-map"));
}
END_TEST

/* The sender says that what is here is not its file's: of the part, and of what has the name. */
START_TEST(begins_anew)
{
	struct spans s;

	ck_assert_int_eq(start(&in), 0);
	ck_assert_int_eq(comes(&in, 0, PIECE_MIN), 0);
	ck_assert_int_eq(incoming_fresh(&in), 0);
	incoming_spans(&in, &s);
	ck_assert_uint_eq(s.n, 0);
	ck_assert_int_eq(comes(&in, 0, SIZE), 0);
	finishes(&in);
	ck_assert_int_eq(start(&in), 0);
	ck_assert(in.kept && in.whole == PIECES);
	ck_assert_ptr_null(incoming_place(&in, 0, 1));
	ck_assert_int_eq(incoming_fresh(&in), 0);
	ck_assert(!in.kept);
	data[0] ^= 1;
	ck_assert_int_eq(comes(&in, 0, SIZE), 0);
	finishes(&in);
}
END_TEST

START_TEST(one_at_a_time)
{
	struct incoming other;

	ck_assert_int_eq(start(&in), 0);
	ck_assert_int_eq(comes(&in, 0, PIECE_MIN), 0);
	ck_assert_int_eq(start(&other), -EBUSY);
	incoming_close(&other, false);
	ck_assert(is_there(".file.xfer-part"));
	ck_assert_int_eq(comes(&in, PIECE_MIN, SIZE - PIECE_MIN), 0);
	finishes(&in);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xfer_incoming");
	TCase *tc = tcase_create("xfer_incoming");

	tcase_add_checked_fixture(tc, begin, end);
	property_add(tc, any_order, 20);
	tcase_add_test(tc, whole_is_not_touched);
	tcase_add_test(tc, twice);
	tcase_add_test(tc, wrong_digest);
	tcase_add_test(tc, goes_on);
	tcase_add_test(tc, nothing_whole_leaves_nothing);
	tcase_add_test(tc, begins_anew);
	tcase_add_test(tc, one_at_a_time);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* What tiles reads that others wrote: images, and the names of tiles; and that a picture is cut, sent and drawn without
 * a pixel lost. */
/* An example is a program: its functions are in no library. */
#include "adu-examples/common/profile.c" // NOLINT(bugprone-suspicious-include)
#include "adu-examples/tiles/greeting.c" // NOLINT(bugprone-suspicious-include)
#include "adu-examples/tiles/image.c"   // NOLINT(bugprone-suspicious-include)
#include "adu-examples/tiles/picture.c" // NOLINT(bugprone-suspicious-include)
#include "adu-examples/tiles/recv.c"    // NOLINT(bugprone-suspicious-include)
#include "adu-examples/tiles/view.c"    // NOLINT(bugprone-suspicious-include)

#include "tests/run.h"

#include <check.h>
#include <stdarg.h>

static char said[300], path[] = "/tmp/tiles_image.XXXXXX";

enum status complain(enum status status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(said, sizeof said, format, ap);
	va_end(ap);
	return status;
}

enum status broke(const struct alf *alf, int error)
{
	(void)alf;
	return complain(FAILED, "%d", error);
}

static void write_file(const void *bytes, size_t len)
{
	FILE *f;

	unlink(path); /* what replaces bytes, some file systems write to the disk at once, and that many times takes long */
	f = fopen(path, "wbe");
	ck_assert(f && fwrite(bytes, 1, len, f) == len && !fclose(f));
}

static void refused(const void *bytes, size_t len, const char *why)
{
	struct image i;

	write_file(bytes, len);
	said[0] = 0;
	ck_assert_int_eq(image_read(path, &i), UNREADABLE);
	ck_assert_ptr_null(i.rgb);
	ck_assert_msg(strstr(said, why), "said: %s; expected: %s", said, why);
}

static void noise(uint8_t *to, size_t n)
{
	for (uint32_t seed = 1; n--; *to++ = (uint8_t)(seed >> 24))
		seed = seed * 1664525 + 1013904223;
}

/* ---- PPM ---- */

#define TEXT(s) (s), sizeof(s) - 1

START_TEST(ppm_of_every_depth)
{
	static const struct {
		const char *text;
		size_t len;
		uint8_t rgb[6];
	} cases[] = {
		{ TEXT("P6\n2 1\n255\nabcdef"), "abcdef" },
		{ TEXT("P6 # a comment\n#another\r2\t1 255 abcdef and more"), "abcdef" },
		{ TEXT("P6 2 1 15 \0\1\7\16\17\20"), { 0, 17, 119, 238, 255, 255 } },
		{ TEXT("P6 2 1 65535\n\0\0\1\1\2\2\377\377\200\200\3\3"), { 0, 1, 2, 255, 128, 3 } },
		{ TEXT("P6 2 1 1 \0\1\0\1\2\377"), { 0, 255, 0, 255, 255, 255 } },
	};
	struct image i;

	write_file(cases[_i].text, cases[_i].len);
	ck_assert_int_eq(image_read(path, &i), OK);
	ck_assert(i.width == 2 && i.height == 1 && !memcmp(i.rgb, cases[_i].rgb, 6));
	free(i.rgb);
}
END_TEST

START_TEST(ppm_that_is_none)
{
	refused(TEXT(""), "neither");
	refused(TEXT("P"), "neither");
	refused(TEXT("P3 1 1 255 1 2 3"), "neither");
	refused(TEXT("P6"), "no PPM");
	refused(TEXT("P6 #"), "no PPM");
	refused(TEXT("P6 1"), "no PPM");
	refused(TEXT("P6 -1 1 255 abc"), "no PPM");
	refused(TEXT("P6 1 1 0 abc"), "no PPM");
	refused(TEXT("P6 1 1 65536 abcdef"), "no PPM");
	refused(TEXT("P6 1 1 255"), "no PPM");
	refused(TEXT("P6 99999999999999999999 1 255 abc"), "no PPM");
	refused(TEXT("P6 4294967297 1 255 abc"), "no PPM");
	refused(TEXT("P6 0 1 255 "), "no pixels");
	refused(TEXT("P6 1 0 255 "), "no pixels");
	refused(TEXT("P6 65536 1 255 abc"), "more than 65535 in a side");
	refused(TEXT("P6 65535 65535 255 abc"), "33554432 in all");
	refused(TEXT("P6 1 1 255 ab"), "ends before");
	refused(TEXT("P6 1 1 256 abcde"), "ends before");
	refused(TEXT("P6 1 1 256 abcd"), "ends before");
	refused(TEXT("P6 5000 5000 255 abcde"), "ends before");
}
END_TEST

START_TEST(no_file)
{
	struct image i;

	ck_assert_int_eq(image_read("/tmp", &i), UNREADABLE);
	ck_assert_ptr_nonnull(strstr(said, "not a regular file"));
	ck_assert_int_eq(image_read("/dev/zero", &i), UNREADABLE);
	ck_assert_int_eq(image_read("/no such thing", &i), UNREADABLE);
	ck_assert_ptr_nonnull(strstr(said, "No such file"));
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(image_read(path, &i), UNREADABLE);
	unlink(path);
}
END_TEST

/* ---- PNG ---- */

#define PNG_MAX 20000

static size_t make_png(uint32_t format, uint32_t width, uint32_t height, const void *pixels, uint8_t *to)
{
	png_image png = { .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = format };
	png_alloc_size_t len = PNG_MAX;

	ck_assert(png_image_write_to_memory(&png, to, &len, 0, pixels, 0, NULL));
	return len;
}

START_TEST(png_of_every_kind)
{
	static const uint32_t formats[] = { PNG_FORMAT_RGB, PNG_FORMAT_GRAY, PNG_FORMAT_RGBA };
	static const uint8_t rgba[] = { 9, 8, 7, 255, 1, 2, 3, 0 }, rgb[] = { 9, 8, 7, 1, 2, 3 }, gray[] = { 77, 200 };
	static const uint8_t *const from[] = { rgb, gray, rgba };
	static const uint8_t right[][6] = { { 9, 8, 7, 1, 2, 3 }, { 77, 77, 77, 200, 200, 200 },
		{ 9, 8, 7, 255, 255, 255 } };
	uint8_t png[PNG_MAX];
	struct image i;

	write_file(png, make_png(formats[_i], 2, 1, from[_i], png));
	ck_assert_int_eq(image_read(path, &i), OK);
	ck_assert(i.width == 2 && i.height == 1 && !memcmp(i.rgb, right[_i], 6));
	free(i.rgb);
}
END_TEST

/* Cut anywhere it is refused; with a byte changed it is refused, or an image of a size that is allowed. */
START_TEST(png_spoilt)
{
	uint8_t png[PNG_MAX], rgb[20 * 20 * PIXEL];
	struct image i;
	size_t len;

	noise(rgb, sizeof rgb);
	len = make_png(PNG_FORMAT_RGB, 20, 20, rgb, png);
	for (size_t n = 8; n < len - 12; n += 7)
		refused(png, n, "PNG");
	for (size_t n = 0; n < len; n++) {
		png[n] ^= (uint8_t)(1 << n % 8);
		write_file(png, len);
		if (image_read(path, &i) == OK)
			ck_assert_uint_le((uint64_t)i.width * i.height, PIXELS_MAX);
		free(i.rgb);
		png[n] ^= (uint8_t)(1 << n % 8);
	}
}
END_TEST

/* Of one that says that it is large there is no memory asked for. */
START_TEST(png_too_large)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	FILE *f = fopen(path, "wbe");
	struct image i;

	png_init_io(png, f);
	png_set_IHDR(png, info, _i ? 65536 : 60000, _i ? 1 : 60000, 8, PNG_COLOR_TYPE_RGB, 0, 0, 0);
	png_write_info(png, info);
	png_write_chunk(png, (png_const_bytep) "IDAT", NULL, 0);
	png_destroy_write_struct(&png, &info);
	fclose(f);
	ck_assert_int_eq(image_read(path, &i), UNREADABLE);
	ck_assert_msg(strstr(said, "make it smaller"), "said: %s", said);
}
END_TEST

/* ---- pictures ---- */

static const struct {
	uint32_t width, height, edge;
} sizes[] = { { 1, 1, 32 }, { 33, 65, 32 }, { 512, 384, 64 }, { 65535, 1, 256 }, { 1, 65535, 32 }, { 100, 7, 128 },
	{ 31, 32, 32 }, { 257, 255, 32 } };
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

static void open_noise(struct view *v, struct picture *p, uint8_t **rgb, int i)
{
	const size_t bytes = (size_t)sizes[i].width * sizes[i].height * PIXEL;

	*v = (struct view){ .title = "test" };
	*rgb = malloc(bytes);
	noise(*rgb, bytes);
	ck_assert_int_eq(picture_open(p, sizes[i].width, sizes[i].height, sizes[i].edge), 0);
	picture_fill(p, *rgb);
	ck_assert_int_eq(view_open(v, sizes[i].width, sizes[i].height, sizes[i].edge), 0);
}

/* Tiles lie behind one another, their names are theirs, and all of them make the image again, in whatever order. */
START_TEST(cut_and_drawn)
{
	const uint8_t *at;
	uint8_t name[NAME_BYTES], *rgb;
	struct picture p;
	struct view v;
	struct tile t, named, mine;

	open_noise(&v, &p, &rgb, _i);
	at = p.bytes;
	for (uint32_t n = 0; n < p.tiles; n++) {
		t = picture_nth(&p, n);
		ck_assert_uint_eq(t.number, n);
		ck_assert_ptr_eq(t.bytes, at);
		at += t.len;
		tile_name(&t, name);
		ck_assert(tile_named(&p, name, NAME_BYTES, &named) && named.number == n);
	}
	for (uint32_t k = 0; k < p.tiles; k++) {
		const uint32_t n = k * 7919 % p.tiles; /* a prime that does not divide it */
		t = picture_nth(&p, n);
		mine = picture_nth(&v.picture, n);
		memcpy(mine.bytes, t.bytes, t.len);
		view_draw(&v, &mine);
	}
	ck_assert(v.left == 0 && v.bare_left == 0 && v.drawn == p.tiles);
	ck_assert(!memcmp(v.frame, rgb, (size_t)p.width * p.height * PIXEL));
	free(rgb);
	picture_close(&p);
	view_close(&v);
}
END_TEST

START_TEST(overtaking)
{
	struct picture p;
	struct view v;
	uint8_t *rgb;
	const uint32_t order[] = { 0, 2, 3, 1, 5, 4 };

	open_noise(&v, &p, &rgb, 2);
	for (int i = 0; i < 6; i++) {
		struct tile t = picture_nth(&v.picture, order[i]);
		ck_assert_uint_eq(view_overtook(&v), i < 4 ? 0 : 2);
		view_draw(&v, &t);
	}
	ck_assert_uint_eq(view_overtook(&v), 3);
	free(rgb);
	picture_close(&p);
	view_close(&v);
}
END_TEST

START_TEST(sizes_that_none_has)
{
	static const uint32_t wrong[][3] = { { 0, 1, 32 }, { 1, 0, 32 }, { 65536, 1, 32 }, { 1, UINT32_MAX, 32 },
		{ 65535, 65535, 32 }, { 8192, 4097, 32 }, { 1, 1, 0 }, { 1, 1, 16 }, { 1, 1, 48 }, { 1, 1, 512 },
		{ 1, 1, 1U << 31 } };
	struct view v = { .title = "test" };

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_int_eq(view_open(&v, wrong[i][0], wrong[i][1], wrong[i][2]), -EINVAL);
		ck_assert(!view_is_open(&v));
	}
}
END_TEST

/* ---- a hostile sender's tiles ---- */

/* What has a wrong name or length, or comes twice, has no place, and is not drawn. */
START_TEST(tiles_that_are_none)
{
	struct adu_attr attr = { .type = TILE, .name_len = NAME_BYTES };
	struct adu_where where = { .id = 1, .attr = &attr, .named = true };
	struct adu_event e = { .kind = ADU_COMPLETE };
	struct receiver x = { 0 };
	struct iovec to;
	struct picture p;
	struct view v = { .title = "test" };
	struct tile t;
	uint8_t *rgb;

	x.view = &v;
	where.len = where.total = e.len = 257 * PIXEL;
	ck_assert_int_eq(place(&x, &where, &to, 16), -ECANCELED); /* before there is a picture */
	ck_assert_int_eq(take(&x, &e), FAILED);
	open_noise(&v, &p, &rgb, 7);
	for (uint32_t wrong = 0; wrong < 9; wrong++) {
		picture_tile(&v.picture, 0, 8, 7, &t); /* the last: one pixel wide */
		tile_name(&t, attr.name);
		attr.type = TILE;
		attr.name_len = NAME_BYTES;
		where.total = e.len = t.len;
		where.len = t.len;
		switch (wrong) {
		case 0: attr.name[0] = LEVELS; break;
		case 1: attr.name[0] = 255; break;
		case 2: attr.name[2] = 9; break;
		case 3: attr.name[1] = 1; break;
		case 4: attr.name[4] = 8; break;
		case 5: attr.name_len = NAME_BYTES - 1; break;
		case 6: attr.name_len = ADU_NAME_MAX; break;
		case 7: where.total = ++e.len; break;
		case 8: where.total = --e.len; break;
		default: break;
		}
		e.attr = attr;
		ck_assert_msg(place(&x, &where, &to, 16) == -ECANCELED, "place %u", wrong);
		ck_assert_msg(take(&x, &e) == FAILED, "take %u", wrong);
	}
	tile_name(&t, attr.name);
	attr.name_len = NAME_BYTES;
	where.total = t.len;
	where.offset = PIXEL;
	where.len = t.len - PIXEL;
	ck_assert_int_eq(place(&x, &where, &to, 16), 1);
	ck_assert_ptr_eq(to.iov_base, t.bytes + PIXEL);
	ck_assert_uint_eq(to.iov_len, t.len - PIXEL);
	where.named = false;
	ck_assert_int_eq(place(&x, &where, &to, 16), -EAGAIN);
	where.named = true;
	view_draw(&v, &t);
	e.attr = attr;
	e.len = t.len;
	ck_assert_int_eq(place(&x, &where, &to, 16), -ECANCELED); /* twice */
	ck_assert_int_eq(take(&x, &e), FAILED);
	e.attr.type = DONE;
	ck_assert_int_eq(take(&x, &e), FAILED);
	free(rgb);
	picture_close(&p);
	view_close(&v);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tiles");
	TCase *tc = tcase_create("images");
	int fd = mkstemp(path), failed;

	close(fd);
	tcase_add_loop_test(tc, ppm_of_every_depth, 0, 5);
	tcase_add_test(tc, ppm_that_is_none);
	tcase_add_loop_test(tc, png_of_every_kind, 0, 3);
	tcase_add_test(tc, png_spoilt);
	tcase_add_loop_test(tc, png_too_large, 0, 2);
	tcase_add_test(tc, no_file);
	suite_add_tcase(suite, tc);
	tc = tcase_create("pictures");
	tcase_add_loop_test(tc, cut_and_drawn, 0, SIZES);
	tcase_add_test(tc, overtaking);
	tcase_add_test(tc, sizes_that_none_has);
	tcase_add_test(tc, tiles_that_are_none);
	suite_add_tcase(suite, tc);
	failed = run_tests(srunner_create(suite));
	unlink(path);
	return failed;
}

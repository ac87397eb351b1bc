/* Images: PNG by libpng, PPM by our own few lines. A file may hold anything: its size is looked at before there is
 * memory for it. */
#include "adu-examples/tiles/tiles.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status make(struct image *i, const char *name, uint32_t width, uint32_t height)
{
	if (!width || !height)
		return complain(UNREADABLE, "%s: it has no pixels", name);
	if (width > SIDE_MAX || height > SIDE_MAX || (uint64_t)width * height > PIXELS_MAX)
		return complain(UNREADABLE, "%s: %u by %u pixels: more than %u in a side, or %u in all, are refused: "
			"make it smaller", name, width, height, SIDE_MAX, PIXELS_MAX);
	*i = (struct image){ width, height, malloc((size_t)width * height * PIXEL) };
	return i->rgb ? OK : complain(FAILED, "%s", strerror(ENOMEM));
}

static enum status read_png(FILE *f, const char *name, struct image *i)
{
	png_image png = { .version = PNG_IMAGE_VERSION };
	const png_color white = { 255, 255, 255 };
	enum status s = OK;
	bool read = png_image_begin_read_from_stdio(&png, f);

	if (read)
		s = make(i, name, png.width, png.height);
	png.format = PNG_FORMAT_RGB;
	if (read && s == OK)
		read = png_image_finish_read(&png, &white, i->rgb, 0, NULL);
	if (!read)
		s = complain(UNREADABLE, "%s: a PNG that cannot be read: %s", name, png.message);
	png_image_free(&png);
	return s;
}

/* White space, comments, then a number; -1: there is none, or it is too large. */
static int32_t number(FILE *f)
{
	int32_t n = 0;
	int c = getc(f);

	while (c == '#' || c == ' ' || (c >= '\t' && c <= '\r')) {
		for (bool comment = c == '#'; comment; comment = c != '\n' && c != '\r' && c != EOF)
			c = getc(f);
		c = getc(f);
	}
	if (c < '0' || c > '9')
		return -1;
	for (; c >= '0' && c <= '9'; c = getc(f)) {
		n = n * 10 + c - '0';
		if (n > 99999999)
			return -1;
	}
	ungetc(c, f);
	return n;
}

/* netpbm's ppm(5), raw: samples are of two bytes where the largest is more than 255. */
static enum status read_ppm(FILE *f, const char *name, struct image *i)
{
	int32_t width = number(f), height = number(f), most = number(f);
	const bool wide = most > 255;
	enum status s;

	if (width < 0 || height < 0 || most < 1 || most > 65535 || getc(f) == EOF)
		return complain(UNREADABLE, "%s: no PPM: expected 'P6', width, height, the largest sample, 1 to 65535",
			name);
	s = make(i, name, (uint32_t)width, (uint32_t)height);
	for (size_t k = 0, n = (size_t)i->width * i->height * PIXEL; s == OK && k < n; k++) {
		int c = getc(f), low = wide ? getc(f) : 0;
		if (c == EOF || low == EOF)
			return complain(UNREADABLE, "%s: it ends before its pixels do", name);
		int32_t sample = wide ? c << 8 | low : c;
		i->rgb[k] = (uint8_t)((sample < most ? sample * 255 + most / 2 : most * 255) / most);
	}
	return s;
}

enum status image_read(const char *file, struct image *i)
{
	/* Not to hang on a FIFO that nobody writes. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
	uint8_t magic[8];
	struct stat st;
	enum status s;
	size_t n;

	*i = (struct image){ .rgb = NULL };
	if (!f || fstat(fd, &st)) {
		s = complain(UNREADABLE, "%s: %s", file, strerror(errno));
		if (f)
			fclose(f);
		return s;
	}
	n = S_ISREG(st.st_mode) ? fread(magic, 1, sizeof magic, f) : 0;
	if (!S_ISREG(st.st_mode)) {
		s = complain(UNREADABLE, "%s: not a regular file", file);
	} else if (n == sizeof magic && !png_sig_cmp(magic, 0, n)) {
		rewind(f);
		s = read_png(f, file, i);
	} else if (n >= 2 && magic[0] == 'P' && magic[1] == '6') {
		fseek(f, 2, SEEK_SET);
		s = read_ppm(f, file, i);
	} else {
		s = complain(UNREADABLE, "%s: neither PNG nor raw PPM (P6)", file);
	}
	fclose(f);
	if (s != OK) {
		free(i->rgb);
		i->rgb = NULL;
	}
	return s;
}

/* Mandelbrot's set near its seahorses: fine where one looks closely, and plain elsewhere. */
#define PAINTED_WIDTH 512U
#define PAINTED_HEIGHT 384U
#define ROUNDS 300

/* How soon it leaves, smoothed; 0: never. */
static double escape(double cx, double cy)
{
	double x = 0, y = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double xx = x * x - y * y + cx;
		y = 2 * x * y + cy;
		x = xx;
		if (x * x + y * y > 256)
			return i + 1 - log2(log2(x * x + y * y) / 8);
	}
	return 0;
}

enum status image_paint(struct image *i)
{
	enum status s;
	uint8_t *to;

	i->rgb = NULL;
	s = make(i, "picture", PAINTED_WIDTH, PAINTED_HEIGHT);
	to = i->rgb;
	if (!i->rgb)
		return s;
	for (uint32_t y = 0; y < i->height; y++)
		for (uint32_t x = 0; x < i->width; x++) {
			double e = escape(-0.7463 + (x / 512.0 - 0.5) * 0.012, 0.1102 + (y / 512.0 - 0.375) * 0.012);
			for (int k = 0; k < PIXEL; k++)
				*to++ = (uint8_t)(e == 0 ? 0 : 127.5 - 127.5 * cos(0.11 * e + 0.6 + k * 0.55));
		}
	return OK;
}

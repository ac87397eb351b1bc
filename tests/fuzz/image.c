/* Images that tiles reads (adu-examples/tiles/image.c), PPM and, by libpng, PNG: whatever the file is, it is an image
 * within bounds, which written and read again is the same one, or it is refused with one complaint, and leaves nothing
 * behind. */
/* An example is a program: its functions are in no library. */
#include "adu-examples/tiles/image.c" // NOLINT(bugprone-suspicious-include)

#include "tests/fuzz/fuzz.h"

#include <stdarg.h>
#include <sys/mman.h>

static char said[512];
static unsigned complaints;

enum status complain(enum status status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	must(vsnprintf(said, sizeof said, format, ap) < (int)sizeof said);
	va_end(ap);
	complaints++;
	return status;
}

/* A file without a disk. */
static enum status read_bytes(const void *head, size_t head_len, const void *bytes, size_t len, struct image *i)
{
	char path[64];
	int fd = memfd_create("image", MFD_CLOEXEC);
	enum status s;

	must(fd >= 0 && write(fd, head, head_len) == (ssize_t)head_len && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	complaints = 0;
	s = image_read(path, i);
	close(fd);
	return s;
}

static void read_again(const struct image *i)
{
	const size_t len = (size_t)i->width * i->height * PIXEL;
	struct image again;
	char head[64];
	const int head_len = snprintf(head, sizeof head, "P6\n%u %u\n255\n", i->width, i->height);

	must(read_bytes(head, (size_t)head_len, i->rgb, len, &again) == OK);
	must(again.width == i->width && again.height == i->height && !memcmp(again.rgb, i->rgb, len));
	free(again.rgb);
	must(read_bytes(head, (size_t)head_len, i->rgb, len - 1, &again) == UNREADABLE && !again.rgb);
	must(strstr(said, "it ends before its pixels do"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct image i;
	enum status s = read_bytes("", 0, data, len, &i);

	if (s != OK) {
		must(s == UNREADABLE && complaints == 1 && !i.rgb);
		return 0;
	}
	must(!complaints && i.rgb && i.width && i.height && i.width <= SIDE_MAX && i.height <= SIDE_MAX);
	must((uint64_t)i.width * i.height <= PIXELS_MAX);
	read_again(&i);
	free(i.rgb);
	return 0;
}

/* Who sees what is drawn: a directory of frames, PPM, at a bounded rate; and who asks by HTTP (web.c). */
#include "adu-examples/tiles/tiles.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GAP 8 /* pixels between views */

enum status screen_open(struct screen *s, const struct options *o, struct view *view, unsigned n)
{
	*s = (struct screen){ .o = o, .view = view, .n = n };
	if (o->frames && mkdir(o->frames, 0777) && errno != EEXIST)
		return complain(UNWRITABLE, "%s: %s", o->frames, strerror(errno));
	return o->serve ? web_open(&s->web, &o->http, view, n) : OK;
}

void screen_close(struct screen *s)
{
	web_close(s->web);
	s->web = NULL;
}

static bool write_pixels(const struct screen *s, FILE *f)
{
	static const uint8_t gap[GAP * PIXEL];
	const struct picture *p = &s->view[0].picture;

	fprintf(f, "P6\n%u %u\n255\n", s->n * p->width + (s->n - 1) * GAP, p->height);
	for (uint32_t y = 0; y < p->height; y++)
		for (unsigned i = 0; i < s->n; i++) {
			fwrite(s->view[i].frame + (size_t)y * p->width * PIXEL, PIXEL, p->width, f);
			if (i + 1 < s->n)
				fwrite(gap, 1, sizeof gap, f);
		}
	return !ferror(f);
}

static enum status write_frame(struct screen *s, uint64_t now_us)
{
	char name[PATH_MAX], part[PATH_MAX];
	bool good;
	FILE *f;

	snprintf(name, sizeof name, "%s/frame-%05u-%07ums.ppm", s->o->frames, s->frames,
		(unsigned)((now_us - s->start_us) / 1000));
	if (snprintf(part, sizeof part, "%s/.frame.part", s->o->frames) >= (int)sizeof part)
		return complain(UNWRITABLE, "%s: %s", s->o->frames, strerror(ENAMETOOLONG));
	f = fopen(part, "wbe");
	good = f && write_pixels(s, f);
	if (f && fclose(f))
		good = false;
	if (!good || rename(part, name)) /* nobody sees half of one */
		return complain(UNWRITABLE, "%s: %s", name, strerror(errno));
	s->frames++;
	return OK;
}

/* All views have the same size; those that have none yet are waited for. */
static bool is_open(const struct screen *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!view_is_open(&s->view[i]))
			return false;
	return true;
}

static uint32_t drawn(const struct screen *s)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += s->view[i].drawn;
	return n;
}

enum status screen_turn(struct screen *s, bool last)
{
	uint64_t now_us = now_tcpu();

	if (s->web)
		web_turn(s->web, last);
	if (!s->o->frames || !is_open(s) || (!last && (drawn(s) == s->seen || now_us < s->due_us)))
		return OK;
	if (!s->start_us)
		s->start_us = s->view[0].start_us;
	s->seen = drawn(s);
	s->due_us = now_us + s->o->every_ms * 1000ULL;
	return write_frame(s, now_us);
}

int screen_fd(const struct screen *s)
{
	return s->web ? web_fd(s->web) : -1;
}

int screen_timeout(const struct screen *s)
{
	uint64_t now_us = now_tcpu();

	if (!s->o->frames || !is_open(s) || drawn(s) == s->seen)
		return -1;
	return s->due_us <= now_us ? 0 : (int)((s->due_us - now_us + 999) / 1000);
}

void screen_stay(struct screen *s)
{
	struct pollfd p = { .fd = screen_fd(s), .events = POLLIN };

	if (s->web)
		complain(OK, "all is there; the page is served until you interrupt");
	while (s->web && !interrupted) {
		poll(&p, 1, 1000); /* connections also end by time */
		web_turn(s->web, true);
	}
}

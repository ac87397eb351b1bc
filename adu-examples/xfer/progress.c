/* What the user sees. */
#include "adu-examples/xfer/xfer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 40
#define REDRAW_NS 100000000

enum status complain(enum status status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("xfer: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double seconds(const struct progress *p)
{
	return (double)(now_ns() - p->start_ns) / 1e9;
}

static void draw(struct progress *p)
{
	int full = p->size ? (int)((double)p->done / (double)p->size * WIDTH) : WIDTH;

	fprintf(stderr, "\r%s %s [%-*.*s] %3d%% %7.1f MB/s ", p->verb, p->name, WIDTH, full,
		"########################################", full * 100 / WIDTH, (double)p->done / 1e6 / seconds(p));
	fflush(stderr);
}

void progress_begin(struct progress *p, const char *verb, const char *name, uint64_t size)
{
	*p = (struct progress){ .verb = verb, .name = name, .size = size, .start_ns = now_ns(), .bar = isatty(2) };
}

void progress_add(struct progress *p, size_t bytes)
{
	p->done += bytes;
	p->adus++;
	if (p->bar && now_ns() - p->drawn_ns > REDRAW_NS) {
		draw(p);
		p->drawn_ns = now_ns();
	}
}

void progress_end(struct progress *p, const struct peer *peer, bool whole)
{
	struct tcpu_info info = { 0 };
	double s = seconds(p), direct;

	if (p->bar && p->drawn_ns)
		fputs("\r\033[K", stderr);
	if (!whole)
		return;
	info_tcpu(peer->fd, &info);
	direct = info.received_bytes ? (double)info.direct_bytes / (double)info.received_bytes : 0;
	if (peer->options->json) {
		printf("{\"role\": \"%s\", \"bytes\": %" PRIu64 ", \"seconds\": %.6f, \"bytes_per_second\": %.0f, "
		       "\"adus\": %" PRIu64 ", \"chain\": \"%s\", \"schedule\": \"%s\", \"direct_share\": %.4f, "
		       "\"segments_out\": %" PRIu64 ", \"segments_in\": %" PRIu64 ", \"retransmits\": %" PRIu64 "}\n",
		       peer->options->receive ? "recv" : "send", p->done, s, (double)p->done / s, p->adus, peer->options->chain,
		       ilp_schedule_name(peer->options->schedule), direct, info.segments_out, info.segments_in,
		       info.retransmits);
		fflush(stdout);
	} else {
		fprintf(stderr, "%s %s: %" PRIu64 " bytes in %.3f s, %.1f MB/s, %" PRIu64 " ADUs through %s, %s\n", p->verb,
			p->name, p->done, s, (double)p->done / 1e6 / s, p->adus, peer->options->chain,
			ilp_schedule_name(peer->options->schedule));
	}
}

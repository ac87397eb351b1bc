/* What the user sees. */
#include "adu-examples/xfer/xfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 40
#define REDRAW_NS 100000000

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
	/* A peer says how much there is to come. */
	int full = p->done < p->size ? (int)((double)p->done / (double)p->size * WIDTH) : WIDTH;

	fprintf(stderr, "\r%s %s [%-*.*s] %3d%% %7.1f MB/s ", p->verb, shown(p->name), WIDTH, full,
		"########################################", full * 100 / WIDTH, (double)p->done / 1e6 / seconds(p));
	fflush(stderr);
}

void progress_begin(struct progress *p, const char *verb, const char *name, uint64_t size)
{
	*p = (struct progress){ .verb = verb, .name = name, .size = size, .start_ns = now_ns(), .bar = isatty(2) };
}

void progress_add(struct progress *p, uint64_t bytes)
{
	p->done += bytes;
	if (p->bar && now_ns() - p->drawn_ns > REDRAW_NS) {
		draw(p);
		p->drawn_ns = now_ns();
	}
}

void progress_end(struct progress *p, const struct peer *peer, bool whole)
{
	struct tcpu_info info = { 0 };
	struct alf_stats stats;
	double s = seconds(p), rate = (double)(p->done - p->resumed) / s, direct;

	if (p->bar && p->drawn_ns)
		fputs("\r\033[K", stderr);
	if (!whole)
		return;
	info_tcpu(peer->fd, &info);
	alf_stats(peer->alf, &stats);
	direct = info.received_bytes ? (double)info.direct_bytes / (double)info.received_bytes : 0;
	if (peer->options->json) {
		printf("{\"role\": \"%s\", \"bytes\": %" PRIu64 ", \"seconds\": %.6f, \"bytes_per_second\": %.0f, ",
		       peer->options->receive ? "recv" : "send", p->done, s, rate);
		printf("\"resumed_bytes\": %" PRIu64 ", \"files\": %" PRIu64 ", \"adus\": %" PRIu64 ", ", p->resumed,
		       p->files, p->adus);
		printf("\"chain\": \"%s\", \"schedule\": \"%s\", \"direct_share\": %.4f, ", peer->options->chain,
		       peer->options->profile.schedule, direct);
		printf("\"segments_out\": %" PRIu64 ", \"segments_in\": %" PRIu64 ", \"regenerated\": %" PRIu64 ", "
		       "\"retransmits\": %" PRIu64 "}\n", info.segments_out, info.segments_in, stats.regenerated,
		       info.retransmits);
		fflush(stdout);
	} else {
		fprintf(stderr, "%s %s: %" PRIu64 " bytes in %.3f s, %.1f MB/s, %" PRIu64 " ADUs through %s, %s",
			p->verb, shown(p->name), p->done, s, rate / 1e6, p->adus, peer->options->chain,
			peer->options->profile.schedule);
		fprintf(stderr, p->resumed ? "; %" PRIu64 " bytes were there\n" : "\n", p->resumed);
	}
}

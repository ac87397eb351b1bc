/* What the user sees. */
#include "adu-examples/xfer/xfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 40
#define REDRAW_NS 100000000
#define LOOK_NS 10000000

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

void progress_begin(struct progress *p, const struct peer *peer, const char *verb, const char *name, uint64_t size)
{
	*p = (struct progress){ .peer = peer, .verb = verb, .name = name, .size = size, .start_ns = now_ns(),
		.bar = isatty(2) };
}

/* RssAnon: memory that is no file's, so that a file that is mapped does not count. 0: nobody says. */
static uint64_t anonymous_bytes(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t kb = 0;

	while (status && fgets(line, sizeof line, status))
		if (!strncmp(line, "RssAnon:", 8))
			kb = strtoull(line + 8, NULL, 10);
	if (status)
		fclose(status);
	return kb * 1024;
}

/* The most that there was: both grow and shrink on the way. */
static void look(struct progress *p, const struct tcpu_info *info)
{
	const uint64_t anon = anonymous_bytes();

	p->sndbuf_bytes = info->sndbuf_bytes > p->sndbuf_bytes ? info->sndbuf_bytes : p->sndbuf_bytes;
	p->anon_bytes = anon > p->anon_bytes ? anon : p->anon_bytes;
}

/* Who wants to know in the end is looked after now and then. */
static void look_now_and_then(struct progress *p)
{
	struct tcpu_info info;

	if (!p->peer->options->json || now_ns() - p->looked_ns < LOOK_NS)
		return;
	p->looked_ns = now_ns();
	if (info_tcpu(p->peer->fd, &info) == 0)
		look(p, &info);
}

void progress_add(struct progress *p, uint64_t bytes)
{
	p->done += bytes;
	look_now_and_then(p);
	if (p->bar && now_ns() - p->drawn_ns > REDRAW_NS) {
		draw(p);
		p->drawn_ns = now_ns();
	}
}

void progress_end(struct progress *p, bool whole)
{
	const struct peer *peer = p->peer;
	struct tcpu_info info = { 0 };
	struct alf_stats stats;
	double s = seconds(p), rate = (double)(p->done - p->resumed) / s, direct;

	if (p->bar && p->drawn_ns)
		fputs("\r\033[K", stderr);
	if (!whole)
		return;
	info_tcpu(peer->fd, &info);
	alf_stats(peer->alf, &stats);
	look(p, &info);
	direct = info.received_bytes ? (double)info.direct_bytes / (double)info.received_bytes : 0;
	if (peer->options->json) {
		printf("{\"role\": \"%s\", \"bytes\": %" PRIu64 ", \"seconds\": %.6f, \"bytes_per_second\": %.0f, ",
		       peer->options->receive ? "recv" : "send", p->done, s, rate);
		printf("\"resumed_bytes\": %" PRIu64 ", \"files\": %" PRIu64 ", \"adus\": %" PRIu64 ", ", p->resumed,
		       p->files, p->adus);
		printf("\"chain\": \"%s\", \"schedule\": \"%s\", \"direct_share\": %.4f, ", peer->options->chain,
		       peer->options->profile.schedule, direct);
		printf("\"sndbuf_bytes\": %" PRIu64 ", \"rss_anon_peak_bytes\": %" PRIu64 ", ", p->sndbuf_bytes, p->anon_bytes);
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

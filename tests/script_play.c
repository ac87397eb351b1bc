/* Plays a script: each event at its time, and between them whatever the stack has to do. A segment that the script does
 * not expect fails it where the next one is expected, or at the end: struct script_play says which. */
#include "tests/script_world.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY_TIME_US 86400000000ULL /* how long * waits: a day */

/* ---- segments ---- */

static struct pair *pair_of(struct world *w, const struct script_event *e)
{
	const struct script_segment *s = &e->segment;
	bool in = e->kind == SCRIPT_IN;
	struct pair *p = w->current;

	if (s->src_port)
		p = in ? script_pair(w, s->dst_port, s->src_port) : script_pair(w, s->src_port, s->dst_port);
	else if (!p && in)
		p = script_pair(w, w->script->config.bind_port, 0);
	return p;
}

static void put(struct world *w, const struct pair *p, uint32_t len)
{
	const struct script_config *c = &w->script->config;

	w->in = (struct link_in){
		.src = { c->remote_ip, htons(p->remote_port) }, .dst = { c->local_ip, htons(p->local_port) },
		.segment = w->in_bytes, .len = len,
	};
	w->in_waits = true;
}

static void segment_in(struct world *w, const struct script_event *e)
{
	struct pair *p = pair_of(w, e);
	uint32_t len;

	if (!p) {
		world_fail(w, e, "too many connections");
		return;
	}
	w->current = p;
	len = script_segment_write(w, e, p, w->in_bytes);
	if (!len)
		return;
	put(w, p, len);
	w->in.ecn = (uint8_t)(e->segment.ecn == SCRIPT_ECN_ANY ? 0 : e->segment.ecn);
}

static void icmp_in(struct world *w, const struct script_event *e)
{
	if (!w->current) {
		world_fail(w, e, "no segment went out that an ICMP message could quote");
		return;
	}
	script_quote(&e->icmp, w->current, w->in_bytes);
	put(w, w->current, 8);
	w->in.error = e->icmp.error;
	w->in.path_mtu = e->icmp.mtu;
}

/* What came, and how it differs. */
static void differs(struct world *w, const struct script_event *e, const struct sent *s,
	const struct script_segment *came, const char *how)
{
	char expected[SCRIPT_LINE_MAX], line[SCRIPT_LINE_MAX];

	script_print_segment(expected, true, &e->segment);
	script_print_segment(line, true, came);
	world_fail(w, e, "%s: expected %s, came %s at %.6f", how, expected, line, world_seconds(w, s->time_us));
}

static void check_sent(struct world *w, const struct script_event *e, struct sent *s, uint64_t from_us, uint64_t to_us)
{
	uint64_t tolerance_us = w->script->config.tolerance_us;
	struct pair *p = script_pair(w, ntohs(s->src.port), ntohs(s->dst.port));
	struct script_segment came;
	char line[SCRIPT_LINE_MAX];
	const char *how;

	if (!p) {
		world_fail(w, e, "too many connections");
		return;
	}
	how = script_segment_read(w, s, p, &e->segment, &came);
	if (!how)
		how = script_compare(&e->segment, &came);
	if (!how && !e->segment.src_port && w->current && w->current != p)
		how = "another connection";
	if (!how && (s->time_us + tolerance_us < from_us || s->time_us > to_us + tolerance_us))
		how = "time";
	if (e->segment.ecn == SCRIPT_ECN_ANY)
		came.ecn = SCRIPT_ECN_ANY;
	if (!e->segment.src_port && (!w->current || w->current == p))
		came.src_port = came.dst_port = 0;
	w->current = p;
	script_print_segment(line, true, &came);
	if (w->play->verbose)
		printf("%11.6f %s\n", world_seconds(w, s->time_us), line);
	if (how && strcmp(how, "time") == 0)
		world_fail(w, e, "time: expected at %.6f~%.6f, came at %.6f: %s", world_seconds(w, from_us),
			world_seconds(w, to_us), world_seconds(w, s->time_us), line);
	else if (how)
		differs(w, e, s, &came, how);
}

static void segment_out(struct world *w, const struct script_event *e, uint64_t from_us, uint64_t to_us)
{
	char expected[SCRIPT_LINE_MAX];
	struct sent *s;

	world_advance(w, to_us + w->script->config.tolerance_us, true);
	if (*w->why)
		return;
	if (w->sent_at == w->sent_count) {
		script_print_segment(expected, true, &e->segment);
		world_fail(w, e, "expected %s at %.6f, nothing came by %.6f", expected, world_seconds(w, from_us),
			world_seconds(w, w->now_us));
		return;
	}
	s = &w->sent[w->sent_at++];
	check_sent(w, e, s, from_us, to_us);
	free(s->bytes);
	if (w->sent_at == w->sent_count)
		w->sent_at = w->sent_count = 0;
}

/* ---- assertions ---- */

static bool compare(char how, int64_t a, int64_t b)
{
	return how == '=' ? a == b : how == '!' ? a != b : how == '<' ? a < b : how == '>' ? a > b :
		how == 'l' ? a <= b : a >= b;
}

/* From *at on: a sum, up to a comparison or the next statement. */
static int64_t sum(const struct script_term **at, const struct script_term *end, const struct tcp_info *i,
	const struct tcpu_info *u)
{
	int64_t total = 0, product = 0;
	bool first = true;

	for (; *at < end && (first || strchr("*+-", (*at)->before)); (*at)++, first = false) {
		int64_t v = (*at)->field ? (*at)->field->get(i, u) : (*at)->number;

		if (!first && (*at)->before == '*') {
			product *= v;
		} else {
			total += product;
			product = !first && (*at)->before == '-' ? -v : v;
		}
	}
	return total + product;
}

static void assertion(struct world *w, const struct script_event *e)
{
	const struct script_term *at = w->script->terms + e->terms.first, *end = at + e->terms.count;
	socklen_t len = sizeof(struct tcp_info);
	struct tcp_info i = { 0 };
	struct tcpu_info u;

	if (w->info_fd < 0 || info_tcpu(w->info_fd, &u)) {
		world_fail(w, e, "no connection to ask");
		return;
	}
	getsockopt_tcpu(w->info_fd, IPPROTO_TCP, TCP_INFO, &i, &len);
	while (at < end) {
		const struct script_term *left = at;
		int64_t a = sum(&at, end, &i, &u), b;
		char how = at->before;

		b = sum(&at, end, &i, &u);
		if (!compare(how, a, b))
			world_fail(w, e, "%s: %lld %s %lld is not so", left->field ? left->field->name : "assert", (long long)a,
				how == '=' ? "==" : how == '!' ? "!=" : how == '<' ? "<" : how == '>' ? ">" : how == 'l' ? "<=" : ">=",
				(long long)b);
	}
}

/* ---- events ---- */

/* Goes on until the event's time. */
static void wait_for(struct world *w, const struct script_event *e, uint64_t from_us)
{
	if (from_us + w->script->config.tolerance_us < w->now_us) {
		world_fail(w, e, "its time was %.6f, and it is %.6f", world_seconds(w, from_us), world_seconds(w, w->now_us));
		return;
	}
	world_advance(w, from_us > w->now_us ? from_us : w->now_us, false);
	if (w->call && e->kind == SCRIPT_CALL)
		world_fail(w, e, "%.*s of line %u has not returned", (int)w->call->call.name.len, w->call->call.name.at,
			w->call->line);
}

static void play_event(struct world *w, const struct script_event *e)
{
	uint64_t base_us = e->when.kind == SCRIPT_AT ? w->start_us : w->now_us;
	uint64_t from_us = base_us + e->when.from_us;
	uint64_t to_us = e->when.kind == SCRIPT_ANY ? w->now_us + ANY_TIME_US : base_us + e->when.to_us;
	char line[SCRIPT_LINE_MAX];

	if (e->kind == SCRIPT_OUT) {
		segment_out(w, e, from_us, to_us);
		return;
	}
	wait_for(w, e, from_us);
	if (*w->why)
		return;
	script_print_event(line, e);
	if (w->play->verbose)
		printf("%11.6f %s\n", world_seconds(w, w->now_us), line);
	if (e->kind == SCRIPT_IN)
		segment_in(w, e);
	if (e->kind == SCRIPT_ICMP)
		icmp_in(w, e);
	if (e->kind == SCRIPT_ASSERT)
		assertion(w, e);
	if (e->kind == SCRIPT_CALL) {
		if (e->call.blocks)
			w->call_end_us = base_us + e->call.end_us;
		world_call(w, e);
	}
	if (!*w->why)
		world_advance(w, w->now_us, false);
}

static void not_expected(struct world *w, const struct script_event *last)
{
	const struct sent *s = &w->sent[w->sent_at];
	struct pair *p = script_pair(w, ntohs(s->src.port), ntohs(s->dst.port));
	struct script_segment came, nothing = { 0 };
	char line[SCRIPT_LINE_MAX] = "one of too many connections";

	if (p) {
		script_segment_read(w, s, p, &nothing, &came);
		script_print_segment(line, true, &came);
	}
	world_fail(w, last, "no line expects what came before: %s at %.6f", line, world_seconds(w, s->time_us));
}

int script_play(const struct script *s, const struct script_play *play, char why[1000])
{
	struct world *w = malloc(sizeof *w);
	unsigned before = 0; /* segments that had come when the last event began */

	*why = 0;
	if (!w) {
		snprintf(why, 1000, "no memory");
		return -1;
	}
	if (!world_open(w, s, play, why)) {
		free(w);
		return -1;
	}
	for (uint32_t i = 0; i < s->event_count && !*why; i++) {
		before = w->sent_count - w->sent_at;
		play_event(w, &s->events[i]);
	}
	if (!*why && w->call)
		world_advance(w, w->call_end_us + s->config.tolerance_us + 1, false);
	if (!*why && !play->open_end && before && w->sent_at < w->sent_count)
		not_expected(w, &s->events[s->event_count - 1]);
	world_close(w);
	free(w);
	return *why ? -1 : 0;
}

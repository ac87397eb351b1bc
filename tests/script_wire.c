/* Segments to and from bytes. A script counts sequence numbers from each end's SYN, whose own number is as it is
 * written where the script sends it; timestamps of the stack's from the first that it has sent. */
#include "tests/script_world.h"

#include "core/cksum.h"

#include <arpa/inet.h>
#include <string.h>

#define HEADER 20
#define FIRST_REMOTE_PORT 40000

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

struct pair *script_pair(struct world *w, uint16_t local_port, uint16_t remote_port)
{
	struct pair *p = w->pairs, *end = p + w->pair_count;

	while (p < end && (p->local_port != local_port || (remote_port && p->remote_port != remote_port)))
		p++;
	if (p < end && remote_port)
		return p;
	if (w->pair_count == WORLD_PAIRS)
		return NULL;
	p = end;
	*p = (struct pair){ .local_port = local_port };
	p->remote_port = remote_port ? remote_port : (uint16_t)(FIRST_REMOTE_PORT + w->pair_count);
	w->pair_count++;
	return p;
}

/* The place of an option of that kind, if its length is right; NULL: there is none. */
static uint8_t *find_option(uint8_t *o, size_t len, uint8_t kind, uint8_t option_len)
{
	for (size_t i = 0; i < len && o[i];) {
		if (o[i] == 1) {
			i++;
			continue;
		}
		if (len - i < 2 || o[i + 1] < 2 || o[i + 1] > len - i)
			return NULL;
		if (o[i] == kind && (o[i + 1] == option_len || (!option_len && o[i + 1] % 8 == 2)))
			return o + i;
		i += o[i + 1];
	}
	return NULL;
}

/* Numbers in SACK blocks become others. */
static void shift_sack(uint8_t *options, size_t len, uint32_t by)
{
	uint8_t *sack = find_option(options, len, 5, 0);

	if (sack)
		for (unsigned i = 2; i < sack[1]; i += 4)
			put32(sack + i, get32(sack + i) + by);
}

/* ---- in ---- */

/* The echo of what the script calls the stack's timestamp. */
static bool echo(struct world *w, const struct script_event *e, const struct pair *p, uint8_t *ts)
{
	uint32_t script = get32(ts + 6);

	for (unsigned i = p->stamp_count; i > 0 && i + WORLD_STAMPS > p->stamp_count; i--)
		if (p->stamps[(i - 1) % WORLD_STAMPS].script == script) {
			put32(ts + 6, p->stamps[(i - 1) % WORLD_STAMPS].live);
			return true;
		}
	if (!w->script->config.ts_ecr_scaled)
		return world_fail(w, e, "ecr %u: no segment of ours had this timestamp (see --tcp_ts_ecr_scaled)", script);
	if (p->stamped)
		put32(ts + 6, p->live_stamp + (script - p->script_stamp));
	return true;
}

/* A SYN of the script's tells where its numbers begin, as long as the stack has not answered another; one that
 * acknowledges what is not our SYN is an old one. */
static bool may_begin(const struct pair *p, const struct script_segment *s)
{
	if (p->local_known && s->flags & SCRIPT_ACK && s->ack != p->script_isn + 1)
		return false;
	return !p->remote_known || !p->local_known;
}

uint32_t script_segment_write(struct world *w, const struct script_event *e, struct pair *p, uint8_t bytes[65536])
{
	const struct script_segment *s = &e->segment;
	uint32_t header = HEADER + s->options_len, len = header + s->len, ack = s->ack;
	uint8_t *options = bytes + HEADER, *ts;
	bool syn = s->flags & SCRIPT_SYN;
	uint16_t sum;

	if (syn && may_begin(p, s)) {
		p->remote_isn = s->seq;
		p->remote_known = true;
	}
	p->fresh |= (s->flags & SCRIPT_RST) != 0;
	ack += p->local_isn - (syn ? p->script_isn : 0);
	memset(bytes, 0, HEADER);
	put16(bytes, p->remote_port);
	put16(bytes + 2, p->local_port);
	put32(bytes + 4, syn ? s->seq : s->seq + p->remote_isn);
	put32(bytes + 8, s->flags & SCRIPT_ACK || s->ack ? ack : 0);
	bytes[12] = (uint8_t)(header / 4 << 4);
	bytes[13] = s->flags;
	put16(bytes + 14, (uint16_t)s->window);
	put16(bytes + 18, s->urgent);
	memcpy(options, s->options, s->options_len);
	shift_sack(options, s->options_len, p->local_isn);
	ts = find_option(options, s->options_len, 8, 10);
	if (ts && s->flags & SCRIPT_ACK && !echo(w, e, p, ts))
		return 0;
	for (uint32_t i = 0; i < s->len; i++)
		bytes[header + i] = script_byte((uint32_t)(syn ? i : s->seq - 1 + i));
	sum = tcpu_sum_fold((uint64_t)tcpu_sum_pseudo(w->script->config.remote_ip, w->script->config.local_ip, len) +
		tcpu_sum(bytes, len));
	sum = (uint16_t)~sum;
	memcpy(bytes + 16, &sum, 2);
	return len;
}

void script_quote(const struct script_icmp *i, const struct pair *p, uint8_t bytes[8])
{
	put16(bytes, p->local_port);
	put16(bytes + 2, p->remote_port);
	put32(bytes + 4, i->seq + p->local_isn);
}

/* ---- out ---- */

/* A SYN of ours tells where its numbers begin: the first one, or one of a connection that begins anew. */
static void learn(struct world *w, struct pair *p, const struct script_segment *s, uint32_t expected_seq)
{
	bool first = !p->local_known || p->fresh;

	if (s->flags & SCRIPT_ACK)
		first |= !p->remote_known || s->ack - 1 != p->remote_isn;
	else
		first |= w->connecting;
	if (s->flags & SCRIPT_ACK && first) {
		p->remote_isn = s->ack - 1;
		p->remote_known = true;
	}
	if (first) {
		p->local_isn = s->seq;
		p->script_isn = expected_seq;
		p->local_known = true;
		p->fresh = p->stamped = false;
		p->stamp_count = 0;
	}
	w->connecting = false;
}

/* A timestamp of the stack's becomes what the script calls it, which it may later echo. */
static void map_stamp(struct world *w, struct pair *p, const struct script_segment *expected, struct script_segment *s)
{
	uint8_t copy[SCRIPT_OPTIONS_MAX], *theirs, *ours = find_option(s->options, s->options_len, 8, 10);
	uint32_t script, live, delta, tick_us = (uint32_t)w->script->config.ts_tick_us;

	memcpy(copy, expected->options, expected->options_len);
	theirs = find_option(copy, expected->options_len, 8, 10);
	if (!ours || !theirs)
		return;
	script = get32(theirs + 2);
	live = get32(ours + 2);
	if (!p->stamped) {
		p->stamped = true;
		p->script_stamp = script;
		p->live_stamp = live;
	}
	p->stamps[p->stamp_count % WORLD_STAMPS].script = script;
	p->stamps[p->stamp_count++ % WORLD_STAMPS].live = live;
	live += p->script_stamp - p->live_stamp;
	delta = live - script < script - live ? live - script : script - live;
	put32(ours + 2, (uint64_t)delta * tick_us <= w->script->config.tolerance_us ? script : live);
}

bool script_data_is_right(const uint8_t *data, size_t len, uint64_t offset)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != script_byte(offset + i))
			return false;
	return true;
}

const char *script_segment_read(struct world *w, const struct sent *from, struct pair *p,
	const struct script_segment *expected, struct script_segment *s)
{
	const uint8_t *b = from->bytes;
	uint32_t header = from->len < HEADER ? 0 : (b[12] >> 4) * 4U;
	uint16_t sum;

	*s = (struct script_segment){
		.ecn = from->ecn, .src_port = ntohs(from->src.port), .dst_port = ntohs(from->dst.port)
	};
	if (header < HEADER || header > from->len)
		return "a header of a wrong length";
	s->seq = get32(b + 4);
	s->ack = get32(b + 8);
	s->flags = b[13];
	s->window = b[14] << 8 | b[15];
	s->urgent = (uint16_t)(b[18] << 8 | b[19]);
	s->len = from->len - header;
	s->options_len = (uint8_t)(header - HEADER);
	memcpy(s->options, b + HEADER, s->options_len);
	sum = tcpu_sum_fold((uint64_t)tcpu_sum_pseudo(from->src.ip, from->dst.ip, from->len) + tcpu_sum(b, from->len));
	if (s->flags & SCRIPT_SYN)
		learn(w, p, s, expected->seq);
	p->fresh |= (s->flags & SCRIPT_RST) != 0;
	s->seq -= p->local_isn - (s->flags & SCRIPT_SYN ? p->script_isn : 0);
	if (s->flags & SCRIPT_ACK)
		s->ack -= s->flags & SCRIPT_SYN ? 0 : p->remote_isn;
	shift_sack(s->options, s->options_len, -p->remote_isn);
	map_stamp(w, p, expected, s);
	if (sum != 0xffff)
		return "a wrong checksum";
	if (b[12] & 15)
		return "reserved bits";
	if (memcmp(b, &from->src.port, 2) || memcmp(b + 2, &from->dst.port, 2) ||
		from->src.ip != w->script->config.local_ip || from->dst.ip != w->script->config.remote_ip)
		return "wrong addresses";
	if (!script_data_is_right(b + header, s->len, s->flags & SCRIPT_SYN ? 0 : s->seq - 1))
		return "wrong data";
	return NULL;
}

const char *script_compare(const struct script_segment *x, const struct script_segment *s)
{
	if (x->src_port && (x->src_port != s->src_port || x->dst_port != s->dst_port))
		return "ports";
	if (x->flags != s->flags)
		return "flags";
	if (x->seq != s->seq)
		return "sequence number";
	if (x->len != s->len)
		return "length";
	if (x->ack != s->ack)
		return "ack";
	if (x->window >= 0 && x->window != s->window)
		return "win";
	if (x->urgent != s->urgent)
		return "urg";
	if (x->ecn == SCRIPT_ECT01 ? s->ecn != 1 && s->ecn != 2 : x->ecn != SCRIPT_ECN_ANY && x->ecn != s->ecn)
		return "ECN field";
	if (!x->options_any && (x->options_len != s->options_len || memcmp(x->options, s->options, s->options_len)))
		return "options";
	return NULL;
}

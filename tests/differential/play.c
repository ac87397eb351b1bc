#include "tests/differential/play.h"

#include "core/seq.h"
#include "tests/differential/difference.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ISS_UNKNOWN 5000 /* stands for the ISN of a side that has not told it */
#define TS_FIRST 100000  /* the script's clock */
#define TS_STEP 10
#define READ_MAX 8000

struct play {
	struct side *side[SIDES];
	struct setting setting;
	struct view view[SIDES];
	enum tcpu_state state[SIDES];
	struct outcome outcome[SIDES];
	uint32_t tsval;
	uint64_t read[SIDES]; /* bytes of the script's stream */
	struct tally *tally;
	struct transcript *transcript;
};

static __attribute__((format(printf, 2, 3))) void tell(struct transcript *t, const char *format, ...)
{
	va_list arguments;
	size_t left = sizeof t->text - t->len;
	int n;

	va_start(arguments, format);
	n = vsnprintf(t->text + t->len, left, format, arguments);
	va_end(arguments);
	t->len += n < 0 ? 0 : (size_t)n < left ? (size_t)n : left - 1;
}

/* ---- a segment of the script's ---- */

static void put_option(struct packet *p, uint8_t kind, uint8_t len, const uint32_t *word, unsigned words)
{
	uint8_t *o = p->options + p->options_len;

	if (p->options_len + 2 + 4 * words > sizeof p->options)
		return;
	*o++ = kind;
	*o++ = len;
	for (unsigned i = 0; i < words; i++)
		for (int shift = 24; shift >= 0; shift -= 8)
			*o++ = (uint8_t)(word[i] >> shift);
	p->options_len += 2 + 4 * words;
}

static void put_bytes(struct packet *p, const uint8_t *bytes, uint32_t len)
{
	if (p->options_len + len > sizeof p->options)
		return;
	memcpy(p->options + p->options_len, bytes, len);
	p->options_len += len;
}
#define PUT(p, ...) put_bytes((p), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* What a peer would not send. */
static void put_strange(struct packet *p, const struct step *s)
{
	if (s->options & OPT_UNKNOWN)
		PUT(p, 253, 4, 1, 2, 77, 6, 1, 2, 3, 4, 1, 1);
	if (s->options & OPT_WRONG_LENGTHS)
		PUT(p, 2, 3, 9, 3, 4, 9, 9, 4, 3, 9, 8, 6, 1, 2, 3, 4);
	if (s->options & OPT_LENGTH_0)
		PUT(p, 253, 0, 1, 1);
	if (s->options & OPT_LENGTH_1)
		PUT(p, 253, 1, 1, 1);
	if (s->options & OPT_LENGTH_OVER)
		PUT(p, 253, 40, 1, 1);
}

static void put_options(const struct play *g, const struct view *v, const struct step *s, struct packet *p)
{
	bool syn = s->flags & PF_SYN;
	uint32_t ts[2] = { g->tsval - (s->options & OPT_TS_OLD ? 1000000 : 0), v->tsval };
	uint32_t sack[2] = { v->una + s->sack[0], v->una + s->sack[1] };

	if (s->options & OPT_END_FIRST)
		PUT(p, 0, 0, 0, 0);
	if (s->options & OPT_MSS)
		PUT(p, 2, 4, (uint8_t)(s->mss >> 8), (uint8_t)s->mss);
	if (s->options & OPT_SACK_OK)
		PUT(p, 4, 2);
	if (s->options & OPT_TS_UNASKED || (s->options & OPT_TS && (syn || (v->timestamps && v->peer_timestamps)))) {
		if (!(s->options & OPT_SACK_OK))
			PUT(p, 1, 1);
		p->timestamps = !(s->options & OPT_END_FIRST);
		p->tsval = ts[0];
		p->tsecr = s->flags & PF_ACK ? ts[1] : 0;
		put_option(p, 8, 10, (uint32_t[]){ p->tsval, p->tsecr }, 2);
	}
	if (s->options & OPT_SCALE)
		PUT(p, 1, 3, 3, s->scale);
	if (s->options & OPT_SACK) {
		PUT(p, 1, 1);
		p->sacks = 1;
		p->sack[0][0] = sack[0];
		p->sack[0][1] = sack[1];
		put_option(p, 5, 10, sack, 2);
	}
	put_strange(p, s);
}

/* The stream of the script begins behind its ISN; a SYN's data stands there as well. */
static uint8_t script_byte(const struct play *g, uint32_t seq)
{
	return side_byte((uint64_t)(seq - g->setting.isn - 1) + (1U << 20));
}

static void build(const struct play *g, const struct view *v, const struct step *s, struct packet *p)
{
	uint32_t seq[] = { v->next, g->setting.isn, v->edge }, ack[] = { v->max, v->una, v->iss };

	*p = (struct packet){ .src_ip = SIDE_REMOTE_IP, .dst_ip = SIDE_LOCAL_IP, .src_port = g->setting.remote_port,
		.dst_port = g->setting.local_port, .scale = -1, .flags = s->flags, .window = s->window, .urgent = s->urgent,
		.good = !s->bad_sum };
	p->seq = seq[s->seq] + (uint32_t)s->seq_off;
	if (s->flags & PF_ACK)
		p->ack = ack[s->ack] + (uint32_t)s->ack_off;
	put_options(g, v, s, p);
	p->len = s->len < PACKET_DATA_MAX ? s->len : PACKET_DATA_MAX;
	for (uint32_t i = 0; i < p->len; i++)
		p->data[i] = script_byte(g, p->seq + !!(s->flags & PF_SYN) + i);
}

static void relate(const struct play *g, const struct view *v, struct packet *p, bool from_script)
{
	uint32_t seq = from_script ? g->setting.isn : v->iss, ack = from_script ? v->iss : g->setting.isn;

	/* Answers to what has no ACK begin with 0: RFC 9293 3.5.2 */
	p->seq -= p->flags & PF_RST && p->seq == 0 ? 0 : seq;
	p->ack = p->flags & PF_ACK ? p->ack - ack : 0;
	for (unsigned i = 0; i < p->sacks && i < PACKET_SACKS; i++) {
		p->sack[i][0] -= ack;
		p->sack[i][1] -= ack;
	}
	if (p->timestamps && !from_script)
		p->tsval -= v->tsval_first;
	if (p->timestamps && from_script && p->tsecr)
		p->tsecr -= v->tsval_first;
}

/* What the script has claimed. */
static void note(struct view *v, const struct packet *p, const struct step *s)
{
	uint32_t end = p->seq + p->len;

	if (seq_leq(p->ack, v->max)) {
		v->window_doubtful |= seq_lt(p->seq, v->window_seq) ||
			(p->seq == v->window_seq && p->ack == v->window_ack && p->window < v->window);
		v->window = p->window;
		v->window_seq = p->seq;
		v->window_ack = p->ack;
	}
	v->timestamp_missing |= !p->timestamps && v->timestamps && v->peer_timestamps;
	v->timestamp_doubtful |= p->timestamps && seq_lt(p->ack, v->una);
	if (p->flags & PF_FIN) {
		v->fin_doubtful |= seq_lt(end, v->said_max) || (v->fin_at && v->fin_at != end);
		v->fin_early |= seq_gt(p->seq, v->next);
		v->fin_at = end;
	}
	v->fin_doubtful |= v->fin_at && seq_gt(end, v->fin_at);
	v->said_max = seq_gt(end, v->said_max) ? end : v->said_max;
	if (p->flags & PF_SYN) {
		v->peer_scale = s->options & OPT_SCALE;
		v->peer_timestamps = s->options & OPT_TS;
	}
	if (p->flags & PF_ACK && seq_gt(p->ack, v->una) && seq_leq(p->ack, v->max))
		v->una = p->ack;
}

static void say(struct play *g, int i, const struct step *s)
{
	struct view *v = &g->view[i];
	struct packet *p = &g->outcome[i].said;
	uint8_t tcp[PACKET_MAX];
	size_t len;

	build(g, v, s, p);
	len = packet_write(p, tcp);
	if (s->bad_sum)
		tcp[16] ^= 0x55;
	g->side[i]->ops->input(g->side[i], tcp, len);
	if (p->good)
		note(v, p, s);
	relate(g, v, p, true);
}

/* ---- answers ---- */

static void learn_syn(struct view *v, const struct packet *p)
{
	if (!v->opened || v->iss != p->seq) {
		v->una = p->seq;
		v->max = p->seq + 1;
	}
	v->opened = true;
	v->iss = p->seq;
	v->scale = p->scale;
	v->timestamps = p->timestamps;
	v->tsval_first = p->tsval;
}

static void learn(struct view *v, const struct packet *p)
{
	uint32_t end = p->seq + p->len + !!(p->flags & PF_SYN) + !!(p->flags & PF_FIN);
	bool scales;

	if (p->flags & PF_RST)
		return;
	if (p->flags & PF_SYN)
		learn_syn(v, p);
	v->recovering |= p->len && seq_leq(end, v->max);
	if (seq_gt(end, v->max))
		v->max = end;
	if (p->timestamps)
		v->tsval = p->tsval;
	if (!(p->flags & PF_ACK))
		return;
	v->sack_max = 0;
	for (unsigned i = 0; i < p->sacks && i < PACKET_SACKS; i++)
		if (!v->sack_max || seq_gt(p->sack[i][1], v->sack_max))
			v->sack_max = p->sack[i][1];
	if (!v->acked)
		v->edge = p->ack;
	if (!v->acked || p->flags & PF_SYN)
		v->peer_isn = p->ack - 1;
	if (!v->acked || seq_gt(p->ack, v->next))
		v->next = p->ack;
	v->acked = true;
	scales = !(p->flags & PF_SYN) && v->peer_scale && v->scale > 0;
	end = p->ack + ((uint32_t)p->window << (scales ? v->scale : 0));
	if (seq_gt(end, v->edge))
		v->edge = end;
}

static bool hear(struct play *g, int i, bool patiently)
{
	struct outcome *o = &g->outcome[i];
	struct packet *p = &o->answer[o->count];

	if (o->count == ANSWERS_MAX || !g->side[i]->ops->hear(g->side[i], p, patiently))
		return false;
	learn(&g->view[i], p);
	relate(g, &g->view[i], p, false);
	for (uint32_t n = 0; n < p->len; n++)
		p->good &= p->data[n] == side_byte(p->seq - 1 + n);
	o->count++;
	return true;
}

bool play_same(const struct packet *a, const struct packet *b, uint8_t ignore)
{
	if (a->good != b->good || (a->flags | ignore) != (b->flags | ignore) || a->seq != b->seq || a->ack != b->ack ||
		a->len != b->len || a->mss != b->mss || (a->scale < 0) != (b->scale < 0) || a->sack_ok != b->sack_ok ||
		a->timestamps != b->timestamps || (a->timestamps && a->tsecr != b->tsecr) || a->sacks != b->sacks ||
		a->urgent != b->urgent)
		return false;
	return memcmp(a->sack, b->sack, a->sacks * sizeof *a->sack) == 0;
}

static bool same_answers(const struct outcome *a, const struct outcome *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (!play_same(&a->answer[i], &b->answer[i], 0))
			return false;
	return true;
}

bool play_same_calls(const struct outcome *a, const struct outcome *b)
{
	return a->result == b->result && a->accepted == b->accepted && a->state == b->state && a->ready == b->ready;
}

bool play_equal(const struct outcome *a, const struct outcome *b)
{
	return same_answers(a, b) && play_same_calls(a, b);
}

/* ---- calls ---- */

static int read_some(struct play *g, int i, uint32_t len)
{
	uint8_t bytes[READ_MAX];
	int n = g->side[i]->ops->read(g->side[i], bytes, len < READ_MAX ? len : READ_MAX);

	for (int k = 0; k < n; k++)
		if (bytes[k] != script_byte(g, g->view[i].peer_isn + 1 + (uint32_t)g->read[i] + (uint32_t)k))
			return -EILSEQ;
	g->read[i] += n > 0 ? (uint64_t)n : 0;
	return n;
}

static int write_some(struct play *g, int i, uint32_t len)
{
	uint8_t bytes[READ_MAX];
	struct side *s = g->side[i];
	int n;

	for (uint32_t k = 0; k < len; k++)
		bytes[k] = side_byte(s->written + k);
	n = s->ops->write(s, bytes, len);
	s->written += n > 0 ? (uint64_t)n : 0;
	return n;
}

static void act(struct play *g, int i, const struct step *s)
{
	struct side *side = g->side[i];
	struct outcome *o = &g->outcome[i];

	*o = (struct outcome){ 0 };
	switch (s->kind) {
	case STEP_LISTEN:
		o->result = side->ops->listen(side);
		break;
	case STEP_CONNECT:
		o->result = side->ops->connect(side);
		break;
	case STEP_WRITE:
		o->result = write_some(g, i, s->len);
		break;
	case STEP_READ:
		o->result = read_some(g, i, s->len);
		break;
	case STEP_SHUTDOWN:
		o->result = side->ops->shutdown(side);
		break;
	case STEP_CLOSE:
		o->result = side->ops->close(side);
		break;
	case STEP_SEGMENT:
		say(g, i, s);
		break;
	default:
		break;
	}
	side->ops->flush(side);
	o->accepted = side->ops->accept(side);
	if (o->accepted)
		side->ops->flush(side);
	g->view[i].used |= o->accepted || s->kind == STEP_CONNECT;
	while (hear(g, i, false))
		continue;
	o->state = side->ops->state(side);
	o->ready = side->ops->ready(side);
}

/* ---- what is told ---- */

static void tell_said(struct play *g, const char *mark, const struct packet *p)
{
	char text[400];

	packet_text(p, text, sizeof text);
	tell(g->transcript, "      < %s%s\n", text, mark);
}

static void outcome_text(const struct outcome *o, unsigned line, char *text, size_t size)
{
	char readiness[] = "iohx";

	text[0] = 0;
	if (line < o->count) {
		text[0] = '>';
		text[1] = ' ';
		packet_text(&o->answer[line], text + 2, size - 2);
		return;
	}
	if (line > o->count)
		return;
	for (int i = 0; i < 4; i++)
		readiness[i] = o->ready & 1u << i ? "IOEH"[i] : '-';
	snprintf(text, size, "= %d%s %s %s", o->result, o->accepted ? " accepted" : "", tcpu_state_name(o->state), readiness);
}

static void tell_step(struct play *g, const struct step *s, const char *remark)
{
	const struct outcome *e = &g->outcome[ENGINE], *k = &g->outcome[KERNEL];
	char left[400], right[400];

	step_text(s, left, sizeof left);
	tell(g->transcript, "%s%s%s\n", left, *remark ? "    <== " : "", remark);
	if (s->kind == STEP_SEGMENT && play_same(&e->said, &k->said, 0)) {
		tell_said(g, "", &e->said);
	} else if (s->kind == STEP_SEGMENT) {
		tell_said(g, "    to TCPU", &e->said);
		tell_said(g, "    to Linux", &k->said);
	}
	for (unsigned i = 0; i <= e->count || i <= k->count; i++) {
		outcome_text(e, i, left, sizeof left);
		outcome_text(k, i, right, sizeof right);
		tell(g->transcript, "      %-70s | %s\n", left, right);
	}
}

/* ---- a run ---- */

static void set_up(struct play *g, uint64_t seed)
{
	static uint32_t number; /* of runs: no two have the same ports, since the kernel keeps what is over for a while */
	uint64_t random = ~seed;

	number++;
	g->setting = (struct setting){ .seed = seed + 1, .remote_port = (uint16_t)(1024 + number % 60000),
		.local_port = (uint16_t)(2000 + number / 60000), .sack = step_random(&random) % 2,
		.timestamps = step_random(&random) % 2, .scaling = step_random(&random) % 2,
		.nodelay = step_random(&random) % 8 != 0, .isn = (uint32_t)step_random(&random) };
	if (step_random(&random) % 4 == 0)
		g->setting.isn = (uint32_t)-(int32_t)(step_random(&random) % 3000);
	g->tsval = TS_FIRST;
	for (int i = 0; i < SIDES; i++) {
		struct view *v = &g->view[i];

		*v = (struct view){ .iss = ISS_UNKNOWN, .max = ISS_UNKNOWN, .una = ISS_UNKNOWN, .next = g->setting.isn,
			.said_max = g->setting.isn, .window_seq = g->setting.isn };
		v->edge = v->next + 60000;
		g->state[i] = TCPU_CLOSED;
		g->read[i] = 0;
		g->side[i]->setting = &g->setting;
		ck_assert_int_eq(g->side[i]->ops->begin(g->side[i]), 0);
	}
}

/* One step of both. false: a difference that nobody knows; *over: no more of this run can be compared. */
static bool both(struct play *g, const struct step *s, bool *over)
{
	struct view before[SIDES] = { g->view[ENGINE], g->view[KERNEL] };
	struct outcome *e = &g->outcome[ENGINE], *k = &g->outcome[KERNEL];
	struct moment m = { .setting = &g->setting, .step = s, .hurried = g->side[ENGINE]->hurried };
	const struct difference *d;
	bool same;

	for (int i = 0; i < SIDES; i++) {
		m.before[i] = &before[i];
		m.after[i] = &g->view[i];
		m.outcome[i] = &g->outcome[i];
		m.state[i] = g->state[i];
		act(g, i, s);
	}
	g->tsval += TS_STEP;
	g->tally->steps++;
	same = play_equal(e, k);
	d = same ? NULL : difference_find(&m);
	/* What the engine has sent and the kernel has not may be late, by a timer. */
	while (!same && !d && k->count < e->count && hear(g, KERNEL, true)) {
		k->state = g->side[KERNEL]->ops->state(g->side[KERNEL]);
		same = play_equal(e, k);
		d = same ? NULL : difference_find(&m);
	}
	g->state[ENGINE] = e->state;
	g->state[KERNEL] = k->state;
	g->tally->segments += k->count;
	if (same) {
		tell_step(g, s, "");
		return true;
	}
	tell_step(g, s, d ? d->name : "different");
	if (d)
		g->tally->met[d - differences]++;
	*over = !d || d->ends;
	return d;
}

bool play(struct side *side[SIDES], uint64_t seed, const struct steps *steps, struct tally *tally, struct transcript *t)
{
	static struct play g; /* zeroed where it matters: large */
	bool known = true, over = false;

	g.side[ENGINE] = side[ENGINE];
	g.side[KERNEL] = side[KERNEL];
	g.tally = tally;
	g.transcript = t;
	t->len = 0;
	tally->runs++;
	set_up(&g, seed);
	tell(t, "seed %llu:%s%s%s%s\n      %-70s | %s\n", (unsigned long long)seed, g.setting.sack ? " SACK" : "",
		g.setting.timestamps ? " timestamps" : "", g.setting.scaling ? " scaling" : "",
		g.setting.nodelay ? " nodelay" : "", side[ENGINE]->ops->name, side[KERNEL]->ops->name);
	for (size_t i = 0; i < steps->count && known && !over; i++)
		known = both(&g, &steps->step[i], &over);
	for (int i = 0; i < SIDES; i++)
		side[i]->ops->end(side[i]);
	t->differs = !known;
	return known;
}

#include "tests/differential/step.h"

#include "tests/differential/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t step_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

struct maker {
	struct steps *steps;
	uint64_t random;
	struct step usual;  /* of segments: window and options as this run has them */
	unsigned on_syn;    /* the script's options on its SYN */
	bool hostile;       /* this run has more than the usual of what a peer would not do */
};

static uint32_t below(struct maker *m, uint32_t n)
{
	return (uint32_t)(step_random(&m->random) % n);
}

static bool chance(struct maker *m, uint32_t percent)
{
	return below(m, 100) < percent;
}

#define PICK(m, ...) pick((m), (const int32_t[]){ __VA_ARGS__ }, sizeof((const int32_t[]){ __VA_ARGS__ }) / 4)

static int32_t pick(struct maker *m, const int32_t *of, size_t n)
{
	return of[below(m, (uint32_t)n)];
}

static struct step *add(struct maker *m, struct step s)
{
	struct step *at = &m->steps->step[m->steps->count];

	if (m->steps->count < STEPS_MAX)
		m->steps->count++;
	else
		at--;
	*at = s;
	return at;
}

static struct step *call(struct maker *m, enum step_kind kind, uint32_t len)
{
	return add(m, (struct step){ .kind = kind, .len = len });
}

static struct step *segment(struct maker *m, uint8_t flags)
{
	struct step s = m->usual;

	s.flags = flags;
	if (flags & PF_SYN)
		s.options = m->on_syn;
	return add(m, s);
}

static struct step *syn(struct maker *m, uint8_t flags)
{
	struct step *s = segment(m, flags);

	s->seq = SEQ_ISN;
	return s;
}

/* ---- what a peer does ---- */

static void data(struct maker *m)
{
	segment(m, PF_ACK | (chance(m, 60) ? PF_PSH : 0))->len = (uint32_t)PICK(m, 1, 2, 10, 100, 300, 536, 1000, 1460);
}

static void ack(struct maker *m)
{
	struct step *s = segment(m, PF_ACK);

	if (chance(m, 30)) {
		s->ack = ACK_UNA;
		s->ack_off = PICK(m, 0, 1, 100, 536, 1000, 1460);
	}
	if (chance(m, 20))
		s->window = (uint16_t)PICK(m, 0, 0, 1, 50, 500, 1000, 3000);
}

static void fin(struct maker *m)
{
	struct step *s = segment(m, PF_FIN | PF_ACK);

	if (chance(m, 30))
		s->len = (uint32_t)PICK(m, 1, 100, 1000);
}

static void out_of_order(struct maker *m)
{
	struct step *s = segment(m, PF_ACK);

	s->seq_off = PICK(m, 1, 10, 100, 200, 500, 1000, 1460, 3000);
	s->len = (uint32_t)PICK(m, 1, 10, 100, 200, 500, 1000);
	if (chance(m, 10))
		s->flags |= PF_FIN;
}

static void duplicate(struct maker *m)
{
	struct step *s = segment(m, PF_ACK);

	s->seq_off = -PICK(m, 1, 2, 10, 100, 200, 500, 1000);
	s->len = (uint32_t)PICK(m, 1, 2, 10, 100, 200, 500, 1000, 1460);
	if (chance(m, 10))
		s->flags |= PF_FIN;
}

static void duplicate_acks(struct maker *m)
{
	for (uint32_t n = 1 + below(m, 4); n--;)
		segment(m, PF_ACK)->ack = ACK_UNA;
}

/* ---- what an attacker does, or one who is mistaken ---- */

static void reset(struct maker *m)
{
	struct step *s = segment(m, chance(m, 50) ? PF_RST : PF_RST | PF_ACK);

	s->seq = (enum step_seq)PICK(m, SEQ_NEXT, SEQ_NEXT, SEQ_NEXT, SEQ_ISN, SEQ_EDGE);
	s->seq_off = s->seq == SEQ_EDGE || chance(m, 60) ? PICK(m, -2, -1, 0, 1, 2) : PICK(m, -1000, 5, 1000, 70000000);
	if (chance(m, 20))
		s->ack_off = PICK(m, -1, 1, 100);
	if (chance(m, 15))
		s->len = 10;
}

static void stray_syn(struct maker *m)
{
	struct step *s = segment(m, chance(m, 50) ? PF_SYN : PF_SYN | PF_ACK);

	s->seq = (enum step_seq)PICK(m, SEQ_NEXT, SEQ_ISN, SEQ_ISN, SEQ_EDGE);
	s->seq_off = PICK(m, -1, 0, 0, 0, 1, 100, 100000, 2000000000);
	if (chance(m, 20))
		s->flags |= (uint8_t)PICK(m, PF_FIN, PF_RST, PF_PSH, PF_URG);
	if (chance(m, 20))
		s->len = 10;
}

static void stray_ack(struct maker *m)
{
	struct step *s = segment(m, PF_ACK);

	s->ack = (enum step_ack)PICK(m, ACK_MAX, ACK_MAX, ACK_UNA, ACK_ISS);
	s->ack_off = PICK(m, -100000, -1000, -1, 0, 1, 2, 1000, 100000, 2000000000, -2000000000);
	if (chance(m, 50))
		s->len = (uint32_t)PICK(m, 1, 100);
	if (chance(m, 10))
		s->flags |= PF_FIN;
}

static void outside(struct maker *m)
{
	struct step *s = segment(m, PF_ACK);

	s->seq = chance(m, 70) ? SEQ_EDGE : SEQ_NEXT;
	s->seq_off = s->seq == SEQ_EDGE ? PICK(m, -100, -2, -1, 0, 1, 2, 1000) : PICK(m, -70000, -5000, 1000000, -1);
	s->len = (uint32_t)PICK(m, 0, 0, 1, 2, 100, 200);
	if (chance(m, 15))
		s->flags |= PF_FIN;
}

static void flags(struct maker *m)
{
	struct step *s = segment(m, (uint8_t)below(m, 256));

	if (s->flags & PF_SYN)
		s->seq = (enum step_seq)PICK(m, SEQ_NEXT, SEQ_ISN);
	s->len = (uint32_t)PICK(m, 0, 0, 1, 100);
	s->urgent = (uint16_t)PICK(m, 0, 1, 5, 100, 101, 60000);
}

static void options(struct maker *m)
{
	struct step *s = segment(m, PF_ACK);

	s->options |= (unsigned)PICK(m, OPT_UNKNOWN, OPT_LENGTH_0, OPT_LENGTH_1, OPT_LENGTH_OVER, OPT_END_FIRST, OPT_TS_OLD,
		OPT_TS_UNASKED, OPT_WRONG_LENGTHS, OPT_MSS, OPT_SACK_OK, OPT_SCALE, OPT_SACK);
	if (chance(m, 20))
		s->options &= ~(unsigned)OPT_TS;
	s->sack[0] = (uint32_t)PICK(m, 0, 1, 100, 1000, -10);
	s->sack[1] = s->sack[0] + (uint32_t)PICK(m, 0, 1, 100, 1000, -1, 70000);
	s->len = (uint32_t)PICK(m, 0, 0, 1, 100);
	s->mss = (uint16_t)PICK(m, 0, 1, 48, 1000);
}

static void urgent(struct maker *m)
{
	struct step *s = segment(m, PF_ACK | PF_URG);

	s->len = (uint32_t)PICK(m, 0, 1, 100);
	s->urgent = (uint16_t)PICK(m, 0, 1, 5, 100, 101, 60000);
}

static void corrupt(struct maker *m)
{
	struct step *s = segment(m, (uint8_t)PICK(m, PF_ACK, PF_RST, PF_SYN, PF_FIN | PF_ACK));

	s->len = (uint32_t)PICK(m, 0, 1, 100);
	s->bad_sum = true;
}

static void hostile(struct maker *m)
{
	static void (*const menu[])(struct maker *) = { reset, reset, stray_syn, stray_syn, stray_ack, stray_ack, outside,
		outside, flags, options, urgent, corrupt };

	menu[below(m, sizeof menu / sizeof *menu)](m);
}

/* ---- a run ---- */

static void user(struct maker *m)
{
	if (chance(m, 60))
		call(m, STEP_WRITE, (uint32_t)PICK(m, 1, 10, 100, 536, 1000, 1460, 2000, 3000));
	else
		call(m, STEP_READ, (uint32_t)PICK(m, 1, 100, 1000, 8000, 8000));
}

static void ending(struct maker *m)
{
	switch (below(m, 5)) {
	case 0:
	case 1:
		fin(m);
		break;
	case 2:
	case 3:
		call(m, STEP_SHUTDOWN, 0);
		break;
	default:
		call(m, STEP_CLOSE, 0);
	}
}

static void anything(struct maker *m)
{
	static void (*const menu[])(struct maker *) = { data, data, data, ack, ack, user, user, user, out_of_order,
		out_of_order, duplicate, duplicate_acks };

	if (chance(m, m->hostile ? 40 : 6))
		hostile(m);
	else if (chance(m, 10))
		ending(m);
	else
		menu[below(m, sizeof menu / sizeof *menu)](m);
}

static void between(struct maker *m)
{
	while (chance(m, m->hostile ? 30 : 5))
		if (chance(m, 85))
			hostile(m);
		else if (chance(m, 70))
			user(m);
		else
			ending(m);
}

/* The third segment of a handshake. */
static void last_of_three(struct maker *m)
{
	struct step *s = segment(m, PF_ACK);

	if (chance(m, 15))
		s->len = 100;
	if (chance(m, 5))
		s->flags |= PF_FIN;
}

static void open_passively(struct maker *m)
{
	struct step *s;

	call(m, STEP_LISTEN, 0);
	between(m);
	s = syn(m, PF_SYN);
	if (chance(m, 8))
		s->flags |= (uint8_t)PICK(m, PF_FIN, PF_PSH, PF_URG, PF_ECE | PF_CWR, PF_ECE);
	if (chance(m, 8))
		s->len = 100;
	between(m);
	if (chance(m, 5))
		syn(m, PF_SYN);
	last_of_three(m);
}

static void open_actively(struct maker *m)
{
	struct step *s;

	call(m, STEP_CONNECT, 0);
	between(m);
	if (chance(m, 20)) {
		syn(m, PF_SYN); /* simultaneous */
		between(m);
		if (chance(m, 50))
			syn(m, PF_SYN | PF_ACK);
		else
			last_of_three(m);
		return;
	}
	s = syn(m, PF_SYN | PF_ACK);
	if (chance(m, 2)) /* known to differ, and little can be compared then */
		s->len = 100;
	if (chance(m, 4))
		s->flags |= (uint8_t)PICK(m, PF_FIN, PF_PSH, PF_URG, PF_ECE);
}

void steps_make(struct steps *steps, uint64_t seed)
{
	struct maker m = { .steps = steps, .random = seed };
	unsigned more;

	steps->count = 0;
	m.hostile = chance(&m, 50);
	m.usual = (struct step){ .kind = STEP_SEGMENT, .ack = ACK_MAX, .window = (uint16_t)PICK(&m, 65535, 20000, 4000),
		.options = OPT_TS, .mss = (uint16_t)PICK(&m, 1460, 1460, 1000, 536, 100), .scale = (uint8_t)PICK(&m, 0, 0, 2, 7) };
	m.on_syn = (unsigned)PICK(&m, OPT_MSS, OPT_MSS, OPT_MSS | OPT_SCALE, OPT_MSS | OPT_SACK_OK, OPT_MSS | OPT_TS,
		OPT_MSS | OPT_SACK_OK | OPT_TS | OPT_SCALE, OPT_MSS | OPT_SACK_OK | OPT_TS | OPT_SCALE, 0);
	if (chance(&m, m.hostile ? 10 : 2)) {
		m.on_syn |= (unsigned)PICK(&m, OPT_UNKNOWN, OPT_LENGTH_0, OPT_LENGTH_1, OPT_LENGTH_OVER, OPT_END_FIRST,
			OPT_WRONG_LENGTHS);
		m.usual.mss = (uint16_t)PICK(&m, 0, 1, 40, 48, 1460, 65535);
		m.usual.scale = (uint8_t)PICK(&m, 14, 15, 255);
	}
	if (chance(&m, 65))
		open_passively(&m);
	else
		open_actively(&m);
	for (more = 3 + below(&m, 14); more; more--)
		anything(&m);
	call(&m, STEP_READ, 8000);
}

/* ---- in words ---- */

struct text {
	char *at;
	size_t left;
};

static __attribute__((format(printf, 2, 3))) void say(struct text *t, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(t->at, t->left, format, arguments);
	va_end(arguments);
	n = n < (int)t->left ? n : (int)t->left - 1;
	t->at += n;
	t->left -= (size_t)n;
}

static void segment_text(const struct step *s, struct text *t)
{
	static const char flag[] = "FSRP.UEW";
	static const char *const seq[] = { "next", "isn", "edge" }, *const ack[] = { "max", "una", "iss" };
	static const char *const option[] = { "mss", "sackOK", "TS", "wscale", "unknown", "length 0", "length 1",
		"length over end", "eol first", "old TS", "TS unasked", "sack", "wrong lengths" };

	say(t, "segment ");
	for (unsigned i = 0; i < 8; i++)
		if (s->flags & 1 << i)
			say(t, "%c", flag[i]);
	say(t, " seq %s%+d len %u", seq[s->seq], s->seq_off, s->len);
	if (s->flags & PF_ACK)
		say(t, " ack %s%+d", ack[s->ack], s->ack_off);
	say(t, " win %u", s->window);
	if (s->flags & PF_URG)
		say(t, " urgent %u", s->urgent);
	for (unsigned i = 0; i < sizeof option / sizeof *option; i++)
		if (s->options & 1u << i)
			say(t, " <%s>", option[i]);
	if (s->bad_sum)
		say(t, " with a bad checksum");
}

void step_text(const struct step *s, char *text, size_t size)
{
	static const char *const name[] = { [STEP_LISTEN] = "listen", [STEP_CONNECT] = "connect", [STEP_WRITE] = "write",
		[STEP_READ] = "read", [STEP_SHUTDOWN] = "shutdown", [STEP_CLOSE] = "close" };
	struct text t = { text, size };

	if (s->kind == STEP_SEGMENT)
		segment_text(s, &t);
	else if (s->kind == STEP_WRITE || s->kind == STEP_READ)
		say(&t, "%s %u", name[s->kind], s->len);
	else
		say(&t, "%s", name[s->kind]);
}

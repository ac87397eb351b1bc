/* Segments, time and calls, as the bytes of the input say. Most segments are made relative to the state of a
 * connection, so that deep states are reached: a number is where it should be unless the input moves it. */
#include "tests/fuzz/world.h"

#include <string.h>

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

struct draft {
	struct link_addr src, dst;
	const struct tcb *c; /* NULL: for nobody, or a listener */
	uint8_t flags, ecn;
	uint32_t seq, ack, window, len;
	uint8_t options[40];
	uint32_t options_len;
	bool spoil;
};

static void add(struct draft *d, const void *bytes, uint32_t n)
{
	if (d->options_len + n > sizeof d->options)
		return;
	memcpy(d->options + d->options_len, bytes, n);
	d->options_len += n;
}

static void add_timestamp(struct draft *d, uint32_t val, uint32_t ecr)
{
	uint8_t o[12] = { 1, 1, 8, 10 };

	put32(o + 4, val);
	put32(o + 8, ecr);
	add(d, o, sizeof o);
}

static void add_sack(struct draft *d, struct input *in)
{
	uint32_t n = 1 + take8(in) % 3;
	uint8_t o[28] = { 1, 1, 5, (uint8_t)(2 + 8 * n) };

	for (uint32_t i = 0; i < n; i++) {
		uint32_t begin = d->c->snd_una + take_near(in);

		put32(o + 4 + 8 * i, begin);
		put32(o + 8 + 8 * i, begin + take16(in));
	}
	add(d, o, 4 + 8 * n);
}

/* Once they are agreed upon, timestamps are there and good unless the input says otherwise. */
static void draft_options(struct draft *d, struct input *in, uint32_t which)
{
	uint8_t raw[16];

	if (which & 2)
		add(d, (uint8_t[]){ 2, 4, (uint8_t)take8(in), 50 }, 4);
	if (which & 4)
		add(d, (uint8_t[]){ 1, 3, 3, (uint8_t)take8(in) }, 4);
	if (which & 8)
		add(d, (uint8_t[]){ 1, 1, 4, 2 }, 4);
	if (!(d->flags & TH_SYN) && d->c && d->c->timestamps && !(which & 1))
		add_timestamp(d, d->c->ts_recent, timestamp_now(d->c));
	else if (which & 1)
		add_timestamp(d, (d->c ? d->c->ts_recent : 1000) + take8(in) - 128,
			(d->c ? timestamp_now(d->c) : 0) - take8(in));
	if (which & 16 && d->c)
		add_sack(d, in);
	if (which & 32) {
		for (size_t i = 0; i < sizeof raw; i++)
			raw[i] = (uint8_t)take8(in);
		add(d, raw, sizeof raw);
	}
	d->ecn = (uint8_t)(which >> 6);
}

static void draft_numbers(struct draft *d, struct input *in, uint32_t mode)
{
	const struct tcb *c = d->c;
	struct range over = { 0 };

	if (c) {
		ranges_latest(&c->rcv.over, &over, 1);
		uint32_t seq[] = { c->rcv_nxt, c->rcv_adv, c->irs, c->fin_seq, c->irs + 1 + (uint32_t)over.begin,
			c->irs + 1 + (uint32_t)over.end, c->rcv_nxt - 1, c->rcv_nxt + 1000 };
		uint32_t ack[] = { c->snd_nxt, c->snd_una, c->snd_max, c->snd_una + c->mss };

		d->seq = seq[mode & 7];
		d->ack = ack[mode >> 3 & 3];
	}
	d->seq += mode & 32 ? take_near(in) : 0;
	d->ack += mode & 64 ? take_near(in) : 0;
	d->spoil = mode & 128;
}

/* The sender's bytes, each the one that belongs to its number. */
static void draft_put(struct world *w, const struct draft *d)
{
	uint8_t s[60 + 3000] = { 0 };
	uint32_t header = 20 + ((d->options_len + 3) & ~3u), data_seq = d->seq + !!(d->flags & TH_SYN), zero = data_seq;

	if (d->c && !(d->flags & TH_SYN && d->c->state == TCPU_SYN_SENT))
		zero = d->c->irs + 1;
	memcpy(s, &d->src.port, 2);
	memcpy(s + 2, &d->dst.port, 2);
	put32(s + 4, d->seq);
	put32(s + 8, d->ack);
	s[12] = (uint8_t)(header / 4 << 4);
	s[13] = d->flags;
	put16(s + 14, d->window);
	memcpy(s + 20, d->options, d->options_len);
	for (uint32_t i = 0; i < d->len; i++)
		s[header + i] = world_byte(WORLD_IN, data_seq - zero + i);
	world_put(w, d->src, d->dst, s, header + d->len, d->spoil, d->ecn);
}

static struct draft draft(const struct world *w, uint32_t which)
{
	const struct tcb *c = which & 128 ? NULL : world_connection(w, which);

	if (!c)
		return (struct draft){ .src = world_remote(which), .dst = world_local(), .window = 60000 };
	return (struct draft){ .src = c->remote, .dst = c->local, .c = c, .window = 60000, .seq = c->rcv_nxt,
		.ack = c->snd_nxt };
}

static uint32_t take_len(struct input *in)
{
	uint32_t len = take8(in);

	return len < 128 ? len : (len - 127) * 23;
}

static void any_segment(struct world *w)
{
	struct input *in = &w->in;
	struct draft d = draft(w, take8(in));

	d.flags = (uint8_t)take8(in);
	draft_numbers(&d, in, take8(in));
	draft_options(&d, in, take8(in));
	d.window = take8(in) * 257;
	d.len = take_len(in);
	draft_put(w, &d);
}

/* What a peer does that behaves: opens, answers, sends, acknowledges, closes. */
static void good_segment(struct world *w, uint32_t what)
{
	struct input *in = &w->in;
	struct draft d = draft(w, what == 0 ? 128 + take8(in) : take8(in));

	d.flags = TH_ACK;
	if (what == 0 || (d.c && d.c->state == TCPU_SYN_SENT)) {
		uint32_t options = take8(in);

		d.flags = what == 0 ? TH_SYN : TH_SYN | TH_ACK;
		d.seq = 5000;
		add(&d, (uint8_t[]){ 2, 4, 5, 180, 1, 3, 3, (uint8_t)(options >> 4), 1, 1, 4, 2 }, options & 8 ? 12 : 8);
		if (options & 1)
			add_timestamp(&d, 77, d.c ? timestamp_now(d.c) : 0);
	} else {
		draft_options(&d, in, 0);
	}
	if (what == 1)
		d.len = take_len(in);
	if (what == 2)
		d.flags |= TH_FIN;
	draft_put(w, &d);
}

static void raw_segment(struct world *w)
{
	struct link_addr src = world_remote(take8(&w->in)), dst = world_local();
	uint32_t len = take8(&w->in) % 100;
	uint8_t s[100];

	for (uint32_t i = 0; i < len; i++)
		s[i] = (uint8_t)take8(&w->in);
	if (len >= 4) {
		memcpy(s, &src.port, 2);
		memcpy(s + 2, &dst.port, 2);
	}
	w->tainted = true;
	world_put(w, src, dst, s, len, false, 0);
}

static void step(struct world *w)
{
	uint32_t what = take8(&w->in);

	if (what < 60)
		any_segment(w);
	else if (what < 120)
		good_segment(w, (what - 60) / 20);
	else if (what < 124)
		raw_segment(w);
	else if (what < 148)
		world_clock(w, w->now_us + (1u << (what - 124)));
	else if (what < 158)
		world_clock(w, tcpu_deadline(w->engine) == TCPU_NEVER ? 0 : tcpu_deadline(w->engine));
	else if (what < 186)
		world_flush(w);
	else if (what < 190)
		w->room = what == 189 ? UINT32_MAX : take8(&w->in);
	else
		world_call(w, what - 190);
	world_check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world w;

	if (len > 4096)
		return 0;
	world_open(&w, (struct input){ data, data + len });
	while (w.in.at < w.in.end)
		step(&w);
	world_close(&w);
	return 0;
}

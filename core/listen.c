/* A segment for a listener, or for nobody: RFC 9293 3.10.7.1 and 3.10.7.2, RFC 4987 section 3.6 (SYN cookies). */
#include "core/cookie.h"
#include "core/tcb.h"

#define COOKIES_US 192000000 /* how long after the last cookie one may come back: core/cookie.h */

void segment_refuse(struct tcpu *e, const struct segment *s)
{
	struct segment r = { .src = s->dst, .dst = s->src, .flags = TH_RST };

	if (s->flags & TH_RST)
		return;
	/* RFC 9293 3.5.2, group 1 */
	if (s->flags & TH_ACK) {
		r.seq = s->ack;
	} else {
		r.ack = s->seq + segment_length(s);
		r.flags |= TH_ACK;
	}
	segment_send(e, &r, NULL);
}

/* A connection in SYN-RECEIVED, among the listener's half-open ones. NULL: no memory, or too many. */
static struct tcb *half_open(struct tcb *l, const struct segment *s)
{
	struct tcb *c = tcb_new(l->engine, s->dst, s->src, &l->options);

	if (!c)
		return NULL;
	c->parent = l;
	c->state = TCPU_SYN_RECEIVED;
	queue_add(&listening(l)->half_open, c);
	return c;
}

/* SYN,ACK without a state: all that is needed comes back with the ACK. What is only negotiable by options survives only
 * where timestamps carry it. */
static void send_cookie(struct tcb *l, struct segment *s)
{
	struct tcpu *e = l->engine;
	struct tcb c = { .engine = e, .local = s->dst, .remote = s->src, .options = l->options };
	struct syn_options syn;

	segment_options(s);
	tcb_init(&c);
	tcb_syn_received(&c, s);
	syn = (struct syn_options){ .mss = c.rcv_mss, .timestamps = c.timestamps };
	if (c.timestamps) {
		syn.sack = c.sack;
		syn.scaling = c.scaling;
		syn.scale = c.rcv_scale;
		syn.ts_val = cookie_timestamp(timestamp_now(&c), c.scaling ? c.snd_scale : COOKIE_NO_SCALE, c.sack, c.ecn);
		syn.ts_ecr = s->options.ts_val;
	}
	listening(l)->cookies_at = e->now;
	struct segment r = { .src = s->dst, .dst = s->src, .ack = s->seq + 1, .wnd = tcb_rcv_wnd(&c),
		.flags = (uint8_t)(TH_SYN | TH_ACK | (c.ecn && c.timestamps ? TH_ECE : 0)),
		.seq = cookie_make(e->config.secret, s->dst, s->src, s->seq, (uint16_t)min_u32(c.peer_mss, 0xffff), e->now) };
	segment_send(e, &r, &syn);
}

struct tcb *listener_cookie(struct tcb *l, struct segment *s)
{
	struct tcpu *e = l->engine;
	uint64_t sent_at = listening(l)->cookies_at;
	struct segment syn = *s;
	uint16_t mss;
	struct tcb *c;

	if (!sent_at || e->now - sent_at > COOKIES_US || (s->flags & (TH_SYN | TH_RST | TH_ACK)) != TH_ACK ||
		!cookie_check(e->config.secret, s->dst, s->src, s->seq - 1, s->ack - 1, e->now, &mss))
		return NULL;
	if (listening(l)->complete.count >= listening(l)->backlog || !(c = half_open(l, s)))
		return NULL;
	segment_options(s);
	/* The SYN as it must have been. */
	syn.seq = s->seq - 1;
	syn.flags = TH_SYN;
	syn.options = (struct options){ .mss = mss, .has_timestamp = s->options.has_timestamp, .ts_val = s->options.ts_val };
	if (s->options.has_timestamp) {
		struct cookie_options o = cookie_options(s->options.ts_ecr);

		syn.options.has_scale = o.scale != COOKIE_NO_SCALE;
		syn.options.scale = o.scale;
		syn.options.sack_permitted = o.sack;
		syn.flags |= o.ecn ? TH_ECE | TH_CWR : 0;
	}
	tcb_set_iss(c, s->ack - 1);
	tcb_syn_received(c, &syn);
	c->sent_us = TCPU_NEVER; /* the round trip is not known */
	return c;
}

bool listener_has_room(const struct tcb *l)
{
	const struct listening *n = listening(l);

	return n->complete.count < n->backlog && n->half_open.count < l->engine->config.syn_backlog;
}

void listener_input(struct tcb *l, struct segment *s, const uint32_t *above)
{
	struct tcb *c;

	if (s->flags & TH_RST)
		return;
	if (s->flags & TH_ACK) {
		segment_refuse(l->engine, s);
		return;
	}
	if (!(s->flags & TH_SYN) || (s->flags & TH_FIN))
		return;
	/* A full queue drops the SYN in silence: it comes again. */
	if (listening(l)->complete.count >= listening(l)->backlog)
		return;
	if (listening(l)->half_open.count >= l->engine->config.syn_backlog) {
		send_cookie(l, s);
		return;
	}
	c = half_open(l, s);
	if (!c)
		return;
	if (above && seq_leq(c->iss, *above))
		tcb_set_iss(c, *above + 250000); /* RFC 9293 3.6.1: larger than any that was used */
	segment_options(s);
	tcb_syn_received(c, s);
	tcb_send_syn(c);
	timer_rto_start(c);
}

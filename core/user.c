/* The user's calls: RFC 9293 3.10.1 to 3.10.6. None of them waits. */
#include "core/tcb.h"

#include <errno.h>
#include <string.h>

#define TRAINS_MIN 4 /* that a send buffer holds, where each is to be whole */
#define MSS_DEFAULT 536 /* RFC 9293 3.7.1, when the peer's SYN has no MSS option */

void tcb_set_iss(struct tcb *c, uint32_t iss)
{
	c->iss = c->snd_una = iss;
	c->snd_nxt = c->snd_max = iss + 1; /* behind the SYN */
	c->rack_end = c->rack_fack = c->rack_dsack_round = iss;
}

/* RFC 9293 3.7.2, MUST-67: what is announced follows from what the way to the peer can take. */
static uint32_t mtu_to(struct link *link, uint32_t ip)
{
	uint32_t most = link->segment_max + IP_HEADER;

	if (!link->ops->mtu || !ip)
		return most;
	return max_u32(min_u32(link->ops->mtu(link, ip), most), IP_HEADER + HEADER_MIN + MSS_MIN);
}

void tcb_init(struct tcb *c)
{
	const struct tcpu_config *k = &c->engine->config;

	c->path_mtu = mtu_to(c->engine->link, c->remote.ip);
	c->rcv_mss = c->path_mtu - IP_HEADER - HEADER_MIN;
	if (c->options.mss_max)
		c->rcv_mss = min_u32(c->rcv_mss, max_u32(c->options.mss_max, MSS_MIN));
	c->rcv_mss = min_u32(c->rcv_mss, 0xffff);
	c->mss = min_u32(c->rcv_mss, MSS_DEFAULT);
	c->peer_mss = MSS_DEFAULT;
	c->rcv.size = tcb_rcvbuf_limit(c);
	while (c->rcv_scale < 14 && c->rcv.size >> c->rcv_scale > 0xffff)
		c->rcv_scale++;
	if (!c->options.rcvbuf_bytes)
		c->rcv.size = min_u32(min_u32(c->rcv.size, TCPU_RCVBUF_DEFAULT), tcb_rcvbuf_share(c));
	c->rcv_adv = min_u32(min_u32(c->rcv.size, tcb_rcvbuf_share(c)), 0xffff); /* before irs is known: for our SYN */
	c->scaling = !(k->without & TCPU_NO_SCALE);
	c->sack = !(k->without & TCPU_NO_SACK);
	c->timestamps = !(k->without & TCPU_NO_TIMESTAMPS);
	c->ecn = k->ecn && !(k->without & TCPU_NO_ECN);
	c->ts_offset = tcb_keyed(c, 0x5453);
	tcb_set_iss(c, tcb_isn(c));
	c->rto = max_u32(k->rto_initial_us, k->rto_min_us);
	c->min_rtt = c->min_rtt_new = UINT32_MAX;
	c->sent_us = c->heard_us = c->min_rtt_us = c->engine->now;
	c->quick = k->without & TCPU_NO_QUICKACK ? 0 : QUICK_MAX;
}

void tcb_set_mss(struct tcb *c)
{
	uint32_t header = tcb_header_len(c), path = c->path_mtu - IP_HEADER;

	/* RFC 6691: the peer's number counts no options, so the sender takes them off. */
	c->mss = max_u32(min_u32(min_u32(c->peer_mss, c->rcv_mss) + HEADER_MIN, path) - header, MSS_MIN);
	c->cc.mss = c->mss;
}

/* RFC 3168 6.1.1: who is asked grants it; who has asked looks whether it was granted. */
static bool ecn_agreed(const struct tcb *c, const struct segment *s)
{
	uint8_t said = s->flags & (TH_ECE | TH_CWR);

	if (c->engine->config.without & TCPU_NO_ECN)
		return false;
	return s->flags & TH_ACK ? c->ecn && said == TH_ECE : said == (TH_ECE | TH_CWR);
}

void tcb_syn_received(struct tcb *c, const struct segment *s)
{
	const struct options *o = &s->options;

	c->irs = s->seq;
	c->rcv_nxt = c->rcv_acked = s->seq + 1;
	c->rcv_adv += c->rcv_nxt;
	c->peer_mss = o->mss ? max_u32(o->mss, MSS_MIN) : MSS_DEFAULT;
	/* Of each, both SYNs carry the option, or neither end uses it: RFC 7323 2.2 and 3.2, RFC 2018 section 2. */
	c->scaling &= o->has_scale;
	c->snd_scale = c->scaling ? o->scale : 0;
	c->rcv_scale = c->scaling ? c->rcv_scale : 0;
	c->sack &= o->sack_permitted;
	c->timestamps &= o->has_timestamp;
	c->ts_recent = c->timestamps ? o->ts_val : 0;
	c->ts_recent_us = c->engine->now;
	c->ecn = ecn_agreed(c, s);
	tcb_set_mss(c);
}

void tcb_established(struct tcb *c, const struct segment *s)
{
	struct tcb *l = c->parent;

	c->state = c->fin_queued ? TCPU_FIN_WAIT_1 : TCPU_ESTABLISHED;
	ack_established(c, s);
	if (c->srtt)
		tuning_rtt(&c->tuning, c->srtt);
	c->output_wanted = true;
	timer_keep(c);
	if (!l)
		return;
	queue_remove(&listening(l)->half_open, c);
	queue_add(&listening(l)->complete, c);
	tcb_changed(l);
}

/* What the user says, completed by the engine's configuration. */
static struct tcpu_options complete(const struct tcpu *e, const struct tcpu_options *said)
{
	struct tcpu_options o = said ? *said : (struct tcpu_options){ 0 };

	options_complete(&o, &e->config.options);
	return o;
}

int tcpu_listen(struct tcpu *e, struct link_addr local, unsigned backlog, const struct tcpu_options *options,
	struct tcb **out)
{
	struct tcpu_options o = complete(e, options);
	struct listener *both;
	struct tcb *l;

	if (!congestion_find(o.congestion))
		return -ENOENT;
	for (l = e->listeners; l; l = l->hash_next)
		if (l->local.port == local.port && (l->local.ip == local.ip || l->local.ip == 0 || local.ip == 0))
			return -EADDRINUSE;
	both = memory_take(e, sizeof *both);
	if (!both)
		return -ENOMEM;
	memset(both, 0, sizeof *both);
	l = &both->tcb;
	l->engine = e;
	l->state = TCPU_LISTEN;
	l->local = local;
	l->options = o;
	listening(l)->backlog = backlog ? backlog : 1;
	l->hash_next = e->listeners;
	e->listeners = l;
	e->listeners_count++;
	*out = l;
	return 0;
}

void tcpu_backlog(struct tcb *l, unsigned backlog)
{
	listening(l)->backlog = backlog ? backlog : 1;
}

int tcpu_accept(struct tcb *l, struct tcb **out)
{
	struct tcb *c;

	if (l->state != TCPU_LISTEN)
		return -EINVAL;
	c = listening(l)->complete.first;
	if (!c)
		return -EAGAIN;
	queue_remove(&listening(l)->complete, c);
	c->parent = NULL;
	*out = c;
	return 0;
}

/* RFC 9293 3.9.1.1: neither multicast, nor reserved, nor broadcast, as far as the address itself tells. */
static bool is_unicast(uint32_t ip)
{
	uint8_t first;

	memcpy(&first, &ip, 1);
	return first < 224;
}

int tcpu_connect(struct tcpu *e, struct link_addr local, struct link_addr remote, const struct tcpu_options *options,
	struct tcb **out)
{
	struct tcpu_options o = complete(e, options);
	struct tcb *c;

	if (!local.ip || !local.port || !remote.ip || !remote.port)
		return -EINVAL;
	if (!is_unicast(remote.ip))
		return -ENETUNREACH;
	if (!congestion_find(o.congestion))
		return -ENOENT;
	if (tcb_find(e, local, remote))
		return -EADDRINUSE;
	if (e->connections >= e->config.connections_max)
		return -ENFILE;
	c = tcb_new(e, local, remote, &o);
	if (!c)
		return -ENOMEM;
	c->state = TCPU_SYN_SENT;
	tcb_send_syn(c);
	timer_rto_start(c);
	timer_user(c);
	batch_send(e);
	*out = c;
	return 0;
}

/* Bytes that a new span must find room for. A train that begins in the last corner of a large buffer would be a short
 * one, as would be what follows; so where trains are small against the buffer, each has room to be whole. */
static uint32_t span_room(const struct tcb *c, bool record)
{
	uint32_t train = tcb_train(c);

	return !record && train <= c->snd.size / TRAINS_MIN ? train : c->mss;
}

/* Half of a window, or the peer, which may be unable to take a part of one, had room for one at a time only. */
static uint32_t record_max(const struct tcb *c)
{
	return max_u32(min_u32(c->mss, c->max_snd_wnd / 2), MSS_MIN);
}

/* Room by what was sent and need not be kept. */
static bool forget(struct tcb *c)
{
	batch_send(c->engine); /* the link may still have to read it */
	return !c->engine->batch && sndbuf_forget(&c->snd);
}

/* Where a record may follow on those of the last span. They leave together, as soon as they would each by itself: a
 * train that had to wait for room would keep what is more urgent waiting. */
static uint8_t *extend_train(struct tcb *c, const struct seam_source *source, uint32_t record, uint32_t *cap)
{
	const struct span *s = sndbuf_unsent(&c->snd);

	if (!source->trains || record != c->mss || !s || c->snd.end - s->off + record > tcb_room(c))
		return NULL;
	return sndbuf_extend(&c->snd, record, tcb_train(c), cap);
}

/* The next bytes of the source become a span, or a part of the last one. Returns how many; 0: no more. */
static size_t fill_span(struct tcb *c, const struct seam_source *source, bool push)
{
	struct span *s;
	uint16_t sum = 0;
	uint32_t cap;
	size_t n;
	uint32_t most = source->record ? record_max(c) : tcb_train(c);
	uint8_t *dst = source->record ? extend_train(c, source, most, &cap) : sndbuf_extend(&c->snd, 0, most, &cap);

	if (dst) {
		n = source->fill(source->ctx, c->snd.end, dst, cap, &sum);
		if (n)
			sndbuf_extended(&c->snd, (uint32_t)n, sum, push);
		return n;
	}
	if (tcb_take_spans(c) < 0)
		return 0;
	dst = sndbuf_reserve(&c->snd, span_room(c, source->record), &cap);
	if (!dst && forget(c))
		dst = sndbuf_reserve(&c->snd, span_room(c, source->record), &cap);
	if (!dst && tcb_grow_sndbuf(c))
		dst = sndbuf_reserve(&c->snd, span_room(c, source->record), &cap);
	if (!dst)
		return 0;
	n = source->fill(source->ctx, c->snd.end, dst, cap < most ? cap - cap % c->mss : most, &sum);
	if (!n)
		return 0;
	s = sndbuf_commit(&c->snd, (uint32_t)n, sum, source->record, push || source->record);
	s->forget = source == c->source && source->forget && n <= UINT16_MAX;
	s->whole = (uint16_t)n;
	s->note = source->note;
	return n;
}

/* No new bytes may be written to memory from which segments wait to leave. Who hears of that hears of its end. */
static bool waits_for_link(struct tcb *c)
{
	if (!link_full(c->engine))
		return false;
	c->told_full = true;
	tcb_flush_later(c);
	return true;
}

/* Whether tcpu_send takes bytes in, whatever the source. */
static bool has_room(struct tcb *c)
{
	if (waits_for_link(c) || !tcb_sends_soon(c))
		return false;
	if (!c->snd.count)
		return true; /* or there is no memory, which the call says */
	/* Without memory for a larger table the next ACK makes room. */
	return tcb_take_spans(c) == 0 && (tcb_may_grow_sndbuf(c) || (!sndbuf_table_full(&c->snd) &&
		(sndbuf_has_room(&c->snd, span_room(c, false)) || (forget(c) && sndbuf_has_room(&c->snd, span_room(c, false))))));
}

/* Takes the error that waits; 0: none. */
int tcb_take_error(struct tcb *c)
{
	int error = c->error;

	c->error = 0;
	return -error;
}

ssize_t tcpu_send(struct tcb *c, const struct seam_source *source, unsigned how)
{
	ssize_t taken = 0;
	size_t n;
	int error = tcb_take_error(c);

	if (error)
		return error;
	if (c->state == TCPU_SYN_SENT || c->state == TCPU_SYN_RECEIVED)
		return c->fin_queued ? -EPIPE : -EAGAIN;
	if (!can_send(c) || c->fin_queued)
		return c->state == TCPU_LISTEN ? -ENOTCONN : -EPIPE;
	c->more = how & TCPU_SEND_MORE;
	/* Segments that wait for the link stand in memory that may be written anew now. */
	batch_send(c->engine);
	if (waits_for_link(c))
		return -EAGAIN;
	if (tcb_take_sndbuf(c) < 0)
		return c->snd.count ? -EAGAIN : -ENOMEM;
	/* Each goes out while it is in the cache; but the last one only when it is known to be the last, for PSH. */
	c->filling = true;
	while (tcb_sends_soon(c) && (n = fill_span(c, source, how & TCPU_SEND_NOW || c->options.nodelay))) {
		taken += (ssize_t)n;
		tcb_output(c);
	}
	c->filling = false;
	tcb_output(c);
	batch_send(c->engine);
	if (!taken && !c->snd.count)
		tcb_give_spans(c);
	return taken || has_room(c) ? taken : -EAGAIN;
}

void tcpu_source(struct tcb *c, const struct seam_source *source)
{
	c->source = source;
}

uint64_t tcpu_acked(const struct tcb *c)
{
	return c->snd.una;
}

void tcpu_options(const struct tcb *c, struct tcpu_options *out)
{
	*out = c->options;
}

bool tcpu_has_congestion(const char *name)
{
	return congestion_find(name);
}

int tcpu_set_options(struct tcb *c, const struct tcpu_options *options)
{
	struct tcpu_options o = complete(c->engine, options);
	const struct congestion *algorithm;

	/* Of these 0 is a value of its own. */
	o.keepalive = options->keepalive;
	o.nodelay = options->nodelay;
	o.quickack = options->quickack;
	o.cork = options->cork;
	o.user_timeout_us = options->user_timeout_us;
	o.pacing_max_bps = options->pacing_max_bps;
	o.notsent_bytes = options->notsent_bytes;
	if (c->snd.ring)
		o.sndbuf_bytes = c->options.sndbuf_bytes;
	o.rcvbuf_bytes = c->options.rcvbuf_bytes;
	o.mss_max = c->options.mss_max;
	algorithm = congestion_find(o.congestion);
	if (!algorithm)
		return -ENOENT;
	c->options = o;
	if (c->state == TCPU_LISTEN || !is_synchronized(c))
		return 0;
	if (algorithm != c->cc.algorithm) {
		c->cc.algorithm = algorithm;
		algorithm->begin(&c->cc);
		tcb_keep_undo(c, false);
	}
	timer_keep(c);
	timer_stop(c, TIMER_USER);
	timer_user(c);
	tcb_output(c); /* nodelay, and the end of cork, let go what waited */
	batch_send(c->engine);
	return 0;
}

int tcpu_shutdown(struct tcb *c)
{
	switch (c->state) {
	case TCPU_SYN_SENT:
	case TCPU_SYN_RECEIVED:
	case TCPU_ESTABLISHED:
	case TCPU_CLOSE_WAIT:
		break;
	case TCPU_CLOSED:
	case TCPU_LISTEN:
		return -ENOTCONN;
	default:
		return 0; /* it is closed already */
	}
	if (c->fin_queued)
		return 0;
	c->fin_queued = true;
	if (c->state == TCPU_ESTABLISHED)
		c->state = TCPU_FIN_WAIT_1;
	else if (c->state == TCPU_CLOSE_WAIT)
		c->state = TCPU_LAST_ACK;
	tcb_output(c);
	batch_send(c->engine);
	return 0;
}

static void close_listener(struct tcb *l)
{
	struct tcpu *e = l->engine;
	struct tcb **p = &e->listeners;

	/* RFC 9293 3.10.4: connections that nobody will ever get end by RST. */
	for (uint32_t i = 0; i < e->table_size; i++)
		for (struct tcb *c = e->table[i], *next; c; c = next) {
			next = c->hash_next;
			if (c->parent == l)
				tcpu_abort(c);
		}
	while (*p != l)
		p = &(*p)->hash_next;
	*p = l->hash_next;
	e->listeners_count--;
	memory_give(e, l, sizeof(struct listener));
}

void tcpu_close(struct tcb *c)
{
	const uint8_t *data;

	c->sink = NULL;
	c->source = NULL;
	tcb_detach(c);
	if (c->state == TCPU_LISTEN) {
		close_listener(c);
		return;
	}
	if (rcvbuf_peek(&c->rcv, &data) && c->state != TCPU_TIME_WAIT) {
		tcpu_abort(c); /* RFC 2525 2.17: the peer must learn that its data was not read */
		return;
	}
	if (c->state == TCPU_CLOSED || c->state == TCPU_SYN_SENT) {
		tcb_drop(c, 0);
		return;
	}
	tcpu_shutdown(c);
	if (c->state == TCPU_FIN_WAIT_2)
		timer_set(c, TIMER_2MSL, c->engine->now + c->options.fin_wait_us);
}

void tcpu_abort(struct tcb *c)
{
	struct tcpu *e = c->engine;

	tcb_detach(c);
	/* RFC 9293 3.10.5 */
	if (c->state != TCPU_CLOSED && c->state != TCPU_SYN_SENT && c->state != TCPU_TIME_WAIT) {
		tcb_send_rst(c);
		batch_send(e);
	}
	tcb_drop(c, 0);
}

unsigned tcpu_ready(struct tcb *c)
{
	const uint8_t *data;
	unsigned ready = 0;

	if (c->state == TCPU_LISTEN)
		return listening(c)->complete.first ? TCPU_IN : 0;
	if ((c->shows ? c->news : rcvbuf_peek(&c->rcv, &data) != 0) || c->fin_taken || c->state == TCPU_CLOSED)
		ready |= TCPU_IN;
	if ((can_send(c) && has_room(c)) || c->fin_queued || c->state == TCPU_CLOSED)
		ready |= TCPU_OUT; /* to be written to, or to fail at once */
	if (c->error)
		ready |= TCPU_ERR;
	if (c->state == TCPU_CLOSED || (c->fin_taken && c->fin_queued))
		ready |= TCPU_HUP;
	return ready;
}

int tcpu_error(struct tcb *c)
{
	return -tcb_take_error(c);
}

const char *tcpu_state_name(enum tcpu_state state)
{
	static const char *const name[] = { "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
		"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT" };

	return state <= TCPU_TIME_WAIT ? name[state] : "?";
}

void tcpu_info(const struct tcb *c, struct tcpu_info *info)
{
	const struct counts *n = &c->count;
	uint64_t sent = c->snd_una == c->iss ? 0 : min_u64(snd_off(c, c->snd_nxt), c->snd.end);

	*info = (struct tcpu_info){ .sent_bytes = sent, .acked_bytes = c->snd.una,
		.received_bytes = c->rcv.next, .direct_bytes = n->direct_bytes, .segments_out = n->segments_out,
		.segments_in = n->segments_in, .retransmits = n->retransmits, .timeouts = n->timeouts,
		.fast_retransmits = n->fast_retransmits, .tail_probes = n->tail_probes, .spurious = n->spurious,
		.dsacks_in = n->dsacks_in, .dsacks_out = n->dsacks_out, .paws_drops = n->paws_drops,
		.ecn_marks_in = n->ecn_marks_in, .ecn_reductions = n->ecn_reductions, .bad_checksums = n->bad_checksums,
		.out_of_order = n->out_of_order, .duplicates = n->duplicates };
	info->state = c->state;
	info->local = c->local;
	info->remote = c->remote;
	info->mss = c->mss;
	info->cwnd_bytes = c->cc.cwnd;
	info->ssthresh_bytes = c->cc.ssthresh;
	info->snd_wnd_bytes = c->snd_wnd;
	info->rcv_wnd_bytes = tcb_rcv_wnd(c);
	info->srtt_us = c->srtt;
	info->rttvar_us = c->rttvar;
	info->rto_us = c->rto;
	info->min_rtt_us = c->min_rtt == UINT32_MAX ? 0 : c->min_rtt;
	info->buffered_bytes = (uint32_t)(c->snd.end - c->snd.una);
	info->unsent_bytes = (uint32_t)(c->snd.end - sent);
	info->waiting_bytes = (uint32_t)(c->rcv.next - c->rcv.read);
	info->flight_bytes = tcb_pipe(c);
	info->sndbuf_bytes = c->snd.ring ? c->snd.size : c->options.sndbuf_bytes ? c->options.sndbuf_bytes :
		TCPU_SNDBUF_DEFAULT;
	info->rcvbuf_bytes = c->rcv.size;
	info->path_mtu = c->path_mtu;
	memcpy(info->congestion, c->options.congestion, sizeof c->options.congestion);
	info->soft_error = c->soft_error;
	info->sack = c->sack;
	info->timestamps = c->timestamps;
	info->ecn = c->ecn;
	info->scaling = c->scaling;
}

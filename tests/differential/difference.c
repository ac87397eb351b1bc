#include "tests/differential/difference.h"

#include "core/seq.h"

#include <errno.h>
#include <string.h>

/* ---- of a moment ---- */

#define E(m) ((m)->outcome[ENGINE])
#define K(m) ((m)->outcome[KERNEL])

/* The segment that the step said to the engine; NULL: it said none. */
static const struct packet *said(const struct moment *m)
{
	return m->step->kind == STEP_SEGMENT ? &E(m)->said : NULL;
}

static bool says(const struct moment *m, uint8_t flags)
{
	return said(m) && (said(m)->flags & flags) == flags;
}

static bool same_calls(const struct moment *m)
{
	return play_same_calls(E(m), K(m));
}

static bool alike(const struct packet *a, const struct packet *b)
{
	return play_same(a, b, PF_PSH);
}

static bool is_bare_ack(const struct packet *p)
{
	return p->flags == PF_ACK && p->len == 0;
}

static bool one_bare_ack(const struct outcome *o)
{
	return o->count == 1 && is_bare_ack(&o->answer[0]);
}

static bool none_or_ack(const struct outcome *a, const struct outcome *b)
{
	return a->count == 0 && one_bare_ack(b);
}

/* The engine took nothing of the segment, and answered at most that. */
static bool engine_refused(const struct moment *m)
{
	return E(m)->state == m->state[ENGINE] && (E(m)->count == 0 ||
		(one_bare_ack(E(m)) && E(m)->answer[0].ack == m->before[ENGINE]->next - m->setting->isn));
}

/* Numbers of the script's relative to its ISN, as in segments that are told. */
static uint32_t next(const struct moment *m, int side)
{
	return m->before[side]->next - m->setting->isn;
}

static uint32_t packet_end(const struct packet *p)
{
	return p->seq + p->len + !!(p->flags & PF_SYN) + !!(p->flags & PF_FIN);
}

static bool is_after_fin(enum tcpu_state s)
{
	return s == TCPU_CLOSE_WAIT || s == TCPU_CLOSING || s == TCPU_LAST_ACK;
}

static bool both_were(const struct moment *m, enum tcpu_state s)
{
	return m->state[ENGINE] == s && m->state[KERNEL] == s;
}

/* ---- what is sent, and in which pieces ---- */

static bool same_but(const struct moment *m, uint8_t ignore)
{
	if (E(m)->count != K(m)->count || !same_calls(m))
		return false;
	for (unsigned i = 0; i < E(m)->count; i++)
		if (!play_same(&E(m)->answer[i], &K(m)->answer[i], ignore))
			return false;
	return true;
}

static bool push(const struct moment *m)
{
	return same_but(m, PF_PSH);
}

static bool ecn_reduction(const struct moment *m)
{
	return same_but(m, PF_PSH | PF_CWR);
}

static bool ecn_simultaneous(const struct moment *m)
{
	return both_were(m, TCPU_SYN_SENT) && E(m)->state == TCPU_SYN_RECEIVED && same_but(m, PF_ECE);
}

static unsigned data_segments(const struct outcome *o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->count; i++)
		n += o->answer[i].len > 0;
	return n;
}

static const struct packet *next_data(const struct outcome *o, unsigned *at)
{
	while (*at < o->count && !o->answer[*at].len)
		++*at;
	return *at < o->count ? &o->answer[(*at)++] : NULL;
}

/* Data of both is the same, but of one of them there is more. Returns how many segments; 0: it is otherwise. */
static unsigned more_data(const struct moment *m)
{
	const struct packet *e, *k;
	unsigned i = 0, j = 0;

	do {
		e = next_data(E(m), &i);
		k = next_data(K(m), &j);
		if (e && k && !alike(e, k))
			return 0;
	} while (e && k);
	if (!same_calls(m))
		return 0;
	return data_segments(e ? E(m) : K(m)) - data_segments(e ? K(m) : E(m));
}

/* Linux sends a last small segment, and it is all that the engine has not sent. */
static bool nagle(const struct moment *m)
{
	return !m->setting->nodelay && data_segments(K(m)) == data_segments(E(m)) + 1 && same_calls(m);
}

/* An ACK of its own, although data that follows at once brings the same. */
static bool ack_and_data(const struct outcome *more, const struct outcome *less)
{
	if (more->count != less->count + 1 || more->count < 2 || !is_bare_ack(&more->answer[0]) ||
		more->answer[0].ack != more->answer[1].ack)
		return false;
	for (unsigned i = 0; i < less->count; i++)
		if (!alike(&more->answer[i + 1], &less->answer[i]))
			return false;
	return true;
}

static bool ack_beside_data(const struct moment *m)
{
	return (ack_and_data(E(m), K(m)) || ack_and_data(K(m), E(m))) && same_calls(m);
}

/* TCPU takes the segment for a duplicate ACK, and Linux does not. */
static bool duplicate_acks(const struct moment *m)
{
	const struct packet *p = &E(m)->answer[0];

	return said(m) && is_bare_ack(said(m)) && said(m)->ack == m->before[ENGINE]->una - m->before[ENGINE]->iss &&
		E(m)->count && K(m)->count == 0 && (p->len || p->flags & PF_FIN) && same_calls(m);
}

/* Linux fills the window with a short segment, TCPU does not. */
static bool silly_window(const struct moment *m)
{
	const struct view *v = m->after[ENGINE];
	const struct packet *last = &K(m)->answer[E(m)->count];

	return K(m)->count == E(m)->count + 1 && more_data(m) && last->seq + last->len == v->una - v->iss + v->window;
}

/* Linux sends no more at once than half of the largest window. */
static bool half_window(const struct moment *m)
{
	uint32_t e = 0, k = 0;

	for (unsigned i = 0; i < E(m)->count; i++)
		e += E(m)->answer[i].len;
	for (unsigned i = 0; i < K(m)->count; i++)
		k += K(m)->answer[i].len;
	return e && e == k && m->after[ENGINE]->window < 2 * E(m)->answer[0].len && same_calls(m);
}

/* Segments of the least size that TCPU sends, when a peer wants smaller ones still. */
static bool least_segment(const struct moment *m)
{
	return E(m)->count && K(m)->count && E(m)->answer[0].len == 48 && K(m)->answer[0].len == 36 && same_calls(m);
}

/* Linux's congestion window counts segments, TCPU's bytes. */
static bool congestion_bytes(const struct moment *m)
{
	const struct outcome *more = E(m)->count > K(m)->count ? E(m) : K(m);
	const struct view *v = m->after[E(m)->count > K(m)->count ? ENGINE : KERNEL];

	return more_data(m) && v->max - v->una >= 5 * more->answer[more->count - 1].len;
}

/* What is sent again, how much of it, and what goes beside it, is told by more than the segments that came. */
static bool recovery(const struct moment *m)
{
	return (m->after[ENGINE]->recovering || m->after[KERNEL]->recovering) && same_calls(m);
}

/* ---- windows ---- */

static bool window_update(const struct moment *m)
{
	return m->step->kind == STEP_READ && none_or_ack(K(m), E(m)) && same_calls(m);
}

/* What reaches beyond the edge of the window that one of them has announced. */
static bool window_edge(const struct moment *m)
{
	for (int i = 0; i < SIDES && said(m); i++)
		if (seq_geq(packet_end(&m->outcome[i]->said), m->before[i]->edge - m->setting->isn) && m->before[i]->acked &&
			seq_gt(m->outcome[i]->said.seq, next(m, i)))
			return E(m)->state != TCPU_CLOSED || m->state[ENGINE] == TCPU_CLOSED || m->state[ENGINE] == TCPU_LAST_ACK;
	return false;
}

/* The same answer to a segment that stood at a place relative to the edge, and so not at the same for both. */
static bool window_size(const struct moment *m)
{
	const struct packet *e = &E(m)->answer[0], *k = &K(m)->answer[0];

	return said(m) && m->step->seq == SEQ_EDGE && E(m)->count == 1 && K(m)->count == 1 && e->flags == k->flags &&
		e->seq == k->seq && same_calls(m) &&
		(e->ack - E(m)->said.seq == k->ack - K(m)->said.seq || (e->ack == k->ack && e->sacks == k->sacks));
}

static bool window_order(const struct moment *m)
{
	bool reset = E(m)->count && E(m)->answer[0].flags & PF_RST;

	return m->after[ENGINE]->window_doubtful && E(m)->state == K(m)->state && E(m)->result == K(m)->result &&
		(reset || data_segments(E(m)) || data_segments(K(m)));
}

static bool fin_without_window(const struct moment *m)
{
	return !said(m) && E(m)->count == 1 && E(m)->answer[0].flags & PF_FIN && K(m)->count == 0 && same_calls(m);
}

/* What ends just at the left edge: Linux counts it to the window, and believes its ACK. */
static bool left_edge(const struct moment *m)
{
	return said(m) && (!says(m, PF_SYN) || says(m, PF_RST)) && packet_end(said(m)) != said(m)->seq &&
		packet_end(said(m)) == next(m, ENGINE) && engine_refused(m);
}

/* ---- acknowledgments and options ---- */

/* Linux's short way takes data with any ACK up to SND.NXT, and it counts the SYN to what was acknowledged. */
static bool old_ack(const struct moment *m)
{
	bool refused = engine_refused(m) || (m->state[ENGINE] == TCPU_SYN_RECEIVED && E(m)->answer[0].flags & PF_RST);

	return says(m, PF_ACK) && (int32_t)said(m)->ack < 1 && refused &&
		(K(m)->count == 0 || K(m)->answer[0].flags & PF_RST || seq_gt(K(m)->answer[0].ack, next(m, KERNEL)));
}

/* A challenge ACK that the engine does not send, since it has just sent one. */
static bool challenge_limit(const struct moment *m)
{
	return m->hurried && said(m) && none_or_ack(E(m), K(m)) && same_calls(m);
}

static bool timestamp_missing(const struct moment *m)
{
	return m->after[ENGINE]->timestamp_missing;
}

/* Linux's data with SACK blocks, and so in other pieces. */
static bool sack_on_data(const struct moment *m)
{
	unsigned without = 0, with = 0;

	for (unsigned i = 0; i < E(m)->count; i++)
		without += E(m)->answer[i].len && !E(m)->answer[i].sacks;
	for (unsigned i = 0; i < K(m)->count; i++)
		with += K(m)->answer[i].len && K(m)->answer[i].sacks;
	return without && with && same_calls(m);
}

static bool sack_on_reset(const struct moment *m)
{
	struct packet k = K(m)->answer[0];

	k.sacks = 0;
	return E(m)->count == 1 && K(m)->count == 1 && k.flags & PF_RST && alike(&k, &E(m)->answer[0]) && same_calls(m);
}

/* Two bare ACKs that differ in their options at most. */
static bool same_number(const struct moment *m)
{
	const struct packet *e = &E(m)->answer[0], *k = &K(m)->answer[0];

	return one_bare_ack(E(m)) && one_bare_ack(K(m)) && e->seq == k->seq && e->ack == k->ack && same_calls(m);
}

/* The timestamp of a segment whose ACK is old, or not to be believed. */
static bool timestamp_of_old_ack(const struct moment *m)
{
	if (!m->after[ENGINE]->timestamp_doubtful || E(m)->count != K(m)->count || !same_calls(m))
		return false;
	for (unsigned i = 0; i < E(m)->count; i++) {
		struct packet e = E(m)->answer[i];

		e.tsecr = K(m)->answer[i].tsecr;
		if (!alike(&e, &K(m)->answer[i]))
			return false;
	}
	return true;
}

static bool sack_of_fin(const struct moment *m)
{
	return m->after[ENGINE]->fin_early && K(m)->count && K(m)->answer[0].sacks && same_calls(m);
}

/* The block of RFC 2883, when the segment brings a FIN as well: Linux has forgotten it then. */
static bool dsack_with_fin(const struct moment *m)
{
	const struct packet *e = &E(m)->answer[0];

	return says(m, PF_FIN) && same_number(m) && e->sacks == 1 &&
		seq_geq(e->sack[0][0], said(m)->seq) && seq_leq(e->sack[0][1], said(m)->seq + said(m)->len);
}

/* The SYN, or what would stand before it, counts for Linux as something that has come before. */
static bool dsack_before_stream(const struct moment *m)
{
	uint32_t isn = m->before[KERNEL]->peer_isn - m->setting->isn;

	return same_number(m) && K(m)->answer[0].sacks && seq_leq(K(m)->answer[0].sack[0][0], isn);
}

/* ---- opening ---- */

static bool simultaneous_options(const struct moment *m)
{
	const struct packet *e = &E(m)->answer[0], *k = &K(m)->answer[0];

	return m->state[KERNEL] == TCPU_SYN_SENT && K(m)->state == TCPU_SYN_RECEIVED && E(m)->state == TCPU_SYN_RECEIVED &&
		E(m)->count == 1 && K(m)->count == 1 && (e->flags & ~PF_ECE) == (PF_SYN | PF_ACK) &&
		(k->sack_ok > e->sack_ok || k->timestamps > e->timestamps || (k->scale >= 0 && e->scale < 0));
}

/* A SYN before the handshake is over: Linux gives up or answers it, TCPU asks; or the other way round. */
static bool syn_in_syn_received(const struct moment *m)
{
	uint8_t e = E(m)->answer[0].flags, k = K(m)->answer[0].flags;

	return says(m, PF_SYN) && !says(m, PF_ACK) && m->before[KERNEL]->opened && E(m)->count == 1 && K(m)->count == 1 &&
		E(m)->state == m->state[ENGINE] && ((e == PF_ACK && k & (PF_RST | PF_SYN)) || (k == PF_ACK && e & PF_SYN));
}

static bool syn_ack_opens(const struct moment *m)
{
	return says(m, PF_SYN | PF_ACK) && m->before[ENGINE]->opened && (m->state[ENGINE] == TCPU_CLOSED ||
		(m->state[ENGINE] == TCPU_SYN_RECEIVED && said(m)->len));
}

/* Linux takes no text that comes with the SYN,ACK. */
static bool text_with_syn_ack(const struct moment *m)
{
	return says(m, PF_SYN | PF_ACK) && both_were(m, TCPU_SYN_SENT) && said(m)->len && E(m)->state == K(m)->state &&
		one_bare_ack(E(m)) && one_bare_ack(K(m)) && K(m)->answer[0].ack == said(m)->seq + 1 &&
		E(m)->answer[0].ack == said(m)->seq + 1 + said(m)->len && E(m)->ready == (K(m)->ready | TCPU_IN);
}

static bool fin_with_syn(const struct moment *m)
{
	return says(m, PF_SYN | PF_FIN) && m->state[ENGINE] == TCPU_SYN_SENT && E(m)->state == TCPU_CLOSE_WAIT &&
		K(m)->state == TCPU_ESTABLISHED;
}

static bool shutdown_opening(const struct moment *m)
{
	return m->step->kind == STEP_SHUTDOWN && m->state[ENGINE] == TCPU_SYN_SENT && E(m)->state == TCPU_SYN_SENT &&
		K(m)->state == TCPU_CLOSED;
}

/* Linux sends FIN before the connection is open. */
static bool close_opening(const struct moment *m)
{
	return !said(m) && m->state[ENGINE] == TCPU_SYN_RECEIVED && E(m)->count == 0 && K(m)->count == 1 &&
		K(m)->answer[0].flags & PF_FIN;
}

/* Linux says of a descriptor that is not to be written to that it may be written to, but not while it opens. */
static bool shut_writable(const struct moment *m)
{
	return E(m)->state == TCPU_SYN_RECEIVED && K(m)->state == TCPU_SYN_RECEIVED && E(m)->ready == (K(m)->ready | TCPU_OUT);
}

/* ---- closing, and resets ---- */

static bool text_behind_fin(const struct moment *m)
{
	return said(m) && said(m)->len && is_after_fin(m->state[KERNEL]) && K(m)->count == 1 &&
		K(m)->answer[0].flags == PF_RST && K(m)->state == TCPU_CLOSED && m->state[ENGINE] == E(m)->state;
}

static bool second_fin(const struct moment *m)
{
	return says(m, PF_FIN) && is_after_fin(m->state[ENGINE]) && engine_refused(m) && one_bare_ack(K(m)) &&
		K(m)->answer[0].ack == next(m, KERNEL) + 1;
}

/* A peer that contradicts itself. */
static bool fin_in_two_places(const struct moment *m)
{
	return m->after[ENGINE]->fin_doubtful && said(m);
}

/* RST that begins before the window, and reaches into it or ends there. */
static bool reset_before_window(const struct moment *m)
{
	return says(m, PF_RST) && seq_lt(said(m)->seq, next(m, ENGINE)) && none_or_ack(E(m), K(m)) && same_calls(m);
}

static bool reset_behind_sack(const struct moment *m)
{
	return says(m, PF_RST) && m->before[ENGINE]->sack_max && m->before[ENGINE]->sack_max - m->setting->isn ==
		said(m)->seq && engine_refused(m) && K(m)->state == TCPU_CLOSED;
}

/* RST with the number of the FIN that came last. */
static bool reset_at_fin(const struct moment *m)
{
	return says(m, PF_RST) && said(m)->seq + 1 == next(m, ENGINE) && is_after_fin(m->state[ENGINE]) &&
		E(m)->count == 0 && E(m)->state == m->state[ENGINE] && K(m)->state == TCPU_CLOSED;
}

/* The ACK flag of a RST, and its number. */
static bool reset_with_ack(const struct moment *m)
{
	return said(m) && E(m)->count == 1 && K(m)->count == 1 && E(m)->answer[0].flags == (PF_RST | PF_ACK) &&
		K(m)->answer[0].flags == PF_RST && K(m)->answer[0].seq == said(m)->ack && same_calls(m);
}

/* A FIN that is early, for a user who is gone. */
static bool fin_after_close(const struct moment *m)
{
	return says(m, PF_FIN) && said(m)->len == 0 && seq_gt(said(m)->seq, next(m, ENGINE)) && engine_refused(m) &&
		K(m)->count == 1 && K(m)->answer[0].flags == PF_RST;
}

/* Which error it is. */
static bool reset_error(const struct moment *m)
{
	return (E(m)->result == -ECONNRESET || E(m)->result == -ECONNREFUSED) &&
		(K(m)->result == -EPIPE || K(m)->result == -ECONNRESET || K(m)->result == 0) && both_were(m, TCPU_CLOSED);
}

/* Linux remembers an error that nobody waits for. */
static bool last_ack_reset(const struct moment *m)
{
	return m->state[ENGINE] == TCPU_LAST_ACK && E(m)->state == TCPU_CLOSED && K(m)->state == TCPU_CLOSED &&
		K(m)->ready == (E(m)->ready | TCPU_ERR) && E(m)->count == K(m)->count;
}

/* Nothing comes of the segment but that one of them acknowledges. */
static bool time_wait_ack(const struct moment *m)
{
	return said(m) && m->before[ENGINE]->used && m->before[KERNEL]->used && both_were(m, TCPU_CLOSED) &&
		E(m)->state == TCPU_CLOSED && !E(m)->accepted &&
		(none_or_ack(E(m), K(m)) || (none_or_ack(K(m), E(m)) && engine_refused(m)) || same_number(m)) && same_calls(m);
}

static bool closed_shutdown(const struct moment *m)
{
	return m->step->kind == STEP_SHUTDOWN && E(m)->result == 0 && K(m)->result == -ENOTCONN && both_were(m, TCPU_CLOSED);
}

/* Some explain more than others: these come last. */
const struct difference differences[] = {
	{ "push", push, false },
	{ "ecn-reduction", ecn_reduction, false },
	{ "ecn-simultaneous", ecn_simultaneous, true },
	{ "nagle", nagle, true },
	{ "ack-beside-data", ack_beside_data, false },
	{ "duplicate-acks", duplicate_acks, true },
	{ "window-update", window_update, false },
	{ "window-edge", window_edge, true },
	{ "window-size", window_size, true },
	{ "window-order", window_order, true },
	{ "fin-without-window", fin_without_window, true },
	{ "left-edge", left_edge, true },
	{ "old-ack", old_ack, true },
	{ "challenge-limit", challenge_limit, false },
	{ "timestamp-of-old-ack", timestamp_of_old_ack, true },
	{ "timestamp-missing", timestamp_missing, true },
	{ "sack-on-data", sack_on_data, true },
	{ "sack-of-fin", sack_of_fin, true },
	{ "sack-on-reset", sack_on_reset, false },
	{ "dsack-with-fin", dsack_with_fin, false },
	{ "dsack-before-stream", dsack_before_stream, false },
	{ "simultaneous-options", simultaneous_options, true },
	{ "syn-in-syn-received", syn_in_syn_received, true },
	{ "syn-ack-opens", syn_ack_opens, true },
	{ "text-with-syn-ack", text_with_syn_ack, true },
	{ "fin-with-syn", fin_with_syn, true },
	{ "shutdown-opening", shutdown_opening, true },
	{ "close-opening", close_opening, true },
	{ "shut-writable", shut_writable, true },
	{ "text-behind-fin", text_behind_fin, true },
	{ "second-fin", second_fin, true },
	{ "reset-before-window", reset_before_window, false },
	{ "reset-behind-sack", reset_behind_sack, true },
	{ "reset-at-fin", reset_at_fin, true },
	{ "reset-with-ack", reset_with_ack, false },
	{ "fin-after-close", fin_after_close, true },
	{ "reset-error", reset_error, true },
	{ "last-ack-reset", last_ack_reset, true },
	{ "time-wait-ack", time_wait_ack, false },
	{ "closed-shutdown", closed_shutdown, false },
	{ "silly-window", silly_window, true },
	{ "least-segment", least_segment, true },
	{ "half-window", half_window, true },
	{ "congestion-bytes", congestion_bytes, true },
	{ "recovery", recovery, true },
	{ "fin-in-two-places", fin_in_two_places, true },
};
const size_t differences_count = sizeof differences / sizeof *differences;

const struct difference *difference_named(const char *name)
{
	for (size_t i = 0; i < differences_count; i++)
		if (!strcmp(differences[i].name, name))
			return &differences[i];
	return NULL;
}

const struct difference *difference_find(const struct moment *m)
{
	for (size_t i = 0; i < differences_count; i++)
		if (differences[i].explains(m))
			return &differences[i];
	return NULL;
}

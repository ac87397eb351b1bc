/* The way in of an ADU: TCP shows the bytes of a segment in the packet buffer, and the chain's inverse loop writes the
 * application's memory and sums what it reads, before the checksum is known. Twin: alf/send.c.
 *
 * Segments may cut the stream anywhere. Where they are cut as our sender cuts them, at the ends of FPDUs, every byte
 * is touched once; where they cut words of the chain, the sum takes a pass of its own, and no copy either. */
#include "alf/conn.h"

#include "core/cksum.h"

#include <errno.h>
#include <string.h>

/* What take() gathers on its way through a segment. */
struct walk {
	const uint8_t *data; /* the segment */
	uint16_t sum;        /* of what was taken of it */
	bool plain;          /* sum is right: the loop held nothing back, before or after */
};

static void add(struct walk *w, const uint8_t *at, uint16_t sum)
{
	w->sum = tcpu_sum_join(w->sum, sum, (size_t)(at - w->data));
}

/* A piece is announced; the framer found nothing wrong in its header as such. Is it the one that must come? */
static int announce(struct alf *a, uint32_t number, uint8_t type)
{
	struct alf_rx *rx = &a->rx;
	const struct alf_piece *p = &rx->piece;

	if (p->number != number || number == 0 || p->first == rx->begun || p->offset != rx->in)
		return -EBADMSG;
	if (p->total > a->adu_max || p->total > alf_chain_max(a))
		return -EBADMSG;
	if (p->len > p->total - p->offset || p->last != (p->offset + p->len == p->total))
		return -EBADMSG;
	if (!p->first && p->type != type)
		return -EBADMSG;
	if (p->first) {
		rx->begun = true;
		alf_begin(a, &rx->state, p->number, !a->initiator);
	}
	rx->left = p->len;
	rx->step = RX_DATA;
	return 0;
}

static int take_header(struct alf *a, const uint8_t **at, const uint8_t *end)
{
	struct alf_rx *rx = &a->rx;
	uint32_t number = rx->piece.number;
	uint8_t type = rx->piece.type;
	int r = a->framer->parse(&rx->parser, &rx->piece, at, end);

	return r > 0 ? announce(a, number, type) : r;
}

static void take_data(struct alf *a, const uint8_t *data, size_t n, struct walk *w)
{
	struct alf_rx *rx = &a->rx;
	const struct ilp_state *state = (const struct ilp_state *)&rx->state;

	w->plain &= state->held_len == 0;
	rx->out += a->loop[ILP_RECV](&rx->state, a->buf + rx->out, data, n, a->scratch);
	rx->in += n;
	if (rx->in == rx->piece.total) /* nothing to be refused: alf_takes() */
		rx->out += (size_t)a->chain->end[ILP_RECV](&rx->state, a->buf + rx->out);
	w->plain &= state->held_len == 0;
	add(w, data, a->chain->sum(&rx->state));
}

static void data_done(struct alf *a)
{
	struct alf_rx *rx = &a->rx;

	rx->step = RX_TRAILER;
	rx->left = (uint32_t)a->framer->trailer(&rx->piece, NULL);
}

static void piece_done(struct alf *a)
{
	struct alf_rx *rx = &a->rx;

	rx->step = RX_HEADER;
	rx->whole = rx->piece.last;
	rx->piece.first = false; /* what must come next: the framer wants to know */
	rx->piece.offset += rx->piece.len;
}

/* Takes what it can of a segment: all of it, or up to the end of the ADU, or up to the data of one that has no room.
 * Returns how much; or -EBADMSG. */
static ssize_t take(struct alf *a, const uint8_t *data, size_t len, struct walk *w)
{
	struct alf_rx *rx = &a->rx;
	const uint8_t *at = data, *end = data + len;

	w->data = data;
	while (!rx->whole && (at < end || rx->left == 0)) {
		const uint8_t *from = at;
		size_t n = (size_t)(end - at) < rx->left ? (size_t)(end - at) : rx->left;

		switch (rx->step) {
		case RX_HEADER:
			if (at == end)
				return at - data;
			if (take_header(a, &at, end) < 0)
				return -EBADMSG;
			add(w, from, tcpu_sum(from, (size_t)(at - from)));
			break;
		case RX_DATA:
			if (rx->piece.total > a->cap) {
				a->too_big = true;
				return at - data;
			}
			take_data(a, at, n, w);
			at += n;
			rx->left -= (uint32_t)n;
			if (rx->left == 0)
				data_done(a);
			break;
		case RX_TRAILER:
			add(w, from, tcpu_sum(from, n));
			at += n;
			rx->left -= (uint32_t)n;
			if (rx->left == 0)
				piece_done(a);
			break;
		}
	}
	return at - data;
}

/* The last drain never happened. */
static void undo(struct alf *a)
{
	if (a->rx.out > a->saved.out)
		memset(a->buf + a->saved.out, 0, (size_t)(a->rx.out - a->saved.out));
	alf_rx_copy(a, &a->rx, &a->saved);
	a->too_big = false;
	a->sink.done = false;
}

static size_t drain(void *ctx, uint64_t off, const uint8_t *data, size_t len, uint16_t *sum)
{
	struct alf *a = ctx;
	struct walk w = { .plain = true };
	ssize_t n;

	(void)off;
	if (a->sink.done)
		return 0;
	if (sum)
		alf_rx_copy(a, &a->saved, &a->rx);
	n = take(a, data, len, &w);
	if (sum && n != (ssize_t)len) {
		/* A second ADU, or one without room, or something wrong: nothing to act on before the checksum. */
		undo(a);
		return 0;
	}
	if (n < 0) {
		a->rx_error = EBADMSG;
		n = (ssize_t)len;
	}
	if (sum)
		*sum = w.plain ? w.sum : tcpu_sum(data, len);
	a->sink.done = a->rx.whole || a->too_big || a->rx_error;
	return (size_t)n;
}

static void settle(void *ctx, uint64_t off, size_t n, bool good)
{
	(void)off;
	if (!good && n)
		undo(ctx);
}

static void next_adu(struct alf_rx *rx, uint32_t number)
{
	ilp_wipe(rx, sizeof *rx);
	rx->piece.number = number;
	rx->piece.first = true;
}

void alf_receive_init(struct alf *a)
{
	a->sink = (struct seam_sink){ .drain = drain, .settle = settle, .ctx = a };
	next_adu(&a->rx, 1);
}

int alf_receive_begin(struct alf *a, void *buf, size_t cap)
{
	if (a->rx_error)
		return -a->rx_error;
	if (a->rx.in && (buf != a->buf || cap < a->rx.piece.total))
		return -EINVAL;
	a->buf = buf;
	a->cap = cap;
	a->too_big = a->rx.begun && a->rx.piece.total > cap;
	a->sink.done = false;
	return a->too_big ? -EMSGSIZE : 0;
}

bool alf_receive_idle(const struct alf *a)
{
	static const struct alf_parser nothing;

	return !a->rx.begun && !memcmp(&a->rx.parser, &nothing, sizeof nothing);
}

static void tell(const struct alf *a, struct adu_attr *attr)
{
	const struct alf_piece *p = &a->rx.piece;

	if (!attr)
		return;
	*attr = (struct adu_attr){ .type = p->type, .name_len = p->name_len, .number = p->number };
	memcpy(attr->name, p->name, p->name_len);
}

ssize_t alf_receive_end(struct alf *a, struct adu_attr *attr)
{
	uint64_t total = a->rx.piece.total;

	tell(a, attr);
	next_adu(&a->rx, a->rx.piece.number + 1);
	return (ssize_t)total;
}

/* Waits until the sink has enough. Bytes that were taken hide why there are no more: that is asked for. */
static ssize_t wait_for(struct alf *a)
{
	ssize_t n = drain_tcpu(a->fd, &a->sink, MSG_WAITALL);

	while (n > 0 && !a->sink.done)
		n = drain_tcpu(a->fd, &a->sink, MSG_DONTWAIT);
	return n;
}

/* TCP has no more for now, or has failed, or the stream is over: n and errno as drain_tcpu gave them. */
static int broken_off(struct alf *a, ssize_t n)
{
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno;
	if (n == 0 && alf_receive_idle(a))
		return 0;
	return a->rx_error = n < 0 ? errno : EBADMSG; /* the stream ended inside an ADU */
}

ssize_t adu_recv(struct alf *a, void *buf, size_t cap, struct adu_attr *attr, size_t *need)
{
	int r = alf_receive_begin(a, buf, cap);

	if (r == 0) {
		ssize_t n = wait_for(a);
		if (a->rx.whole)
			return alf_receive_end(a, attr);
		r = a->too_big ? -EMSGSIZE : a->rx_error ? -a->rx_error : -broken_off(a, n);
		if (r == 0) {
			if (attr)
				*attr = (struct adu_attr){ 0 };
			return 0;
		}
	}
	if (r == -EMSGSIZE && a->too_big) {
		tell(a, attr);
		if (need)
			*need = a->rx.piece.total;
	}
	errno = -r;
	return -1;
}

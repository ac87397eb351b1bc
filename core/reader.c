/* The user reads: RFC 9293 3.10.3. */
#include "core/tcb.h"

#include <errno.h>
#include <string.h>

/* The next bytes in order, to a sink: in one piece of memory, or, where it has show, all that wait. Returns how many
 * it took. */
static uint32_t give(struct tcb *c, struct seam_sink *sink)
{
	const uint8_t *data[2];
	uint32_t len[2], n;
	struct range r, taken;

	if (sink->show) {
		if (!rcvbuf_in_order(&c->rcv, &r))
			return 0;
		rcvbuf_pieces(&c->rcv, &r, data, len);
		return sink->show(sink->ctx, r.begin, data, len, &taken.begin, &taken.end) ?
			(uint32_t)(taken.end - r.begin) : 0;
	}
	len[0] = rcvbuf_peek(&c->rcv, data);
	n = len[0] ? (uint32_t)sink->drain(sink->ctx, c->rcv.read, data[0], len[0], NULL) : 0;
	if (n)
		sink->settle(sink->ctx, c->rcv.read, n, true);
	return n;
}

ssize_t tcpu_recv(struct tcb *c, struct seam_sink *sink)
{
	const uint8_t *data;
	ssize_t taken = 0;
	uint32_t n;

	if (c->state == TCPU_LISTEN)
		return -ENOTCONN;
	c->shows = sink->show;
	c->news = false;
	while (!sink->done && (n = give(c, sink))) {
		rcvbuf_consume(&c->rcv, n);
		taken += n;
	}
	if (taken) {
		tcb_took(c, (uint32_t)taken);
		tcb_window_opened(c);
		return taken;
	}
	if (c->shows && !sink->done && !rcvbuf_room(&c->rcv))
		return -EMSGSIZE;
	if (c->shows)
		tcb_window_opened(c); /* it waits for what the peer may think too little to send */
	/* Of what a sink with show leaves at the end, no more will come. */
	if (rcvbuf_peek(&c->rcv, &data) && (sink->done || !c->shows || !(c->fin_taken || c->state == TCPU_CLOSED)))
		return -EAGAIN;
	if (c->error)
		return tcb_take_error(c);
	if (c->fin_taken || c->state == TCPU_CLOSED)
		return 0;
	return -EAGAIN;
}

ssize_t tcpu_peek(struct tcb *c, void *buffer, size_t len)
{
	struct rcvbuf at = c->rcv;
	const uint8_t *data;
	ssize_t taken = 0;
	uint32_t n;

	if (c->state == TCPU_LISTEN)
		return -ENOTCONN;
	rcvbuf_look(&at);
	while ((size_t)taken < len && (n = rcvbuf_peek(&at, &data))) {
		n = len - (size_t)taken < n ? (uint32_t)(len - (size_t)taken) : n;
		memcpy((uint8_t *)buffer + taken, data, n);
		rcvbuf_consume(&at, n);
		taken += n;
	}
	if (taken || (len == 0 && rcvbuf_peek(&at, &data)))
		return taken;
	if (c->error)
		return tcb_take_error(c);
	return c->fin_taken || c->state == TCPU_CLOSED ? 0 : -EAGAIN;
}

void tcpu_sink(struct tcb *c, struct seam_sink *sink)
{
	c->sink = sink;
	if (sink && sink->show)
		tcb_show(c);
}

/* The way out of an ADU: TCP asks for the bytes of a segment, and gets a framed piece. The chain's loop reads the
 * application's memory and writes the span; nothing else touches the data. Twin: alf/receive.c. */
#include "alf/conn.h"

#include "core/cksum.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* How many of the bytes from offset go into a piece with room for that many. Pieces end at multiples of the chain's
 * block, where the next begins fastest, unless that leaves a twentieth of the room unused; then of its unit, so that
 * no word is cut. */
static size_t cut(const struct ilp_chain *chain, uint64_t offset, size_t left, size_t room)
{
	size_t over;

	if (left <= room)
		return left;
	over = (size_t)((offset + room) % chain->block);
	if (over * 20 > room)
		over = (size_t)((offset + room) % chain->unit);
	return over < room ? room - over : 0;
}

/* The data of a piece, through the chain. Returns the sum of what stands at dst now. */
static uint16_t run(struct alf *a, uint8_t *dst, size_t len, bool last)
{
	struct alf_tx *tx = &a->tx;
	size_t n = a->loop[ILP_SEND](&tx->state, dst, tx->data + tx->done, len, a->scratch);

	if (last)
		n += (size_t)a->chain->end[ILP_SEND](&tx->state, dst + n);
	assert(n == len); /* pieces are whole units, and chains keep lengths */
	return a->chain->sum(&tx->state);
}

static size_t fail(struct alf_tx *tx, int error)
{
	tx->error = error;
	ilp_wipe(&tx->state, sizeof tx->state);
	return 0;
}

static size_t fill(void *ctx, uint64_t off, uint8_t *dst, size_t cap, uint16_t *sum)
{
	struct alf *a = ctx;
	struct alf_tx *tx = &a->tx;
	struct alf_piece *piece = &tx->piece;
	size_t left = tx->len - tx->done, data, header, trailer;
	uint16_t sums[3];
	ssize_t room;

	(void)off;
	if (!tx->busy || tx->error)
		return 0;
	room = a->framer->room(piece, cap);
	data = room < 0 ? 0 : cut(a->chain, tx->done, left, (size_t)room);
	if (room < 0 || (data == 0 && left && !piece->first))
		return fail(tx, EMSGSIZE);
	piece->len = (uint32_t)data;
	piece->last = data == left;

	header = a->framer->header(piece, dst);
	sums[0] = tcpu_sum(dst, header);
	sums[1] = run(a, dst + header, data, piece->last);
	trailer = a->framer->trailer(piece, dst + header + data);
	sums[2] = tcpu_sum(dst + header + data, trailer);
	if (sum)
		*sum = tcpu_sum_join(tcpu_sum_join(sums[0], sums[1], header), sums[2], header + data);

	tx->done += data;
	piece->offset += data;
	piece->first = false;
	if (piece->last) {
		tx->busy = false;
		piece->number++;
		ilp_wipe(&tx->state, sizeof tx->state);
	}
	return header + data + trailer;
}

void alf_send_init(struct alf *a)
{
	a->tx.source = (struct seam_source){ .fill = fill, .ctx = a, .record = true };
	a->tx.piece.number = 1;
}

int alf_send_begin(struct alf *a, const void *data, size_t len, const struct adu_attr *attr)
{
	struct alf_tx *tx = &a->tx;
	struct alf_piece *piece = &tx->piece;

	if (tx->error)
		return -EPIPE;
	if (tx->busy)
		return tx->data == data && tx->len == len ? 0 : -EINVAL;
	if (len > a->framer->adu_max || len > alf_chain_max(a) || (attr && attr->name_len > ADU_NAME_MAX))
		return -EMSGSIZE;
	if (piece->number == 0) /* all were used: another would repeat a nonce */
		return -EOVERFLOW;
	tx->data = data;
	tx->len = len;
	tx->done = 0;
	*piece = (struct alf_piece){ .number = piece->number, .first = true, .total = len };
	if (attr) {
		piece->type = attr->type;
		piece->name_len = attr->name_len;
		memcpy(piece->name, attr->name, attr->name_len);
	}
	alf_begin(a, &tx->state, piece->number, a->initiator);
	tx->busy = true;
	return 0;
}

ssize_t adu_send(struct alf *a, const void *data, size_t len, const struct adu_attr *attr)
{
	struct alf_tx *tx = &a->tx;
	int r = alf_send_begin(a, data, len, attr);
	ssize_t n;

	if (r < 0) {
		errno = -r;
		return -1;
	}
	/* The end of an ADU is a push: Nagle's rule would keep it back for the sake of a next one. */
	n = fill_tcpu(a->fd, &tx->source, TF_NODELAY);
	if (!tx->busy)
		return (ssize_t)len;
	if (tx->error) {
		/* Too small a segment for header and name: seen before a byte was written, so only this ADU fails. */
		errno = tx->error;
		if (tx->piece.first) {
			tx->busy = false;
			tx->error = 0;
		}
		return -1;
	}
	if (n >= 0) {
		errno = EAGAIN;
	} else if (errno != EAGAIN && errno != EINTR) {
		tx->error = errno;
		ilp_wipe(&tx->state, sizeof tx->state);
	}
	return -1;
}

/* A connection that carries ADUs, from the inside: what alf/alf.c, alf/send.c and alf/receive.c share. */
#ifndef ALF_CONN_H
#define ALF_CONN_H

#include "alf/framer.h"

/* The way out. An ADU that is half way in (busy) is finished by calling adu_send again. */
struct alf_tx {
	struct seam_source source;
	bool busy;
	int error;             /* a positive errno: nothing more can be sent */
	const uint8_t *data;   /* the application's */
	size_t len, done;      /* bytes of data; done of them stand in the retransmission buffer */
	struct alf_piece piece; /* the next one */
	struct ilp_any state;
};

/* The way in: what a bad checksum must undo. Plain data; alf_rx_copy() takes and restores snapshots. */
struct alf_rx {
	enum { RX_HEADER, RX_DATA, RX_TRAILER } step;
	bool begun, whole;     /* the current ADU: its first header is in; its last trailer is in */
	uint32_t left;         /* bytes still to come in this step (data, trailer) */
	uint64_t in, out;      /* bytes of the ADU taken; written to the application's buffer */
	struct alf_piece piece; /* the current one, or what must come next */
	struct alf_parser parser;
	struct ilp_any state;  /* last: only the chain's part of it is copied */
};

struct alf {
	int fd;
	const struct ilp_chain *chain;
	const struct alf_framer *framer;
	ilp_loop *loop[ILP_DIRECTIONS];
	uint8_t *scratch;
	uint64_t adu_max;
	bool keyed, initiator;
	uint8_t key[32], iv[12];

	struct alf_tx tx;

	struct seam_sink sink;
	struct alf_rx rx, saved;
	int rx_error;          /* a positive errno: nothing more can be received */
	bool too_big;          /* the ADU that begins has no room in buf */
	uint8_t *buf;          /* the application's */
	size_t cap;
};

/* The seam's side of a connection: set once by alf_open. */
void alf_send_init(struct alf *);
void alf_receive_init(struct alf *);
/* The calls but for the waiting, for those who drive an engine themselves. begin: then hand tx.source to TCP until
 * !tx.busy, or hand sink to TCP until rx.whole, too_big or rx_error. 0 or a negative errno. */
int alf_send_begin(struct alf *, const void *data, size_t len, const struct adu_attr *);
int alf_receive_begin(struct alf *, void *buf, size_t cap);
/* Nothing of the next ADU has come. */
bool alf_receive_idle(const struct alf *);
/* The ADU is whole: what adu_recv returns. */
ssize_t alf_receive_end(struct alf *, struct adu_attr *);

/* Begins the chain for an ADU of one direction. from_initiator: who sends it. */
void alf_begin(const struct alf *, void *state, uint32_t number, bool from_initiator);
/* Bytes of ADU that the chain can take. */
uint64_t alf_chain_max(const struct alf *);

static inline void alf_rx_copy(const struct alf *a, struct alf_rx *to, const struct alf_rx *from)
{
	__builtin_memcpy(to, from, offsetof(struct alf_rx, state) + a->chain->state_size);
}

#endif

/* What stands for TCP in tests of alf/: a sender's segments laid end to end, and their arrival, cut at will, checked
 * or not, damaged at will. Everything that the seam promises is asserted on the way. */
#ifndef TESTS_ALF_PIPE_H
#define TESTS_ALF_PIPE_H

#include "alf/conn.h"

/* A stream as it was sent. */
struct stream {
	uint8_t *bytes;
	size_t len, room;
	size_t ends[4096]; /* where segments ended */
	unsigned segments;
};
/* Sends an ADU into it in segments of at most cap bytes. Returns 0 or a negative errno. */
int stream_send(struct stream *, struct alf *, const void *data, size_t len, const struct adu_attr *, size_t cap);
void stream_free(struct stream *);

enum arrival {
	IN_ORDER, /* shown from the packet buffer, checksum unknown */
	VOUCHED,  /* the same, checksum known to be good */
	BUFFERED, /* from the receive buffer: known to be good, and whatever of it one likes */
	DAMAGED,  /* each segment first comes with a byte changed */
	ARRIVALS,
};

struct pipe {
	const uint8_t *bytes;
	size_t len;
	const size_t *cuts; /* where segments end; the stream's end is one too */
	unsigned n_cuts;
	enum arrival arrival;
	uint64_t seed;      /* of the damage */
	size_t at, came;    /* taken; arrived */
	size_t declined;    /* bytes that were shown unchecked and not taken */
};
/* One ADU: its length; or a negative errno as adu_recv gives it. The end of the stream is -EBADMSG inside an ADU and
 * -ENODATA between two. */
ssize_t pipe_recv(struct pipe *, struct alf *, void *buf, size_t cap, struct adu_attr *);

uint64_t pipe_random(uint64_t *seed);
void pipe_bytes(void *dst, size_t len, uint64_t seed);

/* A profile for an end, with key and iv when the chain wants them. */
struct alf_profile pipe_profile(const struct ilp_chain *, enum ilp_schedule, bool initiator);
struct alf *pipe_open(int fd, const struct ilp_chain *, enum ilp_schedule, bool initiator);

/* A chain written by hand: words are turned and enciphered by a toy. Its sum leaves out, for as long as it may, the
 * bytes that are held back. It has the parameters of chacha20. */
extern const struct ilp_chain stub_chain;
/* The i-th of the chains that alf_takes(), that one first; NULL beyond the last. */
const struct ilp_chain *pipe_chain(unsigned i);
/* How often a nonce was begun with that had been begun with before; forgets them all. */
unsigned stub_nonces_repeated(void);

#endif

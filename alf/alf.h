/* ALF: application data units over TCPU. An ADU that goes in whole comes out whole: it is cut into framed
 * pieces that are aligned with TCP's segments, and the chain's loop runs inside send and receive, straight into
 * the retransmission buffer and straight out of the packet buffer.
 *
 * Clark and Tennenhouse, SIGCOMM '90; RFC 5041 (DDP), RFC 5044 (MPA). */
#ifndef ALF_ALF_H
#define ALF_ALF_H

#include "core/tcpu.h"
#include "ilp/ilp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct alf;        /* a connection that carries ADUs */
struct alf_framer; /* alf/framer.h: how pieces are framed on the wire */

extern const struct alf_framer alf_ddp; /* untagged DDP in MPA, no markers, CRC unused: the default */

/* How data is manipulated. Both ends must agree on it; how is the application's business. */
struct alf_profile {
	const struct ilp_chain *chain;    /* must have a sum on the wire's side */
	enum ilp_schedule schedule;       /* ILP_FUSED, or a twin to compare with */
	const uint8_t *key;               /* 32 bytes when the chain has chacha20, else NULL; copied */
	const uint8_t *iv;                /* 12 bytes, never used before with this key; copied */
	bool initiator;                   /* exactly one end: keeps the two directions' nonces apart */
	const struct alf_framer *framer;  /* NULL: alf_ddp */
	uint64_t adu_max;                 /* bytes: the largest ADU this end takes; 0: no limit but the caller's buffer */
};

#define ADU_NAME_MAX 64
struct adu_attr {
	uint8_t name[ADU_NAME_MAX]; /* the application's: where the ADU belongs. Sent in clear, before the data */
	uint8_t name_len;
	uint8_t type;               /* the application's */
	uint32_t number;            /* set by the library: message number, from 1 */
};

/* Over a connected descriptor of TCPU, which stays the caller's. NULL with errno: EINVAL (key or iv missing or
 * not wanted, chain without sum), ENOMEM. */
struct alf *alf_open(int fd, const struct alf_profile *);
/* Changes the profile from the next ADU on, in both directions; both ends do it at the same ADU. EINVAL, EBUSY: an
 * ADU is half way in. */
int alf_profile(struct alf *, const struct alf_profile *);
/* Wipes keys and frees. The descriptor stays open. */
void alf_close(struct alf *);

/* Sends one ADU, all or nothing: waits for room, returns len. attr may be NULL. -1 with errno: EMSGSIZE, and the
 * errors of send_tcpu; after any but EMSGSIZE and EAGAIN the connection is unusable. */
ssize_t adu_send(struct alf *, const void *data, size_t len, const struct adu_attr *attr);
/* Receives one ADU into buf and returns its length; 0 with attr->number 0 (and only then) at the end of the stream.
 * attr may be NULL. -1 with errno: EMSGSIZE: longer than cap (nothing is lost: call again with more room; attr
 * tells the name, *need the room where it is known, else 0); EBADMSG: the peer's framing is wrong (the connection
 * is unusable); and the errors of recv_tcpu. Until adu_recv has returned it, buf's content is undefined. */
ssize_t adu_recv(struct alf *, void *buf, size_t cap, struct adu_attr *attr, size_t *need);

#endif

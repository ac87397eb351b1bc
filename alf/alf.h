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

/* How data is manipulated. Both ends must agree on chain, key, iv and framer; how is the application's business. */
struct alf_profile {
	const struct ilp_chain *chain;    /* one that alf_takes() */
	enum ilp_schedule schedule;       /* ILP_FUSED, or a twin to compare with; each end its own */
	const uint8_t *key;               /* 32 bytes when the chain has chacha20, else NULL; copied */
	const uint8_t *iv;                /* 12 bytes, never used before with this key; copied */
	bool initiator;                   /* exactly one end: keeps the two directions' nonces apart */
	const struct alf_framer *framer;  /* NULL: alf_ddp */
	uint64_t adu_max;                 /* bytes: a peer that sends a longer ADU does wrong; 0: no limit */
};
/* Whether ADUs may go through the chain: it has a sum on the wire's side, keeps lengths, and wants no keys but those of
 * chacha20. */
bool alf_takes(const struct ilp_chain *);

#define ADU_NAME_MAX 64
struct adu_attr {
	uint8_t name[ADU_NAME_MAX]; /* the application's: where the ADU belongs. Sent in clear, before the data */
	uint8_t name_len;
	uint8_t type;               /* the application's; in clear too */
	uint32_t number;            /* set by the library when it receives: of its direction, from 1 */
};

/* The nonce of an ADU is iv xor (direction, number), so that no two ADUs of a connection share one, whatever profiles
 * it has; the key stream's first block is left unused. Nothing authenticates the data: whoever can change bytes on the
 * way and TCP's checksum with them changes plaintext. */

/* Over a connected descriptor of TCPU, which stays the caller's. One user at a time. NULL with errno: EINVAL (key or
 * iv missing or not wanted, no chain, chain without sum), ENOMEM. */
struct alf *alf_open(int fd, const struct alf_profile *);
/* Changes the profile from the next ADU on, in both directions; both ends do it at the same ADU of either. 0; or -1
 * with errno, and nothing has changed: EBUSY: an ADU is half way in or out; EINVAL, ENOMEM. */
int alf_profile(struct alf *, const struct alf_profile *);
/* Wipes keys and frees. The descriptor stays open. NULL is fine. */
void alf_close(struct alf *);

/* Sends one ADU, all or nothing: waits for room and returns len when all of it is in the retransmission buffer (data
 * is the caller's again). It leaves at once: the end of an ADU is a push. attr may be NULL. -1 with errno:
 * EAGAIN, EINTR	the descriptor does not wait, a timeout ran out, a signal came. What is in stays in: the next
 *			adu_send must be the same once more, and goes on; another is EINVAL
 * EMSGSIZE		longer than framer or cipher can count, or the name, or a unit of the chain, does not fit into a
 *			segment; nothing was sent
 * EOVERFLOW		2^32 - 1 ADUs were sent: another would repeat a nonce
 * others		as send_tcpu; the connection is unusable, and further calls get EPIPE */
ssize_t adu_send(struct alf *, const void *data, size_t len, const struct adu_attr *attr);
/* Receives one ADU into buf and returns its length; 0 with attr->number 0 (and only then) at the end of the stream.
 * attr and need may be NULL. Until adu_recv has returned it, buf's content is undefined. -1 with errno:
 * EAGAIN, EINTR	not whole yet: call again with the same buf, which holds what has come; another, or less room,
 *			is EINVAL
 * EMSGSIZE		longer than cap. Nothing is lost: call again with *need bytes. attr says which ADU it is
 * EBADMSG		the peer's framing is wrong, its ADU longer than adu_max, or the stream ended inside an ADU
 * others		as recv_tcpu. After these two, the connection is unusable, and further calls get the same */
ssize_t adu_recv(struct alf *, void *buf, size_t cap, struct adu_attr *attr, size_t *need);

#endif

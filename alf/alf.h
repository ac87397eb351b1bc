/* ALF: application data units over TCPU. An ADU is what the application can use by itself; it keeps its boundaries, is
 * delivered when it is whole, be it over another ADU's hole, and is recovered as the application wants. The chain's
 * loop runs inside TCP: straight into the retransmission buffer, and out of the packet buffer to where the bytes
 * belong.
 *
 * On the wire it is MPA (RFC 5044) with DDP (RFC 5041), which Wireshark knows; other framers plug in, for peers that
 * speak something else, and deliver in the order of the stream.
 *
 * What plain TCP makes impossible: what has a sequence number is delivered to the peer's TCP, or the connection ends.
 * So an ADU that is cancelled, superseded or past its deadline saves the bytes that were not sent yet, and no others; a
 * late byte is still repaired, and takes part of cwnd; and without markers (or with a framer other than MPA) boundaries
 * cannot be found over a hole, so that all behind it waits.
 *
 * Clark and Tennenhouse, SIGCOMM '90; RFC 5041, RFC 5044; RFC 8446 (nonces). */
#ifndef ALF_ALF_H
#define ALF_ALF_H

#include "core/tcpu.h"
#include "ilp/ilp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct alf;        /* a connection that carries ADUs */
struct alf_framer; /* alf/framer.h: how pieces of ADUs are framed on the wire */

extern const struct alf_framer alf_mpa;    /* untagged and tagged DDP in MPA: the default */
/* For peers that speak something else. Of an ADU nothing but its data goes on the wire, so one with a name or a type is
 * refused, and attributes are zeros at the receiver; how long it will be is not known before it ends. ADUs do not
 * mix: by priority goes the next one, once that which has begun is finished. So what has begun can be neither
 * cancelled nor superseded, nor does it expire; while its next part is missing (adu_send_part) nothing goes, and if
 * a call gives it up (EAGAIN, EINTR), the connection is unusable (ECONNABORTED). A chain with AEAD is refused, of
 * alf_chains plain alone counts, and nobody is told of credit: TCP's window holds the peer. */
extern const struct alf_framer alf_record; /* record marking, RFC 5531 section 11: ONC RPC over TCP */
extern const struct alf_framer alf_cobs;   /* a zero ends an ADU, zeros in it are stuffed away by the chain, which must
					    * have the stage cobs (Cheshire and Baker, 1999) [cobs_copy_sum] */
extern const struct alf_framer alf_plain;  /* a stream of bytes: what comes is handed out as it comes, in ADUs of 1 to
					    * adu_max bytes, whose boundaries mean nothing. The chain's unit must be a byte */

const char *alf_framer_name(const struct alf_framer *); /* "mpa", "record", "cobs", "plain"; of NULL the default's */

/* ---- what an ADU says of itself ---- */

#define ADU_NAME_MAX 64
#define ADU_PRIORITIES 8
#define ADU_DEADLINE_MAX 65534 /* milliseconds */
#define ADU_NO_DEADLINE UINT32_MAX

enum adu_recovery {
	ADU_DEFAULT,   /* as the profile says; of one that is sent in parts ADU_KEEP, where that is ADU_RECOMPUTE */
	ADU_KEEP,      /* TCP keeps the bytes until they are acknowledged */
	ADU_RECOMPUTE, /* nobody keeps them: what is lost, alf_hooks.regenerate makes again, the same bytes */
	ADU_TOLERATE,  /* worth nothing after its deadline */
	ADU_SUPERSEDE, /* worth nothing after adu_supersede */
};

struct adu_attr {
	uint8_t name[ADU_NAME_MAX]; /* the application's: where the ADU belongs. In clear, authenticated */
	uint8_t name_len;
	uint8_t type;               /* the application's; in clear, authenticated */
	uint8_t priority;           /* 0 to ADU_PRIORITIES - 1, the most urgent */
	uint8_t recovery;           /* enum adu_recovery */
	uint32_t deadline_ms;       /* from adu_send on, ADU_DEADLINE_MAX at most; 0: as the profile says; ADU_NO_DEADLINE.
				     * What is not sent then never is (ADU_EXPIRED). The receiver counts from the first byte's arrival:
				     * what is not whole then is late (KEEP, RECOMPUTE) or lost (TOLERATE, SUPERSEDE) */
	bool more;                  /* another follows at once: with O_NONBLOCK, this call does not send it, the next one
				     * does, so that the end of the one and the beginning of the other share a segment */
	bool late;                  /* set by the library: it was whole after its deadline only */
};

/* ---- profiles ---- */

/* What happens to the data, by what was negotiated: the same stages, without and with CRC32C, and with markers. Each
 * has a sum on the wire's side. */
struct alf_chains {
	const struct ilp_chain *plain, *crc, *marker;
};
/* The built-in ones: PLAIN_sum, PLAIN_crc32c..., e.g. of "copy": copy_sum, crc32c_copy_sum, marker_crc32c_copy_sum; of
 * "xdr_copy": xdr_copy_sum, xdr_crc32c_copy_sum, xdr_marker_crc32c_copy_sum; "xdr64_copy"; "aes256_gcm_copy". -ENOENT:
 * there is none of that name. */
int alf_family(const char *name, struct alf_chains *);

/* Where bytes of an ADU belong. */
struct adu_where {
	uint64_t id;      /* the ADU's handle; 0: placed by STag */
	uint32_t stag;    /* of bytes that are placed by STag */
	uint64_t offset;  /* of the first byte in the ADU, or in what the STag stands for */
	size_t len;       /* bytes */
	uint64_t total;   /* the whole ADU; UINT64_MAX: nobody knows yet */
	bool named;       /* attr is known: not before the first piece of the ADU has come */
	const struct adu_attr *attr;
};

/* What the peer said at its start. private_data lives as long as the connection. */
struct alf_peer {
	uint64_t adu_max;         /* UINT64_MAX: it did not say */
	const void *private_data;
	uint16_t private_len;
	bool markers, crc;        /* markers: in what goes to the peer, as it wanted; crc: in both directions */
};

/* Calls out of the library. None of them may call into it or into TCP. */
struct alf_hooks {
	/* Where the bytes land: fills to[0..max), whose lengths together are where->len, and returns how many. 0: the
	 * library's own memory will do; -EAGAIN: to be asked again when the name is known; -ECANCELED: the ADU is of no
	 * use, the rest of it is dropped and the peer told. By STag there is but a number. All else ends the connection
	 * with EINVAL, as do other lengths, and 0 once pieces were given. It is not asked about a name before the
	 * segment is known to be good: where the link does not vouch for that, the first frame of an ADU comes by way of
	 * TCP's ring. What lands in several pieces is copied once more; it may be asked again about bytes that were not
	 * taken. The memory is borrowed until the ADU is complete, lost or dropped, and undefined
	 * until it is placed; it may not be read before. NULL: the library's memory. */
	int (*place)(void *ctx, const struct adu_where *where, struct iovec *to, int max);
	/* Makes len bytes of an ADU sent with ADU_RECOMPUTE again, from offset on, the same as they were. attr.name is what
	 * adu_send or adu_put was given, though the peer never sees that of a put: the id may not be known yet where a call
	 * waits. What is made is checked against 48 bits that are kept of each frame, tag and CRC32C folded. false, or other
	 * bytes: the connection ends with ESTALE, and nothing of that was sent; the peer mostly sees no more than that it
	 * ended. It is called inside any call on the connection's stack, until the ADU is acknowledged: by the thread that
	 * makes it. */
	bool (*regenerate)(void *ctx, uint64_t id, const struct adu_attr *, uint64_t offset, void *to, size_t len);
	/* With MPA, of who answers: whether it wants the connection, by what the initiator said. false: the reply rejects,
	 * with the private data, and the connection ends with EACCES. NULL: it does. */
	bool (*accept)(void *ctx, const struct alf_peer *);
	/* The connection's key and IV, where the profile has none: once, when the peer's start-up frame has come. Salts in
	 * both ends' private data make them fresh. false: as accept; at the initiator it ends with EACCES. */
	bool (*key)(void *ctx, const struct alf_peer *, uint8_t *key, uint8_t iv[12]);
	void *ctx;
};

/* A file may say all of it that is no secret and no code: alf/profile.h. */
struct alf_profile {
	const struct alf_framer *framer; /* NULL: alf_mpa */
	struct alf_chains chain;         /* NULLs: those of "copy" */
	const char *schedule;            /* of loops: a twin of the fused ones to compare with, by ilp_schedule_name; each end
					  * its own ["fused"] */
	bool initiator;                  /* exactly one end: sends MPA's request, and keeps both directions' nonces apart */
	bool markers, crc;               /* MPA: wants markers in what the peer sends; wants CRC32C in both directions */
	bool unpacked;                   /* MPA: no two FPDUs in a segment, and what else Wireshark expects; else small ones
					  * share one */
	bool ordered;                    /* ADUs are delivered in the order in which they began. What is put by STag is in no
					  * order: an ADU that comes behind says that it is there */
	/* Of a chain with AEAD (RFC 5116): the key (copied), 16 or 32 bytes, fresh for this connection, and an IV of 12
	 * bytes; NULLs: hooks.key. How both ends agree on them is the application's business. */
	const uint8_t *key, *iv;
	uint64_t rekey_after;            /* FPDUs sealed with a key before the next, derived from it, takes over [2^24] */
	uint32_t forgeries_max;          /* FPDUs that do not authenticate: one more ends the connection, as does any that is
					  * tagged or a message; each loses the ADU that it says it is of [0] */
	uint64_t adu_max;                /* bytes: the peer is told; a longer ADU is its error [16 MiB] */
	uint64_t credit;                 /* bytes of ADUs that may be under way to us or wait here unreleased, ADU_COST more
					  * each; with MPA, of those of higher priorities than 0 ADU_URGENT beyond that
					  * [2 * (adu_max + ADU_COST)] */
	uint32_t quantum;                /* bytes that an ADU sends before another of its priority has its turn [16 KiB] */
	uint32_t wanted;                 /* which events are queued: 1 << enum adu_event_kind each [all but PLACED,
					  * ACKNOWLEDGED, DELIVERED; where ordered DELIVERED instead of COMPLETE] */
	const void *private_data;        /* MPA: the application's, for the peer, copied; ALF_PRIVATE_MAX bytes at most */
	uint16_t private_len;
	struct alf_hooks hooks;
	uint8_t recovery;                /* of ADUs that ask for ADU_DEFAULT [ADU_KEEP] */
	uint32_t deadline_ms;            /* of ADUs that say 0 [ADU_NO_DEADLINE] */
	const char *congestion;          /* TCP's congestion control; NULL: as it is */
	bool quickack;                   /* no ACK is delayed */
};
/* Puts the defaults in the place of zeros and NULLs, as alf_open does by itself: what a profile comes to. */
void alf_complete(struct alf_profile *);
#define ALF_PRIVATE_MAX 492
#define ADU_COST 512     /* bytes of credit that an ADU costs beside its own: what its books take */
#define ADU_URGENT 65536 /* bytes of credit beyond the profile's, for ADUs of higher priorities than 0: else an urgent
			  * one would wait until large ones are whole, and released */

/* Over a connected descriptor of TCPU, which stays the caller's; nothing may have been sent on it. One thread at a
 * time. Sets TCP_NODELAY and TCP_NOTSENT_LOWAT. The start-up frames are exchanged inside the calls that follow; these
 * end with ECONNREFUSED if the peer's reply rejects. NULL with errno: EINVAL (a chain that does not fit framer or
 * options; key or iv missing, or not wanted; private data too long; ADU_RECOMPUTE without regenerate, or with a framer
 * other than MPA; out of range), ENOENT (congestion), ENOMEM. */
struct alf *alf_open(int fd, const struct alf_profile *);
/* What is queued and not sent is dropped. Wipes keys and frees. The descriptor stays open. NULL is fine. What was sent
 * with ADU_RECOMPUTE nobody makes again from then on: wait for its ADU_ACKNOWLEDGED first (profile.wanted). */
void alf_close(struct alf *);
/* false: it has not said it yet. Who was refused (ECONNREFUSED) finds private_data, which may say why. */
bool alf_peer(const struct alf *, struct alf_peer *);

/* What the peer has said that cannot be, where the connection ended with EBADMSG. */
enum alf_reason {
	ALF_NO_REASON,
	/* RFC 5044, section 8 */
	ALF_STREAM_ENDED, /* within a frame or an ADU */
	ALF_BAD_CRC,      /* the frame's CRC does not match */
	ALF_BAD_MARKER,   /* markers and ULPDU_Length do not match */
	ALF_BAD_START,    /* no request or reply frame of MPA, or not the one that is due */
	ALF_BAD_REVISION, /* of that frame */
	ALF_BAD_PRIVATE,  /* its private data: too long; or our own part of it is cut off */
	/* RFC 5041, section 7 */
	ALF_BAD_STAG,     /* of no region */
	ALF_BAD_BOUNDS,   /* outside the region */
	ALF_TO_WRAPS,     /* the tagged offset, within the frame */
	ALF_BAD_QN,       /* of no queue */
	ALF_NO_BUFFER,    /* beyond the credit */
	ALF_BAD_MSN,      /* 0; of an ADU that is done with; or too far ahead */
	ALF_BAD_MO,       /* outside the ADU, or what stands there has come before; or two frames of an ADU contradict each
			   * other */
	ALF_TOO_LONG,     /* for adu_max */
	ALF_BAD_VERSION,  /* DDP's, or RDMAP's as Wireshark sees it */
	/* ours */
	ALF_BAD_LENGTH,   /* of a frame, which has no room for its headers; or a stream of empty fragments */
	ALF_BAD_HEADER,   /* what we put into fields that DDP leaves to the upper layer, or into the preface */
	ALF_BAD_MESSAGE,  /* about credit, or an ADU that is dropped */
	ALF_BAD_DATA,     /* the chain refuses it */
	ALF_FORGED,       /* not authentic, one more than forgeries_max */
	ALF_REASONS
};
enum alf_reason alf_reason(const struct alf *);
const char *alf_reason_text(enum alf_reason); /* "the CRC does not match" */

/* ---- sending ---- */

/* Sends one ADU, all or nothing. Waits until all of it is in the retransmission buffer, and data is the caller's again;
 * with O_NONBLOCK it is queued instead, and data is the library's until one of the events ADU_SENT, ADU_EXPIRED,
 * ADU_CANCELLED and ADU_ERROR (the array of adu_sendv is copied). What comes meanwhile is taken, as far as the credit
 * goes. Returns the handle, which is never used again. attr may be NULL. -1 with errno:
 * EMSGSIZE		longer than the peer's limit, or than framer or cipher can count (RECOMPUTE: 2^32 - 1); empty, with
 *			alf_plain; nothing was sent
 * EINVAL		an attribute out of range; name or type with a framer that sends none; RECOMPUTE without regenerate,
 *			or with a framer other than MPA
 * EAGAIN, EINTR	(waiting) SO_SNDTIMEO, a signal: what is not sent is dropped, and the peer told
 * EDEADLK		(waiting, with MPA) nothing was sent, for the peer gives no credit; what has come from it and was not
 *			released leaves it none, so it may wait as well; and neither end has moved for half a second:
 *			receive, and send again
 * ECANCELED		(waiting) the peer does not want it
 * ETIME		its deadline has passed before it was sent
 * ENOMEM, EOVERFLOW	2^32 - 1 ADUs were sent, with MPA
 * others		as send_tcpu; the connection is unusable */
int64_t adu_send(struct alf *, const void *data, size_t len, const struct adu_attr *attr);
int64_t adu_sendv(struct alf *, const struct iovec *pieces, int n, const struct adu_attr *attr);
/* An ADU that is larger than memory: *id 0 begins one of total bytes; then part by part in order, *id as it was set.
 * As adu_send for each part; the last one ends it. EINVAL: more than total; or a part, but the last, that is no
 * multiple of the chain's unit: of the first one too the ADU is begun, and may go on or be cancelled. ENOENT: it was
 * dropped. With O_NONBLOCK, EAGAIN: the part before is under way still. Returns len. The peer's adu_max and credit hold
 * for the whole, and it needs memory for that unless its hooks.place says where. */
ssize_t adu_send_part(struct alf *, int64_t *id, uint64_t total, const void *part, size_t len,
	const struct adu_attr *attr);
/* Puts bytes where the peer exposes them: tagged DDP. They are no ADU to the peer, which is told nothing but that they
 * are placed; what comes after them says what they were for. They cost no credit, but go behind ADUs of their priority
 * that wait for it. Otherwise as adu_send; attr: priority, deadline, recovery. */
int64_t adu_put(struct alf *, uint32_t stag, uint64_t to, const void *data, size_t len, const struct adu_attr *attr);
/* Drops what was not sent yet of an ADU; the peer drops what it has of it. ENOENT: all of it was sent, or it never was;
 * EBUSY: it has begun, and the framer cannot stop within it. */
int adu_cancel(struct alf *, int64_t id);
/* The same, and sends another in its place in the queue, if it has the same priority. As adu_send, and where that
 * refuses, the old one stays; an old one that was sent already is no error. */
int64_t adu_supersede(struct alf *, int64_t old, const void *data, size_t len, const struct adu_attr *attr);

/* ---- receiving ---- */

/* Lets the peer put bytes to base[0..len) by that STag; base NULL: hooks.place says where. What was placed stays until
 * what is put over it is known to have come whole, which costs a copy: what is to be written anew, expose anew. EEXIST,
 * EINVAL, ENOMEM. */
int adu_expose(struct alf *, uint32_t stag, void *base, uint64_t len);
/* No longer: what the peer puts there then ends the connection. ENOENT. */
int adu_hide(struct alf *, uint32_t stag);
/* Receives one ADU into buf, and releases it, which copies it once more than events and hooks.place do; returns its
 * length; 0 with *id 0 (and only then) at the end of the stream. While it waits, what was lost is forgotten: adu_next
 * tells no more of it. attr, id and need may be NULL. -1 with errno:
 * EAGAIN, EINTR	none is whole
 * EMSGSIZE		longer than cap. Nothing is lost: call again with *need bytes
 * EBADMSG		the peer's framing is wrong, its ADU is longer than adu_max, it was not authentic, or the stream
 *			ended inside an ADU: alf_reason() says which
 * others		as recv_tcpu. After these, the connection is unusable, and further calls get the same */
ssize_t adu_recv(struct alf *, void *buf, size_t cap, struct adu_attr *attr, int64_t *id, size_t *need);

/* ---- events ---- */

enum adu_event_kind {
	ADU_OPENED,       /* the peer's start-up frame has come */
	ADU_PLACED,       /* bytes [offset, offset + len) of an ADU, or by an STag, are in their place */
	ADU_COMPLETE,     /* all of an ADU is, though others before it may not be; data [0, len) is there until adu_release */
	ADU_DELIVERED,    /* and all that began before it are complete, or will never be */
	ADU_LOST,         /* it will not be completed: error says why */
	ADU_SENT,         /* all of it is TCP's: data is the application's again */
	ADU_ACKNOWLEDGED, /* the peer's TCP has all of it; of one with ADU_RECOMPUTE that was dropped on the way, all that was
			   * sent: it need not be made again */
	ADU_EXPIRED,      /* its deadline passed before all was sent: error ETIME, or ECANCELED where the peer says so */
	ADU_CANCELLED,    /* error ECANCELED: by adu_cancel, or since the peer did not want it; EEXIST: by adu_supersede;
			   * EMSGSIZE: the peer's limit, which came later, or a segment, is too small for it */
	ADU_CREDIT,       /* the peer takes more: what waited for that goes on */
	ADU_ENDED,        /* the peer sends no more ADUs */
	ADU_ERROR,        /* the connection is unusable: error; where that is EBADMSG, alf_reason() says more */
	ADU_EVENTS
};
struct adu_event {
	enum adu_event_kind kind;
	int error;           /* a positive errno: LOST: ECANCELED, EEXIST (superseded), ETIME, EBADMSG; CANCELLED;
			      * ERROR */
	int64_t id;          /* the ADU's handle; 0: of none */
	uint32_t stag;       /* PLACED: where id is 0 */
	uint64_t offset, len;
	const void *data;    /* COMPLETE, DELIVERED: NULL if hooks.place said where, or there are none */
	struct adu_attr attr;
};
const char *adu_event_name(enum adu_event_kind);
/* The next event. timeout_ms as poll(2)'s; it moves what can be moved both ways. 1; 0: none in that time, or, at once
 * and whatever the time, all is over: ADU_ENDED was told, and nothing is left to go or to be acknowledged. -1 with
 * errno: EINTR, or the connection's after ADU_ERROR was told. Beside poll_tcpu: call it until 0, then poll the
 * descriptor for POLLIN, and POLLOUT where adu_pending() says so, for adu_timeout() milliseconds, which are 0 while
 * there is something to tell: what is sent at once has its events at once. Where turns are yours (stack_turn_tcpu),
 * call it before each. */
int adu_next(struct alf *, struct adu_event *, int timeout_ms);
bool adu_pending(const struct alf *);
int adu_timeout(const struct alf *);
/* Done with an ADU that is complete, wherever its bytes are: the library's memory is its own again, and the peer has
 * the credit back. What was lost needs none. ENOENT. */
int adu_release(struct alf *, int64_t id);

/* What happened, for tests and measurement. */
struct alf_stats {
	uint64_t adus_sent, adus_complete, adus_over_hole; /* the last: complete while something before them was missing */
	uint64_t fpdus_out, fpdus_in, fpdus_direct;        /* the last: by the loop straight from the packet buffer */
	uint64_t regenerated, forgeries, rekeys;
	uint64_t bytes_held, bytes_held_max;               /* of the library's memory for ADUs that come */
};
void alf_stats(const struct alf *, struct alf_stats *);

#endif

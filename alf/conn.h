/* A connection that carries ADUs, from the inside: what the files of alf/ share. It knows neither descriptors nor
 * clocks: those who drive an engine themselves hand out.source and in.sink to TCP, and tell the time. */
#ifndef ALF_CONN_H
#define ALF_CONN_H

#include "alf/control.h"
#include "alf/due.h"
#include "alf/framer.h"
#include "alf/list.h"
#include "alf/mpa.h"
#include "alf/stream.h"
#include "alf/table.h"
#include "core/ranges.h"

#include <errno.h>
#include <string.h>

/* A set of ranges whose memory grows. Mostly there is but one, which needs none. */
struct alf_ranges {
	struct range one;  /* where the set is empty: the only one, or none, with nothing between begin and end */
	struct ranges set; /* two at least */
	void *memory;
};
int alf_ranges_add(struct alf_ranges *, uint64_t begin, uint64_t end); /* -ENOMEM */
static inline uint32_t alf_ranges_count(const struct alf_ranges *r)
{
	return r->set.count ? r->set.count : r->one.begin < r->one.end;
}
/* The lowest range that touches [begin, end). false: there is none. */
bool alf_ranges_find(const struct alf_ranges *, uint64_t begin, uint64_t end, struct range *);
static inline bool alf_ranges_meet(const struct alf_ranges *r, uint64_t begin, uint64_t end)
{
	struct range met;

	return alf_ranges_find(r, begin, end, &met);
}
/* The lowest range. false: there is none. */
bool alf_ranges_first(const struct alf_ranges *, struct range *);
/* Takes it out. There must be one. */
void alf_ranges_pop(struct alf_ranges *);
void alf_ranges_free(struct alf_ranges *);

/* ---- events ---- */

/* What has something to tell: the connection, an ADU that goes, one that comes, a region. */
struct alf_news {
	struct alf_link link; /* in alf.news, while it has */
	enum { NEWS_SELF, NEWS_OUT, NEWS_IN, NEWS_REGION } of;
	bool last;            /* nothing comes after what it has to tell: it is freed then */
	uint32_t kinds;       /* 1 << enum adu_event_kind */
	int error;
};

/* ---- the chain ---- */

/* A chain with what a framer sets and asks for: looked up once. */
struct alf_way {
	const struct ilp_chain *chain;
	ilp_loop *loop[ILP_DIRECTIONS];
	const struct ilp_param *key, *nonce, *place, *base, *before;
	const struct ilp_value *crc; /* NULL: it sums none */
	uint8_t word; /* bytes of the words that it turns from this machine's order to the wire's; 0: it turns none */
};

/* One FPDU's, or one ADU's, way through the chain. The state keeps a key that was expanded. */
struct alf_run_state {
	const struct alf_way *way;
	uint64_t generation; /* of the key that it holds, and 1 more; 0: none */
	struct ilp_any state;
};

struct alf_key {
	uint8_t key[32];
	uint64_t generation, sealed; /* sealed: FPDUs with it */
	uint64_t from;               /* offset of the stream where it was seen first */
};

/* What makes a nonce differ from all others, beside the number. */
enum { NONCE_INITIATOR = 0x80, NONCE_TAGGED = 0x40, NONCE_CONTROL = 0x20, NONCE_REKEY = 0x10 };

/* ---- out ---- */

struct adu_out {
	struct alf_link link;        /* in the one list that it is in */
	struct alf_news news;
	uint64_t ticket;             /* in the queue: whose turn it is, of equals; the lowest's */
	int64_t id;
	struct adu_attr attr;
	const struct iovec *piece;   /* what of the application's data is still to go: the first one from `in_piece` on */
	int pieces;                  /* more than one: they are copied behind the struct */
	struct iovec own;            /* the only piece, where there is one */
	int64_t instead;             /* of alf_queue: the handle of the one whose place it takes; 0: nobody's */
	size_t in_piece;
	uint64_t total, done, here;  /* bytes of data; written to TCP's buffer; given by the application */
	uint64_t end;                /* offset of the stream behind what was written */
	struct alf_due due;
	uint32_t msn;                /* 0: it has not begun */
	uint32_t turn;               /* bytes of this turn */
	uint32_t again;              /* its place in alf_out.again; AGAIN_NONE */
	bool begun, tagged, parted, waited; /* waited: a call waits for it, and tells by itself */
	enum { OUT_QUEUED, OUT_SENT, OUT_DROPPED } state;
	enum control_reason reason;
	uint32_t stag;
	uint64_t to;
};

/* All that is kept of an ADU with ADU_RECOMPUTE once it was sent, until the peer has it. */
struct adu_again {
	int64_t id;
	uint64_t to, end;        /* TO, of tagged ones; offset of the stream behind it, UINT64_MAX: it is under way */
	uint32_t total, msn, stag;
	uint32_t next;           /* the next one that was begun, or is free; AGAIN_NONE */
	uint16_t deadline_ms;
	uint8_t type, priority, name_len;
	bool tagged, quiet;      /* quiet: nothing of it was sent */
	uint8_t name[ADU_NAME_MAX];
};
_Static_assert(sizeof(struct adu_again) <= 128, "what is kept of an ADU that can be made again");
#define AGAIN_NONE UINT32_MAX

struct alf_out {
	struct seam_source source;
	struct alf_queue {
		struct alf_list begun, fresh, idle; /* with something to go: begun, or not; waiting for its next part */
	} queue[ADU_PRIORITIES];
	uint32_t busy;               /* 1 << priority each: has some that are not idle */
	uint64_t ticket;             /* the next one */
	struct alf_table ids, msns;  /* those in queue; of them, those that have begun and are not tagged */
	struct alf_dues dues;        /* those in queue with a deadline */
	struct alf_list sent, told;  /* until TCP's peer has them; dropped, to be told */
	uint32_t msn[2];             /* the next one, by enum ddp_queue */
	uint64_t credit, used;       /* cumulative: granted by the peer; begun */
	uint64_t urgent;             /* what ADUs of priority 0 leave of it */
	struct adu_out *under_way;   /* the one that must end before another begins; NULL: none must */
	struct alf_list stops;       /* ADUs of the peer's of which we want no more, to be told */
	uint16_t start_done;         /* bytes of the start-up frame that were written */
	uint32_t repeated;           /* of told: those that were not dropped here */
	bool reject;                 /* the reply does */
	bool greeting;               /* the first message is due: until it has come, the peer sends none (RFC 5044 7.1.2) */
	bool no_credit;              /* an ADU waits for it */
	bool started, open, markers; /* the start-up frame is out; frames may go; with markers */
	uint64_t origin;             /* offset of the stream where frames begin */
	const struct alf_way *way;
	struct alf_run_state run;
	struct alf_key key, before;  /* before: the one that came before it */
	struct adu_again *again;     /* a table: begun ones in a list, free ones in another */
	uint32_t again_max, again_first, again_last, again_free;
	uint32_t acked_first, acked_last; /* of the table: acknowledged, to be told */
	uint64_t acked;              /* offset of the stream */
};

/* ---- in ---- */

struct adu_in {
	struct alf_link link;         /* in alf_in.adus */
	struct alf_link turn;         /* in alf_in.ready or, which is never at the same time, in alf_out.stops */
	struct alf_news news;
	uint64_t msn;
	bool unknown;                 /* gone before it began: its total is */
	bool hooked;                  /* hooks.place said where */
	bool named, whole, gone;      /* the first piece has come; all has; nobody wants it, what comes of it is dropped */
	bool delivered;
	struct alf_due end;           /* gone, and it is known behind which offset of the stream nothing of it comes */
	enum control_reason reason;
	uint8_t *data;                /* the library's; NULL: hooks.place said where */
	uint64_t room;                /* bytes of it */
	uint64_t total, got, cost;    /* bytes; total UINT64_MAX: it has not ended, and nobody knows; cost: of credit, not
				       * given back yet */
	struct alf_due due;
	struct adu_attr attr;
	struct alf_ranges placed, fresh; /* what has come; of it, what nobody was told of */
};

_Static_assert(sizeof(struct adu_in) + 2 * sizeof(struct alf_slot) <= ADU_COST, "what is said to cost that");

struct alf_region {
	struct alf_news news;
	struct alf_region *next;
	uint32_t stag;
	uint8_t *base;
	uint64_t len;
	struct alf_ranges placed, fresh;
};

#define ALF_PIECES_MAX 16
/* What a frame has done: while its segment is not checked, it can be undone. */
struct alf_done {
	struct adu_in *adu;
	struct alf_region *region;
	bool created, control, names; /* the ADU is new; it is a message; attr has come with it */
	bool last;               /* the ADU ends with it: that is how long it is */
	bool over;               /* what was placed by STag is there: it stays until this is known to be good */
	struct adu_attr attr;
	struct iovec to[ALF_PIECES_MAX]; /* where its bytes went */
	int pieces;
	uint64_t offset, len;
	uint64_t at;             /* of the stream */
	struct alf_control told;
};
#define ALF_DONE_MAX 16
#define ALF_SPARES 16

struct alf_in {
	struct seam_sink sink;
	uint64_t next;           /* offset of the stream up to which all was taken, */
	struct alf_ranges over;  /* and what was over holes */
	struct alf_done done[ALF_DONE_MAX];
	unsigned done_count;
	bool rest;               /* in order, something waits that is no whole frame */
	bool heard, open;        /* the start-up frame has come, and said yes; */
	bool ended, full;        /* the stream has ended; no credit for what comes next */
	bool markers, crc, hello;
	uint64_t origin;         /* offset of the stream where frames begin */
	uint64_t peer_max;
	uint16_t private_len;
	uint8_t private_data[MPA_PRIVATE_MAX];
	struct alf_table msns;       /* all */
	struct alf_list adus, ready; /* all, as they began; those that adu_recv may hand out, as they came to be so */
	struct alf_spare {
		uint8_t *data;
		uint64_t room;
	} spare[ALF_SPARES];        /* memory of ADUs that were released, for the next: what is given to the kernel and */
	unsigned spares, oldest_spare; /* asked for again costs more than what an ADU is */
	struct alf_ranges finished; /* MSNs less 1 */
	uint64_t low;               /* all up to this MSN are finished */
	struct alf_dues dues;       /* ADUs with a deadline that are not whole */
	struct alf_dues gone;       /* those of which it is known where they end: due by offsets of the stream */
	uint64_t limit;                 /* of credit: the profile's, and for what is urgent */
	uint64_t begun, returned, told; /* cumulative credit: of ADUs begun; given back; of that, what the peer knows */
	struct alf_region *regions;
	const struct alf_way *way;
	struct alf_run_state run;
	struct alf_key key, before; /* before: the one that came before it */
};

struct alf {
	struct alf_profile profile;
	const struct alf_framer *framer;
	struct alf_way way[3];     /* plain, crc, marker */
	uint8_t key_len, iv[12], seal; /* bytes; seal: of the tag behind the data, 0: no AEAD */
	uint8_t *scratch, *aside;  /* for loops; for data that goes to several places */
	size_t scratch_len;
	uint8_t private_data[ALF_PRIVATE_MAX];
	uint64_t now_us;
	uint64_t (*clock)(void);   /* what it is while a call waits; NULL: now_us */
	int fd;
	uint64_t acked;            /* offset of the stream that goes */
	int error;                 /* a positive errno: the connection is unusable */
	enum alf_reason reason;    /* of the last -EBADMSG, which may have been taken back where error is none */
	struct alf_news self;
	struct alf_list news;
	int64_t next_out;          /* handle: they are odd, those of what comes even */
	struct alf_out out;
	struct alf_in in;
	struct alf_stream stream;
	struct alf_stats stats;
};

/* alf.c */
#define ALF_PIECE_MAX 65536 /* bytes of an FPDU at most, and of IP's: loops run over no more at a time */
/* What the chains of a complete profile come to, by what was negotiated: without and with CRC32C, and with markers; of
 * a framer without frames the first alone. -EINVAL: they do not fit. */
int alf_ways(struct alf_way way[3], const struct alf_profile *);
struct alf *alf_new(const struct alf_profile *); /* NULL with errno, as alf_open */
void alf_free(struct alf *);
void alf_fail(struct alf *, int error);          /* the first error stays */
/* What all say that found the peer wrong. -EBADMSG */
static inline int alf_bad(struct alf *a, enum alf_reason reason)
{
	if (!a->error)
		a->reason = reason;
	return -EBADMSG;
}
bool alf_agree(struct alf *);                    /* to the connection, and on a key, as hooks say; in.open is set */
void alf_opened(struct alf *);                   /* MPA's frames were exchanged, or there are none */

/* news.c */
void alf_tell(struct alf *, struct alf_news *, enum adu_event_kind, int error);
void alf_untell(struct alf_news *);
/* Nobody asks any more: what was kept for its news alone is freed. */
void alf_tell_no_more(struct alf *);
/* Nobody will ask for ADUs that were lost, and of which nothing comes any more: they are forgotten. */
void alf_tell_no_losses(struct alf *);
bool alf_event(struct alf *, struct adu_event *);
static inline bool alf_has_news(const struct alf *a)
{
	return a->news.first || a->out.acked_first != AGAIN_NONE;
}

/* out.c: the calls but for the waiting. A handle, or a negative errno. like: what the ADU is to be. */
void alf_out_init(struct alf *);
int64_t alf_queue(struct alf *, const struct adu_out *like, struct adu_out **out);
/* The next part of it, to go. 0; -EINVAL; -EAGAIN: the one before is under way still. */
int alf_part(struct alf *, struct adu_out *, const void *part, size_t len);
int alf_drop(struct alf *, struct adu_out *, enum control_reason, int error);
/* The peer stops an ADU of which nothing is to go any more: it is told that nothing will come. */
void alf_repeat_dropped(struct alf *, const struct alf_control *stop);
bool alf_wants_out(const struct alf *);                /* source.fill would write something */
void alf_acked(struct alf *, uint64_t off);      /* the peer's TCP has all before off */
bool alf_wants_acks(const struct alf *);         /* something waits for that */
void alf_out_free(struct alf *);
void alf_out_tick(struct alf *);
/* Runs the loop over the ADU's next n bytes. Returns what it wrote. */
size_t alf_loop_out(struct alf *, struct adu_out *, uint8_t *dst, size_t n);
/* How many of so many bytes that are left go into a piece with room for that many. */
size_t alf_cut(const struct ilp_chain *, uint64_t offset, uint64_t left, size_t room);
/* The control message that is due. false: none is. */
bool alf_control_due(const struct alf *);
void alf_control_next(struct alf *, struct alf_control *);

/* What ADUs of priority 0 leave of so much credit: nothing of what the longest one needs. */
static inline uint64_t alf_urgent(uint64_t credit, uint64_t adu_max)
{
	const uint64_t adus = credit > ADU_COST ? credit - ADU_COST : 0, more = adus > adu_max ? adus - adu_max : 0;

	return more < ADU_URGENT ? more : ADU_URGENT;
}

/* queue.c: whose turn it is. Those of a priority take turns; a higher one's come first. */
/* It is last in its queue, or has the other's turn (of the same priority), whose place is in it as well. -ENOMEM. */
int alf_queue_add(struct alf *, struct adu_out *, struct adu_out *instead);
void alf_queue_remove(struct alf *, struct adu_out *);
/* It has begun, or has or lacks data now, or has had its turn: goes to where it belongs. */
void alf_queue_move(struct alf *, struct adu_out *, bool last);
struct adu_out *alf_out_find(const struct alf *, int64_t id);
/* Whose frame is next; NULL: nobody's. *blocked: one waits for credit. */
struct adu_out *alf_queue_next(const struct alf *, bool *blocked);
void alf_queue_free(struct alf *);

/* again.c: ADUs that are made again. A place in the table, for one that begins; AGAIN_NONE: no memory. */
uint32_t alf_again_new(struct alf *, const struct adu_out *);
void alf_again_acked(struct alf *, uint64_t off);
bool alf_again_told(struct alf *, struct adu_event *); /* ADU_ACKNOWLEDGED of the next one; false: there is none */
/* The regenerated data of a piece: len bytes from offset on, of the ADU at that place of the table, in alf.aside.
 * false: the application has not made them. */
bool alf_again_data(struct alf *, uint32_t place, uint64_t offset, size_t len);

/* in.c */
void alf_in_init(struct alf *);
void alf_in_free(struct alf *);
int alf_in_end(struct alf *);                    /* the stream is over. -EBADMSG: inside an ADU */
void alf_run_cut(const struct alf_run *, uint64_t off, void *to, size_t n);
static inline void alf_run_read(const struct alf_run *run, uint64_t off, void *to, size_t n)
{
	if (off - run->off + n <= run->len[0])
		memcpy(to, run->data[0] + (off - run->off), n);
	else
		alf_run_cut(run, off, to, n);
}
/* Bytes of the run in one piece of memory from off on, n at most. */
size_t alf_run_piece(const struct alf_run *, uint64_t off, size_t n, const uint8_t **at);
struct alf_done *alf_done_next(struct alf *, uint64_t at); /* NULL: no more than so many in a segment */
void alf_scatter(const struct alf_done *, const uint8_t *from);

/* room.c: the library's memory for ADUs that come. It is to hold the ADU's first `end` bytes. 0; -ENOMEM, -EAGAIN: no
 * credit, where nobody knows how long it will be. */
int alf_room_make(struct alf *, struct adu_in *, uint64_t end);
void alf_room_drop(struct alf *, struct adu_in *);
void alf_room_free(struct alf *); /* what is spare */

/* books.c: ADUs that come */
struct adu_in *alf_in_find(const struct alf *, int64_t id);
int64_t alf_in_id(const struct adu_in *); /* its handle */
struct adu_in *alf_in_of(const struct alf *, uint64_t msn);
/* The one that began first. NULL: there is none. */
static inline struct adu_in *alf_in_first(const struct alf *a)
{
	return ALF_OF(adu_in, link, a->in.adus.first);
}
/* The peer has no credit for its longest ADU, nothing of it is under way, and what would give it some is the
 * application's to release. */
bool alf_holds_up(const struct alf *);
/* A new one, for its first frame. NULL with *error -ENOMEM, -EBADMSG, or -EAGAIN: no credit. */
struct adu_in *alf_in_new(struct alf *, uint64_t msn, uint64_t total, bool in_order, int *error);
/* Whether bytes that were placed are there, for all that is known. */
bool alf_region_has(const struct alf_region *, uint64_t offset, uint64_t len);
/* Where done->len bytes from done->offset on belong: sets done->to. 0; -EAGAIN, -EBADMSG, -ENOMEM, -ECANCELED. */
int alf_place(struct alf *, struct alf_done *);
void alf_placed(struct alf *, const struct alf_done *);
void alf_unplaced(struct alf *, struct alf_done *);
/* It will not be whole. until: no byte of it comes behind that offset of the stream, as far as is known (UINT64_MAX).
 * stop: the peer is told, for that reason; 0: it knows. */
void alf_lose(struct alf *, struct adu_in *, int error, uint64_t until, enum control_reason stop);
void alf_skipped(struct alf *, struct adu_in *, uint64_t len); /* bytes of one that is gone have come */
void alf_heard(struct alf *, const struct alf_control *, uint64_t at);
void alf_give_back(struct alf *, struct adu_in *);
void alf_forget(struct alf *, struct adu_in *);
void alf_passed(struct alf *);                   /* in.next has moved */

/* Time has passed: deadlines. When it must be told again; TCPU_NEVER. */
void alf_tick(struct alf *, uint64_t now_us);
uint64_t alf_deadline(const struct alf *);

/* chain.c */
int alf_way_of(struct alf_way *, const struct ilp_chain *, enum ilp_schedule, bool markers, bool crc);
/* Begins the chain for a frame or an ADU. */
struct alf_begin {
	const struct alf_key *key;
	uint8_t what;        /* NONCE_...: with number the nonce */
	uint64_t number;
	uint32_t place, base; /* where its first byte stands: in the stream of frames; from the frame's first byte on */
	uint32_t before;     /* CRC32C of what comes before it */
};
void alf_chain_begin(const struct alf *, struct alf_run_state *, const struct alf_way *, const struct alf_begin *);
/* CRC32C of what came before the data, and it. */
uint32_t alf_chain_crc(const struct alf_run_state *);
void alf_rekey(const struct alf *, struct alf_key *, bool out, uint64_t from);

#endif

/* xfer: files and trees, put at their places in the other end's files by tagged DDP, in whatever order they come.
 *
 *	sender                                             receiver
 *	start-up frames of MPA: struct greeting       <->          each sees by itself whether they can talk
 *	HELLO  bytes in all                           -->
 *	ENTRY  a file, a directory (wire.c)           -->          many, before the first is DONE
 *	                                              <--  WANT    pieces that are here, and their digest
 *	[FRESH the file has others there              -->
 *	                                              <--  WANT    no piece is here ]
 *	bytes of the others by STag: number + 1       -->          placed in order or not
 *	END    digest of the whole file               -->
 *	                                              <--  DONE    it is whole, and has its name
 *	BYE    all are DONE                           -->
 *	                                              <--  ANSWER  0
 *
 * An ANSWER with a status may come at any time, and so may the sender's GIVE_UP. The status is the one byte of the
 * ADU's name: it is an exit status, below, and the data says it in words. ALIVE says that an end is busy.
 *
 * A file goes in pieces of the same size but for the last. The sender keeps none of them for TCP: what is lost is read
 * from the file again (ADU_RECOMPUTE). The receiver's digest of a piece is made when it is whole. It finds what goes
 * wrong between one disk and the other, a file that changes meanwhile, and what an earlier transfer left here that is
 * another file's; it is no protection against attackers. */
#ifndef XFER_H
#define XFER_H

#include "adu-examples/common/profile.h"
#include "adu-examples/common/road.h"
#include "alf/alf.h"

#include <limits.h>
#include <time.h>

enum adu_type { HELLO = 1, ENTRY, WANT, FRESH, END, DONE, BYE, ANSWER, GIVE_UP, ALIVE };

#define MAGIC "TCPUxfer"
#define VERSION 2
#define CHAIN_CLEAR "copy"
#define CHAIN_KEYED "aes256_gcm_copy"
#define KEY_SALT 16
/* What each end says of itself, in MPA's private data: on the wire as it stands, big-endian. */
struct greeting {
	char magic[8];
	uint32_t version;
	char chain[PROFILE_CHAIN_MAX]; /* ends with 0 */
	uint8_t salt[KEY_SALT], proof[KEY_SALT]; /* with a key, else 0; the proof: that it is the same */
};

#define TEXT_MAX 256
#define PIECE_MIN 4096U
#define PIECE_MAX (16U << 20)
#define PIECES_MAX (1U << 24)  /* of a file: 64 MiB to remember what is missing of each */
#define ENTRIES_MAX 64         /* that are not DONE: so a small file does not wait for the one before */
#define MESSAGE_MAX (24U << 10) /* bytes of the longest ADU that is no piece: WANT */

struct options {
	bool receive, once, json;
	struct road road;
	const char *file, *key_file;
	struct alf_profile profile;
	char chain[PROFILE_CHAIN_MAX];
	uint32_t piece_bytes;
	uint8_t key[32];
};

enum status send_files(const struct options *);
enum status receive_files(const struct options *);

/* key.c: 32 bytes or 64 hex digits. Complains. */
enum status key_read(const char *file, uint8_t key[32]);
/* That an end has the key, to who has it as well: it tells a mistake at once. */
void key_prove(const uint8_t key[32], bool sender, const uint8_t salt[KEY_SALT], uint8_t proof[KEY_SALT]);
/* A connection's key and IV, of both ends' salts. */
void key_derive(const uint8_t key[32], const uint8_t *sender, const uint8_t *receiver, uint8_t to[32], uint8_t iv[12]);

/* ---- wire.c: messages. What is read is a peer's, or of a file that anybody may have written. ---- */

enum kind {
	KIND_FILE = 1,
	KIND_DIRECTORY, /* to be made, before what is in it */
	KIND_SETTLE,    /* a directory's mode and time, when nothing more comes into it */
};

struct entry {
	uint32_t number; /* from 0 */
	enum kind kind;
	uint32_t mode, piece_bytes; /* 0777 of the mode */
	uint64_t size;
	struct timespec mtime;
	char path[PATH_MAX]; /* relative, of the tree's name on; any bytes but 0 */
};
/* Pieces [first, first + count). */
struct span {
	uint32_t first, count;
};
#define SPANS_MAX 2048
struct spans {
	uint32_t n;
	struct span of[SPANS_MAX]; /* in order, none empty, none touching the next */
};

/* They return the bytes of the message, or whether it is one. */
size_t entry_write(const struct entry *, uint8_t to[MESSAGE_MAX]);
bool entry_read(struct entry *, const uint8_t *from, size_t len);
size_t want_write(uint32_t number, const struct spans *, uint64_t digest, uint8_t to[MESSAGE_MAX]);
/* The file that it is about comes first: */
bool number_read(uint32_t *number, const uint8_t *from, size_t len);
bool want_read(struct spans *, uint64_t *digest, uint32_t pieces, const uint8_t *from, size_t len);
/* NUMBER and a digest: END. */
size_t end_write(uint32_t number, uint64_t digest, uint8_t to[12]);
bool end_read(uint64_t *digest, const uint8_t *from, size_t len);
/* How much of a text from afar can be shown: no control characters, no escape sequences. */
size_t legible(const char *text, size_t len);
/* The same of a name, with others in place of what cannot. */
const char *shown(const char *name);

/* ---- peer.c: the other end. Those that return a status have complained, unless it is OK. ---- */


struct peer {
	const struct options *options;
	int fd;
	struct alf *alf;
	bool broken;
	struct greeting greeting;
	uint64_t spoke_us; /* when it was told last that we live */
};

/* Until both ends have greeted one another, and agree. The hooks' ctx begins with the peer. */
enum status peer_open(struct peer *, const struct options *, int fd, const struct alf_hooks *);
void peer_close(struct peer *);
enum status peer_send(struct peer *, enum adu_type, const void *data, size_t len);
enum status peer_put(struct peer *, uint32_t stag, uint64_t to, const void *data, size_t len, const struct adu_attr *);
/* The next event; without waiting, kind is ADU_EVENTS where there is none. That the peer gives up is said on stderr and
 * becomes the result, and so does its end. An ADU is to be released (adu_release). */
enum status peer_next(struct peer *, struct adu_event *, bool wait);
/* Tells the peer, as ANSWER or GIVE_UP. */
enum status peer_tell(struct peer *, enum status, const char *text);
/* For who computes for long: tells it now and then, so that it keeps waiting. */
void peer_alive(struct peer *);
enum status peer_nonsense(void);

/* ---- digest.c ---- */

uint64_t digest(uint64_t offset, const void *data, size_t len);

/* ---- pieces.c ---- */

uint32_t pieces_of(const struct entry *);
size_t piece_length(const struct entry *, uint32_t piece);
bool spans_sound(const struct spans *, uint32_t pieces);
uint64_t spans_bytes(const struct spans *, const struct entry *);
/* Reads all of len bytes. -errno; -ENODATA: the file is shorter. */
int read_piece(int file, void *to, uint64_t offset, size_t len);
/* The digests of those pieces of the file, summed up. As read_piece. */
int digest_pieces(struct peer *, int file, const struct entry *, const struct spans *, uint64_t *sum);

/* ---- walk.c: what there is to send ---- */

struct walk {
	const char *root;
	char *real;
	void *fts;
	size_t skip;     /* bytes of a path before the tree's name */
	bool settling;   /* directories, once more */
	bool left_out;   /* something could not be sent */
	uint64_t bytes;  /* of all files */
	int single;      /* the only file; -1 */
};
struct walk_item {
	struct entry entry;
	char path[PATH_MAX]; /* here */
	int file;            /* of a file: the caller's; else -1 */
};
enum status walk_open(struct walk *, const char *root);
/* false: there is nothing more, until walk_settle: then directories come once more. */
bool walk_next(struct walk *, struct walk_item *);
void walk_settle(struct walk *);
void walk_close(struct walk *);

/* ---- target.c: names at the receiver. -errno ---- */

struct target {
	int dir;
	char name[NAME_MAX + 1], part[NAME_MAX + 1], map[NAME_MAX + 1], fresh[NAME_MAX + 1];
};
/* A name that is one: not "", ".", "..", nor of what is left of transfers. */
bool target_name_is_sound(const char *name, size_t len);
bool target_is_left(const char *name);
/* path below base, whose directories are there already. -EINVAL: it is none. */
int target_open(struct target *, int base, const char *path);
void target_close(struct target *);
int target_make_directory(const struct target *, uint32_t mode);
int target_settle(const struct target *, const struct entry *);
/* What an earlier transfer left, or an empty file: its descriptor, locked. -EBUSY: another transfer has it. */
int target_part(const struct target *);
void target_drop(const struct target *);

/* ---- map.c: what of a file that is not whole is there ---- */

/* false: there is none, or it is of another file or another size of pieces. */
bool map_read(const struct target *, const struct entry *, struct spans *);
int map_write(const struct target *, const struct entry *, const struct spans *);

/* ---- incoming.c: a file that comes ---- */

struct incoming {
	bool used, kept;        /* kept: what has the name already seems to be it */
	bool ended;             /* END has come */
	struct entry entry;
	struct target target;
	int file;
	uint8_t *bytes;         /* the file, mapped */
	uint32_t *missing;      /* bytes, of each piece */
	uint32_t pieces, whole; /* whole: how many are */
	uint64_t digest, right; /* of whole ones; of all, as END has it */
	uint64_t unmapped;      /* bytes that came since the map was written */
	uint64_t there;         /* bytes that the sender was told to be here, */
	uint32_t pieces_there;  /* and their pieces */
};
int incoming_open(struct incoming *, int base, const char *path);
/* Nothing that is there counts. */
int incoming_fresh(struct incoming *);
/* The pieces that are whole, as many as can be told. */
void incoming_spans(const struct incoming *, struct spans *);
/* Where such bytes go; NULL: nowhere. */
uint8_t *incoming_place(const struct incoming *, uint64_t offset, size_t len);
/* They are there. -EBADMSG: they were before. */
int incoming_placed(struct incoming *, uint64_t offset, uint64_t len);
bool incoming_is_whole(const struct incoming *);
/* Gives it its name. -EBADMSG: the digest is wrong. */
int incoming_finish(struct incoming *);
/* keep: what is whole may be gone on with. Returns whether something was left for that. */
bool incoming_close(struct incoming *, bool keep);

/* ---- progress.c: a bar on stderr if that is a terminal, and the last word ---- */

struct progress {
	const char *verb, *name;
	const struct peer *peer; /* whose connection is looked at */
	uint64_t size, done, resumed, adus, files, start_ns, drawn_ns; /* resumed: bytes that were there */
	uint64_t looked_ns, sndbuf_bytes, anon_bytes; /* the most of TCP's send buffer, of our anonymous memory */
	bool bar;
};
void progress_begin(struct progress *, const struct peer *, const char *verb, const char *name, uint64_t size);
void progress_add(struct progress *, uint64_t bytes);
/* whole: also says how much it was, as text on stderr or as JSON on stdout. */
void progress_end(struct progress *, bool whole);

#endif

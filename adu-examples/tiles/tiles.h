/* tiles: a picture that is sent as tiles at four resolutions, and drawn as they come: over holes, or, to compare, in
 * the order in which they were sent.
 *
 *	sender                                             receiver
 *	start-up frames of MPA: struct greeting       <->          with the size of the picture
 *	tiles of level 3 (an eighth), 2, 1, 0         -->          each drawn as soon as it is whole
 *	                                              <--  DONE    all of level 0 is drawn
 *
 * A tile is an ADU: pixels of a level, row by row from the top, red, green, blue; edge by edge pixels, less at the
 * right and at the bottom. What alf/alf.h has for it:
 *
 *	type		TILE
 *	name		level: 8 bits | column: 16 | row: 16, big-endian: where the loop puts it (alf_hooks.place)
 *	priority	its level: coarse ones first, though finer ones are queued behind them
 *	recovery	level 0: ADU_KEEP. Coarser ones: ADU_SUPERSEDE. A level is due when the one before it is TCP's,
 *			or when patience ends; what did not go by then of the one before is worth less than what is
 *			due: the first of the four tiles that show its place goes instead (adu_supersede)
 *
 * A coarse tile that comes after a finer one of its place is not drawn over it. */
#ifndef TILES_H
#define TILES_H

#include "adu-examples/common/profile.h"
#include "adu-examples/common/road.h"
#include "alf/alf.h"

#define LEVELS 4           /* each half as wide and high as the one below; 0 is the picture itself */
#define SIDE_MAX 65535U    /* pixels */
#define PIXELS_MAX (1U << 25)
#define EDGE_MIN 32U       /* of a tile; a power of two */
#define EDGE_MAX 256U
#define PIXEL 3            /* bytes */
#define NAME_BYTES 5

enum adu_type { TILE = 1, DONE };

/* What each end says of itself, in MPA's private data: on the wire as it stands, big-endian; the receiver has no
 * picture. */
#define MAGIC "TCPUtile"
#define VERSION 2
struct greeting {
	char magic[8];
	uint32_t version, width, height, edge;
	char chain[PROFILE_CHAIN_MAX]; /* ends with 0 */
};

struct options {
	const char *image;           /* NULL: one is painted */
	struct road road;
	struct alf_profile profile;  /* of an end that is alone */
	uint32_t edge, patience_ms;
	bool ordered;
	const char *frames;          /* a directory; NULL: no frames */
	uint32_t every_ms;
	bool serve;
	struct sockaddr_in http;
	double loss, rate_mbit;      /* of the demo's road: loss from 0 to 1 */
	uint32_t delay_ms, seed;     /* delay: one way's */
};

static inline uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Complains of a connection's error. FAILED. */
enum status broke(const struct alf *, int error);

/* ---- image.c ---- */

/* Bytes of pixels, row by row: whoever has it frees it. */
struct image {
	uint32_t width, height;
	uint8_t *rgb;
};
/* PNG, in which what is transparent becomes white, or PPM (P6). Complains. */
enum status image_read(const char *file, struct image *);
/* One that nobody owns. ENOMEM. */
enum status image_paint(struct image *);

/* ---- picture.c: levels, and the tiles that they are cut into ---- */

struct level {
	uint32_t width, height; /* pixels */
	uint32_t columns, rows; /* tiles */
	uint32_t first;         /* the number of its first tile */
	size_t offset;          /* of its first byte */
};
/* Tiles have numbers, from 0, in the order in which they are sent: level by level, row by row. Each is one piece of
 * memory. */
struct picture {
	uint32_t width, height, edge, tiles;
	struct level level[LEVELS];
	uint8_t *bytes;
};
struct tile {
	uint32_t number, level, column, row;
	uint32_t width, height; /* pixels */
	uint8_t *bytes;
	size_t len;
};
/* -EINVAL: no picture may have that size, or its tiles that edge; -ENOMEM. All pixels are black. */
int picture_open(struct picture *, uint32_t width, uint32_t height, uint32_t edge);
void picture_close(struct picture *);
/* Cuts the image, of the picture's size, and makes the coarser levels. */
void picture_fill(struct picture *, const uint8_t *rgb);
/* false: there is none. */
bool picture_tile(const struct picture *, uint32_t level, uint32_t column, uint32_t row, struct tile *);
struct tile picture_nth(const struct picture *, uint32_t number);
void tile_name(const struct tile *, uint8_t name[NAME_BYTES]);
/* Whose name that is, of a peer: false: of none. */
bool tile_named(const struct picture *, const uint8_t *name, size_t len, struct tile *);

/* ---- view.c: what there is to see ---- */

struct drawn {
	uint32_t number, ms; /* which tile; since the view was opened */
};
struct view {
	const char *title;
	struct picture picture;
	uint8_t *frame;      /* the picture as far as it is drawn: width * height pixels */
	uint8_t *finest;     /* of each tile of level 0: the level that is seen there; LEVELS: none */
	bool *is_drawn;      /* of each tile */
	struct drawn *log;   /* in the order in which they were drawn */
	uint32_t drawn;      /* how many */
	uint32_t left;       /* tiles of level 0 that are not */
	uint32_t bare_left;  /* places where nothing is seen */
	uint32_t covered_ms, whole_ms; /* when there was none left */
	uint64_t start_us;
};
/* As picture_open. A view that is all zero but for its title is closed: it has no picture yet. */
int view_open(struct view *, uint32_t width, uint32_t height, uint32_t edge);
void view_close(struct view *);
bool view_is_open(const struct view *);
void view_draw(struct view *, const struct tile *);
/* How many tiles were drawn before one that was sent earlier. */
uint32_t view_overtook(const struct view *);

/* ---- screen.c, web.c: who sees it ---- */

struct web;
struct screen {
	const struct options *o;
	struct view *view;   /* n of them, side by side */
	unsigned n, frames;  /* frames: written */
	uint32_t seen;       /* tiles, in the last frame */
	uint64_t start_us, due_us;
	struct web *web;     /* NULL: nobody */
};
enum status screen_open(struct screen *, const struct options *, struct view *, unsigned n);
/* What is new is shown; last: nothing more comes. */
enum status screen_turn(struct screen *, bool last);
/* Polls readable when there is a turn to make; -1: no matter. */
int screen_fd(const struct screen *);
/* Milliseconds until the next turn; -1: no matter. */
int screen_timeout(const struct screen *);
/* For who has seen the last: until he interrupts. */
void screen_stay(struct screen *);
void screen_close(struct screen *);

/* Complains. */
enum status web_open(struct web **, const struct sockaddr_in *, const struct view *, unsigned n);
/* Serves who asks, and tells all what is new. */
void web_turn(struct web *, bool last);
int web_fd(const struct web *);
/* Whether somebody looks. */
bool web_is_watched(const struct web *);
void web_close(struct web *);
extern const char web_page[];

/* ---- greeting.c ---- */

/* As it goes on the wire; without a picture, a receiver's. */
struct greeting greeting_make(const struct alf_profile *, const struct picture *);
/* The other end's, its numbers as this machine has them. Complains, also if it goes through another chain. */
enum status greeting_read(const struct alf *, const char *chain, struct greeting *);

/* ---- send.c, recv.c: the two ends, turn by turn, over descriptors that do not block ---- */

struct sender {
	struct alf *alf;
	int fd;
	char chain[PROFILE_CHAIN_MAX];
	const struct picture *picture;
	int64_t *ids;         /* of each tile: its ADU while that is queued, else 0 */
	uint32_t queued;      /* how many are */
	uint32_t due;         /* levels that are not due yet: this many, from 0 on */
	uint64_t patience_us, due_us;
	uint32_t sent, superseded;
	bool opened;
};
/* What is usual. */
extern const struct alf_profile sender_profile;
/* The descriptor stays the caller's. Complains, as the turns do. */
enum status sender_open(struct sender *, int fd, const struct alf_profile *, const struct picture *,
	uint32_t patience_ms);
enum status sender_turn(struct sender *);
/* Milliseconds until the next; -1: when something comes. */
int sender_timeout(const struct sender *);
void sender_close(struct sender *);

struct receiver {
	struct alf *alf;
	int fd;
	char chain[PROFILE_CHAIN_MAX];
	struct view *view;
	bool done;
};
extern const struct alf_profile receiver_profile;
enum status receiver_open(struct receiver *, int fd, const struct alf_profile *, struct view *);
enum status receiver_turn(struct receiver *);
void receiver_close(struct receiver *);

/* ---- ends.c, demo.c: what the command does ---- */

enum status send_picture(const struct options *);
enum status receive_picture(const struct options *);
enum status demonstrate(const struct options *);
/* The picture to send. */
enum status load_picture(const struct options *, struct picture *);

#endif

/* Messages: numbers are big-endian, nothing is padded.
 *
 *	HELLO	bytes in all: 64
 *	ENTRY	number: 32 | kind: 32 | mode: 32 | bytes of a piece: 32 | size: 64 |
 *		mtime: seconds: 64, nanoseconds: 32 | path: the rest
 *	WANT	number: 32 | spans: 32 | digest: 64 | spans times { first: 32 | count: 32 }
 *	FRESH	number: 32
 *	END	number: 32 | digest: 64
 *	DONE	number: 32 */
#include "adu-examples/xfer/xfer.h"
#include "alf/bytes.h"

#define ENTRY_HEAD 36
#define WANT_HEAD 16

size_t entry_write(const struct entry *e, uint8_t to[MESSAGE_MAX])
{
	size_t len = strlen(e->path);
	uint8_t *at = put32(to, e->number);

	at = put32(at, e->kind);
	at = put32(at, e->mode);
	at = put32(at, e->piece_bytes);
	at = put64(at, e->size);
	at = put64(at, (uint64_t)e->mtime.tv_sec);
	at = put32(at, (uint32_t)e->mtime.tv_nsec);
	memcpy(at, e->path, len);
	return ENTRY_HEAD + len;
}

bool entry_read(struct entry *e, const uint8_t *from, size_t len)
{
	if (len <= ENTRY_HEAD || len - ENTRY_HEAD >= sizeof e->path || memchr(from + ENTRY_HEAD, 0, len - ENTRY_HEAD))
		return false;
	*e = (struct entry){ .number = get32(from), .kind = (enum kind)get32(from + 4), .mode = get32(from + 8) & 0777,
		.piece_bytes = get32(from + 12), .size = get64(from + 16),
		.mtime = { (time_t)get64(from + 24), (long)get32(from + 32) } };
	memcpy(e->path, from + ENTRY_HEAD, len - ENTRY_HEAD);
	return e->kind >= KIND_FILE && e->kind <= KIND_SETTLE && e->piece_bytes >= PIECE_MIN &&
	       e->piece_bytes <= PIECE_MAX && e->size <= INT64_MAX &&
	       (e->size + e->piece_bytes - 1) / e->piece_bytes <= PIECES_MAX && e->mtime.tv_nsec < 1000000000;
}

size_t want_write(uint32_t number, const struct spans *s, uint64_t sum, uint8_t to[MESSAGE_MAX])
{
	uint8_t *at = put64(put32(put32(to, number), s->n), sum);

	for (uint32_t i = 0; i < s->n; i++)
		at = put32(put32(at, s->of[i].first), s->of[i].count);
	return (size_t)(at - to);
}

bool number_read(uint32_t *number, const uint8_t *from, size_t len)
{
	if (len < 4)
		return false;
	*number = get32(from);
	return true;
}

bool want_read(struct spans *s, uint64_t *sum, uint32_t pieces, const uint8_t *from, size_t len)
{
	s->n = len < WANT_HEAD ? SPANS_MAX + 1 : get32(from + 4);
	if (s->n > SPANS_MAX || len != WANT_HEAD + (size_t)s->n * 8)
		return false;
	*sum = get64(from + 8);
	from += WANT_HEAD;
	for (uint32_t i = 0; i < s->n; i++, from += 8)
		s->of[i] = (struct span){ get32(from), get32(from + 4) };
	return spans_sound(s, pieces);
}

size_t end_write(uint32_t number, uint64_t sum, uint8_t to[12])
{
	put64(put32(to, number), sum);
	return 12;
}

bool end_read(uint64_t *sum, const uint8_t *from, size_t len)
{
	if (len != 12)
		return false;
	*sum = get64(from + 4);
	return true;
}

size_t legible(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (uint8_t)text[n] >= ' ' && text[n] != 0x7f)
		n++;
	return n;
}

const char *shown(const char *name)
{
	static char text[TEXT_MAX];
	size_t n = strnlen(name, sizeof text - 1);

	for (size_t i = 0; i < n; i++)
		text[i] = legible(name + i, 1) ? name[i] : '?';
	text[n] = 0;
	return text;
}

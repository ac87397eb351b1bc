/* The pieces of a file, and sets of them: what is there already, where that is compared. */
#include "adu-examples/xfer/xfer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

uint32_t pieces_of(const struct entry *e)
{
	return (uint32_t)((e->size + e->piece_bytes - 1) / e->piece_bytes);
}

size_t piece_length(const struct entry *e, uint32_t piece)
{
	uint64_t left = e->size - (uint64_t)piece * e->piece_bytes;

	return left < e->piece_bytes ? (size_t)left : e->piece_bytes;
}

bool spans_sound(const struct spans *s, uint32_t pieces)
{
	uint64_t from = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct span *at = &s->of[i];
		if (!at->count || at->first < from || (i && at->first == from) || at->count > pieces ||
			at->first > pieces - at->count)
			return false;
		from = at->first + at->count;
	}
	return true;
}

uint64_t spans_bytes(const struct spans *s, const struct entry *e)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t last = s->of[i].first + s->of[i].count - 1;
		bytes += (uint64_t)(last - s->of[i].first) * e->piece_bytes + piece_length(e, last);
	}
	return bytes;
}

int read_piece(int file, void *to, uint64_t offset, size_t len)
{
	while (len) {
		ssize_t n = pread(file, to, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		to = (uint8_t *)to + n;
		offset += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int digest_pieces(struct peer *peer, int file, const struct entry *e, const struct spans *s, uint64_t *sum)
{
	uint8_t *piece = malloc(e->piece_bytes);
	int error = piece ? 0 : -ENOMEM;

	*sum = 0;
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->of[i].count && !error; k++) {
			uint32_t at = s->of[i].first + k;
			uint64_t offset = (uint64_t)at * e->piece_bytes;
			size_t len = piece_length(e, at);
			error = read_piece(file, piece, offset, len);
			if (!error)
				*sum += digest(offset, piece, len);
			peer_alive(peer);
		}
	free(piece);
	return error;
}

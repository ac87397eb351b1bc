/* The library's memory for ADUs that come: as much as the credit allows, and wiped where it held what was sealed. */
#include "alf/conn.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_MIN 1024   /* bytes that an ADU of unknown length begins with */
#define SPARE_MAX 16384 /* bytes of what is kept for the next ADU */

/* More memory for an ADU, that holds what it had. */
static uint8_t *more_data(struct alf *a, struct adu_in *adu, uint64_t room)
{
	uint8_t *data;

	for (unsigned i = a->in.spares; i-- > 0 && !adu->data;)
		if (a->in.spare[i].room == room) {
			data = a->in.spare[i].data;
			a->in.spare[i] = a->in.spare[--a->in.spares];
			return data;
		}
	return realloc(adu->data, room);
}

/* Bytes of memory for an ADU of which no more than the first `end` bytes are known, as the credit allows. 0: there is
 * none for these. */
static uint64_t grown(const struct alf *a, const struct adu_in *adu, uint64_t end)
{
	uint64_t room = adu->room < ROOM_MIN / 2 ? ROOM_MIN : 2 * adu->room;
	const uint64_t most = adu->room + a->in.limit - (a->in.begun - a->in.returned);

	room = room < end ? end : room;
	room = room > a->profile.adu_max ? a->profile.adu_max : room;
	room = room > most ? most : room;
	return room < end ? 0 : room;
}

int alf_room_make(struct alf *a, struct adu_in *adu, uint64_t end)
{
	uint64_t room = adu->total;
	uint8_t *data;

	if (end <= adu->room)
		return 0;
	if (adu->total == UINT64_MAX) {
		room = grown(a, adu, end);
		if (!room) {
			a->in.full = a->in.sink.done = true;
			return -EAGAIN;
		}
	}
	data = more_data(a, adu, room);
	if (!data)
		return -ENOMEM;
	if (adu->total == UINT64_MAX) {
		adu->cost += room - adu->room;
		a->in.begun += room - adu->room;
	}
	a->stats.bytes_held += room - adu->room;
	if (a->stats.bytes_held > a->stats.bytes_held_max)
		a->stats.bytes_held_max = a->stats.bytes_held;
	adu->data = data;
	adu->room = room;
	return 0;
}

static void free_data(struct alf *a, struct adu_in *adu)
{
	struct alf_spare *s = &a->in.spare[a->in.spares];

	if (!adu->data || adu->room > SPARE_MAX) {
		free(adu->data);
		return;
	}
	if (a->in.spares == ALF_SPARES) { /* whose size nobody asks for, perhaps */
		s = &a->in.spare[a->in.oldest_spare++ % ALF_SPARES];
		free(s->data);
	} else {
		a->in.spares++;
	}
	*s = (struct alf_spare){ adu->data, adu->room };
}

void alf_room_drop(struct alf *a, struct adu_in *adu)
{
	struct range r = { 0, adu->whole ? adu->total : 0 };

	if (adu->data) {
		/* What was enciphered on the way; and no more than came of it, which may be little. */
		do
			if (a->seal)
				ilp_wipe(adu->data + r.begin, r.end - r.begin);
		while (alf_ranges_find(&adu->placed, r.end, adu->room, &r));
		/* Nor what stands behind it in the same segment, and does not count yet. */
		for (unsigned i = 0; a->seal && i < a->in.done_count; i++)
			if (a->in.done[i].adu == adu && a->in.done[i].pieces)
				ilp_wipe(a->in.done[i].to[0].iov_base, a->in.done[i].to[0].iov_len);
		a->stats.bytes_held -= adu->room;
	}
	free_data(a, adu);
	adu->data = NULL;
	adu->room = 0;
}

void alf_room_free(struct alf *a)
{
	while (a->in.spares)
		free(a->in.spare[--a->in.spares].data);
}

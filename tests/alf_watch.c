#include "tests/alf_watch.h"

#include "alf/crc32c.h"
#include "core/cksum.h"

#include <check.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define TAG 16
#define EVERY 512
#define MARKER 4

struct watch {
	struct ilp_state head;
	uint8_t key[16], nonce[12];
	uint32_t place, base, before; /* little-endian */
	uint64_t hash;                /* of what is associated, and the plaintext */
	uint64_t pos, begin;          /* of the next byte on the wire; where its frame begins */
	uint32_t crc;
	uint16_t sum;
	bool odd;
	uint8_t held[TAG];            /* what may be the tag */
	unsigned held_len, marker;    /* marker: bytes of one that have come */
	bool bad;
};
_Static_assert(sizeof(struct watch) <= ILP_STATE_MAX, "the state fits");

/* ---- what was sealed ---- */

struct entry {
	uint64_t nonce[2]; /* of key and nonce; both 0: none */
	uint64_t hash;
};
static struct entry *entries;
static uint64_t room, used;
static struct watch_count count;

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * 0x9e3779b97f4a7c15, h ^= h >> 29;
	return h;
}

static struct entry *find(const uint64_t nonce[2])
{
	uint64_t i = nonce[0] & (room - 1);

	while ((entries[i].nonce[0] || entries[i].nonce[1]) && memcmp(entries[i].nonce, nonce, sizeof entries[i].nonce) != 0)
		i = (i + 1) & (room - 1);
	return &entries[i];
}

static void grow(void)
{
	struct entry *old = entries;
	uint64_t n = room;

	room = room ? 2 * room : 1 << 16;
	entries = calloc(room, sizeof *entries);
	for (uint64_t i = 0; i < n; i++)
		if (old[i].nonce[0] || old[i].nonce[1])
			*find(old[i].nonce) = old[i];
	free(old);
}

static void sealed(const struct watch *w)
{
	uint64_t nonce[2] = { mix(mix(1, w->key, 16), w->nonce, 12), mix(mix(2, w->nonce, 12), w->key, 16) };
	struct entry *e;

	if (2 * used >= room)
		grow();
	e = find(nonce);
	count.sealed++;
	if (e->nonce[0] || e->nonce[1]) {
		if (e->hash != w->hash)
			ck_abort_msg("a nonce meets two plaintexts");
		count.again++;
		return;
	}
	*e = (struct entry){ { nonce[0], nonce[1] }, w->hash };
	used++;
}

struct watch_count watch_forget(void)
{
	struct watch_count c = count;

	free(entries);
	entries = NULL;
	room = used = 0;
	count = (struct watch_count){ 0, 0 };
	return c;
}

/* ---- the chain ---- */

static void begin(void *state)
{
	struct watch *w = state;

	w->head.pos = 0;
	w->hash = 7;
	w->pos = le32toh(w->place);
	w->begin = w->pos - le32toh(w->base);
	w->crc = le32toh(w->before);
	w->sum = 0;
	w->odd = w->bad = false;
	w->held_len = w->marker = 0;
}

static void associate(void *state, const uint8_t *from, size_t n)
{
	struct watch *w = state;

	w->hash = mix(w->hash, from, n);
}

/* A byte of the wire. */
static void count_byte(struct watch *w, uint8_t byte)
{
	uint8_t pair[2] = { w->odd ? 0 : byte, w->odd ? byte : 0 };

	w->crc = alf_crc32c(w->crc, &byte, 1);
	w->sum = tcpu_sum_join(w->sum, tcpu_sum(pair, 2), 0);
	w->odd = !w->odd;
	w->pos++;
}

static size_t put(struct watch *w, uint8_t *dst, uint8_t byte, bool markers)
{
	size_t n = 0;

	if (markers && w->pos % EVERY == 0) {
		uint32_t back = (uint32_t)(w->pos - w->begin);
		const uint8_t m[MARKER] = { 0, 0, (uint8_t)(back >> 8), (uint8_t)back };
		for (; n < MARKER; n++)
			count_byte(w, dst[n] = m[n]);
	}
	count_byte(w, dst[n] = byte);
	return n + 1;
}

/* "Enciphered", so that what is not deciphered is seen. */
static uint8_t turn(const struct watch *w, uint64_t at)
{
	return (uint8_t)(w->key[at % 16] ^ w->nonce[at % 12] ^ (uint8_t)at);
}

static size_t out(void *state, uint8_t *dst, const uint8_t *src, size_t n, bool markers)
{
	struct watch *w = state;
	size_t k = 0;

	w->hash = mix(w->hash, src, n);
	for (size_t i = 0; i < n; i++)
		k += put(w, dst + k, src[i] ^ turn(w, w->head.pos++), markers);
	return k;
}

static void tag_of(const struct watch *w, uint8_t tag[TAG])
{
	uint64_t t[2] = { mix(mix(w->hash, w->key, 16), w->nonce, 12), mix(mix(w->hash, w->nonce, 12), w->key, 16) };

	memcpy(tag, t, TAG);
}

static int end_out(void *state, uint8_t *dst, bool markers)
{
	struct watch *w = state;
	uint8_t tag[TAG];
	size_t k = 0;

	sealed(w);
	tag_of(w, tag);
	for (int i = 0; i < TAG; i++)
		k += put(w, dst + k, tag[i], markers);
	return (int)k;
}

static size_t in(void *state, uint8_t *dst, const uint8_t *src, size_t n, bool markers)
{
	struct watch *w = state;
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (markers && (w->pos % EVERY == 0 || w->marker)) {
			w->marker = (w->marker + 1) % MARKER;
			count_byte(w, src[i]);
			continue;
		}
		count_byte(w, src[i]);
		if (w->held_len == TAG) {
			dst[k] = w->held[0] ^ turn(w, w->head.pos++);
			w->hash = mix(w->hash, &dst[k++], 1);
			memmove(w->held, w->held + 1, TAG - 1);
			w->held_len--;
		}
		w->held[w->held_len++] = src[i];
	}
	return k;
}

static int end_in(void *state, uint8_t *dst)
{
	struct watch *w = state;
	uint8_t tag[TAG];

	(void)dst;
	tag_of(w, tag);
	return w->held_len == TAG && !memcmp(tag, w->held, TAG) ? 0 : -ILP_EBADMSG;
}

static uint16_t sum(void *state)
{
	struct watch *w = state;
	uint16_t s = w->sum;

	w->sum = 0;
	w->odd = false;
	return s;
}

static void crc(const void *state, uint8_t *to)
{
	uint32_t c = htole32(((const struct watch *)state)->crc);

	memcpy(to, &c, sizeof c);
}

static size_t out_plain(void *s, uint8_t *d, const uint8_t *f, size_t n, uint8_t *t)
{
	(void)t;
	return out(s, d, f, n, false);
}

static size_t out_marked(void *s, uint8_t *d, const uint8_t *f, size_t n, uint8_t *t)
{
	(void)t;
	return out(s, d, f, n, true);
}

static size_t in_plain(void *s, uint8_t *d, const uint8_t *f, size_t n, uint8_t *t)
{
	(void)t;
	return in(s, d, f, n, false);
}

static size_t in_marked(void *s, uint8_t *d, const uint8_t *f, size_t n, uint8_t *t)
{
	(void)t;
	return in(s, d, f, n, true);
}

static int end_plain(void *s, uint8_t *d) { return end_out(s, d, false); }
static int end_marked(void *s, uint8_t *d) { return end_out(s, d, true); }

#define PARAM(what, field) { what, offsetof(struct watch, field), sizeof(((struct watch *)0)->field), false, false }
static const struct ilp_param plain_params[] = { PARAM("watch.key", key), PARAM("watch.nonce", nonce), { 0 } };
static const struct ilp_param crc_params[] = { PARAM("watch.key", key), PARAM("watch.nonce", nonce),
	PARAM("crc32c.before", before), { 0 } };
static const struct ilp_param marker_params[] = { PARAM("watch.key", key), PARAM("watch.nonce", nonce),
	PARAM("crc32c.before", before), PARAM("mpa_marker.place", place), PARAM("mpa_marker.base", base), { 0 } };
static const struct ilp_value no_values[] = { { 0 } };
static const struct ilp_value values[] = { { "crc32c", 4, 0, 0, crc }, { 0 } };

#define WAYS(name, loop) static const struct ilp_way name[] = { { "layered", "", 0, 0, { (loop) } }, \
	{ "tiled", "", 0, 0, { (loop) } }, { "fused", "", 0, 0, { (loop) } }, { "streaming", "", 0, 0, { (loop) } } }
WAYS(ways_out_plain, out_plain);
WAYS(ways_out_marked, out_marked);
WAYS(ways_in_plain, in_plain);
WAYS(ways_in_marked, in_marked);

#define CHAIN(what, p, v, o, i, e) { .abi = ILP_ABI, .compiler = "", .name = (what), .stages = (what), \
	.state_size = sizeof(struct watch), .unit = 1, .block = 1, .keyed = true, .params = (p), .values = (v), \
	.begin = begin, .associate = associate, .end = { (e), end_in }, .sum = sum, .ways = { (o), (i) }, \
	.way_count = { 4, 4 } }
static const struct ilp_chain plain = CHAIN("watch", plain_params, no_values, ways_out_plain, ways_in_plain, end_plain);
static const struct ilp_chain with_crc = CHAIN("watch crc32c", crc_params, values, ways_out_plain, ways_in_plain,
	end_plain);
static const struct ilp_chain marked = CHAIN("watch mpa_marker crc32c", marker_params, values, ways_out_marked,
	ways_in_marked, end_marked);

const struct alf_chains watch_chains = { &plain, &with_crc, &marked };

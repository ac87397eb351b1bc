/* The chain: what a framer sets in it, nonces, keys. */
#include "alf/conn.h"
#include "alf/bytes.h"

#include <errno.h>
#include <string.h>

/* A parameter whose name ends so. */
static const struct ilp_param *param(const struct ilp_chain *c, const char *end)
{
	for (const struct ilp_param *p = c->params; p && p->name; p++) {
		size_t n = strlen(p->name), e = strlen(end);
		if (n >= e && !strcmp(p->name + n - e, end))
			return p;
	}
	return NULL;
}

static unsigned params(const struct ilp_chain *c)
{
	unsigned n = 0;

	for (const struct ilp_param *p = c->params; p && p->name; p++)
		n++;
	return n;
}

int alf_way_of(struct alf_way *w, const struct ilp_chain *c, enum ilp_schedule schedule, bool markers, bool crc)
{
	unsigned known = (markers ? 2U : 0U) + (crc ? 1U : 0U) + (c->associate ? 2U : 0U);

	*w = (struct alf_way){ .chain = c, .key = param(c, ".key"), .nonce = param(c, ".nonce"),
		.place = param(c, "mpa_marker.place"), .base = param(c, "mpa_marker.base"),
		.before = param(c, "crc32c.before"), .crc = ilp_find_value(c, "crc32c"),
		.word = strstr(c->stages, "xdr_u32") ? 4 : strstr(c->stages, "xdr_u64") ? 8 : 0 };
	if (!c->sum || c->whole[ILP_SEND] || c->whole[ILP_RECV] || params(c) != known)
		return -EINVAL;
	if (!w->place == markers || !w->base == markers || !w->before == crc || !w->crc == crc)
		return -EINVAL;
	if (c->associate && (!w->key || !w->nonce || w->nonce->size != 12))
		return -EINVAL;
	for (enum ilp_direction d = 0; d < ILP_DIRECTIONS; d++)
		w->loop[d] = ilp_pick(c, d, schedule);
	return 0;
}

/* RFC 8446 (5.3) makes nonces so: the IV, and a number that is never used twice under a key. */
static void nonce(const struct alf *a, uint8_t *to, uint8_t what, uint64_t number)
{
	uint8_t n[12] = { what };

	put64(n + 4, number);
	for (unsigned i = 0; i < sizeof n; i++)
		to[i] = a->iv[i] ^ n[i];
}

static void put_little(const struct ilp_param *p, void *state, uint32_t value)
{
	value = htole32(value);
	ilp_put(p, state, &value);
}

uint32_t alf_chain_crc(const struct alf_run_state *run)
{
	uint32_t crc;

	ilp_get(run->way->chain, run->way->crc, &run->state, &crc);
	return le32toh(crc);
}

void alf_chain_begin(const struct alf *a, struct alf_run_state *run, const struct alf_way *way,
	const struct alf_begin *b)
{
	uint8_t n[12];

	if (run->way != way) {
		ilp_wipe(&run->state, sizeof run->state);
		run->way = way;
		run->generation = 0;
	}
	if (way->key) {
		if (run->generation != b->key->generation + 1)
			ilp_put(way->key, &run->state, b->key->key);
		run->generation = b->key->generation + 1;
		nonce(a, n, b->what, b->number);
		ilp_put(way->nonce, &run->state, n);
	}
	if (way->place) {
		put_little(way->place, &run->state, b->place);
		put_little(way->base, &run->state, b->base);
	}
	if (way->before)
		put_little(way->before, &run->state, b->before);
	way->chain->begin(&run->state);
}

/* The next key is what the chain makes of zeros under a nonce that nothing else has: as secret as the key, and the key
 * cannot be told from it. */
void alf_rekey(const struct alf *a, struct alf_key *key, bool out, uint64_t from)
{
	const struct alf_way *way = &a->way[0];
	const struct alf_begin begin = { .key = key, .number = key->generation,
		.what = NONCE_REKEY | (out == a->profile.initiator ? NONCE_INITIATOR : 0) };
	_Alignas(ILP_ALIGN) uint8_t zeros[32] = { 0 }, made[1024];
	struct alf_run_state run = { 0 };
	size_t n;

	alf_chain_begin(a, &run, way, &begin);
	n = way->loop[ILP_SEND](&run.state, made, zeros, a->key_len, a->scratch);
	way->chain->end[ILP_SEND](&run.state, made + n);
	memcpy(key->key, made, a->key_len);
	key->generation++;
	key->sealed = 0;
	key->from = from;
	ilp_wipe(&run, sizeof run);
	ilp_wipe(made, sizeof made);
}

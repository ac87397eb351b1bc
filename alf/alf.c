/* Opening, profiles, nonces, closing. The ways of the bytes: alf/send.c and alf/receive.c. */
#include "alf/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* No piece is longer: FPDUs have a 16-bit length, and so has IP. Loops run over a piece at a time. */
#define PIECE_MAX 65536

/* The key stream's first block of each ADU is left for a one-time key (RFC 8439 section 2.6). */
#define COUNTER_FIRST 1u
#define CHACHA20_MAX ((uint64_t)(UINT32_MAX - COUNTER_FIRST) * 64)

bool alf_takes(const struct ilp_chain *chain)
{
	if (!chain->sum || !chain->keeps)
		return false;
	for (const struct ilp_param *p = chain->params; p && p->name; p++)
		if (strncmp(p->name, "chacha20.", 9) != 0)
			return false;
	return true;
}

/* Nothing changes when it fails. */
static int set_profile(struct alf *a, const struct alf_profile *p)
{
	bool keyed;
	size_t out, in;
	uint8_t *scratch;

	if (!p->chain || !alf_takes(p->chain) || p->schedule < 0 || p->schedule >= ILP_SCHEDULES)
		return -EINVAL;
	keyed = ilp_find_param(p->chain, "chacha20.key");
	if (!p->key == keyed || !p->iv == keyed)
		return -EINVAL;
	out = ilp_scratch(p->chain, ILP_SEND, p->schedule, PIECE_MAX);
	in = ilp_scratch(p->chain, ILP_RECV, p->schedule, PIECE_MAX);
	scratch = malloc(in > out ? in : out);
	if (!scratch && (in || out))
		return -ENOMEM;

	free(a->scratch);
	a->scratch = scratch;
	a->chain = p->chain;
	a->framer = p->framer ? p->framer : &alf_ddp;
	for (enum ilp_direction d = 0; d < ILP_DIRECTIONS; d++)
		a->loop[d] = ilp_pick(p->chain, d, p->schedule);
	a->adu_max = p->adu_max ? p->adu_max : UINT64_MAX;
	a->initiator = p->initiator;
	a->keyed = keyed;
	if (keyed) {
		memcpy(a->key, p->key, sizeof a->key);
		memcpy(a->iv, p->iv, sizeof a->iv);
	}
	return 0;
}

struct alf *alf_open(int fd, const struct alf_profile *profile)
{
	struct alf *a = aligned_alloc(_Alignof(struct alf), sizeof *a);
	int r;

	if (!a)
		return NULL;
	memset(a, 0, sizeof *a);
	a->fd = fd;
	r = set_profile(a, profile);
	if (r < 0) {
		free(a);
		errno = -r;
		return NULL;
	}
	alf_send_init(a);
	alf_receive_init(a);
	return a;
}

int alf_profile(struct alf *a, const struct alf_profile *profile)
{
	int r = a->tx.busy || !alf_receive_idle(a) ? -EBUSY : set_profile(a, profile);

	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}

void alf_close(struct alf *a)
{
	if (!a)
		return;
	free(a->scratch);
	ilp_wipe(a, sizeof *a);
	free(a);
}

/* The nonce of RFC 8439 (2.3: 96 bits, never twice under a key): the connection's iv, with the direction in its first
 * byte and the ADU's number in its last four changed, so no two ADUs of a connection share one. */
void alf_begin(const struct alf *a, void *state, uint32_t number, bool from_initiator)
{
	const uint32_t counter = COUNTER_FIRST;
	uint8_t nonce[12];

	if (a->keyed) {
		memcpy(nonce, a->iv, sizeof nonce);
		nonce[0] ^= from_initiator ? 0x80 : 0;
		for (int i = 0; i < 4; i++)
			nonce[8 + i] ^= (uint8_t)(number >> (24 - 8 * i));
		ilp_set(a->chain, state, "chacha20.key", a->key, sizeof a->key);
		ilp_set(a->chain, state, "chacha20.nonce", nonce, sizeof nonce);
		ilp_set(a->chain, state, "chacha20.counter", &counter, sizeof counter);
	}
	a->chain->begin(state);
}

uint64_t alf_chain_max(const struct alf *a)
{
	return a->keyed ? CHACHA20_MAX : UINT64_MAX;
}

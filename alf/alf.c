/* Profiles, opening, closing. */
#include "alf/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROWTH 4096 /* markers of such a piece, a tag, and what chains hold */

static const struct ilp_chain *named(const char *prefix, const char *middle)
{
	char name[128];

	snprintf(name, sizeof name, "%s%s", prefix, middle);
	return ilp_find(name);
}

/* "copy" and "xdr_copy" name the last stages but one; what comes in between stands before them. */
int alf_family(const char *name, struct alf_chains *out)
{
	size_t n = strlen(name);
	char before[64];

	if (n < 4 || n >= sizeof before || strcmp(name + n - 4, "copy") != 0)
		return -ENOENT;
	memcpy(before, name, n - 4);
	before[n - 4] = 0;
	out->plain = named(before, "copy_sum");
	out->crc = named(before, "crc32c_copy_sum");
	out->marker = named(before, "marker_crc32c_copy_sum");
	return out->plain && out->crc && out->marker ? 0 : -ENOENT;
}

void alf_complete(struct alf_profile *p)
{
	const uint32_t all = (1U << ADU_EVENTS) - 1;

	p->framer = p->framer ? p->framer : &alf_mpa;
	if (!p->chain.plain && !p->chain.crc && !p->chain.marker)
		alf_family(p->framer->family ? p->framer->family : "copy", &p->chain);
	p->schedule = p->schedule ? p->schedule : ilp_schedule_name(ILP_FUSED);
	p->rekey_after = p->rekey_after ? p->rekey_after : 1U << 24;
	p->adu_max = p->adu_max ? p->adu_max : 16U << 20;
	p->credit = p->credit ? p->credit : 2 * (p->adu_max + ADU_COST);
	p->recovery = p->recovery ? p->recovery : ADU_KEEP;
	p->deadline_ms = p->deadline_ms ? p->deadline_ms : ADU_NO_DEADLINE;
	p->quantum = p->quantum ? p->quantum : 16U << 10;
	if (!p->wanted)
		p->wanted = all & ~(1U << ADU_PLACED | 1U << ADU_ACKNOWLEDGED) & ~(1U << (p->ordered ? ADU_COMPLETE : ADU_DELIVERED));
}

/* What the framer asks of a chain; one without frames takes the plain one alone. */
static bool fits(const struct alf_framer *framer, const struct ilp_chain *chain, bool markers)
{
	return framer->fits ? framer->fits(chain) : chain->associate || markers || chain->keeps;
}

int alf_ways(struct alf_way way[3], const struct alf_profile *p)
{
	const struct ilp_chain *const chains[] = { p->chain.plain, p->chain.crc, p->chain.marker };
	const int count = p->framer->stream ? 1 : 3, schedule = ilp_find_schedule(p->schedule);
	int e = schedule < 0 ? -EINVAL : 0;

	for (int i = 0; i < count && !e; i++)
		e = chains[i] && fits(p->framer, chains[i], i == 2) ?
			alf_way_of(&way[i], chains[i], (enum ilp_schedule)schedule, i == 2, i > 0) : -EINVAL;
	for (int i = 1; i < count && !e; i++)
		e = !way[i].key != !way[0].key ? -EINVAL : 0;
	return e;
}

static int check(struct alf *a)
{
	const struct alf_profile *p = &a->profile;

	if (p->private_len > ALF_PRIVATE_MAX || p->adu_max > UINT64_MAX / 4 || p->credit < p->adu_max + ADU_COST)
		return -EINVAL;
	if (p->recovery > ADU_SUPERSEDE ||
		(p->deadline_ms > ADU_DEADLINE_MAX && p->deadline_ms != ADU_NO_DEADLINE) ||
		(p->recovery == ADU_RECOMPUTE && (!p->hooks.regenerate || !p->framer->again)))
		return -EINVAL;
	if (alf_ways(a->way, p))
		return -EINVAL;
	a->key_len = a->way[0].key ? (uint8_t)a->way[0].key->size : 0;
	a->seal = a->key_len ? 16 : 0;
	if (!p->key != !p->iv || a->key_len > sizeof a->out.key.key)
		return -EINVAL;
	if (a->key_len ? !p->key == !(p->hooks.key && p->framer->start) : p->key != NULL)
		return -EINVAL;
	return 0;
}

static int memory(struct alf *a)
{
	const enum ilp_schedule schedule = (enum ilp_schedule)ilp_find_schedule(a->profile.schedule);
	size_t most = 0;

	for (int i = 0; i < 3; i++)
		for (enum ilp_direction d = 0; d < ILP_DIRECTIONS && a->way[i].chain; d++) {
			size_t n = ilp_scratch(a->way[i].chain, d, schedule, ALF_PIECE_MAX + GROWTH);
			most = n > most ? n : most;
		}
	a->scratch = most ? malloc(most) : NULL;
	a->scratch_len = a->scratch ? most : 0;
	a->aside = malloc(ALF_PIECE_MAX + GROWTH);
	return (most && !a->scratch) || !a->aside ? -ENOMEM : 0;
}

static void keep_secrets(struct alf *a)
{
	struct alf_profile *p = &a->profile;

	if (p->private_len)
		memcpy(a->private_data, p->private_data, p->private_len);
	if (p->key) {
		memcpy(a->out.key.key, p->key, a->key_len);
		memcpy(a->in.key.key, p->key, a->key_len);
		memcpy(a->iv, p->iv, sizeof a->iv);
	}
	p->key = p->iv = NULL;
	p->private_data = NULL;
}

struct alf *alf_new(const struct alf_profile *profile)
{
	struct alf *a = aligned_alloc(_Alignof(struct alf), sizeof *a);
	int e;

	if (!a)
		return NULL;
	memset(a, 0, sizeof *a);
	a->fd = -1;
	a->profile = *profile;
	alf_complete(&a->profile);
	a->framer = a->profile.framer;
	e = check(a);
	if (!e)
		e = memory(a);
	if (e) {
		alf_free(a);
		errno = -e;
		return NULL;
	}
	keep_secrets(a);
	a->next_out = 1;
	alf_out_init(a);
	alf_in_init(a);
	if (!a->framer->start) {
		a->out.credit = a->in.peer_max = UINT64_MAX;
		a->out.started = a->in.open = a->in.heard = true;
		alf_opened(a);
	}
	return a;
}

void alf_free(struct alf *a)
{
	if (!a)
		return;
	alf_tell_no_more(a);
	alf_out_free(a);
	alf_in_free(a);
	if (a->seal && a->scratch)
		ilp_wipe(a->scratch, a->scratch_len);
	free(a->scratch);
	free(a->aside);
	ilp_wipe(a, sizeof *a);
	free(a);
}

void alf_fail(struct alf *a, int error)
{
	if (a->error)
		return;
	a->error = error;
	a->in.sink.done = true;
	alf_tell(a, &a->self, ADU_ERROR, error);
}

const char *alf_framer_name(const struct alf_framer *f)
{
	return f ? f->name : alf_mpa.name;
}

enum alf_reason alf_reason(const struct alf *a)
{
	return a->error == EBADMSG ? a->reason : ALF_NO_REASON;
}

const char *alf_reason_text(enum alf_reason reason)
{
	static const char *const texts[] = { "nothing is wrong", "the stream ended within a frame or an ADU",
		"the CRC does not match", "markers and ULPDU_Length do not match", "no MPA request or reply that is due",
		"another revision of MPA", "private data of MPA that cannot be",
		"an STag of no region", "outside the region of its STag", "the tagged offset wraps", "no such DDP queue",
		"more than the credit allows", "no ADU may have that MSN", "what it says is there cannot be",
		"an ADU is too long", "another version of DDP or RDMAP", "a frame's length cannot be", "a header cannot be",
		"a message cannot be", "the chain refuses the data", "not authentic" };

	_Static_assert(sizeof texts / sizeof *texts == ALF_REASONS, "each reason has a text");
	return reason < ALF_REASONS ? texts[reason] : "?";
}

bool alf_agree(struct alf *a)
{
	const struct alf_hooks *h = &a->profile.hooks;
	struct alf_peer peer;

	if (!alf_peer(a, &peer) || (!a->profile.initiator && h->accept && !h->accept(h->ctx, &peer)))
		return false;
	if (!a->key_len || !h->key)
		return true;
	if (!h->key(h->ctx, &peer, a->out.key.key, a->iv))
		return false;
	a->in.key = a->out.key;
	return true;
}

void alf_opened(struct alf *a)
{
	struct alf_link *at, *next;

	if (!a->out.started || !a->in.open || a->in.way || a->out.reject)
		return;
	a->in.way = &a->way[a->in.markers ? 2 : a->in.crc ? 1 : 0];
	/* What may have to be made again is checked by its CRC, whether the peer wants one or not. */
	a->out.way = &a->way[a->out.markers ? 2 : a->in.crc || (a->framer->again && a->profile.hooks.regenerate) ? 1 : 0];
	a->out.open = a->profile.initiator || !a->framer->start;
	a->out.greeting = a->profile.initiator;
	alf_tell(a, &a->self, ADU_OPENED, 0);
	/* None has begun. */
	for (int i = 0; i < 2 * ADU_PRIORITIES; i++)
		for (at = (i % 2 ? &a->out.queue[i / 2].idle : &a->out.queue[i / 2].fresh)->first; at; at = next) {
			struct adu_out *adu = ALF_OF(adu_out, link, at);
			next = at->next;
			if (!adu->tagged && adu->total > a->in.peer_max)
				alf_drop(a, adu, CONTROL_CANCELLED, EMSGSIZE);
		}
}

bool alf_peer(const struct alf *a, struct alf_peer *p)
{
	if (!a->in.heard)
		return false;
	*p = (struct alf_peer){ .adu_max = a->in.peer_max, .private_data = a->in.private_data,
		.private_len = a->in.private_len, .markers = a->out.markers, .crc = a->in.crc };
	return true;
}

void alf_stats(const struct alf *a, struct alf_stats *s)
{
	*s = a->stats;
}

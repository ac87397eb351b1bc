/* ADUs that nobody keeps (ADU_RECOMPUTE): TCP forgets their bytes once they were sent, and asks for them if they are
 * lost. What is kept is what the application does not make: the ADU's attributes, and of each frame, with TCP's
 * span, how it was cut and a check of what was sent. */
#include "alf/conn.h"

#include <stdlib.h>
#include <string.h>

#define FEW 16

static bool grow(struct alf *a)
{
	struct alf_out *o = &a->out;
	uint32_t max = o->again_max ? 2 * o->again_max : FEW;
	struct adu_again *table = max < 1U << 30 ? realloc(o->again, max * sizeof *table) : NULL;

	if (!table)
		return false;
	for (uint32_t i = o->again_max; i < max; i++)
		table[i].next = i + 1 < max ? i + 1 : AGAIN_NONE;
	o->again_free = o->again_max;
	o->again = table;
	o->again_max = max;
	return true;
}

uint32_t alf_again_new(struct alf *a, const struct adu_out *adu)
{
	struct alf_out *o = &a->out;
	uint32_t place;

	if (o->again_free == AGAIN_NONE && !grow(a))
		return AGAIN_NONE;
	place = o->again_free;
	o->again_free = o->again[place].next;
	o->again[place] = (struct adu_again){ .id = adu->id, .to = adu->to, .end = UINT64_MAX, .total = (uint32_t)adu->total,
		.msn = adu->msn, .stag = adu->stag, .next = AGAIN_NONE, .deadline_ms = (uint16_t)adu->attr.deadline_ms,
		.type = adu->attr.type, .priority = adu->attr.priority, .name_len = adu->attr.name_len, .tagged = adu->tagged };
	memcpy(o->again[place].name, adu->attr.name, adu->attr.name_len);
	if (o->again_first == AGAIN_NONE)
		o->again_first = place;
	else
		o->again[o->again_last].next = place;
	o->again_last = place;
	return place;
}

static struct adu_attr attr_of(const struct adu_again *r)
{
	struct adu_attr attr = { .name_len = r->name_len, .type = r->type, .priority = r->priority, .recovery = ADU_RECOMPUTE,
		.deadline_ms = r->deadline_ms };

	memcpy(attr.name, r->name, r->name_len);
	return attr;
}

static void release(struct alf_out *o, uint32_t place)
{
	o->again[place].next = o->again_free;
	o->again_free = place;
}

/* Nobody asks for it any more: that is told out of the table, which is all that is kept of it. */
static void over(struct alf *a, uint32_t place)
{
	struct alf_out *o = &a->out;

	if (o->again[place].quiet || !(a->profile.wanted & 1U << ADU_ACKNOWLEDGED)) {
		release(o, place);
		return;
	}
	o->again[place].next = AGAIN_NONE;
	*(o->acked_first == AGAIN_NONE ? &o->acked_first : &o->again[o->acked_last].next) = place;
	o->acked_last = place;
}

void alf_again_acked(struct alf *a, uint64_t off)
{
	struct alf_out *o = &a->out;
	uint32_t *at = &o->again_first, place, last = AGAIN_NONE;

	/* In the order in which they began, which with several at a time is not that in which they ended. */
	while ((place = *at) != AGAIN_NONE) {
		struct adu_again *r = &o->again[place];
		if (r->end > off && r->end != UINT64_MAX)
			return; /* what comes behind it, mostly, is not acknowledged either */
		if (r->end > off) {
			last = place;
			at = &r->next;
			continue;
		}
		*at = r->next;
		if (o->again_last == place)
			o->again_last = last;
		over(a, place);
	}
}

bool alf_again_told(struct alf *a, struct adu_event *e)
{
	struct alf_out *o = &a->out;
	const uint32_t place = o->acked_first;

	if (place == AGAIN_NONE)
		return false;
	*e = (struct adu_event){ .kind = ADU_ACKNOWLEDGED, .id = o->again[place].id, .len = o->again[place].total,
		.attr = attr_of(&o->again[place]) };
	o->acked_first = o->again[place].next;
	release(o, place);
	return true;
}

bool alf_again_data(struct alf *a, uint32_t place, uint64_t offset, size_t len)
{
	const struct adu_again *r = &a->out.again[place];
	const struct adu_attr attr = attr_of(r);

	a->stats.regenerated++;
	return a->profile.hooks.regenerate(a->profile.hooks.ctx, (uint64_t)r->id, &attr, offset, a->aside, len);
}

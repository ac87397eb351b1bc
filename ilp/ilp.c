/* Finds chains, and the loop that this CPU runs fastest. The chains themselves are generated (ilp/gen/). */
#include "ilp/ilp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const isa_names[ILP_ISAS] = {
	[ILP_SCALAR] = "scalar", [ILP_SSE2] = "sse2", [ILP_SSSE3] = "ssse3", [ILP_AESNI] = "aesni", [ILP_AVX2] = "avx2",
	[ILP_VAES] = "vaes", [ILP_AVX512] = "avx512", [ILP_VAES512] = "vaes512", [ILP_NEON] = "neon",
	[ILP_NEON_AES] = "neon_aes", [ILP_VX] = "vx"
};

static const char *const schedule_names[ILP_SCHEDULES] = {
	[ILP_LAYERED] = "layered", [ILP_TILED] = "tiled", [ILP_FUSED] = "fused",
	[ILP_STREAMING] = "streaming"
};

const char *ilp_isa_name(enum ilp_isa isa)
{
	return isa_names[isa];
}

const char *ilp_schedule_name(enum ilp_schedule schedule)
{
	return schedule_names[schedule];
}

int ilp_find_schedule(const char *name)
{
	for (int s = 0; s < ILP_SCHEDULES; s++)
		if (!strcmp(schedule_names[s], name))
			return s;
	return -ENOENT;
}

bool ilp_isa_here(enum ilp_isa isa)
{
	return ilp_has(isa);
}

/* The best instruction set that the environment allows; a name that is none allows all. */
static int isa_allowed(void)
{
	const char *name = getenv("ILP_ISA");

	for (int isa = 0; name && isa < ILP_ISAS; isa++)
		if (strcmp(name, isa_names[isa]) == 0)
			return isa;
	return ILP_ISAS - 1;
}

enum ilp_isa ilp_isa_best(void)
{
	int isa = isa_allowed();

	while (isa > ILP_SCALAR && !ilp_isa_here((enum ilp_isa)isa))
		isa--;
	return (enum ilp_isa)isa;
}

enum ilp_isa ilp_isa_of(const struct ilp_chain *c, enum ilp_direction direction, unsigned way)
{
	int isa = (int)ilp_isa_best();

	while (isa > ILP_SCALAR && !(c->ways[direction][way].loop[isa] && ilp_isa_here((enum ilp_isa)isa)))
		isa--;
	return (enum ilp_isa)isa;
}

ilp_loop *ilp_pick(const struct ilp_chain *c, enum ilp_direction direction, unsigned way)
{
	return c->ways[direction][way].loop[ilp_isa_of(c, direction, way)];
}

ilp_once *ilp_pick_once(const struct ilp_chain *c, enum ilp_direction direction)
{
	return c->once[direction][ilp_isa_of(c, direction, ILP_FUSED)];
}

size_t ilp_scratch(const struct ilp_chain *c, enum ilp_direction direction, unsigned way, size_t n)
{
	const struct ilp_way *w = &c->ways[direction][way];
	const bool strips = w->tiled && !(c->whole[direction] && w->pieces > 0);

	if (w->pieces == 0)
		return 0;
	return w->pieces * ilp_piece(&c->growth[direction], strips && n > ILP_TILE_MAX ? ILP_TILE_MAX : n);
}

size_t ilp_room(const struct ilp_chain *c, enum ilp_direction direction, size_t n)
{
	return ilp_grown(&c->growth[direction], n);
}

const struct ilp_chain *ilp_find(const char *name)
{
	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

const struct ilp_value *ilp_find_value(const struct ilp_chain *c, const char *name)
{
	for (const struct ilp_value *v = c->values; v && v->name; v++)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

void ilp_get(const struct ilp_chain *c, const struct ilp_value *v, const void *state, void *to)
{
	v->get(state, to);
	if (c->keyed)
		ilp_wipe_stack(), ilp_wipe_registers();
}

int ilp_value(const struct ilp_chain *c, const void *state, const char *name, void *to, size_t size)
{
	const struct ilp_value *v = ilp_find_value(c, name);

	if (!v)
		return -ENOENT;
	if (size != v->size)
		return -EINVAL;
	ilp_get(c, v, state, to);
	return 0;
}

const struct ilp_param *ilp_find_param(const struct ilp_chain *c, const char *name)
{
	for (const struct ilp_param *p = c->params; p && p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

void ilp_put(const struct ilp_param *p, void *state, const void *value)
{
	/* Nonces, and what is set for each FPDU: in words that begin() can read before they are in memory. */
	if (p->size == 12)
		memcpy((uint8_t *)state + p->offset, value, 12);
	else if (p->size == 4)
		memcpy((uint8_t *)state + p->offset, value, 4);
	else
		memcpy((uint8_t *)state + p->offset, value, p->size);
	if (p->expanded)
		((struct ilp_state *)state)->expanded = 0;
}

int ilp_set(const struct ilp_chain *c, void *state, const char *name, const void *value, size_t len)
{
	const struct ilp_param *p = ilp_find_param(c, name);

	if (!p)
		return -ENOENT;
	if (len != p->size)
		return -EINVAL;
	ilp_put(p, state, value);
	return 0;
}

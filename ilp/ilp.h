/* Loops, for those who run them: find a chain, choose direction and schedule, begin, run, end.
 *
 *	const struct ilp_chain *c = ilp_find("xdr_chacha20_copy_sum");
 *	struct ilp_any s = {0};                 // any chain's state; parameters that are not set are zeros
 *	ilp_set(c, &s, "chacha20.key", key, 32);
 *	ilp_set(c, &s, "chacha20.nonce", nonce, 12);
 *	c->begin(&s);
 *	n = ilp_pick(c, ILP_SEND, ILP_FUSED)(&s, dst, src, len, NULL);
 *	n += c->end[ILP_SEND](&s, dst + n);     // negative: it came damaged, or forged (ILP_RECV)
 *	sum = c->sum(&s);
 *	ilp_wipe(&s, sizeof s); */
#ifndef ILP_ILP_H
#define ILP_ILP_H

#include "ilp/run.h"

#include <stdbool.h>

struct ilp_any {
	_Alignas(ILP_ALIGN) uint8_t bytes[ILP_STATE_MAX];
};

/* The chains that were compiled in (ilp/chains/), in order of name; the last is NULL. */
extern const struct ilp_chain *const ilp_chains[];
/* By name; NULL when there is none. */
const struct ilp_chain *ilp_find(const char *name);
/* The chain's parameter of that name; NULL when there is none: "chacha20.key" says that it enciphers. */
const struct ilp_param *ilp_find_param(const struct ilp_chain *, const char *name);
/* Writes a parameter into the state: p->size bytes. For what is set anew for each ADU, a nonce. */
void ilp_put(const struct ilp_param *p, void *state, const void *value);
/* The same by its name. -ENOENT: the chain has none of that name; -EINVAL: len is not its size. */
int ilp_set(const struct ilp_chain *, void *state, const char *name, const void *value, size_t len);
/* The value that the chain's fold of that name comes to; NULL when there is none. */
const struct ilp_value *ilp_find_value(const struct ilp_chain *, const char *name);
/* What it has come to, when its ADU has ended: v->size bytes to `to`. */
void ilp_get(const struct ilp_chain *, const struct ilp_value *v, const void *state, void *to);
/* The same by its name. -ENOENT: the chain has no fold of that name; -EINVAL: size is not its value's. */
int ilp_value(const struct ilp_chain *, const void *state, const char *name, void *to, size_t size);
/* For a parameter NAME.sink (struct ilp_tap, set after begin), with a FILE: prints bytes in lines of place, hexadecimal
 * and ASCII. A place is that of the data as it is there; pieces are as the loops have them. */
void ilp_hexdump(void *file, const char *stage, uint64_t at, const uint8_t *bytes, size_t n);
/* The loop for this CPU. way: of enum ilp_schedule, or the place of a partition in the chain's table. ILP_ISA in the
 * environment, a name that `tcpu isa` lists, lowers the choice; other values change nothing. */
ilp_loop *ilp_pick(const struct ilp_chain *, enum ilp_direction, unsigned way);
/* Likewise all of an ADU in one call, fused: what is to be done is begin, loop and end, and nothing else. */
ilp_once *ilp_pick_once(const struct ilp_chain *, enum ilp_direction);
/* Bytes of scratch memory that the loop wants for n bytes of input; 0: tmp may be NULL. Aligned to ILP_ALIGN it is
 * fastest. */
size_t ilp_scratch(const struct ilp_chain *, enum ilp_direction, unsigned way, size_t n);
/* Bytes that all loops of an ADU of n bytes and its end may write. */
size_t ilp_room(const struct ilp_chain *, enum ilp_direction, size_t n);

/* The instruction sets. */
bool ilp_isa_here(enum ilp_isa);
/* The best that this CPU has and ILP_ISA allows. A chain may have no loops for it: */
enum ilp_isa ilp_isa_best(void);
/* the one of the loop that ilp_pick gives. */
enum ilp_isa ilp_isa_of(const struct ilp_chain *, enum ilp_direction, unsigned way);
const char *ilp_isa_name(enum ilp_isa);
const char *ilp_schedule_name(enum ilp_schedule);
/* The one of that name; -ENOENT. */
int ilp_find_schedule(const char *name);

#endif

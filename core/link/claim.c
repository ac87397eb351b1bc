/* Addresses that sockets have of the link. */
#include "core/link/stack.h"

#include <errno.h>
#include <stdlib.h>

#define EVERY_US 100000
#define LOOKED_AT 32 /* of those left at a time: for each all connections are looked at */

static void give_back(struct tcpu_stack *k, struct claim *c)
{
	k->link->ops->release(k->link, &c->local);
	free(c);
}

/* One that is left and wanted anew is the link's again for a moment. */
static void find_left(struct tcpu_stack *k, struct link_addr want)
{
	struct claim *c;

	STAILQ_FOREACH(c, &k->left_claims, next)
		if (c->local.port == want.port && c->local.ip == want.ip) {
			STAILQ_REMOVE(&k->left_claims, c, claim, next);
			give_back(k, c);
			return;
		}
}

int claim_begin(struct tcpu_stack *k, struct link_addr want, struct claim **out)
{
	struct claim *c = malloc(sizeof *c);
	int e;

	if (!c)
		return -ENOMEM;
	if (want.port)
		find_left(k, want);
	e = k->link->ops->claim(k->link, &want);
	if (e) {
		free(c);
		return e;
	}
	*c = (struct claim){ .local = want, .users = 1 };
	*out = c;
	return 0;
}

void claim_end(struct tcpu_stack *k, struct claim *c)
{
	if (k->link->exclusive && tcpu_holds(k->engine, c->local))
		STAILQ_INSERT_TAIL(&k->left_claims, c, next);
	else
		give_back(k, c);
}

void claims_settle(struct tcpu_stack *k, bool all)
{
	struct claim *c, *kept = NULL;

	if (!all && k->looked_us - k->left_us < EVERY_US)
		return;
	k->left_us = k->looked_us;
	/* Who is still held stands behind all others then. */
	for (unsigned n = 0; (c = STAILQ_FIRST(&k->left_claims)) && c != kept && (all || n < LOOKED_AT); n++) {
		STAILQ_REMOVE_HEAD(&k->left_claims, next);
		if (all || !tcpu_holds(k->engine, c->local)) {
			give_back(k, c);
			continue;
		}
		STAILQ_INSERT_TAIL(&k->left_claims, c, next);
		kept = kept ? kept : c;
	}
}

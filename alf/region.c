/* What the peer may put bytes to by name (tagged DDP), for as long as the application exposes it. */
#include "alf/conn.h"

#include <errno.h>
#include <stdlib.h>

static int fail(int e)
{
	errno = -e;
	return -1;
}

int adu_expose(struct alf *a, uint32_t stag, void *base, uint64_t len)
{
	struct alf_region *r = a->in.regions;

	if (!a->framer->tagged || (!base && !a->profile.hooks.place))
		return fail(-EINVAL);
	while (r && r->stag != stag)
		r = r->next;
	if (r)
		return fail(-EEXIST);
	r = calloc(1, sizeof *r);
	if (!r)
		return fail(-ENOMEM);
	*r = (struct alf_region){ .news.of = NEWS_REGION, .next = a->in.regions, .stag = stag, .base = base, .len = len };
	a->in.regions = r;
	return 0;
}

int adu_hide(struct alf *a, uint32_t stag)
{
	struct alf_region **at = &a->in.regions, *r;

	while (*at && (*at)->stag != stag)
		at = &(*at)->next;
	r = *at;
	if (!r)
		return fail(-ENOENT);
	*at = r->next;
	alf_untell(&r->news);
	alf_ranges_free(&r->placed);
	alf_ranges_free(&r->fresh);
	free(r);
	return 0;
}

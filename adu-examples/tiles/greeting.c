/* What the ends say of themselves before there are tiles: each sees by itself whether they can talk. */
#include "adu-examples/tiles/tiles.h"

#include <endian.h>
#include <string.h>

struct greeting greeting_make(const struct alf_profile *profile, const struct picture *p)
{
	struct greeting g = { MAGIC, htobe32(VERSION), htobe32(p ? p->width : 0), htobe32(p ? p->height : 0),
		htobe32(p ? p->edge : 0), { 0 } };

	profile_chain(profile, g.chain);
	return g;
}

enum status greeting_read(const struct alf *alf, const char *chain, struct greeting *g)
{
	struct alf_peer said;
	const bool greeted = alf_peer(alf, &said);

	/* Of all versions these two stand in front. */
	if (!greeted || said.private_len < sizeof g->magic + sizeof g->version ||
		memcmp(said.private_data, MAGIC, sizeof g->magic) != 0)
		return complain(FAILED, "the other end does not speak tiles");
	*g = (struct greeting){ .version = 0 };
	memcpy(g, said.private_data, said.private_len < sizeof *g ? said.private_len : sizeof *g);
	g->version = be32toh(g->version);
	g->width = be32toh(g->width);
	g->height = be32toh(g->height);
	g->edge = be32toh(g->edge);
	if (g->version != VERSION)
		return complain(FAILED, "the other end has another version of tiles");
	if (said.private_len != sizeof *g)
		return complain(FAILED, "the other end does not speak tiles");
	if (memcmp(g->chain, chain, sizeof g->chain) != 0)
		return complain(FAILED, "the other end's chain is not %s, as it is here: give both the same --profile", chain);
	return OK;
}

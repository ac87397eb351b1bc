/* Word of the network: RFC 1122 4.2.3.9; RFC 5927, which says how not to be fooled; RFC 1191, path MTU discovery. */
#include "core/tcb.h"

#include <errno.h>
#include <stddef.h>

/* Is the segment that the message quotes one that is under way? RFC 5927 section 4.1. A link that cannot quote has made
 * sure in its own way. */
static bool is_ours(const struct tcb *c, const struct link_in *in)
{
	const uint8_t *p = in->segment;
	uint32_t seq;

	if (in->len == 0)
		return true;
	if (in->len < 8)
		return false;
	seq = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
	return seq_geq(seq, c->snd_una) && seq_lt(seq, c->snd_max);
}

static void believe(struct tcb *c, uint32_t mtu)
{
	c->path_mtu = mtu;
	c->mtu_said = 0;
	tcb_set_mss(c);
}

/* RFC 1191 section 7.1: what a router of before means that does not say */
static uint32_t plateau(uint32_t below)
{
	static const uint32_t table[] = { 65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, MTU_MIN };
	size_t i = 0;

	while (table[i] >= below && table[i] != MTU_MIN)
		i++;
	return table[i];
}

/* RFC 5927 7.2: a path that nothing larger has passed yet is believed in at once; what contradicts experience only
 * once a segment times out. */
static void too_large(struct tcb *c, uint32_t mtu)
{
	mtu = max_u32(mtu ? mtu : plateau(c->path_mtu), MTU_MIN);
	if (mtu >= c->path_mtu)
		return;
	if (c->acked_max + tcb_header_len(c) + IP_HEADER > mtu) {
		c->mtu_said = mtu;
		return;
	}
	believe(c, mtu);
	if (is_synchronized(c))
		recovery_resend(c);
}

void mtu_timeout(struct tcb *c)
{
	if (c->mtu_said)
		believe(c, c->mtu_said);
}

/* RFC 9293 3.9.2.2: protocol and port unreachable. All else may pass, and ends nothing (MUST-56); Linux and others end
 * a connection that opens by it as well (RFC 5461). */
static bool is_hard(int error)
{
	return error == ENOPROTOOPT || error == ECONNREFUSED;
}

/* Elsewhere hard ones are soft (RFC 5927 section 5.2); timeouts will tell. */
static bool may_end(const struct tcb *c)
{
	return !is_synchronized(c) || (c->state >= TCPU_CLOSING && c->snd.una == c->snd.end);
}

void icmp_input(struct tcpu *e, const struct link_in *in)
{
	struct tcb *c = tcb_find(e, in->dst, in->src);

	if (!c || !is_ours(c, in))
		return;
	if (in->error == EMSGSIZE)
		too_large(c, in->path_mtu);
	else if (is_hard(in->error) && may_end(c))
		tcb_drop(c, is_synchronized(c) ? 0 : in->error); /* of one that is closed only the end itself was owed */
	else
		c->soft_error = (uint8_t)in->error;
}

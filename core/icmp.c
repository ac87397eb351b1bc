/* Word of the network: RFC 1122 4.2.3.9, RFC 5927. */
#include "core/tcb.h"

void icmp_input(struct tcpu *e, const struct link_in *in)
{
	struct tcb *c = tcb_find(e, in->dst, in->src);

	if (!c)
		return;
	switch (c->state) {
	case TCPU_SYN_SENT:
	case TCPU_SYN_RECEIVED:
		tcb_drop(c, in->error);
		break;
	case TCPU_CLOSING:
	case TCPU_LAST_ACK:
	case TCPU_TIME_WAIT:
		if (c->snd.una == c->snd.end) /* only the end itself is owed */
			tcb_drop(c, 0);
		break;
	default: /* RFC 5927 section 5.2: a soft error; timeouts will tell */
		break;
	}
}

/* Timestamps: RFC 7323 sections 3 to 5. The clock ticks each millisecond, and begins for each pair of addresses at a
 * place that only the engine's secret tells (RFC 7323 section 7.1): so numbers go on, for RFC 6191, and nobody learns
 * from them how long the machine has run. */
#include "core/tcb.h"

#define TS_RECENT_VALID_US (24 * 86400 * 1000000ULL) /* 5.5: older than that, it may have wrapped */

uint32_t timestamp_now(const struct tcb *c)
{
	return (uint32_t)(c->engine->now / 1000) + c->ts_offset;
}

/* 5.3, R1: PAWS; RST is not asked for it */
bool timestamp_acceptable(const struct tcb *c, const struct segment *s)
{
	if (!c->timestamps)
		return true;
	if (!s->options.has_timestamp)
		return false; /* 3.2: once agreed upon, every segment has it */
	return seq_geq(s->options.ts_val, c->ts_recent) || c->engine->now - c->ts_recent_us > TS_RECENT_VALID_US;
}

/* 4.3 (2), 5.3 R3 */
void timestamp_update(struct tcb *c, const struct segment *s)
{
	if (!c->timestamps || !s->options.has_timestamp || seq_gt(s->seq, c->rcv_acked))
		return;
	if (seq_lt(s->options.ts_val, c->ts_recent) && c->engine->now - c->ts_recent_us <= TS_RECENT_VALID_US)
		return;
	c->ts_recent = s->options.ts_val;
	c->ts_recent_us = c->engine->now;
}

uint32_t timestamp_rtt(const struct tcb *c, uint32_t ts_ecr)
{
	uint32_t ms = timestamp_now(c) - ts_ecr;

	/* Of an echo from before this connection, or a wild one, nothing is learnt. */
	return ms < 60000 ? ms * 1000 + 500 : 0;
}

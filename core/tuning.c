#include "core/tuning.h"

#define RTT_MAX_US 60000000u
#define ECHO_MIN_US 3000
#define WANTED_MAX (1u << 30) /* RFC 7323 2.3: no window is larger */

void tuning_rtt(struct tuning *t, uint32_t rtt_us)
{
	rtt_us = rtt_us < 1 ? 1 : rtt_us > RTT_MAX_US ? RTT_MAX_US : rtt_us;
	if (!t->rtt_us || rtt_us < t->rtt_us)
		t->rtt_us = rtt_us;
	else
		t->rtt_us += (rtt_us - t->rtt_us) / 8;
}

void tuning_echo(struct tuning *t, uint32_t ts_ecr, uint32_t rtt_us)
{
	if (ts_ecr == t->echo)
		return;
	t->echo = ts_ecr;
	if (rtt_us > ECHO_MIN_US)
		tuning_rtt(t, rtt_us);
}

void tuning_came(struct tuning *t, uint32_t bytes, uint32_t window, uint64_t now_us)
{
	uint64_t elapsed = now_us - t->window_since_us;

	if (bytes < t->window_left) {
		t->window_left -= bytes;
		return;
	}
	if (t->window_left && elapsed < (t->rtt_us ? t->rtt_us : RTT_MAX_US))
		tuning_rtt(t, (uint32_t)elapsed);
	t->window_left = window;
	t->window_since_us = now_us;
}

uint32_t tuning_took(struct tuning *t, uint32_t bytes, uint64_t now_us)
{
	uint64_t elapsed = now_us - t->since_us, twice;
	uint32_t wanted = 1;

	t->took += bytes;
	if (!t->rtt_us || elapsed < t->rtt_us)
		return 0;
	/* What was taken after a rest was not taken in one round trip. */
	twice = (uint64_t)t->took * 2 * t->rtt_us / elapsed;
	t->since_us = now_us;
	t->took = 0;
	while (wanted < twice && wanted < WANTED_MAX)
		wanted *= 2;
	return wanted;
}

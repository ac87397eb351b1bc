#include "core/cookie.h"

#include "core/siphash.h"

#define COUNTER_US 64000000u
#define COUNTER_BITS 2
#define INDEX_BITS 3
#define AGE_MAX 2 /* counters */

/* Least of all (core/tcb.h), least that every host takes, IPv6's least MTU, tunnels, Ethernet, large frames */
static const uint16_t sizes[1 << INDEX_BITS] = { 48, 536, 1220, 1360, 1400, 1440, 1460, 8960 };

static uint32_t make(const uint8_t secret[16], struct link_addr local, struct link_addr remote, uint32_t irs,
	uint32_t index, uint64_t counter)
{
	/* The last word keeps these hashes apart from others of the same secret. */
	uint32_t key[8] = { local.ip, remote.ip, (uint32_t)local.port << 16 | remote.port, irs, index,
		(uint32_t)(counter >> 32), (uint32_t)counter, 0x636f6f6b };
	uint32_t hash = (uint32_t)siphash(secret, key, sizeof key);

	return (hash << INDEX_BITS | index) << COUNTER_BITS | (counter & ((1 << COUNTER_BITS) - 1));
}

uint32_t cookie_make(const uint8_t secret[16], struct link_addr local, struct link_addr remote, uint32_t irs,
	uint16_t mss, uint64_t now_us)
{
	uint32_t index = 0;

	while (index + 1 < 1 << INDEX_BITS && sizes[index + 1] <= mss)
		index++;
	return make(secret, local, remote, irs, index, now_us / COUNTER_US);
}

bool cookie_check(const uint8_t secret[16], struct link_addr local, struct link_addr remote, uint32_t irs,
	uint32_t cookie, uint64_t now_us, uint16_t *mss)
{
	uint64_t counter = now_us / COUNTER_US;
	uint64_t age = (counter - cookie) & ((1 << COUNTER_BITS) - 1);
	uint32_t index = cookie >> COUNTER_BITS & ((1 << INDEX_BITS) - 1);

	/* All bits at once: how long it takes does not tell how many are right. */
	if (age > AGE_MAX || (make(secret, local, remote, irs, index, counter - age) ^ cookie) != 0)
		return false;
	*mss = sizes[index];
	return true;
}

uint32_t cookie_timestamp(uint32_t clock, uint8_t scale, bool sack, bool ecn)
{
	uint32_t bits = scale | (uint32_t)sack << 4 | (uint32_t)ecn << 5;

	return clock - ((clock - bits) & ((1u << COOKIE_BITS) - 1));
}

struct cookie_options cookie_options(uint32_t timestamp)
{
	return (struct cookie_options){
		.scale = timestamp & 15, .sack = timestamp >> 4 & 1, .ecn = timestamp >> 5 & 1,
	};
}

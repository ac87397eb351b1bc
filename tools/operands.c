/* Memory and parameters of measured calls: tools/operands.h. */
#include "tools/operands.h"

#include "tools/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t operands_pages(size_t bytes)
{
	return (bytes + OPERANDS_PAGE - 1) / OPERANDS_PAGE * OPERANDS_PAGE;
}

size_t operands_half_of_free(void)
{
	unsigned long long free_kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && !free_kib && fgets(line, sizeof line, f))
		if (!strncmp(line, "MemAvailable:", 13))
			free_kib = strtoull(line + 13, NULL, 10);
	if (f)
		fclose(f);
	return (size_t)(free_kib * 1024 / 2);
}

uint8_t *operands_memory(size_t bytes, uint64_t *random)
{
	const size_t size = operands_pages(bytes);
	uint8_t *base = aligned_alloc(OPERANDS_PAGE, size);

	for (size_t i = 0; base && i < size; i += sizeof *random) {
		const uint64_t word = measure_random(random);

		memcpy(base + i, &word, sizeof word);
	}
	return base;
}

const uint8_t operands_key[32] = "a key for benchmarks, no secret.", operands_nonce[12] = "a nonce 4 it";
static const uint32_t counter = 1; /* RFC 8439 (2.4) */
static const uint8_t big_counter[4] = { 0, 0, 0, 1 };

void operands_params(const struct ilp_chain *chain, struct ilp_any *state)
{
	uint8_t any[64], key[64] = { 0 };

	memset(any, 0x5a, sizeof any);
	memcpy(key, operands_key, sizeof operands_key);
	for (const struct ilp_param *p = chain->params; p && p->name; p++) {
		const void *value = any;

		const char *of = strchr(p->name, '.');

		if (!strcmp(of, ".key"))
			value = key; /* one of HMAC's is filled up with zeros */
		else if (!strcmp(of, ".nonce"))
			value = operands_nonce;
		else if (!strcmp(p->name, "chacha20.counter"))
			value = &counter;
		else if (!strcmp(p->name, "aes128_ctr.counter"))
			value = big_counter;
		else if (!p->secret)
			continue; /* zeros: a stretch of data that nothing stands before */
		if (p->size <= sizeof any)
			ilp_set(chain, state, p->name, value, p->size);
	}
}

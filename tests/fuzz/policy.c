/* Policy files of tcpkd: whatever they are, what is taken is within bounds, and what is not changes nothing and is told
 * by line and column of the file. */
#include "kernel/tcpkd/policy.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

static void check_rules(const struct policy *p)
{
	must(p->count <= POLICY_RULES_MAX);
	must(p->clients >= 1 && p->clients <= 1024 && p->claims >= 1 && p->claims <= 65536);
	must(p->ring_bytes >= 4096 && p->ring_bytes <= 1 << 30 && !(p->ring_bytes & (p->ring_bytes - 1)));
	must(p->all_ring_bytes >= 4096 && p->all_ring_bytes <= UINT64_C(1) << 40);
	for (unsigned i = 0; i < p->count; i++) {
		const struct policy_rule *r = &p->rules[i];
		const gid_t group = r->id;
		const struct policy_peer peer = { .uid = r->who == POLICY_USER ? r->id : 0, .groups = &group, .group_count = 1 };

		must(r->from >= 1 && r->from <= r->to && r->id != UINT32_MAX);
		must(policy_allows(p, &peer, r->from) && policy_allows(p, &peer, r->to) && policy_knows(p, &peer));
	}
}

/* "p:LINE:COLUMN: ", of a place that the text has. */
static void check_complaint(const char *said, const char *text, size_t len)
{
	unsigned line, column;
	const char *end = text + len;

	must(sscanf(said, "p:%u:%u: found ", &line, &column) == 2 && strstr(said, ", expected "));
	while (--line)
		must((text = memchr(text, '\n', (size_t)(end - text))) && text++);
	must(column >= 1 && column <= end - text + 1 && !memchr(text, '\n', column - 1));
	for (; *said; said++)
		must(*said >= ' ' && *said <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct policy before = { .clients = 64, .claims = 4096, .ring_bytes = 64 << 20,
		.all_ring_bytes = 256 << 20 };
	char *text = malloc(len + !len), said[512] = "";
	static struct policy p;

	if (len)
		memcpy(text, data, len);
	p = before;
	if (policy_read(&p, "p", text, len, said, sizeof said)) {
		check_complaint(said, text, len);
		must(!memcmp(&p, &before, sizeof p));
	} else {
		must(!*said);
		check_rules(&p);
	}
	free(text);
	return 0;
}

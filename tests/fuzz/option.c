/* Options of a segment: what the machine of core/option.rl reads agrees with a reader as one would write it by hand,
 * and lies within the bytes. */
#include "core/option.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static uint32_t number(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* One option of at least 2 bytes. */
static void read_one(struct options *o, const uint8_t *p)
{
	uint32_t kind = p[0], len = p[1];

	if (kind == 2 && len == 4)
		o->mss = (uint16_t)number(p + 2, 2);
	if (kind == 3 && len == 3) {
		o->has_scale = true;
		o->scale = p[2] > 14 ? 14 : p[2];
	}
	if (kind == 4 && len == 2)
		o->sack_permitted = true;
	if (kind == 5 && len > 2 && len <= 34 && len % 8 == 2) {
		o->sack_count = len / 8;
		for (uint32_t i = 0; i < o->sack_count; i++)
			o->sack[i] = (struct sack_block){ number(p + 2 + 8 * i, 4), number(p + 6 + 8 * i, 4) };
	}
	if (kind == 8 && len == 10) {
		o->has_timestamp = true;
		o->ts_val = number(p + 2, 4);
		o->ts_ecr = number(p + 6, 4);
	}
}

static struct options read_all(const uint8_t *p, size_t len)
{
	struct options o = { 0 };
	const uint8_t *end = p + len;

	while (p < end && *p != 0) {
		if (*p == 1) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p) {
			o.malformed = true;
			break;
		}
		read_one(&o, p);
		p += p[1];
	}
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* A copy that ends where the options end. */
	uint8_t *bytes = malloc(len + !len);
	struct options want, got;

	memcpy(bytes, data, len);
	got = options_read(bytes, len);
	want = read_all(bytes, len);
	must(got.mss == want.mss);
	must(got.has_scale == want.has_scale && got.scale == want.scale);
	must(got.sack_permitted == want.sack_permitted);
	must(got.has_timestamp == want.has_timestamp);
	must(!got.has_timestamp || (got.ts_val == want.ts_val && got.ts_ecr == want.ts_ecr));
	must(got.sack_count == want.sack_count);
	must(!memcmp(got.sack, want.sack, got.sack_count * sizeof *got.sack));
	must(got.malformed == want.malformed);
	free(bytes);
	return 0;
}

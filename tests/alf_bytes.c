/* What ALF sends is the same, byte for byte, on every machine: digests of the streams that both ends of a connection
 * write, by framer and chain. Where ADUs are cut otherwise, they change; if anything else changes them, machines of
 * another order of bytes and older releases will not understand each other. */
#include "tests/alf_flow.h"
#include "tests/run.h"

#include <endian.h>
#include <string.h>

#define ADUS 4

static struct flow_pair pair;
static uint8_t data[ADUS][3000];
static const size_t sizes[ADUS] = { 3000, 0, 44, 1500 };

/* FNV-1a of 64 bits. */
static uint64_t digest(const struct flow *f)
{
	uint64_t d = 0xcbf29ce484222325;

	for (size_t i = 0; i < f->len; i++)
		d = (d ^ f->bytes[i]) * 0x100000001b3;
	return d;
}

static const struct {
	const char *name;
	const struct alf_framer *framer;
	const char *chain; /* without a framer, a family's */
	bool markers, crc;
	uint64_t digest[2];
} wires[] = {
	{ "MPA", NULL, "copy", false, false, { 0x8f4593dee56a7c0f, 0xeda5334155dcf8df } },
	{ "MPA with CRC32C", NULL, "copy", false, true, { 0x4c567ff109ba9a8, 0x3d3c05983c4f9d05 } },
	{ "MPA with markers and CRC32C", NULL, "xdr_copy", true, true, { 0x99e34c80e719f4d7, 0x48c05118f588b3dd } },
	{ "MPA, sealed", NULL, "aes256_gcm_copy", false, false, { 0x4473c8c664765251, 0x4385ccd256ce3de2 } },
	{ "MPA, sealed, with both", NULL, "aes256_gcm_copy", true, true, { 0xfcaec6bea27d94f0, 0x7d683746a2eb2c45 } },
	{ "record marking", &alf_record, "copy_sum", false, false, { 0xbce5943b67c3b11, 0xbce5943b67c3b11 } },
	{ "record marking of XDR", &alf_record, "xdr_copy_sum", false, false, { 0xbce5943b67c3b11, 0xbce5943b67c3b11 } },
	{ "COBS", &alf_cobs, "cobs_copy_sum", false, false, { 0x2236cf39ec8187a6, 0x2236cf39ec8187a6 } },
};

/* One ADU in that direction, in segments that cut it. */
static void send_one(int side, int i, bool of_words)
{
	const bool stream = pair.end[side]->framer->stream;
	const struct adu_attr attr = { .name = "a name", .name_len = stream ? 0 : 6, .type = stream ? 0 : (uint8_t)(17 * i),
		.deadline_ms = stream ? 0 : 1000 };
	struct adu_event e;
	uint32_t word;

	flow_fill(data[i], sizes[i], (uint64_t)i);
	for (size_t at = 0; of_words && at < sizes[i]; at += 4) { /* numbers, which are the same everywhere */
		memcpy(&word, data[i] + at, sizeof word);
		word = be32toh(word);
		memcpy(data[i] + at, &word, sizeof word);
	}
	ck_assert_int_gt(flow_send(pair.end[side], data[i], sizes[i], &attr), 0);
	flow_cross(&pair, 700);
	flow_expect(pair.end[side], ADU_SENT);
	e = flow_expect(pair.end[!side], ADU_COMPLETE);
	ck_assert_uint_eq(e.len, sizes[i]);
	ck_assert(!e.len || !memcmp(e.data, data[i], e.len));
	alf_forget(pair.end[!side], alf_in_find(pair.end[!side], e.id));
}

static void put_one(void)
{
	struct adu_out put = { .own = { data[2], 44 }, .total = 44, .here = 44, .tagged = true, .stag = 0x01020304, .to = 8 };
	uint8_t region[100] = { 0 };

	ck_assert_int_eq(adu_expose(pair.end[1], put.stag, region, sizeof region), 0);
	ck_assert_int_gt(alf_queue(pair.end[0], &put, NULL), 0);
	flow_cross(&pair, 700);
	ck_assert_mem_eq(region + 8, data[2], 44);
}

/* Start-up frames, messages, ADUs both ways; of MPA some bytes by STag, too; with AEAD another key. */
START_TEST(bytes_of)
{
	static const uint8_t key[32] = "a key for tests, of 32 bytes...", iv[12] = "twelve bytes";
	struct alf_profile p = { .framer = wires[_i].framer, .markers = wires[_i].markers, .crc = wires[_i].crc,
		.rekey_after = 3 };

	if (p.framer)
		p.chain.plain = ilp_find(wires[_i].chain);
	else
		ck_assert_int_eq(alf_family(wires[_i].chain, &p.chain), 0);
	if (p.chain.plain->keyed) {
		p.key = key;
		p.iv = iv;
	}
	flow_pair_open(&pair, &p, &p);
	for (int i = 0; i < 2 * ADUS; i++)
		send_one(i % 2, i / 2, p.chain.plain->unit == 4);
	if (!p.framer)
		put_one();
	for (int side = 0; side < 2; side++)
		ck_assert_msg(digest(&pair.flow[side]) == wires[_i].digest[side], "%s: the digest of what end %d sends is %#lx",
			wires[_i].name, side, (unsigned long)digest(&pair.flow[side]));
	ck_assert_uint_eq(pair.end[0]->stats.rekeys, p.key ? 1 : 0);
	flow_close(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bytes");
	TCase *tc = tcase_create("bytes");

	tcase_add_loop_test(tc, bytes_of, 0, sizeof wires / sizeof *wires);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

/* The two FPDUs that RFC 5044 prints as annotated hex dumps: made byte for byte by what our frames are made with, and
 * taken apart again. alf/fpdu_out.c itself writes neither: DDP's data there is no ADU of ours, with a preface, but 24
 * zeros. */
#include "alf/bytes.h"
#include "alf/conn.h"
#include "alf/crc32c.h"
#include "alf/fpdu.h"
#include "alf/segment.h"
#include "core/cksum.h"
#include "tests/hex.h"
#include "tests/property.h"
#include "tests/run.h"

#include <string.h>

#define DATA 24
#define ROOM 128
#define ZEROS "000000000000000000000000000000000000000000000000"

/* Where the first byte stands in the stream of frames; the message of each is its number's. */
struct dump {
	const char *text;
	uint64_t place;
};
static const struct dump dumps[2] = {
	/* The first of its stream: a marker in front, which points to the byte behind itself. */
	{ "00000000" "002a" "414300000000" "00000000" "00000001" "00000000" ZEROS "52239983", 0 },
	/* The second, behind one of 492 bytes: a marker between header and data, 20 bytes from the beginning. */
	{ "002a" "414300000000" "00000000" "00000002" "00000000" "00000014" ZEROS "84925898", 0x1ec },
};
static const uint8_t data[DATA];

static struct ddp_segment header(unsigned dump)
{
	return (struct ddp_segment){ .last = true, .queue = DDP_ADUS, .msn = dump + 1 };
}

static struct alf_way way_of(int schedule)
{
	struct alf_chains family;
	struct alf_way way;

	ck_assert_int_eq(alf_family("copy", &family), 0);
	ck_assert(!strcmp(family.marker->name, "marker_crc32c_copy_sum"));
	ck_assert_int_eq(alf_way_of(&way, family.marker, (enum ilp_schedule)schedule, true, true), 0);
	return way;
}

/* Of a frame of which `before` bytes stand at `at`, the first of them at position `place`, and ULPDU_Length there
 * `marker` bytes behind. */
static void begin(struct alf_run_state *run, const struct alf_way *way, uint64_t place, const uint8_t *at,
	size_t before, size_t marker)
{
	const struct alf_begin b = { .place = (uint32_t)(place + before), .base = (uint32_t)(before - marker),
		.before = alf_crc32c(0, at, before) };

	alf_chain_begin(NULL, run, way, &b); /* without a key it asks nothing of the connection */
}

/* What stands in front of the data: a marker where its position is, ULPDU_Length, DDP's header. Returns behind it. */
static uint8_t *write_head(const struct dump *d, uint8_t *at)
{
	const struct ddp_segment seg = header((unsigned)(d - dumps));

	if (d->place % FPDU_EVERY == 0)
		at = put32(at, 0);
	at = put16(at, DDP_UNTAGGED + DATA);
	return at + ddp_write(&seg, at);
}

/* As write_frame of alf/fpdu_out.c. */
static size_t write_dump(const struct dump *d, const struct alf_way *way, uint8_t *to, uint16_t *sum)
{
	static uint8_t scratch[4 * ROOM];
	struct alf_run_state run = { .way = NULL };
	const size_t marker = d->place % FPDU_EVERY ? 0 : FPDU_MARKER;
	uint8_t *at = write_head(d, to), *tail = at;
	const size_t before = (size_t)(at - to);
	uint32_t crc;

	begin(&run, way, d->place, to, before, marker);
	tail += way->loop[ILP_SEND](&run.state, tail, data, DATA, scratch);
	tail += way->chain->end[ILP_SEND](&run.state, tail);
	*sum = tcpu_sum_join(tcpu_sum(to, before), way->chain->sum(&run.state), before);
	at = tail;
	for (size_t pad = -(FPDU_LENGTH + DDP_UNTAGGED + DATA) % 4; pad; pad--)
		*at++ = 0;
	crc = htole32(alf_crc32c(alf_chain_crc(&run), tail, (size_t)(at - tail)));
	memcpy(at, &crc, sizeof crc);
	at += sizeof crc;
	*sum = tcpu_sum_join(*sum, tcpu_sum(tail, (size_t)(at - tail)), (size_t)(tail - to));
	return (size_t)(at - to);
}

START_TEST(made)
{
	const struct alf_way way = way_of(_i);
	uint8_t want[ROOM], got[ROOM];
	uint16_t sum;

	for (unsigned i = 0; i < 2; i++) {
		const size_t n = unhex(want, sizeof want, dumps[i].text);
		ck_assert_uint_eq(write_dump(&dumps[i], &way, got, &sum), n);
		for (size_t k = 0; k < n; k++)
			ck_assert_msg(got[k] == want[k], "dump %u, byte %zx is %02x, not %02x", i + 1, k, got[k], want[k]);
		ck_assert_uint_eq(sum, tcpu_sum(want, n));
	}
}
END_TEST

/* As alf/fpdu_in.c does. Whether the CRC is right, and the data is what it was. */
static bool read_dump(const struct dump *d, const struct alf_way *way, const uint8_t *bytes, size_t len, uint8_t *to)
{
	static uint8_t scratch[4 * ROOM];
	struct alf_run_state run = { .way = NULL };
	const size_t marker = d->place % FPDU_EVERY ? 0 : FPDU_MARKER, before = marker + FPDU_LENGTH + DDP_UNTAGGED;
	const uint64_t from = d->place + before, behind = fpdu_behind(true, from, DATA);
	const size_t tail = (size_t)(behind - d->place);
	uint32_t crc;
	size_t n;

	begin(&run, way, d->place, bytes, before, marker);
	n = way->loop[ILP_RECV](&run.state, to, bytes + before, tail - before, scratch);
	if (way->chain->end[ILP_RECV](&run.state, to + n) != 0 || n != DATA)
		return false;
	memcpy(&crc, bytes + len - FPDU_CRC, sizeof crc);
	return le32toh(crc) == alf_crc32c(alf_chain_crc(&run), bytes + tail, len - FPDU_CRC - tail);
}

START_TEST(taken_apart)
{
	const struct alf_way way = way_of(_i);
	uint8_t bytes[ROOM], got[ROOM];
	struct ddp_segment seg;

	for (unsigned i = 0; i < 2; i++) {
		const struct dump *d = &dumps[i];
		const size_t n = unhex(bytes, sizeof bytes, d->text), marker = d->place ? 0 : FPDU_MARKER;
		const struct ddp_segment want = header(i);
		ck_assert_uint_eq(get16(bytes + marker), DDP_UNTAGGED + DATA);
		ck_assert_uint_eq(n, marker + (fpdu_behind(true, d->place + marker, fpdu_content(DDP_UNTAGGED + DATA)) -
			d->place - marker));
		ck_assert_int_eq(ddp_read(&seg, bytes + marker + FPDU_LENGTH, DDP_UNTAGGED), DDP_UNTAGGED);
		ck_assert(seg.last && !seg.tagged && !seg.key_phase && !seg.name_len && !seg.total);
		ck_assert(seg.queue == want.queue && seg.msn == want.msn && seg.mo == want.mo);
		memset(got, 0xff, sizeof got);
		ck_assert(read_dump(d, &way, bytes, n, got));
		ck_assert_mem_eq(got, data, DATA);
		/* Markers are within the CRC. */
		for (size_t bit = 0; bit < 8 * n; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			must(!read_dump(d, &way, bytes, n, got));
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_dumps");
	TCase *tc = tcase_create("alf_dumps");

	tcase_add_loop_test(tc, made, 0, ILP_SCHEDULES);
	tcase_add_loop_test(tc, taken_apart, 0, ILP_SCHEDULES);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

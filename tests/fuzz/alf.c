/* The receiver of ADUs as a whole, at either end, against a peer that knows how frames are made: it sends frames with
 * any fields, true markers and CRCs or not, sealed or forged, and the network cuts, swaps, damages and repeats what it
 * sends. Whatever that is: no byte is taken twice, what is placed lies within what was allowed, of what came damaged
 * nothing is seen, memory is bounded, and an error ends it.
 *
 * The input: options; then frames, until one of them is "deliver"; then segments. */
#include "alf/conn.h"
#include "alf/crc32c.h"
#include "alf/fpdu.h"
#include "alf/segment.h"
#include "core/cksum.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

/* The chains that a profile may ask for here. */
extern const struct ilp_chain ilp_chain_copy_sum, ilp_chain_crc32c_copy_sum, ilp_chain_marker_crc32c_copy_sum,
	ilp_chain_xdr_copy_sum, ilp_chain_xdr_crc32c_copy_sum, ilp_chain_xdr_marker_crc32c_copy_sum,
	ilp_chain_aes256_gcm_copy_sum, ilp_chain_aes256_gcm_crc32c_copy_sum, ilp_chain_aes256_gcm_marker_crc32c_copy_sum;
const struct ilp_chain *const ilp_chains[] = { &ilp_chain_copy_sum, &ilp_chain_crc32c_copy_sum,
	&ilp_chain_marker_crc32c_copy_sum, &ilp_chain_xdr_copy_sum, &ilp_chain_xdr_crc32c_copy_sum,
	&ilp_chain_xdr_marker_crc32c_copy_sum, &ilp_chain_aes256_gcm_copy_sum, &ilp_chain_aes256_gcm_crc32c_copy_sum,
	&ilp_chain_aes256_gcm_marker_crc32c_copy_sum, NULL };

#define STREAM 16000
#define ADU_MOST 5000
#define CREDIT 12000
#define REGION 3000

static uint8_t stream[STREAM + 1000];
static bool have[STREAM], taken[STREAM];
static uint64_t len, next; /* of the stream; up to which all was taken */
static uint64_t origin;
static uint8_t region[REGION + 2];
static bool markers;

/* ---- where the application wants it ---- */

#define PLACES 16 /* ADUs' at a time, by handle, and one for what is placed by STag */
#define GIVEN 64

static uint8_t places[PLACES + 1][ADU_MOST + 1];
static struct iovec given[GIVEN]; /* since the segment came */
static unsigned given_count, asked;

static int place(void *ctx, const struct adu_where *w, struct iovec *to, int max)
{
	uint8_t *at = w->id ? places[w->id / 2 % PLACES] : places[PLACES];
	uint32_t answer = asked++ * 2654435761u >> 24;

	(void)ctx;
	must(max == ALF_PIECES_MAX && w->len && w->total <= ADU_MOST && w->len <= w->total - w->offset &&
		w->offset <= w->total && (w->id || w->stag == 2));
	if (answer < 4 && w->id)
		return -ECANCELED;
	if (w->id % 6 == 0 && w->id)
		return w->named ? 0 : -EAGAIN;
	to[0] = (struct iovec){ at + w->offset, w->len / (answer % 2 + 1) };
	to[1] = (struct iovec){ at + w->offset + to[0].iov_len, w->len - to[0].iov_len };
	if (w->id && given_count < GIVEN) { /* what was there was another ADU's */
		memset(at + w->offset, 0, w->len);
		given[given_count++] = (struct iovec){ at + w->offset, w->len };
	}
	return 2;
}

/* Of what was placed on trial there is nothing left. */
static void nothing_given(void)
{
	for (unsigned i = 0; i < given_count; i++)
		for (size_t k = 0; k < given[i].iov_len; k++)
			must(((const uint8_t *)given[i].iov_base)[k] == 0);
}

/* ---- what the peer sends ---- */

static void put(const uint8_t *from, size_t n, uint64_t begin, bool lies)
{
	while (n-- && len < STREAM) {
		uint64_t pos = len - origin;
		if (markers && pos % FPDU_EVERY == 0) {
			uint32_t back = pos < begin ? 0 : (uint32_t)(pos - begin);
			const uint8_t m[] = { 0, 0, (uint8_t)((back + lies) >> 8), (uint8_t)(back + lies) };
			memcpy(stream + len, m, sizeof m);
			len += sizeof m;
		}
		stream[len++] = *from++;
	}
}

static size_t fields(struct input *in, struct ddp_segment *to_segment, bool key_phase, uint8_t *to)
{
	struct ddp_segment s = { .tagged = take8(in) & 1, .key_phase = key_phase };
	struct ddp_preface p = { .name = (const uint8_t *)"0123456789012345678901234567890123456789012345678901234567890123" };
	size_t n;

	s.last = take8(in) & 1;
	s.code = p.type = (uint8_t)take8(in);
	s.name_len = (uint8_t)(take8(in) % 80);
	s.queue = take8(in) % 8 ? DDP_ADUS : DDP_CONTROL;
	p.recovery = (uint8_t)(ADU_KEEP + take8(in) % 4);
	p.priority = (uint8_t)take8(in) % ADU_PRIORITIES;
	p.deadline_ms = (uint16_t)take8(in);
	s.total = take16(in) % (ADU_MOST + 100);
	if (s.total == 77)
		s.total = DDP_TOTAL_LONG;
	s.msn = take8(in);
	s.mo = take16(in);
	s.stag = take8(in) % 3;
	s.to = take16(in);
	s.name_len = s.name_len > ADU_NAME_MAX ? ADU_NAME_MAX : s.name_len;
	if (take8(in) % 4 == 0)
		s.mo = 0;
	*to_segment = s;
	n = ddp_write(&s, to);
	if (!s.tagged && s.queue == DDP_ADUS && s.mo == 0) {
		p.total = s.total;
		p.name_len = s.name_len;
		n += ddp_preface_write(&p, to + n);
	}
	return n;
}

/* The data behind the header, as the other end seals it, in the place of the data. Returns their bytes. */
static size_t seal(const struct alf *a, const struct ddp_segment *s, uint8_t *ulpdu, size_t head, size_t n)
{
	const struct ilp_chain *chain = a->way[0].chain;
	const size_t all = head + n + a->seal;
	const uint8_t length[] = { (uint8_t)(all >> 8), (uint8_t)all };
	struct alf_key key = a->in.key;
	struct alf_begin begin = { .key = &key, .what = a->profile.initiator ? 0 : NONCE_INITIATOR,
		.number = (uint64_t)s->msn << 32 | s->mo };
	struct alf_run_state run = { 0 };
	uint8_t sealed[4096];
	size_t wrote;

	if (s->key_phase)
		alf_rekey(a, &key, false, 0);
	if (s->tagged)
		begin.number = len;
	begin.what |= s->tagged ? NONCE_TAGGED : s->queue == DDP_CONTROL ? NONCE_CONTROL : 0;
	alf_chain_begin(a, &run, &a->way[0], &begin);
	memcpy(sealed, length, sizeof length);
	memcpy(sealed + sizeof length, ulpdu, head);
	chain->associate(&run.state, sealed, sizeof length + head);
	wrote = a->way[0].loop[ILP_SEND](&run.state, sealed, ulpdu + head, n, a->scratch);
	wrote += (size_t)chain->end[ILP_SEND](&run.state, sealed + wrote);
	memcpy(ulpdu + head, sealed, wrote);
	return wrote;
}

static void frame(const struct alf *a, struct input *in, uint32_t kind)
{
	struct ddp_segment s;
	uint8_t ulpdu[4096] = { 0 }, content[4200] = { 0 };
	uint64_t pos = len - origin, begin = pos + (markers && pos % FPDU_EVERY == 0 ? FPDU_MARKER : 0), from = len;
	size_t n = fields(in, &s, kind & 128, ulpdu), data = kind & 8 ? take16(in) % 2000 : take8(in), all;
	uint32_t crc;

	for (size_t i = 0; i < data && i < 64; i++)
		ulpdu[n + i] = (uint8_t)take8(in);
	n += a->seal ? seal(a, &s, ulpdu, n, data) : data;
	if (kind & 4)
		ulpdu[n - 1] ^= 1; /* forged */
	if (kind & 16)
		n = take16(in) % sizeof ulpdu; /* another length than the fields want */
	content[0] = (uint8_t)(n >> 8);
	content[1] = (uint8_t)n;
	memcpy(content + 2, ulpdu, n);
	all = fpdu_content((uint32_t)n) - FPDU_CRC;
	put(content, all, begin, kind & 32);
	pos = len - origin;
	if (markers && pos % FPDU_EVERY == 0) {
		const uint8_t m[] = { 0, 0, (uint8_t)((pos - begin) >> 8), (uint8_t)(pos - begin) };
		memcpy(stream + len, m, sizeof m);
		len += sizeof m;
	}
	crc = alf_crc32c(0, stream + from, (size_t)(len - from)) + (kind & 64 ? 1 : 0);
	content[0] = (uint8_t)crc;
	content[1] = (uint8_t)(crc >> 8);
	content[2] = (uint8_t)(crc >> 16);
	content[3] = (uint8_t)(crc >> 24);
	put(content, FPDU_CRC, begin, false);
}

/* ---- the network, and TCP ---- */

static void took(uint64_t begin, uint64_t end)
{
	must(begin < end && end <= len);
	for (uint64_t i = begin; i < end; i++) {
		must(have[i] && !taken[i]);
		taken[i] = true;
	}
	while (next < len && taken[next])
		next++;
}

/* The run of bytes around `at` that wait. */
static void show(struct alf *a, uint64_t at)
{
	uint64_t from = at, to = at, begin, end;
	const uint8_t *data[2];
	uint32_t n[2];
	uint8_t *copy[2];
	bool took_some;

	if (!have[at] || taken[at] || a->in.sink.done)
		return;
	while (from > next && have[from - 1] && !taken[from - 1])
		from--;
	while (to < len && have[to] && !taken[to])
		to++;
	/* In two pieces, as at the end of a ring, each with memory of its own. */
	n[0] = (uint32_t)((to - from + 1) * (at % 5 + 1) / 6);
	n[1] = (uint32_t)(to - from) - n[0];
	for (int i = 0; i < 2; i++) {
		copy[i] = malloc(n[i] + 1);
		memcpy(copy[i] + 1, stream + from + (i ? n[0] : 0), n[i]);
		data[i] = copy[i] + 1;
	}
	took_some = a->in.sink.show(a, from, data, n, &begin, &end);
	free(copy[0]);
	free(copy[1]);
	if (!took_some)
		return;
	must(begin >= from && end <= to && (from != next || begin == from));
	took(begin, end);
}

static void segment(struct alf *a, uint64_t from, uint64_t to, uint32_t how)
{
	const struct alf_in before = a->in;
	const struct alf_link *news = a->news.first;
	const bool good = !(how & 1);
	bool all_new = true;
	uint16_t sum = 0;
	uint8_t *copy;
	size_t n = 0;

	for (uint64_t i = from; i < to; i++)
		all_new &= !have[i];
	copy = malloc(to - from + 1);
	memcpy(copy + 1, stream + from, to - from);
	if (!good && from & 1) /* else it is TCP's header that came damaged */
		copy[1 + (to - from) / 2] ^= 0x10;
	given_count = 0;
	if (all_new && !a->in.sink.done && !(how & 2)) {
		n = a->in.sink.drain(a, from, copy + 1, to - from, &sum);
		must(n == 0 || n == to - from);
		must(!n || tcpu_sum_fold((uint64_t)sum + 0) % 0xffff == tcpu_sum(copy + 1, to - from) % 0xffff);
		if (n)
			a->in.sink.settle(a, from, n, good);
	}
	free(copy);
	if (!n || !good) {
		nothing_given();
		must(a->in.begun == before.begun && a->in.returned == before.returned && a->in.adus.last == before.adus.last &&
			a->news.first == news);
	}
	if (!good)
		return; /* TCP forgets it */
	for (uint64_t i = from; i < to; i++)
		have[i] = true;
	if (n)
		took(from, to);
	else
		show(a, from);
	if (next < len)
		show(a, next);
}

static void events(struct alf *a, uint32_t how)
{
	struct adu_event e;

	while (how & 1 && alf_event(a, &e)) {
		must(e.kind < ADU_EVENTS && e.attr.name_len <= ADU_NAME_MAX);
		must(e.kind != ADU_PLACED || e.id || (e.stag <= 2 && e.offset + e.len <= REGION));
		if (e.kind != ADU_COMPLETE)
			continue;
		must(e.len <= ADU_MOST && (e.data || !e.len || a->profile.hooks.place));
		for (uint64_t i = 0; e.data && i < e.len; i++)
			must(((const volatile uint8_t *)e.data)[i] <= 255);
		if (how & 2)
			alf_forget(a, alf_in_find(a, e.id));
	}
	must(a->stats.bytes_held <= CREDIT);
	must(region[0] == 0xaa && region[REGION + 1] == 0xaa);
}

static void deliver(struct alf *a, struct input *in)
{
	uint64_t at = origin;

	for (unsigned i = 0; i < 300 && (in->at < in->end || next < len); i++) {
		uint32_t how = take8(in), n = 1 + (how & 4 ? take16(in) % 3000 : take8(in));
		uint64_t from = how & 8 ? origin + take16(in) : at;
		if (in->at >= in->end) {
			from = next; /* what is missing comes in the end */
			n = 1460;
			how = 3 << 6;
		}
		if (from >= len)
			from = next;
		while (in->at >= in->end && from < len && have[from])
			from++;
		if (from >= len || a->error)
			break;
		segment(a, from, from + n < len ? from + n : len, how);
		at = from + n;
		events(a, how >> 6);
		alf_tick(a, a->now_us + (how & 16 ? 50000 : 10));
		if (how & 32 && alf_wants_out(a)) {
			uint8_t out[1460];
			uint16_t sum;
			a->out.source.fill(a, 0, out, sizeof out, &sum);
		}
	}
}

/* The other end's start, which is as it should be: other targets are for what is not. */
static void start(struct alf *a)
{
	const struct mpa_hello hello = { .adu_max = 1 << 20, .credit = 1 << 20 };
	uint8_t private[MPA_HELLO], ours[600];
	const struct mpa_start s = { .reply = a->profile.initiator, .markers = true, .private_len = MPA_HELLO,
		.private_data = private };

	if (a->profile.initiator)
		must(a->out.source.fill(a, 0, ours, sizeof ours, NULL) > 0);
	mpa_hello_write(&hello, private);
	len = mpa_write(&s, stream);
	memset(have, 1, len);
	show(a, 0);
	must(next == len && a->in.open);
	if (!a->profile.initiator)
		must(a->out.source.fill(a, 0, ours, sizeof ours, NULL) > 0);
	origin = len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[32] = "a key for fuzzing, of 32 bytes.", iv[12] = "twelve bytes";
	struct input in = { data, data + size };
	uint32_t options = take8(&in), kind;
	struct alf_profile p = { .initiator = options & 128, .markers = options & 1, .crc = options & 2,
		.ordered = options & 4, .adu_max = ADU_MOST, .credit = CREDIT, .wanted = options & 8 ? (1U << ADU_EVENTS) - 1 : 0 };
	struct alf *a;

	memset(have, 0, sizeof have);
	memset(taken, 0, sizeof taken);
	memset(region, 0xaa, sizeof region);
	len = next = 0;
	asked = 1;
	if (options & 16)
		alf_family("xdr_copy", &p.chain);
	if (options & 32) {
		alf_family("aes256_gcm_copy", &p.chain);
		p.key = key;
		p.iv = iv;
		p.forgeries_max = 3;
	}
	if (options & 64)
		p.hooks.place = place;
	a = alf_new(&p);
	must(a);
	must(!adu_expose(a, 1, region + 1, REGION));
	must(adu_expose(a, 2, NULL, REGION) == (p.hooks.place ? 0 : -1));
	start(a);
	markers = p.markers;
	while (in.at < in.end && len < STREAM - 5000 && (kind = take8(&in)) != 255)
		frame(a, &in, kind);
	deliver(a, &in);
	if (next == len)
		alf_in_end(a);
	events(a, 3);
	alf_free(a);
	return 0;
}

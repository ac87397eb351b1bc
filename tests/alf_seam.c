/* ADUs against the seam alone: tests/alf_pipe.c stands for TCP. Every chain in every schedule, every cut. */
#include "tests/alf_pipe.h"
#include "tests/run.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned n_chains(void)
{
	unsigned n = 0;

	while (pipe_chain(n))
		n++;
	return n;
}

/* Loop tests count over chains, the handwritten one first, and schedules. */
static const struct ilp_chain *chain_of(int i)
{
	return pipe_chain((unsigned)i / ILP_SCHEDULES);
}

static struct alf_profile profile(int i, bool initiator)
{
	return pipe_profile(chain_of(i), (enum ilp_schedule)(i % ILP_SCHEDULES), initiator);
}

static struct alf *end_of(int i, bool initiator)
{
	return pipe_open(-1, chain_of(i), (enum ilp_schedule)(i % ILP_SCHEDULES), initiator);
}

/* The ADUs of a stream: sizes that are and are not whole units, pieces and blocks; names of all kinds. */
static const size_t sizes[] = { 0, 1, 3, 4, 5, 63, 64, 65, 200, 0, 130, 7 };
enum { ADUS = sizeof sizes / sizeof sizes[0], BIG = 256 };

static struct adu_attr attr_of(unsigned i)
{
	struct adu_attr attr = { .type = (uint8_t)(i * 37), .name_len = (uint8_t)(i * 5 % 14) };

	pipe_bytes(attr.name, attr.name_len, i);
	return attr;
}

static void send_all(struct stream *s, struct alf *a, size_t cap)
{
	uint8_t data[BIG];

	for (unsigned i = 0; i < ADUS; i++) {
		struct adu_attr attr = attr_of(i);
		pipe_bytes(data, sizes[i], 1000 + i);
		ck_assert_int_eq(stream_send(s, a, data, sizes[i], &attr, cap), 0);
	}
}

static void check_adu(unsigned i, ssize_t n, const uint8_t *buf, size_t cap, const struct adu_attr *attr)
{
	struct adu_attr want = attr_of(i);
	uint8_t data[BIG];

	pipe_bytes(data, sizes[i], 1000 + i);
	ck_assert_int_eq(n, (ssize_t)sizes[i]);
	ck_assert_mem_eq(buf, data, sizes[i]);
	for (size_t g = sizes[i]; g < cap; g++)
		if (buf[g] != 0xee) /* each ck_assert is a system call */
			ck_abort_msg("byte %zu behind the ADU is changed", g - sizes[i]);
	ck_assert_uint_eq(attr->number, i + 1);
	ck_assert_uint_eq(attr->type, want.type);
	ck_assert_uint_eq(attr->name_len, want.name_len);
	ck_assert_mem_eq(attr->name, want.name, want.name_len);
}

static void receive_all(struct alf *a, struct pipe *p)
{
	struct adu_attr attr;

	for (unsigned i = 0; i < ADUS; i++) {
		size_t cap = sizes[i] + 16;
		uint8_t *buf = malloc(cap);
		ssize_t n;
		memset(buf, 0xee, cap);
		n = pipe_recv(p, a, buf, cap, &attr);
		/* Damaged bytes may have gone where the buffer is undefined: they are zeros now. */
		for (size_t g = sizes[i]; g < cap; g++)
			if (p->arrival == DAMAGED && buf[g] == 0)
				buf[g] = 0xee;
		check_adu(i, n, buf, cap, &attr);
		free(buf);
	}
	ck_assert_int_eq(pipe_recv(p, a, NULL, 0, &attr), -ENODATA);
}

START_TEST(every_cut)
{
	/* The twins are cut at some places only, others for each: sanitizers are slow. */
	const size_t step = _i % ILP_SCHEDULES == ILP_FUSED ? 1 : 7;
	struct alf *out = end_of(_i, true);
	struct stream s = { 0 };

	send_all(&s, out, 128);
	for (size_t cut = 1 + (size_t)_i % step; cut < s.len; cut += step) {
		for (enum arrival arrival = 0; arrival < ARRIVALS; arrival++) {
			struct alf *in = end_of(_i, false);
			struct pipe p = { .bytes = s.bytes, .len = s.len, .cuts = &cut, .n_cuts = 1, .arrival = arrival };
			receive_all(in, &p);
			alf_close(in);
		}
		stub_nonces_repeated();
	}
	alf_close(out);
	stream_free(&s);
}
END_TEST

START_TEST(cuts_by_chance)
{
	struct alf *out = end_of(_i, true);
	struct stream s = { 0 };
	uint64_t seed = (uint64_t)_i;
	size_t *cuts;

	send_all(&s, out, 96);
	cuts = calloc(s.len, sizeof *cuts);
	for (unsigned round = 0; round < 400; round++) {
		unsigned n = 0, mean = 1 + round % 90; /* in round 0, each byte is a segment */
		struct alf *in = end_of(_i, false);
		struct pipe p = { .bytes = s.bytes, .len = s.len, .cuts = cuts, .seed = seed };
		for (size_t at = 1; at < s.len; at += 1 + pipe_random(&seed) % mean)
			cuts[n++] = at;
		p.n_cuts = n;
		p.arrival = (enum arrival)(round / 2 % ARRIVALS);
		receive_all(in, &p);
		alf_close(in);
		stub_nonces_repeated();
	}
	free(cuts);
	alf_close(out);
	stream_free(&s);
}
END_TEST

/* Segments as they were sent are taken unchecked, all of them, and so is what comes between. */
START_TEST(aligned_is_never_declined)
{
	struct alf *out = end_of(_i, true), *in = end_of(_i, false);
	struct stream s = { 0 };
	struct pipe p = { .arrival = DAMAGED };

	send_all(&s, out, 128);
	p = (struct pipe){ .bytes = s.bytes, .len = s.len, .cuts = s.ends, .n_cuts = s.segments, .arrival = DAMAGED };
	receive_all(in, &p);
	ck_assert_uint_eq(p.declined, 0);
	alf_close(out);
	alf_close(in);
	stream_free(&s);
}
END_TEST

START_TEST(every_size)
{
	struct alf *out = end_of(_i, true), *in = end_of(_i, false);
	struct stream s = { 0 };
	struct pipe p;
	uint8_t data[1000], buf[1000];

	for (size_t n = 0; n < sizeof data; n++) {
		pipe_bytes(data, n, n);
		ck_assert_int_eq(stream_send(&s, out, data, n, NULL, 600), 0);
	}
	p = (struct pipe){ .bytes = s.bytes, .len = s.len, .cuts = s.ends, .n_cuts = s.segments };
	for (size_t n = 0; n < sizeof data; n++) {
		pipe_bytes(data, n, n);
		ck_assert_int_eq(pipe_recv(&p, in, buf, n, NULL), (ssize_t)n);
		ck_assert_mem_eq(buf, data, n);
	}
	ck_assert_uint_eq(p.declined, 0);
	alf_close(out);
	alf_close(in);
	stream_free(&s);
}
END_TEST

/* An ADU without room stays, and says what it wants; whatever was tried before. */
START_TEST(too_big_then_room)
{
	struct alf *out = end_of(_i, true);
	struct stream s = { 0 };
	uint8_t buf[BIG];

	send_all(&s, out, 128);
	for (enum arrival arrival = 0; arrival < ARRIVALS; arrival++) {
		struct alf *in = end_of(_i, false);
		struct pipe p = { .bytes = s.bytes, .len = s.len, .cuts = s.ends, .n_cuts = s.segments, .arrival = arrival };
		for (unsigned i = 0; i < ADUS; i++) {
			struct adu_attr attr;
			for (size_t cap = 0; cap < sizes[i]; cap += 1 + sizes[i] / 3) {
				memset(buf, 0xee, sizeof buf);
				ck_assert_int_eq(pipe_recv(&p, in, buf, cap, NULL), -EMSGSIZE);
				ck_assert_uint_eq(in->rx.piece.total, sizes[i]);
				for (size_t g = 0; g < sizeof buf; g++)
					if (buf[g] != 0xee && (arrival != DAMAGED || g >= cap || buf[g] != 0))
						ck_abort_msg("byte %zu is changed", g);
			}
			memset(buf, 0xee, sizeof buf);
			ck_assert_int_eq(pipe_recv(&p, in, buf, sizes[i], &attr), (ssize_t)sizes[i]);
			check_adu(i, (ssize_t)sizes[i], buf, sizeof buf, &attr);
		}
		alf_close(in);
		stub_nonces_repeated();
	}
	alf_close(out);
	stream_free(&s);
}
END_TEST

/* A stream that ends: inside an ADU that is an error, between two it is not. */
START_TEST(truncated)
{
	struct alf *out = end_of(_i, true);
	struct stream s = { 0 };
	uint8_t data[200], buf[200];
	size_t ends[3];

	pipe_bytes(data, sizeof data, 1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(stream_send(&s, out, data, 100u * (unsigned)i, NULL, 100), 0);
		ends[i] = s.len;
	}
	for (size_t len = 0; len <= s.len; len++) {
		struct alf *in = end_of(_i, false);
		struct pipe p = { .bytes = s.bytes, .len = len, .cuts = s.ends, .n_cuts = s.segments };
		ssize_t n;
		for (int i = 0; (n = pipe_recv(&p, in, buf, sizeof buf, NULL)) >= 0; i++)
			ck_assert_uint_ge(len, ends[i]);
		if (len == 0 || len == ends[0] || len == ends[1] || len == ends[2])
			ck_assert_int_eq(n, -ENODATA);
		else
			ck_assert_int_eq(n, -EBADMSG);
		alf_close(in);
		stub_nonces_repeated();
	}
	alf_close(out);
	stream_free(&s);
}
END_TEST

/* ---- limits, arguments, nonces */

START_TEST(limits)
{
	struct alf_profile out = profile(0, true), in = profile(0, false);
	struct adu_attr attr = { .name_len = ADU_NAME_MAX };
	struct alf *a = alf_open(-1, &out), *b;
	struct stream s = { 0 };
	struct pipe p;
	uint8_t data[100] = { 0 }, buf[100];

	ck_assert_int_eq(alf_send_begin(a, data, UINT32_MAX, NULL), -EMSGSIZE);
	attr.name_len++;
	ck_assert_int_eq(alf_send_begin(a, data, 1, &attr), -EMSGSIZE);
	attr.name_len--;
	/* A segment that cannot even hold header and name harms nothing. */
	ck_assert_int_eq(stream_send(&s, a, data, 100, &attr, 91), -EMSGSIZE);
	ck_assert_uint_eq(s.len, 0);
	a->tx.error = 0;
	a->tx.busy = false;
	ck_assert_int_eq(stream_send(&s, a, data, 100, &attr, 92), 0);
	ck_assert_int_eq(stream_send(&s, a, data, 100, NULL, 92), 0);

	/* adu_max is no matter of room. */
	for (in.adu_max = 99; in.adu_max <= 100; in.adu_max++) {
		b = alf_open(-1, &in);
		p = (struct pipe){ .bytes = s.bytes, .len = s.len, .cuts = s.ends, .n_cuts = s.segments };
		ck_assert_int_eq(pipe_recv(&p, b, buf, 100, NULL), in.adu_max == 99 ? -EBADMSG : 100);
		alf_close(b);
	}

	/* Half way in, nothing else can be sent, and nothing reconfigured. */
	ck_assert_int_eq(alf_send_begin(a, data, 100, NULL), 0);
	ck_assert_int_eq(alf_send_begin(a, data, 99, NULL), -EINVAL);
	ck_assert_int_eq(alf_send_begin(a, buf, 100, NULL), -EINVAL);
	ck_assert_int_eq(alf_profile(a, &out), -1);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_int_eq(stream_send(&s, a, data, 100, NULL, 92), 0);
	ck_assert_int_eq(alf_profile(a, &out), 0);

	/* The last number there is. */
	a->tx.piece.number = UINT32_MAX;
	ck_assert_int_eq(stream_send(&s, a, data, 1, NULL, 92), 0);
	ck_assert_int_eq(alf_send_begin(a, data, 1, NULL), -EOVERFLOW);
	/* A peer that goes on all the same. */
	a->tx.piece.number = 1;
	ck_assert_int_eq(alf_send_begin(a, data, 1, NULL), 0);
	a->tx.piece.number = 0;
	stream_free(&s);
	ck_assert_int_eq(stream_send(&s, a, data, 1, NULL, 92), 0);
	b = alf_open(-1, &in);
	b->rx.piece.number = 0;
	p = (struct pipe){ .bytes = s.bytes, .len = s.len, .cuts = s.ends, .n_cuts = s.segments };
	ck_assert_int_eq(pipe_recv(&p, b, buf, 100, NULL), -EBADMSG);
	alf_close(b);
	alf_close(a);
	stream_free(&s);
}
END_TEST

START_TEST(profiles)
{
	struct ilp_chain sumless = stub_chain;
	struct alf_profile p = profile(0, true), right;
	struct alf *a;

	p.key = NULL;
	ck_assert_ptr_null(alf_open(-1, &p));
	ck_assert_int_eq(errno, EINVAL);
	p = profile(0, true);
	p.iv = NULL;
	ck_assert_ptr_null(alf_open(-1, &p));
	right = profile(0, true);
	p = pipe_profile(ilp_find("copy_sum"), ILP_FUSED, true);
	p.key = right.key;
	ck_assert_ptr_null(alf_open(-1, &p));
	p.iv = right.iv;
	ck_assert_ptr_null(alf_open(-1, &p));
	p = profile(0, true);
	sumless.sum = NULL;
	p.chain = &sumless;
	ck_assert_ptr_null(alf_open(-1, &p));
	p = profile(0, true);
	p.schedule = ILP_SCHEDULES;
	ck_assert_ptr_null(alf_open(-1, &p));
	p = profile(0, true);
	p.chain = NULL;
	ck_assert_ptr_null(alf_open(-1, &p));
	/* A wrong one leaves the right one. */
	a = end_of(0, true);
	ck_assert_int_eq(alf_profile(a, &p), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_eq(a->chain, &stub_chain);
	alf_close(a);
	alf_close(NULL);
}
END_TEST

/* Both ends change chain and schedule between two ADUs. */
START_TEST(profile_changes)
{
	struct alf *out = end_of(0, true), *in = end_of(0, false);
	int n = (int)n_chains() * ILP_SCHEDULES;
	struct stream s = { 0 };
	struct pipe p;
	uint8_t data[200], buf[200];

	pipe_bytes(data, sizeof data, 5);
	for (int i = 0; i < n; i++) {
		struct alf_profile next = profile(n - 1 - i, true);
		ck_assert_int_eq(alf_profile(out, &next), 0);
		ck_assert_int_eq(stream_send(&s, out, data, sizeof data, NULL, 128), 0);
	}
	p = (struct pipe){ .bytes = s.bytes, .len = s.len, .cuts = s.ends, .n_cuts = s.segments };
	for (int i = 0; i < n; i++) {
		struct alf_profile next = profile(n - 1 - i, false);
		ck_assert_int_eq(alf_profile(in, &next), 0);
		ck_assert_int_eq(pipe_recv(&p, in, buf, sizeof buf, NULL), sizeof buf);
		ck_assert_mem_eq(buf, data, sizeof buf);
	}
	alf_close(out);
	alf_close(in);
	stream_free(&s);
}
END_TEST

/* No two ADUs of a connection, whichever way they go, and under whatever profile, begin with one nonce. */
START_TEST(nonces)
{
	struct alf_profile initiator = profile(0, true), other = profile(0, false);
	struct alf *ends[2] = { alf_open(-1, &initiator), alf_open(-1, &other) };
	struct stream s = { 0 };

	stub_nonces_repeated();
	for (unsigned i = 0; i < 3000; i++) {
		struct alf *a = ends[i & 1];
		ck_assert_int_eq(stream_send(&s, a, &i, sizeof i, NULL, 100), 0);
		s.segments = 0;
		if (i % 100 == 0)
			ck_assert_int_eq(alf_profile(a, i & 1 ? &other : &initiator), 0);
	}
	ck_assert_uint_eq(stub_nonces_repeated(), 0);
	alf_close(ends[0]);
	alf_close(ends[1]);
	stream_free(&s);
}
END_TEST

static bool zeros(const void *p, size_t n)
{
	const uint8_t *at = p;

	return n == 0 || (at[0] == 0 && !memcmp(at, at + 1, n - 1));
}

/* What an ADU's chain knew is gone with it, whether it came to its end or not. */
START_TEST(states_are_wiped)
{
	struct alf *out = end_of(0, true), *in = end_of(0, false);
	struct stream s = { 0 };
	uint8_t data[200] = { 0 };
	struct pipe p;

	ck_assert_int_eq(stream_send(&s, out, data, sizeof data, NULL, 100), 0);
	ck_assert(zeros(&out->tx.state, sizeof out->tx.state));
	p = (struct pipe){ .bytes = s.bytes, .len = s.len, .cuts = s.ends, .n_cuts = s.segments };
	ck_assert_int_eq(pipe_recv(&p, in, data, sizeof data, NULL), sizeof data);
	ck_assert(zeros(&in->rx.state, sizeof in->rx.state));
	ck_assert_int_eq(stream_send(&s, out, data, sizeof data, NULL, 20), -EMSGSIZE);
	ck_assert(zeros(&out->tx.state, sizeof out->tx.state));
	alf_close(out);
	alf_close(in);
	stream_free(&s);
}
END_TEST

/* A framer whose room is no multiple of anything. */
static ssize_t odd_room(const struct alf_piece *piece, size_t cap)
{
	return alf_ddp.room(piece, cap) - 3;
}

/* Pieces end where the next begins best, and waste little. */
START_TEST(pieces)
{
	static uint8_t data[200000];
	struct alf_framer odd = alf_ddp;
	struct alf_profile p = profile(0, true);
	struct alf *a;

	odd.room = odd_room;
	if (_i)
		p.framer = &odd;
	a = alf_open(-1, &p);

	for (size_t cap = 100; cap < 66000; cap += cap < 1500 ? 1 : 1997) {
		struct seam_source *source = &a->tx.source;
		uint8_t *segment = malloc(cap);
		ck_assert_int_eq(alf_send_begin(a, data, cap * 5 / 2, NULL), 0);
		while (a->tx.busy) {
			size_t n = source->fill(source->ctx, 0, segment, cap, NULL), end = (size_t)a->tx.piece.offset;
			ck_assert_uint_le(n, cap);
			if (!a->tx.busy)
				break;
			ck_assert_uint_eq(end % stub_chain.unit, 0);
			if (cap <= 65535)
				ck_assert_uint_ge(n + (cap - 28) / 20 + 2 * stub_chain.unit, cap - 4);
			if (cap >= 1400)
				ck_assert_uint_eq(end % stub_chain.block, 0);
		}
		free(segment);
		stub_nonces_repeated();
	}
	alf_close(a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_seam");
	TCase *tc = tcase_create("alf_seam");
	int loops = (int)n_chains() * ILP_SCHEDULES;

	tcase_add_loop_test(tc, every_cut, 0, loops);
	tcase_add_loop_test(tc, cuts_by_chance, 0, loops);
	tcase_add_loop_test(tc, aligned_is_never_declined, 0, loops);
	tcase_add_loop_test(tc, every_size, 0, loops);
	tcase_add_loop_test(tc, too_big_then_room, 0, loops);
	tcase_add_loop_test(tc, truncated, 0, loops);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, profiles);
	tcase_add_test(tc, profile_changes);
	tcase_add_test(tc, nonces);
	tcase_add_test(tc, states_are_wiped);
	tcase_add_loop_test(tc, pieces, 0, 2);
	suite_add_tcase(suite, tc);
	return run_tests(srunner_create(suite));
}

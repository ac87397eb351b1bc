#include "tests/alf_pipe.h"

#include "core/cksum.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t pipe_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void pipe_bytes(void *dst, size_t len, uint64_t seed)
{
	for (uint8_t *p = dst; len--; p++)
		*p = (uint8_t)pipe_random(&seed);
}

static void same_sum(uint16_t sum, const uint8_t *data, size_t len)
{
	if (sum % 0xffff != tcpu_sum(data, len) % 0xffff)
		ck_abort_msg("sum 0x%04x of %zu bytes, expected 0x%04x", sum, len, tcpu_sum(data, len));
}

int stream_send(struct stream *s, struct alf *a, const void *data, size_t len, const struct adu_attr *attr, size_t cap)
{
	int r = alf_send_begin(a, data, len, attr);
	struct seam_source *source = &a->tx.source;

	if (r < 0)
		return r;
	ck_assert(source->record);
	while (a->tx.busy) {
		uint8_t *segment = malloc(cap); /* of its own, so that a sanitizer sees what is written behind it */
		uint16_t sum = 0x5555;
		size_t n = source->fill(source->ctx, s->len, segment, cap, s->segments % 3 ? &sum : NULL);

		if (n == 0) {
			free(segment);
			return -a->tx.error;
		}
		ck_assert_uint_le(n, cap);
		if (s->segments % 3)
			same_sum(sum, segment, n);
		if (s->len + n > s->room)
			s->bytes = realloc(s->bytes, s->room = 2 * (s->len + n));
		memcpy(s->bytes + s->len, segment, n);
		s->len += n;
		ck_assert_uint_lt(s->segments, sizeof s->ends / sizeof s->ends[0]);
		s->ends[s->segments++] = s->len;
		free(segment);
	}
	ck_assert_uint_eq(source->fill(source->ctx, s->len, NULL, cap, NULL), 0);
	return 0;
}

void stream_free(struct stream *s)
{
	free(s->bytes);
	*s = (struct stream){ 0 };
}

static size_t next_cut(const struct pipe *p)
{
	for (unsigned i = 0; i < p->n_cuts; i++)
		if (p->cuts[i] > p->came && p->cuts[i] < p->len)
			return p->cuts[i];
	return p->len;
}

/* A damaged segment comes, and leaves no trace. */
static void damage(struct pipe *p, struct alf *a, uint8_t *segment, size_t len, size_t cap)
{
	size_t at = pipe_random(&p->seed) % len, changed = offsetof(struct alf_rx, state) + a->chain->state_size, n;
	uint8_t *before = malloc(cap + 1), flip = (uint8_t)(1 << pipe_random(&p->seed) % 8);
	uint16_t sum = 0xaaaa;
	static struct alf_rx rx;

	memcpy(before, a->buf, cap);
	rx = a->rx;
	segment[at] ^= flip;
	n = a->sink.drain(a->sink.ctx, p->came, segment, len, &sum);
	ck_assert(n == 0 || n == len);
	if (n) {
		same_sum(sum, segment, len);
		a->sink.settle(a->sink.ctx, p->came, n, false);
	}
	segment[at] ^= flip;
	ck_assert(!memcmp(&rx, &a->rx, changed));
	ck_assert(!a->sink.done && !a->too_big && !a->rx_error);
	for (size_t i = 0; i < cap; i++)
		if (a->buf[i] != before[i] && (i < rx.out || a->buf[i] != 0)) /* each ck_assert is a system call */
			ck_abort_msg("byte %zu of the buffer is changed", i);
	free(before);
}

/* The next segment, unchecked: taken whole or left. */
static void show(struct pipe *p, struct alf *a, size_t cap)
{
	size_t end = next_cut(p), len = end - p->came, n;
	uint8_t *segment = malloc(len);
	uint16_t sum = 0xaaaa;

	memcpy(segment, p->bytes + p->came, len);
	if (p->arrival == DAMAGED)
		damage(p, a, segment, len, cap);
	n = a->sink.drain(a->sink.ctx, p->came, segment, len, &sum);
	ck_assert(n == 0 || n == len);
	if (n) {
		same_sum(sum, segment, len);
		a->sink.settle(a->sink.ctx, p->came, n, true);
		p->at = end;
	} else {
		ck_assert(!a->sink.done);
		p->declined += len;
	}
	p->came = end;
	free(segment);
}

/* What has arrived and is known to be good. */
static void give(struct pipe *p, struct alf *a)
{
	size_t len = p->came - p->at, n;
	uint8_t *copy;

	if (p->arrival == BUFFERED)
		len = 1 + pipe_random(&p->seed) % len;
	copy = malloc(len);
	memcpy(copy, p->bytes + p->at, len);
	n = a->sink.drain(a->sink.ctx, p->at, copy, len, NULL);
	ck_assert_uint_le(n, len);
	ck_assert(n == len || a->sink.done);
	a->sink.settle(a->sink.ctx, p->at, n, true);
	p->at += n;
	free(copy);
}

ssize_t pipe_recv(struct pipe *p, struct alf *a, void *buf, size_t cap, struct adu_attr *attr)
{
	int r = alf_receive_begin(a, buf, cap);

	if (r < 0)
		return r;
	while (!a->sink.done) {
		if (p->at == p->came && p->came == p->len)
			return alf_receive_idle(a) ? -ENODATA : -EBADMSG;
		if (p->at < p->came)
			give(p, a);
		else if (p->arrival == VOUCHED || p->arrival == BUFFERED)
			p->came = next_cut(p);
		else
			show(p, a, cap);
	}
	ck_assert_uint_eq(a->sink.drain(a->sink.ctx, p->at, p->bytes, 1, NULL), 0);
	if (a->rx_error)
		return -a->rx_error;
	if (a->too_big)
		return -EMSGSIZE;
	ck_assert(a->rx.whole);
	return alf_receive_end(a, attr);
}

struct alf_profile pipe_profile(const struct ilp_chain *chain, enum ilp_schedule schedule, bool initiator)
{
	static const uint8_t key[32] = "a key of thirty-two bytes no nul", iv[12] = "twelve bytes";
	bool keyed = chain == &stub_chain || strstr(chain->stages, "chacha20");

	return (struct alf_profile){
		.chain = chain,
		.schedule = schedule,
		.key = keyed ? key : NULL,
		.iv = keyed ? iv : NULL,
		.initiator = initiator,
	};
}

struct alf *pipe_open(int fd, const struct ilp_chain *chain, enum ilp_schedule schedule, bool initiator)
{
	struct alf_profile profile = pipe_profile(chain, schedule, initiator);
	struct alf *a = alf_open(fd, &profile);

	ck_assert_ptr_nonnull(a);
	return a;
}

/* ---- the chain */

struct stub {
	struct ilp_state s;
	uint64_t fold;
	uint32_t counter, summed; /* bytes summed since the last call: parity */
	uint8_t key[32], nonce[12], work[36], held[4];
};

static uint8_t nonces[1 << 14][12];
static unsigned n_nonces, n_repeated;

static void stub_begin(void *state)
{
	struct stub *t = state;

	t->s.pos = 0;
	t->s.held_len = 0;
	t->fold = t->summed = 0;
	for (int i = 0; i < 36; i++)
		t->work[i] = (uint8_t)(t->key[i % 32] ^ t->nonce[i % 12] * 3 ^ t->counter);
	for (unsigned i = 0; i < n_nonces; i++)
		n_repeated += !memcmp(nonces[i], t->nonce, 12);
	ck_assert_uint_lt(n_nonces, sizeof nonces / sizeof nonces[0]);
	memcpy(nonces[n_nonces++], t->nonce, 12);
}

unsigned stub_nonces_repeated(void)
{
	unsigned n = n_repeated;

	n_nonces = n_repeated = 0;
	return n;
}

static void stub_sum_byte(struct stub *t, uint8_t byte)
{
	uint8_t word[2] = { 0, 0 };
	uint16_t w;

	word[t->summed++ & 1] = byte;
	memcpy(&w, word, 2);
	t->fold += w;
}

static uint8_t key_byte(const struct stub *t, uint64_t pos)
{
	return (uint8_t)(t->work[pos % 36] + pos * 131 + (pos >> 8));
}

/* The held bytes leave: enciphered at the place where they stand on the wire, turned if they are a word. */
static size_t stub_unit(struct stub *t, uint8_t *dst, enum ilp_direction d)
{
	uint32_t n = t->s.held_len;
	uint64_t start = t->s.pos - n;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t turned = n == 4 ? 3 - i : i;
		uint32_t wire = d == ILP_SEND ? i : turned;

		dst[i] = t->held[turned] ^ key_byte(t, start + wire);
		stub_sum_byte(t, d == ILP_SEND ? dst[i] : t->held[i]);
	}
	t->s.held_len = 0;
	return n;
}

static size_t stub_loop(void *state, uint8_t *dst, const uint8_t *src, size_t n, enum ilp_direction d)
{
	struct stub *t = state;
	uint8_t *to = dst;

	for (size_t i = 0; i < n; i++) {
		t->held[t->s.held_len++] = src[i];
		t->s.pos++;
		if (t->s.held_len == 4)
			to += stub_unit(t, to, d);
	}
	return (size_t)(to - dst);
}

static size_t stub_send(void *s, uint8_t *dst, const uint8_t *src, size_t n, uint8_t *tmp)
{
	(void)tmp;
	return stub_loop(s, dst, src, n, ILP_SEND);
}

static size_t stub_recv(void *s, uint8_t *dst, const uint8_t *src, size_t n, uint8_t *tmp)
{
	(void)tmp;
	return stub_loop(s, dst, src, n, ILP_RECV);
}

static int stub_send_end(void *s, uint8_t *dst)
{
	return (int)stub_unit(s, dst, ILP_SEND);
}

static int stub_recv_end(void *s, uint8_t *dst)
{
	return (int)stub_unit(s, dst, ILP_RECV);
}

static uint16_t stub_sum(void *state)
{
	struct stub *t = state;
	uint16_t sum = tcpu_sum_fold(t->fold);

	t->fold = t->summed = 0;
	return sum;
}

const struct ilp_chain stub_chain = {
	.name = "stub",
	.stages = "stub",
	.state_size = sizeof(struct stub),
	.unit = 4,
	.block = 64,
	.params = (const struct ilp_param[]){
		{ "chacha20.key", offsetof(struct stub, key), 32, false, true },
		{ "chacha20.nonce", offsetof(struct stub, nonce), 12, false, true },
		{ "chacha20.counter", offsetof(struct stub, counter), 4, false, true },
		{ NULL, 0, 0, false, false },
	},
	.begin = stub_begin,
	.end = { stub_send_end, stub_recv_end },
	.sum = stub_sum,
	.keeps = true,
	.ways = {
		(const struct ilp_way[]){ { .loop = { stub_send } }, { .loop = { stub_send } }, { .loop = { stub_send } },
			{ .loop = { stub_send } } },
		(const struct ilp_way[]){ { .loop = { stub_recv } }, { .loop = { stub_recv } }, { .loop = { stub_recv } },
			{ .loop = { stub_recv } } },
	},
	.way_count = { ILP_SCHEDULES, ILP_SCHEDULES },
};

const struct ilp_chain *pipe_chain(unsigned i)
{
	if (i == 0)
		return &stub_chain;
	for (const struct ilp_chain *const *c = ilp_chains; *c; c++)
		if (alf_takes(*c) && (*c)->unit <= 64 && --i == 0) /* a segment has a unit at least; the tests' are short */
			return *c;
	return NULL;
}

/* ADUs between two engines in virtual time, both ways at once, through every chain, under every fault that a network
 * has: each ADU exactly once, in order, every byte compared.
 *
 *	CK_RUN_CASE=corrupt build/gcc/tests/alf_sim	runs one kind of fault; a failure names the seed
 *	ALF_SEED=17 CK_FORK=no ...			starts from another seed */
#include "tests/alf_pipe.h"
#include "tests/run.h"
#include "tests/sim_net.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADUS 24
#define ADU_MAX 30000
#define SEEDS 15

static const struct fault {
	const char *name;
	struct link_sim_path path;
} faults[] = {
	{ "clean", { .delay_us = 5000 } },
	{ "loss", { .loss = 0.03, .delay_us = 5000 } },
	{ "reorder", { .reorder = 0.2, .reorder_us = 10000, .delay_us = 5000 } },
	{ "duplicate", { .duplicate = 0.2, .delay_us = 5000 } },
	{ "corrupt", { .corrupt = 0.05, .delay_us = 5000 } },
	{ "all", { .loss = 0.02, .corrupt = 0.03, .duplicate = 0.03, .reorder = 0.05, .reorder_us = 9000, .delay_us = 5000,
		   .jitter_us = 3000 } },
};
#define FAULTS ((int)(sizeof faults / sizeof *faults))

struct end {
	struct alf *alf;
	struct tcb *tcb;
	uint64_t seed;
	unsigned sent, received;
	uint8_t out[ADU_MAX], buf[ADU_MAX], want[ADU_MAX];
	uint64_t size_seed;
};

static size_t size_of(uint64_t seed, unsigned adu)
{
	uint64_t s = seed * 1000 + adu;
	uint64_t kind = pipe_random(&s) % 4;

	return pipe_random(&s) % (kind == 0 ? 8 : kind == 1 ? 3000 : ADU_MAX);
}

static void send_some(struct end *e)
{
	while (e->sent < ADUS) {
		size_t len = size_of(e->seed, e->sent);
		struct adu_attr attr = { .name_len = 4, .type = (uint8_t)e->sent };
		ssize_t n;
		if (!e->alf->tx.busy)
			pipe_bytes(e->out, len, e->seed ^ e->sent);
		memcpy(attr.name, &e->sent, 4);
		ck_assert_int_eq(alf_send_begin(e->alf, e->out, len, &attr), 0);
		n = tcpu_send(e->tcb, &e->alf->tx.source, TCPU_SEND_NOW);
		ck_assert_msg(n >= 0 || n == -EAGAIN, "seed %lu: tcpu_send: %zd", e->seed, n);
		if (e->alf->tx.busy)
			return;
		e->sent++;
	}
}

static void check_adu(struct end *e, const struct end *other)
{
	unsigned i = e->received;
	struct adu_attr attr;
	ssize_t n = alf_receive_end(e->alf, &attr);
	size_t len = size_of(other->seed, i);

	pipe_bytes(e->want, len, other->seed ^ i);
	ck_assert_msg((size_t)n == len, "seed %lu: ADU %u has %zd bytes, expected %zu", e->seed, i, n, len);
	ck_assert_msg(!memcmp(e->buf, e->want, len), "seed %lu: ADU %u: other bytes", e->seed, i);
	ck_assert(attr.number == i + 1 && attr.type == (uint8_t)i && attr.name_len == 4 && !memcmp(attr.name, &i, 4));
	e->received++;
}

static void receive_some(struct end *e, const struct end *other)
{
	for (;;) {
		/* Sometimes there is no room at first. */
		size_t cap = e->received % 5 == 4 && !e->alf->rx.begun ? 10 : ADU_MAX;
		ssize_t n = alf_receive_begin(e->alf, e->buf, cap);
		ck_assert_int_eq(n, 0);
		if (!e->alf->rx.whole)
			n = tcpu_recv(e->tcb, &e->alf->sink);
		ck_assert_msg(n >= 0 || n == -EAGAIN, "seed %lu: tcpu_recv: %zd", e->seed, n);
		ck_assert_msg(!e->alf->rx_error, "seed %lu: ADU %u: wrong framing", e->seed, e->received);
		if (e->alf->rx.whole)
			check_adu(e, other);
		else if (!e->alf->too_big && n < 0)
			break;
	}
	tcpu_sink(e->tcb, e->received < ADUS ? &e->alf->sink : NULL);
}

static void app(struct net *net, int peer, void *ctx)
{
	struct end *ends = ctx;

	(void)net;
	if (!ends[peer].tcb)
		return;
	receive_some(&ends[peer], &ends[!peer]);
	send_some(&ends[peer]);
}

static bool all_there(struct net *net, void *ctx)
{
	const struct end *ends = ctx;

	(void)net;
	return ends[0].received == ADUS && ends[1].received == ADUS;
}

static const struct ilp_chain *chain_of(uint64_t seed)
{
	unsigned n = 0;

	while (pipe_chain(n))
		n++;
	return pipe_chain((unsigned)(seed % n));
}

static void open_end(struct end *e, struct tcb *tcb, uint64_t seed, bool initiator)
{
	e->alf = pipe_open(-1, chain_of(seed), (enum ilp_schedule)(seed / 2 % ILP_SCHEDULES), initiator);
	e->tcb = tcb;
	e->seed = 2 * seed + initiator;
}

START_TEST(transfer)
{
	static struct end ends[2];
	const char *first = getenv("ALF_SEED");
	uint64_t seed = (first ? strtoul(first, NULL, 0) : 0) + (unsigned)(_i % SEEDS);
	const struct fault *fault = &faults[_i / SEEDS];
	struct net_config config = { .seed = seed, .path = { fault->path, fault->path } };
	struct tcb *client, *server;
	struct tcpu_info info;
	struct net net;

	memset(ends, 0, sizeof ends);
	stub_nonces_repeated();
	net_open(&net, &config);
	net_pair(&net, &client, &server);
	open_end(&ends[0], client, seed, true);
	open_end(&ends[1], server, seed, false);
	net.app = app;
	net.app_ctx = ends;
	net.app_wake_us = net.now_us;
	ck_assert_msg(net_until(&net, all_there, ends, 3600 * NET_S), "%s, seed %lu: stuck at %u and %u of %u ADUs",
		      fault->name, seed, ends[0].received, ends[1].received, ADUS);
	for (int i = 0; i < 2; i++) {
		info = net_info(ends[i].tcb);
		if (!strcmp(fault->name, "clean"))
			ck_assert_uint_gt(info.direct_bytes, 0);
		if (!strcmp(fault->name, "corrupt") && i == 0 && seed == 0)
			ck_assert_uint_gt(info.bad_checksums, 0);
		tcpu_sink(ends[i].tcb, NULL);
		alf_close(ends[i].alf);
		tcpu_abort(ends[i].tcb);
	}
	net_close(&net);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alf_sim");

	for (int f = 0; f < FAULTS; f++) {
		TCase *tc = tcase_create(faults[f].name);
		tcase_add_loop_test(tc, transfer, f * SEEDS, (f + 1) * SEEDS);
		suite_add_tcase(suite, tc);
	}
	return run_tests(srunner_create(suite));
}
